//! Epochs on the holder's disk: the seed in `epochs/ID.seed` (0600), the set in `sets/SETID.oblset`, everything else in the ledger.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::request::to_hex;
use oblink_session::set::SetOffer;
use oblink_store::Error as StoreError;
use oblink_store::disk::RealDisk;
use oblink_store::ledger::EpochRow;
use oblink_store::sealed::{SealedSet, set_path};
use zeroize::Zeroizing;

use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;

fn seed_path(home: &Home, epoch_id: &[u8; 16]) -> PathBuf {
    home.epochs().join(format!("{}.seed", to_hex(epoch_id)))
}

/// A sealed set of this holder's that is gone or damaged.
fn unusable_set(path: &Path, error: StoreError) -> Failure {
    let what = match error.io_kind() {
        Some(kind) => format!("cannot read the sealed set {}: {}", path.display(), io_cause(&kind.into())),
        None => error.to_string(),
    };
    let failure = Failure::from(error);
    Failure::new(failure.exit(), failure.code(), what).with_hint("seal again: it begins a new epoch")
}

/// Keeps an epoch's seed.
pub(super) fn write_seed(home: &Home, epoch_id: &[u8; 16], seed: &EpochSeed) -> Result<(), Failure> {
    let path = seed_path(home, epoch_id);
    write_atomically(&path, &seed.to_bytes()[..])
        .map_err(|error| Failure::input("home_write", format!("cannot write {}: {}", path.display(), io_cause(&error))))
}

fn read_keys(home: &Home, epoch_id: &[u8; 16]) -> Result<EpochKeys, Failure> {
    let path = seed_path(home, epoch_id);
    let damaged = |what: String| {
        Failure::input("epoch_key", format!("the epoch's key {}: {what}", path.display())).with_hint("seal again: it begins a new epoch")
    };
    let bytes = crate::files::read_secret(&path).map_err(|error| damaged(io_cause(&error)))?;
    let Some(bytes) = bytes else {
        let hint = format!("chmod 600 {}; if others may have read it, seal again", path.display());
        return Err(damaged("it is open to other users".to_owned()).with_hint(hint));
    };
    let seed: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged("it is not an epoch's seed".to_owned()))?;
    Ok(EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), *epoch_id)?)
}

/// Deletes the key and the set of an epoch that has ended (SPEC EPO-3): best effort, since a file system may keep old blocks. Gives the
/// files that could not be removed.
pub(super) fn destroy(home: &Home, ended: &EpochRow) -> Vec<PathBuf> {
    let seed = seed_path(home, &ended.offer.descriptor.epoch_id);
    // Overwritten first, for the file systems where that reaches the blocks.
    if let Ok(metadata) = fs::metadata(&seed) {
        let _ = fs::write(&seed, vec![0; metadata.len() as usize]);
    }
    let gone = |path: &Path| fs::remove_file(path).map_or_else(|error| error.kind() == std::io::ErrorKind::NotFound, |()| true);
    [seed, set_path(&home.sets(), &ended.offer.set_id)].into_iter().filter(|path| !gone(path)).collect()
}

/// An epoch ready to answer: its keys and its checked set.
#[derive(Debug)]
pub(super) struct OpenEpoch {
    pub(super) keys: EpochKeys,
    pub(super) set: SealedSet,
}

/// The epochs that `serve` has opened. Each set is read through once, when it is first needed.
#[derive(Debug, Default)]
pub(super) struct OpenEpochs(Mutex<HashMap<[u8; 16], Arc<OpenEpoch>>>);

impl OpenEpochs {
    /// The epoch of a ledger row: keys, and a set that is what the ledger says.
    pub(super) fn open(&self, home: &Home, row: &EpochRow) -> Result<Arc<OpenEpoch>, Failure> {
        let offer: &SetOffer = &row.offer;
        let mut epochs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = epochs.get(&offer.descriptor.epoch_id) {
            return Ok(Arc::clone(open));
        }
        let keys = read_keys(home, &offer.descriptor.epoch_id)?;
        let path = set_path(&home.sets(), &offer.set_id);
        let set = SealedSet::open(&RealDisk, &path).map_err(|error| unusable_set(&path, error))?;
        if set.offer() != offer || keys.public_key() != offer.descriptor.public_key {
            return Err(Failure::input("epoch_mismatch", "the sealed set, its key and the ledger do not belong together")
                .with_hint("seal again: it begins a new epoch"));
        }
        let open = Arc::new(OpenEpoch { keys, set });
        // What has ended is not kept: its keys are wiped when the last session under it ends.
        epochs.retain(|_, other| Arc::strong_count(other) > 1 || seed_path(home, &other.set.offer().descriptor.epoch_id).exists());
        epochs.insert(offer.descriptor.epoch_id, Arc::clone(&open));
        Ok(open)
    }
}
