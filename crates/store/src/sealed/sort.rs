//! Sorting more than fits in memory: sorted runs on disk and their merge.
//!
//! A run is a temporary file of items of one fixed size, strictly increasing: tag prefixes (16 bytes, big-endian), or entries of the cache.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::fmt::Debug;
use std::io::{self, Write};
use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Cursor, Disk, DiskFile, DiskLock, lock, sweep};
use crate::{Error, SetFault};

/// The names of runs begin so, and go on with what their items are.
const RUN_PREFIX: &str = "run-";
const RUN_SUFFIX: &str = ".tmp";
/// Whoever holds it owns the runs in the directory.
const LOCK_NAME: &str = ".lock";

/// What is sorted. Its `Debug` shows nothing of it.
pub(crate) trait Item: Copy + Ord + Debug {
    /// What tells its runs by name.
    const NAME: &'static str;
    /// Its bytes in a run.
    type Bytes: AsRef<[u8]> + AsMut<[u8]> + Default;

    /// As it stands in a run.
    fn to_bytes(self) -> Self::Bytes;

    /// From a run.
    fn from_bytes(bytes: Self::Bytes) -> Self;
}

/// A tag prefix.
impl Item for u128 {
    const NAME: &'static str = "";
    type Bytes = [u8; 16];

    fn to_bytes(self) -> [u8; 16] {
        self.to_be_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_be_bytes(bytes)
    }
}

/// Items in strictly increasing order, one at a time.
pub(crate) trait Ascending<T> {
    /// The next item, `None` at the end.
    fn next(&mut self) -> Result<Option<T>, Error>;
}

/// A sorted slice without duplicates.
#[derive(Debug)]
pub(crate) struct InMemory<'a, T>(pub(crate) std::slice::Iter<'a, T>);

impl<T: Copy> Ascending<T> for InMemory<'_, T> {
    fn next(&mut self) -> Result<Option<T>, Error> {
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
pub(crate) struct Runs<T> {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    runs: Vec<Run>,
    next_name: u64,
    lock: Arc<dyn DiskLock>,
    items: PhantomData<T>,
}

impl<T: Item> Runs<T> {
    /// Takes the directory (created where it is missing) and removes the runs that a killed build left in it.
    pub(crate) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Result<Self, Error> {
        disk.create_dir(dir).map_err(|error| Error::disk("creating the directory", dir, error))?;
        let held = lock(&*disk, &dir.join(LOCK_NAME), dir)?;
        sweep(&*disk, dir, RUN_PREFIX, RUN_SUFFIX)?;
        Ok(Self::of(disk, dir.to_owned(), Arc::from(held)))
    }

    fn of(disk: Arc<dyn Disk>, dir: PathBuf, lock: Arc<dyn DiskLock>) -> Self {
        Self { disk, dir, runs: Vec::new(), next_name: 0, lock, items: PhantomData }
    }

    /// Runs of other items in the same directory, which is theirs as long as either lives.
    pub(crate) fn beside<U: Item>(&self) -> Runs<U> {
        Runs::of(Arc::clone(&self.disk), self.dir.clone(), Arc::clone(&self.lock))
    }

    /// A name in the directory that the next to take it sweeps away.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.dir.join(format!("{RUN_PREFIX}{}out{RUN_SUFFIX}", T::NAME))
    }

    pub(crate) fn len(&self) -> usize {
        self.runs.len()
    }

    /// Writes a run of strictly increasing items.
    pub(crate) fn spill(&mut self, sorted: &[T], buffer_bytes: usize) -> Result<(), Error> {
        self.write(&mut InMemory(sorted.iter()), buffer_bytes)
    }

    fn write(&mut self, source: &mut dyn Ascending<T>, buffer_bytes: usize) -> Result<(), Error> {
        let path = self.dir.join(format!("{RUN_PREFIX}{}{}{RUN_SUFFIX}", T::NAME, self.next_name));
        self.next_name += 1;
        let file = self.disk.create(&path).map_err(|error| Error::disk("creating", &path, error))?;
        // Listed before it is written, so that it is removed whatever happens.
        self.runs.push(Run { path: path.clone(), count: 0 });
        let failed = |error| Error::disk("writing", &path, error);
        let mut out = io::BufWriter::with_capacity(buffer_bytes, Cursor::new(&*file));
        let mut count = 0;
        while let Some(item) = source.next()? {
            out.write_all(item.to_bytes().as_ref()).map_err(failed)?;
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
    pub(crate) fn merge(&self, buffer_bytes: usize) -> Result<Merge<T>, Error> {
        Merge::new(&*self.disk, &self.runs, buffer_bytes)
    }
}

impl<T> Drop for Runs<T> {
    fn drop(&mut self) {
        for run in &self.runs {
            // What cannot be removed now is swept by the next build.
            let _ = self.disk.remove(&run.path);
        }
    }
}

/// A k-way merge of runs, duplicates dropped.
#[derive(Debug)]
pub(crate) struct Merge<T> {
    runs: Vec<RunReader<T>>,
    heads: BinaryHeap<Reverse<(T, usize)>>,
    last: Option<T>,
}

impl<T: Item> Merge<T> {
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

impl<T: Item> Ascending<T> for Merge<T> {
    fn next(&mut self) -> Result<Option<T>, Error> {
        while let Some(mut least) = self.heads.peek_mut() {
            let Reverse((item, run)) = *least;
            match self.runs[run].next()? {
                Some(following) => *least = Reverse((following, run)),
                None => drop(PeekMut::pop(least)),
            }
            if self.last.replace(item) != Some(item) {
                return Ok(Some(item));
            }
        }
        Ok(None)
    }
}

#[derive(Debug)]
struct RunReader<T> {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    offset: u64,
    /// Items not yet handed out.
    left: u64,
    buffer: Vec<u8>,
    at: usize,
    last: Option<T>,
}

/// Bytes of an item in a run.
const fn item_bytes<T: Item>() -> usize {
    size_of::<T::Bytes>()
}

impl<T: Item> RunReader<T> {
    fn open(disk: &dyn Disk, run: &Run, buffer_bytes: usize) -> Result<Self, Error> {
        let file = disk.open(&run.path).map_err(|error| Error::disk("opening", &run.path, error))?;
        let bytes = buffer_bytes.max(item_bytes::<T>()) / item_bytes::<T>() * item_bytes::<T>();
        Ok(Self { file, path: run.path.clone(), offset: 0, left: run.count, buffer: vec![0; bytes], at: bytes, last: None })
    }

    fn fill(&mut self) -> Result<(), Error> {
        let left_bytes = usize::try_from(self.left).unwrap_or(usize::MAX).saturating_mul(item_bytes::<T>());
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

    fn next(&mut self) -> Result<Option<T>, Error> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.at == self.buffer.len() {
            self.fill()?;
        }
        let mut bytes = T::Bytes::default();
        bytes.as_mut().copy_from_slice(&self.buffer[self.at..self.at + item_bytes::<T>()]);
        let item = T::from_bytes(bytes);
        if self.last.replace(item).is_some_and(|last| last >= item) {
            return Err(self.changed());
        }
        self.at += item_bytes::<T>();
        self.left -= 1;
        Ok(Some(item))
    }

    fn changed(&self) -> Error {
        Error::Corrupt { path: self.path.display().to_string(), fault: SetFault::Run }
    }
}
