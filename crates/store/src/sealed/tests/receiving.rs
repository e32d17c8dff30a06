//! A set that comes over the wire (SPEC SET-7).

use std::os::unix::fs::PermissionsExt;

use oblink_session::set::SetOffer;
use oblink_session::tag::{Tag, Tau};

use super::*;
use crate::sealed::{ReceivedSet, VerifiedSet, forget_other_sets, part_path, set_path};
use crate::{Error, SetFault};

struct Wire {
    dir: tempfile::TempDir,
    offer: SetOffer,
    file: Vec<u8>,
}

impl Wire {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let set = seal(dir.path(), &(0..5_000).map(prefix).collect::<Vec<_>>(), &parameters(1 << 24)).unwrap();
        Self { offer: set.offer().clone(), file: std::fs::read(set.path()).unwrap(), dir }
    }

    fn begin(&self, offer: &SetOffer) -> Result<ReceivedSet, Error> {
        ReceivedSet::begin(Arc::new(RealDisk), &self.dir.path().join("sets"), offer)
    }

    fn receive(&self, offer: &SetOffer, file: &[u8]) -> Result<VerifiedSet, Error> {
        let mut received = self.begin(offer)?;
        for piece in file.chunks(10_000) {
            received.append(received.length(), piece)?;
        }
        received.verify()
    }

    fn names(&self) -> Vec<String> {
        names(&self.dir.path().join("sets"))
    }
}

#[test]
fn a_set_is_received_verified_and_opened_again() {
    let wire = Wire::new();
    let verified = wire.receive(&wire.offer, &wire.file).unwrap();
    let path = set_path(&wire.dir.path().join("sets"), &wire.offer.set_id);
    assert_eq!(verified.path(), path);
    assert_eq!(std::fs::read(&path).unwrap(), wire.file);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(wire.names(), [path.file_name().unwrap().to_str().unwrap()]);
    let tau = wire.offer.descriptor.tau;
    let mut asked: Vec<(Tag, u64)> = [3, 9_999, 4_999].into_iter().map(|i| tau.truncate(TagPrefix(prefix(i)))).zip(0..).collect();
    assert_eq!(verified.join(&mut asked).unwrap(), [0, 2]);
    let again = VerifiedSet::open(&RealDisk, &path, &wire.offer).unwrap();
    assert_eq!(again.join(&mut asked).unwrap(), [0, 2]);
}

#[test]
fn chunks_come_in_order_and_within_the_set() {
    let wire = Wire::new();
    let mut received = wire.begin(&wire.offer).unwrap();
    received.append(0, &wire.file[..100]).unwrap();
    for (offset, bytes) in [(0, 10), (99, 10), (101, 10), (u64::MAX, 10), (100, wire.file.len())] {
        let error = received.append(offset, &wire.file[..bytes]).unwrap_err();
        assert!(matches!(error, Error::PeerSet(SetFault::Chunk { due: 100, .. })), "{error}");
    }
    assert!(!received.is_complete());
    assert!(matches!(received.verify(), Err(Error::PeerSet(SetFault::Length { found: 100, .. }))));
    assert_eq!(wire.names(), Vec::<String>::new());
}

#[test]
fn a_broken_line_is_taken_up_where_it_broke() {
    let wire = Wire::new();
    let mut received = wire.begin(&wire.offer).unwrap();
    received.append(0, &wire.file[..20_000]).unwrap();
    assert!(matches!(wire.begin(&wire.offer), Err(Error::InUse { .. })));
    drop(received);
    let mut received = wire.begin(&wire.offer).unwrap();
    assert_eq!(received.length(), 20_000);
    received.append(20_000, &wire.file[20_000..]).unwrap();
    assert!(received.is_complete());
    received.verify().unwrap();
}

#[test]
fn what_an_earlier_run_left_is_not_held_against_the_holder() {
    let wire = Wire::new();
    let mut received = wire.begin(&wire.offer).unwrap();
    received.append(0, &[0; 20_000]).unwrap();
    drop(received);
    let mut received = wire.begin(&wire.offer).unwrap();
    received.append(20_000, &wire.file[20_000..]).unwrap();
    assert!(matches!(received.verify(), Err(Error::Corrupt { .. })));
    // It is gone, and the set can be fetched afresh.
    assert_eq!(wire.names(), Vec::<String>::new());
    wire.receive(&wire.offer, &wire.file).unwrap();
}

#[test]
fn a_part_longer_than_the_set_is_begun_anew() {
    let wire = Wire::new();
    drop(wire.begin(&wire.offer).unwrap());
    let part = wire.dir.path().join("sets").join(wire.names().remove(0));
    std::fs::write(&part, vec![0; wire.file.len() + 1]).unwrap();
    assert_eq!(wire.begin(&wire.offer).unwrap().length(), 0);
}

#[test]
fn a_set_other_than_offered_is_refused_and_blamed_on_the_holder() {
    let wire = Wire::new();
    let refused = |offer: &SetOffer, file: &[u8]| match wire.receive(offer, file) {
        Err(Error::PeerSet(fault)) => {
            assert_eq!(wire.names(), Vec::<String>::new());
            fault
        }
        other => panic!("{other:?}"),
    };
    let with = |change: &dyn Fn(&mut SetOffer)| {
        let mut offer = wire.offer.clone();
        change(&mut offer);
        offer
    };
    for at in [0, 5, 50, 170, 180, 20_000, wire.file.len() - 1] {
        let mut bad = wire.file.clone();
        bad[at] ^= 0x20;
        refused(&wire.offer, &bad);
    }
    assert_eq!(refused(&with(&|offer| offer.set_id[0] ^= 1), &wire.file), SetFault::SetId);
    type Change = fn(&mut SetOffer);
    let fields: [(&str, Change); 7] = [
        ("tokens_per_pair", |offer| offer.descriptor.tokens_per_pair = 2),
        ("as_of", |offer| offer.descriptor.as_of = 0),
        ("session_tokens_max", |offer| offer.descriptor.session_tokens_max -= 1),
        ("declared_tags", |offer| offer.descriptor.declared_tags += 1),
        ("epoch_id", |offer| offer.descriptor.epoch_id[0] ^= 1),
        ("ruleset_digest", |offer| offer.descriptor.ruleset_digest[0] ^= 1),
        ("public_key", |offer| offer.descriptor.public_key[0] ^= 1),
    ];
    for (field, change) in fields {
        assert_eq!(refused(&with(&change), &wire.file), SetFault::Differs(field));
    }
    assert_eq!(refused(&with(&|offer| offer.descriptor.tags -= 1), &wire.file), SetFault::Differs("set_tags"));
}

/// An offer that no set can have is refused before anything is fetched.
#[test]
fn impossible_offers_are_refused_at_once() {
    let wire = Wire::new();
    let changes: [fn(&mut SetOffer); 7] = [
        |offer| offer.set_bytes = u64::MAX,
        |offer| offer.set_bytes *= 2,
        |offer| offer.set_bytes /= 2,
        |offer| offer.descriptor.tags = 0,
        |offer| offer.descriptor.tags = offer.descriptor.declared_tags + 1,
        |offer| offer.descriptor.suite = 2,
        |offer| offer.descriptor.tau = Tau::for_counts(1, 1).unwrap(),
    ];
    for change in changes {
        let mut offer = wire.offer.clone();
        change(&mut offer);
        assert!(matches!(wire.begin(&offer), Err(Error::PeerSet(SetFault::Offer(_)))), "{offer:?}");
    }
    assert!(!wire.dir.path().join("sets").exists());
}

/// A check that ended removed the set that another one was fetching, and its lock.
#[test]
fn repro_a_set_that_is_being_fetched_is_not_forgotten() {
    let wire = Wire::new();
    let sets = wire.dir.path().join("sets");
    let mut fetching = wire.begin(&wire.offer).unwrap();
    fetching.append(0, &wire.file[..100]).unwrap();
    let (old, left) = (set_path(&sets, &[1; 32]), part_path(&sets, &[2; 32]));
    [&old, &left].iter().for_each(|path| std::fs::write(path, b"old").unwrap());
    forget_other_sets(&RealDisk, &sets, &[9; 32]).unwrap();
    assert!(!old.exists() && !left.exists());
    assert!(part_path(&sets, &wire.offer.set_id).exists());
    assert!(matches!(wire.begin(&wire.offer), Err(Error::InUse { .. })));
    fetching.append(100, &wire.file[100..]).unwrap();
    let verified = fetching.verify().unwrap();
    forget_other_sets(&RealDisk, &sets, &wire.offer.set_id).unwrap();
    assert!(verified.path().exists());
    forget_other_sets(&RealDisk, &sets, &[9; 32]).unwrap();
    assert!(std::fs::read_dir(&sets).unwrap().next().is_none());
}
