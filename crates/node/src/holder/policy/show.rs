//! `policy show`: what is in force, by whose word, and how far its budgets are used.

use std::path::Path;
use std::time::SystemTime;

use oblink_quic::Fingerprint;
use oblink_session::authority::VerifierPolicy;
use oblink_session::request::to_hex;
use oblink_store::ledger::{Scope, SessionRow, SessionState, SqliteLedger};
use serde_json::{Value, json};

use super::{InForcePolicy, copies, ledger_if_any, officials_of, parse};
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::holder::ledger::{label, time};
use crate::home::{Home, Peers, Role};
use crate::report::Reporter;

/// What a verifier has used of a budget.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::holder) struct Used {
    pub(in crate::holder) requests: u64,
    pub(in crate::holder) pairs: u64,
    /// Charged, or reserved by sessions that are open. What an older session was charged counts whole where some of it fell into the window:
    /// never less than the ledger counts.
    pub(in crate::holder) tokens: u64,
}

/// What the sessions have used that were opened after `since` (milliseconds since 1970), or that were at work after it.
pub(in crate::holder) fn used<'a>(sessions: impl Iterator<Item = &'a SessionRow>, since: Option<u64>) -> Used {
    let mut used = Used::default();
    for session in sessions {
        let opened = since.is_none_or(|since| session.opened_unix_ms > since);
        if opened {
            used.requests += 1;
            used.pairs += session.pairs;
        }
        let reserved = if session.state == SessionState::Open { session.tokens - session.charged_tokens } else { 0 };
        if opened || since.is_some_and(|since| session.changed_unix_ms > since) || reserved > 0 {
            used.tokens += session.charged_tokens + reserved;
        }
    }
    used
}

/// Shows it.
pub(super) fn show(home: &Path, reporter: &Reporter) -> Result<(), Failure> {
    let home = Home::open(home, Role::Holder)?;
    let ledger = ledger_if_any(&home)?;
    let record = ledger.as_ref().map(SqliteLedger::policy_in_force).transpose()?.flatten();
    // Shown all the same, since it says what would be right.
    let edited = copies::agree(&home, record.as_ref()).err();
    let peers = home.peers()?;
    let in_force = record.map(parse).transpose()?;
    let suspended = suspended(ledger.as_ref(), &peers)?;
    let verifiers = match (&in_force, &ledger) {
        (Some(in_force), Some(ledger)) => verifiers(in_force, ledger, &peers)?,
        _ => Vec::new(),
    };
    let holder = in_force.as_ref().map(|in_force| in_force.policy.holder());
    let signers = |in_force: &InForcePolicy| {
        in_force.record.signers.iter().map(|signer| json!({ "principal": signer.principal, "key": signer.key })).collect::<Vec<_>>()
    };
    reporter.json(&json!({
        "policy": in_force.as_ref().map(|in_force| to_hex(&in_force.record.digest)),
        "pilot": in_force.is_none(),
        "applied": in_force.as_ref().map(|in_force| time(in_force.record.applied_unix_ms)),
        "operator": in_force.as_ref().map(|in_force| &in_force.record.operator),
        "signers": in_force.as_ref().map(signers),
        "previous": in_force.as_ref().and_then(|in_force| in_force.record.previous).map(|digest| to_hex(&digest)),
        "copies": if edited.is_some() { "edited" } else { "identical" },
        "officials": holder.map(|holder| &holder.officials),
        "policy_signatures_min": holder.map(|holder| holder.policy_signatures_min),
        "countersignatures_min": holder.map(|holder| holder.countersignatures_min),
        "suspended": suspended.iter().map(|(object, _)| object).collect::<Vec<_>>(),
        "verifiers": verifiers.iter().map(|(object, _)| object).collect::<Vec<_>>(),
    }));
    let mut lines = Vec::new();
    match &in_force {
        None => lines.push(format!(
            "no policy is in force: pilot mode; trusted verifiers may ask unsigned, up to {} pairs a session",
            home.config().pilot.pairs_max
        )),
        Some(in_force) => {
            let record = &in_force.record;
            lines.push(format!("policy {}", to_hex(&record.digest)));
            lines.push(format!("  in force since {}, applied by {}", time(record.applied_unix_ms), record.operator));
            let names: Vec<&str> = record.signers.iter().map(|signer| signer.principal.as_str()).collect();
            lines.push(if names.is_empty() {
                "  a tightening: nobody had to sign".to_owned()
            } else {
                format!("  signed by {}", names.join(", "))
            });
            lines.push(format!("  changed by {}", officials_of(&in_force.policy)));
            lines.push(format!("  requests countersigned by {} of them", in_force.policy.holder().countersignatures_min));
        }
    }
    lines.extend(suspended.into_iter().map(|(_, line)| line));
    lines.extend(verifiers.into_iter().flat_map(|(_, lines)| lines));
    reporter.answer(&lines.join("\n"));
    edited.map_or(Ok(()), Err)
}

fn suspended(ledger: Option<&SqliteLedger>, peers: &Peers) -> Result<Vec<(Value, String)>, Failure> {
    let rows = ledger.map(SqliteLedger::suspensions).transpose()?.unwrap_or_default();
    let in_force = rows.into_iter().filter(|row| row.resumed_unix_ms.is_none());
    Ok(in_force
        .map(|row| {
            let whom = match row.scope {
                Scope::All => "all".to_owned(),
                Scope::Verifier(fingerprint) => label(peers, &fingerprint),
            };
            let object = json!({ "verifier": whom, "since": time(row.suspended_unix_ms), "reason": row.reason, "operator": row.operator });
            (object, format!("SUSPENDED: {whom}, since {}, by {}: {}", time(row.suspended_unix_ms), row.operator, row.reason))
        })
        .collect())
}

fn verifiers(in_force: &InForcePolicy, ledger: &SqliteLedger, peers: &Peers) -> Result<Vec<(Value, Vec<String>)>, Failure> {
    let sessions = ledger.sessions()?;
    let now = unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?);
    in_force.policy.verifiers().map(|verifier| one(verifier, &sessions, now, ledger, peers)).collect()
}

fn one(
    verifier: &VerifierPolicy,
    sessions: &[SessionRow],
    now: u64,
    ledger: &SqliteLedger,
    peers: &Peers,
) -> Result<(Value, Vec<String>), Failure> {
    let own = || sessions.iter().filter(|session| session.verifier == verifier.fingerprint);
    let window = used(own(), Some(now.saturating_sub(verifier.caps().window_ms)));
    let row = ledger.current_epoch(&verifier.fingerprint)?.filter(|row| row.verifier == Some(verifier.fingerprint));
    let epoch_id = row.as_ref().map(|row| row.offer.descriptor.epoch_id);
    let epoch = used(own().filter(|session| Some(session.epoch_id) == epoch_id), None);
    let of = |used: u64, max: u64| json!({ "used": used, "max": max });
    let object = json!({
        "verifier": label(peers, &verifier.fingerprint),
        "fingerprint": Fingerprint::from_bytes(verifier.fingerprint).to_string(),
        "name": verifier.name,
        "officials": verifier.officials,
        "signatures_min": verifier.signatures_min,
        "rulesets": verifier.rulesets,
        "pairs_per_request_max": verifier.pairs_per_request_max,
        "tokens_per_request_max": verifier.tokens_per_request_max,
        "window": {
            "days": verifier.window.days,
            "requests": of(window.requests, verifier.window.requests_max),
            "pairs": of(window.pairs, verifier.window.pairs_max),
            "tokens": of(window.tokens, verifier.window.tokens_max),
        },
        "epoch": {
            "epoch": epoch_id.map(|id| to_hex(&id)),
            "requests": of(epoch.requests, verifier.epoch.requests_max),
            "pairs": of(epoch.pairs, verifier.epoch.pairs_max),
            "tokens": of(epoch.tokens, verifier.epoch.tokens_max),
        },
    });
    let officials: Vec<&str> = verifier.officials.iter().map(String::as_str).collect();
    let lines = vec![
        format!("{} ({})", label(peers, &verifier.fingerprint), verifier.name),
        format!("  signed by {} of {}", verifier.signatures_min, officials.join(", ")),
        format!(
            "  {} days: {} of {} requests, {} of {} pairs, {} of {} evaluations",
            verifier.window.days,
            window.requests,
            verifier.window.requests_max,
            window.pairs,
            verifier.window.pairs_max,
            window.tokens,
            verifier.window.tokens_max
        ),
        format!(
            "  this epoch: {} of {} requests, {} of {} pairs, {} of {} evaluations",
            epoch.requests, verifier.epoch.requests_max, epoch.pairs, verifier.epoch.pairs_max, epoch.tokens, verifier.epoch.tokens_max
        ),
    ];
    Ok((object, lines))
}
