//! The group on single points and on slices. The only module that names the library's point type, and the one that hands slices to the
//! engine in use: curve25519-dalek (`portable`) or the vector engine (`vector`). Single points ([`Point`]: keys, composites, proofs) are
//! the library's always.
//!
//! Multiples are encoded as `enc(2·P)` in batches, one inversion for many points, so each scalar is halved first:
//! `k·P = 2·((k/2)·P)`, with 1/2 taken modulo the group order. Sums are encoded one by one: half of a mapped or decoded point would
//! cost a multiplication.

mod portable;
#[cfg(target_arch = "x86_64")]
mod self_test;
#[cfg(target_arch = "x86_64")]
mod vector;

use core::ops::Range;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use zeroize::Zeroizing;

use crate::engine::Backend;
#[cfg(target_arch = "x86_64")]
use crate::lanes::{avx2::Avx2, engine::Elements, fixed::FixedTable, ifma::Ifma};
use crate::suite::{NE, NH};

#[cfg(target_arch = "x86_64")]
pub(crate) use self_test::self_test;
#[cfg(target_arch = "x86_64")]
pub(crate) use vector::Own;

/// Items worked on at a time: their state stays in the first two cache levels, and the inversion they share costs less than a field
/// multiplication each.
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

/// Group elements other than the identity, decoded, in the form in which an engine works on them.
#[derive(Clone)]
pub(crate) enum Points {
    /// 160 bytes a point.
    Portable(Vec<RistrettoPoint>),
    /// 80 bytes a point.
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2, Elements<Avx2>),
    /// 80 bytes a point.
    #[cfg(target_arch = "x86_64")]
    Ifma(Ifma, Elements<Ifma>),
}

impl Points {
    /// [`Point::decode`] of every element, by the engine in use. Variable time in where it fails.
    ///
    /// # Errors
    /// The first position that is not a canonical encoding or is the identity.
    pub(crate) fn decode(elements: &[[u8; NE]]) -> Result<Self, usize> {
        Self::decode_on(Backend::in_use(), elements)
    }

    fn decode_on(backend: Backend, elements: &[[u8; NE]]) -> Result<Self, usize> {
        match backend {
            Backend::Portable => portable::decode(elements).map(Self::Portable),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(l) => vector::decode(l, elements).map(|decoded| Self::Avx2(l, decoded)),
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma(l) => vector::decode(l, elements).map(|decoded| Self::Ifma(l, decoded)),
        }
    }

    /// How many.
    pub(crate) const fn len(&self) -> usize {
        match self {
            Self::Portable(points) => points.len(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_, points) => points.len(),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(_, points) => points.len(),
        }
    }

    /// Whether there are none.
    pub(crate) const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(target_arch = "x86_64")]
    const fn backend(&self) -> Backend {
        match self {
            Self::Portable(_) => Backend::Portable,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(l, _) => Backend::Avx2(*l),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(l, _) => Backend::Ifma(*l),
        }
    }
}

/// A public point with a table of its multiples, for [`sub_fixed_encode`]. 30 to 96 KiB, by engine.
pub(crate) struct FixedBase {
    #[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "there is one engine"))]
    point: Point,
    table: Table,
}

/// A table in the engine's form.
enum Table {
    Portable(Box<RistrettoBasepointTable>),
    #[cfg(target_arch = "x86_64")]
    Avx2(FixedTable<Avx2>),
    #[cfg(target_arch = "x86_64")]
    Ifma(FixedTable<Ifma>),
}

impl FixedBase {
    /// Makes the table for the engine in use: as much work as some hundreds of elements, and checked.
    pub(crate) fn new(point: &Point) -> Self {
        Self::on(Backend::in_use(), point)
    }

    fn on(backend: Backend, point: &Point) -> Self {
        let table = match backend {
            Backend::Portable => Table::Portable(Box::new(RistrettoBasepointTable::create(&point.0))),
            #[cfg(target_arch = "x86_64")]
            Backend::Avx2(l) => Table::Avx2(vector::fixed_table(l, &point.encode())),
            #[cfg(target_arch = "x86_64")]
            Backend::Ifma(l) => Table::Ifma(vector::fixed_table(l, &point.encode())),
        };
        Self { point: *point, table }
    }
}

/// The factors of a public sum of products.
pub(crate) enum Weights<'a> {
    /// Of full width.
    Full(&'a [Scalar]),
    /// Of 128 bits.
    Short(&'a [u128]),
}

impl Weights<'_> {
    /// The weights of `range`.
    fn part(&self, range: Range<usize>) -> Weights<'_> {
        match self {
            Self::Full(scalars) => Weights::Full(&scalars[range]),
            Self::Short(short) => Weights::Short(&short[range]),
        }
    }
}

/// The secret scalar of a slice operation.
pub(crate) enum Multiplier<'a> {
    /// One for all points.
    One(&'a Scalar),
    /// One for each point.
    Each(&'a [Scalar]),
}

/// Fills in the uniform bytes of every chunk of `n` items and hands them to `work`, with where the chunk starts.
fn in_chunks<E>(
    n: usize,
    mut uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    mut work: impl FnMut(usize, &[[u8; NH]]) -> Result<(), E>,
) -> Result<(), E> {
    // As good as the inputs, where those can be guessed.
    let mut bytes = Zeroizing::new(vec![[0; NH]; CHUNK.min(n)]);
    for start in (0..n).step_by(CHUNK) {
        let range = start..n.min(start + CHUNK);
        let bytes = &mut bytes[..range.len()];
        uniform(range, bytes);
        work(start, bytes)?;
    }
    Ok(())
}

/// The first identity among encodings that begin at position `start`, as an error. That none of them is one may be known, and nothing
/// else: a function of its own, in which the test of constant time allows a branch.
#[inline(never)]
pub(crate) fn refuse_identity(start: usize, out: &[[u8; NE]]) -> Result<(), usize> {
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
    match Backend::in_use() {
        Backend::Portable => portable::map_mul_encode(uniform, by, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2(l) => vector::map_mul_encode(l, uniform, by, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Ifma(l) => vector::map_mul_encode(l, uniform, by, out),
    }
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
    match Backend::in_use() {
        Backend::Portable => portable::map_add_base_encode(uniform, scalars, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2(l) => vector::map_add_fixed_encode(l, l.generator(), uniform, scalars, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Ifma(l) => vector::map_add_fixed_encode(l, l.generator(), uniform, scalars, out),
    }
}

/// `enc(scalar · P)` for every point, constant time; slices are equally long.
pub(crate) fn mul_encode(points: &Points, by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    match points {
        Points::Portable(points) => portable::mul_encode(points, by, out),
        #[cfg(target_arch = "x86_64")]
        Points::Avx2(l, points) => vector::mul_encode(*l, points, by, out),
        #[cfg(target_arch = "x86_64")]
        Points::Ifma(l, points) => vector::mul_encode(*l, points, by, out),
    }
}

/// `enc(P − scalars[i]·B)` for every point: constant time in scalars and points. Slices are equally long. The identity comes out as
/// zeros.
pub(crate) fn sub_fixed_encode(points: &Points, base: &FixedBase, scalars: &[Scalar], out: &mut [[u8; NE]]) {
    match (points, &base.table) {
        (Points::Portable(points), Table::Portable(table)) => portable::sub_fixed_encode(points, table, scalars, out),
        #[cfg(target_arch = "x86_64")]
        (Points::Avx2(l, points), Table::Avx2(table)) => vector::sub_fixed_encode(*l, points, table, scalars, out),
        #[cfg(target_arch = "x86_64")]
        (Points::Ifma(l, points), Table::Ifma(table)) => vector::sub_fixed_encode(*l, points, table, scalars, out),
        // A process has one engine; this is for tests, which change it.
        #[cfg(target_arch = "x86_64")]
        _ => sub_fixed_encode(points, &FixedBase::on(points.backend(), &base.point), scalars, out),
    }
}

/// `Σ weights[i]·points[i]` over the points of all parts, one part after the other; as many weights as points. Variable time: public
/// operands only.
pub(crate) fn sum_of_products_vartime(weights: &Weights<'_>, parts: &[&Points]) -> Point {
    let mut sum = Point(RistrettoPoint::identity());
    let (mut start, mut rest) = (0, parts);
    // All parts are of one engine, but in tests: one run.
    while let Some(first) = rest.first() {
        let run = rest.iter().take_while(|part| core::mem::discriminant(**part) == core::mem::discriminant(*first)).count();
        let (now, later) = rest.split_at(run);
        let end = start + now.iter().map(|part| part.len()).sum::<usize>();
        let weights = weights.part(start..end);
        let part = match first {
            Points::Portable(_) => Point(portable::sum_of_products_vartime(&weights, now)),
            #[cfg(target_arch = "x86_64")]
            Points::Avx2(l, _) => decode_sum(&vector::sum_of_products_vartime(*l, &weights, now)),
            #[cfg(target_arch = "x86_64")]
            Points::Ifma(l, _) => decode_sum(&vector::sum_of_products_vartime(*l, &weights, now)),
        };
        sum = sum.add(&part);
        (start, rest) = (end, later);
    }
    sum
}

/// A sum as the engine encodes it; it may be the identity.
///
/// # Panics
/// Where the processor computes wrongly: a sum that is no element must not pass for one that adds nothing to a proof.
#[cfg(target_arch = "x86_64")]
fn decode_sum(encoded: &[u8; NE]) -> Point {
    match CompressedRistretto(*encoded).decompress() {
        Some(sum) => Point(sum),
        None => panic!("the vector engine computes wrongly on this processor"),
    }
}

#[cfg(test)]
mod tests;
