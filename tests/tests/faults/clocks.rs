//! Clocks that jump, on either side, between sessions and within one: what cannot go on is refused in so many words, and goes on once the clocks
//! are right.

use std::time::Duration;

use oblink_tests::asking::RequestDir;
use oblink_tests::clock::Clock;
use oblink_tests::relay::{Relay, Weather};
use oblink_tests::{Ended, Results, Serving, eventually};

use super::house::{House, fails_with, outcome, sane, skipped};

const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// More than five minutes are refused (SPEC HSK-2).
const JUMPS_MS: [i64; 4] = [6 * MINUTE_MS, -6 * MINUTE_MS, DAY_MS, -DAY_MS];

/// A house in which both sides have clocks of their own.
struct Clocks {
    house: House,
    holder: Clock,
    verifier: Clock,
}

impl Clocks {
    fn new(pairs: u64) -> Option<Self> {
        match (Clock::new(), Clock::new()) {
            (Ok(holder), Ok(verifier)) => Some(Self { house: House::sealed(pairs, 1_000), holder, verifier }),
            (Err(why), _) | (_, Err(why)) => {
                skipped("clocks that jump", &why);
                None
            }
        }
    }

    fn serve(&self) -> Serving {
        Serving::start_at(&self.house.agencies.holder, "127.0.0.1:0", &[], &self.holder.env())
    }

    fn check(&self, address: &str, request: &RequestDir, more: &str) -> oblink_tests::Call {
        self.house.agencies.asking(address, request).args(more).envs(&self.verifier.env())
    }

    fn of(&self, at_holder: bool) -> &Clock {
        if at_holder { &self.holder } else { &self.verifier }
    }

    /// Both clocks agree again.
    fn both(&self, ms: i64) {
        self.holder.shift(ms);
        self.verifier.shift(ms);
    }

    fn right(&self, request: &RequestDir, ended: &Ended, undisturbed: &[u8]) {
        assert_eq!(ended.exit(), Some(0), "{ended}");
        sane(&ended.stderr);
        let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
        assert_eq!(std::fs::read(&results.path).unwrap(), undisturbed);
    }
}

fn name(at_holder: bool, jump_ms: i64) -> String {
    let whose = if at_holder { "holder" } else { "verifier" };
    if jump_ms.abs() < DAY_MS { format!("{whose} {:+} min", jump_ms / MINUTE_MS) } else { format!("{whose} {:+} day", jump_ms / DAY_MS) }
}

/// Between sessions: refused by the holder with clock_skew, nothing is charged; and the same request goes through once the clocks agree.
#[test]
fn a_clock_that_is_wrong_between_sessions() {
    let Some(clocks) = Clocks::new(60) else { return };
    let (mut tries, mut both_ms) = (0, 0);
    let serving = clocks.serve();
    let undisturbed = clocks.house.undisturbed(&serving);
    for (at_holder, jump_ms) in [false, true].into_iter().flat_map(|at_holder| JUMPS_MS.map(|jump_ms| (at_holder, jump_ms))) {
        let request = clocks.house.request(&format!("request-{tries}"), 20);
        clocks.of(at_holder).shift(both_ms + jump_ms);
        let refused = clocks.check(serving.address(), &request, "--retry-for 0").run();
        fails_with(&refused, 4, &["clock"]);
        assert_eq!(refused.object()["error"]["code"], "clock_skew", "{}", name(at_holder, jump_ms));
        if at_holder {
            // It has written down the refusal, and ledger time does not go back (SPEC LED-5).
            both_ms += jump_ms.max(0);
        }
        clocks.both(both_ms);
        let ended = clocks.check(serving.address(), &request, "").run();
        clocks.right(&request, &ended, &undisturbed);
        tries += 1;
    }
    sane(&serving.stderr());
    drop(serving.stop());
    clocks.house.accounted(tries + 1);
    outcome(
        "clock wrong between sessions: ±6 min, ±1 day, either side",
        tries,
        "refused with clock_skew, exit 4, nothing charged; goes on once set right",
    );
}

/// In the middle of a session.
fn jumps_within(at_holder: bool, jump_ms: i64) -> Option<String> {
    let clocks = Clocks::new(1_000)?;
    let house = &clocks.house;
    let serving = clocks.serve();
    let undisturbed = house.undisturbed(&serving);
    let request = house.request("request", 20);
    let relay = Relay::start(serving.address(), Weather { delay: Duration::from_millis(100), ..Weather::default() }, 1);
    let started = clocks.check(relay.address(), &request, "--retry-for 5").start();
    house.charged(8);
    clocks.of(at_holder).shift(jump_ms);
    let first = started.end_within(Duration::from_secs(200));
    let what = name(at_holder, jump_ms);
    let outcome = match first.exit() {
        Some(0) => {
            clocks.right(&request, &first, &undisturbed);
            format!("{what}: goes on")
        }
        _ => {
            // No bug, and nobody is accused: the clocks are.
            let exit = first.exit().unwrap();
            assert!([3, 4, 5].contains(&exit), "{first}");
            fails_with(&first, exit, &["clock"]);
            assert!(!request.path.with_extension("results.csv").exists());
            // What went ahead has to be waited for.
            clocks.both(jump_ms.max(0));
            let ended = clocks.check(serving.address(), &request, "").run();
            clocks.right(&request, &ended, &undisturbed);
            format!("{what}: exit {exit}, {}; goes on once set right", first.object()["error"]["code"].as_str().unwrap())
        }
    };
    sane(&serving.stderr());
    drop(serving.stop());
    house.accounted(2);
    Some(outcome)
}

#[test]
fn a_clock_that_jumps_within_a_session() {
    for (at_holder, jump_ms) in [(true, -6 * MINUTE_MS), (false, 6 * MINUTE_MS)] {
        if let Some(said) = jumps_within(at_holder, jump_ms) {
            println!("{said}");
        }
    }
}

#[test]
#[ignore = "long"]
fn every_clock_that_jumps_within_a_session() {
    let cases: Vec<(bool, i64)> = [true, false].into_iter().flat_map(|at_holder| JUMPS_MS.map(|jump_ms| (at_holder, jump_ms))).collect();
    let said: Vec<String> = cases.iter().filter_map(|(at_holder, jump_ms)| jumps_within(*at_holder, *jump_ms)).collect();
    outcome("clock jumps within a session", said.len(), &said.join("; "));
}

/// The holder's clock is set back behind what its ledger has: nobody is admitted until it has caught up, `serve` says so when it starts, and a
/// session of before goes on after that.
#[test]
fn a_clock_set_back_behind_the_ledger() {
    let Some(clocks) = Clocks::new(60) else { return };
    let house = &clocks.house;
    clocks.both(DAY_MS);
    let serving = clocks.serve();
    let undisturbed = house.undisturbed_by(&serving, &clocks.verifier.env());
    drop(serving.stop());
    clocks.both(0);
    let serving = clocks.serve();
    let said = eventually("serve to warn", || Some(serving.stderr()).filter(|said| said.contains("behind the ledger")));
    assert!(said.contains("help: set the clock"), "{said}");
    let request = house.request("request", 20);
    let refused = clocks.check(serving.address(), &request, "--retry-for 0").run();
    fails_with(&refused, 4, &["the holder's clock is not in order"]);
    clocks.both(DAY_MS);
    let ended = clocks.check(serving.address(), &request, "").run();
    clocks.right(&request, &ended, &undisturbed);
    sane(&serving.stderr());
    drop(serving.stop());
    house.accounted(2);
    outcome("holder's clock set back over a day of ledger", 1, "serve warns, refuses with clock_skew; goes on once caught up");
}
