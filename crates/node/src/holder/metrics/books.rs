//! What the ledger says, read on a connection of its own and kept for a moment: readers of its file hold up no session.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use oblink_session::limits::EPOCH_EVALUATIONS_MAX;
use oblink_store::ledger::{LogFigures, Scope, SqliteLedger};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::page::{Page, Value};
use super::{Labels, process};
use crate::failure::Failure;
use crate::holder::keeper;
use crate::holder::policy::{self, InForcePolicy};
use crate::holder::serve::{Shared, now};
use crate::home::Peers;

/// How old what was read may be.
const FRESH: Duration = Duration::from_secs(1);

/// An epoch that has not ended.
#[derive(Clone, Debug)]
struct EpochSeen {
    verifier: String,
    evaluations_left: u64,
    /// Seconds since 1970, where it has a date.
    ends_s: Option<u64>,
    admits: bool,
}

/// What was read at one time.
#[derive(Clone, Debug, Default)]
struct Seen {
    log: LogFigures,
    behind_ms: u64,
    /// Whether a policy is in force; `None` where its copies were edited, so that everybody is refused.
    policy: Option<bool>,
    /// Verifiers that are trusted, and whether they are suspended.
    verifiers: Vec<(String, bool)>,
    epochs: Vec<EpochSeen>,
    /// By verifier, span and what is counted.
    budgets: Vec<(String, &'static str, &'static str, u64)>,
}

/// Reads the ledger at most once in [`FRESH`].
#[derive(Debug)]
pub(super) struct Books {
    shared: Arc<Shared>,
    began: SystemTime,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    ledger: Option<SqliteLedger>,
    known_policy: Option<Arc<InForcePolicy>>,
    /// `None` where the ledger could not be read.
    seen: Option<Seen>,
    at: Option<Instant>,
}

impl Books {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, began: SystemTime::now(), kept: Mutex::default() }
    }

    /// Reads again what is no longer fresh.
    pub(super) fn look(&self) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.at.is_none_or(|at| at.elapsed() >= FRESH) {
            kept.seen = match self.read(&mut kept) {
                Ok(seen) => Some(seen),
                Err(error) => {
                    tracing::warn!(%error, "the ledger cannot be read for the metrics");
                    kept.ledger = None;
                    None
                }
            };
            kept.at = Some(Instant::now());
        }
    }

    fn read(&self, kept: &mut Kept) -> Result<Seen, Failure> {
        let ledger = match kept.ledger.take() {
            Some(ledger) => ledger,
            None => keeper::beside(&self.shared.home)?,
        };
        let peers = self.shared.home.peers()?;
        // Series of verifiers that have not come yet.
        peers.iter().for_each(|(label, _)| drop(self.shared.metrics.of(label)));
        let in_force = policy::in_force(&self.shared.home, &ledger, kept.known_policy.as_ref());
        let mut seen = Seen {
            log: ledger.figures()?,
            behind_ms: ledger.time_unix_ms()?.saturating_sub(now()),
            policy: in_force.as_ref().ok().map(Option::is_some),
            verifiers: verifiers(&ledger, &peers)?,
            epochs: epochs(&ledger, &peers)?,
            budgets: Vec::new(),
        };
        if let Ok(in_force) = in_force {
            if let Some(in_force) = &in_force {
                seen.budgets = budgets(&ledger, &peers, in_force)?;
            }
            kept.known_policy = in_force;
        }
        kept.ledger = Some(ledger);
        Ok(seen)
    }

    /// The ledger's files and their sizes, where they are there.
    fn files(&self) -> Vec<(Labels, Value)> {
        let ledger = self.shared.home.ledger();
        let beside = |suffix: &str| PathBuf::from(format!("{}{suffix}", ledger.display()));
        [("database", ledger.clone()), ("wal", beside("-wal"))]
            .into_iter()
            .filter_map(|(file, path)| Some((vec![("file", file.to_owned())], fs::metadata(path).ok()?.len().into())))
            .collect()
    }

    fn write(&self, page: &mut Page<'_>) -> Result<(), std::fmt::Error> {
        let version = vec![("version", env!("CARGO_PKG_VERSION").to_owned())];
        page.gauges("oblink_build_info", "This program's version", [(version, Value::Count(1))])?;
        process::write(page, self.began)?;
        page.gauges("oblink_ledger_bytes", "Bytes of the ledger's files", self.files())?;
        let seen = self.kept.lock().unwrap_or_else(PoisonError::into_inner).seen.clone();
        page.gauge("oblink_ledger_readable", "Whether the ledger could be read for these figures", seen.is_some())?;
        let Some(seen) = seen else { return Ok(()) };
        page.gauge("oblink_ledger_entries", "Entries of the log", seen.log.entries)?;
        page.gauge("oblink_ledger_signed_heads", "Heads of the log that went out signed", seen.log.heads)?;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let behind_s = seen.behind_ms as f64 / 1e3;
        page.gauge("oblink_clock_behind_ledger_seconds", "By how much this machine's clock is behind the ledger", behind_s)?;
        page.gauge("oblink_policy_copies_agree", "Whether the policy's copies are what the ledger has", seen.policy.is_some())?;
        if let Some(in_force) = seen.policy {
            page.gauge("oblink_policy_in_force", "1 under a policy, 0 in pilot mode", in_force)?;
        }
        let by = |verifier: &str| vec![("verifier", verifier.to_owned())];
        page.gauges(
            "oblink_verifier_suspended",
            "Whether a trusted verifier, or everybody, is suspended",
            seen.verifiers.iter().map(|(verifier, suspended)| (by(verifier), (*suspended).into())),
        )?;
        page.gauges(
            "oblink_epoch_admits",
            "Whether a verifier's epoch admits sessions",
            seen.epochs.iter().map(|epoch| (by(&epoch.verifier), epoch.admits.into())),
        )?;
        page.gauges(
            "oblink_epoch_evaluations_left",
            "Evaluations left in a verifier's epoch",
            seen.epochs.iter().map(|epoch| (by(&epoch.verifier), epoch.evaluations_left.into())),
        )?;
        page.gauges(
            "oblink_epoch_end_timestamp_seconds",
            "When a verifier's epoch ends by its date, seconds since 1970",
            seen.epochs.iter().filter_map(|epoch| Some((by(&epoch.verifier), epoch.ends_s?.into()))),
        )?;
        page.gauges(
            "oblink_policy_budget_left",
            "What the policy leaves to a verifier, in its window and in its epoch",
            seen.budgets.iter().map(|(verifier, span, what, left)| {
                let more = [("span", (*span).to_owned()), ("budget", (*what).to_owned())];
                (by(verifier).into_iter().chain(more).collect(), (*left).into())
            }),
        )
    }
}

impl Collector for Books {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        self.write(&mut Page(encoder))
    }
}

/// What the home calls a verifier; none has the name of one that is trusted no longer, so that it has no series.
fn label(peers: &Peers, verifier: &[u8; 32]) -> Option<String> {
    peers.iter().find(|(_, fingerprint)| fingerprint.as_bytes() == verifier).map(|(label, _)| label.to_owned())
}

fn verifiers(ledger: &SqliteLedger, peers: &Peers) -> Result<Vec<(String, bool)>, Failure> {
    let in_force: Vec<Scope> = ledger.suspensions()?.into_iter().filter(|row| row.resumed_unix_ms.is_none()).map(|row| row.scope).collect();
    let all = in_force.contains(&Scope::All);
    let is_suspended = |fingerprint: &[u8; 32]| all || in_force.contains(&Scope::Verifier(*fingerprint));
    Ok(peers.iter().map(|(label, fingerprint)| (label.to_owned(), is_suspended(fingerprint.as_bytes()))).collect())
}

/// An epoch that nobody has yet is under the empty label.
fn epochs(ledger: &SqliteLedger, peers: &Peers) -> Result<Vec<EpochSeen>, Failure> {
    let at = now().max(ledger.time_unix_ms()?);
    let rows = ledger.current_epochs()?.into_iter();
    let seen = rows.filter_map(|row| {
        let verifier = row.verifier.map_or_else(|| Some(String::new()), |verifier| label(peers, &verifier))?;
        let most = row.limits.evaluations_max.unwrap_or(u64::MAX).min(EPOCH_EVALUATIONS_MAX);
        Some(EpochSeen {
            verifier,
            evaluations_left: most.saturating_sub(row.charged_tokens.saturating_add(row.reserved_tokens)),
            ends_s: row.limits.ends_unix_ms.map(|ends| ends / 1_000),
            admits: row.closing.is_none() && row.limits.ends_unix_ms.is_none_or(|ends| at < ends),
        })
    });
    Ok(seen.collect())
}

fn budgets(
    ledger: &SqliteLedger,
    peers: &Peers,
    in_force: &InForcePolicy,
) -> Result<Vec<(String, &'static str, &'static str, u64)>, Failure> {
    let mut budgets = Vec::new();
    for verifier in in_force.policy.verifiers() {
        let Some(label) = label(peers, &verifier.fingerprint) else { continue };
        let left = ledger.budget_left(&verifier.fingerprint, &verifier.caps(), now())?;
        for (span, what, left) in [
            ("window", "requests", left.window_requests),
            ("window", "pairs", left.window_pairs),
            ("window", "tokens", left.window_tokens),
            ("epoch", "requests", left.epoch_requests),
            ("epoch", "pairs", left.epoch_pairs),
            ("epoch", "tokens", left.epoch_tokens),
        ] {
            budgets.push((label.clone(), span, what, left));
        }
    }
    Ok(budgets)
}
