//! What an authorised request commits to: salted rows, the seed of the blinds, the blinded batches (SPEC REQ-4, REQ-5).

use crate::blind::BlindSeed;
use crate::epoch::keyed;
use crate::merkle::{self, Hash};
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::{ZeroizeOnDrop, Zeroizing};

/// What a salt's `info` begins with (SPEC REQ-4).
const LABEL: &[u8] = b"oblink/1/salt\0";

/// The fields of a row that a leaf may hold, in the order in which it holds them (SPEC REQ-4). A leaf has those that the file has.
pub const ROW_FIELDS: [&str; 14] = [
    "id",
    "name",
    "given_name",
    "middle_name",
    "family_name",
    "suffix",
    "address",
    "street",
    "unit",
    "city",
    "state",
    "postal_code",
    "order_date",
    "person_id",
];

/// Why a row cannot be committed to. Row numbers, never values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitmentError {
    /// A name or a value of more than 65,535 bytes, or more than 65,535 fields: their lengths have two bytes.
    #[error("row {row} has a field of more than 65,535 bytes, or more than 65,535 fields")]
    TooLong {
        /// The data row's number, from 1.
        row: u64,
    },
}

/// The seed of the salts: 32 secret bytes of the system's generator. As secret as the list: with it, guesses at every row can be tested
/// against `list_root`. It never goes to the holder.
#[derive(ZeroizeOnDrop)]
pub struct SaltSeed([u8; 32]);

impl SaltSeed {
    /// Takes the bytes: fresh ones from the system, or those kept for this request.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(*bytes)
    }

    /// The bytes, for keeping in a file of mode 0600.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0)
    }
}

impl core::fmt::Debug for SaltSeed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SaltSeed(redacted)")
    }
}

/// Derives the salts of a request's rows (SPEC REQ-4). A salt opens its own row and tells nothing of the others.
#[derive(Clone)]
pub struct Salter {
    // HMAC keyed with PRK, label and request_id already in: what every salt begins with is hashed or copied once. The state wipes itself
    // (hmac's `zeroize` feature).
    state: Hmac<Sha512>,
}

impl core::fmt::Debug for Salter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salter(redacted)")
    }
}

impl Salter {
    /// For one request.
    #[must_use]
    pub fn new(seed: &SaltSeed, request_id: [u8; 16]) -> Self {
        let mut extract = keyed(b"oblink/1/salt");
        extract.update(&seed.0);
        let prk = Zeroizing::new(<[u8; 64]>::from(extract.finalize().into_bytes()));
        let mut state = keyed(&prk[..]);
        state.update(LABEL);
        state.update(&request_id);
        Self { state }
    }

    /// The salt of pair number `pair`, from 0 (SPEC REQ-4).
    #[must_use]
    pub fn salt(&self, pair: u64) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(&pair.to_be_bytes());
        let output = mac.finalize().into_bytes();
        let mut salt = [0; 32];
        salt.copy_from_slice(&output[..32]);
        salt
    }
}

/// Hash of the leaf of one submitted pair under `list_root` (SPEC REQ-4): pair number from 0, number of its data row from 1, and its
/// fields as (name, value), in the order of [`ROW_FIELDS`].
///
/// # Errors
/// [`CommitmentError::TooLong`].
pub fn row_leaf(salt: &[u8; 32], pair: u64, row: u64, fields: &[(&str, &str)]) -> Result<Hash, CommitmentError> {
    let length = |length: usize| u16::try_from(length).map(u16::to_be_bytes).map_err(|_| CommitmentError::TooLong { row });
    let mut hash = Sha256::new();
    hash.update([merkle::LEAF]);
    hash.update(salt);
    hash.update(pair.to_be_bytes());
    hash.update(row.to_be_bytes());
    hash.update(length(fields.len())?);
    for text in fields.iter().flat_map(|(name, value)| [name, value]) {
        hash.update(length(text.len())?);
        hash.update(text);
    }
    Ok(hash.finalize().into())
}

/// `blind_seed_digest` of a request (SPEC REQ-5). It binds the blinds and hides the seed, which is uniform.
#[must_use]
pub fn blind_seed_digest(request_id: &[u8; 16], seed: &BlindSeed) -> [u8; 32] {
    let seed = seed.to_bytes();
    Sha256::new().chain_update(b"oblink/1/blind-seed\0").chain_update(request_id).chain_update(&seed[..]).finalize().into()
}

/// Hash of a batch's leaf under `blinded_root`, from its blinded_digest (SPEC REQ-5, BAT-1).
#[must_use]
pub fn blinded_leaf(blinded_digest: &[u8; 32]) -> Hash {
    merkle::leaf(blinded_digest)
}
