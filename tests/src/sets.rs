//! Files as a test looks at them, or harms them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A file's permission bits.
///
/// # Panics
/// Where there is no such file.
#[must_use]
pub fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The files in `directory` and below whose names end so, sorted.
///
/// # Panics
/// Where it cannot be read.
#[must_use]
pub fn files_below(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_below(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The only such file.
///
/// # Panics
/// Where there is none, or more.
#[must_use]
pub fn only_file(directory: &Path, ending: &str) -> PathBuf {
    let found = files_below(directory, ending);
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// Changes one bit in the middle of a file.
///
/// # Panics
/// Where it cannot be written.
pub fn flip_a_byte(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}
