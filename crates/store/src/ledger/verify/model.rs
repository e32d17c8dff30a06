//! What the entries say the tables must hold: the log, replayed.

use std::collections::{BTreeMap, HashMap};

use oblink_session::authority::Rulesets;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};
use serde::Deserialize;

use super::super::Failure;
use super::super::authority::policy_digest;
use super::super::entries::{
    Booking, Charge, Completion, Countersignature, Delivery, Disclosed, EntryKind, EpochBegin, EpochClosing, EpochEnded, ImportEpoch,
    ImportReceipt, ImportRows, ImportSession, Operator, Policy, ReceiptSigned, RequestAccepted, RequestDenied, RequestRefused, Resumption,
    Seal, SessionResumed, SessionSuspended, Suspension,
};
use super::super::log::NO_PARTY;
use super::Tampered;
use super::decided::{Decided, bytes_of, check_grace};
use super::epochs::{EarlierSet, Epoch};
use super::sessions::{Session, State};

/// An entry, its hashes checked.
pub(super) struct Entry<'a> {
    pub(super) seq: u64,
    pub(super) kind: EntryKind,
    pub(super) unix_ms: u64,
    pub(super) party: [u8; 32],
    pub(super) body: &'a [u8],
}

impl Entry<'_> {
    pub(super) fn wrong(&self, what: &'static str) -> Tampered {
        Tampered { place: "log", entry: Some(self.seq), what }
    }

    fn parse<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Tampered> {
        serde_json::from_slice(self.body).map_err(|_| self.wrong("it is not an entry of its kind"))
    }

    /// The party, where it is a verifier's.
    pub(super) fn verifier(&self) -> Option<[u8; 32]> {
        (self.party != NO_PARTY).then_some(self.party)
    }
}

/// A suspension, as its table has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Suspended {
    pub(super) scope: [u8; 32],
    pub(super) reason: String,
    pub(super) operator: String,
    pub(super) unix_ms: u64,
    pub(super) resumed: Option<(u64, u64)>,
}

/// A count of refusals: when it began, of whom, and what it had reached when an entry was last written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) entry: u64,
    pub(super) verifier: Option<[u8; 32]>,
    pub(super) code: u16,
    pub(super) first_unix_ms: u64,
    pub(super) count: u64,
}

/// A delivery, as its table has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Delivered {
    pub(super) session: [u8; 16],
    pub(super) set_id: [u8; 32],
    pub(super) bytes: u64,
    pub(super) unix_ms: u64,
}

/// The log, replayed, beside the tables that it is compared with.
pub(super) struct Model<'c> {
    pub(super) connection: &'c Connection,
    /// The holder's fingerprint.
    pub(super) holder: [u8; 32],
    /// The rulesets by which its requests were judged.
    pub(super) rulesets: &'c dyn Rulesets,
    pub(super) decided: Decided,
    row_of_session: CachedStatement<'c>,
    charge: CachedStatement<'c>,
    pub(super) epochs: BTreeMap<[u8; 16], Epoch>,
    pub(super) earlier_sets: BTreeMap<u64, EarlierSet>,
    pub(super) sessions: HashMap<[u8; 16], Session>,
    pub(super) deliveries: BTreeMap<u64, Delivered>,
    pub(super) refusals: BTreeMap<u64, Refused>,
    pub(super) policies: BTreeMap<u64, [u8; 32]>,
    pub(super) proposals: BTreeMap<[u8; 32], u64>,
    pub(super) suspensions: BTreeMap<u64, Suspended>,
    pub(super) denials: BTreeMap<u64, (RequestDenied, [u8; 32], u64)>,
    pub(super) countersignatures: BTreeMap<u64, (Countersignature, u64)>,
    pub(super) imported_rows: Vec<(u64, ImportRows)>,
    pub(super) imported: u64,
    pub(super) charges: u64,
}

impl<'c> Model<'c> {
    pub(super) fn new(connection: &'c Connection, holder: &[u8; 32], rulesets: &'c dyn Rulesets) -> Result<Self, Failure> {
        Ok(Self {
            connection,
            holder: *holder,
            rulesets,
            decided: Decided::default(),
            row_of_session: connection.prepare_cached("SELECT session FROM sessions WHERE session_id = ?1")?,
            charge: connection.prepare_cached(
                "SELECT tokens = ?3 AND blinded_digest = ?4 AND statement = ?5 AND charged_unix_ms = ?6 AND entry IS ?7
                 FROM charges WHERE session = ?1 AND batch = ?2",
            )?,
            epochs: BTreeMap::new(),
            earlier_sets: BTreeMap::new(),
            sessions: HashMap::new(),
            deliveries: BTreeMap::new(),
            refusals: BTreeMap::new(),
            policies: BTreeMap::new(),
            proposals: BTreeMap::new(),
            suspensions: BTreeMap::new(),
            denials: BTreeMap::new(),
            countersignatures: BTreeMap::new(),
            imported_rows: Vec::new(),
            imported: 0,
            charges: 0,
        })
    }

    /// Takes in one entry. What breaks the ledger's rules was not written by this program.
    pub(super) fn apply(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        match entry.kind {
            EntryKind::Charge => self.charge(entry, &entry.parse()?)?,
            EntryKind::Policy => self.policy(entry, &entry.parse()?)?,
            EntryKind::Suspension => {
                let Suspension { operator, reason, scope } = entry.parse()?;
                self.suspend_answers(entry, &scope)?;
                let suspended = Suspended { scope: entry.party, reason, operator, unix_ms: entry.unix_ms, resumed: None };
                self.suspensions.insert(entry.seq, suspended);
            }
            EntryKind::Resumption => self.resume_answers(entry, &entry.parse()?)?,
            EntryKind::EpochBegin => self.begin_epoch(entry, entry.parse::<EpochBegin>()?)?,
            EntryKind::EpochEnd => self.end_epoch(entry, entry.parse::<EpochEnded>()?)?,
            EntryKind::EpochClosing => self.close_epoch(entry, entry.parse::<EpochClosing>()?)?,
            EntryKind::Seal => self.seal(entry, &entry.parse::<Seal>()?)?,
            EntryKind::Delivery => {
                let Delivery { bytes, session, set_id } = entry.parse()?;
                let epoch = self.session(entry, &session.0)?.facts.epoch;
                self.current(entry, &epoch)?;
                let delivered = Delivered { session: session.0, set_id: set_id.0, bytes, unix_ms: entry.unix_ms };
                self.deliveries.insert(entry.seq, delivered);
            }
            EntryKind::RequestAccepted => {
                let body: RequestAccepted = entry.parse()?;
                let row = self.row_of(entry, &body.session.0)?;
                self.check_accepted(entry, &body)?;
                self.open_session(entry, body, row)?;
            }
            EntryKind::RequestRefused => self.refuse(entry, &entry.parse()?)?,
            EntryKind::Completion => self.complete(entry, entry.parse::<Completion>()?)?,
            EntryKind::Receipt => self.acknowledge(entry, &entry.parse::<ReceiptSigned>()?)?,
            EntryKind::Operator => drop(entry.parse::<Operator>()?),
            EntryKind::Disclosure => self.disclose(entry, entry.parse::<Disclosed>()?)?,
            EntryKind::Booking => self.book(entry, entry.parse::<Booking>()?)?,
            EntryKind::Countersignature => {
                self.countersignatures.insert(entry.seq, (entry.parse()?, entry.unix_ms));
            }
            EntryKind::SessionSuspended => {
                let SessionSuspended { session } = entry.parse()?;
                let session = self.session(entry, &session.0)?;
                session.change(entry, State::Open, State::Suspended)?;
            }
            EntryKind::SessionResumed => {
                let body: SessionResumed = entry.parse()?;
                self.check_resumed(entry, &body)?;
                self.resume(entry, &body)?;
            }
            EntryKind::Import => self.import(entry)?,
            EntryKind::RequestDenied => {
                let denied: RequestDenied = entry.parse()?;
                self.deny(entry, &denied)?;
                self.denials.insert(entry.seq, (denied, entry.party, entry.unix_ms));
            }
        }
        Ok(())
    }

    /// The session that an entry names; the entry's party must be its verifier.
    pub(super) fn session(&mut self, entry: &Entry<'_>, id: &[u8; 16]) -> Result<&mut Session, Tampered> {
        let session = self.sessions.get_mut(id).ok_or_else(|| entry.wrong("its session was never opened"))?;
        if session.verifier == entry.party { Ok(session) } else { Err(entry.wrong("its session is another verifier's")) }
    }

    /// Number of a session's row.
    fn row_of(&mut self, entry: &Entry<'_>, id: &[u8; 16]) -> Result<i64, Failure> {
        let row = self.row_of_session.query_row([id], |row| row.get(0)).optional()?;
        Ok(row.ok_or(Tampered { place: "sessions", entry: Some(entry.seq), what: "a session is not there" })?)
    }

    fn charge(&mut self, entry: &Entry<'_>, body: &Charge) -> Result<(), Failure> {
        self.check_answers(entry)?;
        let in_force = self.policies.last_key_value().map(|(_, digest)| *digest);
        let session = self.session(entry, &body.session.0)?;
        if session.policy != in_force {
            return Err(entry.wrong("it goes by another policy than the one in force").into());
        }
        let (row, epoch) = (session.row, session.facts.epoch);
        session.charge(entry, body)?;
        check_grace(entry, self.current(entry, &epoch)?)?;
        let same: Option<bool> = self
            .charge
            .query_row(params![row, body.batch, body.tokens, body.blinded_digest.0, body.statement.0, entry.unix_ms, entry.seq], |row| {
                row.get(0)
            })
            .optional()?;
        let what = match same {
            Some(true) => {
                self.charges += 1;
                return Ok(());
            }
            Some(false) => "a charge is not what was charged",
            None => "a charge is not there",
        };
        Err(Tampered { place: "charges", entry: Some(entry.seq), what }.into())
    }

    fn policy(&mut self, entry: &Entry<'_>, body: &Policy) -> Result<(), Tampered> {
        if policy_digest(&body.policy, &body.allowed_signers) != body.digest.0 {
            return Err(entry.wrong("the policy's digest is not that of its texts"));
        }
        if self.policies.last_key_value().map(|(_, digest)| *digest) != body.previous.0 {
            return Err(entry.wrong("the policy does not follow the one before it"));
        }
        self.propose(entry, &body.proposal)?;
        self.approve_policy(entry, body)?;
        self.policies.insert(entry.seq, body.digest.0);
        Ok(())
    }

    /// A proposal, if there is one, is applied once.
    fn propose(&mut self, entry: &Entry<'_>, proposal: &str) -> Result<(), Tampered> {
        use sha2::{Digest, Sha256};
        if proposal.is_empty() {
            return Ok(());
        }
        // As it was signed: text that had to be written as hex stands for its bytes.
        let digest = Sha256::digest(bytes_of(entry, proposal)?);
        match self.proposals.insert(digest.into(), entry.seq) {
            None => Ok(()),
            Some(_) => Err(entry.wrong("the proposal was applied before")),
        }
    }

    fn resume_answers(&mut self, entry: &Entry<'_>, body: &Resumption) -> Result<(), Tampered> {
        self.propose(entry, &body.proposal)?;
        self.approve_resumption(entry, body)?;
        let mut lifted = false;
        for known in self.suspensions.values_mut().filter(|known| known.scope == entry.party && known.resumed.is_none()) {
            known.resumed = Some((entry.seq, entry.unix_ms));
            lifted = true;
        }
        if lifted { Ok(()) } else { Err(entry.wrong("it resumes what is not suspended")) }
    }

    fn refuse(&mut self, entry: &Entry<'_>, body: &RequestRefused) -> Result<(), Tampered> {
        let (verifier, imported) = (entry.verifier(), self.imported_refusals());
        match self.refusals.get_mut(&body.refusal) {
            None if body.count == 1 => {
                let (code, first_unix_ms) = (body.code, entry.unix_ms);
                self.refusals.insert(body.refusal, Refused { entry: entry.seq, verifier, code, first_unix_ms, count: 1 });
            }
            Some(known) if known.verifier == verifier && known.code == body.code && known.count.checked_mul(2) == Some(body.count) => {
                known.count = body.count;
            }
            // One that an older ledger had counted already.
            None if body.refusal <= imported && body.count.is_power_of_two() => {
                let imported = Refused { entry: entry.seq, verifier, code: body.code, first_unix_ms: 0, count: body.count };
                self.refusals.insert(body.refusal, imported);
            }
            _ => return Err(entry.wrong("its count does not follow the one before it")),
        }
        Ok(())
    }

    /// Refusals that an older ledger brought: their numbers begin at 1.
    pub(super) fn imported_refusals(&self) -> u64 {
        self.imported_rows.iter().find(|(_, rows)| rows.table == "refusals").map_or(0, |(_, rows)| rows.rows)
    }

    /// What an older ledger brought: only at the log's beginning.
    fn import(&mut self, entry: &Entry<'_>) -> Result<(), Failure> {
        #[derive(Deserialize)]
        struct Table {
            table: String,
        }
        if self.imported != entry.seq {
            return Err(entry.wrong("an import amid other entries").into());
        }
        self.imported += 1;
        match entry.parse::<Table>()?.table.as_str() {
            "epochs" => self.import_epoch(entry, entry.parse::<ImportEpoch>()?)?,
            "sessions" => {
                let body: ImportSession = entry.parse()?;
                let row = self.row_of(entry, &body.session.0)?;
                self.import_session(entry, body, row)?;
            }
            "receipts" => self.import_receipt(entry, entry.parse::<ImportReceipt>()?)?,
            "deliveries" | "earlier_sets" | "refusals" => self.imported_rows.push((entry.seq, entry.parse()?)),
            _ => return Err(entry.wrong("an import of an unknown table").into()),
        }
        Ok(())
    }
}

/// The bytes of lower-case hex.
pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| oblink_session::request::from_hex::<1>(core::str::from_utf8(pair).ok()?).map(|[byte]| byte);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}
