//! What a verifier keeps of a run until its results are written, so that the run goes on where it was after any death (SPEC §6.7).
//!
//! A directory (0700) of files (0600), each through [`Disk`]:
//!
//! ```text
//! lock       held while a run is at work on it
//! run        what the run is of, its seed and its Hello: written before the first Hello
//! session    the session as it was at the first Welcome; or that it is over, while the rest is removed
//! batches    verified batches with their tags, appended as they come
//! receipt    the holder's receipt, with the state that takes it: written before results
//! set        the set that it is of, by a second name, where the file system has that
//! ```
//! Of these, `batches` alone is written in place: its records are chained by digests, and those that hold are written anew when it is opened. What
//! is lost of it is asked again, for nothing (SPEC BAT-3). The others are replaced whole, and end in a digest.
//!
//! **Secrets.** `run` holds the seed of an unsigned run, `batches` the tags of the list under the epoch's key. Whoever has the seed and the wire, or the
//! tags and the sealed set, can test guesses at rows, or see which of them matched.

mod batches;
mod run;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::tag::Tag;
use oblink_session::verifier::KeptBatch;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::Error;
use crate::disk::{Disk, DiskFile, DiskLock, RemoveOnDrop, check_private, directory_of, lock, sweep};
use batches::BatchLog;

pub use batches::Reopened;
pub use run::{KeptReceipt, Run};

/// The version of every file here.
const VERSION: u8 = 1;
/// The name under which the sealed set of a receipt may be kept here too, lest another run take it away with its epoch.
const SET: &str = "set";
/// Bytes of the digest that ends a file.
const DIGEST_BYTES: usize = 32;
/// The most bytes of `run`: a request, a saved handshake with it, and digests.
const RUN_BYTES_MAX: u64 = 1 << 18;
/// The most bytes of a saved session, and of a receipt with one; as session's own limit, and some.
const SESSION_BYTES_MAX: u64 = (1 << 27) + (1 << 16);

/// Which file: the byte after the version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Run = 1,
    Session = 2,
    Receipt = 3,
    /// In the place of a session that is over, while the rest of it is removed.
    Over = 4,
}

/// Why a file of a checkpoint cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointFault {
    /// Another version of this program wrote it.
    #[error("another version of oblink wrote it (format {found}, this one reads {VERSION})")]
    Version {
        /// The version in the file.
        found: u8,
    },
    /// It is not what was written.
    #[error("it is damaged")]
    Damaged,
}

/// What there is of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptSession {
    /// Nothing: no Welcome was ever kept.
    None,
    /// There was a Welcome, and what was kept of it is damaged: the same Hello brings it again.
    Damaged,
    /// What session saved.
    Saved(Vec<u8>),
}

/// The checkpoint of one run, locked.
#[derive(Debug)]
pub struct Checkpoint {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    log: Option<BatchLog>,
    finished: bool,
    _lock: Box<dyn DiskLock>,
}

impl Drop for Checkpoint {
    /// Where nothing was begun, no trace of it stays.
    fn drop(&mut self) {
        let unbegun = matches!(self.has("run"), Ok(false));
        // The directory of a run that is over may be another's by now.
        if unbegun && !self.finished {
            let _ = self.disk.remove(&self.path("lock"));
            let _ = self.disk.remove_dir(&self.dir);
        }
    }
}

impl Checkpoint {
    /// Opens the checkpoint in `dir`, which is made (0700) where it is missing, locks it, and removes what a killed run left of files in the making.
    ///
    /// # Errors
    /// [`Error::InUse`] where another run is at work on it; [`Error::Disk`], [`Error::NoSpace`].
    pub fn open(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, Error> {
        let mut tries = 0;
        let lock = loop {
            disk.create_dir(dir).map_err(|error| Error::disk("creating the directory", dir, error))?;
            match lock(&*disk, &dir.join("lock"), dir) {
                // A run that has just finished may remove the directory in between.
                Err(error) if error.io_kind() == Some(io::ErrorKind::NotFound) && tries < 8 => tries += 1,
                taken => break taken?,
            }
        };
        sweep(&*disk, dir, ".", ".tmp")?;
        // One that failed or was killed may have left names here, and this directory's own, to chance: what is found is used, so it must be there to stay.
        for synced in [dir, directory_of(dir)] {
            sync_names(&*disk, synced)?;
        }
        Ok(Self { disk, dir: dir.to_owned(), log: None, finished: false, _lock: lock })
    }

    /// The directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What the run is of; `None` where there is no run.
    ///
    /// # Errors
    /// [`Error::Checkpoint`]: another version's, or damaged; [`Error::Exposed`]; [`Error::Disk`].
    pub fn read_run(&self) -> Result<Option<Run>, Error> {
        let path = self.path("run");
        let Some(bytes) = self.read(&path, RUN_BYTES_MAX)? else { return Ok(None) };
        let parsed = body_of(&bytes, Kind::Run).and_then(|body| Run::from_body(body).ok_or(CheckpointFault::Damaged));
        parsed.map(Some).map_err(|fault| fault_in(&path, fault))
    }

    /// Begins a run: what there was of another is removed, and `run` is durable.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`].
    pub fn begin(&mut self, run: &Run) -> Result<(), Error> {
        self.forget()?;
        self.write(&self.path("run"), Kind::Run, &run.to_body()?)
    }

    /// Removes everything but `run`.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn forget(&mut self) -> Result<(), Error> {
        self.log = None;
        // First it is said, durably, that this session is over: without it the rest counts for nothing, and batches without one are of a session that was
        // lost.
        if !matches!(self.has("session"), Ok(false)) {
            match self.write(&self.path("session"), Kind::Over, b"") {
                Err(Error::NoSpace { .. }) => {
                    self.remove("session")?;
                    sync_names(&*self.disk, &self.dir)?;
                }
                written => written?,
            }
        }
        self.forget_rest()
    }

    fn forget_rest(&self) -> Result<(), Error> {
        for names in [&["receipt", "batches", SET][..], &["session"]] {
            names.iter().try_for_each(|name| self.remove(name))?;
            sync_names(&*self.disk, &self.dir)?;
        }
        Ok(())
    }

    /// What was kept of the session.
    ///
    /// # Errors
    /// [`Error::Checkpoint`]: another version's; [`Error::Exposed`]; [`Error::Disk`].
    pub fn read_session(&self) -> Result<KeptSession, Error> {
        let path = self.path("session");
        let Some(bytes) = self.read(&path, SESSION_BYTES_MAX)? else { return Ok(KeptSession::None) };
        if body_of(&bytes, Kind::Over).is_ok() {
            // Whoever was removing it did not come to the end.
            self.forget_rest()?;
            return Ok(KeptSession::None);
        }
        match body_of(&bytes, Kind::Session) {
            Ok(body) => Ok(KeptSession::Saved(body.to_vec())),
            Err(CheckpointFault::Damaged) => Ok(KeptSession::Damaged),
            Err(fault) => Err(fault_in(&path, fault)),
        }
    }

    /// Where the set of the receipt may be kept: as a second name of the file, which goes with the run. It is no part of what is read here.
    #[must_use]
    pub fn set(&self) -> PathBuf {
        self.path(SET)
    }

    /// Whether batches were ever kept: never before a session was.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn has_batches(&self) -> Result<bool, Error> {
        self.has("batches")
    }

    fn has(&self, name: &str) -> Result<bool, Error> {
        let path = self.path(name);
        match self.disk.open(&path) {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Error::disk("opening", &path, error)),
        }
    }

    /// Keeps the session, as it saves itself at the first Welcome. It is durable when this returns: before the first batch is sent.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`].
    pub fn keep_session(&self, saved: &[u8]) -> Result<(), Error> {
        self.write(&self.path("session"), Kind::Session, saved)
    }

    /// Opens the batches of a session, or begins with none, and hands each that holds to `take`, in the order in which they were appended, with its tags in
    /// the order of its tokens. A tag has `tag_bytes` bytes (1 to 16). Call it once a run, before [`Self::append`].
    ///
    /// What holds is written to a new file, durably: what an earlier process wrote and could not sync may be in the system's memory alone, and stay there
    /// whatever is synced later. What does not hold, and batches of another session, are thrown away.
    ///
    /// # Errors
    /// [`Error::Checkpoint`]: another version's; [`Error::Exposed`]; [`Error::Disk`], [`Error::NoSpace`].
    pub fn open_batches(&mut self, session_id: &[u8; 16], tag_bytes: u8, take: impl FnMut(KeptBatch, Vec<Tag>)) -> Result<Reopened, Error> {
        self.log = None;
        let path = self.path("batches");
        let (log, reopened) = BatchLog::open(&*self.disk, &path, session_id, tag_bytes, take)?;
        self.log = Some(log);
        Ok(reopened)
    }

    /// Appends a verified batch with its tags, one for each of its tokens in order. A batch that is there already is not appended again. It is durable
    /// after [`Self::sync`].
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`]: then the batch is not there; [`Error::Parameters`]: [`Self::open_batches`] was not called, or there are not as many
    /// tags as tokens.
    pub fn append(&mut self, batch: &KeptBatch, tags: &[Tag]) -> Result<(), Error> {
        self.log.as_mut().ok_or(Error::Parameters("no batches are open"))?.append(batch, tags)
    }

    /// Makes the batches appended so far durable.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`].
    pub fn sync(&mut self) -> Result<(), Error> {
        self.log.as_mut().map_or(Ok(()), BatchLog::sync)
    }

    /// The receipt that was kept; `None` also where it is damaged or another version's: the holder gives it again (SPEC END-4).
    ///
    /// # Errors
    /// [`Error::Exposed`]; [`Error::Disk`].
    pub fn read_receipt(&self) -> Result<Option<KeptReceipt>, Error> {
        let bytes = self.read(&self.path("receipt"), SESSION_BYTES_MAX)?;
        Ok(bytes.as_ref().and_then(|bytes| body_of(bytes, Kind::Receipt).ok()).and_then(KeptReceipt::from_body))
    }

    /// Keeps the receipt as it came. It is durable when this returns: before results are written.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`].
    pub fn keep_receipt(&self, receipt: &KeptReceipt) -> Result<(), Error> {
        self.write(&self.path("receipt"), Kind::Receipt, &receipt.to_body()?)
    }

    /// The run is over: everything goes, the directory too; under `keep_run`, everything but `run`, whose Hello is the only one that its request will
    /// ever have.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn finish(mut self, keep_run: bool) -> Result<(), Error> {
        self.forget()?;
        if !keep_run {
            self.remove("run")?;
        }
        self.finished = true;
        self.remove("lock")?;
        if !keep_run {
            // Not where somebody is about to begin the next run in it.
            let _ = self.disk.remove_dir(&self.dir);
        }
        Ok(())
    }

    fn remove(&self, name: &str) -> Result<(), Error> {
        let path = self.path(name);
        match self.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::disk("removing", &path, error)),
            _ => Ok(()),
        }
    }

    fn read(&self, path: &Path, max: u64) -> Result<Option<Zeroizing<Vec<u8>>>, Error> {
        let reading = |error| Error::disk("reading", path, error);
        let file = match self.disk.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(reading)?,
        };
        check_private(&*file, path)?;
        let length = file.length().map_err(reading)?;
        if length > max {
            return Err(fault_in(path, CheckpointFault::Damaged));
        }
        let mut bytes = Zeroizing::new(vec![0; usize::try_from(length).unwrap_or(0)]);
        let read = batches::read_up_to(&*file, 0, &mut bytes).map_err(reading)?;
        bytes.truncate(read);
        Ok(Some(bytes))
    }

    /// Writes a file whole or not at all. In one piece: no buffer keeps a copy of a seed.
    fn write(&self, path: &Path, kind: Kind, body: &[u8]) -> Result<(), Error> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(2 + body.len() + DIGEST_BYTES));
        bytes.extend_from_slice(&[VERSION, kind as u8]);
        bytes.extend_from_slice(body);
        let digest = Sha256::digest(&bytes[..]);
        bytes.extend_from_slice(&digest);
        let (file, making) = Making::begin(&*self.disk, path)?;
        file.write_all_at(0, &bytes).map_err(|error| Error::disk("writing", path, error))?;
        making.finish(&*file)
    }
}

/// A file in the making, which takes the place of another once it is whole, or goes.
struct Making<'a> {
    disk: &'a dyn Disk,
    path: &'a Path,
    temporary: PathBuf,
    removal: RemoveOnDrop<'a>,
}

impl<'a> Making<'a> {
    fn begin(disk: &'a dyn Disk, path: &'a Path) -> Result<(Box<dyn DiskFile>, Self), Error> {
        // Nobody else makes files here: the directory is locked, and was swept.
        let temporary = directory_of(path).join(format!(".{}.tmp", path.file_name().unwrap_or_default().to_string_lossy()));
        let _ = disk.remove(&temporary);
        let file = disk.create(&temporary).map_err(|error| Error::disk("writing", path, error))?;
        let removal = RemoveOnDrop::new(disk, temporary.clone());
        Ok((file, Self { disk, path, temporary, removal }))
    }

    /// Makes the file durable, and then its name.
    fn finish(self, file: &dyn DiskFile) -> Result<(), Error> {
        let Self { disk, path, temporary, removal } = self;
        let writing = |error| Error::disk("writing", path, error);
        file.sync().map_err(writing)?;
        disk.rename(&temporary, path).map_err(writing)?;
        removal.keep();
        sync_names(disk, directory_of(path))
    }
}

/// Makes the names in a directory durable.
fn sync_names(disk: &dyn Disk, dir: &Path) -> Result<(), Error> {
    disk.sync_dir(dir).map_err(|error| Error::disk("syncing the directory", dir, error))
}

fn fault_in(path: &Path, fault: CheckpointFault) -> Error {
    Error::Checkpoint { path: path.display().to_string(), fault }
}

/// What lies between a file's first two bytes and its digest.
fn body_of(bytes: &[u8], kind: Kind) -> Result<&[u8], CheckpointFault> {
    // The digest first: a damaged version byte is damage. A later version may end otherwise, so its word is taken where nothing else can be.
    let whole = bytes.split_last_chunk::<DIGEST_BYTES>().filter(|(body, digest)| Sha256::digest(body)[..] == digest[..]);
    match (whole, bytes.first()) {
        (Some(([VERSION, of, body @ ..], _)), _) if *of == kind as u8 => Ok(body),
        (Some(_), Some(&found)) if found != VERSION => Err(CheckpointFault::Version { found }),
        _ => Err(CheckpointFault::Damaged),
    }
}

/// Indexes of batches.
type Indexes = BTreeSet<u64>;
