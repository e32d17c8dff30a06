//! What is said of dialers that are turned away: a few in full, the others as a number. Whoever can send packets could fill a disk with lines
//! otherwise, and hide among them what an operator should see.

use std::time::{Duration, Instant};

/// Of how many dialers something is said in each [`EVERY`].
const SAID_MAX: u32 = 10;
/// How often the others are summed up.
const EVERY: Duration = Duration::from_secs(60);

/// Counts what is said and what is not.
#[derive(Debug)]
pub(super) struct Knocks {
    since: Instant,
    said: u32,
    unsaid: u64,
}

impl Knocks {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, said: 0, unsaid: 0 }
    }

    /// Somebody was turned away: whether to say so in full. Otherwise it is counted.
    pub(super) fn one(&mut self, now: Instant) -> bool {
        if now.saturating_duration_since(self.since) >= EVERY && self.unsaid == 0 {
            (self.since, self.said) = (now, 0);
        }
        if self.said < SAID_MAX {
            self.said += 1;
            return true;
        }
        self.unsaid += 1;
        false
    }

    /// When [`Self::sum`] is due, if it is.
    pub(super) fn due(&self) -> Option<Instant> {
        (self.unsaid > 0).then(|| self.since + EVERY)
    }

    /// What was not said: to be said now, in one line.
    pub(super) fn sum(&mut self, now: Instant) -> u64 {
        (self.since, self.said) = (now, 0);
        std::mem::take(&mut self.unsaid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_ten_lines_and_one() {
        let mut now = Instant::now();
        let mut knocks = Knocks::new(now);
        let said = (0..100_000).filter(|_| knocks.one(now)).count();
        assert_eq!(said, 10);
        let due = knocks.due().unwrap();
        assert_eq!(due, now + EVERY);
        now = due;
        assert!(!knocks.one(now), "it is summed up first");
        assert_eq!(knocks.sum(now), 99_991);
        assert_eq!(knocks.due(), None);
        assert!(knocks.one(now));
        // A few now and then are always said.
        for _ in 0..100 {
            now += EVERY;
            assert!(knocks.one(now) && knocks.due().is_none());
        }
    }
}
