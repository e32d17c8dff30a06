//! Tests of sealed sets, and what they share.

mod hostile;
mod receiving;
mod round_trip;
mod vectors;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use oblink_session::tag::{TagPrefix, Tau};
use sha2::{Digest, Sha256};

use super::{BuilderOptions, SUITE, SealedSet, SetBuilder, SetParameters};
use crate::Error;
use crate::disk::RealDisk;

/// Parameters with a session cap of `session_tokens_max`.
pub(super) fn parameters(session_tokens_max: u64) -> SetParameters {
    SetParameters {
        suite: SUITE,
        tokens_per_pair: 1,
        as_of: 20_260_131,
        session_tokens_max,
        epoch_id: [7; 16],
        ruleset_digest: [8; 32],
        public_key: [9; 32],
    }
}

/// The i-th of a sequence of prefixes that look random.
pub(super) fn prefix(i: u64) -> u128 {
    let digest = Sha256::new().chain_update(b"oblink sealed set vector\0").chain_update(i.to_be_bytes()).finalize();
    u128::from_be_bytes(digest[..16].try_into().unwrap())
}

pub(super) fn as_prefixes(values: &[u128]) -> Vec<TagPrefix> {
    values.iter().copied().map(TagPrefix).collect()
}

/// Seals with the memory that a user would give.
pub(super) fn seal(dir: &Path, values: &[u128], parameters: &SetParameters) -> Result<SealedSet, Error> {
    let mut builder = SetBuilder::new(Arc::new(RealDisk), &dir.join("work"), BuilderOptions { memory_bytes: 0 })?;
    builder.push(&as_prefixes(values))?;
    builder.finish(parameters, &dir.join("set.oblset"))
}

/// D, n and the tags that a set of these prefixes must have.
pub(super) fn model(values: &[u128], session_tokens_max: u64) -> (u64, Vec<u128>) {
    let distinct: BTreeSet<u128> = values.iter().copied().collect();
    let tau = Tau::for_counts(distinct.len() as u64, session_tokens_max).unwrap();
    let tags: BTreeSet<u128> = distinct.iter().map(|value| value >> (128 - tau.bits())).collect();
    (distinct.len() as u64, tags.into_iter().collect())
}

/// The names in a directory that are not locks.
pub(super) fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with(".lock"));
    names.sort();
    names
}
