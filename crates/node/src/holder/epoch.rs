//! `oblink-holder epoch end`: by hand, in good order (SPEC EPO-3).

use std::thread::sleep;
use std::time::{Duration, SystemTime};

use oblink_session::ledger::LedgerError;
use oblink_session::request::to_hex;
use oblink_store::Error as StoreError;
use oblink_store::ledger::{Due, EpochRow, SqliteLedger};
use serde_json::json;

use super::ledger::{label, time};
use super::policy::in_force;
use super::{epochs, operator};
use crate::cli::{EpochCommand, EpochEndArgs};
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::home::{Home, Role};
use crate::report::Reporter;

/// How often it looks whether the grace is over.
const EVERY: Duration = Duration::from_millis(250);

/// `oblink-holder epoch`.
///
/// # Errors
/// Exit 3: no such epoch, or one whose disclosures are not booked.
pub fn epoch(command: &EpochCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        EpochCommand::End(args) => end(args, reporter),
    }
}

fn now() -> u64 {
    unix_ms(SystemTime::now())
}

/// The epoch that is meant: by its id, by its verifier, or the only one.
fn which(args: &EpochEndArgs, home: &Home, ledger: &SqliteLedger) -> Result<EpochRow, Failure> {
    let current: Vec<EpochRow> = ledger.epochs()?.into_iter().filter(|row| row.ended.is_none()).collect();
    let verifier =
        args.peer.as_deref().map(|peer| home.peers()?.select(Some(peer)).map(|(_, fingerprint)| *fingerprint.as_bytes())).transpose()?;
    let meant = |row: &EpochRow| {
        args.epoch.is_none_or(|epoch| row.offer.descriptor.epoch_id == epoch)
            && verifier.is_none_or(|verifier| row.verifier == Some(verifier))
    };
    let mut found = current.into_iter().filter(meant);
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row),
        (None, _) => {
            Err(Failure::input("no_epoch", "there is no such current epoch").with_hint("see `ledger show` for the epochs and their ids"))
        }
        (Some(_), Some(_)) => {
            Err(Failure::input("which_epoch", "there are several current epochs")
                .with_hint("say which one with --peer LABEL or --epoch ID"))
        }
    }
}

fn end(args: &EpochEndArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    if !home.ledger().exists() {
        return Err(Failure::input("no_epoch", "nothing is sealed yet").with_hint("there is no epoch to end"));
    }
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    let row = which(args, &home, &ledger)?;
    let epoch_id = row.offer.descriptor.epoch_id;
    let unbooked = ledger.unbooked(&epoch_id)?.len();
    if unbooked > 0 && !args.unbooked {
        return Err(unbooked_failure(unbooked as u64));
    }
    let grace_s = in_force(&home, &ledger, None)?.map_or(0, |in_force| in_force.policy.epoch().grace_seconds);
    let (operator, at) = (operator::name(&args.operator), now());
    let grace_until = at.saturating_add(u64::from(grace_s) * 1_000);
    let id = to_hex(&epoch_id);
    let detail = if args.unbooked { format!("epoch {id}, even unbooked: {}", args.reason) } else { format!("epoch {id}: {}", args.reason) };
    ledger.record_operator(&operator, "epoch end", &detail, at)?;
    let closed = ledger.close_epoch(&epoch_id, &args.reason, grace_until, at).map_err(gone)?;
    let whom = row.verifier.map_or_else(|| Ok::<_, Failure>("nobody yet".to_owned()), |verifier| Ok(label(&home.peers()?, &verifier)))?;
    let ended = if args.no_wait { None } else { Some(wait_and_end(args, &home, &mut ledger, &epoch_id, reporter)?) };
    reporter.json(&json!({
        "epoch": id, "verifier": row.verifier.is_some().then_some(&whom), "closed": closed, "grace_until": time(grace_until),
        "ended": ended.is_some(), "key_destroyed": ended, "unbooked": unbooked, "operator": operator,
    }));
    reporter.answer(&match ended {
        Some(true) => format!("epoch {} of {whom} has ended: its key and its set are deleted, as well as this disk can (copies and old blocks are not in its reach)", &id[..16]),
        Some(false) => format!("epoch {} of {whom} has ended; its key's file could not be removed: remove {} by hand", &id[..16], home.epochs().display()),
        None => format!("epoch {} of {whom} admits no session any more; serve ends it by {}", &id[..16], time(grace_until)),
    });
    Ok(())
}

fn gone(error: StoreError) -> Failure {
    match error {
        StoreError::Ledger(LedgerError::EpochEnded) => Failure::input("no_epoch", "the epoch has ended already"),
        other => other.into(),
    }
}

fn unbooked_failure(sessions: u64) -> Failure {
    Failure::input("unbooked", format!("{sessions} sessions of the epoch have matched tags that are not booked, and booking needs its key"))
        .with_hint("book them with `ledger account`; or end it all the same with --unbooked")
}

/// Waits until no session runs, or the grace is over; then ends the epoch, unless `serve` did. Gives whether the key's file is gone.
fn wait_and_end(
    args: &EpochEndArgs,
    home: &Home,
    ledger: &mut SqliteLedger,
    epoch_id: &[u8; 16],
    reporter: &Reporter,
) -> Result<bool, Failure> {
    let mut told = false;
    loop {
        if ledger.epochs()?.iter().any(|row| row.offer.descriptor.epoch_id == *epoch_id && row.ended.is_some()) {
            break;
        }
        if ledger.due_epochs(now())?.iter().any(|due| due.epoch_id == *epoch_id && due.due == Due::End) {
            match ledger.end_epoch(epoch_id, &args.reason, args.unbooked, now()) {
                Ok(_) => break,
                Err(StoreError::Unbooked { sessions }) => return Err(unbooked_failure(sessions)),
                Err(other) => return Err(other.into()),
            }
        }
        if !std::mem::replace(&mut told, true) {
            reporter.note("waiting for running sessions, at most until the end of the policy's grace");
        }
        sleep(EVERY);
    }
    epochs::sweep(home, ledger, None)?;
    Ok(!epochs::has_seed(home, epoch_id))
}
