//! Sets sealed again under a kept key (SPEC EPO-3).

use super::*;

/// The set `set` in the place of epoch [10; 16]'s.
fn resealed(set: u8, clock_unix_ms: u64) -> EpochEntry {
    let mut entry = epoch(10, Some(VERIFIER));
    entry.offer.set_id = [set; 32];
    entry.offer.set_bytes = 8_000;
    entry.offer.descriptor.tags = 900;
    entry.offer.descriptor.as_of = 20_260_201;
    EpochEntry { records: 1_000, rejected: 3, input_digest: Some([6; 32]), clock_unix_ms, ..entry }
}

fn is_ended<T>(outcome: Result<T, LedgerError>) -> bool {
    matches!(outcome, Err(LedgerError::EpochEnded))
}

#[test]
fn a_set_sealed_again_takes_the_place_and_the_epoch_goes_on() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    ledger.begin_epoch(&epoch(12, None)).unwrap();
    ledger.begin_epoch(&epoch(13, Some(OTHER))).unwrap();
    // Nobody's was ended by the other's already; one more, to be ended by this.
    ledger.begin_epoch(&epoch(14, None)).unwrap();
    assert_eq!(ledger.replace_set(&resealed(20, CLOCK + 5)).unwrap(), [[14; 16]]);
    let current = ledger.current_epoch(&VERIFIER).unwrap().unwrap();
    assert_eq!(current.offer, resealed(20, 0).offer);
    assert_eq!((current.records, current.rejected, current.input_digest), (1_000, 3, Some([6; 32])));
    assert_eq!((current.begun_unix_ms, current.earlier_sets, &current.ended), (CLOCK, 1, &None));
    // Its account goes on: what was evaluated under the key counts against the same budget.
    assert_eq!((current.sessions, current.charged_tokens, current.reserved_tokens), (1, 10, 20));
    assert!(ledger.current_epoch(&OTHER).unwrap().is_some_and(|row| row.earlier_sets == 0));
    ledger.replace_set(&resealed(21, CLOCK + 9)).unwrap();
    let earlier = ledger.earlier_sets().unwrap();
    assert_eq!(earlier.iter().map(|row| (row.epoch_id, row.set_id)).collect::<Vec<_>>(), [([10; 16], [10; 32]), ([10; 16], [20; 32])]);
    let times = |row: &EarlierSetRow| (row.sealed_unix_ms, row.replaced_unix_ms);
    assert_eq!(earlier.iter().map(times).collect::<Vec<_>>(), [(CLOCK, CLOCK + 5), (CLOCK + 5, CLOCK + 9)]);
    let first = &earlier[0];
    assert_eq!((first.set_bytes, first.tags, first.as_of), (9_000, 999, 20_260_131));
    assert_eq!((first.records, first.rejected, first.input_digest), (1_100, 7, Some([5; 32])));
    assert!(ledger.live_files().unwrap().contains(&LiveFiles { epoch_id: [10; 16], set_id: [21; 32] }));
}

/// Sessions that are open end with the set that they began with; one that broke off is not carried over to another.
#[test]
fn a_session_keeps_its_set() {
    let (_home, mut ledger) = Home::with_epoch();
    for id in 1..=2 {
        ledger.open_session(&session(id)).unwrap();
    }
    completed(&mut ledger, 3);
    ledger.suspend(&[2; 16], &[], CLOCK).unwrap();
    ledger.replace_set(&resealed(20, CLOCK)).unwrap();
    // Its line stands: it is charged, delivered the set that Welcome named and no other, and completed.
    ledger.charge(&batch(1, 0, 1)).unwrap();
    ledger.record_delivery(&[1; 16], &[10; 32], 9_000, CLOCK).unwrap();
    let other = ledger.record_delivery(&[1; 16], &[20; 32], 8_000, CLOCK);
    assert!(matches!(other, Err(Error::Ledger(LedgerError::EpochEnded))));
    for index in 1..3 {
        ledger.charge(&batch(1, index, 1)).unwrap();
    }
    ledger.complete(&completion(1)).unwrap();
    // Their lines are gone, and the set with them.
    for id in 2..=3 {
        assert!(is_ended(ledger.open_session(&session(id))), "session {id} with the set that is gone");
        assert!(is_ended(ledger.open_session(&SessionEntry { set_id: [20; 32], ..session(id) })), "session {id} with the other");
    }
    // A new one is asked of the new set: the old one is no longer offered.
    assert!(is_ended(ledger.open_session(&session(4))));
    assert!(matches!(ledger.open_session(&SessionEntry { set_id: [20; 32], ..session(4) }).unwrap(), SessionOpening::New));
    ledger.record_delivery(&[4; 16], &[20; 32], 8_000, CLOCK).unwrap();
    let sets: Vec<_> = ledger.sessions().unwrap().iter().map(|row| row.set_id[0]).collect();
    assert_eq!(sets, [10, 10, 10, 20]);
    assert_eq!(ledger.deliveries(9).unwrap().iter().map(|row| row.set_id[0]).collect::<Vec<_>>(), [20, 10]);
}

/// The same records under the same key are the same set: sessions that broke off may go on.
#[test]
fn the_same_set_again_changes_nothing_for_sessions() {
    let (_home, mut ledger) = Home::with_epoch();
    ledger.open_session(&session(1)).unwrap();
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    ledger.replace_set(&resealed(10, CLOCK)).unwrap();
    assert!(matches!(ledger.open_session(&session(1)).unwrap(), SessionOpening::Resumed { .. }));
    assert_eq!(ledger.earlier_sets().unwrap().len(), 1);
}

#[test]
fn a_set_of_another_key_or_an_epoch_that_ended_is_not_put_in_place() {
    let (_home, mut ledger) = Home::with_epoch();
    let mut wrong = vec![resealed(20, CLOCK); 4];
    wrong[0].offer.descriptor.public_key = [9; 32];
    wrong[1].offer.descriptor.ruleset_digest = [9; 32];
    wrong[2].offer.descriptor.suite = 2;
    wrong[3].offer.descriptor.tokens_per_pair = 2;
    for entry in &wrong {
        assert!(matches!(ledger.replace_set(entry), Err(Error::Ledger(LedgerError::Storage(_)))));
    }
    let unknown = EpochEntry { offer: epoch(11, None).offer, ..resealed(20, CLOCK) };
    assert!(matches!(ledger.replace_set(&unknown), Err(Error::Ledger(LedgerError::EpochEnded))));
    assert_eq!(ledger.current_epoch(&VERIFIER).unwrap().unwrap().offer, epoch(10, None).offer);
    ledger.end_epoch(&[10; 16], "by hand", false, CLOCK).unwrap();
    assert!(matches!(ledger.replace_set(&resealed(20, CLOCK)), Err(Error::Ledger(LedgerError::EpochEnded))));
    assert!(ledger.earlier_sets().unwrap().is_empty());
}
