//! Digits and letters that were taken for each other (C-12 to C-18).

use crate::NotSubmitted;
use crate::data::{Tables, Word};
use crate::text::Text;

/// Copies a line word by word, mended.
pub(super) fn words(tables: &Tables, line: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    let mut first = true;
    for word in line.split(' ').filter(|w| !w.is_empty()) {
        if !out.is_empty() {
            out.push_byte(b' ')?;
        }
        for i in 0..word.len() {
            // OCR's `vv` is a `w`: NVV is NW (C-16).
            match word.get(i..i + 2) {
                Some("vv") => out.push_byte(b'w')?,
                _ if word.get(..=i).is_some_and(|text| text.ends_with("vv")) => {}
                _ => out.push_byte(byte(tables, word, i, first))?,
            }
        }
        first &= word == ",";
    }
    Ok(())
}

/// The byte at `at`, mended.
fn byte(tables: &Tables, word: &str, at: usize, first: bool) -> u8 {
    let bytes = word.as_bytes();
    let here = bytes.get(at).copied().unwrap_or(b' ');
    let before = at.checked_sub(1).and_then(|i| bytes.get(i)).copied();
    let after = bytes.get(at + 1).copied();
    let digit = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit());
    let letter = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase());
    if here.is_ascii_lowercase() && (digit(before) || (before.is_none() && matches!(here, b'l' | b'i' | b'z'))) && digit(after) {
        // Z0TH ST is 20TH ST; but I95 is no number behind the first word, and APT 4B2 stays.
        let ordinal = ["st", "nd", "rd", "th"].iter().find_map(|suffix| word.strip_suffix(suffix));
        if number(ordinal.unwrap_or(word)) && (first || ordinal.is_some() || (here == b'o' && digit(before))) {
            return as_digit(here);
        }
    } else if here.is_ascii_digit() && letter(before) && letter(after) && name(tables, word) {
        return as_letter(here, before, after);
    }
    here
}

/// Whether the letters of a word can only be digits (C-12): each is one that looks like a digit,
/// and stands between two; or begins the word. 12B and 12O stay, and so do 1S450 and N6W23001.
fn number(word: &str) -> bool {
    let bytes = word.as_bytes();
    let grid = word.split_once('s').is_some_and(|(a, b)| matches!(a.len(), 1 | 2) && b.len() == 3 && b.bytes().all(|b| b.is_ascii_digit()));
    let seen = |i: usize| bytes.get(i).is_some_and(u8::is_ascii_digit);
    !grid
        && bytes.iter().enumerate().all(|(i, b)| {
            b.is_ascii_digit()
                || (*b == b'-' && i > 0)
                || (as_digit(*b) != *b && seen(i + 1) && (i == 0 || i.checked_sub(1).is_some_and(seen)))
        })
}

/// Whether a word is a name with digits taken for letters (C-13): of four letters or more, and no
/// word in front of the digit that a number follows.
fn name(tables: &Tables, word: &str) -> bool {
    let bytes = word.as_bytes();
    let lead = bytes.iter().take_while(|b| b.is_ascii_lowercase()).count();
    let tail = bytes.iter().rev().take_while(|b| b.is_ascii_lowercase()).count();
    let (front, back) = (word.get(..lead).unwrap_or(""), word.get(word.len() - tail..).unwrap_or(""));
    let Word { unit, direction, road, .. } = *tables.word(front);
    bytes.iter().all(u8::is_ascii_alphanumeric)
        && bytes.iter().filter(|b| b.is_ascii_digit()).count() == 1
        && lead + tail >= 3
        && unit.is_none()
        && direction.is_none()
        && !road
        && !tables.box_phrases.contains_key(front)
        && !matches!(back, "st" | "nd" | "rd" | "th")
        && tail >= 2
        // OLD5MILE is how OLD FIVE MILE is written.
        && !tables.word(back).counted
}

/// The USPS abbreviation of the one street type that a word of at least four letters is one letter
/// away from, or two neighbours that changed places: STREER, AVENVE, CIRCEL, PLAC (C-17).
pub(super) fn misspelt_type(tables: &Tables, word: &str) -> Option<&'static str> {
    // Words of their own that a street may end with.
    let own = ["palace", "pace", "plane", "plate", "lace", "trial", "train", "rail", "tail", "count", "cour", "driver", "dive", "squire"];
    if own.contains(&word) || word.len() < 4 || !word.bytes().all(|b| b.is_ascii_lowercase()) {
        return None;
    }
    let mut near = tables.type_spellings.iter().filter(|(spelt, _)| spelt.len() >= 5 && one_apart(word.as_bytes(), spelt.as_bytes()));
    match (near.next(), near.next()) {
        (Some((_, usps)), None) => Some(usps),
        _ => None,
    }
}

/// A name and the long word of a street type that are written in one word: KNEESHAWSTREET (C-18). A name
/// that ends so, as in OVERSTREET RD, is put together again when it is written.
pub(super) fn glued_type<'a>(tables: &Tables, word: &'a str) -> Option<(&'a str, &'a str)> {
    let spelt = tables.type_spellings.iter().map(|(spelt, _)| *spelt).filter(|spelt| spelt.len() >= 6);
    spelt
        .filter_map(|spelt| word.strip_suffix(spelt).map(|name| (name, word.get(name.len()..).unwrap_or_default())))
        .find(|(name, _)| name.len() >= 3)
}

/// Whether one letter put in, left out or changed, or two neighbours exchanged, make one the other.
fn one_apart(a: &[u8], b: &[u8]) -> bool {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    let (left, right) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    match (left.len(), right.len()) {
        (0, 0) => false,
        (n, m) if n == m => {
            left.get(1..) == right.get(1..)
                || (left.first() == right.get(1) && left.get(1) == right.first() && left.get(2..) == right.get(2..))
        }
        (n, m) if n == m + 1 => left.get(1..) == Some(right),
        (n, m) if m == n + 1 => right.get(1..) == Some(left),
        _ => false,
    }
}

const fn as_digit(letter: u8) -> u8 {
    match letter {
        b'o' => b'0',
        b'l' | b'i' => b'1',
        b'z' => b'2',
        b's' => b'5',
        b'g' => b'6',
        b'b' => b'8',
        other => other,
    }
}

/// 1 stands for l beside a vowel (`wil1ow`), else for i (`h1ll`).
fn as_letter(digit: u8, before: Option<u8>, after: Option<u8>) -> u8 {
    let vowel = |b: Option<u8>| matches!(b, Some(b'a' | b'e' | b'i' | b'o' | b'u' | b'y'));
    match digit {
        b'0' => b'o',
        b'1' if vowel(before) || vowel(after) => b'l',
        b'1' => b'i',
        b'2' => b'z',
        b'5' => b's',
        b'8' => b'b',
        b'9' => b'g',
        other => other,
    }
}
