//! The cache's file: a header, entries in increasing order, a trailer.
//!
//! | bytes | |
//! |---|---|
//! | 8 | magic `"OBLROWS\x02"` |
//! | 16 | epoch_id |
//! | 32 | digest of the ruleset |
//! | 32 | SHA-256 of the program's version |
//! | 8 | zero |
//! | 32 | SHA-256 of the 96 bytes before |
//! | 32 each | entries: digest of a row (16), prefix of its tag (16) |
//! | 8 | number of entries |
//! | 32 | HMAC-SHA256 under the file's key over all before |
//!
//! All integers are big-endian. A record of several tokens has an entry for each, of one digest.

use std::fmt;

use oblink_session::tag::TagPrefix;
use sha2::{Digest, Sha256};

use super::{CacheBinding, RowDigest};
use crate::sealed::sort::Item;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 128;
/// Bytes of an entry.
pub const ENTRY_BYTES: usize = 32;
/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 40;

const MAGIC: [u8; 8] = *b"OBLROWS\x02";
const DIGEST_AT: usize = 96;

/// Why a cache is of no use. It is then as good as none: nothing but time is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CacheFault {
    /// The file is no cache, or its header is damaged.
    #[error("it is no cache of this version, or its beginning is damaged")]
    Header,
    /// It is another epoch's.
    #[error("it is of another epoch")]
    Epoch,
    /// Its tags are of another ruleset's tokens.
    #[error("it was made under another ruleset")]
    Ruleset,
    /// Another version of the program made its tokens.
    #[error("another version of oblink made it")]
    Program,
    /// It is cut off, or goes on after its end.
    #[error("it has not the length that it should have")]
    Length,
    /// Its entries are not what was written, or were written under another key.
    #[error("it is damaged, or was made under another key")]
    Damaged,
    /// Other users may open it.
    #[error("it is open to other users")]
    Exposed,
    /// The disk would not give it.
    #[error("it cannot be read: {0}")]
    Unreadable(std::io::ErrorKind),
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) digest: RowDigest,
    pub(super) prefix: TagPrefix,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry(redacted)")
    }
}

impl Item for Entry {
    const NAME: &'static str = "row-";
    type Bytes = [u8; ENTRY_BYTES];

    fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        bytes[..16].copy_from_slice(&self.digest.0.to_be_bytes());
        bytes[16..].copy_from_slice(&self.prefix.0.to_be_bytes());
        bytes
    }

    fn from_bytes(bytes: [u8; ENTRY_BYTES]) -> Self {
        let half = |at: usize| {
            let mut half = [0; 16];
            half.copy_from_slice(&bytes[at..at + 16]);
            u128::from_be_bytes(half)
        };
        Self { digest: RowDigest(half(0)), prefix: TagPrefix(half(16)) }
    }
}

/// The header of a cache of this binding.
pub(super) fn header(binding: &CacheBinding) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..24].copy_from_slice(&binding.epoch_id);
    bytes[24..56].copy_from_slice(&binding.ruleset_digest);
    bytes[56..88].copy_from_slice(&binding.program);
    let digest: [u8; 32] = Sha256::digest(&bytes[..DIGEST_AT]).into();
    bytes[DIGEST_AT..].copy_from_slice(&digest);
    bytes
}

/// Whether a header is the one of this binding; otherwise in what it differs.
pub(super) fn check_header(bytes: &[u8; HEADER_BYTES], binding: &CacheBinding) -> Result<(), CacheFault> {
    let due = header(binding);
    if bytes == &due {
        return Ok(());
    }
    let digest: [u8; 32] = Sha256::digest(&bytes[..DIGEST_AT]).into();
    Err(if bytes[..8] != MAGIC || bytes[DIGEST_AT..] != digest {
        CacheFault::Header
    } else if bytes[8..24] != binding.epoch_id {
        CacheFault::Epoch
    } else if bytes[24..56] != binding.ruleset_digest {
        CacheFault::Ruleset
    } else if bytes[56..88] != binding.program {
        CacheFault::Program
    } else {
        CacheFault::Header
    })
}

/// Entries in a file of this many bytes.
pub(super) fn entries_in(file_bytes: u64) -> Result<u64, CacheFault> {
    let frame = (HEADER_BYTES + TRAILER_BYTES) as u64;
    let body = file_bytes.checked_sub(frame).ok_or(CacheFault::Length)?;
    if body % ENTRY_BYTES as u64 == 0 { Ok(body / ENTRY_BYTES as u64) } else { Err(CacheFault::Length) }
}

/// The trailer: the count, then the MAC, which covers the count too.
pub(super) fn trailer(entries: u64, mut mac: hmac::Hmac<Sha256>) -> [u8; TRAILER_BYTES] {
    use hmac::Mac;
    let mut bytes = [0; TRAILER_BYTES];
    bytes[..8].copy_from_slice(&entries.to_be_bytes());
    mac.update(&bytes[..8]);
    bytes[8..].copy_from_slice(&mac.finalize().into_bytes());
    bytes
}
