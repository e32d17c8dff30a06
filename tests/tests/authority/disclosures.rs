//! What a verifier tells of its results, and what it may not (SPEC DIS-1 to DIS-3).

use oblink_session::disclosure::disclosure_frames;
use oblink_session::error::RefusalCode;
use oblink_session::request::{Disclosure, from_hex};
use oblink_session::wire::FrameType;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::Results;
use oblink_tests::book::receipt;

use super::house::House;

fn answered(disclosure: &str) -> (House, oblink_tests::Serving, Results) {
    let house = House::new();
    let request = house.agencies.request(&house.pairs, "r", &format!("--disclosure {disclosure}")).signed_by(house.two());
    let serving = house.serve();
    let ended = house.agencies.asking(serving.address(), &request).ok();
    let object = ended.objects().into_iter().find(|object| object.get("match").is_some()).unwrap();
    let results = Results::read(&request.path.with_extension("results.csv"), object);
    (house, serving, results)
}

/// A verifier says something by hand.
fn says(house: &House, serving: &oblink_tests::Serving, results: &Results, kind: Disclosure, matched: u64, tags: Vec<u128>) -> RefusalCode {
    let peer = house.peer();
    let digest = receipt(&house.agencies.at("r").join("receipt.json")).digest();
    let frames = disclosure_frames(peer.statement_key(), from_hex(results.session()).unwrap(), digest, kind, matched, tags).unwrap();
    let mut line = peer.dial(serving.address()).unwrap();
    let code = line.begin_with(&frames, FrameType::Closed).unwrap_err().code();
    line.leave();
    code
}

/// Attack: a verifier that tells what it did not agree to tell, to have the holder learn of matches (SPEC DIS-1).
#[test]
fn a_disclosure_that_was_not_agreed() {
    let (house, serving, results) = answered("none");
    assert_eq!(says(&house, &serving, &results, Disclosure::Count, 3, Vec::new()), RefusalCode::OutOfTurn);
    assert_eq!(says(&house, &serving, &results, Disclosure::MatchedTags, 1, vec![7]), RefusalCode::OutOfTurn);
    drop(serving.stop());
    assert!(house.agencies.holder.logged(EntryKind::Disclosure).is_empty());
    house.agencies.ledger_holds();
}

/// Attack: a second, different disclosure of one request, and more of it than was agreed (SPEC DIS-1, DIS-2).
#[test]
fn a_second_disclosure() {
    let (house, serving, results) = answered("count");
    let entries = house.agencies.holder.logged(EntryKind::Disclosure);
    let matched = results.matched().iter().filter(|matched| **matched).count();
    assert_eq!((entries.len(), &entries[0].body["matched"]), (1, &matched.into()));
    assert_eq!(says(&house, &serving, &results, Disclosure::Count, 3, Vec::new()), RefusalCode::OutOfTurn);
    assert_eq!(says(&house, &serving, &results, Disclosure::MatchedTags, 1, vec![7]), RefusalCode::OutOfTurn);
    drop(serving.stop());
    assert_eq!(house.agencies.holder.logged(EntryKind::Disclosure).len(), 1);
    house.agencies.ledger_holds();
}
