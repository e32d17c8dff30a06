//! Real faults over both real programs: killed at any moment, a bad line, stopped and continued, full disks, clocks that jump, files that go.
//!
//! What runs by itself is a sample; the whole is `cargo test -p oblink-tests --test faults -- --ignored --nocapture --test-threads 2`, and prints a
//! line `| fault | tries | outcome |` for each. Seeds are printed; `OBLINK_FAULTS_SEED` plays one again.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod clocks;
mod disks;
mod files;
mod house;
mod kills;
mod network;
mod pauses;
mod seals;
