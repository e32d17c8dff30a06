//! The holder's ledger in a run: the real SQLite file, and what becomes of it when the process or the power goes within a transaction.
//!
//! Database and write-ahead log are copied before the connection is let go of, since closing it in order would tidy them up; what the next
//! process finds are these copies. Where the power goes, the log's last transaction is written in part, or garbled, or the pages of a checkpoint
//! have reached the database in part.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::ledger::{
    ChargeEntry, ChargeOutcome, CompletionEntry, DisclosureEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_store::Error;
use oblink_store::ledger::{ServeLock, SqliteLedger};

use super::chance::Chance;
use super::counts::Counts;
use super::oracle::Charges;

const FILE: &str = "ledger.sqlite";
/// SQLite's page size here.
const PAGE: usize = 4_096;

/// Database and log at a moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    database: Vec<u8>,
    log: Vec<u8>,
}

impl Image {
    fn of(directory: &Path) -> Self {
        let read = |name: &str| fs::read(directory.join(name)).unwrap_or_default();
        Self { database: read(FILE), log: read("ledger.sqlite-wal") }
    }

    /// Puts it in place of whatever lies there.
    fn put(&self, directory: &Path) {
        for side in ["-wal", "-shm"] {
            let _ = fs::remove_file(directory.join(format!("{FILE}{side}")));
        }
        let _ = fs::remove_file(directory.join(FILE));
        write(&directory.join(FILE), &self.database);
        if !self.log.is_empty() {
            write(&directory.join("ledger.sqlite-wal"), &self.log);
        }
    }

    /// What a loss of power within the transaction that led from `self` to `after` may leave.
    fn torn(&self, after: &Self, chance: &mut Chance) -> Self {
        if after.database != self.database {
            // A checkpoint came with it: the log is on the disk whole, the database's pages are not all.
            let mut database = after.database.clone();
            for (page, old) in database.chunks_mut(PAGE).zip(self.database.chunks(PAGE)) {
                if page.len() == old.len() && chance.one_in(2) {
                    page.copy_from_slice(old);
                }
            }
            return Self { database, log: after.log.clone() };
        }
        let same = self.log.iter().zip(&after.log).take_while(|(a, b)| a == b).count();
        let cut = same + chance.index(after.log.len() - same + 1);
        let mut log = after.log[..cut].to_vec();
        match chance.below(4) {
            // The file ends there, or was there before.
            0 => log.extend_from_slice(self.log.get(cut..).unwrap_or_default()),
            1 => log.resize(after.log.len(), 0),
            2 => log.extend((cut..after.log.len()).map(|_| chance.below(256) as u8)),
            _ => {
                // A block in the middle is missing.
                log = after.log.clone();
                let end = after.log.len().min(cut + 512);
                log[cut..end].fill(0);
            }
        }
        Self { database: after.database.clone(), log }
    }
}

fn write(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// How often writing the ledger goes wrong, in a million.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BookRates {
    /// The process dies before, within or after the transaction.
    pub(crate) dies: u64,
    /// The transaction fails as a whole.
    pub(crate) fails: u64,
}

/// What the ledger of a run outlives its processes with.
#[derive(Debug)]
pub(crate) struct Shelf {
    directory: PathBuf,
    chance: Chance,
    pub(crate) rates: BookRates,
    pub(crate) counts: Counts,
    faults_left: Arc<Mutex<u32>>,
    /// The transaction before the last one is what the disk has: what a check of the simulation itself uses.
    pub(crate) loses_the_last: bool,
}

/// The ledger in the hands of one process.
#[derive(Debug)]
pub(crate) struct Book {
    ledger: Option<SqliteLedger>,
    lock: Option<ServeLock>,
    shelf: Shelf,
    /// What the next process finds, once this one is dead.
    left: Option<Image>,
    previous: Image,
    pub(crate) charges: Charges,
}

impl Shelf {
    /// A ledger in `directory`, which holds a copy of `template`.
    pub(crate) fn new(seed: u64, directory: PathBuf, faults_left: Arc<Mutex<u32>>) -> Self {
        Self {
            directory,
            chance: Chance::new(seed, "ledger"),
            rates: BookRates::default(),
            counts: Counts::default(),
            faults_left,
            loses_the_last: false,
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.directory.join(FILE)
    }

    /// Opens it for a process, which serves from it where `serves`.
    pub(crate) fn open(self, charges: Charges, serves: bool, now: u64) -> Result<Book, (Box<Self>, Error)> {
        let path = self.path();
        let previous = if self.loses_the_last { Image::of(&self.directory) } else { Image::default() };
        let opened = SqliteLedger::open(&path).and_then(|mut ledger| {
            let lock = if serves { Some(ledger.serve_lock(now)?) } else { None };
            Ok((ledger, lock))
        });
        match opened {
            Ok((ledger, lock)) => Ok(Book { ledger: Some(ledger), lock, shelf: self, left: None, previous, charges }),
            Err(error) => Err((Box::new(self), error)),
        }
    }

    fn spend(&self) -> bool {
        let mut left = self.faults_left.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = *left > 0;
        *left = left.saturating_sub(1);
        spent
    }
}

fn dead() -> LedgerError {
    LedgerError::Storage("the process is dead".to_owned())
}

impl Book {
    /// Whether the process died within a transaction.
    pub(crate) fn is_dead(&self) -> bool {
        self.left.is_some()
    }

    /// The ledger, for what only looks.
    pub(crate) fn look(&self) -> &SqliteLedger {
        self.ledger.as_ref().unwrap()
    }

    /// The process is dead or ends: what the next one finds. `in_order` where it closed its ledger.
    pub(crate) fn close(mut self, in_order: bool) -> (Shelf, Charges) {
        let left = if in_order { None } else { Some(self.left.take().unwrap_or_else(|| Image::of(&self.shelf.directory))) };
        drop(self.lock.take());
        drop(self.ledger.take());
        if let Some(image) = left {
            image.put(&self.shelf.directory);
        }
        (self.shelf, self.charges)
    }

    /// One transaction, which may be the process's last.
    pub(crate) fn write<T, E>(&mut self, body: impl FnOnce(&mut SqliteLedger) -> Result<T, E>) -> Result<T, E>
    where
        E: From<LedgerError>,
    {
        if self.is_dead() {
            return Err(dead().into());
        }
        let drawn = self.shelf.chance.below(1_000_000);
        let BookRates { dies, fails } = self.shelf.rates;
        if (dies..dies + fails).contains(&drawn) && self.shelf.spend() {
            self.shelf.counts.add("ledger: transaction failed (disk full, or busy)", 1);
            return Err(match self.shelf.chance.below(3) {
                0 => LedgerError::Busy(std::time::Duration::from_secs(10)),
                _ => LedgerError::Storage("no space left on the disk".to_owned()),
            }
            .into());
        }
        if drawn < dies && self.shelf.spend() {
            return self.die(body);
        }
        if self.shelf.loses_the_last {
            self.previous = Image::of(&self.shelf.directory);
        }
        match &mut self.ledger {
            Some(ledger) => body(ledger),
            None => Err(dead().into()),
        }
    }

    /// The process dies before the transaction, after it and before it hears so, or the power goes within it.
    fn die<T, E>(&mut self, body: impl FnOnce(&mut SqliteLedger) -> Result<T, E>) -> Result<T, E>
    where
        E: From<LedgerError>,
    {
        let before = Image::of(&self.shelf.directory);
        if self.shelf.chance.one_in(4) {
            self.shelf.counts.add("ledger: process died before a transaction", 1);
            self.left = Some(before);
            return Err(dead().into());
        }
        let Some(ledger) = &mut self.ledger else { return Err(dead().into()) };
        let done = body(ledger);
        let after = Image::of(&self.shelf.directory);
        let image = if self.shelf.chance.one_in(3) {
            self.shelf.counts.add("ledger: process died after a transaction, before it knew", 1);
            after
        } else {
            self.shelf.counts.add("ledger: power lost within a transaction", 1);
            before.torn(&after, &mut self.shelf.chance)
        };
        self.left = Some(if self.shelf.loses_the_last { self.previous.clone() } else { image });
        done.and_then(|_| Err(dead().into()))
    }

    /// The power goes between two transactions: what is committed is there; garbage may follow it.
    pub(crate) fn lose_power(&mut self) {
        if self.is_dead() {
            return;
        }
        let mut image = Image::of(&self.shelf.directory);
        if self.shelf.chance.one_in(2) {
            let garbage = self.shelf.chance.index(3 * PAGE);
            image.log.extend((0..garbage).map(|_| self.shelf.chance.below(256) as u8));
        }
        self.left = Some(if self.shelf.loses_the_last { self.previous.clone() } else { image });
    }

    /// The file.
    pub(crate) fn path(&self) -> PathBuf {
        self.shelf.path()
    }

    fn see<T>(&mut self, body: impl FnOnce(&mut SqliteLedger) -> Result<T, LedgerError>) -> Result<T, LedgerError> {
        if self.is_dead() {
            return Err(dead());
        }
        self.ledger.as_mut().map_or_else(|| Err(dead()), body)
    }
}

impl Ledger for Book {
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        self.write(|ledger| ledger.open_session(entry))
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        let outcome = self.write(|ledger| ledger.charge(entry))?;
        self.charges.charged(entry, outcome);
        Ok(outcome)
    }

    fn complete(&mut self, entry: &CompletionEntry) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.complete(entry))
    }

    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.acknowledge(session_id, signature))
    }

    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], clock_unix_ms: u64) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.suspend(session_id, answered, clock_unix_ms))
    }

    fn head(&mut self) -> Result<LogHead, LedgerError> {
        self.see(Ledger::head)
    }

    fn root_at(&mut self, size: u64) -> Result<Option<[u8; 32]>, LedgerError> {
        self.see(|ledger| ledger.root_at(size))
    }

    fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<[u8; 32]>, LedgerError> {
        self.see(|ledger| ledger.consistency(first, second))
    }

    fn keep_head(&mut self, head: &SignedHead) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.keep_head(head))
    }

    fn disclose(&mut self, entry: &DisclosureEntry) -> Result<(), LedgerError> {
        self.write(|ledger| ledger.disclose(entry))
    }
}
