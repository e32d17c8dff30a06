//! The address half of the canonicaliser `us-2`: its vectors, and what must hold of every line
//! (C-3 to C-5).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use std::path::Path;

use oblink_linkage::NotSubmitted;
use oblink_linkage::labelled::{self, Parts};
use proptest::prelude::*;
use serde_json::{Value, json};

fn vectors() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../protocol-spec/vectors/us-2-addresses.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'a>(vector: &'a Value, name: &str) -> &'a str {
    vector.get(name).map_or("", |v| v.as_str().unwrap())
}

/// What this crate makes of a vector's address and unit, in the vector's form.
fn outcome(vector: &Value) -> Value {
    let mut out = json!({ "kind": vector["kind"], "address": vector["address"] });
    if let Some(unit) = vector.get("unit") {
        out["unit"] = unit.clone();
    }
    match labelled::us_2(text(vector, "address"), text(vector, "unit")) {
        Ok(parts) => {
            let mut read = json!({ "is": parts.kind, "number": parts.number, "name": parts.name });
            for (name, part) in [("before", parts.before), ("type", parts.street_type), ("behind", parts.behind)] {
                if let Some(part) = part {
                    read[name] = json!(part);
                }
            }
            if !parts.unit.is_empty() {
                read["unit"] = json!(parts.unit);
            }
            out["read"] = read;
        }
        Err(reason) => out["reason"] = json!(reason.as_str()),
    }
    out
}

#[test]
fn every_vector_holds() {
    let file = vectors();
    let vectors = file["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 250);
    let wrong: Vec<String> = vectors
        .iter()
        .filter(|v| **v != outcome(v))
        .map(|v| {
            let got = outcome(v);
            let show = |v: &Value| v.get("reason").unwrap_or(&v["read"]).to_string();
            format!("{} {:?}: want {} got {}", v["address"], text(v, "unit"), show(v), show(&got))
        })
        .collect();
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Lines of one group are one delivery line; lines of different groups are not.
#[test]
fn groups_agree_within_and_differ_between() {
    let file = vectors();
    let line = |address: &Value| {
        let address = address.as_str().unwrap();
        let parts = labelled::us_2(address, "").unwrap_or_else(|reason| panic!("{address}: {reason:?}"));
        (parts.written, parts.unit)
    };
    for set in file["agree"].as_array().unwrap() {
        let set: Vec<_> = set.as_array().unwrap().iter().map(|a| (a, line(a))).collect();
        assert!(set.windows(2).all(|w| w[0].1 == w[1].1), "{set:?}");
    }
    for set in file["differ"].as_array().unwrap() {
        let set: Vec<_> = set.as_array().unwrap().iter().map(|a| line(a).0).collect();
        for (i, a) in set.iter().enumerate() {
            assert!(!set[i + 1..].contains(a), "{set:?}");
        }
    }
}

/// Prints the file anew from its own rows; never for a released canonicaliser:
/// `cargo test -p oblink-linkage --test us_2_addresses -- --ignored --nocapture`
#[test]
#[ignore = "prints the vectors, checks nothing"]
fn print_vectors() {
    let file = vectors();
    let vectors: Vec<Value> = file["vectors"].as_array().unwrap().iter().map(outcome).collect();
    let new = json!({
        "canonicaliser": "us-2",
        "vectors": vectors,
        "agree": file["agree"],
        "differ": file["differ"],
    });
    println!("{}", serde_json::to_string_pretty(&new).unwrap());
}

const WORDS: &[&str] = &[
    "12",
    "0012",
    "12a",
    "12-14",
    "10-72",
    "112-15a",
    "1/2",
    "½",
    "34th",
    "34",
    "1st",
    "08th",
    "64z7",
    "l2",
    "1o5",
    "z344",
    "one",
    "twenty",
    "first",
    "n",
    "north",
    "no",
    "so",
    "nroth",
    "e",
    "ne",
    "n.w.",
    "s",
    "main",
    "oak",
    "h1ll",
    "vil1age",
    "old",
    "five",
    "mile",
    "ave",
    "avenue",
    "avneue",
    "a",
    "b",
    "street",
    "st",
    "blvd",
    "park",
    "pl",
    "way",
    "ridge",
    "ln",
    "la",
    "rd",
    "saint",
    "stmarks",
    "louis",
    "mt",
    "apt",
    "ap",
    "#",
    "#4",
    "4b",
    "unit",
    "fl",
    "2nd",
    "floor",
    "fl2",
    "bldg",
    "building",
    "rear",
    "front",
    "lot",
    "box",
    "po",
    "p.o.",
    "post",
    "office",
    "drawer",
    "lockbox",
    "dept",
    "rr",
    "rr2",
    "hc",
    "route",
    "rt",
    "highway",
    "hwy",
    "us",
    "u.s.",
    "county",
    "co",
    "state",
    "sr",
    "fm",
    "i95",
    "interstate",
    "psc",
    "cmr",
    "apo",
    "ae",
    "springfield",
    "il",
    "ct",
    "new",
    "york",
    "62704",
    "62704-1234",
    "usa",
    ",",
    ",",
    ",",
    "e167th",
    "34ave",
    "219e",
    "121st",
    "n6w23001",
    "w206n",
    "w16282",
    "w",
    "6",
    "calle",
    "luna",
    "urb",
    "las",
    "carr",
    "km",
    "12.3",
    "via",
    "suite",
    "ste",
    "martin",
    "luther",
    "king",
    "jr",
    "dr",
    "mlk",
    "|",
    "room",
    "tower",
    "5",
    "d",
    "c/o",
    "the",
    "of",
    "o",
    "p0",
    "xx",
    "-",
    "/",
];

fn lines(most: usize) -> impl Strategy<Value = String> {
    let word = (prop::sample::select(WORDS), prop::sample::select(&[" ", " ", " ", " ", "", "-", ", "][..]));
    prop::collection::vec(word, 0..most).prop_map(|parts| parts.into_iter().flat_map(|(w, sep)| [w, sep]).collect())
}

fn check(address: &str, unit: &str) -> Result<(), TestCaseError> {
    let read: Result<Parts, NotSubmitted> = labelled::us_2(address, unit);
    for (a, u) in [(address.to_lowercase(), unit.to_lowercase()), (format!(" {address}\t"), format!("  {unit} "))] {
        prop_assert_eq!(&read, &labelled::us_2(&a, &u));
    }
    let Ok(parts) = read else { return Ok(()) };
    prop_assert!(!parts.number.is_empty() && !parts.name.is_empty());
    prop_assert!(parts.number.bytes().any(|b| b.is_ascii_alphanumeric()));
    let plain = |text: &str| text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b" -/.".contains(&b));
    prop_assert!(plain(&parts.written) && plain(&parts.unit));
    // What is written is read as itself, and so is a unit that is a number.
    let again = labelled::us_2(&parts.written, &parts.unit);
    let again = again.map_err(|reason| TestCaseError::fail(format!("{:?} {:?}", parts.written, reason)))?;
    prop_assert_eq!(&parts.written, &again.written);
    let number = parts.unit.strip_prefix("fl").unwrap_or(&parts.unit);
    let letters = number.trim_start_matches(|c: char| c.is_ascii_digit());
    if letters.len() < number.len() && (letters.is_empty() || (letters.len() == 1 && number == parts.unit)) {
        prop_assert_eq!(&parts.unit, &again.unit, "{}", parts.written);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn lines_are_read_as_they_are_written(address in lines(10), unit in lines(4)) {
        check(&address, &unit)?;
    }

    #[test]
    fn numbered_lines_are_read_as_they_are_written(start in lines(2), address in lines(8)) {
        check(&format!("12 {address}"), "")?;
        check(&format!("{start} 12 Main St {address}"), "")?;
        check(&format!("{start} 12 Broadway, {address}"), "")?;
        check(&format!("{start} PO Box 12 {address}"), "")?;
    }

    #[test]
    fn any_text_is_read_or_refused(address in any::<String>(), unit in any::<String>(), ascii in "[ -~]{0,60}") {
        check(&address, &unit)?;
        check(&ascii, "")?;
        check(&format!("12 {ascii}"), &ascii)?;
    }
}
