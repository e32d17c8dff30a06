//! Blinds from a key: HKDF-Expand with SHA-512 (RFC 5869 §2.3), a slice at a time.

use core::fmt;

use zeroize::Zeroizing;

use crate::blind::Blind;
use crate::sha512::{BLOCK, Message, Midstate, Outer, digests};
use crate::suite::NH;

/// Blinds derived at a time.
const CHUNK: usize = 256;

/// A pseudorandom key from which blinds, or other secrets, are derived: as secret as all of them. Wiped when dropped; prints nothing; cannot be cloned.
pub struct BlindKey {
    // HMAC's states after the key (RFC 2104 §4): both are hashed once, not for every blind.
    inner: Midstate,
    outer: Outer,
}

impl BlindKey {
    /// Takes the 64 bytes that HKDF-Extract gave.
    #[must_use]
    pub fn new(prk: &[u8; 64]) -> Self {
        let after = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK]);
            for (byte, key) in block.iter_mut().zip(prk) {
                *byte ^= key;
            }
            Midstate::after(&block)
        };
        Self { inner: after(0x36), outer: Outer::alone(after(0x5c)) }
    }

    /// `count` blinds: each is HKDF-Expand to 64 bytes under an `info` of its own, reduced as [`Blind::from_uniform_bytes`] does. `info` puts
    /// the one of a position together; it is asked more than once and must give the same every time (another length panics). No two may be the same: one blind
    /// hides one input.
    ///
    /// One core's work. Constant time in key and infos (but for the infos' lengths).
    ///
    /// `None` if one of them is zero (probability 2^-252 each): the caller takes other infos.
    #[must_use]
    pub fn derive_slice(&self, count: usize, info: impl Fn(usize, &mut Info<'_, '_>)) -> Option<Vec<Blind>> {
        // The exact length beforehand: a vector that grew would leave copies behind.
        let mut blinds = Vec::with_capacity(count);
        let mut okm = Zeroizing::new([[0; NH]; CHUNK]);
        for first in (0..count).step_by(CHUNK) {
            let okm = &mut okm[..CHUNK.min(count - first)];
            self.mac_slice(okm, |i, message| {
                info(first + i, message);
                // T(1) is all that is asked for.
                message.put(&[1]);
            });
            for bytes in okm {
                blinds.push(Blind::from_uniform_bytes(bytes)?);
            }
        }
        Some(blinds)
    }

    /// HMAC-SHA512 (RFC 2104) under this key, of as many messages as there is room for. `message` puts the one of a position together, under the
    /// same conditions as in [`Self::derive_slice`]. One core's work, at the engine's speed.
    pub fn mac_slice(&self, out: &mut [[u8; NH]], message: impl Fn(usize, &mut Info<'_, '_>)) {
        digests(&self.inner, Some(&self.outer), |i: usize, to: &mut Message<'_>| message(i, &mut Info(to)), out);
    }
}

impl fmt::Debug for BlindKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlindKey(redacted)")
    }
}

/// An `info` or a message being put together for [`BlindKey::derive_slice`] or [`BlindKey::mac_slice`].
pub struct Info<'a, 'm>(&'a mut Message<'m>);

impl Info<'_, '_> {
    /// Appends a part.
    #[inline]
    pub fn put(&mut self, part: &[u8]) {
        self.0.put(part);
    }
}

impl fmt::Debug for Info<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Info(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::on_every_engine;
    use sha2::{Digest, Sha512};

    /// HMAC (RFC 2104 §2), spelled out, of `info ‖ 1`.
    fn expand(prk: &[u8; 64], info: &[u8]) -> [u8; 64] {
        let pad = |byte: u8| [prk.map(|key| key ^ byte), [byte; 64]].concat();
        let inner = Sha512::digest([&pad(0x36), info, &[1]].concat());
        Sha512::digest([pad(0x5c), inner.to_vec()].concat()).into()
    }

    #[test]
    fn each_blind_is_hkdf_expand_of_its_info() {
        let prk = core::array::from_fn(|i| i as u8 * 3);
        let key = BlindKey::new(&prk);
        let infos: Vec<Vec<u8>> =
            (0..600_usize).map(|i| (0..i * 37 % 700).map(|j| (i + j) as u8).chain(i.to_be_bytes()).collect()).collect();
        on_every_engine(|| {
            for count in [0, 1, 2, 7, 8, 9, 255, 256, 257, 600] {
                let blinds = key.derive_slice(count, |i, info| infos[i].chunks(50).for_each(|part| info.put(part))).unwrap();
                assert_eq!(blinds.len(), count);
                for (blind, info) in blinds.iter().zip(&infos) {
                    assert_eq!(blind.0, Blind::from_uniform_bytes(&expand(&prk, info)).unwrap().0);
                }
                let mut macs = vec![[0; 64]; count];
                key.mac_slice(&mut macs, |i, message| {
                    message.put(&infos[i]);
                    message.put(&[1]);
                });
                assert!(macs.iter().zip(&infos).all(|(mac, info)| *mac == expand(&prk, info)));
            }
        });
    }

    #[test]
    fn nothing_is_printed() {
        assert_eq!(format!("{:?}", BlindKey::new(&[7; 64])), "BlindKey(redacted)");
    }
}
