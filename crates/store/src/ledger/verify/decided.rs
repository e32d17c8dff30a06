//! What officials decided, decided again: proposals, requests, and whom a suspension stops (SPEC POL-3, AUT-1, LED-6).

use std::collections::{BTreeSet, HashMap};

use oblink_session::authority::{
    Approved, Authorised, Change, Denial, Facts, InForce, Policy, Proposal, Resume, approve, authorise, compare,
};
use oblink_session::ledger::{Caps, Signer};
use oblink_session::request::{Request, to_hex};

use super::super::Failure;
use super::super::entries::{Policy as PolicyBody, RequestAccepted, RequestDenied, Resumption, SessionResumed, SignerBody};
use super::super::log::{NO_PARTY, body_at};
use super::Tampered;
use super::epochs::Epoch;
use super::model::{Entry, Model, unhex};

/// How long before its entry something may have been decided.
const DECIDED_BEFORE_MS: u64 = 600_000;

/// What the replay knows of officials' decisions at one point of the log.
#[derive(Default)]
pub(super) struct Decided {
    /// The policy in force, and since when.
    policy: Option<(Policy, u64)>,
    /// Scopes that are suspended, and since when at the latest.
    suspended: HashMap<[u8; 32], u64>,
    /// Digests of requests that were refused.
    denied: BTreeSet<[u8; 32]>,
    /// Of each verifier the requests, in order: when, and how many requests and pairs up to and with it.
    asked: HashMap<[u8; 32], Vec<(u64, u64, u64)>>,
    /// Of each epoch requests and pairs.
    asked_in_epoch: HashMap<[u8; 16], (u64, u64)>,
}

/// The bytes of a text as entries have it: `hex:` stands for what could not be written as text.
pub(super) fn bytes_of(entry: &Entry<'_>, text: &str) -> Result<Vec<u8>, Tampered> {
    match text.strip_prefix("hex:") {
        Some(digits) => unhex(digits).ok_or_else(|| entry.wrong("a text in it is not hex")),
        None => Ok(text.as_bytes().to_vec()),
    }
}

fn all_bytes_of(entry: &Entry<'_>, texts: &[String]) -> Result<Vec<Vec<u8>>, Tampered> {
    texts.iter().map(|text| bytes_of(entry, text)).collect()
}

fn same_signers(signers: &[Signer], bodies: &[SignerBody]) -> bool {
    signers.iter().map(SignerBody::from).eq(bodies.iter().cloned())
}

/// Decides at the entry's time. It was decided a little before: what only time takes away (a request, a key, the age of a set or an order)
/// may have been there still, so where that alone is wrong, the time of ten minutes before counts. Everything else is exact.
fn about<T>(now_unix_ms: u64, decide: impl Fn(u64) -> Result<T, Denial>) -> Result<T, Denial> {
    match decide(now_unix_ms) {
        Err(Denial::Expired | Denial::SignerExpired { .. } | Denial::SetTooOld { .. } | Denial::OrderTooOld { .. }) => {
            decide(now_unix_ms.saturating_sub(DECIDED_BEFORE_MS))
        }
        decided => decided,
    }
}

/// By what a request goes: the signatures that an entry has.
struct Signed<'a> {
    signatures: &'a [String],
    countersignatures: &'a [String],
    signers: &'a [SignerBody],
}

impl Model<'_> {
    /// Kind 1: the proposal is approved again, or the policy tightens the one in force, which needs none.
    pub(super) fn approve_policy(&mut self, entry: &Entry<'_>, body: &PolicyBody) -> Result<(), Tampered> {
        let policy =
            Policy::parse(body.policy.as_bytes(), body.allowed_signers.as_bytes()).map_err(|_| entry.wrong("its texts are no policy"))?;
        if body.proposal.is_empty() {
            let (before, _) = self.decided.policy.as_ref().ok_or_else(|| entry.wrong("nobody approved the first policy"))?;
            let tighter = matches!(compare(before, &policy), Change::Same | Change::Tighter(_)) && before.digest() != policy.digest();
            if !tighter || !body.signatures.is_empty() || !body.signers.is_empty() {
                return Err(entry.wrong("nobody approved the policy, and it is no tightening"));
            }
        } else {
            match self.approved(entry, &body.proposal, &body.signatures, &body.signers, 0)? {
                Approved::Policy { policy: proposed, .. } if proposed.digest() == body.digest.0 => {}
                _ => return Err(entry.wrong("the policy is not the one that was approved")),
            }
        }
        self.decided.policy = Some((policy, entry.unix_ms));
        Ok(())
    }

    /// Kind 3: the proposal is approved again; none is needed before the first policy alone.
    pub(super) fn approve_resumption(&mut self, entry: &Entry<'_>, body: &Resumption) -> Result<(), Tampered> {
        check_scope(entry, &body.scope)?;
        if body.proposal.is_empty() {
            if self.decided.policy.is_some() || !body.signatures.is_empty() || !body.signers.is_empty() {
                return Err(entry.wrong("nobody approved the resumption"));
            }
        } else {
            let suspended = self.decided.suspended.get(&entry.party).copied().unwrap_or(0);
            let due = if entry.party == NO_PARTY { Resume::All } else { Resume::Verifier(entry.party) };
            if self.approved(entry, &body.proposal, &body.signatures, &body.signers, suspended)? != Approved::Resume(due) {
                return Err(entry.wrong("the resumption is not the one that was approved"));
            }
        }
        self.decided.suspended.remove(&entry.party);
        Ok(())
    }

    fn approved(
        &self,
        entry: &Entry<'_>,
        proposal: &str,
        signatures: &[String],
        signers: &[SignerBody],
        suspended_unix_ms: u64,
    ) -> Result<Approved, Tampered> {
        let proposal = Proposal::parse(&bytes_of(entry, proposal)?).map_err(|_| entry.wrong("its proposal is none"))?;
        let signatures = all_bytes_of(entry, signatures)?;
        let in_force = self.decided.policy.as_ref().map(|(policy, since_unix_ms)| InForce {
            policy,
            since_unix_ms: *since_unix_ms,
            suspended_unix_ms,
        });
        let approval = about(entry.unix_ms, |now| approve(&proposal, &self.holder, in_force, &signatures, now))
            .map_err(|_| entry.wrong("its proposal is not approved"))?;
        if !same_signers(approval.signers(), signers) {
            return Err(entry.wrong("its signers are not those who signed"));
        }
        Ok(approval.into_approved())
    }

    /// Kind 2.
    pub(super) fn suspend_answers(&mut self, entry: &Entry<'_>, scope: &str) -> Result<(), Tampered> {
        check_scope(entry, scope)?;
        self.decided.suspended.insert(entry.party, entry.unix_ms);
        Ok(())
    }

    /// Kind 21.
    pub(super) fn deny(&mut self, entry: &Entry<'_>, body: &RequestDenied) -> Result<(), Tampered> {
        use sha2::{Digest, Sha256};
        let digest: [u8; 32] = Sha256::digest(bytes_of(entry, &body.request)?).into();
        if digest != body.request_digest.0 {
            return Err(entry.wrong("its digest is not that of its request"));
        }
        self.decided.denied.insert(digest);
        Ok(())
    }

    /// Nothing is asked or charged of whom a suspension stops.
    pub(super) fn check_answers(&self, entry: &Entry<'_>) -> Result<(), Tampered> {
        let suspended = &self.decided.suspended;
        let stopped = !suspended.is_empty() && (suspended.contains_key(&entry.party) || suspended.contains_key(&NO_PARTY));
        if stopped { Err(entry.wrong("its verifier is suspended")) } else { Ok(()) }
    }

    /// Kind 8: what it says of the request is what the request says, and the request is authorised.
    pub(super) fn check_accepted(&mut self, entry: &Entry<'_>, body: &RequestAccepted) -> Result<(), Tampered> {
        let request = parsed(entry, &body.request)?;
        let disclosure = match (&self.decided.policy, request.manifest()) {
            (Some(_), Some(manifest)) => manifest.disclosure.as_str(),
            _ => "none",
        };
        let same = request.digest() == body.request_digest.0
            && *request.id() == body.request_id.0
            && (request.pairs(), request.tokens(), request.batches()) == (body.pairs, body.tokens, body.batches)
            && disclosure == body.disclosure;
        if !same {
            return Err(entry.wrong("it is not what its request says"));
        }
        let epoch = self.epochs.get(&body.epoch.0).ok_or_else(|| entry.wrong("its epoch never began"))?;
        if epoch.set.ends_unix_ms != 0 && epoch.set.ends_unix_ms <= entry.unix_ms {
            return Err(entry.wrong("its epoch does not admit it"));
        }
        let signed = Signed { signatures: &body.signatures, countersignatures: &body.countersignatures, signers: &body.signers };
        self.check_request(entry, &request, Some(&signed), epoch.set.as_of)?;
        self.count(entry, body)
    }

    /// Kind 19: authorised at that time too. Signatures are in it where the policy is another than before; under the same one those of the
    /// admission were checked there, and which came this time is not written down.
    pub(super) fn check_resumed(&self, entry: &Entry<'_>, body: &SessionResumed) -> Result<(), Failure> {
        let session = self.sessions.get(&body.session.0).ok_or_else(|| entry.wrong("its session was never opened"))?;
        let epoch = self.epochs.get(&session.facts.epoch).ok_or_else(|| entry.wrong("its epoch never began"))?;
        self.check_answers(entry)?;
        check_grace(entry, epoch)?;
        if session.facts.set_id.is_some_and(|set_id| set_id != epoch.set.set_id.0) {
            return Err(entry.wrong("its set is no longer its epoch's").into());
        }
        let texts = Signed { signatures: &body.signatures, countersignatures: &body.countersignatures, signers: &body.signers };
        let same_policy = session.policy == body.policy.0;
        if same_policy && !(body.signatures.is_empty() && body.countersignatures.is_empty() && body.signers.is_empty()) {
            return Err(entry.wrong("it has signatures under the policy that admitted it").into());
        }
        if self.decided.denied.contains(&session.facts.request_digest) {
            return Err(entry.wrong("its request was refused").into());
        }
        if self.decided.policy.is_some() {
            // Requests stay out of memory: the entry's hashes were checked when it was passed.
            let text = match session.imported {
                None => body_at::<RequestAccepted>(self.connection, session.entry)?.0.request,
                Some(_) => body_at::<super::super::entries::ImportSession>(self.connection, session.entry)?.0.request,
            };
            self.check_request(entry, &parsed(entry, &text)?, (!same_policy).then_some(&texts), epoch.set.as_of)?;
        }
        Ok(())
    }

    fn check_request(&self, entry: &Entry<'_>, request: &Request, signed: Option<&Signed<'_>>, set_as_of: u32) -> Result<(), Tampered> {
        self.check_answers(entry)?;
        if self.decided.denied.contains(&request.digest()) {
            return Err(entry.wrong("its request was refused"));
        }
        let texts = |texts: Option<&[String]>| all_bytes_of(entry, texts.unwrap_or_default());
        let signatures = texts(signed.map(|signed| signed.signatures))?;
        let countersignatures = texts(signed.map(|signed| signed.countersignatures))?;
        let signers = signed.map_or(&[][..], |signed| signed.signers);
        let Some((policy, _)) = &self.decided.policy else {
            let none = signatures.is_empty() && countersignatures.is_empty() && signers.is_empty();
            return if none { Ok(()) } else { Err(entry.wrong("it has signatures without a policy")) };
        };
        let authorised: Result<Authorised, Denial> = about(entry.unix_ms, |now_unix_ms| {
            authorise(&Facts {
                policy,
                holder: &self.holder,
                verifier: &entry.party,
                request,
                rulesets: self.rulesets,
                signatures: &signatures,
                countersignatures: &countersignatures,
                set_as_of,
                now_unix_ms,
            })
        });
        match authorised {
            Ok(authorised) if signed.is_none() || same_signers(authorised.signers(), signers) => Ok(()),
            Ok(_) => Err(entry.wrong("its signers are not those who signed")),
            // Signatures are what is looked at last.
            Err(denial) if signed.is_none() && denial.namespace().is_some() => Ok(()),
            Err(Denial::RulesetMismatch) if self.rulesets.find(request.ruleset(), request.ruleset_digest()).is_none() => {
                Err(entry.wrong("its ruleset is neither this build's nor one of the holder's own that are kept here"))
            }
            Err(_) => Err(entry.wrong("its request is not authorised")),
        }
    }

    /// Requests and pairs, against the caps of the policy in force as admission holds them.
    fn count(&mut self, entry: &Entry<'_>, body: &RequestAccepted) -> Result<(), Tampered> {
        let caps: Option<Caps> =
            self.decided.policy.as_ref().and_then(|(policy, _)| policy.verifier(&entry.party)).map(|verifier| verifier.caps());
        let asked = self.decided.asked.entry(entry.party).or_default();
        let (requests, pairs) = asked.last().map_or((0, 0), |(_, requests, pairs)| (*requests, *pairs));
        let (requests, pairs): (u64, u64) = (requests + 1, pairs.saturating_add(body.pairs));
        let in_epoch = self.decided.asked_in_epoch.entry(body.epoch.0).or_default();
        *in_epoch = (in_epoch.0 + 1, in_epoch.1.saturating_add(body.pairs));
        if let Some(caps) = caps {
            let since = entry.unix_ms.saturating_sub(caps.window_ms);
            let old = asked.partition_point(|(unix_ms, ..)| *unix_ms <= since);
            let (old_requests, old_pairs) = old.checked_sub(1).map_or((0, 0), |at| (asked[at].1, asked[at].2));
            let within = requests - old_requests <= caps.window_requests_max
                && pairs.saturating_sub(old_pairs) <= caps.window_pairs_max
                && in_epoch.0 <= caps.epoch_requests_max
                && in_epoch.1 <= caps.epoch_pairs_max;
            if !within {
                return Err(entry.wrong("it is more than the policy's caps allow"));
            }
        }
        asked.push((entry.unix_ms, requests, pairs));
        Ok(())
    }
}

/// What an epoch that is closing answers ends with its grace.
pub(super) fn check_grace(entry: &Entry<'_>, epoch: &Epoch) -> Result<(), Tampered> {
    match epoch.closing {
        Some((_, _, until)) if until <= entry.unix_ms => Err(entry.wrong("its epoch's grace is over")),
        _ => Ok(()),
    }
}

fn check_scope(entry: &Entry<'_>, scope: &str) -> Result<(), Tampered> {
    let due = if entry.party == NO_PARTY { "all".to_owned() } else { to_hex(&entry.party) };
    if scope == due { Ok(()) } else { Err(entry.wrong("its scope is not its party")) }
}

fn parsed(entry: &Entry<'_>, text: &str) -> Result<Request, Tampered> {
    Request::parse(&bytes_of(entry, text)?).map_err(|_| entry.wrong("its request is none"))
}
