//! When a broken line is tried again: soon at first, then ever more seldom, and never in step with others (SPEC RES-5).

use std::time::Duration;

use crate::random::system_bytes;

/// The first wait.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits that double.
#[derive(Debug)]
pub(super) struct Backoff {
    next: Duration,
    /// How long is tried without anything coming of it.
    limit: Duration,
}

impl Backoff {
    pub(super) fn new(limit: Duration) -> Self {
        Self { next: FIRST, limit }
    }

    /// Something came of the last try.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// How long to wait now, nothing having come of it for `idle`; `None` where that is long enough.
    pub(super) fn wait(&mut self, idle: Duration) -> Option<Duration> {
        let left = self.limit.checked_sub(idle).filter(|left| !left.is_zero())?;
        let wait = self.next.mul_f64(upper_half());
        self.next = (self.next * 2).min(LONGEST);
        Some(wait.min(left))
    }
}

/// From a half to one. Where the system gives no chance, one.
fn upper_half() -> f64 {
    system_bytes().map_or(1.0, |bytes| 0.5 + f64::from(u32::from_be_bytes(*bytes)) / f64::from(u32::MAX) / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_minute_and_are_drawn_from_their_upper_half() {
        let mut backoff = Backoff::new(Duration::from_secs(900));
        for round in 0..2 {
            for due in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0] {
                let wait = backoff.wait(Duration::ZERO).unwrap().as_secs_f64();
                assert!((due / 2.0..=due).contains(&wait), "round {round}: {wait} of {due}");
            }
            backoff.reset();
        }
    }

    #[test]
    fn it_ends_when_nothing_has_come_of_it_for_long_enough() {
        let mut backoff = Backoff::new(Duration::from_secs(10));
        assert!(backoff.wait(Duration::from_millis(9_900)).unwrap() <= Duration::from_millis(100));
        assert_eq!(backoff.wait(Duration::from_secs(10)), None);
        assert_eq!(backoff.wait(Duration::from_secs(11)), None);
        assert_eq!(Backoff::new(Duration::ZERO).wait(Duration::ZERO), None, "never");
    }
}
