//! What these tests share: people, seeds, what a failure must look like, and the table.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{RequestDir, day, people};
use oblink_tests::{Agencies, Ended, PlainRow, Results, Serving, eventually, joined, read_split};
use rand::SeedableRng;
use rand::rngs::StdRng;

/// A generator, from a seed that is printed; `OBLINK_FAULTS_SEED` gives the same again.
pub(crate) fn seeded(test: &str) -> StdRng {
    let seed = std::env::var("OBLINK_FAULTS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("{test}: OBLINK_FAULTS_SEED={seed}");
    StdRng::seed_from_u64(seed)
}

/// A line of the table.
pub(crate) fn outcome(fault: &str, tries: usize, outcome: &str) {
    println!("| {fault} | {tries} | {outcome} |");
}

/// A fault that cannot be made here.
pub(crate) fn skipped(fault: &str, why: &str) {
    println!("skipped: {fault}: {why}");
}

/// Both sides, with people all of whom can be asked.
pub(crate) struct House {
    pub(crate) agencies: Agencies,
    pub(crate) pairs: PathBuf,
    pub(crate) records: PathBuf,
}

impl House {
    /// Nothing is sealed yet.
    pub(crate) fn new(pairs: u64, records: u64) -> Self {
        let agencies = Agencies::new();
        let (count, records) = (pairs as usize, records as usize);
        // Half of the pairs are records.
        let pairs = agencies.file("pairs.csv", people(records.saturating_sub(count / 2), count, &day(-10)));
        let records = agencies.file("records.csv", people(0, records, ""));
        Self { agencies, pairs, records }
    }

    pub(crate) fn sealed(pairs: u64, records: u64) -> Self {
        let house = Self::new(pairs, records);
        house.agencies.seal(&house.records);
        house
    }

    /// The plaintext join.
    pub(crate) fn expected(&self) -> Vec<bool> {
        joined(&self.people(), &read_split(&self.records))
    }

    pub(crate) fn people(&self) -> Vec<PlainRow> {
        read_split(&self.pairs)
    }

    /// A request of the pairs, in batches of so many: many batches with few pairs. Nobody signs it: these tests are of pilot mode.
    pub(crate) fn request(&self, name: &str, batch_tokens: u32) -> RequestDir {
        self.agencies.request(&self.pairs, name, "").in_batches_of(batch_tokens)
    }

    /// What results.csv is where nothing goes wrong.
    pub(crate) fn undisturbed(&self, serving: &Serving) -> Vec<u8> {
        std::fs::read(&self.checks(serving, "undisturbed").path).unwrap()
    }

    /// Likewise by a check that is started with these variables.
    pub(crate) fn undisturbed_by(&self, serving: &Serving, variables: &[(&str, &str)]) -> Vec<u8> {
        let output = self.output("undisturbed");
        self.agencies.checking(serving.address(), &self.pairs, &output).envs(variables).ok();
        std::fs::read(output).unwrap()
    }

    /// The ledger has `sessions` sessions; in each every batch is charged, once, and the receipt is made. Others were opened at most: a Welcome that
    /// was lost before anything was asked.
    pub(crate) fn accounted(&self, sessions: usize) {
        let mut rows = self.agencies.ledger("session");
        rows.retain(|row| row["charged_batches"] != 0);
        assert_eq!(rows.len(), sessions, "{rows:#?}");
        for row in &rows {
            assert_eq!((&row["charged_batches"], &row["charged_tokens"]), (&row["batches"], &row["tokens"]), "{row}");
            assert!(!row["completed"].is_null(), "{row}");
        }
        let charges = self.agencies.holder.logged(EntryKind::Charge);
        let due: u64 = rows.iter().map(|row| row["batches"].as_u64().unwrap()).sum();
        let once: HashSet<String> = charges.iter().map(|entry| entry.body["blinded_digest"].to_string()).collect();
        assert_eq!((charges.len() as u64, once.len() as u64), (due, due), "each batch is charged once");
        self.agencies.ledger_holds();
    }

    /// Waits until so many batches are charged.
    pub(crate) fn charged(&self, batches: usize) {
        eventually(&format!("{batches} batches to be charged"), || (self.agencies.charges() >= batches).then_some(()));
    }

    /// Where results go.
    pub(crate) fn output(&self, name: &str) -> PathBuf {
        self.agencies.at(&format!("{name}.results.csv"))
    }

    /// `check` of the pairs to its end, which must be exit 0 with what the plaintext join gives.
    pub(crate) fn checks(&self, serving: &Serving, name: &str) -> Results {
        let output = self.output(name);
        let ended = self.agencies.checking(serving.address(), &self.pairs, &output).args("--json").ok();
        let results = Results::read(&output, ended.object());
        assert_eq!(results.matched(), self.expected());
        results
    }
}

/// A failure as an operator should see it: this exit code, one sentence with all of `words`, a hint, and nothing of a bug.
pub(crate) fn fails_with(ended: &Ended, exit: i32, words: &[&str]) {
    assert_eq!(ended.exit(), Some(exit), "{ended}");
    let errors: Vec<&str> = ended.stderr.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "one sentence: {ended}");
    for word in words {
        assert!(errors[0].contains(word), "{word} is not in: {ended}");
    }
    assert!(ended.stderr.contains("\n help: "), "no hint: {ended}");
    sane(&ended.stderr);
}

/// Nothing in it is a bug's.
pub(crate) fn sane(said: &str) {
    for word in ["panicked", "bug in oblink", "broke off\n"] {
        assert!(!said.contains(word), "{word}: {said}");
    }
}

/// The names of files in a directory and below, relative to it, sorted.
pub(crate) fn names_below(directory: &Path) -> Vec<String> {
    let files = oblink_tests::files_below(directory, "");
    files.iter().map(|file| file.strip_prefix(directory).unwrap().display().to_string()).collect()
}
