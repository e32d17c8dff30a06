//! The page that `serve --metrics` shows, read as strictly as Prometheus's text format (0.0.4) is written down.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::LIMIT;

/// The labels of a series.
pub type Labels = BTreeMap<String, String>;

/// One page.
#[derive(Clone, Debug, Default)]
pub struct Scrape {
    /// Kind by family: `counter`, `gauge`, `histogram`.
    pub kinds: BTreeMap<String, String>,
    /// Values by name and labels.
    pub values: BTreeMap<(String, Labels), f64>,
}

/// What came back over HTTP.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// Sends bytes to a listener and reads its answer to the end; `None` where it closes without one.
///
/// # Panics
/// Where nobody listens, or the answer is no HTTP.
#[must_use]
pub fn ask(address: &str, request: &[u8]) -> Option<Reply> {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    // It may have closed already: then so does the reading say.
    let _ = stream.write_all(request);
    let mut bytes = Vec::new();
    if stream.read_to_end(&mut bytes).is_err() && bytes.is_empty() {
        return None;
    }
    let text = String::from_utf8(bytes).unwrap();
    if text.is_empty() {
        return None;
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP: {text}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().strip_prefix("HTTP/1.1 ").unwrap_or_else(|| panic!("no HTTP: {text}"))[..3].parse().unwrap();
    let headers: BTreeMap<_, _> = lines.map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.to_lowercase(), v.to_owned())).collect();
    Some(Reply { status, headers, body: body.to_owned() })
}

/// `GET path` with this Host.
#[must_use]
pub fn get(address: &str, path: &str, host: &str) -> Option<Reply> {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
}

impl Scrape {
    /// Reads the page of a listener; `None` where it closes the connection, because it has as many as it takes.
    ///
    /// # Panics
    /// Where it answers otherwise than it should.
    #[must_use]
    pub fn try_of(address: &str) -> Option<Self> {
        let reply = get(address, "/metrics", address)?;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
        assert_eq!(reply.headers["content-length"], reply.body.len().to_string());
        Some(Self::parse(&reply.body).unwrap_or_else(|error| panic!("{error} in:\n{}", reply.body)))
    }

    /// Likewise.
    ///
    /// # Panics
    /// Likewise, and where it closes the connection.
    #[must_use]
    pub fn of(address: &str) -> Self {
        Self::try_of(address).expect("a page")
    }

    /// The value of the series that has exactly these labels.
    ///
    /// # Panics
    /// Where there is none.
    #[must_use]
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("no {name} {labels:?} in {:#?}", self.values))
    }

    /// Likewise, where there is one.
    #[must_use]
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.values.get(&(name.to_owned(), labels)).copied()
    }

    /// The sum of all series of a name.
    #[must_use]
    pub fn sum(&self, name: &str) -> f64 {
        self.values.iter().filter(|((found, _), _)| found == name).map(|(_, value)| value).sum()
    }

    /// Reads a page.
    ///
    /// # Errors
    /// What is not as the format has it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut page = Self::default();
        if !text.ends_with('\n') {
            return Err("the last line has no end".to_owned());
        }
        let mut family: Option<(String, String)> = None;
        let mut helped: Option<String> = None;
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').ok_or_else(|| format!("no help: {line}"))?;
                helped = Some(name.to_owned());
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').ok_or_else(|| format!("no type: {line}"))?;
                if helped.take().as_deref() != Some(name) {
                    return Err(format!("a type without its help: {line}"));
                }
                if !["counter", "gauge", "histogram"].contains(&kind) || (kind == "counter") != name.ends_with("_total") {
                    return Err(format!("a kind that the name does not say: {line}"));
                }
                if page.kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                    return Err(format!("a family twice: {line}"));
                }
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (name, labels, value) = sample(line)?;
                let (of, kind) = family.as_ref().ok_or_else(|| format!("a sample without a type: {line}"))?;
                let suffix = name.strip_prefix(of.as_str()).ok_or_else(|| format!("a sample of another family: {line}"))?;
                let right = if kind == "histogram" { ["_sum", "_count", "_bucket"].contains(&suffix) } else { suffix.is_empty() };
                if !right || kind != "gauge" && value < 0.0 {
                    return Err(format!("no sample of {of}: {line}"));
                }
                if page.values.insert((name, labels), value).is_some() {
                    return Err(format!("a series twice: {line}"));
                }
            }
        }
        page.check_histograms()?;
        Ok(page)
    }

    fn check_histograms(&self) -> Result<(), String> {
        for (family, _) in self.kinds.iter().filter(|(_, kind)| *kind == "histogram") {
            let name = format!("{family}_bucket");
            let mut buckets: Vec<(f64, f64)> = Vec::new();
            for ((_, labels), value) in self.values.iter().filter(|((found, _), _)| *found == name) {
                let le = labels.get("le").ok_or_else(|| format!("a bucket of {family} without a bound"))?;
                buckets.push((le.parse().map_err(|_| format!("{family}: {le}"))?, *value));
            }
            buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
            let last = buckets.last().copied().ok_or_else(|| format!("{family} has no buckets"))?;
            if !buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1) || last != (f64::INFINITY, self.sum(&format!("{family}_count"))) {
                return Err(format!("the buckets of {family}: {buckets:?}"));
            }
        }
        Ok(())
    }
}

fn is_name(name: &str, colon: bool) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || colon && c == ':';
    !name.is_empty() && name.chars().all(good) && !name.starts_with(|c: char| c.is_ascii_digit())
}

/// `name{label="value",…} value`
fn sample(line: &str) -> Result<(String, Labels, f64), String> {
    let wrong = |what: &str| format!("{what}: {line}");
    let at = line.find(['{', ' ']).ok_or_else(|| wrong("no sample"))?;
    let (name, mut rest) = line.split_at(at);
    if !is_name(name, true) {
        return Err(wrong("no name"));
    }
    let (mut labels, mut seen) = (Labels::new(), BTreeSet::new());
    if let Some(mut inner) = rest.strip_prefix('{') {
        loop {
            let (label, after) = inner.split_once("=\"").ok_or_else(|| wrong("no label"))?;
            if !is_name(label, false) || !seen.insert(label.to_owned()) {
                return Err(wrong("a label's name"));
            }
            let (value, after) = quoted(after).ok_or_else(|| wrong("a label's value"))?;
            labels.insert(label.to_owned(), value);
            match after.strip_prefix(',') {
                Some(more) => inner = more,
                None => {
                    rest = after.strip_prefix('}').ok_or_else(|| wrong("labels without an end"))?;
                    break;
                }
            }
        }
    }
    let value = rest.strip_prefix(' ').ok_or_else(|| wrong("no value"))?;
    let value = value.parse().map_err(|_| wrong("a value that is no number"))?;
    Ok((name.to_owned(), labels, value))
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match chars.next()?.1 {
                '\\' => '\\',
                '"' => '"',
                'n' => '\n',
                _ => return None,
            }),
            _ => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# HELP a_total Of something\n# TYPE a_total counter\na_total{x=\"1\\\"\\n\",y=\"\"} 3\na_total 4\n\
        # HELP b Now\n# TYPE b gauge\nb -1.5\n\
        # HELP h Time\n# TYPE h histogram\nh_sum 2.5\nh_count 3\nh_bucket{le=\"1.0\"} 2\nh_bucket{le=\"+Inf\"} 3\n";

    #[test]
    fn a_page_is_read() {
        let page = Scrape::parse(PAGE).unwrap();
        assert_eq!(page.value("a_total", &[("x", "1\"\n"), ("y", "")]), 3.0);
        assert_eq!((page.sum("a_total"), page.value("b", &[]), page.find("b", &[("x", "")])), (7.0, -1.5, None));
    }

    #[test]
    fn what_is_no_page_is_refused() {
        for (what, by) in [
            ("# TYPE b gauge\n", ""),
            ("# HELP b Now\n", ""),
            ("a_total 4", "a_total -4"),
            ("a_total 4", "a_total four"),
            ("a_total 4", "a_total 4\na_total 4"),
            ("a_total 4", "a_total{} 4"),
            ("a_total 4", "c 4"),
            ("y=", "x="),
            ("y=\"\"}", "y=\"\"} "),
            ("\\n", "\\t"),
            ("b gauge", "b_total gauge"),
            ("b gauge", "b untyped"),
            ("h_bucket{le=\"1.0\"} 2", "h_bucket{le=\"1.0\"} 4"),
            ("h_count 3", "h_count 4"),
            ("h_sum 2.5", "h_total 2.5"),
            ("} 3\na", "} 3 # {} 1\na"),
        ] {
            assert!(PAGE.contains(what), "{what}");
            let spoilt = PAGE.replace(what, by);
            assert!(Scrape::parse(&spoilt).is_err(), "{what} → {by}");
        }
        assert!(Scrape::parse(PAGE.trim_end()).is_err());
    }
}
