//! `authority`: what it costs a session to be authorised. The same list is asked of the same records, unsigned in pilot mode and signed under a
//! policy, in turns; the medians of what both sides' processes used are set beside each other.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oblink_node::date::Date;
use oblink_node::people::write_sample;
use oblink_node::report::Reporter;
use serde_json::{Value, json};

use crate::clock::median;
use crate::{engine, machine};

/// Officials of each side; two of them sign.
const OFFICIALS: [&str; 2] = ["alice", "bob"];

/// One side's process, started with a command of its role.
fn command(role: &str, line: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(role).args(line.split_whitespace()).args(["--json", "--quiet", "--no-progress"]);
    Ok(command)
}

/// Runs it to its end: the last object that it printed.
fn run_to_end(mut command: Command) -> Result<Value> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output()?;
    ensure!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null))
}

/// Runs ssh-keygen.
fn keygen(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ssh-keygen").args(arguments).stdin(Stdio::null()).output();
    let output = output.context("this measurement signs with ssh-keygen, which is not here")?;
    ensure!(output.status.success(), "ssh-keygen failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

fn number(object: &Value, key: &str) -> Result<f64> {
    object[key].as_f64().with_context(|| format!("a peer's answer has no {key}"))
}

/// Two agencies that know each other, and a holder that serves.
struct Agencies {
    at: PathBuf,
    holder_fingerprint: String,
    verifier_fingerprint: String,
}

/// A holder that listens.
struct Serving {
    child: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    fn next_object(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // A child that has gone already needs no signal.
        let _ = i32::try_from(self.child.id()).map(|id| kill(Pid::from_raw(id), Signal::SIGTERM));
        let _ = self.child.wait();
    }
}

impl Agencies {
    fn new(at: &Path) -> Result<Self> {
        let init = |role: &str, name: &str| -> Result<String> {
            let made = run_to_end(command(role, &format!("init --home {} --name {name}", at.join(role).display()))?)?;
            Ok(made["fingerprint"].as_str().context("init gave no fingerprint")?.to_owned())
        };
        std::fs::create_dir_all(at)?;
        let agencies =
            Self { at: at.to_owned(), holder_fingerprint: init("holder", "Records")?, verifier_fingerprint: init("verifier", "Benefits")? };
        agencies.run("holder", &format!("trust --peer them --fingerprint {}", agencies.verifier_fingerprint))?;
        agencies.run("verifier", &format!("trust --peer them --fingerprint {}", agencies.holder_fingerprint))?;
        Ok(agencies)
    }

    fn command(&self, role: &str, line: &str) -> Result<Command> {
        let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut made = Command::new(std::env::current_exe()?);
        made.arg(role);
        // `policy apply`, `request new` and the like take the home after their second word.
        let (words, rest) = match rest.split_once(' ') {
            Some((second, rest)) if matches!(first, "policy" | "request") => (vec![first, second], rest),
            _ => (vec![first], rest),
        };
        made.args(words).arg("--home").arg(self.at.join(role)).args(rest.split_whitespace());
        made.args(["--json", "--quiet", "--no-progress"]);
        Ok(made)
    }

    fn run(&self, role: &str, line: &str) -> Result<Value> {
        run_to_end(self.command(role, line)?)
    }

    fn serve(&self) -> Result<Serving> {
        let mut child = self
            .command("holder", "serve --listen 127.0.0.1:0")?
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let lines = BufReader::new(child.stdout.take().context("serve has no output")?);
        let mut serving = Serving { child, lines, address: String::new() };
        serving.address = serving.next_object()?["listen"].as_str().context("the holder does not serve")?.to_owned();
        Ok(serving)
    }

    /// Keys for the officials of both sides, and a policy that two of each side's have to sign for.
    fn put_under_a_policy(&self) -> Result<()> {
        let mut signers = String::new();
        for (side, namespaces) in [("verifier", "request@oblink-1"), ("holder", "policy@oblink-1,countersign@oblink-1")] {
            for official in OFFICIALS {
                let key = self.key(side, official);
                keygen(&["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", &key])?;
                let public = std::fs::read_to_string(format!("{key}.pub"))?;
                signers.push_str(&format!("{official}@{side} namespaces=\"{namespaces}\" {}\n", public.trim_end()));
            }
        }
        let of = |side: &str| format!("[\"{}@{side}\", \"{}@{side}\"]", OFFICIALS[0], OFFICIALS[1]);
        let policy = format!(
            "format = \"oblink/policy/1\"\n\
             [holder]\nofficials = {}\npolicy_signatures_min = 2\ncountersignatures_min = 0\nuser_presence = false\n\
             [epoch]\ndays_max = 366\nevaluations_max = 1073741824\nkeep_key_days = 0\ngrace_seconds = 60\n\
             [[verifiers]]\nfingerprint = \"{}\"\nname = \"Benefits\"\nofficials = {}\nsignatures_min = 2\nuser_presence = false\n\
             rulesets = [\"us-exact-1\"]\npairs_per_request_max = 10000000\ntokens_per_request_max = 10000000\nvalidity_days_max = 30\n\
             order_age_days_max = 0\naddresses_per_person_max = 0\nset_age_days_max = 0\n\
             [verifiers.window]\ndays = 30\nrequests_max = 1000\npairs_max = 1000000000\ntokens_max = 1000000000\n\
             [verifiers.epoch]\nrequests_max = 1000\npairs_max = 1000000000\ntokens_max = 1000000000\n",
            of("holder"),
            self.verifier_fingerprint,
            of("verifier"),
        );
        let (policy_file, signers_file, proposal) =
            (self.at.join("policy.toml"), self.at.join("allowed_signers"), self.at.join("proposal"));
        std::fs::write(&policy_file, policy)?;
        std::fs::write(&signers_file, signers)?;
        let line = format!(
            "policy propose --policy {} --allowed-signers {} --out {}",
            policy_file.display(),
            signers_file.display(),
            proposal.display()
        );
        self.run("holder", &line)?;
        self.sign("holder", "policy@oblink-1", &proposal, "proposal.json")?;
        self.run("holder", &format!("policy apply --proposal {}", proposal.display()))?;
        Ok(())
    }

    fn key(&self, side: &str, official: &str) -> String {
        self.at.join(format!("{official}-{side}")).display().to_string()
    }

    /// Both officials of a side sign a file of a directory.
    fn sign(&self, side: &str, namespace: &str, directory: &Path, file: &str) -> Result<()> {
        let signatures = directory.join("signatures");
        std::fs::create_dir_all(&signatures)?;
        let file = directory.join(file);
        let beside = PathBuf::from(format!("{}.sig", file.display()));
        for official in OFFICIALS {
            keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", &self.key(side, official), &file.display().to_string()])?;
            std::fs::rename(&beside, signatures.join(format!("{official}.sig")))?;
        }
        Ok(())
    }

    /// A request for the list, signed.
    fn request(&self, pairs: &Path, round: u32) -> Result<PathBuf> {
        let directory = self.at.join(format!("request-{round}"));
        // Valid for two days from now: the policy allows no more than a month.
        let not_after = Date::of(SystemTime::now() + Duration::from_secs(2 * 86_400));
        let line = format!(
            "request new --input {} --purpose measuring --legal-basis none --not-after {not_after} --out {}",
            pairs.display(),
            directory.display()
        );
        self.run("verifier", &line)?;
        self.sign("verifier", "request@oblink-1", &directory, "request.json")?;
        Ok(directory)
    }
}

/// Processor seconds of one session: the verifier's process, and the holder's while it ran.
fn session(agencies: &Agencies, serving: &mut Serving, pairs: &Path, request: Option<&Path>) -> Result<(f64, f64, u64)> {
    let mut line =
        format!("check --holder {} --input {} --output {}", serving.address, pairs.display(), agencies.at.join("results.csv").display());
    if let Some(request) = request {
        line.push_str(&format!(" --request {}", request.display()));
    }
    let checked = agencies.run("verifier", &line)?;
    let served = serving.next_object()?;
    let due = if request.is_some() { "signed" } else { "unsigned" };
    if checked["authority"] != due || served["authority"] != due {
        bail!("a session that was to be {due} was not");
    }
    Ok((number(&checked, "cpu_s")?, number(&served, "cpu_s")?, number(&checked, "match")? as u64))
}

/// Measures, and prints the medians and their ratio.
///
/// # Errors
/// What the peers fail with; no ssh-keygen.
pub fn run(pairs: u64, records: u64, rounds: u32, reporter: &Reporter) -> Result<()> {
    let work = tempfile::tempdir()?;
    let sample = write_sample(work.path(), pairs, records, 1)?;
    let (unsigned, signed) = (Agencies::new(&work.path().join("unsigned"))?, Agencies::new(&work.path().join("signed"))?);
    signed.put_under_a_policy()?;
    for agencies in [&unsigned, &signed] {
        agencies.run("holder", &format!("seal --input {}", sample.records.display()))?;
    }
    let (mut serving_unsigned, mut serving_signed) = (unsigned.serve()?, signed.serve()?);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    // The first round fetches the sets, and does not count.
    for round in 0..=rounds {
        let request = signed.request(&sample.pairs, round)?;
        let one = session(&unsigned, &mut serving_unsigned, &sample.pairs, None)?;
        let other = session(&signed, &mut serving_signed, &sample.pairs, Some(&request))?;
        ensure!(one.2 == other.2, "the two sessions did not find the same");
        if round > 0 {
            without.push(one);
            with.push(other);
        }
    }
    let medians = |rounds: &[(f64, f64, u64)]| {
        let of = |pick: fn(&(f64, f64, u64)) -> f64| median(rounds.iter().map(pick));
        [of(|round| round.0), of(|round| round.1), of(|round| round.0 + round.1)]
    };
    let (without, with) = (medians(&without), medians(&with));
    let ratios = [0, 1, 2].map(|i| with[i] / without[i]);
    let row = |name: &str, figures: [f64; 3]| format!("{name:<10} {:>10.3} {:>10.3} {:>10.3}\n", figures[0], figures[1], figures[2]);
    let table =
        ["processor s  verifier     holder       both\n".to_owned(), row("unsigned", without), row("signed", with), row("ratio", ratios)];
    reporter.answer(&format!("{pairs} pairs against {records} records, medians of {rounds} rounds in turns\n\n{}", table.concat()));
    let object = |figures: [f64; 3]| json!({ "verifier": figures[0], "holder": figures[1], "both": figures[2] });
    reporter.json(&json!({
        "pairs": pairs, "records": records, "rounds": rounds, "engine": engine(),
        "unsigned_cpu_s": object(without), "signed_cpu_s": object(with), "ratio": object(ratios),
        "machine": machine::describe(), "versions": machine::versions(),
    }));
    Ok(())
}
