//! Hashing: `expand_message_xmd` with SHA-512 (RFC 9380 §5.3.1) and the suite's uses of it (RFC 9497 §4.1).

use std::sync::LazyLock;

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::sha512::{BLOCK, Message, Midstate, Outer, digests};
use crate::suite::{CONTEXT_LEN, INPUT_MAX, Mode, NE, NH};

/// Weights whose hashes are kept at a time.
const CHUNK: usize = 256;

/// `expand_message_xmd` for one domain separation tag.
///
/// Keeps SHA-512's state after `Z_pad`, which never changes and is exactly one block: one compression fewer for each message.
pub(crate) struct Expander {
    padded: Midstate,
    dst_prime: Vec<u8>,
    /// `b_1` of `b_0`, where the tag is short enough for one block.
    b_1: Option<Outer>,
}

impl Expander {
    /// Takes the tag; one longer than 255 bytes is hashed first (RFC 9380 §5.3.3).
    pub(crate) fn new(dst: &[u8]) -> Self {
        let mut dst_prime = if dst.len() > 255 {
            Sha512::new().chain_update(b"H2C-OVERSIZE-DST-").chain_update(dst).finalize().to_vec()
        } else {
            dst.to_vec()
        };
        dst_prime.push(dst_prime.len() as u8);
        let b_1 = Outer::new(Midstate::new(), &[&[1], &*dst_prime].concat());
        Self { padded: Midstate::after(&[0; BLOCK]), dst_prime, b_1 }
    }

    /// What follows a message in `b_0`, for `len` bytes of output.
    #[inline(always)]
    fn end(&self, len: usize, message: &mut Message<'_>) {
        message.put(&(len as u16).to_be_bytes());
        message.put(&[0]);
        message.put(&self.dst_prime);
    }

    /// `uniform_bytes` after `b_0`, at most 255 × 64 of them (RFC 9380 §5.3.1 steps 8–12).
    fn after(&self, b_0: &[u8; NH], uniform: &mut [u8]) {
        debug_assert!(uniform.len() <= 255 * NH);
        let mut previous = [0; NH];
        for (i, chunk) in uniform.chunks_mut(NH).enumerate() {
            // strxor(b_0, b_(i - 1)); b_1 is of b_0 itself, hence the zeros before it.
            for (byte, b_0) in previous.iter_mut().zip(b_0) {
                *byte ^= b_0;
            }
            let b_i = Sha512::new().chain_update(previous).chain_update([i as u8 + 1]).chain_update(&self.dst_prime).finalize();
            previous.copy_from_slice(&b_i);
            chunk.copy_from_slice(&b_i[..chunk.len()]);
        }
    }

    /// `expand_message_xmd(msg, DST, 64)` of each message, which `message` puts together for a position in `uniform`.
    #[inline(always)]
    fn expand_slice(&self, message: impl Fn(usize, &mut Message<'_>), uniform: &mut [[u8; NH]]) {
        let whole = |i: usize, to: &mut Message<'_>| {
            message(i, to);
            self.end(NH, to);
        };
        digests(&self.padded, self.b_1.as_ref(), whole, uniform);
        if self.b_1.is_none() {
            for uniform in uniform {
                let b_0 = *uniform;
                self.after(&b_0, uniform);
            }
        }
    }

    /// `expand_message_xmd(msg, DST, 64)`, the message given in parts.
    fn expand(&self, parts: &[&[u8]]) -> [u8; NH] {
        let mut uniform = [[0; NH]];
        self.expand_slice(|_, to| parts.iter().for_each(|part| to.put(part)), &mut uniform);
        uniform[0]
    }
}

/// A mode's domain-separated hashes (RFC 9497 §4.1); made once.
pub(crate) struct Hashes {
    group: Expander,
    scalar: Expander,
    derive: Expander,
    seed_dst: [u8; 5 + CONTEXT_LEN],
}

impl Hashes {
    fn new(mode: Mode) -> Self {
        let context = mode.context_string();
        let dst = |label: &[u8]| [label, &context].concat();
        let mut seed_dst = *b"Seed-OPRFV1-\0-ristretto255-SHA512";
        seed_dst[5..].copy_from_slice(&context);
        Self {
            group: Expander::new(&dst(b"HashToGroup-")),
            scalar: Expander::new(&dst(b"HashToScalar-")),
            derive: Expander::new(&dst(b"DeriveKeyPair")),
            seed_dst,
        }
    }

    /// The hashes of `mode`.
    pub(crate) fn of(mode: Mode) -> &'static Self {
        static OPRF: LazyLock<Hashes> = LazyLock::new(|| Hashes::new(Mode::Oprf));
        static VOPRF: LazyLock<Hashes> = LazyLock::new(|| Hashes::new(Mode::Voprf));
        match mode {
            Mode::Oprf => &OPRF,
            Mode::Voprf => &VOPRF,
        }
    }

    /// `HashToGroup` up to the one-way map: the 64 uniform bytes of each input (RFC 9497 §4.1). Slices are equally long.
    pub(crate) fn to_group_slice<I: AsRef<[u8]>>(&self, inputs: &[I], uniform: &mut [[u8; NH]]) {
        self.group.expand_slice(|i, to| to.put(inputs[i].as_ref()), uniform);
    }

    /// `HashToScalar` (RFC 9497 §4.1).
    pub(crate) fn to_scalar(&self, parts: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.scalar.expand(parts))
    }

    /// `HashToScalar` under `DST = "DeriveKeyPair" || contextString` (RFC 9497 §3.2.1).
    pub(crate) fn to_key(&self, parts: &[&[u8]]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&Zeroizing::new(self.derive.expand(parts)))
    }

    /// The composite weights `d_i` of the elements at positions `first`, `first + 1`, … of a batch (RFC 9497 §2.2.1), at most 65,535:
    /// `HashToScalar(I2OSP(len(seed), 2) || seed || I2OSP(i, 2) || I2OSP(len(Ci), 2) || Ci || I2OSP(len(Di), 2) || Di || "Composite")`.
    /// Slices are equally long.
    pub(crate) fn weights_slice(&self, public: &[u8; NE], first: usize, blinded: &[[u8; NE]], evaluated: &[[u8; NE]]) -> Vec<Scalar> {
        let seed = Sha512::new()
            .chain_update(prefix(NE))
            .chain_update(public)
            .chain_update(prefix(self.seed_dst.len()))
            .chain_update(self.seed_dst)
            .finalize();
        let mut weights = Vec::with_capacity(blinded.len());
        let mut uniform = [[0; NH]; CHUNK];
        for (n, (c, d)) in blinded.chunks(CHUNK).zip(evaluated.chunks(CHUNK)).enumerate() {
            let uniform = &mut uniform[..c.len()];
            let message = |i: usize, to: &mut Message<'_>| {
                to.put(&prefix(NH));
                to.put(&seed);
                to.put(&((first + n * CHUNK + i) as u16).to_be_bytes());
                to.put(&prefix(NE));
                to.put(&c[i]);
                to.put(&prefix(NE));
                to.put(&d[i]);
                to.put(b"Composite");
            };
            self.scalar.expand_slice(message, uniform);
            weights.extend(uniform.iter().map(Scalar::from_bytes_mod_order_wide));
        }
        weights
    }
}

/// `I2OSP(len, 2)` for lengths known to fit.
const fn prefix(len: usize) -> [u8; 2] {
    debug_assert!(len <= INPUT_MAX);
    (len as u16).to_be_bytes()
}

/// The last hash of `Finalize` and `Evaluate` for each input and its element (RFC 9497 §3.3.1, §3.3.2); inputs were checked to be at
/// most 65,535 bytes. Slices are equally long.
pub(crate) fn finalize_slice<I: AsRef<[u8]>>(inputs: &[I], elements: &[[u8; NE]], out: &mut [[u8; NH]]) {
    let message = |i: usize, to: &mut Message<'_>| {
        let input = inputs[i].as_ref();
        to.put(&prefix(input.len()));
        to.put(input);
        to.put(&prefix(NE));
        to.put(&elements[i]);
        to.put(b"Finalize");
    };
    digests(&Midstate::new(), None, message, out);
}

/// `SHA-512(seed ‖ i:u32)` for i from 0, in `out` (SPEC BAT-6).
pub(crate) fn counter_slice(seed: &[u8; NH], out: &mut [[u8; NH]]) {
    let message = |i: usize, to: &mut Message<'_>| {
        to.put(seed);
        to.put(&(i as u32).to_be_bytes());
    };
    digests(&Midstate::new(), None, message, out);
}

#[cfg(test)]
mod tests;
