//! Padding: the other side learns the number that was chosen, and results know nothing of it (SPEC PAD-1 to PAD-4).

use std::path::{Path, PathBuf};

use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{RequestDir, people};
use oblink_tests::officials::Cast;
use oblink_tests::policy::Rules;
use oblink_tests::{Agencies, Results, files_below, only_file};
use serde_json::{Value, json};

/// Forty records; seven pairs, of which the first five are among them and one cannot be asked.
fn lists(agencies: &Agencies) -> (PathBuf, PathBuf) {
    let records = agencies.file("records.csv", people(0, 40, ""));
    let pairs = people(35, 7, "2026-01-05") + "bad,,,,,,\n";
    (records, agencies.file("pairs.csv", pairs))
}

/// A policy in force, under which this cast's requests are admitted.
fn under_a_policy(agencies: &Agencies) -> Cast {
    let cast = Cast::default();
    agencies.put_in_force(&Rules::new(&cast, &agencies.verifier), "policy", &cast.holding);
    cast
}

fn padded(agencies: &Agencies, address: &str, pairs: &Path, more: &str) -> Results {
    let output = agencies.at("padded.csv");
    let ended = agencies.checking(address, pairs, &output).arg("--json").args(more).ok();
    Results::read(&output, ended.object())
}

/// SPEC PAD-1, PAD-3: the holder books the number that was chosen; results.csv is the same to the byte.
#[test]
fn a_padded_list_has_the_same_results() {
    let agencies = Agencies::new();
    let (records, pairs) = lists(&agencies);
    agencies.seal(&records);
    let serving = agencies.serve();
    let plain = agencies.check(&serving, &pairs);
    assert_eq!((plain.in_short().as_str(), &plain.object["padding"]), ("+ + + + + - - empty_name", &json!(0)));
    for (pad_to, padding) in [("20000", 19_993), ("8", 1), ("7", 0)] {
        let results = padded(&agencies, serving.address(), &pairs, &format!("--pad-to {pad_to}"));
        assert_eq!(std::fs::read(&results.path).unwrap(), std::fs::read(&plain.path).unwrap());
        assert_eq!((&results.object["padding"], &results.object["submitted"]), (&json!(padding), &json!(7)));
        assert_eq!(results.meta["counts"], plain.meta["counts"]);
    }
    let booked: Vec<Value> = agencies.holder.logged(EntryKind::RequestAccepted).iter().map(|entry| entry.body["pairs"].clone()).collect();
    assert_eq!(booked, [7, 20_000, 8, 7]);
    let receipts = files_below(&agencies.verifier.home.join("receipts"), ".json");
    let pairs_of = |path: &PathBuf| serde_json::from_slice::<Value>(&std::fs::read(path).unwrap()).unwrap().to_string().contains("20000");
    assert!(receipts.iter().any(pairs_of), "no receipt is of 20,000 pairs");
}

/// SPEC PAD-1: more rows than the number that was chosen are an error before anybody is asked; a list of which nothing can be asked is not padded.
#[test]
fn a_list_that_is_longer_than_its_padding() {
    let agencies = Agencies::new();
    let (records, pairs) = lists(&agencies);
    agencies.seal(&records);
    let serving = agencies.serve();
    let output = agencies.at("over.csv");
    let ended = agencies.checking(serving.address(), &pairs, &output).args("--json --pad-to 6").run();
    let error = &ended.object()["error"];
    assert_eq!((ended.code(), &error["code"]), (3, &json!("over_pad_to")), "{ended}");
    assert!(error["hint"].as_str().unwrap().contains("at least 7") && !output.exists(), "{ended}");
    let ended = agencies.request_call(&agencies.verifier, &pairs, "over", "--json --pad-to 6").run();
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &json!("over_pad_to")), "{ended}");
    assert!(!agencies.at("over").exists());
    for wrong in ["0", "16777217", "-1", "many"] {
        let ended = agencies.checking(serving.address(), &pairs, &output).arg(format!("--pad-to={wrong}")).run();
        assert_eq!(ended.code(), 2, "{ended}");
    }
    let nobody = agencies.file("nobody.csv", people(0, 0, "") + "bad,,,,,,\n");
    let results = padded(&agencies, serving.address(), &nobody, "--pad-to 9");
    assert_eq!((results.in_short().as_str(), &results.object["padding"]), ("empty_name", &json!(0)));
    assert!(agencies.holder.logged(EntryKind::RequestAccepted).is_empty(), "somebody was asked");
}

/// SPEC PAD-2: a padded request is computed again by whoever has its secret part; its audits, whole and by sample, pass, and padding is opened as such.
#[test]
fn a_padded_request_from_officials_to_auditors() {
    let agencies = Agencies::new();
    let (records, pairs) = lists(&agencies);
    let cast = under_a_policy(&agencies);
    agencies.seal(&records);
    let made =
        agencies.request_call(&agencies.verifier, &pairs, "r", "--json --pad-to 20 --require-column order_date --person-id person_id").ok();
    assert_eq!((&made.object()["pairs"], &made.object()["padding"]), (&json!(20), &json!(13)));
    let request = RequestDir { path: agencies.at("r"), input: pairs.clone() }.signed_by(&cast.asking);
    assert_eq!(request.manifest().pairs, 20);
    let show =
        || agencies.verifier.call_bare("request show --verify --json").path("--request", &request.path).path("--input", &pairs).run();
    assert_eq!(show().object()["verified"], json!({"agrees": true, "differs": [], "padding": 13}));

    let serving = agencies.serve();
    let refused = agencies.asking(serving.address(), &request).args("--pad-to 20").run();
    assert_eq!(refused.code(), 2, "the request has said it: {refused}");
    let ended = agencies.asking(serving.address(), &request).ok();
    let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
    assert_eq!((results.in_short().as_str(), &results.object["padding"]), ("+ + + + + - - empty_name", &json!(13)));
    assert_eq!(agencies.holder.logged(EntryKind::RequestAccepted)[0].body["tokens"], 20);
    drop(serving.stop());

    let extract = agencies.at("extract.json");
    agencies.holder.call("ledger extract --peer city").path("--output", &extract).ok();
    let audit = agencies.verifier.call_bare("audit --json").path("--request", &request.path).path("--input", &pairs);
    audit.path("--receipt", &request.path.join("receipt.json")).path("--ledger-extract", &extract).ok();
    let sample = agencies.at("sample.json");
    let sampling = agencies.verifier.call_bare("audit sample --n 200 --seed 7").path("--request", &request.path);
    sampling.path("--input", &pairs).path("--output", &sample).ok();
    let open = || {
        agencies.verifier.call_bare("audit open --json --n 200 --seed 7").path("--sample", &sample).path("--request", &request.file()).run()
    };
    let opened = open().object();
    assert_eq!((&opened["rows"], &opened["padding"], &opened["agrees"]), (&json!(20), &json!(13), &json!(true)));

    // Padding that is passed off as a row, and a row as padding.
    let text = std::fs::read_to_string(&sample).unwrap();
    let rows = |change: &dyn Fn(&mut Vec<Value>)| {
        let mut value: Value = serde_json::from_str(&text).unwrap();
        change(value["rows"].as_array_mut().unwrap());
        std::fs::write(&sample, value.to_string()).unwrap();
        let ended = open();
        assert_eq!((ended.code(), &ended.objects()[0]["agrees"]), (6, &json!(false)), "{ended}");
    };
    rows(&|rows| rows[19]["row"] = json!(9));
    rows(&|rows| rows[19]["fields"] = json!([["id", "x"]]));
    rows(&|rows| rows[0]["row"] = json!(0));
    rows(&|rows| (rows[0]["row"], rows[0]["fields"]) = (json!(0), json!([])));
    rows(&|rows| rows[19]["dummies"] = rows[18]["dummies"].clone());

    // Without its padding, or with another, the secret part does not make this request.
    let secret = request.path.join("secret.json");
    let kept = std::fs::read_to_string(&secret).unwrap();
    assert!(kept.contains("\"pad_to\":20,"), "the padding is not kept");
    for other in ["", "\"pad_to\":21,"] {
        std::fs::write(&secret, kept.replace("\"pad_to\":20,", other)).unwrap();
        let ended = show();
        let differs = ended.objects()[0]["verified"]["differs"].to_string();
        assert!(ended.code() == 3 && differs.contains("pairs") && differs.contains("list_root"), "{ended}");
    }
    std::fs::write(&secret, kept.replace("\"pad_to\":20,", "\"pad_to\":99999999999999,")).unwrap();
    assert_eq!(show().object()["error"]["code"], "secret_damaged", "a number that fills the memory");
}

/// A disclosure of what matched counts rows alone (SPEC PAD-3, DIS-2).
#[test]
fn padding_is_not_disclosed() {
    let agencies = Agencies::new();
    let (records, pairs) = lists(&agencies);
    let cast = under_a_policy(&agencies);
    agencies.seal(&records);
    let request = agencies.request(&pairs, "r", "--pad-to 500 --disclosure matched-tags").signed_by(&cast.asking);
    let serving = agencies.serve();
    agencies.asking(serving.address(), &request).ok();
    drop(serving.stop());
    let told = &agencies.holder.logged(EntryKind::Disclosure)[0];
    assert_eq!(told.body["matched"], 5);
    let booking =
        agencies.holder.call("ledger account --json").path("--records", &records).path("--receipt", &request.path.join("receipt.json"));
    assert_eq!(booking.ok().object()["booked"], 5);
}

/// SPEC PAD-4: the set declares the number that was chosen, whatever the records; matches are the same; an audit makes it again.
#[test]
fn a_padded_set_has_the_same_matches() {
    let agencies = Agencies::new();
    let (records, pairs) = lists(&agencies);
    // One record twice: what is declared is distinct tags.
    let text = std::fs::read_to_string(&records).unwrap();
    let twice = agencies.file("twice.csv", text.clone() + text.lines().nth(1).unwrap() + "\n");
    let sealed = agencies.sealing(&twice, "--json --pad-to 10000").ok().object();
    assert_eq!([&sealed["declared_tags"], &sealed["padding"], &sealed["records"]], [10_000, 9_960, 41]);
    let shorter = agencies.file("shorter.csv", people(0, 38, ""));
    let other = agencies.sealing(&shorter, "--json --pad-to 10000").ok().object();
    assert_eq!([&other["declared_tags"], &other["padding"]], [10_000, 9_962]);
    // Tags are random: the Rice code's length is, too, by a few bytes a block.
    let bytes = |object: &Value| object["set_bytes"].as_i64().unwrap();
    assert!((bytes(&sealed) - bytes(&other)).abs() < 200, "{sealed} {other}");
    let sealed = agencies.sealing(&twice, "--json --pad-to 10000").ok().object();
    let serving = agencies.serve();
    let results = agencies.check(&serving, &pairs);
    assert_eq!(results.in_short(), "+ + + + + - - empty_name");
    drop(serving.stop());
    let audit = |records: &Path| {
        let call = agencies.holder.call("audit --json --epoch").arg(sealed["epoch"].as_str().unwrap());
        call.path("--records", records).run().code()
    };
    assert_eq!((audit(&twice), audit(&shorter)), (0, 6));

    // More than the number: nothing changes.
    let set = std::fs::read(only_file(&agencies.holder.home, ".oblset")).unwrap();
    let before = agencies.holder.log().len();
    let ended = agencies.sealing(&records, "--json --pad-to 39").run();
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &json!("over_pad_to")), "{ended}");
    assert_eq!(std::fs::read(only_file(&agencies.holder.home, ".oblset")).unwrap(), set);
    assert_eq!((agencies.holder.log().len(), files_below(&agencies.holder.home, ".seed").len()), (before, 1));
}

/// Under a kept key the same records and number make the same set, with the cache or without; another number another.
#[test]
fn a_padded_set_under_a_kept_key() {
    let agencies = Agencies::new();
    let config = agencies.holder.home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text + "\n[epochs]\nkeep_key_days = 30\n").unwrap();
    let (records, pairs) = lists(&agencies);
    let seal = |records: &Path, more: &str| agencies.sealing(records, "--json").args(more).ok().object();
    let first = seal(&records, "--pad-to 300");
    let again = seal(&records, "--pad-to 300");
    assert_eq!((&again["sealed"], &again["recalled"], &again["epoch_kept"]), (&first["sealed"], &json!(40), &json!(true)));
    std::fs::remove_file(only_file(&agencies.holder.home, ".cache")).unwrap();
    assert_eq!(seal(&records, "--pad-to 300 --memory 1M")["sealed"], first["sealed"]);
    let more = agencies.file("more.csv", people(0, 45, ""));
    let grown = seal(&more, "--pad-to 300");
    assert_eq!((&grown["declared_tags"], &grown["padding"], &grown["epoch"]), (&json!(300), &json!(255), &first["epoch"]));
    assert_ne!(grown["sealed"], first["sealed"]);
    assert_ne!(seal(&more, "--pad-to 301")["sealed"], grown["sealed"]);
    let serving = agencies.serve();
    assert_eq!(agencies.check(&serving, &pairs).in_short(), "+ + + + + + + empty_name");
}
