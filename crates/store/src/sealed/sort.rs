//! Sorting more tag prefixes than fit in memory: sorted runs on disk and their merge.
//!
//! A run is a temporary file of 16-byte big-endian prefixes, strictly increasing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Cursor, Disk, DiskFile, DiskLock, lock, sweep};
use crate::{Error, SetFault};

/// Bytes of a prefix in a run.
const PREFIX_BYTES: usize = 16;
/// The names of runs.
const RUN_PREFIX: &str = "run-";
const RUN_SUFFIX: &str = ".tmp";
/// Whoever holds it owns the runs in the directory.
const LOCK_NAME: &str = ".lock";

/// Prefixes in strictly increasing order, one at a time.
pub(crate) trait Ascending {
    /// The next prefix, `None` at the end.
    fn next(&mut self) -> Result<Option<u128>, Error>;
}

/// A sorted slice without duplicates.
#[derive(Debug)]
pub(crate) struct InMemory<'a>(pub(crate) std::slice::Iter<'a, u128>);

impl Ascending for InMemory<'_> {
    fn next(&mut self) -> Result<Option<u128>, Error> {
        Ok(self.0.next().copied())
    }
}

#[derive(Debug)]
struct Run {
    path: PathBuf,
    count: u64,
}

/// The runs of one build, and the directory that is theirs while the build lasts. Dropping it removes them.
#[derive(Debug)]
pub(crate) struct Runs {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    runs: Vec<Run>,
    next_name: u64,
    _lock: Box<dyn DiskLock>,
}

impl Runs {
    /// Takes the directory (created where it is missing) and removes the runs that a killed build left in it.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, Error> {
        disk.create_dir(dir).map_err(|error| Error::disk("creating the directory", dir, error))?;
        let held = lock(&*disk, &dir.join(LOCK_NAME), dir)?;
        sweep(&*disk, dir, RUN_PREFIX, RUN_SUFFIX)?;
        Ok(Self { disk, dir: dir.to_owned(), runs: Vec::new(), next_name: 0, _lock: held })
    }

    pub(crate) fn disk(&self) -> &dyn Disk {
        &*self.disk
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes a run of strictly increasing prefixes.
    pub(crate) fn spill(&mut self, sorted: &[u128], buffer_bytes: usize) -> Result<(), Error> {
        self.write(&mut InMemory(sorted.iter()), buffer_bytes)
    }

    fn write(&mut self, source: &mut dyn Ascending, buffer_bytes: usize) -> Result<(), Error> {
        let path = self.dir.join(format!("{RUN_PREFIX}{}{RUN_SUFFIX}", self.next_name));
        self.next_name += 1;
        let file = self.disk.create(&path).map_err(|error| Error::disk("creating", &path, error))?;
        // Listed before it is written, so that it is removed whatever happens.
        self.runs.push(Run { path: path.clone(), count: 0 });
        let failed = |error| Error::disk("writing", &path, error);
        let mut out = io::BufWriter::with_capacity(buffer_bytes, Cursor::new(&*file));
        let mut count = 0;
        while let Some(prefix) = source.next()? {
            out.write_all(&prefix.to_be_bytes()).map_err(failed)?;
            count += 1;
        }
        out.flush().map_err(failed)?;
        if let Some(run) = self.runs.last_mut() {
            run.count = count;
        }
        Ok(())
    }

    /// Merges runs into longer ones until at most `fan_in` are left.
    pub(crate) fn reduce(&mut self, fan_in: usize, buffer_bytes: usize) -> Result<(), Error> {
        let fan_in = fan_in.max(2);
        while self.runs.len() > fan_in {
            let take = (self.runs.len() - fan_in + 1).min(fan_in);
            let mut merge = Merge::new(&*self.disk, &self.runs[..take], buffer_bytes)?;
            self.write(&mut merge, buffer_bytes)?;
            for run in self.runs.drain(..take) {
                self.disk.remove(&run.path).map_err(|error| Error::disk("removing", &run.path, error))?;
            }
        }
        Ok(())
    }

    /// All runs as one ascending sequence.
    pub(crate) fn merge(&self, buffer_bytes: usize) -> Result<Merge, Error> {
        Merge::new(&*self.disk, &self.runs, buffer_bytes)
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        for run in &self.runs {
            // What cannot be removed now is swept by the next build.
            let _ = self.disk.remove(&run.path);
        }
    }
}

/// A k-way merge of runs, duplicates dropped.
#[derive(Debug)]
pub(crate) struct Merge {
    runs: Vec<RunReader>,
    heads: BinaryHeap<Reverse<(u128, usize)>>,
    last: Option<u128>,
}

impl Merge {
    fn new(disk: &dyn Disk, runs: &[Run], buffer_bytes: usize) -> Result<Self, Error> {
        let mut readers = Vec::with_capacity(runs.len());
        let mut heads = BinaryHeap::with_capacity(runs.len());
        for (index, run) in runs.iter().enumerate() {
            let mut reader = RunReader::open(disk, run, buffer_bytes)?;
            heads.extend(reader.next()?.map(|head| Reverse((head, index))));
            readers.push(reader);
        }
        Ok(Self { runs: readers, heads, last: None })
    }
}

impl Ascending for Merge {
    fn next(&mut self) -> Result<Option<u128>, Error> {
        while let Some(mut least) = self.heads.peek_mut() {
            let Reverse((prefix, run)) = *least;
            match self.runs[run].next()? {
                Some(following) => *least = Reverse((following, run)),
                None => drop(PeekMut::pop(least)),
            }
            if self.last.replace(prefix) != Some(prefix) {
                return Ok(Some(prefix));
            }
        }
        Ok(None)
    }
}

#[derive(Debug)]
struct RunReader {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    offset: u64,
    /// Prefixes not yet handed out.
    left: u64,
    buffer: Vec<u8>,
    at: usize,
    last: Option<u128>,
}

impl RunReader {
    fn open(disk: &dyn Disk, run: &Run, buffer_bytes: usize) -> Result<Self, Error> {
        let file = disk.open(&run.path).map_err(|error| Error::disk("opening", &run.path, error))?;
        let bytes = buffer_bytes.max(PREFIX_BYTES) / PREFIX_BYTES * PREFIX_BYTES;
        Ok(Self { file, path: run.path.clone(), offset: 0, left: run.count, buffer: vec![0; bytes], at: bytes, last: None })
    }

    fn fill(&mut self) -> Result<(), Error> {
        let left_bytes = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_mul(PREFIX_BYTES);
        let due = self.buffer.len().min(left_bytes);
        self.buffer.truncate(due);
        let mut filled = 0;
        while filled < due {
            match self.file.read_at(self.offset + filled as u64, &mut self.buffer[filled..]) {
                Ok(0) => return Err(self.changed()),
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::disk("reading", &self.path, error)),
            }
        }
        self.offset += due as u64;
        self.at = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<u128>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.at == self.buffer.len() {
            self.fill()?;
        }
        let mut bytes = [0; PREFIX_BYTES];
        bytes.copy_from_slice(&self.buffer[self.at..self.at + PREFIX_BYTES]);
        let prefix = u128::from_be_bytes(bytes);
        if self.last.replace(prefix).is_some_and(|last| last >= prefix) {
            return Err(self.changed());
        }
        self.at += PREFIX_BYTES;
        self.left -= 1;
        Ok(Some(prefix))
    }

    fn changed(&self) -> Error {
        Error::Corrupt { path: self.path.display().to_string(), fault: SetFault::Run }
    }
}
