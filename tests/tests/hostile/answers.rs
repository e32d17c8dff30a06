//! A hostile holder in the middle: answers to batches that are not what was asked (SPEC BAT-1 to BAT-6).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use oblink_session::wire::{Evaluated, FrameType};
use oblink_tests::fake::{Act, Due, Modified};
use oblink_tests::{Results, raw};

use super::stage::{Stage, bent, condemned, exact, instead};

const FIRST: Due = Due::Answer(0);

/// A holder that changes its first answer.
fn answers(mut change: impl FnMut(&mut Evaluated) + Send + 'static) -> Modified {
    bent(move |due, honest| {
        (due == FIRST).then(|| {
            let mut answer = Evaluated::from_frame(&honest[0]).unwrap();
            change(&mut answer);
            vec![Act::Bytes(raw::bytes_of(&answer.to_frame()))]
        })
    })
}

/// Attack: RFC 9497's proof does not hold.
#[test]
fn a_bad_proof() {
    let stage = Stage::new();
    stage.convict(6, "proof", answers(|answer| answer.proof[3] ^= 1));
    stage.convict(6, "proof", answers(|answer| answer.proof[35] ^= 1));
    stage.honest_run_is_exact();
}

/// Attack: RFC 9497's proof holds, the binding proof does not (SPEC BAT-6).
#[test]
fn a_bad_binding_proof() {
    let stage = Stage::new();
    stage.convict(6, "proof", answers(|answer| answer.proof[67] ^= 1));
    stage.convict(6, "proof", answers(|answer| answer.proof[99] ^= 1));
    // Nor is one a substitute for the other.
    stage.convict(6, "proof", answers(|answer| answer.proof.copy_within(..64, 64)));
    stage.honest_run_is_exact();
}

/// What a run keeps of a holder that lied or hung up is not believed by the next: the same command, without beginning anew, is exact, or ends with an
/// error and no results; and beginning anew is exact.
#[test]
fn the_same_command_after_a_lie_is_never_wrong() {
    for act in [Act::Bytes(raw::frame(0x7f, 0, &[])), Act::Close(9)] {
        let stage = Stage::new();
        assert_ne!(stage.meet(instead(FIRST, vec![act])).code(), 0);
        let serving = stage.agencies.serve();
        let again = stage.agencies.checking(serving.address(), &stage.pairs, &stage.output()).args("--json --retry-for 0").run();
        if again.code() == 0 {
            exact(&Results::read(&stage.output(), again.object()), &stage.pairs, &stage.records);
        } else {
            assert!(!stage.output().exists(), "{again}");
            assert!(again.stderr.contains("--restart"), "{again}");
        }
        drop(serving.stop());
        stage.honest_run_is_exact();
    }
}

/// Attack: zeros, and scalars that are not reduced, in place of proofs.
#[test]
fn proofs_that_are_none() {
    let stage = Stage::new();
    stage.convict(6, "", answers(|answer| answer.proof = [0; 128]));
    stage.convict(6, "", answers(|answer| answer.proof = [0xff; 128]));
    stage.honest_run_is_exact();
}

/// Attack: one element of the answer is another one's.
#[test]
fn one_element_for_another() {
    let stage = Stage::new();
    stage.convict(6, "proof", answers(|answer| answer.evaluated[7] = answer.evaluated[8]));
    stage.convict(6, "proof", answers(|answer| answer.evaluated.swap(7, 8)));
    stage.honest_run_is_exact();
}

/// Attack: the identity as an answer: every pair would have one output.
#[test]
fn identity_elements() {
    let stage = Stage::new();
    stage.convict(6, "", answers(|answer| answer.evaluated[59] = [0; 32]));
    stage.convict(6, "", answers(|answer| answer.evaluated.fill([0; 32])));
    stage.honest_run_is_exact();
}

/// Attack: elements that are no encoding: not reduced, negative, of no point.
#[test]
fn elements_that_are_not_canonical() {
    let stage = Stage::new();
    stage.convict(6, "", answers(|answer| answer.evaluated[0] = [0xff; 32]));
    stage.convict(6, "", answers(|answer| answer.evaluated[0][0] ^= 1));
    // 2^255 - 19, which is zero: the identity, not reduced.
    stage.convict(
        6,
        "",
        answers(|answer| {
            answer.evaluated[0] = [0xff; 32];
            answer.evaluated[0][0] = 0xed;
            answer.evaluated[0][31] = 0x7f;
        }),
    );
    stage.honest_run_is_exact();
}

/// Attack: the answer to a batch that was not asked.
#[test]
fn an_index_that_was_not_asked() {
    let stage = Stage::new();
    stage.convict(6, "", answers(|answer| answer.index = 1));
    stage.convict(6, "", answers(|answer| answer.index = u64::MAX));
    stage.honest_run_is_exact();
}

/// Attack: fewer elements than were asked, and more.
#[test]
fn fewer_elements_and_more() {
    let stage = Stage::new();
    stage.convict(6, "", answers(|answer| answer.evaluated.truncate(59)));
    stage.convict(6, "", answers(|answer| answer.evaluated.push(answer.evaluated[0])));
    stage.convict(6, "", answers(|answer| answer.evaluated.resize(65_535, answer.evaluated[0])));
    stage.honest_run_is_exact();
}

/// Attack: a count in the frame that its length does not bear out.
#[test]
fn a_count_that_the_length_does_not_bear_out() {
    let stage = Stage::new();
    for count in [0_u32, 1, 61, u32::MAX] {
        let modified = bent(move |due, honest| {
            (due == FIRST).then(|| {
                let mut bytes = raw::bytes_of(&honest[0]);
                bytes[13..17].copy_from_slice(&count.to_be_bytes());
                vec![Act::Bytes(bytes)]
            })
        });
        stage.convict(6, "", modified);
    }
    stage.honest_run_is_exact();
}

/// Attack: from the second batch on, another key: whoever these pairs are would be marked (SPEC EPO-4).
#[test]
fn another_key_in_the_middle() {
    let stage = Stage::with_two_batches();
    stage.convict(6, "proof", Modified { other_key_from: 1, ..Modified::default() });
    stage.honest_run_is_exact();
}

/// Attack: the two answers of a session, each to the other's batch.
#[test]
fn answers_that_change_places() {
    let stage = Stage::with_two_batches();
    let modified = bent(|due, honest| {
        let Due::Answer(index) = due else { return None };
        let mut answer = Evaluated::from_frame(&honest[0]).unwrap();
        answer.index = 1 - index;
        Some(vec![Act::Bytes(raw::bytes_of(&answer.to_frame()))])
    });
    stage.convict(6, "", modified);
    stage.honest_run_is_exact();
}

/// Attack: the answer of an earlier session, about the same list.
#[test]
fn the_answer_of_another_session() {
    let stage = Stage::new();
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    // The first session breaks off, so that the second has to ask.
    let ended = stage.meet(bent(move |due, honest| {
        (due == FIRST).then(|| {
            *keep.lock().unwrap() = raw::bytes_of(&honest[0]);
            vec![Act::Close(9)]
        })
    }));
    condemned(&stage, &ended, 4, "code 9");
    // Another list under another file of results is another session, whatever is kept of the first.
    let other = Stage { pairs: stage.agencies.file("other.csv", std::fs::read(&stage.pairs).unwrap()), ..stage };
    let replayed = kept.lock().unwrap().clone();
    let fake = other.fake(instead(FIRST, vec![Act::Bytes(replayed)]));
    let output = other.agencies.at("other.results.csv");
    let ended = other.agencies.checking(&fake.address(), &other.pairs, &output).args("--json").run();
    let _ = fake.ended();
    assert_eq!(ended.code(), 6, "{ended}");
    assert!(!output.exists(), "{ended}");
    other.honest_run_is_exact();
}

/// Attack: frames that are no answer: giant, endless, of an unknown type, of a type that is not due.
#[test]
fn frames_that_are_no_answer() {
    let stage = Stage::new();
    stage.convict(6, "announced", instead(FIRST, vec![Act::Bytes(raw::frame(FrameType::Evaluated as u8, usize::MAX >> 32, &[]))]));
    stage.convict(6, "not due", instead(FIRST, vec![Act::Forever(vec![0xff; 1 << 16])]));
    stage.convict(6, "not due", instead(FIRST, vec![Act::Bytes(raw::frame(0x7f, 0, &[]))]));
    stage.convict(6, "not due", instead(FIRST, vec![Act::Bytes(raw::frame(FrameType::Closed as u8, 0, &[]))]));
    stage.convict(6, "not due", instead(FIRST, vec![Act::Bytes(raw::frame(FrameType::SetChunk as u8, 9, &[0; 9]))]));
    stage.honest_run_is_exact();
}

/// Attack: a stream that ends without an answer, within one, or goes on after it, without end.
#[test]
fn streams_that_end_early_or_never() {
    let stage = Stage::new();
    stage.convict(6, "ended", instead(FIRST, Vec::new()));
    let within = |due, honest: &[oblink_session::wire::Frame]| {
        let bytes = (due == FIRST).then(|| raw::bytes_of(&honest[0]));
        bytes.map(|bytes| vec![Act::Bytes(bytes[..bytes.len() - 1].to_vec())])
    };
    stage.convict(6, "ended", bent(within));
    stage.convict(
        6,
        "after the last",
        bent(|due, honest| (due == FIRST).then(|| vec![Act::Bytes(raw::bytes_of(&honest[0])), Act::Forever(vec![0; 1 << 16])])),
    );
    stage.honest_run_is_exact();
}

/// A byte a second: refused after the limit on stalls, as a bad line would be. It may be tried again, so it is exit 5.
#[test]
#[ignore = "takes as long as the limit on stalls: a minute"]
fn a_byte_a_second() {
    let stage = Stage::new();
    let dripping = |due, honest: &[oblink_session::wire::Frame]| {
        (due == FIRST).then(|| vec![Act::Drip(raw::bytes_of(&honest[0]), Duration::from_secs(1))])
    };
    stage.convict(5, "no headway", bent(dripping));
    stage.honest_run_is_exact();
}

/// An answer that never comes.
#[test]
#[ignore = "takes as long as an answer may take: five minutes"]
fn an_answer_that_never_comes() {
    let stage = Stage::new();
    let fake = stage.fake(instead(FIRST, vec![Act::Hang]));
    let started = stage.agencies.checking(&fake.address(), &stage.pairs, &stage.output()).args("--json --retry-for 0").start();
    let ended = started.end_within(Duration::from_secs(400));
    condemned(&stage, &ended, 5, "no answer");
    let _ = fake.ended();
    stage.honest_run_is_exact();
}
