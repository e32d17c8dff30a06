//! Blinds derived from one seed, and dummies (SPEC BLD-1, TOK-2).

use std::sync::Arc;

use crate::epoch::keyed;
use hmac::{Hmac, Mac};
use oblink_oprf::{Blind, BlindKey};
use sha2::Sha512;
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// What a blind's `info` begins with (SPEC BLD-1).
const LABEL: &[u8] = b"oblink/1/blind\0";

/// The verifier's seed: 32 secret bytes of the system's generator. As secret as the list: whoever has it and the wire can test guesses at
/// every row. It never goes to the holder.
#[derive(ZeroizeOnDrop)]
pub struct BlindSeed([u8; 32]);

impl BlindSeed {
    /// Takes the bytes: fresh ones from the system, or those kept for this request.
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

impl core::fmt::Debug for BlindSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("BlindSeed(redacted)")
    }
}

/// Derives a request's blinds. Hiding is computational under the KDF; a seed used again with a changed list gives fresh blinds, because
/// the token itself goes in.
#[derive(Clone)]
pub struct Blinder {
    // HMAC keyed with PRK: both key blocks are hashed once, not for every token. The state wipes itself (hmac's `zeroize` feature).
    prk: Hmac<Sha512>,
    // The same key once more, for slices.
    key: Arc<BlindKey>,
    request_id: [u8; 16],
}

impl core::fmt::Debug for Blinder {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Blinder(redacted)")
    }
}

impl Blinder {
    /// For one request.
    #[must_use]
    pub fn new(seed: &BlindSeed, request_id: [u8; 16]) -> Self {
        let mut extract = keyed(b"oblink/1/blind");
        extract.update(&seed.0);
        let prk = Zeroizing::new(<[u8; 64]>::from(extract.finalize().into_bytes()));
        Self { prk: keyed(&prk[..]), key: Arc::new(BlindKey::new(&prk)), request_id }
    }

    /// The blind of token `index` (SPEC BLD-1): HKDF-Expand to 64 bytes, one block of HMAC-SHA512.
    #[must_use]
    pub fn blind(&self, index: u64, token: &[u8]) -> Blind {
        let mut attempt = 0_u8;
        loop {
            let mut mac = self.prk.clone();
            mac.update(LABEL);
            mac.update(&self.request_id);
            mac.update(&index.to_be_bytes());
            mac.update(&[attempt]);
            mac.update(token);
            mac.update(&[1]);
            let okm = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
            if let Some(blind) = Blind::from_uniform_bytes(&okm) {
                return blind;
            }
            attempt = attempt.wrapping_add(1);
        }
    }

    /// The blinds of tokens `first`, `first + 1`, …: [`blind`](Self::blind) of each, about a third of its time.
    #[must_use]
    pub fn blinds(&self, first: u64, tokens: &[&[u8]]) -> Vec<Blind> {
        let derived = self.key.derive_slice(tokens.len(), |i, info| {
            info.put(LABEL);
            info.put(&self.request_id);
            info.put(&(first + i as u64).to_be_bytes());
            info.put(&[0]);
            info.put(tokens[i]);
        });
        // A zero among them, which nobody will see: the rule for further attempts stands above.
        derived.unwrap_or_else(|| (first..).zip(tokens).map(|(index, token)| self.blind(index, token)).collect())
    }

    /// The dummy token of an unused slot (SPEC TOK-2).
    #[must_use]
    pub fn dummy(&self, ruleset_digest: &[u8; 32], index: u64) -> Vec<u8> {
        let mut mac = self.prk.clone();
        mac.update(b"oblink/1/dummy\0");
        mac.update(&self.request_id);
        mac.update(&index.to_be_bytes());
        let output: [u8; 64] = mac.finalize().into_bytes().into();
        let mut content = [0; 32];
        content.copy_from_slice(&output[..32]);
        oblink_linkage::dummy_token(ruleset_digest, &content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oblink_oprf::blind_slice;

    #[test]
    fn a_slices_blinds_are_those_of_each_token() {
        let blinder = Blinder::new(&BlindSeed::from_bytes(Zeroizing::new([7; 32])), [9; 16]);
        let tokens: Vec<Vec<u8>> = (0..300_usize).map(|i| vec![i as u8; i * 7 % 400]).collect();
        let tokens: Vec<&[u8]> = tokens.iter().map(Vec::as_slice).collect();
        for (first, count) in [(0, 0), (5, 1), (u64::from(u32::MAX), 9), (1 << 40, 300)] {
            let tokens = &tokens[300 - count..];
            let each: Vec<Blind> = (first..).zip(tokens).map(|(index, token)| blinder.blind(index, token)).collect();
            let slice = blinder.blinds(first, tokens);
            // Blinds cannot be compared; what they hide can.
            let hidden = |blinds: &[Blind]| {
                let mut out = vec![[0; 32]; count];
                blind_slice(tokens, blinds, &mut out).unwrap();
                out
            };
            assert_eq!(hidden(&slice), hidden(&each));
        }
    }
}
