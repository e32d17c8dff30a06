//! Why a request is not authorised, or a proposal not taken (SPEC AUT-2, POL-3). The holder's ledger keeps the reason whole; what goes out to
//! the other side is coarser.

use super::{Namespace, PolicyError, SignatureError};

/// Whose signature it is about, for a message.
fn whose(namespace: Namespace) -> &'static str {
    match namespace {
        Namespace::Request => "signature",
        Namespace::Countersign => "countersignature",
        Namespace::Policy => "signature under the proposal",
    }
}

/// Why not. Numbers, and names that the holder's policy gives; no text of a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// The request is of the format that nobody signs.
    #[error("the request is unsigned, and a policy is in force")]
    Unsigned,
    /// The policy does not list the verifier.
    #[error("the policy lists no verifier of this fingerprint")]
    VerifierUnknown,
    /// The request names another holder.
    #[error("the request is made out to another holder")]
    OtherHolder,
    /// The request names another verifier than the one that presents it.
    #[error("the request is another verifier's")]
    OtherVerifier,
    /// The request names the verifier otherwise than the policy does.
    #[error("the request does not name the verifier as the policy does")]
    VerifierName,
    /// The policy does not list the ruleset.
    #[error("the policy does not let this verifier ask under this ruleset")]
    RulesetNotAllowed,
    /// The policy does not list the class.
    #[error("the policy does not let this verifier ask under this class of ruleset")]
    ClassNotAllowed,
    /// This build has no such ruleset: other name, digest, class or number of tokens.
    #[error("the request's ruleset is not this build's of that name, by digest, class or tokens a pair")]
    RulesetMismatch,
    /// Before the request's not_before.
    #[error("the request is not valid yet")]
    NotYetValid,
    /// After the request's not_after.
    #[error("the request is valid no longer")]
    Expired,
    /// Valid for longer than the policy allows.
    #[error("the request is valid for longer than {max_days} days")]
    ValidityTooLong {
        /// Allowed.
        max_days: u32,
    },
    /// More pairs than one request may have.
    #[error("{asked} pairs asked, {max} allowed in one request")]
    PairsOverCap {
        /// Asked.
        asked: u64,
        /// Allowed.
        max: u64,
    },
    /// More tokens than one request may have.
    #[error("{asked} tokens asked, {max} allowed in one request")]
    TokensOverCap {
        /// Asked.
        asked: u64,
        /// Allowed.
        max: u64,
    },
    /// A field that the policy requires is not in the request.
    #[error("the request has no field {name}")]
    FieldMissing {
        /// The field, as the policy names it.
        name: String,
    },
    /// The policy requires that rows without some column be left out, and the request does not say that they were.
    #[error("the request does not say that rows without {name} were left out")]
    ColumnNotRequired {
        /// The column, as the policy names it.
        name: String,
    },
    /// The oldest order is too old.
    #[error("the request's oldest order is {days} days old, {max_days} allowed")]
    OrderTooOld {
        /// Its age.
        days: i64,
        /// Allowed.
        max_days: u32,
    },
    /// No order date where the policy looks at it, or one later than tomorrow.
    #[error("the request's order dates are missing or in the future")]
    OrderDate,
    /// No limit, or too high a one, on the addresses of one person.
    #[error("the request does not limit the addresses of one person to {max} at most")]
    AddressesPerPerson {
        /// Allowed.
        max: u32,
    },
    /// The request's disclosure is not one that the policy lists.
    #[error("the policy does not let this verifier's requests say that disclosure")]
    DisclosureNotAllowed,
    /// The sealed set has no as-of date where the policy looks at it.
    #[error("the sealed set has no as-of date")]
    SetUndated,
    /// The sealed set is too old.
    #[error("the sealed set is {days} days old, {max_days} allowed")]
    SetTooOld {
        /// Its age.
        days: i64,
        /// Allowed.
        max_days: u32,
    },
    /// More signatures than there may be.
    #[error("too many signatures ({})", whose(*.namespace))]
    TooManySignatures {
        /// For which purpose.
        namespace: Namespace,
    },
    /// Not a signature that counts.
    #[error("{} {number}: {why}", whose(*.namespace))]
    SignatureMalformed {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
        /// What is wrong with it.
        why: SignatureError,
    },
    /// A signature made for another purpose.
    #[error("{} {number} was made for another namespace than {}", whose(*.namespace), .namespace.as_str())]
    WrongNamespace {
        /// For which purpose it should be.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// A signature by nobody whom the policy lists for it.
    #[error("{} {number} is of a key that the policy does not list for {}", whose(*.namespace), .namespace.as_str())]
    SignerNotListed {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// A signature by a key that does not count yet.
    #[error("{} {number} is of a key that is not valid yet", whose(*.namespace))]
    SignerNotYetValid {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// A signature by a key that counts no longer.
    #[error("{} {number} is of a key that has expired", whose(*.namespace))]
    SignerExpired {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// A signature over other bytes, or none of its key.
    #[error("{} {number} is not of its key over these bytes", whose(*.namespace))]
    SignatureInvalid {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// A signature without the touch of a security key, where the policy demands one.
    #[error("{} {number} does not say that a security key was touched", whose(*.namespace))]
    UserNotPresent {
        /// For which purpose.
        namespace: Namespace,
        /// Its place, from 1.
        number: usize,
    },
    /// Fewer officials than the policy demands.
    #[error("{counted} officials, {needed} demanded ({})", whose(*.namespace))]
    SignatureShort {
        /// For which purpose.
        namespace: Namespace,
        /// Different officials whose signatures counted.
        counted: usize,
        /// Demanded.
        needed: u32,
    },
    /// The proposal is for another holder.
    #[error("the proposal is made out to another holder")]
    ProposalOtherHolder,
    /// The proposal was made against another policy than the one in force, or before it, or before the suspension that it would end.
    #[error("the proposal is not against the policy and the suspensions as they are now")]
    Stale,
    /// The proposal's time is in the future.
    #[error("the proposal's time is in the future")]
    ProposalInFuture,
    /// The proposal changes nothing.
    #[error("the proposal is the policy in force")]
    NothingChanged,
    /// The proposed policy is none.
    #[error("the proposed policy: {0}")]
    PolicyInvalid(#[from] PolicyError),
}

impl Denial {
    /// The reason as one word, for the ledger and for programs; snake_case, one for each variant (SPEC AUT-2).
    #[must_use]
    pub const fn code_word(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::VerifierUnknown => "verifier_unknown",
            Self::OtherHolder => "other_holder",
            Self::OtherVerifier => "other_verifier",
            Self::VerifierName => "verifier_name",
            Self::RulesetNotAllowed => "ruleset_not_allowed",
            Self::ClassNotAllowed => "class_not_allowed",
            Self::RulesetMismatch => "ruleset_mismatch",
            Self::NotYetValid => "not_yet_valid",
            Self::Expired => "expired",
            Self::ValidityTooLong { .. } => "validity_too_long",
            Self::PairsOverCap { .. } => "pairs_over_cap",
            Self::TokensOverCap { .. } => "tokens_over_cap",
            Self::FieldMissing { .. } => "field_missing",
            Self::ColumnNotRequired { .. } => "column_not_required",
            Self::OrderTooOld { .. } => "order_too_old",
            Self::OrderDate => "order_date",
            Self::AddressesPerPerson { .. } => "addresses_per_person",
            Self::DisclosureNotAllowed => "disclosure_not_allowed",
            Self::SetUndated => "set_undated",
            Self::SetTooOld { .. } => "set_too_old",
            Self::TooManySignatures { .. } => "too_many_signatures",
            Self::SignatureMalformed { .. } => "signature_malformed",
            Self::WrongNamespace { .. } => "wrong_namespace",
            Self::SignerNotListed { .. } => "signer_not_listed",
            Self::SignerNotYetValid { .. } => "signer_not_yet_valid",
            Self::SignerExpired { .. } => "signer_expired",
            Self::SignatureInvalid { .. } => "signature_invalid",
            Self::UserNotPresent { .. } => "user_not_present",
            Self::SignatureShort { .. } => "signature_short",
            Self::ProposalOtherHolder => "proposal_other_holder",
            Self::Stale => "stale",
            Self::ProposalInFuture => "proposal_in_future",
            Self::NothingChanged => "nothing_changed",
            Self::PolicyInvalid(_) => "policy_invalid",
        }
    }

    /// Whose signatures it is about, where it is about signatures.
    #[must_use]
    pub const fn namespace(&self) -> Option<Namespace> {
        match self {
            Self::TooManySignatures { namespace }
            | Self::SignatureMalformed { namespace, .. }
            | Self::WrongNamespace { namespace, .. }
            | Self::SignerNotListed { namespace, .. }
            | Self::SignerNotYetValid { namespace, .. }
            | Self::SignerExpired { namespace, .. }
            | Self::SignatureInvalid { namespace, .. }
            | Self::UserNotPresent { namespace, .. }
            | Self::SignatureShort { namespace, .. } => Some(*namespace),
            _ => None,
        }
    }
}
