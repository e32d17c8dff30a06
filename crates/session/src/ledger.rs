//! What the holder must make durable, and the tokens of proof that it has (SPEC HSK-4, BAT-3, END-3).
//!
//! The session issues a `Pending…` value; only its `commit`, which calls the [`Ledger`], turns it into the value that the next step
//! demands. So an evaluation without a durable charge cannot be written down.

use crate::head::{LogHead, SignedHead};
use crate::request::Disclosure;
use std::time::Duration;

/// What a policy allows one verifier beside the single request, in numbers that only the ledger can hold against all of its sessions
/// (SPEC POL-1). The ledger checks them in the transaction that reserves, so that of two requests for the last of a budget one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Length of the rolling window, milliseconds back from now.
    pub window_ms: u64,
    /// Most requests admitted in a window.
    pub window_requests_max: u64,
    /// Most pairs asked in a window.
    pub window_pairs_max: u64,
    /// Most evaluations in a window: charged, or reserved by open sessions.
    pub window_tokens_max: u64,
    /// Most requests admitted in the epoch.
    pub epoch_requests_max: u64,
    /// Most pairs asked in the epoch.
    pub epoch_pairs_max: u64,
    /// Most evaluations in the epoch: charged, or reserved by open sessions.
    pub epoch_tokens_max: u64,
}

/// Which side an official signs for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The verifier's officials, who ask.
    Verifier,
    /// The holder's officials, who countersign.
    Holder,
}

/// An official whose signature counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// Whose official it is.
    pub side: Side,
    /// The principal of the holder's list of allowed signers.
    pub principal: String,
    /// The key, as `SHA256:…`.
    pub key: String,
}

/// By what a session was admitted: kept whole, so that it can be checked again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityEntry {
    /// Digest of the policy in force (SPEC POL-1).
    pub policy_digest: [u8; 32],
    /// The signatures that came with Hello, as they came.
    pub signatures: Vec<Vec<u8>>,
    /// The holder's officials' signatures.
    pub countersignatures: Vec<Vec<u8>>,
    /// Whose they are: those that counted.
    pub signers: Vec<Signer>,
    /// What the verifier owes the holder after the results (SPEC DIS-1).
    pub disclosure: Disclosure,
    /// What the policy allows this verifier in all.
    pub caps: Caps,
}

/// A session to be opened or resumed: everything the ledger keeps of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionEntry {
    /// SPEC HSK-6, computed with `holder_nonce`.
    pub session_id: [u8; 16],
    /// The request's identifier.
    pub request_id: [u8; 16],
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// The request as received (≤ 64 KiB). It holds no row.
    pub request: Vec<u8>,
    /// The epoch that is to answer.
    pub epoch_id: [u8; 16],
    /// The sealed set of the epoch that Welcome names; a resumed session has the same.
    pub set_id: [u8; 32],
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// The verifier's statement key's certificate: without it, its statements could not be checked later. A resumed session has the same.
    pub verifier_certificate: [u8; 136],
    /// What the verifier's Hello offered (versions and suites, as the transcript has them). A resumed session has the same.
    pub offered: Vec<u8>,
    /// The verifier's nonce.
    pub verifier_nonce: [u8; 32],
    /// The holder's nonce, fresh; a resumed session keeps its first one.
    pub holder_nonce: [u8; 32],
    /// Pairs asked.
    pub pairs: u64,
    /// Evaluations to be reserved: pairs × T.
    pub tokens: u64,
    /// Batches that the request makes.
    pub batches: u64,
    /// Most evaluations of the epoch (SPEC EPO-3).
    pub epoch_evaluations_max: u64,
    /// By what it is admitted; `None` for an unsigned request in pilot mode.
    pub authority: Option<AuthorityEntry>,
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

/// What the ledger says of a [`SessionEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionOpening {
    /// A new session: its evaluations are reserved.
    New,
    /// The same request, verifier and nonce were here before (SPEC HSK-5): the session goes on with the nonce and the batches it had.
    Resumed {
        /// The holder's nonce of the session's first Welcome.
        holder_nonce: [u8; 32],
        /// Batches charged so far, by index, ascending.
        charged: Vec<ChargedBatch>,
        /// The receipt's body and the holder's signature, where the session was completed.
        receipt: Option<(Vec<u8>, [u8; 64])>,
    },
}

/// A batch that is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargedBatch {
    /// Index of the batch.
    pub index: u64,
    /// Digest of its blinded elements (SPEC BAT-1).
    pub blinded_digest: [u8; 32],
    /// Digest of its evaluated elements, where the answer got as far as the ledger.
    pub evaluated_digest: Option<[u8; 32]>,
}

/// One batch to be charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChargeEntry {
    /// The session.
    pub session_id: [u8; 16],
    /// Index of the batch.
    pub index: u64,
    /// Digest of its blinded elements (SPEC BAT-1).
    pub blinded_digest: [u8; 32],
    /// Tokens in the batch.
    pub tokens: u32,
    /// The verifier's statement over the batch (SPEC STM-3), checked.
    pub statement: [u8; 64],
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
    /// Batches of this session answered since the last charge, with the digests of what was sent: they ride in the same transaction.
    pub answered: Vec<(u64, [u8; 32])>,
}

/// What the ledger says of a [`ChargeEntry`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// Charged now, and durable.
    New,
    /// The same batch was charged before: free.
    Same,
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompletionEntry {
    /// The session.
    pub session_id: [u8; 16],
    /// The receipt's body (canonical JSON, SPEC END-3).
    pub receipt: Vec<u8>,
    /// The holder's signature over it.
    pub signature: [u8; 64],
    /// The holder's statement key's certificate.
    pub holder_certificate: [u8; 136],
    /// Batches answered since the last charge.
    pub answered: Vec<(u64, [u8; 32])>,
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

/// What a verifier said had matched, once its results were written (SPEC DIS-2). Its `Debug` shows no tag.
#[derive(Clone, PartialEq, Eq)]
pub struct DisclosureEntry {
    /// The session; complete, and its request agreed to this kind.
    pub session_id: [u8; 16],
    /// What kind it is.
    pub kind: Disclosure,
    /// Pairs that matched.
    pub matched: u64,
    /// The tags that matched, ascending; empty unless that is the kind.
    pub tags: Vec<u128>,
    /// Digest of the tags (SPEC DIS-2).
    pub tags_digest: [u8; 32],
    /// The verifier's statement.
    pub signature: [u8; 64],
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

impl core::fmt::Debug for DisclosureEntry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DisclosureEntry({}: {} matched, {} tags)", self.kind.as_str(), self.matched, self.tags.len())
    }
}

/// Which budget does not hold what is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Budget {
    /// The epoch's evaluations (SPEC EPO-3), or the session's own.
    Evaluations,
    /// The policy's requests in a window.
    WindowRequests,
    /// The policy's pairs in a window.
    WindowPairs,
    /// The policy's evaluations in a window.
    WindowTokens,
    /// The policy's requests in the epoch.
    EpochRequests,
    /// The policy's pairs in the epoch.
    EpochPairs,
    /// The policy's evaluations in the epoch.
    EpochTokens,
}

impl core::fmt::Display for Budget {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Evaluations => "evaluations",
            Self::WindowRequests => "requests in the policy's window",
            Self::WindowPairs => "pairs in the policy's window",
            Self::WindowTokens => "evaluations in the policy's window",
            Self::EpochRequests => "requests in the epoch",
            Self::EpochPairs => "pairs in the epoch",
            Self::EpochTokens => "evaluations in the epoch",
        })
    }
}

/// Why the ledger would not write, or could not.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// This verifier has used the request's identifier with another request, nonce, certificate or offer.
    #[error("the request id has been used by another request")]
    RequestConflict,
    /// Another batch is charged under this index.
    #[error("another batch is charged under index {index}")]
    BatchConflict {
        /// The index.
        index: u64,
    },
    /// The epoch has ended or is about to, is unknown, or belongs to another verifier.
    #[error("the epoch has ended")]
    EpochEnded,
    /// A budget does not hold what is asked.
    #[error("{asked} {budget} asked, {left} left")]
    BudgetExhausted {
        /// Which one.
        budget: Budget,
        /// Asked.
        asked: u64,
        /// Left.
        left: u64,
    },
    /// The holder has suspended this verifier, or all.
    #[error("the holder has suspended its answers")]
    Suspended,
    /// Another policy is in force than the session was admitted under; also where the first one ended pilot mode.
    #[error("the holder's policy has changed")]
    PolicyChanged,
    /// The holder's officials have refused this request.
    #[error("the holder's officials have refused the request")]
    RequestRefused,
    /// The request's validity is over, by the ledger's time.
    #[error("the request is not valid any more")]
    RequestExpired,
    /// The holder's clock is behind what its ledger has seen (SPEC LED-5).
    #[error("the holder's clock is {behind_ms} ms behind its ledger")]
    ClockBehind {
        /// By how much.
        behind_ms: u64,
    },
    /// The session owes no such disclosure, or another was booked already.
    #[error("the session owes no such disclosure")]
    DisclosureNotDue,
    /// The session is unknown, suspended or complete.
    #[error("the session is not open: it was suspended, or was answered and its receipt signed")]
    SessionNotOpen,
    /// The same batch has been sent again and again.
    #[error("batch {index} has been answered often enough")]
    TooOften {
        /// The index.
        index: u64,
    },
    /// The database was busy for as long as it may be.
    #[error("the ledger was busy for {}s", .0.as_secs())]
    Busy(Duration),
    /// The disk or the database failed.
    #[error("the ledger could not be written: {0}")]
    Storage(String),
}

/// The holder's durable account. Every method returns only when what it says is on disk; each is one transaction.
pub trait Ledger {
    /// Opens a session and reserves its evaluations in the epoch's budget, or finds the one it resumes.
    ///
    /// A request's identifier counts within its verifier. The policy in force must be the entry's, or none where the entry has no authority;
    /// neither verifier nor everybody may be suspended, nor the request have been refused by the holder's officials; the ledger's time
    /// may be ahead of the entry's clock by [`crate::limits::CLOCK_SKEW_MS_MAX`] at most. A session resumes under the epoch that it was opened under and no other, complete
    /// or not: [`LedgerError::EpochEnded`] otherwise. An epoch that no verifier owns yet becomes this verifier's (SPEC EPO-2).
    ///
    /// # Errors
    /// [`LedgerError::RequestConflict`], [`LedgerError::EpochEnded`], [`LedgerError::BudgetExhausted`], [`LedgerError::Suspended`],
    /// [`LedgerError::PolicyChanged`], [`LedgerError::RequestRefused`], [`LedgerError::ClockBehind`]; `Busy` and `Storage`.
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError>;

    /// Charges a batch. The same batch again is free, while the session is open and until the verifier has signed its receipt; how often that
    /// happens is counted.
    ///
    /// # Errors
    /// [`LedgerError::BatchConflict`], [`LedgerError::BudgetExhausted`], [`LedgerError::EpochEnded`], [`LedgerError::SessionNotOpen`],
    /// [`LedgerError::Suspended`], [`LedgerError::RequestRefused`], [`LedgerError::RequestExpired`], [`LedgerError::PolicyChanged`], and [`LedgerError::TooOften`] once the same batch has come more often than [`crate::limits::BATCH_REPEATS_MAX`]; `Busy` and `Storage`.
    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError>;

    /// Makes the receipt durable and the session complete. Its reservation ends: what it charged stays charged.
    ///
    /// # Errors
    /// [`LedgerError::EpochEnded`] where the end of its epoch suspended the session; [`LedgerError::SessionNotOpen`]; `Busy` and `Storage`.
    fn complete(&mut self, entry: &CompletionEntry) -> Result<(), LedgerError>;

    /// Keeps the verifier's signature on the receipt.
    ///
    /// # Errors
    /// [`LedgerError::SessionNotOpen`]; `Busy` and `Storage`.
    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError>;

    /// The line is gone before the end: answered batches are written down, what is reserved and not charged is free again.
    ///
    /// # Errors
    /// `Busy` and `Storage`.
    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], clock_unix_ms: u64) -> Result<(), LedgerError>;

    /// The log's size and root as they are now (SPEC LED-2).
    ///
    /// # Errors
    /// `Busy` and `Storage`.
    fn head(&mut self) -> Result<LogHead, LedgerError>;

    /// The root that the log had at a size; `None` where it is shorter.
    ///
    /// # Errors
    /// `Busy` and `Storage`.
    fn root_at(&mut self, size: u64) -> Result<Option<[u8; 32]>, LedgerError>;

    /// The proof that the log at `second` entries continues the one at `first` (SPEC MRK-3); `first` ≤ `second` ≤ its size.
    ///
    /// # Errors
    /// `Busy` and `Storage`.
    fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<[u8; 32]>, LedgerError>;

    /// Keeps a head that goes out signed.
    ///
    /// # Errors
    /// `Busy` and `Storage`.
    fn keep_head(&mut self, head: &SignedHead) -> Result<(), LedgerError>;

    /// Keeps what a verifier said had matched. The same again is nothing new; another is refused (SPEC DIS-2: once a request).
    ///
    /// # Errors
    /// [`LedgerError::DisclosureNotDue`], [`LedgerError::SessionNotOpen`] where it is not complete; `Busy` and `Storage`.
    fn disclose(&mut self, entry: &DisclosureEntry) -> Result<(), LedgerError>;
}
