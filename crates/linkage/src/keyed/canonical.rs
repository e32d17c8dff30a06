//! A row under the canonicaliser `us-2`: what every keyed ruleset starts from.

use super::person::{FamilyName, Person};
use crate::address::{self, Line, LineKind};
use crate::data::Tables;
use crate::fold::fold;
use crate::postal;
use crate::text::Text;
use crate::{NotSubmitted, Row};

/// What of a delivery line may lack (K-31).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LineLacks {
    /// Nothing: a line is full, or the row is refused.
    Nothing,
    /// The street, where the line is a house number and nothing else.
    Street,
    /// All of it: the person is asked for, not the address.
    All,
}

/// What a row can do without.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lacks {
    pub(super) family: FamilyName,
    pub(super) line: LineLacks,
}

/// A row in canonical parts (C-7).
pub(super) struct Canonical2 {
    pub(super) person: Person,
    pub(super) line: Line,
    pub(super) zip: Text,
}

impl Canonical2 {
    /// Name, address, postal code, in this order: the first refusal is the reason (C-7).
    pub(super) fn read(tables: &Tables, row: &Row<'_>, lacks: Lacks) -> Result<Self, NotSubmitted> {
        let person = Person::read(tables, row.name, lacks.family)?;
        let (mut folded, mut unit) = (Text::new(), Text::new());
        fold(tables, row.address, &mut folded)?;
        fold(tables, row.unit, &mut unit)?;
        let line = address::read(tables, &folded, &unit).or_else(|reason| match lacks.line {
            LineLacks::Nothing => Err(reason),
            LineLacks::Street if reason != NotSubmitted::IncompleteAddress => Err(reason),
            LineLacks::Street => address::number_alone(tables, &folded, &unit).ok_or(reason),
            LineLacks::All => Ok(address::number_alone(tables, &folded, &unit).unwrap_or_else(Line::absent)),
        })?;
        fold(tables, row.postal_code, &mut folded)?;
        let mut zip = Text::new();
        postal::write(&folded, &mut zip)?;
        Ok(Canonical2 { person, line, zip })
    }

    /// The parts for their owner's eyes: name and value.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let Person { given, given_joined, middle, family_joined, suffix, .. } = &self.person;
        let line = &self.line;
        vec![
            ("given", given.clone()),
            ("given_joined", given_joined.clone()),
            ("middle", middle.map(String::from).unwrap_or_default()),
            ("family", family_joined.clone()),
            ("suffix", suffix.unwrap_or("").to_owned()),
            ("number", line.number.as_str().to_owned()),
            ("before", line.before.unwrap_or("").to_owned()),
            ("street", line.name.as_str().to_owned()),
            ("type", line.street_type.unwrap_or("").to_owned()),
            ("behind", line.behind.unwrap_or("").to_owned()),
            ("unit", line.unit.as_str().to_owned()),
            ("zip", self.zip.as_str().to_owned()),
        ]
    }
}

impl Line {
    /// Whether it is a house number and a street.
    pub(super) fn is_street(&self) -> bool {
        self.kind == LineKind::Street
    }
}
