//! Whether a ledger is what its holder wrote and signed (SPEC LED-6).
//!
//! One pass over the log recomputes every leaf and every stored hash, holds the root at each signed head's size against that head, and replays
//! what the entries say; then the tables are compared with the replay, row by row. Found is whatever was edited, deleted, added or put in
//! another order after it was written. A database that was rolled back to a copy of itself is in order by itself: a head that somebody else
//! has (a witness, a verifier, a receipt) finds it.
//!
//! Bound by no entry are how often a batch was sent again (`repeats`), counts of refusals between two powers of two with the detail of the
//! latest, the digests of what was answered in a session that has no receipt, and in an older ledger whatever happened before it was brought up.

mod decided;
mod epochs;
mod model;
mod sessions;
mod tables;

use oblink_session::authority::{BuiltInRulesets, Rulesets};
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::merkle::Accumulator;
use oblink_session::statement::CertifiedKey;
use rusqlite::{Connection, ErrorCode};
use sha2::{Digest, Sha256};

use self::model::Model;
use super::entries::EntryKind;
use super::log::entry_leaf;
use super::{Failure, SqliteLedger};
use crate::Error;

/// Where a ledger is not what was written, and how: names of tables and numbers of entries, nothing of anybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Tampered {
    /// `log`, `heads`, `witness`, or the table.
    pub place: &'static str,
    /// Number of the entry that it is about, where there is one; of a head its size.
    pub entry: Option<u64>,
    /// What is wrong.
    pub what: &'static str,
}

impl core::fmt::Display for Tampered {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.entry {
            Some(entry) => write!(f, "{}, entry {entry}: {}", self.place, self.what),
            None => write!(f, "{}: {}", self.place, self.what),
        }
    }
}

impl From<Tampered> for Failure {
    fn from(tampered: Tampered) -> Self {
        Self::Other(Error::Tampered(tampered))
    }
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyReport {
    /// The log as it is.
    pub head: LogHead,
    /// Signed heads of the ledger's own.
    pub heads: u64,
    /// Heads that others had.
    pub witnessed: u64,
    /// Entries that an older ledger brought.
    pub imported: u64,
    /// Sessions.
    pub sessions: u64,
    /// Charges.
    pub charges: u64,
    /// Evaluations charged.
    pub charged_tokens: u64,
    /// Time of the latest entry, milliseconds since 1970; 0 without any.
    pub latest_unix_ms: u64,
}

/// A head and where it is from.
struct Claim {
    head: LogHead,
    /// The ledger's own word, of which the signature is still to be checked.
    signed: Option<SignedHead>,
    place: &'static str,
}

impl SqliteLedger {
    /// Verifies the ledger as it is at one moment: the log, every signed head under the holder's statement key, and the tables.
    /// `witnesses` are heads that others kept, of which the caller knows that the holder said them. O(entries); memory grows with epochs, sessions and heads, not with charges.
    /// Requests are judged by the rulesets of this build: [`verify_by`](Self::verify_by) takes others.
    ///
    /// # Errors
    /// [`Error::Tampered`] for the first thing found; [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn verify(&self, holder_key: &CertifiedKey, holder: &[u8; 32], witnesses: &[LogHead]) -> Result<VerifyReport, Error> {
        self.verify_by(holder_key, holder, witnesses, &BuiltInRulesets)
    }

    /// As [`verify`](Self::verify), by the rulesets that the holder has.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_by(
        &self,
        holder_key: &CertifiedKey,
        holder: &[u8; 32],
        witnesses: &[LogHead],
        rulesets: &dyn Rulesets,
    ) -> Result<VerifyReport, Error> {
        match self.look(|connection| verify(connection, holder_key, holder, witnesses, rulesets)) {
            // A value of another type or length than this program writes.
            Err(Failure::Sqlite(
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::IntegralValueOutOfRange(..),
            )) => Err(Tampered { place: "tables", entry: None, what: "a value that this program does not write" }.into()),
            outcome => Ok(outcome?),
        }
    }
}

fn verify(
    connection: &Connection,
    key: &CertifiedKey,
    holder: &[u8; 32],
    witnesses: &[LogHead],
    rulesets: &dyn Rulesets,
) -> Result<VerifyReport, Failure> {
    let mut claims = kept_heads(connection)?;
    let heads = claims.len() as u64;
    claims.extend(witnesses.iter().map(|head| Claim { head: *head, signed: None, place: "witness" }));
    claims.sort_by_key(|claim| claim.head.size);
    let mut claims = claims.into_iter().peekable();

    let mut log = Accumulator::new();
    let mut model = Model::new(connection, holder, rulesets)?;
    let mut latest_unix_ms = 0;
    let mut statement = connection.prepare("SELECT seq, kind, unix_ms, party, body, nodes FROM log ORDER BY seq")?;
    let mut rows = statement.query([])?;
    loop {
        while let Some(claim) = claims.next_if(|claim| claim.head.size == log.len()) {
            check_claim(&claim, &log, key, holder)?;
        }
        let Some(row) = rows.next()? else { break };
        let seq = log.len();
        let wrong = |what| Tampered { place: "log", entry: Some(seq), what };
        if row.get::<_, u64>(0)? != seq {
            return Err(wrong("it is not there").into());
        }
        let (number, unix_ms): (u8, u64) = (row.get(1)?, row.get(2)?);
        let party: [u8; 32] = row.get(3)?;
        let blob = |column| row.get_ref(column).map(|value| value.as_blob().unwrap_or_default());
        let (body, nodes) = (blob(4)?, blob(5)?);
        let completed = log.append(entry_leaf(number, unix_ms, &party, &Sha256::digest(body).into()));
        if completed.as_flattened() != nodes {
            return Err(wrong("its hashes are not those of what it says").into());
        }
        if unix_ms < latest_unix_ms {
            return Err(wrong("its time is before that of the entry before it").into());
        }
        latest_unix_ms = unix_ms;
        let kind = EntryKind::from_u8(number).ok_or_else(|| wrong("its kind is unknown"))?;
        model.apply(&model::Entry { seq, kind, unix_ms, party, body })?;
    }
    if let Some(claim) = claims.next() {
        let entry = Some(claim.head.size);
        return Err(Tampered { place: claim.place, entry, what: "the log ends before the head that was signed" }.into());
    }
    model.compare(latest_unix_ms)?;
    let fresh = super::schema::fresh()?;
    check_triggers(connection, &fresh)?;
    check_file(connection, &fresh)?;
    Ok(VerifyReport {
        head: LogHead { size: log.len(), root: log.root() },
        heads,
        witnessed: witnesses.len() as u64,
        imported: model.imported,
        sessions: model.sessions.len() as u64,
        charges: model.charges,
        charged_tokens: model.sessions.values().fold(0, |sum, session| sum.saturating_add(session.charged_tokens)),
        latest_unix_ms,
    })
}

fn kept_heads(connection: &Connection) -> Result<Vec<Claim>, Failure> {
    Ok(connection
        .prepare("SELECT size, root, unix_ms, signature FROM heads ORDER BY size")?
        .query_map([], |row| {
            let head = LogHead { size: row.get(0)?, root: row.get(1)? };
            let signed = SignedHead { head, unix_ms: row.get(2)?, signature: row.get(3)? };
            Ok(Claim { head, signed: Some(signed), place: "heads" })
        })?
        .collect::<Result<_, _>>()?)
}

fn check_claim(claim: &Claim, log: &Accumulator, key: &CertifiedKey, holder: &[u8; 32]) -> Result<(), Tampered> {
    let wrong = |what| Tampered { place: claim.place, entry: Some(log.len()), what };
    if claim.head.root != log.root() {
        return Err(wrong("the log is not the one that was signed"));
    }
    let verdict = claim.signed.map_or(Ok(()), |signed| signed.verify(key, holder));
    verdict.map_err(|_| wrong("the signature of the head does not verify"))
}

/// That tables and their indexes fit each other: what was compared above is what the tables hold, and the program finds its rows by indexes.
fn check_file(connection: &Connection, fresh: &Connection) -> Result<(), Failure> {
    let damaged = |what| Failure::from(Tampered { place: "tables", entry: None, what });
    let verdict: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(damaged("the file is damaged: its tables and their indexes do not fit each other"));
    }
    // That passes over a page that leads nowhere, where nothing is to be found by it; reading does not.
    for walk in walks(fresh)? {
        match connection.query_row(&walk, [], |row| row.get::<_, Option<i64>>(0)) {
            // Corrupt; or an error of the statement: there is no such table, or index.
            Err(error) if matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::Unknown)) => {
                return Err(damaged("the file is damaged: a table or an index is missing, or cannot be read to its end"));
            }
            read => read?,
        };
    }
    Ok(())
}

/// Statements that read each table of this program's, and each index of theirs, from one end to the other.
fn walks(fresh: &Connection) -> Result<Vec<String>, rusqlite::Error> {
    fresh
        .prepare("SELECT type = 'index', name, tbl_name, sql FROM sqlite_schema WHERE type IN ('table', 'index') ORDER BY name")?
        .query_map([], |row| {
            let (is_index, name, table): (bool, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if !is_index {
                return Ok(format!("SELECT sum(1) FROM {table} NOT INDEXED"));
            }
            // Of those that hold some rows alone, which: SQLite wants to hear it.
            let sql: Option<String> = row.get(3)?;
            let some = sql.as_deref().and_then(|sql| Some(&sql[sql.find("WHERE")?..])).unwrap_or_default();
            Ok(format!("SELECT sum(1) FROM {table} INDEXED BY {name} {some}"))
        })?
        .collect()
}

/// What keeps the log append-only between one verification and the next, word for word, and nothing that acts or answers besides.
fn check_triggers(connection: &Connection, fresh: &Connection) -> Result<(), Failure> {
    let of = |connection: &Connection| {
        connection
            .prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE type IN ('trigger', 'view') ORDER BY name")?
            .query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?
            .collect::<Result<Vec<[String; 4]>, rusqlite::Error>>()
    };
    if of(connection)? == of(fresh)? {
        return Ok(());
    }
    Err(Tampered { place: "tables", entry: None, what: "the triggers that keep the log append-only are not those of this program" }.into())
}
