//! What is known of the bytes while they stream by: their digest, and where records and quotes begin and end.
//!
//! The csv crate takes a quote that is never closed as a field that reaches to the end of the file, in silence, and holds a record of any length in
//! memory. So the bytes pass through a small state machine first, which follows the same grammar (a test holds the two together) and
//! knows the row.

use std::io::{self, Read};

use sha2::{Digest, Sha256};

/// Bytes that one record may have, its quotes and delimiters included.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Why the bytes are not a CSV file, whatever they hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ScanFault {
    /// A byte-order mark of UTF-16.
    Utf16,
    /// The quote opened in this record (from 0, the header included) is never closed.
    UnterminatedQuote { record: u64 },
    /// This record (from 0, the header included) is longer than [`RECORD_BYTES_MAX`].
    RecordTooLong { record: u64, quoted: bool },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Between records: line ends here make no record.
    Record,
    /// At the first byte of a field that is not the record's first.
    Field,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of an escaped quote.
    QuoteInQuoted,
}

/// A `Read` that hashes what passes, drops byte-order marks of UTF-8 and follows records and quotes.
pub(super) struct ScanRead<R> {
    inner: R,
    delimiter: u8,
    digest: Sha256,
    bytes: u64,
    state: State,
    /// Records that ended.
    records: u64,
    record_bytes: u64,
    fault: Option<ScanFault>,
    /// The first bytes, until there are enough of them to know a mark.
    head: Vec<u8>,
    head_done: bool,
    head_given: usize,
    ended: bool,
}

impl<R: Read> ScanRead<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self {
            inner,
            delimiter,
            digest: Sha256::new(),
            bytes: 0,
            state: State::Record,
            records: 0,
            record_bytes: 0,
            fault: None,
            head: Vec::new(),
            head_done: false,
            head_given: 0,
            ended: false,
        }
    }

    /// Bytes that came in.
    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes
    }

    pub(super) fn fault(&self) -> Option<ScanFault> {
        self.fault
    }

    /// Records seen, the header included; final once the end was read.
    #[cfg(test)]
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// SHA-256 of every byte that came in.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    /// Reads from the inner source and hashes.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.inner.read(buffer) {
                Ok(n) => {
                    self.digest.update(&buffer[..n]);
                    self.bytes += n as u64;
                    return Ok(n);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Reads until the first bytes are no byte-order mark and no beginning of one.
    fn read_head(&mut self) -> io::Result<()> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let mut buffer = [0; 4_096];
        while !self.head_done {
            while self.head.starts_with(MARK) {
                self.head.drain(..MARK.len());
            }
            if self.head.starts_with(b"\xFF\xFE") || self.head.starts_with(b"\xFE\xFF") {
                self.fault = Some(ScanFault::Utf16);
            }
            if self.head.len() >= MARK.len() {
                break;
            }
            match self.fill(&mut buffer)? {
                0 => break,
                n => self.head.extend_from_slice(&buffer[..n]),
            }
        }
        self.head_done = true;
        Ok(())
    }

    fn end(&mut self) {
        if self.ended {
            return;
        }
        self.ended = true;
        if self.state == State::Quoted && self.fault.is_none() {
            self.fault = Some(ScanFault::UnterminatedQuote { record: self.records });
        }
        if self.state != State::Record {
            self.records += 1;
        }
    }

    fn scan(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.record_bytes += 1;
            let line_end = byte == b'\n' || byte == b'\r';
            self.state = match self.state {
                State::Quoted if byte == b'"' => State::QuoteInQuoted,
                State::Quoted => State::Quoted,
                State::QuoteInQuoted | State::Record | State::Field if byte == b'"' => State::Quoted,
                State::Record if line_end => {
                    self.record_bytes = 0;
                    State::Record
                }
                _ if line_end => {
                    self.records += 1;
                    self.record_bytes = 0;
                    State::Record
                }
                _ if byte == self.delimiter => State::Field,
                _ => State::Plain,
            };
            if self.record_bytes > RECORD_BYTES_MAX && self.fault.is_none() {
                self.fault = Some(ScanFault::RecordTooLong { record: self.records, quoted: self.state == State::Quoted });
            }
        }
    }
}

impl<R: Read> Read for ScanRead<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.head_done {
            self.read_head()?;
        }
        let n = if self.head_given < self.head.len() {
            let n = buffer.len().min(self.head.len() - self.head_given);
            buffer[..n].copy_from_slice(&self.head[self.head_given..self.head_given + n]);
            self.head_given += n;
            n
        } else if self.fault.is_some() {
            // What follows a fault is not worth holding in memory; the reader asks for the fault before it uses a record.
            0
        } else {
            self.fill(buffer)?
        };
        if n == 0 {
            self.end();
        } else {
            self.scan(&buffer[..n]);
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(bytes: &[u8], step: usize) -> (ScanRead<&[u8]>, Vec<u8>) {
        let mut scan = ScanRead::new(bytes, b',');
        let (mut out, mut buffer) = (Vec::new(), vec![0; step]);
        loop {
            match scan.read(&mut buffer).unwrap() {
                0 => return (scan, out),
                n => out.extend_from_slice(&buffer[..n]),
            }
        }
    }

    fn parse(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        reader.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The csv crate's own reading is the oracle: a line put after the input is a record of its own, unless a quote is open.
        #[test]
        fn agrees_with_the_csv_crate(symbols in prop::collection::vec(prop::sample::select(vec![b'a', b',', b'"', b'\n', b'\r', b' ']), 0..40), step in 1_usize..9) {
            let (state, out) = scan(&symbols, step);
            prop_assert_eq!(&out, &symbols);
            prop_assert_eq!(state.records(), parse(&symbols).len() as u64);
            let mut longer = symbols.clone();
            longer.extend_from_slice(b"\nZ");
            let records = parse(&longer);
            let open = records.last() != Some(&vec![b"Z".to_vec()]);
            match state.fault() {
                Some(ScanFault::UnterminatedQuote { record }) => {
                    prop_assert!(open);
                    prop_assert_eq!(record, records.len() as u64 - 1);
                }
                None => prop_assert!(!open),
                Some(other) => prop_assert!(false, "{other:?}"),
            }
        }

        #[test]
        fn any_bytes_pass_unchanged_but_for_marks(bytes in prop::collection::vec(any::<u8>(), 0..200), step in 1_usize..50) {
            let (state, out) = scan(&bytes, step);
            prop_assert_eq!(state.digest(), <[u8; 32]>::from(Sha256::digest(&bytes)));
            if !bytes.starts_with(&[0xEF]) && state.fault() != Some(ScanFault::Utf16) {
                prop_assert_eq!(out, bytes);
            }
        }
    }

    #[test]
    fn marks_are_dropped_or_refused() {
        for step in [1, 2, 3, 100] {
            assert_eq!(scan(b"\xEF\xBB\xBFa,b\n", step).1, b"a,b\n");
            assert_eq!(scan(b"\xEF\xBB\xBF\xEF\xBB\xBFa,b\n", step).1, b"a,b\n");
            assert_eq!(scan(b"\xEF\xBB", step).1, b"\xEF\xBB");
            assert_eq!(scan(b"\xFF\xFEa\0", step).0.fault(), Some(ScanFault::Utf16));
            assert_eq!(scan(b"\xFE\xFF\0a", step).0.fault(), Some(ScanFault::Utf16));
        }
    }

    #[test]
    fn a_record_without_end_is_not_read_to_its_end() {
        let endless = io::repeat(b'x').take(4 * RECORD_BYTES_MAX);
        let mut state = ScanRead::new(endless, b',');
        let mut buffer = vec![0; 1 << 20];
        while state.read(&mut buffer).unwrap() > 0 {}
        assert_eq!(state.fault(), Some(ScanFault::RecordTooLong { record: 0, quoted: false }));
        assert!(state.bytes_in() < 2 * RECORD_BYTES_MAX);
    }
}
