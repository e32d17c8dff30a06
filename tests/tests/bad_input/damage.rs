//! Files that a disk, or a hand, has changed: an error or another try, never a wrong result.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::tag::TagPrefix;
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochEntry, EpochLimits, SqliteLedger};
use oblink_store::sealed::{BuilderOptions, SetBuilder, SetParameters, set_path};
use oblink_tests::{Agencies, Seen, flip_a_byte, joined, only_file, read_split, sample};

use super::{PAIRS, RECORDS};

#[test]
fn a_holders_damaged_files_show_when_serve_starts() {
    let agencies = Agencies::new();
    let records = agencies.file("records.csv", RECORDS);
    let mut seen = Seen::new(agencies.folder());
    let mut case = |name: &str, ending: &str, harm: &dyn Fn(&PathBuf)| {
        agencies.seal(&records);
        harm(&only_file(&agencies.holder.home, ending));
        seen.note(&format!("serve: {name}"), 3, &agencies.holder.call("serve --listen 127.0.0.1:0").run());
    };
    case("a bit of the sealed set", ".oblset", &|set| flip_a_byte(set));
    case("a sealed set cut off", ".oblset", &|set| std::fs::write(set, &std::fs::read(set).unwrap()[..100]).unwrap());
    case("no sealed set", ".oblset", &|set| std::fs::remove_file(set).unwrap());
    case("a bit of the epoch's key", ".seed", &|seed| flip_a_byte(seed));
    case("no key", ".seed", &|seed| std::fs::remove_file(seed).unwrap());
    case("a key that others may read", ".seed", &|seed| {
        std::fs::set_permissions(seed, std::fs::Permissions::from_mode(0o644)).unwrap();
    });
    seen.note("doctor: likewise", 3, &agencies.holder.call("doctor --quiet --listen 127.0.0.1:0").run());
    // What the hints say helps: sealing again.
    agencies.seal(&records);
    drop(agencies.serve().stop());
    std::fs::write(agencies.holder.home.join("ledger.sqlite"), "no database").unwrap();
    seen.note("serve: the ledger", 3, &agencies.holder.call("serve --listen 127.0.0.1:0").run());
    insta::assert_snapshot!(seen.text());
}

/// SPEC SET-7: a kept set is believed only when it is whole.
#[test]
fn a_verifiers_damaged_set_is_fetched_again() {
    let agencies = Agencies::new();
    let sealed = agencies.seal(&agencies.file("records.csv", RECORDS)).object();
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    assert_eq!(agencies.check(&serving, &pairs).in_short(), "+ -");
    let kept = || only_file(&agencies.verifier.home, ".oblset");
    let whole = std::fs::read(kept()).unwrap();
    for harm in [whole[..50].to_vec(), [&whole[..], b"x"].concat(), vec![], vec![0; whole.len()]] {
        std::fs::write(kept(), harm).unwrap();
        let results = agencies.check(&serving, &pairs);
        assert_eq!((results.in_short().as_str(), results.object["set_bytes"].as_u64() > sealed["set_bytes"].as_u64()), ("+ -", true));
        assert_eq!(std::fs::read(kept()).unwrap(), whole);
    }
    flip_a_byte(&kept());
    assert_eq!(agencies.check(&serving, &pairs).in_short(), "+ -");
    assert_eq!(std::fs::read(kept()).unwrap(), whole);
}

/// An earlier run that broke off left a part of the set, and the disk lost some of it: that is nobody's misconduct and no reason to fail.
#[test]
fn repro_a_damaged_part_is_fetched_again_from_the_start() {
    let agencies = Agencies::new();
    let (pairs, records) = sample(&agencies.at("s"), 300, 5_000);
    let sealed = agencies.seal(&records).object();
    let serving = agencies.serve();
    drop(agencies.check(&serving, &pairs));
    let set = only_file(&agencies.verifier.home, ".oblset");
    let part = set.with_extension("part");
    let whole = std::fs::read(&set).unwrap();
    let half = whole.len() / 2;
    let expected = joined(&read_split(&pairs), &read_split(&records));
    let mut damaged = whole[..half].to_vec();
    damaged[half / 2] ^= 1;
    let mut damaged_whole = whole.clone();
    damaged_whole[half] ^= 1;
    let total = sealed["set_bytes"].as_u64().unwrap();
    // What is left, and about how many bytes then come.
    for (left, due) in [
        (whole[..half].to_vec(), total - half as u64),
        (damaged, total - half as u64 + total),
        (damaged_whole, total),
        (whole.clone(), 0),
        ([&whole[..], b"and more"].concat(), total),
    ] {
        std::fs::remove_file(&set).unwrap();
        std::fs::write(&part, &left).unwrap();
        let results = agencies.check(&serving, &pairs);
        assert_eq!(results.matched(), expected);
        let came = results.object["set_bytes"].as_u64().unwrap();
        assert!((due..=due + 13 * 4).contains(&came), "{came} bytes came, {due} were due");
        assert!(!part.exists() && std::fs::read(&set).unwrap() == whole);
    }
}

/// Seals one tag as a later version might, under a ruleset that this one does not have.
fn seal_under_another_ruleset(agencies: &Agencies) {
    let home = &agencies.holder.home;
    let epoch_id = [7; 16];
    let keys = EpochKeys::derive(&EpochSeed::from_bytes([9; 32].into()), epoch_id).unwrap();
    let parameters = SetParameters {
        suite: SUITE_RISTRETTO255,
        tokens_per_pair: 1,
        as_of: 0,
        session_tokens_max: 1 << 24,
        epoch_id,
        ruleset_digest: [5; 32],
        public_key: keys.public_key(),
    };
    let mut builder = SetBuilder::new(Arc::new(RealDisk), &agencies.at("work"), BuilderOptions { memory_bytes: 64 << 20 }).unwrap();
    builder.push(&[TagPrefix(1)]).unwrap();
    let unnamed = agencies.at("unnamed");
    let set = builder.finish(&parameters, &unnamed).unwrap();
    std::fs::rename(&unnamed, set_path(&home.join("sets"), &set.offer().set_id)).unwrap();
    let seed = home.join("epochs").join(format!("{}.seed", hex::encode(epoch_id)));
    std::fs::write(&seed, [9; 32]).unwrap();
    std::fs::set_permissions(&seed, std::fs::Permissions::from_mode(0o600)).unwrap();
    let mut ledger = SqliteLedger::open(&home.join("ledger.sqlite")).unwrap();
    let entry = EpochEntry {
        verifier: None,
        offer: set.offer().clone(),
        records: 1,
        rejected: 0,
        input_digest: None,
        policy: None,
        limits: EpochLimits::default(),
        clock_unix_ms: 1,
    };
    ledger.begin_epoch(&entry).unwrap();
}

/// SPEC HSK-3: an error on both sides that names both digests, never a run with zero matches.
#[test]
fn another_ruleset_is_an_error_on_both_sides() {
    let agencies = Agencies::new();
    seal_under_another_ruleset(&agencies);
    let serving = agencies.serve();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let ended = agencies.checking(serving.address(), &pairs, &output).run();
    let mut seen = Seen::new(agencies.folder());
    let ours = hex::encode(oblink_linkage::Ruleset::by_name("us-exact-1").unwrap().digest());
    let digests = [(ours.as_str(), "VERIFIERS-DIGEST"), (&ours[..16], "VERIFIERS-DIGEST")];
    let theirs = "05".repeat(32);
    for (digest, name) in digests.into_iter().chain([(theirs.as_str(), "HOLDERS-DIGEST"), (&theirs[..16], "HOLDERS-DIGEST")]) {
        seen.name(digest, name);
    }
    seen.note("check: another ruleset", 3, &ended);
    let object = serving.next();
    assert_eq!((&object["outcome"], &object["code"]), (&"refused".into(), &"ruleset_mismatch".into()));
    seen.line(&format!("# serve\n{}", object["why"].as_str().unwrap()));
    assert!(!output.exists());
    insta::assert_snapshot!(seen.text());
}
