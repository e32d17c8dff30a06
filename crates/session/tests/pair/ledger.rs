//! A ledger in memory: keeps to the contract, its log is a real tree (SPEC MRK-1), and it forgets everything with the process.

use oblink_session::head::{LogHead, SignedHead};
use oblink_session::ledger::{
    Budget, ChargeEntry, ChargeOutcome, ChargedBatch, CompletionEntry, DisclosureEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::merkle::{Hash, Tree, consistency_proof, leaf, root};
use std::collections::BTreeMap;

#[derive(Default)]
pub struct MemoryLedger {
    pub sessions: BTreeMap<[u8; 16], Booked>,
    pub charged_tokens: u64,
    /// Hashes of the log's leaves. Tests may cut it, or put another in its place.
    pub log: Vec<Hash>,
    /// The heads that went out.
    pub heads: Vec<SignedHead>,
    /// Digest of the policy in force.
    pub policy: Option<[u8; 32]>,
    pub suspended: bool,
    /// Heads cannot be kept.
    pub loses_heads: bool,
    /// Sessions whose reservation was given back.
    pub given_back: Vec<[u8; 16]>,
    pub disclosures: BTreeMap<[u8; 16], DisclosureEntry>,
}

pub struct Booked {
    pub entry: SessionEntry,
    pub charges: BTreeMap<u64, ChargedBatch>,
    pub receipt: Option<(Vec<u8>, [u8; 64])>,
    pub acknowledged: Option<[u8; 64]>,
}

impl MemoryLedger {
    /// Appends an entry. What is in it matters to nobody here, but that it is another each time.
    pub fn append(&mut self, what: &str) {
        let entry = format!("{} {what}", self.log.len());
        self.log.push(leaf(entry.as_bytes()));
    }

    fn tree(&self) -> Tree {
        Tree::new(self.log.clone())
    }

    fn booked(&mut self, session_id: &[u8; 16]) -> Result<&mut Booked, LedgerError> {
        self.sessions.values_mut().find(|booked| booked.entry.session_id == *session_id).ok_or(LedgerError::SessionNotOpen)
    }

    fn book_answers(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])]) -> Result<(), LedgerError> {
        let booked = self.booked(session_id)?;
        for (index, digest) in answered {
            booked.charges.get_mut(index).ok_or(LedgerError::SessionNotOpen)?.evaluated_digest = Some(*digest);
        }
        Ok(())
    }

    fn in_force(&self, entry: &SessionEntry) -> Result<(), LedgerError> {
        if self.suspended {
            return Err(LedgerError::Suspended);
        }
        let by = entry.authority.as_ref().map(|authority| authority.policy_digest);
        if by == self.policy { Ok(()) } else { Err(LedgerError::PolicyChanged) }
    }

    /// Whatever went out under this ledger's name: every head is of the log as it is now, or of an earlier state of it.
    pub fn heads_hold(&self) {
        let tree = self.tree();
        for signed in &self.heads {
            assert_eq!(root(&mut &tree, signed.head.size).unwrap(), signed.head.root);
        }
    }
}

impl Ledger for MemoryLedger {
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        self.in_force(entry)?;
        if let Some(booked) = self.sessions.get_mut(&entry.request_id) {
            let same = |entry: &SessionEntry| {
                (entry.verifier, entry.verifier_nonce, entry.request_digest, entry.verifier_certificate, entry.offered.clone())
            };
            if same(&booked.entry) != same(entry) {
                return Err(LedgerError::RequestConflict);
            }
            booked.entry.authority.clone_from(&entry.authority);
            let charged = booked.charges.values().cloned().collect();
            let opening = SessionOpening::Resumed { holder_nonce: booked.entry.holder_nonce, charged, receipt: booked.receipt.clone() };
            self.append("resumed");
            return Ok(opening);
        }
        let left = entry.epoch_evaluations_max - self.charged_tokens;
        if entry.tokens > left {
            return Err(LedgerError::BudgetExhausted { budget: Budget::Evaluations, asked: entry.tokens, left });
        }
        self.sessions
            .insert(entry.request_id, Booked { entry: entry.clone(), charges: BTreeMap::new(), receipt: None, acknowledged: None });
        self.append("accepted");
        Ok(SessionOpening::New)
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        self.book_answers(&entry.session_id, &entry.answered)?;
        let session = self.booked(&entry.session_id)?.entry.clone();
        self.in_force(&session)?;
        let booked = self.booked(&entry.session_id)?;
        if let Some(known) = booked.charges.get(&entry.index) {
            let same = known.blinded_digest == entry.blinded_digest;
            return if same { Ok(ChargeOutcome::Same) } else { Err(LedgerError::BatchConflict { index: entry.index }) };
        }
        booked
            .charges
            .insert(entry.index, ChargedBatch { index: entry.index, blinded_digest: entry.blinded_digest, evaluated_digest: None });
        self.charged_tokens += u64::from(entry.tokens);
        self.append("charged");
        Ok(ChargeOutcome::New)
    }

    fn complete(&mut self, entry: &CompletionEntry) -> Result<(), LedgerError> {
        self.book_answers(&entry.session_id, &entry.answered)?;
        self.booked(&entry.session_id)?.receipt = Some((entry.receipt.clone(), entry.signature));
        self.append("completed");
        Ok(())
    }

    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError> {
        self.booked(session_id)?.acknowledged = Some(*signature);
        self.append("acknowledged");
        Ok(())
    }

    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], _: u64) -> Result<(), LedgerError> {
        self.book_answers(session_id, answered)?;
        self.given_back.push(*session_id);
        self.append("suspended");
        Ok(())
    }

    fn head(&mut self) -> Result<LogHead, LedgerError> {
        Ok(LogHead { size: self.log.len() as u64, root: self.tree().root() })
    }

    fn root_at(&mut self, size: u64) -> Result<Option<Hash>, LedgerError> {
        Ok(if size > self.log.len() as u64 { None } else { root(&mut &self.tree(), size).ok() })
    }

    fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<Hash>, LedgerError> {
        assert!(first <= second && second <= self.log.len() as u64, "the contract of the trait");
        Ok(consistency_proof(&mut &self.tree(), first, second).unwrap())
    }

    fn keep_head(&mut self, head: &SignedHead) -> Result<(), LedgerError> {
        if self.loses_heads {
            return Err(LedgerError::Busy(std::time::Duration::ZERO));
        }
        self.heads.push(*head);
        Ok(())
    }

    fn disclose(&mut self, entry: &DisclosureEntry) -> Result<(), LedgerError> {
        let booked = self.booked(&entry.session_id)?;
        if booked.receipt.is_none() {
            return Err(LedgerError::SessionNotOpen);
        }
        match self.disclosures.get(&entry.session_id) {
            Some(before)
                if DisclosureEntry { clock_unix_ms: 0, ..before.clone() } == DisclosureEntry { clock_unix_ms: 0, ..entry.clone() } => {}
            Some(_) => return Err(LedgerError::DisclosureNotDue),
            None => {
                self.disclosures.insert(entry.session_id, entry.clone());
                self.append("disclosed");
            }
        }
        Ok(())
    }
}
