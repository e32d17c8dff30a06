//! Stopping at once, and going on again (SPEC POL-4).

use oblink_session::error::RefusalCode;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::policy::Proposed;

use super::house::House;

fn suspend(house: &House, more: &str) {
    house.agencies.holder.call("suspend --json --reason").arg("Unusual list").args(more).ok();
}

fn propose_to_resume(house: &House, name: &str) -> Proposed {
    let directory = house.agencies.at(name);
    house.agencies.holder.call("policy propose --resume --reason Explained").path("--out", &directory).ok();
    Proposed { directory }
}

/// Attack: a suspended verifier asks (SPEC POL-4).
#[test]
fn a_suspended_verifier() {
    for more in ["--peer city", ""] {
        let house = House::new();
        let request = house.request("r");
        let serving = house.serve();
        suspend(&house, more);
        house.fails(&serving, &request, 4, "suspended");
        house.refused_by_hand(&serving, &request.taken().signed_by(house.two()), RefusalCode::Suspended, "");
        let entry = &house.agencies.holder.logged(EntryKind::Suspension)[0];
        assert_eq!(entry.body["reason"], "Unusual list");
        drop(serving.stop());
        house.agencies.nothing_evaluated();
    }
}

/// Attack: a verifier that is suspended in the middle goes on asking (SPEC POL-4): not one batch more is charged or answered.
#[test]
fn a_verifier_that_is_suspended_in_the_middle() {
    let house = House::new();
    let asked = house.draft(4).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let (line, admitted) = peer.begin(serving.address(), &asked);
    suspend(&house, "--peer city");
    match line.ask(&peer.approved(&admitted, &asked, 1)).unwrap_err() {
        oblink_tests::peer::No::Refused(refusal) => assert_eq!(refusal.code, RefusalCode::Suspended),
        // The holder may have closed the line first.
        oblink_tests::peer::No::Gone(_) => (),
    }
    line.leave();
    // Nor on a new line.
    let mut line = peer.dial(serving.address()).unwrap();
    assert_eq!(line.say(&peer.hello(&asked)).unwrap_err().code(), RefusalCode::Suspended);
    line.leave();
    assert_eq!((peer.elements(), house.agencies.charges()), (4, 1));
    house.agencies.refusal(21, "");
    drop(serving.stop());
    house.agencies.ledger_holds();
}

/// Attack: an operator lifts a suspension without the officials, or with one of them too few, or with a proposal from before it (SPEC POL-3).
#[test]
fn lifting_a_suspension_takes_officials() {
    let house = House::new();
    let request = house.request("r");
    let early = propose_to_resume(&house, "early").signed_by(house.both_holders());
    std::thread::sleep(std::time::Duration::from_millis(5));
    suspend(&house, "");
    let serving = house.serve();
    assert_ne!(house.agencies.apply(&early).code(), 0, "a proposal from before the suspension");
    for count in [0, 1] {
        let proposed = propose_to_resume(&house, &format!("resume-{count}")).signed_by(&house.cast.holding[..count]);
        assert_ne!(house.agencies.apply(&proposed).code(), 0, "{count} signatures");
    }
    house.fails(&serving, &request, 4, "suspended");
    assert!(house.agencies.holder.logged(EntryKind::Resumption).is_empty());
    let good = propose_to_resume(&house, "resume").signed_by(house.both_holders());
    let ended = house.agencies.apply(&good);
    assert_eq!(ended.code(), 0, "{ended}");
    house.check(&serving, &request);
    // The same signatures again, for another suspension.
    suspend(&house, "");
    assert_ne!(house.agencies.apply(&good).code(), 0);
    house.fails(&serving, &house.request("again"), 4, "suspended");
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), 1);
    house.agencies.ledger_holds();
}
