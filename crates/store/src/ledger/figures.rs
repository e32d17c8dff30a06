//! Sizes and budgets, for the operator's monitoring: queries that stay cheap while the ledger grows.

use oblink_session::ledger::Caps;
use rusqlite::{Connection, OptionalExtension, params};

use super::admission::{epoch_requests, window_requests, window_tokens};
use super::authority::policy_digest_in_force;
use super::epochs::spoken_for;
use super::log::size;
use super::{Failure, SqliteLedger};
use crate::Error;

/// How long the log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogFigures {
    /// Its entries.
    pub entries: u64,
    /// Heads of it that went out signed.
    pub heads: u64,
}

/// What is left to a verifier of its policy's caps, as the next request would be judged (SPEC AUT-3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BudgetLeft {
    /// Requests in the window.
    pub window_requests: u64,
    /// Pairs in the window.
    pub window_pairs: u64,
    /// Evaluations in the window.
    pub window_tokens: u64,
    /// Requests in the verifier's current epoch.
    pub epoch_requests: u64,
    /// Pairs in it.
    pub epoch_pairs: u64,
    /// Evaluations in it.
    pub epoch_tokens: u64,
}

/// The current epoch that a verifier has of its own.
fn own_epoch(connection: &Connection, verifier: &[u8; 32]) -> Result<Option<i64>, Failure> {
    Ok(connection
        .prepare_cached("SELECT epoch FROM epochs WHERE ended_unix_ms IS NULL AND verifier = ?1")?
        .query_row([verifier], |row| row.get(0))
        .optional()?)
}

impl SqliteLedger {
    /// How long the log is.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn figures(&self) -> Result<LogFigures, Error> {
        self.read(|connection| {
            let heads = connection.prepare_cached("SELECT count(*) FROM heads")?.query_row([], |row| row.get(0))?;
            Ok(LogFigures { entries: size(connection)?, heads })
        })
    }

    /// Digest of the policy in force; `None` in pilot mode (SPEC POL-4).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn policy_digest(&self) -> Result<Option<[u8; 32]>, Error> {
        self.read(policy_digest_in_force)
    }

    /// What is left to a verifier under `caps` at `now_unix_ms`, or at ledger time where that is later.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn budget_left(&self, verifier: &[u8; 32], caps: &Caps, now_unix_ms: u64) -> Result<BudgetLeft, Error> {
        self.read(|connection| {
            let now: u64 =
                connection.prepare_cached("SELECT max(?1, unix_ms) FROM clock")?.query_row(params![now_unix_ms], |row| row.get(0))?;
            let since = now.saturating_sub(caps.window_ms);
            let (window, tokens) = (window_requests(connection, verifier, since)?, window_tokens(connection, verifier, None, since)?);
            let (epoch, epoch_tokens) = match own_epoch(connection, verifier)? {
                Some(epoch) => (epoch_requests(connection, epoch)?, spoken_for(connection, epoch, None)?),
                None => ((0, 0), 0),
            };
            Ok(BudgetLeft {
                window_requests: caps.window_requests_max.saturating_sub(window.0),
                window_pairs: caps.window_pairs_max.saturating_sub(window.1),
                window_tokens: caps.window_tokens_max.saturating_sub(tokens),
                epoch_requests: caps.epoch_requests_max.saturating_sub(epoch.0),
                epoch_pairs: caps.epoch_pairs_max.saturating_sub(epoch.1),
                epoch_tokens: caps.epoch_tokens_max.saturating_sub(epoch_tokens),
            })
        })
    }
}
