//! Composites: random linear combinations that let one proof cover a batch, as partial sums (RFC 9497 §2.2.1).

use core::fmt;
use core::ops::Range;

use curve25519_dalek::scalar::Scalar;

use crate::error::Error;
use crate::group::{self, Point, Points, Weights};
use crate::hash::Hashes;
use crate::keys::PublicKey;
use crate::suite::{BATCH_MAX, Mode, NE};

/// The part of a batch that a slice at `offset` covers.
pub(crate) fn slice_range(offset: usize, len: usize) -> Result<Range<usize>, Error> {
    match offset.checked_add(len) {
        Some(end) if len > 0 && end <= BATCH_MAX => Ok(offset..end),
        Some(count) => Err(Error::BatchSize { count }),
        None => Err(Error::BatchSize { count: usize::MAX }),
    }
}

/// The weights `d_i` of a slice (RFC 9497 §2.2.1); slices are equally long and within the largest batch.
pub(crate) fn slice_weights(public: &PublicKey, range: &Range<usize>, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Vec<Scalar> {
    Hashes::of(Mode::Voprf).weights_slice(public.as_bytes(), range.start, blinded, evaluated)
}

/// Which parts of a batch have been summed up under which key.
#[derive(Clone, Debug)]
pub(crate) struct Coverage {
    public: PublicKey,
    other_key: bool,
    ranges: Vec<Range<usize>>,
}

impl Coverage {
    pub(crate) fn new(public: &PublicKey, range: Range<usize>) -> Self {
        Self { public: *public, other_key: false, ranges: vec![range] }
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.other_key |= other.other_key || self.public != other.public;
        self.ranges.extend(other.ranges);
        self
    }

    /// The count of elements, if the ranges cover `0..count` exactly once and the key is `public`.
    pub(crate) fn count(mut self, public: &PublicKey) -> Result<usize, Error> {
        if self.other_key || self.public != *public {
            return Err(Error::OtherKey);
        }
        self.ranges.sort_unstable_by_key(|range| range.start);
        let mut end = 0;
        for range in self.ranges {
            if range.start != end {
                return Err(Error::Coverage);
            }
            end = range.end;
        }
        Ok(end)
    }
}

/// The holder's partial composite `Σ d_i·C_i` over the slices merged so far (RFC 9497 §2.2.1 `ComputeCompositesFast`).
///
/// Made by [`KeyPair::blind_evaluate_slice`](crate::KeyPair::blind_evaluate_slice); public data, cheap to send between threads.
pub struct Composite {
    sum: Point,
    coverage: Coverage,
    /// The blinded elements, decoded, by slice: the binding proof sums them again under other weights.
    points: Vec<(usize, Points)>,
}

impl Composite {
    pub(crate) fn of_slice(public: &PublicKey, range: Range<usize>, points: Points, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Self {
        let weights = slice_weights(public, &range, blinded, evaluated);
        let offset = range.start;
        Self {
            sum: group::sum_of_products_vartime(&Weights::Full(&weights), &[&points]),
            coverage: Coverage::new(public, range),
            points: vec![(offset, points)],
        }
    }

    /// The sum over both parts: associative and commutative. That they cover the batch exactly once, under one key, is checked when
    /// it is used.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.points.extend(other.points);
        Self { sum: self.sum.add(&other.sum), coverage: self.coverage.merge(other.coverage), points: self.points }
    }

    /// The decoded blinded elements by slice, in the order of the batch.
    pub(crate) fn points(&self) -> Vec<(usize, &Points)> {
        let mut slices: Vec<_> = self.points.iter().map(|(offset, points)| (*offset, points)).collect();
        slices.sort_unstable_by_key(|(offset, _)| *offset);
        slices
    }

    /// `M`, if exactly `0..count` is covered under `public`.
    pub(crate) fn complete(self, public: &PublicKey, count: usize) -> Result<Point, Error> {
        if self.coverage.count(public)? == count { Ok(self.sum) } else { Err(Error::Coverage) }
    }
}

impl fmt::Debug for Composite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Composite").field("ranges", &self.coverage.ranges).finish_non_exhaustive()
    }
}
