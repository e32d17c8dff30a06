//! The policy itself: edited by hand, loosened without those who may (SPEC POL-2 to POL-4).

use oblink_store::ledger::entries::EntryKind;
use oblink_tests::officials::{COUNTERSIGN, POLICY};
use oblink_tests::policy::Rules;

use super::house::{House, PAIRS};

/// Somebody edits a copy: serve does not start, one that runs refuses, and what is restored is the ledger's.
fn edited_by_hand(name: &str, edit: impl Fn(&str) -> String) {
    let house = House::with(|rules| rules.verifier().pairs_per_request_max = PAIRS as u64 - 1);
    let request = house.request("r");
    let serving = house.serve();
    let file = house.agencies.holder.home.join("policy").join(name);
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, edit(&text)).unwrap();
    let ended = house.agencies.asking(serving.address(), &request).run();
    assert_eq!(ended.code(), 4, "{ended}");
    let peer = house.peer();
    let mut line = peer.dial(serving.address()).unwrap();
    assert!(line.say(&peer.hello(&request.taken().signed_by(house.two()))).is_err());
    line.leave();
    assert_eq!(peer.elements(), 0);
    let said = house.agencies.refusals();
    assert!(said.iter().any(|reason| reason.contains("policy_edited")), "{said:?}");
    drop(serving.stop());
    let ended = house.agencies.holder.call("serve --json --listen 127.0.0.1:0").run();
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &"policy_edited".into()), "{ended}");
    house.agencies.nothing_evaluated();
    house.agencies.holder.call("policy apply --restore").ok();
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    house.denied(&request, "pairs_over_cap");
}

/// Attack: a cap raised by hand (SPEC POL-4).
#[test]
fn a_cap_raised_by_hand() {
    edited_by_hand("policy.toml", |text| text.replace("pairs_per_request_max = 23", "pairs_per_request_max = 9000"));
}

/// Attack: a key added by hand to those that may sign (SPEC POL-4).
#[test]
fn a_signer_added_by_hand() {
    let mallory = oblink_tests::officials::Official::new("mallory@far", oblink_tests::officials::KeyKind::Ed25519);
    edited_by_hand("allowed_signers", |text| format!("{text}{}", mallory.line("request@oblink-1", "")));
}

/// Attack: a copy that reads the same and is not (SPEC POL-4: byte for byte).
#[test]
fn a_copy_with_one_blank_more() {
    edited_by_hand("policy.toml", |text| format!("{text}\n"));
}

/// A change that is not applied: exit code, and nothing of it in the ledger.
fn not_applied(house: &House, rules: &Rules, name: &str, signatures: &[(&str, Vec<u8>)], word: &str) {
    let proposed = house.agencies.propose(rules, name);
    for (official, signature) in signatures {
        proposed.add(official, signature);
    }
    not_taken(house, &proposed, word);
}

fn not_taken(house: &House, proposed: &oblink_tests::policy::Proposed, word: &str) {
    let before = house.agencies.holder.logged(EntryKind::Policy).len();
    let ended = house.agencies.apply(proposed);
    assert!([3, 4].contains(&ended.code()), "{ended}");
    assert!(ended.stderr.contains(word) || ended.stdout.contains(word), "{word}: {ended}");
    assert_eq!(house.agencies.holder.logged(EntryKind::Policy).len(), before);
    house.agencies.ledger_holds();
}

fn looser(house: &House) -> Rules {
    let mut rules = house.rules.clone();
    rules.verifier().pairs_per_request_max += 1;
    rules
}

/// Attack: an operator loosens the policy alone, or with one official of two (SPEC POL-3).
#[test]
fn a_loosening_without_enough_signatures() {
    let house = House::new();
    let rules = looser(&house);
    for count in [0, 1] {
        let name = format!("looser-{count}");
        let proposed = house.agencies.propose(&rules, &name).signed_by(&house.cast.holding[..count]);
        not_taken(&house, &proposed, "signature_short");
    }
}

/// Attack: a loosening that the verifier's officials sign, or that is signed for another purpose (SPEC POL-3, SIG-1).
#[test]
fn a_loosening_that_others_sign() {
    let house = House::new();
    let rules = looser(&house);
    let proposed = house.agencies.propose(&rules, "theirs").signed_by(house.two());
    not_taken(&house, &proposed, "signer_not_listed");
    let proposed = house.agencies.propose(&rules, "purpose");
    for official in house.both_holders() {
        proposed.add(&official.principal, &official.sign(COUNTERSIGN, &proposed.bytes()));
    }
    not_taken(&house, &proposed, "wrong_namespace");
}

/// Attack: signatures over one proposal, beside another (SPEC POL-3).
#[test]
fn a_loosening_with_signatures_of_another_proposal() {
    let house = House::new();
    let signed = house.agencies.propose(&looser(&house), "small");
    let signatures: Vec<_> =
        house.both_holders().iter().map(|official| (official.principal.as_str(), official.sign(POLICY, &signed.bytes()))).collect();
    let mut rules = house.rules.clone();
    rules.verifier().pairs_per_request_max *= 10;
    not_applied(&house, &rules, "large", &signatures, "signature_invalid");
}

/// Attack: a proposal that was signed and applied, once more after it was taken back (SPEC POL-3: no signature serves twice).
#[test]
fn a_proposal_replayed() {
    let house = House::new();
    let loosening = house.agencies.propose(&looser(&house), "looser").signed_by(house.both_holders());
    assert_eq!(house.agencies.apply(&loosening).code(), 0);
    // Back again: a tightening.
    house.agencies.put_in_force(&house.rules, "back", &[]);
    not_taken(&house, &loosening, "stale");
    // Nor one that was signed before the last policy and never applied.
    let late = house.agencies.propose(&looser(&house), "late").signed_by(house.both_holders());
    let mut other = house.rules.clone();
    other.verifier().validity_days_max -= 1;
    house.agencies.put_in_force(&other, "tighter", &[]);
    not_taken(&house, &late, "stale");
}

/// Attack: a first policy that its own officials have not signed (SPEC POL-3).
#[test]
fn a_first_policy_without_enough_signatures() {
    let house = House::pilot(|_| ());
    for count in [0, 1] {
        let proposed = house.agencies.propose(&house.rules, &format!("first-{count}")).signed_by(&house.cast.holding[..count]);
        let ended = house.agencies.apply(&proposed);
        assert!([3, 4].contains(&ended.code()), "{ended}");
    }
    assert!(!house.agencies.holder.home.join("policy/policy.toml").exists());
}

/// Attack: a policy in which one person signs for both sides (SPEC POL-1).
#[test]
fn a_policy_in_which_one_person_signs_for_both() {
    let house = House::new();
    let mut rules = house.rules.clone();
    rules.verifier().officials.push("archer@holder".to_owned());
    rules.allowed_signers = rules
        .allowed_signers
        .replace("\"countersign@oblink-1,policy@oblink-1\"", "\"countersign@oblink-1,policy@oblink-1,request@oblink-1\"");
    let (policy, signers) = (house.agencies.file("p.toml", rules.toml()), house.agencies.file("p.signers", &rules.allowed_signers));
    let call = house.agencies.holder.call("policy propose --reason Both --out").arg(house.agencies.at("both"));
    let ended = call.path("--policy", &policy).path("--allowed-signers", &signers).run();
    assert_eq!(ended.code(), 3, "{ended}");
}

/// Attack: the policy changes while a session runs, and the verifier goes on as before (SPEC POL-4): refused until its Hello is judged anew.
#[test]
fn a_session_that_outlives_its_policy() {
    let house = House::new();
    let asked = house.draft(4).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let (line, admitted) = peer.begin(serving.address(), &asked);
    let mut rules = house.rules.clone();
    rules.verifier().signatures_min = 3;
    house.agencies.put_in_force(&rules, "three", &[]);
    assert!(line.ask(&peer.approved(&admitted, &asked, 1)).is_err());
    line.leave();
    house.agencies.refusal(23, "");
    assert_eq!(peer.refused(serving.address(), &asked), oblink_session::error::RefusalCode::NotAuthorised);
    assert_eq!((peer.elements(), house.agencies.charges()), (4, 1));
    drop(serving.stop());
    house.agencies.ledger_holds();
}
