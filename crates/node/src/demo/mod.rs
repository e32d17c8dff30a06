//! `oblink-demo`: both real peers as two processes over QUIC on loopback, on generated people.
//!
//! The peers are this very program again, in the hidden roles `holder` and `verifier`: what runs is what `oblink-holder` and
//! `oblink-verifier` run. What is expected comes from a plaintext join of the two files, outside the protocol.

mod peers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::{Value, json};

use crate::cli::DemoCli;
use crate::failure::{Failure, io_cause};
use crate::people::{expected_matches, write_sample};
use crate::report::Reporter;
use crate::tokens::ruleset_by_name;
use peers::{Peers, number};

const RULESET: &str = "us-exact-1";

/// Runs the demo, or with `--write-sample` only writes the two files.
///
/// # Errors
/// What the peers fail with; exit 1 where the result is not the plaintext join.
pub fn run(cli: &DemoCli, reporter: &Reporter) -> Result<(), Failure> {
    if let Some(directory) = &cli.write_sample {
        let sample = write_sample(directory, cli.pairs, cli.records, cli.seed)?;
        reporter.json(&json!({ "pairs": sample.pairs, "records": sample.records }));
        reporter.answer(&format!("wrote {} and {}", sample.pairs.display(), sample.records.display()));
        return Ok(());
    }
    let work = WorkDir::new(cli.keep.as_deref())?;
    let outcome = in_directory(cli, &work.path, reporter)?;
    reporter.json(&outcome.to_json());
    reporter.answer(&outcome.in_words());
    if outcome.false_matches + outcome.missed_matches > 0 {
        return Err(Failure::bug(format!(
            "{} false and {} missed matches: the result is not the plaintext join",
            outcome.false_matches, outcome.missed_matches
        )));
    }
    Ok(())
}

/// Where the demo works: a temporary directory that goes when it is done, or one that is kept.
struct WorkDir {
    path: PathBuf,
    keep: bool,
}

impl WorkDir {
    fn new(keep: Option<&Path>) -> Result<Self, Failure> {
        let path = match keep {
            Some(path) => path.to_owned(),
            None => {
                let salt = u64::from_be_bytes(*crate::holder::system_bytes::<8>()?);
                std::env::temp_dir().join(format!("oblink-demo-{salt:016x}"))
            }
        };
        fs::create_dir_all(&path)
            .map_err(|error| Failure::input("demo_directory", format!("cannot make {}: {}", path.display(), io_cause(&error))))?;
        Ok(Self { path, keep: keep.is_some() })
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        if !self.keep {
            // Generated people only; what cannot be removed harms nobody.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn in_directory(cli: &DemoCli, work: &Path, reporter: &Reporter) -> Result<Outcome, Failure> {
    reporter.note(&format!("generating {} records and {} pairs", cli.records, cli.pairs));
    let sample = write_sample(work, cli.pairs, cli.records, cli.seed)?;
    let peers = Peers::new(work, &cli.output)?;
    reporter.note("two agencies make their keys and pin each other's");
    peers.introduce()?;
    reporter.note("the holder seals its records");
    let began = Instant::now();
    let sealed = peers.seal(&sample.records)?;
    let seal_s = began.elapsed().as_secs_f64();
    reporter.note("the verifier asks, over QUIC");
    let serving = peers.serve()?;
    let began = Instant::now();
    let results = work.join("results.csv");
    let checked = peers.check(serving.address(), &sample.pairs, &results)?;
    let session_s = began.elapsed().as_secs_f64();
    let served = serving.stop()?;
    reporter.note("comparing with the plaintext join of the two files");
    let expected = expected_matches(&sample.pairs, &sample.records, ruleset_by_name(RULESET)?)?;
    let (false_matches, missed_matches) = compare(&results, &expected.rows)?;
    let outcome = Outcome {
        pairs: number(&checked, "rows")? as u64,
        records: number(&sealed, "records")? as u64,
        submitted: number(&checked, "submitted")? as u64,
        expected_matches: expected.matches,
        matches: number(&checked, "match")? as u64,
        false_matches,
        missed_matches,
        seal_s,
        session_s,
        seal_cpu_s: number(&sealed, "cpu_s")?,
        verifier_cpu_s: number(&checked, "cpu_s")?,
        holder_cpu_s: number(&served, "cpu_s")?,
        bytes_up: number(&checked, "bytes_up")? as u64,
        bytes_down: number(&checked, "bytes_down")? as u64,
        set_bytes: number(&sealed, "set_bytes")? as u64,
        holder_peak_rss_mb: number(&served, "peak_rss_mb")?.max(number(&sealed, "peak_rss_mb")?),
        verifier_peak_rss_mb: number(&checked, "peak_rss_mb")?,
    };
    Ok(outcome)
}

/// Rows that say match and should not, and rows that should and do not.
fn compare(results: &Path, expected: &[bool]) -> Result<(u64, u64), Failure> {
    let unreadable = |what: &str| Failure::bug(format!("{} {what}", results.display()));
    let mut reader = csv::Reader::from_path(results).map_err(|_| unreadable("cannot be read"))?;
    let (mut false_matches, mut missed, mut rows) = (0, 0, 0);
    for (record, expected) in reader.byte_records().zip(expected) {
        let record = record.map_err(|_| unreadable("cannot be read"))?;
        let matched = record.get(2) == Some(b"match");
        false_matches += u64::from(matched && !expected);
        missed += u64::from(!matched && *expected);
        rows += 1;
    }
    if rows != expected.len() { Err(unreadable("has not a row for every input row")) } else { Ok((false_matches, missed)) }
}

/// What the demo found.
struct Outcome {
    pairs: u64,
    records: u64,
    submitted: u64,
    expected_matches: u64,
    matches: u64,
    false_matches: u64,
    missed_matches: u64,
    seal_s: f64,
    session_s: f64,
    seal_cpu_s: f64,
    verifier_cpu_s: f64,
    holder_cpu_s: f64,
    bytes_up: u64,
    bytes_down: u64,
    set_bytes: u64,
    holder_peak_rss_mb: f64,
    verifier_peak_rss_mb: f64,
}

impl Outcome {
    fn per(total: f64, count: u64) -> f64 {
        total * 1e6 / count.max(1) as f64
    }

    /// The object of the command contract.
    fn to_json(&self) -> Value {
        json!({
            "pairs": self.pairs,
            "records": self.records,
            "submitted": self.submitted,
            "expected_matches": self.expected_matches,
            "matches": self.matches,
            "false_matches": self.false_matches,
            "missed_matches": self.missed_matches,
            "seal_s": self.seal_s,
            "session_s": self.session_s,
            "seal_cpu_us_per_record": Self::per(self.seal_cpu_s, self.records),
            "verifier_cpu_us_per_pair": Self::per(self.verifier_cpu_s, self.pairs),
            "holder_cpu_us_per_pair": Self::per(self.holder_cpu_s, self.pairs),
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "set_bytes": self.set_bytes,
            "holder_peak_rss_mb": self.holder_peak_rss_mb,
            "verifier_peak_rss_mb": self.verifier_peak_rss_mb,
        })
    }

    fn in_words(&self) -> String {
        let exact = self.false_matches + self.missed_matches == 0 && self.matches == self.expected_matches;
        let verdict = if exact {
            format!("exactly the {} that a plaintext join of the two files gives", self.expected_matches)
        } else {
            format!(
                "NOT the plaintext join: {} expected, {} false, {} missed",
                self.expected_matches, self.false_matches, self.missed_matches
            )
        };
        format!(
            "
Asked     {pairs} pairs against {records} records ({left_out} rows could not be asked; results.csv says why)
Matched   {matches}: {verdict}

What the verifier learned   one bit a pair: confirmed or not; and the number of sealed tags
What the holder learned     that {submitted} pairs were asked, by whom, and nothing of whom they name
What an onlooker learned    that two machines exchanged {mb:.1} MB

Sealing   {seal_s:.1} s, {seal_us:.0} µs of processor time a record, once an epoch; the set is {set_mb:.1} MB, {per_tag:.2} bytes a record
Session   {session_s:.1} s; verifier {verifier_us:.0} µs and holder {holder_us:.0} µs of processor time a pair; {per_pair:.1} bytes a pair both ways
Memory    holder {holder_rss:.0} MB, verifier {verifier_rss:.0} MB at most",
            pairs = self.pairs,
            records = self.records,
            left_out = self.pairs - self.submitted,
            matches = self.matches,
            submitted = self.submitted,
            mb = (self.bytes_up + self.bytes_down + self.set_bytes) as f64 / 1e6,
            seal_s = self.seal_s,
            seal_us = Self::per(self.seal_cpu_s, self.records),
            set_mb = self.set_bytes as f64 / 1e6,
            per_tag = self.set_bytes as f64 / self.records.max(1) as f64,
            session_s = self.session_s,
            verifier_us = Self::per(self.verifier_cpu_s, self.pairs),
            holder_us = Self::per(self.holder_cpu_s, self.pairs),
            per_pair = (self.bytes_up + self.bytes_down) as f64 / self.submitted.max(1) as f64,
            holder_rss = self.holder_peak_rss_mb,
            verifier_rss = self.verifier_peak_rss_mb,
        )
    }
}
