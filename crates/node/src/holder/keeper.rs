//! What `serve` does without being asked: epochs that are due, and what stops running sessions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use oblink_session::request::to_hex;
use oblink_store::Error as StoreError;
use oblink_store::ledger::{Due, SqliteLedger};
use tokio::sync::watch;

use super::epochs;
use super::policy;
use super::serve::{Shared, now};
use super::standing::Standing;
use crate::failure::Failure;
use crate::home::Home;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(500);

/// Looks again and again, on a connection of its own: readers of the ledger's file hold up nobody.
pub(super) async fn keep(shared: Arc<Shared>, standing: watch::Sender<Standing>) {
    let mut keeper = Keeper { shared, standing, ledger: None, told: BTreeSet::new(), failing: false };
    loop {
        tokio::time::sleep(EVERY).await;
        let looked = tokio::task::spawn_blocking(move || {
            keeper.look();
            keeper
        });
        match looked.await {
            Ok(back) => keeper = back,
            Err(_) => return tracing::error!("the task that ends epochs broke off: start serve again"),
        }
    }
}

/// What a connection of `serve` beside the sessions' keeps of the ledger in memory, in kibibytes.
const CACHE_KIB: u16 = 128;

/// A connection to the ledger beside the one that the sessions share.
///
/// # Errors
/// Exit 3: the ledger cannot be read.
pub(super) fn beside(home: &Home) -> Result<SqliteLedger, Failure> {
    let ledger = SqliteLedger::open(&home.ledger())?;
    ledger.cache_at_most(CACHE_KIB)?;
    Ok(ledger)
}

struct Keeper {
    shared: Arc<Shared>,
    standing: watch::Sender<Standing>,
    ledger: Option<SqliteLedger>,
    /// Epochs of which the operator was told why they do not end.
    told: BTreeSet<[u8; 16]>,
    failing: bool,
}

impl Keeper {
    fn look(&mut self) {
        match self.look_once() {
            Ok(()) => self.failing = false,
            Err(failure) => {
                if !std::mem::replace(&mut self.failing, true) {
                    self.shared.reporter.warn(&format!("the ledger cannot be looked at: {}", failure.what()));
                    failure.hint().into_iter().for_each(|hint| self.shared.reporter.help(hint));
                }
                self.ledger = None;
            }
        }
    }

    fn look_once(&mut self) -> Result<(), Failure> {
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => beside(&self.shared.home)?,
        };
        let ended = self.epochs(&mut ledger)?;
        let now = Standing::read(&ledger)?;
        self.standing.send_if_modified(|before| {
            let changed = *before != now;
            *before = now;
            changed
        });
        if ended {
            epochs::sweep(&self.shared.home, &ledger, None)?;
        }
        self.receipts(&ledger);
        // Of epochs that other commands ended as well.
        self.shared.epochs.forget_ended(&self.shared.home);
        self.ledger = Some(ledger);
        Ok(())
    }

    /// Copies of receipts that could not be written: whoever did not get to it has said so.
    fn receipts(&self, ledger: &SqliteLedger) {
        if self.shared.receipts.is_empty() {
            return;
        }
        match self.shared.receipts.write_owed(&self.shared.home, ledger) {
            Ok(written) => self.shared.reporter.note(&format!("copies of receipts are written that were not there yet: {written}")),
            Err(failure) => tracing::debug!(what = failure.what(), "receipts are still owed a copy"),
        }
    }

    /// Closes and ends what is due. Gives whether anything ended: then keys are to be destroyed.
    fn epochs(&mut self, ledger: &mut SqliteLedger) -> Result<bool, Failure> {
        let mut ended = false;
        for due in ledger.due_epochs(now())? {
            let epoch = &to_hex(&due.epoch_id)[..16];
            match due.due {
                Due::CloseByDate | Due::CloseByEvaluations => {
                    let grace_s = ledger
                        .policy_in_force()?
                        .map(policy::parse)
                        .transpose()?
                        .map_or(0, |in_force| in_force.policy.epoch().grace_seconds);
                    let at = now();
                    if ledger.close_epoch(&due.epoch_id, &due.reason, due.since_unix_ms.saturating_add(u64::from(grace_s) * 1_000), at)? {
                        self.shared.reporter.note(&format!("epoch {epoch} admits no session any more: {}", due.reason));
                    }
                }
                Due::End if due.unbooked > 0 => self.tell_unbooked(&due.epoch_id, due.unbooked),
                Due::End => match ledger.end_epoch(&due.epoch_id, &due.reason, false, now()) {
                    Ok(true) => {
                        ended = true;
                        self.shared.reporter.note(&format!(
                            "epoch {epoch} has ended: {}; its key and its set are deleted, as well as this disk can",
                            due.reason
                        ));
                    }
                    Ok(false) => {}
                    // One came between the look and the end.
                    Err(StoreError::Unbooked { sessions }) => self.tell_unbooked(&due.epoch_id, sessions),
                    Err(other) => return Err(other.into()),
                },
            }
        }
        Ok(ended)
    }

    fn tell_unbooked(&mut self, epoch_id: &[u8; 16], sessions: u64) {
        if self.told.insert(*epoch_id) {
            self.shared.reporter.warn(&format!(
                "epoch {} does not end: {sessions} of its sessions have matched tags that are not booked, and booking needs its key",
                &to_hex(epoch_id)[..16]
            ));
            self.shared.reporter.help("run `oblink-holder ledger account` for each, or `oblink-holder epoch end --unbooked`");
        }
    }
}
