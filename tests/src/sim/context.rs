//! What every step of a run has at hand: the virtual clock, the queue of what happens next, the line, chance, the oracle and the trace.

use std::collections::BTreeMap;
use std::rc::Rc;

use oblink_session::wire::Frame;

use super::breaks::Break;
use super::chance::Chance;
use super::counts::Counts;
use super::network::{Line, Network, Side, Stream};
use super::oracle::Oracle;
use super::plan::{Operation, Plan};

/// What happens at a moment.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A piece of a stream comes to a side.
    Arrive { line: Line, stream: Stream, to: Side },
    /// A side hears that its connection is gone.
    Lost { line: Line, side: Side },
    /// The holder's operator seals, as often as it takes, then serves.
    HolderStarts,
    /// A piece of the holder's work is due.
    HolderWork { life: u64, line: Line, work: u64 },
    /// A connection has waited long enough for its seat.
    SeatWaited { life: u64, line: Line },
    /// The holder looks whether its sessions may go on.
    Standing { life: u64 },
    /// An operator runs a check's command.
    CheckStarts { check: usize },
    /// A piece of a check's work is due.
    CheckWork { check: usize, life: u64, work: u64 },
    /// A verifier has waited long enough for an answer.
    AnswerWaited { check: usize, life: u64, line: Line },
    /// The holder's operator does something.
    Operate(Operation),
}

/// Of one run.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) plan: Rc<Plan>,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    pub(crate) network: Network,
    pub(crate) chance: Chance,
    pub(crate) oracle: Oracle,
    pub(crate) counts: Counts,
    pub(crate) broken: Option<Break>,
    /// Lines of what happened, where they were asked for.
    pub(crate) trace: Option<Vec<String>>,
    /// By how much the clock of the holder, and of each verifier, is off.
    pub(crate) skews: [i64; 3],
    /// Of each check, how many requests were made of its list.
    pub(crate) requests: Vec<u32>,
    /// Of each line, which check dialled it, in which life, and its verifier.
    callers: BTreeMap<Line, (usize, u64, usize)>,
    order: u64,
}

impl Context {
    pub(crate) fn new(plan: Rc<Plan>, broken: Option<Break>, traced: bool) -> Self {
        let mut chance = Chance::new(plan.seed, "schedule");
        let mut network = Network::new(plan.seed);
        network.stalls = plan.stalls;
        let mut skew = || chance.between(0, 2 * plan.skew) as i64 - plan.skew as i64;
        let skews = [skew(), skew(), skew()];
        Self {
            now: super::parties::START,
            queue: BTreeMap::new(),
            network,
            skews,
            chance,
            oracle: Oracle::new(Rc::clone(&plan)),
            counts: Counts::default(),
            broken,
            trace: traced.then(Vec::new),
            requests: vec![0; plan.checks.len()],
            callers: BTreeMap::new(),
            order: 0,
            plan,
        }
    }

    /// Puts an event in the queue, `delay` milliseconds from now.
    pub(crate) fn after(&mut self, delay: u64, event: Event) {
        self.order += 1;
        self.queue.insert((self.now + delay, self.order), event);
    }

    /// The same after what a piece of work takes: a moment, now and then long.
    pub(crate) fn soon(&mut self, event: Event) {
        let delay = if self.chance.one_in(8) { self.chance.below(300) } else { self.chance.below(4) };
        self.after(delay, event);
    }

    /// Writes a line of the trace.
    pub(crate) fn note(&mut self, line: impl FnOnce() -> String) {
        let now = self.now - super::parties::START;
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{now:>9} ms  {}", line()));
        }
    }

    /// Sends a frame, or the end of a stream.
    pub(crate) fn send(&mut self, line: Line, stream: Stream, to: Side, frame: Option<&Frame>) {
        for at in self.network.send(line, stream, to, frame, self.now) {
            self.after(at - self.now, Event::Arrive { line, stream, to });
        }
    }

    /// Cuts a line: both sides hear of it later.
    pub(crate) fn cut(&mut self, line: Line) {
        self.network.cut(line);
        for side in [Side::Holder, Side::Verifier] {
            let delay = self.chance.below(45_000);
            self.after(delay, Event::Lost { line, side });
        }
    }

    /// A side lets go of a line, in order or because it died.
    pub(crate) fn hang_up(&mut self, line: Line, side: Side) {
        self.network.close(line, side);
        let other = if side == Side::Holder { Side::Verifier } else { Side::Holder };
        let delay = if self.chance.one_in(2) { self.chance.below(200) } else { self.chance.below(45_000) };
        self.after(delay, Event::Lost { line, side: other });
    }

    /// The clock of the holder.
    pub(crate) fn holder_clock(&self) -> u64 {
        self.now.saturating_add_signed(self.skews[0])
    }

    /// The clock of a verifier.
    pub(crate) fn verifier_clock(&self, verifier: usize) -> u64 {
        self.now.saturating_add_signed(self.skews[1 + verifier])
    }

    /// A check has dialled.
    pub(crate) fn dialled(&mut self, line: Line, check: usize, life: u64, verifier: usize) {
        self.callers.insert(line, (check, life, verifier));
    }

    /// Who dialled a line: the check, its life, and its verifier.
    pub(crate) fn caller(&self, line: Line) -> Option<(usize, u64, usize)> {
        self.callers.get(&line).copied()
    }

    /// Whether the run is broken in this way, on purpose.
    pub(crate) fn is_broken(&self, way: Break) -> bool {
        self.broken == Some(way)
    }
}
