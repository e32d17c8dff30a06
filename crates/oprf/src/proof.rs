//! Proofs that one key made a whole batch: DLEQ with composites (RFC 9497 §2.2.1 `GenerateProof`).

use core::fmt;

use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::composite::Composite;
use crate::error::{Error, same_count};
use crate::group::Point;
use crate::hash::Hashes;
use crate::keys::{KeyPair, PublicKey};
use crate::suite::{BATCH_MAX, Mode, NE, NS, PROOF_LEN};

/// Domain of the proof nonce.
const NONCE_LABEL: &[u8] = b"oblink/1/dleq-nonce";

/// A proof: the scalars `c` and `s` (RFC 9497 §2.2.1). Public data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    pub(crate) c: Scalar,
    pub(crate) s: Scalar,
}

impl Proof {
    /// Takes 64 bytes, `c` then `s` (RFC 9497 §2.2.1, as in its test vectors).
    ///
    /// # Errors
    /// [`Error::ProofEncoding`] unless both are canonical scalars: so that a proof has one encoding.
    pub fn from_bytes(bytes: &[u8; PROOF_LEN]) -> Result<Self, Error> {
        let scalar = |range: core::ops::Range<usize>| {
            let mut half = [0; NS];
            half.copy_from_slice(&bytes[range]);
            Option::<Scalar>::from(Scalar::from_canonical_bytes(half)).ok_or(Error::ProofEncoding)
        };
        Ok(Self { c: scalar(0..NS)?, s: scalar(NS..PROOF_LEN)? })
    }

    /// Its 64 bytes, `c` then `s`.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; PROOF_LEN] {
        let mut bytes = [0; PROOF_LEN];
        bytes[..NS].copy_from_slice(self.c.as_bytes());
        bytes[NS..].copy_from_slice(self.s.as_bytes());
        bytes
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Proof(")?;
        for byte in self.to_bytes() {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// `c = HashToScalar(challengeTranscript)` (RFC 9497 §2.2.1).
pub(crate) fn challenge(public: &PublicKey, m: &Point, z: &Point, t2: &Point, t3: &Point) -> Scalar {
    const LEN: [u8; 2] = (NE as u16).to_be_bytes();
    Hashes::of(Mode::Voprf).to_scalar(&[
        &LEN,
        public.as_bytes(),
        &LEN,
        &m.encode(),
        &LEN,
        &z.encode(),
        &LEN,
        &t2.encode(),
        &LEN,
        &t3.encode(),
        b"Challenge",
    ])
}

impl KeyPair {
    /// `GenerateProof` for a batch (RFC 9497 §2.2.1), from the merged composite of its slices: `Z = skS·M`, not a second sum.
    ///
    /// # The nonce
    ///
    /// Two proofs with one nonce and different challenges give the key away, so the nonce is never made from a session or an index.
    /// It is `SHA-512("oblink/1/dleq-nonce", 64 fresh bytes of rng, skS, pkS, M, every blinded element, every evaluated element)`
    /// modulo the group order, each part with its name and length before it. With a good `rng` it is uniform and fresh. With one that
    /// repeats or is known to an attacker, it is still a secret function of the key and the batch: it can come out the same again only
    /// for the same batch, for which the challenge, and so the proof, is the same too. (`M` follows from the elements, unless a caller
    /// merged another batch's composite by mistake: even then the nonce differs.)
    ///
    /// # Errors
    /// [`Error::BatchSize`] unless `blinded` has 1 to 65,535 elements; [`Error::Count`] if `evaluated` differs from it in length;
    /// [`Error::Coverage`] if the composite leaves a gap, overlaps or ends elsewhere; [`Error::OtherKey`].
    pub fn prove<R: CryptoRng + ?Sized>(
        &self,
        composite: Composite,
        blinded: &[[u8; NE]],
        evaluated: &[[u8; NE]],
        rng: &mut R,
    ) -> Result<Proof, Error> {
        let m = self.complete(composite, blinded.len(), evaluated.len())?;
        Ok(self.prove_hedged(&m, blinded, evaluated, rng))
    }

    /// The proof of a composite `m` of the batch, under a fresh hedged nonce.
    pub(crate) fn prove_hedged<R: CryptoRng + ?Sized>(
        &self,
        m: &Point,
        blinded: &[[u8; NE]],
        evaluated: &[[u8; NE]],
        rng: &mut R,
    ) -> Proof {
        loop {
            let mut random = Zeroizing::new([0; 64]);
            rng.fill_bytes(&mut *random);
            let nonce = self.nonce(&random, m, blinded, evaluated);
            if *nonce != Scalar::ZERO {
                return self.prove_composite(m, &nonce);
            }
        }
    }

    /// `M` of a batch of this many elements.
    pub(crate) fn complete(&self, composite: Composite, blinded: usize, evaluated: usize) -> Result<Point, Error> {
        if blinded == 0 || blinded > BATCH_MAX {
            return Err(Error::BatchSize { count: blinded });
        }
        same_count(blinded, evaluated)?;
        composite.complete(&self.public(), blinded)
    }

    /// The hedged nonce. Secrets go first: the elements after them overwrite them in the hash's block buffer.
    fn nonce(&self, random: &[u8; 64], m: &Point, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Zeroizing<Scalar> {
        let secret = self.secret().to_bytes();
        let public = self.public().to_bytes();
        let mut hash = Sha512::new();
        let parts: [(&[u8], &[u8]); 6] = [
            (b"random", random),
            (b"secret", &*secret),
            (b"public", &public),
            (b"composite", &m.encode()),
            (b"blinded", blinded.as_flattened()),
            (b"evaluated", evaluated.as_flattened()),
        ];
        hash.update([NONCE_LABEL.len() as u8]);
        hash.update(NONCE_LABEL);
        for (name, part) in parts {
            hash.update([name.len() as u8]);
            hash.update(name);
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = Zeroizing::new(<[u8; 64]>::from(hash.finalize()));
        Zeroizing::new(Scalar::from_bytes_mod_order_wide(&digest))
    }

    /// `GenerateProof` after its composites, with nonce `r`; constant time.
    pub(crate) fn prove_composite(&self, m: &Point, r: &Scalar) -> Proof {
        let k = &self.secret().0;
        let z = m.mul(k);
        let t2 = Point::mul_base(r);
        let t3 = m.mul(r);
        let c = challenge(&self.public(), m, &z, &t2, &t3);
        Proof { c, s: r - c * k }
    }
}

#[cfg(test)]
mod tests;
