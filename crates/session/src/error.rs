//! Errors, split by who is to blame. None carries a record, a key or a tag: indexes, counts and names of rules instead.

use crate::ledger::LedgerError;
use crate::wire::{Frame, RefusalMessage, WireError};

/// Why a session cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side broke the protocol. Nothing it sent is used.
    #[error("the other side broke the protocol: {0}")]
    PeerMisbehaved(#[from] Misbehaviour),
    /// Both sides keep to the protocol and cannot work together as they are configured.
    #[error("the two sides do not fit together: {0}")]
    Incompatible(#[from] Incompatibility),
    /// The other side said no.
    #[error("the other side refused: {0}")]
    Refused(Refusal),
    /// This side says no; the refusal goes to the other side.
    #[error("refused: {0}")]
    Refuse(Refusal),
    /// The ledger would not, or could not, write.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Saved state is of another version or damaged.
    #[error("the saved state cannot be used: {0}")]
    SavedState(&'static str),
    /// The blinded batches are not those that the officials approved: the list, the seed or the file of digests is another (SPEC REQ-5).
    #[error("the batches are not those of the approved request")]
    OtherBatches,
    /// This side was asked for something its state does not allow: a fault of the program around it.
    #[error("internal fault: {0}")]
    Internal(&'static str),
}

/// What a peer did wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Misbehaviour {
    /// A frame or a message that is not one.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// An element that is not canonical, or the identity (SPEC SUI-2).
    #[error("batch {index}, element {position} is not a valid element")]
    InvalidElement {
        /// The batch.
        index: u64,
        /// Position in the batch.
        position: usize,
    },
    /// The proof of a batch does not hold (SPEC BAT-5).
    #[error("the proof of batch {index} does not hold")]
    Proof {
        /// The batch.
        index: u64,
    },
    /// An answer to a batch that is not asked, or asked and already answered; a count that differs.
    #[error("batch {index}: {what}")]
    Batch {
        /// The index received.
        index: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A certificate or a statement that does not verify (SPEC STM-1, STM-2).
    #[error("{0} does not verify")]
    Statement(&'static str),
    /// Welcome offers what this side did not ask, or contradicts itself (SPEC HSK-7).
    #[error("Welcome: {0}")]
    Welcome(&'static str),
    /// The sealed set is not the one Welcome named (SPEC SET-7).
    #[error("sealed set: {0}")]
    Set(&'static str),
    /// The receipt differs from what happened (SPEC END-3).
    #[error("the receipt's {0} is not what happened")]
    Receipt(&'static str),
    /// The ledger is not the one that this side knows, continued (SPEC HSK-8, LED-2).
    #[error("the holder's ledger: {0}")]
    Ledger(&'static str),
    /// The disclosure is not what was agreed, or does not fit itself (SPEC DIS-2).
    #[error("the disclosure: {0}")]
    Disclosure(&'static str),
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::PeerMisbehaved(Misbehaviour::Wire(error))
    }
}

/// A difference of configuration. Both values are public.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Incompatibility {
    /// The rulesets differ (SPEC HSK-3).
    #[error("the rulesets differ: here {ours}, there {theirs}")]
    Ruleset {
        /// This side's ruleset digest, hex.
        ours: String,
        /// The other side's, hex.
        theirs: String,
    },
    /// The clocks are too far apart (SPEC HSK-2).
    #[error("the clocks are {skew_ms} ms apart, at most {} ms are allowed", crate::limits::CLOCK_SKEW_MS_MAX)]
    Clock {
        /// The difference.
        skew_ms: u64,
    },
    /// The list is longer than the sealed set's cap (SPEC TAG-3).
    #[error("{tokens} tokens are asked, the sealed set allows {max} a session")]
    TokensOverCap {
        /// Tokens of the request.
        tokens: u64,
        /// `session_tokens_max`.
        max: u64,
    },
}

/// The refusal codes of SPEC FRM-5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
#[expect(missing_docs, reason = "the names are the specification's, each explained in Refusal::hint")]
pub enum RefusalCode {
    VersionUnsupported = 1,
    SuiteUnsupported = 2,
    RulesetMismatch = 3,
    NotSealed = 4,
    RequestMalformed = 5,
    PairsOverCap = 6,
    TokensOverCap = 7,
    ClockSkew = 8,
    RequestConflict = 9,
    EpochEnded = 10,
    BudgetExhausted = 11,
    BatchConflict = 12,
    BatchMalformed = 13,
    OutOfTurn = 14,
    TranscriptDiffers = 15,
    SignatureInvalid = 16,
    Busy = 17,
    ShuttingDown = 18,
    Internal = 19,
    NotAuthorised = 20,
    Suspended = 21,
    LedgerDiverged = 22,
    PolicyChanged = 23,
    BatchUnapproved = 24,
    /// A code this build does not know: final.
    Unknown = 0,
}

/// What a refusal asks of the side that gets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The two sides are configured differently.
    Configuration,
    /// A decision: asking again changes nothing.
    Final,
    /// Passing: may be tried again.
    Passing,
}

impl RefusalCode {
    const ALL: [Self; 24] = [
        Self::VersionUnsupported,
        Self::SuiteUnsupported,
        Self::RulesetMismatch,
        Self::NotSealed,
        Self::RequestMalformed,
        Self::PairsOverCap,
        Self::TokensOverCap,
        Self::ClockSkew,
        Self::RequestConflict,
        Self::EpochEnded,
        Self::BudgetExhausted,
        Self::BatchConflict,
        Self::BatchMalformed,
        Self::OutOfTurn,
        Self::TranscriptDiffers,
        Self::SignatureInvalid,
        Self::Busy,
        Self::ShuttingDown,
        Self::Internal,
        Self::NotAuthorised,
        Self::Suspended,
        Self::LedgerDiverged,
        Self::PolicyChanged,
        Self::BatchUnapproved,
    ];

    /// The code of a number; [`RefusalCode::Unknown`] where there is none.
    #[must_use]
    pub fn from_u16(code: u16) -> Self {
        Self::ALL.into_iter().find(|known| *known as u16 == code).unwrap_or(Self::Unknown)
    }

    /// The name in the specification.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::VersionUnsupported => "version_unsupported",
            Self::SuiteUnsupported => "suite_unsupported",
            Self::RulesetMismatch => "ruleset_mismatch",
            Self::NotSealed => "not_sealed",
            Self::RequestMalformed => "request_malformed",
            Self::PairsOverCap => "pairs_over_cap",
            Self::TokensOverCap => "tokens_over_cap",
            Self::ClockSkew => "clock_skew",
            Self::RequestConflict => "request_conflict",
            Self::EpochEnded => "epoch_ended",
            Self::BudgetExhausted => "budget_exhausted",
            Self::BatchConflict => "batch_conflict",
            Self::BatchMalformed => "batch_malformed",
            Self::OutOfTurn => "out_of_turn",
            Self::TranscriptDiffers => "transcript_differs",
            Self::SignatureInvalid => "signature_invalid",
            Self::Busy => "busy",
            Self::ShuttingDown => "shutting_down",
            Self::Internal => "internal",
            Self::NotAuthorised => "not_authorised",
            Self::Suspended => "suspended",
            Self::LedgerDiverged => "ledger_diverged",
            Self::PolicyChanged => "policy_changed",
            Self::BatchUnapproved => "batch_unapproved",
            Self::Unknown => "unknown",
        }
    }

    /// Whether asking again can help, and who must change something.
    #[must_use]
    pub fn kind(self) -> RefusalKind {
        match self {
            Self::VersionUnsupported | Self::SuiteUnsupported | Self::RulesetMismatch => RefusalKind::Configuration,
            Self::Busy | Self::ShuttingDown | Self::Internal => RefusalKind::Passing,
            _ => RefusalKind::Final,
        }
    }
}

/// What a verifier is told of a request that is not authorised: which demand it fails, its officials and the holder's can find out together.
pub const NOT_AUTHORISED: &str = "the request is not authorised under the holder's policy";

/// A refusal: a code and a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// For people: no personal data, printable ASCII, at most 1,024 bytes.
    pub detail: String,
    /// The full reason, for the side that refuses: it goes into the ledger and never onto the wire.
    pub reason: Option<String>,
}

impl core::fmt::Display for Refusal {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        if self.detail.is_empty() { f.write_str(self.code.name()) } else { write!(f, "{}: {}", self.code.name(), self.detail) }
    }
}

impl Refusal {
    /// A refusal with a sentence, cut to its limit.
    #[must_use]
    pub fn new(code: RefusalCode, detail: impl Into<String>) -> Self {
        Self { code, detail: printable(&detail.into()), reason: None }
    }

    /// Keeps the full reason beside what goes out.
    #[must_use]
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let message = RefusalMessage { code: self.code as u16, detail: printable(&self.detail) };
        // Both fields are within their bounds by construction.
        message.to_frame().unwrap_or(Frame { kind: crate::wire::FrameType::Refusal, body: Vec::new() })
    }

    /// Decodes the frame. The detail is stripped of what a terminal could take for a command.
    ///
    /// # Errors
    /// Another type, or a body that is not a refusal.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        let message = RefusalMessage::from_frame(frame)?;
        Ok(Self { code: RefusalCode::from_u16(message.code), detail: printable(&message.detail), reason: None })
    }
}

/// Printable ASCII only, cut to the limit of a detail: nothing that a terminal or a bidirectional layout could take for a command.
fn printable(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(crate::limits::DETAIL_BYTES_MAX).collect()
}

impl Error {
    /// The refusal to send to the other side, where it should hear of this error.
    #[must_use]
    pub fn to_refusal(&self) -> Option<Refusal> {
        let refusal = |code, detail: String| Some(Refusal::new(code, detail));
        match self {
            Self::Refuse(refusal) => Some(refusal.clone()),
            Self::Refused(_) => None,
            Self::PeerMisbehaved(Misbehaviour::Statement(what)) => {
                refusal(RefusalCode::SignatureInvalid, format!("{what} does not verify"))
            }
            Self::PeerMisbehaved(Misbehaviour::Wire(WireError::UnexpectedType { .. })) => refusal(RefusalCode::OutOfTurn, self.to_string()),
            Self::PeerMisbehaved(
                what @ (Misbehaviour::Batch { .. }
                | Misbehaviour::InvalidElement { .. }
                | Misbehaviour::Wire(WireError::Malformed("Batch") | WireError::OutOfBounds("Batch"))),
            ) => refusal(RefusalCode::BatchMalformed, what.to_string()),
            Self::PeerMisbehaved(what) => refusal(RefusalCode::RequestMalformed, what.to_string()),
            Self::Incompatible(what @ Incompatibility::Ruleset { .. }) => refusal(RefusalCode::RulesetMismatch, what.to_string()),
            Self::Incompatible(what @ Incompatibility::Clock { .. }) => refusal(RefusalCode::ClockSkew, what.to_string()),
            Self::Incompatible(what @ Incompatibility::TokensOverCap { .. }) => refusal(RefusalCode::TokensOverCap, what.to_string()),
            Self::Ledger(error) => match error {
                LedgerError::RequestConflict => refusal(RefusalCode::RequestConflict, error.to_string()),
                LedgerError::BatchConflict { .. } => refusal(RefusalCode::BatchConflict, error.to_string()),
                LedgerError::EpochEnded => refusal(RefusalCode::EpochEnded, error.to_string()),
                LedgerError::BudgetExhausted { .. } => Some(
                    Refusal::new(RefusalCode::BudgetExhausted, "the holder's budget for this verifier does not hold this request")
                        .because(error.to_string()),
                ),
                LedgerError::Suspended => refusal(RefusalCode::Suspended, error.to_string()),
                LedgerError::PolicyChanged => refusal(RefusalCode::PolicyChanged, error.to_string()),
                LedgerError::RequestRefused | LedgerError::RequestExpired => {
                    Some(Refusal::new(RefusalCode::NotAuthorised, NOT_AUTHORISED).because(error.to_string()))
                }
                // Its own clock is the holder's business.
                LedgerError::ClockBehind { .. } => {
                    Some(Refusal::new(RefusalCode::ClockSkew, "the holder's clock is not in order").because(error.to_string()))
                }
                LedgerError::DisclosureNotDue => refusal(RefusalCode::OutOfTurn, error.to_string()),
                LedgerError::SessionNotOpen => refusal(RefusalCode::OutOfTurn, error.to_string()),
                LedgerError::Busy(_) => refusal(RefusalCode::Busy, "try again".to_owned()),
                // Another try would only be refused again.
                LedgerError::TooOften { .. } => refusal(RefusalCode::OutOfTurn, error.to_string()),
                // What failed on the holder's disk is the holder's business.
                LedgerError::Storage(_) => {
                    Some(Refusal::new(RefusalCode::Internal, "the holder could not write its ledger").because(error.to_string()))
                }
            },
            Self::SavedState(_) | Self::OtherBatches | Self::Internal(_) => {
                refusal(RefusalCode::Internal, "a fault at the other side".to_owned())
            }
        }
    }
}
