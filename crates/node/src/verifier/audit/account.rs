//! What a holder's log has of one session, against what was approved (SPEC AUD-1). Pure: an extract that was checked, a request and its batches
//! go in, findings come out.

use std::collections::BTreeMap;

use oblink_session::request::{Request, to_hex};
use oblink_session::statement::{CertifiedKey, StatementKind, batch_statement_body};
use oblink_store::ledger::entries::{Charge, Completion, EntryKind, RequestAccepted, SessionResumed, SignerBody};
use oblink_store::ledger::{ExtractedEntry, VerifiedExtract};

/// What is wrong, one thing each: a word for programs, and words for people.
pub(super) type Finding = (&'static str, String);

/// What the receipt says of the session.
pub(super) struct Claimed {
    pub(super) session: [u8; 16],
    /// `None` in pilot mode.
    pub(super) policy: Option<[u8; 32]>,
    pub(super) epoch: [u8; 16],
    pub(super) set_id: [u8; 32],
    pub(super) ledger_size: u64,
    pub(super) verifier_certificate: [u8; 136],
    /// The receipt's body.
    pub(super) body: Vec<u8>,
}

/// A request of this verifier that the log has, and what was charged for it.
pub(super) struct Booked {
    pub(super) session: [u8; 16],
    pub(super) request_id: [u8; 16],
    pub(super) request_digest: [u8; 32],
    pub(super) accepted_unix_ms: u64,
    pub(super) pairs: u64,
    pub(super) batches: u64,
    pub(super) tokens: u64,
    pub(super) admission: Admission,
}

impl Booked {
    /// Whose signatures counted, as the holder names them: nothing is verified by that.
    pub(super) fn signers(&self) -> impl Iterator<Item = String> {
        self.admission.signers.iter().map(|signer| format!("{} ({}, {})", signer.principal, signer.side, signer.key))
    }
}

/// What the account comes to.
pub(super) struct Account {
    pub(super) findings: Vec<Finding>,
    /// The audited session's, where the log has it.
    pub(super) audited: Option<Booked>,
    /// All others of this verifier.
    pub(super) others: Vec<Booked>,
}

/// What admitted a session, or took it up again: the policy then in force, and the signatures that counted under it.
pub(super) struct Admission {
    pub(super) unix_ms: u64,
    /// `None` in pilot mode.
    pub(super) policy: Option<[u8; 32]>,
    pub(super) signatures: Vec<String>,
    pub(super) countersignatures: Vec<String>,
    pub(super) signers: Vec<SignerBody>,
}

struct Session {
    seq: u64,
    unix_ms: u64,
    accepted: RequestAccepted,
    /// Of the last session_resumed before the completion, else of request_accepted: the receipt's policy is this one's.
    admission: Admission,
    charges: Vec<(u64, Charge)>,
}

/// Compares.
pub(super) fn account(extract: &VerifiedExtract, request: &Request, digests: &[[u8; 32]], claimed: &Claimed) -> Account {
    let mut findings = Vec::new();
    let (sessions, completions) = collect(extract, &mut findings);
    match sessions.get(&claimed.session) {
        None => findings.push(("no_session", "the log has no such session of this verifier".to_owned())),
        Some(session) => {
            check_admission(session, request, claimed, &mut findings);
            check_charges(session, request, digests, extract, claimed, &mut findings);
        }
    }
    let own: Vec<_> = completions.iter().filter(|completion| completion.session.0 == claimed.session).collect();
    if own.is_empty() {
        findings.push(("no_completion", "the log does not have the session's completion".to_owned()));
    }
    if own.iter().any(|completion| completion.receipt.as_bytes() != claimed.body) {
        findings.push(("other_receipt", "the log has another receipt of this session".to_owned()));
    }
    for (id, session) in &sessions {
        let same = session.accepted.request_digest.0 == request.digest() || session.accepted.request_id.0 == *request.id();
        if *id != claimed.session && same && !session.charges.is_empty() {
            findings.push(("charged_twice", format!("session {} has charges for the same request", to_hex(id))));
        }
    }
    let mut booked: Vec<Booked> = sessions.into_values().map(Session::into_booked).collect();
    booked.sort_by_key(|booked| booked.accepted_unix_ms);
    let (audited, others) = booked.into_iter().partition::<Vec<_>, _>(|booked| booked.session == claimed.session);
    Account { findings, audited: audited.into_iter().next(), others }
}

fn body<T: serde::de::DeserializeOwned>(entry: &ExtractedEntry, findings: &mut Vec<Finding>) -> Option<T> {
    let parsed = serde_json::from_str(&entry.body).ok();
    if parsed.is_none() {
        findings.push(("bad_entry", format!("entry {} is not what a {} is", entry.seq, entry.kind.name())));
    }
    parsed
}

fn collect(extract: &VerifiedExtract, findings: &mut Vec<Finding>) -> (BTreeMap<[u8; 16], Session>, Vec<Completion>) {
    let (mut sessions, mut completions) = (BTreeMap::<[u8; 16], Session>::new(), Vec::<Completion>::new());
    for entry in extract.entries.iter().filter(|entry| entry.party == extract.party) {
        match entry.kind {
            EntryKind::RequestAccepted => {
                if let Some(accepted) = body::<RequestAccepted>(entry, findings) {
                    let id = accepted.session.0;
                    let admission = Admission {
                        unix_ms: entry.unix_ms,
                        policy: accepted.policy.0,
                        signatures: accepted.signatures.clone(),
                        countersignatures: accepted.countersignatures.clone(),
                        signers: accepted.signers.clone(),
                    };
                    let session = Session { seq: entry.seq, unix_ms: entry.unix_ms, accepted, admission, charges: Vec::new() };
                    if sessions.insert(id, session).is_some() {
                        findings.push(("bad_entry", format!("entry {} opens a session a second time", entry.seq)));
                    }
                }
            }
            EntryKind::SessionResumed => {
                if let Some(resumed) = body::<SessionResumed>(entry, findings) {
                    let id = resumed.session.0;
                    let completed = completions.iter().any(|completion| completion.session.0 == id);
                    match sessions.get_mut(&id) {
                        Some(session) if !completed => {
                            session.admission = Admission {
                                unix_ms: entry.unix_ms,
                                policy: resumed.policy.0,
                                signatures: resumed.signatures,
                                countersignatures: resumed.countersignatures,
                                signers: resumed.signers,
                            };
                        }
                        Some(_) => {}
                        None => findings.push(("bad_entry", format!("entry {} takes up a session that was never opened", entry.seq))),
                    }
                }
            }
            EntryKind::Charge => {
                if let Some(charge) = body::<Charge>(entry, findings) {
                    match sessions.get_mut(&charge.session.0) {
                        Some(session) => session.charges.push((entry.seq, charge)),
                        None => {
                            findings.push(("stray_charge", format!("entry {} charges {} tokens to no request", entry.seq, charge.tokens)))
                        }
                    }
                }
            }
            EntryKind::Completion => completions.extend(body::<Completion>(entry, findings)),
            EntryKind::Import => {
                findings.push(("import", format!("entry {} is from a ledger without a log: what it stands for is not proved", entry.seq)));
            }
            _ => {}
        }
    }
    (sessions, completions)
}

fn check_admission(session: &Session, request: &Request, claimed: &Claimed, findings: &mut Vec<Finding>) {
    let accepted = &session.accepted;
    let members = [
        ("request", accepted.request.as_bytes() == request.bytes() && accepted.request_digest.0 == request.digest()),
        ("request_id", accepted.request_id.0 == *request.id()),
        ("pairs", accepted.pairs == request.pairs()),
        ("tokens", accepted.tokens == request.tokens()),
        ("batches", accepted.batches == request.batches()),
        ("policy", session.admission.policy == claimed.policy),
        ("epoch", accepted.epoch.0 == claimed.epoch),
        ("set_id", accepted.set_id.0 == claimed.set_id),
        ("verifier_certificate", accepted.verifier_certificate.0 == claimed.verifier_certificate),
        ("seq", session.seq < claimed.ledger_size),
    ];
    for (name, _) in members.iter().filter(|(_, agrees)| !agrees) {
        findings.push(("other_admission", format!("the session was admitted with another {name} than the receipt and the request have")));
    }
}

fn check_charges(
    session: &Session,
    request: &Request,
    digests: &[[u8; 32]],
    extract: &VerifiedExtract,
    claimed: &Claimed,
    findings: &mut Vec<Finding>,
) {
    let key = CertifiedKey::check(&session.accepted.verifier_certificate.0, &extract.party).ok();
    if key.is_none() {
        findings.push(("bad_certificate", "the certificate with which the session was admitted is not this verifier's".to_owned()));
    }
    let mut seen = BTreeMap::new();
    let mut total = 0_u64;
    for (seq, charge) in &session.charges {
        let batch = charge.batch;
        let mut find = |code, what: &str| findings.push((code, format!("entry {seq}, batch {batch}: {what}")));
        if seen.insert(batch, *seq).is_some() {
            find("charged_twice", "it is charged a second time");
        }
        match (request.batch(batch), usize::try_from(batch).ok().and_then(|at| digests.get(at))) {
            (Some((_, tokens)), Some(digest)) => {
                if charge.blinded_digest.0 != *digest {
                    find("other_batch", "what was charged is not the approved batch");
                }
                if charge.tokens != tokens {
                    find("other_count", "the tokens charged are not the approved batch's");
                }
            }
            _ => find("other_batch", "the request has no such batch"),
        }
        let entry = &session.accepted;
        let statement = batch_statement_body(
            &entry.session.0,
            &entry.request_digest.0,
            &entry.epoch.0,
            &entry.set_id.0,
            batch,
            &charge.blinded_digest.0,
        );
        if key.as_ref().is_some_and(|key| key.verify(StatementKind::Batch, &statement, &charge.statement.0).is_err()) {
            find("bad_statement", "it does not bear this verifier's statement");
        }
        total = total.saturating_add(u64::from(charge.tokens));
        if charge.session_tokens != total {
            find("other_count", "the log's sum of the session's tokens is another");
        }
        if *seq >= claimed.ledger_size {
            find("late_charge", "it was charged after the receipt");
        }
    }
    let missing = (0..request.batches()).filter(|batch| !seen.contains_key(batch)).count();
    if missing > 0 {
        findings.push(("not_charged", format!("{missing} of the approved batches are not charged, though the receipt says so")));
    }
    if total != request.tokens() {
        findings.push(("other_count", format!("{total} tokens are charged where {} were approved", request.tokens())));
    }
}

impl Session {
    fn into_booked(self) -> Booked {
        Booked {
            session: self.accepted.session.0,
            request_id: self.accepted.request_id.0,
            request_digest: self.accepted.request_digest.0,
            accepted_unix_ms: self.unix_ms,
            pairs: self.accepted.pairs,
            batches: self.charges.len() as u64,
            tokens: self.charges.iter().map(|(_, charge)| u64::from(charge.tokens)).sum(),
            admission: self.admission,
        }
    }
}

#[cfg(test)]
mod tests;
