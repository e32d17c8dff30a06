//! The testkit: two agencies in temporary directories, run as their operators would, through the real programs over real QUIC.
//!
//! Every wait has a deadline, every child is killed when its value is dropped, every port is one that the system chose: tests run side by side.
//! Failures panic with what the program said, because that is what a test is for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod agencies;
pub mod asking;
pub mod book;
mod build;
mod call;
pub mod clock;
pub mod fake;
pub mod fuzz;
mod join;
mod keys;
pub mod long_run;
pub mod officials;
pub mod peer;
pub mod policy;
pub mod raw;
pub mod relay;
mod results;
pub mod scrape;
mod seen;
mod serving;
mod sets;
pub mod sim;
pub mod small_disk;
pub mod tap;

pub use agencies::{Agencies, Party, sample};
pub use build::Program;
pub use call::{Call, Ended, LIMIT, Started, eventually, within};
pub use join::{PlainRow, joined, read_split};
pub use results::{Meta, ResultRow, Results};
pub use scrape::Scrape;
pub use seen::Seen;
pub use serving::Serving;
pub use sets::{files_below, flip_a_byte, mode, only_file};
