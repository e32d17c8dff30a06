//! The protocol's work on points as one writes it with curve25519-dalek 5 alone, at its best: scalars halved and points encoded in
//! batches (`double_and_compress_batch`), one inversion for all blinds, one multiscalar multiplication a sum, no point decoded that this
//! side has made. Hashing is `expand_message_xmd` as RFC 9380 writes it down. This is what oblink's ratios are over.

use anyhow::{Context, Result, ensure};
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use sha2::{Digest, Sha512};

const CONTEXT: &[u8] = b"OPRFV1-\x01-ristretto255-SHA512";

/// Points encoded at one time: more make the shared inversion no cheaper, but leave the cache.
const CHUNK: usize = 256;

/// A scalar of its 32 bytes.
///
/// # Errors
/// They are not canonical.
pub fn scalar(bytes: &[u8; 32]) -> Result<Scalar> {
    Option::from(Scalar::from_canonical_bytes(*bytes)).context("not a canonical scalar")
}

/// `expand_message_xmd` with SHA-512 to 64 bytes (RFC 9380 §5.3.1), `label` and the suite's context string being the DST.
fn expand(parts: &[&[u8]], label: &[u8]) -> [u8; 64] {
    let dst_len = [(label.len() + CONTEXT.len()) as u8];
    let mut b_0 = Sha512::new_with_prefix([0; 128]);
    for part in parts {
        b_0.update(part);
    }
    let b_0 = b_0.chain_update([0, 64, 0]).chain_update(label).chain_update(CONTEXT).chain_update(dst_len).finalize();
    Sha512::new_with_prefix(b_0).chain_update([1]).chain_update(label).chain_update(CONTEXT).chain_update(dst_len).finalize().into()
}

/// `HashToGroup` (RFC 9497 §4.1).
#[must_use]
pub fn hash_to_group(input: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand(&[input], b"HashToGroup-"))
}

fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&expand(parts, b"HashToScalar-"))
}

/// The last hash of `Finalize` and `Evaluate` (RFC 9497 §3.3.2).
#[must_use]
pub fn finalize_hash(input: &[u8], element: &CompressedRistretto) -> [u8; 64] {
    Sha512::new()
        .chain_update((input.len() as u16).to_be_bytes())
        .chain_update(input)
        .chain_update([0, 32])
        .chain_update(element.as_bytes())
        .chain_update(b"Finalize")
        .finalize()
        .into()
}

/// The outputs for a holder's own inputs: hash to the group, times k/2, encode doubled in batches, hash.
pub fn seal<I: AsRef<[u8]>>(k: &Scalar, inputs: &[I], out: &mut [[u8; 64]]) {
    let half = k.div_by_2();
    for (inputs, out) in inputs.chunks(CHUNK).zip(out.chunks_mut(CHUNK)) {
        let points: Vec<_> = inputs.iter().map(|input| hash_to_group(input.as_ref()) * half).collect();
        let elements = RistrettoPoint::double_and_compress_batch(&points);
        for ((input, element), out) in inputs.iter().zip(&elements).zip(out) {
            *out = finalize_hash(input.as_ref(), element);
        }
    }
}

/// Blinded elements: their encodings, and the half of each as a point.
pub struct Blinded {
    /// As they travel.
    pub elements: Vec<[u8; 32]>,
    halves: Vec<RistrettoPoint>,
}

/// `Blind` with the blinds given.
#[must_use]
pub fn blind<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Scalar]) -> Blinded {
    let halves: Vec<_> = inputs.iter().zip(blinds).map(|(input, blind)| hash_to_group(input.as_ref()) * blind.div_by_2()).collect();
    Blinded { elements: encode_doubled(&halves), halves }
}

fn encode_doubled(halves: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    halves.chunks(CHUNK).flat_map(RistrettoPoint::double_and_compress_batch).map(|element| element.to_bytes()).collect()
}

fn decode(elements: &[[u8; 32]]) -> Result<Vec<RistrettoPoint>> {
    elements.iter().map(|element| CompressedRistretto(*element).decompress().context("not an element")).collect()
}

/// The weights of a batch's composites (RFC 9497 §2.2.1 `ComputeComposites`).
fn weights(public: &[u8; 32], blinded: &[[u8; 32]], evaluated: &[[u8; 32]]) -> Vec<Scalar> {
    let seed = Sha512::new()
        .chain_update([0, 32])
        .chain_update(public)
        .chain_update([0, 5 + CONTEXT.len() as u8])
        .chain_update(b"Seed-")
        .chain_update(CONTEXT)
        .finalize();
    let elements = blinded.iter().zip(evaluated);
    (0_u16..)
        .zip(elements)
        .map(|(i, (c, d))| hash_to_scalar(&[&[0, 64], &seed, &i.to_be_bytes(), &[0, 32], c, &[0, 32], d, b"Composite"]))
        .collect()
}

/// The challenge of a proof (RFC 9497 §2.2.1).
fn challenge(public: &[u8; 32], points: [RistrettoPoint; 4]) -> Scalar {
    let [m, z, t2, t3] = points.map(|point| point.compress().to_bytes());
    hash_to_scalar(&[&[0, 32], public, &[0, 32], &m, &[0, 32], &z, &[0, 32], &t2, &[0, 32], &t3, b"Challenge"])
}

/// The holder's answer: evaluated elements and a proof, challenge and response.
pub struct Answer {
    /// As they travel.
    pub elements: Vec<[u8; 32]>,
    /// c and s.
    pub proof: [Scalar; 2],
}

/// `BlindEvaluate` of a batch: decode, times k/2, encode doubled in batches; the proof with one multiscalar multiplication and a nonce
/// that is given.
///
/// # Errors
/// A blinded element that is none.
pub fn blind_evaluate(k: &Scalar, public: &[u8; 32], blinded: &[[u8; 32]], nonce: &Scalar) -> Result<Answer> {
    let points = decode(blinded)?;
    let half = k.div_by_2();
    let halves: Vec<_> = points.iter().map(|point| point * half).collect();
    let elements = encode_doubled(&halves);
    let m = RistrettoPoint::vartime_multiscalar_mul(weights(public, blinded, &elements), points);
    let c = challenge(public, [m, m * k, RistrettoPoint::mul_base(nonce), m * nonce]);
    Ok(Answer { elements, proof: [c, nonce - c * k] })
}

/// `VerifyProof` and `Finalize` of a batch: decode, two multiscalar multiplications; one inversion for all blinds, times half of each,
/// encode doubled in batches, hash.
///
/// # Errors
/// An element that is none, a proof that does not hold.
pub fn verify_and_finalize<I: AsRef<[u8]>>(
    public: &[u8; 32],
    inputs: &[I],
    blinds: &[Scalar],
    blinded: &Blinded,
    answer: &Answer,
    out: &mut [[u8; 64]],
) -> Result<()> {
    let evaluated = decode(&answer.elements)?;
    let weights = weights(public, &blinded.elements, &answer.elements);
    let half = RistrettoPoint::vartime_multiscalar_mul(&weights, &blinded.halves);
    let (m, z) = (half + half, RistrettoPoint::vartime_multiscalar_mul(&weights, &evaluated));
    let [c, s] = answer.proof;
    let key = CompressedRistretto(*public).decompress().context("not a public key")?;
    let t2 = RistrettoPoint::vartime_multiscalar_mul([s, c], [RISTRETTO_BASEPOINT_POINT, key]);
    let t3 = RistrettoPoint::vartime_multiscalar_mul([s, c], [m, z]);
    ensure!(challenge(public, [m, z, t2, t3]) == c, "the proof does not hold");
    let mut inverses = blinds.to_vec();
    Scalar::invert_batch_alloc(&mut inverses);
    let points = evaluated.iter().zip(&inverses);
    let halves: Vec<_> = points.map(|(point, inverse)| point * inverse.div_by_2()).collect();
    for ((input, element), out) in inputs.iter().zip(encode_doubled(&halves)).zip(out) {
        *out = finalize_hash(input.as_ref(), &CompressedRistretto(element));
    }
    Ok(())
}
