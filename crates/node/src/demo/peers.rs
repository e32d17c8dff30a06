//! The two peers as processes, spoken to as an operator's script would: arguments in, JSON lines out.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::cli::OutputArgs;
use crate::failure::{Exit, Failure, io_cause};

/// A figure out of a peer's object.
pub(super) fn number(object: &Value, key: &str) -> Result<f64, Failure> {
    object.get(key).and_then(Value::as_f64).ok_or_else(|| Failure::bug(format!("a peer's answer has no {key}")))
}

/// Both homes, and how to run a role.
pub(super) struct Peers {
    program: PathBuf,
    holder: PathBuf,
    verifier: PathBuf,
    ruleset: OsString,
    manner: Vec<&'static str>,
}

impl Peers {
    pub(super) fn new(work: &Path, output: &OutputArgs, ruleset: &str) -> Result<Self, Failure> {
        let program = std::env::current_exe()
            .map_err(|error| Failure::input("program", format!("this program's own file cannot be found: {}", io_cause(&error))))?;
        let mut manner = vec!["--json", "--quiet"];
        if output.no_progress || output.quiet || output.json {
            manner.push("--no-progress");
        }
        Ok(Self { program, holder: work.join("holder"), verifier: work.join("verifier"), ruleset: ruleset.into(), manner })
    }

    fn command(&self, role: &str, arguments: &[OsString]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(role).args(arguments).args(&self.manner).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    /// Runs a role to its end; gives the last object it printed.
    fn run(&self, role: &'static str, arguments: &[OsString]) -> Result<Value, Failure> {
        let output = self.command(role, arguments).stderr(Stdio::inherit()).output().map_err(|error| cannot_start(role, &error))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let last = text.lines().last().and_then(|line| serde_json::from_str(line).ok());
        match (output.status.code(), last) {
            (Some(0), Some(object)) => Ok(object),
            (code, _) => Err(ended(role, code)),
        }
    }

    /// Two homes, each with the other's fingerprint.
    pub(super) fn introduce(&self) -> Result<(), Failure> {
        let init = |role: &'static str, home: &Path, name: &str| -> Result<OsString, Failure> {
            let object = self.run(role, &["init".into(), "--home".into(), home.into(), "--name".into(), name.into()])?;
            object.get("fingerprint").and_then(Value::as_str).map(OsString::from).ok_or_else(|| Failure::bug("init gave no fingerprint"))
        };
        let holder = init("holder", &self.holder, "Demo holder")?;
        let verifier = init("verifier", &self.verifier, "Demo verifier")?;
        let trust = |role, home: &Path, label: &str, fingerprint| {
            self.run(
                role,
                &["trust".into(), "--home".into(), home.into(), "--peer".into(), label.into(), "--fingerprint".into(), fingerprint],
            )
            .map(drop)
        };
        trust("holder", &self.holder, "verifier", verifier)?;
        trust("verifier", &self.verifier, "holder", holder)
    }

    pub(super) fn seal(&self, records: &Path) -> Result<Value, Failure> {
        let arguments = [
            "seal".into(),
            "--home".into(),
            (&self.holder).into(),
            "--input".into(),
            records.into(),
            "--ruleset".into(),
            self.ruleset.clone(),
        ];
        self.run("holder", &arguments)
    }

    pub(super) fn check(&self, address: &str, pairs: &Path, results: &Path) -> Result<Value, Failure> {
        let arguments = [
            "check".into(),
            "--home".into(),
            (&self.verifier).into(),
            "--holder".into(),
            address.into(),
            "--input".into(),
            pairs.into(),
            "--output".into(),
            results.into(),
            "--ruleset".into(),
            self.ruleset.clone(),
        ];
        self.run("verifier", &arguments)
    }

    /// Starts the holder; back once it listens.
    pub(super) fn serve(&self) -> Result<Serving, Failure> {
        let mut child = self
            .command("holder", &["serve".into(), "--home".into(), (&self.holder).into(), "--listen".into(), "127.0.0.1:0".into()])
            // Its warnings (pilot mode) are for operators; its failures come as an object.
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| cannot_start("holder", &error))?;
        let stdout = child.stdout.take().map(BufReader::new).ok_or_else(|| Failure::bug("the holder has no output"))?;
        let mut serving = Serving { child, stdout, address: String::new() };
        let first = serving.next_object().ok_or_else(|| Failure::bug("the holder said nothing"))?;
        match first.get("listen").and_then(Value::as_str) {
            Some(address) => serving.address = address.to_owned(),
            None => return Err(Failure::new(Exit::BadInput, "holder", format!("the holder does not serve: {}", first["error"]["what"]))),
        }
        Ok(serving)
    }
}

fn cannot_start(role: &str, error: &std::io::Error) -> Failure {
    Failure::input("program", format!("the {role} could not be started: {}", io_cause(error)))
}

fn ended(role: &str, code: Option<i32>) -> Failure {
    let exit = match code {
        Some(2) => Exit::Usage,
        Some(3) => Exit::BadInput,
        Some(4) => Exit::Refused,
        Some(5) => Exit::Unreachable,
        Some(6) => Exit::PeerAtFault,
        _ => Exit::Bug,
    };
    let how = code.map_or_else(|| "by a signal".to_owned(), |code| format!("with exit code {code}"));
    Failure::new(exit, "peer", format!("the {role} ended {how}; what it said stands above"))
}

/// A holder that serves. Dropped, it is killed.
pub(super) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    address: String,
}

impl Serving {
    /// `IP:PORT`.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn next_object(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).ok().filter(|read| *read > 0)?;
        serde_json::from_str(&line).ok()
    }

    /// Waits for the object of the one session, asks the holder to end (SIGTERM), and sees that it does so in order.
    pub(super) fn stop(mut self) -> Result<Value, Failure> {
        let session = self.next_object().ok_or_else(|| Failure::bug("the holder said nothing of the session"))?;
        let pid = i32::try_from(self.child.id()).map_err(|_| Failure::bug("a process id that is none"))?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)
            .map_err(|error| Failure::bug(format!("the holder could not be told to stop: {error}")))?;
        // Drained, so that it cannot block on a full pipe.
        let _ = self.stdout.read_to_end(&mut Vec::new());
        let status = self.child.wait().map_err(|error| Failure::bug(format!("the holder could not be waited for: {error}")))?;
        if status.success() { Ok(session) } else { Err(ended("holder", status.code())) }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Ended already where all went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
