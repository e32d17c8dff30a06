//! One `serve` through many sessions: `cargo run --release -p oblink-tests --bin long_run -- [--sessions 1000] [--memory-mb 8]`.
//!
//! Exit 1 where memory grew by more than so much after the warm-up, where descriptors or files grew that are not the ledger's, or where a session
//! did not end as it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

use std::process::ExitCode;

use oblink_tests::long_run::{Plan, run};

const USAGE: &str = "usage: long_run [--sessions N] [--memory-mb N]";

fn plan() -> Option<Plan> {
    let (mut sessions, mut memory_mb) = (1_000, 8);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value: usize = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--sessions" => sessions = value,
            "--memory-mb" => memory_mb = value,
            _ => return None,
        }
    }
    (sessions >= 4).then(|| Plan { memory_growth_max: Some(memory_mb as u64 * 1_000_000), ..Plan::new(sessions) })
}

fn main() -> ExitCode {
    let Some(plan) = plan() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let outcome = run(&plan, &mut |line| println!("{line}"));
    outcome.summary(&plan).iter().for_each(|line| println!("{line}"));
    ExitCode::from(u8::from(!outcome.faults.is_empty()))
}
