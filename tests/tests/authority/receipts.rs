//! Receipts that say something else than what happened (SPEC END-1 to END-3).

use oblink_session::error::RefusalCode;
use oblink_session::statement::StatementKind;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::fake::{FakeHolder, Modified};
use oblink_tests::{Agencies, Ended};
use serde_json::Value;

use super::house::House;

fn verify(agencies: &Agencies, file: &std::path::Path, by: &oblink_tests::Party) -> Ended {
    let call = by.call_bare("receipt verify --json --holder").arg(&agencies.holder.fingerprint).arg("--verifier");
    call.arg(&agencies.verifier.fingerprint).path("--receipt", file).run()
}

/// Attack: a receipt's file with another transcript, with another count, or with the signature of another receipt (SPEC END-3).
#[test]
fn an_edited_receipt() {
    let house = House::new();
    let serving = house.serve();
    let (one, two) = (house.request("one"), house.request("two"));
    house.check(&serving, &one);
    house.check(&serving, &two);
    drop(serving.stop());
    let agencies = &house.agencies;
    let file = one.path.join("receipt.json");
    for by in [&agencies.verifier, &agencies.holder] {
        assert_eq!(verify(agencies, &file, by).code(), 0);
    }
    let good: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let other: Value = serde_json::from_slice(&std::fs::read(two.path.join("receipt.json")).unwrap()).unwrap();
    let body = good["body"].as_str().unwrap();
    let (transcript, theirs): (Value, Value) =
        (serde_json::from_str(body).unwrap(), serde_json::from_str(other["body"].as_str().unwrap()).unwrap());
    let swapped = body.replace(transcript["transcript"].as_str().unwrap(), theirs["transcript"].as_str().unwrap());
    let mut cases = Vec::new();
    for edited in [swapped, body.replace("\"pairs\":24", "\"pairs\":23"), body.replace("\"signed\"", "\"unsigned\"")] {
        assert_ne!(edited, body);
        let mut case = good.clone();
        case["body"] = edited.into();
        cases.push(case);
    }
    for member in ["holder_signature", "verifier_signature"] {
        let mut case = good.clone();
        case[member] = other[member].clone();
        cases.push(case);
    }
    for (number, case) in cases.iter().enumerate() {
        let edited = agencies.file("edited.json", serde_json::to_string(case).unwrap());
        for by in [&agencies.verifier, &agencies.holder] {
            let ended = verify(agencies, &edited, by);
            assert_eq!(ended.code(), 6, "case {number}: {ended}");
        }
    }
    // The right receipt of other parties.
    let call = agencies.verifier.call_bare("receipt verify --json --holder").arg(&agencies.verifier.fingerprint).arg("--verifier");
    let ended = call.arg(&agencies.holder.fingerprint).path("--receipt", &file).run();
    assert_eq!(ended.code(), 6, "{ended}");
    agencies.ledger_holds();
}

/// A modified holder signs another body: the verifier ends with exit 6, and writes no results and no receipt.
fn forged_receipt(forge: impl Fn(&mut Value) + Send + 'static) {
    let house = House::new();
    let request = house.request("r");
    let modified = Modified {
        receipt: Box::new(move |message, key| {
            let mut body: Value = serde_json::from_slice(&message.body).unwrap();
            forge(&mut body);
            // Members stay in the order of their names: serde_json's map is sorted.
            message.body = serde_json::to_vec(&body).unwrap();
            message.signature = key.sign(StatementKind::Receipt, &message.body);
        }),
        ..Modified::default()
    };
    let fake = FakeHolder::start(&house.agencies.holder, &house.agencies.verifier, &house.agencies.holder.ledger_path(), modified);
    let ended = house.agencies.asking(&fake.address(), &request).run();
    assert_eq!(ended.code(), 6, "{ended}");
    assert!(fake.ended() > 0, "it got as far as the receipt");
    assert!(!request.path.with_extension("results.csv").exists() && !request.path.join("receipt.json").exists());
}

/// Attack: a holder that signs another transcript than what happened (SPEC END-3).
#[test]
fn a_receipt_with_another_transcript() {
    forged_receipt(|body| body["transcript"] = "5a".repeat(64).into());
}

/// Attack: a holder that says that the session was unsigned, or under another policy, or with fewer pairs (SPEC END-3).
#[test]
fn a_receipt_with_another_authority_or_count() {
    forged_receipt(|body| (body["authority"], body["policy"]) = ("unsigned".into(), "".into()));
    forged_receipt(|body| body["pairs"] = 3.into());
}

/// Attack: a receipt whose ledger head is of another ledger than Welcome's (SPEC LED-2, END-3).
#[test]
fn a_receipt_with_another_ledger() {
    forged_receipt(|body| body["ledger_root"] = "5a".repeat(32).into());
}

/// Attack: a verifier that claims another session than what happened, to have it receipted (SPEC END-2).
#[test]
fn a_verifier_with_another_transcript() {
    let house = House::new();
    let asked = house.draft(8_192).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let (mut line, _) = peer.begin(serving.address(), &asked);
    assert_eq!(line.complete([7; 64]).unwrap_err().code(), RefusalCode::TranscriptDiffers);
    line.leave();
    house.agencies.refusal(15, "");
    drop(serving.stop());
    assert!(house.agencies.holder.logged(EntryKind::Completion).is_empty());
    house.agencies.ledger_holds();
}

/// Attack: a receipt for batches that were never asked (SPEC END-2).
#[test]
fn a_receipt_before_the_last_batch() {
    let house = House::new();
    let asked = house.draft(4).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let (mut line, _) = peer.begin(serving.address(), &asked);
    assert_eq!(line.complete([7; 64]).unwrap_err().code(), RefusalCode::OutOfTurn);
    line.leave();
    drop(serving.stop());
    assert!(house.agencies.holder.logged(EntryKind::Completion).is_empty());
    house.agencies.ledger_holds();
}
