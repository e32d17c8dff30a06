//! What an authorised request commits to: salted rows, the seed of the blinds, the blinded batches (SPEC REQ-4, REQ-5).

use crate::blind::BlindSeed;
use crate::epoch::keyed;
use crate::merkle::{self, Hash};
use hmac::Mac;
use oblink_oprf::BlindKey;
use sha2::{Digest, Sha256};
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
pub struct Salter {
    prk: BlindKey,
    request_id: [u8; 16],
}

impl core::fmt::Debug for Salter {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Salter(redacted)")
    }
}

/// Salts made at a time.
const CHUNK: usize = 256;

impl Salter {
    /// For one request.
    #[must_use]
    pub fn new(seed: &SaltSeed, request_id: [u8; 16]) -> Self {
        let mut extract = keyed(b"oblink/1/salt");
        extract.update(&seed.0);
        let prk = Zeroizing::new(<[u8; 64]>::from(extract.finalize().into_bytes()));
        Self { prk: BlindKey::new(&prk), request_id }
    }

    /// The salt of pair number `pair`, from 0 (SPEC REQ-4). [`salts`](Self::salts) makes many in a fraction of the time of each.
    #[must_use]
    pub fn salt(&self, pair: u64) -> [u8; 32] {
        self.salts(pair, 1).first().copied().unwrap_or_default()
    }

    /// The salts of `count` pairs from number `first` (from 0) on (SPEC REQ-4): one core's work.
    #[must_use]
    pub fn salts(&self, first: u64, count: usize) -> Vec<[u8; 32]> {
        let mut salts = Vec::with_capacity(count);
        let mut outputs = Zeroizing::new([[0; 64]; CHUNK]);
        for done in (0..count).step_by(CHUNK) {
            let outputs = &mut outputs[..CHUNK.min(count - done)];
            self.prk.mac_slice(outputs, |i, message| {
                message.put(LABEL);
                message.put(&self.request_id);
                message.put(&(first + (done + i) as u64).to_be_bytes());
            });
            salts.extend(outputs.iter().filter_map(|output| output.first_chunk::<32>()));
        }
        salts
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

#[cfg(test)]
mod tests {
    use super::*;

    fn salter() -> Salter {
        Salter::new(&SaltSeed::from_bytes(Zeroizing::new([7; 32])), [9; 16])
    }

    // The fixed values of these tests are Python's:
    //   prk = hmac.new(b"oblink/1/salt", bytes([7] * 32), "sha512").digest()
    //   salt = hmac.new(prk, b"oblink/1/salt\0" + bytes([9] * 16) + i.to_bytes(8, "big"), "sha512").digest()[:32]
    //   lp = lambda b: len(b).to_bytes(2, "big") + b
    //   leaf = sha256(b"\0" + salt + pair.to_bytes(8, "big") + row.to_bytes(8, "big") + n.to_bytes(2, "big") + lp(name) + lp(value) + …)

    /// REQ-4
    #[test]
    fn salts_are_the_ones_specified() {
        for (pair, salt) in [
            (0, "69cde1812078b3bed707bc1d10fa7da20f98b26ca1f3f5882e55c60cf07dcddd"),
            (1, "8decccf17980656393c9a78a2ccf0bf66c3e913b889b44f2ef9d122c5a5882f4"),
            (699_999, "8c52db790f8ea61da69f96586545b564c541ae3d7ab0c5cc323aad45cdb4128b"),
            (1 << 40, "45fe84116586fd27f5ff6af286c978642361160b6f57f4d026878e9ec471b57e"),
        ] {
            assert_eq!(hex::encode(salter().salts(pair, 1)[0]), salt, "pair {pair}");
        }
    }

    #[test]
    fn many_salts_are_each_ones() {
        let many = salter().salts(1_000, 600);
        assert!(many.len() == 600 && (1_000..).zip(&many).all(|(pair, salt)| salter().salts(pair, 1) == [*salt]));
        assert!(salter().salts(5, 0).is_empty());
    }

    /// REQ-4
    #[test]
    fn salts_differ_by_pair_request_and_seed() {
        let salt = |seed, id, pair| Salter::new(&SaltSeed::from_bytes(Zeroizing::new([seed; 32])), [id; 16]).salts(pair, 1)[0];
        let all = [salt(7, 9, 0), salt(8, 9, 0), salt(7, 8, 0), salt(7, 9, 1), salt(7, 9, 1 << 32)];
        for (i, one) in all.iter().enumerate() {
            assert!(!all[..i].contains(one));
        }
        assert_eq!(*SaltSeed::from_bytes(Zeroizing::new([7; 32])).to_bytes(), [7; 32]);
    }

    /// REQ-4
    #[test]
    fn leaves_are_the_ones_specified() {
        let fields = [("id", "17"), ("name", "José Núñez"), ("postal_code", "")];
        let leaf = row_leaf(&salter().salts(1, 1)[0], 1, 3, &fields).unwrap();
        assert_eq!(hex::encode(leaf), "b156ba0d82b15f2875685601a93a09ded4394e2fbcdb7765e4d35c20c11e21db");
        let leaf = row_leaf(&salter().salts(0, 1)[0], 0, 1, &[]).unwrap();
        assert_eq!(hex::encode(leaf), "b18fc5fab0354763cebbe589f31faff4b9a3bf266a0717928c72d68acce4edef");
    }

    /// REQ-4
    #[test]
    fn a_leaf_binds_every_part_of_its_row() {
        let salt = [1; 32];
        let leaves = [
            row_leaf(&salt, 0, 1, &[("name", "ab"), ("city", "c")]),
            row_leaf(&[2; 32], 0, 1, &[("name", "ab"), ("city", "c")]),
            row_leaf(&salt, 1, 1, &[("name", "ab"), ("city", "c")]),
            row_leaf(&salt, 0, 2, &[("name", "ab"), ("city", "c")]),
            row_leaf(&salt, 0, 1, &[("name", "a"), ("city", "bc")]),
            row_leaf(&salt, 0, 1, &[("city", "c"), ("name", "ab")]),
            row_leaf(&salt, 0, 1, &[("name", "ab")]),
            row_leaf(&salt, 0, 1, &[("name", "ab"), ("city", "")]),
            row_leaf(&salt, 0, 1, &[("name", "ab"), ("state", "c")]),
        ];
        for (i, leaf) in leaves.iter().enumerate() {
            assert!(leaf.is_ok() && !leaves[..i].contains(leaf), "{i}");
        }
    }

    /// REQ-4
    #[test]
    fn what_two_bytes_cannot_count_is_refused() {
        let long = "a".repeat(65_536);
        assert!(row_leaf(&[0; 32], 0, 1, &[("name", &long[1..])]).is_ok());
        assert_eq!(row_leaf(&[0; 32], 0, 8, &[("name", &long)]), Err(CommitmentError::TooLong { row: 8 }));
        assert_eq!(row_leaf(&[0; 32], 0, 8, &[(&long, "a")]), Err(CommitmentError::TooLong { row: 8 }));
        assert_eq!(row_leaf(&[0; 32], 0, 8, &vec![("", ""); 65_536]), Err(CommitmentError::TooLong { row: 8 }));
    }

    /// REQ-5
    #[test]
    fn seed_digest_and_batch_leaf_are_the_ones_specified() {
        // sha256(b"oblink/1/blind-seed\0" + bytes([9] * 16) + bytes([5] * 32)); sha256(b"\0" + bytes([3] * 32))
        let seed = BlindSeed::from_bytes(Zeroizing::new([5; 32]));
        assert_eq!(hex::encode(blind_seed_digest(&[9; 16], &seed)), "228cbb09644b6a7cfeab5b6cde9eb97b94732df48b89a21f0308b5559a309002");
        assert_eq!(hex::encode(blinded_leaf(&[3; 32])), "acaa04663a8547a2f70c60cc18f9378796b13c4f9a08f70d6adae662365b30c6");
    }

    #[test]
    fn secrets_are_not_printed() {
        assert_eq!(format!("{:?}", SaltSeed::from_bytes(Zeroizing::new([7; 32]))), "SaltSeed(redacted)");
        assert_eq!(format!("{:?}", salter()), "Salter(redacted)");
    }
}
