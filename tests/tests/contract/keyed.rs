//! Rulesets of several tokens a pair, with the real programs: exactness, crowds, sealing again, rulesets of one's own.

use std::path::Path;

use oblink_tests::{Agencies, Call, Program, files_below, mode};

const KEYED: &str = "us-confirm-1";

/// An own ruleset: names at an address, and without the family name where few live.
const OWN: &str = "format = \"oblink/ruleset/1\"
name = \"own-1\"
class = \"confirm-address\"
canonicaliser = \"us-2\"
tokens_per_pair = 4
crowd_max = 2
pair_family = \"may-be-empty\"

[[rule]]
number = 1
name = \"names\"
fields = [\"names.formal\", \"number\", \"street\", \"zip\"]

[[rule]]
number = 2
name = \"given name\"
fields = [\"given.formal\", \"number\", \"street\", \"zip\"]
middle = \"present\"
family = \"lacking\"
quiet_only = true
";

/// The demo compares with the plaintext join by itself.
#[test]
fn several_tokens_a_pair_give_the_plaintext_join() {
    for (ruleset, people) in [(KEYED, "--noisy"), (KEYED, ""), ("us-find-1", "--noisy")] {
        let call = Call::new(Program::Demo).args("--json --pairs 150 --records 900 --ruleset").arg(ruleset).args(people);
        let object = call.ok().object();
        assert_eq!(object["ruleset"], ruleset);
        assert!(object["tokens_per_pair"].as_u64().unwrap() > 1 && object["tokens_per_record"].as_f64().unwrap() > 1.0, "{object}");
        assert!(object["matches"].as_u64().unwrap() > 20, "{object}");
        assert_eq!((&object["false_matches"], &object["missed_matches"]), (&0.into(), &0.into()));
    }
}

fn keep(home: &Path, days: u32) {
    let config = home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}\n[epochs]\nkeep_key_days = {days}\n")).unwrap();
}

const HEADER: &str = "id,given_name,middle_name,family_name,address,postal_code\n";

/// So many people of one family at one address; the first is Ana Q Quispe.
fn neighbours(count: usize) -> String {
    let given = ["Ana", "Bo", "Carl", "Dora", "Emil"];
    let rows = given.iter().take(count).map(|given| format!("r{given},{given},Q,Quispe,7 Zanzibar Street,02134\n"));
    rows.fold(format!("{HEADER}far,Fay,X,Quispe,9 Zanzibar Street,02134\n"), |text, row| text + &row)
}

/// Ana at the address, under another family name: a token of a quiet place alone finds her.
const PAIRS: &str = "id,given_name,middle_name,family_name,address,postal_code\np1,Ana,Q,,7 Zanzibar Street,02134\np2,Ana,Q,Quispe,7 Zanzibar Street,02134\n";

fn own(agencies: &Agencies) -> String {
    agencies.file("own-1.toml", OWN).display().to_string()
}

/// SET-9, EPO-5: what a record gave while its place was quiet goes when others move there, also out of what is known from before.
#[test]
fn a_place_that_becomes_crowded_loses_its_tokens() {
    let agencies = Agencies::new();
    keep(&agencies.holder.home, 30);
    let (own, pairs) = (own(&agencies), agencies.file("pairs.csv", PAIRS));
    let sealed = |count: usize| {
        let records = agencies.file("records.csv", neighbours(count));
        let object = agencies.sealing(&records, "--json --ruleset").arg(own.as_str()).ok().object();
        // Computed again from nothing, it is the same set.
        let audit = agencies.holder.call("audit --json").path("--records", &records).arg("--epoch").arg(object["epoch"].as_str().unwrap());
        assert_eq!(audit.ok().object()["agrees"], true);
        object
    };
    let first = sealed(2);
    let serving = agencies.serve();
    let check = || {
        let output = agencies.at("results.csv");
        let ended = agencies.checking(serving.address(), &pairs, &output).args("--json --ruleset").arg(own.as_str()).ok();
        oblink_tests::Results::read(&output, ended.object()).matched()
    };
    assert_eq!(check(), [true, true]);
    let second = sealed(3);
    assert_eq!((&second["epoch"], &second["epoch_kept"]), (&first["epoch"], &true.into()));
    assert!(second["recalled"].as_u64().unwrap() > 0, "Fay's are known: {second}");
    assert_eq!(check(), [false, true]);
    // And they come back.
    assert_eq!(sealed(2)["sealed"], first["sealed"]);
    assert_eq!(check(), [true, true]);
}

/// SET-9: what is read once is taken as crowded, said so, and audited in the same way.
#[test]
fn records_that_are_read_once_are_not_counted() {
    let agencies = Agencies::new();
    let own = own(&agencies);
    let records = agencies.file("records.csv", neighbours(2));
    let counted = agencies.sealing(&records, "--json --ruleset").arg(own.as_str()).ok();
    assert!(!counted.stderr.contains("read only once"), "{counted}");
    let ended = agencies.sealing(Path::new("-"), "--json --ruleset").arg(own.as_str()).stdin(neighbours(2)).ok();
    assert!(ended.stderr.contains("read only once") && ended.stderr.contains("as a file"), "{ended}");
    let object = ended.object();
    assert!(object["tags"].as_u64() < counted.object()["tags"].as_u64());
    let audit = |records: &Path| {
        agencies.holder.call("audit --json").path("--records", records).arg("--epoch").arg(object["epoch"].as_str().unwrap())
    };
    assert_eq!(audit(Path::new("-")).stdin(neighbours(2)).ok().object()["agrees"], true);
    let ended = audit(&records).run();
    assert_eq!(ended.code(), 6);
    assert!(ended.stderr.contains("--records -"), "{ended}");
}

/// An own ruleset is kept where the holder needs it again, and both sides must have the same text.
#[test]
fn an_own_ruleset_is_kept_and_must_be_the_same() {
    let agencies = Agencies::new();
    let (own, pairs) = (own(&agencies), agencies.file("pairs.csv", PAIRS));
    agencies.sealing(&agencies.file("records.csv", neighbours(2)), "--json --ruleset").arg(own.as_str()).ok();
    let kept = files_below(&agencies.holder.home.join("rulesets"), ".toml");
    assert_eq!(kept.len(), 1);
    assert_eq!(mode(&kept[0]), 0o600);
    let serving = agencies.serve();
    let other = agencies.file("other.toml", std::fs::read_to_string(&own).unwrap().replace("crowd_max = 2", "crowd_max = 3"));
    let check =
        |ruleset: &str| agencies.checking(serving.address(), &pairs, &agencies.at("out.csv")).args("--json --ruleset").arg(ruleset).run();
    let ended = check(other.to_str().unwrap());
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &"ruleset_mismatch".into()), "{ended}");
    assert_eq!(check(&own).code(), 0);
    assert_eq!(check("own-1").object()["error"]["code"], "unknown_ruleset");
    // A name of the build is the build's.
    let taken = agencies.file("taken.toml", OWN.replace("own-1", "us-exact-1"));
    assert_eq!(check(taken.to_str().unwrap()).object()["error"]["code"], "bad_ruleset");
}

/// Nobody's policy says whether persons may be found.
#[test]
fn finding_persons_is_warned_of_in_pilot_mode() {
    let agencies = Agencies::new();
    let records = agencies.file("records.csv", neighbours(2));
    let ended = agencies.sealing(&records, "--ruleset us-find-1").ok();
    assert!(ended.stderr.contains("us-find-1 finds persons"), "{ended}");
    let serving = agencies.serve();
    let output = agencies.at("out.csv");
    let ended = agencies.checking(serving.address(), &agencies.file("pairs.csv", PAIRS), &output).args("--ruleset us-find-1").ok();
    assert!(ended.stderr.contains("us-find-1 finds persons"), "{ended}");
    let ended = agencies.sealing(&records, "--ruleset us-confirm-1").ok();
    assert!(!ended.stderr.contains("finds persons"), "{ended}");
}
