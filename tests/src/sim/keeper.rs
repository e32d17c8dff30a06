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
    run: Run,
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
    /// What an earlier process kept, or a beginning with a fresh handshake.
    pub(crate) fn open(
        disk: &SimDisk,
        number: usize,
        request: &[u8],
        seed: Option<BlindSeed>,
        fresh: Vec<u8>,
        verifier: [u8; 32],
    ) -> Result<Self, Failed> {
        let mut checkpoint = Checkpoint::open(Arc::new(disk.clone()), &directory(number))?;
        let run = match checkpoint.read_run()? {
            Some(run) if run.request == request => run,
            Some(_) => return Err(Failed::Own("damaged: the checkpoint is of another request".to_owned())),
            None => {
                let digest = [number as u8; 32];
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
                checkpoint.begin(&run)?;
                run
            }
        };
        let saved = match checkpoint.read_session()? {
            KeptSession::Saved(saved) => Some(saved),
            KeptSession::None => None,
            KeptSession::Damaged => return Err(Failed::Own("damaged: the kept session".to_owned())),
        };
        Ok(Self { disk: disk.clone(), checkpoint, run, saved, kept: BTreeMap::new(), opened: false })
    }

    /// The handshake to restore.
    pub(crate) fn handshake(&self) -> &[u8] {
        &self.run.handshake
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
    pub(crate) fn finished(&mut self, context: &Arc<VerifierContext>, counts: &mut Counts) -> Result<Option<(Finished, Frame, VerifiedSet)>, Failed> {
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
        let saved = match self.saved.take() {
            Some(saved) => saved,
            None => {
                let saved = session.save()?;
                self.checkpoint.keep_session(&saved)?;
                saved
            }
        };
        if believing && !self.opened {
            self.believe(&session);
        }
        self.open_batches(&session, counts)?;
        let resumed = session.resume(&saved, self.kept.values().map(|(batch, _)| *batch).collect());
        self.saved = Some(saved);
        Ok(resumed?)
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
        self.kept.insert(kept.index, (kept, tags.to_vec()));
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
        let keep_run = self.run.seed.is_none();
        Ok(self.checkpoint.finish(keep_run)?)
    }
}
