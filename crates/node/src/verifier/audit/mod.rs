//! `oblink-verifier audit`: that what the holder charged is the approved list, no more and no fewer (SPEC AUD-1); or single rows (AUD-2).

mod account;
pub(super) mod officials;
mod open;
mod sample;
mod whole;

use crate::cli::{AuditArgs, AuditCommand};
use crate::failure::Failure;
use crate::report::Reporter;

/// One of the audits.
///
/// # Errors
/// Exit 3: own files are missing or differ; exit 6: the holder's word is not what was approved.
pub fn audit(args: &AuditArgs, reporter: &Reporter) -> Result<(), Failure> {
    match &args.command {
        None => whole::audit(args, reporter),
        Some(AuditCommand::Sample(args)) => sample::sample(args, reporter),
        Some(AuditCommand::Open(args)) => open::open(args, reporter),
    }
}
