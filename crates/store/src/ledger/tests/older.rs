//! Ledgers of older versions, brought up.

use super::super::schema::create_version;
use super::*;

/// The tables, their columns and the rest of the schema.
fn schema_of(home: &Home) -> Vec<(String, String, String)> {
    let connection = Connection::open(home.path()).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT s.type || ' ' || s.name, ifnull(c.name, ''), ifnull(c.type, '') FROM sqlite_schema s LEFT JOIN pragma_table_info(s.name) c
             WHERE s.name NOT LIKE 'sqlite%' ORDER BY s.name, c.cid",
        )
        .unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

/// A ledger as version 2 or 3 wrote it: an epoch, a session that is suspended after two batches of three, one that is complete, a delivery
/// and refusals.
fn older(version: i64) -> Home {
    let home = Home::new();
    let connection = create_version(&home.path(), version);
    let bound =
        |session: u8| format!("x'{}', x'{}', x'{}'", hex::encode([session; 16]), hex::encode([session; 16]), hex::encode([session; 32]));
    let mut sql = format!(
        "UPDATE clock SET unix_ms = {CLOCK};
         INSERT INTO epochs VALUES (1, x'{}', x'{}', 1, 74, 1, 20260131, 16777216, 1000, 999, x'{}', x'{}', x'{}', 9000, 1100, 7, NULL, {CLOCK}, NULL, NULL);",
        hex::encode([10; 16]),
        hex::encode(VERIFIER),
        hex::encode([3; 32]),
        hex::encode([4; 32]),
        hex::encode([10; 32]),
    );
    for (session, state, batches) in [(1, "suspended", 2), (2, "complete", 3)] {
        sql += &format!(
            "INSERT INTO sessions (session_id, request_id, request_digest, request, epoch, verifier, verifier_certificate, offered,
               verifier_nonce, holder_nonce, pairs, tokens, batches, state, charged_tokens, charged_batches, opened_unix_ms, changed_unix_ms)
             VALUES ({}, x'{}', 1, x'{}', x'{}', x'{}', x'{}', x'{}', 30, 30, 3, '{state}', {}, {batches}, {CLOCK}, {CLOCK});",
            bound(session),
            hex::encode([session; 100]),
            hex::encode(VERIFIER),
            hex::encode([session; 136]),
            hex::encode([1, session]),
            hex::encode([session; 32]),
            hex::encode([session ^ 0xff; 32]),
            batches * 10,
        );
        for batch in 0..batches {
            sql += &format!(
                "INSERT INTO charges VALUES ({session}, {batch}, 10, x'{}', x'{}', {}, 0, {CLOCK});",
                hex::encode([10; 32]),
                hex::encode([6; 64]),
                if state == "complete" { format!("x'{}'", hex::encode([20; 32])) } else { "NULL".to_owned() },
            );
        }
    }
    sql += &format!(
        "INSERT INTO receipts VALUES (2, x'7b7d', x'{}', x'{}', x'{}', {CLOCK});
         INSERT INTO deliveries VALUES (1, 2, x'{}', 9000, {CLOCK});
         INSERT INTO refusals VALUES (1, x'{}', 6, 'too many', 5, {CLOCK}, {CLOCK}), (2, NULL, 5, 'what', 1, {CLOCK}, {CLOCK});",
        hex::encode([7; 64]),
        hex::encode([17; 136]),
        hex::encode([8; 64]),
        hex::encode([10; 32]),
        hex::encode(VERIFIER),
    );
    connection.execute_batch(&sql).unwrap();
    if version == 3 {
        connection.execute_batch("UPDATE sessions SET set_id = (SELECT set_id FROM epochs)").unwrap();
        let earlier = format!(
            "INSERT INTO earlier_sets VALUES (1, 1, 20260101, 900, x'{}', 8000, 1000, 3, NULL, {CLOCK}, {CLOCK})",
            hex::encode([9; 32])
        );
        connection.execute_batch(&earlier).unwrap();
    }
    home
}

#[test]
fn ledgers_of_versions_2_and_3_are_brought_up() {
    let new = Home::new();
    drop(new.open());
    for version in [2, 3] {
        let home = older(version);
        let mut ledger = home.open();
        assert_eq!(schema_of(&home), schema_of(&new), "as one that was made so");
        assert!(ledger.sessions().unwrap().iter().all(|row| row.set_id == [10; 32] && row.entry.is_none()));
        assert_eq!(account(&ledger), (50, 0));
        let imported = 1 + 2 + 1 + 2 + u64::from(version == 3);
        let report = verified(&ledger, &[]);
        assert_eq!((report.imported, report.sessions, report.charges, report.charged_tokens), (imported, 2, 5, 50));
        // And it goes on.
        let known = SessionEntry { request_digest: [1; 32], ..session(1) };
        assert!(matches!(ledger.open_session(&known).unwrap(), SessionOpening::Resumed { .. }));
        ledger.charge(&ChargeEntry { answered: vec![(0, [20; 32]), (1, [21; 32])], ..batch(1, 2, 10) }).unwrap();
        ledger.complete(&completion(1)).unwrap();
        ledger.record_refusal(Some(&VERIFIER), 6, "too many", None, CLOCK).unwrap();
        for _ in 0..9 {
            ledger.record_refusal(None, 5, "what", None, CLOCK).unwrap();
        }
        ledger.record_delivery(&[1; 16], &[10; 32], 9_000, CLOCK).unwrap();
        verified(&ledger, &[]);
        drop(ledger);
        let ledger = home.open();
        assert_eq!(verified(&ledger, &[]).imported, imported, "brought up once");
    }
}

/// LED-6: what was brought is bound from then on.
#[test]
fn an_imported_row_that_is_changed_later_is_found() {
    let changes = [
        ("epochs", "UPDATE epochs SET records = 1"),
        ("sessions", "UPDATE sessions SET tokens = 29 WHERE session = 1"),
        ("charges", "UPDATE charges SET tokens = 9 WHERE session = 1 AND batch = 0"),
        ("charges", "DELETE FROM charges WHERE session = 1 AND batch = 0"),
        ("charges", "UPDATE charges SET evaluated_digest = blinded_digest WHERE session = 2 AND batch = 0"),
        ("receipts", "UPDATE receipts SET body = x'7b'"),
        ("receipts", "UPDATE receipts SET verifier_signature = NULL"),
        ("deliveries", "UPDATE deliveries SET bytes = 1"),
        ("deliveries", "DELETE FROM deliveries"),
        ("earlier_sets", "UPDATE earlier_sets SET records = 1"),
        ("refusals", "UPDATE refusals SET code = 7 WHERE refusal = 1"),
        ("refusals", "DELETE FROM refusals WHERE refusal = 2"),
    ];
    for (place, change) in changes {
        let home = older(3);
        let ledger = home.open();
        tamper(&ledger, change);
        assert_eq!(tampered(&ledger, &[]).place, place, "{change}");
    }
}
