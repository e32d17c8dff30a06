//! `plot`: what `scale` measured at several sizes, as one picture with logarithmic axes.

mod chart;
mod svg;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::clock::median;
pub(crate) use chart::{Curve, Figure, Panel};
#[cfg(test)]
pub(crate) use svg::tests::assert_well_formed;
pub(crate) use svg::{CURVES, draw, escape};

/// A curve's name, and where its figure stands in an object of `scale --json`.
type Measure = (&'static str, &'static str);

const SECONDS: [Measure; 5] = [
    ("seal, processor", "/cpu_s/seal/holder"),
    ("session, holder's processor", "/cpu_s/session/holder"),
    ("session, verifier's processor", "/cpu_s/session/verifier"),
    ("seal, on the clock", "/wall_s/seal"),
    ("session, on the clock", "/wall_s/session"),
];

const MEMORY: [Measure; 3] = [
    ("seal", "/seal_peak_rss_mb"),
    ("serve (the holder's session)", "/serve_peak_rss_mb"),
    ("check (the verifier's session)", "/verifier_peak_rss_mb"),
];

/// Reads objects of `scale --json`, one a line, and writes the picture. Several of one size give their median.
///
/// # Errors
/// A file that cannot be read, a line that is no such object, a run whose result was not the plaintext join, fewer than two sizes.
pub fn run(files: &[PathBuf], output: &Path) -> Result<usize> {
    let mut runs = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
        runs.extend(read(&text).with_context(|| file.display().to_string())?);
    }
    let picture = draw(&figure(&runs)?);
    fs::write(output, picture).with_context(|| format!("{} cannot be written", output.display()))?;
    Ok(runs.len())
}

/// One object a line; empty lines are passed over.
fn read(text: &str) -> Result<Vec<Value>> {
    let mut runs = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let at = || format!("line {}", number + 1);
        let run: Value = serde_json::from_str(line).with_context(|| format!("{} is no JSON", at()))?;
        let whole = |pointer: &str| run.pointer(pointer).and_then(Value::as_f64).is_some();
        let known = SECONDS.iter().chain(&MEMORY).all(|(_, pointer)| whole(pointer)) && run["records"].is_u64() && run["pairs"].is_u64();
        ensure!(known, "{} is not what `scale --json` prints", at());
        ensure!(run["false_matches"] == 0 && run["missed_matches"] == 0, "{}: that run's result is not the plaintext join", at());
        runs.push(run);
    }
    Ok(runs)
}

fn figure(runs: &[Value]) -> Result<Figure> {
    let mut sizes: BTreeMap<u64, Vec<&Value>> = BTreeMap::new();
    for run in runs {
        sizes.entry(run["records"].as_u64().unwrap_or_default()).or_default().push(run);
    }
    ensure!(sizes.len() >= 2, "a curve needs two sizes at least");
    let curve = |(name, pointer): &Measure| Curve {
        name: (*name).to_owned(),
        points: sizes
            .iter()
            .map(|(records, runs)| {
                let figures = runs.iter().filter_map(|run| run.pointer(pointer).and_then(Value::as_f64));
                (*records as f64, median(figures))
            })
            // Nothing that a logarithm could show.
            .filter(|(records, figure)| *records > 0.0 && *figure > 0.0)
            .collect(),
    };
    let is_tenth = runs.iter().all(|run| run["pairs"].as_u64().map(|pairs| pairs * 10) == run["records"].as_u64());
    let panel = |title: &str, unit: &str, measures: &[Measure]| Panel {
        title: title.to_owned(),
        unit: unit.to_owned(),
        across: if is_tenth { "records held (submitted pairs: a tenth)" } else { "records held" }.to_owned(),
        is_linear: false,
        curves: measures.iter().map(curve).collect(),
    };
    Ok(Figure {
        title: "oblink: cost by size".to_owned(),
        description: describe(runs, sizes.len()),
        panels: vec![panel("Time", "seconds", &SECONDS), panel("Peak memory", "MB", &MEMORY)],
    })
}

/// In words, for whoever does not see the picture.
fn describe(runs: &[Value], sizes: usize) -> String {
    let Some(largest) = runs.iter().max_by_key(|run| run["records"].as_u64()) else { return String::new() };
    let figure = |pointer: &str| largest.pointer(pointer).and_then(Value::as_f64).unwrap_or_default();
    format!(
        "Two panels with logarithmic axes over {sizes} sizes. At {} records and {} pairs: sealing took {:.1} s of processor time, the session \
         {:.1} s on the holder's side and {:.1} s on the verifier's, {:.1} s on the clock; most memory {:.0} MB sealing, {:.0} MB serving, {:.0} MB \
         checking. Engine {}, {} cores of {}.",
        largest["records"],
        largest["pairs"],
        figure("/cpu_s/seal/holder"),
        figure("/cpu_s/session/holder"),
        figure("/cpu_s/session/verifier"),
        figure("/wall_s/session"),
        figure("/seal_peak_rss_mb"),
        figure("/serve_peak_rss_mb"),
        figure("/verifier_peak_rss_mb"),
        largest["engine"].as_str().unwrap_or("unknown"),
        largest["machine"]["cores"],
        largest["machine"]["cpu"].as_str().unwrap_or("an unknown processor"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(records: u64, seconds: f64) -> Value {
        json!({
            "pairs": records / 10, "records": records, "false_matches": 0, "missed_matches": 0,
            "cpu_s": { "seal": { "holder": seconds }, "session": { "holder": seconds / 10.0, "verifier": seconds / 5.0 } },
            "wall_s": { "seal": seconds / 2.0, "session": seconds / 8.0 },
            "seal_peak_rss_mb": 100.0, "serve_peak_rss_mb": 20.0, "verifier_peak_rss_mb": 30.0,
            "engine": "dalek", "machine": { "cores": 2, "cpu": "<fast> & \"good\"" },
        })
    }

    #[test]
    fn lines_become_a_file_of_svg() {
        let folder = tempfile::tempdir().unwrap();
        let (lines, picture) = (folder.path().join("lines"), folder.path().join("scaling.svg"));
        fs::write(&lines, format!("{}\n\n{}\n{}\n", object(10_000, 0.5), object(100_000, 5.0), object(7_000_000, 300.0))).unwrap();
        assert_eq!(run(&[lines], &picture).unwrap(), 3);
        let text = fs::read_to_string(&picture).unwrap();
        assert_well_formed(&text);
        for part in ["10k", "100k", "1M", "7M", "seconds", "&lt;fast&gt; &amp;", "verifier's", "a tenth"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("<fast>"));
    }

    #[test]
    fn runs_of_one_size_give_their_median() {
        let runs = [object(10_000, 1.0), object(10_000, 9.0), object(10_000, 2.0), object(20_000, 4.0)];
        let figure = figure(&runs).unwrap();
        assert_eq!(figure.panels[0].curves[0].points, [(10_000.0, 2.0), (20_000.0, 4.0)]);
        assert_eq!(figure.panels[1].curves.len(), 3);
    }

    #[test]
    fn what_is_no_measurement_is_refused_with_its_line() {
        let mut false_match = object(10, 1.0);
        false_match["false_matches"] = json!(1);
        for (text, why) in [
            ("nonsense".to_owned(), "line 1 is no JSON"),
            (format!("{}\n{{}}", object(10, 1.0)), "line 2 is not"),
            (format!("\n{false_match}"), "line 2: that run"),
        ] {
            let error = format!("{:#}", read(&text).unwrap_err());
            assert!(error.contains(why), "{error}");
        }
        assert!(figure(&[object(10, 1.0), object(10, 2.0)]).is_err());
    }

    #[test]
    fn other_shares_of_pairs_are_not_called_a_tenth() {
        let mut run = object(10_000, 1.0);
        run["pairs"] = json!(10_000);
        assert!(!figure(&[run, object(20_000, 1.0)]).unwrap().panels[0].across.contains("tenth"));
    }
}
