//! Signatures of officials, made by their own ssh-keygen: oblink never reads a key. The key may be a file's, an agent's or a security key's.

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use oblink_session::authority::{Namespace, Signature, Verified};
use oblink_session::limits::SIGNATURE_BYTES_MAX;

use crate::failure::{Failure, io_cause};

const PROGRAM: &str = "ssh-keygen";

/// The line that an official types to sign a file.
pub(crate) fn line(namespace: Namespace, file: &Path) -> String {
    format!("{PROGRAM} -Y sign -n {} -f KEY {}", namespace.as_str(), file.display())
}

/// The name under which the signature of a key (`SHA256:…`) is filed: one file a key, so that signing again replaces it.
pub(crate) fn file_name(key_fingerprint: &str) -> String {
    let hash = key_fingerprint.strip_prefix("SHA256:").unwrap_or(key_fingerprint);
    // It is base64: `/` and `+` are no part of a name.
    let name: String = hash.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(16).collect();
    format!("{name}.sig")
}

/// Has ssh-keygen sign what is in `file`, and checks what it gave. Gives the armoured signature, and by which key it is.
///
/// # Errors
/// Exit 3: `no_ssh_keygen`, `not_signed`, or `bad_signature` for one that could not count.
pub(crate) fn sign(namespace: Namespace, message: &[u8], key: &Path, file: &Path) -> Result<(Vec<u8>, Verified), Failure> {
    let armoured = run(namespace, message, key, file)?;
    let not_ours = |what: String| {
        Failure::input("bad_signature", format!("what ssh-keygen made cannot be used: {what}")).with_hint(
            "keys are ed25519, ecdsa on a NIST curve, or either as a security key's (sk-); RSA, DSA and certificates do not count",
        )
    };
    if armoured.len() > SIGNATURE_BYTES_MAX {
        return Err(not_ours("it is too long".to_owned()));
    }
    let signature = Signature::parse(&armoured).map_err(|error| not_ours(error.to_string()))?;
    let verified = signature.verify(namespace.as_str(), message).map_err(|error| not_ours(error.to_string()))?;
    Ok((armoured, verified))
}

/// The armoured signature. ssh-keygen keeps this terminal: it may ask for a passphrase, a PIN or a touch.
fn run(namespace: Namespace, message: &[u8], key: &Path, file: &Path) -> Result<Vec<u8>, Failure> {
    let cannot = |error: &io::Error| match error.kind() {
        ErrorKind::NotFound => Failure::input("no_ssh_keygen", "there is no ssh-keygen on this machine's path")
            .with_hint(format!("install OpenSSH 8.2 or later, or sign on a machine that has it: {}", line(namespace, file))),
        _ => Failure::input("no_ssh_keygen", format!("ssh-keygen could not be run: {}", io_cause(error))),
    };
    // The hash is sha512 unless it is told another.
    let mut child = Command::new(PROGRAM)
        .args(["-Y", "sign", "-q", "-n", namespace.as_str(), "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| cannot(&error))?;
    let mut stdin = child.stdin.take().ok_or_else(|| Failure::bug("ssh-keygen has no standard input"))?;
    let output = std::thread::scope(|threads| {
        // A message may be larger than a pipe; what ssh-keygen does not read, its exit status tells.
        threads.spawn(move || drop(stdin.write_all(message)));
        child.wait_with_output()
    })
    .map_err(|error| cannot(&error))?;
    if !output.status.success() {
        return Err(Failure::input("not_signed", "ssh-keygen did not sign; what it says is above")
            .with_hint("--key takes the key's file: a private key, or a public one whose private part an agent or a security key has"));
    }
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(folder: &Path, name: &str, kind: &str) -> Option<std::path::PathBuf> {
        let path = folder.join(name);
        let output = Command::new(PROGRAM).args(["-q", "-t", kind, "-N", "", "-f"]).arg(&path).stdin(Stdio::null()).output();
        // Where it is not installed there is nothing to try.
        output.ok().map(|output| assert!(output.status.success())).map(|()| path)
    }

    #[test]
    fn it_signs_what_it_is_given_for_what_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let Some(key) = made(folder.path(), "k", "ed25519") else { return };
        // More than a pipe takes at once.
        let message = vec![b'x'; 1 << 20];
        for namespace in [Namespace::Request, Namespace::Countersign, Namespace::Policy] {
            let (armoured, verified) = sign(namespace, &message, &key, Path::new("request.json")).unwrap();
            let signature = Signature::parse(&armoured).unwrap();
            assert_eq!(signature.namespace(), namespace.as_str());
            assert_eq!(signature.verify(namespace.as_str(), &message).unwrap().key_fingerprint(), verified.key_fingerprint());
            assert!(signature.verify(namespace.as_str(), &message[1..]).is_err());
        }
    }

    #[test]
    fn keys_that_do_not_count_and_files_that_are_none() {
        let folder = tempfile::tempdir().unwrap();
        let code = |key: &Path| sign(Namespace::Policy, b"m", key, Path::new("p")).unwrap_err().code();
        let Some(rsa) = made(folder.path(), "rsa", "rsa") else { return };
        assert_eq!(code(&rsa), "bad_signature");
        assert_eq!(code(&folder.path().join("none")), "not_signed");
    }

    #[test]
    fn names_of_files_are_names() {
        assert_eq!(file_name("SHA256:ab/+cdefghijklmnopqrst"), "ab--cdefghijklmn.sig");
        assert_eq!(file_name("x"), "x.sig");
    }
}
