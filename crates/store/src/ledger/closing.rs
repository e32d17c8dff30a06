//! How epochs end: by date, by evaluations, by hand (SPEC EPO-3), and not while disclosures are unbooked unless told (SPEC DIS-3).
//!
//! An epoch that is due is closed first: no session is admitted any more, and those that were may go on until the end of a grace. Then it is
//! ended, and its key destroyed.

use oblink_session::ledger::LedgerError;
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use rusqlite::{Connection, OptionalExtension, params};

use super::entries::{EpochClosing as ClosingBody, Hex};
use super::log::append;
use super::{Failure, SqliteLedger};
use crate::Error;

/// The longest grace that a policy gives (SPEC EPO-6), milliseconds: so long after its date an epoch is over, closed or not.
pub(super) const GRACE_MS_MAX: u64 = 86_400_000;

/// What is to be done with an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Its date has come: [`SqliteLedger::close_epoch`].
    CloseByDate,
    /// Its evaluations are used up, and no open session needs any: [`SqliteLedger::close_epoch`].
    CloseByEvaluations,
    /// Its grace is over, or all its sessions are complete: [`SqliteLedger::end_epoch`].
    End,
}

impl Due {
    /// The reason, as the ledger keeps it.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::CloseByDate => "its date has come",
            Self::CloseByEvaluations => "its evaluations are used up",
            Self::End => "its grace is over",
        }
    }
}

/// An epoch of which something is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueEpoch {
    /// The epoch.
    pub epoch_id: [u8; 16],
    /// What is due.
    pub due: Due,
    /// From when on its grace is counted, milliseconds since 1970: its date where that has come, however late it is noticed; else now.
    pub since_unix_ms: u64,
    /// The reason given when it was closed; [`Due::reason`] where that is still to be done.
    pub reason: String,
    /// Sessions whose disclosure is not booked: [`SqliteLedger::end_epoch`] refuses while there are any, unless told.
    pub unbooked: u64,
}

/// A session that owes its disclosure, or whose disclosure is not booked (SPEC DIS-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnbookedSession {
    /// The session.
    pub session_id: [u8; 16],
    /// Its verifier.
    pub verifier: [u8; 32],
    /// Pairs that matched, once the verifier has said so.
    pub matched: Option<u64>,
}

/// Sessions of an epoch that agreed to return the tags that matched, are complete, and have nothing booked. Booking needs the epoch's key;
/// where nothing matched there is nothing to book.
const UNBOOKED: &str = "FROM sessions s LEFT JOIN disclosures d USING (session)
  WHERE s.epoch = ?1 AND s.state = 'complete' AND s.disclosure = 'matched_tags' AND d.matched IS NOT 0
  AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.session = s.session)";

/// How many they are.
pub(super) fn unbooked(connection: &Connection, epoch: i64) -> Result<u64, Failure> {
    Ok(connection.prepare_cached(&format!("SELECT count(*) {UNBOOKED}"))?.query_row([epoch], |row| row.get(0))?)
}

impl SqliteLedger {
    /// Closes an epoch: no session is admitted any more; those that were may be charged, resumed and completed until `grace_until_unix_ms`.
    /// Gives whether it was not closed before; the first grace stays.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `EpochEnded` where the epoch is not current; `Busy` and `Storage`.
    pub fn close_epoch(&mut self, epoch_id: &[u8; 16], reason: &str, grace_until_unix_ms: u64, clock_unix_ms: u64) -> Result<bool, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let found: Option<(i64, bool, Option<[u8; 32]>)> = transaction
                .prepare_cached(
                    "SELECT epoch, closing_unix_ms IS NOT NULL, verifier FROM epochs WHERE epoch_id = ?1 AND ended_unix_ms IS NULL",
                )?
                .query_row([epoch_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (epoch, closing, verifier) = found.ok_or(LedgerError::EpochEnded)?;
            if closing {
                return Ok(false);
            }
            let body = ClosingBody { epoch: Hex(*epoch_id), grace_until_unix_ms, reason: reason.to_owned() };
            append(transaction, now, verifier.as_ref(), &body)?;
            transaction
                .prepare_cached("UPDATE epochs SET closing_unix_ms = ?2, closing_reason = ?3, grace_until_unix_ms = ?4 WHERE epoch = ?1")?
                .execute(params![epoch, now, reason, grace_until_unix_ms])?;
            Ok(true)
        })?)
    }

    /// The current epochs of which something is due at `now_unix_ms`, or at ledger time where that is later; the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn due_epochs(&self, now_unix_ms: u64) -> Result<Vec<DueEpoch>, Error> {
        self.read(|connection| {
            let rows = connection
                .prepare_cached(
                    "SELECT e.epoch, e.epoch_id, e.closing_reason,
                       ifnull(max(?1, (SELECT unix_ms FROM clock)) >= e.grace_until_unix_ms, 0)
                         OR NOT EXISTS (SELECT 1 FROM sessions s WHERE s.epoch = e.epoch AND s.state <> 'complete'),
                       ifnull(max(?1, (SELECT unix_ms FROM clock)) >= e.ends_unix_ms, 0),
                       (SELECT ifnull(sum(s.charged_tokens), 0) FROM sessions s WHERE s.epoch = e.epoch) >= ifnull(e.evaluations_max, ?2)
                         AND NOT EXISTS (SELECT 1 FROM sessions s WHERE s.epoch = e.epoch AND s.state = 'open' AND s.charged_tokens < s.tokens),
                       min(max(?1, (SELECT unix_ms FROM clock)), ifnull(e.ends_unix_ms, ?3))
                     FROM epochs e WHERE e.ended_unix_ms IS NULL ORDER BY e.epoch",
                )?
                .query_map(params![now_unix_ms, EPOCH_EVALUATIONS_MAX, i64::MAX], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
                })?
                .collect::<Result<Vec<(i64, [u8; 16], Option<String>, bool, bool, bool, u64)>, _>>()?;
            let mut due_epochs = Vec::new();
            for (epoch, epoch_id, closed, over, date, used, since_unix_ms) in rows {
                let due = match closed {
                    Some(_) if over => Due::End,
                    None if date => Due::CloseByDate,
                    None if used => Due::CloseByEvaluations,
                    _ => continue,
                };
                let reason = closed.unwrap_or_else(|| due.reason().to_owned());
                due_epochs.push(DueEpoch { epoch_id, due, since_unix_ms, reason, unbooked: unbooked(connection, epoch)? });
            }
            Ok(due_epochs)
        })
    }

    /// The sessions of an epoch that keep it from ending, the oldest first (SPEC DIS-3).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn unbooked(&self, epoch_id: &[u8; 16]) -> Result<Vec<UnbookedSession>, Error> {
        self.read(|connection| {
            let epoch: Option<i64> = connection
                .prepare_cached("SELECT epoch FROM epochs WHERE epoch_id = ?1")?
                .query_row([epoch_id], |row| row.get(0))
                .optional()?;
            let sql = format!("SELECT s.session_id, s.verifier, d.matched {UNBOOKED} ORDER BY s.session");
            Ok(connection
                .prepare_cached(&sql)?
                .query_map([epoch], |row| Ok(UnbookedSession { session_id: row.get(0)?, verifier: row.get(1)?, matched: row.get(2)? }))?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }
}
