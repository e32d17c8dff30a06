//! All that is left to chance in a run, from one seed.

use rand::rngs::StdRng;
use rand::{CryptoRng, Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A stream of choices: the same seed and label give the same ones.
#[derive(Debug)]
pub(crate) struct Chance(StdRng);

impl Chance {
    /// The stream of `label` under `seed`. Streams of different labels do not disturb each other.
    pub(crate) fn new(seed: u64, label: &str) -> Self {
        let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(label).finalize();
        Self(StdRng::from_seed(digest.into()))
    }

    /// 0 to `below` − 1; 0 for 0.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        if below == 0 { 0 } else { self.0.next_u64() % below }
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most.saturating_sub(least) + 1)
    }

    /// An index of a sequence of this length.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        self.below(length as u64) as usize
    }

    /// True `in_million` times of a million.
    pub(crate) fn hits(&mut self, in_million: u64) -> bool {
        self.below(1_000_000) < in_million
    }

    /// True once in `many`.
    pub(crate) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// Random bytes.
    pub(crate) fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }

    /// The generator, for what asks for one.
    pub(crate) fn generator(&mut self) -> &mut (impl CryptoRng + use<>) {
        &mut self.0
    }
}
