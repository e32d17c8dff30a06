//! The command line as operators write it.

use std::ffi::OsString;

use clap::{CommandFactory, Parser};

use super::args::{DemoCli, DemoCommand, HolderCli, HolderCommand, VerifierCli, VerifierCommand};
use super::entry::{arguments, run};
use super::{dispatch, doc};
use crate::failure::{Exit, Failure};
use crate::report::Reporter;
use crate::rows::Source;

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

fn holder(line: &str) -> Result<HolderCommand, clap::Error> {
    HolderCli::try_parse_from(words(&format!("oblink-holder {line}"))).map(|cli| cli.command)
}

fn verifier(line: &str) -> Result<VerifierCommand, clap::Error> {
    VerifierCli::try_parse_from(words(&format!("oblink-verifier {line}"))).map(|cli| cli.command)
}

#[test]
fn the_definitions_are_sound() {
    HolderCli::command().debug_assert();
    VerifierCli::command().debug_assert();
    DemoCli::command().debug_assert();
}

#[test]
fn the_contracts_lines_are_taken() {
    let Ok(HolderCommand::Seal(seal)) = holder(
        "seal --home H --input records.csv --map given_name=FIRST_NM family_name=LAST_NM --map postal_code=ZIP --as-of 2026-01-31 --rejects R --rejects-max 0.1% --memory 1G --json",
    ) else {
        panic!()
    };
    assert_eq!(seal.csv.options().map.len(), 3);
    assert_eq!((seal.memory.0, seal.ruleset.as_str()), (1 << 30, "us-exact-1"));
    assert!(matches!(holder("serve --home H --listen 127.0.0.1:0 --no-progress"), Ok(HolderCommand::Serve(_))));
    assert!(matches!(holder("ledger --home H"), Ok(HolderCommand::Ledger(_))));
    assert!(matches!(holder("ledger --home H show"), Ok(HolderCommand::Ledger(_))));
    assert!(matches!(holder("doctor --home H --listen [::1]:4433"), Ok(HolderCommand::Doctor(_))));
    let Ok(VerifierCommand::Check(check)) = verifier(
        "check --home V --holder h:1 --input - --output r.csv --no-header --columns name,,address,postal_code --delimiter tab --encoding windows-1252",
    ) else {
        panic!()
    };
    assert_eq!(check.csv.source(), Source::Stdin);
    assert_eq!(check.csv.options().columns.unwrap(), ["name", "", "address", "postal_code"]);
    assert!(matches!(verifier("doctor --home V"), Ok(VerifierCommand::Doctor(_))));
    let demo = DemoCli::try_parse_from(words("oblink-demo --pairs 700k --records 7M --json")).unwrap();
    assert_eq!((demo.pairs, demo.records, demo.output.json), (700_000, 7_000_000, true));
    let demo = DemoCli::try_parse_from(words("oblink-demo holder serve --home H --json")).unwrap();
    assert!(demo.output.json && matches!(demo.command, Some(DemoCommand::Holder { command: HolderCommand::Serve(_) })));
}

#[test]
fn the_lines_of_the_guides_are_taken() {
    for line in [
        "seal --home H --input records.csv --pad-to 9000000",
        "lint --input records.csv --ruleset us-exact-1 --map given_name=FIRST_NM --json",
        "ruleset list",
        "ruleset show us-exact-1 --json",
        "policy propose --home H --policy policy.toml --allowed-signers allowed_signers --reason R --out P",
        "policy propose --home H --resume --reason R --out P",
        "policy propose --home H --resume --peer city --reason R --out P",
        "policy sign --proposal P --key K",
        "policy apply --home H --proposal P --operator O",
        "policy apply --home H --restore",
        "policy show --home H",
        "policy show --proposal P",
        "policy show --proposal P/proposal.json --home H",
        "policy show --proposal P --against COPY --json",
        "suspend --home H --reason R",
        "suspend --home H --peer city --reason R --lift",
        "request show --request R",
        "request show --request R/request.json --home H",
        "request countersign --home H --request R --signature a.sig b.sig",
        "request refuse --home H --request R --reason no",
        "epoch end --home H --peer city --reason R --no-wait",
        "epoch end --home H --epoch 0123456789abcdef0123456789abcdef --reason R --unbooked",
        "audit --home H --records records.csv --epoch 0123456789abcdef0123456789abcdef",
        "ledger verify --home H --head monday.json --head friday.json receipt.json --fingerprint F",
        "ledger head --home H --export head.json",
        "ledger export --home H --format csv --output ledger.csv",
        "ledger extract --home H --peer city --output extract.json",
        "ledger report --home H --output report.html",
        "ledger account --home H --records records.csv --receipt receipt.json",
        "ledger disclosures --home H --record -7",
        "receipt verify --receipt receipt.json --holder F --verifier F",
    ] {
        assert!(holder(line).is_ok(), "{line}: {}", holder(line).unwrap_err());
    }
    for line in [
        "request new --home V --input p.csv --purpose P --legal-basis L --not-after 2026-12-05 --field agreement=7 --field case_file=B \
         --require-column order_date --person-id CASE --addresses-per-person-max 1 --disclosure matched-tags --out R",
        "lint --input p.csv --require-column order_date --person-id CASE --addresses-per-person-max 1",
        "ruleset list --json",
        "ruleset show us-exact-1",
        "ruleset explain --input p.csv --row 4711 --ruleset us-exact-1",
        "check --home V --holder h:1 --request R --input p.csv --output r.csv --dry-run --policy P --allowed-signers S",
        "request show --request R",
        "request show --request R --verify --input p.csv --secret S --person-id CASE",
        "request sign --request R --key K",
        "check --home V --holder h:1 --request R --input p.csv --output r.csv --person-id CASE",
        "check --home V --holder h:1 --input p.csv --output r.csv --pad-to 50k",
        "request new --home V --input p.csv --purpose P --legal-basis L --not-after 2026-12-05 --pad-to 50000 --out R",
        "receipt show --receipt receipt.json",
        "audit --request R --input p.csv --receipt receipt.json --ledger-extract extract.json --head friday.json",
        "audit sample --request R --input p.csv --n 200 --seed 824611 --output s.json",
        "audit open --sample s.json --request request.json --receipt receipt.json",
    ] {
        assert!(verifier(line).is_ok(), "{line}: {}", verifier(line).unwrap_err());
    }
    for line in [
        "policy show",
        "policy show --home H --against COPY",
        "policy show --proposal P --home H --against COPY",
        "policy apply --home H",
        "policy apply --home H --proposal P --restore",
        "policy propose --home H --policy policy.toml --out P",
        "policy propose --home H --resume --out P",
        "suspend --home H",
        "request countersign --home H --request R",
        "request refuse --home H --request R",
        "epoch end --home H --peer city --epoch 0123456789abcdef0123456789abcdef --reason R",
        "epoch end --home H --epoch 0123 --reason R",
        "ledger extract --home H --output e.json",
    ] {
        assert!(holder(line).is_err(), "{line}");
    }
    for line in ["request show --request R --verify", "request show --request R --input p.csv", "request sign --request R", "audit open"] {
        assert!(verifier(line).is_err(), "{line}");
    }
}

#[test]
fn wrong_usage() {
    let error = |result: Result<String, clap::Error>| result.unwrap_err().to_string();
    let cases = [
        "seal --home H --input r.csv --as-of 2026-02-30",
        "seal --home H --input r.csv --map given=FIRST",
        "seal --home H --input r.csv --map FIRST",
        "seal --home H --input r.csv --delimiter ab",
        "seal --home H --input r.csv --encoding utf-16",
        "seal --home H --input r.csv --no-header",
        "seal --home H --input r.csv --rejects-max 0.1",
        "seal --home H --input r.csv --memory much",
        "trust --home H --peer tax",
        "serve --home H --listen 4433",
        "seal --input r.csv",
    ];
    let text = cases.map(|line| {
        format!(
            "# {line}\n{}",
            error(holder(line).map(|_| String::new())).lines().take_while(|l| !l.is_empty()).collect::<Vec<_>>().join("\n")
        )
    });
    insta::assert_snapshot!(text.join("\n"));
}

/// Runs one line of the holder as `main` does.
fn exit_of(line: &str) -> Exit {
    run(
        &words(&format!("oblink-holder {line}")),
        |cli: &HolderCli| &cli.output,
        |cli, reporter| dispatch::run_holder(cli.command, reporter),
    )
}

#[test]
fn commands_end_with_the_contracts_exit_codes() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("h").display().to_string();
    let other = "0123-".repeat(15) + "4567";
    assert_eq!(exit_of("--version"), Exit::Done);
    assert_eq!(exit_of("--no-such-flag"), Exit::Usage);
    assert_eq!(exit_of(&format!("trust --home {home} --peer city --fingerprint {other} --quiet")), Exit::BadInput);
    assert_eq!(exit_of(&format!("init --home {home} --name Tax --quiet --json")), Exit::Done);
    assert_eq!(exit_of(&format!("init --home {home} --name Tax --quiet --json")), Exit::BadInput);
    assert_eq!(exit_of(&format!("trust --home {home} --peer city --fingerprint 0123 --quiet")), Exit::BadInput);
    assert_eq!(exit_of(&format!("trust --home {home} --peer city --fingerprint {other} --quiet --json")), Exit::Done);
    assert_eq!(exit_of(&format!("trust --home {home} --peer city --remove --quiet --json")), Exit::Done);
    assert_eq!(exit_of(&format!("trust --home {home} --peer city --remove --quiet --json")), Exit::BadInput);
    let refuse = |_: HolderCli, _: &Reporter| Err(Failure::refused("x", "refused"));
    assert_eq!(run(&words("oblink-holder man --quiet"), |cli: &HolderCli| &cli.output, refuse), Exit::Refused);
}

#[test]
fn a_panic_is_a_bug_with_exit_code_1() {
    let exit =
        run(&words("oblink-holder man --quiet"), |cli: &HolderCli| &cli.output, |_, _| std::panic::resume_unwind(Box::new("Quispe")));
    assert_eq!(exit, Exit::Bug);
}

#[test]
fn manuals_and_completions_name_every_command() {
    for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Fish, clap_complete::Shell::Zsh] {
        let text = doc::completion_text(VerifierCli::command(), shell);
        for command in ["init", "trust", "lint", "ruleset", "request", "check", "receipt", "audit", "doctor"] {
            assert!(text.contains(command), "{shell} {command}");
        }
    }
    let text = doc::man_text(HolderCli::command()).unwrap();
    for command in [
        "init", "trust", "lint", "ruleset", "seal", "serve", "policy", "suspend", "request", "epoch", "audit", "ledger", "receipt",
        "doctor",
    ] {
        assert!(text.contains(&format!("oblink\\-holder\\-{command}")) || text.contains(&format!("oblink-holder-{command}")), "{command}");
    }
    assert!(!doc::man_text(DemoCli::command()).unwrap().contains("demo-verifier"), "hidden roles stay hidden");
}

/// Half of the test below, in a process of its own: panics in a command and beside it, about a person.
#[test]
#[ignore = "the test below runs it"]
fn panics_about_a_person() {
    let person = ["Quispe", "Zanzibar"].concat();
    let _ = arguments();
    let (beside, before) = (person.clone(), person.clone());
    assert!(std::thread::spawn(move || assert_eq!(beside, "", "{beside} is not nobody")).join().is_err());
    let exit = run(
        &words("oblink-holder ledger --home nowhere --json"),
        |cli: &HolderCli| &cli.output,
        |_, _| panic!("{before} is where nobody should be"),
    );
    assert_eq!(exit, Exit::Bug);
}

/// What a panic says may be a value that an assertion compared: where it was is told, and nothing else.
#[test]
fn a_panic_tells_its_place_alone() {
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    let ended = child
        .args(["--exact", "cli::tests::panics_about_a_person", "--ignored", "--nocapture"])
        .env("RUST_BACKTRACE", "full")
        .output()
        .unwrap();
    let said = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(ended.status.success(), "{said}");
    assert_eq!(said.matches("an internal check failed (").count(), 2, "{said}");
    assert!(said.contains("\"exit\":1"), "{said}");
    assert!(!said.contains("Zanzibar"), "{said}");
}

/// A row on the command line is a row: what stands in the place of a value is not repeated, names of flags are.
#[test]
fn wrong_usage_repeats_no_value() {
    let said = |line: &str| {
        let parsed = VerifierCli::try_parse_from(words(&format!("oblink-verifier {line}"))).map(drop);
        super::entry::without_values(parsed.unwrap_err()).to_string()
    };
    for line in [
        "Quispe",
        "check Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv --timeout Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv --delimiter Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv --encoding Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv --map Quispe",
        "check --home V --holder h:1 --input p.csv --output r.csv --map Quispe=name",
        "check --home V --holder h:1 --input p.csv --output r.csv --no-header=Quispe",
        "request new --field Quispe",
        "request Quispe",
        "audit sample --n Quispe",
    ] {
        assert!(!said(line).contains("Quispe"), "{line}: {}", said(line));
    }
    assert!(said("check --inptu p.csv").contains("--inptu"));
    assert!(said("chekc").contains("chekc"), "{}", said("chekc"));
}
