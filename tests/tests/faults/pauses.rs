//! Programs that stand still: SIGSTOP, then SIGCONT.

use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal;
use oblink_tests::Results;
use oblink_tests::relay::{Relay, Weather};

use super::house::{House, outcome, sane};

/// Either side stands still for so long in the middle of a session. Gives how often the verifier dialled again.
fn paused(holder: bool, pause: Duration) -> u64 {
    let house = House::sealed(2_000, 1_000);
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.undisturbed(&serving);
    let request = house.request("request", 20);
    // A slow line, so that the pause falls into the session.
    let relay = Relay::start(serving.address(), Weather { delay: Duration::from_millis(100), ..Weather::default() }, 1);
    let started = agencies.asking(relay.address(), &request).start();
    house.charged(8);
    let signal = |signal| if holder { serving.signal(signal) } else { started.signal(signal) };
    signal(Signal::SIGSTOP);
    thread::sleep(pause);
    signal(Signal::SIGCONT);
    let ended = started.end_within(Duration::from_secs(300));
    assert_eq!(ended.exit(), Some(0), "{ended}");
    sane(&ended.stderr);
    let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
    assert_eq!(std::fs::read(&results.path).unwrap(), undisturbed);
    sane(&serving.stderr());
    drop(serving.stop());
    house.accounted(2);
    results.object["reconnects"].as_u64().unwrap()
}

#[test]
fn stopped_for_a_moment() {
    for holder in [true, false] {
        paused(holder, Duration::from_secs(1));
    }
}

#[test]
#[ignore = "long"]
fn a_holder_that_stands_still_for_90_s() {
    let reconnects = paused(true, Duration::from_secs(90));
    outcome("SIGSTOP of serve for 90 s", 1, &format!("check dials again ({reconnects}) and goes on; results exact, charged once"));
}

#[test]
#[ignore = "long"]
fn a_verifier_that_stands_still_for_90_s() {
    let reconnects = paused(false, Duration::from_secs(90));
    outcome("SIGSTOP of check for 90 s", 1, &format!("check dials again ({reconnects}) and goes on; results exact, charged once"));
}
