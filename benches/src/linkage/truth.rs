//! Who stands behind each row: the truth files, joined to the rows by id.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use oblink_node::failure::Failure;
use oblink_node::pipeline::for_each_ordered;
use oblink_node::rows::{CsvOptions, RowReader, RowView, Source};
use sha2::{Digest, Sha256};

/// Origins that are told apart; the rest count as [`OTHER_ORIGINS`], so that a column of something else is not printed.
const ORIGINS_MAX: usize = 24;
const OTHER_ORIGINS: &str = "(others)";

/// Parts of the list that absent people are counted against, as eighths.
pub(super) const SAMPLES: [u8; 4] = [1, 2, 4, 8];

/// The first 128 bits of SHA-256: values are compared by it and never kept.
pub(super) fn hash(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&Sha256::digest(bytes)[..16]);
    u128::from_be_bytes(first)
}

/// What stands behind a row, as numbers that both files share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truth {
    pub(super) person: u32,
    /// Of the true address; an empty one is an address like any other.
    pub(super) address: u32,
    /// Into [`People::origins`].
    pub(super) origin: u8,
}

/// Numbers for values.
#[derive(Default)]
struct Numbers(HashMap<u128, u32>);

impl Numbers {
    fn of(&mut self, value: u128) -> u32 {
        let next = self.0.len() as u32;
        *self.0.entry(value).or_insert(next)
    }
}

/// Everything that the two truth files speak of.
#[derive(Default)]
pub(super) struct People {
    people: Numbers,
    addresses: Numbers,
    /// Of each person, a byte of the hash: the same whatever file the person is in.
    bytes: Vec<u8>,
    /// Names of the origins.
    pub(super) origins: Vec<String>,
}

impl People {
    /// 0 or 1: the half of all people that this one is in, to tune on one and report the other.
    pub(super) fn half(&self, person: u32) -> usize {
        usize::from(self.bytes.get(person as usize).copied().unwrap_or_default() & 1)
    }

    /// The first of [`SAMPLES`] that has this person: samples are of people, with all their records.
    pub(super) fn sample(&self, person: u32) -> u8 {
        let eighth = self.bytes.get(person as usize).copied().unwrap_or_default() >> 5;
        SAMPLES.iter().position(|part| eighth < *part).unwrap_or(SAMPLES.len() - 1) as u8
    }

    fn person(&mut self, value: &[u8]) -> u32 {
        let hash = hash(value);
        let number = self.people.of(hash);
        if number as usize == self.bytes.len() {
            self.bytes.push(hash as u8);
        }
        number
    }

    fn origin(&mut self, value: &[u8]) -> u8 {
        let name = String::from_utf8_lossy(value);
        if let Some(known) = self.origins.iter().position(|origin| *origin == name) {
            return known as u8;
        }
        if self.origins.len() < ORIGINS_MAX {
            self.origins.push(name.into_owned());
        } else if self.origins.len() == ORIGINS_MAX {
            self.origins.push(OTHER_ORIGINS.to_owned());
        }
        (self.origins.len() - 1) as u8
    }
}

/// One truth file.
pub(super) struct TruthFile {
    label: String,
    /// By the hash of the id: the truth, and whether a row took it.
    by_id: HashMap<u128, (Truth, bool)>,
    /// Whether it has a true address anywhere.
    pub(super) has_addresses: bool,
    /// Whether it has an `origin` column.
    pub(super) has_origins: bool,
}

impl TruthFile {
    /// Reads `id,person[,address][,origin]`; other columns are ignored.
    ///
    /// # Errors
    /// Exit 3: no such file, no such columns, a row of another width, an empty id or person, an id that is there twice.
    pub(super) fn read(path: &Path, people: &mut People) -> Result<Self, Failure> {
        let label = path.display().to_string();
        let bad = |what: String| Failure::input("bad_truth", format!("{label}{what}"));
        const HINT: &str = "a truth file has the columns id and person, and may have address and origin";
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_path(path)
            .map_err(|_| Failure::input("cannot_read", format!("cannot read {label}")).with_hint("check the path"))?;
        let header = reader.byte_headers().map_err(|_| bad(": the header cannot be read".to_owned()).with_hint(HINT))?.clone();
        let column = |name: &str| {
            header.iter().position(|have| have.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(have).eq_ignore_ascii_case(name.as_bytes()))
        };
        let need = |name: &str| column(name).ok_or_else(|| bad(format!(" has no column {name}")).with_hint(HINT));
        let (id, person, address, origin) = (need("id")?, need("person")?, column("address"), column("origin"));
        let (mut by_id, mut has_addresses) = (HashMap::new(), false);
        let mut row = csv::ByteRecord::new();
        for number in 1_u64.. {
            match reader.read_byte_record(&mut row) {
                Ok(false) => break,
                Ok(true) => {}
                Err(_) => return Err(bad(format!(", row {number}: it cannot be read, or has another number of fields than the header"))),
            }
            let field = |column: Option<usize>| column.and_then(|column| row.get(column)).unwrap_or_default();
            let (id, person) = (field(Some(id)), field(Some(person)));
            if id.is_empty() || person.is_empty() {
                return Err(bad(format!(", row {number}: the id or the person is empty")).with_hint("every row needs both"));
            }
            has_addresses |= !field(address).is_empty();
            let truth = Truth {
                person: people.person(person),
                address: people.addresses.of(hash(field(address))),
                origin: if origin.is_some() { people.origin(field(origin)) } else { 0 },
            };
            match by_id.entry(hash(id)) {
                Entry::Occupied(_) => return Err(bad(format!(", row {number}: an earlier row has this id")).with_hint("ids must differ")),
                Entry::Vacant(place) => place.insert((truth, false)),
            };
        }
        Ok(Self { label, by_id, has_addresses, has_origins: origin.is_some() })
    }

    /// The truth of every row of `rows`, in order, with what `look` sees of it.
    ///
    /// # Errors
    /// As [`RowReader`]'s; exit 3: an id that has no truth, or that an earlier row has.
    pub(super) fn label<K: Send>(mut self, rows: &Path, look: impl Fn(&RowView<'_>) -> K + Sync) -> Result<(Vec<Truth>, Vec<K>), Failure> {
        let (mut truths, mut seen) = (Vec::new(), Vec::new());
        let mut reader = RowReader::open(&Source::File(rows.to_owned()), &CsvOptions::default())?;
        for_each_ordered(
            || reader.next_chunk(),
            |chunk| Ok(chunk.iter().map(|view| (hash(view.id.trim_ascii().as_bytes()), look(&view))).collect::<Vec<_>>()),
            |ids| {
                for (id, look) in ids {
                    let at = || format!("{}, row {}: ", rows.display(), truths.len() + 1);
                    let Some((truth, taken)) = self.by_id.get_mut(&id) else {
                        return Err(Failure::input("no_truth", format!("{}{} does not have its id", at(), self.label))
                            .with_hint("every row needs a row of the same id in the truth file"));
                    };
                    if std::mem::replace(taken, true) {
                        return Err(Failure::input("duplicate_id", format!("{}an earlier row has this id", at()))
                            .with_hint("give every row an id of its own"));
                    }
                    truths.push(*truth);
                    seen.push(look);
                }
                Ok(())
            },
        )?;
        if u32::try_from(truths.len()).is_err() {
            return Err(Failure::input("too_many_rows", format!("{} has more rows than can be counted here", rows.display())));
        }
        Ok((truths, seen))
    }
}
