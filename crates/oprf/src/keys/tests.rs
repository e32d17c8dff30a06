//! Decoding of keys and what their formatting shows.
use super::*;

/// The group order, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0x10,
];

#[test]
fn secret_keys_are_canonical_and_not_zero() {
    let mut largest = ORDER;
    largest[0] -= 1;
    let mut past = ORDER;
    past[0] += 1;
    let mut high_bit = [0; 32];
    high_bit[0] = 1;
    high_bit[31] = 0x80;
    let mut one = [0; 32];
    one[0] = 1;
    for good in [one, largest] {
        assert_eq!(*KeyPair::from_secret_bytes(&good).unwrap().secret().to_bytes(), good);
    }
    for bad in [[0; 32], ORDER, past, high_bit, [0xff; 32]] {
        assert_eq!(KeyPair::from_secret_bytes(&bad).unwrap_err(), Error::SecretKey);
    }
}

#[test]
fn public_keys_are_canonical_and_not_the_identity() {
    let key = KeyPair::derive(&[1; 32], b"").unwrap();
    let bytes = key.public().to_bytes();
    assert_eq!(PublicKey::from_bytes(&bytes).unwrap(), key.public());
    let mut high_bit = bytes;
    high_bit[31] |= 0x80;
    for bad in [[0; 32], [0xff; 32], high_bit] {
        assert_eq!(PublicKey::from_bytes(&bad).unwrap_err(), Error::PublicKey);
    }
}

#[test]
fn derivation_depends_on_seed_info_and_mode() {
    let public = |mode, seed: u8, info: &[u8]| KeyPair::derive_in(mode, &[seed; 32], info).unwrap().public().to_bytes();
    let all = [public(Mode::Voprf, 1, b""), public(Mode::Voprf, 2, b""), public(Mode::Voprf, 1, b"\0"), public(Mode::Oprf, 1, b"")];
    for (i, a) in all.iter().enumerate() {
        assert!(!all[i + 1..].contains(a));
    }
    assert!(KeyPair::derive(&[1; 32], &[0; 65_535]).is_ok());
    assert_eq!(KeyPair::derive(&[1; 32], &[0; 65_536]).unwrap_err(), Error::InfoTooLong);
}

#[test]
fn secrets_print_nothing() {
    let key = KeyPair::derive(&[1; 32], b"").unwrap();
    assert_eq!(format!("{:?}", key.secret()), "SecretKey(redacted)");
    let secret = hex::encode(*key.secret().to_bytes());
    let shown = format!("{key:?}");
    assert!(!shown.contains(&secret) && shown.contains(&hex::encode(key.public().to_bytes())));
    let bytes = format!("{:?}", key.secret().to_bytes().as_slice());
    assert!(!shown.contains(&bytes));
}
