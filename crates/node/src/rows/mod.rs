//! CSV in, for both roles: which columns are read, how bytes become fields, and what is wrong with a file or with a row.
//!
//! A file that cannot be read as what it claims to be is a [`Failure`](crate::failure::Failure) that names the row; a row that cannot be
//! used is a row with a [`RowProblem`], and is accounted for. Neither ever shows a value.

mod chunk;
mod columns;
mod duplicates;
mod options;
mod reader;
mod scan;

pub use chunk::{CHUNK_ROWS_MAX, FIELD_BYTES_MAX, NameFields, RecordText, RowChunk, RowProblem, RowView};
pub use columns::Field;
pub use duplicates::DuplicateIds;
pub use options::{CsvOptions, Delimiter, Encoding, FieldMap, Source};
pub use reader::{InputSummary, RowReader};
pub use scan::RECORD_BYTES_MAX;

#[cfg(test)]
mod tests;
