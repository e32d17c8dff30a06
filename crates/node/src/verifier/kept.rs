//! Where a run of `check` is kept until its results are written, and whose run it is (SPEC RES-4).

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_linkage::Ruleset;
use oblink_quic::Fingerprint;
use oblink_session::request::to_hex;
use oblink_store::Error as StoreError;
use oblink_store::checkpoint::{Checkpoint, KeptSession, Run};
use oblink_store::disk::RealDisk;
use sha2::{Digest, Sha256};

use super::request::directory::RequestDirectory;
use crate::cli::CheckArgs;
use crate::failure::{Exit, Failure, io_cause};
use crate::files::directory_of;
use crate::home::Home;
use crate::rows::CsvOptions;

/// What an operator can do about a run that is not this one.
const ANOTHER_RUN: &str = "give the command that began it, or begin anew with --restart: what that run was charged stays charged";

/// The checkpoint of this command's run, locked, with what is in it.
#[derive(Debug)]
pub(super) struct KeptRun {
    pub(super) checkpoint: Checkpoint,
    /// What was begun before: of a request, whatever became of it; of a list by itself, only where a session was admitted.
    pub(super) run: Option<Run>,
    pub(super) session: KeptSession,
    of_request: bool,
    /// What else is there goes when this run begins, and not before.
    pub(super) replaces: bool,
}

impl KeptRun {
    /// Opens it. A run of a list by itself that was never admitted counts for nothing: it was charged nothing.
    ///
    /// # Errors
    /// Exit 3: another check is at work on it; others may read it; it is damaged, or another version's; under `--resume`, there is nothing.
    pub(super) fn open(args: &CheckArgs, home: &Home, directory: Option<&RequestDirectory>) -> Result<Self, Failure> {
        let place = match directory {
            Some(directory) => directory.checkpoint(),
            None => place_of(home, &args.output)?,
        };
        check_private(&place)?;
        let opened = Checkpoint::open(Arc::new(RealDisk), &place);
        let checkpoint = opened.map_err(|error| match error {
            StoreError::InUse { .. } => {
                let what = if directory.is_some() {
                    "another check of this request is at work"
                } else {
                    "another check is at work on this --output"
                };
                Failure::input("in_use", what).with_hint("wait for it, or stop it; then run the same command again")
            }
            error => error.into(),
        })?;
        let of_request = directory.is_some();
        let usable = |failure: Failure| {
            if failure.exit() != Exit::BadInput || failure.code() == "disk" {
                return failure;
            }
            failure.with_hint(if of_request {
                "use the version of oblink that wrote it, or restore it: the Hello in it is the only one that this request will ever have"
            } else {
                "use the version of oblink that wrote it, or begin anew with --restart: what that run was charged stays charged"
            })
        };
        // What is there goes when the new run begins, and not before: until then the command may be found wrong.
        if args.restart {
            return Ok(Self { checkpoint, run: None, session: KeptSession::None, of_request, replaces: true });
        }
        let session = checkpoint.read_session().map_err(|error| usable(error.into()))?;
        // Batches are written after the session: where they are without it, it was lost, and the same Hello brings it again, for nothing.
        let session = match session {
            KeptSession::None if checkpoint.has_batches()? => KeptSession::Damaged,
            session => session,
        };
        let run = match (&session, of_request) {
            (KeptSession::None, false) => None,
            _ => checkpoint.read_run().map_err(|error| usable(error.into()))?,
        };
        let session = if run.is_some() { session } else { KeptSession::None };
        let kept = Self { checkpoint, run, session, of_request, replaces: false };
        if args.resume && !kept.is_admitted() {
            let place = place.display().to_string();
            kept.leave()?;
            return Err(Failure::input("nothing_to_resume", format!("there is no run to go on with at {place}"))
                .with_hint("without --resume the same command begins one; --request or --output tells which run is meant"));
        }
        Ok(kept)
    }

    /// What there is of an earlier run, where there is anything: nothing is made for one that is yet to begin.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(super) fn look(args: &CheckArgs, home: &Home, directory: Option<&RequestDirectory>) -> Result<Option<Self>, Failure> {
        let place = match directory {
            Some(directory) => directory.checkpoint(),
            None => place_of(home, &args.output)?,
        };
        place.exists().then(|| Self::open(args, home, directory)).transpose()
    }

    /// Whether the holder admitted this run before.
    pub(super) fn is_admitted(&self) -> bool {
        self.session != KeptSession::None
    }

    /// Whether the run is of these parties and this way of reading: asked before a list is read.
    ///
    /// # Errors
    /// Exit 3, naming what is another.
    pub(super) fn check_parties(&self, home: &Home, holder: &Fingerprint, ruleset: &Ruleset, options: &[u8; 32]) -> Result<(), Failure> {
        let Some(run) = &self.run else { return Ok(()) };
        if run.holder != *holder.as_bytes() {
            return Err(self.is_another(&format!("to another holder, {}", Fingerprint::from_bytes(run.holder))));
        }
        if run.verifier != *home.fingerprint().as_bytes() {
            return Err(self.is_another(&format!("by another verifier, {}", Fingerprint::from_bytes(run.verifier))));
        }
        if run.ruleset_digest != ruleset.digest() {
            return Err(self.is_another("under another --ruleset, or another version of it"));
        }
        if !self.of_request && run.options_digest != *options {
            return Err(self.is_another("of a list that is read in another way (--map, --delimiter, --encoding, --columns)"));
        }
        Ok(())
    }

    /// Whether the run is of this list, or of this request. A request commits to its list, so of one that is asked its file may be another.
    ///
    /// # Errors
    /// Exit 3, naming what is another.
    pub(super) fn check_list(&self, request: &[u8], input_sha256: &[u8; 32]) -> Result<(), Failure> {
        let Some(run) = &self.run else { return Ok(()) };
        if !self.of_request && run.input_sha256 != *input_sha256 {
            return Err(self.is_another("of another list: the input is not what it was"));
        }
        if run.request != request {
            return Err(self.is_another("of another request"));
        }
        Ok(())
    }

    /// The run is not this command's.
    pub(super) fn is_another(&self, what: &str) -> Failure {
        let failure = Failure::input("another_run", format!("{} keeps a run that broke off, {what}", self.checkpoint.dir().display()));
        if self.of_request {
            failure.with_hint("give the command that began it: a request is asked of one holder, by one verifier, and its session goes on until it is answered")
        } else {
            failure.with_hint(ANOTHER_RUN)
        }
    }

    /// Ends without a session: nothing stays but a request's Hello.
    ///
    /// # Errors
    /// Exit 3: it cannot be removed.
    pub(super) fn leave(self) -> Result<(), Failure> {
        if self.is_admitted() || self.replaces {
            return Ok(());
        }
        let keep = self.of_request && self.run.is_some();
        Ok(self.checkpoint.finish(keep)?)
    }
}

/// The checkpoint of a list by itself: by where its results go.
fn place_of(home: &Home, output: &Path) -> Result<PathBuf, Failure> {
    let cannot = |error| Failure::input("output", format!("cannot open the directory of {}: {}", output.display(), io_cause(&error)));
    let directory = fs::canonicalize(directory_of(output)).map_err(cannot)?;
    let path = directory.join(output.file_name().unwrap_or(OsStr::new("")));
    Ok(home.checkpoints().join(to_hex(&Sha256::digest(path.as_os_str().as_bytes()))))
}

/// It holds a seed, and tags: nobody else may read it.
fn check_private(place: &Path) -> Result<(), Failure> {
    let exposed = |path: &Path| {
        let shown = path.display();
        Failure::input("checkpoint_exposed", format!("what is kept of a run is open to other users: {shown}")).with_hint(format!(
            "chmod go= {shown}; if others may have read it, they can test guesses at rows: tell whoever is responsible for the list"
        ))
    };
    let wide = |path: &Path| match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.permissions().mode() & 0o077 != 0 => Err(exposed(path)),
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::input("disk", format!("cannot open {}: {}", path.display(), io_cause(&error)))),
    };
    if wide(place)? {
        for name in ["run", "session", "batches", "receipt"] {
            wide(&place.join(name))?;
        }
    }
    Ok(())
}

/// Digest of all options that bear on what the rows of an input are. Where it is read from does not.
pub(super) fn options_digest(options: &CsvOptions) -> [u8; 32] {
    // Member by member: a new one must be thought about.
    let CsvOptions { delimiter, encoding, map, columns, of_request } = options;
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    part(&[delimiter.byte(), u8::from(*of_request), u8::from(columns.is_some())]);
    part(encoding.name().as_bytes());
    for map in map {
        part(map.field.name().as_bytes());
        part(map.header.as_bytes());
    }
    part(b"");
    for column in columns.iter().flatten() {
        part(column.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_read_otherwise_have_other_digests() {
        let map = |text: &str| vec![text.parse().unwrap()];
        let columns = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
        let base = CsvOptions::default();
        let all = [
            base.clone(),
            CsvOptions { delimiter: ";".parse().unwrap(), ..base.clone() },
            CsvOptions { encoding: "latin-1".parse().unwrap(), ..base.clone() },
            CsvOptions { map: map("name=A"), ..base.clone() },
            CsvOptions { map: map("name=B"), ..base.clone() },
            CsvOptions { map: map("city=A"), ..base.clone() },
            CsvOptions { columns: columns(&["name"]), ..base.clone() },
            CsvOptions { columns: columns(&["name", ""]), ..base.clone() },
            CsvOptions { columns: columns(&[]), ..base.clone() },
            CsvOptions { of_request: true, ..base.clone() },
        ];
        let digests: std::collections::BTreeSet<_> = all.iter().map(options_digest).collect();
        assert_eq!(digests.len(), all.len());
        assert_eq!(options_digest(&base), options_digest(&CsvOptions::default()));
    }
}
