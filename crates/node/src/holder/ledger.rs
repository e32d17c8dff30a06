//! `oblink-holder ledger`: what was sealed, asked, delivered and refused. Counts, digests and times.

use std::time::{Duration, UNIX_EPOCH};

use oblink_quic::Fingerprint;
use oblink_session::error::RefusalCode;
use oblink_session::request::to_hex;
use oblink_store::ledger::{SessionState, SqliteLedger};
use serde_json::{Value, json};

use crate::cli::LedgerArgs;
use crate::date::{Date, rfc3339};
use crate::failure::Failure;
use crate::home::{Home, Peers, Role};
use crate::report::Reporter;

/// Deliveries and refusals shown.
const LATEST: u32 = 100;

fn time(unix_ms: u64) -> String {
    rfc3339(UNIX_EPOCH + Duration::from_millis(unix_ms))
}

fn label(peers: &Peers, verifier: &[u8; 32]) -> String {
    let fingerprint = Fingerprint::from_bytes(*verifier);
    peers.label_of(&fingerprint).map_or_else(|| fingerprint.to_string(), str::to_owned)
}

fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Open => "open",
        SessionState::Suspended => "suspended",
        SessionState::Complete => "complete",
    }
}

/// Prints the ledger: under `--json` one object a row, else lines for people on stdout.
///
/// # Errors
/// Exit 3: there is no ledger yet, or it cannot be read.
pub fn ledger(args: &LedgerArgs, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(&args.home.home, Role::Holder)?;
    let path = home.ledger();
    if !path.exists() {
        return Err(
            Failure::input("no_ledger", "there is no ledger yet: nothing was sealed and nobody asked").with_hint("run seal, then serve")
        );
    }
    let peers = home.peers()?;
    let ledger = SqliteLedger::open(&path)?;
    for epoch in ledger.epochs()? {
        let set = &epoch.offer.descriptor;
        let verifier = epoch.verifier.map(|verifier| label(&peers, &verifier));
        let object = json!({
            "entry": "epoch", "epoch": to_hex(&set.epoch_id), "verifier": verifier, "set_id": to_hex(&epoch.offer.set_id),
            "tags": set.tags, "records": epoch.records, "rejected": epoch.rejected, "input_sha256": epoch.input_digest.map(|digest| to_hex(&digest)),
            "begun": time(epoch.begun_unix_ms), "ended": epoch.ended.as_ref().map(|end| time(end.unix_ms)), "end_reason": epoch.ended.as_ref().map(|end| &end.reason),
            "sessions": epoch.sessions, "earlier_sets": epoch.earlier_sets, "charged_tokens": epoch.charged_tokens, "reserved_tokens": epoch.reserved_tokens,
        });
        let line = format!(
            "{}  epoch    {}  {} tags of {} records for {}; {} sessions, {} evaluations charged{}{}",
            time(epoch.begun_unix_ms),
            &to_hex(&set.epoch_id)[..16],
            set.tags,
            epoch.records,
            verifier.as_deref().unwrap_or("nobody yet"),
            epoch.sessions,
            epoch.charged_tokens,
            if epoch.earlier_sets > 0 { format!("; {} earlier sets under its key", epoch.earlier_sets) } else { String::new() },
            epoch.ended.as_ref().map_or_else(String::new, |end| format!("; ended {}: {}", time(end.unix_ms), end.reason)),
        );
        show(reporter, &object, &line);
    }
    for set in ledger.earlier_sets()? {
        let object = json!({
            "entry": "earlier_set", "epoch": to_hex(&set.epoch_id), "set_id": to_hex(&set.set_id), "set_bytes": set.set_bytes, "tags": set.tags,
            "as_of": Date::from_yyyymmdd(set.as_of).map(|date| date.to_string()), "records": set.records, "rejected": set.rejected, "input_sha256": set.input_digest.map(|digest| to_hex(&digest)),
            "sealed": time(set.sealed_unix_ms), "replaced": time(set.replaced_unix_ms),
        });
        let line = format!(
            "{}  set      {}  {} tags of {} records, of epoch {}; replaced {}",
            time(set.sealed_unix_ms),
            &to_hex(&set.set_id)[..16],
            set.tags,
            set.records,
            &to_hex(&set.epoch_id)[..16],
            time(set.replaced_unix_ms),
        );
        show(reporter, &object, &line);
    }
    for session in ledger.sessions()? {
        let verifier = label(&peers, &session.verifier);
        let object = json!({
            "entry": "session", "session": to_hex(&session.session_id), "request_id": to_hex(&session.request_id), "request_digest": to_hex(&session.request_digest),
            "epoch": to_hex(&session.epoch_id), "set_id": to_hex(&session.set_id), "verifier": verifier, "authority": "unsigned", "state": state(session.state), "pairs": session.pairs, "tokens": session.tokens,
            "charged_tokens": session.charged_tokens, "charged_batches": session.charged_batches, "batches": session.batches, "delivered_bytes": session.delivered_bytes,
            "opened": time(session.opened_unix_ms), "completed": session.completed_unix_ms.map(time), "acknowledged": session.acknowledged,
        });
        let line = format!(
            "{}  session  {}  {verifier} asked {} pairs, unsigned: {} ({} of {} evaluations charged{})",
            time(session.opened_unix_ms),
            &to_hex(&session.session_id)[..16],
            session.pairs,
            state(session.state),
            session.charged_tokens,
            session.tokens,
            if session.acknowledged { ", receipt signed by both" } else { "" },
        );
        show(reporter, &object, &line);
    }
    for delivery in ledger.deliveries(LATEST)? {
        let object = json!({
            "entry": "delivery", "session": to_hex(&delivery.session_id), "set_id": to_hex(&delivery.set_id), "bytes": delivery.bytes, "at": time(delivery.delivered_unix_ms),
        });
        let line = format!(
            "{}  delivery {}  set {}, {} bytes",
            time(delivery.delivered_unix_ms),
            &to_hex(&delivery.session_id)[..16],
            &to_hex(&delivery.set_id)[..16],
            delivery.bytes
        );
        show(reporter, &object, &line);
    }
    for refusal in ledger.refusals(LATEST)? {
        let verifier = refusal.verifier.map(|verifier| label(&peers, &verifier));
        let code = RefusalCode::from_u16(refusal.code).name();
        let object = json!({
            "entry": "refusal", "verifier": verifier, "code": code, "detail": refusal.detail, "count": refusal.count,
            "first": time(refusal.first_unix_ms), "at": time(refusal.refused_unix_ms),
        });
        let line = format!(
            "{}  refusal  {}: {code}: {}{}",
            time(refusal.refused_unix_ms),
            verifier.as_deref().unwrap_or("unknown"),
            refusal.detail,
            if refusal.count > 1 { format!(" ({} times since {})", refusal.count, time(refusal.first_unix_ms)) } else { String::new() },
        );
        show(reporter, &object, &line);
    }
    Ok(())
}

/// This command's data for people is its output: stdout.
fn show(reporter: &Reporter, object: &Value, line: &str) {
    if reporter.is_json() { reporter.json(object) } else { reporter.answer(line) }
}
