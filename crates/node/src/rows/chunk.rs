//! Rows on their way from the reader to the threads that make tokens of them: one arena a chunk, no allocation a field.

use super::columns::{FIELDS, Field};

/// Rows in a chunk, at most.
pub const CHUNK_ROWS_MAX: usize = 4_096;
/// A chunk is handed on when its text has reached this many bytes, however few its rows.
pub(super) const CHUNK_TEXT_BYTES: usize = 4 << 20;
/// Bytes of a field other than the id that are kept; a longer one makes its row [`RowProblem::FieldTooLong`].
pub const FIELD_BYTES_MAX: usize = 65_536;

/// Why a row cannot be used, where the CSV alone says so. What the fields hold is judged by the ruleset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowProblem {
    /// It has another number of fields than the header.
    WrongFieldCount,
    /// One of its fields is longer than [`FIELD_BYTES_MAX`].
    FieldTooLong,
}

impl RowProblem {
    /// The word in `reason` of results.csv and of the rejects.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::WrongFieldCount => "wrong_field_count",
            Self::FieldTooLong => "field_too_long",
        }
    }
}

/// The name of a row, as its file's columns give it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum NameFields<'a> {
    /// One `name` column.
    Whole(&'a str),
    /// Split columns; absent ones are empty.
    Parts {
        /// `given_name`
        given: &'a str,
        /// `middle_name`
        middle: &'a str,
        /// `family_name`
        family: &'a str,
        /// `suffix`
        suffix: &'a str,
    },
}

/// One row. Columns that the file does not have are empty.
#[derive(Clone, Copy)]
pub struct RowView<'a> {
    /// The number of the data row, from 1; blank lines and the header do not count.
    pub number: u64,
    /// The id as the file has it, or the row's number where the file has no such column.
    pub id: &'a str,
    /// What is wrong with the row as CSV. Then every field below is empty.
    pub problem: Option<RowProblem>,
    /// The name.
    pub name: NameFields<'a>,
    /// `address` or `street`.
    pub address: &'a str,
    /// `unit`
    pub unit: &'a str,
    /// `city`
    pub city: &'a str,
    /// `state`
    pub state: &'a str,
    /// `postal_code`
    pub postal_code: &'a str,
    /// The verifier's `order_date`, unparsed.
    pub order_date: &'a str,
}

/// Up to [`CHUNK_ROWS_MAX`] rows, owned and `Send`.
pub struct RowChunk {
    first_number: u64,
    whole_name: bool,
    text: String,
    /// For each row, where each of its fields ends; a field begins where the one before it ended.
    ends: Vec<[usize; FIELDS]>,
    problems: Vec<Option<RowProblem>>,
}

impl RowChunk {
    pub(super) fn new(first_number: u64, whole_name: bool) -> Self {
        Self { first_number, whole_name, text: String::new(), ends: Vec::new(), problems: Vec::new() }
    }

    /// Appends a row: `fields` in the order of [`Field`].
    pub(super) fn push(&mut self, fields: &[&str; FIELDS], problem: Option<RowProblem>) {
        let mut ends = [0; FIELDS];
        for (end, field) in ends.iter_mut().zip(fields) {
            self.text.push_str(field);
            *end = self.text.len();
        }
        self.ends.push(ends);
        self.problems.push(problem);
    }

    pub(super) fn is_full(&self) -> bool {
        self.ends.len() >= CHUNK_ROWS_MAX || self.text.len() >= CHUNK_TEXT_BYTES
    }

    /// The number of its first row, from 1.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it holds no row. The reader hands out no such chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The row at `index` of the chunk, from 0.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<RowView<'_>> {
        let ends = self.ends.get(index)?;
        let mut begin = match index.checked_sub(1) {
            Some(before) => self.ends.get(before)?[FIELDS - 1],
            None => 0,
        };
        let mut fields = [""; FIELDS];
        for (field, &end) in fields.iter_mut().zip(ends) {
            *field = self.text.get(begin..end)?;
            begin = end;
        }
        let of = |field: Field| fields[field as usize];
        Some(RowView {
            number: self.first_number + index as u64,
            id: of(Field::Id),
            problem: *self.problems.get(index)?,
            name: if self.whole_name {
                NameFields::Whole(of(Field::Name))
            } else {
                NameFields::Parts {
                    given: of(Field::GivenName),
                    middle: of(Field::MiddleName),
                    family: of(Field::FamilyName),
                    suffix: of(Field::Suffix),
                }
            },
            // A plan maps at most one of the two.
            address: if of(Field::Street).is_empty() { of(Field::Address) } else { of(Field::Street) },
            unit: of(Field::Unit),
            city: of(Field::City),
            state: of(Field::State),
            postal_code: of(Field::PostalCode),
            order_date: of(Field::OrderDate),
        })
    }

    /// Its rows in order.
    pub fn iter(&self) -> impl Iterator<Item = RowView<'_>> {
        (0..self.len()).filter_map(|index| self.row(index))
    }
}

impl std::fmt::Debug for RowChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowChunk").field("first_number", &self.first_number).field("rows", &self.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RowView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowView").field("number", &self.number).field("problem", &self.problem).finish_non_exhaustive()
    }
}
