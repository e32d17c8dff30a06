//! Epochs on the holder's disk: the seed in `epochs/ID.seed` (0600), the set in `sets/SETID.oblset`, where the key is kept what sealing need not
//! compute again in `epochs/ID.cache`, everything else in the ledger.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use oblink_quic::Fingerprint;
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::request::to_hex;
use oblink_session::set::SetOffer;
use oblink_store::Error as StoreError;
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochRow, SqliteLedger};
use oblink_store::sealed::{SealedSet, set_path};
use zeroize::Zeroizing;

use crate::date::unix_ms;
use crate::failure::{Failure, io_cause};
use crate::files::{FILE_MODE, directory_of, sync_directory, write_atomically};
use crate::home::Home;

fn seed_path(home: &Home, epoch_id: &[u8; 16]) -> PathBuf {
    home.epochs().join(format!("{}.seed", to_hex(epoch_id)))
}

/// Where an epoch's cache is (SPEC EPO-5).
pub(super) fn cache_path(home: &Home, epoch_id: &[u8; 16]) -> PathBuf {
    home.epochs().join(format!("{}.cache", to_hex(epoch_id)))
}

/// A sealed set of this holder's that is gone or damaged.
fn unusable_set(path: &Path, error: StoreError) -> Failure {
    let what = match error.io_kind() {
        Some(kind) => format!("cannot read the sealed set {}: {}", path.display(), io_cause(&kind.into())),
        None => error.to_string(),
    };
    let is_exposed = matches!(error, StoreError::Exposed { .. });
    let failure = Failure::from(error);
    if is_exposed {
        return failure;
    }
    Failure::new(failure.exit(), failure.code(), what).with_hint("seal again with --new-epoch")
}

/// A file of the home cannot be written.
pub(super) fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::input("home_write", format!("cannot write {}: {}", path.display(), io_cause(error))).with_hint(HOME_HINT)
}

/// What helps where that is so.
pub(super) const HOME_HINT: &str = "make room on that disk, and let this user write the home; then run the command again";

/// Keeps an epoch's seed.
pub(super) fn write_seed(home: &Home, epoch_id: &[u8; 16], seed: &EpochSeed) -> Result<(), Failure> {
    let path = seed_path(home, epoch_id);
    write_atomically(&path, &seed.to_bytes()[..]).map_err(|error| cannot_write(&path, &error))
}

pub(super) fn read_keys(home: &Home, epoch_id: &[u8; 16]) -> Result<EpochKeys, Failure> {
    let path = seed_path(home, epoch_id);
    let damaged = |what: String| {
        Failure::input("epoch_key", format!("the epoch's key {}: {what}", path.display())).with_hint("seal again with --new-epoch")
    };
    let bytes = crate::files::read_secret(&path).map_err(|error| damaged(io_cause(&error)))?;
    let Some(bytes) = bytes else {
        let hint = format!("chmod 600 {}; if others may have read it, seal again with --new-epoch", path.display());
        return Err(damaged("it is open to other users".to_owned()).with_hint(hint));
    };
    let seed: [u8; 32] = bytes.as_slice().try_into().map_err(|_| damaged("it is not an epoch's seed".to_owned()))?;
    Ok(EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), *epoch_id)?)
}

/// Whether an epoch's key is there.
pub(super) fn has_seed(home: &Home, epoch_id: &[u8; 16]) -> bool {
    seed_path(home, epoch_id).exists()
}

/// Deletes the key, the set and the cache of an epoch that has ended (SPEC EPO-3): best effort, since a file system may keep old blocks. Gives the
/// files that could not be removed.
pub(super) fn destroy(home: &Home, ended: &EpochRow) -> Vec<PathBuf> {
    let (seed, set) = (seed_path(home, &ended.offer.descriptor.epoch_id), set_path(&home.sets(), &ended.offer.set_id));
    // The set is only unlinked: a session that still streams it must not send zeros. Without the key it is a list of random numbers.
    // So is the cache: without the seed nothing in it can be told from noise.
    let cache = cache_path(home, &ended.offer.descriptor.epoch_id);
    [(erase(&seed), seed), (remove(&set), set), (remove(&cache), cache)]
        .into_iter()
        .filter(|(outcome, _)| outcome.is_err())
        .map(|(_, path)| path)
        .collect()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Overwrites a file in its place, for the file systems where that reaches the blocks, and removes it; one that is gone already is no error.
fn erase(path: &Path) -> io::Result<()> {
    match OpenOptions::new().write(true).open(path) {
        Ok(mut file) => {
            let zeros = [0; 4_096];
            let mut left = file.metadata()?.len();
            while left > 0 {
                let some = left.min(zeros.len() as u64);
                file.write_all(&zeros[..some as usize])?;
                left -= some;
            }
            file.sync_all()?;
            remove(path)?;
            sync_directory(directory_of(path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Ends the epochs of a verifier that is trusted no longer, and destroys their keys and sets. Gives how many there were.
///
/// # Errors
/// Exit 3: the ledger cannot be read or written.
pub(crate) fn end_epochs_of(home: &Home, verifier: Fingerprint) -> Result<u64, Failure> {
    if !home.ledger().exists() {
        return Ok(0);
    }
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let mut ended = 0;
    for row in ledger.epochs()?.iter().filter(|row| row.ended.is_none() && row.verifier == Some(*verifier.as_bytes())) {
        let (epoch_id, now) = (&row.offer.descriptor.epoch_id, unix_ms(SystemTime::now()));
        ended += match ledger.end_epoch(epoch_id, "trusted no longer", false, now) {
            Ok(new) => u64::from(new),
            // Booking needs the key. Nobody is admitted to it meanwhile; `serve` ends it once all is booked.
            Err(StoreError::Unbooked { sessions }) => {
                tracing::warn!(sessions, "an epoch is closed and does not end yet: matched tags are to be booked first (ledger account)");
                u64::from(ledger.close_epoch(epoch_id, "trusted no longer", now, now)?)
            }
            Err(other) => return Err(other.into()),
        };
    }
    sweep(home, &ledger, None)?;
    Ok(ended)
}

/// Held by every seal and audit of a home while it is at work, together with others.
const SEALING_LOCK: &str = ".sealing.lock";

fn sealing_lock(home: &Home) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(home.epochs().join(SEALING_LOCK))
}

/// That a seal is at work in a home, while the value lives: until its end what it makes is in no ledger, and looks like a killed one's.
#[derive(Debug)]
pub(super) struct Sealing(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Sealing {
    /// Says so, after what killed seals left has been cleared away.
    ///
    /// # Errors
    /// Exit 3: the home cannot be written, the ledger cannot be read.
    pub(super) fn begin(home: &Home) -> Result<Self, Failure> {
        if home.ledger().exists() {
            sweep(home, &SqliteLedger::open(&home.ledger())?, None)?;
        }
        let lock = sealing_lock(home).and_then(|file| file.lock_shared().map(|()| file));
        lock.map(Self).map_err(|error| cannot_write(&home.epochs().join(SEALING_LOCK), &error))
    }
}

/// That no seal is at work in this home, and none begins while the value lives. Where that cannot be told, one may be.
fn alone(home: &Home) -> Option<File> {
    sealing_lock(home).ok().filter(|file| file.try_lock().is_ok())
}

/// Files that no epoch of the ledger owns are left alone while they are younger than this and a seal is at work: it may be about to enter them.
const ORPHAN_AGE: Duration = Duration::from_secs(3_600);

/// Whether a file that can be dated is older than [`ORPHAN_AGE`].
fn is_old(path: &Path) -> bool {
    fs::symlink_metadata(path).and_then(|metadata| metadata.modified()).is_ok_and(|at| at.elapsed().is_ok_and(|age| age > ORPHAN_AGE))
}

/// Removes what a seal made that could not be put in service: the set, and the key and the cache of an epoch that did not begin, unless the ledger
/// has them in service all the same. Then [`sweep`]s, since the epoch may have ended while records were sealed under its key.
///
/// # Errors
/// Exit 3: the ledger cannot be read; then nothing is removed.
pub(super) fn discard(home: &Home, ledger: &SqliteLedger, epoch_id: &[u8; 16], set_id: &[u8; 32]) -> Result<(), Failure> {
    let current = ledger.live_files()?;
    let mut left = Vec::new();
    if current.iter().all(|live| live.set_id != *set_id) {
        let set = set_path(&home.sets(), set_id);
        left.extend(remove(&set).is_err().then_some(set));
    }
    if current.iter().all(|live| live.epoch_id != *epoch_id) {
        let (seed, cache) = (seed_path(home, epoch_id), cache_path(home, epoch_id));
        left.extend(
            [(erase(&seed), seed), (remove(&cache), cache)].into_iter().filter(|(outcome, _)| outcome.is_err()).map(|(_, path)| path),
        );
    }
    report_left(&left);
    sweep(home, ledger, None)
}

fn report_left(left: &[PathBuf]) {
    for path in left {
        tracing::warn!(path = %path.display(), "a file of an epoch that has ended could not be removed: remove it by hand");
    }
}

/// Removes the keys, sets and caches of epochs that are not current, and the sets that others took the place of: also what a crash around the
/// ledger's entry left. While a seal is at work, what is young stays: a set that was replaced may be about to go into service again; but not that
/// which the caller has just `replaced`.
///
/// # Errors
/// Exit 3: the ledger cannot be read.
pub(super) fn sweep(home: &Home, ledger: &SqliteLedger, replaced: Option<&[u8; 32]>) -> Result<(), Failure> {
    // In this order: what lay there before nobody sealed is in the ledger by now, or will never be.
    let entries = [home.epochs(), home.sets()].into_iter().filter_map(|directory| fs::read_dir(directory).ok()).flatten().flatten();
    let found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    // Held to the end: a seal that began meanwhile might make files of the same names.
    let alone = alone(home);
    let ended = ledger.epochs()?.into_iter().filter(|row| row.ended.is_some());
    let mut left: Vec<PathBuf> = ended.flat_map(|row| destroy(home, &row)).collect();
    let current = ledger.live_files()?;
    // The same records under the same key are the same set: what was replaced may be in its place again.
    let earlier = ledger.earlier_sets()?.into_iter().filter(|earlier| current.iter().all(|live| live.set_id != earlier.set_id));
    let over = earlier.filter(|earlier| {
        let goes_on = current.iter().any(|live| live.epoch_id == earlier.epoch_id);
        !goes_on || replaced == Some(&earlier.set_id) || is_old(&set_path(&home.sets(), &earlier.set_id))
    });
    // Only unlinked, as sessions that were opened with it go on reading it.
    left.extend(over.map(|earlier| set_path(&home.sets(), &earlier.set_id)).filter(|path| remove(path).is_err()));
    let live: Vec<String> = current.iter().flat_map(|live| [to_hex(&live.epoch_id), to_hex(&live.set_id)]).collect();
    for path in found {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_ours = [".seed", ".oblset", ".new", ".cache"].iter().any(|ending| name.ends_with(ending))
            && !live.iter().any(|live| name.starts_with(live))
            || name.ends_with(".tmp") && (name.starts_with(".sealing-") || name.starts_with('.') && name.contains(".seed."));
        if is_ours && (alone.is_some() || is_old(&path)) {
            // Sets are only unlinked, here too.
            let gone = if name.contains(".seed") { erase(&path) } else { remove(&path) };
            left.extend(gone.is_err().then_some(path));
        }
    }
    report_left(&left);
    Ok(())
}

/// An epoch ready to answer: its keys and its checked set.
#[derive(Debug)]
pub(super) struct OpenEpoch {
    pub(super) keys: EpochKeys,
    pub(super) set: SealedSet,
}

/// An epoch and one of its sets: an epoch that keeps its key may have several, one after the other.
type EpochAndSet = ([u8; 16], [u8; 32]);

/// The epochs that `serve` has opened, each with a set. A set is read through once, when it is first needed.
#[derive(Debug, Default)]
pub(super) struct OpenEpochs(Mutex<HashMap<EpochAndSet, Arc<OpenEpoch>>>);

impl OpenEpochs {
    /// The epoch of a ledger row: keys, and a set that is what the ledger says.
    pub(super) fn open(&self, home: &Home, row: &EpochRow) -> Result<Arc<OpenEpoch>, Failure> {
        let offer: &SetOffer = &row.offer;
        let mut epochs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let which = (offer.descriptor.epoch_id, offer.set_id);
        if let Some(open) = epochs.get(&which) {
            return Ok(Arc::clone(open));
        }
        let keys = read_keys(home, &offer.descriptor.epoch_id)?;
        let path = set_path(&home.sets(), &offer.set_id);
        let set = SealedSet::open(&RealDisk, &path).map_err(|error| unusable_set(&path, error))?;
        if set.offer() != offer || keys.public_key() != offer.descriptor.public_key {
            return Err(Failure::input("epoch_mismatch", "the sealed set, its key and the ledger do not belong together")
                .with_hint("seal again with --new-epoch"));
        }
        let open = Arc::new(OpenEpoch { keys, set });
        epochs.insert(which, Arc::clone(&open));
        Ok(open)
    }

    /// Lets go of epochs that have ended, and of sets that were replaced, where no session uses them: the keys are wiped.
    pub(super) fn forget_ended(&self, home: &Home) {
        let mut epochs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        epochs.retain(|(epoch_id, set_id), open| {
            Arc::strong_count(open) > 1 || (seed_path(home, epoch_id).exists() && set_path(&home.sets(), set_id).exists())
        });
    }
}

#[cfg(test)]
mod tests {
    use oblink_session::epoch::SUITE_RISTRETTO255;
    use oblink_session::set::SetDescriptor;
    use oblink_session::tag::Tau;
    use oblink_store::ledger::{EpochEntry, EpochLimits};

    use super::*;
    use crate::home::Role;

    const EPOCH: [u8; 16] = [1; 16];
    const FIRST: [u8; 32] = [11; 32];
    const SECOND: [u8; 32] = [12; 32];

    fn entry(set_id: [u8; 32]) -> EpochEntry {
        let descriptor = SetDescriptor {
            suite: SUITE_RISTRETTO255,
            tau: Tau::for_counts(1_000, 1_000).unwrap(),
            tokens_per_pair: 1,
            as_of: 0,
            session_tokens_max: 1_000,
            declared_tags: 1_000,
            tags: 1_000,
            epoch_id: EPOCH,
            ruleset_digest: [2; 32],
            public_key: [3; 32],
        };
        let offer = SetOffer { descriptor, set_id, set_bytes: 4 };
        EpochEntry {
            verifier: Some([5; 32]),
            offer,
            records: 1_000,
            rejected: 0,
            input_digest: None,
            policy: None,
            limits: EpochLimits::default(),
            clock_unix_ms: 1_000,
        }
    }

    /// A home with one epoch in service, and the files of its seed, its cache and these sets.
    fn home(at: &Path, sets: &[[u8; 32]]) -> (Home, SqliteLedger) {
        let home = Home::init(&at.join("h"), Role::Holder, "Tax Agency").unwrap();
        for path in [seed_path(&home, &EPOCH), cache_path(&home, &EPOCH)] {
            fs::create_dir_all(directory_of(&path)).unwrap();
            fs::write(path, [7; 32]).unwrap();
        }
        fs::create_dir_all(home.sets()).unwrap();
        sets.iter().for_each(|set| fs::write(set_path(&home.sets(), set), [7; 32]).unwrap());
        let mut ledger = SqliteLedger::open(&home.ledger()).unwrap();
        ledger.begin_epoch(&entry(FIRST)).unwrap();
        (home, ledger)
    }

    /// Whether there are: the seed, the cache, the first set, the second one.
    fn there(home: &Home) -> [bool; 4] {
        let sets = home.sets();
        [seed_path(home, &EPOCH), cache_path(home, &EPOCH), set_path(&sets, &FIRST), set_path(&sets, &SECOND)].map(|path| path.exists())
    }

    #[test]
    fn what_was_sealed_for_an_epoch_that_ended_meanwhile_is_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let (home, mut ledger) = home(folder.path(), &[FIRST, SECOND]);
        ledger.end_epoch(&EPOCH, "trusted no longer", false, 2_000).unwrap();
        assert!(ledger.replace_set(&entry(SECOND)).is_err());
        discard(&home, &ledger, &EPOCH, &SECOND).unwrap();
        assert_eq!(there(&home), [false; 4]);
    }

    /// A seal in the middle of its work.
    fn at_work(home: &Home) -> Sealing {
        let lock = sealing_lock(home).unwrap();
        lock.lock_shared().unwrap();
        Sealing(lock)
    }

    /// A killed seal's set, seed and temporary files once lay there for an hour, and those of its seed for good.
    #[test]
    fn repro_what_a_killed_seal_left_goes_at_once_unless_one_is_at_work() {
        let folder = tempfile::tempdir().unwrap();
        let (home, ledger) = home(folder.path(), &[FIRST, SECOND]);
        let seed = to_hex(&[9; 16]);
        let orphans = [
            home.epochs().join(format!("{seed}.seed")),
            home.epochs().join(format!(".{seed}.seed.0123456789abcdef.tmp")),
            home.sets().join(format!(".sealing-{seed}.new.tmp")),
            home.sets().join(format!("{seed}.new")),
            set_path(&home.sets(), &SECOND),
        ];
        orphans.iter().for_each(|path| fs::write(path, [7; 32]).unwrap());
        let at_work = at_work(&home);
        sweep(&home, &ledger, None).unwrap();
        assert!(orphans.iter().all(|path| path.exists()), "they may be of the one at work");
        drop(at_work);
        let _sealing = Sealing::begin(&home).unwrap();
        assert!(orphans.iter().all(|path| !path.exists()));
        assert_eq!(there(&home), [true, true, true, false]);
    }

    #[test]
    fn what_is_in_service_is_not_discarded() {
        let folder = tempfile::tempdir().unwrap();
        let (home, ledger) = home(folder.path(), &[FIRST, SECOND]);
        let _sealing = at_work(&home);
        discard(&home, &ledger, &EPOCH, &FIRST).unwrap();
        assert_eq!(there(&home), [true; 4]);
        discard(&home, &ledger, &EPOCH, &SECOND).unwrap();
        assert_eq!(there(&home), [true, true, true, false]);
    }

    #[test]
    fn a_young_set_that_was_replaced_stays_but_for_the_one_just_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (home, mut ledger) = home(folder.path(), &[FIRST, SECOND]);
        // Which may be about to put the first one back.
        let sealing = at_work(&home);
        ledger.replace_set(&entry(SECOND)).unwrap();
        sweep(&home, &ledger, None).unwrap();
        assert_eq!(there(&home), [true; 4]);
        sweep(&home, &ledger, Some(&FIRST)).unwrap();
        assert_eq!(there(&home), [true, true, false, true]);
        // An old one goes whoever replaced it.
        let path = set_path(&home.sets(), &FIRST);
        fs::write(&path, [7; 32]).unwrap();
        let at = SystemTime::now() - ORPHAN_AGE - Duration::from_secs(60);
        fs::File::options().write(true).open(&path).unwrap().set_modified(at).unwrap();
        sweep(&home, &ledger, None).unwrap();
        assert_eq!(there(&home), [true, true, false, true]);
        // A young one goes too once nobody seals.
        fs::write(&path, [7; 32]).unwrap();
        drop(sealing);
        sweep(&home, &ledger, None).unwrap();
        assert_eq!(there(&home), [true, true, false, true]);
    }
}
