//! Other programs that open the ledger's file while it is in use.

use std::process::Command;

use rusqlite::Connection;

use super::*;

const FILE: &str = "OBLINK_TEST_FOREIGN_FILE";
const ENTRIES: &str = "OBLINK_TEST_FOREIGN_ENTRIES";

/// What another process does, which the tests below start: it opens the file, counts the log's entries and closes it.
#[test]
fn a_foreign_process_looks() {
    let (Ok(file), Ok(entries)) = (std::env::var(FILE), std::env::var(ENTRIES)) else { return };
    let connection = Connection::open(file).unwrap();
    let found: u64 = connection.query_row("SELECT count(*) FROM log", [], |row| row.get(0)).unwrap();
    assert_eq!(found, entries.parse::<u64>().unwrap());
    connection.close().unwrap();
}

fn look_from_another_process(path: &Path, entries: u64) {
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::tests::foreign::a_foreign_process_looks"])
        .env(FILE, path)
        .env(ENTRIES, entries.to_string())
        .status()
        .unwrap();
    assert!(status.success());
}

#[test]
fn another_process_that_looks_takes_nothing_away_though_a_second_connection_was_opened() {
    let home = Home::new();
    let mut first = home.open();
    first.record_operator("alex", "seal", "", 1).unwrap();
    let wal = schema::write_ahead_log(&first.connection);
    assert!(wal.is_some());
    drop(home.open());

    look_from_another_process(&home.path(), 1);
    assert_eq!(schema::write_ahead_log(&first.connection), wal);
    first.record_operator("alex", "seal", "", 2).unwrap();
    look_from_another_process(&home.path(), 2);
    assert_eq!(schema::write_ahead_log(&first.connection), wal);
}

#[test]
fn nothing_is_written_once_the_write_ahead_log_is_another() {
    let home = Home::new();
    let mut ledger = home.open();
    ledger.record_operator("alex", "seal", "", 1).unwrap();
    std::fs::remove_file(home.0.path().join("ledger.sqlite-wal")).unwrap();
    let error = ledger.record_operator("alex", "seal", "", 2).unwrap_err();
    assert!(error.to_string().contains("write-ahead log was replaced"), "{error}");
}
