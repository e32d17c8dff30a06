//! Sealing again under a kept key (SPEC EPO-3, EPO-5): the same set as a whole seal's, computed for the changed records alone.

use std::path::Path;

use oblink_tests::{Agencies, Party, Program, Results, files_below, flip_a_byte, mode, only_file};

use super::{NAME, PAIRS, PAIRS_SHORT, RECORDS, silent};

/// The holder's config keeps keys for so many days.
fn keep(home: &Path, days: u32) {
    let config = home.join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = text.split("\n[epochs]").next().unwrap();
    std::fs::write(&config, format!("{text}\n[epochs]\nkeep_key_days = {days}\n")).unwrap();
}

/// Every hundredth record changed, some gone, some new.
fn changed(records: &Path, to: &Path) {
    let text = std::fs::read_to_string(records).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for (number, line) in lines.iter_mut().enumerate().skip(1) {
        if number % 100 == 0 {
            *line = line.replacen(",1", ",9", 1).replacen(",2", ",8", 1);
        }
    }
    let moved: Vec<String> = lines.drain(1..40).collect();
    lines.extend(moved.into_iter().skip(7));
    lines.push(format!("new,Ann,,{NAME},,1 New St,,Boston,MA,02134"));
    std::fs::write(to, lines.join("\n")).unwrap();
}

fn expected(pairs: &Path, records: &Path) -> Vec<bool> {
    oblink_tests::joined(&oblink_tests::read_split(pairs), &oblink_tests::read_split(records))
}

#[test]
fn a_kept_key_costs_only_the_changed_records_and_gives_the_same_set() {
    let agencies = Agencies::new();
    keep(&agencies.holder.home, 30);
    let (pairs, records) = oblink_tests::sample(&agencies.at("s"), 600, 6_000);
    let first = agencies.sealing(&records, "--json --as-of 2026-01-31").ok();
    assert!(!first.stderr.contains("--new-epoch"), "there was none to keep: {first}");
    let first = first.object();
    assert_eq!((&first["epoch_kept"], &first["recalled"]), (&false.into(), &0.into()));
    let serving = agencies.serve();
    let results = agencies.check(&serving, &pairs);
    assert_eq!(results.matched(), expected(&pairs, &records));
    let cache = only_file(&agencies.holder.home, ".cache");
    assert_eq!(mode(&cache), 0o600);

    // A hundredth changed: the same epoch and key, another set, and it says plainly what that means.
    let newer = agencies.at("newer.csv");
    changed(&records, &newer);
    let sealed = agencies.sealing(&newer, "--json --as-of 2026-02-28 --rejects rejects.csv").within(agencies.folder()).ok();
    assert!(sealed.stderr.contains("without asking") && sealed.stderr.contains("--new-epoch"), "{sealed}");
    let second = sealed.object();
    assert_eq!((&second["epoch"], &second["epoch_kept"]), (&first["epoch"], &true.into()));
    assert_ne!(second["sealed"], first["sealed"]);
    let (recalled, tags) = (second["recalled"].as_u64().unwrap(), second["tags"].as_u64().unwrap());
    assert!(recalled > tags * 9 / 10 && recalled < second["records"].as_u64().unwrap(), "{second}");
    assert_eq!(files_below(&agencies.holder.home, ".seed").len(), 1);
    let set = only_file(&agencies.holder.home, ".oblset");

    // Whoever has the old set is delivered the new one, once, and both deliveries are booked.
    let results = agencies.check(&serving, &pairs);
    assert_eq!(results.matched(), expected(&pairs, &newer));
    assert_eq!((&results.meta["set_id"], &results.meta["as_of"]), (&second["sealed"], &"2026-02-28".into()));
    assert!(results.object["set_bytes"].as_u64().unwrap() > 0);
    assert_eq!(agencies.check(&serving, &pairs).object["set_bytes"], 0);
    let delivered: Vec<_> = agencies.ledger("delivery").into_iter().map(|delivery| delivery["set_id"].clone()).collect();
    assert_eq!(delivered, [second["sealed"].clone(), first["sealed"].clone()]);
    assert_eq!(files_below(&agencies.verifier.home, ".oblset").len(), 1);

    // The ledger shows the set that was replaced; evaluations of both count in one budget.
    let earlier = agencies.ledger("earlier_set");
    assert_eq!(earlier.len(), 1);
    assert_eq!(
        (&earlier[0]["set_id"], &earlier[0]["epoch"], &earlier[0]["as_of"]),
        (&first["sealed"], &first["epoch"], &"2026-01-31".into())
    );
    let epochs = agencies.ledger("epoch");
    assert_eq!((epochs.len(), &epochs[0]["earlier_sets"], &epochs[0]["set_id"]), (1, &1.into(), &second["sealed"]));
    assert_eq!((&epochs[0]["sessions"], epochs[0]["ended"].is_null()), (&3.into(), true));
    let sessions = agencies.ledger("session");
    assert_eq!(sessions.iter().map(|session| session["set_id"] == second["sealed"]).collect::<Vec<_>>(), [false, true, true]);

    // Whole, with little memory, by the cache, with it damaged, with it gone: one set, and one cache.
    let (due, kept) = (std::fs::read(&set).unwrap(), std::fs::read(&cache).unwrap());
    let rejects = std::fs::read(agencies.at("rejects.csv")).unwrap();
    for (case, recalls) in [("recalled", true), ("little memory", true), ("damaged", false), ("cut", false), ("gone", false)] {
        match case {
            "damaged" => flip_a_byte(&cache),
            "cut" => std::fs::write(&cache, &kept[..kept.len() / 2]).unwrap(),
            "gone" => std::fs::remove_file(&cache).unwrap(),
            _ => {}
        }
        let memory = if case == "little memory" { "--memory 1M" } else { "" };
        let sealed =
            agencies.sealing(&newer, "--json --as-of 2026-02-28 --rejects rejects.csv").args(memory).within(agencies.folder()).ok();
        assert_eq!(sealed.stderr.contains("is not used"), matches!(case, "damaged" | "cut"), "{case}: {sealed}");
        let again = sealed.object();
        assert_eq!(again["sealed"], second["sealed"], "{case}");
        for key in ["tags", "rejected", "rejected_by_reason", "records", "input_sha256", "set_bytes"] {
            assert_eq!(again[key], second[key], "{case}: {key}");
        }
        assert_eq!(again["recalled"].as_u64().unwrap() > 0, recalls && case != "little memory", "{case}: {again}");
        assert!(std::fs::read(&set).unwrap() == due, "{case}");
        assert!(std::fs::read(&cache).unwrap() == kept, "{case}");
        assert_eq!(std::fs::read(agencies.at("rejects.csv")).unwrap(), rejects, "{case}");
    }
    assert_eq!(agencies.check(&serving, &pairs).matched(), expected(&pairs, &newer));
}

/// The same columns under other names are the same records; other columns are others.
#[test]
fn a_mapping_hits_only_what_it_reads() {
    let agencies = Agencies::new();
    keep(&agencies.holder.home, 1);
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let recalled = |name: &str, text: &str, more: &str| {
        agencies.sealing(&agencies.file(name, text), "--json").args(more).ok().object()["recalled"].as_u64().unwrap()
    };
    let renamed = RECORDS.replacen("given_name", "first", 1).replacen("address", "line", 1);
    assert_eq!(recalled("renamed.csv", &renamed, "--map given_name=first street=line"), 3);
    // An id is nothing to a token.
    assert_eq!(recalled("ids.csv", &RECORDS.replace("r2,", "R2,"), ""), 3);
    // Given and middle name changed places; a whole name instead of its parts.
    assert_eq!(recalled("swapped.csv", RECORDS, "--map given_name=middle_name middle_name=given_name family_name=family_name"), 0);
    let whole = "id,name,address,postal_code\nr2,Ana Quispe,7 Zanzibar Ave,01103\n";
    assert_eq!(recalled("whole.csv", whole, ""), 0);
    assert_eq!(recalled("whole.csv", whole, ""), 1);
}

/// By default, on demand, and where the epoch's other ends say so, a new epoch begins, and the cache goes with the old one.
#[test]
fn a_new_epoch_begins_where_the_key_is_not_kept() {
    let agencies = Agencies::new();
    let records = agencies.file("records.csv", RECORDS);
    let first = agencies.seal(&records).object();
    assert!(first["recalled"].is_null() && files_below(&agencies.holder.home, ".cache").is_empty());
    keep(&agencies.holder.home, 366);
    // The epoch that there is goes on from now; nothing is known of it yet.
    let second = agencies.seal(&records).object();
    assert_eq!((&second["epoch"], &second["recalled"]), (&first["epoch"], &0.into()));
    let cache = only_file(&agencies.holder.home, ".cache");
    let third = agencies.sealing(&records, "--json --new-epoch").ok();
    assert!(!third.stderr.contains("without asking"), "{third}");
    assert_ne!(third.object()["epoch"], first["epoch"]);
    assert!(!cache.exists() && files_below(&agencies.holder.home, ".cache").len() == 1);
    keep(&agencies.holder.home, 0);
    let fourth = agencies.seal(&records).object();
    assert_eq!((&fourth["epoch_kept"], fourth["recalled"].is_null()), (&false.into(), true));
    assert!(files_below(&agencies.holder.home, ".cache").is_empty(), "the cache goes with its epoch");
    assert_eq!(files_below(&agencies.holder.home, ".seed").len(), 1);
    // A key that is not what the ledger says is not used.
    keep(&agencies.holder.home, 366);
    flip_a_byte(&only_file(&agencies.holder.home, ".seed"));
    let fifth = agencies.sealing(&records, "--json").ok();
    assert!(fifth.stderr.contains("a new epoch begins for city"), "{fifth}");
    assert_eq!(fifth.object()["epoch_kept"], false);
    // Trust that ends ends it all.
    agencies.holder.call("trust --peer city --remove").ok();
    for ending in [".seed", ".cache", ".oblset"] {
        assert!(files_below(&agencies.holder.home, ending).is_empty(), "{ending}");
    }
}

/// One verifier's key, and cache, is nothing to another's.
#[test]
fn each_verifier_has_its_own_cache() {
    let agencies = Agencies::new();
    keep(&agencies.holder.home, 30);
    let records = agencies.file("records.csv", RECORDS);
    agencies.seal(&records);
    let county = Party::init(Program::Verifier, &agencies.at("county"));
    agencies.holder.trust("county", &county);
    county.trust("irs", &agencies.holder);
    let sealed = agencies.seal(&records).objects();
    assert_eq!([&sealed[0]["recalled"], &sealed[1]["recalled"]], [3, 0]);
    assert_eq!([&sealed[0]["epoch_kept"], &sealed[1]["epoch_kept"]], [true, false]);
    let caches = files_below(&agencies.holder.home, ".cache");
    assert_eq!(caches.len(), 2);
    // A cache under another epoch's name is refused.
    std::fs::copy(&caches[0], &caches[1]).unwrap();
    let again = agencies.sealing(&records, "--json").ok();
    assert!(again.stderr.contains("it is of another epoch"), "{again}");
    let serving = agencies.serve();
    let pairs = agencies.file("pairs.csv", PAIRS);
    assert_eq!(agencies.check(&serving, &pairs).in_short(), PAIRS_SHORT);
    let output = agencies.at("county.csv");
    let check = county.call("check --json --holder").arg(serving.address()).path("--input", &pairs).path("--output", &output);
    assert_eq!(Results::read(&output, check.ok().object()).in_short(), PAIRS_SHORT);
}

/// Nothing that a kept key makes a program say, or leaves in a file, holds a value of a row.
#[test]
fn nothing_of_a_row_is_said_or_kept() {
    let agencies = Agencies::new();
    keep(&agencies.holder.home, 30);
    let records = agencies.file("records.csv", RECORDS);
    for level in ["-vvv", "-vvv", ""] {
        silent(&agencies.sealing(&records, level).ok());
    }
    silent(&agencies.holder.call("ledger").ok());
    let cache = std::fs::read(only_file(&agencies.holder.home, ".cache")).unwrap();
    let text = String::from_utf8_lossy(&cache).to_lowercase();
    assert!(!text.contains("quispe") && !text.contains("zanzibar"));
    // 128 bytes of header, 32 a record, 40 at the end.
    assert_eq!(cache.len(), 128 + 3 * 32 + 40);
}

#[test]
fn a_config_that_cannot_be_is_refused() {
    let agencies = Agencies::new();
    let records = agencies.file("records.csv", RECORDS);
    keep(&agencies.holder.home, 367);
    let refused = agencies.sealing(&records, "").run();
    assert_eq!(refused.code(), 3, "{refused}");
    assert!(refused.stderr.contains("keep_key_days"), "{refused}");
    keep(&agencies.verifier.home, 1);
    let refused = agencies.verifier.call("doctor").run();
    assert_eq!(refused.code(), 3, "{refused}");
    assert!(refused.stderr.contains("keep_key_days"), "{refused}");
}
