//! A short form of the long run: `cargo run --release -p oblink-tests --bin long_run` is the whole.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

use oblink_tests::long_run::{Plan, run};

#[test]
#[ignore = "half a minute and more: run by hand with --ignored"]
fn serve_keeps_nothing_of_sessions_but_the_ledger_and_receipts() {
    let plan = Plan::short();
    let outcome = run(&plan, &mut |line| println!("{line}"));
    outcome.summary(&plan).iter().for_each(|line| println!("{line}"));
    assert_eq!(outcome.faults, Vec::<String>::new());
    assert!(outcome.kinds.len() == 3 && outcome.entries.1 > outcome.entries.0, "{outcome:?}");
}
