//! What was found, in words: what it is, and what to do next. Counts and row numbers, never a value.

use serde_json::{Value, json};

use super::look::Mark;
use super::repeats::Rows;

/// Whose list it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The verifier's pairs.
    Pairs,
    /// The holder's records.
    Records,
}

impl Whose {
    /// What is not done with a row that gives no token.
    pub(crate) fn fate(self) -> &'static str {
        match self {
            Self::Pairs => "not asked",
            Self::Records => "not sealed",
        }
    }
}

/// One thing that was found of some rows.
#[derive(Clone, Debug)]
pub(crate) struct Finding {
    /// A stable word for programs.
    pub(crate) word: &'static str,
    pub(crate) rows: Rows,
    /// What it is.
    pub(crate) what: String,
    /// What to do next.
    pub(crate) advice: String,
}

impl Finding {
    /// Rows that give no token, by their reason.
    pub(crate) fn unusable(reason: &'static str, rows: Rows) -> Self {
        let (what, advice) = of_reason(reason);
        Self { word: reason, rows, what: what.to_owned(), advice: advice.to_owned() }
    }

    /// Rows with something odd.
    pub(crate) fn marked(mark: Mark, rows: Rows) -> Self {
        let (word, what, advice) = of_mark(mark);
        Self { word, rows, what: what.to_owned(), advice: advice.to_owned() }
    }

    /// The finding for people: two lines.
    pub(crate) fn lines(&self, all: u64) -> String {
        let Rows { count, first } = &self.rows;
        let numbers = first.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
        let more = if *count > first.len() as u64 { ", …" } else { "" };
        let place = if first.is_empty() { String::new() } else { format!(" (row {numbers}{more})") };
        format!("  {:<26}{count} ({}): {}{place}\n  {:<26}{}", self.word, percent(*count, all), self.what, "", self.advice)
    }

    /// The finding for programs.
    pub(crate) fn json(&self, all: u64) -> Value {
        json!({
            "finding": self.word, "rows": self.rows.count, "share": share(self.rows.count, all), "first_rows": self.rows.first,
            "what": self.what, "next": self.advice,
        })
    }
}

/// A share for programs: 0 to 1, to six decimals.
pub(crate) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { (part as f64 / whole as f64 * 1e6).round() / 1e6 }
}

/// A share for people.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    format!("{:.1}%", share(part, whole) * 100.0)
}

/// What a reason says of a row, and what can be mended.
pub(crate) fn of_reason(reason: &str) -> (&'static str, &'static str) {
    match reason {
        "empty_name" => ("there is no name", "fill it in where it is known; check which column is the name (--map name=HEADER)"),
        "incomplete_name" => (
            "a given or a family name is missing, or has no letter in it",
            "a name in one column is written \"Given Family\" or \"Family, Given\"; better, give given_name and family_name",
        ),
        "empty_address" => {
            ("there is no address", "fill it in where it is known; check which column is the address (--map address=HEADER)")
        }
        "incomplete_address" => (
            "the address is not a complete delivery line",
            "it takes a house number and a street, or a box or route with its number; not a building's name or a corner alone",
        ),
        "ambiguous_address" => (
            "the address can be read in more than one way",
            "write one address in the row: put the unit into a column of its own, and \"care of\" lines and second addresses elsewhere",
        ),
        "missing_postal_code" => ("there is no ZIP code", "fill it in; check which column it is (--map postal_code=HEADER)"),
        "invalid_postal_code" => (
            "the postal code is not a ZIP code",
            "it is five digits or ZIP+4: foreign codes, and 00000 and 99999 for unknown ones, are of no use here",
        ),
        "placeholder" => (
            "the name or the address stands for one that is missing",
            "words like unknown, undomiciled or general delivery are nobody's: find the true one, or leave the row out",
        ),
        "unsupported_characters" => (
            "a character is none of a name or an address in Latin letters",
            "write the name as the other side's records have it; check --encoding, and that no control characters came along",
        ),
        "field_too_long" => {
            ("a field is too long", "look for a quote that is never closed, or notes in the column of the name or the address")
        }
        "wrong_field_count" => {
            ("the row has more or fewer fields than the header", "put fields with a comma in them in quotes; check --delimiter")
        }
        "too_many_addresses" => (
            "its person has as many addresses before it as the request allows",
            "keep for each person the address that is to be confirmed, or ask for a higher --addresses-per-person-max",
        ),
        "bad_order_date" => ("order_date is no day of the calendar", "write it YYYY-MM-DD"),
        "future_order_date" => ("order_date is still to come", "an order of a later day is none yet: check the date"),
        "no_person_id" => ("the column that tells persons apart is empty", "fill it in: without it a person's addresses cannot be counted"),
        reason if reason.starts_with("no_") => ("a required column is empty", "fill it in; check which column it is (--map)"),
        _ => ("the ruleset refuses it", "look at one such row with `ruleset explain`"),
    }
}

fn of_mark(mark: Mark) -> (&'static str, &'static str, &'static str) {
    match mark {
        Mark::Misread => (
            "misread_text",
            "a name or an address has signs of the wrong encoding",
            "somewhere the file was read in another encoding than it was written in: export it again as UTF-8, or give --encoding",
        ),
        Mark::DigitsInName => (
            "digits_in_name",
            "there is a digit in the name",
            "where it is most rows, another column is read as the name: see --map; where it is few, look at them",
        ),
        Mark::StateInCity => ("state_in_city", "the city is the two letters of a state", "city and state seem to be swapped: see --map"),
        Mark::DigitsInState => ("digits_in_state", "there is a digit in the state", "another column is read as the state: see --map"),
        Mark::PaddedZip => (
            "padded_postal_code",
            "the ZIP code has lost its leading zeros, and is read with them",
            "nothing need be done where the addresses are in New England, New Jersey or Puerto Rico; elsewhere look at them, as digits may be missing",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oblink_linkage::NotSubmitted;

    #[test]
    fn every_reason_has_words_of_its_own() {
        let mut seen = std::collections::BTreeSet::new();
        for reason in NotSubmitted::ALL.map(NotSubmitted::as_str) {
            assert!(seen.insert(of_reason(reason)), "{reason}");
            assert!(!of_reason(reason).1.contains("ruleset explain"), "{reason}");
        }
        let marks: std::collections::BTreeSet<_> = Mark::ALL.map(of_mark).into_iter().collect();
        assert_eq!(marks.len(), Mark::ALL.len());
    }

    /// The longest word stood against its count.
    #[test]
    fn repro_a_long_word_is_apart_from_its_count() {
        let mut rows = Rows::default();
        rows.push(1);
        let finding = Finding { word: "name_at_several_addresses", rows, what: String::new(), advice: String::new() };
        assert!(finding.lines(10).starts_with("  name_at_several_addresses 1 (10.0%)"), "{}", finding.lines(10));
    }

    #[test]
    fn two_lines_for_people() {
        let mut rows = Rows::default();
        (1..=7).for_each(|row| rows.push(row * 10));
        let finding = Finding::unusable("empty_name", rows);
        let lines = finding.lines(1_000);
        let (first, second) = lines.split_once('\n').unwrap();
        assert!(
            first.trim_start().starts_with("empty_name  ") && first.ends_with("7 (0.7%): there is no name (row 10, 20, 30, 40, 50, …)"),
            "{first}"
        );
        assert_eq!(second.trim_start(), of_reason("empty_name").1);
        assert_eq!(finding.json(1_000)["share"], 0.007);
    }
}
