//! The ledger's file, its entries and extracts of it, in hands that are not the program's.

use oblink_session::ledger::Ledger;
use oblink_store::Error;
use oblink_store::ledger::entries::{self, EntryKind};
use oblink_store::ledger::{Extract, SqliteLedger};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::honest::{Honest, admit, directory};
use super::input::Input;
use super::parties::{NOW, Parties};

/// The first byte says what is changed: the body of an entry (which the rest is), an extract, cells of the tables, or bytes of the file.
///
/// Held: an entry that is read is written as what is read again; an extract is believed only where it opens what the signed head covers, entry by
/// entry; a ledger that is not as it was fails to open, fails to verify, or says all that it said before; nothing that is shown of it, and no Hello to
/// it, panics.
pub fn ledger(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.u8();
    let signed = how & 128 != 0;
    match how & 7 {
        0..=2 => entry(&mut input),
        3 | 4 => extract(signed, &mut input),
        5 | 6 => tables(signed, &mut input),
        _ => file(signed, &mut input),
    }
}

fn body<B: Serialize + DeserializeOwned + PartialEq + core::fmt::Debug>(bytes: &[u8]) {
    if let Ok(body) = serde_json::from_slice::<B>(bytes) {
        let written = serde_json::to_vec(&body).unwrap();
        assert_eq!(serde_json::from_slice::<B>(&written).unwrap(), body);
    }
}

fn entry(input: &mut Input<'_>) {
    let Some(kind) = EntryKind::from_u8(input.u8() % 32) else { return };
    assert_eq!(EntryKind::ALL.iter().filter(|other| other.name() == kind.name()).count(), 1);
    let bytes = input.rest();
    match kind {
        EntryKind::Policy => body::<entries::Policy>(bytes),
        EntryKind::Suspension => body::<entries::Suspension>(bytes),
        EntryKind::Resumption => body::<entries::Resumption>(bytes),
        EntryKind::EpochBegin => body::<entries::EpochBegin>(bytes),
        EntryKind::EpochEnd => body::<entries::EpochEnded>(bytes),
        EntryKind::Seal => body::<entries::Seal>(bytes),
        EntryKind::Delivery => body::<entries::Delivery>(bytes),
        EntryKind::RequestAccepted => body::<entries::RequestAccepted>(bytes),
        EntryKind::RequestRefused => body::<entries::RequestRefused>(bytes),
        EntryKind::Charge => body::<entries::Charge>(bytes),
        EntryKind::Completion => body::<entries::Completion>(bytes),
        EntryKind::Receipt => body::<entries::ReceiptSigned>(bytes),
        EntryKind::Operator => body::<entries::Operator>(bytes),
        EntryKind::Disclosure => body::<entries::Disclosed>(bytes),
        EntryKind::Booking => body::<entries::Booking>(bytes),
        EntryKind::EpochClosing => body::<entries::EpochClosing>(bytes),
        EntryKind::Countersignature => body::<entries::Countersignature>(bytes),
        EntryKind::SessionSuspended => body::<entries::SessionSuspended>(bytes),
        EntryKind::SessionResumed => body::<entries::SessionResumed>(bytes),
        EntryKind::Import => {
            body::<entries::ImportEpoch>(bytes);
            body::<entries::ImportSession>(bytes);
            body::<entries::ImportReceipt>(bytes);
            body::<entries::ImportRows>(bytes);
        }
        EntryKind::RequestDenied => body::<entries::RequestDenied>(bytes),
    }
}

fn extract(signed: bool, input: &mut Input<'_>) {
    let parties = Parties::get();
    let good = &Honest::get(signed).extract;
    let read = |mut bytes: &[u8]| Extract::read(&mut bytes, &parties.holder.fingerprint, &parties.verifier.fingerprint);
    let mut changed = good.clone();
    if input.u8() & 1 == 1 {
        // Lines that go, come twice or change places.
        let mut lines: Vec<&[u8]> = good.split_inclusive(|byte| *byte == b'\n').collect();
        for _ in 0..input.u8() % 3 {
            let (a, b) = (input.choice(lines.len()), input.choice(lines.len()));
            match input.u8() % 3 {
                0 => drop(lines.remove(a)),
                1 => lines.insert(a, lines[b]),
                _ => lines.swap(a, b),
            }
            if lines.is_empty() {
                break;
            }
        }
        changed = lines.concat();
    }
    input.edit(&mut changed);
    match read(&changed) {
        Ok(found) => assert!(found == read(good).unwrap(), "a signed head covers every entry"),
        Err(Error::Extract(_)) => (),
        Err(other) => panic!("{other}"),
    }
}

/// All that a ledger shows.
fn shown(ledger: &SqliteLedger) -> Vec<String> {
    let parties = Parties::get();
    let mut log = String::new();
    let entries = ledger.entries(0, &mut |entry| {
        log += &format!("{entry:?}");
        Ok(())
    });
    let sessions = ledger.sessions();
    let mut all = vec![
        format!("{entries:?} {log}"),
        format!("{sessions:?}"),
        format!("{:?}", ledger.epochs()),
        format!("{:?}", ledger.current_epoch(&parties.verifier.fingerprint)),
        format!("{:?}", ledger.live_files()),
        format!("{:?} {:?}", ledger.policy_in_force(), ledger.policies()),
        format!("{:?}", ledger.suspensions()),
        format!("{:?}", ledger.refused_requests()),
        format!("{:?}", ledger.deliveries(10)),
        format!("{:?}", ledger.earlier_sets()),
        format!("{:?}", ledger.refusals(10)),
        format!("{:?} {:?}", ledger.latest_signed_head(), ledger.time_unix_ms()),
        format!("{:?} {:?}", ledger.due_epochs(NOW), ledger.unbooked(&super::parties::EPOCH)),
        format!("{:?}", ledger.countersignatures(&parties.signed.request.digest())),
        format!("{:?}", ledger.disclosures_of("a record")),
    ];
    for session in sessions.iter().flatten() {
        let id = &session.session_id;
        all.push(format!("{:?} {:?}", ledger.receipt(id), ledger.acceptance(id)));
        all.push(format!("{:?} {:?}", ledger.disclosure(id), ledger.disclosed_tags(id)));
        if let Ok(Some(receipt)) = ledger.receipt(id) {
            all.push(format!("{:?}", receipt.signed()));
        }
    }
    all
}

/// A ledger that was changed behind the program's back: it verifies only where it says what it said.
fn examine(path: &std::path::Path, signed: bool) {
    let parties = Parties::get();
    let Ok(mut ledger) = SqliteLedger::open(path) else { return };
    let (key, fingerprint) = (parties.holder_key(), parties.holder.fingerprint);
    let verified = ledger.verify(&key, &fingerprint, &[]);
    let found = shown(&ledger);
    if verified.is_ok() {
        let other = directory();
        let good = other.path().join("ledger.sqlite");
        std::fs::write(&good, &Honest::get(signed).ledger_after).unwrap();
        let due = shown(&SqliteLedger::open(&good).unwrap());
        for (found, due) in found.iter().zip(&due).skip(1) {
            assert_eq!(found, due, "what verifies is what was written");
        }
    }
    // It is served from all the same, by a program that was not told to verify.
    let mut rng = StdRng::seed_from_u64(3);
    let _ = ledger.serve_lock(NOW).map(drop);
    let _ = admit(&Honest::get(signed).hello, &mut ledger, signed, NOW, &mut rng);
    let _ = ledger.head().and_then(|head| ledger.consistency(head.size.min(2), head.size));
}

/// Changes cells, as somebody with the file and an SQLite shell would; triggers that stand in the way are dropped.
fn tables(signed: bool, input: &mut Input<'_>) {
    let directory = directory();
    let path = directory.path().join("ledger.sqlite");
    std::fs::write(&path, &Honest::get(signed).ledger_after).unwrap();
    let connection = Connection::open(&path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;",
        )
        .unwrap();
    let names = |sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    for trigger in names("SELECT name FROM sqlite_schema WHERE type = 'trigger' ORDER BY name") {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    let tables = names("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name");
    for _ in 0..1 + input.u8() % 3 {
        let table = &tables[input.choice(tables.len())];
        let columns = names(&format!("SELECT name FROM pragma_table_info('{table}')"));
        let column = &columns[input.choice(columns.len())];
        let row = input.u8();
        // The first column is each table's key, or the beginning of it.
        let place = format!("{0} = (SELECT {0} FROM {table} LIMIT 1 OFFSET {1} % max(1, (SELECT count(*) FROM {table})))", columns[0], row);
        let old: Option<Value> = connection.query_row(&format!("SELECT {column} FROM {table} WHERE {place}"), [], |row| row.get(0)).ok();
        let new = match (input.u8() % 8, old) {
            (0, _) => Value::Null,
            (1, _) => Value::Integer(input.u64().cast_signed()),
            (2, Some(Value::Integer(old))) => Value::Integer(old.wrapping_add(1)),
            (3, Some(Value::Integer(old))) => Value::Integer(old.wrapping_neg()),
            (4, _) => Value::Text(String::from_utf8_lossy(input.chunk()).into_owned()),
            (5, _) => Value::Blob(input.chunk().to_vec()),
            (_, Some(Value::Text(old))) => {
                let mut bytes = old.into_bytes();
                input.edit(&mut bytes);
                Value::Text(String::from_utf8_lossy(&bytes).into_owned())
            }
            (_, Some(Value::Blob(mut old))) => {
                input.edit(&mut old);
                Value::Blob(old)
            }
            (kind, old) => {
                if kind == 7 {
                    let _ = connection.execute(&format!("DELETE FROM {table} WHERE {place}"), []);
                }
                old.unwrap_or(Value::Null)
            }
        };
        // What SQLite itself refuses (a type of a strict table, a key that is taken) is no change.
        let _ = connection.execute(&format!("UPDATE {table} SET {column} = ?1 WHERE {place}"), [new]);
    }
    drop(connection);
    examine(&path, signed);
}

/// Changes bytes of the file.
fn file(signed: bool, input: &mut Input<'_>) {
    let directory = directory();
    let path = directory.path().join("ledger.sqlite");
    let mut bytes = Honest::get(signed).ledger_after.clone();
    for _ in 0..1 + input.u8() % 4 {
        let place = (usize::from(input.u8()) << 16 | usize::from(input.u16())) % bytes.len();
        bytes[place] = input.u8();
    }
    if input.u8() & 7 == 7 {
        // Not to nothing (SQLite takes one byte for that too): an empty file is a new ledger, which witnesses notice.
        bytes.truncate(2 + usize::from(input.u16()) * 8 % (bytes.len() - 2));
    }
    std::fs::write(&path, bytes).unwrap();
    examine(&path, signed);
}
