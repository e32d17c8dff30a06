//! Slices by curve25519-dalek alone: any processor, and what the vector engine is measured and tested against.

use core::ops::Range;

use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::Zeroizing;

use super::{CHUNK, Multiplier, Point, Points, Weights, in_chunks, refuse_identity};
use crate::suite::{NE, NH};

/// [`Points::decode`].
pub(super) fn decode(elements: &[[u8; NE]]) -> Result<Vec<RistrettoPoint>, usize> {
    let mut points = Vec::with_capacity(elements.len());
    for (i, element) in elements.iter().enumerate() {
        points.push(Point::decode(element).ok_or(i)?.0);
    }
    Ok(points)
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

/// [`super::map_mul_encode`].
pub(super) fn map_mul_encode(
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    by: &Multiplier<'_>,
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    let mut points = Vec::with_capacity(CHUNK.min(out.len()));
    in_chunks(out.len(), uniform, |start, uniform| {
        points.clear();
        points.extend(uniform.iter().map(RistrettoPoint::from_uniform_bytes));
        let out = &mut out[start..start + points.len()];
        mul_encode_chunk(&mut points, &by.from(start), out);
        refuse_identity(start, out)
    })
}

/// [`super::map_add_base_encode`].
pub(super) fn map_add_base_encode(
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    scalars: &[Scalar],
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    in_chunks(out.len(), uniform, |start, uniform| {
        let end = start + uniform.len();
        let out = &mut out[start..end];
        for ((uniform, scalar), out) in uniform.iter().zip(&scalars[start..end]).zip(out.iter_mut()) {
            *out = (RistrettoPoint::from_uniform_bytes(uniform) + RistrettoPoint::mul_base(scalar)).compress().to_bytes();
        }
        refuse_identity(start, out)
    })
}

/// [`super::mul_encode`].
pub(super) fn mul_encode(points: &[RistrettoPoint], by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    let mut scratch = Vec::with_capacity(CHUNK.min(points.len()));
    for (n, (points, out)) in points.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
        scratch.clear();
        scratch.extend_from_slice(points);
        mul_encode_chunk(&mut scratch, &by.from(n * CHUNK), out);
    }
}

/// [`super::sub_fixed_encode`].
pub(super) fn sub_fixed_encode(points: &[RistrettoPoint], table: &RistrettoBasepointTable, scalars: &[Scalar], out: &mut [[u8; NE]]) {
    for ((point, scalar), out) in points.iter().zip(scalars).zip(out) {
        *out = (point - table * scalar).compress().to_bytes();
    }
}

/// [`super::sum_of_products_vartime`] of this engine's parts.
pub(super) fn sum_of_products_vartime(weights: &Weights<'_>, parts: &[&Points]) -> RistrettoPoint {
    let parts = parts.iter().flat_map(|part| match part {
        Points::Portable(points) => points.as_slice(),
        #[cfg(target_arch = "x86_64")]
        _ => &[],
    });
    // The library must know the number of points beforehand.
    let points: Vec<&RistrettoPoint> = parts.collect();
    let sum = |scalars: &[Scalar]| RistrettoPoint::vartime_multiscalar_mul(scalars, points);
    match weights {
        Weights::Full(scalars) => sum(scalars),
        Weights::Short(short) => sum(&short.iter().map(|weight| Scalar::from(*weight)).collect::<Vec<_>>()),
    }
}
