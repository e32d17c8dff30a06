//! The account that a session keeps with the ledger (SPEC HSK-4, HSK-5, BAT-3, END-3).

use oblink_session::ledger::{
    ChargeEntry, ChargeOutcome, ChargedBatch, CompletionEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::limits::BATCH_REPEATS_MAX;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::epochs::spoken_for;
use super::{Failure, SqliteLedger, contradiction};

/// What a charge or an end needs to know of its session.
struct Standing {
    session: i64,
    state: String,
    tokens: u64,
    charged_tokens: u64,
    batches: u64,
    charged_batches: u64,
    epoch_ended: bool,
}

impl Standing {
    fn of(connection: &Connection, session_id: &[u8; 16]) -> Result<Option<Self>, Failure> {
        Ok(connection
            .prepare_cached(
                "SELECT s.session, s.state, s.tokens, s.charged_tokens, s.batches, s.charged_batches, e.ended_unix_ms IS NOT NULL
                 FROM sessions s JOIN epochs e USING (epoch) WHERE s.session_id = ?1",
            )?
            .query_row([session_id], |row| {
                Ok(Self {
                    session: row.get(0)?,
                    state: row.get(1)?,
                    tokens: row.get(2)?,
                    charged_tokens: row.get(3)?,
                    batches: row.get(4)?,
                    charged_batches: row.get(5)?,
                    epoch_ended: row.get(6)?,
                })
            })
            .optional()?)
    }
}

impl Ledger for SqliteLedger {
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        self.write(entry.clock_unix_ms, |transaction, now| match resumed_session(transaction, entry)? {
            Some(session) => resume(transaction, entry, session, now),
            None => open(transaction, entry, now),
        })
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        // A refusal ends the transaction in good order: what was answered before it stays written down.
        self.write(entry.clock_unix_ms, |transaction, now| {
            let Some(standing) = Standing::of(transaction, &entry.session_id)? else {
                return Ok(Err(LedgerError::SessionNotOpen));
            };
            write_answered(transaction, standing.session, &entry.answered)?;
            charge(transaction, entry, &standing, now)
        })?
    }

    fn complete(&mut self, entry: &CompletionEntry) -> Result<(), LedgerError> {
        self.write(entry.clock_unix_ms, |transaction, now| {
            let standing = Standing::of(transaction, &entry.session_id)?
                .filter(|standing| standing.state == "open")
                .ok_or(LedgerError::SessionNotOpen)?;
            write_answered(transaction, standing.session, &entry.answered)?;
            if standing.charged_batches != standing.batches {
                return Err(contradiction("a session with uncharged batches cannot be complete"));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO receipts (session, body, holder_signature, holder_certificate, completed_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![standing.session, entry.receipt, entry.signature, entry.holder_certificate, now])?;
            set_state(transaction, standing.session, "complete", now)
        })
    }

    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError> {
        self.write(0, |transaction, _| {
            // The first signature stays.
            let changed = transaction
                .prepare_cached(
                    "UPDATE receipts SET verifier_signature = ifnull(verifier_signature, ?2)
                     WHERE session = (SELECT session FROM sessions WHERE session_id = ?1)",
                )?
                .execute(params![session_id, signature])?;
            if changed == 1 { Ok(()) } else { Err(LedgerError::SessionNotOpen.into()) }
        })
    }

    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], clock_unix_ms: u64) -> Result<(), LedgerError> {
        self.write(clock_unix_ms, |transaction, now| {
            let Some(standing) = Standing::of(transaction, session_id)? else { return Ok(()) };
            write_answered(transaction, standing.session, answered)?;
            if standing.state == "open" {
                set_state(transaction, standing.session, "suspended", now)?;
            }
            Ok(())
        })
    }
}

fn set_state(transaction: &Transaction<'_>, session: i64, state: &str, now: u64) -> Result<(), Failure> {
    transaction
        .prepare_cached("UPDATE sessions SET state = ?2, changed_unix_ms = ?3 WHERE session = ?1")?
        .execute(params![session, state, now])?;
    Ok(())
}

/// A session that has the entry's verifier and request id.
struct Known {
    session: i64,
    epoch: i64,
    state: String,
    set_id: Option<[u8; 32]>,
    tokens: u64,
    charged_tokens: u64,
    holder_nonce: [u8; 32],
}

/// The session that the entry resumes (SPEC HSK-5), if there is one; a conflict where this verifier used the request id otherwise.
fn resumed_session(transaction: &Transaction<'_>, entry: &SessionEntry) -> Result<Option<Known>, Failure> {
    let found = transaction
        .prepare_cached(
            "SELECT session, epoch, state, tokens, charged_tokens, holder_nonce,
               verifier_nonce = ?3 AND request_digest = ?4 AND tokens = ?5 AND pairs = ?6 AND batches = ?7
               AND verifier_certificate = ?8 AND offered = ?9,
               set_id
             FROM sessions WHERE request_id = ?1 AND verifier = ?2",
        )?
        .query_row(
            params![
                entry.request_id,
                entry.verifier,
                entry.verifier_nonce,
                entry.request_digest,
                entry.tokens,
                entry.pairs,
                entry.batches,
                entry.verifier_certificate,
                entry.offered
            ],
            |row| {
                let known = Known {
                    session: row.get(0)?,
                    epoch: row.get(1)?,
                    state: row.get(2)?,
                    tokens: row.get(3)?,
                    charged_tokens: row.get(4)?,
                    holder_nonce: row.get(5)?,
                    set_id: row.get(7)?,
                };
                Ok((known, row.get::<_, bool>(6)?))
            },
        )
        .optional()?;
    match found {
        Some((_, false)) => Err(LedgerError::RequestConflict.into()),
        Some((known, true)) => Ok(Some(known)),
        None => Ok(None),
    }
}

/// The entry's epoch, if it is current, has the entry's set and is this verifier's or nobody's; and whether it is nobody's.
fn admitting_epoch(transaction: &Transaction<'_>, entry: &SessionEntry) -> Result<(i64, bool), Failure> {
    let found = transaction
        .prepare_cached(
            "SELECT epoch, verifier IS NULL FROM epochs
             WHERE epoch_id = ?1 AND ended_unix_ms IS NULL AND set_id = ?3 AND (verifier IS NULL OR verifier = ?2)",
        )?
        .query_row(params![entry.epoch_id, entry.verifier, entry.set_id], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (epoch, unowned) = found.ok_or(LedgerError::EpochEnded)?;
    if unowned {
        // A verifier has one epoch; it does not take the next one's as well.
        let has_one: bool = transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM epochs WHERE verifier = ?1 AND ended_unix_ms IS NULL)")?
            .query_row([entry.verifier], |row| row.get(0))?;
        if has_one {
            return Err(LedgerError::EpochEnded.into());
        }
    }
    Ok((epoch, unowned))
}

/// Whether the epoch's budget holds `asked` evaluations beside those spoken for.
fn check_budget(transaction: &Transaction<'_>, epoch: i64, except: Option<i64>, asked: u64, most: u64) -> Result<(), Failure> {
    let left = most.saturating_sub(spoken_for(transaction, epoch, except)?);
    if asked <= left { Ok(()) } else { Err(LedgerError::BudgetExhausted { asked, left }.into()) }
}

fn open(transaction: &Transaction<'_>, entry: &SessionEntry, now: u64) -> Result<SessionOpening, Failure> {
    let (epoch, unowned) = admitting_epoch(transaction, entry)?;
    check_budget(transaction, epoch, None, entry.tokens, entry.epoch_evaluations_max)?;
    if unowned {
        transaction.prepare_cached("UPDATE epochs SET verifier = ?2 WHERE epoch = ?1")?.execute(params![epoch, entry.verifier])?;
    }
    transaction
        .prepare_cached(
            "INSERT INTO sessions (session_id, request_id, request_digest, request, epoch, verifier, verifier_certificate, offered,
             verifier_nonce, holder_nonce, pairs, tokens, batches, state, opened_unix_ms, changed_unix_ms, set_id)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'open', ?14, ?14, ?15)",
        )?
        .execute(params![
            entry.session_id,
            entry.request_id,
            entry.request_digest,
            entry.request,
            epoch,
            entry.verifier,
            entry.verifier_certificate,
            entry.offered,
            entry.verifier_nonce,
            entry.holder_nonce,
            entry.pairs,
            entry.tokens,
            entry.batches,
            now,
            entry.set_id
        ])?;
    Ok(SessionOpening::New)
}

fn resume(transaction: &Transaction<'_>, entry: &SessionEntry, known: Known, now: u64) -> Result<SessionOpening, Failure> {
    let receipt = transaction
        .prepare_cached("SELECT body, holder_signature FROM receipts WHERE session = ?1")?
        .query_row([known.session], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Also a complete one (SPEC END-4): what it resumes under is its caller's offer, and another epoch's, or another set, would not be what
    // it asked.
    let (epoch, _) = admitting_epoch(transaction, entry)?;
    if epoch != known.epoch || known.set_id.is_some_and(|set_id| set_id != entry.set_id) {
        return Err(LedgerError::EpochEnded.into());
    }
    if known.state != "complete" {
        let missing = known.tokens.saturating_sub(known.charged_tokens);
        check_budget(transaction, epoch, Some(known.session), missing, entry.epoch_evaluations_max)?;
        set_state(transaction, known.session, "open", now)?;
    }
    let charged = transaction
        .prepare_cached("SELECT batch, blinded_digest, evaluated_digest FROM charges WHERE session = ?1 ORDER BY batch")?
        .query_map([known.session], |row| {
            Ok(ChargedBatch { index: row.get(0)?, blinded_digest: row.get(1)?, evaluated_digest: row.get(2)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SessionOpening::Resumed { holder_nonce: known.holder_nonce, charged, receipt })
}

fn charge(
    transaction: &Transaction<'_>,
    entry: &ChargeEntry,
    standing: &Standing,
    now: u64,
) -> Result<Result<ChargeOutcome, LedgerError>, Failure> {
    // Its key is gone: not even what was paid for can be evaluated.
    if standing.epoch_ended {
        return Ok(Err(LedgerError::EpochEnded));
    }
    if standing.state != "open" {
        return Ok(Err(LedgerError::SessionNotOpen));
    }
    let charged: Option<[u8; 32]> = transaction
        .prepare_cached("SELECT blinded_digest FROM charges WHERE session = ?1 AND batch = ?2")?
        .query_row(params![standing.session, entry.index], |row| row.get(0))
        .optional()?;
    match charged {
        Some(digest) if digest == entry.blinded_digest => return repeat(transaction, entry, standing),
        Some(_) => return Ok(Err(LedgerError::BatchConflict { index: entry.index })),
        None => {}
    }
    if entry.index >= standing.batches {
        return Err(contradiction("a batch beyond the request's"));
    }
    let (asked, left) = (u64::from(entry.tokens), standing.tokens.saturating_sub(standing.charged_tokens));
    if asked > left {
        return Ok(Err(LedgerError::BudgetExhausted { asked, left }));
    }
    transaction
        .prepare_cached(
            "INSERT INTO charges (session, batch, tokens, blinded_digest, statement, charged_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![standing.session, entry.index, entry.tokens, entry.blinded_digest, entry.statement, now])?;
    transaction
        .prepare_cached(
            "UPDATE sessions SET charged_tokens = charged_tokens + ?2, charged_batches = charged_batches + 1, changed_unix_ms = ?3
             WHERE session = ?1",
        )?
        .execute(params![standing.session, entry.tokens, now])?;
    Ok(Ok(ChargeOutcome::New))
}

/// The same batch again: counted, since each costs the holder an evaluation and gives its peer another proof.
fn repeat(transaction: &Transaction<'_>, entry: &ChargeEntry, standing: &Standing) -> Result<Result<ChargeOutcome, LedgerError>, Failure> {
    let counted = transaction
        .prepare_cached("UPDATE charges SET repeats = repeats + 1 WHERE session = ?1 AND batch = ?2 AND repeats < ?3")?
        .execute(params![standing.session, entry.index, BATCH_REPEATS_MAX])?;
    Ok(if counted == 1 { Ok(ChargeOutcome::Same) } else { Err(LedgerError::TooOften { index: entry.index }) })
}

/// Keeps the digests of what was answered. An answer to a batch that was not charged, or one that differs from an earlier answer, would
/// mean that the account and the evaluation have come apart.
fn write_answered(transaction: &Transaction<'_>, session: i64, answered: &[(u64, [u8; 32])]) -> Result<(), Failure> {
    for (index, digest) in answered {
        let written = transaction
            .prepare_cached(
                "UPDATE charges SET evaluated_digest = ?3 WHERE session = ?1 AND batch = ?2 AND ifnull(evaluated_digest, ?3) = ?3",
            )?
            .execute(params![session, index, digest])?;
        if written != 1 {
            return Err(contradiction("an answer to a batch that is not charged, or another answer than before"));
        }
    }
    Ok(())
}
