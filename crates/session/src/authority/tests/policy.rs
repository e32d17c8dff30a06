//! POL-1

use super::{Doc, VERIFIER, official};
use crate::authority::{POLICY_BYTES_MAX, Policy, PolicyError};
use crate::request::Disclosure;
use oblink_linkage::RulesetClass;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

#[test]
fn a_policy_is_read_as_it_is_written() {
    let doc = Doc::new();
    let policy = doc.policy();
    assert_eq!(policy.holder().policy_signatures_min, 2);
    assert_eq!(policy.holder().countersignatures_min, 1);
    assert_eq!(policy.holder().officials.len(), 3);
    assert_eq!(policy.epoch().evaluations_max, 1 << 30);
    assert_eq!((policy.epoch().days_max, policy.epoch().keep_key_days, policy.epoch().grace_seconds), (365, 0, 600));
    let verifier = policy.verifier(&VERIFIER).unwrap();
    assert_eq!(verifier.name, "City of Example");
    assert_eq!(verifier.caps().window_ms, 30 * 86_400_000);
    assert_eq!((verifier.caps().window_requests_max, verifier.caps().epoch_tokens_max), (10, 100_000));
    assert_eq!(policy.verifier(&[0; 32]), None);
    assert_eq!(policy.verifiers().len(), 1);
    assert_eq!((policy.toml(), policy.allowed_signers()), (doc.toml().as_str(), doc.signers().as_str()));
}

#[test]
fn the_digest_is_over_both_files() {
    let doc = Doc::new();
    let (toml, signers) = (doc.toml(), doc.signers());
    let length = |text: &str| (text.len() as u64).to_be_bytes();
    let all = [b"oblink/1/policy\0", &length(&toml)[..], toml.as_bytes(), &length(&signers), signers.as_bytes()].concat();
    let digest: [u8; 32] = Sha256::digest(all).into();
    assert_eq!(doc.policy().digest(), digest);
    let moved = Policy::parse(format!("{toml}#\n").as_bytes(), signers.as_bytes()).unwrap();
    let other = Policy::parse(toml.as_bytes(), format!("{signers}#\n").as_bytes()).unwrap();
    assert_ne!(moved.digest(), digest);
    assert_ne!(other.digest(), digest);
    assert_ne!(moved.digest(), other.digest());
}

/// What is not written is denied, or the document is none.
#[test]
fn defaults_deny() {
    let toml = Doc::new().toml();
    let signers = Doc::new().signers();
    let without = |member: &str| toml.lines().filter(|line| !line.starts_with(member)).collect::<Vec<_>>().join("\n");
    let read = |member: &str| Policy::parse(without(member).as_bytes(), signers.as_bytes());
    for member in [
        "format",
        "officials",
        "policy_signatures_min",
        "countersignatures_min",
        "user_presence",
        "days_max",
        "evaluations_max",
        "fingerprint",
        "name",
        "signatures_min",
        "rulesets",
        "pairs_per_request_max",
        "tokens_per_request_max",
        "validity_days_max",
        "order_age_days_max",
        "addresses_per_person_max",
        "set_age_days_max",
        "days =",
        "requests_max",
        "pairs_max",
        "tokens_max",
        "[holder]",
        "[epoch]",
        "[verifiers.window]",
        "[verifiers.epoch]",
    ] {
        assert!(matches!(read(member), Err(PolicyError::Syntax { .. })), "{member}: {:?}", read(member));
    }
    assert_eq!(read("keep_key_days").unwrap().epoch().keep_key_days, 0);
    assert_eq!(read("grace_seconds").unwrap().epoch().grace_seconds, 0);
    let one = |member: &str| read(member).unwrap().verifier(&VERIFIER).unwrap().clone();
    assert_eq!(one("classes").classes, BTreeSet::from([RulesetClass::ConfirmAddress]));
    assert_eq!(one("disclosure").disclosure, BTreeSet::from([Disclosure::None]));
    assert_eq!(one("required_fields").required_fields, BTreeSet::new());
    let nobody = Doc { verifiers: Vec::new(), ..Doc::new() }.policy();
    assert_eq!(nobody.verifiers().len(), 0);
}

#[test]
fn members_are_bounded() {
    let toml = Doc::new().toml();
    let signers = Doc::new().signers();
    let long = format!("rulesets = [{}]", (0..65).map(|n| format!("\"r-{n}\"")).collect::<Vec<_>>().join(","));
    for (member, value, at) in [
        ("format", "format = \"oblink/policy/2\"", "format"),
        ("policy_signatures_min", "policy_signatures_min = 0", "holder.policy_signatures_min"),
        ("policy_signatures_min", "policy_signatures_min = 65", "holder.policy_signatures_min"),
        ("policy_signatures_min", "policy_signatures_min = 4", "holder.policy_signatures_min"),
        ("countersignatures_min", "countersignatures_min = 4", "holder.countersignatures_min"),
        ("days_max", "days_max = 0", "epoch.days_max"),
        ("days_max", "days_max = 3661", "epoch.days_max"),
        ("evaluations_max", "evaluations_max = 0", "epoch.evaluations_max"),
        ("evaluations_max", "evaluations_max = 1073741825", "epoch.evaluations_max"),
        ("keep_key_days", "keep_key_days = 367", "epoch.keep_key_days"),
        ("grace_seconds", "grace_seconds = 86401", "epoch.grace_seconds"),
        ("fingerprint", "fingerprint = \"22\"", "verifiers[1].fingerprint"),
        ("name", "name = \"\"", "verifiers[1].name"),
        ("name", "name = \"a\\u202eb\"", "verifiers[1].name"),
        ("signatures_min", "signatures_min = 0", "verifiers[1].signatures_min"),
        ("signatures_min", "signatures_min = 5", "verifier 22222222: signatures_min"),
        ("rulesets", "rulesets = []", "verifiers[1].rulesets"),
        ("rulesets", "rulesets = [\"US\"]", "verifiers[1].rulesets"),
        ("rulesets", "rulesets = [\"a\", \"a\"]", "verifiers[1].rulesets"),
        ("rulesets", &long, "verifiers[1].rulesets"),
        ("classes", "classes = []", "verifiers[1].classes"),
        ("classes", "classes = [\"any\"]", "verifiers[1].classes"),
        ("pairs_per_request_max", "pairs_per_request_max = 0", "verifiers[1].pairs_per_request_max"),
        ("pairs_per_request_max", "pairs_per_request_max = 1099511627777", "verifiers[1].pairs_per_request_max"),
        ("tokens_per_request_max", "tokens_per_request_max = 0", "verifiers[1].tokens_per_request_max"),
        ("validity_days_max", "validity_days_max = 0", "verifiers[1].validity_days_max"),
        ("required_fields", "required_fields = [\"Agreement\"]", "verifiers[1].required_fields"),
        ("required_columns", "required_columns = [\"a b\"]", "verifiers[1].required_columns"),
        ("required_columns", "required_columns = []", "verifiers[1].order_age_days_max"),
        ("order_age_days_max", "order_age_days_max = 36601", "verifiers[1].order_age_days_max"),
        ("set_age_days_max", "set_age_days_max = 36601", "verifiers[1].set_age_days_max"),
        ("disclosure", "disclosure = []", "verifiers[1].disclosure"),
        ("disclosure", "disclosure = [\"all\"]", "verifiers[1].disclosure"),
        ("days =", "days = 0", "verifiers[1].window.days"),
        ("days =", "days = 367", "verifiers[1].window.days"),
        ("requests_max", "requests_max = 0", "verifiers[1].window.requests_max"),
    ] {
        let changed: Vec<&str> = toml.lines().map(|line| if line.starts_with(member) { value } else { line }).collect();
        match Policy::parse(changed.join("\n").as_bytes(), signers.as_bytes()) {
            Err(PolicyError::Member { at: where_, .. }) => assert_eq!(where_, at, "{value}"),
            other => panic!("{value}: {other:?}"),
        }
    }
    // The last table's alone.
    for (member, at) in [("requests_max", "epoch.requests_max"), ("pairs_max", "epoch.pairs_max"), ("tokens_max", "epoch.tokens_max")] {
        let (head, tail) = toml.split_at(toml.rfind(member).unwrap());
        let (_, rest) = tail.split_once('\n').unwrap();
        let error = Policy::parse(format!("{head}{member} = 0\n{rest}").as_bytes(), signers.as_bytes()).unwrap_err();
        assert!(matches!(&error, PolicyError::Member { at: where_, .. } if where_.ends_with(at)), "{error:?}");
    }
    for extra in ["clock = 1\n", "[holder]\n"] {
        assert!(matches!(Policy::parse(format!("{extra}{toml}").as_bytes(), b""), Err(PolicyError::Syntax { .. })));
    }
    let negative = toml.replace("days_max = 365", "days_max = -1");
    assert!(matches!(Policy::parse(negative.as_bytes(), signers.as_bytes()), Err(PolicyError::Syntax { line: 8, .. })));
    assert_eq!(Policy::parse(&vec![b'#'; POLICY_BYTES_MAX + 1], b""), Err(PolicyError::Text));
    assert_eq!(Policy::parse(&[0xff], b""), Err(PolicyError::Text));
    assert!(matches!(Policy::parse(toml.as_bytes(), &[0xff]), Err(PolicyError::Signers(_))));
    assert!(matches!(Policy::parse(toml.as_bytes(), b"a b c"), Err(PolicyError::Signers(_))));
}

#[test]
fn fingerprints_are_read_as_they_are_shown() {
    let toml = Doc::new().toml();
    let plain = "22".repeat(32);
    for shown in ["2222-".repeat(15) + "2222", "22:".repeat(31) + "22", plain.to_uppercase(), format!(" {plain} ")] {
        let toml = toml.replace(&plain, &shown);
        assert!(Policy::parse(toml.as_bytes(), Doc::new().signers().as_bytes()).unwrap().verifier(&VERIFIER).is_some(), "{shown}");
    }
    let mut twice = Doc::new();
    twice.verifiers.push(twice.verifiers[0].clone());
    assert!(matches!(twice.parse(), Err(PolicyError::Member { at, .. }) if at == "verifiers[2].fingerprint"));
}

#[test]
fn thresholds_can_be_reached_by_people_with_keys() {
    let refused = |change: &dyn Fn(&mut Doc), at: &str| {
        let mut doc = Doc::new();
        change(&mut doc);
        match doc.parse() {
            Err(PolicyError::Member { at: where_, .. }) => assert_eq!(where_, at),
            other => panic!("{at}: {other:?}"),
        }
    };
    let drop_key = |doc: &mut Doc, name: &str| doc.lines.retain(|line| !line.principal.starts_with(name));
    refused(&|doc| drop_key(doc, "carol"), "holder.officials");
    refused(&|doc| drop_key(doc, "alice"), "verifier 22222222: officials");
    refused(&|doc| doc.verifiers[0].officials.push("nobody@x".into()), "verifier 22222222: officials");
    refused(&|doc| doc.verifiers[0].officials.push("alice@city.example".into()), "verifiers[1].officials");
    refused(&|doc| doc.verifiers[0].officials.push("*".into()), "verifiers[1].officials");
    refused(&|doc| doc.verifiers[0].officials.clear(), "verifiers[1].officials");
    refused(&|doc| doc.officials.clear(), "holder.officials");
    // Two of three may sign policies, and three are demanded.
    refused(
        &|doc| {
            doc.lines[3].namespaces = vec!["countersign@oblink-1"];
            doc.minima = [3, 1];
        },
        "holder.policy_signatures_min",
    );
    refused(
        &|doc| {
            for line in &mut doc.lines[3..6] {
                line.namespaces = vec!["policy@oblink-1"];
            }
        },
        "holder.countersignatures_min",
    );
    // A second key makes nobody a second person.
    refused(
        &|doc| {
            drop_key(doc, "erin");
            drop_key(doc, "frank");
            doc.officials = vec![official("carol").principal.to_owned()];
            let mut second = doc.lines[3].clone();
            second.official = 4;
            doc.lines.push(second);
        },
        "holder.policy_signatures_min",
    );
    // Nobody signs for both sides.
    refused(
        &|doc| {
            doc.lines[0].namespaces.push("countersign@oblink-1");
            doc.officials.push("alice@city.example".into());
        },
        "verifier 22222222: officials",
    );
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(toml in proptest::collection::vec(any::<u8>(), 0..200), at in 0usize..2_000, with in any::<u8>()) {
        let _ = Policy::parse(&toml, &toml);
        let doc = Doc::new();
        let mut good = doc.toml().into_bytes();
        if let Some(byte) = good.get_mut(at) { *byte = with; }
        let _ = Policy::parse(&good, doc.signers().as_bytes());
    }
}
