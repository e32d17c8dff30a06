//! What the commands take that look at lists and rulesets before anybody is asked.

use clap::{Args, Subcommand};

use super::args::{CsvArgs, RULESET};

/// `oblink-verifier lint`
#[derive(Args, Debug)]
#[command(after_help = LINT_HELP)]
pub struct PairsLintArgs {
    /// The pairs.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// The rules by which rows become comparable: a name, or the file of a ruleset.
    #[arg(long, value_name = "NAME", default_value = RULESET)]
    pub ruleset: String,
    /// Leave out rows that have nothing in this column, as request new does. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    pub require_column: Vec<String>,
    /// The column that tells persons apart.
    #[arg(long, value_name = "COLUMN")]
    pub person_id: Option<String>,
    /// Leave out rows beyond so many different addresses of one person, as request new does.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32))]
    pub addresses_per_person_max: u32,
}

/// `oblink-holder lint`
#[derive(Args, Debug)]
#[command(after_help = LINT_HELP)]
pub struct RecordsLintArgs {
    /// The records.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// The rules by which rows become comparable: a name, or the file of a ruleset.
    #[arg(long, value_name = "NAME", default_value = RULESET)]
    pub ruleset: String,
}

const LINT_HELP: &str = "It says counts and row numbers, never a value of a row, asks nobody and writes nothing. \
Exit codes: 0 whatever was found; 2 wrong usage; 3 the input cannot be read.";

/// What the verifier can look at of rulesets.
#[derive(Subcommand, Debug)]
pub enum RulesetCommand {
    /// Name the rulesets of this program: class, tokens a pair, what was measured of each.
    List,
    /// Show every rule with what it lets one test, and what the protocol discloses under the ruleset.
    Show(RulesetShowArgs),
    /// Show what becomes of one row of your own file: its canonical fields, and each token's rule and values. It prints a person's data.
    Explain(RulesetExplainArgs),
}

/// What the holder can look at of rulesets.
#[derive(Subcommand, Debug)]
pub enum HolderRulesetCommand {
    /// Name the rulesets of this program: class, tokens a pair, what was measured of each.
    List,
    /// Show every rule with what it lets one test, and what the protocol discloses under the ruleset.
    Show(RulesetShowArgs),
}

/// `ruleset show`
#[derive(Args, Debug)]
pub struct RulesetShowArgs {
    /// A ruleset's name, or its file.
    #[arg(value_name = "NAME")]
    pub ruleset: String,
}

/// `ruleset explain`
#[derive(Args, Debug)]
pub struct RulesetExplainArgs {
    /// The pairs.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// Which row, as results.csv and lint number them: data rows from 1.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub row: u64,
    /// The rules by which rows become comparable: a name, or the file of a ruleset.
    #[arg(long, value_name = "NAME", default_value = RULESET)]
    pub ruleset: String,
}
