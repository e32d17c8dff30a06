//! Homes that are not as they should be, on either side.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use oblink_tests::{Agencies, Call, Program, Seen, files_below};

use super::{PAIRS, RECORDS};

#[test]
fn homes() {
    let agencies = Agencies::new();
    let (holder, verifier) = (&agencies.holder, &agencies.verifier);
    let (records, pairs, output) = (agencies.file("records.csv", RECORDS), agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let mut seen = Seen::new(agencies.folder());
    let seal = || agencies.sealing(&records, "").run();
    let check = || agencies.checking("127.0.0.1:1", &pairs, &output).run();

    let key = std::fs::read(holder.home.join("identity.key")).unwrap();
    seen.note("init: the home exists", 3, &holder.call("init --name Tax").run());
    assert_eq!(std::fs::read(holder.home.join("identity.key")).unwrap(), key, "its key is untouched");
    std::fs::create_dir(agencies.at("full")).unwrap();
    std::fs::write(agencies.at("full/letter.txt"), "x").unwrap();
    let init = |name: &str| Call::new(Program::Verifier).args("init --name City").path("--home", &agencies.at(name)).run();
    seen.note("init: a directory with files", 3, &init("full"));
    std::fs::create_dir(agencies.at("locked")).unwrap();
    set_permissions(agencies.at("locked"), Permissions::from_mode(0o555)).unwrap();
    seen.note("init: a read-only directory", 3, &init("locked"));
    assert_eq!(files_below(&agencies.at("locked"), "").len(), 0);

    let elsewhere = Call::new(Program::Holder).args("seal").path("--home", &agencies.at("nowhere")).path("--input", &records);
    seen.note("no home", 3, &elsewhere.run());
    let wrong = Call::new(Program::Verifier).args("doctor").path("--home", &holder.home);
    seen.note("the other side's home", 3, &wrong.run());

    for party in [holder, verifier] {
        set_permissions(&party.home, Permissions::from_mode(0o500)).unwrap();
    }
    seen.note("seal: read-only home", 3, &seal());
    seen.note("serve: read-only home", 3, &holder.call("serve --listen 127.0.0.1:0").run());
    seen.note("check: read-only home", 3, &check());
    for party in [holder, verifier] {
        set_permissions(&party.home, Permissions::from_mode(0o700)).unwrap();
    }

    set_permissions(holder.home.join("identity.key"), Permissions::from_mode(0o640)).unwrap();
    seen.note("a key that others may read", 3, &seal());
    set_permissions(holder.home.join("identity.key"), Permissions::from_mode(0o600)).unwrap();
    std::fs::write(holder.home.join("statement.key"), &key[..20]).unwrap();
    seen.note("a key cut off", 3, &seal());
    std::fs::write(verifier.home.join("peers.toml"), "[peers]\ntax = \"1234\"\n").unwrap();
    seen.note("peers.toml edited by hand", 3, &check());
    std::fs::write(verifier.home.join("config.toml"), "role = \"verifier\"\nname = \"City\"\npilot_pairs_max = 5\n").unwrap();
    seen.note("config.toml edited by hand", 3, &check());
    insta::assert_snapshot!(seen.text());
}

#[test]
fn peers() {
    let agencies = Agencies::strangers();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("r.csv"));
    let mut seen = Seen::new(agencies.folder());
    let check = |more: &str| agencies.checking("127.0.0.1:1", &pairs, &output).args(more).run();
    let trust = |fingerprint: &str| agencies.verifier.call("trust --peer tax --fingerprint").arg(fingerprint).run();
    seen.note("check: nobody is trusted", 3, &check(""));
    seen.note("trust: cut off", 3, &trust(&agencies.holder.fingerprint[..70]));
    seen.note("trust: a letter O for a 0", 3, &trust(&format!("{}o", &agencies.holder.fingerprint[..78])));
    seen.note("trust: its own fingerprint", 3, &trust(&agencies.verifier.fingerprint));
    assert_eq!(trust(&agencies.holder.fingerprint).code(), 0);
    let another = Agencies::strangers();
    seen.note("trust: another under the same label", 3, &trust(&another.holder.fingerprint));
    seen.note("check: no such label", 3, &check("--peer irs"));
    agencies.verifier.trust("benefits", &another.holder);
    seen.note("check: two holders, and no --peer", 3, &check(""));
    insta::assert_snapshot!(seen.text());
}

/// Where results cannot go is known before anything is asked.
#[test]
fn outputs() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let mut seen = Seen::new(agencies.folder());
    let mut case = |name: &str, output: &str| {
        seen.note(name, 3, &agencies.checking(serving.address(), &pairs, &agencies.at(output)).run());
    };
    case("a missing directory", "no/such/results.csv");
    case("a directory", "holder");
    case("the input", "pairs.csv");
    std::fs::create_dir(agencies.at("locked")).unwrap();
    set_permissions(agencies.at("locked"), Permissions::from_mode(0o555)).unwrap();
    case("a read-only directory", "locked/results.csv");
    seen.note("standard output", 3, &agencies.checking(serving.address(), &pairs, "-".as_ref()).run());
    assert_eq!(std::fs::read_to_string(&pairs).unwrap(), PAIRS);
    assert_eq!(agencies.ledger("session").len() + agencies.ledger("refusal").len(), 0, "nobody was asked");
    assert_eq!(serving.stop().len(), 0);
    insta::assert_snapshot!(seen.text());
}
