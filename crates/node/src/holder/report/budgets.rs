//! What each verifier used of its budget, step by step.

use oblink_session::authority::VerifierPolicy;
use oblink_store::ledger::SessionRow;

use super::chart::Step;
use super::page::Budget;
use crate::holder::ledger::time;
use crate::holder::policy::{InForcePolicy, used};

/// Something that changes what is used, or its cap.
enum Event {
    /// A request of so many pairs came.
    Asked(u64),
    /// It left the window.
    Left(u64),
    /// A policy came into force: so many days, so many pairs.
    Cap(Option<(u32, u64)>),
}

/// The budget of a verifier in the policy in force; `policies` are all there ever were, the oldest first.
pub(super) fn of_verifier(
    name: String,
    verifier: &VerifierPolicy,
    policies: &[InForcePolicy],
    sessions: &[SessionRow],
    current_epoch: Option<[u8; 16]>,
    now: u64,
) -> Budget {
    let own: Vec<&SessionRow> = sessions.iter().filter(|session| session.verifier == verifier.fingerprint).collect();
    let window_ms = verifier.caps().window_ms;
    let (used_steps, cap, table) = steps(verifier, policies, &own, window_ms, now);
    let begin = used_steps.iter().chain(&cap).map(|step| step.unix_ms).min().unwrap_or(now);
    let window = used(own.iter().copied(), Some(now.saturating_sub(window_ms)));
    let epoch = used(own.iter().copied().filter(|session| Some(session.epoch_id) == current_epoch), None);
    let days = verifier.window.days;
    Budget {
        verifier: name,
        days: days.into(),
        now: vec![
            (format!("requests in {days} days"), window.requests, verifier.window.requests_max),
            (format!("pairs in {days} days"), window.pairs, verifier.window.pairs_max),
            (format!("evaluations in {days} days"), window.tokens, verifier.window.tokens_max),
            ("requests in the epoch".to_owned(), epoch.requests, verifier.epoch.requests_max),
            ("pairs in the epoch".to_owned(), epoch.pairs, verifier.epoch.pairs_max),
            ("evaluations in the epoch".to_owned(), epoch.tokens, verifier.epoch.tokens_max),
        ],
        used: used_steps,
        cap,
        table,
        span: (begin, now),
        span_words: (time(begin), time(now)),
    }
}

type Steps = (Vec<Step>, Vec<Step>, Vec<(String, String, u64, Option<u64>)>);

/// The steps of both lines, and in words. The window is that of the policy in force, throughout.
fn steps(verifier: &VerifierPolicy, policies: &[InForcePolicy], own: &[&SessionRow], window_ms: u64, now: u64) -> Steps {
    let mut events: Vec<(u64, Event)> = Vec::new();
    for session in own {
        events.push((session.opened_unix_ms, Event::Asked(session.pairs)));
        let leaves = session.opened_unix_ms.saturating_add(window_ms);
        if leaves <= now {
            events.push((leaves, Event::Left(session.pairs)));
        }
    }
    for policy in policies {
        let cap = policy.policy.verifier(&verifier.fingerprint).map(|then| (then.window.days, then.window.pairs_max));
        events.push((policy.record.applied_unix_ms, Event::Cap(cap)));
    }
    // A stable sort: at one moment, in the order above.
    events.sort_by_key(|(unix_ms, _)| *unix_ms);
    let (mut used, mut cap) = (0_u64, None);
    let (mut used_steps, mut cap_steps, mut table) = (Vec::new(), Vec::new(), Vec::new());
    for (unix_ms, event) in events {
        let what = match event {
            Event::Asked(pairs) => {
                used += pairs;
                used_steps.push(Step { unix_ms, value: used });
                format!("a request of {pairs} pairs")
            }
            Event::Left(pairs) => {
                used -= pairs;
                used_steps.push(Step { unix_ms, value: used });
                format!("{pairs} pairs left the window")
            }
            Event::Cap(new) => {
                cap = new;
                cap_steps.push(Step { unix_ms, value: new.map_or(0, |(_, pairs)| pairs) });
                match new {
                    Some((days, pairs)) => format!("a policy: at most {pairs} pairs in {days} days"),
                    None => "a policy without this verifier".to_owned(),
                }
            }
        };
        table.push((time(unix_ms), what, used, cap.map(|(_, pairs)| pairs)));
    }
    (used_steps, cap_steps, table)
}
