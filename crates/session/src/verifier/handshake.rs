//! From a request to Welcome (SPEC §6.2).

use super::{VerifierContext, VerifierSession};
use crate::clock::check_clock;
use crate::epoch::SUITE_RISTRETTO255;
use crate::error::{Error, Incompatibility, Misbehaviour, Refusal};
use crate::head::{LogHead, SignedHead};
use crate::limits::{BATCHES_IN_FLIGHT_MAX, VERSIONS};
use crate::question::Question;
use crate::request::{Request, to_hex};
use crate::saved::SavedHandshake;
use crate::set::{SetDescriptor, SetOffer};
use crate::statement::CertifiedKey;
use crate::tag::Tau;
use crate::transcript::{Authority, SessionFacts};
use crate::wire::{Frame, FrameType, Hello, Welcome};
use oblink_oprf::PublicKey;
use rand_core::CryptoRng;
use std::sync::Arc;

/// A request on its way: Hello can be sent, and sent again with the same nonce to resume.
#[derive(Debug)]
pub struct VerifierHandshake {
    context: Arc<VerifierContext>,
    holder: [u8; 32],
    question: Arc<Question>,
    known: LogHead,
    nonce: [u8; 32],
}

impl VerifierHandshake {
    /// `holder` is the pinned fingerprint of the holder, `known` the latest head of its ledger that this side has kept
    /// ([`LogHead::NONE`] for none).
    #[must_use]
    pub fn new<R: CryptoRng + ?Sized>(
        context: Arc<VerifierContext>,
        holder: [u8; 32],
        question: impl Into<Arc<Question>>,
        known: LogHead,
        rng: &mut R,
    ) -> Self {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        Self { context, holder, question: question.into(), known, nonce }
    }

    /// The Hello, at `clock_unix_ms`.
    ///
    /// # Errors
    /// None in practice: a request is within the bounds of a Hello.
    pub fn hello(&self, clock_unix_ms: u64) -> Result<Frame, Error> {
        let hello = Hello {
            versions: VERSIONS.to_vec(),
            suites: vec![SUITE_RISTRETTO255],
            nonce: self.nonce,
            clock_unix_ms,
            certificate: *self.context.statement_key.certificate(),
            request: self.question.request.bytes().to_vec(),
            signatures: self.question.signatures.clone(),
            head_size: self.known.size,
            head_root: self.known.root,
        };
        Ok(hello.to_frame()?)
    }

    /// Checks Welcome (SPEC HSK-7), or takes the refusal.
    ///
    /// # Errors
    /// [`Error::Refused`]; [`Error::Incompatible`]; [`Error::PeerMisbehaved`].
    pub fn receive_welcome(self, frame: &Frame, clock_unix_ms: u64) -> Result<VerifierSession, Error> {
        if frame.kind == FrameType::Refusal {
            return Err(Error::Refused(Refusal::from_frame(frame)?));
        }
        let welcome = Welcome::from_frame(frame)?;
        let demand = |holds: bool, what| if holds { Ok(()) } else { Err(Error::PeerMisbehaved(Misbehaviour::Welcome(what))) };
        demand(VERSIONS.contains(&welcome.version), "a version that was not offered")?;
        demand(welcome.suite == SUITE_RISTRETTO255, "a suite that was not offered")?;
        check_clock(welcome.clock_unix_ms, clock_unix_ms)?;
        let holder_key = CertifiedKey::check(&welcome.certificate, &self.holder)?;
        let welcomed = self.check_ledger(&welcome, &holder_key)?;
        let request = &self.question.request;
        if welcome.ruleset_digest != *request.ruleset_digest() || welcome.tokens_per_pair != request.tokens_per_pair() {
            let (ours, theirs) = (to_hex(request.ruleset_digest()), to_hex(&welcome.ruleset_digest));
            return Err(Incompatibility::Ruleset { ours, theirs }.into());
        }
        if request.tokens() > welcome.session_tokens_max {
            return Err(Incompatibility::TokensOverCap { tokens: request.tokens(), max: welcome.session_tokens_max }.into());
        }
        let tau = Tau::for_counts(welcome.declared_tags, welcome.session_tokens_max).filter(|tau| tau.to_byte() == welcome.tau);
        let Some(tau) = tau else {
            return Err(Error::PeerMisbehaved(Misbehaviour::Welcome("a tag length that its counts do not give")));
        };
        demand((1..=welcome.declared_tags).contains(&welcome.set_tags), "more tags than declared, or none")?;
        let authority = match (welcome.authority, welcome.policy) {
            (0, policy) if policy == [0; 32] => Authority::Unsigned,
            (1, policy) if policy != [0; 32] => Authority::Signed(policy),
            _ => return Err(Error::PeerMisbehaved(Misbehaviour::Welcome("an authority that this version does not know"))),
        };
        demand(authority == Authority::Unsigned || request.manifest().is_some(), "an authority that the request does not have")?;
        let public_key: [u8; 32] =
            welcome.public_key.as_slice().try_into().map_err(|_| Error::PeerMisbehaved(Misbehaviour::Welcome("the public key's size")))?;
        let prf_key = PublicKey::from_bytes(&public_key)
            .map_err(|_| Error::PeerMisbehaved(Misbehaviour::Welcome("the public key is no valid element")))?;
        let descriptor = SetDescriptor {
            suite: welcome.suite,
            tau,
            tokens_per_pair: welcome.tokens_per_pair,
            as_of: welcome.as_of,
            session_tokens_max: welcome.session_tokens_max,
            declared_tags: welcome.declared_tags,
            tags: welcome.set_tags,
            epoch_id: welcome.epoch_id,
            ruleset_digest: welcome.ruleset_digest,
            public_key,
        };
        let facts = SessionFacts {
            version: welcome.version,
            suite: welcome.suite,
            versions_offered: VERSIONS.to_vec(),
            suites_offered: vec![SUITE_RISTRETTO255],
            verifier_nonce: self.nonce,
            holder_nonce: welcome.nonce,
            verifier: self.context.fingerprint,
            holder: self.holder,
            request_digest: request.digest(),
            offer: SetOffer { descriptor, set_id: welcome.set_id, set_bytes: welcome.set_bytes },
            authority,
        };
        // What a holder allows is no reason to keep more in memory than this.
        let in_flight_max = welcome.batches_in_flight_max.min(BATCHES_IN_FLIGHT_MAX);
        let resend = welcome.resend.into_iter().collect();
        let mut session =
            VerifierSession::admitted(self.context, holder_key, self.question, facts, prf_key, in_flight_max, clock_unix_ms, welcomed);
        session.resend = resend;
        Ok(session)
    }

    /// The head in Welcome: signed, of about now, and a continuation of the one that this side knows (SPEC HSK-8).
    fn check_ledger(&self, welcome: &Welcome, holder_key: &CertifiedKey) -> Result<SignedHead, Error> {
        let head = LogHead { size: welcome.head_size, root: welcome.head_root };
        let signed = SignedHead { head, unix_ms: welcome.head_unix_ms, signature: welcome.head_signature };
        signed.verify(holder_key, &self.holder)?;
        check_clock(signed.unix_ms, welcome.clock_unix_ms).map_err(|_| Misbehaviour::Ledger("its head is of another time than Welcome"))?;
        if head.size == 0 {
            return Err(Misbehaviour::Ledger("its head has no entries").into());
        }
        if !self.known.is_continued_by(&head, &welcome.consistency) {
            return Err(Misbehaviour::Ledger("its head does not continue the one that this verifier knows").into());
        }
        Ok(signed)
    }

    /// The handshake as versioned bytes: to say the same Hello again after a crash. No secret is in them.
    ///
    /// # Errors
    /// [`Error::SavedState`].
    pub fn save(&self) -> Result<Vec<u8>, Error> {
        SavedHandshake {
            request: self.question.request.bytes().to_vec(),
            nonce: self.nonce,
            verifier: self.context.fingerprint,
            holder: self.holder,
        }
        .to_bytes()
    }

    /// A handshake from its bytes: the same nonce for the same question to the same holder, and so the same session.
    ///
    /// # Errors
    /// [`Error::SavedState`]: another version, another verifier's, holder's or request's, or damaged.
    pub fn restore(
        context: Arc<VerifierContext>,
        holder: [u8; 32],
        question: impl Into<Arc<Question>>,
        known: LogHead,
        bytes: &[u8],
    ) -> Result<Self, Error> {
        let question = question.into();
        let saved = SavedHandshake::from_bytes(bytes)?;
        if saved.verifier != context.fingerprint || saved.holder != holder {
            return Err(Error::SavedState("it belongs to another party"));
        }
        if Request::parse(&saved.request).is_ok_and(|request| request == question.request) {
            Ok(Self { context, holder, question, known, nonce: saved.nonce })
        } else {
            Err(Error::SavedState("it belongs to another request"))
        }
    }
}
