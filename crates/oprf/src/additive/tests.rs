//! Additive blinding against multiplicative blinding and the holder's own evaluation; holders that cheat.
use super::*;
use crate::bound::{BatchProof, verify_batch};
use crate::group::Point;
use crate::hazmat::{blind_from_bytes, blind_to_bytes};
use crate::keys::KeyPair;
use crate::verify::verify_slice;
use curve25519_dalek::scalar::Scalar;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

struct Run {
    key: KeyPair,
    inputs: Vec<Vec<u8>>,
    blinds: Vec<Blind>,
    blinded: Vec<[u8; NE]>,
    evaluated: Vec<[u8; NE]>,
    proof: BatchProof,
    rng: StdRng,
}

fn run(inputs: Vec<Vec<u8>>, seed: u64) -> Run {
    let mut rng = StdRng::seed_from_u64(seed);
    let key = KeyPair::derive(&[5; 32], &seed.to_be_bytes()).unwrap();
    let n = inputs.len();
    let blinds: Vec<_> = (0..n).map(|_| Blind::random(&mut rng)).collect();
    let mut blinded = vec![[0; NE]; n];
    blind_slice(&inputs, &blinds, &mut blinded).unwrap();
    let mut evaluated = vec![[0; NE]; n];
    let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
    let proof = key.prove_batch(composite, &blinded, &evaluated, &mut rng).unwrap();
    Run { key, inputs, blinds, blinded, evaluated, proof, rng }
}

fn numbered(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| format!("input {i}").into_bytes()).collect()
}

impl Run {
    /// The verifier's side, in two slices where there are two elements.
    fn outputs(&self, evaluated: &[[u8; NE]], proof: &BatchProof, key: &PreparedPublicKey) -> Result<Vec<[u8; NH]>, Error> {
        let (public, n) = (self.key.public(), self.inputs.len());
        let cuts: Vec<_> = [0..n / 2, n / 2..n].into_iter().filter(|range| !range.is_empty()).collect();
        let mut slices = Vec::new();
        let mut composite = None;
        for range in &cuts {
            let (part, decoded) = verify_slice(&public, range.start, &self.blinded[range.clone()], &evaluated[range.clone()])?;
            slices.push(decoded);
            composite = Some(match composite {
                None => part,
                Some(sum) => part.merge(sum),
            });
        }
        let bound = verify_batch(&public, composite.unwrap(), &slices.iter().collect::<Vec<_>>(), &self.blinded, evaluated, proof)?;
        assert_eq!((bound.count(), bound.public()), (n, public));
        let mut out = vec![[0; NH]; n];
        for (range, decoded) in cuts.into_iter().zip(&slices) {
            let (inputs, blinds) = (&self.inputs[range.clone()], &self.blinds[range.clone()]);
            finalize_slice(&bound, key, inputs, blinds, decoded, &mut out[range])?;
        }
        Ok(out)
    }

    fn prepared(&self) -> PreparedPublicKey {
        PreparedPublicKey::new(&self.key.public())
    }

    fn own(&self) -> Vec<[u8; NH]> {
        let mut own = vec![[0; NH]; self.inputs.len()];
        self.key.evaluate_slice(&self.inputs, &mut own).unwrap();
        own
    }

    /// The same inputs, blinds, key by RFC 9497's blinding.
    fn multiplicative(&mut self) -> Vec<[u8; NH]> {
        let (public, n) = (self.key.public(), self.inputs.len());
        let (mut blinded, mut evaluated, mut out) = (vec![[0; NE]; n], vec![[0; NE]; n], vec![[0; NH]; n]);
        crate::blind_slice(&self.inputs, &self.blinds, &mut blinded).unwrap();
        assert!(blinded.iter().zip(&self.blinded).all(|(a, b)| a != b), "the wire differs");
        let composite = self.key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
        let proof = self.key.prove(composite, &blinded, &evaluated, &mut self.rng).unwrap();
        let (composite, decoded) = verify_slice(&public, 0, &blinded, &evaluated).unwrap();
        let verified = crate::verify(&public, composite, &proof).unwrap();
        crate::finalize_slice(&verified, &self.inputs, &self.blinds, &decoded, &mut out).unwrap();
        out
    }
}

#[test]
fn additive_and_multiplicative_blinding_and_the_holder_agree() {
    // Around the boundaries of chunks, and well beyond.
    for n in [1, 2, 3, 127, 128, 129, 1500] {
        let mut run = run(numbered(n), n as u64);
        let outputs = run.outputs(&run.evaluated, &run.proof, &run.prepared()).unwrap();
        assert_eq!(outputs, run.own());
        assert_eq!(outputs, run.multiplicative());
    }
}

/// From the definition, with single points.
#[test]
fn the_blinded_element_is_the_hash_plus_the_blinds_multiple_of_the_generator() {
    let run = run(numbered(3), 1);
    for (i, input) in run.inputs.iter().enumerate() {
        // 1·H(x), of the multiplicative way.
        let mut one = [0; 32];
        one[0] = 1;
        let mut hash = [[0; NE]];
        crate::blind_slice(&[input], &[blind_from_bytes(&one).unwrap()], &mut hash).unwrap();
        let sum = Point::decode(&hash[0]).unwrap().add(&Point::mul_base(&run.blinds[i].0));
        assert_eq!(sum.encode(), run.blinded[i]);
    }
}

/// A holder that errs on purpose in one element: its error would go straight into the output, and no output is given.
#[test]
fn a_wrong_element_is_caught_before_any_output() {
    let mut run = run(numbered(9), 2);
    let prepared = run.prepared();
    let error = Point::mul_base(&Scalar::from(5_u64));
    for at in 0..9 {
        let mut sent = run.evaluated.clone();
        sent[at] = Point::decode(&sent[at]).unwrap().add(&error).encode();
        assert_eq!(run.outputs(&sent, &run.proof, &prepared).unwrap_err(), Error::Proof);
        // With proofs over what it sends, made with the true key.
        let mut ignored = vec![[0; NE]; 9];
        let composite = run.key.blind_evaluate_slice(0, &run.blinded, &mut ignored).unwrap();
        let proof = run.key.prove_batch(composite, &run.blinded, &sent, &mut run.rng).unwrap();
        assert_eq!(run.outputs(&sent, &proof, &prepared).unwrap_err(), Error::Proof);
        // One proof right and one wrong, either way.
        for proof in [BatchProof { binding: proof.binding, ..run.proof }, BatchProof { binding: run.proof.binding, ..proof }] {
            assert_eq!(run.outputs(&sent, &proof, &prepared).unwrap_err(), Error::Proof);
        }
    }
}

/// Why: unblinded without a proof, the error comes out unchanged, at the holder's choice and without its knowing the blind.
/// Multiplicative blinding would scramble it by 1/r.
#[test]
fn an_unproved_error_would_be_aimed() {
    let run = run(numbered(1), 3);
    let error = Point::mul_base(&Scalar::from(5_u64));
    let sent = Point::decode(&run.evaluated[0]).unwrap().add(&error).encode();
    let unblind = |element: &[u8; NE]| {
        let points = crate::group::Points::decode(core::slice::from_ref(element)).unwrap();
        let mut out = [[0; NE]];
        group::sub_fixed_encode(&points, &run.prepared().table, &scalars(&run.blinds), &mut out);
        Point::decode(&out[0]).unwrap()
    };
    assert_eq!(unblind(&sent).encode(), unblind(&run.evaluated[0]).add(&error).encode());
}

#[test]
fn another_key_is_refused_and_nothing_is_written() {
    let run = run(numbered(4), 4);
    let other = KeyPair::derive(&[6; 32], b"other").unwrap();
    let wrong = PreparedPublicKey::new(&other.public());
    assert_eq!(run.outputs(&run.evaluated, &run.proof, &wrong).unwrap_err(), Error::OtherKey);
    let public = run.key.public();
    let (composite, decoded) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let bound = verify_batch(&public, composite, &[&decoded], &run.blinded, &run.evaluated, &run.proof).unwrap();
    let mut out = vec![[0; NH]; 4];
    assert_eq!(finalize_slice(&bound, &wrong, &run.inputs, &run.blinds, &decoded, &mut out), Err(Error::OtherKey));
    // Elements that these proofs do not cover, though they are the same bytes.
    let (_, other) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    assert_eq!(finalize_slice(&bound, &run.prepared(), &run.inputs, &run.blinds, &other, &mut out), Err(Error::OtherBatch));
    for (inputs, blinds, outs) in [(3, 4, 4), (4, 3, 4), (4, 4, 3)] {
        let (inputs, blinds, out) = (&run.inputs[..inputs], &run.blinds[..blinds], &mut out[..outs]);
        let refused = finalize_slice(&bound, &run.prepared(), inputs, blinds, &decoded, out);
        assert_eq!(refused, Err(Error::Count { expected: 4, found: 3 }));
    }
    assert_eq!(out, vec![[0; NH]; 4]);
    assert_eq!(format!("{:?}", run.prepared()), format!("PreparedPublicKey({public:?})"));
}

#[test]
fn bad_slices_cannot_be_blinded() {
    let run = run(numbered(2), 5);
    let mut out = [[0; NE]; 2];
    assert_eq!(blind_slice(&run.inputs[..1], &run.blinds, &mut out), Err(Error::Count { expected: 1, found: 2 }));
    assert_eq!(blind_slice(&run.inputs, &run.blinds, &mut out[..1]), Err(Error::Count { expected: 2, found: 1 }));
    let long = [vec![0; 65_535], vec![0; 65_536]];
    assert_eq!(blind_slice(&long, &run.blinds, &mut out), Err(Error::InputTooLong { position: 1 }));
    assert!(blind_slice(&long[..1], &run.blinds[..1], &mut out[..1]).is_ok());
}

#[test]
fn a_prepared_key_is_shared_between_threads() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<PreparedPublicKey>();
    sendable::<BoundBatch>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn finalize_equals_evaluate(
        inputs in prop::collection::vec(prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..200),
            1 => prop::collection::vec(any::<u8>(), 0..5000),
        ], 1..12),
        seed: u64,
    ) {
        let mut run = run(inputs, seed);
        let outputs = run.outputs(&run.evaluated, &run.proof, &run.prepared()).unwrap();
        prop_assert_eq!(&outputs, &run.own());
        prop_assert_eq!(&outputs, &run.multiplicative());
    }

    /// A blind other than the one that was used gives another output: the blind is really taken off.
    #[test]
    fn the_blind_matters(seed: u64, bit in 0usize..252) {
        let mut run = run(numbered(2), seed);
        let mut bytes = *blind_to_bytes(&run.blinds[1]);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let Ok(other) = blind_from_bytes(&bytes) else { return Ok(()) };
        run.blinds[1] = other;
        let outputs = run.outputs(&run.evaluated, &run.proof, &run.prepared()).unwrap();
        let own = run.own();
        prop_assert_eq!(outputs[0], own[0]);
        prop_assert_ne!(outputs[1], own[1]);
    }
}
