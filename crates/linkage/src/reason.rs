//! Why a row gives no token.

use thiserror::Error;

/// Why a row emits no token. The codes of [`as_str`](Self::as_str) are stable: they are written
/// to results files and counted in reports. The requirement is R-5; the order in which they are
/// tested is R-6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
#[non_exhaustive]
pub enum NotSubmitted {
    /// `empty_name`: no name at all.
    #[error("the name is empty")]
    EmptyName,
    /// `incomplete_name`: a given or a family name is missing, or has no letter in it.
    #[error("a given or a family name is missing")]
    IncompleteName,
    /// `empty_address`: no address at all.
    #[error("the address is empty")]
    EmptyAddress,
    /// `incomplete_address`: not a full delivery line: no house number, no street, a box or a
    /// route without its number.
    #[error("the address is not a complete delivery line")]
    IncompleteAddress,
    /// `ambiguous_address`: the line can be read as two addresses, or its reading is not stable.
    #[error("the address can be read in more than one way")]
    AmbiguousAddress,
    /// `missing_postal_code`: no ZIP code.
    #[error("the postal code is missing")]
    MissingPostalCode,
    /// `invalid_postal_code`: not a ZIP code: letters, a wrong number of digits, 00000 or 99999.
    #[error("the postal code is not a ZIP code")]
    InvalidPostalCode,
    /// `placeholder`: a name or an address that stands for a missing one (`unknown`, `general
    /// delivery`).
    #[error("the name or the address is a placeholder")]
    Placeholder,
    /// `unsupported_characters`: a control character, or a letter outside the folding table.
    #[error("the row has characters outside the folding table")]
    UnsupportedCharacters,
    /// `field_too_long`: a field longer than the ruleset's limits once folded.
    #[error("a field is too long")]
    FieldTooLong,
}

impl NotSubmitted {
    /// Every reason, in the order of their declaration.
    pub const ALL: [NotSubmitted; 10] = [
        NotSubmitted::EmptyName,
        NotSubmitted::IncompleteName,
        NotSubmitted::EmptyAddress,
        NotSubmitted::IncompleteAddress,
        NotSubmitted::AmbiguousAddress,
        NotSubmitted::MissingPostalCode,
        NotSubmitted::InvalidPostalCode,
        NotSubmitted::Placeholder,
        NotSubmitted::UnsupportedCharacters,
        NotSubmitted::FieldTooLong,
    ];

    /// The stable code in snake case, as results files carry it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            NotSubmitted::EmptyName => "empty_name",
            NotSubmitted::IncompleteName => "incomplete_name",
            NotSubmitted::EmptyAddress => "empty_address",
            NotSubmitted::IncompleteAddress => "incomplete_address",
            NotSubmitted::AmbiguousAddress => "ambiguous_address",
            NotSubmitted::MissingPostalCode => "missing_postal_code",
            NotSubmitted::InvalidPostalCode => "invalid_postal_code",
            NotSubmitted::Placeholder => "placeholder",
            NotSubmitted::UnsupportedCharacters => "unsupported_characters",
            NotSubmitted::FieldTooLong => "field_too_long",
        }
    }
}
