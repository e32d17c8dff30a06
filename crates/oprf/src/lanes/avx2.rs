//! Four lanes with AVX2 and FMA: five limbs of 51 bits, kept as whole numbers in doubles.
//!
//! Before IFMA, the widest multiplier of a vector register is the floating-point one: 53 bits against the 32 of `vpmuludq`. A fused
//! multiply-add rounds only once, so a limb product comes apart into two exact halves (Emmart, "Faster modular exponentiation using
//! double precision floating point arithmetic on the GPU", ARITH 2018):
//!
//! ```text
//! high = fma(a, b, 3·2^102)                  the sum lies in 2^103..=2^104, whose doubles are 2^51 apart: high = 3·2^102 + 2^51·h
//! low  = fma(a, b, (3·2^102 + 3·2^51) − high)      = 3·2^51 + l,  a·b = 2^51·h + l,  −2^50 <= l <= 2^50
//! ```
//!
//! The bits of both, read as integers, are a known constant plus h or l: columns are summed as 64-bit integers and the constants taken away
//! all at once. In radix 2^51 h counts exactly once in the next column.
//!
//! # Bounds
//!
//! Limbs are signed. *Tight*: limb 0 within ±(2^50 + 285), the others within ±(2^50 + 87), so the element itself lies within ±0.51·p; its
//! negative is tight, too, and it is zero modulo p only if all limbs are. *Loose*: twice that. The split needs |a·b| <= 2^102: one factor of a
//! product may be loose, not both; both factors of a square are the same, so it must be tight. A product's columns lie within ±172·2^50.
//!
//! # Constant time
//!
//! Additions and multiplications of doubles take the same time for all operands but subnormal ones, and whole numbers are never subnormal.
//! The rounding mode must be to nearest, as Rust takes for granted everywhere.

use core::arch::x86_64::*;

use super::backend::{Bucket, Lanes};
use super::limbs::{LIMB, exactly, exactly_mut, forward, limbs};

mod product;

/// That this processor has AVX2 and FMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    /// Looks at the processor.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        has.then_some(Self(()))
    }
}

/// Four elements, limb by limb.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Fe([__m256d; 5]);

/// One window of a fixed-base table: limb `l` of coordinate `c` of all 8 entries, lower and upper halves of the doubles in one register
/// each, permuted by each lane's digit.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Row([[[__m256i; 2]; 5]; 3]);

/// Bits of a limb.
const RADIX: i32 = 51;
/// 2^51 and its inverse.
const STEP: f64 = (1_u64 << 51) as f64;
/// The middle of the doubles that are 2^51 apart.
const HIGH: f64 = 3.0 * STEP * STEP;
/// The middle of the doubles that are 1 apart.
const LOW: f64 = 3.0 * STEP;
/// 2^52: the bits of 2^52 + n are its own plus n.
const UNIT: f64 = 2.0 * STEP;
/// Added to a column before it is carried: makes it positive, and its lower bits those of a remainder between −2^50 and 2^50.
const RAISE: u64 = (1 << 58) + (1 << 50);
/// What [`RAISE`] leaves in a limb.
const REMAINDER: f64 = (1_u64 << 50) as f64;
/// What [`RAISE`] leaves in a carry.
const CARRY: f64 = (1_u64 << 7) as f64;
/// What is taken from limb 0 after carries.
const RAISED_0: f64 = UNIT + REMAINDER + 19.0 * CARRY;
/// What is taken from the other limbs.
const RAISED: f64 = UNIT + REMAINDER + CARRY;

/// What is to be added to the sum of the bits of a product's halves, column by column, 5 to 9 folded into 0 to 4 already: takes all
/// constants away, and raises. `terms` are the limb products of columns 0 to 8.
const fn corrections(terms: [u64; 9]) -> [u64; 5] {
    let mut fixed = [0_u64; 10];
    let mut k = 0;
    while k < 9 {
        fixed[k] = fixed[k].wrapping_add(LOW.to_bits().wrapping_mul(terms[k]));
        fixed[k + 1] = fixed[k + 1].wrapping_add(HIGH.to_bits().wrapping_mul(terms[k]));
        k += 1;
    }
    let mut corrections = [0; 5];
    let mut k = 0;
    while k < 5 {
        corrections[k] = RAISE.wrapping_sub(fixed[k]).wrapping_sub(fixed[k + 5].wrapping_mul(19));
        k += 1;
    }
    corrections
}

/// For 25 products.
const MUL: [u64; 5] = corrections([1, 2, 3, 4, 5, 4, 3, 2, 1]);
/// For 15 products.
const SQUARE: [u64; 5] = corrections([1, 1, 2, 2, 3, 2, 2, 1, 1]);

/// Tight limbs of four words below 2^255.
fn tight(words: &[u64; 4]) -> [f64; 5] {
    let limbs = limbs(words).map(|limb| limb + (1 << 50));
    let carry = |k: usize| (limbs[k] >> RADIX) as f64;
    let rest = |k: usize| (limbs[k] & LIMB) as f64 - REMAINDER;
    [rest(0) + 19.0 * carry(4), rest(1) + carry(0), rest(2) + carry(1), rest(3) + carry(2), rest(4) + carry(3)]
}

/// Declares functions that are compiled for the backend's instructions, and inlined where those are on already.
macro_rules! avx2 {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {
        $($(#[$doc])* #[inline] #[target_feature(enable = "avx2,fma")]
        fn $name($($arg: $ty),*) $(-> $ret)? $body)*
    };
}

avx2! {
    fn all(x: u64) -> __m256i {
        _mm256_set1_epi64x(x.cast_signed())
    }

    fn real(x: f64) -> __m256d {
        _mm256_set1_pd(x)
    }

    fn array(x: &[u64; 4]) -> __m256i {
        let [a, b, c, d] = x.map(u64::cast_signed);
        _mm256_setr_epi64x(a, b, c, d)
    }

    fn splat(words: &[u64; 4]) -> Fe {
        let limbs = tight(words);
        Fe([real(limbs[0]), real(limbs[1]), real(limbs[2]), real(limbs[3]), real(limbs[4])])
    }

    fn add(a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm256_add_pd(a[0], b[0]),
            _mm256_add_pd(a[1], b[1]),
            _mm256_add_pd(a[2], b[2]),
            _mm256_add_pd(a[3], b[3]),
            _mm256_add_pd(a[4], b[4]),
        ])
    }

    fn sub(a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm256_sub_pd(a[0], b[0]),
            _mm256_sub_pd(a[1], b[1]),
            _mm256_sub_pd(a[2], b[2]),
            _mm256_sub_pd(a[3], b[3]),
            _mm256_sub_pd(a[4], b[4]),
        ])
    }

    /// Limbs up to 2^53 in; within ±(2^50 + 4), limb 0 ±(2^50 + 76), out.
    fn carry(a: &Fe) -> Fe {
        let a = &a.0;
        let middle = real(HIGH);
        // The nearest multiple of 2^51.
        let c = [
            _mm256_sub_pd(_mm256_add_pd(a[0], middle), middle),
            _mm256_sub_pd(_mm256_add_pd(a[1], middle), middle),
            _mm256_sub_pd(_mm256_add_pd(a[2], middle), middle),
            _mm256_sub_pd(_mm256_add_pd(a[3], middle), middle),
            _mm256_sub_pd(_mm256_add_pd(a[4], middle), middle),
        ];
        let (down, wrap) = (real(1.0 / STEP), real(19.0 / STEP));
        Fe([
            _mm256_fmadd_pd(c[4], wrap, _mm256_sub_pd(a[0], c[0])),
            _mm256_fmadd_pd(c[0], down, _mm256_sub_pd(a[1], c[1])),
            _mm256_fmadd_pd(c[1], down, _mm256_sub_pd(a[2], c[2])),
            _mm256_fmadd_pd(c[2], down, _mm256_sub_pd(a[3], c[3])),
            _mm256_fmadd_pd(c[3], down, _mm256_sub_pd(a[4], c[4])),
        ])
    }

    /// Bits of the upper and the lower half of a limb product.
    fn halves(a: __m256d, b: __m256d) -> [__m256i; 2] {
        let high = _mm256_fmadd_pd(a, b, real(HIGH));
        let low = _mm256_fmadd_pd(a, b, _mm256_sub_pd(real(HIGH + LOW), high));
        [_mm256_castpd_si256(high), _mm256_castpd_si256(low)]
    }

    /// `z + 19·x + correction`.
    fn fold(z: __m256i, x: __m256i, correction: u64) -> __m256i {
        let z = _mm256_add_epi64(_mm256_add_epi64(z, all(correction)), x);
        _mm256_add_epi64(_mm256_add_epi64(z, _mm256_add_epi64(x, x)), _mm256_slli_epi64::<4>(x))
    }

    /// One carry out of every column at once: columns raised by [`RAISE`] in, tight limbs out.
    fn settle(s: &[__m256i; 5]) -> Fe {
        let (mask, unit) = (all(LIMB), all(UNIT.to_bits()));
        let rest = |s| _mm256_or_si256(_mm256_and_si256(s, mask), unit);
        let carry = |s| _mm256_srli_epi64::<RADIX>(s);
        let limb = |rest, carry, raised| _mm256_sub_pd(_mm256_castsi256_pd(_mm256_add_epi64(rest, carry)), real(raised));
        Fe([
            limb(rest(s[0]), _mm256_mul_epu32(carry(s[4]), all(19)), RAISED_0),
            limb(rest(s[1]), carry(s[0]), RAISED),
            limb(rest(s[2]), carry(s[1]), RAISED),
            limb(rest(s[3]), carry(s[2]), RAISED),
            limb(rest(s[4]), carry(s[3]), RAISED),
        ])
    }

    /// Left to the compiler, unlike the product: its 30 halves are spilled, too, but inlined into chains of squares it is faster than a call.
    fn square(a: &Fe) -> Fe {
        let a = &a.0;
        let twice = [_mm256_add_pd(a[0], a[0]), _mm256_add_pd(a[1], a[1]), _mm256_add_pd(a[2], a[2]), _mm256_add_pd(a[3], a[3])];
        let mut z = [_mm256_setzero_si256(); 10];
        macro_rules! column { ($k:literal: $($a:ident $i:literal $j:literal),*) => { $(
            let [high, low] = halves($a[$i], a[$j]);
            z[$k] = _mm256_add_epi64(z[$k], low);
            z[$k + 1] = _mm256_add_epi64(z[$k + 1], high);
        )* } }
        column!(4: twice 0 4, twice 1 3, a 2 2);
        column!(5: twice 1 4, twice 2 3);
        column!(0: a 0 0);
        let s0 = fold(z[0], z[5], SQUARE[0]);
        column!(6: twice 2 4, a 3 3);
        column!(1: twice 0 1);
        let s1 = fold(z[1], z[6], SQUARE[1]);
        column!(7: twice 3 4);
        column!(2: twice 0 2, a 1 1);
        let s2 = fold(z[2], z[7], SQUARE[2]);
        column!(8: a 4 4);
        column!(3: twice 0 3, twice 1 2);
        settle(&[s0, s1, s2, fold(z[3], z[8], SQUARE[3]), fold(z[4], z[9], SQUARE[4])])
    }

    fn select(mask: __m256i, a: &Fe, b: &Fe) -> Fe {
        let mask = _mm256_castsi256_pd(mask);
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm256_blendv_pd(a[0], b[0], mask),
            _mm256_blendv_pd(a[1], b[1], mask),
            _mm256_blendv_pd(a[2], b[2], mask),
            _mm256_blendv_pd(a[3], b[3], mask),
            _mm256_blendv_pd(a[4], b[4], mask),
        ])
    }

    /// The canonical limbs of a tight element, as integers.
    fn reduce(a: &Fe) -> [__m256i; 5] {
        let mask = all(LIMB);
        // p is added: between 0.49·p and 1.51·p, no limb below zero.
        let whole = |a, p: u64| _mm256_add_epi64(_mm256_castpd_si256(_mm256_add_pd(a, real(LOW))), all(p.wrapping_sub(LOW.to_bits())));
        let a = &a.0;
        let mut z = [whole(a[0], LIMB - 18), whole(a[1], LIMB), whole(a[2], LIMB), whole(a[3], LIMB), whole(a[4], LIMB)];
        // 1 if the element is not below the modulus: adding 19 then carries out of bit 255.
        let mut q = all(19);
        for limb in &z {
            q = _mm256_srli_epi64::<RADIX>(_mm256_add_epi64(*limb, q));
        }
        let mut c = _mm256_mul_epu32(q, all(19));
        for limb in &mut z {
            let sum = _mm256_add_epi64(*limb, c);
            c = _mm256_srli_epi64::<RADIX>(sum);
            *limb = _mm256_and_si256(sum, mask);
        }
        z
    }

    /// All limbs are zero: what lies within ±p is zero modulo p only as zero, of which there are no other tight limbs.
    fn is_zero(a: &Fe) -> __m256i {
        let [a, b, c, d, e] = a.0;
        let any = _mm256_or_pd(_mm256_or_pd(a, b), _mm256_or_pd(_mm256_or_pd(c, d), e));
        // Without the signs: there are two zeros.
        _mm256_cmpeq_epi64(_mm256_slli_epi64::<1>(_mm256_castpd_si256(any)), _mm256_setzero_si256())
    }

    /// Limb 0 is odd, or the element below zero (p is odd, so adding it turns that), not both.
    fn is_negative(a: &Fe) -> __m256i {
        let [a, b, c, d, e] = a.0;
        let down = real(1.0 / STEP);
        // The element over 2^204, rounded: the sign is that of the highest limb that is not zero, and stays.
        let sign = _mm256_fmadd_pd(_mm256_fmadd_pd(_mm256_fmadd_pd(_mm256_fmadd_pd(a, down, b), down, c), down, d), down, e);
        let below = _mm256_castpd_si256(_mm256_cmp_pd::<_CMP_LT_OQ>(sign, _mm256_setzero_pd()));
        let odd = _mm256_and_si256(_mm256_castpd_si256(_mm256_add_pd(a, real(LOW))), all(1));
        _mm256_xor_si256(below, _mm256_sub_epi64(_mm256_setzero_si256(), odd))
    }

    /// Turns four rows of four words into four columns.
    fn transpose(r: [__m256i; 4]) -> [__m256i; 4] {
        let pairs = [
            _mm256_unpacklo_epi64(r[0], r[1]),
            _mm256_unpackhi_epi64(r[0], r[1]),
            _mm256_unpacklo_epi64(r[2], r[3]),
            _mm256_unpackhi_epi64(r[2], r[3]),
        ];
        [
            _mm256_permute2x128_si256::<0x20>(pairs[0], pairs[2]),
            _mm256_permute2x128_si256::<0x20>(pairs[1], pairs[3]),
            _mm256_permute2x128_si256::<0x31>(pairs[0], pairs[2]),
            _mm256_permute2x128_si256::<0x31>(pairs[1], pairs[3]),
        ]
    }

    fn load(bytes: &[[u8; 32]; 4]) -> Fe {
        let row = |string: &[u8; 32]| {
            // SAFETY: the string has 32 bytes, and the load needs no alignment.
            unsafe { _mm256_loadu_si256(string.as_ptr().cast()) }
        };
        let w = transpose([row(&bytes[0]), row(&bytes[1]), row(&bytes[2]), row(&bytes[3])]);
        let mask = all(LIMB);
        let raised = |limb| _mm256_add_epi64(_mm256_and_si256(limb, mask), all(RAISE));
        settle(&[
            raised(w[0]),
            raised(_mm256_or_si256(_mm256_srli_epi64::<51>(w[0]), _mm256_slli_epi64::<13>(w[1]))),
            raised(_mm256_or_si256(_mm256_srli_epi64::<38>(w[1]), _mm256_slli_epi64::<26>(w[2]))),
            raised(_mm256_or_si256(_mm256_srli_epi64::<25>(w[2]), _mm256_slli_epi64::<39>(w[3]))),
            raised(_mm256_srli_epi64::<12>(w[3])),
        ])
    }

    fn store(a: &Fe, out: &mut [[u8; 32]; 4]) {
        let z = reduce(a);
        let rows = transpose([
            _mm256_or_si256(z[0], _mm256_slli_epi64::<51>(z[1])),
            _mm256_or_si256(_mm256_srli_epi64::<13>(z[1]), _mm256_slli_epi64::<38>(z[2])),
            _mm256_or_si256(_mm256_srli_epi64::<26>(z[2]), _mm256_slli_epi64::<25>(z[3])),
            _mm256_or_si256(_mm256_srli_epi64::<39>(z[3]), _mm256_slli_epi64::<12>(z[4])),
        ]);
        for (row, string) in rows.into_iter().zip(out) {
            // SAFETY: the string has 32 bytes, and the store needs no alignment.
            unsafe { _mm256_storeu_si256(string.as_mut_ptr().cast(), row) }
        }
    }

    fn broadcast(a: &Fe, lane: usize) -> Fe {
        let lane = lane as u64;
        let at = all(((2 * lane + 1) << 32) | (2 * lane));
        let pick = |a| _mm256_castsi256_pd(_mm256_permutevar8x32_epi32(_mm256_castpd_si256(a), at));
        Fe([pick(a.0[0]), pick(a.0[1]), pick(a.0[2]), pick(a.0[3]), pick(a.0[4])])
    }

    fn fixed_row(entries: &[[[u64; 4]; 3]; 8]) -> Row {
        let mut row = Row([[[_mm256_setzero_si256(); 2]; 5]; 3]);
        for (c, coordinate) in row.0.iter_mut().enumerate() {
            for (l, halves) in coordinate.iter_mut().enumerate() {
                let bits: [u64; 8] = core::array::from_fn(|e| tight(&entries[e][c])[l].to_bits());
                let pair = |shift: u32, e: usize| ((bits[e] >> shift) & 0xffff_ffff) | ((bits[e + 1] >> shift) << 32);
                *halves = [0, 32].map(|shift| array(&[pair(shift, 0), pair(shift, 2), pair(shift, 4), pair(shift, 6)]));
            }
        }
        row
    }

    fn fixed_select(row: &Row, digit: __m256i) -> [Fe; 3] {
        let at = _mm256_sub_epi64(digit, all(1));
        let at = _mm256_or_si256(at, _mm256_slli_epi64::<32>(at));
        let none = _mm256_castsi256_pd(_mm256_cmpeq_epi64(digit, _mm256_setzero_si256()));
        let pick = |halves: &[__m256i; 2]| {
            let (low, high) = (_mm256_permutevar8x32_epi32(halves[0], at), _mm256_permutevar8x32_epi32(halves[1], at));
            _mm256_andnot_pd(none, _mm256_castsi256_pd(_mm256_blend_epi32::<0b1010_1010>(low, high)))
        };
        let pick = |c: &[[__m256i; 2]; 5]| Fe([pick(&c[0]), pick(&c[1]), pick(&c[2]), pick(&c[3]), pick(&c[4])]);
        let (mut yp, mut ym, t) = (pick(&row.0[0]), pick(&row.0[1]), pick(&row.0[2]));
        let one = _mm256_and_pd(none, real(1.0));
        yp.0[0] = _mm256_or_pd(yp.0[0], one);
        ym.0[0] = _mm256_or_pd(ym.0[0], one);
        [yp, ym, t]
    }

    fn gather(buckets: &[Bucket], at: &[u32; 4]) -> [Fe; 4] {
        let rows = at.map(|at| buckets[at as usize].0.as_chunks::<4>().0);
        let mut words = [_mm256_setzero_si256(); 20];
        for (block, words) in words.as_chunks_mut::<4>().0.iter_mut().enumerate() {
            let row = |lane: usize| {
                // SAFETY: a chunk of a row is four words, and the load needs no alignment.
                unsafe { _mm256_loadu_si256(rows[lane][block].as_ptr().cast()) }
            };
            *words = transpose([row(0), row(1), row(2), row(3)]);
        }
        let word = |n: usize| _mm256_castsi256_pd(words[n]);
        let coordinate = |n: usize| Fe([word(n), word(n + 1), word(n + 2), word(n + 3), word(n + 4)]);
        [coordinate(0), coordinate(5), coordinate(10), coordinate(15)]
    }

    fn scatter(coordinates: &[Fe; 4], buckets: &mut [Bucket], at: &[u32; 4]) {
        for block in 0..5 {
            let word = |n: usize| _mm256_castpd_si256(coordinates[n / 5].0[n % 5]);
            let n = 4 * block;
            for (row, at) in transpose([word(n), word(n + 1), word(n + 2), word(n + 3)]).into_iter().zip(at) {
                let (chunks, _) = buckets[*at as usize].0.as_chunks_mut::<4>();
                // SAFETY: a chunk of a row is four words, and the store needs no alignment.
                unsafe { _mm256_storeu_si256(chunks[block].as_mut_ptr().cast(), row) }
            }
        }
    }

    fn ints(values: &[i8; 4]) -> __m256i {
        array(&values.map(|v| i64::from(v).cast_unsigned()))
    }

    fn below_zero(a: __m256i) -> __m256i {
        _mm256_cmpgt_epi64(_mm256_setzero_si256(), a)
    }

    fn magnitude(a: __m256i) -> __m256i {
        let sign = below_zero(a);
        _mm256_sub_epi64(_mm256_xor_si256(a, sign), sign)
    }
}

impl Lanes for Avx2 {
    const NAME: &'static str = "avx2";
    const WIDTH: usize = 4;
    const FIXED_BITS: usize = 4;

    type Fe = Fe;
    type Mask = __m256i;
    type Int = __m256i;
    type Packed = Fe;
    type FixedRow = Row;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        #[inline]
        #[target_feature(enable = "avx2,fma")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the token exists, so the processor has the instructions.
        unsafe { inner(f) }
    }

    forward! {
        fn splat(words: &[u64; 4]) -> Fe = splat(words);
        fn load(bytes: &[[u8; 32]]) -> Fe = load(exactly(bytes));
        fn store(a: &Fe, out: &mut [[u8; 32]]) = store(a, exactly_mut(out));
        fn mul(a: &Fe, b: &Fe) -> Fe = product::mul(a, b);
        fn square(a: &Fe) -> Fe = square(a);
        fn add(a: &Fe, b: &Fe) -> Fe = add(a, b);
        fn sub(a: &Fe, b: &Fe) -> Fe = sub(a, b);
        fn carry(a: &Fe) -> Fe = carry(a);
        fn select(mask: __m256i, a: &Fe, b: &Fe) -> Fe = select(mask, a, b);
        fn is_zero(a: &Fe) -> __m256i = is_zero(a);
        fn is_negative(a: &Fe) -> __m256i = is_negative(a);
        fn and(a: __m256i, b: __m256i) -> __m256i = _mm256_and_si256(a, b);
        fn or(a: __m256i, b: __m256i) -> __m256i = _mm256_or_si256(a, b);
        fn not(a: __m256i) -> __m256i = _mm256_xor_si256(a, all(u64::MAX));
        fn bits(a: __m256i) -> u32 = _mm256_movemask_pd(_mm256_castsi256_pd(a)).cast_unsigned();
        fn ints(values: &[i8]) -> __m256i = ints(exactly(values));
        fn below_zero(a: __m256i) -> __m256i = below_zero(a);
        fn magnitude(a: __m256i) -> __m256i = magnitude(a);
        fn equals(a: __m256i, value: u64) -> __m256i = _mm256_cmpeq_epi64(a, all(value));
        fn select_packed(mask: __m256i, a: &Fe, b: &Fe) -> Fe = select(mask, a, b);
        fn broadcast(a: &Fe, lane: usize) -> Fe = broadcast(a, lane);
        fn fixed_select(row: &Row, digit: __m256i) -> [Fe; 3] = fixed_select(row, digit);
        fn gather(buckets: &[Bucket], at: &[u32]) -> [Fe; 4] = gather(buckets, exactly(at));
        fn scatter(coordinates: &[Fe; 4], buckets: &mut [Bucket], at: &[u32]) = scatter(coordinates, buckets, exactly(at));
    }

    fn fixed_row(self, entries: &[[[u64; 4]; 3]]) -> Row {
        match entries.try_into() {
            // SAFETY: the token exists, so the processor has the instructions.
            Ok(entries) => unsafe { fixed_row(entries) },
            Err(_) => unreachable!("a row of 8 entries"),
        }
    }

    /// One factor of a product may be loose.
    #[inline(always)]
    fn fit(self, a: &Fe) -> Fe {
        *a
    }

    #[inline(always)]
    fn pack(self, a: &Fe) -> Fe {
        *a
    }

    #[inline(always)]
    fn unpack(self, a: &Fe) -> Fe {
        *a
    }
}

#[cfg(test)]
mod tests;
