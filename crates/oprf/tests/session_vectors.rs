//! The elements, proofs and tags of protocol-spec/vectors/session.json.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use oblink_oprf::{BatchProof, Blind, KeyPair, PublicKey, additive, hazmat, verify_batch, verify_slice};
use serde_json::Value;
use sha2::{Digest, Sha512};

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap()).unwrap()
}

fn list<const N: usize>(value: &Value) -> Vec<[u8; N]> {
    value.as_array().unwrap().iter().map(|item| bytes(item).try_into().unwrap()).collect()
}

/// HMAC-SHA512 (RFC 2104) under a key of at most a block.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 64] {
    let mut block = [0; 128];
    block[..key.len()].copy_from_slice(key);
    let inner = Sha512::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message).finalize();
    Sha512::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().into()
}

/// The epoch's key (SPEC EPO-1).
fn epoch_key(inputs: &Value) -> KeyPair {
    let id = bytes(&inputs["epoch_id"]);
    let extracted = hmac(&[b"oblink/1/epoch".as_slice(), &id].concat(), &bytes(&inputs["epoch_seed"]));
    let seed = hmac(&extracted, b"oblink/1/epoch/key\x01");
    KeyPair::derive(seed[..32].try_into().unwrap(), &[b"oblink/1/epoch\0".as_slice(), &id].concat()).unwrap()
}

/// Blinded and evaluated elements, both proofs and the tags (SPEC BLD-3, BAT-6, UNB-1, TAG-1).
#[test]
fn elements_proofs_and_tags_of_the_session_vectors() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol-spec/vectors/session.json");
    let vectors: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    assert!(!cases.is_empty());
    for case in cases {
        let outputs = &case["outputs"];
        let key = epoch_key(&case["inputs"]);
        let public = PublicKey::from_bytes(&bytes(&outputs["public_key"]).try_into().unwrap()).unwrap();
        assert_eq!(public, key.public());
        let prepared = additive::PreparedPublicKey::new(&public);
        let tokens: Vec<Vec<u8>> = outputs["tokens"].as_array().unwrap().iter().map(bytes).collect();
        let blinds: Vec<Blind> = list(&outputs["blinds"]).iter().map(|blind| hazmat::blind_from_bytes(blind).unwrap()).collect();
        let tau = u32::try_from(outputs["tau"].as_u64().unwrap()).unwrap();
        let mut tags = Vec::new();
        let mut start = 0;
        for batch in outputs["batches"].as_array().unwrap() {
            let (blinded, evaluated) = (list(&batch["blinded"]), list(&batch["evaluated"]));
            let n = blinded.len();
            let (tokens, blinds) = (&tokens[start..start + n], &blinds[start..start + n]);
            start += n;

            let mut own = vec![[0; 32]; n];
            additive::blind_slice(tokens, blinds, &mut own).unwrap();
            assert_eq!(own, blinded);
            key.blind_evaluate_slice(0, &blinded, &mut own).unwrap();
            assert_eq!(own, evaluated);

            let proof = BatchProof::from_bytes(&bytes(&batch["proof"]).try_into().unwrap()).unwrap();
            let (composite, decoded) = verify_slice(&public, 0, &blinded, &evaluated).unwrap();
            let bound = verify_batch(&public, composite, &[&decoded], &blinded, &evaluated, &proof).unwrap();
            let mut out = vec![[0; 64]; n];
            additive::finalize_slice(&bound, &prepared, tokens, blinds, &decoded, &mut out).unwrap();
            let mut evaluation = vec![[0; 64]; n];
            key.evaluate_slice(tokens, &mut evaluation).unwrap();
            assert_eq!(out, evaluation);
            tags.extend(out.iter().map(|out| u128::from_be_bytes(*out.first_chunk().unwrap()) >> (128 - tau)));
        }
        assert_eq!(tags, list(&outputs["tags"]).into_iter().map(u128::from_be_bytes).collect::<Vec<_>>());
    }
}
