//! What `ifma.rs` does, instruction by instruction: 64-bit lanes, unsigned; a multiplier that sees 52 bits of its operands.

use super::number::{Interval, Limbs, Number};
use super::{Arithmetic, LIMB, PRIME, RADIX, split};

/// The instructions on whole numbers.
#[derive(Clone, Copy)]
pub(super) struct Ifma;

/// Limbs of 51 bits, and what a carry adds: up to 19 times 2^8.4 in limb 0, 2^8.6 in the others.
const TIGHT: [Interval; 5] = {
    let rest = Interval::new(0, (1 << 51) + (1 << 13) - 1);
    [rest; 5]
};

/// `vpaddq`: no sum may leave 64 bits.
#[track_caller]
fn add64(a: Number, b: Number) -> Number {
    a.add(b).within(Interval::bits(64), "a sum of 64 bits")
}

/// `vpsubq`: no difference may fall below zero.
#[track_caller]
fn sub64(a: Number, b: Number) -> Number {
    a.sub(b).within(Interval::bits(64), "a difference that is not negative")
}

/// What the multiplier sees.
#[track_caller]
fn product(a: Number, b: Number) -> Number {
    a.within(Interval::bits(52), "a factor of 52 bits").mul(b.within(Interval::bits(52), "a factor of 52 bits"))
}

/// `vpmadd52luq`.
#[track_caller]
fn madd52lo(z: Number, a: Number, b: Number) -> Number {
    add64(z, product(a, b).low_bits(52))
}

/// `vpmadd52huq`.
#[track_caller]
fn madd52hi(z: Number, a: Number, b: Number) -> Number {
    add64(z, product(a, b).shift_right(52))
}

/// One carry out of every limb at once.
pub(super) fn carry(z: &[Number; 5]) -> Limbs {
    let c = z.map(|z| z.within(Interval::bits(64), "a limb before its carry").shift_right(RADIX));
    let rest = z.map(|z| z.low_bits(RADIX));
    // The multiplier gives 52 bits of 19·c, which must be all.
    let wrapped = product(c[4], Number::exactly(19)).within(Interval::bits(52), "a carry that wraps");
    [add64(rest[0], wrapped.low_bits(52)), add64(rest[1], c[0]), add64(rest[2], c[1]), add64(rest[3], c[2]), add64(rest[4], c[3])]
}

fn nineteenfold(x: Number) -> Number {
    let three = add64(add64(x, x), x);
    add64(three, x.map(|x| x << 4).within(Interval::bits(64), "a shift to the left"))
}

/// Columns 5 to 9 come back 19-fold.
pub(super) fn fold(z: &[Number; 10]) -> [Number; 5] {
    core::array::from_fn(|k| add64(z[k], nineteenfold(z[k + 5])))
}

/// The columns of a product.
pub(super) fn columns(a: &Limbs, b: &Limbs) -> [Number; 10] {
    let mut z = [Number::exactly(0); 10];
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            z[i + j + 1] = madd52hi(z[i + j + 1], *a, *b);
        }
    }
    for z in &mut z[1..] {
        *z = add64(*z, *z);
    }
    for (i, a) in a.iter().enumerate() {
        for (j, b) in b.iter().enumerate() {
            z[i + j] = madd52lo(z[i + j], *a, *b);
        }
    }
    z
}

impl Arithmetic for Ifma {
    const NAME: &'static str = "model of ifma";
    const FIXED_BITS: usize = 5;
    const TIGHT: [Interval; 5] = TIGHT;

    fn load(words: &[u64; 4]) -> Limbs {
        split(words).map(|limb| Interval::bits(RADIX).number(limb))
    }

    fn mul(a: &Limbs, b: &Limbs) -> Limbs {
        carry(&fold(&columns(a, b)))
    }

    fn square(a: &Limbs) -> Limbs {
        let mut z = [Number::exactly(0); 10];
        let mixed = || (0..5).flat_map(|i| (i + 1..5).map(move |j| (i, j)));
        for (i, j) in mixed() {
            z[i + j + 1] = madd52hi(z[i + j + 1], a[i], a[j]);
        }
        for z in &mut z[2..=8] {
            *z = add64(*z, *z);
        }
        for (i, a) in a.iter().enumerate() {
            z[2 * i + 1] = madd52hi(z[2 * i + 1], *a, *a);
        }
        for (i, j) in mixed() {
            z[i + j] = madd52lo(z[i + j], a[i], a[j]);
        }
        for z in &mut z[1..] {
            *z = add64(*z, *z);
        }
        for (i, a) in a.iter().enumerate() {
            z[2 * i] = madd52lo(z[2 * i], *a, *a);
        }
        carry(&fold(&z))
    }

    fn add(a: &Limbs, b: &Limbs) -> Limbs {
        core::array::from_fn(|i| add64(a[i], b[i]))
    }

    fn sub(a: &Limbs, b: &Limbs) -> Limbs {
        core::array::from_fn(|i| sub64(add64(a[i], Number::exactly(2 * PRIME[i])), b[i]))
    }

    fn carry(a: &Limbs) -> Limbs {
        carry(a)
    }

    fn fit(a: &Limbs) -> Limbs {
        super::Model::<Self>::tight(Self::carry(a))
    }

    fn canonical(a: &Limbs) -> [u64; 5] {
        let mut q = Number::exactly(19);
        for (limb, prime) in a.iter().zip(PRIME) {
            limb.within(Interval::new(0, 2 * prime - 1), "an element below twice the modulus");
            q = add64(*limb, q).shift_right(RADIX);
        }
        let mut c = nineteenfold(q.within(Interval::bits(1), "the modulus is taken away at most once"));
        let limbs = a.map(|limb| {
            let sum = add64(limb, c);
            c = sum.shift_right(RADIX);
            sum.low_bits(RADIX).value()
        });
        assert!(limbs.iter().rev().lt(PRIME.iter().rev()), "canonical");
        limbs.map(|limb| limb as u64)
    }

    fn is_zero(a: &Limbs) -> bool {
        Self::canonical(a).iter().fold(0, |any, limb| any | limb) == 0
    }

    fn is_negative(a: &Limbs) -> bool {
        Self::canonical(a)[0] & 1 == 1
    }

    fn to_word(limb: i128) -> u64 {
        assert!((0..=2 * LIMB + 1).contains(&limb));
        limb as u64
    }

    fn of_word(word: u64) -> i128 {
        word.into()
    }
}
