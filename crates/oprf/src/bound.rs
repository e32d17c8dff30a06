//! The binding proof: a second DLEQ proof over composites whose weights depend on the *whole* batch.
//!
//! RFC 9497 §2.2.1 derives the weight `d_i` from the public key, `i`, `C_i` and `D_i` alone. A holder can therefore choose errors `e_i` one
//! by one until `Σ d_i·e_i = 0`, and its proof holds although `D_i = k·C_i + e_i·G`: a generalised birthday problem (Wagner 2002), about
//! 2^(a + 252/(a+1)) work for 2^a elements, which is 2^31 at 8,192. Here every weight is a hash of all elements, so that changing one `D_i`
//! changes all weights, and the errors of a batch cancel with probability 2^-128 for each batch that a holder tries.
//!
//! The RFC's own proof stays beside it, unchanged, for implementations that know only that.

use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};

use crate::composite::Composite;
use crate::error::{Error, same_count};
use crate::group::{self, Point};
use crate::keys::{KeyPair, PublicKey};
use crate::proof::{Proof, challenge};
use crate::suite::{NE, PROOF_LEN};
use crate::verify::{DecodedElements, Verified, VerifierComposite, verify};

/// Domain of the weights' seed.
const WEIGHTS_LABEL: &[u8] = b"oblink/1/bound-weights\0";

/// Bytes of both proofs.
pub const BATCH_PROOF_LEN: usize = 2 * PROOF_LEN;

/// What a holder proves of a batch: RFC 9497's proof, and the binding proof. Public data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchProof {
    /// RFC 9497 §2.2.1.
    pub proof: Proof,
    /// The same statement over composites whose weights depend on the whole batch (SPEC BAT-6).
    pub binding: Proof,
}

impl BatchProof {
    /// Takes 128 bytes: the RFC's proof, then the binding proof, each `c` then `s`.
    ///
    /// # Errors
    /// [`Error::ProofEncoding`] unless all four are canonical scalars.
    pub fn from_bytes(bytes: &[u8; BATCH_PROOF_LEN]) -> Result<Self, Error> {
        let half = |start: usize| {
            let mut proof = [0; PROOF_LEN];
            proof.copy_from_slice(&bytes[start..start + PROOF_LEN]);
            Proof::from_bytes(&proof)
        };
        Ok(Self { proof: half(0)?, binding: half(PROOF_LEN)? })
    }

    /// Its 128 bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; BATCH_PROOF_LEN] {
        let mut bytes = [0; BATCH_PROOF_LEN];
        bytes[..PROOF_LEN].copy_from_slice(&self.proof.to_bytes());
        bytes[PROOF_LEN..].copy_from_slice(&self.binding.to_bytes());
        bytes
    }
}

/// The weights `w_i` of a batch: 128 bits each, four out of each block of `SHA-512(seed ‖ block:u32)`, little-endian, with
/// `seed = SHA-512(label ‖ pk ‖ count:u32 ‖ all C ‖ all D)`.
fn weights(public: &PublicKey, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Vec<Scalar> {
    const PER_BLOCK: usize = 4;
    let seed = Sha512::new()
        .chain_update(WEIGHTS_LABEL)
        .chain_update(public.to_bytes())
        .chain_update((blinded.len() as u32).to_be_bytes())
        .chain_update(blinded.as_flattened())
        .chain_update(evaluated.as_flattened());
    let seed = seed.finalize();
    let mut weights = Vec::with_capacity(blinded.len());
    for block in 0..blinded.len().div_ceil(PER_BLOCK) {
        let bytes: [u8; 64] = Sha512::new().chain_update(seed).chain_update((block as u32).to_be_bytes()).finalize().into();
        let (words, _) = bytes.as_chunks::<16>();
        weights.extend(words.iter().take(blinded.len() - weights.len()).map(|word| Scalar::from(u128::from_le_bytes(*word))));
    }
    weights
}

/// `Σ weights[i]·points[i]` over slices of points that lie in a batch one after the other.
fn weighted_sum(weights: &[Scalar], slices: &[(usize, &[Point])]) -> Result<Point, Error> {
    let mut points = Vec::with_capacity(weights.len());
    for (offset, slice) in slices {
        if *offset != points.len() {
            return Err(Error::Coverage);
        }
        points.extend_from_slice(slice);
    }
    if points.len() != weights.len() {
        return Err(Error::Coverage);
    }
    Ok(group::sum_of_products_vartime(weights, &points))
}

impl KeyPair {
    /// Both proofs of a batch, from the merged composite of its slices. Nonces as in [`KeyPair::prove`]; each proof has its own.
    ///
    /// # Errors
    /// As [`KeyPair::prove`].
    pub fn prove_batch<R: CryptoRng + ?Sized>(
        &self,
        composite: Composite,
        blinded: &[[u8; NE]],
        evaluated: &[[u8; NE]],
        rng: &mut R,
    ) -> Result<BatchProof, Error> {
        let slices = composite.points();
        same_count(blinded.len(), evaluated.len())?;
        let m = weighted_sum(&weights(&self.public(), blinded, evaluated), &slices)?;
        drop(slices);
        let binding = self.prove_hedged(&m, blinded, evaluated, rng);
        Ok(BatchProof { proof: self.prove(composite, blinded, evaluated, rng)?, binding })
    }
}

/// Checks both proofs of a batch. `decoded` are all its slices, from [`crate::verify_slice`], in any order.
///
/// # Errors
/// As [`crate::verify()`]; [`Error::OtherBatch`] for slices that were not summed into `composite`.
pub fn verify_batch(
    public: &PublicKey,
    composite: VerifierComposite,
    decoded: &[&DecodedElements],
    blinded: &[[u8; NE]],
    evaluated: &[[u8; NE]],
    proof: &BatchProof,
) -> Result<Verified, Error> {
    same_count(blinded.len(), evaluated.len())?;
    let mut decoded = decoded.to_vec();
    decoded.sort_unstable_by_key(|slice| slice.offset());
    if !decoded.iter().all(|slice| composite.has(slice)) {
        return Err(Error::OtherBatch);
    }
    let weights = weights(public, blinded, evaluated);
    let of = |points: fn(&DecodedElements) -> &[Point]| -> Vec<(usize, &[Point])> {
        decoded.iter().map(|slice| (slice.offset(), points(slice))).collect()
    };
    let m = weighted_sum(&weights, &of(DecodedElements::blinded_points))?;
    let z = weighted_sum(&weights, &of(DecodedElements::evaluated_points))?;
    let verified = verify(public, composite, &proof.proof)?;
    if verified.count() != blinded.len() {
        return Err(Error::Coverage);
    }
    let Proof { c, s } = proof.binding;
    let t2 = Point::mul_add_base_vartime(&s, &c, public.point());
    let t3 = group::sum_of_products_vartime(&[s, c], &[m, z]);
    if challenge(public, &m, &z, &t2, &t3) == c { Ok(verified) } else { Err(Error::Proof) }
}

#[cfg(test)]
mod tests;
