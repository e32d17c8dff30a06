//! policy.toml: members and bounds (SPEC POL-1). What is not written is not allowed, so a member that limits has no default unless the default
//! is the strictest there is.

use super::policy::{EpochCaps, EpochPolicy, HolderPolicy, OFFICIALS_MAX, PolicyError, VERIFIERS_MAX, VerifierPolicy, WindowCaps};
use super::signers::is_principal;
use crate::limits::{EPOCH_EVALUATIONS_MAX, FIELDS_MAX, PAIRS_MAX, REQUIRED_COLUMNS_MAX, SIGNATURES_MAX, TOKENS_PER_PAIR_MAX};
use crate::request::{Disclosure, check_name, check_text};
use oblink_linkage::RulesetClass;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const FORMAT: &str = "oblink/policy/1";
/// Most rulesets of one verifier.
const RULESETS_MAX: usize = 64;
/// Most days of anything but a window: ten years.
const DAYS_MAX: u32 = 3_660;
/// Most days that an order or a set may be old, where that is looked at: a century.
const AGE_DAYS_MAX: u32 = 36_600;
const TOKENS_MAX: u64 = PAIRS_MAX * TOKENS_PER_PAIR_MAX as u64;
/// Most requests, and anything else that is counted without a nearer bound.
const COUNT_MAX: u64 = 1 << 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: String,
    holder: Holder,
    epoch: Epoch,
    #[serde(default)]
    verifiers: Vec<Verifier>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holder {
    officials: Vec<String>,
    policy_signatures_min: u32,
    countersignatures_min: u32,
    user_presence: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Epoch {
    days_max: u32,
    evaluations_max: u64,
    #[serde(default)]
    keep_key_days: u32,
    #[serde(default)]
    grace_seconds: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Verifier {
    fingerprint: String,
    name: String,
    officials: Vec<String>,
    signatures_min: u32,
    user_presence: bool,
    rulesets: Vec<String>,
    #[serde(default = "confirm_address")]
    classes: Vec<String>,
    pairs_per_request_max: u64,
    tokens_per_request_max: u64,
    validity_days_max: u32,
    #[serde(default)]
    required_fields: Vec<String>,
    #[serde(default)]
    required_columns: Vec<String>,
    order_age_days_max: u32,
    addresses_per_person_max: u32,
    set_age_days_max: u32,
    #[serde(default = "no_disclosure")]
    disclosure: Vec<String>,
    window: Window,
    epoch: Caps,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Window {
    days: u32,
    requests_max: u64,
    pairs_max: u64,
    tokens_max: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Caps {
    requests_max: u64,
    pairs_max: u64,
    tokens_max: u64,
}

fn confirm_address() -> Vec<String> {
    vec![RulesetClass::ConfirmAddress.as_str().to_owned()]
}

fn no_disclosure() -> Vec<String> {
    vec![Disclosure::None.as_str().to_owned()]
}

/// Where in the document is being looked, for the message.
struct At(String);

impl At {
    fn no<T>(&self, name: &str, what: &'static str) -> Result<T, PolicyError> {
        Err(PolicyError::Member { at: format!("{}{name}", self.0), what })
    }

    fn must(&self, is: bool, name: &str, what: &'static str) -> Result<(), PolicyError> {
        if is { Ok(()) } else { self.no(name, what) }
    }

    fn within(&self, value: impl Into<u64>, least: u64, most: impl Into<u64>, name: &str) -> Result<(), PolicyError> {
        self.must((least..=most.into()).contains(&value.into()), name, if least == 0 { "is too large" } else { "is 0 or too large" })
    }

    /// Each once, each one that `read` takes.
    fn set<T: Ord>(&self, list: &[String], most: usize, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<BTreeSet<T>, PolicyError> {
        self.must(list.len() <= most, name, "is too long")?;
        let mut set = BTreeSet::new();
        for text in list {
            let Some(value) = read(text) else { return self.no(name, "says something that is not one") };
            self.must(set.insert(value), name, "says something twice")?;
        }
        Ok(set)
    }

    fn some<T: Ord>(&self, list: &[String], most: usize, name: &str, read: impl Fn(&str) -> Option<T>) -> Result<BTreeSet<T>, PolicyError> {
        self.must(!list.is_empty(), name, "is empty")?;
        self.set(list, most, name, read)
    }

    fn officials(&self, list: &[String]) -> Result<BTreeSet<String>, PolicyError> {
        self.some(list, OFFICIALS_MAX, "officials", |text| is_principal(text).then(|| text.to_owned()))
    }
}

/// A fingerprint as `init` prints it: 64 hexadecimal digits; dashes, colons and blanks between them are passed over.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: String = text.chars().filter(|c| !matches!(c, '-' | ':' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    crate::request::from_hex(&digits)
}

fn ruleset_name(text: &str) -> Option<String> {
    let plain = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    ((1..=64).contains(&text.len()) && plain).then(|| text.to_owned())
}

fn class(text: &str) -> Option<RulesetClass> {
    [RulesetClass::ConfirmAddress, RulesetClass::FindPerson].into_iter().find(|class| class.as_str() == text)
}

fn name(text: &str) -> Option<String> {
    check_name(text).then(|| text.to_owned())
}

pub(super) type Parts = (HolderPolicy, EpochPolicy, BTreeMap<[u8; 32], VerifierPolicy>);

/// Reads the document.
///
/// # Errors
/// [`PolicyError::Syntax`], [`PolicyError::Member`].
pub(super) fn read(text: &str) -> Result<Parts, PolicyError> {
    let document: Document = toml::from_str(text).map_err(|e| PolicyError::Syntax {
        line: e.span().map_or(0, |span| text.get(..span.start).map_or(0, |before| before.matches('\n').count() + 1)),
        message: e.message().to_owned(),
    })?;
    At(String::new()).must(document.format == FORMAT, "format", "is not oblink/policy/1")?;
    let holder = holder(document.holder)?;
    let epoch = epoch(&document.epoch)?;
    At(String::new()).must(document.verifiers.len() <= VERIFIERS_MAX, "verifiers", "are too many")?;
    let mut verifiers = BTreeMap::new();
    for (index, verifier) in document.verifiers.into_iter().enumerate() {
        let at = At(format!("verifiers[{}].", index + 1));
        let verifier = self::verifier(&at, verifier)?;
        if verifiers.insert(verifier.fingerprint, verifier).is_some() {
            return at.no("fingerprint", "is there twice");
        }
    }
    Ok((holder, epoch, verifiers))
}

fn holder(holder: Holder) -> Result<HolderPolicy, PolicyError> {
    let at = At("holder.".to_owned());
    at.within(holder.policy_signatures_min, 1, SIGNATURES_MAX as u64, "policy_signatures_min")?;
    at.within(holder.countersignatures_min, 0, SIGNATURES_MAX as u64, "countersignatures_min")?;
    Ok(HolderPolicy {
        officials: at.officials(&holder.officials)?,
        policy_signatures_min: holder.policy_signatures_min,
        countersignatures_min: holder.countersignatures_min,
        user_presence: holder.user_presence,
    })
}

fn epoch(epoch: &Epoch) -> Result<EpochPolicy, PolicyError> {
    let at = At("epoch.".to_owned());
    at.within(epoch.days_max, 1, DAYS_MAX, "days_max")?;
    at.within(epoch.evaluations_max, 1, EPOCH_EVALUATIONS_MAX, "evaluations_max")?;
    at.within(epoch.keep_key_days, 0, 366_u32, "keep_key_days")?;
    at.within(epoch.grace_seconds, 0, 86_400_u32, "grace_seconds")?;
    Ok(EpochPolicy {
        days_max: epoch.days_max,
        evaluations_max: epoch.evaluations_max,
        keep_key_days: epoch.keep_key_days,
        grace_seconds: epoch.grace_seconds,
    })
}

fn verifier(at: &At, verifier: Verifier) -> Result<VerifierPolicy, PolicyError> {
    let Some(fingerprint) = fingerprint(&verifier.fingerprint) else {
        return at.no("fingerprint", "is not 64 hexadecimal digits");
    };
    at.must(check_text(&verifier.name), "name", "is not plain text of 1 to 1,024 bytes")?;
    at.within(verifier.signatures_min, 1, SIGNATURES_MAX as u64, "signatures_min")?;
    at.within(verifier.pairs_per_request_max, 1, PAIRS_MAX, "pairs_per_request_max")?;
    at.within(verifier.tokens_per_request_max, 1, TOKENS_MAX, "tokens_per_request_max")?;
    at.within(verifier.validity_days_max, 1, DAYS_MAX, "validity_days_max")?;
    at.within(verifier.order_age_days_max, 0, AGE_DAYS_MAX, "order_age_days_max")?;
    at.within(verifier.set_age_days_max, 0, AGE_DAYS_MAX, "set_age_days_max")?;
    let window = &verifier.window;
    at.within(window.days, 1, 366_u32, "window.days")?;
    at.within(window.requests_max, 1, COUNT_MAX, "window.requests_max")?;
    at.within(window.pairs_max, 1, COUNT_MAX, "window.pairs_max")?;
    at.within(window.tokens_max, 1, TOKENS_MAX, "window.tokens_max")?;
    let epoch = &verifier.epoch;
    at.within(epoch.requests_max, 1, COUNT_MAX, "epoch.requests_max")?;
    at.within(epoch.pairs_max, 1, COUNT_MAX, "epoch.pairs_max")?;
    at.within(epoch.tokens_max, 1, TOKENS_MAX, "epoch.tokens_max")?;
    let required_columns = at.set(&verifier.required_columns, REQUIRED_COLUMNS_MAX, "required_columns", name)?;
    // Without the column a request says no date, and every one would be refused.
    at.must(
        verifier.order_age_days_max == 0 || required_columns.contains("order_date"),
        "order_age_days_max",
        "needs order_date among required_columns",
    )?;
    Ok(VerifierPolicy {
        fingerprint,
        officials: at.officials(&verifier.officials)?,
        signatures_min: verifier.signatures_min,
        user_presence: verifier.user_presence,
        rulesets: at.some(&verifier.rulesets, RULESETS_MAX, "rulesets", ruleset_name)?,
        classes: at.some(&verifier.classes, 2, "classes", class)?,
        pairs_per_request_max: verifier.pairs_per_request_max,
        tokens_per_request_max: verifier.tokens_per_request_max,
        validity_days_max: verifier.validity_days_max,
        required_fields: at.set(&verifier.required_fields, FIELDS_MAX, "required_fields", name)?,
        required_columns,
        order_age_days_max: verifier.order_age_days_max,
        addresses_per_person_max: verifier.addresses_per_person_max,
        set_age_days_max: verifier.set_age_days_max,
        disclosure: at.some(&verifier.disclosure, 3, "disclosure", |text| text.parse().ok())?,
        window: WindowCaps {
            days: window.days,
            requests_max: window.requests_max,
            pairs_max: window.pairs_max,
            tokens_max: window.tokens_max,
        },
        epoch: EpochCaps { requests_max: epoch.requests_max, pairs_max: epoch.pairs_max, tokens_max: epoch.tokens_max },
        name: verifier.name,
    })
}
