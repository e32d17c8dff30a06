//! House numbers.

use super::spanish::is_street;
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
    } else if tables.edition.reads_more()
        && let Some(rest) = more(tables, first, rest, out)?
    {
        Ok(rest)
    } else {
        grid(tables, first, rest, out)
    }
}

/// Numbers that `us-exact-1` does not read (C-32): `twenty one main st`, `n 6 w 23001`, `km 12.3`,
/// the block and number of an urbanisation.
fn more<'w, 'a>(tables: &Tables, first: &str, rest: &'w [&'a str], out: &mut Text) -> Result<Option<&'w [&'a str]>, NotSubmitted> {
    let compass = |w: &str| matches!(w, "n" | "s" | "e" | "w");
    let left = match rest {
        [a, way, b, after @ ..] if compass(first) && compass(way) && all_digits(a) && all_digits(b) && !after.is_empty() => {
            [first, a, way, b].iter().try_for_each(|part| out.push(part))?;
            after
        }
        [km, after @ ..] if first == "km" && starts_with_digit(km) && after.first().is_some_and(|w| is_street(w)) => {
            out.push("km")?;
            out.push(km)?;
            after
        }
        [number, after @ ..]
            if is_letter(first) && !compass(first) && all_digits(number) && after.first().is_some_and(|w| is_street(w)) =>
        {
            out.push(first)?;
            out.push(number)?;
            after
        }
        [carr, ..] if first.strip_prefix("km").is_some_and(starts_with_digit) && carr.starts_with("carr") => {
            out.push(first)?;
            rest
        }
        [one, after @ ..] => {
            let (Some((tens, Number::Tens)), next) = (tables.word(first).number, tables.word(one).number) else {
                return Ok(None);
            };
            let (value, after) = match next {
                Some((ones, Number::Cardinal)) if ones < 10 => (tens + ones, after),
                None => (tens, rest),
                _ => return Ok(None),
            };
            let Some(next) = after.first().map(|w| tables.word(w)).filter(|w| !w.counted && w.street_type.is_none()) else {
                return Ok(None);
            };
            if next.number.is_some() {
                return Ok(None);
            }
            out.push_byte(b'0' + value / 10)?;
            out.push_byte(b'0' + value % 10)?;
            after
        }
        [] => return Ok(None),
    };
    Ok(Some(left))
}

fn starts_with_digit(word: &str) -> bool {
    word.bytes().next().is_some_and(|b| b.is_ascii_digit())
}

fn digits<'w, 'a>(tables: &Tables, first: &str, rest: &'w [&'a str], out: &mut Text) -> Result<&'w [&'a str], NotSubmitted> {
    let number = first.trim_start_matches('0');
    // All zeros, or zeros and a suffix, stand for no number.
    if !number.bytes().next().is_some_and(|b| b.is_ascii_digit()) {
        return Err(NotSubmitted::IncompleteAddress);
    }
    if let Some((a, b)) = number.split_once('-') {
        out.push(a)?;
        // 112-15A is 11215A.
        let plain = if tables.edition.reads_more() { b.trim_end_matches(|c: char| c.is_ascii_lowercase()) } else { b };
        let lettered = b.len() > plain.len() + 1;
        if lettered || !queens(a, plain) {
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
                && !(tables.edition.reads_more() && names_a_street(next, after))
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

/// 2964 L B J FWY, 728 C AND N RD and 4715 F 41 have no suffix (C-33).
fn names_a_street(next: &str, after: &[&str]) -> bool {
    let initial = is_letter(next) && after.first().is_some_and(|w| is_letter(w));
    initial || next == "and" || (all_digits(next) && after.is_empty())
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
fn grid<'w, 'a>(tables: &Tables, first: &str, rest: &'w [&'a str], out: &mut Text) -> Result<&'w [&'a str], NotSubmitted> {
    let bytes = first.as_bytes();
    let compass = |b: Option<&u8>| matches!(b, Some(b'n' | b's' | b'e' | b'w'));
    let digits = bytes.iter().skip(1).take_while(|b| b.is_ascii_digit()).count();
    let letters = bytes.iter().skip(1 + digits).take_while(|b| b.is_ascii_lowercase()).count();
    let more = bytes.len().saturating_sub(1 + digits + letters);
    let number =
        digits > 0 && letters <= 1 && bytes.iter().skip(1 + digits + letters).all(u8::is_ascii_digit) && (more == 0 || letters == 1);
    // W206N W16282, as it is written in one word.
    let double = tables.edition.reads_more()
        && digits > 0
        && letters == 2
        && more > 0
        && bytes.iter().skip(1 + digits).take(2).all(|b| compass(Some(b)))
        && bytes.iter().skip(3 + digits).all(u8::is_ascii_digit);
    let number = number || double;
    if !number {
        return Err(NotSubmitted::IncompleteAddress);
    }
    out.push(first)?;
    if compass(bytes.first()) {
        match rest {
            [second, after @ ..] if more == 0 && letters == 1 && compass(bytes.last()) && all_digits(second) => {
                out.push(second)?;
                return Ok(after);
            }
            [way @ ("n" | "s" | "e" | "w"), second, after @ ..]
                if tables.edition.reads_more() && more == 0 && letters == 1 && compass(bytes.last()) && all_digits(second) =>
            {
                out.push(way)?;
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
