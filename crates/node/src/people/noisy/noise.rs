//! How an office writes a person and a place down: its own forms, and its errors. Each file's are drawn by themselves.

use super::draw::Dice;
use super::household::{Person, Suffix};
use super::line::{self, Manner};
use super::place::{Line, Place};
use super::slips;
use super::words::{Origin, words};

/// Rates of one file, in 10,000 rows. Two files differ in about twice as many of their common people: the module's table has both.
mod rate {
    /// Left out.
    pub(super) const NO_GIVEN: u64 = 92;
    pub(super) const NO_MIDDLE: u64 = 85;
    pub(super) const NO_FAMILY: u64 = 98;
    pub(super) const NO_NUMBER: u64 = 112;
    pub(super) const NO_STREET: u64 = 78;
    pub(super) const NO_ADDRESS: u64 = 9;
    pub(super) const NO_UNIT: u64 = 70;
    pub(super) const NO_CITY: u64 = 92;
    pub(super) const NO_STATE: u64 = 108;
    /// Something that is none, in place of it.
    pub(super) const FAKE_GIVEN: u64 = 75;
    pub(super) const FAKE_FAMILY: u64 = 75;
    pub(super) const FAKE_ADDRESS: u64 = 10;
    /// The first letter alone.
    pub(super) const INITIAL: u64 = 26;
    pub(super) const NICKNAME: u64 = 290;
    /// Another letter.
    pub(super) const MIDDLE: u64 = 15;
    /// Of somebody else in the household.
    pub(super) const OTHERS_GIVEN: u64 = 12;
    /// Keys, scanners, ears, for each name and the street.
    pub(super) const KEYBOARD: u64 = 42;
    pub(super) const SCANNER: u64 = 20;
    pub(super) const EAR: u64 = 19;
    pub(super) const STREET_SLIPS: u64 = 2;
    pub(super) const DIGIT: u64 = 52;
    pub(super) const DIGIT_AS_LETTER: u64 = 12;
    pub(super) const UNIT_SLIP: u64 = 140;
    pub(super) const CITY_SLIP: u64 = 108;
    pub(super) const OTHER_STATE: u64 = 104;
    /// Not measured: the simulation has no errors in ZIP codes, and writes every place in one way.
    pub(super) const NO_ZIP: u64 = 20;
    pub(super) const ZIP_DIGIT: u64 = 20;
    pub(super) const ZIP_SWAPPED: u64 = 10;
    pub(super) const ZIP_PLUS_FOUR: u64 = 100;
    /// Of those that begin with one.
    pub(super) const ZERO_LOST: u64 = 1_000;
    pub(super) const OTHER_MANNER: u64 = 180;
    pub(super) const UPPER_CASE: u64 = 200;
}

const FAKE_GIVEN: [&str; 22] = [
    "Unknown",
    "UNK",
    "Anonymous",
    "Respondent",
    "Child",
    "Baby",
    "Boy",
    "Girl",
    "Minor",
    "Adult",
    "Lady In The",
    "Man Of The",
    "Lady",
    "Senor",
    "Senora",
    "Son",
    "Daughter",
    "Husband",
    "Wife",
    "Mom",
    "Oldest",
    "No Name",
];
const FAKE_FAMILY: [&str; 14] = [
    "Unknown",
    "UNK",
    "Anonymous",
    "House",
    "The House",
    "Home",
    "Householder",
    "Occupant",
    "Owner",
    "Respondent",
    "Ref",
    "De Casa",
    "No Last Name",
    "Person",
];
const FAKE_ADDRESS: [&str; 9] =
    ["unknown", "undomiciled", "homeless", "general delivery", "no fixed address", "unk", "same as above", "address unknown", "n/a"];

/// A row without its id, in the order of the contract's columns.
pub(super) type Fields = [String; 9];

/// One person of a household at a place, as a file has them.
pub(super) fn written(person: &Person, household: &[Person], place: &Place, dice: &mut Dice) -> Fields {
    let [given, middle, family, suffix] = name(person, household, dice);
    let [address, unit, city, state, zip] = address(place, dice);
    let mut fields = [given, middle, family, suffix, address, unit, city, state, zip];
    if dice.chance(rate::UPPER_CASE) {
        for field in &mut fields[..7] {
            *field = field.to_uppercase();
        }
    }
    fields
}

/// Keys, scanners and ears at work on a word or a street, at `times` the common rates.
fn slipped(text: String, times: u64, dice: &mut Dice) -> String {
    match dice.below(10_000) {
        at if at < rate::KEYBOARD * times => slips::keyboard(&text, dice),
        at if at < (rate::KEYBOARD + rate::SCANNER) * times => slips::scanner(&text, dice),
        at if at < (rate::KEYBOARD + rate::SCANNER + rate::EAR) * times => slips::ear(&text, dice),
        _ => text,
    }
}

/// Given, middle, family name and suffix.
fn name(person: &Person, household: &[Person], dice: &mut Dice) -> [String; 4] {
    let (mut given, mut family) = forms(person, dice);
    let mut middle = person.middle.map(String::from).unwrap_or_default();
    let mut suffix = match (person.suffix, dice.below(20)) {
        (Suffix::None, _) | (_, 0..4) => "",
        (Suffix::Junior, 4..8) => "Jr.",
        (Suffix::Junior, _) => "Jr",
        (Suffix::Senior, _) => "Sr",
        (Suffix::Third, _) => "III",
    }
    .to_owned();
    // In the family name's field.
    if !suffix.is_empty() && dice.chance(700) {
        family = format!("{family} {suffix}");
        suffix.clear();
    }
    if dice.chance(rate::NICKNAME)
        && let Some(nickname) = words().nickname(person.given.split(' ').next().unwrap_or_default(), dice)
    {
        nickname.clone_into(&mut given);
    }
    let order = match person.origin {
        Origin::Chinese | Origin::Vietnamese | Origin::Korean => 200,
        _ => 8,
    };
    if dice.chance(order) {
        std::mem::swap(&mut given, &mut family);
    }
    let others: Vec<&str> = household.iter().map(|other| other.given.as_str()).filter(|other| *other != person.given).collect();
    match dice.below(10_000) {
        at if at < rate::NO_GIVEN => given.clear(),
        at if at < rate::NO_GIVEN + rate::FAKE_GIVEN => dice.pick(&FAKE_GIVEN).clone_into(&mut given),
        at if at < rate::NO_GIVEN + rate::FAKE_GIVEN + rate::INITIAL => given = given.chars().take(1).collect(),
        at if at < rate::NO_GIVEN + rate::FAKE_GIVEN + rate::INITIAL + rate::OTHERS_GIVEN && !others.is_empty() => {
            dice.pick(&others).clone_into(&mut given);
        }
        _ => given = slipped(given, 1, dice),
    }
    match dice.below(10_000) {
        at if at < rate::NO_FAMILY => family.clear(),
        at if at < rate::NO_FAMILY + rate::FAKE_FAMILY => dice.pick(&FAKE_FAMILY).clone_into(&mut family),
        at if at < rate::NO_FAMILY + rate::FAKE_FAMILY + rate::INITIAL => family = family.chars().take(1).collect(),
        _ => family = slipped(family, 1, dice),
    }
    if dice.chance(rate::NO_MIDDLE) {
        middle.clear();
    } else if dice.chance(rate::MIDDLE) && !middle.is_empty() {
        middle = char::from(b'A' + dice.below(26) as u8).to_string();
    }
    [given, middle, family, suffix]
}

/// Given and family name in the form that this office knows: spellings, particles, hyphens, names left out, each origin's own.
fn forms(person: &Person, dice: &mut Dice) -> (String, String) {
    let lists = words();
    let mut given = person.given.clone();
    let mut parts = person.family.clone();
    // Spelt otherwise: given name, family name.
    let (of_given, of_family) = match person.origin {
        Origin::English => (10, 12),
        Origin::Hispanic => (70, 100),
        Origin::Chinese => (0, 130),
        Origin::Vietnamese => (150, 300),
        Origin::Arabic => (250, 250),
        Origin::Slavic => (250, 150),
        Origin::SouthAsian => (130, 130),
        Origin::Korean => (0, 250),
    };
    if dice.chance(of_given) {
        let tokens: Vec<String> = given.split(' ').map(str::to_owned).collect();
        given = match lists.variant(&given, dice) {
            Some(variant) => variant.to_owned(),
            None => tokens.iter().map(|token| lists.variant(token, dice).unwrap_or(token)).collect::<Vec<_>>().join(" "),
        };
    }
    if dice.chance(of_family)
        && let Some(first) = parts.first_mut()
    {
        if let Some(variant) = lists.variant(first, dice) {
            variant.clone_into(first);
        } else if person.origin == Origin::Slavic {
            *first = match first.strip_suffix('a') {
                Some(root) if person.is_female && (root.ends_with("ov") || root.ends_with("ev") || root.ends_with("in")) => root.to_owned(),
                _ => super::household::slavic(first, person.is_female),
            };
        }
    }
    if matches!(person.origin, Origin::Chinese | Origin::Korean)
        && dice.chance(400)
        // Not of an English name, which many have too.
        && (lists.of(person.origin).male.has(&given) || lists.of(person.origin).female.has(&given))
        && let Some((one, other)) = syllables(&given)
    {
        given = match dice.below(3) {
            0 => format!("{one} {other}"),
            1 => format!("{one}{}", other.to_lowercase()),
            _ => format!("{one}-{other}"),
        };
    }
    let mut between = if person.has_hyphen { "-" } else { " " };
    if parts.len() == 2 {
        match dice.weighted(&[180, 40, 180, 40, 9_560]) {
            0 => {
                parts.pop();
            }
            1 => {
                parts.remove(0);
            }
            2 => between = if person.has_hyphen { " " } else { "-" },
            3 => parts = vec![format!("{}{}", parts[0], parts[1].to_lowercase())],
            _ => {}
        }
    }
    if person.origin == Origin::Hispanic && given.contains(' ') && dice.chance(300) {
        // Of two given names, the first alone.
        given = given.split(' ').next().unwrap_or_default().to_owned();
    }
    (given, parts.join(between))
}

/// The two syllables of a Chinese or Korean given name in letters: at the hyphen, or before the last consonant that begins one.
fn syllables(given: &str) -> Option<(String, String)> {
    if let Some((one, other)) = given.split_once('-') {
        let mut letters = other.chars();
        let first = letters.next()?.to_ascii_uppercase();
        return Some((one.to_owned(), format!("{first}{}", letters.as_str())));
    }
    let letters: Vec<char> = given.chars().collect();
    let is_vowel = |at: usize| letters.get(at).is_some_and(|c| "aeiouAEIOU".contains(*c));
    let begins = |at: usize| {
        let after = if matches!((letters[at], letters.get(at + 1)), ('z' | 'c' | 's', Some('h'))) { at + 2 } else { at + 1 };
        !is_vowel(at) && is_vowel(after) && (is_vowel(at - 1) || matches!(letters[at - 1], 'n' | 'g'))
    };
    let at = (2..letters.len()).rev().find(|at| letters.iter().all(char::is_ascii_alphabetic) && begins(*at))?;
    let other: String = letters[at..].iter().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { *c }).collect();
    Some((letters[..at].iter().collect(), other))
}

/// Address, unit, city, state, ZIP code.
fn address(place: &Place, dice: &mut Dice) -> [String; 5] {
    let manner = if dice.chance(rate::OTHER_MANNER) { Manner::other(place.habit, dice) } else { Manner::usual(place.habit) };
    let mut street = line::street(place, &manner);
    let mut number = place.number.clone();
    let is_street = matches!(place.line, Line::Street(_));
    if is_street && place.habit.without_number {
        number.clear();
    }
    // A place without a number shows in both files; one that a file lost, in that file.
    if dice.chance(if is_street { rate::NO_NUMBER } else { rate::NO_NUMBER / 4 }) {
        number.clear();
    } else if dice.chance(rate::DIGIT) {
        number = slips::digits(&number, dice);
    } else if dice.chance(rate::DIGIT_AS_LETTER) {
        number = slips::digit_as_letter(&number, dice);
    }
    if is_street && !number.is_empty() && dice.chance(rate::NO_STREET) {
        street.clear();
    } else {
        street = slipped(street, rate::STREET_SLIPS, dice);
    }
    let mut unit = place.unit.clone();
    if !unit.is_empty() {
        if manner.short_unit {
            unit = line::short_unit(&unit);
        }
        if dice.chance(rate::NO_UNIT) {
            unit.clear();
        } else if dice.chance(rate::UNIT_SLIP) {
            unit = if dice.chance(5_000) { slips::digits(&unit, dice) } else { slips::keyboard(&unit, dice) };
        }
    }
    let mut address = line::joined(place, &manner, &number, &street);
    if (place.habit.unit_in_line || manner.unit_in_line) && !unit.is_empty() && !address.is_empty() {
        address = format!("{address} {unit}");
        unit.clear();
    }
    match dice.below(10_000) {
        at if at < rate::NO_ADDRESS => address.clear(),
        at if at < rate::NO_ADDRESS + rate::FAKE_ADDRESS => dice.pick(&FAKE_ADDRESS).clone_into(&mut address),
        _ => {}
    }
    let mut city = place.city.to_owned();
    if dice.chance(rate::NO_CITY) {
        city.clear();
    } else if dice.chance(rate::CITY_SLIP) {
        city = if dice.chance(6_000) { slips::keyboard(&city, dice) } else { slips::scanner(&city, dice) };
    }
    let mut state = place.state.to_owned();
    if dice.chance(rate::NO_STATE) {
        state.clear();
    } else if dice.chance(rate::OTHER_STATE) {
        dice.pick(&["AL", "AZ", "CT", "FL", "GA", "IA", "IN", "KS", "MA", "MI", "NC", "NV", "OH", "PA", "TX", "UT", "VA", "WI"])
            .clone_into(&mut state);
    }
    [address, unit, city, state, zip(place.zip, dice)]
}

fn zip(zip: u64, dice: &mut Dice) -> String {
    let mut text = format!("{zip:05}");
    if dice.chance(rate::NO_ZIP) {
        return String::new();
    }
    if dice.chance(rate::ZIP_DIGIT) {
        text = slips::digits(&text, dice);
    } else if dice.chance(rate::ZIP_SWAPPED) {
        text = slips::swapped(&text, dice);
    } else if dice.chance(rate::ZIP_PLUS_FOUR) {
        return format!("{text}-{:04}", dice.within(1, 9_999));
    }
    if text.starts_with('0') && dice.chance(rate::ZERO_LOST) { text.trim_start_matches('0').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::super::draw::{For, Seed};
    use super::*;
    use std::collections::HashSet;

    /// All forms that come out of many writings of one person.
    fn all_forms(origin: Origin, given: &str, family: &[&str]) -> HashSet<(String, String)> {
        let person = Person {
            origin,
            is_female: false,
            given: given.to_owned(),
            middle: None,
            family: family.iter().map(|name| (*name).to_owned()).collect(),
            has_hyphen: false,
            suffix: Suffix::None,
        };
        let mut dice = Seed::new(1).dice(For::PairNoise, 1);
        (0..20_000).map(|_| forms(&person, &mut dice)).collect()
    }

    #[test]
    fn each_origin_has_its_own_forms() {
        for (origin, given, family, form) in [
            (Origin::Hispanic, "Jose", &["Garcia", "Lopez"][..], ("Jose", "Garcia-Lopez")),
            (Origin::Hispanic, "Jose", &["Garcia", "Lopez"], ("Jose", "Garcia")),
            (Origin::Hispanic, "Jose", &["Garcia", "Garcia"], ("Jose", "Garciagarcia")),
            (Origin::Hispanic, "Ana", &["De La Cruz"], ("Ana", "Delacruz")),
            (Origin::Chinese, "Xiaoming", &["Zhang"], ("Xiao Ming", "Zhang")),
            (Origin::Chinese, "Wei", &["Wang"], ("Wei", "Wong")),
            (Origin::Vietnamese, "Linh", &["Nguyen"], ("Linh", "Nguyễn")),
            (Origin::Arabic, "Mohammed", &["Al-Masri"], ("Muhammad", "Al-Masri")),
            (Origin::Arabic, "Mohammed", &["Al-Masri"], ("Mohammed", "Almasri")),
            (Origin::Slavic, "Yevgeny", &["Ivanov"], ("Evgeny", "Ivanov")),
            (Origin::Korean, "Min-jun", &["Park"], ("Min Jun", "Park")),
            (Origin::English, "Stephen", &["Smith"], ("Steven", "Smith")),
        ] {
            let all = all_forms(origin, given, family);
            assert!(all.contains(&(form.0.to_owned(), form.1.to_owned())), "{form:?} in {all:?}");
        }
    }

    #[test]
    fn syllables_are_told_apart() {
        for (name, one, other) in [
            ("Xiaoming", "Xiao", "Ming"),
            ("Jianguo", "Jian", "Guo"),
            ("Zhihao", "Zhi", "Hao"),
            ("Yuzhen", "Yu", "Zhen"),
            ("Ha-eun", "Ha", "Eun"),
        ] {
            assert_eq!(syllables(name), Some((one.to_owned(), other.to_owned())));
        }
        assert!(all_forms(Origin::Korean, "Benjamin", &["Choi"]).iter().all(|(given, _)| given == "Benjamin"));
        assert_eq!(syllables("Wei"), None);
        assert_eq!(syllables("Bo"), None);
    }
}
