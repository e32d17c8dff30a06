//! SHA-512 (FIPS 180-4 §6.4) of several messages at once, one in each 64-bit lane: what [`crate::sha512`] runs on.

#[cfg(target_arch = "x86_64")]
mod x86;

use zeroize::{Zeroize, Zeroizing};

use crate::sha512::{BLOCK, DIGEST, Message, Midstate, Outer, blocks, encode, one, pad};

/// Messages of at most so many blocks are hashed side by side; longer ones, which are rare, one by one.
const BLOCKS_MAX: usize = 4;
/// The most lanes of any backend.
const LANES_MAX: usize = 8;
/// Messages that are sorted by their blocks at a time.
const CHUNK: usize = 256;

/// The rounds' constants (FIPS 180-4 §4.2.3).
#[rustfmt::skip]
#[allow(clippy::unreadable_literal)] // As the standard prints them.
static ROUNDS: [u64; 80] = [
    0x428a2f98d728ae22, 0x7137449123ef65cd, 0xb5c0fbcfec4d3b2f, 0xe9b5dba58189dbbc,
    0x3956c25bf348b538, 0x59f111f1b605d019, 0x923f82a4af194f9b, 0xab1c5ed5da6d8118,
    0xd807aa98a3030242, 0x12835b0145706fbe, 0x243185be4ee4b28c, 0x550c7dc3d5ffb4e2,
    0x72be5d74f27b896f, 0x80deb1fe3b1696b1, 0x9bdc06a725c71235, 0xc19bf174cf692694,
    0xe49b69c19ef14ad2, 0xefbe4786384f25e3, 0x0fc19dc68b8cd5b5, 0x240ca1cc77ac9c65,
    0x2de92c6f592b0275, 0x4a7484aa6ea6e483, 0x5cb0a9dcbd41fbd4, 0x76f988da831153b5,
    0x983e5152ee66dfab, 0xa831c66d2db43210, 0xb00327c898fb213f, 0xbf597fc7beef0ee4,
    0xc6e00bf33da88fc2, 0xd5a79147930aa725, 0x06ca6351e003826f, 0x142929670a0e6e70,
    0x27b70a8546d22ffc, 0x2e1b21385c26c926, 0x4d2c6dfc5ac42aed, 0x53380d139d95b3df,
    0x650a73548baf63de, 0x766a0abb3c77b2a8, 0x81c2c92e47edaee6, 0x92722c851482353b,
    0xa2bfe8a14cf10364, 0xa81a664bbc423001, 0xc24b8b70d0f89791, 0xc76c51a30654be30,
    0xd192e819d6ef5218, 0xd69906245565a910, 0xf40e35855771202a, 0x106aa07032bbd1b8,
    0x19a4c116b8d2d0c8, 0x1e376c085141ab53, 0x2748774cdf8eeb99, 0x34b0bcb5e19b48a8,
    0x391c0cb3c5c95a63, 0x4ed8aa4ae3418acb, 0x5b9cca4f7763e373, 0x682e6ff3d6b2b8a3,
    0x748f82ee5defb2fc, 0x78a5636f43172f60, 0x84c87814a1f0ab72, 0x8cc702081a6439ec,
    0x90befffa23631e28, 0xa4506cebde82bde9, 0xbef9a3f7b2c67915, 0xc67178f2e372532b,
    0xca273eceea26619c, 0xd186b8c721c0c207, 0xeada7dd6cde0eb1e, 0xf57d4f7fee6ed178,
    0x06f067aa72176fba, 0x0a637dc5a2c898a6, 0x113f9804bef90dae, 0x1b710b35131c471b,
    0x28db77f523047d84, 0x32caab7b40c72493, 0x3c9ebe0a15c9bebc, 0x431d67c49c100d4c,
    0x4cc5d4becb3e42b6, 0x597f299cfc657e2a, 0x5fcb6fab3ad6faec, 0x6c44198c4a475817,
];

/// What a backend gives: 64-bit words, one for each lane. As with [`Lanes`](super::backend::Lanes), a value is a token that the processor
/// has the instructions.
pub(crate) trait Words: Copy {
    /// Messages hashed at once, at most [`LANES_MAX`].
    const WIDTH: usize;
    /// One word for each lane.
    type Word: Copy + Zeroize;

    /// Runs `f` in a function compiled for the backend's instructions, so that what is inlined into it may use them.
    fn vectorize<R>(self, f: impl FnOnce() -> R) -> R;
    /// The same word in every lane.
    fn splat(self, word: u64) -> Self::Word;
    /// The sum modulo 2^64.
    fn add(self, a: Self::Word, b: Self::Word) -> Self::Word;
    /// Rotated right by `RIGHT`, that is left by `LEFT`; together 64.
    fn rotate<const RIGHT: i32, const LEFT: i32>(self, a: Self::Word) -> Self::Word;
    /// Shifted right by 6.
    fn shift_6(self, a: Self::Word) -> Self::Word;
    /// Shifted right by 7.
    fn shift_7(self, a: Self::Word) -> Self::Word;
    /// `a ⊕ b ⊕ c`.
    fn xor(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
    /// `Ch`: the bits of `b` where `a` is set, of `c` elsewhere.
    fn choose(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
    /// `Maj`: the bits of most.
    fn majority(self, a: Self::Word, b: Self::Word, c: Self::Word) -> Self::Word;
    /// `b` in the lanes whose bit is set (bit 0: lane 0; public), `a` elsewhere.
    fn select(self, lanes: u8, a: Self::Word, b: Self::Word) -> Self::Word;
    /// Block `n`, below [`BLOCKS_MAX`], of each lane's message, as big-endian words.
    fn load(self, messages: &[Blocks; LANES_MAX], n: usize) -> [Self::Word; 16];
    /// Each lane's state.
    fn store(self, state: &[Self::Word; 8], out: &mut [[u64; 8]; LANES_MAX]);
}

/// One lane's message.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Blocks([[u8; BLOCK]; BLOCKS_MAX]);

/// Round `I` of sixteen: the variables' names move on by one each time, so that none is copied.
#[inline(always)]
fn round<W: Words, const I: usize>(w: W, v: &mut [W::Word; 8], word: W::Word, constant: u64) {
    let at = |n: usize| (n + 16 - I) % 8;
    let (a, b, c, e, f, g) = (v[at(0)], v[at(1)], v[at(2)], v[at(4)], v[at(5)], v[at(6)]);
    let sigma_1 = w.xor(w.rotate::<14, 50>(e), w.rotate::<18, 46>(e), w.rotate::<41, 23>(e));
    let sigma_0 = w.xor(w.rotate::<28, 36>(a), w.rotate::<34, 30>(a), w.rotate::<39, 25>(a));
    let input = w.add(v[at(7)], w.add(word, w.splat(constant)));
    let t = w.add(w.add(input, w.choose(e, f, g)), sigma_1);
    v[at(3)] = w.add(v[at(3)], t);
    v[at(7)] = w.add(w.add(t, w.majority(a, b, c)), sigma_0);
}

/// Word `I` of the next sixteen of the message schedule.
#[inline(always)]
fn schedule<W: Words, const I: usize>(w: W, words: &mut [W::Word; 16]) {
    let at = |n: usize| (I + n) % 16;
    let (near, far) = (words[at(1)], words[at(14)]);
    let sigma_0 = w.xor(w.rotate::<1, 63>(near), w.rotate::<8, 56>(near), w.shift_7(near));
    let sigma_1 = w.xor(w.rotate::<19, 45>(far), w.rotate::<61, 3>(far), w.shift_6(far));
    words[I] = w.add(w.add(words[I], words[at(9)]), w.add(sigma_0, sigma_1));
}

/// One block into the state (FIPS 180-4 §6.4.2). `words` is used up.
// Not inlined: it is called twice, and is some kilobytes of instructions.
#[inline(never)]
fn compress<W: Words>(w: W, state: &mut [W::Word; 8], words: &mut [W::Word; 16]) {
    w.vectorize(
        #[inline(always)]
        || {
            let mut v = *state;
            let mut m = *words;
            macro_rules! sixteen {
                ($constants:expr, $scheduled:literal: $($i:literal)*) => {
                    $(
                        if $scheduled {
                            schedule::<W, $i>(w, &mut m);
                        }
                        round::<W, $i>(w, &mut v, m[$i], $constants[$i]);
                    )*
                };
            }
            let (first, rest) = ROUNDS.split_at(16);
            sixteen!(first, false: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            for constants in rest.as_chunks::<16>().0 {
                sixteen!(constants, true: 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15);
            }
            for (state, v) in state.iter_mut().zip(v) {
                *state = w.add(*state, v);
            }
            *words = m;
        },
    );
}

/// Messages put together, one a lane, waiting to be hashed. Wiped when dropped.
struct Group<'a, W: Words> {
    w: W,
    start: &'a Midstate,
    outer: Option<&'a Outer>,
    messages: [Blocks; LANES_MAX],
    /// Of each message: its position in `out`, and how many blocks it takes.
    queue: [(usize, usize); LANES_MAX],
    queued: usize,
    /// The most blocks of any message so far.
    used: usize,
    states: Zeroizing<[[u64; 8]; LANES_MAX]>,
}

impl<W: Words> Drop for Group<'_, W> {
    fn drop(&mut self) {
        for message in &mut self.messages {
            for block in &mut message.0[..self.used] {
                // Word by word: wiping byte by byte would cost as much as hashing.
                // SAFETY: bytes of any value are words. Blocks are aligned to 64 bytes, so no byte is left out before or behind.
                unsafe { block.align_to_mut::<u64>() }.1.zeroize();
            }
        }
    }
}

impl<'a, W: Words> Group<'a, W> {
    fn new(w: W, start: &'a Midstate, outer: Option<&'a Outer>) -> Self {
        Self {
            w,
            start,
            outer,
            messages: [Blocks([[0; BLOCK]; BLOCKS_MAX]); LANES_MAX],
            queue: [(0, 0); LANES_MAX],
            queued: 0,
            used: 0,
            states: Zeroizing::new([[0; 8]; LANES_MAX]),
        }
    }

    /// Puts a message of `blocks` blocks in the queue, and hashes the queue if that fills it.
    #[inline(always)]
    fn add(&mut self, position: usize, blocks: usize, message: impl FnOnce(&mut Message<'_>), out: &mut [[u8; DIGEST]]) {
        self.used = self.used.max(blocks);
        let place = self.messages[self.queued].0[..blocks].as_flattened_mut();
        let mut written = Message { place, len: 0 };
        message(&mut written);
        let len = written.len;
        assert_eq!(crate::sha512::blocks(len), blocks, "a message is the same each time it is asked for");
        pad(place, len, self.start.bytes);
        self.queue[self.queued] = (position, blocks);
        self.queued += 1;
        if self.queued == W::WIDTH {
            self.flush(out);
        }
    }

    /// Hashes what is queued. Lanes beyond the queue hash whatever is there, for nothing.
    fn flush(&mut self, out: &mut [[u8; DIGEST]]) {
        let (w, queue) = (self.w, &self.queue[..self.queued]);
        let most = queue.iter().map(|(_, blocks)| *blocks).max().unwrap_or(0);
        w.vectorize(
            #[inline(always)]
            || {
                let mut state = [w.splat(0); 8];
                splat(w, &self.start.state, &mut state);
                for n in 0..most {
                    let before = state;
                    let mut words = w.load(&self.messages, n);
                    compress(w, &mut state, &mut words);
                    words.zeroize();
                    let going_on = queue.iter().enumerate().fold(0, |bits, (lane, (_, blocks))| bits | u8::from(*blocks > n) << lane);
                    if going_on.count_ones() as usize != queue.len() {
                        for (state, before) in state.iter_mut().zip(before) {
                            *state = w.select(going_on, before, *state);
                        }
                    }
                }
                if let Some(outer) = self.outer {
                    let mut words = [state[0]; 16];
                    words[..8].copy_from_slice(&state);
                    splat(w, &outer.tail, &mut words[8..]);
                    splat(w, &outer.start.state, &mut state);
                    compress(w, &mut state, &mut words);
                    words.zeroize();
                }
                w.store(&state, &mut self.states);
                state.zeroize();
            },
        );
        for ((position, _), state) in queue.iter().zip(&*self.states) {
            encode(state, &mut out[*position]);
        }
        self.queued = 0;
    }
}

/// The same words in every lane.
#[inline(always)]
fn splat<W: Words>(w: W, words: &[u64], to: &mut [W::Word]) {
    for (to, word) in to.iter_mut().zip(words) {
        *to = w.splat(*word);
    }
}

/// [`digests`](crate::sha512::digests) with a vector backend: messages of as many blocks go together; where one length ends and the next begins, the lanes that are
/// done keep their state.
pub(crate) fn side_by_side<W: Words>(
    w: W,
    start: &Midstate,
    outer: Option<&Outer>,
    message: impl Fn(usize, &mut Message<'_>),
    out: &mut [[u8; DIGEST]],
) {
    let mut group = Group::new(w, start, outer);
    for first in (0..out.len()).step_by(CHUNK) {
        let chunk = first..out.len().min(first + CHUNK);
        let mut sizes = [0; CHUNK];
        let mut counts = [0_usize; BLOCKS_MAX + 1];
        for (size, position) in sizes.iter_mut().zip(chunk.clone()) {
            let mut measured = Message { place: &mut [], len: 0 };
            message(position, &mut measured);
            // Longer ones are hashed here and now, and stand as 0.
            match blocks(measured.len) {
                fits @ ..=BLOCKS_MAX => *size = fits as u8,
                _ => out[position] = one(start, outer, measured.len, |to| message(position, to)),
            }
            counts[usize::from(*size)] += 1;
        }
        for wanted in (1..=BLOCKS_MAX).filter(|blocks| counts[*blocks] > 0) {
            for (size, position) in sizes.iter().zip(chunk.clone()) {
                if usize::from(*size) == wanted {
                    group.add(position, wanted, |to| message(position, to), out);
                }
            }
        }
        if group.queued > 0 {
            group.flush(out);
        }
    }
}
