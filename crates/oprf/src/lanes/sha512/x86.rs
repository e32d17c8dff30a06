//! Backends for x86-64: eight lanes with AVX-512 (F and BW do), four with AVX2.

use core::arch::x86_64::*;

use super::{Blocks, LANES_MAX, Words};
use crate::lanes::avx2::Avx2;
use crate::lanes::ifma::Ifma;
use crate::lanes::limbs::forward;

impl Words for Ifma {
    const WIDTH: usize = 8;
    type Word = __m512i;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        #[inline]
        #[target_feature(enable = "avx512f,avx512bw")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the token exists, so the processor has the instructions.
        unsafe { inner(f) }
    }

    forward! {
        fn splat(word: u64) -> __m512i = _mm512_set1_epi64(word.cast_signed());
        fn add(a: __m512i, b: __m512i) -> __m512i = _mm512_add_epi64(a, b);
        fn shift_6(a: __m512i) -> __m512i = _mm512_srli_epi64::<6>(a);
        fn shift_7(a: __m512i) -> __m512i = _mm512_srli_epi64::<7>(a);
        fn xor(a: __m512i, b: __m512i, c: __m512i) -> __m512i = _mm512_ternarylogic_epi64::<0x96>(a, b, c);
        fn choose(a: __m512i, b: __m512i, c: __m512i) -> __m512i = _mm512_ternarylogic_epi64::<0xca>(a, b, c);
        fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i = _mm512_ternarylogic_epi64::<0xe8>(a, b, c);
        fn select(lanes: u8, a: __m512i, b: __m512i) -> __m512i = _mm512_mask_mov_epi64(a, lanes, b);
        fn load(messages: &[Blocks; LANES_MAX], n: usize) -> [__m512i; 16] = load8(messages, n);
        fn store(state: &[__m512i; 8], out: &mut [[u64; 8]; LANES_MAX]) = store8(state, out);
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self, a: __m512i) -> __m512i {
        // SAFETY: the token exists, so the processor has the instructions.
        unsafe { _mm512_ror_epi64::<RIGHT>(a) }
    }
}

/// Words of eight lanes for lanes of eight words, or back.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn transpose8(rows: &[__m512i; 8]) -> [__m512i; 8] {
    // Even columns of two rows each, then odd ones: by twos, then by fours, then all.
    let halves = |pairs: [__m512i; 4]| {
        let even = [_mm512_shuffle_i64x2::<0x88>(pairs[0], pairs[1]), _mm512_shuffle_i64x2::<0x88>(pairs[2], pairs[3])];
        let odd = [_mm512_shuffle_i64x2::<0xdd>(pairs[0], pairs[1]), _mm512_shuffle_i64x2::<0xdd>(pairs[2], pairs[3])];
        [
            _mm512_shuffle_i64x2::<0x88>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0x88>(odd[0], odd[1]),
            _mm512_shuffle_i64x2::<0xdd>(even[0], even[1]),
            _mm512_shuffle_i64x2::<0xdd>(odd[0], odd[1]),
        ]
    };
    let [c0, c2, c4, c6] = halves([
        _mm512_unpacklo_epi64(rows[0], rows[1]),
        _mm512_unpacklo_epi64(rows[2], rows[3]),
        _mm512_unpacklo_epi64(rows[4], rows[5]),
        _mm512_unpacklo_epi64(rows[6], rows[7]),
    ]);
    let [c1, c3, c5, c7] = halves([
        _mm512_unpackhi_epi64(rows[0], rows[1]),
        _mm512_unpackhi_epi64(rows[2], rows[3]),
        _mm512_unpackhi_epi64(rows[4], rows[5]),
        _mm512_unpackhi_epi64(rows[6], rows[7]),
    ]);
    [c0, c1, c2, c3, c4, c5, c6, c7]
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load8(messages: &[Blocks; LANES_MAX], n: usize) -> [__m512i; 16] {
    // The bytes of each word turned round, in each 128 bits.
    let turn = _mm512_set4_epi32(0x0809_0a0b, 0x0c0d_0e0f, 0x0001_0203, 0x0405_0607);
    let mut words = [_mm512_setzero_si512(); 16];
    for (half, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm512_setzero_si512(); 8];
        for (row, message) in rows.iter_mut().zip(messages) {
            // SAFETY: the half is 64 bytes of the block.
            let bytes = unsafe { _mm512_loadu_si512(message.0[n][64 * half..64 * half + 64].as_ptr().cast()) };
            *row = _mm512_shuffle_epi8(bytes, turn);
        }
        *words = transpose8(&rows);
    }
    words
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn store8(state: &[__m512i; 8], out: &mut [[u64; 8]; LANES_MAX]) {
    for (out, row) in out.iter_mut().zip(transpose8(state)) {
        // SAFETY: eight words are 64 bytes.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), row) };
    }
}

impl Words for Avx2 {
    const WIDTH: usize = 4;
    type Word = __m256i;

    #[inline(always)]
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R {
        #[inline]
        #[target_feature(enable = "avx2")]
        fn inner<R>(f: impl FnOnce() -> R) -> R {
            f()
        }
        // SAFETY: the token exists, so the processor has the instructions.
        unsafe { inner(f) }
    }

    forward! {
        fn splat(word: u64) -> __m256i = _mm256_set1_epi64x(word.cast_signed());
        fn add(a: __m256i, b: __m256i) -> __m256i = _mm256_add_epi64(a, b);
        fn shift_6(a: __m256i) -> __m256i = _mm256_srli_epi64::<6>(a);
        fn shift_7(a: __m256i) -> __m256i = _mm256_srli_epi64::<7>(a);
        fn xor(a: __m256i, b: __m256i, c: __m256i) -> __m256i = _mm256_xor_si256(_mm256_xor_si256(a, b), c);
        fn choose(a: __m256i, b: __m256i, c: __m256i) -> __m256i = _mm256_xor_si256(c, _mm256_and_si256(a, _mm256_xor_si256(b, c)));
        fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i = majority4(a, b, c);
        fn select(lanes: u8, a: __m256i, b: __m256i) -> __m256i = select4(lanes, a, b);
        fn load(messages: &[Blocks; LANES_MAX], n: usize) -> [__m256i; 16] = load4(messages, n);
        fn store(state: &[__m256i; 8], out: &mut [[u64; 8]; LANES_MAX]) = store4(state, out);
    }

    #[inline(always)]
    fn rotate<const RIGHT: i32, const LEFT: i32>(self, a: __m256i) -> __m256i {
        // SAFETY: the token exists, so the processor has the instructions.
        unsafe { rotate4::<RIGHT, LEFT>(a) }
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn rotate4<const RIGHT: i32, const LEFT: i32>(a: __m256i) -> __m256i {
    if RIGHT == 8 {
        let by_a_byte = _mm256_set_epi64x(0x080f_0e0d_0c0b_0a09, 0x0007_0605_0403_0201, 0x080f_0e0d_0c0b_0a09, 0x0007_0605_0403_0201);
        return _mm256_shuffle_epi8(a, by_a_byte);
    }
    _mm256_or_si256(_mm256_srli_epi64::<RIGHT>(a), _mm256_slli_epi64::<LEFT>(a))
}

#[inline]
#[target_feature(enable = "avx2")]
fn majority4(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    // Where a and b agree they are the most; where not, c decides. The compiler keeps b ⊕ c, which is the last round's a ⊕ b.
    _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn select4(lanes: u8, a: __m256i, b: __m256i) -> __m256i {
    let bit = _mm256_setr_epi64x(1, 2, 4, 8);
    let mask = _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(lanes.into()), bit), bit);
    _mm256_blendv_epi8(a, b, mask)
}

/// Words of four lanes for lanes of four words, or back.
#[inline]
#[target_feature(enable = "avx2")]
fn transpose4(rows: &[__m256i; 4]) -> [__m256i; 4] {
    let (even, odd) = (
        [_mm256_unpacklo_epi64(rows[0], rows[1]), _mm256_unpacklo_epi64(rows[2], rows[3])],
        [_mm256_unpackhi_epi64(rows[0], rows[1]), _mm256_unpackhi_epi64(rows[2], rows[3])],
    );
    [
        _mm256_permute2x128_si256::<0x20>(even[0], even[1]),
        _mm256_permute2x128_si256::<0x20>(odd[0], odd[1]),
        _mm256_permute2x128_si256::<0x31>(even[0], even[1]),
        _mm256_permute2x128_si256::<0x31>(odd[0], odd[1]),
    ]
}

#[inline]
#[target_feature(enable = "avx2")]
fn load4(messages: &[Blocks; LANES_MAX], n: usize) -> [__m256i; 16] {
    // The bytes of each word turned round, in each 128 bits.
    let turn = _mm256_set_epi64x(0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f, 0x0001_0203_0405_0607);
    let mut words = [_mm256_setzero_si256(); 16];
    for (quarter, words) in words.as_chunks_mut().0.iter_mut().enumerate() {
        let mut rows = [_mm256_setzero_si256(); 4];
        for (row, message) in rows.iter_mut().zip(messages) {
            // SAFETY: the quarter is 32 bytes of the block.
            let bytes = unsafe { _mm256_loadu_si256(message.0[n][32 * quarter..32 * quarter + 32].as_ptr().cast()) };
            *row = _mm256_shuffle_epi8(bytes, turn);
        }
        *words = transpose4(&rows);
    }
    words
}

#[inline]
#[target_feature(enable = "avx2")]
fn store4(state: &[__m256i; 8], out: &mut [[u64; 8]; LANES_MAX]) {
    for (half, state) in state.as_chunks().0.iter().enumerate() {
        for (out, row) in out.iter_mut().zip(transpose4(state)) {
            // SAFETY: half of eight words is 32 bytes.
            unsafe { _mm256_storeu_si256(out[4 * half..4 * half + 4].as_mut_ptr().cast(), row) };
        }
    }
}
