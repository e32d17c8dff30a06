//! The examples of protocol-spec/vectors/sealed-set.json, which were written by another program than this one.

use serde_json::Value;

use super::*;

fn bytes<const N: usize>(value: &Value) -> [u8; N] {
    hex::decode(value.as_str().unwrap()).unwrap().try_into().unwrap()
}

/// SET-1, SET-2, SET-3, TAG-1, TAG-2
#[test]
fn the_vectors_are_regenerated_byte_for_byte() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocol-spec/vectors/sealed-set.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(vectors["format"], "oblink/vectors/sealed-set/1");
    let cases = vectors["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let name = case["name"].as_str().unwrap();
        let number = |value: &Value| value.as_u64().unwrap();
        let stated = &case["parameters"];
        let parameters = SetParameters {
            suite: u16::try_from(number(&stated["suite"])).unwrap(),
            tokens_per_pair: u16::try_from(number(&stated["tokens_per_pair"])).unwrap(),
            as_of: u32::try_from(number(&stated["as_of"])).unwrap(),
            session_tokens_max: number(&stated["session_tokens_max"]),
            epoch_id: bytes(&stated["epoch_id"]),
            ruleset_digest: bytes(&stated["ruleset_digest"]),
            public_key: bytes(&stated["public_key"]),
        };
        let values: Vec<u128> = match case["generated"].as_u64() {
            Some(count) => (0..count).map(prefix).collect(),
            None => case["prefixes"].as_array().unwrap().iter().map(|value| u128::from_be_bytes(bytes(value))).collect(),
        };
        let dir = tempfile::tempdir().unwrap();
        let set = seal(dir.path(), &values, &parameters).unwrap();
        let file = std::fs::read(set.path()).unwrap();
        assert_eq!(u64::from(set.offer().descriptor.tau.to_byte()), number(&case["tau"]), "{name}");
        assert_eq!(u64::from(file[11]), number(&case["rice"]), "{name}");
        assert_eq!(set.offer().descriptor.declared_tags, number(&case["declared_tags"]), "{name}");
        assert_eq!(set.offer().descriptor.tags, number(&case["tags"]), "{name}");
        assert_eq!(set.offer().set_bytes, number(&case["set_bytes"]), "{name}");
        if let Some(written) = case["file"].as_str() {
            assert_eq!(hex::encode(&file), written, "{name}");
        }
        assert_eq!(hex::encode(set.offer().set_id), case["set_id"].as_str().unwrap(), "{name}");
    }
}
