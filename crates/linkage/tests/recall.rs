//! What the tokens of `us-exact-1` find in simulated data, by a plaintext join.
//!
//! The data is not part of the repository; without it the tests say so and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use oblink_linkage::{Name, NotSubmitted, Row, Ruleset, Side, TokenArena};

/// (person, true address); the address is empty where the truth has none.
type Truth = (String, String);

struct Set {
    truth: Vec<Truth>,
    tokens: Vec<Result<Vec<u8>, NotSubmitted>>,
}

fn data(set: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(set);
    if !path.join("pairs.csv").exists() {
        eprintln!("skipped: no data set {set}");
        return None;
    }
    Some(path)
}

fn load(dir: &Path, file: &str) -> Set {
    let mut truths = HashMap::new();
    for row in csv::Reader::from_path(dir.join(format!("{file}_truth.csv"))).unwrap().records() {
        let row = row.unwrap();
        let truth = (row[1].to_owned(), row.get(2).unwrap_or("").to_owned());
        truths.insert(row[0].to_owned(), truth);
    }
    let ruleset = Ruleset::by_name("us-exact-1").unwrap();
    let mut set = Set { truth: Vec::new(), tokens: Vec::new() };
    let show = std::env::var("SHOW_REFUSED").is_ok();
    for row in csv::Reader::from_path(dir.join(format!("{file}.csv"))).unwrap().records() {
        let row = row.unwrap();
        let mut arena = TokenArena::new();
        let input = Row {
            name: Name::Parts { given: &row[1], middle: &row[2], family: &row[3], suffix: "" },
            address: &row[4],
            unit: &row[5],
            city: &row[6],
            state: &row[7],
            postal_code: &row[8],
        };
        let result = ruleset.tokenize(Side::Verifier, &input, &mut arena);
        if show {
            let canonical = ruleset.canonicalize(&input);
            let line = canonical.map(|c| format!("{} {} | {}", c.get("given"), c.get("family"), c.get("delivery")));
            eprintln!("{line:?} <- {} {} | {}", &row[1], &row[3], &row[4]);
        }
        set.tokens.push(result.map(|()| arena.get(0).unwrap().to_vec()));
        set.truth.push(truths[&row[0]].clone());
    }
    set
}

struct Measured {
    recall: f64,
    precision: f64,
}

/// Recall over the pairs whose truth is held, precision over matches, both at `level`: a match is
/// right when some record of its token has the pair's truth.
fn measure(name: &str, dir: &Path, level: fn(&Truth) -> Truth) -> Measured {
    let (pairs, records) = (load(dir, "pairs"), load(dir, "records"));
    let held: HashSet<Truth> = records.truth.iter().map(level).collect();
    let mut sealed: HashMap<&[u8], HashSet<Truth>> = HashMap::new();
    for (token, truth) in records.tokens.iter().zip(&records.truth) {
        if let Ok(token) = token {
            sealed.entry(token).or_default().insert(level(truth));
        }
    }
    let (mut matched, mut right, mut present, mut submitted) = (0u32, 0u32, 0u32, 0u32);
    let mut reasons: BTreeMap<NotSubmitted, u32> = BTreeMap::new();
    for (token, truth) in pairs.tokens.iter().zip(&pairs.truth) {
        present += u32::from(held.contains(&level(truth)));
        match token {
            Err(reason) => *reasons.entry(*reason).or_default() += 1,
            Ok(token) => {
                submitted += 1;
                if let Some(found) = sealed.get(&token[..]) {
                    matched += 1;
                    right += u32::from(found.contains(&level(truth)));
                }
            }
        }
    }
    let recall = f64::from(right) / f64::from(present);
    let precision = f64::from(right) / f64::from(matched);
    eprintln!(
        "{name}: pairs {}, submitted {submitted}, held {present}, matched {matched}, right {right}, \
         R over held {recall:.4}, R over all pairs {:.4}, P {precision:.4}, not submitted {reasons:?}",
        pairs.tokens.len(),
        f64::from(right) / pairs.tokens.len() as f64,
    );
    Measured { recall, precision }
}

fn address_level(set: &str) {
    let Some(dir) = data(set) else { return };
    let found = measure(set, &dir, Clone::clone);
    assert!(found.recall >= 0.78, "{set}: recall {:.4}", found.recall);
    assert!(found.precision >= 0.998, "{set}: precision {:.4}", found.precision);
}

#[test]
fn households_at_address_level() {
    address_level("households");
}

#[test]
fn movers_at_address_level() {
    address_level("movers");
}

#[test]
fn febrl4_at_person_level() {
    let Some(dir) = data("febrl4") else { return };
    let found = measure("febrl4", &dir, |truth| (truth.0.clone(), String::new()));
    assert!(found.recall >= 0.17 && found.precision >= 0.999, "febrl4");
}
