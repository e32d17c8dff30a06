//! The request: what is asked, as canonical JSON (SPEC REQ-1 to REQ-6; RFC 8785).
//!
//! Two formats, told apart by their `format`: the unsigned request of pilot mode, and the authorised request, which also says who asks whom,
//! why, by what right and until when, and commits to the list and to what will be sent.

mod manifest;
#[cfg(test)]
mod manifest_tests;
mod text;

pub use manifest::{Disclosure, Manifest};
pub use text::{check_name, check_text};

use crate::limits::{BATCH_TOKENS_MAX, BATCHES_MAX, PAIRS_MAX, REQUEST_BYTES_MAX, TOKENS_PER_PAIR_MAX};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The `format` of an unsigned request.
const FORMAT: &str = "oblink/request/1";

/// A request as parsed or made: its bytes are canonical, its members within bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    core: Core,
    // An unsigned request has none.
    manifest: Option<Box<Manifest>>,
    bytes: Vec<u8>,
}

/// What every request says, whatever its format: what the protocol computes with.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Core {
    request_id: [u8; 16],
    pairs: u64,
    batch_tokens: u32,
    tokens_per_pair: u16,
    ruleset: String,
    ruleset_digest: [u8; 32],
}

// Members in the order of their names: with integers below 2^53 and strings of plain ASCII, serde_json's compact output is then RFC 8785's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    batch_tokens: u32,
    format: String,
    pairs: u64,
    request_id: String,
    ruleset: String,
    ruleset_digest: String,
    tokens_per_pair: u16,
}

/// The one member that says which others there are.
#[derive(Deserialize)]
struct Format {
    format: String,
}

/// Why bytes are no request. A name of a member or a rule, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not JSON, not an object of the members of its format, or over 65,536 bytes.
    #[error("the request is not JSON of the members that version 1 has")]
    Syntax,
    /// Not byte for byte its own canonical form.
    #[error("the request is not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// A member outside its bounds.
    #[error("the request's {0} is out of bounds")]
    Member(&'static str),
}

fn bounds(within: bool, name: &'static str) -> Result<(), RequestError> {
    if within { Ok(()) } else { Err(RequestError::Member(name)) }
}

/// Lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

/// The bytes of lower-case hex of exactly N bytes.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

impl Core {
    /// The bounds of what all formats have (SPEC REQ-1).
    fn check(&self) -> Result<(), RequestError> {
        bounds((1..=BATCH_TOKENS_MAX).contains(&self.batch_tokens), "batch_tokens")?;
        bounds((1..=PAIRS_MAX).contains(&self.pairs), "pairs")?;
        bounds((1..=TOKENS_PER_PAIR_MAX).contains(&self.tokens_per_pair), "tokens_per_pair")?;
        let name = self.ruleset.as_bytes();
        bounds(
            (1..=64).contains(&name.len()) && name.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-'),
            "ruleset",
        )?;
        bounds(self.tokens().div_ceil(u64::from(self.batch_tokens)) <= BATCHES_MAX, "number of batches")
    }

    /// Within u64 once `check` has passed: 2^40 × 64.
    fn tokens(&self) -> u64 {
        self.pairs * u64::from(self.tokens_per_pair)
    }

    fn of_members(members: Members) -> Result<Self, RequestError> {
        let core = Self {
            request_id: from_hex(&members.request_id).ok_or(RequestError::Member("request_id"))?,
            pairs: members.pairs,
            batch_tokens: members.batch_tokens,
            tokens_per_pair: members.tokens_per_pair,
            ruleset: members.ruleset,
            ruleset_digest: from_hex(&members.ruleset_digest).ok_or(RequestError::Member("ruleset_digest"))?,
        };
        core.check()?;
        Ok(core)
    }

    fn to_members(&self) -> Members {
        Members {
            batch_tokens: self.batch_tokens,
            format: FORMAT.to_owned(),
            pairs: self.pairs,
            request_id: to_hex(&self.request_id),
            ruleset: self.ruleset.clone(),
            ruleset_digest: to_hex(&self.ruleset_digest),
            tokens_per_pair: self.tokens_per_pair,
        }
    }
}

impl Request {
    /// An unsigned request of `pairs` pairs under a ruleset, in batches of `batch_tokens` tokens (SPEC REQ-1).
    ///
    /// # Errors
    /// [`RequestError::Member`].
    pub fn new(
        request_id: [u8; 16],
        pairs: u64,
        batch_tokens: u32,
        ruleset: &str,
        ruleset_digest: [u8; 32],
        tokens_per_pair: u16,
    ) -> Result<Self, RequestError> {
        Self::unsigned(Core { request_id, pairs, batch_tokens, tokens_per_pair, ruleset: ruleset.to_owned(), ruleset_digest })
    }

    fn unsigned(core: Core) -> Result<Self, RequestError> {
        core.check()?;
        let bytes = serde_json::to_vec(&core.to_members()).map_err(|_| RequestError::Syntax)?;
        Ok(Self { core, manifest: None, bytes })
    }

    /// The request that a manifest makes: what officials sign is its bytes (SPEC REQ-3).
    ///
    /// # Errors
    /// [`RequestError::Member`]: a member that is out of bounds or contradicts another; `length` where all are within theirs and the whole
    /// is over 65,536 bytes.
    pub fn authorised(manifest: Manifest) -> Result<Self, RequestError> {
        let bytes = manifest.to_bytes()?;
        bounds(bytes.len() <= REQUEST_BYTES_MAX, "length")?;
        Ok(Self { core: manifest.core(), manifest: Some(Box::new(manifest)), bytes })
    }

    /// Parses a request of either format, strictly: bytes that are not their own canonical form are refused.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(RequestError::Syntax);
        }
        let Format { format } = serde_json::from_slice(bytes).map_err(|_| RequestError::Syntax)?;
        let request = match format.as_str() {
            FORMAT => Self::unsigned(Core::of_members(serde_json::from_slice(bytes).map_err(|_| RequestError::Syntax)?)?)?,
            manifest::FORMAT => Self::authorised(Manifest::from_bytes(bytes)?)?,
            _ => return Err(RequestError::Member("format")),
        };
        if request.bytes == bytes { Ok(request) } else { Err(RequestError::NotCanonical) }
    }

    /// What an authorised request says beyond an unsigned one; `None` for an unsigned one.
    #[must_use]
    pub fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_deref()
    }

    /// The canonical bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The request's identifier.
    #[must_use]
    pub fn id(&self) -> &[u8; 16] {
        &self.core.request_id
    }

    /// Pairs asked.
    #[must_use]
    pub fn pairs(&self) -> u64 {
        self.core.pairs
    }

    /// Name of the ruleset.
    #[must_use]
    pub fn ruleset(&self) -> &str {
        &self.core.ruleset
    }

    /// Digest of the ruleset.
    #[must_use]
    pub fn ruleset_digest(&self) -> &[u8; 32] {
        &self.core.ruleset_digest
    }

    /// Tokens a pair, T.
    #[must_use]
    pub fn tokens_per_pair(&self) -> u16 {
        self.core.tokens_per_pair
    }

    /// Tokens in all: pairs × T. Within bounds by construction (2^40 × 64).
    #[must_use]
    pub fn tokens(&self) -> u64 {
        self.core.tokens()
    }

    /// Number of batches (SPEC REQ-2).
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.tokens().div_ceil(u64::from(self.core.batch_tokens))
    }

    /// First token and number of tokens of a batch; `None` for an index the request does not have (SPEC REQ-2).
    #[must_use]
    pub fn batch(&self, index: u64) -> Option<(u64, u32)> {
        let size = u64::from(self.core.batch_tokens);
        let first = index.checked_mul(size).filter(|first| *first < self.tokens())?;
        Some((first, (self.tokens() - first).min(size) as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(pairs: u64, batch: u32, t: u16) -> Request {
        Request::new([7; 16], pairs, batch, "us-exact-1", [9; 32], t).unwrap()
    }

    #[test]
    fn batches_cut_the_tokens_without_gap_or_overlap() {
        for (pairs, batch, t) in [(1, 1, 1), (10, 3, 1), (10, 3, 7), (8192, 8192, 1), (8193, 8192, 1)] {
            let request = request(pairs, batch, t);
            let mut next = 0;
            for index in 0..request.batches() {
                let (first, count) = request.batch(index).unwrap();
                assert_eq!(first, next);
                assert!(count > 0 && count <= batch);
                next += u64::from(count);
            }
            assert_eq!(next, request.tokens());
            assert_eq!(request.batch(request.batches()), None);
            assert_eq!(request.batch(u64::MAX), None);
        }
    }

    /// REQ-1
    #[test]
    fn only_canonical_bytes_are_a_request() {
        let bytes = request(5, 8192, 1).bytes().to_vec();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(
            text,
            "{\"batch_tokens\":8192,\"format\":\"oblink/request/1\",\"pairs\":5,\"request_id\":\"07070707070707070707070707070707\",\"ruleset\":\"us-exact-1\",\
             \"ruleset_digest\":\"0909090909090909090909090909090909090909090909090909090909090909\",\"tokens_per_pair\":1}"
        );
        assert_eq!(Request::parse(&bytes), Ok(request(5, 8192, 1)));
        for (changed, why) in [
            (text.replace(',', ", "), RequestError::NotCanonical),
            (format!("{text}\n"), RequestError::NotCanonical),
            (text.replace("\"pairs\":5", "\"pairs\":5.0"), RequestError::Syntax),
            (text.replace("\"pairs\":5", "\"pairs\":5,\"extra\":1"), RequestError::Syntax),
            (text.replace("\"pairs\":5", "\"pairs\":5,\"pairs\":5"), RequestError::Syntax),
            (text.replace("\"pairs\":5", "\"pairs\":0"), RequestError::Member("pairs")),
            (text.replace("8192", "65536"), RequestError::Member("batch_tokens")),
            (text.replace("0909", "0A09"), RequestError::Member("ruleset_digest")),
            (text.replace("us-exact-1", "us exact"), RequestError::Member("ruleset")),
            (text.replace("us-exact", "us\\u002dexact"), RequestError::NotCanonical),
            (text.replace("request/1", "request/2"), RequestError::Member("format")),
            (String::new(), RequestError::Syntax),
        ] {
            assert_eq!(Request::parse(changed.as_bytes()), Err(why), "{changed}");
        }
    }
}
