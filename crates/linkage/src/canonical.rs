//! The canonical fields of a row, to look at one's own data.

use core::fmt;

/// The canonical fields of one row, as its token holds them.
///
/// For tests, vectors and an operator's own data; its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct Canonical {
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) delivery: String,
    pub(crate) zip5: String,
}

impl Canonical {
    /// First given name: letters a–z and digits, without spaces.
    #[must_use]
    pub fn given(&self) -> &str {
        &self.given
    }

    /// Family name, all its words joined.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
    }

    /// Delivery line, its parts separated by single spaces: `12 n main st`, `po box 7`.
    #[must_use]
    pub fn delivery(&self) -> &str {
        &self.delivery
    }

    /// Five-digit ZIP code.
    #[must_use]
    pub fn zip5(&self) -> &str {
        &self.zip5
    }
}

impl fmt::Debug for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canonical { .. }")
    }
}
