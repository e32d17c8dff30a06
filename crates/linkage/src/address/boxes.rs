//! PO boxes, rural and highway-contract routes, military boxes.

use super::{Line, LineKind};
use crate::NotSubmitted;
use crate::data::Tables;
use crate::text::Text;

pub(super) enum Parsed {
    Written,
    NotABox,
}

/// Parses a line that begins with a phrase of box_phrases.tsv.
pub(super) fn parse(tables: &Tables, words: &[&str], out: &mut Line) -> Result<Parsed, NotSubmitted> {
    let Some((kind, rest)) = phrase(tables, words) else {
        return Ok(Parsed::NotABox);
    };
    match kind {
        "po box" => {
            let (id, rest) = take_id(rest).ok_or(NotSubmitted::IncompleteAddress)?;
            // BOX 152 RR 2 is RR 2 BOX 152.
            if matches!(words.first(), Some(&("box" | "bx")))
                && let Some((route @ ("rr" | "hc"), rest)) = phrase(tables, rest)
                && let Some((route_id, rest)) = take_id(rest)
            {
                nothing_else(rest)?;
                write(out, LineKind::Route, &[route, route_id], id)?;
                return Ok(Parsed::Written);
            }
            nothing_else(rest)?;
            write(out, LineKind::PoBox, &["po box"], id)?;
            Ok(Parsed::Written)
        }
        _ => {
            let route = take_id(rest);
            let boxed = route.and_then(|(id, rest)| match rest {
                ["box" | "bx" | "no" | "num" | "number" | "#", rest @ ..] => Some((id, take_id(rest)?)),
                _ => None,
            });
            match boxed {
                Some((route_id, (id, rest))) => {
                    nothing_else(rest)?;
                    let military = matches!(kind, "psc" | "cmr" | "unit");
                    let line = if military { LineKind::Military } else { LineKind::Route };
                    write(out, line, &[kind, route_id], id)?;
                    Ok(Parsed::Written)
                }
                // UNIT 4 12 MAIN ST begins with the same word.
                None if kind == "unit" => Ok(Parsed::NotABox),
                None => Err(NotSubmitted::IncompleteAddress),
            }
        }
    }
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

fn write(out: &mut Line, kind: LineKind, name: &[&str], id: &str) -> Result<(), NotSubmitted> {
    out.kind = kind;
    name.iter().try_for_each(|w| out.name.push_word(w))?;
    out.number.push(id)
}
