//! Sentinel people, tags and keys stay where they have their business: in nothing that is logged, said, written or sent, whatever goes wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oblink_session::wire::FrameType;
use oblink_tests::asking::RequestDir;
use oblink_tests::officials::Cast;
use oblink_tests::policy::Rules;
use oblink_tests::tap::{Fate, Tapped};
use oblink_tests::{Call, Results, only_file};

use crate::needles::{ASKED, HEADER, HELD, LEFT_OUT, Needles, REJECTED, SHARED};
use crate::watch::Watch;

/// Everything that is looked for, once a holder has sealed.
fn needles(watch: &Watch, declared: u64) -> Needles {
    let mut needles = Needles::of_people(&[&SHARED, &ASKED, &LEFT_OUT, &HELD, &REJECTED]);
    needles.tokens(&watch.pairs, &[&SHARED, &ASKED]);
    needles.tokens(&watch.records, &[&HELD]);
    for (party, whose) in [(&watch.agencies.holder, "holder"), (&watch.agencies.verifier, "verifier")] {
        needles.keys_of_home(&party.home, whose);
    }
    for file in [&watch.pairs, &watch.records] {
        needles.tags(&watch.agencies.holder.home, file, declared);
    }
    needles
}

/// The whole life of a request, with everything that can be asked about it afterwards.
#[test]
fn a_request_from_seal_to_audit() {
    let mut watch = Watch::new();
    let cast = Cast::default();
    let mut rules = Rules::new(&cast, &watch.agencies.verifier);
    rules.keep_key_days = 30;
    watch.agencies.put_in_force(&rules, "policy", &cast.holding);
    let (holder, verifier) = (watch.agencies.holder.clone(), watch.agencies.verifier.clone());
    let at = |name: &str| watch.agencies.at(name);

    let rejects = at("rejects.csv");
    let sealed = watch.run("seal", 0, watch.agencies.sealing(&watch.records, "--json -vvv").path("--rejects", &rejects));
    let declared = sealed.object()["declared_tags"].as_u64().unwrap();
    assert_eq!((declared, &sealed.object()["rejected"]), (22, &1.into()));
    let more = "--json -vvv --person-id person_id --require-column order_date --disclosure count --pad-to 30";
    watch.run("request new", 0, watch.agencies.request_call(&verifier, &watch.pairs, "r", more));
    let request = RequestDir { path: at("r"), input: watch.pairs.clone() }.signed_by(&cast.asking);
    let bare = |line: &str| verifier.call_bare(line).path("--request", &request.path);
    watch.run("request show", 0, bare("request show --verify -vvv").path("--input", &watch.pairs));

    let serving = watch.serve();
    watch.run("doctor of the verifier", 0, verifier.call("doctor -vvv --holder").arg(serving.address()));
    let tap = watch.tap(&serving, |_| Fate::Pass);
    let ended = watch.run("check", 0, watch.agencies.asking(&tap.address(), &request).args("-vvv --person-id person_id"));
    let results = Results::read(&request.path.with_extension("results.csv"), ended.object());
    assert_eq!(
        (results.rows[0].result.as_str(), results.rows[7].result.as_str(), &results.object["padding"]),
        ("match", "no_match", &22.into())
    );
    watch.stop(serving);
    let receipt = request.path.join("receipt.json");
    for line in [
        "ledger show",
        "ledger show --json",
        "ledger verify",
        "ledger export --format json",
        "ledger export --format csv",
        "policy show",
        "doctor --listen 127.0.0.1:0",
    ] {
        watch.run(line, 0, holder.call(line).args("-vvv"));
    }
    for (line, name) in [
        ("ledger head --export", "head.json"),
        ("ledger report --output", "report.html"),
        ("ledger extract --peer city --output", "extract.json"),
    ] {
        watch.run(line, 0, holder.call(line).arg(at(name)).args("-vvv"));
    }
    let fingerprints =
        |call: Call| call.path("--receipt", &receipt).arg("--holder").arg(&holder.fingerprint).arg("--verifier").arg(&verifier.fingerprint);
    watch.run("receipt verify", 0, fingerprints(verifier.call_bare("receipt verify -vvv")));
    watch.run("receipt show", 0, verifier.call_bare("receipt show -vvv").path("--receipt", &receipt));
    let audit = bare("audit -vvv").path("--input", &watch.pairs).path("--receipt", &receipt).path("--ledger-extract", &at("extract.json"));
    watch.run("audit", 0, audit.args("--person-id person_id"));
    let sample = bare("audit sample -vvv --n 100").path("--input", &watch.pairs).path("--output", &at("sample.json"));
    watch.run("audit sample", 0, sample.args("--person-id person_id"));
    watch.run("audit open", 0, bare("audit open -vvv").path("--sample", &at("sample.json")));
    let epoch = sealed.object()["epoch"].as_str().unwrap().to_owned();
    watch.run("audit of the holder", 0, holder.call("audit -vvv --epoch").arg(&epoch).path("--records", &watch.records));
    watch.run("seal again", 0, watch.agencies.sealing(&watch.records, "-vvv"));

    let mut needles = needles(&watch, declared);
    needles.seeds_of_request(&request.path, &watch.pairs);
    let frames = watch.take(tap);
    assert!(
        [FrameType::Hello, FrameType::Evaluated, FrameType::Acknowledge, FrameType::Disclosure]
            .iter()
            .all(|kind| frames.iter().any(|frame| frame.is(*kind)))
    );
    watch.look(&mut needles);
    needles.nothing(&[
        ("file pairs.csv", "value"),
        ("file records.csv", "value"),
        ("results.csv", "id"),
        ("rejects.csv", "id"),
        ("sample.json", "value"),
        ("/secret.json", "key blind seed"),
        ("/secret.json", "key salt seed"),
        (".seed", "key epoch seed"),
        ("identity.key", "key identity"),
        (".oblset", "tag"),
        (".cache", "tag"),
        ("frame down SetChunk", "tag"),
    ]);
}

/// Changes the frames of one type that go one way.
fn spoil(
    kind: FrameType,
    mut change: impl FnMut(&mut Tapped) -> Fate + Send + 'static,
) -> impl FnMut(&mut Tapped) -> Fate + Send + 'static {
    move |frame| if frame.is(kind) { change(frame) } else { Fate::Pass }
}

fn flip(frame: &mut Tapped) -> Fate {
    // Of Welcome a byte of the certificate: of another member, it may be the holder who finds out first.
    let place = if frame.is(FrameType::Welcome) { 60 } else { frame.body.len() / 2 };
    frame.body[place] ^= 1;
    Fate::Pass
}

/// Peers that misbehave, refuse, are cut off and die; disks that take nothing: both sides say what happened, and nothing of a row.
#[test]
fn a_session_that_goes_wrong_in_every_way() {
    let mut watch = Watch::new();
    let sealed = watch.run("seal", 0, watch.agencies.sealing(&watch.records, "--json -vvv")).object();
    let serving = watch.serve();
    // Each run by itself: what an earlier one keeps is not gone on with, but for the killed ones', which stays.
    let checking = |watch: &Watch, address: &str, name: &str| watch.checking(address, name).args("--retry-for 0 --restart");

    // The other side's frames, one bit changed: whoever reads it refuses. The same of frames that go up.
    for (kind, due) in [
        (FrameType::Welcome, 6),
        (FrameType::SetChunk, 6),
        (FrameType::Evaluated, 6),
        (FrameType::Receipt, 6),
        (FrameType::Hello, 4),
        (FrameType::Batch, 4),
        (FrameType::Complete, 4),
    ] {
        let tap = watch.tap(&serving, spoil(kind, flip));
        watch.run(&format!("check, {kind:?} spoiled"), due, checking(&watch, &tap.address(), "spoiled.csv"));
        watch.take(tap);
    }
    // Another type, another length, another stream's answer.
    for (what, kind, due) in [
        ("type", FrameType::Evaluated, 6),
        ("longer", FrameType::Evaluated, 6),
        ("shorter", FrameType::Welcome, 6),
        ("empty", FrameType::Batch, 4),
    ] {
        let tap = watch.tap(
            &serving,
            spoil(kind, move |frame| {
                match what {
                    "type" => frame.kind = 0x7f,
                    "longer" => frame.body.extend([0; 32]),
                    "shorter" => frame.body.truncate(frame.body.len() / 2),
                    _ => frame.body.clear(),
                }
                Fate::Pass
            }),
        );
        watch.run(&format!("check, {kind:?}: {what}"), due, checking(&watch, &tap.address(), "spoiled.csv"));
        watch.take(tap);
    }
    // The line is cut.
    let forget = |watch: &Watch| {
        let sets = watch.agencies.verifier.home.join("sets");
        fs::remove_dir_all(&sets).unwrap();
        fs::create_dir(sets).unwrap();
    };
    for kind in [FrameType::Hello, FrameType::Batch, FrameType::Evaluated, FrameType::SetChunk, FrameType::Complete, FrameType::Receipt] {
        forget(&watch);
        let tap = watch.tap(&serving, spoil(kind, |_| Fate::Cut));
        watch.run(&format!("check, cut at {kind:?}"), 5, checking(&watch, &tap.address(), "cut.csv"));
        watch.take(tap);
    }
    // The verifier is killed, with all that it has in memory.
    for kind in [FrameType::Evaluated, FrameType::Receipt] {
        let pid = std::sync::Arc::new(AtomicU32::new(0));
        let victim = std::sync::Arc::clone(&pid);
        let tap = watch.tap(
            &serving,
            spoil(kind, move |_| {
                while victim.load(Ordering::SeqCst) == 0 {
                    std::thread::yield_now();
                }
                kill(Pid::from_raw(victim.load(Ordering::SeqCst).cast_signed()), Signal::SIGKILL).unwrap();
                Fate::Pass
            }),
        );
        let started = checking(&watch, &tap.address(), "killed.csv").env("OBLINK_LOG", "trace").start();
        pid.store(started.id(), Ordering::SeqCst);
        watch.ended(&format!("check, killed at {kind:?}"), None, started.end());
        watch.take(tap);
    }
    // Its disk takes no results.
    let place = watch.agencies.at("gone");
    fs::create_dir(&place).unwrap();
    let going = place.clone();
    let tap = watch.tap(
        &serving,
        spoil(FrameType::Receipt, move |_| {
            fs::remove_dir_all(&going).unwrap();
            Fate::Pass
        }),
    );
    watch.run("check, no place for results", 3, checking(&watch, &tap.address(), "gone/results.csv"));
    watch.take(tap);
    // Not the list that it was; nothing to ask; a port where nobody is.
    watch.run("check, nobody there", 5, checking(&watch, "127.0.0.1:1", "nobody.csv").args("--timeout 1"));
    watch.run("check, another ruleset", 3, checking(&watch, serving.address(), "r.csv").args("--ruleset us-exact-9"));
    watch.run("check, too many", 3, checking(&watch, serving.address(), "r.csv").args("--pad-to 2"));
    // The holder's set is damaged under its hands.
    let set = only_file(&watch.agencies.holder.home, ".oblset");
    let whole = fs::read(&set).unwrap();
    forget(&watch);
    fs::write(&set, &whole[..whole.len() / 2]).unwrap();
    let tap = watch.tap(&serving, |_| Fate::Pass);
    let address = tap.address();
    let ended = checking(&watch, &address, "damaged.csv").env("OBLINK_LOG", "trace").run();
    assert!(ended.code() != 0, "{ended}");
    watch.ended("check, the holder's set damaged", ended.exit(), ended);
    watch.take(tap);
    fs::write(&set, &whole).unwrap();
    // The holder is killed in the middle.
    let mut serving = Some(serving);
    let address = serving.as_ref().unwrap().address().to_owned();
    let pid = serving.as_ref().unwrap().id();
    let tap = watch.tap(
        serving.as_ref().unwrap(),
        spoil(FrameType::Complete, move |_| {
            kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
            Fate::Cut
        }),
    );
    watch.run("check, the holder killed", 5, checking(&watch, &tap.address(), "killed.csv"));
    watch.take(tap);
    watch.keep_served(serving.take().unwrap());
    watch.run("check, the holder gone", 5, checking(&watch, &address, "killed.csv").args("--timeout 1"));
    // Homes that cannot be written, and a ledger that is none.
    for party in [watch.agencies.holder.clone(), watch.agencies.verifier.clone()] {
        fs::set_permissions(&party.home, fs::Permissions::from_mode(0o500)).unwrap();
    }
    watch.run("check, a home that cannot be written", 3, checking(&watch, "127.0.0.1:1", "r.csv"));
    watch.run("seal, a home that cannot be written", 3, watch.agencies.sealing(&watch.records, "--json -vvv"));
    for party in [watch.agencies.holder.clone(), watch.agencies.verifier.clone()] {
        fs::set_permissions(&party.home, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let mut needles = needles(&watch, sealed["declared_tags"].as_u64().unwrap());
    fs::write(watch.agencies.holder.home.join("ledger.sqlite"), "no ledger").unwrap();
    watch.run("seal, no ledger", 3, watch.agencies.sealing(&watch.records, "--json -vvv"));
    watch.run("serve, no ledger", 3, watch.agencies.holder.call("serve -vvv --listen 127.0.0.1:0"));
    assert!(needles.seeds_of_checkpoints(&watch.agencies.verifier.home) > 0, "no run that broke off is kept");
    watch.look(&mut needles);
    needles.nothing(&[
        ("file pairs.csv", "value"),
        (".seed", "key epoch seed"),
        ("frame down SetChunk", "tag"),
        ("/checkpoint", "key blind seed"),
        ("/checkpoint", "tag"),
    ]);
}

/// Rows that no reader can take, in every way in which a file can be wrong, and rows where they do not belong: on the command line.
#[test]
fn bad_files_and_wrong_usage() {
    let watch = Watch::new();
    let (shared, held) = (SHARED.row(), HELD.row());
    let wide = shared.trim_end().to_owned() + ",one,too,many\n";
    let long = shared.replace(SHARED.city, &SHARED.city.repeat(200_000));
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("unclosed", [HEADER, "1,\"", &shared, &held].concat().into_bytes(), ""),
        ("a quote in the middle", [HEADER, &shared.replacen(',', ",\"x\"y", 1), &held].concat().into_bytes(), ""),
        ("wide", [HEADER, &wide].concat().into_bytes(), ""),
        ("narrow", [HEADER, "sentinel-id-shared-77,Žofiebelle\n"].concat().into_bytes(), ""),
        ("not UTF-8", [HEADER.as_bytes(), SHARED.row().as_bytes(), b"\xff\xfe", HELD.row().as_bytes()].concat(), ""),
        ("NUL", [HEADER.as_bytes(), &shared.replace("Street", "Str\0eet").into_bytes()].concat(), ""),
        ("too long", [HEADER, &long].concat().into_bytes(), ""),
        ("no header", [&shared[..], &held].concat().into_bytes(), ""),
        ("no header, and one row", shared.clone().into_bytes(), ""),
        ("a row in the header's place", [&shared, HEADER, &held].concat().into_bytes(), "--map given_name=first"),
        ("twice in the header", [&shared.replace(SHARED.family, SHARED.given)[..], &shared].concat().into_bytes(), ""),
        ("other delimiter", [HEADER, &shared].concat().into_bytes(), "--delimiter ;"),
        (
            "columns too many",
            shared.clone().into_bytes(),
            "--no-header --columns id,given_name,family_name,address,city,postal_code,order_date,person_id,more",
        ),
        ("columns too few", [&shared[..], &held].concat().into_bytes(), "--no-header --columns id,given_name"),
        ("windows-1252", [HEADER.as_bytes(), SHARED.row().as_bytes(), b"\x81\x8d"].concat(), "--encoding windows-1252"),
        ("all bad", [HEADER, &REJECTED.row(), &LEFT_OUT.row()].concat().into_bytes(), ""),
        ("ids twice", [HEADER, &shared[..], &shared].concat().into_bytes(), ""),
    ];
    for (case, bytes, more) in cases {
        let file = watch.agencies.file("pairs.csv", &bytes);
        let any = |what: &str, call: Call| {
            let ended = call.args("--json -vvv").args(more).env("OBLINK_LOG", "trace").run();
            assert!([0, 2, 3, 5].contains(&ended.code()), "{case}: {ended}");
            watch.ended(&format!("{what}, {case}"), ended.exit(), ended);
        };
        any("seal", watch.agencies.sealing(&file, "--rejects-max 0"));
        any("seal of standard input", watch.agencies.holder.call("seal --rejects-max 0 --input -").stdin(bytes.clone()));
        any("check", watch.agencies.checking("127.0.0.1:1", &file, &watch.agencies.at("results.csv")).args("--timeout 1"));
        any("request new", watch.agencies.request_call(&watch.agencies.verifier, &file, "never", "--require-column order_date,"));
    }
    let (holder, verifier) = (&watch.agencies.holder, &watch.agencies.verifier);
    let values = [SHARED.family, SHARED.address, ASKED.person, HELD.city];
    for value in values {
        for (what, call) in [
            ("check and a value", watch.agencies.checking("127.0.0.1:1", &watch.pairs, &watch.agencies.at("results.csv")).arg(value)),
            (
                "check with a value for a number",
                watch.agencies.checking("127.0.0.1:1", &watch.pairs, &watch.agencies.at("results.csv")).arg("--pad-to").arg(value),
            ),
            (
                "check with a value for a time",
                watch.agencies.checking("127.0.0.1:1", &watch.pairs, &watch.agencies.at("results.csv")).arg("--timeout").arg(value),
            ),
            ("seal and a value", watch.agencies.sealing(&watch.records, "").arg(value)),
            ("seal with a value for a date", watch.agencies.sealing(&watch.records, "--as-of").arg(value)),
            ("a value for a command", verifier.call_bare("").arg(value)),
            ("a value in a flag", holder.call("ledger").arg(format!("--record={value}"))),
        ] {
            watch.run(what, 2, call.arg("--json"));
        }
        watch.run("a record that was not disclosed", 0, holder.call("ledger disclosures --json -vvv --record").arg(value));
    }
    let mut needles = Needles::of_people(&[&SHARED, &ASKED, &LEFT_OUT, &HELD, &REJECTED]);
    needles.tokens(&watch.records, &[&HELD]);
    watch.look(&mut needles);
    needles.nothing(&[("file pairs.csv", "value"), ("file records.csv", "value")]);
}
