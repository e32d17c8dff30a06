//! Reading and tokenising: generated records, as the program reads them, under `us-exact-1`.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oblink_benches::sample;
use oblink_linkage::{Row, Side, TokenArena};
use oblink_node::people::write_sample;
use oblink_node::rows::{CsvOptions, RowReader, Source};

const ROWS: u64 = 10_000;

fn rows(c: &mut Criterion) {
    let ruleset = sample::ruleset().unwrap();
    let chunks = sample::records(ROWS).unwrap();
    let rows: Vec<Row<'_>> = chunks.iter().flat_map(|chunk| chunk.iter()).collect::<Vec<_>>().iter().map(sample::row_of).collect();
    let mut tokens = TokenArena::new();
    let dir = tempfile::tempdir().unwrap();
    let sample = write_sample(dir.path(), 1, ROWS, 1).unwrap();

    let mut group = c.benchmark_group("rows");
    group.throughput(Throughput::Elements(rows.len() as u64)).sample_size(20);
    group.bench_function("tokenize", |b| {
        b.iter(|| {
            tokens.clear();
            for row in black_box(&rows) {
                ruleset.tokenize(Side::Verifier, row, &mut tokens).unwrap();
            }
        });
    });
    group.bench_function("read CSV", |b| {
        b.iter(|| {
            let mut reader = RowReader::open(&Source::File(sample.records.clone()), &CsvOptions::default()).unwrap();
            while let Some(chunk) = reader.next_chunk().unwrap() {
                black_box(chunk.len());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, rows);
criterion_main!(benches);
