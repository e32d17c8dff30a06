//! How much may be asked: in one request, in a window, in an epoch, and by two at once (SPEC POL-1, HSK-4).

use oblink_session::error::RefusalCode;
use oblink_store::ledger::SqliteLedger;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{day, now_unix_ms, people};

use super::house::{House, PAIRS};

/// Attack: more pairs, or more tokens, than the policy allows a request (SPEC POL-1).
#[test]
fn more_than_a_request_may_ask() {
    let house = House::with(|rules| rules.verifier().pairs_per_request_max = PAIRS as u64 - 1);
    house.denied(&house.request("r"), "pairs_over_cap");
    let house = House::with(|rules| rules.verifier().tokens_per_request_max = PAIRS as u64 - 1);
    house.denied(&house.request("r"), "tokens_over_cap");
}

/// The first request is answered, the second is refused with budget_exhausted for this reason in the ledger alone; and a modified verifier gets
/// not one element either.
fn the_second_is_refused(house: &House, reason: &str) {
    let serving = house.serve();
    house.check(&serving, &house.request("first-request"));
    let second = house.request("second-request");
    let ended = house.fails(&serving, &second, 4, "budget_exhausted");
    assert!(!ended.stderr.contains(" left"), "the full reason went out: {ended}");
    house.refused_by_hand(&serving, &second.taken().signed_by(house.two()), RefusalCode::BudgetExhausted, reason);
    drop(serving.stop());
    assert_eq!((house.agencies.charges(), house.agencies.holder.logged(EntryKind::RequestAccepted).len()), (1, 1));
    house.agencies.ledger_holds();
}

/// Attack: more than the window holds, in requests, pairs and tokens (SPEC POL-1).
#[test]
fn more_than_a_window_holds() {
    let (pairs, most) = (2 * PAIRS as u64 - 1, 1_000_000);
    for window in [[30, 1, most, most], [30, 9, pairs, most], [30, 9, most, pairs]] {
        the_second_is_refused(&House::with(|rules| rules.verifier().window = window), "in the policy's window asked, ");
    }
}

/// Attack: more than the epoch holds, in requests, pairs and tokens (SPEC POL-1).
#[test]
fn more_than_an_epoch_holds() {
    let (pairs, most) = (2 * PAIRS as u64 - 1, 1_000_000);
    for epoch in [[1, most, most], [9, pairs, most], [9, most, pairs]] {
        the_second_is_refused(&House::with(|rules| rules.verifier().epoch = epoch), "in the epoch asked, ");
    }
}

/// Attack: sealing again begins a new epoch, and the window's budget does not (SPEC POL-1).
#[test]
fn a_new_epoch_gives_no_new_window() {
    let house = House::with(|rules| rules.verifier().window = [30, 1, 1_000_000, 1_000_000]);
    let serving = house.serve();
    house.check(&serving, &house.request("first-request"));
    house.seal();
    house.fails(&serving, &house.request("second-request"), 4, "budget_exhausted");
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), 1);
    house.agencies.ledger_holds();
}

/// Attack: two requests at once for the last of a budget (SPEC HSK-4): exactly one is answered, twenty times over.
#[test]
fn two_requests_race_for_the_last_of_a_budget() {
    const TRIES: u64 = 20;
    let few = 2;
    let mut house = House::with(|rules| rules.verifier().window = [30, 1_000, 1_000_000, 1_000_000]);
    house.pairs = house.agencies.file("few.csv", people(30, few, &day(-10)));
    let serving = house.serve();
    let requests: Vec<_> = (0..2 * TRIES).map(|number| house.request(&format!("r{number}"))).collect();
    let mut rules = house.rules.clone();
    for (number, pair) in (1..).zip(requests.chunks(2)) {
        // Room for one more: a tightening the first time, then a loosening that the holder's officials sign.
        rules.verifier().window[1] = number;
        house.agencies.put_in_force(&rules, &format!("room-{number}"), house.both_holders());
        let started: Vec<_> = pair.iter().map(|request| house.agencies.asking(serving.address(), request).start()).collect();
        let ended: Vec<_> = started.into_iter().map(oblink_tests::Started::end).collect();
        let mut codes: Vec<_> = ended.iter().map(oblink_tests::Ended::code).collect();
        codes.sort_unstable();
        assert_eq!(codes, [0, 4], "try {number}: {} {}", ended[0], ended[1]);
        let loser = ended.iter().find(|ended| ended.code() == 4).unwrap();
        assert_eq!(loser.object()["error"]["code"], "budget_exhausted", "{loser}");
    }
    drop(serving.stop());
    assert_eq!(house.agencies.charges() as u64, TRIES);
    assert_eq!(house.agencies.holder.logged(EntryKind::RequestAccepted).len() as u64, TRIES);
    house.agencies.ledger_holds();
}

/// Attack: the holder's clock set back, so that a window is over or a request valid again (SPEC LED-5): ledger time is ahead, nobody is admitted.
#[test]
fn the_clock_set_back() {
    let house = House::new();
    let request = house.request("r");
    let hour = 3_600_000;
    // As if the clock had been an hour ahead until now.
    let mut ledger = SqliteLedger::open(&house.agencies.holder.ledger_path()).unwrap();
    ledger.record_operator("operator", "clock", "a look at it", now_unix_ms() + hour).unwrap();
    drop(ledger);
    let serving = house.serve();
    house.fails(&serving, &request, 4, "clock_skew");
    house.refused_by_hand(&serving, &request.taken().signed_by(house.two()), RefusalCode::ClockSkew, "");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
    let log = house.agencies.holder.log();
    assert!(log.windows(2).all(|pair| pair[0].unix_ms <= pair[1].unix_ms), "ledger time ran backwards");
}

/// Attack: a verifier whose clock is set back to before a request's end (SPEC HSK-2).
#[test]
fn clocks_that_are_too_far_apart() {
    let house = House::new();
    let asked = house.draft(8_192).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let mut hello = peer.hello(&asked);
    hello.clock_unix_ms -= 301_000;
    assert_eq!(peer.refused_hello(serving.address(), &hello), RefusalCode::ClockSkew);
    house.agencies.refusal(8, "");
    drop(serving.stop());
    assert_eq!(peer.elements(), 0);
    house.agencies.nothing_evaluated();
}
