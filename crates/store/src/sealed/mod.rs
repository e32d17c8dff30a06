//! Sealed sets (protocol-spec/SPEC.md §4.2): built by the holder, served, received and verified by the verifier, joined.
//!
//! ```text
//! holder:    SetBuilder --push, finish--> SealedSet --offer, read_at--> the wire
//! verifier:  ReceivedSet --append, verify--> VerifiedSet --join--> which of the asked tags are in the set
//! ```
//!
//! A [`VerifiedSet`] can only come from a file that passed every check of SPEC SET-7; nothing else can be joined.

mod block;
mod builder;
mod header;
mod held;
mod reader;
mod received;
pub(crate) mod sort;
mod verified;

#[cfg(test)]
mod tests;

pub use builder::{BuilderOptions, MEMORY_BYTES_MIN, SetBuilder, SetParameters};
pub use header::{HEADER_BYTES, SUITE, set_bytes_bounds};
pub use held::SealedSet;
pub use reader::{Origin, SetReader};
pub use received::{ReceivedSet, forget_other_sets, part_path};
pub use verified::VerifiedSet;

use std::path::{Path, PathBuf};

/// Where a set of this identity lies in the directory of a verifier's sets.
#[must_use]
pub fn set_path(dir: &Path, set_id: &[u8; 32]) -> PathBuf {
    dir.join(format!("{}.oblset", lower_hex(set_id)))
}

/// Lower-case hex.
fn lower_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
