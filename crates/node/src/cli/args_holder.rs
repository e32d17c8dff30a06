//! What the holder's commands of authority and account take.

use std::path::PathBuf;

use clap::{ArgAction, ArgGroup, Args, Subcommand, ValueEnum};

use super::args::{CsvFormatArgs, HomeArgs};
use super::values::{ByteSize, epoch_id, text};
use crate::failure::Failure;

/// Who does it, for the ledger.
#[derive(Args, Clone, Debug, Default)]
pub struct OperatorArgs {
    /// Who does this, for the ledger: the operating system's name of this user unless said here.
    #[arg(long, value_name = "NAME", value_parser = text)]
    pub operator: Option<String>,
}

/// `policy`
#[derive(Subcommand, Debug)]
pub enum PolicyCommand {
    /// Write a proposal for the officials to sign: another policy, or the end of a suspension.
    Propose(PolicyProposeArgs),
    /// Sign a proposal with ssh-keygen and file the signature beside it.
    Sign(PolicySignArgs),
    /// Put a proposal into force that enough officials have signed, or that only tightens.
    Apply(PolicyApplyArgs),
    /// Show the policy in force, who signed it, and how far its budgets are used; or a proposal before it is signed.
    Show(PolicyShowArgs),
}

/// `policy propose`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["policy", "resume"])))]
pub struct PolicyProposeArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The proposed policy.toml.
    #[arg(long, value_name = "FILE", requires = "allowed_signers")]
    pub policy: Option<PathBuf>,
    /// The proposed list of officials' keys, in OpenSSH's format of allowed signers.
    #[arg(long, value_name = "FILE", requires = "policy")]
    pub allowed_signers: Option<PathBuf>,
    /// Propose to end a suspension instead.
    #[arg(long, requires = "reason")]
    pub resume: bool,
    /// With --resume: of this verifier alone; without it, the suspension of all.
    #[arg(long, value_name = "LABEL", requires = "resume")]
    pub peer: Option<String>,
    /// Why, in the officials' sight.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub reason: Option<String>,
    /// The directory to write proposal.json into: new, or empty.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// `policy sign`
#[derive(Args, Debug)]
pub struct PolicySignArgs {
    /// The directory that `policy propose` wrote.
    #[arg(long, value_name = "DIR")]
    pub proposal: PathBuf,
    /// The official's key, as ssh-keygen -f takes it: a private key, or the public half of one that an agent or a security key has.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
}

/// `policy apply`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["proposal", "restore"])))]
pub struct PolicyApplyArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The directory that `policy propose` wrote, with the signatures in it.
    #[arg(long, value_name = "DIR")]
    pub proposal: Option<PathBuf>,
    /// Apply nothing: write the copies of the policy in force again, out of the ledger.
    #[arg(long)]
    pub restore: bool,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `policy show`
#[derive(Args, Debug)]
pub struct PolicyShowArgs {
    /// The holder's home; with --proposal it is compared with the policy in force there.
    #[arg(long, value_name = "DIR", required_unless_present = "proposal")]
    pub home: Option<PathBuf>,
    /// Show a proposal instead, all that an official reads before signing it: its directory, or its proposal.json.
    #[arg(long, value_name = "DIR|FILE")]
    pub proposal: Option<PathBuf>,
    /// With --proposal, without a home: a directory with copies of policy.toml and allowed_signers in force, to compare it with.
    #[arg(long, value_name = "DIR", requires = "proposal", conflicts_with = "home")]
    pub against: Option<PathBuf>,
}

/// `suspend`
#[derive(Args, Debug)]
pub struct SuspendArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// This verifier alone; without it, all.
    #[arg(long, value_name = "LABEL")]
    pub peer: Option<String>,
    /// Why, for the ledger.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub reason: String,
    /// End the suspension: in pilot mode alone, since under a policy that takes its officials (`policy propose --resume`).
    #[arg(long)]
    pub lift: bool,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `oblink-holder request`
#[derive(Subcommand, Debug)]
pub enum HolderRequestCommand {
    /// Show a verifier's request, all that an official needs to decide on it.
    Show(HolderRequestShowArgs),
    /// File signatures of the holder's officials over a request.
    Countersign(CountersignArgs),
    /// Refuse a request for good, whatever its signatures.
    Refuse(RefuseArgs),
}

/// `oblink-holder request show`
#[derive(Args, Debug)]
pub struct HolderRequestShowArgs {
    /// The holder's home: then it is also said how the policy in force judges the request.
    #[arg(long, value_name = "DIR")]
    pub home: Option<PathBuf>,
    /// The request.json, or the directory that has it.
    #[arg(long, value_name = "FILE|DIR")]
    pub request: PathBuf,
}

/// `oblink-holder request countersign`
#[derive(Args, Debug)]
pub struct CountersignArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The request.json, or the directory that has it.
    #[arg(long, value_name = "FILE|DIR")]
    pub request: PathBuf,
    /// What ssh-keygen -Y sign -n countersign@oblink-1 wrote; may be given several times.
    #[arg(long, value_name = "FILE", required = true, num_args = 1.., action = ArgAction::Append)]
    pub signature: Vec<PathBuf>,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `oblink-holder request refuse`
#[derive(Args, Debug)]
pub struct RefuseArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The request.json, or the directory that has it.
    #[arg(long, value_name = "FILE|DIR")]
    pub request: PathBuf,
    /// Why, for the ledger; the verifier is not told.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub reason: String,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `oblink-holder ledger`
#[derive(Args, Debug)]
pub struct LedgerArgs {
    /// The directory of this party's configuration, keys and ledger.
    // Before or after the word that says what is shown: such an option cannot be a required one for the parser.
    #[arg(long, value_name = "DIR", global = true)]
    home: Option<PathBuf>,
    /// What is done with it; `show` where nothing is said.
    #[command(subcommand)]
    pub command: Option<LedgerCommand>,
}

impl LedgerArgs {
    /// The holder's home.
    ///
    /// # Errors
    /// Exit 2: it was not said.
    pub fn home(&self) -> Result<&PathBuf, Failure> {
        self.home.as_ref().ok_or_else(|| {
            Failure::usage("usage", "the following required arguments were not provided: --home <DIR>")
                .with_hint("--home takes the directory that init made")
        })
    }
}

/// What `ledger` does.
#[derive(Subcommand, Clone, Debug)]
pub enum LedgerCommand {
    /// Every epoch, set, session, delivery, refusal and act of authority.
    Show,
    /// Recompute the whole log, check every signed head, and hold the tables against it.
    Verify(LedgerVerifyArgs),
    /// Write every entry of the log for other programs.
    Export(LedgerExportArgs),
    /// Write what one verifier needs for its audit, complete by proof.
    Extract(LedgerExtractArgs),
    /// Write the latest head, signed, for a witness.
    Head(LedgerHeadArgs),
    /// Write a page for people: requests, budgets, refusals, signers; counts only.
    Report(LedgerReportArgs),
    /// Book which records a verifier said had matched, by what it signed and returned.
    Account(LedgerAccountArgs),
    /// List the disclosures in which a record was booked.
    Disclosures(LedgerDisclosuresArgs),
}

/// `ledger verify`
#[derive(Args, Clone, Debug)]
pub struct LedgerVerifyArgs {
    /// A head that somebody else kept, which the ledger must continue: a file that `ledger head` wrote, one of heads/ of a verifier's home, or a
    /// receipt. May be given several times.
    #[arg(long, value_name = "FILE", num_args = 1.., action = ArgAction::Append)]
    pub head: Vec<PathBuf>,
    /// The holder's fingerprint as somebody else knows it; without it, this home's own.
    #[arg(long, value_name = "FP")]
    pub fingerprint: Option<String>,
}

/// What `ledger export` writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// JSON, one entry a line.
    Json,
    /// CSV, one entry a row.
    Csv,
}

/// `ledger export`
#[derive(Args, Clone, Debug)]
pub struct LedgerExportArgs {
    /// How it is written.
    #[arg(long, value_enum)]
    pub format: ExportFormat,
    /// The file to write; standard output without it.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `ledger extract`
#[derive(Args, Clone, Debug)]
pub struct LedgerExtractArgs {
    /// The verifier.
    #[arg(long, value_name = "LABEL")]
    pub peer: String,
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `ledger head`
#[derive(Args, Clone, Debug)]
pub struct LedgerHeadArgs {
    /// The file to write.
    #[arg(long, value_name = "FILE")]
    pub export: PathBuf,
}

/// `ledger report`
#[derive(Args, Clone, Debug)]
pub struct LedgerReportArgs {
    /// The HTML file to write.
    #[arg(long, value_name = "FILE")]
    pub output: PathBuf,
}

/// `ledger account`
#[derive(Args, Clone, Debug)]
pub struct LedgerAccountArgs {
    /// The records that were sealed: the same CSV file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub records: PathBuf,
    /// What its columns and bytes mean.
    #[command(flatten)]
    pub format: CsvFormatArgs,
    /// The receipt of the session.
    #[arg(long, value_name = "FILE")]
    pub receipt: PathBuf,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `ledger disclosures`
#[derive(Args, Clone, Debug)]
pub struct LedgerDisclosuresArgs {
    /// The record's id, as the records' file has it.
    #[arg(long, value_name = "ID", allow_hyphen_values = true)]
    pub record: String,
}

/// `epoch`
#[derive(Subcommand, Debug)]
pub enum EpochCommand {
    /// End an epoch: no session is admitted, running ones get the policy's grace, then its key is destroyed.
    End(EpochEndArgs),
}

/// `epoch end`
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("which").args(["peer", "epoch"])))]
pub struct EpochEndArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The current epoch of this verifier.
    #[arg(long, value_name = "LABEL")]
    pub peer: Option<String>,
    /// This epoch.
    #[arg(long, value_name = "ID", value_parser = epoch_id)]
    pub epoch: Option<[u8; 16]>,
    /// Why, for the ledger.
    #[arg(long, value_name = "TEXT", value_parser = text)]
    pub reason: String,
    /// End it even where matched tags are not booked yet: afterwards nobody can tell which records they were.
    #[arg(long)]
    pub unbooked: bool,
    /// Do not wait for running sessions and the policy's grace: serve ends the epoch when they are over.
    #[arg(long, conflicts_with = "unbooked")]
    pub no_wait: bool,
    /// Who does it.
    #[command(flatten)]
    pub operator: OperatorArgs,
}

/// `oblink-holder audit`
#[derive(Args, Debug)]
pub struct HolderAuditArgs {
    /// The holder's home.
    #[command(flatten)]
    pub home: HomeArgs,
    /// The records that are said to have been sealed, or - for standard input.
    #[arg(long, value_name = "FILE")]
    pub records: PathBuf,
    /// What its columns and bytes mean.
    #[command(flatten)]
    pub format: CsvFormatArgs,
    /// The epoch whose set is recomputed.
    #[arg(long, value_name = "ID", value_parser = epoch_id)]
    pub epoch: [u8; 16],
    /// Memory for sorting.
    #[arg(long, value_name = "SIZE", default_value = "1G")]
    pub memory: ByteSize,
}
