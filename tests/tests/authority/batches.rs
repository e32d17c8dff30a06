//! What is sent in a session that was admitted: exactly the list that was approved, and no other batch (SPEC BAT-7, HSK-5).

use oblink_session::error::RefusalCode;
use oblink_session::wire::{Batch, FrameType, SetRequest};
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{Asked, Draft, day, people};
use oblink_tests::peer::{Admitted, Peer};

use super::house::{House, PAIRS};

/// Elements in a batch of these tests; six batches a request.
const SIZE: usize = 4;

/// Admits a good request, then sends batch 0 as `bend` makes it: refused with `code`, and nothing is charged or evaluated.
fn refused_batch(code: RefusalCode, bend: impl FnOnce(&Peer, &Admitted, &Asked) -> Batch) {
    let house = House::new();
    let asked = house.draft(SIZE as u32).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    let admitted = line.say(&peer.hello(&asked)).unwrap();
    let batch = bend(&peer, &admitted, &asked);
    assert_eq!(line.ask(&batch).unwrap_err().code(), code);
    line.leave();
    assert_eq!(peer.elements(), 0);
    house.agencies.refusal(code as u16, "");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Other people than those of the list, as many and in the same batches.
fn other_people(house: &House) -> Draft {
    let other = house.agencies.file("other.csv", people(200, PAIRS, &day(-10)));
    Draft::new(&house.agencies.holder, &house.agencies.verifier, &other, SIZE as u32)
}

/// Attack: other people in the batch, with the path of the approved one (SPEC BAT-7).
#[test]
fn a_batch_outside_the_blinded_root() {
    let mallory = House::pilot(|_| ());
    let elements = other_people(&mallory).batches().remove(0);
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| peer.batch(admitted, 0, &elements, asked.tree.path(0).unwrap()));
}

/// Attack: a batch of another list, with its own good path under its own root (SPEC BAT-7).
#[test]
fn a_batch_with_a_path_of_another_request() {
    let mallory = House::pilot(|_| ());
    let other = other_people(&mallory).with_signatures(Vec::new());
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, _| {
        peer.batch(admitted, 0, &other.batches[0], other.tree.path(0).unwrap())
    });
}

/// Attack: one element of a batch exchanged for another person's (SPEC BAT-7).
#[test]
fn one_person_exchanged() {
    let mallory = House::pilot(|_| ());
    let elements = other_people(&mallory).batches().remove(0);
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| {
        let mut batch = asked.batches[0].clone();
        batch[2] = elements[2];
        peer.batch(admitted, 0, &batch, asked.tree.path(0).unwrap())
    });
}

/// Attack: an approved batch under another index, with the path of either (SPEC BAT-7).
#[test]
fn the_right_batch_under_another_index() {
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| {
        peer.batch(admitted, 0, &asked.batches[1], asked.tree.path(1).unwrap())
    });
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| {
        peer.batch(admitted, 0, &asked.batches[1], asked.tree.path(0).unwrap())
    });
}

/// Attack: an approved batch without its path, or with one that goes on (SPEC BAT-7).
#[test]
fn a_path_that_is_too_short_or_too_long() {
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| peer.batch(admitted, 0, &asked.batches[0], Vec::new()));
    refused_batch(RefusalCode::BatchUnapproved, |peer, admitted, asked| {
        let mut path = asked.tree.path(0).unwrap();
        path.push([0; 32]);
        peer.batch(admitted, 0, &asked.batches[0], path)
    });
}

/// Attack: one element more than the request gives the batch, and one batch more than it has (SPEC BAT-2).
#[test]
fn one_element_or_one_batch_too_many() {
    refused_batch(RefusalCode::BatchMalformed, |peer, admitted, asked| {
        let batch = [&asked.batches[0][..], &asked.batches[1][..1]].concat();
        peer.batch(admitted, 0, &batch, asked.tree.path(0).unwrap())
    });
    refused_batch(RefusalCode::BatchMalformed, |peer, admitted, asked| {
        peer.batch(admitted, (PAIRS / SIZE) as u64, &asked.batches[0], asked.tree.path(0).unwrap())
    });
}

/// Attack: an approved batch with another one's statement, so that nobody can be held to it (SPEC STM-3).
#[test]
fn a_batch_that_nobody_signed() {
    refused_batch(RefusalCode::SignatureInvalid, |peer, admitted, asked| {
        let mut batch = peer.approved(admitted, asked, 0);
        batch.statement = peer.approved(admitted, asked, 1).statement;
        batch
    });
}

/// Attack: choosing the next person by the answers so far (SPEC BAT-7): the first batch is the approved one, the second is not.
#[test]
fn asking_adaptively() {
    let house = House::new();
    let asked = house.draft(SIZE as u32).signed_by(house.two());
    let other = other_people(&house).batches();
    let serving = house.serve();
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    let admitted = line.say(&peer.hello(&asked)).unwrap();
    assert_eq!(line.ask(&peer.approved(&admitted, &asked, 0)).unwrap().evaluated.len(), SIZE);
    let batch = peer.batch(&admitted, 1, &other[1], asked.tree.path(1).unwrap());
    assert_eq!(line.ask(&batch).unwrap_err().code(), RefusalCode::BatchUnapproved);
    line.leave();
    assert_eq!((peer.elements(), house.agencies.charges()), (SIZE as u64, 1));
    house.agencies.refusal(24, "batch 1");
    drop(serving.stop());
    house.agencies.ledger_holds();
}

/// Attack: an approved batch is sent again and again: the same answer, charged once (SPEC BAT-3).
#[test]
fn the_same_batch_again_is_free_and_tells_nothing_new() {
    let house = House::new();
    let asked = house.draft(SIZE as u32).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    let admitted = line.say(&peer.hello(&asked)).unwrap();
    let first = line.ask(&peer.approved(&admitted, &asked, 3)).unwrap();
    let again = line.ask(&peer.approved(&admitted, &asked, 3)).unwrap();
    assert_eq!(first.evaluated, again.evaluated);
    line.leave();
    assert_eq!(house.agencies.charges(), 1);
    drop(serving.stop());
    house.agencies.ledger_holds();
}

/// Attack: the sealed set without a session, to try guesses on later (SPEC POL-4): the first frame of a connection is a Hello.
#[test]
fn the_set_without_a_session() {
    let house = House::new();
    let serving = house.serve();
    let epoch = &house.agencies.holder.logged(EntryKind::EpochBegin)[0];
    let set_id = oblink_session::request::from_hex(epoch.body["set_id"].as_str().unwrap()).unwrap();
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    let request = SetRequest { set_id, offset: 0 }.to_frame().unwrap();
    assert_eq!(line.begin_with(&[request], FrameType::SetChunk).unwrap_err().code(), RefusalCode::OutOfTurn);
    line.leave();
    house.agencies.refusal(14, "");
    drop(serving.stop());
    assert!(house.agencies.holder.logged(EntryKind::Delivery).is_empty());
    house.agencies.nothing_evaluated();
}

/// Attack: a request that was finished, asked again under a new nonce (SPEC HSK-5), by the honest program and by a modified one.
#[test]
fn a_finished_request_again() {
    let house = House::new();
    let request = house.request("r");
    let serving = house.serve();
    house.check(&serving, &request);
    std::fs::remove_file(request.path.with_extension("results.csv")).unwrap();
    // With what the first run left it would be the same session, and that is over.
    let again = house.agencies.asking(serving.address(), &request).run();
    assert!([3, 4].contains(&again.code()), "{again}");
    assert!(!request.path.with_extension("results.csv").exists());
    std::fs::remove_file(request.path.join("checkpoint/run")).unwrap();
    let charges = house.agencies.charges();
    house.fails(&serving, &request, 4, "request_conflict");
    house.refused_by_hand(&serving, &request.taken().signed_by(house.two()), RefusalCode::RequestConflict, "");
    drop(serving.stop());
    assert_eq!((house.agencies.charges(), charges), (1, 1));
    house.agencies.ledger_holds();
}
