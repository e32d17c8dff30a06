//! What a new policy changes, and whether it can admit anything that the old one did not (SPEC POL-2).

use super::policy::{HolderPolicy, short};
use super::{EpochPolicy, Policy, SignerKey, VerifierPolicy};
use std::collections::BTreeSet;

/// How a new policy stands to the old one. The texts say what changed in words, one change each; names of verifiers are not among them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing that counts; at most comments, blanks and order.
    Same,
    /// All that changed admits less: needs nobody's signature.
    Tighter(Vec<String>),
    /// Something that changed admits more, or does not certainly admit less: these texts, without the others.
    Looser(Vec<String>),
}

#[derive(Default)]
struct Comparison {
    tighter: Vec<String>,
    looser: Vec<String>,
}

impl Comparison {
    /// A number that admits more the higher it is.
    fn cap(&mut self, at: &str, old: impl Into<u64>, new: impl Into<u64>) {
        let (old, new) = (old.into(), new.into());
        if new > old {
            self.looser.push(format!("{at} raised from {old} to {new}"));
        } else if new < old {
            self.tighter.push(format!("{at} lowered from {old} to {new}"));
        }
    }

    /// A number that admits less the higher it is.
    fn floor(&mut self, at: &str, old: u32, new: u32) {
        if new < old {
            self.looser.push(format!("{at} lowered from {old} to {new}"));
        } else if new > old {
            self.tighter.push(format!("{at} raised from {old} to {new}"));
        }
    }

    /// A number that admits more the higher it is, and everything at 0.
    fn limit_unless_zero(&mut self, at: &str, old: u32, new: u32) {
        match (old, new) {
            (0, 0) => (),
            (0, new) => self.tighter.push(format!("{at} set to {new}")),
            (old, 0) => self.looser.push(format!("{at} of {old} dropped")),
            (old, new) => self.cap(at, old, new),
        }
    }

    /// A demand that is made or not.
    fn demand(&mut self, at: &str, old: bool, new: bool) {
        match (old, new) {
            (true, false) => self.looser.push(format!("{at} no longer demanded")),
            (false, true) => self.tighter.push(format!("{at} demanded")),
            _ => (),
        }
    }

    fn set<T: Ord>(&mut self, at: &str, old: &BTreeSet<T>, new: &BTreeSet<T>, more_admits_more: bool, say: impl Fn(&T) -> String) {
        let (added, removed) = if more_admits_more { (&mut self.looser, &mut self.tighter) } else { (&mut self.tighter, &mut self.looser) };
        added.extend(new.difference(old).map(|item| format!("{at}: {} added", say(item))));
        removed.extend(old.difference(new).map(|item| format!("{at}: {} removed", say(item))));
    }

    fn done(self) -> Change {
        if !self.looser.is_empty() {
            Change::Looser(self.looser)
        } else if !self.tighter.is_empty() {
            Change::Tighter(self.tighter)
        } else {
            Change::Same
        }
    }
}

/// Compares two policies (SPEC POL-2): [`Change::Tighter`] and [`Change::Same`] only where whatever the new one authorises the old one would
/// have authorised too, with the same signatures at the same time.
#[must_use]
pub fn compare(old: &Policy, new: &Policy) -> Change {
    let mut comparison = Comparison::default();
    holder(&mut comparison, old.holder(), new.holder());
    epoch(&mut comparison, old.epoch(), new.epoch());
    for verifier in new.verifiers() {
        let at = format!("verifier {}", short(&verifier.fingerprint));
        match old.verifier(&verifier.fingerprint) {
            Some(before) => self::verifier(&mut comparison, &at, before, verifier),
            None => comparison.looser.push(format!("{at} added")),
        }
    }
    for verifier in old.verifiers().filter(|verifier| new.verifier(&verifier.fingerprint).is_none()) {
        comparison.tighter.push(format!("verifier {} removed", short(&verifier.fingerprint)));
    }
    keys(&mut comparison, old, new);
    comparison.done()
}

fn holder(comparison: &mut Comparison, old: &HolderPolicy, new: &HolderPolicy) {
    comparison.set("holder.officials", &old.officials, &new.officials, true, String::clone);
    comparison.floor("holder.policy_signatures_min", old.policy_signatures_min, new.policy_signatures_min);
    comparison.floor("holder.countersignatures_min", old.countersignatures_min, new.countersignatures_min);
    comparison.demand("holder.user_presence", old.user_presence, new.user_presence);
}

fn epoch(comparison: &mut Comparison, old: &EpochPolicy, new: &EpochPolicy) {
    comparison.cap("epoch.days_max", old.days_max, new.days_max);
    comparison.cap("epoch.evaluations_max", old.evaluations_max, new.evaluations_max);
    comparison.cap("epoch.keep_key_days", old.keep_key_days, new.keep_key_days);
    comparison.cap("epoch.grace_seconds", old.grace_seconds, new.grace_seconds);
}

fn verifier(comparison: &mut Comparison, at: &str, old: &VerifierPolicy, new: &VerifierPolicy) {
    // All members are named here, so that one that is added is not forgotten.
    let VerifierPolicy {
        fingerprint: _,
        name,
        officials,
        signatures_min,
        user_presence,
        rulesets,
        classes,
        pairs_per_request_max,
        tokens_per_request_max,
        validity_days_max,
        required_fields,
        required_columns,
        order_age_days_max,
        addresses_per_person_max,
        set_age_days_max,
        disclosure,
        window,
        epoch,
    } = new;
    if *name != old.name {
        comparison.looser.push(format!("{at}: name changed"));
    }
    let of = |member: &str| format!("{at}: {member}");
    comparison.set(&of("officials"), &old.officials, officials, true, String::clone);
    comparison.floor(&of("signatures_min"), old.signatures_min, *signatures_min);
    comparison.demand(&of("user_presence"), old.user_presence, *user_presence);
    comparison.set(&of("rulesets"), &old.rulesets, rulesets, true, String::clone);
    comparison.set(&of("classes"), &old.classes, classes, true, |class| class.as_str().to_owned());
    comparison.cap(&of("pairs_per_request_max"), old.pairs_per_request_max, *pairs_per_request_max);
    comparison.cap(&of("tokens_per_request_max"), old.tokens_per_request_max, *tokens_per_request_max);
    comparison.cap(&of("validity_days_max"), old.validity_days_max, *validity_days_max);
    comparison.set(&of("required_fields"), &old.required_fields, required_fields, false, String::clone);
    comparison.set(&of("required_columns"), &old.required_columns, required_columns, false, String::clone);
    comparison.limit_unless_zero(&of("order_age_days_max"), old.order_age_days_max, *order_age_days_max);
    comparison.limit_unless_zero(&of("addresses_per_person_max"), old.addresses_per_person_max, *addresses_per_person_max);
    comparison.limit_unless_zero(&of("set_age_days_max"), old.set_age_days_max, *set_age_days_max);
    comparison.set(&of("disclosure"), &old.disclosure, disclosure, true, |disclosure| disclosure.as_str().to_owned());
    if window.days != old.window.days {
        // A longer window holds more time against the same caps, but lets what is old weigh until it ends: neither is certainly tighter.
        comparison.looser.push(format!("{at}: window.days changed from {} to {}", old.window.days, window.days));
    }
    comparison.cap(&of("window.requests_max"), old.window.requests_max, window.requests_max);
    comparison.cap(&of("window.pairs_max"), old.window.pairs_max, window.pairs_max);
    comparison.cap(&of("window.tokens_max"), old.window.tokens_max, window.tokens_max);
    comparison.cap(&of("epoch.requests_max"), old.epoch.requests_max, epoch.requests_max);
    comparison.cap(&of("epoch.pairs_max"), old.epoch.pairs_max, epoch.pairs_max);
    comparison.cap(&of("epoch.tokens_max"), old.epoch.tokens_max, epoch.tokens_max);
}

/// A key's end: none is the latest.
fn end(key: &SignerKey) -> u64 {
    key.valid_before_unix_s().unwrap_or(u64::MAX)
}

fn keys(comparison: &mut Comparison, old: &Policy, new: &Policy) {
    for key in new.signers().keys() {
        let at = format!("key {} of {}", key.fingerprint(), key.principal());
        let Some(before) = old.signers().by_blob(&key.key.blob) else {
            comparison.looser.push(format!("{at} added"));
            continue;
        };
        if before.principal() != key.principal() {
            comparison.looser.push(format!("key {} given from {} to {}", key.fingerprint(), before.principal(), key.principal()));
        }
        comparison.set(&at, before.namespaces(), key.namespaces(), true, |namespace| namespace.as_str().to_owned());
        let (old_start, new_start) = (before.valid_after_unix_s().unwrap_or(0), key.valid_after_unix_s().unwrap_or(0));
        for (bound, earlier, widens) in [
            ("valid-after", new_start.cmp(&old_start), new_start < old_start),
            ("valid-before", end(key).cmp(&end(before)), end(key) > end(before)),
        ] {
            if widens {
                comparison.looser.push(format!("{at}: {bound} widened"));
            } else if earlier.is_ne() {
                comparison.tighter.push(format!("{at}: {bound} narrowed"));
            }
        }
    }
    for key in old.signers().keys().filter(|key| new.signers().by_blob(&key.key.blob).is_none()) {
        comparison.tighter.push(format!("key {} of {} removed", key.fingerprint(), key.principal()));
    }
}
