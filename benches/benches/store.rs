//! Sealing, verifying and joining a set of a million tags, and one charge of the ledger.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use oblink_session::ledger::{ChargeEntry, Ledger, SessionEntry};
use oblink_session::tag::{Tag, TagPrefix};
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochEntry, EpochLimits, SqliteLedger};
use oblink_store::sealed::{BuilderOptions, MEMORY_BYTES_MIN, SUITE, SealedSet, SetBuilder, SetParameters, VerifiedSet};

const TAGS: u64 = 1_000_000;

/// Values spread evenly enough for coding and sorting: a Weyl sequence, multiplied.
fn prefixes(count: u64) -> Vec<TagPrefix> {
    let step = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835_u128;
    (1..=u128::from(count)).map(|i| TagPrefix(i.wrapping_mul(step).rotate_right(61).wrapping_mul(step))).collect()
}

fn parameters() -> SetParameters {
    SetParameters {
        suite: SUITE,
        tokens_per_pair: 1,
        as_of: 0,
        session_tokens_max: 1 << 24,
        epoch_id: [1; 16],
        ruleset_digest: [2; 32],
        public_key: [3; 32],
    }
}

fn seal(dir: &Path, prefixes: &[TagPrefix], memory_bytes: u64) -> SealedSet {
    let mut builder = SetBuilder::new(Arc::new(RealDisk), &dir.join("work"), BuilderOptions { memory_bytes }).unwrap();
    builder.push(prefixes).unwrap();
    builder.finish(&parameters(), &dir.join("set.oblset")).unwrap()
}

fn sets(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let prefixes = prefixes(TAGS);
    let set = seal(dir.path(), &prefixes, 1 << 30);
    let verified = VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap();
    let tau = set.offer().descriptor.tau;
    let asked: Vec<(Tag, u64)> = prefixes.iter().map(|prefix| tau.truncate(*prefix)).zip(0..).collect();

    let mut group = c.benchmark_group("set of 1M tags");
    group.throughput(Throughput::Elements(TAGS)).sample_size(10);
    group.bench_function("seal in memory", |b| b.iter(|| seal(dir.path(), black_box(&prefixes), 1 << 30)));
    group.bench_function("seal in 16 MiB", |b| b.iter(|| seal(dir.path(), black_box(&prefixes), MEMORY_BYTES_MIN)));
    group.bench_function("verify", |b| b.iter(|| VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap()));
    group.bench_function("join with 1M", |b| {
        b.iter_batched_ref(|| asked.clone(), |asked| verified.join(asked).unwrap(), BatchSize::LargeInput);
    });
    group.finish();
}

fn charge(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let offer = seal(dir.path(), &prefixes(10), 0).offer().clone();
    let mut ledger = SqliteLedger::open(&dir.path().join("ledger.sqlite")).unwrap();
    let set_id = offer.set_id;
    let limits = EpochLimits::default();
    let epoch = EpochEntry { verifier: None, offer, records: 10, rejected: 0, input_digest: None, policy: None, limits, clock_unix_ms: 0 };
    ledger.begin_epoch(&epoch).unwrap();
    let session = SessionEntry {
        session_id: [1; 16],
        request_id: [1; 16],
        request_digest: [1; 32],
        request: vec![0; 200],
        epoch_id: [1; 16],
        set_id,
        verifier: [1; 32],
        verifier_certificate: [1; 136],
        offered: Vec::new(),
        verifier_nonce: [1; 32],
        holder_nonce: [1; 32],
        pairs: 1 << 40,
        tokens: 1 << 40,
        batches: 1 << 40,
        epoch_evaluations_max: 1 << 40,
        authority: None,
        clock_unix_ms: 0,
    };
    ledger.open_session(&session).unwrap();
    let mut index = 0;
    c.bench_function("charge", |b| {
        b.iter(|| {
            let entry = ChargeEntry {
                session_id: [1; 16],
                index,
                blinded_digest: [1; 32],
                tokens: 1,
                statement: [1; 64],
                clock_unix_ms: 0,
                answered: Vec::new(),
            };
            index += 1;
            ledger.charge(&entry).unwrap()
        });
    });
}

criterion_group!(benches, sets, charge);
criterion_main!(benches);
