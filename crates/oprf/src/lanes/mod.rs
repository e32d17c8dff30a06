//! The vector engine: ristretto255 on many independent elements at once, one in each lane of vector registers.
//!
//! `backend` says what an instruction set gives; `field`, `point`, `ristretto`, `multiply`, `fixed` and `multiscalar` are written once
//! above it; `engine` works on slices. `sha512` hashes as many messages at once. Nothing here knows RFC 9497. The only `unsafe` code of
//! oblink, test programs apart, is in this module.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
pub(crate) mod backend;
pub(crate) mod constants;
pub(crate) mod engine;
pub(crate) mod field;
pub(crate) mod fixed;
#[cfg(target_arch = "x86_64")]
pub(crate) mod ifma;
#[cfg(target_arch = "x86_64")]
mod limbs;
pub(crate) mod multiply;
pub(crate) mod multiscalar;
pub(crate) mod point;
pub(crate) mod ristretto;
pub(crate) mod sha512;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
