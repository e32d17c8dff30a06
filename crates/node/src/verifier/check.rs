//! `oblink-verifier check`: a list in, one bit a pair out.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use oblink_linkage::Ruleset;
use oblink_quic::Fingerprint;
use oblink_session::request::to_hex;
use oblink_session::verifier::{Finished, VerifierContext};
use oblink_store::disk::RealDisk;
use oblink_store::sealed::forget_other_sets;
use serde_json::json;

use super::asking::{Asking, runtime};
use super::disclosure;
use super::dry_run::dry_run;
use super::heads::KnownHead;
use super::input::List;
use super::kept::KeptRun;
use super::line::{Answer, Work};
use super::progress::{Asked, Progress};
use super::question::{Prepared, prepare};
use super::request::directory::RequestDirectory;
use crate::cli::CheckArgs;
use crate::date::{Date, unix_ms};
use crate::failure::{Failure, io_cause};
use crate::files::{sweep, write_atomically};
use crate::frames::Traffic;
use crate::home::{Home, Role};
use crate::report::Reporter;
use crate::results::{Counts, Figure, META_FORMAT, Meaning, Outcome, OutputPlan, ResultsMeta};
use crate::usage::Usage;

/// Asks the holder about every pair of the list and writes the results: a row for every input row, in order. A run that broke off is gone on with.
///
/// # Errors
/// The contract's exit codes: 3 input, 4 refused, 5 unreachable, 6 the holder misbehaved or is not the pinned one. Then there are no results.
pub fn check(args: &CheckArgs, reporter: &Reporter) -> Result<(), Failure> {
    if args.dry_run {
        return dry_run(args, reporter);
    }
    let began = Instant::now();
    let home = &Home::open(&args.home.home, Role::Verifier)?;
    let peers = home.peers()?;
    let (label, pin) = peers.select(args.peer.as_deref())?;
    let plan = OutputPlan::prepare(&args.output, &args.csv.source())?;
    let directory = args.request.as_deref().map(RequestDirectory::open).transpose()?;
    let kept = KeptRun::open(args, home, directory.as_ref())?;
    if let Some(directory) = directory.as_ref().filter(|_| !kept.is_admitted())
        && is_settled(args, home, label, pin, directory, &plan, reporter)?
    {
        return kept.leave();
    }
    sweep_stale(home, &pin, &plan, directory.as_ref());
    let mut prepared = prepare(args, home, &pin, directory, kept, reporter)?;
    say_what_is_asked(&prepared.list, reporter);
    let context = Arc::new(VerifierContext { fingerprint: *home.fingerprint().as_bytes(), statement_key: home.statement_key() });
    let Some(question) = prepared.question.clone() else {
        reporter.warn("no row can be submitted: the holder was not asked");
        prepared.kept.leave()?;
        let told = Told { plan: &plan, list: &prepared.list, ruleset: prepared.ruleset, reporter, began };
        return told.write(&Found::default(), &Cost::default(), || Ok(()));
    };

    let opening = prepared.opening(&context, &pin)?;
    let Prepared { list, ruleset, blinder, directory, kept, .. } = prepared;
    let (tokens, batches) = (list.tokens.len() as u64, question.request().batches());
    let bar = reporter.count_bar("asking", tokens);
    let progress = Progress::new(kept, opening.run, opening.superseded, &context, tokens, bar)?;
    if progress.is_admitted() {
        reporter.note(&format!("going on with a run that broke off: {} of {batches} batches need not be asked again", progress.verified()));
    }
    let work = Work { list: Arc::new(list), blinder, sets: sets_of(home, pin), traffic: Arc::default(), progress };
    let asking = Asking {
        home,
        args,
        label,
        pin,
        context,
        question,
        hello: opening.hello,
        known: KnownHead::of(home, &pin),
        work: Arc::new(work),
        runtime: runtime()?,
        reporter,
    };
    let (answer, line) = match asking.earlier_answer() {
        Some(answer) => (answer, None),
        None => match asking.ask() {
            Ok((answer, line)) => (answer, Some(line)),
            Err(failure) => return Err(asking.give_up(failure)),
        },
    };
    asking.work.progress.hide_bar();
    // First: the receipt is what shows that the holder said this head.
    keep_receipt(home, directory.as_ref(), &answer)?;
    asking.known.keep_finished(&answer.finished, unix_ms(SystemTime::now()))?;
    // Of an answer that was kept, nobody knows here whether its set is still the current one.
    if line.is_some() {
        forget_old_sets(&answer);
    }
    let asked = asking.work.progress.take_asked();
    if asked.len() as u64 != tokens {
        return Err(Failure::bug("there are not as many tags as tokens"));
    }
    let found = look_up(answer, asked, asking.work.list.pairs, u64::from(ruleset.tokens_per_pair()))?;
    let mut owed = false;
    let told = Told { plan: &plan, list: &asking.work.list, ruleset, reporter, began };
    let cost = Cost { traffic: Some(&asking.work.traffic), progress: Some(&asking.work.progress) };
    told.write(&found, &cost, || {
        if let (Some(directory), Some(finished)) = (&directory, &found.finished) {
            let matched = found.matched.iter().filter(|matched| **matched).count() as u64;
            owed = disclosure::keep(directory, &home.statement_key(), finished, matched, found.tags.clone())?;
        }
        // Last, when receipt, results and what is owed are on the disk: whatever died before can be had again by the same command.
        asking.say_goodbye(line, found.finished.as_ref());
        Ok(())
    })?;
    asking.close()?;
    match &directory {
        Some(directory) if owed => {
            let frames = disclosure::pending(directory)?.unwrap_or_default();
            disclosure::settle(directory, &frames, home, args, pin).map_err(|failure| failure.with_context(label))?;
            reporter.note("the holder was told of the result what the request agrees to");
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Whether nothing is to be asked of a request: the results of an earlier check are written, and what it owed the holder for them, if anything, is
/// told now.
fn is_settled(
    args: &CheckArgs,
    home: &Home,
    label: &str,
    pin: Fingerprint,
    directory: &RequestDirectory,
    plan: &OutputPlan,
    reporter: &Reporter,
) -> Result<bool, Failure> {
    if let Some(frames) = disclosure::pending(directory)? {
        disclosure::settle(directory, &frames, home, args, pin).map_err(|failure| failure.with_context(label))?;
        reporter.json(&json!({ "disclosed": true }));
        reporter.answer("The holder was told what an earlier check of this request still owed it; it was asked nothing.");
        return Ok(true);
    }
    if disclosure::was_refused(directory) && args.output.exists() {
        reporter.json(&json!({ "disclosed": false, "results": plan.results() }));
        reporter.answer(&format!(
            "This request was answered before: the results are in {}. The holder refused what it was to be told of them, and is not told \
             again; it was asked nothing.",
            plan.results().display()
        ));
        return Ok(true);
    }
    Ok(false)
}

/// What checks that were killed left of files in the making, wherever this one will write.
fn sweep_stale(home: &Home, holder: &Fingerprint, plan: &OutputPlan, directory: Option<&RequestDirectory>) {
    sweep(plan.results());
    sweep(plan.meta());
    sweep(&home.directory().join("heads").join(format!("{}.json", to_hex(holder.as_bytes()))));
    if let Some(directory) = directory {
        sweep(&directory.path().join("disclosure.pending"));
    }
}

/// What the session found.
#[derive(Default)]
struct Found {
    /// `None` where nobody was asked.
    finished: Option<Finished>,
    /// For each pair.
    matched: Vec<bool>,
    /// The tags by which they matched.
    tags: Vec<u128>,
}

/// Looks up what came out in the holder's set: only now, with the receipt in hand (SPEC END-5). Of a pair's tokens it goes no further which of them
/// agreed, but by a disclosure that was agreed.
fn look_up(answer: Answer, mut asked: Asked, pairs: u64, per_pair: u64) -> Result<Found, Failure> {
    let Answer { finished, set } = answer;
    // Padding is of nobody: what agreed with it would be chance (SPEC PAD-3).
    asked.retain(|(_, token)| token / per_pair < pairs);
    let tokens = set.join(&mut asked)?;
    let tags = asked.iter().filter(|(_, token)| tokens.binary_search(token).is_ok()).map(|(tag, _)| tag.0).collect();
    let mut matched = vec![false; pairs as usize];
    for token in tokens {
        if let Some(pair) = matched.get_mut((token / per_pair) as usize) {
            *pair = true;
        }
    }
    Ok(Found { finished: Some(finished), matched, tags })
}

fn rows(count: u64) -> String {
    format!("{count} row{}", if count == 1 { "" } else { "s" })
}

fn say_what_is_asked(list: &List, reporter: &Reporter) {
    let left_out = list.summary.rows - list.pairs;
    reporter.note(&format!("{}: {} to submit, {left_out} not", rows(list.summary.rows), list.pairs));
    if list.padding > 0 {
        reporter.note(&format!("{} pairs of padding are asked after them, and charged like any other", list.padding));
    }
    if list.duplicate_ids > 0 {
        let (count, verb) = (rows(list.duplicate_ids), if list.duplicate_ids == 1 { "repeats" } else { "repeat" });
        reporter.warn(&format!("{count} {verb} an id of an earlier row: tell results apart by `row`"));
    }
}

/// Where the sets of one holder are kept.
fn sets_of(home: &Home, holder: Fingerprint) -> PathBuf {
    home.sets().join(to_hex(holder.as_bytes()))
}

/// A holder has one set for this verifier at a time. The one of an epoch that has ended could still be tested against guesses by whoever
/// gets at this disk and breaks discrete logarithms, so it goes.
fn forget_old_sets(answer: &Answer) {
    let Some(directory) = answer.set.path().parent() else { return };
    if let Err(error) = forget_other_sets(&RealDisk, directory, &answer.set.offer().set_id) {
        tracing::warn!(%error, "an old set could not be removed: remove it by hand");
    }
}

fn keep_receipt(home: &Home, directory: Option<&RequestDirectory>, answer: &Answer) -> Result<(), Failure> {
    let json = answer.finished.receipt().to_json();
    let own = home.receipts().join(format!("{}.json", to_hex(&answer.finished.facts().session_id())));
    for path in std::iter::once(own).chain(directory.map(RequestDirectory::receipt)) {
        sweep(&path);
        write_atomically(&path, json.as_bytes()).map_err(|error| {
            Failure::input("receipt_write", format!("cannot write {}: {}", path.display(), io_cause(&error))).with_hint(
                "make room on that disk, or let this user write there; then run the same command again: the holder need not be asked again",
            )
        })?;
    }
    Ok(())
}

/// What is said of results, and of what.
struct Told<'a> {
    plan: &'a OutputPlan,
    list: &'a List,
    ruleset: &'a Ruleset,
    reporter: &'a Reporter,
    began: Instant,
}

/// What the answer cost; nothing where nobody was asked.
#[derive(Default)]
struct Cost<'a> {
    traffic: Option<&'a Traffic>,
    progress: Option<&'a Progress>,
}

impl Told<'_> {
    /// Writes the results; then `settle`s what is still to be said on the line; then reports, with all that went over it.
    fn write(&self, found: &Found, line: &Cost<'_>, settle: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        let &Self { plan, list, ruleset, reporter, began } = self;
        let Found { finished, matched, .. } = found;
        let mut writer = plan.begin()?;
        let mut outcomes = matched.iter();
        for (number, id, reason) in list.rows() {
            let outcome = match reason {
                Some(reason) => Outcome::NotSubmitted(reason),
                None if outcomes.next() == Some(&true) => Outcome::Match,
                None => Outcome::NoMatch,
            };
            writer.write(number, id, outcome)?;
        }
        let facts = finished.as_ref().map(Finished::facts);
        let session = facts.map(|facts| to_hex(&facts.session_id()));
        let set_id = facts.map(|facts| to_hex(&facts.offer.set_id));
        let as_of = facts.and_then(|facts| Date::from_yyyymmdd(facts.offer.descriptor.as_of)).map(|date| date.to_string());
        let authority = facts.map_or("unsigned", |facts| facts.authority.as_str());
        let receipt_digest = finished.as_ref().map(|finished| to_hex(&finished.receipt().digest()));
        let (class, tokens_per_pair, measured) = (ruleset.class().as_str(), ruleset.tokens_per_pair(), Figure::all_of(ruleset));
        let counts = writer.finish(|counts| ResultsMeta {
            format: META_FORMAT,
            session: session.clone(),
            set_id: set_id.clone(),
            as_of: as_of.clone(),
            ruleset: ruleset.name().to_owned(),
            class: class.to_owned(),
            tokens_per_pair,
            measured: measured.clone(),
            counts,
            receipt_digest: receipt_digest.clone(),
            authority: authority.to_owned(),
            input_sha256: to_hex(&list.summary.sha256),
            meaning: Meaning::of(class, tokens_per_pair, !measured.is_empty()),
        })?;
        settle()?;
        say_results(&counts, plan, reporter);
        let (totals, usage) = (line.traffic.map(Traffic::totals).unwrap_or_default(), Usage::of_this_process());
        reporter.json(&json!({
            "session": session,
            "set_id": set_id,
            "as_of": as_of,
            "ruleset": ruleset.name(),
            "class": class,
            "tokens_per_pair": tokens_per_pair,
            "authority": authority,
            "rows": counts.rows,
            "submitted": counts.submitted,
            "padding": list.padding,
            "match": counts.matched,
            "no_match": counts.no_match,
            "not_submitted": counts.not_submitted,
            "receipt_digest": receipt_digest,
            "results": plan.results(),
            "meta": plan.meta(),
            "bytes_up": totals.sent,
            "bytes_down": totals.received,
            "set_bytes": totals.set,
            "resumed_batches": line.progress.map_or(0, |progress| progress.resumed),
            "reconnects": line.progress.map_or(0, Progress::reconnects),
            "session_s": began.elapsed().as_secs_f64(),
            "cpu_s": usage.cpu_s,
            "peak_rss_mb": usage.peak_rss_mb,
        }));
        Ok(())
    }
}

fn say_results(counts: &Counts, plan: &OutputPlan, reporter: &Reporter) {
    let not_submitted: u64 = counts.not_submitted.values().sum();
    reporter.answer(&format!(
        "{} match, {} no_match, {not_submitted} not_submitted; results in {}",
        counts.matched,
        counts.no_match,
        plan.results().display()
    ));
    if counts.no_match > 0 {
        reporter.note("no_match means \"not confirmed\": it does not say that the person or the address is not there");
    }
}
