//! Frames on streams (SPEC FRM-1).

use std::sync::Arc;
use std::time::Duration;

use quinn::{RecvStream, SendStream, VarInt};
use tokio::time::{Instant, timeout, timeout_at};

use crate::error::Ends;
use crate::{Error, FRAME_HEADER_BYTES};

/// Bytes of a body for which there is room before they have arrived.
const STEP: usize = 64 << 10;

/// The code with which a frame that was begun and not completed is taken back.
const UNFINISHED: u32 = 1;

/// A frame: its type, and its body.
pub(crate) type Frame = (u8, Vec<u8>);

/// Puts a frame together from bytes as they come, without IO. It makes room by what has arrived, never by what was announced.
#[derive(Default)]
struct Assembler {
    header: [u8; FRAME_HEADER_BYTES],
    head: Option<(u8, usize)>,
    body: Vec<u8>,
    /// Bytes of the frame that have arrived, header included.
    arrived: usize,
}

impl Assembler {
    /// Where the next bytes go. Never empty: a frame that is whole has been handed out.
    fn space(&mut self) -> &mut [u8] {
        let Some((_, length)) = self.head else {
            return self.header.get_mut(self.arrived..).unwrap_or_default();
        };
        let start = self.arrived - FRAME_HEADER_BYTES;
        let end = length.min(start + STEP);
        if self.body.len() < end {
            self.body.resize(end, 0);
        }
        self.body.get_mut(start..end).unwrap_or_default()
    }

    /// Notes that `count` bytes were put into [`Self::space`], and gives the frame if it is whole.
    fn arrived(&mut self, count: usize, limit_of: &impl Fn(u8) -> Option<u32>) -> Result<Option<Frame>, Error> {
        self.arrived += count;
        if self.head.is_none() && self.arrived == FRAME_HEADER_BYTES {
            let [a, b, c, d, kind] = self.header;
            let length = u32::from_be_bytes([a, b, c, d]);
            let limit = limit_of(kind).ok_or(Error::FrameType { kind })?;
            if length > limit {
                return Err(Error::FrameLength { kind, length, limit });
            }
            self.head = Some((kind, length as usize));
        }
        match self.head {
            Some((kind, length)) if self.arrived == FRAME_HEADER_BYTES + length => {
                let mut body = std::mem::take(&mut self.body);
                body.truncate(length);
                *self = Self::default();
                Ok(Some((kind, body)))
            }
            _ => Ok(None),
        }
    }
}

/// The reading half of a stream.
///
/// Dropped before the stream's end, it tells the peer to stop sending.
pub struct FrameReceiver {
    stream: RecvStream,
    ends: Arc<Ends>,
    stall: Duration,
    frame: Assembler,
    /// By when the next [`STEP`] bytes are due, and the count of bytes at which they are complete.
    due: Option<(Instant, usize)>,
}

impl FrameReceiver {
    pub(crate) fn new(stream: RecvStream, ends: Arc<Ends>, stall: Duration) -> Self {
        Self { stream, ends, stall, frame: Assembler::default(), due: None }
    }

    /// Waits for one frame and gives its type and body. `limit_of` says how long a body of each type may be, and `None` for types that are
    /// not due; it is asked once, before there is room for the body.
    ///
    /// There is no limit to the wait for a frame's first byte: a session may be at work for hours. Once a frame has begun, every 64 KiB of
    /// it must arrive within [`crate::Options::stall_timeout`]. Cancel-safe: a call after one that was dropped goes on where that one was.
    /// After an error, the stream is of no further use.
    ///
    /// # Errors
    /// [`Error::FrameType`], [`Error::FrameLength`], [`Error::Truncated`], [`Error::Stalled`]; [`Error::Ended`] when the stream ends before
    /// the frame; [`Error::Abandoned`]; and every way in which a connection ends.
    pub async fn receive(&mut self, limit_of: impl Fn(u8) -> Option<u32>) -> Result<(u8, Vec<u8>), Error> {
        self.receive_or_end(limit_of).await?.ok_or(Error::Ended)
    }

    /// As [`Self::receive`], where the stream may also end: `None`.
    ///
    /// # Errors
    /// As [`Self::receive`], without [`Error::Ended`].
    pub async fn receive_or_end(&mut self, limit_of: impl Fn(u8) -> Option<u32>) -> Result<Option<(u8, Vec<u8>)>, Error> {
        loop {
            let arrived = self.frame.arrived;
            let read = if arrived == 0 {
                self.due = None;
                self.stream.read(self.frame.space()).await
            } else {
                let (by, _) = match self.due {
                    Some(due) if arrived < due.1 => due,
                    _ => *self.due.insert((Instant::now() + self.stall, arrived + STEP)),
                };
                timeout_at(by, self.stream.read(self.frame.space())).await.map_err(|_| Error::Stalled { waited: self.stall })?
            };
            match read.map_err(|error| self.ends.reading(error))? {
                None if arrived == 0 => return Ok(None),
                None => return Err(Error::Truncated { received: arrived }),
                Some(count) => {
                    if let Some(frame) = self.frame.arrived(count, &limit_of)? {
                        return Ok(Some(frame));
                    }
                }
            }
        }
    }

    /// Waits for the end of the stream, after the last frame that was due (SPEC TRN-3).
    ///
    /// # Errors
    /// [`Error::Trailing`] when more bytes come, [`Error::Stalled`] when neither they nor the end do; and every way in which a connection
    /// ends.
    pub async fn expect_end(mut self) -> Result<(), Error> {
        if self.frame.arrived > 0 {
            return Err(Error::Trailing);
        }
        let mut byte = [0u8; 1];
        let read = timeout(self.stall, self.stream.read(&mut byte)).await.map_err(|_| Error::Stalled { waited: self.stall })?;
        match read.map_err(|error| self.ends.reading(error))? {
            None => Ok(()),
            Some(_) => Err(Error::Trailing),
        }
    }

    /// Tells the peer that no more of this stream will be read, with a code of the caller's.
    pub fn stop(mut self, code: u32) {
        // The stream may have ended already; then there is nothing to stop.
        let _ = self.stream.stop(VarInt::from_u32(code));
    }
}

/// The writing half of a stream.
///
/// Dropped between frames, it ends the stream; dropped within one (a `send` that was cancelled), it takes the stream back, so that the peer
/// sees [`Error::Abandoned`] with code 1.
pub struct FrameSender {
    stream: SendStream,
    ends: Arc<Ends>,
    stall: Duration,
    unfinished: bool,
}

impl FrameSender {
    pub(crate) fn new(stream: SendStream, ends: Arc<Ends>, stall: Duration) -> Self {
        Self { stream, ends, stall, unfinished: false }
    }

    /// Writes one frame whose body is `parts` one after the other. Returns when all of it is in the transport's hands, which holds it back
    /// while the peer does not read.
    ///
    /// Not cancel-safe: after a call that was dropped, the stream can only be dropped too.
    ///
    /// # Errors
    /// [`Error::Stalled`] when the peer took nothing for [`crate::Options::stall_timeout`]; [`Error::Abandoned`] when it reads no more of
    /// this stream; [`Error::Misuse`] for a body of 4 GiB and after a call that was dropped; and every way in which a connection ends.
    pub async fn send(&mut self, kind: u8, parts: &[&[u8]]) -> Result<(), Error> {
        if self.unfinished {
            return Err(Error::Misuse { detail: "a frame after one that was left unfinished" });
        }
        let length = parts.iter().try_fold(0u32, |sum, part| sum.checked_add(u32::try_from(part.len()).ok()?));
        let [a, b, c, d] = length.ok_or(Error::Misuse { detail: "a frame of 4 GiB or more" })?.to_be_bytes();
        self.unfinished = true;
        self.write(&[a, b, c, d, kind]).await?;
        for part in parts {
            self.write(part).await?;
        }
        self.unfinished = false;
        Ok(())
    }

    async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Error> {
        while !bytes.is_empty() {
            let written = timeout(self.stall, self.stream.write(bytes)).await.map_err(|_| Error::Stalled { waited: self.stall })?;
            bytes = bytes.get(written.map_err(|error| self.ends.writing(error))?..).unwrap_or_default();
        }
        Ok(())
    }

    /// Ends the stream after the last frame. What was sent still travels as long as the connection stands.
    ///
    /// # Errors
    /// [`Error::Misuse`] when a frame was left unfinished.
    pub fn finish(mut self) -> Result<(), Error> {
        self.end()
    }

    /// As [`Self::finish`], and waits until the peer's transport has everything. To be used before the connection is closed.
    ///
    /// # Errors
    /// [`Error::Misuse`] as there; [`Error::Stalled`], [`Error::Abandoned`]; and every way in which a connection ends.
    pub async fn finish_and_wait(mut self) -> Result<(), Error> {
        self.end()?;
        let stopped = timeout(self.stall, self.stream.stopped()).await.map_err(|_| Error::Stalled { waited: self.stall })?;
        match stopped {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(Error::Abandoned { code: code.into_inner() }),
            Err(quinn::StoppedError::ConnectionLost(error)) => Err(self.ends.classify(error)),
            Err(quinn::StoppedError::ZeroRttRejected) => Err(Error::Misuse { detail: "a write after the end of a stream" }),
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        if self.unfinished {
            return Err(Error::Misuse { detail: "the end of a stream within a frame" });
        }
        self.stream.finish().map_err(|_| Error::Misuse { detail: "a second end of a stream" })
    }

    /// Takes the stream back, with a code of the caller's.
    pub fn reset(mut self, code: u32) {
        // The stream may have ended already; then there is nothing to take back.
        let _ = self.stream.reset(VarInt::from_u32(code));
    }
}

impl Drop for FrameSender {
    fn drop(&mut self) {
        if self.unfinished {
            // Without this the transport would end the stream in order, and the peer would blame the frame, not the one who left.
            let _ = self.stream.reset(VarInt::from_u32(UNFINISHED));
        }
    }
}

impl std::fmt::Debug for FrameSender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameSender").field("stream", &self.stream.id()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for FrameReceiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameReceiver").field("stream", &self.stream.id()).field("arrived", &self.frame.arrived).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(kind: u8) -> Option<u32> {
        match kind {
            1 => Some(10),
            2 => Some(u32::MAX),
            _ => None,
        }
    }

    /// Feeds `bytes` at most `piece` at a time.
    fn feed(assembler: &mut Assembler, mut bytes: &[u8], piece: usize) -> Result<Vec<Frame>, Error> {
        let mut frames = Vec::new();
        while !bytes.is_empty() {
            let space = assembler.space();
            let count = space.len().min(piece).min(bytes.len());
            space[..count].copy_from_slice(&bytes[..count]);
            bytes = &bytes[count..];
            frames.extend(assembler.arrived(count, &limit)?);
        }
        Ok(frames)
    }

    #[test]
    fn frames_come_whole_however_the_bytes_are_cut() {
        let long: Vec<u8> = (0..200_000u32).map(|n| n as u8).collect();
        let mut wire = vec![0, 0, 0, 0, 1, 0, 0, 0, 10, 1];
        wire.extend_from_slice(b"0123456789");
        wire.extend_from_slice(&200_000u32.to_be_bytes());
        wire.push(2);
        wire.extend_from_slice(&long);
        for piece in [1, 2, 4, 5, 6, 7, 1200, STEP - 1, STEP, STEP + 1, usize::MAX] {
            let mut assembler = Assembler::default();
            let frames = feed(&mut assembler, &wire, piece).unwrap();
            assert_eq!(frames, [(1, vec![]), (1, b"0123456789".to_vec()), (2, long.clone())], "pieces of {piece}");
            assert_eq!(assembler.arrived, 0);
        }
    }

    #[test]
    fn a_refused_header_makes_no_room() {
        let mut assembler = Assembler::default();
        assert!(matches!(feed(&mut assembler, &[0, 0, 0, 11, 1], 5), Err(Error::FrameLength { kind: 1, length: 11, limit: 10 })));
        assert_eq!(assembler.body.capacity(), 0);
        let mut assembler = Assembler::default();
        assert!(matches!(feed(&mut assembler, &[0, 0, 0, 0, 9], 1), Err(Error::FrameType { kind: 9 })));
        assert_eq!(assembler.body.capacity(), 0);
    }

    #[test]
    fn room_grows_with_what_arrived_not_with_what_was_announced() {
        let mut assembler = Assembler::default();
        assert!(feed(&mut assembler, &[0xff, 0xff, 0xff, 0xff, 2], 5).unwrap().is_empty());
        for step in 0..40usize {
            let space = assembler.space().len();
            assert!(space <= STEP);
            let received = assembler.arrived;
            assert!(assembler.body.capacity() <= 2 * (received + STEP), "step {step}: {} for {received}", assembler.body.capacity());
            assert!(assembler.arrived(space / 2, &limit).unwrap().is_none());
        }
    }
}
