//! What a session does to a pair beside the arithmetic on points: derive its blind, put it into a frame and take it out, digest it.
#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use oblink_benches::sample;
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::limits::BATCH_TOKENS_DEFAULT;
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::Tau;
use oblink_session::transcript::{Authority, BatchDigests, Batches, SessionFacts};
use oblink_session::wire::raw::blinded_digest;
use oblink_session::wire::{Batch, Frame};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use zeroize::Zeroizing;

fn blinds(c: &mut Criterion) {
    let blinder = Blinder::new(&BlindSeed::from_bytes(Zeroizing::new([1; 32])), [2; 16]);
    let tokens = sample::tokens(1_024).unwrap();
    let mut group = c.benchmark_group("blind derivation");
    group.throughput(Throughput::Elements(tokens.len() as u64));
    group.bench_function("HKDF-SHA512", |b| {
        b.iter(|| {
            for (index, token) in (0..).zip(&tokens) {
                black_box(blinder.blind(index, token));
            }
        });
    });
    group.finish();
}

fn frames(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let blinded: Vec<[u8; 32]> = (0..BATCH_TOKENS_DEFAULT).map(|_| rng.random()).collect();
    let count = blinded.len() as u64;
    let batch = Batch { index: 7, blinded, statement: [9; 64], path: Vec::new() };
    let bytes = batch.to_frame().to_bytes();
    let mut group = c.benchmark_group("batch frame");
    group.throughput(Throughput::Elements(count));
    group.bench_function("encode", |b| b.iter(|| black_box(&batch).to_frame().to_bytes()));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let (frame, _) = Frame::parse(black_box(&bytes)).unwrap().unwrap();
            Batch::from_frame(&frame).unwrap()
        });
    });
    group.bench_function("digest", |b| b.iter(|| blinded_digest(7, black_box(&batch.blinded))));
    group.finish();
}

fn transcript(c: &mut Criterion) {
    let descriptor = SetDescriptor {
        suite: 1,
        tau: Tau::for_counts(7_000_000, 1 << 24).unwrap(),
        tokens_per_pair: 1,
        as_of: 0,
        declared_tags: 7_000_000,
        tags: 7_000_000,
        session_tokens_max: 1 << 24,
        epoch_id: [1; 16],
        ruleset_digest: [2; 32],
        public_key: [3; 32],
    };
    let facts = SessionFacts {
        version: 1,
        suite: 1,
        versions_offered: vec![1],
        suites_offered: vec![1],
        verifier_nonce: [4; 32],
        holder_nonce: [5; 32],
        verifier: [6; 32],
        holder: [7; 32],
        request_digest: [8; 32],
        offer: SetOffer { set_id: [9; 32], set_bytes: 57_000_000, descriptor },
        authority: Authority::Unsigned,
    };
    // A session of 7 million pairs.
    let batches: Batches = (0..855).map(|index| (index, BatchDigests { blinded: [1; 32], evaluated: Some([2; 32]) })).collect();
    c.bench_function("transcript of 7M pairs", |b| b.iter(|| facts.transcript(black_box(&batches), 855).unwrap()));
}

criterion_group!(benches, blinds, frames, transcript);
criterion_main!(benches);
