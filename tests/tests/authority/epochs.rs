//! The end of an epoch: by count, by hand, and what is left of its key (SPEC EPO-3, EPO-6).

use std::path::PathBuf;

use oblink_session::error::RefusalCode;
use oblink_store::ledger::entries::EntryKind;
use oblink_tests::only_file;

use super::house::{House, PAIRS};

/// Attack: more evaluations than the epoch has (SPEC EPO-3).
#[test]
fn an_epoch_over_its_count() {
    let house = House::with(|rules| rules.evaluations_max = 2 * PAIRS as u64 - 1);
    let serving = house.serve();
    house.check(&serving, &house.request("first-request"));
    let second = house.request("second-request");
    house.fails(&serving, &second, 4, "budget_exhausted");
    house.refused_by_hand(&serving, &second.taken().signed_by(house.two()), RefusalCode::BudgetExhausted, "");
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), 1);
    house.agencies.ledger_holds();
}

/// Attack: one request more once the epoch's evaluations are used up (SPEC EPO-6): it closes by itself.
#[test]
fn an_epoch_that_is_used_up() {
    let house = House::with(|rules| rules.evaluations_max = PAIRS as u64);
    let serving = house.serve();
    house.check(&serving, &house.request("first-request"));
    let second = house.request("second-request");
    let ended = house.agencies.asking(serving.address(), &second).run();
    assert_eq!(ended.code(), 4, "{ended}");
    let peer = house.peer();
    let code = peer.refused(serving.address(), &second.taken().signed_by(house.two()));
    assert!([RefusalCode::BudgetExhausted, RefusalCode::EpochEnded, RefusalCode::NotSealed].contains(&code), "{code:?}");
    assert_eq!(peer.elements(), 0);
    drop(serving.stop());
    assert_eq!(house.agencies.charges(), 1);
    house.agencies.ledger_holds();
}

/// Attack: the key of an epoch that was ended by hand is put back from a copy, with its set (SPEC EPO-3).
#[test]
fn a_key_that_comes_back_after_its_epoch() {
    let house = House::new();
    let home = &house.agencies.holder.home;
    let kept: Vec<(PathBuf, Vec<u8>)> = [only_file(home, ".seed"), only_file(home, ".oblset")]
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect();
    let begun = house.draft(4).signed_by(house.two());
    let peer = house.peer();
    let serving = house.serve();
    let (line, _) = peer.begin(serving.address(), &begun);
    line.leave();
    house.agencies.holder.call("epoch end --peer city --json --reason Audit").ok();
    assert!(!kept[0].0.exists(), "the key is still there");
    for (path, bytes) in &kept {
        std::fs::write(path, bytes).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let request = house.request("r");
    let refused = |serving: &oblink_tests::Serving| {
        let ended = house.agencies.asking(serving.address(), &request).run();
        assert_eq!(ended.code(), 4, "{ended}");
        for asked in [&begun, &request.taken().signed_by(house.two())] {
            let code = peer.refused(serving.address(), asked);
            assert!([RefusalCode::EpochEnded, RefusalCode::NotSealed].contains(&code), "{code:?}");
        }
    };
    refused(&serving);
    drop(serving.stop());
    // Nor after a restart.
    for (path, bytes) in &kept {
        std::fs::write(path, bytes).unwrap();
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    let serving = house.serve();
    refused(&serving);
    drop(serving.stop());
    assert_eq!((peer.elements(), house.agencies.charges()), (4, 1));
    assert_eq!(house.agencies.holder.logged(EntryKind::EpochEnd).len(), 1);
    house.agencies.ledger_holds();
}

/// Attack: a session that goes on after its epoch was closed by hand, where the policy gives no grace (SPEC EPO-6).
#[test]
fn a_session_that_goes_on_after_its_epoch() {
    let house = House::new();
    let asked = house.draft(4).signed_by(house.two());
    let serving = house.serve();
    let peer = house.peer();
    let (line, admitted) = peer.begin(serving.address(), &asked);
    house.agencies.holder.call("epoch end --peer city --json --reason Audit --no-wait").ok();
    assert!(line.ask(&peer.approved(&admitted, &asked, 1)).is_err());
    line.leave();
    assert_eq!((peer.elements(), house.agencies.charges()), (4, 1));
    drop(serving.stop());
    house.agencies.ledger_holds();
}
