//! Delivery lines: a PO box, a route and box, or a number and street.

mod boxes;
mod number;
mod split;
mod street;
mod unit;

use crate::NotSubmitted;
use crate::data::{AddressPlaceholder, Tables};
use crate::text::Text;

/// Writes the canonical delivery line of a folded address.
///
/// # Errors
/// `EmptyAddress`, `Placeholder`, `IncompleteAddress`, `AmbiguousAddress`, `FieldTooLong`.
pub(crate) fn canonical(tables: &Tables, folded: &Text, out: &mut Text) -> Result<(), NotSubmitted> {
    once(tables, folded.as_str(), out)?;
    out.check_len()?;
    // a line whose canonical form reads differently has no certain reading.
    let mut again = Text::new();
    match once(tables, out.as_str(), &mut again) {
        Ok(()) if again.as_bytes() == out.as_bytes() => Ok(()),
        _ => Err(NotSubmitted::AmbiguousAddress),
    }
}

fn once(tables: &Tables, folded: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    out.clear();
    placeholder(tables, folded)?;
    let mut line = Text::new();
    split::punctuation(folded, &mut line)?;
    let words = split::words(tables, line.as_str())?;
    let words = words.as_slice();
    if words.is_empty() {
        return Err(NotSubmitted::EmptyAddress);
    }
    match boxes::parse(tables, words, out)? {
        boxes::Parsed::Written => Ok(()),
        boxes::Parsed::NotABox => street::parse(tables, words, out),
    }
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
