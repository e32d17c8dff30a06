//! The canonical fields of a row, to look at one's own data.

use core::fmt;

/// The canonical parts of one row, as its tokens are made of them (R-4, C-7).
///
/// For tests, vectors and an operator's own data; its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Canonical {
    pub(crate) parts: Vec<(&'static str, String)>,
}

impl Canonical {
    /// Every part, name and value; a part that the row lacks is empty.
    #[must_use]
    pub fn parts(&self) -> &[(&'static str, String)] {
        &self.parts
    }

    /// A part by its name; empty where there is none of that name.
    ///
    /// Of `us-exact-1`: `given` (first given name, without spaces), `family` (all its words joined), `delivery` (the delivery line, its parts separated by
    /// single spaces: `12 n main st`, `po box 7`) and `zip5`.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.parts.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

impl fmt::Debug for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canonical { .. }")
    }
}
