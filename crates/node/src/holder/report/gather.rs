//! Out of the ledger into the page's own terms.

use std::collections::BTreeMap;
use std::time::SystemTime;

use oblink_session::error::RefusalCode;
use oblink_session::request::{Request, to_hex};
use oblink_store::ledger::entries::{Countersignature, EntryKind, Operator, SignerBody};
use oblink_store::ledger::{Scope, SessionRow, SessionState, SqliteLedger, VerifyReport};

use super::budgets;
use super::html::Cell;
use super::page::{Listing, Page, RequestLine};
use crate::date::{Date, unix_ms};
use crate::failure::Failure;
use crate::holder::ledger::{label, time};
use crate::holder::policy::{InForcePolicy, parse};
use crate::home::{Home, Peers};

/// What there is none of.
const NONE: &str = "–";

/// The whole page.
pub(super) fn page(home: &Home, ledger: &SqliteLedger, whole: &VerifyReport) -> Result<Page, Failure> {
    let peers = home.peers()?;
    let now = unix_ms(SystemTime::now()).max(ledger.time_unix_ms()?);
    let policies = ledger.policies()?.into_iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    let sessions = ledger.sessions()?;
    let log = Log::read(ledger)?;
    let mut signed = Signed::default();
    let requests = sessions.iter().map(|session| request(ledger, &peers, session, &mut signed)).collect::<Result<Vec<_>, Failure>>()?;
    for policy in &policies {
        signed.count(&policy.record.signers, |counts| &mut counts.policies);
    }
    for entry in &log.countersignatures {
        signed.one("holder", &entry.principal, &entry.key).countersigned += 1;
    }
    let mut all_budgets = Vec::new();
    if let Some(in_force) = policies.last() {
        for verifier in in_force.policy.verifiers() {
            let epoch = ledger.current_epoch(&verifier.fingerprint)?.filter(|row| row.verifier == Some(verifier.fingerprint));
            let epoch_id = epoch.map(|row| row.offer.descriptor.epoch_id);
            all_budgets.push(budgets::of_verifier(label(&peers, &verifier.fingerprint), verifier, &policies, &sessions, epoch_id, now));
        }
    }
    let policy = policies.last().map_or_else(
        || "none: pilot mode, unsigned requests are admitted".to_owned(),
        |in_force| format!("{}, in force since {}", to_hex(&in_force.record.digest), time(in_force.record.applied_unix_ms)),
    );
    Ok(Page {
        holder: home.config().name.clone(),
        fingerprint: home.fingerprint().to_string(),
        generated: time(now),
        entries: whole.head.size,
        heads: whole.heads,
        root: to_hex(&whole.head.root),
        policy,
        requests,
        budgets: all_budgets,
        listings: vec![
            refusals(ledger, &peers)?,
            signed.listing(),
            policies_listing(&policies),
            suspensions(ledger, &peers)?,
            denied(ledger, &peers)?,
            epochs(ledger, &peers)?,
            deliveries(&sessions, &peers),
            disclosures(ledger, &sessions, &peers)?,
            operators(&log),
        ],
    })
}

/// Entries that no table lists.
#[derive(Default)]
struct Log {
    countersignatures: Vec<Countersignature>,
    operators: Vec<(u64, Operator)>,
}

impl Log {
    fn read(ledger: &SqliteLedger) -> Result<Self, Failure> {
        let mut log = Self::default();
        ledger.entries(0, &mut |entry| {
            // The ledger was verified: a body is what its kind says.
            match entry.kind {
                EntryKind::Countersignature => log.countersignatures.extend(serde_json::from_str::<Countersignature>(entry.body).ok()),
                EntryKind::Operator => log.operators.extend(serde_json::from_str(entry.body).ok().map(|body| (entry.unix_ms, body))),
                _ => {}
            }
            Ok(())
        })?;
        Ok(log)
    }
}

/// What an official signed.
#[derive(Default)]
struct Counts {
    requests: u64,
    countersigned: u64,
    policies: u64,
}

/// Officials, by side, name and key.
#[derive(Default)]
struct Signed(BTreeMap<(String, String, String), Counts>);

impl Signed {
    fn one(&mut self, side: &str, principal: &str, key: &str) -> &mut Counts {
        self.0.entry((side.to_owned(), principal.to_owned(), key.to_owned())).or_default()
    }

    fn count(&mut self, signers: &[SignerBody], of: impl Fn(&mut Counts) -> &mut u64) {
        for signer in signers {
            *of(self.one(&signer.side, &signer.principal, &signer.key)) += 1;
        }
    }

    fn listing(self) -> Listing {
        let rows = self.0.into_iter().map(|((side, principal, key), counts)| {
            vec![
                principal.into(),
                side.into(),
                Cell::Code(key),
                counts.requests.into(),
                counts.countersigned.into(),
                counts.policies.into(),
            ]
        });
        Listing {
            id: "signers",
            heading: "Signers",
            caption: "Officials whose signatures counted",
            headings: &["official", "side", "key", "requests admitted", "countersignatures filed", "policies"],
            rows: rows.collect(),
        }
    }
}

fn state(session: &SessionRow) -> &'static str {
    match session.state {
        SessionState::Open => "open",
        SessionState::Suspended => "interrupted",
        SessionState::Complete if session.acknowledged => "complete, receipt signed by both",
        SessionState::Complete => "complete",
    }
}

fn request(ledger: &SqliteLedger, peers: &Peers, session: &SessionRow, signed: &mut Signed) -> Result<RequestLine, Failure> {
    let acceptance = ledger.acceptance(&session.session_id)?;
    let parsed = acceptance.as_ref().and_then(|accepted| Request::parse(accepted.request.as_bytes()).ok());
    let manifest = parsed.as_ref().and_then(Request::manifest);
    let text = |of: Option<&String>| of.cloned().unwrap_or_else(|| NONE.to_owned());
    let signers = acceptance.as_ref().map(|accepted| accepted.signers.as_slice()).unwrap_or_default();
    let verifiers: Vec<SignerBody> = signers.iter().filter(|signer| signer.side == "verifier").cloned().collect();
    signed.count(&verifiers, |counts| &mut counts.requests);
    let names: Vec<&str> = signers.iter().map(|signer| signer.principal.as_str()).collect();
    Ok(RequestLine {
        opened: time(session.opened_unix_ms),
        verifier: label(peers, &session.verifier),
        name: text(manifest.map(|manifest| &manifest.verifier_name)),
        purpose: text(manifest.map(|manifest| &manifest.purpose)),
        legal_basis: text(manifest.map(|manifest| &manifest.legal_basis)),
        authority: if session.policy.is_some() { "signed" } else { "unsigned" }.to_owned(),
        signers: if names.is_empty() { NONE.to_owned() } else { names.join(", ") },
        pairs: session.pairs,
        charged: session.charged_tokens,
        state: state(session).to_owned(),
        request_id: to_hex(&session.request_id),
    })
}

/// Refusals by code and reason.
fn refusals(ledger: &SqliteLedger, peers: &Peers) -> Result<Listing, Failure> {
    let rows = ledger.refusals(u32::MAX)?.into_iter().map(|row| {
        vec![
            RefusalCode::from_u16(row.code).name().into(),
            row.verifier.map_or_else(|| NONE.to_owned(), |verifier| label(peers, &verifier)).into(),
            row.count.into(),
            time(row.first_unix_ms).into(),
            time(row.refused_unix_ms).into(),
            if row.reason.is_empty() { row.detail } else { row.reason }.into(),
        ]
    });
    Ok(Listing {
        id: "refusals",
        heading: "Refusals",
        caption: "Refusals by reason",
        headings: &["code", "verifier", "count", "first", "latest", "why"],
        rows: rows.collect(),
    })
}

fn policies_listing(policies: &[InForcePolicy]) -> Listing {
    let rows = policies.iter().map(|policy| {
        let names: Vec<&str> = policy.record.signers.iter().map(|signer| signer.principal.as_str()).collect();
        vec![
            time(policy.record.applied_unix_ms).into(),
            Cell::Code(to_hex(&policy.record.digest)),
            policy.record.operator.as_str().into(),
            if names.is_empty() { "nobody: it only tightens".to_owned() } else { names.join(", ") }.into(),
            (policy.policy.verifiers().len() as u64).into(),
        ]
    });
    Listing {
        id: "policies",
        heading: "Policies",
        caption: "Policies that came into force",
        headings: &["when", "policy", "applied by", "signed by", "verifiers"],
        rows: rows.collect(),
    }
}

fn suspensions(ledger: &SqliteLedger, peers: &Peers) -> Result<Listing, Failure> {
    let rows = ledger.suspensions()?.into_iter().map(|row| {
        let whom = match row.scope {
            Scope::All => "all".to_owned(),
            Scope::Verifier(fingerprint) => label(peers, &fingerprint),
        };
        let resumed = row.resumed_unix_ms.map_or_else(|| "in force".to_owned(), time);
        vec![time(row.suspended_unix_ms).into(), whom.into(), row.operator.into(), row.reason.into(), resumed.into()]
    });
    Ok(Listing {
        id: "suspensions",
        heading: "Suspensions",
        caption: "Suspensions",
        headings: &["when", "whom", "by", "reason", "resumed"],
        rows: rows.collect(),
    })
}

fn denied(ledger: &SqliteLedger, peers: &Peers) -> Result<Listing, Failure> {
    let rows = ledger.refused_requests()?.into_iter().map(|row| {
        vec![
            time(row.denied_unix_ms).into(),
            label(peers, &row.verifier).into(),
            Cell::Code(to_hex(&row.request_digest)),
            row.operator.into(),
            row.reason.into(),
        ]
    });
    Ok(Listing {
        id: "denied",
        heading: "Requests refused by officials",
        caption: "Requests that the holder's officials refused",
        headings: &["when", "verifier", "request's digest", "written down by", "reason"],
        rows: rows.collect(),
    })
}

fn epochs(ledger: &SqliteLedger, peers: &Peers) -> Result<Listing, Failure> {
    let rows = ledger.epochs()?.into_iter().map(|row| {
        let set = &row.offer.descriptor;
        let end = match (&row.ended, &row.closing) {
            (Some(end), _) => format!("{}: {}", time(end.unix_ms), end.reason),
            (None, Some(closing)) => format!("closing since {}: {}", time(closing.unix_ms), closing.reason),
            (None, None) => row.limits.ends_unix_ms.map_or_else(|| NONE.to_owned(), |ends| format!("by {}", time(ends))),
        };
        vec![
            time(row.begun_unix_ms).into(),
            Cell::Code(to_hex(&set.epoch_id)),
            row.verifier.map_or_else(|| "nobody yet".to_owned(), |verifier| label(peers, &verifier)).into(),
            Date::from_yyyymmdd(set.as_of).map_or_else(|| NONE.to_owned(), |date| date.to_string()).into(),
            row.records.into(),
            set.tags.into(),
            row.sessions.into(),
            row.charged_tokens.into(),
            end.into(),
        ]
    });
    Ok(Listing {
        id: "epochs",
        heading: "Epochs",
        caption: "Epochs and the sets sealed in them",
        headings: &["begun", "epoch", "verifier", "as of", "records", "tags", "requests", "evaluations charged", "end"],
        rows: rows.collect(),
    })
}

fn deliveries(sessions: &[SessionRow], peers: &Peers) -> Listing {
    let delivered = sessions.iter().filter(|session| session.delivered_bytes > 0);
    let rows = delivered.map(|session| {
        vec![
            time(session.opened_unix_ms).into(),
            label(peers, &session.verifier).into(),
            Cell::Code(to_hex(&session.set_id)),
            session.delivered_bytes.into(),
            Cell::Code(to_hex(&session.session_id)),
        ]
    });
    Listing {
        id: "deliveries",
        heading: "Deliveries",
        caption: "Sealed sets that went out",
        headings: &["request of", "verifier", "set", "bytes", "session"],
        rows: rows.collect(),
    }
}

fn disclosures(ledger: &SqliteLedger, sessions: &[SessionRow], peers: &Peers) -> Result<Listing, Failure> {
    let mut rows = Vec::new();
    for session in sessions.iter().filter(|session| session.disclosure != "none") {
        let came = ledger.disclosure(&session.session_id)?;
        let (when, matched, booked) = match &came {
            Some(row) => (
                time(row.disclosed_unix_ms).into(),
                row.matched.into(),
                row.booked.map_or_else(|| if row.kind == "count" { NONE.into() } else { "not yet".into() }, Cell::Number),
            ),
            None => ("owed".into(), NONE.into(), NONE.into()),
        };
        rows.push(vec![
            when,
            label(peers, &session.verifier).into(),
            session.disclosure.replace('_', " ").into(),
            matched,
            booked,
            Cell::Code(to_hex(&session.session_id)),
        ]);
    }
    Ok(Listing {
        id: "disclosures",
        heading: "Disclosures",
        caption: "What verifiers said had matched, by agreement",
        headings: &["when", "verifier", "agreed", "pairs that matched", "records booked", "session"],
        rows,
    })
}

fn operators(log: &Log) -> Listing {
    let rows = log.operators.iter().map(|(unix_ms, body)| {
        vec![time(*unix_ms).into(), body.operator.as_str().into(), body.action.as_str().into(), body.detail.as_str().into()]
    });
    Listing {
        id: "operators",
        heading: "Operators",
        caption: "What operators did beside",
        headings: &["when", "who", "what", "to what"],
        rows: rows.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Role;

    #[test]
    fn a_ledger_without_anything_in_it_makes_a_page() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("h"), Role::Holder, "Tax").unwrap();
        let ledger = SqliteLedger::open(&home.ledger()).unwrap();
        let whole = crate::holder::ledger::verified(&home, &ledger, &[]).unwrap();
        let page = page(&home, &ledger, &whole).unwrap();
        assert!(page.requests.is_empty() && page.budgets.is_empty());
        assert!(super::super::page::render(&page).contains("Refusals by reason: none."));
    }
}
