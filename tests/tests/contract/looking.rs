//! What is looked at before anybody is asked: lint, rulesets, dry runs.

use oblink_tests::{Agencies, Call, Ended, Program, files_below};

use super::{PAIRS, RECORDS, STREET, silent};

/// Twice the same, a person at two addresses, lost zeros, a misread name, swapped columns, and what cannot be asked.
const LIST: &str = "id,name,address,city,state,postal_code,CASE
a,Ana Quispe,7 Zanzibar Ave,Springfield,MA,1103,n1
b,ANA QUISPE,7 ZANZIBAR AVENUE,MA,Springfield,01103-2214,n1
b,Ana Quispe,8 Zanzibar Ave,Springfield,MA,01103,n1
c,JosÃ© Quispe,12 Zanzibar St,Boston,MA,02134,n2
d,Bo 2 Quispe,12 Zanzibar St,Boston,MA,02134,n3
e,Bo Quispe,Zanzibar Street,Boston,MA,02134,n3
f,unknown,12 Zanzibar St,Boston,MA,02134,
g,,,,,,
";

fn finding<'a>(object: &'a serde_json::Value, word: &str) -> &'a serde_json::Value {
    object["findings"].as_array().unwrap().iter().find(|finding| finding["finding"] == word).unwrap_or_else(|| panic!("{word}: {object}"))
}

#[test]
fn a_list_is_looked_at_without_a_home_and_without_a_value() {
    let agencies = Agencies::strangers();
    let list = agencies.file("pairs.csv", LIST);
    let lint = |more: &str| Call::new(Program::Verifier).args("lint").path("--input", &list).args(more);
    let ended = lint("--json --map person_id=CASE").ok();
    silent(&ended);
    let object = ended.object();
    let counts = ["rows", "usable", "placeholders", "addresses_unread"].map(|name| object[name].as_u64().unwrap());
    assert_eq!(counts, [8, 4, 1, 1], "{object}");
    assert_eq!(
        object["not_usable"],
        serde_json::json!({ "empty_name": 1, "incomplete_address": 1, "placeholder": 1, "unsupported_characters": 1 })
    );
    assert_eq!(object["rules"][0]["rows"], 4);
    assert_eq!((&object["tokens_asked"], &object["tokens_mean"], &object["dummies_mean"]), (&4.into(), &1.0.into(), &0.0.into()));
    assert_eq!(object["columns"]["mapped"], serde_json::json!({ "person_id": "CASE" }));
    for (word, rows) in [
        ("incomplete_address", vec![6]),
        ("placeholder", vec![7]),
        ("padded_postal_code", vec![1]),
        ("misread_text", vec![4]),
        ("digits_in_name", vec![5]),
        ("state_in_city", vec![2]),
        ("repeated_id", vec![3]),
        ("repeated_pair", vec![2]),
        ("several_addresses", vec![3]),
    ] {
        assert_eq!(finding(&object, word)["first_rows"], serde_json::json!(rows), "{word}");
    }
    // As request new leaves them out.
    let limited = lint("--json --person-id CASE --addresses-per-person-max 1 --require-column person_id").ok().object();
    assert_eq!(limited["not_usable"]["too_many_addresses"], 1, "{limited}");
    for level in ["", "-q", "-vvv", "--json -vvv"] {
        silent(&lint(level).env("OBLINK_LOG", "trace").ok());
    }
    assert_eq!(lint("--require-column order_date").run().code(), 3);
    assert_eq!(lint("--require-column shoe_size").run().code(), 2);
    assert_eq!(Call::new(Program::Verifier).args("lint --input nowhere.csv").run().code(), 3);
}

#[test]
fn records_are_looked_at_before_they_are_sealed() {
    let agencies = Agencies::new();
    let records =
        agencies.file("records.csv", format!("{RECORDS}r3,Bo,,Quispe,,PO Box 77,,Zanzibar,MA,1104\nr5,Ana,,Quispe,,Zanzibar,,,,01103\n"));
    let lint = |more: &str| Call::new(Program::Holder).args("lint").path("--input", &records).args(more);
    let ended = lint("--json").ok();
    silent(&ended);
    silent(&lint("-vvv").ok());
    let object = ended.object();
    let sealed = agencies.seal(&records).object();
    assert_eq!((&object["rows"], &object["tags_about"]), (&sealed["records"], &sealed["tags"]), "{object}");
    assert_eq!(object["not_usable"], sealed["rejected_by_reason"]);
    assert_eq!(finding(&object, "repeated_record")["first_rows"], serde_json::json!([4]));
    assert_eq!(finding(&object, "repeated_id")["first_rows"], serde_json::json!([4]));
    assert!(object["set_bytes_about"].as_u64().unwrap() > 0);
}

#[test]
fn rulesets_say_what_they_let_one_test() {
    for program in [Program::Holder, Program::Verifier] {
        let listed = Call::new(program).args("ruleset list --json").ok().objects();
        assert!(listed.iter().any(|object| object["ruleset"] == "us-exact-1" && object["tokens_per_pair"] == 1));
        for object in &listed {
            let name = object["ruleset"].as_str().unwrap();
            let shown = Call::new(program).args("ruleset show --json").arg(name).ok().object();
            assert!(shown["rules"].as_array().unwrap().iter().all(|rule| !rule["predicate"].as_str().unwrap().is_empty()));
            assert!(shown["digest"].as_str().unwrap().starts_with(object["digest"].as_str().unwrap()));
            let text = Call::new(program).args("ruleset show").arg(name).ok().stdout;
            assert!(text.contains("Disclosed: one bit a pair"), "{text}");
        }
        assert_eq!(Call::new(program).args("ruleset show us-nothing-1").run().code(), 3);
    }
    assert_eq!(Call::new(Program::Holder).args("ruleset explain --input x.csv --row 1").run().code(), 2);
}

/// The one command that prints a row: to standard output, and nowhere else.
#[test]
fn a_row_is_explained_to_its_owner_alone() {
    let agencies = Agencies::strangers();
    let list = agencies.file("pairs.csv", PAIRS);
    let explain = |row: &str, more: &str| {
        Call::new(Program::Verifier)
            .args("ruleset explain")
            .path("--input", &list)
            .arg("--row")
            .arg(row)
            .args(more)
            .env("OBLINK_LOG", "trace")
    };
    let quiet = |ended: &Ended| assert!(!ended.stderr.to_lowercase().contains("quispe") && !ended.stderr.contains(STREET), "{ended}");
    for more in ["", "--json", "-vvv"] {
        let shown = explain("1", more).ok();
        assert!(shown.stdout.contains("12 n zanzibar st") && shown.stderr.contains("a person's data"), "{shown}");
        quiet(&shown);
        let refused = explain("5", more).ok();
        assert!(refused.stdout.contains("incomplete_address") && refused.stdout.contains("house number"), "{refused}");
        silent(&refused);
        silent(&explain("6", more).ok());
    }
    let object = explain("1", "--json").ok().object();
    assert_eq!(object["tokens"][0]["fields"]["family"], "quispe");
    assert_eq!((&object["tokens"][0]["rule"], &object["dummies"]), (&1.into(), &0.into()));
    let beyond = explain("7", "").run();
    assert_eq!(beyond.code(), 3);
    silent(&beyond);
    assert_eq!(explain("0", "").run().code(), 2);
}

/// With both real programs: the holder's ledger and the verifier's home are as they were, and there are no results.
#[test]
fn a_dry_run_asks_nothing_and_leaves_nothing() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let (pairs, output) = (agencies.file("pairs.csv", PAIRS), agencies.at("results.csv"));
    let state = || {
        let names = |home: &std::path::Path| {
            files_below(home, "").into_iter().map(|file| (std::fs::metadata(&file).unwrap().len(), file)).collect::<Vec<_>>()
        };
        (agencies.holder.call("ledger --json").ok().stdout, names(&agencies.verifier.home))
    };
    let before = state();
    let dry = agencies.checking(serving.address(), &pairs, &output).args("--dry-run --json").ok();
    silent(&dry);
    let object = dry.object();
    assert_eq!((&object["dry_run"], &object["would"]), (&true.into(), &"ask".into()));
    let numbers = ["rows", "submitted", "tokens", "dummies", "batches"].map(|name| object[name].as_u64().unwrap());
    assert_eq!(numbers, [6, 4, 4, 0, 1], "{object}");
    assert_eq!(object["holder"]["reachable"], true);
    assert!(object["policy"].is_null() && object["request"].is_null());
    assert_eq!(state(), before, "a dry run left something");
    assert!(!output.exists() && !output.with_extension("meta.json").exists());
    let text = agencies.checking(serving.address(), &pairs, &output).arg("--dry-run").ok();
    assert!(text.stdout.contains("nothing was asked"), "{text}");
    silent(&text);

    // What it said of bytes is about what the run takes.
    let results = agencies.checking(serving.address(), &pairs, &output).arg("--json").ok().object();
    for bytes in ["bytes_up", "bytes_down"] {
        let (said, took) = (object[bytes].as_u64().unwrap(), results[bytes].as_u64().unwrap());
        assert!(said.abs_diff(took) < 4_096, "{bytes}: {said} said, {took} taken");
    }
    let address = serving.address().to_owned();
    drop(serving);
    let alone = agencies.checking(&address, &pairs, &agencies.at("other.csv")).args("--dry-run --json --timeout 2").run();
    assert_eq!(alone.code(), 5, "{alone}");
    assert_eq!((&alone.objects()[0]["submitted"], &alone.objects()[0]["holder"]["reachable"]), (&4.into(), &false.into()));
    for wrong in ["--dry-run --resume", "--dry-run --restart", "--policy p.toml --allowed-signers a", "--dry-run --policy p.toml"] {
        assert_eq!(agencies.checking(&address, &pairs, &output).args(wrong).run().code(), 2, "{wrong}");
    }
}
