//! Bodies of kind 20: what a ledger of an older version had when it was brought up.

use serde::{Deserialize, Serialize};

use super::{Body, EntryKind, Hex, MaybeHex};

body! {
    /// Kind 20, `table` = `epochs`: the epoch as the older ledger had it.
    Import: ImportEpoch {
        /// As [`super::EpochBegin`].
        as_of: u32,
        /// When it began.
        begun_unix_ms: u64,
        /// As [`super::EpochBegin`].
        declared_tags: u64,
        /// Why it ended; `""` while it has not.
        end_reason: String,
        /// When it ended; 0 while it has not.
        ended_unix_ms: u64,
        /// The epoch's id.
        epoch: Hex<16>,
        /// As [`super::EpochBegin`].
        input_digest: MaybeHex<32>,
        /// As [`super::EpochBegin`].
        public_key: Hex<32>,
        /// As [`super::EpochBegin`].
        records: u64,
        /// As [`super::EpochBegin`].
        rejected: u64,
        /// As [`super::EpochBegin`].
        ruleset_digest: Hex<32>,
        /// As [`super::EpochBegin`].
        session_tokens_max: u64,
        /// As [`super::EpochBegin`].
        set_bytes: u64,
        /// As [`super::EpochBegin`].
        set_id: Hex<32>,
        /// As [`super::EpochBegin`].
        suite: u16,
        /// `epochs`.
        table: String,
        /// As [`super::EpochBegin`].
        tags: u64,
        /// As [`super::EpochBegin`].
        tau: u8,
        /// As [`super::EpochBegin`].
        tokens_per_pair: u16,
    }
}

body! {
    /// Kind 20, `table` = `sessions`: the session as the older ledger had it, with a digest over its charges.
    Import: ImportSession {
        /// As [`super::RequestAccepted`].
        batches: u64,
        /// When it last changed.
        changed_unix_ms: u64,
        /// Batches charged.
        charged_batches: u64,
        /// Evaluations charged.
        charged_tokens: u64,
        /// Digest over the rows of its charges: index, tokens, blinded digest, statement, time.
        charges_digest: Hex<32>,
        /// As [`super::RequestAccepted`].
        epoch: Hex<16>,
        /// As [`super::RequestAccepted`].
        holder_nonce: Hex<32>,
        /// As [`super::RequestAccepted`].
        offered: String,
        /// When it was opened.
        opened_unix_ms: u64,
        /// As [`super::RequestAccepted`].
        pairs: u64,
        /// As [`super::RequestAccepted`].
        request: String,
        /// As [`super::RequestAccepted`].
        request_digest: Hex<32>,
        /// As [`super::RequestAccepted`].
        request_id: Hex<16>,
        /// As [`super::RequestAccepted`].
        session: Hex<16>,
        /// As [`super::RequestAccepted`].
        set_id: MaybeHex<32>,
        /// `open`, `suspended` or `complete`.
        state: String,
        /// `sessions`.
        table: String,
        /// As [`super::RequestAccepted`].
        tokens: u64,
        /// As [`super::RequestAccepted`].
        verifier_certificate: Hex<136>,
        /// As [`super::RequestAccepted`].
        verifier_nonce: Hex<32>,
    }
}

body! {
    /// Kind 20, `table` = `receipts`.
    Import: ImportReceipt {
        /// Digest of the answers, as [`super::Completion`].
        answers_digest: Hex<32>,
        /// As [`super::Completion`].
        certificate: Hex<136>,
        /// When it was made.
        completed_unix_ms: u64,
        /// As [`super::Completion`].
        receipt: String,
        /// As [`super::Completion`].
        session: Hex<16>,
        /// As [`super::Completion`].
        signature: Hex<64>,
        /// `receipts`.
        table: String,
        /// The verifier's signature, if it was there.
        verifier_signature: MaybeHex<64>,
    }
}

body! {
    /// Kind 20, `table` = `deliveries`, `earlier_sets` or `refusals`: how many rows there were, and a digest over them.
    Import: ImportRows {
        /// Digest over the rows; of refusals over number, verifier, code and first time alone, since they go on being counted.
        digest: Hex<32>,
        /// Rows.
        rows: u64,
        /// Their table.
        table: String,
    }
}
