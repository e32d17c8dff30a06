//! The append-only log beneath the ledger's tables, and its heads (SPEC LED-1 to LED-3).

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::merkle::{self, Hash, Nodes};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use sha2::{Digest, Sha256};

use super::entries::{Body, EntryKind};
use super::{Failure, SqliteLedger, contradiction};
use crate::Error;

/// The party of an entry that concerns no verifier, or all.
pub const NO_PARTY: [u8; 32] = [0; 32];

/// An entry of the log, as [`SqliteLedger::entries`] gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogEntry<'a> {
    /// Its number, from 0 without a gap.
    pub seq: u64,
    /// What it is about.
    pub kind: EntryKind,
    /// Ledger time, milliseconds since 1970 (SPEC LED-5).
    pub unix_ms: u64,
    /// The verifier that it concerns; [`NO_PARTY`] for none.
    pub party: [u8; 32],
    /// Canonical JSON (SPEC LED-4).
    pub body: &'a str,
}

/// Hash of an entry's leaf, whose data is `kind:u8 ‖ unix_ms:u64 ‖ party[32] ‖ SHA-256(body)` (SPEC LED-1).
pub(super) fn entry_leaf(kind: u8, unix_ms: u64, party: &[u8; 32], body_digest: &Hash) -> Hash {
    let mut data = [0; 73];
    data[0] = kind;
    data[1..9].copy_from_slice(&unix_ms.to_be_bytes());
    data[9..41].copy_from_slice(party);
    data[41..].copy_from_slice(body_digest);
    merkle::leaf(&data)
}

/// Hashes of complete subtrees as the entries keep them: that of level k and index j is with the entry that completed it, number
/// (j + 1)·2^k − 1, at offset 32·k of its `nodes` (SPEC LED-1).
pub(super) struct StoredNodes<'a>(pub(super) &'a Connection);

impl Nodes for StoredNodes<'_> {
    type Error = Failure;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Failure> {
        let missing = || contradiction("the log has no such node");
        let last = index.checked_add(1).and_then(|after| after.checked_mul(1_u64.checked_shl(level)?)).ok_or_else(missing)? - 1;
        self.0
            .prepare_cached("SELECT substr(nodes, 1 + 32 * ?2, 32) FROM log WHERE seq = ?1")?
            .query_row(params![last, level], |row| row.get_ref(0)?.as_blob().map(<[u8; 32]>::try_from).map_err(Into::into))
            .optional()?
            .and_then(Result::ok)
            .ok_or_else(missing)
    }
}

/// Entries of the log.
pub(super) fn size(connection: &Connection) -> Result<u64, Failure> {
    Ok(connection.prepare_cached("SELECT ifnull(max(seq) + 1, 0) FROM log")?.query_row([], |row| row.get(0))?)
}

/// Appends an entry in the transaction that makes the change it tells of, and gives its number (SPEC LED-1).
///
/// It reads the number of entries and one stored hash for each level that the entry completes: one in the mean.
pub(super) fn append<B: Body>(transaction: &Transaction<'_>, now: u64, party: Option<&[u8; 32]>, body: &B) -> Result<u64, Failure> {
    let party = party.unwrap_or(&NO_PARTY);
    let body_text = serde_json::to_string(body).map_err(|_| contradiction("an entry that is no JSON"))?;
    let seq = size(transaction)?;
    let mut hash = entry_leaf(B::KIND as u8, now, party, &Sha256::digest(&body_text).into());
    let mut nodes = Vec::with_capacity(32 * (seq.trailing_ones() as usize + 1));
    nodes.extend_from_slice(&hash);
    for level in 0..seq.trailing_ones() {
        let left = StoredNodes(transaction).node(level, (seq >> level) - 1)?;
        hash = merkle::node(&left, &hash);
        nodes.extend_from_slice(&hash);
    }
    transaction
        .prepare_cached("INSERT INTO log (seq, kind, unix_ms, party, body, nodes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
        .execute(params![seq, B::KIND as u8, now, party, body_text.as_bytes(), nodes])?;
    Ok(seq)
}

/// The body of an entry that must be there and of this kind.
pub(super) fn body_at<B: Body + serde::de::DeserializeOwned>(connection: &Connection, seq: u64) -> Result<(B, u64), Failure> {
    let found: Option<(Vec<u8>, u64)> = connection
        .prepare_cached("SELECT body, unix_ms FROM log WHERE seq = ?1 AND kind = ?2")?
        .query_row(params![seq, B::KIND as u8], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let (body, unix_ms) = found.ok_or_else(|| contradiction("a row of an entry that the log does not have"))?;
    Ok((serde_json::from_slice(&body).map_err(|_| contradiction("an entry of the log that cannot be read"))?, unix_ms))
}

/// The log's head now.
pub(super) fn head(connection: &Connection) -> Result<LogHead, Failure> {
    let size = size(connection)?;
    Ok(LogHead { size, root: merkle::root(&mut StoredNodes(connection), size)? })
}

/// The root at an earlier size, `None` where the log is shorter.
pub(super) fn root_at(connection: &Connection, at: u64) -> Result<Option<Hash>, Failure> {
    if at > size(connection)? { Ok(None) } else { merkle::root(&mut StoredNodes(connection), at).map(Some) }
}

/// The consistency proof between two sizes (SPEC MRK-3).
pub(super) fn consistency(connection: &Connection, first: u64, second: u64) -> Result<Vec<Hash>, Failure> {
    if first > second || second > size(connection)? {
        return Err(contradiction("no consistency proof between these sizes of the log"));
    }
    merkle::consistency_proof(&mut StoredNodes(connection), first, second)
}

/// Keeps a head that goes out signed. One head is kept for each size: the log is no longer for a verifier that comes back without end.
pub(super) fn keep_head(transaction: &Transaction<'_>, head: &SignedHead) -> Result<(), Failure> {
    if root_at(transaction, head.head.size)? != Some(head.head.root) {
        return Err(contradiction("a head that is not the log's"));
    }
    transaction
        .prepare_cached("INSERT INTO heads (size, root, unix_ms, signature) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (size) DO NOTHING")?
        .execute(params![head.head.size, head.head.root, head.unix_ms, head.signature])?;
    Ok(())
}

impl SqliteLedger {
    /// The latest head that was signed, for a witness: [`SignedHead`] and the holder's certificate are all that it needs (SPEC LED-3).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn latest_signed_head(&self) -> Result<Option<SignedHead>, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT size, root, unix_ms, signature FROM heads ORDER BY size DESC LIMIT 1")?
                .query_row([], |row| {
                    Ok(SignedHead { head: LogHead { size: row.get(0)?, root: row.get(1)? }, unix_ms: row.get(2)?, signature: row.get(3)? })
                })
                .optional()?)
        })
    }

    /// Ledger time: the latest time written, milliseconds since 1970. It never goes back (SPEC LED-5).
    ///
    /// # Errors
    /// [`Error::Ledger`]: `Busy` and `Storage`.
    pub fn time_unix_ms(&self) -> Result<u64, Error> {
        self.read(|connection| Ok(connection.prepare_cached("SELECT unix_ms FROM clock")?.query_row([], |row| row.get(0))?))
    }

    /// Hands all entries from number `from` on to `each`, in order and one at a time, as they were at one moment. Gives how many.
    ///
    /// # Errors
    /// [`Error::Disk`] where `each` fails; [`Error::Ledger`]: `Busy` and `Storage`, the latter also where an entry is none.
    pub fn entries(&self, from: u64, each: &mut dyn FnMut(&LogEntry<'_>) -> std::io::Result<()>) -> Result<u64, Error> {
        let mut written = Ok(());
        let count = self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT seq, kind, unix_ms, party, body FROM log WHERE seq >= ?1 ORDER BY seq")?;
            let mut rows = statement.query([from])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                let unreadable = || contradiction("an entry of the log that cannot be read");
                let body = row.get_ref(4)?.as_blob().ok().and_then(|body| core::str::from_utf8(body).ok()).ok_or_else(unreadable)?;
                let kind = EntryKind::from_u8(row.get(1)?).ok_or_else(unreadable)?;
                written = each(&LogEntry { seq: row.get(0)?, kind, unix_ms: row.get(2)?, party: row.get(3)?, body });
                if written.is_err() {
                    break;
                }
                count += 1;
            }
            Ok(count)
        })?;
        written.map_err(|error| Error::disk("writing what is exported of", &self.path, error))?;
        Ok(count)
    }
}
