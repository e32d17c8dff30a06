//! Every primitive of `oblink-oprf` beside plain curve25519-dalek, each on one core, for [`N`] items a call.
//!
//! `seal/oprf` must stay within 1.15 times `seal/dalek_batched` in the same run; machines differ and are noisy, the ratio is not.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use oblink_oprf::{Blind, KeyPair, blind_slice, finalize_slice, hazmat, verify, verify_slice};
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

fn scalar(bytes: &[u8]) -> Scalar {
    Scalar::from_canonical_bytes(bytes.try_into().unwrap()).unwrap()
}

/// `expand_message_xmd` of RFC 9380 as it is written down, for 64 bytes.
fn expand(message: &[u8], dst: &[u8]) -> [u8; 64] {
    let b_0 = Sha512::new()
        .chain_update([0; 128])
        .chain_update(message)
        .chain_update([0, 64, 0])
        .chain_update(dst)
        .chain_update([dst.len() as u8])
        .finalize();
    Sha512::new().chain_update(b_0).chain_update([1]).chain_update(dst).chain_update([dst.len() as u8]).finalize().into()
}

fn hash_to_group(input: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand(input, b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512"))
}

fn finalize_hash(input: &[u8], element: &CompressedRistretto) -> [u8; 64] {
    Sha512::new()
        .chain_update((input.len() as u16).to_be_bytes())
        .chain_update(input)
        .chain_update([0, 32])
        .chain_update(element.as_bytes())
        .chain_update(b"Finalize")
        .finalize()
        .into()
}

/// Hash, multiply, encode, hash: record by record.
fn seal_naive(k: &Scalar, inputs: &[[u8; 96]], out: &mut [[u8; 64]]) {
    for (input, out) in inputs.iter().zip(out) {
        *out = finalize_hash(input, &(hash_to_group(input) * k).compress());
    }
}

/// The same with k/2 and one inversion for the whole slice.
fn seal_batched(k: &Scalar, inputs: &[[u8; 96]], out: &mut [[u8; 64]]) {
    let half = k.div_by_2();
    let points: Vec<_> = inputs.iter().map(|input| hash_to_group(input) * half).collect();
    let elements = RistrettoPoint::double_and_compress_batch(&points);
    for ((input, element), out) in inputs.iter().zip(&elements).zip(out) {
        *out = finalize_hash(input, element);
    }
}

fn seal(c: &mut Criterion) {
    let key = KeyPair::derive(&[1; 32], b"bench").unwrap();
    let k = scalar(&*key.secret().to_bytes());
    let inputs = inputs();
    let mut out = vec![[0; 64]; N];
    let mut expected = vec![[0; 64]; N];
    key.evaluate_slice(&inputs, &mut expected).unwrap();
    let mut group = c.benchmark_group("seal");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_naive", |b| b.iter(|| seal_naive(&k, black_box(&inputs), &mut out)));
    assert_eq!(out, expected);
    group.bench_function("dalek_batched", |b| b.iter(|| seal_batched(&k, black_box(&inputs), &mut out)));
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
    let k = scalar(&*key.secret().to_bytes());
    let inputs = inputs();
    let blinds: Vec<_> = (0..N).map(|_| Blind::random(&mut rng)).collect();
    let scalars: Vec<_> = blinds.iter().map(|blind| scalar(&*hazmat::blind_to_bytes(blind))).collect();
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
    group.finish();
}

/// The composite's sum: the cost of verifiability.
fn composite(c: &mut Criterion) {
    let points: Vec<_> = inputs().iter().map(|input| hash_to_group(input)).collect();
    let weights: Vec<_> = inputs().iter().map(|input| Scalar::from_bytes_mod_order_wide(&expand(input, b"weights"))).collect();
    let mut group = c.benchmark_group("composite");
    group.throughput(Throughput::Elements(N as u64)).sample_size(20);
    group.bench_function("dalek_vartime_multiscalar", |b| {
        b.iter(|| RistrettoPoint::vartime_multiscalar_mul(black_box(&weights), &points));
    });
    group.finish();
}

criterion_group!(benches, seal, session, composite);
criterion_main!(benches);
