//! Dangerous parts, for test vectors and for the interoperability port only.
//!
//! Nothing in oblink's protocol uses this module. A caller-chosen proof nonce used twice gives the secret key away; a caller-chosen
//! blind that is known or used twice uncovers inputs; the base mode has no proof, so nothing shows which key was used.

use core::fmt;

use zeroize::Zeroizing;

use crate::blind::{Blind, blind_slice_in};
use crate::composite::Composite;
use crate::error::{Error, same_count};
use crate::group::Points;
use crate::keys::{KeyPair, nonzero_scalar};
use crate::proof::Proof;
use crate::suite::{Mode, NE, NH, NS, SEED_LEN};
use crate::verify::finalize_points;

/// A blind of the caller's choice, from 32 bytes (RFC 9497 §2.1 `DeserializeScalar`).
///
/// # Errors
/// [`Error::Scalar`] unless they are a canonical scalar other than zero.
pub fn blind_from_bytes(bytes: &[u8; NS]) -> Result<Blind, Error> {
    nonzero_scalar(bytes).map(Blind).ok_or(Error::Scalar)
}

/// The 32 bytes of a blind (RFC 9497 §2.1 `SerializeScalar`), in a buffer that wipes itself.
#[must_use]
pub fn blind_to_bytes(blind: &Blind) -> Zeroizing<[u8; NS]> {
    Zeroizing::new(blind.0.to_bytes())
}

/// [`KeyPair::prove`] with a nonce of the caller's choice (RFC 9497 §2.2.1, `r`): two batches under one nonce give the key away.
///
/// # Errors
/// As [`KeyPair::prove`], and [`Error::Scalar`] unless the nonce is a canonical scalar other than zero.
pub fn prove_with_nonce(
    key: &KeyPair,
    composite: Composite,
    blinded: &[[u8; NE]],
    evaluated: &[[u8; NE]],
    nonce: &[u8; NS],
) -> Result<Proof, Error> {
    let nonce = Zeroizing::new(nonzero_scalar(nonce).ok_or(Error::Scalar)?);
    let m = key.complete(composite, blinded.len(), evaluated.len())?;
    Ok(key.prove_composite(&m, &nonce))
}

/// A key of the base mode (RFC 9497 §3.3.1, mode 0x00): no public key to pin, no proof.
pub struct OprfKey(KeyPair);

impl OprfKey {
    /// `DeriveKeyPair(seed, info)` in base mode (RFC 9497 §3.2.1).
    ///
    /// # Errors
    /// As [`KeyPair::derive`].
    pub fn derive(seed: &[u8; SEED_LEN], info: &[u8]) -> Result<Self, Error> {
        KeyPair::derive_in(Mode::Oprf, seed, info).map(Self)
    }

    /// The key of 32 bytes.
    ///
    /// # Errors
    /// [`Error::SecretKey`] unless they are a canonical scalar other than zero.
    pub fn from_secret_bytes(bytes: &[u8; NS]) -> Result<Self, Error> {
        KeyPair::from_secret_bytes(bytes).map(Self)
    }

    /// The 32 bytes of the key, in a buffer that wipes itself.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; NS]> {
        self.0.secret().to_bytes()
    }

    /// `BlindEvaluate` of the base mode (RFC 9497 §3.3.1) for a slice.
    ///
    /// # Errors
    /// [`Error::Count`]; [`Error::BlindedElement`].
    pub fn blind_evaluate_slice(&self, blinded: &[[u8; NE]], evaluated: &mut [[u8; NE]]) -> Result<(), Error> {
        same_count(blinded.len(), evaluated.len())?;
        self.0.multiply(0, blinded, evaluated).map(|_| ())
    }

    /// `Evaluate` of the base mode (RFC 9497 §3.3.1) for a slice.
    ///
    /// # Errors
    /// As [`KeyPair::evaluate_slice`].
    pub fn evaluate_slice<I: AsRef<[u8]>>(&self, inputs: &[I], outputs: &mut [[u8; NH]]) -> Result<(), Error> {
        self.0.evaluate_slice_in(Mode::Oprf, inputs, outputs)
    }
}

impl fmt::Debug for OprfKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OprfKey(redacted)")
    }
}

/// [`crate::blind_slice`] in the base mode (RFC 9497 §3.3.1).
///
/// # Errors
/// As [`crate::blind_slice`].
pub fn oprf_blind_slice<I: AsRef<[u8]>>(inputs: &[I], blinds: &[Blind], out: &mut [[u8; NE]]) -> Result<(), Error> {
    blind_slice_in(Mode::Oprf, inputs, blinds, out)
}

/// `Finalize` of the base mode (RFC 9497 §3.3.1) for a slice: without a proof.
///
/// # Errors
/// [`Error::Count`]; [`Error::InputTooLong`]; [`Error::EvaluatedElement`].
pub fn oprf_finalize_slice<I: AsRef<[u8]>>(
    inputs: &[I],
    blinds: &[Blind],
    evaluated: &[[u8; NE]],
    out: &mut [[u8; NH]],
) -> Result<(), Error> {
    let points = Points::decode(evaluated).map_err(|position| Error::EvaluatedElement { position })?;
    finalize_points(inputs, blinds, &points, out)
}
