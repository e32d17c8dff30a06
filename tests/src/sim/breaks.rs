//! Ways to break the parties on purpose. A simulation that cannot fail shows nothing: each of these must be caught by the oracle.

/// What a broken party does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The holder evaluates and answers, and charges later.
    AnswerBeforeCharge,
    /// The verifier loses the tags of one batch.
    DropBatch,
    /// A verifier that comes back asks as if it had not asked before.
    ForgetHandshake,
    /// The verifier takes batches out of its checkpoint without their digests.
    BelieveCheckpoint,
    /// The verifier's disk says that it synced, and did not.
    UnsyncedFiles,
    /// The holder's ledger says that it wrote a transaction, and loses it with the power.
    UnsyncedLedger,
    /// The holder does not give back what a broken session had reserved.
    KeepReservation,
    /// The verifier writes its results before it has the receipt.
    ResultsBeforeReceipt,
    /// The holder answers with another epoch's key.
    OtherKey,
}

impl Break {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Self); 9] = [
        ("answer-before-charge", Self::AnswerBeforeCharge),
        ("drop-batch", Self::DropBatch),
        ("forget-handshake", Self::ForgetHandshake),
        ("believe-checkpoint", Self::BelieveCheckpoint),
        ("unsynced-files", Self::UnsyncedFiles),
        ("unsynced-ledger", Self::UnsyncedLedger),
        ("keep-reservation", Self::KeepReservation),
        ("results-before-receipt", Self::ResultsBeforeReceipt),
        ("other-key", Self::OtherKey),
    ];

    /// The one of this name.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, way)| way)
    }
}
