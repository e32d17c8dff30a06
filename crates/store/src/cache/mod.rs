//! What sealing again under a kept key need not compute again: for each record that gave a tag, a keyed digest of its fields and the tag's
//! prefix (SPEC EPO-5). One file an epoch; it may be deleted at any time and costs nothing but the work of a whole seal.
//!
//! ```text
//! KnownRows::open --recall(digests of rows)--> whether their tags are known
//! NewRows  --push(digest, prefix of a row that is not)
//! NewRows::finish(known): the tags recalled, and the next cache, of the rows of this seal alone
//! ```
//!
//! A digest is SHA-256 over a block of key and then the fields, cut to 128 bits: people in the records may choose what is in their fields, and
//! without the key they cannot make two records meet. The key is derived from the epoch's seed, and bound to the epoch, the ruleset and the
//! program that made the tokens, so that a digest under another one is of no use here even where the header were forged.
//!
//! Why this is a PRF without HMAC's second pass, which costs as much as a third of the digest: what a key in front of a message does not bear is
//! that one message be the beginning of another, for then the digest of the first is where that of the second goes on from. Here none is.
//! Fields are preceded by their number and lengths, so no list of fields, encoded, begins with another's encoding, and neither do their padded
//! blocks: padding begins where the encoding says that the fields end. On such messages the iterated hash is a PRF where its compression
//! function is one (Bellare, Canetti and Krawczyk, "Pseudorandom functions revisited: the cascade construction and its concrete security",
//! FOCS 1996); that the first block may key it is what HMAC too rests on. And the half of the state that is cut off is what
//! whoever wanted to go on from a digest would need.

mod format;
mod known;
mod new;

#[cfg(test)]
mod tests;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

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
    /// program, and what it makes of known rows.
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

/// The keys of one cache: for rows and for the file. Both states are wiped when it is dropped.
pub struct CacheKeys {
    binding: CacheBinding,
    /// After the block of key.
    rows: Sha256,
    file: Hmac<Sha256>,
}

// An HMAC does not say so itself, but all that it holds of the key is two states of SHA-256, which wipe themselves, as `rows` does.
const fn wipes_itself<T: ZeroizeOnDrop>() {}
const _: () = wipes_itself::<Sha256>();
impl ZeroizeOnDrop for CacheKeys {}

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
            let mut bytes = mac.finalize().into_bytes();
            let mut key = Zeroizing::new([0; 32]);
            key.copy_from_slice(&bytes);
            bytes.as_mut_slice().zeroize();
            key
        };
        let file = keyed(&derived(b"oblink/1/cache/file\0"));
        let mut block = Zeroizing::new([0; ROWS_KEY_BLOCK_BYTES]);
        block[..32].copy_from_slice(&derived(b"oblink/1/cache/rows\0")[..]);
        let rows = Sha256::new_with_prefix(&block[..]);
        Self { binding, rows, file }
    }

    /// The digest of a row's fields: their lengths in bytes, and all of them end to end.
    ///
    /// Fields count by number, length and bytes: two lists of fields that differ anywhere differ in what is digested. The length of the last
    /// one is what the others leave of `text`.
    #[must_use]
    pub fn digest(&self, lengths: &[usize], text: &str) -> RowDigest {
        let mut hash = self.rows.clone();
        // All lengths but the last, then the whole one's: so the encoding says where it ends, whatever the caller says.
        let others = lengths.split_last().map_or(lengths, |(_, others)| others);
        let mut head = [0; HEAD_BYTES];
        if others.len() <= HEAD_BYTES - 2 && text.len() < usize::from(LONG) {
            // What nearly every row is: no length of it is long.
            let count = others.len() + 2;
            head[0] = lengths.len() as u8;
            head[1..].iter_mut().zip(others).for_each(|(byte, length)| *byte = (*length).min(text.len()) as u8);
            head[count - 1] = text.len() as u8;
            hash.update(&head[..count]);
        } else {
            for length in [lengths.len()].iter().chain(others).chain([&text.len()]) {
                match u8::try_from(*length) {
                    Ok(short) if short < LONG => hash.update([short]),
                    _ => {
                        hash.update([LONG]);
                        hash.update((*length as u64).to_be_bytes());
                    }
                }
            }
        }
        hash.update(text.as_bytes());
        let mut first = [0; 16];
        first.copy_from_slice(&hash.finalize()[..16]);
        RowDigest(u128::from_be_bytes(first))
    }
}

/// SHA-256's block, so that what a key does to the state is computed once.
const ROWS_KEY_BLOCK_BYTES: usize = 64;
/// A length below this is one byte; otherwise this byte stands before its eight.
const LONG: u8 = u8::MAX;
/// Number and lengths of a row of up to 30 fields, all short.
const HEAD_BYTES: usize = 32;

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    match Hmac::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of every length (RFC 2104 §2). Were it otherwise, to go on with another key would be worse than to stop.
        Err(_) => unreachable!("HMAC takes keys of every length"),
    }
}
