//! `oblink-demo`: both real peers as two processes over QUIC on loopback, on generated people.
//!
//! The peers are this very program again, in the hidden roles `holder` and `verifier`: what runs is what `oblink-holder` and
//! `oblink-verifier` run. What is expected comes from a plaintext join of the two files, outside the protocol.

mod outcome;
mod peers;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::json;

use crate::cli::DemoCli;
use crate::failure::{Failure, io_cause};
use crate::people::{expected_matches, write_noisy, write_sample};
use crate::report::Reporter;
use crate::ruleset::choose;
pub use outcome::Outcome;
use peers::{Peers, number};

/// Runs the demo, or with `--write-sample` only writes the two files.
///
/// # Errors
/// What the peers fail with; exit 1 where the result is not the plaintext join.
pub fn run(cli: &DemoCli, reporter: &Reporter) -> Result<(), Failure> {
    if let Some(directory) = &cli.write_sample {
        let sample = write_people(cli, directory)?;
        reporter.json(&json!({ "pairs": sample.pairs, "records": sample.records }));
        reporter.answer(&format!("wrote {} and {}", sample.pairs.display(), sample.records.display()));
        return Ok(());
    }
    let outcome = measure(cli, reporter)?;
    reporter.json(&outcome.to_json());
    reporter.answer(&outcome.in_words());
    outcome.check()
}

/// Generates the people, runs both peers on them and compares with the plaintext join; `--keep` says where, `--write-sample` and the
/// roles are not looked at. Prints nothing but notes.
///
/// The peers are the running program itself: called from another one than `oblink-demo`, that one must hand its arguments to
/// [`demo_main`](crate::cli::demo_main) when the first of them is `holder` or `verifier`.
///
/// # Errors
/// What the peers fail with. That the result is the plaintext join is for [`Outcome::check`] to say.
pub fn measure(cli: &DemoCli, reporter: &Reporter) -> Result<Outcome, Failure> {
    let work = WorkDir::new(cli.keep.as_deref())?;
    in_directory(cli, &work.path, reporter)
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
                let salt = u64::from_be_bytes(*crate::random::system_bytes::<8>()?);
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

/// Where the people of a demo are.
struct People {
    pairs: PathBuf,
    records: PathBuf,
}

fn write_people(cli: &DemoCli, directory: &Path) -> Result<People, Failure> {
    if cli.noisy {
        let sample = write_noisy(directory, cli.pairs, cli.records, cli.seed)?;
        return Ok(People { pairs: sample.pairs, records: sample.records });
    }
    let sample = write_sample(directory, cli.pairs, cli.records, cli.seed)?;
    Ok(People { pairs: sample.pairs, records: sample.records })
}

fn in_directory(cli: &DemoCli, work: &Path, reporter: &Reporter) -> Result<Outcome, Failure> {
    let ruleset = choose(&cli.ruleset)?.ruleset;
    reporter.note(&format!("generating {} records and {} pairs", cli.records, cli.pairs));
    let began = Instant::now();
    let sample = write_people(cli, work)?;
    let generate_s = began.elapsed().as_secs_f64();
    let peers = Peers::new(work, &cli.output, &cli.ruleset)?;
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
    let began = Instant::now();
    let expected = expected_matches(&sample.pairs, &sample.records, ruleset)?;
    let (false_matches, missed_matches) = compare(&results, &expected.rows)?;
    let records = number(&sealed, "records")?;
    let outcome = Outcome {
        ruleset: ruleset.name().to_owned(),
        class: ruleset.class(),
        tokens_per_pair: ruleset.tokens_per_pair(),
        tokens_per_record: number(&sealed, "tags")? / (records - number(&sealed, "rejected")?).max(1.0),
        pairs: number(&checked, "rows")? as u64,
        records: records as u64,
        submitted: number(&checked, "submitted")? as u64,
        expected_matches: expected.matches,
        matches: number(&checked, "match")? as u64,
        false_matches,
        missed_matches,
        generate_s,
        seal_s,
        session_s,
        join_s: began.elapsed().as_secs_f64(),
        seal_cpu_s: number(&sealed, "cpu_s")?,
        verifier_cpu_s: number(&checked, "cpu_s")?,
        holder_cpu_s: number(&served, "cpu_s")?,
        bytes_up: number(&checked, "bytes_up")? as u64,
        bytes_down: number(&checked, "bytes_down")? as u64,
        set_bytes: number(&sealed, "set_bytes")? as u64,
        seal_peak_rss_mb: number(&sealed, "peak_rss_mb")?,
        serve_peak_rss_mb: number(&served, "peak_rss_mb")?,
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
