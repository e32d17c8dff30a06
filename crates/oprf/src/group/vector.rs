//! Slices by the vector engine: scalars to bytes, chunks, the identity refused. Takes any backend's token.

use core::ops::Range;
use std::sync::OnceLock;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED;
use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use super::{IDENTITY, Multiplier, Point, Points, Weights, in_chunks, refuse_identity};
use crate::lanes::avx2::Avx2;
use crate::lanes::backend::Lanes;
use crate::lanes::engine::{Elements, Scalars};
use crate::lanes::field::Field;
use crate::lanes::fixed::FixedTable;
use crate::lanes::ifma::Ifma;
use crate::suite::{NE, NH};

/// Secret scalars as the engine takes them, little-endian; wiped.
enum Bytes {
    One(Zeroizing<[u8; 32]>),
    Each(Zeroizing<Vec<[u8; 32]>>),
}

impl Bytes {
    /// Half of each scalar: the engine encodes doubles.
    fn halves(by: &Multiplier<'_>) -> Self {
        match by {
            Multiplier::One(scalar) => Self::One(Zeroizing::new(scalar.div_by_2().to_bytes())),
            Multiplier::Each(scalars) => Self::Each(Zeroizing::new(scalars.iter().map(|scalar| scalar.div_by_2().to_bytes()).collect())),
        }
    }

    fn part(&self, range: Range<usize>) -> Scalars<'_> {
        match self {
            Self::One(scalar) => Scalars::One(scalar),
            Self::Each(scalars) => Scalars::Each(&scalars[range]),
        }
    }
}

fn bytes(scalars: &[Scalar]) -> Zeroizing<Vec<[u8; 32]>> {
    Zeroizing::new(scalars.iter().map(Scalar::to_bytes).collect())
}

/// [`Points::decode`].
pub(super) fn decode<L: Lanes>(lanes: L, elements: &[[u8; NE]]) -> Result<Elements<L>, usize> {
    let identity = elements.iter().position(|element| *element == IDENTITY);
    match (Field::new(lanes).decode_all(elements), identity) {
        (Ok(decoded), None) => Ok(decoded),
        (Ok(_), Some(identity)) => Err(identity),
        (Err(wrong), identity) => Err(identity.map_or(wrong, |identity| identity.min(wrong))),
    }
}

/// `digit` in every window of `bits` bits but the last.
pub(super) fn repeated(digit: u64, bits: usize) -> Scalar {
    let (step, digit) = (Scalar::from(1_u64 << bits), Scalar::from(digit));
    (1..252 / bits).fold(digit, |sum, _| sum * step + digit)
}

/// The table of a public point's multiples, from its encoding; `None` if it is not what curve25519-dalek's multiples say.
pub(super) fn checked_table<L: Lanes>(lanes: L, point: &[u8; NE]) -> Option<FixedTable<L>> {
    let field = Field::new(lanes);
    let table = field.fixed_table(&field.lane_point(point)?);
    // Together they read every entry of the rows.
    let scalars: Vec<Scalar> = (1..=1 << (L::FIXED_BITS - 1)).map(|digit| repeated(digit, L::FIXED_BITS)).collect();
    let mut own = vec![[0; NE]; scalars.len()];
    field.sub_fixed_encode(&field.decode_all(&vec![*point; scalars.len()]).ok()?, &table, &bytes(&scalars), &mut own);
    let point = Point::decode(point)?;
    scalars.iter().zip(&own).all(|(r, own)| point.mul(&(Scalar::ONE - r)).encode() == *own).then_some(table)
}

/// [`checked_table`] of an engine that has passed its self-test.
///
/// # Panics
/// Where the processor computes wrongly: a wrong table would leave elements unhidden, and nothing later would notice.
pub(super) fn fixed_table<L: Lanes>(lanes: L, point: &[u8; NE]) -> FixedTable<L> {
    match checked_table(lanes, point) {
        Some(table) => table,
        None => panic!("the vector engine computes wrongly on this processor"),
    }
}

/// [`super::map_mul_encode`].
pub(super) fn map_mul_encode<L: Lanes>(
    lanes: L,
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    by: &Multiplier<'_>,
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    let field = Field::new(lanes);
    let by = Bytes::halves(by);
    in_chunks(out.len(), uniform, |start, uniform| {
        let range = start..start + uniform.len();
        let out = &mut out[range.clone()];
        field.map_multiply_encode(uniform, &by.part(range), out);
        refuse_identity(start, out)
    })
}

/// [`super::map_add_base_encode`], the generator's table given.
pub(super) fn map_add_fixed_encode<L: Lanes>(
    lanes: L,
    table: &FixedTable<L>,
    uniform: impl FnMut(Range<usize>, &mut [[u8; NH]]),
    scalars: &[Scalar],
    out: &mut [[u8; NE]],
) -> Result<(), usize> {
    let field = Field::new(lanes);
    let scalars = bytes(scalars);
    in_chunks(out.len(), uniform, |start, uniform| {
        let range = start..start + uniform.len();
        let out = &mut out[range.clone()];
        field.map_add_fixed_encode(uniform, table, &scalars[range], out);
        refuse_identity(start, out)
    })
}

/// [`super::mul_encode`].
pub(super) fn mul_encode<L: Lanes>(lanes: L, points: &Elements<L>, by: &Multiplier<'_>, out: &mut [[u8; NE]]) {
    let by = Bytes::halves(by);
    Field::new(lanes).multiply_encode(points, &by.part(0..points.len()), out);
}

/// [`super::sub_fixed_encode`].
pub(super) fn sub_fixed_encode<L: Lanes>(lanes: L, points: &Elements<L>, table: &FixedTable<L>, scalars: &[Scalar], out: &mut [[u8; NE]]) {
    Field::new(lanes).sub_fixed_encode(points, table, &bytes(scalars), out);
}

/// What tells an engine's points from the others'.
pub(crate) trait Own: Lanes {
    /// The points, if they are this engine's.
    fn own(points: &Points) -> Option<&Elements<Self>>;
    /// The engine's points among all engines'.
    fn wrap(lanes: Self, points: Elements<Self>) -> Points;
    /// The generator's table; made once.
    fn generator(self) -> &'static FixedTable<Self>;
}

impl Own for Avx2 {
    fn own(points: &Points) -> Option<&Elements<Self>> {
        if let Points::Avx2(_, points) = points { Some(points) } else { None }
    }

    fn wrap(lanes: Self, points: Elements<Self>) -> Points {
        Points::Avx2(lanes, points)
    }

    fn generator(self) -> &'static FixedTable<Self> {
        static TABLE: OnceLock<FixedTable<Avx2>> = OnceLock::new();
        TABLE.get_or_init(|| fixed_table(self, RISTRETTO_BASEPOINT_COMPRESSED.as_bytes()))
    }
}

impl Own for Ifma {
    fn own(points: &Points) -> Option<&Elements<Self>> {
        if let Points::Ifma(_, points) = points { Some(points) } else { None }
    }

    fn wrap(lanes: Self, points: Elements<Self>) -> Points {
        Points::Ifma(lanes, points)
    }

    fn generator(self) -> &'static FixedTable<Self> {
        static TABLE: OnceLock<FixedTable<Ifma>> = OnceLock::new();
        TABLE.get_or_init(|| fixed_table(self, RISTRETTO_BASEPOINT_COMPRESSED.as_bytes()))
    }
}

/// [`super::sum_of_products_vartime`] of this engine's parts, encoded.
pub(super) fn sum_of_products_vartime<L: Own>(lanes: L, weights: &Weights<'_>, parts: &[&Points]) -> [u8; NE] {
    let field = Field::new(lanes);
    let parts: Vec<_> = parts.iter().filter_map(|part| L::own(part)).collect();
    let sum = match weights {
        Weights::Full(scalars) => field.sum_of_products(&scalars.iter().map(Scalar::to_bytes).collect::<Vec<_>>(), &parts),
        Weights::Short(short) => field.sum_of_products(&short.iter().map(|weight| weight.to_le_bytes()).collect::<Vec<_>>(), &parts),
    };
    field.encode_first(&sum)
}
