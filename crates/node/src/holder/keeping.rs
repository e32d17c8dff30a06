//! Whether sealing again keeps an epoch and its key, and what it then need not compute again (SPEC EPO-3, EPO-5).

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use oblink_linkage::Ruleset;
use oblink_quic::Fingerprint;
use oblink_session::epoch::{EpochKeys, SUITE_RISTRETTO255};
use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_store::cache::{CacheBinding, CacheKeys, ENTRY_BYTES, INDEX_BYTES_PER_ENTRY, KnownRows, NewRows};
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochRow, SqliteLedger};
use oblink_store::sealed::SetBuilder;

use super::epochs::{cache_path, read_keys};
use crate::date::rfc3339;
use crate::failure::Failure;
use crate::home::Home;
use crate::report::Reporter;

/// What the way from a row's fields to its tokens depends on beside the ruleset.
const PROGRAM: &str = concat!("oblink-node ", env!("CARGO_PKG_VERSION"));

/// The epoch that a verifier has of its own now, or that nobody has.
pub(super) fn current(home: &Home, peer: Option<&Fingerprint>) -> Result<Option<EpochRow>, Failure> {
    if home.config().epochs.keep_key().is_none() || !home.ledger().exists() {
        return Ok(None);
    }
    let verifier = peer.map(|fingerprint| *fingerprint.as_bytes());
    Ok(SqliteLedger::open(&home.ledger())?.epochs()?.into_iter().find(|row| row.ended.is_none() && row.verifier == verifier))
}

/// The keys of an epoch that goes on; none, and a line that says why, where a new one has to begin all the same.
pub(super) fn kept_keys(home: &Home, whom: &str, row: &EpochRow, ruleset: &Ruleset, now: u64, reporter: &Reporter) -> Option<EpochKeys> {
    let days = home.config().epochs.keep_key_days;
    let set = &row.offer.descriptor;
    let ends = row.begun_unix_ms.saturating_add(u64::from(days) * 86_400_000);
    let keys = if now >= ends {
        Err(format!("the one before is older than keep_key_days = {days}"))
    } else if row.charged_tokens + row.reserved_tokens >= EPOCH_EVALUATIONS_MAX {
        Err("the one before has no evaluations left".to_owned())
    } else if set.ruleset_digest != ruleset.digest() || set.suite != SUITE_RISTRETTO255 || set.tokens_per_pair != ruleset.tokens_per_pair()
    {
        Err("the one before was sealed under another ruleset".to_owned())
    } else {
        match read_keys(home, &set.epoch_id) {
            Ok(keys) if keys.public_key() == set.public_key => Ok(keys),
            Ok(_) => Err("the key of the one before is not the ledger's".to_owned()),
            Err(failure) => Err(failure.what().to_owned()),
        }
    };
    match keys {
        Ok(keys) => {
            let until = rfc3339(UNIX_EPOCH + Duration::from_millis(ends));
            reporter.warn(&format!(
                "the epoch of {whom} and its key are kept (keep_key_days = {days}, until {until}): {whom} can look up in the new set all that it has \
                 asked before, without asking and without its being counted; --new-epoch begins a new one"
            ));
            Some(keys)
        }
        Err(why) => {
            reporter.note(&format!("a new epoch begins for {whom}: {why}"));
            None
        }
    }
}

/// Memory that an epoch's cache would take, of `memory_bytes` at most five eighths: the rest is the new set's and the new cache's.
pub(super) fn index_bytes(home: &Home, row: &EpochRow, memory_bytes: u64) -> u64 {
    let file_bytes = fs::metadata(cache_path(home, &row.offer.descriptor.epoch_id)).map_or(0, |metadata| metadata.len());
    (file_bytes / ENTRY_BYTES as u64 * INDEX_BYTES_PER_ENTRY).min(memory_bytes / 8 * 5)
}

/// The cache of an epoch whose key may be kept.
#[derive(Debug)]
pub(super) struct Caching {
    keys: CacheKeys,
    known: Option<KnownRows>,
    new: NewRows,
}

impl Caching {
    /// With what an earlier seal of this epoch left, if it is of use; a line says where it is not.
    pub(super) fn begin(
        home: &Home,
        keys: &EpochKeys,
        ruleset: &Ruleset,
        builder: &SetBuilder,
        (index_bytes, new_bytes): (u64, u64),
        reporter: &Reporter,
    ) -> Self {
        let keys_of_cache = CacheKeys::derive(keys.cache_key(), CacheBinding::new(*keys.epoch_id(), ruleset.digest(), PROGRAM));
        let path = cache_path(home, keys.epoch_id());
        let known = KnownRows::open(&RealDisk, &path, &keys_of_cache, index_bytes).unwrap_or_else(|fault| {
            reporter.warn(&format!("{} is not used: {fault}; every record is computed again", path.display()));
            None
        });
        if let Some(known) = known.as_ref().filter(|known| known.within_reach() < known.entries()) {
            reporter.note(&format!(
                "of {} records sealed before, {} fit into --memory; the others are computed again",
                known.entries(),
                known.within_reach()
            ));
        }
        Self { keys: keys_of_cache, known, new: NewRows::beside(builder, new_bytes) }
    }

    /// What cores need to tell known rows from new ones, and what takes the new ones.
    pub(super) fn split(&mut self) -> ((&CacheKeys, Option<&KnownRows>), &mut NewRows) {
        ((&self.keys, self.known.as_ref()), &mut self.new)
    }

    /// Hands the tags of known rows to the builder, and leaves the cache for the next seal. Gives how many were known.
    pub(super) fn finish(self, home: &Home, keys: &EpochKeys, builder: &mut SetBuilder) -> Result<u64, Failure> {
        let path = cache_path(home, keys.epoch_id());
        let counts = self.new.finish(self.known, &self.keys, &path, |tags| builder.push(tags));
        Ok(counts
            .map_err(|error| {
                // Deleting it always helps where it is what is wrong.
                let damaged = matches!(error, oblink_store::Error::Corrupt { .. });
                let failure = Failure::from(error);
                if damaged { failure.with_hint(format!("remove {} and seal again", path.display())) } else { failure }
            })?
            .recalled)
    }
}
