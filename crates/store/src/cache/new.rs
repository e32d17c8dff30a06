//! The rows of a seal whose tags were computed, and the cache that it leaves.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use hmac::{Hmac, Mac};
use oblink_session::tag::TagPrefix;
use sha2::Sha256;

use super::format::{ENTRY_BYTES, Entry, header, trailer};
use super::{CacheKeys, KnownRows, RowDigest};
use crate::Error;
use crate::disk::{Disk, replace};
use crate::sealed::SetBuilder;
use crate::sealed::sort::{Ascending, InMemory, Runs};

/// Entries the buffer holds at first.
const FIRST_CAPACITY: usize = 1 << 12;
/// The least memory that is worked with.
const MEMORY_BYTES_MIN: u64 = 4 << 20;
/// The most runs that are open at once, and the buffer of each.
const FAN_IN_MAX: usize = 64;
const RUN_BUFFER_BYTES: usize = 1 << 15;
/// Recalled tags are handed out so many at a time.
const HANDED_OUT: usize = 4_096;
/// Entries are written so many at a time.
const WRITTEN: usize = 4_096;

/// What a cache came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheCounts {
    /// Entries in the new cache.
    pub entries: u64,
    /// Those of them that the one before had.
    pub recalled: u64,
}

/// Collects digests and tags in any order, in bounded memory, in the work directory of the set that is being built.
#[derive(Debug)]
pub struct NewRows {
    disk: Arc<dyn Disk>,
    runs: Runs<Entry>,
    entries: Vec<Entry>,
    capacity: usize,
    fan_in: usize,
}

impl NewRows {
    /// Beside `builder`, whose directory is shared; about `memory_bytes` are used at most (4 MiB where less is given).
    #[must_use]
    pub fn beside(builder: &SetBuilder, memory_bytes: u64) -> Self {
        let memory_bytes = usize::try_from(memory_bytes.max(MEMORY_BYTES_MIN)).unwrap_or(usize::MAX);
        Self::with_sizes(builder, memory_bytes / ENTRY_BYTES, (memory_bytes / RUN_BUFFER_BYTES / 2).clamp(2, FAN_IN_MAX))
    }

    /// With as many entries in memory and runs in a merge as the caller (a test) says.
    pub(super) fn with_sizes(builder: &SetBuilder, capacity: usize, fan_in: usize) -> Self {
        let disk = Arc::clone(builder.disk());
        Self { disk, runs: builder.runs().beside(), entries: Vec::new(), capacity: capacity.max(1), fan_in }
    }

    /// Takes the digest of a row and the prefix of each of its tags.
    ///
    /// # Errors
    /// [`Error::Disk`], [`Error::NoSpace`] where a run has to be written.
    pub fn push(&mut self, rows: &[(RowDigest, TagPrefix)]) -> Result<(), Error> {
        for &(digest, prefix) in rows {
            if self.entries.len() == self.capacity {
                self.sort();
                self.runs.spill(&self.entries, RUN_BUFFER_BYTES)?;
                self.entries.clear();
            }
            if self.entries.len() == self.entries.capacity() {
                // By hand, as a vector left to itself doubles beyond the budget.
                let grown = self.entries.capacity().saturating_mul(2).clamp(FIRST_CAPACITY.min(self.capacity), self.capacity);
                self.entries.reserve_exact(grown - self.entries.len());
            }
            self.entries.push(Entry { digest, prefix });
        }
        Ok(())
    }

    fn sort(&mut self) {
        self.entries.sort_unstable();
        self.entries.dedup();
    }

    /// Hands out the tags that were recalled from `known`, and writes the cache of all rows of this seal, recalled and new, to `path` (0600):
    /// under a temporary name, fsynced, renamed. What was at `path` before is replaced.
    ///
    /// The file is a function of the rows and the keys alone.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where `known` is no longer what it was: then nothing of it may be used; [`Error::Disk`], [`Error::NoSpace`];
    /// what `each` fails with.
    pub fn finish(
        mut self,
        known: Option<KnownRows>,
        keys: &CacheKeys,
        path: &Path,
        mut each: impl FnMut(&[TagPrefix]) -> Result<(), Error>,
    ) -> Result<CacheCounts, Error> {
        self.sort();
        let mut merge;
        let mut in_memory;
        let new: &mut dyn Ascending<Entry> = if self.runs.len() == 0 {
            in_memory = InMemory(self.entries.iter());
            &mut in_memory
        } else {
            if !self.entries.is_empty() {
                self.runs.spill(&self.entries, RUN_BUFFER_BYTES)?;
            }
            self.entries = Vec::new();
            self.runs.reduce(self.fan_in, RUN_BUFFER_BYTES)?;
            merge = self.runs.merge(RUN_BUFFER_BYTES)?;
            &mut merge
        };
        // In the directory that is swept, and on the same file system.
        let temporary = self.runs.temporary();
        replace(&*self.disk, &temporary, path, |out| {
            let mut writer = Writer::new(out, path, keys)?;
            let mut recalled = Vec::with_capacity(HANDED_OUT);
            let mut count = 0;
            let mut next = new.next()?;
            if let Some(known) = known {
                known.into_recalled(|entry| {
                    count += 1;
                    recalled.push(entry.prefix);
                    if recalled.len() == HANDED_OUT {
                        each(&recalled)?;
                        recalled.clear();
                    }
                    while let Some(new_one) = next.filter(|new_one| *new_one < entry) {
                        writer.push(new_one)?;
                        next = new.next()?;
                    }
                    // A row is recalled or new, never both; were it otherwise, it would still stand here once.
                    if next == Some(entry) {
                        next = new.next()?;
                    }
                    writer.push(entry)
                })?;
            }
            each(&recalled)?;
            while let Some(entry) = next {
                writer.push(entry)?;
                next = new.next()?;
            }
            Ok(CacheCounts { entries: writer.finish()?, recalled: count })
        })
    }
}

/// Writes header, entries and trailer.
struct Writer<'a> {
    out: &'a mut dyn Write,
    path: &'a Path,
    mac: Hmac<Sha256>,
    bytes: Vec<u8>,
    entries: u64,
}

impl<'a> Writer<'a> {
    fn new(out: &'a mut dyn Write, path: &'a Path, keys: &CacheKeys) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(WRITTEN * ENTRY_BYTES);
        bytes.extend_from_slice(&header(&keys.binding));
        let mut writer = Self { out, path, mac: keys.file.clone(), bytes, entries: 0 };
        writer.write()?;
        Ok(writer)
    }

    fn write(&mut self) -> Result<(), Error> {
        self.mac.update(&self.bytes);
        self.out.write_all(&self.bytes).map_err(|error| Error::disk("writing", self.path, error))?;
        self.bytes.clear();
        Ok(())
    }

    fn push(&mut self, entry: Entry) -> Result<(), Error> {
        use crate::sealed::sort::Item;
        self.bytes.extend_from_slice(&entry.to_bytes());
        self.entries += 1;
        if self.bytes.len() == WRITTEN * ENTRY_BYTES { self.write() } else { Ok(()) }
    }

    fn finish(mut self) -> Result<u64, Error> {
        self.write()?;
        let trailer = trailer(self.entries, self.mac);
        self.out.write_all(&trailer).map_err(|error| Error::disk("writing", self.path, error))?;
        Ok(self.entries)
    }
}
