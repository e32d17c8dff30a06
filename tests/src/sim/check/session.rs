//! From Welcome to Complete, and the looking up: batches, the set, results.

use std::path::Path;
use std::sync::Arc;

use oblink_session::verifier::{BatchPlan, BlindedBatch, VerifierSession};
use oblink_session::wire::{Frame, SetChunk};
use oblink_store::Error as StoreError;
use oblink_store::sealed::{ReceivedSet, VerifiedSet, set_path};

use super::{ANSWER_WAIT, Check, Failed, SETS, TheSet, Work};
use crate::sim::breaks::Break;
use crate::sim::context::{Context, Event};
use crate::sim::keeper::{Asked, Keeper};
use crate::sim::network::CONTROL;
use crate::sim::oracle;

impl Check {
    /// As many batches as may be out.
    pub(super) fn more_batches(&mut self, ctx: &mut Context) {
        // A network that brings frames twice needs room among those that the holder admits.
        let most = if ctx.plan.copies > 0 { 4 } else { 8 };
        while self.out.len() + self.at_work < most {
            let Some(plan) = self.session.as_mut().and_then(VerifierSession::next_batch) else { return };
            self.at_work += 1;
            self.push(ctx, Work::Blind(plan));
        }
    }

    fn tokens(&self, first: usize, count: usize) -> Vec<&[u8]> {
        self.list[first..first + count].iter().map(Vec::as_slice).collect()
    }

    pub(super) fn blind(&mut self, ctx: &mut Context, plan: BatchPlan) -> Result<(), Failed> {
        let tokens = self.tokens(plan.first_token() as usize, plan.len());
        let slice = plan.blind_slice(&self.blinder, 0..tokens.len(), &tokens)?;
        let blinded = plan.assemble(vec![slice])?;
        let (Some(session), Some(line)) = (&self.session, self.line) else { return Ok(()) };
        let frame = session.submit(&blinded)?;
        let stream = ctx.network.open_stream(line);
        self.say(ctx, stream, &frame);
        if ctx.chance.hits(ctx.plan.copies)
            && let Some(copy) = ctx.network.copy_of(line)
        {
            self.say(ctx, copy, &frame);
        }
        self.at_work -= 1;
        self.out.insert(stream, blinded);
        Ok(())
    }

    pub(super) fn verify(&mut self, ctx: &mut Context, blinded: BlindedBatch, frame: &Frame) -> Result<(), Failed> {
        let Some(session) = &mut self.session else { return Ok(()) };
        let unverified = session.receive_evaluated(frame, blinded)?;
        let check = unverified.check_slice(0..unverified.len())?;
        let verified = unverified.verify(vec![check])?;
        let first = verified.first_token();
        let count: usize = verified.slices().map(|range| range.len()).sum();
        let tokens: Vec<&[u8]> = self.list[first as usize..first as usize + count].iter().map(Vec::as_slice).collect();
        let tags = verified.tags(0, &tokens)?;
        session.accept(&verified)?;
        if let Some(keeper) = &mut self.keeper {
            keeper.keep_batch(&verified, &tags)?;
            if ctx.chance.one_in(8) {
                keeper.sync()?;
            }
        }
        self.at_work -= 1;
        self.more_batches(ctx);
        self.complete_if_due(ctx);
        Ok(())
    }

    pub(super) fn open_set(&mut self, ctx: &mut Context) -> Result<(), Failed> {
        let (Some(session), Some(line)) = (&self.session, self.line) else { return Ok(()) };
        let offer = session.offer().clone();
        if let Ok(set) = VerifiedSet::open(&self.disk, &set_path(Path::new(SETS), &offer.set_id), &offer) {
            self.set = TheSet::Here(set);
            self.complete_if_due(ctx);
            return Ok(());
        }
        let receiving = match ReceivedSet::begin(Arc::new(self.disk.clone()), Path::new(SETS), &offer) {
            Err(StoreError::InUse { .. }) => {
                self.push_after(ctx, 200, Work::OpenSet);
                return Ok(());
            }
            begun => begun?,
        };
        if receiving.is_complete() {
            self.set = TheSet::Receiving(receiving, CONTROL);
            self.push(ctx, Work::VerifySet);
            return Ok(());
        }
        let request = session.request_set(receiving.length())?;
        let stream = ctx.network.open_stream(line);
        self.set = TheSet::Receiving(receiving, stream);
        self.say(ctx, stream, &request);
        Ok(())
    }

    pub(super) fn chunk(&mut self, ctx: &mut Context) -> Result<(), Failed> {
        let Some(frame) = self.chunks.pop_front() else { return Ok(()) };
        let TheSet::Receiving(receiving, _) = &mut self.set else { return Ok(()) };
        match frame {
            Some(frame) => {
                let chunk = SetChunk::from_frame(frame).map_err(|error| Failed::Peer(error.to_string()))?;
                receiving.append(chunk.offset, &chunk.bytes)?;
            }
            None if !receiving.is_complete() => return Err(Failed::Peer("the set ended before it was whole".to_owned())),
            None => self.push(ctx, Work::VerifySet),
        }
        Ok(())
    }

    pub(super) fn verify_set(&mut self, ctx: &mut Context) -> Result<(), Failed> {
        let TheSet::Receiving(receiving, _) = std::mem::replace(&mut self.set, TheSet::Wanted) else { return Ok(()) };
        match receiving.verify() {
            Err(StoreError::Corrupt { .. }) if !self.set_again => {
                ctx.counts.add("verifier: set damaged by a loss of power, fetched again", 1);
                self.set_again = true;
                self.push(ctx, Work::OpenSet);
            }
            verified => {
                self.set = TheSet::Here(verified?);
                self.complete_if_due(ctx);
            }
        }
        Ok(())
    }

    pub(super) fn complete_if_due(&mut self, ctx: &mut Context) {
        let all = self.session.as_ref().is_some_and(|session| session.verified() == self.request.batches());
        if !self.completing && all && matches!(self.set, TheSet::Here(_)) {
            self.completing = true;
            self.push(ctx, Work::Complete);
        }
    }

    pub(super) fn complete(&mut self, ctx: &mut Context) -> Result<(), Failed> {
        let TheSet::Here(set) = &self.set else { return Ok(()) };
        if ctx.is_broken(Break::ResultsBeforeReceipt) {
            let bytes = results(self.asked(ctx), set, ctx.plan.tokens_per_pair, ctx.plan.checks[self.number].pairs.len())?;
            ctx.oracle.writes_results(self.number, &self.request, &bytes);
        }
        if let Some(keeper) = &mut self.keeper {
            keeper.sync()?;
        }
        let Some(session) = self.session.take() else { return Ok(()) };
        let (awaiting, frame) = session.complete(set)?;
        self.awaiting = Some(awaiting);
        self.say(ctx, CONTROL, &frame);
        if let Some(line) = self.line {
            ctx.after(ANSWER_WAIT, Event::AnswerWaited { check: self.number, life: self.life, line });
        }
        Ok(())
    }

    /// All tags of the list, unless some are to be lost.
    fn asked(&self, ctx: &Context) -> Asked {
        let mut asked = self.keeper.as_ref().map(Keeper::asked).unwrap_or_default();
        if ctx.is_broken(Break::DropBatch) {
            asked.retain(|(_, token)| *token >= u64::from(ctx.plan.checks[self.number].batch_tokens));
        }
        asked
    }

    pub(super) fn look_up(&mut self, ctx: &mut Context) -> Result<Vec<u8>, Failed> {
        let TheSet::Here(set) = &self.set else { return Err(Failed::Own("the set is not here".to_owned())) };
        Ok(results(self.asked(ctx), set, ctx.plan.tokens_per_pair, ctx.plan.checks[self.number].pairs.len())?)
    }
}

/// The results file: a line a pair.
fn results(mut asked: Asked, set: &VerifiedSet, per_pair: u16, pairs: usize) -> Result<Vec<u8>, StoreError> {
    let mut matched = vec![false; pairs];
    for token in set.join(&mut asked)? {
        if let Some(pair) = matched.get_mut((token / u64::from(per_pair)) as usize) {
            *pair = true;
        }
    }
    Ok(oracle::results_of(&matched))
}
