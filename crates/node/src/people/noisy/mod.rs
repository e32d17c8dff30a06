//! Noisy households with movers: two files of people as two offices would have them, with the truth beside them, at any size.
//!
//! Nobody is real. Households are drawn from the seed one by one ([`household`]), each with places to live at ([`place`]); who of them is
//! asked and who is held, and where, is planned ([`plan`]); then either file writes its rows with forms and errors of its own ([`noise`]).
//! Memory does not grow with the files.
//!
//! # Shares
//! Where the records are 1.1 times the pairs or more, of the pairs about 57% are held at the same address, 10% at another address alone, 21%
//! not at all though others are held at their address (children, spouses, flatmates, new tenants), 12% not at all. Fewer records make more
//! pairs absent. Records beyond what that takes are of households that nobody asks for. About 8% of the people held have two records.
//! In the simulation below these are 63, 1, 29 and 7% within a year, and 49, 10, 24 and 17% in three years. About 7% of all people live at
//! addresses of 40 and more.
//!
//! # Rates
//! How often both files differ in the people who are held at the address that is asked, of 10,000 of these. "Simulation" is pseudopeople 1.3.1
//! (the Census Bureau's kinds of noise), tax returns against wage records of one year and of three years apart: 4,086 and 3,328 such people.
//! "Here" is 50,000 pairs against 60,000 records of seed 1, counted by the same program. [`noise`] has each file's own rates: half of these.
//!
//! | | one year | three years | here |
//! |---|---|---|---|
//! | given name differs | 810 | 859 | 858 |
//! | – missing in one file | 184 | 213 | 194 |
//! | – nickname | 186 | 189 | 194 |
//! | – one letter off, two letters | 137, 51 | 138, 69 | 170, 44 |
//! | – more (placeholders, initials, other spellings) | 259 | 201 | 289 |
//! | – an initial alone | 59 | 45 | 65 |
//! | family name differs | 644 | 607 | 698 |
//! | – missing in one file | 196 | 198 | 194 |
//! | middle initial differs | 203 | 198 | 202 |
//! | address differs, as text | 825 | 808 | 1,011 |
//! | number missing in one file, in both | 210, 343 | 231, 364 | 258, 339 |
//! | another number | 120 | 150 | 130 |
//! | street missing in one file | 201 | 159 | 161 |
//! | street differs, but for types and directions | 330 | 325 | 380 |
//! | – one letter off, two letters, more | 132, 93, 105 | 138, 78, 108 | 196, 84, 100 |
//! | street differs in types and directions alone | 0 | 3 | 177 |
//! | unit differs | 17 | 24 | 31 |
//! | city differs, state differs | 404, 421 | 373, 430 | 375, 388 |
//! | ZIP code differs, as text | 0 | 0 | 477 |
//! | pairs without number, street or ZIP code (of all pairs) | 531 | 556 | 559 |
//! | no unit (of all rows) | 9,544 | 9,547 | 9,483 |
//! | no middle initial (of all rows) | 101 | 97 | 280 |
//! | given, family name, address and ZIP code equal | 7,898 | 7,867 | 7,321 |
//!
//! What is more here is meant: the simulation has no other spellings of foreign names, writes every place in one way, and was given its ZIP
//! codes by street afterwards. Here 1.8% of a file's rows write the address otherwise (types and directions abbreviated or in full, bare
//! ordinals, blanks gone or too many, boxes by other names), and ZIP codes have wrong digits, four more digits, or lost their zero.
mod draw;
mod household;
mod line;
mod noise;
mod place;
mod plan;
mod slips;
mod words;

use std::fs::File;
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use crate::failure::{Failure, io_cause};
use crate::files::Pending;
use draw::{For, Seed};
use household::{MOST, Person};
use noise::{Fields, written};
use place::{Place, Which, place};
use plan::{End, Kind, Plan, Where, Who};

/// What was written by [`write_noisy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoisySample {
    /// The verifier's file.
    pub pairs: PathBuf,
    /// The holder's file.
    pub records: PathBuf,
    /// For each pair its person, address and origin, behind the noise.
    pub pairs_truth: PathBuf,
    /// The same for each record.
    pub records_truth: PathBuf,
    /// Pairs of people who are held at this address.
    pub held: u64,
    /// Pairs of people who are held, but at other addresses alone.
    pub moved: u64,
    /// Pairs of people who are not held, at an address where others are.
    pub absent_at_held_address: u64,
    /// Pairs of people who are not held, at an address where nobody is.
    pub absent: u64,
}

const HEADER: [&str; 10] = ["id", "given_name", "middle_name", "family_name", "suffix", "address", "unit", "city", "state", "postal_code"];
const TRUTH_HEADER: [&str; 4] = ["id", "person", "address", "origin"];

/// Writes `pairs.csv`, `records.csv` and the truth of both, `pairs_truth.csv` and `records_truth.csv`, into `directory` (made where it is
/// not there; 0600; what was there is replaced whole), of as many rows as asked, for a seed. The same arguments give the same bytes.
///
/// The truth has the rows in the same order: `id`, `person` and `address` (opaque, equal for one person or address in both files, an address
/// with its unit), `origin` of the name (english, hispanic, chinese, vietnamese, arabic, slavic, south_asian, korean).
///
/// # Errors
/// Exit 3: the files cannot be written.
pub fn write_noisy(directory: &Path, pairs: u64, records: u64, seed: u64) -> Result<NoisySample, Failure> {
    let cannot = |e: io::Error| {
        Failure::input("output", format!("cannot write the sample into {}: {}", directory.display(), io_cause(&e)))
            .with_hint("choose a directory that this user may write and that has room")
    };
    std::fs::create_dir_all(directory).map_err(cannot)?;
    let plan = Plan::new(Seed::new(seed), pairs, records);
    let at = |name: &str| directory.join(name);
    let mut sample = NoisySample {
        pairs: at("pairs.csv"),
        records: at("records.csv"),
        pairs_truth: at("pairs_truth.csv"),
        records_truth: at("records_truth.csv"),
        held: 0,
        moved: 0,
        absent_at_held_address: 0,
        absent: 0,
    };
    let end = write_records(&plan, records, &sample).map_err(cannot)?;
    write_pairs(&plan, pairs, end, &mut sample).map_err(cannot)?;
    Ok(sample)
}

/// Writes the holder's rows, and tells where they end.
fn write_records(plan: &Plan, count: u64, sample: &NoisySample) -> io::Result<End> {
    let mut rows = Rows::create(&sample.records, &sample.records_truth, 'R', For::RecordNoise)?;
    let mut end = End::default();
    while rows.written < count {
        let held = plan.records(end.household);
        if held.is_empty() {
            end = End { household: end.household + 1, records: 0 };
            continue;
        }
        let home = Home::new(plan.seed(), end.household);
        let later = household::successors(plan.seed(), end.household);
        for record in held.iter().take(usize::try_from(count - rows.written).unwrap_or(usize::MAX)) {
            let people = if record.who.is_successor { &later } else { &home.people };
            let place = if record.place == home.at { None } else { Some(place(plan.seed(), record.place.household, record.place.which)) };
            rows.write(plan.seed(), record.who, people, record.place, place.as_ref().unwrap_or(&home.place))?;
            end.records += 1;
        }
        if end.records == held.len() {
            end = End { household: end.household + 1, records: 0 };
        }
    }
    rows.finish()?;
    Ok(end)
}

/// Writes the verifier's rows, and counts what they are.
fn write_pairs(plan: &Plan, count: u64, end: End, sample: &mut NoisySample) -> io::Result<()> {
    let mut rows = Rows::create(&sample.pairs, &sample.pairs_truth, 'P', For::PairNoise)?;
    let mut household = 0;
    while rows.written < count {
        let asked = plan.asked(household);
        if !asked.is_empty() {
            let home = Home::new(plan.seed(), household);
            for member in asked.into_iter().take(usize::try_from(count - rows.written).unwrap_or(usize::MAX)) {
                *match plan.kind(household, member, end) {
                    Kind::Held => &mut sample.held,
                    Kind::Moved => &mut sample.moved,
                    Kind::Neighboured => &mut sample.absent_at_held_address,
                    Kind::Absent => &mut sample.absent,
                } += 1;
                rows.write(plan.seed(), Who { household, is_successor: false, member }, &home.people, home.at, &home.place)?;
            }
        }
        household += 1;
    }
    rows.finish()
}

/// A household with its people and its own place.
struct Home {
    at: Where,
    people: Vec<Person>,
    place: Place,
}

impl Home {
    fn new(seed: Seed, household: u64) -> Self {
        let roles = household::roles(seed, household);
        let people = household::people(seed, household, &roles, place::first_of_building(seed, household));
        Self { at: Where { household, which: Which::Own }, people, place: place(seed, household, Which::Own) }
    }
}

/// A file and its truth in the making.
struct Rows {
    file: Table,
    truth: Table,
    letter: char,
    noise: For,
    written: u64,
}

impl Rows {
    fn create(file: &Path, truth: &Path, letter: char, noise: For) -> io::Result<Self> {
        Ok(Self { file: Table::create(file, &HEADER)?, truth: Table::create(truth, &TRUTH_HEADER)?, letter, noise, written: 0 })
    }

    /// Writes the person who is `who.member` of `people`, at a place.
    fn write(&mut self, seed: Seed, who: Who, people: &[Person], at: Where, place: &Place) -> io::Result<()> {
        let Some(person) = people.get(who.member) else {
            return Err(io::Error::other("a household has not got a member that was planned"));
        };
        let id = format!("{}{}", self.letter, self.written);
        let fields: Fields = written(person, people, place, &mut seed.dice(self.noise, self.written));
        self.file.row(std::iter::once(&id).chain(&fields))?;
        // Households have fewer members than 128, and fewer places than 4.
        const { assert!(MOST < 128) };
        let person_id = seed.opaque((who.household << 8) + (u64::from(who.is_successor) << 7) + who.member as u64);
        let address_id = seed.opaque((1 << 63) + (at.household << 2) + at.which as u64);
        self.truth.row([&id, &format!("{person_id:016x}"), &format!("{address_id:016x}"), person.origin.name()])?;
        self.written += 1;
        Ok(())
    }

    fn finish(self) -> io::Result<()> {
        self.file.finish()?;
        self.truth.finish()
    }
}

/// A CSV file in the making.
struct Table {
    pending: Pending,
    csv: csv::Writer<BufWriter<File>>,
}

impl Table {
    fn create(place: &Path, header: &[&str]) -> io::Result<Self> {
        let mut pending = Pending::create(place)?;
        let file = pending.file()?.try_clone()?;
        let mut csv = csv::Writer::from_writer(BufWriter::with_capacity(1 << 16, file));
        csv.write_record(header).map_err(io::Error::from)?;
        Ok(Self { pending, csv })
    }

    fn row<T: AsRef<[u8]>>(&mut self, fields: impl IntoIterator<Item = T>) -> io::Result<()> {
        self.csv.write_record(fields).map_err(io::Error::from)
    }

    fn finish(mut self) -> io::Result<()> {
        self.csv.flush()?;
        drop(self.csv);
        self.pending.keep()
    }
}

#[cfg(test)]
mod tests;
