//! SHA-512 (FIPS 180-4 §6.4) of many independent messages: side by side in vector registers where the engine in use has them.
//!
//! [`digests`] takes messages of any lengths that begin with the same whole block ([`Midstate`]), and hashes their digests once more
//! where asked ([`Outer`]): that is what RFC 9380's `expand_message_xmd` and HMAC do. Lengths are public, contents are not: which messages
//! go side by side depends on lengths alone.

use sha2::block_api::compress512;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::engine::Backend;
#[cfg(target_arch = "x86_64")]
use crate::lanes::sha512::{Words, side_by_side};

/// Bytes of a block.
pub(crate) const BLOCK: usize = 128;
/// Bytes of a digest.
pub(crate) const DIGEST: usize = 64;
/// What padding adds at the least: a bit and the length in 16 bytes.
const PADDING: usize = 17;
/// The initial state (FIPS 180-4 §5.3.5).
const INITIAL: [u64; 8] = [
    0x6a09_e667_f3bc_c908,
    0xbb67_ae85_84ca_a73b,
    0x3c6e_f372_fe94_f82b,
    0xa54f_f53a_5f1d_36f1,
    0x510e_527f_ade6_82d1,
    0x9b05_688c_2b3e_6c1f,
    0x1f83_d9ab_fb41_bd6b,
    0x5be0_cd19_137e_2179,
];

/// The state after whole blocks with which every message of a call begins. Wiped when dropped: HMAC's are as secret as its key.
#[derive(Clone, ZeroizeOnDrop)]
pub(crate) struct Midstate {
    pub(crate) state: [u64; 8],
    /// How many bytes that is.
    pub(crate) bytes: usize,
}

impl Midstate {
    /// Before any block.
    pub(crate) const fn new() -> Self {
        Self { state: INITIAL, bytes: 0 }
    }

    /// After one block.
    pub(crate) fn after(block: &[u8; BLOCK]) -> Self {
        let mut this = Self::new();
        compress512(&mut this.state, core::slice::from_ref(block));
        this.bytes = BLOCK;
        this
    }
}

/// A second hash over the digest: `SHA-512(start ‖ digest ‖ tail)`.
#[derive(Clone)]
pub(crate) struct Outer {
    pub(crate) start: Midstate,
    /// The last half of the block, padded.
    pub(crate) tail: [u64; 8],
}

impl Outer {
    /// Without a tail.
    pub(crate) fn alone(start: Midstate) -> Self {
        Self::padded(start, [0; BLOCK], DIGEST)
    }

    /// `None` if the tail is too long for one block: above 47 bytes.
    pub(crate) fn new(start: Midstate, tail: &[u8]) -> Option<Self> {
        let mut block = [0; BLOCK];
        let len = DIGEST + tail.len();
        block.get_mut(DIGEST..len)?.copy_from_slice(tail);
        (blocks(len) == 1).then(|| Self::padded(start, block, len))
    }

    fn padded(start: Midstate, mut block: [u8; BLOCK], len: usize) -> Self {
        pad(&mut block, len, start.bytes);
        let mut tail = [0; 8];
        for (word, bytes) in tail.iter_mut().zip(block[DIGEST..].as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
        Self { start, tail }
    }
}

/// Where one message is put together.
pub(crate) struct Message<'a> {
    /// Nothing, where only the length is wanted.
    pub(crate) place: &'a mut [u8],
    /// Bytes put so far.
    pub(crate) len: usize,
}

impl Message<'_> {
    /// Appends a part.
    #[inline(always)]
    pub(crate) fn put(&mut self, part: &[u8]) {
        if let Some(place) = self.place.get_mut(self.len..self.len + part.len()) {
            place.copy_from_slice(part);
        }
        self.len += part.len();
    }
}

/// How many blocks a message takes, padding included.
pub(crate) const fn blocks(len: usize) -> usize {
    (len + PADDING).div_ceil(BLOCK)
}

/// Pads a message of `len` bytes that follows `before` bytes to the end of `place` (FIPS 180-4 §5.1.2).
pub(crate) fn pad(place: &mut [u8], len: usize, before: usize) {
    let bits = 8 * (before + len) as u128;
    let end = place.len() - size_of_val(&bits);
    place[len] = 0x80;
    place[len + 1..end].fill(0);
    place[end..].copy_from_slice(&bits.to_be_bytes());
}

/// The digest of each message: `SHA-512(start ‖ message)`, hashed once more by `outer`, if there is one. `message` puts together the message
/// of a position in `out`; it is asked twice, and must be as long both times.
pub(crate) fn digests(start: &Midstate, outer: Option<&Outer>, message: impl Fn(usize, &mut Message<'_>), out: &mut [[u8; DIGEST]]) {
    match Backend::in_use() {
        // Registers with one lane in use are slower than none.
        _ if out.len() == 1 => one_by_one(start, outer, message, out),
        Backend::Portable => one_by_one(start, outer, message, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Avx2(lanes) => side_by_side(lanes, start, outer, message, out),
        #[cfg(target_arch = "x86_64")]
        Backend::Ifma(lanes) => side_by_side(lanes, start, outer, message, out),
    }
}

/// A state's big-endian bytes.
#[inline(always)]
pub(crate) fn encode(state: &[u64; 8], out: &mut [u8; DIGEST]) {
    for (out, word) in out.as_chunks_mut().0.iter_mut().zip(state) {
        *out = word.to_be_bytes();
    }
}

/// What a vector engine must pass before it is used: messages of up to six blocks, full groups of lanes and a part of one, as the library
/// hashes them.
#[cfg(target_arch = "x86_64")]
pub(crate) fn self_test<W: Words>(lanes: W) -> bool {
    const ITEMS: usize = 61;
    let bytes: [u8; 640] = core::array::from_fn(|i| (i * i / 7) as u8);
    let message = |i: usize, to: &mut Message<'_>| to.put(&bytes[i..][..i * 131 % 577]);
    let start = Midstate::after(&[0x36; BLOCK]);
    let tailed = Outer::new(Midstate::new(), &bytes[..47]);
    [None, Some(Outer::alone(start.clone())), tailed].iter().all(|outer| {
        let mut out = [[[0; DIGEST]; ITEMS]; 2];
        side_by_side(lanes, &start, outer.as_ref(), message, &mut out[0]);
        one_by_one(&start, outer.as_ref(), message, &mut out[1]);
        out[0] == out[1]
    })
}

/// [`digests`] without vectors.
fn one_by_one(start: &Midstate, outer: Option<&Outer>, message: impl Fn(usize, &mut Message<'_>), out: &mut [[u8; DIGEST]]) {
    for (position, out) in out.iter_mut().enumerate() {
        let mut measured = Message { place: &mut [], len: 0 };
        message(position, &mut measured);
        *out = one(start, outer, measured.len, |to| message(position, to));
    }
}

/// One digest, by the library's compression.
pub(crate) fn one(start: &Midstate, outer: Option<&Outer>, len: usize, message: impl FnOnce(&mut Message<'_>)) -> [u8; DIGEST] {
    let mut place = Zeroizing::new(vec![[0; BLOCK]; blocks(len)]);
    let mut written = Message { place: place.as_flattened_mut(), len: 0 };
    message(&mut written);
    assert_eq!(written.len, len, "a message is the same each time it is asked for");
    pad(place.as_flattened_mut(), len, start.bytes);
    let mut state = Zeroizing::new(start.state);
    compress512(&mut state, &place);
    let mut digest = [0; DIGEST];
    encode(&state, &mut digest);
    if let Some(outer) = outer {
        let mut block = Zeroizing::new([0; BLOCK]);
        block[..DIGEST].copy_from_slice(&digest);
        for (bytes, word) in block[DIGEST..].as_chunks_mut().0.iter_mut().zip(outer.tail) {
            *bytes = word.to_be_bytes();
        }
        *state = outer.start.state;
        compress512(&mut state, core::slice::from_ref(&*block));
        encode(&state, &mut digest);
    }
    digest
}

#[cfg(test)]
mod tests;
