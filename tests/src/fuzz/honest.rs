//! One whole session of the two parties, made once: its frames, states and ledgers, for targets to send, cut and change.

use std::path::Path;
use std::sync::OnceLock;

use oblink_session::authority::BuiltInRulesets;
use oblink_session::epoch::EpochKeys;
use oblink_session::error::Error;
use oblink_session::head::LogHead;
use oblink_session::holder::{Charged, EvaluatedBatch, HolderHandshake, HolderSession, House};
use oblink_session::ledger::Ledger;
use oblink_session::question::Question;
use oblink_session::receipt::Receipt;
use oblink_session::set::SetOffer;
use oblink_session::verifier::{CheckedSet, UnverifiedBatch, VerifiedBatch, VerifierHandshake};
use oblink_session::wire::Frame;
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::parties::{NOW, Parties};

/// A set that counts as checked: the targets of sessions are not about sets.
pub(super) struct Checked(pub(super) SetOffer);

impl CheckedSet for Checked {
    fn offer(&self) -> &SetOffer {
        &self.0
    }
}

/// What was said and kept.
pub(super) struct Honest {
    /// The handshake, saved before it was sent.
    pub(super) handshake: Vec<u8>,
    pub(super) hello: Frame,
    pub(super) welcome: Frame,
    pub(super) batches: Vec<Frame>,
    pub(super) answers: Vec<Frame>,
    pub(super) complete: Frame,
    pub(super) receipt_frame: Frame,
    pub(super) acknowledge: Frame,
    pub(super) closed: Frame,
    pub(super) receipt: Receipt,
    /// States in the middle and at the end: the holder's, the verifier's.
    pub(super) holder_states: [Vec<u8>; 2],
    pub(super) verifier_states: [Vec<u8>; 2],
    /// The ledger's file before the session and after it.
    pub(super) ledger_before: Vec<u8>,
    pub(super) ledger_after: Vec<u8>,
    /// What an auditor of the verifier's is given of the latter.
    pub(super) extract: Vec<u8>,
}

/// A directory for a ledger's file: in memory where the system has such a place.
pub(super) fn directory() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}

impl Honest {
    /// The session of the unsigned request, or of the signed one.
    pub(super) fn get(signed: bool) -> &'static Self {
        static SESSIONS: [OnceLock<Honest>; 2] = [OnceLock::new(), OnceLock::new()];
        SESSIONS[usize::from(signed)].get_or_init(|| Self::make(signed))
    }

    fn make(signed: bool) -> Self {
        let parties = Parties::get();
        let asked = parties.asked(signed);
        let directory = directory();
        let path = directory.path().join("ledger.sqlite");
        drop(parties.ledger(&path, signed));
        let ledger_before = std::fs::read(&path).unwrap();
        let mut ledger = oblink_store::ledger::SqliteLedger::open(&path).unwrap();
        let mut rng = StdRng::seed_from_u64(1);

        let handshake = handshake(asked.question(), &mut rng);
        let saved = handshake.save().unwrap();
        let hello = handshake.hello(NOW).unwrap();
        let (mut holder, welcome) = admit(&hello, &mut ledger, signed, NOW, &mut rng).unwrap();
        let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
        let (mut batches, mut answers, mut states) = (Vec::new(), Vec::new(), None);
        while let Some(plan) = verifier.next_batch() {
            let blinded = parties.blind(plan);
            batches.push(verifier.submit(&blinded).unwrap());
            let charged = holder.receive_batch(batches.last().unwrap(), NOW).unwrap().commit(&mut ledger).unwrap();
            answers.push(holder.answer(evaluate(&parties.keys, charged, &mut rng).unwrap()).unwrap());
            let verified = check(verifier.receive_evaluated(answers.last().unwrap(), blinded).unwrap()).unwrap();
            verifier.accept(&verified).unwrap();
            states.get_or_insert_with(|| (holder.save().unwrap(), verifier.save().unwrap()));
        }
        let (awaiting, complete) = verifier.complete(&Checked(parties.offer.clone())).unwrap();
        let awaiting_state = awaiting.save().unwrap();
        let completed = holder.receive_complete(&complete, &mut ledger, NOW).unwrap().commit(&mut ledger).unwrap();
        let receipt_frame = holder.completed(completed).unwrap();
        let holder_state = holder.save().unwrap();
        let (finished, acknowledge) = awaiting.receive_receipt(&receipt_frame, NOW).unwrap();
        let (receipt, closed) = holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut ledger).unwrap();
        finished.receive_closed(&closed).unwrap();
        let mut extract = Vec::new();
        let certificate = parties.holder.statement_key.certificate();
        let head =
            oblink_session::head::SignedHead::sign(&parties.holder.statement_key, &parties.holder.fingerprint, ledger.head().unwrap(), NOW);
        ledger.extract(&parties.verifier.fingerprint, &parties.holder.fingerprint, &head, certificate, &mut extract).unwrap();
        drop(ledger);
        let (middle_holder, middle_verifier) = states.unwrap();
        Self {
            handshake: saved,
            hello,
            welcome,
            batches,
            answers,
            complete,
            receipt_frame,
            acknowledge,
            closed,
            receipt,
            holder_states: [middle_holder, holder_state],
            verifier_states: [middle_verifier, awaiting_state],
            ledger_before,
            ledger_after: std::fs::read(&path).unwrap(),
            extract,
        }
    }

    /// The verifier's side of the handshake, as it was when it said Hello.
    pub(super) fn handshake(&self, question: Question) -> VerifierHandshake {
        let parties = Parties::get();
        VerifierHandshake::restore(parties.verifier.clone(), parties.holder.fingerprint, question, LogHead::NONE, &self.handshake).unwrap()
    }
}

fn handshake(question: Question, rng: &mut StdRng) -> VerifierHandshake {
    let parties = Parties::get();
    VerifierHandshake::new(parties.verifier.clone(), parties.holder.fingerprint, question, LogHead::NONE, rng)
}

/// What the holder says to a Hello at a time: its house goes by the policy where there is one, and has the countersignatures of the request
/// that the two parties know.
pub(super) fn admit<L: Ledger>(
    hello: &Frame,
    ledger: &mut L,
    with_policy: bool,
    now_unix_ms: u64,
    rng: &mut StdRng,
) -> Result<(HolderSession, Frame), Error> {
    let parties = Parties::get();
    let received = HolderHandshake::new(parties.holder.clone(), parties.verifier.fingerprint).receive_hello(hello, now_unix_ms)?;
    let known = *received.request() == parties.signed.request;
    let house = House {
        policy: with_policy.then_some(&parties.policy),
        countersignatures: if known { parties.signed.countersignatures.clone() } else { Vec::new() },
        rulesets: &BuiltInRulesets,
        offer: Some(parties.offer.clone()),
        now_unix_ms,
    };
    received.decide(house, rng)?.commit(ledger, now_unix_ms)
}

/// Evaluates and proves a charged batch.
pub(super) fn evaluate(keys: &EpochKeys, charged: Charged, rng: &mut StdRng) -> Result<EvaluatedBatch, Error> {
    let middle = charged.len() / 2;
    let mut slices = vec![charged.evaluate_slice(keys, middle..charged.len())?];
    if middle > 0 {
        slices.push(charged.evaluate_slice(keys, 0..middle)?);
    }
    charged.prove(keys, slices, rng)
}

/// Checks an answer.
pub(super) fn check(unverified: UnverifiedBatch) -> Result<VerifiedBatch, Error> {
    let all = unverified.check_slice(0..unverified.len())?;
    unverified.verify(vec![all])
}

/// The tags of a batch.
pub(super) fn tags_of(batch: &VerifiedBatch) -> Vec<oblink_session::tag::Tag> {
    let parties = Parties::get();
    let first = usize::try_from(batch.first_token()).unwrap();
    let ranges: Vec<_> = batch.slices().collect();
    let mut tags = Vec::new();
    for (slice, range) in ranges.into_iter().enumerate() {
        let tokens: Vec<&[u8]> = parties.tokens[first + range.start..first + range.end].iter().map(Vec::as_slice).collect();
        tags.extend(batch.tags(slice, &tokens).unwrap());
    }
    tags
}
