//! `scale`: both real peers at any size, what each phase costs each role.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use oblink_node::cli::DemoCli;
use oblink_node::demo::{self, Outcome};
use oblink_node::failure::Failure;
use oblink_node::report::Reporter;
use serde_json::{Value, json};

use crate::{engine, machine};

/// Runs both peers and prints what they found and cost; where that was right, its object is also added to the lines of `append`.
///
/// # Errors
/// What the peers fail with; exit 1 where the result is not the plaintext join; exit 3 where `append` cannot be written.
pub fn run(cli: &DemoCli, append: Option<&Path>, reporter: &Reporter) -> Result<(), Failure> {
    let outcome = demo::measure(cli, reporter)?;
    let object = to_json(&outcome);
    reporter.json(&object);
    reporter.answer(&table(&outcome));
    outcome.check()?;
    append.map_or(Ok(()), |path| {
        add_line(path, &object).map_err(|_| Failure::input("append", format!("{} cannot be written", path.display())))
    })
}

/// Runs one size after the other: so many records each, and a tenth as many pairs.
///
/// # Errors
/// As [`run`]; what was measured before stays in `append`.
pub fn series(cli: &DemoCli, records: &[u64], append: Option<&Path>, reporter: &Reporter) -> Result<(), Failure> {
    for records in records {
        let (output, ruleset) = (cli.output.clone(), cli.ruleset.clone());
        let mut one = DemoCli { output, ruleset, keep: None, write_sample: None, command: None, ..*cli };
        (one.records, one.pairs) = (*records, (*records / 10).max(1));
        run(&one, append, reporter)?;
    }
    Ok(())
}

fn add_line(path: &Path, object: &Value) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    file.write_all(format!("{object}\n").as_bytes())
}

/// Cores that were busy on average.
fn busy(cpu_s: f64, wall_s: f64) -> f64 {
    if wall_s > 0.0 { cpu_s / wall_s } else { 0.0 }
}

fn per(total: f64, count: u64) -> f64 {
    total / count.max(1) as f64
}

/// The demo's keys, and beside them what a phase cost.
fn to_json(outcome: &Outcome) -> Value {
    let mut object = outcome.to_json();
    let session_cpu_s = outcome.verifier_cpu_s + outcome.holder_cpu_s;
    object["cpu_s"] = json!({
        "seal": { "holder": outcome.seal_cpu_s },
        "session": { "holder": outcome.holder_cpu_s, "verifier": outcome.verifier_cpu_s },
    });
    object["wall_s"] = json!({
        "generate": outcome.generate_s, "seal": outcome.seal_s, "session": outcome.session_s, "join": outcome.join_s,
    });
    object["cores_busy"] = json!({
        "seal": busy(outcome.seal_cpu_s, outcome.seal_s), "session": busy(session_cpu_s, outcome.session_s),
    });
    object["seal_peak_rss_mb"] = json!(outcome.seal_peak_rss_mb);
    object["serve_peak_rss_mb"] = json!(outcome.serve_peak_rss_mb);
    object["bytes_per_record"] = json!(per(outcome.set_bytes as f64, outcome.records));
    object["bytes_per_submitted_pair"] = json!(per((outcome.bytes_up + outcome.bytes_down) as f64, outcome.submitted));
    object["engine"] = json!(engine());
    object["machine"] = machine::describe();
    object["versions"] = machine::versions();
    object
}

fn table(o: &Outcome) -> String {
    let row = |phase: &str, role: &str, wall_s: f64, cpu_s: f64, items: u64, rss_mb: f64| {
        format!("{phase:<9} {role:<9} {wall_s:>9.2} {cpu_s:>9.2} {:>12.2} {rss_mb:>9.1}\n", per(cpu_s * 1e6, items))
    };
    let mut text = format!(
        "{} pairs against {} records under {} ({} tokens a pair, {:.1} a record): {} matches, {} expected, {} false, {} missed\n\n",
        o.pairs,
        o.records,
        o.ruleset,
        o.tokens_per_pair,
        o.tokens_per_record,
        o.matches,
        o.expected_matches,
        o.false_matches,
        o.missed_matches
    );
    text.push_str("phase     role         wall s     cpu s   cpu µs/item  peak MB\n");
    text.push_str(&row("seal", "holder", o.seal_s, o.seal_cpu_s, o.records, o.seal_peak_rss_mb));
    text.push_str(&row("session", "holder", o.session_s, o.holder_cpu_s, o.pairs, o.serve_peak_rss_mb));
    text.push_str(&row("session", "verifier", o.session_s, o.verifier_cpu_s, o.pairs, o.verifier_peak_rss_mb));
    text.push_str(&format!(
        "\ncores busy    seal {:.2}, session {:.2}\n",
        busy(o.seal_cpu_s, o.seal_s),
        busy(o.verifier_cpu_s + o.holder_cpu_s, o.session_s)
    ));
    text.push_str(&format!("sealed set    {} bytes, {:.2} a record\n", o.set_bytes, per(o.set_bytes as f64, o.records)));
    text.push_str(&format!(
        "session       {} bytes up, {} down, {:.2} both ways for each of {} submitted pairs\n",
        o.bytes_up,
        o.bytes_down,
        per((o.bytes_up + o.bytes_down) as f64, o.submitted),
        o.submitted
    ));
    text.push_str(&format!("beside it     generating {:.2} s, plaintext join {:.2} s", o.generate_s, o.join_s));
    text
}

#[cfg(test)]
mod tests {
    use oblink_linkage::RulesetClass;

    use super::*;

    fn outcome() -> Outcome {
        Outcome {
            ruleset: "us-exact-1".to_owned(),
            class: RulesetClass::ConfirmAddress,
            tokens_per_pair: 1,
            tokens_per_record: 1.0,
            pairs: 10,
            records: 100,
            submitted: 8,
            expected_matches: 6,
            matches: 6,
            false_matches: 0,
            missed_matches: 0,
            generate_s: 0.5,
            seal_s: 2.0,
            session_s: 4.0,
            join_s: 0.25,
            seal_cpu_s: 3.0,
            verifier_cpu_s: 5.0,
            holder_cpu_s: 2.0,
            bytes_up: 300,
            bytes_down: 220,
            set_bytes: 812,
            seal_peak_rss_mb: 30.0,
            serve_peak_rss_mb: 20.0,
            verifier_peak_rss_mb: 10.0,
        }
    }

    #[test]
    fn the_demo_s_keys_are_all_there_and_phases_beside_them() {
        let object = to_json(&outcome());
        for key in outcome().to_json().as_object().unwrap().keys() {
            assert!(object.get(key).is_some(), "{key}");
        }
        assert_eq!(object["holder_peak_rss_mb"], 30.0);
        assert_eq!(object["cpu_s"]["session"]["holder"], 2.0);
        assert_eq!(object["cores_busy"]["session"], 1.75);
        assert_eq!(object["bytes_per_submitted_pair"], 65.0);
    }

    #[test]
    fn lines_are_added_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        for number in 0..3 {
            add_line(&path, &json!({ "number": number, "text": "a\nb" })).unwrap();
        }
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert_eq!(serde_json::from_str::<Value>(text.lines().last().unwrap()).unwrap()["number"], 2);
        assert!(add_line(folder.path(), &json!({})).is_err());
    }

    #[test]
    fn the_table_is_aligned() {
        let table = table(&outcome());
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[2].chars().count(), lines[3].chars().count(), "{table}");
        assert_eq!(lines[3].chars().count(), lines[5].chars().count(), "{table}");
    }
}
