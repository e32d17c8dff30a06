//! Epochs and their sets, replayed.

use super::super::entries::{EpochBegin, EpochClosing, EpochEnded, ImportEpoch, Seal};
use super::Tampered;
use super::model::{Entry, Model};
use super::sessions::State;

/// An epoch, as its row has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Epoch {
    /// Its set as it is now, with what the epoch began with.
    pub(super) set: EpochBegin,
    pub(super) verifier: Option<[u8; 32]>,
    pub(super) begun_unix_ms: u64,
    pub(super) closing: Option<(u64, String, u64)>,
    pub(super) ended: Option<(u64, String)>,
}

/// A set that another took the place of, as its row has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EarlierSet {
    pub(super) epoch: [u8; 16],
    pub(super) as_of: u32,
    pub(super) tags: u64,
    pub(super) set_id: [u8; 32],
    pub(super) set_bytes: u64,
    pub(super) records: u64,
    pub(super) rejected: u64,
    pub(super) input_digest: Option<[u8; 32]>,
    pub(super) replaced_unix_ms: u64,
}

impl Model<'_> {
    /// The epoch that an entry names, current.
    pub(super) fn current(&mut self, entry: &Entry<'_>, id: &[u8; 16]) -> Result<&mut Epoch, Tampered> {
        let epoch = self.epochs.get_mut(id).ok_or_else(|| entry.wrong("its epoch never began"))?;
        if epoch.ended.is_none() { Ok(epoch) } else { Err(entry.wrong("its epoch has ended")) }
    }

    pub(super) fn begin_epoch(&mut self, entry: &Entry<'_>, set: EpochBegin) -> Result<(), Tampered> {
        let epoch = Epoch { verifier: entry.verifier(), begun_unix_ms: entry.unix_ms, closing: None, ended: None, set };
        match self.epochs.insert(epoch.set.epoch.0, epoch) {
            None => Ok(()),
            Some(_) => Err(entry.wrong("its epoch began before")),
        }
    }

    pub(super) fn close_epoch(&mut self, entry: &Entry<'_>, body: EpochClosing) -> Result<(), Tampered> {
        let epoch = self.current(entry, &body.epoch.0)?;
        if epoch.closing.is_some() {
            return Err(entry.wrong("its epoch was closed before"));
        }
        epoch.closing = Some((entry.unix_ms, body.reason, body.grace_until_unix_ms));
        Ok(())
    }

    pub(super) fn end_epoch(&mut self, entry: &Entry<'_>, body: EpochEnded) -> Result<(), Tampered> {
        self.current(entry, &body.epoch.0)?.ended = Some((entry.unix_ms, body.reason));
        for session in self.sessions.values_mut().filter(|session| session.facts.epoch == body.epoch.0 && session.state == State::Open) {
            session.state = State::Suspended;
            session.changed_unix_ms = entry.unix_ms;
        }
        Ok(())
    }

    pub(super) fn seal(&mut self, entry: &Entry<'_>, body: &Seal) -> Result<(), Tampered> {
        let set = &mut self.current(entry, &body.epoch.0)?.set;
        let earlier = EarlierSet {
            epoch: set.epoch.0,
            as_of: set.as_of,
            tags: set.tags,
            set_id: set.set_id.0,
            set_bytes: set.set_bytes,
            records: set.records,
            rejected: set.rejected,
            input_digest: set.input_digest.0,
            replaced_unix_ms: entry.unix_ms,
        };
        (set.as_of, set.declared_tags, set.input_digest) = (body.as_of, body.declared_tags, body.input_digest);
        (set.records, set.rejected, set.session_tokens_max) = (body.records, body.rejected, body.session_tokens_max);
        (set.set_bytes, set.set_id, set.tags, set.tau) = (body.set_bytes, body.set_id, body.tags, body.tau);
        self.earlier_sets.insert(entry.seq, earlier);
        Ok(())
    }

    pub(super) fn import_epoch(&mut self, entry: &Entry<'_>, body: ImportEpoch) -> Result<(), Tampered> {
        let set = EpochBegin {
            as_of: body.as_of,
            declared_tags: body.declared_tags,
            ends_unix_ms: 0,
            epoch: body.epoch,
            evaluations_max: 0,
            input_digest: body.input_digest,
            public_key: body.public_key,
            records: body.records,
            rejected: body.rejected,
            ruleset_digest: body.ruleset_digest,
            session_tokens_max: body.session_tokens_max,
            set_bytes: body.set_bytes,
            set_id: body.set_id,
            suite: body.suite,
            tags: body.tags,
            tau: body.tau,
            tokens_per_pair: body.tokens_per_pair,
        };
        let ended = (body.ended_unix_ms > 0 || !body.end_reason.is_empty()).then_some((body.ended_unix_ms, body.end_reason));
        let epoch = Epoch { set, verifier: entry.verifier(), begun_unix_ms: body.begun_unix_ms, closing: None, ended };
        match self.epochs.insert(body.epoch.0, epoch) {
            None => Ok(()),
            Some(_) => Err(entry.wrong("its epoch was imported before")),
        }
    }
}
