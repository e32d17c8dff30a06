//! What a seed makes of a run: lists, sizes, who asks when, what goes wrong and how often.

use std::collections::BTreeSet;

use oblink_linkage::Ruleset;
use oblink_session::blind::{BlindSeed, Blinder};
use oblink_session::commitment::{blind_seed_digest, blinded_leaf};
use oblink_session::merkle::Tree;
use oblink_session::request::{Disclosure, Manifest, Request};
use oblink_session::verifier::BatchPlan;
use zeroize::Zeroizing;

use super::book::BookRates;
use super::chance::Chance;
use super::disk::DiskRates;
use super::parties::{self, POOL, START, token};

const HOUR: u64 = 3_600_000;

/// What the holder's operator does in the middle of it all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Seals for a verifier under a new key: its epoch ends.
    NewEpoch(usize),
    /// Suspends a verifier, and lifts it again a while later (pilot mode).
    Suspend(usize),
    /// Lifts it.
    Resume(usize),
}

/// A list to be checked.
#[derive(Debug)]
pub(crate) struct CheckPlan {
    pub(crate) verifier: usize,
    /// For each pair its tokens, as numbers of the pool.
    pub(crate) pairs: Vec<Vec<u16>>,
    pub(crate) batch_tokens: u32,
    pub(crate) signed: bool,
    /// When the operator starts it.
    pub(crate) starts: u64,
    /// A second operator starts the same command beside it.
    pub(crate) twice: bool,
}

/// A run.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// Records of the holder's, as numbers of the pool.
    pub(crate) records: BTreeSet<u16>,
    pub(crate) verifiers: usize,
    pub(crate) tokens_per_pair: u16,
    pub(crate) ruleset: [u8; 32],
    pub(crate) signed: bool,
    pub(crate) checks: Vec<CheckPlan>,
    /// Evaluations that an epoch allows; few where two requests race for the last of them.
    pub(crate) evaluations_max: u64,
    pub(crate) operations: Vec<(u64, Operation)>,
    /// Most faults of the run.
    pub(crate) faults: u32,
    pub(crate) disk: DiskRates,
    pub(crate) book: BookRates,
    /// In a million, for each event: the holder is killed, a verifier is, a line is cut, a frame is brought twice.
    pub(crate) kills_holder: u64,
    pub(crate) kills_verifier: u64,
    pub(crate) cuts: u64,
    pub(crate) copies: u64,
    pub(crate) stalls: u64,
    /// Of deaths, how many in a million are the machine's: the power goes.
    pub(crate) power: u64,
    /// Most that a party's clock is off, milliseconds.
    pub(crate) skew: u64,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed, "plan");
        let signed = chance.one_in(5);
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let tokens_per_pair = if signed { ruleset.tokens_per_pair() } else { chance.between(1, 3) as u16 };
        let records: BTreeSet<u16> = (0..chance.between(5, 200)).map(|_| chance.index(POOL) as u16).collect();
        let verifiers = if chance.one_in(5) { 2 } else { 1 };
        let racing = chance.one_in(12);
        let count = if racing { 2 } else { verifiers + usize::from(chance.one_in(8)) };
        let checks: Vec<CheckPlan> = (0..count)
            .map(|number| {
                let spread = if chance.one_in(2) { 50 } else { 3_000 };
                // A batch costs more than a token: most runs have few of them, some have dozens.
                let (pairs, batch_tokens) = if chance.one_in(10) {
                    (chance.between(5, 60), chance.between(1, 16))
                } else {
                    let pairs = chance.between(1, 24);
                    (pairs, pairs.div_ceil(chance.between(1, 8)))
                };
                let pairs = (pairs / u64::from(tokens_per_pair)).max(1);
                CheckPlan {
                    verifier: if racing { 0 } else { number % verifiers },
                    pairs: (0..pairs).map(|_| (0..tokens_per_pair).map(|_| chance.index(POOL) as u16).collect()).collect(),
                    batch_tokens: batch_tokens.min(16) as u32,
                    signed,
                    starts: START + 1_000 + chance.below(spread),
                    twice: chance.one_in(25),
                }
            })
            .collect();
        let asked = |check: &CheckPlan| (check.pairs.len() * usize::from(tokens_per_pair)) as u64;
        let evaluations_max = if signed {
            parties::policy().epoch().evaluations_max
        } else if racing {
            let most = checks.iter().map(asked).max().unwrap_or(1);
            most + chance.below(checks.iter().map(asked).sum::<u64>() - most + 1)
        } else {
            1 << 20
        };
        let mut operations = Vec::new();
        if chance.one_in(10) {
            let (at, verifier) = (START + 1_000 + chance.below(4_000), chance.index(verifiers));
            if signed || chance.one_in(2) {
                operations.push((at, Operation::NewEpoch(verifier)));
            } else {
                operations.push((at, Operation::Suspend(verifier)));
                operations.push((at + chance.below(HOUR), Operation::Resume(verifier)));
            }
        }
        // Some runs have no faults, most have some kinds of them, a few have all.
        let calm = chance.one_in(20);
        let all = chance.one_in(8);
        let faults = if calm { 0 } else { chance.between(1, 14) as u32 };
        let mut rate = |most: u64| if calm || !(all || chance.one_in(2)) { 0 } else { 1 + chance.below(most) };
        Self {
            seed,
            records,
            verifiers,
            tokens_per_pair,
            ruleset: ruleset.digest(),
            signed,
            checks,
            evaluations_max,
            operations,
            faults,
            disk: DiskRates { full: rate(20_000), fails: rate(15_000), dies: rate(15_000) },
            book: BookRates { dies: rate(40_000), fails: rate(20_000) },
            kills_holder: rate(20_000),
            kills_verifier: rate(20_000),
            cuts: rate(20_000),
            copies: rate(150_000),
            stalls: rate(30_000),
            power: if chance.one_in(3) { 1_000_000 } else { chance.below(1_000_000) },
            // Two of them and a piece that is held up stay within what the protocol allows.
            skew: chance.below(80_000),
        }
    }

    /// The seed of a check's blinds, as its first run of number `run` would draw it.
    pub(crate) fn blind_seed(&self, check: usize, run: u32) -> BlindSeed {
        BlindSeed::from_bytes(Zeroizing::new(Chance::new(self.seed, &format!("blinds {check} {run}")).bytes()))
    }

    /// The tokens of a check, pair after pair.
    pub(crate) fn list(&self, check: usize) -> Vec<Vec<u8>> {
        self.checks[check].pairs.iter().flatten().map(|number| token(*number)).collect()
    }

    /// The request of a check, and for an authorised one the digests of its batches.
    pub(crate) fn request(&self, check: usize, run: u32) -> (Request, Vec<[u8; 32]>) {
        let plan = &self.checks[check];
        let id: [u8; 16] = Chance::new(self.seed, &format!("request {check} {run}")).bytes();
        let unsigned =
            Request::new(id, plan.pairs.len() as u64, plan.batch_tokens, "us-exact-1", self.ruleset, self.tokens_per_pair).unwrap();
        if !plan.signed {
            return (unsigned, Vec::new());
        }
        let (seed, list) = (self.blind_seed(check, run), self.list(check));
        let blinder = Blinder::new(&seed, id);
        let digests: Vec<[u8; 32]> = (0..unsigned.batches())
            .map(|index| {
                let batch = BatchPlan::rehearsed(&unsigned, index).unwrap();
                let first = batch.first_token() as usize;
                let tokens: Vec<&[u8]> = list[first..first + batch.len()].iter().map(Vec::as_slice).collect();
                let slice = batch.blind_slice(&blinder, 0..tokens.len(), &tokens).unwrap();
                *batch.assemble(vec![slice]).unwrap().blinded_digest()
            })
            .collect();
        let ruleset = Ruleset::by_name("us-exact-1").unwrap();
        let manifest = Manifest {
            addresses_per_person_max: 0,
            batch_tokens: plan.batch_tokens,
            blind_seed_digest: blind_seed_digest(&id, &seed),
            blinded_root: Tree::new(digests.iter().map(blinded_leaf).collect()).root(),
            class: ruleset.class().as_str().to_owned(),
            disclosure: Disclosure::None,
            fields: Default::default(),
            holder: parties::holder().1,
            holder_name: "Holder Agency".to_owned(),
            left_out: Default::default(),
            legal_basis: "Section 1".to_owned(),
            list_root: [3; 32],
            not_after_unix_ms: START + 20 * 24 * HOUR,
            not_before_unix_ms: START - 24 * HOUR,
            order_date_earliest: 0,
            order_date_latest: 0,
            pairs: plan.pairs.len() as u64,
            purpose: "To confirm addresses".to_owned(),
            request_id: id,
            required_columns: Default::default(),
            ruleset: "us-exact-1".to_owned(),
            ruleset_digest: self.ruleset,
            tokens_per_pair: self.tokens_per_pair,
            verifier: parties::verifier(plan.verifier).fingerprint,
            verifier_name: "Verifier Agency".to_owned(),
        };
        (Request::authorised(manifest).unwrap(), digests)
    }

    /// The plaintext join: for each pair whether the holder has one of its tokens.
    pub(crate) fn expected(&self, check: usize) -> Vec<bool> {
        self.checks[check].pairs.iter().map(|tokens| tokens.iter().any(|token| self.records.contains(token))).collect()
    }
}
