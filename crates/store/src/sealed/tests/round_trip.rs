//! What is sealed is what is read; the file depends on nothing else; nothing is left behind.

use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use oblink_session::tag::Tag;
use proptest::prelude::*;

use super::*;
use crate::disk::{Cursor, Disk, DiskFile, DiskLock};
use crate::sealed::{Origin, SetReader, VerifiedSet, set_bytes_bounds};

fn read_tags(path: &Path) -> Vec<u128> {
    let file = RealDisk.open(path).unwrap();
    let mut reader = SetReader::new(Cursor::new(&*file), Origin::Own(path.to_owned())).unwrap();
    let mut tags = Vec::new();
    while let Some(block) = reader.next_block().unwrap() {
        tags.extend(block.iter().map(|tag| tag.0));
    }
    tags
}

/// Seals and holds everything against the model.
fn check(values: &[u128], session_tokens_max: u64) {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), values, &parameters(session_tokens_max)).unwrap();
    let (declared, tags) = model(values, session_tokens_max);
    let descriptor = &set.offer().descriptor;
    assert_eq!((descriptor.declared_tags, descriptor.tags), (declared, tags.len() as u64));
    assert_eq!(read_tags(set.path()), tags);
    let file = std::fs::read(set.path()).unwrap();
    assert_eq!(set.offer().set_bytes, file.len() as u64);
    assert_eq!(set.offer().set_id, <[u8; 32]>::from(Sha256::digest(&file)));
    let (least, most) = set_bytes_bounds(descriptor).unwrap();
    assert!((least..=most).contains(&set.offer().set_bytes), "{least} {} {most}", set.offer().set_bytes);
    set.check().unwrap();
    assert_eq!(SealedSet::open(&RealDisk, set.path()).unwrap().offer(), set.offer());
}

/// SET-2, SET-3: at, before and behind the ends of blocks.
#[test]
fn sets_round_trip_around_block_ends() {
    for n in [1, 2, 3, 4_095, 4_096, 4_097, 8_191, 8_192, 8_193, 20_000] {
        check(&(0..n).map(prefix).collect::<Vec<_>>(), 1 << 24);
    }
}

#[test]
fn extreme_and_crowded_tags_round_trip() {
    check(&[0], 1);
    check(&[u128::MAX], 1 << 40);
    check(&[0, u128::MAX], 1);
    check(&[0, 1, u128::MAX - 1, u128::MAX], 1 << 40);
    // One block that holds every quotient: all tags at the low end but the last.
    let mut crowded: Vec<u128> = (0..4_000).map(|i| i << 70).collect();
    crowded.push(u128::MAX);
    check(&crowded, 1 << 24);
    // The same at the high end, over more than one block.
    check(&(0..10_000).map(|i| u128::MAX - (i << 64)).chain([0]).collect::<Vec<_>>(), 1 << 24);
}

/// Values that fall together in their first bits, or in all of them.
fn value() -> impl Strategy<Value = u128> {
    prop_oneof![4 => any::<u128>(), 2 => (0..50_u128).prop_map(|i| i << 60), 1 => Just(0), 1 => Just(u128::MAX), 2 => 0..9_u128]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_values_round_trip(values in prop::collection::vec(value(), 1..400), cap_log2 in 0..=40_u32) {
        check(&values, 1 << cap_log2);
    }

    /// SET-6
    #[test]
    fn memory_and_order_do_not_show(
        values in prop::collection::vec(value(), 1..300),
        capacity in 1..60_usize,
        fan_in in 2..5_usize,
        buffer_bytes in 1..100_usize,
        piece in 1..40_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let parameters = parameters(1 << 24);
        let want = seal(dir.path(), &values, &parameters).unwrap();
        let work = dir.path().join("work");
        let mut builder = SetBuilder::with_sizes(Arc::new(RealDisk), &work, capacity, fan_in, buffer_bytes).unwrap();
        let reversed: Vec<u128> = values.iter().rev().copied().collect();
        for piece in as_prefixes(&reversed).chunks(piece) {
            builder.push(piece).unwrap();
        }
        let got = builder.finish(&parameters, &dir.path().join("other.oblset")).unwrap();
        prop_assert_eq!(got.offer(), want.offer());
        prop_assert_eq!(std::fs::read(got.path()).unwrap(), std::fs::read(want.path()).unwrap());
        prop_assert_eq!(names(&work), Vec::<String>::new());
    }

    #[test]
    fn a_join_gives_just_the_indexes_that_match(
        held in prop::collection::vec(value(), 1..300),
        other in prop::collection::vec(value(), 0..300),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let set = seal(dir.path(), &held, &parameters(1 << 24)).unwrap();
        let verified = VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap();
        let tau = set.offer().descriptor.tau;
        let (_, tags) = model(&held, 1 << 24);
        let asked: Vec<Tag> = other.iter().chain(held.iter().step_by(3)).map(|value| tau.truncate(TagPrefix(*value))).collect();
        let want: Vec<u64> = (0..).zip(&asked).filter(|(_, tag)| tags.binary_search(&tag.0).is_ok()).map(|(index, _)| index).collect();
        let mut pairs: Vec<(Tag, u64)> = asked.into_iter().zip(0..).collect();
        prop_assert_eq!(verified.join(&mut pairs).unwrap(), want);
    }
}

#[test]
fn a_join_spans_blocks_and_matches_every_duplicate() {
    let dir = tempfile::tempdir().unwrap();
    let values: Vec<u128> = (0..10_000).map(prefix).collect();
    let set = seal(dir.path(), &values, &parameters(1 << 24)).unwrap();
    let verified = VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap();
    let tau = set.offer().descriptor.tau;
    // Even indexes are held, odd ones are not; index 20,000 repeats index 0's tag.
    let tag = |i: u64| tau.truncate(TagPrefix(prefix(if i.is_multiple_of(2) { i / 2 } else { 1_000_000 + i })));
    let mut asked: Vec<(Tag, u64)> = (0..20_000).map(|i| (tag(i), i)).chain([(tag(0), 20_000)]).collect();
    assert_eq!(verified.join(&mut asked).unwrap(), (0..=20_000).step_by(2).collect::<Vec<u64>>());
    assert_eq!(verified.join(&mut []).unwrap(), Vec::<u64>::new());
}

#[test]
fn nothing_to_seal_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(seal(dir.path(), &[], &parameters(1)), Err(Error::NoTags)));
    assert_eq!(names(dir.path()), ["work"]);
}

#[test]
fn parameters_that_make_no_set_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let bad = [
        parameters(0),
        parameters((1 << 40) + 1),
        SetParameters { suite: 2, ..parameters(1) },
        SetParameters { tokens_per_pair: 0, ..parameters(1) },
        SetParameters { tokens_per_pair: 65, ..parameters(1) },
    ];
    for parameters in bad {
        assert!(matches!(seal(dir.path(), &[1], &parameters), Err(Error::Parameters(_))), "{parameters:?}");
    }
    assert_eq!(names(dir.path()), ["work"]);
}

#[test]
fn runs_are_private_swept_and_one_build_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    std::fs::write(work.join("run-3.tmp"), b"left by a killed build").unwrap();
    std::fs::write(dir.path().join(".sealing-set.oblset.tmp"), b"likewise").unwrap();
    let mut builder = SetBuilder::with_sizes(Arc::new(RealDisk), &work, 4, 2, 64).unwrap();
    assert_eq!(names(&work), Vec::<String>::new());
    let second = SetBuilder::new(Arc::new(RealDisk), &work, BuilderOptions { memory_bytes: 0 });
    assert!(matches!(second, Err(Error::InUse { .. })));
    builder.push(&as_prefixes(&(0..50).map(prefix).collect::<Vec<_>>())).unwrap();
    assert_eq!(names(&work).len(), 12);
    for name in names(&work) {
        assert_eq!(std::fs::metadata(work.join(name)).unwrap().permissions().mode() & 0o777, 0o600);
    }
    drop(builder);
    assert_eq!(names(&work), Vec::<String>::new());
    let set = seal(dir.path(), &[1, 2], &parameters(1)).unwrap();
    assert_eq!(std::fs::metadata(set.path()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(names(dir.path()), ["set.oblset", "work"]);
}

/// A build once swept away what every other one was writing in the same directory: two verifiers' sets could not be sealed at once.
#[test]
fn repro_a_build_leaves_another_ones_unfinished_set_alone() {
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join(".sealing-other.oblset.tmp");
    std::fs::write(&other, b"of a build at work").unwrap();
    seal(dir.path(), &[1, 2], &parameters(1)).unwrap();
    assert!(other.exists());
}

#[test]
fn a_run_that_changed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for damage in [&b"short"[..], &[0xff; 64], &[0; 64]] {
        let mut builder = SetBuilder::with_sizes(Arc::new(RealDisk), &dir.path().join("work"), 4, 2, 64).unwrap();
        builder.push(&as_prefixes(&[1, 2, 3, 4, 5])).unwrap();
        std::fs::write(dir.path().join("work/run-0.tmp"), damage).unwrap();
        let error = builder.finish(&parameters(1), &dir.path().join("set")).unwrap_err();
        assert!(matches!(error, Error::Corrupt { fault: crate::SetFault::Run, .. }), "{error}");
        assert_eq!(names(dir.path()), ["work"]);
    }
}

#[test]
fn a_set_is_served_in_pieces_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &(0..5_000).map(prefix).collect::<Vec<_>>(), &parameters(1)).unwrap();
    let (mut got, mut piece) = (Vec::new(), [0; 1_000]);
    loop {
        let read = set.read_at(got.len() as u64, &mut piece).unwrap();
        got.extend_from_slice(&piece[..read]);
        if read < piece.len() {
            break;
        }
    }
    assert_eq!(got, std::fs::read(set.path()).unwrap());
    assert_eq!(set.read_at(u64::MAX, &mut piece).unwrap(), 0);
    std::fs::OpenOptions::new().write(true).open(set.path()).unwrap().set_len(500).unwrap();
    assert!(matches!(set.read_at(0, &mut piece), Err(Error::Corrupt { .. })));
    assert!(matches!(set.check(), Err(Error::Corrupt { .. })));
}

/// The real disk with so many bytes left.
#[derive(Debug)]
struct SmallDisk(Arc<AtomicU64>);

#[derive(Debug)]
struct SmallFile(Box<dyn DiskFile>, Arc<AtomicU64>);

impl SmallDisk {
    fn wrap(&self, file: io::Result<Box<dyn DiskFile>>) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(SmallFile(file?, Arc::clone(&self.0))))
    }
}

impl Disk for SmallDisk {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.create_dir(dir)
    }
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wrap(RealDisk.create(path))
    }
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wrap(RealDisk.open(path))
    }
    fn open_write(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.wrap(RealDisk.open_write(path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }
    fn remove_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.remove_dir(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<OsString>> {
        RealDisk.list(dir)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        RealDisk.lock(path)
    }
}

impl DiskFile for SmallFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        // Short reads, as the system may give them.
        let most = buffer.len().min(1_000);
        self.0.read_at(offset, &mut buffer[..most])
    }
    fn write_all_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let taken = |left: u64| left.checked_sub(bytes.len() as u64);
        self.1.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).map_err(|_| io::ErrorKind::StorageFull)?;
        self.0.write_all_at(offset, bytes)
    }
    fn length(&self) -> io::Result<u64> {
        self.0.length()
    }
    fn set_length(&self, bytes: u64) -> io::Result<()> {
        self.0.set_length(bytes)
    }
    fn sync(&self) -> io::Result<()> {
        self.0.sync()
    }
}

#[test]
fn a_full_disk_is_told_and_leaves_nothing() {
    let values: Vec<u128> = (0..5_000).map(prefix).collect();
    let dir = tempfile::tempdir().unwrap();
    let want = seal(dir.path(), &values, &parameters(1)).unwrap().offer().clone();
    std::fs::remove_file(dir.path().join("set.oblset")).unwrap();
    let mut full = 0;
    for budget in (0..).step_by(20_000) {
        let disk = Arc::new(SmallDisk(Arc::new(AtomicU64::new(budget))));
        let sealed = SetBuilder::with_sizes(disk, &dir.path().join("work"), 1_000, 3, 512).and_then(|mut builder| {
            builder.push(&as_prefixes(&values))?;
            builder.finish(&parameters(1), &PathBuf::from(dir.path()).join("set.oblset"))
        });
        assert_eq!(names(&dir.path().join("work")), Vec::<String>::new());
        match sealed {
            Err(error) => {
                assert!(matches!(error, Error::NoSpace { .. }), "{error}");
                assert_eq!(names(dir.path()), ["work"]);
                full += 1;
            }
            Ok(set) => {
                assert_eq!(set.offer(), &want);
                set.check().unwrap();
                break;
            }
        }
    }
    assert!(full > 5, "{full}");
}

/// What was pushed is counted without what was pushed twice, in memory and over runs; a build that was counted goes on as if it had not been.
#[test]
fn what_was_pushed_is_counted() {
    for capacity in [1 << 20, 100, 7] {
        let home = tempfile::tempdir().unwrap();
        let build = |count: bool| {
            let name = if count { "counted" } else { "plain" };
            let mut builder = SetBuilder::with_sizes(Arc::new(RealDisk), &home.path().join(name), capacity, 2, 64).unwrap();
            for i in 0..1_000_u64 {
                builder.push(&as_prefixes(&[prefix(i % 500)])).unwrap();
                if count && i % 333 == 0 {
                    assert_eq!(builder.distinct().unwrap(), (i + 1).min(500), "after {i}");
                }
            }
            builder.finish(&parameters(1 << 24), &home.path().join(format!("{name}.oblset"))).unwrap().offer().clone()
        };
        assert_eq!(build(true), build(false), "{capacity} in memory");
    }
}
