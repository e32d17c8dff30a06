//! The verifier's batch phase and the end of a session (SPEC §6.4 to §6.6).

use super::VerifierContext;
use super::batches::{BatchPlan, BlindedBatch, UnverifiedBatch, VerifiedBatch};
use super::resume::KeptBatch;
use crate::clock::check_clock;
use crate::error::{Error, Misbehaviour, Refusal};
use crate::head::{LogHead, SignedHead};
use crate::merkle::Hash;
use crate::question::Question;
use crate::receipt::{self, HolderWord, Receipt};
use crate::request::Request;
use crate::saved::{Saved, SavedVerifier};
use crate::set::SetOffer;
use crate::statement::{CERTIFICATE_BYTES, CertifiedKey, StatementKind};
use crate::transcript::{Authority, BatchDigests, Batches, SessionFacts};
use crate::wire::{Acknowledge, Batch, Complete, Evaluated, Frame, FrameType, ReceiptMessage, SetRequest, control};
use oblink_oprf::PublicKey;
use oblink_oprf::additive::PreparedPublicKey;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A sealed set that was checked whole (SPEC SET-7). Implemented by the store's verified set alone: a type whose values come out of that
/// check and nowhere else.
pub trait CheckedSet {
    /// What it was checked against.
    fn offer(&self) -> &SetOffer;
}

/// An admitted session: lives from Welcome to Complete.
#[derive(Debug)]
pub struct VerifierSession {
    context: Arc<VerifierContext>,
    holder_key: CertifiedKey,
    pub(super) question: Arc<Question>,
    pub(super) facts: SessionFacts,
    session_id: [u8; 16],
    /// The epoch's public key with its table, made once; batches share it.
    key: Arc<PreparedPublicKey>,
    in_flight_max: u16,
    pub(super) admitted_unix_ms: u64,
    /// Batches verified, with their digests.
    pub(super) batches: Batches,
    /// Handed out and not verified yet.
    pub(super) out: BTreeSet<u64>,
    /// Batches of which the holder has no answer on record, as Welcome says: to be sent again (SPEC HSK-5).
    pub(super) resend: BTreeSet<u64>,
    /// What was verified of those before: they must come out the same.
    pub(super) expected: Batches,
    /// The first batch never handed out in this run.
    next: u64,
    /// The ledger's head of the latest Welcome.
    welcomed: LogHead,
    /// The same with the holder's word on it; none in a restored session.
    welcomed_signed: Option<SignedHead>,
}

/// Complete is sent; the holder owes the receipt.
#[derive(Debug)]
pub struct AwaitingReceipt {
    session: VerifierSession,
    transcript: [u8; 64],
}

/// The receipt is here: results may be written.
#[derive(Debug)]
pub struct Finished {
    receipt: Receipt,
    facts: SessionFacts,
    head: LogHead,
}

impl VerifierSession {
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and there are two callers")]
    pub(super) fn admitted(
        context: Arc<VerifierContext>,
        holder_key: CertifiedKey,
        question: Arc<Question>,
        facts: SessionFacts,
        public_key: PublicKey,
        in_flight_max: u16,
        admitted_unix_ms: u64,
        welcomed: SignedHead,
    ) -> Self {
        let session_id = facts.session_id();
        Self {
            context,
            holder_key,
            question,
            facts,
            session_id,
            key: Arc::new(PreparedPublicKey::new(&public_key)),
            in_flight_max,
            admitted_unix_ms,
            batches: Batches::new(),
            out: BTreeSet::new(),
            resend: BTreeSet::new(),
            expected: Batches::new(),
            next: 0,
            welcomed: welcomed.head,
            welcomed_signed: Some(welcomed),
        }
    }

    /// The session's identifier.
    #[must_use]
    pub fn session_id(&self) -> &[u8; 16] {
        &self.session_id
    }

    /// The request.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.question.request
    }

    /// The ledger's head of this session's Welcome, under the holder's statement: to be kept, and presented next time (SPEC HSK-8). `None`
    /// where the session was restored.
    #[must_use]
    pub fn welcomed(&self) -> Option<&SignedHead> {
        self.welcomed_signed.as_ref()
    }

    /// By what the holder admitted the session.
    #[must_use]
    pub fn authority(&self) -> &Authority {
        &self.facts.authority
    }

    /// The certificate of the holder's statement key.
    #[must_use]
    pub fn holder_certificate(&self) -> &[u8; CERTIFICATE_BYTES] {
        self.holder_key.certificate()
    }

    /// The sealed set that the holder names.
    #[must_use]
    pub fn offer(&self) -> &SetOffer {
        &self.facts.offer
    }

    /// Most batches unanswered at a time, as the holder says.
    #[must_use]
    pub fn batches_in_flight_max(&self) -> u16 {
        self.in_flight_max
    }

    /// Batches verified so far.
    #[must_use]
    pub fn verified(&self) -> u64 {
        self.batches.len() as u64
    }

    /// The next batch to be made. `None` while as many are out as the holder allows, or when none is left (SPEC BAT-4).
    pub fn next_batch(&mut self) -> Option<BatchPlan> {
        if self.out.len() >= usize::from(self.in_flight_max) {
            return None;
        }
        while self.batches.contains_key(&self.next) {
            self.next += 1;
        }
        let index = self.next;
        let (first_token, tokens) = self.question.request.batch(index)?;
        self.next += 1;
        self.out.insert(index);
        Some(BatchPlan { session_id: self.session_id, index, first_token, tokens })
    }

    /// The Batch frame, with this side's statement over it (SPEC STM-3) and, where the request commits to its batches, the path that shows it
    /// to be among them (SPEC BAT-7). The same batch may be framed and sent again.
    ///
    /// # Errors
    /// [`Error::OtherBatches`]: the batch is not the one that was approved under its index, and is not sent.
    pub fn submit(&self, batch: &BlindedBatch) -> Result<Frame, Error> {
        let index = batch.plan.index;
        let path = match &self.question.approved {
            Some(approved) => approved.path(index, &batch.blinded_digest).ok_or(Error::OtherBatches)?,
            None => Vec::new(),
        };
        let body = self.facts.batch_statement(index, &batch.blinded_digest);
        let statement = self.context.statement_key.sign(StatementKind::Batch, &body);
        Ok(Batch { index, blinded: batch.elements.clone(), statement, path }.to_frame())
    }

    /// Takes the answer to a batch, or the refusal. What comes back is not verified yet.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::PeerMisbehaved`] for another batch's answer or another count.
    pub fn receive_evaluated(&self, frame: &Frame, blinded: BlindedBatch) -> Result<UnverifiedBatch, Error> {
        if frame.kind == FrameType::Refusal {
            return Err(Error::Refused(Refusal::from_frame(frame)?));
        }
        let Evaluated { index, evaluated, proof } = Evaluated::from_frame(frame)?;
        let misbehaved = |what| Err(Error::PeerMisbehaved(Misbehaviour::Batch { index, what }));
        if index != blinded.plan.index {
            return misbehaved("an answer to another batch");
        }
        if evaluated.len() != blinded.elements.len() {
            return misbehaved("another number of elements than was asked");
        }
        Ok(UnverifiedBatch { blinded, evaluated, proof, key: Arc::clone(&self.key), tau: self.facts.offer.descriptor.tau })
    }

    /// Books a verified batch. Its tags may be taken before or after.
    ///
    /// # Errors
    /// [`Error::Internal`] for a batch that was not handed out; [`Error::PeerMisbehaved`] for an answer that was another one before (SPEC BAT-3).
    pub fn accept(&mut self, batch: &VerifiedBatch) -> Result<(), Error> {
        if batch.session_id != self.session_id || !self.out.remove(&batch.index) {
            return Err(Error::Internal("not a batch that is out"));
        }
        let digests = BatchDigests { blinded: batch.blinded_digest, evaluated: Some(batch.evaluated_digest) };
        match self.expected.remove(&batch.index) {
            Some(before) if before.blinded != digests.blinded => return Err(Error::Internal("a batch was blinded in two ways")),
            Some(before) if before != digests => {
                return Err(Misbehaviour::Batch { index: batch.index, what: "its answer was another one before" }.into());
            }
            _ => self.batches.insert(batch.index, digests),
        };
        Ok(())
    }

    /// Asks for the sealed set from an offset on.
    ///
    /// # Errors
    /// None in practice: the frame is within its bounds.
    pub fn request_set(&self, offset: u64) -> Result<Frame, Error> {
        Ok(SetRequest { set_id: self.facts.offer.set_id, offset }.to_frame()?)
    }

    /// Every batch is verified, and here is the set that was checked: Complete (SPEC END-2).
    ///
    /// # Errors
    /// [`Error::Internal`] while a batch is missing, or where the set is another session's.
    pub fn complete(self, set: &impl CheckedSet) -> Result<(AwaitingReceipt, Frame), Error> {
        if *set.offer() != self.facts.offer {
            return Err(Error::Internal("the set that was checked is not this session's"));
        }
        let transcript =
            self.facts.transcript(&self.batches, self.question.request.batches()).ok_or(Error::Internal("a batch is not verified yet"))?;
        let frame = Complete { transcript }.to_frame()?;
        Ok((AwaitingReceipt { session: self, transcript }, frame))
    }

    fn to_saved(&self, transcript: Option<[u8; 64]>) -> Result<Vec<u8>, Error> {
        SavedVerifier {
            request: self.question.request.bytes().to_vec(),
            facts: Saved::facts(&self.facts),
            certificate: *self.holder_key.certificate(),
            in_flight_max: self.in_flight_max,
            admitted_unix_ms: self.admitted_unix_ms,
            batches: Saved::batches(&self.batches),
            transcript,
            welcomed: self.welcomed.into(),
            approved: self.question.approved.as_ref().map(|approved| approved.digests().to_vec()),
        }
        .to_bytes()
    }

    fn from_saved(context: Arc<VerifierContext>, bytes: &[u8]) -> Result<(Self, Option<[u8; 64]>), Error> {
        let saved = SavedVerifier::from_bytes(bytes)?;
        let facts = saved.facts.into_facts()?;
        let request = Request::parse(&saved.request).map_err(|_| Error::SavedState("damaged request"))?;
        if facts.verifier != context.fingerprint || facts.request_digest != request.digest() {
            return Err(Error::SavedState("it belongs to another party or request"));
        }
        let holder_key = CertifiedKey::check(&saved.certificate, &facts.holder).map_err(|_| Error::SavedState("damaged certificate"))?;
        let public_key = PublicKey::from_bytes(&facts.offer.descriptor.public_key).map_err(|_| Error::SavedState("damaged public key"))?;
        let batches = Saved::into_batches(saved.batches, request.batches())?;
        // Signatures are not needed any more: the session is admitted.
        let question = match saved.approved {
            None => Question::unsigned(request),
            Some(digests) => Question::authorised(request, Vec::new(), digests),
        };
        let question = question.map_err(|_| Error::SavedState("damaged batches"))?;
        let welcomed = SignedHead { head: saved.welcomed.into(), unix_ms: 0, signature: [0; 64] };
        let (in_flight_max, admitted) = (saved.in_flight_max, saved.admitted_unix_ms);
        let mut session = Self::admitted(context, holder_key, Arc::new(question), facts, public_key, in_flight_max, admitted, welcomed);
        session.welcomed_signed = None;
        session.batches = batches;
        Ok((session, saved.transcript))
    }

    /// The session as versioned bytes. Batches that are out count as never made. Neither seed nor tag is in them.
    ///
    /// # Errors
    /// [`Error::SavedState`] where they would be larger than a reader takes.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        self.to_saved(None)
    }

    /// A session from its bytes.
    ///
    /// # Errors
    /// [`Error::SavedState`]: another version, another verifier's, or damaged.
    pub fn restore(context: Arc<VerifierContext>, bytes: &[u8]) -> Result<Self, Error> {
        match Self::from_saved(context, bytes)? {
            (session, None) => Ok(session),
            (_, Some(_)) => Err(Error::SavedState("it is further on than this")),
        }
    }
}

impl VerifierSession {
    /// What the holder alone says in a receipt: admitted as Welcome said (in a receipt from before this Welcome, SPEC END-4, under an earlier
    /// policy perhaps, or none yet), and a ledger that continues, or is continued by, the one of Welcome.
    fn check_word(&self, word: &HolderWord, proof: &[Hash]) -> Result<(), Error> {
        let earlier = word.head.size < self.welcomed.size;
        if !earlier && word.authority != self.facts.authority {
            return Err(Misbehaviour::Receipt("authority").into());
        }
        let (first, second) = if earlier { (&word.head, &self.welcomed) } else { (&self.welcomed, &word.head) };
        if word.head.size == 0 || !first.is_continued_by(second, proof) {
            return Err(Misbehaviour::Ledger("the receipt's head and Welcome's are not of one ledger").into());
        }
        Ok(())
    }
}

impl AwaitingReceipt {
    /// Takes the receipt, or the refusal: every member must be what this side knows (SPEC END-3). Gives the Acknowledge to send.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::PeerMisbehaved`]; [`Error::Incompatible`] for a time that is off.
    pub fn receive_receipt(self, frame: &Frame, clock_unix_ms: u64) -> Result<(Finished, Frame), Error> {
        if frame.kind == FrameType::Refusal {
            return Err(Error::Refused(Refusal::from_frame(frame)?));
        }
        let session = self.session;
        let message = ReceiptMessage::from_frame(frame)?;
        let (holder_key, verifier_key) = (session.holder_key.public(), session.context.statement_key.public());
        let expected =
            |word: &HolderWord| receipt::body(&session.facts, session.request(), &self.transcript, &holder_key, &verifier_key, word);
        let word = receipt::check_body(&message.body, expected)?;
        session.check_word(&word, &message.consistency)?;
        let completed = word.completed_unix_ms;
        session.holder_key.verify(StatementKind::Receipt, &message.body, &message.signature)?;
        // A receipt that is sent again (SPEC END-4) may be old, but none is older than its session, or from the future.
        check_clock(completed.max(clock_unix_ms), clock_unix_ms)?;
        check_clock(completed.min(session.admitted_unix_ms), session.admitted_unix_ms)?;
        let verifier_signature = session.context.statement_key.sign(StatementKind::Receipt, &message.body);
        let receipt = Receipt {
            body: message.body,
            holder_signature: message.signature,
            holder_certificate: *session.holder_key.certificate(),
            verifier_signature,
            verifier_certificate: *session.context.statement_key.certificate(),
        };
        let frame = Acknowledge { signature: verifier_signature }.to_frame()?;
        let head = if word.head.size >= session.welcomed.size { word.head } else { session.welcomed };
        Ok((Finished { receipt, facts: session.facts, head }, frame))
    }

    /// The ledger's head of this connection's Welcome: the receipt's continues it, or is continued by it.
    #[must_use]
    pub fn welcomed(&self) -> &LogHead {
        &self.session.welcomed
    }

    /// Whether these, each once, are the batches whose receipt is awaited.
    #[must_use]
    pub fn is_of(&self, mut batches: impl ExactSizeIterator<Item = KeptBatch>) -> bool {
        let own = &self.session.batches;
        let is_own = |kept: KeptBatch| {
            own.get(&kept.index) == Some(&BatchDigests { blinded: kept.blinded_digest, evaluated: Some(kept.evaluated_digest) })
        };
        batches.len() == own.len() && batches.all(is_own)
    }

    /// The state as versioned bytes.
    ///
    /// # Errors
    /// [`Error::SavedState`] where they would be larger than a reader takes.
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        self.session.to_saved(Some(self.transcript))
    }

    /// The state from its bytes, and the set that was checked: a saved state does not stand for the check (SPEC END-4).
    ///
    /// It takes the receipt that came over the connection it was saved on, which its ledger's proof belongs to. Over a new connection the session goes on
    /// by [`VerifierSession::resume`], which takes these bytes too, and [`VerifierSession::complete`].
    ///
    /// # Errors
    /// [`Error::SavedState`]: another version, another verifier's, or damaged. [`Error::Internal`] for another session's set.
    pub fn restore(context: Arc<VerifierContext>, bytes: &[u8], set: &impl CheckedSet) -> Result<Self, Error> {
        match VerifierSession::from_saved(context, bytes)? {
            (session, Some(_)) if *set.offer() != session.facts.offer => {
                Err(Error::Internal("the set that was checked is not this session's"))
            }
            (session, Some(transcript))
                if session.facts.transcript(&session.batches, session.question.request.batches()) == Some(transcript) =>
            {
                Ok(Self { session, transcript })
            }
            _ => Err(Error::SavedState("it is not that far on")),
        }
    }
}

impl Finished {
    /// The receipt, signed by both.
    #[must_use]
    pub fn receipt(&self) -> &Receipt {
        &self.receipt
    }

    /// The latest head of the holder's ledger: to be kept, and presented next time (SPEC HSK-8).
    #[must_use]
    pub fn head(&self) -> &LogHead {
        &self.head
    }

    /// What both sides agreed on.
    #[must_use]
    pub fn facts(&self) -> &SessionFacts {
        &self.facts
    }

    /// Takes Closed. It says no more than that the holder has the signature; losing it loses nothing.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::PeerMisbehaved`].
    pub fn receive_closed(&self, frame: &Frame) -> Result<(), Error> {
        if frame.kind == FrameType::Refusal {
            return Err(Error::Refused(Refusal::from_frame(frame)?));
        }
        Ok(control::expect_closed(frame)?)
    }
}
