//! The holder is killed at any moment: never is an evaluation uncharged (SPEC BAT-3).

use std::collections::HashSet;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oblink_session::wire::Batch;
use oblink_store::ledger::entries::EntryKind;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use oblink_tests::asking::{Asked, Draft, day, people};
use oblink_tests::peer::{No, Peer};

use super::house::House;

const KILLS: usize = 100;
/// Batches of two elements each: 60 a request.
const LIST: usize = 120;
const SIZE: u32 = 2;
/// How long after a kill answers may still arrive.
const ARRIVAL: Duration = Duration::from_millis(50);

/// Asks what is left of a request, eight batches at a time, until it is done or the line breaks. Gives whether it is done.
fn ask_on(peer: &Peer, address: &str, asked: &Asked) -> bool {
    let run = || -> Result<(), No> {
        let mut line = peer.dial(address)?;
        let admitted = line.say(&peer.hello(asked))?;
        let answered: HashSet<[u8; 32]> = peer.answered().into_iter().collect();
        let digest = |batch: &Batch| oblink_session::wire::raw::blinded_digest(batch.index, &batch.blinded);
        let left: Vec<Batch> = (0..asked.batches.len() as u64)
            .map(|index| peer.approved(&admitted, asked, index))
            .filter(|batch| !answered.contains(&digest(batch)))
            .collect();
        for batches in left.chunks(8) {
            line.ask_all(batches)?;
        }
        line.leave();
        Ok(())
    };
    match run() {
        Ok(()) => true,
        Err(No::Gone(_)) => false,
        Err(No::Refused(refusal)) => {
            // Another connection of the same session that died is cleared away first; nothing else is refused here.
            assert_eq!(refusal.code.kind(), oblink_session::error::RefusalKind::Passing, "{refusal}");
            false
        }
    }
}

/// Every batch whose answer came is charged, each once.
fn all_charged(house: &House, peer: &Peer, kill: usize) {
    let charged: Vec<String> = house
        .agencies
        .holder
        .logged(EntryKind::Charge)
        .iter()
        .map(|entry| entry.body["blinded_digest"].as_str().unwrap().to_owned())
        .collect();
    let once: HashSet<&String> = charged.iter().collect();
    assert_eq!(once.len(), charged.len(), "kill {kill}: a batch is charged twice");
    for digest in peer.answered() {
        assert!(once.contains(&hex::encode(digest)), "kill {kill}: an evaluation came that is not charged");
    }
}

/// One hundred kills at random moments. The seed is printed: `OBLINK_KILLS_SEED` plays it again.
#[test]
fn killed_at_any_moment_no_evaluation_is_uncharged() {
    let seed = std::env::var("OBLINK_KILLS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("OBLINK_KILLS_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let mut house = House::with(|rules| rules.verifier().window = [30, 1_000, 10_000_000, 10_000_000]);
    house.pairs = house.agencies.file("many.csv", people(0, LIST, &day(-10)));
    let peer = house.peer();
    let new = |house: &House| Draft::new(&house.agencies.holder, &house.agencies.verifier, &house.pairs, SIZE).signed_by(house.two());
    // How long it takes on this machine, under whatever else it does: the kills fall into that.
    let serving = house.serve();
    let began = Instant::now();
    assert!(ask_on(&peer, serving.address(), &new(&house)));
    let whole = began.elapsed();
    drop(serving.stop());
    let before = peer.answered().len();
    let (mut asked, mut finished) = (new(&house), 0);
    for kill in 0..KILLS {
        // It starts at all: it has verified its ledger.
        let serving = house.serve();
        let wait = whole.mul_f64(rng.random_range(0.0..1.0));
        let address = serving.address().to_owned();
        peer.give_up(false);
        let killer = &peer;
        thread::scope(|scope| {
            scope.spawn(move || {
                thread::sleep(wait);
                serving.signal(Signal::SIGKILL);
                // What it sent before is still on its way.
                thread::sleep(ARRIVAL);
                killer.give_up(true);
                // Dropped, it is waited for.
                drop(serving);
            });
            // One request after the other, so that each kill meets work.
            while ask_on(&peer, &address, &asked) {
                finished += 1;
                asked = new(&house);
            }
        });
        all_charged(&house, &peer, kill);
    }
    peer.give_up(false);
    println!("{} batches answered, {} charged, {finished} requests asked whole", peer.answered().len(), house.agencies.charges());
    assert!(peer.answered().len() > before, "nothing was answered before a kill: they came too early to show anything");
    house.agencies.ledger_holds();
    // What was begun goes on to its end.
    let serving = house.serve();
    assert!(ask_on(&peer, serving.address(), &asked));
    all_charged(&house, &peer, KILLS);
    drop(serving.stop());
    house.agencies.ledger_holds();
}

/// `check --request` is killed at any moment and run again: the same session goes on, nothing is charged twice, and the results come, also where
/// the run died between receipt and results (SPEC BAT-3, HSK-5).
#[test]
fn repro_a_verifier_that_is_killed_gets_its_answers_by_the_same_command() {
    const RUNS: usize = 14;
    let house = House::new();
    let serving = house.serve();
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut random = StdRng::seed_from_u64(seed);
    for run in 0..RUNS {
        let request = house.request(&format!("request-{run}"));
        let started = house.agencies.asking(serving.address(), &request).start();
        thread::sleep(Duration::from_millis(random.random_range(5..400)));
        // The value takes its process with it, by SIGKILL.
        drop(started);
        let there = request.path.with_extension("results.csv");
        if there.exists() {
            // It may have signed the receipt already: then it is answered, and says so.
            let again = house.agencies.asking(serving.address(), &request).run();
            assert!(matches!(again.code(), 0 | 4), "{again}");
        } else {
            let results = house.check(&serving, &request);
            assert_eq!(results.matched().iter().filter(|matched| **matched).count(), super::house::PAIRS / 2);
        }
    }
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), RUNS, "one batch each, charged once");
    house.agencies.ledger_holds();
}
