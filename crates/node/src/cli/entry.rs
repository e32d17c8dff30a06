//! From `main` to a command and back to an exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;

use super::args::{DemoCli, HolderCli, OutputArgs, VerifierCli};
use super::dispatch;
use crate::engine;
use crate::failure::{BUG_HINT, Exit, Failure};
use crate::report::Reporter;

/// `oblink-holder`, from its arguments to its exit code.
pub fn holder_main() -> ExitCode {
    run(&arguments(), |cli: &HolderCli| &cli.output, |cli, reporter| dispatch::run_holder(cli.command, reporter)).into()
}

/// `oblink-verifier`, from its arguments to its exit code.
pub fn verifier_main() -> ExitCode {
    run(&arguments(), |cli: &VerifierCli| &cli.output, |cli, reporter| dispatch::run_verifier(cli.command, reporter)).into()
}

/// `oblink-demo`, from its arguments to its exit code.
pub fn demo_main() -> ExitCode {
    run(&arguments(), |cli: &DemoCli| &cli.output, dispatch::demo).into()
}

fn arguments() -> Vec<OsString> {
    // A core dump would hold keys and rows. Where the system does not let us, the operator's own limit stands.
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    // A panic on any thread: where it was, and nothing of what it said, for that may be a value that an assertion compared.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        let _ = writeln!(io::stderr().lock(), "error: an internal check failed{place}\n help: {BUG_HINT}");
    }));
    std::env::args_os().collect()
}

pub(super) fn run<C: Parser>(
    arguments: &[OsString],
    output: impl FnOnce(&C) -> &OutputArgs,
    act: impl FnOnce(C, &Reporter) -> Result<(), Failure>,
) -> Exit {
    let cli = match C::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, arguments.iter().any(|a| a == "--json")),
    };
    let flags = output(&cli).clone();
    let reporter = Reporter::new(flags.json, !flags.no_progress, flags.quiet);
    reporter.install_log(flags.verbose);
    match panic::catch_unwind(AssertUnwindSafe(|| engine::from_environment().and_then(|()| act(cli, &reporter)))) {
        Ok(result) => match result.and_then(|()| reporter.finish()) {
            Ok(()) => Exit::Done,
            Err(failure) => {
                reporter.fail(&failure);
                failure.exit()
            }
        },
        Err(_) => {
            // The hook has told people.
            reporter.json(&Failure::bug("an internal check failed").to_json());
            Exit::Bug
        }
    }
}

/// What the parser has to say: help and version are answers, the rest is wrong usage.
fn usage(error: &clap::Error, is_json: bool) -> Exit {
    // A closed stream is nobody's to complain about.
    let _ = error.print();
    if !error.use_stderr() {
        return Exit::Done;
    }
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    Reporter::new(is_json, false, true).json(&Failure::usage("usage", what).with_hint("see --help").to_json());
    Exit::Usage
}
