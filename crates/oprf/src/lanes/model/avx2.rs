//! What `avx2.rs` does: whole numbers in doubles, exact below 2^53; limb products that come apart at 2^51; columns of 64-bit integers.

use super::number::{Interval, Limbs, Number};
use super::{Arithmetic, LIMB, PRIME, RADIX, split};

/// The operations on whole numbers.
#[derive(Clone, Copy)]
pub(super) struct Avx2;

/// As the backend's documentation has it.
const TIGHT: [Interval; 5] = {
    let rest = Interval::symmetric((1 << 50) + 87);
    [Interval::symmetric((1 << 50) + 285), rest, rest, rest, rest]
};

/// Whole numbers that doubles hold, each of them.
const EXACT: Interval = Interval::symmetric(1 << 53);
/// Added to a column before it is carried.
const RAISE: i128 = (1 << 58) + (1 << 50);

/// A sum or a difference of doubles.
#[track_caller]
fn exact(x: Number) -> Number {
    x.within(EXACT, "a whole number in a double")
}

/// `x / 2^51`, rounded to the nearest, ties to even: adding 3·2^102 to a double and rounding does that, for 3·2^102 is an even multiple of
/// 2^51.
fn nearest(x: i128) -> i128 {
    let (down, rest) = (x >> RADIX, x & LIMB);
    match rest.cmp(&(1 << 50)) {
        core::cmp::Ordering::Less => down,
        core::cmp::Ordering::Equal => down + (down & 1),
        core::cmp::Ordering::Greater => down + 1,
    }
}

/// A limb product's halves: how many times 2^51, and what is left.
#[track_caller]
fn halves(a: Number, b: Number) -> (Number, Number) {
    // 3·2^102 plus the product must stay where doubles are 2^51 apart.
    let product = exact(a).mul(exact(b)).within(Interval::symmetric(1 << 102), "a limb product");
    let high = product.map(nearest);
    // 2^51·high: a multiple of 2^51, of so few bits that 3·2^51 less it is a double.
    high.within(Interval::symmetric(1 << 52), "the upper half of a limb product");
    let low = Interval::symmetric(1 << 50).number(product.value() - (high.value() << RADIX));
    (high, low)
}

/// One carry out of every column at once: raised columns in.
pub(super) fn settle(s: &[Number; 5]) -> Limbs {
    // As unsigned integers; the backend's sums may wrap before, for the constants in them are known, and are not columns of ours.
    let s = s.map(|s| s.within(Interval::bits(64), "a raised column"));
    let rest = s.map(|s| s.low_bits(RADIX));
    let carry = s.map(|s| s.shift_right(RADIX));
    // vpmuludq sees 32 bits.
    let wrapped = carry[4].within(Interval::bits(32), "a carry that wraps").mul(Number::exactly(19));
    let limb = |rest: Number, carry: Number, raised: i128| {
        // Together they are the lower bits of a double between 2^52 and 2^53.
        let bits = rest.add(carry).within(Interval::bits(52), "the bits of a double");
        exact(bits.sub(Number::exactly(raised)))
    };
    let (middle, carried) = (1 << 50, 1 << 7);
    [
        limb(rest[0], wrapped, middle + 19 * carried),
        limb(rest[1], carry[0], middle + carried),
        limb(rest[2], carry[1], middle + carried),
        limb(rest[3], carry[2], middle + carried),
        limb(rest[4], carry[3], middle + carried),
    ]
}

/// Columns, raised, 5 to 9 folded into 0 to 4.
pub(super) fn fold(columns: &[Number; 10]) -> [Number; 5] {
    core::array::from_fn(|k| columns[k].add(columns[k + 5].mul(Number::exactly(19))).add(Number::exactly(RAISE)))
}

fn into_columns(columns: &mut [Number; 10], at: usize, a: Number, b: Number) {
    let (high, low) = halves(a, b);
    columns[at] = columns[at].add(low);
    columns[at + 1] = columns[at + 1].add(high);
}

/// The columns of a product.
pub(super) fn columns(a: &Limbs, b: &Limbs) -> [Number; 10] {
    let mut columns = [Number::exactly(0); 10];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            into_columns(&mut columns, i + j, *a, *b);
        }
    }
    columns
}

impl Arithmetic for Avx2 {
    const NAME: &'static str = "model of avx2";
    const FIXED_BITS: usize = 4;
    const TIGHT: [Interval; 5] = TIGHT;

    fn load(words: &[u64; 4]) -> Limbs {
        settle(&split(words).map(|limb| Interval::bits(RADIX).number(limb).add(Number::exactly(RAISE))))
    }

    fn mul(a: &Limbs, b: &Limbs) -> Limbs {
        settle(&fold(&columns(a, b)))
    }

    fn square(a: &Limbs) -> Limbs {
        let mut columns = [Number::exactly(0); 10];
        for (i, x) in a.iter().enumerate() {
            into_columns(&mut columns, 2 * i, *x, *x);
            let twice = exact(x.add(*x));
            for (j, y) in a.iter().enumerate().skip(i + 1) {
                into_columns(&mut columns, i + j, twice, *y);
            }
        }
        settle(&fold(&columns))
    }

    fn add(a: &Limbs, b: &Limbs) -> Limbs {
        core::array::from_fn(|i| exact(a[i].add(b[i])))
    }

    fn sub(a: &Limbs, b: &Limbs) -> Limbs {
        core::array::from_fn(|i| exact(a[i].sub(b[i])))
    }

    fn carry(a: &Limbs) -> Limbs {
        let c = a.map(|a| exact(a).map(nearest));
        let rest: Limbs = core::array::from_fn(|i| Interval::symmetric(1 << 50).number(a[i].value() - (c[i].value() << RADIX)));
        let wrapped = c[4].mul(Number::exactly(19));
        core::array::from_fn(|i| exact(rest[i].add(if i == 0 { wrapped } else { c[i - 1] })))
    }

    /// Nothing is done: the bounds of products say whether that is enough.
    fn fit(a: &Limbs) -> Limbs {
        *a
    }

    fn canonical(a: &Limbs) -> [u64; 5] {
        // The modulus is added, and taken away once or not at all.
        let z: Limbs = core::array::from_fn(|i| {
            let whole = a[i].within(Interval::symmetric(1 << 51), "a number in the middle of those that are 1 apart");
            whole.add(Number::exactly(PRIME[i])).within(Interval::new(0, 2 * PRIME[i] - 1), "an element below twice the modulus")
        });
        let mut q = Number::exactly(19);
        for limb in &z {
            q = limb.add(q).within(Interval::bits(64), "a sum of 64 bits").shift_right(RADIX);
        }
        let mut c = q.within(Interval::bits(1), "the modulus is taken away at most once").mul(Number::exactly(19));
        let limbs = z.map(|limb| {
            let sum = limb.add(c).within(Interval::bits(64), "a sum of 64 bits");
            c = sum.shift_right(RADIX);
            sum.low_bits(RADIX).value()
        });
        assert!(limbs.iter().rev().lt(PRIME.iter().rev()), "canonical");
        limbs.map(|limb| limb as u64)
    }

    fn is_zero(a: &Limbs) -> bool {
        // What lies within ±p, limb by limb, is zero modulo p only as zero; and zero has no other limbs below 2^51.
        for (limb, prime) in a.iter().zip(PRIME) {
            limb.within(Interval::symmetric(prime - 1), "an element within ±p");
        }
        a.iter().all(|limb| limb.value() == 0)
    }

    fn is_negative(a: &Limbs) -> bool {
        for (limb, prime) in a.iter().zip(PRIME) {
            limb.within(Interval::symmetric(prime - 1), "an element within ±p");
        }
        // The highest limb that is not zero outweighs those below it, as each of them is below 2^51.
        let sign = a.iter().rev().map(|limb| limb.value().signum()).find(|sign| *sign != 0).unwrap_or(0);
        (sign < 0) ^ (a[0].value() & 1 == 1)
    }

    fn to_word(limb: i128) -> u64 {
        (limb as f64).to_bits()
    }

    fn of_word(word: u64) -> i128 {
        f64::from_bits(word) as i128
    }
}
