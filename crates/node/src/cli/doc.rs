//! Completions and manual pages, out of the same definitions as the parser.

use clap::Command;
use clap_complete::Shell;

use crate::failure::Failure;
use crate::report::Reporter;

/// Completions for `shell`, to stdout.
pub(super) fn completions(command: Command, shell: Shell, reporter: &Reporter) -> Result<(), Failure> {
    reporter.raw(completion_text(command, shell).as_bytes());
    Ok(())
}

/// The manual: the program's page, then one for each of its commands, to stdout.
pub(super) fn man(command: Command, reporter: &Reporter) -> Result<(), Failure> {
    reporter.raw(man_text(command)?.as_bytes());
    Ok(())
}

pub(super) fn completion_text(mut command: Command, shell: Shell) -> String {
    let name = command.get_name().to_owned();
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn man_text(mut command: Command) -> Result<String, Failure> {
    command.build();
    let mut text = Vec::new();
    let mut page =
        |command: Command| clap_mangen::Man::new(command).render(&mut text).map_err(|_| Failure::bug("the manual page was not written"));
    page(command.clone())?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        // clap takes names for the life of the program, which ends after this page.
        let name: &'static str = format!("{}-{}", command.get_name(), sub.get_name()).leak();
        page(sub.clone().name(name))?;
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}
