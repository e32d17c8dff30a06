//! The group on slices. The only module that names the library's point type: a vector engine takes the place
//! of the functions on slices here, and nothing above notices.
//!
//! Encoding uses `enc(2·P)` in batches, one inversion for [`CHUNK`] points, so each scalar is halved first:
//! `k·P = 2·((k/2)·P)`, with 1/2 taken modulo the group order.

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::Zeroizing;

use crate::suite::{NE, NH};

/// Points worked on at a time: their state stays in the first two cache levels, and the inversion they share costs
/// less than a field multiplication each.
pub(crate) const CHUNK: usize = 128;

/// The identity's encoding (RFC 9496 §4.3.2): the only element whose multiples by a non-zero scalar encode to zeros.
const IDENTITY: [u8; NE] = [0; NE];

/// A group element.
#[derive(Clone, Copy)]
pub(crate) struct Point(RistrettoPoint);

impl Point {
    /// The generator's multiple by a secret scalar, constant time.
    pub(crate) fn mul_base(scalar: &Scalar) -> Self {
        Self(RistrettoPoint::mul_base(scalar))
    }

    /// The multiple by a secret scalar, constant time.
    pub(crate) fn mul(&self, scalar: &Scalar) -> Self {
        Self(self.0 * scalar)
    }

    /// `Encode` (RFC 9496 §4.3.2).
    pub(crate) fn encode(&self) -> [u8; NE] {
        self.0.compress().to_bytes()
    }

    /// `Decode` (RFC 9496 §4.3.1), identity refused as RFC 9497 §2.1 `DeserializeElement` asks.
    pub(crate) fn decode(bytes: &[u8; NE]) -> Option<Self> {
        if *bytes == IDENTITY {
            return None;
        }
        CompressedRistretto(*bytes).decompress().map(Self)
    }

    /// The sum.
    pub(crate) fn add(&self, other: &Self) -> Self {
        Self(self.0 + other.0)
    }

    /// `s·G + c·B`, variable time: public operands only.
    pub(crate) fn mul_add_base_vartime(s: &Scalar, c: &Scalar, b: &Self) -> Self {
        Self(RistrettoPoint::vartime_multiscalar_mul([s, c], [&RISTRETTO_BASEPOINT_POINT, &b.0]))
    }
}

/// The secret scalar of a slice operation.
pub(crate) enum Multiplier<'a> {
    /// One for all points.
    One(&'a Scalar),
    /// One for each point.
    Each(&'a [Scalar]),
}

/// `enc(scalar · P)` of at most [`CHUNK`] points, constant time in scalars and points.
fn mul_encode_chunk(points: &mut [RistrettoPoint], by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    match by {
        Multiplier::One(scalar) => {
            let half = Zeroizing::new(scalar.div_by_2());
            for point in points.iter_mut() {
                *point *= &*half;
            }
        }
        Multiplier::Each(scalars) => {
            for (point, scalar) in points.iter_mut().zip(*scalars) {
                *point *= &*Zeroizing::new(scalar.div_by_2());
            }
        }
    }
    let encoded = RistrettoPoint::double_and_compress_batch(points.iter());
    for (out, encoded) in out.iter_mut().zip(encoded) {
        *out = encoded.to_bytes();
    }
}

impl Multiplier<'_> {
    /// The part for the points from `start` on.
    fn from(&self, start: usize) -> Multiplier<'_> {
        match self {
            Self::One(scalar) => Multiplier::One(scalar),
            Self::Each(scalars) => Multiplier::Each(&scalars[start..]),
        }
    }
}

/// `enc(scalar · map(uniform))` for every item: the one-way map (RFC 9496 §4.3.4), then the multiple.
///
/// `uniform(i)` gives the 64 bytes of item `i`, for each `i` below `out.len()` in order. All slices are equally long.
///
/// # Errors
/// The first position whose point is the identity; `out` is then unspecified. Scalars must not be zero.
pub(crate) fn map_mul_encode(mut uniform: impl FnMut(usize) -> [u8; NH], by: &Multiplier<'_>, out: &mut [[u8; NE]]) -> Result<(), usize> {
    let mut points = Vec::with_capacity(CHUNK.min(out.len()));
    for (n, out) in out.chunks_mut(CHUNK).enumerate() {
        let start = n * CHUNK;
        points.clear();
        points.extend((start..start + out.len()).map(|i| RistrettoPoint::from_uniform_bytes(&uniform(i))));
        mul_encode_chunk(&mut points, &by.from(start), out);
        if let Some(i) = out.iter().position(|element| *element == IDENTITY) {
            return Err(start + i);
        }
    }
    Ok(())
}

/// `enc(scalar · P)` for every point; slices are equally long.
pub(crate) fn mul_encode(points: &[Point], by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    let mut scratch = Vec::with_capacity(CHUNK.min(points.len()));
    for (n, (points, out)) in points.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
        scratch.clear();
        scratch.extend(points.iter().map(|point| point.0));
        mul_encode_chunk(&mut scratch, &by.from(n * CHUNK), out);
    }
}

/// [`Point::decode`] of every element.
///
/// # Errors
/// The first position that is not a canonical encoding or is the identity.
pub(crate) fn decode(elements: &[[u8; NE]]) -> Result<Vec<Point>, usize> {
    let mut points = Vec::with_capacity(elements.len());
    for (i, element) in elements.iter().enumerate() {
        points.push(Point::decode(element).ok_or(i)?);
    }
    Ok(points)
}

/// `Σ scalars[i]·points[i]`, variable time: public operands only. Slices are equally long.
pub(crate) fn sum_of_products_vartime(scalars: &[Scalar], points: &[Point]) -> Point {
    Point(RistrettoPoint::vartime_multiscalar_mul(scalars, points.iter().map(|point| point.0)))
}

#[cfg(test)]
mod tests;
