//! Files that are not sealed sets: all refused, none believed for its lengths (SPEC SET-4).

use super::*;
use crate::error::BlockFault;
use crate::sealed::{HEADER_BYTES, Origin, SetReader, VerifiedSet};
use crate::{Error, SetFault};

/// Reads all of it.
fn read(file: &[u8]) -> Result<(), SetFault> {
    match SetReader::new(file, Origin::Peer).and_then(SetReader::finish) {
        Ok(_) => Ok(()),
        Err(Error::PeerSet(fault)) => Err(fault),
        Err(other) => panic!("blame went wrong: {other}"),
    }
}

fn small_set() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &(0..6).map(prefix).chain([0, u128::MAX]).collect::<Vec<_>>(), &parameters(1 << 24)).unwrap();
    std::fs::read(set.path()).unwrap()
}

/// A header changed in its fields and with a digest that fits.
fn forged_header(file: &[u8], change: impl FnOnce(&mut [u8])) -> Vec<u8> {
    let mut header = file[..HEADER_BYTES].to_vec();
    change(&mut header[..144]);
    let digest = Sha256::digest(&header[..144]);
    header[144..].copy_from_slice(&digest);
    header
}

/// Appends a block with a digest that fits.
fn forge_block(file: &mut Vec<u8>, block: u64, count: u32, length: u32, first: u128, body: &[u8]) {
    let mut bytes = [&count.to_be_bytes()[..], &length.to_be_bytes(), &first.to_be_bytes(), body].concat();
    let digest = Sha256::new()
        .chain_update(b"oblink/1/block\0")
        .chain_update(&file[144..176])
        .chain_update(block.to_be_bytes())
        .chain_update(&bytes)
        .finalize();
    bytes.extend_from_slice(&digest);
    file.extend_from_slice(&bytes);
}

/// Bits as bytes, zero-filled.
fn packed(bits: &str) -> Vec<u8> {
    bits.as_bytes().chunks(8).map(|byte| (0..8).fold(0, |value, i| value << 1 | u8::from(byte.get(i) == Some(&b'1')))).collect()
}

/// SET-4, SET-7
#[test]
fn every_changed_byte_is_refused() {
    let good = small_set();
    read(&good).unwrap();
    for at in 0..good.len() {
        for flip in [0x01, 0x10, 0x80, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= flip;
            assert!(read(&bad).is_err(), "byte {at}");
        }
    }
}

/// SET-4
#[test]
fn every_truncation_and_any_addition_is_refused() {
    let good = small_set();
    for length in 0..good.len() {
        assert!(matches!(read(&good[..length]), Err(SetFault::EndsEarly { block: 0 })), "{length} bytes");
    }
    assert_eq!(read(&[&good[..], &[0]].concat()), Err(SetFault::GoesOn));
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &(0..9_000).map(prefix).collect::<Vec<_>>(), &parameters(1)).unwrap();
    let long = std::fs::read(set.path()).unwrap();
    assert_eq!(read(&long[..long.len() - 1]), Err(SetFault::EndsEarly { block: 2 }));
    assert_eq!(read(&[&long[..], &[0; 100]].concat()), Err(SetFault::GoesOn));
}

/// SET-1, SET-2, SET-4, TAG-3
#[test]
fn headers_that_break_a_rule_are_refused_though_their_digest_fits() {
    type Change = fn(&mut [u8]);
    let good = small_set();
    let cases: [(&str, Change); 14] = [
        ("magic", |h| h[7] = 2),
        ("suite", |h| h[9] = 2),
        ("tau", |h| h[10] += 1),
        ("Rice parameter", |h| h[11] -= 1),
        ("tokens_per_pair", |h| h[12..14].fill(0)),
        ("tokens_per_pair", |h| h[12..14].fill(0xff)),
        ("reserved", |h| h[15] = 1),
        ("tags a block", |h| h[18] = 0x20),
        ("declared_tags or session_tokens_max", |h| h[24..32].fill(0)),
        ("declared_tags or session_tokens_max", |h| h[24..32].fill(0xff)),
        ("declared_tags or session_tokens_max", |h| h[32..40].fill(0xff)),
        ("tags", |h| h[40..48].fill(0)),
        ("tags", |h| h[47] = 9),
        ("padding", |h| h[143] = 1),
    ];
    for (field, change) in cases {
        let mut bad = forged_header(&good, change);
        bad.extend_from_slice(&good[HEADER_BYTES..]);
        assert_eq!(read(&bad), Err(SetFault::Header(field)));
    }
    let mut bad = good.clone();
    bad[150] ^= 1;
    assert_eq!(read(&bad), Err(SetFault::Header("digest")));
}

/// A set of τ = 43, k = 41: n = 3 or 4 tags, quotients up to 3.
fn header_of(n: u64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &[0, 1 << 120, 2 << 120, 3 << 120][..4 - usize::from(n == 3)], &parameters(2)).unwrap();
    let file = std::fs::read(set.path()).unwrap();
    assert_eq!((file[10], file[11]), (43, 41));
    file[..HEADER_BYTES].to_vec()
}

fn with_block(n: u64, count: u32, length: u32, first: u128, body: &[u8]) -> Result<(), SetFault> {
    let mut file = header_of(n);
    forge_block(&mut file, 0, count, length, first, body);
    read(&file)
}

fn with_bits(first: u128, bits: &str) -> Result<(), SetFault> {
    let body = packed(bits);
    with_block(3, 3, u32::try_from(body.len()).unwrap(), first, &body)
}

/// SET-3, SET-4
#[test]
fn blocks_that_break_a_rule_are_refused_though_their_digest_fits() {
    let (zero, one) = (format!("{:041b}", 0), format!("{:041b}", 1));
    let largest = "1".repeat(41);
    let wrong = |fault| Err(SetFault::Block { block: 0, fault });
    // The tags 5, 6, 8: differences less one of 0 and 1.
    assert_eq!(with_bits(5, &format!("0{zero}0{one}")), Ok(()));
    // Up to 2^43 - 1, and one beyond.
    assert_eq!(with_bits((1 << 43) - 3, &format!("0{zero}0{zero}")), Ok(()));
    assert_eq!(with_bits((1 << 43) - 2, &format!("0{zero}0{zero}")), wrong(BlockFault::Order));
    assert_eq!(with_bits(1 << 43, &format!("0{zero}0{zero}")), wrong(BlockFault::Order));
    assert_eq!(with_bits(u128::MAX, &format!("0{zero}0{zero}")), wrong(BlockFault::Order));
    assert_eq!(with_bits(0, &format!("1110{largest}0{zero}")), wrong(BlockFault::Order));
    // A quotient that no difference below 2^43 has; ones to the end of the body and beyond.
    assert_eq!(with_bits(0, &format!("11110{zero}0{zero}")), wrong(BlockFault::Order));
    assert_eq!(with_bits(0, &"1".repeat(88)), wrong(BlockFault::Body));
    // Too short by a tag; too long by a byte; bits set behind the last tag.
    assert_eq!(with_bits(0, &format!("0{zero}")), wrong(BlockFault::Body));
    assert_eq!(with_bits(0, &format!("0{zero}0{zero}000000000000")), wrong(BlockFault::Body));
    assert_eq!(with_bits(0, &format!("0{zero}0{zero}0001")), wrong(BlockFault::Body));
    assert_eq!(with_bits(0, ""), wrong(BlockFault::Body));
    // Counts.
    for count in [0, 2, 4, u32::MAX] {
        let body = packed(&format!("0{zero}0{zero}"));
        assert_eq!(with_block(3, count, 11, 0, &body), wrong(BlockFault::Count { found: count, due: 3 }));
    }
}

/// SET-4: nothing is allocated for bytes that did not come.
#[test]
fn giant_lengths_and_counts_cost_nothing() {
    // 4,095 * 42 + 4 bits make 21,500 bytes.
    let fault = BlockFault::Length { found: 21_501, most: 21_500 };
    assert_eq!(with_block(3, 3, 21_501, 0, &[0; 100]), Err(SetFault::Block { block: 0, fault }));
    assert_eq!(with_block(3, 3, 21_500, 0, &[0; 100]), Err(SetFault::EndsEarly { block: 0 }));
    // A header that claims 2^40 tags keeps every rule; so does a block of 2^32 - 1 bytes under it.
    let mut file = forged_header(&small_set(), |header| {
        header[10] = 40 + 40 + 24;
        header[11] = 64;
        header[32..40].copy_from_slice(&(1_u64 << 40).to_be_bytes());
        header[40..48].copy_from_slice(&(1_u64 << 40).to_be_bytes());
    });
    forge_block(&mut file, 0, 4_096, u32::MAX, 0, &[0xff; 1_000]);
    let mut reader = SetReader::new(&file[..], Origin::Peer).unwrap();
    assert_eq!(reader.descriptor().tags, 1 << 40);
    assert!(matches!(reader.next_block(), Err(Error::PeerSet(SetFault::EndsEarly { block: 0 }))));
    assert!(reader.block_capacity() < 1 << 16, "{}", reader.block_capacity());
}

/// SET-3: order holds across blocks, and blocks are tied to their place and to their header.
#[test]
fn blocks_cannot_change_places_or_sets() {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &(0..9_000).map(prefix).collect::<Vec<_>>(), &parameters(1)).unwrap();
    let file = std::fs::read(set.path()).unwrap();
    let length = |at: usize| 24 + 32 + u32::from_be_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
    let second = HEADER_BYTES + length(HEADER_BYTES);
    let third = second + length(second);
    let (a, b, rest) = (&file[HEADER_BYTES..second], &file[second..third], &file[third..]);
    let swapped = [&file[..HEADER_BYTES], b, a, rest].concat();
    assert_eq!(read(&swapped), Err(SetFault::Block { block: 0, fault: BlockFault::Digest }));
    // The first block again, forged into the second's place: its tags are not above the first's.
    let mut repeated = file[..second].to_vec();
    let (count, first) = (u32::from_be_bytes(a[..4].try_into().unwrap()), u128::from_be_bytes(a[8..24].try_into().unwrap()));
    let body = &a[24..a.len() - 32];
    forge_block(&mut repeated, 1, count, u32::try_from(body.len()).unwrap(), first, body);
    repeated.extend_from_slice(rest);
    assert_eq!(read(&repeated), Err(SetFault::Block { block: 1, fault: BlockFault::Order }));
    let mut other = forged_header(&file, |header| header[48] ^= 1);
    other.extend_from_slice(&file[HEADER_BYTES..]);
    assert_eq!(read(&other), Err(SetFault::Block { block: 0, fault: BlockFault::Digest }));
}

#[test]
fn a_damaged_file_of_our_own_is_not_the_peers_fault() {
    let dir = tempfile::tempdir().unwrap();
    let set = seal(dir.path(), &(0..5_000).map(prefix).collect::<Vec<_>>(), &parameters(1)).unwrap();
    let verified = VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap();
    let good = std::fs::read(set.path()).unwrap();
    let mut bad = good.clone();
    bad[10_000] ^= 1;
    std::fs::write(set.path(), &bad).unwrap();
    let digest_differs = |error: &Error| matches!(error, Error::Corrupt { fault: SetFault::Block { block: 0, .. }, .. });
    assert!(digest_differs(&SealedSet::open(&RealDisk, set.path()).unwrap_err()));
    assert!(digest_differs(&VerifiedSet::open(&RealDisk, set.path(), set.offer()).unwrap_err()));
    // Also when it changes between verification and join, even into a good set: never an answer from another file.
    assert!(digest_differs(&verified.join(&mut []).unwrap_err()));
    let other = tempfile::tempdir().unwrap();
    let other = std::fs::read(seal(other.path(), &(1..5_001).map(prefix).collect::<Vec<_>>(), &parameters(1)).unwrap().path()).unwrap();
    std::fs::write(set.path(), &other).unwrap();
    assert!(matches!(verified.join(&mut []), Err(Error::Corrupt { .. })));
    std::fs::write(set.path(), &good).unwrap();
    verified.join(&mut []).unwrap();
}
