//! Delivery lines (R-30 to R-49, C-10 on): a PO box, a route and box, or a number and street.

mod boxes;
mod identity;
mod mend;
mod number;
mod place;
mod spanish;
mod split;
mod street;
mod unit;

use crate::NotSubmitted;
use crate::data::{AddressPlaceholder, Tables};
use crate::text::{Text, Words};

/// What a delivery line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// A house number and a street.
    Street,
    /// A post office box.
    PoBox,
    /// A box on a rural or highway-contract route.
    Route,
    /// A box at a military post office.
    Military,
}

/// A delivery line in parts.
pub(crate) struct Line {
    pub(crate) kind: LineKind,
    /// The house number, or the box's.
    pub(crate) number: Text,
    /// The direction before the name: `n`, `sw`.
    pub(crate) before: Option<&'static str>,
    /// The street's name, its words joined in their long forms; or `po box`, `rr 2`, `psc 12`.
    pub(crate) name: Text,
    /// The USPS abbreviation of the street's type.
    pub(crate) street_type: Option<&'static str>,
    /// The direction behind the type.
    pub(crate) behind: Option<&'static str>,
    /// What tells this unit from another of the house; empty without one. Not part of the line as
    /// it is written.
    pub(crate) unit: Text,
}

impl Line {
    const fn new() -> Self {
        Line {
            kind: LineKind::Street,
            number: Text::new(),
            before: None,
            name: Text::new(),
            street_type: None,
            behind: None,
            unit: Text::new(),
        }
    }

    /// No line at all: every part is empty.
    pub(crate) const fn absent() -> Self {
        Line::new()
    }

    /// Whether there is a house number and a street, or a box.
    pub(crate) fn is_full(&self) -> bool {
        !self.number.is_empty() && !self.name.is_empty()
    }

    /// Writes the parts in one line, without the unit.
    pub(crate) fn write(&self, out: &mut Text) -> Result<(), NotSubmitted> {
        out.clear();
        match self.kind {
            LineKind::Street => {
                out.push(self.number.as_str())?;
                let words = [self.before, Some(self.name.as_str()), self.street_type, self.behind];
                words.into_iter().flatten().try_for_each(|word| out.push_word(word))
            }
            LineKind::PoBox => {
                out.push(self.name.as_str())?;
                out.push_word(self.number.as_str())
            }
            LineKind::Route | LineKind::Military => {
                out.push(self.name.as_str())?;
                out.push_word("box")?;
                out.push_word(self.number.as_str())
            }
        }
    }
}

/// Writes the canonical delivery line of a folded address.
///
/// # Errors
/// `EmptyAddress`, `Placeholder`, `IncompleteAddress`, `AmbiguousAddress`, `FieldTooLong`.
pub(crate) fn canonical(tables: &Tables, folded: &Text, out: &mut Text) -> Result<(), NotSubmitted> {
    stable(tables, folded, &Text::new(), out).map(drop)
}

/// Reads a folded address and a folded unit column into their parts. A unit in both columns counts
/// once.
///
/// # Errors
/// `EmptyAddress`, `Placeholder`, `IncompleteAddress`, `AmbiguousAddress`, `FieldTooLong`.
pub(crate) fn read(tables: &Tables, folded_address: &Text, folded_unit: &Text) -> Result<Line, NotSubmitted> {
    stable(tables, folded_address, folded_unit, &mut Text::new())
}

/// A folded address that is a house number and no street, with what its unit column says (C-19); `None` for anything else.
pub(crate) fn number_alone(tables: &Tables, folded_address: &Text, folded_unit: &Text) -> Option<Line> {
    let number = folded_address.as_str().trim_start_matches('0');
    let digits = (1..=6).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    // What a street would make of the unit column.
    let mut with_street = Text::new();
    with_street.push(number).ok()?;
    with_street.push(" main st").ok()?;
    let mut line = read(tables, &with_street, folded_unit).ok()?;
    line.name = Text::new();
    line.street_type = None;
    Some(line)
}

/// a line whose canonical form reads differently has no certain reading.
fn stable(tables: &Tables, folded: &Text, unit: &Text, written: &mut Text) -> Result<Line, NotSubmitted> {
    let line = once(tables, folded.as_str(), unit.as_str())?;
    line.write(written)?;
    written.check_len()?;
    let mut again = Text::new();
    match once(tables, written.as_str(), "").and_then(|line| line.write(&mut again)) {
        Ok(()) if again.as_bytes() == written.as_bytes() => Ok(line),
        _ => Err(NotSubmitted::AmbiguousAddress),
    }
}

fn once(tables: &Tables, folded: &str, unit: &str) -> Result<Line, NotSubmitted> {
    placeholder(tables, folded)?;
    let (mut line, mut mended) = (Text::new(), Text::new());
    split::punctuation(tables, folded, &mut line)?;
    if tables.edition.mends_words() {
        mend::words(tables, line.as_str(), &mut mended)?;
        line = mended;
    }
    let words = split::words(tables, line.as_str(), true)?;
    if words.as_slice().iter().all(|w| *w == ",") {
        return Err(NotSubmitted::EmptyAddress);
    }
    let mut out = Line::new();
    let mut units = Words::new();
    match boxes::parse(tables, words.as_slice(), &mut units, &mut out)? {
        boxes::Parsed::Written => {}
        boxes::Parsed::NotABox if tables.edition.reads_places() => {
            let words = place::cut(tables, words.as_slice(), &mut units)?;
            let words = spanish::in_order(tables, words.as_slice())?;
            street::parse(tables, words.as_slice(), &mut units, &mut out)?;
        }
        boxes::Parsed::NotABox => street::parse(tables, words.as_slice(), &mut units, &mut out)?,
    }
    if tables.edition.reads_units() {
        identity::write(tables, units.as_slice(), unit, &mut out.unit)?;
    }
    Ok(out)
}

/// Writes words as a street's name, for the tests that compare with labels.
pub(crate) fn name(tables: &Tables, folded: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    let mut line = Text::new();
    split::punctuation(tables, folded, &mut line)?;
    street::name(tables, split::words(tables, line.as_str(), false)?.as_slice(), out)
}

/// a line that stands for a missing one.
fn placeholder(tables: &Tables, folded: &str) -> Result<(), NotSubmitted> {
    let mut joined = Text::new();
    for b in folded.bytes().filter(|b| b.is_ascii_alphanumeric() || *b == b'/') {
        joined.push_byte(b)?;
    }
    let joined = joined.as_str();
    if tables.address_placeholders.contains_key(joined) || (joined.len() > 1 && joined.bytes().all(|b| b == b'x')) {
        return Err(NotSubmitted::Placeholder);
    }
    // The longest entry to begin a line, `generaldelivery`, has 15 letters; the first word alone
    // or the first two together may be it.
    let mut words = folded.split([' ', ',', '.', '-']).filter(|w| !w.is_empty());
    let (first, second) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let starts = |text: &str| tables.address_placeholders.get(text) == Some(&AddressPlaceholder::Start);
    let both = joined.get(..first.len() + second.len()).unwrap_or("");
    if starts(first) || starts(both) {
        return Err(NotSubmitted::Placeholder);
    }
    Ok(())
}
