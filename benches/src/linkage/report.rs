//! The figures in words and as JSON.

use std::fmt::Write as _;

use oblink_linkage::Interval;
use serde_json::{Map, Value, json};

use super::Evaluation;
use super::figures::{Absent, Figures, RuleFigures, Tally};
use super::misses::{MissCount, Misses};

/// One object with everything.
pub(super) fn json(evaluation: &Evaluation<'_>) -> Value {
    json!({
        "pairs": evaluation.set.pair_truths.len(),
        "records": evaluation.set.record_truths.len(),
        "rulesets": evaluation.figures.iter().zip(&evaluation.misses).map(|(figures, misses)| ruleset(figures, misses)).collect::<Vec<_>>(),
    })
}

fn ruleset(figures: &Figures<'_>, misses: &Misses) -> Value {
    let mut object = tally(&figures.all);
    let per_record = figures.record_tokens.0 as f64 / (figures.records.max(1)) as f64;
    let more = json!({
        "name": figures.ruleset.name(),
        "class": figures.ruleset.class().as_str(),
        "level": figures.level.as_str(),
        "tokens_per_pair": figures.ruleset.tokens_per_pair(),
        "submitted": figures.submitted,
        "not_submitted": figures.reasons,
        "false": figures.all.matched - figures.all.right,
        "false_same_person": figures.other_address,
        "records": figures.records,
        "records_without_tokens": figures.records_without,
        "crowded_records": figures.crowded,
        "tokens_per_record": { "mean": per_record, "max": figures.record_tokens.1 },
        "rules": figures.rules.iter().map(|of| rule(figures, of)).collect::<Vec<_>>(),
        "halves": { "even": tally(&figures.halves[0]), "odd": tally(&figures.halves[1]) },
        "address_kinds": named(figures.kinds.iter().map(|(name, of)| (*name, of))),
        "origins": named(figures.origins.iter().map(|(name, of)| (name.as_str(), of))),
        "absent": figures.absent.iter().map(absent).collect::<Vec<_>>(),
        "misses": {
            "missed": misses.all.misses,
            "not_submitted": misses.all.not_submitted,
            "kinds": misses.kinds.iter().map(|(kind, count)| miss("kind", kind, count)).collect::<Vec<_>>(),
            "rarer_kinds": misses.rarer.misses,
            "fields": misses.fields.iter().map(|(field, count)| miss("field", field, count)).collect::<Vec<_>>(),
        },
    });
    if let Value::Object(more) = more {
        object.extend(more);
    }
    Value::Object(object)
}

/// A tally's counts, with recall and precision: null where there is nothing to divide by.
fn tally(of: &Tally) -> Map<String, Value> {
    let share = |interval: Option<Interval>| interval.map(|interval| interval.share);
    let ends = |interval: Option<Interval>| interval.map(|interval| [interval.low, interval.high]);
    let mut object = Map::new();
    for (name, value) in [
        ("pairs", json!(of.pairs)),
        ("present", json!(of.present)),
        ("matched", json!(of.matched)),
        ("right", json!(of.right)),
        ("recall", json!(share(of.recall()))),
        ("precision", json!(share(of.precision()))),
        ("recall_interval", json!(ends(of.recall()))),
        ("precision_interval", json!(ends(of.precision()))),
    ] {
        object.insert(name.to_owned(), value);
    }
    object
}

fn named<'a>(parts: impl Iterator<Item = (&'a str, &'a Tally)>) -> Value {
    let part = |(name, of): (&str, &Tally)| {
        let mut object = tally(of);
        object.insert("name".to_owned(), json!(name));
        object
    };
    json!(parts.map(part).collect::<Vec<_>>())
}

fn rule(figures: &Figures<'_>, of: &RuleFigures) -> Value {
    json!({
        "number": of.number,
        "name": of.name,
        "own": tally(&of.own),
        "cumulative": tally(&of.cumulative),
        "tokens_sent": of.tokens.sent,
        "pairs_served": ratio(of.tokens.pairs, figures.all.pairs),
        "tokens_per_record": ratio(of.tokens.emitted, figures.records),
    })
}

fn absent(of: &Absent) -> Value {
    json!({
        "share": f64::from(of.eighths) / 8.0,
        "records": of.records,
        "absent": of.absent,
        "matched": of.matched,
        "per_1000": (of.absent > 0).then(|| 1000.0 * ratio(of.matched, of.absent)),
    })
}

fn miss(of: &str, name: &str, count: &MissCount) -> Value {
    json!({ of: name, "count": count.misses, "not_submitted": count.not_submitted })
}

fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Tables for people.
pub(super) fn text(evaluation: &Evaluation<'_>) -> String {
    let Evaluation { set, figures: rulesets, misses } = evaluation;
    let mut text = format!("{} pairs against {} records\n", set.pair_truths.len(), set.record_truths.len());
    line(&mut text, format_args!("\n{:<22} {:>7} {:>7} {:>7}   matched     right     false   T", "ruleset", "level", "recall", "prec."));
    for figures in rulesets {
        let Tally { matched, right, .. } = figures.all;
        let (recall, precision) = shares(&figures.all);
        let (name, level, t) = (figures.ruleset.name(), figures.level.as_str(), figures.ruleset.tokens_per_pair());
        line(&mut text, format_args!("{name:<22} {level:>7} {recall} {precision} {matched:>9} {right:>9} {:>9} {t:>3}", matched - right));
    }
    for (figures, misses) in rulesets.iter().zip(misses) {
        one(&mut text, figures, misses);
    }
    text
}

fn one(text: &mut String, figures: &Figures<'_>, misses: &Misses) {
    let ends = |interval: Option<Interval>| interval.map_or(String::new(), |i| format!(" ({:.4} to {:.4})", i.low, i.high));
    let (recall, precision) = shares(&figures.all);
    line(text, format_args!("\n== {}, {}, at {} level", figures.ruleset.name(), figures.ruleset.class().as_str(), figures.level.as_str()));
    line(
        text,
        format_args!(
            "recall {}{}: {} right of {} present",
            recall.trim(),
            ends(figures.all.recall()),
            figures.all.right,
            figures.all.present
        ),
    );
    let (matched, wrong) = (figures.all.matched, figures.all.matched - figures.all.right);
    line(
        text,
        format_args!(
            "precision {}{}: {wrong} false of {matched} matched, {} of these the person at another address",
            precision.trim(),
            ends(figures.all.precision()),
            figures.other_address
        ),
    );
    let reasons: Vec<String> = figures.reasons.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
    line(
        text,
        format_args!(
            "submitted {} of {} pairs{}{}",
            figures.submitted,
            figures.all.pairs,
            if reasons.is_empty() { "" } else { "; not: " },
            reasons.join(", ")
        ),
    );
    let mean = ratio(figures.record_tokens.0, figures.records);
    line(
        text,
        format_args!(
            "tokens: {} a pair, {mean:.1} a record (most {}); {} records without any, {} at crowded places",
            figures.ruleset.tokens_per_pair(),
            figures.record_tokens.1,
            figures.records_without,
            figures.crowded
        ),
    );
    line(
        text,
        format_args!(
            "\n {:>4} {:<28} {:>7} {:>7} {:>9}   {:>7} {:>7}   served   a record",
            "rule", "", "recall", "prec.", "matched", "so far", "prec."
        ),
    );
    for rule in &figures.rules {
        let ((recall, precision), (so_far, so_far_precision)) = (shares(&rule.own), shares(&rule.cumulative));
        let (served, a_record) = (ratio(rule.tokens.pairs, figures.all.pairs), ratio(rule.tokens.emitted, figures.records));
        line(
            text,
            format_args!(
                " {:>4} {:<28} {recall} {precision} {:>9}   {so_far} {so_far_precision}   {served:>6.3} {a_record:>10.2}",
                rule.number, rule.name, rule.own.matched
            ),
        );
    }
    let halves = [("even half of the people", &figures.halves[0]), ("odd half", &figures.halves[1])];
    let origins = figures.origins.iter().map(|(name, of)| (name.as_str(), of));
    let kinds = figures.kinds.iter().map(|(name, of)| (*name, of));
    for (title, parts) in [("by half", halves.to_vec()), ("by origin", origins.collect()), ("by address", kinds.collect())] {
        if parts.is_empty() {
            continue;
        }
        line(text, format_args!("\n {title:<40} {:>7} {:>7} {:>9} {:>9} {:>9}", "recall", "prec.", "present", "matched", "false"));
        for (name, of) in parts {
            let (recall, precision) = shares(of);
            line(text, format_args!(" {name:<40} {recall} {precision} {:>9} {:>9} {:>9}", of.present, of.matched, of.matched - of.right));
        }
    }
    line(text, format_args!("\n {:<40} {:>9} {:>9} {:>9}", "absent people that match, of 1,000", "records", "absent", "matched"));
    for of in &figures.absent {
        let per_1000 = 1000.0 * ratio(of.matched, of.absent);
        line(
            text,
            format_args!(
                " {:<30} {per_1000:>9.2} {:>9} {:>9} {:>9}",
                format!("{}/8 of the people", of.eighths),
                of.records,
                of.absent,
                of.matched
            ),
        );
    }
    let all = misses.all;
    line(
        text,
        format_args!("\n {} missed, {} of these not submitted; what differs from the closest record", all.misses, all.not_submitted),
    );
    for (kind, count) in &misses.kinds {
        line(text, format_args!(" {:>7} {:>7}   {kind}", count.misses, count.not_submitted));
    }
    if misses.rarer.misses > 0 {
        line(text, format_args!(" {:>7} {:>7}   rarer", misses.rarer.misses, misses.rarer.not_submitted));
    }
    line(text, format_args!("\n and one by one"));
    for (field, count) in &misses.fields {
        line(text, format_args!(" {:>7} {:>7}   {field}", count.misses, count.not_submitted));
    }
}

/// Recall and precision, seven wide.
fn shares(of: &Tally) -> (String, String) {
    let share = |interval: Option<Interval>| interval.map_or_else(|| format!("{:>7}", "-"), |interval| format!("{:>7.4}", interval.share));
    (share(of.recall()), share(of.precision()))
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // A string takes all that is written.
    let _ = writeln!(text, "{what}");
}
