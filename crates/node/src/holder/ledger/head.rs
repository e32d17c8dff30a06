//! Heads for witnesses: what somebody else keeps, so that a ledger that was put back or forked is found out (SPEC LED-3).
//!
//! A file of one line, canonical JSON: `certificate`, `format`, `holder`, `root`, `signature`, `size`, `unix_ms`.

use std::path::Path;

use oblink_quic::Fingerprint;
use oblink_session::head::LogHead;
use oblink_session::request::to_hex;
use oblink_store::ledger::SqliteLedger;
use serde_json::json;

use super::{signed_now, time};
use crate::cli::LedgerHeadArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::home::Home;
use crate::kept_head::{HEAD_FORMAT, HeadFault, HeadFile, KeptHead};
use crate::report::Reporter;

/// `ledger head`: the ledger as it is now.
pub(super) fn export(args: &LedgerHeadArgs, home: &Home, ledger: &mut SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let head = signed_now(home, ledger)?;
    let file = HeadFile {
        certificate: to_hex(home.statement_key().certificate()),
        format: HEAD_FORMAT.to_owned(),
        holder: to_hex(home.fingerprint().as_bytes()),
        root: to_hex(&head.head.root),
        signature: to_hex(&head.signature),
        size: head.head.size,
        unix_ms: head.unix_ms,
    };
    let text = serde_json::to_string(&file).map_err(|_| Failure::bug("a head does not serialise"))?;
    let path = &args.export;
    write_atomically(path, text.as_bytes())
        .map_err(|error| Failure::input("head_write", format!("cannot write {}: {}", path.display(), io_cause(&error))))?;
    reporter.json(
        &json!({ "head": path.display().to_string(), "size": head.head.size, "root": to_hex(&head.head.root), "at": time(head.unix_ms) }),
    );
    reporter.answer(&format!("head of {} entries, root {}\n  {}", head.head.size, to_hex(&head.head.root), path.display()));
    Ok(())
}

/// Reads a head that somebody kept: a witness's file, a verifier's, or a receipt. It must be by the holder's own signature that it is known.
///
/// # Errors
/// Exit 3, `head`: it cannot be read, or is none, or is a verifier's word alone; exit 6, `head_signature`: the holder did not sign it.
pub(super) fn read(path: &Path, holder: Fingerprint) -> Result<LogHead, Failure> {
    let bad = |what: &str| {
        Failure::input("head", format!("{}: {what}", path.display()))
            .with_hint("--head takes a file that `ledger head --export` wrote, a verifier's HOME/heads/FINGERPRINT.json, or a receipt")
    };
    match KeptHead::read(path, holder.as_bytes()) {
        Ok(KeptHead { head, signed: true }) => Ok(head),
        Ok(KeptHead { signed: false, .. }) => Err(bad("the holder's signature over this head is not in it")
            .with_hint("the head is in the receipt whose digest it names: give that receipt, of the same verifier's HOME/receipts/")),
        Err(HeadFault::Forged(what)) => Err(Failure::peer("head_signature", format!("{}: {what}", path.display()))
            .with_hint("nothing was compared with it: find out who gave it to you, and keep it")),
        Err(fault) => Err(bad(&fault.to_string())),
    }
}
