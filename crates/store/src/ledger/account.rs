//! The account that a session keeps with the ledger (SPEC HSK-4, HSK-5, BAT-3, END-3).

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::ledger::{
    Budget, ChargeEntry, ChargeOutcome, CompletionEntry, DisclosureEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::limits::BATCH_REPEATS_MAX;
use oblink_session::request::Request;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::admission::admit;
use super::closing::GRACE_MS_MAX;
use super::entries::{Charge, Completion, Hex, ReceiptSigned, SessionSuspended, text_of};
use super::log::{self, append};
use super::{Failure, SqliteLedger, contradiction, disclosures};

/// What a charge or an end needs to know of its session.
struct Standing {
    session: i64,
    verifier: [u8; 32],
    state: String,
    tokens: u64,
    charged_tokens: u64,
    batches: u64,
    charged_batches: u64,
    epoch_ended: bool,
    grace_until: Option<u64>,
    suspended: bool,
    same_policy: bool,
    denied: bool,
    /// Until when the request is valid by which a signed session was admitted.
    not_after: Option<u64>,
    /// Whether the verifier has signed the receipt.
    acknowledged: bool,
}

/// The end of the validity of a request by which a session was admitted under a policy; one that cannot be read is valid no longer.
fn not_after(request: &[u8]) -> u64 {
    Request::parse(request).ok().and_then(|request| Some(request.manifest()?.not_after_unix_ms)).unwrap_or(0)
}

impl Standing {
    fn of(connection: &Connection, session_id: &[u8; 16]) -> Result<Option<Self>, Failure> {
        Ok(connection
            .prepare_cached(
                "SELECT s.session, s.state, s.tokens, s.charged_tokens, s.batches, s.charged_batches, e.ended_unix_ms IS NOT NULL,
                   s.verifier,
                   min(ifnull(e.grace_until_unix_ms, e.ends_unix_ms + ?2), ifnull(e.ends_unix_ms + ?2, e.grace_until_unix_ms)),
                   EXISTS (SELECT 1 FROM suspensions p WHERE p.resumed_entry IS NULL AND p.scope IN (s.verifier, zeroblob(32))),
                   s.policy IS (SELECT digest FROM policies ORDER BY entry DESC LIMIT 1),
                   EXISTS (SELECT 1 FROM receipts r WHERE r.session = s.session AND r.verifier_signature IS NOT NULL),
                   EXISTS (SELECT 1 FROM denials d WHERE d.request_digest = s.request_digest),
                   CASE WHEN s.policy IS NOT NULL THEN s.request END
                 FROM sessions s JOIN epochs e USING (epoch) WHERE s.session_id = ?1",
            )?
            .query_row(params![session_id, GRACE_MS_MAX], |row| {
                Ok(Self {
                    session: row.get(0)?,
                    verifier: row.get(7)?,
                    state: row.get(1)?,
                    tokens: row.get(2)?,
                    charged_tokens: row.get(3)?,
                    batches: row.get(4)?,
                    charged_batches: row.get(5)?,
                    epoch_ended: row.get(6)?,
                    grace_until: row.get(8)?,
                    suspended: row.get(9)?,
                    same_policy: row.get(10)?,
                    acknowledged: row.get(11)?,
                    denied: row.get(12)?,
                    not_after: row.get::<_, Option<Vec<u8>>>(13)?.map(|request| not_after(&request)),
                })
            })
            .optional()?)
    }
}

impl Ledger for SqliteLedger {
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        self.write(entry.clock_unix_ms, |transaction, now| admit(transaction, entry, now))
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
            let standing = Standing::of(transaction, &entry.session_id)?.ok_or(LedgerError::SessionNotOpen)?;
            match standing.state.as_str() {
                "open" => {}
                // The end of its epoch suspended it.
                "suspended" if standing.epoch_ended => return Err(LedgerError::EpochEnded.into()),
                _ => return Err(LedgerError::SessionNotOpen.into()),
            }
            write_answered(transaction, standing.session, &entry.answered)?;
            if standing.charged_batches != standing.batches {
                return Err(contradiction("a session with uncharged batches cannot be complete"));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO receipts (session, body, holder_signature, holder_certificate, completed_unix_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                )?
                .execute(params![standing.session, entry.receipt, entry.signature, entry.holder_certificate, now])?;
            let body = Completion {
                answers_digest: Hex(answers_digest(transaction, standing.session)?),
                certificate: Hex(entry.holder_certificate),
                receipt: text_of(&entry.receipt),
                session: Hex(entry.session_id),
                signature: Hex(entry.signature),
            };
            append(transaction, now, Some(&standing.verifier), &body)?;
            set_state(transaction, standing.session, "complete", now)
        })
    }

    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError> {
        self.write(0, |transaction, now| {
            let found: Option<(i64, [u8; 32], bool)> = transaction
                .prepare_cached(
                    "SELECT session, verifier, verifier_signature IS NOT NULL FROM sessions JOIN receipts USING (session)
                     WHERE session_id = ?1",
                )?
                .query_row([session_id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
                .optional()?;
            let (session, verifier, signed) = found.ok_or(LedgerError::SessionNotOpen)?;
            // The first signature stays.
            if !signed {
                transaction
                    .prepare_cached("UPDATE receipts SET verifier_signature = ?2 WHERE session = ?1")?
                    .execute(params![session, signature])?;
                let body = ReceiptSigned { session: Hex(*session_id), signature: Hex(*signature) };
                append(transaction, now, Some(&verifier), &body)?;
            }
            Ok(())
        })
    }

    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], clock_unix_ms: u64) -> Result<(), LedgerError> {
        self.write(clock_unix_ms, |transaction, now| {
            let Some(standing) = Standing::of(transaction, session_id)? else { return Ok(()) };
            write_answered(transaction, standing.session, answered)?;
            if standing.state == "open" {
                suspend(transaction, standing.session, session_id, &standing.verifier, now)?;
            }
            Ok(())
        })
    }

    fn head(&mut self) -> Result<LogHead, LedgerError> {
        Ok(self.look(log::head)?)
    }

    fn root_at(&mut self, size: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        Ok(self.look(|connection| log::root_at(connection, size))?)
    }

    fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        Ok(self.look(|connection| log::consistency(connection, first, second))?)
    }

    fn keep_head(&mut self, head: &SignedHead) -> Result<(), LedgerError> {
        self.write(0, |transaction, _| log::keep_head(transaction, head))
    }

    fn disclose(&mut self, entry: &DisclosureEntry) -> Result<(), LedgerError> {
        self.write(entry.clock_unix_ms, |transaction, now| disclosures::disclose(transaction, entry, now))
    }
}

/// An open session's line is gone: what it reserved is free.
pub(super) fn suspend(
    transaction: &Transaction<'_>,
    session: i64,
    session_id: &[u8; 16],
    verifier: &[u8; 32],
    now: u64,
) -> Result<(), Failure> {
    append(transaction, now, Some(verifier), &SessionSuspended { session: Hex(*session_id) })?;
    set_state(transaction, session, "suspended", now)
}

/// Digest of what was answered in a session: SHA-256 over `index:u64 ‖ evaluated_digest` in order of the indexes; of those that are known.
pub(super) fn answers_digest(connection: &Connection, session: i64) -> Result<[u8; 32], Failure> {
    let mut hash = Sha256::new();
    let mut statement = connection
        .prepare_cached("SELECT batch, evaluated_digest FROM charges WHERE session = ?1 AND evaluated_digest IS NOT NULL ORDER BY batch")?;
    let mut rows = statement.query([session])?;
    while let Some(row) = rows.next()? {
        hash.update(row.get::<_, u64>(0)?.to_be_bytes());
        hash.update(row.get::<_, [u8; 32]>(1)?);
    }
    Ok(hash.finalize().into())
}

pub(super) fn set_state(transaction: &Transaction<'_>, session: i64, state: &str, now: u64) -> Result<(), Failure> {
    transaction
        .prepare_cached("UPDATE sessions SET state = ?2, changed_unix_ms = ?3 WHERE session = ?1")?
        .execute(params![session, state, now])?;
    Ok(())
}

fn charge(
    transaction: &Transaction<'_>,
    entry: &ChargeEntry,
    standing: &Standing,
    now: u64,
) -> Result<Result<ChargeOutcome, LedgerError>, Failure> {
    // Its key is gone, or its grace is over: not even what was paid for is evaluated.
    if standing.epoch_ended || standing.grace_until.is_some_and(|until| until <= now) {
        return Ok(Err(LedgerError::EpochEnded));
    }
    if standing.suspended {
        return Ok(Err(LedgerError::Suspended));
    }
    if standing.denied {
        return Ok(Err(LedgerError::RequestRefused));
    }
    if standing.not_after.is_some_and(|until| until < now) {
        return Ok(Err(LedgerError::RequestExpired));
    }
    if !standing.same_policy {
        return Ok(Err(LedgerError::PolicyChanged));
    }
    // A verifier that died before it had the receipt has lost its answers with it: until it signs, the same batches are still free.
    if !(standing.state == "open" || standing.state == "complete" && !standing.acknowledged) {
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
        return Ok(Err(LedgerError::BudgetExhausted { budget: Budget::Evaluations, asked, left }));
    }
    let body = Charge {
        batch: entry.index,
        blinded_digest: Hex(entry.blinded_digest),
        session: Hex(entry.session_id),
        session_tokens: standing.charged_tokens + asked,
        statement: Hex(entry.statement),
        tokens: entry.tokens,
    };
    let seq = append(transaction, now, Some(&standing.verifier), &body)?;
    transaction
        .prepare_cached(
            "INSERT INTO charges (session, batch, tokens, blinded_digest, statement, charged_unix_ms, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![standing.session, entry.index, entry.tokens, entry.blinded_digest, entry.statement, now, seq])?;
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
