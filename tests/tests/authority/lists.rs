//! Another list than the one that was approved, and lists that break what they promise (SPEC REQ-3 to REQ-5).

use oblink_session::error::RefusalCode;
use oblink_tests::asking::{Draft, RequestDir, day, people, tokens_of};

use super::house::{House, PAIRS, RECORDS};

/// `check` with another input ends before anybody is asked: exit 3, in its own house.
fn refuses_input(house: &House, request: &RequestDir, text: &str, name: &str) {
    let serving = house.serve();
    let other = RequestDir { path: request.path.clone(), input: house.agencies.file(name, text) };
    house.fails(&serving, &other, 3, "other_list");
    assert!(house.agencies.holder.logged(oblink_store::ledger::entries::EntryKind::RequestAccepted).is_empty());
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// A modified verifier that was admitted asks the tokens of another list: refused at its first batch.
fn asks_other_tokens(house: &House, request: &RequestDir, mut tokens: Vec<Vec<u8>>) {
    let draft = request.taken();
    let asked = draft.signed_by(house.two());
    tokens.truncate(PAIRS);
    let other = Draft { tokens, ..draft }.batches();
    let serving = house.serve();
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    let admitted = line.say(&peer.hello(&asked)).unwrap();
    let batch = peer.batch(&admitted, 0, &other[0], asked.tree.path(0).unwrap());
    assert_eq!(line.ask(&batch).unwrap_err().code(), RefusalCode::BatchUnapproved);
    line.leave();
    assert_eq!(peer.elements(), 0);
    house.agencies.refusal(24, "");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: as many other people (SPEC REQ-4, BAT-7).
#[test]
fn a_swapped_list() {
    let house = House::new();
    let request = house.request("r");
    let other = people(500, PAIRS, &day(-10));
    refuses_input(&house, &request, &other, "other.csv");
    asks_other_tokens(&house, &request, tokens_of(&house.agencies.at("other.csv")));
}

/// Attack: one row more, by the program and by one that writes the new number into the request (SPEC REQ-4, AUT-1).
#[test]
fn one_row_added() {
    let house = House::new();
    let request = house.request("r");
    let more = people(RECORDS - PAIRS / 2, PAIRS + 1, &day(-10));
    refuses_input(&house, &request, &more, "more.csv");
    let mut draft = request.taken();
    let honest = draft.signed_by(house.two());
    draft.tokens = tokens_of(&house.agencies.at("more.csv"));
    draft.commit();
    house.denied_by_hand(&draft.with_signatures(honest.signatures), "signature_invalid");
}

/// Attack: one row exchanged, the number stays (SPEC REQ-4, BAT-7).
#[test]
fn one_row_exchanged() {
    let house = House::new();
    let request = house.request("r");
    let changed = people(RECORDS - PAIRS / 2, PAIRS, &day(-10)).replacen(&format!("{} Zanzibar", RECORDS), "999 Zanzibar", 1);
    refuses_input(&house, &request, &changed, "changed.csv");
    asks_other_tokens(&house, &request, tokens_of(&house.agencies.at("changed.csv")));
}

/// Attack: the digests beside the request exchanged for those of another list (SPEC REQ-5).
#[test]
fn other_digests_beside_the_request() {
    let house = House::new();
    let request = house.request("r");
    std::fs::write(request.path.join("batches.bin"), [7; 32]).unwrap();
    let serving = house.serve();
    let ended = house.agencies.asking(serving.address(), &request).run();
    assert_eq!(ended.code(), 3, "{ended}");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: rows without an order, with an impossible date and with one of tomorrow (SPEC REQ-3): left out, counted, and not sent.
#[test]
fn rows_without_a_valid_order_are_left_out() {
    let mut house = House::with(|rules| rules.verifier().required_columns.push("order_date".to_owned()));
    let rows = [people(30, 1, ""), people(31, 1, "2026-02-30"), people(32, 1, &day(2)), people(33, 1, "no date"), people(34, 3, &day(-1))];
    let header = rows[0].lines().next().unwrap().to_owned();
    let text = rows.iter().flat_map(|rows| rows.lines().skip(1)).fold(header, |text, row| text + "\n" + row) + "\n";
    house.pairs = house.agencies.file("orders.csv", text);
    let request = house.agencies.request(&house.pairs, "r", "--require-column order_date").signed_by(house.two());
    let said = request.manifest();
    let left_out: Vec<_> = said.left_out.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
    assert_eq!((said.pairs, left_out), (3, vec![("bad_order_date", 2), ("future_order_date", 1), ("no_order_date", 1)]));
    let serving = house.serve();
    let results = house.check(&serving, &request);
    assert_eq!(results.in_short(), "no_order_date bad_order_date future_order_date bad_order_date + + +");
    drop(serving.stop());
    let accepted = house.agencies.holder.logged(oblink_store::ledger::entries::EntryKind::Charge);
    assert_eq!((accepted.len(), &accepted[0].body["tokens"]), (1, &3.into()));
    house.agencies.ledger_holds();
}

/// The list of a person with two addresses, and one of another person.
fn two_addresses() -> String {
    let rows = people(10, 3, &day(-5));
    rows.replace(",n11\n", ",n10\n")
}

/// Attack: two addresses for one person (SPEC REQ-3): the second is left out, counted, and not sent.
#[test]
fn a_second_address_is_left_out() {
    let mut house = House::with(|rules| rules.verifier().addresses_per_person_max = 1);
    house.pairs = house.agencies.file("twice.csv", two_addresses());
    let request = house.agencies.request(&house.pairs, "r", "--person-id person_id --addresses-per-person-max 1").signed_by(house.two());
    let said = request.manifest();
    assert_eq!((said.pairs, said.left_out.get("too_many_addresses")), (2, Some(&1)));
    let serving = house.serve();
    let ended = house.agencies.asking(serving.address(), &request).args("--person-id person_id").ok();
    assert_eq!(ended.object()["submitted"], 2);
    drop(serving.stop());
    house.agencies.ledger_holds();
}

/// Attack: a request made without the limit and then edited to claim it (SPEC REQ-3): whoever recomputes it sees that the list breaks it, and
/// the verifier's own program does not ask it.
#[test]
fn a_list_that_breaks_its_own_limit() {
    let mut house = House::with(|rules| rules.verifier().addresses_per_person_max = 1);
    house.pairs = house.agencies.file("twice.csv", two_addresses());
    let request = house.agencies.request(&house.pairs, "r", "--person-id person_id");
    request.edit(|said| said.addresses_per_person_max = 1);
    let request = request.signed_by(house.two());
    let show = house.agencies.verifier.call_bare("request show --verify --json --person-id person_id").path("--request", &request.path);
    let ended = show.path("--input", &house.pairs).run();
    assert_ne!(ended.code(), 0, "{ended}");
    let serving = house.serve();
    let ended = house.agencies.asking(serving.address(), &request).args("--person-id person_id").run();
    assert_eq!(ended.code(), 3, "{ended}");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}
