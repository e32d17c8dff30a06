//! A generous reading of a row into fields, to say what differs between two rows of one person. Not the rulesets' reading: it takes
//! incomplete rows too, and nothing is matched by it.

use oblink_node::rows::{NameFields, RowView};

/// Words that a unit begins with.
pub(super) const UNIT_WORDS: [&str; 17] =
    ["apt", "ap", "apartment", "unit", "ste", "suite", "#", "lot", "fl", "floor", "rm", "room", "trlr", "spc", "space", "bldg", "no"];
const SUFFIXES: [&str; 7] = ["jr", "sr", "ii", "iii", "iv", "junior", "senior"];
/// Types and directions of streets, in the spellings that are common.
const STREET_WORDS: [&str; 47] = [
    "st",
    "street",
    "ave",
    "av",
    "avenue",
    "rd",
    "road",
    "dr",
    "drive",
    "ln",
    "lane",
    "ct",
    "court",
    "cir",
    "circle",
    "pl",
    "place",
    "blvd",
    "boulevard",
    "way",
    "ter",
    "terrace",
    "pkwy",
    "parkway",
    "trl",
    "trail",
    "hwy",
    "highway",
    "n",
    "s",
    "e",
    "w",
    "ne",
    "nw",
    "se",
    "sw",
    "north",
    "south",
    "east",
    "west",
    "northeast",
    "northwest",
    "southeast",
    "southwest",
    "sq",
    "square",
    "loop",
];

/// Lower-case words: punctuation parts them, but for `-` and `/` within one; `#` is a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut clean = String::with_capacity(text.len() + 4);
    for c in text.chars().flat_map(char::to_lowercase) {
        match c {
            '#' => clean.push_str(" # "),
            '\'' | '.' => {}
            c if c.is_alphanumeric() || c == '-' || c == '/' => clean.push(c),
            _ => clean.push(' '),
        }
    }
    clean.split_whitespace().map(|word| word.trim_matches(['-', '/'])).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// One row's fields, lower-case. No `Debug`: they are a person's.
#[derive(Default)]
pub(super) struct Fields {
    pub(super) given: String,
    pub(super) middle: String,
    /// All words joined.
    pub(super) family: String,
    pub(super) suffix: String,
    /// House number, or the box's.
    pub(super) number: String,
    /// Without type and direction, words joined.
    pub(super) street: String,
    /// Type and directions.
    pub(super) street_words: Vec<String>,
    pub(super) unit: String,
    pub(super) postal_code: String,
}

impl Fields {
    /// Reads a row.
    pub(super) fn of(view: &RowView<'_>) -> Self {
        let mut fields = Self::default();
        match view.name {
            NameFields::Parts { given, middle, family, suffix } => {
                fields.name(&words(given), &words(middle), words(family), words(suffix).concat());
            }
            NameFields::Whole(name) => match name.split_once(',') {
                Some((family, rest)) if words(rest).iter().any(|word| !SUFFIXES.contains(&word.as_str())) => {
                    fields.name(&words(rest), &[], words(family), String::new());
                }
                _ => {
                    let mut all = words(name);
                    let suffix = if all.last().is_some_and(|word| SUFFIXES.contains(&word.as_str())) { all.pop() } else { None };
                    let family = if all.len() > 1 { all.pop().into_iter().collect() } else { Vec::new() };
                    fields.name(&all, &[], family, suffix.unwrap_or_default());
                }
            },
        }
        fields.address(words(view.address));
        if !view.unit.trim().is_empty() {
            fields.unit = words(view.unit).into_iter().filter(|word| !UNIT_WORDS.contains(&word.as_str())).collect();
        }
        let digits: String = view.postal_code.chars().filter(char::is_ascii_alphanumeric).collect();
        // A ZIP+4, or a ZIP code that lost its leading zero.
        let five = if digits.len() == 9 { &digits[..5] } else { &digits };
        fields.postal_code = if five.is_empty() { String::new() } else { format!("{five:0>5}") };
        fields
    }

    fn name(&mut self, given: &[String], middle: &[String], mut family: Vec<String>, suffix: String) {
        self.given = given.first().cloned().unwrap_or_default();
        self.middle = given.iter().skip(1).chain(middle).next().cloned().unwrap_or_default();
        self.suffix = suffix;
        if self.suffix.is_empty() && family.len() > 1 && family.last().is_some_and(|word| SUFFIXES.contains(&word.as_str())) {
            self.suffix = family.pop().unwrap_or_default();
        }
        self.family = family.concat().replace('-', "");
    }

    fn address(&mut self, words: Vec<String>) {
        let digits_first = |word: &str| word.bytes().next().is_some_and(|byte| byte.is_ascii_digit());
        let mut rest = words.as_slice();
        if let Some(at) = rest.iter().position(|word| word == "box" || word == "pobox" || word == "pob") {
            self.number = rest.get(at + 1).map(|number| number.trim_start_matches('0').to_owned()).unwrap_or_default();
            self.street = rest[..at].concat() + "box";
            return;
        }
        if let Some((first, others)) = rest.split_first()
            && digits_first(first)
        {
            first.trim_start_matches('0').clone_into(&mut self.number);
            rest = others;
        }
        if let Some(at) = rest.iter().position(|word| UNIT_WORDS.contains(&word.as_str())) {
            self.unit = rest[at + 1..].concat();
            rest = &rest[..at];
        }
        let (kind, name): (Vec<_>, Vec<_>) = rest.iter().cloned().partition(|word| STREET_WORDS.contains(&word.as_str()));
        self.street = name.concat();
        self.street_words = kind;
        if self.street.is_empty() {
            // A street that is called by such a word.
            self.street = std::mem::take(&mut self.street_words).concat();
        }
    }
}
