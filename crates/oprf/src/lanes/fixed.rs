//! Multiples of fixed points: a table for each window of the scalar, no doublings.

use super::backend::Lanes;
use super::field::Field;
use super::multiply::{Multipliers, digits};
use super::point::{Affine, Point};

/// The multiples of one public point: row `w` holds 1 to `2^(b−1)` times `2^(b·w)·B`, b = [`Lanes::FIXED_BITS`].
pub(crate) struct FixedTable<L: Lanes> {
    rows: Vec<L::FixedRow>,
}

impl<L: Lanes> Field<L> {
    /// The table of a public point (lane 0 of `b`); T included. Variable time.
    pub(crate) fn fixed_table(&self, b: &Point<L>) -> FixedTable<L> {
        let l = self.lanes;
        let (rows, entries) = (digits(L::FIXED_BITS), 1 << (L::FIXED_BITS - 1));
        // All lanes do the same: a table is made once a session.
        let mut multiples = Vec::with_capacity(rows * entries);
        let mut base = *b;
        for _ in 0..rows {
            let step = self.cache(&base);
            let mut multiple = base;
            for n in 0..entries {
                if n > 0 {
                    multiple = self.add::<true>(&multiple, &step);
                }
                multiples.push(multiple);
            }
            for _ in 0..L::FIXED_BITS {
                base = self.double::<true>(&base);
            }
        }
        let words = self.affine_words(&multiples);
        FixedTable { rows: words.chunks_exact(entries).map(|row| l.fixed_row(row)).collect() }
    }

    /// (y + x, y − x, 2d·x·y) of each point's lane 0, canonical words; one inversion for all.
    fn affine_words(&self, points: &[Point<L>]) -> Vec<[[u64; 4]; 3]> {
        let l = self.lanes;
        let mut product = self.c.one;
        let mut before = Vec::with_capacity(points.len());
        for p in points {
            before.push(product);
            product = l.mul(&product, &p.z);
        }
        // No Z is zero.
        let [mut inverse] = self.invert(&[product]);
        let mut strings = vec![[0; 32]; L::WIDTH];
        let mut words = vec![[[0; 4]; 3]; points.len()];
        for ((p, before), words) in points.iter().zip(&before).zip(&mut words).rev() {
            let z_inverse = l.mul(&inverse, before);
            inverse = l.mul(&inverse, &p.z);
            let Affine(coordinates) = self.affine(&l.mul(&p.x, &z_inverse), &l.mul(&p.y, &z_inverse));
            for (coordinate, words) in coordinates.iter().zip(words) {
                l.store(coordinate, &mut strings);
                let (chunks, _) = strings[0].as_chunks::<8>();
                *words = [0, 1, 2, 3].map(|i| u64::from_le_bytes(chunks[i]));
            }
        }
        words
    }

    /// `P + r·B`, or `P − r·B` where `NEGATE`, for each lane's own secret scalar; T included. Reads T. Constant time in points and scalars.
    pub(crate) fn add_fixed<const NEGATE: bool>(&self, p: &Point<L>, table: &FixedTable<L>, by: &Multipliers<'_>) -> Point<L> {
        let l = self.lanes;
        let mut sum = *p;
        for (i, row) in table.rows.iter().enumerate() {
            l.vectorize(
                #[inline(always)]
                || {
                    let digit = by.digit(l, i);
                    let entry = Affine(l.fixed_select(row, l.magnitude(digit)));
                    let negative = l.below_zero(digit);
                    let negative = if NEGATE { l.not(negative) } else { negative };
                    sum = self.add_affine(&sum, &self.negate_affine_if(negative, &entry));
                },
            );
        }
        sum
    }
}
