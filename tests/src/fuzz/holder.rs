//! A holder with a real ledger, whose verifier sends what it likes, over several lines at a time.

use std::collections::BTreeMap;
use std::path::PathBuf;

use oblink_session::disclosure::{DisclosureDue, ReceivingDisclosure, disclosure_frames};
use oblink_session::error::Error;
use oblink_session::holder::{Charged, HolderSession, PendingCharge};
use oblink_session::ledger::{Ledger, LedgerError};
use oblink_session::request::{Disclosure, Request};
use oblink_session::statement::{StatementKind, batch_statement_body};
use oblink_session::wire::raw::blinded_digest;
use oblink_session::wire::{Acknowledge, Batch, Complete, DisclosureMessage, Frame, FrameType, Hello, SetRequest};
use oblink_store::ledger::{ServeLock, SessionState, SqliteLedger};
use rand::SeedableRng;
use rand::rngs::StdRng;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::honest::{Honest, admit, directory, evaluate};
use super::input::Input;
use super::parties::{NOW, Parties, REQUEST};

/// A connection that said Hello, and what its session is in the middle of.
struct Line {
    session: HolderSession,
    pending: Vec<(PendingCharge, Frame)>,
    charged: Vec<(Charged, u64)>,
}

/// What must have been charged: by session and index, with its digest and its tokens.
type Charges = BTreeMap<([u8; 16], u64), ([u8; 32], u64)>;

struct World<'a> {
    parties: &'static Parties,
    honest: &'static Honest,
    with_policy: bool,
    input: Input<'a>,
    clock: u64,
    rng: StdRng,
    path: PathBuf,
    /// Goes before the directory does.
    ledger: Option<(SqliteLedger, ServeLock)>,
    _directory: TempDir,
    lines: Vec<Line>,
    charges: Charges,
    /// Answered batches of each session, with the digests of what was sent.
    answers: BTreeMap<([u8; 16], u64), [u8; 32]>,
}

/// The first byte says whether a policy is in force; each further one an act: a frame of any bytes, one of an honest session (changed perhaps,
/// or signed again by the verifier), a step of the holder's own work, a line that breaks, a restart.
///
/// Held: no panic; nothing that comes over the line is a fault of this program; what is charged bears the verifier's statement, is of the
/// request's count, and is charged once; the ledger's sums are exactly that, whatever broke off; an answer comes after its charge alone, and is the
/// same each time; a receipt comes after every answer; at the end the ledger verifies.
pub fn holder(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let with_policy = input.u8() & 1 == 1;
    let (parties, honest) = (Parties::get(), Honest::get(with_policy));
    let directory = directory();
    let path = directory.path().join("ledger.sqlite");
    std::fs::write(&path, &honest.ledger_before).unwrap();
    let mut world = World {
        parties,
        honest,
        with_policy,
        input,
        clock: NOW,
        rng: StdRng::seed_from_u64(2),
        path,
        ledger: None,
        _directory: directory,
        lines: Vec::new(),
        charges: Charges::new(),
        answers: BTreeMap::new(),
    };
    world.restart();
    for _ in 0..40 {
        if world.input.is_empty() {
            break;
        }
        world.step();
    }
    world.settle();
}

/// What a verifier sends can be a verifier's fault, a misfit of both, or what the ledger does not hold: never this program's fault.
fn fair<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Error::Ledger(LedgerError::Storage(why))) => panic!("the ledger fails: {why}"),
        Err(error @ (Error::PeerMisbehaved(_) | Error::Incompatible(_) | Error::Refuse(_) | Error::Ledger(_))) => {
            let refusal = error.to_refusal().expect("the other side hears of it");
            assert_eq!(refusal.to_frame().kind, FrameType::Refusal);
            None
        }
        Err(other) => panic!("a frame is no reason for: {other}"),
    }
}

impl World<'_> {
    fn ledger(&mut self) -> &mut SqliteLedger {
        &mut self.ledger.as_mut().unwrap().0
    }

    /// The program dies, and comes back with its disk alone.
    fn restart(&mut self) {
        self.lines.clear();
        self.ledger = None;
        let mut ledger = SqliteLedger::open(&self.path).unwrap();
        let lock = ledger.serve_lock(self.clock).unwrap();
        self.ledger = Some((ledger, lock));
    }

    fn step(&mut self) {
        match self.input.u8() % 14 {
            0 => {
                let (kind, body) = (self.input.u8() % 20, self.input.chunk().to_vec());
                if let Ok(frame) = Frame::from_parts(kind, body) {
                    self.receive(&frame);
                }
            }
            1 => {
                let honest = self.honest;
                let frames: Vec<&Frame> = [&honest.hello, &honest.complete, &honest.acknowledge, &honest.welcome, &honest.closed]
                    .into_iter()
                    .chain(&honest.batches)
                    .collect();
                let mut frame = frames[self.input.choice(frames.len())].clone();
                self.input.edit(&mut frame.body);
                self.receive(&frame);
            }
            2 => {
                let frame = self.hello();
                self.receive(&frame);
            }
            3 | 4 => {
                if let Some(frame) = self.batch() {
                    self.receive(&frame);
                }
            }
            5 | 6 => self.charge(),
            7 => self.answer(),
            8 => self.complete(),
            9 => self.acknowledge(),
            10 => self.cut(),
            11 => self.save(),
            12 => self.disclose(),
            _ => match self.input.u8() % 4 {
                0 => self.restart(),
                1 => self.clock = NOW + u64::from(self.input.u16()) * 997,
                2 => {
                    let all = oblink_store::ledger::Scope::All;
                    self.ledger().suspend_answers(all, "a reason", "operator", NOW).unwrap();
                }
                _ => {
                    let _ = self.ledger().close_epoch(&super::parties::EPOCH, "a reason", NOW + 1_000_000, NOW).unwrap();
                }
            },
        }
    }

    /// One of the lines; `None` where there is none.
    fn line(&mut self) -> Option<usize> {
        let choice = usize::from(self.input.u8());
        (!self.lines.is_empty()).then(|| choice % self.lines.len())
    }

    /// Gives a frame to whoever takes its kind, as `serve` does; every other kind ends the line.
    fn receive(&mut self, frame: &Frame) {
        if frame.kind == FrameType::Hello {
            return self.admit(frame);
        }
        let Some(at) = self.line() else { return };
        let (clock, ledger) = (self.clock, &mut self.ledger.as_mut().unwrap().0);
        let line = &mut self.lines[at];
        let lives = match frame.kind {
            FrameType::Batch => match fair(line.session.receive_batch(frame, clock)) {
                Some(pending) => {
                    line.pending.push((pending, frame.clone()));
                    true
                }
                None => false,
            },
            FrameType::SetRequest => match fair(line.session.receive_set_request(frame)) {
                Some(offset) => {
                    let request = SetRequest::from_frame(frame).unwrap();
                    assert!(request.set_id == self.parties.offer.set_id && offset <= self.parties.offer.set_bytes);
                    true
                }
                None => false,
            },
            FrameType::Complete => return self.completing(at, frame),
            FrameType::Acknowledge => match fair(line.session.receive_acknowledge(frame)) {
                Some(pending) => match fair(pending.commit(ledger)) {
                    Some((receipt, _)) => {
                        let key = self.parties.verifier_key();
                        key.verify(StatementKind::Receipt, &receipt.body, &receipt.verifier_signature).unwrap();
                        true
                    }
                    None => false,
                },
                None => false,
            },
            _ => {
                // Whatever is asked of it, a frame of another type is refused.
                assert!(line.session.receive_batch(frame, clock).is_err() && line.session.receive_set_request(frame).is_err());
                assert!(line.session.receive_acknowledge(frame).is_err());
                false
            }
        };
        if !lives {
            self.hang_up(at);
        }
    }

    fn admit(&mut self, frame: &Frame) {
        let (with_policy, clock) = (self.with_policy, self.clock);
        let now = self.ledger().time_unix_ms().unwrap().max(clock);
        let ledger = &mut self.ledger.as_mut().unwrap().0;
        let Some((session, welcome)) = fair(admit(frame, ledger, with_policy, now, &mut self.rng)) else { return };
        assert_eq!(welcome.kind, FrameType::Welcome);
        assert_eq!(session.request().manifest().is_some() && with_policy, with_policy, "under a policy nothing unsigned is admitted");
        // One connection at a time serves a request, the newest.
        if let Some(at) = self.lines.iter().position(|line| line.session.session_id() == session.session_id()) {
            self.lines.remove(at);
        }
        self.lines.push(Line { session, pending: Vec::new(), charged: Vec::new() });
        if self.lines.len() > 4 {
            self.hang_up(0);
        }
    }

    /// A Hello of this verifier's: its fields changed, its request another.
    fn hello(&mut self) -> Frame {
        let mut hello = Hello::from_frame(&self.honest.hello).unwrap();
        hello.clock_unix_ms = self.clock;
        for _ in 0..self.input.u8() % 3 {
            let input = &mut self.input;
            match input.u8() % 10 {
                0 => hello.versions = input.chunk().iter().map(|byte| u16::from(*byte)).collect(),
                1 => hello.suites = input.chunk().iter().map(|byte| u16::from(*byte)).collect(),
                2 => hello.nonce[0] ^= input.u8(),
                3 => hello.clock_unix_ms = input.u64(),
                4 => hello.certificate[usize::from(input.u8()) % 136] ^= input.u8(),
                5 => input.edit(&mut hello.request),
                6 => {
                    // Another request of the same ruleset.
                    let ruleset = self.parties.ruleset;
                    let (id, pairs, batch) = (input.u8() & 3, 1 + u64::from(input.u8() & 7), 1 + u32::from(input.u8() & 3));
                    let mut request_id = REQUEST;
                    request_id[0] ^= id;
                    let request = Request::new(request_id, pairs, batch, ruleset.name(), ruleset.digest(), 1).unwrap();
                    hello.request = request.bytes().to_vec();
                }
                7 => {
                    let keep = input.choice(3).min(hello.signatures.len());
                    hello.signatures.truncate(keep);
                    if let Some(first) = hello.signatures.first_mut() {
                        input.edit(first);
                    }
                }
                8 => {
                    let size = u64::from(input.u8() & 7);
                    let root = self.ledger().root_at(size).unwrap();
                    (hello.head_size, hello.head_root) = (size, root.unwrap_or_default());
                }
                _ => (hello.head_size, hello.head_root) = (input.u64() >> (input.u8() % 64), input.array()),
            }
        }
        hello.to_frame().unwrap_or_else(|_| self.honest.hello.clone())
    }

    /// A batch for one of the lines: its own elements or others, under a statement that holds, or not.
    fn batch(&mut self) -> Option<Frame> {
        let at = self.input.u8();
        let line = self.lines.get(usize::from(at) % self.lines.len().max(1))?;
        let how = self.input.u8();
        let index = u64::from(self.input.u8() % 8);
        let known = self.honest.batches.get(usize::try_from(index).unwrap());
        let mut batch = Batch::from_frame(known.unwrap_or(&self.honest.batches[0])).unwrap();
        batch.index = index;
        let count = line.session.request().batch(index).map_or(1, |(_, count)| count as usize);
        batch.blinded.resize(count, batch.blinded[0]);
        match how & 7 {
            5 => {
                let place = self.input.choice(batch.blinded.len());
                batch.blinded[place] = if how & 64 == 0 { [0; 32] } else { self.input.array() };
            }
            6 => batch.blinded.push(batch.blinded[0]),
            7 => batch.path = self.input.chunk().chunks_exact(32).map(|hash| hash.try_into().unwrap()).collect(),
            _ => (),
        }
        let mut signed_index = index;
        if how & 24 == 24 {
            signed_index ^= 1;
        }
        let digest = blinded_digest(signed_index, &batch.blinded);
        batch.statement = self.parties.verifier.statement_key.sign(StatementKind::Batch, &self.statement_body(line, signed_index, &digest));
        if how & 96 == 96 {
            batch.statement[usize::from(how) % 64] ^= 1;
        }
        Some(batch.to_frame())
    }

    fn statement_body(&self, line: &Line, index: u64, digest: &[u8; 32]) -> Vec<u8> {
        let session = &line.session;
        let offer = session.offer();
        batch_statement_body(session.session_id(), &session.request().digest(), &offer.descriptor.epoch_id, &offer.set_id, index, digest)
    }

    /// Charges one of the batches received, in any order and however late.
    fn charge(&mut self) {
        let Some(at) = self.line() else { return };
        if self.lines[at].pending.is_empty() {
            return;
        }
        let which = self.input.choice(self.lines[at].pending.len());
        let (pending, frame) = self.lines[at].pending.remove(which);
        let batch = Batch::from_frame(&frame).unwrap();
        let outcome = pending.commit(&mut self.ledger.as_mut().unwrap().0);
        let Some(charged) = fair(outcome) else { return self.hang_up(at) };
        // What was charged bears the verifier's word, is of the request, and is no other than what was charged before.
        let line = &self.lines[at];
        let digest = blinded_digest(batch.index, &batch.blinded);
        let body = self.statement_body(line, batch.index, &digest);
        self.parties.verifier_key().verify(StatementKind::Batch, &body, &batch.statement).expect("no charge without a statement");
        let (_, count) = line.session.request().batch(batch.index).expect("no charge for what the request does not have");
        assert_eq!((charged.len(), batch.blinded.len()), (count as usize, count as usize));
        let known = self.charges.entry((*line.session.session_id(), batch.index)).or_insert((digest, u64::from(count)));
        assert_eq!(known.0, digest, "two batches under one index");
        self.lines[at].charged.push((charged, batch.index));
    }

    /// Answers one of the charged batches.
    fn answer(&mut self) {
        let Some(at) = self.line() else { return };
        if self.lines[at].charged.is_empty() {
            return;
        }
        let which = self.input.choice(self.lines[at].charged.len());
        let (charged, index) = self.lines[at].charged.remove(which);
        let Some(evaluated) = fair(evaluate(&self.parties.keys, charged, &mut self.rng)) else { return self.hang_up(at) };
        let line = &mut self.lines[at];
        let frame = line.session.answer(evaluated).unwrap();
        let answer = oblink_session::wire::Evaluated::from_frame(&frame).unwrap();
        let digest: [u8; 32] = Sha256::digest(answer.evaluated.as_flattened()).into();
        let session_id = *line.session.session_id();
        assert!(self.charges.contains_key(&(session_id, index)), "an answer comes after its charge");
        assert_eq!(*self.answers.entry((session_id, index)).or_insert(digest), digest, "the same answer each time");
    }

    fn complete(&mut self) {
        let frame =
            if self.input.u8() & 1 == 0 { self.honest.complete.clone() } else { Complete { transcript: [7; 64] }.to_frame().unwrap() };
        self.receive(&frame);
    }

    fn completing(&mut self, at: usize, frame: &Frame) {
        let (clock, ledger) = (self.clock, &mut self.ledger.as_mut().unwrap().0);
        let line = &mut self.lines[at];
        let (id, due) = (*line.session.session_id(), line.session.request().batches());
        let completed = line.session.receive_complete(frame, ledger, clock).and_then(|pending| pending.commit(ledger));
        let Some(completed) = fair(completed) else { return self.hang_up(at) };
        line.session.completed(completed).unwrap();
        let answered = self.answers.keys().filter(|(session, _)| *session == id).count();
        assert_eq!(answered as u64, due, "a receipt comes after every answer");
    }

    fn acknowledge(&mut self) {
        let Some(at) = self.line() else { return };
        let id = *self.lines[at].session.session_id();
        let body = self.ledger().receipt(&id).unwrap().map_or_else(|| self.honest.receipt.body.clone(), |receipt| receipt.body);
        let mut signature = self.parties.verifier.statement_key.sign(StatementKind::Receipt, &body);
        signature[0] ^= u8::from(self.input.u8() & 7 == 7);
        self.receive(&Acknowledge { signature }.to_frame().unwrap());
    }

    /// A line is gone: what was answered is written down.
    fn cut(&mut self) {
        if let Some(at) = self.line() {
            self.hang_up(at);
        }
    }

    fn hang_up(&mut self, at: usize) {
        let mut line = self.lines.remove(at);
        let clock = self.clock;
        line.session.suspend(self.ledger(), clock).unwrap();
    }

    fn save(&mut self) {
        let Some(at) = self.line() else { return };
        let line = &mut self.lines[at];
        let saved = line.session.save().unwrap();
        let restored = HolderSession::restore(self.parties.holder.clone(), &saved).unwrap();
        assert_eq!(restored.save().unwrap(), saved);
        line.session = restored;
    }

    /// A disclosure of one of the lines' sessions.
    fn disclose(&mut self) {
        let Some(at) = self.line() else { return };
        let id = *self.lines[at].session.session_id();
        let how = self.input.u8();
        let kind = if how & 1 == 0 { Disclosure::MatchedTags } else { Disclosure::Count };
        let (session, receipt) = (self.ledger().session(&id).unwrap(), self.ledger().receipt(&id).unwrap());
        let digest = receipt.as_ref().map_or([0; 32], |receipt| Sha256::digest(&receipt.body).into());
        let tags = (0..u128::from(how >> 4)).collect();
        let matched = u64::from(self.input.u8() & 7);
        let key = &self.parties.verifier.statement_key;
        let mut frames = disclosure_frames(key, id, digest, kind, matched, tags).unwrap();
        let which = self.input.choice(frames.len());
        self.input.edit(&mut frames[which].body);
        let due = session.clone().zip(receipt).map(|(session, receipt)| DisclosureDue {
            session_id: id,
            receipt_digest: digest,
            verifier: session.verifier,
            verifier_certificate: receipt.verifier_certificate,
            kind: session.disclosure.parse().unwrap(),
            pairs: session.pairs,
            tokens: session.tokens,
        });
        let Some(mut receiving) = fair(ReceivingDisclosure::begin(&frames[0], &self.parties.verifier.fingerprint, due)) else { return };
        for frame in &frames[1..] {
            if fair(receiving.receive_tags(frame)).is_none() {
                return;
            }
        }
        let Some(pending) = fair(receiving.finish()) else { return };
        let clock = self.clock;
        if fair(pending.commit(self.ledger(), clock)).is_some() {
            assert!(session.is_some_and(|session| session.state == SessionState::Complete), "of a complete session alone");
            assert!(DisclosureMessage::from_frame(&frames[0]).unwrap().matched <= self.parties.tokens.len() as u64);
        }
    }

    /// The books: what was charged is in them, and nothing else; and the ledger verifies.
    fn settle(&mut self) {
        let (mut batches, mut tokens) = (0, 0);
        for session in self.ledger().sessions().unwrap() {
            let due = self.charges.iter().filter(|((id, _), _)| *id == session.session_id);
            let sums = due.fold((0, 0), |(batches, tokens), (_, (_, count))| (batches + 1, tokens + count));
            assert_eq!((session.charged_batches, session.charged_tokens), sums, "each batch is charged once");
            assert!(session.charged_tokens <= session.tokens);
            (batches, tokens) = (batches + sums.0, tokens + sums.1);
        }
        assert_eq!(batches, self.charges.len() as u64);
        let (key, fingerprint) = (self.parties.holder_key(), self.parties.holder.fingerprint);
        let report = self.ledger().verify(&key, &fingerprint, &[]).expect("the ledger verifies");
        assert_eq!((report.charges, report.charged_tokens), (batches, tokens));
    }
}
