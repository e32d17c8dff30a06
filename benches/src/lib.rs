//! What the benchmarks share: plain curve25519-dalek doing the protocol's work, real tokens, a clock of processor time, the machine.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod amount;
pub mod authority;
pub mod clock;
pub mod compare;
pub mod dalek;
pub mod linkage;
pub mod machine;
pub mod people;
pub mod plot;
pub mod ratios;
pub mod sample;
pub mod scale;

/// The engine that `oblink-oprf` has chosen on this machine.
#[must_use]
pub fn engine() -> &'static str {
    oblink_oprf::Engine::in_use().name()
}
