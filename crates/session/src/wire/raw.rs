//! Raw bodies: points never go through a codec (SPEC FRM-3).

use super::{Frame, FrameType, WireError};
use crate::limits::{BATCH_TOKENS_MAX, SET_CHUNK_BYTES_MAX};
use oblink_oprf::{BATCH_PROOF_LEN, NE};
use sha2::{Digest, Sha256};

/// Blinded elements of one batch and the verifier's statement over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Index of the batch in the request.
    pub index: u64,
    /// The elements, undecoded: 1 to 65,535.
    pub blinded: Vec<[u8; NE]>,
    /// Signature by the verifier's statement key (SPEC STM-3).
    pub statement: [u8; 64],
}

/// Evaluated elements of one batch and their proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluated {
    /// Index of the batch in the request.
    pub index: u64,
    /// The elements, undecoded.
    pub evaluated: Vec<[u8; NE]>,
    /// RFC 9497's proof c ‖ s, then the binding proof c ‖ s (SPEC BAT-5, BAT-6).
    pub proof: [u8; BATCH_PROOF_LEN],
}

/// Bytes of the sealed set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetChunk {
    /// Where they belong in the file.
    pub offset: u64,
    /// 1 to 262,144 bytes.
    pub bytes: Vec<u8>,
}

/// Digest of a batch's elements under a label (SPEC BAT-1).
fn elements_digest(label: &[u8], index: u64, elements: &[[u8; NE]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(label);
    hash.update(index.to_be_bytes());
    hash.update((elements.len() as u32).to_be_bytes());
    hash.update(elements.as_flattened());
    hash.finalize().into()
}

/// `blinded_digest` (SPEC BAT-1).
#[must_use]
pub fn blinded_digest(index: u64, elements: &[[u8; NE]]) -> [u8; 32] {
    elements_digest(b"oblink/1/blinded\0", index, elements)
}

/// `evaluated_digest` (SPEC BAT-1): the proof is not part of it.
#[must_use]
pub fn evaluated_digest(index: u64, elements: &[[u8; NE]]) -> [u8; 32] {
    elements_digest(b"oblink/1/evaluated\0", index, elements)
}

fn write_elements(index: u64, elements: &[[u8; NE]], tail: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(12 + elements.len() * NE + tail.len());
    body.extend_from_slice(&index.to_be_bytes());
    body.extend_from_slice(&(elements.len() as u32).to_be_bytes());
    body.extend_from_slice(elements.as_flattened());
    body.extend_from_slice(tail);
    body
}

/// Index, elements and the bytes after them.
type Elements<const TAIL: usize> = (u64, Vec<[u8; NE]>, [u8; TAIL]);

fn read_elements<const TAIL: usize>(body: &[u8], what: &'static str) -> Result<Elements<TAIL>, WireError> {
    let malformed = WireError::Malformed(what);
    let (index, rest) = body.split_first_chunk::<8>().ok_or(malformed)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(malformed)?;
    let (elements, tail) = rest.split_last_chunk::<TAIL>().ok_or(malformed)?;
    let count = u32::from_be_bytes(*count);
    if count == 0 || count > BATCH_TOKENS_MAX {
        return Err(WireError::OutOfBounds(what));
    }
    let (elements, left) = elements.as_chunks::<NE>();
    if !left.is_empty() || elements.len() as u64 != u64::from(count) {
        return Err(malformed);
    }
    Ok((u64::from_be_bytes(*index), elements.to_vec(), *tail))
}

impl Batch {
    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        Frame { kind: FrameType::Batch, body: write_elements(self.index, &self.blinded, &self.statement) }
    }

    /// Decodes the frame. The elements stay undecoded.
    ///
    /// # Errors
    /// Another type; a length that is not exactly what the count demands; a count of 0 or above 65,535.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        frame.expect(FrameType::Batch, "Batch")?;
        let (index, blinded, statement) = read_elements(&frame.body, "Batch")?;
        Ok(Self { index, blinded, statement })
    }
}

impl Evaluated {
    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        Frame { kind: FrameType::Evaluated, body: write_elements(self.index, &self.evaluated, &self.proof) }
    }

    /// Decodes the frame. Elements and proof stay undecoded.
    ///
    /// # Errors
    /// As [`Batch::from_frame`].
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        frame.expect(FrameType::Evaluated, "Evaluated")?;
        let (index, evaluated, proof) = read_elements(&frame.body, "Evaluated")?;
        Ok(Self { index, evaluated, proof })
    }
}

impl SetChunk {
    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let mut body = Vec::with_capacity(8 + self.bytes.len());
        body.extend_from_slice(&self.offset.to_be_bytes());
        body.extend_from_slice(&self.bytes);
        Frame { kind: FrameType::SetChunk, body }
    }

    /// Decodes the frame.
    ///
    /// # Errors
    /// Another type; no bytes, or more than 262,144.
    pub fn from_frame(mut frame: Frame) -> Result<Self, WireError> {
        frame.expect(FrameType::SetChunk, "SetChunk")?;
        let offset = u64::from_be_bytes(*frame.body.first_chunk::<8>().ok_or(WireError::Malformed("SetChunk"))?);
        frame.body.drain(..8);
        if frame.body.is_empty() || frame.body.len() > SET_CHUNK_BYTES_MAX {
            return Err(WireError::OutOfBounds("SetChunk"));
        }
        Ok(Self { offset, bytes: frame.body })
    }
}

impl Frame {
    /// Refuses a frame of another type than the one due.
    pub(crate) fn expect(&self, due: FrameType, name: &'static str) -> Result<(), WireError> {
        if self.kind == due { Ok(()) } else { Err(WireError::UnexpectedType { got: self.kind as u8, due: name }) }
    }
}
