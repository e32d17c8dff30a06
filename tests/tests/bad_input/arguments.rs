//! Wrong usage (exit 2), and values that only the work itself can refuse (exit 3).

use oblink_tests::{Agencies, Call, Program, Seen};

use super::{PAIRS, RECORDS};

#[test]
fn usage() {
    let mut seen = Seen::new("/nowhere/at/all".as_ref());
    let cases = [
        (Program::Holder, ""),
        (Program::Holder, "sael"),
        (Program::Holder, "seal --home h"),
        (Program::Holder, "seal --home h --input r.csv --force"),
        (Program::Holder, "seal --home h --input r.csv --as-of 31.10.2026"),
        (Program::Holder, "seal --home h --input r.csv --as-of 2026-02-30"),
        (Program::Holder, "seal --home h --input r.csv --memory lots"),
        (Program::Holder, "seal --home h --input r.csv --rejects-max 0.1"),
        (Program::Holder, "seal --home h --input r.csv --map FIRST_NM"),
        (Program::Holder, "seal --home h --input r.csv --map firstname=FIRST_NM"),
        (Program::Holder, "seal --home h --input r.csv --encoding ebcdic"),
        (Program::Holder, "seal --home h --input r.csv --delimiter ab"),
        (Program::Holder, "seal --home h --input r.csv --columns a,b"),
        (Program::Holder, "serve --home h --listen 4433"),
        (Program::Holder, "trust --home h --peer city"),
        (Program::Verifier, "check --home v --input p.csv --output r.csv"),
        (Program::Verifier, "check --home v --holder h:1 --input p.csv --output r.csv --timeout soon"),
        (Program::Demo, "--pairs 0"),
    ];
    for (program, line) in cases {
        let ended = Call::new(program).args(line).run();
        // Help without a command is long; the case is that it is help.
        if line.is_empty() {
            assert_eq!(ended.code(), 2);
            assert!(ended.stderr.contains("Usage: oblink-holder"), "{ended}");
            continue;
        }
        seen.note(&format!("{} {line}", program.name()), 2, &ended);
        let json = Call::new(program).args(line).arg("--json").run();
        assert_eq!((json.code(), &json.object()["error"]["code"]), (2, &"usage".into()), "{line}");
    }
    insta::assert_snapshot!(seen.text());
}

#[test]
fn addresses_and_rulesets() {
    let agencies = Agencies::new();
    let (records, pairs, output) = (agencies.file("records.csv", RECORDS), agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let mut seen = Seen::new(agencies.folder());
    for holder in ["127.0.0.1", "4433", ":4433", "127.0.0.1:0", "127.0.0.1:99999", "https://127.0.0.1:4433/", "::1"] {
        let ended = agencies.checking(holder, &pairs, &output).run();
        assert_eq!(ended.code(), 2, "{holder}: {ended}");
    }
    seen.note("--holder without a port", 2, &agencies.checking("holder.example.gov", &pairs, &output).run());
    let nowhere = agencies.checking("holder.invalid:4433", &pairs, &output).run();
    seen.note("a name that does not resolve", 5, &nowhere);
    seen.note("an engine that there is not", 3, &agencies.holder.call("ledger").env("OBLINK_ENGINE", "abacus").run());
    seen.note("ledger: before anything", 3, &agencies.holder.call("ledger").run());
    seen.note("seal: unknown ruleset", 3, &agencies.sealing(&records, "--ruleset us-fuzzy-9").run());
    seen.note("check: unknown ruleset", 3, &agencies.checking("127.0.0.1:1", &pairs, &output).args("--ruleset us-fuzzy-9").run());
    seen.note("seal: unknown peer", 3, &agencies.sealing(&records, "--peer county").run());
    seen.note("serve: not an address of this machine", 3, &agencies.holder.call("serve --listen 192.0.2.1:4433").run());
    agencies.seal(&records);
    let serving = agencies.serve();
    let other = Agencies::new();
    other.seal(&records);
    seen.note("serve: port in use", 3, &other.holder.call("serve --listen").arg(serving.address()).run());
    seen.note("serve: home in use", 3, &agencies.holder.call("serve --listen 127.0.0.1:0").run());
    seen.note("doctor: port in use", 3, &agencies.holder.call("doctor --quiet --listen").arg(serving.address()).run());
    insta::assert_snapshot!(seen.text());
}
