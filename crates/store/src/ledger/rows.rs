//! What the ledger shows: rows of counts, digests and times.

use oblink_session::receipt::Receipt;
use oblink_session::set::SetOffer;
use oblink_session::statement::CERTIFICATE_BYTES;

/// An epoch to be begun: a set that was just sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The verifier whose epoch it is; `None` for the first trusted one that comes (SPEC EPO-2).
    pub verifier: Option<[u8; 32]>,
    /// The set; its descriptor names the epoch.
    pub offer: SetOffer,
    /// Records read.
    pub records: u64,
    /// Records that gave no token.
    pub rejected: u64,
    /// Digest of the input, where one was taken.
    pub input_digest: Option<[u8; 32]>,
    /// Digest of the policy that its caller went by; `None` in pilot mode. Another in force by now refuses it.
    pub policy: Option<[u8; 32]>,
    /// When it ends by itself; not looked at where a set takes the place of another.
    pub limits: EpochLimits,
    /// The holder's clock, milliseconds since 1970.
    pub clock_unix_ms: u64,
}

/// When an epoch ends by itself (SPEC EPO-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EpochLimits {
    /// From when on it admits no session, milliseconds since 1970.
    pub ends_unix_ms: Option<u64>,
    /// Most evaluations under it, if fewer than the protocol's bound.
    pub evaluations_max: Option<u64>,
    /// Of an epoch to be begun: it ends the one before even while disclosures are unbooked (SPEC DIS-3).
    pub even_unbooked: bool,
}

/// An epoch that admits no new session (SPEC EPO-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochClosing {
    /// Since when, milliseconds since 1970.
    pub unix_ms: u64,
    /// Why.
    pub reason: String,
    /// Until when the sessions that it admitted may go on, milliseconds since 1970.
    pub grace_until_unix_ms: u64,
}

/// An epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochRow {
    /// The verifier whose epoch it is, if any has it yet.
    pub verifier: Option<[u8; 32]>,
    /// The set; its descriptor names the epoch.
    pub offer: SetOffer,
    /// Records read when its set was sealed.
    pub records: u64,
    /// Records that gave no token.
    pub rejected: u64,
    /// Digest of the input, where one was taken.
    pub input_digest: Option<[u8; 32]>,
    /// When it began, milliseconds since 1970.
    pub begun_unix_ms: u64,
    /// When and why it ended.
    pub ended: Option<EpochEnd>,
    /// Sessions under it.
    pub sessions: u64,
    /// Evaluations charged.
    pub charged_tokens: u64,
    /// Evaluations that open sessions have reserved and not charged yet.
    pub reserved_tokens: u64,
    /// Sets that this one took the place of, under the same key.
    pub earlier_sets: u64,
    /// When it ends by itself.
    pub limits: EpochLimits,
    /// Since when and why it admits no session; also of one that has ended since.
    pub closing: Option<EpochClosing>,
}

/// A set that another of its epoch took the place of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EarlierSetRow {
    /// The epoch.
    pub epoch_id: [u8; 16],
    /// The set.
    pub set_id: [u8; 32],
    /// Its length in bytes.
    pub set_bytes: u64,
    /// Its tags.
    pub tags: u64,
    /// Its as-of date as decimal yyyymmdd; 0 for none.
    pub as_of: u32,
    /// Records read when it was sealed.
    pub records: u64,
    /// Records that gave no token.
    pub rejected: u64,
    /// Digest of the input, where one was taken.
    pub input_digest: Option<[u8; 32]>,
    /// When it was sealed, milliseconds since 1970.
    pub sealed_unix_ms: u64,
    /// When another took its place, milliseconds since 1970.
    pub replaced_unix_ms: u64,
}

/// The end of an epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// Milliseconds since 1970.
    pub unix_ms: u64,
    /// The reason given, or `sealed again`.
    pub reason: String,
}

/// What names the files of an epoch that is current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveFiles {
    /// The epoch; its seed's file bears this name.
    pub epoch_id: [u8; 16],
    /// Its set; the set's file bears this name.
    pub set_id: [u8; 32],
}

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionState {
    /// Connected, with a reservation.
    Open,
    /// Its line is gone; it may be resumed.
    Suspended,
    /// It has its receipt.
    Complete,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// SPEC HSK-6.
    pub session_id: [u8; 16],
    /// The request's identifier.
    pub request_id: [u8; 16],
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// The epoch that answers.
    pub epoch_id: [u8; 16],
    /// The sealed set that it was opened with.
    pub set_id: [u8; 32],
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// Pairs asked.
    pub pairs: u64,
    /// Tokens asked.
    pub tokens: u64,
    /// Batches of the request.
    pub batches: u64,
    /// Where it stands.
    pub state: SessionState,
    /// Tokens charged.
    pub charged_tokens: u64,
    /// Batches charged.
    pub charged_batches: u64,
    /// Bytes of sealed sets delivered.
    pub delivered_bytes: u64,
    /// When it was opened, milliseconds since 1970.
    pub opened_unix_ms: u64,
    /// When it last changed, milliseconds since 1970.
    pub changed_unix_ms: u64,
    /// When it was completed, milliseconds since 1970.
    pub completed_unix_ms: Option<u64>,
    /// Whether the verifier's signature on the receipt is here.
    pub acknowledged: bool,
    /// The policy that it goes by; `None` in pilot mode.
    pub policy: Option<[u8; 32]>,
    /// What the verifier owes after its results: `none`, `count` or `matched_tags`.
    pub disclosure: String,
    /// Number of the log's entry that tells of its opening; `None` where an older ledger brought it.
    pub entry: Option<u64>,
}

/// A receipt (SPEC END-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptRow {
    /// The body, canonical JSON.
    pub body: Vec<u8>,
    /// The holder's signature over it.
    pub holder_signature: [u8; 64],
    /// The certificate of the holder's statement key.
    pub holder_certificate: [u8; CERTIFICATE_BYTES],
    /// The verifier's signature, once it has acknowledged.
    pub verifier_signature: Option<[u8; 64]>,
    /// The certificate of the verifier's statement key, as its Hello brought it.
    pub verifier_certificate: [u8; CERTIFICATE_BYTES],
    /// When it was made, milliseconds since 1970.
    pub completed_unix_ms: u64,
}

impl ReceiptRow {
    /// The receipt as both sides keep it in a file; `None` until the verifier has signed it.
    #[must_use]
    pub fn signed(&self) -> Option<Receipt> {
        self.verifier_signature.map(|verifier_signature| Receipt {
            body: self.body.clone(),
            holder_signature: self.holder_signature,
            holder_certificate: self.holder_certificate,
            verifier_signature,
            verifier_certificate: self.verifier_certificate,
        })
    }
}

/// A delivery of a sealed set, or of a part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The session it was delivered in.
    pub session_id: [u8; 16],
    /// The set.
    pub set_id: [u8; 32],
    /// Bytes sent.
    pub bytes: u64,
    /// Milliseconds since 1970.
    pub delivered_unix_ms: u64,
}

/// A refusal, or several of one verifier that are kept as one (see [`super::REFUSALS_MAX`]).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRow {
    /// The verifier, where one was known.
    pub verifier: Option<[u8; 32]>,
    /// The code (SPEC FRM-5).
    pub code: u16,
    /// For people; of the latest one.
    pub detail: String,
    /// The full reason, which did not go out; empty where there is no more to say than the detail.
    pub reason: String,
    /// How many they are.
    pub count: u64,
    /// When the first of them was, milliseconds since 1970.
    pub first_unix_ms: u64,
    /// When the latest of them was, milliseconds since 1970.
    pub refused_unix_ms: u64,
}
