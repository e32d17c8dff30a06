//! The verifier's blinding (RFC 9497 §3.3.1 `Blind`).

use core::fmt;
use core::ops::Range;

use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::{Error, same_count};
use crate::group::{self, Multiplier};
use crate::hash::Hashes;
use crate::suite::{INPUT_MAX, Mode, NE, NH};

/// A blind: the non-zero secret scalar that hides one input. Wiped when dropped; prints nothing; cannot be cloned or compared.
///
/// One blind hides one input. The same blind on two inputs shows the holder the quotient of their hashes.
#[repr(transparent)]
pub struct Blind(pub(crate) Scalar);

impl Blind {
    /// Reduces 64 uniform secret bytes modulo the group order: at most 2^-259 from uniform. `None` if that gives zero
    /// (probability 2^-252): the caller takes other bytes.
    #[must_use]
    pub fn from_uniform_bytes(bytes: &[u8; 64]) -> Option<Self> {
        Some(Scalar::from_bytes_mod_order_wide(bytes)).filter(|scalar| *scalar != Scalar::ZERO).map(Self)
    }

    /// A fresh uniform blind (RFC 9497 §2.1 `RandomScalar`).
    pub fn random<R: CryptoRng + ?Sized>(rng: &mut R) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 64]);
            rng.fill_bytes(&mut *bytes);
            if let Some(blind) = Self::from_uniform_bytes(&bytes) {
                return blind;
            }
        }
    }
}

impl fmt::Debug for Blind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blind(redacted)")
    }
}

impl Drop for Blind {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Blind {}

/// `Blind` for a slice in VOPRF mode (RFC 9497 §3.3.1, §3.3.2): `out[i]` = `blinds[i] · HashToGroup(inputs[i])`, serialised.
///
/// One core's work; constant time in blinds and inputs (but for the inputs' lengths).
///
/// # Errors
/// [`Error::Count`] if the slices differ in length; [`Error::InputTooLong`]; [`Error::InvalidInput`].
/// `out` is unspecified after an error.
pub fn blind_slice<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Blind], out: &mut [[u8; NE]]) -> Result<(), Error> {
    blind_slice_in(Mode::Voprf, inputs, blinds, out)
}

pub(crate) fn blind_slice_in<I: AsRef<[u8]>>(mode: Mode, inputs: &[I], blinds: &[Blind], out: &mut [[u8; NE]]) -> Result<(), Error> {
    same_count(inputs.len(), blinds.len())?;
    same_count(inputs.len(), out.len())?;
    check_lengths(inputs)?;
    let hashes = Hashes::of(mode);
    let uniform = |range: Range<usize>, bytes: &mut [[u8; NH]]| hashes.to_group_slice(&inputs[range], bytes);
    group::map_mul_encode(uniform, &Multiplier::Each(&scalars(blinds)), out).map_err(|position| Error::InvalidInput { position })
}

/// The blinds' scalars side by side, in a buffer that wipes itself.
pub(crate) fn scalars(blinds: &[Blind]) -> Zeroizing<Vec<Scalar>> {
    // The exact length beforehand: a vector that grew would leave copies behind.
    let mut scalars = Zeroizing::new(Vec::with_capacity(blinds.len()));
    scalars.extend(blinds.iter().map(|blind| blind.0));
    scalars
}

/// Refuses inputs whose length does not fit 16 bits (RFC 9497 §1.2).
pub(crate) fn check_lengths<I: AsRef<[u8]>>(inputs: &[I]) -> Result<(), Error> {
    match inputs.iter().position(|input| input.as_ref().len() > INPUT_MAX) {
        Some(position) => Err(Error::InputTooLong { position }),
        None => Ok(()),
    }
}
