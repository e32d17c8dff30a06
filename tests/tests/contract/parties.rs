//! init, trust, doctor, completions, man.

use oblink_tests::{Agencies, Call, Party, Program, mode};

#[test]
fn init_prints_a_fingerprint_that_goes_verbatim_into_trust() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("a home");
    let made = Call::new(Program::Holder).args("init --json --name").arg("Tax Agency").path("--home", &home).ok();
    let object = made.object();
    assert_eq!((&object["name"], &object["role"]), (&"Tax Agency".into(), &"holder".into()));
    let fingerprint = object["fingerprint"].as_str().unwrap();
    assert!(made.stderr.contains(fingerprint), "people read it too: {made}");
    assert_eq!(mode(&home), 0o700);
    for key in ["identity.key", "statement.key", "config.toml", "peers.toml"] {
        assert_eq!(mode(&home.join(key)), 0o600, "{key}");
    }
    let verifier = Party::init(Program::Verifier, &folder.path().join("v"));
    let trust = |label: &str, more: &str| verifier.call("trust --json --peer").arg(label).args(more);
    let told = trust("tax", "--fingerprint").arg(fingerprint).ok().object();
    assert_eq!((&told["fingerprint"], &told["change"]), (&object["fingerprint"], &"added".into()));
    assert_eq!(trust("tax", "--fingerprint").arg(fingerprint).ok().object()["change"], "unchanged");
    // As read out by telephone: no groups, capitals.
    let spoken = fingerprint.replace('-', "").to_uppercase();
    assert_eq!(trust("tax", "--fingerprint").arg(spoken).ok().object()["change"], "unchanged");
    let other = Party::init(Program::Holder, &folder.path().join("o"));
    assert_eq!(trust("tax", "--fingerprint").arg(&other.fingerprint).run().code(), 3, "another key under a label needs --replace");
    assert_eq!(trust("tax", "--replace --fingerprint").arg(&other.fingerprint).ok().object()["change"], "replaced");
    assert_eq!(trust("tax", "--remove").ok().object()["change"], "removed");
    assert_eq!(trust("tax", "--remove").run().code(), 3);
}

#[test]
fn without_json_stdout_is_for_people() {
    let folder = tempfile::tempdir().unwrap();
    let made = Call::new(Program::Verifier).args("init --name City").path("--home", &folder.path().join("v")).ok();
    assert!(made.stdout.contains("oblink-holder trust --home DIR --peer LABEL --fingerprint "), "{made}");
    assert_eq!(made.stderr, "", "{made}");
}

#[test]
fn doctor_tells_what_is_missing_until_nothing_is() {
    let agencies = Agencies::strangers();
    let verdicts = |ended: &oblink_tests::Ended| -> Vec<(String, bool)> {
        let checks = ended.objects().into_iter().filter(|object| object.get("check").is_some());
        checks.map(|object| (object["check"].as_str().unwrap().to_owned(), object["ok"].as_bool().unwrap())).collect()
    };
    let good = |names: &[&str]| names.iter().map(|name| ((*name).to_owned(), true)).collect::<Vec<_>>();

    let holder = agencies.holder.call("doctor --json --listen 127.0.0.1:0").run();
    assert_eq!(holder.code(), 3, "{holder}");
    let found = verdicts(&holder);
    assert!(found.contains(&("trust".to_owned(), false)) && found.contains(&("sealed sets".to_owned(), false)), "{holder}");
    let verifier = agencies.verifier.call("doctor --json").run();
    assert_eq!(verifier.code(), 3, "{verifier}");
    assert!(verdicts(&verifier).contains(&("trust".to_owned(), false)), "{verifier}");

    agencies.holder.trust("city", &agencies.verifier);
    agencies.verifier.trust("tax", &agencies.holder);
    agencies.seal(&agencies.file("records.csv", super::RECORDS));
    let holder = agencies.holder.call("doctor --json --listen 127.0.0.1:0").ok();
    let expected = ["engine", "home", "trust", "sealed sets", "disk", "ledger", "policy", "authority", "clock", "epochs", "port"];
    assert_eq!(verdicts(&holder), good(&expected), "{holder}");
    assert!(holder.stderr.contains("pilot mode"), "{holder}");

    let serving = agencies.serve();
    let verifier = agencies.verifier.call("doctor --json --holder").arg(serving.address()).ok();
    assert_eq!(verdicts(&verifier), good(&["engine", "home", "disk", "trust", "address", "line", "round trip", "clocks"]), "{verifier}");
    // The port is taken now.
    let holder = agencies.holder.call("doctor --json --listen").arg(serving.address()).run();
    assert_eq!(holder.code(), 3, "{holder}");
    assert!(verdicts(&holder).contains(&("port".to_owned(), false)), "{holder}");

    // The holder's trust shows only by a round trip (SPEC TRN-2).
    agencies.holder.call("trust --peer city --remove").ok();
    let verifier = agencies.verifier.call("doctor --json --holder").arg(serving.address()).run();
    assert_eq!(verifier.code(), 4, "{verifier}");
    assert!(verifier.stderr.contains(&agencies.verifier.fingerprint), "it says what is to be read out: {verifier}");
    assert_eq!(serving.stop(), Vec::<serde_json::Value>::new(), "a round trip is no session");
}

#[test]
fn completions_and_man_pages() {
    for program in [Program::Holder, Program::Verifier, Program::Demo] {
        for shell in ["bash", "zsh", "fish"] {
            let text = Call::new(program).args("completions").arg(shell).ok().stdout;
            assert!(text.contains(program.name()) && text.lines().count() > 20, "{shell}: {text}");
        }
        let page = Call::new(program).args("man").ok().stdout;
        assert!(page.contains(".TH") && page.contains("Exit codes"), "{page}");
    }
    let page = Call::new(Program::Verifier).args("man").ok().stdout;
    assert!(page.contains("check") && page.contains("windows"), "each command has its page");
}

#[test]
fn every_word_of_the_contract_is_in_the_help() {
    let help = |program, command: &str| Call::new(program).args(command).arg("--help").ok().stdout;
    for (command, flags) in [
        (
            "seal",
            "--home --input --map --as-of --rejects --rejects-max --memory --delimiter --encoding --no-header --columns --ruleset --no-progress --json",
        ),
        ("serve", "--home --listen --json"),
        ("trust", "--home --peer --fingerprint"),
        ("init", "--home --name"),
    ] {
        let text = help(Program::Holder, command);
        for flag in flags.split(' ') {
            assert!(text.contains(flag), "{command} {flag}: {text}");
        }
    }
    let text = help(Program::Verifier, "check");
    for flag in ["--holder", "--input", "--output", "--peer", "--ruleset", "--map", "--delimiter", "--encoding", "--columns"] {
        assert!(text.contains(flag), "check {flag}: {text}");
    }
    let text = help(Program::Demo, "");
    for flag in ["--pairs", "--records", "--json", "--write-sample"] {
        assert!(text.contains(flag), "demo {flag}: {text}");
    }
}
