//! `oblink-holder serve` beside a test.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::call::{Killed, LIMIT, object};
use crate::{Party, Program};

/// A holder that serves on a port of the system's choice. Dropped, it is killed.
#[derive(Debug)]
pub struct Serving {
    child: Killed,
    objects: Receiver<Value>,
    stderr: Arc<Mutex<String>>,
    address: String,
    metrics: Option<String>,
}

impl Serving {
    /// Starts `serve --json`, and waits until it listens.
    ///
    /// # Panics
    /// Where its first line is not `{"listen":…}`.
    #[must_use]
    pub fn start(holder: &Party) -> Self {
        Self::start_with(holder, &[])
    }

    /// As [`start`](Self::start), with more arguments.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn start_with(holder: &Party, more: &[&str]) -> Self {
        Self::start_at(holder, "127.0.0.1:0", more, &[])
    }

    /// As [`start_with`](Self::start_with), at this address, and with these environment variables.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn start_at(holder: &Party, address: &str, more: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child: Child = std::process::Command::new(Program::Holder.path())
            .args(["serve", "--listen", address, "--json", "--home"])
            .arg(&holder.home)
            .args(more)
            .env_remove("OBLINK_LOG")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (tell, objects) = channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                // The test has gone, or it will see an object less than it waits for.
                let _ = tell.send(object(&line.unwrap()));
            }
        });
        let said = Arc::new(Mutex::new(String::new()));
        let saying = Arc::clone(&said);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let mut text = saying.lock().unwrap();
                text.push_str(&line.unwrap());
                text.push('\n');
            }
        });
        let mut serving = Self { child: Killed(child), objects, stderr: said, address: String::new(), metrics: None };
        let first = serving.next();
        serving.address = first["listen"].as_str().unwrap_or_else(|| panic!("{first}\n{}", serving.stderr())).to_owned();
        serving.metrics = first["metrics"].as_str().map(str::to_owned);
        serving
    }

    /// The process's number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// `IP:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Where its metrics are.
    ///
    /// # Panics
    /// Where it was not asked for them.
    #[must_use]
    pub fn metrics(&self) -> &str {
        self.metrics.as_deref().expect("serve --metrics")
    }

    /// The next object it prints.
    ///
    /// # Panics
    /// Where none comes in time.
    #[must_use]
    pub fn next(&self) -> Value {
        self.objects.recv_timeout(LIMIT).unwrap_or_else(|error| panic!("serve said nothing ({error}): {}", self.stderr()))
    }

    /// Objects that nobody has read yet.
    #[must_use]
    pub fn unread(&self) -> Vec<Value> {
        self.objects.try_iter().collect()
    }

    /// The next object, if one has come already.
    #[must_use]
    pub fn waiting(&self) -> Option<Value> {
        self.objects.try_recv().ok()
    }

    /// What it has said to people so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.stderr.lock().unwrap().clone()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.child.signal(signal);
    }

    /// Ends it with SIGTERM: exit 0, as the contract says. Gives the objects that nobody has read.
    ///
    /// # Panics
    /// Where it ends otherwise.
    #[must_use]
    pub fn stop(self) -> Vec<Value> {
        self.stop_by(Signal::SIGTERM)
    }

    /// Likewise with another signal.
    ///
    /// # Panics
    /// Likewise.
    #[must_use]
    pub fn stop_by(mut self, signal: Signal) -> Vec<Value> {
        self.signal(signal);
        let status = self.child.wait("serve");
        assert_eq!(status.code(), Some(0), "{status}: {}", self.stderr());
        // The pipe is at its end: the sender goes once all is read.
        std::iter::from_fn(|| self.objects.recv_timeout(LIMIT).ok()).collect()
    }
}
