//! `seal` is killed at any moment: the old set is served or the new one, whole, and the next seal works and clears up.

use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oblink_tests::{Started, joined, read_split};
use rand::RngExt;
use rand::rngs::StdRng;

use super::house::{House, names_below, outcome, sane, seeded};

/// How a seal is killed.
#[derive(Clone, Copy, PartialEq)]
enum Moment {
    /// Anywhere.
    Any,
    /// About when it writes down what it made: that is short, and what matters.
    Writing,
}

/// Waits for the moment, and kills. Gives whether it was done before.
fn kill(mut sealing: Started, house: &House, moment: Moment, whole: Duration, random: &mut StdRng) -> bool {
    if moment == Moment::Any {
        thread::sleep(whole.mul_f64(random.random_range(0.0..1.1)));
    } else {
        let home = &house.agencies.holder.home;
        let names = || [names_below(&home.join("epochs")), names_below(&home.join("sets"))];
        // By now a work directory may be there; what comes after it are the seed and the set.
        thread::sleep(whole / 4);
        let before = names();
        while sealing.runs() && names() == before {}
        thread::sleep(Duration::from_micros(random.random_range(0..20_000)));
    }
    sealing.signal(Signal::SIGKILL);
    let ended = sealing.end();
    sane(&ended.stderr);
    ended.exit() == Some(0)
}

/// After a whole seal nothing lies in the home but what is in service.
fn no_litter(house: &House, sealed: &serde_json::Value, keeps: bool) {
    let (set, epoch) = (sealed["sealed"].as_str().unwrap(), sealed["epoch"].as_str().unwrap());
    let home = &house.agencies.holder.home;
    assert_eq!(names_below(&home.join("sets")), [format!("{set}.oblset")]);
    let mut left = names_below(&home.join("epochs"));
    left.retain(|name| !name.ends_with("lock"));
    let mut due = vec![format!("{epoch}.seed")];
    if keeps {
        due.insert(0, format!("{epoch}.cache"));
    }
    assert_eq!(left, due);
    let temporary: Vec<_> = names_below(home).into_iter().filter(|name| name.ends_with(".tmp") || name.ends_with(".new")).collect();
    assert!(temporary.is_empty(), "{temporary:?}");
}

/// Seals two lists of records in turn and kills that, beside a `serve` or before one. Where keys are kept, sets replace each other in one epoch.
fn seals_killed(kills: usize, records: u64, keeps: bool) {
    let mut random = seeded("seals killed");
    let house = House::new(60, records);
    let agencies = &house.agencies;
    if keeps {
        let config = agencies.holder.home.join("config.toml");
        let text = std::fs::read_to_string(&config).unwrap();
        std::fs::write(&config, format!("{text}\n[epochs]\nkeep_key_days = 30\n")).unwrap();
    }
    let text = std::fs::read_to_string(&house.records).unwrap();
    let half = text.lines().step_by(2).collect::<Vec<_>>().join("\n");
    // The header is the first line of both.
    let lists: [PathBuf; 2] = [house.records.clone(), agencies.file("half.csv", half)];
    let expected = [0, 1].map(|list: usize| joined(&house.people(), &read_split(&lists[list])));
    assert_ne!(expected[0], expected[1]);
    agencies.seal(&lists[1]);
    let began = Instant::now();
    let mut sealed = agencies.seal(&lists[0]).object();
    let whole = began.elapsed();
    let (mut current, mut came_through, mut new_served) = (0, 0, 0);
    for number in 0..kills {
        let other = 1 - current;
        let beside = random.random_bool(0.5).then(|| agencies.serve());
        let moment = if random.random_bool(0.6) { Moment::Writing } else { Moment::Any };
        let done = kill(agencies.sealing(&lists[other], "--json").start(), &house, moment, whole, &mut random);
        came_through += usize::from(done);
        let serving = beside.unwrap_or_else(|| agencies.serve());
        let results = agencies.check(&serving, &house.pairs);
        let new = results.meta["set_id"] != sealed["sealed"];
        assert!(new || !done, "kill {number}: the seal was done, and the old set is served");
        assert_eq!(results.matched(), expected[if new { other } else { current }], "kill {number}: new: {new}");
        new_served += usize::from(new);
        // The next one works, whether the records are others or the same.
        current = if random.random_bool(0.5) { other } else { current };
        sealed = agencies.seal(&lists[current]).object();
        let results = agencies.check(&serving, &house.pairs);
        assert_eq!((&results.meta["set_id"], results.matched()), (&sealed["sealed"], expected[current].clone()), "kill {number}");
        no_litter(&house, &sealed, keeps);
        sane(&serving.stderr());
        drop(serving.stop());
    }
    agencies.ledger_holds();
    let kind = if keeps { ", keys kept" } else { "" };
    outcome(
        &format!("seal killed{kind}"),
        kills,
        &format!(
            "old set served {}, new set served {new_served} (seal was done: {came_through}); results exact; next seal works, no litter",
            kills - new_served
        ),
    );
}

#[test]
fn a_seal_that_is_killed_leaves_the_old_set_or_the_new() {
    seals_killed(5, 1_500, false);
}

#[test]
#[ignore = "long"]
fn seals_killed_at_any_moment() {
    seals_killed(40, 20_000, false);
}

#[test]
#[ignore = "long"]
fn seals_killed_at_any_moment_where_keys_are_kept() {
    seals_killed(40, 20_000, true);
}
