//! `people`: noisy households with movers, as two files with their truth.

use std::path::Path;

use oblink_node::failure::Failure;
use oblink_node::people::{NoisySample, write_noisy};
use oblink_node::report::Reporter;
use serde_json::json;

/// Writes the files of `pairs` and `records` rows for a seed into `directory`, and prints their paths and the pairs by kind; with `--json`
/// one object on one line.
///
/// # Errors
/// As [`write_noisy`]'s.
pub fn run(pairs: u64, records: u64, seed: u64, directory: &Path, reporter: &Reporter) -> Result<(), Failure> {
    let sample = write_noisy(directory, pairs, records, seed)?;
    let NoisySample { held, moved, absent_at_held_address, absent, .. } = sample;
    reporter.json(&json!({
        "pairs": pairs,
        "records": records,
        "seed": seed,
        "pairs_file": sample.pairs,
        "records_file": sample.records,
        "pairs_truth_file": sample.pairs_truth,
        "records_truth_file": sample.records_truth,
        "held": held,
        "moved": moved,
        "absent_at_held_address": absent_at_held_address,
        "absent": absent,
    }));
    let (paths, truths) = ([&sample.pairs, &sample.records], [&sample.pairs_truth, &sample.records_truth]);
    let [[asked, held_by], [asked_truth, held_truth]] = [paths, truths].map(|two| two.map(|path| path.display()));
    reporter.answer(&format!(
        "{asked}    {pairs} pairs, truth in {asked_truth}\n{held_by}    {records} records, truth in {held_truth}\n\
         {held:>12}  held at this address\n{moved:>12}  held at another address\n\
         {absent_at_held_address:>12}  absent, others held at this address\n{absent:>12}  absent, nobody held at this address"
    ));
    Ok(())
}
