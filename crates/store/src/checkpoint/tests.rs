//! Checkpoints that were killed, torn, damaged, written by others, or whose disk fails.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use oblink_session::blind::BlindSeed;
use oblink_session::tag::Tag;
use oblink_session::verifier::KeptBatch;
use proptest::prelude::*;
use zeroize::Zeroizing;

use super::{Checkpoint, CheckpointFault, KeptReceipt, KeptSession, Reopened, Run};
use crate::Error;
use crate::disk::{Disk, DiskFile, DiskLock, RealDisk};

const SESSION: [u8; 16] = [7; 16];

fn batch(index: u64, tokens: u32) -> (KeptBatch, Vec<Tag>) {
    let kept =
        KeptBatch { index, first_token: index * 10, tokens, blinded_digest: [index as u8; 32], evaluated_digest: [index as u8 ^ 0xff; 32] };
    (kept, (0..tokens).map(|i| Tag(u128::from(index) << 64 | u128::from(i))).collect())
}

fn open(dir: &Path) -> Checkpoint {
    Checkpoint::open(Arc::new(RealDisk), dir).unwrap()
}

fn batches_of(checkpoint: &mut Checkpoint, session: &[u8; 16]) -> (Vec<(KeptBatch, Vec<Tag>)>, Reopened) {
    let mut all = Vec::new();
    let reopened = checkpoint.open_batches(session, 11, |kept, tags| all.push((kept, tags))).unwrap();
    (all, reopened)
}

fn run(seed: Option<u8>) -> Run {
    Run {
        request: b"request".to_vec(),
        input_sha256: [1; 32],
        options_digest: [2; 32],
        ruleset_digest: [3; 32],
        verifier: [4; 32],
        holder: [5; 32],
        seed: seed.map(|seed| BlindSeed::from_bytes(Zeroizing::new([seed; 32]))),
        handshake: b"hello".to_vec(),
    }
}

fn same(a: &Run, b: &Run) -> bool {
    let seed = |run: &Run| run.seed.as_ref().map(|seed| *seed.to_bytes());
    let digests = |run: &Run| (run.input_sha256, run.options_digest, run.ruleset_digest, run.verifier, run.holder);
    (&a.request, &a.handshake, seed(a), digests(a)) == (&b.request, &b.handshake, seed(b), digests(b))
}

/// A checkpoint with a run, a session, `count` batches of 1, 2, … tokens and a receipt; the length of `batches` after each.
fn fill(dir: &Path, count: u64) -> Vec<u64> {
    let mut checkpoint = open(dir);
    checkpoint.begin(&run(Some(9))).unwrap();
    checkpoint.keep_session(b"session").unwrap();
    assert_eq!(batches_of(&mut checkpoint, &SESSION).1, Reopened::default());
    let mut lengths = vec![std::fs::metadata(dir.join("batches")).unwrap().len()];
    for index in 0..count {
        let (kept, tags) = batch(index, index as u32 + 1);
        checkpoint.append(&kept, &tags).unwrap();
        lengths.push(std::fs::metadata(dir.join("batches")).unwrap().len());
    }
    checkpoint.sync().unwrap();
    checkpoint.keep_receipt(&KeptReceipt { clock_unix_ms: 5, awaiting: b"awaiting".to_vec(), body: b"receipt".to_vec() }).unwrap();
    lengths
}

fn expected(count: u64) -> Vec<(KeptBatch, Vec<Tag>)> {
    (0..count).map(|index| batch(index, index as u32 + 1)).collect()
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("checkpoints/a");
    (folder, dir)
}

#[test]
fn what_was_kept_comes_back() {
    let (_folder, dir) = folder();
    fill(&dir, 5);
    for _ in 0..2 {
        let mut checkpoint = open(&dir);
        assert!(same(&checkpoint.read_run().unwrap().unwrap(), &run(Some(9))));
        assert_eq!(checkpoint.read_session().unwrap(), KeptSession::Saved(b"session".to_vec()));
        let receipt = checkpoint.read_receipt().unwrap().unwrap();
        assert_eq!((receipt.clock_unix_ms, &receipt.awaiting[..], &receipt.body[..]), (5, &b"awaiting"[..], &b"receipt"[..]));
        let (all, reopened) = batches_of(&mut checkpoint, &SESSION);
        assert!(all == expected(5));
        assert_eq!(reopened, Reopened { batches: 5, bytes_cut: 0 });
        // Again, under its old index: it is there already.
        let (kept, tags) = batch(3, 4);
        checkpoint.append(&kept, &tags).unwrap();
    }
    for name in ["run", "session", "batches", "receipt", "lock"] {
        assert_eq!(std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
    assert_eq!(std::fs::metadata(&dir).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn one_run_at_a_time() {
    let (_folder, dir) = folder();
    let held = open(&dir);
    assert!(matches!(Checkpoint::open(Arc::new(RealDisk), &dir), Err(Error::InUse { .. })));
    drop(held);
    open(&dir);
}

#[test]
fn what_was_never_begun_leaves_nothing() {
    let (_folder, dir) = folder();
    drop(open(&dir));
    assert!(!dir.exists());
    fill(&dir, 1);
    drop(open(&dir));
    assert!(dir.join("run").exists() && dir.join("batches").exists());
}

#[test]
fn a_finished_run_leaves_nothing_or_its_hello() {
    let (_folder, dir) = folder();
    fill(&dir, 2);
    open(&dir).finish(true).unwrap();
    let left: Vec<_> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["run"]);
    open(&dir).finish(false).unwrap();
    assert!(!dir.exists());
    assert!(dir.parent().unwrap().exists());
}

/// What one run left is no part of the next.
#[test]
fn a_new_run_begins_with_nothing() {
    let (_folder, dir) = folder();
    fill(&dir, 3);
    let mut checkpoint = open(&dir);
    checkpoint.begin(&run(None)).unwrap();
    assert!(same(&checkpoint.read_run().unwrap().unwrap(), &run(None)));
    assert_eq!(checkpoint.read_session().unwrap(), KeptSession::None);
    assert!(checkpoint.read_receipt().unwrap().is_none());
    assert!(batches_of(&mut checkpoint, &SESSION).0.is_empty());
    let (kept, tags) = batch(0, 1);
    checkpoint.append(&kept, &tags).unwrap();
    // Batches of another session: thrown away.
    assert!(batches_of(&mut checkpoint, &[8; 16]).0.is_empty());
    assert!(batches_of(&mut checkpoint, &SESSION).0.is_empty());
}

#[test]
fn what_a_killed_run_was_writing_is_swept() {
    let (_folder, dir) = folder();
    fill(&dir, 1);
    std::fs::write(dir.join(".run.tmp"), b"half").unwrap();
    std::fs::write(dir.join(".batches.7-1.tmp"), b"half").unwrap();
    let checkpoint = open(&dir);
    assert!(!dir.join(".run.tmp").exists() && !dir.join(".batches.7-1.tmp").exists());
    assert!(checkpoint.read_run().unwrap().is_some());
}

/// A write that was torn at any byte: what is whole before it comes back, and the next batch takes its place.
#[test]
fn batches_cut_anywhere_are_those_before_the_cut() {
    let (_folder, dir) = folder();
    let lengths = fill(&dir, 4);
    let whole = std::fs::read(dir.join("batches")).unwrap();
    for cut in 0..=whole.len() {
        std::fs::write(dir.join("batches"), &whole[..cut]).unwrap();
        let due = lengths.iter().filter(|length| **length <= cut as u64).count().saturating_sub(1) as u64;
        let mut checkpoint = open(&dir);
        let (all, reopened) = batches_of(&mut checkpoint, &SESSION);
        assert!(all == expected(due), "cut at {cut}");
        assert_eq!(reopened.batches, due);
        let (kept, tags) = batch(9, 2);
        checkpoint.append(&kept, &tags).unwrap();
        drop(checkpoint);
        let (again, reopened) = batches_of(&mut open(&dir), &SESSION);
        assert_eq!((reopened.batches, reopened.bytes_cut), (due + 1, 0), "cut at {cut}");
        assert!(again.last().unwrap() == &batch(9, 2));
    }
}

/// Every byte changed: nothing comes back but what was written, and none of it after the damage.
#[test]
fn a_damaged_batch_never_comes_back() {
    let (_folder, dir) = folder();
    let lengths = fill(&dir, 4);
    let whole = std::fs::read(dir.join("batches")).unwrap();
    for at in 0..whole.len() {
        for bit in [1, 0x80] {
            let mut changed = whole.clone();
            changed[at] ^= bit;
            std::fs::write(dir.join("batches"), &changed).unwrap();
            let (all, _) = batches_of(&mut open(&dir), &SESSION);
            let before = lengths.iter().filter(|length| **length <= at as u64).count().saturating_sub(1) as u64;
            assert!(all == expected(before), "byte {at}");
        }
    }
    // Records out of their order, or of another file, do not hold either.
    let record = |i: usize| &whole[lengths[i] as usize..lengths[i + 1] as usize];
    let swapped = [&whole[..lengths[0] as usize], record(1), record(0), record(2)].concat();
    let twice = [&whole[..lengths[2] as usize], record(1), record(2)].concat();
    for (bytes, due) in [(swapped, 0), (twice, 2)] {
        std::fs::write(dir.join("batches"), bytes).unwrap();
        assert!(batches_of(&mut open(&dir), &SESSION).0 == expected(due));
    }
}

#[test]
fn files_of_another_version_are_named() {
    use sha2::{Digest, Sha256};
    let (_folder, dir) = folder();
    fill(&dir, 1);
    let rewrite = |name: &str, at: usize, covered: usize| {
        let path = dir.join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        let covered = if covered == 0 { bytes.len() - 32 } else { covered };
        bytes[at] = 9;
        let digest = Sha256::digest(&bytes[..covered]);
        bytes[covered..covered + 32].copy_from_slice(&digest);
        std::fs::write(path, bytes).unwrap();
    };
    rewrite("run", 0, 0);
    rewrite("session", 0, 0);
    rewrite("receipt", 0, 0);
    rewrite("batches", 7, 25);
    let mut checkpoint = open(&dir);
    let fault = |error: Error| matches!(error, Error::Checkpoint { fault: CheckpointFault::Version { found: 9 }, .. });
    assert!(fault(checkpoint.read_run().unwrap_err()));
    assert!(fault(checkpoint.read_session().unwrap_err()));
    assert!(fault(checkpoint.open_batches(&SESSION, 11, |_, _| ()).unwrap_err()));
    assert!(checkpoint.read_receipt().unwrap().is_none(), "it can be had again");
    drop(checkpoint);
    // One kind of file in the place of another.
    fill(&dir.join("b"), 1);
    std::fs::copy(dir.join("b/session"), dir.join("run")).unwrap();
    assert!(matches!(open(&dir).read_run(), Err(Error::Checkpoint { fault: CheckpointFault::Damaged, .. })));
}

#[test]
fn damaged_files_are_said_to_be() {
    let (_folder, dir) = folder();
    fill(&dir, 1);
    for name in ["run", "session", "receipt"] {
        let path = dir.join(name);
        let whole = std::fs::read(&path).unwrap();
        let damage = (0..whole.len()).map(|at| {
            let mut changed = whole.clone();
            changed[at] ^= 4;
            changed
        });
        let cuts = (0..whole.len()).map(|cut| whole[..cut].to_vec());
        for bytes in damage.chain(cuts) {
            std::fs::write(&path, bytes).unwrap();
            let checkpoint = open(&dir);
            match name {
                "run" => assert!(matches!(checkpoint.read_run(), Err(Error::Checkpoint { fault: CheckpointFault::Damaged, .. }))),
                "session" => assert_eq!(checkpoint.read_session().unwrap(), KeptSession::Damaged),
                _ => assert!(checkpoint.read_receipt().unwrap().is_none()),
            }
        }
        std::fs::write(&path, &whole).unwrap();
    }
    // Nothing is read into memory that no checkpoint can be.
    std::fs::OpenOptions::new().write(true).open(dir.join("run")).unwrap().set_len(1 << 40).unwrap();
    assert!(matches!(open(&dir).read_run(), Err(Error::Checkpoint { fault: CheckpointFault::Damaged, .. })));
    std::fs::OpenOptions::new().write(true).open(dir.join("batches")).unwrap().set_len(1 << 40).unwrap();
    assert!(batches_of(&mut open(&dir), &SESSION).0 == expected(1));
    assert!(std::fs::metadata(dir.join("batches")).unwrap().len() < 1_000);
}

#[test]
fn a_batch_has_the_tags_of_its_tokens() {
    let (_folder, dir) = folder();
    let mut checkpoint = open(&dir);
    let (kept, tags) = batch(0, 3);
    assert!(matches!(checkpoint.append(&kept, &tags), Err(Error::Parameters(_))), "no batches are open");
    assert!(matches!(checkpoint.open_batches(&SESSION, 0, |_, _| ()), Err(Error::Parameters(_))));
    assert!(matches!(checkpoint.open_batches(&SESSION, 17, |_, _| ()), Err(Error::Parameters(_))));
    batches_of(&mut checkpoint, &SESSION);
    assert!(matches!(checkpoint.append(&kept, &tags[..2]), Err(Error::Parameters(_))));
    assert!(matches!(checkpoint.append(&kept, &[Tag(0), Tag(1), Tag(1 << 88)]), Err(Error::Parameters(_))), "it would lose a bit");
    assert!(matches!(checkpoint.append(&KeptBatch { tokens: 0, ..kept }, &[]), Err(Error::Parameters(_))));
    checkpoint.append(&kept, &[Tag(0), Tag(1), Tag((1 << 88) - 1)]).unwrap();
    // All 16 bytes of a tag.
    let widest = [Tag(u128::MAX), Tag(0), Tag(1 << 127)];
    checkpoint.open_batches(&[1; 16], 16, |_, _| ()).unwrap();
    checkpoint.append(&kept, &widest).unwrap();
    let mut back = Vec::new();
    checkpoint.open_batches(&[1; 16], 16, |_, tags| back = tags).unwrap();
    assert!(back == widest);
}

#[test]
fn debug_shows_no_secret() {
    let receipt = KeptReceipt { clock_unix_ms: 5, awaiting: vec![0xab; 4], body: vec![0xab; 4] };
    let shown = format!("{:?} {receipt:?}", run(Some(0xab)));
    assert!(!shown.contains("171") && !shown.contains("ab"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any number of batches in any order, closed and opened at any point, then changed at any bytes: what comes back is a prefix of what was appended.
    #[test]
    fn what_comes_back_is_a_prefix_of_what_was_appended(
        sizes in prop::collection::vec(1_u32..40, 0..12),
        reopen in any::<u16>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let (_folder, dir) = folder();
        let all: Vec<_> = sizes.iter().enumerate().map(|(i, tokens)| batch((i as u64 * 7) % 13, *tokens)).collect();
        let mut checkpoint = open(&dir);
        batches_of(&mut checkpoint, &SESSION);
        for (i, (kept, tags)) in all.iter().enumerate() {
            checkpoint.append(kept, tags).unwrap();
            if reopen & (1 << i) != 0 {
                drop(checkpoint);
                checkpoint = open(&dir);
                prop_assert!(batches_of(&mut checkpoint, &SESSION).0 == all[..=i]);
            }
        }
        drop(checkpoint);
        let path = dir.join("batches");
        let mut bytes = std::fs::read(&path).unwrap();
        let whole = bytes.clone();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        std::fs::write(&path, &bytes).unwrap();
        let back = batches_of(&mut open(&dir), &SESSION).0;
        prop_assert!(all.starts_with(&back));
        if bytes == whole {
            prop_assert!(back == all);
        }
    }

    /// Arbitrary files: no panic, nothing allocated that is not there, and nothing taken for a checkpoint.
    #[test]
    fn invented_files_are_refused(name in 0_usize..4, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let (_folder, dir) = folder();
        let mut checkpoint = open(&dir);
        let path = dir.join(["run", "session", "receipt", "batches"][name]);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        if name == 0 {
            prop_assert!(checkpoint.read_run().is_err());
        }
        prop_assert!(!matches!(checkpoint.read_session().unwrap(), KeptSession::Saved(_)));
        prop_assert!(checkpoint.read_receipt().unwrap().is_none());
        prop_assert!(batches_of(&mut checkpoint, &SESSION).0.is_empty());
    }
}

/// What others may read is refused: it has the seed, or the tags.
#[test]
fn files_that_others_may_read_are_refused() {
    for name in ["run", "session", "batches", "receipt"] {
        let (_folder, dir) = folder();
        fill(&dir, 2);
        std::fs::set_permissions(dir.join(name), std::fs::Permissions::from_mode(0o640)).unwrap();
        let mut checkpoint = open(&dir);
        let error = match name {
            "run" => checkpoint.read_run().err(),
            "session" => checkpoint.read_session().err(),
            "receipt" => checkpoint.read_receipt().err(),
            _ => checkpoint.open_batches(&SESSION, 11, |_, _| ()).err(),
        };
        assert!(matches!(error, Some(Error::Exposed { .. })), "{name}: {error:?}");
    }
}

/// The real disk, which notes the directories that were synced, and the files that were removed.
#[derive(Debug, Default)]
struct NotingDisk(Mutex<Vec<PathBuf>>);

impl Disk for NotingDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path)
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_write(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.lock().unwrap().push(path.to_owned());
        RealDisk.remove(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.lock().unwrap().push(dir.to_owned());
        RealDisk.sync_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        RealDisk.list(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        RealDisk.lock(path)
    }
}

/// A run whose directory's own name was never synced went with the power, and its list was asked, and charged, a second time.
#[test]
fn repro_a_run_is_no_more_durable_than_its_directory() {
    let folder = tempfile::tempdir().unwrap();
    let (above, disk) = (folder.path().join("checkpoints"), Arc::new(NotingDisk::default()));
    std::fs::create_dir(&above).unwrap();
    let dir = above.join("run");
    let mut checkpoint = Checkpoint::open(Arc::clone(&disk) as Arc<dyn Disk>, &dir).unwrap();
    checkpoint.begin(&run(Some(1))).unwrap();
    assert!(disk.0.lock().unwrap().contains(&above));
    // Nor where it was there already: the run that made it may have failed before it came to that (simulation, seeds 1016800 and 1033049 of 0.1).
    drop(checkpoint);
    disk.0.lock().unwrap().clear();
    let checkpoint = Checkpoint::open(Arc::clone(&disk) as Arc<dyn Disk>, &dir).unwrap();
    assert!(checkpoint.read_run().unwrap().is_some());
    assert!(disk.0.lock().unwrap().contains(&above) && disk.0.lock().unwrap().contains(&dir));
}

/// Batches whose sync had failed were found again, believed, and not written again: a loss of power took them once the receipt was signed, and nobody
/// answers them then (simulation, seed 1027970).
#[test]
fn repro_batches_that_are_found_are_written_anew() {
    let (_folder, dir) = folder();
    fill(&dir, 3);
    let before = std::fs::metadata(dir.join("batches")).unwrap();
    let mut checkpoint = open(&dir);
    assert_eq!(batches_of(&mut checkpoint, &SESSION).0, expected(3));
    let after = std::fs::metadata(dir.join("batches")).unwrap();
    assert_ne!(before.ino(), after.ino());
    assert_eq!(before.len(), after.len());
}

/// A loss of power while a finished run was removed could leave the session without its receipt: the same command then asked again what the holder
/// had closed.
#[test]
fn repro_a_session_goes_durably_before_its_receipt() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), Arc::new(NotingDisk::default()));
    let dir = folder.path().join("run");
    let mut checkpoint = Checkpoint::open(Arc::clone(&disk) as Arc<dyn Disk>, &dir).unwrap();
    checkpoint.begin(&run(Some(1))).unwrap();
    disk.0.lock().unwrap().clear();
    checkpoint.keep_session(b"session").unwrap();
    disk.0.lock().unwrap().clear();
    checkpoint.finish(false).unwrap();
    let noted = disk.0.lock().unwrap();
    let place = |path: &Path| noted.iter().position(|other| other == path).unwrap();
    // That it is over is durable before anything is gone.
    assert!(place(&dir) < place(&dir.join("receipt")) && place(&dir.join("batches")) < place(&dir.join("session")), "{noted:?}");
}

/// A run that died while it removed what it kept came back as one that had lost its session.
#[test]
fn repro_a_run_that_died_while_it_was_removed_is_over() {
    let (_folder, dir) = folder();
    for left in [&["receipt", "batches"][..], &["batches"], &[]] {
        fill(&dir, 2);
        let checkpoint = open(&dir);
        checkpoint.write(&dir.join("session"), super::Kind::Over, b"").unwrap();
        ["receipt", "batches"].iter().filter(|name| !left.contains(name)).for_each(|name| std::fs::remove_file(dir.join(name)).unwrap());
        drop(checkpoint);
        let checkpoint = open(&dir);
        assert_eq!(checkpoint.read_session().unwrap(), KeptSession::None);
        assert!(!checkpoint.has_batches().unwrap());
        assert_eq!(checkpoint.read_receipt().unwrap(), None);
        assert!(checkpoint.read_run().unwrap().is_some(), "a request keeps its Hello");
        checkpoint.finish(false).unwrap();
    }
}

/// What a sync that failed was to write may be lost; the next one succeeds all the same.
#[test]
fn repro_no_sync_is_believed_after_one_that_failed() {
    let (_folder, dir) = folder();
    fill(&dir, 1);
    let mut checkpoint = open(&dir);
    batches_of(&mut checkpoint, &SESSION);
    let log = checkpoint.log.as_mut().unwrap();
    // What is no file cannot be synced.
    let file = std::mem::replace(&mut log.file, RealDisk.open(Path::new("/dev/null")).unwrap());
    assert!(checkpoint.sync().is_err());
    checkpoint.log.as_mut().unwrap().file = file;
    assert!(checkpoint.sync().is_err());
    assert_eq!(batches_of(&mut checkpoint, &SESSION).0, expected(1));
    checkpoint.sync().unwrap();
}
