//! What both sides say of a sealed set: the fields of its header and its identity (SPEC §4.2). The file itself is the store's.

use crate::tag::Tau;

/// The parameters of a sealed set, as its header and Welcome state them (SPEC SET-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDescriptor {
    /// Suite identifier (SPEC SUI-1).
    pub suite: u16,
    /// Tag length.
    pub tau: Tau,
    /// Tokens a pair, T.
    pub tokens_per_pair: u16,
    /// As-of date as decimal yyyymmdd; 0 where the holder states none.
    pub as_of: u32,
    /// Most tokens a session may submit, M.
    pub session_tokens_max: u64,
    /// Declared number of tags, D.
    pub declared_tags: u64,
    /// Number of tags in the file, n.
    pub tags: u64,
    /// The epoch whose key made the tags.
    pub epoch_id: [u8; 16],
    /// Digest of the ruleset that made the tokens.
    pub ruleset_digest: [u8; 32],
    /// The epoch's public key, as the suite serialises it (Ne bytes).
    pub public_key: [u8; 32],
}

/// A sealed set as Welcome names it: its parameters, its identity and its size in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetOffer {
    /// The header's parameters.
    pub descriptor: SetDescriptor,
    /// `SetId`: SHA-256 of the file (SPEC §4.2).
    pub set_id: [u8; 32],
    /// Length of the file in bytes.
    pub set_bytes: u64,
}
