//! The fuzz bodies on a stable compiler: over the committed corpus, and over seeded changes of it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oblink_tests::fuzz::{Body, TARGETS};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Changed inputs a target, and the time after which a slow machine lets the rest be: what is left out is no failure, a panic is.
const CHANGED: usize = 400;
const TIME: Duration = Duration::from_millis(1_500);

fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// A few changes of one input, or a join of two.
fn changed(rng: &mut StdRng, inputs: &[(PathBuf, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = inputs[rng.random_range(0..inputs.len())].1.clone();
    if rng.random_ratio(1, 8) {
        let other = &inputs[rng.random_range(0..inputs.len())].1;
        bytes.truncate(rng.random_range(0..=bytes.len()));
        bytes.extend_from_slice(&other[rng.random_range(0..=other.len())..]);
    }
    for _ in 0..rng.random_range(1..5) {
        let at = rng.random_range(0..=bytes.len());
        match rng.random_range(0..4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < bytes.len() => bytes[at] = rng.random(),
            2 => bytes.insert(at, rng.random()),
            _ => {
                let end = bytes.len().min(at + rng.random_range(0..4));
                bytes.drain(at..end);
            }
        }
    }
    bytes
}

fn run(target: &str, body: Body, name: &str, bytes: &[u8]) {
    if std::panic::catch_unwind(|| body(bytes)).is_err() {
        panic!("{target} fails on {name}: {}", hex::encode(bytes));
    }
}

#[test]
fn every_body_holds_over_the_corpus_and_changes_of_it() {
    for (target, body) in TARGETS {
        let inputs = corpus(target);
        assert!(!inputs.is_empty(), "{target} has a corpus");
        for (path, bytes) in &inputs {
            run(target, body, &path.display().to_string(), bytes);
        }
        let (mut rng, begun) = (StdRng::seed_from_u64(5), Instant::now());
        for number in 0..CHANGED {
            if begun.elapsed() > TIME {
                break;
            }
            run(target, body, &format!("change {number}"), &changed(&mut rng, &inputs));
        }
    }
}
