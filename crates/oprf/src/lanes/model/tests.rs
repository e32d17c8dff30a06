//! The formulas on the model; the model beside the backends; and that it notices what is wrong.

use sha2::{Digest, Sha512};

use super::super::backend::{Bucket, Lanes};
use super::super::engine::Scalars;
use super::super::field::Field;
use super::super::point::Point;
use super::super::tests::{agrees, edges};
use super::number::{Interval, Limbs, Number};
use super::{Arithmetic, Model, PRIME, RADIX, Trace, avx2, ifma};

/// Every formula of the engine, on operands of which only the type is known; and with dalek's results.
fn formulas<A: Arithmetic>() {
    agrees(Model::<A>::new(), 3);
    edges::all(Model::<A>::new());
}

#[test]
fn formulas_keep_the_bounds_of_ifma() {
    formulas::<ifma::Ifma>();
}

#[test]
fn formulas_keep_the_bounds_of_avx2() {
    formulas::<avx2::Avx2>();
}

fn digest(n: u64) -> [u8; 64] {
    Sha512::digest(n.to_be_bytes()).into()
}

/// Limbs within their intervals, at the ends more often than not.
fn extreme(bounds: &[Interval; 5], seed: u64) -> [i128; 5] {
    let random = digest(seed);
    core::array::from_fn(|i| {
        let Interval { low, high } = bounds[i];
        let (from, _) = random[8 * i..].split_at(8);
        let from = i128::from(u64::from_le_bytes(from.try_into().unwrap()));
        match random[48 + i] % 12 {
            0..=2 => high,
            3..=5 => low,
            6 => high - 1,
            7 => low + 1,
            8 => 0_i128.clamp(low, high),
            _ => low + from % (high - low + 1),
        }
    })
}

/// Elements that a backend may think it has none of: zero, the modulus, and what is next to them.
fn special<A: Arithmetic>(seed: u64) -> Option<[i128; 5]> {
    let mut limbs = [[0; 5], PRIME, PRIME.map(|limb| -limb)][seed as usize % 3];
    limbs[0] += [0, 1, -1][seed as usize / 3 % 3];
    (seed < 9 && limbs.iter().zip(A::TIGHT).all(|(limb, bounds)| bounds.low <= *limb && *limb <= bounds.high)).then_some(limbs)
}

/// Limbs in the backend's own form, one element a lane. Buckets take them as they are.
fn element<L: Lanes, A: Arithmetic>(l: L, limbs: &[[i128; 5]]) -> L::Fe {
    let mut buckets = vec![Bucket([0; 20]); L::WIDTH];
    for (bucket, limbs) in buckets.iter_mut().zip(limbs) {
        bucket.0[..5].copy_from_slice(&limbs.map(A::to_word));
    }
    let at: Vec<u32> = (0..L::WIDTH as u32).collect();
    l.unpack(&l.gather(&buckets, &at)[0])
}

fn limbs<L: Lanes, A: Arithmetic>(l: L, a: &L::Fe) -> Vec<[i128; 5]> {
    let mut buckets = vec![Bucket([0; 20]); L::WIDTH];
    let at: Vec<u32> = (0..L::WIDTH as u32).collect();
    l.scatter(&[l.pack(a); 4], &mut buckets, &at);
    buckets.iter().map(|bucket| core::array::from_fn(|i| A::of_word(bucket.0[i]))).collect()
}

/// Every operation on limbs: the backend's result is the model's, limb by limb.
fn beside<A: Arithmetic, L: Lanes>(l: L) {
    const ROUNDS: u64 = 600;
    for round in 0..ROUNDS {
        let of = |which: u64| -> Vec<[i128; 5]> {
            let seed = |lane: usize| (round * 4 + which) * 8 + lane as u64;
            (0..L::WIDTH).map(|lane| special::<A>(seed(lane) - which % 2).unwrap_or_else(|| extreme(&A::TIGHT, seed(lane)))).collect()
        };
        let (a, b, c) = (of(0), of(1), of(2));
        let (x, y, z) = (element::<L, A>(l, &a), element::<L, A>(l, &b), element::<L, A>(l, &c));
        assert_eq!(limbs::<L, A>(l, &x), a);
        let check = |what: &str, own: &L::Fe, model: &dyn Fn(&Limbs, &Limbs, &Limbs) -> Limbs| {
            for (lane, own) in limbs::<L, A>(l, own).into_iter().enumerate() {
                let [a, b, c] = [a[lane], b[lane], c[lane]].map(|limbs| limbs.map(Number::exactly));
                assert_eq!(own, model(&a, &b, &c).map(Number::value), "{}: {what}", L::NAME);
            }
        };
        check("mul", &l.mul(&x, &y), &|a, b, _| A::mul(a, b));
        check("square", &l.square(&x), &|a, _, _| A::square(a));
        check("add", &l.add(&x, &y), &|a, b, _| A::add(a, b));
        check("sub", &l.sub(&x, &y), &|a, b, _| A::sub(a, b));
        check("carry", &l.carry(&l.sub(&l.add(&l.add(&x, &x), &y), &z)), &|a, b, c| A::carry(&A::sub(&A::add(&A::add(a, a), b), c)));
        check("fit of a sum", &l.fit(&l.add(&x, &y)), &|a, b, _| A::fit(&A::add(a, b)));
        check("fit of a difference", &l.fit(&l.sub(&x, &y)), &|a, b, _| A::fit(&A::sub(a, b)));

        let mut stored = vec![[0; 32]; L::WIDTH];
        l.store(&x, &mut stored);
        let (zero, negative) = (l.bits(l.is_zero(&x)), l.bits(l.is_negative(&x)));
        for (lane, stored) in stored.iter().enumerate() {
            let a = a[lane].map(Number::exactly);
            let words = super::words(stored);
            assert_eq!(super::split(&words).map(|limb| limb as u64), A::canonical(&a), "{}: store", L::NAME);
            assert_eq!((zero >> lane & 1 == 1, negative >> lane & 1 == 1), (A::is_zero(&a), A::is_negative(&a)), "{}: tests", L::NAME);
        }
        let strings: Vec<[u8; 32]> = (0..L::WIDTH as u64).map(|lane| *digest(round * 8 + lane).first_chunk().unwrap()).collect();
        let loaded = limbs::<L, A>(l, &l.load(&strings));
        let splat = limbs::<L, A>(l, &l.splat(&super::words(&stored[0])));
        for (lane, own) in loaded.into_iter().enumerate() {
            assert_eq!(own, A::load(&super::words(&strings[lane])).map(Number::value), "{}: load", L::NAME);
            assert_eq!(splat[lane], A::load(&super::words(&stored[0])).map(Number::value), "{}: splat", L::NAME);
        }
    }
}

#[test]
fn the_model_is_what_ifma_does() {
    match super::super::ifma::Ifma::detect() {
        Some(l) => beside::<ifma::Ifma, _>(l),
        None => println!("skipped on ifma: not available on this processor"),
    }
}

#[test]
fn the_model_is_what_avx2_does() {
    match super::super::avx2::Avx2::detect() {
        Some(l) => beside::<avx2::Avx2, _>(l),
        None => println!("skipped on avx2: not available on this processor"),
    }
}

/// `Field::double` with one carry left out.
fn double_without_a_carry<L: Lanes>(f: &Field<L>, p: &Point<L>) -> L::Fe {
    let l = f.lanes;
    let (xx, yy, zz, xy) = (l.square(&p.x), l.square(&p.y), l.square(&p.z), l.mul(&p.x, &p.y));
    let e = f.plus(&xy, &xy);
    l.mul(&e, &l.sub(&l.add(&l.add(&zz, &zz), &xx), &yy))
}

/// The neutral element's values are as small as can be: what fails is the bound.
#[test]
#[should_panic(expected = "a factor of 52 bits")]
fn a_formula_without_a_carry_is_caught_on_ifma() {
    let f = Field::new(Model::<ifma::Ifma>::new());
    double_without_a_carry(&f, &f.neutral());
}

#[test]
#[should_panic(expected = "a limb product")]
fn a_formula_without_a_carry_is_caught_on_avx2() {
    let f = Field::new(Model::<avx2::Avx2>::new());
    double_without_a_carry(&f, &f.neutral());
}

#[test]
#[should_panic(expected = "an operand that must be tight")]
fn a_loose_subtrahend_is_caught() {
    let f = Field::new(Model::<ifma::Ifma>::new());
    let loose = f.lanes.add(&f.c.one, &f.c.one);
    f.lanes.sub(&f.c.one, &loose);
}

#[test]
#[should_panic(expected = "a difference that is not negative")]
fn a_difference_below_zero_is_caught() {
    let [tight, ..] = <ifma::Ifma as Arithmetic>::TIGHT;
    let any = [tight.number(0); 5];
    let loose = ifma::Ifma::add(&any, &any);
    ifma::Ifma::sub(&any, &loose);
}

/// IFMA's arithmetic with a product that is folded and not carried, and AVX2's with columns that are raised too little.
macro_rules! broken {
    ($name:ident, $of:ident, |$a:ident, $b:ident| $mul:expr) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl Arithmetic for $name {
            const NAME: &'static str = stringify!($name);
            const FIXED_BITS: usize = $of::FIXED_BITS;
            const TIGHT: [Interval; 5] = $of::TIGHT;
            fn load(words: &[u64; 4]) -> Limbs {
                $of::load(words)
            }
            fn mul($a: &Limbs, $b: &Limbs) -> Limbs {
                $mul
            }
            fn square(a: &Limbs) -> Limbs {
                $of::square(a)
            }
            fn add(a: &Limbs, b: &Limbs) -> Limbs {
                $of::add(a, b)
            }
            fn sub(a: &Limbs, b: &Limbs) -> Limbs {
                $of::sub(a, b)
            }
            fn carry(a: &Limbs) -> Limbs {
                $of::carry(a)
            }
            fn fit(a: &Limbs) -> Limbs {
                $of::fit(a)
            }
            fn canonical(a: &Limbs) -> [u64; 5] {
                $of::canonical(a)
            }
            fn is_zero(a: &Limbs) -> bool {
                $of::is_zero(a)
            }
            fn is_negative(a: &Limbs) -> bool {
                $of::is_negative(a)
            }
            fn to_word(limb: i128) -> u64 {
                $of::to_word(limb)
            }
            fn of_word(word: u64) -> i128 {
                $of::of_word(word)
            }
        }
    };
}
use avx2::Avx2;
use ifma::Ifma;
broken!(FoldedOnly, Ifma, |a, b| ifma::fold(&ifma::columns(a, b)));
broken!(RaisedTooLittle, Avx2, |a, b| avx2::settle(&avx2::fold(&avx2::columns(a, b)).map(|column| column.sub(Number::exactly(1 << 57)))));

#[test]
#[should_panic(expected = "a tight limb")]
fn a_product_without_a_carry_is_caught() {
    let l = Model::<FoldedOnly>::new();
    let zero = l.splat(&[0; 4]);
    l.mul(&zero, &zero);
}

#[test]
#[should_panic(expected = "a tight limb")]
fn columns_raised_too_little_are_caught() {
    let l = Model::<RaisedTooLittle>::new();
    let one = l.splat(&[1, 0, 0, 0]);
    l.mul(&one, &one);
}

/// The operations on secrets, in their order, and all that is public about them, do not depend on the secrets.
fn operations_are_the_same_for_all_secrets<A: Arithmetic>() {
    let f = Field::new(Model::<A>::new());
    let base = f.lane_point(&curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED.to_bytes()).unwrap();
    let table = f.fixed_table(&base);
    let elements = f.decode_all(&[curve25519_dalek::constants::RISTRETTO_BASEPOINT_COMPRESSED.to_bytes(); 2]).unwrap();
    let all = |uniform: [[u8; 64]; 2], scalars: [[u8; 32]; 2]| {
        [
            Trace::of(|| f.map_multiply_encode(&uniform, &Scalars::Each(&scalars), &mut [[0; 32]; 2])),
            Trace::of(|| f.map_multiply_encode(&uniform, &Scalars::One(&scalars[0]), &mut [[0; 32]; 2])),
            Trace::of(|| f.map_add_fixed_encode(&uniform, &table, &scalars, &mut [[0; 32]; 2])),
            Trace::of(|| f.multiply_encode(&elements, &Scalars::Each(&scalars), &mut [[0; 32]; 2])),
            Trace::of(|| f.sub_fixed_encode(&elements, &table, &scalars, &mut [[0; 32]; 2])),
        ]
    };
    let first = all([[0; 64]; 2], [[0; 32]; 2]);
    assert!(first.iter().all(|trace| trace.operations > 1000));
    for n in 0..3 {
        let (a, b) = (digest(2 * n), digest(2 * n + 1));
        let mut scalars = [*a.first_chunk().unwrap(), *b.first_chunk().unwrap()];
        for scalar in &mut scalars {
            scalar[31] &= 0x0f;
        }
        assert_eq!(all([a, b], scalars), first);
    }
    // What may depend on its input shows: decoding says which strings are elements.
    let decode = |string: [u8; 32]| Trace::of(|| drop(f.decode_all(&[string])));
    assert_ne!(decode([0; 32]), decode([1; 32]));
}

#[test]
fn operations_on_ifma_are_the_same_for_all_secrets() {
    operations_are_the_same_for_all_secrets::<ifma::Ifma>();
}

#[test]
fn operations_on_avx2_are_the_same_for_all_secrets() {
    operations_are_the_same_for_all_secrets::<avx2::Avx2>();
}

#[test]
fn limbs_are_put_together_as_they_were_split() {
    let words = super::words(&[0xff; 32]);
    assert_eq!(super::split(&words), [(1 << RADIX) - 1; 5]);
}
