//! Attacks on authority: what a verifier, an official, an operator or somebody with a disk can try, against the real programs. Each ends in the
//! refusal that is due, an entry in the ledger where the holder received the attempt, and not one evaluated element.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod audits;
mod batches;
mod budgets;
mod ceremony;
mod disclosures;
mod dry_runs;
mod epochs;
mod figures;
mod house;
mod kills;
mod lists;
mod policies;
mod receipts;
mod rollback;
mod said;
mod signatures;
mod suspensions;
mod tampering;
