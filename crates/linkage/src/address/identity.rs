//! What tells one unit of a house from another (C-40 to C-43).

use super::number::all_digits;
use super::place::is_zip;
use super::split;
use crate::NotSubmitted;
use crate::data::{Tables, UnitPart};
use crate::text::Text;

/// Parts of a unit beyond these are not kept.
const PARTS_MAX: usize = 8;

/// In which order a unit's parts are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Building,
    Floor,
    Number,
    Word,
}

/// The parts of a unit, in one text.
struct Parts {
    text: Text,
    /// Rank, start and end of each.
    parts: [(Rank, usize, usize); PARTS_MAX],
    len: usize,
}

/// Writes the identity of the unit in the words parsed off a line and in the unit column: the same
/// for `apt 4`, `# 4`, `unit no 04` and `4`; empty where nothing tells units apart.
pub(super) fn write(tables: &Tables, line: &[&str], column: &str, out: &mut Text) -> Result<(), NotSubmitted> {
    let mut parts = Parts { text: Text::new(), parts: [(Rank::Word, 0, 0); PARTS_MAX], len: 0 };
    parts.collect(tables, line, true)?;
    if !column.is_empty() {
        let mut text = Text::new();
        split::punctuation(tables, column, &mut text)?;
        parts.collect(tables, split::words(tables, text.as_str(), false)?.as_slice(), false)?;
    }
    for rank in [Rank::Building, Rank::Floor, Rank::Number, Rank::Word] {
        for (_, start, end) in parts.kept().iter().filter(|(r, ..)| *r == rank) {
            out.push_word(parts.text.as_str().get(*start..*end).unwrap_or_default())?;
        }
    }
    Ok(())
}

impl Parts {
    fn kept(&self) -> &[(Rank, usize, usize)] {
        self.parts.get(..self.len).unwrap_or_default()
    }

    /// Keeps what was written to `text` from `start` on, unless it is empty or there already.
    fn keep(&mut self, rank: Rank, start: usize) {
        let end = self.text.len();
        let bytes = self.text.as_bytes();
        let new = bytes.get(start..end);
        let known = self.kept().iter().any(|(r, s, e)| *r == rank && bytes.get(*s..*e) == new);
        if start < end
            && !known
            && let Some(room) = self.parts.get_mut(self.len)
        {
            *room = (rank, start, end);
            self.len += 1;
        }
    }

    fn collect(&mut self, tables: &Tables, words: &[&str], line: bool) -> Result<(), NotSubmitted> {
        let part = |i: usize| words.get(i).and_then(|w| tables.word(w).part);
        let id = |i: usize| words.get(i).copied().filter(|w| is_id(tables, w));
        // What the last designator says of the next number.
        let mut rank = Rank::Number;
        let mut designated = false;
        let mut i = 0;
        while let Some(word) = words.get(i) {
            let start = self.text.len();
            // 2ND FLOOR, but APT 2 FL 3.
            if let Some(number) = ordinal(tables, word)
                && part(i + 1) == Some(UnitPart::Floor)
                && !(designated && words.iter().skip(i + 2).find(|w| !noise(w)).is_some_and(|w| is_id(tables, w)))
            {
                self.floor(tables, number)?;
                (rank, designated) = (Rank::Number, false);
                i += 2;
                continue;
            }
            if is_id(tables, word) {
                i += 1;
                // MAIN ST 62704; APT 4 SPRINGFIELD 62704: a ZIP code is no unit.
                if line && !designated && i == words.len() && is_zip(word) {
                    continue;
                }
                if rank == Rank::Floor {
                    self.floor(tables, word)?;
                } else {
                    self.number(tables, word)?;
                    // 5 B is 5B, and B 5 is B5.
                    if let Some(next) = id(i).filter(|next| one_letter(word) != one_letter(next))
                        && part(i + 1) != Some(UnitPart::Floor)
                    {
                        self.number(tables, next)?;
                        i += 1;
                    }
                    self.keep(rank, start);
                }
                (rank, designated) = (Rank::Number, false);
                continue;
            }
            match part(i) {
                Some(UnitPart::Itself(word)) => {
                    self.text.push(word)?;
                    self.keep(Rank::Word, start);
                    designated = false;
                }
                Some(UnitPart::Building) => (rank, designated) = (Rank::Building, true),
                Some(UnitPart::Floor) => (rank, designated) = (Rank::Floor, true),
                // APT NO 4, BLDG # 4
                Some(UnitPart::Designator) if noise(word) => designated = true,
                Some(UnitPart::Designator) => (rank, designated) = (Rank::Number, true),
                None => {}
            }
            i += 1;
        }
        Ok(())
    }

    fn floor(&mut self, tables: &Tables, number: &str) -> Result<(), NotSubmitted> {
        let start = self.text.len();
        // FLOOR B is unit B.
        if number != "g" && ordinal(tables, number).is_none() {
            self.number(tables, number)?;
            self.keep(Rank::Number, start);
            return Ok(());
        }
        self.text.push("fl")?;
        self.number(tables, number)?;
        if self.text.len() > start + 2 {
            self.keep(Rank::Floor, start);
        }
        Ok(())
    }

    /// Writes one number: `04` as `4`, `2nd` as `2`, `second` as `2`.
    fn number(&mut self, tables: &Tables, word: &str) -> Result<(), NotSubmitted> {
        if let Some((value, _)) = tables.word(word).number {
            if value >= 10 {
                self.text.push_byte(b'0' + value / 10)?;
            }
            return self.text.push_byte(b'0' + value % 10);
        }
        let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
        let suffix = word.get(digits.len()..).unwrap_or_default();
        let plain = all_digits(digits) && matches!(suffix, "st" | "nd" | "rd" | "th");
        let word = if plain { digits } else { word };
        let value = word.trim_start_matches('0');
        let numbered = value.bytes().next().is_some_and(|b| b.is_ascii_digit()) || value.is_empty();
        self.text.push(if numbered { value } else { word })
    }
}

/// What stands before a number and says nothing.
fn noise(word: &str) -> bool {
    matches!(word, "#" | "no" | "num" | "nmbr" | "nbr" | "number")
}

/// The number of a floor that may stand before the word: `2`, `2nd`, `second`, `ground`.
fn ordinal<'a>(tables: &Tables, word: &'a str) -> Option<&'a str> {
    let numbered = word.bytes().next().is_some_and(|b| b.is_ascii_digit()) || tables.word(word).number.is_some();
    match word {
        "ground" => Some("g"),
        _ => numbered.then_some(word),
    }
}

fn is_id(tables: &Tables, word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit()) || one_letter(word) || tables.word(word).number.is_some()
}

fn one_letter(word: &str) -> bool {
    word.len() == 1 && word.bytes().all(|b| b.is_ascii_lowercase())
}
