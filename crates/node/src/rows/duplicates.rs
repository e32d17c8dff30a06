//! How many rows bear an id that an earlier row bore.

use std::hash::{BuildHasher, RandomState};

/// Counts ids that occur more than once, in eight bytes a row.
///
/// Ids are kept as 64-bit hashes under a random key: among 10 million ids the odds that two different ones count as equal are below 3 in a million, and
/// the count only warns.
#[derive(Debug, Default)]
pub struct DuplicateIds {
    hasher: RandomState,
    hashes: Vec<u64>,
}

impl DuplicateIds {
    /// A count of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one row's id. Empty ids are no ids.
    pub fn push(&mut self, id: &str) {
        if !id.is_empty() {
            self.hashes.push(self.hasher.hash_one(id));
        }
    }

    /// The number of rows whose id an earlier row had.
    #[must_use]
    pub fn count(mut self) -> u64 {
        self.hashes.sort_unstable();
        self.hashes.windows(2).filter(|pair| pair[0] == pair[1]).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_second_and_later_bearers() {
        let mut ids = DuplicateIds::new();
        for id in ["a", "b", "a", "", "", "a", "c", "b"] {
            ids.push(id);
        }
        assert_eq!(ids.count(), 3);
    }
}
