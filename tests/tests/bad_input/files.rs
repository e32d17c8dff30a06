//! Files that cannot be read, and files that only look so.

use oblink_tests::{Agencies, Results, Seen, files_below};

use super::RECORDS;

const HEADER: &str = "id,name,address,postal_code\n";
const ROW: &str = "1,Ana Quispe,1 Elm St,02134\n";

/// Name, bytes, more arguments.
fn unreadable() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    vec![
        ("empty file", vec![], ""),
        ("byte-order mark alone", b"\xef\xbb\xbf".to_vec(), ""),
        ("header only", HEADER.into(), ""),
        ("header and blank lines", format!("{HEADER}\n\r\n\n").into(), ""),
        ("no header", ROW.into(), ""),
        ("no header, said so without names", ROW.into(), "--no-header"),
        ("no column postal_code", b"id,name,address,zip\n1,Ana Quispe,1 Elm St,02134\n".to_vec(), ""),
        ("no column with a name", b"id,nombre,address,postal_code\n1,Ana Quispe,1 Elm St,02134\n".to_vec(), ""),
        ("half a name", b"id,given_name,address,postal_code\n1,Ana,1 Elm St,02134\n".to_vec(), ""),
        ("a column twice", b"id,name,name,address,postal_code\n1,Ana Quispe,,1 Elm St,02134\n".to_vec(), ""),
        ("another delimiter", b"id;name;address;postal_code\n1;Ana Quispe;1 Elm St;02134\n".to_vec(), ""),
        ("a --map to nowhere", RECORDS.into(), "--map name=FULL_NM"),
        ("Latin-1 without --encoding", [HEADER.as_bytes(), ROW.as_bytes(), b"2,Ana Quispe Mu\xf1oz,1 Elm St,02134\n"].concat(), ""),
        ("UTF-16", b"\xff\xfei\0d\0,\0".to_vec(), ""),
        ("unterminated quote", format!("{HEADER}{ROW}2,\"Ana Quispe,1 Elm St,02134\n{ROW}{ROW}").into(), ""),
    ]
}

#[test]
fn files_that_neither_side_can_read() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("good.csv", RECORDS));
    let before = (files_below(&agencies.holder.home.join("sets"), ""), files_below(&agencies.holder.home.join("epochs"), ""));
    let (input, output) = (agencies.at("input.csv"), agencies.at("results.csv"));
    let mut seen = Seen::new(agencies.folder());
    for (case, bytes, arguments) in unreadable() {
        std::fs::write(&input, bytes).unwrap();
        let due = if case.starts_with("no header, said") { 2 } else { 3 };
        // Nobody listens there: a file that cannot be read is known before anybody is asked.
        let checked = agencies.checking("127.0.0.1:1", &input, &output).args(arguments).run();
        let sealed = agencies.sealing(&input, arguments).run();
        assert_eq!(sealed.code(), due, "{case}: {sealed}");
        seen.note(case, due, &checked);
        if due == 3 {
            assert_eq!(sealed.stderr, checked.stderr, "{case}: both sides are told the same");
        }
    }
    std::fs::remove_file(&input).unwrap();
    seen.note("missing file", 3, &agencies.sealing(&input, "").run());
    seen.note("a directory", 3, &agencies.sealing(&agencies.at("holder"), "").run());
    assert!(!output.exists());
    let after = (files_below(&agencies.holder.home.join("sets"), ""), files_below(&agencies.holder.home.join("epochs"), ""));
    assert_eq!(after, before, "the epoch that is sealed stays as it was");
    insta::assert_snapshot!(seen.text());
}

#[test]
fn records_without_one_that_can_be_sealed() {
    let agencies = Agencies::new();
    let mut seen = Seen::new(agencies.folder());
    let records = agencies.file("records.csv", format!("{HEADER}1,,1 Elm St,02134\n2,Ana Quispe,unknown,02134\n3,Ana Quispe\n"));
    seen.note("nothing usable", 3, &agencies.sealing(&records, "").run());
    let records = agencies.file("records.csv", format!("{HEADER}1,,1 Elm St,02134\n{ROW}"));
    seen.note("--rejects-max", 3, &agencies.sealing(&records, "--rejects-max 10%").run());
    for (case, rejects) in [("into no directory", "no/such/rejects.csv"), ("over the input", "records.csv"), ("over a directory", "holder")]
    {
        seen.note(&format!("--rejects {case}"), 3, &agencies.sealing(&records, "--rejects").arg(agencies.at(rejects)).run());
    }
    assert_eq!(std::fs::read_to_string(&records).unwrap().lines().count(), 3);
    assert_eq!(files_below(&agencies.holder.home.join("sets"), ".oblset").len(), 0);
    assert_eq!(files_below(&agencies.holder.home.join("epochs"), ".seed").len(), 0);
    insta::assert_snapshot!(seen.text());
}

#[test]
fn files_that_work_all_the_same() {
    let agencies = Agencies::new();
    let big = "x".repeat(10 << 20);
    let records = format!("\u{feff}{HEADER}{ROW}2,{big},2 Elm St,02134\n3,\"Nul\0 Quispe\",3 Elm St,02134\n3,Ana Quispe,3 Elm St,02134\n");
    let sealed = agencies.sealing(&agencies.file("records.csv", records.replace('\n', "\r\n")), "--json").ok();
    assert_eq!(sealed.object()["rejected_by_reason"]["field_too_long"], 1, "{sealed}");
    let mut seen = Seen::new(agencies.folder());
    let serving = agencies.serve();
    let wide = format!("{HEADER}a,Ana Quispe,\"1 Elm St\",\"02134{big}\"\n{ROW}");
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("one row", format!("{HEADER}{ROW}").into()),
        ("0 matches", format!("{HEADER}1,Bo Quispe,1 Elm St,02134\n").into()),
        ("byte-order mark", format!("\u{feff}{HEADER}{ROW}").into()),
        ("CRLF", format!("{HEADER}{ROW}{ROW}").replace('\n', "\r\n").into()),
        ("NUL bytes", format!("{HEADER}a\0b,Ana Qu\0ispe,1 Elm St,02134\nc,Ana Quispe,1 Elm\0St,02134\n{ROW}").into()),
        ("a 10 MB field", wide.into()),
        ("a 10 MB id", format!("{HEADER}{big},Ana Quispe,1 Elm St,02134\n{ROW}").into()),
        ("duplicate ids", format!("{HEADER}{ROW}{ROW}1,Bo Quispe,1 Elm St,02134\n").into()),
        ("rows of another length", format!("{HEADER}{ROW}2,Ana Quispe,1 Elm St\n3,Ana Quispe,1 Elm St,02134,x\n").into()),
        ("nothing to submit", format!("{HEADER}1,Ana Quispe,unknown,02134\n").into()),
    ];
    for (case, bytes) in cases {
        let (input, output) = (agencies.file("pairs.csv", bytes), agencies.at("results.csv"));
        let ended = agencies.checking(serving.address(), &input, &output).arg("--json").run();
        seen.note(case, 0, &ended);
        let results = Results::read(&output, ended.object());
        seen.line(&format!("-> {}\n", results.in_short()));
        if case == "a 10 MB id" {
            assert_eq!(results.rows[0].id, big, "ids come back verbatim");
        }
        if case == "NUL bytes" {
            assert_eq!(results.rows[0].id, "a\0b", "ids come back verbatim");
        }
    }
    insta::assert_snapshot!(seen.text());
}
