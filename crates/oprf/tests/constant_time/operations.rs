//! Operations on secrets, as a peer runs them, and operations that must not be run on secrets.

use core::cell::RefCell;
use core::hint::black_box;

use oblink_oprf::{
    Blind, BoundBatch, Composite, DecodedElements, KeyPair, additive, blind_slice, finalize_slice, hazmat, verify_batch, verify_slice,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// What must be the same for all secrets.
pub(crate) const ALL: [&str; 7] =
    ["evaluate", "blind-multiplicatively", "blind-additively", "blind-evaluate", "prove", "unblind-multiplicatively", "unblind-additively"];
/// What must be noticed.
pub(crate) const CONTROLS: [&str; 3] = ["control-branch", "control-index", "control-decode"];

/// A group of four lanes and a part of one; a part of one of eight.
const ITEMS: usize = 5;

/// A session's state, made of one number.
pub(crate) struct Session {
    key: KeyPair,
    base_key: hazmat::OprfKey,
    inputs: Vec<Vec<u8>>,
    blinds: Vec<Blind>,
    blinded: Vec<[u8; 32]>,
    evaluated: Vec<[u8; 32]>,
    /// For two runs of the prover, which takes one each time.
    composites: RefCell<Vec<Composite>>,
    bound: BoundBatch,
    decoded: DecodedElements,
    prepared: additive::PreparedPublicKey,
}

impl Session {
    pub(crate) fn new(secret: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(secret);
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let key = KeyPair::derive(&seed, b"constant time").unwrap();
        let base_key = hazmat::OprfKey::from_secret_bytes(&key.secret().to_bytes()).unwrap();
        let inputs: Vec<Vec<u8>> = (0..ITEMS)
            .map(|_| {
                let mut input = vec![0; 40];
                rng.fill_bytes(&mut input);
                input
            })
            .collect();
        let blinds: Vec<Blind> = (0..ITEMS).map(|_| Blind::random(&mut rng)).collect();
        let (mut blinded, mut evaluated) = (vec![[0; 32]; ITEMS], vec![[0; 32]; ITEMS]);
        additive::blind_slice(&inputs, &blinds, &mut blinded).unwrap();
        let mut composite = || key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
        let (composite, composites) = (composite(), vec![composite(), composite()]);
        let proof = key.prove_batch(composite, &blinded, &evaluated, &mut rng).unwrap();
        let (composite, decoded) = verify_slice(&key.public(), 0, &blinded, &evaluated).unwrap();
        let bound = verify_batch(&key.public(), composite, &[&decoded], &blinded, &evaluated, &proof).unwrap();
        let prepared = additive::PreparedPublicKey::new(&key.public());
        Self { key, base_key, inputs, blinds, blinded, evaluated, composites: RefCell::new(composites), bound, decoded, prepared }
    }

    /// Where all that is secret lies: addresses and lengths.
    pub(crate) fn secrets(&self) -> Vec<(*const u8, usize)> {
        let mut places: Vec<(*const u8, usize)> = self.inputs.iter().map(|input| (input.as_ptr(), input.len())).collect();
        for blind in &self.blinds {
            // A scalar's 32 bytes and nothing else.
            assert_eq!(size_of_val(blind), 32);
            places.push(((&raw const *blind).cast(), 32));
        }
        let secret = *self.key.secret().to_bytes();
        let keys = [
            ((&raw const self.key).cast::<u8>(), size_of_val(&self.key)),
            ((&raw const self.base_key).cast(), size_of_val(&self.base_key)),
        ];
        places.extend(keys.map(|(place, len)| (place.wrapping_add(super::undefined::find(place, len, &secret)), secret.len())));
        places
    }

    /// Runs the operation, and gives its results' bytes.
    pub(crate) fn run(&self, operation: &str) -> Vec<u8> {
        let (mut elements, mut outputs) = ([[0; 32]; ITEMS], [[0; 64]; ITEMS]);
        match operation {
            "evaluate" => self.key.evaluate_slice(&self.inputs, &mut outputs).unwrap(),
            "blind-multiplicatively" => blind_slice(&self.inputs, &self.blinds, &mut elements).unwrap(),
            "blind-additively" => additive::blind_slice(&self.inputs, &self.blinds, &mut elements).unwrap(),
            // Without the composite, whose weights are made of the results: public, and taken for secrets here.
            "blind-evaluate" => self.base_key.blind_evaluate_slice(&self.blinded, &mut elements).unwrap(),
            "prove" => return self.prove(),
            "unblind-multiplicatively" => finalize_slice(&self.bound, &self.inputs, &self.blinds, &self.decoded, &mut outputs).unwrap(),
            "unblind-additively" => {
                additive::finalize_slice(&self.bound, &self.prepared, &self.inputs, &self.blinds, &self.decoded, &mut outputs).unwrap();
            }
            // Branches whose sides no compiler makes one.
            "control-branch" => {
                for byte in &self.inputs[0] {
                    elements[0][0] ^= if black_box(*byte) & 1 == 1 { black_box(1) } else { black_box(2) + black_box(3) };
                }
            }
            "control-index" => elements[0][0] = black_box([1_u8; 256])[usize::from(self.inputs[0][0])],
            "control-decode" => {
                let secret: Vec<[u8; 32]> = self.inputs.iter().map(|input| *input.first_chunk().unwrap()).collect();
                elements[0][0] = verify_slice(&self.key.public(), 0, &self.blinded, &secret).is_ok().into();
            }
            other => panic!("no operation {other}"),
        }
        [elements.as_flattened(), outputs.as_flattened()].concat()
    }

    fn prove(&self) -> Vec<u8> {
        let composite = self.composites.borrow_mut().pop().unwrap();
        self.key.prove(composite, &self.blinded, &self.evaluated, &mut StdRng::seed_from_u64(1)).unwrap().to_bytes().to_vec()
    }
}
