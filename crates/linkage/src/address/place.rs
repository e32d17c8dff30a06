//! What an address column holds besides the delivery line (C-20 to C-27): the building before it,
//! city, state and ZIP code behind it, and units between commas.

use super::number::all_digits;
use super::spanish::is_street;
use super::street::road;
use super::unit::take;
use crate::NotSubmitted;
use crate::data::{Tables, Unit};
use crate::text::{Text, Words};

/// The words of a line without what is no part of it; commas are words until here.
///
/// # Errors
/// `AmbiguousAddress` where two lines are written, or no telling where the street ends.
pub(super) fn cut<'a>(tables: &Tables, words: &[&'a str], units: &mut Words<'a>) -> Result<Words<'a>, NotSubmitted> {
    let mut out = Words::new();
    let words = without_building(tables, words, units);
    let (words, placed) = without_state(tables, words);
    let mut segments = words.split(|w| *w == ",").filter(|s| !s.is_empty());
    // Units and the like before the house number stay: the parser knows them.
    let mut last: &[&str] = &[];
    for segment in segments.by_ref() {
        segment.iter().try_for_each(|w| out.push(w))?;
        last = segment;
        if starts_line(tables, segment) {
            break;
        }
    }
    let mut only = true;
    for segment in segments {
        only = false;
        behind(tables, segment, &mut out, units)?;
    }
    if only && placed && !last.is_empty() {
        return without_city(tables, out.as_slice());
    }
    Ok(out)
}

/// Drops what is written in words before the first comma, if a line begins behind it (C-20).
fn without_building<'w, 'a>(tables: &Tables, mut words: &'w [&'a str], units: &mut Words<'a>) -> &'w [&'a str] {
    while let Some(comma) = words.iter().position(|w| *w == ",") {
        let (lead, rest) = words.split_at(comma);
        let rest = rest.get(1..).unwrap_or_default();
        let next = rest.split(|w| *w == ",").next().unwrap_or_default();
        let in_words = lead.iter().all(|w| lettered(w) && tables.word(w).number.is_none());
        // MAIN ST, 12 OAK ST may be either.
        let street = lead.last().is_some_and(|w| matches!(tables.word(w).street_type, Some((_, true))));
        let before_a_line = lead.is_empty() || (in_words && !street && starts_line(tables, next));
        if !before_a_line {
            break;
        }
        // REAR, 12 MAIN ST; but the OFFICE of somebody is no unit.
        if lead.iter().all(|w| tables.word(w).unit.is_some()) {
            take(units, lead);
        }
        words = rest;
    }
    words
}

/// A house number and a word that may be a street's.
fn starts_line(tables: &Tables, segment: &[&str]) -> bool {
    match segment {
        [number, next, ..] => {
            let cardinal = tables.word(number).number.is_some();
            let spanish = is_street(number) && segment.iter().skip(2).any(|w| numbered(w));
            spanish
                || (starts_with_digit(number) || cardinal)
                    && (tables.word(next).unit.is_none() || tables.word(next).direction.is_some() || tables.word(next).road)
        }
        _ => false,
    }
}

/// Drops country, ZIP code and state at the end, and says whether a state went (C-21).
fn without_state<'w, 'a>(tables: &Tables, words: &'w [&'a str]) -> (&'w [&'a str], bool) {
    let trimmed = trim(words);
    let abroad = match trimmed {
        [rest @ .., "u", "s", "a"] | [rest @ .., "united", "states"] | [rest @ .., "usa" | "us"] => rest,
        _ => trimmed,
    };
    let (rest, zip) = match trim(abroad).split_last() {
        Some((last, rest)) if is_zip(last) => (trim(rest), true),
        _ => (trim(abroad), false),
    };
    let Some(left) = state(tables, rest) else { return (trimmed, false) };
    let rest = rest.get(..left).unwrap_or_default();
    // Without a ZIP code `12 OAK CT` is in no state: one needs a comma, or a city behind a street's
    // type and a word that is a state only.
    let only = |w: &str| tables.word(w).street_type.is_none() && tables.word(w).direction.is_none() && tables.word(w).unit.is_none();
    let known = words.get(left..).and_then(|w| w.first()).is_some_and(|w| only(w) || words.len() > left + 1);
    let typed = (2..left.saturating_sub(1)).any(|i| words.get(i).is_some_and(|w| matches!(tables.word(w).street_type, Some((_, true)))));
    let certain = zip || rest.contains(&",") || (known && typed);
    if !trim(rest).is_empty() && certain { (trim(rest), true) } else { (trimmed, false) }
}

fn trim<'w, 'a>(words: &'w [&'a str]) -> &'w [&'a str] {
    match words {
        [rest @ .., ","] => trim(rest),
        _ => words,
    }
}

pub(super) fn is_zip(word: &str) -> bool {
    let (main, plus4) = word.split_once('-').unwrap_or((word, "0000"));
    all_digits(main) && all_digits(plus4) && ((main.len() == 5 && plus4.len() == 4) || word.len() == 9)
}

/// The number of words before a state at the end.
fn state(tables: &Tables, words: &[&str]) -> Option<usize> {
    (1..=3).rev().filter_map(|n| words.len().checked_sub(n)).filter(|start| *start > 0).find(|start| {
        let mut text = Text::new();
        words.get(*start..).unwrap_or_default().iter().all(|w| text.push_word(w).is_ok()) && tables.states.contains_key(text.as_str())
    })
}

/// What stands behind a comma behind the street (C-22).
fn behind<'a>(tables: &Tables, segment: &[&'a str], out: &mut Words<'a>, units: &mut Words<'a>) -> Result<(), NotSubmitted> {
    // N.W. behind the street, but NORTH CHICAGO is a city.
    let direction = |i: usize| segment.get(i).filter(|w| tables.word(w).direction.is_some()).map_or(0, |w| w.len());
    let strong = |i: usize| segment.get(i).is_some_and(|w| matches!(tables.word(w).unit, Some(Unit::Strong | Unit::Floor)));
    let directions = match (direction(0), direction(1)) {
        (1, 1) => 2,
        (2, _) => 1,
        (1.., 0) if segment.len() == 1 || strong(1) => 1,
        (1.., 1..) if segment.len() == 2 || strong(2) => 2,
        _ => 0,
    };
    let (directions, segment) = segment.split_at(directions);
    directions.iter().try_for_each(|w| out.push(w))?;
    let unit_at = segment.iter().position(|w| tables.word(w).unit.is_some()).unwrap_or(segment.len());
    let numbered = segment.iter().position(|w| numbered(w)).unwrap_or(segment.len());
    let ends_as_street = segment.last().is_some_and(|w| matches!(tables.word(w).street_type, Some((_, true))));
    // A box or a numbered road is another line.
    let box_word = |w: &&str| matches!(*w, "box" | "bx" | "pobox" | "pob" | "drawer" | "rr" | "hc");
    let roads = (0..segment.len()).any(|i| segment.get(i..).and_then(|w| road(tables, w)).is_some());
    let suite = matches!(segment, ["st" | "su", _]);
    if numbered < segment.len()
        && numbered > 0
        && ((roads && unit_at > numbered && !suite) || segment.iter().any(box_word))
        && !is_zip_behind(segment, numbered)
    {
        return Err(NotSubmitted::AmbiguousAddress);
    }
    match segment {
        [] => Ok(()),
        // A city and its ZIP code, or a ZIP code alone.
        [city @ .., zip] if is_zip(zip) && numbered == city.len() && unit_at >= city.len() => Ok(()),
        // 12C; 1506; C 5; 2ND FLOOR: a unit.
        [id] if numbered == 0 || one_letter(id) => units.push(id),
        ["st" | "su", id] if numbered == 1 => units.push(id),
        [a, b] if numbered < 2 && (one_letter(a) || one_letter(b)) && unit_at == 2 => units.push(a).and_then(|()| units.push(b)),
        [id, floor, ..] if starts_with_digit(id) && matches!(tables.word(floor).unit, Some(Unit::Floor)) => {
            take(units, segment);
            Ok(())
        }
        // A second line.
        _ if numbered == 0 && unit_at > 0 && segment.len() > 1 => Err(NotSubmitted::AmbiguousAddress),
        // 12 KING, JR BLVD: the street goes on.
        _ if unit_at == segment.len() && ends_as_street && !closed(tables, out.as_slice()) => segment.iter().try_for_each(|w| out.push(w)),
        // OVERLOOK 1: a building, behind a complete street.
        [.., id] if numbered + 1 == segment.len() && unit_at > numbered && closed(tables, out.as_slice()) => units.push(id),
        _ if numbered < unit_at => Err(NotSubmitted::AmbiguousAddress),
        // A building or a city, and a unit.
        _ => {
            take(units, segment.get(unit_at..).unwrap_or_default());
            Ok(())
        }
    }
}

/// A city and its ZIP code.
fn is_zip_behind(segment: &[&str], numbered: usize) -> bool {
    segment.get(numbered..).is_some_and(|w| matches!(w, [zip] if is_zip(zip)))
}

/// Whether the words end with a street's type, or with one and directions.
fn closed(tables: &Tables, words: &[&str]) -> bool {
    let street = words.iter().rev().find(|w| tables.word(w).direction.is_none());
    words.len() > 2 && street.is_some_and(|w| matches!(tables.word(w).street_type, Some((_, true))))
}

/// Drops the city behind a street, where no comma parts them but a state was written (C-26).
fn without_city<'a>(tables: &Tables, words: &[&'a str]) -> Result<Words<'a>, NotSubmitted> {
    // LA GRANGE is a city.
    let generic = |i: usize| words.get(i).is_some_and(|w| *w != "la" && matches!(tables.word(w).street_type, Some((_, true))));
    let directed = |i: usize| words.get(i).is_some_and(|w| tables.word(w).direction.is_some());
    // A unit ends the street already.
    let united = |i: usize| {
        let strong = |w: &str| matches!(tables.word(w).unit, Some(Unit::Strong));
        match (words.get(i), words.get(i + 1)) {
            (Some(unit), Some(id)) if strong(unit) => numbered(id) || *id == "#" || one_letter(id),
            (Some(unit), Some(id)) => tables.word(unit).unit.is_some() && numbered(id),
            _ => false,
        }
    };
    if (2..words.len()).any(united) {
        return Ok(all(words));
    }
    let quadrant = |i: usize| words.get(i).is_some_and(|w| w.len() == 2 && tables.word(w).direction.is_some());
    let named = |i: &usize| (1..*i).any(|i| !directed(i));
    // The road's number, the first type, or a quadrant ends the street.
    let numbered_road = |i: usize| words.get(i..).and_then(|w| road(tables, w)).map(|(_, at)| i + at);
    let first = numbered_road(1)
        .or_else(|| numbered_road(2).filter(|_| directed(1)))
        .or_else(|| (2..words.len()).find(|i| generic(*i) && named(i)))
        .or_else(|| (2..words.len()).find(|i| quadrant(*i) && named(i)));
    let Some(first) = first else { return Err(NotSubmitted::AmbiguousAddress) };
    // LINDBERG ST LOUIS: a street, or St Louis.
    if words.get(first) == Some(&"st") && words.get(first + 1).is_some_and(|w| tables.saints.contains_key(w)) {
        return Err(NotSubmitted::AmbiguousAddress);
    }
    let mut end = first + 1;
    while generic(end) && !(words.get(end) == Some(&"st") && end + 1 < words.len()) {
        end += 1;
    }
    if quadrant(end) {
        end += 1;
    }
    let (street, city) = words.split_at(end.min(words.len()));
    // A second type: who knows which ends the street. ST PAUL is a city.
    let street_again = city.iter().enumerate().any(|(i, w)| {
        matches!(tables.word(w).street_type, Some((_, true))) && !(matches!(*w, "st" | "la") && i + 1 < city.len())
            || tables.word(w).unit == Some(Unit::Strong)
    });
    // MAIN ST N SPRINGFIELD and MAIN ST NORTH CHICAGO
    let direction = city.len() > 1 && city.first().is_some_and(|w| tables.word(w).direction.is_some());
    if street_again || direction || city.iter().any(|w| numbered(w) && !starts_with_digit(w)) {
        return Err(NotSubmitted::AmbiguousAddress);
    }
    // What begins with a number or a unit's word is the parser's to read.
    let unit = city.first().is_some_and(|w| numbered(w) || tables.word(w).unit.is_some() || tables.word(w).direction.is_some());
    Ok(all(if unit { words } else { street }))
}

fn all<'a>(words: &[&'a str]) -> Words<'a> {
    let mut out = Words::new();
    take(&mut out, words);
    out
}

fn starts_with_digit(word: &str) -> bool {
    word.bytes().next().is_some_and(|b| b.is_ascii_digit())
}

fn numbered(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
}

fn lettered(word: &str) -> bool {
    word.bytes().all(|b| b.is_ascii_lowercase())
}

fn one_letter(word: &str) -> bool {
    word.len() == 1 && lettered(word)
}
