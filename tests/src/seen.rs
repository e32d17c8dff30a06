//! What people saw, made the same on every run.

use std::fmt::Write as _;
use std::path::Path;

use crate::Ended;

/// Collects messages for a snapshot.
#[derive(Clone, Debug)]
pub struct Seen {
    folder: String,
    names: Vec<(String, &'static str)>,
    text: String,
}

impl Seen {
    /// Messages from below `folder`, which is shown as `DIR`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.display().to_string(), names: Vec::new(), text: String::new() }
    }

    /// Shows `text` as `name` from now on.
    pub fn name(&mut self, text: &str, name: &'static str) {
        self.names.push((text.to_owned(), name));
    }

    /// Adds how a command ended and what it told people.
    ///
    /// # Panics
    /// Where the code is not `due`, or the message repeats the sentinel that tests put into rows.
    pub fn note(&mut self, case: &str, due: i32, ended: &Ended) {
        assert_eq!(ended.code(), due, "{case}: {ended}");
        for text in [&ended.stdout, &ended.stderr] {
            assert!(!text.to_lowercase().contains("quispe"), "{case}: a value of a row is shown: {ended}");
        }
        let said = self.plain(&ended.stderr);
        writeln!(self.text, "# {case}: exit {due}\n{}\n", said.trim_end()).unwrap();
    }

    /// Adds a line of the test's own.
    pub fn line(&mut self, text: &str) {
        let text = self.plain(text);
        writeln!(self.text, "{}", text.trim_end()).unwrap();
    }

    /// Text without what differs from run to run: paths, fingerprints, long hex, ports, times.
    #[must_use]
    pub fn plain(&self, text: &str) -> String {
        let mut text = text.replace(&self.folder, "DIR");
        for (from, to) in &self.names {
            text = text.replace(from, to);
        }
        let mut plain = String::new();
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            let (taken, shown) = token(rest, plain.chars().last()).unwrap_or((first.len_utf8(), None));
            match shown {
                Some(shown) => plain.push_str(shown),
                None => plain.push_str(&rest[..taken]),
            }
            rest = &rest[taken..];
        }
        plain
    }

    /// Everything so far.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// What stands at the beginning of `text` that differs from run to run: its length, and what is shown in its place.
fn token(text: &str, before: Option<char>) -> Option<(usize, Option<&'static str>)> {
    const ADDRESS: &str = "127.0.0.1:";
    const PORT: &str = "port ";
    for lead in [ADDRESS, PORT] {
        if let Some(port) = text.strip_prefix(lead) {
            let digits = port.bytes().take_while(u8::is_ascii_digit).count();
            if digits > 0 {
                return Some((lead.len() + digits, Some(if lead == PORT { "port PORT" } else { "127.0.0.1:PORT" })));
            }
        }
    }
    if before.is_some_and(|before| before.is_ascii_alphanumeric()) {
        return None;
    }
    let hex = text.bytes().take_while(|b| b.is_ascii_hexdigit() || *b == b'-').count();
    match hex {
        79 => Some((hex, Some("FINGERPRINT"))),
        // A path's, a session's or a set's.
        16 | 32 | 64 => Some((hex, Some("HEX"))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_replaced() {
        let seen = Seen::new(Path::new("/tmp/x"));
        let fingerprint = ["0a1b"; 16].join("-");
        let text = format!("/tmp/x/a 127.0.0.1:50123, port 50123 is, {fingerprint} {} deadbeef é", "ab".repeat(32));
        assert_eq!(seen.plain(&text), "DIR/a 127.0.0.1:PORT, port PORT is, FINGERPRINT HEX deadbeef é");
    }
}
