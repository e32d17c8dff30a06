//! Everything that is fsynced: sealed sets (protocol-spec/SPEC.md §4.2) and the holder's ledger (SPEC HSK-4, BAT-3, END-3).
//!
//! - [`sealed`]: building a set from tag prefixes in bounded memory, serving it, receiving and verifying it, and the merge-join.
//! - [`cache`]: what sealing again under a kept key need not compute again.
//! - [`checkpoint`]: what a verifier keeps of a run, to go on with it after any death.
//! - [`ledger`]: the holder's account in SQLite, which implements [`oblink_session::ledger::Ledger`].
//! - [`disk`]: the few file operations that the crate's own files need, as a trait, so that a simulation can fail them.
//!
//! Nothing here starts a thread. Errors never hold a tag: they name files, blocks and counts.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod cache;
pub mod checkpoint;
pub mod disk;
mod error;
pub mod ledger;
pub mod sealed;

pub use error::{BlockFault, Error, SetFault};
