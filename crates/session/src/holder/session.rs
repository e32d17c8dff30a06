//! The holder's batch phase and the end of a session (SPEC §6.4, §6.6).

use super::{EvaluatedBatch, HolderContext, PendingCharge};
use crate::commitment::blinded_leaf;
use crate::error::{Error, Misbehaviour, Refusal, RefusalCode};
use crate::head::LogHead;
use crate::ledger::{ChargeEntry, CompletionEntry, Ledger};
use crate::limits::BATCHES_IN_FLIGHT_MAX;
use crate::merkle::{Hash, verify_inclusion};
use crate::receipt::{self, HolderWord, Receipt};
use crate::request::Request;
use crate::saved::{Saved, SavedHolder};
use crate::set::SetOffer;
use crate::statement::{CertifiedKey, StatementKind};
use crate::transcript::{Authority, BatchDigests, Batches, SessionFacts};
use crate::wire::{Acknowledge, Batch, Complete, Frame, FrameType, ReceiptMessage, SetRequest, raw};
use std::sync::Arc;

/// An admitted session: lives from Welcome to Closed, through any number of batches in any order.
#[derive(Debug)]
pub struct HolderSession {
    context: Arc<HolderContext>,
    verifier_key: CertifiedKey,
    request: Request,
    facts: SessionFacts,
    session_id: [u8; 16],
    batches: Batches,
    /// Batches received on this connection and not answered yet.
    in_work: u16,
    /// Answers the ledger has not heard of; they ride with the next charge.
    unsaved: Vec<(u64, [u8; 32])>,
    receipt: Option<(Vec<u8>, [u8; 64])>,
    /// The head of this connection's Welcome.
    welcomed: LogHead,
}

/// A session whose receipt is to be made durable.
#[derive(Debug)]
pub struct PendingCompletion {
    entry: CompletionEntry,
    /// False where the receipt came out of the ledger already (SPEC END-4).
    new: bool,
    consistency: Vec<Hash>,
}

/// A receipt that is durable and may be sent.
#[derive(Debug)]
pub struct Completed {
    body: Vec<u8>,
    signature: [u8; 64],
    consistency: Vec<Hash>,
}

/// The verifier's signature, checked, to be kept.
#[derive(Debug)]
pub struct PendingAcknowledgement {
    session_id: [u8; 16],
    receipt: Receipt,
}

impl HolderSession {
    pub(super) fn admitted(
        context: Arc<HolderContext>,
        verifier_key: CertifiedKey,
        request: Request,
        facts: SessionFacts,
        batches: Batches,
        receipt: Option<(Vec<u8>, [u8; 64])>,
        welcomed: LogHead,
    ) -> Self {
        let session_id = facts.session_id();
        Self { context, verifier_key, request, facts, session_id, batches, in_work: 0, unsaved: Vec::new(), receipt, welcomed }
    }

    /// The session's identifier.
    #[must_use]
    pub fn session_id(&self) -> &[u8; 16] {
        &self.session_id
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// The sealed set of this session.
    #[must_use]
    pub fn offer(&self) -> &SetOffer {
        &self.facts.offer
    }

    /// By what it was admitted.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.facts.authority
    }

    /// Batches answered so far.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.batches.values().filter(|batch| batch.evaluated.is_some()).count() as u64
    }

    /// Checks a Batch: its index and count, its statement, that it is the one that was approved (SPEC BAT-7), and that no other batch came
    /// under its index (SPEC BAT-2, BAT-3). Whether its elements decode shows when they are evaluated, after the charge. Any error from here to [`Self::answer`] ends the connection: the batch
    /// keeps its place among those in work, and a resumed session starts with none.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`]; [`Error::Refuse`] with batch_unapproved or batch_conflict.
    pub fn receive_batch(&mut self, frame: &Frame, clock_unix_ms: u64) -> Result<PendingCharge, Error> {
        let batch = Batch::from_frame(frame)?;
        let index = batch.index;
        let misbehaved = |what| Err(Error::PeerMisbehaved(Misbehaviour::Batch { index, what }));
        let Some((_, tokens)) = self.request.batch(index) else { return misbehaved("the request has no such batch") };
        if batch.blinded.len() as u64 != u64::from(tokens) {
            return misbehaved("the request gives this batch another count");
        }
        if self.in_work >= BATCHES_IN_FLIGHT_MAX {
            return Err(Error::Refuse(Refusal::new(RefusalCode::OutOfTurn, "more batches are unanswered than Welcome allows")));
        }
        let blinded_digest = raw::blinded_digest(index, &batch.blinded);
        let body = self.facts.batch_statement(index, &blinded_digest);
        self.verifier_key.verify(StatementKind::Batch, &body, &batch.statement)?;
        self.check_approved(index, &blinded_digest, &batch.path)?;
        if self.batches.get(&index).is_some_and(|known| known.blinded != blinded_digest) {
            return Err(Error::Refuse(Refusal::new(RefusalCode::BatchConflict, format!("another batch is charged under index {index}"))));
        }
        // Kept here until an answer shows that the ledger has them.
        let answered = self.unsaved.clone();
        let entry =
            ChargeEntry { session_id: self.session_id, index, blinded_digest, tokens, statement: batch.statement, clock_unix_ms, answered };
        // Known from here on: a second, different batch under this index is refused even while the first is being charged.
        let again = self.batches.contains_key(&index);
        self.batches.entry(index).or_insert(BatchDigests { blinded: blinded_digest, evaluated: None });
        self.in_work += 1;
        Ok(PendingCharge { entry, epoch_id: self.facts.offer.descriptor.epoch_id, blinded: batch.blinded, again })
    }

    /// Whether the officials approved this very batch under this index (SPEC BAT-7). An unsigned request approves nothing in particular.
    fn check_approved(&self, index: u64, blinded_digest: &[u8; 32], path: &[Hash]) -> Result<(), Error> {
        let approved = match self.request.manifest() {
            None if path.is_empty() => return Ok(()),
            None => return Err(Error::PeerMisbehaved(Misbehaviour::Batch { index, what: "the request commits to no batches" })),
            Some(manifest) => manifest.blinded_root,
        };
        if verify_inclusion(&blinded_leaf(blinded_digest), index, self.request.batches(), path, &approved) {
            return Ok(());
        }
        Err(Error::Refuse(Refusal::new(RefusalCode::BatchUnapproved, format!("batch {index} is not among the approved ones"))))
    }

    /// The answer to a batch.
    ///
    /// # Errors
    /// [`Error::Internal`]: a batch of another session, or one that came out otherwise than before.
    pub fn answer(&mut self, batch: EvaluatedBatch) -> Result<Frame, Error> {
        let index = batch.answer.index;
        let known = self
            .batches
            .get_mut(&index)
            .filter(|_| batch.session_id == self.session_id)
            .ok_or(Error::Internal("not a batch of this session"))?;
        match known.evaluated {
            None => {
                known.evaluated = Some(batch.evaluated_digest);
                self.unsaved.push((index, batch.evaluated_digest));
            }
            Some(before) if before == batch.evaluated_digest => {}
            Some(_) => return Err(Error::Internal("the same batch was evaluated otherwise before")),
        }
        self.unsaved.retain(|(index, _)| !batch.saved.contains(index));
        self.in_work = self.in_work.saturating_sub(1);
        Ok(batch.answer.to_frame())
    }

    /// Checks a request for the sealed set: gives the offset from which to stream it.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`]; [`Error::Refuse`] for another set than this session's.
    pub fn receive_set_request(&self, frame: &Frame) -> Result<u64, Error> {
        let request = SetRequest::from_frame(frame)?;
        if request.set_id != self.facts.offer.set_id || request.offset > self.facts.offer.set_bytes {
            return Err(Error::Refuse(Refusal::new(RefusalCode::OutOfTurn, "not this session's sealed set")));
        }
        Ok(request.offset)
    }

    /// Checks Complete against the holder's own transcript, and makes the receipt, with the ledger's head in it. A session that is complete
    /// gives the receipt it has (SPEC END-4).
    ///
    /// # Errors
    /// [`Error::Refuse`] with out_of_turn while a batch is missing, with transcript_differs; [`Error::Ledger`].
    pub fn receive_complete<L: Ledger + ?Sized>(
        &mut self,
        frame: &Frame,
        ledger: &mut L,
        clock_unix_ms: u64,
    ) -> Result<PendingCompletion, Error> {
        let complete = Complete::from_frame(frame)?;
        let refuse = |code, detail: &str| Err(Error::Refuse(Refusal::new(code, detail)));
        let Some(transcript) = self.facts.transcript(&self.batches, self.request.batches()) else {
            return refuse(RefusalCode::OutOfTurn, "not every batch of the request has been answered");
        };
        if transcript != complete.transcript {
            return refuse(RefusalCode::TranscriptDiffers, "the two sides do not remember the same session");
        }
        let (receipt, signature, new, size) = match &self.receipt {
            Some((body, signature)) => (body.clone(), *signature, false, receipt::ledger_size(body)?),
            None => {
                let head = ledger.head()?;
                let word = HolderWord { completed_unix_ms: clock_unix_ms, head, authority: self.facts.authority };
                let body = self.receipt_body(&transcript, &word)?;
                let signature = self.context.statement_key.sign(StatementKind::Receipt, &body);
                (body, signature, true, head.size)
            }
        };
        let consistency = ledger.consistency(size.min(self.welcomed.size), size.max(self.welcomed.size))?;
        let answered = self.unsaved.clone();
        let holder_certificate = *self.context.statement_key.certificate();
        Ok(PendingCompletion {
            entry: CompletionEntry { session_id: self.session_id, receipt, signature, holder_certificate, answered, clock_unix_ms },
            new,
            consistency,
        })
    }

    fn receipt_body(&self, transcript: &[u8; 64], word: &HolderWord) -> Result<Vec<u8>, Error> {
        receipt::body(&self.facts, &self.request, transcript, &self.context.statement_key.public(), &self.verifier_key.public(), word)
    }

    /// The Receipt to send.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`] cannot happen; the frame is within its bounds.
    pub fn completed(&mut self, completed: Completed) -> Result<Frame, Error> {
        let frame = ReceiptMessage { body: completed.body.clone(), signature: completed.signature, consistency: completed.consistency }
            .to_frame()?;
        self.unsaved.clear();
        self.receipt = Some((completed.body, completed.signature));
        Ok(frame)
    }

    /// Checks the verifier's signature on the receipt.
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`]; [`Error::Refuse`] with out_of_turn before there is a receipt.
    pub fn receive_acknowledge(&mut self, frame: &Frame) -> Result<PendingAcknowledgement, Error> {
        let acknowledge = Acknowledge::from_frame(frame)?;
        let Some((body, holder_signature)) = &self.receipt else {
            return Err(Error::Refuse(Refusal::new(RefusalCode::OutOfTurn, "there is no receipt yet")));
        };
        self.verifier_key.verify(StatementKind::Receipt, body, &acknowledge.signature)?;
        let receipt = Receipt {
            body: body.clone(),
            holder_signature: *holder_signature,
            holder_certificate: *self.context.statement_key.certificate(),
            verifier_signature: acknowledge.signature,
            verifier_certificate: *self.verifier_key.certificate(),
        };
        Ok(PendingAcknowledgement { session_id: self.session_id, receipt })
    }

    /// The line is gone: what was answered is written down, what is reserved and not charged is free again.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn suspend<L: Ledger + ?Sized>(&mut self, ledger: &mut L, clock_unix_ms: u64) -> Result<(), Error> {
        ledger.suspend(&self.session_id, &self.unsaved, clock_unix_ms)?;
        self.unsaved.clear();
        Ok(())
    }

    /// The session as versioned bytes. There is no secret in them.
    ///
    /// # Errors
    /// [`Error::SavedState`] where they would be larger than a reader takes.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        SavedHolder {
            request: self.request.bytes().to_vec(),
            facts: Saved::facts(&self.facts),
            certificate: *self.verifier_key.certificate(),
            batches: Saved::batches(&self.batches),
            unsaved: self.unsaved.clone(),
            receipt: self.receipt.clone(),
            welcomed: self.welcomed.into(),
        }
        .to_bytes()
    }

    /// A session from its bytes.
    ///
    /// # Errors
    /// [`Error::SavedState`]: another version, another holder's, or damaged.
    pub fn restore(context: Arc<HolderContext>, bytes: &[u8]) -> Result<Self, Error> {
        let saved = SavedHolder::from_bytes(bytes)?;
        let facts = saved.facts.into_facts()?;
        let request = Request::parse(&saved.request).map_err(|_| Error::SavedState("damaged request"))?;
        if facts.holder != context.fingerprint || facts.request_digest != request.digest() {
            return Err(Error::SavedState("it belongs to another party or request"));
        }
        let verifier_key =
            CertifiedKey::check(&saved.certificate, &facts.verifier).map_err(|_| Error::SavedState("damaged certificate"))?;
        if let Some((body, signature)) = &saved.receipt {
            let own = CertifiedKey::check(context.statement_key.certificate(), &context.fingerprint);
            own.and_then(|own| own.verify(StatementKind::Receipt, body, signature)).map_err(|_| Error::SavedState("damaged receipt"))?;
        }
        let batches = Saved::into_batches(saved.batches, request.batches())?;
        let mut session = Self::admitted(context, verifier_key, request, facts, batches, saved.receipt, saved.welcomed.into());
        session.unsaved = saved.unsaved;
        Ok(session)
    }
}

impl PendingCompletion {
    /// Makes the receipt durable.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn commit<L: Ledger + ?Sized>(self, ledger: &mut L) -> Result<Completed, Error> {
        if self.new {
            ledger.complete(&self.entry)?;
        }
        Ok(Completed { body: self.entry.receipt, signature: self.entry.signature, consistency: self.consistency })
    }
}

impl PendingAcknowledgement {
    /// Keeps the verifier's signature: the receipt with both, and the Closed frame to send.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn commit<L: Ledger + ?Sized>(self, ledger: &mut L) -> Result<(Receipt, Frame), Error> {
        ledger.acknowledge(&self.session_id, &self.receipt.verifier_signature)?;
        Ok((self.receipt, Frame { kind: FrameType::Closed, body: Vec::new() }))
    }
}
