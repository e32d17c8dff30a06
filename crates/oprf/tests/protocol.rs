//! The protocol as a whole: agreement, slices, tampering, misuse, limits.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use oblink_oprf::{
    BATCH_MAX, Blame, Blind, Composite, DecodedElements, Error, INPUT_MAX, KeyPair, Proof, PublicKey, VerifierComposite, blind_slice,
    finalize_slice, hazmat, verify, verify_slice,
};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

struct Run {
    key: KeyPair,
    inputs: Vec<Vec<u8>>,
    blinds: Vec<Blind>,
    blinded: Vec<[u8; 32]>,
    evaluated: Vec<[u8; 32]>,
    proof: Proof,
    rng: StdRng,
}

/// A batch from blinding to proof, in one slice.
fn batch(inputs: Vec<Vec<u8>>, seed: u64) -> Run {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut key_seed = [0; 32];
    rng.fill_bytes(&mut key_seed);
    let key = KeyPair::derive(&key_seed, b"protocol test").unwrap();
    let n = inputs.len();
    let blinds: Vec<_> = (0..n).map(|_| Blind::random(&mut rng)).collect();
    let mut blinded = vec![[0; 32]; n];
    blind_slice(&inputs, &blinds, &mut blinded).unwrap();
    let mut evaluated = vec![[0; 32]; n];
    let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
    let proof = key.prove(composite, &blinded, &evaluated, &mut rng).unwrap();
    Run { key, inputs, blinds, blinded, evaluated, proof, rng }
}

fn numbered(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|i| format!("input {i}").into_bytes()).collect()
}

impl Run {
    fn check(&self, public: &PublicKey, blinded: &[[u8; 32]], evaluated: &[[u8; 32]], proof: &Proof) -> Result<Vec<[u8; 64]>, Error> {
        let (composite, decoded) = verify_slice(public, 0, blinded, evaluated)?;
        let verified = verify(public, composite, proof)?;
        let mut outputs = vec![[0; 64]; self.inputs.len()];
        finalize_slice(&verified, &self.inputs, &self.blinds, &decoded, &mut outputs)?;
        Ok(outputs)
    }

    fn outputs(&self) -> Vec<[u8; 64]> {
        self.check(&self.key.public(), &self.blinded, &self.evaluated, &self.proof).unwrap()
    }

    fn own(&self) -> Vec<[u8; 64]> {
        let mut own = vec![[0; 64]; self.inputs.len()];
        self.key.evaluate_slice(&self.inputs, &mut own).unwrap();
        own
    }
}

fn flip<const N: usize>(bytes: &mut [u8; N], bit: usize) {
    bytes[bit / 8 % N] ^= 1 << (bit % 8);
}

#[test]
fn agreement_at_the_ends_of_the_input_lengths() {
    let run = batch(vec![vec![], vec![0], vec![0xff; INPUT_MAX], vec![7; INPUT_MAX - 1], vec![]], 1);
    let outputs = run.outputs();
    assert_eq!(outputs, run.own());
    assert_eq!(outputs[0], outputs[4]);
    assert_ne!(outputs[0], outputs[1]);
    // Same input, other blind: the holder cannot tell.
    assert_ne!(run.blinded[0], run.blinded[4]);
}

#[test]
fn inputs_that_are_too_long_are_refused() {
    let run = batch(numbered(2), 2);
    let inputs = [vec![1], vec![0; INPUT_MAX + 1]];
    let refused = Error::InputTooLong { position: 1 };
    let mut outputs = [[0; 64]; 2];
    assert_eq!(run.key.evaluate_slice(&inputs, &mut outputs).unwrap_err(), refused);
    assert_eq!(blind_slice(&inputs, &run.blinds, &mut [[0; 32]; 2]).unwrap_err(), refused);
    let (composite, decoded) = verify_slice(&run.key.public(), 0, &run.blinded, &run.evaluated).unwrap();
    let verified = verify(&run.key.public(), composite, &run.proof).unwrap();
    let result = finalize_slice(&verified, &inputs, &run.blinds, &decoded, &mut outputs);
    assert_eq!(result.unwrap_err(), refused);
    assert_eq!(outputs, [[0; 64]; 2]);
}

#[test]
fn every_flipped_bit_of_an_element_the_proof_or_the_key_is_refused() {
    let run = batch(numbered(2), 3);
    let public = run.key.public();
    for bit in 0..256 {
        let mut blinded = run.blinded.clone();
        flip(&mut blinded[1], bit);
        let error = run.check(&public, &blinded, &run.evaluated, &run.proof).unwrap_err();
        assert!(matches!(error, Error::Proof | Error::BlindedElement { position: 1 }));

        let mut evaluated = run.evaluated.clone();
        flip(&mut evaluated[1], bit);
        let error = run.check(&public, &run.blinded, &evaluated, &run.proof).unwrap_err();
        assert!(matches!(error, Error::Proof | Error::EvaluatedElement { position: 1 }));
        assert_eq!(error.blame(), Blame::Holder);

        let mut bytes = public.to_bytes();
        flip(&mut bytes, bit);
        let result = PublicKey::from_bytes(&bytes).and_then(|public| run.check(&public, &run.blinded, &run.evaluated, &run.proof));
        assert!(matches!(result.unwrap_err(), Error::Proof | Error::PublicKey));
    }
    for bit in 0..512 {
        let mut bytes = run.proof.to_bytes();
        flip(&mut bytes, bit);
        let result = Proof::from_bytes(&bytes).and_then(|proof| run.check(&public, &run.blinded, &run.evaluated, &proof));
        assert!(matches!(result.unwrap_err(), Error::Proof | Error::ProofEncoding));
    }
}

#[test]
fn swapped_elements_are_refused() {
    let run = batch(numbered(3), 4);
    let public = run.key.public();
    let mut evaluated = run.evaluated.clone();
    evaluated.swap(0, 2);
    let mut blinded = run.blinded.clone();
    blinded.swap(0, 2);
    for (blinded, evaluated) in [
        (&run.blinded, &evaluated),
        (&blinded, &run.evaluated),
        // Both: each pair is sound, but not in its place.
        (&blinded, &evaluated),
    ] {
        let result = run.check(&public, blinded, evaluated, &run.proof);
        assert_eq!(result.unwrap_err(), Error::Proof);
    }
}

#[test]
fn one_element_under_another_key_is_refused() {
    let run = batch(numbered(5), 5);
    let other = KeyPair::derive(&[9; 32], b"other").unwrap();
    let mut wrong = vec![[0; 32]; 5];
    other.blind_evaluate_slice(0, &run.blinded, &mut wrong).unwrap();
    for at in 0..5 {
        let mut evaluated = run.evaluated.clone();
        evaluated[at] = wrong[at];
        // Also with a nonce over what it sends (and honest weights; dishonest ones: `proof::tests`).
        let mut ignored = vec![[0; 32]; 5];
        let composite = run.key.blind_evaluate_slice(0, &run.blinded, &mut ignored).unwrap();
        let mut rng = StdRng::seed_from_u64(1);
        let proof = run.key.prove(composite, &run.blinded, &evaluated, &mut rng).unwrap();
        for proof in [run.proof, proof] {
            let result = run.check(&run.key.public(), &run.blinded, &evaluated, &proof);
            assert_eq!(result.unwrap_err(), Error::Proof);
        }
    }
    let result = run.check(&other.public(), &run.blinded, &run.evaluated, &run.proof);
    assert_eq!(result.unwrap_err(), Error::Proof);
}

#[test]
fn bad_elements_are_refused_with_position_and_blame() {
    let run = batch(numbered(4), 6);
    let public = run.key.public();
    let mut high_bit = run.blinded[0];
    high_bit[31] |= 0x80;
    let mut p = [0xff; 32]; // the field's prime: a second encoding of 0
    p[0] = 0xed;
    p[31] = 0x7f;
    for bad in [[0; 32], [0xff; 32], p, high_bit] {
        for at in [0, 3] {
            let mut elements = run.blinded.clone();
            elements[at] = bad;
            let mut out = vec![[0; 32]; 4];
            let error = run.key.blind_evaluate_slice(100, &elements, &mut out).unwrap_err();
            assert_eq!(error, Error::BlindedElement { position: 100 + at });
            assert_eq!(error.blame(), Blame::Verifier);
            assert_eq!(out, vec![[0; 32]; 4], "nothing is evaluated");
            let error = verify_slice(&public, 100, &elements, &run.evaluated).unwrap_err();
            assert_eq!(error, Error::BlindedElement { position: 100 + at });

            let mut elements = run.evaluated.clone();
            elements[at] = bad;
            let error = verify_slice(&public, 100, &run.blinded, &elements).unwrap_err();
            assert_eq!(error, Error::EvaluatedElement { position: 100 + at });
            assert_eq!(error.blame(), Blame::Holder);
        }
    }
}

#[test]
fn scalars_out_of_range_are_refused() {
    let mut order = [0; 32];
    order[..16].copy_from_slice(&hex::decode("edd3f55c1a631258d69cf7a2def9de14").unwrap());
    order[31] = 0x10;
    let run = batch(numbered(1), 7);
    let proof = run.proof.to_bytes();
    for bad in [order, [0xff; 32], {
        let mut b = [0; 32];
        b[31] = 0x80;
        b
    }] {
        for half in [0..32, 32..64] {
            let mut bytes = proof;
            bytes[half].copy_from_slice(&bad);
            assert_eq!(Proof::from_bytes(&bytes).unwrap_err(), Error::ProofEncoding);
        }
    }
    for bad in [order, [0xff; 32], [0; 32]] {
        assert_eq!(hazmat::blind_from_bytes(&bad).unwrap_err(), Error::Scalar);
        assert_eq!(KeyPair::from_secret_bytes(&bad).unwrap_err(), Error::SecretKey);
        let mut out = [[0; 32]];
        let composite = run.key.blind_evaluate_slice(0, &run.blinded, &mut out).unwrap();
        let result = hazmat::prove_with_nonce(&run.key, composite, &run.blinded, &out, &bad);
        assert_eq!(result.unwrap_err(), Error::Scalar);
    }
    // A proof of zeros has the right form, and must not hold.
    let zero = Proof::from_bytes(&[0; 64]).unwrap();
    let result = run.check(&run.key.public(), &run.blinded, &run.evaluated, &zero);
    assert_eq!(result.unwrap_err(), Error::Proof);
    assert!(Blind::from_uniform_bytes(&[0; 64]).is_none());
    let mut multiple = [0; 64];
    multiple[..32].copy_from_slice(&order);
    assert!(Blind::from_uniform_bytes(&multiple).is_none());
}

#[test]
fn blinds_are_the_wide_reduction() {
    let mut bytes = [0; 64];
    bytes[0] = 5;
    let blind = Blind::from_uniform_bytes(&bytes).unwrap();
    assert_eq!(hazmat::blind_to_bytes(&blind)[..2], [5, 0]);
    assert_eq!(format!("{blind:?}"), "Blind(redacted)");
}

#[test]
fn empty_and_oversized_batches_are_refused() {
    let run = batch(numbered(1), 8);
    let public = run.key.public();
    let empty = Error::BatchSize { count: 0 };
    assert_eq!(run.key.blind_evaluate_slice(0, &[], &mut []).unwrap_err(), empty);
    assert_eq!(verify_slice(&public, 0, &[], &[]).unwrap_err(), empty);
    let composite = || run.key.blind_evaluate_slice(0, &run.blinded, &mut [[0; 32]]).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    assert_eq!(run.key.prove(composite(), &[], &[], &mut rng).unwrap_err(), empty);

    let n = BATCH_MAX + 1;
    let over = Error::BatchSize { count: n };
    let (blinded, mut evaluated) = (vec![run.blinded[0]; n], vec![run.evaluated[0]; n]);
    assert_eq!(run.key.prove(composite(), &blinded, &evaluated, &mut rng).unwrap_err(), over);
    assert_eq!(verify_slice(&public, 0, &blinded, &evaluated).unwrap_err(), over);
    assert_eq!(run.key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap_err(), over);
    // A small slice that ends past the limit, and one past any number.
    let slice = |offset| run.key.blind_evaluate_slice(offset, &run.blinded, &mut [[0; 32]]);
    assert!(slice(BATCH_MAX - 1).is_ok());
    assert_eq!(slice(BATCH_MAX).unwrap_err(), over);
    assert_eq!(slice(usize::MAX).unwrap_err(), Error::BatchSize { count: usize::MAX });
}

#[test]
fn the_largest_batch() {
    // Few distinct inputs keep the test short; every element has its own weight all the same.
    let inputs: Vec<_> = (0..BATCH_MAX).map(|i| vec![i as u8, (i % 3) as u8]).collect();
    let run = batch(inputs, 9);
    // Inputs repeat after 768: the first 768 outputs, over and over.
    let mut own = vec![[0; 64]; 768];
    run.key.evaluate_slice(&run.inputs[..768], &mut own).unwrap();
    assert!(run.outputs().iter().zip(own.iter().cycle()).all(|(output, own)| output == own));
    let mut evaluated = run.evaluated.clone();
    evaluated.swap(BATCH_MAX - 2, BATCH_MAX - 1);
    let result = run.check(&run.key.public(), &run.blinded, &evaluated, &run.proof);
    assert_eq!(result.unwrap_err(), Error::Proof);
}

#[test]
fn slices_of_different_length_are_refused() {
    let run = batch(numbered(3), 10);
    let public = run.key.public();
    let count = |expected, found| Error::Count { expected, found };
    assert_eq!(run.key.evaluate_slice(&run.inputs, &mut [[0; 64]; 2]).unwrap_err(), count(3, 2));
    let result = blind_slice(&run.inputs[..2], &run.blinds, &mut [[0; 32]; 2]);
    assert_eq!(result.unwrap_err(), count(2, 3));
    let result = blind_slice(&run.inputs, &run.blinds, &mut [[0; 32]; 4]);
    assert_eq!(result.unwrap_err(), count(3, 4));
    let result = run.key.blind_evaluate_slice(0, &run.blinded, &mut [[0; 32]; 4]);
    assert_eq!(result.unwrap_err(), count(3, 4));
    let result = verify_slice(&public, 0, &run.blinded, &run.evaluated[..2]);
    assert_eq!(result.unwrap_err(), count(3, 2));
    let (composite, decoded) = verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let verified = verify(&public, composite, &run.proof).unwrap();
    for (inputs, blinds, out) in [(2, 3, 3), (3, 2, 3), (3, 3, 2)] {
        let result = finalize_slice(&verified, &run.inputs[..inputs], &run.blinds[..blinds], &decoded, &mut vec![[0; 64]; out]);
        assert_eq!(result.unwrap_err(), count(3, 2));
    }
}

/// Both sides in slices cut at `cuts`, merged in the order that `order` gives.
fn sliced(run: &mut Run, cuts: &[usize], order: &[usize]) -> Result<Vec<[u8; 64]>, Error> {
    let n = run.inputs.len();
    let ranges: Vec<_> =
        std::iter::once(0).chain(cuts.iter().copied()).zip(cuts.iter().copied().chain([n])).map(|(from, to)| from..to).collect();
    let mut evaluated = vec![[0; 32]; n];
    let mut composites: Vec<Option<Composite>> = ranges
        .iter()
        .map(|r| {
            let (blinded, out) = (&run.blinded[r.clone()], &mut evaluated[r.clone()]);
            Some(run.key.blind_evaluate_slice(r.start, blinded, out).unwrap())
        })
        .collect();
    assert_eq!(evaluated, run.evaluated);
    let merged = order.iter().filter_map(|i| composites[i % ranges.len()].take()).reduce(Composite::merge);
    let proof = run.key.prove(merged.unwrap(), &run.blinded, &evaluated, &mut run.rng)?;

    let public = run.key.public();
    let mut parts: Vec<Option<VerifierComposite>> = Vec::new();
    let mut decoded: Vec<DecodedElements> = Vec::new();
    for r in &ranges {
        let (part, elements) = verify_slice(&public, r.start, &run.blinded[r.clone()], &evaluated[r.clone()]).unwrap();
        assert_eq!((elements.offset(), elements.len()), (r.start, r.len()));
        assert!(!elements.is_empty());
        parts.push(Some(part));
        decoded.push(elements);
    }
    let merged = order.iter().filter_map(|i| parts[i % ranges.len()].take()).reduce(|a, b| b.merge(a));
    let verified = verify(&public, merged.unwrap(), &proof)?;
    let mut outputs = vec![[0; 64]; n];
    for (r, decoded) in ranges.iter().zip(&decoded) {
        let (inputs, blinds) = (&run.inputs[r.clone()], &run.blinds[r.clone()]);
        finalize_slice(&verified, inputs, blinds, decoded, &mut outputs[r.clone()])?;
    }
    Ok(outputs)
}

#[test]
fn gaps_overlaps_and_cut_ends_are_refused() {
    let mut run = batch(numbered(6), 11);
    let public = run.key.public();
    let part = |from: usize, to: usize| {
        let n = to - from;
        run.key.blind_evaluate_slice(from, &run.blinded[from..to], &mut vec![[0; 32]; n]).unwrap()
    };
    let mut rng = StdRng::seed_from_u64(1);
    for parts in [
        vec![(0, 2), (3, 6)],
        vec![(0, 4), (3, 6)],
        vec![(0, 3), (3, 6), (3, 6)],
        vec![(1, 6)],
        vec![(0, 5)],
        vec![(0, 6), (0, 6)],
        vec![(2, 4), (0, 2)],
    ] {
        let merged = parts.iter().map(|(a, b)| part(*a, *b)).reduce(Composite::merge).unwrap();
        let result = run.key.prove(merged, &run.blinded, &run.evaluated, &mut rng);
        assert_eq!(result.unwrap_err(), Error::Coverage, "{parts:?}");
        let merged = parts
            .iter()
            .map(|(a, b)| verify_slice(&public, *a, &run.blinded[*a..*b], &run.evaluated[*a..*b]).unwrap().0)
            .reduce(VerifierComposite::merge)
            .unwrap();
        // The verifier does not say how long the batch is: a cut end shows as a proof that does not hold.
        let error = verify(&public, merged, &run.proof).unwrap_err();
        assert!(matches!(error, Error::Coverage | Error::Proof), "{parts:?}");
    }
    // The right parts at wrong places are other sums.
    let wrong = |at: usize, n: usize| run.key.blind_evaluate_slice(at, &run.blinded[..n], &mut vec![[0; 32]; n]).unwrap();
    let merged = wrong(0, 3).merge(wrong(3, 3));
    let proof = run.key.prove(merged, &run.blinded, &run.evaluated, &mut rng).unwrap();
    let result = run.check(&public, &run.blinded, &run.evaluated, &proof);
    assert_eq!(result.unwrap_err(), Error::Proof);
    assert_eq!(sliced(&mut run, &[1, 4], &[2, 0, 1]).unwrap(), run.own());
}

#[test]
fn partial_sums_of_another_key_are_the_callers_mistake() {
    let run = batch(numbered(2), 12);
    let other = KeyPair::derive(&[3; 32], b"").unwrap();
    let part = |key: &KeyPair, at: usize| key.blind_evaluate_slice(at, &run.blinded[at..=at], &mut [[0; 32]]).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    for merged in [part(&run.key, 0).merge(part(&other, 1)), part(&other, 0).merge(part(&other, 1))] {
        let result = run.key.prove(merged, &run.blinded, &run.evaluated, &mut rng);
        assert_eq!(result.unwrap_err(), Error::OtherKey);
    }
    let (composite, _) = verify_slice(&other.public(), 0, &run.blinded, &run.evaluated).unwrap();
    assert_eq!(verify(&run.key.public(), composite, &run.proof).unwrap_err(), Error::OtherKey);
}

#[test]
fn a_proof_is_good_for_its_own_elements_only() {
    let run = batch(numbered(2), 13);
    let public = run.key.public();
    let check = || verify_slice(&public, 0, &run.blinded, &run.evaluated).unwrap();
    let (composite, decoded) = check();
    let (_, same_bytes) = check();
    // Elements that no proof covers: under another key.
    let other = KeyPair::derive(&[3; 32], b"").unwrap();
    let mut forged = vec![[0; 32]; 2];
    other.blind_evaluate_slice(0, &run.blinded, &mut forged).unwrap();
    let (_, unproved) = verify_slice(&public, 0, &run.blinded, &forged).unwrap();
    let verified = verify(&public, composite, &run.proof).unwrap();
    let mut out = vec![[0; 64]; 2];
    for elements in [&unproved, &same_bytes] {
        let result = finalize_slice(&verified, &run.inputs, &run.blinds, elements, &mut out);
        assert_eq!(result.unwrap_err(), Error::OtherBatch);
        assert_eq!(out, vec![[0; 64]; 2]);
    }
    finalize_slice(&verified, &run.inputs, &run.blinds, &decoded, &mut out).unwrap();
    assert_eq!(out, run.own());
}

#[test]
fn nonces_differ_with_randomness_and_with_the_batch() {
    let run = batch(numbered(2), 14);
    let prove = |blinded: &[[u8; 32]], seed: u64| {
        let mut out = vec![[0; 32]; blinded.len()];
        let composite = run.key.blind_evaluate_slice(0, blinded, &mut out).unwrap();
        run.key.prove(composite, blinded, &out, &mut StdRng::seed_from_u64(seed)).unwrap()
    };
    assert_eq!(prove(&run.blinded, 1), prove(&run.blinded, 1));
    assert_ne!(prove(&run.blinded, 1), prove(&run.blinded, 2));
    // A generator that repeats, over two batches. With one nonce for both, s - s' = -(c - c')·k would give the key away.
    let (a, b) = (prove(&run.blinded, 1), prove(&run.blinded[..1], 1));
    assert_ne!(a, b);
    let scalar = |bytes: &[u8]| curve25519_dalek::Scalar::from_canonical_bytes(bytes.try_into().unwrap()).unwrap();
    let (a, b) = (a.to_bytes(), b.to_bytes());
    let (dc, ds) = (scalar(&a[..32]) - scalar(&b[..32]), scalar(&a[32..]) - scalar(&b[32..]));
    let guess = -ds * dc.invert();
    assert_ne!(guess.to_bytes(), *run.key.secret().to_bytes());

    // And the test can fail: with one chosen nonce for both, it is the key.
    let mut nonce = [0; 32];
    nonce[0] = 77;
    let proofs = [2, 1].map(|n| {
        let blinded = &run.blinded[..n];
        let mut out = vec![[0; 32]; n];
        let composite = run.key.blind_evaluate_slice(0, blinded, &mut out).unwrap();
        hazmat::prove_with_nonce(&run.key, composite, blinded, &out, &nonce).unwrap().to_bytes()
    });
    let dc = scalar(&proofs[0][..32]) - scalar(&proofs[1][..32]);
    let ds = scalar(&proofs[0][32..]) - scalar(&proofs[1][32..]);
    assert_eq!((-ds * dc.invert()).to_bytes(), *run.key.secret().to_bytes());
}

#[test]
fn everything_can_be_sent_between_threads() {
    fn sendable<T: Send + Sync + 'static>() {}
    sendable::<KeyPair>();
    sendable::<Blind>();
    sendable::<Composite>();
    sendable::<VerifierComposite>();
    sendable::<DecodedElements>();
    sendable::<oblink_oprf::Verified>();
    sendable::<Error>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn finalize_equals_evaluate(
        inputs in prop::collection::vec(prop_oneof![
            4 => prop::collection::vec(any::<u8>(), 0..80),
            1 => prop::collection::vec(any::<u8>(), 0..5000),
        ], 1..12),
        seed: u64,
    ) {
        let run = batch(inputs, seed);
        prop_assert_eq!(run.outputs(), run.own());
    }

    #[test]
    fn any_split_in_any_order_gives_the_same(
        n in 1usize..300,
        cuts in prop::collection::btree_set(1usize..300, 0..6),
        order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        seed: u64,
    ) {
        let mut run = batch(numbered(n), seed);
        let cuts: Vec<_> = cuts.into_iter().filter(|cut| *cut < n).collect();
        prop_assert_eq!(sliced(&mut run, &cuts, &order).unwrap(), run.own());
        // The composite itself is the same: one nonce, one proof.
        let nonce = hazmat::blind_to_bytes(&run.blinds[0]);
        let mut whole_out = vec![[0; 32]; n];
        let whole = run.key.blind_evaluate_slice(0, &run.blinded, &mut whole_out).unwrap();
        let cut = cuts.first().copied().unwrap_or(n);
        let mut parts = run.key.blind_evaluate_slice(0, &run.blinded[..cut], &mut vec![[0; 32]; cut]).unwrap();
        if cut < n {
            let tail = run.key.blind_evaluate_slice(cut, &run.blinded[cut..], &mut vec![[0; 32]; n - cut]).unwrap();
            parts = tail.merge(parts);
        }
        prop_assert_eq!(
            hazmat::prove_with_nonce(&run.key, whole, &run.blinded, &whole_out, &nonce).unwrap(),
            hazmat::prove_with_nonce(&run.key, parts, &run.blinded, &whole_out, &nonce).unwrap()
        );
    }

    #[test]
    fn any_flipped_bit_is_refused(n in 1usize..20, what in 0usize..4, at: prop::sample::Index, bit in 0usize..512, seed: u64) {
        let run = batch(numbered(n), seed);
        let (mut blinded, mut evaluated, mut proof, mut public) =
            (run.blinded.clone(), run.evaluated.clone(), run.proof.to_bytes(), run.key.public().to_bytes());
        match what {
            0 => flip(&mut blinded[at.index(n)], bit),
            1 => flip(&mut evaluated[at.index(n)], bit),
            2 => flip(&mut proof, bit),
            _ => flip(&mut public, bit),
        }
        let result = PublicKey::from_bytes(&public).and_then(|public| {
            let proof = Proof::from_bytes(&proof)?;
            run.check(&public, &blinded, &evaluated, &proof)
        });
        prop_assert!(result.is_err());
    }

    #[test]
    fn proofs_and_keys_have_one_encoding(bytes: [u8; 64]) {
        if let Ok(proof) = Proof::from_bytes(&bytes) {
            prop_assert_eq!(proof.to_bytes(), bytes);
        }
        let mut half = [0; 32];
        half.copy_from_slice(&bytes[..32]);
        half[31] &= 0x1f;
        if let Ok(key) = KeyPair::from_secret_bytes(&half) {
            prop_assert_eq!(*key.secret().to_bytes(), half);
        }
        if let Ok(public) = PublicKey::from_bytes(&half) {
            prop_assert_eq!(public.to_bytes(), half);
        }
    }
}
