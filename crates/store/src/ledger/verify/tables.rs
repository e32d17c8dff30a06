//! The tables, held against the replayed log: each row must be the one that the entries tell of, and none may be missing or be there besides.

use rusqlite::{Row, params};
use sha2::{Digest, Sha256};

use super::super::Failure;
use super::super::account::answers_digest;
use super::super::disclosures::{booked, tags_digest};
use super::super::entries::{EpochBegin, Hex, MaybeHex, text_of};
use super::super::migration::{IMPORTED_CHARGES, IMPORTED_ROWS, rows_digest};
use super::Tampered;
use super::epochs::{EarlierSet, Epoch};
use super::model::{Delivered, Model, Suspended};
use super::sessions::{Facts, Receipt, Session, State, text_digest};

/// A row that differs.
const DIFFERS: &str = "a row is not what was written";
/// A row that no entry tells of.
const ADDED: &str = "a row is there that was not written";
/// A row that an entry tells of.
const MISSING: &str = "a row that was written is not there";

fn found(place: &'static str, entry: u64, what: &'static str) -> Tampered {
    Tampered { place, entry: Some(entry), what }
}

fn found_in(place: &'static str, what: &'static str) -> Tampered {
    Tampered { place, entry: None, what }
}

impl Model<'_> {
    /// Compares every table.
    pub(super) fn compare(&self, latest_unix_ms: u64) -> Result<(), Failure> {
        self.compare_epochs()?;
        self.compare_sessions()?;
        self.compare_charges()?;
        self.compare_receipts()?;
        self.compare_disclosures()?;
        self.compare_bookings()?;
        self.compare_deliveries()?;
        self.compare_refusals()?;
        self.compare_officials()?;
        self.compare_imported()?;
        let (clock, rows): (u64, u64) = self.connection.query_row("SELECT max(unix_ms), count(*) FROM clock", [], |row| {
            Ok((row.get::<_, Option<u64>>(0)?.unwrap_or(0), row.get(1)?))
        })?;
        if rows == 1 && clock >= latest_unix_ms { Ok(()) } else { Err(found_in("clock", "it is behind the log").into()) }
    }

    /// Hands each row of a query on.
    fn each(&self, sql: &str, mut body: impl FnMut(&Row<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
        let mut statement = self.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            body(row)?;
        }
        Ok(())
    }

    fn compare_epochs(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT as_of, declared_tags, ifnull(ends_unix_ms, 0), epoch_id, ifnull(evaluations_max, 0), input_digest, public_key, records,
             rejected, ruleset_digest, session_tokens_max, set_bytes, set_id, suite, tags, tau, tokens_per_pair, verifier, begun_unix_ms,
             closing_unix_ms, closing_reason, grace_until_unix_ms, ended_unix_ms, end_reason FROM epochs",
            |row| {
                let set = EpochBegin {
                    as_of: row.get(0)?,
                    declared_tags: row.get(1)?,
                    ends_unix_ms: row.get(2)?,
                    epoch: Hex(row.get(3)?),
                    evaluations_max: row.get(4)?,
                    input_digest: MaybeHex(row.get(5)?),
                    public_key: Hex(row.get(6)?),
                    records: row.get(7)?,
                    rejected: row.get(8)?,
                    ruleset_digest: Hex(row.get(9)?),
                    session_tokens_max: row.get(10)?,
                    set_bytes: row.get(11)?,
                    set_id: Hex(row.get(12)?),
                    suite: row.get(13)?,
                    tags: row.get(14)?,
                    tau: row.get(15)?,
                    tokens_per_pair: row.get(16)?,
                };
                let closing: Option<u64> = row.get(19)?;
                let closing = closing.map(|at| Ok::<_, rusqlite::Error>((at, row.get(20)?, row.get(21)?))).transpose()?;
                let ended: Option<u64> = row.get(22)?;
                let ended = ended.map(|at| Ok::<_, rusqlite::Error>((at, row.get(23)?))).transpose()?;
                let id = set.epoch.0;
                let epoch = Epoch { set, verifier: row.get(17)?, begun_unix_ms: row.get(18)?, closing, ended };
                rows += 1;
                match self.epochs.get(&id) {
                    Some(known) if *known == epoch => Ok(()),
                    Some(_) => Err(found_in("epochs", DIFFERS).into()),
                    None => Err(found_in("epochs", ADDED).into()),
                }
            },
        )?;
        if rows == self.epochs.len() { Ok(()) } else { Err(found_in("epochs", MISSING).into()) }
    }

    fn compare_sessions(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT s.session, s.session_id, s.request_id, s.request_digest, s.request, e.epoch_id, s.set_id, s.verifier_certificate,
             s.offered, s.verifier_nonce, s.holder_nonce, s.pairs, s.tokens, s.batches, s.opened_unix_ms, s.disclosure, s.verifier, s.state,
             s.policy, s.resumes, s.charged_tokens, s.charged_batches, s.changed_unix_ms, s.entry
             FROM sessions s LEFT JOIN epochs e USING (epoch)",
            |row| {
                let session = self.sessions.get(&row.get::<_, [u8; 16]>(1)?).ok_or(found_in("sessions", ADDED))?;
                let facts = Facts {
                    request_id: row.get(2)?,
                    request_digest: row.get(3)?,
                    request_text_digest: text_digest(&text_of(&row.get::<_, Vec<u8>>(4)?)),
                    epoch: row.get(5)?,
                    set_id: row.get(6)?,
                    certificate: row.get(7)?,
                    offered: oblink_session::request::to_hex(&row.get::<_, Vec<u8>>(8)?),
                    verifier_nonce: row.get(9)?,
                    holder_nonce: row.get(10)?,
                    pairs: row.get(11)?,
                    tokens: row.get(12)?,
                    batches: row.get(13)?,
                    opened_unix_ms: row.get(14)?,
                    disclosure: row.get(15)?,
                };
                let same = session.row == row.get::<_, i64>(0)?
                    && session.facts == facts
                    && session.verifier == row.get::<_, [u8; 32]>(16)?
                    && Some(session.state) == State::of(&row.get::<_, String>(17)?)
                    && session.policy == row.get(18)?
                    && session.resumes == row.get::<_, u64>(19)?
                    && session.charged_tokens == row.get::<_, u64>(20)?
                    && session.charged_batches == row.get::<_, u64>(21)?
                    && session.changed_unix_ms == row.get::<_, u64>(22)?
                    && session.imported.map_or(Some(session.entry), |_| None) == row.get(23)?;
                rows += 1;
                if same { Ok(()) } else { Err(found("sessions", session.entry, DIFFERS).into()) }
            },
        )?;
        if rows == self.sessions.len() { Ok(()) } else { Err(found_in("sessions", MISSING).into()) }
    }

    /// Each charge was compared with its entry when that was read: what is left are rows that no entry tells of, and imported ones.
    fn compare_charges(&self) -> Result<(), Failure> {
        let rows: u64 = self.connection.query_row("SELECT count(*) FROM charges", [], |row| row.get(0))?;
        if rows != self.charges {
            return Err(found_in("charges", if rows > self.charges { ADDED } else { MISSING }).into());
        }
        for session in self.sessions.values() {
            if let Some((batches, digest)) = session.imported
                && rows_digest(self.connection, IMPORTED_CHARGES, [session.row])? != (batches, digest)
            {
                return Err(found("charges", session.entry, DIFFERS).into());
            }
        }
        Ok(())
    }

    /// The session of a row that names it, and how many rows there were.
    fn session_of(&self, row: &Row<'_>, place: &'static str) -> Result<&Session, Failure> {
        let session = row.get::<_, Option<[u8; 16]>>(0)?.and_then(|id| self.sessions.get(&id));
        Ok(session.ok_or(found_in(place, ADDED))?)
    }

    fn compare_receipts(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT s.session_id, r.body, r.holder_signature, r.holder_certificate, r.verifier_signature, r.completed_unix_ms
             FROM receipts r LEFT JOIN sessions s USING (session)",
            |row| {
                let session = self.session_of(row, "receipts")?;
                let (entry, known, answers) = session.receipt.as_ref().ok_or(found("receipts", session.entry, ADDED))?;
                let receipt = Receipt {
                    text_digest: text_digest(&text_of(&row.get::<_, Vec<u8>>(1)?)),
                    signature: row.get(2)?,
                    certificate: row.get(3)?,
                    verifier_signature: row.get(4)?,
                    completed_unix_ms: row.get(5)?,
                };
                rows += 1;
                if receipt != *known {
                    return Err(found("receipts", *entry, DIFFERS).into());
                }
                if answers_digest(self.connection, session.row)? != *answers {
                    return Err(found("charges", *entry, "the answers are not those of the receipt").into());
                }
                Ok(())
            },
        )?;
        let due = self.sessions.values().filter(|session| session.receipt.is_some()).count();
        if rows == due { Ok(()) } else { Err(found_in("receipts", MISSING).into()) }
    }

    fn compare_disclosures(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT s.session_id, d.kind, d.matched, d.tags_digest, d.signature, d.disclosed_unix_ms, d.entry
             FROM disclosures d LEFT JOIN sessions s USING (session)",
            |row| {
                let session = self.session_of(row, "disclosures")?;
                let (entry, known, unix_ms) = session.disclosed.as_ref().ok_or(found("disclosures", session.entry, ADDED))?;
                let same = known.kind == row.get::<_, String>(1)?
                    && known.matched == row.get::<_, u64>(2)?
                    && known.tags_digest.0 == row.get::<_, [u8; 32]>(3)?
                    && known.signature.0 == row.get::<_, [u8; 64]>(4)?
                    && (*unix_ms, *entry) == (row.get(5)?, row.get(6)?);
                rows += 1;
                if !same {
                    return Err(found("disclosures", *entry, DIFFERS).into());
                }
                if tags_digest(self.connection, session.row)? != known.tags_digest.0 {
                    return Err(found("disclosed_tags", *entry, DIFFERS).into());
                }
                Ok(())
            },
        )?;
        let due = self.sessions.values().filter(|session| session.disclosed.is_some()).count();
        if rows != due {
            return Err(found_in("disclosures", MISSING).into());
        }
        self.no_orphans("disclosed_tags", "SELECT count(*) FROM disclosed_tags WHERE session NOT IN (SELECT session FROM disclosures)")
    }

    fn compare_bookings(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT s.session_id, b.salt, b.records, b.digest, b.operator, b.booked_unix_ms, b.entry
             FROM bookings b LEFT JOIN sessions s USING (session)",
            |row| {
                let session = self.session_of(row, "bookings")?;
                let (entry, known, unix_ms) = session.booked.as_ref().ok_or(found("bookings", session.entry, ADDED))?;
                let same = known.records == row.get::<_, u64>(2)?
                    && known.digest.0 == row.get::<_, [u8; 32]>(3)?
                    && known.operator == row.get::<_, String>(4)?
                    && (*unix_ms, *entry) == (row.get(5)?, row.get(6)?);
                rows += 1;
                if !same {
                    return Err(found("bookings", *entry, DIFFERS).into());
                }
                if booked(self.connection, session.row, &row.get(1)?)? != (known.records, known.digest.0) {
                    return Err(found("disclosed_records", *entry, DIFFERS).into());
                }
                Ok(())
            },
        )?;
        let due = self.sessions.values().filter(|session| session.booked.is_some()).count();
        if rows != due {
            return Err(found_in("bookings", MISSING).into());
        }
        self.no_orphans("disclosed_records", "SELECT count(*) FROM disclosed_records WHERE session NOT IN (SELECT session FROM bookings)")
    }

    fn no_orphans(&self, place: &'static str, sql: &str) -> Result<(), Failure> {
        let orphans: u64 = self.connection.query_row(sql, [], |row| row.get(0))?;
        if orphans == 0 { Ok(()) } else { Err(found_in(place, ADDED).into()) }
    }

    fn compare_deliveries(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each(
            "SELECT s.session_id, d.set_id, d.bytes, d.delivered_unix_ms, d.entry FROM deliveries d LEFT JOIN sessions s USING (session)
             WHERE d.entry IS NOT NULL",
            |row| {
                let entry: u64 = row.get(4)?;
                let session = row.get::<_, Option<_>>(0)?.ok_or(found("deliveries", entry, DIFFERS))?;
                let delivered = Delivered { session, set_id: row.get(1)?, bytes: row.get(2)?, unix_ms: row.get(3)? };
                rows += 1;
                match self.deliveries.get(&entry) {
                    Some(known) if *known == delivered => Ok(()),
                    Some(_) => Err(found("deliveries", entry, DIFFERS).into()),
                    None => Err(found("deliveries", entry, ADDED).into()),
                }
            },
        )?;
        if rows != self.deliveries.len() {
            return Err(found_in("deliveries", if rows > self.deliveries.len() { ADDED } else { MISSING }).into());
        }
        let mut rows = 0;
        self.each(
            "SELECT e.epoch_id, o.as_of, o.tags, o.set_id, o.set_bytes, o.records, o.rejected, o.input_digest, o.replaced_unix_ms, o.entry
             FROM earlier_sets o LEFT JOIN epochs e USING (epoch) WHERE o.entry IS NOT NULL",
            |row| {
                let entry: u64 = row.get(9)?;
                let earlier = EarlierSet {
                    epoch: row.get::<_, Option<_>>(0)?.ok_or(found("earlier_sets", entry, DIFFERS))?,
                    as_of: row.get(1)?,
                    tags: row.get(2)?,
                    set_id: row.get(3)?,
                    set_bytes: row.get(4)?,
                    records: row.get(5)?,
                    rejected: row.get(6)?,
                    input_digest: row.get(7)?,
                    replaced_unix_ms: row.get(8)?,
                };
                rows += 1;
                match self.earlier_sets.get(&entry) {
                    Some(known) if *known == earlier => Ok(()),
                    Some(_) => Err(found("earlier_sets", entry, DIFFERS).into()),
                    None => Err(found("earlier_sets", entry, ADDED).into()),
                }
            },
        )?;
        let due = self.earlier_sets.len();
        if rows == due { Ok(()) } else { Err(found_in("earlier_sets", if rows > due { ADDED } else { MISSING }).into()) }
    }

    fn compare_refusals(&self) -> Result<(), Failure> {
        let imported = self.imported_refusals();
        let mut rows = 0;
        self.each("SELECT refusal, verifier, code, first_unix_ms, count FROM refusals", |row| {
            let refusal: u64 = row.get(0)?;
            let Some(known) = self.refusals.get(&refusal) else {
                return if refusal <= imported { Ok(()) } else { Err(found_in("refusals", ADDED).into()) };
            };
            let count: u64 = row.get(4)?;
            let same = known.verifier == row.get(1)?
                && known.code == row.get::<_, u16>(2)?
                && (refusal <= imported || known.first_unix_ms == row.get::<_, u64>(3)?)
                // It may have been counted on, not as far as the next entry.
                && count >= known.count
                && count < known.count.saturating_mul(2);
            rows += 1;
            if same { Ok(()) } else { Err(found("refusals", known.entry, DIFFERS).into()) }
        })?;
        if rows == self.refusals.len() { Ok(()) } else { Err(found_in("refusals", MISSING).into()) }
    }

    /// What operators and officials decided.
    fn compare_officials(&self) -> Result<(), Failure> {
        let mut rows = 0;
        self.each("SELECT entry, digest FROM policies", |row| {
            rows += 1;
            let entry = row.get(0)?;
            if self.policies.get(&entry) == Some(&row.get(1)?) { Ok(()) } else { Err(found("policies", entry, DIFFERS).into()) }
        })?;
        self.all_there("policies", rows, self.policies.len())?;
        rows = 0;
        self.each("SELECT digest, entry FROM proposals", |row| {
            rows += 1;
            let entry = row.get(1)?;
            if self.proposals.get(&row.get::<_, [u8; 32]>(0)?) == Some(&entry) {
                return Ok(());
            }
            Err(found("proposals", entry, DIFFERS).into())
        })?;
        self.all_there("proposals", rows, self.proposals.len())?;
        rows = 0;
        self.each("SELECT entry, scope, reason, operator, suspended_unix_ms, resumed_entry, resumed_unix_ms FROM suspensions", |row| {
            rows += 1;
            let (entry, resumed): (u64, Option<u64>) = (row.get(0)?, row.get(5)?);
            let suspended = Suspended {
                scope: row.get(1)?,
                reason: row.get(2)?,
                operator: row.get(3)?,
                unix_ms: row.get(4)?,
                resumed: resumed.map(|entry| row.get(6).map(|at| (entry, at))).transpose()?,
            };
            if self.suspensions.get(&entry) == Some(&suspended) { Ok(()) } else { Err(found("suspensions", entry, DIFFERS).into()) }
        })?;
        self.all_there("suspensions", rows, self.suspensions.len())?;
        rows = 0;
        self.each("SELECT entry, request_digest, verifier, reason, operator, denied_unix_ms FROM denials", |row| {
            rows += 1;
            let entry = row.get(0)?;
            let known = self.denials.get(&entry).ok_or(found("denials", entry, ADDED))?;
            let same = known.0.request_digest.0 == row.get::<_, [u8; 32]>(1)?
                && known.1 == row.get::<_, [u8; 32]>(2)?
                && known.0.reason == row.get::<_, String>(3)?
                && known.0.operator == row.get::<_, String>(4)?
                && known.2 == row.get::<_, u64>(5)?;
            if same { Ok(()) } else { Err(found("denials", entry, DIFFERS).into()) }
        })?;
        self.all_there("denials", rows, self.denials.len())?;
        rows = 0;
        self.each("SELECT entry, request_digest, signature, principal, key, signed_unix_ms FROM countersignatures", |row| {
            rows += 1;
            let entry = row.get(0)?;
            let (known, unix_ms) = self.countersignatures.get(&entry).ok_or(found("countersignatures", entry, ADDED))?;
            let same = known.request_digest.0 == row.get::<_, [u8; 32]>(1)?
                && known.signature == row.get::<_, String>(2)?
                && known.principal == row.get::<_, String>(3)?
                && known.key == row.get::<_, String>(4)?
                && *unix_ms == row.get::<_, u64>(5)?;
            if same { Ok(()) } else { Err(found("countersignatures", entry, DIFFERS).into()) }
        })?;
        self.all_there("countersignatures", rows, self.countersignatures.len())
    }

    fn all_there(&self, place: &'static str, rows: usize, due: usize) -> Result<(), Failure> {
        if rows == due { Ok(()) } else { Err(found_in(place, MISSING).into()) }
    }

    /// Rows of an older ledger of which the log has digests alone; without an entry there must be none.
    fn compare_imported(&self) -> Result<(), Failure> {
        let nothing: [u8; 32] = Sha256::digest([]).into();
        for (table, sql) in IMPORTED_ROWS {
            let known = self.imported_rows.iter().find(|(_, rows)| rows.table == table);
            let (entry, due) = known.map_or((None, (0, nothing)), |(seq, rows)| (Some(*seq), (rows.rows, rows.digest.0)));
            let found = match table {
                "refusals" => rows_digest(self.connection, sql, params![due.0])?,
                _ => rows_digest(self.connection, sql, [])?,
            };
            if found != due {
                return Err(Tampered { place: table, entry, what: DIFFERS }.into());
            }
        }
        Ok(())
    }
}
