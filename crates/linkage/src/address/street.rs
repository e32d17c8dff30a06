//! Number, directions, street and type.

use super::{Line, mend, number, unit};
use crate::NotSubmitted;
use crate::data::{Number, Tables};
use crate::text::{Text, WORDS_MAX, Words};

/// Reads number, directions, street and type; the words of units go to `units`.
pub(super) fn parse<'a>(tables: &Tables, words: &[&'a str], units: &mut Words<'a>, out: &mut Line) -> Result<(), NotSubmitted> {
    // 12 MAIN ST PO BOX 45: two addresses.
    if words.windows(2).any(|w| matches!(w, ["po" | "o", "box"])) || words.iter().any(|w| matches!(*w, "pobox" | "pob")) {
        return Err(NotSubmitted::AmbiguousAddress);
    }
    if tables.edition.reads_more() && two_places(words) {
        return Err(NotSubmitted::AmbiguousAddress);
    }
    let words = unit::leading(tables, words, units);
    let rest = number::parse(tables, words, &mut out.number)?;
    let mut room = [""; WORDS_MAX];
    let rest = unit::inside(tables, rest, units);
    let len = without_ordinal_suffixes(tables, rest, &mut room);
    if tables.edition.reads_more() {
        compass(tables, &mut room, len);
    }
    if len == 0 {
        return Err(NotSubmitted::IncompleteAddress);
    }
    let street = Street::parse(tables, &mut room, len, units)?;
    out.before = street.before;
    out.street_type = street.street_type;
    out.behind = street.behind;
    street.write_name(tables, &mut out.name)
}

/// Writes words as a street's name.
pub(super) fn name(tables: &Tables, words: &[&str], out: &mut Text) -> Result<(), NotSubmitted> {
    let mut room = [""; WORDS_MAX];
    let len = without_ordinal_suffixes(tables, words, &mut room);
    let words = room.get(..len).unwrap_or_default();
    let (road, start) = road(tables, words).map_or((None, 0), |(class, phrase)| (Some(class), phrase));
    let name = words.get(start..).unwrap_or_default();
    Street { before: None, road, name, street_type: None, behind: None }.write_name(tables, out)
}

/// 12 MAIN ST BOX 5 and 12 AND 14 MAIN ST are two places (C-27).
fn two_places(words: &[&str]) -> bool {
    let numbered = |w: &str| w.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let boxed = words.windows(2).skip(1).any(|w| matches!(w, ["box" | "bx" | "drawer", id] if numbered(id)));
    boxed || matches!(words, [number, "and", next, ..] if numbered(number) && numbered(next))
}

/// NO and SO are directions before and behind a street (C-14); NO is a number's word elsewhere.
fn compass(tables: &Tables, words: &mut [&str; WORDS_MAX], len: usize) {
    let direction = |w: &str| match w {
        "no" => Some("n"),
        "so" => Some("s"),
        _ => None,
    };
    let generic = |w: &str| matches!(tables.word(w).street_type, Some((_, true)));
    let lettered = |w: &str| w.len() > 1 && w.bytes().all(|b| b.is_ascii_lowercase());
    let numbered = |w: &str| w.bytes().next().is_some_and(|b| b.is_ascii_digit());
    let [first, second, third, ..] = words;
    if let Some(way) = direction(first)
        && (lettered(second) && (len > 2 || !generic(second)) || (len > 2 && numbered(second) && generic(third)))
    {
        *first = way;
    }
    if len >= 3
        && let Some([kind, last]) = words.get_mut(len - 2..len)
        && generic(kind)
        && let Some(way) = direction(last)
    {
        *last = way;
    }
}

/// Drops the `th` of `34 th st` and of `34th`.
fn without_ordinal_suffixes<'a>(tables: &Tables, words: &[&'a str], out: &mut [&'a str; WORDS_MAX]) -> usize {
    let mut len = 0;
    for (i, word) in words.iter().enumerate() {
        let number = i.checked_sub(1).and_then(|i| words.get(i)).filter(|w| number::all_digits(w));
        let type_next = words.get(i + 1).is_some_and(|w| tables.word(w).street_type.is_some());
        let dropped = number.is_some_and(|n| match *word {
            "th" | "nd" => true,
            "st" => type_next && n.ends_with('1') && !n.ends_with("11"),
            "rd" => type_next && n.ends_with('3') && !n.ends_with("13"),
            _ => false,
        });
        if !dropped && let Some(room) = out.get_mut(len) {
            *room = without_ordinal_suffix(tables, word, type_next);
            len += 1;
        }
    }
    len
}

/// `34th` is `34`. Until here it was not, for 100 42ND PARALLEL RD is not house 100-42.
fn without_ordinal_suffix<'a>(tables: &Tables, word: &'a str, type_next: bool) -> &'a str {
    let number = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    let suffix = word.get(number.len()..).unwrap_or_default();
    // 39DH AVE, 127TJ ST: one letter of `th` is wrong.
    let misspelt = tables.edition.mends_words() && type_next && suffix.len() == 2 && (suffix.starts_with('t') || suffix.ends_with('h'));
    let ordinal = number::all_digits(number) && (misspelt || matches!(suffix, "st" | "nd" | "rd" | "th"));
    if ordinal { number } else { word }
}

struct Street<'w, 'a> {
    before: Option<&'static str>,
    /// The joined class of a numbered road, before the words of `name`.
    road: Option<&'static str>,
    name: &'w [&'a str],
    street_type: Option<&'static str>,
    behind: Option<&'static str>,
}

impl<'w, 'a> Street<'w, 'a> {
    fn parse(tables: &Tables, words: &'w mut [&'a str; WORDS_MAX], len: usize, units: &mut Words<'a>) -> Result<Self, NotSubmitted> {
        let direction = |w: &str| tables.word(w).direction;
        let generic = |w: &str| matches!(tables.word(w).street_type, Some((_, true)));
        // a numbered road, before or behind a direction.
        let all = words.get(..len).unwrap_or_default();
        let lead = match road(tables, all) {
            Some(found) => Some((0, found)),
            None => all.first().filter(|w| direction(w).is_some()).and_then(|_| Some((1, road(tables, all.get(1..)?)?))),
        };
        let name_at = match lead {
            // The road's number, behind its phrase.
            Some((skip, (_, phrase))) => skip + phrase,
            None => all.iter().take_while(|w| direction(w).is_some()).count().min(len - 1),
        };
        if tables.edition.reads_more() && unit::second_line(tables, all, name_at) {
            return Err(NotSubmitted::AmbiguousAddress);
        }
        let mut len = unit::trailing(tables, words, len, name_at, units);
        let words = words.get(..len).unwrap_or_default();
        let at = |i: usize| words.get(i).copied().unwrap_or_default();

        // the direction behind, unless it would leave no street.
        let mut behind = None;
        if len >= 2 {
            let pair = (len >= 3).then(|| compose(direction(at(len - 2)), direction(at(len - 1))));
            let (found, taken) = match pair.flatten() {
                Some(both) => (Some(both), 2),
                None => (direction(at(len - 1)), 1),
            };
            let left = len - taken;
            let street = words.get(..left).unwrap_or_default();
            let named = street.iter().any(|w| direction(w).is_none())
                && (left >= 2 || !street.iter().all(|w| generic(w)))
                && (lead.is_none() || left > name_at);
            if found.is_some() && named {
                behind = found;
                len = left;
            }
        }
        // the type, unless it is the name itself.
        let mut street_type = None;
        let misspelt = |word: &str| {
            let mended = (tables.edition.mends_words() && len > 1).then(|| mend::misspelt_type(tables, word)).flatten();
            mended.map(|usps| (usps, true))
        };
        if let Some((usps, is_generic)) = tables.word(at(len - 1)).street_type.or_else(|| misspelt(at(len - 1)))
            && (lead.is_none() || len - 1 > name_at)
        {
            let named = words.get(..len - 1).unwrap_or_default();
            let only_directions = named.iter().all(|w| direction(w).is_some());
            if len == 1 && is_generic {
                return Err(NotSubmitted::IncompleteAddress);
            }
            if len > 1 && (is_generic || !only_directions) {
                street_type = Some(usps);
                len -= 1;
            }
        }
        // WASHINGTON NE PL is WASHINGTON PL NE (C-39).
        if tables.edition.reads_more()
            && behind.is_none()
            && street_type.is_some()
            && lead.is_none()
            && matches!(at(len - 1), "ne" | "nw" | "se" | "sw")
            && words.get(..len - 1).is_some_and(|name| name.iter().any(|w| direction(w).is_none()))
        {
            behind = direction(at(len - 1));
            len -= 1;
        }
        // the direction before, unless it is the name itself.
        let mut start = 0;
        let mut before = None;
        match lead {
            Some((skip, _)) => {
                before = words.first().filter(|_| skip == 1).and_then(|w| direction(w));
                start = skip;
            }
            None if len >= 2 => {
                if len >= 3
                    && let Some(both) = compose(direction(at(0)), direction(at(1)))
                {
                    (before, start) = (Some(both), 2);
                } else if let Some(one) = direction(at(0)) {
                    (before, start) = (Some(one), 1);
                }
            }
            None => {}
        }
        let road = lead.map(|(_, (class, phrase))| {
            start += phrase;
            class
        });
        let name = words.get(start..len).unwrap_or_default();
        // `#` is no name: 12 # MAIN ST lacks something, and nobody knows what.
        if name.iter().all(|w| *w == "#") && road.is_none() {
            return Err(NotSubmitted::IncompleteAddress);
        }
        if name.contains(&"#") {
            return Err(NotSubmitted::AmbiguousAddress);
        }
        Ok(Street { before, road, name, street_type, behind })
    }

    /// The name's words in their long forms, joined.
    fn write_name(&self, tables: &Tables, name: &mut Text) -> Result<(), NotSubmitted> {
        if let Some(class) = self.road {
            name.push(class)?;
        }
        let mut i = 0;
        while let Some(word) = self.name.get(i) {
            let entry = tables.word(word);
            let next = self.name.get(i + 1);
            i += 1;
            let first = entry.first.filter(|_| i == 1 && self.road.is_none() && next.is_some());
            if let Some(long) = first.or(entry.long) {
                append(name, long)?;
            } else if let Some((value, kind)) = entry.number {
                let unit = next
                    .and_then(|n| tables.word(n).number)
                    .filter(|(v, k)| kind == Number::Tens && *v < 10 && *k != Number::Tens)
                    .map(|(v, _)| v);
                i += usize::from(unit.is_some());
                append_number(name, value + unit.unwrap_or(0))?;
            } else if let Some(way) =
                entry.direction.filter(|_| tables.edition.reads_more() && i > 1 && next.is_none() && self.road.is_none())
            {
                append(name, spelt(way))?;
            } else if tables.edition.reads_more() && number::all_digits(word) {
                append(name, without_zeros(word))?;
            } else {
                append(name, word)?;
            }
        }
        if let Some(known) = tables.street_names.get(name.as_str()) {
            name.clear();
            name.push(known)?;
        }
        if tables.street_placeholders.contains_key(name.as_str()) {
            return Err(NotSubmitted::Placeholder);
        }
        Ok(())
    }
}

/// AVALON PARK S BLVD is AVALON PARK SOUTH BLVD (C-39).
fn spelt(direction: &str) -> &str {
    match direction {
        "n" => "north",
        "e" => "east",
        "s" => "south",
        "w" => "west",
        "ne" => "northeast",
        "nw" => "northwest",
        "se" => "southeast",
        "sw" => "southwest",
        other => other,
    }
}

/// 08TH ST is 8TH ST.
fn without_zeros(number: &str) -> &str {
    let value = number.trim_start_matches('0');
    if value.is_empty() { number } else { value }
}

fn append_number(name: &mut Text, value: u8) -> Result<(), NotSubmitted> {
    let digits = [b'0' + value / 10 % 10, b'0' + value % 10];
    let digits = digits.get(usize::from(value < 10)..).unwrap_or_default();
    append(name, core::str::from_utf8(digits).unwrap_or_default())
}

/// Joins a word to a name; a hyphen keeps two numbers apart.
fn append(name: &mut Text, word: &str) -> Result<(), NotSubmitted> {
    let digit = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_digit());
    if digit(name.last()) && digit(word.bytes().next()) {
        name.push("-")?;
    }
    name.push(word)
}

/// `n` and `w` are `nw`.
fn compose(first: Option<&str>, second: Option<&str>) -> Option<&'static str> {
    match (first?, second?) {
        ("n", "e") => Some("ne"),
        ("n", "w") => Some("nw"),
        ("s", "e") => Some("se"),
        ("s", "w") => Some("sw"),
        _ => None,
    }
}

/// The longest phrase of road_phrases.tsv at the beginning that a road's number follows, and the
/// number of words before that number.
pub(super) fn road(tables: &Tables, words: &[&str]) -> Option<(&'static str, usize)> {
    if !words.first().is_some_and(|w| tables.word(w).road) {
        return None;
    }
    let mut text = Text::new();
    let mut found = None;
    for (i, word) in words.iter().take(4).enumerate() {
        text.push_word(word).ok()?;
        // US HIGHWAY NO 202 (C-39)
        let noise = tables.edition.reads_more()
            && matches!(words.get(i + 1), Some(&("no" | "num" | "number" | "#")))
            && words.get(i + 2).is_some_and(|w| w.bytes().next().is_some_and(|b| b.is_ascii_digit()));
        let at = i + 1 + usize::from(noise);
        let numbered = words.get(at).is_some_and(|w| {
            w.len() == 1 && w.bytes().all(|b| b.is_ascii_lowercase())
                || w.bytes().next().is_some_and(|b| b.is_ascii_digit())
                || w.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
        });
        if numbered && let Some(class) = tables.road_phrases.get(text.as_str()) {
            found = Some((*class, at));
        }
    }
    found
}
