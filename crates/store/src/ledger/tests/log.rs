//! The log beneath the tables: its hashes, heads, proofs, extracts, and what a crash leaves of it.

use oblink_session::head::LogHead;
use oblink_session::ledger::Caps;
use oblink_session::limits::BATCH_REPEATS_MAX;
use oblink_session::merkle::{Tree, leaf, verify_consistency};
use oblink_session::request::Disclosure;
use sha2::{Digest, Sha256};

use super::super::entries::{Charge, EntryKind};
use super::authority::{OPERATOR, disclosed, owing, request, signed};
use super::officials::{apply, resumption};
use super::*;

/// A ledger with an entry of every kind that is written without an import, and some heads.
pub(super) fn full() -> (Home, SqliteLedger) {
    let home = Home::new();
    let mut ledger = home.open();
    ledger.begin_epoch(&epoch(9, Some(OTHER))).unwrap();
    ledger.begin_epoch(&epoch(10, None)).unwrap();
    ledger.open_session(&session(1)).unwrap();
    sign_head(&mut ledger);
    ledger.record_delivery(&[1; 16], &[10; 32], 9_000, CLOCK).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    ledger.suspend(&[1; 16], &[], CLOCK).unwrap();
    ledger.open_session(&session(1)).unwrap();
    let digest = apply(&mut ledger, 1);
    owing(&mut ledger, 2, digest, Disclosure::MatchedTags);
    sign_head(&mut ledger);
    ledger.acknowledge(&[2; 16], &[8; 64]).unwrap();
    ledger.disclose(&disclosed(2, Disclosure::MatchedTags, 2)).unwrap();
    ledger.book(&[2; 16], ["a".to_owned(), "b".to_owned()], &[77; 32], OPERATOR, CLOCK).unwrap();
    ledger.suspend_answers(Scope::Verifier(OTHER), "a reason", OPERATOR, CLOCK).unwrap();
    let approval = resumption(&ledger, OTHER, CLOCK + 1);
    ledger.resume_answers(Scope::Verifier(OTHER), Some(&approval), judged(&ledger), "", OPERATOR, CLOCK + 2).unwrap();
    ledger.countersign(&request(5), b"-----BEGIN", "first@holder.example", "SHA256:abc", CLOCK).unwrap();
    ledger.refuse_request(&request(6), "too wide", OPERATOR, CLOCK).unwrap();
    ledger.record_operator(OPERATOR, "backup", "", CLOCK + 10).unwrap();
    ledger.record_refusal(Some(&OTHER), 20, "not authorised", Some("one signature short"), CLOCK).unwrap();
    ledger.replace_set(&EpochEntry { records: 1_000, policy: Some(digest), ..epoch(10, Some(VERIFIER)) }).unwrap();
    ledger.close_epoch(&[9; 16], "by hand", CLOCK + 100, CLOCK).unwrap();
    ledger.end_epoch(&[9; 16], "by hand", false, CLOCK + 100).unwrap();
    sign_head(&mut ledger);
    (home, ledger)
}

/// LED-1, LED-4: numbers without a gap, canonical bodies, RFC 9162's root over the leaves as specified, every kind.
#[test]
fn entries_are_canonical_and_their_root_is_the_specifications() {
    let (_home, mut ledger) = full();
    let (mut leaves, mut kinds, mut roots) = (Vec::new(), std::collections::BTreeSet::new(), Vec::new());
    let count = ledger
        .entries(0, &mut |entry| {
            assert_eq!(entry.seq, leaves.len() as u64);
            let value: serde_json::Value = serde_json::from_str(entry.body).unwrap();
            assert_eq!(value.to_string(), entry.body, "members in the order of their names");
            let mut data = vec![entry.kind as u8];
            data.extend(entry.unix_ms.to_be_bytes());
            data.extend(entry.party);
            data.extend(Sha256::digest(entry.body));
            leaves.push(leaf(&data));
            kinds.insert(entry.kind);
            roots.push(Tree::new(leaves.clone()).root());
            Ok(())
        })
        .unwrap();
    let without_import: Vec<_> = EntryKind::ALL.into_iter().filter(|kind| *kind != EntryKind::Import).collect();
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), without_import);
    assert_eq!(ledger.head().unwrap(), LogHead { size: count, root: roots[roots.len() - 1] });
    for (size, root) in (1..).zip(&roots) {
        assert_eq!(ledger.root_at(size).unwrap().as_ref(), Some(root));
        let proof = ledger.consistency(size, count).unwrap();
        assert!(verify_consistency(size, root, count, &roots[roots.len() - 1], &proof));
    }
    assert_eq!(ledger.root_at(count + 1).unwrap(), None);
    assert_eq!(ledger.root_at(0).unwrap(), Some(Tree::new(Vec::new()).root()));
    assert!(ledger.consistency(count, count + 1).is_err() && ledger.consistency(2, 1).is_err());
    let report = verified(&ledger, &[]);
    assert_eq!((report.head.size, report.heads, report.sessions, report.charges), (count, 3, 2, 4));
    assert_eq!((report.charged_tokens, report.latest_unix_ms), (40, CLOCK + 100));
    for (number, kind) in (1..).zip(EntryKind::ALL) {
        assert_eq!((EntryKind::from_u8(number), kind as u8), (Some(kind), number));
    }
    assert_eq!((EntryKind::from_u8(0), EntryKind::from_u8(22)), (None, None));
    assert_eq!(ledger.entries(count - 2, &mut |_| Ok(())).unwrap(), 2);
    let failing = ledger.entries(0, &mut |_| Err(std::io::ErrorKind::StorageFull.into()));
    assert!(matches!(failing, Err(Error::NoSpace { .. })));
}

/// LED-1
#[test]
fn the_log_and_the_charges_take_no_edits() {
    let (_home, ledger) = full();
    for sql in [
        "UPDATE log SET unix_ms = 0",
        "DELETE FROM log",
        "UPDATE heads SET unix_ms = 0",
        "DELETE FROM heads",
        "UPDATE charges SET tokens = 1",
        "UPDATE charges SET statement = zeroblob(64)",
        "UPDATE charges SET entry = NULL",
        "UPDATE charges SET evaluated_digest = zeroblob(32)",
        "DELETE FROM charges",
    ] {
        assert!(ledger.connection.execute_batch(sql).is_err(), "{sql}");
    }
    verified(&ledger, &[]);
    ledger.connection.execute_batch("DROP TRIGGER log_stays").unwrap();
    assert_eq!(tampered(&ledger, &[]).place, "tables");
}

/// LED-3: a head is kept once for each size, and only one that is the log's.
#[test]
fn heads_are_those_of_the_log() {
    let (_home, mut ledger) = Home::with_epoch();
    let head = sign_head(&mut ledger);
    ledger.keep_head(&SignedHead { unix_ms: CLOCK + 1, ..head }).unwrap();
    assert_eq!(ledger.latest_signed_head().unwrap(), Some(head));
    let other = LogHead { root: [1; 32], ..head.head };
    assert!(ledger.keep_head(&SignedHead { head: other, ..head }).is_err());
    let longer = LogHead { size: 9, ..head.head };
    assert!(ledger.keep_head(&SignedHead { head: longer, ..head }).is_err());
    assert_eq!(verified(&ledger, &[head]).witnessed, 1);
}

/// LED-4: being refused, coming back and sending again do not make the log longer without end.
#[test]
fn a_verifier_cannot_make_the_log_grow_without_bound() {
    let (_home, mut ledger) = Home::with_epoch();
    let before = ledger.head().unwrap().size;
    for _ in 0..100 {
        ledger.record_refusal(Some(&VERIFIER), 6, "too many", Some("why"), CLOCK).unwrap();
    }
    assert_eq!(ledger.head().unwrap().size - before, 7, "at 1, 2, 4, … 64");
    verified(&ledger, &[]);
    ledger.open_session(&session(1)).unwrap();
    ledger.charge(&batch(1, 0, 1)).unwrap();
    let before = ledger.head().unwrap().size;
    for _ in 0..BATCH_REPEATS_MAX {
        ledger.charge(&batch(1, 0, 1)).unwrap();
    }
    assert_eq!(ledger.head().unwrap().size, before);
    // One more for its one batch.
    for _ in 0..=RESUMES_MAX {
        ledger.open_session(&session(1)).unwrap();
    }
    assert!(matches!(ledger.open_session(&session(1)), Err(LedgerError::SessionNotOpen)));
    verified(&ledger, &[]);
    // A complete one answers with its receipt as often as it is asked: that writes nothing.
    completed(&mut ledger, 2);
    let before = ledger.head().unwrap().size;
    ledger.open_session(&session(2)).unwrap();
    assert_eq!(ledger.head().unwrap().size, before);
}

/// LED-7: all of one verifier's, under a signed head, and nothing of another's but that it is there.
#[test]
fn an_extract_proves_that_it_is_whole() {
    let (_home, mut ledger) = full();
    let key = statement_key();
    let head = sign_head(&mut ledger);
    ledger.record_operator(OPERATOR, "later", "", CLOCK).unwrap();
    let mut extract = Vec::new();
    let opened = ledger.extract(&VERIFIER, &holder(), &head, key.certificate(), &mut extract).unwrap();
    let text = String::from_utf8(extract.clone()).unwrap();
    let read = |text: &str| Extract::read(&mut text.as_bytes(), &holder(), &VERIFIER);
    let verified = read(&text).unwrap();
    assert_eq!((verified.head, verified.entries.len() as u64, verified.certificate), (head, opened, *key.certificate()));
    assert!(verified.entries.iter().all(|entry| entry.party == VERIFIER || entry.kind == EntryKind::EpochBegin));
    let begun = verified.entries.iter().filter(|entry| entry.kind == EntryKind::EpochBegin).count();
    assert_eq!(begun, 1, "nobody's, until it was theirs");
    let charges = verified.entries.iter().filter(|entry| entry.kind == EntryKind::Charge);
    let tokens: u32 = charges.map(|entry| serde_json::from_str::<Charge>(&entry.body).unwrap().tokens).sum();
    assert_eq!(tokens, 40);
    assert!(!text.contains("one signature short"), "another's reasons");

    let lines: Vec<&str> = text.lines().collect();
    let fault = |lines: &[&str]| match read(&(lines.join("\n") + "\n")) {
        Err(Error::Extract(fault)) => fault,
        other => panic!("{other:?}"),
    };
    let without = |at: usize| [&lines[..at], &lines[at + 1..]].concat();
    assert_eq!(fault(&without(2)), ExtractFault::Line { line: 3 });
    assert_eq!(fault(&without(lines.len() - 1)), ExtractFault::Entries { found: head.head.size - 1, due: head.head.size });
    assert_eq!(fault(&without(0)), ExtractFault::Line { line: 1 });
    for (at, line) in lines.iter().enumerate() {
        let with = |line: &str| [&lines[..at], &[line], &lines[at + 1..]].concat().join("\n");
        for (from, to) in [("0", "1"), ("5", "6"), ("\"kind\":10", "\"kind\":13")] {
            if line.contains(from) {
                assert!(read(&with(&line.replacen(from, to, 1))).is_err(), "line {at}: {from}");
                assert!(read(&with(&line.replace(from, to))).is_err(), "line {at}: all {from}");
            }
        }
    }
    // A body of the verifier's that is closed, with everything else in order.
    let at = lines.iter().position(|line| line.contains("\"kind\":10")).unwrap();
    let value: serde_json::Value = serde_json::from_str(lines[at]).unwrap();
    let body = value["body"].as_str().unwrap();
    let closed = format!(
        "{{\"body_digest\":\"{}\",\"kind\":10,\"party\":{},\"seq\":{},\"unix_ms\":{}}}",
        hex::encode(Sha256::digest(body)),
        value["party"],
        value["seq"],
        value["unix_ms"]
    );
    let mut changed = lines.clone();
    changed[at] = &closed;
    assert_eq!(fault(&changed), ExtractFault::Closed { seq: at as u64 - 1 });
    let other = |holder, party| Extract::read(&mut text.as_bytes(), &holder, &party);
    assert!(matches!(other([0; 32], VERIFIER), Err(Error::Extract(ExtractFault::Other("holder")))));
    assert!(matches!(other(holder(), OTHER), Err(Error::Extract(ExtractFault::Other("verifier")))));
    let forged = SignedHead { head: LogHead { root: [1; 32], ..head.head }, ..head };
    assert!(ledger.extract(&VERIFIER, &holder(), &forged, key.certificate(), &mut Vec::new()).is_err());
}

/// LED-6: what a crash leaves, the write-ahead log torn anywhere, is an earlier state of the same log.
#[test]
fn a_torn_write_ahead_log_leaves_a_prefix() {
    let (home, mut ledger) = full();
    let whole = ledger.head().unwrap();
    let wal = std::fs::read(home.0.path().join("ledger.sqlite-wal")).unwrap();
    let database = std::fs::read(home.path()).unwrap();
    let mut sizes = std::collections::BTreeSet::new();
    for eighth in 1..=8 {
        let after = Home::new();
        std::fs::write(after.path(), &database).unwrap();
        std::fs::write(after.0.path().join("ledger.sqlite-wal"), &wal[..wal.len() * eighth / 8]).unwrap();
        let mut torn = after.open();
        let report = verified(&torn, &[]);
        assert_eq!(torn.head().unwrap(), report.head);
        let proof = ledger.consistency(report.head.size, whole.size).unwrap();
        assert!(report.head.size == 0 || report.head.is_continued_by(&whole, &proof), "{eighth} eighths");
        sizes.insert(report.head.size);
    }
    assert!(sizes.len() > 2 && sizes.contains(&whole.size), "{sizes:?}");
}

/// Two connections ask for the last of a budget at once: one wins, a thousand times.
#[test]
fn repro_two_requests_race_for_the_last_of_a_budget() {
    const TRIES: u16 = 1_000;
    let home = Home::new();
    let mut ledger = home.open();
    let digest = apply(&mut ledger, 1);
    let caps = Caps {
        window_ms: 1_000,
        window_requests_max: 1,
        window_pairs_max: 1_000,
        window_tokens_max: 1_000,
        epoch_requests_max: 1_000,
        epoch_pairs_max: 1_000,
        epoch_tokens_max: 1_000,
    };
    let party = |round: u16| {
        let mut party = [0x55; 32];
        party[..2].copy_from_slice(&round.to_be_bytes());
        party
    };
    let epoch_id = |round: u16| {
        let mut id = [0x66; 16];
        id[..2].copy_from_slice(&round.to_be_bytes());
        id
    };
    ledger.connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    for round in 0..TRIES {
        let mut entry = epoch(0, Some(party(round)));
        entry.offer.descriptor.epoch_id = epoch_id(round);
        entry.policy = judged(&ledger).policy;
        ledger.begin_epoch(&entry).unwrap();
    }
    let start = std::sync::Barrier::new(2);
    let racer = |racer: u8| {
        let mut ledger = home.open();
        // The race is about the order of transactions, not about the disk.
        ledger.connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
        let mut won = Vec::new();
        for round in 0..TRIES {
            let mut id = [racer; 16];
            id[..2].copy_from_slice(&round.to_be_bytes());
            // By turns a budget of the policy's in requests, in evaluations, and the epoch's own.
            let (caps, most) = match round % 3 {
                0 => (caps, 1_000),
                1 => (Caps { window_requests_max: 9, window_tokens_max: 59, ..caps }, 1_000),
                _ => (Caps { window_requests_max: 9, ..caps }, 59),
            };
            let entry = SessionEntry {
                session_id: id,
                request_id: id,
                verifier: party(round),
                epoch_id: epoch_id(round),
                set_id: [0; 32],
                epoch_evaluations_max: most,
                ..signed(racer, digest, caps)
            };
            start.wait();
            won.push(match ledger.open_session(&entry) {
                Ok(SessionOpening::New) => true,
                Err(LedgerError::BudgetExhausted { .. }) => false,
                other => panic!("{other:?}"),
            });
        }
        won
    };
    let (first, second) = std::thread::scope(|scope| {
        let other = scope.spawn(|| racer(2));
        (racer(1), other.join().unwrap())
    });
    assert!(first.iter().zip(&second).all(|(first, second)| first != second), "exactly one wins");
    assert!(first.iter().any(|won| *won) && second.iter().any(|won| *won), "both win some, or this is no race");
    assert_eq!(ledger.sessions().unwrap().len(), usize::from(TRIES));
}

/// How long verification takes: a million entries, most of them charges, 10,000 heads. Seconds are printed, not judged.
///
/// `cargo test --release -p oblink-store --lib a_million_entries -- --ignored --nocapture`
#[test]
#[ignore = "minutes: it writes a million entries"]
#[allow(clippy::print_stderr, reason = "a measurement")]
fn a_million_entries() {
    const SESSIONS: u32 = 10_000;
    const BATCHES: u64 = 97;
    let (_home, mut ledger) = Home::with_epoch();
    ledger.connection.execute_batch("PRAGMA synchronous = OFF").unwrap();
    let began = std::time::Instant::now();
    for number in 0..SESSIONS {
        let mut id = [7; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let request = oblink_session::request::Request::new(id, 10 * BATCHES, 10, "us-exact-1", [3; 32], 1).unwrap();
        let entry = SessionEntry {
            session_id: id,
            request_id: id,
            request: request.bytes().to_vec(),
            request_digest: request.digest(),
            pairs: 10 * BATCHES,
            tokens: 10 * BATCHES,
            batches: BATCHES,
            epoch_evaluations_max: 1 << 40,
            ..session(1)
        };
        ledger.open_session(&entry).unwrap();
        sign_head(&mut ledger);
        for index in 0..BATCHES {
            let answered = index.checked_sub(1).map(|before| (before, [3; 32])).into_iter().collect();
            ledger.charge(&ChargeEntry { session_id: id, answered, ..batch(1, index, 5) }).unwrap();
        }
        let answered = vec![(BATCHES - 1, [3; 32])];
        ledger.complete(&CompletionEntry { session_id: id, receipt: vec![b' '; 1_500], answered, ..completion(1) }).unwrap();
        ledger.acknowledge(&id, &[8; 64]).unwrap();
    }
    eprintln!("written in {:?}", began.elapsed());
    let began = std::time::Instant::now();
    let report = verified(&ledger, &[]);
    eprintln!("{report:?}\nverified in {:?}", began.elapsed());
    assert_eq!((report.head.size, report.heads), (1 + u64::from(SESSIONS) * (BATCHES + 3), u64::from(SESSIONS)));
    let head = sign_head(&mut ledger);
    let began = std::time::Instant::now();
    let mut extract = Vec::new();
    ledger.extract(&OTHER, &holder(), &head, statement_key().certificate(), &mut extract).unwrap();
    eprintln!("{} bytes of an extract written in {:?}", extract.len(), began.elapsed());
    let began = std::time::Instant::now();
    Extract::read(&mut extract.as_slice(), &holder(), &OTHER).unwrap();
    eprintln!("read in {:?}", began.elapsed());
}
