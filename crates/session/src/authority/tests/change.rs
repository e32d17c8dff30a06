//! POL-2

use super::{DAY, Doc, HOLDER, NOW, VERIFIER, VerifierDoc, manifest, official, request};
use crate::authority::{Authorised, BuiltInRulesets, Change, Denial, Facts, Policy, authorise, compare};
use crate::request::{Disclosure, Manifest};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

fn texts(change: &Change) -> (&'static str, Vec<String>) {
    match change {
        Change::Same => ("same", Vec::new()),
        Change::Tighter(texts) => ("tighter", texts.clone()),
        Change::Looser(texts) => ("looser", texts.clone()),
    }
}

/// Bends one thing; and back.
fn both_ways(there: &str, back: &str, change: impl FnOnce(&mut Doc)) {
    let old = Doc::new();
    let mut new = old.clone();
    change(&mut new);
    let (old, new) = (old.policy(), new.policy());
    let (forth_word, forth) = texts(&compare(&old, &new));
    let (back_word, again) = texts(&compare(&new, &old));
    assert_eq!((forth_word, back_word), (there, back), "{forth:?} {again:?}");
    assert!(!forth.is_empty() && !again.is_empty());
}

#[test]
fn each_change_by_itself() {
    let (t, l) = ("tighter", "looser");
    both_ways(l, t, |doc| doc.minima[0] = 1);
    both_ways(l, t, |doc| doc.minima[1] = 0);
    both_ways(t, l, |doc| doc.minima[1] = 2);
    both_ways(t, l, |doc| doc.user_presence = true);
    both_ways(t, l, |doc| drop(doc.officials.pop()));
    both_ways(t, l, |doc| doc.epoch[0] = 364);
    both_ways(t, l, |doc| doc.epoch[1] -= 1);
    both_ways(l, t, |doc| doc.epoch[2] = 1);
    both_ways(l, t, |doc| doc.epoch[3] = 601);
    both_ways(t, l, |doc| doc.verifiers.clear());
    both_ways(l, t, |doc| doc.verifiers.push(VerifierDoc { fingerprint: [9; 32], ..doc.verifiers[0].clone() }));
    both_ways(l, l, |doc| doc.verifiers[0].fingerprint = [9; 32]);
    fn one(doc: &mut Doc) -> &mut VerifierDoc {
        &mut doc.verifiers[0]
    }
    both_ways(l, l, |doc| one(doc).name = "City of Elsewhere".into());
    both_ways(t, l, |doc| drop(one(doc).officials.pop()));
    both_ways(l, t, |doc| one(doc).signatures_min = 1);
    both_ways(t, l, |doc| one(doc).signatures_min = 3);
    both_ways(t, l, |doc| one(doc).user_presence = true);
    both_ways(l, t, |doc| one(doc).rulesets.push("us-next-1"));
    both_ways(l, l, |doc| one(doc).rulesets = vec!["us-next-1"]);
    both_ways(l, t, |doc| one(doc).classes.push("find-person"));
    for cap in 0..3 {
        both_ways(l, t, |doc| one(doc).caps[cap] += 1);
        both_ways(t, l, |doc| one(doc).limits[cap] -= 1);
        both_ways(l, t, |doc| one(doc).limits[cap] = 0);
        both_ways(l, t, |doc| one(doc).epoch[cap] += 1);
        both_ways(l, t, |doc| one(doc).window[1 + cap] += 1);
    }
    both_ways(t, l, |doc| one(doc).fields.push("case"));
    both_ways(l, t, |doc| one(doc).fields.clear());
    both_ways(t, l, |doc| one(doc).columns.push("person_id"));
    both_ways(l, t, |doc| one(doc).disclosure.push("count"));
    both_ways(l, l, |doc| one(doc).disclosure = vec!["count"]);
    both_ways(l, l, |doc| one(doc).window[0] += 1);
    both_ways(l, l, |doc| one(doc).window[0] -= 1);
}

#[test]
fn each_change_of_a_key_by_itself() {
    let (t, l) = ("tighter", "looser");
    // A key more of somebody, even of nobody who is listed.
    both_ways(l, t, |doc| {
        let mut line = doc.lines[0].clone();
        line.official = 7;
        doc.lines.push(line);
    });
    both_ways(l, t, |doc| {
        let mut line = doc.lines[0].clone();
        (line.official, line.principal) = (7, official("mallory").principal.into());
        doc.lines.push(line);
    });
    // Two officials change keys.
    both_ways(l, l, |doc| (doc.lines[0].official, doc.lines[1].official) = (1, 0));
    both_ways(l, t, |doc| doc.lines[0].namespaces.push("policy@oblink-1"));
    both_ways(t, l, |doc| doc.lines[3].namespaces.truncate(1));
    both_ways(l, t, |doc| doc.lines[0].after = None);
    both_ways(l, t, |doc| doc.lines[0].after = Some("20241231Z"));
    both_ways(t, l, |doc| doc.lines[0].after = Some("20250102Z"));
    both_ways(l, t, |doc| doc.lines[0].before = None);
    both_ways(l, t, |doc| doc.lines[0].before = Some("20260101Z"));
    both_ways(t, l, |doc| doc.lines[0].before = Some("20251230Z"));
}

#[test]
fn one_that_loosens_is_enough_and_order_is_nothing() {
    let old = Doc::new();
    let mut new = old.clone();
    new.minima = [3, 0];
    let (word, said) = texts(&compare(&old.policy(), &new.policy()));
    assert_eq!((word, said), ("looser", vec!["holder.countersignatures_min lowered from 1 to 0".to_owned()]));
    new = old.clone();
    new.officials.reverse();
    new.lines.reverse();
    assert_eq!(compare(&old.policy(), &new.policy()), Change::Same);
    assert_ne!(old.policy().digest(), new.policy().digest());
    new.verifiers[0].name = "Secret Plans".into();
    let (_, said) = texts(&compare(&old.policy(), &new.policy()));
    assert_eq!(said, ["verifier 22222222: name changed"]);
}

fn pick<T: Clone>(rng: &mut StdRng, from: &[T]) -> T {
    from[rng.random_range(0..from.len())].clone()
}

/// Bends something, in small steps around what the requests of [`ask`] need.
fn bend(rng: &mut StdRng, doc: &mut Doc) {
    let names =
        |pool: &[&'static str], rng: &mut StdRng| -> Vec<&'static str> { pool.iter().copied().filter(|_| rng.random_bool(0.6)).collect() };
    let principals =
        |pool: &[&'static str], rng: &mut StdRng| names(pool, rng).iter().map(|name| official(name).principal.to_owned()).collect();
    let line = rng.random_range(0..doc.lines.len().max(1));
    let Some(one) = doc.verifiers.first_mut() else { return };
    match rng.random_range(0..24) {
        0 => doc.officials = principals(&["carol", "erin", "frank"], rng),
        1 => doc.minima[0] = rng.random_range(1..3),
        2 => doc.minima[1] = rng.random_range(0..3),
        3 => doc.user_presence = rng.random_bool(0.2),
        4 => one.officials = principals(&["alice", "bob", "dora", "gina"], rng),
        5 => one.signatures_min = rng.random_range(1..4),
        6 => one.user_presence = rng.random_bool(0.3),
        7 => one.classes = pick(rng, &[vec!["confirm-address"], vec!["confirm-address", "find-person"], vec!["find-person"]]),
        8 => one.caps[0] = rng.random_range(1..4),
        9 => one.caps[1] = rng.random_range(1..4),
        10 => one.caps[2] = rng.random_range(1..4),
        11 => one.fields = names(&["agreement", "case"], rng),
        12 => one.columns = [vec!["order_date"], names(&["person_id"], rng)].concat(),
        13 => one.limits[0] = pick(rng, &[0, 1, 2, 30]),
        14 => one.limits[1] = rng.random_range(0..4),
        15 => one.limits[2] = pick(rng, &[0, 1, 2, 30]),
        16 => one.disclosure = names(&["none", "count", "matched_tags"], rng),
        17 => one.window = [pick(rng, &[7, 30]), rng.random_range(1..3), rng.random_range(1..3), rng.random_range(1..3)],
        18 => one.epoch = [rng.random_range(1..3), rng.random_range(1..3), rng.random_range(1..3)],
        19 => one.name = pick(rng, &["City of Example".to_owned(), "Town of Example".to_owned()]),
        20 => doc.lines[line].after = pick(rng, &[None, Some("20250614Z"), Some("20250615Z"), Some("20250616Z")]),
        21 => doc.lines[line].before = pick(rng, &[None, Some("20250614Z"), Some("20250616Z")]),
        22 => drop(doc.lines.remove(line)),
        _ => {
            let other = rng.random_range(0..doc.lines.len());
            let own = doc.lines[line].official;
            doc.lines[line].official = std::mem::replace(&mut doc.lines[other].official, own);
        }
    }
}

/// A request that some policies around authorise.
fn ask(rng: &mut StdRng) -> Asked {
    let mut asked = manifest();
    asked.pairs = rng.random_range(1..3);
    asked.addresses_per_person_max = rng.random_range(0..3);
    asked.disclosure = pick(rng, &[Disclosure::None, Disclosure::None, Disclosure::Count]);
    asked.not_before_unix_ms = NOW;
    asked.not_after_unix_ms = NOW + rng.random_range(1..3) * DAY;
    asked.order_date_earliest = pick(rng, &[20_250_615, 20_250_614, 20_250_601]);
    asked.order_date_latest = 20_250_615;
    if rng.random_bool(0.5) {
        asked.fields.insert("case".into(), "1".into());
        asked.required_columns.insert("person_id".into());
    }
    let signers = pick(rng, &[vec!["alice"], vec!["alice", "bob"], vec!["dora", "gina"], vec!["alice", "dora", "gina"], vec!["gina"]]);
    let counter = pick(rng, &[vec![], vec!["carol"], vec!["carol", "erin"], vec!["frank"]]);
    (asked, signers, counter, pick(rng, &[0, 20_250_615, 20_250_601]))
}

type Asked = (Manifest, Vec<&'static str>, Vec<&'static str>, u32);

/// Under two policies, with the same signatures.
fn verdicts(policies: [&Policy; 2], asked: &Asked) -> [Result<Authorised, Denial>; 2] {
    let request = request(asked.0.clone());
    let sign = |names: &[&'static str], namespace: &str| -> Vec<Vec<u8>> {
        names.iter().map(|name| official(name).sign(namespace, request.bytes())).collect()
    };
    let (signatures, countersignatures) = (sign(&asked.1, "request@oblink-1"), sign(&asked.2, "countersign@oblink-1"));
    policies.map(|policy| {
        authorise(&Facts {
            policy,
            holder: &HOLDER,
            verifier: &VERIFIER,
            request: &request,
            rulesets: &BuiltInRulesets,
            signatures: &signatures,
            countersignatures: &countersignatures,
            set_as_of: asked.3,
            now_unix_ms: NOW,
        })
    })
}

/// Of policies and requests at random: what a policy authorises that is said to be no looser, the one before authorised too, and its caps
/// were no lower.
#[test]
fn what_is_said_to_be_tighter_admits_nothing_new() {
    let mut rng = StdRng::seed_from_u64(4);
    let (mut held, mut looser, mut lost) = (0, 0, 0);
    for case in 0..400 {
        let mut doc = Doc::new();
        doc.verifiers[0].caps = [2, 2, 3];
        doc.verifiers[0].limits = [0, 0, 0];
        for _ in 0..rng.random_range(0..6) {
            bend(&mut rng, &mut doc);
        }
        let mut changed = doc.clone();
        for _ in 0..rng.random_range(1..4) {
            bend(&mut rng, &mut changed);
        }
        let (Ok(old), Ok(new)) = (doc.parse(), changed.parse()) else { continue };
        // Both ways: what is looser one way is as often tighter the other.
        for (old, new) in [(&old, &new), (&new, &old)] {
            let change = compare(old, new);
            if matches!(change, Change::Looser(_)) {
                looser += 1;
                continue;
            }
            for _ in 0..4 {
                let asked = ask(&mut rng);
                match verdicts([old, new], &asked) {
                    [Ok(before), Ok(after)] => {
                        held += 1;
                        let (before, after) = (before.caps(), after.caps());
                        assert!(before.window_ms == after.window_ms && before.window_requests_max >= after.window_requests_max);
                        assert!(before.window_pairs_max >= after.window_pairs_max && before.window_tokens_max >= after.window_tokens_max);
                        assert!(before.epoch_requests_max >= after.epoch_requests_max && before.epoch_pairs_max >= after.epoch_pairs_max);
                        assert!(before.epoch_tokens_max >= after.epoch_tokens_max);
                    }
                    [Ok(_), Err(_)] => lost += 1,
                    [Err(denial), Ok(_)] => panic!("case {case}: {change:?} admits what was denied: {denial}"),
                    [Err(_), Err(_)] => (),
                }
            }
        }
    }
    assert!(held > 20 && looser > 100 && lost > 2, "too little was seen: {held} {looser} {lost}");
}
