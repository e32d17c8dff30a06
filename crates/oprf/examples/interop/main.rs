//! The interoperability port: `cargo run -q -p oblink-oprf --example interop`.
//!
//! Reads one JSON object a line on standard input and answers each with one line on standard output, so that another implementation
//! of RFC 9497 (VOPRF mode, ristretto255-SHA512) can be run against this one. What it understands is in `port.rs`.

use std::io::{self, BufReader};
use std::process::ExitCode;

use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

mod port;

fn main() -> ExitCode {
    let Ok(mut rng) = StdRng::try_from_rng(&mut SysRng) else {
        return ExitCode::FAILURE;
    };
    let input = BufReader::new(io::stdin().lock());
    match port::run(input, io::stdout().lock(), port::LINE_MAX, &mut rng) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the answers has gone: that is how a session ends too.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
