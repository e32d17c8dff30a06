//! What a check keeps on its disk, so that whatever dies, the same command goes on.

use std::path::{Path, PathBuf};

use oblink_session::Error;
use oblink_session::tag::Tag;
use oblink_session::verifier::{VerifiedBatch, VerifierSession};
use oblink_session::wire::Frame;
use oblink_store::Error as StoreError;
use oblink_store::disk::{Disk, write_bytes_atomically};

use super::check::Failed;
use super::disk::SimDisk;

/// The verifier's checkpoints.
pub(crate) const CHECKPOINTS: &str = "/verifier/checkpoints";

/// The keeper of one check.
#[derive(Debug)]
pub(crate) struct Keeper {
    disk: SimDisk,
    path: PathBuf,
    handshake: Vec<u8>,
}

impl Keeper {
    /// What an earlier process kept, or a beginning with `fresh`.
    pub(crate) fn open(disk: &SimDisk, number: usize, _request: &[u8], fresh: &[u8]) -> Result<Self, Failed> {
        let path = Path::new(CHECKPOINTS).join(format!("{number}"));
        let own = |error: std::io::Error| Failed::Own(format!("the checkpoint: {error}"));
        let handshake = match disk.open(&path) {
            Ok(file) => {
                let mut bytes = vec![0; file.length().map_err(own)? as usize];
                file.read_at(0, &mut bytes).map_err(own)?;
                bytes
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                write_bytes_atomically(disk, &path, fresh)?;
                fresh.to_vec()
            }
            Err(error) => return Err(own(error)),
        };
        Ok(Self { disk: disk.clone(), path, handshake })
    }

    /// The handshake to restore.
    pub(crate) fn handshake(&self) -> &[u8] {
        &self.handshake
    }

    /// Goes on with what was kept of the session.
    pub(crate) fn take_up(&mut self, session: VerifierSession, _believing: bool) -> Result<(VerifierSession, Vec<(Tag, u64)>), Error> {
        Ok((session, Vec::new()))
    }

    /// A batch was verified.
    pub(crate) fn keep_batch(&mut self, _batch: &VerifiedBatch, _tags: &[Tag]) -> Result<(), StoreError> {
        Ok(())
    }

    /// The receipt has come.
    pub(crate) fn keep_receipt(&mut self, _frame: &Frame, _clock: u64) -> Result<(), StoreError> {
        Ok(())
    }

    /// Everything so far is durable.
    pub(crate) fn sync(&mut self) -> Result<(), StoreError> {
        Ok(())
    }

    /// The check is over.
    pub(crate) fn remove(self) -> Result<(), Failed> {
        self.disk.remove(&self.path).map_err(|error| Failed::Own(format!("the checkpoint: {error}")))
    }
}
