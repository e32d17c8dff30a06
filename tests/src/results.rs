//! What `check` leaves.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::sets::mode;

/// A row of results.csv.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRow {
    /// As the verifier's file has it.
    pub id: String,
    /// `match`, `no_match` or `not_submitted`.
    pub result: String,
    /// Why it was not submitted; else empty.
    pub reason: String,
}

/// results.meta.json.
pub type Meta = Value;

/// results.csv, results.meta.json, and the object that `check --json` printed.
#[derive(Clone, Debug)]
pub struct Results {
    /// results.csv.
    pub path: PathBuf,
    /// Its rows, in order.
    pub rows: Vec<ResultRow>,
    /// results.meta.json.
    pub meta: Meta,
    /// What `check` printed.
    pub object: Value,
}

impl Results {
    /// Reads both files, and holds them against the contract: header, numbers from 1 in order, words, reasons where they are due, 0600, counts
    /// that agree everywhere.
    ///
    /// # Panics
    /// Where anything differs.
    #[must_use]
    pub fn read(path: &Path, object: Value) -> Self {
        let mut reader = csv::Reader::from_path(path).unwrap();
        assert_eq!(reader.headers().unwrap(), vec!["row", "id", "result", "reason"]);
        let mut rows = Vec::new();
        for (record, number) in reader.records().zip(1_u64..) {
            let record = record.unwrap();
            assert_eq!(record[0], number.to_string());
            let row = ResultRow { id: record[1].to_owned(), result: record[2].to_owned(), reason: record[3].to_owned() };
            assert!(["match", "no_match", "not_submitted"].contains(&row.result.as_str()), "{row:?}");
            assert_eq!(row.result == "not_submitted", !row.reason.is_empty(), "{row:?}");
            rows.push(row);
        }
        let beside = path.with_extension("meta.json");
        let meta: Meta = serde_json::from_slice(&std::fs::read(&beside).unwrap()).unwrap();
        for file in [path, &beside] {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
        let results = Self { path: path.to_owned(), rows, meta, object };
        results.check_counts();
        results
    }

    fn check_counts(&self) {
        let counts = &self.meta["counts"];
        let of = |word: &str| self.rows.iter().filter(|row| row.result == word).count() as u64;
        let left_out = of("not_submitted");
        for (name, due) in [
            ("rows", self.rows.len() as u64),
            ("submitted", self.rows.len() as u64 - left_out),
            ("match", of("match")),
            ("no_match", of("no_match")),
        ] {
            assert_eq!(counts[name], due, "{name}");
            assert_eq!(self.object[name], due, "{name}");
        }
        assert_eq!(counts["not_submitted"], self.object["not_submitted"]);
        let by_reason = counts["not_submitted"].as_object().unwrap();
        assert_eq!(by_reason.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), left_out);
        for (reason, count) in by_reason {
            assert_eq!(*count, self.rows.iter().filter(|row| row.reason == *reason).count() as u64, "{reason}");
        }
        for key in ["session", "set_id", "as_of", "ruleset", "class", "tokens_per_pair", "authority", "receipt_digest"] {
            assert_eq!(self.meta[key], self.object[key], "{key}");
        }
    }

    /// Whether each row matched.
    #[must_use]
    pub fn matched(&self) -> Vec<bool> {
        self.rows.iter().map(|row| row.result == "match").collect()
    }

    /// `match` → `+`, `no_match` → `-`, `not_submitted` → its reason; with blanks between.
    #[must_use]
    pub fn in_short(&self) -> String {
        let words = self.rows.iter().map(|row| match row.result.as_str() {
            "match" => "+",
            "no_match" => "-",
            _ => &row.reason,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    /// The session, 32 hex digits.
    ///
    /// # Panics
    /// Where nobody was asked.
    #[must_use]
    pub fn session(&self) -> &str {
        self.meta["session"].as_str().unwrap()
    }
}
