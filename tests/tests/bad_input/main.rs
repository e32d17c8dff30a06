//! What goes wrong at operators' desks: what they are told, the exit code of the contract, and that nothing is lost.
//!
//! Each snapshot is read as an operator would: what happened, and what to do. `Seen::note` refuses messages that repeat a row.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

mod arguments;
mod damage;
mod files;
mod homes;
mod line;

/// One person whom the holder has.
const RECORDS: &str = "id,name,address,postal_code\n1,Ana Quispe,1 Elm St,02134\n";
/// That person, and another.
const PAIRS: &str = "id,name,address,postal_code\na,Ana Quispe,1 Elm St,02134\nb,Bo Quispe,2 Elm St,02134\n";
