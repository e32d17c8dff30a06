//! Runs of `check` that break off and go on (SPEC §6.7): real programs, killed and cut at every step.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use oblink_tests::asking::{RequestDir, day, people};
use oblink_tests::fake::{Act, Due, FakeHolder, Modified, as_due};
use oblink_tests::{Agencies, Call, Ended, LIMIT, Party, Program, Results, Seen, Serving, files_below};
use serde_json::Value;

/// Pairs of the list, half of them held.
const PAIRS: usize = 60;
/// Batches of four.
const BATCHES: usize = 15;

struct Stage {
    agencies: Agencies,
    pairs: PathBuf,
    /// What results.csv is where nothing breaks.
    due: Vec<u8>,
}

impl Stage {
    fn new() -> Self {
        let agencies = Agencies::new();
        agencies.seal(&agencies.file("records.csv", people(0, PAIRS, &day(-10))));
        let pairs = agencies.file("pairs.csv", people(PAIRS / 2, PAIRS, &day(-10)));
        let results = agencies.check(&agencies.serve(), &pairs);
        assert_eq!(results.matched().iter().filter(|matched| **matched).count(), PAIRS / 2);
        let due = std::fs::read(&results.path).unwrap();
        Self { agencies, pairs, due }
    }

    fn request(&self, name: &str) -> RequestDir {
        self.agencies.request(&self.pairs, name, "").in_batches_of((PAIRS / BATCHES) as u32)
    }

    fn fake(&self, modified: Modified) -> FakeHolder {
        FakeHolder::start(&self.agencies.holder, &self.agencies.verifier, &self.agencies.holder.ledger_path(), modified)
    }

    /// A list by itself, of one batch, whose answer is lost: what is kept of the run stays.
    fn broken_off(&self, output: &Path) {
        let fake = self.fake(cut_at(Due::Answer(0)));
        let ended = self.agencies.checking(&fake.address(), &self.pairs, output).args("--json --retry-for 0").run();
        assert_eq!(ended.code(), 5, "{ended}");
        let _ = fake.ended();
    }

    /// The session of a request in the ledger.
    fn booked(&self, request: &RequestDir) -> Value {
        let id = hex::encode(request.manifest().request_id);
        let sessions = self.agencies.ledger("session");
        let mut found = sessions.into_iter().filter(|session| session["request_id"] == id);
        let session = found.next().unwrap_or_else(|| panic!("no session of {id}"));
        assert!(found.next().is_none(), "two sessions of one request");
        session
    }

    /// The same command, to its end, comes to what it would have come to; nothing is charged twice, and nothing stays.
    fn goes_on(&self, serving: &Serving, request: &RequestDir) -> Value {
        let ended = self.agencies.asking(serving.address(), request).run();
        assert_eq!(ended.code(), 0, "{ended}");
        self.is_done(request, &ended)
    }

    fn is_done(&self, request: &RequestDir, ended: &Ended) -> Value {
        let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
        assert_eq!(std::fs::read(&results.path).unwrap(), self.due, "the results are those of an undisturbed run");
        let booked = self.booked(request);
        assert_eq!((&booked["charged_tokens"], &booked["charged_batches"]), (&PAIRS.into(), &BATCHES.into()), "{booked}");
        assert_eq!(booked["state"], "complete", "{booked}");
        assert_eq!(names(&request.path.join("checkpoint")), ["run"], "its Hello, and nothing else");
        assert!(temporary(self.agencies.folder()).is_empty(), "{:?}", temporary(self.agencies.folder()));
        ended.object()
    }
}

fn names(directory: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn temporary(directory: &Path) -> Vec<PathBuf> {
    files_below(directory, "").into_iter().filter(|path| path.to_string_lossy().ends_with(".tmp")).collect()
}

/// A holder that does its work, and hangs up in place of saying what is due there.
fn cut_at(at: Due) -> Modified {
    let script = move |due: Due, honest: Vec<_>| if due == at { vec![Act::Close(0)] } else { as_due(&honest) };
    Modified { script: Box::new(script), ..Modified::default() }
}

/// Waits as closely as it can.
fn until(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_micros(200));
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

/// RES-1: Welcome, an answer, the set, the receipt, Closed are lost after the holder did what they tell of; it dies of it, and its memory with it.
#[test]
fn messages_that_are_lost() {
    let stage = Stage::new();
    let lost = [Due::Welcome, Due::Answer(0), Due::Answer(7), Due::Answer(14), Due::Set(0), Due::Receipt, Due::Closed];
    for (i, at) in lost.into_iter().enumerate() {
        // A set that is here is not sent again.
        let _ = std::fs::remove_dir_all(stage.agencies.verifier.home.join("sets"));
        let request = stage.request(&format!("request-{i}"));
        let fake = stage.fake(cut_at(at));
        let ended = stage.agencies.asking(&fake.address(), &request).args("--retry-for 0").run();
        let _ = fake.ended();
        if at == Due::Closed {
            assert_eq!(ended.code(), 0, "losing Closed loses nothing: {ended}");
            stage.is_done(&request, &ended);
            continue;
        }
        assert_eq!(ended.code(), 5, "{at:?}: {ended}");
        assert!(!request.path.with_extension("results.csv").exists(), "{at:?}");
        let before = stage.booked(&request);
        let hint = ended.object()["error"]["hint"].as_str().unwrap().to_owned();
        let admitted = at != Due::Welcome;
        assert_eq!(hint.contains("of 15 batches need not be asked again"), admitted, "{at:?}: {hint}");
        let serving = stage.agencies.serve();
        let object = stage.goes_on(&serving, &request);
        let (resumed, due) = (object["resumed_batches"].as_u64().unwrap(), if at == Due::Receipt { 15 } else { 0 });
        assert!(resumed >= due && resumed <= before["charged_batches"].as_u64().unwrap(), "{at:?}: {resumed} of {before}");
        drop(serving.stop());
    }
    stage.agencies.ledger_holds();
}

/// RES-1: Hello finds nobody. Nothing was said, and nothing stays.
#[test]
fn nobody_hears_hello() {
    let stage = Stage::new();
    let request = stage.request("request");
    let output = stage.agencies.at("results.csv");
    for call in [stage.agencies.asking("127.0.0.1:1", &request), stage.agencies.checking("127.0.0.1:1", &stage.pairs, &output)] {
        let ended = call.args("--timeout 1").run();
        assert_eq!(ended.code(), 5, "{ended}");
        assert!(!ended.stderr.contains("trying again"), "an address may be wrong: {ended}");
    }
    assert!(!request.path.join("checkpoint").exists());
    assert!(names(&stage.agencies.verifier.home.join("checkpoints")).is_empty());
    let serving = stage.agencies.serve();
    stage.goes_on(&serving, &request);
}

/// RES-1: the verifier is killed as soon as each of the files shows that it is so far, and again while it goes on.
#[test]
fn the_verifier_dies_at_any_point_and_the_same_command_goes_on() {
    let stage = Stage::new();
    let serving = stage.agencies.serve();
    type Point = (&'static str, fn(&Path) -> bool);
    let points: [Point; 7] = [
        ("its Hello", |at| at.join("checkpoint/run").exists()),
        ("Welcome", |at| at.join("checkpoint/session").exists()),
        ("a batch", |at| length(&at.join("checkpoint/batches")) > 57),
        ("some batches", |at| length(&at.join("checkpoint/batches")) > 1_000),
        ("the receipt", |at| at.join("checkpoint/receipt").exists()),
        ("the receipt for people", |at| at.join("receipt.json").exists()),
        ("results", |at| at.with_extension("results.meta.json").exists()),
    ];
    for (i, (what, is)) in points.into_iter().enumerate() {
        let request = stage.request(&format!("request-{i}"));
        for _ in 0..2 {
            let mut started = stage.agencies.asking(serving.address(), &request).start();
            until(what, || is(&request.path) || !started.runs());
            // The value takes its process with it, by SIGKILL.
            drop(started);
        }
        // Where it had time to sign the receipt it was done, and the holder answers no more.
        if names(&request.path.join("checkpoint")) != ["run"] {
            stage.goes_on(&serving, &request);
        }
        assert_eq!(std::fs::read(request.path.with_extension("results.csv")).unwrap(), stage.due, "{what}");
        assert_eq!(stage.booked(&request)["charged_batches"], BATCHES, "{what}");
    }
    drop(serving.stop());
    stage.agencies.ledger_holds();
}

/// RES-1, RES-5: the holder is killed and comes back at its address while `check` waits; what was verified is not asked again.
#[test]
fn the_holder_dies_at_any_point_and_check_goes_on() {
    let stage = Stage::new();
    let request = stage.request("request");
    let mut serving = stage.agencies.serve();
    let address = serving.address().to_owned();
    let started = stage.agencies.asking(&address, &request).start();
    let batches = request.path.join("checkpoint/batches");
    for due in [1, 600] {
        until("a batch", || length(&batches) > due || request.path.with_extension("results.csv").exists());
        serving.signal(Signal::SIGKILL);
        drop(serving);
        serving = Serving::start_at(&stage.agencies.holder, &address, &[], &[]);
    }
    let ended = started.end();
    assert_eq!(ended.code(), 0, "{ended}");
    let object = stage.is_done(&request, &ended);
    assert_eq!(object["resumed_batches"], 0, "it is one run: {ended}");
    if object["reconnects"] != 0 {
        assert!(ended.stderr.contains("of 15 batches are answered; trying again in "), "{ended}");
    }
    drop(serving.stop());
    stage.agencies.ledger_holds();
}

/// RES-5: a holder that is not there again is waited for as long as was said.
#[test]
fn a_holder_that_does_not_come_back_is_given_up() {
    let stage = Stage::new();
    let request = stage.request("request");
    let fake = stage.fake(cut_at(Due::Answer(9)));
    let ended = stage.agencies.asking(&fake.address(), &request).args("--retry-for 2 --timeout 1").run();
    let _ = fake.ended();
    assert_eq!(ended.code(), 5, "{ended}");
    assert!(ended.stderr.contains("trying again in 1 s"), "{ended}");
    assert!(ended.stderr.contains("run the same command again: "), "{ended}");
    stage.goes_on(&stage.agencies.serve(), &request);
}

/// RES-6: with the receipt on the disk results need no holder, which may be gone for good, its epoch ended.
#[test]
fn a_receipt_is_enough() {
    let stage = Stage::new();
    let request = stage.request("request");
    let serving = stage.agencies.serve();
    // It cannot file its receipt, which comes after the checkpoint's copy.
    let receipts = stage.agencies.verifier.home.join("receipts");
    let aside = stage.agencies.at("receipts-aside");
    std::fs::rename(&receipts, &aside).unwrap();
    std::fs::write(&receipts, b"in the way").unwrap();
    let ended = stage.agencies.asking(serving.address(), &request).run();
    assert_eq!(ended.code(), 3, "{ended}");
    assert_eq!(names(&request.path.join("checkpoint")), ["batches", "lock", "receipt", "run", "session", "set"]);
    // Another run may have fetched a later set and put this one away: it has a second name.
    let sets = stage.agencies.verifier.home.join("sets");
    std::fs::remove_dir_all(&sets).unwrap();
    std::fs::create_dir(&sets).unwrap();
    std::fs::set_permissions(&sets, std::fs::Permissions::from_mode(0o700)).unwrap();
    let address = serving.address().to_owned();
    drop(serving.stop());
    // Nobody is there any more.
    std::fs::remove_file(&receipts).unwrap();
    std::fs::rename(&aside, &receipts).unwrap();
    // A receipt that does not hold is none: then the holder is asked.
    let kept = request.path.join("checkpoint/receipt");
    let whole = std::fs::read(&kept).unwrap();
    let mut damaged = whole.clone();
    damaged[whole.len() / 2] ^= 1;
    std::fs::write(&kept, damaged).unwrap();
    let ask = || stage.agencies.asking(&address, &request).args("--retry-for 0 --timeout 1").run();
    assert_eq!(ask().code(), 5);
    std::fs::write(&kept, whole).unwrap();
    let ended = ask();
    assert_eq!(ended.code(), 0, "{ended}");
    assert!(request.path.join("receipt.json").exists());
    stage.is_done(&request, &ended);
}

/// RES-4: whatever becomes of the files, the results are exact, and what was charged is not charged again.
#[test]
fn what_is_kept_is_damaged() {
    let stage = Stage::new();
    type Damage = (&'static str, fn(&Path));
    fn change(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::fs::read(path).unwrap();
        change(&mut bytes);
        std::fs::write(path, bytes).unwrap();
    }
    let damages: [Damage; 6] = [
        ("a bit of a tag", |at| change(&at.join("batches"), |bytes| bytes[57 + 84 + 3] ^= 1)),
        ("a bit of a digest", |at| change(&at.join("batches"), |bytes| bytes[57 + 40] ^= 1)),
        ("the end is torn", |at| change(&at.join("batches"), |bytes| bytes.truncate(bytes.len() - 5))),
        ("no batches", |at| std::fs::remove_file(at.join("batches")).unwrap()),
        ("the session", |at| change(&at.join("session"), |bytes| bytes[9] ^= 1)),
        ("no session", |at| std::fs::remove_file(at.join("session")).unwrap()),
    ];
    for (i, (what, damage)) in damages.into_iter().enumerate() {
        let request = stage.request(&format!("request-{i}"));
        let fake = stage.fake(cut_at(Due::Receipt));
        let ended = stage.agencies.asking(&fake.address(), &request).args("--retry-for 0").run();
        assert_eq!(ended.code(), 5, "{what}: {ended}");
        let _ = fake.ended();
        damage(&request.path.join("checkpoint"));
        let object = stage.goes_on(&stage.agencies.serve(), &request);
        assert!(object["resumed_batches"].as_u64().unwrap() < BATCHES as u64, "{what}");
    }
    stage.agencies.ledger_holds();
}

/// A list by itself: one run for each output, by the same command; --restart begins anew.
#[test]
fn a_list_by_itself_goes_on_and_begins_anew() {
    let stage = Stage::new();
    let output = stage.agencies.at("out.csv");
    let sessions = || stage.agencies.ledger("session").len();
    let before = sessions();
    stage.broken_off(&output);
    let kept = stage.agencies.verifier.home.join("checkpoints");
    let folder = kept.join(&names(&kept)[0]);
    for (path, mode) in [(&folder, 0o700), (&folder.join("run"), 0o600), (&folder.join("batches"), 0o600)] {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, mode, "{}", path.display());
    }
    let serving = stage.agencies.serve();
    // Another output is another run.
    let other = stage.agencies.at("other.csv");
    stage.agencies.checking(serving.address(), &stage.pairs, &other).ok();
    assert_eq!(sessions(), before + 2);
    // The same output by another path is the same run.
    let around = stage.agencies.at("holder/../out.csv");
    let ended = stage.agencies.checking(serving.address(), &stage.pairs, &around).args("--json --resume").ok();
    assert_eq!(std::fs::read(&output).unwrap(), stage.due);
    assert_eq!((sessions(), &ended.object()["reconnects"]), (before + 2, &0.into()));
    assert!(ended.stderr.contains("going on with a run that broke off: 0 of 1 batches need not be asked again"), "{ended}");
    assert!(names(&kept).is_empty());
    // Anew: another session, charged for itself.
    std::fs::remove_file(&output).unwrap();
    stage.broken_off(&output);
    // Only once the new one begins: a wrong address costs nothing.
    let nobody = stage.agencies.checking("127.0.0.1:9", &stage.pairs, &output).args("--restart --timeout 1").run();
    assert_eq!(nobody.code(), 5, "{nobody}");
    assert_eq!(names(&kept).len(), 1, "what was kept stays");
    stage.agencies.checking(serving.address(), &stage.pairs, &output).args("--restart").ok();
    assert_eq!(std::fs::read(&output).unwrap(), stage.due);
    assert_eq!(sessions(), before + 4);
    assert!(names(&kept).is_empty());
    drop(serving.stop());
    stage.agencies.ledger_holds();
}

/// RES-4: what is kept of something else, for nobody else to read, or of no version that is known.
#[test]
fn a_run_that_is_not_this_one_is_refused() {
    let stage = Stage::new();
    let (agencies, output) = (&stage.agencies, stage.agencies.at("out.csv"));
    let mut seen = Seen::new(agencies.folder());
    let (request, other) = (stage.request("request"), stage.request("other"));
    let call = || agencies.checking("127.0.0.1:1", &stage.pairs, &output).args("--timeout 1");
    seen.note("--resume without a run", 3, &call().arg("--resume").run());
    stage.broken_off(&output);
    let kept = agencies.verifier.home.join("checkpoints");
    let folder = kept.join(&names(&kept)[0]);

    let list = agencies.file("list.csv", people(PAIRS / 2, PAIRS - 1, &day(-10)));
    seen.note("another list", 3, &agencies.checking("127.0.0.1:1", &list, &output).args("--timeout 1").run());
    seen.note("read in another way", 3, &call().args("--map id=person_id").run());
    let stranger = Party::init(Program::Holder, &agencies.at("stranger"));
    agencies.verifier.trust("stranger", &stranger);
    seen.note("another holder", 3, &call().args("--peer stranger").run());

    let held = std::fs::File::open(folder.join("lock")).unwrap();
    held.lock().unwrap();
    seen.note("two at once", 3, &call().args("--peer tax").run());
    drop(held);

    let open = |mode| std::fs::set_permissions(folder.join("run"), std::fs::Permissions::from_mode(mode)).unwrap();
    open(0o644);
    seen.note("others may read it", 3, &call().args("--peer tax").run());
    open(0o600);

    let run = std::fs::read(folder.join("run")).unwrap();
    let mut damaged = run.clone();
    damaged[40] ^= 1;
    std::fs::write(folder.join("run"), damaged).unwrap();
    seen.note("damaged", 3, &call().args("--peer tax").run());
    use sha2::Digest;
    let mut later = run[..run.len() - 32].to_vec();
    later[0] = 2;
    later.extend_from_slice(&sha2::Sha256::digest(&later));
    std::fs::write(folder.join("run"), later).unwrap();
    seen.note("another version's", 3, &call().args("--peer tax").run());
    std::fs::write(folder.join("run"), run).unwrap();

    // It goes on all the same once the command is the right one; nobody is there.
    let ended = call().args("--peer tax --retry-for 0").run();
    seen.note("the right one", 5, &ended);

    // A request's has no way but on.
    let ended = agencies.asking("127.0.0.1:1", &request).arg("--restart").run();
    assert_eq!(ended.code(), 2, "{ended}");
    let fake = stage.fake(cut_at(Due::Answer(3)));
    assert_eq!(agencies.asking(&fake.address(), &request).args("--retry-for 0 --peer tax").run().code(), 5);
    let _ = fake.ended();
    for name in names(&request.path.join("checkpoint")) {
        std::fs::create_dir_all(other.path.join("checkpoint")).unwrap();
        std::fs::set_permissions(other.path.join("checkpoint"), std::fs::Permissions::from_mode(0o700)).unwrap();
        std::fs::copy(request.path.join("checkpoint").join(&name), other.path.join("checkpoint").join(&name)).unwrap();
    }
    seen.note("another request's", 3, &agencies.asking("127.0.0.1:1", &other).args("--peer tax").run());
    insta::assert_snapshot!(seen.text());
}

/// A session whose set was replaced goes on under no other; only its operator can decide to be charged again.
#[test]
fn a_run_that_can_never_be_finished_says_so() {
    let stage = Stage::new();
    let output = stage.agencies.at("out.csv");
    stage.broken_off(&output);
    stage.agencies.seal(&stage.agencies.file("records.csv", people(0, PAIRS, &day(-10))));
    let serving = stage.agencies.serve();
    let call = |more: &str| stage.agencies.checking(serving.address(), &stage.pairs, &output).args(more).run();
    let ended = call("");
    assert_eq!(ended.code(), 4, "{ended}");
    assert!(ended.stderr.contains("begin anew with --restart; what it was charged stays charged"), "{ended}");
    assert_eq!(call("").code(), 4, "and says so again");
    assert_eq!(call("--restart").code(), 0);
    assert_eq!(std::fs::read(&output).unwrap(), stage.due);
}

/// What an earlier version kept of a request is taken over: its Hello stays the only one.
#[test]
fn a_session_state_of_an_earlier_version_is_taken_over() {
    let stage = Stage::new();
    let request = stage.request("request");
    let fake = stage.fake(cut_at(Due::Answer(5)));
    assert_eq!(stage.agencies.asking(&fake.address(), &request).args("--retry-for 0").run().code(), 5);
    let _ = fake.ended();
    // The handshake is the last part of `run`, after its length; the digest follows.
    let run = std::fs::read(request.path.join("checkpoint/run")).unwrap();
    let body = &run[2..run.len() - 32];
    let request_bytes = request.bytes().len();
    let handshake = &body[5 * 32 + 1 + 4 + request_bytes + 4..];
    std::fs::write(request.path.join("session.state"), handshake).unwrap();
    std::fs::remove_dir_all(request.path.join("checkpoint")).unwrap();
    let object = stage.goes_on(&stage.agencies.serve(), &request);
    assert_eq!(object["resumed_batches"], 0);
    assert!(!request.path.join("session.state").exists());
}

/// What is said is for people and programs as ever, and `--help` has the flags.
#[test]
fn help_names_the_flags() {
    let help = Call::new(Program::Verifier).args("check --help").ok().stdout;
    for flag in ["--resume", "--restart", "--retry-for"] {
        assert!(help.contains(flag), "{help}");
    }
}
