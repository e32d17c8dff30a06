//! A log that charges what was approved, and one change at a time.

use super::*;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::request::{Disclosure, Manifest};
use oblink_session::statement::{StatementKey, fingerprint_of};
use oblink_store::ledger::entries::{Hex, MaybeHex};

use crate::request_view::tests::manifest;
use std::collections::BTreeSet;

const SESSION: [u8; 16] = [3; 16];
const EPOCH: [u8; 16] = [4; 16];
const SET: [u8; 32] = [5; 32];

fn key() -> StatementKey {
    StatementKey::certify(&[1; 32], &[2; 32], 7)
}

fn verifier() -> [u8; 32] {
    fingerprint_of(key().certificate().first_chunk().unwrap())
}

/// 25 tokens in batches of ten.
fn request() -> Request {
    Request::authorised(Manifest { disclosure: Disclosure::None, verifier: verifier(), ..manifest() }).unwrap()
}

fn digests() -> Vec<[u8; 32]> {
    (10..13).map(|byte| [byte; 32]).collect()
}

fn claimed() -> Claimed {
    Claimed {
        session: SESSION,
        policy: Some([8; 32]),
        epoch: EPOCH,
        set_id: SET,
        ledger_size: 100,
        verifier_certificate: *key().certificate(),
        body: b"{}".to_vec(),
    }
}

fn accepted() -> RequestAccepted {
    let request = request();
    RequestAccepted {
        batches: 3,
        countersignatures: Vec::new(),
        disclosure: "none".to_owned(),
        epoch: Hex(EPOCH),
        holder_nonce: Hex([0; 32]),
        offered: String::new(),
        pairs: 25,
        policy: MaybeHex(Some([8; 32])),
        request: String::from_utf8(request.bytes().to_vec()).unwrap(),
        request_digest: Hex(request.digest()),
        request_id: Hex(*request.id()),
        session: Hex(SESSION),
        set_id: Hex(SET),
        signatures: Vec::new(),
        signers: Vec::new(),
        tokens: 25,
        verifier_certificate: Hex(*key().certificate()),
        verifier_nonce: Hex([0; 32]),
    }
}

fn charge(session: [u8; 16], batch: u64, blinded_digest: [u8; 32], tokens: u32, session_tokens: u64) -> Charge {
    let body = batch_statement_body(&session, &request().digest(), &EPOCH, &SET, batch, &blinded_digest);
    let statement = Hex(key().sign(StatementKind::Batch, &body));
    Charge { batch, blinded_digest: Hex(blinded_digest), session: Hex(session), session_tokens, statement, tokens }
}

fn entry(kind: EntryKind, body: &impl serde::Serialize) -> ExtractedEntry {
    ExtractedEntry { seq: 0, kind, unix_ms: 5, party: verifier(), body: serde_json::to_string(body).unwrap() }
}

/// The entries of an honest log.
fn entries() -> Vec<ExtractedEntry> {
    let completion = Completion {
        answers_digest: Hex([0; 32]),
        certificate: Hex([0; 136]),
        receipt: "{}".to_owned(),
        session: Hex(SESSION),
        signature: Hex([0; 64]),
    };
    let d = digests();
    vec![
        entry(EntryKind::RequestAccepted, &accepted()),
        entry(EntryKind::Charge, &charge(SESSION, 1, d[1], 10, 10)),
        entry(EntryKind::Charge, &charge(SESSION, 0, d[0], 10, 20)),
        entry(EntryKind::Charge, &charge(SESSION, 2, d[2], 5, 25)),
        entry(EntryKind::Completion, &completion),
    ]
}

fn audited(mut entries: Vec<ExtractedEntry>) -> Account {
    for (entry, seq) in entries.iter_mut().zip(50..) {
        entry.seq = seq;
    }
    let head = SignedHead { head: LogHead { size: 100, root: [0; 32] }, unix_ms: 0, signature: [0; 64] };
    let extract = VerifiedExtract { head, certificate: [0; 136], party: verifier(), entries };
    account(&extract, &request(), &digests(), &claimed())
}

fn codes(entries: Vec<ExtractedEntry>) -> Vec<&'static str> {
    let codes: BTreeSet<_> = audited(entries).findings.into_iter().map(|(code, _)| code).collect();
    codes.into_iter().collect()
}

#[test]
fn exactly_the_approved_batches_each_once() {
    let account = audited(entries());
    assert_eq!(account.findings, []);
    let audited = account.audited.unwrap();
    assert_eq!((audited.batches, audited.tokens, account.others.len()), (3, 25, 0));
}

/// AUD-1
#[test]
fn every_other_account_is_found() {
    let with = |at: usize, entry: ExtractedEntry| {
        let mut entries = entries();
        entries[at] = entry;
        codes(entries)
    };
    let d = digests();
    let charge_of = |batch, digest, tokens, sum| entry(EntryKind::Charge, &charge(SESSION, batch, digest, tokens, sum));
    assert_eq!(with(1, charge_of(1, [77; 32], 10, 10)), ["other_batch"], "a batch that nobody approved");
    assert_eq!(with(3, charge_of(0, d[0], 5, 25)), ["charged_twice", "not_charged", "other_count"], "a batch twice and one not");
    assert_eq!(with(1, charge_of(1, d[1], 9, 9)), ["other_count"], "fewer tokens");
    assert_eq!(with(3, charge_of(3, d[2], 5, 25)), ["not_charged", "other_batch"], "a batch that the request does not have");
    let mut unsaid = charge(SESSION, 1, d[1], 10, 10);
    unsaid.statement = Hex([0; 64]);
    assert_eq!(with(1, entry(EntryKind::Charge, &unsaid)), ["bad_statement"]);
    let mut other = accepted();
    other.policy = MaybeHex(None);
    assert_eq!(with(0, entry(EntryKind::RequestAccepted, &other)), ["other_admission"]);
    assert_eq!(with(1, ExtractedEntry { body: "{}".to_owned(), ..entries().remove(1) }), ["bad_entry", "not_charged", "other_count"]);

    let less = |at: usize| {
        let mut entries = entries();
        entries.remove(at);
        codes(entries)
    };
    assert_eq!(less(3), ["not_charged", "other_count"]);
    assert_eq!(less(4), ["no_completion"]);
    assert_eq!(less(0), ["no_session", "stray_charge"]);
}

#[test]
fn the_same_request_in_another_session_is_found_and_other_requests_are_listed() {
    let again = |request_id: [u8; 16], digest: [u8; 32], charged: bool| {
        let mut other = accepted();
        (other.session, other.request_id, other.request_digest) = (Hex([30; 16]), Hex(request_id), Hex(digest));
        let mut entries = entries();
        entries.push(entry(EntryKind::RequestAccepted, &other));
        if charged {
            entries.push(entry(EntryKind::Charge, &charge([30; 16], 0, [1; 32], 10, 10)));
        }
        audited(entries)
    };
    let same = again([6; 16], [1; 32], true);
    assert_eq!(same.findings.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["charged_twice"]);
    let other = again([7; 16], [1; 32], true);
    assert_eq!((other.findings.len(), other.others.len(), other.others[0].tokens), (0, 1, 10));
    assert_eq!(again([6; 16], [1; 32], false).findings, [], "admitted again and nothing charged: broken off");
    let stranger = ExtractedEntry { party: [0; 32], ..entry(EntryKind::Charge, &charge([40; 16], 0, [1; 32], 1, 1)) };
    assert_eq!(codes(entries().into_iter().chain([stranger]).collect()), [""; 0], "what is another's is not this verifier's");
}

/// AUD-1: a session that went on under another policy ends under that one.
#[test]
fn the_receipts_policy_is_that_of_the_last_resumption_before_the_completion() {
    let resumed = |policy: [u8; 32]| {
        let body = SessionResumed {
            countersignatures: Vec::new(),
            policy: MaybeHex(Some(policy)),
            session: Hex(SESSION),
            signatures: vec!["signature".to_owned()],
            signers: Vec::new(),
        };
        entry(EntryKind::SessionResumed, &body)
    };
    let mut first = accepted();
    first.policy = MaybeHex(Some([7; 32]));
    let with = |resumptions: &[(usize, [u8; 32])]| {
        let mut entries = entries();
        entries[0] = entry(EntryKind::RequestAccepted, &first);
        for (at, policy) in resumptions {
            entries.insert(*at, resumed(*policy));
        }
        entries
    };
    assert_eq!(codes(with(&[])), ["other_admission"]);
    let account = audited(with(&[(2, [8; 32])]));
    assert_eq!(account.findings, []);
    assert_eq!(account.audited.unwrap().admission.signatures, ["signature"]);
    assert_eq!(codes(with(&[(2, [6; 32]), (3, [8; 32])])), [""; 0]);
    assert_eq!(codes(with(&[(2, [8; 32]), (3, [6; 32])])), ["other_admission"]);
    assert_eq!(codes(with(&[(2, [8; 32]), (6, [6; 32])])), [""; 0], "taken up again after it was complete, to say its receipt again");
}
