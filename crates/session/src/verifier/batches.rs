//! One batch at the verifier: blind, send, verify, and only then finalise (SPEC BLD-1, BLD-3, BAT-5, UNB-1).
//!
//! Blinding is additive: its finalisation takes nothing but a batch both of whose proofs hold (SPEC UNB-2).
//!
//! Every value here is owned and `Send`; work on a batch is done in slices, on any number of threads, in any order.

use crate::blind::Blinder;
use crate::error::{Error, Misbehaviour};
use crate::tag::{Tag, TagPrefix, Tau};
use crate::wire::raw;
use oblink_oprf::additive::{self, PreparedPublicKey};
use oblink_oprf::{BATCH_PROOF_LEN, BatchProof, Blind, BoundBatch, DecodedElements, NE, VerifierComposite, verify_batch, verify_slice};
use std::ops::Range;
use std::sync::Arc;

const SLICES: Error = Error::Internal("the slices are not the batch");

/// A batch to be made: which tokens it holds.
#[derive(Debug)]
pub struct BatchPlan {
    pub(super) session_id: [u8; 16],
    pub(super) index: u64,
    pub(super) first_token: u64,
    pub(super) tokens: u32,
}

/// One slice of a batch, blinded.
#[derive(Debug)]
pub struct BlindedSlice {
    offset: usize,
    blinds: Vec<Blind>,
    elements: Vec<[u8; NE]>,
}

/// A batch ready to be sent; keeps its blinds for later.
#[derive(Debug)]
pub struct BlindedBatch {
    pub(super) plan: BatchPlan,
    blinds: Vec<Blind>,
    pub(super) elements: Vec<[u8; NE]>,
    pub(super) blinded_digest: [u8; 32],
}

/// A batch with the holder's answer, before its proof is checked. Nothing can be read out of it.
#[derive(Debug)]
pub struct UnverifiedBatch {
    pub(super) blinded: BlindedBatch,
    pub(super) evaluated: Vec<[u8; NE]>,
    pub(super) proof: [u8; BATCH_PROOF_LEN],
    pub(super) key: Arc<PreparedPublicKey>,
    pub(super) tau: Tau,
}

/// One slice of an answer: decoded, and its part of the proof's composites.
#[derive(Debug)]
pub struct SliceCheck {
    composite: VerifierComposite,
    decoded: DecodedElements,
}

/// A batch whose proof holds: its tags may be taken.
#[derive(Debug)]
pub struct VerifiedBatch {
    pub(super) session_id: [u8; 16],
    pub(super) index: u64,
    pub(super) blinded_digest: [u8; 32],
    pub(super) evaluated_digest: [u8; 32],
    pub(super) first_token: u64,
    pub(super) tokens: u32,
    blinds: Vec<Blind>,
    slices: Vec<DecodedElements>,
    bound: BoundBatch,
    key: Arc<PreparedPublicKey>,
    tau: Tau,
}

impl BatchPlan {
    /// The batch's index.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Index of its first token in the request.
    #[must_use]
    pub fn first_token(&self) -> u64 {
        self.first_token
    }

    /// Tokens in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tokens as usize
    }

    /// Never true: a batch has at least one token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tokens == 0
    }

    /// Blinds the tokens of a range of the batch: one core's work. `tokens` are exactly the range's.
    ///
    /// # Errors
    /// [`Error::Internal`] where they are not.
    pub fn blind_slice(&self, blinder: &Blinder, range: Range<usize>, tokens: &[&[u8]]) -> Result<BlindedSlice, Error> {
        if range.len() != tokens.len() || range.end > self.len() {
            return Err(SLICES);
        }
        let first = self.first_token + range.start as u64;
        let blinds = blinder.blinds(first, tokens);
        let mut elements = vec![[0; NE]; tokens.len()];
        additive::blind_slice(tokens, &blinds, &mut elements).map_err(|_| Error::Internal("a token cannot be blinded"))?;
        Ok(BlindedSlice { offset: range.start, blinds, elements })
    }

    /// Puts the slices together, in any order.
    ///
    /// # Errors
    /// [`Error::Internal`] where they are not exactly the batch.
    pub fn assemble(self, mut slices: Vec<BlindedSlice>) -> Result<BlindedBatch, Error> {
        slices.sort_by_key(|slice| slice.offset);
        let (mut blinds, mut elements) = (Vec::with_capacity(self.len()), Vec::with_capacity(self.len()));
        for slice in slices {
            if slice.offset != elements.len() {
                return Err(SLICES);
            }
            blinds.extend(slice.blinds);
            elements.extend(slice.elements);
        }
        if elements.len() != self.len() {
            return Err(SLICES);
        }
        let blinded_digest = raw::blinded_digest(self.index, &elements);
        Ok(BlindedBatch { plan: self, blinds, elements, blinded_digest })
    }
}

impl BlindedBatch {
    /// The batch's index.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.plan.index
    }
}

impl UnverifiedBatch {
    /// Elements in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.evaluated.len()
    }

    /// Never true: a batch has at least one element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.evaluated.is_empty()
    }

    /// Decodes the elements of a range and sums up its part of the proof's composites: one core's work.
    ///
    /// # Errors
    /// [`Misbehaviour::InvalidElement`]: not canonical, or the identity. [`Error::Internal`] for a range outside the batch.
    pub fn check_slice(&self, range: Range<usize>) -> Result<SliceCheck, Error> {
        let offset = range.start;
        let (Some(blinded), Some(evaluated)) = (self.blinded.elements.get(range.clone()), self.evaluated.get(range)) else {
            return Err(SLICES);
        };
        let (composite, decoded) = verify_slice(&self.key.public(), offset, blinded, evaluated).map_err(|error| match error {
            oblink_oprf::Error::EvaluatedElement { position } => {
                Misbehaviour::InvalidElement { index: self.blinded.plan.index, position }.into()
            }
            _ => SLICES,
        })?;
        Ok(SliceCheck { composite, decoded })
    }

    /// Checks both proofs over the whole batch (SPEC BAT-5, BAT-6).
    ///
    /// # Errors
    /// [`Misbehaviour::Proof`]; [`Error::Internal`] where the slices are not exactly the batch.
    pub fn verify(self, checks: Vec<SliceCheck>) -> Result<VerifiedBatch, Error> {
        let index = self.blinded.plan.index;
        let proof = BatchProof::from_bytes(&self.proof).map_err(|_| Misbehaviour::Proof { index })?;
        let mut composite: Option<VerifierComposite> = None;
        let mut slices = Vec::with_capacity(checks.len());
        for check in checks {
            slices.push(check.decoded);
            composite = Some(match composite {
                Some(sum) => sum.merge(check.composite),
                None => check.composite,
            });
        }
        let decoded: Vec<&DecodedElements> = slices.iter().collect();
        let composite = composite.ok_or(SLICES)?;
        let checked = verify_batch(&self.key.public(), composite, &decoded, &self.blinded.elements, &self.evaluated, &proof);
        let bound = checked.map_err(|error| match error {
            oblink_oprf::Error::Proof => Misbehaviour::Proof { index }.into(),
            _ => SLICES,
        })?;
        if bound.count() != self.evaluated.len() {
            return Err(SLICES);
        }
        let evaluated_digest = raw::evaluated_digest(index, &self.evaluated);
        slices.sort_by_key(DecodedElements::offset);
        Ok(VerifiedBatch {
            session_id: self.blinded.plan.session_id,
            index,
            blinded_digest: self.blinded.blinded_digest,
            evaluated_digest,
            first_token: self.blinded.plan.first_token,
            tokens: self.blinded.plan.tokens,
            blinds: self.blinded.blinds,
            slices,
            bound,
            key: self.key,
            tau: self.tau,
        })
    }
}

impl VerifiedBatch {
    /// The batch's index.
    #[must_use]
    pub fn index(&self) -> u64 {
        self.index
    }

    /// Index of its first token in the request.
    #[must_use]
    pub fn first_token(&self) -> u64 {
        self.first_token
    }

    /// The slices it was checked in: their ranges in the batch, ascending.
    pub fn slices(&self) -> impl ExactSizeIterator<Item = Range<usize>> + '_ {
        self.slices.iter().map(|slice| slice.offset()..slice.offset() + slice.len())
    }

    /// Unblinds slice number `slice` and gives its tags: one core's work. `tokens` are the range's, the same that were blinded.
    ///
    /// # Errors
    /// [`Error::Internal`] where they are not as many, or there is no such slice.
    pub fn tags(&self, slice: usize, tokens: &[&[u8]]) -> Result<Vec<Tag>, Error> {
        let decoded = self.slices.get(slice).ok_or(SLICES)?;
        let blinds = self.blinds.get(decoded.offset()..decoded.offset() + decoded.len()).ok_or(SLICES)?;
        if tokens.len() != decoded.len() {
            return Err(SLICES);
        }
        let mut outputs = zeroize::Zeroizing::new(vec![[0; 64]; decoded.len()]);
        additive::finalize_slice(&self.bound, &self.key, tokens, blinds, decoded, &mut outputs).map_err(|_| SLICES)?;
        Ok(outputs.iter().map(|output| self.tau.truncate(TagPrefix::of_output(output))).collect())
    }
}
