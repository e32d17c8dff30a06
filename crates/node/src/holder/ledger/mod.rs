//! `oblink-holder ledger`: what was sealed, asked, delivered, refused and decided; that it is whole; and what others get of it.

mod account;
mod export;
mod head;
mod show;
mod verify;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::statement::CertifiedKey;
use oblink_store::ledger::{SqliteLedger, VerifyReport};

use super::report;
use crate::cli::{LedgerArgs, LedgerCommand};
use crate::date::{rfc3339, unix_ms};
use crate::failure::Failure;
use crate::home::{Home, Peers, Role};
use crate::report::Reporter;
use crate::ruleset::HomeRulesets;

pub(super) fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

/// What messages call a verifier: its label, or the fingerprint of one that is trusted no longer.
pub(super) fn label(peers: &Peers, verifier: &[u8; 32]) -> String {
    let fingerprint = Fingerprint::from_bytes(*verifier);
    peers.label_of(&fingerprint).map_or_else(|| fingerprint.to_string(), str::to_owned)
}

/// `oblink-holder ledger`.
///
/// # Errors
/// Exit 3: there is no ledger yet, or it cannot be read, or a file is not in order; exit 6: it was tampered with.
pub fn ledger(args: &LedgerArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(args.home()?, Role::Holder)?;
    if !home.ledger().exists() {
        return Err(
            Failure::input("no_ledger", "there is no ledger yet: nothing was sealed and nobody asked").with_hint("run seal, then serve")
        );
    }
    let mut ledger = SqliteLedger::open(&home.ledger())?;
    match args.command.as_ref().unwrap_or(&LedgerCommand::Show) {
        LedgerCommand::Show => show::show(&home, &ledger, reporter),
        LedgerCommand::Verify(args) => verify::verify(args, &home, &ledger, reporter),
        LedgerCommand::Export(args) => export::export(args, &ledger, reporter),
        LedgerCommand::Extract(args) => export::extract(args, &home, &mut ledger, reporter),
        LedgerCommand::Head(args) => head::export(args, &home, &mut ledger, reporter),
        LedgerCommand::Report(args) => report::report(args, &home, &ledger, reporter),
        LedgerCommand::Account(args) => account::account(args, &home, &mut ledger, reporter),
        LedgerCommand::Disclosures(args) => account::disclosures(args, &home, &ledger, reporter),
    }
}

/// The key under which this home's ledger signs its heads.
fn own_key(home: &Home) -> Result<CertifiedKey, Failure> {
    CertifiedKey::check(home.statement_key().certificate(), home.fingerprint().as_bytes())
        .map_err(|_| Failure::bug("the statement key's own certificate does not verify"))
}

/// Verifies the whole ledger, and that it continues the heads that witnesses have.
///
/// # Errors
/// Exit 6, `ledger_tampered`: it is not what this holder wrote and signed.
pub(super) fn verified(home: &Home, ledger: &SqliteLedger, witnesses: &[LogHead]) -> Result<VerifyReport, Failure> {
    let rulesets = HomeRulesets::read(home)?;
    Ok(ledger.verify_by(&own_key(home)?, home.fingerprint().as_bytes(), witnesses, &rulesets)?)
}

/// The ledger as it is now, signed and kept.
fn signed_now(home: &Home, ledger: &mut SqliteLedger) -> Result<SignedHead, Failure> {
    use oblink_session::ledger::Ledger;
    let head = ledger.head()?;
    let now = unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?);
    let signed = SignedHead::sign(&home.statement_key(), home.fingerprint().as_bytes(), head, now);
    ledger.keep_head(&signed)?;
    Ok(signed)
}
