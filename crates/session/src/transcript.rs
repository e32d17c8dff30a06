//! The transcript: one digest of all that a session depends on (SPEC END-1). Order of arrival, connections and replays do not show in it.

use crate::set::SetOffer;
use crate::statement::batch_statement_body;
use sha2::{Digest, Sha512};
use std::collections::BTreeMap;

/// By what a session was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// Unsigned, in pilot mode.
    Unsigned,
    /// Signed, under the policy of this digest.
    Signed([u8; 32]),
}

impl Authority {
    /// The word of receipts and results.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed(_) => "signed",
        }
    }
}

/// What both sides know of a session once it is admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// Protocol version chosen.
    pub version: u16,
    /// Suite chosen.
    pub suite: u16,
    /// Versions the verifier offered.
    pub versions_offered: Vec<u16>,
    /// Suites the verifier offered.
    pub suites_offered: Vec<u16>,
    /// The verifier's nonce.
    pub verifier_nonce: [u8; 32],
    /// The holder's nonce.
    pub holder_nonce: [u8; 32],
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// The holder's fingerprint.
    pub holder: [u8; 32],
    /// SHA-256 of the request.
    pub request_digest: [u8; 32],
    /// The sealed set.
    pub offer: SetOffer,
    /// By what it was admitted. Not part of the transcript: the receipt has it.
    pub authority: Authority,
}

/// Digests of one batch (SPEC BAT-1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchDigests {
    /// Of the blinded elements.
    pub blinded: [u8; 32],
    /// Of the evaluated elements, once there are any: sent by the holder, verified by the verifier.
    pub evaluated: Option<[u8; 32]>,
}

/// The batches of a session so far, by index.
pub type Batches = BTreeMap<u64, BatchDigests>;

/// `session_id` (SPEC HSK-6).
#[must_use]
pub fn session_id(
    verifier: &[u8; 32],
    holder: &[u8; 32],
    verifier_nonce: &[u8; 32],
    holder_nonce: &[u8; 32],
    request_digest: &[u8; 32],
) -> [u8; 16] {
    let mut hash = sha2::Sha256::new();
    for part in [&b"oblink/1/session\0"[..], verifier, holder, verifier_nonce, holder_nonce, request_digest] {
        hash.update(part);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id
}

/// What a Hello offered, as the transcript has it: versions, then suites, each with its count.
#[must_use]
pub(crate) fn offered(versions: &[u16], suites: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 2 * (versions.len() + suites.len()));
    for offered in [versions, suites] {
        bytes.extend_from_slice(&(offered.len() as u16).to_be_bytes());
        bytes.extend(offered.iter().flat_map(|value| value.to_be_bytes()));
    }
    bytes
}

impl SessionFacts {
    /// The body of the statement over one of this session's batches (SPEC STM-3).
    pub(crate) fn batch_statement(&self, index: u64, blinded_digest: &[u8; 32]) -> Vec<u8> {
        batch_statement_body(
            &self.session_id(),
            &self.request_digest,
            &self.offer.descriptor.epoch_id,
            &self.offer.set_id,
            index,
            blinded_digest,
        )
    }

    /// `session_id` (SPEC HSK-6).
    #[must_use]
    pub fn session_id(&self) -> [u8; 16] {
        session_id(&self.verifier, &self.holder, &self.verifier_nonce, &self.holder_nonce, &self.request_digest)
    }

    /// The transcript (SPEC END-1). `None` while one of `due` batches is missing or unanswered.
    #[must_use]
    pub fn transcript(&self, batches: &Batches, due: u64) -> Option<[u8; 64]> {
        if batches.len() as u64 != due {
            return None;
        }
        let mut hash = Sha512::new();
        hash.update(b"oblink/1/transcript\0");
        hash.update(self.version.to_be_bytes());
        hash.update(self.suite.to_be_bytes());
        hash.update(offered(&self.versions_offered, &self.suites_offered));
        hash.update(self.verifier_nonce);
        hash.update(self.holder_nonce);
        hash.update(self.verifier);
        hash.update(self.holder);
        let set = &self.offer.descriptor;
        hash.update(set.ruleset_digest);
        hash.update([set.tau.to_byte()]);
        hash.update(set.tokens_per_pair.to_be_bytes());
        hash.update(self.offer.set_id);
        hash.update((set.public_key.len() as u16).to_be_bytes());
        hash.update(set.public_key);
        hash.update(self.request_digest);
        hash.update(due.to_be_bytes());
        for (index, digests) in batches {
            hash.update(index.to_be_bytes());
            hash.update(digests.blinded);
            hash.update(digests.evaluated?);
        }
        Some(hash.finalize().into())
    }
}
