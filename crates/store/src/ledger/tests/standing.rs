//! What has changed since it was looked at: policies, suspensions, refusals, dates.

use oblink_session::request::Request;

use super::authority::{WIDE, signed};
use super::officials::policy;
use super::*;

const DAY: u64 = 86_400_000;

/// POL-4: what was approved against one policy, or before another suspension, lifts nothing.
#[test]
fn answers_are_resumed_as_things_stood_when_it_was_judged() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.suspend_answers(Scope::All, "first", "alex", CLOCK).unwrap();
    let before = judged(&ledger);
    ledger.suspend_answers(Scope::Verifier(OTHER), "another scope", "alex", CLOCK).unwrap();
    ledger.suspend_answers(Scope::All, "second", "alex", CLOCK).unwrap();
    let again = ledger.resume_answers(Scope::All, None, before, "", "alex", CLOCK);
    assert!(matches!(again, Err(Error::Ledger(LedgerError::Suspended))));
    let pilot = judged(&ledger);
    let change = policy(&ledger, 1);
    ledger.apply_policy(&change, "alex", CLOCK).unwrap();
    let approval = Approval { proposal: b"another".to_vec(), ..change.approval.unwrap() };
    for (approval, judged) in [(None, pilot), (Some(&approval), pilot), (None, judged(&ledger))] {
        let changed = ledger.resume_answers(Scope::All, approval, judged, "", "alex", CLOCK);
        assert!(matches!(changed, Err(Error::Ledger(LedgerError::PolicyChanged))));
    }
    assert!(ledger.suspensions().unwrap().iter().all(|row| row.resumed_unix_ms.is_none()));
    assert!(ledger.resume_answers(Scope::All, Some(&approval), judged(&ledger), "", "alex", CLOCK).unwrap());
}

/// POL-4: what officials refuse stops at its next batch.
#[test]
fn a_request_that_is_refused_in_the_middle_is_charged_no_more() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    let digest = session(1).request_digest;
    ledger
        .connection
        .execute("INSERT INTO denials VALUES (?1, ?2, 'a reason', 'alex', 1, 0)", rusqlite::params![digest, VERIFIER])
        .unwrap();
    assert!(matches!(ledger.charge(&batch(1, 1, 1)), Err(LedgerError::RequestRefused)));
}

/// HSK-4: under a policy, until the end of what was signed, by ledger time.
#[test]
fn a_request_whose_validity_is_over_is_charged_no_more() {
    let (_home, mut ledger) = Home::with_epoch();
    let change = policy(&ledger, 1);
    let digest = ledger.apply_policy(&change, "alex", CLOCK).unwrap().digest;
    let entry = signed(2, digest, WIDE);
    let until = Request::parse(&entry.request).unwrap().manifest().unwrap().not_after_unix_ms;
    ledger.open_session(&entry).unwrap();
    ledger.charge(&ChargeEntry { clock_unix_ms: until, ..batch(2, 0, 1) }).unwrap();
    let late = ChargeEntry { clock_unix_ms: until + 1, ..batch(2, 1, 1) };
    assert!(matches!(ledger.charge(&late), Err(LedgerError::RequestExpired)));
}

/// EPO-6: an epoch whose date has come is over when the longest grace is, though nobody closed it; and its grace is counted from its date.
#[test]
fn an_epoch_that_nobody_closed_is_over_all_the_same() {
    let home = Home::new();
    let mut ledger = home.open();
    let limits = EpochLimits { ends_unix_ms: Some(CLOCK + DAY), ..EpochLimits::default() };
    ledger.begin_epoch(&EpochEntry { limits, ..epoch(10, Some(VERIFIER)) }).unwrap();
    ledger.open_session(&session(1)).unwrap();
    let end = CLOCK + 2 * DAY;
    assert_eq!(ledger.due_epochs(CLOCK + DAY + 7).unwrap()[0].since_unix_ms, CLOCK + DAY);
    ledger.charge(&ChargeEntry { clock_unix_ms: end - 1, ..batch(1, 0, 1) }).unwrap();
    assert!(matches!(ledger.charge(&ChargeEntry { clock_unix_ms: end, ..batch(1, 1, 1) }), Err(LedgerError::EpochEnded)));
    let again = SessionEntry { clock_unix_ms: end, ..session(1) };
    assert!(matches!(ledger.open_session(&again), Err(LedgerError::EpochEnded)));
    // Nor does it get another set.
    let set = EpochEntry { clock_unix_ms: end, ..epoch(10, Some(VERIFIER)) };
    assert!(matches!(ledger.replace_set(&set), Err(Error::Ledger(LedgerError::EpochEnded))));
}

/// POL-1: an epoch goes by the policy that is in force when it begins.
#[test]
fn nothing_sealed_under_another_policy_is_entered() {
    let (_home, mut ledger) = Home::with_epoch();
    let change = policy(&ledger, 1);
    let digest = ledger.apply_policy(&change, "alex", CLOCK).unwrap().digest;
    let (other, same) = (epoch(11, Some(VERIFIER)), epoch(10, Some(VERIFIER)));
    assert!(matches!(ledger.begin_epoch(&other), Err(Error::Ledger(LedgerError::PolicyChanged))));
    assert!(matches!(ledger.replace_set(&same), Err(Error::Ledger(LedgerError::PolicyChanged))));
    ledger.replace_set(&EpochEntry { policy: Some(digest), ..same }).unwrap();
    ledger.begin_epoch(&EpochEntry { policy: Some(digest), ..other }).unwrap();
}

/// HSK-5: what was asked in pilot mode is asked anew under a policy.
#[test]
fn a_session_of_pilot_mode_is_not_resumed_under_a_policy() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(2)).unwrap();
    ledger.suspend(&[2; 16], &[], CLOCK).unwrap();
    let change = policy(&ledger, 1);
    let digest = ledger.apply_policy(&change, "alex", CLOCK).unwrap().digest;
    let resumed = SessionEntry { authority: signed(2, digest, WIDE).authority, ..session(2) };
    assert!(matches!(ledger.open_session(&resumed), Err(LedgerError::PolicyChanged)));
}

/// Once `serve` read every epoch there ever was, each with the account of all its sessions, twice a second, to learn which were ended.
#[test]
fn repro_which_epochs_are_over_is_told_without_their_accounts() {
    let (_home, mut ledger) = Home::with_epoch();
    // The first ends by a seal, the second by hand.
    ledger.begin_epoch(&epoch(11, Some(VERIFIER))).unwrap();
    ledger.close_epoch(&[11; 16], "by hand", CLOCK, CLOCK).unwrap();
    assert!(ledger.epochs_over().unwrap().is_empty(), "closed is not over");
    ledger.end_epoch(&[11; 16], "by hand", false, CLOCK).unwrap();
    ledger.begin_epoch(&epoch(12, Some(VERIFIER))).unwrap();
    let all = ledger.epochs().unwrap();
    let over = all.iter().filter(|row| row.ended.is_some() && row.closing.is_some()).map(|row| row.offer.descriptor.epoch_id);
    assert_eq!(over.collect::<std::collections::BTreeSet<_>>(), ledger.epochs_over().unwrap());
    assert_eq!(ledger.epochs_over().unwrap(), [[11; 16]].into());
    assert_eq!(ledger.current_epochs().unwrap(), all[2..]);
    assert_eq!(ledger.figures().unwrap().entries, ledger.head().unwrap().size);
    assert_eq!(ledger.policy_digest().unwrap(), None);
    let change = policy(&ledger, 1);
    let digest = ledger.apply_policy(&change, "alex", CLOCK).unwrap().digest;
    assert_eq!(ledger.policy_digest().unwrap(), Some(digest));
}

/// Once each connection of `serve` that only looks kept 2 MiB of the ledger in memory, as soon as there was so much of it.
#[test]
fn repro_a_connection_that_only_looks_keeps_little() {
    let (home, _ledger) = Home::with_epoch();
    let looks = home.open();
    looks.cache_at_most(128).unwrap();
    let cache: i64 = looks.connection.pragma_query_value(None, "cache_size", |row| row.get(0)).unwrap();
    assert_eq!(cache, -128, "in KiB");
    assert_eq!(looks.epochs().unwrap().len(), 1);
}
