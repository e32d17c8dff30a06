//! For any two lists of one size the holder is sent the same shape: types, lengths and order of frames on each stream, and the number of streams.
//!
//! That is evidence that no length, count or branch depends on a row by a blunder. It is no evidence of hiding, which rests on the blinds
//! (THREAT-MODEL, section 4), and says nothing of when frames are sent: the verifier's timing is out of scope there (section 2).

use std::path::Path;

use oblink_session::wire::FrameType;
use oblink_tests::asking::{RequestDir, people};
use oblink_tests::officials::{Cast, KeyKind, Official};
use oblink_tests::policy::Rules;
use oblink_tests::tap::{Fate, Tap, Tapped};
use oblink_tests::{Agencies, Results};

/// Pairs of a list here: more than a batch, so that there are several streams.
const PAIRS: usize = 9_000;

/// What the holder sees of a session: for each stream, the frames' ways, types and lengths, in order. Streams of batches begin in any order.
fn shape(frames: &[Tapped]) -> Vec<Vec<(bool, u8, usize)>> {
    let last = frames.iter().map(|frame| (frame.line, frame.stream)).max().unwrap();
    let mut streams = Vec::new();
    for line in 0..=last.0 {
        for stream in 0..=PAIRS {
            let of = frames.iter().filter(|frame| (frame.line, frame.stream) == (line, stream));
            let of: Vec<_> = of.map(|frame| (frame.up, frame.kind, frame.body.len())).collect();
            if of.is_empty() {
                break;
            }
            streams.push(of);
        }
    }
    assert_eq!(streams.iter().map(Vec::len).sum::<usize>(), frames.len());
    let control = streams.remove(0);
    streams.sort_unstable();
    streams.insert(0, control);
    streams
}

/// Names and streets of very different lengths, some with accents, units and words that are folded away: nobody's.
fn strangers(count: usize) -> String {
    let rows = (0..count).map(|i| {
        let letter = |n: usize| char::from(b'a' + (n % 26) as u8);
        let given = ["Jo", "Maximiliana Theodora Wilhelmina", "Ål", "Ærøskøbing-Świętopełka"][i % 4];
        let family =
            format!("{}{}{}{}", ["Ng", "Wolfeschlegelsteinhausenbergerdorff", "Ó"][i % 3], letter(i), letter(i / 26), letter(i / 676));
        let street = ["1 A St", "12345 North Martin Luther King Junior Memorial Boulevard Extension", "9½ Elm Ave Apt 4"][i % 3];
        format!("long-identifier-of-a-row-{i},{given},{family},{street},60614,2026-01-05,n{i}\n")
    });
    "id,given_name,family_name,address,postal_code,order_date,person_id\n".to_owned() + &rows.collect::<String>()
}

/// Two copies of one pair of homes, so that ledgers and homes of both runs are the same to the byte.
fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

/// Of each stream, each frame: whether the verifier sent it, its type, its bytes.
type Shape = Vec<Vec<(bool, u8, usize)>>;

/// Asks each list from the same state, and gives what the holder saw.
fn seen(agencies: &Agencies, lists: &[(&str, String)], more: &str, cast: Option<&Cast>) -> Vec<(u64, Shape)> {
    let saved = [(&agencies.holder.home, agencies.at("holder.saved")), (&agencies.verifier.home, agencies.at("verifier.saved"))];
    for (home, saved) in &saved {
        copy(home, saved);
    }
    let mut all = Vec::new();
    for (name, text) in lists {
        for (home, saved) in &saved {
            std::fs::remove_dir_all(home).unwrap();
            copy(saved, home);
        }
        let pairs = agencies.file(&format!("{name}.csv"), text);
        let serving = agencies.serve();
        let tap = Tap::with(&agencies.verifier, &agencies.holder, serving.address(), Box::new(|_| Fate::Pass));
        let results = match cast {
            None => {
                let output = agencies.at(&format!("{name}.results.csv"));
                let ended = agencies.checking(&tap.address(), &pairs, &output).arg("--json").args(more).ok();
                Results::read(&output, ended.object())
            }
            Some(cast) => {
                let request = agencies.request(&pairs, name, more).signed_by(&cast.asking);
                let ended = agencies.asking(&tap.address(), &request).ok();
                Results::read(&RequestDir::clone(&request).path.with_extension("results.csv"), ended.object())
            }
        };
        let matched = results.matched().iter().filter(|matched| **matched).count() as u64;
        let frames = tap.frames();
        let streams = shape(&frames);
        assert_eq!(streams.len(), tap.streams());
        drop(tap);
        drop(serving.stop());
        all.push((matched, streams));
    }
    all
}

/// Everybody matches; nobody does, and names have other lengths; the same people with rows among them that cannot be asked, padded to the number.
#[test]
fn two_lists_of_one_size() {
    let agencies = Agencies::new();
    agencies.seal(&agencies.file("records.csv", people(0, PAIRS, "")));
    let lists = [("all", people(0, PAIRS, "")), ("none", strangers(PAIRS)), ("fewer", people(0, 11, "") + "bad,,,,,,\n")];
    let seen = seen(&agencies, &lists, &format!("--pad-to {PAIRS}"), None);
    assert_eq!(seen.iter().map(|(matched, _)| *matched).collect::<Vec<_>>(), [PAIRS as u64, 0, 11]);
    let (_, due) = &seen[0];
    let kinds: Vec<u8> = due[0].iter().map(|(_, kind, _)| *kind).collect();
    let control =
        [FrameType::Hello, FrameType::Welcome, FrameType::Complete, FrameType::Receipt, FrameType::Acknowledge, FrameType::Closed];
    assert_eq!(kinds, control.map(|kind| kind as u8), "another conversation than the one that this is about");
    assert_eq!(due.len(), 4, "control, two batches and the set: {due:?}");
    for (_, streams) in &seen[1..] {
        assert_eq!(streams, due);
    }
}

/// Under a policy, with a disclosure of a number: its frame is the same for every number.
#[test]
fn two_requests_of_one_size() {
    let agencies = Agencies::new();
    // Ed25519: an ECDSA signature's own numbers are a byte longer now and then, which says nothing of what was signed.
    let cast =
        Cast { asking: ["doe@verifier", "moe@verifier"].map(|name| Official::new(name, KeyKind::Ed25519)).to_vec(), ..Cast::default() };
    agencies.put_in_force(&Rules::new(&cast, &agencies.verifier), "policy", &cast.holding);
    agencies.seal(&agencies.file("records.csv", people(0, 300, "")));
    let lists = [("all", people(0, 300, "2026-01-05")), ("none", strangers(300)), ("fewer", people(290, 40, "2026-01-05"))];
    let seen = seen(&agencies, &lists, "--pad-to 300 --disclosure count --require-column order_date", Some(&cast));
    assert_eq!(seen.iter().map(|(matched, _)| *matched).collect::<Vec<_>>(), [300, 0, 10]);
    for (_, streams) in &seen[1..] {
        assert_eq!(*streams, seen[0].1);
    }
}
