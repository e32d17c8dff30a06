//! Frames: `length:u32 ‖ type:u8 ‖ body` (SPEC FRM-1).

use super::WireError;
use crate::limits::{BATCH_PATH_MAX, BATCH_TOKENS_MAX, DISCLOSED_TAGS_MAX, SET_CHUNK_BYTES_MAX};
use oblink_oprf::{BATCH_PROOF_LEN, NE};

/// The types of frame (SPEC §5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameType {
    /// Verifier: the request and its signatures.
    Hello = 0x01,
    /// Holder: the session is admitted.
    Welcome = 0x02,
    /// Verifier: the sealed set, from an offset on.
    SetRequest = 0x03,
    /// Holder: bytes of the sealed set.
    SetChunk = 0x04,
    /// Verifier: blinded elements.
    Batch = 0x05,
    /// Holder: evaluated elements and their proof.
    Evaluated = 0x06,
    /// Verifier: every batch is verified; its transcript.
    Complete = 0x07,
    /// Holder: the signed receipt.
    Receipt = 0x08,
    /// Verifier: its signature on the receipt.
    Acknowledge = 0x09,
    /// Holder: the session is over.
    Closed = 0x0a,
    /// Verifier: are you there, and what time is it? (`doctor`)
    Ping = 0x0b,
    /// Holder: the answer.
    Pong = 0x0c,
    /// Either: no, and why.
    Refusal = 0x0f,
    /// Verifier: what matched, where the request agreed to say so.
    Disclosure = 0x10,
    /// Verifier: tags that matched.
    DisclosedTags = 0x11,
}

impl FrameType {
    const ALL: [Self; 15] = [
        Self::Hello,
        Self::Welcome,
        Self::SetRequest,
        Self::SetChunk,
        Self::Batch,
        Self::Evaluated,
        Self::Complete,
        Self::Receipt,
        Self::Acknowledge,
        Self::Closed,
        Self::Ping,
        Self::Pong,
        Self::Refusal,
        Self::Disclosure,
        Self::DisclosedTags,
    ];

    /// The type of a type byte, `None` where there is none.
    #[must_use]
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte)
    }

    /// Most bytes of the body.
    #[must_use]
    pub const fn body_bytes_max(self) -> u32 {
        const BATCH_ELEMENTS: u32 = 12 + BATCH_TOKENS_MAX * NE as u32;
        match self {
            Self::Hello => 393_216,
            Self::Welcome => 4_096,
            Self::SetRequest | Self::Complete | Self::Acknowledge | Self::Disclosure => 256,
            Self::SetChunk => 8 + SET_CHUNK_BYTES_MAX as u32,
            Self::Batch => BATCH_ELEMENTS + 64 + 32 * BATCH_PATH_MAX as u32,
            Self::Evaluated => BATCH_ELEMENTS + BATCH_PROOF_LEN as u32,
            Self::Receipt => 16_384,
            Self::Closed => 0,
            Self::Ping | Self::Pong => 64,
            Self::Refusal => 2_048,
            Self::DisclosedTags => 8 + 16 * DISCLOSED_TAGS_MAX as u32,
        }
    }

    /// The limit of a type byte: what a frame reader asks before it allocates.
    #[must_use]
    pub fn limit_of_byte(byte: u8) -> Option<u32> {
        Self::from_byte(byte).map(Self::body_bytes_max)
    }
}

/// A whole frame. Its body is raw: a decoder of [`super::control`] or [`super::raw`] has yet to look at it.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: FrameType,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl core::fmt::Debug for Frame {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Frame({:?}, {} bytes)", self.kind, self.body.len())
    }
}

/// Bytes before the body.
pub const HEADER_BYTES: usize = 5;

impl Frame {
    /// A frame from a type byte and a body that a transport has read under [`FrameType::limit_of_byte`].
    ///
    /// # Errors
    /// An unknown type, a body over the type's limit.
    pub fn from_parts(kind: u8, body: Vec<u8>) -> Result<Self, WireError> {
        let known = FrameType::from_byte(kind).ok_or(WireError::UnexpectedType { got: kind, due: "a known frame" })?;
        let (length, max) = (body.len() as u64, known.body_bytes_max());
        if length > u64::from(max) {
            return Err(WireError::TooLong { kind, length, max });
        }
        Ok(Self { kind: known, body })
    }

    /// The frame as it travels.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.body.len());
        bytes.extend_from_slice(&(self.body.len() as u32).to_be_bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Reads one frame off the front of `bytes`: the frame and how many bytes it took; `None` while it is not all there.
    ///
    /// # Errors
    /// An unknown type, a declared length over the type's limit: as soon as the five bytes that say so are there.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, WireError> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else { return Ok(None) };
        let [l0, l1, l2, l3, kind] = *header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let known = FrameType::from_byte(kind).ok_or(WireError::UnexpectedType { got: kind, due: "a known frame" })?;
        let max = known.body_bytes_max();
        if length > max {
            return Err(WireError::TooLong { kind, length: u64::from(length), max });
        }
        Ok(rest.get(..length as usize).map(|body| (Self { kind: known, body: body.to_vec() }, HEADER_BYTES + body.len())))
    }
}
