//! Keys of the holder (RFC 9497 §3.2).

use core::fmt;

use curve25519_dalek::scalar::Scalar;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::error::Error;
use crate::group::Point;
use crate::hash::Hashes;
use crate::suite::{INPUT_MAX, Mode, NE, NS, SEED_LEN};

/// Decodes a canonical scalar between 1 and the group order less 1 (RFC 9497 §2.1 `DeserializeScalar`, zero refused).
pub(crate) fn nonzero_scalar(bytes: &[u8; NS]) -> Option<Scalar> {
    Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes)).filter(|scalar| *scalar != Scalar::ZERO)
}

/// The holder's secret key `skS`: a non-zero scalar. Wiped when dropped; prints nothing; cannot be cloned or compared.
pub struct SecretKey(pub(crate) Scalar);

impl SecretKey {
    /// Its 32 bytes as RFC 9497 serialises scalars, in a buffer that wipes itself: for keeping under the holder's own protection.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; NS]> {
        Zeroizing::new(self.0.to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(redacted)")
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for SecretKey {}

/// The holder's public key `pkS`: a group element other than the identity.
#[derive(Clone, Copy)]
pub struct PublicKey {
    bytes: [u8; NE],
    point: Point,
}

impl PublicKey {
    /// Takes the 32 bytes of a serialised element (RFC 9497 §2.1 `DeserializeElement`).
    ///
    /// # Errors
    /// [`Error::PublicKey`] if they are not a canonical encoding, or are the identity's.
    pub fn from_bytes(bytes: &[u8; NE]) -> Result<Self, Error> {
        let point = Point::decode(bytes).ok_or(Error::PublicKey)?;
        Ok(Self { bytes: *bytes, point })
    }

    /// The 32 bytes of the serialised element (RFC 9497 §2.1 `SerializeElement`).
    #[must_use]
    pub const fn to_bytes(&self) -> [u8; NE] {
        self.bytes
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; NE] {
        &self.bytes
    }

    pub(crate) const fn point(&self) -> &Point {
        &self.point
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for PublicKey {}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.bytes {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// The holder's key pair in VOPRF mode. Its operations: [`KeyPair::evaluate_slice`], [`KeyPair::blind_evaluate_slice`], [`KeyPair::prove`].
pub struct KeyPair {
    secret: SecretKey,
    public: PublicKey,
}

impl KeyPair {
    /// `DeriveKeyPair(seed, info)` in VOPRF mode (RFC 9497 §3.2.1): 32 secret random bytes, and public bytes (at most
    /// 65,535) that say what the key is for.
    ///
    /// # Errors
    /// [`Error::InfoTooLong`]; [`Error::DeriveKeyPair`] with probability 2^-64000.
    pub fn derive(seed: &[u8; SEED_LEN], info: &[u8]) -> Result<Self, Error> {
        Self::derive_in(Mode::Voprf, seed, info)
    }

    /// `DeriveKeyPair` in either mode: the tag holds the context string, so the modes give different keys.
    pub(crate) fn derive_in(mode: Mode, seed: &[u8; SEED_LEN], info: &[u8]) -> Result<Self, Error> {
        if info.len() > INPUT_MAX {
            return Err(Error::InfoTooLong);
        }
        let info_len = (info.len() as u16).to_be_bytes();
        let hashes = Hashes::of(mode);
        for counter in 0..=u8::MAX {
            let scalar = Zeroizing::new(hashes.to_key(&[seed, &info_len, info, &[counter]]));
            if *scalar != Scalar::ZERO {
                return Ok(Self::from_scalar(*scalar));
            }
        }
        Err(Error::DeriveKeyPair)
    }

    /// The pair of a secret key kept as 32 bytes (RFC 9497 §2.1 `DeserializeScalar`).
    ///
    /// # Errors
    /// [`Error::SecretKey`] unless they are a canonical scalar other than zero.
    pub fn from_secret_bytes(bytes: &[u8; NS]) -> Result<Self, Error> {
        nonzero_scalar(bytes).map(Self::from_scalar).ok_or(Error::SecretKey)
    }

    fn from_scalar(scalar: Scalar) -> Self {
        let secret = SecretKey(scalar);
        let point = Point::mul_base(&secret.0);
        let public = PublicKey { bytes: point.encode(), point };
        Self { secret, public }
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// The secret half.
    #[must_use]
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("public", &self.public).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
