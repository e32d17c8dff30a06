//! What must hold, whatever goes wrong: results equal the plaintext join or are absent, each batch is charged once and before its answer leaves,
//! what was charged stays charged, honest parties blame nobody, the ledger verifies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use oblink_oprf::BATCH_PROOF_LEN;
use oblink_session::error::{Refusal, RefusalCode};
use oblink_session::holder::HolderSession;
use oblink_session::ledger::{ChargeEntry, ChargeOutcome};
use oblink_session::request::Request;
use oblink_session::wire::Frame;
use sha2::{Digest, Sha256};

use super::plan::{Operation, Plan};

/// A batch of a session.
type Batch = ([u8; 16], u64);

/// The charges that the ledger said are durable.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charges {
    known: BTreeMap<Batch, ([u8; 32], u32)>,
    /// What went wrong with them, to be reported.
    wrong: Vec<String>,
    repeats: u64,
}

impl Charges {
    /// The ledger has charged a batch, and says that this is durable.
    pub(crate) fn charged(&mut self, entry: &ChargeEntry, outcome: ChargeOutcome) {
        let before = self.known.insert((entry.session_id, entry.index), (entry.blinded_digest, entry.tokens));
        match (outcome, before) {
            (ChargeOutcome::New, Some(_)) => self.wrong.push(format!("batch {} was charged twice", entry.index)),
            (ChargeOutcome::Same, None) => self.wrong.push(format!("batch {} was free though never charged", entry.index)),
            (ChargeOutcome::Same, Some(before)) if before != (entry.blinded_digest, entry.tokens) => {
                self.wrong.push(format!("another batch {} was free", entry.index));
            }
            (ChargeOutcome::Same, Some(_)) => self.repeats += 1,
            (ChargeOutcome::New, None) => {}
        }
    }

    fn has(&self, batch: &Batch) -> bool {
        self.known.contains_key(batch)
    }

    /// Reads the ledger's own rows: what was charged must be there.
    pub(crate) fn reread(&mut self, path: &Path) {
        let read = || -> Result<BTreeMap<Batch, ([u8; 32], u32)>, rusqlite::Error> {
            let connection = rusqlite::Connection::open(path)?;
            connection
                .prepare("SELECT s.session_id, c.batch, c.blinded_digest, c.tokens FROM charges c JOIN sessions s USING (session)")?
                .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), (row.get(2)?, row.get(3)?))))?
                .collect()
        };
        match read() {
            Err(error) => self.wrong.push(format!("the ledger's charges cannot be read: {error}")),
            Ok(there) => {
                for (batch, charge) in &self.known {
                    if there.get(batch) != Some(charge) {
                        self.wrong.push(format!("the charge of batch {} was durable, and is lost", batch.1));
                    }
                }
                self.known = there;
            }
        }
    }

    /// How many tokens are charged in a session, and in how many batches.
    pub(crate) fn of_session(&self, session: &[u8; 16]) -> (u64, u64) {
        let of = self.known.iter().filter(|((id, _), _)| id == session);
        of.fold((0, 0), |(tokens, batches), (_, charge)| (tokens + u64::from(charge.1), batches + 1))
    }

    /// Tokens in all.
    pub(crate) fn tokens(&self) -> u64 {
        self.known.values().map(|(_, tokens)| u64::from(*tokens)).sum()
    }

    /// Batches that were free because they had been charged.
    pub(crate) fn repeats(&self) -> u64 {
        self.repeats
    }

    /// What went wrong with them.
    pub(crate) fn take_wrong(&mut self) -> Vec<String> {
        std::mem::take(&mut self.wrong)
    }
}

/// See above.
#[derive(Debug)]
pub(crate) struct Oracle {
    plan: Rc<Plan>,
    violations: Vec<String>,
    /// Of each request the sessions that were opened for it.
    sessions: BTreeMap<[u8; 16], BTreeSet<[u8; 16]>>,
    /// Requests whose receipt is in the ledger.
    completed: BTreeSet<[u8; 16]>,
    answers: BTreeMap<Batch, [u8; 32]>,
    /// Of each check its results, and the request that they are of.
    results: BTreeMap<usize, (Vec<u8>, [u8; 16])>,
    closed: BTreeSet<usize>,
}

/// A results file: a line a pair.
pub(crate) fn results_of(matched: &[bool]) -> Vec<u8> {
    matched
        .iter()
        .enumerate()
        .flat_map(|(row, matched)| format!("{row},{}\n", if *matched { "match" } else { "no_match" }).into_bytes())
        .collect()
}

impl Oracle {
    pub(crate) fn new(plan: Rc<Plan>) -> Self {
        Self {
            plan,
            violations: Vec::new(),
            sessions: BTreeMap::new(),
            completed: BTreeSet::new(),
            answers: BTreeMap::new(),
            results: BTreeMap::new(),
            closed: BTreeSet::new(),
        }
    }

    /// Something that must never be.
    pub(crate) fn violation(&mut self, what: String) {
        if self.violations.len() < 20 {
            self.violations.push(what);
        }
    }

    /// All that was found.
    pub(crate) fn violations(&self) -> &[String] {
        &self.violations
    }

    /// The holder has opened a session, or resumed one.
    pub(crate) fn admitted(&mut self, session: &HolderSession) {
        let of = self.sessions.entry(*session.request().id()).or_default();
        of.insert(*session.session_id());
        if of.len() > 1 {
            self.violation("one request has two sessions".to_owned());
        }
    }

    /// An answer leaves.
    pub(crate) fn answered(&mut self, session: &[u8; 16], frame: &Frame, charges: &Charges) {
        let Some(index) = frame.body.first_chunk::<8>().map(|index| u64::from_be_bytes(*index)) else { return };
        let batch = (*session, index);
        if !charges.has(&batch) {
            self.violation(format!("batch {index} was answered before its charge was durable"));
        }
        // The proofs may differ.
        let elements: [u8; 32] = Sha256::digest(&frame.body[..frame.body.len().saturating_sub(BATCH_PROOF_LEN)]).into();
        if *self.answers.entry(batch).or_insert(elements) != elements {
            self.violation(format!("batch {index} was answered in two ways"));
        }
    }

    /// The receipt of a request is in the ledger.
    pub(crate) fn completed(&mut self, request: &Request) {
        self.completed.insert(*request.id());
    }

    /// The holder refuses an honest verifier.
    pub(crate) fn refuses(&mut self, refusal: &Refusal) {
        if !self.is_due(refusal.code) {
            let reason = refusal.reason.as_deref().unwrap_or("");
            self.violation(format!("the holder refuses an honest verifier: {refusal} {reason}"));
        }
    }

    /// Whether something in the plan makes this refusal right.
    pub(crate) fn is_due(&self, code: RefusalCode) -> bool {
        let operation = |is: fn(&Operation) -> bool| self.plan.operations.iter().any(|(_, operation)| is(operation));
        match code {
            RefusalCode::Busy | RefusalCode::Internal | RefusalCode::ShuttingDown => self.plan.faults > 0 || code == RefusalCode::Busy,
            RefusalCode::EpochEnded => operation(|operation| matches!(operation, Operation::NewEpoch(_))),
            RefusalCode::Suspended => operation(|operation| matches!(operation, Operation::Suspend(_))),
            RefusalCode::BudgetExhausted => self.plan.evaluations_max < 1 << 20,
            _ => false,
        }
    }

    /// A party finds its own files damaged, on a disk that keeps what was synced.
    pub(crate) fn damaged(&mut self, who: &str, why: &str) {
        self.violation(format!("the {who} finds its own files damaged: {why}"));
    }

    /// A verifier is about to write its results.
    pub(crate) fn writes_results(&mut self, check: usize, request: &Request, bytes: &[u8]) {
        if !self.completed.contains(request.id()) {
            self.violation(format!("check {check} writes results before there is a receipt"));
        }
        if bytes != results_of(&self.plan.expected(check)) {
            self.violation(format!("the results of check {check} are not the plaintext join"));
        }
        if self.results.insert(check, (bytes.to_vec(), *request.id())).is_some_and(|before| before.0 != bytes) {
            self.violation(format!("check {check} writes other results than before"));
        }
    }

    /// A verifier has heard that the holder has its signature.
    pub(crate) fn closed(&mut self, check: usize) {
        self.closed.insert(check);
    }

    /// Whether it has.
    pub(crate) fn heard_closed(&self, check: usize) -> bool {
        self.closed.contains(&check)
    }

    /// Whether a check has written results.
    pub(crate) fn has_results(&self, check: usize) -> bool {
        self.results.contains_key(&check)
    }

    /// Whether a check's results are of this request.
    pub(crate) fn has_results_of(&self, check: usize, request: &Request) -> bool {
        self.results.get(&check).is_some_and(|(_, id)| id == request.id())
    }

    /// The session of a request, if it was ever admitted.
    pub(crate) fn session_of(&self, request: &Request) -> Option<[u8; 16]> {
        self.sessions.get(request.id()).and_then(|sessions| sessions.first()).copied()
    }
}
