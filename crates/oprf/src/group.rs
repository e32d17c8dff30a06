//! The group on single points and on slices. The only module that names the library's point type: a vector engine takes the place
//! of the functions on slices and of [`Points`] and [`FixedBase`] here, and nothing above notices. Single points ([`Point`]: keys,
//! composites, proofs) stay the library's.
//!
//! Multiples are encoded as `enc(2·P)` in batches, one inversion for [`CHUNK`] points, so each scalar is halved first:
//! `k·P = 2·((k/2)·P)`, with 1/2 taken modulo the group order. Sums are encoded one by one here: half of a mapped or decoded point
//! would cost a multiplication.

use core::ops::Range;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use zeroize::Zeroizing;

use crate::suite::{NE, NH};

/// Points worked on at a time: their state stays in the first two cache levels, and the inversion they share costs
/// less than a field multiplication each.
pub(crate) const CHUNK: usize = 128;

/// The identity's encoding (RFC 9496 §4.3.2): the only element whose multiples by a non-zero scalar encode to zeros.
pub(crate) const IDENTITY: [u8; NE] = [0; NE];

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

    /// `s·A + c·B`, variable time: public operands only.
    pub(crate) fn mul_add_vartime(s: &Scalar, a: &Self, c: &Scalar, b: &Self) -> Self {
        Self(RistrettoPoint::vartime_multiscalar_mul([s, c], [&a.0, &b.0]))
    }
}

/// Group elements other than the identity, decoded, in the form in which slices are worked on.
#[derive(Clone)]
pub(crate) struct Points(Vec<RistrettoPoint>);

impl Points {
    /// [`Point::decode`] of every element. Variable time in where it fails.
    ///
    /// # Errors
    /// The first position that is not a canonical encoding or is the identity.
    pub(crate) fn decode(elements: &[[u8; NE]]) -> Result<Self, usize> {
        let mut points = Vec::with_capacity(elements.len());
        for (i, element) in elements.iter().enumerate() {
            points.push(Point::decode(element).ok_or(i)?.0);
        }
        Ok(Self(points))
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A public point with a table of its multiples, for [`sub_fixed_encode`]. About 30 KiB.
pub(crate) struct FixedBase(Box<RistrettoBasepointTable>);

impl FixedBase {
    /// Makes the table: costs some dozens of multiplications.
    pub(crate) fn new(point: &Point) -> Self {
        Self(Box::new(RistrettoBasepointTable::create(&point.0)))
    }
}

/// The factors of a public sum of products.
pub(crate) enum Weights<'a> {
    /// Of full width.
    Full(&'a [Scalar]),
    /// Of 128 bits.
    Short(&'a [u128]),
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

/// Gives the points of every chunk of `n` items, mapped from their uniform bytes, to `work`, with where the chunk starts.
///
/// `uniform(range, bytes)` fills in the 64 bytes of each item of the range, at most [`CHUNK`] of them; the ranges cover `0..n` in order.
fn map_chunks<E>(
    n: usize,
    mut uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    mut work: impl FnMut(usize, &mut [RistrettoPoint]) -> Result<(), E>,
) -> Result<(), E> {
    // As good as the inputs, where those can be guessed.
    let mut bytes = Zeroizing::new(vec![[0; NH]; CHUNK.min(n)]);
    let mut points = Vec::with_capacity(CHUNK.min(n));
    for start in (0..n).step_by(CHUNK) {
        let range = start..n.min(start + CHUNK);
        let bytes = &mut bytes[..range.len()];
        uniform(range, bytes);
        points.clear();
        points.extend(bytes.iter().map(RistrettoPoint::from_uniform_bytes));
        work(start, &mut points)?;
    }
    Ok(())
}

/// The first identity among encodings that begin at position `start`, as an error.
fn refuse_identity(start: usize, out: &[[u8; NE]]) -> Result<(), usize> {
    out.iter().position(|element| *element == IDENTITY).map_or(Ok(()), |i| Err(start + i))
}

/// `enc(scalar · map(uniform))` for every item: the one-way map (RFC 9496 §4.3.4), then the multiple. Constant time in both.
///
/// `uniform(range, bytes)` fills in the 64 bytes of each item of the range, at most [`CHUNK`] of them; the ranges cover
/// `0..out.len()` in order. All slices are equally long.
///
/// # Errors
/// The first position whose point is the identity; `out` is then unspecified. Scalars must not be zero.
pub(crate) fn map_mul_encode(
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    by: &Multiplier<'_>,
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    map_chunks(out.len(), uniform, |start, points| {
        let out = &mut out[start..start + points.len()];
        mul_encode_chunk(points, &by.from(start), out);
        refuse_identity(start, out)
    })
}

/// `enc(map(uniform) + scalars[i]·G)` for every item, `G` the generator: constant time in both. `uniform` and lengths as in
/// [`map_mul_encode`].
///
/// # Errors
/// The first position whose *sum* is the identity; `out` is then unspecified.
pub(crate) fn map_add_base_encode(
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    scalars: &[Scalar],
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    map_chunks(out.len(), uniform, |start, points| {
        let end = start + points.len();
        let out = &mut out[start..end];
        for ((point, scalar), out) in points.iter().zip(&scalars[start..end]).zip(out.iter_mut()) {
            *out = (point + RistrettoPoint::mul_base(scalar)).compress().to_bytes();
        }
        refuse_identity(start, out)
    })
}

/// `enc(scalar · P)` for every point, constant time; slices are equally long.
pub(crate) fn mul_encode(points: &Points, by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    let mut scratch = Vec::with_capacity(CHUNK.min(points.len()));
    for (n, (points, out)) in points.0.chunks(CHUNK).zip(out.chunks_mut(CHUNK)).enumerate() {
        scratch.clear();
        scratch.extend_from_slice(points);
        mul_encode_chunk(&mut scratch, &by.from(n * CHUNK), out);
    }
}

/// `enc(P − scalars[i]·B)` for every point: constant time in scalars and points. Slices are equally long. The identity comes out as
/// zeros.
pub(crate) fn sub_fixed_encode(points: &Points, base: &FixedBase, scalars: &[Scalar], out: &mut [[u8; NE]]) {
    for ((point, scalar), out) in points.0.iter().zip(scalars).zip(out) {
        *out = (point - &*base.0 * scalar).compress().to_bytes();
    }
}

/// `Σ weights[i]·points[i]` over the points of all parts, one part after the other; as many weights as points. Variable time: public
/// operands only.
pub(crate) fn sum_of_products_vartime(weights: &Weights<'_>, parts: &[&Points]) -> Point {
    let sum = |scalars: &[Scalar]| match parts {
        [points] => RistrettoPoint::vartime_multiscalar_mul(scalars, points.0.iter()),
        // The library must know the number of points beforehand.
        _ => RistrettoPoint::vartime_multiscalar_mul(scalars, parts.iter().flat_map(|points| &points.0).collect::<Vec<_>>()),
    };
    Point(match weights {
        Weights::Full(scalars) => sum(scalars),
        Weights::Short(short) => sum(&short.iter().map(|weight| Scalar::from(*weight)).collect::<Vec<_>>()),
    })
}

#[cfg(test)]
mod tests;
