//! What a request demands of a row beside its name and address: columns, dates, addresses of one person (SPEC REQ-3).

use std::collections::{BTreeSet, HashMap, HashSet};

use oblink_linkage::TokenArena;
use oblink_session::request::Manifest;
use sha2::{Digest, Sha256};

use crate::date::Date;
use crate::failure::Failure;
use crate::rows::{Field, RowChunk, RowReader};

/// Most bytes of a field that a request can commit to: its length has two bytes (SPEC REQ-4).
const COMMITTED_BYTES_MAX: usize = u16::MAX as usize;

/// What a row of the list must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conditions {
    /// By name, so that of two things that a row lacks the same one is told every time.
    required: Vec<Field>,
    /// 0: no limit.
    addresses_per_person_max: u32,
    /// The day on which the list was made: an order of a later one is none yet.
    as_of: Date,
}

/// What the conditions say of one row, before it is compared with the rows before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Verdict {
    /// Why it is left out.
    pub(super) reason: Option<&'static str>,
    /// Its order's date as yyyymmdd, where one is required; else 0.
    pub(super) order_date: u32,
    /// Digest of its person's identifier, where persons are counted; else 0.
    pub(super) person: u128,
    /// Digest of its address; likewise ([`address_of`]).
    pub(super) address: u128,
}

impl Conditions {
    /// Those of `required` columns, most addresses of one person (0: any number), and a day after which no order's date may be.
    ///
    /// # Errors
    /// Exit 2 for a column that no list has.
    pub(super) fn new<'a>(
        required: impl IntoIterator<Item = &'a str>,
        addresses_per_person_max: u32,
        as_of: Date,
    ) -> Result<Self, Failure> {
        let names: BTreeSet<&str> = required.into_iter().collect();
        let of_name = |name: &&str| Field::from_name(name).filter(|field| field.name() == *name);
        let required = names.iter().map(|name| of_name(name).ok_or_else(unknown_column)).collect::<Result<_, _>>()?;
        Ok(Self { required, addresses_per_person_max, as_of })
    }

    /// Those that a request names.
    ///
    /// # Errors
    /// Exit 3 for a column that this version does not know.
    pub(super) fn of_request(manifest: &Manifest, as_of: Date) -> Result<Self, Failure> {
        Self::new(manifest.required_columns.iter().map(String::as_str), manifest.addresses_per_person_max, as_of).map_err(|_| {
            Failure::input("unknown_column", "the request requires a column that this version does not know")
                .with_hint("use the version of oblink that made it")
        })
    }

    /// Names of the required columns.
    pub(super) fn required(&self) -> impl Iterator<Item = &'static str> {
        self.required.iter().map(|field| field.name())
    }

    /// Whether the file has what is demanded of its rows.
    ///
    /// # Errors
    /// Exit 3: a column is missing.
    pub(super) fn check_columns(&self, reader: &RowReader) -> Result<(), Failure> {
        if let Some(field) = self.required.iter().find(|field| !reader.has(**field)) {
            let name = field.name();
            return Err(Failure::input("column_missing", format!("the input has no column {name}, which is required of its rows"))
                .with_hint(format!("say which column it is with --map {name}=HEADER")));
        }
        if self.addresses_per_person_max > 0 && !reader.has(Field::PersonId) {
            return Err(Failure::input("column_missing", "the input has no column person_id, and addresses are counted by person")
                .with_hint("say which column tells persons apart with --person-id COLUMN, as when the request was made"));
        }
        Ok(())
    }

    /// Judges the row at `index` of a chunk by itself; `address` gives the digest of its address.
    pub(super) fn judge(&self, chunk: &RowChunk, index: usize, address: impl FnOnce() -> u128) -> Verdict {
        let mut verdict = Verdict::default();
        let mut person = "";
        for (field, text) in chunk.fields(index) {
            if text.len() > COMMITTED_BYTES_MAX {
                return Verdict { reason: Some("field_too_long"), ..verdict };
            }
            if field == Field::PersonId {
                person = text;
            }
        }
        for required in &self.required {
            let text = chunk.fields(index).find(|(field, _)| field == required).map_or("", |(_, text)| text);
            if text.is_empty() {
                return Verdict { reason: Some(missing(*required)), ..verdict };
            }
            if *required == Field::OrderDate {
                match text.parse::<Date>() {
                    Ok(date) if date <= self.as_of => verdict.order_date = date.yyyymmdd(),
                    Ok(_) => return Verdict { reason: Some("future_order_date"), ..verdict },
                    Err(_) => return Verdict { reason: Some("bad_order_date"), ..verdict },
                }
            }
        }
        if self.addresses_per_person_max > 0 {
            if person.is_empty() {
                return Verdict { reason: Some(missing(Field::PersonId)), ..verdict };
            }
            verdict.person = digest([person.as_bytes()].into_iter());
            verdict.address = address();
        }
        verdict
    }

    /// A count of addresses by person, where there is a limit.
    pub(super) fn persons(&self) -> Option<Persons> {
        (self.addresses_per_person_max > 0).then(|| Persons {
            max: self.addresses_per_person_max,
            first: HashMap::new(),
            further: HashSet::new(),
        })
    }
}

fn unknown_column() -> Failure {
    Failure::usage("unknown_column", "--require-column takes one of the columns of a list")
        .with_hint(format!("the columns are {}", Field::names().join(", ")))
}

/// Why a row is left out that has nothing in a required column.
fn missing(field: Field) -> &'static str {
    match field {
        Field::Id => "no_id",
        Field::Name => "no_name",
        Field::GivenName => "no_given_name",
        Field::MiddleName => "no_middle_name",
        Field::FamilyName => "no_family_name",
        Field::Suffix => "no_suffix",
        Field::Address => "no_address",
        Field::Street => "no_street",
        Field::Unit => "no_unit",
        Field::City => "no_city",
        Field::State => "no_state",
        Field::PostalCode => "no_postal_code",
        Field::OrderDate => "no_order_date",
        Field::PersonId => "no_person_id",
    }
}

/// Digest of a row's address, by which the addresses of one person are told apart: of its place, where the ruleset has places, since the tokens of
/// one person at one address may differ there by how the name is written; else of its tokens.
pub(super) fn address_of<'a>(place: Option<u64>, tokens: impl Iterator<Item = &'a [u8]>) -> u128 {
    match place {
        Some(place) => digest([&place.to_be_bytes()[..]].into_iter()),
        None => digest(tokens),
    }
}

/// The first sixteen bytes of SHA-256 over length-prefixed parts: the same in every run, and no two different things will ever meet in it.
fn digest<'a>(parts: impl Iterator<Item = &'a [u8]>) -> u128 {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest.first_chunk().map_or(0, |bytes| u128::from_be_bytes(*bytes))
}

/// Counts the different addresses of each person, in about 80 bytes a person.
pub(super) struct Persons {
    max: u32,
    /// Person → first address, number of addresses.
    first: HashMap<u128, (u128, u32)>,
    /// Person and address, for the addresses after the first.
    further: HashSet<(u128, u128)>,
}

impl Persons {
    /// Whether one more row of this person with this address is within the limit; if so it counts. The same address again does not.
    pub(super) fn admit(&mut self, person: u128, address: u128) -> bool {
        let (first, count) = self.first.entry(person).or_insert((address, 1));
        if *first == address || self.further.contains(&(person, address)) {
            return true;
        }
        let within = *count < self.max;
        if within {
            *count += 1;
            self.further.insert((person, address));
        }
        within
    }
}

/// The tokens from `first` on, `count` of them.
pub(super) fn tokens_in(arena: &TokenArena, first: usize, count: usize) -> impl Iterator<Item = &[u8]> {
    (first..first + count).filter_map(|index| arena.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::CsvOptions;

    fn chunk(text: &str) -> RowChunk {
        let options = CsvOptions { of_request: true, ..CsvOptions::default() };
        let bytes = std::io::Cursor::new(text.as_bytes().to_vec());
        RowReader::from_read(Box::new(bytes), None, "in.csv".to_owned(), &options).unwrap().next_chunk().unwrap().unwrap()
    }

    fn reasons(conditions: &Conditions, text: &str) -> Vec<Option<&'static str>> {
        let chunk = chunk(text);
        (0..chunk.len()).map(|index| conditions.judge(&chunk, index, || 0).reason).collect()
    }

    #[test]
    fn dates_are_past_days_of_the_calendar() {
        let conditions = Conditions::new(["order_date"], 0, "2026-01-31".parse().unwrap()).unwrap();
        let rows = ["2026-01-31", " 1990-02-28 ", "2026-02-01", "", "31/01/2026", "2025-02-29", "2026-1-3"];
        let text = rows.iter().fold("name,address,postal_code,order_date\n".to_owned(), |text, date| text + "N,A,1," + date + "\n");
        let (past, future, bad) = (None, Some("future_order_date"), Some("bad_order_date"));
        assert_eq!(reasons(&conditions, &text), [past, past, future, Some("no_order_date"), bad, bad, bad]);
        let judged = conditions.judge(&chunk(&text), 1, || 0);
        assert_eq!((judged.order_date, judged.person), (19_900_228, 0));
    }

    #[test]
    fn of_two_things_that_are_missing_the_first_by_name_is_told() {
        let conditions = Conditions::new(["state", "city"], 1, "2026-01-31".parse().unwrap()).unwrap();
        let text = "name,address,postal_code,city,state,person_id\nN,A,1,,,\nN,A,1,C,,\nN,A,1,C,S,\nN,A,1,C,S,7\n";
        assert_eq!(reasons(&conditions, text), [Some("no_city"), Some("no_state"), Some("no_person_id"), None]);
        assert_eq!(Conditions::new(["shoe_size"], 0, "2026-01-31".parse().unwrap()).unwrap_err().exit().code(), 2);
    }

    #[test]
    fn what_a_request_cannot_commit_to_is_left_out() {
        let conditions = Conditions::new([], 0, "2026-01-31".parse().unwrap()).unwrap();
        let text = |length: usize| format!("id,name,address,postal_code\n{},N,A,1\n", "x".repeat(length));
        assert_eq!(reasons(&conditions, &text(65_535)), [None]);
        assert_eq!(reasons(&conditions, &text(65_536)), [Some("field_too_long")]);
    }

    #[test]
    fn addresses_of_one_person_are_counted_once_each() {
        let conditions = Conditions::new([], 2, "2026-01-31".parse().unwrap()).unwrap();
        let mut persons = conditions.persons().unwrap();
        let seen = [(1, 10), (1, 10), (1, 11), (1, 12), (2, 12), (1, 11), (1, 12), (1, 10)];
        assert_eq!(seen.map(|(person, address)| persons.admit(person, address)), [true, true, true, false, true, true, false, true]);
        assert!(Conditions::new([], 0, "2026-01-31".parse().unwrap()).unwrap().persons().is_none());
    }

    /// Two ways of writing one name at one address are one address of one person, where tokens hold the name and places do not.
    #[test]
    fn repro_the_name_was_part_of_the_address() {
        let tokens = |name: &'static str| [name.as_bytes(), b"12 main st"].into_iter();
        assert_eq!(address_of(Some(7), tokens("ann")), address_of(Some(7), tokens("ann m")));
        assert_ne!(address_of(Some(7), tokens("ann")), address_of(Some(8), tokens("ann")));
        // Without places as before: by the tokens.
        assert_eq!(address_of(None, tokens("ann")), digest(tokens("ann")));
        assert_ne!(address_of(None, tokens("ann")), address_of(None, tokens("bob")));
    }
}
