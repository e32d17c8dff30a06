//! What verifiers gave back, and the records booked as disclosed (SPEC DIS-1 to DIS-3).

use std::collections::BTreeSet;

use oblink_session::ledger::{DisclosureEntry, LedgerError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::entries::{Booking, Disclosed, Hex};
use super::log::append;
use super::{Failure, SqliteLedger, contradiction};
use crate::Error;

/// Tags in a row of `disclosed_tags`.
const TAGS_PER_PART: usize = 16_384;

/// A disclosure (SPEC DIS-2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureRow {
    /// `count` or `matched_tags`.
    pub kind: String,
    /// Pairs that matched.
    pub matched: u64,
    /// Digest of the tags.
    pub tags_digest: [u8; 32],
    /// The verifier's statement.
    pub signature: [u8; 64],
    /// When it came, milliseconds since 1970.
    pub disclosed_unix_ms: u64,
    /// Records booked for it, once they are.
    pub booked: Option<u64>,
}

/// One session in which a record was disclosed (SPEC DIS-3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosedRecordRow {
    /// The session.
    pub session_id: [u8; 16],
    /// To whom.
    pub verifier: [u8; 32],
    /// The request's identifier.
    pub request_id: [u8; 16],
    /// The request, as received: it says for what purpose.
    pub request: Vec<u8>,
    /// When the session was complete, milliseconds since 1970.
    pub completed_unix_ms: u64,
    /// When it was booked, milliseconds since 1970.
    pub booked_unix_ms: u64,
}

/// What [`disclose`] asks of a session.
struct Owing {
    session: i64,
    verifier: [u8; 32],
    complete: bool,
    kind: String,
    pairs: u64,
    tokens: u64,
}

/// Keeps what a verifier said had matched: once a request, and only what it agreed to say (SPEC DIS-2).
pub(super) fn disclose(transaction: &Transaction<'_>, entry: &DisclosureEntry, now: u64) -> Result<(), Failure> {
    let owing = transaction
        .prepare_cached("SELECT session, verifier, state = 'complete', disclosure, pairs, tokens FROM sessions WHERE session_id = ?1")?
        .query_row([entry.session_id], |row| {
            Ok(Owing {
                session: row.get(0)?,
                verifier: row.get(1)?,
                complete: row.get(2)?,
                kind: row.get(3)?,
                pairs: row.get(4)?,
                tokens: row.get(5)?,
            })
        })
        .optional()?
        .filter(|owing| owing.complete)
        .ok_or(LedgerError::SessionNotOpen)?;
    let kind = entry.kind.as_str();
    // Nobody's tags match more often than pairs were asked, nor more of them than tokens were evaluated.
    let too_many = entry.matched > owing.pairs || entry.tags.len() as u64 > owing.tokens;
    if kind == "none" || owing.kind != kind || too_many {
        return Err(LedgerError::DisclosureNotDue.into());
    }
    let known: Option<bool> = transaction
        .prepare_cached("SELECT matched = ?2 AND tags_digest = ?3 FROM disclosures WHERE session = ?1")?
        .query_row(params![owing.session, entry.matched, entry.tags_digest], |row| row.get(0))
        .optional()?;
    match known {
        Some(true) => return Ok(()),
        Some(false) => return Err(LedgerError::DisclosureNotDue.into()),
        None => {}
    }
    let body = Disclosed {
        kind: kind.to_owned(),
        matched: entry.matched,
        session: Hex(entry.session_id),
        signature: Hex(entry.signature),
        tags_digest: Hex(entry.tags_digest),
    };
    let seq = append(transaction, now, Some(&owing.verifier), &body)?;
    transaction
        .prepare_cached(
            "INSERT INTO disclosures (session, kind, matched, tags_digest, signature, disclosed_unix_ms, entry)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![owing.session, kind, entry.matched, entry.tags_digest, entry.signature, now, seq])?;
    for (part, tags) in entry.tags.chunks(TAGS_PER_PART).enumerate() {
        let tags: Vec<u8> = tags.iter().flat_map(|tag| tag.to_be_bytes()).collect();
        transaction.prepare_cached("INSERT INTO disclosed_tags (session, part, tags) VALUES (?1, ?2, ?3)")?.execute(params![
            owing.session,
            part as u64,
            tags
        ])?;
    }
    Ok(())
}

/// Digest of the tags kept of a session (SPEC DIS-2).
pub(super) fn tags_digest(connection: &Connection, session: i64) -> Result<[u8; 32], Failure> {
    let mut hash = Sha256::new().chain_update(b"oblink/1/matched-tags\0");
    let mut statement = connection.prepare_cached("SELECT tags FROM disclosed_tags WHERE session = ?1 ORDER BY part")?;
    let mut rows = statement.query([session])?;
    while let Some(row) = rows.next()? {
        hash.update(row.get_ref(0)?.as_blob().map_err(|_| contradiction("disclosed tags that are none"))?);
    }
    Ok(hash.finalize().into())
}

/// Digest of record identifiers in the order of their bytes, under a salt (SPEC DIS-3).
fn booking_digest<'a>(salt: &[u8; 32], record_ids: impl Iterator<Item = &'a str>) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(b"oblink/1/booking\0").chain_update(salt);
    for id in record_ids {
        hash.update((id.len() as u64).to_be_bytes());
        hash.update(id);
    }
    hash.finalize().into()
}

/// How many records are kept as booked for a session, and their digest under its salt.
pub(super) fn booked(connection: &Connection, session: i64, salt: &[u8; 32]) -> Result<(u64, [u8; 32]), Failure> {
    // SQLite's BINARY collation orders text by its bytes, which are UTF-8.
    let ids = connection
        .prepare_cached("SELECT record_id FROM disclosed_records WHERE session = ?1 ORDER BY record_id")?
        .query_map([session], |row| row.get(0))?
        .collect::<Result<Vec<String>, _>>()?;
    Ok((ids.len() as u64, booking_digest(salt, ids.iter().map(String::as_str))))
}

impl SqliteLedger {
    /// Books the records that were disclosed in a session, once and for all of them together: the log gets their number and a digest, the
    /// identifiers stay in a table of their own. An identifier given twice is booked once. `salt` is fresh from the system: without it, nobody
    /// can guess identifiers from the log.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `DisclosureNotDue` where the session has no disclosure of tags, or is booked already; `Busy` and `Storage`.
    pub fn book(
        &mut self,
        session_id: &[u8; 16],
        record_ids: impl IntoIterator<Item = String>,
        salt: &[u8; 32],
        operator: &str,
        clock_unix_ms: u64,
    ) -> Result<u64, Error> {
        let ids: BTreeSet<String> = record_ids.into_iter().collect();
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let due: Option<(i64, [u8; 32])> = transaction
                .prepare_cached(
                    "SELECT s.session, s.verifier FROM sessions s JOIN disclosures d USING (session) WHERE s.session_id = ?1
                     AND d.kind = 'matched_tags' AND NOT EXISTS (SELECT 1 FROM bookings b WHERE b.session = s.session)",
                )?
                .query_row([session_id], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let (session, verifier) = due.ok_or(LedgerError::DisclosureNotDue)?;
            let (records, digest) = (ids.len() as u64, booking_digest(salt, ids.iter().map(String::as_str)));
            let body = Booking { digest: Hex(digest), operator: operator.to_owned(), records, session: Hex(*session_id) };
            let seq = append(transaction, now, Some(&verifier), &body)?;
            transaction
                .prepare_cached(
                    "INSERT INTO bookings (session, salt, records, digest, operator, booked_unix_ms, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![session, salt, records, digest, operator, now, seq])?;
            let mut insert = transaction.prepare_cached("INSERT INTO disclosed_records (session, record_id) VALUES (?1, ?2)")?;
            for id in &ids {
                insert.execute(params![session, id])?;
            }
            Ok(records)
        })?)
    }

    /// A session's disclosure, once it has come.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn disclosure(&self, session_id: &[u8; 16]) -> Result<Option<DisclosureRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT d.kind, d.matched, d.tags_digest, d.signature, d.disclosed_unix_ms, b.records
                     FROM disclosures d JOIN sessions s USING (session) LEFT JOIN bookings b USING (session) WHERE s.session_id = ?1",
                )?
                .query_row([session_id], |row| {
                    Ok(DisclosureRow {
                        kind: row.get(0)?,
                        matched: row.get(1)?,
                        tags_digest: row.get(2)?,
                        signature: row.get(3)?,
                        disclosed_unix_ms: row.get(4)?,
                        booked: row.get(5)?,
                    })
                })
                .optional()?)
        })
    }

    /// The tags that a session's verifier returned, ascending; none where it returned none.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn disclosed_tags(&self, session_id: &[u8; 16]) -> Result<Vec<u128>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT t.tags FROM disclosed_tags t JOIN sessions s USING (session) WHERE s.session_id = ?1 ORDER BY t.part",
            )?;
            let mut rows = statement.query([session_id])?;
            let mut tags = Vec::new();
            while let Some(row) = rows.next()? {
                let part = row.get_ref(0)?.as_blob().map_err(|_| contradiction("disclosed tags that are none"))?;
                tags.extend(part.as_chunks::<16>().0.iter().map(|tag| u128::from_be_bytes(*tag)));
            }
            Ok(tags)
        })
    }

    /// To whom, when and in which request a record was disclosed, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn disclosures_of(&self, record_id: &str) -> Result<Vec<DisclosedRecordRow>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached(
                    "SELECT s.session_id, s.verifier, s.request_id, s.request, r.completed_unix_ms, b.booked_unix_ms
                     FROM disclosed_records d JOIN sessions s USING (session) JOIN receipts r USING (session) JOIN bookings b USING (session)
                     WHERE d.record_id = ?1 ORDER BY b.entry",
                )?
                .query_map([record_id], |row| {
                    Ok(DisclosedRecordRow {
                        session_id: row.get(0)?,
                        verifier: row.get(1)?,
                        request_id: row.get(2)?,
                        request: row.get(3)?,
                        completed_unix_ms: row.get(4)?,
                        booked_unix_ms: row.get(5)?,
                    })
                })?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }
}
