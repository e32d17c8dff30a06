//! What is secret is for its owner alone: written so, and refused where it is not.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use oblink_session::wire::FrameType;
use oblink_tests::asking::{RequestDir, people};
use oblink_tests::officials::Cast;
use oblink_tests::policy::Rules;
use oblink_tests::tap::{Fate, Tap};
use oblink_tests::{Agencies, Call, files_below, mode, only_file};

/// A holder with a kept key and a policy; a request that was signed.
struct Setting {
    agencies: Agencies,
    records: PathBuf,
    request: RequestDir,
}

impl Setting {
    fn new() -> Self {
        let agencies = Agencies::new();
        let cast = Cast::default();
        let mut rules = Rules::new(&cast, &agencies.verifier);
        rules.keep_key_days = 30;
        agencies.put_in_force(&rules, "policy", &cast.holding);
        let records = agencies.file("records.csv", people(0, 40, ""));
        let pairs = agencies.file("pairs.csv", people(35, 7, "2026-01-05"));
        agencies.seal(&records);
        let request = agencies.request(&pairs, "r", "--disclosure matched-tags").signed_by(&cast.asking);
        Self { agencies, records, request }
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn folders_below(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![directory.to_owned()];
    for entry in fs::read_dir(directory).unwrap().flatten().filter(|entry| entry.path().is_dir()) {
        found.extend(folders_below(&entry.path()));
    }
    found
}

/// Every file of both homes and of a request's directory, at every moment of a session and after it, whatever the caller's umask.
#[test]
fn every_file_is_its_owners_alone() {
    // Both programs take it from here.
    let before = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    let Setting { agencies, records, request } = Setting::new();
    let serving = agencies.serve();
    let homes = [agencies.holder.home.clone(), agencies.verifier.home.clone(), request.path.clone()];
    // Signatures are the officials' files.
    let check = move |when: &str| {
        for home in &homes {
            for path in files_below(home, "").into_iter().filter(|path| !path.to_string_lossy().ends_with(".sig")) {
                // A file may be gone again by now.
                let Ok(metadata) = fs::metadata(&path) else { continue };
                assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{when}: {}", path.display());
            }
            for folder in folders_below(home) {
                assert_eq!(mode(&folder), 0o700, "{when}: {}", folder.display());
            }
        }
    };
    let looking = check.clone();
    let hand = Box::new(move |frame: &mut oblink_tests::tap::Tapped| {
        looking(&format!("{frame:?}"));
        Fate::Pass
    });
    let tap = Tap::with(&agencies.verifier, &agencies.holder, serving.address(), hand);
    agencies.asking(&tap.address(), &request).ok();
    assert!(tap.frames().iter().any(|frame| frame.is(FrameType::Disclosure)));
    drop(serving.stop());
    agencies.sealing(&records, "--rejects-max 1%").path("--rejects", &agencies.at("holder/rejects.csv")).ok();
    let (extract, sample) = (request.path.join("extract.json"), request.path.join("sample.json"));
    agencies.holder.call("ledger extract --peer city").path("--output", &extract).ok();
    agencies.holder.call("ledger report").path("--output", &agencies.at("holder/report.html")).ok();
    agencies.holder.call("ledger head").path("--export", &agencies.at("holder/head.json")).ok();
    let sampling = agencies.verifier.call_bare("audit sample --n 3").path("--request", &request.path);
    sampling.path("--input", &request.input).path("--output", &sample).ok();
    check("afterwards");
    nix::sys::stat::umask(before);
}

/// Each secret file, made readable for the group: exit 3 with what to do; made private again, it serves.
#[test]
fn what_others_may_read_is_refused() {
    let Setting { agencies, records, request } = Setting::new();
    let (holder, verifier) = (agencies.holder.home.clone(), agencies.verifier.home.clone());
    // One session, so that both sides have everything; the holder does not take the disclosure, which stays to be told.
    let serving = agencies.serve();
    let cut = Box::new(|frame: &mut oblink_tests::tap::Tapped| if frame.is(FrameType::Disclosure) { Fate::Cut } else { Fate::Pass });
    let tap = Tap::with(&agencies.verifier, &agencies.holder, serving.address(), cut);
    let ended = agencies.asking(&tap.address(), &request).args("--retry-for 0").run();
    assert_eq!(ended.code(), 5, "{ended}");
    drop(tap);
    let address = serving.address().to_owned();
    drop(serving.stop());
    let other = agencies.request(&request.input, "other", "");

    let seal = || agencies.sealing(&records, "--json");
    let check = || agencies.asking(&address, &request).args("--retry-for 0");
    let show = || agencies.verifier.call_bare("request show --json --verify").path("--request", &other.path).path("--input", &other.input);
    let serve = || agencies.holder.call("serve --json --listen 127.0.0.1:0");
    let peers = || agencies.verifier.call("trust --json --peer tax --fingerprint").arg(&agencies.holder.fingerprint);
    let cases: Vec<(PathBuf, &dyn Fn() -> Call)> = vec![
        (holder.join("identity.key"), &seal),
        (holder.join("statement.key"), &serve),
        (verifier.join("identity.key"), &check),
        (verifier.join("statement.key"), &check),
        (only_file(&holder, ".seed"), &serve),
        (only_file(&holder, ".oblset"), &serve),
        (holder.join("ledger.sqlite"), &serve),
        (request.path.join("disclosure.pending"), &check),
        (other.path.join("secret.json"), &show),
    ];
    for (path, command) in &cases {
        set_mode(path, 0o640);
        let ended = command().run();
        let error = &ended.objects().pop().unwrap()["error"];
        let hint = error["hint"].as_str().unwrap_or_default();
        assert!(ended.code() == 3 && hint.contains("chmod 600"), "{}: {ended}", path.display());
        assert!(error["what"].as_str().unwrap().contains("open to other users"), "{}: {ended}", path.display());
        set_mode(path, 0o600);
    }
    // What others may write decides whom this party trusts.
    for name in ["config.toml", "peers.toml", ""] {
        for (home, command) in [(&holder, &seal as &dyn Fn() -> Call), (&verifier, &peers)] {
            let path = home.join(name);
            let before = mode(&path);
            set_mode(&path, before | 0o020);
            let ended = command().run();
            assert!(ended.code() == 3 && ended.object()["error"]["code"] == "home_exposed", "{}: {ended}", path.display());
            set_mode(&path, before);
        }
    }
    // A cache is not used, and made anew.
    let cache = only_file(&holder, ".cache");
    set_mode(&cache, 0o640);
    let ended = seal().ok();
    assert!(ended.stderr.contains("is not used: it is open to other users"), "{ended}");
    assert_eq!((&ended.object()["recalled"], mode(&only_file(&holder, ".cache"))), (&0.into(), 0o600));
    assert_eq!(seal().ok().object()["recalled"], 40);
}

/// The verifier's copy of a set, likewise, in the next session.
#[test]
fn a_verifiers_set_that_others_may_read() {
    let agencies = Agencies::new();
    let (records, pairs) = (agencies.file("records.csv", people(0, 40, "")), agencies.file("pairs.csv", people(35, 7, "")));
    agencies.seal(&records);
    let serving = agencies.serve();
    let _ = agencies.check(&serving, &pairs);
    let set = only_file(&agencies.verifier.home, ".oblset");
    set_mode(&set, 0o640);
    let ended = agencies.checking(serving.address(), &pairs, &agencies.at("r.csv")).arg("--json").run();
    let error = &ended.object()["error"];
    assert!(ended.code() == 3 && error["hint"].as_str().unwrap().contains("chmod 600"), "{ended}");
    set_mode(&set, 0o600);
    assert_eq!(agencies.check(&serving, &pairs).object["set_bytes"], 0);
}
