//! A view of the address parser for this crate's own tests against labelled addresses and vectors.
//! Not part of the interface.

use crate::data::{Edition, tables};
use crate::fold::fold;
use crate::text::Text;
use crate::{NotSubmitted, address};

/// A delivery line in parts.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts {
    /// `street`, `po box`, `route` or `military`.
    pub kind: &'static str,
    /// House number or box.
    pub number: String,
    /// Direction before the name.
    pub before: Option<&'static str>,
    /// Street, or route.
    pub name: String,
    /// Street type.
    pub street_type: Option<&'static str>,
    /// Direction behind.
    pub behind: Option<&'static str>,
    /// Identity of the unit.
    pub unit: String,
    /// The parts without the unit, as a line.
    pub written: String,
}

/// What the parser of `us-exact-1` makes of an address.
///
/// # Errors
/// Why it is refused.
pub fn us_exact_1(address: &str) -> Result<Parts, NotSubmitted> {
    read(Edition::Us1, address, "")
}

/// What the canonicaliser `us-2` makes of an address and a unit.
///
/// # Errors
/// Why it is refused.
pub fn us_2(address: &str, unit: &str) -> Result<Parts, NotSubmitted> {
    read(Edition::Us2, address, unit)
}

/// Words of a street's name as a line's `name` has them, whatever else they might be.
#[must_use]
pub fn name(us_2: bool, words: &str) -> String {
    let tables = tables(if us_2 { Edition::Us2 } else { Edition::Us1 });
    let (mut folded, mut name) = (Text::new(), Text::new());
    let written = fold(tables, words, &mut folded).and_then(|()| address::name(tables, folded.as_str(), &mut name));
    written.map_or_else(|_| String::new(), |()| name.as_str().to_owned())
}

/// The USPS abbreviation of a street's type, and a direction, as the tables of `us-2` have them.
#[must_use]
pub fn word(word: &str) -> (Option<&'static str>, Option<&'static str>) {
    let word = tables(Edition::Us2).word(word);
    (word.street_type.map(|(usps, _)| usps), word.direction)
}

fn read(edition: Edition, address: &str, unit: &str) -> Result<Parts, NotSubmitted> {
    let tables = tables(edition);
    let (mut folded_address, mut folded_unit, mut written) = (Text::new(), Text::new(), Text::new());
    fold(tables, address, &mut folded_address)?;
    fold(tables, unit, &mut folded_unit)?;
    let line = address::read(tables, &folded_address, &folded_unit)?;
    line.write(&mut written)?;
    Ok(Parts {
        kind: match line.kind {
            address::LineKind::Street => "street",
            address::LineKind::PoBox => "po box",
            address::LineKind::Route => "route",
            address::LineKind::Military => "military",
        },
        number: line.number.as_str().to_owned(),
        before: line.before,
        name: line.name.as_str().to_owned(),
        street_type: line.street_type,
        behind: line.behind,
        unit: line.unit.as_str().to_owned(),
        written: written.as_str().to_owned(),
    })
}
