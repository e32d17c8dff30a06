//! The command line: what the programs take, how they end.
//!
//! Under `--json` stdout carries JSON only, each object compact on one line and flushed; text for people, progress and logs go to stderr.
//! A failure is two lines on stderr, and under `--json` also `{"error":{…}}` on stdout.

mod args;
mod args_holder;
mod args_look;
mod args_verifier;
mod dispatch;
mod doc;
mod entry;
mod moment;
mod party;
mod values;

pub use args::{
    CheckArgs, CsvArgs, CsvFormatArgs, DemoCli, DemoCommand, DocArgs, HolderCli, HolderCommand, HolderDoctorArgs, HomeArgs, InitArgs,
    OutputArgs, SealArgs, ServeArgs, TrustArgs, VerifierCli, VerifierCommand, VerifierDoctorArgs,
};
pub use args_holder::{
    CountersignArgs, EpochCommand, EpochEndArgs, ExportFormat, HolderAuditArgs, HolderRequestCommand, HolderRequestShowArgs,
    LedgerAccountArgs, LedgerArgs, LedgerCommand, LedgerDisclosuresArgs, LedgerExportArgs, LedgerExtractArgs, LedgerHeadArgs,
    LedgerReportArgs, LedgerVerifyArgs, OperatorArgs, PolicyApplyArgs, PolicyCommand, PolicyProposeArgs, PolicyShowArgs, PolicySignArgs,
    RefuseArgs, SuspendArgs,
};
pub use args_look::{HolderRulesetCommand, PairsLintArgs, RecordsLintArgs, RulesetCommand, RulesetExplainArgs, RulesetShowArgs};
pub use args_verifier::{
    AuditArgs, AuditCommand, AuditOpenArgs, AuditSampleArgs, ReceiptArgs, ReceiptCommand, ReceiptShowArgs, ReceiptVerifyArgs, RequestArgs,
    RequestCommand, RequestNewArgs, RequestShowArgs, RequestSignArgs,
};
pub use entry::{demo_main, holder_main, verifier_main};
pub use moment::Moment;
pub(crate) use values::PAD_TO_MAX;
pub use values::{ByteSize, Share};

#[cfg(test)]
mod tests;
