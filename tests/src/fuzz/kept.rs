//! What either side keeps of a session: saved states, and the files of a checkpoint.

use std::path::Path;
use std::sync::Arc;

use oblink_session::blind::BlindSeed;
use oblink_session::error::Error as SessionError;
use oblink_session::head::LogHead;
use oblink_session::holder::HolderSession;
use oblink_session::tag::Tag;
use oblink_session::verifier::{AwaitingReceipt, KeptBatch, VerifierHandshake, VerifierSession};
use oblink_store::Error;
use oblink_store::checkpoint::{Checkpoint, KeptReceipt, KeptSession, Run};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::honest::{Checked, Honest};
use super::input::Input;
use super::memory::MemoryDisk;
use super::parties::{NOW, Parties};

/// The first byte says of what; the rest is a state of any bytes, or changes to one that was saved.
///
/// Held: a state that is read is written as the same bytes; its batches are the request's; what is damaged is said to be damaged. Of a checkpoint's
/// batches come back the first ones appended, whole and in order, as far as the file is what was written; what is appended then is there the next time;
/// a file whose digest does not fit gives nothing.
pub fn kept(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.u8();
    let signed = how & 8 != 0;
    match how % 8 {
        0..=3 => {
            let honest = Honest::get(signed);
            let states = [
                &honest.handshake,
                &honest.verifier_states[0],
                &honest.verifier_states[1],
                &honest.holder_states[0],
                &honest.holder_states[1],
            ];
            let mut state = states[input.choice(states.len())].clone();
            input.edit(&mut state);
            restore(&state, signed, &mut input);
        }
        4 => restore(input.rest(), signed, &mut Input::new(&[])),
        _ => checkpoint(&mut input),
    }
}

/// Whatever is wrong with a saved state, is said to be that.
fn fair<T>(outcome: Result<T, SessionError>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(SessionError::SavedState(_)) => None,
        Err(other) => panic!("a saved state is no reason for: {other}"),
    }
}

fn restore(state: &[u8], signed: bool, input: &mut Input<'_>) {
    let parties = Parties::get();
    let (asked, honest) = (parties.asked(signed), Honest::get(signed));
    let known = LogHead::NONE;
    let handshake = VerifierHandshake::restore(parties.verifier.clone(), parties.holder.fingerprint, asked.question(), known, state);
    if let Some(handshake) = fair(handshake) {
        assert_eq!(handshake.save().unwrap(), state, "one encoding a state");
    }
    if let Some(mut session) = fair(VerifierSession::restore(parties.verifier.clone(), state)) {
        assert_eq!(session.save().unwrap(), state, "one encoding a state");
        let due = session.request().batches();
        assert!(session.verified() <= due);
        while let Some(plan) = session.next_batch() {
            assert!(plan.index() < due && !session.is_verified(plan.index()) && !plan.is_empty());
        }
    }
    match AwaitingReceipt::restore(parties.verifier.clone(), state, &Checked(parties.offer.clone())) {
        // Another session's set.
        Err(SessionError::Internal(_)) => (),
        outcome => {
            if let Some(awaiting) = fair(outcome) {
                assert_eq!(awaiting.save().unwrap(), state, "one encoding a state");
            }
        }
    }
    if let Some(session) = fair(HolderSession::restore(parties.holder.clone(), state)) {
        assert_eq!(session.save().unwrap(), state, "one encoding a state");
        assert!(session.answered() <= session.request().batches());
    }
    // The same state taken up after a new Welcome, with batches that were kept beside it.
    let fresh = honest.handshake(asked.question()).receive_welcome(&honest.welcome, NOW).unwrap();
    let batches: Vec<_> = (0..input.u8() % 4).map(|_| kept_batch(input)).collect();
    match fresh.resume(state, batches) {
        Ok(session) => assert!(session.verified() <= session.request().batches()),
        // A state that says what this Welcome does not: then it is the holder's word against it.
        Err(SessionError::SavedState(_) | SessionError::PeerMisbehaved(_)) => (),
        Err(other) => panic!("a saved state is no reason for: {other}"),
    }
}

/// A batch as a file may have it: of a real place, or of any.
fn kept_batch(input: &mut Input<'_>) -> KeptBatch {
    let index = u64::from(input.u8() % 5);
    let (first_token, tokens) = (index * 2, if index == 2 { 1 } else { 2 });
    match input.u8() % 4 {
        0 => {
            KeptBatch { index: input.u64(), first_token, tokens: u32::from(input.u8()), blinded_digest: [1; 32], evaluated_digest: [2; 32] }
        }
        byte => KeptBatch { index, first_token, tokens, blinded_digest: [byte; 32], evaluated_digest: [input.u8(); 32] },
    }
}

const SESSION: [u8; 16] = [7; 16];
const TAG_BYTES: u8 = 11;

/// Batch `index` with its tags.
fn batch(index: u64) -> (KeptBatch, Vec<Tag>) {
    let digest = |label: u8| Sha256::digest([label, index as u8]).into();
    let tokens = 1 + (index % 3) as u32;
    let kept = KeptBatch { index, first_token: index * 3, tokens, blinded_digest: digest(1), evaluated_digest: digest(2) };
    (kept, (0..tokens).map(|i| Tag(u128::from(index) << 70 | u128::from(i))).collect())
}

fn run_of() -> Run {
    let seed = BlindSeed::from_bytes(Zeroizing::new([9; 32]));
    let digest = |byte| [byte; 32];
    Run {
        request: b"request".to_vec(),
        input_sha256: digest(1),
        options_digest: digest(2),
        ruleset_digest: digest(3),
        verifier: digest(4),
        holder: digest(5),
        seed: Some(seed),
        handshake: b"hello".to_vec(),
    }
}

/// A checkpoint that is written, spoilt in one of its files, and opened again.
fn checkpoint(input: &mut Input<'_>) {
    let disk = MemoryDisk::default();
    let dir = Path::new("/checkpoint");
    let open = || Checkpoint::open(Arc::new(disk.clone()), dir).unwrap();
    let receipt = KeptReceipt { clock_unix_ms: NOW, awaiting: b"awaiting".to_vec(), body: b"receipt".to_vec() };
    let count = u64::from(input.u8() % 6);
    let mut checkpoint = open();
    checkpoint.begin(&run_of()).unwrap();
    checkpoint.keep_session(b"session").unwrap();
    checkpoint.open_batches(&SESSION, TAG_BYTES, |_, _| panic!("there are none yet")).unwrap();
    for index in 0..count {
        let (kept, tags) = batch(index);
        checkpoint.append(&kept, &tags).unwrap();
    }
    checkpoint.sync().unwrap();
    checkpoint.keep_receipt(&receipt).unwrap();
    drop(checkpoint);

    let name = ["run", "session", "receipt", "batches"][input.choice(4)];
    let path = dir.join(name);
    let was = disk.get(&path).unwrap();
    let mut file = was.clone();
    let mend = input.u8() & 1 == 1;
    input.edit(&mut file);
    if mend && name != "batches" && file.len() >= 32 {
        let body = file.len() - 32;
        let (body, digest) = file.split_at_mut(body);
        digest.copy_from_slice(&Sha256::digest(body));
    } else if mend {
        chain(&mut file);
    }
    disk.put(&path, &file);
    let changed = file != was;

    let mut checkpoint = open();
    let same = |run: &Run| {
        run.request == b"request" && run.handshake == b"hello" && run.seed.as_ref().is_some_and(|seed| *seed.to_bytes() == [9; 32])
    };
    match checkpoint.read_run() {
        Ok(run) => assert!(mend || (run.is_some_and(|run| same(&run)) && (name != "run" || !changed))),
        Err(Error::Checkpoint { .. }) => assert!(name == "run" && changed),
        Err(error) => panic!("{error}"),
    }
    match checkpoint.read_session() {
        Ok(KeptSession::Saved(saved)) => assert!(mend || (saved == b"session" && (name != "session" || !changed))),
        Ok(_) | Err(Error::Checkpoint { .. }) => assert!(name == "session" && changed),
        Err(error) => panic!("{error}"),
    }
    match checkpoint.read_receipt().unwrap() {
        Some(kept) => assert!(mend || (kept == receipt && (name != "receipt" || !changed))),
        None => assert!(name == "receipt" && changed),
    }
    let mut found = Vec::new();
    let reopened = match checkpoint.open_batches(&SESSION, TAG_BYTES, |kept, tags| found.push((kept, tags))) {
        Ok(reopened) => reopened,
        Err(Error::Checkpoint { .. }) => return assert!(mend && name == "batches"),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(reopened.batches, found.len() as u64);
    let due: Vec<_> = (0..count).map(batch).collect();
    if !mend || name != "batches" {
        assert!(due.starts_with(&found), "the first ones, as they were");
        assert!(found.len() == due.len() || (name == "batches" && changed));
    }
    let indexes: std::collections::BTreeSet<u64> = found.iter().map(|(kept, _)| kept.index).collect();
    assert_eq!(indexes.len(), found.len(), "each once");
    assert!(found.iter().all(|(kept, tags)| tags.len() as u64 == u64::from(kept.tokens)));

    // It goes on: what is appended now follows what held.
    let next = (0..).find(|index| !indexes.contains(index)).unwrap();
    let (kept, tags) = batch(next);
    checkpoint.append(&kept, &tags).unwrap();
    checkpoint.sync().unwrap();
    drop(checkpoint);
    found.push((kept, tags));
    let mut again = Vec::new();
    let mut checkpoint = open();
    checkpoint.open_batches(&SESSION, TAG_BYTES, |kept, tags| again.push((kept, tags))).unwrap();
    assert!(again == found);
    checkpoint.finish(false).unwrap();
}

/// Makes the digests of `batches` fit, as far as its records can be followed.
fn chain(file: &mut [u8]) {
    const HEADER: usize = 25;
    if file.len() < HEADER + 32 {
        return;
    }
    let mut last: [u8; 32] = Sha256::digest(&file[..HEADER]).into();
    file[HEADER..HEADER + 32].copy_from_slice(&last);
    let mut at = HEADER + 32;
    while let Some(head) = file.get(at..at + 84) {
        let tokens = u32::from_be_bytes(head[16..20].try_into().unwrap()) as usize;
        let end = at + 84 + tokens * usize::from(TAG_BYTES);
        if file.len() < end + 32 {
            return;
        }
        last = Sha256::new().chain_update(last).chain_update(&file[at..end]).finalize().into();
        file[end..end + 32].copy_from_slice(&last);
        at = end + 32;
    }
}
