//! Generated people for the demo, the tests and the scale harness: plausible, in households, and a function of a seed alone.
//!
//! Person number `i` needs no other person to be known, so files of any length are written in constant memory. None of them is real: the
//! words are ours and how they meet is a hash.

mod expect;
mod noisy;
mod sample;
mod words;

pub use expect::{ExpectedMatches, expected_matches};
pub use noisy::{NoisySample, write_noisy};
pub use sample::{Sample, write_sample};

use words::{DIRECTIONS, FAMILY, GIVEN, STREETS, TOWNS, TYPES};

/// The members of ten households that follow each other; then it begins anew. 24 people in all.
const MEMBERS: [u64; 10] = [1, 2, 4, 2, 3, 1, 5, 2, 3, 1];
const MEMBERS_SUM: u64 = 24;
/// Households of a street within a ZIP code, streets of a ZIP code, ZIP codes.
const PER_STREET: u64 = 40;
const PER_ZIP: u64 = 50;
const ZIPS: u64 = 98_000;
/// From one household's address to the next one's, among all: without a common divisor with their number, near its golden section, so that
/// even a small sample is spread over many places.
const ADDRESS_STEP: u64 = 121_132_661;

/// A person at an address, in the form that the holder's records have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) given: &'static str,
    pub(crate) middle: Option<char>,
    pub(crate) family: &'static str,
    pub(crate) suffix: &'static str,
    pub(crate) place: Place,
}

/// An address, in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) number: u64,
    pub(crate) direction: (&'static str, &'static str),
    pub(crate) street: &'static str,
    pub(crate) street_type: (&'static str, &'static str),
    pub(crate) unit: Option<u64>,
    pub(crate) city: &'static str,
    pub(crate) state: &'static str,
    pub(crate) zip: u64,
}

/// All people of one seed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct People {
    seed: u64,
}

/// What a draw is for: different purposes at one index are independent.
#[derive(Clone, Copy)]
pub(crate) enum Draw {
    Given,
    Middle,
    Family,
    Suffix,
    Street,
    Unit,
    Kind,
    Style,
}

impl People {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// A number of 64 bits for `purpose` at `index`: SplitMix64's finisher, twice. It need not be hard to predict.
    pub(crate) fn draw(self, purpose: Draw, index: u64) -> u64 {
        let mix = |mut z: u64| {
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        mix(mix(self.seed ^ (purpose as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .wrapping_add(index.wrapping_mul(0xd1b5_4a32_d192_ed03)))
    }

    /// Person number `index`, from 0.
    pub(crate) fn person(self, index: u64) -> Person {
        let (round, mut member) = (index / MEMBERS_SUM, index % MEMBERS_SUM);
        let mut household = round * MEMBERS.len() as u64;
        for members in MEMBERS {
            if member < members {
                break;
            }
            member -= members;
            household += 1;
        }
        // Now and then a son has his father's name.
        let is_junior = member == 2 && self.draw(Draw::Suffix, household).is_multiple_of(20);
        let named_as = if is_junior { index - 2 } else { index };
        let has_junior = member == 0 && self.draw(Draw::Suffix, household).is_multiple_of(20);
        let middle = self.draw(Draw::Middle, index);
        Person {
            given: pick(GIVEN, self.draw(Draw::Given, named_as)),
            middle: (!middle.is_multiple_of(3)).then(|| char::from(b'A' + (middle / 3 % 26) as u8)),
            family: pick(FAMILY, self.draw(Draw::Family, household)),
            suffix: if is_junior {
                "Jr"
            } else if has_junior {
                "Sr"
            } else {
                ""
            },
            place: self.place(household),
        }
    }

    /// The address of household number `household`. No two of the first 196 million households share one.
    fn place(self, household: u64) -> Place {
        const ALL: u64 = PER_STREET * PER_ZIP * ZIPS;
        let at = (household % ALL) * ADDRESS_STEP % ALL;
        let street = at / PER_STREET;
        let zip = street / PER_ZIP;
        let on_street = at % PER_STREET;
        let of_street = self.draw(Draw::Street, street);
        // Streets of one ZIP code get different names: steps through the list from a start that the ZIP code draws.
        let first = self.draw(Draw::Street, u64::MAX - zip);
        let name = pick(STREETS, (first % STREETS.len() as u64) + street % PER_ZIP * 3);
        let unit = self.draw(Draw::Unit, household);
        let (city, state) = pick(TOWNS, zip / 7);
        Place {
            number: (1 + of_street % 90) * 100 + on_street * 2 + (of_street / 90) % 2,
            direction: pick(DIRECTIONS, of_street / 180),
            street: name,
            street_type: pick(TYPES, of_street / 1_260),
            unit: unit.is_multiple_of(4).then(|| 1 + unit / 4 % 40),
            city,
            state,
            // Every order of ZIP codes does: a step that shares no divisor with their number.
            zip: 1_001 + zip * 30_011 % ZIPS,
        }
    }
}

fn pick<T: Copy>(list: &'static [T], draw: u64) -> T {
    list[(draw % list.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_person_is_a_function_of_seed_and_number() {
        let people = People::new(1);
        assert_eq!(people.person(12_345), People::new(1).person(12_345));
        assert_ne!(people.person(12_345), People::new(2).person(12_345));
        assert_ne!(people.person(0), people.person(24));
    }

    #[test]
    fn households_share_an_address_and_a_family_name() {
        let people = People::new(7);
        assert_eq!(MEMBERS.iter().sum::<u64>(), MEMBERS_SUM);
        let (a, b, c) = (people.person(1), people.person(2), people.person(3));
        assert_eq!((a.family, &a.place), (b.family, &b.place));
        assert_ne!(b.place, c.place);
    }

    #[test]
    fn no_two_households_share_an_address() {
        let people = People::new(3);
        let households = (0..200_000).chain(50_000_000..50_100_000).chain(195_900_000..195_999_999);
        let mut seen = HashSet::new();
        for household in households {
            let place = people.place(household);
            assert!((1_001..100_000).contains(&place.zip));
            assert!(seen.insert((place.number, place.direction, place.street, place.street_type, place.zip)), "household {household}");
        }
    }

    #[test]
    fn the_words_are_many_and_differ() {
        for list in [GIVEN, FAMILY, STREETS] {
            assert!(list.len() > 200);
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len());
        }
        // Three steps for each street of a ZIP code do not meet.
        assert!(3 * (PER_ZIP - 1) < STREETS.len() as u64);
    }

    #[test]
    fn some_sons_are_juniors_of_their_fathers() {
        let people = People::new(1);
        let all: Vec<Person> = (0..24_000).map(|i| people.person(i)).collect();
        let juniors: Vec<usize> = (0..all.len()).filter(|i| all[*i].suffix == "Jr").collect();
        assert!(!juniors.is_empty());
        assert!(
            juniors.iter().all(|i| all[i - 2].suffix == "Sr" && all[i - 2].given == all[*i].given && all[i - 2].place == all[*i].place)
        );
    }
}
