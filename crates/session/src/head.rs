//! Heads of the holder's ledger: its size and root, signed (SPEC LED-2, LED-3).

use crate::error::Misbehaviour;
use crate::limits::JSON_INTEGER_MAX;
use crate::merkle::{Hash, verify_consistency};
use crate::request::to_hex;
use crate::statement::{CertifiedKey, StatementKey, StatementKind};

/// The `format` of a head that is signed.
const FORMAT: &str = "oblink/head/1";

/// The ledger at a moment: how many entries it has, and their Merkle root (SPEC MRK-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Entries.
    pub size: u64,
    /// The root over them.
    pub root: Hash,
}

impl LogHead {
    /// Nothing known: size 0 and zeros. What a verifier presents that has not met this holder before.
    pub const NONE: Self = Self { size: 0, root: [0; 32] };

    /// Whether `later` continues this log, by a proof (SPEC MRK-3). [`Self::NONE`] is continued by anything, with an empty proof.
    #[must_use]
    pub fn is_continued_by(&self, later: &Self, proof: &[Hash]) -> bool {
        verify_consistency(self.size, &self.root, later.size, &later.root, proof)
    }
}

/// A head under the holder's statement key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedHead {
    /// The head.
    pub head: LogHead,
    /// The holder's clock, milliseconds since 1970.
    pub unix_ms: u64,
    /// The statement of kind `head` over [`head_body`].
    pub signature: [u8; 64],
}

/// What a head's statement is over: canonical JSON (SPEC LED-3).
#[must_use]
pub fn head_body(holder: &[u8; 32], head: &LogHead, unix_ms: u64) -> Vec<u8> {
    format!(
        "{{\"format\":\"{FORMAT}\",\"holder\":\"{}\",\"root\":\"{}\",\"size\":{},\"unix_ms\":{unix_ms}}}",
        to_hex(holder),
        to_hex(&head.root),
        head.size
    )
    .into_bytes()
}

impl SignedHead {
    /// Signs a head of `holder`'s ledger.
    #[must_use]
    pub fn sign(key: &StatementKey, holder: &[u8; 32], head: LogHead, unix_ms: u64) -> Self {
        let signature = key.sign(StatementKind::Head, &head_body(holder, &head, unix_ms));
        Self { head, unix_ms, signature }
    }

    /// Checks the statement, and that what it is over is canonical JSON.
    ///
    /// # Errors
    /// [`Misbehaviour::Statement`]; [`Misbehaviour::Ledger`] for a size or a time that canonical JSON does not hold.
    pub fn verify(&self, key: &CertifiedKey, holder: &[u8; 32]) -> Result<(), Misbehaviour> {
        if self.head.size > JSON_INTEGER_MAX || self.unix_ms > JSON_INTEGER_MAX {
            return Err(Misbehaviour::Ledger("its head is beyond what a head can say"));
        }
        key.verify(StatementKind::Head, &head_body(holder, &self.head, self.unix_ms), &self.signature)
    }
}
