//! What an identity is known by, and the list of those that may come in.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::Error;

/// The DER that stands before the 32 bytes of an Ed25519 public key in a SubjectPublicKeyInfo (RFC 8410 §4).
const ED25519_SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// SHA-256 of an identity's SubjectPublicKeyInfo in DER (SPEC TRN-2). Public; people compare it by telephone.
///
/// Shown as sixteen groups of four hex digits joined by `-`; read with or without separators, in either case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Takes the 32 bytes as they stand.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The fingerprint of an Ed25519 public key in RFC 8032's encoding (32 bytes). Whether the bytes are a point of the curve is not looked
    /// at.
    pub fn from_ed25519_public(public: &[u8; 32]) -> Self {
        let mut hash = Sha256::new();
        hash.update(ED25519_SPKI_PREFIX);
        hash.update(public);
        Self(hash.finalize().into())
    }

    /// The fingerprint of a SubjectPublicKeyInfo in DER.
    pub(crate) fn from_spki(spki: &[u8]) -> Self {
        Self(Sha256::digest(spki).into())
    }

    /// The 32 bytes of the hash.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Equality whose time does not depend on where two fingerprints differ.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (group, pair) in self.0.chunks_exact(2).enumerate() {
            if group > 0 {
                f.write_str("-")?;
            }
            for byte in pair {
                write!(f, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = Error;

    /// Reads 64 hex digits in either case; `-`, `:` and ASCII white space between them are passed over.
    ///
    /// # Errors
    /// [`Error::FingerprintCharacter`] for any other character, [`Error::FingerprintLength`] for another number of digits.
    fn from_str(text: &str) -> Result<Self, Error> {
        let mut bytes = [0u8; 32];
        let mut digits = 0usize;
        for (at, found) in text.chars().enumerate() {
            if found == '-' || found == ':' || found.is_ascii_whitespace() {
                continue;
            }
            let Some(value) = found.to_digit(16) else {
                return Err(Error::FingerprintCharacter { found, position: at + 1 });
            };
            if let Some(byte) = bytes.get_mut(digits / 2) {
                *byte = (*byte << 4) | value as u8;
            }
            digits += 1;
        }
        if digits != 64 {
            return Err(Error::FingerprintLength { digits });
        }
        Ok(Self(bytes))
    }
}

/// Which identities a listener lets in. Asked at every handshake, so that a change to the list takes effect at once, without a restart.
#[derive(Clone)]
pub struct Pins(Arc<dyn Fn(&Fingerprint) -> bool + Send + Sync>);

impl Pins {
    /// Asks `allow` for each identity seen. It runs within the handshake, on the runtime's thread: memory or one small
    /// file is what it should look at, nothing slower.
    pub fn new(allow: impl Fn(&Fingerprint) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(allow))
    }

    /// A list that does not change. An empty one lets nobody in.
    pub fn only(fingerprints: impl IntoIterator<Item = Fingerprint>) -> Self {
        let list: Vec<Fingerprint> = fingerprints.into_iter().collect();
        Self::new(move |seen| list.iter().fold(false, |found, pin| found | pin.same_as(seen)))
    }

    /// Whether `seen` is let in.
    pub fn allows(&self, seen: &Fingerprint) -> bool {
        (self.0)(seen)
    }
}

impl fmt::Debug for Pins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pins")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_with_and_without_separators() {
        for seed in 0u32..500 {
            let fingerprint = Fingerprint::from_spki(&seed.to_be_bytes());
            let shown = fingerprint.to_string();
            assert_eq!(shown.len(), 79);
            assert_eq!(shown.split('-').count(), 16);
            for text in [
                shown.clone(),
                shown.replace('-', ""),
                shown.replace('-', ":"),
                shown.replace('-', " "),
                shown.to_uppercase(),
                format!("  {shown}\r\n"),
            ] {
                assert_eq!(text.parse::<Fingerprint>().unwrap(), fingerprint);
            }
        }
    }

    #[test]
    fn bad_text_is_refused_with_its_reason() {
        let good = Fingerprint::from_bytes([0xab; 32]).to_string();
        for (text, digits) in
            [(String::new(), 0), ("ab".into(), 2), (good[..78].to_owned(), 63), (format!("{good}0"), 65), (format!("{good}{good}"), 128)]
        {
            assert!(matches!(text.parse::<Fingerprint>(), Err(Error::FingerprintLength { digits: d }) if d == digits), "{text}");
        }
        for (text, character, at) in [
            (good.replacen('a', "g", 1), 'g', 1),
            (format!("SHA256:{good}"), 'S', 1),
            (good.replacen('-', "\u{2013}", 1), '\u{2013}', 5),
            (format!("{good}\0"), '\0', 80),
        ] {
            assert!(
                matches!(text.parse::<Fingerprint>(), Err(Error::FingerprintCharacter { found, position }) if found == character && position == at),
                "{text:?}"
            );
        }
    }

    #[test]
    fn fingerprint_of_a_key_is_the_hash_of_its_spki() {
        // RFC 8410 §10.1's public key; its SubjectPublicKeyInfo hashed with another SHA-256.
        let spki: [u8; 44] = [
            0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x19, 0xbf, 0x44, 0x09, 0x69, 0x84, 0xcd, 0xfe, 0x85,
            0x41, 0xba, 0xc1, 0x67, 0xdc, 0x3b, 0x96, 0xc8, 0x50, 0x86, 0xaa, 0x30, 0xb6, 0xb6, 0xcb, 0x0c, 0x5c, 0x38, 0xad, 0x70, 0x31,
            0x66, 0xe1,
        ];
        let public: [u8; 32] = spki[12..].try_into().unwrap();
        assert_eq!(Fingerprint::from_ed25519_public(&public), Fingerprint::from_spki(&spki));
        assert_eq!(
            Fingerprint::from_ed25519_public(&public).to_string(),
            "a1e9-1560-54e0-4fac-899a-e9f2-7513-2cdc-07a5-dbc4-ea2c-2ad3-a1ff-c6e0-d253-681f"
        );
    }

    #[test]
    fn pins_tell_members_from_others() {
        let [a, b, c] = [1u8, 2, 3].map(|n| Fingerprint::from_bytes([n; 32]));
        let pins = Pins::only([a, b]);
        assert!(pins.allows(&a) && pins.allows(&b) && !pins.allows(&c));
        assert!(!Pins::only([]).allows(&a));
    }
}
