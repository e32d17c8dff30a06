//! Every primitive of `oblink-oprf` beside plain curve25519-dalek, each on one core, for [`N`] items a call.
//!
//! `seal/oprf` must stay within 1.15 times `seal/dalek_batched` in the same run; machines differ and are noisy, the ratio is not.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use oblink_benches::dalek::{self, finalize_hash, hash_to_group};
use oblink_oprf::{Blind, KeyPair, additive, blind_slice, finalize_slice, hazmat, verify, verify_batch, verify_slice};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha512};

/// Items a call: a slice of a batch.
const N: usize = 1024;

/// Inputs as long as a token of a name and an address.
fn inputs() -> Vec<[u8; 96]> {
    (0..N)
        .map(|i| {
            let mut input = [b'x'; 96];
            input[..8].copy_from_slice(&(i as u64).to_be_bytes());
            input
        })
        .collect()
}

fn scalar(bytes: &[u8; 32]) -> Scalar {
    dalek::scalar(bytes).unwrap()
}

/// Hash, multiply, encode, hash: record by record.
fn seal_naive(k: &Scalar, inputs: &[[u8; 96]], out: &mut [[u8; 64]]) {
    for (input, out) in inputs.iter().zip(out) {
        *out = finalize_hash(input, &(hash_to_group(input) * k).compress());
    }
}

fn seal(c: &mut Criterion) {
    let key = KeyPair::derive(&[1; 32], b"bench").unwrap();
    let k = scalar(&key.secret().to_bytes());
    let inputs = inputs();
    let mut out = vec![[0; 64]; N];
    let mut expected = vec![[0; 64]; N];
    key.evaluate_slice(&inputs, &mut expected).unwrap();
    let mut group = c.benchmark_group("seal");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_naive", |b| b.iter(|| seal_naive(&k, black_box(&inputs), &mut out)));
    assert_eq!(out, expected);
    group.bench_function("dalek_batched", |b| b.iter(|| dalek::seal(&k, black_box(&inputs), &mut out)));
    assert_eq!(out, expected);
    group.bench_function("oprf", |b| {
        b.iter(|| key.evaluate_slice(black_box(&inputs), &mut out).unwrap());
    });
    group.finish();
}

/// What a session does for each pair, in order.
fn session(c: &mut Criterion) {
    let mut rng = StdRng::seed_from_u64(1);
    let key = KeyPair::derive(&[1; 32], b"bench").unwrap();
    let public = key.public();
    let k = scalar(&key.secret().to_bytes());
    let inputs = inputs();
    let blinds: Vec<_> = (0..N).map(|_| Blind::random(&mut rng)).collect();
    let scalars: Vec<_> = blinds.iter().map(|blind| scalar(&hazmat::blind_to_bytes(blind))).collect();
    let (mut blinded, mut evaluated) = (vec![[0; 32]; N], vec![[0; 32]; N]);
    blind_slice(&inputs, &blinds, &mut blinded).unwrap();
    let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
    let proof = key.prove(composite, &blinded, &evaluated, &mut rng).unwrap();
    let mut elements = vec![[0; 32]; N];
    let mut outputs = vec![[0; 64]; N];

    let mut group = c.benchmark_group("blind");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_naive", |b| {
        b.iter(|| {
            for ((input, scalar), out) in black_box(&inputs).iter().zip(&scalars).zip(&mut elements) {
                *out = (hash_to_group(input) * scalar).compress().to_bytes();
            }
        });
    });
    assert_eq!(elements, blinded);
    group.bench_function("oprf", |b| {
        b.iter(|| blind_slice(black_box(&inputs), &blinds, &mut elements).unwrap());
    });
    group.bench_function("oprf_additive", |b| {
        b.iter(|| additive::blind_slice(black_box(&inputs), &blinds, &mut elements).unwrap());
    });
    group.finish();

    let mut group = c.benchmark_group("blind_evaluate");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_naive_without_proof", |b| {
        b.iter(|| {
            for (blinded, out) in black_box(&blinded).iter().zip(&mut elements) {
                let point = CompressedRistretto(*blinded).decompress().unwrap();
                *out = (point * k).compress().to_bytes();
            }
        });
    });
    assert_eq!(elements, evaluated);
    group.bench_function("oprf_slice", |b| {
        b.iter(|| key.blind_evaluate_slice(0, black_box(&blinded), &mut elements).unwrap());
    });
    group.bench_function("oprf_slice_and_prove", |b| {
        b.iter(|| {
            let composite = key.blind_evaluate_slice(0, black_box(&blinded), &mut elements).unwrap();
            key.prove(composite, &blinded, &elements, &mut rng).unwrap()
        });
    });
    group.finish();

    let mut group = c.benchmark_group("finalize");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_naive_without_proof", |b| {
        b.iter(|| {
            for (((input, scalar), evaluated), out) in inputs.iter().zip(&scalars).zip(black_box(&evaluated)).zip(&mut outputs) {
                let point = CompressedRistretto(*evaluated).decompress().unwrap();
                *out = finalize_hash(input, &(point * scalar.invert()).compress());
            }
        });
    });
    group.bench_function("oprf_verify", |b| {
        b.iter(|| {
            let (composite, _) = verify_slice(&public, 0, black_box(&blinded), &evaluated).unwrap();
            verify(&public, composite, &proof).unwrap()
        });
    });
    group.bench_function("oprf_verify_and_finalize", |b| {
        b.iter(|| {
            let (composite, decoded) = verify_slice(&public, 0, black_box(&blinded), &evaluated).unwrap();
            let verified = verify(&public, composite, &proof).unwrap();
            finalize_slice(&verified, &inputs, &blinds, &decoded, &mut outputs).unwrap();
        });
    });

    additive::blind_slice(&inputs, &blinds, &mut elements).unwrap();
    let composite = key.blind_evaluate_slice(0, &elements, &mut evaluated).unwrap();
    let both = key.prove_batch(composite, &elements, &evaluated, &mut rng).unwrap();
    let prepared = additive::PreparedPublicKey::new(&public);
    group.bench_function("oprf_additive_verify_both_and_finalize", |b| {
        b.iter(|| {
            let (composite, decoded) = verify_slice(&public, 0, black_box(&elements), &evaluated).unwrap();
            let bound = verify_batch(&public, composite, &[&decoded], &elements, &evaluated, &both).unwrap();
            additive::finalize_slice(&bound, &prepared, &inputs, &blinds, &decoded, &mut outputs).unwrap();
        });
    });
    group.finish();
}

/// The composite's sum: the cost of verifiability.
fn composite(c: &mut Criterion) {
    let points: Vec<_> = inputs().iter().map(|input| hash_to_group(input)).collect();
    let weights: Vec<_> = inputs().iter().map(|input| Scalar::from_bytes_mod_order_wide(&Sha512::digest(input).into())).collect();
    let mut group = c.benchmark_group("composite");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_vartime_multiscalar", |b| {
        b.iter(|| RistrettoPoint::vartime_multiscalar_mul(black_box(&weights), &points));
    });
    group.finish();
}

criterion_group!(benches, seal, session, composite);
criterion_main!(benches);
