//! Sealed sets of any bytes, and of almost the right ones.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use oblink_session::set::{SetDescriptor, SetOffer};
use oblink_session::tag::{Tag, TagPrefix, Tau};
use oblink_store::disk::Disk;
use oblink_store::sealed::{BuilderOptions, HEADER_BYTES, Origin, ReceivedSet, SetBuilder, SetParameters, SetReader, VerifiedSet};
use oblink_store::{Error, SetFault};
use sha2::{Digest, Sha256};

use super::input::Input;
use super::memory::MemoryDisk;

/// A good set, and what was offered.
pub(super) struct Good {
    pub(super) file: Vec<u8>,
    pub(super) offer: SetOffer,
}

/// Tags of the good sets: one block with room between its tags, one where they are dense, and two blocks.
fn good_sets() -> &'static [Good; 3] {
    static SETS: OnceLock<[Good; 3]> = OnceLock::new();
    SETS.get_or_init(|| {
        let random = |i: u64| TagPrefix(u128::from_be_bytes(Sha256::digest(i.to_be_bytes())[..16].try_into().unwrap()));
        // τ is 43 and k 41: the highest tags, and three of them next to each other.
        let dense = |i: u64| TagPrefix(u128::MAX - (u128::from(i) << 85));
        [seal(&(0..9).map(random).collect::<Vec<_>>(), 1 << 24), seal(&(0..4).map(dense).collect::<Vec<_>>(), 2), {
            let tags: Vec<_> = (0..4_100).map(random).collect();
            seal(&tags, 1)
        }]
    })
}

fn seal(prefixes: &[TagPrefix], session_tokens_max: u64) -> Good {
    let disk = MemoryDisk::default();
    let parameters = SetParameters {
        suite: 1,
        tokens_per_pair: 1,
        as_of: 20_260_131,
        session_tokens_max,
        epoch_id: [7; 16],
        ruleset_digest: [8; 32],
        public_key: [9; 32],
    };
    sealed(&disk, prefixes, &parameters)
}

/// Seals a set on a disk in memory.
pub(super) fn sealed(disk: &MemoryDisk, prefixes: &[TagPrefix], parameters: &SetParameters) -> Good {
    let mut builder = SetBuilder::new(Arc::new(disk.clone()), Path::new("/work"), BuilderOptions { memory_bytes: 0 }).unwrap();
    builder.push(prefixes).unwrap();
    let set = builder.finish(parameters, Path::new("/set")).unwrap();
    Good { file: disk.get(Path::new("/set")).unwrap(), offer: set.offer().clone() }
}

/// The first byte says which good set, whether digests are made to fit again after it was changed, whether the offer is made to fit too, and
/// how it arrives; then come changes (`Input::edit`). A first byte of 255 stands for a file of the bytes that follow.
///
/// Held: a set is verified only where it is byte for byte what its reader says: its tags, counted and ascending, sealed again are the same
/// file (SPEC SET-4, SET-6); a set is believed only under the very offer (SET-7); a peer's fault is the peer's, our own disk's is ours; a
/// verified set finds each of its tags and no neighbour of it; what is refused leaves no set behind.
pub fn sealed_set(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let how = input.u8();
    let good = &good_sets()[usize::from(how & 3) % 3];
    let mut file = if how == 255 { Vec::new() } else { good.file.clone() };
    if how == 255 {
        file.extend_from_slice(input.rest());
    } else {
        input.edit(&mut file);
        if how & 4 != 0 {
            mend(&mut file);
        }
    }
    let read = read(&file);
    let mut offer = good.offer.clone();
    if how & 8 != 0 {
        // A holder that stands by what it sends.
        if let Some(descriptor) = SetReader::new(&file[..], Origin::Peer).ok().map(|reader| reader.descriptor().clone()) {
            offer = SetOffer { descriptor, set_id: Sha256::digest(&file).into(), set_bytes: file.len() as u64 };
        }
    }
    receive(&file, &offer, &read, how, &mut input);
}

/// Makes the digests of header and blocks fit, as far as the file can be followed.
fn mend(file: &mut [u8]) {
    if file.len() < HEADER_BYTES {
        return;
    }
    let digest = Sha256::digest(&file[..144]);
    file[144..HEADER_BYTES].copy_from_slice(&digest);
    let mut at = HEADER_BYTES;
    for block in 0_u64.. {
        let Some(prefix) = file.get(at..at + 24) else { return };
        let end = at + 24 + u32::from_be_bytes(prefix[4..8].try_into().unwrap()) as usize;
        if file.len() < end + 32 {
            return;
        }
        let digest = Sha256::new()
            .chain_update(b"oblink/1/block\0")
            .chain_update(&file[144..HEADER_BYTES])
            .chain_update(block.to_be_bytes())
            .chain_update(&file[at..end])
            .finalize();
        file[end..end + 32].copy_from_slice(&digest);
        at = end + 32;
    }
}

/// What a file says it is, where it keeps every rule: its offer and its tags.
fn read(file: &[u8]) -> Result<(SetOffer, Vec<Tag>), SetFault> {
    let fault = |error: Error| match error {
        Error::PeerSet(fault) => fault,
        other => panic!("the blame went wrong: {other}"),
    };
    let mut reader = SetReader::new(file, Origin::Peer).map_err(fault)?;
    let mut tags = Vec::new();
    while let Some(block) = reader.next_block().map_err(fault)? {
        tags.extend_from_slice(block);
    }
    let offer = reader.finish().map_err(fault)?;
    let descriptor = &offer.descriptor;
    assert_eq!((offer.set_bytes, offer.set_id), (file.len() as u64, Sha256::digest(file).into()));
    assert_eq!(descriptor.tags, tags.len() as u64);
    assert!(tags.is_sorted_by(|a, b| a < b) && tags.iter().all(|tag| tag.0 >> descriptor.tau.bits() == 0));
    assert_eq!(Some(descriptor.tau), Tau::for_counts(descriptor.declared_tags, descriptor.session_tokens_max));
    if descriptor.declared_tags == descriptor.tags {
        assert!(sealed_again(descriptor, &tags) == file, "one file a set");
    }
    Ok((offer, tags))
}

/// Sets are a function of their tags (SPEC SET-6): prefixes that are cut to just these tags give the same file.
fn sealed_again(descriptor: &SetDescriptor, tags: &[Tag]) -> Vec<u8> {
    let parameters = SetParameters {
        suite: descriptor.suite,
        tokens_per_pair: descriptor.tokens_per_pair,
        as_of: descriptor.as_of,
        session_tokens_max: descriptor.session_tokens_max,
        epoch_id: descriptor.epoch_id,
        ruleset_digest: descriptor.ruleset_digest,
        public_key: descriptor.public_key,
    };
    let prefixes: Vec<_> = tags.iter().map(|tag| TagPrefix(tag.0 << (128 - descriptor.tau.bits()))).collect();
    sealed(&MemoryDisk::default(), &prefixes, &parameters).file
}

/// The file arrives in chunks, from an offset perhaps that an earlier process left off at.
fn receive(file: &[u8], offer: &SetOffer, read: &Result<(SetOffer, Vec<Tag>), SetFault>, how: u8, input: &mut Input<'_>) {
    let disk = MemoryDisk::default();
    let dir = Path::new("/sets");
    let begin = || ReceivedSet::begin(Arc::new(disk.clone()), dir, offer);
    let mut set = match begin() {
        Ok(set) => set,
        Err(Error::PeerSet(SetFault::Offer(_))) => {
            return assert!(read.as_ref().map_or(true, |(found, _)| found != offer), "a set can be as its own offer says");
        }
        Err(other) => panic!("{other}"),
    };
    let chunk = 1 + usize::from(input.u16());
    let resumed = how & 16 != 0 && how != 255;
    let mut first = true;
    let mut at = 0;
    while at < file.len() {
        let end = file.len().min(at + chunk);
        assert!(matches!(set.append(at as u64 + 1, &file[at..end]), Err(Error::PeerSet(SetFault::Chunk { .. }))), "a gap");
        match set.append(at as u64, &file[at..end]) {
            Ok(()) => at = end,
            // Nobody goes on after that.
            Err(Error::PeerSet(SetFault::Chunk { .. })) => {
                return assert!(end as u64 > offer.set_bytes, "only what is too much is refused");
            }
            Err(other) => panic!("{other}"),
        }
        if resumed && std::mem::take(&mut first) {
            drop(set);
            set = begin().unwrap();
            assert_eq!(set.length(), at as u64);
        }
    }
    let length = set.length();
    let right = read.as_ref().is_ok_and(|(found, _)| found == offer);
    match set.verify() {
        Ok(verified) => {
            assert!(right, "a set is believed only where all of it is as offered");
            let (_, tags) = read.as_ref().unwrap();
            find(&verified, tags);
            VerifiedSet::open(&disk, verified.path(), offer).unwrap();
        }
        Err(error) => {
            assert!(!right, "a good set is believed: {error}");
            let ours = matches!(error, Error::Corrupt { .. });
            assert!(ours || matches!(error, Error::PeerSet(_)));
            assert_eq!(ours, resumed && length > 0, "whose fault it is");
            assert_eq!(disk.list(dir).unwrap().len(), 0, "nothing is left behind");
        }
    }
}

/// Each tag is found, and none beside it.
fn find(set: &VerifiedSet, tags: &[Tag]) {
    let around = tags.iter().flat_map(|tag| [tag.0.wrapping_sub(1), tag.0, tag.0 + 1]).map(Tag);
    let mut asked: Vec<_> = around.zip(0..).collect();
    let due: Vec<u64> = asked.iter().filter(|(tag, _)| tags.binary_search(tag).is_ok()).map(|(_, index)| *index).collect();
    assert_eq!(set.join(&mut asked).unwrap(), due);
}
