//! Hashing: `expand_message_xmd` with SHA-512 (RFC 9380 §5.3.1) and the suite's uses of it (RFC 9497 §4.1).

use std::sync::LazyLock;

use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use crate::suite::{CONTEXT_LEN, INPUT_MAX, Mode, NE, NH};

/// `r_in_bytes` of SHA-512: `Z_pad` is this many zeros, exactly one block.
const BLOCK: usize = 128;

/// `expand_message_xmd` for one domain separation tag.
///
/// Keeps SHA-512's state after `Z_pad`, which never changes: one compression fewer for each message.
pub(crate) struct Expander {
    padded: Sha512,
    dst_prime: Vec<u8>,
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
        Self { padded: Sha512::new_with_prefix([0; BLOCK]), dst_prime }
    }

    /// The state after `Z_pad`, to which the caller appends the message.
    fn message(&self) -> Sha512 {
        self.padded.clone()
    }

    /// Ends the message and writes `uniform_bytes`, at most 255 × 64 of them (RFC 9380 §5.3.1 steps 3–12).
    fn finish(&self, message: Sha512, uniform: &mut [u8]) {
        debug_assert!(uniform.len() <= 255 * NH);
        let b_0 = message.chain_update((uniform.len() as u16).to_be_bytes()).chain_update([0]).chain_update(&self.dst_prime).finalize();
        let mut previous = [0; NH];
        for (i, chunk) in uniform.chunks_mut(NH).enumerate() {
            // strxor(b_0, b_(i - 1)); b_1 is of b_0 itself, hence the zeros before it.
            for (byte, b_0) in previous.iter_mut().zip(&b_0) {
                *byte ^= b_0;
            }
            let b_i = Sha512::new().chain_update(previous).chain_update([i as u8 + 1]).chain_update(&self.dst_prime).finalize();
            previous.copy_from_slice(&b_i);
            chunk.copy_from_slice(&b_i[..chunk.len()]);
        }
    }

    /// `expand_message_xmd(msg, DST, 64)`, the message given in parts.
    fn expand(&self, parts: &[&[u8]]) -> [u8; NH] {
        let mut message = self.message();
        for part in parts {
            message.update(part);
        }
        let mut uniform = [0; NH];
        self.finish(message, &mut uniform);
        uniform
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
        for (input, uniform) in inputs.iter().zip(uniform) {
            *uniform = self.group.expand(&[input.as_ref()]);
        }
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
        let start = self.scalar.message().chain_update(prefix(NH)).chain_update(seed);
        let weight = |(i, (c, d)): (usize, (&[u8; NE], &[u8; NE]))| {
            let mut uniform = [0; NH];
            let message = start
                .clone()
                .chain_update((i as u16).to_be_bytes())
                .chain_update(prefix(NE))
                .chain_update(c)
                .chain_update(prefix(NE))
                .chain_update(d)
                .chain_update(b"Composite");
            self.scalar.finish(message, &mut uniform);
            Scalar::from_bytes_mod_order_wide(&uniform)
        };
        (first..).zip(blinded.iter().zip(evaluated)).map(weight).collect()
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
    for ((input, element), out) in inputs.iter().zip(elements).zip(out) {
        let input = input.as_ref();
        *out = Sha512::new()
            .chain_update(prefix(input.len()))
            .chain_update(input)
            .chain_update(prefix(NE))
            .chain_update(element)
            .chain_update(b"Finalize")
            .finalize()
            .into();
    }
}

/// `SHA-512(seed ‖ i:u32)` for i from 0, in `out` (SPEC BAT-6).
pub(crate) fn counter_slice(seed: &[u8; NH], out: &mut [[u8; NH]]) {
    for (i, out) in (0_u32..).zip(out) {
        *out = Sha512::new().chain_update(seed).chain_update(i.to_be_bytes()).finalize().into();
    }
}

#[cfg(test)]
mod tests;
