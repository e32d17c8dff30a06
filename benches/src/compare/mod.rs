//! `compare`: oblink beside its peers, at the same sizes, on the same people, in one run.
//!
//! Each round runs oblink's own `scale` and then every peer, the next round in the other order. The peers come as wheels from PyPI into a virtual
//! environment of their own; whatever is not to be had is left out with a line that says why.

mod ids;
mod peer;
mod round;
mod summary;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use oblink_node::cli::{DemoCli, OutputArgs};
use oblink_node::demo;
use oblink_node::failure::Failure;
use oblink_node::report::Reporter;
use serde_json::{Value, json};

pub use peer::Peer;
use peer::{Answer, Python};
use round::Round;
use summary::Ratios;

use crate::{engine, machine};

/// What to compare, and with what.
#[derive(Clone, Debug)]
pub struct Options {
    /// Rows of the verifier's file.
    pub pairs: u64,
    /// Rows of the holder's file.
    pub records: u64,
    /// How often everything runs.
    pub rounds: u32,
    /// Seed of the generated people.
    pub seed: u64,
    /// The peers, in order.
    pub peers: Vec<Peer>,
    /// The virtual environment; by default beside the build's outputs.
    pub venv: Option<PathBuf>,
    /// The interpreter that makes it.
    pub python: Option<String>,
}

/// One peer over all rounds.
struct Contestant {
    peer: Peer,
    rounds: Vec<Round>,
    skipped: Option<String>,
}

/// Runs the comparison and prints it.
///
/// # Errors
/// What oblink's own peers fail with; exit 1 where its result is not the plaintext join.
pub fn run(options: &Options, output: &OutputArgs, reporter: &Reporter) -> Result<(), Failure> {
    let bug = |error: anyhow::Error| Failure::bug(format!("{error:#}"));
    let data = tempfile::tempdir().map_err(|_| Failure::input("directory", "no temporary directory can be made"))?;
    let mut contestants: Vec<_> = options.peers.iter().map(|peer| Contestant { peer: *peer, rounds: Vec::new(), skipped: None }).collect();
    let python = prepare(options, data.path().join("scripts"), &mut contestants, reporter).map_err(bug)?;
    reporter.note("writing what the peers are given");
    let files = data.path().join("ids");
    std::fs::create_dir(&files).map_err(|_| Failure::input("directory", "no directory for the ids can be made"))?;
    let ids = ids::write(&files, options.pairs, options.records, options.seed).map_err(bug)?;
    let scale = DemoCli {
        output: output.clone(),
        pairs: options.pairs,
        records: options.records,
        seed: options.seed,
        ruleset: "us-exact-1".to_owned(),
        noisy: false,
        write_sample: None,
        keep: None,
        command: None,
    };
    let (mut oblink, mut inexact) = (Vec::new(), None);
    for number in 0..options.rounds {
        let mut of_oblink = || {
            reporter.note(&format!("round {}: oblink", number + 1));
            let outcome = demo::measure(&scale, reporter)?;
            inexact = inexact.take().or(outcome.check().err());
            oblink.push(Round::of_oblink(&outcome));
            Ok::<_, Failure>(())
        };
        // Forwards, then backwards: what speeds up or slows down along the way does so for each.
        let forwards = number % 2 == 0;
        if forwards {
            of_oblink()?;
        }
        let count = contestants.len();
        for place in 0..count {
            let contestant = &mut contestants[if forwards { place } else { count - 1 - place }];
            let Some(python) = python.as_ref().filter(|_| contestant.skipped.is_none()) else { continue };
            reporter.note(&format!("round {}: {}", number + 1, contestant.peer.title()));
            match python.run(contestant.peer, &files).and_then(|answer| agreed(answer, ids.both)).map_err(bug)? {
                Answer::Done(round) => contestant.rounds.push(round),
                Answer::Skipped(why) => contestant.skip(why, reporter),
            }
        }
        if !forwards {
            of_oblink()?;
        }
    }
    reporter.json(&to_json(options, ids, &oblink, &contestants));
    reporter.answer(&in_words(options, ids, &oblink, &contestants));
    inexact.map_or(Ok(()), Err)
}

/// The Python side, where it is to be had; peers that cannot take part are marked.
fn prepare(options: &Options, scripts: PathBuf, contestants: &mut [Contestant], reporter: &Reporter) -> Result<Option<Python>> {
    let environment = match &options.venv {
        Some(venv) => venv.clone(),
        None => default_environment()?,
    };
    let Some(python) = Python::new(options.python.as_deref(), scripts, environment)? else {
        for contestant in contestants {
            contestant.skip("there is no Python of version 3.10 or newer that has venv; --python names another".to_owned(), reporter);
        }
        return Ok(None);
    };
    reporter.note("seeing to the peers' wheels; what is missing is downloaded");
    let peers: Vec<_> = contestants.iter().map(|contestant| contestant.peer).collect();
    for (contestant, (_, answer)) in contestants.iter_mut().zip(python.prepare(&peers)?) {
        if let Answer::Skipped(why) = answer {
            contestant.skip(why, reporter);
        }
    }
    Ok(Some(python))
}

/// Beside the profile's directory in the build's outputs.
fn default_environment() -> Result<PathBuf> {
    let program = std::env::current_exe().context("this program's own file cannot be found")?;
    let outputs = program.parent().and_then(|profile| profile.parent()).context("this program lies in no directory of outputs")?;
    Ok(outputs.join("compare-venv"))
}

/// The Python side has compared the ids that it found with the files; here their number is compared with what was counted when those were written.
fn agreed(answer: Answer<Round>, expected: u64) -> Result<Answer<Round>> {
    if let Answer::Done(round) = &answer {
        ensure!(!round.exact || round.intersection == expected, "both sides do not expect the same");
    }
    Ok(answer)
}

impl Contestant {
    fn skip(&mut self, why: String, reporter: &Reporter) {
        reporter.warn(&skip_line(self.peer, &why));
        self.rounds.clear();
        self.skipped = Some(why);
    }
}

fn skip_line(peer: Peer, why: &str) -> String {
    format!("{} is left out: {why}", peer.title())
}

fn to_json(options: &Options, ids: ids::Ids, oblink: &[Round], contestants: &[Contestant]) -> Value {
    let (mut peers, mut ratios) = (json!({}), json!({}));
    for contestant in contestants {
        let key = contestant.peer.key();
        peers[key] = match &contestant.skipped {
            Some(why) => json!({ "skipped": why }),
            None => summary::to_json(&contestant.rounds),
        };
        ratios[key] = match &contestant.skipped {
            Some(_) => Value::Null,
            None => Ratios::of(oblink, &contestant.rounds).to_json(),
        };
    }
    json!({
        "pairs": options.pairs,
        "records": options.records,
        "seed": options.seed,
        "rounds": options.rounds,
        "expected": { "verifier_ids": ids.verifier, "holder_ids": ids.holder, "both": ids.both },
        "engine": engine(),
        "oblink": summary::to_json(oblink),
        "peers": peers,
        "ratios": ratios,
        "machine": machine::describe(),
        "versions": machine::versions(),
    })
}

fn in_words(options: &Options, ids: ids::Ids, oblink: &[Round], contestants: &[Contestant]) -> String {
    let mut text = format!(
        "{} pairs against {} records; {} ids against {}, {} in both; engine {}; medians of {} rounds\n\n",
        options.pairs,
        options.records,
        ids.verifier,
        ids.holder,
        ids.both,
        engine(),
        options.rounds
    );
    let mut rows: Vec<(&str, &[Round])> = vec![("oblink", oblink)];
    rows.extend(contestants.iter().map(|contestant| (contestant.peer.title(), contestant.rounds.as_slice())));
    text.push_str(&summary::tables(&rows));
    for contestant in contestants {
        if let Some(why) = &contestant.skipped {
            text.push_str(&format!("\n{}", skip_line(contestant.peer, why)));
        }
    }
    text.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ValueEnum;

    #[test]
    fn whoever_is_left_out_is_named_with_the_reason() {
        let options =
            Options { pairs: 10, records: 100, rounds: 1, seed: 1, peers: Peer::value_variants().to_vec(), venv: None, python: None };
        let reporter = Reporter::new(true, false, true);
        let mut contestants: Vec<_> =
            options.peers.iter().map(|peer| Contestant { peer: *peer, rounds: Vec::new(), skipped: None }).collect();
        for contestant in &mut contestants {
            contestant.skip("no network".to_owned(), &reporter);
        }
        let ids = ids::Ids { verifier: 10, holder: 100, both: 6 };
        let text = in_words(&options, ids, &[], &contestants);
        assert!(text.contains("\nSecretFlow RR22 is left out: no network"), "{text}");
        assert_eq!(text.matches("is left out").count(), 3);
        let object = to_json(&options, ids, &[], &contestants);
        assert_eq!(object["peers"]["openmined"]["skipped"], "no network");
        assert!(object["ratios"]["rr22"].is_null());
    }

    #[test]
    fn a_count_that_nobody_expected_is_an_error() {
        let round = Round {
            version: String::new(),
            parameters: Value::Null,
            phases: Vec::new(),
            process_cpu_s: None,
            intersection: 5,
            exact: true,
        };
        assert!(agreed(Answer::Done(round.clone()), 5).is_ok());
        assert!(agreed(Answer::Done(round.clone()), 6).is_err());
        // A peer that knows that it is wrong is reported as such.
        assert!(agreed(Answer::Done(Round { exact: false, ..round }), 6).is_ok());
    }
}
