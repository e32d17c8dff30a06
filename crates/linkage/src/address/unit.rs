//! Parsing units off.

use super::number::all_digits;
use super::place::is_zip;
use super::street::road;
use crate::data::{Number, Tables, Unit, UnitPart};
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
        _ if tables.edition.reads_more() => more_leading(tables, words),
        _ => 0,
    };
    let (unit, rest) = words.split_at(dropped);
    take(units, unit);
    rest
}

/// Units before the number that `us-exact-1` does not read (C-34): `41st floor 1221 main st`, `bldg 4
/// 12 main st`, `rear 12 main st`, `acme building 12 main st`.
fn more_leading(tables: &Tables, words: &[&str]) -> usize {
    let at = |i: usize| words.get(i).copied().unwrap_or_default();
    let digit = |i: usize| at(i).bytes().next().is_some_and(|b| b.is_ascii_digit());
    let unit = |i: usize| tables.word(at(i)).unit;
    let begins = |i: usize| {
        let next = tables.word(at(i + 1));
        digit(i) && i + 1 < words.len() && (next.street_type.is_none() || i + 2 < words.len()) && next.unit.is_none()
    };
    if is_ordinal(tables, at(0).trim_end_matches(|c: char| c.is_ascii_lowercase())) || is_ordinal(tables, at(0)) {
        return if unit(1) == Some(Unit::Floor) && begins(2) { 2 } else { 0 };
    }
    match unit(0) {
        Some(Unit::Floor | Unit::Weak) if digit(1) && begins(2) => return 2,
        Some(Unit::Alone | Unit::Tail) if begins(1) => return 1,
        _ => {}
    }
    let building = (1..words.len()).find(|i| tables.word(at(*i)).part == Some(UnitPart::Building));
    let in_words = |n: usize| words.iter().take(n).all(|w| w.bytes().all(|b| b.is_ascii_lowercase()) && tables.word(w).number.is_none());
    building.filter(|i| begins(i + 1) && in_words(*i)).map_or(0, |i| i + 1)
}

/// Drops a unit between the number and the street (C-34): `12 apt 4 main st`.
pub(super) fn inside<'w, 'a>(tables: &Tables, words: &'w [&'a str], units: &mut Words<'a>) -> &'w [&'a str] {
    match words {
        [unit, id, next, ..]
            if tables.edition.reads_more()
                && tables.word(unit).unit == Some(Unit::Strong)
                && id.bytes().any(|b| b.is_ascii_digit())
                && next.bytes().all(|b| b.is_ascii_lowercase())
                && !matches!(tables.word(next).street_type, Some((_, true)))
                && tables.word(next).unit.is_none() =>
        {
            let (unit, rest) = words.split_at(2);
            take(units, unit);
            rest
        }
        _ => words,
    }
}

/// Drops the units at the end of a street line of `len` words and gives the length left.
///
/// `name` is the index of the last word that must belong to the street's name. A strong unit in
/// the middle is cut out of `words`.
pub(super) fn trailing<'a>(tables: &Tables, words: &mut [&'a str], mut len: usize, name: usize, units: &mut Words<'a>) -> usize {
    if tables.edition.reads_more() {
        let left = closed(tables, words.get(..len).unwrap_or_default(), name);
        take(units, words.get(left..len).unwrap_or_default());
        len = left;
    }
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

/// Ends a line behind its first complete street, if a unit follows (C-35): `12 main st 2nd floor
/// rear`, `12 main st nw 301`, `12 main st lower level`.
fn closed(tables: &Tables, words: &[&str], name: usize) -> usize {
    let len = words.len();
    let at = |i: usize| words.get(i).copied().unwrap_or_default();
    let generic = |i: usize| matches!(tables.word(at(i)).street_type, Some((_, true)));
    let unit = |i: usize| tables.word(at(i)).unit;
    // 12 CENTRAL PARK 27A: no street's name ends so.
    let letter_behind = |w: &str| {
        let digits = w.trim_end_matches(|c: char| c.is_ascii_lowercase());
        all_digits(digits) && w.len() == digits.len() + 1
    };
    let lettered = |i: usize| at(i).bytes().all(|b| b.is_ascii_lowercase());
    if len >= 2 && len - 1 > name && letter_behind(at(len - 1)) && lettered(len - 2) && unit(len - 2).is_none() {
        return len - 1;
    }
    let Some(kind) = (name.max(1)..len).find(|i| generic(*i)) else { return len };
    let mut next = kind + 1;
    while next < len && generic(next) {
        next += 1;
    }
    // A numbered highway is no unit.
    let numberable = !matches!(tables.word(at(next - 1)).street_type, Some(("hwy" | "rte", _)));
    while next < len && tables.word(at(next)).direction.is_some() {
        next += 1;
    }
    if next >= len || next <= name || generic(len - 1) {
        return len;
    }
    // 3389 ANDERSON COUNTY RD 452
    if numberable && (name + 1..kind).any(|i| words.get(i..).and_then(|w| road(tables, w)).is_some_and(|(_, at)| i + at == next)) {
        return len;
    }
    let numbered = |i: usize| at(i).bytes().any(|b| b.is_ascii_digit());
    let id = |i: usize| i < len && (numbered(i) || at(i).len() == 1 || tables.word(at(i)).number.is_some());
    let ends = match unit(next) {
        Some(Unit::Alone) => true,
        Some(Unit::Tail) => next + 1 == len || unit(next + 1).is_some() || id(next + 1),
        Some(_) => id(next + 1) || at(next + 1) == "#" || unit(next + 1).is_some(),
        // 2ND FLOOR; 301; 4 B; B
        None if unit(next + 1) == Some(Unit::Floor) => is_ordinal(tables, at(next)),
        None => {
            let one = next + 1 == len || unit(next + 1).is_some();
            let two = next + 2 == len && (at(next).len() == 1) != (at(next + 1).len() == 1) && id(next + 1);
            // SUTE 1800: a unit's word that nobody knows.
            let word = tables.word(at(next));
            let unknown = lettered(next) && !word.road && word.street_type.is_none() && !tables.box_phrases.contains_key(at(next));
            (numberable && (numbered(next) || at(next).len() == 1) && (one || two))
                || (unknown && at(next).len() > 1 && next + 2 == len && numbered(next + 1))
                || (is_zip(at(len - 1))
                    && (next..len - 1).all(|i| tables.word(at(i)).street_type.is_none() && lettered(i) && !tables.word(at(i)).road))
        }
    };
    if ends { next } else { len }
}

/// Whether a second house number and street follow a complete street (C-27).
pub(super) fn second_line(tables: &Tables, words: &[&str], name: usize) -> bool {
    let at = |i: usize| words.get(i).map(|w| tables.word(w));
    let typed = |i: usize| at(i).is_some_and(|w| w.street_type.is_some());
    let directed = |i: usize| at(i).is_some_and(|w| w.direction.is_some());
    let Some(kind) = (name.max(1)..words.len())
        .find(|i| at(*i).is_some_and(|w| matches!(w.street_type, Some((usps, _)) if !matches!(usps, "hwy" | "rte"))))
    else {
        return false;
    };
    let next = (kind + 1..words.len()).find(|i| !typed(*i) && !directed(*i)).unwrap_or(words.len());
    let last = (next..words.len()).rev().find(|i| !directed(*i)).unwrap_or(next);
    let unit = at(next + 1).is_some_and(|w| w.unit.is_some());
    words.get(next).is_some_and(|w| all_digits(w)) && !unit && last > next + 1 && typed(last)
}

/// Cuts the first strong unit behind the name, its number, and what follows, except a street type
/// or a quadrant that the line still lacks.
fn strong<'a>(tables: &Tables, words: &mut [&'a str], len: usize, name: usize, units: &mut Words<'a>) -> usize {
    let open = words.get(..len).and_then(|w| w.last()).is_some_and(|w| tables.word(w).street_type.is_some());
    let strong_at = |i: usize| {
        let word = words.get(i).copied().unwrap_or_default();
        let next = words.get(i + 1..len).and_then(|w| w.first()).copied();
        let unit = tables.word(word).unit;
        let strong = unit == Some(Unit::Strong)
            && (matches!(word, "#" | "apt" | "apartment" | "suite") || next.is_none_or(|next| is_id(tables, next)));
        // 1 COOPER PLZ RM 623 ACME CENTRE, but 12 OLD ROOM 5 RD.
        let weak = tables.edition.reads_more()
            && matches!(unit, Some(Unit::Weak | Unit::Floor))
            && next.is_some_and(all_digits)
            && !open
            && i > name + 1;
        strong || weak
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
        // 1960 S 18TH REAR
        Some(Unit::Tail) if tables.edition.reads_more() && matches!(words.get(name..), Some([.., number, _]) if all_digits(number)) => {
            return len - 1;
        }
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
pub(super) fn take<'a>(units: &mut Words<'a>, words: &[&'a str]) {
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
