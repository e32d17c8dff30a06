//! House numbers.

use super::street::road;
use crate::NotSubmitted;
use crate::data::{Number, Tables};
use crate::text::Text;

/// Writes the house number at the beginning of `words` and gives the words after it.
///
/// # Errors
/// `IncompleteAddress` where none stands there.
pub(super) fn parse<'w, 'a>(tables: &Tables, words: &'w [&'a str], out: &mut Text) -> Result<&'w [&'a str], NotSubmitted> {
    let incomplete = NotSubmitted::IncompleteAddress;
    let (first, rest) = words.split_first().ok_or(incomplete)?;
    let first_byte = first.bytes().next().unwrap_or(b' ');
    if first_byte.is_ascii_digit() {
        digits(tables, first, rest, out)
    } else if let Some((value, Number::Cardinal)) = tables.word(first).number {
        // ONE MAIN STREET has a number, SEVEN OAKS DR and ONE WAY have none.
        let next = rest.first().ok_or(incomplete)?;
        if tables.word(next).counted || tables.word(next).street_type.is_some() {
            return Err(incomplete);
        }
        if value >= 10 {
            out.push_byte(b'0' + value / 10)?;
        }
        out.push_byte(b'0' + value % 10)?;
        Ok(rest)
    } else {
        grid(first, rest, out)
    }
}

fn digits<'w, 'a>(tables: &Tables, first: &str, rest: &'w [&'a str], out: &mut Text) -> Result<&'w [&'a str], NotSubmitted> {
    let number = first.trim_start_matches('0');
    // All zeros, or zeros and a suffix, stand for no number.
    if !number.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
        return Err(NotSubmitted::IncompleteAddress);
    }
    if let Some((a, b)) = number.split_once('-') {
        out.push(a)?;
        if !queens(a, b) {
            out.push("-")?;
        }
        out.push(b)?;
        return Ok(rest);
    }
    out.push(number)?;
    if !all_digits(number) {
        let suffix = number.trim_start_matches(|c: char| c.is_ascii_digit());
        let ordinal = matches!(suffix.get(..2), Some("st" | "nd" | "rd" | "th"));
        // 34TH AVE has no house number.
        return if ordinal { Err(NotSubmitted::IncompleteAddress) } else { Ok(rest) };
    }
    match rest {
        [fraction, after @ ..] if fraction.contains('/') => {
            out.push(" ")?;
            out.push(fraction)?;
            Ok(after)
        }
        [letter, next, after @ ..]
            if is_letter(letter)
                && tables.word(letter).direction.is_none()
                && suffix_may_precede(tables, next, after)
                && road(tables, rest).is_none() =>
        {
            out.push(letter)?;
            Ok(rest.get(1..).unwrap_or_default())
        }
        [second, next, after @ ..] if all_digits(second) && queens_may_precede(tables, next, after) => {
            if !queens(number, second) {
                out.push("-")?;
            }
            out.push(second)?;
            Ok(rest.get(1..).unwrap_or_default())
        }
        _ => Ok(rest),
    }
}

/// 12 A MAIN ST is house 12A; 12 A ST, 12 A ST NW and 12 A N are on A Street (and 12 I 95 on a
/// numbered road).
fn suffix_may_precede(tables: &Tables, next: &str, after: &[&str]) -> bool {
    let word = tables.word(next);
    let generic = matches!(word.street_type, Some((_, true)));
    !(generic || word.unit.is_some() || (word.direction.is_some() && after.is_empty()))
}

/// Whether A-B is written AB as well: 10-72 is 1072. With two digits behind, the hyphen is where it
/// can only be; but 37-39 is a range of two neighbours, and 3739 is another house.
fn queens(a: &str, b: &str) -> bool {
    let value = |s: &str| s.parse::<u8>().ok().filter(|_| s.len() <= 2);
    let range = match (value(a), value(b)) {
        (Some(a), Some(b)) => a < b && b - a <= 20,
        _ => false,
    };
    all_digits(a) && all_digits(b) && b.len() == 2 && !range
}

/// 10 72 DECATUR is house 10-72; 139 24 ST, 139 24 NW and 9000 7 MILE RD are not hyphenated.
fn queens_may_precede(tables: &Tables, next: &str, after: &[&str]) -> bool {
    let word = tables.word(next);
    if word.direction.is_some() {
        return after.first().is_some_and(|w| {
            let word = tables.word(w);
            word.street_type.is_none() && word.unit.is_none() && word.direction.is_none()
        });
    }
    word.street_type.is_none() && word.unit.is_none() && !word.counted
}

/// N6W23001, W357 N5678, and other numbers that begin with a letter.
fn grid<'w, 'a>(first: &str, rest: &'w [&'a str], out: &mut Text) -> Result<&'w [&'a str], NotSubmitted> {
    let bytes = first.as_bytes();
    let digits = bytes.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    let letters = bytes.iter().skip(1 + digits).take_while(|b| b.is_ascii_lowercase()).count();
    let more = bytes.len().saturating_sub(1 + digits + letters);
    let number =
        digits > 0 && letters <= 1 && bytes.iter().skip(1 + digits + letters).all(u8::is_ascii_digit) && (more == 0 || letters == 1);
    if !number {
        return Err(NotSubmitted::IncompleteAddress);
    }
    out.push(first)?;
    let compass = |b: Option<&u8>| matches!(b, Some(b'n' | b's' | b'e' | b'w'));
    if compass(bytes.first()) {
        match rest {
            [second, after @ ..] if more == 0 && letters == 1 && compass(bytes.last()) && all_digits(second) => {
                out.push(second)?;
                return Ok(after);
            }
            // W357 N5678: the second half was split as if it were a direction.
            [way @ ("n" | "s" | "e" | "w"), second, after @ ..] if letters == 0 && all_digits(second) => {
                out.push(way)?;
                out.push(second)?;
                return Ok(after);
            }
            _ => {}
        }
    }
    Ok(rest)
}

pub(super) fn all_digits(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit())
}

fn is_letter(word: &str) -> bool {
    word.len() == 1 && word.bytes().all(|b| b.is_ascii_lowercase())
}
