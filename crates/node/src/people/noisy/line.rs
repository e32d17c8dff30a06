//! A delivery line in letters.

use super::draw::Dice;
use super::place::{DIRECTIONS, Habit, Line, Name, Place, TYPES, ordinal};

/// How one row is written, where it is not as everybody writes the place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) habit: Habit,
    /// How a box is called.
    box_word: usize,
    /// Which blanks are gone, or too many.
    blanks: Blanks,
    /// One for 1.
    worded_number: bool,
    /// Saint for st.
    long_saint: bool,
    pub(super) short_unit: bool,
    pub(super) unit_in_line: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blanks {
    Right,
    /// 219e 121st.
    AfterNumber,
    /// e167th, 34ave, stmarks.
    InStreet,
    /// 10 72 decatur.
    InNumber,
}

const BOX_WORDS: [&str; 6] = ["po box", "p o box", "p.o. box", "pob", "box", "post office box"];
const NUMBERS: [&str; 13] = ["", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
const ORDINALS: [&str; 13] =
    ["", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"];

impl Manner {
    /// As everybody does.
    pub(super) fn usual(habit: Habit) -> Self {
        Self { habit, box_word: 0, blanks: Blanks::Right, worded_number: false, long_saint: false, short_unit: false, unit_in_line: false }
    }

    /// Some other way than what is usual.
    pub(super) fn other(usual: Habit, dice: &mut Dice) -> Self {
        let habit = Habit {
            kind: dice.weighted(&[45, 45, 10]),
            long_direction: dice.chance(5_000),
            bare_ordinal: dice.chance(4_000),
            worded_ordinal: dice.chance(1_500),
            clipped: dice.chance(500),
            ..usual
        };
        Self {
            habit,
            box_word: dice.below(6) as usize,
            blanks: [Blanks::Right, Blanks::AfterNumber, Blanks::InStreet, Blanks::InNumber][dice.weighted(&[70, 10, 14, 6])],
            worded_number: dice.chance(5_000),
            long_saint: dice.chance(7_000),
            short_unit: dice.chance(4_000),
            unit_in_line: dice.chance(3_000),
        }
    }
}

/// Everything but the number: `w 123rd st`, `po box`, `rr 2 box`.
pub(super) fn street(place: &Place, manner: &Manner) -> String {
    let habit = &manner.habit;
    let street = match &place.line {
        Line::PoBox => return BOX_WORDS[manner.box_word].to_owned(),
        Line::Rural { word, route } => return format!("{word} {route} box"),
        Line::Military { word, unit } => return format!("{word} {unit} box"),
        Line::Street(street) => street,
    };
    let direction = |index: usize| if habit.long_direction { DIRECTIONS[index].1 } else { DIRECTIONS[index].0 };
    let name = match &street.name {
        Name::Words(words) if manner.long_saint && words.starts_with("st ") => format!("saint {}", &words[3..]),
        Name::Words(words) if habit.clipped => clipped(words),
        Name::Words(words) => words.clone(),
        Name::Numbered(number) if habit.worded_ordinal && *number < 13 => ORDINALS[*number as usize].to_owned(),
        Name::Numbered(number) if habit.bare_ordinal => number.to_string(),
        Name::Numbered(number) => ordinal(*number),
        Name::Road(word, number) => format!("{word} {number}"),
    };
    let kind = street.kind.map_or("", |kind| TYPES[kind][habit.kind.min(TYPES[kind].len() - 1)]);
    let parts = [direction(street.before), &name, kind, direction(street.after)];
    let mut whole = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    let numbered = matches!(street.name, Name::Numbered(_));
    if manner.blanks == Blanks::InStreet && (numbered || name.starts_with("st ")) && whole.contains(' ') {
        whole = whole.replacen(' ', "", 1);
    }
    whole
}

/// Number and street, or box and number, as one line. Either may be empty.
pub(super) fn joined(place: &Place, manner: &Manner, number: &str, street: &str) -> String {
    let (first, second) = if matches!(place.line, Line::Street(_)) { (number, street) } else { (street, number) };
    if first.is_empty() || second.is_empty() {
        return format!("{first}{second}");
    }
    let worded = number.parse().ok().and_then(|number: usize| NUMBERS.get(number)).filter(|word| !word.is_empty());
    match (&place.line, manner.blanks) {
        (Line::Street(_), _) if manner.worded_number && worded.is_some() => format!("{} {second}", worded.map_or("", |word| word)),
        (Line::Street(street), Blanks::AfterNumber) if street.before != 0 => format!("{first}{second}"),
        (Line::Street(_), Blanks::InNumber) if number.len() == 4 && number.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{} {} {second}", &number[..2], &number[2..])
        }
        _ => format!("{first} {second}"),
    }
}

/// A word of a name without its inner vowels: rdge, vlly.
fn clipped(words: &str) -> String {
    let Some(longest) = words.split(' ').max_by_key(|word| word.len()).filter(|word| word.len() > 3 && word.is_ascii()) else {
        return words.to_owned();
    };
    let inner: String = longest[1..longest.len() - 1].chars().filter(|c| !"aeiou".contains(*c)).collect();
    words.replacen(longest, &format!("{}{inner}{}", &longest[..1], &longest[longest.len() - 1..]), 1)
}

/// A unit in fewer letters: # 4b for apartment 4b. As it is where its word is needed.
pub(super) fn short_unit(unit: &str) -> String {
    for word in ["apartment ", "apt # ", "apt no ", "apt ", "unit "] {
        if let Some(flat) = unit.strip_prefix(word) {
            return format!("# {flat}");
        }
    }
    unit.to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::draw::Seed;
    use super::super::place::{Street, Which, place};
    use super::*;

    fn sample(street: Street, number: &str) -> Place {
        let any = place(Seed::new(1), 1, Which::Own);
        let habit = Habit {
            kind: 0,
            long_direction: false,
            bare_ordinal: false,
            worded_ordinal: false,
            without_number: false,
            clipped: false,
            unit_in_line: false,
        };
        Place { number: number.to_owned(), line: Line::Street(street), habit, ..any }
    }

    fn line_of(place: &Place, manner: &Manner) -> String {
        joined(place, manner, &place.number, &street(place, manner))
    }

    #[test]
    fn a_place_is_written_in_many_ways() {
        let numbered = sample(Street { before: 3, name: Name::Numbered(121), kind: Some(0), after: 0 }, "219");
        let usual = Manner::usual(numbered.habit);
        let with = |change: fn(&mut Manner)| {
            let mut manner = usual;
            change(&mut manner);
            manner
        };
        assert_eq!(line_of(&numbered, &usual), "219 e 121st st");
        assert_eq!(line_of(&numbered, &with(|m| m.habit.kind = 1)), "219 e 121st street");
        assert_eq!(line_of(&numbered, &with(|m| m.habit.long_direction = true)), "219 east 121st st");
        assert_eq!(line_of(&numbered, &with(|m| m.habit.bare_ordinal = true)), "219 e 121 st");
        assert_eq!(line_of(&numbered, &with(|m| m.blanks = Blanks::AfterNumber)), "219e 121st st");
        assert_eq!(line_of(&numbered, &with(|m| m.blanks = Blanks::InStreet)), "219 e121st st");
        let named = sample(Street { before: 0, name: Name::Words("hidden valley".into()), kind: Some(3), after: 5 }, "1072");
        assert_eq!(line_of(&named, &with(|m| m.habit.clipped = true)), "1072 hidden vlly ave ne");
        assert_eq!(line_of(&named, &with(|m| m.blanks = Blanks::InNumber)), "10 72 hidden valley ave ne");
        let one = sample(Street { before: 0, name: Name::Words("st marks".into()), kind: Some(6), after: 0 }, "1");
        assert_eq!(line_of(&one, &with(|m| m.worded_number = true)), "one st marks pl");
        assert_eq!(line_of(&one, &with(|m| m.long_saint = true)), "1 saint marks pl");
        assert_eq!(line_of(&one, &with(|m| m.blanks = Blanks::InStreet)), "1 stmarks pl");
        let small = sample(Street { before: 0, name: Name::Numbered(6), kind: Some(3), after: 0 }, "7");
        assert_eq!(line_of(&small, &with(|m| m.habit.worded_ordinal = true)), "7 sixth ave");
        let boxed = Place { line: Line::PoBox, number: "123".into(), ..small.clone() };
        assert_eq!(line_of(&boxed, &usual), "po box 123");
        assert_eq!(line_of(&boxed, &with(|m| m.box_word = 3)), "pob 123");
        let rural = Place { line: Line::Rural { word: "rr", route: 2 }, ..boxed };
        assert_eq!(line_of(&rural, &usual), "rr 2 box 123");
        assert_eq!(short_unit("apartment 4b"), "# 4b");
        assert_eq!(short_unit("basement"), "basement");
    }
}
