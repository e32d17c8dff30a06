//! From a parsed command to the function that does it.

use clap::CommandFactory;

use super::args::{DemoCli, DemoCommand, HolderCli, HolderCommand, VerifierCli, VerifierCommand};
use super::{doc, party};
use crate::failure::Failure;
use crate::home::Role;
use crate::report::Reporter;
use crate::{demo, holder, receipt_cmd, ruleset_cmd, verifier};

/// One command of the holder.
pub(super) fn run_holder(command: HolderCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        HolderCommand::Init(args) => party::init(Role::Holder, &args, reporter),
        HolderCommand::Trust(args) => party::trust(Role::Holder, &args, reporter),
        HolderCommand::Lint(args) => holder::lint(&args, reporter),
        HolderCommand::Ruleset { command } => ruleset_cmd::of_holder(&command, reporter),
        HolderCommand::Seal(args) => holder::seal(&args, reporter),
        HolderCommand::Serve(args) => holder::serve(&args, reporter),
        HolderCommand::Policy { command } => holder::policy(&command, reporter),
        HolderCommand::Suspend(args) => holder::suspend(&args, reporter),
        HolderCommand::Request { command } => holder::request(&command, reporter),
        HolderCommand::Epoch { command } => holder::epoch(&command, reporter),
        HolderCommand::Audit(args) => holder::audit(&args, reporter),
        HolderCommand::Ledger(args) => holder::ledger(&args, reporter),
        HolderCommand::Receipt(args) => receipt_cmd::receipt(&args, reporter),
        HolderCommand::Doctor(args) => holder::doctor(&args, reporter),
        HolderCommand::Completions(args) => doc::completions(HolderCli::command(), args.shell, reporter),
        HolderCommand::Man => doc::man(HolderCli::command(), reporter),
    }
}

/// One command of the verifier.
pub(super) fn run_verifier(command: VerifierCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        VerifierCommand::Init(args) => party::init(Role::Verifier, &args, reporter),
        VerifierCommand::Trust(args) => party::trust(Role::Verifier, &args, reporter),
        VerifierCommand::Lint(args) => verifier::lint(&args, reporter),
        VerifierCommand::Ruleset { command } => ruleset_cmd::of_verifier(&command, reporter),
        VerifierCommand::Request(args) => verifier::request(&args, reporter),
        VerifierCommand::Check(args) => verifier::check(&args, reporter),
        VerifierCommand::Receipt(args) => receipt_cmd::receipt(&args, reporter),
        VerifierCommand::Audit(args) => verifier::audit(&args, reporter),
        VerifierCommand::Doctor(args) => verifier::doctor(&args, reporter),
        VerifierCommand::Completions(args) => doc::completions(VerifierCli::command(), args.shell, reporter),
        VerifierCommand::Man => doc::man(VerifierCli::command(), reporter),
    }
}

/// The demo, or one of its peers.
pub(super) fn demo(mut cli: DemoCli, reporter: &Reporter) -> Result<(), Failure> {
    match cli.command.take() {
        Some(DemoCommand::Holder { command }) => run_holder(command, reporter),
        Some(DemoCommand::Verifier { command }) => run_verifier(command, reporter),
        Some(DemoCommand::Completions(args)) => doc::completions(DemoCli::command(), args.shell, reporter),
        Some(DemoCommand::Man) => doc::man(DemoCli::command(), reporter),
        None => demo::run(&cli, reporter),
    }
}
