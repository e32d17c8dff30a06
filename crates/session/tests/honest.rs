//! Two honest parties: what they compute, and that nothing depends on order, crashes or replays.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod pair;

use oblink_session::error::Error;
use oblink_session::holder::HolderSession;
use oblink_session::question::Question;
use oblink_session::receipt::Receipt;
use oblink_session::request::Request;
use oblink_session::verifier::{AwaitingReceipt, VerifierHandshake, VerifierSession};
use pair::{Checked, NOW, Pair};

#[test]
fn both_sides_compute_the_same_tags_and_sign_the_same_receipt() {
    for (pairs, t, batch) in [(1, 1, 8), (20, 1, 8), (16, 1, 8), (7, 3, 4), (5, 1, 1)] {
        let mut pair = Pair::new(pairs, t, batch);
        let (mut holder, mut verifier) = pair.open();
        assert_eq!(holder.session_id(), verifier.session_id());
        assert!(pair.run_batches(&mut holder, &mut verifier) == pair.expected_tags(), "{pairs} × {t} by {batch}");
        let (kept, finished) = pair.finish(&mut holder, verifier);
        assert_eq!(kept, *finished.receipt());
        assert_eq!(Receipt::from_json(&kept.to_json()).unwrap(), kept);
        assert_eq!(pair.ledger.charged_tokens, pairs * u64::from(t));
    }
}

/// END-1: order, batches sent twice and a resumed line do not show in the transcript.
#[test]
fn the_transcript_is_independent_of_order_replays_and_lines() {
    let receipt_of = |shuffled: bool| {
        let mut pair = Pair::new(20, 1, 4);
        let handshake = pair.handshake();
        let hello = handshake.hello(NOW).unwrap();
        let saved = handshake.save().unwrap();
        let (mut holder, welcome) = pair.admit(&hello).unwrap();
        let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
        let mut blinded: Vec<_> = std::iter::from_fn(|| pair.blind(&mut verifier)).collect();
        assert_eq!(blinded.len(), 5);
        if shuffled {
            blinded.reverse();
            let first = pair.answer(&mut holder, &verifier.submit(&blinded[0]).unwrap()).unwrap();
            // The line breaks; the same Hello finds the same session, with a ledger that is longer by then.
            holder.suspend(&mut pair.ledger, NOW).unwrap();
            let welcome;
            (holder, welcome) = pair.admit(&hello).unwrap();
            let again = VerifierHandshake::restore(pair.verifier.clone(), pair.holder.fingerprint, pair.question(), pair.known, &saved);
            verifier = again.unwrap().receive_welcome(&welcome, NOW).unwrap();
            blinded = std::iter::from_fn(|| pair.blind(&mut verifier)).collect();
            blinded.reverse();
            let again = pair.answer(&mut holder, &verifier.submit(&blinded[0]).unwrap()).unwrap();
            let elements = |frame: &oblink_session::wire::Frame| frame.body[..frame.body.len() - 128].to_vec();
            assert_eq!(elements(&first), elements(&again), "BAT-3: the same evaluated elements");
        }
        for batch in blinded {
            let answer = pair.answer(&mut holder, &verifier.submit(&batch).unwrap()).unwrap();
            let verified = Pair::verify(&verifier, &answer, batch).unwrap();
            verifier.accept(&verified).unwrap();
        }
        assert_eq!(pair.ledger.charged_tokens, 20, "a batch that comes twice is charged once");
        let body = String::from_utf8(pair.finish(&mut holder, verifier).0.body).unwrap();
        // The ledger tells of the broken line, and its head is in the receipt; all else is the same.
        let (before, rest) = body.split_once("\"ledger_root\":").unwrap();
        let (_, after) = rest.split_once(",\"pairs\":").unwrap();
        format!("{before}{after}")
    };
    assert_eq!(receipt_of(false), receipt_of(true));
}

/// Every state goes to bytes and comes back, in the middle of a session.
#[test]
fn every_state_saves_and_restores() {
    let mut pair = Pair::new(10, 1, 4);
    let handshake = pair.handshake();
    let saved = handshake.save().unwrap();
    let restore = |holder, question| VerifierHandshake::restore(pair.verifier.clone(), holder, question, pair.known, &saved);
    assert!(matches!(restore([9; 32], pair.question()), Err(Error::SavedState(_))), "another holder");
    let other = Request::new([8; 16], 10, 4, "us-exact-1", pair::RULESET, 1).unwrap();
    assert!(matches!(restore(pair.holder.fingerprint, Question::unsigned(other).unwrap()), Err(Error::SavedState(_))), "another request");
    let handshake = restore(pair.holder.fingerprint, pair.question()).unwrap();
    let (mut holder, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();

    let batch = pair.blind(&mut verifier).unwrap();
    let answer = pair.answer(&mut holder, &verifier.submit(&batch).unwrap()).unwrap();
    let verified = Pair::verify(&verifier, &answer, batch).unwrap();
    verifier.accept(&verified).unwrap();
    let lost = pair.blind(&mut verifier).unwrap();

    let saved = verifier.save().unwrap();
    let mut verifier = VerifierSession::restore(pair.verifier.clone(), &saved).unwrap();
    let mut holder = HolderSession::restore(pair.holder.clone(), &holder.save().unwrap()).unwrap();
    assert_eq!(verifier.verified(), 1);
    let next = pair.blind(&mut verifier).unwrap();
    assert_eq!(next.index(), lost.index(), "a batch that was out is made again");
    let answer = pair.answer(&mut holder, &verifier.submit(&next).unwrap()).unwrap();
    verifier.accept(&Pair::verify(&verifier, &answer, next).unwrap()).unwrap();
    pair.run_batches(&mut holder, &mut verifier);

    assert!(AwaitingReceipt::restore(pair.verifier.clone(), &verifier.save().unwrap(), &Checked(pair.offer.clone())).is_err());
    let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
    let saved = awaiting.save().unwrap();
    assert!(VerifierSession::restore(pair.verifier.clone(), &saved).is_err());
    let awaiting = AwaitingReceipt::restore(pair.verifier.clone(), &saved, &Checked(pair.offer.clone())).unwrap();
    let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
    let receipt = holder.completed(completed).unwrap();

    // The receipt is lost and both die: the same Complete gives the same receipt, even from the ledger alone (END-4).
    let mut holder = HolderSession::restore(pair.holder.clone(), &holder.save().unwrap()).unwrap();
    let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW + 10_000_000).unwrap().commit(&mut pair.ledger).unwrap();
    assert_eq!(holder.completed(completed).unwrap(), receipt);
    awaiting.receive_receipt(&receipt, NOW + 10_000_000).unwrap();

    for (i, bytes) in [(0, &saved), (1, &saved)] {
        let mut changed = bytes.clone();
        changed[i] ^= 0x40;
        assert!(
            AwaitingReceipt::restore(pair.verifier.clone(), &changed, &Checked(pair.offer.clone())).is_err(),
            "version and kind are checked"
        );
    }
    for cut in 0..saved.len() {
        assert!(AwaitingReceipt::restore(pair.verifier.clone(), &saved[..cut], &Checked(pair.offer.clone())).is_err());
    }
}

/// BAT-4
#[test]
fn no_more_batches_are_out_than_the_holder_allows() {
    let mut pair = Pair::new(100, 1, 1);
    let (_, mut verifier) = pair.open();
    let max = usize::from(verifier.batches_in_flight_max());
    let out: Vec<_> = std::iter::from_fn(|| pair.blind(&mut verifier)).collect();
    assert_eq!(out.len(), max);
}

/// TOK-2, BLD-1
#[test]
fn blinds_differ_by_index_token_request_and_seed() {
    use oblink_session::blind::{BlindSeed, Blinder};
    let blinder = |seed: u8, id: u8| Blinder::new(&BlindSeed::from_bytes(zeroize::Zeroizing::new([seed; 32])), [id; 16]);
    let element = |blinder: &Blinder, index, token: &[u8]| {
        let mut out = [[0; 32]];
        oblink_oprf::blind_slice(&[b"fixed input"], &[blinder.blind(index, token)], &mut out).unwrap();
        out[0]
    };
    let base = element(&blinder(1, 1), 0, b"a");
    assert_eq!(base, element(&blinder(1, 1), 0, b"a"));
    for other in [
        element(&blinder(1, 1), 1, b"a"),
        element(&blinder(1, 1), 0, b"b"),
        element(&blinder(1, 2), 0, b"a"),
        element(&blinder(2, 1), 0, b"a"),
    ] {
        assert_ne!(base, other);
    }
    let dummy = blinder(1, 1).dummy(&[9; 32], 4);
    assert_eq!(dummy, blinder(1, 1).dummy(&[9; 32], 4));
    assert_ne!(dummy, blinder(1, 1).dummy(&[9; 32], 5));
}
