//! What operators see: answers and JSON on stdout, everything else for people on stderr. Neither holds a value out of a row.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::{Failure, io_cause, render};

/// Where output goes, and how much of it. Clones speak with one voice.
#[derive(Clone, Debug)]
pub struct Reporter {
    json: bool,
    quiet: bool,
    bars: MultiProgress,
    /// The first thing that stdout would not take.
    lost: Arc<Mutex<Option<Failure>>>,
}

impl Reporter {
    /// JSON on stdout only under `json`; `progress` draws bars where stderr is a terminal; `quiet` leaves out notes and bars.
    #[must_use]
    pub fn new(json: bool, progress: bool, quiet: bool) -> Self {
        let draw = progress && !quiet && io::stderr().is_terminal();
        let target = if draw { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { json, quiet, bars: MultiProgress::with_draw_target(target), lost: Arc::default() }
    }

    /// Logs to stderr: warnings, or more by `verbose`, or what the filter in `OBLINK_LOG` says.
    pub fn install_log(&self, verbose: u8) {
        // What the transport's libraries warn of, anybody can bring about with a packet.
        let level = match (self.quiet, verbose) {
            (true, _) => "error",
            (false, 0) => "warn,quinn=error,quinn_proto=error,quinn_udp=error",
            (false, 1) => "warn,quinn=error,quinn_proto=error,quinn_udp=error,oblink_node=info,oblink_quic=info",
            (false, 2) => "warn,quinn=error,quinn_proto=error,quinn_udp=error,oblink_node=debug,oblink_quic=debug",
            (false, _) => "info,oblink_node=trace,oblink_quic=trace",
        };
        let filter =
            std::env::var("OBLINK_LOG").ok().and_then(|filter| EnvFilter::try_new(filter).ok()).unwrap_or_else(|| EnvFilter::new(level));
        // In tests a log may be there already; then it stays.
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(LogWriter(self.bars.clone())).try_init();
    }

    /// Whether stdout is for programs.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Under `--json`, one object on one line of stdout, flushed; otherwise nothing.
    pub fn json(&self, object: &Value) {
        if self.json {
            self.raw(format!("{object}\n").as_bytes());
        }
    }

    /// The command's result in words: on stdout, or under `--json` on stderr.
    pub fn answer(&self, text: &str) {
        if self.json { self.note(text) } else { self.raw(format!("{text}\n").as_bytes()) }
    }

    /// Something on the way, for people: on stderr, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            self.line(text);
        }
    }

    /// Something that people should not miss: `warning: …` on stderr.
    pub fn warn(&self, text: &str) {
        self.line(&format!("warning: {text}"));
    }

    /// What can be done about the warning before.
    pub fn help(&self, text: &str) {
        self.line(&format!("   help: {text}"));
    }

    /// A failure: the command's last words on stderr, and an object under `--json`.
    pub fn fail(&self, failure: &Failure) {
        self.json(&failure.to_json());
        self.line(render(failure).trim_end());
    }

    /// Bytes to stdout as they are. A reader that has gone away is none that could miss them; any other failure is kept for [`Self::finish`].
    pub fn raw(&self, bytes: &[u8]) {
        let written = self.bars.suspend(|| {
            let mut stdout = io::stdout().lock();
            stdout.write_all(bytes).and_then(|()| stdout.flush())
        });
        if let Err(error) = written
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let failure = Failure::input("stdout", format!("cannot write to standard output: {}", io_cause(&error)));
            self.lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
    }

    /// At the end of a command: whether stdout took everything.
    ///
    /// # Errors
    /// Exit 3: it did not.
    pub fn finish(&self) -> Result<(), Failure> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
    }

    fn line(&self, text: &str) {
        // Stderr that is closed is no reason to stop.
        self.bars.suspend(|| {
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    /// A bar over the bytes of an input; without a total where its length is not known.
    #[must_use]
    pub fn bytes_bar(&self, verb: &'static str, total: Option<u64>, read: Arc<AtomicU64>) -> Bar {
        Bar { bar: self.bar(verb, total, BYTES, BYTES_UNKNOWN), source: Some(read) }
    }

    /// A bar over a count of tokens.
    #[must_use]
    pub fn count_bar(&self, verb: &'static str, total: u64) -> Bar {
        Bar { bar: self.bar(verb, Some(total), COUNT, COUNT), source: None }
    }

    fn bar(&self, verb: &'static str, total: Option<u64>, known: &str, unknown: &str) -> ProgressBar {
        let bar = self.bars.add(total.map_or_else(ProgressBar::no_length, ProgressBar::new));
        // The templates are ours, and a test reads them all.
        if let Ok(style) = ProgressStyle::with_template(if total.is_some() { known } else { unknown }) {
            bar.set_style(style);
        }
        bar.set_message(verb);
        if !self.bars.is_hidden() {
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        bar
    }
}

const BYTES: &str = "{msg:<9} {wide_bar} {bytes} of {total_bytes}, {bytes_per_sec}, {eta} left";
const BYTES_UNKNOWN: &str = "{msg:<9} {spinner} {bytes}, {bytes_per_sec}";
const COUNT: &str = "{msg:<9} {wide_bar} {human_pos} of {human_len}, {per_sec}, {eta} left";

/// A progress bar; a hidden one costs nothing.
#[derive(Clone, Debug)]
pub struct Bar {
    bar: ProgressBar,
    source: Option<Arc<AtomicU64>>,
}

impl Bar {
    /// Takes the position from the bytes read so far.
    pub fn update(&self) {
        if let Some(source) = &self.source {
            self.bar.set_position(source.load(Ordering::Relaxed));
        }
    }

    /// So many more are done.
    pub fn add(&self, count: u64) {
        self.bar.inc(count);
    }

    /// So many were done before this began, and do not count for its speed.
    pub fn begin_at(&self, count: u64) {
        self.bar.set_position(count);
        self.bar.reset_eta();
    }

    /// It is over.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Writes log lines between the bars.
struct LogWriter(MultiProgress);

impl Write for &LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_good() {
        for template in [BYTES, BYTES_UNKNOWN, COUNT] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
