//! A hostile verifier, pinned, against `serve`: each attack is refused with its code, is in the ledger, and leaves an honest session beside it as
//! it was.

use std::time::Duration;

use oblink_session::error::RefusalCode;
use oblink_session::wire::{Acknowledge, Batch, Complete, FrameType, Hello, SetRequest};
use oblink_tests::raw::{self, Ways};
use oblink_tests::{Program, eventually};

use super::guests::{BRIEF, Inn, end_of, opened};

/// A batch of 60 elements as `bend` makes it, under a statement that holds: refused with this code. So many batches are charged by then.
fn bad_batch(code: RefusalCode, charged: usize, bend: impl Fn(&mut Vec<[u8; 32]>) -> u64) {
    let inn = Inn::new();
    let asked = inn.asked(60);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let mut elements = asked.batches[0].clone();
        let index = bend(&mut elements);
        let batch = inn.peer.batch(&bare.admitted, index, &elements, Vec::new());
        let mut from = bare.beside(&raw::bytes_of(&batch.to_frame())).await;
        inn.refuses(&mut from, code).await;
        bare.connection.close(0_u32.into(), b"");
    });
    inn.agencies.refusal(code as u16, "");
    assert_eq!(inn.agencies.charges(), charged);
    inn.stands();
}

/// Attack: elements that are no points. Where the list was approved, they cannot even be asked.
#[test]
fn elements_that_are_no_points() {
    bad_batch(RefusalCode::BatchUnapproved, 0, |elements| {
        elements[3] = [0xff; 32];
        0
    });
}

/// Attack: an index that the request does not have, and the greatest of all.
#[test]
fn an_index_that_there_is_not() {
    bad_batch(RefusalCode::BatchMalformed, 0, |_| 1);
    bad_batch(RefusalCode::BatchMalformed, 0, |_| u64::MAX);
}

/// Attack: more elements than the request gives the batch, and fewer.
#[test]
fn another_count_than_the_request_has() {
    bad_batch(RefusalCode::BatchMalformed, 0, |elements| {
        elements.resize(65_535, [7; 32]);
        0
    });
    bad_batch(RefusalCode::BatchMalformed, 0, |elements| {
        elements.truncate(1);
        0
    });
}

/// In pilot mode a request commits to nothing, so that anything can be in a batch: bad points, after the charge (SPEC BAT-2), and another batch
/// under the same index.
#[test]
fn bad_points_and_another_batch_in_pilot_mode() {
    let inn = Inn::new();
    for (bad, n) in [([0; 32], 1), ([0xff; 32], 2), ([1; 32], 3)] {
        inn.block(async {
            let mut asked = inn.asked(60);
            asked.bytes = unsigned(&asked.bytes, n);
            let bare = inn.admitted(&asked, &Ways::default()).await;
            let mut elements = asked.batches[0].clone();
            elements[59] = bad;
            let batch = inn.peer.batch(&bare.admitted, 0, &elements, Vec::new());
            let mut from = bare.beside(&raw::bytes_of(&batch.to_frame())).await;
            inn.refuses(&mut from, RefusalCode::BatchMalformed).await;
            end_of(&bare.connection).await;
            // What was charged is charged: the good batch comes too late.
            let bare = inn.admitted(&asked, &Ways::default()).await;
            let batch = inn.peer.batch(&bare.admitted, 0, &asked.batches[0], Vec::new());
            let mut from = bare.beside(&raw::bytes_of(&batch.to_frame())).await;
            inn.refuses(&mut from, RefusalCode::BatchConflict).await;
            bare.connection.close(0_u32.into(), b"");
        });
    }
    inn.agencies.refusal(RefusalCode::BatchMalformed as u16, "");
    inn.agencies.refusal(RefusalCode::BatchConflict as u16, "");
    assert_eq!(inn.agencies.charges(), 3);
    inn.stands();
}

/// The unsigned request of as many pairs in as large batches.
fn unsigned(authorised: &[u8], n: u8) -> Vec<u8> {
    let request = oblink_session::request::Request::parse(authorised).unwrap();
    let manifest = request.manifest().unwrap();
    let (name, digest) = (manifest.ruleset.as_str(), manifest.ruleset_digest);
    oblink_session::request::Request::new([n; 16], manifest.pairs, manifest.batch_tokens, name, digest, 1).unwrap().bytes().to_vec()
}

/// Attack: counts in the frame that its length does not bear out, frames that are none, giant ones, endless ones.
#[test]
fn frames_that_are_no_batch() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    let batch = |count: u32| {
        let body = [&0_u64.to_be_bytes()[..], &count.to_be_bytes(), &[7; 60 * 32 + 64]].concat();
        raw::frame(FrameType::Batch as u8, body.len(), &body)
    };
    let giant = FrameType::Batch.body_bytes_max() as usize + 1;
    let cases = [
        (batch(61), RefusalCode::BatchMalformed),
        (batch(0), RefusalCode::BatchMalformed),
        (batch(u32::MAX), RefusalCode::BatchMalformed),
        (raw::frame(FrameType::Batch as u8, giant, &[0; 4_096]), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Batch as u8, usize::MAX >> 32, &[0; 4_096]), RefusalCode::OutOfTurn),
        (raw::frame(0x7f, 0, &[]), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Hello as u8, 8, &[0; 8]), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Batch as u8, 4_096, &[0; 100]), RefusalCode::OutOfTurn),
        ([batch(60), vec![0; 100]].concat(), RefusalCode::OutOfTurn),
        (vec![0xff; 1 << 20], RefusalCode::OutOfTurn),
    ];
    for (bytes, code) in cases {
        inn.block(async {
            let bare = inn.admitted(&asked, &Ways::default()).await;
            let mut from = bare.beside(&bytes).await;
            inn.refuses(&mut from, code).await;
            bare.connection.close(0_u32.into(), b"");
            // One session of a request at a time: the next one waits for this one's end.
        });
        inn.agencies.refusal(code as u16, "");
    }
    assert_eq!(inn.agencies.charges(), 0);
    inn.stands();
}

/// Attack: more batches unanswered than Welcome allows (SPEC BAT-4).
#[test]
fn more_batches_in_flight_than_allowed() {
    let inn = Inn::with(2_000, 200);
    let asked = inn.asked(2_000);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let batch = inn.peer.approved(&bare.admitted, &asked, 0);
        bare.ask(&batch).await.unwrap();
        // The same one, which is free, ten times at once.
        let bytes = raw::bytes_of(&batch.to_frame());
        let mut asked = Vec::new();
        for _ in 0..10 {
            asked.push(bare.beside(&bytes).await);
        }
        let ended = end_of(&bare.connection);
        let refused = async {
            for from in &mut asked {
                if raw::read_refusal(from).await == Ok(RefusalCode::OutOfTurn) {
                    bare.connection.close(0_u32.into(), b"");
                }
            }
        };
        tokio::join!(ended, refused);
    });
    inn.agencies.refusal(RefusalCode::OutOfTurn as u16, "unanswered");
    assert_eq!(inn.agencies.charges(), 1);
    inn.stands();
}

/// Attack: a first frame that is no Hello, or half of one, or one that does not end, or a giant one.
#[test]
fn frames_that_are_no_hello() {
    let inn = Inn::new();
    let hello = raw::bytes_of(&inn.peer.hello(&inn.asked(60)).to_frame().unwrap());
    let most = FrameType::Hello.body_bytes_max() as usize;
    let cases = [
        (hello[..hello.len() / 2].to_vec(), RefusalCode::OutOfTurn),
        (Vec::new(), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Hello as u8, most + 1, &[]), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Hello as u8, most, &vec![0xff; most]), RefusalCode::RequestMalformed),
        (raw::frame(FrameType::Welcome as u8, 0, &[]), RefusalCode::OutOfTurn),
        (raw::frame(FrameType::Batch as u8, 2_000, &[0; 2_000]), RefusalCode::OutOfTurn),
        (vec![0; 64], RefusalCode::OutOfTurn),
    ];
    for (bytes, code) in cases {
        inn.block(async {
            let connection = inn.dial(&Ways::default()).await;
            let (mut to, mut from) = connection.open_bi().await.unwrap();
            let _ = raw::write(&mut to, &bytes).await;
            let _ = to.finish();
            // A stream that ends before it has said anything may not be known to the holder at all: then only the end of the wait shows it.
            inn.refuses(&mut from, code).await;
            connection.close(0_u32.into(), b"");
        });
    }
    assert!(inn.agencies.ledger("session").is_empty());
    inn.stands();
}

/// Attack: versions and suites that were never there, by which both sides could be brought to a weaker one; lists that are none.
#[test]
fn downgrades() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    type Change = fn(&mut Hello);
    let cases: [(Change, RefusalCode); 4] = [
        (|hello| hello.versions = vec![0], RefusalCode::VersionUnsupported),
        (|hello| hello.versions = vec![2, 3], RefusalCode::VersionUnsupported),
        (|hello| hello.suites = vec![0, 2, 0xffff], RefusalCode::SuiteUnsupported),
        (|hello| hello.clock_unix_ms -= 400_000, RefusalCode::ClockSkew),
    ];
    for (change, code) in cases {
        let mut hello = inn.peer.hello(&asked);
        change(&mut hello);
        assert_eq!(inn.peer.refused_hello(&inn.address(), &hello), code);
        inn.agencies.refusal(code as u16, "");
    }
    // Among others, the one that both have is taken, whatever stands before it.
    let mut hello = inn.peer.hello(&asked);
    (hello.versions, hello.suites) = (vec![0, 1, 7], vec![9, 1]);
    let mut line = inn.peer.dial(&inn.address()).unwrap();
    let admitted = line.say(&hello).unwrap();
    assert_eq!((admitted.welcome.version, admitted.welcome.suite), (1, 1));
    line.leave();
    inn.stands();
}

/// Attack: the end before its time: Complete without batches, Acknowledge without a receipt.
#[test]
fn an_end_before_its_time() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    let complete = Complete { transcript: [0; 64] }.to_frame().unwrap();
    let acknowledge = Acknowledge { signature: [0; 64] }.to_frame().unwrap();
    for frame in [complete, acknowledge] {
        inn.block(async {
            let mut bare = inn.admitted(&asked, &Ways::default()).await;
            raw::write(&mut bare.to, &raw::bytes_of(&frame)).await.unwrap();
            inn.refuses(&mut bare.from, RefusalCode::OutOfTurn).await;
            bare.connection.close(0_u32.into(), b"");
        });
    }
    inn.agencies.refusal(RefusalCode::OutOfTurn as u16, "not every batch");
    inn.agencies.refusal(RefusalCode::OutOfTurn as u16, "no receipt");
    inn.stands();
}

/// Attack: one connection tries to open 10,000 streams. It gets one before it is admitted, and eleven then.
#[test]
fn ten_thousand_streams() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    let started = inn.block(async {
        let before = inn.dial(&Ways::default()).await;
        assert_eq!(opened(&before, 10_000).await.len(), 1);
        assert!(tokio::time::timeout(BRIEF, before.open_uni()).await.is_err(), "nor any of the other kind");
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let streams = opened(&bare.connection, 10_000).await;
        assert_eq!(streams.len(), 10, "beside control");
        let started = inn.honest_check();
        // Those that it has it opens and takes back, again and again: the first one ends the session.
        drop(streams);
        let churning = async {
            let mut count = 0;
            while let Ok((mut to, _from)) = bare.connection.open_bi().await {
                let _ = to.write_all(&[1]).await;
                let _ = to.reset(1_u32.into());
                count += 1;
            }
            count
        };
        let churned: usize = tokio::time::timeout(Duration::from_secs(30), churning).await.expect("the holder ends it");
        assert!(churned < 10_000, "{churned}");
        started
    });
    inn.is_exact(&started.end());
    inn.stands();
}

/// Attack: ten streams on each of four connections, a byte now and then on each, so that none is ever done.
#[test]
fn slow_bytes_on_many_streams() {
    let inn = Inn::new();
    let started = inn.block(async {
        let mut held = Vec::new();
        for _ in 0..3 {
            let bare = inn.admitted(&inn.asked(60), &Ways::default()).await;
            let mut streams = opened(&bare.connection, 10).await;
            for (to, _) in &mut streams {
                raw::write(to, &raw::frame(FrameType::Batch as u8, 100_000, &[0; 10])).await.unwrap();
            }
            held.push((bare, streams));
        }
        let started = inn.honest_check();
        for _ in 0..20 {
            for (to, _) in held.iter_mut().flat_map(|(_, streams)| streams) {
                raw::write(to, &[0]).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ended = tokio::task::spawn_blocking(move || started.end()).await.unwrap();
        for (bare, _) in held {
            bare.connection.close(0_u32.into(), b"");
        }
        ended
    });
    inn.is_exact(&started);
    assert_eq!(inn.agencies.charges(), 1, "the honest one's");
    inn.stands();
}

/// Answers that nobody reads once kept the places of all work: a verifier that asked forty batches and took none of the answers stopped the
/// holder for all others, for as long as it liked.
#[test]
fn repro_unread_answers_hold_up_nobody_else() {
    let inn = Inn::new();
    let started = inn.block(async {
        let mut held = Vec::new();
        for _ in 0..4 {
            let asked = inn.asked(60);
            // Less than one answer.
            let bare = inn.admitted(&asked, &Ways { window: 1_500, ..Ways::default() }).await;
            let bytes = raw::bytes_of(&inn.peer.approved(&bare.admitted, &asked, 0).to_frame());
            let mut unread = Vec::new();
            for _ in 0..8 {
                unread.push(bare.beside(&bytes).await);
            }
            held.push((bare, unread));
        }
        tokio::time::sleep(BRIEF).await;
        let ended = tokio::task::spawn_blocking({
            let started = inn.honest_check();
            move || started.end()
        });
        let ended = ended.await.unwrap();
        for (bare, _) in held {
            bare.connection.close(0_u32.into(), b"");
        }
        ended
    });
    inn.is_exact(&started);
    inn.stands();
}

/// Attack: the set again and again, beside and after each other (SPEC SET-8).
#[test]
fn the_set_again_and_again() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    let (mut delivered, mut refused) = (0, false);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let request = SetRequest { set_id: bare.admitted.welcome.set_id, offset: 0 }.to_frame().unwrap();
        for _ in 0..100 {
            let mut from = bare.beside(&raw::bytes_of(&request)).await;
            match raw::read_frame(&mut from).await {
                Ok(frame) if frame.kind == FrameType::SetChunk => delivered += 1,
                Ok(frame) => refused = frame.kind == FrameType::Refusal,
                Err(_) => break,
            }
            // Its end, so that the next one is not beside it.
            let _ = from.read_to_end(10).await;
            if refused {
                break;
            }
        }
        bare.connection.close(0_u32.into(), b"");
    });
    assert_eq!((delivered, refused), (64, true));
    inn.agencies.refusal(RefusalCode::OutOfTurn as u16, "");
    // Two at once, of which nothing is read.
    let asked = inn.asked(60);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways { window: 200, ..Ways::default() }).await;
        let request = SetRequest { set_id: bare.admitted.welcome.set_id, offset: 0 }.to_frame().unwrap();
        let first = bare.beside(&raw::bytes_of(&request)).await;
        let second = bare.beside(&raw::bytes_of(&request)).await;
        tokio::time::sleep(BRIEF).await;
        drop((first, second));
        bare.connection.close(0_u32.into(), b"");
    });
    inn.agencies.refusal(RefusalCode::OutOfTurn as u16, "on its way already");
    inn.stands();
}

/// Attack: more connections than one verifier may have, again and again.
#[test]
fn connections_without_end_of_one_verifier() {
    let inn = Inn::new();
    let before = inn.lines();
    let started = inn.block(async {
        let mut held = Vec::new();
        for _ in 0..60 {
            let config = raw::dialing(Some(&inn.agencies.verifier.home), &Ways::default());
            held.push(raw::dial(&raw::dialer_at([127, 0, 0, 1].into()), &inn.address(), config).await);
        }
        let started = inn.honest_check();
        tokio::task::spawn_blocking(move || started.end()).await.unwrap()
    });
    inn.is_exact(&started);
    // Ten in full, whatever comes; and what the honest one's session says.
    let said = inn.lines() - before;
    assert!(said <= 20, "{said} lines: {}", inn.serving.stderr());
    inn.stands();
}

/// Attack: a connection that never says Hello, and one that says half of it and no more.
#[test]
#[ignore = "takes as long as a Hello may take: half a minute"]
fn a_hello_that_never_comes() {
    let inn = Inn::new();
    let hello = raw::bytes_of(&inn.peer.hello(&inn.asked(60)).to_frame().unwrap());
    inn.block(async {
        let never = inn.dial(&Ways::default()).await;
        let half = inn.dial(&Ways::default()).await;
        let (mut to, _from) = half.open_bi().await.unwrap();
        raw::write(&mut to, &hello[..hello.len() / 2]).await.unwrap();
        tokio::join!(end_of(&never), end_of(&half));
    });
    inn.agencies.refusal(RefusalCode::Busy as u16, "no Hello came in time");
    inn.stands();
}

/// Attack: a byte a second of a batch.
#[test]
#[ignore = "takes as long as the limit on stalls: a minute"]
fn a_batch_of_a_byte_a_second() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let (mut to, _from) = bare.connection.open_bi().await.unwrap();
        raw::write(&mut to, &raw::frame(FrameType::Batch as u8, 100_000, &[])).await.unwrap();
        while raw::write(&mut to, &[0]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    eventually("the session to be suspended", || {
        inn.agencies.ledger("session").iter().all(|session| session["state"] == "suspended").then_some(())
    });
    inn.stands();
}

/// What the programs call themselves is not looked at: a holder's program that dials is a stranger like any other.
#[test]
fn a_stranger_is_refused_whatever_it_says() {
    let inn = Inn::new();
    let stranger = oblink_tests::Party::init(Program::Verifier, &inn.agencies.at("stranger"));
    let ways = Ways { alpn: vec![b"oblink/2".to_vec(), b"h3".to_vec(), vec![0xff; 200]], ..Ways::default() };
    inn.block(async {
        let endpoint = raw::dialer_at([127, 0, 0, 1].into());
        for config in [raw::dialing(Some(&stranger.home), &Ways::default()), raw::dialing(None, &Ways::default())] {
            if let Ok(connection) = raw::dial(&endpoint, &inn.address(), config).await {
                end_of(&connection).await;
            }
        }
        let garbage = raw::dial(&endpoint, &inn.address(), raw::dialing(Some(&inn.agencies.verifier.home), &ways)).await;
        assert!(garbage.is_err());
    });
    assert!(inn.agencies.refusals().is_empty(), "nobody is written down who has not proved to be somebody");
    inn.stands();
}

/// The batch that everything above is about, so that the helpers are known to work.
#[test]
fn an_honest_batch_by_hand_is_answered() {
    let inn = Inn::new();
    let asked = inn.asked(60);
    inn.block(async {
        let bare = inn.admitted(&asked, &Ways::default()).await;
        let batch: Batch = inn.peer.approved(&bare.admitted, &asked, 0);
        assert_eq!(bare.ask(&batch).await.unwrap().evaluated.len(), 60);
        bare.connection.close(0_u32.into(), b"");
    });
    assert_eq!(inn.agencies.charges(), 1);
    inn.stands();
}
