//! From a folded line to words.

use crate::NotSubmitted;
use crate::data::{Tables, Unit, Word};
use crate::text::{Text, Words};

/// Settles punctuation: `#` is a word; `-`, `.` and `/` stay between digits only. Where
/// places are read, `,` is a word too (C-11).
pub(super) fn punctuation(tables: &Tables, folded: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    let bytes = folded.as_bytes();
    let at = |i: Option<usize>| i.and_then(|i| bytes.get(i)).copied().unwrap_or(b' ');
    for (i, &b) in bytes.iter().enumerate() {
        let (before, next, after) = (at(i.checked_sub(1)), at(Some(i + 1)), at(Some(i + 2)));
        let between_digits = before.is_ascii_digit() && next.is_ascii_digit();
        match b {
            b'#' => out.push(" # ")?,
            b',' if tables.edition.reads_places() => out.push(" , ")?,
            b'-' if between_digits && !fraction_follows(bytes, i + 1) => out.push_byte(b)?,
            // 12-A is 12A.
            b'-' if before.is_ascii_digit() && next.is_ascii_lowercase() && !after.is_ascii_alphanumeric() => {}
            b'.' | b'/' if between_digits => out.push_byte(b)?,
            b'-' | b'.' | b'/' | b',' => out.push_byte(b' ')?,
            _ => out.push_byte(b)?,
        }
    }
    Ok(())
}

/// Whether digits, a slash and a digit stand at `start`: 12-1/2 is 12 1/2.
fn fraction_follows(bytes: &[u8], start: usize) -> bool {
    let rest = bytes.get(start..).unwrap_or_default();
    let digits = rest.iter().take_while(|b| b.is_ascii_digit()).count();
    rest.get(digits) == Some(&b'/') && rest.get(digits + 1).is_some_and(u8::is_ascii_digit)
}

/// Splits what is written together: `34thave`, `e167th`, `219e 121st`, `stmarks`, `apt4`.
pub(super) fn words<'a>(tables: &Tables, line: &'a str, line_start: bool) -> Result<Words<'a>, NotSubmitted> {
    let mut out = Words::new();
    let mut chunks = line.split(' ').filter(|c| !c.is_empty()).peekable();
    let mut first = line_start;
    while let Some(chunk) = chunks.next() {
        let next_is_number = chunks.peek().is_some_and(|c| c.bytes().next().is_some_and(|b| b.is_ascii_digit()));
        let letters = chunk.bytes().take_while(u8::is_ascii_lowercase).count();
        let digits = chunk.bytes().take_while(u8::is_ascii_digit).count();
        if letters == chunk.len() {
            whole_word(tables, chunk, &mut out)?;
        } else if digits > 0 {
            let (number, rest) = chunk.split_at(digits);
            let cut = if rest.bytes().all(|b| b.is_ascii_lowercase()) && !rest.is_empty() {
                digits_then_letters(tables, number, rest, first, next_is_number)
            } else {
                Cut::Keep
            };
            match cut {
                Cut::Keep => out.push(chunk)?,
                Cut::Both(rest) => {
                    out.push(number)?;
                    out.push(rest)?;
                }
            }
        } else if letters > 0 {
            let (word, rest) = chunk.split_at(letters);
            letters_then_digits(tables, (word, rest, chunk), first, line_start, &mut out)?;
        } else {
            out.push(chunk)?;
        }
        first &= chunk == ",";
    }
    Ok(out)
}

enum Cut<'a> {
    Keep,
    Both(&'a str),
}

fn is_generic_type(word: &Word) -> bool {
    matches!(word.street_type, Some((_, true)))
}

fn digits_then_letters<'a>(tables: &Tables, number: &str, rest: &'a str, first: bool, next_is_number: bool) -> Cut<'a> {
    let word = tables.word(rest);
    if matches!(rest, "st" | "nd" | "rd" | "th") {
        if first {
            return Cut::Keep;
        }
        // 34st is 34 st but 21st is an ordinal: `st` and `rd` are street types as well.
        let ordinal = match rest {
            "st" => number.ends_with('1') && !number.ends_with("11"),
            "rd" => number.ends_with('3') && !number.ends_with("13"),
            _ => true,
        };
        return if ordinal { Cut::Keep } else { Cut::Both(rest) };
    }
    if let Some(kind) = rest.get(2..)
        && matches!(rest.get(..2), Some("st" | "nd" | "rd" | "th"))
        && is_generic_type(tables.word(kind))
    {
        // At the beginning of a line this is a street without a house number: keep it one word,
        // which no number can be.
        return if first { Cut::Keep } else { Cut::Both(kind) };
    }
    if is_generic_type(word) {
        return Cut::Both(rest);
    }
    // 219e 121st, 12ne main: but 12e main may be house 12E.
    if first && word.direction.is_some() && (rest.len() > 1 || next_is_number) {
        return Cut::Both(rest);
    }
    if first && rest.len() >= 4 {
        return Cut::Both(rest);
    }
    if tables.edition.mends_words() {
        // 12oak st; 2ndfl, 2fl.
        let floor = |word: &str| tables.word(word).unit == Some(Unit::Floor);
        if (first && rest.len() == 3 && word.unit.is_none()) || (!first && floor(rest)) {
            return Cut::Both(rest);
        }
        if let Some(kind) = rest.get(2..).filter(|kind| floor(kind))
            && matches!(rest.get(..2), Some("st" | "nd" | "rd" | "th"))
        {
            return Cut::Both(kind);
        }
    }
    Cut::Keep
}

fn letters_then_digits<'a>(
    tables: &Tables,
    (word, rest, chunk): (&'a str, &'a str, &'a str),
    first: bool,
    in_line: bool,
    out: &mut Words<'a>,
) -> Result<(), NotSubmitted> {
    let entry = tables.word(word);
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, tail) = rest.split_at(digits);
    // rr2, apt4, fl2, us1 (C-15).
    if tables.edition.mends_words() && word.len() >= 2 {
        let road = in_line && out.as_slice().len() <= 2 && entry.road && tables.road_phrases.contains_key(word);
        let boxed = tables.box_phrases.contains_key(word) && (first || matches!(word, "box" | "bx" | "pobox"));
        let united = if first { entry.unit == Some(Unit::Strong) } else { entry.unit.is_some() || road };
        if united || boxed {
            out.push(word)?;
            return out.push(rest);
        }
    }
    if tables.edition.mends_words() && word == "i" && in_line && !first && out.as_slice().len() <= 2 && tail.is_empty() {
        out.push(word)?;
        return out.push(rest);
    }
    if first {
        // po box written together with its number; a grid number (N6W23001) stays whole.
        if matches!(word, "pobox" | "pob" | "box") {
            out.push(word)?;
            return out.push(rest);
        }
        return out.push(chunk);
    }
    // W AVENUE E4: no direction, but the avenue's name.
    let avenue = tables.edition.mends_words()
        && out.as_slice().last().is_some_and(|before| tables.road_phrases.get(before).is_some_and(|class| *class == "avenue"));
    if !avenue && entry.direction.is_some() && word.len() <= 2 && matches!(tail, "" | "st" | "nd" | "rd" | "th") {
        out.push(word)?;
        return out.push(number);
    }
    if entry.unit == Some(Unit::Strong) && word.len() >= 3 {
        out.push(word)?;
        return out.push(rest);
    }
    out.push(chunk)
}

fn whole_word<'a>(tables: &Tables, chunk: &'a str, out: &mut Words<'a>) -> Result<(), NotSubmitted> {
    if let Some(saint) = chunk.strip_prefix("st")
        && tables.saints.contains_key(saint)
    {
        out.push("saint")?;
        return out.push(saint);
    }
    if tables.edition.mends_words()
        && let Some((name, spelt)) = super::mend::glued_type(tables, chunk)
    {
        out.push(name)?;
        return out.push(spelt);
    }
    out.push(chunk)
}
