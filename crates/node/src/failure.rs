//! The one error of this crate: what happened, what to do about it, and the exit code that the command contract gives it.

use std::fmt::{self, Display};
use std::io;

/// The exit codes of the three programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, whatever matched; `serve` on SIGTERM.
    Done,
    /// 1: a bug in oblink.
    Bug,
    /// 2: the command line is wrong.
    Usage,
    /// 3: bad input or configuration, or another ruleset, suite or version than the other side's.
    BadInput,
    /// 4: the other side refused.
    Refused,
    /// 5: unreachable; the same command may be tried again.
    Unreachable,
    /// 6: the other side misbehaved, or is not the pinned one.
    PeerAtFault,
}

impl Exit {
    /// The process's exit status.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Bug => 1,
            Self::Usage => 2,
            Self::BadInput => 3,
            Self::Refused => 4,
            Self::Unreachable => 5,
            Self::PeerAtFault => 6,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that could not do what was asked.
///
/// `what` and `hint` may name files, columns that the operator named, row numbers and counts; never a value out of a row, a key or a tag.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    exit: Exit,
    code: &'static str,
    what: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure with the exit code `exit`, a stable word `code` for programs (`snake_case`) and one line for people.
    #[must_use]
    pub fn new(exit: Exit, code: &'static str, what: impl Into<String>) -> Self {
        Self { exit, code, what: what.into(), hint: None }
    }

    /// Bad input or configuration (exit 3).
    #[must_use]
    pub fn input(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, code, what)
    }

    /// A wrong command line that the parser alone could not see (exit 2).
    #[must_use]
    pub fn usage(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, code, what)
    }

    /// The other side refused (exit 4).
    #[must_use]
    pub fn refused(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Exit::Refused, code, what)
    }

    /// The other side cannot be reached; try again (exit 5).
    #[must_use]
    pub fn unreachable(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Exit::Unreachable, code, what)
    }

    /// The other side misbehaved or is not the pinned one (exit 6).
    #[must_use]
    pub fn peer(code: &'static str, what: impl Into<String>) -> Self {
        Self::new(Exit::PeerAtFault, code, what)
    }

    /// A bug in oblink (exit 1).
    #[must_use]
    pub fn bug(what: impl Into<String>) -> Self {
        Self::new(Exit::Bug, "bug", what).with_hint(BUG_HINT)
    }

    /// Adds what the operator can do about it: one line, no final stop needed.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says of whom it is: `whom` goes before what happened.
    #[must_use]
    pub fn with_context(mut self, whom: &str) -> Self {
        self.what = format!("{whom}: {}", self.what);
        self
    }

    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// The stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What happened.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What to do, where there is something to be said.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The object that goes to stdout under `--json`: `{"error":{"code","exit","what","hint"}}`, `hint` null where there is none.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "error": { "code": self.code, "exit": self.exit.code(), "what": self.what, "hint": self.hint } })
    }
}

/// What a person is told to do about a bug.
pub(crate) const BUG_HINT: &str = "this is a bug in oblink: please report the command, the version and this message";

impl miette::Diagnostic for Failure {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        self.hint.as_deref().map(|hint| Box::new(hint) as Box<dyn Display>)
    }
}

/// A diagnostic as people read it on stderr, with or without a terminal: `error: WHAT`, then `help: HINT` where there is one.
///
/// Control characters are shown escaped, so that nothing out of a file name or a peer's text can move the cursor.
#[must_use]
pub fn render(diagnostic: &dyn miette::Diagnostic) -> String {
    let mut text = format!("error: {}\n", Shown(&diagnostic.to_string()));
    if let Some(help) = diagnostic.help() {
        text.push_str(&format!(" help: {}\n", Shown(&help.to_string())));
    }
    text
}

/// Text with its control characters escaped.
struct Shown<'a>(&'a str);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// Why the system would not do something to a file, in stable words of our own for the common causes.
pub(crate) fn io_cause(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "a part of its path is not a directory".to_owned(),
        io::ErrorKind::ReadOnlyFilesystem => "the file system is read-only".to_owned(),
        io::ErrorKind::StorageFull => "no space is left on the device".to_owned(),
        io::ErrorKind::QuotaExceeded => "the disk quota is used up".to_owned(),
        io::ErrorKind::AlreadyExists => "it exists already".to_owned(),
        io::ErrorKind::AddrInUse => "another program has it".to_owned(),
        io::ErrorKind::AddrNotAvailable => "it is not an address of this machine".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_and_hint_are_two_lines_and_controls_are_escaped() {
        let failure = Failure::input("x", "cannot read a\u{1b}[2Jb").with_hint("look\nagain");
        assert_eq!(render(&failure), "error: cannot read a\\u{1b}[2Jb\n help: look\\nagain\n");
        assert_eq!(render(&Failure::bug("oops")), format!("error: oops\n help: {BUG_HINT}\n"));
    }

    #[test]
    fn the_exit_codes_are_the_contracts() {
        let all = [Exit::Done, Exit::Bug, Exit::Usage, Exit::BadInput, Exit::Refused, Exit::Unreachable, Exit::PeerAtFault];
        assert_eq!(all.map(Exit::code), [0, 1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn json_has_a_null_hint_where_there_is_none() {
        assert_eq!(Failure::peer("pin", "w").to_json().to_string(), r#"{"error":{"code":"pin","exit":6,"hint":null,"what":"w"}}"#);
    }
}
