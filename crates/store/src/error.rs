//! The crate's error, by blame.

use std::io;
use std::path::Path;

use oblink_session::ledger::LedgerError;

use crate::checkpoint::CheckpointFault;
use crate::ledger::{ExtractFault, Tampered};

/// What went wrong, by who is to do something about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of our own is not what was written. A holder seals again; a verifier fetches the set again.
    #[error("{path} is damaged: {fault}")]
    Corrupt {
        /// The file.
        path: String,
        /// What is wrong with it.
        fault: SetFault,
    },
    /// The set that the peer sent is not what it offered or not a set at all: the holder is to blame (SPEC SET-4, SET-7).
    #[error("the sealed set that the holder sent is refused: {0}")]
    PeerSet(SetFault),
    /// A file of our own may be opened by other users: a mode wider than 0600.
    #[error("{path} is open to other users")]
    Exposed {
        /// The file.
        path: String,
    },
    /// The disk is full, or the quota used up.
    #[error("no space left: {context}")]
    NoSpace {
        /// What was being done, to which file.
        context: String,
    },
    /// The disk refused or failed.
    #[error("{context}: {source}")]
    Disk {
        /// What was being done, to which file.
        context: String,
        /// The system's error.
        source: io::Error,
    },
    /// Another process (or another value in this one) works on it.
    #[error("{what} is in use by another process")]
    InUse {
        /// The file or directory.
        what: String,
    },
    /// A file of a run's checkpoint cannot be used (SPEC RES-4).
    #[error("{path}: {fault}")]
    Checkpoint {
        /// The file.
        path: String,
        /// Why.
        fault: CheckpointFault,
    },
    /// There is nothing to seal.
    #[error("there are no tags to seal")]
    NoTags,
    /// The caller's parameters make no set (SPEC TAG-2, SET-1).
    #[error("a set cannot be sealed so: {0}")]
    Parameters(&'static str),
    /// The ledger was written by another version of this program.
    #[error("{path} has ledger version {found}; this program reads version {supported}")]
    LedgerVersion {
        /// The ledger's file.
        path: String,
        /// The version in the file.
        found: i64,
        /// The version of this program.
        supported: i64,
    },
    /// The file in the ledger's place is no ledger, or a damaged one.
    #[error("{path} is not a ledger, or is damaged: {detail}")]
    LedgerDamaged {
        /// The ledger's file.
        path: String,
        /// SQLite's word on it.
        detail: String,
    },
    /// An epoch would end, and with it the key that booking its disclosures needs (SPEC DIS-3).
    #[error("{sessions} sessions of the epoch have disclosures that are not booked")]
    Unbooked {
        /// How many.
        sessions: u64,
    },
    /// A proposal of the holder's officials is good for one change, and was used for it.
    #[error("the proposal has been applied before")]
    ProposalUsed,
    /// The ledger is not what the holder wrote and signed (SPEC LED-6).
    #[error("the ledger has been tampered with: {0}")]
    Tampered(#[from] Tampered),
    /// An extract of a ledger does not prove what it should (SPEC LED-7).
    #[error("the extract is refused: {0}")]
    Extract(#[from] ExtractFault),
    /// The ledger would not write, or could not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl Error {
    /// A failed operation on `path`: a full disk is told from all else.
    pub(crate) fn disk(doing: &str, path: &Path, source: io::Error) -> Self {
        let context = format!("{doing} {}", path.display());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace { context },
            _ => Self::Disk { context, source },
        }
    }

    /// The kind of the system's error where the disk is at fault.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match self {
            Self::Disk { source, .. } => Some(source.kind()),
            Self::NoSpace { .. } => Some(io::ErrorKind::StorageFull),
            _ => None,
        }
    }
}

/// Why a file is not the sealed set it should be (SPEC SET-1 to SET-4). Block numbers count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetFault {
    /// The header breaks SET-1 or SET-2 in this field.
    #[error("its header is wrong in {0}")]
    Header(&'static str),
    /// The header states another value than the offer (SPEC SET-7).
    #[error("its header differs from the offer in {0}")]
    Differs(&'static str),
    /// The offer is not one that any set could have.
    #[error("the offer is impossible in {0}")]
    Offer(&'static str),
    /// A block breaks SET-3 or SET-4.
    #[error("block {block}: {fault}")]
    Block {
        /// The block's number.
        block: u64,
        /// What is wrong.
        fault: BlockFault,
    },
    /// The file ends before its header or before block `block` does.
    #[error("it ends early, in block {block}")]
    EndsEarly {
        /// The block's number; 0 also for the header.
        block: u64,
    },
    /// The file goes on after its last block.
    #[error("it goes on after its last block")]
    GoesOn,
    /// The file's digest is not the SetId.
    #[error("its digest is not the SetId")]
    SetId,
    /// The file has not the length it should have.
    #[error("it has {found} bytes instead of {due}")]
    Length {
        /// Bytes there.
        found: u64,
        /// Bytes due.
        due: u64,
    },
    /// A chunk came for another offset than the next, or reaches beyond the set.
    #[error("{bytes} bytes came for offset {offset} when {due} was due")]
    Chunk {
        /// Offset stated.
        offset: u64,
        /// Bytes in the chunk.
        bytes: u64,
        /// Offset due.
        due: u64,
    },
    /// A temporary file of sealing is not what was written to it.
    #[error("the sorted tags in it changed")]
    Run,
    /// The cache of an earlier seal is not what it was when this one began.
    #[error("the tags kept in it changed")]
    Cache,
}

/// What is wrong with a block (SPEC SET-3, SET-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlockFault {
    /// Another number of tags than due.
    #[error("{found} tags instead of {due}")]
    Count {
        /// Tags stated.
        found: u32,
        /// Tags due.
        due: u32,
    },
    /// A body longer than any set of this size has.
    #[error("a body of {found} bytes where at most {most} are possible")]
    Length {
        /// Bytes stated.
        found: u32,
        /// Most bytes possible.
        most: u64,
    },
    /// The digest differs.
    #[error("its digest differs")]
    Digest,
    /// Tags that do not increase, or reach 2^τ.
    #[error("its tags do not increase below 2^tau")]
    Order,
    /// The body ends within a tag, goes on after the last, or has non-zero bits at its end.
    #[error("its body is not of the length its tags need")]
    Body,
}
