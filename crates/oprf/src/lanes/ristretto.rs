//! Ristretto255 (RFC 9496) over lanes: the one-way map, decoding, encoding.

use super::backend::{Lanes, WIDTH_MAX};
use super::field::Field;
use super::point::Point;

/// A decoded element with its lanes' verdict.
pub(crate) struct Decoded<L: Lanes> {
    pub(crate) x: L::Fe,
    pub(crate) y: L::Fe,
    /// Bit i: string i was a canonical encoding.
    pub(crate) valid: u32,
}

/// What [`Field::double_encode`] keeps of a point between its two passes.
struct Halfway<L: Lanes> {
    e: L::Fe,
    f: L::Fe,
    g: L::Fe,
    h: L::Fe,
    eg: L::Fe,
    fh: L::Fe,
    /// `eg·fh`, one where that is zero.
    product: L::Fe,
    /// All products before this one.
    before: L::Fe,
    zero: L::Mask,
}

impl<L: Lanes> Field<L> {
    /// `MAP` (RFC 9496 §4.3.4) of `N` tight elements a lane.
    fn map<const N: usize>(&self, t: &[L::Fe; N]) -> [Point<L>; N] {
        let l = self.lanes;
        let c = &self.c;
        let (mut r, mut u, mut v) = (*t, *t, *t);
        for i in 0..N {
            r[i] = l.mul(&l.square(&t[i]), &c.sqrt_m1);
            u[i] = l.mul(&self.plus(&r[i], &c.one), &c.one_minus_d_sq);
            // (−1 − r·d)·(r + d)
            let left = self.sum(&l.mul(&r[i], &c.d), &c.one);
            v[i] = l.mul(&self.negate(&left), &self.plus(&r[i], &c.d));
        }
        let (square, roots) = self.sqrt_ratio(&u, &v);
        let mut points = [self.neutral(); N];
        for i in 0..N {
            let other = self.negate(&self.absolute(&l.mul(&roots[i], &t[i])));
            let s = l.select(square[i], &other, &roots[i]);
            let k = l.select(square[i], &r[i], &self.negate(&c.one));
            let n = l.mul(&l.mul(&k, &self.minus(&r[i], &c.one)), &c.d_minus_one_sq);
            let n = self.minus(&n, &v[i]);
            let sv = l.mul(&s, &v[i]);
            let w0 = self.sum(&sv, &sv);
            let w1 = l.mul(&n, &c.sqrt_ad_minus_one);
            let ss = l.square(&s);
            let (w2, w3) = (self.minus(&c.one, &ss), self.plus(&c.one, &ss));
            points[i] = Point { x: l.mul(&w3, &w0), y: l.mul(&w2, &w1), z: l.mul(&w3, &w1), t: l.mul(&w2, &w0) };
        }
        points
    }

    /// The one-way map (RFC 9496 §4.3.4) of 64 uniform bytes for each lane: the sum of two points; T included. Constant time.
    pub(crate) fn one_way_map(&self, uniform: &[[u8; 64]]) -> Point<L> {
        let l = self.lanes;
        let mut halves = [[[0; 32]; WIDTH_MAX]; 2];
        for (lane, bytes) in uniform.iter().enumerate().take(L::WIDTH) {
            halves[0][lane].copy_from_slice(&bytes[..32]);
            halves[1][lane].copy_from_slice(&bytes[32..]);
        }
        l.vectorize(
            #[inline(always)]
            || {
                let [first, second] = self.map(&[l.load(&halves[0][..L::WIDTH]), l.load(&halves[1][..L::WIDTH])]);
                self.add::<true>(&first, &self.cache(&second))
            },
        )
    }

    /// `Decode` (RFC 9496 §4.3.1) of one string for each lane. Takes the identity's, too. Variable time in nothing but what comes out as
    /// invalid.
    pub(crate) fn decode(&self, bytes: &[[u8; 32]]) -> Decoded<L> {
        let l = self.lanes;
        let mut canonical = [[0; 32]; WIDTH_MAX];
        let (x, y, good) = l.vectorize(
            #[inline(always)]
            || {
                let c = &self.c;
                let s = l.load(bytes);
                l.store(&s, &mut canonical[..L::WIDTH]);
                let ss = l.square(&s);
                let (u1, u2) = (self.difference(&c.one, &ss), self.sum(&c.one, &ss));
                let u2_squared = l.square(&u2);
                // −d·u1² − u2²
                let v = self.negate(&self.sum(&l.mul(&c.d, &l.square(&u1)), &u2_squared));
                let ([square], [inverse]) = self.sqrt_ratio(&[c.one], &[l.mul(&v, &u2_squared)]);
                let dx = l.mul(&inverse, &u2);
                let dy = l.mul(&l.mul(&inverse, &dx), &v);
                let x = self.absolute(&l.mul(&self.plus(&s, &s), &dx));
                let y = l.mul(&u1, &dy);
                let bad = l.or(l.is_negative(&l.mul(&x, &y)), l.is_zero(&y));
                (x, y, l.and(square, l.not(bad)))
            },
        );
        let mut valid = l.bits(good);
        for (lane, (bytes, canonical)) in bytes.iter().zip(&canonical).enumerate() {
            if bytes != canonical || bytes[0] & 1 == 1 {
                valid &= !(1 << lane);
            }
        }
        Decoded { x, y, valid }
    }

    /// `Encode` (RFC 9496 §4.3.2) of `N` points a lane; reads T. Constant time.
    pub(crate) fn encode<const N: usize>(&self, points: &[Point<L>; N], out: &mut [[[u8; 32]; WIDTH_MAX]; N]) {
        let l = self.lanes;
        l.vectorize(
            #[inline(always)]
            || {
                let c = &self.c;
                let (mut u1, mut u2, mut v) = ([c.one; N], [c.one; N], [c.one; N]);
                for (i, p) in points.iter().enumerate() {
                    u1[i] = l.mul(&self.plus(&p.z, &p.y), &self.difference(&p.z, &p.y));
                    u2[i] = l.mul(&p.x, &p.y);
                    v[i] = l.mul(&u1[i], &l.square(&u2[i]));
                }
                let (_, inverse) = self.sqrt_ratio(&[c.one; N], &v);
                for (i, p) in points.iter().enumerate() {
                    let (den1, den2) = (l.mul(&inverse[i], &u1[i]), l.mul(&inverse[i], &u2[i]));
                    let z_inverse = l.mul(&l.mul(&den1, &den2), &p.t);
                    let (ix, iy) = (l.mul(&p.x, &c.sqrt_m1), l.mul(&p.y, &c.sqrt_m1));
                    let rotate = l.is_negative(&l.mul(&p.t, &z_inverse));
                    let x = l.select(rotate, &p.x, &iy);
                    let y = l.select(rotate, &p.y, &ix);
                    let den = l.select(rotate, &den2, &l.mul(&den1, &c.invsqrt_a_minus_d));
                    let y = self.negate_if(l.is_negative(&l.mul(&x, &z_inverse)), &y);
                    let s = self.absolute(&l.mul(&den, &self.minus(&p.z, &y)));
                    l.store(&s, &mut out[i][..L::WIDTH]);
                }
            },
        );
    }

    /// `Encode(2·P)` for every point, one inversion for all of a lane (curve25519-dalek's `double_and_compress_batch`, after Hamburg's
    /// "Decaf", §6): no square root. Reads T. Constant time; `out` has `WIDTH` places for each point.
    pub(crate) fn double_encode(&self, points: &[Point<L>], out: &mut [[u8; 32]]) {
        let l = self.lanes;
        let mut halfway: Vec<Halfway<L>> = Vec::with_capacity(points.len());
        let mut all = self.c.one;
        for p in points {
            l.vectorize(
                #[inline(always)]
                || {
                    let c = &self.c;
                    let (xx, yy, zz) = (l.square(&p.x), l.square(&p.y), l.square(&p.z));
                    let dtt = l.mul(&l.square(&p.t), &c.d);
                    let e = l.mul(&p.x, &self.plus(&p.y, &p.y));
                    let (f, g, h) = (self.sum(&zz, &dtt), self.sum(&yy, &xx), self.difference(&zz, &dtt));
                    let (eg, fh) = (l.mul(&e, &g), l.mul(&f, &h));
                    let product = l.mul(&eg, &fh);
                    // Or one such lane would make the inverse of all its points zero.
                    let zero = l.is_zero(&product);
                    let product = l.select(zero, &product, &c.one);
                    halfway.push(Halfway { e, f, g, h, eg, fh, product, before: all, zero });
                    all = l.mul(&all, &product);
                },
            );
        }
        let [mut inverse] = self.invert(&[all]);
        for (p, out) in halfway.iter().zip(out.chunks_exact_mut(L::WIDTH)).rev() {
            l.vectorize(
                #[inline(always)]
                || {
                    let c = &self.c;
                    let own = l.select(p.zero, &l.mul(&inverse, &p.before), &c.zero);
                    inverse = l.mul(&inverse, &p.product);
                    let (z_inverse, t_inverse) = (l.mul(&p.eg, &own), l.mul(&p.fh, &own));
                    let rotate = l.is_negative(&l.mul(&p.eg, &z_inverse));
                    let e = l.select(rotate, &p.e, &p.g);
                    let g = l.select(rotate, &p.g, &self.negate(&p.e));
                    let h = l.select(rotate, &p.h, &l.mul(&p.f, &c.sqrt_m1));
                    let magic = l.select(rotate, &c.invsqrt_a_minus_d, &c.sqrt_m1);
                    let g = self.negate_if(l.is_negative(&l.mul(&l.mul(&h, &e), &z_inverse)), &g);
                    let s = l.mul(&self.minus(&h, &g), &l.mul(&magic, &l.mul(&g, &t_inverse)));
                    l.store(&self.absolute(&s), out);
                },
            );
        }
    }
}
