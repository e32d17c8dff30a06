//! Lines in the Spanish order (C-36 to C-38): `calle luna 12`, `urb las lomas 12 calle 5`.

use super::number::all_digits;
use crate::NotSubmitted;
use crate::data::Tables;
use crate::text::Words;

/// The words with the house number first, then the street, then what the line has besides, an
/// urbanisation last: it tells one Calle 1 of a town from another.
pub(super) fn in_order<'a>(tables: &Tables, words: &[&'a str]) -> Result<Words<'a>, NotSubmitted> {
    let (urbanisation, rest) = match words.first() {
        Some(&("urb" | "urbanizacion")) => {
            // Up to the number before the street, or to the street.
            let street = words.iter().position(|w| is_street(w)).filter(|i| *i > 1).ok_or(NotSubmitted::IncompleteAddress)?;
            let number = words.get(street - 1).is_some_and(|w| numbered(w));
            let block = number && street > 3 && words.get(street - 2).is_some_and(|w| w.len() == 1);
            words.split_at(street - usize::from(number) - usize::from(block))
        }
        _ => words.split_at(0),
    };
    let mut out = Words::new();
    let parts: [&[&str]; 4] = match number_behind(tables, rest) {
        Some((street, number, tail)) => [number, street, tail, urbanisation],
        None => [rest, &[], &[], urbanisation],
    };
    for word in parts.into_iter().flatten() {
        out.push(word)?;
    }
    Ok(out)
}

type Behind<'w, 'a> = (&'w [&'a str], &'w [&'a str], &'w [&'a str]);

/// `calle luna # 12`, `calle luna 12`, `carr 2 km 12.3`: street, number, and what follows.
fn number_behind<'w, 'a>(tables: &Tables, words: &'w [&'a str]) -> Option<Behind<'w, 'a>> {
    if !is_street(words.first()?) {
        return None;
    }
    let at = |i: usize| words.get(i).copied().unwrap_or_default();
    let road = matches!(at(0), "carr" | "carretera");
    let marked = (2..words.len()).find(|i| {
        let digits = |i: usize| at(i).bytes().next().is_some_and(|b| b.is_ascii_digit());
        if road { at(*i) == "km" && digits(i + 1) } else { matches!(at(*i), "#" | "no" | "num" | "numero" | "number") && digits(i + 1) }
    });
    if let Some(mark) = marked {
        let (street, rest) = words.split_at(mark);
        // `km` is a part of the number.
        let (number, tail) = rest.split_at(2);
        return Some((street, if road { number } else { number.get(1..)? }, tail));
    }
    // The first number behind a name in words, unless it belongs to a unit.
    let found = (2..words.len()).find(|i| numbered(at(*i)))?;
    let in_words = words.get(1..found)?.iter().all(|w| !numbered(w) && w.len() > 1 && tables.word(w).unit.is_none());
    let alone = words.get(found + 1).is_none_or(|w| tables.word(w).unit.is_some() || *w == "urb");
    (all_digits(at(found)) && in_words && alone && !road).then(|| {
        let (street, rest) = words.split_at(found);
        let (number, tail) = rest.split_at(1);
        (street, number, tail)
    })
}

/// A word that begins a street's name in Spanish.
pub(super) fn is_street(word: &str) -> bool {
    matches!(word, "calle" | "avenida" | "camino" | "paseo" | "callejon" | "carr" | "carretera")
}

fn numbered(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
}
