//! Several peers, and several things at once.

use oblink_tests::{Agencies, Call, Party, Program, Results, Serving, files_below};

use super::{PAIRS, PAIRS_SHORT, RECORDS};

/// One holder, two verifiers: an epoch, a key and a set each (SPEC EPO-2).
#[test]
fn two_verifiers_of_one_holder() {
    let agencies = Agencies::new();
    let county = Party::init(Program::Verifier, &agencies.at("county"));
    agencies.holder.trust("county", &county);
    county.trust("irs", &agencies.holder);
    let records = agencies.file("records.csv", RECORDS);
    let sealed = agencies.seal(&records).objects();
    assert_eq!(sealed.iter().map(|object| object["peer"].as_str().unwrap()).collect::<Vec<_>>(), ["city", "county"]);
    assert_ne!(sealed[0]["sealed"], sealed[1]["sealed"]);
    assert_eq!(files_below(&agencies.holder.home, ".seed").len(), 2);
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let results = agencies.check(&serving, &pairs);
    let output = agencies.at("county.csv");
    let check = county.call("check --json --holder").arg(serving.address()).path("--input", &pairs).path("--output", &output);
    let theirs = Results::read(&output, check.ok().object());
    assert_eq!((results.in_short().as_str(), theirs.in_short().as_str()), (PAIRS_SHORT, PAIRS_SHORT));
    assert_eq!((&results.meta["set_id"], &theirs.meta["set_id"]), (&sealed[0]["sealed"], &sealed[1]["sealed"]));
    assert_eq!([serving.next()["verifier"].clone(), serving.next()["verifier"].clone()], ["city", "county"]);

    // Sealing again for one leaves the other's epoch alone.
    let again = agencies.sealing(&records, "--json --peer county").ok().object();
    assert_eq!(agencies.check(&serving, &pairs).meta["set_id"], sealed[0]["sealed"]);
    let ended = county.call("check --json --holder").arg(serving.address()).path("--input", &pairs).path("--output", &output).ok();
    assert_eq!(Results::read(&output, ended.object()).meta["set_id"], again["sealed"]);
}

/// EPO-3: nobody can ask under the epoch of a verifier that is trusted no longer, so it ends, and its key and set go; the others' stay.
#[test]
fn repro_trust_that_ends_ends_its_epoch() {
    let agencies = Agencies::new();
    let county = Party::init(Program::Verifier, &agencies.at("county"));
    agencies.holder.trust("county", &county);
    county.trust("irs", &agencies.holder);
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let removed = agencies.holder.call("trust --json --peer county --remove").ok().object();
    assert_eq!((&removed["change"], &removed["epochs_ended"]), (&"removed".into(), &1.into()));
    assert_eq!(files_below(&agencies.holder.home, ".seed").len(), 1);
    assert_eq!(files_below(&agencies.holder.home.join("sets"), ".oblset").len(), 1);
    let ended: Vec<_> = agencies.ledger("epoch").into_iter().filter(|epoch| !epoch["ended"].is_null()).collect();
    assert_eq!(ended.len(), 1);
    assert_eq!(ended[0]["end_reason"], "trusted no longer");
    // Trusted again, it still has to be sealed for.
    agencies.holder.trust("county", &county);
    let pairs = agencies.file("pairs.csv", PAIRS);
    let asked =
        county.call("check --json --holder").arg(serving.address()).path("--input", &pairs).path("--output", &agencies.at("c.csv")).run();
    assert_eq!(asked.code(), 4, "{asked}");
    assert_eq!(agencies.check(&serving, &pairs).in_short(), PAIRS_SHORT);
}

#[test]
fn a_verifier_of_two_holders_says_whom_it_means() {
    let agencies = Agencies::new();
    let other = Party::init(Program::Holder, &agencies.at("benefits"));
    other.trust("city", &agencies.verifier);
    agencies.verifier.trust("benefits", &other);
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let fewer = RECORDS.lines().take(2).collect::<Vec<_>>().join("\n");
    other.call("seal").path("--input", &agencies.file("fewer.csv", fewer)).ok();
    let (tax, benefits) = (agencies.serve(), Serving::start(&other));
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let check = |serving: &Serving, peer: &str| agencies.checking(serving.address(), &pairs, &output).arg("--json").args(peer).run();
    let unsaid = check(&tax, "");
    assert_eq!(unsaid.code(), 3, "{unsaid}");
    assert!(unsaid.stderr.contains("--peer") && unsaid.stderr.contains("benefits") && unsaid.stderr.contains("tax"), "{unsaid}");
    // Whom it means and who is there must agree (SPEC TRN-2).
    assert_eq!(check(&tax, "--peer benefits").code(), 6);
    assert!(!output.exists());
    for (serving, peer, due) in [
        (&tax, "--peer tax", PAIRS_SHORT),
        (&benefits, "--peer benefits", "+ - - - incomplete_address empty_name"),
        (&tax, "--peer tax", PAIRS_SHORT),
    ] {
        let ended = check(serving, peer);
        assert_eq!(ended.code(), 0, "{ended}");
        assert_eq!(Results::read(&output, ended.object()).in_short(), due, "{peer}");
    }
    // One holder's set does not push out the other's.
    assert_eq!(files_below(&agencies.verifier.home, ".oblset").len(), 2);
}

#[test]
fn checks_at_once() {
    let agencies = Agencies::new();
    let (pairs, records) = oblink_tests::sample(&agencies.at("s"), 600, 3_000);
    agencies.seal(&records);
    let serving = agencies.serve();
    let run = |number: usize| {
        let output = agencies.at(&format!("r{number}.csv"));
        (agencies.checking(serving.address(), &pairs, &output).arg("--json").start(), output)
    };
    // The set is not there yet for any of them.
    let running: Vec<_> = (0..4).map(run).collect();
    let results: Vec<_> = running
        .into_iter()
        .map(|(started, output)| {
            let ended = started.end();
            assert_eq!(ended.code(), 0, "{ended}");
            Results::read(&output, ended.object())
        })
        .collect();
    let expected = oblink_tests::joined(&oblink_tests::read_split(&pairs), &oblink_tests::read_split(&records));
    for result in &results {
        assert_eq!(result.matched(), expected);
    }
    assert_eq!(serving.stop().len(), 4);
    assert_eq!(agencies.ledger("session").len(), 4);
}

#[test]
fn the_sample_is_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let made = Call::new(Program::Demo).args("--json --pairs 30 --records 40").path("--write-sample", folder.path()).ok().object();
    for (key, rows) in [("pairs", 30), ("records", 40)] {
        assert_eq!(std::fs::read_to_string(made[key].as_str().unwrap()).unwrap().lines().count(), rows + 1);
    }
}
