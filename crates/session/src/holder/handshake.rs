//! From Hello to Welcome (SPEC §6.2).

use super::{HolderContext, HolderSession};
use crate::authority::{Facts, Policy, Rulesets, authorise};
use crate::clock::check_clock;
use crate::epoch::SUITE_RISTRETTO255;
use crate::error::{Error, Incompatibility, NOT_AUTHORISED, Refusal, RefusalCode};
use crate::head::{LogHead, SignedHead};
use crate::ledger::{AuthorityEntry, Ledger, LedgerError, SessionEntry, SessionOpening};
use crate::limits::{BATCHES_IN_FLIGHT_MAX, RESEND_MAX, VERSIONS};
use crate::request::{Request, to_hex};
use crate::set::SetOffer;
use crate::statement::CertifiedKey;
use crate::transcript::{Authority, BatchDigests, Batches, SessionFacts, offered, session_id};
use crate::wire::{Frame, Hello, Welcome};
use rand_core::CryptoRng;
use std::sync::Arc;

/// A connection of a pinned verifier that has not said Hello yet.
#[derive(Debug)]
pub struct HolderHandshake {
    context: Arc<HolderContext>,
    verifier: [u8; 32],
}

/// What a holder's house says of a request at this moment: handed in, since the session reads neither files nor the ledger.
#[derive(Debug)]
pub struct House<'a> {
    /// The policy in force (SPEC POL-4); `None` in pilot mode.
    pub policy: Option<&'a Policy>,
    /// The holder's officials' signatures over this very request.
    pub countersignatures: Vec<Vec<u8>>,
    /// The rulesets that the house has: built in, and its own.
    pub rulesets: &'a dyn Rulesets,
    /// The set that is sealed for this verifier; `None` where there is none.
    pub offer: Option<SetOffer>,
    /// The later of the holder's clock and its ledger's time, milliseconds since 1970 (SPEC LED-5).
    pub now_unix_ms: u64,
}

/// A Hello whose form holds: what it asks is known, and not decided.
#[derive(Debug)]
pub struct ReceivedHello {
    context: Arc<HolderContext>,
    verifier: [u8; 32],
    verifier_key: CertifiedKey,
    request: Request,
    hello: Hello,
    version: u16,
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

    /// Checks the form of a Hello, at `clock_unix_ms`.
    ///
    /// # Errors
    /// [`Error::Refuse`], [`Error::PeerMisbehaved`], [`Error::Incompatible`]: [`Error::to_refusal`] is what to answer.
    pub fn receive_hello(self, frame: &Frame, clock_unix_ms: u64) -> Result<ReceivedHello, Error> {
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
        Ok(ReceivedHello { context: self.context, verifier: self.verifier, verifier_key, request, hello, version })
    }
}

impl ReceivedHello {
    /// What is asked.
    #[must_use]
    pub fn request(&self) -> &Request {
        &self.request
    }

    /// Decides, by what the house says. Unsigned requests are admitted where no policy is in force, and nowhere else (SPEC HSK-4, AUT-1).
    ///
    /// # Errors
    /// [`Error::Refuse`], [`Error::Incompatible`]: [`Error::to_refusal`] is what to answer.
    pub fn decide<R: CryptoRng + ?Sized>(self, house: House<'_>, rng: &mut R) -> Result<PendingAdmission, Error> {
        let refuse = |code, detail: &str| Err(Error::Refuse(Refusal::new(code, detail)));
        let Self { context, verifier, verifier_key, request, hello, version } = self;
        let Some(offer) = house.offer else {
            return refuse(RefusalCode::NotSealed, "the holder has no sealed set for this verifier");
        };
        let set = &offer.descriptor;
        if *request.ruleset_digest() != set.ruleset_digest || request.tokens_per_pair() != set.tokens_per_pair {
            let (ours, theirs) = (to_hex(&set.ruleset_digest), to_hex(request.ruleset_digest()));
            return Err(Incompatibility::Ruleset { ours, theirs }.into());
        }
        let authority = match house.policy {
            None if request.pairs() > context.pilot_pairs_max => {
                let detail =
                    format!("{} pairs are asked unsigned, the holder's pilot mode allows {}", request.pairs(), context.pilot_pairs_max);
                return refuse(RefusalCode::PairsOverCap, &detail);
            }
            None => None,
            Some(policy) => {
                let authorised = authorise(&Facts {
                    policy,
                    holder: &context.fingerprint,
                    verifier: &verifier,
                    request: &request,
                    rulesets: house.rulesets,
                    signatures: &hello.signatures,
                    countersignatures: &house.countersignatures,
                    set_as_of: set.as_of,
                    now_unix_ms: house.now_unix_ms,
                })
                .map_err(|denial| {
                    let reason = format!("{}: {denial}", denial.code_word());
                    Error::Refuse(Refusal::new(RefusalCode::NotAuthorised, NOT_AUTHORISED).because(reason))
                })?;
                Some(AuthorityEntry {
                    policy_digest: *authorised.policy_digest(),
                    signatures: hello.signatures.clone(),
                    countersignatures: house.countersignatures,
                    signers: authorised.signers().to_vec(),
                    disclosure: authorised.disclosure(),
                    caps: *authorised.caps(),
                })
            }
        };
        let epoch_evaluations_max = house.policy.map_or(context.epoch_evaluations_max, |policy| policy.epoch().evaluations_max);
        if request.tokens() > set.session_tokens_max {
            return Err(Incompatibility::TokensOverCap { tokens: request.tokens(), max: set.session_tokens_max }.into());
        }
        let mut holder_nonce = [0; 32];
        rng.fill_bytes(&mut holder_nonce);
        let request_digest = request.digest();
        let entry = SessionEntry {
            session_id: session_id(&verifier, &context.fingerprint, &hello.nonce, &holder_nonce, &request_digest),
            request_id: *request.id(),
            request_digest,
            request: request.bytes().to_vec(),
            epoch_id: set.epoch_id,
            set_id: offer.set_id,
            verifier,
            verifier_certificate: hello.certificate,
            offered: offered(&hello.versions, &hello.suites),
            verifier_nonce: hello.nonce,
            holder_nonce,
            pairs: request.pairs(),
            tokens: request.tokens(),
            batches: request.batches(),
            epoch_evaluations_max,
            authority,
            clock_unix_ms: house.now_unix_ms,
        };
        Ok(PendingAdmission { context, verifier_key, request, hello, version, offer, entry })
    }
}

impl PendingAdmission {
    /// The request's identifier, which counts within its verifier: one connection at a time may serve it.
    #[must_use]
    pub fn request_id(&self) -> &[u8; 16] {
        self.request.id()
    }

    /// Reserves the evaluations at `clock_unix_ms`, or finds the session that this Hello resumes; only then is there a session, and a Welcome
    /// to send. It carries the ledger's head, and the proof that it continues the one that the verifier knows (SPEC HSK-8).
    ///
    /// # Errors
    /// [`Error::Ledger`]; [`Error::Refuse`] with ledger_diverged where the ledger does not continue what the verifier knows.
    pub fn commit<L: Ledger + ?Sized>(mut self, ledger: &mut L, clock_unix_ms: u64) -> Result<(HolderSession, Frame), Error> {
        self.entry.clock_unix_ms = clock_unix_ms;
        let known = LogHead { size: self.hello.head_size, root: self.hello.head_root };
        if known.size > 0 && ledger.root_at(known.size)? != Some(known.root) {
            // No number of the peer's choice: the ledger keeps a row for each reason.
            let reason = "the verifier knows a ledger of which this one is no continuation";
            return Err(Error::Refuse(
                Refusal::new(RefusalCode::LedgerDiverged, "the holder's ledger is not the one that this verifier knows").because(reason),
            ));
        }
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
            authority: self.entry.authority.as_ref().map_or(Authority::Unsigned, |entry| Authority::Signed(entry.policy_digest)),
        };
        let told = (|| {
            let head = ledger.head()?;
            let signed = SignedHead::sign(&self.context.statement_key, &self.context.fingerprint, head, clock_unix_ms);
            ledger.keep_head(&signed)?;
            Ok((head, signed, ledger.consistency(known.size, head.size)?))
        })();
        let (head, signed, consistency) = told.inspect_err(|_: &LedgerError| {
            // Nobody will serve this session, or end it: what it reserved is free again, if the ledger writes that.
            let _ = ledger.suspend(&facts.session_id(), &[], clock_unix_ms);
        })?;
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
            authority: match facts.authority {
                Authority::Unsigned => 0,
                Authority::Signed(_) => 1,
            },
            resend: batches.iter().filter(|(_, batch)| batch.evaluated.is_none()).map(|(index, _)| *index).take(RESEND_MAX).collect(),
            policy: match facts.authority {
                Authority::Unsigned => [0; 32],
                Authority::Signed(policy) => policy,
            },
            head_size: head.size,
            head_root: head.root,
            head_unix_ms: signed.unix_ms,
            head_signature: signed.signature,
            consistency,
        };
        let frame = welcome.to_frame()?;
        Ok((HolderSession::admitted(self.context, self.verifier_key, self.request, facts, batches, receipt, head), frame))
    }
}
