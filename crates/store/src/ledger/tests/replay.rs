//! What has hashes that fit and was never decided is found (SPEC LED-6).

use oblink_session::request::{Disclosure, to_hex};

use super::super::entries::{Body, Hex, MaybeHex, Policy, Resumption, Suspension};
use super::super::log::append;
use super::authority::{OPERATOR, request};
use super::log::full;
use super::officials::{allowed_signers, apply, policy_toml, resumption, signed_as};
use super::*;

const WIDE: oblink_session::ledger::Caps = oblink_session::ledger::Caps {
    window_ms: 1,
    window_requests_max: 1_000,
    window_pairs_max: 1_000_000,
    window_tokens_max: 1_000_000,
    epoch_requests_max: 1_000,
    epoch_pairs_max: 1_000_000,
    epoch_tokens_max: 1_000_000,
};

/// Appends an entry as whoever has this program's source can.
fn forge<B: Body>(ledger: &mut SqliteLedger, party: Option<&[u8; 32]>, body: &B, unix_ms: u64) {
    ledger.write(unix_ms, |transaction, now| append(transaction, now, party, body).map(|_| ())).unwrap();
}

fn found(ledger: &SqliteLedger) -> &'static str {
    let tampered = tampered(ledger, &[]);
    assert_eq!(tampered.place, "log");
    tampered.what
}

fn policy_body(ledger: &SqliteLedger, id: u8) -> Policy {
    let (policy, allowed_signers) = (policy_toml(id), allowed_signers());
    Policy {
        digest: Hex(super::super::authority::policy_digest(&policy, &allowed_signers)),
        allowed_signers,
        operator: OPERATOR.to_owned(),
        policy,
        previous: MaybeHex(ledger.policy_in_force().unwrap().map(|record| record.digest)),
        proposal: String::new(),
        signatures: Vec::new(),
        signers: Vec::new(),
    }
}

/// LED-6: a policy needs its proposal approved; a tightening alone needs none.
#[test]
fn a_policy_that_nobody_approved_is_found() {
    let (_home, mut ledger) = Home::with_epoch();
    let body = policy_body(&ledger, 1);
    forge(&mut ledger, None, &body, CLOCK);
    assert_eq!(found(&ledger), "nobody approved the first policy");
    let (_home, mut ledger) = Home::with_epoch();
    apply(&mut ledger, 1);
    let body = policy_body(&ledger, 2);
    forge(&mut ledger, None, &body, CLOCK);
    assert_eq!(found(&ledger), "nobody approved the policy, and it is no tightening");
    // A proposal that was signed, with other texts; one without its signatures.
    for (texts, what) in [(3, "the policy is not the one that was approved"), (2, "its proposal is not approved")] {
        let (_home, mut ledger) = Home::with_epoch();
        apply(&mut ledger, 1);
        let change = super::officials::policy(&ledger, 2);
        let approval = change.approval.unwrap();
        let mut body = policy_body(&ledger, texts);
        body.proposal = String::from_utf8(approval.proposal).unwrap();
        if texts == 3 {
            body.signatures = vec![String::from_utf8(approval.signatures[0].clone()).unwrap()];
            body.signers = approval.signers.iter().map(Into::into).collect();
        }
        forge(&mut ledger, None, &body, CLOCK + 5);
        assert_eq!(found(&ledger), what);
    }
}

/// LED-6: a suspension is lifted by what was approved after it began.
#[test]
fn a_resumption_that_nobody_approved_is_found() {
    for (proposed, what) in [(None, "nobody approved the resumption"), (Some(CLOCK + 1), "its proposal is not approved")] {
        let (_home, mut ledger) = Home::with_epoch();
        apply(&mut ledger, 1);
        ledger.suspend_answers(Scope::Verifier(VERIFIER), "a reason", OPERATOR, CLOCK + 1).unwrap();
        let approval = proposed.map(|at| resumption(&ledger, VERIFIER, at));
        let body = Resumption {
            operator: OPERATOR.to_owned(),
            proposal: approval.as_ref().map(|approval| String::from_utf8(approval.proposal.clone()).unwrap()).unwrap_or_default(),
            reason: String::new(),
            scope: to_hex(&VERIFIER),
            signatures: approval.iter().map(|approval| String::from_utf8(approval.signatures[0].clone()).unwrap()).collect(),
            signers: approval.iter().flat_map(|approval| &approval.signers).map(Into::into).collect(),
        };
        forge(&mut ledger, Some(&VERIFIER), &body, CLOCK + 3);
        assert_eq!(found(&ledger), what);
    }
    let (_home, mut ledger) = Home::with_epoch();
    let scope = to_hex(&OTHER);
    let suspension = Suspension { operator: OPERATOR.to_owned(), reason: "a reason".to_owned(), scope };
    forge(&mut ledger, Some(&VERIFIER), &suspension, CLOCK);
    assert_eq!(found(&ledger), "its scope is not its party");
    let (_home, mut ledger) = full();
    let body = Resumption {
        operator: OPERATOR.to_owned(),
        proposal: String::new(),
        reason: String::new(),
        scope: "all".to_owned(),
        signatures: Vec::new(),
        signers: Vec::new(),
    };
    forge(&mut ledger, None, &body, CLOCK + 200);
    assert_eq!(found(&ledger), "nobody approved the resumption");
}

/// LED-6: what the ledger would have refused, let through by tables that were put back afterwards.
#[test]
fn what_was_stopped_and_let_through_is_found() {
    // Suspended: a charge, a session opened, one resumed.
    for step in 0..3 {
        let (_home, mut ledger) = Home::with_epoch();
        ledger.open_session(&session(1)).unwrap();
        ledger.suspend_answers(Scope::All, "a reason", OPERATOR, CLOCK).unwrap();
        tamper(&ledger, "UPDATE suspensions SET resumed_entry = 1, resumed_unix_ms = 1");
        match step {
            0 => drop(ledger.charge(&batch(1, 0, 1)).unwrap()),
            1 => drop(ledger.open_session(&session(2)).unwrap()),
            _ => drop(ledger.open_session(&session(1)).unwrap()),
        }
        assert_eq!(found(&ledger), "its verifier is suspended", "{step}");
    }
    // Refused by officials.
    for opened in [false, true] {
        let (_home, mut ledger) = Home::with_epoch();
        if opened {
            ledger.open_session(&session(1)).unwrap();
        }
        ledger.refuse_request(&request(1), "too wide", OPERATOR, CLOCK).unwrap();
        tamper(&ledger, "DELETE FROM denials");
        ledger.open_session(&session(1)).unwrap();
        assert_eq!(found(&ledger), "its request was refused");
    }
    // A grace that is over.
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.close_epoch(&[10; 16], "by hand", CLOCK + 5, CLOCK).unwrap();
    tamper(&ledger, "UPDATE epochs SET grace_until_unix_ms = grace_until_unix_ms + 100");
    ledger.charge(&ChargeEntry { clock_unix_ms: CLOCK + 5, ..batch(1, 0, 1) }).unwrap();
    assert_eq!(found(&ledger), "its epoch's grace is over");
}

/// LED-6: a request is authorised by its own signatures, at its time, under the policy in force.
#[test]
fn a_request_that_nobody_authorised_is_found() {
    let late = CLOCK + 5 * 86_400_000;
    for (case, what) in [
        (0, "its request is not authorised"),
        (1, "its request is not authorised"),
        (2, "its signers are not those who signed"),
        (3, "its request is not authorised"),
        (4, "it is not what its request says"),
        (5, "it is not what its request says"),
        (6, "its request is none"),
    ] {
        let (_home, mut ledger) = Home::with_epoch();
        let digest = apply(&mut ledger, 1);
        let mut entry = signed_as(1, digest, Disclosure::Count, WIDE);
        let authority = entry.authority.as_mut().unwrap();
        match case {
            0 => authority.signatures.clear(),
            1 => authority.countersignatures = authority.signatures.clone(),
            2 => authority.signers.truncate(1),
            3 => entry.clock_unix_ms = late + 600_001,
            4 => authority.disclosure = Disclosure::None,
            5 => (entry.tokens, entry.pairs) = (20, 20),
            _ => entry.request = b"{}".to_vec(),
        }
        ledger.open_session(&entry).unwrap();
        assert_eq!(found(&ledger), what, "{case}");
    }
    // Decided a little before it was written down.
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    ledger.open_session(&SessionEntry { clock_unix_ms: late + 600_000, ..signed_as(1, digest, Disclosure::None, WIDE) }).unwrap();
    verified(&ledger, &[]);
    // Resumed under another policy without signatures, or when the request is over.
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    let entry = signed_as(1, digest, Disclosure::None, WIDE);
    ledger.open_session(&entry).unwrap();
    let second = apply(&mut ledger, 2);
    let mut again = signed_as(1, second, Disclosure::None, WIDE);
    again.authority.as_mut().unwrap().signatures.clear();
    ledger.open_session(&again).unwrap();
    assert_eq!(found(&ledger), "its request is not authorised");
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    let entry = signed_as(1, digest, Disclosure::None, WIDE);
    ledger.open_session(&entry).unwrap();
    ledger.open_session(&SessionEntry { clock_unix_ms: late, ..entry.clone() }).unwrap();
    verified(&ledger, &[]);
    ledger.open_session(&SessionEntry { clock_unix_ms: late + 700_000, ..entry }).unwrap();
    assert_eq!(found(&ledger), "its request is not authorised");
}

/// LED-6, LED-1: triggers are compared by what they do.
#[test]
fn a_trigger_that_does_something_else_is_found() {
    for change in [
        "DROP TRIGGER log_keeps; CREATE TRIGGER log_keeps BEFORE DELETE ON log BEGIN SELECT 1; END",
        "CREATE TRIGGER more AFTER INSERT ON suspensions BEGIN DELETE FROM suspensions; END",
        "CREATE VIEW another AS SELECT 1",
    ] {
        let (_home, ledger) = Home::with_epoch();
        ledger.connection.execute_batch(change).unwrap();
        assert_eq!(tampered(&ledger, &[]).place, "tables", "{change}");
    }
}
