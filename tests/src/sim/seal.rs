//! `seal` in a run: a set on the faulty disk, its key, and the ledger's entry, in the program's order.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::request::to_hex;
use oblink_store::Error;
use oblink_store::disk::{Disk, write_bytes_atomically};
use oblink_store::ledger::{EpochEntry, EpochLimits};
use oblink_store::sealed::{BuilderOptions, MEMORY_BYTES_MIN, SUITE, SetBuilder, SetParameters, set_path};

use super::book::Book;
use super::disk::SimDisk;
use super::parties::{epoch_id, epoch_keys, epoch_seed, policy, pool_prefixes, verifier};
use super::plan::Plan;

/// The holder's home.
pub(crate) const EPOCHS: &str = "/holder/epochs";
/// Its sets.
pub(crate) const SETS: &str = "/holder/sets";
/// Its receipts.
pub(crate) const RECEIPTS: &str = "/holder/receipts";

/// Where an epoch's seed is.
pub(crate) fn seed_path(epoch_id: &[u8; 16]) -> PathBuf {
    Path::new(EPOCHS).join(format!("{}.seed", to_hex(epoch_id)))
}

fn failed(doing: &str) -> impl FnOnce(std::io::Error) -> String + '_ {
    move |error| format!("{doing}: {error}")
}

/// Whether an epoch is in the ledger already.
fn is_entered(book: &Book, epoch: usize) -> Result<bool, Error> {
    Ok(book.look().epochs()?.iter().any(|row| row.offer.descriptor.epoch_id == epoch_id(epoch)))
}

/// Seals the records for a verifier under the key of `epoch`, unless that is done. An error is what the operator would read.
pub(crate) fn seal(plan: &Plan, disk: &SimDisk, book: &mut Book, number: usize, epoch: usize, clock: u64) -> Result<(), String> {
    let shown = |error: Error| error.to_string();
    if is_entered(book, epoch).map_err(shown)? {
        return Ok(());
    }
    let work = Path::new(EPOCHS).join(format!("work-{number}"));
    let mut builder = SetBuilder::new(Arc::new(disk.clone()), &work, BuilderOptions { memory_bytes: MEMORY_BYTES_MIN }).map_err(shown)?;
    let pool = pool_prefixes(epoch);
    let prefixes: Vec<_> = plan.records.iter().map(|record| pool[usize::from(*record)]).collect();
    builder.push(&prefixes).map_err(shown)?;
    let keys = epoch_keys(epoch);
    let parameters = SetParameters {
        tokens_per_pair: plan.tokens_per_pair,
        as_of: 0,
        session_tokens_max: 1 << 24,
        epoch_id: epoch_id(epoch),
        ruleset_digest: plan.ruleset,
        public_key: keys.public_key(),
        suite: SUITE,
    };
    let unnamed = Path::new(SETS).join(format!("{}.new", to_hex(&epoch_id(epoch))));
    let set = builder.finish(&parameters, &unnamed).map_err(shown)?;
    disk.rename(&unnamed, &set_path(Path::new(SETS), &set.offer().set_id)).map_err(failed("renaming the set"))?;
    disk.sync_dir(Path::new(SETS)).map_err(failed("syncing the sets' directory"))?;
    write_bytes_atomically(disk, &seed_path(&epoch_id(epoch)), &epoch_seed(epoch)).map_err(shown)?;
    let entry = EpochEntry {
        verifier: Some(verifier(number).fingerprint),
        offer: set.offer().clone(),
        records: plan.records.len() as u64,
        rejected: 0,
        input_digest: None,
        policy: plan.signed.then(|| policy().digest()),
        limits: EpochLimits::default(),
        clock_unix_ms: clock,
    };
    book.write(|ledger| ledger.begin_epoch(&entry)).map_err(shown)?;
    // What cannot be removed now, the next seal removes.
    for row in book.look().epochs().map_err(shown)?.iter().filter(|row| row.ended.is_some()) {
        let _ = disk.remove(&seed_path(&row.offer.descriptor.epoch_id));
        let _ = disk.remove(&set_path(Path::new(SETS), &row.offer.set_id));
    }
    Ok(())
}
