//! A row under the canonicaliser `us-2`: what every keyed ruleset starts from.

use super::person::Person;
use crate::address::{self, Line, LineKind};
use crate::data::Tables;
use crate::fold::fold;
use crate::postal;
use crate::text::Text;
use crate::{NotSubmitted, Row};

/// A row in canonical parts (C-1).
pub(super) struct Canonical2 {
    pub(super) person: Person,
    pub(super) line: Line,
    pub(super) zip: Text,
}

impl Canonical2 {
    /// Name, address, postal code, in this order: the first refusal is the reason (C-3).
    pub(super) fn read(tables: &Tables, row: &Row<'_>, family_may_lack: bool) -> Result<Self, NotSubmitted> {
        let person = Person::read(tables, row.name, family_may_lack)?;
        let (mut folded, mut unit) = (Text::new(), Text::new());
        fold(tables, row.address, &mut folded)?;
        fold(tables, row.unit, &mut unit)?;
        let line = address::read(tables, &folded, &unit)?;
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
