//! Parsing units off.

use super::number::all_digits;
use crate::data::{Number, Tables, Unit};
use crate::text::Words;

/// Drops a unit that stands before the house number: `APT 4 12 MAIN ST`, `# 1193 MATHEIS ST`.
pub(super) fn leading<'w, 'a>(tables: &Tables, words: &'w [&'a str], units: &mut Words<'a>) -> &'w [&'a str] {
    let digit = |w: &str| w.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let dropped = match words {
        ["#" | "no" | "nbr" | "num" | "number", id, number, next, ..]
            if digit(number) && digit(id) && tables.word(next).street_type.is_none() =>
        {
            2
        }
        ["#" | "no" | "nbr" | "num" | "number", number, ..] if digit(number) => 1,
        [unit, _, number, _, ..] if tables.word(unit).unit == Some(Unit::Strong) && digit(number) => 2,
        _ => 0,
    };
    let (unit, rest) = words.split_at(dropped);
    take(units, unit);
    rest
}

/// Drops the units at the end of a street line of `len` words and gives the length left.
///
/// `name` is the index of the last word that must belong to the street's name. A strong unit in
/// the middle is cut out of `words`.
pub(super) fn trailing<'a>(tables: &Tables, words: &mut [&'a str], mut len: usize, name: usize, units: &mut Words<'a>) -> usize {
    loop {
        let before = len;
        len = strong(tables, words, len, name, units);
        let left = at_end(tables, words.get(..len).unwrap_or_default(), name);
        take(units, words.get(left..len).unwrap_or_default());
        len = left;
        if len == before {
            return len;
        }
    }
}

/// Cuts the first strong unit behind the name, its number, and what follows, except a street type
/// or a quadrant that the line still lacks.
fn strong<'a>(tables: &Tables, words: &mut [&'a str], len: usize, name: usize, units: &mut Words<'a>) -> usize {
    let strong_at = |i: usize| {
        let word = words.get(i).copied().unwrap_or_default();
        let next = words.get(i + 1..len).and_then(|w| w.first()).copied();
        tables.word(word).unit == Some(Unit::Strong)
            && (matches!(word, "#" | "apt" | "apartment" | "suite") || next.is_none_or(|next| is_id(tables, next)))
    };
    // As first word of the name it is the name: 12 STE MARIE ST.
    let Some(at) = (name + 1..len).find(|i| strong_at(*i)) else {
        return len;
    };
    let mut end = at + 1;
    while end < len && matches!(words.get(end), Some(&("#" | "no" | "num" | "number" | "nbr"))) {
        end += 1;
    }
    end = (end + 1).min(len);
    let property = |i: usize| words.get(i).map(|w| tables.word(w));
    let typed = property(at - 1).is_some_and(|w| w.street_type.is_some() || w.direction.is_some());
    let keep = match property(end).filter(|_| end < len) {
        Some(word) if word.street_type.is_some() => !typed,
        Some(word) => end + 1 == len && word.direction.is_some_and(|d| d.len() == 2),
        None => false,
    };
    if !keep {
        end = len;
    }
    take(units, words.get(at..end).unwrap_or_default());
    words.copy_within(end..len, at);
    at + len - end
}

/// Drops one unit at the end.
fn at_end(tables: &Tables, words: &[&str], name: usize) -> usize {
    let len = words.len();
    let back = |n: usize| len.checked_sub(n).filter(|i| *i > name).and_then(|i| words.get(i));
    let Some(last) = back(1) else { return len };
    // Whether the line was complete before its last word: 12 MAIN ST | FRONT, but 12 LAKE FRONT.
    let closed = back(2).is_some_and(|w| {
        let word = tables.word(w);
        matches!(word.street_type, Some((_, true))) || word.direction.is_some()
    });
    match tables.word(last).unit {
        Some(Unit::Alone) => return len - 1,
        Some(Unit::Tail | Unit::Weak | Unit::Floor) if closed => return len - 1,
        _ => {}
    }
    let Some(second) = back(2) else { return len };
    let word = tables.word(second);
    if tables.word(last).unit == Some(Unit::Floor) && is_ordinal(tables, second) {
        return len - 2;
    }
    if matches!(word.unit, Some(Unit::Weak | Unit::Floor)) && is_id(tables, last) {
        return len - 2;
    }
    // NUMBER 61 A
    if last.len() == 1 && second.bytes().any(|b| b.is_ascii_digit()) && back(3).is_some_and(|w| tables.word(w).unit == Some(Unit::Weak)) {
        return len - 3;
    }
    len
}

/// Keeps the words of a unit. A line has no more words than there is room for.
fn take<'a>(units: &mut Words<'a>, words: &[&'a str]) {
    for word in words {
        let _ = units.push(word);
    }
}

fn is_ordinal(tables: &Tables, word: &str) -> bool {
    all_digits(word) || word == "ground" || matches!(tables.word(word).number, Some((_, Number::Ordinal)))
}

/// The number of a unit: a digit in it, one or two letters, or a number word.
fn is_id(tables: &Tables, word: &str) -> bool {
    let entry = tables.word(word);
    word == "#"
        || word.bytes().any(|b| b.is_ascii_digit())
        || word.len() == 1
        || (word.len() == 2 && entry.street_type.is_none())
        || entry.number.is_some()
}
