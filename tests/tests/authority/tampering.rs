//! Somebody with the ledger's file and a database program (SPEC LED-6): each change shows in `ledger verify` (exit 6), and serve does not start.

use oblink_session::merkle::Accumulator;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::house::House;

/// Answers a request, harms the file, and expects it to show.
fn shows(harm: impl FnOnce(&Connection)) {
    let house = House::new();
    let serving = house.serve();
    house.check(&serving, &house.request("r"));
    house.check(&serving, &house.request("r2"));
    drop(serving.stop());
    house.agencies.ledger_holds();
    let connection = Connection::open(house.agencies.holder.ledger_path()).unwrap();
    for trigger in ["log_stays", "log_keeps", "heads_stay", "heads_keep", "charges_stay", "answers_stay", "charges_keep"] {
        connection.execute_batch(&format!("DROP TRIGGER {trigger}")).unwrap();
    }
    harm(&connection);
    connection.close().unwrap();
    let ended = house.agencies.verify_ledger();
    assert_eq!((ended.code(), &ended.objects().last().unwrap()["error"]["code"]), (6, &"ledger_tampered".into()), "{ended}");
    let ended = house.agencies.holder.call("serve --json --listen 127.0.0.1:0").run();
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (6, &"ledger_tampered".into()), "{ended}");
}

/// The number of the first entry of a kind.
fn first(connection: &Connection, kind: u8) -> i64 {
    connection.query_row("SELECT min(seq) FROM log WHERE kind = ?1", [kind], |row| row.get(0)).unwrap()
}

/// Makes the tree over all entries anew, as somebody would who knows the specification.
fn rebuild(connection: &Connection) {
    let mut statement = connection.prepare("SELECT seq, kind, unix_ms, party, body FROM log ORDER BY seq").unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, u8>(1)?, row.get::<_, u64>(2)?, row.get::<_, Vec<u8>>(3)?, row.get::<_, Vec<u8>>(4)?))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let mut tree = Accumulator::new();
    for (seq, kind, unix_ms, party, body) in rows {
        let data = [&[kind][..], &unix_ms.to_be_bytes(), &party, &Sha256::digest(&body)].concat();
        let nodes = tree.append(oblink_session::merkle::leaf(&data));
        connection.execute("UPDATE log SET nodes = ?2 WHERE seq = ?1", params![seq, nodes.as_flattened()]).unwrap();
    }
}

/// Attack: a row edited: who signed the request.
#[test]
fn a_row_edited() {
    shows(|connection| {
        let changed = connection
            .execute("UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'doe@verifier', 'roe@verifier') AS BLOB) WHERE kind = 8", []);
        assert_eq!(changed.unwrap(), 2);
    });
}

/// Attack: the same, and the tree made anew over it: the signed heads remember.
#[test]
fn a_row_edited_and_the_tree_made_anew() {
    shows(|connection| {
        connection
            .execute("UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'doe@verifier', 'zoe@verifier') AS BLOB) WHERE kind = 8", [])
            .unwrap();
        rebuild(connection);
    });
}

/// Attack: a row's time edited.
#[test]
fn a_time_edited() {
    shows(|connection| {
        connection.execute("UPDATE log SET unix_ms = unix_ms - 1 WHERE seq = ?1", [first(connection, 10)]).unwrap();
    });
}

/// Attack: a row deleted from the middle; the gap closed and the tree made anew.
#[test]
fn a_row_deleted() {
    shows(|connection| {
        let charge = first(connection, 10);
        connection.execute("DELETE FROM log WHERE seq = ?1", [charge]).unwrap();
    });
    shows(|connection| {
        let charge = first(connection, 10);
        connection.execute("DELETE FROM log WHERE seq = ?1", [charge]).unwrap();
        let last: i64 = connection.query_row("SELECT max(seq) FROM log", [], |row| row.get(0)).unwrap();
        for seq in charge + 1..=last {
            connection.execute("UPDATE log SET seq = ?1 - 1 WHERE seq = ?1", [seq]).unwrap();
        }
        rebuild(connection);
    });
}

/// Attack: the last rows cut off, with the tables as they are, and with the head of then.
#[test]
fn the_end_cut_off() {
    shows(|connection| {
        connection.execute("DELETE FROM log WHERE seq > ?1", [first(connection, 12)]).unwrap();
    });
    shows(|connection| {
        let last: i64 = connection.query_row("SELECT max(seq) FROM log", [], |row| row.get(0)).unwrap();
        connection.execute("DELETE FROM log WHERE seq = ?1", [last]).unwrap();
        connection.execute("DELETE FROM heads WHERE size > ?1", [last]).unwrap();
    });
}

/// Attack: two rows exchanged, and the tree made anew.
#[test]
fn rows_reordered() {
    shows(|connection| {
        let (a, b) = (first(connection, 10), first(connection, 11));
        for (from, to) in [(a, 1_000_000), (b, a), (1_000_000, b)] {
            connection.execute("UPDATE log SET seq = ?2 WHERE seq = ?1", [from, to]).unwrap();
        }
        rebuild(connection);
    });
}

/// Attack: a row added, with its place in the tree: a receipt's that never was.
#[test]
fn a_row_added() {
    shows(|connection| {
        let copied = "INSERT INTO log (seq, kind, unix_ms, party, body, nodes)
                      SELECT (SELECT max(seq) + 1 FROM log), kind, (SELECT max(unix_ms) FROM log), party, body, nodes FROM log WHERE seq = ?1";
        connection.execute(copied, [first(connection, 11)]).unwrap();
        rebuild(connection);
    });
}

/// Attack: the tables that the program works with edited, so that a budget is fuller than it was; the log as it was.
#[test]
fn tables_that_the_log_does_not_tell_of() {
    shows(|connection| {
        connection.execute("DELETE FROM charges WHERE session = (SELECT min(session) FROM charges)", []).unwrap();
    });
    shows(|connection| {
        connection.execute("UPDATE sessions SET charged_tokens = 0, charged_batches = 0", []).unwrap();
    });
    shows(|connection| {
        connection.execute("UPDATE epochs SET evaluations_max = 1000000000", []).unwrap();
    });
    shows(|connection| {
        connection.execute("UPDATE sessions SET opened_unix_ms = opened_unix_ms - 9000000000", []).unwrap();
    });
}

/// Attack: a signed head of another ledger put among this one's.
#[test]
fn a_head_that_is_not_this_ledgers() {
    shows(|connection| {
        connection.execute("UPDATE heads SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM heads)", []).unwrap();
    });
}
