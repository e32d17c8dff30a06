//! Both roles in one process over frames: no IO, a clock that stands still, a ledger in memory. What the tests of the states share.
#![allow(
    dead_code,
    unreachable_pub,
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test binary uses its part; tests may panic"
)]

use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::error::Error;
use oblink_session::holder::{EvaluatedBatch, HolderContext, HolderHandshake, HolderSession};
use oblink_session::ledger::{
    ChargeEntry, ChargeOutcome, ChargedBatch, CompletionEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_session::receipt::Receipt;
use oblink_session::request::Request;
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_session::tag::{Tag, TagPrefix, Tau};
use oblink_session::verifier::{BlindedBatch, CheckedSet, VerifiedBatch, VerifierContext, VerifierHandshake, VerifierSession};
use oblink_session::wire::Frame;
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::Arc;
use zeroize::Zeroizing;

/// The time, for both.
pub const NOW: u64 = 1_800_000_000_000;
/// The ruleset's digest.
pub const RULESET: [u8; 32] = [0x5a; 32];

/// A ledger that keeps to the contract and forgets everything with the process.
#[derive(Default)]
pub struct MemoryLedger {
    pub sessions: BTreeMap<[u8; 16], Booked>,
    pub charged_tokens: u64,
}

pub struct Booked {
    pub entry: SessionEntry,
    pub charges: BTreeMap<u64, ChargedBatch>,
    pub receipt: Option<(Vec<u8>, [u8; 64])>,
    pub acknowledged: Option<[u8; 64]>,
}

impl MemoryLedger {
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
}

impl Ledger for MemoryLedger {
    fn open_session(&mut self, entry: &SessionEntry) -> Result<SessionOpening, LedgerError> {
        if let Some(booked) = self.sessions.get(&entry.request_id) {
            let same = |entry: &SessionEntry| {
                (entry.verifier, entry.verifier_nonce, entry.request_digest, entry.verifier_certificate, entry.offered.clone())
            };
            if same(&booked.entry) != same(entry) {
                return Err(LedgerError::RequestConflict);
            }
            let charged = booked.charges.values().cloned().collect();
            return Ok(SessionOpening::Resumed { holder_nonce: booked.entry.holder_nonce, charged, receipt: booked.receipt.clone() });
        }
        let left = entry.epoch_evaluations_max - self.charged_tokens;
        if entry.tokens > left {
            return Err(LedgerError::BudgetExhausted { asked: entry.tokens, left });
        }
        self.sessions
            .insert(entry.request_id, Booked { entry: entry.clone(), charges: BTreeMap::new(), receipt: None, acknowledged: None });
        Ok(SessionOpening::New)
    }

    fn charge(&mut self, entry: &ChargeEntry) -> Result<ChargeOutcome, LedgerError> {
        self.book_answers(&entry.session_id, &entry.answered)?;
        let booked = self.booked(&entry.session_id)?;
        if let Some(known) = booked.charges.get(&entry.index) {
            let same = known.blinded_digest == entry.blinded_digest;
            return if same { Ok(ChargeOutcome::Same) } else { Err(LedgerError::BatchConflict { index: entry.index }) };
        }
        booked
            .charges
            .insert(entry.index, ChargedBatch { index: entry.index, blinded_digest: entry.blinded_digest, evaluated_digest: None });
        self.charged_tokens += u64::from(entry.tokens);
        Ok(ChargeOutcome::New)
    }

    fn complete(&mut self, entry: &CompletionEntry) -> Result<(), LedgerError> {
        self.book_answers(&entry.session_id, &entry.answered)?;
        self.booked(&entry.session_id)?.receipt = Some((entry.receipt.clone(), entry.signature));
        Ok(())
    }

    fn acknowledge(&mut self, session_id: &[u8; 16], signature: &[u8; 64]) -> Result<(), LedgerError> {
        self.booked(session_id)?.acknowledged = Some(*signature);
        Ok(())
    }

    fn suspend(&mut self, session_id: &[u8; 16], answered: &[(u64, [u8; 32])], _: u64) -> Result<(), LedgerError> {
        self.book_answers(session_id, answered)
    }
}

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
}

fn statement_key(seed: u8) -> (StatementKey, [u8; 32]) {
    let key = StatementKey::certify(&[seed; 32], &[seed + 1; 32], NOW);
    let fingerprint = fingerprint_of(key.certificate()[..32].try_into().unwrap());
    (key, fingerprint)
}

impl Pair {
    pub fn new(pairs: u64, tokens_per_pair: u16, batch_tokens: u32) -> Self {
        let ((holder_key, holder), (verifier_key, verifier)) = (statement_key(10), statement_key(20));
        let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([3; 32])), [4; 16]).unwrap();
        let request = Request::new([7; 16], pairs, batch_tokens, "us-exact-1", RULESET, tokens_per_pair).unwrap();
        let descriptor = SetDescriptor {
            suite: SUITE_RISTRETTO255,
            tau: Tau::for_counts(1_000, 1 << 24).unwrap(),
            tokens_per_pair,
            as_of: 20_261_122,
            session_tokens_max: 1 << 24,
            declared_tags: 1_000,
            tags: 1_000,
            epoch_id: [4; 16],
            ruleset_digest: RULESET,
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
        }
    }

    pub fn handshake(&mut self) -> VerifierHandshake {
        VerifierHandshake::new(self.verifier.clone(), self.holder.fingerprint, self.request.clone(), &mut self.rng)
    }

    /// The holder's answer to a Hello.
    pub fn admit(&mut self, hello: &Frame) -> Result<(HolderSession, Frame), Error> {
        let offer = Some(self.offer.clone());
        HolderHandshake::new(self.holder.clone(), self.verifier.fingerprint)
            .receive_hello(hello, offer, NOW, &mut self.rng)?
            .commit(&mut self.ledger, NOW)
    }

    pub fn open(&mut self) -> (HolderSession, VerifierSession) {
        let handshake = self.handshake();
        let (holder, welcome) = self.admit(&handshake.hello(NOW).unwrap()).unwrap();
        (holder, handshake.receive_welcome(&welcome, NOW).unwrap())
    }

    /// The next batch, blinded in slices of 3.
    pub fn blind(&self, verifier: &mut VerifierSession) -> Option<BlindedBatch> {
        let plan = verifier.next_batch()?;
        let blinder = Blinder::new(&self.seed, *self.request.id());
        let first = plan.first_token() as usize;
        let tokens: Vec<&[u8]> = self.tokens[first..first + plan.len()].iter().map(Vec::as_slice).collect();
        let ranges: Vec<_> = (0..plan.len()).step_by(3).map(|start| start..plan.len().min(start + 3)).collect();
        // Back to front: slices may come in any order.
        let slices = ranges.into_iter().rev().map(|range| plan.blind_slice(&blinder, range.clone(), &tokens[range]).unwrap()).collect();
        Some(plan.assemble(slices).unwrap())
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
            let answer = self.answer(holder, &verifier.submit(&blinded)).unwrap();
            let verified = Self::verify(verifier, &answer, blinded).unwrap();
            tags.extend(self.tags(&verified));
            verifier.accept(&verified).unwrap();
        }
        tags
    }

    /// Complete, receipt, acknowledge, closed: the receipts that both sides keep.
    pub fn finish(&mut self, holder: &mut HolderSession, verifier: VerifierSession) -> (Receipt, Receipt) {
        let set = Checked(verifier.offer().clone());
        let (awaiting, complete) = verifier.complete(&set).unwrap();
        let completed = holder.receive_complete(&complete, NOW).unwrap().commit(&mut self.ledger).unwrap();
        let receipt = holder.completed(completed).unwrap();
        let (finished, acknowledge) = awaiting.receive_receipt(&receipt, NOW).unwrap();
        let (kept, closed) = holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut self.ledger).unwrap();
        finished.receive_closed(&closed).unwrap();
        (kept, finished.receipt().clone())
    }

    /// What the holder itself would give for the tokens.
    pub fn expected_tags(&self) -> Vec<Tag> {
        let tokens: Vec<&[u8]> = self.tokens.iter().map(Vec::as_slice).collect();
        let mut prefixes = vec![TagPrefix(0); tokens.len()];
        self.keys.tag_prefixes(&tokens, &mut prefixes).unwrap();
        prefixes.into_iter().map(|prefix| self.offer.descriptor.tau.truncate(prefix)).collect()
    }
}
