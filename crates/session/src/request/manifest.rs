//! What an authorised request says (SPEC REQ-3): members, bounds, canonical form.

use super::{Core, RequestError, bounds, check_name, check_text, from_hex, to_hex};
use crate::date::days_of;
use crate::limits::{FIELDS_MAX, LEFT_OUT_MAX, PAIRS_MAX, REQUIRED_COLUMNS_MAX, TIME_UNIX_MS_MAX};
use oblink_linkage::RulesetClass;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The `format` of an authorised request.
pub(super) const FORMAT: &str = "oblink/authorised-request/1";

/// What the verifier tells the holder of a session's result, by agreement (SPEC REQ-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disclosure {
    /// Nothing.
    None,
    /// How many pairs matched.
    Count,
    /// Which of the holder's tags matched.
    MatchedTags,
}

impl Disclosure {
    /// The name in requests, policies and receipts: `none`, `count` or `matched_tags`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Count => "count",
            Self::MatchedTags => "matched_tags",
        }
    }
}

impl core::str::FromStr for Disclosure {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        let found = [Self::None, Self::Count, Self::MatchedTags].into_iter().find(|known| known.as_str() == text);
        found.ok_or(RequestError::Member("disclosure"))
    }
}

/// What an authorised request says (SPEC REQ-3). A value of this type may be out of bounds; inside a [`Request`](super::Request) it never is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// Most addresses asked of one person; 0: no limit was applied.
    pub addresses_per_person_max: u32,
    /// Tokens in a batch.
    pub batch_tokens: u32,
    /// What the seed of the blinds is checked against in an audit (SPEC REQ-5).
    pub blind_seed_digest: [u8; 32],
    /// Root over the blinded_digests of all batches, in order (SPEC REQ-5).
    pub blinded_root: [u8; 32],
    /// Class of the ruleset: a name of [`RulesetClass`].
    pub class: String,
    /// What the verifier will tell the holder of the result.
    pub disclosure: Disclosure,
    /// Free fields, such as an agreement's number: name → text. At most 32.
    pub fields: BTreeMap<String, String>,
    /// The holder's fingerprint.
    pub holder: [u8; 32],
    /// The holder's name.
    pub holder_name: String,
    /// Rows of the input that are not in the list: reason → how many, from 1. At most 64 reasons.
    pub left_out: BTreeMap<String, u64>,
    /// By what right is asked.
    pub legal_basis: String,
    /// Root over the salted rows of the list, in order (SPEC REQ-4).
    pub list_root: [u8; 32],
    /// Valid to this time and no longer, in milliseconds since 1970.
    pub not_after_unix_ms: u64,
    /// Valid from this time, in milliseconds since 1970; before `not_after_unix_ms`.
    pub not_before_unix_ms: u64,
    /// Earliest `order_date` in the list, as yyyymmdd; 0 unless `required_columns` has `order_date`.
    pub order_date_earliest: u32,
    /// Latest `order_date` in the list; likewise.
    pub order_date_latest: u32,
    /// Pairs in the list.
    pub pairs: u64,
    /// What for.
    pub purpose: String,
    /// The request's identifier.
    pub request_id: [u8; 16],
    /// Columns without which a row was left out. At most 32.
    pub required_columns: BTreeSet<String>,
    /// Name of the ruleset.
    pub ruleset: String,
    /// Digest of the ruleset.
    pub ruleset_digest: [u8; 32],
    /// Tokens a pair, T.
    pub tokens_per_pair: u16,
    /// The verifier's fingerprint.
    pub verifier: [u8; 32],
    /// The verifier's name.
    pub verifier_name: String,
}

// Members in the order of their names. Names are ASCII, so BTreeMap's and BTreeSet's order is RFC 8785's too; texts hold no control
// characters, so serde_json escapes the quotation mark and the backslash alone, as RFC 8785 does.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    addresses_per_person_max: u32,
    batch_tokens: u32,
    blind_seed_digest: String,
    blinded_root: String,
    class: String,
    disclosure: String,
    fields: BTreeMap<String, String>,
    format: String,
    holder: String,
    holder_name: String,
    left_out: BTreeMap<String, u64>,
    legal_basis: String,
    list_root: String,
    not_after_unix_ms: u64,
    not_before_unix_ms: u64,
    order_date_earliest: u32,
    order_date_latest: u32,
    pairs: u64,
    purpose: String,
    request_id: String,
    required_columns: BTreeSet<String>,
    ruleset: String,
    ruleset_digest: String,
    tokens_per_pair: u16,
    verifier: String,
    verifier_name: String,
}

fn hex<const N: usize>(text: &str, name: &'static str) -> Result<[u8; N], RequestError> {
    from_hex(text).ok_or(RequestError::Member(name))
}

impl Manifest {
    /// Reads the members. Bounds and canonical form are checked by the caller, over what is made of it.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, RequestError> {
        let members: Members = serde_json::from_slice(bytes).map_err(|_| RequestError::Syntax)?;
        Ok(Self {
            addresses_per_person_max: members.addresses_per_person_max,
            batch_tokens: members.batch_tokens,
            blind_seed_digest: hex(&members.blind_seed_digest, "blind_seed_digest")?,
            blinded_root: hex(&members.blinded_root, "blinded_root")?,
            class: members.class,
            disclosure: members.disclosure.parse()?,
            fields: members.fields,
            holder: hex(&members.holder, "holder")?,
            holder_name: members.holder_name,
            left_out: members.left_out,
            legal_basis: members.legal_basis,
            list_root: hex(&members.list_root, "list_root")?,
            not_after_unix_ms: members.not_after_unix_ms,
            not_before_unix_ms: members.not_before_unix_ms,
            order_date_earliest: members.order_date_earliest,
            order_date_latest: members.order_date_latest,
            pairs: members.pairs,
            purpose: members.purpose,
            request_id: hex(&members.request_id, "request_id")?,
            required_columns: members.required_columns,
            ruleset: members.ruleset,
            ruleset_digest: hex(&members.ruleset_digest, "ruleset_digest")?,
            tokens_per_pair: members.tokens_per_pair,
            verifier: hex(&members.verifier, "verifier")?,
            verifier_name: members.verifier_name,
        })
    }

    /// The canonical bytes, once every member is within its bounds.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, RequestError> {
        self.check()?;
        let members = Members {
            addresses_per_person_max: self.addresses_per_person_max,
            batch_tokens: self.batch_tokens,
            blind_seed_digest: to_hex(&self.blind_seed_digest),
            blinded_root: to_hex(&self.blinded_root),
            class: self.class.clone(),
            disclosure: self.disclosure.as_str().to_owned(),
            fields: self.fields.clone(),
            format: FORMAT.to_owned(),
            holder: to_hex(&self.holder),
            holder_name: self.holder_name.clone(),
            left_out: self.left_out.clone(),
            legal_basis: self.legal_basis.clone(),
            list_root: to_hex(&self.list_root),
            not_after_unix_ms: self.not_after_unix_ms,
            not_before_unix_ms: self.not_before_unix_ms,
            order_date_earliest: self.order_date_earliest,
            order_date_latest: self.order_date_latest,
            pairs: self.pairs,
            purpose: self.purpose.clone(),
            request_id: to_hex(&self.request_id),
            required_columns: self.required_columns.clone(),
            ruleset: self.ruleset.clone(),
            ruleset_digest: to_hex(&self.ruleset_digest),
            tokens_per_pair: self.tokens_per_pair,
            verifier: to_hex(&self.verifier),
            verifier_name: self.verifier_name.clone(),
        };
        serde_json::to_vec(&members).map_err(|_| RequestError::Syntax)
    }

    pub(super) fn core(&self) -> Core {
        Core {
            request_id: self.request_id,
            pairs: self.pairs,
            batch_tokens: self.batch_tokens,
            tokens_per_pair: self.tokens_per_pair,
            ruleset: self.ruleset.clone(),
            ruleset_digest: self.ruleset_digest,
        }
    }

    fn check(&self) -> Result<(), RequestError> {
        self.core().check()?;
        let classes = [RulesetClass::ConfirmAddress, RulesetClass::FindPerson];
        bounds(classes.iter().any(|class| class.as_str() == self.class), "class")?;
        let fields = self.fields.iter().all(|(name, value)| check_name(name) && check_text(value));
        bounds(self.fields.len() <= FIELDS_MAX && fields, "fields")?;
        bounds(check_text(&self.holder_name), "holder_name")?;
        let left_out = self.left_out.iter().all(|(reason, count)| check_name(reason) && (1..=PAIRS_MAX).contains(count));
        bounds(self.left_out.len() <= LEFT_OUT_MAX && left_out, "left_out")?;
        bounds(check_text(&self.legal_basis), "legal_basis")?;
        bounds(self.not_after_unix_ms <= TIME_UNIX_MS_MAX, "not_after_unix_ms")?;
        bounds(self.not_before_unix_ms < self.not_after_unix_ms, "not_before_unix_ms")?;
        if self.required_columns.contains("order_date") {
            bounds(days_of(self.order_date_earliest).is_some(), "order_date_earliest")?;
            bounds(days_of(self.order_date_latest).is_some() && self.order_date_earliest <= self.order_date_latest, "order_date_latest")?;
        } else {
            bounds(self.order_date_earliest == 0, "order_date_earliest")?;
            bounds(self.order_date_latest == 0, "order_date_latest")?;
        }
        bounds(check_text(&self.purpose), "purpose")?;
        let columns = self.required_columns.iter().all(|name| check_name(name));
        bounds(self.required_columns.len() <= REQUIRED_COLUMNS_MAX && columns, "required_columns")?;
        bounds(check_text(&self.verifier_name), "verifier_name")
    }
}
