//! `ledger show`: what was sealed, asked, delivered, refused and decided. Counts, digests, times; no request's text.

use oblink_session::error::RefusalCode;
use oblink_session::request::to_hex;
use oblink_store::ledger::entries::EntryKind;
use oblink_store::ledger::{Scope, SessionState, SqliteLedger};
use serde_json::{Value, json};

use super::{label, time};
use crate::date::Date;
use crate::failure::Failure;
use crate::home::{Home, Peers};
use crate::report::Reporter;

/// Deliveries and refusals shown.
const LATEST: u32 = 100;

fn state(state: SessionState) -> &'static str {
    match state {
        SessionState::Open => "open",
        SessionState::Suspended => "suspended",
        SessionState::Complete => "complete",
    }
}

/// Prints the ledger: under `--json` one object a row, else lines for people on stdout.
pub(super) fn show(home: &Home, ledger: &SqliteLedger, reporter: &Reporter) -> Result<(), Failure> {
    let peers = home.peers()?;
    authority(ledger, &peers, reporter)?;
    sealed(ledger, &peers, reporter)?;
    asked(ledger, &peers, reporter)
}

/// Policies, suspensions, refused requests, operators' acts.
fn authority(ledger: &SqliteLedger, peers: &Peers, reporter: &Reporter) -> Result<(), Failure> {
    for policy in ledger.policies()? {
        let signers: Vec<&str> = policy.signers.iter().map(|signer| signer.principal.as_str()).collect();
        let object = json!({
            "entry": "policy", "policy": to_hex(&policy.digest), "previous": policy.previous.map(|digest| to_hex(&digest)), "signers": signers,
            "operator": policy.operator, "at": time(policy.applied_unix_ms), "seq": policy.seq,
        });
        let by = if signers.is_empty() { "a tightening".to_owned() } else { format!("signed by {}", signers.join(", ")) };
        let line =
            format!("{}  policy   {}  applied by {}; {by}", time(policy.applied_unix_ms), &to_hex(&policy.digest)[..16], policy.operator);
        print(reporter, &object, &line);
    }
    for row in ledger.suspensions()? {
        let whom = match row.scope {
            Scope::All => "all".to_owned(),
            Scope::Verifier(verifier) => label(peers, &verifier),
        };
        let object = json!({
            "entry": "suspension", "verifier": whom, "reason": row.reason, "operator": row.operator, "at": time(row.suspended_unix_ms),
            "resumed": row.resumed_unix_ms.map(time),
        });
        let line = format!(
            "{}  suspend  {whom}, by {}: {}{}",
            time(row.suspended_unix_ms),
            row.operator,
            row.reason,
            row.resumed_unix_ms.map_or_else(String::new, |at| format!("; resumed {}", time(at))),
        );
        print(reporter, &object, &line);
    }
    for row in ledger.refused_requests()? {
        let verifier = label(peers, &row.verifier);
        let object = json!({
            "entry": "request_denied", "request_digest": to_hex(&row.request_digest), "verifier": verifier, "reason": row.reason,
            "operator": row.operator, "at": time(row.denied_unix_ms),
        });
        let line = format!(
            "{}  denied   request {} of {verifier}, by {}: {}",
            time(row.denied_unix_ms),
            &to_hex(&row.request_digest)[..16],
            row.operator,
            row.reason
        );
        print(reporter, &object, &line);
    }
    for (kind, unix_ms, body) in acts(ledger)? {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (object, line) = match kind {
            EntryKind::Operator => (
                json!({ "entry": "operator", "action": text("action"), "detail": text("detail"), "operator": text("operator"), "at": time(unix_ms) }),
                format!("{}  operator {} by {}: {}", time(unix_ms), text("action"), text("operator"), text("detail")),
            ),
            _ => (
                json!({
                    "entry": "countersignature", "request_digest": text("request_digest"), "principal": text("principal"), "key": text("key"),
                    "at": time(unix_ms),
                }),
                format!(
                    "{}  signed   request {} by {} ({})",
                    time(unix_ms),
                    text("request_digest").get(..16).unwrap_or_default(),
                    text("principal"),
                    text("key")
                ),
            ),
        };
        print(reporter, &object, &line);
    }
    Ok(())
}

/// Operators' acts and countersignatures, which have no table that lists them all.
fn acts(ledger: &SqliteLedger) -> Result<Vec<(EntryKind, u64, Value)>, Failure> {
    let mut acts = Vec::new();
    ledger.entries(0, &mut |entry| {
        if matches!(entry.kind, EntryKind::Operator | EntryKind::Countersignature) {
            acts.push((entry.kind, entry.unix_ms, serde_json::from_str(entry.body).unwrap_or_default()));
        }
        Ok(())
    })?;
    Ok(acts)
}

/// Epochs and their sets.
fn sealed(ledger: &SqliteLedger, peers: &Peers, reporter: &Reporter) -> Result<(), Failure> {
    for epoch in ledger.epochs()? {
        let set = &epoch.offer.descriptor;
        let verifier = epoch.verifier.map(|verifier| label(peers, &verifier));
        let object = json!({
            "entry": "epoch", "epoch": to_hex(&set.epoch_id), "verifier": verifier, "set_id": to_hex(&epoch.offer.set_id),
            "tags": set.tags, "records": epoch.records, "rejected": epoch.rejected, "input_sha256": epoch.input_digest.map(|digest| to_hex(&digest)),
            "begun": time(epoch.begun_unix_ms), "ended": epoch.ended.as_ref().map(|end| time(end.unix_ms)), "end_reason": epoch.ended.as_ref().map(|end| &end.reason),
            "ends": epoch.limits.ends_unix_ms.map(time), "evaluations_max": epoch.limits.evaluations_max,
            "closing": epoch.closing.as_ref().map(|closing| json!({ "at": time(closing.unix_ms), "reason": closing.reason, "grace_until": time(closing.grace_until_unix_ms) })),
            "sessions": epoch.sessions, "earlier_sets": epoch.earlier_sets, "charged_tokens": epoch.charged_tokens, "reserved_tokens": epoch.reserved_tokens,
        });
        let line = format!(
            "{}  epoch    {}  {} tags of {} records for {}; {} sessions, {} evaluations charged{}{}{}",
            time(epoch.begun_unix_ms),
            &to_hex(&set.epoch_id)[..16],
            set.tags,
            epoch.records,
            verifier.as_deref().unwrap_or("nobody yet"),
            epoch.sessions,
            epoch.charged_tokens,
            if epoch.earlier_sets > 0 { format!("; {} earlier sets under its key", epoch.earlier_sets) } else { String::new() },
            match (&epoch.ended, &epoch.closing) {
                (None, Some(closing)) => format!("; closing since {}: {}", time(closing.unix_ms), closing.reason),
                _ => String::new(),
            },
            epoch.ended.as_ref().map_or_else(String::new, |end| format!("; ended {}: {}", time(end.unix_ms), end.reason)),
        );
        print(reporter, &object, &line);
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
        print(reporter, &object, &line);
    }
    Ok(())
}

/// Sessions, deliveries, refusals.
fn asked(ledger: &SqliteLedger, peers: &Peers, reporter: &Reporter) -> Result<(), Failure> {
    for session in ledger.sessions()? {
        let authority = if session.policy.is_some() { "signed" } else { "unsigned" };
        let disclosure = ledger.disclosure(&session.session_id)?;
        let verifier = label(peers, &session.verifier);
        let object = json!({
            "entry": "session", "session": to_hex(&session.session_id), "request_id": to_hex(&session.request_id), "request_digest": to_hex(&session.request_digest),
            "epoch": to_hex(&session.epoch_id), "set_id": to_hex(&session.set_id), "verifier": verifier, "authority": authority,
            "policy": session.policy.map(|digest| to_hex(&digest)), "disclosure": session.disclosure,
            "disclosed": disclosure.as_ref().map(|row| json!({ "matched": row.matched, "at": time(row.disclosed_unix_ms), "booked": row.booked })), "state": state(session.state), "pairs": session.pairs, "tokens": session.tokens,
            "charged_tokens": session.charged_tokens, "charged_batches": session.charged_batches, "batches": session.batches, "delivered_bytes": session.delivered_bytes,
            "opened": time(session.opened_unix_ms), "completed": session.completed_unix_ms.map(time), "acknowledged": session.acknowledged,
        });
        let line = format!(
            "{}  session  {}  {verifier} asked {} pairs, {authority}: {} ({} of {} evaluations charged{}{})",
            time(session.opened_unix_ms),
            &to_hex(&session.session_id)[..16],
            session.pairs,
            state(session.state),
            session.charged_tokens,
            session.tokens,
            if session.acknowledged { ", receipt signed by both" } else { "" },
            disclosure.map_or_else(String::new, |row| format!(", {} matched", row.matched)),
        );
        print(reporter, &object, &line);
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
        print(reporter, &object, &line);
    }
    for refusal in ledger.refusals(LATEST)? {
        let reason = Some(&refusal.reason).filter(|reason| !reason.is_empty());
        let verifier = refusal.verifier.map(|verifier| label(peers, &verifier));
        let code = RefusalCode::from_u16(refusal.code).name();
        let object = json!({
            "entry": "refusal", "verifier": verifier, "code": code, "detail": refusal.detail, "reason": reason, "count": refusal.count,
            "first": time(refusal.first_unix_ms), "at": time(refusal.refused_unix_ms),
        });
        let line = format!(
            "{}  refusal  {}: {code}: {}{}",
            time(refusal.refused_unix_ms),
            verifier.as_deref().unwrap_or("unknown"),
            reason.unwrap_or(&refusal.detail),
            if refusal.count > 1 { format!(" ({} times since {})", refusal.count, time(refusal.first_unix_ms)) } else { String::new() },
        );
        print(reporter, &object, &line);
    }
    Ok(())
}

/// This command's data for people is its output: stdout.
fn print(reporter: &Reporter, object: &Value, line: &str) {
    if reporter.is_json() { reporter.json(object) } else { reporter.answer(line) }
}
