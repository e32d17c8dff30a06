//! The results are the plaintext join of the ruleset's tokens, row by row; and they cost what was promised.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use oblink_tests::{Agencies, Call, PlainRow, Program, Results, joined, read_split, sample};

/// Each row is what the tokens of the two files alone say.
fn exact(results: &Results, pairs: &[PlainRow], records: &[PlainRow]) {
    assert_eq!(results.rows.len(), pairs.len());
    for ((row, pair), held) in results.rows.iter().zip(pairs).zip(joined(pairs, records)) {
        let (result, reason) = match &pair.token {
            Err(reason) => ("not_submitted", *reason),
            Ok(_) if held => ("match", ""),
            Ok(_) => ("no_match", ""),
        };
        assert_eq!((&row.id[..], &row.result[..], &row.reason[..]), (&pair.id[..], result, reason));
    }
}

#[test]
fn generated_people_at_2_000_against_20_000() {
    let agencies = Agencies::new();
    let (pairs, records) = sample(&agencies.at("s"), 2_000, 20_000);
    let sealed = agencies.seal(&records).object();
    let (asked, held) = (read_split(&pairs), read_split(&records));
    let distinct: HashSet<_> = held.iter().filter_map(|row| row.token.as_ref().ok()).collect();
    assert_eq!(sealed["tags"], distinct.len() as u64);
    // The promise is for full sets: the header is spread over 20,000.
    assert!(sealed["set_bytes"].as_f64().unwrap() / distinct.len() as f64 <= 9.0, "{sealed}");
    let results = agencies.check(&agencies.serve(), &pairs);
    exact(&results, &asked, &held);
    let words = |word: &str| results.rows.iter().filter(|row| row.result == word).count();
    assert!(words("match") > 1_000 && words("no_match") > 500 && words("not_submitted") > 10, "the sample has some of each");
}

#[test]
fn the_demo_at_5_000_against_50_000() {
    let ended = Call::new(Program::Demo).args("--json --pairs 5000 --records 50000").ok();
    let shown = ended.object();
    let keys = "pairs records expected_matches matches false_matches missed_matches seal_s session_s seal_cpu_us_per_record \
                verifier_cpu_us_per_pair holder_cpu_us_per_pair bytes_up bytes_down set_bytes holder_peak_rss_mb verifier_peak_rss_mb";
    let number = |key: &str| shown[key].as_f64().unwrap_or_else(|| panic!("no {key}: {ended}"));
    for key in keys.split_whitespace() {
        let value = number(key);
        assert!(value > 0.0 || key.starts_with("false") || key.starts_with("missed"), "{key}: {ended}");
    }
    assert_eq!((number("pairs"), number("records")), (5_000.0, 50_000.0));
    assert_eq!((number("false_matches"), number("missed_matches")), (0.0, 0.0));
    assert_eq!(number("expected_matches"), number("matches"));
    assert!(number("matches") > 2_500.0, "{shown}");
    assert!(number("set_bytes") / 50_000.0 <= 9.0, "bytes a held tag: {shown}");
    assert!((number("bytes_up") + number("bytes_down")) / number("submitted") <= 66.0, "bytes a submitted pair: {shown}");
    assert!(ended.stderr.contains("exactly the"), "people are told too: {ended}");
}

/// The directory of simulated people that is kept beside the repository, where it is.
fn simulated(set: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data").join(set);
    let there = path.join("pairs.csv").exists();
    if !there {
        eprintln!("skipped: no data set {set}");
    }
    there.then_some(path)
}

/// id → (person, address).
fn truth(path: &Path) -> HashMap<String, (String, String)> {
    let rows = csv::Reader::from_path(path).unwrap().into_records();
    rows.map(|row| row.map(|row| (row[0].to_owned(), (row[1].to_owned(), row[2].to_owned()))).unwrap()).collect()
}

/// Both files through seal, serve and check: exact, and at address level right often enough. A match is right where some record of its token is of
/// the same person at the same address.
fn simulated_people(set: &str) {
    let Some(directory) = simulated(set) else { return };
    let at = |name: &str| directory.join(name);
    let agencies = Agencies::new();
    agencies.seal(&at("records.csv"));
    let serving = agencies.serve();
    let output = agencies.at("results.csv");
    let ended = agencies.checking(serving.address(), &at("pairs.csv"), &output).arg("--json").ok();
    let results = Results::read(&output, ended.object());
    let (pairs, records) = (read_split(&at("pairs.csv")), read_split(&at("records.csv")));
    exact(&results, &pairs, &records);

    let (asked, kept) = (truth(&at("pairs_truth.csv")), truth(&at("records_truth.csv")));
    let held: HashSet<&(String, String)> = kept.values().collect();
    let mut by_token: HashMap<&[u8], HashSet<&(String, String)>> = HashMap::new();
    for record in &records {
        if let Ok(token) = &record.token {
            by_token.entry(token).or_default().insert(&kept[&record.id]);
        }
    }
    let (mut present, mut matched, mut right) = (0_u32, 0_u32, 0_u32);
    for (row, pair) in results.rows.iter().zip(&pairs) {
        let who = &asked[&row.id];
        present += u32::from(held.contains(who));
        if row.result == "match" {
            matched += 1;
            right += u32::from(by_token[pair.token.as_deref().unwrap()].contains(who));
        }
    }
    let (recall, precision) = (f64::from(right) / f64::from(present), f64::from(right) / f64::from(matched));
    eprintln!(
        "{set}: {} pairs, {present} held, {matched} matched, {right} right: recall {recall:.4}, precision {precision:.4}",
        pairs.len()
    );
    assert!(recall >= 0.78, "{set}: recall {recall:.4}");
    assert!(precision >= 0.998, "{set}: precision {precision:.4}");
}

#[test]
fn households() {
    simulated_people("households");
}

#[test]
fn movers() {
    simulated_people("movers");
}
