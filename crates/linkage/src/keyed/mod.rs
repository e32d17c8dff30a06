//! Rulesets of several keys a pair, as data: what `us-confirm-1` and its like are made of.

mod canonical;
mod definition;
mod form;
mod person;
mod sound;

pub use definition::RulesetError;

use sha2::{Digest, Sha256};

use crate::data::{Edition, Tables, edition_digest, tables};
use crate::ruleset::{Place, Rule, RulesetClass, Side};
use crate::{NotSubmitted, Row, TokenArena, token};
use canonical::{Canonical2, Lacks, LineLacks};
use definition::{Definition, Extra, KeyRule};
use form::VALUES_MAX;
use person::FamilyName;

/// Tokens of one record under one rule, at most.
const RECORD_TOKENS_MAX: usize = VALUES_MAX * 2;

/// How two sides' values of what they may lack must agree (K-20).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    /// Not looked at.
    Ignored,
    /// The same, or lacking on both sides.
    Equal,
    /// There on both sides, and the same.
    Present,
    /// There on one side, and lacking on the other.
    Lacking,
}

/// A ruleset's rules, ready to be applied.
#[derive(Debug)]
pub(crate) struct Keyed {
    definition: Definition,
    pub(crate) digest: [u8; 32],
}

impl Keyed {
    /// Reads a ruleset.
    pub(crate) fn parse(text: &str) -> Result<Self, RulesetError> {
        let definition = Definition::parse(text)?;
        // The bytes of the file do not count, but what it says does.
        let mut hash = Sha256::new();
        hash.update(b"oblink/1/keyed-ruleset\0");
        hash.update(edition_digest(Edition::Us2));
        hash.update(definition.canonical_text().as_bytes());
        Ok(Keyed { digest: hash.finalize().into(), definition })
    }

    pub(crate) fn name(&self) -> &str {
        &self.definition.name
    }

    pub(crate) fn class(&self) -> RulesetClass {
        self.definition.class
    }

    pub(crate) fn tokens_per_pair(&self) -> u16 {
        self.definition.tokens_per_pair
    }

    pub(crate) fn crowd_max(&self) -> Option<u32> {
        self.definition.crowd_max
    }

    /// Its rules as they are published.
    pub(crate) fn published(&self) -> Vec<Rule> {
        self.definition.rules.iter().map(KeyRule::published).collect()
    }

    fn read(&self, row: &Row<'_>, side: Side) -> Result<Canonical2, NotSubmitted> {
        let definition = &self.definition;
        let family = match side {
            Side::Verifier => definition.pair_family,
            Side::Holder(_) if definition.record_family_may_lack() => FamilyName::MayLack,
            Side::Holder(_) => FamilyName::Needed,
        };
        let line = match (definition.class, side) {
            (RulesetClass::FindPerson, _) => LineLacks::All,
            (RulesetClass::ConfirmAddress, Side::Holder(_)) if definition.record_street_may_lack() => LineLacks::Street,
            (RulesetClass::ConfirmAddress, _) => LineLacks::Nothing,
        };
        Canonical2::read(tables(Edition::Us2), row, Lacks { family, line })
    }

    /// The parts of a pair, for its owner's eyes.
    pub(crate) fn shown(&self, row: &Row<'_>) -> Result<Vec<(&'static str, String)>, NotSubmitted> {
        self.read(row, Side::Verifier).map(|row| row.shown())
    }

    /// A number that the rows of one delivery line and ZIP code share (K-30).
    pub(crate) fn place(&self, row: &Row<'_>) -> Option<u64> {
        let row = self.read(row, Side::Holder(Place::Quiet)).ok()?;
        if !row.line.is_full() {
            return None;
        }
        let mut line = crate::text::Text::new();
        row.line.write(&mut line).ok()?;
        let mut hash = Sha256::new();
        hash.update(b"oblink/1/place\0");
        hash.update([u8::try_from(line.len()).unwrap_or(u8::MAX)]);
        hash.update(line.as_bytes());
        hash.update(row.zip.as_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        digest.first_chunk().map(|bytes| u64::from_be_bytes(*bytes))
    }

    /// Appends a row's tokens (K-27 to K-29).
    pub(crate) fn tokenize(&self, side: Side, row: &Row<'_>, out: &mut TokenArena) -> Result<(), NotSubmitted> {
        let row = self.read(row, side)?;
        let tables = tables(Edition::Us2);
        let first = out.len();
        for rule in &self.definition.rules {
            if rule.quiet_only && side == Side::Holder(Place::Crowded) {
                continue;
            }
            let (values, room) = match side {
                Side::Verifier => (usize::from(rule.pair_values_max), usize::from(self.tokens_per_pair()) - (out.len() - first)),
                Side::Holder(_) => (RECORD_TOKENS_MAX, RECORD_TOKENS_MAX),
            };
            if room == 0 {
                break;
            }
            rule.emit(tables, &self.digest, &row, side, values.min(room), out)?;
        }
        // A row that no rule serves lacks something that each of them needs.
        match out.len() > first {
            true => Ok(()),
            false if row.person.family.is_empty() => Err(NotSubmitted::IncompleteName),
            false => Err(NotSubmitted::IncompleteAddress),
        }
    }
}

impl KeyRule {
    /// Appends at most `room` tokens: every combination of the fields' values, the likeliest first, under every label.
    fn emit(
        &self,
        tables: &Tables,
        digest: &[u8; 32],
        row: &Canonical2,
        side: Side,
        mut room: usize,
        out: &mut TokenArena,
    ) -> Result<(), NotSubmitted> {
        // Of a pair the street is always there; a record of this rule's lacks it.
        if self.street_lacks && matches!(side, Side::Holder(_)) && !row.line.name.is_empty() {
            return Ok(());
        }
        let Some(labels) = self.labels(tables, row, side) else { return Ok(()) };
        let mut values = Vec::with_capacity(self.fields.len());
        for field in &self.fields {
            let of_field = field.values(tables, row, side);
            if of_field.is_empty() {
                return Ok(());
            }
            values.push(of_field);
        }
        let combinations: usize = values.iter().map(Vec::len).product();
        let mut fields: Vec<&[u8]> = Vec::with_capacity(values.len() + 1);
        for label in &labels {
            for at in 0..combinations {
                if room == 0 {
                    return Ok(());
                }
                fields.clear();
                let mut at = at;
                for of_field in &values {
                    fields.extend(of_field.get(at % of_field.len()).map(String::as_bytes));
                    at /= of_field.len();
                }
                fields.push(label.as_bytes());
                out.push_with(|bytes| token::encode(digest, self.number, &fields, bytes))?;
                room -= 1;
            }
        }
        Ok(())
    }

    /// The labels of a row: one text for the values that must agree, or which side lacks what (K-20 to K-24, K-34). More than one where a family name may
    /// be none, or a record's given name is on no list; `None` where this rule does not apply.
    fn labels(&self, tables: &Tables, row: &Canonical2, side: Side) -> Option<Vec<String>> {
        let person = &row.person;
        let middle = person.middle.map(String::from).unwrap_or_default();
        let of_row = [
            (self.middle, "m", middle.as_str()),
            (self.suffix, "s", person.suffix.unwrap_or("")),
            (self.unit, "u", row.line.unit.as_str()),
            (self.street_type, "t", row.line.street_type.unwrap_or("")),
        ];
        let mut label = String::new();
        for (agreement, name, value) in of_row {
            write_label(&mut label, agreement, name, value, side)?;
        }
        if !self.one_side_has.is_empty() {
            let has = |extra: &&Extra| match extra {
                Extra::Middle => !middle.is_empty(),
                Extra::Suffix => person.suffix.is_some(),
                Extra::Unit => !row.line.unit.is_empty(),
            };
            let count = self.one_side_has.iter().filter(has).count();
            if (1..usize::from(self.one_side_has_min)).contains(&count) {
                return None;
            }
            label = labelled(label, "x", if count == 0 { "" } else { "+" }, side);
        }
        if self.given_unlisted {
            let listed = tables.listed_given_names.contains_key(person.given.as_str());
            // A record with a listed name is there for pairs without one alone: two different names in use never meet.
            return Some(match (side, listed) {
                (Side::Verifier, true) => vec![label + "g=l;"],
                (Side::Verifier, false) | (Side::Holder(_), true) => vec![label + "g=u;"],
                (Side::Holder(_), false) => vec![label.clone() + "g=l;", label + "g=u;"],
            });
        }
        if !self.family_lacks {
            return Some(vec![label]);
        }
        // A row whose family name may be none gives what one with it would, and one without.
        let mut labels = Vec::with_capacity(2);
        if person.family.is_empty() || person.family_doubtful {
            labels.push(labelled(label.clone(), "f", "", side));
        }
        // Where no pair without a family name is asked, no record need answer one.
        if !person.family.is_empty() && (side == Side::Verifier || self.pair_family_may_lack) {
            labels.push(labelled(label, "f", "+", side));
        }
        if side == Side::Verifier && !self.pair_family_may_lack && person.family.is_empty() {
            labels.clear();
        }
        Some(labels)
    }
}

/// Adds a value, or who lacks it: `None` where the rule does not apply to it.
fn write_label(label: &mut String, agreement: Agreement, name: &str, value: &str, side: Side) -> Option<()> {
    match agreement {
        Agreement::Ignored => return Some(()),
        Agreement::Present if value.is_empty() => return None,
        Agreement::Equal | Agreement::Present => {
            label.push_str(name);
            label.push('=');
            label.push_str(value);
            label.push(';');
        }
        Agreement::Lacking => *label = labelled(core::mem::take(label), name, value, side),
    }
    Some(())
}

/// (K-21) `?v` where the verifier lacks it, `?h` where the holder does: a verifier that has it asks for records that lack it, and the other way round.
fn labelled(mut label: String, name: &str, value: &str, side: Side) -> String {
    let verifier_lacks = value.is_empty() == (side == Side::Verifier);
    label.push_str(name);
    label.push_str(if verifier_lacks { "?v;" } else { "?h;" });
    label
}

impl Tables {
    /// Every name that a given name is short for or a spelling of; itself where it is none (K-13). A record is found under all of them and itself.
    fn formal_names(&self, given: &str, side: Side) -> Vec<String> {
        let mut names: Vec<String> =
            self.formal_names.get(given).map_or_else(Vec::new, |names| names.iter().map(|name| (*name).to_owned()).collect());
        if names.is_empty() || side != Side::Verifier {
            names.push(given.to_owned());
        }
        names
    }
}
