//! The operations on slices, over one backend: groups of lanes, padded at the end, batches that share an inversion.

use super::backend::{Lanes, WIDTH_MAX};
use super::field::Field;
use super::fixed::FixedTable;
use super::multiply::{Digits, Multipliers, recode, variable_digits};
use super::point::Point;

/// Elements that share their inversions: as many as groups of lanes fit.
const SHARED: usize = 128;

/// Decoded elements, in groups of lanes: x and y, packed.
#[derive(Clone)]
pub(crate) struct Elements<L: Lanes> {
    groups: Vec<[L::Packed; 2]>,
    count: usize,
}

impl<L: Lanes> Elements<L> {
    /// How many elements.
    pub(crate) const fn len(&self) -> usize {
        self.count
    }

    /// Each group with the number of lanes that are elements.
    pub(crate) fn groups(&self) -> impl Iterator<Item = (&[L::Packed; 2], usize)> {
        self.groups.iter().enumerate().map(|(n, group)| (group, L::WIDTH.min(self.count - n * L::WIDTH)))
    }
}

/// The secret multipliers of a slice of points, little-endian bytes below 2^253.
pub(crate) enum Scalars<'a> {
    /// One for all.
    One(&'a [u8; 32]),
    /// One for each.
    Each(&'a [[u8; 32]]),
}

/// Digits of a slice's multipliers, recoded group by group.
enum Recoded<'a> {
    One(Digits),
    Each(&'a [[u8; 32]]),
}

impl<'a> Recoded<'a> {
    fn new(scalars: &Scalars<'a>) -> Self {
        match scalars {
            Scalars::One(scalar) => Self::One(variable_digits(scalar)),
            Scalars::Each(all) => Self::Each(all),
        }
    }

    /// Hands the multipliers of the group that starts at `start` to `f`.
    fn with_group<R>(&self, start: usize, width: usize, f: impl FnOnce(&Multipliers<'_>) -> R) -> R {
        match self {
            Self::One(digits) => f(&Multipliers::One(digits)),
            Self::Each(all) => {
                let end = all.len().min(start + width);
                let digits: Vec<Digits> = all[start..end].iter().map(variable_digits).collect();
                f(&Multipliers::Each(&digits))
            }
        }
    }
}

/// A slice's part from `start`, at most `width` long, filled up to `width` with `fill`.
fn padded<T: Copy>(slice: &[T], start: usize, width: usize, fill: T) -> [T; WIDTH_MAX] {
    let mut group = [fill; WIDTH_MAX];
    for (to, from) in group.iter_mut().zip(slice.iter().skip(start).take(width)) {
        *to = *from;
    }
    group
}

impl<L: Lanes> Field<L> {
    /// `Encode(2·scalar·map(uniform))` for each item; slices are equally long. Constant time.
    pub(crate) fn map_multiply_encode(&self, uniform: &[[u8; 64]], scalars: &Scalars<'_>, out: &mut [[u8; 32]]) {
        let by = Recoded::new(scalars);
        self.in_batches(uniform.len(), out, |start| {
            let p = self.one_way_map(&padded(uniform, start, L::WIDTH, [0; 64])[..L::WIDTH]);
            by.with_group(start, L::WIDTH, |by| self.multiply_point(&p, by))
        });
    }

    /// `Encode(2·scalar·P)` for each element; slices are equally long. Constant time.
    pub(crate) fn multiply_encode(&self, points: &Elements<L>, scalars: &Scalars<'_>, out: &mut [[u8; 32]]) {
        let by = Recoded::new(scalars);
        self.in_batches(points.count, out, |start| {
            let p = self.extended(&points.groups[start / L::WIDTH]);
            by.with_group(start, L::WIDTH, |by| self.multiply_point(&p, by))
        });
    }

    /// `Encode(map(uniform) + r·B)` for each item; slices are equally long. Constant time.
    pub(crate) fn map_add_fixed_encode(&self, uniform: &[[u8; 64]], table: &FixedTable<L>, r: &[[u8; 32]], out: &mut [[u8; 32]]) {
        self.in_pairs(uniform.len(), out, |start| {
            let p = self.one_way_map(&padded(uniform, start, L::WIDTH, [0; 64])[..L::WIDTH]);
            let digits = fixed_digits::<L>(r, start);
            self.add_fixed::<false>(&p, table, &Multipliers::Each(&digits))
        });
    }

    /// `Encode(P − r·B)` for each element; slices are equally long. Constant time.
    pub(crate) fn sub_fixed_encode(&self, points: &Elements<L>, table: &FixedTable<L>, r: &[[u8; 32]], out: &mut [[u8; 32]]) {
        self.in_pairs(points.count, out, |start| {
            let p = self.extended(&points.groups[start / L::WIDTH]);
            let digits = fixed_digits::<L>(r, start);
            self.add_fixed::<true>(&p, table, &Multipliers::Each(&digits))
        });
    }

    /// All elements, decoded.
    ///
    /// # Errors
    /// The first position that is not a canonical encoding. The identity's is one.
    pub(crate) fn decode_all(&self, elements: &[[u8; 32]]) -> Result<Elements<L>, usize> {
        let l = self.lanes;
        let mut groups = Vec::with_capacity(elements.len().div_ceil(L::WIDTH));
        for start in (0..elements.len()).step_by(L::WIDTH) {
            let decoded = self.decode(&padded(elements, start, L::WIDTH, [0; 32])[..L::WIDTH]);
            let wrong = decoded.valid.trailing_ones() as usize;
            if wrong < L::WIDTH {
                return Err(start + wrong);
            }
            groups.push([l.pack(&decoded.x), l.pack(&decoded.y)]);
        }
        Ok(Elements { groups, count: elements.len() })
    }

    /// A group's points, T included.
    fn extended(&self, group: &[L::Packed; 2]) -> Point<L> {
        let l = self.lanes;
        let (x, y) = (l.unpack(&group[0]), l.unpack(&group[1]));
        Point { x, y, z: self.c.one, t: l.mul(&x, &y) }
    }

    /// One decoded element in every lane, T included; `None` if it does not decode.
    pub(crate) fn lane_point(&self, element: &[u8; 32]) -> Option<Point<L>> {
        let decoded = self.decode(&[*element; WIDTH_MAX][..L::WIDTH]);
        (decoded.valid & 1 == 1).then(|| Point { x: decoded.x, y: decoded.y, z: self.c.one, t: self.lanes.mul(&decoded.x, &decoded.y) })
    }

    /// The encoding of lane 0.
    pub(crate) fn encode_first(&self, p: &Point<L>) -> [u8; 32] {
        let mut out = [[[0; 32]; WIDTH_MAX]; 1];
        self.encode(&[*p], &mut out);
        out[0][0]
    }

    /// Makes groups of points and encodes their doubles, [`SHARED`] at a time.
    fn in_batches(&self, count: usize, out: &mut [[u8; 32]], mut point: impl FnMut(usize) -> Point<L>) {
        let mut points = Vec::with_capacity(SHARED / L::WIDTH);
        let mut encoded = [[0; 32]; SHARED];
        for (n, out) in out[..count].chunks_mut(SHARED).enumerate() {
            points.clear();
            for start in (0..out.len()).step_by(L::WIDTH) {
                points.push(point(n * SHARED + start));
            }
            self.double_encode(&points, &mut encoded[..points.len() * L::WIDTH]);
            out.copy_from_slice(&encoded[..out.len()]);
        }
    }

    /// Makes groups of points and encodes them, two at a time.
    fn in_pairs(&self, count: usize, out: &mut [[u8; 32]], mut point: impl FnMut(usize) -> Point<L>) {
        let mut encoded = [[[0; 32]; WIDTH_MAX]; 2];
        for (n, out) in out[..count].chunks_mut(2 * L::WIDTH).enumerate() {
            let start = n * 2 * L::WIDTH;
            let first = point(start);
            let second = if out.len() > L::WIDTH { point(start + L::WIDTH) } else { first };
            self.encode(&[first, second], &mut encoded);
            for (out, encoded) in out.chunks_mut(L::WIDTH).zip(&encoded) {
                out.copy_from_slice(&encoded[..out.len()]);
            }
        }
    }
}

/// The digits of a group's scalars for a fixed-base table.
fn fixed_digits<L: Lanes>(scalars: &[[u8; 32]], start: usize) -> Vec<Digits> {
    let end = scalars.len().min(start + L::WIDTH);
    scalars[start..end].iter().map(|scalar| recode(scalar, L::FIXED_BITS)).collect()
}
