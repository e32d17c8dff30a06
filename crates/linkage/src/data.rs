//! The ruleset's data files, its digest, and the tables parsed from them once.

use core::hash::{BuildHasherDefault, Hasher};
use std::collections::HashMap;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// Which canonicaliser reads a row: its tables, and its flags ([`Edition`]'s methods).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Edition {
    /// That of the ruleset `us-exact-1`, frozen with it.
    Us1,
    /// `us-2`, that of the keyed rulesets.
    Us2,
}

macro_rules! data_files {
    ($edition:literal: $($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../../../protocol-spec/rulesets/", $edition, "/", $name)),
        )),*]
    };
}

/// A data file: name and content.
type File = (&'static str, &'static str);

/// Every data file of `us-exact-1`, in the order of its digest.
const US_EXACT_1: &[File] = data_files![
    "us-exact-1":
    "ruleset.json",
    "address_placeholders.tsv",
    "box_phrases.tsv",
    "count_words.tsv",
    "directions.tsv",
    "fold.tsv",
    "name_placeholders.tsv",
    "numbers.tsv",
    "particles.tsv",
    "road_phrases.tsv",
    "saints.tsv",
    "street_first_words.tsv",
    "street_placeholders.tsv",
    "street_types.tsv",
    "street_words.tsv",
    "suffixes.tsv",
    "titles.tsv",
    "units.tsv",
];

/// Every data file of `us-2`, in the order of its digest (C-2).
const US_2: &[File] = data_files![
    "us-2":
    "address_placeholders.tsv",
    "box_phrases.tsv",
    "count_words.tsv",
    "directions.tsv",
    "doubtful_family_names.tsv",
    "fold.tsv",
    "given_names.tsv",
    "listed_given_names.tsv",
    "name_placeholders.tsv",
    "numbers.tsv",
    "particles.tsv",
    "road_phrases.tsv",
    "saints.tsv",
    "states.tsv",
    "street_first_words.tsv",
    "street_names.tsv",
    "street_placeholders.tsv",
    "street_types.tsv",
    "street_words.tsv",
    "suffixes.tsv",
    "titles.tsv",
    "type_spellings.tsv",
    "units.tsv",
];

impl Edition {
    pub(crate) const fn files(self) -> &'static [File] {
        match self {
            Edition::Us1 => US_EXACT_1,
            Edition::Us2 => US_2,
        }
    }

    /// Whether the identity of a unit is made out (C-40).
    pub(crate) const fn reads_units(self) -> bool {
        matches!(self, Edition::Us2)
    }

    /// Whether digits and letters taken for each other are mended, and more words parted (C-12 to C-18).
    pub(crate) const fn mends_words(self) -> bool {
        matches!(self, Edition::Us2)
    }

    /// Whether buildings, cities and commas are understood (C-20 to C-27).
    pub(crate) const fn reads_places(self) -> bool {
        matches!(self, Edition::Us2)
    }

    /// Whether more spellings of boxes, numbers, roads and units are read (C-30 to C-39).
    pub(crate) const fn reads_more(self) -> bool {
        matches!(self, Edition::Us2)
    }
}

/// The ruleset digest of `us-exact-1`.
pub(crate) fn digest() -> [u8; 32] {
    hash(b"oblink/1/ruleset\0", US_EXACT_1)
}

/// The digest of an edition's tables, which the digests of the rulesets resting on it hold (C-2).
pub(crate) fn edition_digest(edition: Edition) -> [u8; 32] {
    hash(b"oblink/1/canonicaliser\0", edition.files())
}

/// SHA-256 over the label and every file, name and content each length-prefixed.
fn hash(label: &[u8], files: &[File]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(label);
    for (name, content) in files {
        for part in [name, content] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part.as_bytes());
        }
    }
    hash.finalize().into()
}

/// FNV-1a: the keys are our own tables and short words, and the order of a map is never seen.
#[derive(Clone, Copy)]
pub(crate) struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        // The map uses the high bits, which FNV mixes least.
        self.0 ^ (self.0 << 32) ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = (self.0 ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

pub(crate) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// What kind of unit word a word is (units.tsv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// `apt`, `#`: always a unit, even in the middle of a line.
    Strong,
    /// `fl`: takes its number before or behind.
    Floor,
    /// `bldg`, `lot`: a unit at the end of a line, with its number.
    Weak,
    /// `bsmt`: a unit at the end of a line, alone.
    Alone,
    /// `front`: a unit alone, but only behind a street type or direction.
    Tail,
}

/// What a unit word adds to a unit's identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitPart {
    /// `apt`: nothing; its number counts.
    Designator,
    /// `bldg`: nothing either; its number stands before the others.
    Building,
    /// `fl`: the number is a floor's.
    Floor,
    /// `bsmt`: it is a unit itself, written so.
    Itself(&'static str),
}

/// What kind of number word a word is (numbers.tsv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Number {
    Cardinal,
    Ordinal,
    Tens,
}

/// Everything the tables say of one address word.
#[derive(Clone, Copy, Default)]
pub(crate) struct Word {
    /// USPS abbreviation of a street type, and whether it can never be a name by itself.
    pub(crate) street_type: Option<(&'static str, bool)>,
    /// `n`, `ne`, …
    pub(crate) direction: Option<&'static str>,
    pub(crate) unit: Option<Unit>,
    /// What a unit word adds to a unit's identity (units.tsv, third column; from `us-2` on).
    pub(crate) part: Option<UnitPart>,
    pub(crate) number: Option<(u8, Number)>,
    /// Spelt out inside a street's name.
    pub(crate) long: Option<&'static str>,
    /// Spelt out as first word of a street's name of several words.
    pub(crate) first: Option<&'static str>,
    /// Follows a number word in a street's name: `Seven Oaks`, `Ten Mile`.
    pub(crate) counted: bool,
    /// Begins some phrase of road_phrases.tsv.
    pub(crate) road: bool,
}

/// Where a name placeholder counts (name_placeholders.tsv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamePlaceholder {
    Given,
    Family,
    Both,
    Whole,
}

/// How an address placeholder counts (address_placeholders.tsv).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressPlaceholder {
    Line,
    Start,
}

/// The tables, parsed.
pub(crate) struct Tables {
    pub(crate) edition: Edition,
    pub(crate) fold_ascii: [Option<&'static str>; 128],
    pub(crate) fold: Map<u32, &'static str>,
    words: Map<&'static str, Word>,
    pub(crate) titles: Map<&'static str, ()>,
    pub(crate) suffixes: Map<&'static str, ()>,
    pub(crate) particles: Map<&'static str, ()>,
    pub(crate) saints: Map<&'static str, ()>,
    pub(crate) name_placeholders: Map<&'static str, NamePlaceholder>,
    /// Words that may be a family name, and may stand for a missing one. `us-2` alone.
    pub(crate) doubtful_family_names: Map<&'static str, ()>,
    /// Given names that are short for others or another spelling of them: those, the likeliest
    /// first. `us-2` alone.
    pub(crate) formal_names: Map<&'static str, Vec<&'static str>>,
    /// Given names in use: a name that is none of them may be a misspelt one. `us-2` alone.
    pub(crate) listed_given_names: Map<&'static str, ()>,
    pub(crate) address_placeholders: Map<&'static str, AddressPlaceholder>,
    pub(crate) street_placeholders: Map<&'static str, ()>,
    /// Whole names of streets, joined, and how they are written (from `us-2` on).
    pub(crate) street_names: Map<&'static str, &'static str>,
    /// Names and abbreviations of states, with single spaces (from `us-2` on).
    pub(crate) states: Map<&'static str, ()>,
    /// Street types as they are spelt out, for telling misspelt ones (from `us-2` on).
    pub(crate) type_spellings: Vec<(&'static str, &'static str)>,
    /// Phrases as they are written, with single spaces.
    pub(crate) box_phrases: Map<&'static str, &'static str>,
    pub(crate) road_phrases: Map<&'static str, &'static str>,
}

static PLAIN: Word =
    Word { street_type: None, direction: None, unit: None, part: None, number: None, long: None, first: None, counted: false, road: false };

impl Tables {
    /// What is known of `word`; an unknown word has no property.
    pub(crate) fn word(&self, word: &str) -> &Word {
        self.words.get(word).unwrap_or(&PLAIN)
    }

    fn parse(edition: Edition) -> Self {
        let rows = |name| rows(edition, name);
        let set = |name| -> Map<&'static str, ()> { rows(name).map(|row| (row[0], ())).collect() };
        let mut fold_ascii = [None; 128];
        let mut fold = Map::default();
        for row in rows("fold.tsv") {
            let Ok(code) = u32::from_str_radix(row[0], 16) else { continue };
            match fold_ascii.get_mut(code as usize) {
                Some(ascii) => *ascii = Some(row[1]),
                None => drop(fold.insert(code, row[1])),
            }
        }
        let mut words: Map<&'static str, Word> = Map::default();
        let mut word = |w: &'static str, set: &dyn Fn(&mut Word)| set(words.entry(w).or_default());
        for row in rows("street_types.tsv") {
            word(row[0], &|w| w.street_type = Some((row[1], row[2] == "generic")));
        }
        for row in rows("directions.tsv") {
            word(row[0], &|w| w.direction = Some(row[1]));
        }
        for row in rows("units.tsv") {
            word(row[0], &|w| {
                w.unit = parse_unit(row[1]);
                w.part = parse_part(row[2]);
            });
        }
        for row in rows("numbers.tsv") {
            word(row[0], &|w| w.number = parse_number(row[1], row[2]));
        }
        for row in rows("street_words.tsv") {
            word(row[0], &|w| w.long = Some(row[1]));
        }
        for row in rows("street_first_words.tsv") {
            word(row[0], &|w| w.first = Some(row[1]));
        }
        for row in rows("count_words.tsv") {
            word(row[0], &|w| w.counted = true);
        }
        for row in rows("road_phrases.tsv") {
            let first = row[0].split(' ').next().unwrap_or_default();
            word(first, &|w| w.road = true);
            // COUNTYROAD5A, as a line is written, begins with no phrase, but with a road.
            if edition.mends_words() {
                word(row[1], &|w| w.road = true);
            }
        }
        Tables {
            edition,
            fold_ascii,
            fold,
            words,
            titles: set("titles.tsv"),
            suffixes: set("suffixes.tsv"),
            particles: set("particles.tsv"),
            saints: set("saints.tsv"),
            name_placeholders: rows("name_placeholders.tsv").filter_map(|row| Some((row[0], parse_name_placeholder(row[1])?))).collect(),
            doubtful_family_names: set("doubtful_family_names.tsv"),
            formal_names: rows("given_names.tsv").map(|row| (row[0], row[1].split(' ').collect())).collect(),
            listed_given_names: rows("given_names.tsv")
                .flat_map(|row| row[1].split(' ').chain([row[0]]))
                .chain(rows("listed_given_names.tsv").map(|row| row[0]))
                .map(|name| (name, ()))
                .collect(),
            address_placeholders: rows("address_placeholders.tsv")
                .filter_map(|row| Some((row[0], parse_address_placeholder(row[1])?)))
                .collect(),
            street_placeholders: set("street_placeholders.tsv"),
            type_spellings: rows("type_spellings.tsv").map(|row| (row[0], row[1])).collect(),
            street_names: rows("street_names.tsv").map(|row| (row[0], row[1])).collect(),
            states: set("states.tsv"),
            box_phrases: rows("box_phrases.tsv").map(|row| (row[0], row[1])).collect(),
            road_phrases: rows("road_phrases.tsv").map(|row| (row[0], row[1])).collect(),
        }
    }
}

fn parse_unit(kind: &str) -> Option<Unit> {
    Some(match kind {
        "strong" => Unit::Strong,
        "floor" => Unit::Floor,
        "weak" => Unit::Weak,
        "alone" => Unit::Alone,
        "tail" => Unit::Tail,
        _ => return None,
    })
}

fn parse_part(part: &'static str) -> Option<UnitPart> {
    Some(match part {
        "" => return None,
        "-" => UnitPart::Designator,
        "bldg" => UnitPart::Building,
        "fl" => UnitPart::Floor,
        itself => UnitPart::Itself(itself),
    })
}

fn parse_number(value: &str, kind: &str) -> Option<(u8, Number)> {
    let kind = match kind {
        "cardinal" => Number::Cardinal,
        "ordinal" => Number::Ordinal,
        "tens" => Number::Tens,
        _ => return None,
    };
    Some((value.parse().ok().filter(|v| *v < 100)?, kind))
}

fn parse_name_placeholder(kind: &str) -> Option<NamePlaceholder> {
    Some(match kind {
        "given" => NamePlaceholder::Given,
        "family" => NamePlaceholder::Family,
        "both" => NamePlaceholder::Both,
        "whole" => NamePlaceholder::Whole,
        _ => return None,
    })
}

fn parse_address_placeholder(kind: &str) -> Option<AddressPlaceholder> {
    Some(match kind {
        "line" => AddressPlaceholder::Line,
        "start" => AddressPlaceholder::Start,
        _ => return None,
    })
}

/// The rows of a data file, three columns each, absent ones empty.
fn rows(edition: Edition, name: &str) -> impl Iterator<Item = [&'static str; 3]> {
    let content = edition.files().iter().find(|(n, _)| *n == name).map_or("", |(_, content)| content);
    content.lines().map(|line| {
        let mut columns = line.split('\t');
        [(); 3].map(|()| columns.next().unwrap_or(""))
    })
}

/// The tables of an edition, parsed on first use.
pub(crate) fn tables(edition: Edition) -> &'static Tables {
    static US_EXACT_1: OnceLock<Tables> = OnceLock::new();
    static US_2: OnceLock<Tables> = OnceLock::new();
    let tables = match edition {
        Edition::Us1 => &US_EXACT_1,
        Edition::Us2 => &US_2,
    };
    tables.get_or_init(|| Tables::parse(edition))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ruleset, RulesetClass};

    /// Every row of every table is well formed, sorted, and parses to something.
    #[test]
    fn tables_are_well_formed() {
        for edition in [Edition::Us1, Edition::Us2] {
            well_formed(edition);
        }
    }

    fn well_formed(edition: Edition) {
        let rows = |name| rows(edition, name);
        let columns = |name: &str| match name {
            "units.tsv" if edition == Edition::Us2 => 3,
            "street_types.tsv" | "numbers.tsv" => 3,
            "titles.tsv"
            | "doubtful_family_names.tsv"
            | "listed_given_names.tsv"
            | "suffixes.tsv"
            | "particles.tsv"
            | "saints.tsv"
            | "count_words.tsv"
            | "states.tsv"
            | "street_placeholders.tsv" => 1,
            _ => 2,
        };
        for (name, content) in edition.files().iter().filter(|(name, _)| name.ends_with(".tsv")) {
            assert!(content.ends_with('\n') && !content.contains('\r'), "{name}");
            let lines: Vec<&str> = content.lines().collect();
            assert!(lines.windows(2).all(|w| w[0] < w[1]), "{name} is not sorted");
            for line in lines {
                let cells: Vec<&str> = line.split('\t').collect();
                assert_eq!(cells.len(), columns(name), "{name}: {line}");
                assert!(cells.iter().all(|c| !c.is_empty()), "{name}: {line}");
            }
        }
        for row in rows("fold.tsv") {
            let ch = char::from_u32(u32::from_str_radix(row[0], 16).unwrap()).unwrap();
            assert!(row[1].bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-/.#,_~".contains(&b)));
            assert!(!ch.is_control() || ch.is_whitespace(), "{}", row[0]);
        }
        assert!(rows("units.tsv").all(|r| parse_unit(r[1]).is_some()));
        assert!(rows("numbers.tsv").all(|r| parse_number(r[1], r[2]).is_some()));
        assert!(rows("name_placeholders.tsv").all(|r| parse_name_placeholder(r[1]).is_some()));
        assert!(rows("address_placeholders.tsv").all(|r| parse_address_placeholder(r[1]).is_some()));
    }

    /// What the manifest publishes is what the code does.
    #[test]
    fn manifest_and_code_agree() {
        let manifest: serde_json::Value = serde_json::from_str(US_EXACT_1[0].1).unwrap();
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        assert_eq!(manifest["name"], ruleset.name());
        assert_eq!(manifest["class"], ruleset.class().as_str());
        assert_eq!(ruleset.class(), RulesetClass::ConfirmAddress);
        assert_eq!(manifest["tokens_per_pair"], ruleset.tokens_per_pair());
        assert_eq!(manifest["token_bytes_max"], crate::TOKEN_BYTES_MAX);
        assert_eq!(manifest["folded_bytes_max"], crate::text::FOLDED_BYTES_MAX);
        assert_eq!(manifest["words_max"], crate::text::WORDS_MAX);
        let rules = manifest["rules"].as_array().unwrap();
        assert_eq!(rules.len(), ruleset.rules().len());
        for (published, rule) in rules.iter().zip(ruleset.rules()) {
            assert_eq!(published["number"], rule.number);
            assert_eq!(published["fields"], serde_json::json!(rule.fields));
            assert_eq!(published["predicate"], rule.predicate);
        }
    }

    /// The digest is frozen: whatever changes it, or any output under it, is a new ruleset with a
    /// new name. Do not edit this literal for a released ruleset.
    #[test]
    fn digest_is_frozen() {
        assert_eq!(hex::encode(digest()), "c6dfefa19e62a6ac9794cd05a4468381267d5e6d05e01a79c5351f6c3e403d09");
    }
}
