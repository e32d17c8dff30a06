//! A disk that is full when a test wants it to be: a small file system in memory, where this user may mount one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::statvfs::statvfs;

/// What takes up room lies here; a name that no program of ours uses.
const FILLER: &str = "filler";

/// Bytes that are given out at a time.
pub const PAGE: u64 = 4_096;

/// A file system of its own. Dropped, it is gone with all that is on it.
#[derive(Debug)]
pub struct SmallDisk {
    at: PathBuf,
}

fn run(program: &str, configure: impl FnOnce(&mut Command) -> &mut Command) -> Result<(), String> {
    let mut command = Command::new(program);
    let output = configure(&mut command).stdin(Stdio::null()).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()) }
}

impl SmallDisk {
    /// Mounts one of `bytes` at a directory, which is made where it is missing.
    ///
    /// # Errors
    /// Why not: this user may not mount, or the system has no such file system.
    ///
    /// # Panics
    /// Where the directory cannot be made.
    pub fn mount(at: &Path, bytes: u64) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let options = format!("size={bytes},mode=0700");
        run("mount", |command| command.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(at))?;
        Ok(Self { at: at.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.at
    }

    /// Bytes that are free.
    ///
    /// # Panics
    /// Where it cannot be asked.
    #[must_use]
    pub fn free(&self) -> u64 {
        let disk = statvfs(&self.at).unwrap();
        disk.blocks_available() * disk.fragment_size()
    }

    /// Makes it as large as what is on it and `spare` bytes.
    ///
    /// # Panics
    /// Where the system will not.
    pub fn shrink(&self, spare: u64) {
        let disk = statvfs(&self.at).unwrap();
        let used = (disk.blocks() - disk.blocks_free()) * disk.fragment_size();
        self.resize(used + spare);
    }

    /// Makes it of another size.
    ///
    /// # Panics
    /// Where the system will not: more than that is on it.
    pub fn resize(&self, bytes: u64) {
        let options = format!("remount,size={}", bytes.max(PAGE));
        run("mount", |command| command.args(["-o", &options]).arg(&self.at)).unwrap();
    }

    /// Fills it, but for `spare` bytes.
    ///
    /// # Panics
    /// Where it cannot be written at all.
    pub fn fill(&self, spare: u64) {
        let bytes = vec![1; PAGE as usize];
        let mut filler = File::options().append(true).create(true).open(self.at.join(FILLER)).unwrap();
        while self.free() > spare && filler.write_all(&bytes).is_ok() {}
    }

    /// There is room again.
    ///
    /// # Panics
    /// Where the filler will not go.
    pub fn free_up(&self) {
        match fs::remove_file(self.at.join(FILLER)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
            _ => {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also where a program of a failed test still has a file open on it.
        let _ = run("umount", |command| command.arg("-l").arg(&self.at));
    }
}
