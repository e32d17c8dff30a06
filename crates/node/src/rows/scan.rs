//! Bytes to records: blocks are read, digested, and divided where they lie.
//!
//! Only where a field may end does a byte count: everything between is passed over by the block, and a field is copied once, by whoever wants
//! it. Marks of byte order are dropped or refused, a quote that is never closed and a record without end are told with their place. The
//! grammar is the csv crate's, which reads an open quote to the end of the file in silence (a test holds the two together).

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr3};
use sha2::{Digest, Sha256};

/// Bytes that one record may have, its quotes and delimiters included.
pub const RECORD_BYTES_MAX: u64 = 64 << 20;

/// Read at a time: little enough to be in the core's own cache when it is divided, right after it was digested.
const BLOCK_BYTES: usize = 128 << 10;

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

/// Why there is no next record.
#[derive(Debug)]
pub(super) enum ReadFault {
    Io(io::Error),
    Scan(ScanFault),
}

impl From<ScanFault> for ReadFault {
    fn from(fault: ScanFault) -> Self {
        Self::Scan(fault)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    FieldBegin,
    Plain,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of an escaped quote.
    QuoteInQuoted,
}

/// The record under way, or the last one. Positions count from where it begins, so that it may be moved before it is whole.
#[derive(Debug)]
struct Progress {
    place: Place,
    /// Bytes followed so far.
    at: usize,
    /// Where the field under way begins.
    field: usize,
    /// Where its text ends: before `at` where quotes were taken out.
    out: usize,
    /// Its fields, as many as are wanted.
    fields: Vec<Range<usize>>,
    /// All its fields.
    count: usize,
    /// It ended.
    whole: bool,
}

/// The records of a source of bytes, which it also digests.
pub(super) struct Records<R> {
    inner: R,
    delimiter: u8,
    block_bytes: usize,
    record_bytes_max: usize,
    digest: Sha256,
    bytes: u64,
    marks_done: bool,
    /// The source gave its end.
    ended: bool,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read.
    filled: usize,
    /// Where in the buffer the record begins that `progress` speaks of.
    begin: usize,
    progress: Progress,
    /// Records that ended.
    records: u64,
    /// Fields of a record that are wanted; further ones are counted alone.
    wanted: usize,
}

impl<R: Read> Records<R> {
    pub(super) fn new(inner: R, delimiter: u8) -> Self {
        Self::with_sizes(inner, delimiter, BLOCK_BYTES, RECORD_BYTES_MAX as usize)
    }

    fn with_sizes(inner: R, delimiter: u8, block_bytes: usize, record_bytes_max: usize) -> Self {
        Self {
            inner,
            delimiter,
            block_bytes,
            record_bytes_max,
            digest: Sha256::new(),
            bytes: 0,
            marks_done: false,
            ended: false,
            buffer: Vec::new(),
            filled: 0,
            begin: 0,
            progress: Progress { place: Place::FieldBegin, at: 0, field: 0, out: 0, fields: Vec::new(), count: 0, whole: false },
            records: 0,
            wanted: usize::MAX,
        }
    }

    /// Keeps no more than the first `wanted` fields of each record from the next one on: one of very many takes no memory for them.
    pub(super) fn want(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    /// Bytes that came in.
    pub(super) fn bytes_in(&self) -> u64 {
        self.bytes
    }

    /// SHA-256 of every byte that came in.
    pub(super) fn digest(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    /// The number of fields of the record that [`read`](Self::read) found.
    pub(super) fn count(&self) -> usize {
        self.progress.count
    }

    /// A field of the record that [`read`](Self::read) found, without its quotes; `None` where it has not so many, or not so many are wanted.
    pub(super) fn field(&self, index: usize) -> Option<&[u8]> {
        let Range { start, end } = self.progress.fields.get(index)?.clone();
        self.buffer.get(self.begin + start..self.begin + end)
    }

    /// Goes to the next record; `false` after the last.
    ///
    /// # Errors
    /// Why there is none; the same again where it is called again.
    pub(super) fn read(&mut self) -> Result<bool, ReadFault> {
        if !self.marks_done {
            self.pass_marks()?;
        }
        if self.progress.whole {
            self.begin += self.progress.at;
            self.progress.begin();
        }
        loop {
            if self.progress.at == 0 {
                // Line ends between records make no record.
                self.begin += self.buffer[self.begin..self.filled].iter().take_while(|byte| is_line_end(**byte)).count();
            }
            if self.follow()? {
                break;
            }
            if !self.fill().map_err(ReadFault::Io)? {
                if self.progress.at == 0 {
                    return Ok(false);
                }
                if self.progress.place == Place::Quoted {
                    return Err(ScanFault::UnterminatedQuote { record: self.records }.into());
                }
                self.progress.end_field(self.wanted);
                break;
            }
        }
        self.progress.whole = true;
        self.records += 1;
        Ok(true)
    }

    /// Follows the record as far as there are bytes; whether it ended.
    fn follow(&mut self) -> Result<bool, ScanFault> {
        // One byte more than a record may have: the one at which it is too long, or its line end.
        let end = self.filled.min(self.begin + self.record_bytes_max + 1);
        let bytes = &mut self.buffer[self.begin..end];
        if self.progress.follow(bytes, self.delimiter, self.wanted) {
            return Ok(true);
        }
        if self.progress.at > self.record_bytes_max {
            return Err(ScanFault::RecordTooLong { record: self.records, quoted: self.progress.place == Place::Quoted });
        }
        Ok(false)
    }

    /// Reads until the first bytes are no byte-order mark and no beginning of one.
    fn pass_marks(&mut self) -> Result<(), ReadFault> {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        loop {
            while self.buffer[self.begin..self.filled].starts_with(MARK) {
                self.begin += MARK.len();
            }
            let head = &self.buffer[self.begin..self.filled];
            if head.starts_with(b"\xFF\xFE") || head.starts_with(b"\xFE\xFF") {
                return Err(ScanFault::Utf16.into());
            }
            if head.len() >= MARK.len() || !self.fill().map_err(ReadFault::Io)? {
                self.marks_done = true;
                return Ok(());
            }
        }
    }

    /// Reads and digests more bytes after those of the record under way; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.copy_within(self.begin..self.filled, 0);
        self.filled -= self.begin;
        self.begin = 0;
        if self.filled == self.buffer.len() {
            // Twice what came: no record has memory before its bytes are there. One that fills all of this is too long.
            let most = self.record_bytes_max + self.block_bytes;
            self.buffer.resize((self.filled * 2).max(self.block_bytes).min(most), 0);
        } else if self.buffer.len() > self.block_bytes && self.filled < self.block_bytes {
            self.buffer.truncate(self.block_bytes);
            self.buffer.shrink_to_fit();
        }
        let read = loop {
            match self.inner.read(&mut self.buffer[self.filled..]) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        self.digest.update(&self.buffer[self.filled..self.filled + read]);
        self.bytes += read as u64;
        self.filled += read;
        self.ended = read == 0;
        Ok(!self.ended)
    }
}

impl Progress {
    fn begin(&mut self) {
        (self.place, self.at, self.field, self.out, self.count, self.whole) = (Place::FieldBegin, 0, 0, 0, 0, false);
        self.fields.clear();
    }

    /// Follows the record through `bytes`, which begin where it does; whether it ended. Quotes are taken out where they stand.
    fn follow(&mut self, bytes: &mut [u8], delimiter: u8, wanted: usize) -> bool {
        loop {
            match self.place {
                Place::FieldBegin => match bytes.get(self.at) {
                    None => return false,
                    Some(b'"') => {
                        self.at += 1;
                        (self.field, self.out) = (self.at, self.at);
                        self.place = Place::Quoted;
                    }
                    Some(_) => self.place = Place::Plain,
                },
                Place::Plain => {
                    let found = memchr3(delimiter, b'\n', b'\r', &bytes[self.at..]);
                    self.take(bytes, found);
                    if found.is_none() {
                        return false;
                    }
                    let ends_record = bytes[self.at] != delimiter;
                    self.end_field(wanted);
                    self.at += 1;
                    if ends_record {
                        return true;
                    }
                    (self.field, self.out) = (self.at, self.at);
                    self.place = Place::FieldBegin;
                }
                Place::Quoted => {
                    let found = memchr(b'"', &bytes[self.at..]);
                    self.take(bytes, found);
                    if found.is_none() {
                        return false;
                    }
                    self.at += 1;
                    self.place = Place::QuoteInQuoted;
                }
                Place::QuoteInQuoted => match bytes.get(self.at) {
                    None => return false,
                    Some(b'"') => {
                        bytes[self.out] = b'"';
                        self.out += 1;
                        self.at += 1;
                        self.place = Place::Quoted;
                    }
                    // What follows a closing quote is text as it stands.
                    Some(_) => self.place = Place::Plain,
                },
            }
        }
    }

    /// Takes so many bytes, or all there are, into the field.
    fn take(&mut self, bytes: &mut [u8], found: Option<usize>) {
        let n = found.unwrap_or(bytes.len() - self.at);
        if self.out != self.at {
            bytes.copy_within(self.at..self.at + n, self.out);
        }
        self.at += n;
        self.out += n;
    }

    fn end_field(&mut self, wanted: usize) {
        if self.count < wanted {
            self.fields.push(self.field..self.out);
        }
        self.count += 1;
    }
}

fn is_line_end(byte: u8) -> bool {
    byte == b'\n' || byte == b'\r'
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
