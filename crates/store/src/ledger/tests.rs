//! The ledger: charges, budgets, resumption, ends, and its file.

use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use oblink_session::head::SignedHead;
use oblink_session::ledger::{
    Budget, ChargeEntry, ChargeOutcome, ChargedBatch, CompletionEntry, Ledger, LedgerError, SessionEntry, SessionOpening,
};
use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::statement::{CertifiedKey, StatementKey, fingerprint_of};
use oblink_session::tag::Tau;

use super::*;

mod authority;
mod crash_images;
mod foreign;
mod log;
mod officials;
mod older;
mod replaced;
mod replay;
mod repro;
mod standing;
mod tampering;

const VERIFIER: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];
const CLOCK: u64 = 1_800_000_000_000;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("ledger.sqlite")
    }

    fn open(&self) -> SqliteLedger {
        SqliteLedger::open(&self.path()).unwrap()
    }

    /// A ledger with one epoch, [10; 16], of the verifier.
    fn with_epoch() -> (Self, SqliteLedger) {
        let home = Self::new();
        let mut ledger = home.open();
        ledger.begin_epoch(&epoch(10, Some(VERIFIER))).unwrap();
        (home, ledger)
    }
}

/// Secret keys of the holder's statements and identity.
const STATEMENT_SECRET: [u8; 32] = [41; 32];
const IDENTITY_SECRET: [u8; 32] = [42; 32];

fn statement_key() -> StatementKey {
    StatementKey::certify(&STATEMENT_SECRET, &IDENTITY_SECRET, CLOCK)
}

/// The holder's fingerprint.
fn holder() -> [u8; 32] {
    fingerprint_of(statement_key().certificate()[..32].try_into().unwrap())
}

/// Signs the ledger's head, as is done for each Welcome.
fn sign_head(ledger: &mut SqliteLedger) -> SignedHead {
    let head = SignedHead::sign(&statement_key(), &holder(), ledger.head().unwrap(), CLOCK);
    ledger.keep_head(&head).unwrap();
    head
}

fn verify(ledger: &SqliteLedger, witnesses: &[SignedHead]) -> Result<VerifyReport, Error> {
    let key = CertifiedKey::check(statement_key().certificate(), &holder()).unwrap();
    let heads: Vec<_> = witnesses.iter().map(|signed| signed.head).collect();
    ledger.verify(&key, &holder(), &heads)
}

fn verified(ledger: &SqliteLedger, witnesses: &[SignedHead]) -> VerifyReport {
    verify(ledger, witnesses).unwrap()
}

fn tampered(ledger: &SqliteLedger, witnesses: &[SignedHead]) -> Tampered {
    match verify(ledger, witnesses) {
        Err(Error::Tampered(tampered)) => tampered,
        other => panic!("{other:?}"),
    }
}

/// Changes the database as another program would: without the triggers, which are put back.
fn tamper(ledger: &SqliteLedger, sql: &str) {
    let triggers: Vec<(String, String)> = ledger
        .connection
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    ledger.connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
    for (name, _) in &triggers {
        ledger.connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    ledger.connection.execute_batch(sql).unwrap();
    assert_ne!(ledger.connection.changes(), 0, "{sql}");
    for (_, sql) in &triggers {
        ledger.connection.execute_batch(sql).unwrap();
    }
}

/// The policy and the last suspension as they are now.
fn judged(ledger: &SqliteLedger) -> Judged {
    Judged {
        policy: ledger.policy_in_force().unwrap().map(|record| record.digest),
        suspension: ledger.suspensions().unwrap().last().map_or(0, |row| row.entry),
    }
}

fn epoch(id: u8, verifier: Option<[u8; 32]>) -> EpochEntry {
    let descriptor = SetDescriptor {
        suite: 1,
        tau: Tau::for_counts(1_000, 1 << 24).unwrap(),
        tokens_per_pair: 1,
        as_of: 20_260_131,
        session_tokens_max: 1 << 24,
        declared_tags: 1_000,
        tags: 999,
        epoch_id: [id; 16],
        ruleset_digest: [3; 32],
        public_key: [4; 32],
    };
    EpochEntry {
        verifier,
        offer: SetOffer { descriptor, set_id: [id; 32], set_bytes: 9_000 },
        records: 1_100,
        rejected: 7,
        input_digest: Some([5; 32]),
        policy: None,
        limits: EpochLimits::default(),
        clock_unix_ms: CLOCK,
    }
}

/// A request of 3 batches of 10 tokens under epoch [10; 16].
fn session(id: u8) -> SessionEntry {
    let request = authority::request(id);
    SessionEntry {
        session_id: [id; 16],
        request_id: [id; 16],
        request_digest: request.digest(),
        request: request.bytes().to_vec(),
        epoch_id: [10; 16],
        set_id: [10; 32],
        verifier: VERIFIER,
        verifier_certificate: [id; 136],
        offered: vec![1, id],
        verifier_nonce: [id; 32],
        holder_nonce: [id ^ 0xff; 32],
        pairs: 30,
        tokens: 30,
        batches: 3,
        epoch_evaluations_max: 100,
        authority: None,
        clock_unix_ms: CLOCK,
    }
}

fn batch(session: u8, index: u64, digest: u8) -> ChargeEntry {
    ChargeEntry {
        session_id: [session; 16],
        index,
        blinded_digest: [digest; 32],
        tokens: 10,
        statement: [6; 64],
        clock_unix_ms: CLOCK,
        answered: Vec::new(),
    }
}

fn completion(session: u8) -> CompletionEntry {
    CompletionEntry {
        session_id: [session; 16],
        receipt: b"{}".to_vec(),
        signature: [7; 64],
        holder_certificate: [17; 136],
        answered: vec![(0, [20; 32]), (1, [21; 32]), (2, [22; 32])],
        clock_unix_ms: CLOCK,
    }
}

fn completed(ledger: &mut SqliteLedger, id: u8) {
    ledger.open_session(&session(id)).unwrap();
    for index in 0..3 {
        assert_eq!(ledger.charge(&batch(id, index, 10)).unwrap(), ChargeOutcome::New);
    }
    ledger.complete(&completion(id)).unwrap();
}

/// Charged and reserved evaluations of the verifier's current epoch.
fn account(ledger: &SqliteLedger) -> (u64, u64) {
    let epoch = ledger.current_epoch(&VERIFIER).unwrap().unwrap();
    (epoch.charged_tokens, epoch.reserved_tokens)
}

/// BAT-3
#[test]
fn a_batch_is_charged_once_and_another_under_its_index_is_refused() {
    let (_home, mut ledger) = Home::with_epoch();
    assert_eq!(ledger.open_session(&session(1)).unwrap(), SessionOpening::New);
    assert_eq!(account(&ledger), (0, 30));
    assert_eq!(ledger.charge(&batch(1, 1, 50)).unwrap(), ChargeOutcome::New);
    assert_eq!(ledger.charge(&batch(1, 1, 50)).unwrap(), ChargeOutcome::Same);
    assert!(matches!(ledger.charge(&batch(1, 1, 51)), Err(LedgerError::BatchConflict { index: 1 })));
    assert_eq!(account(&ledger), (10, 20));
    // The same blinded elements under another index are another batch.
    assert_eq!(ledger.charge(&batch(1, 0, 50)).unwrap(), ChargeOutcome::New);
    assert_eq!(account(&ledger), (20, 10));
    assert!(matches!(ledger.charge(&batch(9, 0, 50)), Err(LedgerError::SessionNotOpen)));
    assert!(matches!(ledger.charge(&batch(1, 3, 50)), Err(LedgerError::Storage(_))));
}

#[test]
fn a_session_cannot_charge_beyond_its_reservation() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    let error = ledger.charge(&ChargeEntry { tokens: 21, ..batch(1, 1, 1) }).unwrap_err();
    assert!(matches!(error, LedgerError::BudgetExhausted { budget: Budget::Evaluations, asked: 21, left: 20 }));
    assert_eq!(account(&ledger), (10, 20));
}

/// HSK-4: what is charged and what is reserved both count.
#[test]
fn an_epochs_budget_holds_charges_and_reservations() {
    let (_home, mut ledger) = Home::with_epoch();
    for id in 1..=3 {
        ledger.open_session(&session(id)).unwrap();
    }
    let left = |error| match error {
        Err(LedgerError::BudgetExhausted { budget: Budget::Evaluations, asked: 30, left }) => left,
        other => panic!("{other:?}"),
    };
    assert_eq!(left(ledger.open_session(&session(4))), 10);
    ledger.charge(&batch(1, 0, 1)).unwrap();
    assert_eq!(left(ledger.open_session(&session(4))), 10);
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    assert_eq!(ledger.open_session(&session(4)).unwrap(), SessionOpening::New);
    // The suspended one cannot have its 20 back now, and then can.
    assert!(matches!(ledger.open_session(&session(1)), Err(LedgerError::BudgetExhausted { asked: 20, left: 0, .. })));
    ledger.suspend(&[2; 16], &[], CLOCK).unwrap();
    assert!(matches!(ledger.open_session(&session(1)).unwrap(), SessionOpening::Resumed { .. }));
    assert_eq!(account(&ledger), (10, 80));
    // One that is still open resumes without being counted twice.
    assert!(matches!(ledger.open_session(&session(1)).unwrap(), SessionOpening::Resumed { .. }));
    assert_eq!(account(&ledger), (10, 80));
}

#[test]
fn counts_beyond_the_databases_are_errors_and_write_nothing() {
    let (_home, mut ledger) = Home::with_epoch();
    let giant = SessionEntry { tokens: u64::MAX, epoch_evaluations_max: u64::MAX, ..session(1) };
    assert!(matches!(ledger.open_session(&giant), Err(LedgerError::Storage(_))));
    let large = SessionEntry { tokens: i64::MAX as u64, epoch_evaluations_max: u64::MAX, ..session(1) };
    ledger.open_session(&large).unwrap();
    // A sum that overflows is refused, not wrapped.
    assert!(ledger.open_session(&SessionEntry { epoch_evaluations_max: u64::MAX, ..session(2) }).is_ok());
    assert!(matches!(ledger.open_session(&SessionEntry { epoch_evaluations_max: u64::MAX, ..session(3) }), Err(LedgerError::Storage(_))));
}

/// Two connections, one budget: exactly one wins, however they meet.
#[test]
fn a_race_for_the_last_of_a_budget_has_one_winner() {
    let (home, _ledger) = Home::with_epoch();
    for round in 0..8_u8 {
        let start = std::sync::Barrier::new(2);
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let racers = [0, 1].map(|racer| {
                let (home, start) = (&home, &start);
                scope.spawn(move || {
                    let mut ledger = home.open();
                    start.wait();
                    let entry = SessionEntry { epoch_evaluations_max: 30, ..session(10 + round * 2 + racer) };
                    (entry.session_id, ledger.open_session(&entry))
                })
            });
            racers.map(|racer| racer.join().unwrap()).into()
        });
        let won: Vec<_> = outcomes.iter().filter(|(_, outcome)| outcome.is_ok()).collect();
        assert_eq!(won.len(), 1);
        assert!(outcomes.iter().any(|(_, outcome)| matches!(outcome, Err(LedgerError::BudgetExhausted { asked: 30, left: 0, .. }))));
        home.open().suspend(&won[0].0, &[], CLOCK).unwrap();
    }
}

/// HSK-5
#[test]
fn a_session_resumes_with_its_nonce_and_its_batches() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 2, 52)).unwrap();
    ledger.charge(&ChargeEntry { answered: vec![(2, [32; 32])], ..batch(1, 0, 50) }).unwrap();
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    assert!(matches!(ledger.charge(&batch(1, 1, 51)), Err(LedgerError::SessionNotOpen)));
    // The holder's nonce, and the session id made of it, are fresh in the new entry; the first ones stay.
    let again = SessionEntry { holder_nonce: [77; 32], session_id: [78; 16], ..session(1) };
    let SessionOpening::Resumed { holder_nonce, charged, receipt } = ledger.open_session(&again).unwrap() else { panic!() };
    assert_eq!(holder_nonce, session(1).holder_nonce);
    let first = ChargedBatch { index: 0, blinded_digest: [50; 32], evaluated_digest: None };
    let third = ChargedBatch { index: 2, blinded_digest: [52; 32], evaluated_digest: Some([32; 32]) };
    assert_eq!((charged, receipt), (vec![first, third], None));
    assert_eq!(ledger.charge(&batch(1, 1, 51)).unwrap(), ChargeOutcome::New);
    assert_eq!(ledger.sessions().unwrap().len(), 1);
}

/// HSK-5
#[test]
fn a_request_id_belongs_to_one_request() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    let others = [
        SessionEntry { verifier_nonce: [99; 32], ..session(1) },
        SessionEntry { request_digest: [99; 32], ..session(1) },
        SessionEntry { tokens: 31, ..session(1) },
    ];
    for other in others {
        let other = SessionEntry { session_id: [99; 16], ..other };
        assert!(matches!(ledger.open_session(&other), Err(LedgerError::RequestConflict)));
    }
}

/// END-3, END-4
#[test]
fn a_complete_session_keeps_its_receipt_and_costs_what_it_cost() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    assert!(matches!(ledger.acknowledge(&[1; 16], &[8; 64]), Err(LedgerError::SessionNotOpen)));
    ledger.charge(&batch(1, 0, 10)).unwrap();
    assert!(matches!(ledger.complete(&completion(1)), Err(LedgerError::Storage(_))), "batches are missing");
    for index in 1..3 {
        ledger.charge(&batch(1, index, 10)).unwrap();
    }
    ledger.complete(&completion(1)).unwrap();
    assert!(matches!(ledger.complete(&completion(1)), Err(LedgerError::SessionNotOpen)));
    assert_eq!(account(&ledger), (30, 0));
    ledger.acknowledge(&[1; 16], &[8; 64]).unwrap();
    ledger.acknowledge(&[1; 16], &[9; 64]).unwrap();
    assert!(matches!(ledger.charge(&batch(1, 2, 10)), Err(LedgerError::SessionNotOpen)));
    let receipt = ledger.receipt(&[1; 16]).unwrap().unwrap();
    assert_eq!((receipt.body.as_slice(), receipt.holder_signature, receipt.verifier_signature), (&b"{}"[..], [7; 64], Some([8; 64])));
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    let row = ledger.session(&[1; 16]).unwrap().unwrap();
    assert_eq!((row.state, row.charged_batches, row.acknowledged), (SessionState::Complete, 3, true));
    let SessionOpening::Resumed { charged, receipt, .. } = ledger.open_session(&session(1)).unwrap() else { panic!() };
    assert_eq!(receipt, Some((b"{}".to_vec(), [7; 64])));
    assert_eq!(charged.iter().map(|batch| batch.evaluated_digest).collect::<Vec<_>>(), [Some([20; 32]), Some([21; 32]), Some([22; 32])]);
    // It answers with its receipt, and stays complete.
    assert_eq!(ledger.session(&[1; 16]).unwrap().unwrap().state, SessionState::Complete);
    // When its epoch is over, the receipt is in the ledger; the session does not resume.
    ledger.end_epoch(&[10; 16], "by hand", false, CLOCK).unwrap();
    assert!(matches!(ledger.open_session(&session(1)), Err(LedgerError::EpochEnded)));
    assert!(matches!(ledger.charge(&batch(1, 2, 10)), Err(LedgerError::EpochEnded)));
    assert!(ledger.receipt(&[1; 16]).unwrap().is_some());
}

#[test]
fn answers_ride_along_even_with_a_refusal() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 50)).unwrap();
    let conflict = ChargeEntry { answered: vec![(0, [30; 32])], ..batch(1, 0, 51) };
    assert!(matches!(ledger.charge(&conflict), Err(LedgerError::BatchConflict { .. })));
    // The same again is fine; another answer, or one to an uncharged batch, undoes the whole call.
    ledger.suspend(&[1; 16], &[(0, [30; 32])], CLOCK).unwrap();
    ledger.open_session(&session(1)).unwrap();
    for answered in [(0, [31; 32]), (1, [30; 32])] {
        let wrong = ChargeEntry { answered: vec![answered], ..batch(1, 2, 52) };
        assert!(matches!(ledger.charge(&wrong), Err(LedgerError::Storage(_))));
    }
    let SessionOpening::Resumed { charged, .. } = ledger.open_session(&session(1)).unwrap() else { panic!() };
    assert_eq!(charged, [ChargedBatch { index: 0, blinded_digest: [50; 32], evaluated_digest: Some([30; 32]) }]);
}

/// EPO-2
#[test]
fn an_epoch_of_nobodys_becomes_the_first_comers_for_good() {
    let home = Home::new();
    let mut ledger = home.open();
    assert!(matches!(ledger.open_session(&session(1)), Err(LedgerError::EpochEnded)));
    ledger.begin_epoch(&epoch(10, None)).unwrap();
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap().unwrap().verifier, None);
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap(), ledger.current_epoch(&OTHER).unwrap());
    // One who is refused for the budget has not taken it.
    assert!(ledger.open_session(&SessionEntry { verifier: OTHER, epoch_evaluations_max: 1, ..session(2) }).is_err());
    ledger.open_session(&session(1)).unwrap();
    drop(ledger);
    let mut ledger = home.open();
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap().unwrap().verifier, Some(VERIFIER));
    assert_eq!(ledger.current_epoch(&OTHER).unwrap(), None);
    assert!(matches!(ledger.open_session(&SessionEntry { verifier: OTHER, ..session(2) }), Err(LedgerError::EpochEnded)));
    // Nor does one who has an epoch take the next that is nobody's.
    ledger.begin_epoch(&epoch(11, None)).unwrap();
    assert!(matches!(
        ledger.open_session(&SessionEntry { epoch_id: [11; 16], set_id: [11; 32], ..session(3) }),
        Err(LedgerError::EpochEnded)
    ));
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap().unwrap().offer.descriptor.epoch_id, [10; 16]);
}

/// EPO-3
#[test]
fn sealing_again_ends_the_epoch_before() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    assert_eq!(ledger.begin_epoch(&epoch(11, Some(OTHER))).unwrap(), Vec::<[u8; 16]>::new());
    assert_eq!(ledger.begin_epoch(&epoch(12, None)).unwrap(), Vec::<[u8; 16]>::new());
    assert_eq!(ledger.begin_epoch(&epoch(13, Some(VERIFIER))).unwrap(), [[10; 16], [12; 16]]);
    assert!(matches!(ledger.charge(&batch(1, 1, 1)), Err(LedgerError::EpochEnded)));
    assert!(matches!(ledger.charge(&batch(1, 0, 1)), Err(LedgerError::EpochEnded)));
    assert!(matches!(ledger.complete(&completion(1)), Err(LedgerError::EpochEnded)));
    for epoch in [10, 13] {
        let entry = SessionEntry { epoch_id: [epoch; 16], set_id: [epoch; 32], ..session(1) };
        assert!(matches!(ledger.open_session(&entry), Err(LedgerError::EpochEnded)));
    }
    let epochs = ledger.epochs().unwrap();
    assert_eq!(epochs.iter().map(|epoch| epoch.ended.is_some()).collect::<Vec<_>>(), [true, false, true, false]);
    assert_eq!(epochs[0].ended.as_ref().unwrap().reason, "sealed again");
    assert_eq!((epochs[0].charged_tokens, epochs[0].reserved_tokens, epochs[0].sessions), (10, 0, 1));
    assert_eq!(epochs[3].offer, epoch(13, None).offer);
    assert_eq!((epochs[3].records, epochs[3].rejected, epochs[3].input_digest), (1_100, 7, Some([5; 32])));
    assert!(ledger.end_epoch(&[13; 16], "by hand", false, CLOCK).unwrap());
    assert!(!ledger.end_epoch(&[13; 16], "by hand", false, CLOCK).unwrap());
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap(), None);
    // An id is used once; the failed call ended nothing.
    assert!(ledger.begin_epoch(&epoch(10, Some(OTHER))).is_err());
    assert!(ledger.current_epoch(&OTHER).unwrap().is_some());
}

/// A process that is killed: its connection is never closed, what it said is there.
#[test]
fn what_was_said_survives_a_kill() {
    let (home, mut ledger) = Home::with_epoch();
    let held = ledger.serve_lock(CLOCK).unwrap();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 50)).unwrap();
    // The files as they are on the disk at this moment, the write-ahead log included.
    let after = Home::new();
    for suffix in ["", "-wal"] {
        let name = format!("ledger.sqlite{suffix}");
        std::fs::copy(home.0.path().join(&name), after.0.path().join(&name)).unwrap();
    }
    drop((ledger, held));
    let mut ledger = after.open();
    assert_eq!(account(&ledger), (10, 20));
    let _held = ledger.serve_lock(CLOCK + 5).unwrap();
    assert_eq!(account(&ledger), (10, 0));
    assert_eq!(ledger.session(&[1; 16]).unwrap().unwrap().state, SessionState::Suspended);
    assert!(matches!(ledger.charge(&batch(1, 1, 50)), Err(LedgerError::SessionNotOpen)));
    assert!(matches!(ledger.open_session(&session(1)).unwrap(), SessionOpening::Resumed { .. }));
    assert_eq!(ledger.charge(&batch(1, 0, 50)).unwrap(), ChargeOutcome::Same);
}

#[test]
fn one_process_serves_and_others_read_and_write_beside_it() {
    let (home, mut ledger) = Home::with_epoch();
    let held = ledger.serve_lock(CLOCK).unwrap();
    ledger.open_session(&session(1)).unwrap();
    let mut second = home.open();
    assert!(matches!(second.serve_lock(CLOCK), Err(Error::InUse { .. })));
    assert_eq!(second.session(&[1; 16]).unwrap().unwrap().state, SessionState::Open);
    second.begin_epoch(&epoch(11, Some(OTHER))).unwrap();
    assert!(ledger.current_epoch(&OTHER).unwrap().is_some());
    drop(held);
    second.serve_lock(CLOCK).unwrap();
}

#[test]
fn ledger_time_does_not_run_backwards() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&SessionEntry { clock_unix_ms: CLOCK + 500, ..session(1) }).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    ledger.record_refusal(None, 5, "early", None, CLOCK - 1_000).unwrap();
    ledger.record_refusal(None, 5, "late", None, CLOCK + 900).unwrap();
    let refusals = ledger.refusals(10).unwrap();
    assert_eq!(refusals.iter().map(|refusal| refusal.refused_unix_ms - CLOCK).collect::<Vec<_>>(), [900, 500]);
    assert_eq!(ledger.session(&[1; 16]).unwrap().unwrap().changed_unix_ms, CLOCK + 500);
}

#[test]
fn deliveries_and_refusals_are_shown() {
    let (_home, mut ledger) = Home::with_epoch();
    completed(&mut ledger, 1);
    ledger.record_delivery(&[1; 16], &[10; 32], 4_000, CLOCK).unwrap();
    ledger.record_delivery(&[1; 16], &[10; 32], 5_000, CLOCK).unwrap();
    assert!(matches!(ledger.record_delivery(&[2; 16], &[10; 32], 1, CLOCK), Err(Error::Ledger(LedgerError::SessionNotOpen))));
    assert_eq!(ledger.session(&[1; 16]).unwrap().unwrap().delivered_bytes, 9_000);
    assert_eq!(ledger.deliveries(1).unwrap().len(), 1);
    assert_eq!(ledger.deliveries(9).unwrap()[0].bytes, 5_000);
    // The last of 1,024 bytes would cut a letter in two.
    ledger.record_refusal(Some(&OTHER), 4, &format!("{}é…", "x".repeat(1_023)), None, CLOCK).unwrap();
    let refusal = &ledger.refusals(9).unwrap()[0];
    assert_eq!((refusal.verifier, refusal.code, refusal.detail.len()), (Some(OTHER), 4, 1_023));
    assert_eq!(ledger.receipt(&[2; 16]).unwrap(), None);
    assert_eq!(ledger.session(&[2; 16]).unwrap(), None);
}

#[test]
fn the_files_are_private() {
    let home = Home::new();
    std::fs::write(home.path(), b"").unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o644)).unwrap();
    let mut ledger = home.open();
    let _held = ledger.serve_lock(CLOCK).unwrap();
    ledger.begin_epoch(&epoch(10, None)).unwrap();
    let mut seen = 0;
    for entry in std::fs::read_dir(home.0.path()).unwrap() {
        assert_eq!(entry.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
        seen += 1;
    }
    assert_eq!(seen, 4, "database, write-ahead log, its index, lock");
}

#[test]
fn settings_are_those_that_durability_needs() {
    let (_home, ledger) = Home::with_epoch();
    let pragma = |name| ledger.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!((pragma("synchronous"), pragma("foreign_keys"), pragma("busy_timeout")), (2, 1, 10_000));
    let mode: String = ledger.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
}

#[test]
fn another_version_another_program_and_no_database_are_told_apart() {
    let (home, ledger) = Home::with_epoch();
    ledger.connection.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(ledger);
    let error = SqliteLedger::open(&home.path()).unwrap_err();
    assert!(matches!(error, Error::LedgerVersion { found, supported, .. } if found == supported + 1), "{error}");

    let home = Home::new();
    Connection::open(home.path()).unwrap().execute_batch("CREATE TABLE something (x)").unwrap();
    assert!(matches!(SqliteLedger::open(&home.path()), Err(Error::LedgerDamaged { .. })));

    let home = Home::new();
    std::fs::write(home.path(), [b'x'; 5_000]).unwrap();
    assert!(matches!(SqliteLedger::open(&home.path()), Err(Error::LedgerDamaged { .. })));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let error = SqliteLedger::open(&dir.path().join("missing/ledger.sqlite")).unwrap_err();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert!(error.to_string().contains("missing/ledger.sqlite"), "{error}");
    let locked = dir.path().join("read-only");
    std::fs::create_dir(&locked).unwrap();
    std::fs::set_permissions(&locked, PermissionsExt::from_mode(0o500)).unwrap();
    // The superuser writes there all the same.
    if std::fs::write(locked.join("probe"), b"").is_err() {
        let error = SqliteLedger::open(&locked.join("ledger.sqlite")).unwrap_err();
        assert_eq!(error.io_kind(), Some(std::io::ErrorKind::PermissionDenied));
    }
}

#[test]
fn a_busy_ledger_is_told_after_its_time() {
    let (home, mut ledger) = Home::with_epoch();
    let other = home.open();
    other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    ledger.connection.busy_timeout(Duration::ZERO).unwrap();
    assert!(matches!(ledger.open_session(&session(1)), Err(LedgerError::Busy(_))));
    // Readers do not wait for it.
    assert!(ledger.current_epoch(&VERIFIER).unwrap().is_some());
    other.connection.execute_batch("ROLLBACK").unwrap();
    ledger.open_session(&session(1)).unwrap();
}

#[test]
fn many_processes_may_meet_at_a_new_file() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for id in 0..6 {
            let home = &home;
            scope.spawn(move || home.open().begin_epoch(&epoch(id, Some([id; 32]))).unwrap());
        }
    });
    assert_eq!(home.open().epochs().unwrap().len(), 6);
}
