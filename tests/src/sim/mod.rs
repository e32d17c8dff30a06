//! The protocol under faults, in one process: both parties' session states, the holder's SQLite ledger, sets and checkpoints over a disk that
//! loses, tears, fills up and fails, a line that delays, reorders, repeats and breaks, and processes that die at every step. One seed decides all;
//! time is virtual. After each run an oracle looks whether results are exact or absent, charges exact, and nobody honest was blamed.

mod book;
mod breaks;
mod chance;
mod check;
mod context;
mod counts;
mod disk;
mod holder;
mod keeper;
mod network;
mod oracle;
mod parties;
mod plan;
mod seal;
mod world;
mod yes;

pub use breaks::Break;
pub use counts::Counts;
pub use world::{Report, run};
