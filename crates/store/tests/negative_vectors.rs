//! protocol-spec/vectors/negative.json: every broken input is refused where the specification says, with the blame and the code it says.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod fixed;

use fixed::{Fixed, Inputs};
use oblink_session::error::{Error, Misbehaviour, RefusalCode, RefusalKind};
use oblink_session::holder::HolderSession;
use oblink_session::verifier::{BlindedBatch, CheckedSet, VerifierSession};
use oblink_session::wire::{Frame, SetChunk, control};
use oblink_store::disk::RealDisk;
use oblink_store::sealed::{Origin, ReceivedSet, SetReader};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Deserialize)]
struct Vectors<C> {
    format: String,
    #[serde(default)]
    refusals: BTreeMap<String, u16>,
    cases: Vec<C>,
}

#[derive(Deserialize)]
struct Session {
    inputs: Inputs,
    outputs: Outputs,
}

#[derive(Deserialize)]
struct Outputs {
    set: String,
    frames: Vec<SessionFrame>,
}

#[derive(Deserialize)]
struct SessionFrame {
    name: String,
    bytes: String,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    anchor: String,
    state: String,
    blame: String,
    refusal: Option<String>,
    #[serde(default)]
    session: usize,
    welcome: Option<String>,
    bytes: String,
}

/// The states in which the holder reads; all others are the verifier's.
const HOLDER_READS: [&str; 7] = ["hello", "set request", "batch", "batch again", "complete early", "complete", "acknowledge"];

/// A refusal by either crate.
enum Refused {
    Session(Error),
    Store(oblink_store::Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Session(error)
    }
}

impl From<oblink_store::Error> for Refused {
    fn from(error: oblink_store::Error) -> Self {
        Self::Store(error)
    }
}

impl Refused {
    fn blame(&self, peer: &'static str) -> &'static str {
        match self {
            Self::Session(Error::PeerMisbehaved(_)) => peer,
            Self::Session(Error::Refuse(refusal)) if refusal.code.kind() == RefusalKind::Configuration => "configuration",
            Self::Session(Error::Refuse(_)) => peer,
            Self::Session(Error::Incompatible(_)) => "configuration",
            Self::Session(error) => panic!("no error of a peer's: {error:?}"),
            Self::Store(oblink_store::Error::PeerSet(_)) => "holder",
            Self::Store(error) => panic!("no error of a peer's: {error:?}"),
        }
    }
}

/// A set that counts as checked.
struct Checked(oblink_session::set::SetOffer);

impl CheckedSet for Checked {
    fn offer(&self) -> &oblink_session::set::SetOffer {
        &self.0
    }
}

fn batch(fixed: &mut Fixed, holder: &mut HolderSession, verifier: &mut VerifierSession) -> bool {
    let Some(blinded) = fixed.blind(verifier) else { return false };
    let answer = fixed.answer(holder, &verifier.submit(&blinded).unwrap()).unwrap();
    let verified = Fixed::verify(verifier.receive_evaluated(&answer, blinded).unwrap()).unwrap();
    verifier.accept(&verified).unwrap();
    true
}

fn received(fixed: &Fixed, verifier: &VerifierSession) -> Result<ReceivedSet, Refused> {
    Ok(ReceivedSet::begin(Arc::new(RealDisk), &fixed.dir.path().join("received"), verifier.offer())?)
}

fn read_answer(verifier: &VerifierSession, frame: &Frame, blinded: BlindedBatch) -> Result<(), Refused> {
    Fixed::verify(verifier.receive_evaluated(frame, blinded)?)?;
    Ok(())
}

/// Hands the case to its reader. Also gives what was charged by it.
fn read(case: &Case, inputs: Inputs) -> (Result<(), Refused>, u64) {
    let data = hex::decode(&case.bytes).unwrap();
    if case.state == "set" {
        return (SetReader::new(&data[..], Origin::Peer).and_then(SetReader::finish).map(|_| ()).map_err(Refused::from), 0);
    }
    let mut fixed = Fixed::new(inputs);
    let (hello_at, completed_at) = (fixed.inputs.hello_unix_ms, fixed.inputs.completed_unix_ms);
    let handshake = fixed.handshake();
    if case.state == "received set" {
        let welcome = Frame::parse(&hex::decode(case.welcome.as_ref().unwrap()).unwrap()).unwrap().unwrap().0;
        let verifier = handshake.receive_welcome(&welcome, hello_at).unwrap();
        let received = received(&fixed, &verifier).and_then(|mut set| {
            set.append(0, &data)?;
            set.verify()?;
            Ok(())
        });
        return (received, 0);
    }
    let frame = match Frame::parse(&data) {
        Ok(Some((frame, length))) => {
            assert_eq!(length, data.len(), "a case is one frame");
            frame
        }
        Ok(None) => panic!("a case is a whole frame"),
        Err(error) => return (Err(Error::PeerMisbehaved(Misbehaviour::Wire(error)).into()), 0),
    };
    let hello = handshake.hello(hello_at).unwrap();
    if case.state == "hello" {
        return (fixed.admit(&frame).map(|_| ()).map_err(Refused::from), 0);
    }
    let (mut holder, welcome) = fixed.admit(&hello).unwrap();
    if case.state == "welcome" {
        return (handshake.receive_welcome(&frame, hello_at).map(|_| ()).map_err(Refused::from), 0);
    }
    let mut verifier = handshake.receive_welcome(&welcome, hello_at).unwrap();
    let result = match case.state.as_str() {
        "set request" => holder.receive_set_request(&frame).map(|_| ()).map_err(Refused::from),
        "set chunk" => SetChunk::from_frame(frame).map_err(|error| Error::from(error).into()).and_then(|chunk| {
            received(&fixed, &verifier)?.append(chunk.offset, &chunk.bytes)?;
            Ok(())
        }),
        "batch" => fixed.answer(&mut holder, &frame).map(|_| ()).map_err(Refused::from),
        "batch again" => {
            batch(&mut fixed, &mut holder, &mut verifier);
            let charged = fixed.book.charged_tokens;
            let result = fixed.answer(&mut holder, &frame).map(|_| ()).map_err(Refused::from);
            fixed.book.charged_tokens -= charged;
            result
        }
        "evaluated" => {
            let blinded = fixed.blind(&mut verifier).unwrap();
            read_answer(&verifier, &frame, blinded)
        }
        "complete early" => {
            batch(&mut fixed, &mut holder, &mut verifier);
            fixed.book.charged_tokens = 0;
            holder.receive_complete(&frame, &mut fixed.book, completed_at).map(|_| ()).map_err(Refused::from)
        }
        "complete" | "receipt" | "acknowledge" | "closed" => {
            while batch(&mut fixed, &mut holder, &mut verifier) {}
            fixed.book.charged_tokens = 0;
            if case.state == "complete" {
                return (holder.receive_complete(&frame, &mut fixed.book, completed_at).map(|_| ()).map_err(Refused::from), 0);
            }
            let set = Checked(verifier.offer().clone());
            let (awaiting, complete) = verifier.complete(&set).unwrap();
            let completed = holder.receive_complete(&complete, &mut fixed.book, completed_at).unwrap().commit(&mut fixed.book).unwrap();
            let receipt = holder.completed(completed).unwrap();
            match case.state.as_str() {
                "receipt" => awaiting.receive_receipt(&frame, completed_at).map(|_| ()).map_err(Refused::from),
                "acknowledge" => holder.receive_acknowledge(&frame).map(|_| ()).map_err(Refused::from),
                _ => {
                    let (finished, _) = awaiting.receive_receipt(&receipt, completed_at).unwrap();
                    control::expect_closed(&frame).map_err(|error| Error::from(error).into()).and_then(|()| {
                        finished.receive_closed(&frame)?;
                        Ok(())
                    })
                }
            }
        }
        other => panic!("no state {other}"),
    };
    (result, fixed.book.charged_tokens)
}

/// TAG-2, TAG-3, SUI-2, EPO-4, SET-4, SET-7, SET-8, FRM-1 to FRM-6, STM-1 to STM-3, REQ-1, REQ-3, HSK-1 to HSK-4, HSK-7, HSK-8, BAT-2 to
/// BAT-7, END-2, END-3, LED-3, AUT-1
#[test]
fn every_broken_input_is_refused_with_the_right_blame() {
    let text = std::fs::read_to_string(fixed::vector_path("session.json")).unwrap();
    let sessions: Vectors<Session> = serde_json::from_str(&text).unwrap();
    let text = std::fs::read_to_string(fixed::vector_path("negative.json")).unwrap();
    let negative: Vectors<Case> = serde_json::from_str(&text).unwrap();
    assert_eq!(negative.format, "oblink/vectors/negative/1");
    assert_eq!(negative.refusals.len(), 24);
    for (name, number) in &negative.refusals {
        let code = RefusalCode::from_u16(*number);
        assert_eq!((code.name(), code as u16), (name.as_str(), *number));
    }
    let mut faults = Vec::new();
    let mut anchors: BTreeMap<&str, usize> = BTreeMap::new();
    for case in &negative.cases {
        *anchors.entry(&case.anchor).or_default() += 1;
        let what = format!("[{}] {}: {}", case.anchor, case.state, case.name);
        let (result, charged) = read(case, sessions.cases[case.session].inputs.clone());
        let Err(refused) = result else {
            faults.push(format!("{what}: accepted"));
            continue;
        };
        let by_holder = HOLDER_READS.contains(&case.state.as_str());
        let blame = refused.blame(if by_holder { "verifier" } else { "holder" });
        if blame != case.blame {
            faults.push(format!("{what}: {blame} is blamed, not {}", case.blame));
        }
        let code = match &refused {
            Refused::Session(error) if by_holder => error.to_refusal().map(|refusal| refusal.code.name()),
            _ => None,
        };
        if code != case.refusal.as_deref() {
            faults.push(format!("{what}: refused with {code:?}, not {:?}", case.refusal));
        }
        // BAT-2: only an element that turns out to be none may have been charged.
        if charged > 0 && case.anchor != "SUI-2" {
            faults.push(format!("{what}: {charged} tokens were charged"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
    assert!(anchors.len() >= 20, "{anchors:?}");
}

/// What makes the test above worth something: what the sessions really sent is accepted in the same places.
#[test]
fn the_good_input_is_accepted_in_every_state() {
    let text = std::fs::read_to_string(fixed::vector_path("session.json")).unwrap();
    let sessions: Vectors<Session> = serde_json::from_str(&text).unwrap();
    for (session, vector) in sessions.cases.iter().enumerate() {
        let frame = |name: &str| vector.outputs.frames.iter().find(|frame| frame.name == name).unwrap().bytes.clone();
        let good = [
            ("set", vector.outputs.set.clone()),
            ("received set", vector.outputs.set.clone()),
            ("hello", frame("Hello")),
            ("welcome", frame("Welcome")),
            ("set request", frame("SetRequest")),
            ("set chunk", frame("SetChunk")),
            ("batch", frame("Batch")),
            ("batch again", frame("Batch")),
            ("evaluated", frame("Evaluated")),
            ("complete", frame("Complete")),
            ("receipt", frame("Receipt")),
            ("acknowledge", frame("Acknowledge")),
            ("closed", frame("Closed")),
        ];
        for (state, bytes) in good {
            let (name, anchor, blame) = (state.to_owned(), String::new(), String::new());
            let welcome = (state == "received set").then(|| frame("Welcome"));
            let case = Case { name, anchor, state: state.to_owned(), blame, refusal: None, session, welcome, bytes };
            let (result, _) = read(&case, vector.inputs.clone());
            assert!(result.is_ok(), "session {session}, {state}");
        }
    }
}
