//! What a row is under a ruleset, for whoever owns the row.

use core::fmt;

use crate::token;

/// One token of a row, readable: a name and an address, for their owner's eyes alone.
///
/// Its `Debug` shows no value.
#[derive(Clone, PartialEq, Eq)]
pub struct ExplainedToken {
    /// The rule that emits it.
    pub rule: u16,
    /// The values of the rule's fields, in the rule's order.
    pub values: Vec<String>,
}

impl ExplainedToken {
    /// Reads a token; `None` for bytes that are none.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let (rule, fields) = token::decode(bytes)?;
        let values = fields.into_iter().map(|field| String::from_utf8(field.to_vec()).ok()).collect::<Option<_>>()?;
        Some(ExplainedToken { rule, values })
    }
}

impl ExplainedToken {
    /// The rule of a token alone, for counting; `None` for bytes that are none.
    #[must_use]
    pub fn rule_of(bytes: &[u8]) -> Option<u16> {
        token::rule(bytes)
    }
}

impl fmt::Debug for ExplainedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExplainedToken").field("rule", &self.rule).finish_non_exhaustive()
    }
}
