//! What the benchmarks share: plain curve25519-dalek doing the protocol's work, real tokens, a clock of processor time, the machine.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod amount;
pub mod clock;
pub mod compare;
pub mod dalek;
pub mod machine;
pub mod plot;
pub mod ratios;
pub mod sample;
pub mod scale;

/// The engine that multiplies points in `oblink-oprf`. There is one so far: the library's own scalar arithmetic.
const ENGINE: &str = "dalek";

/// The engine that `oblink-oprf` has chosen on this machine.
#[must_use]
pub fn engine() -> &'static str {
    ENGINE
}
