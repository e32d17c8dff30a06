//! RFC 9496 appendix A, and the slice operations against the plain ones.
use super::*;
use crate::engine::{Engine, OnEngine, on_every_engine};
use proptest::prelude::*;
use proptest::sample::select;
use sha2::{Digest, Sha512};

fn bytes<const N: usize>(hex_digits: &str) -> [u8; N] {
    hex::decode(hex_digits).unwrap().try_into().unwrap()
}

/// Uniform bytes by position, as the slice functions ask for them: never more than a chunk at a time.
fn each(uniform: impl Fn(usize) -> [u8; NH]) -> impl FnMut(Range<usize>, &mut [[u8; NH]]) {
    move |range, bytes| {
        assert!(range.len() == bytes.len() && range.len() <= CHUNK && range.start % CHUNK == 0);
        for (i, bytes) in range.zip(bytes) {
            *bytes = uniform(i);
        }
    }
}

fn points(points: &[Point]) -> Points {
    Points::decode(&points.iter().map(Point::encode).collect::<Vec<_>>()).unwrap()
}

/// RFC 9496 A.1: multiples 0 to 15 of the generator.
const MULTIPLES: [&str; 16] = [
    "0000000000000000000000000000000000000000000000000000000000000000",
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
    "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
    "f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403",
    "44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d",
    "903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c",
    "02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031",
    "20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f",
    "bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42",
    "e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460",
    "aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f",
    "46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e",
    "e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e",
];

/// RFC 9496 A.2: what must not decode.
const INVALID: [&str; 29] = [
    // Non-canonical field encodings.
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    // Negative field elements.
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    // Non-square x^2.
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    // Negative x·y.
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    // s = -1, which makes y = 0.
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
];

/// RFC 9496 A.3: the one-way map of these strings' SHA-512.
const MAPPED_STRINGS: [(&str, &str); 7] = [
    ("Ristretto is traditionally a short shot of espresso coffee", "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"),
    ("made with the normal amount of ground coffee but extracted with", "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b"),
    ("about half the amount of water in the same amount of time", "006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826"),
    ("by using a finer grind.", "f8f0c87cf237953c5890aec3998169005dae3eca1fbb04548c635953c817f92a"),
    ("This produces a concentrated shot of coffee per volume.", "ae81e7dedf20a497e10c304a765c1767a42d6e06029758d2d7e8ef7cc4c41179"),
    ("Just pulling a normal shot short will produce a weaker shot", "e2705652ff9f5e44d3e841bf1c251cf7dddb77d140870d1ab2ed64f1a9ce8628"),
    ("and is not a Ristretto as some believe.", "80bd07262511cdde4863f8a7434cef696750681cb9510eea557088f76d9e5065"),
];

/// RFC 9496 A.3: four inputs of one output, which differ in bits that the map ignores or reduces away.
const MAPPED_ALIKE: [&str; 4] = [
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff1200000000000000000000000000000000000000000000000000000000000000",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000080ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "00000000000000000000000000000000000000000000000000000000000000001200000000000000000000000000000000000000000000000000000000000080",
];
const MAPPED_ALIKE_TO: &str = "304282791023b73128d277bdcb5c7746ef2eac08dde9f2983379cb8e5ef0517f";

#[test]
fn multiples_of_the_generator_rfc9496_a1() {
    on_every_engine(|| {
        for (k, encoding) in MULTIPLES.iter().enumerate() {
            let scalar = Scalar::from(k as u64);
            assert_eq!(hex::encode(Point::mul_base(&scalar).encode()), *encoding);
            match Point::decode(&bytes(encoding)) {
                None => assert_eq!(k, 0, "only the identity is refused"),
                Some(point) => assert_eq!(hex::encode(point.encode()), *encoding),
            }
        }
        let elements: Vec<[u8; NE]> = MULTIPLES[1..].iter().map(|e| bytes(e)).collect();
        let points = Points::decode(&elements).unwrap();
        assert!(points.len() == 15 && !points.is_empty());
        let mut out = vec![[0; NE]; points.len()];
        mul_encode(&points, &Multiplier::One(&Scalar::ONE), &mut out);
        assert_eq!(out, elements);
        // k·(k+1)·G beside the plain product
        let scalars: Vec<Scalar> = (1u64..16).map(Scalar::from).collect();
        mul_encode(&points, &Multiplier::Each(&scalars), &mut out);
        for (k, out) in (1u64..16).zip(out) {
            assert_eq!(out, Point::mul_base(&Scalar::from(k * k)).encode());
        }
    });
}

#[test]
fn invalid_encodings_rfc9496_a2() {
    on_every_engine(|| {
        for encoding in INVALID {
            assert!(Point::decode(&bytes(encoding)).is_none(), "{encoding}");
        }
        let mut elements: Vec<[u8; NE]> = MULTIPLES[1..].iter().map(|e| bytes(e)).collect();
        for (at, bad) in [(0, INVALID[0]), (7, INVALID[20]), (14, MULTIPLES[0])] {
            let kept = core::mem::replace(&mut elements[at], bytes(bad));
            assert_eq!(Points::decode(&elements).err(), Some(at));
            elements[at] = kept;
        }
        assert!(Points::decode(&elements).is_ok());
    });
}

#[test]
fn one_way_map_rfc9496_a3() {
    on_every_engine(|| {
        let uniform: Vec<[u8; 64]> = MAPPED_STRINGS
            .iter()
            .map(|(string, _)| Sha512::digest(string).into())
            .chain(MAPPED_ALIKE.iter().map(|input| bytes(input)))
            .collect();
        let expected = MAPPED_STRINGS.iter().map(|(_, encoding)| *encoding).chain([MAPPED_ALIKE_TO; 4]);
        let mut out = vec![[0; NE]; uniform.len()];
        map_mul_encode(each(|i| uniform[i]), &Multiplier::One(&Scalar::ONE), &mut out).unwrap();
        for (out, expected) in out.iter().zip(expected) {
            assert_eq!(hex::encode(out), expected);
        }
    });
}

/// No hash will ever hit it, but the zero field element maps to the identity: found wherever it stands in a slice.
#[test]
fn an_input_that_maps_to_the_identity_is_found() {
    on_every_engine(|| {
        let good: [u8; 64] = Sha512::digest(b"good").into();
        let mut out = vec![[0; NE]; CHUNK + 5];
        for at in [0, 3, CHUNK - 1, CHUNK, CHUNK + 4] {
            let result = map_mul_encode(each(|i| if i == at { [0; 64] } else { good }), &Multiplier::One(&Scalar::from(5u64)), &mut out);
            assert_eq!(result, Err(at));
        }
    });
}

/// A blind that undoes the input's hash: found by its position, and the difference of equal points comes out as zeros.
#[test]
fn sums_and_differences_that_are_the_identity() {
    on_every_engine(|| {
        let good: [u8; 64] = Sha512::digest(b"good").into();
        let n = CHUNK + 5;
        let mut out = vec![[0; NE]; n];
        for at in [0, 3, CHUNK - 1, CHUNK, CHUNK + 4] {
            // map(0…0) is the identity: with a blind of zero the sum is, too.
            let mut blinds = vec![Scalar::from(3u64); n];
            blinds[at] = Scalar::ZERO;
            let result = map_add_base_encode(each(|i| if i == at { [0; 64] } else { good }), &blinds, &mut out);
            assert_eq!(result, Err(at));
            // With another it is not: it says nothing about the input.
            blinds[at] = Scalar::ONE;
            assert_eq!(map_add_base_encode(each(|_| [0; 64]), &blinds, &mut out), Ok(()));
            assert_eq!(out[at], bytes(MULTIPLES[1]));
        }
        let base = Point::mul_base(&Scalar::from(7u64));
        let decoded = Points::decode(&[base.encode(), base.mul(&Scalar::from(2u64)).encode()]).unwrap();
        let mut out = [[1; NE]; 2];
        sub_fixed_encode(&decoded, &FixedBase::new(&base), &[Scalar::ONE; 2], &mut out);
        assert_eq!(out, [IDENTITY, base.encode()]);
    });
}

/// Scalars at the ends, and at the boundaries of signed digits of every width.
#[test]
fn edge_scalars_in_the_additive_functions() {
    on_every_engine(|| {
        let uniform: [u8; 64] = Sha512::digest(b"edge").into();
        let mapped = Point(RistrettoPoint::from_uniform_bytes(&uniform));
        let base = Point::mul_base(&Scalar::from(11u64));
        let mut scalars = vec![Scalar::ZERO, Scalar::ONE, -Scalar::ONE, -Scalar::from(2u64), Scalar::from(u128::MAX)];
        for digit in [0x77, 0x78, 0x80, 0x88, 0xf8, 0xff] {
            let mut bytes = [digit; 32];
            bytes[31] &= 0x0f;
            scalars.push(Scalar::from_bytes_mod_order(bytes));
        }
        let n = scalars.len();
        let mut out = vec![[0; NE]; n];
        map_add_base_encode(each(|_| uniform), &scalars, &mut out).unwrap();
        let sums: Vec<_> = scalars.iter().map(|r| mapped.add(&Point::mul_base(r)).encode()).collect();
        assert_eq!(out, sums);
        sub_fixed_encode(&points(&vec![mapped; n]), &FixedBase::new(&base), &scalars, &mut out);
        let differences: Vec<_> = scalars.iter().map(|r| mapped.add(&base.mul(&-r)).encode()).collect();
        assert_eq!(out, differences);
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Around the chunk's boundaries, with one scalar and with one each, mapped or decoded: the same as point by point.
    #[test]
    fn slices_equal_single_points(engine in select(Engine::ALL.to_vec()), n in prop_oneof![1usize..6, CHUNK - 2..CHUNK + 3, Just(2 * CHUNK + 1)], seed: [u8; 32]) {
        let Some(_on) = OnEngine::new(engine) else { return Ok(()) };
        let hash = |label: u8, i: usize| -> [u8; 64] {
            Sha512::new().chain_update(seed).chain_update([label]).chain_update(i.to_be_bytes()).finalize().into()
        };
        let scalars: Vec<Scalar> = (0..n).map(|i| Scalar::from_bytes_mod_order_wide(&hash(1, i))).collect();
        let mapped: Vec<Point> = (0..n).map(|i| Point(RistrettoPoint::from_uniform_bytes(&hash(0, i)))).collect();
        let decoded = Points::decode(&mapped.iter().map(Point::encode).collect::<Vec<_>>()).unwrap();
        let plain: Vec<_> = mapped.iter().zip(&scalars).map(|(p, k)| p.mul(k).encode()).collect();
        let mut out = vec![[0; NE]; n];
        map_mul_encode(each(|i| hash(0, i)), &Multiplier::Each(&scalars), &mut out).unwrap();
        prop_assert_eq!(&out, &plain);
        mul_encode(&decoded, &Multiplier::Each(&scalars), &mut out);
        prop_assert_eq!(&out, &plain);
        mul_encode(&points(&mapped), &Multiplier::One(&scalars[0]), &mut out);
        let plain: Vec<_> = mapped.iter().map(|p| p.mul(&scalars[0]).encode()).collect();
        prop_assert_eq!(&out, &plain);

        // The additive ones: plus a multiple of the generator, minus one of a fixed point.
        map_add_base_encode(each(|i| hash(0, i)), &scalars, &mut out).unwrap();
        let plain: Vec<_> = mapped.iter().zip(&scalars).map(|(p, r)| p.add(&Point::mul_base(r)).encode()).collect();
        prop_assert_eq!(&out, &plain);
        let fixed = Point::mul_base(&Scalar::from_bytes_mod_order_wide(&hash(2, 0)));
        sub_fixed_encode(&decoded, &FixedBase::new(&fixed), &scalars, &mut out);
        let plain: Vec<_> = mapped.iter().zip(&scalars).map(|(p, r)| p.add(&fixed.mul(&-r)).encode()).collect();
        prop_assert_eq!(&out, &plain);

        // Sums over one part and over several, full and short weights.
        let sum = |weights: &[Scalar]| mapped.iter().zip(weights).map(|(p, k)| p.mul(k)).reduce(|a, b| a.add(&b)).unwrap().encode();
        let short: Vec<u128> = (0..n).map(|i| u128::from_le_bytes(*hash(3, i).first_chunk().unwrap())).collect();
        let widened: Vec<Scalar> = short.iter().map(|weight| Scalar::from(*weight)).collect();
        let (head, tail) = mapped.split_at(n / 3);
        let (head, tail) = (points(head), points(tail));
        for parts in [&[&decoded][..], &[&head, &tail]] {
            prop_assert_eq!(sum_of_products_vartime(&Weights::Full(&scalars), parts).encode(), sum(&scalars));
            prop_assert_eq!(sum_of_products_vartime(&Weights::Short(&short), parts).encode(), sum(&widened));
        }
        let two = Point::mul_add_vartime(&scalars[0], &mapped[n - 1], &scalars[n - 1], &mapped[0]);
        prop_assert_eq!(two.encode(), mapped[n - 1].mul(&scalars[0]).add(&mapped[0].mul(&scalars[n - 1])).encode());
        let vartime = Point::mul_add_base_vartime(&scalars[0], &scalars[n - 1], &mapped[0]);
        prop_assert_eq!(vartime.encode(), Point::mul_base(&scalars[0]).add(&mapped[0].mul(&scalars[n - 1])).encode());
    }
}
