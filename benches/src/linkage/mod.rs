//! `linkage`: how well a ruleset links, on pairs and records of which the truth is known, by a plaintext join of their tokens.
//!
//! Nothing that is printed holds a value of a row: counts, shares, the names of rules and of the truth's origins.

mod chart;
mod fields;
mod figures;
mod join;
mod kinds;
mod misses;
mod report;
mod truth;

use std::path::{Path, PathBuf};

use oblink_linkage::{Ruleset, RulesetClass};
use oblink_node::failure::Failure;
use oblink_node::report::Reporter;

use figures::Figures;
use kinds::AddressKinds;
use misses::Misses;
use truth::{People, Truth, TruthFile};

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// The verifier's pairs.
    pub pairs: PathBuf,
    /// The holder's records.
    pub records: PathBuf,
    /// Who the pairs are.
    pub pairs_truth: PathBuf,
    /// Who the records are.
    pub records_truth: PathBuf,
    /// Names of rulesets, or files of own ones; none: all of this build.
    pub rulesets: Vec<String>,
    /// Where to draw a chart: an SVG, or a page where the name ends in `.html`.
    pub chart: Option<PathBuf>,
}

/// When a match is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Level {
    /// This person is held at this address.
    Address,
    /// This person is held.
    Person,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Person => "person",
        }
    }

    fn is_same(self, a: Truth, b: Truth) -> bool {
        a.person == b.person && (self == Self::Person || a.address == b.address)
    }
}

/// Both files, and who stands behind each row.
struct Set<'a> {
    pairs: &'a Path,
    records: &'a Path,
    people: People,
    pair_truths: Vec<Truth>,
    record_truths: Vec<Truth>,
    /// Of the pairs' addresses.
    kinds: Vec<AddressKinds>,
    /// Person and address of every record, in order.
    held: Vec<(u32, u32)>,
    has_addresses: bool,
    has_origins: bool,
}

impl<'a> Set<'a> {
    fn read(options: &'a Options) -> Result<Self, Failure> {
        let mut people = People::default();
        let pairs_truth = TruthFile::read(&options.pairs_truth, &mut people)?;
        let has_origins = pairs_truth.has_origins;
        let records_truth = TruthFile::read(&options.records_truth, &mut people)?;
        // Addresses that only one side knows could not be compared.
        let has_addresses = pairs_truth.has_addresses && records_truth.has_addresses;
        let (pair_truths, kinds) = pairs_truth.label(&options.pairs, AddressKinds::of)?;
        let (record_truths, _) = records_truth.label(&options.records, |_| ())?;
        let mut held: Vec<_> = record_truths.iter().map(|truth| (truth.person, truth.address)).collect();
        held.sort_unstable();
        held.dedup();
        let (pairs, records) = (options.pairs.as_path(), options.records.as_path());
        Ok(Self { pairs, records, people, pair_truths, record_truths, kinds, held, has_addresses, has_origins })
    }

    /// Whether the holder has this truth.
    fn holds(&self, truth: Truth, level: Level) -> bool {
        match level {
            Level::Address => self.held.binary_search(&(truth.person, truth.address)).is_ok(),
            Level::Person => {
                let at = self.held.partition_point(|(person, _)| *person < truth.person);
                self.held.get(at).is_some_and(|(person, _)| *person == truth.person)
            }
        }
    }

    fn level(&self, ruleset: &Ruleset) -> Level {
        if self.has_addresses && ruleset.class() == RulesetClass::ConfirmAddress { Level::Address } else { Level::Person }
    }
}

/// All that was measured.
struct Evaluation<'a> {
    set: Set<'a>,
    figures: Vec<Figures<'a>>,
    /// Of each of them.
    misses: Vec<Misses>,
}

impl<'a> Evaluation<'a> {
    fn of(options: &'a Options, rulesets: &'a [Chosen], reporter: &Reporter) -> Result<Self, Failure> {
        let set = Set::read(options)?;
        let mut figures = Vec::new();
        for ruleset in rulesets.iter().map(Chosen::get) {
            reporter.note(&format!("joining under {}", ruleset.name()));
            let level = set.level(ruleset);
            let outcome = join::join(&set, ruleset, level)?;
            figures.push(Figures::of(&set, ruleset, level, outcome));
        }
        let misses = misses::misses(&set, &figures)?;
        Ok(Self { set, figures, misses })
    }
}

/// Measures the rulesets and prints what was found: tables for people, or one object under `--json`; and draws the chart that was asked for.
///
/// # Errors
/// Exit 3: a file that cannot be read or written, an id without truth or that is there twice, a ruleset that is not there.
pub fn run(options: &Options, reporter: &Reporter) -> Result<(), Failure> {
    let rulesets = rulesets(&options.rulesets)?;
    let evaluation = Evaluation::of(options, &rulesets, reporter)?;
    if let Some(path) = &options.chart {
        let is_page = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("html"));
        let chart = if is_page { chart::page(&evaluation) } else { chart::picture(&evaluation) };
        std::fs::write(path, chart).map_err(|_| Failure::input("cannot_write", format!("cannot write {}", path.display())))?;
    }
    if reporter.is_json() {
        reporter.json(&report::json(&evaluation));
    } else {
        reporter.answer(report::text(&evaluation).trim_end());
    }
    reporter.finish()
}

/// A ruleset to measure.
enum Chosen {
    BuiltIn(&'static Ruleset),
    Own(Box<Ruleset>),
}

impl Chosen {
    fn get(&self) -> &Ruleset {
        match self {
            Self::BuiltIn(ruleset) => ruleset,
            Self::Own(ruleset) => ruleset,
        }
    }

    /// The built-in one of this name, or the own one in this file, which ends in `.toml`.
    fn named(name: &str) -> Result<Self, Failure> {
        if name.ends_with(".toml") {
            let text = std::fs::read_to_string(name).map_err(|_| Failure::input("cannot_read", format!("cannot read {name}")))?;
            let own = Ruleset::from_toml(&text).map_err(|error| Failure::input("bad_ruleset", format!("{name}: {error}")))?;
            return Ok(Self::Own(Box::new(own)));
        }
        Ruleset::by_name(name).map(Self::BuiltIn).ok_or_else(|| {
            let known: Vec<&str> = Ruleset::all().iter().map(Ruleset::name).collect();
            Failure::input("unknown_ruleset", "there is no ruleset of that name")
                .with_hint(format!("the rulesets are: {}; a file of an own one ends in .toml", known.join(", ")))
        })
    }
}

/// The rulesets that were asked for; all of this build where none was.
fn rulesets(asked: &[String]) -> Result<Vec<Chosen>, Failure> {
    if asked.is_empty() {
        return Ok(Ruleset::all().iter().map(Chosen::BuiltIn).collect());
    }
    asked.iter().map(|name| Chosen::named(name)).collect()
}

#[cfg(test)]
mod tests;
