//! The worked vectors of the keyed rulesets (C-7, C-44 to C-60, K-2, K-10 to K-33): every row's parts and tokens, or its
//! reason, on either side; which rows meet and which do not.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use oblink_linkage::{ExplainedToken, Name, NotSubmitted, Place, Row, Ruleset, Side, TokenArena, labelled};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

const RULESETS: [&str; 3] = ["us-confirm-1", "us-confirm-wide-1", "us-find-1"];
const SIDES: [(&str, Side); 3] =
    [("verifier", Side::Verifier), ("quiet", Side::Holder(Place::Quiet)), ("crowded", Side::Holder(Place::Crowded))];

/// A ruleset of the test's own, to read a family name's words out of.
const WORDS: &str = "format = \"oblink/ruleset/1\"\nname = \"words\"\nclass = \"find-person\"\ncanonicaliser = \"us-2\"\n\
                     tokens_per_pair = 64\npair_family = \"may-lack\"\n[[rule]]\nnumber = 1\nname = \"words\"\n\
                     fields = [\"given\", \"family.words\", \"zip\"]\nmiddle = \"ignored\"\nsuffix = \"ignored\"\npair_values_max = 24\n";

fn spec() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-spec")
}

fn path() -> PathBuf {
    spec().join("vectors/us-keyed.json")
}

fn vectors() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

fn ruleset(name: &str) -> &'static Ruleset {
    Ruleset::by_name(name).unwrap()
}

fn column<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector["row"].get(name).map_or("", |v| v.as_str().unwrap())
}

fn row(vector: &Value) -> Row<'_> {
    Row {
        name: match vector["row"].get("name") {
            Some(whole) => Name::Whole(whole.as_str().unwrap()),
            None => Name::Parts {
                given: column(vector, "given_name"),
                middle: column(vector, "middle_name"),
                family: column(vector, "family_name"),
                suffix: column(vector, "suffix"),
            },
        },
        address: column(vector, "address"),
        unit: column(vector, "unit"),
        city: "",
        state: "",
        postal_code: column(vector, "postal_code"),
    }
}

fn tokens(ruleset: &Ruleset, side: Side, row: &Row<'_>) -> Result<Vec<Vec<u8>>, NotSubmitted> {
    let mut arena = TokenArena::new();
    ruleset.tokenize(side, row, &mut arena)?;
    Ok(arena.iter().map(<[u8]>::to_vec).collect())
}

/// What this crate makes of a vector's row, in the vector's form.
fn outcome(vector: &Value, full: bool) -> Value {
    let row = row(vector);
    let mut out = json!({ "id": vector["id"], "kind": vector["kind"], "row": vector["row"] });
    // Of the three, us-find-1 does with the least: what others refuse besides is said of each.
    match ruleset("us-find-1").canonicalize(&row) {
        Ok(canonical) => {
            let parts: Map<String, Value> = canonical.parts().iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            out["parts"] = Value::Object(parts);
            let kind = labelled::us_2(row.address, row.unit)
                .map_or(if canonical.get("number").is_empty() { "" } else { "street" }, |line| line.kind);
            out["line"] = json!(kind);
            let words: Vec<ExplainedToken> = Ruleset::from_toml(WORDS).unwrap().explain(&row).unwrap_or_default();
            out["family_words"] = json!(words.iter().map(|token| &token.values[1]).collect::<Vec<_>>());
        }
        Err(reason) => out["reason"] = json!(reason.as_str()),
    }
    for name in RULESETS {
        for (side_name, side) in SIDES {
            let given = match tokens(ruleset(name), side, &row) {
                Err(reason) => json!({ "reason": reason.as_str() }),
                Ok(tokens) => {
                    let mut hash = Sha256::new();
                    for token in &tokens {
                        hash.update(u16::try_from(token.len()).unwrap().to_be_bytes());
                        hash.update(token);
                    }
                    let mut given = json!({ "tokens": tokens.len(), "sha256": hex::encode(hash.finalize()) });
                    // A pair's in full, but of the ruleset with the most: the file stays small.
                    if full && side == Side::Verifier && name != "us-find-1" {
                        given["hex"] = json!(tokens.iter().map(hex::encode).collect::<Vec<_>>());
                    }
                    given
                }
            };
            out[name][side_name] = given;
        }
    }
    out
}

fn is_full(file: &Value, vector: &Value) -> bool {
    file["full"].as_array().unwrap().contains(&vector["id"])
}

/// The digest of the edition's tables (C-2), from the files themselves.
fn edition_digest() -> String {
    let mut files: Vec<PathBuf> = std::fs::read_dir(spec().join("rulesets/us-2")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut hash = Sha256::new();
    hash.update(b"oblink/1/canonicaliser\0");
    for file in files {
        for part in [file.file_name().unwrap().to_str().unwrap().as_bytes(), &std::fs::read(&file).unwrap()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    hex::encode(hash.finalize())
}

fn digests() -> Value {
    RULESETS.iter().map(|name| ((*name).to_owned(), json!(hex::encode(ruleset(name).digest())))).collect::<Map<_, _>>().into()
}

/// C-2, K-2: what is released does not change.
#[test]
fn digests_are_those_of_the_vectors() {
    let file = vectors();
    assert_eq!(file["edition_digest"], json!(edition_digest()));
    assert_eq!(file["digests"], digests());
    for text in ["CANONICALISER-us-2.md", "RULESETS-keyed.md"] {
        assert!(std::fs::read_to_string(spec().join(text)).unwrap().contains(&edition_digest()), "{text}");
    }
    let text = std::fs::read_to_string(spec().join("RULESETS-keyed.md")).unwrap();
    for name in RULESETS {
        assert!(text.contains(&hex::encode(ruleset(name).digest())), "{name}");
    }
}

/// What the text publishes is what the programs print (K-50).
#[test]
fn the_text_has_every_predicate() {
    let text = std::fs::read_to_string(spec().join("RULESETS-keyed.md")).unwrap();
    for name in RULESETS {
        for rule in ruleset(name).rules() {
            assert!(text.contains(&rule.predicate), "{name} rule {}: {}", rule.number, rule.predicate);
        }
    }
}

#[test]
fn every_vector_holds() {
    let file = vectors();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 120);
    let wrong: Vec<String> = vectors
        .iter()
        .filter(|v| **v != outcome(v, is_full(&file, v)))
        .map(|v| format!("{}: got {}", v["id"], outcome(v, false)))
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let ids: HashSet<&str> = vectors.iter().map(|v| v["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), vectors.len());
}

/// Of rows that meet, a pair's and a record's tokens have one in common, of rows apart none (K-20, K-30).
#[test]
fn rows_meet_and_stay_apart() {
    let file = vectors();
    let by_id: HashMap<&str, &Value> = file["vectors"].as_array().unwrap().iter().map(|v| (v["id"].as_str().unwrap(), v)).collect();
    let mut wrong = Vec::new();
    for (list, want, least) in [("meet", true, 100), ("apart", false, 50)] {
        let cases = file[list].as_array().unwrap();
        assert!(cases.len() >= least, "{list}");
        for case in cases {
            let ruleset = ruleset(case["ruleset"].as_str().unwrap());
            let of = |role: &str, side| tokens(ruleset, side, &row(by_id[case[role].as_str().unwrap()])).unwrap_or_default();
            let record: HashSet<Vec<u8>> = of("record", Side::Holder(Place::Quiet)).into_iter().collect();
            if of("pair", Side::Verifier).iter().any(|token| record.contains(token)) != want {
                wrong.push(format!("{list}: {case}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Every reason that a keyed ruleset gives has a row.
#[test]
fn every_reason_has_a_vector() {
    let file = vectors();
    let mut seen = HashSet::new();
    for vector in file["vectors"].as_array().unwrap() {
        for (name, side) in RULESETS.iter().flat_map(|name| SIDES.iter().map(move |(side, _)| (name, side))) {
            seen.extend(vector[*name][*side].get("reason").map(|reason| reason.as_str().unwrap()));
        }
    }
    assert_eq!(seen, NotSubmitted::ALL.iter().map(|reason| reason.as_str()).collect());
}

/// Writes the file anew from its own rows, never for released rulesets:
/// `OBLINK_WRITE_VECTORS=1 cargo test -p oblink-linkage --test keyed_vectors -- --ignored`
#[test]
#[ignore = "writes the vectors, checks nothing"]
fn write_vectors() {
    if std::env::var_os("OBLINK_WRITE_VECTORS").is_none() {
        return;
    }
    let file = vectors();
    let vectors: Vec<Value> = file["vectors"].as_array().unwrap().iter().map(|v| outcome(v, is_full(&file, v))).collect();
    let lines = |values: &[Value]| values.iter().map(Value::to_string).collect::<Vec<_>>().join(",\n");
    let list = |name: &str| lines(file[name].as_array().unwrap());
    let text = format!(
        "{{\"canonicaliser\":\"us-2\",\n\"edition_digest\":{},\n\"digests\":{},\n\"full\":{},\n\"vectors\":[\n{}\n],\n\"meet\":[\n{}\n],\n\"apart\":[\n{}\n]}}\n",
        json!(edition_digest()),
        digests(),
        file["full"],
        lines(&vectors),
        list("meet"),
        list("apart")
    );
    std::fs::write(path(), text).unwrap();
}

/// Prints the tables of RULESETS-keyed.md.
#[test]
#[ignore = "prints the rules, checks nothing"]
fn print_rules() {
    for name in RULESETS {
        let ruleset = ruleset(name);
        println!(
            "`{name}` {} {} {:?} {}",
            ruleset.class().as_str(),
            ruleset.tokens_per_pair(),
            ruleset.crowd_max(),
            hex::encode(ruleset.digest())
        );
        for rule in ruleset.rules() {
            println!("| {} | {} | `{}` | {} |", rule.number, rule.name, rule.fields.join("`, `"), rule.predicate);
        }
    }
}
