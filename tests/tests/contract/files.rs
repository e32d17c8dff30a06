//! The same rows, written in every way that the contract allows.

use oblink_tests::{Agencies, files_below, mode, only_file};

use super::{PAIRS, PAIRS_SHORT, RECORDS, silent};

/// RECORDS again: name of the variant, bytes, arguments.
fn variants() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let whole = "id,name,address,postal_code
r1,José Quispe,12 N Zanzibar St Apt 4,02134
r2,Ana Quispe Jr,7 Zanzibar Ave,01103
r3,\"Quispe, Bo\",PO Box 77,01104
";
    let mapped = "KEY,FIRST_NM,LAST_NM,STREET_1,APT,ZIP,SSN
r1,José,Quispe,12 N Zanzibar St,4,02134-1234,x
r2,Ana,Quispe,7 Zanzibar Ave,,1103,x
r3,Bo,Quispe,PO Box 77,,1104,x
";
    let latin: Vec<u8> = whole.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let rows_alone = "x;r1;José Quispe;12 N Zanzibar St;02134\nx;r2;Ana Quispe;7 Zanzibar Ave;01103\nx;r3;\"Quispe, Bo\";PO Box 77;01104\n";
    vec![
        ("split columns", RECORDS.into(), ""),
        ("single columns", whole.into(), ""),
        ("street and unit", whole.replace("address,postal", "street,postal").into(), ""),
        (
            "--map",
            mapped.into(),
            "--map id=KEY given_name=FIRST_NM family_name=LAST_NM --map address=STREET_1 unit=APT --map postal_code=ZIP",
        ),
        ("tabs", whole.replace("\"Quispe, Bo\"", "@").replace(',', "\t").replace('@', "Quispe, Bo").into(), "--delimiter tab"),
        ("pipes", whole.replace("\"Quispe, Bo\"", "@").replace(',', "|").replace('@', "Quispe, Bo").into(), "--delimiter |"),
        ("Windows-1252", latin, "--encoding windows-1252"),
        ("byte-order mark and CRLF", format!("\u{feff}{}", whole.replace('\n', "\r\n")).into(), ""),
        ("no end of the last line", whole.trim_end().into(), ""),
        ("no header", rows_alone.into(), "--delimiter ; --no-header --columns -,id,name,address,postal_code"),
    ]
}

/// One serve for all of them: sealing again while it runs begins a new epoch (SPEC EPO-3).
#[test]
fn records_in_every_form_match_the_same_pairs() {
    let agencies = Agencies::new();
    let records = agencies.at("records.csv");
    let pairs = agencies.file("pairs.csv", PAIRS);
    let mut serving = None;
    for (name, bytes, arguments) in variants() {
        std::fs::write(&records, &bytes).unwrap();
        let sealed = agencies.sealing(&records, arguments).arg("--json").ok();
        silent(&sealed);
        let object = sealed.object();
        assert_eq!((&object["records"], &object["tags"], &object["rejected"]), (&3.into(), &3.into(), &0.into()), "{name}: {sealed}");
        let serving = serving.get_or_insert_with(|| agencies.serve());
        assert_eq!(agencies.check(serving, &pairs).in_short(), PAIRS_SHORT, "{name}");
    }
}

#[test]
fn pairs_in_every_form_match_the_same_records() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let serving = agencies.serve();
    for (name, bytes, arguments) in variants() {
        let (pairs, output) = (agencies.file("pairs.csv", &bytes), agencies.at("results.csv"));
        let ended = agencies.checking(serving.address(), &pairs, &output).args(arguments).arg("--json").ok();
        silent(&ended);
        let results = oblink_tests::Results::read(&output, ended.object());
        assert_eq!(results.in_short(), "+ + +", "{name}");
        assert_eq!(results.rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["r1", "r2", "r3"], "{name}");
    }
}

#[test]
fn standard_input_on_both_sides() {
    let agencies = Agencies::new();
    let sealed = agencies.sealing("-".as_ref(), "--json").stdin(RECORDS).ok();
    assert_eq!(sealed.object()["tags"], 3, "{sealed}");
    let serving = agencies.serve();
    let output = agencies.at("r.csv");
    let ended = agencies.checking(serving.address(), "-".as_ref(), &output).arg("--json").stdin(PAIRS).ok();
    assert_eq!(oblink_tests::Results::read(&output, ended.object()).in_short(), PAIRS_SHORT);
}

#[test]
fn seal_says_what_it_sealed_and_what_not() {
    let agencies = Agencies::new();
    let bad = "r4,,,Quispe,,1 Zanzibar St,,,,01103\n\"r,5\",Ana,,Quispe,,Zanzibar St,,,,01103\nr6,Ana,,Quispe,,1 Zanzibar St,,,,\nr7,Ana,short row\n";
    let records = agencies.file("records.csv", format!("{RECORDS}{bad}"));
    let rejects = agencies.at("rejects.csv");
    let sealed = agencies.sealing(&records, "--json --as-of 2026-10-31 --memory 256M --rejects").arg(&rejects).ok();
    silent(&sealed);
    let object = sealed.object();
    assert_eq!((&object["records"], &object["rejected"], &object["tags"]), (&7.into(), &4.into(), &3.into()));
    assert_eq!((&object["as_of"], &object["ruleset"], &object["peer"]), (&"2026-10-31".into(), &"us-exact-1".into(), &"city".into()));
    // 40 + ⌈log2 3⌉ + 24 bits (SPEC TAG-2).
    assert_eq!(object["tau"], 66);
    let text = std::fs::read_to_string(&rejects).unwrap();
    insta::assert_snapshot!(text, @r#"
    row,id,reason
    4,r4,incomplete_name
    5,"r,5",incomplete_address
    6,r6,missing_postal_code
    7,r7,wrong_field_count
    "#);
    assert_eq!(mode(&rejects), 0o600);
    // What is on disk is what was said.
    let set = only_file(&agencies.holder.home.join("sets"), ".oblset");
    assert_eq!(set.file_stem().unwrap().to_str(), object["sealed"].as_str());
    assert_eq!(std::fs::metadata(&set).unwrap().len(), object["set_bytes"].as_u64().unwrap());
    assert_eq!((mode(&set), mode(&only_file(&agencies.holder.home, ".seed"))), (0o600, 0o600));
    let epochs = agencies.ledger("epoch");
    assert_eq!((epochs.len(), &epochs[0]["set_id"], &epochs[0]["rejected"]), (1, &object["sealed"], &4.into()));

    // The verifier is told the date.
    let serving = agencies.serve();
    let results = agencies.check(&serving, &agencies.file("pairs.csv", PAIRS));
    assert_eq!(results.meta["as_of"], "2026-10-31");
}

#[test]
fn too_many_rejects_leave_everything_as_it_was() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", RECORDS));
    let before = (files_below(&agencies.holder.home, ".oblset"), files_below(&agencies.holder.home, ".seed"));
    let mut rows = RECORDS.to_owned();
    for row in 0..997 {
        let address = if row < 2 { "Zanzibar" } else { "1 Zanzibar St" };
        rows.push_str(&format!("q{row},Ana,,Quispe,,{address},,,,01103\n"));
    }
    let (records, rejects) = (agencies.file("records.csv", rows), agencies.at("rejects.csv"));
    let refused = agencies.sealing(&records, "--rejects-max 0.1% --rejects").arg(&rejects).run();
    assert_eq!(refused.code(), 3, "{refused}");
    assert!(refused.stderr.contains("2 of 1000 records cannot be sealed"), "{refused}");
    assert_eq!(std::fs::read_to_string(&rejects).unwrap().lines().count(), 3, "the rejects are there to be looked at");
    assert_eq!((files_below(&agencies.holder.home, ".oblset"), files_below(&agencies.holder.home, ".seed")), before);
    agencies.sealing(&records, "--rejects-max 0.2%").ok();
    assert_ne!(files_below(&agencies.holder.home, ".oblset"), before.0);
}
