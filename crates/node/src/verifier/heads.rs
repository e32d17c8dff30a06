//! The latest head of each holder's ledger that this verifier knows (SPEC HSK-8): presented in every Hello, so that a holder cannot go back
//! behind it.
//!
//! `HOME/heads/HOLDER.json`, 0600: the size and root, and what shows that the holder said so: the statement over a head that Welcome brought, or
//! the digest of the receipt that has it.
//!
//! It is replaced only by one that was proved to continue it. Several checks at once are each shown a head that continues what they knew, and
//! nothing proves that these continue one another: a head that another check kept stays, and what came besides is kept beside it, as
//! `HOLDER-SIZE-ROOT.json`. An audit compares them all with the log.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use oblink_quic::Fingerprint;
use oblink_session::head::{LogHead, SignedHead};
use oblink_session::request::{from_hex, to_hex};
use oblink_session::statement::CERTIFICATE_BYTES;
use oblink_session::verifier::Finished;

use crate::failure::{Failure, io_cause};
use crate::files::{FILE_MODE, directory_of, write_atomically};
use crate::home::Home;
use crate::kept_head::{KNOWN_FORMAT, KnownHeadFile};

/// Where one holder's head is kept, for one session.
#[derive(Debug)]
pub(super) struct KnownHead {
    path: PathBuf,
    holder: String,
    /// What this session presented and was shown, each proved to continue those before.
    proved: Mutex<Vec<LogHead>>,
}

impl KnownHead {
    /// Of one holder, in a verifier's home.
    pub(super) fn of(home: &Home, holder: &Fingerprint) -> Self {
        let holder = to_hex(holder.as_bytes());
        Self { path: home.directory().join("heads").join(format!("{holder}.json")), holder, proved: Mutex::default() }
    }

    /// The head to present; what this session is shown is proved to continue it.
    ///
    /// # Errors
    /// As [`KnownHead::read`].
    pub(super) fn present(&self) -> Result<LogHead, Failure> {
        let head = self.read()?;
        *self.proved.lock().unwrap_or_else(PoisonError::into_inner) = vec![head];
        Ok(head)
    }

    /// A head that an earlier run of this session was shown, and had proved.
    pub(super) fn was_shown(&self, head: LogHead) {
        self.proved.lock().unwrap_or_else(PoisonError::into_inner).push(head);
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
        let file: KnownHeadFile = serde_json::from_slice(&bytes).map_err(|_| damaged("it is damaged"))?;
        match from_hex(&file.root) {
            Some(root) if file.format == KNOWN_FORMAT && file.holder == self.holder && file.size > 0 => {
                Ok(LogHead { size: file.size, root })
            }
            _ => Err(damaged("it is damaged, or another holder's")),
        }
    }

    /// Keeps the head that Welcome brought; it was checked to continue the one presented.
    ///
    /// # Errors
    /// Exit 3: it cannot be written; exit 6, `two_ledgers`: another check was shown another root of as many entries. Both are kept.
    pub(super) fn keep_welcomed(&self, head: &SignedHead, certificate: &[u8; CERTIFICATE_BYTES]) -> Result<(), Failure> {
        self.keep(KnownHeadFile {
            certificate: to_hex(certificate),
            format: KNOWN_FORMAT.to_owned(),
            holder: self.holder.clone(),
            receipt: String::new(),
            root: to_hex(&head.head.root),
            signature: to_hex(&head.signature),
            size: head.head.size,
            unix_ms: head.unix_ms,
        })
    }

    /// Keeps the head of a receipt, which was checked to continue Welcome's. The receipt is what shows it: it must be kept already.
    ///
    /// # Errors
    /// As [`KnownHead::keep_welcomed`].
    pub(super) fn keep_finished(&self, finished: &Finished, unix_ms: u64) -> Result<(), Failure> {
        self.keep(KnownHeadFile {
            certificate: to_hex(&finished.receipt().holder_certificate),
            format: KNOWN_FORMAT.to_owned(),
            holder: self.holder.clone(),
            receipt: to_hex(&finished.receipt().digest()),
            root: to_hex(&finished.head().root),
            signature: String::new(),
            size: finished.head().size,
            unix_ms,
        })
    }

    /// Keeps a head that this session's earlier ones were proved to lead to. Where another check kept one meanwhile, it goes beside that.
    fn keep(&self, file: KnownHeadFile) -> Result<(), Failure> {
        let new = LogHead { size: file.size, root: from_hex(&file.root).ok_or_else(|| Failure::bug("a head without a root"))? };
        if new == LogHead::NONE {
            return Ok(());
        }
        let cannot = |error: io::Error| Failure::input("known_head", format!("cannot write {}: {}", self.path.display(), io_cause(&error)));
        let json = serde_json::to_vec(&file).map_err(|_| Failure::bug("a head could not be written as JSON"))?;
        // Held until the end: of two checks at once the second sees what the first kept.
        let _lock = self.lock().map_err(cannot)?;
        let kept = self.read()?;
        let continued = {
            let mut proved = self.proved.lock().unwrap_or_else(PoisonError::into_inner);
            let continued = proved.contains(&kept);
            proved.push(new);
            continued
        };
        let beside = self.beside(&new);
        let others = self.others(&new, &beside).map_err(cannot)?;
        if new != kept {
            if continued && new.size > kept.size && others.is_empty() {
                return write_atomically(&self.path, &json).map_err(cannot);
            }
            write_atomically(&beside, &json).map_err(cannot)?;
        }
        let other = if new.size == kept.size && new.root != kept.root { Some(self.path.clone()) } else { others.into_iter().next() };
        match other {
            Some(other) => {
                let this = if new == kept { &self.path } else { &beside };
                Err(Failure::peer(
                    "two_ledgers",
                    format!("the holder has shown two ledgers of {} entries: {} and {}", new.size, other.display(), this.display()),
                )
                .with_hint("keep both files, and the receipts that they name, and give them to an auditor: they show it to anybody"))
            }
            None if new == kept => Ok(()),
            None => {
                tracing::warn!(
                    kept = %beside.display(),
                    "another check kept a head of this holder meanwhile, and nothing shows yet that both are of one ledger: both are kept; give both to an audit (--head)"
                );
                Ok(())
            }
        }
    }

    /// Where a head goes that does not replace the one that is kept.
    fn beside(&self, head: &LogHead) -> PathBuf {
        self.path.with_file_name(format!("{}-{}-{}.json", self.holder, head.size, &to_hex(&head.root)[..16]))
    }

    /// Heads that were kept beside, of the same number of entries, with another root.
    fn others(&self, head: &LogHead, own: &Path) -> io::Result<Vec<PathBuf>> {
        let prefix = format!("{}-{}-", self.holder, head.size);
        let mut others = Vec::new();
        for entry in std::fs::read_dir(directory_of(&self.path))? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with(&prefix) && name.ends_with(".json") && path != own {
                others.push(path);
            }
        }
        Ok(others)
    }

    /// Makes the directory, and locks what is kept of this holder. The lock goes with the file handle.
    fn lock(&self) -> io::Result<File> {
        match DirBuilder::new().mode(0o700).create(directory_of(&self.path)) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let place = self.path.with_extension("lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(place)?;
        file.lock()?;
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Exit;
    use crate::home::Role;

    fn signed(size: u64, byte: u8) -> SignedHead {
        SignedHead { head: LogHead { size, root: [byte; 32] }, unix_ms: 5, signature: [1; 64] }
    }

    fn show(session: &KnownHead, size: u64, byte: u8) -> Result<(), Failure> {
        session.keep_welcomed(&signed(size, byte), &[2; CERTIFICATE_BYTES])
    }

    fn head(size: u64, byte: u8) -> LogHead {
        signed(size, byte).head
    }

    #[test]
    fn a_session_keeps_what_it_is_shown_one_after_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("v"), Role::Verifier, "City").unwrap();
        let known = KnownHead::of(&home, &Fingerprint::from_bytes([7; 32]));
        assert_eq!(known.present().unwrap(), LogHead::NONE);
        for (size, byte) in [(3, 3), (9, 9), (9, 9)] {
            show(&known, size, byte).unwrap();
            assert_eq!(known.read().unwrap(), head(size, byte));
        }
        assert_eq!(KnownHead::of(&home, &Fingerprint::from_bytes([8; 32])).read().unwrap(), LogHead::NONE);
        std::fs::write(&known.path, "{}").unwrap();
        assert_eq!(known.read().unwrap_err().code(), "known_head");
    }

    /// HSK-8: checks at once, each shown what continues the head that it presented.
    #[test]
    fn a_head_gives_way_only_to_one_that_was_proved_to_continue_it() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("v"), Role::Verifier, "City").unwrap();
        let session = || KnownHead::of(&home, &Fingerprint::from_bytes([7; 32]));
        let first = session();
        first.present().unwrap();
        show(&first, 3, 3).unwrap();
        let (a, b, c) = (session(), session(), session());
        for session in [&a, &b, &c] {
            assert_eq!(session.present().unwrap(), head(3, 3));
        }
        show(&a, 10, 10).unwrap();
        // Later, and earlier, than what another kept: both stay.
        for (size, byte) in [(12, 12), (13, 13), (8, 8)] {
            show(&b, size, byte).unwrap();
            assert_eq!(b.read().unwrap(), head(10, 10));
            assert!(b.beside(&head(size, byte)).exists());
        }
        // Two of one size are two ledgers: as kept, and as kept beside.
        for (size, byte) in [(10, 99), (12, 99)] {
            let failure = show(&c, size, byte).unwrap_err();
            assert_eq!((failure.exit(), failure.code()), (Exit::PeerAtFault, "two_ledgers"));
            assert!(c.beside(&head(size, byte)).exists() && c.read().unwrap() == head(10, 10));
        }
        assert!(show(&a, 12, 77).is_err() && a.beside(&head(12, 77)).exists(), "proved to continue the kept one, and not the one beside");
        assert_eq!(a.read().unwrap(), head(10, 10));
        show(&a, 20, 20).unwrap();
        assert_eq!(session().present().unwrap(), head(20, 20));
    }

    #[test]
    fn checks_at_once_lose_no_head() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::init(&folder.path().join("v"), Role::Verifier, "City").unwrap();
        let sessions: Vec<KnownHead> = (0..8).map(|_| KnownHead::of(&home, &Fingerprint::from_bytes([7; 32]))).collect();
        for session in &sessions {
            session.present().unwrap();
        }
        let failed = std::thread::scope(|scope| {
            let shown = |(session, byte)| scope.spawn(move || show(session, 5, byte).is_err());
            let threads: Vec<_> = sessions.iter().zip(1..).map(shown).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|failed| *failed).count()
        });
        assert_eq!(failed, 7, "one was first, and is kept");
        let files = std::fs::read_dir(home.directory().join("heads")).unwrap();
        let names = files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|word| word == "json"));
        assert_eq!(names.count(), 8);
    }
}
