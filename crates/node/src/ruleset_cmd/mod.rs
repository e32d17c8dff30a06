//! `ruleset`, of both programs: which there are, what each rule lets one test; and what becomes of one row of one's own.

mod explain;

use oblink_linkage::{Measured, Ruleset, RulesetClass};
use oblink_session::request::to_hex;
use serde_json::{Value, json};

use crate::cli::{HolderRulesetCommand, RulesetCommand, RulesetShowArgs};
use crate::failure::Failure;
use crate::report::Reporter;
use crate::results::Figure;
use crate::ruleset::choose;

/// The verifier's.
///
/// # Errors
/// Exit 3: no such ruleset, or no such row.
pub(crate) fn of_verifier(command: &RulesetCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        RulesetCommand::List => list(reporter),
        RulesetCommand::Show(args) => show(args, reporter)?,
        RulesetCommand::Explain(args) => explain::explain(args, reporter)?,
    }
    Ok(())
}

/// The holder's.
///
/// # Errors
/// Exit 3: no such ruleset.
pub(crate) fn of_holder(command: &HolderRulesetCommand, reporter: &Reporter) -> Result<(), Failure> {
    match command {
        HolderRulesetCommand::List => list(reporter),
        HolderRulesetCommand::Show(args) => show(args, reporter)?,
    }
    Ok(())
}

/// One object a ruleset, or a block of lines.
fn list(reporter: &Reporter) {
    for ruleset in Ruleset::all() {
        reporter.json(&head(ruleset));
        let mut lines = vec![line(ruleset)];
        lines.extend(measured_lines(ruleset));
        reporter.answer(&lines.join("\n"));
    }
}

fn show(args: &RulesetShowArgs, reporter: &Reporter) -> Result<(), Failure> {
    let ruleset = choose(&args.ruleset)?.ruleset;
    let mut object = head(ruleset);
    object["digest"] = to_hex(&ruleset.digest()).into();
    object["meaning"] = class_words(ruleset.class()).into();
    object["disclosed"] = disclosed(ruleset.tokens_per_pair()).into();
    object["rules"] = ruleset
        .rules()
        .iter()
        .map(|rule| json!({ "rule": rule.number, "name": rule.name, "fields": rule.fields, "predicate": rule.predicate }))
        .collect();
    reporter.json(&object);

    let mut lines = vec![line(ruleset), format!("  digest {}", to_hex(&ruleset.digest()))];
    lines.extend(measured_lines(ruleset));
    lines.push(String::new());
    lines.push(format!("A match means: {}", class_words(ruleset.class())));
    lines.push(disclosed(ruleset.tokens_per_pair()));
    lines.push("What each rule lets a verifier test of the holder's records:".to_owned());
    for rule in ruleset.rules() {
        lines.push(format!("  {} {} ({})", rule.number, rule.name, rule.fields.join(", ")));
        lines.push(format!("    {}", rule.predicate));
    }
    reporter.answer(&lines.join("\n"));
    Ok(())
}

fn line(ruleset: &Ruleset) -> String {
    let tokens = ruleset.tokens_per_pair();
    format!(
        "{}  {}  {tokens} token{} a pair  {}",
        ruleset.name(),
        ruleset.class().as_str(),
        if tokens == 1 { "" } else { "s" },
        &to_hex(&ruleset.digest())[..16]
    )
}

fn head(ruleset: &Ruleset) -> Value {
    json!({
        "ruleset": ruleset.name(),
        "class": ruleset.class().as_str(),
        "tokens_per_pair": ruleset.tokens_per_pair(),
        "digest": &to_hex(&ruleset.digest())[..16],
        "measured": Figure::all_of(ruleset),
    })
}

/// What was measured, for people.
fn measured_lines(ruleset: &Ruleset) -> Vec<String> {
    let figures = ruleset.measured();
    if figures.is_empty() {
        return vec![format!("  {NOT_MEASURED}")];
    }
    // Two digits: of 0.1% that are wrong one would be rounded to none.
    let percent = |share: f64| format!("{:.2}", share * 100.0);
    let line = |figure: &Measured| {
        let (recall, precision) = (figure.recall(), figure.precision());
        format!(
            "  {}: finds {}% of those held ({} to {}), and {}% of its matches are right ({} to {}), by {}",
            figure.people,
            percent(recall.share),
            percent(recall.low),
            percent(recall.high),
            percent(precision.share),
            percent(precision.low),
            percent(precision.high),
            figure.level
        )
    };
    figures.iter().map(line).collect()
}

/// Said where there is no figure.
const NOT_MEASURED: &str = "nothing was measured of this ruleset: how much it finds, and how many of its matches are wrong, is not known";

/// What a match means under a class.
fn class_words(class: RulesetClass) -> &'static str {
    match class {
        RulesetClass::ConfirmAddress => "the holder has a record of this person at this address.",
        RulesetClass::FindPerson => "the holder has a record of this person, at whatever address.",
    }
}

/// What the protocol discloses to whom, with so many tokens a pair (THREAT-MODEL §1).
fn disclosed(tokens_per_pair: u16) -> String {
    if tokens_per_pair == 1 {
        return "Disclosed: one bit a pair. A pair gives one token, so the protocol shows the verifier's program whether the holder has it, and nothing \
                else; the holder learns how many pairs were asked."
            .to_owned();
    }
    format!(
        "Disclosed: one bit a pair in the results, which say neither which rule agreed nor how many. But a pair gives {tokens_per_pair} tokens, dummies \
         included, and the protocol shows the verifier's program for each of them whether the holder has it: {tokens_per_pair} membership bits a pair \
         to whoever looks into that program's memory. So budgets count tokens, and each rule below stands with what it lets one test. The holder learns \
         how many pairs and tokens were asked, and not how many tokens are dummies."
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of each ruleset holds whatever it is.
    #[test]
    fn every_ruleset_can_be_shown() {
        for ruleset in Ruleset::all() {
            assert!(line(ruleset).contains(ruleset.class().as_str()));
            assert_eq!(head(ruleset)["measured"].as_array().unwrap().len(), ruleset.measured().len());
            assert!(!measured_lines(ruleset).is_empty());
            assert!(ruleset.rules().iter().all(|rule| !rule.predicate.is_empty()));
        }
        assert!(disclosed(1).contains("one bit a pair") && !disclosed(1).contains("membership"));
        assert!(disclosed(12).contains("12 membership bits a pair"));
    }
}
