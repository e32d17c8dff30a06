//! What must stay where it is: counts behind padding, keys and rows out of every file, log, message and frame where they have no business.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod cores;
mod modes;
mod needles;
mod padding;
mod sentinels;
mod shape;
mod watch;
