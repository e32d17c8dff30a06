//! What the three programs take.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, Parser, Subcommand};
use clap_complete::Shell;

use super::args_holder::{EpochCommand, HolderAuditArgs, HolderRequestCommand, LedgerArgs, PolicyCommand, SuspendArgs};
use super::args_look::{HolderRulesetCommand, PairsLintArgs, RecordsLintArgs, RulesetCommand};
use super::args_verifier::{AuditArgs, ReceiptArgs, RequestArgs};
use super::values::{ByteSize, Share, count, host_port, listen, loopback, pad_to, seconds, seconds_or_none};
use crate::date::Date;
use crate::rows::{CsvOptions, Delimiter, Encoding, FieldMap, Source};

/// How a program speaks.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// Write JSON to stdout, one object a line; text goes to stderr.
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress bars (they are never shown where stderr is not a terminal).
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// Log more to stderr; twice or three times for still more. OBLINK_LOG takes a filter instead.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Say nothing but what was asked for, warnings and errors.
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
}

/// Confirm name and address pairs with a verifier that is authorised to ask, and disclose nothing else.
#[derive(Parser, Debug)]
#[command(name = "oblink-holder", version, after_help = AFTER_HELP)]
pub struct HolderCli {
    /// How it speaks.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What it does.
    #[command(subcommand)]
    pub command: HolderCommand,
}

/// Ask a holder of records whether it has these people at these addresses, and show it nothing.
#[derive(Parser, Debug)]
#[command(name = "oblink-verifier", version, after_help = AFTER_HELP)]
pub struct VerifierCli {
    /// How it speaks.
    #[command(flatten)]
    pub output: OutputArgs,
    /// What it does.
    #[command(subcommand)]
    pub command: VerifierCommand,
}

/// Run a real holder and a real verifier as two processes on generated people, over QUIC on loopback.
#[derive(Parser, Debug)]
#[command(name = "oblink-demo", version, args_conflicts_with_subcommands = true, after_help = AFTER_HELP)]
pub struct DemoCli {
    /// How it speaks.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Pairs that the verifier asks.
    #[arg(long, default_value = "5000", value_parser = count, value_name = "N")]
    pub pairs: u64,
    /// Records that the holder has.
    #[arg(long, default_value = "50000", value_parser = count, value_name = "M")]
    pub records: u64,
    /// Seed of the generated people: the same seed gives the same files.
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
    /// Write pairs.csv and records.csv into DIR and run nothing.
    #[arg(long, value_name = "DIR")]
    pub write_sample: Option<PathBuf>,
    /// Work in DIR and keep it, instead of in a temporary directory.
    #[arg(long, value_name = "DIR", conflicts_with = "write_sample")]
    pub keep: Option<PathBuf>,
    /// A role that the demo runs as a process of its own.
    #[command(subcommand)]
    pub command: Option<DemoCommand>,
}

/// The demo as one of its own two peers.
#[derive(Subcommand, Debug)]
pub enum DemoCommand {
    /// The holder.
    #[command(hide = true)]
    Holder {
        /// What it does.
        #[command(subcommand)]
        command: HolderCommand,
    },
    /// The verifier.
    #[command(hide = true)]
    Verifier {
        /// What it does.
        #[command(subcommand)]
        command: VerifierCommand,
    },
    /// Write shell completions to stdout.
    Completions(DocArgs),
    /// Write the manual page to stdout.
    Man,
}

const AFTER_HELP: &str = "Exit codes: 0 done, whatever matched; 1 a bug; 2 wrong usage; 3 bad input or configuration; 4 refused by the other side; \
5 unreachable, try again; 6 the other side misbehaved or is not the pinned one.";

/// The holder's commands.
#[derive(Subcommand, Debug)]
pub enum HolderCommand {
    /// Make a home with fresh keys, and show the fingerprint that the other side pins.
    Init(InitArgs),
    /// Trust a verifier by its fingerprint, or no longer.
    Trust(TrustArgs),
    /// Say what records are like before they are sealed: which cannot be, what is odd, what each rule can serve.
    Lint(RecordsLintArgs),
    /// List and show the rulesets: what each rule lets one test.
    Ruleset {
        /// What is shown.
        #[command(subcommand)]
        command: HolderRulesetCommand,
    },
    /// Seal records for the verifiers that are trusted, each under a key of its own.
    Seal(SealArgs),
    /// Answer verifiers until SIGINT or SIGTERM.
    Serve(ServeArgs),
    /// Say who may ask what, by the officials' signatures.
    Policy {
        /// What is done with it.
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Stop answers at once, to one verifier or to all.
    Suspend(SuspendArgs),
    /// Show, countersign or refuse a verifier's request.
    Request {
        /// What is done with it.
        #[command(subcommand)]
        command: HolderRequestCommand,
    },
    /// End an epoch by hand.
    Epoch {
        /// What is done with it.
        #[command(subcommand)]
        command: EpochCommand,
    },
    /// Recompute a sealed set from the records and compare.
    Audit(HolderAuditArgs),
    /// Show what was asked, and by whom; verify, export and account for it.
    Ledger(LedgerArgs),
    /// Show or verify a receipt.
    Receipt(ReceiptArgs),
    /// Check home, clock, disk, sealed sets and the port.
    Doctor(HolderDoctorArgs),
    /// Write shell completions to stdout.
    Completions(DocArgs),
    /// Write the manual page to stdout.
    Man,
}

/// The verifier's commands.
#[derive(Subcommand, Debug)]
pub enum VerifierCommand {
    /// Make a home with fresh keys, and show the fingerprint that the other side pins.
    Init(InitArgs),
    /// Trust a holder by its fingerprint, or no longer.
    Trust(TrustArgs),
    /// Say what a list is like before anybody is asked: what cannot be, what is odd, what each rule can serve.
    Lint(PairsLintArgs),
    /// List and show the rulesets: what each rule lets one test; explain one row of your own.
    Ruleset {
        /// What is shown.
        #[command(subcommand)]
        command: RulesetCommand,
    },
    /// Make a request for officials to sign; show or sign it.
    Request(RequestArgs),
    /// Ask a holder about every pair of a file.
    Check(CheckArgs),
    /// Show or verify a receipt.
    Receipt(ReceiptArgs),
    /// Prove that what the holder charged is the approved list; or open single rows.
    Audit(Box<AuditArgs>),
    /// Check home, clock, disk, and the way to the holder by a round trip.
    Doctor(VerifierDoctorArgs),
    /// Write shell completions to stdout.
    Completions(DocArgs),
    /// Write the manual page to stdout.
    Man,
}

/// Where a party's home is.
#[derive(Args, Clone, Debug)]
pub struct HomeArgs {
    /// The directory of this party's configuration, keys and ledger.
    #[arg(long, value_name = "DIR")]
    pub home: PathBuf,
}

/// `init`
#[derive(Args, Debug)]
pub struct InitArgs {
    /// The home to make.
    #[command(flatten)]
    pub home: HomeArgs,
    /// What this party calls itself; it stays here.
    #[arg(long)]
    pub name: String,
}

/// `trust`
#[derive(Args, Debug)]
pub struct TrustArgs {
    /// This party's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Your own word for the other side.
    #[arg(long, value_name = "LABEL")]
    pub peer: String,
    /// The fingerprint that the other side's init printed; compare it by telephone.
    #[arg(long, value_name = "FP", required_unless_present = "remove", conflicts_with = "remove")]
    pub fingerprint: Option<String>,
    /// Put this fingerprint in the place of the one that the label has.
    #[arg(long, conflicts_with = "remove")]
    pub replace: bool,
    /// Trust the label no longer.
    #[arg(long)]
    pub remove: bool,
}

/// How a CSV file is to be read.
#[derive(Args, Clone, Debug)]
pub struct CsvArgs {
    /// The CSV file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// What its columns and bytes mean.
    #[command(flatten)]
    pub format: CsvFormatArgs,
}

impl CsvArgs {
    /// Where the rows come from.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::from_path(&self.input)
    }

    /// How they are to be read.
    #[must_use]
    pub fn options(&self) -> CsvOptions {
        self.format.options()
    }
}

/// What the columns and bytes of a CSV file mean.
#[derive(Args, Clone, Debug)]
pub struct CsvFormatArgs {
    /// Which column holds a field, where the header has another name for it: FIELD=HEADER, as in given_name=FIRST_NM.
    #[arg(long, value_name = "FIELD=HEADER", num_args = 1.., action = ArgAction::Append)]
    pub map: Vec<FieldMap>,
    /// The character between fields, or the word tab.
    #[arg(long, value_name = "CHAR", default_value = ",", allow_hyphen_values = true)]
    pub delimiter: Delimiter,
    /// The file's encoding: utf-8 or windows-1252.
    #[arg(long, value_name = "NAME", default_value = "utf-8")]
    pub encoding: Encoding,
    /// The first line is a row, not a header.
    #[arg(long, requires = "columns")]
    pub no_header: bool,
    /// The names of the columns in their order, divided by commas; an empty name or - skips a column.
    #[arg(long, value_name = "NAME,…", requires = "no_header", value_delimiter = ',', allow_hyphen_values = true)]
    pub columns: Option<Vec<String>>,
}

impl CsvFormatArgs {
    /// How such a file is to be read.
    #[must_use]
    pub fn options(&self) -> CsvOptions {
        let (map, columns) = (self.map.clone(), self.columns.clone());
        CsvOptions { delimiter: self.delimiter, encoding: self.encoding, map, columns, of_request: false }
    }
}

/// The ruleset unless `--ruleset` says otherwise.
pub(super) const RULESET: &str = "us-exact-1";

/// `oblink-holder seal`
#[derive(Args, Debug)]
pub struct SealArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The records.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// Seal for this trusted verifier alone; may be given several times. Without it, for each that is trusted.
    #[arg(long, value_name = "LABEL", action = ArgAction::Append)]
    pub peer: Vec<String>,
    /// The rules by which rows become comparable.
    #[arg(long, value_name = "NAME", default_value = RULESET)]
    pub ruleset: String,
    /// The date up to which the records are kept; the verifier is told.
    #[arg(long, value_name = "YYYY-MM-DD")]
    pub as_of: Option<Date>,
    /// Write row, id and reason of every record that could not be sealed to this CSV file.
    #[arg(long, value_name = "FILE")]
    pub rejects: Option<PathBuf>,
    /// Refuse to seal where more than this share of the records could not be.
    #[arg(long, value_name = "SHARE")]
    pub rejects_max: Option<Share>,
    /// Seal so many tags in all: besides the records' come tags of nobody, so that the verifier learns this number and not the records'.
    #[arg(long, value_name = "TAGS", value_parser = count)]
    pub pad_to: Option<u64>,
    /// Begin a new epoch even where the home's config.toml keeps the one before (epochs.keep_key_days). Where an epoch and its key are kept, the
    /// verifier can look up in the new set all that it has asked before, without asking and without its being counted.
    #[arg(long)]
    pub new_epoch: bool,
    /// Memory for sorting, and for what is known of an earlier seal.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub memory: ByteSize,
}

/// `oblink-holder serve`
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The UDP address and port to listen on; port 0 takes a free one.
    #[arg(long, value_name = "IP:PORT", value_parser = listen, default_value = "0.0.0.0:4433")]
    pub listen: SocketAddr,
    /// Show counts for monitoring (Prometheus text) on this loopback address, at /metrics; port 0 takes a free one. Every user of this machine
    /// can read them. Off unless given.
    #[arg(long, value_name = "IP:PORT", value_parser = loopback)]
    pub metrics: Option<SocketAddr>,
}

/// `oblink-holder doctor`
#[derive(Args, Debug)]
pub struct HolderDoctorArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The address that serve is to listen on.
    #[arg(long, value_name = "IP:PORT", value_parser = listen, default_value = "0.0.0.0:4433")]
    pub listen: SocketAddr,
}

/// `oblink-verifier check`
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// The verifier's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Where the holder serves.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub holder: String,
    /// The pairs.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// Where results.csv goes; results.meta.json goes beside it.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// The signed request that is put, as request new made it and officials signed it: its list, and nothing else.
    #[arg(long, value_name = "DIR", conflicts_with = "ruleset")]
    pub request: Option<PathBuf>,
    /// The column that tells persons apart, as when the request was made.
    #[arg(long, value_name = "COLUMN", requires = "request")]
    pub person_id: Option<String>,
    /// Ask so many pairs in all: after the list's come pairs that are of nobody, so that the holder learns this number and not the list's. They are
    /// charged like any other. Of a --request, its request new has said it.
    #[arg(long, value_name = "PAIRS", value_parser = pad_to, conflicts_with = "request")]
    pub pad_to: Option<u64>,
    /// Which trusted holder this is; needed where several are trusted.
    #[arg(long, value_name = "LABEL")]
    pub peer: Option<String>,
    /// The rules by which rows become comparable.
    #[arg(long, value_name = "NAME", default_value = RULESET)]
    pub ruleset: String,
    /// How long to wait for the holder to answer at all.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
    /// Do all that comes before asking, and ask nothing: read the list, say what would be submitted, see whether the holder can be reached. Nothing is
    /// evaluated, charged or kept, and no results are written; the holder learns that this verifier was there. Ends as check would, as far as that shows.
    #[arg(long, conflicts_with_all = ["resume", "restart"])]
    pub dry_run: bool,
    /// With --dry-run: the holder's policy, to say what it would say of the request. Its budgets, the age of its set and countersignatures that it
    /// filed are known to the holder alone.
    #[arg(long, value_name = "FILE", requires_all = ["dry_run", "allowed_signers"])]
    pub policy: Option<PathBuf>,
    /// The allowed signers of that policy.
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub allowed_signers: Option<PathBuf>,
    /// Only go on with a run that broke off. (The same command goes on with it by itself, or begins one.)
    #[arg(long)]
    pub resume: bool,
    /// Throw away what is kept of a run that broke off, and begin anew: what that one was charged stays charged.
    #[arg(long, conflicts_with_all = ["resume", "request"])]
    pub restart: bool,
    /// Once the holder has admitted the request: how long to try again while the line is broken and nothing comes of it; 0 for not at all.
    #[arg(long, value_name = "SECONDS", default_value = "900", value_parser = seconds_or_none)]
    pub retry_for: Duration,
}

/// `oblink-verifier doctor`
#[derive(Args, Debug)]
pub struct VerifierDoctorArgs {
    /// The verifier's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// Where the holder serves; without it the line is not tried.
    #[arg(long, value_name = "HOST:PORT", value_parser = host_port)]
    pub holder: Option<String>,
    /// Which trusted holder this is; needed where several are trusted.
    #[arg(long, value_name = "LABEL")]
    pub peer: Option<String>,
    /// How long to wait for the holder to answer.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    pub timeout: Duration,
}

/// `completions`
#[derive(Args, Clone, Copy, Debug)]
pub struct DocArgs {
    /// The shell.
    pub shell: Shell,
}
