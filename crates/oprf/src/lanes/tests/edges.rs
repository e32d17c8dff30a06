//! What a vector engine could get wrong where no random point goes: every representative of an element, the identity among others, digits at
//! their borders, strings that are no elements, weights and points that meet in one bucket, slices of every length.

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, VartimeMultiscalarMul};
use proptest::prelude::*;

use super::super::backend::{Lanes, WIDTH_MAX};
use super::super::engine::Scalars;
use super::super::field::Field;
use super::super::multiply::{digits, recode};
use super::super::point::Point;
use super::{bytes, scalar};

fn encoded(points: &[RistrettoPoint]) -> Vec<[u8; 32]> {
    points.iter().map(|p| p.compress().to_bytes()).collect()
}

fn mapped(n: u64) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&bytes(n))
}

/// All that follow.
pub(in super::super) fn all<L: Lanes>(l: L) {
    representatives(l);
    scalars_at_the_borders(l);
    strings(l);
    buckets(l);
    tails(l);
}

/// The four representatives of an element (it plus the points of order 4), each with another Z, side by side with the identity's four.
fn representatives<L: Lanes>(l: L) {
    let f = Field::new(l);
    let elements: Vec<RistrettoPoint> =
        (0..L::WIDTH as u64).map(|lane| if lane == 1 { RistrettoPoint::identity() } else { mapped(lane) }).collect();
    let mut points = Vec::new();
    for elements in [elements.clone(), vec![RistrettoPoint::identity(); L::WIDTH]] {
        let decoded = f.decode(&encoded(&elements));
        assert_eq!(decoded.valid, (1 << L::WIDTH) - 1);
        let (x, y) = (decoded.x, decoded.y);
        let (ix, iy) = (l.mul(&x, &f.c.sqrt_m1), l.mul(&y, &f.c.sqrt_m1));
        for (n, (x, y)) in [(x, y), (f.negate(&x), f.negate(&y)), (iy, ix), (f.negate(&iy), f.negate(&ix))].into_iter().enumerate() {
            let mut z = [[0; 32]; WIDTH_MAX];
            for (lane, z) in z.iter_mut().enumerate() {
                z.copy_from_slice(&bytes((100 * n + lane) as u64)[..32]);
            }
            let z = if n == 0 { f.c.one } else { l.load(&z[..L::WIDTH]) };
            points.push(Point { x: l.mul(&x, &z), y: l.mul(&y, &z), z, t: l.mul(&l.mul(&x, &y), &z) });
        }
    }
    let (own, identity) = points.split_at(4);
    let expected = encoded(&elements);
    let mut out = [[[0; 32]; WIDTH_MAX]; 4];
    f.encode::<4>(&core::array::from_fn(|i| own[i]), &mut out);
    for out in out {
        assert_eq!(out[..L::WIDTH], expected, "{}: encode", L::NAME);
    }
    f.encode::<4>(&core::array::from_fn(|i| identity[i]), &mut out);
    assert_eq!(out.map(|out| out[0]), [[0; 32]; 4], "{}: encode the identity", L::NAME);

    // Doubled, multiplied, added: the same for all representatives. Identities and others share one inversion.
    let doubled = encoded(&elements.iter().map(|p| p + p).collect::<Vec<_>>());
    let mut out = vec![[0; 32]; 8 * L::WIDTH];
    f.double_encode(&points, &mut out);
    let (of_own, of_identity) = out.split_at(4 * L::WIDTH);
    for out in of_own.chunks(L::WIDTH) {
        assert_eq!(out, doubled, "{}: double and encode", L::NAME);
    }
    assert!(of_identity.iter().all(|out| *out == [0; 32]), "{}: double and encode the identity", L::NAME);
    let sums: Vec<Point<L>> = own.iter().map(|p| f.add::<true>(&own[0], &f.cache(p))).collect();
    let mut out = [[[0; 32]; WIDTH_MAX]; 4];
    f.encode::<4>(&core::array::from_fn(|i| sums[i]), &mut out);
    for out in out {
        assert_eq!(out[..L::WIDTH], doubled, "{}: a representative plus another", L::NAME);
    }
}

/// Every digit at its border, in radix 16 and 32, and carries that run through all digits.
fn border_scalars() -> Vec<Scalar> {
    let mut scalars = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::ONE - Scalar::ONE];
    scalars.extend([(-Scalar::ONE).div_by_2(), Scalar::ONE.div_by_2(), Scalar::from(u128::MAX)]);
    let periodic = |bits: usize, digit: u32| {
        let mut bytes = [0_u8; 32];
        for bit in (0..252).filter(|bit| digit >> (bit % bits) & 1 == 1) {
            bytes[bit / 8] |= 1 << (bit % 8);
        }
        bytes[31] &= 0x0f;
        Scalar::from_bytes_mod_order(bytes)
    };
    // 8 or 16 everywhere: all digits negative, with carries. One less: all digits as high as they go; with one added below, a carry runs
    // through.
    for (bits, digit) in [(4, 8), (4, 7), (4, 9), (4, 15), (5, 16), (5, 15), (5, 17), (5, 31), (8, 0x80), (10, 0x200)] {
        scalars.extend([periodic(bits, digit), periodic(bits, digit) + Scalar::ONE]);
    }
    for power in [4, 5, 63, 64, 127, 128, 250, 251, 252] {
        let mut bytes = [0; 32];
        bytes[power / 8] = 1 << (power % 8);
        let power = Scalar::from_bytes_mod_order(bytes);
        scalars.extend([power, power - Scalar::ONE]);
    }
    scalars
}

fn scalars_at_the_borders<L: Lanes>(l: L) {
    let f = Field::new(l);
    let scalars = border_scalars();
    let n = scalars.len();
    let by: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
    let element = mapped(5);
    let decoded = f.decode_all(&encoded(&vec![element; n])).unwrap();
    let mut out = vec![[0; 32]; n];
    f.multiply_encode(&decoded, &Scalars::Each(&by), &mut out);
    assert_eq!(out, encoded(&scalars.iter().map(|k| element * (k + k)).collect::<Vec<_>>()), "{}: multiples", L::NAME);
    let table = f.fixed_table(&f.lane_point(&encoded(&[RISTRETTO_BASEPOINT_POINT])[0]).unwrap());
    f.sub_fixed_encode(&decoded, &table, &by, &mut out);
    assert_eq!(out, encoded(&scalars.iter().map(|k| element - RistrettoPoint::mul_base(k)).collect::<Vec<_>>()), "{}: fixed", L::NAME);
    let uniform = vec![bytes(5); n];
    f.map_add_fixed_encode(&uniform, &table, &by, &mut out);
    assert_eq!(out, encoded(&scalars.iter().map(|k| element + RistrettoPoint::mul_base(k)).collect::<Vec<_>>()), "{}: fixed", L::NAME);
}

/// Strings on both sides of what is an element, in every lane.
fn strings<L: Lanes>(l: L) {
    let f = Field::new(l);
    let mut prime = [0xff; 32];
    (prime[0], prime[31]) = (0xed, 0x7f);
    let mut strings = vec![[0; 32], [0xff; 32], prime];
    for n in 0..20 {
        // Small numbers; and below, at and above the modulus.
        let (mut small, mut large) = ([0; 32], prime);
        small[0] = n;
        large[0] = 0xff - n;
        let good = mapped(n.into()).compress().to_bytes();
        let (mut high, mut odd, mut random) = (good, good, [0; 32]);
        high[31] |= 0x80;
        odd[0] |= 1;
        random.copy_from_slice(&bytes(n.into())[..32]);
        let mut even = random;
        (even[0], even[31]) = (even[0] & 0xfe, even[31] & 0x7f);
        strings.extend([small, large, high, odd, good, random, even]);
    }
    for shift in 0..L::WIDTH {
        for group in strings[shift..].chunks_exact(L::WIDTH) {
            decodes_alike(&f, group);
        }
    }
}

/// Which of a group's strings decode, and to what.
fn decodes_alike<L: Lanes>(f: &Field<L>, group: &[[u8; 32]]) {
    let l = f.lanes;
    let decoded = f.decode(group);
    let t = l.mul(&decoded.x, &decoded.y);
    let mut out = [[[0; 32]; WIDTH_MAX]; 1];
    f.encode(&[Point { x: decoded.x, y: decoded.y, z: f.c.one, t }], &mut out);
    for (lane, string) in group.iter().enumerate() {
        let valid = decoded.valid >> lane & 1 == 1;
        assert_eq!(valid, CompressedRistretto(*string).decompress().is_some(), "{}: {}", L::NAME, hex::encode(string));
        assert!(!valid || out[0][lane] == *string);
    }
    assert_eq!(decoded.valid >> L::WIDTH, 0);
}

/// Equal and opposite points in one bucket, the identity among the points, weights at their ends, nothing at all.
fn buckets<L: Lanes>(l: L) {
    let f = Field::new(l);
    let (p, q) = (mapped(1), mapped(2));
    let points = [p, p, -p, -p, p, q, -q, RistrettoPoint::identity(), q, p, p + p];
    let decoded = f.decode_all(&encoded(&points)).unwrap();
    let n = points.len();
    let mixed: Vec<u128> = (0..n).map(|i| [0, 1, 2, u128::MAX, 255, 256, 1 << 127, 1 << 120][i % 8]).collect();
    for short in [vec![0; n], vec![1; n], vec![u128::MAX; n], vec![u128::MAX / 255; n], mixed] {
        let scalars: Vec<Scalar> = short.iter().map(|weight| Scalar::from(*weight)).collect();
        let expected = RistrettoPoint::vartime_multiscalar_mul(&scalars, &points).compress().to_bytes();
        let narrow: Vec<[u8; 16]> = short.iter().map(|weight| weight.to_le_bytes()).collect();
        assert_eq!(f.encode_first(&f.sum_of_products(&narrow, &[&decoded])), expected, "{}: short weights", L::NAME);
        let wide: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
        let none = f.decode_all(&[]).unwrap();
        assert_eq!(f.encode_first(&f.sum_of_products(&wide, &[&none, &decoded, &none])), expected, "{}: wide weights", L::NAME);
    }
    // p twice and −p twice: the identity, with every weight.
    let cancelling = f.decode_all(&encoded(&points[..4])).unwrap();
    let weight = (-Scalar::ONE).to_bytes();
    assert_eq!(f.encode_first(&f.sum_of_products(&[weight; 4], &[&cancelling])), [0; 32], "{}: opposites", L::NAME);
    assert_eq!(f.encode_first(&f.sum_of_products::<32>(&[], &[])), [0; 32], "{}: nothing", L::NAME);
}

/// Slices of every length up to two groups of lanes and one.
fn tails<L: Lanes>(l: L) {
    let f = Field::new(l);
    let n = 2 * L::WIDTH + 1;
    let uniform: Vec<[u8; 64]> = (0..n as u64).map(bytes).collect();
    let points: Vec<RistrettoPoint> = (0..n as u64).map(mapped).collect();
    let scalars: Vec<Scalar> = (0..n as u64).map(scalar).collect();
    let by: Vec<[u8; 32]> = scalars.iter().map(Scalar::to_bytes).collect();
    let base = mapped(1000);
    let table = f.fixed_table(&f.lane_point(&base.compress().to_bytes()).unwrap());
    for n in 0..=n {
        let (uniform, points, scalars, by) = (&uniform[..n], &points[..n], &scalars[..n], &by[..n]);
        // One place more, which must not be touched.
        let mut out = vec![[7; 32]; n + 1];
        let doubles: Vec<_> = points.iter().zip(scalars).map(|(p, k)| p * (k + k)).collect();
        f.map_multiply_encode(uniform, &Scalars::Each(by), &mut out);
        assert_eq!(out[..n], encoded(&doubles), "{}: map and multiply {n}", L::NAME);
        let decoded = f.decode_all(&encoded(points)).unwrap();
        assert_eq!(decoded.len(), n);
        out.fill([7; 32]);
        f.multiply_encode(&decoded, &Scalars::Each(by), &mut out);
        assert_eq!(out[..n], encoded(&doubles), "{}: multiply {n}", L::NAME);
        f.map_add_fixed_encode(uniform, &table, by, &mut out);
        let sums: Vec<_> = points.iter().zip(scalars).map(|(p, k)| p + base * k).collect();
        assert_eq!(out[..n], encoded(&sums), "{}: map and add {n}", L::NAME);
        f.sub_fixed_encode(&decoded, &table, by, &mut out);
        let differences: Vec<_> = points.iter().zip(scalars).map(|(p, k)| p - base * k).collect();
        assert_eq!(out[..n], encoded(&differences), "{}: take away {n}", L::NAME);
        assert_eq!(out[n], [7; 32]);
    }
}

#[test]
fn edges_on_every_backend() {
    on_backends!(all);
}

/// A scalar that is the digits' sum again, each digit within the tables.
fn recoded(scalar: &[u8; 32], bits: usize) {
    let recoded = recode(scalar, bits);
    assert_eq!(recoded.len(), digits(bits));
    let radix = Scalar::from(1_u64 << bits);
    let mut sum = Scalar::ZERO;
    for digit in recoded.iter().rev() {
        assert!(i16::from(*digit).abs() <= 1 << (bits - 1));
        let magnitude = Scalar::from(digit.unsigned_abs());
        sum = sum * radix + if *digit < 0 { -magnitude } else { magnitude };
    }
    assert_eq!(sum, Scalar::from_bytes_mod_order(*scalar));
}

#[test]
fn digits_of_border_scalars() {
    let mut all: Vec<[u8; 32]> = border_scalars().iter().map(Scalar::to_bytes).collect();
    // The highest that recoding takes.
    all.push([[0xff; 31].as_slice(), &[0x1f]].concat().try_into().unwrap());
    for bits in 3..=7 {
        for scalar in &all {
            recoded(scalar, bits);
        }
    }
}

proptest! {
    #[test]
    fn digits_are_the_scalar(mut scalar: [u8; 32], bits in 3_usize..=7) {
        scalar[31] &= 0x1f;
        recoded(&scalar, bits);
    }

    /// Elements, with and without a broken bit, among strings that are none.
    #[test]
    fn any_strings_decode_as_the_library_has_it(seeds: [u64; WIDTH_MAX], what: [u8; WIDTH_MAX], bit: [u8; WIDTH_MAX]) {
        let mut group = [[0; 32]; WIDTH_MAX];
        for (lane, string) in group.iter_mut().enumerate() {
            match what[lane] % 3 {
                0 => string.copy_from_slice(&bytes(seeds[lane])[..32]),
                n => *string = mapped(seeds[lane]).compress().to_bytes().map(|byte| byte & if n == 1 { 0xff } else { 0xfe }),
            }
            if what[lane] >> 7 == 1 {
                string[usize::from(bit[lane] / 8)] ^= 1 << (bit[lane] % 8);
            }
        }
        fn check<L: Lanes>(l: L, group: &[[u8; 32]; WIDTH_MAX]) {
            decodes_alike(&Field::new(l), &group[..L::WIDTH]);
        }
        on_backends!(check, &group);
    }
}
