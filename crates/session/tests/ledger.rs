//! Heads of the holder's ledger on the wire (SPEC HSK-8, LED-2, LED-3): what a verifier takes, and what it calls a lie.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod pair;

use oblink_session::error::{Error, Misbehaviour, RefusalCode};
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::merkle::leaf;
use oblink_session::statement::StatementKind;
use oblink_session::wire::{ReceiptMessage, Welcome};
use pair::{Checked, NOW, Pair};

/// A holder whose ledger has a past, of which the verifier knows `known` entries.
fn with_past(entries: usize, known: u64) -> Pair {
    let mut pair = Pair::new(6, 1, 2);
    (0..entries).for_each(|_| pair.ledger.append("past"));
    let root = oblink_session::ledger::Ledger::root_at(&mut pair.ledger, known).unwrap();
    pair.known = root.map_or(LogHead::NONE, |root| if known == 0 { LogHead::NONE } else { LogHead { size: known, root } });
    pair
}

/// HSK-8: from any known size, through Welcome and the receipt, to what is kept.
#[test]
fn every_known_head_is_continued() {
    for entries in 0..18 {
        for known in 0..=entries as u64 {
            let mut pair = with_past(entries, known);
            let (mut holder, mut verifier) = pair.open();
            let welcomed = verifier.welcomed().unwrap().head;
            assert_eq!(welcomed.size, entries as u64 + 1, "the session's own entry is in it");
            if known > 0 && entries % 5 != 0 {
                continue;
            }
            pair.run_batches(&mut holder, &mut verifier);
            let (kept, finished) = pair.finish(&mut holder, verifier);
            assert_eq!(finished.head().size, welcomed.size + 3, "and the receipt's has all three charges");
            let body = String::from_utf8(kept.body).unwrap();
            assert!(body.contains(&format!("\"ledger_size\":{},", welcomed.size + 3)), "{body}");
            pair.ledger.heads_hold();
            // Next time this one is presented.
            pair.known = *finished.head();
            pair.ledger.sessions.clear();
            pair.open();
        }
    }
}

type Change = fn(&mut Welcome, &Pair);

fn sign(welcome: &mut Welcome, pair: &Pair) {
    let head = LogHead { size: welcome.head_size, root: welcome.head_root };
    welcome.head_signature = SignedHead::sign(&pair.holder.statement_key, &pair.holder.fingerprint, head, welcome.head_unix_ms).signature;
}

/// HSK-8, LED-3: heads that are not signed, not of now, of nothing, or of another log.
#[test]
fn a_welcome_with_a_wrong_head_is_refused() {
    let cases: [(&str, Change); 14] = [
        ("unsigned", |w, _| w.head_signature = [0; 64]),
        ("a bit of the signature", |w, _| w.head_signature[5] ^= 1),
        ("another size than was signed", |w, _| w.head_size += 1),
        ("another root than was signed", |w, _| w.head_root[0] ^= 1),
        ("another time than was signed", |w, _| w.head_unix_ms += 1),
        ("signed for another holder", |w, p| {
            let head = LogHead { size: w.head_size, root: w.head_root };
            w.head_signature = SignedHead::sign(&p.holder.statement_key, &[9; 32], head, w.head_unix_ms).signature;
        }),
        ("signed by the verifier", |w, p| {
            let head = LogHead { size: w.head_size, root: w.head_root };
            w.head_signature = SignedHead::sign(&p.verifier.statement_key, &p.holder.fingerprint, head, w.head_unix_ms).signature;
        }),
        ("signed as a receipt", |w, p| {
            let head = LogHead { size: w.head_size, root: w.head_root };
            let body = oblink_session::head::head_body(&p.holder.fingerprint, &head, w.head_unix_ms);
            w.head_signature = p.holder.statement_key.sign(StatementKind::Receipt, &body);
        }),
        ("of no entries", |w, p| {
            (w.head_size, w.head_root) = (0, [0; 32]);
            w.consistency.clear();
            sign(w, p);
        }),
        ("that does not continue: another root, signed", |w, p| {
            w.head_root[0] ^= 1;
            sign(w, p);
        }),
        ("that does not continue: a log of another past", |w, p| {
            let mut fork = pair::MemoryLedger::default();
            (0..w.head_size).for_each(|i| fork.log.push(leaf(&[i as u8])));
            w.head_root = oblink_session::ledger::Ledger::head(&mut fork).unwrap().root;
            w.consistency = oblink_session::ledger::Ledger::consistency(&mut fork, 5, w.head_size).unwrap();
            sign(w, p);
        }),
        ("shorter than what is known", |w, p| {
            w.head_size = 4;
            sign(w, p);
        }),
        ("without its proof", |w, _| w.consistency.clear()),
        ("with a hash too many", |w, _| w.consistency.push([0; 32])),
    ];
    for (name, change) in cases {
        let mut pair = with_past(7, 5);
        let handshake = pair.handshake();
        let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        change(&mut welcome, &pair);
        let error = handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Statement(_) | Misbehaviour::Ledger(_))), "{name}: {error:?}");
    }
    // Signed, and of another time: a head of yesterday, or of tomorrow.
    for unix_ms in [NOW - 300_001, NOW + 300_001] {
        let mut pair = with_past(7, 5);
        let handshake = pair.handshake();
        let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        welcome.head_unix_ms = unix_ms;
        sign(&mut welcome, &pair);
        assert!(handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).is_err());
    }
    // Nobody who knows no head can be shown a proof of one.
    let mut pair = with_past(7, 0);
    let handshake = pair.handshake();
    let (_, welcome) = pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let mut welcome = Welcome::from_frame(&welcome).unwrap();
    assert!(welcome.consistency.is_empty());
    welcome.consistency.push([0; 32]);
    assert!(handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).is_err());
}

/// HSK-8 at the holder: a ledger put back from yesterday's copy is told so, and opens no session.
#[test]
fn a_holder_with_another_ledger_refuses_itself() {
    let diverged = |change: fn(&mut Pair)| {
        let mut pair = with_past(7, 5);
        change(&mut pair);
        let hello = pair.handshake().hello(NOW).unwrap();
        let error = pair.admit(&hello).unwrap_err();
        let refusal = error.to_refusal().unwrap();
        assert_eq!(refusal.code, RefusalCode::LedgerDiverged);
        assert!(pair.ledger.sessions.is_empty() && pair.ledger.heads.is_empty());
    };
    diverged(|pair| pair.ledger.log.truncate(4));
    diverged(|pair| pair.ledger.log.clear());
    diverged(|pair| pair.ledger.log[2] = [1; 32]);
    diverged(|pair| pair.ledger.log.swap(0, 1));
    diverged(|pair| pair.ledger.log.rotate_left(1));
    diverged(|pair| pair.known.root[31] ^= 1);
    diverged(|pair| pair.known.size = 6);
    diverged(|pair| pair.known.size = u64::MAX);
    // What it does not know of it cannot hold against it: entries after the known ones.
    let mut pair = with_past(7, 5);
    pair.ledger.log.truncate(5);
    pair.open();
}

/// END-3, LED-2: the receipt's head is of Welcome's ledger.
#[test]
fn a_receipt_of_another_ledger_is_refused() {
    type Change = fn(&mut Pair);
    let cases: [(&str, Change); 4] = [
        ("a fork after Welcome", |pair| {
            let last = pair.ledger.log.len() - 4;
            pair.ledger.log[last] = [1; 32];
        }),
        ("a ledger of another past", |pair| pair.ledger.log[0] = [1; 32]),
        ("charges that are gone", |pair| pair.ledger.log[3] = [1; 32]),
        ("a ledger cut to before the session, and grown again", |pair| {
            pair.ledger.log.truncate(3);
            (0..9).for_each(|_| pair.ledger.append("other"));
        }),
    ];
    for (name, change) in cases {
        let mut pair = with_past(7, 5);
        let (mut holder, mut verifier) = pair.open();
        pair.run_batches(&mut holder, &mut verifier);
        let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
        change(&mut pair);
        let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
        let receipt = holder.completed(completed).unwrap();
        let error = awaiting.receive_receipt(&receipt, NOW).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Ledger(_))), "{name}: {error:?}");
    }
    // The proof itself: gone, longer, of a bit less, and a receipt without a ledger.
    type Edit = fn(&mut ReceiptMessage, &Pair);
    let cases: [(&str, Edit); 4] = [
        ("no proof", |r, _| r.consistency.clear()),
        ("a hash too many", |r, _| r.consistency.push([0; 32])),
        ("a bit of it", |r, _| r.consistency[0][0] ^= 1),
        ("no entries", |r, p| {
            let body = String::from_utf8(r.body.clone()).unwrap().replace("\"ledger_size\":11", "\"ledger_size\":0");
            r.body = body.into_bytes();
            r.signature = p.holder.statement_key.sign(StatementKind::Receipt, &r.body);
            r.consistency.clear();
        }),
    ];
    for (name, change) in cases {
        let mut pair = with_past(7, 5);
        let (mut holder, mut verifier) = pair.open();
        pair.run_batches(&mut holder, &mut verifier);
        let (awaiting, complete) = verifier.complete(&Checked(pair.offer.clone())).unwrap();
        let completed = holder.receive_complete(&complete, &mut pair.ledger, NOW).unwrap().commit(&mut pair.ledger).unwrap();
        let mut receipt = ReceiptMessage::from_frame(&holder.completed(completed).unwrap()).unwrap();
        change(&mut receipt, &pair);
        let error = awaiting.receive_receipt(&receipt.to_frame().unwrap(), NOW).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Ledger(_))), "{name}: {error:?}");
    }
}

/// LED-3: what went out under the holder's word was kept, with the time of its Welcome.
#[test]
fn the_heads_that_go_out_are_kept() {
    let mut pair = with_past(3, 2);
    let (_, verifier) = pair.open();
    assert_eq!(pair.ledger.heads, [*verifier.welcomed().unwrap()]);
    assert_eq!(pair.ledger.heads[0].unix_ms, NOW);
}

/// HSK-4: an admission that the ledger broke off after it had reserved kept the reservation until the holder was started again.
#[test]
fn repro_an_admission_that_breaks_off_gives_back_what_it_reserved() {
    let mut pair = Pair::new(4, 1, 4);
    pair.ledger.loses_heads = true;
    let hello = pair.handshake().hello(NOW).unwrap();
    assert!(matches!(pair.admit(&hello), Err(Error::Ledger(_))));
    let opened: Vec<_> = pair.ledger.sessions.values().map(|booked| booked.entry.session_id).collect();
    assert_eq!(opened.len(), 1);
    assert_eq!(pair.ledger.given_back, opened);
}
