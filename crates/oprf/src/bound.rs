//! The binding proof: a second DLEQ proof over composites whose weights depend on the *whole* batch.
//!
//! RFC 9497 §2.2.1 derives the weight `d_i` from the public key, `i`, `C_i` and `D_i` alone. A holder can therefore choose errors `e_i` one
//! by one until `Σ d_i·e_i = 0`, and its proof holds although `D_i = k·C_i + e_i·G`: a generalised birthday problem (Wagner 2002), about
//! 2^(a + 252/(a+1)) work for 2^a elements, which is 2^31 at 8,192. Here every weight is a hash of all elements, so that changing one `D_i`
//! changes all weights, and the errors of a batch cancel with probability 2^-128 for each batch that a holder tries.
//!
//! Additive blinding ([`crate::additive`]) is sound for elements that are each known to be right, and rests on this proof.
//!
//! The RFC's own proof stays beside it, unchanged, for implementations that know only that.

use core::fmt;
use core::ops::Deref;

use rand_core::CryptoRng;
use sha2::{Digest, Sha512};

use crate::composite::Composite;
use crate::error::{Error, same_count};
use crate::group::{self, Point, Points, Weights};
use crate::hash;
use crate::keys::{KeyPair, PublicKey};
use crate::proof::Proof;
use crate::suite::{NE, NH, PROOF_LEN};
use crate::verify::{DecodedElements, Verified, VerifierComposite, holds, verify};

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
fn weights(public: &PublicKey, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Vec<u128> {
    const WEIGHT_LEN: usize = 16;
    let seed: [u8; NH] = Sha512::new()
        .chain_update(WEIGHTS_LABEL)
        .chain_update(public.to_bytes())
        .chain_update((blinded.len() as u32).to_be_bytes())
        .chain_update(blinded.as_flattened())
        .chain_update(evaluated.as_flattened())
        .finalize()
        .into();
    let mut blocks = vec![[0; NH]; blinded.len().div_ceil(NH / WEIGHT_LEN)];
    hash::counter_slice(&seed, &mut blocks);
    let (words, _) = blocks.as_flattened().as_chunks::<WEIGHT_LEN>();
    words.iter().take(blinded.len()).map(|word| u128::from_le_bytes(*word)).collect()
}

/// `Σ weights[i]·points[i]` over slices of points that lie in a batch one after the other.
fn weighted_sum(weights: &[u128], slices: &[(usize, &Points)]) -> Result<Point, Error> {
    let mut end = 0;
    let mut parts = Vec::with_capacity(slices.len());
    for (offset, points) in slices {
        if *offset != end {
            return Err(Error::Coverage);
        }
        end += points.len();
        parts.push(*points);
    }
    if end != weights.len() {
        return Err(Error::Coverage);
    }
    Ok(group::sum_of_products_vartime(&Weights::Short(weights), &parts))
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

/// That *both* proofs of a batch were checked and held: every single element is the key's multiple, not just their sum under weights
/// that the holder could search. [`crate::additive::finalize_slice`] demands it. Comes from [`verify_batch`] alone, and is good for
/// the very elements that were summed up, under the very key.
///
/// It is a [`Verified`], too: what asks for less may have it. The other way round there is no way.
pub struct BoundBatch {
    verified: Verified,
    public: PublicKey,
}

impl BoundBatch {
    /// The public key under which both proofs hold.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }
}

impl Deref for BoundBatch {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.verified
    }
}

impl fmt::Debug for BoundBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundBatch").field("count", &self.count()).field("public", &self.public).finish_non_exhaustive()
    }
}

/// Checks both proofs of a batch. `decoded` are all its slices, from [`crate::verify_slice`], in any order; `blinded` and `evaluated` the
/// whole batch, the very bytes that the slices were decoded from.
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
) -> Result<BoundBatch, Error> {
    same_count(blinded.len(), evaluated.len())?;
    let mut decoded = decoded.to_vec();
    decoded.sort_unstable_by_key(|slice| slice.offset());
    if !decoded.iter().all(|slice| composite.has(slice)) {
        return Err(Error::OtherBatch);
    }
    let weights = weights(public, blinded, evaluated);
    let of = |points: fn(&DecodedElements) -> &Points| -> Vec<(usize, &Points)> {
        decoded.iter().map(|slice| (slice.offset(), points(slice))).collect()
    };
    let m = weighted_sum(&weights, &of(DecodedElements::blinded_points))?;
    let z = weighted_sum(&weights, &of(DecodedElements::evaluated_points))?;
    let verified = verify(public, composite, &proof.proof)?;
    if verified.count() != blinded.len() {
        return Err(Error::Coverage);
    }
    if holds(public, &m, &z, &proof.binding) { Ok(BoundBatch { verified, public: *public }) } else { Err(Error::Proof) }
}

#[cfg(test)]
mod tests;
