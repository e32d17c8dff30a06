//! protocol-spec/vectors/session.json: every intermediate value of whole sessions, made again from their inputs and compared byte for byte.
//!
//! `OBLINK_WRITE_VECTORS=1 cargo test -p oblink-store --test session_vector` rewrites the file from the inputs in it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod fixed;

use fixed::{Fixed, Inputs};
use oblink_oprf::hazmat::blind_to_bytes;
use oblink_session::request::Request;
use oblink_session::wire::raw::{blinded_digest, evaluated_digest};
use oblink_session::wire::{Batch, Complete, Evaluated, Frame, FrameType, ReceiptMessage, SetChunk};
use oblink_store::disk::RealDisk;
use oblink_store::sealed::ReceivedSet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Serialize, Deserialize)]
struct Vectors {
    format: String,
    note: String,
    cases: Vec<Case>,
}

#[derive(Serialize, Deserialize)]
struct Case {
    name: String,
    inputs: Inputs,
    /// Absent only in a file that is about to be written.
    outputs: Option<Outputs>,
}

#[derive(Serialize, Deserialize)]
struct Outputs {
    verifier_fingerprint: String,
    holder_fingerprint: String,
    verifier_certificate: String,
    holder_certificate: String,
    public_key: String,
    prefixes: Vec<String>,
    tau: u8,
    declared_tags: u64,
    set_tags: u64,
    set_id: String,
    set: String,
    request: String,
    request_digest: String,
    session_id: String,
    tokens: Vec<String>,
    blinds: Vec<String>,
    batches: Vec<BatchOutputs>,
    tags: Vec<String>,
    transcript: String,
    receipt: String,
    receipt_digest: String,
    frames: Vec<FrameOutput>,
    matches: Vec<bool>,
}

#[derive(Serialize, Deserialize)]
struct BatchOutputs {
    index: u64,
    blinded: Vec<String>,
    blinded_digest: String,
    statement: String,
    evaluated: Vec<String>,
    evaluated_digest: String,
    proof: String,
}

#[derive(Serialize, Deserialize)]
struct FrameOutput {
    from: String,
    name: String,
    bytes: String,
}

fn hexes<T: AsRef<[u8]>>(all: impl IntoIterator<Item = T>) -> Vec<String> {
    all.into_iter().map(hex::encode).collect()
}

/// Runs a session on its inputs through the public API and notes everything.
fn run(inputs: Inputs) -> Outputs {
    let mut fixed = Fixed::new(inputs);
    let inputs = fixed.inputs.clone();
    let mut frames = Vec::new();
    let mut sent = |frame: &Frame| {
        let by_verifier = [FrameType::Hello, FrameType::SetRequest, FrameType::Batch, FrameType::Complete, FrameType::Acknowledge];
        let from = if by_verifier.contains(&frame.kind) { "verifier" } else { "holder" };
        frames.push(FrameOutput { from: from.into(), name: format!("{:?}", frame.kind), bytes: hex::encode(frame.to_bytes()) });
    };

    let handshake = fixed.handshake();
    let hello = handshake.hello(inputs.hello_unix_ms).unwrap();
    sent(&hello);
    let (mut holder, welcome) = fixed.admit(&hello).unwrap();
    sent(&welcome);
    let mut verifier = handshake.receive_welcome(&welcome, inputs.hello_unix_ms).unwrap();
    let session_id = *verifier.session_id();

    let offer = verifier.offer().clone();
    let ask = verifier.request_set(0).unwrap();
    sent(&ask);
    assert_eq!(holder.receive_set_request(&ask).unwrap(), 0);
    let file = std::fs::read(fixed.set.path()).unwrap();
    let mut received = ReceivedSet::begin(Arc::new(RealDisk), &fixed.dir.path().join("received"), &offer).unwrap();
    for (i, chunk) in file.chunks(inputs.set_chunk_bytes).enumerate() {
        let chunk = SetChunk { offset: (i * inputs.set_chunk_bytes) as u64, bytes: chunk.to_vec() };
        sent(&chunk.to_frame());
        received.append(chunk.offset, &chunk.bytes).unwrap();
    }
    let set = received.verify().unwrap();

    let (mut batches, mut tags) = (Vec::new(), Vec::new());
    while let Some(blinded) = fixed.blind(&mut verifier) {
        let up = verifier.submit(&blinded).unwrap();
        sent(&up);
        let down = fixed.answer(&mut holder, &up).unwrap();
        sent(&down);
        let verified = Fixed::verify(verifier.receive_evaluated(&down, blinded).unwrap()).unwrap();
        let first = verified.first_token() as usize;
        let range = verified.slices().next().unwrap();
        let tokens: Vec<&[u8]> = fixed.tokens[first + range.start..first + range.end].iter().map(Vec::as_slice).collect();
        tags.extend(verified.tags(0, &tokens).unwrap());
        verifier.accept(&verified).unwrap();
        let (up, down) = (Batch::from_frame(&up).unwrap(), Evaluated::from_frame(&down).unwrap());
        batches.push(BatchOutputs {
            index: up.index,
            blinded_digest: hex::encode(blinded_digest(up.index, &up.blinded)),
            blinded: hexes(&up.blinded),
            statement: hex::encode(up.statement),
            evaluated_digest: hex::encode(evaluated_digest(down.index, &down.evaluated)),
            evaluated: hexes(&down.evaluated),
            proof: hex::encode(down.proof),
        });
    }

    let (awaiting, complete) = verifier.complete(&set).unwrap();
    sent(&complete);
    let completed = holder.receive_complete(&complete, &mut fixed.book, inputs.completed_unix_ms).unwrap().commit(&mut fixed.book).unwrap();
    let receipt = holder.completed(completed).unwrap();
    sent(&receipt);
    let (finished, acknowledge) = awaiting.receive_receipt(&receipt, inputs.completed_unix_ms).unwrap();
    sent(&acknowledge);
    let (kept, closed) = holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut fixed.book).unwrap();
    sent(&closed);
    finished.receive_closed(&closed).unwrap();
    assert_eq!(&kept, finished.receipt(), "both keep the same receipt");

    // END-6: a dummy is not looked up.
    let slots: Vec<_> = inputs.pairs.iter().flatten().collect();
    let mut asked: Vec<_> = (0..).zip(&tags).filter(|(i, _)| slots[*i as usize].is_some()).map(|(i, tag)| (*tag, i)).collect();
    let matched: BTreeSet<u64> = set.join(&mut asked).unwrap().into_iter().map(|index| index / u64::from(inputs.tokens_per_pair)).collect();

    let blinder = fixed.blinder();
    let blinds = (0..).zip(&fixed.tokens).map(|(i, token)| *blind_to_bytes(&blinder.blind(i, token)));
    Outputs {
        verifier_fingerprint: hex::encode(fixed.verifier.fingerprint),
        holder_fingerprint: hex::encode(fixed.holder.fingerprint),
        verifier_certificate: hex::encode(fixed.verifier.statement_key.certificate()),
        holder_certificate: hex::encode(fixed.holder.statement_key.certificate()),
        public_key: hex::encode(fixed.keys.public_key()),
        prefixes: fixed.prefixes.iter().map(|prefix| hex::encode(prefix.0.to_be_bytes())).collect(),
        tau: offer.descriptor.tau.to_byte(),
        declared_tags: offer.descriptor.declared_tags,
        set_tags: offer.descriptor.tags,
        set_id: hex::encode(offer.set_id),
        set: hex::encode(&file),
        request: String::from_utf8(fixed.request.bytes().to_vec()).unwrap(),
        request_digest: hex::encode(fixed.request.digest()),
        session_id: hex::encode(session_id),
        blinds: hexes(blinds),
        tokens: hexes(&fixed.tokens),
        batches,
        tags: tags.iter().map(|tag| hex::encode(tag.0.to_be_bytes())).collect(),
        transcript: hex::encode(Complete::from_frame(&complete).unwrap().transcript),
        receipt: String::from_utf8(ReceiptMessage::from_frame(&receipt).unwrap().body).unwrap(),
        receipt_digest: hex::encode(kept.digest()),
        frames,
        matches: (0..fixed.request.pairs()).map(|pair| matched.contains(&pair)).collect(),
    }
}

/// TOK-1 to TOK-3, TAG-1, EPO-1, SET-1 to SET-3, SET-5, SET-7, FRM-1 to FRM-4, STM-1 to STM-3, REQ-1 to REQ-5, HSK-6 to HSK-8, BLD-1,
/// BAT-1, BAT-7, END-1 to END-3, END-6, MRK-1 to MRK-3, LED-1 to LED-3, POL-1, AUT-1
#[test]
fn whole_sessions_are_regenerated_byte_for_byte() {
    let path = fixed::vector_path("session.json");
    let committed = std::fs::read_to_string(&path).unwrap();
    let mut vectors: Vectors = serde_json::from_str(&committed).unwrap();
    assert_eq!(vectors.format, "oblink/vectors/session/1");
    assert!(!vectors.cases.is_empty());
    for case in &mut vectors.cases {
        case.outputs = Some(run(case.inputs.clone()));
    }
    let made = serde_json::to_string_pretty(&vectors).unwrap() + "\n";
    if std::env::var_os("OBLINK_WRITE_VECTORS").is_some() {
        std::fs::write(&path, made).unwrap();
        return;
    }
    for (at, (made, committed)) in made.lines().zip(committed.lines()).enumerate() {
        assert_eq!(made, committed, "line {}", at + 1);
    }
    assert!(made == committed, "the file has another length");
}

/// REQ-2: what the vector's requests say of themselves.
#[test]
fn the_requests_are_their_own_canonical_form() {
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(fixed::vector_path("session.json")).unwrap()).unwrap();
    for outputs in vectors.cases.iter().filter_map(|case| case.outputs.as_ref()) {
        let request = Request::parse(outputs.request.as_bytes()).unwrap();
        assert_eq!(request.batches(), outputs.batches.len() as u64);
    }
}
