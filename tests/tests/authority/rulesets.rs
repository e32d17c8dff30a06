//! Who may be asked under which ruleset, with rulesets of several tokens: classes, own rulesets, and what is computed again of them.

use oblink_tests::{Results, Serving};

use super::house::{House, PAIRS};

const OWN: &str = "format = \"oblink/ruleset/1\"
name = \"own-1\"
class = \"confirm-address\"
canonicaliser = \"us-2\"
tokens_per_pair = 4
crowd_max = 8

[[rule]]
number = 1
name = \"names\"
fields = [\"names.formal\", \"number\", \"street\", \"zip\"]

[[rule]]
number = 2
name = \"street's beginning\"
fields = [\"names.formal\", \"number\", \"street.first4\", \"zip\"]
";

fn seal(house: &House, ruleset: &str) {
    let records = house.agencies.file("records.csv", oblink_tests::asking::people(0, super::house::RECORDS, ""));
    house.agencies.sealing(&records, "--json --ruleset").arg(ruleset).arg("--as-of").arg(oblink_tests::asking::day(-1)).ok();
}

fn answered(house: &House, serving: &Serving, name: &str, ruleset: &str, more: &str) -> (oblink_tests::asking::RequestDir, Results) {
    let request = house.agencies.request(&house.pairs, name, &format!("--ruleset {ruleset} {more}")).signed_by(house.two());
    let results = house.check(serving, &request);
    (request, results)
}

/// Attack: a policy that does not name the class is asked who is held (SPEC AUT-1).
#[test]
fn finding_persons_is_refused_unless_the_policy_names_it() {
    let house = House::with(|rules| rules.verifier().rulesets.push("us-find-1".to_owned()));
    seal(&house, "us-find-1");
    let request = house.agencies.request(&house.pairs, "find", "--ruleset us-find-1").signed_by(house.two());
    let serving = house.serve();
    house.fails(&serving, &request, 4, "not_authorised");
    house.agencies.refusal(20, "class_not_allowed: ");
    house.agencies.nothing_evaluated();

    let house = House::with(|rules| {
        rules.verifier().rulesets.push("us-find-1".to_owned());
        rules.verifier().classes.push("find-person".to_owned());
    });
    seal(&house, "us-find-1");
    let serving = house.serve();
    let (_, results) = answered(&house, &serving, "find", "us-find-1", "");
    assert_eq!(results.matched().into_iter().filter(|matched| *matched).count(), PAIRS / 2);
}

/// AUT-1, LED-6: an own ruleset is what the holder sealed under, by name and digest; what was decided by it can be decided again.
#[test]
fn an_own_ruleset_is_authorised_by_name_and_digest() {
    let house = House::with(|rules| rules.verifier().rulesets.push("own-1".to_owned()));
    let own = house.agencies.file("own.toml", OWN).display().to_string();
    seal(&house, &own);
    let serving = house.serve();
    let (request, results) = answered(&house, &serving, "own", &own, "");
    assert_eq!(results.matched().into_iter().filter(|matched| *matched).count(), PAIRS / 2);
    // Officials and auditors compute it again by the text beside it.
    let show =
        || house.agencies.verifier.call_bare("request show --verify --json").path("--request", &request.path).path("--input", &house.pairs);
    show().ok();
    house.agencies.holder.call("ledger verify").ok();
    // Another text of the same name is another ruleset.
    let other = house.agencies.file("other.toml", OWN.replace("crowd_max = 8", "crowd_max = 9")).display().to_string();
    let changed = house.agencies.request(&house.pairs, "changed", &format!("--ruleset {other}")).signed_by(house.two());
    house.fails(&serving, &changed, 3, "ruleset_mismatch");
    let shown = show().arg("--ruleset").arg(other.as_str()).run();
    assert_eq!((shown.code(), &shown.objects().pop().unwrap()["error"]["code"]), (3, &"request_differs".into()));
    // After another text was sealed under, what was decided by the first is still in order.
    seal(&house, &other);
    house.agencies.holder.call("ledger verify").ok();
}

/// DIS-1 to DIS-3, AUD-2 with several tokens a pair: a count is of pairs, tags are of tokens, and each record is booked once.
#[test]
fn repro_disclosures_and_samples_of_several_tokens_a_pair() {
    let house = House::with(|rules| rules.verifier().rulesets.push("us-confirm-1".to_owned()));
    seal(&house, "us-confirm-1");
    let serving = house.serve();
    let (request, results) = answered(&house, &serving, "tags", "us-confirm-1", "--disclosure matched-tags");
    let matched = results.matched().into_iter().filter(|matched| *matched).count();
    assert_eq!(matched, PAIRS / 2);
    let records = house.agencies.at("records.csv");
    let receipt = request.path.join("receipt.json");
    let booked = house.agencies.holder.call("ledger account --json").path("--records", &records).path("--receipt", &receipt).ok().object();
    assert_eq!((&booked["booked"], &booked["matched_pairs"], &booked["unknown_tags"]), (&matched.into(), &matched.into(), &0.into()));
    assert!(booked["tags"].as_u64().unwrap() > matched as u64, "{booked}");

    let sample = house.agencies.at("sample.json");
    let call = house.agencies.verifier.call_bare("audit sample --json --n 5 --seed 7").path("--request", &request.path);
    call.path("--input", &house.pairs).path("--output", &sample).ok();
    let call = house.agencies.verifier.call_bare("audit open --json --n 5 --seed 7").path("--request", &request.file());
    assert_eq!(call.path("--sample", &sample).path("--receipt", &receipt).ok().object()["agrees"], true);
}

/// A cap in tokens is of tokens, one in pairs is of pairs; padding counts in both.
#[test]
fn repro_caps_of_several_tokens_a_pair() {
    let rules = |tokens: u64, pairs: u64| {
        House::with(|rules| {
            let of = rules.verifier();
            of.rulesets.push("us-confirm-1".to_owned());
            (of.tokens_per_request_max, of.pairs_per_request_max) = (tokens, pairs);
        })
    };
    let asked = (PAIRS + 6) as u64;
    for (house, word) in [(rules(asked * 12 - 1, asked), "tokens_over_cap: "), (rules(asked * 12, asked - 1), "pairs_over_cap: ")] {
        seal(&house, "us-confirm-1");
        let more = format!("--ruleset us-confirm-1 --pad-to {asked}");
        let request = house.agencies.request(&house.pairs, "r", &more).signed_by(house.two());
        let serving = house.serve();
        house.fails(&serving, &request, 4, "not_authorised");
        house.agencies.refusal(20, word);
    }
    let house = rules(asked * 12, asked);
    seal(&house, "us-confirm-1");
    let serving = house.serve();
    let (_, results) = answered(&house, &serving, "r", "us-confirm-1", &format!("--pad-to {asked}"));
    assert_eq!(results.matched().into_iter().filter(|matched| *matched).count(), PAIRS / 2);
}

/// One person at one address, whose name is written in two ways, is asked at one address.
#[test]
fn repro_two_ways_of_writing_a_name_are_one_address() {
    let mut house = House::with(|rules| {
        rules.verifier().rulesets.push("us-confirm-1".to_owned());
        rules.verifier().addresses_per_person_max = 1;
    });
    seal(&house, "us-confirm-1");
    let text = "id,given_name,middle_name,family_name,address,postal_code,person_id\n\
                a,Ana,,Quispe,12 Zanzibar Street,02134,n1\nb,Quispe,Q,Ana,12 Zanzibar Street,02134,n1\nc,Ana,,Quispe,14 Zanzibar Street,02134,n1\n";
    house.pairs = house.agencies.file("two.csv", text);
    let request = house.agencies.request(&house.pairs, "r", "--ruleset us-confirm-1 --person-id person_id --addresses-per-person-max 1");
    let manifest = request.manifest();
    assert_eq!(manifest.pairs, 2);
    assert_eq!(manifest.left_out["too_many_addresses"], 1);
}
