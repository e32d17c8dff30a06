//! Bytes in the text of entries.

use oblink_session::request::{from_hex, to_hex};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// N bytes, written as lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hex<const N: usize>(pub [u8; N]);

impl<const N: usize> core::fmt::Debug for Hex<N> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

impl<const N: usize> Serialize for Hex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(&self.0))
    }
}

impl<'de, const N: usize> Deserialize<'de> for Hex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Digits<const N: usize>;
        impl<const N: usize> Visitor<'_> for Digits<N> {
            type Value = Hex<N>;
            fn expecting(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, "{N} bytes in lower-case hex")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Hex<N>, E> {
                from_hex(text).map(Hex).ok_or_else(|| E::custom("not lower-case hex of the length due"))
            }
        }
        deserializer.deserialize_str(Digits)
    }
}

/// N bytes in lower-case hex, or `""` for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MaybeHex<const N: usize>(pub Option<[u8; N]>);

impl<const N: usize> Serialize for MaybeHex<N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(bytes) => serializer.serialize_str(&to_hex(bytes)),
            None => serializer.serialize_str(""),
        }
    }
}

impl<'de, const N: usize> Deserialize<'de> for MaybeHex<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(Self(None));
        }
        from_hex(&text).map(|bytes| Self(Some(bytes))).ok_or_else(|| D::Error::custom("not lower-case hex of the length due"))
    }
}

/// Bytes that are text by their nature, as text; others as `hex:` and lower-case hex. No such text is armoured or JSON, so none is taken for it.
#[must_use]
pub fn text_of(bytes: &[u8]) -> String {
    match core::str::from_utf8(bytes) {
        Ok(text) if !text.starts_with("hex:") => text.to_owned(),
        _ => format!("hex:{}", to_hex(bytes)),
    }
}
