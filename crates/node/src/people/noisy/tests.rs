use super::*;
use std::collections::{HashMap, HashSet};
use std::os::unix::fs::PermissionsExt;

/// All rows of a file but its header, which is `header`.
fn rows(path: &Path, header: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    assert_eq!(reader.headers().unwrap(), header);
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

struct Files {
    sample: NoisySample,
    pairs: Vec<Vec<String>>,
    records: Vec<Vec<String>>,
    pairs_truth: Vec<Vec<String>>,
    records_truth: Vec<Vec<String>>,
}

fn generated(pairs: u64, records: u64, seed: u64) -> Files {
    let folder = tempfile::tempdir().unwrap();
    let sample = write_noisy(folder.path(), pairs, records, seed).unwrap();
    for path in [&sample.pairs, &sample.records, &sample.pairs_truth, &sample.records_truth] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
    Files {
        pairs: rows(&sample.pairs, &HEADER),
        records: rows(&sample.records, &HEADER),
        pairs_truth: rows(&sample.pairs_truth, &TRUTH_HEADER),
        records_truth: rows(&sample.records_truth, &TRUTH_HEADER),
        sample,
    }
}

/// Held, moved, absent with others there, absent: as the truth files say it.
fn kinds(files: &Files) -> [u64; 4] {
    let mut of_person: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut addresses = HashSet::new();
    for row in &files.records_truth {
        of_person.entry(&row[1]).or_default().insert(&row[2]);
        addresses.insert(row[2].as_str());
    }
    let mut kinds = [0; 4];
    for row in &files.pairs_truth {
        kinds[match of_person.get(row[1].as_str()) {
            Some(held) if held.contains(row[2].as_str()) => 0,
            Some(_) => 1,
            None if addresses.contains(row[2].as_str()) => 2,
            None => 3,
        }] += 1;
    }
    kinds
}

fn counted(sample: &NoisySample) -> [u64; 4] {
    [sample.held, sample.moved, sample.absent_at_held_address, sample.absent]
}

#[test]
fn the_same_arguments_give_the_same_bytes_and_another_seed_others() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |name: &str, seed| {
        let sample = write_noisy(&folder.path().join(name), 300, 400, seed).unwrap();
        [sample.pairs, sample.records, sample.pairs_truth, sample.records_truth].map(|path| std::fs::read(path).unwrap())
    };
    let (one, again, other) = (bytes("a", 1), bytes("b", 1), bytes("c", 2));
    assert_eq!(one, again);
    assert!(one.iter().zip(&other).all(|(one, other)| one != other));
    // A file that is there is replaced.
    assert_eq!(bytes("c", 1), one);
}

#[test]
fn every_size_has_its_rows_and_its_truth() {
    for (pairs, records) in [(0, 0), (0, 3), (3, 0), (1, 1), (2, 1), (1, 2), (7, 5), (40, 3_000), (3_000, 40), (500, 500)] {
        let files = generated(pairs, records, 11);
        let all = [(&files.pairs, &files.pairs_truth, 'P', pairs), (&files.records, &files.records_truth, 'R', records)];
        for (file, truth, letter, count) in all {
            assert_eq!((file.len() as u64, truth.len() as u64), (count, count), "{pairs} {records}");
            for (i, (row, true_row)) in file.iter().zip(truth).enumerate() {
                assert_eq!(row[0], format!("{letter}{i}"));
                assert_eq!(row[0], true_row[0]);
                assert!(true_row[1..].iter().all(|field| !field.is_empty()));
                assert!(row.iter().all(|field| !field.contains(char::is_control) && field.trim() == field), "{row:?}");
            }
        }
        // A person is asked about once.
        assert_eq!(files.pairs_truth.iter().map(|row| &row[1]).collect::<HashSet<_>>().len() as u64, pairs);
        assert_eq!(kinds(&files), counted(&files.sample), "{pairs} {records}");
    }
}

/// Small ones are no cut from large ones: how many there are of either decides who is in.
#[test]
fn shares_are_near_what_is_stated() {
    for (pairs, records, seed) in [(20_000, 24_000, 1), (4_000, 40_000, 2)] {
        let files = generated(pairs, records, seed);
        let found = kinds(&files);
        assert_eq!(found, counted(&files.sample));
        let percent = found.map(|count| count * 100 / pairs);
        for (percent, range) in percent.into_iter().zip([50..67, 8..13, 16..27, 6..16]) {
            assert!(range.contains(&percent), "{found:?}");
        }
        let people: HashSet<_> = files.records_truth.iter().map(|row| &row[1]).collect();
        let twice = (records - people.len() as u64) * 1_000 / people.len() as u64;
        assert!((60..100).contains(&twice), "{twice}");
        let asked: HashSet<_> = files.pairs_truth.iter().map(|row| &row[1]).collect();
        assert!(people.iter().filter(|person| !asked.contains(*person)).count() > people.len() / 4);
    }
}

#[test]
fn every_origin_occurs_and_namesakes_do() {
    let files = generated(6_000, 20_000, 3);
    let mut origins: HashMap<&str, usize> = HashMap::new();
    for row in files.pairs_truth.iter().chain(&files.records_truth) {
        *origins.entry(&row[3]).or_default() += 1;
    }
    assert_eq!(origins.len(), words::Origin::SHARES.len());
    for (origin, share) in words::Origin::SHARES {
        let found = origins[origin.name()] as u64 * 1_000 / 26_000;
        assert!(found * 2 > share && found < share * 2, "{}: {found} and not {share}", origin.name());
    }
    // People of one name, at other addresses and at the same.
    let mut called: HashMap<(&str, &str), HashSet<(&str, &str)>> = HashMap::new();
    for (row, truth) in files.records.iter().zip(&files.records_truth).filter(|(row, _)| !row[1].is_empty() && !row[3].is_empty()) {
        called.entry((&row[1], &row[3])).or_default().insert((&truth[1], &truth[2]));
    }
    let shared: usize = called.values().map(HashSet::len).filter(|people| *people > 1).sum();
    assert!((20_000 / 40..20_000 / 5).contains(&shared), "{shared}");
    let together = called.values().filter(|people| {
        let addresses: HashSet<_> = people.iter().map(|(_, address)| address).collect();
        addresses.len() < people.len()
    });
    assert!(together.count() >= 8);
}

/// The rates of the module's table, with room: what the two files say of the people who are held where they are asked.
#[test]
fn noise_is_near_what_was_measured() {
    let files = generated(20_000, 24_000, 5);
    let key = |truth: &[String]| (truth[1].clone(), truth[2].clone());
    let mut records: HashMap<_, &Vec<String>> = HashMap::new();
    for (row, truth) in files.records.iter().zip(&files.records_truth) {
        records.entry(key(truth)).or_insert(row);
    }
    let both: Vec<(Vec<String>, Vec<String>)> = files
        .pairs
        .iter()
        .zip(&files.pairs_truth)
        .filter_map(|(row, truth)| Some((lower(row), lower(records.get(&key(truth))?))))
        .collect();
    assert!(both.len() > 9_000);
    let rate =
        |differ: &dyn Fn(&[String], &[String]) -> bool| both.iter().filter(|(one, other)| differ(one, other)).count() * 10_000 / both.len();
    let number = |row: &[String]| {
        let first = row[5].split(' ').next().unwrap_or_default().to_owned();
        Some(first).filter(|word| word.starts_with(|c: char| c.is_ascii_digit()) && !word.ends_with(|c: char| "tdh".contains(c)))
    };
    let nickname = |one: &str, other: &str| {
        let text = include_str!("nicknames.txt").to_lowercase();
        text.lines().any(|line| {
            let mut words = line.split(' ');
            words.next() == Some(one) && words.any(|word| word == other)
        })
    };
    let differs = |column: usize| rate(&|one, other| one[column] != other[column]);
    let is_missing = |column: usize| rate(&|one, other| one[column].is_empty() != other[column].is_empty());
    for (what, found, range) in [
        ("given name", differs(1), 700..1_000),
        ("given name missing", is_missing(1), 120..260),
        ("nickname", rate(&|one, other| nickname(&one[1], &other[1]) || nickname(&other[1], &one[1])), 120..280),
        ("an initial", rate(&|one, other| one[1] != other[1] && (one[1].len() == 1 || other[1].len() == 1)), 30..110),
        ("middle name", differs(2), 130..260),
        ("family name", differs(3), 550..850),
        ("family name missing", is_missing(3), 130..270),
        ("address", differs(5), 780..1_250),
        ("number missing in one", rate(&|one, other| number(one).is_none() != number(other).is_none()), 170..420),
        ("number another", rate(&|one, other| matches!((number(one), number(other)), (Some(a), Some(b)) if a != b)), 70..220),
        ("address missing", is_missing(5), 3..50),
        ("unit", differs(6), 15..70),
        ("city", differs(7), 290..490),
        ("state", differs(8), 290..490),
        ("ZIP code", differs(9), 300..650),
    ] {
        assert!(range.contains(&found), "{what}: {found} in 10,000, and not {range:?}");
    }
    // What is no address to be confirmed: no number, no street, no ZIP code.
    let incomplete = files.pairs.iter().filter(|row| {
        let has_words = row[5].contains(' ');
        let is_boxed = row[5].contains("ox ");
        (number(row).is_none() && !is_boxed && !row[5].starts_with("po")) || !has_words || row[9].is_empty()
    });
    let percent = incomplete.count() * 100 / files.pairs.len();
    assert!((4..11).contains(&percent), "{percent}");
}

fn lower(row: &[String]) -> Vec<String> {
    row.iter().map(|field| field.to_lowercase()).collect()
}

/// What people write of addresses comes up: each kind of place, each kind of slip with blanks and words.
#[test]
fn all_sorts_of_addresses_occur() {
    let files = generated(0, 120_000, 6);
    let all: HashSet<String> = files.records.iter().map(|row| row[5].to_lowercase()).collect();
    let any = |holds: &dyn Fn(&[&str]) -> bool| all.iter().filter(|line| holds(&line.split(' ').collect::<Vec<_>>())).count();
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let is_ordinal = |word: &str| ["st", "nd", "rd", "th"].iter().any(|end| word.strip_suffix(end).is_some_and(is_number));
    let directions: HashSet<&str> =
        place::DIRECTIONS.iter().flat_map(|(short, long)| [*short, *long]).filter(|word| !word.is_empty()).collect();
    for (what, found) in [
        ("box", any(&|words| words.starts_with(&["po", "box"]))),
        ("rural", any(&|words| matches!(words, ["rr" | "hc", _, "box", _]))),
        ("military", any(&|words| matches!(words, ["psc" | "cmr", _, "box", _]))),
        ("queens", any(&|words| words[0].split_once('-').is_some_and(|(a, b)| is_number(a) && is_number(b)))),
        ("grid", any(&|words| matches!(words, [a, "n" | "s", b, "e" | "w"] if is_number(a) && is_number(b)))),
        ("spanish", any(&|words| words.get(1) == Some(&"calle") || words.get(1) == Some(&"avenida"))),
        ("highway", any(&|words| matches!(words, [_, "county" | "state" | "us", "road" | "highway" | "route", ..]))),
        ("direction before", any(&|words| words.get(1).is_some_and(|word| directions.contains(word)))),
        ("direction after", any(&|words| words.len() > 3 && directions.contains(words[words.len() - 1]))),
        ("ordinal", any(&|words| words.iter().skip(1).any(|word| word.ends_with("th") && is_number(&word[..word.len() - 2])))),
        ("glued", any(&|words| words.iter().any(|word| word.strip_prefix(['n', 's', 'e', 'w']).is_some_and(is_ordinal)))),
        (
            "split",
            any(&|words| words.len() > 3 && words[0].len() == 2 && words[1].len() == 2 && is_number(words[0]) && is_number(words[1])),
        ),
        ("worded number", any(&|words| matches!(words[0], "one" | "two" | "three" | "four" | "five" | "six" | "seven" | "eight" | "nine"))),
        ("worded ordinal", any(&|words| words.contains(&"sixth") || words.contains(&"fourth"))),
        ("saint", any(&|words| words.contains(&"saint"))),
        ("unknown", any(&|words| matches!(words, ["unknown" | "undomiciled" | "unk"]))),
        ("number alone", any(&|words| words.len() == 1 && is_number(words[0]))),
    ] {
        assert!(found > 0, "no {what}");
    }
    let zips: HashSet<&str> = files.records.iter().map(|row| row[9].as_str()).collect();
    assert!(zips.iter().any(|zip| zip.len() == 4) && zips.iter().any(|zip| zip.len() == 10) && zips.iter().any(|zip| zip.starts_with('0')));
}
