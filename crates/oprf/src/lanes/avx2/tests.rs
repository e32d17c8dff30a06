//! The backend's arithmetic on limbs at their extremes and in long chains, against plain integers; what is generated is what is here.

use super::super::backend::{Bucket, Lanes};
use super::{Avx2, Fe};

/// A number modulo p = 2^255 − 19: four words, below 2^255, not necessarily below p.
#[derive(Clone, Copy, Debug)]
struct Plain([u64; 4]);

const P: [u64; 4] = [0xffff_ffff_ffff_ffed, u64::MAX, u64::MAX, 0x7fff_ffff_ffff_ffff];

impl Plain {
    /// Eight words to four: what is above 2^255 comes back 19-fold.
    fn fold(mut words: [u64; 8]) -> Self {
        loop {
            let high: [u64; 5] = core::array::from_fn(|i| words[i + 3] >> 63 | words.get(i + 4).map_or(0, |w| w << 1));
            if high == [0; 5] {
                return Self([words[0], words[1], words[2], words[3]]);
            }
            words[3] &= u64::MAX >> 1;
            words[4..].fill(0);
            let mut carry = 0;
            for (i, word) in words.iter_mut().enumerate() {
                let sum = u128::from(*word) + 19 * u128::from(high.get(i).copied().unwrap_or(0)) + carry;
                *word = sum as u64;
                carry = sum >> 64;
            }
        }
    }

    fn mul(self, other: Self) -> Self {
        let mut words = [0; 8];
        for (i, a) in self.0.into_iter().enumerate() {
            let mut carry = 0;
            for (j, b) in other.0.into_iter().enumerate() {
                let sum = u128::from(a) * u128::from(b) + u128::from(words[i + j]) + carry;
                words[i + j] = sum as u64;
                carry = sum >> 64;
            }
            words[i + 4] = carry as u64;
        }
        Self::fold(words)
    }

    fn add(self, other: Self) -> Self {
        let mut words = [0; 8];
        let mut carry = 0;
        for (i, word) in words.iter_mut().enumerate() {
            let sum = u128::from(self.0.get(i).copied().unwrap_or(0)) + u128::from(other.0.get(i).copied().unwrap_or(0)) + carry;
            *word = sum as u64;
            carry = sum >> 64;
        }
        Self::fold(words)
    }

    fn negate(self) -> Self {
        // 2^255 − 1 − a is −a + 18.
        let complement = Self([!self.0[0], !self.0[1], !self.0[2], !self.0[3] & (u64::MAX >> 1)]);
        complement.add(Self([P[0] - 18, P[1], P[2], P[3]]))
    }

    fn sub(self, other: Self) -> Self {
        self.add(other.negate())
    }

    /// Below p.
    fn canonical(self) -> [u8; 32] {
        let mut words = self.0;
        if words[3] == P[3] && words[2] == P[2] && words[1] == P[1] && words[0] >= P[0] {
            words = [words[0] - P[0], 0, 0, 0];
        }
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_exact_mut(8).zip(words) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*chunk);
        }
        words[3] &= u64::MAX >> 1;
        Self(words)
    }

    /// `Σ limb_k · 2^(51·k)`.
    fn from_limbs(limbs: [i64; 5]) -> Self {
        let mut sum = Self([0; 4]);
        for (k, limb) in limbs.into_iter().enumerate() {
            let (word, shift) = (51 * k / 64, 51 * k % 64);
            let mut words = [0; 8];
            let wide = u128::from(limb.unsigned_abs()) << shift;
            words[word] = wide as u64;
            words[word + 1] = (wide >> 64) as u64;
            let part = Self::fold(words);
            sum = if limb < 0 { sum.sub(part) } else { sum.add(part) };
        }
        sum
    }
}

/// xorshift64*: the same numbers in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for chunk in bytes.chunks_exact_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        bytes
    }
}

/// The largest a tight limb can be.
const TIGHT: [i64; 5] = [(1 << 50) + 285, (1 << 50) + 87, (1 << 50) + 87, (1 << 50) + 87, (1 << 50) + 87];

fn element(limbs: [[i64; 5]; 4]) -> Fe {
    let words = |l: usize| [0, 1, 2, 3].map(|lane: usize| (limbs[lane][l] as f64).to_bits());
    // SAFETY: both types are 32 bytes of plain numbers.
    Fe([0, 1, 2, 3, 4].map(|l| unsafe { core::mem::transmute::<[u64; 4], core::arch::x86_64::__m256d>(words(l)) }))
}

fn limbs(a: &Fe) -> [[i64; 5]; 4] {
    // SAFETY: both types are 160 bytes of plain numbers.
    let doubles = unsafe { core::mem::transmute::<Fe, [[f64; 4]; 5]>(*a) };
    [0, 1, 2, 3].map(|lane: usize| {
        [0, 1, 2, 3, 4].map(|l: usize| {
            let limb = doubles[l][lane];
            assert!(limb == limb.trunc() && limb.abs() <= 9_007_199_254_740_992.0, "a limb is a whole number: {limb}");
            limb as i64
        })
    })
}

/// Tight, and this number in each lane.
fn check(l: Avx2, a: &Fe, expected: [Plain; 4], what: &str) {
    for (lane, limbs) in limbs(a).into_iter().enumerate() {
        for (limb, most) in limbs.into_iter().zip(TIGHT) {
            assert!(limb.abs() <= most, "{what}, lane {lane}: {limbs:?} is not tight");
        }
    }
    let mut bytes = [[0; 32]; 4];
    l.store(a, &mut bytes);
    assert_eq!(bytes, expected.map(Plain::canonical), "{what}");
    let zero = expected.iter().enumerate().map(|(lane, e)| u32::from(e.canonical() == [0; 32]) << lane).sum::<u32>();
    assert_eq!(l.bits(l.is_zero(a)), zero, "{what}: is_zero");
    let odd = expected.iter().enumerate().map(|(lane, e)| u32::from(e.canonical()[0] & 1) << lane).sum::<u32>();
    assert_eq!(l.bits(l.is_negative(a)), odd, "{what}: is_negative");
}

fn detect() -> Option<Avx2> {
    let l = Avx2::detect();
    if l.is_none() {
        println!("skipped: no AVX2 with FMA here");
    }
    l
}

/// Limbs whose signs are the bits of `signs`, each `times` the largest.
fn extreme(signs: u32, times: i64) -> [i64; 5] {
    core::array::from_fn(|l| if signs >> l & 1 == 1 { -times * TIGHT[l] } else { times * TIGHT[l] })
}

#[test]
fn products_of_extreme_limbs() {
    let Some(l) = detect() else { return };
    for signs in 0..32 {
        for of in (0..32).step_by(4) {
            let (a, b) = ([0, 1, 2, 3].map(|n| extreme(signs ^ n, 2)), [0, 1, 2, 3].map(|n| extreme(of + n, 1)));
            let plain = |limbs: [[i64; 5]; 4]| limbs.map(Plain::from_limbs);
            let (x, y) = (plain(a), plain(b));
            let product = core::array::from_fn(|n| x[n].mul(y[n]));
            check(l, &l.mul(&element(a), &element(b)), product, "loose by tight");
            check(l, &l.mul(&element(b), &element(a)), product, "tight by loose");
            check(l, &l.square(&element(b)), core::array::from_fn(|n| y[n].mul(y[n])), "square");
            check(l, &element(b), y, "as it is");
        }
        // Four tight ones are the most that a carry takes.
        let sums = [1, 2, 3, 4].map(|times| extreme(signs, times));
        check(l, &l.carry(&element(sums)), sums.map(Plain::from_limbs), "carry");
    }
}

#[test]
fn limbs_around_the_middle() {
    let Some(l) = detect() else { return };
    let middle = 1_i64 << 50;
    for (n, limb) in [middle - 1, middle, middle + 1, 3 * middle - 1, 3 * middle, 3 * middle + 1, 1, 0].into_iter().enumerate() {
        let a = [[limb; 5], [-limb; 5], [limb, -limb, limb, -limb, limb], [0, 0, 0, 0, -limb]];
        check(l, &l.carry(&element(a)), a.map(Plain::from_limbs), &format!("carry {n}"));
        if limb <= middle + 1 {
            let x = a.map(Plain::from_limbs);
            check(l, &l.mul(&element(a), &element(a)), x.map(|x| x.mul(x)), &format!("mul {n}"));
            check(l, &l.square(&element(a)), x.map(|x| x.mul(x)), &format!("square {n}"));
            check(l, &element(a), x, &format!("as it is {n}"));
        }
    }
}

/// Strings whose numbers are 0, 1, p − 1, p, p + 1, 2^255 − 1, …, with and without bit 255.
fn edges() -> Vec<[u8; 32]> {
    let mut edges = vec![[0; 32], [0xff; 32], [0x55; 32], [0xaa; 32]];
    for low in 0..=0xff {
        let mut near_p = [0xff; 32];
        near_p[0] = low;
        near_p[31] = 0x7f;
        edges.push(near_p);
        near_p[31] = 0xff;
        edges.push(near_p);
        let mut small = [0; 32];
        small[0] = low;
        edges.push(small);
    }
    for bit in 0..256 {
        let mut one = [0; 32];
        one[bit / 8] = 1 << (bit % 8);
        edges.push(one);
        edges.push(one.map(|byte| !byte));
    }
    while edges.len() % 4 != 0 {
        edges.push([1; 32]);
    }
    edges
}

#[test]
fn strings_at_the_edges() {
    let Some(l) = detect() else { return };
    let edges = edges();
    for (a, b) in edges.as_chunks::<4>().0.iter().zip(edges.as_chunks::<4>().0.iter().rev()) {
        let (x, y) = (l.load(a), l.load(b));
        let (p, q) = (a.map(|a| Plain::from_bytes(&a)), b.map(|b| Plain::from_bytes(&b)));
        check(l, &x, p, "load");
        check(l, &l.splat(&p[1].0), [p[1]; 4], "splat");
        check(l, &l.mul(&x, &y), core::array::from_fn(|n| p[n].mul(q[n])), "mul");
        check(l, &l.square(&x), p.map(|p| p.mul(p)), "square");
        check(l, &l.carry(&l.add(&x, &y)), core::array::from_fn(|n| p[n].add(q[n])), "add");
        check(l, &l.carry(&l.sub(&x, &y)), core::array::from_fn(|n| p[n].sub(q[n])), "sub");
        check(l, &l.carry(&l.sub(&x, &x)), [Plain([0; 4]); 4], "nothing");
        for (lane, p) in p.into_iter().enumerate() {
            check(l, &l.broadcast(&l.pack(&x), lane), [p; 4], "broadcast");
        }
        let mask = l.is_negative(&x);
        let bits = l.bits(mask);
        check(l, &l.select(mask, &x, &y), core::array::from_fn(|n| if bits >> n & 1 == 1 { q[n] } else { p[n] }), "select");
        assert_eq!(l.bits(l.not(mask)), bits ^ 0xf);
    }
}

#[test]
fn long_chains() {
    let Some(l) = detect() else { return };
    let mut numbers = Numbers(1);
    let strings: [[u8; 32]; 12] = core::array::from_fn(|_| numbers.bytes());
    let mut vectors: [Fe; 3] = core::array::from_fn(|n| l.load(&strings[4 * n..4 * n + 4]));
    let mut plain: [[Plain; 4]; 3] = core::array::from_fn(|n| core::array::from_fn(|lane| Plain::from_bytes(&strings[4 * n + lane])));
    for step in 0..2_000 {
        let [i, j, k] = [0, 2, 4].map(|shift| (numbers.next() >> 32 >> shift) as usize % 3);
        let (a, b, c) = (&vectors[i], &vectors[j], &vectors[k]);
        let (x, y, z) = (plain[i], plain[j], plain[k]);
        let each = |f: &dyn Fn(usize) -> Plain| core::array::from_fn(f);
        let (vector, expected) = match numbers.next() >> 33 & 7 {
            0 => (l.mul(a, b), each(&|n| x[n].mul(y[n]))),
            1 => (l.square(a), each(&|n| x[n].mul(x[n]))),
            2 => (l.mul(&l.add(a, b), c), each(&|n| x[n].add(y[n]).mul(z[n]))),
            3 => (l.mul(&l.sub(a, b), c), each(&|n| x[n].sub(y[n]).mul(z[n]))),
            4 => (l.mul(c, &l.sub(a, b)), each(&|n| x[n].sub(y[n]).mul(z[n]))),
            5 => (l.carry(&l.sub(&l.add(&l.add(a, a), b), c)), each(&|n| x[n].add(x[n]).add(y[n]).sub(z[n]))),
            6 => (l.carry(&l.sub(b, a)), each(&|n| y[n].sub(x[n]))),
            _ => (l.unpack(&l.pack(a)), x),
        };
        check(l, &vector, expected, &format!("step {step}"));
        let place = step % 3;
        vectors[place] = vector;
        plain[place] = expected;
    }
}

#[test]
fn fixed_rows() {
    let Some(l) = detect() else { return };
    let mut numbers = Numbers(2);
    let entries: Vec<[Plain; 3]> = (0..8).map(|_| core::array::from_fn(|_| Plain::from_bytes(&numbers.bytes()))).collect();
    let words: Vec<[[u64; 4]; 3]> = entries.iter().map(|entry| entry.map(|coordinate| coordinate.0)).collect();
    let row = l.fixed_row(&words);
    let neutral = [[1, 0, 0, 0], [1, 0, 0, 0], [0; 4]].map(Plain);
    for first in 0..9_i8 {
        let digits = [first, (first + 3) % 9, 8 - first, 0];
        let found = l.fixed_select(&row, l.ints(&digits));
        for (c, found) in found.iter().enumerate() {
            let expected = digits.map(|digit| if digit == 0 { neutral[c] } else { entries[digit as usize - 1][c] });
            check(l, found, expected, "an entry");
        }
    }
}

#[test]
fn integers() {
    let Some(l) = detect() else { return };
    let x = l.ints(&[-8, 0, 7, -1]);
    assert_eq!(l.bits(l.below_zero(x)), 0b1001);
    let m = l.magnitude(x);
    assert_eq!([8, 0, 7, 1].map(|n| l.bits(l.equals(m, n))), [1, 2, 4, 8]);
    assert_eq!(l.bits(l.or(l.equals(m, 8), l.and(l.below_zero(x), l.not(l.equals(m, 8))))), 0b1001);
}

#[test]
fn buckets_keep_what_they_are_given() {
    let Some(l) = detect() else { return };
    let mut numbers = Numbers(3);
    let strings: [[u8; 32]; 16] = core::array::from_fn(|_| numbers.bytes());
    let coordinates: [Fe; 4] = core::array::from_fn(|n| l.load(&strings[4 * n..4 * n + 4]));
    let mut buckets = vec![Bucket([u64::MAX; 20]); 9];
    l.scatter(&coordinates, &mut buckets, &[7, 0, 3, 5]);
    for untouched in [1, 2, 4, 6, 8] {
        assert_eq!(buckets[untouched].0, [u64::MAX; 20]);
    }
    let back = l.gather(&buckets, &[5, 3, 0, 7]);
    for (n, coordinate) in back.iter().enumerate() {
        let expected = [3, 2, 1, 0].map(|lane: usize| Plain::from_bytes(&strings[4 * n + lane]));
        check(l, coordinate, expected, "a coordinate");
    }
}

#[test]
fn the_product_is_as_generated() {
    let generator = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lanes/gen/avx2_product.py");
    match std::process::Command::new("python3").arg(generator).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let generated = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
            assert_eq!(generated, include_str!("product.rs").replace("\r\n", "\n"), "run lanes/gen/avx2_product.py");
        }
        Err(error) => println!("skipped: no python3 here ({error})"),
    }
}
