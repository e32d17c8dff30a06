//! States as versioned bytes: `version:u8`, then bincode's byte format. A reader takes no other version and nothing left over.

use crate::error::Error;
use crate::head::LogHead;
use crate::set::{SetDescriptor, SetOffer};
use crate::tag::Tau;
use crate::transcript::{Authority, BatchDigests, Batches, SessionFacts};
use wincode::{SchemaRead, SchemaWrite};

/// The version of the bytes.
const VERSION: u8 = 2;
/// The most bytes of a saved state: the batches of 2^30 tokens in batches of 1,024.
const SAVED_BYTES_MAX: usize = 1 << 27;

type Codec = wincode::config::Configuration<true, SAVED_BYTES_MAX>;

#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub(crate) struct Saved {
    version: u16,
    suite: u16,
    versions_offered: Vec<u16>,
    suites_offered: Vec<u16>,
    verifier_nonce: [u8; 32],
    holder_nonce: [u8; 32],
    verifier: [u8; 32],
    holder: [u8; 32],
    request_digest: [u8; 32],
    set_suite: u16,
    tokens_per_pair: u16,
    as_of: u32,
    session_tokens_max: u64,
    declared_tags: u64,
    tags: u64,
    epoch_id: [u8; 16],
    ruleset_digest: [u8; 32],
    public_key: [u8; 32],
    set_id: [u8; 32],
    set_bytes: u64,
    /// The policy's digest; none where the session was admitted unsigned.
    policy: Option<[u8; 32]>,
}

/// A head of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub(crate) struct SavedHead {
    pub(crate) size: u64,
    pub(crate) root: [u8; 32],
}

impl From<LogHead> for SavedHead {
    fn from(head: LogHead) -> Self {
        Self { size: head.size, root: head.root }
    }
}

impl From<SavedHead> for LogHead {
    fn from(head: SavedHead) -> Self {
        Self { size: head.size, root: head.root }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, SchemaWrite, SchemaRead)]
pub(crate) struct SavedBatch {
    index: u64,
    blinded: [u8; 32],
    evaluated: Option<[u8; 32]>,
}

impl Saved {
    pub(crate) fn facts(facts: &SessionFacts) -> Self {
        let set = &facts.offer.descriptor;
        Self {
            version: facts.version,
            suite: facts.suite,
            versions_offered: facts.versions_offered.clone(),
            suites_offered: facts.suites_offered.clone(),
            verifier_nonce: facts.verifier_nonce,
            holder_nonce: facts.holder_nonce,
            verifier: facts.verifier,
            holder: facts.holder,
            request_digest: facts.request_digest,
            set_suite: set.suite,
            tokens_per_pair: set.tokens_per_pair,
            as_of: set.as_of,
            session_tokens_max: set.session_tokens_max,
            declared_tags: set.declared_tags,
            tags: set.tags,
            epoch_id: set.epoch_id,
            ruleset_digest: set.ruleset_digest,
            public_key: set.public_key,
            set_id: facts.offer.set_id,
            set_bytes: facts.offer.set_bytes,
            policy: match facts.authority {
                Authority::Unsigned => None,
                Authority::Signed(policy) => Some(policy),
            },
        }
    }

    pub(crate) fn into_facts(self) -> Result<SessionFacts, Error> {
        let tau = Tau::for_counts(self.declared_tags, self.session_tokens_max).ok_or(Error::SavedState("damaged"))?;
        let descriptor = SetDescriptor {
            suite: self.set_suite,
            tau,
            tokens_per_pair: self.tokens_per_pair,
            as_of: self.as_of,
            session_tokens_max: self.session_tokens_max,
            declared_tags: self.declared_tags,
            tags: self.tags,
            epoch_id: self.epoch_id,
            ruleset_digest: self.ruleset_digest,
            public_key: self.public_key,
        };
        Ok(SessionFacts {
            version: self.version,
            suite: self.suite,
            versions_offered: self.versions_offered,
            suites_offered: self.suites_offered,
            verifier_nonce: self.verifier_nonce,
            holder_nonce: self.holder_nonce,
            verifier: self.verifier,
            holder: self.holder,
            request_digest: self.request_digest,
            offer: SetOffer { descriptor, set_id: self.set_id, set_bytes: self.set_bytes },
            authority: self.policy.map_or(Authority::Unsigned, Authority::Signed),
        })
    }

    pub(crate) fn batches(batches: &Batches) -> Vec<SavedBatch> {
        batches.iter().map(|(index, batch)| SavedBatch { index: *index, blinded: batch.blinded, evaluated: batch.evaluated }).collect()
    }

    /// The batches of a request that makes `due` of them: ascending, each once.
    pub(crate) fn into_batches(saved: Vec<SavedBatch>, due: u64) -> Result<Batches, Error> {
        if !saved.is_sorted_by(|a, b| a.index < b.index) || saved.last().is_some_and(|last| last.index >= due) {
            return Err(Error::SavedState("damaged batches"));
        }
        Ok(saved.into_iter().map(|batch| (batch.index, BatchDigests { blinded: batch.blinded, evaluated: batch.evaluated })).collect())
    }
}

#[derive(Debug, SchemaWrite, SchemaRead)]
pub(crate) struct SavedHolder {
    pub(crate) request: Vec<u8>,
    pub(crate) facts: Saved,
    pub(crate) certificate: [u8; 136],
    pub(crate) batches: Vec<SavedBatch>,
    pub(crate) unsaved: Vec<(u64, [u8; 32])>,
    pub(crate) receipt: Option<(Vec<u8>, [u8; 64])>,
    /// The head of the latest Welcome.
    pub(crate) welcomed: SavedHead,
}

#[derive(Debug, SchemaWrite, SchemaRead)]
pub(crate) struct SavedHandshake {
    pub(crate) request: Vec<u8>,
    pub(crate) nonce: [u8; 32],
    pub(crate) verifier: [u8; 32],
    pub(crate) holder: [u8; 32],
}

#[derive(Debug, SchemaWrite, SchemaRead)]
pub(crate) struct SavedVerifier {
    pub(crate) request: Vec<u8>,
    pub(crate) facts: Saved,
    pub(crate) certificate: [u8; 136],
    pub(crate) in_flight_max: u16,
    /// This side's clock when it was first welcomed.
    pub(crate) admitted_unix_ms: u64,
    pub(crate) batches: Vec<SavedBatch>,
    /// The transcript sent with Complete, where it was.
    pub(crate) transcript: Option<[u8; 64]>,
    /// The head of the latest Welcome.
    pub(crate) welcomed: SavedHead,
    /// The digests of the approved batches, where the request commits to them.
    pub(crate) approved: Option<Vec<[u8; 32]>>,
}

macro_rules! saved {
    ($state:ident, $kind:literal) => {
        impl $state {
            pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
                let mut bytes = vec![VERSION, $kind];
                let codec: Codec = wincode::config::Configuration::default().with_preallocation_size_limit::<SAVED_BYTES_MAX>();
                bytes.extend(wincode::config::serialize(self, codec).map_err(|_| Error::SavedState("it does not serialise"))?);
                if bytes.len() > SAVED_BYTES_MAX { Err(Error::SavedState("it is too large")) } else { Ok(bytes) }
            }

            pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
                let body = match bytes {
                    [VERSION, $kind, body @ ..] if body.len() <= SAVED_BYTES_MAX => body,
                    [VERSION, ..] => return Err(Error::SavedState("it is of another kind")),
                    _ => return Err(Error::SavedState("it is of another version of oblink")),
                };
                let codec: Codec = wincode::config::Configuration::default().with_preallocation_size_limit::<SAVED_BYTES_MAX>();
                wincode::config::deserialize_exact(body, codec).map_err(|_| Error::SavedState("it is damaged"))
            }
        }
    };
}

saved!(SavedHolder, 1);
saved!(SavedHandshake, 2);
saved!(SavedVerifier, 3);
