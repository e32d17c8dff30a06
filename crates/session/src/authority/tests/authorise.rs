//! AUT-1, AUT-2

use super::{DAY, Doc, HOLDER, NOW, Official, VERIFIER, manifest, official, request};
use crate::authority::{Authorised, BuiltInRulesets, Denial, Facts, Namespace, SignatureError, authorise};
use crate::ledger::Side;
use crate::request::{Disclosure, Manifest, Request};

const REQUEST: &str = "request@oblink-1";
const COUNTERSIGN: &str = "countersign@oblink-1";

type Sign = Box<dyn Fn(&Request) -> Vec<Vec<u8>>>;

/// Everything that a verdict depends on, to bend.
struct Case {
    doc: Doc,
    manifest: Manifest,
    holder: [u8; 32],
    verifier: [u8; 32],
    set_as_of: u32,
    now: u64,
    signatures: Sign,
    countersignatures: Sign,
}

impl Case {
    fn new() -> Self {
        Self {
            doc: Doc::new(),
            manifest: manifest(),
            holder: HOLDER,
            verifier: VERIFIER,
            set_as_of: 20_250_501,
            now: NOW,
            signatures: Box::new(|request| {
                vec![official("alice").sign(REQUEST, request.bytes()), official("bob").sign(REQUEST, request.bytes())]
            }),
            countersignatures: Box::new(|request| vec![official("carol").sign(COUNTERSIGN, request.bytes())]),
        }
    }

    fn verdict(&self) -> Result<Authorised, Denial> {
        let request = request(self.manifest.clone());
        authorise(&Facts {
            policy: &self.doc.policy(),
            holder: &self.holder,
            verifier: &self.verifier,
            request: &request,
            rulesets: &BuiltInRulesets,
            signatures: &(self.signatures)(&request),
            countersignatures: &(self.countersignatures)(&request),
            set_as_of: self.set_as_of,
            now_unix_ms: self.now,
        })
    }
}

fn denied(change: impl FnOnce(&mut Case)) -> Denial {
    let mut case = Case::new();
    change(&mut case);
    case.verdict().unwrap_err()
}

fn granted(change: impl FnOnce(&mut Case)) -> Authorised {
    let mut case = Case::new();
    change(&mut case);
    case.verdict().unwrap()
}

#[test]
fn what_is_authorised_says_by_whom_and_how_much() {
    let authorised = granted(|_| ());
    assert_eq!(authorised.policy_digest(), &Doc::new().policy().digest());
    assert_eq!(authorised.request_digest(), &request(manifest()).digest());
    assert_eq!(authorised.disclosure(), Disclosure::None);
    assert_eq!(authorised.caps(), &Doc::new().policy().verifier(&VERIFIER).unwrap().caps());
    let signers: Vec<_> = authorised.signers().iter().map(|signer| (signer.side, signer.principal.as_str())).collect();
    assert_eq!(
        signers,
        [(Side::Verifier, "alice@city.example"), (Side::Verifier, "bob@city.example"), (Side::Holder, "carol@tax.example")]
    );
    assert!(authorised.signers().iter().all(|signer| signer.key.starts_with("SHA256:")));
}

#[test]
fn who_asks_and_what() {
    assert_eq!(denied(|case| case.verifier = [0; 32]), Denial::VerifierUnknown);
    assert_eq!(denied(|case| case.holder = [0; 32]), Denial::OtherHolder);
    assert_eq!(denied(|case| case.manifest.holder = [0; 32]), Denial::OtherHolder);
    assert_eq!(denied(|case| case.manifest.verifier = [0; 32]), Denial::OtherVerifier);
    assert_eq!(denied(|case| case.manifest.verifier_name = "City of example".into()), Denial::VerifierName);
    assert_eq!(denied(|case| case.manifest.ruleset = "us-loose-1".into()), Denial::RulesetNotAllowed);
    assert_eq!(denied(|case| case.doc.verifiers[0].rulesets = vec!["us-loose-1"]), Denial::RulesetNotAllowed);
    assert_eq!(denied(|case| case.manifest.class = "find-person".into()), Denial::ClassNotAllowed);
    // Listed, and the rules are another class's.
    let both = vec!["confirm-address", "find-person"];
    let lie = |case: &mut Case| {
        case.manifest.class = "find-person".into();
        case.doc.verifiers[0].classes = both;
    };
    assert_eq!(denied(lie), Denial::RulesetMismatch);
    assert_eq!(denied(|case| case.manifest.ruleset_digest = [0; 32]), Denial::RulesetMismatch);
    assert_eq!(denied(|case| case.manifest.tokens_per_pair = 2), Denial::RulesetMismatch);
    let unknown = |case: &mut Case| {
        case.manifest.ruleset = "us-next-9".into();
        case.doc.verifiers[0].rulesets.push("us-next-9");
    };
    assert_eq!(denied(unknown), Denial::RulesetMismatch);

    let ruleset = manifest().ruleset_digest;
    let unsigned = Request::new([7; 16], 5, 8_192, "us-exact-1", ruleset, 1).unwrap();
    let facts = |request| {
        authorise(&Facts {
            policy: &Doc::new().policy(),
            holder: &HOLDER,
            verifier: &VERIFIER,
            request,
            rulesets: &BuiltInRulesets,
            signatures: &[],
            countersignatures: &[],
            set_as_of: 20_250_501,
            now_unix_ms: NOW,
        })
    };
    assert_eq!(facts(&unsigned).unwrap_err(), Denial::Unsigned);
}

#[test]
fn when() {
    granted(|case| case.now = case.manifest.not_before_unix_ms);
    granted(|case| case.now = case.manifest.not_after_unix_ms);
    assert_eq!(denied(|case| case.now = case.manifest.not_before_unix_ms - 1), Denial::NotYetValid);
    assert_eq!(denied(|case| case.now = case.manifest.not_after_unix_ms + 1), Denial::Expired);
    granted(|case| case.manifest.not_after_unix_ms = case.manifest.not_before_unix_ms + 30 * DAY);
    let long = |case: &mut Case| case.manifest.not_after_unix_ms = case.manifest.not_before_unix_ms + 30 * DAY + 1;
    assert_eq!(denied(long), Denial::ValidityTooLong { max_days: 30 });
}

#[test]
fn how_much() {
    granted(|case| case.manifest.pairs = 1_000);
    assert_eq!(denied(|case| case.manifest.pairs = 1_001), Denial::PairsOverCap { asked: 1_001, max: 1_000 });
    let tokens = |case: &mut Case| case.doc.verifiers[0].caps[1] = 499;
    assert_eq!(denied(tokens), Denial::TokensOverCap { asked: 500, max: 499 });
}

#[test]
fn under_which_conditions() {
    assert_eq!(denied(|case| case.manifest.fields.clear()), Denial::FieldMissing { name: "agreement".into() });
    let no_column = |case: &mut Case| {
        case.manifest.required_columns.clear();
        (case.manifest.order_date_earliest, case.manifest.order_date_latest) = (0, 0);
    };
    assert_eq!(denied(no_column), Denial::ColumnNotRequired { name: "order_date".into() });
    // 2025-06-15 less 90 days.
    granted(|case| case.manifest.order_date_earliest = 20_250_317);
    assert_eq!(denied(|case| case.manifest.order_date_earliest = 20_250_316), Denial::OrderTooOld { days: 91, max_days: 90 });
    assert!(matches!(denied(|case| case.manifest.order_date_earliest = 19_000_101), Denial::OrderTooOld { .. }));
    granted(|case| case.manifest.order_date_latest = 20_250_616);
    assert_eq!(denied(|case| case.manifest.order_date_latest = 20_250_617), Denial::OrderDate);
    granted(|case| {
        case.doc.verifiers[0].limits[0] = 0;
        case.manifest.order_date_earliest = 19_000_101;
    });
    for limit in [0, 6] {
        assert_eq!(denied(|case| case.manifest.addresses_per_person_max = limit), Denial::AddressesPerPerson { max: 5 });
        granted(|case| {
            case.manifest.addresses_per_person_max = limit;
            case.doc.verifiers[0].limits[1] = 0;
        });
    }
    assert_eq!(denied(|case| case.manifest.disclosure = Disclosure::Count), Denial::DisclosureNotAllowed);
    // May, and must.
    assert_eq!(denied(|case| case.doc.verifiers[0].disclosure = vec!["count", "matched_tags"]), Denial::DisclosureNotAllowed);
    let agreed = granted(|case| {
        case.manifest.disclosure = Disclosure::MatchedTags;
        case.doc.verifiers[0].disclosure = vec!["none", "matched_tags"];
    });
    assert_eq!(agreed.disclosure(), Disclosure::MatchedTags);
    // 2025-06-15 less 60 days.
    granted(|case| case.set_as_of = 20_250_416);
    assert_eq!(denied(|case| case.set_as_of = 20_250_415), Denial::SetTooOld { days: 61, max_days: 60 });
    assert_eq!(denied(|case| case.set_as_of = 0), Denial::SetUndated);
    granted(|case| {
        case.set_as_of = 0;
        case.doc.verifiers[0].limits[2] = 0;
    });
}

fn signed(case: &mut Case, signatures: impl Fn(&Request) -> Vec<Vec<u8>> + 'static) {
    case.signatures = Box::new(signatures);
}

fn by(officials: &'static [&'static str], namespace: &'static str) -> impl Fn(&Request) -> Vec<Vec<u8>> {
    move |request| officials.iter().map(|name| official(name).sign(namespace, request.bytes())).collect()
}

#[test]
fn officials_of_every_key_type_count() {
    for pair in [["alice", "bob"], ["dora", "gina"], ["gina", "alice"]] {
        granted(|case| signed(case, move |request| pair.map(|name| official(name).sign(REQUEST, request.bytes())).to_vec()));
    }
    for name in ["carol", "erin", "frank"] {
        granted(|case| case.countersignatures = Box::new(move |request| vec![official(name).sign(COUNTERSIGN, request.bytes())]));
    }
}

#[test]
fn too_few_officials() {
    let namespace = Namespace::Request;
    let short = |counted, needed| Denial::SignatureShort { namespace, counted, needed };
    assert_eq!(denied(|case| signed(case, |_| Vec::new())), short(0, 2));
    assert_eq!(denied(|case| signed(case, by(&["alice"], REQUEST))), short(1, 2));
    assert_eq!(denied(|case| signed(case, by(&["alice", "alice"], REQUEST))), short(1, 2));
    // Two keys, one person.
    let two_keys = |case: &mut Case| {
        case.doc.lines[1].principal = official("alice").principal.to_owned();
        case.doc.verifiers[0].officials.retain(|name| !name.starts_with("bob"));
        signed(case, by(&["alice", "bob"], REQUEST));
    };
    assert_eq!(denied(two_keys), short(1, 2));
    let none = |case: &mut Case| case.countersignatures = Box::new(|_| Vec::new());
    assert_eq!(denied(none), Denial::SignatureShort { namespace: Namespace::Countersign, counted: 0, needed: 1 });
    granted(|case| {
        none(case);
        case.doc.minima[1] = 0;
    });
    let many = |case: &mut Case| signed(case, |request| vec![official("alice").sign(REQUEST, request.bytes()); 65]);
    assert_eq!(denied(many), Denial::TooManySignatures { namespace });
}

/// One that is not good denies the request, however many others are.
#[test]
fn a_bad_signature_is_not_passed_over() {
    let namespace = Namespace::Request;
    let third = |sign: fn(&Official, &Request) -> Vec<u8>, name: &'static str| {
        denied(|case| {
            signed(case, move |request| {
                let mut signatures = by(&["alice", "bob"], REQUEST)(request);
                signatures.push(sign(official(name), request));
                signatures
            });
        })
    };
    let number = 3;
    assert_eq!(third(|_, _| b"note".to_vec(), "dora"), Denial::SignatureMalformed { namespace, number, why: SignatureError::Armour });
    assert_eq!(third(|dora, request| dora.sign(COUNTERSIGN, request.bytes()), "dora"), Denial::WrongNamespace { namespace, number });
    assert_eq!(third(|mallory, request| mallory.sign(REQUEST, request.bytes()), "mallory"), Denial::SignerNotListed { namespace, number });
    // A key of the policy, of an official of the other side.
    assert_eq!(third(|carol, request| carol.sign(REQUEST, request.bytes()), "carol"), Denial::SignerNotListed { namespace, number });
    let edited = |dora: &Official, request: &Request| dora.sign(REQUEST, &[request.bytes(), b" "].concat());
    assert_eq!(third(edited, "dora"), Denial::SignatureInvalid { namespace, number });

    let number = 1;
    let namespace = Namespace::Countersign;
    let counter = |name: &'static str, namespace: &'static str| {
        denied(|case| case.countersignatures = Box::new(move |request| vec![official(name).sign(namespace, request.bytes())]))
    };
    assert_eq!(counter("carol", REQUEST), Denial::WrongNamespace { namespace, number });
    assert_eq!(counter("alice", COUNTERSIGN), Denial::SignerNotListed { namespace, number });
    let unlisted = |case: &mut Case| case.doc.officials.retain(|name| !name.starts_with("carol"));
    assert_eq!(denied(unlisted), Denial::SignerNotListed { namespace, number });
    let purpose = |case: &mut Case| case.doc.lines[3].namespaces = vec!["policy@oblink-1"];
    assert_eq!(denied(purpose), Denial::SignerNotListed { namespace, number });
    // Not demanded, but handed in.
    let optional = |case: &mut Case| {
        case.doc.minima[1] = 0;
        case.countersignatures = Box::new(|request| vec![official("mallory").sign(COUNTERSIGN, request.bytes())]);
    };
    assert_eq!(denied(optional), Denial::SignerNotListed { namespace, number });
}

#[test]
fn keys_have_their_time() {
    let number = 2;
    let namespace = Namespace::Request;
    assert_eq!(denied(|case| case.doc.lines[1].before = Some("20250615150639Z")), Denial::SignerExpired { namespace, number });
    granted(|case| case.doc.lines[1].before = Some("20250615150640Z"));
    assert_eq!(denied(|case| case.doc.lines[1].after = Some("20250615150641Z")), Denial::SignerNotYetValid { namespace, number });
    granted(|case| case.doc.lines[1].after = Some("20250615150640Z"));
}

#[test]
fn a_touch_where_it_is_demanded() {
    let namespace = Namespace::Request;
    let touched = |case: &mut Case| {
        case.doc.verifiers[0].user_presence = true;
        signed(case, by(&["dora", "gina"], REQUEST));
    };
    granted(touched);
    let untouched = |case: &mut Case| {
        touched(case);
        signed(case, |request| {
            vec![official("dora").sign(REQUEST, request.bytes()), official("gina").parts(REQUEST, request.bytes(), 4).armoured()]
        });
    };
    assert_eq!(denied(untouched), Denial::UserNotPresent { namespace, number: 2 });
    // A key that cannot tell.
    assert_eq!(denied(|case| case.doc.verifiers[0].user_presence = true), Denial::UserNotPresent { namespace, number: 1 });
    let holder = Denial::UserNotPresent { namespace: Namespace::Countersign, number: 1 };
    assert_eq!(denied(|case| case.doc.user_presence = true), holder);
}

/// AUT-2: of several reasons the first in the order is given.
#[test]
fn the_order_of_reasons() {
    type Step = (fn(&mut Case), &'static str);
    let steps: [Step; 17] = [
        (|case| case.verifier = [0; 32], "verifier_unknown"),
        (|case| case.manifest.holder = [0; 32], "other_holder"),
        (|case| case.manifest.verifier = [0; 32], "other_verifier"),
        (|case| case.manifest.verifier_name = "x".into(), "verifier_name"),
        (|case| case.manifest.ruleset = "x".into(), "ruleset_not_allowed"),
        (|case| case.manifest.class = "find-person".into(), "class_not_allowed"),
        (|case| case.manifest.ruleset_digest = [0; 32], "ruleset_mismatch"),
        (|case| case.now = case.manifest.not_after_unix_ms + 1, "expired"),
        (|case| case.doc.verifiers[0].caps[2] = 1, "validity_too_long"),
        (|case| case.doc.verifiers[0].caps[0] = 1, "pairs_over_cap"),
        (|case| case.doc.verifiers[0].caps[1] = 1, "tokens_over_cap"),
        (|case| case.manifest.fields.clear(), "field_missing"),
        (|case| case.doc.verifiers[0].columns.push("person_id"), "column_not_required"),
        (|case| case.manifest.order_date_earliest = 20_200_101, "order_too_old"),
        (|case| case.manifest.addresses_per_person_max = 0, "addresses_per_person"),
        (|case| case.manifest.disclosure = Disclosure::Count, "disclosure_not_allowed"),
        (|case| case.set_as_of = 0, "set_undated"),
    ];
    for from in 0..steps.len() {
        let denial = denied(|case| {
            signed(case, |_| Vec::new());
            for (step, _) in &steps[from..] {
                step(case);
            }
        });
        assert_eq!(denial.code_word(), steps[from].1);
        assert_eq!(denial.namespace(), None);
    }
    let both = denied(|case| {
        signed(case, |_| Vec::new());
        case.countersignatures = Box::new(|_| Vec::new());
    });
    assert_eq!((both.code_word(), both.namespace()), ("signature_short", Some(Namespace::Request)));
}
