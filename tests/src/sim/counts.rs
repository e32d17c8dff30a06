//! What happened in runs, by kind.

use std::collections::BTreeMap;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<&'static str, u64>);

impl Counts {
    /// Adds `many` of a kind.
    pub fn add(&mut self, kind: &'static str, many: u64) {
        if many > 0 {
            *self.0.entry(kind).or_default() += many;
        }
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Self) {
        other.0.iter().for_each(|(kind, many)| self.add(kind, *many));
    }
}
