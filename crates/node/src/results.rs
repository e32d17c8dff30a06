//! What a check leaves: results.csv, a row for every input row in order, and results.meta.json beside it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use oblink_linkage::{Measured, Ruleset};
use serde::Serialize;

use crate::failure::{Failure, io_cause};
use crate::files::{Pending, directory_of, is_writable};
use crate::rows::Source;

/// The answer for one input row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The holder has it.
    Match,
    /// The holder does not confirm it.
    NoMatch,
    /// It was not asked; the word says why.
    NotSubmitted(&'static str),
}

/// What `results.meta.json` says. It holds counts and identifiers, no row.
#[derive(Clone, Debug, Serialize)]
pub struct ResultsMeta {
    /// `"oblink/results/1"`.
    pub format: &'static str,
    /// The session, 32 hex digits; null where no row could be submitted and nobody was asked.
    pub session: Option<String>,
    /// The sealed set, 64 hex digits; null likewise.
    pub set_id: Option<String>,
    /// The date the holder gave for its records, `YYYY-MM-DD`; null where it gave none.
    pub as_of: Option<String>,
    /// The ruleset's name.
    pub ruleset: String,
    /// The ruleset's class: `confirm-address` or `find-person`.
    pub class: String,
    /// T: the tokens that each pair was asked with.
    pub tokens_per_pair: u16,
    /// What was measured of the ruleset on labelled people; empty for a ruleset that is not built in.
    pub measured: Vec<Figure>,
    /// Rows by outcome.
    pub counts: Counts,
    /// SHA-256 of the receipt's body, 64 hex digits; null likewise.
    pub receipt_digest: Option<String>,
    /// By whom the request was authorised: `unsigned` in pilot mode.
    pub authority: String,
    /// SHA-256 of the input as it was read, 64 hex digits.
    pub input_sha256: String,
    /// What the words in `result` mean.
    pub meaning: Meaning,
}

/// One measurement of the ruleset: shares with the ends of their 95% intervals, to four decimals.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// The people it was measured on.
    pub people: &'static str,
    /// `address` or `person`: what a match had to say rightly.
    pub level: &'static str,
    /// Right matches over pairs whose truth the holder has.
    pub recall: f64,
    /// The interval's lower end.
    pub recall_low: f64,
    /// The interval's upper end.
    pub recall_high: f64,
    /// Right matches over matches.
    pub precision: f64,
    /// The interval's lower end.
    pub precision_low: f64,
    /// The interval's upper end.
    pub precision_high: f64,
    /// Pairs whose truth the holder has.
    pub present: u32,
    /// Pairs that matched.
    pub matched: u32,
}

impl From<&Measured> for Figure {
    fn from(measured: &Measured) -> Self {
        let short = |share: f64| (share * 1e4).round() / 1e4;
        let (recall, precision) = (measured.recall(), measured.precision());
        Self {
            people: measured.people,
            level: measured.level,
            recall: short(recall.share),
            recall_low: short(recall.low),
            recall_high: short(recall.high),
            precision: short(precision.share),
            precision_low: short(precision.low),
            precision_high: short(precision.high),
            present: measured.present,
            matched: measured.matched,
        }
    }
}

impl Figure {
    /// All that was measured of a ruleset.
    #[must_use]
    pub fn all_of(ruleset: &Ruleset) -> Vec<Self> {
        ruleset.measured().iter().map(Self::from).collect()
    }
}

/// The format word of [`ResultsMeta`].
pub const META_FORMAT: &str = "oblink/results/1";

/// Rows by outcome. `rows = submitted + Σ not_submitted`, `submitted = match + no_match`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Input rows.
    pub rows: u64,
    /// Rows that were asked.
    pub submitted: u64,
    /// Rows that matched.
    #[serde(rename = "match")]
    pub matched: u64,
    /// Rows that did not.
    pub no_match: u64,
    /// Rows that were not asked, by reason.
    pub not_submitted: BTreeMap<String, u64>,
}

impl Counts {
    /// Counts one row.
    pub fn add(&mut self, outcome: Outcome) {
        self.rows += 1;
        match outcome {
            Outcome::Match => self.matched += 1,
            Outcome::NoMatch => self.no_match += 1,
            Outcome::NotSubmitted(reason) => {
                // `entry` would allocate the key for every row.
                match self.not_submitted.get_mut(reason) {
                    Some(count) => *count += 1,
                    None => {
                        self.not_submitted.insert(reason.to_owned(), 1);
                    }
                }
                return;
            }
        }
        self.submitted += 1;
    }
}

/// What the words in `result` mean, for whoever reads the file without us.
#[derive(Clone, Debug, Serialize)]
pub struct Meaning {
    /// `match`
    #[serde(rename = "match")]
    pub matched: &'static str,
    /// `no_match`
    pub no_match: &'static str,
    /// `not_submitted`
    pub not_submitted: &'static str,
    /// What the protocol shows the verifier's program beside the results.
    pub disclosed: String,
    /// What `measured` says and does not say.
    pub measured: &'static str,
}

impl Meaning {
    /// The texts for a ruleset of class `find-person`, or else `confirm-address`, with so many tokens a pair, that was measured or not.
    #[must_use]
    pub fn of(class: &str, tokens_per_pair: u16, is_measured: bool) -> Self {
        Self {
            matched: if class == "find-person" {
                "the holder's sealed set has a record of a person that agrees with this row under the ruleset"
            } else {
                "the holder's sealed set has a record with this name at this address under the ruleset"
            },
            no_match: "not confirmed. It does not say that the holder has no such person or that the address is wrong: a spelling that the ruleset does not join gives no_match too",
            not_submitted: "the holder was not asked about this row; reason says why",
            disclosed: if tokens_per_pair == 1 {
                "one bit a pair: a pair has one token, and the protocol shows the verifier's program no more than whether the holder has it"
                    .to_owned()
            } else {
                format!(
                    "one bit a pair is written, and not which rule agreed. The protocol itself shows the verifier's program {tokens_per_pair} membership bits a pair, one for each token: whoever looks into its memory sees which rules agreed"
                )
            },
            measured: if is_measured {
                "shares with their 95% intervals, on the people named: recall, of the pairs whose truth the holder has; precision, of the matches. Other people's names and addresses give other figures"
            } else {
                "nothing was measured of this ruleset: how many pairs it misses, and how many of its matches are wrong, is not known"
            },
        }
    }
}

/// Where results are to go; made before anything is asked of the holder, so that an answer that was paid for has a place.
#[derive(Debug)]
pub struct OutputPlan {
    results: PathBuf,
    meta: PathBuf,
}

impl OutputPlan {
    /// Checks that `output` can be written, and is not the input.
    ///
    /// # Errors
    /// Exit 3, with nothing written: the directory is not there or cannot be written, or `output` is a directory, `-`, or the input.
    pub fn prepare(output: &Path, input: &Source) -> Result<Self, Failure> {
        let shown = output.display();
        let refuse = |what: String, hint: &str| Failure::input("output", what).with_hint(hint.to_owned());
        if output.as_os_str() == "-" || output.file_name().is_none() {
            return Err(refuse(
                format!("results cannot go to {shown}"),
                "--output takes the path of a file: it is written whole or not at all",
            ));
        }
        let directory = directory_of(output);
        match fs::metadata(directory) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(refuse(format!("{} is not a directory", directory.display()), "choose another --output")),
            Err(e) => {
                return Err(refuse(
                    format!("cannot write {shown}: the directory {}: {}", directory.display(), io_cause(&e)),
                    "make the directory first, or choose another --output",
                ));
            }
        }
        if output.is_dir() {
            return Err(refuse(format!("{shown} is a directory"), "--output takes the path of a file, as in results.csv"));
        }
        if let (Source::File(input), Ok(there)) = (input, fs::canonicalize(output))
            && fs::canonicalize(input).is_ok_and(|input| input == there)
        {
            return Err(refuse(format!("{shown} is the input"), "choose another --output; the input is never written over"));
        }
        let meta = output.with_extension("meta.json");
        if meta == output || meta.is_dir() {
            return Err(refuse(format!("{} would be in the way of {shown}", meta.display()), "choose another --output, as in results.csv"));
        }
        let plan = Self { results: output.to_owned(), meta };
        let trial = if is_writable(directory).unwrap_or(false) {
            plan.begin().map(|_| ())
        } else {
            Err(plan.cannot(&io::ErrorKind::PermissionDenied.into()))
        };
        trial.map(|()| plan)
    }

    /// The path of results.csv.
    #[must_use]
    pub fn results(&self) -> &Path {
        &self.results
    }

    /// The path of results.meta.json.
    #[must_use]
    pub fn meta(&self) -> &Path {
        &self.meta
    }

    /// Opens temporary files beside the places; nothing is seen there before [`ResultsWriter::finish`].
    ///
    /// # Errors
    /// Exit 3: they cannot be made.
    pub fn begin(&self) -> Result<ResultsWriter<'_>, Failure> {
        let pending = Pending::create(&self.results).map_err(|e| self.cannot(&e))?;
        Ok(ResultsWriter { plan: self, csv: None, pending, counts: Counts::default() })
    }

    fn cannot(&self, error: &io::Error) -> Failure {
        Failure::input("output", format!("cannot write {}: {}", self.results.display(), io_cause(error)))
            .with_hint("choose an --output in a directory that this user may write and that has room")
    }
}

/// Writes results.csv row by row. Dropped unfinished, it leaves nothing.
pub struct ResultsWriter<'a> {
    plan: &'a OutputPlan,
    csv: Option<csv::Writer<BufWriter<File>>>,
    pending: Pending,
    counts: Counts,
}

impl ResultsWriter<'_> {
    /// Writes the row `number` (from 1, in order) with its `id` verbatim.
    ///
    /// # Errors
    /// Exit 3: the disk is full or fails.
    pub fn write(&mut self, number: u64, id: &str, outcome: Outcome) -> Result<(), Failure> {
        if number != self.counts.rows + 1 {
            return Err(Failure::bug("results were written out of order"));
        }
        self.counts.add(outcome);
        let (result, reason) = match outcome {
            Outcome::Match => ("match", ""),
            Outcome::NoMatch => ("no_match", ""),
            Outcome::NotSubmitted(reason) => ("not_submitted", reason),
        };
        let mut digits = [0; 20];
        let row = decimal(number, &mut digits);
        let plan = self.plan;
        self.csv()?.write_record([row, id.as_bytes(), result.as_bytes(), reason.as_bytes()]).map_err(|e| csv_failure(plan, e))
    }

    /// The rows written so far, by outcome.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Puts both files in their places: results.meta.json, then results.csv, which so is never there without it.
    ///
    /// `meta` is given the counts.
    ///
    /// # Errors
    /// Exit 3: the disk is full or fails. Files that were there before are then as they were, or results.meta.json alone is new.
    pub fn finish(mut self, meta: impl FnOnce(Counts) -> ResultsMeta) -> Result<Counts, Failure> {
        self.csv()?;
        let plan = self.plan;
        if let Some(csv) = self.csv.take() {
            let mut buffer = csv.into_inner().map_err(|e| plan.cannot(e.error()))?;
            buffer.flush().map_err(|e| plan.cannot(&e))?;
        }
        let meta = meta(self.counts.clone());
        let mut json = serde_json::to_vec_pretty(&meta).map_err(|_| Failure::bug("results.meta.json could not be written as JSON"))?;
        json.push(b'\n');
        let write = || -> io::Result<()> {
            let mut beside = Pending::create(&plan.meta)?;
            beside.file()?.write_all(&json)?;
            beside.keep()?;
            self.pending.keep()
        };
        write().map_err(|e| plan.cannot(&e))?;
        Ok(self.counts)
    }

    fn csv(&mut self) -> Result<&mut csv::Writer<BufWriter<File>>, Failure> {
        if self.csv.is_none() {
            let file = self.pending.file().and_then(|f| f.try_clone()).map_err(|e| self.plan.cannot(&e))?;
            let mut csv = csv::Writer::from_writer(BufWriter::with_capacity(1 << 16, file));
            csv.write_record(["row", "id", "result", "reason"]).map_err(|e| csv_failure(self.plan, e))?;
            self.csv = Some(csv);
        }
        self.csv.as_mut().ok_or_else(|| Failure::bug("the results have no writer"))
    }
}

fn csv_failure(plan: &OutputPlan, error: csv::Error) -> Failure {
    match error.into_kind() {
        csv::ErrorKind::Io(e) => plan.cannot(&e),
        _ => Failure::bug("the CSV writer gave an error that it should not"),
    }
}

/// `n` in decimal, at the end of `digits`.
fn decimal(mut n: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (n % 10) as u8;
        n /= 10;
        if n == 0 {
            return &digits[at..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::render;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    fn meta(counts: Counts) -> ResultsMeta {
        ResultsMeta {
            format: META_FORMAT,
            session: Some("00".repeat(16)),
            set_id: Some("11".repeat(32)),
            as_of: Some("2026-01-31".to_owned()),
            ruleset: "us-exact-1".to_owned(),
            class: "confirm-address".to_owned(),
            tokens_per_pair: 12,
            measured: vec![Figure {
                people: "nobody real",
                level: "address",
                recall: 0.9,
                recall_low: 0.85,
                recall_high: 0.9346,
                precision: 1.0,
                precision_low: 0.9805,
                precision_high: 1.0,
                present: 200,
                matched: 180,
            }],
            counts,
            receipt_digest: Some("22".repeat(32)),
            authority: "unsigned".to_owned(),
            input_sha256: "33".repeat(32),
            meaning: Meaning::of("confirm-address", 12, true),
        }
    }

    #[test]
    fn what_is_said_depends_on_the_ruleset() {
        let one = Meaning::of("confirm-address", 1, false);
        assert!(!one.disclosed.contains("rule") && one.measured.starts_with("nothing was measured"));
        let many = Meaning::of("find-person", 30, true);
        assert!(many.disclosed.contains("30 membership bits a pair") && many.matched.contains("a person"));
        for ruleset in Ruleset::all() {
            assert_eq!(Figure::all_of(ruleset).len(), ruleset.measured().len());
        }
    }

    #[test]
    fn results_and_meta_as_they_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("results.csv");
        let plan = OutputPlan::prepare(&output, &Source::Stdin).unwrap();
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "preparing leaves nothing");
        let mut writer = plan.begin().unwrap();
        let rows = [
            ("a", Outcome::Match),
            ("b,\"c\"\n", Outcome::NoMatch),
            ("", Outcome::NotSubmitted("empty_name")),
            ("é", Outcome::NotSubmitted("empty_name")),
        ];
        for (i, (id, outcome)) in rows.into_iter().enumerate() {
            writer.write(i as u64 + 1, id, outcome).unwrap();
        }
        assert!(!output.exists(), "nothing is there before the end");
        assert_eq!(writer.finish(meta).unwrap().submitted, 2);
        insta::assert_snapshot!(format!("{}---\n{}", fs::read_to_string(&output).unwrap(), fs::read_to_string(plan.meta()).unwrap()));
        assert_eq!(plan.meta(), folder.path().join("results.meta.json"));
        for path in [plan.results(), plan.meta()] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn an_unfinished_run_leaves_the_old_results() {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().join("results.csv");
        fs::write(&output, "old").unwrap();
        let plan = OutputPlan::prepare(&output, &Source::Stdin).unwrap();
        let mut writer = plan.begin().unwrap();
        writer.write(1, "a", Outcome::Match).unwrap();
        assert_eq!(writer.write(3, "b", Outcome::Match).unwrap_err().exit().code(), 1);
        drop(writer);
        assert_eq!(fs::read_to_string(&output).unwrap(), "old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        plan.begin().unwrap().finish(meta).unwrap();
        assert_eq!(fs::read_to_string(&output).unwrap(), "row,id,result,reason\n");
    }

    #[test]
    fn messages() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("d")).unwrap();
        fs::create_dir(at("ro")).unwrap();
        fs::set_permissions(at("ro"), PermissionsExt::from_mode(0o555)).unwrap();
        fs::write(at("pairs.csv"), "x").unwrap();
        let mut text = String::new();
        for output in [at("none/results.csv"), at("d"), at("ro/results.csv"), at("pairs.csv"), at("pairs.csv/r.csv"), "-".into()] {
            let failure = OutputPlan::prepare(&output, &Source::File(at("d/../pairs.csv"))).unwrap_err();
            assert_eq!(failure.exit().code(), 3);
            text.push_str(&render(&failure));
        }
        insta::assert_snapshot!(text.replace(&folder.path().display().to_string(), "DIR"));
    }

    proptest! {
        // Each case waits for the disk several times.
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn ids_come_back_verbatim(ids in prop::collection::vec(any::<String>(), 0..20)) {
            let folder = tempfile::tempdir().unwrap();
            let plan = OutputPlan::prepare(&folder.path().join("r.csv"), &Source::Stdin).unwrap();
            let mut writer = plan.begin().unwrap();
            for (i, id) in ids.iter().enumerate() {
                writer.write(i as u64 + 1, id, Outcome::NoMatch).unwrap();
            }
            writer.finish(meta).unwrap();
            let mut reader = csv::Reader::from_path(plan.results()).unwrap();
            let seen: Vec<(u64, String)> = reader.records().map(|r| r.unwrap()).map(|r| (r[0].parse().unwrap(), r[1].to_owned())).collect();
            prop_assert_eq!(seen, ids.into_iter().enumerate().map(|(i, id)| (i as u64 + 1, id)).collect::<Vec<_>>());
        }

        #[test]
        fn decimals_are_the_standard_ones(n in any::<u64>()) {
            prop_assert!(decimal(n, &mut [0; 20]) == n.to_string().as_bytes());
        }
    }
}
