//! Encodings: bincode's bytes, limits, snapshots of every frame (SPEC FRM-1 to FRM-4).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use oblink_session::error::{Refusal, RefusalCode};
use oblink_session::wire::{
    Acknowledge, Batch, Complete, DisclosedTags, DisclosureMessage, Evaluated, Frame, FrameType, Hello, Ping, Pong, ReceiptMessage,
    SetChunk, SetRequest, Welcome, WireError,
};
use proptest::prelude::*;

fn hello() -> Hello {
    Hello {
        versions: vec![1, 2],
        suites: vec![1],
        nonce: [0x11; 32],
        clock_unix_ms: 0x0102_0304_0506_0708,
        certificate: [0x22; 136],
        request: b"{}".to_vec(),
        signatures: vec![b"sig".to_vec()],
        head_size: 9,
        head_root: [0x12; 32],
    }
}

fn welcome() -> Welcome {
    Welcome {
        version: 1,
        suite: 1,
        nonce: [0x33; 32],
        clock_unix_ms: 5,
        certificate: [0x44; 136],
        ruleset_digest: [0x55; 32],
        tau: 87,
        tokens_per_pair: 1,
        session_tokens_max: 1 << 24,
        declared_tags: 7_000_000,
        set_tags: 6_999_999,
        set_bytes: 57_000_000,
        as_of: 20_261_122,
        epoch_id: [0x66; 16],
        set_id: [0x77; 32],
        public_key: vec![0x88; 32],
        batches_in_flight_max: 8,
        authority: 0,
        resend: vec![3],
        policy: [0x34; 32],
        head_size: 10,
        head_root: [0x35; 32],
        head_unix_ms: 4,
        head_signature: [0x36; 64],
        consistency: vec![[0x37; 32], [0x38; 32]],
    }
}

fn disclosure() -> DisclosureMessage {
    DisclosureMessage {
        session_id: [0xf1; 16],
        receipt_digest: [0xf2; 32],
        kind: 2,
        matched: 2,
        tags: 3,
        tags_digest: [0xf3; 32],
        signature: [0xf4; 64],
    }
}

fn frames() -> Vec<Frame> {
    vec![
        hello().to_frame().unwrap(),
        welcome().to_frame().unwrap(),
        SetRequest { set_id: [0x77; 32], offset: 3 }.to_frame().unwrap(),
        SetChunk { offset: 3, bytes: b"chunk".to_vec() }.to_frame(),
        Batch { index: 1, blinded: vec![[0xaa; 32], [0xab; 32]], statement: [0xbb; 64], path: vec![[0xb1; 32], [0xb2; 32]] }.to_frame(),
        Batch { index: 0, blinded: vec![[0xaa; 32]], statement: [0xbb; 64], path: Vec::new() }.to_frame(),
        Evaluated { index: 1, evaluated: vec![[0xac; 32], [0xad; 32]], proof: [0xcc; 128] }.to_frame(),
        Complete { transcript: [0xdd; 64] }.to_frame().unwrap(),
        ReceiptMessage { body: b"{}".to_vec(), signature: [0xee; 64], consistency: vec![[0xe1; 32]] }.to_frame().unwrap(),
        Acknowledge { signature: [0xef; 64] }.to_frame().unwrap(),
        Frame { kind: FrameType::Closed, body: Vec::new() },
        Ping { clock_unix_ms: 6 }.to_frame().unwrap(),
        Pong { clock_unix_ms: 7 }.to_frame().unwrap(),
        Refusal::new(RefusalCode::NotSealed, "no set").to_frame(),
        disclosure().to_frame().unwrap(),
        DisclosedTags { offset: 1, tags: vec![2, 3 << 64] }.to_frame(),
    ]
}

/// What travels, byte for byte: a change here is a change of the protocol.
#[test]
fn every_frame_is_frozen() {
    let text: String = frames().iter().map(|frame| format!("{:?}\n{}\n", frame.kind, hex::encode(frame.to_bytes()))).collect();
    insta::assert_snapshot!(text);
}

#[test]
fn frames_are_read_back_from_a_stream_in_any_cut() {
    let stream: Vec<u8> = frames().iter().flat_map(Frame::to_bytes).collect();
    let mut rest = &stream[..];
    for frame in frames() {
        for cut in 0..frame.to_bytes().len() {
            assert_eq!(Frame::parse(&rest[..cut]).unwrap(), None);
        }
        let (parsed, taken) = Frame::parse(rest).unwrap().unwrap();
        assert_eq!(parsed, frame);
        rest = &rest[taken..];
    }
    assert!(rest.is_empty());
}

/// FRM-1: refused on the five bytes that declare it.
#[test]
fn a_declared_length_over_the_limit_is_refused_at_once() {
    for byte in 0..=u8::MAX {
        let over = FrameType::limit_of_byte(byte).map_or(0, |max| max + 1);
        let mut header = over.to_be_bytes().to_vec();
        header.push(byte);
        assert!(Frame::parse(&header).is_err(), "type {byte:#04x}");
        assert!(Frame::parse(&[0xff, 0xff, 0xff, 0xff, byte]).is_err());
    }
    assert!(Frame::from_parts(0x0a, vec![0]).is_err());
    assert!(Frame::from_parts(0xee, Vec::new()).is_err());
}

fn has_path(frame: &Frame) -> bool {
    Batch::from_frame(frame).is_ok_and(|batch| !batch.path.is_empty())
}

/// FRM-2: cut anywhere, or with a byte too many, no body decodes.
#[test]
fn truncated_and_padded_bodies_are_refused() {
    let decodes = |frame: &Frame| match frame.kind {
        FrameType::Hello => Hello::from_frame(frame).is_ok(),
        FrameType::Welcome => Welcome::from_frame(frame).is_ok(),
        FrameType::SetRequest => SetRequest::from_frame(frame).is_ok(),
        FrameType::SetChunk => SetChunk::from_frame(frame.clone()).is_ok(),
        FrameType::Batch => Batch::from_frame(frame).is_ok(),
        FrameType::Evaluated => Evaluated::from_frame(frame).is_ok(),
        FrameType::Complete => Complete::from_frame(frame).is_ok(),
        FrameType::Receipt => ReceiptMessage::from_frame(frame).is_ok(),
        FrameType::Acknowledge => Acknowledge::from_frame(frame).is_ok(),
        FrameType::Closed => oblink_session::wire::control::expect_closed(frame).is_ok(),
        FrameType::Ping => Ping::from_frame(frame).is_ok(),
        FrameType::Pong => Pong::from_frame(frame).is_ok(),
        FrameType::Refusal => Refusal::from_frame(frame).is_ok(),
        FrameType::Disclosure => DisclosureMessage::from_frame(frame).is_ok(),
        FrameType::DisclosedTags => DisclosedTags::from_frame(frame).is_ok(),
    };
    for frame in frames() {
        assert!(decodes(&frame), "{:?}", frame.kind);
        if frame.kind == FrameType::SetChunk {
            continue; // any bytes after the offset are bytes of the set
        }
        for cut in 0..frame.body.len() {
            // A path with a hash less, or a tag less, is a shorter one: who reads it knows what is due.
            let whole = match frame.kind {
                FrameType::Batch => cut + 64 >= frame.body.len() && (frame.body.len() - cut) % 32 == 0 && has_path(&frame),
                FrameType::DisclosedTags => cut > 8 && (cut - 8) % 16 == 0,
                _ => false,
            };
            if whole {
                continue;
            }
            assert!(!decodes(&Frame { kind: frame.kind, body: frame.body[..cut].to_vec() }), "{:?} cut at {cut}", frame.kind);
        }
        let mut longer = frame.body.clone();
        longer.push(0);
        assert!(!decodes(&Frame { kind: frame.kind, body: longer }), "{:?} with a byte too many", frame.kind);
    }
}

/// FRM-2: a length of 2^64 − 1 is an error, not an allocation.
#[test]
fn hostile_lengths_are_errors() {
    let mut body = hello().to_frame().unwrap().body;
    for at in [0, 12, 8 + 4 + 8 + 2 + 32 + 8 + 136] {
        for length in [u64::MAX, 1 << 62, 1 << 40, 70_000] {
            let mut hostile = body.clone();
            hostile[at..at + 8].copy_from_slice(&length.to_le_bytes());
            assert_eq!(
                Hello::from_frame(&Frame { kind: FrameType::Hello, body: hostile }),
                Err(WireError::Malformed("Hello")),
                "at {at}: {length}"
            );
        }
    }
    body.truncate(0);
    assert!(Hello::from_frame(&Frame { kind: FrameType::Hello, body }).is_err());
}

#[test]
fn fields_out_of_bounds_are_refused_in_both_directions() {
    let changes: [fn(&mut Hello); 7] = [
        |h| h.versions.clear(),
        |h| h.versions = vec![2, 1],
        |h| h.versions = (0..17).collect(),
        |h| h.suites.clear(),
        |h| h.request = vec![0; 65_537],
        |h| h.signatures = vec![Vec::new(); 65],
        |h| h.signatures = vec![vec![0; 4_097]],
    ];
    for change in changes {
        let mut changed = hello();
        change(&mut changed);
        assert_eq!(changed.to_frame(), Err(WireError::OutOfBounds("Hello")));
    }
    let mut largest = hello();
    largest.versions = (0..16).collect();
    largest.request = vec![0; 65_536];
    largest.signatures = vec![vec![0; 4_096]; 64];
    assert_eq!(Hello::from_frame(&largest.to_frame().unwrap()).unwrap(), largest, "the largest Hello fits its frame");
    let mut over = welcome();
    over.batches_in_flight_max = 0;
    assert!(over.to_frame().is_err());
    let mut over = welcome();
    over.resend = vec![0; 65];
    assert!(over.to_frame().is_err());
    let mut over = welcome();
    over.consistency = vec![[0; 32]; 65];
    assert!(over.to_frame().is_err());
    let mut largest = welcome();
    (largest.resend, largest.consistency) = (vec![0; 64], vec![[0; 32]; 64]);
    assert_eq!(Welcome::from_frame(&largest.to_frame().unwrap()).unwrap(), largest, "the largest Welcome fits its frame");
    let receipt = |body, hashes| ReceiptMessage { body: vec![0; body], signature: [0; 64], consistency: vec![[0; 32]; hashes] }.to_frame();
    assert!(receipt(8_192, 64).is_ok(), "the largest Receipt fits its frame");
    assert!(receipt(8_193, 0).is_err() && receipt(0, 65).is_err());
    for change in [(|d| d.kind = 0) as fn(&mut DisclosureMessage), |d| d.kind = 3, |d| d.kind = 1] {
        let mut over = disclosure();
        change(&mut over);
        assert!(over.to_frame().is_err(), "a count has no tags, and there are two kinds");
    }
    let largest = Refusal::new(RefusalCode::Internal, "x\u{202e}".repeat(2_000));
    assert_eq!(largest.detail.len(), 1_024);
    assert_eq!(Refusal::from_frame(&largest.to_frame()).unwrap(), largest);
}

/// FRM-3, BAT-7, DIS-2: the largest of the raw frames fit, and nothing larger decodes.
#[test]
fn paths_and_tags_have_limits() {
    let batch = |elements: usize, path: usize| {
        Batch { index: 0, blinded: vec![[1; 32]; elements], statement: [2; 64], path: vec![[3; 32]; path] }.to_frame()
    };
    let largest = batch(65_535, 20);
    assert_eq!(largest.body.len() as u32, FrameType::Batch.body_bytes_max());
    assert_eq!(Batch::from_frame(&largest).unwrap().path.len(), 20);
    assert_eq!(Batch::from_frame(&batch(1, 21)), Err(WireError::OutOfBounds("Batch")));
    let tags = |tags: Vec<u128>| DisclosedTags { offset: 0, tags }.to_frame();
    let largest = tags((0..16_384).collect());
    assert_eq!(largest.body.len() as u32, FrameType::DisclosedTags.body_bytes_max());
    assert!(DisclosedTags::from_frame(&largest).is_ok());
    for wrong in [vec![], (0..16_385).collect(), vec![1, 1], vec![2, 1]] {
        assert_eq!(DisclosedTags::from_frame(&tags(wrong)), Err(WireError::OutOfBounds("DisclosedTags")));
    }
    for length in [0, 7, 9, 23, 25] {
        let body = vec![0; length];
        assert_eq!(DisclosedTags::from_frame(&Frame { kind: FrameType::DisclosedTags, body }), Err(WireError::Malformed("DisclosedTags")));
    }
}

#[test]
fn counts_that_do_not_fit_their_elements_are_refused() {
    // With a path, another count may be another batch with another path: its statement and its path's length tell them apart.
    let frame = Batch { index: 0, blinded: vec![[1; 32]; 3], statement: [0; 64], path: Vec::new() }.to_frame();
    for count in [0_u32, 4, 65_536, u32::MAX] {
        let mut body = frame.body.clone();
        body[8..12].copy_from_slice(&count.to_be_bytes());
        assert!(Batch::from_frame(&Frame { kind: FrameType::Batch, body }).is_err(), "count {count}");
    }
    let full = Batch { index: 0, blinded: vec![[1; 32]; 65_535], statement: [0; 64], path: vec![[1; 32]; 20] }.to_frame();
    assert_eq!(full.body.len(), FrameType::Batch.body_bytes_max() as usize);
    assert!(Batch::from_frame(&full).is_ok());
    assert!(SetChunk::from_frame(Frame { kind: FrameType::SetChunk, body: vec![0; 8] }).is_err(), "an empty chunk could go on for ever");
}

/// The maintained codec against the tombstoned crate whose byte format it keeps.
mod bincode_identity {
    use super::*;

    #[derive(bincode::Encode, bincode::Decode, PartialEq, Debug)]
    struct HelloTwin {
        versions: Vec<u16>,
        suites: Vec<u16>,
        nonce: [u8; 32],
        clock_unix_ms: u64,
        certificate: [u8; 136],
        request: Vec<u8>,
        signatures: Vec<Vec<u8>>,
        head_size: u64,
        head_root: [u8; 32],
    }

    #[derive(bincode::Encode, bincode::Decode, PartialEq, Debug)]
    struct RefusalTwin {
        code: u16,
        detail: String,
    }

    proptest! {
        #[test]
        fn hello_is_bincodes(suites in prop::collection::vec(any::<u16>(), 1..16), nonce: [u8; 32], clock: u64, request: Vec<u8>, signatures in prop::collection::vec(any::<Vec<u8>>(), 0..8), head_size: u64, head_root: [u8; 32]) {
            let ours = Hello { versions: vec![1], suites: suites.clone(), nonce, clock_unix_ms: clock, certificate: [7; 136], request: request.clone(), signatures: signatures.clone(), head_size, head_root };
            let twin = HelloTwin { versions: vec![1], suites, nonce, clock_unix_ms: clock, certificate: [7; 136], request, signatures, head_size, head_root };
            let frame = ours.to_frame().unwrap();
            prop_assert_eq!(&frame.body, &bincode::encode_to_vec(&twin, bincode::config::legacy()).unwrap());
            let (back, taken): (HelloTwin, usize) = bincode::decode_from_slice(&frame.body, bincode::config::legacy()).unwrap();
            prop_assert_eq!(taken, frame.body.len());
            prop_assert_eq!(back, twin);
            prop_assert_eq!(Hello::from_frame(&frame).unwrap(), ours);
        }

        #[test]
        fn refusal_is_bincodes(code: u16, detail in "[a-zé ]{0,200}") {
            let ours = oblink_session::wire::RefusalMessage { code, detail: detail.clone() };
            let twin = RefusalTwin { code, detail };
            prop_assert_eq!(ours.to_frame().unwrap().body, bincode::encode_to_vec(&twin, bincode::config::legacy()).unwrap());
        }

        /// What is encoded comes back, whatever is in it.
        #[test]
        fn batches_and_disclosures_round_trip(
            index: u64,
            blinded in prop::collection::vec(any::<[u8; 32]>(), 1..20),
            path in prop::collection::vec(any::<[u8; 32]>(), 0..=20),
            tags in prop::collection::btree_set(any::<u128>(), 1..50),
            ids: ([u8; 16], [u8; 32], [u8; 32]),
            matched: u64,
            kind in 1_u8..=2,
        ) {
            let batch = Batch { index, blinded, statement: [7; 64], path };
            prop_assert_eq!(Batch::from_frame(&batch.to_frame()).unwrap(), batch);
            let message = DisclosureMessage {
                session_id: ids.0,
                receipt_digest: ids.1,
                kind,
                matched,
                tags: if kind == 2 { tags.len() as u64 } else { 0 },
                tags_digest: ids.2,
                signature: [7; 64],
            };
            prop_assert_eq!(DisclosureMessage::from_frame(&message.to_frame().unwrap()).unwrap(), message);
            let tags = DisclosedTags { offset: index, tags: tags.into_iter().collect() };
            prop_assert_eq!(DisclosedTags::from_frame(&tags.to_frame()).unwrap(), tags);
        }

        /// Any bytes as the body of the frames of whole hashes and tags.
        #[test]
        fn bodies_of_whole_hashes_and_tags_decode_or_not(head in prop::collection::vec(any::<u8>(), 12), count in 0_u32..4, rest in prop::collection::vec(any::<[u8; 32]>(), 0..30), odd in 0_usize..3) {
            let mut body = head[..8].to_vec();
            body.extend(count.to_be_bytes());
            body.extend(rest.as_flattened());
            body.extend(&head[..odd]);
            let frame = Frame { kind: FrameType::Batch, body: body.clone() };
            if let Ok(batch) = Batch::from_frame(&frame) {
                prop_assert!(batch.path.len() <= 20 && batch.blinded.len() == count as usize && count > 0);
                prop_assert_eq!(batch.to_frame(), frame);
            }
            let frame = Frame { kind: FrameType::DisclosedTags, body };
            if let Ok(tags) = DisclosedTags::from_frame(&frame) {
                prop_assert!(tags.tags.is_sorted_by(|a, b| a < b));
                prop_assert_eq!(tags.to_frame(), frame);
            }
        }

        /// Random bytes never panic a decoder, and what decodes encodes to the same bytes.
        #[test]
        fn what_decodes_is_canonical(kind in 0_u8..20, body in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(frame) = Frame::from_parts(kind, body) {
                if let Ok(message) = Hello::from_frame(&frame) { prop_assert_eq!(message.to_frame().unwrap(), frame.clone()); }
                if let Ok(message) = Welcome::from_frame(&frame) { prop_assert_eq!(message.to_frame().unwrap(), frame.clone()); }
                if let Ok(message) = Batch::from_frame(&frame) { prop_assert_eq!(message.to_frame(), frame.clone()); }
                if let Ok(message) = Evaluated::from_frame(&frame) { prop_assert_eq!(message.to_frame(), frame.clone()); }
                if let Ok(message) = ReceiptMessage::from_frame(&frame) { prop_assert_eq!(message.to_frame().unwrap(), frame.clone()); }
                if let Ok(message) = DisclosureMessage::from_frame(&frame) { prop_assert_eq!(message.to_frame().unwrap(), frame.clone()); }
                if let Ok(message) = DisclosedTags::from_frame(&frame) { prop_assert_eq!(message.to_frame(), frame.clone()); }
                let _ = Refusal::from_frame(&frame);
            }
        }
    }
}
