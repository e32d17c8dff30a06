//! Requests by the real program: made, shown, computed again, opened; and what is refused before anybody is asked.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const HOLDER: &str = env!("CARGO_BIN_EXE_oblink-holder");
const VERIFIER: &str = env!("CARGO_BIN_EXE_oblink-verifier");

const LIST: &str = "\
id,name,address,postal_code,order_date,CASE
1, Ana Quispe ,1 Elm St,02134,2025-01-02,A
2,Bob Quispe,2 Elm St,02134,2024-05-02,B
3,Bob Quispe,3 Elm St,02134,2024-05-02,B
4,Cy Quispe,4 Elm St,02134,,C
5,,4 Elm St,02134,2024-05-02,C
6,Di Quispe,6 Elm St,02134,9999-05-02,D
7,Di Quispe,6 Elm St,02134,2020-02-30,D
8,Di Quispe,6 Elm St,02134,2020-02-20,
9,Eve Quispe,9 Elm St,02134,2020-02-20,E
";
const NEW: &str = "request new --home v --input list.csv --purpose P --legal-basis L --not-after 2999-12-31 --field agreement=7 \
                   --require-column order_date --person-id CASE --addresses-per-person-max 1";

fn run(folder: &Path, line: &str) -> Output {
    let output = Command::new(VERIFIER)
        .current_dir(folder)
        .args(line.split_whitespace())
        .env_remove("OBLINK_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    for stream in [&output.stdout, &output.stderr] {
        let text = String::from_utf8_lossy(stream);
        assert!(!text.contains("Quispe") && !text.contains("Elm"), "{line}: a row is shown: {text}");
    }
    output
}

/// The exit code, and the objects on stdout.
fn json(folder: &Path, line: &str) -> (i32, Vec<Value>) {
    let output = run(folder, &format!("{line} --json"));
    let objects = String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), objects)
}

/// The code of the failure of a command that must fail.
fn fails(folder: &Path, line: &str) -> (i32, String, String) {
    let (exit, objects) = json(folder, line);
    let error = &objects.last().unwrap()["error"];
    (exit, error["code"].as_str().unwrap().to_owned(), error["what"].as_str().unwrap().to_owned())
}

/// A verifier's home that trusts a holder, the list, and a request of it in R.
fn requested() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let init = |program: &str, home: &str| {
        let output = Command::new(program).current_dir(at).args(["init", "--home", home, "--name", home, "--json"]).output().unwrap();
        let made: Value = serde_json::from_slice(&output.stdout).unwrap();
        made["fingerprint"].as_str().unwrap().to_owned()
    };
    init(VERIFIER, "v");
    let holder = init(HOLDER, "h");
    assert!(run(at, &format!("trust --home v --peer tax --fingerprint {holder}")).status.success());
    std::fs::write(at.join("list.csv"), LIST).unwrap();
    let made = run(at, &format!("{NEW} --out R"));
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

#[test]
fn a_request_says_what_its_list_is() {
    let folder = requested();
    let at = folder.path();
    for (path, mode) in
        [("R", 0o700), ("R/signatures", 0o700), ("R/request.json", 0o600), ("R/secret.json", 0o600), ("R/batches.bin", 0o600)]
    {
        assert_eq!(std::fs::metadata(at.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
    let (exit, shown) = json(at, "request show --request R --verify --input list.csv --person-id CASE");
    let manifest = &shown[0]["manifest"];
    assert_eq!((exit, &manifest["pairs"], &shown[0]["verified"]["agrees"]), (0, &3.into(), &true.into()));
    let left_out = serde_json::json!({
        "bad_order_date": 1, "empty_name": 1, "future_order_date": 1, "no_order_date": 1, "no_person_id": 1, "too_many_addresses": 1,
    });
    assert_eq!(manifest["left_out"], left_out);
    assert_eq!((&manifest["order_date_earliest"], &manifest["order_date_latest"]), (&"2020-02-20".into(), &"2025-01-02".into()));
    assert_eq!(
        (&manifest["holder_name"], &manifest["verifier_name"], &manifest["fields"]["agreement"]),
        (&"tax".into(), &"v".into(), &"7".into())
    );
    assert_eq!(json(at, "request show --request R/request.json").0, 0, "request.json alone is enough to be read");
    // Twice the same list is twice another request: no salt, no seed and no root is the same.
    let before = std::fs::read_to_string(at.join("R/request.json")).unwrap();
    assert_eq!(fails(at, &format!("{NEW} --out R")).1, "out_exists");
    assert_eq!(std::fs::read_to_string(at.join("R/request.json")).unwrap(), before);
    std::fs::create_dir(at.join("R2")).unwrap();
    assert!(run(at, &format!("{NEW} --out R2")).status.success(), "an empty directory is taken");
    let roots = |shown: Vec<Value>| ["list_root", "blinded_root", "request_id"].map(|name| shown[0]["manifest"][name].clone());
    let (first, second) = (roots(shown), roots(json(at, "request show --request R2").1));
    assert!(first.iter().zip(&second).all(|(a, b)| a != b));
    assert_eq!(
        std::fs::read_dir(at).unwrap().filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".tmp")).count(),
        0
    );
}

#[test]
fn a_list_that_is_another_is_told_by_what_differs() {
    let folder = requested();
    let at = folder.path();
    let changes = [
        ("a field that no token depends on", LIST.replace("1, Ana", "01, Ana"), "list_root"),
        ("another name", LIST.replace("Ana", "Anna"), "list_root"),
        ("a row more", format!("{LIST}10,Flo Quispe,10 Elm St,02134,2020-02-20,F\n"), "pairs"),
        (
            "two rows in another order",
            LIST.replace("1, Ana Quispe ,1 ", "1,Eve Quispe,9 ").replace("9,Eve Quispe,9 ", "9,Ana Quispe,1 "),
            "list_root",
        ),
        ("an older order", LIST.replace("2025-01-02", "2025-01-01"), "order_date_latest"),
    ];
    let check = "check --home v --holder 127.0.0.1:1 --output out.csv --person-id CASE --request R";
    for (case, list, differs) in changes {
        std::fs::write(at.join("other.csv"), list).unwrap();
        let (exit, code, what) = fails(at, "request show --request R --verify --input other.csv --person-id CASE");
        assert_eq!((exit, code.as_str()), (3, "request_differs"), "{case}");
        assert!(what.contains(differs), "{case}: {what}");
        // Port 1 would be unreachable, exit 5: it is not even tried.
        let (exit, code, what) = fails(at, &format!("{check} --input other.csv"));
        assert_eq!((exit, code.as_str()), (3, "other_list"), "{case}");
        assert!(what.contains(differs), "{case}: {what}");
    }
    assert_eq!(fails(at, "check --home v --holder 127.0.0.1:1 --output out.csv --request R --input list.csv").1, "column_missing");
    assert!(!at.join("R/checkpoint").exists() && !at.join("out.csv").exists());
    // Blanks at either end are no part of a value.
    std::fs::write(at.join("other.csv"), LIST.replace(" Ana Quispe ", "Ana Quispe")).unwrap();
    assert_eq!(json(at, "request show --request R --verify --input other.csv --person-id CASE").0, 0);
}

#[test]
fn files_of_a_request_that_are_not_its_own_are_refused() {
    let folder = requested();
    let at = folder.path();
    assert!(run(at, &format!("{NEW} --out R2")).status.success());
    let check = "check --home v --holder 127.0.0.1:1 --output out.csv --person-id CASE --input list.csv --request";
    let swapped = |file: &str| {
        let copy = at.join(format!("swapped-{file}"));
        std::fs::create_dir(&copy).unwrap();
        for name in ["request.json", "secret.json", "batches.bin"] {
            std::fs::copy(at.join(if name == file { "R2" } else { "R" }).join(name), copy.join(name)).unwrap();
        }
        fails(at, &format!("{check} swapped-{file}"))
    };
    assert_eq!(swapped("secret.json").1, "other_list");
    assert_eq!(swapped("request.json").1, "other_list");
    assert_eq!(swapped("batches.bin").1, "other_list");
    std::fs::set_permissions(at.join("R2/secret.json"), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(fails(at, &format!("{check} R2")).1, "secret_exposed");
    std::fs::remove_file(at.join("R2/secret.json")).unwrap();
    assert_eq!(fails(at, &format!("{check} R2")).1, "secret_missing");
    let edited = std::fs::read_to_string(at.join("R2/request.json")).unwrap().replace("\"P\"", "\"P \"");
    std::fs::write(at.join("R2/request.json"), edited).unwrap();
    assert_eq!(fails(at, &format!("{check} R2")).1, "bad_request");
    assert_eq!(fails(at, &format!("{check} nowhere")).1, "no_request");
    // An approved list to another holder than the one that it is to.
    let other = "0123-".repeat(15) + "4567";
    assert!(run(at, &format!("trust --home v --peer other --fingerprint {other}")).status.success());
    assert_eq!(fails(at, &format!("{check} R --peer other")).1, "other_holder");
    assert!(!at.join("R/checkpoint").exists(), "nothing was said to anybody");
    // With all in order the holder is tried; as long as it is not there, no Hello is said and none is kept.
    assert_eq!(fails(at, &format!("{check} R --peer tax --timeout 1")).0, 5);
    assert!(!at.join("R/checkpoint").exists());
}

#[test]
fn opened_rows_are_checked_without_the_seeds() {
    let folder = requested();
    let at = folder.path();
    let (exit, made) = json(at, "audit sample --request R --input list.csv --person-id CASE --n 2 --seed 5 --output sample.json");
    assert_eq!((exit, &made[0]["rows"], &made[0]["batches"]), (0, &2.into(), &1.into()));
    assert_eq!(std::fs::metadata(at.join("sample.json")).unwrap().permissions().mode() & 0o777, 0o600);
    let open = "audit open --request R/request.json --sample";
    let (exit, opened) = json(at, &format!("{open} sample.json"));
    assert_eq!((exit, &opened[0]["agrees"], &opened[0]["rows"]), (0, &true.into(), &2.into()));
    let whole = std::fs::read_to_string(at.join("sample.json")).unwrap();
    let sample: Value = serde_json::from_str(&whole).unwrap();
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 10] = [
        ("rows in another order than the seed's", |sample| sample["rows"].as_array_mut().unwrap().reverse()),
        ("without a row that the seed draws", |sample| drop(sample["rows"].as_array_mut().unwrap().remove(0))),
        ("another value", |sample| sample["rows"][0]["fields"][0][1] = "77".into()),
        ("another salt", |sample| sample["rows"][0]["salt"] = "00".repeat(32).into()),
        ("another row number", |sample| sample["rows"][1]["row"] = 3.into()),
        ("another blind", |sample| sample["rows"][1]["blinds"] = sample["rows"][0]["blinds"].clone()),
        ("another element", |sample| {
            let elements = sample["batches"][0]["elements"].as_str().unwrap().to_owned();
            sample["batches"][0]["elements"] = (elements[64..128].to_owned() + &elements[64..]).into();
        }),
        ("no batch", |sample| sample["batches"] = Value::Array(vec![])),
        ("another path", |sample| sample["rows"][0]["path"] = sample["rows"][1]["path"].clone()),
        ("another request", |sample| sample["request_digest"] = "00".repeat(32).into()),
    ];
    for (case, change) in changes {
        let mut changed = sample.clone();
        change(&mut changed);
        std::fs::write(at.join("changed.json"), changed.to_string()).unwrap();
        let (exit, code, _) = fails(at, &format!("{open} changed.json"));
        assert_eq!((exit, code.as_str()), (6, "sample_differs"), "{case}");
    }
    assert_eq!(fails(at, "audit sample --request R --input - --output s.json").0, 2);
    assert_eq!(fails(at, "audit sample --request R --input list.csv --person-id CASE --output list.csv").1, "output");
}

/// With the officials' own tool, where it is installed.
#[test]
fn officials_sign_with_ssh_keygen() {
    let folder = requested();
    let at = folder.path();
    let keygen = |arguments: &[&str]| Command::new("ssh-keygen").current_dir(at).args(arguments).stdin(Stdio::null()).output();
    let Ok(made) = keygen(&["-q", "-t", "ed25519", "-N", "", "-f", "one"]) else { return };
    assert!(made.status.success());
    assert!(keygen(&["-q", "-t", "ecdsa", "-N", "", "-f", "two"]).unwrap().status.success());
    assert!(run(at, "request sign --request R --key one").status.success());
    assert!(keygen(&["-q", "-Y", "sign", "-n", "request@oblink-1", "-f", "two", "R/request.json"]).unwrap().status.success());
    let shown = json(at, "request show --request R").1;
    let signatures = shown[0]["signatures"].as_array().unwrap();
    assert_eq!(signatures.iter().filter(|signature| signature["holds"] == true && signature["side"] == "verifier").count(), 2);
    // Over other bytes, or for another purpose, it is shown as what it is.
    std::fs::copy(at.join("R/request.json"), at.join("copy.json")).unwrap();
    assert!(keygen(&["-q", "-Y", "sign", "-n", "file", "-f", "two", "copy.json"]).unwrap().status.success());
    std::fs::rename(at.join("copy.json.sig"), at.join("R/request.json.sig")).unwrap();
    let shown = json(at, "request show --request R").1;
    let signatures = shown[0]["signatures"].as_array().unwrap();
    assert_eq!(signatures.iter().map(|signature| signature["holds"].as_bool().unwrap()).collect::<Vec<_>>(), [false, true]);
    assert_eq!(fails(at, "request sign --request R --key none").1, "not_signed");
}
