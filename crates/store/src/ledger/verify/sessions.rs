//! Sessions, their receipts and what was disclosed in them, replayed.

use sha2::{Digest, Sha256};

use super::super::entries::{
    Booking, Charge, Completion, Disclosed, ImportReceipt, ImportSession, ReceiptSigned, RequestAccepted, SessionResumed,
};
use super::Tampered;
use super::model::{Entry, Model};

/// Where a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Open,
    Suspended,
    Complete,
}

impl State {
    pub(super) fn of(text: &str) -> Option<Self> {
        match text {
            "open" => Some(Self::Open),
            "suspended" => Some(Self::Suspended),
            "complete" => Some(Self::Complete),
            _ => None,
        }
    }
}

/// What a session was opened with, as its row has it; of the request its digest, so that memory does not grow with requests.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) request_id: [u8; 16],
    pub(super) request_digest: [u8; 32],
    pub(super) request_text_digest: [u8; 32],
    pub(super) epoch: [u8; 16],
    pub(super) set_id: Option<[u8; 32]>,
    pub(super) certificate: [u8; 136],
    pub(super) offered: String,
    pub(super) verifier_nonce: [u8; 32],
    pub(super) holder_nonce: [u8; 32],
    pub(super) pairs: u64,
    pub(super) tokens: u64,
    pub(super) batches: u64,
    pub(super) opened_unix_ms: u64,
    pub(super) disclosure: String,
}

/// A receipt, as its row has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    pub(super) text_digest: [u8; 32],
    pub(super) signature: [u8; 64],
    pub(super) certificate: [u8; 136],
    pub(super) verifier_signature: Option<[u8; 64]>,
    pub(super) completed_unix_ms: u64,
}

/// A session.
#[derive(Debug)]
pub(super) struct Session {
    /// Number of its row.
    pub(super) row: i64,
    /// The entry that opened or brought it.
    pub(super) entry: u64,
    pub(super) verifier: [u8; 32],
    pub(super) facts: Facts,
    pub(super) state: State,
    pub(super) policy: Option<[u8; 32]>,
    pub(super) resumes: u64,
    pub(super) charged_tokens: u64,
    pub(super) charged_batches: u64,
    pub(super) changed_unix_ms: u64,
    /// Batches, and digest over the charges, that an older ledger brought.
    pub(super) imported: Option<(u64, [u8; 32])>,
    pub(super) receipt: Option<(u64, Receipt, [u8; 32])>,
    pub(super) disclosed: Option<(u64, Disclosed, u64)>,
    pub(super) booked: Option<(u64, Booking, u64)>,
}

pub(super) fn text_digest(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

impl Session {
    pub(super) fn change(&mut self, entry: &Entry<'_>, from: State, to: State) -> Result<(), Tampered> {
        if self.state != from {
            return Err(entry.wrong("its session does not stand where it should"));
        }
        self.state = to;
        self.changed_unix_ms = entry.unix_ms;
        Ok(())
    }

    pub(super) fn charge(&mut self, entry: &Entry<'_>, body: &Charge) -> Result<(), Tampered> {
        if self.state != State::Open {
            return Err(entry.wrong("its session does not stand where it should"));
        }
        self.charged_tokens = self.charged_tokens.saturating_add(u64::from(body.tokens));
        self.charged_batches = self.charged_batches.saturating_add(1);
        self.changed_unix_ms = entry.unix_ms;
        if self.charged_tokens != body.session_tokens {
            return Err(entry.wrong("its sum is not that of the session's charges"));
        }
        if self.charged_tokens > self.facts.tokens || body.batch >= self.facts.batches {
            return Err(entry.wrong("it charges more than was asked"));
        }
        Ok(())
    }
}

impl Model<'_> {
    fn insert_session(&mut self, entry: &Entry<'_>, id: [u8; 16], session: Session) -> Result<(), Tampered> {
        match self.sessions.insert(id, session) {
            None => Ok(()),
            Some(_) => Err(entry.wrong("its session was opened before")),
        }
    }

    pub(super) fn open_session(&mut self, entry: &Entry<'_>, body: RequestAccepted, row: i64) -> Result<(), Tampered> {
        if self.policies.last_key_value().map(|(_, digest)| *digest) != body.policy.0 {
            return Err(entry.wrong("it goes by another policy than the one in force"));
        }
        let epoch = self.current(entry, &body.epoch.0)?;
        if epoch.closing.is_some() || epoch.set.set_id != body.set_id {
            return Err(entry.wrong("its epoch does not admit it"));
        }
        if *epoch.verifier.get_or_insert(entry.party) != entry.party {
            return Err(entry.wrong("its epoch is another verifier's"));
        }
        let facts = Facts {
            request_id: body.request_id.0,
            request_digest: body.request_digest.0,
            request_text_digest: text_digest(&body.request),
            epoch: body.epoch.0,
            set_id: Some(body.set_id.0),
            certificate: body.verifier_certificate.0,
            offered: body.offered,
            verifier_nonce: body.verifier_nonce.0,
            holder_nonce: body.holder_nonce.0,
            pairs: body.pairs,
            tokens: body.tokens,
            batches: body.batches,
            opened_unix_ms: entry.unix_ms,
            disclosure: body.disclosure,
        };
        let session = Session {
            row,
            entry: entry.seq,
            verifier: entry.party,
            facts,
            state: State::Open,
            policy: body.policy.0,
            resumes: 0,
            charged_tokens: 0,
            charged_batches: 0,
            changed_unix_ms: entry.unix_ms,
            imported: None,
            receipt: None,
            disclosed: None,
            booked: None,
        };
        self.insert_session(entry, body.session.0, session)
    }

    pub(super) fn resume(&mut self, entry: &Entry<'_>, body: &SessionResumed) -> Result<(), Tampered> {
        if self.policies.last_key_value().map(|(_, digest)| *digest) != body.policy.0 {
            return Err(entry.wrong("it goes by another policy than the one in force"));
        }
        let session = self.session(entry, &body.session.0)?;
        // One whose line was not known to be gone is open still.
        if session.state == State::Complete {
            return Err(entry.wrong("its session does not stand where it should"));
        }
        session.state = State::Open;
        session.changed_unix_ms = entry.unix_ms;
        session.policy = body.policy.0;
        session.resumes += 1;
        let epoch = session.facts.epoch;
        self.current(entry, &epoch).map(|_| ())
    }

    pub(super) fn complete(&mut self, entry: &Entry<'_>, body: Completion) -> Result<(), Tampered> {
        let session = self.session(entry, &body.session.0)?;
        session.change(entry, State::Open, State::Complete)?;
        if session.charged_batches != session.facts.batches {
            return Err(entry.wrong("its session is complete without all its batches"));
        }
        let receipt = Receipt {
            text_digest: text_digest(&body.receipt),
            signature: body.signature.0,
            certificate: body.certificate.0,
            verifier_signature: None,
            completed_unix_ms: entry.unix_ms,
        };
        session.receipt = Some((entry.seq, receipt, body.answers_digest.0));
        Ok(())
    }

    pub(super) fn acknowledge(&mut self, entry: &Entry<'_>, body: &ReceiptSigned) -> Result<(), Tampered> {
        let session = self.session(entry, &body.session.0)?;
        match &mut session.receipt {
            Some((_, receipt, _)) if receipt.verifier_signature.is_none() => {
                receipt.verifier_signature = Some(body.signature.0);
                Ok(())
            }
            Some(_) => Err(entry.wrong("the receipt was signed before")),
            None => Err(entry.wrong("its session has no receipt")),
        }
    }

    pub(super) fn disclose(&mut self, entry: &Entry<'_>, body: Disclosed) -> Result<(), Tampered> {
        let session = self.session(entry, &body.session.0)?;
        if session.state != State::Complete || session.disclosed.is_some() || session.facts.disclosure != body.kind {
            return Err(entry.wrong("its session owes no such disclosure"));
        }
        session.disclosed = Some((entry.seq, body, entry.unix_ms));
        Ok(())
    }

    pub(super) fn book(&mut self, entry: &Entry<'_>, body: Booking) -> Result<(), Tampered> {
        let session = self.session(entry, &body.session.0)?;
        if session.disclosed.is_none() || session.booked.is_some() {
            return Err(entry.wrong("its session has nothing to book"));
        }
        session.booked = Some((entry.seq, body, entry.unix_ms));
        Ok(())
    }

    pub(super) fn import_session(&mut self, entry: &Entry<'_>, body: ImportSession, row: i64) -> Result<(), Tampered> {
        let facts = Facts {
            request_id: body.request_id.0,
            request_digest: body.request_digest.0,
            request_text_digest: text_digest(&body.request),
            epoch: body.epoch.0,
            set_id: body.set_id.0,
            certificate: body.verifier_certificate.0,
            offered: body.offered,
            verifier_nonce: body.verifier_nonce.0,
            holder_nonce: body.holder_nonce.0,
            pairs: body.pairs,
            tokens: body.tokens,
            batches: body.batches,
            opened_unix_ms: body.opened_unix_ms,
            disclosure: "none".to_owned(),
        };
        let session = Session {
            row,
            entry: entry.seq,
            verifier: entry.party,
            facts,
            state: State::of(&body.state).ok_or_else(|| entry.wrong("its session stands nowhere"))?,
            policy: None,
            resumes: 0,
            charged_tokens: body.charged_tokens,
            charged_batches: body.charged_batches,
            changed_unix_ms: body.changed_unix_ms,
            imported: Some((body.charged_batches, body.charges_digest.0)),
            receipt: None,
            disclosed: None,
            booked: None,
        };
        self.charges = self.charges.saturating_add(body.charged_batches);
        self.insert_session(entry, body.session.0, session)
    }

    pub(super) fn import_receipt(&mut self, entry: &Entry<'_>, body: ImportReceipt) -> Result<(), Tampered> {
        let session = self.session(entry, &body.session.0)?;
        let receipt = Receipt {
            text_digest: text_digest(&body.receipt),
            signature: body.signature.0,
            certificate: body.certificate.0,
            verifier_signature: body.verifier_signature.0,
            completed_unix_ms: body.completed_unix_ms,
        };
        session.receipt = Some((entry.seq, receipt, body.answers_digest.0));
        Ok(())
    }
}
