//! How far a run of `check` is: what it has verified, in memory and on its disk, over all its connections.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use oblink_session::request::Request;
use oblink_session::tag::Tag;
use oblink_session::verifier::{AwaitingReceipt, Finished, KeptBatch, VerifierContext, VerifierSession};
use oblink_session::wire::{Frame, FrameType};
use oblink_store::checkpoint::{Checkpoint, KeptReceipt, KeptSession, Run};
use oblink_store::disk::RealDisk;
use oblink_store::sealed::{VerifiedSet, set_path};

use super::kept::KeptRun;
use crate::date::unix_ms;
use crate::failure::Failure;
use crate::report::Bar;

/// How long a verified batch may be lost to a machine that loses its power: what is lost is asked again.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Tags that have come out, with the index of their token.
pub(super) type Asked = Vec<(Tag, u64)>;

/// What a run has, shared by all work on it. Work that is still under way when its line breaks may book here later: it is the same run.
pub(super) struct Progress {
    state: Mutex<State>,
    bar: Bar,
    /// Batches that an earlier run left.
    pub(super) resumed: u64,
}

struct State {
    checkpoint: Checkpoint,
    /// To be written before the first Hello.
    begin: Option<Run>,
    /// Whether another run is there until then, which is to be thrown away.
    replaces: bool,
    /// What an earlier version kept, superseded by that.
    superseded: Option<PathBuf>,
    /// The session as it was at its first Welcome.
    saved: Option<Vec<u8>>,
    /// Whether an earlier run was admitted, whatever is left of its session.
    admitted_before: bool,
    batches_open: bool,
    batches: BTreeMap<u64, KeptBatch>,
    asked: Asked,
    synced: Instant,
    /// When something last came of it.
    last: Instant,
    welcomes: u64,
}

/// A session whose receipt came before the run broke off.
pub(super) struct Answered {
    pub(super) finished: Finished,
    pub(super) set: VerifiedSet,
    pub(super) awaiting_head: oblink_session::head::LogHead,
}

/// Bytes of a tag on the disk.
fn tag_bytes(session: &VerifierSession) -> u8 {
    session.offer().descriptor.tau.bits().div_ceil(8) as u8
}

fn too_old(error: &oblink_session::Error) -> Failure {
    Failure::input("checkpoint_version", format!("what is kept of this run cannot be used: {error}"))
        .with_hint("use the version of oblink that began it; a run without --request can be begun anew with --restart: what it was charged stays charged")
}

impl Progress {
    /// Takes up what is kept. `tokens` is how many the request has; `begin` is written before the first Hello where nothing is kept.
    ///
    /// # Errors
    /// Exit 3: it cannot be read, or is another version's.
    pub(super) fn new(
        kept: KeptRun,
        begin: Option<Run>,
        superseded: Option<PathBuf>,
        context: &std::sync::Arc<VerifierContext>,
        tokens: u64,
        bar: Bar,
    ) -> Result<Self, Failure> {
        let admitted_before = kept.is_admitted();
        let KeptRun { checkpoint, session, replaces, .. } = kept;
        let saved = match session {
            KeptSession::Saved(saved) => Some(saved),
            KeptSession::None | KeptSession::Damaged => None,
        };
        let now = Instant::now();
        let asked = Vec::with_capacity(usize::try_from(tokens).unwrap_or(0));
        let mut state = State {
            checkpoint,
            begin,
            replaces,
            superseded,
            saved,
            admitted_before,
            batches_open: false,
            batches: BTreeMap::new(),
            asked,
            synced: now,
            last: now,
            welcomes: 0,
        };
        if let Some(saved) = &state.saved {
            let session = VerifierSession::restore(std::sync::Arc::clone(context), saved).map_err(|error| too_old(&error))?;
            state.open_batches(&session)?;
        }
        let resumed = state.batches.len() as u64;
        bar.begin_at(state.asked.len() as u64);
        Ok(Self { state: Mutex::new(state), bar, resumed })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before a Hello: what the run is of is on the disk.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn begin(&self) -> Result<(), Failure> {
        let mut state = self.state();
        if let Some(run) = state.begin.take() {
            state.checkpoint.begin(&run)?;
            if let Some(old) = state.superseded.take() {
                // It says the same Hello; one that stays does no harm.
                let _ = fs::remove_file(old);
            }
        }
        Ok(())
    }

    /// After Welcome: the session is on the disk, and goes on where it was.
    ///
    /// # Errors
    /// As [`VerifierSession::resume`]; exit 3: it cannot be written.
    pub(super) fn admitted(&self, session: VerifierSession) -> Result<VerifierSession, Failure> {
        let mut state = self.state();
        let state = &mut *state;
        let saved = match &state.saved {
            Some(saved) => saved,
            None => {
                // Of a session that was lost, nobody can say under which set and key its batches were: they are asked again, for nothing.
                state.checkpoint.forget()?;
                let saved = session.save()?;
                state.checkpoint.keep_session(&saved)?;
                state.saved.insert(saved)
            }
        };
        // Before what is kept under another session's name is thrown away, the session is shown to be this one.
        if state.batches_open {
            let session = session.resume(saved, state.batches.values().copied().collect())?;
            state.welcomes += 1;
            return Ok(session);
        }
        let saved = saved.clone();
        state.open_batches(&session)?;
        self.bar.begin_at(state.asked.len() as u64);
        state.welcomes += 1;
        Ok(session.resume(&saved, state.batches.values().copied().collect())?)
    }

    /// Books a verified batch with its tags, once.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn book(&self, kept: KeptBatch, tags: &[Tag]) -> Result<(), Failure> {
        let mut state = self.state();
        // The session has compared it with what it was, where it was asked again. Nothing new came of it.
        if state.batches.contains_key(&kept.index) {
            return Ok(());
        }
        state.last = Instant::now();
        state.checkpoint.append(&kept, tags)?;
        state.batches.insert(kept.index, kept);
        state.asked.extend(tags.iter().copied().zip(kept.first_token..));
        if state.synced.elapsed() >= SYNC_EVERY {
            state.checkpoint.sync()?;
            state.synced = Instant::now();
        }
        self.bar.add(tags.len() as u64);
        Ok(())
    }

    /// Something came of it: bytes of the set are on the disk.
    pub(super) fn touch(&self) {
        self.state().last = Instant::now();
    }

    /// Before Complete: all batches are durable.
    ///
    /// # Errors
    /// Exit 3: they cannot be.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        Ok(self.state().checkpoint.sync()?)
    }

    /// Before results: the receipt is durable, with what takes it.
    ///
    /// # Errors
    /// Exit 3: it cannot be written.
    pub(super) fn keep_receipt(&self, awaiting: Vec<u8>, receipt: &Frame, set: &VerifiedSet) -> Result<(), Failure> {
        let clock_unix_ms = unix_ms(SystemTime::now());
        let state = self.state();
        // Another run may fetch a later set, and put this one away. Where it cannot have a second name (on another file system), it is asked for again.
        if let Err(error) = fs::hard_link(set.path(), state.checkpoint.set())
            && error.kind() != ErrorKind::AlreadyExists
        {
            tracing::debug!(%error, "the set has no second name beside the receipt");
        }
        Ok(state.checkpoint.keep_receipt(&KeptReceipt { clock_unix_ms, awaiting, body: receipt.body.clone() })?)
    }

    /// What an earlier run had when it broke off: a receipt, which is checked again, all tags, and the set, which is checked again (SPEC END-4, RES-6).
    /// `None` where one of them is missing or does not hold: then the holder is asked.
    pub(super) fn answered(
        &self,
        context: &std::sync::Arc<VerifierContext>,
        holder: &[u8; 32],
        request: &Request,
        sets: &std::path::Path,
    ) -> Option<Answered> {
        let state = self.state();
        let saved = state.saved.as_ref()?;
        let receipt = state.checkpoint.read_receipt().ok()??;
        if state.asked.len() as u64 != request.tokens() {
            return None;
        }
        let session = VerifierSession::restore(std::sync::Arc::clone(context), saved).ok()?;
        let opened = |path: &std::path::Path| VerifiedSet::open(&RealDisk, path, session.offer()).ok();
        let set = opened(&set_path(sets, &session.offer().set_id)).or_else(|| opened(&state.checkpoint.set()))?;
        let awaiting = AwaitingReceipt::restore(std::sync::Arc::clone(context), &receipt.awaiting, &set).ok()?;
        // The tags that are looked up are those of the batches that the receipt is of.
        if !awaiting.is_of(state.batches.values().copied()) {
            return None;
        }
        let awaiting_head = *awaiting.welcomed();
        let frame = Frame { kind: FrameType::Receipt, body: receipt.body };
        let (finished, _) = awaiting.receive_receipt(&frame, receipt.clock_unix_ms).ok()?;
        let facts = finished.facts();
        // And this command's: what was put back from a copy may be of several runs.
        let own = facts.session_id() == *session.session_id() && facts.request_digest == request.digest() && facts.holder == *holder;
        own.then_some(Answered { finished, set, awaiting_head })
    }

    /// Whether the holder has admitted this run.
    pub(super) fn is_admitted(&self) -> bool {
        let state = self.state();
        state.saved.is_some() || state.admitted_before
    }

    /// Batches verified.
    pub(super) fn verified(&self) -> u64 {
        self.state().batches.len() as u64
    }

    /// Welcomes after the first of this process.
    pub(super) fn reconnects(&self) -> u64 {
        self.state().welcomes.saturating_sub(1)
    }

    /// How long nothing has come of it.
    pub(super) fn idle(&self) -> Duration {
        self.state().last.elapsed()
    }

    /// The count of idle time begins when the holder is first asked, not when the list is read.
    pub(super) fn start(&self) {
        self.touch();
    }

    /// All tags, each once; they are the caller's now.
    pub(super) fn take_asked(&self) -> Asked {
        std::mem::take(&mut self.state().asked)
    }

    /// The bar has done its work.
    pub(super) fn hide_bar(&self) {
        self.bar.finish();
    }

    /// The run is over, or was never admitted: nothing of it stays, but the Hello of a request, where it was said.
    ///
    /// # Errors
    /// Exit 3: it cannot be removed.
    pub(super) fn finish(self, of_request: bool) -> Result<(), Failure> {
        let state = self.state.into_inner().unwrap_or_else(PoisonError::into_inner);
        if state.replaces && state.begin.is_some() {
            return Ok(());
        }
        Ok(state.checkpoint.finish(of_request && state.begin.is_none())?)
    }
}

impl State {
    fn open_batches(&mut self, session: &VerifierSession) -> Result<(), Failure> {
        let (batches, asked) = (&mut self.batches, &mut self.asked);
        let reopened = self.checkpoint.open_batches(session.session_id(), tag_bytes(session), |kept, tags| {
            asked.extend(tags.into_iter().zip(kept.first_token..));
            batches.insert(kept.index, kept);
        })?;
        if reopened.bytes_cut > 0 {
            tracing::info!(bytes = reopened.bytes_cut, "the end of what was kept was cut off or damaged: it is asked again");
        }
        self.batches_open = true;
        Ok(())
    }
}
