//! Names under the canonicaliser `us-2` (C-50 to C-59): what keys are made of.

use crate::NotSubmitted;
use crate::data::{NamePlaceholder, Tables};
use crate::fold::fold;
use crate::row::Name;
use crate::text::Text;

/// Most words of a name that are looked at.
const NAME_WORDS_MAX: usize = 48;
/// Longest canonical given or family name, in bytes.
const NAME_BYTES_MAX: usize = 256;

/// A name in parts. Nothing of it is ever shown.
#[derive(Default)]
pub(crate) struct Person {
    /// First given name.
    pub(crate) given: String,
    /// All given names joined, a middle name that is written out too: `Xiao Ming` and `Xiaoming`.
    pub(crate) given_joined: String,
    /// Initial of the middle name, or of the second given name.
    pub(crate) middle: Option<char>,
    /// The family name's words; none where it is missing.
    pub(crate) family: Vec<String>,
    /// All of `family`, joined.
    pub(crate) family_joined: String,
    /// Whether `family` may not be a name at all: a single letter, or a word that often stands for a missing one.
    pub(crate) family_doubtful: bool,
    /// `jr`, `sr`, `ii`, …
    pub(crate) suffix: Option<&'static str>,
}

/// Whether a row can do without a family name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyName {
    /// It cannot.
    Needed,
    /// It can where the field is empty, but not where a placeholder stands in it: what is asked is what the verifier wrote.
    MayBeEmpty,
    /// It can; a placeholder is as good as nothing.
    MayLack,
}

impl FamilyName {
    /// Its word in a ruleset's file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            FamilyName::Needed => "needed",
            FamilyName::MayBeEmpty => "may-be-empty",
            FamilyName::MayLack => "may-lack",
        }
    }
}

/// What stands in a name's place.
enum Found {
    Name,
    Missing,
    Placeholder,
}

impl Person {
    /// Reads a name. `needed` says what becomes of one without a family name.
    ///
    /// # Errors
    /// `EmptyName`, `IncompleteName`, `Placeholder`, and those of folding.
    pub(crate) fn read(tables: &Tables, name: Name<'_>, needed: FamilyName) -> Result<Self, NotSubmitted> {
        let mut person = Person::default();
        let (given, middle, family) = split(tables, name, &mut person.suffix)?;
        if given.is_empty() && family.is_empty() {
            return Err(NotSubmitted::EmptyName);
        }
        let whole = format!("{} {}", given.concat(), family.concat());
        if tables.name_placeholders.get(whole.as_str()) == Some(&NamePlaceholder::Whole) {
            return Err(NotSubmitted::Placeholder);
        }
        match found(tables, &given, NamePlaceholder::Given) {
            Found::Name => {}
            Found::Missing => return Err(NotSubmitted::IncompleteName),
            Found::Placeholder => return Err(NotSubmitted::Placeholder),
        }
        let initials = middle.first().or(given.get(1)).filter(|word| !is_no_middle(word));
        person.middle = initials.and_then(|word| word.chars().find(char::is_ascii_lowercase));
        person.given_joined = given.concat();
        for word in middle.iter().filter(|word| word.len() > 1 && !is_no_middle(word)) {
            person.given_joined.push_str(word);
        }
        person.given = given.into_iter().next().unwrap_or_default();
        match found(tables, &family, NamePlaceholder::Family) {
            Found::Name => {
                person.family_joined = family.concat();
                person.family_doubtful =
                    person.family_joined.len() == 1 || tables.doubtful_family_names.contains_key(person.family_joined.as_str());
                person.family = family;
            }
            Found::Missing if needed != FamilyName::Needed => {}
            Found::Placeholder if needed == FamilyName::MayLack => {}
            Found::Missing => return Err(NotSubmitted::IncompleteName),
            Found::Placeholder => return Err(NotSubmitted::Placeholder),
        }
        if person.given_joined.len() > NAME_BYTES_MAX || person.family_joined.len() > NAME_BYTES_MAX {
            return Err(NotSubmitted::FieldTooLong);
        }
        Ok(person)
    }
}

fn found(tables: &Tables, words: &[String], kind: NamePlaceholder) -> Found {
    let is = |text: &str| {
        text.len() > 1 && text.bytes().all(|b| b == b'x')
            || tables.name_placeholders.get(text).is_some_and(|k| *k == kind || *k == NamePlaceholder::Both)
    };
    let Some(first) = words.first() else { return Found::Missing };
    let joined = words.concat();
    if is(&joined) || kind == NamePlaceholder::Given && is(first) {
        return Found::Placeholder;
    }
    let only_title = tables.titles.contains_key(joined.as_str());
    if only_title || !joined.bytes().any(|b| b.is_ascii_lowercase()) { Found::Missing } else { Found::Name }
}

/// `NMN`: no middle name.
fn is_no_middle(word: &str) -> bool {
    matches!(word, "nmn" | "nmi" | "none" | "na" | "n/a" | "unk" | "unknown" | "refused" | "declined" | "null")
}

type Parts = (Vec<String>, Vec<String>, Vec<String>);

/// Given, middle and family words, without titles and suffixes.
fn split(tables: &Tables, name: Name<'_>, suffix: &mut Option<&'static str>) -> Result<Parts, NotSubmitted> {
    let (mut given, mut middle, mut family) = match name {
        Name::Parts { given, middle, family, suffix: own } => {
            // A suffix of its own column is told from what stands at the end of a name.
            take_suffixes(tables, &mut words_of(tables, own)?, 0, suffix);
            (words_of(tables, given)?, words_of(tables, middle)?, words_of(tables, family)?)
        }
        Name::Whole(whole) => {
            let mut text = Text::new();
            fold(tables, whole, &mut text)?;
            if text.as_str() == "n/a" {
                return Err(NotSubmitted::Placeholder);
            }
            let mut segments = Vec::new();
            for segment in text.as_str().split(',') {
                let mut words = words(tables, segment)?;
                take_suffixes(tables, &mut words, 0, suffix);
                if !words.is_empty() {
                    segments.push(words);
                }
            }
            let mut segments = segments.into_iter();
            match (segments.next(), segments.next()) {
                (Some(family), Some(given)) => (given, Vec::new(), family),
                (Some(natural), None) => {
                    let is = |kinds: &[NamePlaceholder]| {
                        tables.name_placeholders.get(natural.concat().as_str()).is_some_and(|kind| kinds.contains(kind))
                    };
                    if is(&[NamePlaceholder::Given, NamePlaceholder::Family, NamePlaceholder::Both]) {
                        return Err(NotSubmitted::Placeholder);
                    }
                    in_order(tables, natural, suffix)
                }
                (None, _) => (Vec::new(), Vec::new(), Vec::new()),
            }
        }
    };
    for words in [&mut given, &mut family] {
        let titles = words.iter().take_while(|word| tables.titles.contains_key(word.as_str())).count();
        words.drain(..titles.min(words.len().saturating_sub(1)));
    }
    // A middle name may be nothing but a suffix.
    for (words, keep) in [(&mut given, 1), (&mut middle, 0), (&mut family, 1)] {
        take_suffixes(tables, words, keep, suffix);
    }
    // `St John` and `Stjohn` are Saint John.
    if family.len() > 1
        && let Some(first) = family.first_mut().filter(|word| *word == "st")
    {
        "saint".clone_into(first);
    }
    if let Some(first) = family.first_mut()
        && let Some(name) = first.strip_prefix("st").filter(|name| tables.saints.contains_key(name))
    {
        *first = format!("saint{name}");
    }
    Ok((given, middle, family))
}

/// `Given Middle Family`: the last word and the particles before it are the family name.
fn in_order(tables: &Tables, mut words: Vec<String>, suffix: &mut Option<&'static str>) -> Parts {
    let titles = words.iter().take_while(|word| tables.titles.contains_key(word.as_str())).count();
    words.drain(..titles.min(words.len().saturating_sub(1)));
    take_suffixes(tables, &mut words, 1, suffix);
    let mut start = words.len().saturating_sub(1);
    while start > 1 && words.get(start - 1).is_some_and(|word| tables.particles.contains_key(word.as_str())) {
        start -= 1;
    }
    let family = words.split_off(start);
    let middle = words.split_off(words.len().min(1));
    (words, middle, family)
}

/// Takes suffixes off the end while more than `keep` words are left; the first that tells generations apart is kept.
fn take_suffixes(tables: &Tables, words: &mut Vec<String>, keep: usize, suffix: &mut Option<&'static str>) {
    while words.len() > keep && words.last().is_some_and(|word| tables.suffixes.contains_key(word.as_str())) {
        let generation = match words.pop().unwrap_or_default().as_str() {
            "jr" | "junior" | "jnr" => Some("jr"),
            "sr" | "senior" | "snr" => Some("sr"),
            "ii" | "2nd" => Some("ii"),
            "iii" | "3rd" => Some("iii"),
            "iv" | "4th" => Some("iv"),
            "v" | "5th" => Some("v"),
            _ => None,
        };
        *suffix = suffix.or(generation);
    }
}

fn words_of(tables: &Tables, field: &str) -> Result<Vec<String>, NotSubmitted> {
    let mut text = Text::new();
    fold(tables, field, &mut text)?;
    if text.as_str() == "n/a" {
        return Ok(vec![text.as_str().to_owned()]);
    }
    words(tables, text.as_str())
}

/// Words of letters: hyphens divide, digits among letters are read as the letters that they look like (C-51).
fn words(tables: &Tables, folded: &str) -> Result<Vec<String>, NotSubmitted> {
    let mut out: Vec<String> = Vec::new();
    for word in folded.split([' ', ',', '.', '/', '#', '-']).filter(|word| !word.is_empty()) {
        if out.len() == NAME_WORDS_MAX {
            return Err(NotSubmitted::FieldTooLong);
        }
        let lettered = word.bytes().filter(u8::is_ascii_lowercase).count();
        let ordinal = tables.suffixes.contains_key(word);
        // OCR's `vv` is a `w`; no name tells the two apart.
        out.push(if lettered == 0 || ordinal {
            word.to_owned()
        } else {
            word.chars().map(letter_like).collect::<String>().replace("vv", "w")
        });
    }
    Ok(out)
}

/// The letter that a digit is mistaken for.
fn letter_like(c: char) -> char {
    match c {
        '0' => 'o',
        '1' => 'l',
        '2' => 'z',
        '3' => 'e',
        '4' => 'a',
        '5' => 's',
        '6' => 'g',
        '7' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}
