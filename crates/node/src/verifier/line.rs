//! One request over one connection: batches in flight, the set beside them, the receipt at the end.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use oblink_quic::{Connection, FrameReceiver, FrameSender};
use oblink_session::Error;
use oblink_session::blind::Blinder;
use oblink_session::error::{Misbehaviour, Refusal};
use oblink_session::set::SetOffer;
use oblink_session::verifier::{BatchPlan, Finished, VerifierHandshake, VerifierSession};
use oblink_session::wire::{Frame, FrameType, SetChunk};
use oblink_store::Error as StoreError;
use oblink_store::disk::RealDisk;
use oblink_store::sealed::{ReceivedSet, VerifiedSet, part_path, set_path};
use rayon::prelude::*;
use tokio::task::JoinSet;

use super::heads::KnownHead;
use super::input::List;
use super::progress::Progress;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::frames::{Traffic, receive, receive_end, receive_or_end, send, slices};
use crate::space::{free_bytes, room_for_set};

/// How long the holder may take over any one answer: it may have other sessions, and its ledger writes to a disk.
const ANSWER_WAIT: Duration = Duration::from_secs(300);

/// How long until a set that another check is fetching is looked for again.
const IN_USE_PAUSE: Duration = Duration::from_millis(200);

/// How long the end of the connection may come after that of a stream.
const REASON_WAIT: Duration = Duration::from_secs(1);

/// What a run asks, over however many connections.
pub(super) struct Work {
    pub(super) list: Arc<List>,
    pub(super) blinder: Blinder,
    /// Where the holder's sets are kept.
    pub(super) sets: PathBuf,
    pub(super) traffic: Arc<Traffic>,
    pub(super) progress: Progress,
}

struct Running {
    session: Mutex<VerifierSession>,
    work: Arc<Work>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> u64 {
    unix_ms(SystemTime::now())
}

/// What a session gives, beside the tags, which the run has.
pub(super) struct Answer {
    pub(super) finished: Finished,
    pub(super) set: VerifiedSet,
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Failure> + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(Failure::bug("a task of this session broke off")))
}

pub(super) async fn answer_in_time(from: &mut FrameReceiver, due: FrameType, traffic: &Traffic) -> Result<Frame, Failure> {
    match tokio::time::timeout(ANSWER_WAIT, receive(from, &[due, FrameType::Refusal], traffic)).await {
        Ok(frame) => Ok(frame?),
        Err(_) => Err(no_answer()),
    }
}

/// A stream of the session's. How many there may be is the holder's to say: one that allows none answers nothing.
pub(super) async fn stream_in_time(connection: &Connection) -> Result<(FrameSender, FrameReceiver), Failure> {
    match tokio::time::timeout(ANSWER_WAIT, connection.open_stream()).await {
        Ok(stream) => Ok(stream?),
        Err(_) => Err(no_answer()),
    }
}

fn no_answer() -> Failure {
    Failure::unreachable("no_answer", format!("the holder gave no answer for {} s", ANSWER_WAIT.as_secs())).with_hint("try again")
}

/// What ended a session. A stream that breaks off may be but the first sign of the connection's end, which says why.
pub(super) async fn reason(connection: &Connection, failure: Failure) -> Failure {
    if failure.code() != "transport" {
        return failure;
    }
    tokio::time::timeout(REASON_WAIT, connection.closed()).await.map_or(failure, Failure::from)
}

/// What is still to be said once everything is on this side's disk: the signature on the receipt. Until the holder has it, it answers the same
/// batches again, so that a run that dies before its results are written loses nothing (SPEC BAT-3).
pub(super) struct Farewell {
    to: FrameSender,
    from: FrameReceiver,
    acknowledge: Frame,
    traffic: Arc<Traffic>,
}

/// Runs the session up to the receipt, from where the run is. On failure what was verified, the holder's head and bytes of the set are kept.
pub(super) async fn run(
    connection: &Connection,
    handshake: VerifierHandshake,
    known: &KnownHead,
    work: &Arc<Work>,
) -> Result<(Answer, Farewell), Failure> {
    let traffic = &work.traffic;
    let (mut to, mut from) = stream_in_time(connection).await?;
    work.progress.begin()?;
    send(&mut to, &handshake.hello(now())?, traffic).await?;
    let welcome = answer_in_time(&mut from, FrameType::Welcome, traffic).await?;
    let session = handshake.receive_welcome(&welcome, now())?;
    if let Some(head) = session.welcomed() {
        known.keep_welcomed(head, session.holder_certificate())?;
    }
    check_room(&work.sets, session.offer(), work.progress.is_admitted())?;
    let session = work.progress.admitted(session)?;
    let running = Arc::new(Running { session: Mutex::new(session), work: Arc::clone(work) });

    // A refusal on the control stream ends it, whatever the other streams wait for.
    let done = tokio::select! {
        biased;
        early = receive(&mut from, &[FrameType::Refusal], traffic) => return Err(refused(&early?)),
        done = async { tokio::try_join!(all_batches(connection, &running), fetch_set(connection, &running)) } => done,
    };
    let set = match done {
        Ok(((), set)) => set,
        // A stream that ends too early may be but the first sign of a refusal: the holder lets go of all that it was at.
        Err(failure) if failure.code() == "transport" => {
            let refusal = tokio::time::timeout(REASON_WAIT, receive(&mut from, &[FrameType::Refusal], traffic)).await;
            return Err(if let Ok(Ok(refusal)) = refusal { refused(&refusal) } else { failure });
        }
        Err(failure) => return Err(failure),
    };

    let running = Arc::into_inner(running).ok_or_else(|| Failure::bug("a batch is still under way"))?;
    let session = running.session.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (awaiting, complete) = session.complete(&set)?;
    let (saved, syncing) = (awaiting.save()?, Arc::clone(work));
    blocking(move || syncing.progress.sync()).await?;
    send(&mut to, &complete, traffic).await?;
    let receipt = answer_in_time(&mut from, FrameType::Receipt, traffic).await?;
    let (finished, acknowledge) = awaiting.receive_receipt(&receipt, now())?;
    work.progress.keep_receipt(saved, &receipt, &set)?;
    Ok((Answer { finished, set }, Farewell { to, from, acknowledge, traffic: Arc::clone(traffic) }))
}

/// What a Refusal says.
pub(super) fn refused(refusal: &Frame) -> Failure {
    Refusal::from_frame(refusal).map_or_else(|error| Error::from(error).into(), |refusal| Error::Refused(refusal).into())
}

/// Before anything is asked: what is not here yet of the set must fit the disk.
fn check_room(sets: &Path, offer: &SetOffer, asked_before: bool) -> Result<(), Failure> {
    if set_path(sets, &offer.set_id).exists() {
        return Ok(());
    }
    let here = std::fs::metadata(part_path(sets, &offer.set_id)).map_or(0, |part| part.len());
    // The directory of this holder's sets may not be there yet; the one that it goes into is.
    let home = sets.ancestors().find(|directory| directory.exists()).unwrap_or(sets);
    room_for_set(offer.set_bytes.saturating_sub(here), free_bytes(home)?).map_err(|failure| {
        let asked = if asked_before { "" } else { "nothing was asked; " };
        failure.with_hint(format!("{asked}free some space, or ask the holder's operator whether its set is that large"))
    })
}

impl Farewell {
    /// Acknowledge and Closed. Receipt and results are here already: losing these loses nothing on this side (SPEC END-3).
    pub(super) async fn say(self, finished: &Finished) {
        let Self { mut to, mut from, acknowledge, traffic } = self;
        let goodbye = async {
            send(&mut to, &acknowledge, &traffic).await?;
            let closed = answer_in_time(&mut from, FrameType::Closed, &traffic).await?;
            finished.receive_closed(&closed)?;
            to.finish()?;
            receive_end(from).await?;
            Ok::<(), Failure>(())
        };
        if let Err(failure) = goodbye.await {
            tracing::warn!(what = failure.what(), "the holder did not confirm this side's signature; the receipt holds all the same");
        }
    }
}

/// Keeps as many batches in flight as the holder allows, until none is left.
async fn all_batches(connection: &Connection, running: &Arc<Running>) -> Result<(), Failure> {
    let mut in_flight = JoinSet::new();
    loop {
        while let Some(plan) = { locked(&running.session).next_batch() } {
            in_flight.spawn(one_batch(connection.clone(), Arc::clone(running), plan));
        }
        match in_flight.join_next().await {
            None => return Ok(()),
            Some(Ok(Ok(()))) => {}
            Some(Ok(Err(failure))) => return Err(failure),
            Some(Err(_)) => return Err(Failure::bug("a batch broke off")),
        }
    }
}

/// Blind, send, receive, verify, finalise, keep.
async fn one_batch(connection: Connection, running: Arc<Running>, plan: BatchPlan) -> Result<(), Failure> {
    let traffic = Arc::clone(&running.work.traffic);
    let working = Arc::clone(&running);
    let (blinded, frame) = blocking(move || {
        let (first, blinder) = (plan.first_token(), &working.work.blinder);
        let blind = |range: std::ops::Range<usize>| {
            let tokens = working.work.list.tokens(blinder, first + range.start as u64, range.len())?;
            Ok(plan.blind_slice(blinder, range, &tokens.iter().collect::<Vec<_>>())?)
        };
        let slices = slices(plan.len()).into_par_iter().map(blind).collect::<Result<Vec<_>, Failure>>()?;
        let blinded = plan.assemble(slices)?;
        let frame = locked(&working.session).submit(&blinded)?;
        Ok((blinded, frame))
    })
    .await?;
    let (mut to, mut from) = stream_in_time(&connection).await?;
    send(&mut to, &frame, &traffic).await?;
    to.finish()?;
    drop(frame);
    let answer = answer_in_time(&mut from, FrameType::Evaluated, &traffic).await?;
    receive_end(from).await?;
    blocking(move || {
        let unverified = locked(&running.session).receive_evaluated(&answer, blinded)?;
        drop(answer);
        let checks =
            slices(unverified.len()).into_par_iter().map(|range| unverified.check_slice(range)).collect::<Result<Vec<_>, Error>>()?;
        let verified = unverified.verify(checks)?;
        let first = verified.first_token();
        let ranges: Vec<_> = verified.slices().enumerate().collect();
        let finalise = |(slice, range): (usize, std::ops::Range<usize>)| {
            let tokens = running.work.list.tokens(&running.work.blinder, first + range.start as u64, range.len())?;
            Ok(verified.tags(slice, &tokens.iter().collect::<Vec<_>>())?)
        };
        let tags = ranges.into_par_iter().map(finalise).collect::<Result<Vec<_>, Failure>>()?;
        // First: an answer that is another one than before is not kept.
        locked(&running.session).accept(&verified)?;
        running.work.progress.book(verified.kept(), &tags.concat())
    })
    .await
}

/// The sealed set: from an earlier session of this epoch if it is here and whole, else from the holder (SPEC SET-7).
async fn fetch_set(connection: &Connection, running: &Arc<Running>) -> Result<VerifiedSet, Failure> {
    let offer = locked(&running.session).offer().clone();
    let sets = &running.work.sets;
    let mut again = false;
    loop {
        let (dir, kept) = (sets.to_owned(), offer.clone());
        let open = move || match VerifiedSet::open(&RealDisk, &set_path(&dir, &kept.set_id), &kept) {
            Err(error @ StoreError::Exposed { .. }) => Err(error.into()),
            opened => Ok(opened.ok()),
        };
        let cached = blocking(open).await?;
        if let Some(set) = cached {
            return Ok(set);
        }
        let (dir, wanted) = (sets.to_owned(), offer.clone());
        let receiving = match blocking(move || Ok(ReceivedSet::begin(Arc::new(RealDisk), &dir, &wanted))).await? {
            // Another check of this home is fetching it: then it will be here, or that check ends and leaves what it has.
            Err(StoreError::InUse { .. }) => {
                tokio::time::sleep(IN_USE_PAUSE).await;
                continue;
            }
            begun => begun?,
        };
        let receiving = receive_set(connection, running, receiving).await?;
        match blocking(move || Ok(receiving.verify())).await? {
            // What an earlier run had received was damaged on this disk. It is gone now, so that the second time can only succeed or be the
            // holder's fault.
            Err(StoreError::Corrupt { .. }) if !again => {
                again = true;
                tracing::warn!("what an earlier run received of the sealed set was damaged on this disk; fetching it again from the start");
            }
            verified => return Ok(verified?),
        }
    }
}

/// Asks for what is missing of the set, until it is complete; what arrives stays on the disk for the next try.
async fn receive_set(connection: &Connection, running: &Arc<Running>, mut receiving: ReceivedSet) -> Result<ReceivedSet, Failure> {
    if !receiving.is_complete() {
        let request = locked(&running.session).request_set(receiving.length())?;
        let (mut to, mut from) = stream_in_time(connection).await?;
        send(&mut to, &request, &running.work.traffic).await?;
        to.finish()?;
        loop {
            let due = [FrameType::SetChunk, FrameType::Refusal];
            let next = tokio::time::timeout(ANSWER_WAIT, receive_or_end(&mut from, &due, &running.work.traffic)).await;
            let Some(frame) = next.map_err(|_| no_answer())?? else { break };
            if frame.kind == FrameType::Refusal {
                return Err(refused(&frame));
            }
            let chunk = SetChunk::from_frame(frame).map_err(Error::from)?;
            receiving = blocking(move || {
                receiving.append(chunk.offset, &chunk.bytes)?;
                Ok(receiving)
            })
            .await?;
            running.work.progress.touch();
        }
        if !receiving.is_complete() {
            return Err(Error::PeerMisbehaved(Misbehaviour::Set("it ended before it was whole")).into());
        }
    }
    Ok(receiving)
}
