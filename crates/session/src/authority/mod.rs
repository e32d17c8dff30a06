//! Who may ask what: officials' signatures, the holder's policy, what authorises a request and what changes a policy (SPEC SIG, POL, AUT).
//!
//! All of it is pure: bytes and a time are handed in, a verdict with its reason comes out. What a verdict lets happen is a type that nothing
//! else makes: [`Authorised`] opens a session, [`Approval`] changes a policy or ends a suspension.
//!
//! - `sshsig`, `key`: signatures and keys (SIG-1) · `signers`: whose keys they are (SIG-2)
//! - `policy`: the document (POL-1) · `change`: what tightens and what does not (POL-2) · `proposal`: how it is changed (POL-3)
//! - `authorise`: what authorises a request (AUT-1), in which order and with which reasons (AUT-2) · `rulesets`: by which rulesets

mod authorise;
mod change;
mod denial;
mod key;
mod officials;
mod policy;
mod policy_toml;
mod proposal;
mod rulesets;
mod signers;
mod sshsig;

#[cfg(test)]
mod tests;

pub use authorise::{Authorised, Facts, authorise};
pub use change::{Change, compare};
pub use denial::Denial;
pub use key::KeyType;
pub use policy::{
    EpochCaps, EpochPolicy, HolderPolicy, OFFICIALS_MAX, POLICY_BYTES_MAX, Policy, PolicyError, VERIFIERS_MAX, VerifierPolicy, WindowCaps,
};
pub use proposal::{Approval, Approved, InForce, PROPOSAL_BYTES_MAX, Proposal, ProposalError, Resume, approve};
pub use rulesets::{BuiltInRulesets, Rulesets};
pub use signers::{
    AllowedSigners, PRINCIPAL_BYTES_MAX, SIGNERS_BYTES_MAX, SIGNERS_LINE_BYTES_MAX, SIGNERS_MAX, SignerKey, SignersError, Validity,
};
pub use sshsig::{Signature, SignatureError, Verified};

/// What officials sign, as the namespace of an SSH signature (SPEC SIG-1): a signature for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// A verifier's officials sign a request.
    Request,
    /// The holder's officials countersign the same request.
    Countersign,
    /// The holder's officials sign a proposal.
    Policy,
}

impl Namespace {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Request, Self::Countersign, Self::Policy];

    /// What `ssh-keygen -Y sign -n` is given.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request@oblink-1",
            Self::Countersign => "countersign@oblink-1",
            Self::Policy => "policy@oblink-1",
        }
    }

    /// The one that is called so.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|namespace| namespace.as_str() == name)
    }
}
