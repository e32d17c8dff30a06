//! The run: who lives, who dies, what happens next, and whether all is well in the end.

mod ending;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use oblink_session::error::{RefusalCode, RefusalKind};
use oblink_store::ledger::{Judged, Scope};

use super::book::{Book, Shelf};
use super::breaks::Break;
use super::check::{self, Check, Failed, Outcome};
use super::context::{Context, Event};
use super::counts::Counts;
use super::disk::{Machine, SimDisk};
use super::holder::Holder;
use super::keeper::CHECKPOINTS;
use super::network::{Line, Side};
use super::oracle::Charges;
use super::parties::{self, START};
use super::plan::{Operation, Plan};
use super::seal::{self, seal};

/// A run that takes longer is stuck: virtual time, and events.
const LONGEST: u64 = 4 * 24 * 3_600_000;
const EVENTS_MAX: u64 = 200_000;

/// What became of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// What must never be, and was. Empty where all is well.
    pub violations: Vec<String>,
    /// Faults and outcomes, by kind.
    pub counts: Counts,
    /// Events.
    pub events: u64,
    /// Virtual time, milliseconds.
    pub virtual_ms: u64,
    /// What happened, line by line, where it was asked for.
    pub trace: Vec<String>,
}

/// How a check stands with its operator.
#[derive(Debug, Default)]
struct Standing {
    /// Runs that were begun anew.
    run: u32,
    /// How often the budget did not hold what it asked.
    refused: u32,
    over: Option<&'static str>,
}

pub(crate) struct World {
    ctx: Context,
    holder_machine: Machine,
    verifier_machines: Vec<Machine>,
    faults_left: Arc<Mutex<u32>>,
    shelf: Option<Shelf>,
    charges: Charges,
    holder: Option<Holder>,
    lives: u64,
    /// By check and life.
    checks: BTreeMap<(usize, u64), Check>,
    standing: Vec<Standing>,
    /// Each verifier's epoch, as it should be.
    epochs: Vec<usize>,
    next_epoch: usize,
    /// The holder's life that has a line.
    accepted: BTreeMap<Line, u64>,
    _directory: tempfile::TempDir,
}

/// Runs a seed.
#[must_use]
pub fn run(seed: u64, broken: Option<Break>, traced: bool) -> Report {
    World::new(seed, broken, traced).run()
}

impl World {
    fn new(seed: u64, broken: Option<Break>, traced: bool) -> Self {
        let plan = Rc::new(Plan::new(seed));
        let faults_left = Arc::new(Mutex::new(plan.faults));
        let directory = tempfile::Builder::new().prefix("oblink-sim-").tempdir_in(parties::base()).unwrap();
        let mut shelf = Shelf::new(seed, directory.path().to_owned(), Arc::clone(&faults_left));
        std::fs::write(shelf.path(), parties::fresh_ledger(plan.signed)).unwrap();
        shelf.loses_the_last = broken == Some(Break::UnsyncedLedger);
        shelf.rates = plan.book;
        let machine = |label: &str, directories: &[&str]| {
            let machine = Machine::new(seed, label, directories, Arc::clone(&faults_left));
            machine.set_rates(plan.disk);
            machine
        };
        let holder_machine = machine("holder's disk", &["/", "/holder", seal::EPOCHS, seal::SETS, seal::RECEIPTS]);
        let directories = ["/", "/verifier", check::SETS, check::OUT, check::RECEIPTS, check::HEADS, CHECKPOINTS];
        let verifier_machines: Vec<Machine> =
            (0..plan.verifiers).map(|number| machine(&format!("disk of verifier {number}"), &directories)).collect();
        if broken == Some(Break::UnsyncedFiles) {
            verifier_machines.iter().for_each(Machine::lie_about_syncs);
        }
        let mut ctx = Context::new(Rc::clone(&plan), broken, traced);
        ctx.after(0, Event::HolderStarts);
        for (check, starts) in plan.checks.iter().enumerate() {
            ctx.after(starts.starts - START, Event::CheckStarts { check });
            if starts.twice {
                let beside = ctx.chance.below(2_000);
                ctx.after(starts.starts - START + beside, Event::CheckStarts { check });
            }
        }
        for (at, operation) in &plan.operations {
            ctx.after(at - START, Event::Operate(*operation));
        }
        Self {
            ctx,
            holder_machine,
            verifier_machines,
            faults_left,
            shelf: Some(shelf),
            charges: Charges::default(),
            holder: None,
            lives: 0,
            checks: BTreeMap::new(),
            standing: plan.checks.iter().map(|_| Standing::default()).collect(),
            epochs: (0..plan.verifiers).collect(),
            next_epoch: plan.verifiers,
            accepted: BTreeMap::new(),
            _directory: directory,
        }
    }

    fn run(mut self) -> Report {
        let mut events = 0;
        while let Some(((now, _), event)) = self.ctx.queue.pop_first() {
            self.ctx.now = now;
            events += 1;
            if events > EVENTS_MAX || now > START + LONGEST {
                self.ctx.oracle.violation(format!("the run does not come to its end: {} events", events));
                break;
            }
            self.chance_faults();
            self.dispatch(event);
            self.bury();
            if self.is_over() || !self.ctx.oracle.violations().is_empty() {
                break;
            }
        }
        self.end(events)
    }

    fn is_over(&self) -> bool {
        self.standing.iter().all(|standing| standing.over.is_some())
            && self.checks.is_empty()
            && self.holder.as_ref().is_some_and(Holder::is_idle)
    }

    fn spend(&self) -> bool {
        let mut left = self.faults_left.lock().unwrap();
        let spent = *left > 0;
        *left = left.saturating_sub(1);
        spent
    }

    /// Before any event, anybody may be killed and any line be cut.
    fn chance_faults(&mut self) {
        let plan = Rc::clone(&self.ctx.plan);
        if self.ctx.chance.hits(plan.kills_holder) && self.holder.is_some() && self.spend() {
            self.ctx.counts.add("process: holder killed between steps", 1);
            if let Some(holder) = self.holder.take() {
                self.bury_holder(holder);
            }
        }
        if self.ctx.chance.hits(plan.kills_verifier) && !self.checks.is_empty() && self.spend() {
            self.ctx.counts.add("process: verifier killed between steps", 1);
            let which = self.ctx.chance.index(self.checks.len());
            if let Some(check) = self.checks.values().nth(which) {
                check.disk().kill();
            }
            self.bury();
        }
        if self.ctx.chance.hits(plan.cuts) {
            let lines = self.ctx.network.open_lines();
            if !lines.is_empty() && self.spend() {
                self.ctx.counts.add("network: line cut", 1);
                let line = lines[self.ctx.chance.index(lines.len())];
                self.ctx.note(|| format!("line {line} is cut"));
                self.ctx.cut(line);
            }
        }
    }

    fn dispatch(&mut self, event: Event) {
        match event {
            Event::Arrive { line, stream, to } => match self.ctx.network.arrive(line, stream, to) {
                Ok(arrivals) if to == Side::Holder => {
                    if self.accepts(line) {
                        for arrival in arrivals {
                            if let Some(holder) = &mut self.holder {
                                holder.arrive(&mut self.ctx, line, stream, arrival);
                            }
                        }
                    }
                }
                Ok(arrivals) => {
                    for arrival in arrivals {
                        self.with_check(line, |check, ctx| check.arrive(ctx, stream, arrival));
                    }
                }
                Err(error) => self.ctx.oracle.violation(format!("what arrives is no frame: {error}")),
            },
            Event::Lost { line, side: Side::Holder } => {
                if let Some(holder) = self.holder.as_mut().filter(|holder| self.accepted.get(&line) == Some(&holder.life())) {
                    holder.lost(&mut self.ctx, line);
                } else {
                    // A dialer that is gone makes no connection, however late its first words come.
                    self.ctx.network.cut(line);
                }
            }
            Event::Lost { line, side: Side::Verifier } => self.with_check(line, |check, ctx| check.lost(ctx, line)),
            Event::HolderStarts => self.start_holder(),
            Event::HolderWork { life, line, work } => {
                if let Some(holder) = self.holder.as_mut().filter(|holder| holder.life() == life) {
                    holder.work(&mut self.ctx, line, work);
                }
            }
            Event::SeatWaited { life, line } => {
                if let Some(holder) = self.holder.as_mut().filter(|holder| holder.life() == life) {
                    holder.seat_waited(&mut self.ctx, line);
                }
            }
            Event::Standing { life } => {
                if let Some(holder) = self.holder.as_mut().filter(|holder| holder.life() == life) {
                    holder.standing(&mut self.ctx);
                }
            }
            Event::CheckStarts { check } => self.start_check(check),
            Event::CheckWork { check, life, work } => self.of_check((check, life), |check, ctx| check.work(ctx, work)),
            Event::AnswerWaited { check, life, line } => self.of_check((check, life), |check, ctx| check.answer_waited(ctx, line)),
            Event::Operate(operation) => self.operate(operation),
        }
        let wrong = self.holder.as_mut().map(|holder| holder.book().charges.take_wrong()).unwrap_or_default();
        wrong.into_iter().for_each(|what| self.ctx.oracle.violation(what));
    }

    /// Whether the holder that lives now has this line, which it takes where nobody had it yet.
    fn accepts(&mut self, line: Line) -> bool {
        let Some(holder) = &mut self.holder else {
            // Nobody is there: the dial fails.
            let delay = self.ctx.chance.below(10_000);
            self.ctx.after(delay, Event::Lost { line, side: Side::Verifier });
            return false;
        };
        match self.accepted.get(&line) {
            Some(life) => *life == holder.life(),
            None => {
                let Some((_, _, verifier)) = self.ctx.caller(line) else { return false };
                self.accepted.insert(line, holder.life());
                holder.accept(line, parties::verifier(verifier).fingerprint);
                true
            }
        }
    }

    fn with_check(&mut self, line: Line, act: impl FnOnce(&mut Check, &mut Context) -> Option<Outcome>) {
        if let Some((check, life, _)) = self.ctx.caller(line)
            && self.checks.get(&(check, life)).is_some_and(|check| check.line() == Some(line))
        {
            self.of_check((check, life), act);
        }
    }

    fn of_check(&mut self, which: (usize, u64), act: impl FnOnce(&mut Check, &mut Context) -> Option<Outcome>) {
        let Some(check) = self.checks.get_mut(&which) else { return };
        let outcome = act(check, &mut self.ctx);
        if check.disk().is_dead() {
            return;
        }
        if let Some(outcome) = outcome {
            if let Some(check) = self.checks.remove(&which) {
                check.disk().kill();
                if let Some(line) = check.line() {
                    self.ctx.hang_up(line, Side::Verifier);
                }
            }
            self.ended(which.0, outcome);
        }
    }

    fn start_check(&mut self, number: usize) {
        if self.standing[number].over.is_some() {
            return;
        }
        let beside = self.checks.keys().any(|(check, _)| *check == number);
        if beside && !self.ctx.plan.checks[number].twice {
            return;
        }
        self.lives += 1;
        let disk = self.verifier_machines[self.ctx.plan.checks[number].verifier].process();
        let (life, run) = (self.lives, self.standing[number].run);
        self.ctx.note(|| format!("check {number} starts, run {run}, life {life}"));
        let check = Check::start(&mut self.ctx, number, run, life, disk);
        self.checks.insert((number, life), check);
    }

    fn again(&mut self, number: usize, most: u64) {
        let delay = 1 + self.ctx.chance.below(most);
        self.ctx.after(delay, Event::CheckStarts { check: number });
    }

    /// A process of a check has ended by itself.
    fn ended(&mut self, number: usize, outcome: Outcome) {
        self.ctx.note(|| format!("check {number} ends: {outcome:?}"));
        match outcome {
            Outcome::Done => self.standing[number].over = Some("outcome: results exact"),
            Outcome::Failed(Failed::Own(why)) => {
                if ["damaged", "internal fault", "saved state"].iter().any(|word| why.contains(word)) {
                    self.ctx.oracle.damaged("verifier", &why);
                }
                self.ctx.counts.add("outcome: check failed on its own side, started again", 1);
                self.again(number, 60_000);
            }
            Outcome::Failed(Failed::Peer(why)) => self.ctx.oracle.violation(format!("check {number} blames an honest holder: {why}")),
            Outcome::Failed(Failed::Refused(refusal)) => {
                if !self.ctx.oracle.is_due(refusal.code) {
                    self.ctx.oracle.violation(format!("check {number} is refused: {refusal}"));
                }
                match refusal.code {
                    code if code.kind() == RefusalKind::Passing => self.again(number, 60_000),
                    // What a lost line still holds is free once the holder hears of it: its operator asks again, some times.
                    RefusalCode::BudgetExhausted if self.standing[number].refused < 6 => {
                        self.standing[number].refused += 1;
                        self.again(number, 20 * 60_000);
                    }
                    RefusalCode::Suspended => self.again(number, 2 * 3_600_000),
                    // Its operator takes nothing away under another that is at work: that one will end likewise.
                    RefusalCode::EpochEnded if self.checks.keys().any(|(check, _)| *check == number) => self.again(number, 60_000),
                    RefusalCode::EpochEnded => {
                        // The operator begins anew; what was charged stays charged.
                        self.ctx.counts.add("outcome: begun anew after the end of an epoch", 1);
                        self.standing[number].run += 1;
                        let verifier = self.ctx.plan.checks[number].verifier;
                        check::forget(&self.verifier_machines[verifier], number);
                        self.again(number, 60_000);
                    }
                    _ => self.standing[number].over = Some("outcome: refused, no results"),
                }
            }
            Outcome::Failed(Failed::Line) => self.again(number, 60_000),
        }
    }

    /// Puts away those who died.
    fn bury(&mut self) {
        if self.holder.as_ref().is_some_and(Holder::is_dead)
            && let Some(holder) = self.holder.take()
        {
            self.bury_holder(holder);
        }
        let dead: Vec<(usize, u64)> = self.checks.iter().filter(|(_, check)| check.disk().is_dead()).map(|(which, _)| *which).collect();
        for which in dead {
            let Some(check) = self.checks.remove(&which) else { continue };
            self.ctx.note(|| format!("check {} dies", which.0));
            if let Some(line) = check.line() {
                self.ctx.hang_up(line, Side::Verifier);
            }
            drop(check);
            if self.ctx.chance.hits(self.ctx.plan.power) {
                self.ctx.counts.add("machine: verifier's power lost", 1);
                self.verifier_machines[self.ctx.plan.checks[which.0].verifier].lose_power();
            }
            self.again(which.0, 30_000);
        }
    }

    fn bury_holder(&mut self, holder: Holder) {
        self.ctx.note(|| "the holder dies".to_owned());
        let power = self.ctx.chance.hits(self.ctx.plan.power);
        let (lines, mut book, disk) = holder.into_parts();
        lines.into_iter().for_each(|line| self.ctx.hang_up(line, Side::Holder));
        if power {
            self.ctx.counts.add("machine: holder's power lost", 1);
            book.lose_power();
        }
        self.close_book(book, &disk, false);
        if power {
            self.holder_machine.lose_power();
        }
        let delay = 1 + self.ctx.chance.below(20_000);
        self.ctx.after(delay, Event::HolderStarts);
    }

    fn close_book(&mut self, book: Book, disk: &SimDisk, in_order: bool) {
        disk.kill();
        let (shelf, charges) = book.close(in_order);
        (self.shelf, self.charges) = (Some(shelf), charges);
    }

    /// The operator seals what is to be sealed, and serves.
    fn start_holder(&mut self) {
        if self.holder.is_some() {
            return;
        }
        let Some(shelf) = self.shelf.take() else { return };
        let (clock, disk) = (self.ctx.holder_clock(), self.holder_machine.process());
        let mut book = match shelf.open(std::mem::take(&mut self.charges), true, clock) {
            Ok(book) => book,
            Err((shelf, error)) => {
                self.shelf = Some(*shelf);
                return self.ctx.oracle.violation(format!("the ledger cannot be opened: {error}"));
            }
        };
        let path = book.path();
        book.charges.reread(&path);
        for number in 0..self.ctx.plan.verifiers {
            let sealed = seal(&self.ctx.plan, &disk, &mut book, number, self.epochs[number], clock);
            let Err(why) = sealed else { continue };
            self.ctx.note(|| format!("seal: {why}"));
            if !(disk.is_dead() || book.is_dead()) {
                self.ctx.counts.add("outcome: seal failed, tried again", 1);
                if why.contains("damaged") {
                    self.ctx.oracle.damaged("holder", &why);
                }
            }
            let (died, power) = (disk.is_dead() || book.is_dead(), self.ctx.chance.hits(self.ctx.plan.power));
            if died && power {
                book.lose_power();
            }
            self.close_book(book, &disk, !died);
            if died && power {
                self.ctx.counts.add("machine: holder's power lost", 1);
                self.holder_machine.lose_power();
            }
            let delay = 1 + self.ctx.chance.below(5_000);
            return self.ctx.after(delay, Event::HolderStarts);
        }
        self.lives += 1;
        let life = self.lives;
        self.ctx.note(|| format!("the holder serves, life {life}"));
        self.holder = Some(Holder::new(life, disk, book, self.ctx.plan.evaluations_max));
    }

    fn operate(&mut self, operation: Operation) {
        if let Operation::NewEpoch(number) = operation {
            self.epochs[number] = self.next_epoch;
            self.next_epoch += 1;
        }
        self.operate_now(operation);
    }

    fn operate_now(&mut self, operation: Operation) {
        let clock = self.ctx.holder_clock();
        let Some(holder) = &mut self.holder else {
            // A new epoch is sealed when the holder starts; the rest is done once it is there.
            if !matches!(operation, Operation::NewEpoch(_)) {
                self.ctx.after(1_000, Event::Operate(operation));
            }
            return;
        };
        let life = holder.life();
        let disk = holder.disk().clone();
        let done = match operation {
            Operation::NewEpoch(number) => {
                let epoch = self.epochs[number];
                seal(&self.ctx.plan, &disk, holder.book(), number, epoch, clock)
            }
            Operation::Suspend(number) => {
                let scope = Scope::Verifier(parties::verifier(number).fingerprint);
                holder
                    .book()
                    .write(|ledger| ledger.suspend_answers(scope, "a look at it", "operator", clock))
                    .map_err(|error: oblink_store::Error| error.to_string())
            }
            Operation::Resume(number) => {
                let scope = Scope::Verifier(parties::verifier(number).fingerprint);
                let Some(suspension) = holder.book().look().suspensions().ok().and_then(|rows| rows.last().map(|row| row.entry)) else {
                    // The suspension failed so far, and is tried again: there is nothing to end yet.
                    return self.ctx.after(1_000, Event::Operate(operation));
                };
                let judged = Judged { policy: None, suspension };
                holder
                    .book()
                    .write(|ledger| ledger.resume_answers(scope, None, judged, "in order", "operator", clock))
                    .map(drop)
                    .map_err(|error: oblink_store::Error| error.to_string())
            }
        };
        self.ctx.note(|| format!("{operation:?}: {done:?}"));
        self.ctx.counts.add("operator: epoch ended or verifier suspended mid-run", 1);
        if done.is_err() && !holder.is_dead() {
            // Tried again until it is done. (What killed the process is found again when it starts.)
            let again = match operation {
                Operation::NewEpoch(_) => Event::HolderStarts,
                other => Event::Operate(other),
            };
            if let Operation::NewEpoch(_) = operation {
                // The operator stops, and starts anew.
                if let Some(holder) = self.holder.take() {
                    self.bury_holder(holder);
                }
                return;
            }
            self.ctx.after(2_000, again);
        } else if done.is_err() && !matches!(operation, Operation::NewEpoch(_)) {
            self.ctx.after(2_000, Event::Operate(operation));
        }
        let looks = self.ctx.chance.below(1_500);
        self.ctx.after(looks, Event::Standing { life });
    }
}
