//! Frames and the messages in them.

use oblink_session::error::Refusal;
use oblink_session::wire::control::expect_closed;
use oblink_session::wire::{
    Acknowledge, Batch, Complete, DisclosedTags, DisclosureMessage, Evaluated, Frame, FrameType, Hello, Ping, Pong, ReceiptMessage,
    RefusalMessage, SetChunk, SetRequest, Welcome, WireError,
};

use super::input::Input;

/// The first byte: whether the rest is a stream of frames, or the body of one frame under every type and decoder.
///
/// Held: a frame is found or refused by its first five bytes, whether the stream ends there or goes on; what a decoder takes, encodes to the
/// same bytes again (one encoding a message, SPEC FRM-2, FRM-3); a decoder takes no other type than its own; a refusal shows nothing but
/// printable ASCII.
pub fn wire(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.u8() {
        0 => stream(input.rest()),
        kind => body(kind, input.rest()),
    }
}

fn stream(mut bytes: &[u8]) {
    loop {
        match Frame::parse(bytes) {
            Ok(Some((frame, used))) => {
                assert_eq!(frame.to_bytes(), bytes[..used]);
                // A stream that is cut anywhere within the frame has none yet, and no other fault.
                for cut in [0, 4, 5, used - 1] {
                    if cut < used {
                        assert_eq!(Frame::parse(&bytes[..cut]).unwrap(), None);
                    }
                }
                decode(&frame);
                bytes = &bytes[used..];
            }
            Ok(None) => return,
            Err(error) => {
                assert!(bytes.len() >= 5);
                assert_eq!(Frame::parse(&bytes[..5]), Err(error), "five bytes say so");
                return;
            }
        }
    }
}

fn body(kind: u8, body: &[u8]) {
    match Frame::from_parts(kind, body.to_vec()) {
        Ok(frame) => {
            assert!(body.len() <= FrameType::limit_of_byte(kind).unwrap() as usize);
            decode(&frame);
        }
        Err(_) => assert!(FrameType::limit_of_byte(kind).is_none_or(|most| body.len() > most as usize)),
    }
}

/// Every decoder on one frame: the one of its type may take it, and then gives it back; all others refuse it for its type.
fn decode(frame: &Frame) {
    macro_rules! control {
        ($($message:ident: $kind:ident),*) => {
            $(match $message::from_frame(frame) {
                Ok(message) => {
                    assert_eq!(frame.kind, FrameType::$kind);
                    assert_eq!(&message.to_frame().unwrap(), frame, "one encoding a message");
                }
                Err(error) => assert!(fits(frame, FrameType::$kind, &error)),
            })*
        };
    }
    macro_rules! raw {
        ($($message:ident: $kind:ident),*) => {
            $(match $message::from_frame(frame) {
                Ok(message) => {
                    assert_eq!(frame.kind, FrameType::$kind);
                    assert_eq!(&message.to_frame(), frame, "one encoding a message");
                }
                Err(error) => assert!(fits(frame, FrameType::$kind, &error)),
            })*
        };
    }
    control!(
        Hello: Hello, Welcome: Welcome, SetRequest: SetRequest, Complete: Complete, ReceiptMessage: Receipt, Acknowledge: Acknowledge,
        DisclosureMessage: Disclosure, Ping: Ping, Pong: Pong, RefusalMessage: Refusal
    );
    raw!(Batch: Batch, Evaluated: Evaluated, DisclosedTags: DisclosedTags);
    match SetChunk::from_frame(frame.clone()) {
        Ok(chunk) => assert_eq!(&chunk.to_frame(), frame),
        Err(error) => assert!(fits(frame, FrameType::SetChunk, &error)),
    }
    assert_eq!(expect_closed(frame).is_ok(), frame.kind == FrameType::Closed && frame.body.is_empty());
    if let Ok(refusal) = Refusal::from_frame(frame) {
        assert!(refusal.detail.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        let again = Refusal::from_frame(&refusal.to_frame()).unwrap();
        assert_eq!((again.code, again.detail), (refusal.code, refusal.detail));
    }
}

/// A frame of another type is refused as such, and one of the decoder's own type never.
fn fits(frame: &Frame, due: FrameType, error: &WireError) -> bool {
    matches!(error, WireError::UnexpectedType { .. }) == (frame.kind != due)
}
