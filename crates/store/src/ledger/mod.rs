//! The holder's ledger: what was sealed, asked, charged, delivered, refused and receipted, in SQLite.
//!
//! The file is in WAL mode with `synchronous = FULL`: what a call says is on disk when it returns. Every call is one transaction that takes
//! the write lock at its beginning, so that any number of connections and processes see one order of events. `serve` alone takes
//! [`SqliteLedger::serve_lock`]; `seal` and `ledger` read and write beside it.
//!
//! Beneath the tables lies an append-only log, a Merkle tree whose heads the holder signs (SPEC LED-1 to LED-4): every change of the tables
//! appends the entry that tells of it in the same transaction, and [`SqliteLedger::verify`] holds the tables, the log and the signed heads
//! against each other. The tables are what the program works with; the log is what it can be held to.
//!
//! Ledger time does not run backwards: an entry bears the later of its own clock and the latest one written (SPEC LED-5). Where that is far
//! ahead of the clock, no session is admitted.

mod account;
mod admission;
mod authority;
mod closing;
mod disclosures;
pub mod entries;
mod epochs;
mod extract;
mod figures;
mod log;
mod migration;
mod rows;
mod schema;
mod show;
mod verify;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use oblink_session::ledger::LedgerError;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::Error;
use crate::disk::{DiskLock, RealDisk, lock};

pub use admission::RESUMES_MAX;
pub use authority::{Approval, CountersignatureRow, Judged, PolicyChange, PolicyRecord, RequestDenial, Scope, SuspensionRow};
pub use closing::{Due, DueEpoch, UnbookedSession};
pub use disclosures::{DisclosedRecordRow, DisclosureRow};
pub use extract::{Extract, ExtractFault, ExtractedEntry, VerifiedExtract};
pub use figures::{BudgetLeft, LogFigures};
pub use log::{LogEntry, NO_PARTY};
pub use rows::{
    DeliveryRow, EarlierSetRow, EpochClosing, EpochEnd, EpochEntry, EpochLimits, EpochRow, LiveFiles, ReceiptRow, RefusalRow, SessionRow,
    SessionState,
};
pub use schema::SCHEMA_VERSION;
pub use show::{DELIVERIES_MAX, REASON_BYTES_MAX, REFUSALS_MAX};
pub use verify::{Tampered, VerifyReport};

/// One connection to a ledger's file.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    path: PathBuf,
    /// The file that the connection has open.
    file: Option<(u64, u64)>,
    /// The write-ahead log that the connection writes to.
    wal: Option<(u64, u64)>,
}

/// Held by the one process that serves from a ledger.
#[derive(Debug)]
pub struct ServeLock {
    _lock: Box<dyn DiskLock>,
}

impl SqliteLedger {
    /// Opens the ledger in the file `path`, which is created (0600) where it is missing; its directory must be there.
    ///
    /// # Errors
    /// [`Error::LedgerVersion`] where another version of this program wrote it; [`Error::LedgerDamaged`] where it is no ledger;
    /// [`Error::Disk`] where the file or its directory cannot be written; [`Error::NoSpace`]; [`Error::Ledger`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let connection = schema::open(path)?;
        Ok(Self { file: schema::file(&connection), wal: schema::write_ahead_log(&connection), connection, path: path.to_owned() })
    }

    /// Keeps at most `kibibytes` of the file in memory, for connections that only look now and then: SQLite's own measure is 2 MiB for each, which
    /// fills as the ledger grows.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn cache_at_most(&self, kibibytes: u16) -> Result<(), Error> {
        Ok(self.connection.pragma_update(None, "cache_size", -i32::from(kibibytes)).map_err(Failure::from)?)
    }

    /// Makes this process the one that serves from the ledger, for as long as the value lives, and suspends the sessions that the one
    /// before it left open when it died: their reservations are free, and they may be resumed.
    ///
    /// # Errors
    /// [`Error::InUse`] where another process (or value) serves; [`Error::Disk`]; [`Error::Ledger`].
    pub fn serve_lock(&mut self, clock_unix_ms: u64) -> Result<ServeLock, Error> {
        let mut name = OsString::from(self.path.as_os_str());
        name.push(".serve-lock");
        let held = lock(&RealDisk, Path::new(&name), &self.path)?;
        self.write(clock_unix_ms, |transaction, now| {
            let open = transaction
                .prepare_cached("SELECT session, session_id, verifier FROM sessions WHERE state = 'open' ORDER BY session")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<Vec<(i64, [u8; 16], [u8; 32])>, _>>()?;
            open.iter().try_for_each(|(session, id, verifier)| account::suspend(transaction, *session, id, verifier, now))
        })?;
        Ok(ServeLock { _lock: held })
    }

    /// One transaction that writes, with the ledger's time in it. An error of `body` undoes it.
    fn transact<T>(&mut self, clock_unix_ms: u64, body: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure>) -> Result<T, Failure> {
        let work = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let now = advance_clock(&transaction, clock_unix_ms)?;
            let value = body(&transaction, now)?;
            if schema::file(&transaction) != self.file {
                let shown = self.path.display();
                return Err(contradiction(&format!(
                    "{shown} was removed or replaced while in use; stop this program, put it back and run ledger verify"
                )));
            }
            // What is committed to a log that has no name any more is lost.
            if schema::write_ahead_log(&transaction) != self.wal {
                return Err(contradiction("the ledger's write-ahead log was replaced by another program; stop it and run ledger verify"));
            }
            transaction.commit()?;
            Ok(value)
        };
        work().map_err(|failure: Failure| failure.of(&self.path))
    }

    /// [`Self::transact`] where all that can fail is the account's or the database's.
    fn write<T>(&mut self, clock_unix_ms: u64, body: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure>) -> Result<T, LedgerError> {
        Ok(self.transact(clock_unix_ms, body)?)
    }

    /// One transaction that reads: all its queries see the same state.
    fn look<T>(&self, body: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Failure> {
        // Unchecked because it needs no exclusive borrow; no other transaction is open, as `transact` has one.
        let look = || body(&*self.connection.unchecked_transaction()?);
        look().map_err(|failure| failure.of(&self.path))
    }

    /// [`Self::look`] for what is shown.
    fn read<T>(&self, body: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Error> {
        Ok(self.look(body)?)
    }
}

/// The later of `clock_unix_ms` and the latest time written, which it becomes.
fn advance_clock(transaction: &Transaction<'_>, clock_unix_ms: u64) -> Result<u64, Failure> {
    Ok(transaction
        .prepare_cached("UPDATE clock SET unix_ms = max(unix_ms, ?1) RETURNING unix_ms")?
        .query_row([clock_unix_ms], |row| row.get(0))?)
}

/// What ends a transaction: the database's error, the account's, or another of this crate's.
enum Failure {
    Sqlite(rusqlite::Error),
    Refused(LedgerError),
    Other(Error),
}

impl Failure {
    /// The database's errors do not say which file they are about.
    fn of(self, path: &Path) -> Self {
        match self {
            Self::Sqlite(error) if error.sqlite_error_code().is_some() => Self::Refused(storage_error(&error, path)),
            // A row that cannot be read is another matter: it may be tampered with.
            other => other,
        }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        Self::Refused(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => storage_error(&error, Path::new("the ledger")),
            Failure::Refused(error) | Failure::Other(Error::Ledger(error)) => error,
            Failure::Other(error) => Self::Storage(error.to_string()),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Other(error) => error,
            failure => Self::Ledger(failure.into()),
        }
    }
}

/// A contradiction in the ledger or in what is asked of it; nobody's peer is to blame.
fn contradiction(what: &str) -> Failure {
    Failure::Refused(LedgerError::Storage(what.to_owned()))
}

/// SQLite's messages name tables, columns and files, never values.
fn storage_error(error: &rusqlite::Error, path: &Path) -> LedgerError {
    let shown = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Busy(schema::BUSY_TIMEOUT),
        _ if is_full(error) => LedgerError::Storage(format!("no space is left on the disk of {shown}")),
        _ => LedgerError::Storage(format!("{shown}: {error}")),
    }
}

/// Whether the disk is full. SQLite has another error for it where its index of the write-ahead log has to grow.
fn is_full(error: &rusqlite::Error) -> bool {
    const NO_ROOM_FOR_INDEX: i32 = rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
        || error.sqlite_error().is_some_and(|error| error.extended_code == NO_ROOM_FOR_INDEX)
}
