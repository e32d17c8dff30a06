//! What other programs do to the database is found (SPEC LED-6).

use oblink_session::head::LogHead;

use super::log::full;
use super::*;

/// LED-6: every table that matters, every way to change it.
#[test]
fn what_is_changed_in_a_table_is_found() {
    let changes = [
        ("epochs", "UPDATE epochs SET records = records + 1"),
        ("epochs", "UPDATE epochs SET ended_unix_ms = NULL, end_reason = NULL WHERE ended_unix_ms IS NOT NULL"),
        ("epochs", "UPDATE epochs SET evaluations_max = 99"),
        ("epochs", "UPDATE epochs SET grace_until_unix_ms = 1 WHERE closing_unix_ms IS NOT NULL"),
        ("epochs", "DELETE FROM epochs WHERE ended_unix_ms IS NOT NULL"),
        ("earlier_sets", "UPDATE earlier_sets SET records = 5"),
        ("earlier_sets", "DELETE FROM earlier_sets"),
        ("sessions", "UPDATE sessions SET tokens = 1000 WHERE session = 1"),
        ("sessions", "UPDATE sessions SET charged_tokens = 0 WHERE session = 2"),
        ("sessions", "UPDATE sessions SET state = 'suspended' WHERE session = 1"),
        ("sessions", "UPDATE sessions SET request = x'7b7d' WHERE session = 1"),
        ("sessions", "UPDATE sessions SET policy = NULL WHERE session = 2"),
        ("sessions", "UPDATE sessions SET disclosure = 'none' WHERE session = 2"),
        ("sessions", "UPDATE sessions SET verifier = zeroblob(32) WHERE session = 1"),
        ("sessions", "UPDATE sessions SET opened_unix_ms = 1 WHERE session = 1"),
        ("sessions", "DELETE FROM sessions WHERE session = 1"),
        (
            "sessions",
            "INSERT INTO sessions (session_id, request_id, request_digest, request, epoch, verifier, verifier_certificate, offered,
               verifier_nonce, holder_nonce, pairs, tokens, batches, state, opened_unix_ms, changed_unix_ms)
             SELECT zeroblob(16), zeroblob(16), request_digest, request, epoch, verifier, verifier_certificate, offered,
               verifier_nonce, holder_nonce, pairs, tokens, batches, state, opened_unix_ms, changed_unix_ms FROM sessions LIMIT 1",
        ),
        ("charges", "UPDATE charges SET tokens = 9 WHERE session = 1"),
        ("charges", "UPDATE charges SET blinded_digest = zeroblob(32) WHERE session = 2 AND batch = 1"),
        ("charges", "UPDATE charges SET statement = zeroblob(64) WHERE session = 1"),
        ("charges", "UPDATE charges SET charged_unix_ms = 1 WHERE session = 1"),
        ("charges", "UPDATE charges SET evaluated_digest = zeroblob(32) WHERE session = 2 AND batch = 1"),
        ("charges", "DELETE FROM charges WHERE session = 1"),
        (
            "charges",
            "INSERT INTO charges SELECT session, 2, tokens, blinded_digest, statement, NULL, 0, charged_unix_ms, entry FROM charges LIMIT 1",
        ),
        ("receipts", "UPDATE receipts SET body = x'7b7d20'"),
        ("receipts", "UPDATE receipts SET holder_signature = zeroblob(64)"),
        ("receipts", "UPDATE receipts SET verifier_signature = NULL"),
        ("receipts", "DELETE FROM receipts"),
        ("deliveries", "UPDATE deliveries SET bytes = 1"),
        ("deliveries", "DELETE FROM deliveries"),
        ("deliveries", "INSERT INTO deliveries (session, set_id, bytes, delivered_unix_ms) SELECT session, set_id, 5, 5 FROM deliveries"),
        ("refusals", "UPDATE refusals SET count = 2"),
        ("refusals", "UPDATE refusals SET code = 6"),
        ("refusals", "DELETE FROM refusals"),
        ("policies", "UPDATE policies SET digest = zeroblob(32)"),
        ("policies", "DELETE FROM policies"),
        ("proposals", "DELETE FROM proposals"),
        ("suspensions", "UPDATE suspensions SET resumed_entry = NULL, resumed_unix_ms = NULL"),
        ("suspensions", "UPDATE suspensions SET reason = 'another'"),
        ("suspensions", "DELETE FROM suspensions"),
        ("denials", "UPDATE denials SET reason = 'another'"),
        ("denials", "DELETE FROM denials"),
        ("countersignatures", "UPDATE countersignatures SET principal = 'another'"),
        ("countersignatures", "DELETE FROM countersignatures"),
        ("disclosures", "UPDATE disclosures SET matched = 1"),
        ("disclosures", "DELETE FROM disclosures"),
        ("disclosed_tags", "UPDATE disclosed_tags SET tags = zeroblob(32)"),
        ("disclosed_tags", "DELETE FROM disclosed_tags"),
        ("bookings", "UPDATE bookings SET operator = 'another'"),
        ("bookings", "DELETE FROM bookings"),
        ("disclosed_records", "UPDATE disclosed_records SET record_id = 'c' WHERE record_id = 'b'"),
        ("disclosed_records", "DELETE FROM disclosed_records WHERE record_id = 'b'"),
        ("disclosed_records", "INSERT INTO disclosed_records SELECT session, 'c' FROM bookings"),
        ("clock", "UPDATE clock SET unix_ms = 5"),
        ("heads", "UPDATE heads SET root = zeroblob(32) WHERE size = (SELECT max(size) FROM heads)"),
        ("heads", "UPDATE heads SET signature = zeroblob(64) WHERE size = (SELECT max(size) FROM heads)"),
        ("heads", "UPDATE heads SET unix_ms = 5 WHERE size = (SELECT min(size) FROM heads)"),
        ("heads", "UPDATE heads SET size = size + 100 WHERE size = (SELECT max(size) FROM heads)"),
        (
            "tables",
            "UPDATE charges SET statement = x'00' WHERE session = 99; DROP TRIGGER IF EXISTS none; UPDATE epochs SET set_id = x'00'",
        ),
    ];
    for (place, change) in changes {
        let (_home, ledger) = full();
        tamper(&ledger, change);
        assert_eq!(tampered(&ledger, &[]).place, place, "{change}");
    }
}

/// LED-6: the log itself.
#[test]
fn what_is_changed_in_the_log_is_found() {
    let changes = [
        "UPDATE log SET body = CAST(replace(CAST(body AS TEXT), '\"tokens\":10', '\"tokens\":11') AS BLOB) WHERE kind = 10",
        "UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'days_max = 90', 'days_max = 91') AS BLOB) WHERE kind = 1",
        "UPDATE log SET unix_ms = unix_ms + 1 WHERE kind = 10",
        "UPDATE log SET party = zeroblob(32) WHERE kind = 10",
        "UPDATE log SET kind = 18 WHERE kind = 19",
        "UPDATE log SET nodes = zeroblob(length(nodes)) WHERE seq = 3",
        "UPDATE log SET nodes = substr(nodes, 1, 32) WHERE seq = 3",
        "UPDATE log SET nodes = CAST(nodes || zeroblob(32) AS BLOB) WHERE seq = 4",
        "DELETE FROM log WHERE seq = 4",
        "DELETE FROM log WHERE seq = 0",
        "DELETE FROM log WHERE kind = 10; UPDATE log SET seq = (SELECT count(*) FROM log o WHERE o.seq < log.seq)",
        "UPDATE log SET seq = -1 WHERE seq = 5; UPDATE log SET seq = 5 WHERE seq = 6; UPDATE log SET seq = 6 WHERE seq = -1",
        "INSERT INTO log SELECT max(seq) + 1, kind, unix_ms, party, body, nodes FROM log",
        "INSERT INTO log SELECT max(seq) + 2, kind, unix_ms, party, body, nodes FROM log",
    ];
    for change in changes {
        let (_home, ledger) = full();
        tamper(&ledger, change);
        assert_eq!(tampered(&ledger, &[]).place, "log", "{change}");
    }
}

/// Rewrites the log after a change with hashes that fit: what whoever has this program can do.
fn rehash(ledger: &SqliteLedger) {
    type Stored = (u64, u8, u64, [u8; 32], Vec<u8>);
    let rows: Vec<Stored> = ledger
        .connection
        .prepare("SELECT seq, kind, unix_ms, party, body FROM log ORDER BY seq")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut log = oblink_session::merkle::Accumulator::new();
    ledger.connection.execute_batch("DROP TRIGGER log_stays").unwrap();
    for (seq, kind, unix_ms, party, body) in rows {
        use sha2::Digest;
        let digest = sha2::Sha256::digest(&body).into();
        let nodes = log.append(super::super::log::entry_leaf(kind, unix_ms, &party, &digest)).concat();
        ledger.connection.execute("UPDATE log SET nodes = ?2 WHERE seq = ?1", rusqlite::params![seq, nodes]).unwrap();
    }
    ledger
        .connection
        .execute_batch("CREATE TRIGGER log_stays BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END")
        .unwrap();
}

/// LED-6: whoever writes table, entry and hashes anew is found by a head that was signed; without those that the ledger has, by a witness.
#[test]
fn a_log_written_anew_is_not_the_one_that_was_signed() {
    let (_home, mut ledger) = full();
    let witness = ledger.latest_signed_head().unwrap().unwrap();
    tamper(
        &ledger,
        "UPDATE suspensions SET reason = 'another';
         UPDATE log SET body = CAST(replace(CAST(body AS TEXT), 'a reason', 'another') AS BLOB) WHERE kind = 2",
    );
    rehash(&ledger);
    assert_eq!(tampered(&ledger, &[]).place, "heads");
    tamper(&ledger, "DELETE FROM heads WHERE size > 10");
    let size = ledger.head().unwrap().size;
    assert_eq!(verified(&ledger, &[]).head.size, size);
    let found = tampered(&ledger, &[witness]);
    assert_eq!((found.place, found.entry), ("witness", Some(size)));
    assert_eq!(found.to_string(), format!("witness, entry {size}: the log is not the one that was signed"));
}

/// LED-6: an entry put at the end with hashes that fit tells of a row that is not there, or breaks the rules.
#[test]
fn forged_entries_at_the_end_are_found() {
    let forged = [
        (10, "(SELECT body FROM log WHERE kind = 10 LIMIT 1)", "log"),
        (8, "(SELECT body FROM log WHERE kind = 8 LIMIT 1)", "log"),
        (2, "CAST('{\"operator\":\"x\",\"reason\":\"x\",\"scope\":\"all\"}' AS BLOB)", "log"),
        (2, "CAST('{\"operator\":\"x\",\"reason\":\"x\",\"scope\":\"' || lower(hex(party)) || '\"}' AS BLOB)", "suspensions"),
        (2, "CAST('{\"operator\":\"x\",\"scope\":\"all\"}' AS BLOB)", "log"),
        (1, "(SELECT body FROM log WHERE kind = 1 LIMIT 1)", "log"),
        (20, "CAST('{\"table\":\"epochs\"}' AS BLOB)", "log"),
        (99, "CAST('{}' AS BLOB)", "log"),
    ];
    for (kind, body, place) in forged {
        let (_home, ledger) = full();
        tamper(
            &ledger,
            &format!(
                "INSERT INTO log SELECT (SELECT max(seq) + 1 FROM log), {kind}, {}, party, {body}, nodes FROM log WHERE kind = 10 LIMIT 1",
                CLOCK + 900
            ),
        );
        rehash(&ledger);
        assert_eq!(tampered(&ledger, &[]).place, place, "kind {kind}: {body}");
    }
}

/// LED-6: a copy from before is in order by itself; a head that somebody else kept finds it, and so does one of another branch.
#[test]
fn a_rolled_back_or_forked_ledger_is_found_by_a_witness() {
    let (home, mut ledger) = full();
    let copy = Home::new();
    for suffix in ["", "-wal"] {
        let name = format!("ledger.sqlite{suffix}");
        std::fs::copy(home.0.path().join(&name), copy.0.path().join(&name)).unwrap();
    }
    let before = ledger.latest_signed_head().unwrap().unwrap();
    ledger.charge(&batch(2, 0, 1)).unwrap_err();
    ledger.record_operator("operator", "here", "", CLOCK).unwrap();
    let witness = sign_head(&mut ledger);
    verified(&ledger, &[before, witness]);
    let mut back = copy.open();
    verified(&back, &[before]);
    let found = tampered(&back, &[before, witness]);
    assert_eq!((found.place, found.what), ("witness", "the log ends before the head that was signed"));
    back.record_operator("operator", "there", "", CLOCK).unwrap();
    sign_head(&mut back);
    let found = tampered(&back, &[before, witness]);
    assert_eq!((found.place, found.what), ("witness", "the log is not the one that was signed"));
    // Entries cut off at the end, heads and rows with them.
    let forged = SignedHead { head: LogHead { size: 3, root: [7; 32] }, ..witness };
    assert_eq!(tampered(&ledger, &[forged]).place, "witness");
    tamper(&ledger, "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)");
    assert_eq!(tampered(&ledger, &[]).place, "heads");
    tamper(&ledger, "DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)");
    verified(&ledger, &[before]);
    assert_eq!(tampered(&ledger, &[witness]).place, "witness");
}
