//! A ledger that was put back, or that goes on in two ways (SPEC HSK-8, LED-8): who was served since, and any witness, finds out.

use std::path::PathBuf;

use oblink_session::error::RefusalCode;
use oblink_session::head::{LogHead, SignedHead};
use oblink_store::ledger::SqliteLedger;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::asking::{RequestDir, now_unix_ms};
use oblink_tests::fake::{FakeHolder, Modified};

use super::house::House;

/// Copies the ledger of a holder that does not serve, with whatever SQLite keeps beside it.
fn copy(house: &House, name: &str) -> PathBuf {
    let to = house.agencies.at(name);
    let connection = rusqlite::Connection::open(house.agencies.holder.ledger_path()).unwrap();
    connection.execute("VACUUM INTO ?1", [to.to_str().unwrap()]).unwrap();
    to
}

/// Puts a copy in the ledger's place.
fn put_back(house: &House, from: &PathBuf) {
    let place = house.agencies.holder.ledger_path();
    for beside in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{beside}", place.display()));
    }
    std::fs::copy(from, &place).unwrap();
    // As the program leaves it; one that others may read is refused.
    std::fs::set_permissions(&place, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

/// A request is answered, the ledger copied, another request answered.
fn served_after_the_copy() -> (House, PathBuf, RequestDir) {
    let house = House::new();
    let serving = house.serve();
    house.check(&serving, &house.request("before"));
    drop(serving.stop());
    let kept = copy(&house, "kept.sqlite");
    let serving = house.serve();
    house.check(&serving, &house.request("after"));
    drop(serving.stop());
    let next = house.request("next");
    (house, kept, next)
}

/// The verifier's program ends with exit 6, no batch was sent, and the ledger that is there says why it refused.
fn diverged(house: &House, next: &RequestDir) {
    let charges = house.agencies.charges();
    let serving = house.serve();
    house.fails(&serving, next, 6, "ledger_diverged");
    house.agencies.refusal(22, "");
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), charges);
    // By itself it is whole.
    house.agencies.ledger_holds();
}

/// Attack: the database rolled back to a copy, so that a request was never asked (SPEC HSK-8).
#[test]
fn a_ledger_rolled_back_to_a_copy() {
    let (house, kept, next) = served_after_the_copy();
    put_back(&house, &kept);
    diverged(&house, &next);
}

/// Attack: the copy goes on otherwise, until it is longer than what the verifier knows (SPEC HSK-8).
#[test]
fn a_ledger_that_forks() {
    let (house, kept, next) = served_after_the_copy();
    put_back(&house, &kept);
    let mut ledger = SqliteLedger::open(&house.agencies.holder.ledger_path()).unwrap();
    for _ in 0..50 {
        ledger.record_operator("operator", "noted", "nothing", now_unix_ms()).unwrap();
    }
    drop(ledger);
    diverged(&house, &next);
}

/// Attack: a holder that does not look at the verifier's head, and answers out of the fork (SPEC HSK-8): the verifier finds no proof, and sends no
/// batch.
#[test]
fn a_holder_that_answers_out_of_a_fork() {
    let (house, kept, next) = served_after_the_copy();
    let mut ledger = SqliteLedger::open(&kept).unwrap();
    for _ in 0..50 {
        ledger.record_operator("operator", "noted", "nothing", now_unix_ms()).unwrap();
    }
    drop(ledger);
    let modified = Modified { deaf: true, ..Modified::default() };
    let fake = FakeHolder::start(&house.agencies.holder, &house.agencies.verifier, &kept, modified);
    let ended = house.agencies.asking(&fake.address(), &next).run();
    assert_eq!(ended.code(), 6, "{ended}");
    assert_eq!(fake.ended(), 0, "a batch was sent");
    assert!(!next.path.with_extension("results.csv").exists());
}

/// Attack: a holder that claims a head without a proof that it continues the known one, under its own good signature (SPEC HSK-8).
#[test]
fn a_head_without_a_proof() {
    let (house, _, next) = served_after_the_copy();
    let holder = oblink_tests::asking::fingerprint_bytes(&house.agencies.holder.fingerprint);
    let modified = Modified {
        welcome: Box::new(move |welcome, key| {
            let head = LogHead { size: welcome.head_size + 7, root: [7; 32] };
            let signed = SignedHead::sign(key, &holder, head, welcome.head_unix_ms);
            (welcome.head_size, welcome.head_root, welcome.head_signature) = (head.size, head.root, signed.signature);
        }),
        ..Modified::default()
    };
    let fake = FakeHolder::start(&house.agencies.holder, &house.agencies.verifier, &house.agencies.holder.ledger_path(), modified);
    let ended = house.agencies.asking(&fake.address(), &next).run();
    assert_eq!((ended.code(), fake.ended()), (6, 0), "{ended}");
}

/// Attack: a head that nobody signed (SPEC LED-3, HSK-8).
#[test]
fn a_head_that_nobody_signed() {
    let house = House::new();
    let request = house.request("r");
    let modified = Modified { welcome: Box::new(|welcome, _| welcome.head_signature[3] ^= 1), ..Modified::default() };
    let fake = FakeHolder::start(&house.agencies.holder, &house.agencies.verifier, &house.agencies.holder.ledger_path(), modified);
    let ended = house.agencies.asking(&fake.address(), &request).run();
    assert_eq!((ended.code(), fake.ended()), (6, 0), "{ended}");
}

/// Attack: a verifier that presents a head that never was, to have the holder look divided (SPEC HSK-8): refused, and said so in the ledger.
#[test]
fn a_head_that_never_was() {
    let house = House::new();
    let asked = house.draft(8_192).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let mut hello = peer.hello(&asked);
    (hello.head_size, hello.head_root) = (1, [9; 32]);
    assert_eq!(peer.refused_hello(serving.address(), &hello), RefusalCode::LedgerDiverged);
    house.agencies.refusal(22, "");
    drop(serving.stop());
    assert_eq!(peer.elements(), 0);
    assert!(house.agencies.holder.logged(EntryKind::RequestAccepted).is_empty());
    house.agencies.nothing_evaluated();
}

/// Attack: a rollback that no verifier sees, since none was served since: the witness's head finds it (SPEC LED-8).
#[test]
fn a_rollback_that_the_witness_finds() {
    let house = House::new();
    let kept = copy(&house, "kept.sqlite");
    house.agencies.holder.call("suspend --reason").arg("Key found on a train").ok();
    let head = house.agencies.at("head.json");
    house.agencies.holder.call("ledger head").path("--export", &head).ok();
    let verify = || house.agencies.holder.call("ledger verify --json").path("--head", &head).run();
    assert_eq!(verify().code(), 0);
    put_back(&house, &kept);
    house.agencies.ledger_holds();
    let ended = verify();
    assert_eq!(ended.code(), 6, "{ended}");
    // Also once it is longer again.
    let mut ledger = SqliteLedger::open(&house.agencies.holder.ledger_path()).unwrap();
    for _ in 0..9 {
        ledger.record_operator("operator", "noted", "nothing", now_unix_ms()).unwrap();
    }
    drop(ledger);
    let ended = verify();
    assert_eq!(ended.code(), 6, "{ended}");
}

/// Attack: a witness's file with another root in it (SPEC LED-3): it is not the holder's word, and proves nothing against it.
#[test]
fn a_witness_with_a_false_head() {
    let house = House::new();
    let head = house.agencies.at("head.json");
    house.agencies.holder.call("ledger head").path("--export", &head).ok();
    let text = std::fs::read_to_string(&head).unwrap();
    let mut object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let root = find_mut(&mut object, "root").unwrap();
    *root = serde_json::Value::String("11".repeat(32));
    std::fs::write(&head, serde_json::to_string(&object).unwrap()).unwrap();
    let ended = house.agencies.holder.call("ledger verify --json").path("--head", &head).run();
    assert_ne!(ended.code(), 0, "{ended}");
}

/// A member of this name, however deep.
fn find_mut<'a>(value: &'a mut serde_json::Value, name: &str) -> Option<&'a mut serde_json::Value> {
    let object = value.as_object_mut()?;
    if object.contains_key(name) {
        return object.get_mut(name);
    }
    object.values_mut().find_map(|inner| find_mut(inner, name))
}
