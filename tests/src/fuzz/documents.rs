//! Documents that people and programs hand over: requests, policies, signers, signatures, proposals, receipts.

use std::sync::OnceLock;

use oblink_session::authority::{
    AllowedSigners, BuiltInRulesets, Change, Facts, InForce, Namespace, Policy, Proposal, Signature, approve, authorise, compare,
};
use oblink_session::limits::{PAIRS_MAX, TIME_UNIX_MS_MAX};
use oblink_session::receipt::Receipt;
use oblink_session::request::{Request, to_hex};
use oblink_session::statement::StatementKind;
use serde_json::Value;

use super::honest::Honest;
use super::input::Input;
use super::parties::{ASKING, Asked, HOLDING, NOW, Parties, official};

/// The first byte says what the rest is.
///
/// Held, kind by kind: what is read as canonical JSON is those very bytes, its integers below 2^53; what passes gives itself back; a policy
/// compares with itself as the same, and two that admit the same either way compare so; a signature holds over one message in one namespace;
/// what is authorised is within the policy's bounds, checked here a second time; a receipt that verifies says what its signers signed.
pub fn documents(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    match input.u8() % 8 {
        0 => request(input.rest()),
        1 => policy(input.rest()),
        2 => signers(input.rest()),
        3 => signature(input.rest()),
        4 => proposal(input.rest()),
        5 => receipt(input.rest()),
        6 => signed_receipt(&mut input),
        _ => authorised(&mut input),
    }
}

/// Integers of canonical JSON: all below 2^53, and nothing that is no integer.
fn integers(bytes: &[u8]) {
    fn walk(value: &Value) {
        match value {
            Value::Number(number) => assert!(number.as_u64().is_some_and(|n| n <= TIME_UNIX_MS_MAX), "an integer below 2^53"),
            Value::Array(items) => items.iter().for_each(walk),
            Value::Object(members) => members.values().for_each(walk),
            _ => (),
        }
    }
    walk(&serde_json::from_slice(bytes).unwrap());
}

fn request(bytes: &[u8]) {
    let Ok(request) = Request::parse(bytes) else { return };
    assert_eq!(request.bytes(), bytes, "one encoding a request");
    integers(bytes);
    let batches = request.batches();
    assert!(batches > 0 && request.tokens() == request.pairs() * u64::from(request.tokens_per_pair()) && request.pairs() <= PAIRS_MAX);
    let (last, count) = request.batch(batches - 1).unwrap();
    assert_eq!(last + u64::from(count), request.tokens());
    assert_eq!(request.batch(batches), None);
    if let Some(manifest) = request.manifest() {
        assert!(Request::authorised(manifest.clone()).unwrap() == request);
        let mut texts = vec![&manifest.holder_name, &manifest.legal_basis, &manifest.purpose, &manifest.verifier_name];
        texts.extend(manifest.fields.values());
        assert!(texts.iter().all(|text| !text.chars().any(char::is_control)), "no text that a terminal takes for a command");
    }
}

/// `policy.toml`, a zero byte, `allowed_signers`; those of the two parties where there is no zero byte.
fn policy(bytes: &[u8]) {
    let parties = Parties::get();
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let toml = parts.next().unwrap_or_default();
    let signers = parts.next().unwrap_or(parties.policy.allowed_signers().as_bytes());
    let Ok(policy) = Policy::parse(toml, signers) else { return };
    assert_eq!((policy.toml().as_bytes(), policy.allowed_signers().as_bytes()), (toml, signers));
    assert_eq!(compare(&policy, &policy), Change::Same);
    let known = &parties.policy;
    let (there, back) = (compare(known, &policy), compare(&policy, known));
    assert_eq!(there == Change::Same, back == Change::Same, "the same is the same both ways");
    assert!(!matches!((there, back), (Change::Tighter(_), Change::Tighter(_))), "not tighter both ways");
    for verifier in policy.verifiers() {
        assert_eq!(policy.verifier(&verifier.fingerprint), Some(verifier));
        assert!(verifier.signatures_min as usize <= verifier.officials.len());
        assert!(verifier.officials.is_disjoint(&policy.holder().officials), "nobody signs for both sides");
    }
}

fn signers(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(signers) = AllowedSigners::parse(text) else { return };
    for key in signers.keys() {
        let namespaces: Vec<_> = key.namespaces().iter().copied().collect();
        assert!(!key.principal().is_empty() && signers.has_key(key.principal(), &namespaces));
        assert!(key.fingerprint().starts_with("SHA256:"));
    }
    // Comments and blank lines do not count; the same keys twice are refused.
    assert_eq!(AllowedSigners::parse(&format!("# a comment\n\n{text}\n")).as_ref(), Ok(&signers));
    assert!(signers.keys().len() == 0 || AllowedSigners::parse(&format!("{text}\n{text}")).is_err());
}

const MESSAGE: &[u8] = b"a message";

fn signature(bytes: &[u8]) {
    let Ok(signature) = Signature::parse(bytes) else { return };
    for namespace in Namespace::ALL.map(Namespace::as_str) {
        let Ok(verified) = signature.verify(namespace, MESSAGE) else { continue };
        assert_eq!(signature.namespace(), namespace);
        assert_eq!((verified.key_fingerprint(), verified.key_type()), (signature.key_fingerprint(), signature.key_type()));
        assert!(signature.verify(namespace, b"another message").is_err());
        assert!(Namespace::ALL.iter().filter(|other| signature.verify(other.as_str(), MESSAGE).is_ok()).count() == 1);
    }
}

fn proposal(bytes: &[u8]) {
    let parties = Parties::get();
    let Ok(proposal) = Proposal::parse(bytes) else { return };
    assert_eq!(proposal.bytes(), bytes, "one encoding a proposal");
    integers(bytes);
    assert!(proposal.resume().is_none() || matches!(proposal.policy(), Ok(None)));
    let in_force = InForce { policy: &parties.policy, since_unix_ms: NOW - 900, suspended_unix_ms: NOW - 800 };
    for in_force in [None, Some(in_force)] {
        if let Ok(approval) = approve(&proposal, &parties.holder.fingerprint, in_force, &[], NOW) {
            // Nobody signed: it cannot be but a tightening of what is in force.
            assert!(approval.signers().is_empty() && proposal.resume().is_none());
            let (Some(in_force), Ok(Some(policy))) = (in_force, proposal.policy()) else { panic!("a first policy is signed") };
            assert!(matches!(compare(in_force.policy, &policy), Change::Tighter(_) | Change::Same));
        }
    }
    let signed = [official(HOLDING[0]).sign(Namespace::Policy.as_str(), bytes)];
    if let Ok(approval) = approve(&proposal, &parties.holder.fingerprint, Some(in_force), &signed, NOW) {
        assert_eq!(proposal.holder(), &parties.holder.fingerprint);
        assert_eq!(proposal.previous(), Some(&parties.policy.digest()));
        assert!(approval.signers().len() <= 1);
    }
}

fn receipt(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    let Ok(receipt) = Receipt::from_json(text) else { return };
    assert_eq!(Receipt::from_json(&receipt.to_json()).as_ref(), Ok(&receipt));
    integers(&receipt.body);
}

/// A receipt whose body was changed, and signed as it is by both.
fn signed_receipt(input: &mut Input<'_>) {
    let parties = Parties::get();
    let good = &Honest::get(input.u8() & 1 == 1).receipt;
    let mut body = good.body.clone();
    input.edit(&mut body);
    let receipt = Receipt {
        holder_signature: parties.holder.statement_key.sign(StatementKind::Receipt, &body),
        verifier_signature: parties.verifier.statement_key.sign(StatementKind::Receipt, &body),
        body,
        ..good.clone()
    };
    if let Ok(read) = Receipt::from_json(&receipt.to_json()) {
        assert_eq!(read, receipt);
        integers(&read.body);
        let Value::Object(members) = serde_json::from_slice(&read.body).unwrap() else { panic!("an object") };
        assert_eq!(members["holder"], to_hex(&parties.holder.fingerprint).as_str());
        assert_eq!(members["verifier"], to_hex(&parties.verifier.fingerprint).as_str());
    }
}

/// A request that was changed, and signed as it is.
fn authorised(input: &mut Input<'_>) {
    let parties = Parties::get();
    let flags = input.u8();
    let mut bytes = parties.signed.request.bytes().to_vec();
    input.edit(&mut bytes);
    let Ok(request) = Request::parse(&bytes) else { return };
    let mut asked = Asked::signed(request, Vec::new());
    if flags & 1 != 0 {
        asked.signatures.pop();
    }
    if flags & 2 != 0 {
        asked.countersignatures.clear();
    }
    if flags & 4 != 0 {
        // One official twice, one of nobody's.
        asked.signatures[0] = official(ASKING[2]).sign(Namespace::Request.as_str(), &bytes);
    }
    if flags & 8 != 0 {
        static ONCE: OnceLock<Vec<u8>> = OnceLock::new();
        let other = ONCE.get_or_init(|| official(ASKING[0]).sign(Namespace::Request.as_str(), b"another request"));
        asked.signatures[0].clone_from(other);
    }
    let now_unix_ms = NOW + u64::from(flags >> 4) * 20_000_000;
    let verdict = authorise(&Facts {
        policy: &parties.policy,
        holder: &parties.holder.fingerprint,
        verifier: &parties.verifier.fingerprint,
        request: &asked.request,
        rulesets: &BuiltInRulesets,
        signatures: &asked.signatures,
        countersignatures: &asked.countersignatures,
        set_as_of: parties.offer.descriptor.as_of,
        now_unix_ms,
    });
    let Ok(verdict) = verdict else { return };
    assert_eq!(flags & 15, 0, "too few have signed");
    let manifest = asked.request.manifest().expect("an unsigned request is not authorised");
    assert_eq!((manifest.holder, manifest.verifier), (parties.holder.fingerprint, parties.verifier.fingerprint));
    assert!(manifest.not_before_unix_ms <= now_unix_ms && now_unix_ms <= manifest.not_after_unix_ms);
    assert!(manifest.not_after_unix_ms - manifest.not_before_unix_ms <= 31 * 86_400_000);
    assert!(manifest.pairs <= 1_000 && manifest.fields.contains_key("agreement") && manifest.required_columns.contains("order_date"));
    assert!((1..=2).contains(&manifest.addresses_per_person_max) && manifest.ruleset == "us-exact-1");
    assert_eq!((verdict.request_digest(), verdict.disclosure()), (&asked.request.digest(), manifest.disclosure));
    assert_eq!(verdict.signers().len(), 3);
}
