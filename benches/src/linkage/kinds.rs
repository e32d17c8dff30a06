//! What kind of address a pair's raw text is: a rough reading of this kit's own, for telling figures apart.

use oblink_node::rows::RowView;

use super::fields::{UNIT_WORDS, words};

/// The kinds. A row is of one of the first eight, and may be of the others as well.
pub(super) const KINDS: [&str; 11] = [
    "plain street",
    "numbered street",
    "highway",
    "PO box",
    "rural route",
    "military",
    "no number",
    "empty",
    "with a unit",
    "number with hyphen, letter or fraction",
    "no postal code",
];
const HIGHWAY: [&str; 8] = ["highway", "hwy", "route", "rte", "rt", "interstate", "fm", "cr"];

/// The kinds that one address is of: a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AddressKinds(u16);

impl AddressKinds {
    /// Whether the kind at `index` of [`KINDS`] is one of them.
    pub(super) fn has(self, index: usize) -> bool {
        self.0 >> index & 1 == 1
    }

    /// Reads a row.
    pub(super) fn of(view: &RowView<'_>) -> Self {
        let words = words(view.address);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let has_unit = !view.unit.trim().is_empty() || words.iter().skip(1).any(|word| UNIT_WORDS.contains(word));
        let has_digit = |word: &&str| word.bytes().any(|byte| byte.is_ascii_digit());
        let odd_number = words.first().is_some_and(|word| has_digit(word) && word.bytes().any(|byte| !byte.is_ascii_digit()))
            || words.get(1).is_some_and(|word| has_digit(word) && word.contains('/'));
        let mut kinds = 1 << main_kind(&words);
        for (index, is) in [(8, has_unit), (9, odd_number), (10, view.postal_code.trim().is_empty())] {
            kinds |= u16::from(is) << index;
        }
        Self(kinds)
    }
}

/// The one of the first eight.
fn main_kind(words: &[&str]) -> usize {
    let Some(first) = words.first() else { return 7 };
    let begins_with_digit = |word: &str| word.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
    let has = |word: &str| words.contains(&word);
    if has("psc") || has("apo") || has("fpo") || has("dpo") || (has("cmr") && has("box")) {
        return 5;
    }
    if ["rr", "hc", "rfd", "rural"].contains(first) || first.strip_prefix("rr").is_some_and(begins_with_digit) {
        return 4;
    }
    if *first == "pob" || *first == "pobox" || has("box") {
        return 3;
    }
    if !begins_with_digit(first) {
        return 6;
    }
    let street = &words[1..];
    if street.iter().any(|word| HIGHWAY.contains(word)) || street.windows(2).any(|two| two[0] == "county" && two[1] == "road") {
        return 2;
    }
    // A fraction belongs to the number; what follows a unit's word is the unit.
    let street = street.iter().take_while(|word| !UNIT_WORDS.contains(word));
    usize::from(street.filter(|word| !word.contains('/')).any(|word| begins_with_digit(word)))
}
