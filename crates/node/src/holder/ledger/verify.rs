//! `ledger verify`.

use oblink_quic::Fingerprint;
use oblink_session::request::to_hex;
use oblink_store::ledger::SqliteLedger;
use serde_json::json;

use super::{head, time, verified};
use crate::cli::LedgerVerifyArgs;
use crate::failure::Failure;
use crate::home::Home;
use crate::report::Reporter;

/// Recomputes the log, checks every signed head, holds the tables against the log and the log against the heads that witnesses have.
pub(super) fn verify(args: &LedgerVerifyArgs, home: &Home, ledger: &SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let own = home.fingerprint();
    if let Some(text) = &args.fingerprint {
        let known: Fingerprint = text.parse().map_err(|error| {
            Failure::input("fingerprint", format!("this is not a fingerprint: {error}"))
                .with_hint("a fingerprint is sixteen groups of four digits or letters a to f, as init printed it")
        })?;
        if known != own {
            return Err(Failure::peer("other_holder", "this home has another fingerprint: it is not that holder's ledger")
                .with_hint("find out whose home this is before anything in it is believed"));
        }
    }
    let witnesses = args.head.iter().map(|path| head::read(path, own)).collect::<Result<Vec<_>, _>>()?;
    let report = verified(home, ledger, &witnesses)?;
    reporter.json(&json!({
        "verified": true, "entries": report.head.size, "root": to_hex(&report.head.root), "heads": report.heads, "witnessed": report.witnessed,
        "imported": report.imported, "sessions": report.sessions, "charges": report.charges, "charged_tokens": report.charged_tokens,
        "latest": time(report.latest_unix_ms),
    }));
    reporter.answer(&format!(
        "the ledger is in order: {} entries under {} signed heads{}; {} sessions, {} batches, {} evaluations charged\nroot {}",
        report.head.size,
        report.heads,
        if report.witnessed > 0 { format!(" and {} of witnesses", report.witnessed) } else { String::new() },
        report.sessions,
        report.charges,
        report.charged_tokens,
        to_hex(&report.head.root),
    ));
    if report.witnessed == 0 {
        reporter.note(
            "a ledger that was put back to a copy of itself is in order by itself: only a head that somebody else kept shows it (--head)",
        );
    }
    Ok(())
}
