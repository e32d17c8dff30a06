//! Who signed, with what, over what, and when (SPEC AUT-1, AUT-2, SIG-1, SIG-2).

use oblink_session::request::Request;
use oblink_tests::asking::{day, now_unix_ms};
use oblink_tests::officials::{COUNTERSIGN, KeyKind, KeygenOfficial, Official, POLICY, REQUEST, ssh_keygen};

use super::house::House;

/// A day of ledger time as allowed signers write it.
fn stamp(from_today: i64) -> String {
    format!("{}Z", day(from_today).replace('-', ""))
}

/// Attack: nobody has signed (SPEC AUT-1).
#[test]
fn unsigned() {
    let house = House::new();
    house.denied(&house.unsigned("r"), "signature_short");
}

/// Attack: one official of the two that the policy demands (SPEC AUT-1).
#[test]
fn one_signature_short() {
    let house = House::new();
    house.denied(&house.unsigned("r").signed_by(&house.cast.asking[1..2]), "signature_short");
}

/// Attack: the same official twice, by two signatures of one security key, which differ (SPEC AUT-1).
#[test]
fn the_same_official_twice() {
    let house = House::new();
    let request = house.unsigned("r");
    let poe = &house.cast.asking[2];
    request.add("poe", &poe.sign(REQUEST, &request.bytes()));
    // Said again without a touch: another signature, and nobody demands presence here.
    request.add("poe-again", &poe.sign_untouched(REQUEST, &request.bytes()));
    house.denied(&request, "signature_short");
}

/// Attack: one official with two keys on the list (SPEC AUT-1, SIG-2).
#[test]
fn two_keys_of_one_official() {
    let other = Official::with_key("doe@verifier", KeyKind::P256, "second");
    let house = House::with(|rules| rules.allowed_signers += &other.line(REQUEST, ""));
    let request = house.unsigned("r").signed_by(&house.cast.asking[..1]);
    request.add("doe-second", &other.sign(REQUEST, &request.bytes()));
    house.denied(&request, "signature_short");
}

/// Attack: a request whose time is over (SPEC AUT-1).
#[test]
fn expired() {
    let house = House::new();
    let mut draft = house.draft(8_192);
    (draft.manifest.not_before_unix_ms, draft.manifest.not_after_unix_ms) = (now_unix_ms() - 7_200_000, now_unix_ms() - 1_000);
    house.denied_by_hand(&draft.signed_by(house.two()), "expired");
    let request = house.agencies.request(&house.pairs, "r", "");
    request.edit(|said| (said.not_before_unix_ms, said.not_after_unix_ms) = (now_unix_ms() - 7_200_000, now_unix_ms() - 1_000));
    let request = request.signed_by(house.two());
    let serving = house.serve();
    house.fails(&serving, &request, 4, "not_authorised");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: a request before its time (SPEC AUT-1).
#[test]
fn not_yet_valid() {
    let house = House::new();
    let request = house.agencies.request(&house.pairs, "r", &format!("--not-before {} --not-after {}", day(2), day(7)));
    house.denied(&request.signed_by(house.two()), "not_yet_valid");
}

/// Attack: a request that is good for longer than the policy lets any be (SPEC AUT-1).
#[test]
fn valid_for_too_long() {
    let house = House::with(|rules| rules.verifier().validity_days_max = 3);
    house.denied(&house.request("r"), "validity_too_long");
}

/// Attack: signatures made for another purpose, over the same bytes (SPEC SIG-1).
#[test]
fn wrong_namespace() {
    let house = House::new();
    for (name, namespace) in [("a", COUNTERSIGN), ("b", POLICY), ("c", "file")] {
        let request = house.unsigned(name).signed_by(&house.cast.asking[..1]);
        request.add("roe", &house.cast.asking[1].sign(namespace, &request.bytes()));
        // A countersignature is not sent along by the honest program, and so counts as none.
        house.denied_as(&request, if namespace == COUNTERSIGN { "signature_short" } else { "wrong_namespace" }, "wrong_namespace");
    }
}

/// Attack: a good signature by nobody whom the policy knows, beside enough good ones (SPEC AUT-1: one that fails denies).
#[test]
fn a_signer_who_is_not_listed() {
    let house = House::new();
    let mallory = Official::new("mallory@far", KeyKind::Ed25519);
    let request = house.unsigned("r").signed_by(&house.cast.asking[..1]).signed_by(std::slice::from_ref(&mallory));
    house.denied(&request, "signer_not_listed");
    let request = house.request("r2").signed_by(&[mallory]);
    house.denied(&request, "signer_not_listed");
}

/// Attack: an official's name over another's key (SPEC SIG-2).
#[test]
fn the_right_name_with_another_key() {
    let house = House::new();
    let request = house.unsigned("r").signed_by(&house.cast.asking[1..2]);
    let false_doe = Official::with_key("doe@verifier", KeyKind::Ed25519, "false");
    request.add("doe", &false_doe.sign(REQUEST, &request.bytes()));
    house.denied(&request, "signer_not_listed");
}

/// Attack: signed while the key was good, asked after a tightening took it off the list (SPEC AUT-1, POL-2).
#[test]
fn a_signer_who_was_revoked_by_a_tightening() {
    let house = House::new();
    let request = house.request("r");
    let mut rules = house.rules.clone();
    let doe = house.cast.asking[0].line(REQUEST, "");
    rules.allowed_signers = rules.allowed_signers.replace(&doe, "");
    rules.verifier().officials.retain(|name| name != "doe@verifier");
    // Nobody signs: it is a tightening.
    house.agencies.put_in_force(&rules, "without-doe", &[]);
    house.denied(&request, "signer_not_listed");
}

/// Attack: a key whose time is over (SPEC SIG-2).
#[test]
fn a_signer_whose_key_has_expired() {
    let house = House::with(|rules| {
        rules.allowed_signers =
            rules.allowed_signers.replacen("\"request@oblink-1\"", &format!("\"request@oblink-1\",valid-before=\"{}\"", stamp(0)), 1);
    });
    house.denied(&house.request("r"), "signer_expired");
}

/// Attack: a key whose time has not come (SPEC SIG-2).
#[test]
fn a_signer_whose_key_is_not_valid_yet() {
    let house = House::with(|rules| {
        rules.allowed_signers =
            rules.allowed_signers.replacen("\"request@oblink-1\"", &format!("\"request@oblink-1\",valid-after=\"{}\"", stamp(2)), 1);
    });
    house.denied(&house.request("r"), "signer_not_yet_valid");
}

/// Attack: another purpose written into a request that was signed (SPEC AUT-1).
#[test]
fn an_edited_purpose() {
    let house = House::new();
    let request = house.request("r");
    request.edit(|said| said.purpose = "To find them".to_owned());
    house.denied(&request, "signature_invalid");
}

/// Attack: a signed request with blanks added, which reads the same (SPEC REQ-1: canonical or nothing).
#[test]
fn a_request_that_is_not_canonical() {
    let house = House::new();
    let draft = house.draft(8_192);
    let mut asked = draft.signed_by(house.two());
    asked.bytes = String::from_utf8(asked.bytes).unwrap().replace(",\"pairs\":", ", \"pairs\":").into_bytes();
    assert!(Request::parse(&asked.bytes).is_err());
    let serving = house.serve();
    house.refused_by_hand(&serving, &asked, oblink_session::error::RefusalCode::RequestMalformed, "canonical");
    drop(serving.stop());
    house.agencies.nothing_evaluated();
}

/// Attack: a security key that signed by itself, where the policy demands that somebody touched it (SPEC SIG-1).
#[test]
fn a_security_key_that_nobody_touched() {
    let zoe = Official::new("zoe@verifier", KeyKind::SkEd25519);
    let house = House::with(|rules| {
        rules.allowed_signers += &zoe.line(REQUEST, "");
        rules.verifier().officials = vec!["poe@verifier".to_owned(), "zoe@verifier".to_owned()];
        rules.verifier().user_presence = true;
    });
    let request = house.unsigned("r").signed_by(&house.cast.asking[2..3]);
    request.add("zoe", &zoe.sign_untouched(REQUEST, &request.bytes()));
    house.denied(&request, "user_not_present");
    // Touched, it counts.
    let request = house.unsigned("touched").signed_by(&[house.cast.asking[2].clone(), zoe]);
    assert_eq!(house.check(&house.serve(), &request).rows.len(), super::house::PAIRS);
}

/// Attack: a key that cannot say whether it was touched, where the policy demands it (SPEC SIG-1).
#[test]
fn a_key_that_cannot_be_touched() {
    let house = House::with(|rules| rules.verifier().user_presence = true);
    house.denied(&house.request("r"), "user_not_present");
}

/// Attack: no countersignature of the holder's officials where the policy demands one (SPEC AUT-1).
#[test]
fn a_missing_countersignature() {
    let house = House::with(|rules| rules.countersignatures_min = 1);
    house.denied(&house.request("r"), "signature_short");
}

/// Attack: a verifier's official countersigns (SPEC AUT-1): the holder's program does not even file it.
#[test]
fn a_countersignature_of_a_verifiers_official() {
    let house = House::with(|rules| rules.countersignatures_min = 1);
    let request = house.request("r");
    let poe = house.cast.asking[2].sign(COUNTERSIGN, &request.bytes());
    let file = house.agencies.file("poe.sig", &poe);
    let call = || house.agencies.holder.call("request countersign --json").path("--request", &request.file());
    let ended = call().path("--signature", &file).run();
    assert_ne!(ended.code(), 0, "{ended}");
    // Nor does it count where the verifier sends it along.
    request.add("poe-countersigns", &poe);
    house.denied_as(&request, "signature_short", "wrong_namespace");
    // The holder's own counts.
    std::fs::remove_file(request.path.join("signatures/poe-countersigns.sig")).unwrap();
    std::fs::remove_file(request.path.join("checkpoint/run")).unwrap();
    let archer = house.agencies.file("archer.sig", house.cast.holding[0].sign(COUNTERSIGN, &request.bytes()));
    call().path("--signature", &archer).ok();
    assert_eq!(house.check(&house.serve(), &request).rows.len(), super::house::PAIRS);
}

/// The attack of an edited purpose and of one signature short once more, with keys and signatures of the real ssh-keygen (SPEC SIG-1).
#[test]
fn what_ssh_keygen_signed_counts_for_what_it_signed_alone() {
    let Some(program) = ssh_keygen() else { return };
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, kind: &str| KeygenOfficial::make(&program, folder.path(), name, kind);
    let officials = [make("ann@verifier", "ed25519"), make("bob@verifier", "ecdsa")];
    let house = House::with(|rules| {
        rules.allowed_signers += &officials.iter().map(|official| official.line(REQUEST)).collect::<String>();
        rules.verifier().officials = officials.iter().map(|official| official.principal.clone()).collect();
    });
    let sign = |name: &str, count: usize| {
        let request = house.unsigned(name);
        for official in &officials[..count] {
            let made = official.sign(REQUEST, &request.file());
            std::fs::rename(made, request.path.join("signatures").join(format!("{}.sig", official.principal))).unwrap();
        }
        request
    };
    house.denied(&sign("one", 1), "signature_short");
    let edited = sign("edited", 2);
    edited.edit(|said| said.purpose = "To find them".to_owned());
    house.denied(&edited, "signature_invalid");
    let wrong = sign("wrong", 1);
    let made = officials[1].sign(COUNTERSIGN, &wrong.file());
    std::fs::rename(made, wrong.path.join("signatures/bob.sig")).unwrap();
    house.denied_as(&wrong, "signature_short", "wrong_namespace");
    assert_eq!(house.check(&house.serve(), &sign("good", 2)).rows.len(), super::house::PAIRS);
}
