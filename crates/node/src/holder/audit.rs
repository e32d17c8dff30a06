//! `oblink-holder audit`: were these the records, and is this their set?

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use oblink_session::request::to_hex;
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochRow, SqliteLedger};
use oblink_store::sealed::{BuilderOptions, SetBuilder, SetParameters};
use serde_json::json;

use super::crowds::Placing;
use super::epochs;
use super::seal::{Making, PIPELINE_BYTES_PER_CORE, Tally, evaluate_all, pad};
use crate::cli::HolderAuditArgs;
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::pipeline::cores;
use crate::report::Reporter;
use crate::rows::{RowReader, Source};
use crate::ruleset::HomeRulesets;

/// What is made for the comparison, gone with the value.
struct Scratch {
    work: PathBuf,
    set: PathBuf,
}

impl Scratch {
    fn of(home: &Home, epoch_id: &[u8; 16]) -> Self {
        // Of a name that a sweep takes for an orphan, should this be killed.
        Self { work: home.epochs().join("work-audit"), set: home.sets().join(format!("audit-{}.new", to_hex(epoch_id))) }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.set);
        let _ = fs::remove_dir_all(&self.work);
    }
}

/// Recomputes an epoch's sealed set from the records, with the epoch's key, and compares it and the input with the ledger.
///
/// # Errors
/// Exit 3: no such epoch, a key that is gone, records that cannot be read; exit 6: they are not what was sealed.
pub fn audit(args: &HolderAuditArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let none =
        || Failure::input("no_epoch", "the ledger has no such epoch").with_hint("see `ledger show --json` for the epochs and their ids");
    if !home.ledger().exists() {
        return Err(none());
    }
    let ledger = SqliteLedger::open(&home.ledger())?;
    let row = ledger.epochs()?.into_iter().find(|row| row.offer.descriptor.epoch_id == args.epoch).ok_or_else(none)?;
    if row.ended.is_some() || !epochs::has_seed(&home, &args.epoch) {
        return Err(Failure::input("epoch_key_gone", "the epoch has ended and its key is destroyed: its set cannot be computed again")
            .with_hint("only a current epoch can be audited so; input_sha256 of the ledger still says which file was sealed"));
    }
    let keys = epochs::read_keys(&home, &args.epoch)?;
    let set = &row.offer.descriptor;
    let ruleset = HomeRulesets::read(&home)?.of_digest(&set.ruleset_digest)?;
    let open = || RowReader::open(&Source::from_path(&args.records), &args.format.options());
    let reader = open()?;
    let placing = Placing::of(ruleset, &reader, reporter);
    // What an audit makes looks like a killed seal's, too.
    let _at_work = epochs::Sealing::begin(&home)?;
    let scratch = Scratch::of(&home, &args.epoch);
    let beside = PIPELINE_BYTES_PER_CORE * cores() as u64 + placing.memory_bytes();
    let memory_bytes = args.memory.0.saturating_sub(beside);
    let builder = SetBuilder::new(Arc::new(RealDisk), &scratch.work, BuilderOptions { memory_bytes })?;
    let mut makings = [Making { peer: None, seed: None, keys, builder, caching: None }];
    let mut tally = Tally::default();
    let (crowds, reader) = placing.count(reader, open, ruleset, reporter)?;
    let bar = placing.verb("sealing", "sealing (2 of 2)");
    let summary = evaluate_all(reader, ruleset, &crowds, &mut makings, &mut tally, (bar, reporter))?;
    let [Making { keys, mut builder, .. }] = makings;
    let parameters = SetParameters {
        suite: set.suite,
        tokens_per_pair: set.tokens_per_pair,
        as_of: set.as_of,
        session_tokens_max: set.session_tokens_max,
        epoch_id: set.epoch_id,
        ruleset_digest: set.ruleset_digest,
        public_key: keys.public_key(),
    };
    // What the set declares beyond these records' tags must be padding, or the set comes out as another.
    if builder.distinct()? < set.declared_tags && tally.total() < summary.rows {
        pad(&mut builder, &keys, set.declared_tags, reporter)?;
    }
    let recomputed = if tally.total() == summary.rows { None } else { Some(builder.finish(&parameters, &scratch.set)?.offer().clone()) };
    let mut differs = Vec::new();
    let mut compare = |what: &'static str, same: bool| {
        if !same {
            differs.push(what);
        }
    };
    compare("set_id", recomputed.as_ref().map(|offer| offer.set_id) == Some(row.offer.set_id));
    compare("tags", recomputed.as_ref().map_or(0, |offer| offer.descriptor.tags) == set.tags);
    compare("records", summary.rows == row.records);
    compare("rejected", tally.total() == row.rejected);
    compare("input_sha256", row.input_digest.is_none_or(|digest| digest == summary.sha256));
    say(reporter, &row, recomputed.as_ref().map(|offer| &offer.set_id), &summary.sha256, &differs);
    if differs.is_empty() {
        return Ok(());
    }
    let hint = if differs == ["input_sha256"] {
        "the records give the same set, from a file with other bytes: another export of the same, or another order"
    } else if ruleset.crowd_max().is_some() && !differs.contains(&"input_sha256") {
        "these are the bytes that were sealed, but maybe not read in the same way: --map, --encoding; and what was sealed from standard input, where \
         no addresses are counted, is audited so too, with --records - and the file as standard input"
    } else {
        "these are not the records that were sealed, or not read in the same way (--map, --encoding), or the set is not what the ledger says"
    };
    Err(Failure::peer("audit_differs", format!("not what the ledger says was sealed: {}", differs.join(", "))).with_hint(hint))
}

fn say(reporter: &Reporter, row: &EpochRow, set_id: Option<&[u8; 32]>, sha256: &[u8; 32], differs: &[&str]) {
    reporter.json(&json!({
        "audited": to_hex(&row.offer.descriptor.epoch_id), "agrees": differs.is_empty(), "differs": differs,
        "set_id": to_hex(&row.offer.set_id), "recomputed_set_id": set_id.map(|id| to_hex(id)),
        "input_sha256": row.input_digest.map(|digest| to_hex(&digest)), "recomputed_input_sha256": to_hex(sha256),
    }));
    if differs.is_empty() {
        reporter.answer(&format!(
            "the records are those that were sealed: set {}, {} tags of {} records",
            &to_hex(&row.offer.set_id)[..16],
            row.offer.descriptor.tags,
            row.records
        ));
    }
}
