//! The peers, and how the Python side is called: it is written beside the data and run with the interpreter of its own environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use super::round::Round;

/// A peer to compare with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Peer {
    /// OpenMined PSI: ECDH over P-256, the holder's set Golomb-compressed.
    Openmined,
    /// SecretFlow's unbalanced PSI: ECDH over FourQ, the holder's side computed ahead.
    #[value(name = "ub_psi")]
    UbPsi,
    /// SecretFlow's RR22: VOLE, nothing kept.
    Rr22,
}

impl Peer {
    /// The key in JSON and the name on the command line.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Openmined => "openmined",
            Self::UbPsi => "ub_psi",
            Self::Rr22 => "rr22",
        }
    }

    /// The name for people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Openmined => "OpenMined PSI",
            Self::UbPsi => "SecretFlow UB-PSI",
            Self::Rr22 => "SecretFlow RR22",
        }
    }
}

/// What came of asking for a peer or running it.
#[derive(Debug)]
pub(super) enum Answer<T> {
    /// What was asked for.
    Done(T),
    /// Why it takes no part.
    Skipped(String),
}

/// The scripts, as they lie in `benches/compare/`.
const SCRIPTS: [(&str, &str); 6] = [
    ("peers.py", include_str!("../../compare/peers.py")),
    ("openmined.py", include_str!("../../compare/openmined.py")),
    ("secretflow.py", include_str!("../../compare/secretflow.py")),
    ("usage.py", include_str!("../../compare/usage.py")),
    ("openmined.txt", include_str!("../../compare/openmined.txt")),
    ("secretflow.txt", include_str!("../../compare/secretflow.txt")),
];

/// Interpreters to try, those first for which all wheels are there.
const PYTHONS: [&str; 4] = ["python3.11", "python3.10", "python3", "python"];

/// The Python side.
#[derive(Debug)]
pub(super) struct Python {
    program: String,
    scripts: PathBuf,
    environment: PathBuf,
}

impl Python {
    /// Writes the scripts into `scripts`; `environment` is where the virtual environment is or will be. None where there is no Python.
    ///
    /// # Errors
    /// A directory that cannot be written.
    pub(super) fn new(program: Option<&str>, scripts: PathBuf, environment: PathBuf) -> Result<Option<Self>> {
        fs::create_dir_all(&scripts).context("no directory for the scripts")?;
        for (name, text) in SCRIPTS {
            fs::write(scripts.join(name), text).with_context(|| format!("{name} cannot be written"))?;
        }
        let runs = |program: &&str| {
            // 3.10 is the oldest that reads the scripts.
            let mut command = Command::new(program);
            command.args(["-c", "import sys, venv; sys.exit(sys.version_info < (3, 10))"]);
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
        };
        let found = program.into_iter().chain(PYTHONS.into_iter().filter(|_| program.is_none())).find(runs);
        Ok(found.map(|program| Self { program: program.to_owned(), scripts, environment }))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-B").arg(self.scripts.join("peers.py")).args(arguments);
        command.stdin(Stdio::null()).stderr(Stdio::inherit());
        command
    }

    /// Installs what the peers need where it is not yet installed: this alone downloads anything.
    ///
    /// # Errors
    /// A Python side that says something else than it should.
    pub(super) fn prepare(&self, peers: &[Peer]) -> Result<Vec<(Peer, Answer<()>)>> {
        let mut command = self.command(&["prepare"]);
        let output = command.arg(&self.environment).args(peers.iter().map(|peer| peer.key())).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line =
            |peer: Peer| text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).find(|line| line["peer"] == peer.key());
        Ok(peers
            .iter()
            .map(|peer| match line(*peer) {
                Some(line) => (*peer, skipped(&line).map_or(Answer::Done(()), Answer::Skipped)),
                None => (*peer, Answer::Skipped("no virtual environment could be made".to_owned())),
            })
            .collect())
    }

    /// Runs both parties of a peer on the files in `data`.
    ///
    /// # Errors
    /// A Python side that says something else than it should.
    pub(super) fn run(&self, peer: Peer, data: &Path) -> Result<Answer<Round>> {
        let mut command = self.command(&["run"]);
        let output = command.arg(&self.environment).arg(peer.key()).arg(data).output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().with_context(|| format!("{} said nothing", peer.title()))?;
        answer(last).with_context(|| format!("the report of {} cannot be read", peer.title()))
    }
}

fn skipped(report: &Value) -> Option<String> {
    report.get("skipped").map(|why| why.as_str().unwrap_or("it does not say why").to_owned())
}

/// The one line that a run prints.
fn answer(line: &str) -> Result<Answer<Round>> {
    let report: Value = serde_json::from_str(line)?;
    match skipped(&report) {
        Some(why) => Ok(Answer::Skipped(why)),
        None => Ok(Answer::Done(Round::of_peer(&report)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_peer_says_why_and_nonsense_is_an_error() {
        assert!(matches!(answer(r#"{"peer":"rr22","skipped":"no network"}"#).unwrap(), Answer::Skipped(why) if why == "no network"));
        assert!(answer("Traceback (most recent call last):").is_err());
        assert!(answer(r#"{"peer":"rr22"}"#).is_err());
    }

    #[test]
    fn names_on_the_command_line_are_the_keys() {
        for peer in Peer::value_variants() {
            assert_eq!(peer.to_possible_value().unwrap().get_name(), peer.key());
        }
    }

    /// An interpreter that is none, and an environment that cannot be made, leave every peer out with a reason; nothing is downloaded for that.
    #[test]
    fn without_python_or_environment_every_peer_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(Python::new(Some("no-such-python"), at("scripts"), at("environment")).unwrap().is_none());
        fs::write(at("file"), b"").unwrap();
        let broken = Python { program: "true".to_owned(), scripts: at("scripts"), environment: at("file") };
        let all = Peer::value_variants();
        let prepared = broken.prepare(all).unwrap();
        assert_eq!(prepared.len(), all.len());
        assert!(prepared.iter().all(|(_, answer)| matches!(answer, Answer::Skipped(why) if why.contains("environment"))));
    }

    /// The Python side's own judgement, where there is a Python: only the ids that both files have are exact, and a reason is one line.
    #[test]
    fn the_python_side_sees_a_wrong_result() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let Some(python) = Python::new(None, at("scripts"), at("environment")).unwrap() else { return };
        fs::write(at("verifier.csv"), "id\na\nb\nc\n").unwrap();
        fs::write(at("holder.csv"), "id\nc\nd\na\n").unwrap();
        let ask = |code: &str| {
            let script = format!("import sys, json; sys.path.insert(0, sys.argv[1]); import peers; print(json.dumps({code}))");
            let output =
                Command::new(&python.program).args(["-B", "-c", &script]).arg(&python.scripts).arg(folder.path()).output().unwrap();
            serde_json::from_slice::<Value>(&output.stdout).unwrap()
        };
        for (found, count, exact) in [
            ("id\nc\na\n", 2, true),
            ("\"id\"\n\"a\"\n\"c\"\n", 2, true),
            ("id\na\nb\n", 2, false),
            ("id\na\na\n", 2, false),
            ("id\n", 0, false),
        ] {
            fs::write(at("found.csv"), found).unwrap();
            assert_eq!(ask("peers.judged(sys.argv[2])"), serde_json::json!({ "intersection": count, "exact": exact }), "{found}");
        }
        assert_eq!(ask(r#"peers.last_line("WARNING: an error\nERROR: no wheel\nsee there\n")"#), "no wheel");
        assert_eq!(ask(r#"peers.last_line("")"#), "it said nothing");
    }

    /// Every wheel is pinned and every pin has a hash.
    #[test]
    fn requirements_are_pinned_and_hashed() {
        for (name, text) in SCRIPTS.iter().filter(|(name, _)| Path::new(name).extension().is_some_and(|kind| kind == "txt")) {
            let text = text.replace("\\\n", " ");
            let pins: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
            assert!(!pins.is_empty(), "{name}");
            assert!(pins.iter().all(|pin| pin.contains("==") && pin.contains("--hash=sha256:")), "{name}");
        }
    }
}
