//! All rows of a list, counted in their order.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use oblink_linkage::Ruleset;

use super::findings::{Finding, Whose};
use super::look::{Mark, Seen, Served};
use super::repeats::{Addresses, Distinct, Moves, Repeats, Rows};

/// What is counted, in about 60 bytes a row, and 24 more where persons are told apart.
pub(crate) struct Tally {
    whose: Whose,
    rows: u64,
    usable: u64,
    reasons: BTreeMap<&'static str, Rows>,
    marks: [Rows; Mark::ALL.len()],
    ids: Repeats,
    tokens: Repeats,
    /// By canonical name and canonical address.
    people: Addresses,
    /// By the identifiers that the file has.
    persons: Option<Addresses>,
    served: HashMap<Served, u64>,
    distinct: Distinct,
    crowd_max: Option<u32>,
    places: Places,
}

/// Records by delivery line: what each gives there, and what where the line is crowded.
#[derive(Default)]
struct Places {
    lines: Repeats,
    /// Whatever is the same for many records stands once.
    known: HashMap<(Served, Served), u32>,
    kinds: Vec<(Served, Served)>,
    /// By row.
    records: Vec<(u64, u64, u32)>,
}

impl Places {
    fn push(&mut self, place: u64, row: u64, quiet: Served, crowded: Served) {
        let next = self.kinds.len() as u32;
        let kind = *self.known.entry((quiet, crowded)).or_insert(next);
        if kind == next {
            self.kinds.push((quiet, crowded));
        }
        self.lines.push(place, row);
        self.records.push((place, row, kind));
    }
}

/// What a whole list comes to.
pub(crate) struct Summary {
    pub(crate) rows: u64,
    pub(crate) usable: u64,
    /// Rows without tokens, by reason.
    pub(crate) unusable: BTreeMap<&'static str, u64>,
    /// For each rule of the ruleset, the usable rows that have a token of it.
    pub(crate) rules: Vec<u64>,
    /// Tokens that are the rows' own, and the most of one row.
    pub(crate) tokens: u64,
    pub(crate) tokens_most: u16,
    /// Different tokens; of records alone.
    pub(crate) distinct: u64,
    pub(crate) findings: Vec<Finding>,
}

impl Tally {
    /// For a list that tells persons apart, or not.
    pub(crate) fn new(whose: Whose, ruleset: &Ruleset, has_persons: bool) -> Self {
        Self {
            whose,
            rows: 0,
            usable: 0,
            reasons: BTreeMap::new(),
            marks: Default::default(),
            ids: Repeats::default(),
            tokens: Repeats::default(),
            people: Addresses::default(),
            persons: has_persons.then(Addresses::default),
            served: HashMap::new(),
            distinct: Distinct::default(),
            crowd_max: ruleset.crowd_max().filter(|_| whose == Whose::Records),
            places: Places::default(),
        }
    }

    /// One row more, in their order.
    pub(crate) fn add(&mut self, seen: &Seen) {
        let row = seen.number;
        self.rows += 1;
        if let Some(id) = seen.id {
            self.ids.push(id, row);
        }
        for (mark, rows) in Mark::ALL.into_iter().zip(&mut self.marks) {
            if seen.marks.has(mark) {
                rows.push(row);
            }
        }
        let tokens = match &seen.outcome {
            Ok(tokens) => tokens,
            Err(reason) => return self.reasons.entry(*reason).or_default().push(row),
        };
        self.usable += 1;
        self.tokens.push(tokens.digest, row);
        tokens.each.iter().for_each(|digest| self.distinct.push(*digest));
        match tokens.place {
            Some((place, crowded)) => self.places.push(place, row, tokens.served, crowded),
            None => *self.served.entry(tokens.served).or_default() += 1,
        }
        if let Some((name, address)) = seen.canonical {
            self.people.push(name, address, row);
            if let (Some(persons), Some(person)) = (&mut self.persons, seen.person) {
                persons.push(person, address, row);
            }
        }
    }

    /// What it all comes to.
    pub(crate) fn finish(mut self, ruleset: &Ruleset) -> Summary {
        let unusable = self.reasons.iter().map(|(reason, rows)| (*reason, rows.count)).collect();
        let mut findings: Vec<Finding> =
            std::mem::take(&mut self.reasons).into_iter().map(|(reason, rows)| Finding::unusable(reason, rows)).collect();
        findings.sort_by(|a, b| b.rows.count.cmp(&a.rows.count).then(a.word.cmp(b.word)));
        let marks = Mark::ALL.into_iter().zip(std::mem::take(&mut self.marks));
        findings.extend(marks.filter(|(_, rows)| rows.count > 0).map(|(mark, rows)| Finding::marked(mark, rows)));
        findings.extend(self.repeated());
        findings.extend(self.crowded());
        let (mut rules, mut tokens, mut tokens_most) = (vec![0; ruleset.rules().len()], 0, 0);
        for (served, rows) in &self.served {
            for (index, count) in rules.iter_mut().enumerate().take(128) {
                *count += (served.rules >> index & 1) as u64 * rows;
            }
            tokens += u64::from(served.tokens) * rows;
            tokens_most = tokens_most.max(served.tokens);
        }
        let distinct = self.distinct.count();
        Summary { rows: self.rows, usable: self.usable, unusable, rules, tokens, tokens_most, distinct, findings }
    }

    /// What there is twice, and who is at several addresses.
    fn repeated(&mut self) -> Vec<Finding> {
        let pairs = self.whose == Whose::Pairs;
        let say = |of_pairs: &str, of_records: &str| if pairs { of_pairs } else { of_records }.to_owned();
        let ids = Rows::of(std::mem::take(&mut self.ids).later_bearers());
        let same: BTreeSet<u64> = std::mem::take(&mut self.tokens).later_bearers().into_iter().collect();
        let people = std::mem::take(&mut self.people).finish();
        let alike = Rows::of(people.again.iter().copied().filter(|row| !same.contains(row)).collect());
        let mut findings = vec![
            Finding {
                word: "repeated_id",
                rows: ids,
                what: "an earlier row has the same id".to_owned(),
                advice: say(
                    "tell results apart by `row`, or make the ids different",
                    "make the ids different: `ledger account` and rejects name records by them",
                ),
            },
            Finding {
                word: if pairs { "repeated_pair" } else { "repeated_record" },
                rows: Rows::of(same.into_iter().collect()),
                what: "an earlier row gives the same tokens".to_owned(),
                advice: say("the answer is the same, and each is charged: ask it once", "they become the same tags: nothing need be done"),
            },
            Finding {
                word: "repeated_person",
                rows: alike,
                what: "an earlier row has the same name and address, and differs in what else the ruleset reads".to_owned(),
                advice: say(
                    "a middle name or a unit that one row has and another has not: keep the fuller row",
                    "two people of one name at one address, or one person twice: each is sealed",
                ),
            },
        ];
        if pairs {
            findings.push(match self.persons.take().map(Addresses::finish) {
                Some(persons) => several(
                    "several_addresses",
                    persons,
                    "its person has another address in an earlier row",
                    "a policy may allow so many addresses of one person and no more: see --addresses-per-person-max",
                ),
                None => several(
                    "name_at_several_addresses",
                    people,
                    "its name stands at another address in an earlier row",
                    "people may share a name: name the column that tells them apart with --person-id COLUMN, and look again",
                ),
            });
        }
        findings.retain(|finding| finding.rows.count > 0);
        findings
    }

    /// Delivery lines with more records than keys bear, and what the records give there.
    fn crowded(&mut self) -> Option<Finding> {
        let max = self.crowd_max?;
        let Places { lines, kinds, mut records, .. } = std::mem::take(&mut self.places);
        records.sort_unstable();
        for line in records.chunk_by(|a, b| a.0 == b.0) {
            let is_crowded = line.len() as u64 > u64::from(max);
            for (_, _, kind) in line {
                let Some((quiet, crowded)) = kinds.get(*kind as usize) else { continue };
                *self.served.entry(if is_crowded { *crowded } else { *quiet }).or_default() += 1;
            }
        }
        let (rows, lines) = lines.crowds(max);
        (rows.count > 0).then(|| Finding {
            word: "crowded_line",
            what: format!("one of {lines} delivery lines with more than {max} records each"),
            advice: "shelters, prisons, mail agents: keys that would take one of their people for another are left out there, so fewer pairs find these \
                     records. Where the line is a default that somebody typed, find the true addresses"
                .to_owned(),
            rows,
        })
    }
}

fn several(word: &'static str, moves: Moves, what: &str, advice: &str) -> Finding {
    let of = if word == "several_addresses" { "persons" } else { "names" };
    let (count, most) = (moves.persons, moves.most);
    Finding { word, rows: moves.further, what: format!("{what} ({count} {of} with several, {most} at most)"), advice: advice.to_owned() }
}
