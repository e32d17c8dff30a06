//! Amounts on the command line: 700000, 700k, 7M.

/// The amount that `text` says, at least 1 and at most 2^40.
///
/// # Errors
/// What is wrong with it.
pub fn amount(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text:?} is no amount: write 700000, 700k or 7M");
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(thousands) => (thousands, 1_000),
        None => text.strip_suffix(['m', 'M']).map_or((text, 1), |millions| (millions, 1_000_000)),
    };
    let number: u64 = digits.replace('_', "").parse().map_err(|_| wrong())?;
    number.checked_mul(unit).filter(|n| (1..=1 << 40).contains(n)).ok_or_else(wrong)
}

/// An amount as short as it can be said exactly: 7M, 700k, 1234.
#[must_use]
pub fn short(amount: u64) -> String {
    match amount {
        n if n > 0 && n.is_multiple_of(1_000_000) => format!("{}M", n / 1_000_000),
        n if n > 0 && n.is_multiple_of(1_000) => format!("{}k", n / 1_000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_said() {
        for (text, number) in [("700k", 700_000), ("7M", 7_000_000), ("10_000", 10_000), ("1", 1)] {
            assert_eq!(amount(text), Ok(number));
            assert_eq!(amount(&short(number)), Ok(number));
        }
        for wrong in ["", "k", "0", "-1", "1.5M", "99999999999M", "é", "7 M"] {
            assert!(amount(wrong).is_err(), "{wrong}");
        }
        assert_eq!(short(0), "0");
        assert_eq!(short(1_500_000), "1500k");
    }
}
