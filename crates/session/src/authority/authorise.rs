//! What authorises a request (SPEC AUT-1), looked at in which order, refused with which reason (SPEC AUT-2).

use super::officials::Demand;
use super::{Denial, Namespace, Policy, Rulesets, VerifierPolicy};
use crate::date::{DAY_MS, days_of};
use crate::ledger::{Caps, Signer};
use crate::request::{Disclosure, Manifest, Request};

/// All that the verdict depends on.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The policy in force.
    pub policy: &'a Policy,
    /// The holder's own fingerprint.
    pub holder: &'a [u8; 32],
    /// The fingerprint of the verifier that presents the request, as the transport authenticated it.
    pub verifier: &'a [u8; 32],
    /// The request.
    pub request: &'a Request,
    /// The rulesets that whoever judges has: built in, and their own.
    pub rulesets: &'a dyn Rulesets,
    /// The armoured signatures that came with it.
    pub signatures: &'a [Vec<u8>],
    /// The armoured signatures of the holder's officials over the same bytes.
    pub countersignatures: &'a [Vec<u8>],
    /// As-of date of the sealed set that would answer, as yyyymmdd; 0: none.
    pub set_as_of: u32,
    /// The holder's clock, milliseconds since 1970.
    pub now_unix_ms: u64,
}

/// A request that is authorised under one policy at one moment. [`authorise`] alone makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Authorised {
    policy_digest: [u8; 32],
    request_digest: [u8; 32],
    signers: Vec<Signer>,
    disclosure: Disclosure,
    caps: Caps,
}

impl Authorised {
    /// Digest of the policy that authorises it (SPEC POL-1).
    #[must_use]
    pub fn policy_digest(&self) -> &[u8; 32] {
        &self.policy_digest
    }

    /// SHA-256 of the request.
    #[must_use]
    pub fn request_digest(&self) -> &[u8; 32] {
        &self.request_digest
    }

    /// The officials who signed: the verifier's, then the holder's, each by name; everybody once.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// What the verifier will disclose of the result.
    #[must_use]
    pub fn disclosure(&self) -> Disclosure {
        self.disclosure
    }

    /// The caps that the ledger holds against all of this verifier's sessions.
    #[must_use]
    pub fn caps(&self) -> &Caps {
        &self.caps
    }
}

/// Decides whether a request is authorised (SPEC AUT-1).
///
/// In this order, and the first that fails is the reason (SPEC AUT-2): the policy lists the verifier; the request is of the authorised format;
/// it is made out to this holder, by this verifier, under the name that the policy gives it; ruleset and class are listed, and are what
/// this side has of that name and digest; now is within its validity, whose length the policy allows; pairs; tokens; fields; columns; age of the oldest order; addresses a
/// person; disclosure; age of the set; the verifier's officials' signatures; the holder's officials' countersignatures. Of each signature:
/// form, namespace, listed key, validity over these bytes, the key's time, the touch. One that fails denies the request.
///
/// # Errors
/// [`Denial`].
pub fn authorise(facts: &Facts<'_>) -> Result<Authorised, Denial> {
    let policy = facts.policy;
    let verifier = policy.verifier(facts.verifier).ok_or(Denial::VerifierUnknown)?;
    let manifest = facts.request.manifest().ok_or(Denial::Unsigned)?;
    parties(facts, verifier, manifest)?;
    question(facts, verifier, manifest)?;
    times(facts, verifier, manifest)?;
    amounts(verifier, facts.request)?;
    demands(facts, verifier, manifest)?;
    set_age(facts, verifier)?;

    let demand = Demand {
        policy,
        namespace: Namespace::Request,
        officials: &verifier.officials,
        signatures_min: verifier.signatures_min,
        user_presence: verifier.user_presence,
        now_unix_ms: facts.now_unix_ms,
    };
    let mut signers = demand.check(facts.request.bytes(), facts.signatures)?;
    let holder = policy.holder();
    let demand = Demand {
        policy,
        namespace: Namespace::Countersign,
        officials: &holder.officials,
        signatures_min: holder.countersignatures_min,
        user_presence: holder.user_presence,
        now_unix_ms: facts.now_unix_ms,
    };
    signers.extend(demand.check(facts.request.bytes(), facts.countersignatures)?);

    Ok(Authorised {
        policy_digest: policy.digest(),
        request_digest: facts.request.digest(),
        signers,
        disclosure: manifest.disclosure,
        caps: verifier.caps(),
    })
}

impl VerifierPolicy {
    /// The caps that the ledger holds against all of this verifier's sessions.
    #[must_use]
    pub fn caps(&self) -> Caps {
        Caps {
            window_ms: u64::from(self.window.days) * DAY_MS,
            window_requests_max: self.window.requests_max,
            window_pairs_max: self.window.pairs_max,
            window_tokens_max: self.window.tokens_max,
            epoch_requests_max: self.epoch.requests_max,
            epoch_pairs_max: self.epoch.pairs_max,
            epoch_tokens_max: self.epoch.tokens_max,
        }
    }
}

/// Days from 1970-01-01 to now, in UTC.
fn today(facts: &Facts<'_>) -> i64 {
    // 2^64 ms are fewer days than an i64 holds.
    (facts.now_unix_ms / DAY_MS) as i64
}

fn otherwise(holds: bool, denial: Denial) -> Result<(), Denial> {
    if holds { Ok(()) } else { Err(denial) }
}

fn parties(facts: &Facts<'_>, verifier: &VerifierPolicy, manifest: &Manifest) -> Result<(), Denial> {
    otherwise(manifest.holder == *facts.holder, Denial::OtherHolder)?;
    otherwise(manifest.verifier == *facts.verifier, Denial::OtherVerifier)?;
    otherwise(manifest.verifier_name == verifier.name, Denial::VerifierName)
}

fn question(facts: &Facts<'_>, verifier: &VerifierPolicy, manifest: &Manifest) -> Result<(), Denial> {
    let request = facts.request;
    otherwise(verifier.rulesets.contains(&manifest.ruleset), Denial::RulesetNotAllowed)?;
    otherwise(verifier.classes.iter().any(|class| class.as_str() == manifest.class), Denial::ClassNotAllowed)?;
    // The class that the officials read must be what the rules do.
    let agrees = facts
        .rulesets
        .find(request.ruleset(), request.ruleset_digest())
        .is_some_and(|ruleset| ruleset.class().as_str() == manifest.class && ruleset.tokens_per_pair() == request.tokens_per_pair());
    otherwise(agrees, Denial::RulesetMismatch)
}

fn times(facts: &Facts<'_>, verifier: &VerifierPolicy, manifest: &Manifest) -> Result<(), Denial> {
    otherwise(facts.now_unix_ms >= manifest.not_before_unix_ms, Denial::NotYetValid)?;
    otherwise(facts.now_unix_ms <= manifest.not_after_unix_ms, Denial::Expired)?;
    let length_ms = manifest.not_after_unix_ms.saturating_sub(manifest.not_before_unix_ms);
    let max_days = verifier.validity_days_max;
    otherwise(length_ms <= u64::from(max_days) * DAY_MS, Denial::ValidityTooLong { max_days })
}

fn amounts(verifier: &VerifierPolicy, request: &Request) -> Result<(), Denial> {
    let (asked, max) = (request.pairs(), verifier.pairs_per_request_max);
    otherwise(asked <= max, Denial::PairsOverCap { asked, max })?;
    let (asked, max) = (request.tokens(), verifier.tokens_per_request_max);
    otherwise(asked <= max, Denial::TokensOverCap { asked, max })
}

fn demands(facts: &Facts<'_>, verifier: &VerifierPolicy, manifest: &Manifest) -> Result<(), Denial> {
    for name in &verifier.required_fields {
        otherwise(manifest.fields.contains_key(name), Denial::FieldMissing { name: name.clone() })?;
    }
    for name in &verifier.required_columns {
        otherwise(manifest.required_columns.contains(name), Denial::ColumnNotRequired { name: name.clone() })?;
    }
    let max_days = verifier.order_age_days_max;
    if max_days > 0 {
        let date = |yyyymmdd| days_of(yyyymmdd).ok_or(Denial::OrderDate);
        let (earliest, latest) = (date(manifest.order_date_earliest)?, date(manifest.order_date_latest)?);
        let today = today(facts);
        // East of Greenwich tomorrow has begun.
        otherwise(latest <= today + 1, Denial::OrderDate)?;
        let days = today.saturating_sub(earliest);
        otherwise(days <= i64::from(max_days), Denial::OrderTooOld { days, max_days })?;
    }
    let max = verifier.addresses_per_person_max;
    otherwise(max == 0 || (1..=max).contains(&manifest.addresses_per_person_max), Denial::AddressesPerPerson { max })?;
    otherwise(verifier.disclosure.contains(&manifest.disclosure), Denial::DisclosureNotAllowed)
}

fn set_age(facts: &Facts<'_>, verifier: &VerifierPolicy) -> Result<(), Denial> {
    let max_days = verifier.set_age_days_max;
    if max_days == 0 {
        return Ok(());
    }
    let as_of = days_of(facts.set_as_of).ok_or(Denial::SetUndated)?;
    let days = today(facts).saturating_sub(as_of);
    // A day that is still to come is no age; east of Greenwich tomorrow has begun.
    otherwise(days >= -1, Denial::SetUndated)?;
    otherwise(days <= i64::from(max_days), Denial::SetTooOld { days, max_days })
}
