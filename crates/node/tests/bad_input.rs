//! What the real programs say, and how they end, where the input or the home is not what it should be: one snapshot for all, with exit codes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const HOLDER: &str = env!("CARGO_BIN_EXE_oblink-holder");
const VERIFIER: &str = env!("CARGO_BIN_EXE_oblink-verifier");
const DEMO: &str = env!("CARGO_BIN_EXE_oblink-demo");

/// Runs a program in `folder`; `line` is divided at blanks.
fn run(program: &str, folder: &Path, line: &str) -> Output {
    Command::new(program).current_dir(folder).args(line.split(' ')).env_remove("OBLINK_LOG").stdin(Stdio::null()).output().unwrap()
}

fn seen(text: &mut String, case: &str, output: &Output) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(!stderr.contains("Quispe"), "{case}: a message repeats a row: {stderr}");
    writeln!(text, "# {case}: exit {}\n{}", output.status.code().unwrap(), stderr.trim_end()).unwrap();
}

/// Files in a directory and all below it, locks aside.
fn files_below(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files_below(&path) } else { usize::from(path.file_name().unwrap() != ".lock") }).sum()
}

#[test]
fn inputs_that_cannot_be_sealed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(run(HOLDER, at, "init --home h --name Tax").status.success());
    let header = "id,name,address,postal_code\n";
    let row = "1,Ana Quispe,1 Elm St,02134\n";
    let files: [(&str, Vec<u8>); 9] = [
        ("empty.csv", vec![]),
        ("header-alone.csv", header.into()),
        ("no-header.csv", row.into()),
        ("no-zip.csv", b"id,name,address,zip\n1,Ana Quispe,1 Elm St,02134\n".to_vec()),
        ("latin-1.csv", [header.as_bytes(), b"1,Ana Quispe Mu\xf1oz,1 Elm St,02134\n"].concat()),
        ("utf-16.csv", b"\xff\xfei\0d\0".to_vec()),
        ("quote.csv", format!("{header}{row}2,\"Ana Quispe,1 Elm St,02134\n{row}").into()),
        ("nothing-usable.csv", format!("{header}1,,1 Elm St,02134\n2,Ana Quispe,unknown,02134\n").into()),
        ("good.csv", format!("{header}{row}").into()),
    ];
    let mut text = String::new();
    for (name, bytes) in &files {
        std::fs::write(at.join(name), bytes).unwrap();
        if *name != "good.csv" {
            seen(&mut text, name, &run(HOLDER, at, &format!("seal --home h --input {name}")));
        }
    }
    seen(&mut text, "a file that is not there", &run(HOLDER, at, "seal --home h --input none.csv"));
    seen(&mut text, "a directory", &run(HOLDER, at, "seal --home h --input h"));
    seen(&mut text, "no home", &run(HOLDER, at, "seal --home g --input good.csv"));
    seen(&mut text, "a verifier's program", &run(VERIFIER, at, "check --home h --holder localhost:1 --input good.csv --output r.csv"));
    seen(&mut text, "no such ruleset", &run(HOLDER, at, "seal --home h --input good.csv --ruleset us-fuzzy-9"));
    seen(&mut text, "no such peer", &run(HOLDER, at, "seal --home h --input good.csv --peer city"));
    seen(&mut text, "no such flag", &run(HOLDER, at, "seal --home h --input good.csv --force"));
    assert_eq!(files_below(&at.join("h/sets")), 0, "a failed seal leaves no set");
    assert_eq!(files_below(&at.join("h/epochs")), 1, "a failed seal leaves no key, only the lock of seals");
    insta::assert_snapshot!(text);
}

#[test]
fn a_verifier_is_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    assert!(run(VERIFIER, at, "init --home v --name City").status.success());
    std::fs::write(at.join("pairs.csv"), "id,name,address,postal_code\n1,Ana Quispe,1 Elm St,02134\n").unwrap();
    let mut text = String::new();
    let check = |rest: &str| run(VERIFIER, at, &format!("check --home v --holder 127.0.0.1:1 {rest}"));
    seen(&mut text, "nobody is trusted", &check("--input pairs.csv --output r.csv"));
    let other = "0123-".repeat(15) + "4567";
    assert!(run(VERIFIER, at, &format!("trust --home v --peer tax --fingerprint {other}")).status.success());
    seen(&mut text, "no such input", &check("--input none.csv --output r.csv"));
    seen(&mut text, "no such directory", &check("--input pairs.csv --output none/r.csv"));
    seen(&mut text, "the input as output", &check("--input pairs.csv --output ./pairs.csv"));
    seen(&mut text, "no such peer", &check("--input pairs.csv --output r.csv --peer city"));
    assert!(!at.join("r.csv").exists() && !at.join("r.meta.json").exists());
    insta::assert_snapshot!(text);
}

#[test]
fn json_is_all_that_stdout_carries() {
    let folder = tempfile::tempdir().unwrap();
    let lines = |output: &Output| -> Vec<serde_json::Value> {
        String::from_utf8(output.stdout.clone()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let made = lines(&run(HOLDER, folder.path(), "init --home h --name Tax --json"));
    assert_eq!(made.len(), 1);
    let fingerprint = made[0]["fingerprint"].as_str().unwrap();
    assert_eq!(fingerprint.split('-').map(str::len).collect::<Vec<_>>(), [4; 16]);
    assert!(run(VERIFIER, folder.path(), "init --home v --name City").status.success());
    let trusted = lines(&run(VERIFIER, folder.path(), &format!("trust --home v --peer tax --fingerprint {fingerprint} --json")));
    assert_eq!((trusted.len(), &trusted[0]["fingerprint"]), (1, &made[0]["fingerprint"]));
    for (line, exit, code) in [("init --home h --name Tax --json", 3, "home_exists"), ("--json init", 2, "usage")] {
        let output = run(HOLDER, folder.path(), line);
        let failed = lines(&output);
        assert_eq!((output.status.code(), failed.len()), (Some(exit), 1), "{line}");
        assert_eq!((&failed[0]["error"]["code"], &failed[0]["error"]["exit"]), (&code.into(), &exit.into()), "{line}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    for (program, line) in [(HOLDER, "completions bash"), (VERIFIER, "man"), (HOLDER, "init --home h --name Tax"), (DEMO, "--help")] {
        let mut child = Command::new(program)
            .current_dir(folder.path())
            .args(line.split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut stderr = String::new();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!((child.wait().unwrap().code(), stderr.as_str()), (Some(0), ""), "{line}");
    }
    assert!(folder.path().join("h/identity.key").exists());
}

#[test]
fn the_demos_sample_is_two_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(DEMO, folder.path(), "--write-sample s --pairs 20 --records 30");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (file, rows) in [("s/pairs.csv", 20), ("s/records.csv", 30)] {
        assert_eq!(std::fs::read_to_string(folder.path().join(file)).unwrap().lines().count(), rows + 1);
    }
}
