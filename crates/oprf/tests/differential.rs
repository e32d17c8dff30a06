//! Beside the `voprf` crate: the same keys, elements and outputs, and each side's proofs hold for the other.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use oblink_oprf::{Blind, KeyPair, Proof, blind_slice, finalize_slice, hazmat, verify, verify_slice};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use voprf::{BlindedElement, EvaluationElement, Ristretto255, VoprfClient, VoprfServer};

type TheirVerifier = VoprfClient<Ristretto255>;
type TheirHolder = VoprfServer<Ristretto255>;

/// Our random source under the traits that `voprf` knows.
struct Old(StdRng);

impl rand_core_06::RngCore for Old {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }
    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core_06::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core_06::CryptoRng for Old {}

/// A `Vec`, because `voprf` takes no slices.
#[allow(clippy::ptr_arg)]
fn compare(inputs: &Vec<Vec<u8>>, seed: u64) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut key_seed = [0; 32];
    rng.fill_bytes(&mut key_seed);
    let n = inputs.len();

    let key = KeyPair::derive(&key_seed, b"differential").unwrap();
    let holder = TheirHolder::new_from_seed(&key_seed, b"differential").unwrap();
    let mut pair = holder.serialize().to_vec();
    assert_eq!(pair.split_off(32), key.public().to_bytes());
    assert_eq!(pair, *key.secret().to_bytes());

    let blinds: Vec<_> = (0..n).map(|_| Blind::random(&mut rng)).collect();
    let mut blinded = vec![[0; 32]; n];
    blind_slice(inputs, &blinds, &mut blinded).unwrap();
    let verifiers: Vec<TheirVerifier> = blinds
        .iter()
        .zip(&blinded)
        .map(|(blind, element)| {
            let state = [hazmat::blind_to_bytes(blind).as_slice(), element].concat();
            TheirVerifier::deserialize(&state).unwrap()
        })
        .collect();

    // Ours evaluates, theirs finalises.
    let mut evaluated = vec![[0; 32]; n];
    let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
    let proof = key.prove(composite, &blinded, &evaluated, &mut rng).unwrap();
    let messages: Vec<_> = evaluated.iter().map(|element| EvaluationElement::<Ristretto255>::deserialize(element).unwrap()).collect();
    let their_proof = voprf::Proof::deserialize(&proof.to_bytes()).unwrap();
    let their_outputs: Vec<_> = TheirVerifier::batch_finalize(inputs, &verifiers, &messages, &their_proof, holder.get_public_key())
        .unwrap()
        .map(|output| output.unwrap())
        .collect();

    // Theirs evaluates, ours finalises.
    let elements: Vec<_> = blinded.iter().map(|element| BlindedElement::<Ristretto255>::deserialize(element).unwrap()).collect();
    let answer = holder.batch_blind_evaluate(&mut Old(StdRng::seed_from_u64(seed)), &elements).unwrap();
    for (ours, theirs) in evaluated.iter().zip(&answer.messages) {
        assert_eq!(theirs.serialize()[..], ours[..]);
    }
    let proof = Proof::from_bytes(&answer.proof.serialize()[..].try_into().unwrap()).unwrap();
    let (composite, decoded) = verify_slice(&key.public(), 0, &blinded, &evaluated).unwrap();
    let verified = verify(&key.public(), composite, &proof).unwrap();
    let mut outputs = vec![[0; 64]; n];
    finalize_slice(&verified, inputs, &blinds, &decoded, &mut outputs).unwrap();

    for ((input, ours), theirs) in inputs.iter().zip(&outputs).zip(&their_outputs) {
        assert_eq!(theirs[..], ours[..]);
        assert_eq!(holder.evaluate(input).unwrap()[..], ours[..]);
    }
}

#[test]
fn their_blinded_elements_are_ours() {
    let mut rng = Old(StdRng::seed_from_u64(5));
    for input in [b"".as_slice(), b"a", &[0x5a; 300]] {
        let theirs = TheirVerifier::blind(input, &mut rng).unwrap();
        let state = theirs.state.serialize();
        let blind = hazmat::blind_from_bytes(&state[..32].try_into().unwrap()).unwrap();
        let mut blinded = [[0; 32]];
        blind_slice(&[input], &[blind], &mut blinded).unwrap();
        assert_eq!(theirs.message.serialize()[..], blinded[0]);
    }
}

#[test]
fn longest_input_and_chunk_boundaries() {
    compare(&vec![vec![3; 65_535], vec![]], 1);
    for n in [127, 128, 129, 300] {
        let inputs: Vec<_> = (0..n).map(|i: u32| i.to_be_bytes().to_vec()).collect();
        compare(&inputs, u64::from(n));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn both_implementations_agree(
        inputs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 1..10),
        seed: u64,
    ) {
        compare(&inputs, seed);
    }
}
