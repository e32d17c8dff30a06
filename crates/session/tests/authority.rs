//! Signed sessions: officials, a policy, approved batches (SPEC REQ-5, AUT-1, BAT-7), from a request to a disclosure; and everybody who
//! tries otherwise, each refused with the right code before anything is charged.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod pair;

use oblink_session::authority::{Namespace, Policy};
use oblink_session::commitment::blinded_leaf;
use oblink_session::disclosure::{DisclosureDue, ReceivingDisclosure, disclosure_frames};
use oblink_session::error::{Error, Misbehaviour, RefusalCode};
use oblink_session::holder::HolderSession;
use oblink_session::ledger::Side;
use oblink_session::merkle::Tree;
use oblink_session::question::Question;
use oblink_session::receipt::Receipt;
use oblink_session::request::{Disclosure, Request, to_hex};
use oblink_session::statement::StatementKind;
use oblink_session::transcript::Authority;
use oblink_session::verifier::{VerifierHandshake, VerifierSession};
use oblink_session::wire::{Batch, Frame, Hello, ReceiptMessage, Welcome};
use pair::officials::{ASKING, HOLDING, allowed_signers, policy_toml, sign};
use pair::{Checked, NOW, Pair};

fn code(error: &Error) -> RefusalCode {
    error.to_refusal().expect("the other side is told").code
}

/// AUT-1, REQ-5, BAT-7, END-3: everything together, with batches that fill their tree and batches that do not.
#[test]
fn a_signed_session_from_request_to_receipt() {
    for (pairs, batch_tokens) in [(10, 4), (8, 2), (1, 4), (13, 1)] {
        let mut pair = Pair::signed(pairs, batch_tokens);
        let (mut holder, mut verifier) = pair.open();
        let policy = pair.policy.as_ref().unwrap().digest();
        assert_eq!((*holder.authority(), *verifier.authority()), (Authority::Signed(policy), Authority::Signed(policy)));
        assert!(pair.run_batches(&mut holder, &mut verifier) == pair.expected_tags());
        let (kept, finished) = pair.finish(&mut holder, verifier);
        assert_eq!(Receipt::from_json(&kept.to_json()).unwrap(), *finished.receipt());
        let body = String::from_utf8(kept.body).unwrap();
        for member in ["\"authority\":\"signed\"", "\"disclosure\":\"count\"", &format!("\"policy\":\"{}\"", to_hex(&policy))] {
            assert!(body.contains(member), "{member} in {body}");
        }
        assert_eq!(pair.ledger.charged_tokens, pairs);
        let entry = &pair.ledger.sessions[&[7; 16]].entry;
        assert_eq!(entry.request, pair.request.bytes(), "what was signed is kept");
        let authority = entry.authority.as_ref().unwrap();
        assert_eq!((authority.policy_digest, authority.disclosure), (policy, Disclosure::Count));
        assert_eq!((&authority.signatures, &authority.countersignatures), (&pair.signatures, &pair.countersignatures));
        let signers: Vec<_> = authority.signers.iter().map(|signer| (signer.side, signer.principal.as_str())).collect();
        assert_eq!(signers, [(Side::Verifier, ASKING[0].0), (Side::Verifier, ASKING[1].0), (Side::Holder, HOLDING[0].0)]);
        assert_eq!((authority.caps.window_requests_max, authority.caps.epoch_tokens_max), (4, 8_000));
        pair.ledger.heads_hold();
    }
}

/// A verifier's Batch frame for elements of its own choice under an index, rightly stated.
fn stated(pair: &Pair, verifier: &VerifierSession, index: u64, blinded: Vec<[u8; 32]>, path: Vec<[u8; 32]>) -> Frame {
    use oblink_session::statement::batch_statement_body;
    use oblink_session::wire::raw::blinded_digest;
    let digest = blinded_digest(index, &blinded);
    let body = batch_statement_body(verifier.session_id(), &pair.request.digest(), &[4; 16], &pair.offer.set_id, index, &digest);
    let statement = pair.verifier.statement_key.sign(StatementKind::Batch, &body);
    Batch { index, blinded, statement, path }.to_frame()
}

/// BAT-7: whatever is asked beside the approved list is refused before it is charged, however well it is stated.
#[test]
fn a_batch_that_was_not_approved_is_refused_and_not_charged() {
    // Five batches of 2: a tree with a border.
    type Change = fn(&mut Batch, &[Batch]);
    let cases: [(&str, Change); 12] = [
        ("another list", |b, _| b.blinded = vec![stranger(1), stranger(2)]),
        ("one row of it replaced", |b, _| b.blinded[1] = stranger(1)),
        ("a row twice", |b, _| b.blinded[1] = b.blinded[0]),
        ("another order", |b, _| b.blinded.swap(0, 1)),
        ("another batch's elements", |b, all| b.blinded.clone_from(&all[1].blinded)),
        ("another batch's elements and path", |b, all| {
            b.blinded.clone_from(&all[1].blinded);
            b.path.clone_from(&all[1].path);
        }),
        ("another batch's path", |b, all| b.path.clone_from(&all[1].path)),
        ("the path of a batch at another depth", |b, all| b.path.clone_from(&all[4].path)),
        ("no path", |b, _| b.path.clear()),
        ("a path of one hash too few", |b, _| b.path.truncate(2)),
        ("a path of one hash too many", |b, _| b.path.push([0; 32])),
        ("a bit of the path", |b, _| b.path[2][31] ^= 1),
    ];
    for (name, change) in cases {
        let mut pair = Pair::signed(10, 2);
        let (mut holder, mut verifier) = pair.open();
        let out: Vec<_> = std::iter::from_fn(|| pair.blind(&mut verifier)).collect();
        let all: Vec<Batch> = out.iter().map(|batch| Batch::from_frame(&verifier.submit(batch).unwrap()).unwrap()).collect();
        assert_eq!(all.iter().map(|batch| batch.path.len()).collect::<Vec<_>>(), [3, 3, 3, 3, 1]);
        let mut batch = all[0].clone();
        change(&mut batch, &all);
        let frame = stated(&pair, &verifier, 0, batch.blinded, batch.path);
        let error = holder.receive_batch(&frame, NOW).unwrap_err();
        assert_eq!(code(&error), RefusalCode::BatchUnapproved, "{name}");
        assert_eq!(pair.ledger.charged_tokens, 0, "{name}");
        // The one that was approved goes through all the same: nothing of the other stayed.
        assert!(pair.answer(&mut holder, &all[0].to_frame()).is_ok(), "{name}");
    }
}

/// An element of nobody's list.
fn stranger(number: u8) -> [u8; 32] {
    let mut out = [[0; 32]];
    let blinder =
        oblink_session::blind::Blinder::new(&oblink_session::blind::BlindSeed::from_bytes(zeroize::Zeroizing::new([number; 32])), [7; 16]);
    oblink_oprf::blind_slice(&[b"somebody else"], &[blinder.blind(0, b"somebody else")], &mut out).unwrap();
    out[0]
}

/// BAT-2 comes first: a row more than the request gives a batch is no batch of it.
#[test]
fn a_row_added_to_a_batch_is_refused() {
    let mut pair = Pair::signed(9, 2);
    let (mut holder, mut verifier) = pair.open();
    let last = std::iter::from_fn(|| pair.blind(&mut verifier)).last().unwrap();
    let mut batch = Batch::from_frame(&verifier.submit(&last).unwrap()).unwrap();
    batch.blinded.push(stranger(1));
    let frame = stated(&pair, &verifier, 4, batch.blinded, batch.path);
    assert_eq!(code(&holder.receive_batch(&frame, NOW).unwrap_err()), RefusalCode::BatchMalformed);
    assert_eq!(pair.ledger.charged_tokens, 0);
}

/// BAT-7: an unsigned request commits to nothing, so a path is a mistake.
#[test]
fn a_path_in_pilot_mode_is_refused() {
    let mut pair = Pair::new(4, 1, 2);
    let (mut holder, mut verifier) = pair.open();
    let blinded = pair.blind(&mut verifier).unwrap();
    let mut batch = Batch::from_frame(&verifier.submit(&blinded).unwrap()).unwrap();
    assert!(batch.path.is_empty());
    batch.path.push([1; 32]);
    assert_eq!(code(&holder.receive_batch(&batch.to_frame(), NOW).unwrap_err()), RefusalCode::BatchMalformed);
    assert_eq!(pair.ledger.charged_tokens, 0);
}

/// AUT-1, AUT-2: each demand, with the reason that the ledger keeps and the one word that goes out.
#[test]
fn what_the_officials_did_not_sign_is_not_authorised() {
    type Change = fn(&mut Pair, &mut Hello);
    let edited = |find: &'static str, put: &'static str| {
        move |hello: &mut Hello| hello.request = String::from_utf8(hello.request.clone()).unwrap().replacen(find, put, 1).into_bytes()
    };
    let cases: [(&str, Change, &str); 13] = [
        ("one signature short", |_, h| h.signatures.truncate(1), "signature_short"),
        ("no signature", |_, h| h.signatures.clear(), "signature_short"),
        ("the same official twice", |_, h| h.signatures[1] = h.signatures[0].clone(), "signature_short"),
        ("an edited signature", |_, h| h.signatures[0][200] ^= 1, ""),
        ("no armour", |_, h| h.signatures[0] = b"sig".to_vec(), "signature_malformed"),
        ("another namespace", |p, h| h.signatures[0] = sign(ASKING[0].1, "countersign@oblink-1", p.request.bytes()), "wrong_namespace"),
        ("a file's namespace", |p, h| h.signatures[0] = sign(ASKING[0].1, "file", p.request.bytes()), "wrong_namespace"),
        ("over other bytes", |_, h| h.signatures[0] = sign(ASKING[0].1, Namespace::Request.as_str(), b"{}"), "signature_invalid"),
        ("by nobody who is listed", |p, h| h.signatures[0] = sign(9, Namespace::Request.as_str(), p.request.bytes()), "signer_not_listed"),
        (
            "by the holder's official",
            |p, h| h.signatures[0] = sign(HOLDING[0].1, Namespace::Request.as_str(), p.request.bytes()),
            "signer_not_listed",
        ),
        ("no countersignature", |p, _| p.countersignatures.clear(), "signature_short"),
        (
            "a countersignature by one who asks",
            |p, _| p.countersignatures = vec![sign(ASKING[0].1, "countersign@oblink-1", p.request.bytes())],
            "signer_not_listed",
        ),
        (
            "a countersignature for the other purpose",
            |p, _| p.countersignatures = vec![sign(HOLDING[0].1, "request@oblink-1", p.request.bytes())],
            "wrong_namespace",
        ),
    ];
    let refused = |pair: &mut Pair, hello: &Frame, name: &str, word: &str| {
        let error = pair.admit(hello).unwrap_err();
        let refusal = error.to_refusal().unwrap();
        assert_eq!(refusal.code, RefusalCode::NotAuthorised, "{name}");
        assert!(refusal.reason.as_ref().unwrap().starts_with(word), "{name}: {refusal:?}");
        assert_eq!(refusal.detail, "the request is not authorised under the holder's policy", "{name}: the reason stays at home");
        assert!(!String::from_utf8_lossy(&refusal.to_frame().body).contains("signer"));
        assert!(pair.ledger.sessions.is_empty() && pair.ledger.log.is_empty(), "{name}");
    };
    for (name, change, word) in cases {
        let mut pair = Pair::signed(10, 4);
        let mut hello = Hello::from_frame(&pair.handshake().hello(NOW).unwrap()).unwrap();
        change(&mut pair, &mut hello);
        refused(&mut pair, &hello.to_frame().unwrap(), name, word);
    }
    for (name, find, put) in [
        ("an edited purpose", "To confirm", "To collect"),
        ("other batches", "\"blinded_root\":\"", "\"blinded_root\":\"0"),
        ("another list", "\"list_root\":\"", "\"list_root\":\"0"),
    ] {
        let mut pair = Pair::signed(10, 4);
        let mut hello = Hello::from_frame(&pair.handshake().hello(NOW).unwrap()).unwrap();
        edited(find, put)(&mut hello);
        if put.ends_with('0') {
            // Still 64 digits.
            let text = String::from_utf8(hello.request).unwrap();
            let at = text.find(put).unwrap() + put.len() + 63;
            hello.request = [&text[..at], &text[at + 1..]].concat().into_bytes();
        }
        refused(&mut pair, &hello.to_frame().unwrap(), name, "signature_invalid");
    }
}

/// AUT-1: what the policy does not let the verifier ask, whoever signed it.
#[test]
fn what_the_policy_does_not_allow_is_not_authorised() {
    use oblink_session::request::Manifest;
    type Change = fn(&mut Manifest);
    let cases: [(&str, Change); 8] = [
        ("another holder", |m| m.holder = [1; 32]),
        ("another verifier", |m| m.verifier = [1; 32]),
        ("another name", |m| m.verifier_name.push('s')),
        ("expired", |m| (m.not_before_unix_ms, m.not_after_unix_ms) = (NOW - 2, NOW - 1)),
        ("not yet", |m| (m.not_before_unix_ms, m.not_after_unix_ms) = (NOW + 1, NOW + 2)),
        ("no agreement", |m| m.fields.clear()),
        ("three addresses a person", |m| m.addresses_per_person_max = 3),
        ("an order of 1990", |m| m.order_date_earliest = 19_900_101),
    ];
    for (name, change) in cases {
        let mut pair = Pair::signed_as(10, 4, change);
        let hello = pair.handshake().hello(NOW).unwrap();
        assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::NotAuthorised, "{name}");
        assert!(pair.ledger.sessions.is_empty(), "{name}");
    }
    let mut pair = Pair::signed(1_001, 500);
    let hello = pair.handshake().hello(NOW).unwrap();
    assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::NotAuthorised, "more pairs than one request may have");
}

/// HSK-4: the first policy ends pilot mode.
#[test]
fn an_unsigned_request_under_a_policy_is_not_authorised() {
    let policy = Pair::signed(4, 4).policy;
    let ruleset = oblink_linkage::Ruleset::by_name("us-exact-1").unwrap();
    let mut pair = Pair::under(Request::new([7; 16], 4, 4, "us-exact-1", ruleset.digest(), 1).unwrap());
    let hello = pair.handshake().hello(NOW).unwrap();
    assert!(pair.decide(&hello).is_ok(), "fine in pilot mode");
    pair.policy = policy;
    let error = pair.admit(&hello).unwrap_err();
    assert_eq!(code(&error), RefusalCode::NotAuthorised);
    assert!(error.to_refusal().unwrap().reason.unwrap().contains("unsigned"));
}

/// POL-4: what was decided under one policy is not opened under another, nor charged.
#[test]
fn a_policy_that_changes_in_between_stops_the_session() {
    let mut pair = Pair::signed(10, 4);
    let hello = pair.handshake().hello(NOW).unwrap();
    let pending = pair.decide(&hello).unwrap();
    pair.ledger.policy = Some([1; 32]);
    assert_eq!(code(&pending.commit(&mut pair.ledger, NOW).unwrap_err()), RefusalCode::PolicyChanged);
    assert!(pair.ledger.sessions.is_empty() && pair.ledger.heads.is_empty());

    let mut pair = Pair::signed(10, 4);
    let (mut holder, mut verifier) = pair.open();
    let blinded = pair.blind(&mut verifier).unwrap();
    let frame = verifier.submit(&blinded).unwrap();
    pair.ledger.policy = Some([1; 32]);
    assert_eq!(code(&pair.answer(&mut holder, &frame).unwrap_err()), RefusalCode::PolicyChanged);
    assert_eq!(pair.ledger.charged_tokens, 0);

    // A session of pilot mode ends with the first policy.
    let mut pair = Pair::new(4, 1, 4);
    let (mut holder, mut verifier) = pair.open();
    let blinded = pair.blind(&mut verifier).unwrap();
    pair.ledger.policy = Some([1; 32]);
    assert_eq!(code(&pair.answer(&mut holder, &verifier.submit(&blinded).unwrap()).unwrap_err()), RefusalCode::PolicyChanged);
    assert_eq!(pair.ledger.charged_tokens, 0);
}

/// HSK-4, BAT-7: before the first policy an authorised request is asked unsigned, and held to its batches all the same.
#[test]
fn an_authorised_request_in_pilot_mode_is_held_to_its_batches() {
    let mut pair = Pair::signed(10, 4);
    (pair.policy, pair.ledger.policy) = (None, None);
    let (mut holder, mut verifier) = pair.open();
    assert_eq!((holder.authority(), verifier.authority()), (&Authority::Unsigned, &Authority::Unsigned));
    let blinded = pair.blind(&mut verifier).unwrap();
    let batch = Batch::from_frame(&verifier.submit(&blinded).unwrap()).unwrap();
    let frame = stated(&pair, &verifier, 0, batch.blinded.iter().rev().copied().collect(), batch.path.clone());
    assert_eq!(code(&holder.receive_batch(&frame, NOW).unwrap_err()), RefusalCode::BatchUnapproved);
    assert!(pair.answer(&mut holder, &batch.to_frame()).is_ok());
    assert!(pair.ledger.sessions[&[7; 16]].entry.authority.is_none());
}

/// END-3: a receipt says the policy of its Welcome. END-4: one from before this Welcome says its own.
#[test]
fn a_receipt_says_the_policy_that_was_welcomed() {
    let finish = |pair: &mut Pair, handshake: VerifierHandshake, frame: &Frame| {
        let (mut holder, welcome) = pair.admit(frame).unwrap();
        let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
        pair.run_batches(&mut holder, &mut verifier);
        let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
        let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
        (awaiting, ReceiptMessage::from_frame(&holder.completed(completed).unwrap()).unwrap())
    };
    let mut pair = Pair::signed(4, 4);
    let handshake = pair.handshake();
    let (saved, hello) = (handshake.save().unwrap(), handshake.hello(NOW).unwrap());
    let (awaiting, mut receipt) = finish(&mut pair, handshake, &hello);
    let digest = to_hex(&pair.policy.as_ref().unwrap().digest());
    let body = String::from_utf8(receipt.body.clone()).unwrap().replace(&digest, &to_hex(&[1; 32]));
    let honest = receipt.clone();
    receipt.body = body.into_bytes();
    receipt.signature = pair.holder.statement_key.sign(StatementKind::Receipt, &receipt.body);
    let error = awaiting.receive_receipt(&receipt.to_frame().unwrap(), NOW).unwrap_err();
    assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Receipt("authority"))), "{error:?}");

    // The receipt was lost, another policy came, and the session comes again under it.
    let toml = policy_toml(&pair.verifier.fingerprint).replace("days_max = 90", "days_max = 60");
    let other = Policy::parse(toml.as_bytes(), allowed_signers().as_bytes()).unwrap();
    assert_ne!(to_hex(&other.digest()), digest);
    (pair.ledger.policy, pair.policy) = (Some(other.digest()), Some(other));
    let again = VerifierHandshake::restore(pair.verifier.clone(), pair.holder.fingerprint, pair.question(), pair.known, &saved).unwrap();
    let (awaiting, receipt) = finish(&mut pair, again, &hello);
    assert_eq!(receipt.body, honest.body);
    assert!(awaiting.receive_receipt(&receipt.to_frame().unwrap(), NOW).is_ok());
}

/// POL-4: at the door and between two batches.
#[test]
fn a_suspended_verifier_is_not_answered() {
    let mut pair = Pair::signed(10, 4);
    let (mut holder, mut verifier) = pair.open();
    let blinded = pair.blind(&mut verifier).unwrap();
    let frame = verifier.submit(&blinded).unwrap();
    pair.ledger.suspended = true;
    assert_eq!(code(&pair.answer(&mut holder, &frame).unwrap_err()), RefusalCode::Suspended);
    assert_eq!(pair.ledger.charged_tokens, 0);
    pair.ledger.sessions.clear();
    let hello = pair.handshake().hello(NOW).unwrap();
    assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::Suspended);
}

/// HSK-7: an authority that the request does not have, or none where it has.
#[test]
fn welcome_cannot_claim_an_authority() {
    let mut pair = Pair::new(4, 1, 4);
    let handshake = pair.handshake();
    let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut welcome = Welcome::from_frame(&welcome).unwrap();
    (welcome.authority, welcome.policy) = (1, [1; 32]);
    let error = handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap_err();
    assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Welcome(_))), "{error:?}");
    let cases: [fn(&mut Welcome); 3] = [|w| w.policy = [0; 32], |w| w.authority = 2, |w| w.authority = 0];
    for (i, change) in cases.into_iter().enumerate() {
        let mut pair = Pair::signed(4, 4);
        let handshake = pair.handshake();
        let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        change(&mut welcome);
        assert!(handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).is_err(), "case {i}");
    }
}

/// REQ-5: what is not the approved list is not framed, and so cannot be sent.
#[test]
fn a_verifier_does_not_send_what_was_not_approved() {
    let mut pair = Pair::signed(10, 4);
    let (_, mut verifier) = pair.open();
    let approved = pair.blind(&mut verifier).unwrap();
    assert!(verifier.submit(&approved).is_ok());
    // The list on the disk is another now.
    pair.tokens[5] = b"somebody else".to_vec();
    let other = pair.blind(&mut verifier).unwrap();
    assert!(matches!(verifier.submit(&other), Err(Error::OtherBatches)));
    // So is the seed.
    pair.seed = oblink_session::blind::BlindSeed::from_bytes(zeroize::Zeroizing::new([77; 32]));
    let other = pair.blind(&mut verifier).unwrap();
    assert!(matches!(verifier.submit(&other), Err(Error::OtherBatches)));
    // A file of digests that is not the request's is no question.
    let question = |digests| Question::authorised(pair.request.clone(), pair.signatures.clone(), digests);
    let mut swapped = pair.digests.clone();
    swapped.swap(0, 1);
    for digests in [swapped, pair.digests[..2].to_vec(), [&pair.digests[..], &pair.digests[2..]].concat(), Vec::new()] {
        assert!(matches!(question(digests), Err(Error::OtherBatches)));
    }
    assert!(question(pair.digests.clone()).is_ok());
    assert!(matches!(Question::unsigned(pair.request.clone()), Err(Error::Internal(_))));
    assert_eq!(Tree::new(pair.digests.iter().map(blinded_leaf).collect()).root(), pair.request.manifest().unwrap().blinded_root);
}

/// HSK-5, BAT-3: after a crash the same Hello finds the same session, and what was charged is free.
#[test]
fn a_restored_handshake_resumes_a_signed_session() {
    let mut pair = Pair::signed(10, 4);
    let handshake = pair.handshake();
    let saved = handshake.save().unwrap();
    let (mut holder, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
    let head = verifier.welcomed().unwrap().head;
    let id = *verifier.session_id();
    let first = pair.blind(&mut verifier).unwrap();
    let first_frame = verifier.submit(&first).unwrap();
    pair.answer(&mut holder, &first_frame).unwrap();
    drop((holder, verifier)); // Both die; the verifier has its request directory and the head that it kept.
    pair.known = head;
    let handshake =
        VerifierHandshake::restore(pair.verifier.clone(), pair.holder.fingerprint, pair.question(), pair.known, &saved).unwrap();
    let (mut holder, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
    assert_eq!(*verifier.session_id(), id);
    assert!(verifier.welcomed().unwrap().head.size > head.size);
    let again = pair.blind(&mut verifier).unwrap();
    assert_eq!(verifier.submit(&again).unwrap(), first_frame, "the same batch, stated the same");
    let charged = pair.ledger.charged_tokens;
    let answer = pair.answer(&mut holder, &first_frame).unwrap();
    assert_eq!(pair.ledger.charged_tokens, charged, "free");
    verifier.accept(&Pair::verify(&verifier, &answer, again).unwrap()).unwrap();
    // Both states of the batch phase go through bytes, approved batches and all.
    let mut verifier = VerifierSession::restore(pair.verifier.clone(), &verifier.save().unwrap()).unwrap();
    let mut holder = HolderSession::restore(pair.holder.clone(), &holder.save().unwrap()).unwrap();
    assert!(verifier.welcomed().is_none());
    pair.run_batches(&mut holder, &mut verifier);
    pair.finish(&mut holder, verifier);
    assert_eq!(pair.ledger.charged_tokens, 10);
    // A stolen state in other hands: Hello by another verifier's key names the same request, and is none.
    let error = VerifierHandshake::restore(pair.verifier.clone(), [9; 32], pair.question(), pair.known, &saved).unwrap_err();
    assert!(matches!(error, Error::SavedState(_)));
}

/// AUT-1: the policy is looked at again whenever a line comes back.
#[test]
fn a_session_resumes_under_the_policy_of_the_day() {
    let mut pair = Pair::signed(10, 4);
    let hello = pair.handshake().hello(NOW).unwrap();
    pair.admit(&hello).unwrap();
    let toml = policy_toml(&pair.verifier.fingerprint).replace("signatures_min = 2\nuser_presence", "signatures_min = 3\nuser_presence");
    let stricter = Policy::parse(toml.as_bytes(), allowed_signers().as_bytes()).unwrap();
    pair.ledger.policy = Some(stricter.digest());
    pair.policy = Some(stricter);
    assert_eq!(code(&pair.admit(&hello).unwrap_err()), RefusalCode::NotAuthorised);
    // With the third signature it goes on: the nonce is the session's, and the signatures are no part of what it is.
    let third = sign(ASKING[2].1, Namespace::Request.as_str(), pair.request.bytes());
    let mut more = Hello::from_frame(&hello).unwrap();
    more.signatures.push(third);
    assert!(pair.admit(&more.to_frame().unwrap()).is_ok());
    assert_eq!(pair.ledger.sessions.len(), 1);
}

/// DIS-1, DIS-2: what was agreed, over the wire and into the ledger, once.
#[test]
fn a_disclosure_goes_into_the_ledger_once() {
    for kind in [Disclosure::Count, Disclosure::MatchedTags] {
        let mut pair = Pair::signed_as(10, 4, |manifest| manifest.disclosure = kind);
        let (mut holder, mut verifier) = pair.open();
        let tags: Vec<u128> = pair.run_batches(&mut holder, &mut verifier).into_iter().map(|tag| tag.0).collect();
        let (receipt, _) = pair.finish(&mut holder, verifier);
        let due = DisclosureDue {
            session_id: *holder.session_id(),
            receipt_digest: receipt.digest(),
            verifier: pair.verifier.fingerprint,
            verifier_certificate: *pair.verifier.statement_key.certificate(),
            kind,
            pairs: 10,
            tokens: 10,
        };
        let frames = |matched: &[u128]| {
            disclosure_frames(
                &pair.verifier.statement_key,
                *holder.session_id(),
                receipt.digest(),
                kind,
                matched.len() as u64,
                matched.to_vec(),
            )
            .unwrap()
        };
        let receive = |frames: &[Frame], ledger: &mut pair::MemoryLedger| {
            // As bytes: what a line carries.
            let frames: Vec<Frame> = frames.iter().map(|frame| Frame::parse(&frame.to_bytes()).unwrap().unwrap().0).collect();
            let mut receiving = ReceivingDisclosure::begin(&frames[0], &pair.verifier.fingerprint, Some(due.clone()))?;
            for frame in &frames[1..] {
                receiving.receive_tags(frame)?;
            }
            receiving.finish()?.commit(ledger, NOW)
        };
        let first = frames(&tags[..3]);
        assert_eq!(first.len(), if kind == Disclosure::Count { 1 } else { 2 });
        for _ in 0..2 {
            let closed = receive(&first, &mut pair.ledger).unwrap();
            oblink_session::wire::control::expect_closed(&closed).unwrap();
        }
        let booked = &pair.ledger.disclosures[holder.session_id()];
        assert_eq!((booked.kind, booked.matched, booked.tags.len()), (kind, 3, if kind == Disclosure::Count { 0 } else { 3 }));
        let error = receive(&frames(&tags[..2]), &mut pair.ledger).unwrap_err();
        assert_eq!(code(&error), RefusalCode::OutOfTurn, "another one later");
        assert_eq!(pair.ledger.disclosures.len(), 1);
    }
}

/// END-4: a receipt of before, sent again after the ledger went on, and under the policy of the day.
#[test]
fn a_receipt_is_taken_again_when_the_ledger_has_gone_on() {
    let mut pair = Pair::signed(4, 4);
    let hello = pair.handshake();
    let saved = hello.save().unwrap();
    let frame = hello.hello(NOW).unwrap();
    let (mut holder, welcome) = pair.admit(&frame).unwrap();
    let mut verifier = hello.receive_welcome(&welcome, NOW).unwrap();
    pair.run_batches(&mut holder, &mut verifier);
    let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
    let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
    let receipt = holder.completed(completed).unwrap(); // lost on the way
    drop(awaiting);
    for _ in 0..5 {
        pair.ledger.append("of another verifier");
    }
    let handshake =
        VerifierHandshake::restore(pair.verifier.clone(), pair.holder.fingerprint, pair.question(), pair.known, &saved).unwrap();
    let (mut holder, welcome) = pair.admit(&frame).unwrap();
    let mut verifier = handshake.receive_welcome(&welcome, NOW).unwrap();
    pair.run_batches(&mut holder, &mut verifier);
    let welcomed = verifier.welcomed().unwrap().head;
    let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
    let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
    let again = holder.completed(completed).unwrap();
    let body = |frame: &Frame| oblink_session::wire::ReceiptMessage::from_frame(frame).unwrap().body;
    assert_eq!(body(&receipt), body(&again), "the same receipt, with a head older than this Welcome's");
    let (finished, _) = awaiting.receive_receipt(&again, NOW).unwrap();
    assert_eq!(*finished.head(), welcomed, "the later of the two is kept");
}
