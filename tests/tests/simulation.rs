//! The protocol under faults, a thousand seeds of it, and that the simulation finds what is broken on purpose.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use oblink_tests::sim::{Break, Counts, Report, run};

/// Runs seeds on all cores: what they counted, and the reports of those with a violation.
fn run_all(first: u64, seeds: u64, broken: Option<Break>, enough: usize) -> (Counts, Vec<Report>) {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let (next, done) = (AtomicU64::new(first), Mutex::new((Counts::default(), Vec::new())));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || done.lock().unwrap().1.len() >= enough {
                        return;
                    }
                    let report = run(seed, broken, false);
                    let mut done = done.lock().unwrap();
                    done.0.merge(&report.counts);
                    if !report.violations.is_empty() {
                        done.1.push(report);
                    }
                }
            });
        }
    });
    done.into_inner().unwrap()
}

#[test]
fn whatever_goes_wrong_results_are_exact_or_absent_and_charges_exact() {
    let (counts, failed) = run_all(1, 1_000, None, 10);
    let shown: Vec<String> = failed
        .iter()
        .map(|report| {
            let again = format!("cargo run --release -p oblink-tests --bin simulate -- --seeds 1 --first-seed {} --trace", report.seed);
            format!("seed {}: {}\n  again: {again}", report.seed, report.violations.join("; "))
        })
        .collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    // Faults that nobody injected would show nothing.
    for kind in [
        "disk: no space left",
        "disk: process died within an operation",
        "disk: unsynced change lost with the power",
        "disk: write torn by the loss of power",
        "ledger: power lost within a transaction",
        "ledger: process died after a transaction, before it knew",
        "network: line cut",
        "network: frame cut in its middle",
        "network: frame brought twice",
        "process: holder killed between steps",
        "process: verifier killed between steps",
        "checkpoint: batches found again",
        "checkpoint: damaged tails cut",
        "checkpoint: results written from a kept receipt",
        "holder: a line took the place of another",
        "outcome: results exact",
    ] {
        assert!(counts.0.contains_key(kind), "{kind} never happened: {counts:?}");
    }
}

/// A run is its seed's alone: what fails once fails again.
#[test]
fn the_same_seed_is_the_same_run() {
    for seed in [3, 17, 228] {
        let (one, other) = (run(seed, None, true), run(seed, None, true));
        assert_eq!(one.trace, other.trace, "seed {seed}");
        assert_eq!((one.counts, one.events, one.virtual_ms), (other.counts, other.events, other.virtual_ms), "seed {seed}");
    }
}

#[test]
fn every_way_to_break_a_party_is_found() {
    for (name, way) in Break::ALL {
        let (_, failed) = run_all(1, 400, Some(way), 1);
        assert!(!failed.is_empty(), "{name} was not found in 400 seeds");
    }
}
