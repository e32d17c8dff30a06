//! Where people live: places on streets, streets in ZIP codes, boxes; and how a place is usually written down.

use super::draw::{Dice, For, Seed};
use super::words::words;

/// A district is so many consecutive households: 16 ZIP codes of 16 streets of 16 places.
const DISTRICT: u64 = 1 << 12;
/// The households of one building follow each other at this distance.
const NEXT_DOOR: u64 = 1 << 8;
const ZIPS: u64 = 98_000;
/// Households of a building.
const FLATS: u64 = 8;

/// Which of the places that a household number has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// The household's own.
    Own = 0,
    /// One nearby that is empty until somebody moves in.
    Near = 1,
    /// The same, in another district.
    Far = 2,
}

/// The delivery line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A house on a street.
    Street(Street),
    /// A box at the post office.
    PoBox,
    /// A box on a rural or highway contract route: RR 2 Box 17, HC 4 Box 9.
    Rural { word: &'static str, route: u64 },
    /// A box of the armed forces' post: PSC 12 Box 345.
    Military { word: &'static str, unit: u64 },
}

/// A street and how it is usually written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Street {
    /// An index into [`DIRECTIONS`]; 0 is none.
    pub(super) before: usize,
    pub(super) name: Name,
    /// An index into [`TYPES`], where there is a type.
    pub(super) kind: Option<usize>,
    pub(super) after: usize,
}

/// A street's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Words(String),
    /// 123rd.
    Numbered(u64),
    /// A highway or a county road, with its number.
    Road(&'static str, u64),
}

/// An address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// House or box number: digits, sometimes with a letter or a hyphen.
    pub(super) number: String,
    pub(super) line: Line,
    /// As it stands in the unit's column; empty for none.
    pub(super) unit: String,
    pub(super) city: &'static str,
    pub(super) state: &'static str,
    pub(super) zip: u64,
    /// How everybody writes it.
    pub(super) habit: Habit,
}

/// How a place is usually written: a property of the place, the same in all files but for what each does to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Habit {
    /// Which spelling of the type: 0 the common abbreviation, 1 in full, 2 and more others.
    pub(super) kind: usize,
    /// Directions in full.
    pub(super) long_direction: bool,
    /// 123 for 123rd.
    pub(super) bare_ordinal: bool,
    /// Twelfth for 12th, where the number is small.
    pub(super) worded_ordinal: bool,
    /// The house number is known to nobody.
    pub(super) without_number: bool,
    /// A word of the name abbreviated by dropping its vowels.
    pub(super) clipped: bool,
    /// The unit stands behind the street.
    pub(super) unit_in_line: bool,
}

/// Directions: short, long.
pub(super) const DIRECTIONS: [(&str, &str); 9] = [
    ("", ""),
    ("n", "north"),
    ("s", "south"),
    ("e", "east"),
    ("w", "west"),
    ("ne", "northeast"),
    ("nw", "northwest"),
    ("se", "southeast"),
    ("sw", "southwest"),
];

/// Street types: the common abbreviation, in full, others that are seen.
pub(super) const TYPES: [&[&str]; 18] = [
    &["st", "street", "str", "stre"],
    &["dr", "drive", "drv", "dv"],
    &["rd", "road", "ro", "rd."],
    &["ave", "avenue", "av", "avn", "aven"],
    &["ln", "lane", "la", "lan"],
    &["ct", "court", "crt", "ct."],
    &["pl", "place", "plac", "plc"],
    &["cir", "circle", "cr", "circ"],
    &["way", "way", "wy", "wy"],
    &["blvd", "boulevard", "bv", "blv"],
    &["ter", "terrace", "terr", "ter"],
    &["trl", "trail", "tr", "trl"],
    &["cv", "cove", "cov", "cv"],
    &["loop", "loop", "lp", "loop"],
    &["pkwy", "parkway", "pky", "prkwy"],
    &["path", "path", "pth", "path"],
    &["pike", "pike", "pk", "pike"],
    &["run", "run", "rn", "run"],
];
const TYPE_SHARES: [u64; 18] = [200, 145, 130, 142, 56, 42, 24, 21, 15, 18, 7, 5, 3, 3, 4, 2, 2, 2];

const STATES: [&[&str]; 10] = [
    &["MA", "RI", "NH", "ME", "VT", "CT", "NJ"],
    &["NY", "PA", "DE"],
    &["DC", "MD", "VA", "WV", "NC", "SC"],
    &["GA", "FL", "AL", "TN", "MS"],
    &["KY", "OH", "IN", "MI"],
    &["IA", "WI", "MN", "SD", "ND", "MT"],
    &["IL", "MO", "KS", "NE"],
    &["LA", "AR", "OK", "TX"],
    &["CO", "WY", "ID", "UT", "AZ", "NM", "NV"],
    &["CA", "HI", "OR", "WA", "AK"],
];

/// What the streets of a ZIP code are like.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    Plain,
    /// Numbered streets and avenues; W 123rd St, 41-15.
    NewYork,
    Spanish,
    /// 1533 N 1500 W.
    Grid,
    Rural,
}

/// The household in whose building household number `index` lives, if it lives in one and is not the first there.
pub(super) fn first_of_building(seed: Seed, index: u64) -> Option<u64> {
    let slot = index / NEXT_DOOR % 16;
    (has_building(seed, index) && (1..FLATS).contains(&slot)).then(|| index - slot * NEXT_DOOR)
}

/// Whether the first places of the street of `index` are one building.
fn has_building(seed: Seed, index: u64) -> bool {
    seed.dice(For::Street, !(index / DISTRICT * NEXT_DOOR + index % NEXT_DOOR)).chance(800)
}

/// A place of household number `index`. No two of the first 25 million households share one, but that those of a building share all but the unit.
pub(super) fn place(seed: Seed, index: u64, which: Which) -> Place {
    let mut dice = seed.dice(For::Place, index * 3 + which as u64);
    let (district, slot) = (index / DISTRICT, index / NEXT_DOOR % 16);
    let zip_index = district * 16 + index % 16;
    let street_of_zip = index / 16 % 16;
    let mut of_zip = seed.dice(For::Zip, zip_index);
    let flavour =
        [Flavour::Plain, Flavour::NewYork, Flavour::Spanish, Flavour::Grid, Flavour::Rural][of_zip.weighted(&[800, 35, 35, 30, 100])];
    // Four neighbouring ZIP codes are a town. Every order of towns does: a step that shares no divisor with their number.
    let town = zip_index / 4;
    let zip = 1_001 + town % (ZIPS / 4) * 7_507 % (ZIPS / 4) * 4 + zip_index % 4;
    let states = STATES[(zip / 10_000) as usize];
    let mut place = Place {
        number: String::new(),
        line: Line::PoBox,
        unit: String::new(),
        city: seed.dice(For::Zip, !town).pick(&words().cities),
        state: states[(zip % 10_000 / 600) as usize % states.len()],
        zip,
        habit: habit(&mut dice),
    };
    let own_number = slot * 16 + street_of_zip;
    let boxes = own_number * 3 + which as u64;
    match dice.weighted(&[350, 40, 30, 9_580]) {
        0 => {
            place.number = (1 + boxes * 25 + dice.below(25)).to_string();
            // A box without its number is no address of anybody.
            place.habit.without_number &= dice.chance(1_000);
        }
        1 => {
            let word = ["rr", "hc", "rural route", "rt"][dice.weighted(&[5, 2, 2, 1])];
            place.line = Line::Rural { word, route: 1 + own_number % 9 };
            place.number = (1 + boxes).to_string();
        }
        2 => {
            place.line = Line::Military { word: ["psc", "unit", "cmr"][dice.below(3) as usize], unit: 100 + own_number };
            place.number = (1 + boxes).to_string();
            place.city = ["APO", "FPO", "DPO"][dice.weighted(&[6, 3, 1])];
            place.state = ["AE", "AP", "AA"][dice.weighted(&[5, 4, 1])];
        }
        _ => {
            let street_index = zip_index * 16 + street_of_zip;
            let street = street(&mut seed.dice(For::Street, street_index), &mut of_zip, flavour, street_of_zip);
            let mut of_street = seed.dice(For::Street, u64::MAX / 2 - street_index);
            let base = base_number(&mut of_street);
            // Neighbours do not follow each other in the list.
            let house = (slot * 5 + of_street.below(16)) % 16;
            let in_building = which == Which::Own && slot < FLATS && has_building(seed, index);
            // Eight numbers for a slot, so that empty places lie beside those of households.
            let number = base + if in_building { 0 } else { house * 8 + which as u64 * 2 + dice.below(2) };
            place.number = house_number(number, &street, flavour, &mut dice);
            if in_building {
                // One number for all, without any letter.
                place.number = number.to_string();
                place.habit = habit(&mut seed.dice(For::Place, !street_index));
            }
            if in_building || dice.chance(140) {
                place.unit = unit(slot, &mut dice);
                place.habit.unit_in_line = dice.chance(300);
            }
            if matches!(street.name, Name::Road(..)) {
                place.habit.worded_ordinal = false;
            }
            place.line = Line::Street(street);
        }
    }
    place
}

/// Habits as the simulated tax filers' addresses have them.
fn habit(dice: &mut Dice) -> Habit {
    Habit {
        kind: match dice.weighted(&[700, 245, 55]) {
            2 => 2 + dice.below(2) as usize,
            other => other,
        },
        long_direction: dice.chance(1_900),
        bare_ordinal: dice.chance(900),
        worded_ordinal: dice.chance(600),
        without_number: dice.chance(375),
        clipped: dice.chance(170),
        unit_in_line: false,
    }
}

/// The lowest house number of a street.
fn base_number(dice: &mut Dice) -> u64 {
    match dice.weighted(&[9, 27, 50, 14]) {
        0 => 1,
        1 => dice.within(100, 872),
        2 => dice.within(1_000, 9_872),
        _ => dice.within(10_000, 42_000),
    }
}

fn house_number(number: u64, street: &Street, flavour: Flavour, dice: &mut Dice) -> String {
    match flavour {
        Flavour::NewYork if matches!(street.name, Name::Numbered(_)) && street.before == 0 && number > 99 => {
            format!("{}-{:02}", number / 100, number % 100)
        }
        _ if dice.chance(60) => format!("{number}{}", dice.pick(&["a", "b", "c", "f", "r"])),
        // Two houses in one, or a half.
        _ if dice.chance(40) => format!("{number} 1/2"),
        _ => number.to_string(),
    }
}

fn unit(slot: u64, dice: &mut Dice) -> String {
    let flat = match dice.weighted(&[5, 3, 2]) {
        0 => (1 + slot * 3 + dice.below(3)).to_string(),
        1 => format!("{}{:02}", 1 + slot, dice.within(1, 20)),
        _ => format!("{}{}", 1 + slot, char::from(b'a' + dice.below(6) as u8)),
    };
    match dice.weighted(&[30, 18, 14, 10, 8, 8, 4, 3, 3, 2]) {
        0 => format!("apt {flat}"),
        1 => format!("apartment {flat}"),
        2 => format!("# {flat}"),
        3 => format!("apt # {flat}"),
        4 => format!("unit {flat}"),
        5 => format!("apt no {flat}"),
        6 => format!("floor {}", 1 + slot),
        7 => format!("ste {flat}"),
        8 => format!("{} fl", ordinal(1 + slot)),
        // One basement a house.
        _ if slot == 0 => "basement".to_owned(),
        _ => format!("lot {flat}"),
    }
}

/// Street number `of_zip_number` of a ZIP code: another for each of the first 16.
fn street(dice: &mut Dice, of_zip: &mut Dice, flavour: Flavour, of_zip_number: u64) -> Street {
    let lists = words();
    // Every street of the ZIP code takes the same start, and a step of its own from there.
    let start = of_zip.below(10_000);
    let step = start + of_zip_number;
    let shares: [u64; 5] = match flavour {
        Flavour::Plain => [845, 118, 20, 12, 5],
        Flavour::NewYork => [250, 750, 0, 0, 0],
        Flavour::Spanish => [450, 50, 10, 490, 0],
        Flavour::Grid => [300, 100, 20, 0, 580],
        Flavour::Rural => [780, 40, 170, 5, 5],
    };
    let mut kind = Some(dice.weighted(&TYPE_SHARES));
    let mut name = match dice.weighted(&shares) {
        1 => {
            if dice.chance(4_000) {
                kind = Some([3, 0][dice.below(2) as usize]);
            }
            Name::Numbered(1 + step * 7 % 191)
        }
        2 => {
            kind = None;
            Name::Road(dice.pick(&lists.highways), 2 + step * 13 % 998)
        }
        3 => {
            kind = None;
            Name::Words(lists.spanish[(step % lists.spanish.len() as u64) as usize].to_lowercase())
        }
        4 => {
            kind = None;
            let across = [4, 3][dice.below(2) as usize];
            let name = Name::Words((50 * (1 + step * 3 % 80)).to_string());
            return Street { before: 1 + dice.below(2) as usize, name, kind, after: across };
        }
        _ => Name::Words(named(dice, step)),
    };
    let before = if dice.chance(2_050) { [1, 2, 3, 4, 5, 6, 7, 8][dice.weighted(&[21, 21, 22, 23, 6, 5, 5, 6])] } else { 0 };
    let after =
        if before == 0 && dice.chance(680) { [1, 2, 3, 4, 5, 6, 7, 8][dice.weighted(&[10, 13, 10, 13, 15, 17, 14, 13])] } else { 0 };
    if let Name::Words(words) = &mut name {
        if kind.is_some() && dice.chance(320) {
            kind = None;
        }
        // So that "Park" and "Park Way" are not all that is left.
        if kind.is_none() && words.is_empty() {
            words.push_str("broadway");
        }
    }
    Street { before, name, kind, after }
}

/// A name of words: of the list, a family name, or made of two.
fn named(dice: &mut Dice, step: u64) -> String {
    let lists = words();
    let family = &lists.of(super::words::Origin::English).family;
    match dice.weighted(&[45, 32, 20, 3]) {
        0 => lists.streets[(step * 5 % lists.streets.len() as u64) as usize].to_lowercase(),
        1 => family.at(step * 7).to_lowercase(),
        2 => {
            let first = lists.street_first[(step % lists.street_first.len() as u64) as usize];
            format!("{first} {}", dice.pick(&lists.street_last)).to_lowercase()
        }
        _ => format!("{} {}", dice.pick(&["old", "new", "upper", "lower", "little"]), family.at(step * 7).to_lowercase()),
    }
}

/// 1st, 22nd, 113th.
pub(super) fn ordinal(number: u64) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    #[test]
    fn no_two_places_are_one() {
        let seed = Seed::new(4);
        let mut seen = HashSet::new();
        let (mut twice, mut all) = (0, 0);
        for index in (0..40_000).chain(20_000_000..20_020_000) {
            for which in [Which::Own, Which::Near, Which::Far] {
                let place = place(seed, index, which);
                all += 1;
                twice += usize::from(!seen.insert(format!("{} {:?} {} {}", place.number, place.line, place.unit, place.zip)));
            }
        }
        // Units of one building, by chance.
        assert!(twice * 2_000 < all, "{twice} of {all}");
    }

    #[test]
    fn a_street_has_one_zip_and_a_zip_many_streets() {
        let seed = Seed::new(4);
        let mut streets: HashMap<u64, HashSet<String>> = HashMap::new();
        for index in 0..8_192 {
            let place = place(seed, index, Which::Own);
            assert!((1_001..100_000).contains(&place.zip));
            if let Line::Street(street) = place.line {
                streets.entry(place.zip).or_default().insert(format!("{street:?}"));
            }
        }
        assert_eq!(streets.len(), 32);
        assert!(streets.values().all(|of| (12..=16).contains(&of.len())), "{:?}", streets.values().map(HashSet::len).collect::<Vec<_>>());
    }

    #[test]
    fn buildings_have_flats_at_one_number() {
        let seed = Seed::new(4);
        let (mut flats, mut units) = (0, 0);
        for index in 0..40_960 {
            let place = place(seed, index, Which::Own);
            units += usize::from(!place.unit.is_empty());
            if let Some(first) = first_of_building(seed, index) {
                let other = super::place(seed, first, Which::Own);
                if let (Line::Street(a), Line::Street(b)) = (&place.line, &other.line) {
                    assert_eq!((a, &place.number, place.zip), (b, &other.number, other.zip));
                    flats += 1;
                }
            }
        }
        assert!(flats > 500, "{flats}");
        assert!((300..750).contains(&(units * 10_000 / 40_960)), "{units}");
    }

    #[test]
    fn steps_through_lists_meet_every_word() {
        assert!(!words().streets.len().is_multiple_of(5));
        assert!(!words().of(super::super::words::Origin::English).family.words().len().is_multiple_of(7));
    }

    #[test]
    fn ordinals_are_formed() {
        let all: Vec<String> = [1, 2, 3, 4, 11, 12, 13, 21, 102, 111, 113].map(ordinal).into();
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "102nd", "111th", "113th"]);
    }
}
