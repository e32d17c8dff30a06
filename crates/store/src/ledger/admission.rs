//! Who is admitted: the checks of a session's opening, in one transaction with what it reserves (SPEC HSK-4, HSK-5, POL-4, LED-5).

use oblink_session::ledger::{AuthorityEntry, Budget, Caps, ChargedBatch, LedgerError, SessionEntry, SessionOpening};
use oblink_session::limits::CLOCK_SKEW_MS_MAX;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::account::set_state;
use super::authority::{is_denied, is_suspended, policy_digest_in_force};
use super::closing::GRACE_MS_MAX;
use super::entries::{Hex, MaybeHex, RequestAccepted, SessionResumed, SignerBody, text_of};
use super::epochs::spoken_for;
use super::log::append;
use super::{Failure, contradiction};

/// How often a session that is not complete is resumed, beside once for each batch that it was charged: what the log holds of a session is bounded by it.
pub const RESUMES_MAX: u32 = 1_000;

/// Opens or resumes a session, or says why not. The order of the checks is the order of what the verifier hears first.
pub(super) fn admit(transaction: &Transaction<'_>, entry: &SessionEntry, now: u64) -> Result<SessionOpening, Failure> {
    // Windows, ends of epochs and validities would be counted from a time that is not.
    let behind_ms = now.saturating_sub(entry.clock_unix_ms);
    if behind_ms > CLOCK_SKEW_MS_MAX {
        return Err(LedgerError::ClockBehind { behind_ms }.into());
    }
    if policy_digest_in_force(transaction)? != policy_of(entry) {
        return Err(LedgerError::PolicyChanged.into());
    }
    if is_suspended(transaction, &entry.verifier)? {
        return Err(LedgerError::Suspended.into());
    }
    if is_denied(transaction, &entry.request_digest)? {
        return Err(LedgerError::RequestRefused.into());
    }
    match resumed_session(transaction, entry)? {
        Some(known) => resume(transaction, entry, known, now),
        None => open(transaction, entry, now),
    }
}

fn policy_of(entry: &SessionEntry) -> Option<[u8; 32]> {
    entry.authority.as_ref().map(|authority| authority.policy_digest)
}

/// A session that has the entry's verifier and request id.
struct Known {
    session: i64,
    session_id: [u8; 16],
    epoch: i64,
    state: String,
    set_id: Option<[u8; 32]>,
    tokens: u64,
    charged_tokens: u64,
    holder_nonce: [u8; 32],
    policy: Option<[u8; 32]>,
    resumes: u64,
    charged_batches: u64,
}

/// The session that the entry resumes (SPEC HSK-5), if there is one; a conflict where this verifier used the request id otherwise.
fn resumed_session(transaction: &Transaction<'_>, entry: &SessionEntry) -> Result<Option<Known>, Failure> {
    let found = transaction
        .prepare_cached(
            "SELECT session, epoch, state, tokens, charged_tokens, holder_nonce,
               verifier_nonce = ?3 AND request_digest = ?4 AND tokens = ?5 AND pairs = ?6 AND batches = ?7
               AND verifier_certificate = ?8 AND offered = ?9,
               set_id, session_id, policy, resumes, charged_batches
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
                    session_id: row.get(8)?,
                    epoch: row.get(1)?,
                    state: row.get(2)?,
                    tokens: row.get(3)?,
                    charged_tokens: row.get(4)?,
                    holder_nonce: row.get(5)?,
                    set_id: row.get(7)?,
                    policy: row.get(9)?,
                    resumes: row.get(10)?,
                    charged_batches: row.get(11)?,
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

/// An epoch that admits a session.
struct Admitting {
    epoch: i64,
    unowned: bool,
    evaluations_max: Option<u64>,
}

/// The entry's epoch, if it is current, has the entry's set and is this verifier's or nobody's. One that is closing, or whose date has come,
/// takes back the sessions that it admitted while its grace lasts, and no new one.
fn admitting_epoch(transaction: &Transaction<'_>, entry: &SessionEntry, resumed: bool, now: u64) -> Result<Admitting, Failure> {
    let found = transaction
        .prepare_cached(
            "SELECT epoch, verifier IS NULL, evaluations_max, ends_unix_ms, closing_unix_ms IS NOT NULL,
               min(ifnull(grace_until_unix_ms, ends_unix_ms + ?4), ifnull(ends_unix_ms + ?4, grace_until_unix_ms)) FROM epochs
             WHERE epoch_id = ?1 AND ended_unix_ms IS NULL AND set_id = ?3 AND (verifier IS NULL OR verifier = ?2)",
        )?
        .query_row(params![entry.epoch_id, entry.verifier, entry.set_id, GRACE_MS_MAX], |row| {
            let admitting = Admitting { epoch: row.get(0)?, unowned: row.get(1)?, evaluations_max: row.get(2)? };
            Ok((admitting, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .optional()?;
    let (admitting, ends, closing, grace_until): (Admitting, Option<u64>, bool, Option<u64>) = found.ok_or(LedgerError::EpochEnded)?;
    let over = if resumed { grace_until.is_some_and(|until| until <= now) } else { closing || ends.is_some_and(|ends| ends <= now) };
    if over {
        return Err(LedgerError::EpochEnded.into());
    }
    if admitting.unowned {
        // A verifier has one epoch; it does not take the next one's as well.
        let has_one: bool = transaction
            .prepare_cached("SELECT EXISTS (SELECT 1 FROM epochs WHERE verifier = ?1 AND ended_unix_ms IS NULL)")?
            .query_row([entry.verifier], |row| row.get(0))?;
        if has_one {
            return Err(LedgerError::EpochEnded.into());
        }
    }
    Ok(admitting)
}

/// Whether a budget holds `asked` beside what is `used`.
fn check(budget: Budget, asked: u64, used: u64, most: u64) -> Result<(), Failure> {
    let left = most.saturating_sub(used);
    if asked <= left { Ok(()) } else { Err(LedgerError::BudgetExhausted { budget, asked, left }.into()) }
}

/// The epoch's own budget and the policy's caps. A session that is resumed was counted as a request, with its pairs, when it was opened: its
/// evaluations alone are reserved again, those that are not charged yet.
fn check_budgets(
    transaction: &Transaction<'_>,
    entry: &SessionEntry,
    epoch: &Admitting,
    resumed: Option<i64>,
    tokens: u64,
    now: u64,
) -> Result<(), Failure> {
    let epoch_tokens = spoken_for(transaction, epoch.epoch, resumed)?;
    let most = entry.epoch_evaluations_max.min(epoch.evaluations_max.unwrap_or(u64::MAX));
    check(Budget::Evaluations, tokens, epoch_tokens, most)?;
    let Some(AuthorityEntry { caps, .. }) = &entry.authority else { return Ok(()) };
    let since = now.saturating_sub(caps.window_ms);
    if resumed.is_none() {
        let (requests, pairs) = window_requests(transaction, &entry.verifier, since)?;
        check(Budget::WindowRequests, 1, requests, caps.window_requests_max)?;
        check(Budget::WindowPairs, entry.pairs, pairs, caps.window_pairs_max)?;
    }
    check(Budget::WindowTokens, tokens, window_tokens(transaction, &entry.verifier, resumed, since)?, caps.window_tokens_max)?;
    check_epoch_caps(transaction, entry, caps, epoch.epoch, resumed.is_some(), tokens, epoch_tokens)
}

fn check_epoch_caps(
    transaction: &Transaction<'_>,
    entry: &SessionEntry,
    caps: &Caps,
    epoch: i64,
    resumed: bool,
    tokens: u64,
    used: u64,
) -> Result<(), Failure> {
    if !resumed {
        let (requests, pairs) = epoch_requests(transaction, epoch)?;
        check(Budget::EpochRequests, 1, requests, caps.epoch_requests_max)?;
        check(Budget::EpochPairs, entry.pairs, pairs, caps.epoch_pairs_max)?;
    }
    check(Budget::EpochTokens, tokens, used, caps.epoch_tokens_max)
}

/// Requests of a verifier's in the window, and their pairs.
pub(super) fn window_requests(connection: &Connection, verifier: &[u8; 32], since: u64) -> Result<(u64, u64), Failure> {
    Ok(connection
        .prepare_cached("SELECT count(*), ifnull(sum(pairs), 0) FROM sessions WHERE verifier = ?1 AND opened_unix_ms > ?2")?
        .query_row(params![verifier, since], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Requests in an epoch, and their pairs.
pub(super) fn epoch_requests(connection: &Connection, epoch: i64) -> Result<(u64, u64), Failure> {
    Ok(connection
        .prepare_cached("SELECT count(*), ifnull(sum(pairs), 0) FROM sessions WHERE epoch = ?1")?
        .query_row([epoch], |row| Ok((row.get(0)?, row.get(1)?)))?)
}

/// Evaluations of a verifier's in the window: those of sessions opened in it, charged or reserved; of older sessions what was charged in it or
/// is reserved now. So a session that is opened in one window and used in another counts where it is used.
pub(super) fn window_tokens(connection: &Connection, verifier: &[u8; 32], except: Option<i64>, since: u64) -> Result<u64, Failure> {
    Ok(connection
        .prepare_cached(
            "SELECT ifnull(sum(
               CASE WHEN opened_unix_ms > ?3 THEN charged_tokens ELSE
                 (SELECT ifnull(sum(c.tokens), 0) FROM charges c WHERE c.session = s.session AND c.charged_unix_ms > ?3) END
               + CASE WHEN state = 'open' AND session IS NOT ?2 THEN tokens - charged_tokens ELSE 0 END), 0)
             FROM sessions s WHERE verifier = ?1 AND (opened_unix_ms > ?3 OR changed_unix_ms > ?3 OR state = 'open')",
        )?
        .query_row(params![verifier, except, since], |row| row.get(0))?)
}

/// Signatures, the holder's officials' signatures, and whose they are, as bodies have them.
fn authority_texts(authority: Option<&AuthorityEntry>) -> (Vec<String>, Vec<String>, Vec<SignerBody>) {
    let texts = |signatures: &[Vec<u8>]| signatures.iter().map(|signature| text_of(signature)).collect();
    authority.map_or_else(Default::default, |authority| {
        let signers = authority.signers.iter().map(SignerBody::from).collect();
        (texts(&authority.signatures), texts(&authority.countersignatures), signers)
    })
}

fn open(transaction: &Transaction<'_>, entry: &SessionEntry, now: u64) -> Result<SessionOpening, Failure> {
    let epoch = admitting_epoch(transaction, entry, false, now)?;
    check_budgets(transaction, entry, &epoch, None, entry.tokens, now)?;
    if epoch.unowned {
        transaction.prepare_cached("UPDATE epochs SET verifier = ?2 WHERE epoch = ?1")?.execute(params![epoch.epoch, entry.verifier])?;
    }
    let disclosure = entry.authority.as_ref().map_or("none", |authority| authority.disclosure.as_str());
    let (signatures, countersignatures, signers) = authority_texts(entry.authority.as_ref());
    let body = RequestAccepted {
        batches: entry.batches,
        countersignatures,
        disclosure: disclosure.to_owned(),
        epoch: Hex(entry.epoch_id),
        holder_nonce: Hex(entry.holder_nonce),
        offered: oblink_session::request::to_hex(&entry.offered),
        pairs: entry.pairs,
        policy: MaybeHex(policy_of(entry)),
        request: text_of(&entry.request),
        request_digest: Hex(entry.request_digest),
        request_id: Hex(entry.request_id),
        session: Hex(entry.session_id),
        set_id: Hex(entry.set_id),
        signatures,
        signers,
        tokens: entry.tokens,
        verifier_certificate: Hex(entry.verifier_certificate),
        verifier_nonce: Hex(entry.verifier_nonce),
    };
    let seq = append(transaction, now, Some(&entry.verifier), &body)?;
    transaction
        .prepare_cached(
            "INSERT INTO sessions (session_id, request_id, request_digest, request, epoch, verifier, verifier_certificate, offered,
             verifier_nonce, holder_nonce, pairs, tokens, batches, state, opened_unix_ms, changed_unix_ms, set_id, policy, disclosure, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, 'open', ?14, ?14, ?15, ?16, ?17, ?18)",
        )?
        .execute(params![
            entry.session_id,
            entry.request_id,
            entry.request_digest,
            entry.request,
            epoch.epoch,
            entry.verifier,
            entry.verifier_certificate,
            entry.offered,
            entry.verifier_nonce,
            entry.holder_nonce,
            entry.pairs,
            entry.tokens,
            entry.batches,
            now,
            entry.set_id,
            policy_of(entry),
            disclosure,
            seq
        ])?;
    Ok(SessionOpening::New)
}

fn resume(transaction: &Transaction<'_>, entry: &SessionEntry, known: Known, now: u64) -> Result<SessionOpening, Failure> {
    let receipt = transaction
        .prepare_cached("SELECT body, holder_signature FROM receipts WHERE session = ?1")?
        .query_row([known.session], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // What it asked in pilot mode nobody authorised, and what it agreed to disclose was not looked at: under a policy it asks anew.
    if known.policy.is_none() && entry.authority.is_some() {
        return Err(LedgerError::PolicyChanged.into());
    }
    // Also a complete one (SPEC END-4): what it resumes under is its caller's offer, and another epoch's, or another set, would not be what
    // it asked.
    let epoch = admitting_epoch(transaction, entry, true, now)?;
    if epoch.epoch != known.epoch || known.set_id.is_some_and(|set_id| set_id != entry.set_id) {
        return Err(LedgerError::EpochEnded.into());
    }
    if known.state != "complete" {
        // A line that breaks again and again must not end a session that gets on: each batch allows another.
        if known.resumes >= u64::from(RESUMES_MAX) + known.charged_batches {
            return Err(LedgerError::SessionNotOpen.into());
        }
        let missing = known.tokens.checked_sub(known.charged_tokens).ok_or_else(|| contradiction("more charged than was asked"))?;
        check_budgets(transaction, entry, &epoch, Some(known.session), missing, now)?;
        let policy = policy_of(entry);
        // By what it goes on is what it was admitted by, unless the policy is another since.
        let authority = entry.authority.as_ref().filter(|_| policy != known.policy);
        let (signatures, countersignatures, signers) = authority_texts(authority);
        let session = Hex(known.session_id);
        let body = SessionResumed { countersignatures, policy: MaybeHex(policy), session, signatures, signers };
        append(transaction, now, Some(&entry.verifier), &body)?;
        set_state(transaction, known.session, "open", now)?;
        transaction
            .prepare_cached("UPDATE sessions SET resumes = resumes + 1, policy = ?2 WHERE session = ?1")?
            .execute(params![known.session, policy])?;
    }
    let charged = transaction
        .prepare_cached("SELECT batch, blinded_digest, evaluated_digest FROM charges WHERE session = ?1 ORDER BY batch")?
        .query_map([known.session], |row| {
            Ok(ChargedBatch { index: row.get(0)?, blinded_digest: row.get(1)?, evaluated_digest: row.get(2)? })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(SessionOpening::Resumed { holder_nonce: known.holder_nonce, charged, receipt })
}
