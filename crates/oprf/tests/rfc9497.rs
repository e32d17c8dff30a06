//! RFC 9497 appendix A for ristretto255-SHA512: OPRF (A.1.1) and VOPRF (A.1.2), batches of two included.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use oblink_oprf::{Blind, KeyPair, Mode, Proof, PublicKey, blind_slice, finalize_slice, hazmat, verify, verify_slice};
use serde_json::Value;

fn unhex<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

/// A field that holds a list, comma-separated.
fn list<const N: usize>(value: &Value) -> Vec<[u8; N]> {
    items(value).map(|item| item.try_into().unwrap()).collect()
}

fn items(value: &Value) -> impl Iterator<Item = Vec<u8>> {
    value.as_str().unwrap().split(',').map(|item| hex::decode(item).unwrap())
}

fn suite(mode: u64) -> Value {
    let all: Vec<Value> = serde_json::from_str(include_str!("vectors/rfc9497.json")).unwrap();
    all.into_iter().find(|suite| suite["identifier"] == "ristretto255-SHA512" && suite["mode"] == mode).unwrap()
}

fn blinds(vector: &Value) -> Vec<Blind> {
    list::<32>(&vector["Blind"]).iter().map(|blind| hazmat::blind_from_bytes(blind).unwrap()).collect()
}

#[test]
fn context_string_matches_the_group_tag() {
    for (mode, id) in [(Mode::Oprf, 0), (Mode::Voprf, 1)] {
        let tag = bytes(&suite(id)["groupDST"]);
        assert_eq!(tag, [b"HashToGroup-".as_slice(), &mode.context_string()].concat());
    }
}

#[test]
fn oprf() {
    let suite = suite(0);
    let key = hazmat::OprfKey::derive(&unhex(&suite["seed"]), &bytes(&suite["keyInfo"])).unwrap();
    assert_eq!(*key.to_bytes(), unhex::<32>(&suite["skSm"]));
    let vectors = suite["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 2);
    for vector in vectors {
        let inputs: Vec<_> = items(&vector["Input"]).collect();
        let n = inputs.len();
        let blinds = blinds(vector);
        let mut blinded = vec![[0; 32]; n];
        hazmat::oprf_blind_slice(&inputs, &blinds, &mut blinded).unwrap();
        assert_eq!(blinded, list(&vector["BlindedElement"]));
        let mut evaluated = vec![[0; 32]; n];
        key.blind_evaluate_slice(&blinded, &mut evaluated).unwrap();
        assert_eq!(evaluated, list(&vector["EvaluationElement"]));
        let mut outputs = vec![[0; 64]; n];
        hazmat::oprf_finalize_slice(&inputs, &blinds, &evaluated, &mut outputs).unwrap();
        assert_eq!(outputs, list(&vector["Output"]));
        let mut own = vec![[0; 64]; n];
        key.evaluate_slice(&inputs, &mut own).unwrap();
        assert_eq!(own, outputs);
    }
}

#[test]
fn voprf() {
    let suite = suite(1);
    let key = KeyPair::derive(&unhex(&suite["seed"]), &bytes(&suite["keyInfo"])).unwrap();
    assert_eq!(*key.secret().to_bytes(), unhex::<32>(&suite["skSm"]));
    assert_eq!(key.public().to_bytes(), unhex::<32>(&suite["pkSm"]));
    let public = PublicKey::from_bytes(&unhex(&suite["pkSm"])).unwrap();
    let vectors = suite["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    for vector in vectors {
        let inputs: Vec<_> = items(&vector["Input"]).collect();
        let n = inputs.len();
        assert_eq!(vector["Batch"], n);
        let blinds = blinds(vector);
        let mut blinded = vec![[0; 32]; n];
        blind_slice(&inputs, &blinds, &mut blinded).unwrap();
        assert_eq!(blinded, list(&vector["BlindedElement"]));

        let mut evaluated = vec![[0; 32]; n];
        let composite = key.blind_evaluate_slice(0, &blinded, &mut evaluated).unwrap();
        assert_eq!(evaluated, list(&vector["EvaluationElement"]));
        let nonce = unhex(&vector["Proof"]["r"]);
        let proof = hazmat::prove_with_nonce(&key, composite, &blinded, &evaluated, &nonce).unwrap();
        assert_eq!(proof.to_bytes(), unhex::<64>(&vector["Proof"]["proof"]));
        assert_eq!(Proof::from_bytes(&proof.to_bytes()).unwrap(), proof);

        let (composite, decoded) = verify_slice(&public, 0, &blinded, &evaluated).unwrap();
        let verified = verify(&public, composite, &proof).unwrap();
        assert_eq!(verified.count(), n);
        let mut outputs = vec![[0; 64]; n];
        finalize_slice(&verified, &inputs, &blinds, &decoded, &mut outputs).unwrap();
        assert_eq!(outputs, list(&vector["Output"]));
        let mut own = vec![[0; 64]; n];
        key.evaluate_slice(&inputs, &mut own).unwrap();
        assert_eq!(own, outputs);
    }
}
