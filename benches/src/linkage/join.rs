//! The plaintext join of one ruleset's tokens: which pairs meet which records, and by which rule.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use oblink_linkage::{DUMMY_RULE, ExplainedToken, NotSubmitted, Place, Row, Ruleset, Side, TokenArena};
use oblink_node::failure::Failure;
use oblink_node::pipeline::for_each_ordered;
use oblink_node::rows::{CsvOptions, RowChunk, RowReader, Source};

use super::truth::{People, SAMPLES, Truth, hash};
use super::{Level, Set};
use crate::sample::row_of;

/// Rules that a ruleset may have here: one bit each.
const RULES_MAX: usize = 128;

/// What became of one pair.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PairOutcome {
    /// Of each rule, in order of number, a bit: its tokens met a record.
    pub(super) met: u128,
    /// Likewise: its tokens met a record of the pair's truth.
    pub(super) right: u128,
    /// It gave tokens.
    pub(super) submitted: bool,
    /// It met a record of its person, at whatever address.
    pub(super) met_person: bool,
    /// The smallest of the samples in which it meets anything; [`SAMPLES`]' length where it meets nothing.
    pub(super) first_sample: u8,
}

/// Tokens of one rule.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RuleTokens {
    /// That the pairs send.
    pub(super) sent: u64,
    /// Pairs that send any.
    pub(super) pairs: u64,
    /// That the records emit.
    pub(super) emitted: u64,
}

/// What a join gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// In the order of the file.
    pub(super) pairs: Vec<PairOutcome>,
    /// How many pairs gave no token, by why.
    pub(super) reasons: BTreeMap<&'static str, u64>,
    /// In order of the rules' numbers.
    pub(super) rules: Vec<RuleTokens>,
    /// The most tokens that one record emits.
    pub(super) record_tokens_max: u64,
    /// Records that emit none.
    pub(super) records_without: u64,
    /// Records at crowded places.
    pub(super) crowded: u64,
}

/// One token of a pair.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asked {
    /// Its hash's halves: a `u128` would cost eight bytes more of padding.
    hash: (u64, u64),
    pair: u32,
    rule: u8,
}

/// The pairs' tokens in order of their hashes, with where each of the leading bits' values begins.
struct Index {
    asked: Vec<Asked>,
    begins: Vec<u32>,
    shift: u32,
}

impl Index {
    fn new(mut asked: Vec<Asked>) -> Self {
        asked.sort_unstable();
        let bits = asked.len().max(2).ilog2();
        let shift = 64 - bits;
        let mut begins = vec![0; (1 << bits) + 1];
        for one in &asked {
            begins[(one.hash.0 >> shift) as usize + 1] += 1;
        }
        let mut sum = 0;
        for begin in &mut begins {
            sum += *begin;
            *begin = sum;
        }
        Self { asked, begins, shift }
    }

    fn of(&self, hash: (u64, u64)) -> impl Iterator<Item = &Asked> {
        let bucket = (hash.0 >> self.shift) as usize;
        let range = self.begins[bucket] as usize..self.begins[bucket + 1] as usize;
        self.asked[range].iter().filter(move |asked| asked.hash == hash)
    }
}

fn halves(token: &[u8]) -> (u64, u64) {
    let hash = hash(token);
    ((hash >> 64) as u64, hash as u64)
}

/// The ruleset's rule numbers in order.
pub(super) fn rule_numbers(ruleset: &Ruleset) -> Vec<u16> {
    let mut numbers: Vec<u16> = ruleset.rules().iter().map(|rule| rule.number).collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

/// Where in `numbers` a token's rule is; `None` for a dummy, which meets nothing.
fn rule_index(numbers: &[u16], token: &[u8]) -> Result<Option<u8>, Failure> {
    match ExplainedToken::rule_of(token) {
        Some(DUMMY_RULE) => Ok(None),
        rule => rule
            .and_then(|rule| numbers.binary_search(&rule).ok())
            .map(|index| Some(index as u8))
            .ok_or_else(|| Failure::bug("a token is of no rule that its ruleset lists")),
    }
}

/// Joins both files on the tokens of `ruleset`.
///
/// # Errors
/// As [`RowReader`]'s; a ruleset of more rules than are counted here.
pub(super) fn join(set: &Set<'_>, ruleset: &Ruleset, level: Level) -> Result<Outcome, Failure> {
    let numbers = rule_numbers(ruleset);
    if numbers.len() > RULES_MAX {
        return Err(Failure::input("too_many_rules", format!("{} has more than {RULES_MAX} rules", ruleset.name())));
    }
    let mut outcome = Outcome { rules: vec![RuleTokens::default(); numbers.len()], ..Outcome::default() };
    let index = Index::new(ask(set.pairs, ruleset, &numbers, &mut outcome)?);
    let crowds = Crowds::count(set.records, ruleset)?;
    let mut reader = open(set.records)?;
    let (records, pairs, people): (&[Truth], &[Truth], &People) = (&set.record_truths, &set.pair_truths, &set.people);
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| meet(&chunk, ruleset, &numbers, &crowds, &index),
        |met| {
            for (total, more) in outcome.rules.iter_mut().zip(&met.emitted) {
                total.emitted += more;
            }
            outcome.record_tokens_max = outcome.record_tokens_max.max(met.tokens_max);
            outcome.records_without += met.without;
            outcome.crowded += met.crowded;
            for (record, pair, rule) in met.meetings {
                let (truth, of_pair) = (records[record as usize], pairs[pair as usize]);
                let pair = &mut outcome.pairs[pair as usize];
                pair.met |= 1 << rule;
                if level.is_same(truth, of_pair) {
                    pair.right |= 1 << rule;
                }
                pair.met_person |= truth.person == of_pair.person;
                pair.first_sample = pair.first_sample.min(people.sample(truth.person));
            }
            Ok(())
        },
    )?;
    Ok(outcome)
}

fn open(path: &Path) -> Result<RowReader, Failure> {
    RowReader::open(&Source::File(path.to_owned()), &CsvOptions::default())
}

/// The tokens of a chunk with each row's end, or why a row has none.
type RowTokens = Vec<Result<usize, &'static str>>;

fn tokens_of(chunk: &RowChunk, ruleset: &Ruleset, mut side: impl FnMut(&Row<'_>) -> Side) -> (TokenArena, RowTokens) {
    let mut tokens = TokenArena::new();
    let rows = chunk
        .iter()
        .map(|view| {
            if let Some(problem) = view.problem {
                return Err(problem.reason());
            }
            let row = row_of(&view);
            ruleset.tokenize(side(&row), &row, &mut tokens).map(|()| tokens.len()).map_err(NotSubmitted::as_str)
        })
        .collect();
    (tokens, rows)
}

/// What the pairs send.
fn ask(pairs: &Path, ruleset: &Ruleset, numbers: &[u16], outcome: &mut Outcome) -> Result<Vec<Asked>, Failure> {
    let mut asked = Vec::new();
    let mut reader = open(pairs)?;
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| {
            let (tokens, rows) = tokens_of(&chunk, ruleset, |_| Side::Verifier);
            let rule = |token| Ok::<_, Failure>((halves(token), rule_index(numbers, token)?));
            let tokens = tokens.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
            Ok((tokens, rows))
        },
        |(tokens, rows)| {
            let mut begin = 0;
            for row in rows {
                let pair = outcome.pairs.len() as u32;
                outcome.pairs.push(PairOutcome { submitted: row.is_ok(), first_sample: SAMPLES.len() as u8, ..PairOutcome::default() });
                match row {
                    Err(reason) => *outcome.reasons.entry(reason).or_default() += 1,
                    Ok(end) => {
                        let mut rules = 0_u128;
                        for (hash, rule) in &tokens[begin..end] {
                            let Some(rule) = *rule else { continue };
                            asked.push(Asked { hash: *hash, pair, rule });
                            outcome.rules[usize::from(rule)].sent += 1;
                            rules |= 1 << rule;
                        }
                        for (at, rule) in outcome.rules.iter_mut().enumerate() {
                            rule.pairs += u64::from(rules >> at & 1 == 1);
                        }
                        begin = end;
                    }
                }
            }
            Ok(())
        },
    )?;
    if u32::try_from(asked.len()).is_err() {
        return Err(Failure::input("too_many_tokens", "these pairs have more tokens than can be counted here"));
    }
    Ok(asked)
}

/// How many records there are at each place, where the ruleset asks.
struct Crowds {
    max: Option<u32>,
    counts: HashMap<u64, u32>,
}

impl Crowds {
    fn count(records: &Path, ruleset: &Ruleset) -> Result<Self, Failure> {
        let (max, mut counts) = (ruleset.crowd_max(), HashMap::new());
        if max.is_some() {
            let mut reader = open(records)?;
            for_each_ordered(
                || reader.next_chunk(),
                |chunk| Ok(chunk.iter().filter_map(|view| ruleset.place(&row_of(&view))).collect::<Vec<_>>()),
                |places| {
                    places.into_iter().for_each(|place| *counts.entry(place).or_default() += 1);
                    Ok(())
                },
            )?;
        }
        Ok(Self { max, counts })
    }

    fn place(&self, ruleset: &Ruleset, row: &Row<'_>) -> Place {
        let Some(max) = self.max else { return Place::Quiet };
        let count = ruleset.place(row).and_then(|place| self.counts.get(&place)).copied().unwrap_or_default();
        if count > max { Place::Crowded } else { Place::Quiet }
    }
}

/// What a chunk of records meets.
struct Met {
    /// Record, pair, rule.
    meetings: Vec<(u32, u32, u8)>,
    /// Tokens by rule.
    emitted: Vec<u64>,
    tokens_max: u64,
    without: u64,
    crowded: u64,
}

fn meet(chunk: &RowChunk, ruleset: &Ruleset, numbers: &[u16], crowds: &Crowds, index: &Index) -> Result<Met, Failure> {
    let mut crowded = 0;
    let (tokens, rows) = tokens_of(chunk, ruleset, |row| {
        let place = crowds.place(ruleset, row);
        crowded += u64::from(place == Place::Crowded);
        Side::Holder(place)
    });
    let mut met = Met { meetings: Vec::new(), emitted: vec![0; numbers.len()], tokens_max: 0, without: 0, crowded };
    let (mut tokens, mut begin) = (tokens.iter(), 0);
    for (record, end) in (chunk.first_number() - 1..).zip(rows) {
        let count = end.map_or(0, |end| end - std::mem::replace(&mut begin, end));
        met.without += u64::from(count == 0);
        met.tokens_max = met.tokens_max.max(count as u64);
        for token in tokens.by_ref().take(count) {
            let Some(rule) = rule_index(numbers, token)? else { continue };
            met.emitted[usize::from(rule)] += 1;
            met.meetings.extend(index.of(halves(token)).map(|asked| (record as u32, asked.pair, asked.rule)));
        }
    }
    Ok(met)
}
