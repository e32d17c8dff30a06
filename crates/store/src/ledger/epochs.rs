//! Epochs in the ledger (SPEC EPO-2, EPO-3).

use std::collections::BTreeSet;

use oblink_session::ledger::LedgerError;
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::Tau;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::authority::policy_digest_in_force;
use super::closing::unbooked;
use super::entries::{EpochBegin, EpochEnded, Hex, MaybeHex, Seal};
use super::log::append;
use super::{EpochClosing, EpochEnd, EpochEntry, EpochLimits, EpochRow, Failure, LiveFiles, SqliteLedger, contradiction};
use crate::Error;

/// The reason kept for an epoch that a newer one takes the place of.
const SEALED_AGAIN: &str = "sealed again";

/// The columns of an [`EpochRow`], with the epoch's account.
const EPOCH_ROWS: &str = "SELECT e.epoch_id, e.verifier, e.suite, e.tau, e.tokens_per_pair, e.as_of, e.session_tokens_max,
  e.declared_tags, e.tags, e.ruleset_digest, e.public_key, e.set_id, e.set_bytes, e.records, e.rejected, e.input_digest,
  e.begun_unix_ms, e.ended_unix_ms, e.end_reason,
  (SELECT count(*) FROM sessions s WHERE s.epoch = e.epoch),
  (SELECT ifnull(sum(s.charged_tokens), 0) FROM sessions s WHERE s.epoch = e.epoch),
  (SELECT ifnull(sum(s.tokens - s.charged_tokens), 0) FROM sessions s WHERE s.epoch = e.epoch AND s.state = 'open'),
  (SELECT count(*) FROM earlier_sets o WHERE o.epoch = e.epoch),
  e.ends_unix_ms, e.evaluations_max, e.closing_unix_ms, e.closing_reason, e.grace_until_unix_ms
  FROM epochs e";

impl SqliteLedger {
    /// Begins an epoch. The epoch that its verifier had, and any that nobody has, ends in the same transaction.
    ///
    /// Gives the ids of the epochs ended: their keys and sets are to be deleted (SPEC EPO-3).
    ///
    /// # Errors
    /// [`Error::Unbooked`] where an epoch that would end has disclosures that are not booked, unless [`EpochLimits::even_unbooked`];
    /// [`Error::Ledger`]: `PolicyChanged` where another policy than the entry's is in force; an epoch of this id exists; `Busy` and `Storage`.
    pub fn begin_epoch(&mut self, entry: &EpochEntry) -> Result<Vec<[u8; 16]>, Error> {
        let (set, offer) = (&entry.offer.descriptor, &entry.offer);
        Ok(self.transact(entry.clock_unix_ms, |transaction, now| {
            same_policy(transaction, entry)?;
            let ended = transaction
                .prepare_cached(
                    "SELECT epoch, epoch_id FROM epochs WHERE ended_unix_ms IS NULL AND (verifier IS NULL OR verifier = ?1) ORDER BY epoch",
                )?
                .query_map([entry.verifier], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<Vec<(i64, [u8; 16])>, _>>()?;
            for (epoch, _) in &ended {
                end(transaction, *epoch, SEALED_AGAIN, entry.limits.even_unbooked, now)?;
            }
            let known: bool = transaction
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM epochs WHERE epoch_id = ?1)")?
                .query_row([set.epoch_id], |row| row.get(0))?;
            if known {
                return Err(contradiction("an epoch of this id exists"));
            }
            transaction
                .prepare_cached(
                    "INSERT INTO epochs (epoch_id, verifier, suite, tau, tokens_per_pair, as_of, session_tokens_max, declared_tags, tags,
                     ruleset_digest, public_key, set_id, set_bytes, records, rejected, input_digest, begun_unix_ms, ends_unix_ms,
                     evaluations_max)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)",
                )?
                .execute(params![
                    set.epoch_id,
                    entry.verifier,
                    set.suite,
                    set.tau.to_byte(),
                    set.tokens_per_pair,
                    set.as_of,
                    set.session_tokens_max,
                    set.declared_tags,
                    set.tags,
                    set.ruleset_digest,
                    set.public_key,
                    offer.set_id,
                    offer.set_bytes,
                    entry.records,
                    entry.rejected,
                    entry.input_digest,
                    now,
                    entry.limits.ends_unix_ms,
                    entry.limits.evaluations_max
                ])?;
            append(transaction, now, entry.verifier.as_ref(), &epoch_begin(entry))?;
            Ok(ended.into_iter().map(|(_, epoch_id)| epoch_id).collect())
        })?)
    }

    /// Puts another set in the place of an epoch's, under the same key. The epoch goes on: its account, its budget and its sessions; those that
    /// are open end with the set that they were opened with. An epoch that nobody has ends as where one begins, unless it is this one.
    ///
    /// Gives the ids of the epochs ended: their keys and sets are to be deleted (SPEC EPO-3).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `PolicyChanged` where another policy than the entry's is in force; `EpochEnded` where the epoch is not current, is
    /// closed, or its date has come; `Storage` where the set has another key, ruleset, suite or number of
    /// tokens a pair than the epoch; `Busy`.
    pub fn replace_set(&mut self, entry: &EpochEntry) -> Result<Vec<[u8; 16]>, Error> {
        let (set, offer) = (&entry.offer.descriptor, &entry.offer);
        Ok(self.write(entry.clock_unix_ms, |transaction, now| {
            same_policy(transaction, entry)?;
            let found: Option<(i64, bool, Option<[u8; 32]>)> = transaction
                .prepare_cached(
                    "SELECT epoch, public_key = ?2 AND ruleset_digest = ?3 AND suite = ?4 AND tokens_per_pair = ?5, verifier FROM epochs
                     WHERE epoch_id = ?1 AND ended_unix_ms IS NULL AND closing_unix_ms IS NULL AND ifnull(ends_unix_ms > ?6, 1)",
                )?
                .query_row(params![set.epoch_id, set.public_key, set.ruleset_digest, set.suite, set.tokens_per_pair, now], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })
                .optional()?;
            let (epoch, alike, verifier) = found.ok_or(LedgerError::EpochEnded)?;
            if !alike {
                return Err(contradiction("a set that is not of its epoch's key and rules"));
            }
            let ended = transaction
                .prepare_cached("SELECT epoch, epoch_id FROM epochs WHERE ended_unix_ms IS NULL AND verifier IS NULL AND epoch <> ?1")?
                .query_map([epoch], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<Vec<(i64, [u8; 16])>, _>>()?;
            for (epoch, _) in &ended {
                // Nobody's: nothing was asked of it.
                end(transaction, *epoch, SEALED_AGAIN, true, now)?;
            }
            let seq = append(transaction, now, verifier.as_ref(), &seal(entry))?;
            transaction
                .prepare_cached(
                    "INSERT INTO earlier_sets (epoch, as_of, tags, set_id, set_bytes, records, rejected, input_digest, sealed_unix_ms,
                     replaced_unix_ms, entry)
                     SELECT epoch, as_of, tags, set_id, set_bytes, records, rejected, input_digest,
                       ifnull((SELECT max(o.replaced_unix_ms) FROM earlier_sets o WHERE o.epoch = e.epoch), begun_unix_ms), ?2, ?3
                     FROM epochs e WHERE epoch = ?1",
                )?
                .execute(params![epoch, now, seq])?;
            transaction
                .prepare_cached(
                    "UPDATE epochs SET tau = ?2, as_of = ?3, session_tokens_max = ?4, declared_tags = ?5, tags = ?6, set_id = ?7, set_bytes = ?8,
                     records = ?9, rejected = ?10, input_digest = ?11 WHERE epoch = ?1",
                )?
                .execute(params![
                    epoch,
                    set.tau.to_byte(),
                    set.as_of,
                    set.session_tokens_max,
                    set.declared_tags,
                    set.tags,
                    offer.set_id,
                    offer.set_bytes,
                    entry.records,
                    entry.rejected,
                    entry.input_digest
                ])?;
            Ok(ended.into_iter().map(|(_, epoch_id)| epoch_id).collect())
        })?)
    }

    /// Ends an epoch; its open sessions are suspended, and cannot go on. Gives whether it was current until now.
    ///
    /// # Errors
    /// [`Error::Unbooked`] while disclosures of its sessions are not booked, unless `even_unbooked` (SPEC DIS-3): booking needs the key that
    /// goes with the epoch. [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn end_epoch(&mut self, epoch_id: &[u8; 16], reason: &str, even_unbooked: bool, clock_unix_ms: u64) -> Result<bool, Error> {
        Ok(self.transact(clock_unix_ms, |transaction, now| {
            let epoch = transaction
                .prepare_cached("SELECT epoch FROM epochs WHERE epoch_id = ?1 AND ended_unix_ms IS NULL")?
                .query_row([epoch_id], |row| row.get(0))
                .optional()?;
            if let Some(epoch) = epoch {
                end(transaction, epoch, reason, even_unbooked, now)?;
            }
            Ok(epoch.is_some())
        })?)
    }

    /// The epoch under which this verifier is answered: its own, else the one that nobody has yet.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn current_epoch(&self, verifier: &[u8; 32]) -> Result<Option<EpochRow>, Error> {
        self.read(|connection| {
            let sql = format!(
                "{EPOCH_ROWS} WHERE e.ended_unix_ms IS NULL AND (e.verifier = ?1 OR e.verifier IS NULL) ORDER BY e.verifier IS NULL LIMIT 1"
            );
            connection.prepare_cached(&sql)?.query_row([verifier], |row| Ok(epoch_row(row))).optional()?.transpose()
        })
    }

    /// The epochs that have not ended, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn current_epochs(&self) -> Result<Vec<EpochRow>, Error> {
        self.epochs_where("WHERE e.ended_unix_ms IS NULL")
    }

    /// Ids of the epochs that were ended by date, count or hand; not those that a seal took the place of. Nothing else of them is read: `serve`
    /// asks for it again and again, however many sessions they have had.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn epochs_over(&self) -> Result<BTreeSet<[u8; 16]>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT epoch_id FROM epochs WHERE ended_unix_ms IS NOT NULL AND closing_unix_ms IS NOT NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?)
        })
    }

    /// All epochs, the oldest first.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn epochs(&self) -> Result<Vec<EpochRow>, Error> {
        self.epochs_where("")
    }

    fn epochs_where(&self, which: &str) -> Result<Vec<EpochRow>, Error> {
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("{EPOCH_ROWS} {which} ORDER BY e.epoch"))?;
            let mut rows = statement.query([])?;
            let mut epochs = Vec::new();
            while let Some(row) = rows.next()? {
                epochs.push(epoch_row(row)?);
            }
            Ok(epochs)
        })
    }

    /// The current epochs' names, the oldest first: every other seed and set is of an epoch that has ended, or of one that never began, and
    /// is to be deleted (SPEC EPO-3).
    ///
    /// A set is sealed before its epoch begins: whoever deletes by this list must see to it that no sealing is under way, or spare its files.
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn live_files(&self) -> Result<Vec<LiveFiles>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT epoch_id, set_id FROM epochs WHERE ended_unix_ms IS NULL ORDER BY epoch")?
                .query_map([], |row| Ok(LiveFiles { epoch_id: row.get(0)?, set_id: row.get(1)? }))?
                .collect::<Result<Vec<_>, _>>()?)
        })
    }
}

/// Its dates, bounds and the keeping of its key are those of the policy that is in force.
fn same_policy(transaction: &Transaction<'_>, entry: &EpochEntry) -> Result<(), Failure> {
    if policy_digest_in_force(transaction)? == entry.policy { Ok(()) } else { Err(LedgerError::PolicyChanged.into()) }
}

fn epoch_begin(entry: &EpochEntry) -> EpochBegin {
    let (set, offer) = (&entry.offer.descriptor, &entry.offer);
    EpochBegin {
        as_of: set.as_of,
        declared_tags: set.declared_tags,
        ends_unix_ms: entry.limits.ends_unix_ms.unwrap_or(0),
        epoch: Hex(set.epoch_id),
        evaluations_max: entry.limits.evaluations_max.unwrap_or(0),
        input_digest: MaybeHex(entry.input_digest),
        public_key: Hex(set.public_key),
        records: entry.records,
        rejected: entry.rejected,
        ruleset_digest: Hex(set.ruleset_digest),
        session_tokens_max: set.session_tokens_max,
        set_bytes: offer.set_bytes,
        set_id: Hex(offer.set_id),
        suite: set.suite,
        tags: set.tags,
        tau: set.tau.to_byte(),
        tokens_per_pair: set.tokens_per_pair,
    }
}

fn seal(entry: &EpochEntry) -> Seal {
    let (set, offer) = (&entry.offer.descriptor, &entry.offer);
    Seal {
        as_of: set.as_of,
        declared_tags: set.declared_tags,
        epoch: Hex(set.epoch_id),
        input_digest: MaybeHex(entry.input_digest),
        records: entry.records,
        rejected: entry.rejected,
        session_tokens_max: set.session_tokens_max,
        set_bytes: offer.set_bytes,
        set_id: Hex(offer.set_id),
        tags: set.tags,
        tau: set.tau.to_byte(),
    }
}

fn end(transaction: &Transaction<'_>, epoch: i64, reason: &str, even_unbooked: bool, now: u64) -> Result<(), Failure> {
    let unbooked = unbooked(transaction, epoch)?;
    if unbooked > 0 && !even_unbooked {
        return Err(Error::Unbooked { sessions: unbooked }.into());
    }
    let (epoch_id, verifier): ([u8; 16], Option<[u8; 32]>) = transaction
        .prepare_cached("UPDATE epochs SET ended_unix_ms = ?2, end_reason = ?3 WHERE epoch = ?1 RETURNING epoch_id, verifier")?
        .query_row(params![epoch, now, reason], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // One entry for the epoch and all its sessions: whoever reads the log knows which were open.
    transaction
        .prepare_cached("UPDATE sessions SET state = 'suspended', changed_unix_ms = ?2 WHERE epoch = ?1 AND state = 'open'")?
        .execute(params![epoch, now])?;
    append(transaction, now, verifier.as_ref(), &EpochEnded { epoch: Hex(epoch_id), reason: reason.to_owned(), unbooked })?;
    Ok(())
}

/// Evaluations of an epoch that are spoken for: charged by any session, or reserved and not yet charged by an open one other than `except`.
pub(super) fn spoken_for(connection: &Connection, epoch: i64, except: Option<i64>) -> Result<u64, Failure> {
    Ok(connection
        .prepare_cached(
            "SELECT ifnull(sum(CASE WHEN state = 'open' AND session IS NOT ?2 THEN tokens ELSE charged_tokens END), 0)
             FROM sessions WHERE epoch = ?1",
        )?
        .query_row(params![epoch, except], |row| row.get(0))?)
}

fn epoch_row(row: &Row<'_>) -> Result<EpochRow, Failure> {
    let (tau, session_tokens_max, declared_tags): (u8, u64, u64) = (row.get(3)?, row.get(6)?, row.get(7)?);
    // A tag length exists only as computed from the counts.
    let tau = Tau::for_counts(declared_tags, session_tokens_max)
        .filter(|computed| computed.to_byte() == tau)
        .ok_or_else(|| contradiction("an epoch's tag length is not that of its counts"))?;
    let descriptor = SetDescriptor {
        suite: row.get(2)?,
        tau,
        tokens_per_pair: row.get(4)?,
        as_of: row.get(5)?,
        session_tokens_max,
        declared_tags,
        tags: row.get(8)?,
        epoch_id: row.get(0)?,
        ruleset_digest: row.get(9)?,
        public_key: row.get(10)?,
    };
    let ended = match row.get(17)? {
        Some(unix_ms) => Some(EpochEnd { unix_ms, reason: row.get(18)? }),
        None => None,
    };
    let closing = match row.get(25)? {
        Some(unix_ms) => Some(EpochClosing { unix_ms, reason: row.get(26)?, grace_until_unix_ms: row.get(27)? }),
        None => None,
    };
    Ok(EpochRow {
        verifier: row.get(1)?,
        offer: SetOffer { descriptor, set_id: row.get(11)?, set_bytes: row.get(12)? },
        records: row.get(13)?,
        rejected: row.get(14)?,
        input_digest: row.get(15)?,
        begun_unix_ms: row.get(16)?,
        ended,
        sessions: row.get(19)?,
        charged_tokens: row.get(20)?,
        reserved_tokens: row.get(21)?,
        earlier_sets: row.get(22)?,
        limits: EpochLimits { ends_unix_ms: row.get(23)?, evaluations_max: row.get(24)?, even_unbooked: false },
        closing,
    })
}
