//! `simulate --seeds N --first-seed S`: runs the seeded simulation and says what went wrong in it, on purpose and otherwise.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used)]

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use oblink_tests::sim::{Break, Counts, Report, run};

const USAGE: &str = "usage: simulate [--seeds N] [--first-seed S] [--threads N] [--trace] [--break WAY]

  --seeds N       how many seeds (default 1,000)
  --first-seed S  the first of them (default 1)
  --threads N     threads (default: one a core)
  --trace         with one seed: every step of it
  --break WAY     break a party on purpose; the run must find it";

struct Options {
    seeds: u64,
    first: u64,
    threads: usize,
    trace: bool,
    broken: Option<Break>,
}

fn options() -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options = Options { seeds: 1_000, first: 1, threads, trace: false, broken: None };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).ok_or(format!("{argument} takes a number"));
        match argument.as_str() {
            "--seeds" => options.seeds = number()?,
            "--first-seed" => options.first = number()?,
            "--threads" => options.threads = (number()? as usize).max(1),
            "--trace" => options.trace = true,
            "--break" => {
                let name = arguments.next().unwrap_or_default();
                let known = || Break::ALL.map(|(name, _)| name).join(", ");
                options.broken = Some(Break::by_name(&name).ok_or_else(|| format!("--break takes one of: {}", known()))?);
            }
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn show(report: &Report) {
    report.trace.iter().for_each(|line| println!("{line}"));
    println!("seed {}: VIOLATION", report.seed);
    report.violations.iter().for_each(|what| println!("  {what}"));
    println!("  again: cargo run --release -p oblink-tests --bin simulate -- --seeds 1 --first-seed {} --trace", report.seed);
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let (began, next, done, failed) = (Instant::now(), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let (enough, totals) = (AtomicBool::new(false), Mutex::new((Counts::default(), 0_u64, 0_u64)));
    std::thread::scope(|scope| {
        for _ in 0..options.threads {
            scope.spawn(|| {
                while !enough.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= options.seeds {
                        return;
                    }
                    let report = run(options.first + number, options.broken, options.trace);
                    if report.violations.is_empty() {
                        if options.trace {
                            report.trace.iter().for_each(|line| println!("{line}"));
                        }
                    } else {
                        show(&report);
                        // The first ten tell enough.
                        enough.store(failed.fetch_add(1, Ordering::Relaxed) >= 9, Ordering::Relaxed);
                    }
                    let mut totals = totals.lock().unwrap();
                    totals.0.merge(&report.counts);
                    totals.1 += report.events;
                    totals.2 += report.virtual_ms;
                    let done = done.fetch_add(1, Ordering::Relaxed) + 1;
                    if done.is_multiple_of(1_000) {
                        eprintln!("{done} of {} seeds, {:.0} a second", options.seeds, done as f64 / began.elapsed().as_secs_f64());
                    }
                }
            });
        }
    });
    let (counts, events, virtual_ms) = totals.into_inner().unwrap();
    let (done, failed, seconds) = (done.into_inner(), failed.into_inner(), began.elapsed().as_secs_f64());
    println!(
        "{done} seeds from {} in {seconds:.1} s ({:.1} a second), {events} events, {:.0} h of virtual time",
        options.first,
        done as f64 / seconds,
        virtual_ms as f64 / 3_600_000.0
    );
    counts.0.iter().for_each(|(kind, many)| println!("{many:>10}  {kind}"));
    if failed == 0 {
        println!("no violation");
        return ExitCode::SUCCESS;
    }
    println!("{failed} seeds with a violation");
    ExitCode::from(1)
}
