//! A bad network between the two programs.

use std::thread;
use std::time::{Duration, Instant};

use oblink_tests::relay::{Counts, Relay, Weather};
use oblink_tests::{Results, Started};
use rand::RngExt;

use super::house::{House, outcome, sane, seeded};

/// Far more than a check waits for a line to be given up and dialled again.
const PATIENCE: Duration = Duration::from_secs(400);

/// What became of a check.
struct Through {
    counts: Counts,
    reconnects: u64,
    took: Duration,
    /// What it said to people.
    said: String,
}

/// A request over a relay, with what happens `during` it; results and account are as if nothing had.
fn through(house: &House, number: usize, weather: Weather, seed: u64, during: impl FnOnce(&House, &Relay, &mut Started)) -> Through {
    let agencies = &house.agencies;
    let serving = agencies.serve();
    let undisturbed = house.undisturbed(&serving);
    let before = agencies.ledger("session").len();
    let request = house.request(&format!("request-{number}"), 20);
    let relay = Relay::start(serving.address(), weather, seed);
    let began = Instant::now();
    let mut started = agencies.asking(relay.address(), &request).start();
    during(house, &relay, &mut started);
    let ended = started.end_within(PATIENCE);
    assert_eq!(ended.exit(), Some(0), "{:?}\n{ended}", relay.counts());
    sane(&ended.stderr);
    let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
    assert_eq!(std::fs::read(&results.path).unwrap(), undisturbed, "seed {seed}");
    sane(&serving.stderr());
    drop(serving.stop());
    house.accounted(before + 1);
    let reconnects = results.object["reconnects"].as_u64().unwrap();
    Through { counts: relay.counts(), reconnects, took: began.elapsed(), said: ended.stderr }
}

fn told(name: &str, through: &Through) {
    println!("{name}: {:.1} s, {} reconnects, {:?}", through.took.as_secs_f64(), through.reconnects, through.counts);
}

fn bad_weather(pairs: u64, runs: usize) {
    let mut random = seeded("bad weather");
    let house = House::sealed(pairs, 2 * pairs);
    let (mut lost, mut reconnects) = (0, 0);
    for run in 0..runs {
        let through = through(&house, run, Weather::bad(), random.random(), |_, _, _| ());
        told("bad weather", &through);
        assert!(through.counts.lost > 0 && through.counts.late > 0, "{:?}", through.counts);
        lost += through.counts.lost;
        reconnects += through.reconnects;
    }
    outcome(
        "5% loss, 100 ms, reordering, 1% duplicates",
        runs,
        &format!("exit 0, results exact, charged once; {lost} datagrams lost, {reconnects} reconnects"),
    );
}

#[test]
fn a_line_that_loses_delays_reorders_and_duplicates() {
    bad_weather(240, 1);
}

#[test]
#[ignore = "long"]
fn many_sessions_in_bad_weather() {
    bad_weather(2_000, 20);
}

/// A slow line, so that what happens falls into the session.
fn slow() -> Weather {
    Weather { delay: Duration::from_millis(100), ..Weather::default() }
}

fn cut_for(run: usize, seconds: u64) -> Through {
    let house = House::sealed(2_000, 1_000);
    let through = through(&house, run, slow(), 1, |house, relay, _| {
        // One batch is the undisturbed check's.
        house.charged(8 + 5 * run);
        relay.cut();
        thread::sleep(Duration::from_secs(seconds));
        relay.restore();
    });
    told(&format!("cut for {seconds} s"), &through);
    assert!(through.counts.cut > 0, "{:?}", through.counts);
    through
}

#[test]
fn a_link_that_is_cut_for_a_moment() {
    assert_eq!(cut_for(0, 2).reconnects, 0);
}

#[test]
#[ignore = "long"]
fn a_link_that_is_cut_for_half_a_minute() {
    let runs: Vec<Through> = (0..3).map(|run| cut_for(run, 30)).collect();
    // The idle timeout is a minute.
    assert!(runs.iter().all(|run| run.reconnects == 0));
    outcome("link cut for 30 s", runs.len(), "the connection survives; exit 0, results exact, charged once");
}

#[test]
#[ignore = "long"]
fn a_link_that_is_cut_for_longer_than_the_idle_timeout() {
    let runs: Vec<Through> = (0..2).map(|run| cut_for(run, 90)).collect();
    for run in &runs {
        assert!(run.reconnects > 0);
        assert!(run.said.contains("again"), "people hear of it: {}", run.said);
    }
    outcome("link cut for 90 s", runs.len(), "the line is lost after 60 s, check dials again and goes on; results exact, charged once");
}

/// A NAT that gives the verifier another port: migration is off, so that the line is as good as cut.
#[test]
#[ignore = "long"]
fn a_source_address_that_changes() {
    const RUNS: usize = 2;
    let mut longest = Duration::ZERO;
    for run in 0..RUNS {
        let house = House::sealed(2_000, 1_000);
        let through = through(&house, run, slow(), 1, |house, relay, _| {
            house.charged(8 + 5 * run);
            relay.change_source();
        });
        told("source address changed", &through);
        assert!(through.reconnects > 0 && through.counts.stale > 0, "{:?}", through.counts);
        longest = longest.max(through.took);
    }
    let took = longest.as_secs();
    outcome(
        "source address changed",
        RUNS,
        &format!("the line is lost, check dials again and goes on ({took} s at most); results exact, charged once"),
    );
}
