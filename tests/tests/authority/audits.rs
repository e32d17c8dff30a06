//! Audits find what does not fit, and pass what does (SPEC AUD-1 to AUD-3).

use std::path::{Path, PathBuf};

use oblink_store::ledger::entries::EntryKind;
use oblink_tests::Ended;
use oblink_tests::asking::{RequestDir, day, people};

use super::house::{House, PAIRS};

/// A finished session, with what its audit needs.
struct Done {
    house: House,
    request: RequestDir,
    extract: PathBuf,
}

fn done() -> Done {
    let house = House::new();
    let request = house.request("r");
    let serving = house.serve();
    house.check(&serving, &request);
    house.check(&serving, &house.request("another"));
    drop(serving.stop());
    let extract = house.agencies.at("extract.json");
    house.agencies.holder.call("ledger extract --peer city").path("--output", &extract).ok();
    Done { house, request, extract }
}

impl Done {
    fn audit_of(&self, request: &Path, input: &Path, receipt: &Path, extract: &Path) -> Ended {
        let call = self.house.agencies.verifier.call_bare("audit --json").path("--request", request).path("--input", input);
        call.path("--receipt", receipt).path("--ledger-extract", extract).run()
    }

    fn receipt(&self) -> PathBuf {
        self.request.path.join("receipt.json")
    }

    fn audit(&self) -> Ended {
        self.audit_of(&self.request.path, &self.request.input, &self.receipt(), &self.extract)
    }

    /// What the verifier brings to the audit itself is not what it should be: exit 3.
    fn fails(&self, code: &str) {
        let ended = self.audit();
        assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &code.into()), "{ended}");
    }

    /// What the holder says does not hold: exit 6.
    fn refutes(&self, case: &str) {
        let ended = self.audit();
        assert_eq!(ended.code(), 6, "{case}: {ended}");
    }
}

/// A good session passes, at both sides (SPEC AUD-1, AUD-3).
#[test]
fn a_good_session() {
    let done = done();
    let ended = done.audit();
    assert_eq!(ended.code(), 0, "{ended}");
    let holder = &done.house.agencies.holder;
    let epoch = holder.logged(EntryKind::EpochBegin)[0].body["epoch"].as_str().unwrap().to_owned();
    let audit = |records: &Path| holder.call("audit --json --epoch").arg(&epoch).path("--records", records).run();
    let ended = audit(&done.house.agencies.at("records.csv"));
    assert_eq!(ended.code(), 0, "{ended}");
    let other = done.house.agencies.file("other-records.csv", people(1, 40, ""));
    let ended = audit(&other);
    assert_eq!(ended.code(), 6, "{ended}");
}

/// Attack: the seed is gone, or another's (SPEC AUD-1): the audit has failed.
#[test]
fn a_missing_or_false_seed() {
    let done = done();
    let secret = done.request.path.join("secret.json");
    let text = std::fs::read_to_string(&secret).unwrap();
    let seed = serde_json::from_str::<serde_json::Value>(&text).unwrap()["blind_seed"].as_str().unwrap().to_owned();
    std::fs::write(&secret, text.replace(&seed, &"17".repeat(32))).unwrap();
    done.fails("other_list");
    std::fs::remove_file(&secret).unwrap();
    done.fails("secret_missing");
}

/// Attack: another list than the one that was asked: a row exchanged, left out, added (SPEC AUD-1).
#[test]
fn another_list() {
    let done = done();
    let first = super::house::RECORDS - PAIRS / 2;
    for (number, text) in [
        people(first, PAIRS, &day(-11)),
        people(first, PAIRS - 1, &day(-10)),
        people(first, PAIRS + 1, &day(-10)),
        people(900, PAIRS, &day(-10)),
    ]
    .iter()
    .enumerate()
    {
        let input = done.house.agencies.file("other.csv", text);
        let ended = done.audit_of(&done.request.path, &input, &done.receipt(), &done.extract);
        assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &"other_list".into()), "case {number}: {ended}");
    }
}

/// Attack: the receipt of another session, or the extract for another verifier (SPEC AUD-1).
#[test]
fn another_receipt_or_extract() {
    let done = done();
    let other = done.house.agencies.at("another").join("receipt.json");
    let ended = done.audit_of(&done.request.path, &done.request.input, &other, &done.extract);
    assert_eq!((ended.code(), &ended.object()["error"]["code"]), (3, &"other_receipt".into()), "{ended}");
    let text = std::fs::read_to_string(&done.extract).unwrap();
    let party = done.house.agencies.verifier.fingerprint.replace('-', "");
    std::fs::write(&done.extract, text.replacen(&party, &"ab".repeat(32), 1)).unwrap();
    done.refutes("another verifier's");
}

/// Attack: an extract with one charge more, with one charge less, with an entry left out, and with another body (SPEC LED-7).
#[test]
fn an_extract_that_says_something_else() {
    let done = done();
    let whole = std::fs::read_to_string(&done.extract).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let charge = lines.iter().position(|line| line.contains("blinded_digest")).unwrap();
    let with = |lines: Vec<&str>| lines.join("\n") + "\n";
    let more = with([&lines[..=charge], &lines[charge..]].concat());
    let less = with([&lines[..charge], &lines[charge + 1..]].concat());
    let cut = with(lines[..lines.len() - 1].to_vec());
    let changed = whole.replacen(r#"\"tokens\":24"#, r#"\"tokens\":23"#, 1);
    for (number, text) in [more, less, cut, changed].iter().enumerate() {
        assert!(*text != whole, "case {number} changes nothing");
        std::fs::write(&done.extract, text).unwrap();
        done.refutes(&format!("case {number}"));
    }
}

/// Attack: a holder that charged one batch more than was asked, and an extract that says so truly (SPEC AUD-1).
#[test]
fn a_charge_that_was_not_asked() {
    use oblink_session::ledger::{ChargeEntry, Ledger as _};
    let house = House::new();
    // A request of several batches, of which all but the last are asked; then the holder charges the last by itself.
    let request = house.request("r");
    request.edit(|said| said.batch_tokens = 8);
    let mut draft = request.taken();
    draft.commit();
    request.edit(|said| said.blinded_root = draft.manifest.blinded_root);
    let request = request.signed_by(house.two());
    let digests: Vec<u8> =
        (0_u64..).zip(draft.batches()).flat_map(|(i, batch)| oblink_session::wire::raw::blinded_digest(i, &batch)).collect();
    std::fs::write(request.path.join("batches.bin"), digests).unwrap();
    let serving = house.serve();
    let begun = draft.signed_by(house.two());
    let peer = house.peer();
    let (line, admitted) = peer.begin(serving.address(), &begun);
    line.leave();
    oblink_tests::eventually("the session to be suspended", || {
        (!house.agencies.holder.logged(EntryKind::SessionSuspended).is_empty()).then_some(())
    });
    drop(serving.stop());
    let mut ledger = oblink_store::ledger::SqliteLedger::open(&house.agencies.holder.ledger_path()).unwrap();
    let entry = ChargeEntry {
        session_id: admitted.session_id,
        index: 1,
        blinded_digest: [9; 32],
        tokens: 8,
        statement: [9; 64],
        clock_unix_ms: oblink_tests::asking::now_unix_ms(),
        answered: Vec::new(),
    };
    // A session whose line is gone takes no charge at all: not even the holder's own program can make one.
    assert!(ledger.charge(&entry).is_err());
    drop(ledger);
    assert_eq!(house.agencies.charges(), 1);
    house.agencies.ledger_holds();
}

/// Rows opened singly hold, and one that is not what it was does not (SPEC AUD-2).
#[test]
fn a_sample() {
    let done = done();
    let verifier = &done.house.agencies.verifier;
    let sample = done.house.agencies.at("sample.json");
    let call = verifier.call_bare("audit sample --n 5 --seed 7").path("--request", &done.request.path).path("--input", &done.request.input);
    call.path("--output", &sample).ok();
    let open = || {
        let call = verifier.call_bare("audit open --json").path("--sample", &sample).path("--request", &done.request.file());
        call.path("--receipt", &done.receipt()).run()
    };
    let ended = open();
    assert_eq!(ended.code(), 0, "{ended}");
    let text = std::fs::read_to_string(&sample).unwrap();
    for (number, changed) in [text.replacen("Zanzibar", "Samarkand", 1), text.replacen("Ana", "Eva", 1)].iter().enumerate() {
        assert_ne!(*changed, text);
        std::fs::write(&sample, changed).unwrap();
        let ended = open();
        assert_eq!(ended.code(), 6, "case {number}: {ended}");
    }
}
