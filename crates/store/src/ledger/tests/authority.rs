//! Policies, suspensions, refusals by officials, caps, and how epochs close.

use oblink_session::ledger::{Caps, DisclosureEntry};
use oblink_session::limits::CLOCK_SKEW_MS_MAX;
use oblink_session::request::{Disclosure, Request, to_hex};
use sha2::{Digest, Sha256};

use super::officials::{apply, policy, policy_toml, signed_as};
use super::*;

pub(super) const OPERATOR: &str = "operator";
const DAY: u64 = 86_400_000;
pub(super) const WIDE: Caps = Caps {
    window_ms: 30 * DAY,
    window_requests_max: 1_000,
    window_pairs_max: 1_000_000,
    window_tokens_max: 1_000_000,
    epoch_requests_max: 1_000,
    epoch_pairs_max: 1_000_000,
    epoch_tokens_max: 1_000_000,
};

/// Session `id` under a policy.
pub(super) fn signed(id: u8, policy_digest: [u8; 32], caps: Caps) -> SessionEntry {
    SessionEntry { epoch_evaluations_max: 1 << 30, ..signed_as(id, policy_digest, Disclosure::None, caps) }
}

pub(super) fn request(id: u8) -> Request {
    Request::new([id; 16], 30, 10, "us-exact-1", [3; 32], 1).unwrap()
}

fn exhausted(outcome: Result<SessionOpening, LedgerError>) -> (Budget, u64, u64) {
    match outcome {
        Err(LedgerError::BudgetExhausted { budget, asked, left }) => (budget, asked, left),
        other => panic!("{other:?}"),
    }
}

/// POL-4: the first policy ends pilot mode, and each ends what was admitted under another.
#[test]
fn a_session_goes_by_the_policy_in_force() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    assert_eq!(ledger.policy_in_force().unwrap(), None);
    let early = signed(2, [1; 32], WIDE);
    assert!(matches!(ledger.open_session(&early), Err(LedgerError::PolicyChanged)), "no policy is in force");
    let first = apply(&mut ledger, 1);
    assert!(matches!(ledger.charge(&batch(1, 1, 1)), Err(LedgerError::PolicyChanged)), "pilot mode is over");
    assert!(matches!(ledger.open_session(&session(3)), Err(LedgerError::PolicyChanged)));
    ledger.open_session(&signed(2, first, WIDE)).unwrap();
    ledger.charge(&batch(2, 0, 1)).unwrap();
    let second = apply(&mut ledger, 2);
    assert!(matches!(ledger.charge(&batch(2, 1, 1)), Err(LedgerError::PolicyChanged)));
    assert!(matches!(ledger.open_session(&signed(2, first, WIDE)), Err(LedgerError::PolicyChanged)));
    // Admitted anew, it goes on.
    assert!(matches!(ledger.open_session(&signed(2, second, WIDE)).unwrap(), SessionOpening::Resumed { .. }));
    ledger.charge(&batch(2, 1, 1)).unwrap();
    let record = ledger.policy_in_force().unwrap().unwrap();
    assert_eq!((record.digest, record.previous, record.policy.clone()), (second, Some(first), policy_toml(2)));
    assert_eq!((record.operator.as_str(), record.signers.len()), (OPERATOR, 1));
    assert_eq!(ledger.policies().unwrap().iter().map(|record| record.digest).collect::<Vec<_>>(), [first, second]);
    let accepted = ledger.acceptance(&[2; 16]).unwrap().unwrap();
    assert_eq!((accepted.signatures.len(), accepted.countersignatures.len()), (1, 1));
    assert_eq!(super::super::entries::text_of(b"hex:ff"), "hex:6865783a6666", "what only looks like hex is written as that");
    assert_eq!((accepted.policy.0, accepted.signers[0].principal.as_str()), (Some(first), "ada@verifier"));
    verified(&ledger, &[]);
}

/// POL-4: of two proposals against the same policy one comes into force; a proposal serves once.
#[test]
fn a_policy_follows_the_one_that_it_names_and_a_proposal_serves_once() {
    let (_home, mut ledger) = Home::with_epoch();
    let (first, other) = (policy(&ledger, 1), policy(&ledger, 2));
    let digest = ledger.apply_policy(&first, OPERATOR, CLOCK).unwrap().digest;
    let changed = ledger.apply_policy(&other, OPERATOR, CLOCK);
    assert!(matches!(changed, Err(Error::Ledger(LedgerError::PolicyChanged))));
    let size = ledger.head().unwrap();
    let again = PolicyChange { previous: Some(digest), ..first };
    assert!(matches!(ledger.apply_policy(&again, OPERATOR, CLOCK), Err(Error::ProposalUsed)));
    assert_eq!(ledger.head().unwrap(), size, "nothing was written");
    // A tightening needs none.
    ledger.apply_policy(&PolicyChange { approval: None, policy: policy_toml(0), ..again.clone() }, OPERATOR, CLOCK).unwrap();
    let used = again.approval.unwrap();
    ledger.suspend_answers(Scope::All, "a reason", OPERATOR, CLOCK).unwrap();
    assert!(matches!(ledger.resume_answers(Scope::All, Some(&used), judged(&ledger), "", OPERATOR, CLOCK), Err(Error::ProposalUsed)));
    assert!(ledger.suspensions().unwrap()[0].resumed_unix_ms.is_none());
    verified(&ledger, &[]);
}

#[test]
fn suspensions_stop_admission_and_charges() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    for (scope, stops) in [(Scope::Verifier(OTHER), false), (Scope::Verifier(VERIFIER), true), (Scope::All, true)] {
        ledger.suspend_answers(scope, "first reason", OPERATOR, CLOCK).unwrap();
        ledger.suspend_answers(scope, "second reason", OPERATOR, CLOCK + 1).unwrap();
        let (admitted, charged) = (ledger.open_session(&session(1)), ledger.charge(&batch(1, 0, 1)));
        assert_eq!(matches!(admitted, Err(LedgerError::Suspended)), stops, "{scope:?}");
        assert_eq!(matches!(charged, Err(LedgerError::Suspended)), stops, "{scope:?}");
        assert!(ledger.resume_answers(scope, None, judged(&ledger), "over", OPERATOR, CLOCK).unwrap());
        assert!(!ledger.resume_answers(scope, None, judged(&ledger), "over", OPERATOR, CLOCK).unwrap());
        ledger.charge(&batch(1, 0, 1)).unwrap();
    }
    let rows = ledger.suspensions().unwrap();
    assert_eq!((rows.len(), rows[1].reason.as_str(), rows[5].scope), (6, "second reason", Scope::All));
    assert!(rows.iter().all(|row| row.resumed_unix_ms.is_some()));
    verified(&ledger, &[]);
}

#[test]
fn a_request_that_officials_refuse_is_admitted_no_more() {
    let (_home, mut ledger) = Home::with_epoch();
    let asked = request(1);
    let entry = SessionEntry { request_digest: asked.digest(), request: asked.bytes().to_vec(), ..session(1) };
    assert!(ledger.countersign(&asked, b"-----BEGIN", "first@holder.example", "SHA256:abc", CLOCK).unwrap());
    assert!(!ledger.countersign(&asked, b"-----other", "first@holder.example", "SHA256:abc", CLOCK).unwrap());
    assert!(ledger.countersign(&asked, b"-----BEGIN", "second@holder.example", "SHA256:def", CLOCK).unwrap());
    let signatures = ledger.countersignatures(&asked.digest()).unwrap();
    assert_eq!(
        signatures.iter().map(|row| (row.principal.as_str(), row.signature.len())).collect::<Vec<_>>(),
        [("first@holder.example", 10), ("second@holder.example", 10)]
    );
    ledger.open_session(&entry).unwrap();
    assert!(ledger.refuse_request(&asked, "too wide", OPERATOR, CLOCK).unwrap());
    assert!(!ledger.refuse_request(&asked, "too wide", OPERATOR, CLOCK).unwrap());
    assert!(matches!(ledger.open_session(&entry), Err(LedgerError::RequestRefused)));
    assert_eq!(ledger.refused_requests().unwrap()[0].reason, "too wide");
    ledger.record_operator(OPERATOR, "backup", "", CLOCK).unwrap();
    verified(&ledger, &[]);
}

/// LED-5: a clock far behind what the ledger has seen admits nobody, and nothing is written.
#[test]
fn a_clock_that_was_set_back_admits_nobody() {
    let (_home, mut ledger) = Home::with_epoch();
    let ahead = CLOCK + CLOCK_SKEW_MS_MAX + 1;
    ledger.record_operator(OPERATOR, "backup", "", ahead).unwrap();
    assert_eq!(ledger.time_unix_ms().unwrap(), ahead);
    let head = ledger.head().unwrap();
    let behind = ledger.open_session(&session(1));
    assert!(matches!(behind, Err(LedgerError::ClockBehind { behind_ms }) if behind_ms == CLOCK_SKEW_MS_MAX + 1));
    assert_eq!(ledger.head().unwrap(), head);
    ledger.open_session(&SessionEntry { clock_unix_ms: CLOCK + 1, ..session(1) }).unwrap();
    // Entries bear ledger time all the same.
    assert_eq!(ledger.session(&[1; 16]).unwrap().unwrap().opened_unix_ms, ahead);
    verified(&ledger, &[]);
}

/// What is shown as left of a budget.
fn left_of(ledger: &SqliteLedger, caps: &Caps, budget: Budget) -> u64 {
    let left = ledger.budget_left(&VERIFIER, caps, CLOCK).unwrap();
    match budget {
        Budget::WindowRequests => left.window_requests,
        Budget::WindowPairs => left.window_pairs,
        Budget::WindowTokens => left.window_tokens,
        Budget::EpochRequests => left.epoch_requests,
        Budget::EpochPairs => left.epoch_pairs,
        Budget::EpochTokens => left.epoch_tokens,
        Budget::Evaluations => panic!("no cap of the policy's"),
    }
}

/// What the caps say, each by itself: the first session fits, the second does not.
#[test]
fn caps_hold_in_window_and_epoch() {
    let cases = [
        (Caps { window_requests_max: 1, ..WIDE }, (Budget::WindowRequests, 1, 0)),
        (Caps { window_pairs_max: 59, ..WIDE }, (Budget::WindowPairs, 30, 29)),
        (Caps { window_tokens_max: 59, ..WIDE }, (Budget::WindowTokens, 30, 29)),
        (Caps { epoch_requests_max: 1, ..WIDE }, (Budget::EpochRequests, 1, 0)),
        (Caps { epoch_pairs_max: 59, ..WIDE }, (Budget::EpochPairs, 30, 29)),
        (Caps { epoch_tokens_max: 59, ..WIDE }, (Budget::EpochTokens, 30, 29)),
    ];
    for (caps, refused) in cases {
        let (_home, mut ledger) = Home::with_epoch();
        let digest = apply(&mut ledger, 1);
        ledger.open_session(&signed(1, digest, caps)).unwrap();
        assert_eq!(exhausted(ledger.open_session(&signed(2, digest, caps))), refused);
        assert_eq!(left_of(&ledger, &caps, refused.0), refused.2, "what is shown is what is left");
        // One that is resumed does not count twice.
        assert!(matches!(ledger.open_session(&signed(1, digest, caps)).unwrap(), SessionOpening::Resumed { .. }));
        // What is not charged is free again once the line is gone; requests and pairs stay asked.
        ledger.charge(&batch(1, 0, 1)).unwrap();
        ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
        let outcome = ledger.open_session(&signed(2, digest, caps));
        let tokens = matches!(refused.0, Budget::WindowTokens | Budget::EpochTokens);
        assert_eq!(outcome.is_ok(), tokens, "{:?}", refused.0);
        // Then the first one cannot have its own back.
        let (budget, asked, left) = if tokens { exhausted(ledger.open_session(&signed(1, digest, caps))) } else { (refused.0, 20, 19) };
        assert_eq!((budget, asked, left), (refused.0, 20, 19));
        verified(&ledger, &[]);
    }
}

/// A window goes on; what is evaluated in it counts in it, whenever its session was opened.
#[test]
fn a_window_rolls() {
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    let caps = Caps { window_ms: DAY, window_requests_max: 1, window_tokens_max: 30, ..WIDE };
    let at = |id, clock_unix_ms| SessionEntry { clock_unix_ms, ..signed(id, digest, caps) };
    ledger.open_session(&at(1, CLOCK)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    assert_eq!(exhausted(ledger.open_session(&at(2, CLOCK + DAY - 1))).0, Budget::WindowRequests);
    // A day later the first request is out of the window, and so is its charge.
    ledger.open_session(&at(2, CLOCK + DAY)).unwrap();
    assert_eq!(exhausted(ledger.open_session(&at(1, CLOCK + DAY))), (Budget::WindowTokens, 20, 0));
    ledger.suspend(&[2; 16], &[], CLOCK + DAY).unwrap();
    ledger.open_session(&at(1, CLOCK + DAY)).unwrap();
    ledger.charge(&ChargeEntry { clock_unix_ms: CLOCK + DAY, ..batch(1, 1, 1) }).unwrap();
    ledger.suspend(&[1; 16], &[], CLOCK + DAY).unwrap();
    // 10 of the 20 charged in all were charged today.
    assert_eq!(exhausted(ledger.open_session(&at(2, CLOCK + DAY))), (Budget::WindowTokens, 30, 20));
    verified(&ledger, &[]);
}

/// EPO-3
#[test]
fn an_epoch_closes_with_a_grace_and_ends() {
    let home = Home::new();
    let mut ledger = home.open();
    let limits = EpochLimits { ends_unix_ms: Some(CLOCK + DAY), ..EpochLimits::default() };
    ledger.begin_epoch(&EpochEntry { limits, ..epoch(10, Some(VERIFIER)) }).unwrap();
    for id in 1..=2 {
        ledger.open_session(&session(id)).unwrap();
    }
    ledger.suspend(&[2; 16], &[], CLOCK).unwrap();
    assert_eq!(ledger.due_epochs(CLOCK).unwrap(), []);
    let due = |ledger: &SqliteLedger, now| ledger.due_epochs(now).unwrap().into_iter().map(|row| row.due).collect::<Vec<_>>();
    assert_eq!(due(&ledger, CLOCK + DAY), [Due::CloseByDate]);
    // Its date has come: nobody is admitted, whether it was closed yet or not.
    let late = |id| SessionEntry { clock_unix_ms: CLOCK + DAY, ..session(id) };
    assert!(matches!(ledger.open_session(&late(3)), Err(LedgerError::EpochEnded)));
    let grace = CLOCK + DAY + 1_000;
    assert!(ledger.close_epoch(&[10; 16], "its date has come", grace, CLOCK + DAY).unwrap());
    assert!(!ledger.close_epoch(&[10; 16], "again", grace + 9, CLOCK + DAY).unwrap());
    assert!(matches!(ledger.open_session(&late(3)), Err(LedgerError::EpochEnded)));
    // Those that were admitted go on.
    ledger.charge(&batch(1, 0, 1)).unwrap();
    assert!(matches!(ledger.open_session(&late(2)).unwrap(), SessionOpening::Resumed { .. }));
    assert_eq!(due(&ledger, grace - 1), []);
    assert_eq!(due(&ledger, grace), [Due::End]);
    let after = ChargeEntry { clock_unix_ms: grace, ..batch(1, 1, 1) };
    assert!(matches!(ledger.charge(&after), Err(LedgerError::EpochEnded)));
    assert!(matches!(ledger.open_session(&late(2)), Err(LedgerError::EpochEnded)));
    let closing = ledger.epochs().unwrap()[0].closing.clone().unwrap();
    assert_eq!((closing.reason.as_str(), closing.grace_until_unix_ms), ("its date has come", grace));
    assert!(ledger.end_epoch(&[10; 16], "its date has come", false, grace).unwrap());
    assert_eq!(due(&ledger, grace), []);
    assert!(matches!(ledger.close_epoch(&[10; 16], "late", grace, grace), Err(Error::Ledger(LedgerError::EpochEnded))));
    verified(&ledger, &[]);
}

/// EPO-3
#[test]
fn an_epoch_is_due_when_its_evaluations_are_used_up() {
    let home = Home::new();
    let mut ledger = home.open();
    let limits = EpochLimits { evaluations_max: Some(30), ..EpochLimits::default() };
    ledger.begin_epoch(&EpochEntry { limits, ..epoch(10, Some(VERIFIER)) }).unwrap();
    ledger.open_session(&session(1)).unwrap();
    assert_eq!(exhausted(ledger.open_session(&session(2))), (Budget::Evaluations, 30, 0));
    for index in 0..3 {
        assert_eq!(ledger.due_epochs(CLOCK).unwrap(), []);
        ledger.charge(&batch(1, index, 1)).unwrap();
    }
    assert_eq!(ledger.due_epochs(CLOCK).unwrap()[0].due, Due::CloseByEvaluations);
    ledger.close_epoch(&[10; 16], "its evaluations are used up", CLOCK + 1_000, CLOCK).unwrap();
    assert_eq!(ledger.due_epochs(CLOCK).unwrap(), []);
    ledger.complete(&completion(1)).unwrap();
    assert_eq!(ledger.due_epochs(CLOCK).unwrap()[0].due, Due::End, "all its sessions are complete");
    verified(&ledger, &[]);
}

/// A complete session that owes `disclosure`.
pub(super) fn owing(ledger: &mut SqliteLedger, id: u8, digest: [u8; 32], disclosure: Disclosure) {
    let entry = signed_as(id, digest, disclosure, WIDE);
    ledger.open_session(&entry).unwrap();
    for index in 0..3 {
        ledger.charge(&batch(id, index, 10)).unwrap();
    }
    ledger.complete(&completion(id)).unwrap();
}

/// A disclosure of `matched` tags, or of their number.
pub(super) fn disclosed(id: u8, kind: Disclosure, matched: u64) -> DisclosureEntry {
    let tags: Vec<u128> =
        if kind == Disclosure::MatchedTags { (0..matched).map(|tag| u128::from(tag) << 80).collect() } else { Vec::new() };
    let mut hash = Sha256::new().chain_update(b"oblink/1/matched-tags\0");
    tags.iter().for_each(|tag| hash.update(tag.to_be_bytes()));
    DisclosureEntry {
        session_id: [id; 16],
        kind,
        matched,
        tags,
        tags_digest: hash.finalize().into(),
        signature: [9; 64],
        clock_unix_ms: CLOCK,
    }
}

/// DIS-2
#[test]
fn a_disclosure_is_what_was_agreed_and_once() {
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    owing(&mut ledger, 1, digest, Disclosure::Count);
    owing(&mut ledger, 2, digest, Disclosure::None);
    ledger.open_session(&signed_as(3, digest, Disclosure::Count, WIDE)).unwrap();
    let not_due = |outcome| matches!(outcome, Err(LedgerError::DisclosureNotDue));
    assert!(not_due(ledger.disclose(&disclosed(1, Disclosure::MatchedTags, 3))));
    assert!(not_due(ledger.disclose(&disclosed(1, Disclosure::Count, 31))));
    assert!(not_due(ledger.disclose(&disclosed(2, Disclosure::Count, 3))));
    assert!(not_due(ledger.disclose(&disclosed(2, Disclosure::None, 0))));
    for id in [3, 9] {
        assert!(matches!(ledger.disclose(&disclosed(id, Disclosure::Count, 3)), Err(LedgerError::SessionNotOpen)));
    }
    ledger.disclose(&disclosed(1, Disclosure::Count, 3)).unwrap();
    let size = ledger.head().unwrap().size;
    ledger.disclose(&disclosed(1, Disclosure::Count, 3)).unwrap();
    assert_eq!(ledger.head().unwrap().size, size, "nothing new");
    assert!(not_due(ledger.disclose(&disclosed(1, Disclosure::Count, 4))));
    let row = ledger.disclosure(&[1; 16]).unwrap().unwrap();
    assert_eq!((row.kind.as_str(), row.matched, row.booked), ("count", 3, None));
    assert_eq!(ledger.unbooked(&[10; 16]).unwrap(), []);
    verified(&ledger, &[]);
}

/// DIS-3
#[test]
fn an_epoch_does_not_end_while_disclosures_are_unbooked() {
    let (_home, mut ledger) = Home::with_epoch();
    let digest = apply(&mut ledger, 1);
    for id in 1..=3 {
        owing(&mut ledger, id, digest, Disclosure::MatchedTags);
    }
    ledger.disclose(&disclosed(1, Disclosure::MatchedTags, 2)).unwrap();
    ledger.disclose(&disclosed(2, Disclosure::MatchedTags, 0)).unwrap();
    assert_eq!(ledger.disclosed_tags(&[1; 16]).unwrap(), [0, 1 << 80]);
    let unbooked = ledger.unbooked(&[10; 16]).unwrap();
    assert_eq!(unbooked.iter().map(|row| (row.session_id[0], row.matched)).collect::<Vec<_>>(), [(1, Some(2)), (3, None)]);
    assert!(matches!(ledger.end_epoch(&[10; 16], "by hand", false, CLOCK), Err(Error::Unbooked { sessions: 2 })));
    assert!(matches!(
        ledger.begin_epoch(&EpochEntry { policy: Some(digest), ..epoch(11, Some(VERIFIER)) }),
        Err(Error::Unbooked { sessions: 2 })
    ));
    let book = |ledger: &mut SqliteLedger, id: u8, ids: &[&str]| {
        ledger.book(&[id; 16], ids.iter().map(|id| (*id).to_owned()), &[77; 32], OPERATOR, CLOCK)
    };
    assert!(matches!(book(&mut ledger, 3, &["a"]), Err(Error::Ledger(LedgerError::DisclosureNotDue))));
    assert_eq!(book(&mut ledger, 1, &["r-2", "r-10", "r-2"]).unwrap(), 2);
    assert!(matches!(book(&mut ledger, 1, &["a"]), Err(Error::Ledger(LedgerError::DisclosureNotDue))));
    assert_eq!(ledger.disclosure(&[1; 16]).unwrap().unwrap().booked, Some(2));
    let rows = ledger.disclosures_of("r-10").unwrap();
    assert_eq!((rows.len(), rows[0].session_id, rows[0].verifier, rows[0].booked_unix_ms), (1, [1; 16], VERIFIER, CLOCK));
    assert_eq!(ledger.disclosures_of("r-1").unwrap(), []);
    assert_eq!(ledger.unbooked(&[10; 16]).unwrap().len(), 1);
    verified(&ledger, &[]);
    assert!(ledger.end_epoch(&[10; 16], "by hand", true, CLOCK).unwrap());
    verified(&ledger, &[]);
    // No identifier is in the log.
    let mut bodies = String::new();
    ledger
        .entries(0, &mut |entry| {
            bodies.push_str(entry.body);
            Ok(())
        })
        .unwrap();
    assert!(!bodies.contains("r-10") && bodies.contains("\"unbooked\":1") && bodies.contains(&to_hex(&[9; 64])));
}
