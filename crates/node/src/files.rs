//! Files that are there whole or not at all, and that nobody else may read.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;
use zeroize::Zeroizing;

/// The mode of every file that this crate writes.
pub(crate) const FILE_MODE: u32 = 0o600;

/// A file under a temporary name beside its place; gone again unless it is [kept](Self::keep).
pub(crate) struct Pending {
    file: Option<File>,
    temporary: PathBuf,
    place: PathBuf,
}

impl Pending {
    /// Creates the temporary file (0600) in the directory of `place`.
    pub(crate) fn create(place: &Path) -> io::Result<Self> {
        let mut salt = [0; 8];
        SysRng.try_fill_bytes(&mut salt).map_err(|_| io::Error::other("the system gave no random bytes"))?;
        let mut name = OsString::from(".");
        name.push(place.file_name().ok_or(io::ErrorKind::InvalidInput)?);
        name.push(format!(".{:016x}.tmp", u64::from_be_bytes(salt)));
        let temporary = directory_of(place).join(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&temporary)?;
        // Shows `sweep` that somebody is at work on it. Where the file system has no locks, nothing is swept either.
        let _ = file.try_lock();
        Ok(Self { file: Some(file), temporary, place: place.to_owned() })
    }

    /// The open file.
    pub(crate) fn file(&mut self) -> io::Result<&mut File> {
        self.file.as_mut().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    /// Makes what was written durable, and puts it in its place; what was there is replaced.
    pub(crate) fn keep(mut self) -> io::Result<()> {
        self.file()?.sync_all()?;
        fs::rename(&self.temporary, &self.place)?;
        self.file = None;
        sync_directory(directory_of(&self.place))
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // Nothing can be done about a temporary file that will not go.
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

/// Removes what killed processes left of files in the making: [`Pending`] ones for `place` that nobody holds any more.
pub(crate) fn sweep(place: &Path) {
    let Some(name) = place.file_name().map(|name| name.to_string_lossy().into_owned()) else { return };
    let Ok(entries) = fs::read_dir(directory_of(place)) else { return };
    for entry in entries.flatten() {
        let found = entry.file_name().to_string_lossy().into_owned();
        let salt = found.strip_prefix('.').and_then(|rest| rest.strip_prefix(&name)).and_then(|rest| rest.strip_prefix('.'));
        let salt = salt.and_then(|rest| rest.strip_suffix(".tmp"));
        if salt.is_some_and(|salt| salt.len() == 16 && salt.bytes().all(|byte| byte.is_ascii_hexdigit()))
            && File::open(entry.path()).is_ok_and(|file| file.try_lock().is_ok())
        {
            // One that will not go does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes the temporary files that killed processes left in a directory; for those who know that nobody else writes there.
pub(crate) fn sweep_temporary(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with('.')
            && name.ends_with(".tmp")
            && let Err(error) = fs::remove_file(entry.path())
        {
            tracing::warn!(path = %entry.path().display(), %error, "a temporary file could not be removed: remove it by hand");
        }
    }
}

/// Reads a secret file into memory that wipes itself; `None` where other users may open it (a mode wider than 0600).
pub(crate) fn read_secret(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut file = File::open(path)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        return Ok(None);
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(64));
    file.read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// The mode of a file that is there, where it has any of the bits of `mask`.
pub(crate) fn mode_within(path: &Path, mask: u32) -> io::Result<Option<u32>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o777).filter(|mode| mode & mask != 0)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file (0600) whole or not at all.
pub(crate) fn write_atomically(place: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut pending = Pending::create(place)?;
    pending.file()?.write_all(bytes)?;
    pending.keep()
}

/// Whether this user may write in the directory. Its mode is asked too, because root may write against it and an operator who
/// took the right away meant it.
pub(crate) fn is_writable(directory: &Path) -> io::Result<bool> {
    let mode = fs::metadata(directory)?.permissions().mode();
    Ok(mode & 0o222 != 0 && nix::unistd::access(directory, nix::unistd::AccessFlags::W_OK | nix::unistd::AccessFlags::X_OK).is_ok())
}

/// The directory that holds `path`.
pub(crate) fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A rename is durable once its directory is.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_killed_processes_left_is_swept_and_what_others_write_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("results.csv");
        let mut pending = Pending::create(&place).unwrap();
        let stale = folder.path().join(".results.csv.0123456789abcdef.tmp");
        let others = [".results.csv.tmp", ".results.csv.0123.tmp", ".other.csv.0123456789abcdef.tmp", "results.csv"];
        for path in others.map(|name| folder.path().join(name)).iter().chain([&stale]) {
            fs::write(path, b"x").unwrap();
        }
        sweep(&place);
        assert!(!stale.exists());
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
        pending.file().unwrap().write_all(b"y").unwrap();
        pending.keep().unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"y");
    }

    #[test]
    fn a_file_is_replaced_whole_or_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("a");
        write_atomically(&place, b"one").unwrap();
        let mut pending = Pending::create(&place).unwrap();
        pending.file().unwrap().write_all(b"two").unwrap();
        drop(pending);
        assert_eq!(fs::read(&place).unwrap(), b"one");
        write_atomically(&place, b"three").unwrap();
        assert_eq!(fs::read(&place).unwrap(), b"three");
        assert_eq!(fs::metadata(&place).unwrap().permissions().mode() & 0o777, FILE_MODE);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "a temporary file was left");
    }
}
