//! The oblink programs: configuration, threads, CSV, progress, commands.
//!
//! No decision of the protocol is taken here; those are in `oblink-session`. This crate reads and writes what operators see.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

mod blame;
pub mod cli;
pub mod date;
pub mod demo;
mod diagnosis;
pub mod engine;
pub mod failure;
mod files;
mod frames;
pub mod holder;
pub mod home;
mod kept_head;
mod lint;
pub mod people;
pub mod pipeline;
mod random;
mod receipt_cmd;
pub mod report;
mod request_view;
pub mod results;
pub mod rows;
mod ruleset_cmd;
mod space;
mod ssh_keygen;
mod tokens;
pub mod usage;
pub mod verifier;
