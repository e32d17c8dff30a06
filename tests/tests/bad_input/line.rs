//! The line, the peer at its other end, and trust.

use std::net::UdpSocket;

use oblink_tests::{Agencies, Party, Program, Results, Seen, eventually, sample};

use super::{PAIRS, RECORDS};

#[test]
fn nobody_there() {
    let agencies = Agencies::new();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.file("r.csv", "old results\n"));
    let mut seen = Seen::new(agencies.folder());
    // A port that was free a moment ago; nothing listens there.
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    // This one takes datagrams and says nothing, as a firewall does.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = (silent.local_addr().unwrap().to_string(), silent);
    for (name, address) in [("nothing listens", &closed), ("UDP swallowed", &silent.0)] {
        seen.note(&format!("check: {name}"), 5, &agencies.checking(address, &pairs, &output).args("--timeout 1").run());
        let doctor = agencies.verifier.call("doctor --timeout 1 --quiet --holder").arg(address).run();
        seen.note(&format!("doctor: {name}"), 5, &doctor);
    }
    assert_eq!(std::fs::read_to_string(&output).unwrap(), "old results\n");
    insta::assert_snapshot!(seen.text());
}

/// SPEC TRN-2, on both sides.
#[test]
fn the_wrong_peer() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let serving = agencies.serve();
    let mut seen = Seen::new(agencies.folder());
    seen.name(&agencies.holder.fingerprint, "HOLDERS-FINGERPRINT");
    seen.name(&agencies.verifier.fingerprint, "VERIFIERS-FINGERPRINT");

    let stranger = Party::init(Program::Verifier, &agencies.at("stranger"));
    seen.name(&stranger.fingerprint, "STRANGERS-FINGERPRINT");
    stranger.trust("tax", &agencies.holder);
    let check = |party: &Party| party.call("check --holder").arg(serving.address()).path("--input", &pairs).path("--output", &output).run();
    seen.note("check: the holder does not trust this verifier", 4, &check(&stranger));
    let warned = eventually("the holder's warning", || {
        let text = serving.stderr();
        text.contains(&stranger.fingerprint).then_some(text)
    });
    // Its own lines at the start are another test's.
    let warning = warned.lines().skip_while(|line| !line.contains(&stranger.fingerprint)).collect::<Vec<_>>().join("\n");
    seen.line(&format!("# serve: meanwhile\n{warning}\n"));

    let wrong = Party::init(Program::Holder, &agencies.at("wrong"));
    seen.name(&wrong.fingerprint, "WRONG-FINGERPRINT");
    agencies.verifier.call("trust --peer tax --replace --fingerprint").arg(&wrong.fingerprint).ok();
    seen.note("check: another holder than the pinned one", 6, &check(&agencies.verifier));
    let doctor = agencies.verifier.call("doctor --quiet --holder").arg(serving.address()).run();
    seen.note("doctor: another holder than the pinned one", 6, &doctor);
    assert!(!output.exists());
    assert_eq!(agencies.ledger("session").len(), 0);
    insta::assert_snapshot!(seen.text());
}

/// SPEC FRM-5: the holder's no, and what the verifier makes of it.
#[test]
fn refusals() {
    let agencies = Agencies::new();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let mut seen = Seen::new(agencies.folder());
    let serving = agencies.serve();
    seen.note("check: the holder has not sealed", 4, &agencies.checking(serving.address(), &pairs, &output).run());
    assert_eq!(serving.next()["outcome"], "refused");
    let said = serving.stderr();
    seen.line(&format!("# serve: all the while\n{said}"));
    drop(serving.stop());

    agencies.seal(&agencies.file("records.csv", RECORDS));
    let config = agencies.holder.home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap().replace("10000000", "1");
    std::fs::write(&config, text).unwrap();
    let serving = agencies.serve();
    seen.note("check: more pairs than the holder's cap", 4, &agencies.checking(serving.address(), &pairs, &output).run());
    assert_eq!(serving.next()["code"], "pairs_over_cap");
    assert!(!output.exists());
    assert_eq!(agencies.ledger("refusal").len(), 2);
    assert_eq!(agencies.ledger("session").len(), 0, "nothing was reserved");
    insta::assert_snapshot!(seen.text());
}

/// The ends of streams once arrived before that of the connection, and the holder was said to be at fault (exit 6).
#[test]
fn repro_a_holder_that_stops_in_the_middle_is_not_at_fault() {
    let agencies = Agencies::new();
    let (pairs, records) = sample(&agencies.at("s"), 24_000, 500);
    agencies.seal(&records);
    let mut seen = Seen::new(agencies.folder());
    // How far it came is chance.
    (0..=3).for_each(|verified| seen.name(&format!("again: {verified} of 3"), "again: N of 3"));
    // Three times, for what arrives first is chance.
    for round in 1..=3 {
        let serving = agencies.serve();
        let output = agencies.file(&format!("r{round}.csv"), "old results\n");
        let started = agencies.checking(serving.address(), &pairs, &output).args("--retry-for 0").start();
        eventually("a batch to be charged", || {
            let sessions = agencies.ledger("session");
            (sessions.len() == round && sessions.iter().all(|session| session["charged_batches"] != 0)).then_some(())
        });
        let objects = serving.stop();
        let ended = started.end();
        if round == 1 {
            seen.note("check: the holder stopped", 5, &ended);
        }
        assert_eq!(ended.code(), 5, "{ended}");
        assert_eq!((objects.len(), &objects[0]["outcome"]), (1, &"interrupted".into()), "{objects:?}");
        assert_eq!(std::fs::read_to_string(&output).unwrap(), "old results\n");
    }
    assert!(agencies.ledger("session").iter().all(|session| session["state"] == "suspended"));
    // Nothing is lost but the time.
    let few = agencies.file("few.csv", std::fs::read_to_string(&pairs).unwrap().lines().take(50).collect::<Vec<_>>().join("\n"));
    let results = agencies.check(&agencies.serve(), &few);
    assert!(results.matched().contains(&true));
    insta::assert_snapshot!(seen.text());
}

#[test]
fn a_verifier_that_dies_in_the_middle_leaves_the_holder_serving() {
    let agencies = Agencies::new();
    let (pairs, records) = sample(&agencies.at("s"), 24_000, 500);
    agencies.seal(&records);
    let output = agencies.at("r.csv");
    let serving = agencies.serve();
    let started = agencies.checking(serving.address(), &pairs, &output).start();
    eventually("a session", || (!agencies.ledger("session").is_empty()).then_some(()));
    drop(started);
    let few = agencies.file("few.csv", std::fs::read_to_string(&pairs).unwrap().lines().take(50).collect::<Vec<_>>().join("\n"));
    // Another list in the same place: what is kept of the first, if it was so far, is thrown away.
    let ended = agencies.checking(serving.address(), &few, &output).args("--json --restart").ok();
    assert_eq!(Results::read(&output, ended.object()).rows.len(), 49);
    assert_eq!(agencies.ledger("session").len(), 2);
    drop(serving.stop());
}
