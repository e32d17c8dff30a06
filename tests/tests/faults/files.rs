//! Files that go while the programs run.

use std::fs;
use std::time::Duration;

use oblink_tests::relay::{Relay, Weather};
use oblink_tests::{eventually, only_file};

use super::house::{House, fails_with, outcome, sane};

/// The set that is served is removed beside a running `serve`: it is refused as internal, the holder says which file, and a seal mends it.
#[test]
fn the_served_set_is_removed() {
    let house = House::sealed(60, 200);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.undisturbed(&serving);
    let set = only_file(&agencies.holder.home.join("sets"), ".oblset");
    fs::remove_file(&set).unwrap();
    let output = house.output("gone");
    let check = || agencies.checking(serving.address(), &house.pairs, &output).args("--json --retry-for 0").run();
    // A session that was about to end may still have it open; then it is served once more.
    let refused = eventually("the set to be missed", || {
        let ended = check();
        if ended.exit() == Some(0) { None } else { Some(ended) }
    });
    fails_with(&refused, 5, &["a fault at the holder"]);
    let name = set.display().to_string();
    let said = eventually("the holder to say it", || Some(serving.stderr()).filter(|said| said.contains(&name)));
    assert!(said.contains("help: seal again"), "{said}");
    agencies.seal(&house.records);
    let again = check();
    assert_eq!(again.exit(), Some(0), "{again}");
    assert_eq!(fs::read(&output).unwrap(), undisturbed);
    sane(&serving.stderr());
    outcome("the served set removed", 1, "exit 5 (internal), the holder names the file; goes on after seal");
}

/// The ledger is removed beside a running `serve`: what would be written to a file without a name is lost, so nothing is evaluated.
#[test]
fn repro_the_ledger_is_removed() {
    for also in [false, true] {
        let house = House::sealed(60, 200);
        let agencies = &house.agencies;
        let serving = agencies.serve();
        house.undisturbed(&serving);
        let ledger = agencies.holder.ledger_path();
        let away = ledger.with_extension("away");
        fs::rename(&ledger, &away).unwrap();
        if also {
            for ending in ["-wal", "-shm"] {
                let beside = |path: &std::path::Path| std::path::PathBuf::from(format!("{}{ending}", path.display()));
                fs::rename(beside(&ledger), beside(&away)).unwrap();
            }
        }
        let output = house.output("gone");
        let refused = agencies.checking(serving.address(), &house.pairs, &output).args("--json --retry-for 0").run();
        // What goes wrong first is a reading or a writing.
        let words = if refused.stderr.contains("write") { "the holder could not write its ledger" } else { "a fault at the holder" };
        fails_with(&refused, 5, &[words]);
        assert!(!output.exists());
        let said = eventually("the holder to say it", || Some(serving.stderr()).filter(|said| said.contains("ledger.sqlite")));
        sane(&said);
    }
    outcome("the ledger removed under serve", 2, "exit 5 (internal), nothing evaluated; the holder names the file");
}

/// The directory of results goes while the holder is asked.
#[test]
fn the_directory_of_results_is_removed() {
    let house = House::sealed(2_000, 1_000);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.undisturbed(&serving);
    let request = house.request("request", 20);
    let folder = agencies.at("out");
    let output = folder.join("results.csv");
    fs::create_dir(&folder).unwrap();
    // A slow line, so that the session has not ended before the directory goes.
    let relay = Relay::start(serving.address(), Weather { delay: Duration::from_millis(100), ..Weather::default() }, 1);
    let check = || {
        let call = agencies.checking(relay.address(), &house.pairs, &output).args("--json --retry-for 0");
        call.path("--request", &request.path)
    };
    let started = check().start();
    house.charged(2);
    fs::remove_dir_all(&folder).unwrap();
    let ended = started.end();
    fails_with(&ended, 3, &[output.to_str().unwrap()]);
    fs::create_dir(&folder).unwrap();
    let again = check().run();
    assert_eq!(again.exit(), Some(0), "{again}");
    assert_eq!(fs::read(&output).unwrap(), undisturbed);
    drop(serving.stop());
    house.accounted(2);
    outcome("the directory of results removed in mid-run", 1, "exit 3; the same command goes on, charged once");
}
