//! A disk in memory: what is written is there, names mean files, locks are held while their value lives. Nothing fails.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use oblink_store::disk::{Disk, DiskFile, DiskLock};

type Bytes = Arc<Mutex<Vec<u8>>>;

#[derive(Debug, Default)]
struct Names {
    files: BTreeMap<PathBuf, Bytes>,
    locks: BTreeSet<PathBuf>,
}

/// The disk. A clone is the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct MemoryDisk(Arc<Mutex<Names>>);

#[derive(Debug)]
struct MemoryFile(Bytes);

#[derive(Debug)]
struct MemoryLock(MemoryDisk, PathBuf);

impl DiskLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().locks.remove(&self.1);
    }
}

impl MemoryDisk {
    /// What a file holds.
    pub(super) fn get(&self, path: &Path) -> Option<Vec<u8>> {
        Some(self.0.lock().unwrap().files.get(path)?.lock().unwrap().clone())
    }

    /// Makes a file of these bytes, in the place of what has its name.
    pub(super) fn put(&self, path: &Path, bytes: &[u8]) {
        self.0.lock().unwrap().files.insert(path.to_owned(), Arc::new(Mutex::new(bytes.to_vec())));
    }

    fn file(&self, path: &Path) -> io::Result<Bytes> {
        self.0.lock().unwrap().files.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for MemoryDisk {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut names = self.0.lock().unwrap();
        if names.files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let bytes = Bytes::default();
        names.files.insert(path.to_owned(), Arc::clone(&bytes));
        Ok(Box::new(MemoryFile(bytes)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MemoryFile(self.file(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut names = self.0.lock().unwrap();
        let file = names.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        names.files.insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().files.remove(path).map(drop).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        let taken = self.0.lock().unwrap().files.keys().any(|path| path.parent() == Some(dir));
        if taken { Err(io::ErrorKind::DirectoryNotEmpty.into()) } else { Ok(()) }
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let names = self.0.lock().unwrap();
        Ok(names.files.keys().filter(|path| path.parent() == Some(dir)).filter_map(|path| path.file_name()).map(OsString::from).collect())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let taken = !self.0.lock().unwrap().locks.insert(path.to_owned());
        if taken { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(Box::new(MemoryLock(self.clone(), path.to_owned()))) }
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let bytes = self.0.lock().unwrap();
        let from = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let some = buffer.len().min(bytes.len() - from);
        buffer[..some].copy_from_slice(&bytes[from..from + some]);
        Ok(some)
    }

    fn write_all_at(&self, offset: u64, new: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock().unwrap();
        let from = usize::try_from(offset).unwrap();
        if bytes.len() < from + new.len() {
            bytes.resize(from + new.len(), 0);
        }
        bytes[from..from + new.len()].copy_from_slice(new);
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        self.0.lock().unwrap().resize(usize::try_from(length).unwrap(), 0);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
