//! The verifier's side, one struct a state (SPEC §6).
//!
//! [`VerifierHandshake`] → [`VerifierSession`]; for each batch [`BatchPlan`] → [`BlindedBatch`] → [`UnverifiedBatch`] → [`VerifiedBatch`] → tags;
//! at the end [`AwaitingReceipt`] → [`Finished`]. Tags come out of a verified batch alone, Complete out of a session whose batches are all
//! verified and whose sealed set was checked, and the receipt out of a session that the holder's account agrees with.
//!
//! Over a new connection, a session goes on by [`VerifierSession::resume`] with what was kept of it.

mod batches;
mod handshake;
mod rehearsal;
mod resume;
mod session;

pub use batches::{BatchPlan, BlindedBatch, BlindedSlice, SliceCheck, UnverifiedBatch, VerifiedBatch};
pub use handshake::VerifierHandshake;
pub use resume::KeptBatch;
pub use session::{AwaitingReceipt, CheckedSet, Finished, VerifierSession};

use crate::statement::StatementKey;

/// What a verifier is, for all its sessions.
#[derive(Debug)]
pub struct VerifierContext {
    /// The fingerprint of its identity.
    pub fingerprint: [u8; 32],
    /// Its statement key.
    pub statement_key: StatementKey,
}
