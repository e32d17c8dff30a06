//! What sealing again under a kept key need not compute again: for each record that gave a tag, a keyed digest of its fields and the tag's
//! prefix (SPEC EPO-5). One file an epoch; it may be deleted at any time and costs nothing but the work of a whole seal.
//!
//! ```text
//! KnownRows::open --recall(digests of rows)--> whether their tags are known
//! NewRows  --push(digest, prefix of a row that is not)
//! NewRows::finish(known): the tags recalled, and the next cache, of the rows of this seal alone
//! ```
//!
//! Digests are HMAC-SHA256 under a key derived from the epoch's seed, cut to 128 bits: people in the records may choose what is in their
//! fields, and without the key they cannot make two records meet. The key is also bound to the epoch, the ruleset and the program that made
//! the tokens, so that a digest under another one is of no use here even where the header were forged.

mod format;
mod known;
mod new;

#[cfg(test)]
mod tests;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

pub use format::{CacheFault, ENTRY_BYTES, HEADER_BYTES, TRAILER_BYTES};
pub use known::{INDEX_BYTES_PER_ENTRY, KnownRows};
pub use new::{CacheCounts, NewRows};

/// What a cache is good for: nothing of it is of use under another epoch, ruleset or program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheBinding {
    epoch_id: [u8; 16],
    ruleset_digest: [u8; 32],
    program: [u8; 32],
}

impl CacheBinding {
    /// For this epoch and ruleset. `program` names whatever else the way from a row's fields to its tokens depends on: the version of the
    /// program.
    #[must_use]
    pub fn new(epoch_id: [u8; 16], ruleset_digest: [u8; 32], program: &str) -> Self {
        Self { epoch_id, ruleset_digest, program: Sha256::digest(program.as_bytes()).into() }
    }
}

/// A row's digest: 128 bits of a PRF of its fields.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowDigest(u128);

impl core::fmt::Debug for RowDigest {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("RowDigest(redacted)")
    }
}

/// The keys of one cache: for rows and for the file.
#[derive(Clone)]
pub struct CacheKeys {
    binding: CacheBinding,
    rows: Hmac<Sha256>,
    file: Hmac<Sha256>,
}

impl core::fmt::Debug for CacheKeys {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("CacheKeys(redacted)")
    }
}

impl CacheKeys {
    /// From the epoch's cache key ([`oblink_session::epoch::EpochKeys::cache_key`]).
    #[must_use]
    pub fn derive(cache_key: &[u8; 32], binding: CacheBinding) -> Self {
        let derived = |label: &[u8]| {
            let mut mac = keyed(cache_key);
            for part in [label, &binding.epoch_id, &binding.ruleset_digest, &binding.program] {
                mac.update(part);
            }
            keyed(&mac.finalize().into_bytes().into())
        };
        let (rows, file) = (derived(b"oblink/1/cache/rows\0"), derived(b"oblink/1/cache/file\0"));
        Self { binding, rows, file }
    }

    /// The digest of a row's fields. `scratch` is any buffer, for use again with the next row.
    ///
    /// Fields count by number, length and bytes: two lists of fields that differ anywhere differ in what is digested.
    #[must_use]
    pub fn digest(&self, fields: &[&str], scratch: &mut Vec<u8>) -> RowDigest {
        scratch.clear();
        scratch.extend_from_slice(&(fields.len() as u64).to_be_bytes());
        for field in fields {
            scratch.extend_from_slice(&(field.len() as u64).to_be_bytes()[3..]);
        }
        for field in fields {
            scratch.extend_from_slice(field.as_bytes());
        }
        let mut mac = self.rows.clone();
        mac.update(scratch);
        let mut first = [0; 16];
        first.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        RowDigest(u128::from_be_bytes(first))
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of every length (RFC 2104 §2). Were it otherwise, to go on with another key would be worse than to stop.
        Err(_) => unreachable!("HMAC takes keys of every length"),
    }
}
