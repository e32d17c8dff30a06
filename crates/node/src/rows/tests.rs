//! Files as they come, and what is said of them.

use super::*;
use crate::failure::{Failure, render};
use proptest::prelude::*;

const HEADER: &str = "id,name,address,postal_code\n";

fn open(bytes: &[u8], options: &CsvOptions) -> Result<RowReader, Failure> {
    RowReader::from_read(Box::new(std::io::Cursor::new(bytes.to_vec())), None, "in.csv".to_owned(), options)
}

/// Every row as number, id, problem and `name|address|postal_code`.
type Seen = (u64, String, Option<RowProblem>, String);

fn read(bytes: &[u8], options: &CsvOptions) -> Result<Vec<Seen>, Failure> {
    let mut seen = Vec::new();
    open(bytes, options)?.for_each_chunk(|chunk| {
        for row in chunk.iter() {
            let name = match row.name {
                NameFields::Whole(name) => name.to_owned(),
                NameFields::Parts { given, middle, family, suffix } => [given, middle, family, suffix].join("/"),
            };
            seen.push((row.number, row.id.to_owned(), row.problem, [&name, row.address, row.postal_code].join("|")));
        }
        Ok(())
    })?;
    Ok(seen)
}

fn rows(text: &str) -> Vec<Seen> {
    read(text.as_bytes(), &CsvOptions::default()).unwrap()
}

#[test]
fn rows_are_numbered_and_lines_may_end_as_they_like() {
    let want = [(1, "a".to_owned(), None, "N|A|1".to_owned()), (2, "b".to_owned(), None, "M|B|2".to_owned())];
    for end in ["\n", "\r\n", "\r"] {
        assert_eq!(rows(&format!("{HEADER}a,N,A,1\nb,M,B,2\n").replace('\n', end)), want);
        assert_eq!(rows(&format!("\u{feff}{HEADER}a,N,A,1\n\n\nb,M,B,2").replace('\n', end)), want);
    }
    assert_eq!(rows("postal_code,address,name\n1,A,N\n"), [(1, "1".to_owned(), None, "N|A|1".to_owned())]);
}

#[test]
fn a_file_without_header_is_read_by_columns() {
    let options = CsvOptions {
        columns: Some(["", "name", "-", "Street", "ZIP"].map(str::to_owned).to_vec()),
        map: vec!["postal_code=zip".parse().unwrap()],
        ..CsvOptions::default()
    };
    let seen = read(b"x,N,y,A,1\nx,M,y,B,2\n", &options).unwrap();
    assert_eq!(seen.iter().map(|s| s.3.as_str()).collect::<Vec<_>>(), ["N|A|1", "M|B|2"]);
}

#[test]
fn delimiters_and_windows_1252() {
    let options = CsvOptions { delimiter: "tab".parse().unwrap(), encoding: Encoding::Windows1252, ..CsvOptions::default() };
    let seen = read(b"id\tname\taddress\tpostal_code\n\xe9\tMu\xf1oz\t1 A\t2\n", &options).unwrap();
    assert_eq!(seen, [(1, "é".to_owned(), None, "Muñoz|1 A|2".to_owned())]);
    for wrong in ["", ",,", "a", "\"", "\n", "é"] {
        assert!(wrong.parse::<Delimiter>().is_err(), "{wrong:?}");
    }
}

#[test]
fn rows_with_another_number_of_fields_are_accounted_for() {
    let seen = rows(&format!("{HEADER}a,N,A,1\nb,M,B\nc,O,C,3,x\n,,,\n"));
    assert_eq!(
        seen,
        [
            (1, "a".to_owned(), None, "N|A|1".to_owned()),
            (2, "b".to_owned(), Some(RowProblem::WrongFieldCount), "||".to_owned()),
            (3, "c".to_owned(), Some(RowProblem::WrongFieldCount), "||".to_owned()),
            (4, String::new(), None, "||".to_owned()),
        ]
    );
}

#[test]
fn a_field_of_ten_megabytes_is_one_row_that_cannot_be_used() {
    let seen = rows(&format!("{HEADER}a,N,{},1\nb,M,B,2\n", "x".repeat(10 << 20)));
    assert_eq!(seen[0], (1, "a".to_owned(), Some(RowProblem::FieldTooLong), "||".to_owned()));
    assert_eq!(seen[1].2, None);
    // A column that is not mapped is not read, whatever it holds.
    let seen = rows(&format!("id,name,note,address,postal_code\na,N,{},A,1\n", "x".repeat(10 << 20)));
    assert_eq!(seen[0].2, None);
}

#[test]
fn nul_bytes_and_bytes_of_unread_columns_pass() {
    assert_eq!(rows(&format!("{HEADER}a\0,N\0,A,1\n"))[0], (1, "a\0".to_owned(), None, "N\0|A|1".to_owned()));
    let mut bytes = b"id,name,note,address,postal_code\na,N,".to_vec();
    bytes.extend_from_slice(b"\xff\xfe,A,1\n");
    assert_eq!(read(&bytes, &CsvOptions::default()).unwrap()[0].3, "N|A|1");
}

#[test]
fn chunks_are_full_and_in_order() {
    let n = CHUNK_ROWS_MAX as u64 * 2 + 5;
    let mut text = HEADER.to_owned();
    for i in 1..=n {
        text.push_str(&format!("i{i},N,A,1\n"));
    }
    let mut sizes = Vec::new();
    let summary = open(text.as_bytes(), &CsvOptions::default())
        .unwrap()
        .for_each_chunk(|chunk| {
            assert!(
                chunk
                    .iter()
                    .enumerate()
                    .all(|(i, row)| row.number == chunk.first_number() + i as u64 && row.id == format!("i{}", row.number))
            );
            sizes.push(chunk.len());
            Ok(())
        })
        .unwrap();
    assert_eq!(sizes, [CHUNK_ROWS_MAX, CHUNK_ROWS_MAX, 5]);
    assert_eq!((summary.rows, summary.bytes), (n, text.len() as u64));
}

#[test]
fn the_digest_is_of_the_bytes_as_they_came() {
    use sha2::{Digest, Sha256};
    let text = format!("\u{feff}{HEADER}a,N,A,1\r\n");
    let summary = open(text.as_bytes(), &CsvOptions::default()).unwrap().for_each_chunk(|_| Ok(())).unwrap();
    assert_eq!(summary.sha256, <[u8; 32]>::from(Sha256::digest(&text)));
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let message = |path: &std::path::Path| {
        let failure = RowReader::open(&Source::File(path.to_owned()), &CsvOptions::default()).unwrap_err();
        assert_eq!(failure.exit().code(), 3);
        render(&failure).replace(&folder.path().display().to_string(), "DIR")
    };
    let text = [
        format!("# missing\n{}", message(&folder.path().join("none.csv"))),
        format!("# a directory\n{}", message(folder.path())),
        format!("# inside a file\n{}", {
            std::fs::write(folder.path().join("f"), "x").unwrap();
            message(&folder.path().join("f/in.csv"))
        }),
    ];
    insta::assert_snapshot!(text.concat());
}

#[test]
fn bytes_that_are_no_csv_file() {
    let with_header = |rest: &[u8]| [HEADER.as_bytes(), rest].concat();
    let no_header = CsvOptions { columns: Some(["name", "address", "postal_code"].map(str::to_owned).to_vec()), ..CsvOptions::default() };
    let missing = CsvOptions { columns: Some(["name", "street"].map(str::to_owned).to_vec()), ..CsvOptions::default() };
    let plain = CsvOptions::default();
    let cases: [(&str, Vec<u8>, &CsvOptions); 12] = [
        ("empty", vec![], &plain),
        ("a mark alone", b"\xEF\xBB\xBF".to_vec(), &plain),
        ("blank lines alone", b"\n\r\n\n".to_vec(), &plain),
        ("empty, no header", vec![], &no_header),
        ("a header alone", with_header(b""), &plain),
        ("no header", b"7,Zoltan Quispe,12 Elm St,02134\n".to_vec(), &plain),
        ("--columns without postal_code", b"Zoltan Quispe,12 Elm St\n".to_vec(), &missing),
        ("Latin-1", with_header(b"a,N,A,1\nb,Quispe Mu\xf1oz,A,1\n"), &plain),
        ("UTF-16", b"\xff\xfei\0d\0,\0".to_vec(), &plain),
        ("a quote never closed", with_header(b"a,N,A,1\nb,\"Quispe,A,1\nc,N,A,1\n"), &plain),
        ("a quote never closed, no header", b"\"Quispe,A,1\nN,A,1\n".to_vec(), &no_header),
        ("a quote never closed in the header", b"id,\"name,address,postal_code\na,N,A,1\n".to_vec(), &plain),
    ];
    let text = cases.map(|(case, bytes, options)| {
        let failure = read(&bytes, options).unwrap_err();
        assert_eq!(failure.exit().code(), 3, "{case}");
        format!("# {case}\n{}", render(&failure))
    });
    assert!(!text.concat().contains("Quispe") && !text.concat().contains("Elm"), "a message repeats a row");
    insta::assert_snapshot!(text.concat());
}

/// Text is checked once for many rows: the row is told all the same, and characters do not grow together from the ends of two fields.
#[test]
fn the_first_row_that_is_not_text_is_told() {
    let not_text = |rest: &[u8]| {
        let failure = read(&[HEADER.as_bytes(), rest].concat(), &CsvOptions::default()).unwrap_err();
        assert_eq!(failure.code(), "not_utf8");
        failure.what().to_owned()
    };
    let good = "a,N,A,1\n".repeat(CHUNK_ROWS_MAX + 7);
    let after = |rest: &[u8]| [good.as_bytes(), rest].concat();
    let n = CHUNK_ROWS_MAX + 7;
    for wrong in [&b"b,\xc3,\xa9,1\n"[..], b"b\xc3,\xa9,A,1\n", b"b,N,A,\xff\n", b"\xff,N\n", b"b,N,A,\xf0\x9f\x98"] {
        assert_eq!(not_text(wrong), "in.csv, row 1: the bytes are not UTF-8");
        assert_eq!(not_text(&after(wrong)), format!("in.csv, row {}: the bytes are not UTF-8", n + 1));
    }
    // Across two rows, beside good text that is not ASCII.
    assert_eq!(not_text(b"b,\xc3\xa9,A,\xc3\n\xa9,N,A,1\n"), "in.csv, row 1: the bytes are not UTF-8");
    // What comes first is told: before a later open quote, not before an earlier one.
    assert_eq!(not_text(b"b,\xff,A,1\nc,\"N,A,1\n"), "in.csv, row 1: the bytes are not UTF-8");
    let failure = read(format!("{HEADER}b,\"N,A,1\n").as_bytes(), &CsvOptions::default()).unwrap_err();
    assert_eq!(failure.code(), "unterminated_quote");
    // A field that is too long spoils its row alone, unless one before it was no text; what follows it is not looked at.
    let long = "x".repeat(FIELD_BYTES_MAX + 1);
    assert_eq!(not_text(&[b"b,\xff,", long.as_bytes(), b",1\n"].concat()), "in.csv, row 1: the bytes are not UTF-8");
    let bytes = [HEADER.as_bytes(), b"b,", long.as_bytes(), b",\xff,1\nc,M,B,2\n"].concat();
    let seen = read(&bytes, &CsvOptions::default()).unwrap();
    assert_eq!(seen[0], (1, "b".to_owned(), Some(RowProblem::FieldTooLong), "||".to_owned()));
    assert_eq!(seen[1], (2, "c".to_owned(), None, "M|B|2".to_owned()));
}

/// A record is the same text whatever the file's columns are called, in whatever order, and whatever stands beside them.
#[test]
fn a_record_is_its_fields_alone() {
    let records = |text: &str, map: &[&str]| -> Vec<(Vec<usize>, String)> {
        let options = CsvOptions { map: map.iter().map(|m| m.parse().unwrap()).collect(), ..CsvOptions::default() };
        let chunk = open(text.as_bytes(), &options).unwrap().next_chunk().unwrap().unwrap();
        assert!(!format!("{:?}", chunk.record(0).unwrap()).contains("Elm"));
        chunk.records().map(|record| (record.lengths().to_vec(), record.text.to_owned())).collect()
    };
    let whole = records("id,name,address,postal_code\n7,Ann Lee,1 Elm,123\n8,,,\n", &[]);
    assert_eq!(whole, [(vec![7, 5, 0, 0, 0, 3], "Ann Lee1 Elm123".to_owned()), (vec![0; 6], String::new())]);
    let other = "ZIP,order_date,street,x,name,city\n123,2020-01-01,\"1 Elm\",y,Ann Lee,\n,1,,,,\n";
    assert_eq!(records(other, &["postal_code=zip"]), whole);
    let parts = records("given_name,family_name,suffix,address,unit,city,state,postal_code\nAnn,Lee,Jr,1 Elm,2,B,MA,123\nAnn,Lee\n", &[]);
    assert_eq!(parts, [(vec![3, 0, 3, 2, 5, 1, 1, 2, 3], "AnnLeeJr1 Elm2BMA123".to_owned()), (vec![0; 9], String::new())]);
}

#[test]
fn a_record_without_end_is_refused() {
    for (first, hint) in [("", "its lines end"), ("\"", "a quote is written twice")] {
        let bytes = format!("{HEADER}a,N,A,1\nb,{first}{}", "x".repeat(65 << 20));
        let failure = read(bytes.as_bytes(), &CsvOptions::default()).unwrap_err();
        assert_eq!(failure.what(), "in.csv, row 2: more than 64 MiB without an end of the record");
        assert!(failure.hint().unwrap().ends_with(hint));
    }
}

#[test]
fn what_is_shown_of_rows_for_debugging_holds_no_value() {
    let mut reader = open(format!("{HEADER}a,Quispe,A,1\n").as_bytes(), &CsvOptions::default()).unwrap();
    let chunk = reader.next_chunk().unwrap().unwrap();
    let text = format!("{reader:?} {chunk:?} {:?}", chunk.row(0).unwrap());
    assert!(!text.contains("Quispe"), "{text}");
}

proptest! {
    /// No bytes make the reader panic, and every record is a row or an error.
    #[test]
    fn any_bytes_are_rows_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300), header in any::<bool>(), old in any::<bool>()) {
        let encoding = if old { Encoding::Windows1252 } else { Encoding::Utf8 };
        let bytes = if header { [HEADER.as_bytes(), &bytes].concat() } else { bytes };
        if let Ok(rows) = read(&bytes, &CsvOptions { encoding, ..CsvOptions::default() }) {
            prop_assert!(rows.iter().enumerate().all(|(i, r)| r.0 == i as u64 + 1));
        }
    }

    /// Ids come back as they were, whatever they hold.
    #[test]
    fn ids_round_trip(ids in prop::collection::vec(any::<String>(), 1..20)) {
        let mut writer = csv::Writer::from_writer(HEADER.as_bytes().to_vec());
        for id in &ids {
            writer.write_record([id.as_str(), "N", "A", "1"]).unwrap();
        }
        let seen = read(&writer.into_inner().unwrap(), &CsvOptions::default()).unwrap();
        prop_assert_eq!(seen.iter().map(|r| r.1.as_str()).collect::<Vec<_>>(), ids);
    }
}

#[test]
fn what_a_request_commits_to_is_the_files_own_fields_in_a_fixed_order() {
    let options = CsvOptions { of_request: true, map: vec!["person_id=CASE".parse().unwrap()], ..CsvOptions::default() };
    let seen = |header: &str| {
        let text = format!("{header}\n x , 2 Elm ,\t02134 ,, Ana  Q \n");
        let mut reader = open(text.as_bytes(), &options).unwrap();
        let chunk = reader.next_chunk().unwrap().unwrap();
        assert_eq!(chunk.fields(1).count(), 0);
        chunk.fields(0).map(|(field, text)| format!("{}={text}", field.name())).collect::<Vec<_>>()
    };
    assert_eq!(
        seen("CASE,address,postal_code,order_date,name"),
        ["name=Ana  Q", "address=2 Elm", "postal_code=02134", "order_date=", "person_id=x"]
    );
    assert_eq!(seen("CASE,address,postal_code,city,name").last().unwrap(), "person_id=x");
    assert_eq!(seen("CASE,address,postal_code,id,name")[0], "id=");
}
