//! The two files of a demonstration: what a verifier asks, and what a holder has.

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use super::{Draw, MEMBERS_SUM, People, Person, Place};
use crate::failure::{Failure, io_cause};
use crate::files::Pending;

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The verifier's file.
    pub pairs: PathBuf,
    /// The holder's file.
    pub records: PathBuf,
    /// Pairs that are a record of the holder's, written in another way.
    pub held: u64,
    /// Pairs of a name that the holder has and an address that it has nobody at.
    pub elsewhere: u64,
    /// Pairs of people whom the holder does not have.
    pub absent: u64,
    /// Pairs without a name, a full address or a ZIP code.
    pub unusable: u64,
}

/// What a pair is by construction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Held,
    Elsewhere,
    Absent,
    Unusable,
}

impl Kind {
    fn of(draw: u64) -> Self {
        match draw % 100 {
            0..60 => Self::Held,
            60..70 => Self::Elsewhere,
            70..98 => Self::Absent,
            _ => Self::Unusable,
        }
    }
}

const HEADER: [&str; 10] = ["id", "given_name", "middle_name", "family_name", "suffix", "address", "unit", "city", "state", "postal_code"];

/// Writes `pairs.csv` and `records.csv` (0600) into `directory`, of as many rows as asked, for a seed. The same arguments give the same bytes.
///
/// Of the pairs 60% are records, written differently; 10% have a record's name and another address; 28% are other people; 2% cannot be asked.
///
/// # Errors
/// Exit 3: the files cannot be written.
pub fn write_sample(directory: &Path, pairs: u64, records: u64, seed: u64) -> Result<Sample, Failure> {
    let cannot = |e: io::Error| {
        Failure::input("output", format!("cannot write the sample into {}: {}", directory.display(), io_cause(&e)))
            .with_hint("choose a directory that this user may write and that has room")
    };
    std::fs::create_dir_all(directory).map_err(cannot)?;
    let people = People::new(seed);
    let mut sample = Sample {
        pairs: directory.join("pairs.csv"),
        records: directory.join("records.csv"),
        held: 0,
        elsewhere: 0,
        absent: 0,
        unusable: 0,
    };
    write_rows(&sample.records, (0..records).map(|i| record(i, &people.person(i)))).map_err(cannot)?;
    let at = sample.pairs.clone();
    let rows = (0..pairs).map(|i| {
        let (kind, row) = pair(people, i, pairs, records);
        match kind {
            Kind::Held => sample.held += 1,
            Kind::Elsewhere => sample.elsewhere += 1,
            Kind::Absent => sample.absent += 1,
            Kind::Unusable => sample.unusable += 1,
        }
        row
    });
    write_rows(&at, rows).map_err(cannot)?;
    Ok(sample)
}

fn write_rows(place: &Path, rows: impl Iterator<Item = Vec<String>>) -> io::Result<()> {
    let mut pending = Pending::create(place)?;
    let file: File = pending.file()?.try_clone()?;
    let mut csv = csv::Writer::from_writer(BufWriter::with_capacity(1 << 16, file));
    csv.write_record(HEADER).map_err(io::Error::from)?;
    for row in rows {
        csv.write_record(row).map_err(io::Error::from)?;
    }
    csv.flush()?;
    drop(csv);
    pending.keep()
}

/// A record, in the form that the holder keeps.
fn record(index: u64, person: &Person) -> Vec<String> {
    let place = &person.place;
    let line = join([&place.number.to_string(), place.direction.1, place.street, place.street_type.1]);
    row(format!("R{index}"), person, line, place.unit.map(|u| format!("Apt {u}")).unwrap_or_default(), format!("{:05}", place.zip))
}

/// Pair number `i` of `pairs`, against `records` records.
fn pair(people: People, i: u64, pairs: u64, records: u64) -> (Kind, Vec<String>) {
    let kind = match Kind::of(people.draw(Draw::Kind, i)) {
        Kind::Held | Kind::Elsewhere if records == 0 => Kind::Absent,
        kind => kind,
    };
    // The first person beyond the records who shares no household with them.
    let beyond = records.div_ceil(MEMBERS_SUM) * MEMBERS_SUM;
    let style = people.draw(Draw::Style, i);
    let mut person = match kind {
        Kind::Held | Kind::Elsewhere => people.person(scattered(i, records)),
        Kind::Absent | Kind::Unusable => people.person(beyond + i),
    };
    if kind == Kind::Elsewhere {
        person.place = people.person(beyond + pairs + i * MEMBERS_SUM).place;
    }
    let mut row = varied(format!("P{i}"), &person, style);
    if kind == Kind::Unusable {
        match style % 4 {
            0 => row[5] = person.place.street.to_owned(),
            1 => row[9] = String::new(),
            2 => (row[1], row[3]) = (String::new(), String::new()),
            _ => row[5] = "unknown".to_owned(),
        }
    }
    (kind, row)
}

/// A person as another office would write the same: case, abbreviations, accents, the unit's place, ZIP+4, lost zeros.
fn varied(id: String, person: &Person, style: u64) -> Vec<String> {
    let has = |bit: u32| style >> (8 + bit) & 1 == 1;
    let Place { number, direction, street, street_type, unit, zip, .. } = &person.place;
    let pair = |(long, short): (&'static str, &'static str), is_long: bool| if is_long { long } else { short };
    let mut line = join([&number.to_string(), pair(*direction, has(0)), street, pair(*street_type, has(1))]);
    if has(2) && !has(1) {
        line.push('.');
    }
    let unit_text = unit.map(|u| if has(3) { format!("# {u}") } else { format!("Apt {u}") }).unwrap_or_default();
    let mut unit_column = String::new();
    match (has(4), has(5)) {
        (true, _) => unit_column = unit_text,
        (false, true) => line = join([line.as_str(), unit_text.as_str(), "", ""]),
        // Left out: the unit is no part of the comparison.
        (false, false) => {}
    }
    let zip = match (has(6), *zip < 10_000 && has(7)) {
        (_, true) => zip.to_string(),
        (true, false) => format!("{zip:05}-{:04}", style >> 32 & 0x1fff),
        (false, false) => format!("{zip:05}"),
    };
    let mut row = row(id, person, line, unit_column, zip);
    if has(8) {
        row[2] = String::new();
    }
    let change: fn(&str) -> String = match (has(9), has(10)) {
        (true, false) => |text| text.to_uppercase(),
        (true, true) => |text| text.to_lowercase(),
        (false, _) => str::to_owned,
    };
    for field in &mut row[1..9] {
        *field = if has(11) { plain(&change(field)) } else { change(field) };
    }
    row
}

fn row(id: String, person: &Person, line: String, unit: String, zip: String) -> Vec<String> {
    let middle = person.middle.map(String::from).unwrap_or_default();
    let (city, state) = (person.place.city.to_owned(), person.place.state.to_owned());
    vec![id, person.given.to_owned(), middle, person.family.to_owned(), person.suffix.to_owned(), line, unit, city, state, zip]
}

fn join(parts: [&str; 4]) -> String {
    parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Letters without the accents that our word lists have.
fn plain(text: &str) -> String {
    const ACCENTS: &str = "áàâãäåéèêëíìîïóòôõöúùûüñçşÁÀÂÃÄÅÉÈÊËÍÌÎÏÓÒÔÕÖÚÙÛÜÑÇŞ";
    const LETTERS: &str = "aaaaaaeeeeiiiiooooouuuuncsAAAAAAEEEEIIIIOOOOOUUUUNCS";
    text.chars().map(|c| ACCENTS.chars().zip(LETTERS.chars()).find(|(accent, _)| *accent == c).map_or(c, |(_, letter)| letter)).collect()
}

/// The `i`-th of `0..n` in an order that jumps about and takes each once before it begins anew.
fn scattered(i: u64, n: u64) -> u64 {
    // Near the golden section of n, so that neighbours part; without a common divisor, so that each is met.
    let mut step = (u128::from(n) * 618 / 1_000).max(1);
    while gcd(step, u128::from(n)) != 1 {
        step += 1;
    }
    (u128::from(i) * step % u128::from(n)) as u64
}

fn gcd(a: u128, b: u128) -> u128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::people::expected_matches;
    use std::collections::HashSet;

    #[test]
    fn the_scatter_meets_each_once() {
        for n in [1, 2, 3, 10, 1_000, 4_097, 65_536] {
            assert_eq!((0..n).map(|i| scattered(i, n)).collect::<HashSet<_>>().len() as u64, n, "{n}");
        }
    }

    #[test]
    fn a_sample_is_a_function_of_its_arguments() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (a, b, c) = (
            write_sample(&at("a"), 50, 60, 1).unwrap(),
            write_sample(&at("b"), 50, 60, 1).unwrap(),
            write_sample(&at("c"), 50, 60, 2).unwrap(),
        );
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!((read(&a.pairs), read(&a.records)), (read(&b.pairs), read(&b.records)));
        assert_ne!(read(&a.pairs), read(&c.pairs));
        assert_eq!(read(&a.pairs).lines().count(), 51);
        assert_eq!(a.held + a.elsewhere + a.absent + a.unusable, 50);
        insta::assert_snapshot!(read(&a.pairs).lines().take(25).collect::<Vec<_>>().join("\n"));
    }

    /// The join on the ruleset's tokens finds what was put there, and nothing else.
    #[test]
    fn what_is_held_is_found_however_it_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for (pairs, records) in [(5_000, 20_000), (300, 40), (10, 1)] {
            let sample = write_sample(folder.path(), pairs, records, 5).unwrap();
            let expected =
                expected_matches(&sample.pairs, &sample.records, oblink_linkage::Ruleset::by_name("us-exact-1").unwrap()).unwrap();
            assert_eq!(expected.rows.len() as u64, pairs);
            assert_eq!(pairs - expected.submitted, sample.unusable);
            assert_eq!(expected.matches, expected.rows.iter().filter(|m| **m).count() as u64);
            assert_eq!(expected.matches, sample.held);
        }
    }
}
