//! The harness: `scale` runs both real peers, `ratios` sets oblink beside plain curve25519-dalek in one process, `compare` beside other programs;
//! `people` writes noisy people, `linkage` says how well rulesets link them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use oblink_benches::amount::amount;
use oblink_benches::authority;
use oblink_benches::compare::{self, Peer};
use oblink_benches::{linkage, people, plot, ratios, scale};
use oblink_node::cli::{DemoCli, OutputArgs, demo_main};
use oblink_node::engine;
use oblink_node::failure::{Exit, Failure};
use oblink_node::report::Reporter;
use oblink_oprf::Engine;

/// What oblink costs on this machine.
#[derive(Parser, Debug)]
#[command(name = "oblink-benches", version)]
struct Cli {
    /// How it speaks.
    #[command(flatten)]
    output: OutputArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Both peers as two processes over QUIC on loopback, on generated people; checks that the result is the plaintext join.
    Scale(ScaleArgs),
    /// oblink's cost an item over plain curve25519-dalek's, one core, medians of interleaved rounds.
    Ratios(RatioArgs),
    /// oblink beside other programs for private set intersection, on the same people, round by round. Downloads their wheels from PyPI.
    Compare(CompareArgs),
    /// What it costs a session to be authorised: the same list asked unsigned and signed, in turns. Signs with ssh-keygen.
    Authority(AuthorityArgs),
    /// Noisy households with movers: pairs.csv and records.csv with the truth of both, for tests of linkage.
    People(PeopleArgs),
    /// How well rulesets link: recall and precision on pairs and records of which the truth is known.
    Linkage(LinkageArgs),
    /// A picture of what `scale` cost at several sizes.
    Plot(PlotArgs),
}

#[derive(Args, Debug)]
struct AuthorityArgs {
    /// Pairs that the verifier asks.
    #[arg(long, default_value = "100k", value_parser = amount, value_name = "N")]
    pairs: u64,
    /// Records that the holder has.
    #[arg(long, default_value = "1M", value_parser = amount, value_name = "M")]
    records: u64,
    /// Sessions of each kind that count.
    #[arg(long, default_value = "7", value_parser = clap::value_parser!(u32).range(1..=100), value_name = "R")]
    rounds: u32,
}

#[derive(Args, Debug)]
struct ScaleArgs {
    /// Pairs that the verifier asks.
    #[arg(long, default_value = "700k", value_parser = amount, value_name = "N")]
    pairs: u64,
    /// Records that the holder has.
    #[arg(long, default_value = "7M", value_parser = amount, value_name = "M")]
    records: u64,
    /// Seed of the generated people.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// Work in DIR and keep it, instead of in a temporary directory.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Run one size after the other instead: so many records each, and a tenth as many pairs.
    #[arg(long, value_parser = amount, value_delimiter = ',', conflicts_with_all = ["pairs", "records", "keep"], value_name = "M,…")]
    series: Vec<u64>,
    /// Add each object to the lines of FILE as well, for `plot`.
    #[arg(long, value_name = "FILE")]
    append: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct PeopleArgs {
    /// Pairs that the verifier asks.
    #[arg(long, value_parser = amount, value_name = "N")]
    pairs: u64,
    /// Records that the holder has.
    #[arg(long, value_parser = amount, value_name = "M")]
    records: u64,
    /// Seed of everything.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// Where pairs.csv, records.csv, pairs_truth.csv and records_truth.csv go; files of these names there are replaced.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

#[derive(Args, Debug)]
struct PlotArgs {
    /// Files of `scale --json`, an object a line; several of one size give their median.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The SVG.
    #[arg(short, long, default_value = "benches/scaling.svg", value_name = "FILE")]
    output: PathBuf,
}

#[derive(Args, Debug)]
struct CompareArgs {
    /// Pairs that the verifier asks.
    #[arg(long, default_value = "700k", value_parser = amount, value_name = "N")]
    pairs: u64,
    /// Records that the holder has.
    #[arg(long, default_value = "7M", value_parser = amount, value_name = "M")]
    records: u64,
    /// How often everything runs; medians are given.
    #[arg(long, default_value = "1", value_parser = clap::value_parser!(u32).range(1..=100), value_name = "R")]
    rounds: u32,
    /// Seed of the generated people.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    seed: u64,
    /// Whom to compare with.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "openmined,ub_psi,rr22", value_name = "PEER,…")]
    peers: Vec<Peer>,
    /// The virtual environment that holds their wheels; made where it is not there. By default compare-venv among the build's outputs.
    #[arg(long, value_name = "DIR")]
    venv: Option<PathBuf>,
    /// The Python that makes it; by default the first of python3.11, python3.10 and python3 that runs.
    #[arg(long, value_name = "PROGRAM")]
    python: Option<String>,
}

#[derive(Args, Debug)]
struct LinkageArgs {
    /// The verifier's pairs.
    #[arg(long, value_name = "FILE")]
    pairs: PathBuf,
    /// The holder's records.
    #[arg(long, value_name = "FILE")]
    records: PathBuf,
    /// Who the pairs are: a CSV file with the columns id and person, and maybe address and origin.
    #[arg(long, value_name = "FILE")]
    pairs_truth: PathBuf,
    /// Who the records are, likewise.
    #[arg(long, value_name = "FILE")]
    records_truth: PathBuf,
    /// A ruleset of this build, or a file of an own one (.toml); may be repeated. By default all of this build.
    #[arg(long = "ruleset", value_name = "NAME")]
    rulesets: Vec<String>,
    /// Draw recall and precision in FILE as well: an SVG, or a page where it ends in .html.
    #[arg(long, value_name = "FILE")]
    chart: Option<PathBuf>,
}

#[derive(Args, Debug)]
struct RatioArgs {
    /// Rounds, in each of which each side is measured twice.
    #[arg(long, default_value = "11", value_parser = clap::value_parser!(u32).range(1..=1_000), value_name = "R")]
    rounds: u32,
    /// Items of one measurement: a slice of a batch.
    #[arg(long, default_value = "2048", value_parser = clap::value_parser!(u16).range(1..=32_768), value_name = "N")]
    items: u16,
    /// The engine to measure, by name: portable, avx2 or ifma; by default the one that the program would take.
    #[arg(long, value_name = "NAME")]
    engine: Option<Engine>,
}

fn main() -> ExitCode {
    // The peers of `scale` are this program again: then it is the demo's in everything.
    if std::env::args_os().nth(1).is_some_and(|role| role == "holder" || role == "verifier") {
        return demo_main();
    }
    let cli = Cli::parse();
    let reporter = Reporter::new(cli.output.json, !cli.output.no_progress, cli.output.quiet);
    reporter.install_log(cli.output.verbose);
    // As the peers do: what is said of the engine is then true of them.
    if let Err(failure) = engine::from_environment() {
        reporter.fail(&failure);
        return failure.exit().into();
    }
    let done = match cli.command {
        Command::Scale(args) => {
            let ScaleArgs { pairs, records, seed, keep, series, append } = args;
            let demo = DemoCli { output: cli.output, pairs, records, seed, write_sample: None, keep, command: None };
            if series.is_empty() {
                scale::run(&demo, append.as_deref(), &reporter)
            } else {
                scale::series(&demo, &series, append.as_deref(), &reporter)
            }
        }
        Command::Compare(CompareArgs { pairs, records, rounds, seed, peers, venv, python }) => {
            let options = compare::Options { pairs, records, rounds, seed, peers, venv, python };
            compare::run(&options, &cli.output, &reporter)
        }
        Command::Authority(AuthorityArgs { pairs, records, rounds }) => {
            authority::run(pairs, records, rounds, &reporter).map_err(|error| Failure::input("authority", format!("{error:#}")))
        }
        Command::People(PeopleArgs { pairs, records, seed, out }) => people::run(pairs, records, seed, &out, &reporter),
        Command::Linkage(LinkageArgs { pairs, records, pairs_truth, records_truth, rulesets, chart }) => {
            linkage::run(&linkage::Options { pairs, records, pairs_truth, records_truth, rulesets, chart }, &reporter)
        }
        Command::Plot(PlotArgs { files, output }) => plot::run(&files, &output)
            .map(|runs| reporter.answer(&format!("{runs} runs drawn in {}", output.display())))
            .map_err(|error| Failure::input("plot", format!("{error:#}"))),
        Command::Ratios(RatioArgs { rounds, items, engine }) => engine
            .map_or(Ok(()), Engine::choose)
            .map_err(|error| Failure::usage("engine", error.to_string()))
            .and_then(|()| ratios::run(rounds, items.into(), &reporter).map_err(|error| Failure::bug(format!("{error:#}")))),
    };
    match done {
        Ok(()) => Exit::Done.into(),
        Err(failure) => {
            reporter.fail(&failure);
            failure.exit().into()
        }
    }
}
