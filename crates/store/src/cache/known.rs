//! The rows of an earlier seal, to be looked up by digest.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::format::{CacheFault, ENTRY_BYTES, Entry, HEADER_BYTES, TRAILER_BYTES, check_header, entries_in, trailer};
use super::{CacheKeys, RowDigest};
use crate::disk::{Disk, DiskFile};
use crate::sealed::sort::Item;
use crate::{Error, SetFault};

/// Memory that an entry takes while it can be recalled: its digest, its share of the directory, and whether it was.
pub const INDEX_BYTES_PER_ENTRY: u64 = 19;
/// Read from the file at a time.
const READ_BYTES: usize = 1 << 18;
/// A directory's slot stands for at least this many entries, and for fewer than twice as many.
const ENTRIES_PER_SLOT_LOG2: u32 = 1;
/// Rows that are looked up together.
const ROWS_AT_ONCE: usize = 32;

/// An earlier cache, whole and checked, with as many of its digests in memory as there is room for; tags stay on the disk.
///
/// Rows may be recalled from several threads at once.
#[derive(Debug)]
pub struct KnownRows {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    mac: Hmac<Sha256>,
    entries: u64,
    /// Of the first entries, increasing.
    digests: Vec<u128>,
    /// Where in `digests` those begin that share their first bits; one more than there are slots.
    slots: Vec<u32>,
    slot_bits: u32,
    /// A bit an entry of `digests`: whether a row has asked for it.
    recalled: Vec<AtomicU64>,
}

impl KnownRows {
    /// Opens the cache at `path`, reads it through and checks it; `None` where there is none. At most about `memory_bytes` are used: entries
    /// beyond that are as if they were not there.
    ///
    /// # Errors
    /// Why it is of no use.
    pub fn open(disk: &dyn Disk, path: &Path, keys: &CacheKeys, memory_bytes: u64) -> Result<Option<Self>, CacheFault> {
        let unreadable = |error: io::Error| CacheFault::Unreadable(error.kind());
        let file = match disk.open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unreadable(error)),
        };
        if !file.is_private().map_err(unreadable)? {
            return Err(CacheFault::Exposed);
        }
        let entries = entries_in(file.length().map_err(unreadable)?)?;
        let room = (memory_bytes / INDEX_BYTES_PER_ENTRY).min(u64::from(u32::MAX));
        // No more than the file has bytes for.
        let kept = usize::try_from(entries.min(room)).unwrap_or(usize::MAX);
        let mut known = Self {
            file,
            path: path.to_owned(),
            mac: keys.file.clone(),
            entries,
            digests: Vec::with_capacity(kept),
            slots: Vec::new(),
            slot_bits: 0,
            recalled: Vec::new(),
        };
        let mut header = [0; HEADER_BYTES];
        read_exact(&*known.file, 0, &mut header).map_err(|error| error.map_or(CacheFault::Length, unreadable))?;
        check_header(&header, &keys.binding)?;
        let mut digests = std::mem::take(&mut known.digests);
        let mut previous = None;
        let read = known.read_through(|entry| {
            if digests.len() < kept {
                digests.push(entry.digest.0);
            }
            // The MAC says that a writer of ours wrote it; that it is sorted is what looking up rests on.
            if previous.replace(entry).is_some_and(|previous| previous >= entry) { Err(Reading::Damaged) } else { Ok(()) }
        });
        read.map_err(|why| match why {
            Reading::Damaged => CacheFault::Damaged,
            Reading::Disk(error) => unreadable(error),
            Reading::Caller(_) => CacheFault::Damaged,
        })?;
        known.digests = digests;
        known.make_directory();
        Ok(Some(known))
    }

    fn make_directory(&mut self) {
        let count = self.digests.len();
        self.recalled = std::iter::repeat_with(AtomicU64::default).take(count.div_ceil(64)).collect();
        self.slot_bits = count.checked_ilog2().unwrap_or(0).saturating_sub(ENTRIES_PER_SLOT_LOG2);
        let slots = 1_usize << self.slot_bits;
        self.slots = Vec::with_capacity(slots + 1);
        for (index, digest) in self.digests.iter().enumerate() {
            while self.slots.len() <= slot_of(*digest, self.slot_bits) {
                self.slots.push(index as u32);
            }
        }
        self.slots.resize(slots + 1, count as u32);
    }

    /// Entries in the file.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }

    /// Entries that there was room for: the others' rows are computed again.
    #[must_use]
    pub fn within_reach(&self) -> u64 {
        self.digests.len() as u64
    }

    /// For each row with one of these digests, whether its tags are known. They are then handed out by
    /// [`NewRows::finish`](super::NewRows::finish).
    #[must_use]
    pub fn recall(&self, rows: &[RowDigest]) -> Vec<bool> {
        let mut known = Vec::with_capacity(rows.len());
        let mut places = [(0_u32, 0_u32); ROWS_AT_ONCE];
        for rows in rows.chunks(ROWS_AT_ONCE) {
            // Each step waits for memory, and none of one row for another's: taken together, they wait at the same time.
            for (place, row) in places.iter_mut().zip(rows) {
                let slot = slot_of(row.0, self.slot_bits);
                *place = self.slots.get(slot).copied().zip(self.slots.get(slot + 1).copied()).unwrap_or_default();
            }
            let touched = places.iter().take(rows.len()).fold(0, |all, place| {
                let begin = place.0 as usize;
                all ^ self.digests.get(begin).copied().unwrap_or_default() ^ self.digests.get(begin + 3).copied().unwrap_or_default()
            });
            std::hint::black_box(touched);
            known.extend(rows.iter().zip(&places).map(|(row, place)| self.recall_within(row.0, place.0 as usize, place.1 as usize)));
        }
        known
    }

    fn recall_within(&self, digest: u128, begin: usize, end: usize) -> bool {
        let Some(at) = self.digests[begin..end].iter().position(|known| *known == digest) else { return false };
        let (word, bit) = ((begin + at) / 64, 1 << ((begin + at) % 64));
        self.recalled[word].fetch_or(bit, Ordering::Relaxed);
        true
    }

    /// Calls `each` with every entry that was recalled, in order: an entry counts where its digest was asked for, and a further one of the
    /// same digest (a row of several tokens) with the first. The digests' memory is free from then on.
    pub(super) fn into_recalled(mut self, mut each: impl FnMut(Entry) -> Result<(), Error>) -> Result<(), Error> {
        self.digests = Vec::new();
        self.slots = Vec::new();
        let recalled = std::mem::take(&mut self.recalled);
        let (mut index, mut last) = (0_usize, None);
        let outcome = self.read_through(|entry| {
            let asked = recalled.get(index / 64).is_some_and(|word| word.load(Ordering::Relaxed) >> (index % 64) & 1 == 1);
            index += 1;
            if asked || last == Some(entry.digest) {
                last = Some(entry.digest);
                each(entry).map_err(Reading::Caller)?;
            }
            Ok(())
        });
        outcome.map_err(|why| match why {
            // It was whole when it was opened.
            Reading::Damaged => Error::Corrupt { path: self.path.display().to_string(), fault: SetFault::Cache },
            Reading::Disk(error) => Error::disk("reading", &self.path, error),
            Reading::Caller(error) => error,
        })
    }

    /// Reads all entries and checks the trailer at the end: nothing that `each` did counts before this has given `Ok`.
    fn read_through(&self, mut each: impl FnMut(Entry) -> Result<(), Reading>) -> Result<(), Reading> {
        let disk = |error: Option<io::Error>| error.map_or(Reading::Damaged, Reading::Disk);
        let mut mac = self.mac.clone();
        let mut header = [0; HEADER_BYTES];
        read_exact(&*self.file, 0, &mut header).map_err(disk)?;
        mac.update(&header);
        let (mut offset, mut left) = (HEADER_BYTES as u64, self.entries);
        let mut buffer = vec![0; READ_BYTES];
        while left > 0 {
            let some = left.min((READ_BYTES / ENTRY_BYTES) as u64);
            let bytes = &mut buffer[..some as usize * ENTRY_BYTES];
            read_exact(&*self.file, offset, bytes).map_err(disk)?;
            mac.update(bytes);
            for entry in bytes.chunks_exact(ENTRY_BYTES) {
                let mut own = [0; ENTRY_BYTES];
                own.copy_from_slice(entry);
                each(Entry::from_bytes(own))?;
            }
            offset += bytes.len() as u64;
            left -= some;
        }
        let mut found = [0; TRAILER_BYTES];
        read_exact(&*self.file, offset, &mut found).map_err(disk)?;
        // No secret is compared: whoever may write the file may read it, and nobody learns of a guess but the holder.
        if found == trailer(self.entries, mac) { Ok(()) } else { Err(Reading::Damaged) }
    }
}

/// Why reading ended.
enum Reading {
    Damaged,
    Disk(io::Error),
    Caller(Error),
}

/// The first bits of a digest.
fn slot_of(digest: u128, bits: u32) -> usize {
    // Two shifts, as a number cannot be shifted by all its bits.
    (digest >> 64 >> (64 - bits.min(63)) & ((1 << bits) - 1)) as usize
}

/// Fills `buffer` from `offset` on; `None` as the error where the file ends before.
fn read_exact(file: &dyn DiskFile, mut offset: u64, mut buffer: &mut [u8]) -> Result<(), Option<io::Error>> {
    while !buffer.is_empty() {
        match file.read_at(offset, buffer) {
            Ok(0) => return Err(None),
            Ok(read) => {
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Some(error)),
        }
    }
    Ok(())
}
