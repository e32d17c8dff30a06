//! Both roles in one process over frames: no IO, a clock that stands still, a ledger in memory. What the tests of the states share.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary uses its part; tests may panic"
)]

pub mod ledger;
pub mod officials;

pub use ledger::MemoryLedger;

use oblink_session::authority::{BuiltInRulesets, Policy};
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::error::Error;
use oblink_session::head::LogHead;
use oblink_session::holder::{EvaluatedBatch, HolderContext, HolderHandshake, HolderSession, House, PendingAdmission};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::question::Question;
use oblink_session::receipt::Receipt;
use oblink_session::request::Request;
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_session::tag::{Tag, TagPrefix, Tau};
use oblink_session::verifier::{
    BatchPlan, BlindedBatch, CheckedSet, Finished, VerifiedBatch, VerifierContext, VerifierHandshake, VerifierSession,
};
use oblink_session::wire::Frame;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The time, for both.
pub const NOW: u64 = 1_800_000_000_000;
/// The ruleset's digest in unsigned sessions.
pub const RULESET: [u8; 32] = [0x5a; 32];

/// A sealed set that counts as checked: these tests are about the states, the store's are about sets.
pub struct Checked(pub SetOffer);

impl CheckedSet for Checked {
    fn offer(&self) -> &SetOffer {
        &self.0
    }
}

/// Two parties and a request of `pairs` pairs, T tokens each, in batches of `batch_tokens`.
pub struct Pair {
    pub holder: Arc<HolderContext>,
    pub verifier: Arc<VerifierContext>,
    pub keys: EpochKeys,
    pub offer: SetOffer,
    pub ledger: MemoryLedger,
    pub request: Request,
    pub tokens: Vec<Vec<u8>>,
    pub seed: BlindSeed,
    pub rng: StdRng,
    /// The policy that the holder's house hands in.
    pub policy: Option<Policy>,
    /// What the verifier brings, where the request is authorised.
    pub signatures: Vec<Vec<u8>>,
    pub digests: Vec<[u8; 32]>,
    /// What the holder's officials gave.
    pub countersignatures: Vec<Vec<u8>>,
    /// The head that the verifier presents.
    pub known: LogHead,
}

fn statement_key(seed: u8) -> (StatementKey, [u8; 32]) {
    let key = StatementKey::certify(&[seed; 32], &[seed + 1; 32], NOW);
    let fingerprint = fingerprint_of(key.certificate()[..32].try_into().unwrap());
    (key, fingerprint)
}

impl Pair {
    pub fn new(pairs: u64, tokens_per_pair: u16, batch_tokens: u32) -> Self {
        Self::under(Request::new([7; 16], pairs, batch_tokens, "us-exact-1", RULESET, tokens_per_pair).unwrap())
    }

    /// Both parties for an unsigned request.
    pub fn under(request: Request) -> Self {
        let ((holder_key, holder), (verifier_key, verifier)) = (statement_key(10), statement_key(20));
        let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([3; 32])), [4; 16]).unwrap();
        let descriptor = SetDescriptor {
            suite: SUITE_RISTRETTO255,
            tau: Tau::for_counts(1_000, 1 << 24).unwrap(),
            tokens_per_pair: request.tokens_per_pair(),
            as_of: 20_261_122,
            session_tokens_max: 1 << 24,
            declared_tags: 1_000,
            tags: 1_000,
            epoch_id: [4; 16],
            ruleset_digest: *request.ruleset_digest(),
            public_key: keys.public_key(),
        };
        Self {
            holder: Arc::new(HolderContext {
                fingerprint: holder,
                statement_key: holder_key,
                pilot_pairs_max: 1_000,
                epoch_evaluations_max: EPOCH_EVALUATIONS_MAX,
            }),
            verifier: Arc::new(VerifierContext { fingerprint: verifier, statement_key: verifier_key }),
            keys,
            offer: SetOffer { descriptor, set_id: [8; 32], set_bytes: 9_000 },
            ledger: MemoryLedger::default(),
            tokens: (0..request.tokens()).map(|i| format!("token {i}").into_bytes()).collect(),
            request,
            seed: BlindSeed::from_bytes(Zeroizing::new([5; 32])),
            rng: StdRng::seed_from_u64(1),
            policy: None,
            signatures: Vec::new(),
            digests: Vec::new(),
            countersignatures: Vec::new(),
            known: LogHead::NONE,
        }
    }

    /// What the verifier brings.
    pub fn question(&self) -> Question {
        match self.request.manifest() {
            None => Question::unsigned(self.request.clone()).unwrap(),
            Some(_) => Question::authorised(self.request.clone(), self.signatures.clone(), self.digests.clone()).unwrap(),
        }
    }

    pub fn handshake(&mut self) -> VerifierHandshake {
        VerifierHandshake::new(self.verifier.clone(), self.holder.fingerprint, self.question(), self.known, &mut self.rng)
    }

    /// What the holder decides of a Hello, before it asks its ledger.
    pub fn decide(&mut self, hello: &Frame) -> Result<PendingAdmission, Error> {
        let house = House {
            policy: self.policy.as_ref(),
            countersignatures: self.countersignatures.clone(),
            rulesets: &BuiltInRulesets,
            offer: Some(self.offer.clone()),
            now_unix_ms: NOW,
        };
        HolderHandshake::new(self.holder.clone(), self.verifier.fingerprint).receive_hello(hello, NOW)?.decide(house, &mut self.rng)
    }

    /// The holder's answer to a Hello.
    pub fn admit(&mut self, hello: &Frame) -> Result<(HolderSession, Frame), Error> {
        self.decide(hello)?.commit(&mut self.ledger, NOW)
    }

    pub fn open(&mut self) -> (HolderSession, VerifierSession) {
        let handshake = self.handshake();
        let (holder, welcome) = self.admit(&handshake.hello(NOW).unwrap()).unwrap();
        (holder, handshake.receive_welcome(&welcome, NOW).unwrap())
    }

    /// The next batch, blinded in slices of 3.
    pub fn blind(&self, verifier: &mut VerifierSession) -> Option<BlindedBatch> {
        Some(self.blind_plan(verifier.next_batch()?))
    }

    pub fn blind_plan(&self, plan: BatchPlan) -> BlindedBatch {
        let blinder = Blinder::new(&self.seed, *self.request.id());
        let first = plan.first_token() as usize;
        let tokens: Vec<&[u8]> = self.tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
        let ranges: Vec<_> = (0..plan.len()).step_by(3).map(|start| start..plan.len().min(start + 3)).collect();
        // Back to front: slices may come in any order.
        let slices = ranges.into_iter().rev().map(|range| plan.blind_slice(&blinder, range.clone(), &tokens[range]).unwrap()).collect();
        plan.assemble(slices).unwrap()
    }

    /// Charges and evaluates a Batch frame, in slices of 4.
    pub fn evaluate(&mut self, holder: &mut HolderSession, batch: &Frame) -> Result<EvaluatedBatch, Error> {
        let charged = holder.receive_batch(batch, NOW)?.commit(&mut self.ledger)?;
        let ranges = (0..charged.len()).step_by(4).map(|start| start..charged.len().min(start + 4));
        let slices = ranges.rev().map(|range| charged.evaluate_slice(&self.keys, range)).collect::<Result<_, _>>()?;
        charged.prove(&self.keys, slices, &mut self.rng)
    }

    pub fn answer(&mut self, holder: &mut HolderSession, batch: &Frame) -> Result<Frame, Error> {
        let evaluated = self.evaluate(holder, batch)?;
        holder.answer(evaluated)
    }

    /// Verifies an answer, in slices of 5.
    pub fn verify(verifier: &VerifierSession, answer: &Frame, blinded: BlindedBatch) -> Result<VerifiedBatch, Error> {
        let unverified = verifier.receive_evaluated(answer, blinded)?;
        let ranges = (0..unverified.len()).step_by(5).map(|start| start..unverified.len().min(start + 5));
        let checks = ranges.map(|range| unverified.check_slice(range)).collect::<Result<_, _>>()?;
        unverified.verify(checks)
    }

    pub fn tags(&self, batch: &VerifiedBatch) -> Vec<Tag> {
        let first = batch.first_token() as usize;
        let ranges: Vec<_> = batch.slices().collect();
        let mut tags = Vec::new();
        for (slice, range) in ranges.into_iter().enumerate() {
            let tokens: Vec<&[u8]> = self.tokens[first + range.start..first + range.end].iter().map(Vec::as_slice).collect();
            tags.extend(batch.tags(slice, &tokens).unwrap());
        }
        tags
    }

    /// All batches that are left, to the end.
    pub fn run_batches(&mut self, holder: &mut HolderSession, verifier: &mut VerifierSession) -> Vec<Tag> {
        let mut tags = Vec::new();
        while let Some(blinded) = self.blind(verifier) {
            let answer = self.answer(holder, &verifier.submit(&blinded).unwrap()).unwrap();
            let verified = Self::verify(verifier, &answer, blinded).unwrap();
            tags.extend(self.tags(&verified));
            verifier.accept(&verified).unwrap();
        }
        tags
    }

    /// Complete, receipt, acknowledge, closed: the receipt that the holder keeps, and what the verifier has.
    pub fn finish(&mut self, holder: &mut HolderSession, verifier: VerifierSession) -> (Receipt, Finished) {
        let set = Checked(verifier.offer().clone());
        let (awaiting, complete) = verifier.complete(&set).unwrap();
        let completed = holder.receive_complete(&complete, &mut self.ledger, NOW).unwrap().commit(&mut self.ledger).unwrap();
        let receipt = holder.completed(completed).unwrap();
        let (finished, acknowledge) = awaiting.receive_receipt(&receipt, NOW).unwrap();
        let (kept, closed) = holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut self.ledger).unwrap();
        finished.receive_closed(&closed).unwrap();
        (kept, finished)
    }

    /// What the holder itself would give for the tokens.
    pub fn expected_tags(&self) -> Vec<Tag> {
        let tokens: Vec<&[u8]> = self.tokens.iter().map(Vec::as_slice).collect();
        let mut prefixes = vec![TagPrefix(0); tokens.len()];
        self.keys.tag_prefixes(&tokens, &mut prefixes).unwrap();
        prefixes.into_iter().map(|prefix| self.offer.descriptor.tau.truncate(prefix)).collect()
    }
}
