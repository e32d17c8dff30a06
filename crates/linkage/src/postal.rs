//! ZIP codes.

use crate::NotSubmitted;
use crate::text::Text;

/// The ZIP5 of folded text.
///
/// # Errors
/// `MissingPostalCode` for an empty field; `InvalidPostalCode` for letters, a number of digits
/// that no lost leading zeros explain, 00000 and 99999.
pub(crate) fn zip5(folded: &str) -> Result<[u8; 5], NotSubmitted> {
    if folded.is_empty() {
        return Err(NotSubmitted::MissingPostalCode);
    }
    let invalid = NotSubmitted::InvalidPostalCode;
    // A spreadsheet's number: 2139.0
    let text = match folded.split_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|b| b == b'0') => whole,
        Some(_) => return Err(invalid),
        None => folded,
    };
    let (main, plus4) = match text.split_once('-') {
        Some((main, plus4)) => (main, Some(plus4)),
        None => (text, None),
    };
    let main = digits(main).ok_or(invalid)?;
    let (width, value) = match (main.1, plus4.map(digits)) {
        (3..=5, None | Some(Some((_, 0 | 4)))) => (5, main.0),
        (7..=9, None) => (9, main.0),
        _ => return Err(invalid),
    };
    let mut zip = if width == 9 { value / 10_000 } else { value };
    if zip == 0 || zip == 99_999 {
        return Err(invalid);
    }
    let mut out = [b'0'; 5];
    for place in out.iter_mut().rev() {
        // A remainder below ten fits a byte.
        *place += (zip % 10) as u8;
        zip /= 10;
    }
    Ok(out)
}

/// Value and number of the digits of `text`, spaces aside.
fn digits(text: &str) -> Option<(u32, usize)> {
    let mut value = 0u32;
    let mut count = 0;
    for b in text.bytes().filter(|b| *b != b' ') {
        if !b.is_ascii_digit() || count == 9 {
            return None;
        }
        value = value * 10 + u32::from(b - b'0');
        count += 1;
    }
    Some((value, count))
}

/// Writes the ZIP5 of folded text.
pub(crate) fn write(folded: &Text, out: &mut Text) -> Result<(), NotSubmitted> {
    out.clear();
    for b in zip5(folded.as_str())? {
        out.push_byte(b)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pads_trims_and_refuses() {
        for (input, zip) in [
            ("98104", "98104"),
            ("98104-1234", "98104"),
            ("98104-", "98104"),
            ("98104 1234", "98104"),
            ("981041234", "98104"),
            ("9 8104", "98104"),
            ("2139", "02139"),
            ("2139.0", "02139"),
            ("2139-1234", "02139"),
            ("21391234", "02139"),
            ("501", "00501"),
            ("5011234", "00501"),
        ] {
            assert_eq!(zip5(input).unwrap(), zip.as_bytes(), "{input}");
        }
        for input in ["00000", "0000", "99999", "12", "123456", "9810a", "98104-12", "2139.5"] {
            assert_eq!(zip5(input), Err(NotSubmitted::InvalidPostalCode), "{input}");
        }
        assert_eq!(zip5("1234567890"), Err(NotSubmitted::InvalidPostalCode));
        assert_eq!(zip5("-"), Err(NotSubmitted::InvalidPostalCode));
        assert_eq!(zip5(""), Err(NotSubmitted::MissingPostalCode));
    }
}
