//! The verifier's check of a batch and the outputs it then may take (RFC 9497 §2.2.2 `VerifyProof`, §3.3.2 `Finalize`).

use core::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use curve25519_dalek::scalar::Scalar;

use crate::blind::{Blind, check_lengths, scalars};
use crate::composite::{Coverage, slice_range, slice_weights};
use crate::error::{Error, same_count};
use crate::group::{self, IDENTITY, Multiplier, Point, Points, Weights};
use crate::hash;
use crate::keys::PublicKey;
use crate::proof::{Proof, challenge};
use crate::suite::{BATCH_MAX, NE, NH};

/// Ties a slice's decoded elements to the composite that they were summed into: the same allocation, so it cannot be made up,
/// and cannot come back while either side still has it.
type Tie = Arc<()>;

/// The evaluated elements of one slice, decoded, waiting for the batch's proof. Only [`finalize_slice`] and [`crate::additive::finalize_slice`] read them.
pub struct DecodedElements {
    offset: usize,
    /// The verifier's own blinded elements, decoded: the binding proof sums them again under other weights.
    blinded: Points,
    points: Points,
    tie: Tie,
}

impl DecodedElements {
    /// Position of the first element in its batch.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.offset
    }

    /// How many elements.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.points.len()
    }

    pub(crate) fn blinded_points(&self) -> &Points {
        &self.blinded
    }

    pub(crate) fn evaluated_points(&self) -> &Points {
        &self.points
    }

    /// Never true: a slice has at least one element.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl fmt::Debug for DecodedElements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DecodedElements").field("offset", &self.offset).field("len", &self.points.len()).finish_non_exhaustive()
    }
}

/// The verifier's partial composites `Σ d_i·C_i` and `Σ d_i·D_i` over the slices merged so far (RFC 9497 §2.2.1 `ComputeComposites`).
pub struct VerifierComposite {
    m: Point,
    z: Point,
    coverage: Coverage,
    ties: Vec<Tie>,
}

impl VerifierComposite {
    /// The sums over both parts: associative and commutative. That they cover the batch exactly once is checked by [`verify()`].
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.ties.extend(other.ties);
        Self { m: self.m.add(&other.m), z: self.z.add(&other.z), coverage: self.coverage.merge(other.coverage), ties: self.ties }
    }
}

impl VerifierComposite {
    /// Whether these elements were summed into it.
    pub(crate) fn has(&self, decoded: &DecodedElements) -> bool {
        self.ties.iter().any(|tie| Arc::ptr_eq(tie, &decoded.tie))
    }
}

#[cfg(test)]
impl VerifierComposite {
    pub(crate) fn duplicate(&self) -> Self {
        Self { m: self.m, z: self.z, coverage: self.coverage.clone(), ties: self.ties.clone() }
    }

    pub(crate) fn m(&self) -> Point {
        self.m
    }

    /// As if the errors of the evaluated elements had cancelled: `Z = k·M`.
    pub(crate) fn with_z_forced(mut self, k: &Scalar) -> Self {
        self.z = self.m.mul(k);
        self
    }
}

impl fmt::Debug for VerifierComposite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifierComposite").field("coverage", &self.coverage).finish_non_exhaustive()
    }
}

/// That a batch's proof was checked and held: [`finalize_slice`] demands it. Comes from [`verify()`] alone, and is good for the very
/// elements that were summed into the composite, not for another batch's.
pub struct Verified {
    ties: Vec<Tie>,
    count: usize,
}

impl Verified {
    /// How many elements the proof covers.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.count
    }

    /// Refuses elements that were not summed into the composite whose proof held.
    pub(crate) fn check_has(&self, decoded: &DecodedElements) -> Result<(), Error> {
        if self.ties.iter().any(|tie| Arc::ptr_eq(tie, &decoded.tie)) { Ok(()) } else { Err(Error::OtherBatch) }
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified").field("count", &self.count).finish_non_exhaustive()
    }
}

/// First part of `VerifyProof` for a slice of a batch (RFC 9497 §2.2.2): decodes the holder's elements and sums up both composites.
///
/// `blinded` are the verifier's own elements as it sent them, `evaluated` the holder's answer; `offset` is the position of the first
/// in its batch. One core's work; variable time, all of it being on the wire.
///
/// # Errors
/// [`Error::Count`] if the slices differ in length; [`Error::BatchSize`] if the slice is empty or reaches past the largest batch;
/// [`Error::EvaluatedElement`] for the first that is not canonical or is the identity (the holder is to blame);
/// [`Error::BlindedElement`] likewise (the verifier's own element is not what it made).
pub fn verify_slice(
    public: &PublicKey,
    offset: usize,
    blinded: &[[u8; NE]],
    evaluated: &[[u8; NE]],
) -> Result<(VerifierComposite, DecodedElements), Error> {
    same_count(blinded.len(), evaluated.len())?;
    let range = slice_range(offset, blinded.len())?;
    let c = Points::decode(blinded).map_err(|i| Error::BlindedElement { position: offset + i })?;
    let d = Points::decode(evaluated).map_err(|i| Error::EvaluatedElement { position: offset + i })?;
    let weights = slice_weights(public, &range, blinded, evaluated);
    let (weights, tie) = (Weights::Full(&weights), Tie::default());
    let composite = VerifierComposite {
        m: group::sum_of_products_vartime(&weights, &[&c]),
        z: group::sum_of_products_vartime(&weights, &[&d]),
        coverage: Coverage::new(public, range),
        ties: vec![Arc::clone(&tie)],
    };
    let decoded = DecodedElements { offset, blinded: c, points: d, tie };
    Ok((composite, decoded))
}

/// Second part of `VerifyProof` (RFC 9497 §2.2.2): checks the proof against the merged composite of a batch's slices.
///
/// # Errors
/// [`Error::Coverage`] if the slices leave a gap or overlap, [`Error::OtherKey`] if they were summed under another key,
/// [`Error::BatchSize`] (all three the caller's); [`Error::Proof`] if the proof does not hold: no output may be taken, and the
/// holder is to blame.
pub fn verify(public: &PublicKey, composite: VerifierComposite, proof: &Proof) -> Result<Verified, Error> {
    let count = composite.coverage.count(public)?;
    if count == 0 || count > BATCH_MAX {
        return Err(Error::BatchSize { count });
    }
    if holds(public, &composite.m, &composite.z, proof) { Ok(Verified { ties: composite.ties, count }) } else { Err(Error::Proof) }
}

/// The equations of `VerifyProof` for composites `m` and `z` (RFC 9497 §2.2.2). Of an identity nothing is proved: with an honest holder a
/// sum is one with probability 2^-252, with an engine that computes wrongly it may be both (SPEC BAT-5).
pub(crate) fn holds(public: &PublicKey, m: &Point, z: &Point, proof: &Proof) -> bool {
    if m.encode() == IDENTITY || z.encode() == IDENTITY {
        return false;
    }
    let t2 = Point::mul_add_base_vartime(&proof.s, &proof.c, public.point());
    let t3 = Point::mul_add_vartime(&proof.s, m, &proof.c, z);
    challenge(public, m, z, &t2, &t3) == proof.c
}

/// `Finalize` for a slice of a verified batch (RFC 9497 §3.3.2): `out[i]` = the output for `inputs[i]`, 64 bytes.
///
/// `inputs` and `blinds` are those from which the slice's blinded elements were made, in the same order. One core's work; constant
/// time in blinds and inputs (but for the inputs' lengths).
///
/// # Errors
/// [`Error::OtherBatch`] if `decoded` was not summed into the composite that gave `verified`; [`Error::Count`] if the slices differ in
/// length; [`Error::InputTooLong`]. Nothing is written then.
pub fn finalize_slice<I: AsRef<[u8]>>(
    verified: &Verified,
    inputs: &[I],
    blinds: &[Blind],
    decoded: &DecodedElements,
    out: &mut [[u8; NH]],
) -> Result<(), Error> {
    verified.check_has(decoded)?;
    finalize_points(inputs, blinds, &decoded.points, out)
}

/// Unblinds and hashes; without the proof's token.
pub(crate) fn finalize_points<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Blind], points: &Points, out: &mut [[u8; NH]]) -> Result<(), Error> {
    check_finalize(inputs, blinds, points, out)?;
    let mut inverses = scalars(blinds);
    // Blinds are never zero, so their product has an inverse.
    Scalar::invert_batch_alloc(&mut inverses);
    let mut elements = Zeroizing::new(vec![[0; NE]; points.len()]);
    group::mul_encode(points, &Multiplier::Each(&inverses), &mut elements);
    hash::finalize_slice(inputs, &elements, out);
    Ok(())
}

/// Refuses slices that do not belong to these points, and inputs that are too long.
pub(crate) fn check_finalize<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Blind], points: &Points, out: &[[u8; NH]]) -> Result<(), Error> {
    same_count(points.len(), inputs.len())?;
    same_count(points.len(), blinds.len())?;
    same_count(points.len(), out.len())?;
    check_lengths(inputs)
}
