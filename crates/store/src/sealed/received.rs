//! A set on its way from the holder: written down as it comes, believed only when it is whole (SPEC SET-7).

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::set::SetOffer;

use super::header::set_bytes_bounds;
use super::reader::{Origin, SetReader, check_against};
use super::verified::VerifiedSet;
use super::{lower_hex, set_path};
use crate::disk::{Cursor, Disk, DiskFile, DiskLock, directory_of, lock};
use crate::{Error, SetFault};

/// Ends the name of a set that is not whole yet.
const PART_SUFFIX: &str = ".part";
/// Ends the name of its lock, which begins with a dot.
const LOCK_SUFFIX: &str = ".lock";

/// A set that is being received into `DIR/SETID.part` (0600).
///
/// What has arrived stays there when the value is dropped or the process dies, and the next [`ReceivedSet::begin`] goes on from it.
#[derive(Debug)]
pub struct ReceivedSet {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    part: PathBuf,
    file: Box<dyn DiskFile>,
    offer: SetOffer,
    length: u64,
    /// Bytes that an earlier process left: what the disk kept of them is not the holder's fault.
    resumed: bool,
    _lock: Box<dyn DiskLock>,
}

/// Where what has arrived of a set is kept until it is whole.
#[must_use]
pub fn part_path(dir: &Path, set_id: &[u8; 32]) -> PathBuf {
    dir.join(format!("{}{PART_SUFFIX}", lower_hex(set_id)))
}

/// Held by whoever receives the set of this id, in hex.
fn lock_path(dir: &Path, id: &str) -> PathBuf {
    dir.join(format!(".{id}{LOCK_SUFFIX}"))
}

/// Removes all sets but one from `dir`, parts too: those of epochs that have ended. What another process is at work with stays.
///
/// # Errors
/// [`Error::Disk`]: the first that could not be removed; the others are.
pub fn forget_other_sets(disk: &dyn Disk, dir: &Path, keep: &[u8; 32]) -> Result<(), Error> {
    let keep = lower_hex(keep);
    let mut outcome = Ok(());
    for name in disk.list(dir).map_err(|error| Error::disk("listing", dir, error))? {
        let Some(name) = name.to_str().filter(|name| !name.contains(&keep)) else { continue };
        // A part and its lock go together, by whoever has the lock.
        let id = name.strip_suffix(PART_SUFFIX).or_else(|| name.strip_prefix('.')?.strip_suffix(LOCK_SUFFIX));
        let (held, gone) = match id {
            None => (None, vec![dir.join(name)]),
            Some(id) => {
                let Ok(held) = disk.lock(&lock_path(dir, id)) else { continue };
                (Some(held), vec![dir.join(format!("{id}{PART_SUFFIX}")), lock_path(dir, id)])
            }
        };
        for path in gone {
            match disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => outcome = outcome.and(Err(Error::disk("removing", &path, error))),
                _ => {}
            }
        }
        drop(held);
    }
    outcome
}

impl ReceivedSet {
    /// Begins to receive the offered set into `dir` (created, 0700, where it is missing), or goes on with what an earlier try received.
    ///
    /// # Errors
    /// [`Error::PeerSet`] where no set can be as the offer says; [`Error::InUse`] where another process receives the same set;
    /// [`Error::Disk`], [`Error::NoSpace`].
    pub fn begin(disk: Arc<dyn Disk>, dir: &Path, offer: &SetOffer) -> Result<Self, Error> {
        let (least, most) = set_bytes_bounds(&offer.descriptor).ok_or(Error::PeerSet(SetFault::Offer("its parameters")))?;
        if offer.set_bytes < least || offer.set_bytes > most {
            return Err(Error::PeerSet(SetFault::Offer("set_bytes")));
        }
        disk.create_dir(dir).map_err(|error| Error::disk("creating the directory", dir, error))?;
        let part = part_path(dir, &offer.set_id);
        let held = lock(&*disk, &lock_path(dir, &lower_hex(&offer.set_id)), &part)?;
        let file = match disk.open_write(&part) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(&part),
            opened => opened,
        }
        .map_err(|error| Error::disk("opening", &part, error))?;
        let length = file.length().map_err(|error| Error::disk("reading the length of", &part, error))?;
        let mut received = Self { disk, dir: dir.to_owned(), part, file, offer: offer.clone(), length, resumed: length > 0, _lock: held };
        if length > offer.set_bytes {
            received.restart()?;
        }
        Ok(received)
    }

    /// Bytes received: the offset to ask for next.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether as many bytes have arrived as were offered.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.length == self.offer.set_bytes
    }

    /// Writes down a chunk. (Not fsynced yet: [`Self::verify`] does that.)
    ///
    /// # Errors
    /// [`Error::PeerSet`] where `offset` is not [`Self::length`] or the chunk reaches beyond the set; [`Error::Disk`], [`Error::NoSpace`].
    pub fn append(&mut self, offset: u64, bytes: &[u8]) -> Result<(), Error> {
        let end = offset.checked_add(bytes.len() as u64);
        match end {
            Some(end) if offset == self.length && end <= self.offer.set_bytes => {
                self.file.write_all_at(offset, bytes).map_err(|error| Error::disk("writing", &self.part, error))?;
                self.length = end;
                Ok(())
            }
            _ => Err(Error::PeerSet(SetFault::Chunk { offset, bytes: bytes.len() as u64, due: self.length })),
        }
    }

    /// Forgets what was received.
    ///
    /// # Errors
    /// [`Error::Disk`].
    pub fn restart(&mut self) -> Result<(), Error> {
        self.file.set_length(0).map_err(|error| Error::disk("emptying", &self.part, error))?;
        self.length = 0;
        self.resumed = false;
        Ok(())
    }

    /// Reads all of it once: length, SetId, header against the offer in every field, every block (SPEC SET-4, SET-7); then fsyncs it and
    /// gives it its name, [`set_path`].
    ///
    /// What fails is removed.
    ///
    /// # Errors
    /// [`Error::PeerSet`] where the holder sent anything else than it offered; [`Error::Corrupt`] in its place where a part of it was
    /// received by an earlier process (then the disk may have lost it: fetch it again); [`Error::Disk`], [`Error::NoSpace`].
    pub fn verify(self) -> Result<VerifiedSet, Error> {
        let origin = if self.resumed { Origin::Own(self.part.clone()) } else { Origin::Peer };
        let checked = if self.is_complete() {
            SetReader::new(Cursor::new(&*self.file), origin).and_then(|reader| check_against(reader, &self.offer))
        } else {
            Err(origin.error(SetFault::Length { found: self.length, due: self.offer.set_bytes }))
        };
        if let Err(error) = checked {
            if matches!(error, Error::PeerSet(_) | Error::Corrupt { .. }) {
                let removed = self.disk.remove(&self.part);
                // What stays would be found damaged again. But nothing is worse than what a holder sent wrong.
                if let (Err(failed), Error::Corrupt { .. }) = (removed, &error) {
                    return Err(Error::disk("removing", &self.part, failed));
                }
            }
            return Err(error);
        }
        if let Err(error) = self.file.sync() {
            // A later sync would say nothing of what this one was to write.
            let _ = self.disk.remove(&self.part);
            return Err(Error::disk("writing", &self.part, error));
        }
        let path = set_path(&self.dir, &self.offer.set_id);
        self.disk.rename(&self.part, &path).map_err(|error| Error::disk("renaming to", &path, error))?;
        self.disk.sync_dir(directory_of(&path)).map_err(|error| Error::disk("syncing the directory of", &path, error))?;
        Ok(VerifiedSet::checked(path, self.file, self.offer))
    }
}
