//! `policy sign`: an official's signature, by ssh-keygen.

use oblink_session::authority::Namespace;
use oblink_session::request::to_hex;
use serde_json::json;

use super::directory::ProposalDirectory;
use crate::cli::PolicySignArgs;
use crate::failure::Failure;
use crate::report::Reporter;
use crate::ssh_keygen;

/// Has ssh-keygen sign the proposal, checks what it gave and files it.
pub(super) fn sign(args: &PolicySignArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = ProposalDirectory::open(&args.proposal)?;
    let (armoured, verified) = ssh_keygen::sign(Namespace::Policy, directory.proposal.bytes(), &args.key, &directory.file())?;
    let place = directory.add(verified.key_fingerprint(), &armoured)?;
    reporter.json(&json!({
        "signature": place.display().to_string(), "proposal": to_hex(&directory.proposal.digest()),
        "key_type": verified.key_type().as_str(), "key_fingerprint": verified.key_fingerprint(), "user_present": verified.user_present(),
    }));
    reporter.answer(&format!(
        "Signed by {} {}; the signature is in {}",
        verified.key_type().as_str(),
        verified.key_fingerprint(),
        place.display()
    ));
    Ok(())
}
