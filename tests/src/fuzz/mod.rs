//! What the fuzzers run: one function a target, from any bytes to nothing, which panics where a promise is broken.
//!
//! `fuzz/` wraps them for cargo-fuzz; `tests/fuzz_smoke.rs` runs them over the committed corpus and seeded changes of it. What each holds is
//! said where it stands. None of them reads a clock or random bytes: the same input is the same run.

mod documents;
mod holder;
mod honest;
mod input;
mod interop;
mod kept;
mod ledger;
mod linkage;
mod memory;
mod parties;
mod rows;
mod sealed_set;
mod seeds;
mod verifier;
mod wire;

pub use documents::documents;
pub use holder::holder;
pub use interop::interop;
pub use kept::kept;
pub use ledger::ledger;
pub use linkage::linkage;
pub use rows::rows;
pub use sealed_set::sealed_set;
pub use seeds::{Seed, seeds};
pub use verifier::verifier;
pub use wire::wire;

/// What a target runs.
pub type Body = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Body); 10] = [
    ("documents", documents),
    ("holder", holder),
    ("interop", interop),
    ("kept", kept),
    ("ledger", ledger),
    ("linkage", linkage),
    ("rows", rows),
    ("sealed_set", sealed_set),
    ("verifier", verifier),
    ("wire", wire),
];
