//! The oblink programs: configuration, threads, CSV, progress, commands.
//!
//! No decision of the protocol is taken here; those are in `oblink-session`. This crate reads and writes what operators see.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod date;
pub mod failure;
mod files;
pub mod home;
pub mod results;
pub mod rows;
pub mod usage;
