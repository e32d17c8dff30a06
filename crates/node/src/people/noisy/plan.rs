//! Who is asked and who is held, where: the overlap of the two files.
//!
//! Both files walk through the same households in order, each taking those that are its own, until it has its rows. So no more than a
//! household is in memory, and what the truth says is a function of a household and of the place where the records end.

use super::draw::{For, Seed};
use super::household::{Role, roles};
use super::place::Which;

/// A person: of a household, or of those who came after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Who {
    pub(super) household: u64,
    pub(super) is_successor: bool,
    pub(super) member: usize,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Where {
    pub(super) household: u64,
    pub(super) which: Which,
}

/// A record to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) who: Who,
    pub(super) place: Where,
}

/// What a pair is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// This person is held at this address.
    Held,
    /// Held, at other addresses alone.
    Moved,
    /// Not held, but others are at this address.
    Neighboured,
    /// Neither person nor address is held.
    Absent,
}

/// Where the records end: household, and how many of its records were written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    pub(super) household: u64,
    pub(super) records: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    /// Known to both sides, at least in part.
    Joint,
    /// Of the records alone.
    HeldOnly,
    /// Of the pairs alone.
    AskedOnly,
}

/// Rows that 1,000 households give, measured: asked of a joint household or of one that is asked only, records of a joint household, of a
/// held one. What they are is not relied on but for the shares that come out.
const ASKED: u128 = 1_990;
const JOINT_RECORDS: u128 = 1_975;
const HELD_RECORDS: u128 = 1_905;
/// Of 1,000 pairs so many are of households that the holder has nobody of, where the records suffice.
const WHOLLY_ABSENT: u128 = 70;
/// Of 1,000 records so many at least are of households of which nobody is asked.
const NOT_ASKED: u128 = 30;

/// Another household of the same district, and back again: where those go who move in with others.
const HOSTS: u64 = 0x5a5;
/// So many households on is another district.
const FAR: u64 = 38 << 12;

/// The plan for one pair of files.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    seed: Seed,
    /// Below the first are joint households, below the second those held only.
    classes: [u64; 2],
}

impl Plan {
    pub(super) fn new(seed: Seed, pairs: u64, records: u64) -> Self {
        // A little more is asked than there are pairs, so that they are through before the records end.
        let (pairs, records) = (u128::from(pairs) * 1_030, u128::from(records) * 1_000);
        // In thousandths of households.
        let joint = (pairs * (1_000 - WHOLLY_ABSENT) / ASKED).min(records * (1_000 - NOT_ASKED) / JOINT_RECORDS);
        let held = records.saturating_sub(joint * JOINT_RECORDS / 1_000) * 1_000 / HELD_RECORDS;
        let asked = pairs.saturating_sub(joint * ASKED / 1_000) * 1_000 / ASKED;
        let all = (joint + held + asked).max(1);
        let share = |part: u128| u64::try_from(part * u128::from(u64::MAX) / all).unwrap_or(u64::MAX);
        Self { seed, classes: [share(joint), share(joint + held)] }
    }

    pub(super) fn seed(&self) -> Seed {
        self.seed
    }

    fn class(&self, household: u64) -> Class {
        // Multiples of the golden section: each class is spread evenly, so that neither file runs far ahead of the other.
        let start = self.seed.dice(For::Class, 0).bits();
        let at = start.wrapping_add(household.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        match at {
            _ if at < self.classes[0] => Class::Joint,
            _ if at < self.classes[1] => Class::HeldOnly,
            _ => Class::AskedOnly,
        }
    }

    /// The members of a household of whom the verifier asks.
    pub(super) fn asked(&self, household: u64) -> Vec<usize> {
        if self.class(household) == Class::HeldOnly {
            return Vec::new();
        }
        let roles = roles(self.seed, household);
        (0..roles.len()).filter(|member| self.fate(household, *member, roles[*member]).is_asked).collect()
    }

    /// The records that a household gives, in order.
    pub(super) fn records(&self, household: u64) -> Vec<Held> {
        let class = self.class(household);
        if class == Class::AskedOnly {
            return Vec::new();
        }
        let roles = roles(self.seed, household);
        let is_group = roles.contains(&Role::Resident);
        let mut of_all = self.seed.dice(For::Fate, !household);
        // Nobody was there before whom those held only could have moved away from.
        let has_moved = class == Class::Joint && !is_group && of_all.chance(1_080);
        // Of the movers in the data nobody stayed in the street; some do.
        let new_home = if of_all.chance(150) {
            Where { household, which: Which::Near }
        } else {
            Where { household: household.wrapping_add(FAR), which: Which::Far }
        };
        let mut all = Vec::new();
        for (member, role) in roles.iter().enumerate() {
            let fate = self.fate(household, member, *role);
            if !fate.is_held {
                continue;
            }
            let own = Where { household, which: Which::Own };
            let place = match (has_moved, fate.leaves && class == Class::Joint) {
                (true, _) => new_home,
                (false, true) if fate.joins_others => Where { household: household ^ HOSTS, which: Which::Own },
                (false, true) => new_home,
                (false, false) => own,
            };
            let held = Held { who: Who { household, is_successor: false, member }, place };
            all.extend(std::iter::repeat_n(held, fate.copies));
        }
        if has_moved && of_all.chance(4_000) {
            let place = Where { household, which: Which::Own };
            for member in 0..super::household::successors(self.seed, household).len() {
                all.push(Held { who: Who { household, is_successor: true, member }, place });
            }
        }
        all
    }

    /// What a pair of this household's member is, with records written as far as `end`.
    pub(super) fn kind(&self, household: u64, member: usize, end: End) -> Kind {
        let written = |of: u64| {
            let mut all = self.records(of);
            all.truncate(match of.cmp(&end.household) {
                std::cmp::Ordering::Less => usize::MAX,
                std::cmp::Ordering::Equal => end.records,
                std::cmp::Ordering::Greater => 0,
            });
            all
        };
        let here = Where { household, which: Which::Own };
        let own = written(household);
        let mut of_person = own.iter().filter(|held| held.who == Who { household, is_successor: false, member }).peekable();
        if of_person.peek().is_some() {
            return if of_person.any(|held| held.place == here) { Kind::Held } else { Kind::Moved };
        }
        if own.iter().chain(&written(household ^ HOSTS)).any(|held| held.place == here) { Kind::Neighboured } else { Kind::Absent }
    }

    fn fate(&self, household: u64, member: usize, role: Role) -> Fate {
        let mut dice = self.seed.dice(For::Fate, (household << 7) + member as u64);
        // Of 10,000: asked, held, gone since.
        let (asked, held, leaves) = match role {
            Role::Head => (8_900, 8_700, 380),
            Role::Spouse => (8_000, 6_900, 380),
            Role::Minor => (5_600, 300, 0),
            Role::Grown => (6_000, 7_600, 1_000),
            Role::Flatmate => (7_800, 8_200, 1_000),
            Role::Resident => (7_200, 8_000, 1_000),
        };
        Fate {
            is_asked: dice.chance(asked),
            is_held: dice.chance(held),
            leaves: dice.chance(leaves),
            joins_others: dice.chance(5_000),
            // A second job is a second record, now and then a third.
            copies: [1, 2, 3][dice.weighted(&[924, 74, 2])],
        }
    }
}

struct Fate {
    is_asked: bool,
    is_held: bool,
    leaves: bool,
    joins_others: bool,
    copies: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants that the plan reckons with are what households give.
    #[test]
    fn households_give_about_what_the_plan_reckons_with() {
        for seed in [1, 2] {
            let seed = Seed::new(seed);
            let per_thousand = |plan: Plan, of: &dyn Fn(&Plan, u64) -> usize| {
                (0..100_000).map(|household| of(&plan, household)).sum::<usize>() as u128 / 100
            };
            let of = |classes| Plan { seed, classes };
            let asked = |plan: &Plan, household| plan.asked(household).len();
            let records = |plan: &Plan, household| plan.records(household).len();
            let measured = [
                per_thousand(of([u64::MAX, u64::MAX]), &asked),
                per_thousand(of([u64::MAX, u64::MAX]), &records),
                per_thousand(of([0, u64::MAX]), &records),
            ];
            for (measured, stated) in measured.into_iter().zip([ASKED, JOINT_RECORDS, HELD_RECORDS]) {
                assert!(measured.abs_diff(stated) * 25 < stated, "{measured} and not {stated}");
            }
        }
    }

    #[test]
    fn kinds_follow_the_records_and_their_end() {
        let plan = Plan::new(Seed::new(8), 1_000, 1_200);
        let end = End { household: 500, records: 0 };
        let mut seen = [0; 4];
        for household in 0..600 {
            for member in plan.asked(household) {
                let kind = plan.kind(household, member, end);
                seen[kind as usize] += 1;
                assert!(household < 500 || matches!(kind, Kind::Absent | Kind::Neighboured));
                assert_eq!(plan.kind(household, member, End::default()), Kind::Absent);
            }
        }
        assert!(seen.iter().all(|count| *count > 10), "{seen:?}");
    }
}
