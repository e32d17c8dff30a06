//! The streams beside control: batches, and the set. Work is done in a place of the verifier's share, and no place is held while a line is waited
//! for.

use std::sync::Arc;
use std::time::Instant;

use oblink_quic::{FrameReceiver, FrameSender};
use oblink_session::error::{Error, RefusalCode};
use oblink_session::holder::Charged;
use oblink_session::limits::SET_CHUNK_BYTES_MAX;
use oblink_session::wire::{Frame, FrameType, SetChunk};
use rand::rand_core::UnwrapErr;
use rand::rngs::SysRng;
use rayon::prelude::*;
use tokio::sync::SemaphorePermit;

use super::serve::now;
use super::sessions::{End, Running, blocking, refuse, send_refusal};
use crate::failure::Failure;
use crate::frames::{receive, receive_end, send, slices};

/// A stream beside control: one batch, or the set.
pub(super) async fn side_stream(session: Arc<Running>, mut to: FrameSender, mut from: FrameReceiver) -> Result<(), End> {
    let answered = async {
        let frame = receive(&mut from, &[FrameType::Batch, FrameType::SetRequest], &session.traffic).await?;
        receive_end(from).await?;
        if frame.kind == FrameType::SetRequest {
            return deliver(&session, &frame, &mut to).await;
        }
        let answer = answer(&session, frame).await?;
        send(&mut to, &answer, &session.traffic).await?;
        Ok(())
    }
    .await;
    if let Err(end) = answered {
        send_refusal(&mut to, &end, &session.traffic).await;
        return Err(end);
    }
    to.finish()?;
    Ok(())
}

/// A place to work in: of this verifier's share, and of all. Taken when what is to be worked on is here and given back before the answer goes out,
/// so that a line that is slow, or made slow, holds up nobody else.
async fn work(session: &Running) -> Result<(SemaphorePermit<'_>, SemaphorePermit<'_>), End> {
    let own = session.guest.work.acquire().await.map_err(|_| End::Stopping)?;
    let all = session.shared.work.acquire().await.map_err(|_| End::Stopping)?;
    Ok((own, all))
}

/// Charge, durably; then evaluate on all cores; then answer.
async fn answer(session: &Arc<Running>, frame: Frame) -> Result<Frame, End> {
    let mut place = work(session).await?;
    let charging = Arc::clone(session);
    let (again, charged, charge_s) = blocking(move || {
        let pending = charging.session().receive_batch(&frame, now())?;
        let (again, began) = (pending.is_again(), Instant::now());
        let charged = pending.commit(&mut *charging.shared.ledger())?;
        Ok((again, charged, began.elapsed().as_secs_f64()))
    })
    .await?;
    // What costs the verifier nothing is done one after the other, behind what it has paid for.
    let _turn = if again {
        drop(place);
        let turn = session.guest.again.acquire().await.map_err(|_| End::Stopping)?;
        place = work(session).await?;
        Some(turn)
    } else {
        None
    };
    let working = Arc::clone(session);
    let answered = blocking(move || evaluate(&working, charged, charge_s)).await;
    drop(place);
    answered
}

fn evaluate(running: &Running, charged: Charged, charge_s: f64) -> Result<Frame, End> {
    let (tokens, began) = (charged.len() as u64, Instant::now());
    let keys = &running.epoch.keys;
    let evaluated =
        slices(charged.len()).into_par_iter().map(|range| charged.evaluate_slice(keys, range)).collect::<Result<Vec<_>, Error>>()?;
    let proved = charged.prove(keys, evaluated, &mut UnwrapErr(SysRng))?;
    running.counts.evaluated(tokens, charge_s, began.elapsed().as_secs_f64());
    Ok(running.session().answer(proved)?)
}

/// Streams the sealed set from the offset asked for, and books the delivery.
async fn deliver(running: &Arc<Running>, frame: &Frame, to: &mut FrameSender) -> Result<(), End> {
    let mut offset = running.session().receive_set_request(frame)?;
    let Ok(_alone) = running.delivering.try_acquire() else {
        return Err(refuse(RefusalCode::OutOfTurn, "the set is on its way already"));
    };
    let (set_id, set_bytes) = {
        let offer = running.epoch.set.offer();
        (offer.set_id, offer.set_bytes)
    };
    // Booked before it leaves, whole: what a broken line makes of it, nobody can prove.
    let booked = Arc::clone(running);
    let bytes = set_bytes - offset;
    blocking(move || {
        let session_id = *booked.session().session_id();
        booked.shared.ledger().record_delivery(&session_id, &set_id, bytes, now()).map_err(End::of_ledger)?;
        Ok(())
    })
    .await?;
    while offset < set_bytes {
        let reading = Arc::clone(running);
        let place = work(running).await?;
        let chunk = blocking(move || {
            let mut bytes = vec![0; SET_CHUNK_BYTES_MAX];
            let read = reading.epoch.set.read_at(offset, &mut bytes).map_err(Failure::from)?;
            bytes.truncate(read);
            Ok(SetChunk { offset, bytes })
        })
        .await?;
        drop(place);
        offset += chunk.bytes.len() as u64;
        send(to, &chunk.to_frame(), &running.traffic).await?;
        running.counts.delivered(chunk.bytes.len() as u64);
    }
    Ok(())
}
