//! One run of a program to its end.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Program;

/// How long anything may take before a test gives up on it: far more than it needs on a slow machine.
pub const LIMIT: Duration = Duration::from_secs(120);

/// A command line in the making.
#[derive(Debug)]
pub struct Call {
    program: Program,
    command: Command,
    stdin: Vec<u8>,
}

impl Call {
    /// A program, without arguments yet. The environment's log filter is left out.
    #[must_use]
    pub fn new(program: Program) -> Self {
        let mut command = Command::new(program.path());
        command.env_remove("OBLINK_LOG").env("COLUMNS", "120");
        Self { program, command, stdin: Vec::new() }
    }

    /// One argument more.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.command.arg(argument.into());
        self
    }

    /// Several, divided at blanks.
    #[must_use]
    pub fn args(mut self, line: &str) -> Self {
        self.command.args(line.split_whitespace());
        self
    }

    /// `name`, then a path.
    #[must_use]
    pub fn path(self, name: &str, path: &Path) -> Self {
        self.arg(name).arg(path)
    }

    /// The directory it runs in.
    #[must_use]
    pub fn within(mut self, directory: &Path) -> Self {
        self.command.current_dir(directory);
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Several of them.
    #[must_use]
    pub fn envs(mut self, variables: &[(&str, &str)]) -> Self {
        self.command.envs(variables.iter().copied());
        self
    }

    /// What it reads on standard input; nothing unless said.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = bytes.into();
        self
    }

    /// Starts it.
    #[must_use]
    pub fn start(mut self) -> Started {
        let mut child = self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stdin, bytes) = (child.stdin.take().unwrap(), std::mem::take(&mut self.stdin));
        // A program that ends without reading it closes the pipe: that is its right.
        thread::spawn(move || drop(stdin.write_all(&bytes)));
        let stdout = collect(child.stdout.take().unwrap());
        let stderr = collect(child.stderr.take().unwrap());
        Started { name: self.program.name(), child: Killed(child), stdout, stderr }
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it takes longer than [`LIMIT`].
    #[must_use]
    pub fn run(self) -> Ended {
        self.start().end()
    }

    /// Runs it to an end that must be exit 0.
    ///
    /// # Panics
    /// Where it is another.
    pub fn ok(self) -> Ended {
        let ended = self.run();
        assert_eq!(ended.code(), 0, "{ended}");
        ended
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What arrived before an error is still what the program said.
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8(bytes).expect("a program's output is UTF-8")
    })
}

/// A child that does not outlive its value.
#[derive(Debug)]
pub(crate) struct Killed(pub(crate) Child);

impl Killed {
    pub(crate) fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        match nix::sys::signal::kill(id, signal) {
            // It ended by itself, and was waited for.
            Err(nix::errno::Errno::ESRCH) => {}
            other => other.unwrap(),
        }
    }

    pub(crate) fn wait(&mut self, name: &str) -> ExitStatus {
        eventually(&format!("{name} to end"), || self.0.try_wait().unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After [`LIMIT`] without one.
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    within(LIMIT, what, ask)
}

/// Asks again and again until there is an answer.
///
/// # Panics
/// After `limit` without one.
pub fn within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited {} s in vain for {what}", limit.as_secs());
        thread::sleep(Duration::from_millis(5));
    }
}

/// A program under way.
#[derive(Debug)]
pub struct Started {
    name: &'static str,
    child: Killed,
    stdout: JoinHandle<String>,
    stderr: JoinHandle<String>,
}

impl Started {
    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Whether it still runs.
    ///
    /// # Panics
    /// Where the system does not say.
    #[must_use]
    pub fn runs(&mut self) -> bool {
        self.child.0.try_wait().unwrap().is_none()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        self.child.signal(signal);
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it takes longer than [`LIMIT`].
    #[must_use]
    pub fn end(self) -> Ended {
        self.end_within(LIMIT)
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// Where it takes longer than `limit`.
    #[must_use]
    pub fn end_within(mut self, limit: Duration) -> Ended {
        let status = within(limit, &format!("{} to end", self.name), || self.child.0.try_wait().unwrap());
        Ended { name: self.name, status, stdout: self.stdout.join().unwrap(), stderr: self.stderr.join().unwrap() }
    }
}

/// How a program ended, and what it said.
#[derive(Clone, Debug)]
pub struct Ended {
    name: &'static str,
    status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ended with {}\n--- stdout\n{}\n--- stderr\n{}", self.name, self.status, self.stdout, self.stderr)
    }
}

impl Ended {
    /// The exit code; `None` where a signal ended it.
    #[must_use]
    pub fn exit(&self) -> Option<i32> {
        self.status.code()
    }

    /// The exit code.
    ///
    /// # Panics
    /// Where a signal ended it.
    #[must_use]
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("a signal ended it: {self}"))
    }

    /// Standard output as the contract has it under `--json`: compact objects, one a line, nothing else.
    ///
    /// # Panics
    /// Where it is anything else.
    #[must_use]
    pub fn objects(&self) -> Vec<Value> {
        assert!(self.stdout.is_empty() || self.stdout.ends_with('\n'), "{self}");
        self.stdout.lines().map(object).collect()
    }

    /// The only object.
    ///
    /// # Panics
    /// Where there is not exactly one.
    #[must_use]
    pub fn object(&self) -> Value {
        let mut objects = self.objects();
        assert_eq!(objects.len(), 1, "{self}");
        objects.remove(0)
    }
}

/// A line that is one compact object.
pub(crate) fn object(line: &str) -> Value {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    assert!(value.is_object(), "not an object: {line}");
    assert!(is_compact(line), "not compact: {line}");
    value
}

/// Whether no blank stands outside a string.
fn is_compact(json: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    json.chars().all(|c| {
        (quoted, escaped) = match c {
            '"' if !escaped => (!quoted, false),
            '\\' => (quoted, quoted && !escaped),
            _ => (quoted, false),
        };
        quoted || !c.is_whitespace()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_count_outside_strings_alone() {
        assert!(is_compact(r#"{"a b":"c \\","d":"\" e"}"#));
        assert!(!is_compact(r#"{"a": 1}"#));
        assert!(!is_compact(r#"{"a\\": "b"}"#));
    }
}
