//! `policy sign`: an official's signature, by ssh-keygen.
//!
//! The key stays with ssh-keygen, an agent or a security key: oblink never reads it.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use oblink_session::authority::{Namespace, Signature};
use oblink_session::request::to_hex;
use serde_json::json;

use super::directory::ProposalDirectory;
use crate::cli::PolicySignArgs;
use crate::failure::{Failure, io_cause};
use crate::report::Reporter;

/// Has ssh-keygen sign the proposal, checks what it gave and files it.
pub(super) fn sign(args: &PolicySignArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = ProposalDirectory::open(&args.proposal)?;
    let cannot = |error: &io::Error| match error.kind() {
        io::ErrorKind::NotFound => Failure::input("ssh_keygen", "ssh-keygen is not on this machine")
            .with_hint("install OpenSSH's client, or sign on a machine that has it and put the signature into DIR/signatures/"),
        _ => Failure::input("ssh_keygen", format!("ssh-keygen could not be run: {}", io_cause(error))),
    };
    // Questions and touches go to the terminal; only the signature comes here.
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-q", "-n", Namespace::Policy.as_str(), "-f"])
        .arg(&args.key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(&error))?;
    let bytes = directory.proposal.bytes().to_vec();
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::bug("ssh-keygen has no standard input"))?;
    // A proposal is larger than a pipe; what ssh-keygen does not read, its exit status tells.
    let writing = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().map_err(|error| cannot(&error))?;
    let _ = writing.join();
    if !output.status.success() {
        return Err(Failure::input("ssh_keygen", "ssh-keygen did not sign; its own message is above")
            .with_hint("--key takes a private key's file, or the public half of a key that an agent or a security key has"));
    }
    let bad = |why: String| Failure::input("signature", why);
    let signature = Signature::parse(&output.stdout).map_err(|error| {
        bad(error.to_string()).with_hint("the keys that count are Ed25519, ECDSA and their security-key forms; not RSA, no certificates")
    })?;
    let verified = signature.verify(Namespace::Policy.as_str(), directory.proposal.bytes()).map_err(|error| bad(error.to_string()))?;
    let place = directory.add(verified.key_fingerprint(), &output.stdout)?;
    reporter.json(&json!({
        "signature": place.display().to_string(),
        "proposal": to_hex(&directory.proposal.digest()),
        "key": verified.key_fingerprint(),
        "key_type": verified.key_type().as_str(),
        "user_present": verified.user_present(),
    }));
    reporter.answer(&format!("signed by {}\n  {}", verified.key_fingerprint(), place.display()));
    Ok(())
}
