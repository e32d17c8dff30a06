//! Session frames on transport streams, and how many bytes they came to.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use oblink_quic::{Error, FrameReceiver, FrameSender};
use oblink_session::wire::frame::HEADER_BYTES;
use oblink_session::wire::{Frame, FrameType};

use crate::pipeline::cores;

/// Bytes of frames of one session, headers included; those of the sealed set apart.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    sent: AtomicU64,
    received: AtomicU64,
    set: AtomicU64,
}

/// The counts of a [`Traffic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) set: u64,
}

impl Traffic {
    fn count(&self, kind: FrameType, body: usize, direction: &AtomicU64) {
        let counter = if kind == FrameType::SetChunk { &self.set } else { direction };
        counter.fetch_add((HEADER_BYTES + body) as u64, Ordering::Relaxed);
    }

    pub(crate) fn totals(&self) -> Totals {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Totals { sent: get(&self.sent), received: get(&self.received), set: get(&self.set) }
    }
}

/// Sends one frame.
pub(crate) async fn send(to: &mut FrameSender, frame: &Frame, traffic: &Traffic) -> Result<(), Error> {
    to.send(frame.kind as u8, &[&frame.body]).await?;
    traffic.count(frame.kind, frame.body.len(), &traffic.sent);
    Ok(())
}

/// Receives one frame of one of the types that are due; any other is refused before there is room for it (SPEC FRM-1).
pub(crate) async fn receive(from: &mut FrameReceiver, due: &[FrameType], traffic: &Traffic) -> Result<Frame, Error> {
    let (kind, body) = from.receive(|byte| limit(byte, due)).await?;
    framed(kind, body, traffic)
}

/// As [`receive`]; `None` where the stream ends instead.
pub(crate) async fn receive_or_end(from: &mut FrameReceiver, due: &[FrameType], traffic: &Traffic) -> Result<Option<Frame>, Error> {
    match from.receive_or_end(|byte| limit(byte, due)).await? {
        Some((kind, body)) => framed(kind, body, traffic).map(Some),
        None => Ok(None),
    }
}

/// Refuses bytes after the last frame due (SPEC TRN-3).
pub(crate) async fn receive_end(from: FrameReceiver) -> Result<(), Error> {
    from.expect_end().await
}

fn limit(byte: u8, due: &[FrameType]) -> Option<u32> {
    FrameType::from_byte(byte).filter(|kind| due.contains(kind)).map(FrameType::body_bytes_max)
}

fn framed(kind: u8, body: Vec<u8>, traffic: &Traffic) -> Result<Frame, Error> {
    let frame = Frame::from_parts(kind, body).map_err(|_| Error::FrameType { kind })?;
    traffic.count(frame.kind, frame.body.len(), &traffic.received);
    Ok(frame)
}

/// The most items of one core's work.
const SLICE_MAX: usize = 4_096;
/// The least worth a core's while.
const SLICE_MIN: usize = 256;

/// A batch cut into slices for all cores: as many of equal size as there are cores, or more where they would be large.
pub(crate) fn slices(len: usize) -> Vec<Range<usize>> {
    let size = len.div_ceil(cores()).clamp(SLICE_MIN, SLICE_MAX);
    (0..len).step_by(size).map(|start| start..len.min(start + size)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_cover_a_batch_exactly() {
        for len in [1, 255, 256, 257, 4_096, 8_192, 8_193, 65_535] {
            let slices = slices(len);
            assert_eq!(slices.first().unwrap().start, 0);
            assert_eq!(slices.last().unwrap().end, len);
            assert!(slices.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(slices.iter().all(|slice| !slice.is_empty() && slice.len() <= SLICE_MAX));
        }
    }
}
