//! A hostile holder's sealed set (SPEC SET-1 to SET-8).

use oblink_session::wire::{Frame, SetChunk, Welcome};
use oblink_tests::fake::{Act, Due, Modified};
use oblink_tests::{only_file, raw};
use sha2::{Digest, Sha256};

use super::stage::{Stage, bent, condemned};

const HEADER: usize = 176;
/// Before a block's body: count, length, first tag.
const PREFIX: usize = 24;
const DIGEST: usize = 32;

/// The stage's own set.
fn sealed(stage: &Stage) -> Vec<u8> {
    std::fs::read(only_file(&stage.agencies.holder.home.join("sets"), ".oblset")).unwrap()
}

/// A set whose header `head` and whose only block `block` (without its digest) was changed, and whose digests are right again.
fn forged(mut set: Vec<u8>, head: impl FnOnce(&mut [u8]), block: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    head(&mut set[..144]);
    let digest = Sha256::digest(&set[..144]);
    set[144..HEADER].copy_from_slice(&digest);
    let mut bytes = set.split_off(HEADER);
    bytes.truncate(bytes.len() - DIGEST);
    block(&mut bytes);
    let digest = Sha256::new()
        .chain_update(b"oblink/1/block\0")
        .chain_update(&set[144..])
        .chain_update(0_u64.to_be_bytes())
        .chain_update(&bytes)
        .finalize();
    [&set[..], &bytes, &digest].concat()
}

/// A holder that offers this set in place of its own, under this set's own identity: all of Welcome fits it.
fn offers(set: Vec<u8>) -> Modified {
    let (id, bytes, tags) = (Sha256::digest(&set).into(), set.len() as u64, u64::from_be_bytes(set[40..48].try_into().unwrap()));
    let welcome = move |welcome: &mut Welcome, _: &_| (welcome.set_id, welcome.set_bytes, welcome.set_tags) = (id, bytes, tags);
    Modified { welcome: Box::new(welcome), set: Some(set), ..Modified::default() }
}

fn convict_set(stage: &Stage, forge: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    stage.convict(6, "sealed set", offers(forge(sealed(stage))));
}

/// Attack: a set that is whole and in order, under another identity than its own.
#[test]
fn a_set_under_another_identity() {
    let stage = Stage::new();
    stage.convict(6, "sealed set", Modified { welcome: Box::new(|welcome, _| welcome.set_id[0] ^= 1), ..Modified::default() });
    stage.honest_run_is_exact();
}

/// Attack: another set than the one that was promised, as long as it and in order.
#[test]
fn another_set_than_promised() {
    let stage = Stage::new();
    let other = forged(sealed(&stage), |_| (), |block| block[PREFIX - 1] ^= 1);
    let fake = Modified { set: Some(other), ..Modified::default() };
    stage.convict(6, "sealed set", fake);
    stage.honest_run_is_exact();
}

/// Attack: tags that do not increase: the first is above all others.
#[test]
fn tags_out_of_order() {
    let stage = Stage::new();
    convict_set(&stage, |set| forged(set, |_| (), |block| block[8..PREFIX].fill(0xff)));
    stage.honest_run_is_exact();
}

/// Attack: quotients that no set has: nothing but ones.
#[test]
fn quotients_that_cannot_be() {
    let stage = Stage::new();
    convict_set(&stage, |set| forged(set, |_| (), |block| block[PREFIX..].fill(0xff)));
    stage.honest_run_is_exact();
}

/// Attack: a body of zeros: as many tags next to each other as bits allow.
#[test]
fn bits_after_the_last_tag() {
    let stage = Stage::new();
    convict_set(&stage, |set| forged(set, |_| (), |block| block[PREFIX..].fill(0)));
    stage.honest_run_is_exact();
}

/// Attack: counts that are not the file's: in the header, in the block, in the body's length.
#[test]
fn false_counts() {
    let stage = Stage::new();
    convict_set(&stage, |set| forged(set, |head| head[47] -= 1, |_| ()));
    convict_set(&stage, |set| forged(set, |_| (), |block| block[3] += 1));
    convict_set(&stage, |set| forged(set, |_| (), |block| block[..4].fill(0xff)));
    convict_set(&stage, |set| forged(set, |_| (), |block| block[4..8].fill(0xff)));
    convict_set(&stage, |set| forged(set, |_| (), |block| block[7] -= 1));
    stage.honest_run_is_exact();
}

/// Attack: a header that promises more tags than Welcome, and one that claims 2^40 of them.
#[test]
fn headers_that_do_not_fit() {
    let stage = Stage::new();
    let mut modified = offers(forged(sealed(&stage), |head| head[40..48].copy_from_slice(&(1_u64 << 40).to_be_bytes()), |_| ()));
    let honest = u64::from_be_bytes(sealed(&stage)[40..48].try_into().unwrap());
    let mut fits = modified.welcome;
    modified.welcome = Box::new(move |welcome, key| {
        fits(welcome, key);
        welcome.set_tags = honest;
    });
    stage.convict(6, "sealed set", modified);
    convict_set(&stage, |set| forged(set, |head| head[11] ^= 1, |_| ()));
    convict_set(&stage, |set| forged(set, |head| head[0] ^= 1, |_| ()));
    stage.honest_run_is_exact();
}

/// Attack: a file that ends within a block, or in its header, though Welcome says just so many bytes.
#[test]
fn a_file_that_ends_early() {
    let stage = Stage::new();
    convict_set(&stage, |set| set[..set.len() - 10].to_vec());
    convict_set(&stage, |set| set[..HEADER - 1].to_vec());
    convict_set(&stage, |set| set[..HEADER].to_vec());
    stage.honest_run_is_exact();
}

/// Attack: a file that goes on after its last block.
#[test]
fn a_file_that_goes_on() {
    let stage = Stage::new();
    convict_set(&stage, |set| [&set[..], &[0; 100]].concat());
    stage.honest_run_is_exact();
}

/// A holder that sends its own set in pieces of 100 bytes, as `arrange` has them.
fn pieces(mut arrange: impl FnMut(&mut Vec<SetChunk>) + Send + 'static) -> Modified {
    bent(move |due, honest: &[Frame]| {
        let Due::Set(start) = due else { return None };
        let whole: Vec<u8> = honest.iter().flat_map(|frame| SetChunk::from_frame(frame.clone()).unwrap().bytes).collect();
        let piece = |(i, bytes): (usize, &[u8])| SetChunk { offset: start + 100 * i as u64, bytes: bytes.to_vec() };
        let mut chunks = whole.chunks(100).enumerate().map(piece).collect();
        arrange(&mut chunks);
        Some(chunks.iter().map(|chunk| Act::Bytes(raw::bytes_of(&chunk.to_frame()))).collect())
    })
}

/// Not an attack: small chunks are chunks.
#[test]
fn small_chunks_are_taken() {
    let stage = Stage::new();
    let ended = stage.meet(pieces(|_| ()));
    assert_eq!(ended.code(), 0, "{ended}");
}

/// Attack: chunks in another order, overlapping, with a gap, twice.
#[test]
fn chunks_that_do_not_follow() {
    let stage = Stage::new();
    stage.convict(6, "", pieces(|chunks| chunks.swap(0, 1)));
    stage.convict(6, "", pieces(|chunks| chunks[1].offset -= 1));
    stage.convict(6, "", pieces(|chunks| chunks[1].offset += 1));
    stage.convict(6, "", pieces(|chunks| chunks.insert(1, chunks[0].clone())));
    stage.convict(6, "", pieces(|chunks| chunks[0].offset = u64::MAX));
    stage.honest_run_is_exact();
}

/// Attack: more bytes than were declared, a byte or without end.
#[test]
fn more_bytes_than_declared() {
    let stage = Stage::new();
    stage.convict(6, "", pieces(|chunks| chunks.last_mut().unwrap().bytes.push(0)));
    let endless = bent(|due, honest| {
        matches!(due, Due::Set(_)).then(|| {
            let mut acts: Vec<Act> = honest.iter().map(|frame| Act::Bytes(raw::bytes_of(frame))).collect();
            acts.push(Act::Forever(raw::bytes_of(&honest[0])));
            acts
        })
    });
    stage.convict(6, "", endless);
    stage.honest_run_is_exact();
}

/// Attack: an end before all has come, an empty chunk, a frame that is no chunk.
#[test]
fn less_than_declared() {
    let stage = Stage::new();
    stage.convict(6, "", pieces(|chunks| drop(chunks.pop())));
    stage.convict(6, "", pieces(|chunks| chunks.clear()));
    stage.convict(6, "", bent(|due, _| matches!(due, Due::Set(_)).then(|| vec![Act::Bytes(raw::frame(0x04, 8, &[0; 8]))])));
    stage.convict(6, "not due", bent(|due, _| matches!(due, Due::Set(_)).then(|| vec![Act::Bytes(raw::frame(0x06, 0, &[]))])));
    stage.convict(6, "announced", bent(|due, _| matches!(due, Due::Set(_)).then(|| vec![Act::Bytes(raw::frame(0x04, 1 << 30, &[]))])));
    stage.honest_run_is_exact();
}

/// Attack: the first half of the set is false, then the line is cut: what is kept of it must not spoil the next run.
#[test]
fn a_false_half_that_is_left_behind() {
    let stage = Stage::new();
    let ended = stage.meet(bent(|due, honest| {
        matches!(due, Due::Set(_)).then(|| {
            let mut chunk = SetChunk::from_frame(honest[0].clone()).unwrap();
            chunk.bytes.truncate(300);
            chunk.bytes[200] ^= 0xff;
            vec![Act::Bytes(raw::bytes_of(&chunk.to_frame())), Act::Close(9)]
        })
    }));
    condemned(&stage, &ended, 4, "code 9");
    stage.honest_run_is_exact();
}
