//! The verifier's `check` in a run, a step at a time, over the real session states, checkpoint and sets: from the first Hello to the results,
//! over as many lines as it takes.

mod session;

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oblink_session::Error;
use oblink_session::blind::Blinder;
use oblink_session::error::{Refusal, RefusalKind};
use oblink_session::head::LogHead;
use oblink_session::question::Question;
use oblink_session::request::Request;
use oblink_session::verifier::{AwaitingReceipt, BatchPlan, BlindedBatch, Finished, VerifierContext, VerifierHandshake, VerifierSession};
use oblink_session::wire::{Frame, FrameType};
use oblink_store::Error as StoreError;
use oblink_store::disk::{Disk, write_bytes_atomically};
use oblink_store::sealed::{ReceivedSet, VerifiedSet};

use super::breaks::Break;
use super::context::{Context, Event};
use super::disk::{Machine, SimDisk};
use super::keeper::{Keeper, directory};
use super::network::{Arrival, CONTROL, Line, Side, Stream};
use super::parties;

/// How long the holder may take over any one answer.
const ANSWER_WAIT: u64 = 300_000;
/// The longest pause between two tries.
const PAUSE_MAX: u64 = 60_000;
/// The verifier's home.
pub(crate) const SETS: &str = "/verifier/sets";
/// Its results.
pub(crate) const OUT: &str = "/verifier/out";
/// Its receipts.
pub(crate) const RECEIPTS: &str = "/verifier/receipts";
/// The heads that it knows.
pub(crate) const HEADS: &str = "/verifier/heads";

/// Why a check, or a try of it, ended.
#[derive(Debug)]
pub(crate) enum Failed {
    /// The line: tried again.
    Line,
    /// The holder refused.
    Refused(Refusal),
    /// This side's disk, or program.
    Own(String),
    /// The holder is blamed.
    Peer(String),
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        match error {
            Error::Refused(refusal) => Self::Refused(refusal),
            Error::PeerMisbehaved(_) | Error::Incompatible(_) => Self::Peer(error.to_string()),
            other => Self::Own(other.to_string()),
        }
    }
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::PeerSet(_) => Self::Peer(error.to_string()),
            other => Self::Own(other.to_string()),
        }
    }
}

/// How a process of a check ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// Results are written, and everything is cleaned up.
    Done,
    /// To be started again by its operator.
    Failed(Failed),
}

#[derive(Debug)]
enum Work {
    Begin,
    Dial,
    Welcome(Frame),
    Blind(BatchPlan),
    Verify(Box<BlindedBatch>, Frame),
    OpenSet,
    Chunk,
    VerifySet,
    Complete,
    Receipt(Frame),
    KeepReceipt,
    LookUp,
    Results(Vec<u8>),
    Acknowledge,
    CleanUp,
}

#[derive(Debug)]
enum TheSet {
    Wanted,
    Receiving(ReceivedSet, Stream),
    Here(VerifiedSet),
}

/// One process.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) number: usize,
    life: u64,
    verifier: usize,
    disk: SimDisk,
    context: Arc<VerifierContext>,
    request: Request,
    digests: Vec<[u8; 32]>,
    blinder: Blinder,
    list: Vec<Vec<u8>>,
    keeper: Option<Keeper>,
    /// Heads that this session presented and was shown.
    proved: Vec<LogHead>,
    line: Option<Line>,
    handshake: Option<VerifierHandshake>,
    session: Option<VerifierSession>,
    awaiting: Option<AwaitingReceipt>,
    out: BTreeMap<Stream, BlindedBatch>,
    at_work: usize,
    set: TheSet,
    /// Of the set, in order, `None` for the end of the stream.
    chunks: VecDeque<Option<Frame>>,
    set_again: bool,
    completing: bool,
    finished: Option<(Finished, Frame)>,
    /// The results are on the disk.
    written: bool,
    goodbyes: u32,
    work: BTreeMap<u64, Work>,
    next: u64,
    pause: u64,
    run: u32,
}

/// An operator begins a check anew: what was kept of it goes.
pub(crate) fn forget(machine: &Machine, number: usize) {
    let disk = machine.process();
    machine.calm(|| {
        for path in machine.names_below(&directory(number)) {
            let _ = disk.remove(&path);
        }
        let _ = disk.sync_dir(&directory(number));
    });
    disk.kill();
}

fn results_path(number: usize) -> PathBuf {
    Path::new(OUT).join(format!("results-{number}.csv"))
}

impl Check {
    /// An operator runs the command: run `run` of check `number`.
    pub(crate) fn start(ctx: &mut Context, number: usize, run: u32, life: u64, disk: SimDisk) -> Self {
        let plan = std::rc::Rc::clone(&ctx.plan);
        let (request, digests) = plan.request(number, run);
        let blinder = Blinder::new(&plan.blind_seed(number, run), *request.id());
        let verifier = plan.checks[number].verifier;
        let mut check = Self {
            number,
            life,
            verifier,
            disk,
            context: parties::verifier(verifier),
            request,
            digests,
            blinder,
            list: plan.list(number),
            keeper: None,
            proved: Vec::new(),
            line: None,
            handshake: None,
            session: None,
            awaiting: None,
            out: BTreeMap::new(),
            at_work: 0,
            set: TheSet::Wanted,
            chunks: VecDeque::new(),
            set_again: false,
            completing: false,
            finished: None,
            written: false,
            goodbyes: 0,
            work: BTreeMap::new(),
            next: 0,
            pause: 1_000,
            run,
        };
        check.push(ctx, Work::Begin);
        check
    }

    pub(crate) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    pub(crate) fn line(&self) -> Option<Line> {
        self.line
    }

    fn push(&mut self, ctx: &mut Context, work: Work) {
        self.push_after(ctx, 0, work);
    }

    fn push_after(&mut self, ctx: &mut Context, delay: u64, work: Work) {
        self.next += 1;
        self.work.insert(self.next, work);
        let event = Event::CheckWork { check: self.number, life: self.life, work: self.next };
        if delay == 0 { ctx.soon(event) } else { ctx.after(delay, event) }
    }

    fn say(&self, ctx: &mut Context, stream: Stream, frame: &Frame) {
        if let Some(line) = self.line.filter(|_| !self.disk.is_dead()) {
            ctx.send(line, stream, Side::Holder, Some(frame));
        }
    }

    /// What came on a stream of its line.
    pub(crate) fn arrive(&mut self, ctx: &mut Context, stream: Stream, arrival: Arrival) -> Option<Outcome> {
        let receiving = matches!(&self.set, TheSet::Receiving(_, on) if *on == stream);
        match arrival {
            Arrival::Frame(frame) if frame.kind == FrameType::Refusal => {
                let refusal = match Refusal::from_frame(&frame) {
                    Ok(refusal) => refusal,
                    Err(error) => return self.fail(ctx, Failed::Peer(error.to_string())),
                };
                return self.fail(ctx, Failed::Refused(refusal));
            }
            Arrival::Frame(frame) if stream == CONTROL => match frame.kind {
                FrameType::Welcome if self.handshake.is_some() => self.push(ctx, Work::Welcome(frame)),
                FrameType::Receipt if self.awaiting.is_some() => self.push(ctx, Work::Receipt(frame)),
                FrameType::Closed if self.finished.is_some() => return self.closed(ctx, &frame),
                kind => return self.fail(ctx, Failed::Peer(format!("{kind:?} out of turn"))),
            },
            Arrival::Frame(frame) if receiving => {
                self.chunks.push_back(Some(frame));
                self.push(ctx, Work::Chunk);
            }
            Arrival::End if receiving => {
                self.chunks.push_back(None);
                self.push(ctx, Work::Chunk);
            }
            Arrival::Frame(frame) => {
                if let Some(blinded) = self.out.remove(&stream) {
                    self.at_work += 1;
                    self.push(ctx, Work::Verify(Box::new(blinded), frame));
                }
            }
            Arrival::End => {}
        }
        None
    }

    fn closed(&mut self, ctx: &mut Context, frame: &Frame) -> Option<Outcome> {
        ctx.note(|| format!("check {}: closed", self.number));
        if let Some((finished, _)) = &self.finished
            && let Err(error) = finished.receive_closed(frame)
        {
            return self.fail(ctx, error.into());
        }
        ctx.oracle.closed(self.number);
        self.goodbye(ctx)
    }

    /// The line has served its purpose.
    fn goodbye(&mut self, ctx: &mut Context) -> Option<Outcome> {
        if let Some(line) = self.line.take() {
            ctx.hang_up(line, Side::Verifier);
        }
        self.push(ctx, Work::CleanUp);
        None
    }

    /// Its line is gone.
    pub(crate) fn lost(&mut self, ctx: &mut Context, line: Line) -> Option<Outcome> {
        if self.line == Some(line) { self.fail(ctx, Failed::Line) } else { None }
    }

    /// No answer came for long.
    pub(crate) fn answer_waited(&mut self, ctx: &mut Context, line: Line) -> Option<Outcome> {
        if self.line == Some(line) && (self.finished.is_none() || self.written) { self.fail(ctx, Failed::Line) } else { None }
    }

    /// A piece of work is due.
    pub(crate) fn work(&mut self, ctx: &mut Context, number: u64) -> Option<Outcome> {
        let work = self.work.remove(&number)?;
        ctx.note(|| format!("check {} line {:?}: {}", self.number, self.line, name_of(&work)));
        match self.step(ctx, work) {
            Ok(outcome) => outcome,
            Err(_) if self.disk.is_dead() => None,
            Err(failed) => self.fail(ctx, failed),
        }
    }

    /// A try has failed: with what is the line's, another is made after a pause; with the rest the process ends.
    fn fail(&mut self, ctx: &mut Context, failed: Failed) -> Option<Outcome> {
        ctx.note(|| format!("check {} line {:?}: {failed:?}", self.number, self.line));
        if let Some(line) = self.line.take() {
            ctx.hang_up(line, Side::Verifier);
        }
        if let Failed::Peer(_) = failed {
            return Some(Outcome::Failed(failed));
        }
        if self.written {
            // Losing the goodbye loses nothing.
            (self.handshake, self.session, self.awaiting) = (None, None, None);
            self.out.clear();
            self.chunks.clear();
            self.work.clear();
            self.push(ctx, Work::CleanUp);
            return None;
        }
        if self.finished.is_some() && matches!(failed, Failed::Line) {
            // What is left needs no line.
            return None;
        }
        let again = match &failed {
            Failed::Line => true,
            Failed::Refused(refusal) => refusal.code.kind() == RefusalKind::Passing,
            Failed::Own(_) | Failed::Peer(_) => false,
        };
        // What was never admitted is not waited for.
        if !again || !self.keeper.as_ref().is_some_and(Keeper::is_admitted) {
            return Some(Outcome::Failed(failed));
        }
        ctx.counts.add("verifier: line tried again", 1);
        (self.handshake, self.session, self.awaiting) = (None, None, None);
        (self.at_work, self.completing) = (0, false);
        self.out.clear();
        self.chunks.clear();
        self.work.clear();
        if matches!(self.set, TheSet::Receiving(..)) {
            self.set = TheSet::Wanted;
        }
        let pause = ctx.chance.between(self.pause / 2, self.pause);
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        self.push_after(ctx, pause, Work::Dial);
        None
    }

    fn question(&self) -> Result<Arc<Question>, Error> {
        let question = match self.request.manifest() {
            None => Question::unsigned(self.request.clone()),
            Some(_) => {
                let signatures = vec![parties::sign_request(self.request.bytes())];
                Question::authorised(self.request.clone(), signatures, self.digests.clone())
            }
        };
        question.map(Arc::new)
    }

    fn head_path() -> PathBuf {
        Path::new(HEADS).join("holder")
    }

    fn known(&self) -> Result<LogHead, Failed> {
        let own = |error: std::io::Error| Failed::Own(format!("the holder's latest head: {error}"));
        let file = match self.disk.open(&Self::head_path()) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(LogHead::NONE),
            opened => opened.map_err(own)?,
        };
        let mut bytes = [0; 40];
        if file.length().map_err(own)? != 40 || file.read_at(0, &mut bytes).map_err(own)? != 40 {
            return Err(Failed::Own("the holder's latest head is damaged".to_owned()));
        }
        let (size, root) = bytes.split_first_chunk::<8>().unwrap();
        Ok(LogHead { size: u64::from_be_bytes(*size), root: root.try_into().unwrap() })
    }

    fn keep_head(&mut self, head: LogHead) -> Result<(), Failed> {
        // One that another check kept meanwhile stays: nothing proves that they continue one another.
        if self.proved.contains(&self.known()?) {
            write_bytes_atomically(&self.disk, &Self::head_path(), &[&head.size.to_be_bytes()[..], &head.root].concat())?;
        }
        self.proved.push(head);
        Ok(())
    }

    fn step(&mut self, ctx: &mut Context, work: Work) -> Result<Option<Outcome>, Failed> {
        let clock = ctx.verifier_clock(self.verifier);
        match work {
            Work::Begin => return self.begin(ctx),
            Work::Dial => self.dial(ctx)?,
            Work::Welcome(frame) => self.welcome(ctx, &frame)?,
            Work::Blind(plan) => self.blind(ctx, plan)?,
            Work::Verify(blinded, frame) => self.verify(ctx, *blinded, &frame)?,
            Work::OpenSet => self.open_set(ctx)?,
            Work::Chunk => self.chunk(ctx)?,
            Work::VerifySet => self.verify_set(ctx)?,
            Work::Complete => self.complete(ctx)?,
            Work::Receipt(frame) => {
                let Some(awaiting) = self.awaiting.take() else { return Ok(None) };
                let saved = awaiting.save()?;
                let (finished, acknowledge) = awaiting.receive_receipt(&frame, clock)?;
                if let Some(keeper) = &mut self.keeper {
                    keeper.keep_receipt(saved, &frame, clock)?;
                }
                self.finished = Some((finished, acknowledge));
                self.push(ctx, if self.written { Work::Acknowledge } else { Work::KeepReceipt });
            }
            Work::KeepReceipt => {
                let Some((finished, _)) = &self.finished else { return Ok(None) };
                let (json, head) = (finished.receipt().to_json(), *finished.head());
                write_bytes_atomically(&self.disk, &Path::new(RECEIPTS).join(format!("{}.json", self.number)), json.as_bytes())?;
                self.keep_head(head)?;
                self.push(ctx, Work::LookUp);
            }
            Work::LookUp => {
                let results = self.look_up(ctx)?;
                self.push(ctx, Work::Results(results));
            }
            Work::Results(bytes) => {
                ctx.oracle.writes_results(self.number, &self.request, &bytes);
                write_bytes_atomically(&self.disk, &results_path(self.number), &bytes)?;
                self.written = true;
                self.push(ctx, Work::Acknowledge);
            }
            Work::Acknowledge => match (&self.finished, self.line) {
                (Some((_, acknowledge)), Some(line)) => {
                    let acknowledge = acknowledge.clone();
                    self.goodbyes += 1;
                    self.say(ctx, CONTROL, &acknowledge);
                    ctx.after(ANSWER_WAIT / 10, Event::Lost { line, side: Side::Verifier });
                }
                // The receipt is an earlier process's: over a line of its own, once.
                (_, None) if self.goodbyes == 0 => {
                    self.goodbyes += 1;
                    ctx.counts.add("verifier: acknowledged over a line of its own", 1);
                    self.push(ctx, Work::Dial);
                }
                _ => self.push(ctx, Work::CleanUp),
            },
            Work::CleanUp => {
                if let Some(Err(failed)) = self.keeper.take().map(Keeper::remove) {
                    return Ok(Some(Outcome::Failed(failed)));
                }
                return Ok(Some(Outcome::Done));
            }
        }
        Ok(None)
    }

    fn begin(&mut self, ctx: &mut Context) -> Result<Option<Outcome>, Failed> {
        let signed = self.request.manifest().is_some();
        let mut keeper = Keeper::open(&self.disk, self.number, signed)?;
        if !keeper.is_admitted() && ctx.oracle.has_results(self.number) && self.disk.has(&results_path(self.number)) {
            // It died while it cleaned up: its operator finds the results, and asks no more.
            return Ok(Some(Outcome::Done));
        }
        let plan = std::rc::Rc::clone(&ctx.plan);
        let drawn = match keeper.request() {
            Some(request) => {
                let is_it = |drawn: &u32| plan.request(self.number, *drawn).0.bytes() == request;
                let found = (0..ctx.requests[self.number]).find(is_it);
                found.ok_or_else(|| Failed::Own("damaged: the checkpoint is of a request that nobody made".to_owned()))?
            }
            None if signed => self.run,
            None => ctx.requests[self.number],
        };
        ctx.requests[self.number] = ctx.requests[self.number].max(drawn + 1);
        let (request, digests) = plan.request(self.number, drawn);
        self.blinder = Blinder::new(&plan.blind_seed(self.number, drawn), *request.id());
        (self.request, self.digests) = (request, digests);
        if keeper.request().is_none() {
            let (context, question) = (Arc::clone(&self.context), self.question()?);
            let fresh = VerifierHandshake::new(context, parties::holder().1, question, LogHead::NONE, ctx.chance.generator());
            let seed = if signed { None } else { Some(plan.blind_seed(self.number, drawn)) };
            keeper.begin(self.request.bytes(), seed, fresh.save()?, self.context.fingerprint)?;
        }
        let finished = keeper.finished(&self.context, &mut ctx.counts)?;
        self.keeper = Some(keeper);
        let Some((finished, acknowledge, set)) = finished else {
            self.push(ctx, Work::Dial);
            return Ok(None);
        };
        self.finished = Some((finished, acknowledge));
        self.set = TheSet::Here(set);
        self.push(ctx, Work::KeepReceipt);
        Ok(None)
    }

    fn dial(&mut self, ctx: &mut Context) -> Result<(), Failed> {
        let known = self.known()?;
        self.proved = vec![known];
        let question = self.question()?;
        let Some(keeper) = &self.keeper else { return Ok(()) };
        let (context, holder) = (Arc::clone(&self.context), parties::holder().1);
        let handshake = if ctx.is_broken(Break::ForgetHandshake) {
            VerifierHandshake::new(context, holder, question, known, ctx.chance.generator())
        } else {
            VerifierHandshake::restore(context, holder, question, known, keeper.handshake())?
        };
        let hello = handshake.hello(ctx.verifier_clock(self.verifier))?;
        self.handshake = Some(handshake);
        let line = ctx.network.dial();
        self.line = Some(line);
        ctx.dialled(line, self.number, self.life, self.verifier);
        self.say(ctx, CONTROL, &hello);
        ctx.after(ANSWER_WAIT, Event::AnswerWaited { check: self.number, life: self.life, line });
        Ok(())
    }

    fn welcome(&mut self, ctx: &mut Context, frame: &Frame) -> Result<(), Failed> {
        let clock = ctx.verifier_clock(self.verifier);
        let Some(handshake) = self.handshake.take() else { return Ok(()) };
        let session = handshake.receive_welcome(frame, clock)?;
        if let Some(head) = session.welcomed() {
            self.keep_head(head.head)?;
        }
        let Some(keeper) = &mut self.keeper else { return Ok(()) };
        let session = keeper.take_up(session, ctx.is_broken(Break::BelieveCheckpoint), &mut ctx.counts)?;
        self.pause = 1_000;
        self.session = Some(session);
        self.more_batches(ctx);
        if matches!(self.set, TheSet::Wanted) {
            self.push(ctx, Work::OpenSet);
        }
        self.complete_if_due(ctx);
        Ok(())
    }
}

fn name_of(work: &Work) -> String {
    match work {
        Work::Begin => "begins".to_owned(),
        Work::Dial => "dials".to_owned(),
        Work::Welcome(_) => "takes Welcome".to_owned(),
        Work::Blind(plan) => format!("blinds batch {}", plan.index()),
        Work::Verify(blinded, _) => format!("verifies batch {}", blinded.index()),
        Work::OpenSet => "looks for the set".to_owned(),
        Work::Chunk => "takes a chunk of the set".to_owned(),
        Work::VerifySet => "verifies the set".to_owned(),
        Work::Complete => "completes".to_owned(),
        Work::Receipt(_) => "takes the receipt".to_owned(),
        Work::KeepReceipt => "keeps the receipt".to_owned(),
        Work::LookUp => "looks up".to_owned(),
        Work::Results(_) => "writes the results".to_owned(),
        Work::Acknowledge => "acknowledges".to_owned(),
        Work::CleanUp => "cleans up".to_owned(),
    }
}
