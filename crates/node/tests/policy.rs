//! What an official sees of a proposal, by the real program, on a machine that has no home.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const HOLDER: &str = env!("CARGO_BIN_EXE_oblink-holder");

const SIGNERS: &str = "\
# Benefits Agency
doe@benefits.example namespaces=\"request@oblink-1\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPRhNaaGvnm/DKzBFcbIiSZClHZ/UQ8QGDH0gGlKNdUj
# Records Office
archer@records.example namespaces=\"policy@oblink-1\",valid-before=\"29991231235959Z\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHC5PppAsqd8XtkV43wcc4sv51tSxRmVUcw7+Qy8P1A9
";

const POLICY: &str = "\
format = \"oblink/policy/1\"

[holder]
officials = [\"archer@records.example\"]
policy_signatures_min = 1
countersignatures_min = 0
user_presence = false

[epoch]
days_max = 31
evaluations_max = 20_000_000

[[verifiers]]
fingerprint = \"8219-485f-2144-312a-c18d-9ab5-62e2-c141-cd2d-d48d-bbb3-b666-82f0-b6d2-7cce-6ff5\"
name = \"Benefits Agency\"
officials = [\"doe@benefits.example\"]
signatures_min = 1
user_presence = false
rulesets = [\"us-exact-1\"]
pairs_per_request_max = 100_000
tokens_per_request_max = 100_000
validity_days_max = 14
required_fields = []
required_columns = []
order_age_days_max = 0
addresses_per_person_max = 0
set_age_days_max = 0

[verifiers.window]
days = 30
requests_max = 20
pairs_max = 500_000
tokens_max = 500_000

[verifiers.epoch]
requests_max = 20
pairs_max = 500_000
tokens_max = 500_000
";

fn run(folder: &Path, line: &str) -> Output {
    Command::new(HOLDER).current_dir(folder).args(line.split_whitespace()).env_remove("OBLINK_LOG").stdin(Stdio::null()).output().unwrap()
}

/// The exit code, and the first object on stdout.
fn json(folder: &Path, line: &str) -> (i32, Value) {
    let output = run(folder, &format!("{line} --json"));
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), serde_json::from_str(text.lines().next().unwrap()).unwrap())
}

/// A home, the files of a first policy, and the proposal of it in P.
fn proposed() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::create_dir(at.join("mine")).unwrap();
    std::fs::write(at.join("mine/policy.toml"), POLICY).unwrap();
    std::fs::write(at.join("mine/allowed_signers"), SIGNERS).unwrap();
    assert!(run(at, "init --home h --name h").status.success());
    let made = run(at, "policy propose --home h --policy mine/policy.toml --allowed-signers mine/allowed_signers --reason First --out P");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
}

#[test]
fn a_proposal_is_shown_whole_without_a_home() {
    let folder = proposed();
    let at = folder.path();
    let (exit, shown) = json(at, "policy show --proposal P");
    assert_eq!((exit, shown["kind"].as_str(), shown["reason"].as_str()), (0, Some("policy"), Some("First")));
    assert_eq!((shown["policy_toml"].as_str(), shown["allowed_signers"].as_str()), (Some(POLICY), Some(SIGNERS)));
    assert_eq!((&shown["previous"], shown["keys"].as_array().unwrap().len()), (&Value::Null, 2));
    let archer = shown["keys"].as_array().unwrap().iter().find(|key| key["principal"] == "archer@records.example").unwrap();
    assert_eq!((&archer["valid_before"], &archer["namespaces"][0]), (&"2999-12-31T23:59:59Z".into(), &"policy@oblink-1".into()));
    // The file alone will do.
    assert_eq!(json(at, "policy show --proposal P/proposal.json").1["digest"], shown["digest"]);
    assert_eq!(json(at, "policy show --proposal P --home h").0, 0);
    let text = String::from_utf8(run(at, "policy show --proposal P").stdout).unwrap();
    for line in POLICY.lines().chain(SIGNERS.lines()) {
        assert!(text.contains(&format!("  | {line}\n")), "{line}");
    }
    assert!(text.contains("to be signed by 1 of archer@records.example"), "{text}");
    assert!(text.contains("ssh-keygen -Y sign -n policy@oblink-1 -f KEY P/proposal.json"), "{text}");
    assert_eq!(run(at, "policy show").status.code(), Some(2));
    assert_eq!(run(at, "policy show --against mine").status.code(), Some(2));
}

/// What hides, and what is none of this policy's or this home's, is told.
#[test]
fn what_is_not_to_be_signed_is_said() {
    let folder = proposed();
    let at = folder.path();
    // Against a policy that is in force: this proposal says that there is none.
    let (exit, shown) = json(at, "policy show --proposal P --against mine");
    assert_eq!((exit, &shown["faults"][0]), (3, &"stale".into()));
    assert!(run(at, "init --home other --name other").status.success());
    assert_eq!(json(at, "policy show --proposal P --home other").1["faults"][0], "other_holder");
    // A policy that a program did not write: shown, with what would hide, and then refused.
    let bytes = std::fs::read_to_string(at.join("P/proposal.json")).unwrap();
    let hidden = bytes.replace("[epoch]", "[epoch] # \u{202e}31\\u001b[2J");
    std::fs::write(at.join("P/proposal.json"), &hidden).unwrap();
    let output = run(at, "policy show --proposal P");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("\\u{202e}31\\u{1b}[2J") && !text.contains('\u{202e}') && !text.contains('\u{1b}'), "{text}");
    assert_eq!(output.status.code(), Some(3), "a control character is no part of TOML: {text}");
    std::fs::write(at.join("P/proposal.json"), bytes.replace("First", "Other reason ")).unwrap();
    assert_eq!(run(at, "policy show --proposal P").status.code(), Some(3));
}

/// With the officials' own tool, where it is installed.
#[test]
fn its_changes_and_signatures_are_shown() {
    let folder = proposed();
    let at = folder.path();
    let keygen = |arguments: &[&str]| Command::new("ssh-keygen").current_dir(at).args(arguments).stdin(Stdio::null()).output();
    let Ok(made) = keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", "k"]) else { return };
    assert!(made.status.success());
    let public = std::fs::read_to_string(at.join("k.pub")).unwrap();
    let archer = SIGNERS.rsplit_once("ssh-ed25519").unwrap().0;
    std::fs::write(at.join("mine/allowed_signers"), format!("{archer}{}\n", public.trim())).unwrap();
    let propose = |out: &str| {
        let line = "policy propose --home h --policy mine/policy.toml --allowed-signers mine/allowed_signers --out";
        let made = run(at, &format!("{line} {out}"));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    };
    propose("Q");
    let signed = run(at, "policy sign --proposal Q --key k");
    assert!(signed.status.success(), "{}", String::from_utf8_lossy(&signed.stderr));
    let shown = json(at, "policy show --proposal Q").1;
    assert_eq!((&shown["signatures"][0]["holds"], &shown["signatures"][0]["principal"]), (&true.into(), &"archer@records.example".into()));
    assert!(run(at, "policy apply --home h --proposal Q").status.success());
    // A looser one, compared with the home and with a copy.
    std::fs::create_dir(at.join("copy")).unwrap();
    for name in ["policy.toml", "allowed_signers"] {
        std::fs::copy(at.join("mine").join(name), at.join("copy").join(name)).unwrap();
    }
    std::fs::write(at.join("mine/policy.toml"), POLICY.replace("requests_max = 20", "requests_max = 21")).unwrap();
    propose("R");
    for with in ["--home h", "--against copy"] {
        let (exit, shown) = json(at, &format!("policy show --proposal R {with}"));
        assert_eq!((exit, &shown["change"], shown["changes"].as_array().unwrap().len()), (0, &"looser".into(), 2), "{with}: {shown}");
    }
    let (exit, shown) = json(at, "policy show --proposal R");
    assert_eq!((exit, &shown["change"]), (0, &Value::Null));
}
