//! The holder's evaluations: of its own inputs (RFC 9497 §3.3 `Evaluate`) and of blinded elements (§3.3.2 `BlindEvaluate`).

use core::ops::Range;

use zeroize::Zeroizing;

use crate::blind::check_lengths;
use crate::composite::Composite;
use crate::error::{Error, same_count};
use crate::group::{self, Multiplier, Points};
use crate::hash::{self, Hashes};
use crate::keys::KeyPair;
use crate::suite::{Mode, NE, NH};

/// Items whose elements are kept between multiplying and hashing.
const CHUNK: usize = group::CHUNK;

impl KeyPair {
    /// `Evaluate` for a slice in VOPRF mode (RFC 9497 §3.3.1): `outputs[i]` = `F(skS, inputs[i])`, 64 bytes, the same that the
    /// verifier gets from [`crate::finalize_slice`].
    ///
    /// One core's work; constant time in the key and the inputs (but for their lengths); no allocation for each item.
    ///
    /// # Errors
    /// [`Error::Count`] if the slices differ in length; [`Error::InputTooLong`]; [`Error::InvalidInput`].
    /// `outputs` is unspecified after an error.
    pub fn evaluate_slice<I: AsRef<[u8]>>(&self, inputs: &[I], outputs: &mut [[u8; NH]]) -> Result<(), Error> {
        self.evaluate_slice_in(Mode::Voprf, inputs, outputs)
    }

    pub(crate) fn evaluate_slice_in<I: AsRef<[u8]>>(&self, mode: Mode, inputs: &[I], outputs: &mut [[u8; NH]]) -> Result<(), Error> {
        same_count(inputs.len(), outputs.len())?;
        check_lengths(inputs)?;
        let hashes = Hashes::of(mode);
        let mut elements = Zeroizing::new([[0; NE]; CHUNK]);
        for (n, (inputs, outputs)) in inputs.chunks(CHUNK).zip(outputs.chunks_mut(CHUNK)).enumerate() {
            let elements = &mut elements[..inputs.len()];
            let uniform = |range: Range<usize>, bytes: &mut [[u8; NH]]| hashes.to_group_slice(&inputs[range], bytes);
            group::map_mul_encode(uniform, &Multiplier::One(&self.secret().0), elements)
                .map_err(|i| Error::InvalidInput { position: n * CHUNK + i })?;
            hash::finalize_slice(inputs, elements, outputs);
        }
        Ok(())
    }

    /// `BlindEvaluate` for a slice of a batch (RFC 9497 §3.3.2), without its proof: `evaluated[i]` = `skS · blinded[i]`, and the
    /// slice's part of the composite that [`KeyPair::prove`] takes once all slices are merged.
    ///
    /// `offset` is the position of `blinded[0]` in its batch. One core's work; constant time in the key.
    ///
    /// # Errors
    /// [`Error::Count`] if the slices differ in length; [`Error::BatchSize`] if the slice is empty or reaches past the largest batch;
    /// [`Error::BlindedElement`] for the first element that is not canonical or is the identity: nothing is evaluated then.
    pub fn blind_evaluate_slice(&self, offset: usize, blinded: &[[u8; NE]], evaluated: &mut [[u8; NE]]) -> Result<Composite, Error> {
        same_count(blinded.len(), evaluated.len())?;
        let range = crate::composite::slice_range(offset, blinded.len())?;
        let points = self.multiply(offset, blinded, evaluated)?;
        let public = self.public();
        Ok(Composite::of_slice(&public, range, points, blinded, evaluated))
    }

    /// Decodes, multiplies by the key and encodes; gives the decoded points.
    pub(crate) fn multiply(&self, offset: usize, blinded: &[[u8; NE]], evaluated: &mut [[u8; NE]]) -> Result<Points, Error> {
        let points = Points::decode(blinded).map_err(|i| Error::BlindedElement { position: offset + i })?;
        group::mul_encode(&points, &Multiplier::One(&self.secret().0), evaluated);
        Ok(points)
    }
}
