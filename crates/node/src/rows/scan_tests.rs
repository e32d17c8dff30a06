//! Dividing by the block against a reader of one byte at a time, and against the csv crate.

use super::*;
use proptest::prelude::*;

/// What a source came to: its records, and why there are no more.
type Divided = (Vec<Vec<Vec<u8>>>, Option<ScanFault>);

/// Gives `steps` bytes at a time, over and over, and is interrupted between.
struct Stepwise<'a> {
    bytes: &'a [u8],
    steps: Vec<usize>,
    calls: usize,
}

impl Read for Stepwise<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.calls += 1;
        if self.calls.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let step = self.steps[self.calls % self.steps.len()].min(buffer.len()).min(self.bytes.len());
        let (now, rest) = self.bytes.split_at(step);
        buffer[..step].copy_from_slice(now);
        self.bytes = rest;
        Ok(step)
    }
}

fn divide(bytes: &[u8], steps: &[usize], block_bytes: usize, record_bytes_max: usize) -> Divided {
    let source = Stepwise { bytes, steps: steps.to_vec(), calls: 0 };
    let mut records = Records::with_sizes(source, b',', block_bytes, record_bytes_max);
    let mut all = Vec::new();
    let fault = loop {
        match records.read() {
            Ok(true) => {
                all.push((0..records.count()).map(|i| records.field(i).unwrap().to_vec()).collect());
                assert_eq!(records.field(records.count()), None);
            }
            Ok(false) => break None,
            Err(ReadFault::Io(error)) => panic!("{error}"),
            Err(ReadFault::Scan(fault)) => {
                assert!(matches!(records.read(), Err(ReadFault::Scan(again)) if again == fault), "the same again");
                break Some(fault);
            }
        }
    };
    if fault.is_none() {
        assert_eq!((records.bytes_in(), records.digest()), (bytes.len() as u64, Sha256::digest(bytes).into()));
        assert!(matches!(records.read(), Ok(false)), "the end stays the end");
    }
    (all, fault)
}

/// The grammar a byte at a time, over a whole file in memory.
fn one_at_a_time(mut bytes: &[u8], record_bytes_max: usize) -> Divided {
    while let Some(rest) = bytes.strip_prefix(b"\xEF\xBB\xBF") {
        bytes = rest;
    }
    if bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF") {
        return (Vec::new(), Some(ScanFault::Utf16));
    }
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Record,
        Field,
        Plain,
        Quoted,
        QuoteInQuoted,
    }
    let (mut all, mut record, mut field) = (Vec::new(), Vec::new(), Vec::new());
    let (mut state, mut record_bytes) = (State::Record, 0);
    for &byte in bytes {
        record_bytes += 1;
        let line_end = byte == b'\n' || byte == b'\r';
        state = match state {
            State::Quoted if byte == b'"' => State::QuoteInQuoted,
            State::Quoted => {
                field.push(byte);
                State::Quoted
            }
            State::QuoteInQuoted if byte == b'"' => {
                field.push(byte);
                State::Quoted
            }
            State::Record | State::Field if byte == b'"' => State::Quoted,
            State::Record if line_end => {
                record_bytes = 0;
                State::Record
            }
            _ if line_end => {
                record.push(std::mem::take(&mut field));
                all.push(std::mem::take(&mut record));
                record_bytes = 0;
                State::Record
            }
            _ if byte == b',' => {
                record.push(std::mem::take(&mut field));
                State::Field
            }
            _ => {
                field.push(byte);
                State::Plain
            }
        };
        if record_bytes > record_bytes_max {
            let fault = ScanFault::RecordTooLong { record: all.len() as u64, quoted: state == State::Quoted };
            return (all, Some(fault));
        }
    }
    match state {
        State::Record => (all, None),
        State::Quoted => {
            let record = all.len() as u64;
            (all, Some(ScanFault::UnterminatedQuote { record }))
        }
        _ => {
            record.push(field);
            all.push(record);
            (all, None)
        }
    }
}

fn by_the_csv_crate(bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
    reader.byte_records().map(|r| r.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
}

/// Pieces of which files are made: everything that means something, halves of it, and text long enough to cross blocks.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b"a"[..],
        b",",
        b"\"",
        b"\"\"",
        b"\n",
        b"\r\n",
        b"\r",
        b" ",
        "\u{e9}".as_bytes(),
        "\u{1f600}".as_bytes(),
        b"\xEF\xBB\xBF",
        b"\xEF\xBB",
        b"\xFF\xFE",
        b"\0",
        b",\"x,\"\"y\"\"\n\",",
        b"a longer field that vectors pass over",
    ]);
    (prop::bool::weighted(0.2), prop::collection::vec(piece, 0..40)).prop_map(|(marked, pieces)| {
        let mark: &[u8] = if marked { b"\xEF\xBB\xBF" } else { b"" };
        [mark, &pieces.concat()].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// However a file is cut into reads, and whatever the block, and whatever length is too long.
    #[test]
    fn blocks_and_single_bytes_agree(
        bytes in pieces(),
        steps in prop::collection::vec(1_usize..70, 1..5),
        block_bytes in 1_usize..60,
        // No less than a mark of byte order, which is read whole before a record begins: the program has one limit, and it is far above.
        record_bytes_max in prop_oneof![3_usize..60, Just(1_000_000)],
    ) {
        prop_assert_eq!(divide(&bytes, &steps, block_bytes, record_bytes_max), one_at_a_time(&bytes, record_bytes_max));
    }

    /// The csv crate's own reading is the oracle: a line put after the input is a record of its own, unless a quote is open.
    #[test]
    fn agrees_with_the_csv_crate(symbols in prop::collection::vec(prop::sample::select(vec![b'a', b',', b'"', b'\n', b'\r', b' ']), 0..40), block_bytes in 1_usize..9) {
        let (records, fault) = divide(&symbols, &[usize::MAX], block_bytes, 1_000);
        let mut longer = symbols.clone();
        longer.extend_from_slice(b"\nZ");
        let due = by_the_csv_crate(&longer);
        let open = due.last() != Some(&vec![b"Z".to_vec()]);
        match fault {
            Some(ScanFault::UnterminatedQuote { record }) => {
                prop_assert!(open);
                prop_assert_eq!(record, due.len() as u64 - 1);
                prop_assert_eq!(&records[..], &due[..due.len() - 1]);
            }
            None => {
                prop_assert!(!open);
                prop_assert_eq!(records, by_the_csv_crate(&symbols));
            }
            Some(other) => prop_assert!(false, "{other:?}"),
        }
    }
}

/// Every way to cut a file in two, under every small block.
#[test]
fn every_cut_of_everything_that_means_something() {
    for file in [
        "\u{feff}\u{feff}id,\"na\"\"me\"\r\n\r\n1,\"a\r\nb\",\u{e9}\r\n2,,\u{1f600}\"\n\"\",x\r3,\"\"\"\"",
        "\u{feff}a,b\n1,\"never closed\r\n",
        "a\n\"b\"c,\"d\"\"\r\n",
    ] {
        let due = one_at_a_time(file.as_bytes(), 1_000);
        for cut in 1..=file.len() {
            for block_bytes in [1, 2, 3, 7, 64, 1_000] {
                let at_once = divide(file.as_bytes(), &[file.len(), cut], block_bytes, 1_000);
                assert_eq!(at_once, due, "cut at {cut}, blocks of {block_bytes}");
            }
        }
    }
}

#[test]
fn marks_are_dropped_or_refused() {
    for step in [1, 2, 3, 100] {
        let divided = |bytes: &[u8]| divide(bytes, &[step], 100, 1_000);
        let due = (vec![vec![b"a".to_vec(), b"b".to_vec()]], None);
        assert_eq!(divided(b"\xEF\xBB\xBFa,b\n"), due);
        assert_eq!(divided(b"\xEF\xBB\xBF\xEF\xBB\xBFa,b\n"), due);
        assert_eq!(divided(b"\xEF\xBB"), (vec![vec![b"\xEF\xBB".to_vec()]], None));
        for bytes in [&b"\xFF\xFEa\0"[..], b"\xFE\xFF\0a", b"\xFF\xFE", b"\xEF\xBB\xBF\xFF\xFE"] {
            assert_eq!(divided(bytes), (vec![], Some(ScanFault::Utf16)));
        }
    }
}

#[test]
fn a_record_without_end_is_not_read_to_its_end() {
    let endless = io::repeat(b'x').take(4 * RECORD_BYTES_MAX);
    let mut records = Records::new(endless, b',');
    let fault = records.read().unwrap_err();
    assert!(matches!(fault, ReadFault::Scan(ScanFault::RecordTooLong { record: 0, quoted: false })), "{fault:?}");
    assert!(records.bytes_in() <= RECORD_BYTES_MAX + BLOCK_BYTES as u64);
}

#[test]
fn fields_beyond_those_wanted_are_counted_alone() {
    let mut records = Records::new(&b"a,b,c\n1,2,3,4\n"[..], b',');
    assert!(records.read().unwrap());
    records.want(2);
    assert!(records.read().unwrap());
    assert_eq!((records.count(), records.field(1), records.field(2)), (4, Some(&b"2"[..]), None));
}

/// A long record's memory goes with it.
#[test]
fn a_long_record_leaves_no_long_buffer() {
    let bytes = format!("{}\n{}", "x".repeat(1 << 20), "a,b\n".repeat(100_000));
    let mut records = Records::new(bytes.as_bytes(), b',');
    let mut count = 0;
    while records.read().unwrap() {
        count += 1;
    }
    assert_eq!((count, records.buffer.len()), (100_001, BLOCK_BYTES));
}
