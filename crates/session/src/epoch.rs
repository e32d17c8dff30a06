//! Epoch keys: from one seed, the PRF's key pair, the padding key and the key of what sealing keeps (SPEC EPO-1, EPO-5, SET-5).

use crate::error::Error;
use crate::tag::TagPrefix;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use oblink_oprf::{KeyPair, NE};
use sha2::Sha512;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// The one suite of this build: ristretto255-SHA512 in VOPRF mode (SPEC SUI-1).
pub const SUITE_RISTRETTO255: u16 = 1;

/// The seed of an epoch: 32 secret bytes of the system's generator. Whoever has it can test guesses against the sealed set.
#[derive(ZeroizeOnDrop)]
pub struct EpochSeed([u8; 32]);

impl EpochSeed {
    /// Takes the bytes: fresh ones from the system, or those kept for this epoch.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(*bytes)
    }

    /// The bytes, for keeping in a file of mode 0600.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }
}

impl core::fmt::Debug for EpochSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EpochSeed(redacted)")
    }
}

/// The keys of an epoch. Blinded elements are evaluated under it through [`crate::holder::Charged`] alone.
pub struct EpochKeys {
    pub(crate) pair: KeyPair,
    pad_key: Zeroizing<[u8; 32]>,
    cache_key: Zeroizing<[u8; 32]>,
    epoch_id: [u8; 16],
}

impl core::fmt::Debug for EpochKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("EpochKeys(redacted)")
    }
}

impl EpochKeys {
    /// Derives the keys (SPEC EPO-1).
    ///
    /// # Errors
    /// [`Error::Internal`], with a probability that nobody will see.
    pub fn derive(seed: &EpochSeed, epoch_id: [u8; 16]) -> Result<Self, Error> {
        let salt = [&b"oblink/1/epoch"[..], &epoch_id].concat();
        let hkdf = Hkdf::<Sha512>::new(Some(&salt), &seed.0);
        let expand = |label: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            hkdf.expand(label, &mut *key).map(|()| key).map_err(|_| Error::Internal("HKDF output too long"))
        };
        let info = [&b"oblink/1/epoch\0"[..], &epoch_id].concat();
        let pair = KeyPair::derive(&*expand(b"oblink/1/epoch/key")?, &info).map_err(|_| Error::Internal("no key from this seed"))?;
        Ok(Self { pair, pad_key: expand(b"oblink/1/epoch/pad")?, cache_key: expand(b"oblink/1/epoch/cache")?, epoch_id })
    }

    /// The epoch.
    #[must_use]
    pub fn epoch_id(&self) -> &[u8; 16] {
        &self.epoch_id
    }

    /// The public key, serialised.
    #[must_use]
    pub fn public_key(&self) -> [u8; NE] {
        self.pair.public().to_bytes()
    }

    /// The key of the epoch's cache of records and tags, 32 secret bytes (SPEC EPO-5): without it the cache says how many records there are.
    #[must_use]
    pub fn cache_key(&self) -> &Zeroizing<[u8; 32]> {
        &self.cache_key
    }

    /// Evaluates the holder's own tokens and keeps the first 128 bits of each output. One core's work; slices of about 4,096 are right.
    ///
    /// # Errors
    /// [`Error::Internal`] where the slices differ in length, or a token hashes to the identity (nobody will see one).
    pub fn tag_prefixes(&self, tokens: &[&[u8]], prefixes: &mut [TagPrefix]) -> Result<(), Error> {
        const STEP: usize = 512;
        if tokens.len() != prefixes.len() {
            return Err(Error::Internal("as many prefixes as tokens are due"));
        }
        let mut outputs = Zeroizing::new([[0; 64]; STEP]);
        for (tokens, prefixes) in tokens.chunks(STEP).zip(prefixes.chunks_mut(STEP)) {
            let outputs = &mut outputs[..tokens.len()];
            self.pair.evaluate_slice(tokens, outputs).map_err(|_| Error::Internal("a token cannot be evaluated"))?;
            for (prefix, output) in prefixes.iter_mut().zip(outputs) {
                *prefix = TagPrefix::of_output(output);
            }
        }
        Ok(())
    }

    /// Padding tag number `counter` as an output prefix (SPEC SET-5).
    #[must_use]
    pub fn padding(&self, counter: u64) -> TagPrefix {
        let mut mac = keyed(&self.pad_key[..]);
        mac.update(&counter.to_be_bytes());
        TagPrefix::of_output(&mac.finalize().into_bytes().into())
    }
}

/// HMAC-SHA512 under a key of any length.
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha512> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of every length (RFC 2104 §2). Were it otherwise, to go on with another key would be worse than to stop.
        Err(_) => unreachable!("HMAC takes keys of every length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8, id: u8) -> EpochKeys {
        EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([seed; 32])), [id; 16]).unwrap()
    }

    /// EPO-1
    #[test]
    fn seed_and_epoch_both_change_the_key() {
        assert_eq!(keys(1, 1).public_key(), keys(1, 1).public_key());
        assert_ne!(keys(1, 1).public_key(), keys(1, 2).public_key());
        assert_ne!(keys(1, 1).public_key(), keys(2, 1).public_key());
        assert!(keys(1, 1).padding(0) != keys(1, 1).padding(1));
        assert!(keys(1, 1).padding(0) != keys(2, 1).padding(0));
        assert!(keys(1, 1).cache_key() != keys(1, 2).cache_key());
        assert!(keys(1, 1).cache_key() != keys(2, 1).cache_key());
    }

    #[test]
    fn prefixes_are_the_outputs_first_bits_over_step_boundaries() {
        let keys = keys(3, 3);
        let tokens: Vec<Vec<u8>> = (0..1030_u32).map(|i| i.to_be_bytes().to_vec()).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        let mut prefixes = vec![TagPrefix(0); tokens.len()];
        keys.tag_prefixes(&tokens, &mut prefixes).unwrap();
        for i in [0, 511, 512, 1029] {
            let mut output = [[0; 64]];
            keys.pair.evaluate_slice(&tokens[i..=i], &mut output).unwrap();
            assert!(prefixes[i] == TagPrefix::of_output(&output[0]), "token {i}");
        }
        assert!(keys.tag_prefixes(&tokens, &mut prefixes[1..]).is_err());
    }
}
