//! How a policy comes into force, and how a suspension ends: by a proposal that the holder's officials sign (SPEC POL-3).

use super::change::{Change, compare};
use super::officials::Demand;
use super::{Denial, Namespace, POLICY_BYTES_MAX, Policy, PolicyError, SIGNERS_BYTES_MAX};
use crate::ledger::Signer;
use crate::limits::TIME_UNIX_MS_MAX;
use crate::request::{check_text, from_hex, to_hex};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const FORMAT: &str = "oblink/proposal/1";
const ALL: &str = "all";
/// Most bytes of a proposal: both texts with every character escaped by one more, and room for the rest.
pub const PROPOSAL_BYTES_MAX: usize = 2 * (POLICY_BYTES_MAX + SIGNERS_BYTES_MAX) + 8_192;

/// Why bytes are no proposal. A name of a member, never a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProposalError {
    /// Not JSON, not an object of these members, or too long.
    #[error("the proposal is not JSON of the members that version 1 has")]
    Syntax,
    /// Not byte for byte its own canonical form.
    #[error("the proposal is not canonical JSON (RFC 8785)")]
    NotCanonical,
    /// A member outside its bounds.
    #[error("the proposal's {0} is out of bounds")]
    Member(&'static str),
}

/// Whose suspension is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resume {
    /// The suspension of all.
    All,
    /// The suspension of this verifier.
    Verifier([u8; 32]),
}

// Members in the order of their names; serde_json escapes in strings exactly what RFC 8785 does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    allowed_signers: String,
    format: String,
    holder: String,
    kind: String,
    policy: String,
    previous: String,
    proposed_unix_ms: u64,
    reason: String,
    resume: String,
}

/// A proposal as parsed or made: its bytes are canonical, its members within bounds. The policy in it may still be none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    members: Members,
    holder: [u8; 32],
    previous: Option<[u8; 32]>,
    resume: Option<Resume>,
    bytes: Vec<u8>,
}

impl Proposal {
    /// Proposes a policy to the holder of this fingerprint, in the place of the one of digest `previous` (`None`: the first).
    ///
    /// # Errors
    /// [`ProposalError::Member`]: the texts are too long, `reason` is not plain text (SPEC REQ-6), the time is over 2^53.
    pub fn of_policy(
        holder: &[u8; 32],
        previous: Option<&[u8; 32]>,
        policy_toml: &str,
        allowed_signers: &str,
        reason: &str,
        proposed_unix_ms: u64,
    ) -> Result<Self, ProposalError> {
        Self::from_members(Members {
            allowed_signers: allowed_signers.to_owned(),
            format: FORMAT.to_owned(),
            holder: to_hex(holder),
            kind: "policy".to_owned(),
            policy: policy_toml.to_owned(),
            previous: previous.map(|digest| to_hex(digest)).unwrap_or_default(),
            proposed_unix_ms,
            reason: reason.to_owned(),
            resume: String::new(),
        })
    }

    /// Proposes to end a suspension, under the policy of digest `previous`.
    ///
    /// # Errors
    /// [`ProposalError::Member`]: `reason` is not plain text (SPEC REQ-6), the time is over 2^53.
    pub fn of_resumption(
        holder: &[u8; 32],
        previous: &[u8; 32],
        resume: Resume,
        reason: &str,
        proposed_unix_ms: u64,
    ) -> Result<Self, ProposalError> {
        Self::from_members(Members {
            allowed_signers: String::new(),
            format: FORMAT.to_owned(),
            holder: to_hex(holder),
            kind: "resume".to_owned(),
            policy: String::new(),
            previous: to_hex(previous),
            proposed_unix_ms,
            reason: reason.to_owned(),
            resume: match resume {
                Resume::All => ALL.to_owned(),
                Resume::Verifier(fingerprint) => to_hex(&fingerprint),
            },
        })
    }

    /// Parses a proposal, strictly: bytes that are not their own canonical form are refused.
    ///
    /// # Errors
    /// [`ProposalError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProposalError> {
        if bytes.len() > PROPOSAL_BYTES_MAX {
            return Err(ProposalError::Syntax);
        }
        let proposal = Self::from_members(serde_json::from_slice(bytes).map_err(|_| ProposalError::Syntax)?)?;
        if proposal.bytes == bytes { Ok(proposal) } else { Err(ProposalError::NotCanonical) }
    }

    fn from_members(members: Members) -> Result<Self, ProposalError> {
        let bounds = |within: bool, name| if within { Ok(()) } else { Err(ProposalError::Member(name)) };
        bounds(members.format == FORMAT, "format")?;
        let holder = from_hex(&members.holder).ok_or(ProposalError::Member("holder"))?;
        let previous = match members.previous.as_str() {
            "" => None,
            hex => Some(from_hex(hex).ok_or(ProposalError::Member("previous"))?),
        };
        let resume = match (members.kind.as_str(), members.resume.as_str()) {
            ("policy", "") => {
                bounds(!members.policy.is_empty() && members.policy.len() <= POLICY_BYTES_MAX, "policy")?;
                bounds(members.allowed_signers.len() <= SIGNERS_BYTES_MAX, "allowed_signers")?;
                None
            }
            ("resume", whom) => {
                bounds(members.policy.is_empty(), "policy")?;
                bounds(members.allowed_signers.is_empty(), "allowed_signers")?;
                bounds(previous.is_some(), "previous")?;
                Some(match whom {
                    ALL => Resume::All,
                    hex => Resume::Verifier(from_hex(hex).ok_or(ProposalError::Member("resume"))?),
                })
            }
            ("policy", _) => return Err(ProposalError::Member("resume")),
            _ => return Err(ProposalError::Member("kind")),
        };
        bounds(members.proposed_unix_ms <= TIME_UNIX_MS_MAX, "proposed_unix_ms")?;
        bounds(check_text(&members.reason), "reason")?;
        let bytes = serde_json::to_vec(&members).map_err(|_| ProposalError::Syntax)?;
        bounds(bytes.len() <= PROPOSAL_BYTES_MAX, "length")?;
        Ok(Self { members, holder, previous, resume, bytes })
    }

    /// The canonical bytes: what officials sign in the namespace `policy@oblink-1`.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }

    /// The holder that it is made out to.
    #[must_use]
    pub fn holder(&self) -> &[u8; 32] {
        &self.holder
    }

    /// Digest of the policy that it was made against; `None`: of none.
    #[must_use]
    pub fn previous(&self) -> Option<&[u8; 32]> {
        self.previous.as_ref()
    }

    /// Why, in its author's words.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.members.reason
    }

    /// When it was made, in milliseconds since 1970.
    #[must_use]
    pub fn proposed_unix_ms(&self) -> u64 {
        self.members.proposed_unix_ms
    }

    /// Whose suspension it is to end; `None` where it proposes a policy.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        self.resume
    }

    /// The policy that it proposes; `None` where it is to end a suspension.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn policy(&self) -> Result<Option<Policy>, PolicyError> {
        if self.resume.is_some() {
            return Ok(None);
        }
        Policy::parse(self.members.policy.as_bytes(), self.members.allowed_signers.as_bytes()).map(Some)
    }
}

/// The policy in force, and since when the state is what a proposal must have been made against.
#[derive(Clone, Copy, Debug)]
pub struct InForce<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// When it came into force, in milliseconds since 1970.
    pub since_unix_ms: u64,
    /// When the last suspension began that this proposal would end, in milliseconds since 1970; 0: none. For a policy not looked at.
    pub suspended_unix_ms: u64,
}

/// What is approved.
#[derive(Debug, PartialEq, Eq)]
pub enum Approved {
    /// A policy is to come into force.
    Policy {
        /// The policy.
        policy: Box<Policy>,
        /// How it stands to the one in force; `None` for the first.
        change: Option<Change>,
    },
    /// A suspension is to end.
    Resume(Resume),
}

/// A proposal that is approved. [`approve`] alone makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Approval {
    approved: Approved,
    signers: Vec<Signer>,
    proposal_digest: [u8; 32],
}

impl Approval {
    /// What is approved.
    #[must_use]
    pub fn approved(&self) -> &Approved {
        &self.approved
    }

    /// The officials who signed, by name, everybody once; none, where a tightening came without.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// SHA-256 of the proposal.
    #[must_use]
    pub fn proposal_digest(&self) -> &[u8; 32] {
        &self.proposal_digest
    }

    /// What is approved, to be done.
    #[must_use]
    pub fn into_approved(self) -> Approved {
        self.approved
    }
}

/// Decides whether a proposal is approved (SPEC POL-3).
///
/// It must be made out to this holder, against the policy in force (none: for the first), after that came into force and, to end a suspension,
/// after the last one concerned began: otherwise the same signatures would serve again each time the old state is back. The first policy needs
/// its own k of n; a policy that is looser than the one in force and a resumption need k of n under the one in force; a tightening needs
/// nobody. Every signature that is handed in must be good all the same.
///
/// # Errors
/// [`Denial`]: `ProposalOtherHolder`, `Stale`, `ProposalInFuture`, `PolicyInvalid`, `NothingChanged`, and those of signatures.
pub fn approve(
    proposal: &Proposal,
    holder: &[u8; 32],
    in_force: Option<InForce<'_>>,
    signatures: &[Vec<u8>],
    now_unix_ms: u64,
) -> Result<Approval, Denial> {
    if proposal.holder != *holder {
        return Err(Denial::ProposalOtherHolder);
    }
    if proposal.previous != in_force.map(|in_force| in_force.policy.digest()) {
        return Err(Denial::Stale);
    }
    let proposed = proposal.proposed_unix_ms();
    if proposed > now_unix_ms {
        return Err(Denial::ProposalInFuture);
    }
    if let Some(in_force) = in_force {
        let suspended = if proposal.resume.is_some() { in_force.suspended_unix_ms } else { 0 };
        if proposed <= in_force.since_unix_ms.max(suspended) {
            return Err(Denial::Stale);
        }
    }
    let (approved, needs) = match (proposal.policy()?, proposal.resume) {
        (Some(policy), _) => {
            let change = in_force.map(|in_force| compare(in_force.policy, &policy));
            if in_force.is_some_and(|in_force| in_force.policy.digest() == policy.digest()) {
                return Err(Denial::NothingChanged);
            }
            let needs = !matches!(change, Some(Change::Same | Change::Tighter(_)));
            (Approved::Policy { policy: Box::new(policy), change }, needs)
        }
        (None, Some(resume)) => (Approved::Resume(resume), true),
        // A proposal is of a policy or of a resumption by construction.
        (None, None) => return Err(Denial::Stale),
    };
    let judge = match (in_force, &approved) {
        (Some(in_force), _) => in_force.policy,
        (None, Approved::Policy { policy, .. }) => policy,
        // A resumption names the policy in force by construction.
        (None, Approved::Resume(_)) => return Err(Denial::Stale),
    };
    let demand = Demand {
        policy: judge,
        namespace: Namespace::Policy,
        officials: &judge.holder().officials,
        signatures_min: if needs { judge.holder().policy_signatures_min } else { 0 },
        user_presence: judge.holder().user_presence,
        now_unix_ms,
    };
    let signers = demand.check(proposal.bytes(), signatures)?;
    Ok(Approval { approved, signers, proposal_digest: proposal.digest() })
}
