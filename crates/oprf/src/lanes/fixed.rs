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
    /// The table of a public point (any lane of `b`; lane 0 is taken); T included. Variable time.
    pub(crate) fn fixed_table(&self, b: &Point<L>) -> FixedTable<L> {
        let l = self.lanes;
        let entries = 1 << (L::FIXED_BITS - 1);
        let mut rows = Vec::with_capacity(digits(L::FIXED_BITS));
        let mut base = *b;
        for _ in 0..digits(L::FIXED_BITS) {
            // Multiples one after the other, in all lanes alike: a table is made once a session.
            let step = self.cache(&base);
            let mut multiple = base;
            let mut row = Vec::with_capacity(entries);
            for n in 0..entries {
                if n > 0 {
                    multiple = self.add::<true>(&multiple, &step);
                }
                row.push(self.affine_words(&multiple));
            }
            rows.push(l.fixed_row(&row));
            for _ in 0..L::FIXED_BITS {
                base = self.double::<true>(&base);
            }
        }
        FixedTable { rows }
    }

    /// (y + x, y − x, 2d·x·y) of lane 0, canonical words.
    fn affine_words(&self, p: &Point<L>) -> [[u64; 4]; 3] {
        let l = self.lanes;
        let [z_inverse] = self.invert(&[p.z]);
        let Affine(coordinates) = self.affine(&l.mul(&p.x, &z_inverse), &l.mul(&p.y, &z_inverse));
        coordinates.map(|coordinate| {
            let mut strings = vec![[0; 32]; L::WIDTH];
            l.store(&coordinate, &mut strings);
            let (words, _) = strings[0].as_chunks::<8>();
            [0, 1, 2, 3].map(|i| u64::from_le_bytes(words[i]))
        })
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
