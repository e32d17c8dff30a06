//! The holder's ledger: what was sealed, asked, charged, delivered, refused and receipted, in SQLite.
//!
//! The file is in WAL mode with `synchronous = FULL`: what a call says is on disk when it returns. Every call is one transaction that takes
//! the write lock at its beginning, so that any number of connections and processes see one order of events. `serve` alone takes
//! [`SqliteLedger::serve_lock`]; `seal` and `ledger` read and write beside it.
//!
//! Ledger time does not run backwards: an entry bears the later of its own clock and the latest one written.

mod account;
mod epochs;
mod rows;
mod schema;
mod show;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use oblink_session::ledger::LedgerError;
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use crate::Error;
use crate::disk::{DiskLock, RealDisk, lock};

pub use rows::{DeliveryRow, EarlierSetRow, EpochEnd, EpochEntry, EpochRow, LiveFiles, ReceiptRow, RefusalRow, SessionRow, SessionState};
pub use schema::SCHEMA_VERSION;
pub use show::{DELIVERIES_MAX, REFUSALS_MAX};

/// One connection to a ledger's file.
#[derive(Debug)]
pub struct SqliteLedger {
    connection: Connection,
    path: PathBuf,
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
        Ok(Self { connection: schema::open(path)?, path: path.to_owned() })
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
            transaction
                .prepare_cached("UPDATE sessions SET state = 'suspended', changed_unix_ms = ?1 WHERE state = 'open'")?
                .execute([now])?;
            Ok(())
        })?;
        Ok(ServeLock { _lock: held })
    }

    /// One transaction that writes, with the ledger's time in it. An error of `body` undoes it.
    fn write<T>(&mut self, clock_unix_ms: u64, body: impl FnOnce(&Transaction<'_>, u64) -> Result<T, Failure>) -> Result<T, LedgerError> {
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|error| storage_error(&error))?;
        let outcome = advance_clock(&transaction, clock_unix_ms).and_then(|now| body(&transaction, now));
        match outcome {
            Ok(value) => transaction.commit().map(|()| value).map_err(|error| storage_error(&error)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// One transaction that reads: all its queries see the same state.
    fn read<T>(&self, body: impl FnOnce(&Connection) -> Result<T, Failure>) -> Result<T, Error> {
        // Unchecked because it needs no exclusive borrow; no other transaction is open, as `write` has one.
        let transaction = self.connection.unchecked_transaction().map_err(|error| storage_error(&error))?;
        body(&transaction).map_err(|failure| Error::Ledger(failure.into()))
    }
}

/// The later of `clock_unix_ms` and the latest time written, which it becomes.
fn advance_clock(transaction: &Transaction<'_>, clock_unix_ms: u64) -> Result<u64, Failure> {
    Ok(transaction
        .prepare_cached("UPDATE clock SET unix_ms = max(unix_ms, ?1) RETURNING unix_ms")?
        .query_row([clock_unix_ms], |row| row.get(0))?)
}

/// What ends a transaction: the database's error or the account's.
enum Failure {
    Sqlite(rusqlite::Error),
    Refused(LedgerError),
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

impl From<Failure> for LedgerError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Sqlite(error) => storage_error(&error),
            Failure::Refused(error) => error,
        }
    }
}

/// A contradiction in the ledger or in what is asked of it; nobody's peer is to blame.
fn contradiction(what: &str) -> Failure {
    Failure::Refused(LedgerError::Storage(what.to_owned()))
}

/// SQLite's messages name tables, columns and files, never values.
fn storage_error(error: &rusqlite::Error) -> LedgerError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => LedgerError::Busy(schema::BUSY_TIMEOUT),
        Some(ErrorCode::DiskFull) => LedgerError::Storage("no space left on the disk".to_owned()),
        _ => LedgerError::Storage(error.to_string()),
    }
}
