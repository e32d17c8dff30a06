//! The latest head of each holder's ledger that this verifier knows (SPEC HSK-8): presented in every Hello, so that a holder cannot go back
//! behind it.
//!
//! `HOME/heads/HOLDER.json`, 0600: the size and root, and what shows that the holder said so: the statement over a head that Welcome brought, or
//! the digest of the receipt that has it.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use oblink_quic::Fingerprint;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::request::{from_hex, to_hex};
use oblink_session::statement::CERTIFICATE_BYTES;
use oblink_session::verifier::Finished;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, io_cause};
use crate::files::{directory_of, write_atomically};
use crate::home::Home;

/// The `format` of such a file.
pub(super) const FORMAT: &str = "oblink/known-head/1";

/// Where one holder's head is kept.
#[derive(Clone, Debug)]
pub(super) struct KnownHead {
    path: PathBuf,
    holder: String,
}

// Members in the order of their names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Of the holder's statement key.
    certificate: String,
    format: String,
    holder: String,
    /// Digest of the receipt that has this head; empty where a Welcome brought it.
    receipt: String,
    root: String,
    /// The statement of kind `head`; empty where a receipt has it.
    signature: String,
    size: u64,
    unix_ms: u64,
}

impl KnownHead {
    /// Of one holder, in a verifier's home.
    pub(super) fn of(home: &Home, holder: &Fingerprint) -> Self {
        let holder = to_hex(holder.as_bytes());
        Self { path: home.directory().join("heads").join(format!("{holder}.json")), holder }
    }

    /// The head; [`LogHead::NONE`] where this holder was never asked.
    ///
    /// # Errors
    /// Exit 3: the file cannot be read, or is damaged. A head that is lost is no longer held against the holder: so nothing is made of that by itself.
    pub(super) fn read(&self) -> Result<LogHead, Failure> {
        let shown = self.path.display();
        let damaged = |what: &str| {
            Failure::input("known_head", format!("the holder's latest head, {shown}: {what}")).with_hint(
                "restore it from a backup; without it a holder that goes back in its ledger is not noticed. To begin anew, ask the holder for a head (ledger head), compare it, and remove the file",
            )
        };
        let bytes = match std::fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(LogHead::NONE),
            Err(error) => return Err(damaged(&io_cause(&error))),
        };
        let file: File = serde_json::from_slice(&bytes).map_err(|_| damaged("it is damaged"))?;
        match from_hex(&file.root) {
            Some(root) if file.format == FORMAT && file.holder == self.holder && file.size > 0 => Ok(LogHead { size: file.size, root }),
            _ => Err(damaged("it is damaged, or another holder's")),
        }
    }

    /// Keeps the head that Welcome brought; it was checked to continue the one before.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn keep_welcomed(&self, head: &SignedHead, certificate: &[u8; CERTIFICATE_BYTES]) -> Result<(), Failure> {
        self.keep(File {
            certificate: to_hex(certificate),
            format: FORMAT.to_owned(),
            holder: self.holder.clone(),
            receipt: String::new(),
            root: to_hex(&head.head.root),
            signature: to_hex(&head.signature),
            size: head.head.size,
            unix_ms: head.unix_ms,
        })
    }

    /// Keeps the head of a receipt, where it is later than Welcome's.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn keep_finished(&self, finished: &Finished, unix_ms: u64) -> Result<(), Failure> {
        self.keep(File {
            certificate: to_hex(&finished.receipt().holder_certificate),
            format: FORMAT.to_owned(),
            holder: self.holder.clone(),
            receipt: to_hex(&finished.receipt().digest()),
            root: to_hex(&finished.head().root),
            signature: String::new(),
            size: finished.head().size,
            unix_ms,
        })
    }

    /// A head that is not later than the one that is there changes nothing: another check may have been faster.
    fn keep(&self, file: File) -> Result<(), Failure> {
        if self.read()?.size >= file.size {
            return Ok(());
        }
        let json = serde_json::to_vec(&file).map_err(|_| Failure::bug("a head could not be written as JSON"))?;
        let write = || {
            match DirBuilder::new().mode(0o700).create(directory_of(&self.path)) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
                _ => {}
            }
            write_atomically(&self.path, &json)
        };
        write().map_err(|error| Failure::input("known_head", format!("cannot write {}: {}", self.path.display(), io_cause(&error))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::home::Role;

    #[test]
    fn a_head_is_kept_unless_a_later_one_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("v"), Role::Verifier, "City").unwrap();
        let known = KnownHead::of(&home, &Fingerprint::from_bytes([7; 32]));
        assert_eq!(known.read().unwrap(), LogHead::NONE);
        let signed = |size, byte| SignedHead { head: LogHead { size, root: [byte; 32] }, unix_ms: 5, signature: [1; 64] };
        for (size, byte, kept) in [(3, 3, (3, 3)), (9, 9, (9, 9)), (4, 4, (9, 9)), (9, 8, (9, 9))] {
            known.keep_welcomed(&signed(size, byte), &[2; CERTIFICATE_BYTES]).unwrap();
            assert_eq!(known.read().unwrap(), LogHead { size: kept.0, root: [kept.1; 32] });
        }
        assert_eq!(KnownHead::of(&home, &Fingerprint::from_bytes([8; 32])).read().unwrap(), LogHead::NONE);
        std::fs::write(&known.path, "{}").unwrap();
        assert_eq!(known.read().unwrap_err().code(), "known_head");
    }
}
