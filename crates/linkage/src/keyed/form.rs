//! The fields that a rule can be made of: a part of a name or an address, and the form in which it is compared (K-10).

use super::canonical::Canonical2;
use super::sound::{nysiis, soundex};
use crate::address::LineKind;
use crate::data::Tables;
use crate::ruleset::Side;

/// Most values that one field has for one row: spellings of a name, or forms with a letter left out.
pub(super) const VALUES_MAX: usize = 24;

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The first given name.
    Given,
    /// The family name.
    Family,
    /// Given and family name, whichever comes first.
    Names,
    /// House number, or number of the box.
    Number,
    /// Name and directions of the street, or the route.
    Street,
    /// The five-digit ZIP code.
    Zip,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// As it is.
    Exact,
    /// Given names under every name that they are short for, or another spelling of.
    Formal,
    /// All given names in one word.
    Joined,
    /// NYSIIS.
    Sound,
    /// Soundex.
    Soundex,
    /// Its first letters.
    First(u8),
    /// Its last letters.
    Last(u8),
    /// It, and it with each one letter left out: two of which one letter each can be left out so that they are the same share a form.
    Less1,
    /// It with each one of its digits open (of a house or box number not the last): two of one length of which one digit differs share a form.
    Open1,
    /// Each of a family name's words.
    Words,
}

/// A part in a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) part: Part,
    pub(super) form: Form,
}

/// Shortest text that is compared by its beginning, its end, or with a letter left out: of less there is too little left.
const FUZZY_BYTES_MIN: usize = 3;
/// House and box numbers of fewer digits have too many neighbours for one to be open.
const FUZZY_DIGITS_MIN: usize = 3;

impl Field {
    /// Reads `given`, `street.first4`, …; `None` for what is no field.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (part, form) = match text.split_once('.') {
            Some((_, "")) => return None,
            Some(both) => both,
            None => (text, ""),
        };
        let part = match part {
            "given" => Part::Given,
            "family" => Part::Family,
            "names" => Part::Names,
            "number" => Part::Number,
            "street" => Part::Street,
            "zip" => Part::Zip,
            _ => return None,
        };
        let counted = |prefix: &str| match form.strip_prefix(prefix)?.as_bytes() {
            [digit @ b'2'..=b'8'] => Some(digit - b'0'),
            _ => None,
        };
        let form = match form {
            "" => Form::Exact,
            "formal" => Form::Formal,
            "joined" => Form::Joined,
            "sound" => Form::Sound,
            "soundex" => Form::Soundex,
            "less1" => Form::Less1,
            "open1" => Form::Open1,
            "words" => Form::Words,
            _ => counted("first").map(Form::First).or(counted("last").map(Form::Last))?,
        };
        let known = match (part, form) {
            (_, Form::Exact) => true,
            (Part::Zip | Part::Number, form) => form == Form::Open1,
            (Part::Given | Part::Names, Form::Formal | Form::Joined) | (Part::Family, Form::Words) => true,
            (_, Form::Formal | Form::Joined | Form::Words | Form::Open1) => false,
            (Part::Names, form) => form == Form::Sound,
            (Part::Given | Part::Family | Part::Street, _) => true,
        };
        known.then_some(Field { part, form })
    }

    /// Its name, as [`parse`](Self::parse) reads it.
    pub(super) fn name(self) -> String {
        let part = match self.part {
            Part::Given => "given",
            Part::Family => "family",
            Part::Names => "names",
            Part::Number => "number",
            Part::Street => "street",
            Part::Zip => "zip",
        };
        let form = match self.form {
            Form::Exact => return part.to_owned(),
            Form::Formal => "formal".to_owned(),
            Form::Joined => "joined".to_owned(),
            Form::Sound => "sound".to_owned(),
            Form::Soundex => "soundex".to_owned(),
            Form::First(count) => format!("first{count}"),
            Form::Last(count) => format!("last{count}"),
            Form::Less1 => "less1".to_owned(),
            Form::Open1 => "open1".to_owned(),
            Form::Words => "words".to_owned(),
        };
        format!("{part}.{form}")
    }

    /// The field in plain words, for a rule's predicate.
    pub(super) fn in_words(self) -> String {
        let part = match (self.part, self.form) {
            (Part::Given, Form::Formal) => return "this given name, a name that it is short for, or another spelling of it".to_owned(),
            (Part::Names, Form::Formal) => {
                return "these given and family names in either order, the given name also by a name that it is short for or another \
                        spelling of it"
                    .to_owned();
            }
            (Part::Names, Form::Joined) => return "these given names (written together) and this family name".to_owned(),
            (Part::Names, Form::Sound) => return "given and family names that sound like these, in either order".to_owned(),
            (Part::Names, _) => return "these given and family names in either order".to_owned(),
            (Part::Family, Form::Words) => return "one of the words of this family name".to_owned(),
            (Part::Given, _) => "given name",
            (Part::Family, _) => "family name",
            (Part::Number, _) => "house or box number",
            (Part::Street, _) => "street with its directions, or route",
            (Part::Zip, _) => "five-digit ZIP code",
        };
        match self.form {
            Form::Sound => format!("a {part} that sounds like this one (NYSIIS)"),
            Form::Soundex => format!("a {part} that sounds like this one (Soundex)"),
            Form::First(count) => format!("a {part} that begins with the same {count} letters"),
            Form::Last(count) => format!("a {part} that ends with the same {count} letters"),
            Form::Less1 => format!("this {part}, or one that is the same once a letter is left out of each"),
            Form::Open1 => match self.part {
                Part::Number => format!("this {part}, or one of the same length of which one digit, not the last, differs"),
                _ => format!("this {part}, or one of the same length of which one digit differs"),
            },
            Form::Joined => format!("this {part}, all its words written together"),
            Form::Exact | Form::Formal | Form::Words => format!("this {part}"),
        }
    }

    /// Whether the part is not compared whole.
    pub(super) fn is_weak(self) -> bool {
        !matches!(self.form, Form::Exact | Form::Formal | Form::Joined)
    }

    /// The values of this field for a row; none where the row has nothing to compare. The first is the likeliest.
    pub(super) fn values(self, tables: &Tables, row: &Canonical2, side: Side) -> Vec<String> {
        let person = &row.person;
        let one = |text: &str| if text.is_empty() { Vec::new() } else { vec![text.to_owned()] };
        match (self.part, self.form) {
            (Part::Zip, Form::Open1) => open_one(row.zip.as_str(), row.zip.len()),
            (Part::Zip, _) => one(row.zip.as_str()),
            (Part::Number, Form::Exact) => one(row.line.number.as_str()),
            (Part::Number, _) => numbers(row),
            (Part::Street, form) => street(row, form),
            (Part::Given, Form::Formal) => tables.formal_names(&person.given, side),
            (Part::Given, Form::Joined) => one(&person.given_joined),
            (Part::Given, form) => text_in(&person.given, form),
            (Part::Family, Form::Words) => {
                let mut words: Vec<String> = person.family.iter().filter(|word| word.len() >= FUZZY_BYTES_MIN).cloned().collect();
                words.sort_unstable();
                words.dedup();
                words
            }
            (Part::Family, form) => text_in(&person.family_joined, form),
            (Part::Names, form) => names(tables, row, form, side),
        }
    }
}

fn names(tables: &Tables, row: &Canonical2, form: Form, side: Side) -> Vec<String> {
    let person = &row.person;
    if person.family_joined.is_empty() {
        return Vec::new();
    }
    let (given, family) = match form {
        Form::Formal => (tables.formal_names(&person.given, side), person.family_joined.clone()),
        Form::Joined => (vec![person.given_joined.clone()], person.family_joined.clone()),
        Form::Sound => {
            let sound = |text: &str| text_in(text, Form::Sound);
            (sound(&person.given), sound(&person.family_joined).pop().unwrap_or_default())
        }
        _ => (vec![person.given.clone()], person.family_joined.clone()),
    };
    let both = |given: String| if given <= family { format!("{given} {family}") } else { format!("{family} {given}") };
    given.into_iter().map(both).collect()
}

/// A text of letters in a form.
fn text_in(text: &str, form: Form) -> Vec<String> {
    let mut out = String::new();
    match form {
        Form::Exact | Form::Formal | Form::Joined | Form::Words | Form::Open1 => out.push_str(text),
        Form::Sound => nysiis(text, &mut out),
        Form::Soundex => soundex(text, &mut out),
        Form::First(_) | Form::Last(_) | Form::Less1 if text.len() < FUZZY_BYTES_MIN => {}
        Form::First(count) => out.push_str(text.get(..usize::from(count)).unwrap_or(text)),
        Form::Last(count) => out.push_str(text.get(text.len().saturating_sub(count.into())..).unwrap_or(text)),
        Form::Less1 => return less_one(text),
    }
    if out.is_empty() { Vec::new() } else { vec![out] }
}

/// A number with each one of its first digits open, so many.
fn open_one(digits: &str, count: usize) -> Vec<String> {
    let open = |at: usize| digits.char_indices().map(|(i, digit)| if i == at { '?' } else { digit }).collect();
    (0..count.min(VALUES_MAX)).map(open).collect()
}

/// The text with each one of its letters left out, and the text, each once (K-12).
fn less_one(text: &str) -> Vec<String> {
    let mut out = Vec::with_capacity(text.len() + 1);
    for (at, _) in text.char_indices().take(VALUES_MAX - 1) {
        let mut less = text.to_owned();
        less.remove(at);
        if !out.contains(&less) {
            out.push(less);
        }
    }
    out.push(text.to_owned());
    out
}

/// House numbers a digit off (K-15); a box's number has too many neighbours, and numbers with a letter, a hyphen or a fraction are as they are.
fn numbers(row: &Canonical2) -> Vec<String> {
    let number = row.line.number.as_str();
    if number.is_empty() {
        return Vec::new();
    }
    let digits = number.bytes().all(|b| b.is_ascii_digit());
    let opens = matches!(row.line.kind, LineKind::Street | LineKind::PoBox);
    // The last digit stays: with another one it is the number next door.
    if opens && digits && number.len() >= FUZZY_DIGITS_MIN { open_one(number, number.len() - 1) } else { vec![number.to_owned()] }
}

/// The street's name in a form, with its directions as they are. Boxes, routes and streets whose name is a number have one form alone.
fn street(row: &Canonical2, form: Form) -> Vec<String> {
    let line = &row.line;
    let name = line.name.as_str();
    if name.is_empty() {
        return Vec::new();
    }
    let numbered = name.bytes().any(|b| b.is_ascii_digit());
    let short = name.len() < FUZZY_BYTES_MIN && matches!(form, Form::First(_) | Form::Last(_));
    let names = if numbered || short || !line.is_street() { vec![name.to_owned()] } else { text_in(name, form) };
    let way = |direction: Option<&'static str>| direction.unwrap_or("");
    names.into_iter().map(|name| format!("{}/{name}/{}", way(line.before), way(line.behind))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_names() {
        for name in [
            "given",
            "given.formal",
            "names.sound",
            "family.first3",
            "family.words",
            "number.open1",
            "zip.open1",
            "street.last4",
            "street.soundex",
            "zip",
        ] {
            assert_eq!(Field::parse(name).unwrap().name(), name);
        }
        for name in [
            "",
            "city",
            "given.",
            "given.first1",
            "given.first9",
            "zip.first3",
            "zip.sound",
            "zip.less1",
            "number.less1",
            "given.open1",
            "street.first04",
            "street.first+4",
            "number.sound",
            "names.less1",
            "family.formal",
            "a.b.c",
        ] {
            assert_eq!(Field::parse(name), None, "{name}");
        }
    }

    #[test]
    fn one_letter_apart_shares_a_form() {
        let near = |a: &str, b: &str| less_one(a).iter().any(|form| less_one(b).contains(form));
        assert!(near("gonzalez", "gonzales") && near("smith", "smth") && near("powell", "powelel") && near("ann", "ann"));
        assert!(!near("smith", "smyht") && !near("brown", "green"));
        assert_eq!(open_one("412", 3), ["?12", "4?2", "41?"]);
        assert_eq!(open_one("412", 2), ["?12", "4?2"]);
        assert_eq!(less_one("aab"), ["ab", "aa", "aab"]);
    }
}
