//! Rows on their way from the reader to the threads that make tokens of them: one arena a chunk, no allocation a field.

use super::columns::{FIELDS, Field, RowLayout};

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
    /// The verifier's `order_date`, unparsed; empty where the rows are not a request's.
    pub order_date: &'a str,
    /// The verifier's `person_id`; likewise.
    pub person_id: &'a str,
}

/// What a row's tokens depend on, as one text: the fields of the record in the order of the ruleset, end to end.
#[derive(Clone, Copy)]
pub struct RecordText<'a> {
    /// Whether the name is one field; otherwise it is four.
    pub whole_name: bool,
    lengths: [usize; RECORD_FIELDS],
    /// The fields, end to end.
    pub text: &'a str,
}

/// Fields of a record whose name is in four.
const RECORD_FIELDS: usize = 9;

impl RecordText<'_> {
    /// The length of each field in bytes, those that the file does not have included: name, or given, middle, family name and suffix; address,
    /// unit, city, state, postal code.
    #[must_use]
    pub fn lengths(&self) -> &[usize] {
        &self.lengths[..if self.whole_name { RECORD_FIELDS - 3 } else { RECORD_FIELDS }]
    }
}

impl std::fmt::Debug for RecordText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecordText(redacted)")
    }
}

/// Up to [`CHUNK_ROWS_MAX`] rows, owned and `Send`.
pub struct RowChunk {
    first_number: u64,
    layout: RowLayout,
    text: String,
    /// For each row, where each field of the layout ends; a field begins where the one before it ended.
    ends: Vec<u32>,
    problems: Vec<Option<RowProblem>>,
}

/// A chunk in the making: that its fields are text is known when it is done.
pub(super) struct ChunkMaker {
    first_number: u64,
    layout: RowLayout,
    text: Vec<u8>,
    ends: Vec<u32>,
    problems: Vec<Option<RowProblem>>,
    /// Where in `ends` the row under way begins.
    row: usize,
    rows_max: usize,
}

impl ChunkMaker {
    /// For up to `rows_max` rows from this number on, of about `text_bytes` in all.
    pub(super) fn new(first_number: u64, layout: RowLayout, text_bytes: usize, rows_max: usize) -> Self {
        // The first chunk may be a small file's only one.
        let rows = if text_bytes == 0 { 0 } else { rows_max };
        let ends = Vec::with_capacity(rows * layout.fields().len());
        Self { first_number, layout, text: Vec::with_capacity(text_bytes), ends, problems: Vec::with_capacity(rows), row: 0, rows_max }
    }

    /// Appends the next field of the row under way. Fields come in the order of the layout.
    pub(super) fn push(&mut self, field: &[u8]) {
        self.text.extend_from_slice(field);
        self.ends.push(self.end());
    }

    /// Appends a row's number as its id.
    pub(super) fn push_number(&mut self, number: u64) {
        use std::io::Write;
        // A vector takes all that is written.
        let _ = write!(self.text, "{number}");
        self.ends.push(self.end());
    }

    /// Where the text ends. A full chunk takes one more record at most: far less than such a number counts.
    fn end(&self) -> u32 {
        self.text.len() as u32
    }

    /// Leaves of the row under way its id alone; whether what goes was text.
    pub(super) fn keep_id(&mut self) -> bool {
        let Some(row) = self.ends.get_mut(self.row..) else { return true };
        let Some((&mut id, others)) = row.split_first_mut() else { return true };
        let mut begin = id;
        let is_text = others.iter().all(|end| {
            let field = self.text.get(std::mem::replace(&mut begin, *end) as usize..*end as usize);
            field.is_some_and(|field| std::str::from_utf8(field).is_ok())
        });
        if is_text {
            others.fill(id);
            self.text.truncate(id as usize);
        }
        is_text
    }

    /// Ends the row under way; fields that were not appended are empty.
    pub(super) fn end_row(&mut self, problem: Option<RowProblem>) {
        self.row += self.layout.fields().len();
        self.ends.resize(self.row, self.end());
        self.problems.push(problem);
    }

    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= self.rows_max || self.text.len() >= CHUNK_TEXT_BYTES
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    /// The chunk of the rows that were ended.
    ///
    /// # Errors
    /// The number of the first row that has a field which is not UTF-8.
    pub(super) fn finish(self) -> Result<RowChunk, u64> {
        let Self { first_number, layout, text, ends, problems, .. } = self;
        match String::from_utf8(text) {
            // Fields are text where all of them end to end are and none begins within a character.
            Ok(text) if text.is_ascii() || ends.iter().all(|end| text.is_char_boundary(*end as usize)) => {
                Ok(RowChunk { first_number, layout, text, ends, problems })
            }
            Ok(text) => Err(first_number + first_row_without_text(text.as_bytes(), &ends, &layout)),
            Err(error) => Err(first_number + first_row_without_text(error.as_bytes(), &ends, &layout)),
        }
    }
}

/// The index of the first row that has a field which is not UTF-8.
fn first_row_without_text(text: &[u8], ends: &[u32], layout: &RowLayout) -> u64 {
    let mut begin = 0;
    let wrong = ends.iter().position(|&end| {
        let field = text.get(std::mem::replace(&mut begin, end) as usize..end as usize).unwrap_or_default();
        std::str::from_utf8(field).is_err()
    });
    (wrong.unwrap_or_default() / layout.fields().len()) as u64
}

impl RowChunk {
    /// The number of its first row, from 1.
    #[must_use]
    pub fn first_number(&self) -> u64 {
        self.first_number
    }

    /// The number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.problems.len()
    }

    /// Whether it holds no row. The reader hands out no such chunk.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.problems.is_empty()
    }

    /// The row at `index` of the chunk, from 0.
    #[must_use]
    pub fn row(&self, index: usize) -> Option<RowView<'_>> {
        let (mut begin, ends) = self.ends_of(index)?;
        let mut fields = [""; FIELDS];
        for (&field, &end) in self.layout.fields().iter().zip(ends) {
            fields[field as usize] = self.text.get(begin as usize..end as usize)?;
            begin = end;
        }
        let of = |field: Field| fields[field as usize];
        Some(RowView {
            number: self.first_number + index as u64,
            id: of(Field::Id),
            problem: *self.problems.get(index)?,
            name: if self.layout.whole_name {
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
            person_id: of(Field::PersonId),
        })
    }

    /// The fields that the file has, with the text of each of the row at `index`, in the order of [`Field`]; an id only where it comes from a
    /// column. The text is without blanks (space, tab, line feed, form feed, carriage return) at either end. This is what a request commits to.
    pub fn fields(&self, index: usize) -> impl Iterator<Item = (Field, &str)> {
        let (begin, ends) = self.ends_of(index).unwrap_or_default();
        let fields = self.layout.fields().iter().zip(ends).scan(begin, |begin, (&field, &end)| {
            let text = self.text.get(std::mem::replace(begin, end) as usize..end as usize)?;
            Some((field, text.trim_matches(|c: char| c.is_ascii_whitespace())))
        });
        fields.filter(|(field, _)| self.layout.is_of_file(*field))
    }

    /// What the tokens of the row at `index` depend on, whatever the file calls its columns and in whatever order it has them.
    #[must_use]
    pub fn record(&self, index: usize) -> Option<RecordText<'_>> {
        let (_, ends) = self.ends_of(index)?;
        let (&first, others) = ends.split_first()?;
        let whole_name = self.layout.whole_name;
        let after_name = if whole_name { 1 } else { 4 };
        let (mut lengths, mut end) = ([0; RECORD_FIELDS], first);
        for (&field, &its_end) in self.layout.fields().get(1..)?.iter().zip(others) {
            let place = match field {
                Field::Name | Field::GivenName => 0,
                Field::MiddleName => 1,
                Field::FamilyName => 2,
                Field::Suffix => 3,
                // A plan maps at most one of the two.
                Field::Address | Field::Street => after_name,
                Field::Unit => after_name + 1,
                Field::City => after_name + 2,
                Field::State => after_name + 3,
                Field::PostalCode => after_name + 4,
                Field::Id | Field::OrderDate | Field::PersonId => continue,
            };
            *lengths.get_mut(place)? = (its_end - end) as usize;
            end = its_end;
        }
        Some(RecordText { whole_name, lengths, text: self.text.get(first as usize..end as usize)? })
    }

    /// What the tokens of each row depend on, in order.
    pub fn records(&self) -> impl Iterator<Item = RecordText<'_>> {
        (0..self.len()).filter_map(|index| self.record(index))
    }

    /// Where a row begins, and where each of its fields ends.
    fn ends_of(&self, index: usize) -> Option<(u32, &[u32])> {
        let count = self.layout.fields().len();
        let at = index.checked_mul(count)?;
        let begin = match at.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        Some((begin, self.ends.get(at..at.checked_add(count)?)?))
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
