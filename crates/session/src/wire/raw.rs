//! Raw bodies: points never go through a codec (SPEC FRM-3).

use super::{Frame, FrameType, WireError};
use crate::limits::{BATCH_PATH_MAX, BATCH_TOKENS_MAX, DISCLOSED_TAGS_MAX, SET_CHUNK_BYTES_MAX};
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
    /// The inclusion path of the blinded digest under the request's `blinded_root` (SPEC BAT-7); none in an unsigned request.
    pub path: Vec<[u8; 32]>,
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

/// Tags that matched, some of them (SPEC DIS-2).
#[derive(Clone, PartialEq, Eq)]
pub struct DisclosedTags {
    /// How many came before these.
    pub offset: u64,
    /// 1 to 16,384 tags, strictly ascending.
    pub tags: Vec<u128>,
}

impl core::fmt::Debug for DisclosedTags {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "DisclosedTags({} from {})", self.tags.len(), self.offset)
    }
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

/// Index, elements, and the bytes after them: a tail of fixed length, and what is left.
type Elements<'a, const TAIL: usize> = (u64, Vec<[u8; NE]>, [u8; TAIL], &'a [u8]);

fn read_elements<'a, const TAIL: usize>(body: &'a [u8], what: &'static str) -> Result<Elements<'a, TAIL>, WireError> {
    let malformed = WireError::Malformed(what);
    let (index, rest) = body.split_first_chunk::<8>().ok_or(malformed)?;
    let (count, rest) = rest.split_first_chunk::<4>().ok_or(malformed)?;
    let count = u32::from_be_bytes(*count);
    if count == 0 || count > BATCH_TOKENS_MAX {
        return Err(WireError::OutOfBounds(what));
    }
    let (elements, rest) = rest.split_at_checked(count as usize * NE).ok_or(malformed)?;
    let (tail, rest) = rest.split_first_chunk::<TAIL>().ok_or(malformed)?;
    Ok((u64::from_be_bytes(*index), elements.as_chunks::<NE>().0.to_vec(), *tail, rest))
}

impl Batch {
    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let tail = [&self.statement, self.path.as_flattened()].concat();
        Frame { kind: FrameType::Batch, body: write_elements(self.index, &self.blinded, &tail) }
    }

    /// Decodes the frame. The elements stay undecoded.
    ///
    /// # Errors
    /// Another type; a length that is not what the count demands and a path of whole hashes; a count of 0 or above 65,535; a path of more
    /// than 20 hashes.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        frame.expect(FrameType::Batch, "Batch")?;
        let (index, blinded, statement, path) = read_elements(&frame.body, "Batch")?;
        let (path, rest) = path.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(WireError::Malformed("Batch"));
        }
        if path.len() > BATCH_PATH_MAX {
            return Err(WireError::OutOfBounds("Batch"));
        }
        Ok(Self { index, blinded, statement, path: path.to_vec() })
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
    /// Another type; a length that is not exactly what the count demands; a count of 0 or above 65,535.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        frame.expect(FrameType::Evaluated, "Evaluated")?;
        match read_elements(&frame.body, "Evaluated")? {
            (index, evaluated, proof, []) => Ok(Self { index, evaluated, proof }),
            _ => Err(WireError::Malformed("Evaluated")),
        }
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

impl DisclosedTags {
    /// The frame.
    #[must_use]
    pub fn to_frame(&self) -> Frame {
        let mut body = Vec::with_capacity(8 + self.tags.len() * 16);
        body.extend_from_slice(&self.offset.to_be_bytes());
        self.tags.iter().for_each(|tag| body.extend_from_slice(&tag.to_be_bytes()));
        Frame { kind: FrameType::DisclosedTags, body }
    }

    /// Decodes the frame.
    ///
    /// # Errors
    /// Another type; a length that is not of whole tags; no tags, more than 16,384, or tags that do not ascend.
    pub fn from_frame(frame: &Frame) -> Result<Self, WireError> {
        const NAME: &str = "DisclosedTags";
        frame.expect(FrameType::DisclosedTags, NAME)?;
        let (offset, rest) = frame.body.split_first_chunk::<8>().ok_or(WireError::Malformed(NAME))?;
        let (chunks, rest) = rest.as_chunks::<16>();
        if !rest.is_empty() {
            return Err(WireError::Malformed(NAME));
        }
        let tags: Vec<u128> = chunks.iter().map(|bytes| u128::from_be_bytes(*bytes)).collect();
        if tags.is_empty() || tags.len() > DISCLOSED_TAGS_MAX || !tags.is_sorted_by(|a, b| a < b) {
            return Err(WireError::OutOfBounds(NAME));
        }
        Ok(Self { offset: u64::from_be_bytes(*offset), tags })
    }
}

impl Frame {
    /// Refuses a frame of another type than the one due.
    pub(crate) fn expect(&self, due: FrameType, name: &'static str) -> Result<(), WireError> {
        if self.kind == due { Ok(()) } else { Err(WireError::UnexpectedType { got: self.kind as u8, due: name }) }
    }
}
