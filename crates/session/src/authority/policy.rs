//! The holder's policy: who may ask what, how often, under whose signatures (SPEC POL-1).

use super::Namespace;
use super::policy_toml;
use super::signers::{AllowedSigners, SignersError};
use crate::request::Disclosure;
use oblink_linkage::RulesetClass;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// Most bytes of policy.toml.
pub const POLICY_BYTES_MAX: usize = 256 << 10;
/// Most officials in one list.
pub const OFFICIALS_MAX: usize = 256;
/// Most verifiers.
pub const VERIFIERS_MAX: usize = 256;

/// Why two files are no policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not UTF-8, or over 262,144 bytes.
    #[error("the policy is not UTF-8 text of at most {POLICY_BYTES_MAX} bytes")]
    Text,
    /// Not TOML of the members that the format has.
    #[error("line {line} of the policy: {message}")]
    Syntax {
        /// The line, from 1; 0 where it is the document as a whole.
        line: usize,
        /// What TOML's reader says of it.
        message: String,
    },
    /// A member outside its bounds.
    #[error("{at} {what}")]
    Member {
        /// Where it is, such as `verifiers[2].signatures_min` (from 1).
        at: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The list of allowed signers.
    #[error(transparent)]
    Signers(#[from] SignersError),
}

/// A policy as parsed: every member within its bounds, every list of officials able to reach its threshold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub(super) holder: HolderPolicy,
    pub(super) epoch: EpochPolicy,
    pub(super) verifiers: BTreeMap<[u8; 32], VerifierPolicy>,
    pub(super) signers: AllowedSigners,
    pub(super) toml: String,
    pub(super) allowed_signers: String,
}

/// What the policy says of the holder's own officials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HolderPolicy {
    /// Principals who sign proposals and countersign requests.
    pub officials: BTreeSet<String>,
    /// k: officials whose signatures loosen the policy or end a suspension; from 1.
    pub policy_signatures_min: u32,
    /// Officials who must countersign a request; 0: none.
    pub countersignatures_min: u32,
    /// Whether their signatures count only from a security key that was touched.
    pub user_presence: bool,
}

/// What the policy says of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochPolicy {
    /// Days after which an epoch ends; from 1.
    pub days_max: u32,
    /// Evaluations after which it ends; 1 to 2^30.
    pub evaluations_max: u64,
    /// For how many days after an epoch began a set may be sealed again under its key; 0: never.
    pub keep_key_days: u32,
    /// How long a running session may go on once its epoch has ended, in seconds.
    pub grace_seconds: u32,
}

/// What the policy allows one verifier in any time of so many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowCaps {
    /// The window's length in days; 1 to 366.
    pub days: u32,
    /// Most requests.
    pub requests_max: u64,
    /// Most pairs.
    pub pairs_max: u64,
    /// Most tokens.
    pub tokens_max: u64,
}

/// What the policy allows one verifier in one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochCaps {
    /// Most requests.
    pub requests_max: u64,
    /// Most pairs.
    pub pairs_max: u64,
    /// Most tokens.
    pub tokens_max: u64,
}

/// What the policy allows one verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierPolicy {
    /// The verifier's fingerprint.
    pub fingerprint: [u8; 32],
    /// Its name, which its requests must give.
    pub name: String,
    /// Principals who sign its requests.
    pub officials: BTreeSet<String>,
    /// k: officials who must have signed a request; from 1.
    pub signatures_min: u32,
    /// Whether their signatures count only from a security key that was touched.
    pub user_presence: bool,
    /// Names of the rulesets that it may ask under; at least one.
    pub rulesets: BTreeSet<String>,
    /// Classes of ruleset that it may ask under; at least one.
    pub classes: BTreeSet<RulesetClass>,
    /// Most pairs of one request.
    pub pairs_per_request_max: u64,
    /// Most tokens of one request.
    pub tokens_per_request_max: u64,
    /// Most days from a request's not_before to its not_after; from 1.
    pub validity_days_max: u32,
    /// Names of the fields that a request must have.
    pub required_fields: BTreeSet<String>,
    /// Columns that a request must have required of its rows.
    pub required_columns: BTreeSet<String>,
    /// Most days from a request's oldest order_date to now; 0: not looked at.
    pub order_age_days_max: u32,
    /// Most addresses of one person that a request may have applied as its limit; 0: no limit is demanded.
    pub addresses_per_person_max: u32,
    /// Most days from the sealed set's as-of date to now; 0: not looked at.
    pub set_age_days_max: u32,
    /// What a request may, and must, say that it discloses.
    pub disclosure: BTreeSet<Disclosure>,
    /// Caps in a rolling window.
    pub window: WindowCaps,
    /// Caps in an epoch.
    pub epoch: EpochCaps,
}

fn member(at: String, what: &'static str) -> PolicyError {
    PolicyError::Member { at, what }
}

impl Policy {
    /// Reads the two files of a policy, strictly (SPEC POL-1): unknown members, members out of bounds, officials without a key and thresholds
    /// that nobody could reach are refused, and so is a principal who would sign for both sides.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn parse(policy_toml: &[u8], allowed_signers: &[u8]) -> Result<Self, PolicyError> {
        if policy_toml.len() > POLICY_BYTES_MAX {
            return Err(PolicyError::Text);
        }
        let toml = str::from_utf8(policy_toml).map_err(|_| PolicyError::Text)?;
        let allowed_signers = str::from_utf8(allowed_signers).map_err(|_| SignersError { line: 0, what: "not UTF-8" })?;
        let signers = AllowedSigners::parse(allowed_signers)?;
        let (holder, epoch, verifiers) = policy_toml::read(toml)?;
        let policy = Self { holder, epoch, verifiers, signers, toml: toml.to_owned(), allowed_signers: allowed_signers.to_owned() };
        policy.check_officials()?;
        Ok(policy)
    }

    /// That everybody listed has a key for what the list is for, and each threshold has enough of them.
    fn check_officials(&self) -> Result<(), PolicyError> {
        let count = |officials: &BTreeSet<String>, namespace| officials.iter().filter(|p| self.signers.has_key(p, &[namespace])).count();
        let reach = |at: String, officials, namespace, min: u32| {
            let reachable = count(officials, namespace) >= min as usize;
            if reachable { Ok(()) } else { Err(member(at, "is more than there are officials listed with a key for it")) }
        };
        let holder = &self.holder;
        if !holder.officials.iter().all(|p| self.signers.has_key(p, &[Namespace::Policy, Namespace::Countersign])) {
            return Err(member("holder.officials".into(), "lists somebody without a key for policies or countersignatures"));
        }
        reach("holder.policy_signatures_min".into(), &holder.officials, Namespace::Policy, holder.policy_signatures_min)?;
        reach("holder.countersignatures_min".into(), &holder.officials, Namespace::Countersign, holder.countersignatures_min)?;
        for verifier in self.verifiers.values() {
            let at = |name: &str| format!("verifier {}: {name}", short(&verifier.fingerprint));
            if !verifier.officials.iter().all(|p| self.signers.has_key(p, &[Namespace::Request])) {
                return Err(member(at("officials"), "lists somebody without a key for requests"));
            }
            // A countersignature is worth something because somebody else gives it.
            if !verifier.officials.is_disjoint(&holder.officials) {
                return Err(member(at("officials"), "lists one of the holder's officials: nobody signs for both sides"));
            }
            reach(at("signatures_min"), &verifier.officials, Namespace::Request, verifier.signatures_min)?;
        }
        Ok(())
    }

    /// `H256("oblink/1/policy\0" ‖ u64 length ‖ policy.toml ‖ u64 length ‖ allowed_signers)` (SPEC POL-1).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix(b"oblink/1/policy\0");
        for text in [&self.toml, &self.allowed_signers] {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.finalize().into()
    }

    /// policy.toml, as it was read.
    #[must_use]
    pub fn toml(&self) -> &str {
        &self.toml
    }

    /// The file of allowed signers, as it was read.
    #[must_use]
    pub fn allowed_signers(&self) -> &str {
        &self.allowed_signers
    }

    /// What it says of the holder's officials.
    #[must_use]
    pub fn holder(&self) -> &HolderPolicy {
        &self.holder
    }

    /// What it says of epochs.
    #[must_use]
    pub fn epoch(&self) -> &EpochPolicy {
        &self.epoch
    }

    /// What it allows the verifier of this fingerprint; `None`: nothing.
    #[must_use]
    pub fn verifier(&self, fingerprint: &[u8; 32]) -> Option<&VerifierPolicy> {
        self.verifiers.get(fingerprint)
    }

    /// Every verifier, in the order of their fingerprints.
    pub fn verifiers(&self) -> impl ExactSizeIterator<Item = &VerifierPolicy> {
        self.verifiers.values()
    }

    /// The officials' keys.
    #[must_use]
    pub fn signers(&self) -> &AllowedSigners {
        &self.signers
    }
}

/// The first eight hexadecimal digits, which tell verifiers apart in a message.
pub(super) fn short(fingerprint: &[u8; 32]) -> String {
    crate::request::to_hex(&fingerprint[..4])
}
