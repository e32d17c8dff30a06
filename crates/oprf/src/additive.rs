//! The verifier's additive blinding: `C = H(x) + r·G`, and `D − r·pk` of what comes back (SPEC BLD-3, UNB-1 to UNB-3).
//!
//! The holder, the wire and the outputs are the same as under RFC 9497's multiplicative blinding ([`crate::blind_slice`],
//! [`crate::finalize_slice`]), and the blind is the same kind of scalar. It costs the verifier two multiples of fixed points, which have
//! tables, instead of two of points that are new each time, and no inversion.
//!
//! # Why it needs a proof of every element
//!
//! Whatever the holder answers, `D − r·pk = k·H(x) + (D − k·C)`. If `D = k·C` that is RFC 9497's unblinded element. If not, the difference
//! `D − k·C` is added as the holder chose it: it needs no knowledge of `r`. (Under multiplicative blinding it would be scrambled by `1/r`,
//! which the holder does not know.) Such an output is correlated with the right one in a way that the holder aims: Jarecki, Krawczyk and Xu
//! 2021, whose *multiplicative* blinding, written in a multiplicative group, is this one. So an output may be taken only where `D = k·C` has
//! been proved for that very element. RFC 9497's proof of a large batch does not show that (module `bound`): hence
//! [`finalize_slice`] takes a [`BoundBatch`], which only [`crate::verify_batch`] gives.
//!
//! ```
//! use oblink_oprf::{Blind, KeyPair, additive, verify_batch, verify_slice};
//! # use rand::{SeedableRng, rngs::StdRng};
//! # let mut rng = StdRng::seed_from_u64(1);
//! let key = KeyPair::derive(&[7; 32], b"example")?;
//! let public = key.public();
//! let prepared = additive::PreparedPublicKey::new(&public); // once a session
//! let inputs = [b"one".as_slice(), b"two", b"three"];
//!
//! // verifier
//! let blinds: Vec<Blind> = (0..3).map(|_| Blind::random(&mut rng)).collect();
//! let mut blinded = [[0; 32]; 3];
//! additive::blind_slice(&inputs, &blinds, &mut blinded)?;
//!
//! // holder: as ever
//! let mut evaluated = [[0; 32]; 3];
//! let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated)?;
//! let proof = key.prove_batch(composite, &blinded, &evaluated, &mut rng)?;
//!
//! // verifier: both proofs, then the outputs
//! let (composite, decoded) = verify_slice(&public, 0, &blinded, &evaluated)?;
//! let bound = verify_batch(&public, composite, &[&decoded], &blinded, &evaluated, &proof)?;
//! let mut outputs = [[0; 64]; 3];
//! additive::finalize_slice(&bound, &prepared, &inputs, &blinds, &decoded, &mut outputs)?;
//!
//! let mut own = [[0; 64]; 3];
//! key.evaluate_slice(&inputs, &mut own)?;
//! assert_eq!(outputs, own);
//! # Ok::<(), oblink_oprf::Error>(())
//! ```
//!
//! RFC 9497's proof alone does not do:
//!
//! ```compile_fail,E0308
//! use oblink_oprf::{Blind, DecodedElements, Verified, additive};
//! fn the_rfcs_proof_alone(v: &Verified, key: &additive::PreparedPublicKey, blinds: &[Blind], d: &DecodedElements, out: &mut [[u8; 64]]) {
//!     let _ = additive::finalize_slice(v, key, &[b"one"], blinds, d, out); // a `&BoundBatch` is asked for
//! }
//! ```
//!
//! and a [`BoundBatch`] cannot be made of it:
//!
//! ```compile_fail,E0451
//! use oblink_oprf::{BoundBatch, PublicKey, Verified};
//! fn promote(verified: Verified, public: PublicKey) -> BoundBatch {
//!     BoundBatch { verified, public } // no constructor, private fields
//! }
//! ```
//!
//! nor can the base mode, which has no proofs, be unblinded so: [`crate::hazmat`] has no function for it.

use core::fmt;
use core::ops::Range;

use zeroize::Zeroizing;

use crate::blind::{Blind, check_lengths, scalars};
use crate::bound::BoundBatch;
use crate::error::{Error, same_count};
use crate::group::{self, FixedBase};
use crate::hash::{self, Hashes};
use crate::keys::PublicKey;
use crate::suite::{Mode, NE, NH};
use crate::verify::{DecodedElements, check_finalize};

/// A public key with a table of its multiples: made once a session, shared by reference between threads. 30 to 96 KiB, by engine; public data.
pub struct PreparedPublicKey {
    public: PublicKey,
    table: FixedBase,
}

impl PreparedPublicKey {
    /// Makes the table: as much work as some hundreds of elements.
    ///
    /// # Panics
    /// Where the processor computes wrongly: the table is compared with curve25519-dalek's multiples.
    #[must_use]
    pub fn new(public: &PublicKey) -> Self {
        Self { public: *public, table: FixedBase::new(public.point()) }
    }

    /// The key itself.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }
}

impl fmt::Debug for PreparedPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedPublicKey").field(&self.public).finish()
    }
}

/// Blinds a slice in VOPRF mode: `out[i]` = `HashToGroup(inputs[i]) + blinds[i]·G`, serialised, `G` the generator (SPEC BLD-3).
///
/// A uniform blind makes the element uniform, whatever the input: hiding is perfect. As everywhere, one blind hides one input: the same
/// blind on two inputs shows the holder the difference of their hashes. One core's work; constant time in blinds and inputs (but for
/// the inputs' lengths).
///
/// # Errors
/// [`Error::Count`] if the slices differ in length; [`Error::InputTooLong`]; [`Error::InvalidInput`] where the blinded element is the
/// identity (probability 2^-252). `out` is unspecified after an error.
pub fn blind_slice<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Blind], out: &mut [[u8; NE]]) -> Result<(), Error> {
    same_count(inputs.len(), blinds.len())?;
    same_count(inputs.len(), out.len())?;
    check_lengths(inputs)?;
    let hashes = Hashes::of(Mode::Voprf);
    let uniform = |range: Range<usize>, bytes: &mut [[u8; NH]]| hashes.to_group_slice(&inputs[range], bytes);
    group::map_add_base_encode(uniform, &scalars(blinds), out).map_err(|position| Error::InvalidInput { position })
}

/// Unblinds a slice of a batch both of whose proofs hold: `out[i]` = the hash of `inputs[i]` and `decoded[i] − blinds[i]·pk`, 64 bytes,
/// the output of RFC 9497 §3.3.2 `Finalize` (SPEC UNB-1).
///
/// `inputs` and `blinds` are those that [`blind_slice`] made the slice's elements from, in the same order; blinds of
/// [`crate::blind_slice`] give outputs that mean nothing. One core's work; constant time in blinds and inputs (but for the inputs' lengths).
///
/// # Errors
/// [`Error::OtherBatch`] if `decoded` was not summed into the composite that gave `bound`; [`Error::OtherKey`] if `key` is not the one
/// under which the proofs hold; [`Error::Count`] if the slices differ in length; [`Error::InputTooLong`]. Nothing is written then.
/// [`Error::InvalidInput`] for an input that hashes to the identity (probability 2^-252); nothing is written then either.
pub fn finalize_slice<I: AsRef<[u8]>>(
    bound: &BoundBatch,
    key: &PreparedPublicKey,
    inputs: &[I],
    blinds: &[Blind],
    decoded: &DecodedElements,
    out: &mut [[u8; NH]],
) -> Result<(), Error> {
    if bound.public() != key.public {
        return Err(Error::OtherKey);
    }
    bound.check_has(decoded)?;
    let points = decoded.evaluated_points();
    check_finalize(inputs, blinds, points, out)?;
    let mut elements = Zeroizing::new(vec![[0; NE]; points.len()]);
    group::sub_fixed_encode(points, &key.table, &scalars(blinds), &mut elements);
    group::refuse_identity(0, &elements).map_err(|position| Error::InvalidInput { position })?;
    hash::finalize_slice(inputs, &elements, out);
    Ok(())
}

#[cfg(test)]
mod tests;
