//! One row looked at: whether it gives tokens, of which rules, and what is odd about it. One core's work.

use std::hash::{BuildHasher, RandomState};

use oblink_linkage::{ExplainedToken, Place, Ruleset, Side, TokenArena};

use crate::rows::{NameFields, RowChunk, RowView};
use crate::tokens::{row_of, tokenize_row};

/// Canonical parts of a delivery line, under whatever ruleset; the unit is not looked at.
const ADDRESS_PARTS: [&str; 6] = ["delivery", "number", "before", "street", "type", "behind"];
/// Likewise of the ZIP code.
const ZIP_PARTS: [&str; 2] = ["zip5", "zip"];

/// Something odd in a row that its ruleset does not mind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// Text that was read in the wrong encoding once before.
    Misread,
    /// A digit in the name.
    DigitsInName,
    /// A state's two letters in the column of cities.
    StateInCity,
    /// Digits in the column of states.
    DigitsInState,
    /// A ZIP code that lost its leading zeros, and was given them back.
    PaddedZip,
}

impl Mark {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Misread, Self::DigitsInName, Self::StateInCity, Self::DigitsInState, Self::PaddedZip];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The marks of one row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks(u8);

impl Marks {
    fn of(view: &RowView<'_>) -> Self {
        let name: [&str; 4] = match view.name {
            NameFields::Whole(name) => [name, "", "", ""],
            NameFields::Parts { given, middle, family, suffix } => [given, middle, family, suffix],
        };
        let has_digit = |text: &str| text.bytes().any(|byte| byte.is_ascii_digit());
        let all = [
            (Mark::Misread, name.iter().chain([&view.address, &view.city]).any(|text| is_misread(text))),
            // A suffix may be 2nd or 3rd.
            (Mark::DigitsInName, name[..3].iter().any(|text| has_digit(text))),
            (Mark::StateInCity, is_state(view.city)),
            (Mark::DigitsInState, has_digit(view.state)),
            (Mark::PaddedZip, is_short_zip(view.postal_code)),
        ];
        Self(all.into_iter().filter(|(_, is)| *is).fold(0, |bits, (mark, _)| bits | mark.bit()))
    }

    /// Whether the row has it.
    pub(crate) fn has(self, mark: Mark) -> bool {
        self.0 & mark.bit() != 0
    }
}

/// The rules that a row's tokens are of: a bit for each rule in the ruleset's order, and the number of tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Served {
    /// Bit i: the i-th rule. No ruleset has more than 64 rules that a pair can be served by, and those past 128 are not counted.
    pub(crate) rules: u128,
    /// Its own tokens.
    pub(crate) tokens: u16,
}

/// The tokens of a row, in digests.
#[derive(Clone, Debug)]
pub(crate) struct RowTokens {
    pub(crate) served: Served,
    /// Of all of them.
    pub(crate) digest: u64,
    /// Of each, where they are counted by themselves.
    pub(crate) each: Vec<u64>,
    /// Of a record: its delivery line, and what it gives where that is crowded.
    pub(crate) place: Option<(u64, Served)>,
}

/// A row that was looked at.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) number: u64,
    /// Digest of its id, where the file has one.
    pub(crate) id: Option<u64>,
    /// Its tokens, or why it has none.
    pub(crate) outcome: Result<RowTokens, &'static str>,
    /// Digests of its canonical names and its canonical address, where it has both.
    pub(crate) canonical: Option<(u64, u64)>,
    /// Digest of its person's identifier, where the file has one.
    pub(crate) person: Option<u64>,
    pub(crate) marks: Marks,
}

/// Looks at rows under one ruleset, for one side.
#[derive(Debug)]
pub(crate) struct Looker {
    ruleset: &'static Ruleset,
    side: Side,
    has_ids: bool,
    /// Keys the digests: they are of this run alone.
    hasher: RandomState,
}

impl Looker {
    pub(crate) fn new(ruleset: &'static Ruleset, side: Side, has_ids: bool) -> Self {
        Self { ruleset, side, has_ids, hasher: RandomState::new() }
    }

    /// Looks at a chunk. `judge` is given each row that has tokens, with them, and says more of it, or why it is left out all the same.
    pub(crate) fn look<V>(
        &self,
        chunk: &RowChunk,
        judge: impl Fn(usize, &TokenArena) -> Result<V, &'static str>,
    ) -> Vec<(Seen, Option<V>)> {
        let mut tokens = TokenArena::new();
        chunk.iter().enumerate().map(|(index, view)| self.look_at(&view, &mut tokens, |tokens| judge(index, tokens))).collect()
    }

    fn look_at<V>(
        &self,
        view: &RowView<'_>,
        tokens: &mut TokenArena,
        judge: impl Fn(&TokenArena) -> Result<V, &'static str>,
    ) -> (Seen, Option<V>) {
        tokens.clear();
        let judged = tokenize_row(self.ruleset, self.side, view, tokens).and_then(|()| judge(tokens));
        let (outcome, more) = match judged {
            Ok(more) => (Ok(self.tokens(view, tokens)), Some(more)),
            Err(reason) => (Err(reason), None),
        };
        let canonical = outcome.is_ok().then(|| self.ruleset.canonicalize(&row_of(view)).ok()).flatten();
        let seen = Seen {
            number: view.number,
            id: (self.has_ids && !view.id.is_empty()).then(|| self.hasher.hash_one(view.id)),
            outcome,
            canonical: canonical.and_then(|canonical| {
                let address = ADDRESS_PARTS.map(|part| canonical.get(part));
                // Under some rulesets a row gives tokens without an address.
                let has_address = address.iter().any(|part| !part.is_empty());
                let name = (canonical.get("given"), canonical.get("family"));
                has_address
                    .then(|| (self.hasher.hash_one(name), self.hasher.hash_one((address, ZIP_PARTS.map(|part| canonical.get(part))))))
            }),
            person: Some(view.person_id.trim()).filter(|person| !person.is_empty()).map(|person| self.hasher.hash_one(person)),
            marks: Marks::of(view),
        };
        (seen, more)
    }

    fn tokens(&self, view: &RowView<'_>, tokens: &mut TokenArena) -> RowTokens {
        let served = self.served(tokens);
        let all: Vec<&[u8]> = tokens.iter().collect();
        let digest = self.hasher.hash_one(&all);
        let is_record = self.side != Side::Verifier;
        let each = if is_record { all.iter().map(|token| self.hasher.hash_one(token)).collect() } else { Vec::new() };
        let counted = is_record && self.ruleset.crowd_max().is_some();
        let place = if counted { self.ruleset.place(&row_of(view)) } else { None };
        let place = place.map(|place| {
            tokens.clear();
            // A record may give nothing in a crowd.
            let crowded = self.ruleset.tokenize(Side::Holder(Place::Crowded), &row_of(view), tokens);
            (place, if crowded.is_ok() { self.served(tokens) } else { Served::default() })
        });
        RowTokens { served, digest, each, place }
    }

    fn served(&self, tokens: &TokenArena) -> Served {
        let mut rules = 0;
        for rule in tokens.iter().filter_map(ExplainedToken::rule_of) {
            let index = self.ruleset.rules().iter().position(|known| known.number == rule);
            rules |= index.and_then(|index| 1_u128.checked_shl(index as u32)).unwrap_or(0);
        }
        Served { rules, tokens: u16::try_from(tokens.len()).unwrap_or(u16::MAX) }
    }
}

/// Whether text looks like UTF-8 that somebody has read as Latin-1 or Windows-1252 before (`Ã¡` for `á`), or lost characters in reading.
fn is_misread(text: &str) -> bool {
    if text.is_ascii() {
        return false;
    }
    let next = text.chars().skip(1).map(Some).chain([None]);
    let torn = |(first, second): (char, Option<char>)| matches!(first, 'Ã' | 'Â' | 'â' | 'Å') && second.is_some_and(is_torn_second);
    text.contains('\u{fffd}') || text.chars().zip(next).any(torn)
}

/// Whether a character comes second in what was two bytes of one letter, and second to nothing in a name.
fn is_torn_second(c: char) -> bool {
    let combining = ('\u{300}'..='\u{36f}').contains(&c);
    !c.is_ascii() && !combining && (matches!(c, 'ª' | 'º') || !c.is_lowercase() && !c.is_uppercase())
}

/// Whether a ZIP code has fewer digits than it should, so that zeros are put before them (the ruleset says how many).
fn is_short_zip(text: &str) -> bool {
    let main = text.trim().split(['-', '.']).next().unwrap_or_default().trim();
    let digits = main.bytes().filter(u8::is_ascii_digit).count();
    let plain = main.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ');
    plain && matches!(digits, 3 | 4 | 7 | 8)
}

/// The two letters of the states, the district, the territories and the military's regions.
const STATES: &[u8] =
    b"AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD \
TN TX UT VT VA WA WV WI WY DC PR VI GU AS MP";

fn is_state(text: &str) -> bool {
    let letters = text.trim().to_ascii_uppercase();
    letters.len() == 2 && STATES.split(|byte| *byte == b' ').any(|state| state == letters.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_was_misread_shows() {
        for misread in ["JosÃ©", "MuÃ±oz", "GarcÃ\u{ad}a", "JesÃºs", "Oâ€™Neill", "M\u{fffd}ller", "Â Ana", "Å\u{a0}imon"] {
            let text: String = misread.replace("Â Ana", "Â\u{a0}Ana");
            assert!(is_misread(&text), "{misread}");
        }
        for right in ["José", "Muñoz", "O'Neill", "O’Neill", "SÃO", "Ângela", "Åse", "Åström", "Châu", "Hậu", "Lâ\u{301}m", ""]
        {
            assert!(!is_misread(right), "{right}");
        }
    }

    #[test]
    fn zips_that_lost_zeros_show() {
        for short in ["2139", "501", "2139.0", "2139-1234", " 2139 ", "21391234", "5011234"] {
            assert!(is_short_zip(short), "{short}");
        }
        for right in ["02139", "98104-1234", "981041234", "", "98104.0", "K1A 0B1", "12", "123456"] {
            assert!(!is_short_zip(right), "{right}");
        }
    }

    #[test]
    fn states_are_states() {
        assert!(is_state("ma") && is_state(" NY "));
        assert!(!is_state("Boston") && !is_state("") && !is_state("XX") && !is_state("A "));
    }
}
