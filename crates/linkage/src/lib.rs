//! Rows of people to canonical fields to PRF tokens, under versioned rulesets.
