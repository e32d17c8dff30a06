use super::*;
use crate::blind::{Blind, blind_slice};
use crate::verify::{finalize_slice, verify_slice};
use rand::SeedableRng;
use rand::rngs::StdRng;

const N: usize = 11;

struct Run {
    key: KeyPair,
    blinds: Vec<Blind>,
    blinded: Vec<[u8; NE]>,
    evaluated: Vec<[u8; NE]>,
    proof: BatchProof,
    rng: StdRng,
}

fn inputs() -> Vec<[u8; 1]> {
    (0..N as u8).map(|i| [i]).collect()
}

fn run() -> Run {
    let mut rng = StdRng::seed_from_u64(3);
    let key = KeyPair::derive(&[9; 32], b"bound").unwrap();
    let blinds: Vec<_> = (0..N).map(|_| Blind::random(&mut rng)).collect();
    let mut blinded = vec![[0; NE]; N];
    blind_slice(&inputs(), &blinds, &mut blinded).unwrap();
    let mut evaluated = vec![[0; NE]; N];
    let (head, tail) = evaluated.split_at_mut(4);
    let first = key.blind_evaluate_slice(0, &blinded[..4], head).unwrap();
    let second = key.blind_evaluate_slice(4, &blinded[4..], tail).unwrap();
    // Merged back to front: order is nothing.
    let proof = key.prove_batch(second.merge(first), &blinded, &evaluated, &mut rng).unwrap();
    Run { key, blinds, blinded, evaluated, proof, rng }
}

fn check(run: &Run, evaluated: &[[u8; NE]], proof: &BatchProof) -> Result<BoundBatch, Error> {
    let public = run.key.public();
    let (first, decoded_first) = verify_slice(&public, 0, &run.blinded[..7], &evaluated[..7])?;
    let (second, decoded_second) = verify_slice(&public, 7, &run.blinded[7..], &evaluated[7..])?;
    verify_batch(&public, second.merge(first), &[&decoded_second, &decoded_first], &run.blinded, evaluated, proof)
}

#[test]
fn both_proofs_hold_and_outputs_are_the_keys() {
    let run = run();
    let public = run.key.public();
    let (composite, decoded) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let verified = verify_batch(&public, composite, &[&decoded], &run.blinded, &run.evaluated, &run.proof).unwrap();
    let mut outputs = vec![[0; 64]; N];
    finalize_slice(&verified, &inputs(), &run.blinds, &decoded, &mut outputs).unwrap();
    let mut own = vec![[0; 64]; N];
    run.key.evaluate_slice(&inputs(), &mut own).unwrap();
    assert_eq!(outputs, own);
    assert!(check(&run, &run.evaluated, &run.proof).is_ok());
    assert_eq!(BatchProof::from_bytes(&run.proof.to_bytes()).unwrap(), run.proof);
}

#[test]
fn a_changed_proof_or_element_is_refused() {
    let run = run();
    let bytes = run.proof.to_bytes();
    for i in 0..BATCH_PROOF_LEN {
        let mut changed = bytes;
        changed[i] ^= 1;
        let refused = BatchProof::from_bytes(&changed).and_then(|proof| check(&run, &run.evaluated, &proof));
        assert!(refused.is_err(), "byte {i}");
    }
    let swapped = BatchProof { proof: run.proof.binding, binding: run.proof.proof };
    assert_eq!(check(&run, &run.evaluated, &swapped).unwrap_err(), Error::Proof);
    let mut evaluated = run.evaluated.clone();
    evaluated.swap(2, 9);
    assert_eq!(check(&run, &evaluated, &run.proof).unwrap_err(), Error::Proof);
}

/// What the binding proof is there for: a holder that has paid for the birthday search passes the RFC's check with wrong elements. The search
/// is too long for a test, so its result (`Z = k·M` in spite of the errors) is put into the verifier's composite by hand.
#[test]
fn repro_errors_that_cancel_under_the_rfcs_weights_are_refused() {
    let mut run = run();
    let public = run.key.public();
    let mut evaluated = run.evaluated.clone();
    evaluated.swap(0, 1);
    let (composite, decoded) = verify_slice(&public, 0, &run.blinded, &evaluated).unwrap();
    let cancelled = composite.with_z_forced(&run.key.secret().0);
    let m = cancelled.m();
    let proof = run.key.prove_hedged(&m, &run.blinded, &evaluated, &mut run.rng);
    assert!(verify(&public, cancelled.duplicate(), &proof).is_ok(), "the RFC's proof alone is satisfied");
    // The binding proof over the true points, made with the key: it cannot hold, whatever composite the holder proves.
    let slices = [(0, decoded.blinded_points())];
    let bound = weighted_sum(&weights(&public, &run.blinded, &evaluated), &slices).unwrap();
    let binding = run.key.prove_hedged(&bound, &run.blinded, &evaluated, &mut run.rng);
    let refused = verify_batch(&public, cancelled, &[&decoded], &run.blinded, &evaluated, &BatchProof { proof, binding });
    assert_eq!(refused.unwrap_err(), Error::Proof);
}

#[test]
fn every_weight_depends_on_every_element() {
    let run = run();
    let before = weights(&run.key.public(), &run.blinded, &run.evaluated);
    assert_eq!(before.len(), N);
    for at in [0, 5, N - 1] {
        let mut evaluated = run.evaluated.clone();
        evaluated[at][0] ^= 2;
        let after = weights(&run.key.public(), &run.blinded, &evaluated);
        assert!(before.iter().zip(&after).all(|(before, after)| before != after));
        let mut blinded = run.blinded.clone();
        blinded[at][0] ^= 2;
        assert!(before.iter().zip(&weights(&run.key.public(), &blinded, &run.evaluated)).all(|(before, after)| before != after));
    }
}

#[test]
fn slices_of_another_batch_or_a_part_are_refused() {
    let run = run();
    let public = run.key.public();
    let (composite, decoded) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let (_, other) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let mixed = verify_batch(&public, composite.duplicate(), &[&other], &run.blinded, &run.evaluated, &run.proof);
    assert_eq!(mixed.unwrap_err(), Error::OtherBatch);
    let none = verify_batch(&public, composite.duplicate(), &[], &run.blinded, &run.evaluated, &run.proof);
    assert_eq!(none.unwrap_err(), Error::Coverage);
    let twice = verify_batch(&public, composite, &[&decoded, &decoded], &run.blinded, &run.evaluated, &run.proof);
    assert_eq!(twice.unwrap_err(), Error::Coverage);
}
