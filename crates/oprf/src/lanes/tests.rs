//! Every backend against curve25519-dalek.

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use sha2::{Digest, Sha512};

use super::backend::Lanes;
use super::engine::Scalars;
use super::field::Field;

/// Calls a generic function with the token of every backend whose instructions are here.
macro_rules! on_backends {
    ($f:ident $(, $argument:expr)*) => {
        match $crate::lanes::avx2::Avx2::detect() {
            Some(l) => $f(l $(, $argument)*),
            None => println!("skipped on avx2: not available on this processor"),
        }
        match $crate::lanes::ifma::Ifma::detect() {
            Some(l) => $f(l $(, $argument)*),
            None => println!("skipped on ifma: not available on this processor"),
        }
    };
}

pub(super) mod edges;

fn bytes(n: u64) -> [u8; 64] {
    Sha512::digest(n.to_le_bytes()).into()
}

fn scalar(n: u64) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&bytes(n ^ 1 << 63))
}

/// Slices of `n` items, every operation.
pub(super) fn agrees<L: Lanes>(l: L, n: u64) {
    let f = Field::new(l);
    let uniform: Vec<[u8; 64]> = (0..n).map(bytes).collect();
    let points: Vec<RistrettoPoint> = uniform.iter().map(RistrettoPoint::from_uniform_bytes).collect();
    let encoded: Vec<[u8; 32]> = points.iter().map(|p| p.compress().to_bytes()).collect();
    let mut out = vec![[0; 32]; uniform.len()];
    // map, encode
    let g = f.fixed_table(&f.lane_point(&curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT.compress().to_bytes()).unwrap());
    f.map_add_fixed_encode(&uniform, &g, &vec![[0; 32]; uniform.len()], &mut out);
    assert_eq!(out, encoded, "map and encode");
    let k = scalar(7);
    f.map_multiply_encode(&uniform, &Scalars::One(k.as_bytes()), &mut out);
    let expected: Vec<[u8; 32]> = points.iter().map(|p| (p * (k + k)).compress().to_bytes()).collect();
    assert_eq!(out, expected, "one scalar");
    let decoded = f.decode_all(&encoded).unwrap();
    f.multiply_encode(&decoded, &Scalars::One(k.as_bytes()), &mut out);
    assert_eq!(out, expected, "decoded");
    let each: Vec<Scalar> = (0..n).map(scalar).collect();
    let each_bytes: Vec<[u8; 32]> = each.iter().map(Scalar::to_bytes).collect();
    f.multiply_encode(&decoded, &Scalars::Each(&each_bytes), &mut out);
    let expected: Vec<[u8; 32]> = points.iter().zip(&each).map(|(p, k)| (p * (k + k)).compress().to_bytes()).collect();
    assert_eq!(out, expected, "each its scalar");
    f.map_add_fixed_encode(&uniform, &g, &each_bytes, &mut out);
    let expected: Vec<[u8; 32]> = points.iter().zip(&each).map(|(p, k)| (p + RistrettoPoint::mul_base(k)).compress().to_bytes()).collect();
    assert_eq!(out, expected, "fixed base");
    f.sub_fixed_encode(&decoded, &g, &each_bytes, &mut out);
    let expected: Vec<[u8; 32]> = points.iter().zip(&each).map(|(p, k)| (p - RistrettoPoint::mul_base(k)).compress().to_bytes()).collect();
    assert_eq!(out, expected, "fixed base, taken away");
    let sum = f.encode_first(&f.sum_of_products(&each_bytes, &[&decoded]));
    assert_eq!(sum, RistrettoPoint::vartime_multiscalar_mul(&each, &points).compress().to_bytes(), "sum of products");
    assert!(CompressedRistretto(sum).decompress().is_some());
}

#[test]
fn every_backend_agrees_with_dalek() {
    on_backends!(agrees, 300);
}
