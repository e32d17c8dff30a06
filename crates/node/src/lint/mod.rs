//! `lint`, of both programs: what a list is like before it is asked about or sealed. Nobody is asked, no home is needed, and nothing that it says
//! holds a value of a row: counts and row numbers alone.

mod findings;
mod look;
mod repeats;
mod tally;

use oblink_linkage::{NotSubmitted, Ruleset};
use serde_json::{Map, Value, json};

use crate::cli::CsvFormatArgs;
use crate::report::Reporter;
use crate::rows::{Field, RowReader};

pub(crate) use findings::{Whose, of_reason, percent, share};
pub(crate) use look::Looker;
pub(crate) use tally::{Summary, Tally};

/// Which columns a list has, and which of them are read.
pub(crate) struct Columns {
    read: Vec<&'static str>,
    /// Those that `--map` names.
    mapped: Vec<(&'static str, String)>,
    /// Columns of the file that are not read.
    others: u64,
    /// Columns that the contract knows, that the file does not have, and that might make more of its rows.
    missing: Vec<&'static str>,
}

impl Columns {
    /// Of a file that was opened.
    pub(crate) fn of(reader: &RowReader, format: &CsvFormatArgs) -> Self {
        let read: Vec<Field> = reader.fields().collect();
        let has = |field| read.contains(&field);
        let mapped = format.map.iter().filter(|map| has(map.field)).map(|map| (map.field.name(), map.header.clone())).collect();
        let parts = [Field::GivenName, Field::FamilyName];
        let mut missing = vec![Field::Id, Field::Unit, Field::City, Field::State];
        if has(Field::Name) {
            missing.extend(parts);
        } else {
            missing.extend([Field::MiddleName, Field::Suffix]);
        }
        missing.retain(|field| !has(*field));
        let names = |fields: &[Field]| fields.iter().map(|field| field.name()).collect();
        let others = (reader.width() - read.len().min(reader.width())) as u64;
        Self { read: names(&read), mapped, others, missing: names(&missing) }
    }

    fn json(&self) -> Value {
        let mapped: Map<String, Value> = self.mapped.iter().map(|(field, header)| ((*field).to_owned(), header.as_str().into())).collect();
        json!({ "read": self.read, "mapped": mapped, "not_read": self.others, "missing": self.missing })
    }

    fn line(&self) -> String {
        let name = |field: &&str| match self.mapped.iter().find(|(mapped, _)| mapped == field) {
            Some((_, header)) => format!("{field} ({header})"),
            None => (*field).to_owned(),
        };
        let mut line = format!("columns read: {}", self.read.iter().map(name).collect::<Vec<_>>().join(", "));
        if self.others > 0 {
            line.push_str(&format!("; not read: {} more", self.others));
        }
        if !self.missing.is_empty() {
            line.push_str(&format!("; there is no {}", self.missing.join(", ")));
        }
        line
    }
}

/// What is said at the end. `more` is what one side alone has to say: members for programs, lines for people.
pub(crate) fn report(
    whose: Whose,
    ruleset: &Ruleset,
    columns: &Columns,
    summary: &Summary,
    more: (Map<String, Value>, Vec<String>),
    reporter: &Reporter,
) {
    let Summary { rows, usable, unusable, rules, tokens, tokens_most, findings, .. } = summary;
    let mean = if *usable == 0 { 0.0 } else { *tokens as f64 / *usable as f64 };
    let placeholders = unusable.get(NotSubmitted::Placeholder.as_str()).copied().unwrap_or(0);
    let unread: u64 =
        [NotSubmitted::IncompleteAddress, NotSubmitted::AmbiguousAddress].iter().filter_map(|reason| unusable.get(reason.as_str())).sum();
    let served: Vec<Value> = ruleset
        .rules()
        .iter()
        .zip(rules)
        .map(|(rule, count)| json!({ "rule": rule.number, "name": rule.name, "rows": count, "share": share(*count, *rows) }))
        .collect();
    let mut object = Map::new();
    let members = [
        ("lint", if whose == Whose::Pairs { "pairs" } else { "records" }.into()),
        ("ruleset", ruleset.name().into()),
        ("class", ruleset.class().as_str().into()),
        ("tokens_per_pair", ruleset.tokens_per_pair().into()),
        ("columns", columns.json()),
        ("rows", (*rows).into()),
        ("usable", (*usable).into()),
        ("not_usable", json!(unusable)),
        ("placeholders", placeholders.into()),
        ("addresses_unread", unread.into()),
        ("tokens", (*tokens).into()),
        ("tokens_mean", ((mean * 1e3).round() / 1e3).into()),
        ("tokens_most", (*tokens_most).into()),
        ("rules", served.into()),
        ("findings", findings.iter().map(|finding| finding.json(*rows)).collect()),
    ];
    object.extend(members.into_iter().map(|(name, value)| (name.to_owned(), value)));
    let (own_members, own_lines) = more;
    object.extend(own_members);
    reporter.json(&Value::Object(object));

    let fate = whose.fate();
    let mut lines = vec![
        format!(
            "{rows} rows under {} ({}): {usable} give tokens ({}), {} do not and are {fate}",
            ruleset.name(),
            ruleset.class().as_str(),
            percent(*usable, *rows),
            rows - usable
        ),
        columns.line(),
    ];
    lines.extend(own_lines);
    lines.push("rows that each rule can serve:".to_owned());
    let width = ruleset.rules().iter().map(|rule| rule.name.chars().count()).max().unwrap_or(0);
    for (rule, count) in ruleset.rules().iter().zip(rules) {
        lines.push(format!("  {:>5} {:<width$}  {:>6}", rule.number, rule.name, percent(*count, *rows)));
    }
    if findings.is_empty() {
        lines.push("nothing was found that should be looked at".to_owned());
    } else {
        lines.push("to look at, with the first rows of each:".to_owned());
        lines.extend(findings.iter().map(|finding| finding.lines(*rows)));
    }
    reporter.answer(&lines.join("\n"));
}
