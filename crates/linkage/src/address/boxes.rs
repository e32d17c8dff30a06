//! PO boxes, rural and highway-contract routes, military boxes.

use super::unit::take;
use super::{Line, LineKind};
use crate::NotSubmitted;
use crate::data::Tables;
use crate::text::{Text, Words};

pub(super) enum Parsed {
    Written,
    NotABox,
}

/// Parses a line that begins with a phrase of box_phrases.tsv.
pub(super) fn parse<'a>(tables: &Tables, words: &[&'a str], units: &mut Words<'a>, out: &mut Line) -> Result<Parsed, NotSubmitted> {
    if !tables.edition.reads_more() {
        return one(tables, words, units, out);
    }
    // Commas are words in this edition; they say nothing inside a box, but may stand before one.
    let mut room = Words::new();
    for word in words.iter().filter(|w| **w != ",") {
        room.push(word)?;
    }
    let plain = room.as_slice();
    let lead = lead(tables, plain);
    take(units, plain.get(..lead).unwrap_or_default());
    one(tables, plain.get(lead..).unwrap_or_default(), units, out)
}

/// How many words before a post office box are no part of it (C-31): a department and its number,
/// a lockbox at a post office box, anything without a number.
fn lead(tables: &Tables, plain: &[&str]) -> usize {
    let boxed = |rest: &[&str]| phrase(tables, rest).is_some_and(|(kind, rest)| kind == "po box" && take_id(rest).is_some());
    let named = |i: usize| matches!(plain.get(i), Some(&("po" | "p" | "post" | "pobox" | "pob" | "pobx" | "p0")));
    let Some(start) = (1..plain.len()).find(|i| named(*i) && plain.get(*i..).is_some_and(boxed)) else {
        return 0;
    };
    let before = plain.get(..start).unwrap_or_default();
    let numbered = |w: &str| w.bytes().any(|b| b.is_ascii_digit());
    let said = |w: &&str| {
        numbered(w)
            || matches!(*w, "#" | "no" | "num" | "number" | "ref" | "re" | "acct" | "account" | "customer" | "cust")
            || tables.word(w).unit.is_some()
    };
    let department = before.first().is_some_and(|w| !numbered(w)) && before.iter().all(said);
    let name = !before.iter().any(|w| numbered(w) || tables.word(w).number.is_some());
    let inner = phrase(tables, before).and_then(|(kind, rest)| take_id(rest).filter(|(_, rest)| kind == "po box" && rest.is_empty()));
    if department || name || inner.is_some() { start } else { 0 }
}

fn one<'a>(tables: &Tables, words: &[&'a str], units: &mut Words<'a>, out: &mut Line) -> Result<Parsed, NotSubmitted> {
    let Some((kind, rest)) = phrase(tables, words) else {
        return Ok(Parsed::NotABox);
    };
    let more = tables.edition.reads_more();
    let route_line = |kind: &str| if matches!(kind, "psc" | "cmr" | "unit") { LineKind::Military } else { LineKind::Route };
    if kind == "po box" {
        let (id, rest) = take_id(rest).ok_or(NotSubmitted::IncompleteAddress)?;
        // BOX 152 RR 2 is RR 2 BOX 152.
        if matches!(words.first(), Some(&("box" | "bx")))
            && let Some((route, behind)) = phrase(tables, rest)
            && (matches!(route, "rr" | "hc") || (more && route != "po box"))
            && let Some((route_id, behind)) = take_id(behind)
        {
            nothing_else(behind)?;
            write(out, route_line(route), &[route, route_id], &[id])?;
            return Ok(Parsed::Written);
        }
        finish(tables, rest, units, |letter| write(out, LineKind::PoBox, &["po box"], &[id, letter]))?;
        return Ok(Parsed::Written);
    }
    let boxed = take_id(rest).and_then(|(id, rest)| match rest {
        ["box" | "bx" | "no" | "num" | "number" | "#", rest @ ..] => Some((id, take_id(rest)?)),
        // RR 2 PO BOX 15
        _ if more => phrase(tables, rest).filter(|(kind, _)| *kind == "po box").and_then(|(_, rest)| Some((id, take_id(rest)?))),
        _ => None,
    });
    match boxed {
        Some((route_id, (id, rest))) => {
            finish(tables, rest, units, |letter| write(out, route_line(kind), &[kind, route_id], &[id, letter]))?;
            Ok(Parsed::Written)
        }
        // UNIT 4 12 MAIN ST begins with the same word.
        None if kind == "unit" => Ok(Parsed::NotABox),
        None => Err(NotSubmitted::IncompleteAddress),
    }
}

/// Checks what follows a box, and writes it with the letter that belongs to its number.
fn finish<'a>(
    tables: &Tables,
    rest: &[&'a str],
    units: &mut Words<'a>,
    write: impl FnOnce(&'a str) -> Result<(), NotSubmitted>,
) -> Result<(), NotSubmitted> {
    if tables.edition.reads_more() {
        // BOX 42 D is BOX 42D.
        if let [letter] = rest
            && letter.len() == 1
            && letter.bytes().all(|b| b.is_ascii_lowercase())
        {
            return write(letter);
        }
        if rest.first().is_some_and(|w| tables.word(w).unit.is_some()) {
            take(units, rest);
        }
    }
    nothing_else(rest)?;
    write("")
}

/// The longest phrase of at most four words at the beginning.
fn phrase<'w, 'a>(tables: &Tables, words: &'w [&'a str]) -> Option<(&'static str, &'w [&'a str])> {
    // No phrase begins with a digit, and most lines do.
    if words.first()?.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    let mut text = Text::new();
    let mut found = None;
    for (i, word) in words.iter().take(4).enumerate() {
        text.push_word(word).ok()?;
        if let Some(kind) = tables.box_phrases.get(text.as_str()) {
            found = Some((*kind, words.get(i + 1..).unwrap_or_default()));
        }
    }
    found
}

/// A box or route number: a word with a digit, or a single letter; `#` and `no` before it are
/// noise, leading zeros too.
fn take_id<'w, 'a>(mut words: &'w [&'a str]) -> Option<(&'a str, &'w [&'a str])> {
    while let ["#" | "no" | "num" | "number", rest @ ..] = words {
        words = rest;
    }
    let (id, rest) = words.split_first()?;
    let numbered = id.bytes().any(|b| b.is_ascii_digit());
    let letter = id.len() == 1 && id.bytes().all(|b| b.is_ascii_lowercase());
    let id = id.trim_start_matches('0');
    (!id.is_empty() && (numbered || letter)).then_some((id, rest))
}

/// What follows a complete box is dropped, unless it may be a second address or a part of the
/// box's number.
fn nothing_else(rest: &[&str]) -> Result<(), NotSubmitted> {
    match rest.first() {
        Some(word) if word.len() == 1 || word.bytes().next().is_some_and(|b| b.is_ascii_digit()) => Err(NotSubmitted::AmbiguousAddress),
        _ => Ok(()),
    }
}

fn write(out: &mut Line, kind: LineKind, name: &[&str], id: &[&str]) -> Result<(), NotSubmitted> {
    out.kind = kind;
    name.iter().try_for_each(|w| out.name.push_word(w))?;
    id.iter().try_for_each(|part| out.number.push(part))
}
