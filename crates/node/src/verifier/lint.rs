//! `oblink-verifier lint`: what a list is like before anybody is asked about it.

use std::time::SystemTime;

use oblink_linkage::Side;
use serde_json::Map;

use super::conditions::{Conditions, tokens_in};
use super::request::recompute::ListFile;
use crate::cli::PairsLintArgs;
use crate::date::Date;
use crate::failure::Failure;
use crate::lint::{Columns, Looker, Tally, Whose, report};
use crate::pipeline::for_each_ordered;
use crate::report::Reporter;
use crate::rows::Field;
use crate::tokens::ruleset_by_name;

/// Looks at the pairs as `check` and `request new` would, and says what was found. Nobody is asked.
///
/// # Errors
/// Exit 3: an input that cannot be read, or lacks a column that is required; exit 2: a column that no list has.
pub fn lint(args: &PairsLintArgs, reporter: &Reporter) -> Result<(), Failure> {
    let ruleset = ruleset_by_name(&args.ruleset)?;
    let required = args.require_column.iter().map(String::as_str);
    let conditions = Conditions::new(required, args.addresses_per_person_max, Date::of(SystemTime::now()))?;
    let mut reader = ListFile::new(args.csv.source(), args.csv.options(), args.person_id.as_deref()).open()?;
    conditions.check_columns(&reader)?;
    let columns = Columns::of(&reader, &args.csv.format);
    let has_persons = reader.has(Field::PersonId);
    let looker = Looker::new(ruleset, Side::Verifier, reader.has(Field::Id));
    let mut tally = Tally::new(Whose::Pairs, ruleset, has_persons);
    let mut persons = conditions.persons();
    let bar = reporter.bytes_bar("reading", reader.bytes_total(), reader.bytes_read());
    for_each_ordered(
        || reader.next_chunk(),
        |chunk| {
            Ok(looker.look(&chunk, |index, tokens| {
                let verdict = conditions.judge(&chunk, index, tokens_in(tokens, 0, tokens.len()));
                verdict.reason.map_or(Ok(verdict), Err)
            }))
        },
        |rows| {
            for (mut seen, verdict) in rows {
                // As in a request, whose rows are admitted in their order.
                if let (Some(persons), Some(verdict)) = (&mut persons, verdict)
                    && !persons.admit(verdict.person, verdict.address)
                {
                    seen.outcome = Err("too_many_addresses");
                }
                tally.add(&seen);
            }
            bar.update();
            Ok(())
        },
    )?;
    bar.finish();
    let summary = tally.finish(ruleset);
    let per_pair = u64::from(ruleset.tokens_per_pair());
    let (asked, own) = (summary.usable * per_pair, summary.tokens);
    let mean = |count: u64| if summary.usable == 0 { 0.0 } else { count as f64 / summary.usable as f64 };
    let dummies = asked.saturating_sub(own);
    let mut members = Map::new();
    members.insert("tokens_asked".to_owned(), asked.into());
    members.insert("dummies_mean".to_owned(), ((mean(dummies) * 1e3).round() / 1e3).into());
    let lines = vec![format!(
        "each pair is asked with {per_pair} token{}: {:.1} of its own and {:.1} dummies on average; {asked} in all",
        if per_pair == 1 { "" } else { "s" },
        mean(own),
        mean(dummies),
    )];
    report(Whose::Pairs, ruleset, &columns, &summary, (members, lines), reporter);
    Ok(())
}
