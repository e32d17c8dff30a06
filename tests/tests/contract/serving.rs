//! serve, its objects and its end; ledger.

use nix::sys::signal::Signal;
use oblink_tests::{Agencies, Serving, eventually};

use super::{PAIRS, PAIRS_SHORT, RECORDS, silent};

#[test]
fn one_object_a_session_through_twenty_sessions() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let mut sessions = Vec::new();
    for _ in 0..20 {
        let results = agencies.check(&serving, &pairs);
        assert_eq!(results.in_short(), PAIRS_SHORT);
        let object = serving.next();
        assert_eq!((&object["outcome"], &object["session"]), (&"completed".into(), &results.meta["session"]));
        assert_eq!((&object["verifier"], &object["pairs"], &object["authority"]), (&"city".into(), &4.into(), &"unsigned".into()));
        assert_eq!((&object["bytes_in"], &object["bytes_out"]), (&results.object["bytes_up"], &results.object["bytes_down"]));
        sessions.push(object["session"].clone());
    }
    sessions.dedup();
    assert_eq!(sessions.len(), 20);
    assert_eq!(serving.stop(), Vec::<serde_json::Value>::new());
    let epoch = &agencies.ledger("epoch")[0];
    assert_eq!((&epoch["sessions"], &epoch["charged_tokens"]), (&20.into(), &80.into()));
}

#[test]
fn it_ends_cleanly_on_either_signal() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let serving = agencies.serve();
        assert!(serving.address().starts_with("127.0.0.1:") && !serving.address().ends_with(":0"), "{}", serving.address());
        assert_eq!(serving.stop_by(signal), Vec::<serde_json::Value>::new());
    }
    // The home is free again at once.
    drop(agencies.serve().stop());
}

#[test]
fn serve_warns_of_pilot_mode() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    eventually("the warning", || serving.stderr().contains("warning: pilot mode").then_some(()));
}

/// SPEC EPO-2: sealed before anybody is trusted, an epoch is the first trusted verifier's.
#[test]
fn sealing_and_trusting_need_no_restart() {
    let agencies = Agencies::strangers();
    let serving = agencies.serve();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    agencies.verifier.trust("tax", &agencies.holder);
    let check = || agencies.checking(serving.address(), &pairs, &output).args("--json").run();
    assert_eq!(check().code(), 4, "not trusted yet");
    agencies.holder.trust("city", &agencies.verifier);
    let refused = check();
    assert_eq!(refused.code(), 4, "not sealed yet: {refused}");
    assert_eq!(refused.objects().last().unwrap()["error"]["code"], "not_sealed");
    let object = serving.next();
    assert_eq!((&object["outcome"], &object["code"]), (&"refused".into(), &"not_sealed".into()));
    assert!(agencies.ledger("refusal").iter().any(|refusal| refusal["code"] == "not_sealed"));
    agencies.seal(&agencies.file("records.csv", RECORDS));
    assert_eq!(agencies.check(&serving, &pairs).in_short(), PAIRS_SHORT);
    agencies.holder.call("trust --peer city --remove").ok();
    assert_eq!(check().code(), 4, "trusted no longer");
}

#[test]
fn an_epoch_sealed_for_nobody_is_the_first_verifiers() {
    let agencies = Agencies::strangers();
    let sealed = agencies.seal(&agencies.file("records.csv", RECORDS)).object();
    assert!(sealed["peer"].is_null());
    agencies.holder.trust("city", &agencies.verifier);
    agencies.verifier.trust("tax", &agencies.holder);
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    assert_eq!(agencies.check(&serving, &pairs).in_short(), PAIRS_SHORT);
    let late = Agencies::strangers();
    agencies.holder.trust("late", &late.verifier);
    late.verifier.trust("tax", &agencies.holder);
    assert_eq!(late.checking(serving.address(), &pairs, &late.at("r.csv")).run().code(), 4);
    assert_eq!(agencies.ledger("epoch")[0]["verifier"], "city");
}

#[test]
fn a_home_is_served_once() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let second = agencies.holder.call("serve --listen 127.0.0.1:0 --json").run();
    assert_eq!(second.code(), 3, "{second}");
    assert!(second.objects()[0]["error"]["what"].is_string());
    drop(serving.stop());
    drop(Serving::start(&agencies.holder).stop());
}

#[test]
fn the_ledger_shows_every_session_to_people_and_programs() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let results = agencies.check(&serving, &pairs);
    drop(agencies.check(&serving, &pairs));
    assert_eq!(agencies.ledger("session").len(), 2, "while it serves");
    let ended = agencies.holder.call("ledger show").ok();
    silent(&ended);
    assert_eq!(ended.stderr, "");
    assert!(ended.stdout.contains(&results.session()[..16]) && ended.stdout.contains("city asked 4 pairs, unsigned: complete"), "{ended}");
    let session = agencies.ledger("session").into_iter().find(|session| session["session"] == results.session()).unwrap();
    assert_eq!((&session["verifier"], &session["pairs"], &session["charged_tokens"]), (&"city".into(), &4.into(), &4.into()));
    let delivery = &agencies.ledger("delivery")[0];
    assert_eq!((&delivery["session"], &delivery["set_id"]), (&results.meta["session"], &results.meta["set_id"]));
}
