//! The holder's side, one struct a state (SPEC §6).
//!
//! [`HolderHandshake`] → [`ReceivedHello`] → [`PendingAdmission`] → *commit* → [`HolderSession`]; for each batch [`PendingCharge`] → *commit* → [`Charged`] →
//! [`EvaluatedBatch`] → an answer; at the end [`PendingCompletion`] → *commit* → [`Completed`] → the receipt.
//! What is pending becomes more only by its `commit`, which writes the ledger first.

mod batches;
mod handshake;
mod session;

pub use batches::{Charged, EvaluatedBatch, EvaluatedSlice, PendingCharge};
pub use handshake::{HolderHandshake, House, PendingAdmission, ReceivedHello};
pub use session::{Completed, HolderSession, PendingAcknowledgement, PendingCompletion};

use crate::statement::StatementKey;

/// What a holder is, for all its sessions.
#[derive(Debug)]
pub struct HolderContext {
    /// The fingerprint of its identity.
    pub fingerprint: [u8; 32],
    /// Its statement key.
    pub statement_key: StatementKey,
    /// Pairs an unsigned request may ask (SPEC HSK-4).
    pub pilot_pairs_max: u64,
    /// Tokens an epoch may evaluate (SPEC EPO-3).
    pub epoch_evaluations_max: u64,
}
