//! Multiples of variable points by secret scalars: signed windows of four bits, every table entry read for every digit.

use zeroize::Zeroizing;

use super::backend::{Lanes, WIDTH_MAX};
use super::field::Field;
use super::point::{Cached, Point};

/// Bits of a window.
const BITS: usize = 4;
/// Entries of a table: 1 to 8 times the point.
const ENTRIES: usize = 1 << (BITS - 1);

/// A scalar's digits in radix `2^bits`, each in `−2^(bits−1)..=2^(bits−1)`, lowest first; wiped when dropped.
pub(crate) type Digits = Zeroizing<Vec<i8>>;

/// Recodes a scalar below 2^253 (little-endian bytes); constant time. Gives as many digits as take 253 bits and a carry.
pub(crate) fn recode(scalar: &[u8; 32], bits: usize) -> Digits {
    // In radix 4 the last carry would not fit.
    debug_assert!((3..=7).contains(&bits) && scalar[31] < 0x20);
    let count = digits(bits);
    let mut digits = Zeroizing::new(vec![0; count]);
    let mut carry = 0_i16;
    for (i, digit) in digits.iter_mut().enumerate() {
        let (byte, shift) = (bits * i / 8, bits * i % 8);
        let low = i16::from(scalar[byte]);
        let high = scalar.get(byte + 1).map_or(0, |high| i16::from(*high));
        let pair = (low.cast_unsigned() | high.cast_unsigned() << 8) >> shift;
        let value = (pair & ((1 << bits) - 1)).cast_signed() + carry;
        carry = (value + (1 << (bits - 1))) >> bits;
        *digit = (value - (carry << bits)) as i8;
    }
    digits
}

/// Digits of a scalar below 2^253.
pub(crate) const fn digits(bits: usize) -> usize {
    253_usize.div_ceil(bits) + if 253 % bits == 0 { 1 } else { 0 }
}

/// The secret multipliers of the points of one group of lanes.
pub(crate) enum Multipliers<'a> {
    /// The same for all lanes: its digits.
    One(&'a Digits),
    /// One for each lane, at most `WIDTH`; lanes beyond take zero.
    Each(&'a [Digits]),
}

impl Multipliers<'_> {
    /// Digit `i` of every lane.
    #[inline(always)]
    pub(crate) fn digit<L: Lanes>(&self, l: L, i: usize) -> L::Int {
        let mut lanes = [0; WIDTH_MAX];
        match self {
            Self::One(digits) => lanes = [digits[i]; WIDTH_MAX],
            Self::Each(all) => {
                for (lane, digits) in lanes.iter_mut().zip(*all) {
                    *lane = digits[i];
                }
            }
        }
        l.ints(&lanes[..L::WIDTH])
    }
}

/// The digits for [`Field::multiply_point`].
pub(crate) fn variable_digits(scalar: &[u8; 32]) -> Digits {
    recode(scalar, BITS)
}

impl<L: Lanes> Field<L> {
    /// The table entry of each lane's digit; reads all entries whatever the digits are.
    #[inline(always)]
    fn lookup(&self, table: &[Cached<L>; ENTRIES], neutral: &Cached<L>, digit: L::Int) -> Cached<L> {
        let l = self.lanes;
        let magnitude = l.magnitude(digit);
        let mut found = *neutral;
        for (n, entry) in table.iter().enumerate() {
            let here = l.equals(magnitude, n as u64 + 1);
            for (found, coordinate) in found.0.iter_mut().zip(&entry.0) {
                *found = l.select_packed(here, found, coordinate);
            }
        }
        let negative = l.below_zero(digit);
        let [plus, minus, z2, t2d] = found.0;
        let t2d = l.pack(&self.negate_if(negative, &l.unpack(&t2d)));
        Cached([l.select_packed(negative, &plus, &minus), l.select_packed(negative, &minus, &plus), z2, t2d])
    }

    /// Each lane's multiple, T included. Reads T. Constant time in points and digits.
    pub(crate) fn multiply_point(&self, p: &Point<L>, by: &Multipliers<'_>) -> Point<L> {
        let l = self.lanes;
        let first = self.cache(p);
        let mut table = [first; ENTRIES];
        l.vectorize(
            #[inline(always)]
            || {
                let mut multiple = *p;
                for entry in &mut table[1..] {
                    multiple = self.add::<true>(&multiple, &first);
                    *entry = self.cache(&multiple);
                }
            },
        );
        let neutral = self.cache(&self.neutral());
        let count = digits(BITS);
        let mut sum = self.neutral();
        for i in (0..count).rev() {
            l.vectorize(
                #[inline(always)]
                || {
                    let found = self.lookup(&table, &neutral, by.digit(l, i));
                    sum = self.add::<false>(&sum, &found);
                },
            );
            if i == 0 {
                break;
            }
            l.vectorize(
                #[inline(always)]
                || {
                    for _ in 1..BITS {
                        sum = self.double::<false>(&sum);
                    }
                    sum = self.double::<true>(&sum);
                },
            );
        }
        // The last sum again, for its T: x·y = T/Z, so (X·Z : Y·Z : Z² : X·Y) is the same point.
        Point { x: l.mul(&sum.x, &sum.z), y: l.mul(&sum.y, &sum.z), z: l.square(&sum.z), t: l.mul(&sum.x, &sum.y) }
    }
}
