//! `oblink-holder seal`: records → tokens → tags → one sealed set for each verifier (SPEC §4).

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use oblink_linkage::Ruleset;
use oblink_quic::Fingerprint;
use oblink_session::epoch::{EpochKeys, EpochSeed, SUITE_RISTRETTO255};
use oblink_session::ledger::LedgerError;
use oblink_session::limits::SESSION_TOKENS_MAX_DEFAULT;
use oblink_session::request::to_hex;
use oblink_store::Error as StoreError;
use oblink_store::disk::RealDisk;
use oblink_store::ledger::{EpochEntry, EpochLimits, SqliteLedger};
use oblink_store::sealed::{BuilderOptions, SealedSet, SetBuilder, SetParameters, set_path};
use rayon::prelude::*;
use serde_json::json;

use super::crowds::{Crowds, Placing};
use super::epochs;
use super::keeping::{self, Caching};
use super::operator;
use super::policy;
use super::tagging::{Tagged, Tagger, tag};
use crate::cli::SealArgs;
use crate::date::{Date, unix_ms};
use crate::failure::{Failure, io_cause};
use crate::files::{Pending, directory_of, is_writable, write_atomically};
use crate::home::{Home, Role};
use crate::pipeline::{cores, for_each_ordered};
use crate::random::system_bytes;
use crate::report::Reporter;
use crate::rows::{InputSummary, RowReader, Source};
use crate::ruleset::{choose, keep, warn_of_class};
use crate::tokens::rows_at_once;
use crate::usage::Usage;

/// Memory that is not the builder's: rows and tokens under way on all cores, and the program.
pub(super) const PIPELINE_BYTES_PER_CORE: u64 = 16 << 20;

/// One set in the making.
pub(super) struct Making {
    pub(super) peer: Option<(String, Fingerprint)>,
    /// Of a new epoch; `None` where the epoch that there is goes on.
    pub(super) seed: Option<EpochSeed>,
    pub(super) keys: EpochKeys,
    pub(super) builder: SetBuilder,
    pub(super) caching: Option<Caching>,
}

/// What the policy in force says of epochs; in pilot mode the home's configuration.
#[derive(Clone, Copy)]
struct Rules {
    /// Digest of the policy.
    policy: Option<[u8; 32]>,
    keep_key_days: u32,
    /// Days after which an epoch ends, and evaluations.
    ends: Option<(u32, u64)>,
}

impl Rules {
    fn read(home: &Home) -> Result<Self, Failure> {
        let in_force = if home.ledger().exists() {
            policy::in_force(home, &SqliteLedger::open(&home.ledger())?, None)?
        } else {
            policy::copies::agree(home, None)?;
            None
        };
        Ok(match in_force {
            Some(in_force) => {
                let epoch = in_force.policy.epoch();
                Self {
                    policy: Some(in_force.record.digest),
                    keep_key_days: epoch.keep_key_days,
                    ends: Some((epoch.days_max, epoch.evaluations_max)),
                }
            }
            None => Self { policy: None, keep_key_days: home.config().epochs.keep_key_days, ends: None },
        })
    }

    /// When an epoch ends by itself that begins at `now` (milliseconds since 1970).
    fn limits(&self, now: u64) -> EpochLimits {
        let ends_unix_ms = self.ends.map(|(days, _)| now.saturating_add(u64::from(days).saturating_mul(86_400_000)));
        EpochLimits { ends_unix_ms, evaluations_max: self.ends.map(|(_, evaluations)| evaluations), even_unbooked: false }
    }
}

/// What came of one.
struct Made {
    peer: Option<(String, Fingerprint)>,
    set: SealedSet,
    kept: bool,
    /// Tags that needed not be computed; `None` where keys are not kept.
    recalled: Option<u64>,
    /// Tags that are of no record.
    padding: u64,
}

/// What was read.
#[derive(Default)]
pub(super) struct Tally {
    rejected: BTreeMap<&'static str, u64>,
    rejects: Option<csv::Writer<Vec<u8>>>,
}

impl Tally {
    pub(super) fn total(&self) -> u64 {
        self.rejected.values().sum()
    }
}

/// Seals the records: one set for each verifier, in a new epoch that takes the place of the one before, or in that one where its key is kept. A
/// failure leaves what was.
///
/// # Errors
/// Exit 3: an input that cannot be read, too many rejects, nothing to seal, a disk that fails.
pub fn seal(args: &SealArgs, reporter: &Reporter) -> Result<(), Failure> {
    let began = Instant::now();
    let home = &Home::open(&args.home.home, Role::Holder)?;
    let chosen = choose(&args.ruleset)?;
    let ruleset = chosen.ruleset;
    let rules = Rules::read(home)?;
    if rules.policy.is_none() {
        warn_of_class(ruleset, reporter);
    }
    check_as_of(args.as_of)?;
    let open = || RowReader::open(&args.csv.source(), &args.csv.options());
    let reader = open()?;
    let placing = Placing::of(ruleset, &reader, reporter);
    if let Some(rejects) = &args.rejects {
        check_rejects_place(rejects, &args.csv.source())?;
    }
    let sealing = epochs::Sealing::begin(home)?;
    let mut makings = begin(home, args, ruleset, rules, placing, reporter)?;
    let mut tally = Tally::default();
    if args.rejects.is_some() {
        tally.rejects = Some(csv::Writer::from_writer(Vec::new()));
        write_reject(&mut tally, &["row", "id", "reason"])?;
    }
    let (crowds, reader) = placing.count(reader, open, ruleset, reporter)?;
    let bar = placing.verb("sealing", "sealing (2 of 2)");
    let summary = evaluate_all(reader, ruleset, &crowds, &mut makings, &mut tally, (bar, reporter))?;
    finish_rejects(args, &summary, tally.rejects.take())?;
    report_rejects(&tally, &summary, reporter);
    check_rejects(args, &tally, &summary)?;
    // Before any set is in service: `serve` judges requests by it.
    keep(home, &chosen)?;
    let mut sealed = Vec::new();
    for making in makings {
        sealed.push(finish(home, args, ruleset, rules, making, &summary, &tally, reporter)?);
    }
    drop(sealing);
    let (seal_s, cpu_s) = (began.elapsed().as_secs_f64(), Usage::of_this_process().cpu_s);
    for Made { peer, set, kept, recalled, padding } in &sealed {
        let descriptor = &set.offer().descriptor;
        let whom = whom_of(peer.as_ref());
        let padded = if *padding > 0 { format!(" and {padding} of padding") } else { String::new() };
        let known = recalled.filter(|known| *known > 0).map_or_else(String::new, |known| format!(" ({known} tags known from before)"));
        reporter.answer(&format!(
            "sealed {} tags of {} records{known}{padded} for {whom}: {} bytes, set {}",
            descriptor.tags,
            summary.rows,
            set.offer().set_bytes,
            &to_hex(&set.offer().set_id)[..16]
        ));
        reporter.json(&json!({
            "sealed": to_hex(&set.offer().set_id),
            "epoch": to_hex(&descriptor.epoch_id),
            "epoch_kept": kept,
            "recalled": recalled,
            "peer": peer.as_ref().map(|(label, _)| label),
            "ruleset": ruleset.name(),
            "records": summary.rows,
            "rejected": tally.total(),
            "rejected_by_reason": tally.rejected,
            "tags": descriptor.tags,
            "declared_tags": descriptor.declared_tags,
            "padding": padding,
            "tau": descriptor.tau.bits(),
            "as_of": args.as_of.map(|date| date.to_string()),
            "set_bytes": set.offer().set_bytes,
            "input_sha256": to_hex(&summary.sha256),
            "seal_s": seal_s,
            "cpu_s": cpu_s,
            "peak_rss_mb": Usage::of_this_process().peak_rss_mb,
        }));
    }
    Ok(())
}

/// Records are not of a day that is still to come: a set that says so would seem young for as long as it likes (SPEC AUT-1, set_age_days_max).
fn check_as_of(as_of: Option<Date>) -> Result<(), Failure> {
    // East of Greenwich tomorrow has begun.
    let latest = Date::of(SystemTime::now() + Duration::from_secs(86_400)).yyyymmdd();
    if as_of.is_some_and(|date| date.yyyymmdd() > latest) {
        return Err(Failure::input("as_of_in_future", "--as-of is a day that is still to come")
            .with_hint("give the day up to which the records were kept"));
    }
    Ok(())
}

/// What messages call the one for whom a set is.
fn whom_of(peer: Option<&(String, Fingerprint)>) -> String {
    peer.map_or_else(|| "the first trusted verifier that asks".to_owned(), |(label, _)| label.clone())
}

/// Key and builder for each verifier; without one, for whoever comes first (SPEC EPO-2).
fn begin(
    home: &Home,
    args: &SealArgs,
    ruleset: &Ruleset,
    rules: Rules,
    placing: Placing,
    reporter: &Reporter,
) -> Result<Vec<Making>, Failure> {
    let peers = home.peers()?;
    let mut whom: Vec<Option<(String, Fingerprint)>> = Vec::new();
    if args.peer.is_empty() {
        whom.extend(peers.iter().map(|(label, fingerprint)| Some((label.to_owned(), fingerprint))));
    }
    for label in &args.peer {
        let (label, fingerprint) = peers.select(Some(label))?;
        whom.push(Some((label.to_owned(), fingerprint)));
    }
    if whom.is_empty() {
        whom.push(None);
    }
    let beside = PIPELINE_BYTES_PER_CORE * cores() as u64 + placing.memory_bytes();
    let memory_bytes = args.memory.0.saturating_sub(beside) / whom.len() as u64;
    whom.into_iter().map(|peer| begin_one(home, args, ruleset, rules, peer, memory_bytes, reporter)).collect()
}

fn begin_one(
    home: &Home,
    args: &SealArgs,
    ruleset: &Ruleset,
    rules: Rules,
    peer: Option<(String, Fingerprint)>,
    memory_bytes: u64,
    reporter: &Reporter,
) -> Result<Making, Failure> {
    let days = rules.keep_key_days;
    let current = || keeping::current(home, days, peer.as_ref().map(|(_, fingerprint)| fingerprint));
    // A cache is made only where it may be of use.
    let caches = days > 0;
    let index_bytes = current()?.map_or(0, |row| keeping::index_bytes(home, &row, memory_bytes));
    let share = (memory_bytes - index_bytes) / 2;
    let memory_bytes = if caches { share } else { memory_bytes };
    // One seal at a time for each verifier; what a killed one left in its directory goes.
    let work = home.epochs().join(format!("work-{}", peer.as_ref().map_or("any", |(label, _)| label)));
    let builder = SetBuilder::new(Arc::new(RealDisk), &work, BuilderOptions { memory_bytes })?;
    // Only now: what another seal did for this verifier is in the ledger.
    let now = unix_ms(SystemTime::now());
    let ledger_time = if home.ledger().exists() { SqliteLedger::open(&home.ledger())?.time_unix_ms()? } else { 0 };
    let row = if args.new_epoch { None } else { current()? };
    let kept = row.and_then(|row| keeping::kept_keys(home, &whom_of(peer.as_ref()), &row, ruleset, (days, now, ledger_time), reporter));
    if kept.is_none() {
        check_booked(home, peer.as_ref())?;
    }
    let (seed, keys) = match kept {
        Some(keys) => (None, keys),
        None => {
            let epoch_id: [u8; 16] = *system_bytes()?;
            let seed = EpochSeed::from_bytes(system_bytes()?);
            let keys = EpochKeys::derive(&seed, epoch_id)?;
            (Some(seed), keys)
        }
    };
    let caching = caches.then(|| Caching::begin(home, &keys, ruleset, &builder, (index_bytes, share), reporter));
    Ok(Making { peer, seed, keys, builder, caching })
}

/// Whether the epoch that a new one would end has everything booked, which needs its key: known before hours of sealing, not after.
fn check_booked(home: &Home, peer: Option<&(String, Fingerprint)>) -> Result<(), Failure> {
    if !home.ledger().exists() {
        return Ok(());
    }
    let ledger = SqliteLedger::open(&home.ledger())?;
    let verifier = peer.map(|(_, fingerprint)| *fingerprint.as_bytes());
    for row in ledger.epochs()?.iter().filter(|row| row.ended.is_none() && row.verifier.is_some() && row.verifier == verifier) {
        let sessions = ledger.unbooked(&row.offer.descriptor.epoch_id)?.len() as u64;
        if sessions > 0 {
            return Err(StoreError::Unbooked { sessions }.into());
        }
    }
    Ok(())
}

/// Rows to tags, on all cores, under a progress bar of this name.
///
/// # Errors
/// As [`RowReader`]'s and [`SetBuilder::push`]; exit 3 where the rows are not those whose places were counted.
pub(super) fn evaluate_all(
    mut reader: RowReader,
    ruleset: &'static Ruleset,
    crowds: &Crowds,
    makings: &mut [Making],
    tally: &mut Tally,
    (verb, reporter): (&'static str, &Reporter),
) -> Result<InputSummary, Failure> {
    let bar = reporter.bytes_bar(verb, reader.bytes_total(), reader.bytes_read());
    reader.limit_chunks(rows_at_once(ruleset));
    let (mut taggers, mut takers) = (Vec::new(), Vec::new());
    for making in makings {
        // Cores read the keys while this thread fills the builders.
        let (caching, new) = making.caching.as_mut().map(Caching::split).unzip();
        taggers.push(Tagger { keys: &making.keys, caching });
        takers.push((&mut making.builder, new));
    }
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| tag(ruleset, crowds, &taggers, chunk),
        |Tagged { chunk, rejected, computed }| {
            for ((builder, new), computed) in takers.iter_mut().zip(&computed) {
                builder.push(&computed.prefixes)?;
                if let Some(new) = new {
                    new.push(&computed.rows)?;
                }
            }
            for (row, reason) in rejected {
                let view = chunk.row(row).ok_or_else(|| Failure::bug("a row is missing"))?;
                *tally.rejected.entry(reason).or_default() += 1;
                write_reject(tally, &[&view.number.to_string(), view.id, reason])?;
            }
            bar.update();
            Ok(())
        },
    )?;
    bar.finish();
    let summary = reader.summary();
    crowds.check(&summary)?;
    Ok(summary)
}

fn write_reject(tally: &mut Tally, fields: &[&str]) -> Result<(), Failure> {
    match &mut tally.rejects {
        Some(writer) => writer.write_record(fields).map_err(|_| Failure::bug("a line of rejects could not be written to memory")),
        None => Ok(()),
    }
}

/// Whether rejects can be written there and would not take the place of the records: known before hours of sealing, not after.
fn check_rejects_place(rejects: &Path, input: &Source) -> Result<(), Failure> {
    let shown = rejects.display();
    if let (Source::File(input), Ok(there)) = (input, fs::canonicalize(rejects))
        && fs::canonicalize(input).is_ok_and(|input| input == there)
    {
        return Err(Failure::input("rejects_write", format!("{shown} is the input"))
            .with_hint("choose another path for --rejects; the input is never written over"));
    }
    if rejects.is_dir() {
        return Err(Failure::input("rejects_write", format!("{shown} is a directory"))
            .with_hint("--rejects takes the path of a file, as in rejects.csv"));
    }
    let directory = directory_of(rejects);
    let trial =
        if is_writable(directory).unwrap_or(true) { Pending::create(rejects).map(drop) } else { Err(ErrorKind::PermissionDenied.into()) };
    trial.map_err(|error| {
        Failure::input("rejects_write", format!("cannot write {shown}: the directory {}: {}", directory.display(), io_cause(&error)))
            .with_hint("make the directory first, or choose another path for --rejects; nothing was sealed")
    })
}

fn finish_rejects(args: &SealArgs, summary: &InputSummary, rejects: Option<csv::Writer<Vec<u8>>>) -> Result<(), Failure> {
    if let (Some(path), Some(writer)) = (&args.rejects, rejects) {
        let bytes = writer.into_inner().map_err(|_| Failure::bug("rejects could not be written to memory"))?;
        write_atomically(path, &bytes).map_err(|error| {
            Failure::input("rejects_write", format!("cannot write {}: {}", path.display(), io_cause(&error)))
                .with_hint(format!("nothing was sealed of the {} rows read; choose a path that can be written", summary.rows))
        })?;
    }
    Ok(())
}

fn report_rejects(tally: &Tally, summary: &InputSummary, reporter: &Reporter) {
    if tally.total() > 0 {
        let reasons: Vec<String> = tally.rejected.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        reporter.note(&format!("{} of {} records cannot be sealed: {}", tally.total(), summary.rows, reasons.join(", ")));
    }
}

fn check_rejects(args: &SealArgs, tally: &Tally, summary: &InputSummary) -> Result<(), Failure> {
    if args.rejects_max.is_some_and(|share| share.is_exceeded_by(tally.total(), summary.rows)) {
        let what = format!("{} of {} records cannot be sealed, more than --rejects-max allows", tally.total(), summary.rows);
        return Err(Failure::input("too_many_rejects", what)
            .with_hint("nothing was sealed; see the rows and reasons with --rejects FILE, and check --map"));
    }
    if summary.rows == tally.total() {
        return Err(oblink_store::Error::NoTags.into());
    }
    Ok(())
}

/// Padding tags up to `pad_to` tags in all; how many (SPEC PAD-4). The records' are counted first, since what is declared is their distinct number.
///
/// # Errors
/// Exit 3: the records have more tags than that. As [`SetBuilder::push`].
pub(super) fn pad(builder: &mut SetBuilder, keys: &EpochKeys, pad_to: u64, reporter: &Reporter) -> Result<u64, Failure> {
    const STEP: u64 = 1 << 16;
    let own = builder.distinct()?;
    let padding = pad_to.checked_sub(own).ok_or_else(|| {
        Failure::input("over_pad_to", format!("the records have {own} different tags, and --pad-to is {pad_to}: nothing was sealed"))
            .with_hint("give a greater --pad-to, and one that will do for the seals to come: each change of it shows")
    })?;
    let bar = reporter.count_bar("padding", padding);
    for first in (0..padding).step_by(STEP as usize) {
        let prefixes: Vec<_> = (first..padding.min(first + STEP)).into_par_iter().map(|number| keys.padding(number)).collect();
        builder.push(&prefixes)?;
        bar.add(prefixes.len() as u64);
    }
    bar.finish();
    Ok(padding)
}

/// Writes the set and the key, then makes them the verifier's current epoch, or the set that of the epoch which goes on, then destroys what was
/// before: a crash in between leaves either the old or the new, whole. The cache says of rows what their tags are under the epoch's key, which
/// holds whatever becomes of the set: so it may be replaced first.
#[expect(clippy::too_many_arguments, reason = "each is a different thing, and there is one caller")]
fn finish(
    home: &Home,
    args: &SealArgs,
    ruleset: &Ruleset,
    rules: Rules,
    making: Making,
    summary: &InputSummary,
    tally: &Tally,
    reporter: &Reporter,
) -> Result<Made, Failure> {
    let Making { peer, seed, keys, mut builder, caching } = making;
    let recalled = caching.map(|caching| caching.finish(home, &keys, &mut builder)).transpose()?;
    let padding = args.pad_to.map_or(Ok(0), |pad_to| pad(&mut builder, &keys, pad_to, reporter))?;
    let parameters = SetParameters {
        suite: SUITE_RISTRETTO255,
        tokens_per_pair: ruleset.tokens_per_pair(),
        as_of: args.as_of.map_or(0, Date::yyyymmdd),
        session_tokens_max: SESSION_TOKENS_MAX_DEFAULT * u64::from(ruleset.tokens_per_pair()),
        epoch_id: *keys.epoch_id(),
        ruleset_digest: ruleset.digest(),
        public_key: keys.public_key(),
    };
    // First: where it cannot be opened, there is nothing to clear away.
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let unnamed = home.sets().join(format!("{}.new", to_hex(keys.epoch_id())));
    let set = builder.finish(&parameters, &unnamed)?;
    let path = set_path(&home.sets(), &set.offer().set_id);
    let now = unix_ms(SystemTime::now());
    let mut put_in_service = || {
        let named = std::fs::rename(&unnamed, &path).and_then(|()| crate::files::sync_directory(&home.sets()));
        named.map_err(|error| epochs::cannot_write(&path, &error))?;
        let entry = EpochEntry {
            verifier: peer.as_ref().map(|(_, fingerprint)| *fingerprint.as_bytes()),
            offer: set.offer().clone(),
            records: summary.rows,
            rejected: tally.total(),
            input_digest: Some(summary.sha256),
            policy: rules.policy,
            // From ledger time, which may be ahead: an epoch's days are counted in it.
            limits: rules.limits(now.max(ledger.time_unix_ms()?)),
            clock_unix_ms: now,
        };
        enter(home, &mut ledger, keys.epoch_id(), seed.as_ref(), &entry)
    };
    match put_in_service() {
        Ok(replaced) => {
            let (epoch, set_id) = (to_hex(keys.epoch_id()), to_hex(&set.offer().set_id));
            let booked = ledger.record_operator(&operator::account(), "seal", &format!("epoch {epoch}, set {set_id}"), now);
            // Also where the entry cannot be written: what was replaced is over.
            epochs::sweep(home, &ledger, replaced.as_ref())?;
            booked?;
        }
        Err(failure) => {
            let _ = std::fs::remove_file(&unnamed);
            // The failure is what the operator has to hear; what cannot be removed now, the next sweep removes.
            if let Err(error) = epochs::discard(home, &ledger, keys.epoch_id(), &set.offer().set_id) {
                tracing::warn!(error = error.what(), "what could not be put in service is not removed yet");
            }
            return Err(failure);
        }
    }
    Ok(Made { peer, set, kept: seed.is_none(), recalled, padding })
}

/// Enters a set: with its key, as a new epoch, or as the next set of the one that goes on. Gives the set that it then took the place of.
fn enter(
    home: &Home,
    ledger: &mut SqliteLedger,
    epoch_id: &[u8; 16],
    seed: Option<&EpochSeed>,
    entry: &EpochEntry,
) -> Result<Option<[u8; 32]>, Failure> {
    if let Some(seed) = seed {
        epochs::write_seed(home, epoch_id, seed)?;
        ledger.begin_epoch(entry).map_err(not_entered)?;
        return Ok(None);
    }
    ledger.replace_set(entry).map_err(not_entered)?;
    let earlier = ledger.earlier_sets()?.into_iter().rfind(|earlier| earlier.epoch_id == *epoch_id);
    Ok(earlier.map(|earlier| earlier.set_id))
}

fn not_entered(error: StoreError) -> Failure {
    match error {
        StoreError::Ledger(LedgerError::EpochEnded) => {
            Failure::input("epoch_ended", "the epoch ended while records were sealed under its key; nothing was put in service")
                .with_hint("seal again: it begins a new epoch")
        }
        StoreError::Ledger(LedgerError::PolicyChanged) => {
            Failure::input("policy_changed", "the policy changed while records were sealed: seal again; nothing was put in service")
                .with_hint("the new policy's dates, bounds and keeping of keys are what the epoch has to go by")
        }
        other => other.into(),
    }
}
