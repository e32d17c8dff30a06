//! What a request says: parties, ruleset, class, fields, columns, counts (SPEC AUT-1, AUT-3).

use oblink_linkage::Ruleset;
use oblink_session::error::RefusalCode;
use oblink_session::request::Disclosure;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{day, people};
use oblink_tests::{Party, Program};

use super::house::{House, PAIRS};

/// Attack: a request without manifest and signatures, as before the first policy (SPEC POL-4, AUT-1).
#[test]
fn a_pilot_request_after_the_first_policy() {
    let house = House::new();
    let serving = house.serve();
    let ended = house.agencies.checking(serving.address(), &house.pairs, &house.agencies.at("r.csv")).arg("--json").run();
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (4, &"not_authorised".into()), "{ended}");
    house.agencies.refusal(20, "unsigned: ");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: another verifier's request, with its good signatures (SPEC AUT-1).
#[test]
fn another_verifiers_request() {
    let house = House::pilot(|_| ());
    let other = Party::init(Program::Verifier, &house.agencies.at("other"));
    other.trust("tax", &house.agencies.holder);
    house.agencies.holder.trust("other", &other);
    let mut rules = house.rules.clone();
    let mut second = rules.verifier().clone();
    second.fingerprint.clone_from(&other.fingerprint);
    rules.verifiers.push(second);
    house.agencies.put_in_force(&rules, "first", house.both_holders());
    house.seal();
    let request = house.request("r");
    // The other one's program with the whole directory, and a modified one.
    let serving = house.serve();
    let output = house.agencies.at("other.csv");
    let call = other.call("check --json --holder").arg(serving.address()).path("--input", &request.input);
    let ended = call.path("--output", &output).path("--request", &request.path).run();
    assert_eq!((ended.code(), output.exists()), (4, false), "{ended}");
    house.agencies.refusal(20, "other_verifier: ");
    let peer = oblink_tests::peer::Peer::new(&other, &house.agencies.holder);
    assert_eq!(peer.refused(serving.address(), &request.taken().signed_by(house.two())), RefusalCode::NotAuthorised);
    assert_eq!(peer.elements(), 0);
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: a verifier whom the holder trusts and the policy does not list (SPEC AUT-1).
#[test]
fn a_verifier_that_the_policy_does_not_list() {
    let house = House::pilot(|_| ());
    let other = Party::init(Program::Verifier, &house.agencies.at("other"));
    house.agencies.holder.trust("other", &other);
    house.agencies.put_in_force(&house.rules, "first", house.both_holders());
    house.seal();
    let mut draft = house.draft(8_192);
    draft.manifest.verifier = oblink_tests::asking::fingerprint_bytes(&other.fingerprint);
    let serving = house.serve();
    let peer = oblink_tests::peer::Peer::new(&other, &house.agencies.holder);
    assert_eq!(peer.refused(serving.address(), &draft.signed_by(house.two())), RefusalCode::NotAuthorised);
    house.agencies.refusal(20, "verifier_unknown: ");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: a request that was made out to another holder (SPEC AUT-1).
#[test]
fn a_request_to_another_holder() {
    let house = House::new();
    let mut draft = house.draft(8_192);
    draft.manifest.holder[0] ^= 1;
    house.denied_by_hand(&draft.signed_by(house.two()), "other_holder");
}

/// Attack: a verifier that calls itself something else than the officials agreed (SPEC AUT-1).
#[test]
fn another_name() {
    let house = House::new();
    let mut draft = house.draft(8_192);
    draft.manifest.verifier_name = "Another Agency".to_owned();
    house.denied_by_hand(&draft.signed_by(house.two()), "verifier_name");
}

/// Attack: another ruleset than the policy lists (SPEC AUT-1), and one of the listed name with other rules (SPEC HSK-3).
#[test]
fn a_swapped_ruleset() {
    let house = House::new();
    let mut draft = house.draft(8_192);
    draft.manifest.ruleset = "us-other-1".to_owned();
    house.denied_by_hand(&draft.signed_by(house.two()), "ruleset_not_allowed");
    let mut draft = house.draft(8_192);
    draft.manifest.ruleset_digest[0] ^= 1;
    let serving = house.serve();
    house.refused_by_hand(&serving, &draft.signed_by(house.two()), RefusalCode::RulesetMismatch, "");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: a listed name for rules that are not its own, as a build with other tables would have them (SPEC AUT-1).
#[test]
fn a_ruleset_under_another_name() {
    let house = House::with(|rules| rules.verifier().rulesets.push("us-other-1".to_owned()));
    let mut draft = house.draft(8_192);
    draft.manifest.ruleset = "us-other-1".to_owned();
    assert!(Ruleset::by_name("us-other-1").is_none());
    house.denied_by_hand(&draft.signed_by(house.two()), "ruleset_mismatch");
}

/// Attack: another class than the policy allows, and one that the ruleset does not have (SPEC AUT-1).
#[test]
fn a_swapped_class() {
    let house = House::new();
    let mut draft = house.draft(8_192);
    draft.manifest.class = "find-person".to_owned();
    house.denied_by_hand(&draft.signed_by(house.two()), "class_not_allowed");
    let house = House::with(|rules| rules.verifier().classes.push("find-person".to_owned()));
    house.denied_by_hand(&draft_as(&house, "find-person").signed_by(house.two()), "ruleset_mismatch");
}

fn draft_as(house: &House, class: &str) -> oblink_tests::asking::Draft {
    let mut draft = house.draft(8_192);
    draft.manifest.class = class.to_owned();
    draft
}

/// Attack: a required field is missing (SPEC AUT-1).
#[test]
fn a_missing_field() {
    let house = House::with(|rules| rules.verifier().required_fields.push("agreement".to_owned()));
    house.denied(&house.request("r"), "field_missing");
    let request = house.agencies.request(&house.pairs, "with", "--field agreement=2026-117").signed_by(house.two());
    assert_eq!(house.check(&house.serve(), &request).rows.len(), PAIRS);
}

/// Attack: a list that was made without the column that the policy requires (SPEC AUT-1).
#[test]
fn a_missing_column() {
    let house = House::with(|rules| rules.verifier().required_columns.push("order_date".to_owned()));
    house.denied(&house.request("r"), "column_not_required");
    let request = house.agencies.request(&house.pairs, "with", "--require-column order_date").signed_by(house.two());
    assert_eq!(house.check(&house.serve(), &request).rows.len(), PAIRS);
}

/// Attack: orders older than the policy takes, and orders of the day after tomorrow (SPEC AUT-1).
#[test]
fn orders_that_are_too_old_or_in_the_future() {
    let house = House::with(|rules| {
        rules.verifier().required_columns.push("order_date".to_owned());
        rules.verifier().order_age_days_max = 30;
    });
    let mut house = house;
    house.pairs = house.agencies.file("old.csv", people(30, 5, &day(-40)));
    let request = house.agencies.request(&house.pairs, "old", "--require-column order_date").signed_by(house.two());
    house.denied(&request, "order_too_old");
    let mut draft = house.draft(8_192);
    draft.manifest.required_columns.insert("order_date".to_owned());
    draft.manifest.order_date_earliest = day(-3).replace('-', "").parse().unwrap();
    draft.manifest.order_date_latest = day(3).replace('-', "").parse().unwrap();
    house.denied_by_hand(&draft.signed_by(house.two()), "order_date");
}

/// Attack: no limit, or a higher one, on the addresses of one person (SPEC AUT-1).
#[test]
fn no_limit_on_the_addresses_of_a_person() {
    let house = House::with(|rules| rules.verifier().addresses_per_person_max = 1);
    house.denied(&house.request("none"), "addresses_per_person");
    let request = house.agencies.request(&house.pairs, "two", "--person-id person_id --addresses-per-person-max 2").signed_by(house.two());
    let serving = house.serve();
    let ended = house.agencies.asking(serving.address(), &request).args("--person-id person_id").run();
    assert_eq!(ended.code(), 4, "{ended}");
    let request = house.agencies.request(&house.pairs, "one", "--person-id person_id --addresses-per-person-max 1").signed_by(house.two());
    house.agencies.asking(serving.address(), &request).args("--person-id person_id").ok();
}

/// Attack: an answer wanted from records that are too old (SPEC AUT-1).
#[test]
fn a_set_that_is_too_old() {
    let house = House::with(|rules| rules.verifier().set_age_days_max = 5);
    let records = house.agencies.at("records.csv");
    house.agencies.sealing(&records, "--new-epoch --as-of").arg(day(-20)).ok();
    house.denied(&house.request("r"), "set_too_old");
    house.agencies.sealing(&records, "--new-epoch").ok();
    let house_undated = house;
    house_undated.denied(&house_undated.request("undated"), "set_undated");
}

/// Attack: a disclosure that the policy does not allow (SPEC AUT-1, DIS-1).
#[test]
fn a_disclosure_that_is_not_allowed() {
    let house = House::with(|rules| rules.verifier().disclosure = vec!["none".to_owned()]);
    let mut draft = house.draft(8_192);
    draft.manifest.disclosure = Disclosure::MatchedTags;
    house.denied_by_hand(&draft.signed_by(house.two()), "disclosure_not_allowed");
    let request = house.agencies.request(&house.pairs, "r", "--disclosure count").signed_by(house.two());
    house.denied(&request, "disclosure_not_allowed");
}

/// Attack: a request that the holder's officials have refused, signed by whomever (SPEC POL-4).
#[test]
fn a_request_that_the_holders_officials_refused() {
    let house = House::new();
    let request = house.request("r");
    house.agencies.holder.call("request refuse --reason").arg("no such agreement").path("--request", &request.file()).ok();
    let serving = house.serve();
    let ended = house.fails(&serving, &request, 4, "not_authorised");
    assert!(!ended.stderr.contains("no such agreement"), "{ended}");
    house.refused_by_hand(&serving, &request.taken().signed_by(house.two()), RefusalCode::NotAuthorised, "refuse");
    let denied = house.agencies.holder.logged(EntryKind::RequestDenied);
    assert_eq!((denied.len(), &denied[0].body["reason"]), (1, &"no such agreement".into()));
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: several bad requests one after the other, so that one reason drowns in the count of another: each has its own in the ledger
/// (SPEC AUT-2).
#[test]
fn no_reason_drowns_in_others() {
    let house = House::new();
    let serving = house.serve();
    let peer = house.peer();
    type Bend = fn(&mut oblink_session::request::Manifest);
    let bends: [(&str, Bend); 6] = [
        ("verifier_name", |said| said.verifier_name = "Another".to_owned()),
        ("other_holder", |said| said.holder[1] ^= 1),
        ("class_not_allowed", |said| said.class = "find-person".to_owned()),
        ("ruleset_not_allowed", |said| said.ruleset = "us-other-1".to_owned()),
        ("expired", |said| said.not_after_unix_ms = said.not_before_unix_ms + 1),
        ("validity_too_long", |said| said.not_after_unix_ms += 60 * 86_400_000),
    ];
    for (word, bend) in bends {
        let mut draft = house.draft(8_192);
        bend(&mut draft.manifest);
        assert_eq!(peer.refused(serving.address(), &draft.signed_by(house.two())), RefusalCode::NotAuthorised, "{word}");
    }
    drop(serving.stop());
    let said = house.agencies.refusals();
    for (word, _) in bends {
        assert!(said.iter().any(|reason| reason.contains(&format!("{word}: "))), "{word} is not among {said:?}");
    }
    assert_eq!(peer.elements(), 0);
    house.agencies.nothing_evaluated();
}
