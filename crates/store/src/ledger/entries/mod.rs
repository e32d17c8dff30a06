//! The entries of the log: kinds and bodies (SPEC LED-4).
//!
//! A body is canonical JSON (RFC 8785): an object whose members stand in the order of their names. Its values are integers below 2^53, text,
//! and lists and objects of these. Bytes are lower-case hex, and `""` where there are none; a time or a number that there is none of is 0.
//! Signatures and requests are kept as the text they are; should one not be UTF-8, as `hex:` and lower-case hex.
//!
//! | kind | name | party | body | written when |
//! |---|---|---|---|---|
//! | 1 | `policy` | none | [`Policy`] | a policy comes into force |
//! | 2 | `suspension` | the verifier, or none for all | [`Suspension`] | answers are suspended |
//! | 3 | `resumption` | as 2 | [`Resumption`] | and resumed |
//! | 4 | `epoch_begin` | the epoch's verifier, or none | [`EpochBegin`] | an epoch begins with its set |
//! | 5 | `epoch_end` | as the epoch's by then | [`EpochEnded`] | an epoch ends; its open sessions are suspended by it |
//! | 6 | `seal` | as 5 | [`Seal`] | another set takes the place of an epoch's |
//! | 7 | `delivery` | the session's verifier | [`Delivery`] | before a set, or a part of it, goes out |
//! | 8 | `request_accepted` | the verifier | [`RequestAccepted`] | a session is opened; an epoch of nobody's becomes the verifier's by it |
//! | 9 | `request_refused` | the verifier, or none | [`RequestRefused`] | see below |
//! | 10 | `charge` | the session's verifier | [`Charge`] | before a batch is evaluated for the first time |
//! | 11 | `completion` | the session's verifier | [`Completion`] | a session has its receipt |
//! | 12 | `receipt` | the session's verifier | [`ReceiptSigned`] | the verifier has signed it |
//! | 13 | `operator` | none | [`Operator`] | a command was run that has no kind of its own |
//! | 14 | `disclosure` | the session's verifier | [`Disclosed`] | a verifier says what matched |
//! | 15 | `booking` | the session's verifier | [`Booking`] | records are booked as disclosed |
//! | 16 | `epoch_closing` | as 5 | [`EpochClosing`] | an epoch admits no new session |
//! | 17 | `countersignature` | the request's verifier | [`Countersignature`] | a holder's official has signed a request |
//! | 18 | `session_suspended` | the session's verifier | [`SessionSuspended`] | a session's line is gone |
//! | 19 | `session_resumed` | the session's verifier | [`SessionResumed`] | and back |
//! | 20 | `import` | as the row's | [`ImportEpoch`], [`ImportSession`], [`ImportReceipt`], [`ImportRows`] | a ledger of an older version is brought up |
//! | 21 | `request_denied` | the request's verifier | [`RequestDenied`] | the holder's officials refuse a request |
//!
//! Refusals are counted, and an entry is written when a count begins and whenever it reaches a power of two: a verifier that has itself
//! refused again and again makes the log no longer than the logarithm of how often, and no more counts than
//! [`super::REFUSALS_MAX`] and one for each code.

use oblink_session::ledger::{Side, Signer};
use serde::{Deserialize, Serialize};

macro_rules! body {
    ($(#[$doc:meta])* $kind:ident: $name:ident { $($(#[$member_doc:meta])* $member:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$member_doc])* pub $member: $type,)* }
        impl Body for $name {
            const KIND: EntryKind = EntryKind::$kind;
        }
    };
}

mod hex;
mod import;

pub use hex::{Hex, MaybeHex, text_of};
pub use import::{ImportEpoch, ImportReceipt, ImportRows, ImportSession};

/// What an entry is about (SPEC LED-4); the numbers are part of what is hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "the table above says it")]
pub enum EntryKind {
    Policy = 1,
    Suspension = 2,
    Resumption = 3,
    EpochBegin = 4,
    EpochEnd = 5,
    Seal = 6,
    Delivery = 7,
    RequestAccepted = 8,
    RequestRefused = 9,
    Charge = 10,
    Completion = 11,
    Receipt = 12,
    Operator = 13,
    Disclosure = 14,
    Booking = 15,
    EpochClosing = 16,
    Countersignature = 17,
    SessionSuspended = 18,
    SessionResumed = 19,
    Import = 20,
    RequestDenied = 21,
}

impl EntryKind {
    /// All kinds, ascending.
    pub const ALL: [Self; 21] = [
        Self::Policy,
        Self::Suspension,
        Self::Resumption,
        Self::EpochBegin,
        Self::EpochEnd,
        Self::Seal,
        Self::Delivery,
        Self::RequestAccepted,
        Self::RequestRefused,
        Self::Charge,
        Self::Completion,
        Self::Receipt,
        Self::Operator,
        Self::Disclosure,
        Self::Booking,
        Self::EpochClosing,
        Self::Countersignature,
        Self::SessionSuspended,
        Self::SessionResumed,
        Self::Import,
        Self::RequestDenied,
    ];

    /// The kind of a number; `None` where there is none.
    #[must_use]
    pub fn from_u8(kind: u8) -> Option<Self> {
        Self::ALL.get(usize::from(kind).checked_sub(1)?).copied()
    }

    /// The name in the specification, as exports show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Suspension => "suspension",
            Self::Resumption => "resumption",
            Self::EpochBegin => "epoch_begin",
            Self::EpochEnd => "epoch_end",
            Self::Seal => "seal",
            Self::Delivery => "delivery",
            Self::RequestAccepted => "request_accepted",
            Self::RequestRefused => "request_refused",
            Self::Charge => "charge",
            Self::Completion => "completion",
            Self::Receipt => "receipt",
            Self::Operator => "operator",
            Self::Disclosure => "disclosure",
            Self::Booking => "booking",
            Self::EpochClosing => "epoch_closing",
            Self::Countersignature => "countersignature",
            Self::SessionSuspended => "session_suspended",
            Self::SessionResumed => "session_resumed",
            Self::Import => "import",
            Self::RequestDenied => "request_denied",
        }
    }
}

/// A body of one kind.
pub trait Body: Serialize {
    /// The kind whose body it is.
    const KIND: EntryKind;
}

/// An official whose signature counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerBody {
    /// The key, as `SHA256:…`.
    pub key: String,
    /// The principal.
    pub principal: String,
    /// `verifier` or `holder`: whose official.
    pub side: String,
}

impl From<&Signer> for SignerBody {
    fn from(signer: &Signer) -> Self {
        let side = match signer.side {
            Side::Verifier => "verifier",
            Side::Holder => "holder",
        };
        Self { key: signer.key.clone(), principal: signer.principal.clone(), side: side.to_owned() }
    }
}

body! {
    /// Kind 1: a policy comes into force, and the one before it goes (SPEC POL-4).
    Policy: Policy {
        /// Text of `allowed_signers`.
        allowed_signers: String,
        /// Digest of the policy (SPEC POL-1).
        digest: Hex<32>,
        /// Who applied it.
        operator: String,
        /// Text of `policy.toml`.
        policy: String,
        /// Digest of the one before, `""` for the first.
        previous: MaybeHex<32>,
        /// The proposal that was signed; `""` for a tightening, which needs none.
        proposal: String,
        /// The officials' signatures over it.
        signatures: Vec<String>,
        /// Whose they are.
        signers: Vec<SignerBody>,
    }
}

body! {
    /// Kind 2.
    Suspension: Suspension {
        /// Who did it.
        operator: String,
        /// Why.
        reason: String,
        /// The verifier's fingerprint, or `all`.
        scope: String,
    }
}

body! {
    /// Kind 3.
    Resumption: Resumption {
        /// Who did it.
        operator: String,
        /// The proposal that was signed.
        proposal: String,
        /// Why.
        reason: String,
        /// The verifier's fingerprint, or `all`.
        scope: String,
        /// The officials' signatures over the proposal.
        signatures: Vec<String>,
        /// Whose they are.
        signers: Vec<SignerBody>,
    }
}

body! {
    /// Kind 4. The members of the set are those of its header (SPEC SET-1).
    EpochBegin: EpochBegin {
        /// As-of date, yyyymmdd; 0 for none.
        as_of: u32,
        /// D of the set.
        declared_tags: u64,
        /// When the epoch ends by date; 0 for never.
        ends_unix_ms: u64,
        /// The epoch's id.
        epoch: Hex<16>,
        /// Evaluations after which it ends; 0 for the protocol's bound (SPEC EPO-3).
        evaluations_max: u64,
        /// Digest of the input.
        input_digest: MaybeHex<32>,
        /// The epoch's public key.
        public_key: Hex<32>,
        /// Records read.
        records: u64,
        /// Records that gave no token.
        rejected: u64,
        /// Digest of the ruleset.
        ruleset_digest: Hex<32>,
        /// M of the set.
        session_tokens_max: u64,
        /// Bytes of the set.
        set_bytes: u64,
        /// The set's digest.
        set_id: Hex<32>,
        /// The suite.
        suite: u16,
        /// Tags in the set.
        tags: u64,
        /// Tag length in bits.
        tau: u8,
        /// T.
        tokens_per_pair: u16,
    }
}

body! {
    /// Kind 5.
    EpochEnd: EpochEnded {
        /// The epoch.
        epoch: Hex<16>,
        /// Why.
        reason: String,
        /// Sessions whose disclosure was not booked by then (SPEC DIS-3).
        unbooked: u64,
    }
}

body! {
    /// Kind 6: what differs from the epoch's earlier set.
    Seal: Seal {
        /// As-of date, yyyymmdd; 0 for none.
        as_of: u32,
        /// D of the set.
        declared_tags: u64,
        /// The epoch.
        epoch: Hex<16>,
        /// Digest of the input.
        input_digest: MaybeHex<32>,
        /// Records read.
        records: u64,
        /// Records that gave no token.
        rejected: u64,
        /// M of the set.
        session_tokens_max: u64,
        /// Bytes of the set.
        set_bytes: u64,
        /// The set's digest.
        set_id: Hex<32>,
        /// Tags in the set.
        tags: u64,
        /// Tag length in bits.
        tau: u8,
    }
}

body! {
    /// Kind 7.
    Delivery: Delivery {
        /// Bytes that go out.
        bytes: u64,
        /// The session.
        session: Hex<16>,
        /// The set.
        set_id: Hex<32>,
    }
}

body! {
    /// Kind 8: the request and by what it was admitted, whole, so that both can be checked again.
    RequestAccepted: RequestAccepted {
        /// Batches that the request makes.
        batches: u64,
        /// Signatures of the holder's officials.
        countersignatures: Vec<String>,
        /// `none`, `count` or `matched_tags`: what the verifier owes after the results (SPEC DIS-1).
        disclosure: String,
        /// The epoch that answers.
        epoch: Hex<16>,
        /// The holder's nonce.
        holder_nonce: Hex<32>,
        /// Versions and suites that the verifier offered, as the transcript has them (SPEC END-1), hex.
        offered: String,
        /// Pairs asked.
        pairs: u64,
        /// Digest of the policy in force; `""` in pilot mode.
        policy: MaybeHex<32>,
        /// The request, as received.
        request: String,
        /// SHA-256 of the request.
        request_digest: Hex<32>,
        /// Its identifier.
        request_id: Hex<16>,
        /// The session's id (SPEC HSK-6).
        session: Hex<16>,
        /// The set that Welcome names.
        set_id: Hex<32>,
        /// Signatures that came with Hello, as they came.
        signatures: Vec<String>,
        /// Whose signatures counted.
        signers: Vec<SignerBody>,
        /// Evaluations reserved: pairs × T.
        tokens: u64,
        /// Certificate of the verifier's statement key.
        verifier_certificate: Hex<136>,
        /// The verifier's nonce.
        verifier_nonce: Hex<32>,
    }
}

body! {
    /// Kind 9.
    RequestRefused: RequestRefused {
        /// The code (SPEC FRM-5).
        code: u16,
        /// How many refusals are counted together by now: a power of two.
        count: u64,
        /// What went out.
        detail: String,
        /// Why in full; `""` where that is all.
        reason: String,
        /// Number of the count that it is in.
        refusal: u64,
    }
}

body! {
    /// Kind 10.
    Charge: Charge {
        /// Index of the batch.
        batch: u64,
        /// Digest of its blinded elements (SPEC BAT-1).
        blinded_digest: Hex<32>,
        /// The session.
        session: Hex<16>,
        /// Evaluations charged to the session, this one's included.
        session_tokens: u64,
        /// The verifier's statement (SPEC STM-3).
        statement: Hex<64>,
        /// Evaluations of the batch.
        tokens: u32,
    }
}

body! {
    /// Kind 11.
    Completion: Completion {
        /// SHA-256 over `index:u64 ‖ evaluated_digest` of the session's batches in order of their indexes.
        answers_digest: Hex<32>,
        /// Certificate of the holder's statement key.
        certificate: Hex<136>,
        /// The receipt's body (SPEC END-3).
        receipt: String,
        /// The session.
        session: Hex<16>,
        /// The holder's signature over the receipt.
        signature: Hex<64>,
    }
}

body! {
    /// Kind 12.
    Receipt: ReceiptSigned {
        /// The session.
        session: Hex<16>,
        /// The verifier's signature over the receipt.
        signature: Hex<64>,
    }
}

body! {
    /// Kind 13.
    Operator: Operator {
        /// What was done.
        action: String,
        /// To what, or how; `""` where that is all.
        detail: String,
        /// The operating system's name of who ran it.
        operator: String,
    }
}

body! {
    /// Kind 14 (SPEC DIS-2).
    Disclosure: Disclosed {
        /// `count` or `matched_tags`.
        kind: String,
        /// Pairs that matched.
        matched: u64,
        /// The session.
        session: Hex<16>,
        /// The verifier's statement.
        signature: Hex<64>,
        /// Digest of the tags.
        tags_digest: Hex<32>,
    }
}

body! {
    /// Kind 15 (SPEC DIS-3): how many records, and a digest of their identifiers under a salt that stays out of the log.
    Booking: Booking {
        /// SHA-256 over `"oblink/1/booking\0" ‖ salt[32]` and, for each identifier in the order of its bytes, `u64 length ‖ identifier`.
        digest: Hex<32>,
        /// Who booked them.
        operator: String,
        /// Records booked.
        records: u64,
        /// The session in which they were disclosed.
        session: Hex<16>,
    }
}

body! {
    /// Kind 16.
    EpochClosing: EpochClosing {
        /// The epoch.
        epoch: Hex<16>,
        /// Until when sessions that were admitted may go on.
        grace_until_unix_ms: u64,
        /// Why.
        reason: String,
    }
}

body! {
    /// Kind 17.
    Countersignature: Countersignature {
        /// The key, as `SHA256:…`.
        key: String,
        /// Who signed.
        principal: String,
        /// The request.
        request: String,
        /// Its SHA-256.
        request_digest: Hex<32>,
        /// The signature.
        signature: String,
    }
}

body! {
    /// Kind 18.
    SessionSuspended: SessionSuspended {
        /// The session.
        session: Hex<16>,
    }
}

body! {
    /// Kind 19. The lists are empty unless the policy is another than the session went by so far.
    SessionResumed: SessionResumed {
        /// Signatures of the holder's officials.
        countersignatures: Vec<String>,
        /// Digest of the policy in force, by which it goes on; `""` in pilot mode.
        policy: MaybeHex<32>,
        /// The session.
        session: Hex<16>,
        /// Signatures that came with Hello.
        signatures: Vec<String>,
        /// Whose signatures counted.
        signers: Vec<SignerBody>,
    }
}

body! {
    /// Kind 21: the holder's officials refuse a request, whatever its signatures.
    RequestDenied: RequestDenied {
        /// Who said so.
        operator: String,
        /// Why.
        reason: String,
        /// The request.
        request: String,
        /// Its SHA-256.
        request_digest: Hex<32>,
    }
}
