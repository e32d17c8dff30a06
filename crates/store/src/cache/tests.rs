//! The cache: what it recalls, what it refuses, and that nothing of it shows in the file.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::tag::TagPrefix;
use proptest::prelude::*;

use super::format::Entry;
use super::*;
use crate::Error;
use crate::disk::RealDisk;
use crate::sealed::sort::Item;
use crate::sealed::{BuilderOptions, SetBuilder};

const KEY: [u8; 32] = [7; 32];

fn binding() -> CacheBinding {
    CacheBinding::new([1; 16], [2; 32], "oblink 0.1.0")
}

fn keys() -> CacheKeys {
    CacheKeys::derive(&KEY, binding())
}

fn digest(keys: &CacheKeys, row: u32) -> RowDigest {
    digest_of(keys, &["row", &row.to_string()])
}

fn digest_of(keys: &CacheKeys, fields: &[&str]) -> RowDigest {
    keys.digest(&fields.iter().map(|field| field.len()).collect::<Vec<_>>(), &fields.concat())
}

/// Row numbers stand for rows; a row's tags are its number, and for every seventh row a second one.
fn tags(row: u32) -> Vec<TagPrefix> {
    let first = TagPrefix(u128::from(row) << 64);
    if row.is_multiple_of(7) { vec![first, TagPrefix(first.0 + 1)] } else { vec![first] }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("it.cache")
    }

    fn builder(&self) -> SetBuilder {
        SetBuilder::new(Arc::new(RealDisk), &self.0.path().join("work"), BuilderOptions { memory_bytes: 0 }).unwrap()
    }

    fn known(&self, memory_bytes: u64) -> Result<Option<KnownRows>, CacheFault> {
        KnownRows::open(&RealDisk, &self.cache(), &keys(), memory_bytes)
    }

    /// A seal of these rows: gives the tags that came of it, sorted, and how many were recalled.
    fn seal(&self, rows: &[u32], memory_bytes: u64, capacity: usize) -> (Vec<u128>, CacheCounts) {
        let keys = keys();
        let known = self.known(memory_bytes).unwrap();
        let builder = self.builder();
        let mut new = NewRows::with_sizes(&builder, capacity, 2);
        let mut all = Vec::new();
        for &row in rows {
            let digest = digest(&keys, row);
            if !known.as_ref().is_some_and(|known| known.recall(&[digest])[0]) {
                let tags = tags(row);
                all.extend(tags.iter().map(|tag| tag.0));
                new.push(&tags.into_iter().map(|tag| (digest, tag)).collect::<Vec<_>>()).unwrap();
            }
        }
        let counts = new
            .finish(known, &keys, &self.cache(), |recalled| {
                all.extend(recalled.iter().map(|tag| tag.0));
                Ok(())
            })
            .unwrap();
        all.sort_unstable();
        all.dedup();
        (all, counts)
    }
}

fn expected(rows: &[u32]) -> Vec<u128> {
    let mut all: Vec<u128> = rows.iter().flat_map(|row| tags(*row)).map(|tag| tag.0).collect();
    all.sort_unstable();
    all.dedup();
    all
}

const PLENTY: u64 = 1 << 30;

#[test]
fn the_file_is_a_function_of_the_rows_alone() {
    let rows: Vec<u32> = (0..5_000).collect();
    let changed: Vec<u32> = (50..5_050).rev().chain([60, 61, 60]).collect();
    let fresh = Place::new();
    fresh.seal(&changed, PLENTY, usize::MAX);
    let due = std::fs::read(fresh.cache()).unwrap();
    // Whatever fits into memory, before and now: none of it, some, all.
    for memory_bytes in [0, INDEX_BYTES_PER_ENTRY, 1_000 * INDEX_BYTES_PER_ENTRY, 2_501 * INDEX_BYTES_PER_ENTRY, PLENTY] {
        for capacity in [700, usize::MAX] {
            let place = Place::new();
            let (all, counts) = place.seal(&rows, PLENTY, capacity);
            assert_eq!((all, counts.recalled), (expected(&rows), 0));
            let (all, counts) = place.seal(&changed, memory_bytes, capacity);
            assert_eq!(all, expected(&changed), "{memory_bytes} {capacity}");
            assert_eq!(std::fs::read(place.cache()).unwrap(), due, "{memory_bytes} {capacity}");
            assert_eq!(counts.entries, expected(&changed).len() as u64);
            assert!(counts.recalled <= memory_bytes / INDEX_BYTES_PER_ENTRY + 1);
            if memory_bytes == PLENTY {
                assert_eq!(counts.recalled, expected(&(50..5_000).collect::<Vec<_>>()).len() as u64);
            }
        }
    }
}

#[test]
fn what_is_gone_is_forgotten() {
    let place = Place::new();
    place.seal(&[1, 2, 3], PLENTY, 10);
    assert_eq!(place.seal(&[2], PLENTY, 10).1, CacheCounts { entries: 1, recalled: 1 });
    assert_eq!(place.seal(&[1, 2, 3], PLENTY, 10).1, CacheCounts { entries: 3, recalled: 1 });
    assert_eq!(place.seal(&[], PLENTY, 10).1, CacheCounts { entries: 0, recalled: 0 });
    assert_eq!(place.seal(&[7], PLENTY, 10).1, CacheCounts { entries: 2, recalled: 0 });
}

#[test]
fn the_file_is_private_and_nothing_else_is_left() {
    let place = Place::new();
    place.seal(&(0..300).collect::<Vec<_>>(), PLENTY, 10);
    assert_eq!(std::fs::metadata(place.cache()).unwrap().permissions().mode() & 0o777, 0o600);
    let names = |dir: &Path| {
        let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(place.0.path()), ["it.cache", "work"]);
    assert_eq!(names(&place.0.path().join("work")), [".lock"]);
}

#[test]
fn what_a_killed_seal_left_is_swept_and_the_cache_is_as_it_was() {
    let place = Place::new();
    place.seal(&[1, 2, 3], PLENTY, 10);
    let before = std::fs::read(place.cache()).unwrap();
    for name in ["run-row-0.tmp", "run-row-out.tmp"] {
        std::fs::write(place.0.path().join("work").join(name), b"half").unwrap();
    }
    assert_eq!(std::fs::read(place.cache()).unwrap(), before);
    assert_eq!(place.seal(&[1, 2, 3], PLENTY, 1).1.recalled, 3);
}

/// A seal that fails while tags are handed out leaves the cache that there was.
#[test]
fn a_failure_leaves_the_old_cache() {
    let place = Place::new();
    place.seal(&[1, 2, 3], PLENTY, 10);
    let before = std::fs::read(place.cache()).unwrap();
    let known = place.known(PLENTY).unwrap().unwrap();
    assert_eq!(known.recall(&[digest(&keys(), 1)]), [true]);
    let builder = place.builder();
    let failed = NewRows::beside(&builder, 0).finish(Some(known), &keys(), &place.cache(), |_| Err(Error::NoTags));
    assert!(matches!(failed, Err(Error::NoTags)));
    assert_eq!(std::fs::read(place.cache()).unwrap(), before);
}

/// The work directory stays the cache's until it is written, even where the builder has gone.
#[test]
fn the_directory_is_held_as_long_as_either_works_in_it() {
    let place = Place::new();
    let builder = place.builder();
    let new = NewRows::beside(&builder, 0);
    drop(builder);
    let again = || SetBuilder::new(Arc::new(RealDisk), &place.0.path().join("work"), BuilderOptions { memory_bytes: 0 });
    assert!(matches!(again(), Err(Error::InUse { .. })));
    drop(new);
    again().unwrap();
}

#[test]
fn no_cache_is_no_fault() {
    assert!(Place::new().known(PLENTY).unwrap().is_none());
}

#[test]
fn another_binding_or_key_is_refused_and_digests_otherwise() {
    let place = Place::new();
    place.seal(&[1, 2, 3], PLENTY, 10);
    let cases = [
        (KEY, CacheBinding::new([9; 16], [2; 32], "oblink 0.1.0"), CacheFault::Epoch),
        (KEY, CacheBinding::new([1; 16], [9; 32], "oblink 0.1.0"), CacheFault::Ruleset),
        (KEY, CacheBinding::new([1; 16], [2; 32], "oblink 0.1.1"), CacheFault::Program),
        ([8; 32], binding(), CacheFault::Damaged),
    ];
    for (key, binding, fault) in cases {
        let other = CacheKeys::derive(&key, binding);
        assert_eq!(KnownRows::open(&RealDisk, &place.cache(), &other, PLENTY).unwrap_err(), fault);
        assert!(digest(&other, 1) != digest(&keys(), 1), "{fault}");
    }
}

#[test]
fn every_changed_byte_and_every_cut_is_refused() {
    let place = Place::new();
    place.seal(&(0..20).collect::<Vec<_>>(), PLENTY, 10);
    let whole = std::fs::read(place.cache()).unwrap();
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(place.cache(), &bytes).unwrap();
        let due = if at < HEADER_BYTES { CacheFault::Header } else { CacheFault::Damaged };
        assert_eq!(place.known(PLENTY).unwrap_err(), due, "byte {at}");
        std::fs::write(place.cache(), &whole[..at]).unwrap();
        assert!(place.known(PLENTY).is_err(), "cut at {at}");
    }
    for more in [1, ENTRY_BYTES] {
        std::fs::write(place.cache(), [&whole[..], &vec![0; more]].concat()).unwrap();
        assert!(place.known(PLENTY).is_err(), "{more} bytes more");
    }
    // An entry taken out, another twice.
    let entry = HEADER_BYTES..HEADER_BYTES + ENTRY_BYTES;
    let mut bytes = whole.clone();
    bytes.drain(entry.clone());
    std::fs::write(place.cache(), &bytes).unwrap();
    assert_eq!(place.known(PLENTY).unwrap_err(), CacheFault::Damaged);
    std::fs::write(place.cache(), &whole).unwrap();
    assert!(place.known(PLENTY).unwrap().is_some());
}

/// What was whole when it was opened and is not when its tags are taken: the seal fails, and no tag of it may be used.
#[test]
fn damage_after_opening_is_an_error() {
    let place = Place::new();
    place.seal(&(0..20).collect::<Vec<_>>(), PLENTY, 10);
    let known = place.known(PLENTY).unwrap().unwrap();
    assert_eq!(known.recall(&[digest(&keys(), 3)]), [true]);
    let mut bytes = std::fs::read(place.cache()).unwrap();
    bytes[HEADER_BYTES + 20] ^= 1;
    std::fs::write(place.cache(), &bytes).unwrap();
    let builder = place.builder();
    let failed = NewRows::beside(&builder, 0).finish(Some(known), &keys(), &place.cache(), |_| Ok(()));
    assert!(matches!(failed, Err(Error::Corrupt { .. })), "{failed:?}");
}

#[test]
fn threads_recall_what_one_does() {
    let place = Place::new();
    let rows: Vec<u32> = (0..2_000).collect();
    place.seal(&rows, PLENTY, usize::MAX);
    let known = place.known(PLENTY).unwrap().unwrap();
    let keys = keys();
    std::thread::scope(|scope| {
        for part in 0..4_u32 {
            let (known, keys) = (&known, &keys);
            scope.spawn(move || {
                let rows: Vec<u32> = (0..2_100).filter(|row| row % 4 == part || row % 3 == 0).collect();
                let digests: Vec<_> = rows.iter().map(|row| digest(keys, *row)).collect();
                assert_eq!(known.recall(&digests), rows.iter().map(|row| *row < 2_000).collect::<Vec<_>>());
            });
        }
    });
    let builder = place.builder();
    let counts = NewRows::beside(&builder, 0).finish(Some(known), &keys, &place.cache(), |_| Ok(())).unwrap();
    assert_eq!(counts.recalled, expected(&rows).len() as u64);
}

#[test]
fn nothing_of_it_is_shown() {
    let entry = Entry { digest: digest(&keys(), 1), prefix: TagPrefix(0xabcd) };
    assert_eq!(format!("{entry:?} {:?} {:?}", entry.digest, keys()), "Entry(redacted) RowDigest(redacted) CacheKeys(redacted)");
}

/// The layout, byte by byte, and what a digest is of, computed with HMAC and SHA-256 alone.
#[test]
fn layout_and_digest() {
    let place = Place::new();
    place.seal(&[5], PLENTY, 10);
    let bytes = std::fs::read(place.cache()).unwrap();
    let hmac = |key: &[u8], parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
        parts.iter().for_each(|part| mac.update(part));
        mac.finalize().into_bytes().into()
    };
    let program: [u8; 32] = Sha256::digest(b"oblink 0.1.0").into();
    let bound = [&[1; 16][..], &[2; 32], &program].concat();
    let rows = hmac(&KEY, &[b"oblink/1/cache/rows\0", &bound]);
    let row = [&rows[..], &[0; 32], &[2, 3, 4], b"row", b"5"].concat();
    let mut due = [b"OBLROWS\x02", &bound[..], &[0; 8]].concat();
    due.extend(<[u8; 32]>::from(Sha256::digest(&due)));
    due.extend(&Sha256::digest(row)[..16]);
    due.extend(tags(5)[0].0.to_be_bytes());
    due.extend(1_u64.to_be_bytes());
    due.extend(hmac(&hmac(&KEY, &[b"oblink/1/cache/file\0", &bound]), &[&due]));
    assert_eq!(bytes, due);
}

proptest! {
    #[test]
    fn an_entry_is_its_bytes(digest: u128, prefix: u128) {
        let entry = Entry { digest: RowDigest(digest), prefix: TagPrefix(prefix) };
        let bytes = entry.to_bytes();
        prop_assert_eq!(Entry::from_bytes(bytes), entry);
        prop_assert_eq!(&bytes[..16], &digest.to_be_bytes());
        prop_assert_eq!(&bytes[16..], &prefix.to_be_bytes());
    }

    /// Sorted as bytes is sorted as entries: what writers and readers must agree on.
    #[test]
    fn entries_order_as_their_bytes(a: (u8, u8), b: (u8, u8)) {
        let entry = |(digest, prefix): (u8, u8)| Entry { digest: RowDigest(u128::from(digest) << 120), prefix: TagPrefix(u128::from(prefix)) };
        prop_assert_eq!(entry(a).cmp(&entry(b)), entry(a).to_bytes().cmp(&entry(b).to_bytes()));
    }

    /// No two lists of fields meet by where one field ends.
    #[test]
    fn fields_count_by_their_bounds(a in prop::collection::vec("[ab]{0,3}", 0..4), b in prop::collection::vec("[ab]{0,3}", 0..4)) {
        let of = |fields: &[String]| digest_of(&keys(), &fields.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(of(&a) == of(&b), a == b);
    }

    /// Short and long fields, few and many, as the documentation says.
    #[test]
    fn a_digest_is_of_number_lengths_and_text(lengths in prop::collection::vec(prop_oneof![6 => 0_usize..4, 1 => 120_usize..260, 1 => Just(70_000)], 1..80)) {
        let text: String = (0..lengths.iter().sum::<usize>()).map(|i| char::from(b'a' + (i % 26) as u8)).collect();
        let mut key = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
        key.update(b"oblink/1/cache/rows\0");
        let CacheBinding { epoch_id, ruleset_digest, program } = binding();
        [&epoch_id[..], &ruleset_digest, &program].iter().for_each(|part| key.update(part));
        let mut due = [&key.finalize().into_bytes()[..], &[0; 32]].concat();
        for length in [lengths.len()].iter().chain(&lengths[..lengths.len() - 1]).chain([&text.len()]) {
            if *length < 255 { due.push(*length as u8) } else { due.extend([&[255][..], &(*length as u64).to_be_bytes()].concat()) }
        }
        due.extend(text.as_bytes());
        prop_assert_eq!(&keys().digest(&lengths, &text).0.to_be_bytes()[..], &Sha256::digest(due)[..16]);
    }

    /// Any rows after any others, in any memory.
    #[test]
    fn sealing_again_is_sealing_whole(
        before in prop::collection::vec(0_u32..60, 0..80),
        after in prop::collection::vec(0_u32..60, 0..80),
        fit in 0_u64..80,
        capacity in 1_usize..90,
    ) {
        let place = Place::new();
        place.seal(&before, PLENTY, capacity);
        let (all, _) = place.seal(&after, fit * INDEX_BYTES_PER_ENTRY, capacity);
        prop_assert_eq!(all, expected(&after));
    }
}
