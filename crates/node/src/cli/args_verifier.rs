//! What the verifier's commands about requests, receipts and audits take.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use oblink_session::request::{Disclosure, check_name, check_text};

use super::args::{CsvArgs, CsvFormatArgs, HomeArgs, RULESET};
use super::moment::Moment;
use super::values::pad_to;

/// `oblink-verifier request`
#[derive(Args, Debug)]
pub struct RequestArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: RequestCommand,
}

/// What can be done with requests.
#[derive(Subcommand, Debug)]
pub enum RequestCommand {
    /// Make a request of a list, for officials to sign.
    New(Box<RequestNewArgs>),
    /// Show what a request says and who has signed it; with --verify compute it again from the list.
    Show(RequestShowArgs),
    /// Sign a request with ssh-keygen, and file the signature.
    Sign(RequestSignArgs),
}

/// `request new`
#[derive(Args, Debug)]
pub struct RequestNewArgs {
    /// The verifier's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The pairs.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// What the answers are for; the officials and the holder read it.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub purpose: String,
    /// By what right is asked; likewise.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub legal_basis: String,
    /// Until when it may be asked: a day (to its end, UTC) or a time.
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM:SSZ]")]
    pub not_after: Moment,
    /// From when on; now where nothing is said.
    #[arg(long, value_name = "YYYY-MM-DD[THH:MM:SSZ]")]
    pub not_before: Option<Moment>,
    /// A field of your own, such as an agreement's number; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = field)]
    pub field: Vec<(String, String)>,
    /// Leave out rows that have nothing in this column; for order_date, rows without a valid day up to today. May be given several times.
    #[arg(long, value_name = "COLUMN")]
    pub require_column: Vec<String>,
    /// The column that tells persons apart; it is committed to and never sent.
    #[arg(long, value_name = "COLUMN")]
    pub person_id: Option<String>,
    /// Leave out rows beyond so many different addresses of one person.
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true, value_parser = clap::value_parser!(u32))]
    pub addresses_per_person_max: u32,
    /// Ask so many pairs in all: after the list's come pairs that are of nobody, so that the holder and those who read the request learn this number and
    /// not the list's. They are charged like any other.
    #[arg(long, value_name = "PAIRS", value_parser = pad_to)]
    pub pad_to: Option<u64>,
    /// Which trusted holder is asked; needed where several are trusted.
    #[arg(long, value_name = "LABEL")]
    pub peer: Option<String>,
    /// What the request calls the holder; the label where nothing is said.
    #[arg(long, value_name = "NAME", value_parser = text)]
    pub holder_name: Option<String>,
    /// What the request calls the verifier; the home's name where nothing is said.
    #[arg(long, value_name = "NAME", value_parser = text)]
    pub verifier_name: Option<String>,
    /// What the holder is told of the result: none, count or matched-tags.
    #[arg(long, value_name = "WHAT", default_value = "none", value_parser = disclosure)]
    pub disclosure: Disclosure,
    /// The rules by which rows become comparable: a built-in ruleset, or a file of one's own. Both sides need the same.
    #[arg(long, value_name = "NAME|FILE.toml", default_value = RULESET)]
    pub ruleset: String,
    /// The directory to make for the request; new or empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `request show`
#[derive(Args, Debug)]
pub struct RequestShowArgs {
    /// The request's directory, or a request.json.
    #[arg(long, value_name = "DIR")]
    pub request: PathBuf,
    /// Compute it again from the list and the secret part, and say what agrees.
    #[arg(long, requires = "input")]
    pub verify: bool,
    /// The pairs, or - for standard input.
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub input: Option<PathBuf>,
    /// The secret part; secret.json of the request's directory where nothing is said.
    #[arg(long, value_name = "FILE", requires = "verify")]
    pub secret: Option<PathBuf>,
    /// The column that tells persons apart, as when the request was made.
    #[arg(long, value_name = "COLUMN", requires = "verify")]
    pub person_id: Option<String>,
    /// The request's ruleset, where it is not built in and its ruleset.toml does not lie beside the request.
    #[arg(long, value_name = "FILE.toml", requires = "verify")]
    pub ruleset: Option<String>,
    /// How the file is to be read.
    #[command(flatten)]
    pub format: CsvFormatArgs,
}

/// `request sign`
#[derive(Args, Debug)]
pub struct RequestSignArgs {
    /// The request's directory.
    #[arg(long, value_name = "DIR")]
    pub request: PathBuf,
    /// The official's key: a private key's file, or a public key's whose private part an agent or a security key has.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// `receipt`, of both programs
#[derive(Args, Debug)]
pub struct ReceiptArgs {
    /// What is done.
    #[command(subcommand)]
    pub command: ReceiptCommand,
}

/// What can be done with receipts.
#[derive(Subcommand, Debug)]
pub enum ReceiptCommand {
    /// Show what a receipt says.
    Show(ReceiptShowArgs),
    /// Check both sides' signatures against the two fingerprints: nothing else is needed.
    Verify(ReceiptVerifyArgs),
}

/// `receipt show`
#[derive(Args, Debug)]
pub struct ReceiptShowArgs {
    /// The receipt.
    #[arg(long, value_name = "FILE")]
    pub receipt: PathBuf,
}

/// `receipt verify`
#[derive(Args, Debug)]
pub struct ReceiptVerifyArgs {
    /// The receipt.
    #[arg(long, value_name = "FILE")]
    pub receipt: PathBuf,
    /// The holder's fingerprint, as its init printed it.
    #[arg(long, value_name = "FP")]
    pub holder: String,
    /// The verifier's fingerprint, likewise.
    #[arg(long, value_name = "FP")]
    pub verifier: String,
}

/// `oblink-verifier audit`
#[derive(Args, Debug)]
#[command(subcommand_negates_reqs = true, args_conflicts_with_subcommands = true)]
pub struct AuditArgs {
    /// Single rows instead of the whole list.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// The request's directory, with its secret part.
    #[arg(long, value_name = "DIR", required = true)]
    pub request: Option<PathBuf>,
    /// The pairs, or - for standard input.
    #[arg(long, value_name = "FILE", required = true)]
    pub input: Option<PathBuf>,
    /// The receipt of the session.
    #[arg(long, value_name = "FILE", required = true)]
    pub receipt: Option<PathBuf>,
    /// What the holder's ledger has of this verifier, as its ledger extract wrote it.
    #[arg(long, value_name = "FILE", required = true)]
    pub ledger_extract: Option<PathBuf>,
    /// A head of the holder's ledger that was kept elsewhere, by a witness or in the home's heads/: the log must have it too. May be given several
    /// times.
    #[arg(long, value_name = "FILE")]
    pub head: Vec<PathBuf>,
    /// The policy that the receipt names by its digest, to verify the officials' signatures; without it they are the holder's word.
    #[arg(long, value_name = "FILE", requires = "allowed_signers")]
    pub policy: Option<PathBuf>,
    /// The allowed signers of that policy.
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub allowed_signers: Option<PathBuf>,
    /// The request's ruleset, where it is not built in and its ruleset.toml does not lie beside the request.
    #[arg(long, value_name = "FILE.toml")]
    pub ruleset: Option<String>,
    /// The column that tells persons apart, as when the request was made.
    #[arg(long, value_name = "COLUMN")]
    pub person_id: Option<String>,
    /// How the file is to be read.
    #[command(flatten)]
    pub format: CsvFormatArgs,
}

/// Audits of single rows.
#[derive(Subcommand, Debug)]
pub enum AuditCommand {
    /// Open rows drawn by chance, so that an auditor can check them without the seeds.
    Sample(AuditSampleArgs),
    /// Check opened rows against the request.
    Open(AuditOpenArgs),
}

/// `audit sample`
#[derive(Args, Debug)]
pub struct AuditSampleArgs {
    /// The request's directory, with its secret part.
    #[arg(long, value_name = "DIR")]
    pub request: PathBuf,
    /// The pairs: a file, since it is read twice.
    #[command(flatten)]
    pub csv: CsvArgs,
    /// How many rows.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub n: u32,
    /// The draw's seed, as the auditor gives it; the system's randomness where nothing is said.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// The request's ruleset, where it is not built in and its ruleset.toml does not lie beside the request.
    #[arg(long, value_name = "FILE.toml")]
    pub ruleset: Option<String>,
    /// Where the opened rows go. They are personal data.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
    /// The column that tells persons apart, as when the request was made.
    #[arg(long, value_name = "COLUMN")]
    pub person_id: Option<String>,
}

/// `audit open`
#[derive(Args, Debug)]
pub struct AuditOpenArgs {
    /// The opened rows.
    #[arg(long, value_name = "FILE")]
    pub sample: PathBuf,
    /// The request's directory, or its request.json.
    #[arg(long, value_name = "DIR")]
    pub request: PathBuf,
    /// The receipt of the session, to be compared with the request.
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// The draw's seed as you gave it: the sample must be of this one.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// The number of rows that you asked for: the sample must have as many, or all pairs where there are fewer.
    #[arg(long, value_name = "N")]
    pub n: Option<u64>,
    /// The request's ruleset, where it is not built in and its ruleset.toml does not lie beside the request.
    #[arg(long, value_name = "FILE.toml")]
    pub ruleset: Option<String>,
}

fn text(text: &str) -> Result<String, &'static str> {
    const WRONG: &str = "a text has 1 to 1,024 bytes, no control or invisible characters, and no blank at either end";
    if check_text(text) { Ok(text.to_owned()) } else { Err(WRONG) }
}

fn field(argument: &str) -> Result<(String, String), &'static str> {
    let (name, value) = argument.split_once('=').ok_or("a field is written NAME=VALUE, as in agreement=2026-117")?;
    if !check_name(name) {
        return Err("a field's name is small letters, digits and underscores, the first a letter; at most 64");
    }
    Ok((name.to_owned(), text(value)?))
}

fn disclosure(word: &str) -> Result<Disclosure, &'static str> {
    let known = [Disclosure::None, Disclosure::Count, Disclosure::MatchedTags];
    known.into_iter().find(|known| known.as_str() == word.replace('-', "_")).ok_or("it is none, count or matched-tags")
}
