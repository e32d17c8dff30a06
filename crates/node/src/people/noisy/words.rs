//! The word lists, read once: names by origin in order of frequency, spellings of one name, nicknames, streets.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::draw::Dice;

/// Where a name comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    English,
    Hispanic,
    Chinese,
    Vietnamese,
    Arabic,
    Slavic,
    SouthAsian,
    Korean,
}

impl Origin {
    /// All of them, with how many of 1,000 households are of it.
    pub(super) const SHARES: [(Self, u64); 8] = [
        (Self::English, 655),
        (Self::Hispanic, 175),
        (Self::Chinese, 36),
        (Self::Vietnamese, 26),
        (Self::Arabic, 32),
        (Self::Slavic, 32),
        (Self::SouthAsian, 28),
        (Self::Korean, 16),
    ];

    /// As the truth files have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::English => "english",
            Self::Hispanic => "hispanic",
            Self::Chinese => "chinese",
            Self::Vietnamese => "vietnamese",
            Self::Arabic => "arabic",
            Self::Slavic => "slavic",
            Self::SouthAsian => "south_asian",
            Self::Korean => "korean",
        }
    }

    pub(super) fn draw(dice: &mut Dice) -> Self {
        Self::SHARES[dice.weighted(&Self::SHARES.map(|(_, share)| share))].0
    }
}

/// A list whose first words are the most frequent: the word of rank r has a weight of 1 / (r + flatness).
pub(super) struct Skewed {
    words: Vec<&'static str>,
    cumulative: Vec<u64>,
}

impl Skewed {
    fn new(words: Vec<&'static str>, flatness: u64) -> Self {
        let mut sum = 0;
        let cumulative = (0..words.len() as u64)
            .map(|rank| {
                sum += 1_000_000_000 / (rank + flatness);
                sum
            })
            .collect();
        Self { words, cumulative }
    }

    pub(super) fn draw(&self, dice: &mut Dice) -> &'static str {
        let at = dice.below(self.cumulative.last().copied().unwrap_or(0));
        self.words.get(self.cumulative.partition_point(|end| *end <= at)).copied().unwrap_or_default()
    }

    /// The word of a rank, counted round.
    pub(super) fn at(&self, rank: u64) -> &'static str {
        self.words.get((rank % self.words.len().max(1) as u64) as usize).copied().unwrap_or_default()
    }

    pub(super) fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    #[cfg(test)]
    pub(super) fn words(&self) -> &[&'static str] {
        &self.words
    }
}

/// Given names (male, female) and family names of one origin.
pub(super) struct Names {
    pub(super) male: Skewed,
    pub(super) female: Skewed,
    pub(super) family: Skewed,
}

/// Everything.
pub(super) struct Words {
    names: Vec<(Origin, Names)>,
    /// First and last halves of rare English family names: the long tail.
    pub(super) root: Vec<&'static str>,
    pub(super) end: Vec<&'static str>,
    variants: HashMap<String, Vec<&'static [&'static str]>>,
    nicknames: HashMap<String, Vec<&'static str>>,
    formal: HashMap<String, &'static str>,
    /// Pairs of similar given names: of boys, of girls.
    pub(super) similar: [Vec<(&'static str, &'static str)>; 2],
    pub(super) streets: Vec<&'static str>,
    pub(super) street_first: Vec<&'static str>,
    pub(super) street_last: Vec<&'static str>,
    pub(super) spanish: Vec<&'static str>,
    pub(super) highways: Vec<&'static str>,
    pub(super) cities: Vec<&'static str>,
}

static WORDS: LazyLock<Words> = LazyLock::new(Words::read);

/// The lists.
pub(super) fn words() -> &'static Words {
    &WORDS
}

/// The lines of a file that are no comment, each as its words. "_" becomes a space.
fn lines(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_whitespace().map(spaced).collect())
}

/// The lists live as long as the program: what has a space is kept for good.
fn spaced(word: &'static str) -> &'static str {
    if word.contains('_') { Box::leak(word.replace('_', " ").into_boxed_str()) } else { word }
}

impl Words {
    fn read() -> Self {
        let named = |text: &'static str| -> HashMap<&'static str, Vec<&'static str>> {
            let head_and_rest = |line: &'static str| {
                let (head, rest) = line.split_once(' ')?;
                Some((head, rest.split_whitespace().map(spaced).collect()))
            };
            text.lines().filter(|line| !line.starts_with('#')).filter_map(head_and_rest).collect()
        };
        let mut lists = named(include_str!("names.txt"));
        let mut streets = named(include_str!("streets.txt"));
        let names = Origin::SHARES.map(|(origin, _)| {
            let mut list = |part: &str, flatness| {
                Skewed::new(lists.remove(format!("{}.{part}", origin.name()).as_str()).unwrap_or_default(), flatness)
            };
            // A few Vietnamese and Korean family names are half of all; English ones are spread more evenly.
            let flatness = match origin {
                Origin::Vietnamese | Origin::Korean => 1,
                Origin::English | Origin::Hispanic => 14,
                _ => 6,
            };
            (origin, Names { male: list("male", 10), female: list("female", 14), family: list("family", flatness) })
        });
        let mut variants: HashMap<String, Vec<&'static [&'static str]>> = HashMap::new();
        for group in lines(include_str!("variants.txt")) {
            let group: &'static [&'static str] = group.leak();
            for word in group {
                variants.entry(word.to_lowercase()).or_default().push(group);
            }
        }
        let (mut nicknames, mut formal) = (HashMap::new(), HashMap::new());
        for line in lines(include_str!("nicknames.txt")) {
            if let Some((name, short)) = line.split_first() {
                for nickname in short {
                    formal.entry(nickname.to_lowercase()).or_insert(*name);
                }
                nicknames.insert(name.to_lowercase(), short.to_vec());
            }
        }
        let mut similar = [Vec::new(), Vec::new()];
        for line in lines(include_str!("similar.txt")) {
            if let [sex, one, other] = line[..] {
                similar[usize::from(sex == "female")].push((one, other));
            }
        }
        let mut street = |name| streets.remove(name).unwrap_or_default();
        Self {
            names: names.into(),
            root: lists.remove("english.root").unwrap_or_default(),
            end: lists.remove("english.end").unwrap_or_default(),
            variants,
            nicknames,
            formal,
            similar,
            streets: street("name"),
            street_first: street("first"),
            street_last: street("last"),
            spanish: street("spanish"),
            highways: street("highway"),
            cities: street("city"),
        }
    }

    pub(super) fn of(&self, origin: Origin) -> &Names {
        // Every origin is in the list, which has them in the order of the enum.
        &self.names[origin as usize].1
    }

    /// Another spelling of a word, where there is one.
    pub(super) fn variant(&self, word: &str, dice: &mut Dice) -> Option<&'static str> {
        let groups = self.variants.get(&word.to_lowercase())?;
        let group = dice.pick(groups);
        let others: Vec<&str> = group.iter().copied().filter(|other| !other.eq_ignore_ascii_case(word)).collect();
        (!others.is_empty()).then(|| dice.pick(&others))
    }

    /// A nickname of a given name, or the formal name of a nickname.
    pub(super) fn nickname(&self, given: &str, dice: &mut Dice) -> Option<&'static str> {
        let given = given.to_lowercase();
        self.nicknames.get(&given).map(|list| dice.pick(list)).or_else(|| self.formal.get(&given).copied())
    }
}

#[cfg(test)]
mod tests {
    use super::super::draw::{For, Seed};
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_list_is_there_and_has_no_word_twice() {
        let words = words();
        let mut lists: Vec<&[&str]> = vec![&words.root, &words.end, &words.streets, &words.street_first, &words.street_last];
        lists.extend([&words.spanish[..], &words.highways, &words.cities]);
        for (origin, _) in Origin::SHARES {
            assert_eq!(words.names[origin as usize].0, origin);
            let names = words.of(origin);
            lists.extend([names.male.words(), names.female.words(), names.family.words()]);
        }
        for list in lists {
            assert!(list.len() >= 10, "{list:?}");
            assert_eq!(list.iter().collect::<HashSet<_>>().len(), list.len(), "{list:?}");
            assert!(list.iter().all(|word| word.chars().all(|c| c.is_alphabetic() || " '-".contains(c))), "{list:?}");
        }
        assert_eq!(Origin::SHARES.map(|(_, share)| share).iter().sum::<u64>(), 1_000);
        assert!(words.similar.iter().all(|list| list.len() > 10));
    }

    #[test]
    fn the_first_of_a_list_come_most_often() {
        let family = &words().of(Origin::English).family;
        let mut dice = Seed::new(1).dice(For::Names, 0);
        let drawn: Vec<&str> = (0..20_000).map(|_| family.draw(&mut dice)).collect();
        let count = |name| drawn.iter().filter(|drawn| **drawn == name).count();
        let (first, last) = (family.words()[0], family.words()[family.words().len() - 1]);
        assert!(count(first) > 10 * count(last).max(1), "{} {}", count(first), count(last));
        assert!(drawn.iter().collect::<HashSet<_>>().len() > family.words().len() * 9 / 10);
    }

    #[test]
    fn spellings_and_nicknames_go_both_ways() {
        let mut dice = Seed::new(1).dice(For::Names, 1);
        assert!(words().variant("muhammad", &mut dice).is_some_and(|other| other.to_lowercase().starts_with('m')));
        assert!(words().variant("Nguyen", &mut dice).is_some());
        assert_eq!(words().variant("Zebra", &mut dice), None);
        assert!(words().nickname("William", &mut dice).is_some());
        assert_eq!(words().nickname("Wally", &mut dice), Some("Walter"));
    }
}
