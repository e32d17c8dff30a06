//! A machine's disk in memory, which loses what was not synced, tears what was being written, fills up and fails.
//!
//! It promises no more than POSIX does: bytes are durable once their file was synced, names once their directory was. Whatever else survives a
//! loss of power is left to chance: nothing, all, the first of it, or any part. A process that is killed loses nothing that it wrote, but dies
//! within an operation, and its locks with it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use oblink_store::disk::{Disk, DiskFile, DiskLock};

use super::chance::Chance;
use super::counts::Counts;

/// How often operations fail, in a million.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DiskRates {
    /// No space left: of operations that take space.
    pub(crate) full: u64,
    /// The device fails: of all operations.
    pub(crate) fails: u64,
    /// The process dies within the operation.
    pub(crate) dies: u64,
}

type File = u64;

/// A change of a file that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Write(u64, Vec<u8>),
    Length(u64),
}

/// A change of a directory that is not durable yet.
#[derive(Clone, Debug)]
enum Naming {
    Create(PathBuf, File),
    Rename(PathBuf, PathBuf, File),
    Remove(PathBuf),
}

#[derive(Debug, Default)]
struct Node {
    now: Vec<u8>,
    durable: Vec<u8>,
    /// Since the last sync.
    changes: Vec<Change>,
    /// A sync failed: the system has let go of what was changed before it, and a later sync does not bring it to the disk.
    doomed: Vec<Change>,
}

#[derive(Debug)]
struct State {
    files: BTreeMap<File, Node>,
    names: BTreeMap<PathBuf, File>,
    durable_names: BTreeMap<PathBuf, File>,
    namings: Vec<Naming>,
    /// Whether its own name is durable.
    directories: BTreeMap<PathBuf, bool>,
    /// Directories removed, and not durably so.
    removed: BTreeSet<PathBuf>,
    locks: BTreeMap<PathBuf, u64>,
    next: u64,
    dead: BTreeSet<u64>,
    rates: DiskRates,
    chance: Chance,
    counts: Counts,
    faults_left: Arc<Mutex<u32>>,
    syncs_are_lies: bool,
}

/// One machine's disk; processes work on it through [`Machine::process`].
#[derive(Clone, Debug)]
pub(crate) struct Machine(Arc<Mutex<State>>);

/// The disk as one process sees it, until it dies.
#[derive(Clone, Debug)]
pub(crate) struct SimDisk {
    machine: Machine,
    process: u64,
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    file: File,
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Length(length) => bytes.resize(*length as usize, 0),
        Change::Write(offset, written) => {
            let (start, end) = (*offset as usize, *offset as usize + written.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(written);
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().map(Path::to_owned).unwrap_or_default()
}

impl Naming {
    fn is_in(&self, directory: &Path) -> bool {
        match self {
            Self::Create(path, _) | Self::Remove(path) => parent(path) == directory,
            Self::Rename(_, to, _) => parent(to) == directory,
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, File>) {
        match self {
            Self::Create(path, file) => drop(names.insert(path.clone(), *file)),
            Self::Remove(path) => drop(names.remove(path)),
            Self::Rename(from, to, file) => {
                names.remove(from);
                names.insert(to.clone(), *file);
            }
        }
    }
}

/// Which of the changes that were not synced survive: none, all, the first of them, or any.
fn surviving<T>(changes: Vec<T>, chance: &mut Chance) -> Vec<T> {
    match chance.below(4) {
        0 => Vec::new(),
        1 => changes,
        2 => {
            let first = chance.index(changes.len() + 1);
            changes.into_iter().take(first).collect()
        }
        _ => changes.into_iter().filter(|_| chance.one_in(2)).collect(),
    }
}

impl Machine {
    /// A disk with these directories, durable and empty. `faults_left` is the run's: each fault takes one of it.
    pub(crate) fn new(seed: u64, label: &str, directories: &[&str], faults_left: Arc<Mutex<u32>>) -> Self {
        Self(Arc::new(Mutex::new(State {
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            namings: Vec::new(),
            directories: directories.iter().map(|directory| (PathBuf::from(directory), true)).collect(),
            removed: BTreeSet::new(),
            locks: BTreeMap::new(),
            next: 1,
            dead: BTreeSet::new(),
            rates: DiskRates::default(),
            chance: Chance::new(seed, label),
            counts: Counts::default(),
            faults_left,
            syncs_are_lies: false,
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often operations fail from now on.
    pub(crate) fn set_rates(&self, rates: DiskRates) {
        self.state().rates = rates;
    }

    /// Syncs say that they did, and do nothing: what a check of the simulation itself uses.
    pub(crate) fn lie_about_syncs(&self) {
        self.state().syncs_are_lies = true;
    }

    /// A new process.
    pub(crate) fn process(&self) -> SimDisk {
        let mut state = self.state();
        state.next += 1;
        SimDisk { machine: self.clone(), process: state.next }
    }

    /// Faults so far.
    pub(crate) fn counts(&self) -> Counts {
        self.state().counts.clone()
    }

    /// The power goes: every process dies, and what was not synced is lost, or is not.
    pub(crate) fn lose_power(&self) {
        let mut state = self.state();
        let state = &mut *state;
        state.locks.clear();
        // Every handle given out so far is of a process that is no more.
        state.dead.extend(0..=state.next);
        let namings = surviving(std::mem::take(&mut state.namings), &mut state.chance);
        let mut names = std::mem::take(&mut state.durable_names);
        namings.iter().for_each(|naming| naming.apply(&mut names));
        let (chance, counts) = (&mut state.chance, &mut state.counts);
        let before = state.directories.len();
        state.directories.retain(|_, durable| *durable || chance.one_in(2));
        counts.add("disk: new directory lost with the power", (before - state.directories.len()) as u64);
        for directory in std::mem::take(&mut state.removed) {
            // It comes back, with what had been removed in it; or it went, and then so did that.
            if chance.one_in(2) {
                state.directories.insert(directory, true);
            }
        }
        let directories = &state.directories;
        names.retain(|path, _| path.ancestors().skip(1).all(|above| above.as_os_str().is_empty() || directories.contains_key(above)));
        state.directories.values_mut().for_each(|durable| *durable = true);
        // A name can be durable before what it names: then the file is there, and empty.
        for node in state.files.values_mut() {
            let mut changes = std::mem::take(&mut node.doomed);
            changes.append(&mut node.changes);
            if changes.is_empty() {
                node.now.clone_from(&node.durable);
                continue;
            }
            let written = changes.len();
            let mut kept = surviving(changes, chance);
            counts.add("disk: unsynced change lost with the power", (written - kept.len()) as u64);
            if let Some(Change::Write(_, bytes)) = kept.last_mut()
                && !bytes.is_empty()
                && chance.one_in(2)
            {
                counts.add("disk: write torn by the loss of power", 1);
                let whole = chance.index(bytes.len());
                match chance.below(3) {
                    // Cut; length as announced and zeros; or whatever was on those blocks before.
                    0 => bytes.truncate(whole),
                    1 => bytes[whole..].fill(0),
                    _ => bytes[whole..].iter_mut().for_each(|byte| *byte = chance.below(256) as u8),
                }
            }
            kept.iter().for_each(|change| apply(&mut node.durable, change));
            node.now.clone_from(&node.durable);
        }
        state.names = names.clone();
        state.durable_names = names;
    }

    /// The bytes of a file as they are now, whatever fails: for the oracle alone.
    pub(crate) fn peek(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        state.names.get(path).and_then(|file| state.files.get(file)).map(|node| node.now.clone())
    }

    /// Does what must not fail.
    pub(crate) fn calm<T>(&self, act: impl FnOnce() -> T) -> T {
        let rates = std::mem::take(&mut self.state().rates);
        let done = act();
        self.state().rates = rates;
        done
    }

    /// The names below a directory, for the oracle alone.
    pub(crate) fn names_below(&self, directory: &Path) -> Vec<PathBuf> {
        self.state().names.keys().filter(|path| path.starts_with(directory)).cloned().collect()
    }
}

/// Which faults an operation is open to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Looking,
    Taking,
    Syncing,
}

impl State {
    /// Spends one of the run's faults, if there is one left.
    fn spend(&mut self) -> bool {
        let mut left = self.faults_left.lock().unwrap_or_else(PoisonError::into_inner);
        let spent = *left > 0;
        *left = left.saturating_sub(1);
        spent
    }

    /// Whether this operation of a process goes wrong, and how.
    fn fault(&mut self, process: u64, doing: Doing, name: &'static str) -> Option<io::Error> {
        if self.dead.contains(&process) {
            return Some(ErrorKind::BrokenPipe.into());
        }
        let drawn = self.chance.below(1_000_000);
        let DiskRates { full, fails, dies } = self.rates;
        if drawn < dies && self.spend() {
            self.counts.add("disk: process died within an operation", 1);
            self.dead.insert(process);
            self.locks.retain(|_, holder| *holder != process);
            return Some(ErrorKind::BrokenPipe.into());
        }
        if (dies..dies + fails).contains(&drawn) && self.spend() {
            self.counts.add(name, 1);
            // EIO
            return Some(io::Error::from_raw_os_error(5));
        }
        if doing == Doing::Taking && (dies + fails..dies + fails + full).contains(&drawn) && self.spend() {
            self.counts.add("disk: no space left", 1);
            return Some(ErrorKind::StorageFull.into());
        }
        None
    }

    fn node(&mut self, file: File) -> &mut Node {
        self.files.entry(file).or_default()
    }
}

impl SimDisk {
    fn state(&self) -> MutexGuard<'_, State> {
        self.machine.state()
    }

    /// Whether the process has died, here or elsewhere.
    pub(crate) fn is_dead(&self) -> bool {
        self.state().dead.contains(&self.process)
    }

    /// Whether there is a file of this name, as its operator sees it.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.state().names.contains_key(path)
    }

    /// Kills the process.
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.dead.insert(self.process);
        let process = self.process;
        state.locks.retain(|_, holder| *holder != process);
    }

    fn begin(&self, doing: Doing, name: &'static str) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        match state.fault(self.process, doing, name) {
            Some(error) => Err(error),
            None => Ok(state),
        }
    }

    fn opened(&self, file: File) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), file })
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Doing::Taking, "disk: EIO on a directory")?;
        for above in dir.ancestors().filter(|above| !above.as_os_str().is_empty()) {
            state.directories.entry(above.to_owned()).or_insert(false);
            state.removed.remove(above);
        }
        // Its names are synced; the process may die before.
        if let Some(error) = state.fault(self.process, Doing::Syncing, "disk: EIO on a directory") {
            return Err(error);
        }
        if !state.syncs_are_lies {
            for (made, durable) in &mut state.directories {
                *durable |= dir.starts_with(made);
            }
        }
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.begin(Doing::Taking, "disk: EIO on opening")?;
        if state.names.contains_key(path) {
            return Err(ErrorKind::AlreadyExists.into());
        }
        if !state.directories.contains_key(&parent(path)) {
            return Err(ErrorKind::NotFound.into());
        }
        state.next += 1;
        let file = state.next;
        state.files.insert(file, Node::default());
        state.names.insert(path.to_owned(), file);
        state.namings.push(Naming::Create(path.to_owned(), file));
        drop(state);
        Ok(self.opened(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.begin(Doing::Looking, "disk: EIO on opening")?;
        let file = *state.names.get(path).ok_or(ErrorKind::NotFound)?;
        drop(state);
        Ok(self.opened(file))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.begin(Doing::Taking, "disk: EIO on renaming")?;
        let file = state.names.remove(from).ok_or(ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), file);
        state.namings.push(Naming::Rename(from.to_owned(), to.to_owned(), file));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.begin(Doing::Looking, "disk: EIO on removing")?;
        state.names.remove(path).ok_or(ErrorKind::NotFound)?;
        state.namings.push(Naming::Remove(path.to_owned()));
        Ok(())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Doing::Looking, "disk: EIO on a directory")?;
        if state.names.keys().any(|path| path.starts_with(dir)) || state.directories.keys().any(|path| parent(path) == dir) {
            return Err(ErrorKind::DirectoryNotEmpty.into());
        }
        state.directories.remove(dir).ok_or(ErrorKind::NotFound)?;
        state.removed.insert(dir.to_owned());
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.begin(Doing::Syncing, "disk: EIO on syncing a directory")?;
        if state.syncs_are_lies {
            return Ok(());
        }
        let (done, left) = std::mem::take(&mut state.namings).into_iter().partition::<Vec<_>, _>(|naming| naming.is_in(dir));
        let mut names = std::mem::take(&mut state.durable_names);
        done.iter().for_each(|naming| naming.apply(&mut names));
        (state.durable_names, state.namings) = (names, left);
        for (directory, durable) in &mut state.directories {
            *durable |= parent(directory) == dir;
        }
        state.removed.retain(|directory| parent(directory) != dir);
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let state = self.begin(Doing::Looking, "disk: EIO on listing")?;
        if !state.directories.contains_key(dir) {
            return Err(ErrorKind::NotFound.into());
        }
        let files = state.names.keys().chain(state.directories.keys());
        let mut names: Vec<OsString> =
            files.filter(|path| parent(path) == dir).filter_map(|path| Some(path.file_name()?.to_owned())).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.begin(Doing::Taking, "disk: EIO on locking")?;
        if !state.directories.contains_key(&parent(path)) {
            return Err(ErrorKind::NotFound.into());
        }
        if state.locks.contains_key(path) {
            return Err(ErrorKind::WouldBlock.into());
        }
        state.locks.insert(path.to_owned(), self.process);
        if !state.names.contains_key(path) {
            state.next += 1;
            let file = state.next;
            state.files.insert(file, Node::default());
            state.names.insert(path.to_owned(), file);
            state.namings.push(Naming::Create(path.to_owned(), file));
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.locks.get(&self.path) == Some(&self.disk.process) {
            state.locks.remove(&self.path);
        }
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.disk.begin(Doing::Looking, "disk: EIO on reading")?;
        let bytes = &state.node(self.file).now;
        let from = (offset as usize).min(bytes.len());
        let read = buffer.len().min(bytes.len() - from);
        buffer[..read].copy_from_slice(&bytes[from..from + read]);
        Ok(read)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.state();
        let was_dead = state.dead.contains(&self.disk.process);
        let fault = state.fault(self.disk.process, Doing::Taking, "disk: EIO on writing");
        // What fails has written a part of it.
        let written = match &fault {
            None => bytes.len(),
            Some(_) if was_dead => 0,
            Some(_) => state.chance.index(bytes.len() + 1),
        };
        if written > 0 || fault.is_none() {
            let change = Change::Write(offset, bytes[..written].to_vec());
            let node = state.node(self.file);
            apply(&mut node.now, &change);
            node.changes.push(change);
        }
        fault.map_or(Ok(()), Err)
    }

    fn length(&self) -> io::Result<u64> {
        let mut state = self.disk.begin(Doing::Looking, "disk: EIO on reading")?;
        Ok(state.node(self.file).now.len() as u64)
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        let mut state = self.disk.begin(Doing::Taking, "disk: EIO on writing")?;
        let node = state.node(self.file);
        let change = Change::Length(bytes);
        apply(&mut node.now, &change);
        node.changes.push(change);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.disk.state();
        let fault = state.fault(self.disk.process, Doing::Syncing, "disk: EIO on syncing a file");
        let (lies, dead) = (state.syncs_are_lies, state.dead.contains(&self.disk.process));
        let node = state.node(self.file);
        match fault {
            Some(error) => {
                if !dead {
                    node.doomed.append(&mut node.changes);
                }
                Err(error)
            }
            None if lies => Ok(()),
            None => {
                node.doomed.clear();
                let changes = std::mem::take(&mut node.changes);
                changes.iter().for_each(|change| apply(&mut node.durable, change));
                Ok(())
            }
        }
    }
}
