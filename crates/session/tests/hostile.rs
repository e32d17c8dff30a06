//! A peer that breaks the rules: each break is refused, with the right blame, and charges nothing it should not.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod pair;

use oblink_session::authority::BuiltInRulesets;
use oblink_session::error::{Error, Incompatibility, Misbehaviour, Refusal, RefusalCode};
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::holder::{HolderHandshake, House};
use oblink_session::ledger::LedgerError;
use oblink_session::receipt::Receipt;
use oblink_session::request::Request;
use oblink_session::statement::{CertifiedKey, StatementKind};
use oblink_session::wire::{Batch, Evaluated, Frame, FrameType, Hello, ReceiptMessage, Welcome, WireError};
use pair::{Checked, NOW, Pair};

fn hello_of(pair: &mut Pair, change: impl FnOnce(&mut Hello)) -> Frame {
    let mut hello = Hello::from_frame(&pair.handshake().hello(NOW).unwrap()).unwrap();
    change(&mut hello);
    hello.to_frame().unwrap()
}

fn code(error: &Error) -> RefusalCode {
    error.to_refusal().expect("the other side is told").code
}

/// HSK-1 to HSK-5, REQ-1, STM-1, TAG-3 at the holder.
#[test]
fn a_bad_hello_is_refused_before_anything_is_reserved() {
    let request = |pairs, batch, name: &str, digest, t| Request::new([7; 16], pairs, batch, name, digest, t).unwrap().bytes().to_vec();
    type Change = Box<dyn Fn(&mut Hello)>;
    let cases: Vec<(Change, RefusalCode)> = vec![
        (Box::new(|h| h.versions = vec![2, 3]), RefusalCode::VersionUnsupported),
        (Box::new(|h| h.suites = vec![2]), RefusalCode::SuiteUnsupported),
        (Box::new(|h| h.clock_unix_ms = NOW - 300_001), RefusalCode::ClockSkew),
        (Box::new(|h| h.clock_unix_ms = NOW + 300_001), RefusalCode::ClockSkew),
        (Box::new(|h| h.certificate[100] ^= 1), RefusalCode::SignatureInvalid),
        (Box::new(|h| h.request = b"{}".to_vec()), RefusalCode::RequestMalformed),
        (Box::new(|h| h.request.push(b' ')), RefusalCode::RequestMalformed),
        (Box::new(move |h| h.request = request(5, 4, "us-exact-1", [0; 32], 1)), RefusalCode::RulesetMismatch),
        (Box::new(move |h| h.request = request(5, 4, "us-exact-1", pair::RULESET, 2)), RefusalCode::RulesetMismatch),
        (Box::new(move |h| h.request = request(1_001, 4, "us-exact-1", pair::RULESET, 1)), RefusalCode::PairsOverCap),
    ];
    for (i, (change, want)) in cases.iter().enumerate() {
        let mut pair = Pair::new(5, 1, 4);
        let hello = hello_of(&mut pair, change);
        assert_eq!(code(&pair.admit(&hello).unwrap_err()), *want, "case {i}");
        assert!(pair.ledger.sessions.is_empty(), "case {i}");
    }
    let mut pair = Pair::new(5, 1, 4);
    let hello = hello_of(&mut pair, |h| h.clock_unix_ms = NOW + 300_000);
    assert!(pair.admit(&hello).is_ok(), "five minutes are allowed");
}

#[test]
fn a_verifier_without_a_sealed_set_is_told_so() {
    let mut pair = Pair::new(5, 1, 4);
    let hello = pair.handshake().hello(NOW).unwrap();
    let received = HolderHandshake::new(pair.holder.clone(), pair.verifier.fingerprint).receive_hello(&hello, NOW).unwrap();
    let house = House { policy: None, countersignatures: Vec::new(), rulesets: &BuiltInRulesets, offer: None, now_unix_ms: NOW };
    let error = received.decide(house, &mut pair.rng).unwrap_err();
    assert_eq!(code(&error), RefusalCode::NotSealed);
}

/// TAG-3, EPO-3
#[test]
fn caps_in_tokens_hold() {
    let mut pair = Pair::new(5, 2, 4);
    pair.offer.descriptor.session_tokens_max = 9;
    let hello = pair.handshake().hello(NOW).unwrap();
    assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::TokensOverCap);
    pair.offer.descriptor.session_tokens_max = 10;
    pair.ledger.charged_tokens = oblink_session::limits::EPOCH_EVALUATIONS_MAX - 9;
    assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::BudgetExhausted);
    pair.ledger.charged_tokens -= 1;
    assert!(pair.admit(&hello).is_ok());
}

/// HSK-5
#[test]
fn a_request_id_is_used_once() {
    let mut pair = Pair::new(5, 1, 4);
    let first = pair.handshake().hello(NOW).unwrap();
    pair.admit(&first).unwrap();
    assert!(pair.admit(&first).is_ok(), "the same Hello resumes");
    let other_nonce = pair.handshake().hello(NOW).unwrap();
    assert_eq!(code(&pair.admit(&other_nonce).unwrap_err()), RefusalCode::RequestConflict);
}

/// HSK-7 at the verifier.
#[test]
fn a_bad_welcome_is_refused() {
    let cases: Vec<fn(&mut Welcome)> = vec![
        |w| w.version = 2,
        |w| w.suite = 2,
        |w| w.certificate[3] ^= 1,
        |w| w.tau += 1,
        |w| w.declared_tags *= 2,
        |w| w.session_tokens_max *= 2,
        |w| w.declared_tags = 0,
        |w| w.declared_tags = u64::MAX,
        |w| w.set_tags = 0,
        |w| w.set_tags = w.declared_tags + 1,
        |w| w.public_key = vec![0; 32],
        |w| w.public_key = vec![0xff; 32],
        |w| w.public_key.push(0),
        |w| w.authority = 1,
        |w| (w.authority, w.policy) = (1, [1; 32]),
        |w| w.policy = [1; 32],
        |w| w.authority = 2,
    ];
    for (i, change) in cases.into_iter().enumerate() {
        let mut pair = Pair::new(5, 1, 4);
        let handshake = pair.handshake();
        let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        change(&mut welcome);
        let error = handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(_)), "case {i}: {error:?}");
    }
    let mut pair = Pair::new(5, 1, 4);
    for (change, want) in [
        ((|w| w.ruleset_digest[0] ^= 1) as fn(&mut Welcome), "ruleset"),
        (|w| w.tokens_per_pair = 2, "ruleset"),
        (|w| w.clock_unix_ms = NOW + 300_001, "clock"),
    ] {
        let handshake = pair.handshake();
        pair.ledger.sessions.clear();
        let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        change(&mut welcome);
        let error = handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap_err();
        assert!(matches!(error, Error::Incompatible(Incompatibility::Ruleset { .. } | Incompatibility::Clock { .. })), "{want}: {error:?}");
    }
}

#[test]
fn a_refusal_is_taken_wherever_an_answer_is_due() {
    let refusal = Refusal::new(RefusalCode::Busy, "later\u{1b}[2J").to_frame();
    let mut pair = Pair::new(5, 1, 5);
    let error = pair.handshake().receive_welcome(&refusal, NOW).unwrap_err();
    let Error::Refused(refused) = error else { panic!("{error:?}") };
    assert_eq!((refused.code, refused.detail.as_str()), (RefusalCode::Busy, "later[2J"), "no control characters for the terminal");
    let (mut holder, mut verifier) = pair.open();
    let batch = pair.blind(&mut verifier).unwrap();
    assert!(matches!(verifier.receive_evaluated(&refusal, batch), Err(Error::Refused(_))));
    let mut verifier = oblink_session::verifier::VerifierSession::restore(pair.verifier.clone(), &verifier.save().unwrap()).unwrap();
    pair.run_batches(&mut holder, &mut verifier);
    let (awaiting, _) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
    assert!(matches!(awaiting.receive_receipt(&refusal, NOW), Err(Error::Refused(_))));
}

/// BAT-2, STM-3
#[test]
fn a_bad_batch_is_refused_and_not_charged() {
    type Change = fn(&mut Batch);
    let cases: Vec<(Change, RefusalCode)> = vec![
        (|b| b.index = 2, RefusalCode::BatchMalformed),
        (|b| b.index = u64::MAX, RefusalCode::BatchMalformed),
        (|b| b.index = 1, RefusalCode::BatchMalformed),
        (|b| b.blinded.truncate(3), RefusalCode::BatchMalformed),
        (|b| b.blinded.push([0; 32]), RefusalCode::BatchMalformed),
        (|b| b.statement[0] ^= 1, RefusalCode::SignatureInvalid),
        (|b| b.blinded[2][0] ^= 1, RefusalCode::SignatureInvalid),
        (|b| b.blinded.swap(0, 1), RefusalCode::SignatureInvalid),
    ];
    for (i, (change, want)) in cases.into_iter().enumerate() {
        let mut pair = Pair::new(6, 1, 4);
        let (mut holder, mut verifier) = pair.open();
        let blinded = pair.blind(&mut verifier).unwrap();
        let mut batch = Batch::from_frame(&verifier.submit(&blinded).unwrap()).unwrap();
        change(&mut batch);
        assert_eq!(code(&pair.answer(&mut holder, &batch.to_frame()).unwrap_err()), want, "case {i}");
        assert_eq!(pair.ledger.charged_tokens, 0, "case {i}");
    }
}

/// SUI-2: the statement is right, the element is not one. The charge stands, nothing is evaluated, the verifier is to blame.
#[test]
fn an_invalid_element_is_the_verifiers_fault() {
    use oblink_session::statement::{StatementKind, batch_statement_body};
    use oblink_session::wire::raw::blinded_digest;
    for bad in [[0; 32], [0xff; 32]] {
        let mut pair = Pair::new(4, 1, 4);
        let (mut holder, mut verifier) = pair.open();
        let blinded = pair.blind(&mut verifier).unwrap();
        let mut batch = Batch::from_frame(&verifier.submit(&blinded).unwrap()).unwrap();
        batch.blinded[3] = bad;
        let body = batch_statement_body(
            verifier.session_id(),
            &pair.request.digest(),
            &[4; 16],
            &pair.offer.set_id,
            0,
            &blinded_digest(0, &batch.blinded),
        );
        batch.statement = pair.verifier.statement_key.sign(StatementKind::Batch, &body);
        let error = pair.answer(&mut holder, &batch.to_frame()).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::InvalidElement { index: 0, position: 3 })), "{error:?}");
    }
}

/// BAT-3
#[test]
fn another_batch_under_a_charged_index_is_refused() {
    let mut pair = Pair::new(4, 1, 4);
    let hello = pair.handshake();
    let frame = hello.hello(NOW).unwrap();
    let (mut holder, welcome) = pair.admit(&frame).unwrap();
    let mut verifier = hello.receive_welcome(&welcome, NOW).unwrap();
    let blinded = pair.blind(&mut verifier).unwrap();
    pair.answer(&mut holder, &verifier.submit(&blinded).unwrap()).unwrap();
    // The list changes, so the blinds change, so the batch does.
    pair.tokens[0] = b"somebody else".to_vec();
    let mut verifier = oblink_session::verifier::VerifierSession::restore(pair.verifier.clone(), &verifier.save().unwrap()).unwrap();
    let other = pair.blind(&mut verifier).unwrap();
    let other = verifier.submit(&other).unwrap();
    assert_eq!(code(&pair.answer(&mut holder, &other).unwrap_err()), RefusalCode::BatchConflict);
    // After a restart the ledger remembers it.
    let (mut holder, _) = pair.admit(&frame).unwrap();
    assert_eq!(code(&pair.answer(&mut holder, &other).unwrap_err()), RefusalCode::BatchConflict);
    assert_eq!(pair.ledger.charged_tokens, 4);
    // And so does the ledger itself, were the session's own check not there.
    let error = Error::Ledger(LedgerError::BatchConflict { index: 0 });
    assert_eq!(code(&error), RefusalCode::BatchConflict);
}

/// BAT-5: whatever is changed in an answer, no tag comes out, and the holder is to blame.
#[test]
fn a_bad_answer_is_refused() {
    type Change = fn(&mut Evaluated);
    let cases: Vec<Change> = vec![
        |e| e.index = 1,
        |e| e.evaluated.truncate(3),
        |e| e.evaluated.push([0; 32]),
        |e| e.evaluated[1] = [0; 32],
        |e| e.evaluated[1] = [0xff; 32],
        |e| e.evaluated.swap(0, 1),
        |e| e.evaluated[0] = e.evaluated[1],
        |e| e.proof[0] ^= 1,
        |e| e.proof[32] ^= 1,
        |e| e.proof[64] ^= 1,
        |e| e.proof[96] ^= 1,
        |e| e.proof = [0; 128],
        |e| e.proof = [0xff; 128],
        |e| e.proof.rotate_left(64),
    ];
    for (i, change) in cases.into_iter().enumerate() {
        let mut pair = Pair::new(6, 1, 4);
        let (mut holder, mut verifier) = pair.open();
        let blinded = pair.blind(&mut verifier).unwrap();
        let answer = pair.answer(&mut holder, &verifier.submit(&blinded).unwrap()).unwrap();
        let mut answer = Evaluated::from_frame(&answer).unwrap();
        change(&mut answer);
        let error = Pair::verify(&verifier, &answer.to_frame(), blinded).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(_)), "case {i}: {error:?}");
    }
}

/// EPO-4: another key in the middle of a session does not pass the proof.
#[test]
fn another_key_is_refused() {
    let mut pair = Pair::new(6, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    let seed = oblink_session::epoch::EpochSeed::from_bytes(zeroize::Zeroizing::new([99; 32]));
    pair.keys = oblink_session::epoch::EpochKeys::derive(&seed, [4; 16]).unwrap();
    let blinded = pair.blind(&mut verifier).unwrap();
    let answer = pair.answer(&mut holder, &verifier.submit(&blinded).unwrap()).unwrap();
    assert!(matches!(Pair::verify(&verifier, &answer, blinded), Err(Error::PeerMisbehaved(Misbehaviour::Proof { index: 0 }))));
}

#[test]
fn an_answer_to_one_batch_is_none_to_another() {
    let mut pair = Pair::new(8, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    let (first, second) = (pair.blind(&mut verifier).unwrap(), pair.blind(&mut verifier).unwrap());
    let answer = pair.answer(&mut holder, &verifier.submit(&first).unwrap()).unwrap();
    assert!(matches!(verifier.receive_evaluated(&answer, second), Err(Error::PeerMisbehaved(Misbehaviour::Batch { index: 0, .. }))));
}

/// END-2
#[test]
fn an_early_or_a_different_complete_is_refused() {
    let mut pair = Pair::new(8, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    let complete = |transcript| oblink_session::wire::Complete { transcript }.to_frame().unwrap();
    assert_eq!(code(&holder.receive_complete(&complete([0; 64]), &mut pair.ledger, NOW).unwrap_err()), RefusalCode::OutOfTurn);
    pair.run_batches(&mut holder, &mut verifier);
    assert_eq!(code(&holder.receive_complete(&complete([0; 64]), &mut pair.ledger, NOW).unwrap_err()), RefusalCode::TranscriptDiffers);
    pair.finish(&mut holder, verifier);
}

#[test]
fn complete_needs_this_sessions_checked_set_and_every_batch() {
    let mut pair = Pair::new(8, 1, 4);
    let (mut holder, verifier) = pair.open();
    assert!(matches!(verifier.complete(&Checked(pair.offer.clone())), Err(Error::Internal(_))));
    pair.ledger.sessions.clear();
    let (mut holder2, mut verifier) = pair.open();
    pair.run_batches(&mut holder2, &mut verifier);
    let mut other = pair.offer.clone();
    other.set_id[0] ^= 1;
    assert!(matches!(verifier.complete(&Checked(other)), Err(Error::Internal(_))));
    let frame = oblink_session::wire::SetRequest { set_id: [1; 32], offset: 0 }.to_frame().unwrap();
    assert_eq!(code(&holder.receive_set_request(&frame).unwrap_err()), RefusalCode::OutOfTurn);
    let past = oblink_session::wire::SetRequest { set_id: [8; 32], offset: 9_001 }.to_frame().unwrap();
    assert_eq!(code(&holder.receive_set_request(&past).unwrap_err()), RefusalCode::OutOfTurn);
    let fine = oblink_session::wire::SetRequest { set_id: [8; 32], offset: 100 }.to_frame().unwrap();
    assert_eq!(holder.receive_set_request(&fine).unwrap(), 100);
    assert_eq!(
        code(&holder.receive_acknowledge(&oblink_session::wire::Acknowledge { signature: [0; 64] }.to_frame().unwrap()).unwrap_err()),
        RefusalCode::OutOfTurn
    );
}

/// END-3
#[test]
fn a_receipt_that_says_something_else_is_refused() {
    for (find, replace) in [
        ("\"pairs\":4", "\"pairs\":5"),
        ("\"unsigned\"", "\"signed\""),
        ("\"disclosure\":\"none\"", "\"disclosure\":\"count\""),
        ("\"policy\":\"\"", "\"policy\":\"00\""),
        ("\"ledger_root\":\"", "\"ledger_root\":\"0"),
        ("\"as_of\":20261122", "\"as_of\":20261123"),
        ("{\"as_of\"", "{ \"as_of\""),
        ("}", ",\"more\":1}"),
    ] {
        let mut pair = Pair::new(4, 1, 4);
        let (mut holder, mut verifier) = pair.open();
        pair.run_batches(&mut holder, &mut verifier);
        let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
        let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
        let frame = holder.completed(completed).unwrap();
        let ReceiptMessage { body, consistency, .. } = ReceiptMessage::from_frame(&frame).unwrap();
        let changed = String::from_utf8(body.clone()).unwrap().replacen(find, replace, 1).into_bytes();
        assert_ne!(body, changed);
        // Signed by the holder, and still not what happened.
        let signature = pair.holder.statement_key.sign(oblink_session::statement::StatementKind::Receipt, &changed);
        let error =
            awaiting.receive_receipt(&ReceiptMessage { body: changed, signature, consistency }.to_frame().unwrap(), NOW).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Receipt(_))), "{find}: {error:?}");
    }
}

#[test]
fn a_receipt_with_a_bad_signature_or_from_the_future_is_refused() {
    for (flip, ahead) in [(1, 0), (0, 300_001)] {
        let mut pair = Pair::new(4, 1, 4);
        let (mut holder, mut verifier) = pair.open();
        pair.run_batches(&mut holder, &mut verifier);
        let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
        let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW + ahead).unwrap().commit(&mut pair.ledger).unwrap();
        let mut message = ReceiptMessage::from_frame(&holder.completed(completed).unwrap()).unwrap();
        message.signature[0] ^= flip;
        assert!(awaiting.receive_receipt(&message.to_frame().unwrap(), NOW).is_err());
    }
}

/// FRM-1: every state refuses every frame that is not its own, and blames the sender.
#[test]
fn a_frame_out_of_turn_is_refused_in_every_state() {
    let mut pair = Pair::new(4, 1, 4);
    let hello = pair.handshake().hello(NOW).unwrap();
    let out_of_turn =
        |error: Error| assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Wire(WireError::UnexpectedType { .. }))), "{error:?}");
    let (mut holder, mut verifier) = pair.open();
    out_of_turn(holder.receive_batch(&hello, NOW).unwrap_err());
    out_of_turn(holder.receive_complete(&hello, &mut pair.ledger, NOW).unwrap_err());
    out_of_turn(holder.receive_acknowledge(&hello).unwrap_err());
    out_of_turn(holder.receive_set_request(&hello).unwrap_err());
    out_of_turn(pair.handshake().receive_welcome(&hello, NOW).unwrap_err());
    let blinded = pair.blind(&mut verifier).unwrap();
    let batch = verifier.submit(&blinded).unwrap();
    out_of_turn(verifier.receive_evaluated(&batch, blinded).unwrap_err());
    out_of_turn(pair.admit(&batch).unwrap_err());
    out_of_turn(oblink_session::clock::answer_ping(&hello, NOW).unwrap_err());
    let closed = Frame { kind: FrameType::Closed, body: Vec::new() };
    out_of_turn(oblink_session::clock::receive_pong(&closed, NOW).unwrap_err());
}

#[test]
fn ping_measures_the_clocks() {
    let pong = oblink_session::clock::answer_ping(&oblink_session::clock::ping(NOW).unwrap(), NOW + 1_500).unwrap();
    assert_eq!(oblink_session::clock::receive_pong(&pong, NOW).unwrap(), 1_500);
}

/// BAT-4 at the holder: the limit of Welcome is held, not only announced.
#[test]
fn more_batches_in_flight_than_allowed_are_refused() {
    let mut pair = Pair::new(20, 1, 1);
    let (mut holder, mut verifier) = pair.open();
    let out: Vec<_> = std::iter::from_fn(|| pair.blind(&mut verifier)).collect();
    let mut working = Vec::new();
    for batch in &out {
        working.push(pair.evaluate(&mut holder, &verifier.submit(batch).unwrap()).unwrap());
    }
    let again = verifier.submit(&out[0]).unwrap();
    assert_eq!(code(&holder.receive_batch(&again, NOW).unwrap_err()), RefusalCode::OutOfTurn);
    holder.answer(working.pop().unwrap()).unwrap();
    assert!(holder.receive_batch(&again, NOW).is_ok(), "an answer makes room");
}

/// What a holder announces does not make a verifier keep more in memory than its own limit.
#[test]
fn repro_a_holder_that_allows_65535_batches_does_not_get_them() {
    let mut pair = Pair::new(20, 1, 1);
    let handshake = pair.handshake();
    let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut welcome = Welcome::from_frame(&welcome).unwrap();
    welcome.batches_in_flight_max = u16::MAX;
    let verifier = handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap();
    assert_eq!(verifier.batches_in_flight_max(), oblink_session::limits::BATCHES_IN_FLIGHT_MAX);
}

/// A charge that the ledger could not write must not take the digests of earlier answers with it: the session could never complete.
#[test]
fn repro_answers_survive_a_charge_that_does_not_commit() {
    let mut pair = Pair::new(3, 1, 1);
    let (mut holder, mut verifier) = pair.open();
    let first = pair.blind(&mut verifier).unwrap();
    let answer = pair.answer(&mut holder, &verifier.submit(&first).unwrap()).unwrap();
    verifier.accept(&Pair::verify(&verifier, &answer, first).unwrap()).unwrap();
    let second = pair.blind(&mut verifier).unwrap();
    // The ledger is busy: this charge is dropped with all that it carried.
    drop(holder.receive_batch(&verifier.submit(&second).unwrap(), NOW).unwrap());
    holder.suspend(&mut pair.ledger, NOW).unwrap();
    let booked = pair.ledger.sessions.values().next().unwrap();
    assert!(booked.charges[&0].evaluated_digest.is_some());
}

/// HSK-5: what was charged, and whose answer the holder has no record of after a crash, is named in the next Welcome.
#[test]
fn a_resumed_session_names_the_batches_to_send_again() {
    let mut pair = Pair::new(4, 1, 1);
    let handshake = pair.handshake();
    let hello = handshake.hello(NOW).unwrap();
    let (mut holder, welcome) = pair.admit(&hello).unwrap();
    assert!(Welcome::from_frame(&welcome).unwrap().resend.is_empty());
    let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
    for _ in 0..2 {
        let batch = pair.blind(&mut verifier).unwrap();
        let answer = pair.answer(&mut holder, &verifier.submit(&batch).unwrap()).unwrap();
        verifier.accept(&Pair::verify(&verifier, &answer, batch).unwrap()).unwrap();
    }
    drop(holder); // a crash: nothing is suspended
    let (_, welcome) = pair.admit(&hello).unwrap();
    assert_eq!(Welcome::from_frame(&welcome).unwrap().resend, [1]);
}

/// A charge is for one epoch's key, a verified batch for one session.
#[test]
fn proof_tokens_do_not_travel() {
    let mut pair = Pair::new(4, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    let blinded = pair.blind(&mut verifier).unwrap();
    let frame = verifier.submit(&blinded).unwrap();
    let charged = holder.receive_batch(&frame, NOW).unwrap().commit(&mut pair.ledger).unwrap();
    let seed = oblink_session::epoch::EpochSeed::from_bytes(zeroize::Zeroizing::new([3; 32]));
    let other = oblink_session::epoch::EpochKeys::derive(&seed, [5; 16]).unwrap();
    assert!(matches!(charged.evaluate_slice(&other, 0..4), Err(Error::Internal(_))));
    let answer = pair.answer(&mut holder, &frame).unwrap();
    let verified = Pair::verify(&verifier, &answer, blinded).unwrap();
    let mut second = Pair::new(4, 1, 4);
    second.rng = rand::SeedableRng::seed_from_u64(2);
    let (_, mut elsewhere) = second.open();
    let _out = second.blind(&mut elsewhere).unwrap();
    assert!(matches!(elsewhere.accept(&verified), Err(Error::Internal(_))));
}

/// A receipt from before its session was admitted is not signed.
#[test]
fn a_backdated_receipt_is_refused() {
    let mut pair = Pair::new(4, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    pair.run_batches(&mut holder, &mut verifier);
    let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
    let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW - 300_001).unwrap().commit(&mut pair.ledger).unwrap();
    let frame = holder.completed(completed).unwrap();
    assert!(matches!(awaiting.receive_receipt(&frame, NOW), Err(Error::Incompatible(Incompatibility::Clock { .. }))));
}

/// REQ-1: what both sides keep of a batch is bounded, so the number of batches is.
#[test]
fn a_request_of_too_many_batches_is_none() {
    assert!(Request::new([7; 16], 1 << 20, 1, "us-exact-1", pair::RULESET, 1).is_ok());
    assert!(Request::new([7; 16], (1 << 20) + 1, 1, "us-exact-1", pair::RULESET, 1).is_err());
}

/// A restored receipt is one that this holder signed.
#[test]
fn a_saved_state_cannot_smuggle_in_a_receipt() {
    let mut pair = Pair::new(4, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    pair.run_batches(&mut holder, &mut verifier);
    pair.finish(&mut holder, verifier);
    let mut bytes = holder.save().unwrap();
    assert!(oblink_session::holder::HolderSession::restore(pair.holder.clone(), &bytes).is_ok());
    // The last byte of its signature: size and root of Welcome's head come after it.
    let last = bytes.len() - 1 - 8 - 32;
    bytes[last] ^= 1;
    assert!(matches!(oblink_session::holder::HolderSession::restore(pair.holder.clone(), &bytes), Err(Error::SavedState(_))));
}

/// SPEC §1: canonical JSON has integers below 2^53. A receipt and a head with a larger one were taken, though no other reader of JSON need take them.
#[test]
fn repro_integers_beyond_canonical_json_are_refused() {
    let mut pair = Pair::new(5, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    pair.run_batches(&mut holder, &mut verifier);
    let (receipt, _) = pair.finish(&mut holder, verifier);
    let largest = (1_u64 << 53) - 1;
    let text = String::from_utf8(receipt.body.clone()).unwrap();
    for member in ["ledger_size", "completed_unix_ms"] {
        let (before, rest) = text.split_once(&format!("\"{member}\":")).unwrap();
        let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        for (value, holds) in [(largest, true), (largest + 1, false), (u64::MAX, false)] {
            let body = format!("{before}\"{member}\":{value}{after}").into_bytes();
            let signed = Receipt {
                holder_signature: pair.holder.statement_key.sign(StatementKind::Receipt, &body),
                verifier_signature: pair.verifier.statement_key.sign(StatementKind::Receipt, &body),
                body,
                ..receipt.clone()
            };
            assert_eq!(Receipt::from_json(&signed.to_json()).is_ok(), holds, "{member} {value}");
        }
    }
    let (own, holder) = (&pair.holder.statement_key, &pair.holder.fingerprint);
    let key = CertifiedKey::check(own.certificate(), holder).unwrap();
    for (size, unix_ms, holds) in [(largest, largest, true), (largest + 1, 1, false), (1, largest + 1, false)] {
        let head = SignedHead::sign(own, holder, LogHead { size, root: [1; 32] }, unix_ms);
        assert_eq!(head.verify(&key, holder).is_ok(), holds, "{size} {unix_ms}");
    }
}
