//! The oblink protocol, sans IO (protocol-spec/SPEC.md): wire, one struct a state, authority, transcript, receipts, limits.
//!
//! Nothing here reads a clock, a socket, a file or a random device: time, frames and randomness are handed in, frames come out. Work on
//! points is handed out as owned, `Send` values, to be done by the caller's threads and brought back in any order.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod authority;
pub mod blind;
pub mod clock;
pub mod commitment;
mod date;
pub mod disclosure;
pub mod epoch;
pub mod error;
pub mod head;
pub mod holder;
pub mod ledger;
pub mod limits;
pub mod merkle;
pub mod question;
pub mod receipt;
pub mod request;
mod saved;
pub mod set;
pub mod statement;
pub mod tag;
pub mod transcript;
pub mod verifier;
pub mod wire;

pub use error::Error;
