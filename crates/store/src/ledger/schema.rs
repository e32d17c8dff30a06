//! The ledger's tables and how its file is opened.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, TransactionBehavior};

use super::migration::import;
use super::storage_error;
use crate::Error;
use crate::disk::{Disk, RealDisk, directory_of};

/// The version of the tables below, in `user_version`.
pub const SCHEMA_VERSION: i64 = 4;
/// `"OBLK"`: tells a ledger from other SQLite files, in `application_id`.
const APPLICATION_ID: i64 = 0x4F42_4C4B;
/// How long a call waits for another process's transaction.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Counts are non-negative integers, identifiers and digests blobs of fixed length, times milliseconds since 1970.
const TABLES: &str = "
CREATE TABLE clock (
  only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
  unix_ms INTEGER NOT NULL CHECK (unix_ms >= 0)
) STRICT;
INSERT INTO clock (only_row, unix_ms) VALUES (1, 0);

CREATE TABLE epochs (
  epoch INTEGER PRIMARY KEY,
  epoch_id BLOB NOT NULL UNIQUE CHECK (length(epoch_id) = 16),
  verifier BLOB CHECK (length(verifier) = 32),
  suite INTEGER NOT NULL,
  tau INTEGER NOT NULL,
  tokens_per_pair INTEGER NOT NULL,
  as_of INTEGER NOT NULL,
  session_tokens_max INTEGER NOT NULL,
  declared_tags INTEGER NOT NULL,
  tags INTEGER NOT NULL,
  ruleset_digest BLOB NOT NULL CHECK (length(ruleset_digest) = 32),
  public_key BLOB NOT NULL CHECK (length(public_key) = 32),
  set_id BLOB NOT NULL CHECK (length(set_id) = 32),
  set_bytes INTEGER NOT NULL,
  records INTEGER NOT NULL CHECK (records >= 0),
  rejected INTEGER NOT NULL CHECK (rejected >= 0),
  input_digest BLOB CHECK (length(input_digest) = 32),
  begun_unix_ms INTEGER NOT NULL,
  ended_unix_ms INTEGER,
  end_reason TEXT,
  CHECK ((ended_unix_ms IS NULL) = (end_reason IS NULL))
) STRICT;
-- One current epoch for each verifier, and one for whoever comes first.
CREATE UNIQUE INDEX epochs_current ON epochs (ifnull(verifier, x'')) WHERE ended_unix_ms IS NULL;

CREATE TABLE sessions (
  session INTEGER PRIMARY KEY,
  session_id BLOB NOT NULL UNIQUE CHECK (length(session_id) = 16),
  request_id BLOB NOT NULL CHECK (length(request_id) = 16),
  request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
  request BLOB NOT NULL,
  epoch INTEGER NOT NULL REFERENCES epochs (epoch),
  verifier BLOB NOT NULL CHECK (length(verifier) = 32),
  verifier_certificate BLOB NOT NULL CHECK (length(verifier_certificate) = 136),
  offered BLOB NOT NULL,
  verifier_nonce BLOB NOT NULL CHECK (length(verifier_nonce) = 32),
  holder_nonce BLOB NOT NULL CHECK (length(holder_nonce) = 32),
  pairs INTEGER NOT NULL CHECK (pairs > 0),
  tokens INTEGER NOT NULL CHECK (tokens > 0),
  batches INTEGER NOT NULL CHECK (batches > 0),
  state TEXT NOT NULL CHECK (state IN ('open', 'suspended', 'complete')),
  charged_tokens INTEGER NOT NULL DEFAULT 0 CHECK (charged_tokens BETWEEN 0 AND tokens),
  charged_batches INTEGER NOT NULL DEFAULT 0 CHECK (charged_batches BETWEEN 0 AND batches),
  opened_unix_ms INTEGER NOT NULL,
  changed_unix_ms INTEGER NOT NULL,
  -- The sealed set that it was opened with: an epoch that keeps its key may have another since.
  set_id BLOB CHECK (length(set_id) = 32),
  -- Each verifier chooses its identifiers by itself: one must not be able to take another's.
  UNIQUE (verifier, request_id)
) STRICT;
CREATE INDEX sessions_epoch ON sessions (epoch, state);

CREATE TABLE charges (
  session INTEGER NOT NULL REFERENCES sessions (session),
  batch INTEGER NOT NULL CHECK (batch >= 0),
  tokens INTEGER NOT NULL CHECK (tokens > 0),
  blinded_digest BLOB NOT NULL CHECK (length(blinded_digest) = 32),
  statement BLOB NOT NULL CHECK (length(statement) = 64),
  evaluated_digest BLOB CHECK (length(evaluated_digest) = 32),
  repeats INTEGER NOT NULL DEFAULT 0 CHECK (repeats >= 0),
  charged_unix_ms INTEGER NOT NULL,
  PRIMARY KEY (session, batch)
) STRICT, WITHOUT ROWID;

CREATE TABLE receipts (
  session INTEGER PRIMARY KEY REFERENCES sessions (session),
  body BLOB NOT NULL,
  holder_signature BLOB NOT NULL CHECK (length(holder_signature) = 64),
  holder_certificate BLOB NOT NULL CHECK (length(holder_certificate) = 136),
  verifier_signature BLOB CHECK (length(verifier_signature) = 64),
  completed_unix_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE deliveries (
  delivery INTEGER PRIMARY KEY,
  session INTEGER NOT NULL REFERENCES sessions (session),
  set_id BLOB NOT NULL CHECK (length(set_id) = 32),
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  delivered_unix_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX deliveries_session ON deliveries (session);

CREATE TABLE refusals (
  refusal INTEGER PRIMARY KEY,
  verifier BLOB CHECK (length(verifier) = 32),
  code INTEGER NOT NULL,
  detail TEXT NOT NULL,
  count INTEGER NOT NULL DEFAULT 1 CHECK (count > 0),
  first_unix_ms INTEGER NOT NULL,
  refused_unix_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX refusals_verifier ON refusals (verifier, refused_unix_ms);
";

/// Since version 3.
const EARLIER_SETS: &str = "
-- Sets that another of the same epoch took the place of. The one in its place is in the epoch's own row.
CREATE TABLE earlier_sets (
  earlier_set INTEGER PRIMARY KEY,
  epoch INTEGER NOT NULL REFERENCES epochs (epoch),
  as_of INTEGER NOT NULL,
  tags INTEGER NOT NULL,
  set_id BLOB NOT NULL CHECK (length(set_id) = 32),
  set_bytes INTEGER NOT NULL,
  records INTEGER NOT NULL CHECK (records >= 0),
  rejected INTEGER NOT NULL CHECK (rejected >= 0),
  input_digest BLOB CHECK (length(input_digest) = 32),
  sealed_unix_ms INTEGER NOT NULL,
  replaced_unix_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX earlier_sets_epoch ON earlier_sets (epoch);
";

/// From version 2, under which an epoch had one set, to version 3, without [`EARLIER_SETS`].
const FROM_2: &str = "
ALTER TABLE sessions ADD COLUMN set_id BLOB CHECK (length(set_id) = 32);
UPDATE sessions SET set_id = (SELECT e.set_id FROM epochs e WHERE e.epoch = sessions.epoch);
";

/// Since version 4: the log, and what policies, officials and disclosures need. A new file gets it as an older one does.
///
/// `entry` is the number of the log's entry that tells of the row; rows that an older ledger brought have none.
const LOG: &str = "
CREATE TABLE log (
  seq INTEGER PRIMARY KEY CHECK (seq >= 0),
  kind INTEGER NOT NULL,
  unix_ms INTEGER NOT NULL CHECK (unix_ms >= 0),
  party BLOB NOT NULL CHECK (length(party) = 32),
  body BLOB NOT NULL,
  nodes BLOB NOT NULL CHECK (length(nodes) >= 32 AND length(nodes) % 32 = 0)
) STRICT;
CREATE TRIGGER log_stays BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;

CREATE TABLE heads (
  size INTEGER PRIMARY KEY CHECK (size >= 0),
  root BLOB NOT NULL CHECK (length(root) = 32),
  unix_ms INTEGER NOT NULL,
  signature BLOB NOT NULL CHECK (length(signature) = 64)
) STRICT;
CREATE TRIGGER heads_stay BEFORE UPDATE ON heads BEGIN SELECT RAISE(ABORT, 'heads stay'); END;
CREATE TRIGGER heads_keep BEFORE DELETE ON heads BEGIN SELECT RAISE(ABORT, 'heads stay'); END;

ALTER TABLE epochs ADD COLUMN ends_unix_ms INTEGER;
ALTER TABLE epochs ADD COLUMN evaluations_max INTEGER CHECK (evaluations_max > 0);
ALTER TABLE epochs ADD COLUMN closing_unix_ms INTEGER;
ALTER TABLE epochs ADD COLUMN closing_reason TEXT;
ALTER TABLE epochs ADD COLUMN grace_until_unix_ms INTEGER;

ALTER TABLE sessions ADD COLUMN policy BLOB CHECK (length(policy) = 32);
ALTER TABLE sessions ADD COLUMN disclosure TEXT NOT NULL DEFAULT 'none' CHECK (disclosure IN ('none', 'count', 'matched_tags'));
ALTER TABLE sessions ADD COLUMN resumes INTEGER NOT NULL DEFAULT 0 CHECK (resumes >= 0);
ALTER TABLE sessions ADD COLUMN entry INTEGER;

-- The full reason, which stays here; of rows that an older ledger brought nothing.
ALTER TABLE refusals ADD COLUMN reason TEXT NOT NULL DEFAULT '';

ALTER TABLE charges ADD COLUMN entry INTEGER;
CREATE TRIGGER charges_stay BEFORE UPDATE OF session, batch, tokens, blinded_digest, statement, charged_unix_ms, entry ON charges
  BEGIN SELECT RAISE(ABORT, 'a charge stays'); END;
CREATE TRIGGER answers_stay BEFORE UPDATE OF evaluated_digest ON charges
  WHEN OLD.evaluated_digest IS NOT NULL AND OLD.evaluated_digest IS NOT NEW.evaluated_digest
  BEGIN SELECT RAISE(ABORT, 'an answer stays'); END;
CREATE TRIGGER charges_keep BEFORE DELETE ON charges BEGIN SELECT RAISE(ABORT, 'a charge stays'); END;

ALTER TABLE deliveries ADD COLUMN entry INTEGER;
ALTER TABLE earlier_sets ADD COLUMN entry INTEGER;

-- The last of them is in force; the texts are in the log.
CREATE TABLE policies (
  entry INTEGER PRIMARY KEY,
  digest BLOB NOT NULL CHECK (length(digest) = 32)
) STRICT;

-- Proposals that were applied: each is good once.
CREATE TABLE proposals (
  digest BLOB PRIMARY KEY CHECK (length(digest) = 32),
  entry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE suspensions (
  entry INTEGER PRIMARY KEY,
  -- Zeros: all verifiers.
  scope BLOB NOT NULL CHECK (length(scope) = 32),
  reason TEXT NOT NULL,
  operator TEXT NOT NULL,
  suspended_unix_ms INTEGER NOT NULL,
  resumed_entry INTEGER,
  resumed_unix_ms INTEGER,
  CHECK ((resumed_entry IS NULL) = (resumed_unix_ms IS NULL))
) STRICT;
CREATE INDEX suspensions_current ON suspensions (scope) WHERE resumed_entry IS NULL;

CREATE TABLE denials (
  request_digest BLOB PRIMARY KEY CHECK (length(request_digest) = 32),
  verifier BLOB NOT NULL CHECK (length(verifier) = 32),
  reason TEXT NOT NULL,
  operator TEXT NOT NULL,
  denied_unix_ms INTEGER NOT NULL,
  entry INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE countersignatures (
  entry INTEGER PRIMARY KEY,
  request_digest BLOB NOT NULL CHECK (length(request_digest) = 32),
  signature TEXT NOT NULL,
  principal TEXT NOT NULL,
  key TEXT NOT NULL,
  signed_unix_ms INTEGER NOT NULL,
  UNIQUE (request_digest, key)
) STRICT;

CREATE TABLE disclosures (
  session INTEGER PRIMARY KEY REFERENCES sessions (session),
  kind TEXT NOT NULL CHECK (kind IN ('count', 'matched_tags')),
  matched INTEGER NOT NULL CHECK (matched >= 0),
  tags_digest BLOB NOT NULL CHECK (length(tags_digest) = 32),
  signature BLOB NOT NULL CHECK (length(signature) = 64),
  disclosed_unix_ms INTEGER NOT NULL,
  entry INTEGER NOT NULL
) STRICT;

-- The tags of a disclosure, ascending, 16 bytes each.
CREATE TABLE disclosed_tags (
  session INTEGER NOT NULL REFERENCES disclosures (session),
  part INTEGER NOT NULL,
  tags BLOB NOT NULL CHECK (length(tags) % 16 = 0),
  PRIMARY KEY (session, part)
) STRICT;

CREATE TABLE bookings (
  session INTEGER PRIMARY KEY REFERENCES sessions (session),
  salt BLOB NOT NULL CHECK (length(salt) = 32),
  records INTEGER NOT NULL CHECK (records >= 0),
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  operator TEXT NOT NULL,
  booked_unix_ms INTEGER NOT NULL,
  entry INTEGER NOT NULL
) STRICT;

CREATE TABLE disclosed_records (
  session INTEGER NOT NULL REFERENCES bookings (session),
  record_id TEXT NOT NULL,
  PRIMARY KEY (session, record_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX disclosed_records_id ON disclosed_records (record_id);
";

/// The tables of a new ledger, in memory and empty.
pub(crate) fn fresh() -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open_in_memory()?;
    [TABLES, EARLIER_SETS, LOG].into_iter().try_for_each(|tables| connection.execute_batch(tables))?;
    Ok(connection)
}

/// Opens the ledger's file, which is created (0600) with its tables where it is missing; one of version 2 or 3 is brought up.
pub(crate) fn open(path: &Path) -> Result<Connection, Error> {
    // Never opened here once it exists: closing any descriptor of a file gives up all of the process's locks on it (POSIX), those of
    // another connection's SQLite among them, and whoever comes next takes the write-ahead log away from under it.
    let failed = |error| Error::disk("opening the ledger", path, error);
    // SQLite gives its side files the mode of this one.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let mode = fs::metadata(path).map_err(failed)?.permissions().mode();
            if mode & 0o077 != 0 {
                fs::set_permissions(path, PermissionsExt::from_mode(0o600)).map_err(|error| Error::disk("making private", path, error))?;
            }
        }
        Err(error) => return Err(failed(error)),
    }
    RealDisk.sync_dir(directory_of(path)).map_err(|error| Error::disk("syncing the directory of", path, error))?;
    prepare(path)
}

/// Device and inode of the file that has a connection's name; `None` where there is none. What is written to a file that was removed or replaced
/// is lost with it.
pub(crate) fn file(connection: &Connection) -> Option<(u64, u64)> {
    fs::symlink_metadata(connection.path()?).ok().map(|file| (file.dev(), file.ino()))
}

/// Device and inode of the write-ahead log beside a connection's file; `None` where there is none.
///
/// While a connection that has read is open, SQLite neither removes the log nor makes another: one that is gone, or another, is the work of a
/// program that does not keep SQLite's locks.
pub(crate) fn write_ahead_log(connection: &Connection) -> Option<(u64, u64)> {
    // SQLite's own, absolute path: the one that was given may be relative to a directory that is no longer the process's.
    let mut name = OsString::from(connection.path()?);
    name.push("-wal");
    fs::symlink_metadata(name).ok().map(|file| (file.dev(), file.ino()))
}

fn prepare(path: &Path) -> Result<Connection, Error> {
    let failed = |error| open_error(path, &error);
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    // fullfsync: on systems where fsync alone does not reach the platter.
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA fullfsync = ON;
             PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
        )
        .map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(128);
    // Two processes may meet a new file at once: the second finds the first one's tables.
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let pragma = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(failed);
    let (version, application) = (pragma("user_version")?, pragma("application_id")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(failed)?;
    if (version, application, tables) == (0, 0, 0) {
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction.execute_batch(EARLIER_SETS).map_err(failed)?;
        transaction.execute_batch(LOG).map_err(failed)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    } else if application != APPLICATION_ID {
        return Err(Error::LedgerDamaged { path: path.display().to_string(), detail: "another program's database".to_owned() });
    } else if version == 2 || version == 3 {
        if version == 2 {
            transaction.execute_batch(FROM_2).map_err(failed)?;
            transaction.execute_batch(EARLIER_SETS).map_err(failed)?;
        }
        transaction.execute_batch(LOG).map_err(failed)?;
        import(&transaction)?;
    } else if version != SCHEMA_VERSION {
        return Err(Error::LedgerVersion { path: path.display().to_string(), found: version, supported: SCHEMA_VERSION });
    }
    if version != SCHEMA_VERSION {
        transaction.pragma_update(None, "user_version", SCHEMA_VERSION).map_err(failed)?;
    }
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

/// An error of opening: a file that is no database is told from a disk that fails.
fn open_error(path: &Path, error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            Error::LedgerDamaged { path: path.display().to_string(), detail: error.to_string() }
        }
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => {
            Error::disk("opening the ledger", path, std::io::Error::new(std::io::ErrorKind::PermissionDenied, error.to_string()))
        }
        _ if super::is_full(error) => Error::NoSpace { context: format!("opening the ledger {}", path.display()) },
        _ => Error::Ledger(storage_error(error, path)),
    }
}

/// A ledger's tables as versions 2 and 3 had them, for tests of what becomes of them.
#[cfg(test)]
pub(crate) fn create_version(path: &Path, version: i64) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.execute_batch(TABLES).unwrap();
    if version == 2 {
        connection.execute_batch("ALTER TABLE sessions DROP COLUMN set_id").unwrap();
    } else {
        connection.execute_batch(EARLIER_SETS).unwrap();
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    connection.pragma_update(None, "user_version", version).unwrap();
    connection
}
