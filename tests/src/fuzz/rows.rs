//! CSV files of any bytes.

use std::io::{self, Read};
use std::str::FromStr;

use oblink_node::failure::Exit;
use oblink_node::rows::{CsvOptions, Delimiter, Encoding, Field, FieldMap, InputSummary, NameFields, RowReader};
use sha2::{Digest, Sha256};

use super::input::Input;

/// What was read of a file, as far as it went.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// SHA-256 over all that every row gave.
    rows_digest: [u8; 32],
    rows: u64,
    end: Result<InputSummary, (Exit, String)>,
}

/// A source that gives its bytes in pieces of at most so many.
struct Pieces {
    bytes: Vec<u8>,
    at: usize,
    most: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let some = (self.bytes.len() - self.at).min(self.most).min(buffer.len());
        buffer[..some].copy_from_slice(&self.bytes[self.at..self.at + some]);
        self.at += some;
        Ok(some)
    }
}

/// Four bytes of options, then the file.
///
/// Held: no panic; rows are numbered from 1 without a gap, as many as the summary says; the digest and the length are the file's; a row with a
/// problem shows no field but its id, and every row gives as much as every other; how the source gives its bytes changes nothing; where the
/// csv crate finds the same file whole, it finds the same records.
pub fn rows(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let delimiter = [",", ";", "tab", "|", " ", "'", "-"][input.choice(7)];
    let flags = input.u8();
    let options = CsvOptions {
        delimiter: Delimiter::from_str(delimiter).unwrap(),
        encoding: if flags & 1 == 0 { Encoding::Utf8 } else { Encoding::Windows1252 },
        map: [(2, "name=N"), (4, "id=K"), (8, "address=A=b"), (16, "given_name=name")]
            .iter()
            .filter(|(bit, _)| flags & bit != 0)
            .map(|(_, map)| FieldMap::from_str(map).unwrap())
            .collect(),
        columns: (flags & 32 != 0).then(|| ["id", "name", "-", "address", "postal_code"].map(str::to_owned).to_vec()),
        of_request: flags & 64 != 0,
    };
    let most = 1 + usize::from(input.u16());
    let file = input.rest();
    let whole = read(file, usize::MAX, &options);
    let pieces = read(file, most, &options);
    assert_eq!(whole, pieces, "how the source gives its bytes changes nothing");
    if let Ok(summary) = &whole.end {
        assert_eq!(summary.rows, whole.rows);
        assert_eq!(summary.bytes, file.len() as u64);
        assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(file)));
        assert_eq!(summary.rows, csv_rows(file, delimiter, options.columns.is_none()), "as many rows as the csv crate finds");
    }
}

fn read(file: &[u8], most: usize, options: &CsvOptions) -> Found {
    let source = Box::new(Pieces { bytes: file.to_vec(), at: 0, most });
    let mut digest = Sha256::new();
    let mut rows = 0;
    let run = || {
        let mut reader = RowReader::from_read(source, Some(file.len() as u64), "a file".to_owned(), options)?;
        let dated = reader.has(Field::OrderDate);
        assert!(options.of_request || !dated, "dates are a request's");
        while let Some(chunk) = reader.next_chunk()? {
            assert_eq!(chunk.first_number(), rows + 1, "rows are numbered without a gap");
            assert!(!chunk.is_empty());
            assert_eq!(chunk.records().count(), chunk.len());
            assert_eq!(chunk.iter().count(), chunk.len());
            for (index, row) in chunk.iter().enumerate() {
                rows += 1;
                assert_eq!(row.number, rows);
                let record = chunk.record(index).unwrap();
                assert_eq!(record.lengths().iter().sum::<usize>(), record.text.len(), "the fields are the record's text");
                let (a, b, c, d) = match row.name {
                    NameFields::Whole(name) => (name, "", "", ""),
                    NameFields::Parts { given, middle, family, suffix } => (given, middle, family, suffix),
                };
                let fields = [a, b, c, d, row.address, row.unit, row.city, row.state, row.postal_code, row.order_date, row.person_id];
                assert!(row.problem.is_none() || fields.iter().all(|field| field.is_empty()), "no fields of a row with a problem");
                assert!(options.of_request || (row.order_date.is_empty() && row.person_id.is_empty()));
                digest.update(format!("{:?}", row.problem));
                for field in [row.id].iter().chain(&fields) {
                    digest.update((field.len() as u64).to_be_bytes());
                    digest.update(field.as_bytes());
                }
                for (field, text) in chunk.fields(index) {
                    digest.update([field as u8]);
                    digest.update(text.as_bytes());
                }
            }
        }
        Ok::<_, oblink_node::failure::Failure>(reader.summary())
    };
    let end = run().map_err(|failure| (failure.exit(), failure.to_string()));
    if let Err((exit, _)) = &end {
        assert!(matches!(exit, Exit::BadInput | Exit::Usage), "a bad file is bad input");
    }
    Found { rows_digest: digest.finalize().into(), rows, end }
}

/// Rows that the csv crate finds in a file without a fault.
fn csv_rows(mut file: &[u8], delimiter: &str, has_header: bool) -> u64 {
    let byte = if delimiter == "tab" { b'\t' } else { delimiter.as_bytes()[0] };
    while let Some(rest) = file.strip_prefix(b"\xef\xbb\xbf") {
        file = rest;
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(byte).has_headers(has_header).flexible(true).from_reader(file);
    reader.byte_records().count() as u64
}
