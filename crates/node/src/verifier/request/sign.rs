//! `request sign`: runs the official's own ssh-keygen over the request, and files what it writes.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::process::{Command, Stdio};

use oblink_session::authority::{Namespace, Signature};
use oblink_session::limits::SIGNATURE_BYTES_MAX;
use serde_json::json;

use super::directory::RequestDirectory;
use crate::cli::RequestSignArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::report::Reporter;

const PROGRAM: &str = "ssh-keygen";

/// Signs the request with the key.
///
/// # Errors
/// Exit 3: no request, no ssh-keygen, a key that does not sign, or a signature that cannot be filed.
pub(super) fn sign(args: &RequestSignArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = RequestDirectory::open(&args.request)?;
    let armoured = run(directory.request().bytes(), &args.key)?;
    let not_ours = |what: String| {
        Failure::input("bad_signature", format!("what ssh-keygen made cannot be used: {what}"))
            .with_hint("keys are ed25519, ecdsa on a NIST curve, or either as a security key's (sk-); RSA and DSA do not count")
    };
    if armoured.len() > SIGNATURE_BYTES_MAX {
        return Err(not_ours("it is too long".to_owned()));
    }
    let signature = Signature::parse(&armoured).map_err(|error| not_ours(error.to_string()))?;
    let verified =
        signature.verify(Namespace::Request.as_str(), directory.request().bytes()).map_err(|error| not_ours(error.to_string()))?;
    let place = directory.signatures().join(file_name(verified.key_fingerprint()));
    let file = || -> io::Result<()> {
        match fs::DirBuilder::new().mode(0o700).create(directory.signatures()) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        write_atomically(&place, &armoured)
    };
    file().map_err(|error| {
        Failure::input("signature_write", format!("cannot write {}: {}", place.display(), io_cause(&error)))
            .with_hint("let this user write the request's directory, or run ssh-keygen by hand and move its file there")
    })?;
    reporter.json(&json!({
        "signature": place.display().to_string(), "key_type": verified.key_type().as_str(), "key_fingerprint": verified.key_fingerprint(),
    }));
    reporter.answer(&format!(
        "Signed by {} {}; the signature is in {}",
        verified.key_type().as_str(),
        verified.key_fingerprint(),
        place.display()
    ));
    Ok(())
}

/// One file a key: signing again replaces it.
fn file_name(key_fingerprint: &str) -> String {
    let hash = key_fingerprint.strip_prefix("SHA256:").unwrap_or(key_fingerprint);
    let name: String = hash.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(16).collect();
    format!("{name}.sig")
}

/// The armoured signature. ssh-keygen keeps this terminal: it may ask for a passphrase, a PIN or a touch.
fn run(message: &[u8], key: &Path) -> Result<Vec<u8>, Failure> {
    use io::Write;
    let command = Command::new(PROGRAM)
        .args(["-Y", "sign", "-q", "-n", Namespace::Request.as_str(), "-O", "hashalg=sha512", "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let cannot = |error: &io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::input("no_ssh_keygen", "there is no ssh-keygen on this machine's path").with_hint(
            "install OpenSSH 8.1 or later, or sign on another machine: ssh-keygen -Y sign -n request@oblink-1 -f KEY request.json",
        ),
        _ => Failure::input("no_ssh_keygen", format!("ssh-keygen could not be run: {}", io_cause(error))),
    };
    let mut child = command.map_err(|error| cannot(&error))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Where it has ended before it read all, its exit status says so.
        let _ = stdin.write_all(message);
    }
    let output = child.wait_with_output().map_err(|error| cannot(&error))?;
    if !output.status.success() {
        return Err(Failure::input("not_signed", "ssh-keygen did not sign; what it says is above")
            .with_hint("--key takes the key's file: a private key, or a public one whose private part an agent or a security key has"));
    }
    Ok(output.stdout)
}
