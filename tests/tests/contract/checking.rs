//! check: results, their meta file, receipts, the kept set, epochs.

use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;

use oblink_session::receipt::Receipt;
use oblink_tests::{Agencies, Call, Program, Results, files_below, only_file};

use super::{PAIRS, PAIRS_SHORT, RECORDS, silent, silent_text};

#[test]
fn ids_come_back_verbatim_and_in_order() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let ids = ["plain", "a,b", "say \"yes\"", "two\nlines", " blanks ", "", "twice", "twice", "ñ-日本", "=1+1", "0007", "a\r\nb"];
    let mut file = csv::Writer::from_writer(Vec::new());
    file.write_record(["postal_code", "name", "id", "address"]).unwrap();
    for (number, id) in ids.iter().enumerate() {
        let zip = if number % 2 == 0 { "01103" } else { "01105" };
        file.write_record([zip, "Ana Quispe", id, "7 Zanzibar Ave"]).unwrap();
    }
    let results = agencies.check(&serving, &agencies.file("pairs.csv", file.into_inner().unwrap()));
    assert_eq!(results.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ids);
    assert_eq!(results.in_short(), ["+ -"; 6].join(" "));
    // Without the column, the row's number.
    let results =
        agencies.check(&serving, &agencies.file("pairs.csv", "name,address,postal_code\nX,Y,Z\nAna Quispe,7 Zanzibar Ave,1103\n"));
    assert_eq!(results.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(results.rows[1].result, "match");
}

/// Each side has the engine that its processor can run: they need not be the same, nor be the one that sealed.
#[test]
fn engines_agree_across_sides() {
    let agencies = Agencies::new();
    let (pairs, records) = oblink_tests::sample(agencies.folder(), 300, 900);
    agencies.sealing(&records, "--json").env("OBLINK_ENGINE", "portable").ok();
    let serving = agencies.serve();
    let mut results = Vec::new();
    for engine in ["portable", "avx2", "ifma"] {
        let output = agencies.at(&format!("{engine}.csv"));
        let ended = agencies.checking(serving.address(), &pairs, &output).arg("--json").env("OBLINK_ENGINE", engine).run();
        if ended.code() == 3 && ended.stderr.contains("not available on this processor") {
            println!("skipped on {engine}: not available on this processor");
            continue;
        }
        assert_eq!(ended.code(), 0, "{ended}");
        results.push(Results::read(&output, ended.object()).in_short());
    }
    assert!(results[0].contains('+') && results[0].contains('-'));
    assert!(results.iter().all(|other| *other == results[0]), "engines give different results");
}

#[test]
fn results_take_the_place_of_old_ones_whole_or_not_at_all() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let pairs = agencies.file("pairs.csv", PAIRS);
    std::fs::create_dir(agencies.at("out")).unwrap();
    let output = agencies.file("out/results.csv", "an old file\n");
    std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o644)).unwrap();
    let kept = std::fs::File::open(&output).unwrap();
    let serving = agencies.serve();
    let address = serving.address().to_owned();
    let ended = agencies.checking(&address, &pairs, &output).arg("--json").ok();
    let results = Results::read(&output, ended.object());
    assert_eq!(results.in_short(), PAIRS_SHORT);
    // Replaced, not written over: who had the old file open still has the old file.
    assert_ne!(kept.metadata().unwrap().ino(), std::fs::metadata(&output).unwrap().ino());
    assert_eq!(std::io::read_to_string(kept).unwrap(), "an old file\n");
    assert_eq!(results.object["results"], output.display().to_string());
    assert_eq!(results.object["meta"], output.with_extension("meta.json").display().to_string());

    let before = std::fs::read(&output).unwrap();
    drop(serving);
    let failed = agencies.checking(&address, &pairs, &output).args("--timeout 2").run();
    assert_eq!(failed.code(), 5, "{failed}");
    assert_eq!(std::fs::read(&output).unwrap(), before);
    assert_eq!(files_below(&agencies.at("out"), "").len(), 2, "no temporary file is left");
}

#[test]
fn the_meta_file_says_what_the_results_mean() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let results = agencies.check(&serving, &pairs);
    let mut meta = results.meta.clone();
    for (key, digits) in [("session", 32), ("set_id", 64), ("receipt_digest", 64), ("input_sha256", 64)] {
        let value = meta[key].as_str().unwrap().to_owned();
        assert!(value.len() == digits && value.bytes().all(|b| b.is_ascii_hexdigit()), "{key}: {value}");
        meta[key] = format!("{digits} hex digits").into();
    }
    assert_eq!(results.meta["set_id"], agencies.ledger("epoch")[0]["set_id"]);
    let shown = agencies.verifier.call_bare("ruleset show us-exact-1 --json").ok().object();
    assert!(shown["measured"].as_array().is_some_and(|figures| !figures.is_empty()));
    assert_eq!(meta["measured"], shown["measured"]);
    meta["measured"] = "as ruleset show has it".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&meta).unwrap());
    silent_text(&std::fs::read_to_string(results.path.with_extension("meta.json")).unwrap());
}

/// SPEC END-3: both sides keep the same receipt, signed by both.
#[test]
fn the_receipt_is_on_both_sides_and_verifies() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let results = agencies.check(&serving, &agencies.file("pairs.csv", PAIRS));
    assert_eq!(serving.next()["session"], results.session());
    let name = format!("{}.json", results.session());
    let [held, kept] =
        [&agencies.holder, &agencies.verifier].map(|party| std::fs::read_to_string(party.home.join("receipts").join(&name)).unwrap());
    assert_eq!(held, kept);
    silent_text(&kept);
    let receipt = Receipt::from_json(&kept).unwrap();
    assert_eq!(hex::encode(receipt.digest()), results.meta["receipt_digest"].as_str().unwrap());
    let body: serde_json::Value = serde_json::from_slice(&receipt.body).unwrap();
    assert_eq!((&body["pairs"], &body["authority"]), (&4.into(), &"unsigned".into()));
    assert_eq!((&body["session"], &body["set_id"]), (&results.meta["session"], &results.meta["set_id"]));
    assert_eq!(body["holder"].as_str().unwrap(), agencies.holder.fingerprint.replace('-', ""));
    assert_eq!(body["verifier"].as_str().unwrap(), agencies.verifier.fingerprint.replace('-', ""));
    // The signatures are over the body: another number of pairs is no receipt.
    let forged = kept.replace("\\\"pairs\\\":4", "\\\"pairs\\\":5");
    assert_ne!(forged, kept);
    assert!(Receipt::from_json(&forged).is_err());
    let session = &agencies.ledger("session")[0];
    assert_eq!(
        (&session["session"], &session["acknowledged"], &session["state"]),
        (&results.meta["session"], &true.into(), &"complete".into())
    );
}

/// The set comes once an epoch; sealing again begins another, and the old key and set are gone on both sides (SPEC EPO-3).
#[test]
fn the_set_comes_once_and_goes_with_its_epoch() {
    let agencies = Agencies::new();
    let records = agencies.file("records.csv", RECORDS);
    let first = agencies.seal(&records).object();
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    let results = agencies.check(&serving, &pairs);
    // A frame's header of 5 bytes and the offset of 8 are on top (SPEC FRM-1, FRM-3).
    assert_eq!(results.object["set_bytes"], first["set_bytes"].as_u64().unwrap() + 13);
    assert_eq!(results.meta["set_id"], first["sealed"]);
    let again = agencies.check(&serving, &pairs);
    assert_eq!(again.object["set_bytes"], 0);
    assert_eq!(again.in_short(), results.in_short());
    assert_ne!(again.session(), results.session());
    assert_eq!(agencies.ledger("delivery").len(), 1);

    let seed = only_file(&agencies.holder.home, ".seed");
    let sets = |home: &std::path::Path| only_file(home, ".oblset");
    let old = (sets(&agencies.holder.home), sets(&agencies.verifier.home));
    // One record less than before.
    let fewer = RECORDS.lines().take(3).collect::<Vec<_>>().join("\n");
    let second = agencies.seal(&agencies.file("records.csv", fewer)).object();
    assert_ne!((&second["epoch"], &second["sealed"]), (&first["epoch"], &first["sealed"]));
    assert!(!seed.exists() && !old.0.exists(), "key and set of the old epoch are gone");
    let after = agencies.check(&serving, &pairs);
    assert_eq!(after.in_short(), "+ - - - incomplete_address empty_name");
    assert_eq!((&after.meta["set_id"], after.object["set_bytes"].as_u64().unwrap() > 0), (&second["sealed"], true));
    assert!(!old.1.exists() && sets(&agencies.verifier.home).exists(), "the verifier forgets the old set");
    let epochs = agencies.ledger("epoch");
    assert_eq!(epochs.iter().filter(|epoch| epoch["ended"].is_null()).count(), 1);
    assert_eq!(epochs.len(), 2);
}

#[test]
fn nobody_is_asked_where_no_row_can_be() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    let results = agencies.check(&serving, &agencies.file("pairs.csv", "id,name,address,postal_code\na,Ana Quispe,unknown,01103\nb,,,\n"));
    assert_eq!(results.in_short(), "placeholder empty_name");
    assert!(results.meta["session"].is_null() && results.meta["receipt_digest"].is_null());
    assert_eq!(agencies.ledger("session").len(), 0);
    assert_eq!(serving.stop().len(), 0);
}

/// At every level of logging, on every command of a whole run.
#[test]
fn no_output_holds_a_value_of_a_row() {
    let agencies = Agencies::new();
    let bad = "Quispe-1,Ana,,Quispe,,Zanzibar,,,,01103\n";
    let records = agencies.file("records.csv", format!("{RECORDS}{bad}{bad}"));
    for level in ["-q", "", "-v", "-vv", "-vvv"] {
        silent(&agencies.sealing(&records, level).ok());
        let serving = oblink_tests::Serving::start_with(&agencies.holder, &level.split_whitespace().collect::<Vec<_>>());
        let pairs = agencies.file("pairs.csv", PAIRS);
        silent(&agencies.checking(serving.address(), &pairs, &agencies.at("r.csv")).args(level).ok());
        silent(&agencies.verifier.call("doctor --holder").arg(serving.address()).args(level).ok());
        silent_text(&serving.next().to_string());
        silent_text(&serving.stderr());
    }
    let all = agencies.sealing(&records, "").env("OBLINK_LOG", "trace").ok();
    silent(&all);
    silent(&agencies.holder.call("ledger").ok());
}

#[test]
fn the_demo_says_what_a_person_understands() {
    let shown = Call::new(Program::Demo).args("--pairs 300 --records 500").ok();
    for words in ["exactly the", "What the verifier learned", "What the holder learned", "bytes a pair"] {
        assert!(shown.stdout.contains(words), "{words}: {shown}");
    }
}

/// What differs from run to run whatever is asked: numbers, digests, times.
fn without_numbers(text: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        text.lines().map(|line| line.split(|c: char| c.is_ascii_hexdigit()).filter(|part| !part.is_empty()).collect()).collect();
    // Threads log in an order of their own.
    lines.sort();
    lines
}

/// Of a pair's tokens it is written nowhere which of them agreed: two lists that match by different rules leave the same, but for what names the run.
#[test]
fn which_rule_agreed_shows_nowhere() {
    let agencies = Agencies::new();
    // Without the suffix, which a row must have too.
    let records = agencies.file("records.csv", RECORDS.replace(",Jr,", ",,"));
    agencies.sealing(&records, "--ruleset us-confirm-1").ok();
    let serving = agencies.serve();
    let list =
        |family: &str| format!("id,name,address,postal_code\np1,Ana {family},7 Zanzibar Ave,01103\np2,Bo {family},9 Zanzibar Ave,01103\n");
    let run = |family: &str| {
        let (pairs, output) = (agencies.file("pairs.csv", list(family)), agencies.at("results.csv"));
        let ended = agencies
            .checking(serving.address(), &pairs, &output)
            .args("--ruleset us-confirm-1 --json -vvv")
            .env("OBLINK_LOG", "oblink_node=trace")
            .ok();
        silent(&ended);
        let results = Results::read(&output, ended.object());
        assert_eq!(results.in_short(), "+ -", "{family}");
        let meta_file = std::fs::read_to_string(output.with_extension("meta.json")).unwrap();
        for text in [&ended.stdout, &ended.stderr, &meta_file] {
            let said = text.replace("ruleset", "").replace("not which rule agreed", "").replace("which rules agreed", "");
            assert!(!said.contains("rule"), "{said}");
        }
        let mut meta = results.meta.clone();
        for run in ["session", "receipt_digest", "input_sha256"] {
            meta[run] = serde_json::Value::Null;
        }
        let mut object = results.object.clone();
        // What comes down has a proof out of the holder's ledger, which is longer each time.
        for run in ["session", "receipt_digest", "bytes_down", "set_bytes", "session_s", "cpu_s", "peak_rss_mb"] {
            object[run] = serde_json::Value::Null;
        }
        (std::fs::read(&output).unwrap(), meta, object, ended.stderr)
    };
    // The set comes with the first run alone.
    let _ = run("Quispe");
    let (whole, begun) = (run("Quispe"), run("Quispa"));
    assert_eq!((whole.0, whole.1, whole.2), (begun.0, begun.1, begun.2));
    assert_eq!(without_numbers(&whole.3), without_numbers(&begun.3));
    assert_eq!(agencies.ledger("session").len(), 3);
}
