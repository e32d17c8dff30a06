//! Draws that are a function of the seed, of what they are for, and of an index: whole numbers alone, so that every machine draws the same.

/// The seed of everything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seed(u64);

/// What draws are for: at one index, different purposes are independent.
#[derive(Clone, Copy)]
pub(super) enum For {
    Class,
    Shape,
    Names,
    Fate,
    Successor,
    Place,
    Street,
    Zip,
    Id,
    PairNoise,
    RecordNoise,
}

/// SplitMix64's finisher: a bijection of 64 bits.
pub(super) fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Seed {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The dice for `purpose` at `index`.
    pub(super) fn dice(self, purpose: For, index: u64) -> Dice {
        let key = mix(self.0 ^ (purpose as u64 + 17).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        Dice { state: mix(key.wrapping_add(index.wrapping_mul(0xd1b5_4a32_d192_ed03))) }
    }

    /// An opaque number for `index`: equal for equal indexes and for no others.
    pub(super) fn opaque(self, index: u64) -> u64 {
        mix(mix(self.0 ^ (For::Id as u64)) ^ mix(index))
    }
}

/// A stream of draws (SplitMix64). It need not be hard to predict.
pub(super) struct Dice {
    state: u64,
}

impl Dice {
    /// 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.state)
    }

    /// A number in `0..n`; 0 for `n` = 0.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(n)) >> 64) as u64
    }

    /// A number in `low..high`.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    /// True so many times in 10,000.
    pub(super) fn chance(&mut self, in_ten_thousand: u64) -> bool {
        self.below(10_000) < in_ten_thousand
    }

    /// One of a list; the empty default for an empty list.
    pub(super) fn pick<T: Copy + Default>(&mut self, list: &[T]) -> T {
        list.get(self.below(list.len() as u64) as usize).copied().unwrap_or_default()
    }

    /// The position that was hit among parts with these weights.
    pub(super) fn weighted(&mut self, weights: &[u64]) -> usize {
        let mut at = self.below(weights.iter().sum());
        for (i, weight) in weights.iter().enumerate() {
            if at < *weight {
                return i;
            }
            at -= weight;
        }
        0
    }
}
