//! `oblink-verifier request`: what the verifier's officials read and sign, and everything made from it.

pub(super) mod directory;
mod new;
pub(super) mod recompute;
mod show;
mod sign;

use crate::cli::{RequestArgs, RequestCommand};
use crate::failure::Failure;
use crate::report::Reporter;

/// One of the commands about requests.
///
/// # Errors
/// Exit 3, by what is wrong with input, home, request or directory.
pub fn request(args: &RequestArgs, reporter: &Reporter) -> Result<(), Failure> {
    match &args.command {
        RequestCommand::New(args) => new::new(args, reporter),
        RequestCommand::Show(args) => show::show(args, reporter),
        RequestCommand::Sign(args) => sign::sign(args, reporter),
    }
}
