//! Every engine against the published examples and against `sha2`.
use proptest::prelude::*;
use sha2::{Digest, Sha512};

use super::*;
use crate::engine::on_every_engine;

/// `SHA-512(start ‖ message)` of each, hashed once more by `outer`, if there is one.
fn hash(start: &Midstate, outer: Option<&Outer>, messages: &[Vec<u8>]) -> Vec<[u8; DIGEST]> {
    let mut out = vec![[0; DIGEST]; messages.len()];
    let in_parts = |i: usize, to: &mut Message<'_>| {
        let (head, tail) = messages[i].split_at(messages[i].len() / 3);
        [head, &[], tail].iter().for_each(|part| to.put(part));
    };
    digests(start, outer, in_parts, &mut out);
    out
}

fn sha512(parts: &[&[u8]]) -> [u8; DIGEST] {
    Sha512::digest(parts.concat()).into()
}

/// Every engine against the library, with and without prefixes and a second hash.
fn agree(messages: &[Vec<u8>]) {
    let (inner, outer) = ([0x36; BLOCK], [0x5c; BLOCK]);
    let tail = *b"a tail of the most bytes that fit into a block.";
    let plain = messages.iter().map(|message| sha512(&[message])).collect::<Vec<_>>();
    let prefixed = messages.iter().map(|message| sha512(&[&inner, message])).collect::<Vec<_>>();
    let twice = plain.iter().map(|digest| sha512(&[digest, &tail])).collect::<Vec<_>>();
    let hmac = prefixed.iter().map(|digest| sha512(&[&outer, digest])).collect::<Vec<_>>();
    let (inner, outer) = (Midstate::after(&inner), Outer::alone(Midstate::after(&outer)));
    on_every_engine(|| {
        assert!(hash(&Midstate::new(), None, messages) == plain);
        assert!(hash(&inner, None, messages) == prefixed);
        assert!(hash(&Midstate::new(), Outer::new(Midstate::new(), &tail).as_ref(), messages) == twice);
        assert!(hash(&inner, Some(&outer), messages) == hmac);
    });
}

fn message(len: usize, seed: usize) -> Vec<u8> {
    (0..len.div_ceil(DIGEST)).flat_map(|i| sha512(&[&seed.to_le_bytes(), &i.to_le_bytes()])).take(len).collect()
}

/// RFC 6234 §8.5 (TEST1, TEST2_2, TEST4; the first two are FIPS 180-2's appendix C), and the empty message; in one call and each alone.
#[test]
fn published_examples() {
    let two = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";
    let examples = [
        (
            b"abc".to_vec(),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (
            two.into(),
            "8e959b75dae313da8cf4f72814fc143f8f7779c6eb9f7fa17299aeadb6889018501d289e4900f7e4331b99dec4b5433ac7d329eeb6dd26545e96e55b874be909",
        ),
        (
            b"0123456701234567012345670123456701234567012345670123456701234567".repeat(10),
            "89d05ba632c699c31231ded4ffc127d5a894dad412c0e024db872d1abd2ba8141a0f85072a9be1e2aa04cf33c765cb510813a39cd5a84c4acaa64d3f3fb7bae9",
        ),
        (
            vec![],
            "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
        ),
    ];
    let messages: Vec<Vec<u8>> = examples.iter().map(|(message, _)| message.clone()).collect();
    on_every_engine(|| {
        for (digest, (message, expected)) in hash(&Midstate::new(), None, &messages).iter().zip(&examples) {
            assert_eq!(hex::encode(digest), *expected);
            assert_eq!(hash(&Midstate::new(), None, std::slice::from_ref(message)), [*digest], "alone");
        }
    });
}

#[test]
fn every_length_in_mixed_groups() {
    agree(&(0..600).map(|i| message(i * 7 % 600, i)).collect::<Vec<_>>());
}

#[test]
fn every_length_in_order() {
    agree(&(0..=600).map(|len| message(len, 1)).collect::<Vec<_>>());
}

#[test]
fn every_count_of_messages() {
    for count in 0..20 {
        agree(&(0..count).map(|i| message(i * 61 % 500, i)).collect::<Vec<_>>());
        agree(&(0..count).map(|i| message(100, i)).collect::<Vec<_>>());
    }
    agree(&(0..517).map(|i| message(i % 300, i)).collect::<Vec<_>>());
}

#[test]
fn long_ones_among_short_ones() {
    agree(&[1, 65_535, 495, 496, 497, 0, 1000, 511, 512, 513].map(|len| message(len, len)));
}

#[test]
fn tails_that_do_not_fit_are_refused() {
    assert!(Outer::new(Midstate::new(), &[0; 47]).is_some());
    for len in [48, 63, 64, 65, 1000] {
        assert!(Outer::new(Midstate::new(), &vec![0; len]).is_none());
    }
}

/// RFC 4231 §4.2 and §4.3, HMAC-SHA-512, built from midstates.
#[test]
fn hmac_of_rfc_4231() {
    let cases: [(&[u8], &[u8], &str); 2] = [
        (
            &[0x0b; 20],
            b"Hi There",
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
    ];
    for (key, text, expected) in cases {
        let padded = |byte: u8| {
            let mut block = [byte; BLOCK];
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            Midstate::after(&block)
        };
        let outer = Outer::alone(padded(0x5c));
        on_every_engine(|| {
            let macs = hash(&padded(0x36), Some(&outer), &vec![text.to_vec(); 9]);
            assert!(macs.iter().all(|mac| hex::encode(mac) == expected));
        });
    }
}

proptest! {
    #[test]
    fn any_messages(messages in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..400), 0..40)) {
        agree(&messages);
    }
}
