//! A verifier whose holder sends what it likes, when it likes.

use std::mem::replace;

use oblink_session::error::Error;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::receipt::Receipt;
use oblink_session::request::to_hex;
use oblink_session::statement::StatementKind;
use oblink_session::verifier::{AwaitingReceipt, BlindedBatch, Finished, KeptBatch, VerifiedBatch, VerifierHandshake, VerifierSession};
use oblink_session::wire::{Complete, Evaluated, Frame, ReceiptMessage, Welcome};
use serde_json::Value;

use super::honest::{Checked, Honest, check, tags_of};
use super::input::Input;
use super::parties::{NOW, Parties};

/// Where the verifier stands.
enum State {
    /// A line that is gone: the next one begins with the same Hello.
    Cut,
    Hello(VerifierHandshake),
    Session(Box<VerifierSession>, Vec<BlindedBatch>),
    Awaiting(Box<AwaitingReceipt>, [u8; 64]),
    Finished(Box<Finished>),
}

struct World<'a> {
    parties: &'static Parties,
    honest: &'static Honest,
    signed: bool,
    input: Input<'a>,
    clock: u64,
    /// What was kept at the first Welcome, and of each batch since.
    kept: Option<Vec<u8>>,
    batches: Vec<KeptBatch>,
}

/// The first byte says which request is asked; each further one an act: a frame of any bytes, one of an honest session (perhaps changed, perhaps
/// signed again by the holder), or a step of the verifier's own.
///
/// Held: no panic; nothing that comes over the line is a fault of this program ([`Error::Internal`]); tags come out of the right answers alone,
/// and are right; Complete comes after every batch; there is no end without a receipt that the holder signed, over the transcript that was sent;
/// a state that is saved and restored is the same state.
pub fn verifier(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let signed = input.u8() & 1 == 1;
    let (parties, honest) = (Parties::get(), Honest::get(signed));
    let mut world = World { parties, honest, signed, input, clock: NOW, kept: None, batches: Vec::new() };
    let mut state = State::Cut;
    for _ in 0..48 {
        if world.input.is_empty() {
            break;
        }
        state = world.step(state);
    }
}

/// What a holder sends can be a holder's fault, or a misfit of both: never this program's.
fn fair<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Error::PeerMisbehaved(_) | Error::Incompatible(_) | Error::Refused(_)) => None,
        Err(other) => panic!("a frame is no reason for: {other}"),
    }
}

impl World<'_> {
    fn step(&mut self, state: State) -> State {
        match self.input.u8() % 11 {
            0 => {
                let (kind, body) = (self.input.u8() % 20, self.input.chunk().to_vec());
                match Frame::from_parts(kind, body) {
                    Ok(frame) => self.receive(state, &frame),
                    Err(_) => State::Cut,
                }
            }
            1 => {
                let honest = self.honest;
                let frames: Vec<&Frame> = [&honest.welcome, &honest.receipt_frame, &honest.closed, &honest.hello, &honest.complete]
                    .into_iter()
                    .chain(&honest.answers)
                    .chain(&honest.batches)
                    .collect();
                let mut frame = frames[self.input.choice(frames.len())].clone();
                self.input.edit(&mut frame.body);
                self.receive(state, &frame)
            }
            2 => {
                let frame = self.welcome();
                self.receive(state, &frame)
            }
            3 => self.blind(state),
            4 => self.answer(state),
            5 => self.complete(state),
            6 => {
                let frame = self.receipt(&state);
                self.receive(state, &frame)
            }
            7 => self.save(state),
            8 => self.connect(),
            9 => {
                self.clock = NOW + u64::from(self.input.u16()) * 97;
                state
            }
            _ => State::Cut,
        }
    }

    /// The Hello again, by a handshake that is the same each time.
    fn connect(&mut self) -> State {
        let handshake = self.honest.handshake(self.parties.asked(self.signed).question());
        assert!(self.clock != NOW || handshake.hello(NOW).unwrap() == self.honest.hello, "the same Hello");
        State::Hello(handshake)
    }

    fn receive(&mut self, state: State, frame: &Frame) -> State {
        match state {
            State::Cut => State::Cut,
            State::Hello(handshake) => {
                let Some(session) = fair(handshake.receive_welcome(frame, self.clock)) else { return State::Cut };
                self.begin(session)
            }
            State::Session(session, mut out) => {
                let Some(batch) = out.pop() else { return State::Session(session, out) };
                self.answered(session, out, frame, batch)
            }
            State::Awaiting(awaiting, transcript) => {
                let Some((finished, acknowledge)) = fair(awaiting.receive_receipt(frame, self.clock)) else { return State::Cut };
                self.finished(&finished, transcript);
                let signature = finished.receipt().verifier_signature;
                assert_eq!(acknowledge.body, signature);
                State::Finished(Box::new(finished))
            }
            State::Finished(finished) => {
                let _ = fair(finished.receive_closed(frame));
                State::Finished(finished)
            }
        }
    }

    /// An admitted session: a first one is kept, a later one goes on with what was kept, where the holder lets it.
    fn begin(&mut self, session: VerifierSession) -> State {
        let facts = session.offer();
        assert!(facts.descriptor.tags <= facts.descriptor.declared_tags && facts.descriptor.tags > 0);
        assert!(session.welcomed().is_some_and(|head| head.head.size > 0));
        let Some(kept) = &self.kept else {
            self.kept = Some(session.save().unwrap());
            return State::Session(Box::new(session), Vec::new());
        };
        // A session that was kept without damage is the holder's to spoil, not ours.
        match fair(session.resume(kept, self.batches.clone())) {
            Some(session) => State::Session(Box::new(session), Vec::new()),
            None => State::Cut,
        }
    }

    fn blind(&mut self, state: State) -> State {
        let State::Session(mut session, mut out) = state else { return state };
        if let Some(plan) = session.next_batch() {
            let index = usize::try_from(plan.index()).unwrap();
            assert!(!session.is_verified(index as u64), "what is verified is not sent again");
            let blinded = self.parties.blind(plan);
            let frame = session.submit(&blinded).unwrap();
            assert_eq!(frame.body.len(), self.honest.batches[index].body.len());
            out.push(blinded);
        }
        assert!(out.len() <= usize::from(session.batches_in_flight_max()));
        State::Session(session, out)
    }

    /// An answer to a batch that is out: the right one, another's, a changed one, or one under another key.
    fn answer(&mut self, state: State) -> State {
        let State::Session(session, mut out) = state else { return state };
        if out.is_empty() {
            return State::Session(session, out);
        }
        let batch = out.remove(self.input.choice(out.len()));
        let own = usize::try_from(batch.index()).unwrap();
        let which = match self.input.u8() {
            0..=199 => own,
            other => usize::from(other) % self.honest.answers.len(),
        };
        let mut answer = Evaluated::from_frame(&self.honest.answers[which]).unwrap();
        let mut frame = match self.input.u8() % 8 {
            0..=2 => answer.to_frame(),
            3 => {
                answer.evaluated.reverse();
                answer.to_frame()
            }
            4 => {
                let place = self.input.choice(answer.evaluated.len());
                answer.evaluated[place] = match self.input.u8() % 3 {
                    0 => [0; 32],
                    1 => self.parties.keys.public_key(),
                    _ => self.input.array(),
                };
                answer.to_frame()
            }
            5 => {
                answer.index = self.input.u64();
                answer.to_frame()
            }
            6 => {
                answer.proof[usize::from(self.input.u8()) % 128] ^= 1 | self.input.u8();
                answer.to_frame()
            }
            _ => answer.to_frame(),
        };
        self.input.edit(&mut frame.body);
        self.answered(session, out, &frame, batch)
    }

    fn answered(&mut self, mut session: Box<VerifierSession>, out: Vec<BlindedBatch>, frame: &Frame, batch: BlindedBatch) -> State {
        let index = usize::try_from(batch.index()).unwrap();
        let verified = session.receive_evaluated(frame, batch).and_then(check);
        let Some(verified) = fair(verified) else { return State::Cut };
        self.hold_tags(&verified, frame, index);
        if fair(session.accept(&verified)).is_none() {
            return State::Cut;
        }
        self.batches.retain(|kept| kept.index != index as u64);
        self.batches.push(verified.kept());
        State::Session(session, out)
    }

    /// What is verified is right: the elements are those of the honest answer, and the tags those that the key gives.
    fn hold_tags(&self, verified: &VerifiedBatch, frame: &Frame, index: usize) {
        let elements = |frame: &Frame| Evaluated::from_frame(frame).unwrap().evaluated;
        assert!(elements(frame) == elements(&self.honest.answers[index]), "an answer under another key was verified");
        let first = usize::try_from(verified.first_token()).unwrap();
        let tags = tags_of(verified);
        assert!(tags == self.parties.tags[first..first + tags.len()], "wrong tags");
    }

    fn complete(&mut self, state: State) -> State {
        let State::Session(session, out) = state else { return state };
        let (verified, due) = (session.verified(), session.request().batches());
        let mut set = session.offer().clone();
        let other = self.input.u8() & 7 == 7;
        if other {
            set.set_id[0] ^= 1;
        }
        match session.complete(&Checked(set)) {
            Ok((awaiting, frame)) => {
                assert!(verified == due && !other && out.is_empty(), "Complete comes after every batch");
                State::Awaiting(Box::new(awaiting), Complete::from_frame(&frame).unwrap().transcript)
            }
            Err(Error::Internal(_)) => {
                assert!(verified < due || other);
                State::Cut
            }
            Err(error) => panic!("{error}"),
        }
    }

    fn finished(&self, finished: &Finished, transcript: [u8; 64]) {
        let receipt = finished.receipt();
        let key = self.parties.holder_key();
        key.verify(StatementKind::Receipt, &receipt.body, &receipt.holder_signature).unwrap();
        let Value::Object(members) = serde_json::from_slice(&receipt.body).unwrap() else { panic!("an object") };
        assert_eq!(members["transcript"], to_hex(&transcript).as_str(), "the receipt is of what was sent");
        assert_eq!(members["request_digest"], to_hex(&self.parties.asked(self.signed).request.digest()).as_str());
        assert_eq!(Receipt::from_json(&receipt.to_json()).as_ref(), Ok(receipt));
        assert!(self.batches.len() == self.honest.batches.len());
    }

    /// An honest Welcome with a field changed and the head signed again: a holder that lies under its own name.
    fn welcome(&mut self) -> Frame {
        let mut welcome = Welcome::from_frame(&self.honest.welcome).unwrap();
        let input = &mut self.input;
        for _ in 0..input.u8() % 3 {
            match input.u8() % 20 {
                0 => welcome.version = input.u16(),
                1 => welcome.suite = input.u16(),
                2 => welcome.nonce[0] ^= input.u8(),
                3 => welcome.clock_unix_ms = NOW + u64::from(input.u16()) * 10,
                4 => welcome.ruleset_digest[0] ^= input.u8(),
                5 => welcome.tau = input.u8(),
                6 => welcome.tokens_per_pair = input.u16(),
                7 => welcome.session_tokens_max = input.u64() >> (input.u8() % 64),
                8 => welcome.declared_tags = input.u64() >> (input.u8() % 64),
                9 => welcome.set_tags = input.u64() >> (input.u8() % 64),
                10 => welcome.set_bytes = input.u64(),
                11 => welcome.as_of = u32::from(input.u16()) << 16,
                12 => welcome.epoch_id[0] ^= input.u8(),
                13 => welcome.set_id[0] ^= input.u8(),
                14 => welcome.public_key = input.chunk().to_vec(),
                15 => welcome.batches_in_flight_max = input.u16(),
                16 => welcome.authority = input.u8(),
                17 => welcome.resend = input.chunk().iter().map(|byte| u64::from(*byte & 7)).collect(),
                18 => welcome.policy[0] ^= input.u8(),
                _ => {
                    welcome.head_size = input.u64() >> (input.u8() % 64);
                    welcome.consistency = input.chunk().chunks_exact(32).map(|hash| hash.try_into().unwrap()).collect();
                }
            }
        }
        if input.u8() & 7 != 7 {
            let head = LogHead { size: welcome.head_size, root: welcome.head_root };
            let holder = &self.parties.holder;
            welcome.head_signature = SignedHead::sign(&holder.statement_key, &holder.fingerprint, head, welcome.head_unix_ms).signature;
        }
        // What the sender itself could not frame is sent as it was.
        welcome.to_frame().unwrap_or_else(|_| self.honest.welcome.clone())
    }

    /// A receipt over the transcript that was sent, or another; changed perhaps, and signed as it is.
    fn receipt(&mut self, state: &State) -> Frame {
        let mut message = ReceiptMessage::from_frame(&self.honest.receipt_frame).unwrap();
        let honest = message.body.clone();
        if let State::Awaiting(_, transcript) = state
            && self.input.u8() & 3 != 3
        {
            let body: Value = serde_json::from_slice(&honest).unwrap();
            let text = String::from_utf8(honest).unwrap();
            message.body = text.replace(body["transcript"].as_str().unwrap(), &to_hex(transcript)).into_bytes();
        }
        self.input.edit(&mut message.body);
        if self.input.u8() & 7 != 7 {
            message.signature = self.parties.holder.statement_key.sign(StatementKind::Receipt, &message.body);
        }
        if self.input.u8() & 7 == 7 {
            message.consistency = self.input.chunk().chunks_exact(32).map(|hash| hash.try_into().unwrap()).collect();
        }
        message.to_frame().unwrap_or_else(|_| self.honest.receipt_frame.clone())
    }

    fn save(&mut self, mut state: State) -> State {
        let context = self.parties.verifier.clone();
        state = match replace(&mut state, State::Cut) {
            State::Session(session, _) => {
                let saved = session.save().unwrap();
                let restored = VerifierSession::restore(context, &saved).unwrap();
                assert_eq!(restored.save().unwrap(), saved);
                State::Session(Box::new(restored), Vec::new())
            }
            State::Awaiting(awaiting, transcript) => {
                let saved = awaiting.save().unwrap();
                let set = Checked(self.parties.offer.clone());
                match AwaitingReceipt::restore(context, &saved, &set) {
                    Ok(restored) => {
                        assert_eq!(restored.save().unwrap(), saved);
                        State::Awaiting(Box::new(restored), transcript)
                    }
                    // A Welcome of another set than the parties know.
                    Err(Error::Internal(_)) => State::Awaiting(awaiting, transcript),
                    Err(error) => panic!("{error}"),
                }
            }
            other => other,
        };
        state
    }
}
