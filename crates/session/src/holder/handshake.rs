//! From Hello to Welcome (SPEC §6.2).

use super::{HolderContext, HolderSession};
use crate::clock::check_clock;
use crate::epoch::SUITE_RISTRETTO255;
use crate::error::{Error, Incompatibility, Refusal, RefusalCode};
use crate::ledger::{Ledger, SessionEntry, SessionOpening};
use crate::limits::{BATCHES_IN_FLIGHT_MAX, RESEND_MAX, VERSIONS};
use crate::request::{Request, to_hex};
use crate::set::SetOffer;
use crate::statement::CertifiedKey;
use crate::transcript::{BatchDigests, Batches, SessionFacts, offered, session_id};
use crate::wire::{Frame, Hello, Welcome};
use rand_core::CryptoRng;
use std::sync::Arc;

/// A connection of a pinned verifier that has not said Hello yet.
#[derive(Debug)]
pub struct HolderHandshake {
    context: Arc<HolderContext>,
    verifier: [u8; 32],
}

/// A request that may be admitted once the ledger has reserved its evaluations.
#[derive(Debug)]
pub struct PendingAdmission {
    context: Arc<HolderContext>,
    verifier_key: CertifiedKey,
    request: Request,
    hello: Hello,
    version: u16,
    offer: SetOffer,
    entry: SessionEntry,
}

impl HolderHandshake {
    /// `verifier` is the fingerprint that the transport authenticated.
    #[must_use]
    pub fn new(context: Arc<HolderContext>, verifier: [u8; 32]) -> Self {
        Self { context, verifier }
    }

    /// Checks a Hello against the set that is sealed for this verifier (`None` where there is none), at `clock_unix_ms`.
    ///
    /// # Errors
    /// [`Error::Refuse`], [`Error::PeerMisbehaved`], [`Error::Incompatible`]: [`Error::to_refusal`] is what to answer.
    pub fn receive_hello<R: CryptoRng + ?Sized>(
        self,
        frame: &Frame,
        offer: Option<SetOffer>,
        clock_unix_ms: u64,
        rng: &mut R,
    ) -> Result<PendingAdmission, Error> {
        let refuse = |code, detail: &str| Err(Error::Refuse(Refusal::new(code, detail)));
        let hello = Hello::from_frame(frame)?;
        let Some(version) = VERSIONS.iter().rev().copied().find(|version| hello.versions.contains(version)) else {
            return refuse(RefusalCode::VersionUnsupported, "this holder speaks version 1 of the protocol");
        };
        if !hello.suites.contains(&SUITE_RISTRETTO255) {
            return refuse(RefusalCode::SuiteUnsupported, "this holder has suite 1 (ristretto255-SHA512) only");
        }
        check_clock(hello.clock_unix_ms, clock_unix_ms)?;
        let verifier_key = CertifiedKey::check(&hello.certificate, &self.verifier)?;
        let request = Request::parse(&hello.request)
            .map_err(|error| Error::Refuse(Refusal::new(RefusalCode::RequestMalformed, error.to_string())))?;
        let Some(offer) = offer else {
            return refuse(RefusalCode::NotSealed, "the holder has no sealed set for this verifier");
        };
        let set = &offer.descriptor;
        if *request.ruleset_digest() != set.ruleset_digest || request.tokens_per_pair() != set.tokens_per_pair {
            let (ours, theirs) = (to_hex(&set.ruleset_digest), to_hex(request.ruleset_digest()));
            return Err(Incompatibility::Ruleset { ours, theirs }.into());
        }
        if request.pairs() > self.context.pilot_pairs_max {
            let detail =
                format!("{} pairs are asked unsigned, the holder's pilot mode allows {}", request.pairs(), self.context.pilot_pairs_max);
            return refuse(RefusalCode::PairsOverCap, &detail);
        }
        if request.tokens() > set.session_tokens_max {
            return Err(Incompatibility::TokensOverCap { tokens: request.tokens(), max: set.session_tokens_max }.into());
        }
        let mut holder_nonce = [0; 32];
        rng.fill_bytes(&mut holder_nonce);
        let request_digest = request.digest();
        let entry = SessionEntry {
            session_id: session_id(&self.verifier, &self.context.fingerprint, &hello.nonce, &holder_nonce, &request_digest),
            request_id: *request.id(),
            request_digest,
            request: request.bytes().to_vec(),
            epoch_id: set.epoch_id,
            set_id: offer.set_id,
            verifier: self.verifier,
            verifier_certificate: hello.certificate,
            offered: offered(&hello.versions, &hello.suites),
            verifier_nonce: hello.nonce,
            holder_nonce,
            pairs: request.pairs(),
            tokens: request.tokens(),
            batches: request.batches(),
            epoch_evaluations_max: self.context.epoch_evaluations_max,
            clock_unix_ms,
        };
        Ok(PendingAdmission { context: self.context, verifier_key, request, hello, version, offer, entry })
    }
}

impl PendingAdmission {
    /// The request's identifier, which counts within its verifier: one connection at a time may serve it.
    #[must_use]
    pub fn request_id(&self) -> &[u8; 16] {
        self.request.id()
    }

    /// Reserves the evaluations at `clock_unix_ms`, or finds the session that this Hello resumes; only then is there a session, and a Welcome
    /// to send.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn commit<L: Ledger + ?Sized>(mut self, ledger: &mut L, clock_unix_ms: u64) -> Result<(HolderSession, Frame), Error> {
        self.entry.clock_unix_ms = clock_unix_ms;
        let (holder_nonce, charged, receipt) = match ledger.open_session(&self.entry)? {
            SessionOpening::New => (self.entry.holder_nonce, Vec::new(), None),
            SessionOpening::Resumed { holder_nonce, charged, receipt } => (holder_nonce, charged, receipt),
        };
        let facts = SessionFacts {
            version: self.version,
            suite: SUITE_RISTRETTO255,
            versions_offered: self.hello.versions,
            suites_offered: self.hello.suites,
            verifier_nonce: self.hello.nonce,
            holder_nonce,
            verifier: self.entry.verifier,
            holder: self.context.fingerprint,
            request_digest: self.entry.request_digest,
            offer: self.offer,
        };
        let batches: Batches = charged
            .into_iter()
            .map(|batch| (batch.index, BatchDigests { blinded: batch.blinded_digest, evaluated: batch.evaluated_digest }))
            .collect();
        let set = &facts.offer.descriptor;
        let welcome = Welcome {
            version: facts.version,
            suite: facts.suite,
            nonce: holder_nonce,
            clock_unix_ms: self.entry.clock_unix_ms,
            certificate: *self.context.statement_key.certificate(),
            ruleset_digest: set.ruleset_digest,
            tau: set.tau.to_byte(),
            tokens_per_pair: set.tokens_per_pair,
            session_tokens_max: set.session_tokens_max,
            declared_tags: set.declared_tags,
            set_tags: set.tags,
            set_bytes: facts.offer.set_bytes,
            as_of: set.as_of,
            epoch_id: set.epoch_id,
            set_id: facts.offer.set_id,
            public_key: set.public_key.to_vec(),
            batches_in_flight_max: BATCHES_IN_FLIGHT_MAX,
            authority: 0,
            resend: batches.iter().filter(|(_, batch)| batch.evaluated.is_none()).map(|(index, _)| *index).take(RESEND_MAX).collect(),
        };
        let frame = welcome.to_frame()?;
        Ok((HolderSession::admitted(self.context, self.verifier_key, self.request, facts, batches, receipt), frame))
    }
}
