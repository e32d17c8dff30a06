//! How much room a disk has.

use std::path::Path;

use nix::sys::statvfs::statvfs;

use crate::failure::Failure;

/// What stays free beside a set that is to be received: for receipts, results and whoever else uses the disk.
const BESIDE_BYTES: u64 = 256 << 20;

/// Bytes that this user may still write where `path` is.
///
/// # Errors
/// Exit 3: the disk cannot be asked.
pub(crate) fn free_bytes(path: &Path) -> Result<u64, Failure> {
    let disk = statvfs(path).map_err(|error| Failure::input("disk", format!("the disk of {} cannot be asked: {error}", path.display())))?;
    Ok(disk.blocks_available().saturating_mul(disk.fragment_size()))
}

/// Refuses a sealed set that would fill the disk: a holder may offer one of any size, and nothing of it is believed before all of it is here. `set_bytes`
/// are those that are still to come.
///
/// # Errors
/// Exit 3: there is no room for it.
pub(crate) fn room_for_set(set_bytes: u64, free_bytes: u64) -> Result<(), Failure> {
    if set_bytes.checked_add(BESIDE_BYTES).is_some_and(|needed| needed <= free_bytes) {
        return Ok(());
    }
    let megabytes = |bytes: u64| bytes / 1_000_000;
    let what = format!(
        "{} MB of the holder's sealed set are to come, and {} MB are free where the home is",
        megabytes(set_bytes),
        megabytes(free_bytes)
    );
    Err(Failure::input("no_space", what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_that_would_fill_the_disk_is_refused() {
        assert!(room_for_set(57_000_000, 1 << 30).is_ok());
        assert!(room_for_set(0, BESIDE_BYTES).is_ok());
        for (set, free) in [(1, BESIDE_BYTES), (1 << 43, 1 << 40), (u64::MAX, u64::MAX), (57_000_000, 100_000_000)] {
            let failure = room_for_set(set, free).unwrap_err();
            assert_eq!((failure.exit().code(), failure.code()), (3, "no_space"));
        }
        assert!(free_bytes(Path::new("/")).is_ok());
    }
}
