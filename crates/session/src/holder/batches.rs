//! One batch at the holder: charge, then evaluate (SPEC BAT-2, BAT-3).

use crate::epoch::EpochKeys;
use crate::error::{Error, Misbehaviour};
use crate::ledger::{ChargeEntry, Ledger};
use crate::wire::{Evaluated, raw};
use oblink_oprf::{Composite, NE};
use rand_core::CryptoRng;
use std::ops::Range;

/// A batch that may be evaluated once it is charged. Not `Clone`: one batch, one charge.
#[derive(Debug)]
pub struct PendingCharge {
    pub(super) entry: ChargeEntry,
    pub(super) epoch_id: [u8; 16],
    pub(super) blinded: Vec<[u8; NE]>,
    /// Whether it was received before.
    pub(super) again: bool,
}

/// A batch whose charge is durable. The only thing that [`EpochKeys`] evaluate for a verifier: owned and `Send`, to be worked on in
/// slices by any number of threads.
#[derive(Debug)]
pub struct Charged {
    session_id: [u8; 16],
    epoch_id: [u8; 16],
    /// Answers that the charge's transaction wrote down with it.
    saved: Vec<u64>,
    index: u64,
    blinded: Vec<[u8; NE]>,
}

/// One slice of a batch, evaluated.
#[derive(Debug)]
pub struct EvaluatedSlice {
    offset: usize,
    elements: Vec<[u8; NE]>,
    composite: Composite,
}

/// A whole batch with its proof, to be handed to [`super::HolderSession::answer`].
#[derive(Debug)]
pub struct EvaluatedBatch {
    pub(super) session_id: [u8; 16],
    pub(super) saved: Vec<u64>,
    pub(super) evaluated_digest: [u8; 32],
    pub(super) answer: Evaluated,
}

impl PendingCharge {
    /// What is to be charged.
    #[must_use]
    pub fn entry(&self) -> &ChargeEntry {
        &self.entry
    }

    /// Whether this batch was received before, in this session or one that it goes on from: then it costs the verifier nothing (SPEC BAT-3),
    /// and a holder may have it wait behind what does.
    #[must_use]
    pub fn is_again(&self) -> bool {
        self.again
    }

    /// Makes the charge durable. The same batch again is free.
    ///
    /// # Errors
    /// [`Error::Ledger`].
    pub fn commit<L: Ledger + ?Sized>(self, ledger: &mut L) -> Result<Charged, Error> {
        ledger.charge(&self.entry)?;
        let saved = self.entry.answered.iter().map(|(index, _)| *index).collect();
        Ok(Charged { session_id: self.entry.session_id, epoch_id: self.epoch_id, saved, index: self.entry.index, blinded: self.blinded })
    }
}

impl Charged {
    /// Tokens in the batch.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blinded.len()
    }

    /// Never true: a batch has at least one token.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.blinded.is_empty()
    }

    /// A charge is for one epoch's key.
    fn fit(&self, keys: &EpochKeys) -> Result<(), Error> {
        if *keys.epoch_id() == self.epoch_id { Ok(()) } else { Err(Error::Internal("the batch was charged to another epoch")) }
    }

    /// Evaluates the elements of a range: one core's work.
    ///
    /// # Errors
    /// [`Misbehaviour::InvalidElement`]: the verifier's element is not canonical, or the identity. [`Error::Internal`] for a range outside the batch.
    pub fn evaluate_slice(&self, keys: &EpochKeys, range: Range<usize>) -> Result<EvaluatedSlice, Error> {
        self.fit(keys)?;
        let offset = range.start;
        let blinded = self.blinded.get(range).ok_or(Error::Internal("slice outside its batch"))?;
        let mut elements = vec![[0; NE]; blinded.len()];
        let composite = keys.pair.blind_evaluate_slice(offset, blinded, &mut elements).map_err(|error| match error {
            oblink_oprf::Error::BlindedElement { position } => Misbehaviour::InvalidElement { index: self.index, position }.into(),
            _ => Error::Internal("a slice cannot be evaluated"),
        })?;
        Ok(EvaluatedSlice { offset, elements, composite })
    }

    /// Puts the slices together, in any order, and proves the batch. The nonce of the proof hedges `rng` (SPEC SUI-3).
    ///
    /// # Errors
    /// [`Error::Internal`] where the slices are not exactly the batch.
    pub fn prove<R: CryptoRng + ?Sized>(
        self,
        keys: &EpochKeys,
        mut slices: Vec<EvaluatedSlice>,
        rng: &mut R,
    ) -> Result<EvaluatedBatch, Error> {
        const GAPS: Error = Error::Internal("the slices are not the batch");
        self.fit(keys)?;
        slices.sort_by_key(|slice| slice.offset);
        let mut evaluated = Vec::with_capacity(self.blinded.len());
        let mut composite: Option<Composite> = None;
        for slice in slices {
            evaluated.extend_from_slice(&slice.elements);
            composite = Some(match composite {
                Some(sum) => sum.merge(slice.composite),
                None => slice.composite,
            });
        }
        let proof = keys.pair.prove_batch(composite.ok_or(GAPS)?, &self.blinded, &evaluated, rng).map_err(|_| GAPS)?;
        Ok(EvaluatedBatch {
            session_id: self.session_id,
            saved: self.saved,
            evaluated_digest: raw::evaluated_digest(self.index, &evaluated),
            answer: Evaluated { index: self.index, evaluated, proof: proof.to_bytes() },
        })
    }
}
