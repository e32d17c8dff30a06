//! Full disks: every writer says it in one sentence, leaves nothing half-written, and goes on by the same command once there is room.

use std::path::Path;
use std::time::Duration;

use oblink_tests::asking::{day, people};
use oblink_tests::relay::{Relay, Weather};
use oblink_tests::small_disk::{PAGE, SmallDisk};
use oblink_tests::{Agencies, Call, Ended, Party, Program, Results, Serving, eventually, files_below};

use super::house::{House, fails_with, names_below, outcome, sane, skipped};

const MEGABYTE: u64 = 1 << 20;

/// A disk of `bytes` at `at`; `None`, with a line, where none can be mounted.
fn disk(fault: &str, at: &Path, bytes: u64) -> Option<SmallDisk> {
    SmallDisk::mount(at, bytes).map_err(|why| skipped(fault, &why)).ok()
}

/// Runs a command on a full disk, then with more room each time, until it goes through; gives how often it did not. `between` looks at what each
/// failure left.
fn with_ever_more_room(disk: &SmallDisk, step: u64, command: impl Fn() -> Call, words: &[&str], mut between: impl FnMut(&Ended)) -> usize {
    let place = disk.path().to_str().unwrap();
    let words: Vec<&str> = words.iter().copied().chain([place]).collect();
    let mut tries = 0;
    loop {
        let spare = tries as u64 * step;
        disk.free_up();
        disk.fill(spare);
        let ended = command().run();
        if ended.exit() == Some(0) {
            disk.free_up();
            return tries;
        }
        fails_with(&ended, 3, &words);
        between(&ended);
        tries += 1;
        assert!(tries < 200, "it never goes through");
    }
}

#[test]
fn init() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = disk("init on a full disk", &folder.path().join("disk"), MEGABYTE) else { return };
    for program in [Program::Holder, Program::Verifier] {
        let home = disk.path().join(program.name());
        let init = || Call::new(program).args("init --name Agency --json").path("--home", &home);
        let tries = with_ever_more_room(&disk, PAGE, init, &["no space"], |_| assert!(!home.exists()));
        assert!(tries > 2);
        outcome(&format!("disk full: {} init", program.name()), tries, "exit 3, nothing left; same command goes through with room");
        assert!(home.join("config.toml").exists());
    }
}

#[test]
fn request_new() {
    let agencies = Agencies::new();
    let Some(disk) = disk("request new on a full disk", &agencies.at("disk"), MEGABYTE) else { return };
    let pairs = agencies.file("pairs.csv", people(0, 40, &day(-10)));
    let out = disk.path().join("request");
    let new = || agencies.request_call(&agencies.verifier, &pairs, "disk/request", "");
    let tries = with_ever_more_room(&disk, PAGE, new, &["no space"], |_| assert_eq!(names_below(disk.path()), ["filler"]));
    assert!(tries > 2);
    assert!(out.join("request.json").exists());
    outcome("disk full: request new", tries, "exit 3, nothing left; same command goes through with room");
}

/// The holder's home is on the small disk while it seals: the old set stays in service.
fn seal_on_a_full_disk(records: u64, step: u64, disk_bytes: u64) {
    let house = House::new(60, records);
    let agencies = &house.agencies;
    let home = agencies.at("disk/holder");
    let Some(disk) = disk("seal on a full disk", &agencies.at("disk"), disk_bytes) else { return };
    let holder = Party::init(Program::Holder, &home);
    holder.trust("city", &agencies.verifier);
    agencies.verifier.call("trust --replace --peer tax --fingerprint").arg(&holder.fingerprint).ok();
    let few = agencies.file("few.csv", std::fs::read_to_string(&house.records).unwrap().lines().take(30).collect::<Vec<_>>().join("\n"));
    let seal = |records: &Path| holder.call("seal").path("--input", records).arg("--json");
    let first = seal(&few).ok().object();
    let files = || {
        let mut names = names_below(&home);
        // SQLite's own.
        names.retain(|name| !name.starts_with("ledger.sqlite-"));
        names
    };
    seal(&few).ok();
    let (before, mut set) = (files().len(), first["sealed"].clone());
    let tries = with_ever_more_room(
        &disk,
        step,
        || seal(&house.records),
        &["no space"],
        |ended| {
            assert_eq!(files().iter().filter(|name| *name != "filler").count(), before, "{:?}\n{ended}", files());
        },
    );
    assert!(tries > 1);
    let serving = Serving::start(&holder);
    let results = house.checks(&serving, "after");
    set.clone_from(&results.meta["set_id"]);
    assert_ne!(set, first["sealed"]);
    drop(serving.stop());
    assert_eq!(holder.call("ledger verify --json").run().exit(), Some(0));
    outcome(
        &format!("disk full: seal of {records} records"),
        tries,
        "exit 3, old set stays, nothing left; same command goes through with room",
    );
}

#[test]
fn seal() {
    seal_on_a_full_disk(3_000, 2 * PAGE, 4 * MEGABYTE);
}

#[test]
#[ignore = "long: sorted runs are written to the disk from about a million records on"]
fn seal_with_runs_on_the_disk() {
    seal_on_a_full_disk(1_500_000, 4 * MEGABYTE, 128 * MEGABYTE);
}

/// The disk of the holder's home fills up while it serves: no answer without a charge, a refusal that may be tried again, and it goes on when there
/// is room, without a restart.
#[test]
fn the_ledger_while_serving() {
    let house = House::new(60, 600);
    let agencies = &house.agencies;
    let Some(disk) = disk("ledger on a full disk", &agencies.at("disk"), 8 * MEGABYTE) else { return };
    let holder = Party::init(Program::Holder, &agencies.at("disk/holder"));
    holder.trust("city", &agencies.verifier);
    agencies.verifier.call("trust --replace --peer tax --fingerprint").arg(&holder.fingerprint).ok();
    holder.call("seal").path("--input", &house.records).ok();
    let serving = Serving::start(&holder);
    let undisturbed = house.checks(&serving, "before");
    let output = house.output("full");
    disk.fill(0);
    // What the log has room for already still goes into it.
    let mut tries = 0;
    let refused = loop {
        tries += 1;
        assert!(tries < 50, "a full disk is noticed");
        let ended = agencies.checking(serving.address(), &house.pairs, &output).args("--json --retry-for 0").run();
        sane(&ended.stderr);
        if ended.exit() != Some(0) {
            break ended;
        }
        std::fs::remove_file(&output).unwrap();
    };
    fails_with(&refused, 5, &["could not write its ledger"]);
    assert!(!output.exists());
    let said = eventually("the holder to say it", || Some(serving.stderr()).filter(|said| said.contains("no space")));
    assert!(said.contains("ledger.sqlite"), "{said}");
    disk.free_up();
    let results = house.checks(&serving, "full");
    assert_eq!(std::fs::read(&undisturbed.path).unwrap(), std::fs::read(&results.path).unwrap());
    sane(&serving.stderr());
    drop(serving.stop());
    assert_eq!(holder.call("ledger verify --json").run().exit(), Some(0));
    outcome(
        "disk full: ledger while serving",
        tries,
        "refused as internal, exit 5; the same check goes through with room, without a restart",
    );
}

/// The disk of results is full.
#[test]
fn results() {
    let house = House::sealed(600, 600);
    let agencies = &house.agencies;
    let Some(disk) = disk("results on a full disk", &agencies.at("disk"), MEGABYTE) else { return };
    let serving = agencies.serve();
    let output = disk.path().join("results.csv");
    let check = || agencies.checking(serving.address(), &house.pairs, &output).arg("--json");
    let tries = with_ever_more_room(&disk, PAGE, check, &["no space"], |_| assert_eq!(names_below(disk.path()), ["filler"]));
    assert!(tries > 2);
    let mut reader = csv_rows(&output);
    assert_eq!(reader.next().as_deref(), Some("row,id,result,reason"));
    assert_eq!(reader.count(), 600);
    outcome("disk full: results", tries, "exit 3, no results; same command goes through with room");
}

fn csv_rows(path: &Path) -> impl Iterator<Item = String> {
    std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The disk of receipts is full, at the verifier.
#[test]
fn receipts_at_the_verifier() {
    let house = House::sealed(60, 600);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.checks(&serving, "before");
    let Some(disk) = disk("receipts on a full disk", &agencies.verifier.home.join("receipts"), MEGABYTE) else { return };
    let output = house.output("full");
    let check = || agencies.checking(serving.address(), &house.pairs, &output).arg("--json");
    let tries = with_ever_more_room(&disk, PAGE, check, &["no space"], |_| {
        assert!(!output.exists());
        assert_eq!(names_below(disk.path()), ["filler"]);
    });
    assert!(tries > 0);
    let results = std::fs::read(&output).unwrap();
    assert_eq!(std::fs::read(&undisturbed.path).unwrap(), results);
    outcome("disk full: receipts at the verifier", tries, "exit 3, no results; same command goes through with room");
}

/// Likewise at the holder: the verifier has its results all the same.
#[test]
fn receipts_at_the_holder() {
    let house = House::sealed(60, 600);
    let agencies = &house.agencies;
    let Some(disk) = disk("the holder's receipts on a full disk", &agencies.holder.home.join("receipts"), MEGABYTE) else { return };
    let serving = agencies.serve();
    disk.fill(0);
    let results: Results = house.checks(&serving, "full");
    let said = eventually("the holder to say it", || Some(serving.stderr()).filter(|said| said.contains("no space")));
    assert!(said.contains("receipts"), "{said}");
    let place = disk.path().join(format!("{}.json", results.session()));
    assert!(!place.exists());
    disk.free_up();
    eventually("the copy of the receipt", || place.exists().then_some(()));
    house.checks(&serving, "after");
    sane(&serving.stderr());
    drop(serving.stop());
    agencies.ledger_holds();
    assert_eq!(names_below(disk.path()).len(), 2);
    outcome(
        "disk full: receipts at the holder",
        1,
        "the verifier has its results; the holder says it, and writes the copy once there is room",
    );
}

/// The disk of checkpoints is full.
#[test]
fn checkpoints() {
    let house = House::sealed(600, 600);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.undisturbed(&serving);
    let Some(disk) = disk("checkpoint on a full disk", &agencies.verifier.home.join("checkpoints"), MEGABYTE) else { return };
    let output = house.output("full");
    let check = || agencies.checking(serving.address(), &house.pairs, &output).arg("--json");
    let tries = with_ever_more_room(&disk, PAGE, check, &["no space"], |_| assert!(!output.exists()));
    assert!(tries > 0);
    assert!(std::fs::read(&output).unwrap() == undisturbed);
    assert!(names_below(disk.path()).is_empty(), "{:?}", names_below(disk.path()));
    drop(serving.stop());
    house.accounted(2);
    outcome("disk full: checkpoint", tries, "exit 3, no results; same command goes on with room, charged once");
}

/// The disk of the verifier's home fills up while the sealed set arrives.
#[test]
fn the_set_at_the_verifier() {
    let house = House::sealed(60, 16_000);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    // It has to be large: where a set would leave no room to speak of, nothing is asked in the first place.
    let Some(disk) = disk("the set on a full disk", &agencies.verifier.home.join("sets"), 512 * MEGABYTE) else { return };
    let relay = Relay::start(serving.address(), Weather { delay: Duration::from_millis(50), ..Weather::default() }, 1);
    let output = house.output("full");
    let check = || agencies.checking(relay.address(), &house.pairs, &output).arg("--json");
    let started = check().start();
    eventually("the set to begin to arrive", || (!files_below(disk.path(), ".part").is_empty()).then_some(()));
    disk.shrink(0);
    let ended = started.end();
    fails_with(&ended, 3, &["no space", disk.path().to_str().unwrap()]);
    assert!(!output.exists());
    disk.resize(512 * MEGABYTE);
    let again = check().run();
    assert_eq!(again.exit(), Some(0), "{again}");
    assert_eq!(Results::read(&output, again.object()).matched(), house.expected());
    drop(serving.stop());
    house.accounted(1);
    outcome("disk full: sealed set at the verifier", 1, "exit 3, no results; same command goes on with room, charged once");
}
