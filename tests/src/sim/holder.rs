//! The holder's program in a run: what `serve` does, a step at a time, over the real session states, ledger and sets. Between any two steps
//! anything else may happen, and within one the process may die.

use std::collections::BTreeMap;
use std::rc::Rc;

use oblink_session::authority::BuiltInRulesets;
use oblink_session::epoch::{EpochKeys, EpochSeed};
use oblink_session::error::{Error, Refusal, RefusalCode};
use oblink_session::holder::{
    Charged, EvaluatedBatch, HolderContext, HolderHandshake, HolderSession, House, PendingAcknowledgement, PendingAdmission, PendingCharge,
    PendingCompletion,
};
use oblink_session::wire::{Frame, FrameType, SetChunk};
use oblink_store::Error as StoreError;
use oblink_store::disk::{Disk, DiskFile, write_bytes_atomically};
use oblink_store::sealed::{SealedSet, set_path};
use zeroize::Zeroizing;

use super::book::Book;
use super::breaks::Break;
use super::context::{Context, Event};
use super::disk::SimDisk;
use super::network::{Arrival, CONTROL, Line, Side, Stream};
use super::parties;
use super::seal::{RECEIPTS, SETS, seed_path};
use super::yes::YesLedger;

/// How long a verifier that comes back waits for its lost line to be cleared away.
const SEAT_WAIT: u64 = 30_000;

/// An epoch ready to answer.
#[derive(Debug)]
struct OpenEpoch {
    keys: EpochKeys,
    set: SealedSet,
}

/// Why a connection ended before its session was complete.
#[derive(Debug)]
enum End {
    Refused(Refusal),
    Line,
    Here(String),
    Replaced,
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        error.to_refusal().map_or_else(|| Self::Here(error.to_string()), Self::Refused)
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Ledger(error) => Error::Ledger(error).into(),
            other => Self::Here(other.to_string()),
        }
    }
}

/// A piece of work that is due.
#[derive(Debug)]
enum Work {
    Decide(Frame),
    Admit(Box<PendingAdmission>, Rc<OpenEpoch>),
    Receive(Stream, Frame),
    Charge(Stream, PendingCharge),
    Evaluate(Stream, Charged),
    Answer(Stream, EvaluatedBatch),
    Deliver(Stream, Frame),
    Stream(Stream, u64),
    Complete(Frame),
    CommitCompletion(Box<PendingCompletion>),
    Acknowledge(Frame),
    CommitAcknowledgement(Box<PendingAcknowledgement>),
    Settle,
}

/// Which request of which verifier a connection serves: one at a time.
type Seat = ([u8; 32], [u8; 16]);

/// A connection that waits for its seat, with what it is to be admitted by.
type Waiting = (Line, Box<PendingAdmission>, Rc<OpenEpoch>);

#[derive(Debug)]
struct Running {
    session: HolderSession,
    epoch: Rc<OpenEpoch>,
}

/// One connection.
#[derive(Debug, Default)]
struct Served {
    verifier: [u8; 32],
    running: Option<Running>,
    seat: Option<Seat>,
    work: BTreeMap<u64, Work>,
    said_hello: bool,
    lost: bool,
    done: bool,
    ended: Option<End>,
    settled: bool,
}

/// The process that serves.
#[derive(Debug)]
pub(crate) struct Holder {
    life: u64,
    disk: SimDisk,
    book: Book,
    context: std::sync::Arc<HolderContext>,
    epochs: BTreeMap<([u8; 16], [u8; 32]), Rc<OpenEpoch>>,
    /// Who has a seat, and who waits for it, the longest first.
    seats: BTreeMap<Seat, (Option<Line>, Vec<Waiting>)>,
    lines: BTreeMap<Line, Served>,
    next: u64,
}

impl Holder {
    /// A process that serves from an open ledger.
    pub(crate) fn new(life: u64, disk: SimDisk, book: Book, evaluations_max: u64) -> Self {
        let (statement_key, fingerprint) = parties::holder();
        let context = HolderContext { fingerprint, statement_key, pilot_pairs_max: 1_000, epoch_evaluations_max: evaluations_max };
        Self { life, disk, book, context: context.into(), epochs: BTreeMap::new(), seats: BTreeMap::new(), lines: BTreeMap::new(), next: 0 }
    }

    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.book.is_dead() || self.disk.is_dead()
    }

    pub(crate) fn book(&mut self) -> &mut Book {
        &mut self.book
    }

    pub(crate) fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// The connections it had, and its ledger.
    pub(crate) fn into_parts(self) -> (Vec<Line>, Book, SimDisk) {
        (self.lines.into_keys().collect(), self.book, self.disk)
    }

    fn push(&mut self, ctx: &mut Context, line: Line, work: Work) {
        self.next += 1;
        let Some(served) = self.lines.get_mut(&line) else { return };
        served.work.insert(self.next, work);
        ctx.soon(Event::HolderWork { life: self.life, line, work: self.next });
    }

    fn say(&self, ctx: &mut Context, line: Line, stream: Stream, frame: &Frame) -> Result<(), End> {
        if self.is_dead() || !ctx.network.is_open(line, Side::Holder) {
            return Err(End::Line);
        }
        ctx.send(line, stream, Side::Verifier, Some(frame));
        Ok(())
    }

    /// A connection of a verifier's.
    pub(crate) fn accept(&mut self, line: Line, verifier: [u8; 32]) {
        self.lines.insert(line, Served { verifier, ..Served::default() });
    }

    /// What came on a stream.
    pub(crate) fn arrive(&mut self, ctx: &mut Context, line: Line, stream: Stream, arrival: Arrival) {
        let Some(served) = self.lines.get_mut(&line) else { return };
        let Arrival::Frame(frame) = arrival else { return };
        if served.ended.is_some() || served.done {
            return;
        }
        let work = match (stream, frame.kind) {
            (CONTROL, FrameType::Hello) if !served.said_hello => {
                served.said_hello = true;
                Work::Decide(frame)
            }
            (CONTROL, FrameType::Complete) if served.running.is_some() => Work::Complete(frame),
            (CONTROL, FrameType::Acknowledge) if served.running.is_some() => Work::Acknowledge(frame),
            (_, FrameType::Batch) if stream != CONTROL && served.running.is_some() => Work::Receive(stream, frame),
            (_, FrameType::SetRequest) if stream != CONTROL && served.running.is_some() => Work::Deliver(stream, frame),
            (_, kind) => {
                let what = format!("the holder got {kind:?} on stream {stream} out of turn");
                return ctx.oracle.violation(what);
            }
        };
        self.push(ctx, line, work);
    }

    /// A connection is gone.
    pub(crate) fn lost(&mut self, ctx: &mut Context, line: Line) {
        let waits = self.waits(line);
        let Some(served) = self.lines.get_mut(&line) else { return };
        served.lost = true;
        // Whoever waits for a seat hears of it when it has the seat.
        if !waits {
            self.finish(ctx, line, End::Line, CONTROL);
            self.clear_away(ctx, line);
        }
    }

    fn waits(&self, line: Line) -> bool {
        self.seats.values().any(|(_, waiting)| waiting.iter().any(|(other, ..)| *other == line))
    }

    /// A piece of work is due.
    pub(crate) fn work(&mut self, ctx: &mut Context, line: Line, number: u64) {
        let Some(work) = self.lines.get_mut(&line).and_then(|served| served.work.remove(&number)) else { return };
        let stream = match &work {
            Work::Receive(stream, _)
            | Work::Charge(stream, _)
            | Work::Evaluate(stream, _)
            | Work::Answer(stream, _)
            | Work::Deliver(stream, _)
            | Work::Stream(stream, _) => *stream,
            _ => CONTROL,
        };
        ctx.note(|| format!("holder  line {line}: {}", name_of(&work)));
        if let Err(end) = self.step(ctx, line, work)
            && !self.is_dead()
        {
            self.finish(ctx, line, end, stream);
        }
        if !self.is_dead() {
            self.clear_away(ctx, line);
        }
    }

    fn step(&mut self, ctx: &mut Context, line: Line, work: Work) -> Result<(), End> {
        match work {
            Work::Decide(hello) => self.decide(ctx, line, &hello),
            Work::Admit(pending, epoch) => self.admit(ctx, line, *pending, epoch),
            Work::Receive(stream, frame) => {
                let (clock, running) = (ctx.holder_clock(), self.running(line)?);
                let pending = running.session.receive_batch(&frame, clock)?;
                self.push(ctx, line, Work::Charge(stream, pending));
                Ok(())
            }
            Work::Charge(stream, pending) => {
                let charged = if ctx.is_broken(Break::AnswerBeforeCharge) {
                    pending.commit(&mut YesLedger)?
                } else {
                    pending.commit(&mut self.book)?
                };
                self.push(ctx, line, Work::Evaluate(stream, charged));
                Ok(())
            }
            Work::Evaluate(stream, charged) => {
                let epoch = Rc::clone(&self.running(line)?.epoch);
                let other = ctx
                    .is_broken(Break::OtherKey)
                    .then(|| EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new([99; 32])), *epoch.keys.epoch_id()).unwrap());
                let keys = other.as_ref().unwrap_or(&epoch.keys);
                let slice = charged.evaluate_slice(keys, 0..charged.len())?;
                let evaluated = charged.prove(keys, vec![slice], ctx.chance.generator())?;
                self.push(ctx, line, Work::Answer(stream, evaluated));
                Ok(())
            }
            Work::Answer(stream, evaluated) => {
                let running = self.running(line)?;
                let session = *running.session.session_id();
                let frame = running.session.answer(evaluated)?;
                self.say(ctx, line, stream, &frame)?;
                ctx.oracle.answered(&session, &frame, &self.book.charges);
                Ok(())
            }
            Work::Deliver(stream, frame) => {
                let clock = ctx.holder_clock();
                let running = self.running(line)?;
                let offset = running.session.receive_set_request(&frame)?;
                let (session, offer) = (*running.session.session_id(), running.epoch.set.offer().clone());
                let left = offer.set_bytes - offset;
                self.book.write(|ledger| ledger.record_delivery(&session, &offer.set_id, left, clock))?;
                self.push(ctx, line, Work::Stream(stream, offset));
                Ok(())
            }
            Work::Stream(stream, offset) => {
                let epoch = Rc::clone(&self.running(line)?.epoch);
                let mut bytes = vec![0; ctx.chance.between(1, 1_500) as usize];
                let read = epoch.set.read_at(offset, &mut bytes)?;
                bytes.truncate(read);
                if read > 0 {
                    self.say(ctx, line, stream, &SetChunk { offset, bytes }.to_frame())?;
                }
                let next = offset + read as u64;
                if next < epoch.set.offer().set_bytes {
                    self.push(ctx, line, Work::Stream(stream, next));
                } else if !self.is_dead() {
                    ctx.send(line, stream, Side::Verifier, None);
                }
                Ok(())
            }
            Work::Complete(frame) => {
                let clock = ctx.holder_clock();
                // Not through `running`: the ledger is borrowed beside it.
                let running = self.lines.get_mut(&line).and_then(|served| served.running.as_mut()).ok_or(End::Line)?;
                let pending = running.session.receive_complete(&frame, &mut self.book, clock)?;
                self.push(ctx, line, Work::CommitCompletion(Box::new(pending)));
                Ok(())
            }
            Work::CommitCompletion(pending) => {
                let completed = pending.commit(&mut self.book)?;
                let running = self.running(line)?;
                ctx.oracle.completed(running.session.request());
                let frame = running.session.completed(completed)?;
                self.say(ctx, line, CONTROL, &frame)
            }
            Work::Acknowledge(frame) => {
                let pending = self.running(line)?.session.receive_acknowledge(&frame)?;
                self.push(ctx, line, Work::CommitAcknowledgement(Box::new(pending)));
                Ok(())
            }
            Work::CommitAcknowledgement(pending) => {
                let (receipt, closed) = pending.commit(&mut self.book)?;
                let name = oblink_session::request::to_hex(self.running(line)?.session.session_id());
                let path = std::path::Path::new(RECEIPTS).join(format!("{name}.json"));
                write_bytes_atomically(&self.disk, &path, receipt.to_json().as_bytes())?;
                if let Some(served) = self.lines.get_mut(&line) {
                    served.done = true;
                }
                self.say(ctx, line, CONTROL, &closed)
            }
            Work::Settle => self.settle(ctx, line),
        }
    }

    fn running(&mut self, line: Line) -> Result<&mut Running, End> {
        self.lines.get_mut(&line).and_then(|served| served.running.as_mut()).ok_or(End::Line)
    }

    /// The epoch of a ledger row: keys, and a set that is what the ledger says.
    fn open_epoch(&mut self, verifier: &[u8; 32]) -> Result<Option<Rc<OpenEpoch>>, End> {
        let Some(row) = self.book.look().current_epoch(verifier)? else { return Ok(None) };
        let which = (row.offer.descriptor.epoch_id, row.offer.set_id);
        if let Some(open) = self.epochs.get(&which) {
            return Ok(Some(Rc::clone(open)));
        }
        let path = seed_path(&which.0);
        let here = |error: std::io::Error| End::Here(format!("the epoch's key: {error}"));
        let file: Box<dyn DiskFile> = self.disk.open(&path).map_err(here)?;
        let mut seed = [0; 32];
        let read = file.read_at(0, &mut seed).map_err(here)?;
        if read != 32 || file.length().map_err(here)? != 32 {
            return Err(End::Here("damaged: the epoch's key is not one".to_owned()));
        }
        let keys = EpochKeys::derive(&EpochSeed::from_bytes(Zeroizing::new(seed)), which.0)?;
        let set = SealedSet::open(&self.disk, &set_path(std::path::Path::new(SETS), &which.1))?;
        if *set.offer() != row.offer || keys.public_key() != row.offer.descriptor.public_key {
            return Err(End::Here("damaged: set, key and ledger do not belong together".to_owned()));
        }
        let open = Rc::new(OpenEpoch { keys, set });
        self.epochs.insert(which, Rc::clone(&open));
        Ok(Some(open))
    }

    fn decide(&mut self, ctx: &mut Context, line: Line, hello: &Frame) -> Result<(), End> {
        let Some(verifier) = self.lines.get(&line).map(|served| served.verifier) else { return Ok(()) };
        let clock = ctx.holder_clock();
        let received = HolderHandshake::new(self.context.clone(), verifier).receive_hello(hello, clock)?;
        let epoch = self.open_epoch(&verifier)?;
        let house = House {
            policy: ctx.plan.signed.then(parties::policy),
            countersignatures: Vec::new(),
            rulesets: &BuiltInRulesets,
            offer: epoch.as_ref().map(|epoch| epoch.set.offer().clone()),
            now_unix_ms: clock.max(self.book.look().time_unix_ms()?),
        };
        let pending = received.decide(house, ctx.chance.generator())?;
        let Some(epoch) = epoch else { return Err(End::Refused(Refusal::new(RefusalCode::NotSealed, ""))) };
        let seat = (verifier, *pending.request_id());
        let (taken, waiting) = self.seats.entry(seat).or_default();
        match *taken {
            None => {
                *taken = Some(line);
                self.seat(line, seat);
                self.push(ctx, line, Work::Admit(Box::new(pending), epoch));
            }
            Some(before) => {
                waiting.push((line, Box::new(pending), epoch));
                ctx.counts.add("holder: a line took the place of another", 1);
                ctx.after(SEAT_WAIT, Event::SeatWaited { life: self.life, line });
                self.finish(ctx, before, End::Replaced, CONTROL);
                self.clear_away(ctx, before);
            }
        }
        Ok(())
    }

    fn seat(&mut self, line: Line, seat: Seat) {
        if let Some(served) = self.lines.get_mut(&line) {
            served.seat = Some(seat);
        }
    }

    /// A connection has waited long enough.
    pub(crate) fn seat_waited(&mut self, ctx: &mut Context, line: Line) {
        if self.waits(line) {
            self.seats.values_mut().for_each(|(_, waiting)| waiting.retain(|(other, ..)| *other != line));
            self.finish(ctx, line, End::Refused(Refusal::new(RefusalCode::Busy, "the session is still at work")), CONTROL);
            self.clear_away(ctx, line);
        }
    }

    fn admit(&mut self, ctx: &mut Context, line: Line, pending: PendingAdmission, epoch: Rc<OpenEpoch>) -> Result<(), End> {
        let clock = ctx.holder_clock();
        let (session, welcome) = pending.commit(&mut self.book, clock)?;
        ctx.oracle.admitted(&session);
        if let Some(served) = self.lines.get_mut(&line) {
            served.running = Some(Running { session, epoch });
            if served.lost {
                return Err(End::Line);
            }
        }
        self.say(ctx, line, CONTROL, &welcome)
    }

    /// The connection is to end. What is at work on it goes on to its end where the line broke, and may not be heard of any more where not.
    fn finish(&mut self, ctx: &mut Context, line: Line, end: End, stream: Stream) {
        let Some(served) = self.lines.get_mut(&line) else { return };
        if served.ended.is_some() || served.settled {
            return;
        }
        if served.done {
            // It has all that it came for.
            served.settled = true;
            return;
        }
        let refusal = match &end {
            End::Refused(refusal) => Some(refusal.clone()),
            End::Here(why) => {
                if why.contains("damaged") || why.contains("internal fault") {
                    ctx.oracle.damaged("holder", why);
                }
                Some(Refusal::new(RefusalCode::Internal, "a fault at the holder"))
            }
            End::Line | End::Replaced => None,
        };
        ctx.note(|| format!("holder  line {line}: ends, {end:?}"));
        served.ended = Some(end);
        if let Some(refusal) = refusal {
            ctx.oracle.refuses(&refusal);
            let _ = self.say(ctx, line, stream, &refusal.to_frame());
            if stream != CONTROL {
                let _ = self.say(ctx, line, CONTROL, &refusal.to_frame());
            }
            // Not waiting for what is still at work.
            self.push(ctx, line, Work::Settle);
        }
    }

    /// Once nothing is at work for a connection that ended: its account, then its seat.
    fn clear_away(&mut self, ctx: &mut Context, line: Line) {
        // It will have its seat first, or wait in vain.
        if self.waits(line) {
            return;
        }
        let Some(served) = self.lines.get_mut(&line) else { return };
        if !served.work.is_empty() || !(served.settled || served.done || served.ended.is_some()) {
            return;
        }
        if !served.settled && !served.done {
            return self.push(ctx, line, Work::Settle);
        }
        if !served.settled && ctx.network.is_open(line, Side::Verifier) {
            return;
        }
        let Some(served) = self.lines.remove(&line) else { return };
        ctx.hang_up(line, Side::Holder);
        if let Some(seat) = served.seat {
            self.leave(ctx, seat);
        }
    }

    /// The next to wait gets the seat; if another waits behind it, it will be asked to leave at once.
    fn leave(&mut self, ctx: &mut Context, seat: Seat) {
        let Some((taken, waiting)) = self.seats.get_mut(&seat) else { return };
        *taken = None;
        if waiting.is_empty() {
            self.seats.remove(&seat);
            return;
        }
        let (line, pending, epoch) = waiting.remove(0);
        *taken = Some(line);
        let wanted = !waiting.is_empty();
        self.seat(line, seat);
        self.push(ctx, line, Work::Admit(pending, epoch));
        if wanted {
            self.finish(ctx, line, End::Replaced, CONTROL);
        }
    }

    fn settle(&mut self, ctx: &mut Context, line: Line) -> Result<(), End> {
        let clock = ctx.holder_clock();
        let Some(served) = self.lines.get_mut(&line) else { return Ok(()) };
        if served.settled {
            return Ok(());
        }
        served.settled = true;
        let (verifier, refusal) = (
            served.verifier,
            match &served.ended {
                Some(End::Refused(refusal)) => Some(refusal.clone()),
                _ => None,
            },
        );
        if let Some(running) = served.running.as_mut().filter(|_| !ctx.is_broken(Break::KeepReservation)) {
            // Tried again until it is done, or somebody takes the session up: its reservation keeps others out.
            let failed = running.session.suspend(&mut self.book, clock).is_err() && !self.book.is_dead();
            let wanted = self.seats.values().any(|(taken, waiting)| *taken == Some(line) && !waiting.is_empty());
            if failed && !wanted {
                served.settled = false;
                return Ok(());
            }
        }
        if let Some(refusal) = refusal {
            let _ = self.book.write(|ledger| {
                ledger.record_refusal(Some(&verifier), refusal.code as u16, &refusal.detail, refusal.reason.as_deref(), clock)
            });
        }
        Ok(())
    }

    /// Ends the sessions that may not go on: their epoch is over, their verifier suspended.
    pub(crate) fn standing(&mut self, ctx: &mut Context) {
        let Ok(suspensions) = self.book.look().suspensions() else { return };
        let Ok(current) = self.book.look().live_files() else { return };
        let suspended: Vec<[u8; 32]> = suspensions
            .iter()
            .filter(|row| row.resumed_unix_ms.is_none())
            .filter_map(|row| match row.scope {
                oblink_store::ledger::Scope::Verifier(verifier) => Some(verifier),
                oblink_store::ledger::Scope::All => None,
            })
            .collect();
        let stopped: Vec<(Line, RefusalCode)> = self
            .lines
            .iter()
            .filter_map(|(line, served)| {
                let running = served.running.as_ref()?;
                let epoch_id = running.session.offer().descriptor.epoch_id;
                if suspended.contains(&served.verifier) {
                    return Some((*line, RefusalCode::Suspended));
                }
                (!current.iter().any(|live| live.epoch_id == epoch_id)).then_some((*line, RefusalCode::EpochEnded))
            })
            .collect();
        for (line, code) in stopped {
            self.finish(ctx, line, End::Refused(Refusal::new(code, "the session may not go on")), CONTROL);
        }
    }

    /// Whether nothing is left to do for anybody.
    pub(crate) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }
}

fn name_of(work: &Work) -> String {
    match work {
        Work::Decide(_) => "decides".to_owned(),
        Work::Admit(..) => "admits".to_owned(),
        Work::Receive(stream, _) => format!("receives a batch on stream {stream}"),
        Work::Charge(stream, pending) => format!("charges batch {} on stream {stream}", pending.entry().index),
        Work::Evaluate(stream, _) => format!("evaluates on stream {stream}"),
        Work::Answer(stream, _) => format!("answers on stream {stream}"),
        Work::Deliver(stream, _) => format!("books a delivery on stream {stream}"),
        Work::Stream(stream, offset) => format!("streams the set on stream {stream} from {offset}"),
        Work::Complete(_) => "receives Complete".to_owned(),
        Work::CommitCompletion(_) => "writes the receipt".to_owned(),
        Work::Acknowledge(_) => "receives Acknowledge".to_owned(),
        Work::CommitAcknowledgement(_) => "keeps the verifier's signature".to_owned(),
        Work::Settle => "settles".to_owned(),
    }
}
