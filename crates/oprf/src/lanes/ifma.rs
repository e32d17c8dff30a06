//! Eight lanes with AVX-512 IFMA: five limbs of 51 bits, 52-bit multiply-accumulate.
//!
//! A limb product `a·b` comes in two halves, its low 52 bits and what is above. In radix 2^51 the upper half counts twice in the next
//! column, so a column is: upper halves of the column before, doubled, plus lower halves; columns 5 to 9 come back 19-fold.
//! A tight element has limbs below 2^51 + 2^13; operands of a product must be below 2^52, of which the instruction sees no more.

use core::arch::x86_64::*;

use super::backend::{Bucket, Lanes};
use super::limbs::{LIMB, exactly, exactly_mut, forward, limbs};

/// That this processor has AVX-512 F, DQ, VL, BW and IFMA.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ifma(());

impl Ifma {
    /// Looks at the processor.
    pub(crate) fn detect() -> Option<Self> {
        let has = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512ifma");
        has.then_some(Self(()))
    }
}

/// Eight elements, limb by limb.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Fe([__m512i; 5]);

/// One window of a fixed-base table: limb `l` of coordinate `c` of all 16 entries in two registers, permuted by each lane's digit.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Row([[[__m512i; 2]; 5]; 3]);

/// Bits of a limb.
const RADIX: u32 = 51;
/// Twice the modulus in limbs that exceed any tight limb: added before a difference is taken.
const TWO_P: [u64; 5] = [2 * LIMB - 36, 2 * LIMB, 2 * LIMB, 2 * LIMB, 2 * LIMB];

/// Declares functions that are compiled for the backend's instructions, and inlined where those are on already.
macro_rules! ifma {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {
        $($(#[$doc])* #[inline] #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx512ifma")]
        fn $name($($arg: $ty),*) $(-> $ret)? $body)*
    };
}

ifma! {
    fn all(x: u64) -> __m512i {
        _mm512_set1_epi64(x.cast_signed())
    }

    fn array(x: &[u64; 8]) -> __m512i {
        let [a, b, c, d, e, f, g, h] = x.map(u64::cast_signed);
        _mm512_setr_epi64(a, b, c, d, e, f, g, h)
    }

    fn lanes(x: __m512i) -> [u64; 8] {
        // SAFETY: both types are 64 bytes of plain integers.
        unsafe { core::mem::transmute::<__m512i, [u64; 8]>(x) }
    }

    fn splat(words: &[u64; 4]) -> Fe {
        let limbs = limbs(words);
        Fe([all(limbs[0]), all(limbs[1]), all(limbs[2]), all(limbs[3]), all(limbs[4])])
    }

    fn add(a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm512_add_epi64(a[0], b[0]),
            _mm512_add_epi64(a[1], b[1]),
            _mm512_add_epi64(a[2], b[2]),
            _mm512_add_epi64(a[3], b[3]),
            _mm512_add_epi64(a[4], b[4]),
        ])
    }

    fn sub(a: &Fe, b: &Fe) -> Fe {
        let (first, rest) = (all(TWO_P[0]), all(TWO_P[1]));
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm512_sub_epi64(_mm512_add_epi64(a[0], first), b[0]),
            _mm512_sub_epi64(_mm512_add_epi64(a[1], rest), b[1]),
            _mm512_sub_epi64(_mm512_add_epi64(a[2], rest), b[2]),
            _mm512_sub_epi64(_mm512_add_epi64(a[3], rest), b[3]),
            _mm512_sub_epi64(_mm512_add_epi64(a[4], rest), b[4]),
        ])
    }

    /// One carry out of every limb at once: limbs below 2^64 in, below 2^51 + 2^13 (19 times 2^8.3, with those of products) out.
    fn carry(z: &[__m512i; 5]) -> Fe {
        let mask = all(LIMB);
        let nineteen = all(19);
        let c = [
            _mm512_srli_epi64::<RADIX>(z[0]),
            _mm512_srli_epi64::<RADIX>(z[1]),
            _mm512_srli_epi64::<RADIX>(z[2]),
            _mm512_srli_epi64::<RADIX>(z[3]),
            _mm512_srli_epi64::<RADIX>(z[4]),
        ];
        Fe([
            _mm512_madd52lo_epu64(_mm512_and_si512(z[0], mask), c[4], nineteen),
            _mm512_add_epi64(_mm512_and_si512(z[1], mask), c[0]),
            _mm512_add_epi64(_mm512_and_si512(z[2], mask), c[1]),
            _mm512_add_epi64(_mm512_and_si512(z[3], mask), c[2]),
            _mm512_add_epi64(_mm512_and_si512(z[4], mask), c[3]),
        ])
    }

    fn nineteenfold(x: __m512i) -> __m512i {
        let three = _mm512_add_epi64(_mm512_add_epi64(x, x), x);
        _mm512_add_epi64(three, _mm512_slli_epi64::<4>(x))
    }

    /// Columns 5 to 9 come back 19-fold, then one carry. Columns stay below 2^55 and so the sums below 2^60.
    fn fold(z: &[__m512i; 10]) -> Fe {
        carry(&[
            _mm512_add_epi64(z[0], nineteenfold(z[5])),
            _mm512_add_epi64(z[1], nineteenfold(z[6])),
            _mm512_add_epi64(z[2], nineteenfold(z[7])),
            _mm512_add_epi64(z[3], nineteenfold(z[8])),
            _mm512_add_epi64(z[4], nineteenfold(z[9])),
        ])
    }

    fn mul(a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        let zero = _mm512_setzero_si512();
        let mut z = [zero; 10];
        // Upper halves first, one column up; then all is doubled, and lower halves come in place.
        macro_rules! high { ($($i:literal $j:literal),*) => { $(z[$i + $j + 1] = _mm512_madd52hi_epu64(z[$i + $j + 1], a[$i], b[$j]);)* } }
        macro_rules! low { ($($i:literal $j:literal),*) => { $(z[$i + $j] = _mm512_madd52lo_epu64(z[$i + $j], a[$i], b[$j]);)* } }
        high!(0 0, 0 1, 0 2, 0 3, 0 4, 1 0, 1 1, 1 2, 1 3, 1 4, 2 0, 2 1, 2 2, 2 3, 2 4, 3 0, 3 1, 3 2, 3 3, 3 4, 4 0, 4 1, 4 2, 4 3, 4 4);
        macro_rules! double { ($($k:literal),*) => { $(z[$k] = _mm512_add_epi64(z[$k], z[$k]);)* } }
        double!(1, 2, 3, 4, 5, 6, 7, 8, 9);
        low!(0 0, 0 1, 0 2, 0 3, 0 4, 1 0, 1 1, 1 2, 1 3, 1 4, 2 0, 2 1, 2 2, 2 3, 2 4, 3 0, 3 1, 3 2, 3 3, 3 4, 4 0, 4 1, 4 2, 4 3, 4 4);
        fold(&z)
    }

    fn square(a: &Fe) -> Fe {
        let a = &a.0;
        let zero = _mm512_setzero_si512();
        let mut z = [zero; 10];
        macro_rules! high { ($($i:literal $j:literal),*) => { $(z[$i + $j + 1] = _mm512_madd52hi_epu64(z[$i + $j + 1], a[$i], a[$j]);)* } }
        macro_rules! low { ($($i:literal $j:literal),*) => { $(z[$i + $j] = _mm512_madd52lo_epu64(z[$i + $j], a[$i], a[$j]);)* } }
        macro_rules! double { ($($k:literal),*) => { $(z[$k] = _mm512_add_epi64(z[$k], z[$k]);)* } }
        // Upper halves of mixed products count four times, upper halves of squares and lower halves of mixed products twice.
        high!(0 1, 0 2, 0 3, 0 4, 1 2, 1 3, 1 4, 2 3, 2 4, 3 4);
        double!(2, 3, 4, 5, 6, 7, 8);
        high!(0 0, 1 1, 2 2, 3 3, 4 4);
        low!(0 1, 0 2, 0 3, 0 4, 1 2, 1 3, 1 4, 2 3, 2 4, 3 4);
        double!(1, 2, 3, 4, 5, 6, 7, 8, 9);
        low!(0 0, 1 1, 2 2, 3 3, 4 4);
        fold(&z)
    }

    fn select(mask: __mmask8, a: &Fe, b: &Fe) -> Fe {
        let (a, b) = (&a.0, &b.0);
        Fe([
            _mm512_mask_blend_epi64(mask, a[0], b[0]),
            _mm512_mask_blend_epi64(mask, a[1], b[1]),
            _mm512_mask_blend_epi64(mask, a[2], b[2]),
            _mm512_mask_blend_epi64(mask, a[3], b[3]),
            _mm512_mask_blend_epi64(mask, a[4], b[4]),
        ])
    }

    /// The canonical limbs of a tight element, which is below twice the modulus.
    fn reduce(a: &Fe) -> Fe {
        let mask = all(LIMB);
        let mut z = a.0;
        // 1 if the element is not below the modulus: adding 19 then carries out of bit 255.
        let mut q = _mm512_srli_epi64::<RADIX>(_mm512_add_epi64(z[0], all(19)));
        q = _mm512_srli_epi64::<RADIX>(_mm512_add_epi64(z[1], q));
        q = _mm512_srli_epi64::<RADIX>(_mm512_add_epi64(z[2], q));
        q = _mm512_srli_epi64::<RADIX>(_mm512_add_epi64(z[3], q));
        q = _mm512_srli_epi64::<RADIX>(_mm512_add_epi64(z[4], q));
        let mut c = nineteenfold(q);
        for limb in &mut z {
            let sum = _mm512_add_epi64(*limb, c);
            c = _mm512_srli_epi64::<RADIX>(sum);
            *limb = _mm512_and_si512(sum, mask);
        }
        Fe(z)
    }

    fn is_zero(a: &Fe) -> __mmask8 {
        let [a, b, c, d, e] = reduce(a).0;
        let any = _mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(_mm512_or_si512(c, d), e));
        _mm512_testn_epi64_mask(any, any)
    }

    fn is_negative(a: &Fe) -> __mmask8 {
        _mm512_test_epi64_mask(reduce(a).0[0], all(1))
    }

    fn load(bytes: &[[u8; 32]; 8]) -> Fe {
        let mut words = [[0; 8]; 4];
        for (lane, string) in bytes.iter().enumerate() {
            let (chunks, _) = string.as_chunks::<8>();
            for (word, chunk) in words.iter_mut().zip(chunks) {
                word[lane] = u64::from_le_bytes(*chunk);
            }
        }
        let w = [array(&words[0]), array(&words[1]), array(&words[2]), array(&words[3])];
        let mask = all(LIMB);
        Fe([
            _mm512_and_si512(w[0], mask),
            _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<51>(w[0]), _mm512_slli_epi64::<13>(w[1])), mask),
            _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<38>(w[1]), _mm512_slli_epi64::<26>(w[2])), mask),
            _mm512_and_si512(_mm512_or_si512(_mm512_srli_epi64::<25>(w[2]), _mm512_slli_epi64::<39>(w[3])), mask),
            _mm512_and_si512(_mm512_srli_epi64::<12>(w[3]), mask),
        ])
    }

    fn store(a: &Fe, out: &mut [[u8; 32]; 8]) {
        let z = reduce(a).0;
        let words = [
            lanes(_mm512_or_si512(z[0], _mm512_slli_epi64::<51>(z[1]))),
            lanes(_mm512_or_si512(_mm512_srli_epi64::<13>(z[1]), _mm512_slli_epi64::<38>(z[2]))),
            lanes(_mm512_or_si512(_mm512_srli_epi64::<26>(z[2]), _mm512_slli_epi64::<25>(z[3]))),
            lanes(_mm512_or_si512(_mm512_srli_epi64::<39>(z[3]), _mm512_slli_epi64::<12>(z[4]))),
        ];
        for (lane, string) in out.iter_mut().enumerate() {
            let (chunks, _) = string.as_chunks_mut::<8>();
            for (word, chunk) in words.iter().zip(chunks) {
                *chunk = word[lane].to_le_bytes();
            }
        }
    }

    fn broadcast(a: &Fe, lane: usize) -> Fe {
        let at = all(lane as u64);
        Fe([
            _mm512_permutexvar_epi64(at, a.0[0]),
            _mm512_permutexvar_epi64(at, a.0[1]),
            _mm512_permutexvar_epi64(at, a.0[2]),
            _mm512_permutexvar_epi64(at, a.0[3]),
            _mm512_permutexvar_epi64(at, a.0[4]),
        ])
    }

    fn fixed_row(entries: &[[[u64; 4]; 3]; 16]) -> Row {
        let mut row = Row([[[_mm512_setzero_si512(); 2]; 5]; 3]);
        for (c, coordinate) in row.0.iter_mut().enumerate() {
            for (l, halves) in coordinate.iter_mut().enumerate() {
                for (h, half) in halves.iter_mut().enumerate() {
                    *half = array(&core::array::from_fn(|e| limbs(&entries[8 * h + e][c])[l]));
                }
            }
        }
        row
    }

    fn fixed_select(row: &Row, digit: __m512i) -> [Fe; 3] {
        let at = _mm512_sub_epi64(digit, all(1));
        let some = _mm512_test_epi64_mask(digit, digit);
        let pick = |coordinate: &[[__m512i; 2]; 5]| {
            Fe([
                _mm512_maskz_permutex2var_epi64(some, coordinate[0][0], at, coordinate[0][1]),
                _mm512_maskz_permutex2var_epi64(some, coordinate[1][0], at, coordinate[1][1]),
                _mm512_maskz_permutex2var_epi64(some, coordinate[2][0], at, coordinate[2][1]),
                _mm512_maskz_permutex2var_epi64(some, coordinate[3][0], at, coordinate[3][1]),
                _mm512_maskz_permutex2var_epi64(some, coordinate[4][0], at, coordinate[4][1]),
            ])
        };
        let (mut yp, mut ym, t) = (pick(&row.0[0]), pick(&row.0[1]), pick(&row.0[2]));
        yp.0[0] = _mm512_mask_blend_epi64(some, all(1), yp.0[0]);
        ym.0[0] = _mm512_mask_blend_epi64(some, all(1), ym.0[0]);
        [yp, ym, t]
    }

    /// Turns eight rows of eight words into eight columns.
    fn transpose(r: [__m512i; 8]) -> [__m512i; 8] {
        let even = |a, b| _mm512_unpacklo_epi64(a, b);
        let odd = |a, b| _mm512_unpackhi_epi64(a, b);
        let pairs = [
            even(r[0], r[1]), odd(r[0], r[1]), even(r[2], r[3]), odd(r[2], r[3]),
            even(r[4], r[5]), odd(r[4], r[5]), even(r[6], r[7]), odd(r[6], r[7]),
        ];
        // Each pair register holds columns (0,2,4,6) or (1,3,5,7) of two rows in its four quarters.
        let low = |a, b| _mm512_shuffle_i64x2::<0b10_00_10_00>(a, b);
        let high = |a, b| _mm512_shuffle_i64x2::<0b11_01_11_01>(a, b);
        let quads = [
            low(pairs[0], pairs[2]), high(pairs[0], pairs[2]), low(pairs[1], pairs[3]), high(pairs[1], pairs[3]),
            low(pairs[4], pairs[6]), high(pairs[4], pairs[6]), low(pairs[5], pairs[7]), high(pairs[5], pairs[7]),
        ];
        [
            low(quads[0], quads[4]), low(quads[2], quads[6]), low(quads[1], quads[5]), low(quads[3], quads[7]),
            high(quads[0], quads[4]), high(quads[2], quads[6]), high(quads[1], quads[5]), high(quads[3], quads[7]),
        ]
    }

    fn gather(buckets: &[Bucket], at: &[u32; 8]) -> [Fe; 4] {
        let zero = _mm512_setzero_si512();
        let rows = at.map(|at| &buckets[at as usize].0);
        let mut words = [zero; 24];
        for block in 0..3 {
            let mut part = [zero; 8];
            for (part, row) in part.iter_mut().zip(rows) {
                let from: &[u64] = if block < 2 { &row[8 * block..8 * block + 8] } else { &row[16..20] };
                // SAFETY: `from` has eight words, or four under a mask of four: no byte outside of it is read.
                *part = unsafe {
                    if block < 2 { _mm512_loadu_epi64(from.as_ptr().cast()) } else { _mm512_maskz_loadu_epi64(0x0f, from.as_ptr().cast()) }
                };
            }
            words[8 * block..8 * block + 8].copy_from_slice(&transpose(part));
        }
        let coordinate = |c: usize| Fe([words[5 * c], words[5 * c + 1], words[5 * c + 2], words[5 * c + 3], words[5 * c + 4]]);
        [coordinate(0), coordinate(1), coordinate(2), coordinate(3)]
    }

    fn scatter(coordinates: &[Fe; 4], buckets: &mut [Bucket], at: &[u32; 8]) {
        let zero = _mm512_setzero_si512();
        let mut words = [zero; 24];
        for (c, coordinate) in coordinates.iter().enumerate() {
            words[5 * c..5 * c + 5].copy_from_slice(&coordinate.0);
        }
        for block in 0..3 {
            let mut part = [zero; 8];
            part.copy_from_slice(&words[8 * block..8 * block + 8]);
            for (part, at) in transpose(part).into_iter().zip(at) {
                let row = &mut buckets[*at as usize].0;
                let to: &mut [u64] = if block < 2 { &mut row[8 * block..8 * block + 8] } else { &mut row[16..20] };
                // SAFETY: `to` has eight words, or four under a mask of four: no byte outside of it is written.
                unsafe {
                    if block < 2 { _mm512_storeu_epi64(to.as_mut_ptr().cast(), part) } else { _mm512_mask_storeu_epi64(to.as_mut_ptr().cast(), 0x0f, part) }
                }
            }
        }
    }
}

impl Lanes for Ifma {
    const NAME: &'static str = "ifma";
    const WIDTH: usize = 8;
    const FIXED_BITS: usize = 5;

    type Fe = Fe;
    type Mask = __mmask8;
    type Int = __m512i;
    type Packed = Fe;
    type FixedRow = Row;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        #[inline]
        #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw,avx512ifma")]
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
        fn mul(a: &Fe, b: &Fe) -> Fe = mul(a, b);
        fn square(a: &Fe) -> Fe = square(a);
        fn add(a: &Fe, b: &Fe) -> Fe = add(a, b);
        fn sub(a: &Fe, b: &Fe) -> Fe = sub(a, b);
        fn carry(a: &Fe) -> Fe = carry(&a.0);
        fn fit(a: &Fe) -> Fe = carry(&a.0);
        fn select(mask: __mmask8, a: &Fe, b: &Fe) -> Fe = select(mask, a, b);
        fn is_zero(a: &Fe) -> __mmask8 = is_zero(a);
        fn is_negative(a: &Fe) -> __mmask8 = is_negative(a);
        fn below_zero(a: __m512i) -> __mmask8 = _mm512_movepi64_mask(a);
        fn magnitude(a: __m512i) -> __m512i = _mm512_abs_epi64(a);
        fn equals(a: __m512i, value: u64) -> __mmask8 = _mm512_cmpeq_epi64_mask(a, all(value));
        fn ints(values: &[i8]) -> __m512i = array(&exactly(values).map(|v| i64::from(v).cast_unsigned()));
        fn select_packed(mask: __mmask8, a: &Fe, b: &Fe) -> Fe = select(mask, a, b);
        fn broadcast(a: &Fe, lane: usize) -> Fe = broadcast(a, lane);
        fn fixed_select(row: &Row, digit: __m512i) -> [Fe; 3] = fixed_select(row, digit);
        fn gather(buckets: &[Bucket], at: &[u32]) -> [Fe; 4] = gather(buckets, exactly(at));
        fn scatter(coordinates: &[Fe; 4], buckets: &mut [Bucket], at: &[u32]) = scatter(coordinates, buckets, exactly(at));
    }

    fn fixed_row(self, entries: &[[[u64; 4]; 3]]) -> Row {
        match entries.try_into() {
            // SAFETY: the token exists, so the processor has the instructions.
            Ok(entries) => unsafe { fixed_row(entries) },
            Err(_) => unreachable!("a row of 16 entries"),
        }
    }

    #[inline(always)]
    fn pack(self, a: &Fe) -> Fe {
        *a
    }

    #[inline(always)]
    fn unpack(self, a: &Fe) -> Fe {
        *a
    }

    #[inline(always)]
    fn and(self, a: __mmask8, b: __mmask8) -> __mmask8 {
        a & b
    }

    #[inline(always)]
    fn or(self, a: __mmask8, b: __mmask8) -> __mmask8 {
        a | b
    }

    #[inline(always)]
    fn not(self, a: __mmask8) -> __mmask8 {
        !a
    }

    #[inline(always)]
    fn bits(self, a: __mmask8) -> u32 {
        a.into()
    }
}
