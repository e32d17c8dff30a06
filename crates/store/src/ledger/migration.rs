//! What a log says of a ledger that was begun before there was one (SPEC LED-4, kind 20).
//!
//! The entries bind every row that was there when the ledger was brought up, from then on. What they cannot show is what happened to a row
//! before; what the older versions counted in place (how often a batch was repeated, how often something was refused) stays countable and
//! is bound by nothing.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Transaction};
use sha2::{Digest, Sha256};

use super::account::answers_digest;
use super::entries::{Hex, ImportEpoch, ImportReceipt, ImportRows, ImportSession, MaybeHex, text_of};
use super::log::append;
use super::{Failure, contradiction};

/// The rows of a session's charges, without what may still change in them.
pub(super) const IMPORTED_CHARGES: &str =
    "SELECT batch, tokens, blinded_digest, statement, charged_unix_ms FROM charges WHERE session = ?1 AND entry IS NULL ORDER BY batch";
/// Tables of which the log has a digest over all imported rows, with the query of these.
pub(super) const IMPORTED_ROWS: [(&str, &str); 3] = [
    (
        "deliveries",
        "SELECT s.session_id, d.set_id, d.bytes, d.delivered_unix_ms FROM deliveries d JOIN sessions s USING (session)
         WHERE d.entry IS NULL ORDER BY d.delivery",
    ),
    (
        "earlier_sets",
        "SELECT e.epoch_id, o.as_of, o.tags, o.set_id, o.set_bytes, o.records, o.rejected, o.input_digest, o.sealed_unix_ms,
         o.replaced_unix_ms FROM earlier_sets o JOIN epochs e USING (epoch) WHERE o.entry IS NULL ORDER BY o.earlier_set",
    ),
    ("refusals", "SELECT refusal, verifier, code, first_unix_ms FROM refusals WHERE refusal <= ?1 ORDER BY refusal"),
];

/// Number of rows that a query gives and a digest over them: of each value its type (0 none, 1 integer, 2 text, 3 blob), an integer as
/// i64, text and blobs after their length as u64.
pub(super) fn rows_digest(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> Result<(u64, [u8; 32]), Failure> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(parameters)?;
    let (mut count, mut hash) = (0, Sha256::new());
    while let Some(row) = rows.next()? {
        count += 1;
        for column in 0..columns {
            let (kind, bytes) = match row.get_ref(column)? {
                ValueRef::Null => (0, None),
                ValueRef::Integer(value) => {
                    hash.update([1]);
                    hash.update(value.to_be_bytes());
                    continue;
                }
                ValueRef::Real(_) => return Err(contradiction("a fraction in a ledger of integers")),
                ValueRef::Text(bytes) => (2, Some(bytes)),
                ValueRef::Blob(bytes) => (3, Some(bytes)),
            };
            hash.update([kind]);
            if let Some(bytes) = bytes {
                hash.update((bytes.len() as u64).to_be_bytes());
                hash.update(bytes);
            }
        }
    }
    Ok((count, hash.finalize().into()))
}

/// Appends what there was before the log: epochs, then sessions, receipts, and the rest by digests.
pub(super) fn import(transaction: &Transaction<'_>) -> Result<(), Failure> {
    let now = transaction.query_row("SELECT unix_ms FROM clock", [], |row| row.get(0))?;
    import_epochs(transaction, now)?;
    import_sessions(transaction, now)?;
    import_receipts(transaction, now)?;
    for (table, sql) in IMPORTED_ROWS {
        let (rows, digest) = match table {
            "refusals" => rows_digest(transaction, sql, [i64::MAX])?,
            _ => rows_digest(transaction, sql, [])?,
        };
        if rows > 0 {
            append(transaction, now, None, &ImportRows { digest: Hex(digest), rows, table: table.to_owned() })?;
        }
    }
    Ok(())
}

fn import_epochs(transaction: &Transaction<'_>, now: u64) -> Result<(), Failure> {
    let mut statement = transaction.prepare(
        "SELECT verifier, as_of, begun_unix_ms, declared_tags, ifnull(end_reason, ''), ifnull(ended_unix_ms, 0), epoch_id, input_digest,
         public_key, records, rejected, ruleset_digest, session_tokens_max, set_bytes, set_id, suite, tags, tau, tokens_per_pair
         FROM epochs ORDER BY epoch",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body = ImportEpoch {
            as_of: row.get(1)?,
            begun_unix_ms: row.get(2)?,
            declared_tags: row.get(3)?,
            end_reason: row.get(4)?,
            ended_unix_ms: row.get(5)?,
            epoch: Hex(row.get(6)?),
            input_digest: MaybeHex(row.get(7)?),
            public_key: Hex(row.get(8)?),
            records: row.get(9)?,
            rejected: row.get(10)?,
            ruleset_digest: Hex(row.get(11)?),
            session_tokens_max: row.get(12)?,
            set_bytes: row.get(13)?,
            set_id: Hex(row.get(14)?),
            suite: row.get(15)?,
            table: "epochs".to_owned(),
            tags: row.get(16)?,
            tau: row.get(17)?,
            tokens_per_pair: row.get(18)?,
        };
        append(transaction, now, row.get::<_, Option<[u8; 32]>>(0)?.as_ref(), &body)?;
    }
    Ok(())
}

fn import_sessions(transaction: &Transaction<'_>, now: u64) -> Result<(), Failure> {
    let mut statement = transaction.prepare(
        "SELECT s.session, s.verifier, s.batches, s.changed_unix_ms, s.charged_batches, s.charged_tokens, e.epoch_id, s.holder_nonce,
         s.offered, s.opened_unix_ms, s.pairs, s.request, s.request_digest, s.request_id, s.session_id, s.set_id, s.state, s.tokens,
         s.verifier_certificate, s.verifier_nonce FROM sessions s JOIN epochs e USING (epoch) ORDER BY s.session",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let session: i64 = row.get(0)?;
        let body = ImportSession {
            batches: row.get(2)?,
            changed_unix_ms: row.get(3)?,
            charged_batches: row.get(4)?,
            charged_tokens: row.get(5)?,
            charges_digest: Hex(rows_digest(transaction, IMPORTED_CHARGES, [session])?.1),
            epoch: Hex(row.get(6)?),
            holder_nonce: Hex(row.get(7)?),
            offered: oblink_session::request::to_hex(&row.get::<_, Vec<u8>>(8)?),
            opened_unix_ms: row.get(9)?,
            pairs: row.get(10)?,
            request: text_of(&row.get::<_, Vec<u8>>(11)?),
            request_digest: Hex(row.get(12)?),
            request_id: Hex(row.get(13)?),
            session: Hex(row.get(14)?),
            set_id: MaybeHex(row.get(15)?),
            state: row.get(16)?,
            table: "sessions".to_owned(),
            tokens: row.get(17)?,
            verifier_certificate: Hex(row.get(18)?),
            verifier_nonce: Hex(row.get(19)?),
        };
        append(transaction, now, Some(&row.get::<_, [u8; 32]>(1)?), &body)?;
    }
    Ok(())
}

fn import_receipts(transaction: &Transaction<'_>, now: u64) -> Result<(), Failure> {
    let mut statement = transaction.prepare(
        "SELECT r.session, s.verifier, s.session_id, r.holder_certificate, r.completed_unix_ms, r.body, r.holder_signature,
         r.verifier_signature FROM receipts r JOIN sessions s USING (session) ORDER BY r.session",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let body = ImportReceipt {
            answers_digest: Hex(answers_digest(transaction, row.get(0)?)?),
            certificate: Hex(row.get(3)?),
            completed_unix_ms: row.get(4)?,
            receipt: text_of(&row.get::<_, Vec<u8>>(5)?),
            session: Hex(row.get(2)?),
            signature: Hex(row.get(6)?),
            table: "receipts".to_owned(),
            verifier_signature: MaybeHex(row.get(7)?),
        };
        append(transaction, now, Some(&row.get::<_, [u8; 32]>(1)?), &body)?;
    }
    Ok(())
}
