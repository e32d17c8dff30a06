//! What the rulesets find in simulated data, by a plaintext join.
//!
//! The data is not part of the repository; without it the tests say so and pass.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use oblink_linkage::{Name, NotSubmitted, Place, Row, Ruleset, Side, TokenArena};

/// (person, true address); the address is empty where the truth has none.
type Truth = (String, String);

type Tokens = Result<Vec<Vec<u8>>, NotSubmitted>;

struct Set {
    truth: Vec<Truth>,
    tokens: Vec<Tokens>,
}

fn data(set: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data").join(set);
    if !path.join("pairs.csv").exists() {
        eprintln!("skipped: no data set {set}");
        return None;
    }
    Some(path)
}

fn row(fields: &csv::StringRecord) -> Row<'_> {
    Row {
        name: Name::Parts { given: &fields[1], middle: &fields[2], family: &fields[3], suffix: "" },
        address: &fields[4],
        unit: &fields[5],
        city: &fields[6],
        state: &fields[7],
        postal_code: &fields[8],
    }
}

fn load(ruleset: &Ruleset, dir: &Path, file: &str) -> Set {
    let mut truths = HashMap::new();
    for row in csv::Reader::from_path(dir.join(format!("{file}_truth.csv"))).unwrap().records() {
        let row = row.unwrap();
        let truth = (row[1].to_owned(), row.get(2).unwrap_or("").to_owned());
        truths.insert(row[0].to_owned(), truth);
    }
    let rows: Vec<_> = csv::Reader::from_path(dir.join(format!("{file}.csv"))).unwrap().records().map(Result::unwrap).collect();
    let mut places: HashMap<u64, u32> = HashMap::new();
    for place in rows.iter().filter_map(|fields| ruleset.place(&row(fields))) {
        *places.entry(place).or_default() += 1;
    }
    let mut set = Set { truth: Vec::new(), tokens: Vec::new() };
    for fields in &rows {
        let input = row(fields);
        let crowded = ruleset.place(&input).is_some_and(|place| ruleset.crowd_max().is_some_and(|max| places[&place] > max));
        let side = match (file, crowded) {
            ("pairs", _) => Side::Verifier,
            (_, true) => Side::Holder(Place::Crowded),
            (_, false) => Side::Holder(Place::Quiet),
        };
        let mut arena = TokenArena::new();
        let result = ruleset.tokenize(side, &input, &mut arena);
        set.tokens.push(result.map(|()| arena.iter().map(<[u8]>::to_vec).collect()));
        set.truth.push(truths[&fields[0]].clone());
    }
    set
}

struct Measured {
    recall: f64,
    precision: f64,
    wrong: u32,
}

/// Recall over the pairs whose truth is held, precision over matches, both at `level`: a match is
/// right when some record of its tokens has the pair's truth.
fn measure(ruleset: &str, dir: &Path, level: fn(&Truth) -> Truth) -> Measured {
    let ruleset = Ruleset::by_name(ruleset).unwrap();
    let (pairs, records) = (load(ruleset, dir, "pairs"), load(ruleset, dir, "records"));
    let held: HashSet<Truth> = records.truth.iter().map(level).collect();
    let mut sealed: HashMap<&[u8], HashSet<Truth>> = HashMap::new();
    for (tokens, truth) in records.tokens.iter().zip(&records.truth) {
        for token in tokens.iter().flatten() {
            sealed.entry(token).or_default().insert(level(truth));
        }
    }
    let (mut matched, mut right, mut present) = (0u32, 0u32, 0u32);
    let mut reasons: BTreeMap<NotSubmitted, u32> = BTreeMap::new();
    for (tokens, truth) in pairs.tokens.iter().zip(&pairs.truth) {
        present += u32::from(held.contains(&level(truth)));
        match tokens {
            Err(reason) => *reasons.entry(*reason).or_default() += 1,
            Ok(tokens) => {
                assert!((1..=usize::from(ruleset.tokens_per_pair())).contains(&tokens.len()));
                let found: Vec<_> = tokens.iter().filter_map(|token| sealed.get(&token[..])).collect();
                matched += u32::from(!found.is_empty());
                right += u32::from(found.iter().any(|found| found.contains(&level(truth))));
            }
        }
    }
    let (recall, precision) = (f64::from(right) / f64::from(present), f64::from(right) / f64::from(matched));
    eprintln!(
        "{} on {}: pairs {}, held {present}, matched {matched}, right {right}, R {recall:.4}, P {precision:.4}, not submitted {reasons:?}",
        ruleset.name(),
        dir.file_name().unwrap().display(),
        pairs.tokens.len(),
    );
    Measured { recall, precision, wrong: matched - right }
}

fn by_person(truth: &Truth) -> Truth {
    (truth.0.clone(), String::new())
}

/// A set, a ruleset, what it must find of what is held, and how many wrong matches are too many.
fn floor(set: &str, ruleset: &str, level: fn(&Truth) -> Truth, recall: f64, precision: f64, wrong_max: u32) {
    let Some(dir) = data(set) else { return };
    let found = measure(ruleset, &dir, level);
    assert!(found.recall >= recall, "{ruleset} on {set}: recall {:.4}", found.recall);
    assert!(found.precision >= precision, "{ruleset} on {set}: precision {:.4}", found.precision);
    assert!(found.wrong <= wrong_max, "{ruleset} on {set}: {} wrong", found.wrong);
}

#[test]
fn households() {
    floor("households", "us-exact-1", Clone::clone, 0.78, 0.998, u32::MAX);
    floor("households", "us-confirm-1", Clone::clone, 0.85, 0.999, 3);
    floor("households", "us-confirm-wide-1", Clone::clone, 0.88, 0.999, 3);
    floor("households", "us-find-1", by_person, 0.925, 0.999, 3);
}

#[test]
fn movers() {
    floor("movers", "us-exact-1", Clone::clone, 0.78, 0.998, u32::MAX);
    floor("movers", "us-confirm-1", Clone::clone, 0.84, 0.999, 2);
    floor("movers", "us-confirm-wide-1", Clone::clone, 0.87, 0.999, 3);
    // Person level: who moved is held elsewhere, and a name in another ZIP code is not asked for.
    floor("movers", "us-find-1", by_person, 0.77, 0.999, 3);
}

#[test]
fn febrl4() {
    floor("febrl4", "us-exact-1", by_person, 0.17, 0.999, u32::MAX);
    floor("febrl4", "us-confirm-wide-1", by_person, 0.43, 0.999, 2);
}
