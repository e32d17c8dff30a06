//! `doctor`: checks one after the other, each with its verdict.

use std::path::Path;

use serde_json::json;

use crate::engine;
use crate::failure::Failure;
use crate::report::Reporter;
use crate::space::free_bytes;

/// Free space below which a home is in trouble: a sealed set of 7 million tags and its sort fit in this.
const FREE_BYTES_MIN: u64 = 1 << 30;

/// The verdicts so far.
#[derive(Debug)]
pub(crate) struct Diagnosis<'a> {
    reporter: &'a Reporter,
    worst: Option<Failure>,
}

impl<'a> Diagnosis<'a> {
    pub(crate) fn new(reporter: &'a Reporter) -> Self {
        Self { reporter, worst: None }
    }

    /// Shows one check; gives its value where it went well. The first failure decides the exit code.
    pub(crate) fn note<T>(&mut self, check: &str, verdict: Result<(T, String), Failure>) -> Option<T> {
        match verdict {
            Ok((value, detail)) => {
                self.reporter.json(&json!({ "check": check, "ok": true, "detail": detail }));
                self.say(&format!("ok    {check}: {detail}"));
                Some(value)
            }
            Err(failure) => {
                self.reporter.json(&json!({ "check": check, "ok": false, "detail": failure.what(), "hint": failure.hint(), "exit": failure.exit().code() }));
                self.say(&format!("FAIL  {check}: {}", failure.what()));
                if let Some(hint) = failure.hint() {
                    self.say(&format!("        {hint}"));
                }
                self.worst.get_or_insert(failure);
                None
            }
        }
    }

    /// Something to know that is no failure.
    pub(crate) fn warn(&mut self, check: &str, detail: &str) {
        self.reporter.json(&json!({ "check": check, "ok": true, "warning": detail }));
        self.say(&format!("warn  {check}: {detail}"));
    }

    fn say(&self, line: &str) {
        self.reporter.answer(line);
    }

    /// Whether anything failed.
    pub(crate) fn end(self) -> Result<(), Failure> {
        self.worst.map_or(Ok(()), Err)
    }

    /// What does the arithmetic.
    pub(crate) fn engine(&mut self) {
        self.note("engine", Ok(((), engine::description())));
        if let Some(trouble) = engine::trouble() {
            self.warn("engine", &trouble);
        }
    }

    /// Free space where the home is.
    pub(crate) fn disk(&mut self, home: &Path) {
        let verdict = free_bytes(home).and_then(|free| {
            let said = format!("{} MB free", free / 1_000_000);
            if free < FREE_BYTES_MIN {
                return Err(Failure::input("no_space", format!("only {said} where the home is"))
                    .with_hint("free some space: sets, ledger and receipts live there"));
            }
            Ok(((), said))
        });
        self.note("disk", verdict);
    }
}
