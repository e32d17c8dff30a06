//! Why present pairs do not match: by which fields a pair differs from the closest record of its truth. Counts, never values.

use std::collections::{BTreeMap, HashMap};

use oblink_node::failure::Failure;
use oblink_node::pipeline::for_each_ordered;
use oblink_node::rows::{CsvOptions, RowReader, Source};

use super::fields::Fields;
use super::figures::Figures;
use super::truth::Truth;
use super::{Level, Set};

/// Kinds that are told one by one.
const KINDS_MAX: usize = 25;

/// A count of misses, and how many of them were not even submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct MissCount {
    pub(super) misses: u64,
    pub(super) not_submitted: u64,
}

impl MissCount {
    fn add(&mut self, submitted: bool) {
        self.misses += 1;
        self.not_submitted += u64::from(!submitted);
    }
}

/// The misses of one ruleset.
#[derive(Debug, Default)]
pub(super) struct Misses {
    pub(super) all: MissCount,
    /// By everything that differs, the commonest first.
    pub(super) kinds: Vec<(String, MissCount)>,
    /// Kinds that are too rare to be among them.
    pub(super) rarer: MissCount,
    /// By each thing that differs: a miss counts at each.
    pub(super) fields: Vec<(&'static str, MissCount)>,
}

/// What differs, and how far that is.
type Difference = (&'static str, u32);

/// Says of every ruleset what it missed: one further reading of both files for all of them.
///
/// # Errors
/// As [`RowReader`]'s.
pub(super) fn misses(set: &Set<'_>, rulesets: &[Figures<'_>]) -> Result<Vec<Misses>, Failure> {
    let mut wanted: Vec<u32> = rulesets.iter().flat_map(|figures| figures.missed.iter().map(|(pair, _)| *pair)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let mut people: Vec<u32> = wanted.iter().map(|pair| set.pair_truths[*pair as usize].person).collect();
    people.sort_unstable();
    people.dedup();
    let mut records: HashMap<u32, Vec<(Truth, Fields)>> = HashMap::new();
    read(
        set.records,
        |row| people.binary_search(&set.record_truths[row as usize].person).is_ok(),
        |row, fields| {
            let truth = set.record_truths[row as usize];
            records.entry(truth.person).or_default().push((truth, fields));
        },
    )?;
    let mut counters: Vec<Counter> = rulesets.iter().map(|figures| Counter::new(figures.level)).collect();
    let mut next: Vec<usize> = vec![0; rulesets.len()];
    read(
        set.pairs,
        |row| wanted.binary_search(&row).is_ok(),
        |row, fields| {
            let truth = set.pair_truths[row as usize];
            for ((figures, counter), next) in rulesets.iter().zip(&mut counters).zip(&mut next) {
                // Both are in the order of the file.
                if let Some((_, submitted)) = figures.missed.get(*next).filter(|(pair, _)| *pair == row) {
                    *next += 1;
                    counter.add(truth, &fields, records.get(&truth.person).map_or(&[], Vec::as_slice), *submitted);
                }
            }
        },
    )?;
    Ok(counters.into_iter().map(Counter::finish).collect())
}

/// Calls `each` with the fields of those rows, counted from 0, that are wanted.
fn read(path: &std::path::Path, is_wanted: impl Fn(u32) -> bool + Sync, mut each: impl FnMut(u32, Fields)) -> Result<(), Failure> {
    let mut reader = RowReader::open(&Source::File(path.to_owned()), &CsvOptions::default())?;
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| {
            let rows = chunk.iter().map(|view| ((view.number - 1) as u32, view)).filter(|(row, _)| is_wanted(*row));
            Ok(rows.map(|(row, view)| (row, Fields::of(&view))).collect::<Vec<_>>())
        },
        |rows| {
            rows.into_iter().for_each(|(row, fields)| each(row, fields));
            Ok(())
        },
    )
}

struct Counter {
    level: Level,
    all: MissCount,
    kinds: BTreeMap<Vec<&'static str>, MissCount>,
    fields: BTreeMap<&'static str, MissCount>,
}

impl Counter {
    fn new(level: Level) -> Self {
        Self { level, all: MissCount::default(), kinds: BTreeMap::new(), fields: BTreeMap::new() }
    }

    fn add(&mut self, truth: Truth, pair: &Fields, records: &[(Truth, Fields)], submitted: bool) {
        let records = records.iter().filter(|(of_record, _)| self.level.is_same(*of_record, truth));
        let closest =
            records.map(|(_, record)| differences(pair, record)).min_by_key(|differences| differences.iter().map(|d| d.1).sum::<u32>());
        let mut kind: Vec<&'static str> = closest.unwrap_or_default().into_iter().map(|(what, _)| what).collect();
        if kind.is_empty() {
            kind.push("nothing that shows here");
        }
        self.all.add(submitted);
        for what in &kind {
            self.fields.entry(what).or_default().add(submitted);
        }
        self.kinds.entry(kind).or_default().add(submitted);
    }

    fn finish(self) -> Misses {
        let mut kinds: Vec<_> = self.kinds.into_iter().map(|(kind, count)| (kind.join(" + "), count)).collect();
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(count.misses));
        let mut rarer = MissCount::default();
        for (_, count) in kinds.split_off(KINDS_MAX.min(kinds.len())) {
            rarer.misses += count.misses;
            rarer.not_submitted += count.not_submitted;
        }
        let mut fields: Vec<_> = self.fields.into_iter().collect();
        fields.sort_by_key(|(_, count)| std::cmp::Reverse(count.misses));
        Misses { all: self.all, kinds, rarer, fields }
    }
}

/// The words for how a field differs.
struct Words {
    missing: &'static str,
    missing_in_record: &'static str,
    missing_in_both: &'static str,
    one: &'static str,
    two: &'static str,
    part: &'static str,
    other: &'static str,
}

macro_rules! words {
    ($field:literal, $unit:literal) => {
        &Words {
            missing: concat!($field, ": missing"),
            missing_in_record: concat!($field, ": missing in the record"),
            missing_in_both: concat!($field, ": missing in both"),
            one: concat!($field, ": one ", $unit),
            two: concat!($field, ": two ", $unit, "s"),
            part: concat!($field, ": a part of the other"),
            other: concat!($field, ": other"),
        }
    };
}

/// What differs between two rows, in a fixed order.
fn differences(pair: &Fields, record: &Fields) -> Vec<Difference> {
    let mut found = Vec::new();
    let is_swapped = !pair.given.is_empty() && !pair.family.is_empty() && pair.given != pair.family;
    if is_swapped && pair.given == record.family && pair.family == record.given {
        found.push(("given and family: swapped", 2));
    } else {
        let initial = |a: &str, b: &str| a.chars().count() == 1 && b.chars().count() > 1 && b.starts_with(a);
        if initial(&pair.given, &record.given) || initial(&record.given, &pair.given) {
            found.push(("given: an initial", 2));
        } else {
            found.extend(difference(&pair.given, &record.given, words!("given", "letter")));
        }
        found.extend(difference(&pair.family, &record.family, words!("family", "letter")));
    }
    let first = |name: &str| name.chars().next();
    if first(&pair.middle).zip(first(&record.middle)).is_some_and(|(a, b)| a != b) {
        found.push(("middle: conflict", 2));
    }
    if !pair.suffix.is_empty() && !record.suffix.is_empty() && pair.suffix != record.suffix {
        found.push(("suffix: conflict", 2));
    }
    found.extend(difference(&pair.number, &record.number, words!("number", "digit")));
    match difference(&pair.street, &record.street, words!("street", "letter")) {
        Some(difference) => found.push(difference),
        None if pair.street_words != record.street_words => found.push(("street: type or direction", 1)),
        None => {}
    }
    match (pair.unit.is_empty(), record.unit.is_empty()) {
        (false, false) if pair.unit != record.unit => found.push(("unit: conflict", 2)),
        (true, false) => found.push(("unit: missing", 1)),
        (false, true) => found.push(("unit: missing in the record", 1)),
        _ => {}
    }
    found.extend(difference(&pair.postal_code, &record.postal_code, words!("postal code", "digit")));
    found
}

fn difference(pair: &str, record: &str, words: &Words) -> Option<Difference> {
    match (pair.is_empty(), record.is_empty()) {
        (true, true) => return Some((words.missing_in_both, 1)),
        (true, false) => return Some((words.missing, 3)),
        (false, true) => return Some((words.missing_in_record, 3)),
        (false, false) => {}
    }
    match distance(pair, record) {
        0 => None,
        1 => Some((words.one, 2)),
        2 => Some((words.two, 3)),
        _ => {
            let (short, long) = if pair.len() < record.len() { (pair, record) } else { (record, pair) };
            let is_part = short.len() >= 3 && (long.starts_with(short) || long.ends_with(short));
            Some(if is_part { (words.part, 3) } else { (words.other, 6) })
        }
    }
}

/// Letters put in, left out or changed, and neighbours swapped, from one to the other; 3 for anything beyond 2.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return 3;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (row[j] + usize::from(x != y)).min(row[j + 1] + 1).min(next[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y && x != y {
                best = best.min(before[j - 1] + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut row, next);
    }
    row.last().copied().unwrap_or_default().min(3)
}
