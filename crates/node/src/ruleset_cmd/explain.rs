//! `ruleset explain`: what becomes of one row. The one command that prints what is in a row, to the standard output of whoever has the file; it
//! is logged nowhere, and no message has any of it.

use oblink_linkage::{Canonical, ExplainedToken, Ruleset};
use serde_json::{Map, Value, json};

use crate::cli::RulesetExplainArgs;
use crate::failure::Failure;
use crate::lint::of_reason;
use crate::report::Reporter;
use crate::rows::{RowChunk, RowReader};
use crate::tokens::{row_of, ruleset_by_name};

/// Prints one row's canonical fields and tokens, or why it has none.
///
/// # Errors
/// Exit 3: an input that cannot be read up to that row, or has fewer rows.
pub(super) fn explain(args: &RulesetExplainArgs, reporter: &Reporter) -> Result<(), Failure> {
    let ruleset = ruleset_by_name(&args.ruleset)?;
    let mut reader = RowReader::open(&args.csv.source(), &args.csv.options())?;
    let mut rows = 0;
    while let Some(chunk) = reader.next_chunk()? {
        rows += chunk.len() as u64;
        if args.row <= rows {
            let index = args.row - chunk.first_number();
            return of_row(ruleset, &chunk, index as usize, reporter);
        }
    }
    Err(Failure::input("no_such_row", format!("the input has {rows} rows, and --row is {}", args.row))
        .with_hint("data rows count from 1, the header not; results.csv, rejects and lint number them so"))
}

fn of_row(ruleset: &Ruleset, chunk: &RowChunk, index: usize, reporter: &Reporter) -> Result<(), Failure> {
    let view = chunk.row(index).ok_or_else(|| Failure::bug("a row is missing"))?;
    reporter.warn("what follows on standard output is a person's data: keep it where the list is kept");
    let explained = match view.problem {
        Some(problem) => Err(problem.reason()),
        None => ruleset.explain(&row_of(&view)).map_err(|reason| reason.as_str()),
    };
    let tokens = match explained {
        Ok(tokens) => tokens,
        Err(reason) => {
            let (what, advice) = of_reason(reason);
            reporter.json(&json!({
                "row": view.number, "ruleset": ruleset.name(), "submitted": false, "reason": reason, "what": what, "next": advice,
            }));
            say(reporter, &format!("row {} is not submitted: {reason}: {what}\n  {advice}", view.number));
            return Ok(());
        }
    };
    let canonical = ruleset.canonicalize(&row_of(&view)).ok();
    let dummies = usize::from(ruleset.tokens_per_pair()).saturating_sub(tokens.len());
    reporter.json(&json!({
        "row": view.number,
        "ruleset": ruleset.name(),
        "submitted": true,
        "canonical": canonical.as_ref().map(canonical_json),
        "tokens": tokens.iter().map(|token| of_token(ruleset, token)).collect::<Vec<_>>(),
        "dummies": dummies,
    }));
    let mut lines = vec![format!("row {} under {}: {} of its own, {dummies} dummies", view.number, ruleset.name(), counted(tokens.len()))];
    for (name, value) in canonical.as_ref().map(parts).into_iter().flatten() {
        lines.push(format!("  {name:<14} {value}"));
    }
    for token in &tokens {
        let name = ruleset.rules().iter().find(|rule| rule.number == token.rule).map_or("", |rule| rule.name.as_str());
        lines.push(format!("token of rule {} {name}", token.rule));
        for (field, value) in names(ruleset, token).zip(&token.values) {
            lines.push(format!("  {field:<14} {value}"));
        }
    }
    say(reporter, &lines.join("\n"));
    Ok(())
}

/// On standard output or nowhere: under `--json` an answer goes to standard error, which is kept in logs.
fn say(reporter: &Reporter, text: &str) {
    if !reporter.is_json() {
        reporter.answer(text);
    }
}

fn counted(tokens: usize) -> String {
    format!("{tokens} token{}", if tokens == 1 { "" } else { "s" })
}

/// The parts that the row has.
fn parts(canonical: &Canonical) -> impl Iterator<Item = &(&'static str, String)> {
    canonical.parts().iter().filter(|(_, value)| !value.is_empty())
}

fn canonical_json(canonical: &Canonical) -> Map<String, Value> {
    parts(canonical).map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect()
}

/// What the rule calls the values of its token; a number where it has no name for one.
fn names<'a>(ruleset: &'a Ruleset, token: &ExplainedToken) -> impl Iterator<Item = String> + use<'a> {
    let rule = ruleset.rules().iter().find(|rule| rule.number == token.rule);
    let named = rule.map_or(&[][..], |rule| rule.fields.as_slice());
    (0..).map(move |index: usize| named.get(index).cloned().unwrap_or_else(|| (index + 1).to_string()))
}

fn of_token(ruleset: &Ruleset, token: &ExplainedToken) -> Value {
    let rule = ruleset.rules().iter().find(|rule| rule.number == token.rule);
    let fields: Map<String, Value> = names(ruleset, token).zip(&token.values).map(|(name, value)| (name, value.as_str().into())).collect();
    json!({ "rule": token.rule, "name": rule.map(|rule| rule.name.as_str()), "fields": fields })
}
