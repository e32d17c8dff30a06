//! What the points need beyond a backend's own operations: signs, powers, square roots.

use super::backend::Lanes;
use super::constants::Constants;

/// A backend with its constants: what every function here and above takes.
pub(crate) struct Field<L: Lanes> {
    pub(crate) lanes: L,
    pub(crate) c: Constants<L>,
}

impl<L: Lanes> Field<L> {
    pub(crate) fn new(lanes: L) -> Self {
        Self { lanes, c: Constants::new(lanes) }
    }

    /// `−a`, tight; takes a tight element.
    #[inline(always)]
    pub(crate) fn negate(&self, a: &L::Fe) -> L::Fe {
        self.lanes.carry(&self.lanes.sub(&self.c.zero, a))
    }

    /// `−a` where the mask is set, `a` elsewhere; tight.
    #[inline(always)]
    pub(crate) fn negate_if(&self, mask: L::Mask, a: &L::Fe) -> L::Fe {
        self.lanes.select(mask, a, &self.negate(a))
    }

    /// `CT_ABS` (RFC 9496 §3.1): the one of `a` and `−a` that is not negative; tight.
    #[inline(always)]
    pub(crate) fn absolute(&self, a: &L::Fe) -> L::Fe {
        self.negate_if(self.lanes.is_negative(a), a)
    }

    /// `a + b`, tight.
    #[inline(always)]
    pub(crate) fn sum(&self, a: &L::Fe, b: &L::Fe) -> L::Fe {
        self.lanes.carry(&self.lanes.add(a, b))
    }

    /// `a − b`, tight.
    #[inline(always)]
    pub(crate) fn difference(&self, a: &L::Fe, b: &L::Fe) -> L::Fe {
        self.lanes.carry(&self.lanes.sub(a, b))
    }

    /// `a + b`, good for one factor of a product.
    #[inline(always)]
    pub(crate) fn plus(&self, a: &L::Fe, b: &L::Fe) -> L::Fe {
        self.lanes.fit(&self.lanes.add(a, b))
    }

    /// `a − b`, good for one factor of a product.
    #[inline(always)]
    pub(crate) fn minus(&self, a: &L::Fe, b: &L::Fe) -> L::Fe {
        self.lanes.fit(&self.lanes.sub(a, b))
    }

    /// `x^(2^n)` of `N` elements at once: squarings depend on one another, so two chains side by side keep the multipliers busy.
    #[inline(always)]
    fn square_times<const N: usize>(&self, x: &[L::Fe; N], n: u32) -> [L::Fe; N] {
        let l = self.lanes;
        let mut x = *x;
        l.vectorize(
            #[inline(always)]
            || {
                for _ in 0..n {
                    for x in &mut x {
                        *x = l.square(x);
                    }
                }
            },
        );
        x
    }

    #[inline(always)]
    fn multiply<const N: usize>(&self, x: &[L::Fe; N], y: &[L::Fe; N]) -> [L::Fe; N] {
        let mut product = *x;
        for (x, y) in product.iter_mut().zip(y) {
            *x = self.lanes.mul(x, y);
        }
        product
    }

    /// `x^(2^250 − 1)` and `x^11`.
    #[inline(always)]
    fn power_250<const N: usize>(&self, x: &[L::Fe; N]) -> ([L::Fe; N], [L::Fe; N]) {
        let x2 = self.square_times(x, 1);
        let x9 = self.multiply(x, &self.square_times(&x2, 2));
        let x11 = self.multiply(&x2, &x9);
        // eN is x^(2^N − 1).
        let e5 = self.multiply(&x9, &self.square_times(&x11, 1));
        let e10 = self.multiply(&self.square_times(&e5, 5), &e5);
        let e20 = self.multiply(&self.square_times(&e10, 10), &e10);
        let e40 = self.multiply(&self.square_times(&e20, 20), &e20);
        let e50 = self.multiply(&self.square_times(&e40, 10), &e10);
        let e100 = self.multiply(&self.square_times(&e50, 50), &e50);
        let e200 = self.multiply(&self.square_times(&e100, 100), &e100);
        (self.multiply(&self.square_times(&e200, 50), &e50), x11)
    }

    /// `x^((p − 5)/8)` = `x^(2^252 − 3)`.
    fn power_58<const N: usize>(&self, x: &[L::Fe; N]) -> [L::Fe; N] {
        let (e250, _) = self.power_250(x);
        self.multiply(x, &self.square_times(&e250, 2))
    }

    /// `1/x` = `x^(p − 2)` = `x^(2^255 − 21)`; zero for zero.
    pub(crate) fn invert<const N: usize>(&self, x: &[L::Fe; N]) -> [L::Fe; N] {
        let l = self.lanes;
        l.vectorize(
            #[inline(always)]
            || {
                let (e250, x11) = self.power_250(x);
                self.multiply(&self.square_times(&e250, 5), &x11)
            },
        )
    }

    /// `SQRT_RATIO_M1(u, v)` (RFC 9496 §3.1) of `N` pairs of tight elements at once: where `u/v` is a square (or `u` is zero), and the
    /// root that is not negative, of `u/v` or of `SQRT_M1·u/v`.
    pub(crate) fn sqrt_ratio<const N: usize>(&self, u: &[L::Fe; N], v: &[L::Fe; N]) -> ([L::Mask; N], [L::Fe; N]) {
        let l = self.lanes;
        l.vectorize(
            #[inline(always)]
            || {
                let (mut uv3, mut uv7) = (*u, *u);
                for i in 0..N {
                    let v3 = l.mul(&l.square(&v[i]), &v[i]);
                    uv3[i] = l.mul(&u[i], &v3);
                    uv7[i] = l.mul(&uv3[i], &l.square(&l.square(&v[i])));
                }
                let powers = self.power_58(&uv7);
                let (mut squares, mut roots) = ([l.is_zero(&self.c.one); N], *u);
                for i in 0..N {
                    let r = l.mul(&uv3[i], &powers[i]);
                    let check = l.mul(&v[i], &l.square(&r));
                    let correct = l.is_zero(&self.difference(&check, &u[i]));
                    let flipped = l.is_zero(&self.sum(&check, &u[i]));
                    let flipped_i = l.is_zero(&self.sum(&check, &l.mul(&u[i], &self.c.sqrt_m1)));
                    let r = l.select(l.or(flipped, flipped_i), &r, &l.mul(&r, &self.c.sqrt_m1));
                    roots[i] = self.absolute(&r);
                    squares[i] = l.or(correct, flipped);
                }
                (squares, roots)
            },
        )
    }
}
