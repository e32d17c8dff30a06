//! Going on with a session over a new connection: what was verified before counts, but for what the holder has no record of (SPEC RES-2, RES-3).

use super::{VerifiedBatch, VerifierSession};
use crate::error::{Error, Misbehaviour};
use crate::saved::{Saved, SavedVerifier};
use crate::transcript::{Authority, BatchDigests};

/// What stays of a verified batch beside its tags: enough for the transcript (SPEC END-1). Neither token, blind nor tag is in it.
///
/// [`VerifiedBatch::kept`] makes one from the line. One that was written down is worth what its reader's checks of it are worth: a session takes it
/// for verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptBatch {
    /// The batch's index.
    pub index: u64,
    /// Index of its first token in the request.
    pub first_token: u64,
    /// Tokens in it.
    pub tokens: u32,
    /// Digest of its blinded elements (SPEC BAT-1).
    pub blinded_digest: [u8; 32],
    /// Digest of the holder's answer (SPEC BAT-1).
    pub evaluated_digest: [u8; 32],
}

impl VerifiedBatch {
    /// What is kept of the batch beside its tags, so that a later run need not ask for it again.
    #[must_use]
    pub fn kept(&self) -> KeptBatch {
        KeptBatch {
            index: self.index,
            first_token: self.first_token,
            tokens: self.tokens,
            blinded_digest: self.blinded_digest,
            evaluated_digest: self.evaluated_digest,
        }
    }
}

impl VerifierSession {
    /// Goes on with a session that broke off. `self` is fresh from the Welcome that answered the same Hello; `saved` is what
    /// [`VerifierSession::save`] gave at the first Welcome or any time later (or [`AwaitingReceipt::save`](super::AwaitingReceipt::save)); `batches`
    /// are those verified since, in any order.
    ///
    /// The session is then as far as it was, with what this Welcome says of ledger, authority and limits, and the clock of the first one. Batches
    /// that Welcome wants sent again ([`Self::is_verified`] says no) come out of [`Self::next_batch`], and their answers must be what they were
    /// (SPEC HSK-5, BAT-3).
    ///
    /// # Errors
    /// [`Error::PeerMisbehaved`]: the holder welcomes to another session than it did, or to another set; its ledger, which continues the one of then,
    /// has the first. [`Error::SavedState`]: what was kept is of another question, another version, or damaged.
    pub fn resume(mut self, saved: &[u8], batches: Vec<KeptBatch>) -> Result<Self, Error> {
        if !self.batches.is_empty() || !self.out.is_empty() {
            return Err(Error::Internal("a session that has begun is resumed"));
        }
        let saved = SavedVerifier::from_bytes(saved)?;
        let (before, now) = (saved.facts.into_facts()?, &self.facts);
        let ours = |facts: &crate::transcript::SessionFacts| (facts.verifier, facts.holder, facts.request_digest, facts.verifier_nonce);
        if ours(&before) != ours(now) {
            return Err(Error::SavedState("it belongs to another party, request or session"));
        }
        if (&before.versions_offered, &before.suites_offered) != (&now.versions_offered, &now.suites_offered) {
            return Err(Error::SavedState("it was begun by another version of oblink"));
        }
        if (before.holder_nonce, before.version, before.suite) != (now.holder_nonce, now.version, now.suite) {
            return Err(Misbehaviour::Welcome("another session than the same Hello opened before").into());
        }
        if before.offer != now.offer {
            return Err(Misbehaviour::Welcome("another set than the session was opened with").into());
        }
        // Another policy may have come since; none can have gone (SPEC POL-1).
        if before.authority != Authority::Unsigned && now.authority == Authority::Unsigned {
            return Err(Misbehaviour::Welcome("unsigned, of a session that was signed").into());
        }
        self.admitted_unix_ms = saved.admitted_unix_ms;
        let due = self.question.request.batches();
        for (index, digests) in Saved::into_batches(saved.batches, due)? {
            self.take_up(index, digests)?;
        }
        for kept in batches {
            if self.question.request.batch(kept.index) != Some((kept.first_token, kept.tokens)) {
                return Err(Error::SavedState("it has a batch that the request does not have"));
            }
            self.take_up(kept.index, BatchDigests { blinded: kept.blinded_digest, evaluated: Some(kept.evaluated_digest) })?;
        }
        Ok(self)
    }

    /// Counts a batch as verified, or as one whose answer is known, where it has to be sent again.
    fn take_up(&mut self, index: u64, digests: BatchDigests) -> Result<(), Error> {
        let approved = self.question.approved.as_ref().map(|approved| approved.digests());
        if approved.is_some_and(|approved| usize::try_from(index).ok().and_then(|index| approved.get(index)) != Some(&digests.blinded)) {
            return Err(Error::SavedState("it has a batch that was not approved"));
        }
        if digests.evaluated.is_none() {
            return Ok(());
        }
        let place = if self.resend.contains(&index) { &mut self.expected } else { &mut self.batches };
        match place.insert(index, digests) {
            Some(other) if other != digests => Err(Error::SavedState("it has two answers to one batch")),
            _ => Ok(()),
        }
    }

    /// Whether batch `index` is verified, and need not be sent (again) on this connection.
    #[must_use]
    pub fn is_verified(&self, index: u64) -> bool {
        self.batches.contains_key(&index)
    }
}
