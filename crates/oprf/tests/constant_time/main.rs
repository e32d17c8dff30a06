//! Whether secrets reach branches and addresses, on every engine, by running the compiled code.
//!
//! 1. *Undefined memory* (as in Langley's ctgrind): under valgrind's Memcheck secrets are marked undefined, so that every conditional jump
//!    and every address that depends on one is an error. Portable and AVX2; valgrind knows no AVX-512.
//! 2. *Single steps*: the program runs one instruction at a time under `ptrace`, with several secrets; the addresses of the instructions
//!    must be the same in the same order. IFMA. It sees branches, and not what memory is read: IFMA's tables are read whole or permuted in
//!    registers, by source shared with AVX2 or without any index.
//!
//! What may be known is listed in `undefined::PUBLIC`. Both have negative controls, which must be noticed: a branch and an index that depend
//! on a secret byte, and decoding of secret strings.
//!
//! It runs on what is shipped: `cargo test --release -p oblink-oprf --test constant_time`. A program of its own, as each run needs a process.
//! Names after `--only` choose some of the operations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod operations;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod steps;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod undefined;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use oblink_oprf::Engine;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
/// A process's exit status where its engine is not available.
const UNAVAILABLE: i32 = 77;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["--undefined", engine, operation] => undefined::in_this_process(engine.parse().unwrap(), operation),
        ["--steps", engine, operation, secret] => steps::in_this_process(engine.parse().unwrap(), operation, secret.parse().unwrap()),
        ["--list", ..] => {}
        _ if cfg!(debug_assertions) => println!("skipped: assertions for debugging are branches on secrets; run it with --release"),
        all => {
            let chosen: Vec<&str> = match all {
                ["--only", names @ ..] => names.to_vec(),
                _ => operations::ALL.to_vec(),
            };
            undefined::all(&chosen);
            steps::all(&chosen);
        }
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
/// Uses the engine, or ends this process.
fn choose(engine: Engine) {
    if engine.choose().is_err() {
        std::process::exit(UNAVAILABLE);
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    println!("skipped: it needs Linux on x86-64");
}
