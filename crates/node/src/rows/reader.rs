//! The reader: bytes to chunks of rows.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use csv::ByteRecord;
use encoding_rs::WINDOWS_1252;

use super::chunk::{FIELD_BYTES_MAX, RowChunk, RowProblem};
use super::columns::{ColumnPlan, FIELDS, Field};
use super::options::{CsvOptions, Encoding, Source};
use super::scan::{RECORD_BYTES_MAX, ScanFault, ScanRead};
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
    csv: csv::Reader<ScanRead<Box<dyn Read + Send>>>,
    record: ByteRecord,
    plan: ColumnPlan,
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
        let delimiter = options.delimiter.0;
        let mut csv = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .buffer_capacity(1 << 16)
            .from_reader(ScanRead::new(inner, delimiter));
        let mut record = ByteRecord::new();
        let header = match &options.columns {
            Some(columns) => columns.iter().map(|c| if c.trim() == "-" { String::new() } else { c.clone() }).collect(),
            None => {
                let got = csv.read_byte_record(&mut record).map_err(|e| cannot_parse(&label, e))?;
                check_fault(&csv, &label, true)?;
                if !got {
                    return Err(Failure::input("empty_file", format!("{label} is empty"))
                        .with_hint("give a CSV file with a header line and at least one row"));
                }
                record.iter().map(|name| decode_lossy(name, options.encoding)).collect::<Vec<_>>()
            }
        };
        let plan = ColumnPlan::new(&header, options, &label)?;
        Ok(Self {
            csv,
            record,
            plan,
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

    /// Whether the file has a column `order_date`.
    #[must_use]
    pub fn has_order_date(&self) -> bool {
        self.plan.get(Field::OrderDate).is_some()
    }

    /// Whether ids come from a column; otherwise they are the rows' numbers.
    #[must_use]
    pub fn has_id(&self) -> bool {
        self.plan.get(Field::Id).is_some()
    }

    /// The next rows, `None` after the last.
    ///
    /// # Errors
    /// Exit 3, with the number of the row: a quote that is never closed, bytes that are not text in the encoding, a record over
    /// [`RECORD_BYTES_MAX`], a file that cannot be read further; and a file without any row.
    pub fn next_chunk(&mut self) -> Result<Option<RowChunk>, Failure> {
        let mut chunk = RowChunk::new(self.next_number, self.plan.whole_name());
        while !self.ended && !chunk.is_full() {
            let got = self.csv.read_byte_record(&mut self.record).map_err(|e| cannot_parse(&self.label, e))?;
            // The scanner runs ahead of the parser, so a fault is known before the record it spoils is used.
            check_fault(&self.csv, &self.label, self.has_header)?;
            if !got {
                self.ended = true;
                break;
            }
            self.push(&mut chunk)?;
            self.next_number += 1;
        }
        self.bytes_read.store(self.csv.get_ref().bytes_in(), Ordering::Relaxed);
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
        let scan = self.csv.get_ref();
        InputSummary { rows: self.next_number - 1, bytes: scan.bytes_in(), sha256: scan.digest() }
    }

    fn push(&mut self, chunk: &mut RowChunk) -> Result<(), Failure> {
        let number = self.next_number;
        let own_id = if self.has_id() { String::new() } else { number.to_string() };
        let mut texts: [std::borrow::Cow<'_, str>; FIELDS] = std::array::from_fn(|_| "".into());
        let mut problem = (self.record.len() != self.plan.width).then_some(RowProblem::WrongFieldCount);
        texts[Field::Id as usize] = own_id.as_str().into();
        for (slot, column) in self.plan.column.iter().enumerate() {
            let is_id = slot == Field::Id as usize;
            // Of a row that is not understood only the id is kept, where it is in its place.
            if problem.is_some() && !is_id {
                continue;
            }
            let Some(bytes) = column.and_then(|c| self.record.get(c)) else { continue };
            if bytes.len() > FIELD_BYTES_MAX && !is_id {
                problem = Some(RowProblem::FieldTooLong);
                continue;
            }
            texts[slot] = match self.encoding {
                Encoding::Windows1252 => WINDOWS_1252.decode_without_bom_handling(bytes).0,
                Encoding::Utf8 => std::str::from_utf8(bytes).map_err(|_| not_utf8(&self.label, number))?.into(),
            };
        }
        let mut fields = [""; FIELDS];
        for (slot, text) in texts.iter().enumerate() {
            if problem.is_none() || slot == Field::Id as usize {
                fields[slot] = text;
            }
        }
        chunk.push(&fields, problem);
        Ok(())
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

fn cannot_parse(label: &str, error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(e) => cannot_read(label, &e),
        // Records are flexible and are taken as bytes: the csv crate has nothing else to complain of.
        _ => Failure::bug("the CSV parser gave an error that it should not"),
    }
}

fn not_utf8(label: &str, row: u64) -> Failure {
    Failure::input("not_utf8", format!("{label}, row {row}: the bytes are not UTF-8"))
        .with_hint("if the file comes from an older Windows or Latin-1 system, add --encoding windows-1252")
}

fn check_fault(csv: &csv::Reader<ScanRead<Box<dyn Read + Send>>>, label: &str, has_header: bool) -> Result<(), Failure> {
    let place = |record: u64| match (has_header, record) {
        (true, 0) => "the header".to_owned(),
        (true, n) => format!("row {n}"),
        (false, n) => format!("row {}", n + 1),
    };
    const QUOTE_HINT: &str = "look for a \" at the beginning of a field there; inside a quoted field a quote is written twice";
    match csv.get_ref().fault() {
        None => Ok(()),
        Some(ScanFault::Utf16) => {
            Err(Failure::input("utf16", format!("{label} is UTF-16")).with_hint("save it as CSV UTF-8 and try again"))
        }
        Some(ScanFault::UnterminatedQuote { record }) => {
            Err(Failure::input("unterminated_quote", format!("{label}, {}: a quote is opened and never closed", place(record)))
                .with_hint(QUOTE_HINT))
        }
        Some(ScanFault::RecordTooLong { record, quoted }) => {
            let mb = RECORD_BYTES_MAX >> 20;
            Err(Failure::input("record_too_long", format!("{label}, {}: more than {mb} MiB without an end of the record", place(record)))
                .with_hint(if quoted { QUOTE_HINT } else { "check that the file is CSV and that its lines end" }))
        }
    }
}
