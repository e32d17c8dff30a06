//! Sessions that break off and go on (SPEC §6.7): what each side has when a message is lost, and what the other does about it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod pair;

use oblink_session::error::{Error, Misbehaviour};
use oblink_session::holder::HolderSession;
use oblink_session::tag::Tag;
use oblink_session::verifier::{AwaitingReceipt, Finished, KeptBatch, VerifierHandshake, VerifierSession};
use oblink_session::wire::{Frame, Welcome};
use pair::{Checked, NOW, Pair};
use std::collections::BTreeMap;

/// What a verifier has on its disk.
#[derive(Default)]
struct Kept {
    handshake: Vec<u8>,
    session: Option<Vec<u8>>,
    batches: BTreeMap<u64, (KeptBatch, Vec<Tag>)>,
}

/// Two parties, what the verifier keeps, and what lives of both.
struct World {
    pair: Pair,
    kept: Kept,
}

impl World {
    fn new() -> Self {
        let mut pair = Pair::new(20, 1, 4);
        let handshake = pair.handshake().save().unwrap();
        Self { pair, kept: Kept { handshake, ..Kept::default() } }
    }

    fn handshake(&self) -> VerifierHandshake {
        let pair = &self.pair;
        VerifierHandshake::restore(pair.verifier.clone(), pair.holder.fingerprint, pair.question(), pair.known, &self.kept.handshake)
            .unwrap()
    }

    /// A new connection, of a verifier that has nothing but its disk and a holder that has nothing but its ledger.
    fn connect(&mut self) -> (HolderSession, VerifierSession) {
        let handshake = self.handshake();
        let (holder, welcome) = self.pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let session = handshake.receive_welcome(&welcome, NOW).unwrap();
        self.pair.known = session.welcomed().unwrap().head;
        let session = match &self.kept.session {
            Some(saved) => session.resume(saved, self.kept.batches.values().map(|(kept, _)| *kept).collect()).unwrap(),
            None => {
                self.kept.session = Some(session.save().unwrap());
                session
            }
        };
        (holder, session)
    }

    fn submit(&self, session: &mut VerifierSession) -> Option<(oblink_session::verifier::BlindedBatch, Frame)> {
        let blinded = self.pair.blind(session)?;
        let frame = session.submit(&blinded).unwrap();
        Some((blinded, frame))
    }

    fn one_batch(&mut self, holder: &mut HolderSession, session: &mut VerifierSession) -> bool {
        let Some((blinded, frame)) = self.submit(session) else { return false };
        let answer = self.pair.answer(holder, &frame).unwrap();
        let verified = Pair::verify(session, &answer, blinded).unwrap();
        session.accept(&verified).unwrap();
        self.kept.batches.insert(verified.index(), (verified.kept(), self.pair.tags(&verified)));
        true
    }

    fn all_batches(&mut self, holder: &mut HolderSession, session: &mut VerifierSession) {
        while self.one_batch(holder, session) {}
    }

    fn complete(&mut self, session: VerifierSession) -> (AwaitingReceipt, Frame) {
        let set = Checked(self.pair.offer.clone());
        session.complete(&set).unwrap()
    }

    fn receipt(&mut self, holder: &mut HolderSession, complete: &Frame, clock: u64) -> Frame {
        let completed = holder.receive_complete(complete, &mut self.pair.ledger, clock).unwrap().commit(&mut self.pair.ledger).unwrap();
        holder.completed(completed).unwrap()
    }

    /// To the end over a new connection; then everything is as it would be of a session that nothing broke.
    fn finishes(&mut self) -> Finished {
        let (mut holder, mut session) = self.connect();
        self.all_batches(&mut holder, &mut session);
        let (awaiting, complete) = self.complete(session);
        let receipt = self.receipt(&mut holder, &complete, NOW);
        let (finished, acknowledge) = awaiting.receive_receipt(&receipt, NOW).unwrap();
        let (kept, closed) = holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut self.pair.ledger).unwrap();
        finished.receive_closed(&closed).unwrap();
        assert_eq!(kept, *finished.receipt());
        self.is_exact();
        finished
    }

    fn is_exact(&self) {
        let tags: Vec<Tag> = self.kept.batches.values().flat_map(|(_, tags)| tags.clone()).collect();
        assert!(tags == self.pair.expected_tags(), "the tags are those of the list, each once");
        assert_eq!(self.pair.ledger.charged_tokens, 20, "each batch is charged once");
        self.pair.ledger.heads_hold();
    }
}

/// RES-1, RES-2: whatever is lost, and whoever dies of it, the next connection goes on where the last was.
#[test]
fn nothing_that_is_lost_is_charged_twice_or_missing() {
    // Hello never arrived, or Welcome did not: the holder may have a session or none.
    World::new().finishes();
    let mut world = World::new();
    let hello = world.handshake().hello(NOW).unwrap();
    let id = *world.pair.admit(&hello).unwrap().0.session_id();
    assert_eq!(world.finishes().facts().session_id(), id, "the same Hello finds the session that was opened");

    // After every number of batches: the next one is lost before the charge, or after it; the holder is told of the broken line or dies.
    for answered in 0..5 {
        for charged in [false, true] {
            for told in [false, true] {
                let mut world = World::new();
                let (mut holder, mut session) = world.connect();
                (0..answered).for_each(|_| assert!(world.one_batch(&mut holder, &mut session)));
                let (_, frame) = world.submit(&mut session).unwrap();
                if charged {
                    world.pair.answer(&mut holder, &frame).unwrap();
                }
                if told {
                    holder.suspend(&mut world.pair.ledger, NOW).unwrap();
                }
                drop((holder, session));
                world.finishes();
            }
        }
    }

    // Complete is lost, the receipt is, Acknowledge or Closed.
    for arrived in 0..4 {
        let mut world = World::new();
        let (mut holder, mut session) = world.connect();
        world.all_batches(&mut holder, &mut session);
        let (awaiting, complete) = world.complete(session);
        let mut first = None;
        if arrived > 0 {
            let receipt = world.receipt(&mut holder, &complete, NOW);
            let (finished, acknowledge) = awaiting.receive_receipt(&receipt, NOW).unwrap();
            first = Some(finished.receipt().clone());
            if arrived > 1 {
                holder.receive_acknowledge(&acknowledge).unwrap().commit(&mut world.pair.ledger).unwrap();
            }
            if arrived > 2 {
                holder.suspend(&mut world.pair.ledger, NOW).unwrap();
            }
        }
        let last = world.finishes().receipt().clone();
        assert!(first.is_none_or(|first| first == last), "END-4: the same receipt");
    }
}

/// A verifier that forgot some of its batches asks for them again, free; one that forgot all of them too.
#[test]
fn what_is_not_kept_is_asked_again_for_nothing() {
    for forgotten in 1_u32..32 {
        let mut world = World::new();
        let (mut holder, mut session) = world.connect();
        world.all_batches(&mut holder, &mut session);
        holder.suspend(&mut world.pair.ledger, NOW).unwrap();
        world.kept.batches.retain(|index, _| forgotten & (1 << index) == 0);
        let left = world.kept.batches.len() as u64;
        let (_, session) = world.connect();
        assert_eq!(session.verified(), left);
        assert!((0..5).all(|index| session.is_verified(index) == (forgotten & (1 << index) == 0)));
        world.finishes();
    }
}

/// HSK-5, RES-3: what the holder has no record of is sent again, and is what it was.
#[test]
fn batches_that_the_holder_wants_again_come_out_the_same() {
    let died = || {
        let mut world = World::new();
        let (mut holder, mut session) = world.connect();
        world.all_batches(&mut holder, &mut session);
        // The last answer is on no disk of the holder's, which dies now.
        drop((holder, session));
        let (holder, session) = world.connect();
        assert_eq!(session.verified(), 4);
        assert!(!session.is_verified(4));
        (world, holder, session)
    };
    let (mut world, mut holder, mut session) = died();
    assert!(world.one_batch(&mut holder, &mut session) && !world.one_batch(&mut holder, &mut session));
    world.finishes();

    // Had it been another answer before, one of the two was not evaluated with the epoch's key, and no proof could have held.
    let (mut world, _, _) = died();
    world.kept.batches.get_mut(&4).unwrap().0.evaluated_digest[0] ^= 1;
    let (mut holder, mut session) = world.connect();
    let (blinded, frame) = world.submit(&mut session).unwrap();
    let answer = world.pair.answer(&mut holder, &frame).unwrap();
    let verified = Pair::verify(&session, &answer, blinded).unwrap();
    let error = session.accept(&verified).unwrap_err();
    assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Batch { index: 4, .. })), "{error:?}");
    assert!(!session.is_verified(4));
}

/// A state that was saved before a restart had the old Welcome's head, while the receipt over the new connection proves that it continues the new
/// Welcome's: an honest holder was called a liar.
#[test]
fn repro_a_receipt_over_a_new_connection_is_of_the_new_welcomes_ledger() {
    let mut world = World::new();
    let (mut holder, mut session) = world.connect();
    world.all_batches(&mut holder, &mut session);
    let (awaiting, complete) = world.complete(session);
    let saved = awaiting.save().unwrap();
    holder.suspend(&mut world.pair.ledger, NOW).unwrap();
    (0..3).for_each(|_| world.pair.ledger.append("other business"));

    let handshake = world.handshake();
    let (mut holder, welcome) = world.pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
    let session = handshake.receive_welcome(&welcome, NOW).unwrap().resume(&saved, Vec::new()).unwrap();
    assert_eq!(session.verified(), 5, "the saved state has its batches");
    let (awaiting, again) = world.complete(session);
    assert_eq!(again, complete, "END-1: the same transcript");
    let receipt = world.receipt(&mut holder, &complete, NOW);
    // What was saved before the line broke knows nothing of the new Welcome.
    let stale = AwaitingReceipt::restore(world.pair.verifier.clone(), &saved, &Checked(world.pair.offer.clone())).unwrap();
    assert!(stale.receive_receipt(&receipt, NOW).is_err());
    let saved = awaiting.save().unwrap();
    let (finished, _) = awaiting.receive_receipt(&receipt, NOW).unwrap();
    // What is saved now takes this receipt, as often as it is read.
    let kept = AwaitingReceipt::restore(world.pair.verifier.clone(), &saved, &Checked(world.pair.offer.clone())).unwrap();
    assert_eq!(kept.receive_receipt(&receipt, NOW).unwrap().0.receipt(), finished.receipt());
}

/// The clock of the first Welcome is what a receipt must not be older than, however late the line came back.
#[test]
fn the_first_welcomes_clock_stays() {
    let mut world = World::new();
    let (mut holder, mut session) = world.connect();
    world.all_batches(&mut holder, &mut session);
    let (_, complete) = world.complete(session);
    // The receipt was made and lost, and a day passed.
    world.receipt(&mut holder, &complete, NOW);
    let later = NOW + 86_400_000;
    let handshake = world.handshake();
    let hello = handshake.hello(NOW).unwrap();
    let (mut holder, welcome) = world.pair.admit(&hello).unwrap();
    let mut late = Welcome::from_frame(&welcome).unwrap();
    late.clock_unix_ms = later;
    late.head_unix_ms = later;
    let head = oblink_session::head::LogHead { size: late.head_size, root: late.head_root };
    let context = &world.pair.holder;
    late.head_signature = oblink_session::head::SignedHead::sign(&context.statement_key, &context.fingerprint, head, later).signature;
    let session = handshake.receive_welcome(&late.to_frame().unwrap(), later).unwrap();
    let batches = || world.kept.batches.values().map(|(kept, _)| *kept).collect();
    let session = session.resume(world.kept.session.as_ref().unwrap(), batches()).unwrap();
    let (awaiting, complete) = session.complete(&Checked(world.pair.offer.clone())).unwrap();
    let receipt = world.receipt(&mut holder, &complete, later);
    awaiting.receive_receipt(&receipt, later).unwrap();
}

/// RES-4: what was kept of something else is no part of this session, and a holder that opens another one for the same Hello lies.
#[test]
fn what_was_kept_must_fit() {
    let mut world = World::new();
    let (mut holder, mut session) = world.connect();
    world.one_batch(&mut holder, &mut session);
    holder.suspend(&mut world.pair.ledger, NOW).unwrap();
    let (saved, kept) = (world.kept.session.clone().unwrap(), world.kept.batches[&0].0);
    let welcome_with = |world: &mut World, change: fn(&mut Welcome)| {
        let handshake = world.handshake();
        let (_, welcome) = world.pair.admit(&handshake.hello(NOW).unwrap()).unwrap();
        let mut welcome = Welcome::from_frame(&welcome).unwrap();
        change(&mut welcome);
        handshake.receive_welcome(&welcome.to_frame().unwrap(), NOW).unwrap()
    };
    let fresh = |world: &mut World| welcome_with(world, |_| ());
    assert_eq!(fresh(&mut world).resume(&saved, vec![kept, kept]).unwrap().verified(), 1, "the same batch twice is one batch");

    let lies: [fn(&mut Welcome); 4] = [|w| w.nonce[0] ^= 1, |w| w.set_id[0] ^= 1, |w| w.set_bytes += 1, |w| w.as_of += 1];
    for lie in lies {
        let error = welcome_with(&mut world, lie).resume(&saved, vec![kept]).unwrap_err();
        assert!(matches!(error, Error::PeerMisbehaved(Misbehaviour::Welcome(_))), "{error:?}");
    }

    let wrong: [fn(&mut KeptBatch); 4] = [|k| k.index = 1, |k| k.index = 99, |k| k.first_token = 1, |k| k.tokens = 3];
    for change in wrong {
        let mut other = kept;
        change(&mut other);
        assert!(matches!(fresh(&mut world).resume(&saved, vec![other]), Err(Error::SavedState(_))));
    }
    let other = KeptBatch { evaluated_digest: [0; 32], ..kept };
    assert!(matches!(fresh(&mut world).resume(&saved, vec![kept, other]), Err(Error::SavedState(_))), "two answers to one batch");
    for cut in 0..saved.len() {
        assert!(matches!(fresh(&mut world).resume(&saved[..cut], vec![kept]), Err(Error::SavedState(_))));
    }
    let mut strange = World::new();
    let mut nonce = strange.pair.handshake().save().unwrap();
    std::mem::swap(&mut strange.kept.handshake, &mut nonce);
    let (_, other_session) = strange.connect();
    assert!(matches!(fresh(&mut world).resume(&other_session.save().unwrap(), Vec::new()), Err(Error::SavedState(_))), "another nonce");

    // A session that has begun is not resumed: what is out would be forgotten.
    let (_, mut session) = world.connect();
    world.pair.blind(&mut session).unwrap();
    assert!(matches!(session.resume(&saved, vec![kept]), Err(Error::Internal(_))));
}
