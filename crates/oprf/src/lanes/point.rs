//! Points of the curve −x² + y² = 1 + d·x²·y² in extended coordinates (Hisil, Wong, Carter, Dawson 2008), one in each lane.
//!
//! The formulas are complete: no input needs a branch.

use super::backend::Lanes;
use super::field::Field;

/// (X : Y : Z : T), x = X/Z, y = Y/Z, xy = T/Z. All tight.
pub(crate) struct Point<L: Lanes> {
    pub(crate) x: L::Fe,
    pub(crate) y: L::Fe,
    pub(crate) z: L::Fe,
    /// Only where the function that made the point says so.
    pub(crate) t: L::Fe,
}

impl<L: Lanes> Clone for Point<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes> Copy for Point<L> {}

/// A point ready to be added: (Y + X, Y − X, 2Z, 2d·T), packed.
pub(crate) struct Cached<L: Lanes>(pub(crate) [L::Packed; 4]);

impl<L: Lanes> Clone for Cached<L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L: Lanes> Copy for Cached<L> {}

/// An affine point ready to be added: (y + x, y − x, 2d·x·y), tight.
pub(crate) struct Affine<L: Lanes>(pub(crate) [L::Fe; 3]);

impl<L: Lanes> Field<L> {
    /// The neutral element, T included.
    #[inline(always)]
    pub(crate) fn neutral(&self) -> Point<L> {
        Point { x: self.c.zero, y: self.c.one, z: self.c.one, t: self.c.zero }
    }

    /// `2·P`; reads no T; gives T if asked.
    #[inline(always)]
    pub(crate) fn double<const T: bool>(&self, p: &Point<L>) -> Point<L> {
        let l = self.lanes;
        let (xx, yy, zz) = (l.square(&p.x), l.square(&p.y), l.square(&p.z));
        let xy = l.mul(&p.x, &p.y);
        let h = self.sum(&xx, &yy);
        let g = self.minus(&yy, &xx);
        let e = self.plus(&xy, &xy);
        let f = l.carry(&l.sub(&l.add(&l.add(&zz, &zz), &xx), &yy));
        Point { x: l.mul(&e, &f), y: l.mul(&g, &h), z: l.mul(&g, &f), t: if T { l.mul(&e, &h) } else { self.c.zero } }
    }

    /// `P + Q`; reads P's T; gives T if asked.
    #[inline(always)]
    pub(crate) fn add<const T: bool>(&self, p: &Point<L>, q: &Cached<L>) -> Point<L> {
        let l = self.lanes;
        let [plus, minus, z2, t2d] = &q.0;
        let zz = l.mul(&p.z, &l.unpack(z2));
        self.add_to::<T>(p, &l.unpack(plus), &l.unpack(minus), &l.unpack(t2d), &zz)
    }

    /// `P + Q`; reads P's T; gives T.
    #[inline(always)]
    pub(crate) fn add_affine(&self, p: &Point<L>, q: &Affine<L>) -> Point<L> {
        let [plus, minus, t2d] = &q.0;
        let zz = self.sum(&p.z, &p.z);
        self.add_to::<true>(p, plus, minus, t2d, &zz)
    }

    #[inline(always)]
    fn add_to<const T: bool>(&self, p: &Point<L>, plus: &L::Fe, minus: &L::Fe, t2d: &L::Fe, zz: &L::Fe) -> Point<L> {
        let l = self.lanes;
        let pp = l.mul(&self.plus(&p.y, &p.x), plus);
        let mm = l.mul(&self.minus(&p.y, &p.x), minus);
        let tt = l.mul(&p.t, t2d);
        let (e, h) = (self.minus(&pp, &mm), self.sum(&pp, &mm));
        let (f, g) = (self.difference(zz, &tt), self.plus(zz, &tt));
        Point { x: l.mul(&e, &f), y: l.mul(&h, &g), z: l.mul(&g, &f), t: if T { l.mul(&e, &h) } else { self.c.zero } }
    }

    /// The point ready to be added; reads T.
    #[inline(always)]
    pub(crate) fn cache(&self, p: &Point<L>) -> Cached<L> {
        let l = self.lanes;
        Cached([
            l.pack(&self.sum(&p.y, &p.x)),
            l.pack(&self.difference(&p.y, &p.x)),
            l.pack(&self.sum(&p.z, &p.z)),
            l.pack(&l.mul(&p.t, &self.c.d2)),
        ])
    }

    /// The affine point (x, y), both tight, ready to be added.
    #[inline(always)]
    pub(crate) fn affine(&self, x: &L::Fe, y: &L::Fe) -> Affine<L> {
        let l = self.lanes;
        Affine([self.sum(y, x), self.difference(y, x), l.mul(&l.mul(x, y), &self.c.d2)])
    }

    /// The affine point with its signs turned where the mask is set.
    #[inline(always)]
    pub(crate) fn negate_affine_if(&self, mask: L::Mask, q: &Affine<L>) -> Affine<L> {
        let l = self.lanes;
        let [plus, minus, t2d] = &q.0;
        Affine([l.select(mask, plus, minus), l.select(mask, minus, plus), self.negate_if(mask, t2d)])
    }
}
