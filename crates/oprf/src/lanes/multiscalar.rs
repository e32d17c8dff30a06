//! Sums of many multiples of public points by public weights: buckets (Pippenger), one window of eight bits in each lane.
//!
//! A lane has its own buckets, so that lanes never meet in one; a vector of lanes takes as many windows at once. Variable time.

use super::backend::{Bucket, Lanes, WIDTH_MAX};
use super::engine::Elements;
use super::field::Field;
use super::point::{Affine, Cached, Point};

/// Buckets of a window; bucket 0 takes what counts nothing.
const BUCKETS: usize = 256;

impl<L: Lanes> Field<L> {
    /// `Σ weight_i · P_i`. `weights` are little-endian bytes, `N` of them for each point, `N` a multiple of [`Lanes::WIDTH`].
    pub(crate) fn sum_of_products<const N: usize>(&self, weights: &[[u8; N]], parts: &[&Elements<L>]) -> Point<L> {
        let l = self.lanes;
        const { assert!(N.is_multiple_of(L::WIDTH)) };
        let mut buckets = vec![self.empty_bucket(); L::WIDTH * BUCKETS];
        let empty = self.empty_bucket();
        let mut windows = Vec::with_capacity(N / L::WIDTH);
        for vector in 0..N / L::WIDTH {
            buckets.fill(empty);
            let mut weights = weights.iter();
            for part in parts {
                for (group, count) in part.groups() {
                    let affine = self.affine(&l.unpack(&group[0]), &l.unpack(&group[1])).0.map(|c| l.pack(&c));
                    for (lane, weight) in (0..count).zip(weights.by_ref()) {
                        let mut at = [0_u32; WIDTH_MAX];
                        for (w, at) in at.iter_mut().enumerate().take(L::WIDTH) {
                            *at = (w * BUCKETS) as u32 + u32::from(weight[vector * L::WIDTH + w]);
                        }
                        let at = &at[..L::WIDTH];
                        l.vectorize(
                            #[inline(always)]
                            || {
                                let point =
                                    Affine([l.broadcast(&affine[0], lane), l.broadcast(&affine[1], lane), l.broadcast(&affine[2], lane)]);
                                let [x, y, z, t] = l.gather(&buckets, at);
                                let old = Point { x: l.unpack(&x), y: l.unpack(&y), z: l.unpack(&z), t: l.unpack(&t) };
                                let new = self.add_affine(&old, &point);
                                l.scatter(&[l.pack(&new.x), l.pack(&new.y), l.pack(&new.z), l.pack(&new.t)], &mut buckets, at);
                            },
                        );
                    }
                }
            }
            windows.push(self.cache(&self.weigh(&buckets)));
        }
        self.combine(&windows)
    }

    fn empty_bucket(&self) -> Bucket {
        let l = self.lanes;
        let mut buckets = [Bucket([0; 20]); WIDTH_MAX];
        let mut at = [0_u32; WIDTH_MAX];
        for (i, at) in at.iter_mut().enumerate() {
            *at = i as u32;
        }
        let n = self.neutral();
        l.scatter(&[l.pack(&n.x), l.pack(&n.y), l.pack(&n.z), l.pack(&n.t)], &mut buckets, &at[..L::WIDTH]);
        buckets[0]
    }

    /// `Σ n · bucket_n` of every lane, by running sums; T included.
    fn weigh(&self, buckets: &[Bucket]) -> Point<L> {
        let l = self.lanes;
        let (mut running, mut total) = (self.neutral(), self.neutral());
        for n in (1..BUCKETS).rev() {
            let mut at = [0_u32; WIDTH_MAX];
            for (w, at) in at.iter_mut().enumerate() {
                *at = (w * BUCKETS + n) as u32;
            }
            l.vectorize(
                #[inline(always)]
                || {
                    let [x, y, z, t] = l.gather(buckets, &at[..L::WIDTH]);
                    let bucket = Point { x: l.unpack(&x), y: l.unpack(&y), z: l.unpack(&z), t: l.unpack(&t) };
                    running = self.add::<true>(&running, &self.cache(&bucket));
                    total = self.add::<true>(&total, &self.cache(&running));
                },
            );
        }
        total
    }

    /// `Σ 2^(8·w) · window_w`, in all lanes alike; window w is lane `w mod WIDTH` of vector `w / WIDTH`. T included.
    fn combine(&self, windows: &[Cached<L>]) -> Point<L> {
        let l = self.lanes;
        let mut sum = self.neutral();
        for vector in windows.iter().rev() {
            for lane in (0..L::WIDTH).rev() {
                l.vectorize(
                    #[inline(always)]
                    || {
                        for _ in 0..7 {
                            sum = self.double::<false>(&sum);
                        }
                        sum = self.double::<true>(&sum);
                        let window = Cached([0, 1, 2, 3].map(|c| l.pack(&l.broadcast(&vector.0[c], lane))));
                        sum = self.add::<true>(&sum, &window);
                    },
                );
            }
        }
        sum
    }
}
