//! What a join says of a ruleset: recall and precision, of all pairs and of every part of them.

use std::collections::BTreeMap;

use oblink_linkage::{Interval, Ruleset};

use super::join::{Outcome, PairOutcome, RuleTokens, rule_numbers};
use super::kinds::KINDS;
use super::truth::SAMPLES;
use super::{Level, Set};

/// Counts of some of the pairs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// All of them.
    pub(super) pairs: u64,
    /// Those whose truth the holder has.
    pub(super) present: u64,
    /// Those that meet any record.
    pub(super) matched: u64,
    /// Those that meet a record of their truth.
    pub(super) right: u64,
}

impl Tally {
    fn add(&mut self, present: bool, matched: bool, right: bool) {
        self.pairs += 1;
        self.present += u64::from(present);
        self.matched += u64::from(matched);
        self.right += u64::from(right);
    }

    /// Right over present; nothing where none is present.
    pub(super) fn recall(&self) -> Option<Interval> {
        (self.present > 0).then(|| Interval::wilson(self.right, self.present))
    }

    /// Right over matched; nothing where none matched.
    pub(super) fn precision(&self) -> Option<Interval> {
        (self.matched > 0).then(|| Interval::wilson(self.right, self.matched))
    }
}

/// One rule's figures.
#[derive(Debug)]
pub(super) struct RuleFigures {
    pub(super) number: u16,
    pub(super) name: String,
    /// Of this rule alone.
    pub(super) own: Tally,
    /// Of this and every rule of a lower number.
    pub(super) cumulative: Tally,
    pub(super) tokens: RuleTokens,
}

/// What a part of the list matches of people that it does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Absent {
    /// The part, in eighths.
    pub(super) eighths: u8,
    /// Records in it.
    pub(super) records: u64,
    /// Pairs whose person is not in it.
    pub(super) absent: u64,
    /// Those of them that match anyhow.
    pub(super) matched: u64,
}

/// All that is said of one ruleset.
#[derive(Debug)]
pub(super) struct Figures<'a> {
    pub(super) ruleset: &'a Ruleset,
    pub(super) level: Level,
    pub(super) all: Tally,
    pub(super) submitted: u64,
    pub(super) reasons: BTreeMap<&'static str, u64>,
    /// Matched pairs that are not right and still met a record of their person: at another address.
    pub(super) other_address: u64,
    pub(super) records: u64,
    /// Tokens of all records together, and the most of one.
    pub(super) record_tokens: (u64, u64),
    pub(super) records_without: u64,
    pub(super) crowded: u64,
    pub(super) rules: Vec<RuleFigures>,
    /// Of people with an even hash, and with an odd one.
    pub(super) halves: [Tally; 2],
    /// By the truth's origin; nothing where the truth has no such column.
    pub(super) origins: Vec<(String, Tally)>,
    /// By kind of address; kinds may overlap.
    pub(super) kinds: Vec<(&'static str, Tally)>,
    pub(super) absent: Vec<Absent>,
    /// Present pairs that are not right, and whether they were submitted.
    pub(super) missed: Vec<(u32, bool)>,
}

impl<'a> Figures<'a> {
    /// Counts what `outcome` holds.
    pub(super) fn of(set: &Set<'_>, ruleset: &'a Ruleset, level: Level, outcome: Outcome) -> Self {
        let mut figures = Self {
            ruleset,
            level,
            all: Tally::default(),
            submitted: 0,
            other_address: 0,
            records: set.record_truths.len() as u64,
            record_tokens: (outcome.rules.iter().map(|rule| rule.emitted).sum(), outcome.record_tokens_max),
            records_without: outcome.records_without,
            crowded: outcome.crowded,
            rules: rules(ruleset, &outcome.rules),
            halves: [Tally::default(); 2],
            origins: if set.has_origins {
                set.people.origins.iter().map(|name| (name.clone(), Tally::default())).collect()
            } else {
                Vec::new()
            },
            kinds: KINDS.iter().map(|name| (*name, Tally::default())).collect(),
            absent: samples(set),
            missed: Vec::new(),
            reasons: outcome.reasons,
        };
        for (at, pair) in outcome.pairs.iter().enumerate() {
            figures.add(set, at, pair);
        }
        figures.origins.retain(|(_, tally)| tally.pairs > 0);
        figures.kinds.retain(|(_, tally)| tally.pairs > 0);
        figures
    }

    fn add(&mut self, set: &Set<'_>, at: usize, pair: &PairOutcome) {
        let truth = set.pair_truths[at];
        let present = set.holds(truth, self.level);
        let (matched, right) = (pair.met != 0, pair.right != 0);
        self.all.add(present, matched, right);
        self.submitted += u64::from(pair.submitted);
        self.other_address += u64::from(matched && !right && pair.met_person);
        if present && !right {
            self.missed.push((at as u32, pair.submitted));
        }
        let mut up_to = 0_u128;
        for (index, rule) in self.rules.iter_mut().enumerate() {
            let one = 1 << index;
            up_to |= one;
            rule.own.add(present, pair.met & one != 0, pair.right & one != 0);
            rule.cumulative.add(present, pair.met & up_to != 0, pair.right & up_to != 0);
        }
        self.halves[set.people.half(truth.person)].add(present, matched, right);
        if let Some((_, tally)) = self.origins.get_mut(usize::from(truth.origin)) {
            tally.add(present, matched, right);
        }
        for (index, (_, tally)) in self.kinds.iter_mut().enumerate() {
            if set.kinds[at].has(index) {
                tally.add(present, matched, right);
            }
        }
        let own_sample = if set.holds(truth, Level::Person) { set.people.sample(truth.person) } else { SAMPLES.len() as u8 };
        for (sample, absent) in (0..).zip(&mut self.absent) {
            let is_absent = own_sample > sample;
            absent.absent += u64::from(is_absent);
            absent.matched += u64::from(is_absent && pair.first_sample <= sample);
        }
    }
}

fn rules(ruleset: &Ruleset, tokens: &[RuleTokens]) -> Vec<RuleFigures> {
    let rule = |(number, tokens): (u16, &RuleTokens)| RuleFigures {
        number,
        name: ruleset.rules().iter().find(|rule| rule.number == number).map(|rule| rule.name.clone()).unwrap_or_default(),
        own: Tally::default(),
        cumulative: Tally::default(),
        tokens: *tokens,
    };
    rule_numbers(ruleset).into_iter().zip(tokens).map(rule).collect()
}

fn samples(set: &Set<'_>) -> Vec<Absent> {
    let mut records = [0; SAMPLES.len()];
    for truth in &set.record_truths {
        for sample in &mut records[usize::from(set.people.sample(truth.person))..] {
            *sample += 1;
        }
    }
    SAMPLES.iter().zip(records).map(|(eighths, records)| Absent { eighths: *eighths, records, absent: 0, matched: 0 }).collect()
}
