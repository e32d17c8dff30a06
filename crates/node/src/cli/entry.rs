//! From `main` to a command and back to an exit code.

use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};

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

pub(super) fn arguments() -> Vec<OsString> {
    no_core_dumps();
    // A panic on any thread: where it was, and nothing of what it said, for that may be a value that an assertion compared.
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!(" ({}:{})", at.file(), at.line()));
        let _ = writeln!(io::stderr().lock(), "error: an internal check failed{place}\n help: {BUG_HINT}");
    }));
    std::env::args_os().collect()
}

/// Keeps keys and rows out of core dumps, and this process out of the hands of the user's other ones (`ptrace`, `/proc/PID/mem`). Where the system
/// does not let us, the operator's own limits stand.
fn no_core_dumps() {
    use nix::sys::resource::{Resource, setrlimit};
    // Where cores go down a pipe to another program the limit is not looked at: there the mark alone helps.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

pub(super) fn run<C: Parser>(
    arguments: &[OsString],
    output: impl FnOnce(&C) -> &OutputArgs,
    act: impl FnOnce(C, &Reporter) -> Result<(), Failure>,
) -> Exit {
    let cli = match C::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(error, arguments.iter().any(|a| a == "--json")),
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

/// The parser's error without what stood in the place of a value: a row that got onto the command line, by a missing quote or a wrong paste, is a row.
/// Names of flags stay, and words that are almost commands.
pub(super) fn without_values(mut error: clap::Error) -> clap::Error {
    const HIDDEN: &str = "…";
    let is_flag = |value: &ContextValue| matches!(value, ContextValue::String(text) if text.starts_with('-'));
    let has = |error: &clap::Error, kind| error.get(kind).is_some();
    let mut hidden = Vec::new();
    if has(&error, ContextKind::InvalidValue) {
        hidden.push(ContextKind::InvalidValue);
    }
    if error.kind() == ErrorKind::UnknownArgument && !error.get(ContextKind::InvalidArg).is_some_and(is_flag) {
        hidden.extend([ContextKind::InvalidArg, ContextKind::Suggested].into_iter().filter(|kind| has(&error, *kind)));
    }
    if has(&error, ContextKind::InvalidSubcommand) && !has(&error, ContextKind::SuggestedSubcommand) {
        hidden.push(ContextKind::InvalidSubcommand);
    }
    for kind in hidden {
        if kind == ContextKind::Suggested {
            error.remove(kind);
        } else {
            error.insert(kind, ContextValue::String(HIDDEN.to_owned()));
        }
    }
    error
}

/// What the parser has to say: help and version are answers, the rest is wrong usage.
fn usage(error: clap::Error, is_json: bool) -> Exit {
    let error = without_values(error);
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
