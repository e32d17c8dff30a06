//! What a row is before canonicalisation.

use core::fmt;

/// The name of a person, in one column or in parts.
///
/// Its `Debug` shows no value.
#[derive(Clone, Copy)]
pub enum Name<'a> {
    /// One column: `Given Middle Family Suffix` or `Family, Given Middle`.
    Whole(&'a str),
    /// Separate columns; absent ones are empty.
    Parts {
        /// Given name or names; only the first takes part in `us-exact-1`.
        given: &'a str,
        /// Middle name; never part of a `us-exact-1` token.
        middle: &'a str,
        /// Family name or names.
        family: &'a str,
        /// Generational suffix; never part of a `us-exact-1` token.
        suffix: &'a str,
    },
}

impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Name::Whole(_) => "Name::Whole(..)",
            Name::Parts { .. } => "Name::Parts { .. }",
        })
    }
}

/// One pair or record: a name and an address, exactly as the file has them.
///
/// Absent columns are empty strings. Its `Debug` shows no value.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// The name.
    pub name: Name<'a>,
    /// The delivery line: house number and street, a PO box, a rural route and box. A unit at its
    /// end is parsed off.
    pub address: &'a str,
    /// The unit, where it has a column of its own. Not part of a `us-exact-1` token and not read
    /// by it.
    pub unit: &'a str,
    /// City. Not read by `us-exact-1`: the ZIP code stands for it.
    pub city: &'a str,
    /// State. Not read by `us-exact-1`.
    pub state: &'a str,
    /// ZIP code, with or without its +4, with or without its leading zeros.
    pub postal_code: &'a str,
}

impl fmt::Debug for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Row { .. }")
    }
}
