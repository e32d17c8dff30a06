//! The oblink protocol, sans IO (protocol-spec/SPEC.md): wire, one struct a state, authority, transcript, receipts, limits.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod ledger;
pub mod limits;
pub mod set;
pub mod tag;
