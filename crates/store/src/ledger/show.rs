//! What else the holder writes down, and what it shows.

use oblink_session::ledger::LedgerError;
use oblink_session::limits::DETAIL_BYTES_MAX;
use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::entries::{Delivery, Hex, RequestAccepted, RequestRefused};
use super::log::{append, body_at};
use super::{DeliveryRow, EarlierSetRow, Failure, ReceiptRow, RefusalRow, SessionRow, SessionState, SqliteLedger, contradiction};
use crate::Error;

/// Deliveries of its set that a session gets: more than any line breaks, less than an attack needs.
pub const DELIVERIES_MAX: u32 = 64;
/// Rows of refusals that are kept of each verifier, before they are kept by code alone.
///
/// The same refusal again, with none of the verifier's in between, makes no row: it is counted in the last one. Past this many rows a
/// refusal is counted in the verifier's latest row of that code, and makes one only where there is none. So a verifier has at most this
/// many rows and one for each code, no count is lost, and nothing that comes later drives out what was there. The log gets an entry with each
/// row, and when a row's count reaches a power of two (SPEC LED-4): what a verifier can add to it by being refused is bounded as well.
pub const REFUSALS_MAX: u32 = 1_000;
/// Bytes of a refusal's full reason that are kept.
pub const REASON_BYTES_MAX: usize = 4_096;

/// The columns of a [`SessionRow`].
const SESSION_ROWS: &str =
    "SELECT s.session_id, s.request_id, s.request_digest, e.epoch_id, s.verifier, s.pairs, s.tokens, s.batches, s.state,
  s.charged_tokens, s.charged_batches, (SELECT ifnull(sum(d.bytes), 0) FROM deliveries d WHERE d.session = s.session),
  s.opened_unix_ms, s.changed_unix_ms, r.completed_unix_ms, r.verifier_signature IS NOT NULL, ifnull(s.set_id, e.set_id),
  s.policy, s.disclosure, s.entry
  FROM sessions s JOIN epochs e USING (epoch) LEFT JOIN receipts r USING (session)";

impl SqliteLedger {
    /// Writes down that `bytes` bytes of a set go to a session's verifier: to be called before they do.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `SessionNotOpen` where the session is unknown or suspended, or has had [`DELIVERIES_MAX`] deliveries beside one for each time it was resumed; `EpochEnded`
    /// where its epoch has ended, or where it was opened with another set; `Busy` and `Storage`.
    pub fn record_delivery(&mut self, session_id: &[u8; 16], set_id: &[u8; 32], bytes: u64, clock_unix_ms: u64) -> Result<(), Error> {
        Ok(self.write(clock_unix_ms, |transaction, now| {
            let found: Option<(i64, bool, bool, u64, [u8; 32], u64)> = transaction
                .prepare_cached(
                    "SELECT s.session, s.state IN ('open', 'complete'), e.ended_unix_ms IS NULL AND ifnull(s.set_id, e.set_id) = ?2,
                       (SELECT count(*) FROM deliveries d WHERE d.session = s.session), s.verifier, s.resumes
                     FROM sessions s JOIN epochs e USING (epoch) WHERE s.session_id = ?1",
                )?
                .query_row(params![session_id, set_id], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
                })
                .optional()?;
            let (session, connected, current, deliveries, verifier, resumes) = found.ok_or(LedgerError::SessionNotOpen)?;
            if !current {
                return Err(LedgerError::EpochEnded.into());
            }
            // A line that breaks again and again fetches the set piece by piece.
            if !connected || deliveries >= u64::from(DELIVERIES_MAX) + resumes {
                return Err(LedgerError::SessionNotOpen.into());
            }
            let body = Delivery { bytes, session: Hex(*session_id), set_id: Hex(*set_id) };
            let seq = append(transaction, now, Some(&verifier), &body)?;
            transaction
                .prepare_cached("INSERT INTO deliveries (session, set_id, bytes, delivered_unix_ms, entry) VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![session, set_id, bytes, now, seq])?;
            Ok(())
        })?)
    }

    /// Writes down a refusal (SPEC FRM-5) and to whom, where that is known: the detail that goes out, and for the log alone the full reason. Both
    /// are cut at their limits. What is kept of each verifier's is bounded: see [`REFUSALS_MAX`].
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn record_refusal(
        &mut self,
        verifier: Option<&[u8; 32]>,
        code: u16,
        detail: &str,
        reason: Option<&str>,
        clock_unix_ms: u64,
    ) -> Result<(), Error> {
        let detail = &detail[..detail.floor_char_boundary(DETAIL_BYTES_MAX)];
        let reason = reason.map_or("", |reason| &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)]);
        Ok(self.write(clock_unix_ms, |transaction, now| {
            let (refusal, count): (u64, u64) = match refusal_to_count_in(transaction, verifier, code, detail, reason)? {
                Some(refusal) => transaction
                    .prepare_cached(
                        "UPDATE refusals SET count = count + 1, detail = ?2, refused_unix_ms = ?3 WHERE refusal = ?1
                         RETURNING refusal, count",
                    )?
                    .query_row(params![refusal, detail, now], |row| Ok((row.get(0)?, row.get(1)?)))?,
                None => transaction
                    .prepare_cached(
                        "INSERT INTO refusals (verifier, code, detail, reason, first_unix_ms, refused_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
                         RETURNING refusal, count",
                    )?
                    .query_row(params![verifier, code, detail, reason, now], |row| Ok((row.get(0)?, row.get(1)?)))?,
            };
            if count.is_power_of_two() {
                let body = RequestRefused { code, count, detail: detail.to_owned(), reason: reason.to_owned(), refusal };
                append(transaction, now, verifier, &body)?;
            }
            Ok(())
        })?)
    }

    /// By what a session was admitted, as the log has it: its request, signatures and signers. `None` where the session is unknown, or an older
    /// ledger brought it.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn acceptance(&self, session_id: &[u8; 16]) -> Result<Option<RequestAccepted>, Error> {
        self.read(|connection| {
            let entry: Option<u64> = connection
                .prepare_cached("SELECT entry FROM sessions WHERE session_id = ?1")?
                .query_row([session_id], |row| row.get(0))
                .optional()?
                .flatten();
            Ok(entry.map(|entry| body_at::<RequestAccepted>(connection, entry)).transpose()?.map(|(body, _)| body))
        })
    }

    /// All sessions, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn sessions(&self) -> Result<Vec<SessionRow>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{SESSION_ROWS} ORDER BY s.session"))?;
            let mut rows = statement.query([])?;
            let mut sessions = Vec::new();
            while let Some(row) = rows.next()? {
                sessions.push(session_row(row)?);
            }
            Ok(sessions)
        })
    }

    /// One session.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn session(&self, session_id: &[u8; 16]) -> Result<Option<SessionRow>, Error> {
        self.read(|connection| {
            let sql = format!("{SESSION_ROWS} WHERE s.session_id = ?1");
            connection.prepare_cached(&sql)?.query_row([session_id], |row| Ok(session_row(row))).optional()?.transpose()
        })
    }

    /// A session's receipt, once it is complete.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn receipt(&self, session_id: &[u8; 16]) -> Result<Option<ReceiptRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT body, holder_signature, holder_certificate, verifier_signature, verifier_certificate, completed_unix_ms
                     FROM receipts JOIN sessions USING (session) WHERE session_id = ?1",
                )?
                .query_row([session_id], |row| {
                    Ok(ReceiptRow {
                        body: row.get(0)?,
                        holder_signature: row.get(1)?,
                        holder_certificate: row.get(2)?,
                        verifier_signature: row.get(3)?,
                        verifier_certificate: row.get(4)?,
                        completed_unix_ms: row.get(5)?,
                    })
                })
                .optional()?)
        })
    }

    /// The latest `most` deliveries, the newest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn deliveries(&self, most: u32) -> Result<Vec<DeliveryRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT s.session_id, d.set_id, d.bytes, d.delivered_unix_ms FROM deliveries d JOIN sessions s USING (session)
                     ORDER BY d.delivery DESC LIMIT ?1",
                )?
                .query_map([most], |row| {
                    Ok(DeliveryRow { session_id: row.get(0)?, set_id: row.get(1)?, bytes: row.get(2)?, delivered_unix_ms: row.get(3)? })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// The sets that others of their epochs took the place of, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn earlier_sets(&self) -> Result<Vec<EarlierSetRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT e.epoch_id, o.set_id, o.set_bytes, o.tags, o.as_of, o.records, o.rejected, o.input_digest, o.sealed_unix_ms,
                     o.replaced_unix_ms FROM earlier_sets o JOIN epochs e USING (epoch) ORDER BY o.earlier_set",
                )?
                .query_map([], |row| {
                    Ok(EarlierSetRow {
                        epoch_id: row.get(0)?,
                        set_id: row.get(1)?,
                        set_bytes: row.get(2)?,
                        tags: row.get(3)?,
                        as_of: row.get(4)?,
                        records: row.get(5)?,
                        rejected: row.get(6)?,
                        input_digest: row.get(7)?,
                        sealed_unix_ms: row.get(8)?,
                        replaced_unix_ms: row.get(9)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }

    /// The latest `most` refusals, the newest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn refusals(&self, most: u32) -> Result<Vec<RefusalRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT verifier, code, detail, count, first_unix_ms, refused_unix_ms, reason FROM refusals
                     ORDER BY refused_unix_ms DESC, refusal DESC LIMIT ?1",
                )?
                .query_map([most], |row| {
                    Ok(RefusalRow {
                        verifier: row.get(0)?,
                        code: row.get(1)?,
                        detail: row.get(2)?,
                        count: row.get(3)?,
                        first_unix_ms: row.get(4)?,
                        refused_unix_ms: row.get(5)?,
                        reason: row.get(6)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }
}

/// The row in which a refusal is counted, where it makes none of its own.
fn refusal_to_count_in(
    transaction: &Transaction<'_>,
    verifier: Option<&[u8; 32]>,
    code: u16,
    detail: &str,
    reason: &str,
) -> Result<Option<i64>, Failure> {
    // What goes out is the same for many reasons: one that is counted in another's row would be in no entry.
    let last: Option<(i64, bool)> = transaction
        .prepare_cached(
            "SELECT refusal, code = ?2 AND detail = ?3 AND reason = ?4 FROM refusals
             WHERE verifier IS ?1 ORDER BY refused_unix_ms DESC, refusal DESC LIMIT 1",
        )?
        .query_row(params![verifier, code, detail, reason], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if let Some((refusal, true)) = last {
        return Ok(Some(refusal));
    }
    let rows: u32 =
        transaction.prepare_cached("SELECT count(*) FROM refusals WHERE verifier IS ?1")?.query_row([verifier], |row| row.get(0))?;
    if rows < REFUSALS_MAX {
        return Ok(None);
    }
    Ok(transaction
        .prepare_cached(
            "SELECT refusal FROM refusals WHERE verifier IS ?1 AND code = ?2 ORDER BY refused_unix_ms DESC, refusal DESC LIMIT 1",
        )?
        .query_row(params![verifier, code], |row| row.get(0))
        .optional()?)
}

fn session_row(row: &Row<'_>) -> Result<SessionRow, Failure> {
    let state: String = row.get(8)?;
    let state = match state.as_str() {
        "open" => SessionState::Open,
        "suspended" => SessionState::Suspended,
        "complete" => SessionState::Complete,
        _ => return Err(contradiction("a session in an unknown state")),
    };
    Ok(SessionRow {
        session_id: row.get(0)?,
        request_id: row.get(1)?,
        request_digest: row.get(2)?,
        epoch_id: row.get(3)?,
        set_id: row.get(16)?,
        verifier: row.get(4)?,
        pairs: row.get(5)?,
        tokens: row.get(6)?,
        batches: row.get(7)?,
        state,
        charged_tokens: row.get(9)?,
        charged_batches: row.get(10)?,
        delivered_bytes: row.get(11)?,
        opened_unix_ms: row.get(12)?,
        changed_unix_ms: row.get(13)?,
        completed_unix_ms: row.get(14)?,
        acknowledged: row.get(15)?,
        policy: row.get(17)?,
        disclosure: row.get(18)?,
        entry: row.get(19)?,
    })
}
