//! Which rulesets a house has: what a request names is looked up by name and digest (SPEC AUT-1).

use core::fmt::Debug;

use oblink_linkage::Ruleset;

/// The rulesets by which somebody can judge a request.
pub trait Rulesets: Debug {
    /// The ruleset of this name and this digest; `None` where there is none, or one of that name alone.
    fn find(&self, name: &str, digest: &[u8; 32]) -> Option<&Ruleset>;
}

/// One alone.
impl Rulesets for Ruleset {
    fn find(&self, name: &str, digest: &[u8; 32]) -> Option<&Ruleset> {
        (self.name() == name && self.digest() == *digest).then_some(self)
    }
}

/// Those of this build.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuiltInRulesets;

impl Rulesets for BuiltInRulesets {
    fn find(&self, name: &str, digest: &[u8; 32]) -> Option<&Ruleset> {
        Ruleset::by_name(name).filter(|ruleset| ruleset.digest() == *digest)
    }
}
