//! What a check keeps on its disk, so that whatever dies, the same command goes on: the program's checkpoint, and its order.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::blind::BlindSeed;
use oblink_session::tag::Tag;
use oblink_session::verifier::{AwaitingReceipt, Finished, KeptBatch, VerifiedBatch, VerifierContext, VerifierSession};
use oblink_session::wire::{Frame, FrameType};
use oblink_store::checkpoint::{Checkpoint, KeptReceipt, KeptSession, Run};
use oblink_store::disk::Disk;
use oblink_store::sealed::{VerifiedSet, set_path};

use super::check::{Failed, SETS};
use super::counts::Counts;
use super::disk::SimDisk;
use super::parties;

/// The verifier's checkpoints.
pub(crate) const CHECKPOINTS: &str = "/verifier/checkpoints";

/// Tags that have come out, with the index of their token.
pub(crate) type Asked = Vec<(Tag, u64)>;

/// The keeper of one check.
#[derive(Debug)]
pub(crate) struct Keeper {
    disk: SimDisk,
    checkpoint: Checkpoint,
    run: Option<Run>,
    saved: Option<Vec<u8>>,
    /// Verified batches, of this process and those before.
    kept: BTreeMap<u64, (KeptBatch, Vec<Tag>)>,
    opened: bool,
}

/// Where the checkpoint of a check is.
pub(crate) fn directory(number: usize) -> PathBuf {
    Path::new(CHECKPOINTS).join(number.to_string())
}

fn tag_bytes(session: &VerifierSession) -> u8 {
    session.offer().descriptor.tau.bits().div_ceil(8) as u8
}

impl Keeper {
    /// What an earlier process kept. A run of a list by itself that was never admitted counts for nothing.
    pub(crate) fn open(disk: &SimDisk, number: usize, signed: bool) -> Result<Self, Failed> {
        let checkpoint = Checkpoint::open(Arc::new(disk.clone()), &directory(number))?;
        let session = checkpoint.read_session()?;
        let run = if session == KeptSession::None && !signed { None } else { checkpoint.read_run()? };
        let saved = match session {
            KeptSession::Saved(saved) if run.is_some() => Some(saved),
            KeptSession::Damaged if run.is_some() => return Err(Failed::Own("damaged: the kept session".to_owned())),
            _ => None,
        };
        Ok(Self { disk: disk.clone(), checkpoint, run, saved, kept: BTreeMap::new(), opened: false })
    }

    /// The request of the run that is kept.
    pub(crate) fn request(&self) -> Option<&[u8]> {
        self.run.as_ref().map(|run| run.request.as_slice())
    }

    /// Whether the holder has admitted the run.
    pub(crate) fn is_admitted(&self) -> bool {
        self.saved.is_some()
    }

    /// Begins a run with a fresh handshake.
    pub(crate) fn begin(&mut self, request: &[u8], seed: Option<BlindSeed>, fresh: Vec<u8>, verifier: [u8; 32]) -> Result<(), Failed> {
        let digest = [0; 32];
        let run = Run {
            request: request.to_vec(),
            input_sha256: digest,
            options_digest: digest,
            ruleset_digest: digest,
            verifier,
            holder: parties::holder().1,
            seed,
            handshake: fresh,
        };
        self.checkpoint.begin(&run)?;
        self.run = Some(run);
        Ok(())
    }

    /// The handshake to restore.
    pub(crate) fn handshake(&self) -> &[u8] {
        self.run.as_ref().map_or(&[], |run| run.handshake.as_slice())
    }

    fn open_batches(&mut self, session: &VerifierSession, counts: &mut Counts) -> Result<(), Failed> {
        if self.opened {
            return Ok(());
        }
        let kept = &mut self.kept;
        let reopened = self.checkpoint.open_batches(session.session_id(), tag_bytes(session), |batch, tags| {
            kept.insert(batch.index, (batch, tags));
        })?;
        counts.add("checkpoint: batches found again", reopened.batches);
        counts.add("checkpoint: damaged tails cut", u64::from(reopened.bytes_cut > 0));
        self.opened = true;
        Ok(())
    }

    /// The receipt that an earlier process had, with everything that results need; `None` where the holder has to be asked.
    pub(crate) fn finished(
        &mut self,
        context: &Arc<VerifierContext>,
        counts: &mut Counts,
    ) -> Result<Option<(Finished, Frame, VerifiedSet)>, Failed> {
        let (Some(receipt), Some(saved)) = (self.checkpoint.read_receipt()?, &self.saved) else { return Ok(None) };
        let session = VerifierSession::restore(Arc::clone(context), saved)?;
        self.open_batches(&session, counts)?;
        let offer = session.offer().clone();
        let Ok(set) = VerifiedSet::open(&self.disk, &set_path(Path::new(SETS), &offer.set_id), &offer) else { return Ok(None) };
        if self.kept.len() as u64 != session.request().batches() {
            return Ok(None);
        }
        let awaiting = AwaitingReceipt::restore(Arc::clone(context), &receipt.awaiting, &set)?;
        let frame = Frame { kind: FrameType::Receipt, body: receipt.body };
        let (finished, acknowledge) = awaiting.receive_receipt(&frame, receipt.clock_unix_ms)?;
        counts.add("checkpoint: results written from a kept receipt", 1);
        Ok(Some((finished, acknowledge, set)))
    }

    /// Goes on with what was kept of the session.
    pub(crate) fn take_up(&mut self, session: VerifierSession, believing: bool, counts: &mut Counts) -> Result<VerifierSession, Failed> {
        let saved = match &self.saved {
            Some(saved) => saved.clone(),
            None => {
                let saved = session.save()?;
                self.checkpoint.keep_session(&saved)?;
                self.saved = Some(saved.clone());
                saved
            }
        };
        if believing && !self.opened {
            self.believe(&session);
        }
        self.open_batches(&session, counts)?;
        Ok(session.resume(&saved, self.kept.values().map(|(batch, _)| *batch).collect())?)
    }

    /// What a verifier finds that does not look at digests: for one that is broken on purpose.
    fn believe(&mut self, session: &VerifierSession) {
        let Ok(file) = self.disk.open(&self.checkpoint.dir().join("batches")) else { return };
        let mut bytes = vec![0; file.length().unwrap_or(0) as usize];
        let _ = file.read_at(0, &mut bytes);
        let width = usize::from(tag_bytes(session));
        let mut rest = bytes.get(57..).unwrap_or_default();
        while rest.len() >= 84 {
            let number = |range: std::ops::Range<usize>| rest[range].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
            let digest = |from: usize| rest[from..from + 32].try_into().unwrap();
            let (index, first_token, tokens) = (number(0..8), number(8..16), number(16..20) as u32);
            if session.request().batch(index) != Some((first_token, tokens)) {
                return;
            }
            let mut tags = vec![0; tokens as usize * width];
            let there = tags.len().min(rest.len() - 84);
            tags[..there].copy_from_slice(&rest[84..84 + there]);
            let tags = tags.chunks(width).map(|tag| Tag(tag.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte)))).collect();
            let batch = KeptBatch { index, first_token, tokens, blinded_digest: digest(20), evaluated_digest: digest(52) };
            self.kept.insert(index, (batch, tags));
            rest = rest.get(84 + tokens as usize * width + 32..).unwrap_or_default();
        }
    }

    /// A batch was verified.
    pub(crate) fn keep_batch(&mut self, batch: &VerifiedBatch, tags: &[Tag]) -> Result<(), Failed> {
        let kept = batch.kept();
        self.checkpoint.append(&kept, tags)?;
        self.kept.entry(kept.index).or_insert_with(|| (kept, tags.to_vec()));
        Ok(())
    }

    /// All tags, with the index of their token.
    pub(crate) fn asked(&self) -> Asked {
        self.kept.values().flat_map(|(batch, tags)| tags.iter().copied().zip(batch.first_token..)).collect()
    }

    /// The receipt has come.
    pub(crate) fn keep_receipt(&mut self, awaiting: Vec<u8>, frame: &Frame, clock_unix_ms: u64) -> Result<(), Failed> {
        Ok(self.checkpoint.keep_receipt(&KeptReceipt { clock_unix_ms, awaiting, body: frame.body.clone() })?)
    }

    /// Everything so far is durable.
    pub(crate) fn sync(&mut self) -> Result<(), Failed> {
        Ok(self.checkpoint.sync()?)
    }

    /// The check is over.
    pub(crate) fn remove(self) -> Result<(), Failed> {
        let keep_run = self.run.as_ref().is_some_and(|run| run.seed.is_none());
        Ok(self.checkpoint.finish(keep_run)?)
    }
}
