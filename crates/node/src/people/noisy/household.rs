//! Who lives together, and what they are called.

use super::draw::{Dice, For, Seed};
use super::words::{Origin, Words, words};

/// What a member is to the household. It decides how likely an office has heard of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Head,
    Spouse,
    /// A child under age.
    Minor,
    /// A grown child who still lives there.
    Grown,
    Flatmate,
    /// One of many in a home, a dormitory or a shelter.
    Resident,
}

/// Jr and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Suffix {
    None,
    Junior,
    Senior,
    Third,
}

/// A person as they would write themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) origin: Origin,
    pub(super) is_female: bool,
    /// May be of two words.
    pub(super) given: String,
    pub(super) middle: Option<char>,
    /// One name or two; each may be of several words.
    pub(super) family: Vec<String>,
    /// Between two family names: a hyphen in place of a space.
    pub(super) has_hyphen: bool,
    pub(super) suffix: Suffix,
}

/// How often each letter begins a middle name, from A.
const MIDDLE: [u64; 26] = [74, 50, 56, 39, 32, 7, 27, 20, 8, 150, 60, 50, 132, 29, 5, 32, 1, 76, 64, 30, 1, 19, 29, 1, 2, 6];

/// The most residents of one address.
pub(super) const MOST: usize = 110;

/// The members of household number `index`, in order.
pub(super) fn roles(seed: Seed, index: u64) -> Vec<Role> {
    let mut dice = seed.dice(For::Shape, index);
    // Not among the first ones: a small sample would be one home.
    if index >= 48 && dice.chance(30) {
        return vec![Role::Resident; dice.within(40, MOST as u64) as usize];
    }
    let mut children = |roles: &mut Vec<Role>, most| {
        for _ in 0..1 + dice.below(most) {
            roles.push(if dice.chance(6_200) { Role::Minor } else { Role::Grown });
        }
    };
    let mut roles = vec![Role::Head];
    match seed.dice(For::Shape, !index).weighted(&[29, 26, 25, 9, 11]) {
        0 => {}
        1 => roles.push(Role::Spouse),
        2 => {
            roles.push(Role::Spouse);
            children(&mut roles, 3);
        }
        3 => children(&mut roles, 2),
        _ => roles.extend(std::iter::repeat_n(Role::Flatmate, 1 + dice.below(3) as usize)),
    }
    roles
}

/// The people of household number `index` in the order of `roles`. `namesake` is another household of the same building: now and then its
/// head and this one's are called the same.
pub(super) fn people(seed: Seed, index: u64, roles: &[Role], namesake: Option<u64>) -> Vec<Person> {
    let mut dice = seed.dice(For::Names, index);
    let lists = words();
    let origin = Origin::draw(&mut dice);
    let mut people: Vec<Person> = Vec::with_capacity(roles.len());
    for role in roles {
        let person = match (role, people.first()) {
            (Role::Spouse, Some(head)) => spouse(lists, head, &mut dice),
            (Role::Minor | Role::Grown, Some(_)) => child(lists, &people, roles, &mut dice),
            (Role::Flatmate | Role::Resident, Some(_)) => {
                let origin = Origin::draw(&mut dice);
                stranger(lists, origin, &mut dice)
            }
            _ => stranger(lists, origin, &mut dice),
        };
        people.push(person);
    }
    if let (Some(other), Some(head), true) = (namesake, people.first_mut(), roles.len() == 1) {
        let mut dice = seed.dice(For::Names, other);
        let origin = Origin::draw(&mut dice);
        let model = stranger(lists, origin, &mut dice);
        if seed.dice(For::Successor, index).chance(400) {
            // The middle name tells them apart, if anything does.
            *head = Person { middle: head.middle, suffix: Suffix::None, ..model };
        }
    }
    name_sons_after_fathers(&mut people, roles, &mut dice);
    people
}

/// Tenants who came after household number `index` had moved out: one or two, of whom nobody was asked.
pub(super) fn successors(seed: Seed, index: u64) -> Vec<Person> {
    let mut dice = seed.dice(For::Successor, !index);
    let origin = Origin::draw(&mut dice);
    let first = stranger(words(), origin, &mut dice);
    if dice.chance(5_000) {
        return vec![first];
    }
    let second = spouse(words(), &first, &mut dice);
    vec![first, second]
}

fn stranger(lists: &Words, origin: Origin, dice: &mut Dice) -> Person {
    let is_female = dice.chance(5_000);
    let first = family_name(lists, origin, is_female, dice);
    let mut family = vec![first];
    if origin == Origin::Hispanic && dice.chance(3_500) {
        let second = lists.of(origin).family.draw(dice).to_owned();
        if second != family[0] {
            family.push(second);
        }
    }
    let suffix = if !is_female && dice.chance(80) { Suffix::Junior } else { Suffix::None };
    Person {
        origin,
        is_female,
        given: given_name(lists, origin, is_female, dice),
        middle: middle(origin, dice),
        family,
        has_hyphen: false,
        suffix,
    }
}

fn given_name(lists: &Words, origin: Origin, is_female: bool, dice: &mut Dice) -> String {
    // Many have a name of the country beside or in place of their own.
    let list = match origin {
        Origin::Hispanic | Origin::Chinese | Origin::Korean | Origin::Vietnamese if dice.chance(3_000) => lists.of(Origin::English),
        Origin::Slavic | Origin::Arabic | Origin::SouthAsian if dice.chance(1_200) => lists.of(Origin::English),
        _ => lists.of(origin),
    };
    let list = if is_female { &list.female } else { &list.male };
    let given = list.draw(dice);
    if origin == Origin::Hispanic && dice.chance(1_000) {
        let second = list.draw(dice);
        if second != given && !given.contains(' ') {
            return format!("{given} {second}");
        }
    }
    given.to_owned()
}

fn family_name(lists: &Words, origin: Origin, is_female: bool, dice: &mut Dice) -> String {
    let list = &lists.of(origin).family;
    match origin {
        // The long tail: rare names, made of parts.
        Origin::English if dice.chance(5_000) => {
            let (root, end) = (dice.pick(&lists.root), dice.pick(&lists.end));
            format!("{root}{end}{}", ["", "", "", "er", "s"][dice.below(5) as usize])
        }
        Origin::Slavic => slavic(list.draw(dice), is_female && dice.chance(6_000)),
        _ => list.draw(dice).to_owned(),
    }
}

/// A Slavic family name in the form that a woman has where there is one.
pub(super) fn slavic(name: &str, for_woman: bool) -> String {
    if !for_woman {
        return name.to_owned();
    }
    if name.ends_with("ov") || name.ends_with("ev") || name.ends_with("in") {
        format!("{name}a")
    } else if let Some(root) = name.strip_suffix("sky") {
        format!("{root}skaya")
    } else if let Some(root) = name.strip_suffix("ski") {
        format!("{root}ska")
    } else {
        name.to_owned()
    }
}

fn middle(origin: Origin, dice: &mut Dice) -> Option<char> {
    let without = match origin {
        Origin::English => 60,
        Origin::Hispanic => 150,
        _ => 800,
    };
    if dice.chance(without) {
        return None;
    }
    let letter = match origin {
        // Van and Thi.
        Origin::Vietnamese if dice.chance(6_000) => return Some(if dice.chance(5_000) { 'T' } else { 'V' }),
        _ => dice.weighted(&MIDDLE),
    };
    Some(char::from(b'A' + letter as u8))
}

fn spouse(lists: &Words, head: &Person, dice: &mut Dice) -> Person {
    let origin = if dice.chance(8_800) { head.origin } else { Origin::draw(dice) };
    let mut person = stranger(lists, origin, dice);
    person.is_female = !head.is_female || dice.chance(200);
    person.given = given_name(lists, origin, person.is_female, dice);
    person.suffix = Suffix::None;
    let keeps = match origin {
        Origin::English | Origin::SouthAsian => 1_200,
        Origin::Hispanic => 4_500,
        Origin::Slavic => 2_000,
        _ => 6_500,
    };
    if dice.chance(keeps) {
        return person;
    }
    let theirs = match head.origin {
        Origin::Slavic if person.is_female && dice.chance(6_000) => slavic(&masculine(&head.family[0]), true),
        Origin::Slavic => masculine(&head.family[0]),
        _ => head.family[0].clone(),
    };
    person.has_hyphen = dice.chance(350) && person.family[0] != theirs;
    person.family = if person.has_hyphen { vec![person.family.swap_remove(0), theirs] } else { vec![theirs] };
    person
}

/// A Slavic family name as a man has it.
fn masculine(name: &str) -> String {
    match (name.strip_suffix("skaya"), name.strip_suffix("ska"), name.strip_suffix('a')) {
        (Some(root), ..) => format!("{root}sky"),
        (_, Some(root), _) => format!("{root}ski"),
        (.., Some(root)) if root.ends_with("ov") || root.ends_with("ev") || root.ends_with("in") => root.to_owned(),
        _ => name.to_owned(),
    }
}

fn child(lists: &Words, elders: &[Person], roles: &[Role], dice: &mut Dice) -> Person {
    let head = &elders[0];
    let partner = elders.get(1).filter(|_| roles.get(1) == Some(&Role::Spouse));
    let is_female = dice.chance(5_000);
    let mut family = vec![match head.origin {
        Origin::Slavic => slavic(&masculine(&head.family[0]), is_female && dice.chance(6_000)),
        _ => head.family[0].clone(),
    }];
    if let (Origin::Hispanic, Some(mother)) = (head.origin, partner)
        && mother.family[0] != family[0]
        && dice.chance(5_000)
    {
        family.push(mother.family[0].clone());
    }
    // Twins and others whose names differ by a letter or a sound, where a sibling is there already.
    let first = if partner.is_some() { 2 } else { 1 };
    let alike = elders.get(first..).and_then(<[Person]>::last).and_then(|sibling| {
        let pairs = &lists.similar[usize::from(sibling.is_female)];
        let other = pairs.iter().find_map(|(one, other)| match sibling.given.as_str() {
            given if given == *one => Some(*other),
            given if given == *other => Some(*one),
            _ => None,
        });
        other.filter(|_| dice.chance(4_000)).map(|given| (given.to_owned(), sibling.is_female))
    });
    let drawn = given_name(lists, head.origin, is_female, dice);
    let (mut given, mut sex) = alike.unwrap_or((drawn, is_female));
    if dice.chance(1_500) {
        // So that there are siblings for it.
        let pairs = &lists.similar[usize::from(is_female)];
        if let Some((one, _)) = pairs.get(dice.below(pairs.len() as u64) as usize).filter(|_| head.origin == Origin::English) {
            (given, sex) = ((*one).to_owned(), is_female);
        }
    }
    // Parents do not give two children one name.
    for _ in 0..3 {
        if elders.iter().any(|elder| elder.given == given) {
            given = given_name(lists, head.origin, sex, dice);
        }
    }
    Person {
        origin: head.origin,
        is_female: sex,
        given,
        middle: middle(head.origin, dice),
        family,
        has_hyphen: false,
        suffix: Suffix::None,
    }
}

/// Now and then a son has his father's whole name: sometimes with Jr and Sr, sometimes not even that.
fn name_sons_after_fathers(people: &mut [Person], roles: &[Role], dice: &mut Dice) {
    let Some(father) = people.first().filter(|head| !head.is_female).cloned() else { return };
    let is_child = |role: &Role| matches!(role, Role::Minor | Role::Grown);
    let son = (1..people.len()).find(|i| is_child(&roles[*i]) && !people[*i].is_female && people[*i].family[0] == father.family[0]);
    let Some(son) = son.filter(|_| dice.chance(300)) else { return };
    let same_middle = dice.chance(7_500);
    people[son].given.clone_from(&father.given);
    people[son].family.clone_from(&father.family);
    if same_middle {
        people[son].middle = father.middle;
    }
    if dice.chance(8_000) {
        let is_third = father.suffix == Suffix::Junior;
        people[son].suffix = if is_third { Suffix::Third } else { Suffix::Junior };
        if !is_third && dice.chance(4_500) {
            people[0].suffix = Suffix::Senior;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn households(count: u64) -> impl Iterator<Item = (Vec<Role>, Vec<Person>)> {
        let seed = Seed::new(3);
        (0..count).map(move |index| {
            let roles = roles(seed, index);
            let people = people(seed, index, &roles, None);
            (roles, people)
        })
    }

    #[test]
    fn a_household_is_a_function_of_seed_and_number() {
        let of = |seed, index| people(Seed::new(seed), index, &roles(Seed::new(seed), index), None);
        assert_eq!(of(1, 77), of(1, 77));
        assert_ne!(of(1, 77), of(2, 77));
        assert_ne!(of(1, 77), of(1, 78));
    }

    #[test]
    fn families_share_a_name_and_some_wives_keep_theirs() {
        let (mut same, mut kept, mut doubled) = (0, 0, 0);
        for (roles, people) in households(3_000) {
            for (role, person) in roles.iter().zip(&people) {
                match role {
                    Role::Spouse if masculine(&person.family[0]) == masculine(&people[0].family[0]) => same += 1,
                    Role::Spouse => kept += 1,
                    Role::Minor | Role::Grown => {
                        assert_eq!(masculine(&person.family[0]), masculine(&people[0].family[0]));
                        doubled += u64::from(person.family.len() == 2);
                    }
                    _ => {}
                }
            }
        }
        assert!(same > 2 * kept && kept > 50 && doubled > 20, "{same} {kept} {doubled}");
    }

    #[test]
    fn sons_are_named_after_fathers_with_and_without_jr() {
        let (mut with, mut without, mut alike) = (0, 0, 0);
        for (roles, people) in households(80_000) {
            if !roles.iter().any(|role| matches!(role, Role::Minor | Role::Grown)) {
                continue;
            }
            for person in &people[1..] {
                if person.given == people[0].given && person.family == people[0].family {
                    if person.suffix == Suffix::None { without += 1 } else { with += 1 }
                }
            }
            alike += usize::from(
                people
                    .windows(2)
                    .any(|two| words().similar.iter().flatten().any(|(one, other)| two[0].given == *one && two[1].given == *other)),
            );
        }
        assert!(with > 40 && without > 10 && alike > 20, "{with} {without} {alike}");
    }

    #[test]
    fn some_addresses_have_many_and_most_have_few() {
        let seed = Seed::new(9);
        let sizes: Vec<usize> = (0..20_000).map(|index| roles(seed, index).len()).collect();
        assert!(sizes[..48].iter().all(|size| *size < 8));
        let many: usize = sizes.iter().filter(|size| **size >= 40).sum();
        let all: usize = sizes.iter().sum();
        assert!((4..12).contains(&(many * 100 / all)), "{many} of {all}");
        assert!(sizes.iter().all(|size| (1..=MOST).contains(size)));
    }

    #[test]
    fn a_neighbour_may_have_the_same_name() {
        let seed = Seed::new(5);
        let same = (0..3_000u64).filter(|index| {
            let (one, other) = (vec![Role::Head], vec![Role::Head]);
            let (a, b) = (people(seed, *index, &one, None), people(seed, index + 5_000, &other, Some(*index)));
            a[0].given == b[0].given && a[0].family == b[0].family
        });
        // Four in a hundred.
        assert!((60..200).contains(&same.count()));
    }
}
