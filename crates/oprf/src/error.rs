//! What can go wrong, by who is to blame. Errors name positions and counts, never contents.

use crate::suite::{BATCH_MAX, INPUT_MAX};

/// Who has to act on an [`Error`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The program that called this crate, or the data it was given locally.
    Caller,
    /// The party that made the blinded elements.
    Verifier,
    /// The party that has the key.
    Holder,
}

/// Why an operation of this crate refused to go on.
///
/// *Position* counts from 0; where a function takes an `offset`, it is the position in the batch, else in the slice given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Caller: an input hashes to the identity element (RFC 9497 `InvalidInputError`).
    #[error("input {position} maps to the identity element")]
    InvalidInput {
        /// Which input.
        position: usize,
    },
    /// Caller: an input does not fit a 16-bit length (RFC 9497 §1.2).
    #[error("input {position} is longer than {INPUT_MAX} bytes")]
    InputTooLong {
        /// Which input.
        position: usize,
    },
    /// Caller: slices that belong together differ in length.
    #[error("slices that belong together have different lengths: {expected} and {found}")]
    Count {
        /// Elements in the first of the slices.
        expected: usize,
        /// Elements in the one that differs.
        found: usize,
    },
    /// Caller: a batch is empty, or larger than one proof can cover (RFC 9497 §2.2.1).
    #[error("a batch has 1 to {BATCH_MAX} elements, not {count}")]
    BatchSize {
        /// Elements asked for.
        count: usize,
    },
    /// Caller: the merged slices leave a gap, overlap, or do not end where the batch does.
    #[error("the merged slices do not cover the batch exactly once")]
    Coverage,
    /// Caller: partial sums were made with another key than the one they are used with.
    #[error("the partial sums belong to another key")]
    OtherKey,
    /// Caller: the elements were not part of the batch whose proof was verified.
    #[error("the elements do not belong to the batch that was verified")]
    OtherBatch,
    /// Caller: `info` does not fit a 16-bit length (RFC 9497 §3.2.1).
    #[error("key info is longer than 65535 bytes")]
    InfoTooLong,
    /// Caller: no key came out of 256 attempts; use another seed (RFC 9497 `DeriveKeyPairError`).
    #[error("no key can be derived from this seed")]
    DeriveKeyPair,
    /// Caller: not the encoding of a scalar between 1 and the group order less 1.
    #[error("not a secret key: a canonical non-zero scalar was expected")]
    SecretKey,
    /// Caller: a caller-chosen blind or nonce is not a canonical non-zero scalar.
    #[error("not a canonical non-zero scalar")]
    Scalar,
    /// Verifier: a blinded element is not a canonical encoding, or is the identity (RFC 9497 §2.1 `DeserializeError`).
    #[error("blinded element {position} is not a valid group element")]
    BlindedElement {
        /// Which element of the batch.
        position: usize,
    },
    /// Holder: an evaluated element is not a canonical encoding, or is the identity.
    #[error("evaluated element {position} is not a valid group element")]
    EvaluatedElement {
        /// Which element of the batch.
        position: usize,
    },
    /// Holder: the public key is not a canonical encoding, or is the identity.
    #[error("the public key is not a valid group element")]
    PublicKey,
    /// Holder: the proof is not two canonical scalars.
    #[error("the proof is not two canonical scalars")]
    ProofEncoding,
    /// Holder: the proof does not show that the batch was evaluated under the public key (RFC 9497 `VerifyError`).
    #[error("the proof does not verify")]
    Proof,
}

impl Error {
    /// Who has to act: the calling program, or one of the two parties.
    #[must_use]
    pub const fn blame(&self) -> Blame {
        match self {
            Self::InvalidInput { .. }
            | Self::InputTooLong { .. }
            | Self::Count { .. }
            | Self::BatchSize { .. }
            | Self::Coverage
            | Self::OtherKey
            | Self::OtherBatch
            | Self::InfoTooLong
            | Self::DeriveKeyPair
            | Self::SecretKey
            | Self::Scalar => Blame::Caller,
            Self::BlindedElement { .. } => Blame::Verifier,
            Self::EvaluatedElement { .. } | Self::PublicKey | Self::ProofEncoding | Self::Proof => Blame::Holder,
        }
    }
}

/// Refuses slices that should be equally long and are not.
pub(crate) const fn same_count(expected: usize, found: usize) -> Result<(), Error> {
    if expected == found { Ok(()) } else { Err(Error::Count { expected, found }) }
}
