//! `serve` and `check` are killed at any moment: the same command finishes, and nothing shows of it but the time.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oblink_tests::asking::RequestDir;
use oblink_tests::{Call, Serving};
use rand::RngExt;
use rand::rngs::StdRng;

use super::house::{House, names_below, outcome, sane, seeded};

/// Far more than a check waits for a line to be given up and dialled again.
const PATIENCE: Duration = Duration::from_secs(300);

/// Who dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Holder,
    Verifier,
    Both,
}

/// What is asked: an approved request in small batches, or a list by itself.
enum Asked {
    Request(RequestDir),
    List(PathBuf),
}

impl Asked {
    fn output(&self) -> PathBuf {
        match self {
            Self::Request(request) => request.path.with_extension("results.csv"),
            Self::List(output) => output.clone(),
        }
    }

    fn check(&self, house: &House, address: &str) -> Call {
        match self {
            Self::Request(request) => house.agencies.asking(address, request),
            Self::List(output) => house.agencies.checking(address, &house.pairs, output).arg("--json"),
        }
    }
}

/// A port that both a first and a second `serve` can have.
fn free_address() -> String {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn serve_at(house: &House, address: &str) -> Serving {
    Serving::start_at(&house.agencies.holder, address, &[], &[])
}

/// What happened over all runs.
#[derive(Default)]
struct Tally {
    holders: usize,
    verifiers: usize,
    /// Kills that met a check at work.
    before_the_end: usize,
}

impl Tally {
    /// A line for the table.
    fn tell(&self, fault: &str, came_of_it: &str) {
        let Self { holders, verifiers, before_the_end } = self;
        let what = format!("serve {holders}, check {verifiers}, {before_the_end} in the midst of a check; {came_of_it}");
        outcome(fault, holders + verifiers, &what);
    }
}

/// Checkpoints that lie in the verifier's home or in a request's directory.
fn checkpoints(house: &House, asked: &Asked) -> Vec<String> {
    let at = match asked {
        Asked::Request(request) => request.path.join("checkpoint"),
        Asked::List(_) => house.agencies.verifier.home.join("checkpoints"),
    };
    if at.exists() { names_below(&at) } else { Vec::new() }
}

/// One question with one kill or several, and the same command until it is done.
fn killed(house: &House, asked: &Asked, mut serving: Serving, whole: Duration, tally: &mut Tally, random: &mut StdRng) -> Serving {
    let (address, output) = (serving.address().to_owned(), asked.output());
    let mut started = asked.check(house, &address).start();
    loop {
        let victim = [Victim::Holder, Victim::Verifier, Victim::Both][random.random_range(0..3)];
        thread::sleep(whole.mul_f64(random.random_range(0.0..1.0)));
        tally.before_the_end += usize::from(started.runs());
        if victim != Victim::Verifier {
            serving.signal(Signal::SIGKILL);
            sane(&serving.stderr());
            drop(serving);
            tally.holders += 1;
            thread::sleep(Duration::from_millis(random.random_range(0..300)));
            serving = serve_at(house, &address);
        }
        if victim != Victim::Holder {
            started.signal(Signal::SIGKILL);
            let ended = started.end();
            sane(&ended.stderr);
            tally.verifiers += 1;
            // With everything written and put away, it was done but for its last words; a list would be asked anew.
            if ended.exit() == Some(0) || output.exists() && checkpoints(house, asked).is_empty() {
                return serving;
            }
            started = asked.check(house, &address).start();
        }
        // A run that was taken up again dies as well.
        if !random.random_bool(0.3) {
            break;
        }
    }
    let mut ended = started.end_within(PATIENCE);
    // Before it was admitted it does not wait: it says that nobody was there.
    if ended.exit() == Some(5) {
        ended = asked.check(house, &address).start().end_within(PATIENCE);
    }
    assert_eq!(ended.exit(), Some(0), "{ended}\n{}", serving.stderr());
    sane(&ended.stderr);
    serving
}

/// `runs` questions, every fourth of them a list by itself, of the same pairs.
fn runs_killed(runs: usize, pairs: u64, batch_tokens: u32) -> Tally {
    let mut random = seeded("serve and check killed");
    let house = House::sealed(pairs, 2 * pairs);
    let mut serving = serve_at(&house, &free_address());
    let undisturbed = house.undisturbed(&serving);
    let mut tally = Tally::default();
    // How long one takes here and now: kills fall into that.
    let request = house.request("measured", batch_tokens);
    let began = Instant::now();
    house.agencies.asking(serving.address(), &request).ok();
    let whole = began.elapsed();
    for run in 0..runs {
        let asked = if run % 4 == 3 {
            Asked::List(house.output(&format!("list-{run}")))
        } else {
            Asked::Request(house.request(&format!("request-{run}"), batch_tokens))
        };
        serving = killed(&house, &asked, serving, whole, &mut tally, &mut random);
        assert!(std::fs::read(asked.output()).unwrap() == undisturbed, "run {run}: the results differ");
        let left = checkpoints(&house, &asked);
        // A request keeps its Hello.
        assert!(left.iter().all(|name| name == "run" && matches!(asked, Asked::Request(_))), "run {run}: {left:?}");
    }
    sane(&serving.stderr());
    drop(serving.stop());
    house.accounted(runs + 2);
    no_litter(&house.agencies.verifier.home);
    no_litter(&house.agencies.holder.home);
    println!("a check takes {:.2} s undisturbed", whole.as_secs_f64());
    tally
}

/// What killed programs left is gone by now.
fn no_litter(home: &Path) {
    let left: Vec<_> = names_below(home).into_iter().filter(|name| name.ends_with(".tmp") || name.ends_with(".part")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn serve_and_check_killed_at_any_moment() {
    runs_killed(6, 240, 20);
}

#[test]
#[ignore = "long"]
fn serve_and_check_killed_a_hundred_times() {
    let tally = runs_killed(100, 1_000, 20);
    tally.tell(
        "serve killed, check killed",
        "each of 100 questions finished by the same command: results byte-identical, each batch charged once, no answer uncharged",
    );
}

/// Batches as they are by default.
#[test]
#[ignore = "long"]
fn serve_and_check_killed_with_large_batches() {
    let tally = runs_killed(16, 30_000, 8_192);
    tally.tell("serve killed, check killed: 30,000 pairs, batches of 8,192", "likewise");
}
