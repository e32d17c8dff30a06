//! The self-test that a vector engine must pass before it is used: every operation on slices, bit for bit as curve25519-dalek has it.
//!
//! It is there for processors that no developer had at hand, and for those that are broken. A few milliseconds, once a process.

use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

use super::vector::{self, Own};
use super::{IDENTITY, Multiplier, Points, Weights, portable};
use crate::lanes::engine::Elements;

/// Full groups of lanes and a part of one, for four and for eight lanes.
const ITEMS: usize = 29;

/// Bytes that depend on the item alone, edges among them.
fn uniform(item: usize) -> [u8; 64] {
    let mut bytes: [u8; 64] = Sha512::digest([item as u8]).into();
    match item {
        // Mapped to the identity.
        0 => bytes = [0; 64],
        1 => bytes = [0xff; 64],
        // Both halves alike, so that the map adds a point to itself.
        2 => bytes.copy_within(..32, 32),
        // The prime, in either half.
        3 => bytes[..32].copy_from_slice(&PRIME),
        4 => bytes[32..].copy_from_slice(&PRIME),
        _ => {}
    }
    bytes
}

/// 2^255 − 19, little-endian.
const PRIME: [u8; 32] = {
    let mut bytes = [0xff; 32];
    bytes[0] = 0xed;
    bytes[31] = 0x7f;
    bytes
};

/// One, and half a window less one in every window: each digit is half a window, taken away, with a carry into the next.
fn borders(bits: usize) -> Scalar {
    vector::repeated((1 << (bits - 1)) - 1, bits) + Scalar::ONE
}

fn scalar(item: usize) -> Scalar {
    match item {
        0 => Scalar::ONE,
        1 => -Scalar::ONE,
        2 => Scalar::from(8_u8),
        3 => Scalar::from(16_u8),
        4 => (-Scalar::ONE).div_by_2(),
        // The digit at its border in every window, of four bits and of five; and twice that, for what halves.
        5 => borders(4),
        6 => borders(4) + borders(4),
        8 => borders(5),
        9 => borders(5) + borders(5),
        _ => Scalar::from_bytes_mod_order_wide(&Sha512::digest([item as u8, 1]).into()),
    }
}

/// Strings that are no canonical encodings, each for a reason of its own (RFC 9496 §4.3.1, appendix A.2).
fn invalid() -> [[u8; 32]; 6] {
    let mut minus_one = PRIME;
    minus_one[0] -= 1;
    let mut high_bit = [0; 32];
    high_bit[31] = 0x80;
    let mut negative = [0; 32];
    negative[0] = 1;
    // s = 4 gives a negative xy or no square; decided by the library below.
    let (mut four, mut six) = ([0; 32], [0; 32]);
    (four[0], six[0]) = (4, 6);
    [PRIME, minus_one, high_bit, negative, four, six]
}

/// Whether the engine computes on this processor what the library computes.
pub(crate) fn self_test<L: Own>(lanes: L) -> bool {
    try_self_test(lanes).unwrap_or(false)
}

/// `None` where an operation fails that must not.
fn try_self_test<L: Own>(lanes: L) -> Option<bool> {
    let bytes: Vec<[u8; 64]> = (0..ITEMS).map(uniform).collect();
    let fill = |range: core::ops::Range<usize>, out: &mut [[u8; 64]]| out.copy_from_slice(&bytes[range]);
    let scalars: Vec<Scalar> = (0..ITEMS).map(scalar).collect();
    let (mut own, mut expected) = (vec![[0; 32]; ITEMS], vec![[0; 32]; ITEMS]);
    let mut equal = true;

    for by in [Multiplier::One(&scalars[7]), Multiplier::Each(&scalars)] {
        // The map of item 0 is the identity, and both must refuse it.
        equal &= vector::map_mul_encode(lanes, fill, &by, &mut own) == portable::map_mul_encode(fill, &by, &mut expected);
        equal &= own == expected;
    }
    let mut elements = expected.clone();
    elements[0] = elements[ITEMS - 1];
    // The very table that is used later; and one of another point.
    vector::checked_table(lanes, &curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED.to_bytes())?;
    vector::checked_table(lanes, &elements[5])?;
    let generator = lanes.generator();
    equal &= vector::map_add_fixed_encode(lanes, generator, fill, &scalars, &mut own)
        == portable::map_add_base_encode(fill, &scalars, &mut expected);
    equal &= own == expected;

    let theirs = portable::decode(&elements).ok()?;
    let ours = vector::decode(lanes, &elements).ok()?;
    for by in [Multiplier::One(&scalars[1]), Multiplier::Each(&scalars)] {
        vector::mul_encode(lanes, &ours, &by, &mut own);
        portable::mul_encode(&theirs, &by, &mut expected);
        equal &= own == expected;
    }
    vector::sub_fixed_encode(lanes, &ours, generator, &scalars, &mut own);
    portable::sub_fixed_encode(&theirs, &RistrettoBasepointTable::create(&RistrettoPoint::mul_base(&Scalar::ONE)), &scalars, &mut expected);
    equal &= own == expected;

    // A whole batch of those that share an inversion, and the beginning of another.
    let many: Vec<[u8; 32]> = elements.iter().copied().cycle().take(super::CHUNK + 2).collect();
    let (mut own, mut expected) = (vec![[0; 32]; many.len()], vec![[0; 32]; many.len()]);
    vector::mul_encode(lanes, &vector::decode(lanes, &many).ok()?, &Multiplier::One(&scalars[6]), &mut own);
    portable::mul_encode(&portable::decode(&many).ok()?, &Multiplier::One(&scalars[6]), &mut expected);
    equal &= own == expected;

    equal &= sums_agree(lanes, &scalars, ours, theirs);
    for wrong in invalid().into_iter().chain([IDENTITY]) {
        let mut elements = elements.clone();
        elements[ITEMS - 2] = wrong;
        equal &= vector::decode(lanes, &elements).map(|_| ()) == portable::decode(&elements).map(|_| ());
    }
    Some(equal)
}

/// Sums of products with weights of both widths, over one part and over two; and one that is the identity.
fn sums_agree<L: Own>(lanes: L, scalars: &[Scalar], ours: Elements<L>, theirs: Vec<RistrettoPoint>) -> bool {
    let short: Vec<u128> = (0..ITEMS).map(|item| u128::MAX << (4 * item)).collect();
    let zeros = [Scalar::ZERO; ITEMS];
    let (ours, theirs) = (L::wrap(lanes, ours), Points::Portable(theirs));
    let twice = |weights: &[Scalar]| [weights, weights].concat();
    let mut equal = true;
    for weights in [Weights::Full(scalars), Weights::Short(&short), Weights::Full(&zeros)] {
        equal &= vector::sum_of_products_vartime(lanes, &weights, &[&ours])
            == portable::sum_of_products_vartime(&weights, &[&theirs]).compress().to_bytes();
    }
    equal &= vector::sum_of_products_vartime(lanes, &Weights::Full(&twice(scalars)), &[&ours, &ours])
        == portable::sum_of_products_vartime(&Weights::Full(&twice(scalars)), &[&theirs, &theirs]).compress().to_bytes();
    equal && vector::sum_of_products_vartime(lanes, &Weights::Full(&[]), &[]) == RistrettoPoint::identity().compress().to_bytes()
}
