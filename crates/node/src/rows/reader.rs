//! The reader: bytes to chunks of rows.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use encoding_rs::WINDOWS_1252;

use super::chunk::{CHUNK_TEXT_BYTES, ChunkMaker, FIELD_BYTES_MAX, RowChunk, RowProblem};
use super::columns::{ColumnPlan, Field, RowLayout};
use super::options::{CsvOptions, Encoding, Source};
use super::scan::{RECORD_BYTES_MAX, ReadFault, Records, ScanFault};
use crate::failure::{Failure, io_cause};

/// What is known of an input that was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSummary {
    /// Data rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// SHA-256 of the bytes as they came, marks and header included.
    pub sha256: [u8; 32],
}

/// Reads a CSV file as chunks of rows, in order, in memory that does not depend on its length.
pub struct RowReader {
    records: Records<Box<dyn Read + Send>>,
    plan: ColumnPlan,
    layout: RowLayout,
    /// Text of the chunk before, and a little more: what the next one will hold.
    text_bytes: usize,
    encoding: Encoding,
    label: String,
    has_header: bool,
    next_number: u64,
    bytes_total: Option<u64>,
    bytes_read: Arc<AtomicU64>,
    ended: bool,
}

impl RowReader {
    /// Opens `source` and finds its columns.
    ///
    /// # Errors
    /// Exit 3: the file cannot be opened, is empty, is UTF-16, or lacks a required column. Exit 2: the mappings contradict each other.
    pub fn open(source: &Source, options: &CsvOptions) -> Result<Self, Failure> {
        let label = source.label();
        let (inner, bytes_total): (Box<dyn Read + Send>, _) = match source {
            Source::Stdin => (Box::new(io::stdin()), None),
            Source::File(path) => {
                let file = File::open(path).map_err(|e| cannot_read(&label, &e))?;
                let metadata = file.metadata().map_err(|e| cannot_read(&label, &e))?;
                if metadata.is_dir() {
                    return Err(cannot_read(&label, &io::ErrorKind::IsADirectory.into()));
                }
                (Box::new(file), metadata.is_file().then_some(metadata.len()))
            }
        };
        Self::from_read(inner, bytes_total, label, options)
    }

    /// Reads from `inner`, of `bytes_total` bytes where that is known; messages call it `label`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn from_read(inner: Box<dyn Read + Send>, bytes_total: Option<u64>, label: String, options: &CsvOptions) -> Result<Self, Failure> {
        let mut records = Records::new(inner, options.delimiter.0);
        let header = match &options.columns {
            Some(columns) => columns.iter().map(|c| if c.trim() == "-" { String::new() } else { c.clone() }).collect(),
            None => {
                if !records.read().map_err(|fault| cannot_divide(fault, &label, true))? {
                    return Err(Failure::input("empty_file", format!("{label} is empty"))
                        .with_hint("give a CSV file with a header line and at least one row"));
                }
                (0..records.count()).filter_map(|i| records.field(i)).map(|name| decode_lossy(name, options.encoding)).collect::<Vec<_>>()
            }
        };
        let plan = ColumnPlan::new(&header, options, &label)?;
        records.want(plan.width);
        Ok(Self {
            records,
            layout: plan.layout(),
            plan,
            text_bytes: 0,
            encoding: options.encoding,
            label,
            has_header: options.columns.is_none(),
            next_number: 1,
            bytes_total,
            bytes_read: Arc::default(),
            ended: false,
        })
    }

    /// The bytes of the input, where it is a file.
    #[must_use]
    pub fn bytes_total(&self) -> Option<u64> {
        self.bytes_total
    }

    /// A counter of the bytes read so far, for a progress bar; it moves once a chunk.
    #[must_use]
    pub fn bytes_read(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.bytes_read)
    }

    /// Whether the file has a column for `field`, and it is read.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.plan.get(field).is_some()
    }

    /// The fields that are read of the file's columns, in the order of [`Field`].
    pub(crate) fn fields(&self) -> impl Iterator<Item = Field> {
        self.layout.fields().iter().copied().filter(|field| self.layout.is_of_file(*field))
    }

    /// The number of the file's columns.
    pub(crate) fn width(&self) -> usize {
        self.plan.width
    }

    /// The next rows, `None` after the last.
    ///
    /// # Errors
    /// Exit 3, with the number of the row: a quote that is never closed, bytes that are not text in the encoding, a record over
    /// [`RECORD_BYTES_MAX`], a file that cannot be read further; and a file without any row.
    pub fn next_chunk(&mut self) -> Result<Option<RowChunk>, Failure> {
        let mut chunk = ChunkMaker::new(self.next_number, self.layout, self.text_bytes);
        let mut fault = None;
        while !self.ended && !chunk.is_full() {
            match self.records.read() {
                Ok(true) => {
                    self.push(&mut chunk);
                    self.next_number += 1;
                }
                Ok(false) => self.ended = true,
                Err(why) => {
                    fault = Some(why);
                    break;
                }
            }
        }
        self.bytes_read.store(self.records.bytes_in(), Ordering::Relaxed);
        self.text_bytes = (chunk.text_bytes() + chunk.text_bytes() / 16).min(CHUNK_TEXT_BYTES);
        // Of two things that are wrong the one that comes first is told.
        let chunk = chunk.finish().map_err(|row| not_utf8(&self.label, row))?;
        if let Some(fault) = fault {
            return Err(cannot_divide(fault, &self.label, self.has_header));
        }
        if self.next_number == 1 {
            let what = if self.has_header { "has a header and no row" } else { "is empty" };
            return Err(Failure::input("empty_file", format!("{} {what}", self.label)).with_hint("give a CSV file with at least one row"));
        }
        Ok((!chunk.is_empty()).then_some(chunk))
    }

    /// Calls `each` with every chunk in order, and tells what was read.
    ///
    /// # Errors
    /// As [`next_chunk`](Self::next_chunk); and whatever `each` returns, at once.
    pub fn for_each_chunk(mut self, mut each: impl FnMut(RowChunk) -> Result<(), Failure>) -> Result<InputSummary, Failure> {
        while let Some(chunk) = self.next_chunk()? {
            each(chunk)?;
        }
        Ok(self.summary())
    }

    /// What was read; of the whole input once [`next_chunk`](Self::next_chunk) has given `None`.
    #[must_use]
    pub fn summary(&self) -> InputSummary {
        InputSummary { rows: self.next_number - 1, bytes: self.records.bytes_in(), sha256: self.records.digest() }
    }

    fn push(&mut self, chunk: &mut ChunkMaker) {
        let mut problem = (self.records.count() != self.plan.width).then_some(RowProblem::WrongFieldCount);
        for &field in self.layout.fields() {
            let Some(column) = self.plan.get(field) else {
                // The one field that a row has without a column.
                chunk.push_number(self.next_number);
                continue;
            };
            let bytes = self.records.field(column).unwrap_or_default();
            if field != Field::Id {
                // Of a row that is not understood only the id is kept, where it is in its place.
                if problem.is_some() {
                    break;
                }
                if bytes.len() > FIELD_BYTES_MAX {
                    // What is not text in fields before this one stays: the file is then refused for it.
                    chunk.keep_id();
                    problem = Some(RowProblem::FieldTooLong);
                    break;
                }
            }
            match self.encoding {
                Encoding::Utf8 => chunk.push(bytes),
                Encoding::Windows1252 => chunk.push(WINDOWS_1252.decode_without_bom_handling(bytes).0.as_bytes()),
            }
        }
        chunk.end_row(problem);
    }
}

impl std::fmt::Debug for RowReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowReader").field("label", &self.label).field("next_number", &self.next_number).finish_non_exhaustive()
    }
}

fn decode_lossy(bytes: &[u8], encoding: Encoding) -> String {
    match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
        Encoding::Windows1252 => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

fn cannot_read(label: &str, error: &io::Error) -> Failure {
    let failure = Failure::input("cannot_read", format!("cannot read {label}: {}", io_cause(error)));
    match error.kind() {
        io::ErrorKind::NotFound => failure.with_hint("check the path given to --input"),
        io::ErrorKind::IsADirectory => failure.with_hint("--input takes a CSV file, or - for standard input"),
        io::ErrorKind::PermissionDenied => failure.with_hint("run as a user who may read it, or let this user read it"),
        _ => failure,
    }
}

fn not_utf8(label: &str, row: u64) -> Failure {
    Failure::input("not_utf8", format!("{label}, row {row}: the bytes are not UTF-8"))
        .with_hint("if the file comes from an older Windows or Latin-1 system, add --encoding windows-1252")
}

fn cannot_divide(fault: ReadFault, label: &str, has_header: bool) -> Failure {
    let place = |record: u64| match (has_header, record) {
        (true, 0) => "the header".to_owned(),
        (true, n) => format!("row {n}"),
        (false, n) => format!("row {}", n + 1),
    };
    const QUOTE_HINT: &str = "look for a \" at the beginning of a field there; inside a quoted field a quote is written twice";
    match fault {
        ReadFault::Io(error) => cannot_read(label, &error),
        ReadFault::Scan(ScanFault::Utf16) => {
            Failure::input("utf16", format!("{label} is UTF-16")).with_hint("save it as CSV UTF-8 and try again")
        }
        ReadFault::Scan(ScanFault::UnterminatedQuote { record }) => {
            Failure::input("unterminated_quote", format!("{label}, {}: a quote is opened and never closed", place(record)))
                .with_hint(QUOTE_HINT)
        }
        ReadFault::Scan(ScanFault::RecordTooLong { record, quoted }) => {
            let mb = RECORD_BYTES_MAX >> 20;
            Failure::input("record_too_long", format!("{label}, {}: more than {mb} MiB without an end of the record", place(record)))
                .with_hint(if quoted { QUOTE_HINT } else { "check that the file is CSV and that its lines end" })
        }
    }
}
