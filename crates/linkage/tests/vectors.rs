//! The worked vectors of `us-exact-1`: every row's canonical fields and token, or its reason.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use oblink_linkage::{Name, NotSubmitted, Row, Ruleset, Side, TokenArena};
use serde_json::{Value, json};

fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-spec/vectors/us-exact-1.json")
}

fn vectors() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

fn row(vector: &Value) -> Row<'_> {
    let column = |name: &str| vector["row"].get(name).map_or("", |v| v.as_str().unwrap());
    Row {
        name: match vector["row"].get("name") {
            Some(whole) => Name::Whole(whole.as_str().unwrap()),
            None => Name::Parts {
                given: column("given_name"),
                middle: column("middle_name"),
                family: column("family_name"),
                suffix: column("suffix"),
            },
        },
        address: column("address"),
        unit: column("unit"),
        city: column("city"),
        state: column("state"),
        postal_code: column("postal_code"),
    }
}

/// What this crate makes of a vector's row, in the vector's form.
fn outcome(vector: &Value) -> Value {
    let ruleset = Ruleset::by_name("us-exact-1").unwrap();
    let row = row(vector);
    let mut arena = TokenArena::new();
    let mut out = json!({ "id": vector["id"], "kind": vector["kind"], "row": vector["row"] });
    match (ruleset.canonicalize(&row), ruleset.tokenize(Side::Verifier, &row, &mut arena)) {
        (Ok(fields), Ok(())) => {
            out["canonical"] = json!({
                "given": fields.get("given"),
                "family": fields.get("family"),
                "delivery": fields.get("delivery"),
                "zip5": fields.get("zip5"),
            });
            out["token"] = json!(hex::encode(arena.get(0).unwrap()));
        }
        (Err(a), Err(b)) if a == b => out["reason"] = json!(a.as_str()),
        _ => panic!("canonicalize and tokenize disagree"),
    }
    out
}

#[test]
fn every_vector_holds() {
    let file = vectors();
    let digest = hex::encode(Ruleset::by_name("us-exact-1").unwrap().digest());
    assert_eq!(file["digest"], json!(digest));
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 200);
    let wrong: Vec<String> = vectors
        .iter()
        .filter(|v| **v != outcome(v))
        .map(|v| {
            let got = outcome(v);
            let show = |v: &Value| v.get("reason").unwrap_or(&v["canonical"]).to_string();
            format!("{} {}: want {} got {}", v["id"], v["row"], show(v), show(&got))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn pairs_that_must_differ_do() {
    let file = vectors();
    let by_id: HashMap<u64, &Value> = file["vectors"].as_array().unwrap().iter().map(|v| (v["id"].as_u64().unwrap(), v)).collect();
    let pairs = file["different"].as_array().unwrap();
    assert!(pairs.len() >= 20);
    for pair in pairs {
        let token = |i: usize| outcome(by_id[&pair[i].as_u64().unwrap()])["token"].clone();
        assert!(token(0).is_string() && token(1).is_string(), "{pair} has no token");
        assert_ne!(token(0), token(1), "{pair}");
    }
}

#[test]
fn every_reason_has_a_vector_and_a_stable_code() {
    let file = vectors();
    let seen: HashSet<&str> =
        file["vectors"].as_array().unwrap().iter().filter_map(|v| v.get("reason")).map(|r| r.as_str().unwrap()).collect();
    let all: HashSet<&str> = NotSubmitted::ALL.iter().map(|r| r.as_str()).collect();
    assert_eq!(seen, all);
    assert_eq!(all.len(), NotSubmitted::ALL.len());
}

/// Prints the file anew from its own rows; for a new ruleset version, never for a released one:
/// `cargo test -p oblink-linkage --test vectors -- --ignored --nocapture`
#[test]
#[ignore = "prints the vectors, checks nothing"]
fn print_vectors() {
    let file = vectors();
    let ruleset = Ruleset::by_name("us-exact-1").unwrap();
    let vectors: Vec<Value> = file["vectors"].as_array().unwrap().iter().map(outcome).collect();
    let new = json!({
        "ruleset": ruleset.name(),
        "digest": hex::encode(ruleset.digest()),
        "vectors": vectors,
        "different": file["different"],
    });
    println!("{}", serde_json::to_string_pretty(&new).unwrap());
}
