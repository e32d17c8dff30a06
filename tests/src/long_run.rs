//! One `serve` through many sessions, one after the other, and what it keeps of them.
//!
//! Everything is as an operator runs it: a policy in force, four verifiers whose officials sign each request, one process for each `check`.
//! Some are refused, some are killed and come back, some are killed for good; `doctor` pings and strangers dial between. After each session
//! memory, descriptors, threads and files are looked at from outside, and the metrics are read as Prometheus would.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oblink_store::ledger::{SessionState, SqliteLedger};

use crate::asking::{RequestDir, day, people};
use crate::officials::Cast;
use crate::policy::{Rules, VerifierRules};
use crate::{Agencies, Party, Program, Scrape, Serving, files_below, within};

/// Verifiers that take turns: one may have four connections, and those of a killed one last a minute.
const VERIFIERS: usize = 4;
/// Records that are sealed for each, and pairs that each session asks.
const RECORDS: usize = 400;
const PAIRS: usize = 24;
/// Sessions at the end of the warm-up, and at the end, over which is looked for the middle one: single looks meet work under way.
const WINDOW: usize = 21;
/// Longest that the write-ahead log may be at any time: SQLite takes it over into the database from 4 MB on.
const WAL_BYTES_MAX: u64 = 16 << 20;
/// Until when connections of killed verifiers are gone.
const IDLE: Duration = Duration::from_secs(100);

/// What is run, and what may grow.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Sessions.
    pub sessions: usize,
    /// Sessions after which growth is counted.
    pub warm_up: usize,
    /// Bytes of memory that may be more at the end than after the warm-up; `None`: not looked at.
    pub memory_growth_max: Option<u64>,
    /// Whether some that are killed do not come back, whose connections last a minute, and what `serve` costs at rest is measured.
    pub patient: bool,
}

impl Plan {
    /// So many sessions; growth is counted from the hundredth, or from the middle of a short run.
    #[must_use]
    pub fn new(sessions: usize) -> Self {
        Self { sessions, warm_up: 100.min(sessions / 2), memory_growth_max: Some(8_000_000), patient: true }
    }

    /// A few sessions, as many as tests have time for: too few to judge memory by.
    #[must_use]
    pub fn short() -> Self {
        Self { memory_growth_max: None, patient: false, ..Self::new(24) }
    }
}

/// What was seen after a session.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    /// How many sessions there had been.
    pub sessions: usize,
    /// Resident memory, bytes.
    pub rss: u64,
    /// Of it what no file is behind, bytes.
    pub anonymous: u64,
    /// Threads.
    pub threads: u64,
    /// Descriptors.
    pub fds: u64,
    /// Bytes below the holder's home, by kind: `database`, `wal`, `receipts`, `sets`, `other`.
    pub disk: BTreeMap<&'static str, u64>,
    /// Files of receipts.
    pub receipts: u64,
    /// Entries of the log, as the metrics say: up to a second old.
    pub entries: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// After each session.
    pub samples: Vec<Sample>,
    /// When all connections had gone.
    pub at_rest: Sample,
    /// Sessions by what they were to be: `completed`, `refused`, `killed`, `killed, then completed`.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Processor time of `serve` at rest, milliseconds a second: after the warm-up, at the end.
    pub idle_cpu_ms: (f64, f64),
    /// Bytes of the ledger while nobody has it open, so that all of it is in the database: before, afterwards.
    pub ledger: (u64, u64),
    /// Entries of the log: before, afterwards.
    pub entries: (u64, u64),
    /// How long all took.
    pub wall: Duration,
    /// What should not have been.
    pub faults: Vec<String>,
}

fn status(process: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

impl Sample {
    fn take(sessions: usize, serving: &Serving, home: &Path, entries: u64) -> Self {
        let process = serving.id();
        let mut disk = BTreeMap::from([("database", 0), ("wal", 0), ("receipts", 0), ("sets", 0), ("other", 0)]);
        let mut receipts = 0;
        for file in files_below(home, "") {
            let name = file.strip_prefix(home).unwrap().to_string_lossy().into_owned();
            let kind = match name.as_str() {
                "ledger.sqlite" => "database",
                "ledger.sqlite-wal" | "ledger.sqlite-shm" => "wal",
                name if name.starts_with("receipts/") => "receipts",
                name if name.starts_with("sets/") => "sets",
                _ => "other",
            };
            receipts += u64::from(kind == "receipts");
            // It may be gone by now.
            *disk.entry(kind).or_default() += fs::metadata(&file).map_or(0, |file| file.len());
        }
        Self {
            sessions,
            rss: status(process, "VmRSS") * 1_024,
            anonymous: status(process, "RssAnon") * 1_024,
            threads: status(process, "Threads"),
            fds: fs::read_dir(format!("/proc/{process}/fd")).unwrap().count() as u64,
            disk,
            receipts,
            entries,
        }
    }
}

/// The middle one, and the least, of a measure over the samples up to number `until`.
fn of_window(samples: &[Sample], until: usize, measure: impl Fn(&Sample) -> u64) -> (u64, u64) {
    let mut values: Vec<u64> = samples[until.saturating_sub(WINDOW)..until].iter().map(measure).collect();
    values.sort_unstable();
    (values[values.len() / 2], values[0])
}

/// A party's processor time, seconds.
fn cpu_s(page: &Scrape) -> f64 {
    page.value("process_cpu_seconds_total", &[])
}

/// Bytes and entries of a ledger that no process has open.
fn ledger_of(holder: &Party) -> (u64, u64) {
    let entries = holder.log().len() as u64;
    (fs::metadata(holder.ledger_path()).unwrap().len(), entries)
}

struct Run {
    agencies: Agencies,
    cast: Cast,
    verifiers: Vec<Party>,
    stranger: Party,
    serving: Serving,
    /// How long the last session took that was not disturbed.
    check: Duration,
    outcome: Outcome,
}

impl Run {
    fn new() -> Self {
        let (agencies, cast) = (Agencies::new(), Cast::default());
        let mut verifiers = vec![agencies.verifier.clone()];
        let mut rules = Rules::new(&cast, &agencies.verifier);
        for number in 1..VERIFIERS {
            let verifier = Party::init(Program::Verifier, &agencies.at(&format!("verifier-{number}")));
            agencies.holder.trust(&format!("city-{number}"), &verifier);
            verifier.trust("tax", &agencies.holder);
            rules.verifiers.push(VerifierRules::new(&verifier, &cast.asking));
            verifiers.push(verifier);
        }
        for verifier in &mut rules.verifiers {
            (verifier.window, verifier.epoch) = ([30, 100_000, 10_000_000, 10_000_000], [100_000, 10_000_000, 10_000_000]);
        }
        let stranger = Party::init(Program::Verifier, &agencies.at("stranger"));
        stranger.trust("tax", &agencies.holder);
        agencies.put_in_force(&rules, "policy", &cast.holding[..2]);
        let records = agencies.file("records.csv", people(0, RECORDS, ""));
        agencies.sealing(&records, "--json --as-of").arg(day(-1)).ok();
        let mut outcome = Outcome::default();
        (outcome.ledger.0, outcome.entries.0) = ledger_of(&agencies.holder);
        let serving = Serving::start_with(&agencies.holder, &["--metrics", "127.0.0.1:0"]);
        Self { agencies, cast, verifiers, stranger, serving, check: Duration::ZERO, outcome }
    }

    fn fault(&mut self, what: String) {
        self.outcome.faults.push(what);
    }

    /// A request that the officials of a verifier have signed.
    fn request(&self, verifier: &Party, number: usize) -> RequestDir {
        let input = self.agencies.file("pairs.csv", people(RECORDS - PAIRS / 2 - number % 50, PAIRS, &day(-10)));
        self.agencies.request_call(verifier, &input, &format!("request-{number}"), "").ok();
        RequestDir { path: self.agencies.at(&format!("request-{number}")), input }.signed_by(&self.cast.asking[..2])
    }

    /// Session `number`, of the kind that its number says.
    fn session(&mut self, number: usize, patient: bool) {
        let verifier = self.verifiers[number % VERIFIERS].clone();
        let request = self.request(&verifier, number);
        let output = request.path.join("results.csv");
        let address = self.serving.address().to_owned();
        let call =
            || verifier.call("check --json --holder").arg(address.as_str()).path("--input", &request.input).path("--output", &output);
        let signed = || call().path("--request", &request.path);
        let kind = match number % 20 {
            3 | 11 => {
                let ended = call().run();
                if ended.code() != 4 {
                    self.fault(format!("session {number} was not refused: {ended}"));
                }
                "refused"
            }
            // Sooner and later in the time that the last one took: before Hello, at the batches, at the receipt.
            7 | 17 => {
                let started = signed().start();
                thread::sleep(self.check.mul_f64(((number / 20 * 7 + number) % 20) as f64 / 20.0));
                started.signal(Signal::SIGKILL);
                drop(started.end());
                "killed"
            }
            _ => "completed",
        };
        // Of a patient run every second killed one comes back, and takes the place of its own lost line.
        let comes_back = kind == "killed" && (number % 20 == 7 || !patient);
        if kind == "completed" || comes_back {
            let began = Instant::now();
            let mut ended = signed().run();
            // The lines of killed ones hold their verifier's four places until they count as dead.
            while ended.code() == 5 && ended.stderr.contains("too many connections") && began.elapsed() < IDLE {
                thread::sleep(Duration::from_secs(5));
                ended = signed().run();
            }
            if kind == "completed" {
                self.check = began.elapsed();
            }
            // One that was killed after its receipt was signed has its results, and nothing left to ask.
            let done = comes_back && output.exists();
            if ended.code() != 0 && !done {
                self.fault(format!("session {number} was not answered: {ended}"));
            }
        }
        *self.outcome.kinds.entry(if comes_back { "killed, then completed" } else { kind }).or_default() += 1;
        if number.is_multiple_of(20) {
            verifier.call("doctor --holder").arg(address.as_str()).ok();
        }
        if number.is_multiple_of(50) {
            let ended = self.stranger.call("doctor --holder").arg(address.as_str()).run();
            if ended.code() != 4 {
                self.fault(format!("a stranger was not turned away: {ended}"));
            }
        }
        fs::remove_dir_all(&request.path).unwrap();
    }

    fn sample(&self, sessions: usize) -> Sample {
        let page = Scrape::of(self.serving.metrics());
        Sample::take(sessions, &self.serving, &self.agencies.holder.home, page.value("oblink_ledger_entries", &[]) as u64)
    }

    /// Waits until no connection is left.
    fn rest(&self) {
        within(IDLE, "all connections to be gone", || {
            let open = Scrape::of(self.serving.metrics()).sum("oblink_connections_open");
            if open > 0.0 {
                thread::sleep(Duration::from_millis(200));
            }
            (open == 0.0).then_some(())
        });
    }

    /// Processor time while nobody asks anything, milliseconds a second.
    fn idle_cpu_ms(&self) -> f64 {
        let (before, began) = (cpu_s(&Scrape::of(self.serving.metrics())), Instant::now());
        thread::sleep(Duration::from_secs(4));
        (cpu_s(&Scrape::of(self.serving.metrics())) - before) * 1e3 / began.elapsed().as_secs_f64()
    }

    fn judge(mut self, plan: &Plan) -> Outcome {
        let samples = std::mem::take(&mut self.outcome.samples);
        let (end, rest) = (samples.len(), self.outcome.at_rest.clone());
        let growth = |measure: &dyn Fn(&Sample) -> u64| {
            let (before, after) = (of_window(&samples, plan.warm_up, measure), of_window(&samples, end, measure));
            ((before.0, after.0), (before.1, after.1))
        };
        let ((before, after), _) = growth(&|sample| sample.rss);
        if let Some(most) = plan.memory_growth_max.filter(|most| after > before + most) {
            self.fault(format!("memory grew from {before} to {after} bytes: by more than {most}"));
        }
        // The least of many looks is what is open for good.
        let (_, (before, after)) = growth(&|sample| sample.fds);
        if after.max(rest.fds) > before {
            self.fault(format!("descriptors grew from {before} to {after}, {} at rest", rest.fds));
        }
        for kind in ["sets", "other"] {
            let (_, (before, after)) = growth(&|sample| sample.disk[kind]);
            if after.max(rest.disk[kind]) > before {
                self.fault(format!("files ({kind}) grew from {before} to {after} bytes, {} at rest", rest.disk[kind]));
            }
        }
        let wal = samples.iter().map(|sample| sample.disk["wal"]).max().unwrap();
        if wal > WAL_BYTES_MAX {
            self.fault(format!("the write-ahead log came to {wal} bytes"));
        }
        let page = Scrape::of(self.serving.metrics());
        let open = page.sum("oblink_sessions_open") + page.sum("oblink_connections_open");
        if open > 0.0 {
            self.fault(format!("{open} sessions and connections are counted as open at rest"));
        }
        let signed = SqliteLedger::open(&self.agencies.holder.ledger_path()).unwrap().sessions().unwrap();
        let signed = signed.iter().filter(|session| session.state == SessionState::Complete && session.acknowledged).count();
        // One that is killed as it has signed is complete in the ledger, and its connection broke off.
        let killed: usize = self.outcome.kinds.iter().filter(|(kind, _)| kind.starts_with("killed")).map(|(_, count)| count).sum();
        let counted = (0..VERIFIERS).map(|number| if number == 0 { "city".to_owned() } else { format!("city-{number}") });
        let counted: f64 =
            counted.map(|verifier| page.value("oblink_sessions_total", &[("verifier", &verifier), ("outcome", "completed")])).sum();
        if signed as u64 != rest.receipts || signed as f64 > counted + killed as f64 {
            self.fault(format!("{signed} sessions are complete in the ledger, {} receipts are kept, {counted} counted", rest.receipts));
        }
        let Self { agencies, serving, mut outcome, .. } = self;
        drop(serving.stop());
        agencies.ledger_holds();
        (outcome.ledger.1, outcome.entries.1) = ledger_of(&agencies.holder);
        outcome.samples = samples;
        outcome
    }
}

/// Runs it; `said` gets a line now and then.
///
/// # Panics
/// Where a program does not start, or something that nothing here spoils fails.
pub fn run(plan: &Plan, said: &mut dyn FnMut(&str)) -> Outcome {
    assert!(plan.warm_up > 0 && plan.warm_up < plan.sessions, "{plan:?}");
    let began = Instant::now();
    let mut run = Run::new();
    said(HEADER);
    for number in 1..=plan.sessions {
        run.session(number, plan.patient);
        let sample = run.sample(number);
        if number.is_multiple_of((plan.sessions / 20).max(1)) || number == plan.warm_up {
            said(&line(&sample));
        }
        run.outcome.samples.push(sample);
        if number == plan.warm_up && plan.patient {
            run.outcome.idle_cpu_ms.0 = run.idle_cpu_ms();
        }
    }
    run.rest();
    if plan.patient {
        run.outcome.idle_cpu_ms.1 = run.idle_cpu_ms();
    }
    // The look itself opens descriptors for a moment: the least of a few is what stays.
    run.outcome.at_rest = (0..10).map(|_| run.sample(plan.sessions)).min_by_key(|sample| sample.fds).unwrap();
    run.outcome.wall = began.elapsed();
    run.judge(plan)
}

/// The columns of [`line()`].
pub const HEADER: &str = "sessions   rss MB  anon MB  threads  fds  database KB   wal KB  receipts KB  other KB  entries";

/// A sample as a row of a table.
#[must_use]
pub fn line(sample: &Sample) -> String {
    let (mb, kb) = (|bytes: u64| bytes as f64 / 1e6, |kind| sample.disk[kind] / 1_000);
    format!(
        "{:8} {:8.1} {:8.1} {:8} {:4} {:12} {:8} {:12} {:9} {:8}",
        sample.sessions,
        mb(sample.rss),
        mb(sample.anonymous),
        sample.threads,
        sample.fds,
        kb("database"),
        kb("wal"),
        kb("receipts"),
        kb("sets") + kb("other"),
        sample.entries
    )
}

impl Outcome {
    /// What it came to, in lines.
    #[must_use]
    pub fn summary(&self, plan: &Plan) -> Vec<String> {
        let (samples, rest) = (&self.samples, &self.at_rest);
        let middle = |until, measure: fn(&Sample) -> u64| of_window(samples, until, measure).0;
        let end = samples.len();
        let per = |(from, to): (u64, u64)| (to as f64 - from as f64) / end as f64;
        let mut lines = vec![
            line(rest) + "  at rest",
            format!("{end} sessions in {:.0} s: {:?}", self.wall.as_secs_f64(), self.kinds),
            format!(
                "between session {} and the end (middle of {WINDOW}): memory {:+.2} MB, of it anonymous {:+.2} MB, threads {:+}, descriptors {:+}",
                plan.warm_up,
                (middle(end, |s| s.rss) as f64 - middle(plan.warm_up, |s| s.rss) as f64) / 1e6,
                (middle(end, |s| s.anonymous) as f64 - middle(plan.warm_up, |s| s.anonymous) as f64) / 1e6,
                middle(end, |s| s.threads) as i64 - middle(plan.warm_up, |s| s.threads) as i64,
                middle(end, |s| s.fds) as i64 - middle(plan.warm_up, |s| s.fds) as i64,
            ),
            format!(
                "a session: {:.0} bytes of ledger, {:.1} entries; {:.0} bytes a receipt; write-ahead log at most {} KB",
                per(self.ledger),
                per(self.entries),
                rest.disk["receipts"] as f64 / rest.receipts.max(1) as f64,
                samples.iter().map(|sample| sample.disk["wal"]).max().unwrap_or(0) / 1_000,
            ),
            format!("at rest: {:.1} ms of processor a second after the warm-up, {:.1} at the end", self.idle_cpu_ms.0, self.idle_cpu_ms.1),
        ];
        lines.extend(self.faults.iter().map(|fault| format!("FAULT: {fault}")));
        lines
    }
}
