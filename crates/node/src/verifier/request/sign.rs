//! `request sign`: runs the official's own ssh-keygen over the request, and files what it writes.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;

use oblink_session::authority::Namespace;
use oblink_session::request::to_hex;
use serde_json::json;

use super::directory::RequestDirectory;
use crate::cli::RequestSignArgs;
use crate::failure::{Failure, io_cause};
use crate::files::write_atomically;
use crate::report::Reporter;
use crate::ssh_keygen;

/// Signs the request with the key.
///
/// # Errors
/// Exit 3: no request, no ssh-keygen, a key that does not sign, or a signature that cannot be filed.
pub(super) fn sign(args: &RequestSignArgs, reporter: &Reporter) -> Result<(), Failure> {
    let directory = RequestDirectory::open(&args.request)?;
    let (armoured, verified) = ssh_keygen::sign(Namespace::Request, directory.request().bytes(), &args.key, &directory.file())?;
    let place = directory.signatures().join(ssh_keygen::file_name(verified.key_fingerprint()));
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
        "signature": place.display().to_string(), "request_digest": to_hex(&directory.request().digest()),
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
