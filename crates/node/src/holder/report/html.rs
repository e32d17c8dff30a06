//! HTML, as little of it as the page needs. Every text goes through [`escaped`].

use std::fmt::Write;

/// A text between tags or in an attribute's double quotes. Control and direction characters, which a request may not hold anyway, show as their
/// numbers.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() || matches!(c, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\u{fffd}{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// A number with its thousands apart.
pub(super) fn number(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Text(String),
    /// A fingerprint or a digest: in letters of one width.
    Code(String),
    Number(u64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Number(value)
    }
}

/// A table: the first cell of each row is its heading. An empty one is a sentence.
pub(super) fn table(caption: &str, headings: &[&str], rows: &[Vec<Cell>]) -> String {
    if rows.is_empty() {
        return format!("<p class=\"none\">{}: none.</p>\n", escaped(caption));
    }
    // Wide tables scroll by themselves; a scrolling region has to be reachable by keyboard, and named.
    let mut out = format!(
        "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>\n<caption>{0}</caption>\n<thead><tr>",
        escaped(caption)
    );
    for heading in headings {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(heading));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (i, cell) in row.iter().enumerate() {
            let (open, close) = if i == 0 { ("<th scope=\"row\"", "</th>") } else { ("<td", "</td>") };
            let _ = match cell {
                Cell::Text(text) => write!(out, "{open}>{}{close}", escaped(text)),
                Cell::Code(text) => write!(out, "{open}><code>{}</code>{close}", escaped(text)),
                Cell::Number(value) => write!(out, "{open} class=\"number\">{}{close}", number(*value)),
            };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table></div>\n");
    out
}

/// A section with its heading.
pub(super) fn section(id: &str, heading: &str, body: &str) -> String {
    format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{}</h2>\n{body}</section>\n", escaped(heading))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_gets_out_of_a_text() {
        let hostile = "</td><script>alert(\"1\")</script> & 'x' \u{202e}evil\u{0}";
        let shown = escaped(hostile);
        assert!(!shown.contains(['<', '>', '"', '\'', '\u{202e}', '\u{0}']), "{shown}");
        assert_eq!(shown, "&lt;/td&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \u{fffd}202Eevil\u{fffd}0000");
    }

    #[test]
    fn numbers_are_read_in_threes() {
        for (value, shown) in [(0, "0"), (999, "999"), (1_000, "1,000"), (7_000_000, "7,000,000"), (u64::MAX, "18,446,744,073,709,551,615")]
        {
            assert_eq!(number(value), shown);
        }
    }
}
