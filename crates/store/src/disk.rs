//! The file operations behind sealed sets, as a trait: everything of the crate's own that reaches the disk goes through [`Disk`].
//! (SQLite has its own way to the disk and is not behind it.)
//!
//! Files hold tags or results, so every one is created 0600 and every directory 0700.

use std::ffi::OsString;
use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// A disk: what can be done to names.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Creates a directory and those above it, mode 0700, durably; one that exists is left as it is.
    ///
    /// # Errors
    /// The system's.
    fn create_dir(&self, dir: &Path) -> io::Result<()>;

    /// Creates a file, mode 0600, for reading and writing.
    ///
    /// # Errors
    /// `AlreadyExists` where the name is taken (by a link too); the system's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading.
    ///
    /// # Errors
    /// `NotFound`; the system's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file that exists for reading and writing.
    ///
    /// # Errors
    /// `NotFound`; the system's.
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Renames a file, replacing what has the name `to`.
    ///
    /// # Errors
    /// The system's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// `NotFound`; the system's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory.
    ///
    /// # Errors
    /// `NotFound`, `DirectoryNotEmpty`; the system's.
    fn remove_dir(&self, dir: &Path) -> io::Result<()>;

    /// Makes creations, renames and removals in a directory durable.
    ///
    /// # Errors
    /// The system's.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// The names in a directory, sorted.
    ///
    /// # Errors
    /// The system's.
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>>;

    /// Takes the exclusive lock on a file, which is created empty where it is missing, and holds it until the value is dropped or the
    /// process ends, however it ends.
    ///
    /// # Errors
    /// `WouldBlock` where it is held already, be it by this process; the system's.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;
}

/// A file: what can be done to bytes, by offset.
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// The system's.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// `StorageFull`; the system's.
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// The system's.
    fn length(&self) -> io::Result<u64>;

    /// Whether no other user may open it: a mode of 0600 or narrower. A disk without modes has nobody else.
    ///
    /// # Errors
    /// The system's.
    fn is_private(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Cuts the file, or lengthens it with zeros.
    ///
    /// # Errors
    /// The system's.
    fn set_length(&self, bytes: u64) -> io::Result<()>;

    /// Makes the contents durable.
    ///
    /// # Errors
    /// The system's.
    fn sync(&self) -> io::Result<()>;
}

/// A lock that is held while the value lives.
pub trait DiskLock: fmt::Debug + Send + Sync {}

/// Opens a file of our own that others may not read.
///
/// # Errors
/// [`Error::Exposed`] where they may; [`Error::Disk`].
pub(crate) fn open_private(disk: &dyn Disk, path: &Path) -> Result<Box<dyn DiskFile>, Error> {
    let file = disk.open(path).map_err(|error| Error::disk("opening", path, error))?;
    check_private(&*file, path)?;
    Ok(file)
}

/// Whether a file that is open is one that others may not read.
///
/// # Errors
/// As [`open_private`].
pub(crate) fn check_private(file: &dyn DiskFile, path: &Path) -> Result<(), Error> {
    if file.is_private().map_err(|error| Error::disk("looking at", path, error))? {
        Ok(())
    } else {
        Err(Error::Exposed { path: path.display().to_string() })
    }
}

/// The system's disk.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

/// How a directory answers that is not ours to sync.
const FOREIGN: [io::ErrorKind; 4] =
    [io::ErrorKind::PermissionDenied, io::ErrorKind::InvalidInput, io::ErrorKind::Unsupported, io::ErrorKind::ReadOnlyFilesystem];

#[derive(Debug)]
struct RealFile(File);

#[derive(Debug)]
struct RealLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl DiskLock for RealLock {}

impl Disk for RealDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        let is_missing = |above: &&Path| !above.as_os_str().is_empty() && !above.exists();
        let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
        // What is synced within them is no more durable than their names: so one after the other, and first that of the one that is there, which an
        // earlier try may have made and not synced. Where its directory may not be read or synced (a mount point's), others made it.
        if let Some(standing) = dir.ancestors().nth(missing.len()).filter(|standing| !standing.as_os_str().is_empty()) {
            match self.sync_dir(directory_of(standing)) {
                Err(error) if !FOREIGN.contains(&error.kind()) => return Err(error),
                _ => {}
            }
        }
        for made in missing.into_iter().rev() {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(made)?;
            self.sync_dir(directory_of(made))?;
        }
        // What is there may be no directory.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(OpenOptions::new().read(true).write(true).open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        std::fs::remove_dir(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        let mut names = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.file_name())).collect::<io::Result<Vec<_>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        loop {
            let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
            match file.try_lock() {
                // Whoever held it may have removed the file meanwhile: a lock on a file without a name keeps nobody out.
                Ok(()) if is_at(&file, path)? => return Ok(Box::new(RealLock(file))),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

/// Whether `path` is (still) this file's name.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let held = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (held.dev(), held.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl DiskFile for RealFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn is_private(&self) -> io::Result<bool> {
        Ok(self.0.metadata()?.permissions().mode() & 0o077 == 0)
    }

    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.0.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

/// A stream over a [`DiskFile`] from an offset on. Unbuffered: its users read and write by the block.
#[derive(Debug)]
pub(crate) struct Cursor<'a> {
    file: &'a dyn DiskFile,
    offset: u64,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(file: &'a dyn DiskFile) -> Self {
        Self { file, offset: 0 }
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(self.offset, buffer)?;
        self.offset += read as u64;
        Ok(read)
    }
}

impl Write for Cursor<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_all_at(self.offset, bytes)?;
        self.offset += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes gathered before one write to the disk.
const WRITE_BUFFER_BYTES: usize = 1 << 18;

/// Ends the names of files that replace others: nobody reads them.
const TEMPORARY_SUFFIX: &str = ".tmp";

/// Distinguishes the temporary names of one process.
static TEMPORARY_NEXT: AtomicU64 = AtomicU64::new(0);

/// The directory that a path's name lies in.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Writes a file whole or not at all: under a temporary name in the same directory, fsynced, renamed to `path`, the directory fsynced.
/// What `path` named before is replaced. Mode 0600.
///
/// `fill` writes the contents (buffered); what it returns is handed on. When it or the disk fails, the temporary file is removed and
/// `path` is as it was.
///
/// # Errors
/// [`Error::Disk`] and [`Error::NoSpace`]; whatever `fill` returns.
pub fn write_atomically<T>(disk: &dyn Disk, path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<T, Error>) -> Result<T, Error> {
    let number = TEMPORARY_NEXT.fetch_add(1, Ordering::Relaxed);
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}-{number}{TEMPORARY_SUFFIX}", std::process::id()));
    replace(disk, &directory_of(path).join(name), path, fill)
}

/// [`write_atomically`] of bytes at hand.
///
/// # Errors
/// [`Error::Disk`] and [`Error::NoSpace`].
pub fn write_bytes_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), Error> {
    write_atomically(disk, path, |out| out.write_all(bytes).map_err(|error| Error::disk("writing", path, error)))
}

/// [`write_atomically`] by way of the name `temporary`, which must be free.
pub(crate) fn replace<T>(
    disk: &dyn Disk,
    temporary: &Path,
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> Result<T, Error>,
) -> Result<T, Error> {
    let file = disk.create(temporary).map_err(|error| Error::disk("creating", temporary, error))?;
    let removal = RemoveOnDrop::new(disk, temporary.to_owned());
    let mut out = io::BufWriter::with_capacity(WRITE_BUFFER_BYTES, Cursor::new(&*file));
    let value = fill(&mut out)?;
    out.flush().map_err(|error| Error::disk("writing", path, error))?;
    file.sync().map_err(|error| Error::disk("writing", path, error))?;
    disk.rename(temporary, path).map_err(|error| Error::disk("renaming to", path, error))?;
    removal.keep();
    disk.sync_dir(directory_of(path)).map_err(|error| Error::disk("syncing the directory of", path, error))?;
    Ok(value)
}

/// Removes a file unless told to keep it. A removal that fails is let be: the file is swept the next time.
#[derive(Debug)]
pub(crate) struct RemoveOnDrop<'a> {
    disk: &'a dyn Disk,
    path: Option<PathBuf>,
}

impl<'a> RemoveOnDrop<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, path: PathBuf) -> Self {
        Self { disk, path: Some(path) }
    }

    pub(crate) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for RemoveOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = self.disk.remove(path);
        }
    }
}

/// Takes a lock, with the crate's word for one that is taken.
pub(crate) fn lock(disk: &dyn Disk, path: &Path, what: &Path) -> Result<Box<dyn DiskLock>, Error> {
    disk.lock(path).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => Error::InUse { what: what.display().to_string() },
        _ => Error::disk("locking", path, error),
    })
}

/// Removes the files of `dir` whose names begin and end so: what a killed process left behind.
pub(crate) fn sweep(disk: &dyn Disk, dir: &Path, prefix: &str, suffix: &str) -> Result<(), Error> {
    for name in disk.list(dir).map_err(|error| Error::disk("listing", dir, error))? {
        let stale = name.to_str().is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix));
        if stale {
            let path = dir.join(name);
            disk.remove(&path).map_err(|error| Error::disk("removing", &path, error))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(dir: &Path) -> Vec<OsString> {
        RealDisk.list(dir).unwrap()
    }

    #[test]
    fn writing_replaces_the_file_whole_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_bytes_atomically(&RealDisk, &path, b"first").unwrap();
        write_bytes_atomically(&RealDisk, &path, b"second").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"second");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        write_bytes_atomically(&RealDisk, &path, b"first").unwrap();
        let failed: Result<(), Error> = write_atomically(&RealDisk, &path, |out| {
            out.write_all(b"half").unwrap();
            Err(Error::NoTags)
        });
        assert!(matches!(failed, Err(Error::NoTags)));
        assert_eq!(std::fs::read(&path).unwrap(), b"first");
        assert_eq!(names(dir.path()), ["file"]);
    }

    #[test]
    fn a_missing_directory_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_bytes_atomically(&RealDisk, &dir.path().join("no/such"), b"x").unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::NotFound));
        assert!(error.to_string().contains("no/"), "{error}");
    }

    #[test]
    fn a_lock_is_held_once_and_released_by_drop() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&RealDisk, &path, &path).unwrap();
        assert!(matches!(lock(&RealDisk, &path, &path), Err(Error::InUse { .. })));
        drop(held);
        lock(&RealDisk, &path, &path).unwrap();
    }

    #[test]
    fn directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        RealDisk.create_dir(&path).unwrap();
        RealDisk.create_dir(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }
}
