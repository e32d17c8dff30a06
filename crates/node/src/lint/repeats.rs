//! What occurs more than once in a list, by keyed digests: nothing of a row is kept beside eight bytes of it and its number.

/// How many row numbers are told of a finding.
pub(crate) const FIRST_ROWS: usize = 5;

/// Rows that something was found of: how many, and the first few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rows {
    /// How many.
    pub(crate) count: u64,
    /// The numbers of the first few.
    pub(crate) first: Vec<u64>,
}

impl Rows {
    /// One row more; rows come in their order.
    pub(crate) fn push(&mut self, row: u64) {
        self.count += 1;
        if self.first.len() < FIRST_ROWS {
            self.first.push(row);
        }
    }

    /// Rows in any order.
    pub(crate) fn of(mut rows: Vec<u64>) -> Self {
        rows.sort_unstable();
        let count = rows.len() as u64;
        rows.truncate(FIRST_ROWS);
        Self { count, first: rows }
    }
}

/// Digests with the rows that have them, in sixteen bytes a row.
#[derive(Debug, Default)]
pub(crate) struct Repeats(Vec<(u64, u64)>);

impl Repeats {
    /// One row's digest.
    pub(crate) fn push(&mut self, digest: u64, row: u64) {
        self.0.push((digest, row));
    }

    /// The rows whose digest an earlier row has.
    pub(crate) fn later_bearers(mut self) -> Vec<u64> {
        self.0.sort_unstable();
        self.0.windows(2).filter(|pair| pair[0].0 == pair[1].0).map(|pair| pair[1].1).collect()
    }

    /// The rows whose digest more than `max` rows have, and how many such digests there are.
    pub(crate) fn crowds(mut self, max: u32) -> (Rows, u64) {
        self.0.sort_unstable();
        let crowds = self.0.chunk_by(|a, b| a.0 == b.0).filter(|crowd| crowd.len() as u64 > u64::from(max));
        let (mut rows, mut count) = (Vec::new(), 0);
        for crowd in crowds {
            count += 1;
            rows.extend(crowd.iter().map(|(_, row)| *row));
        }
        (Rows::of(rows), count)
    }
}

/// Whose address is which, in 24 bytes a row.
#[derive(Debug, Default)]
pub(crate) struct Addresses(Vec<(u64, u64, u64)>);

/// What [`Addresses`] come to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Moves {
    /// Persons with more than one address.
    pub(crate) persons: u64,
    /// Most addresses of one person.
    pub(crate) most: u64,
    /// The rows that bring a person another address than the first.
    pub(crate) further: Rows,
    /// The rows with a person and an address that an earlier row has.
    pub(crate) again: Vec<u64>,
}

impl Addresses {
    /// One row's person and address.
    pub(crate) fn push(&mut self, person: u64, address: u64, row: u64) {
        self.0.push((person, address, row));
    }

    /// What they come to.
    pub(crate) fn finish(mut self) -> Moves {
        self.0.sort_unstable();
        let (mut moves, mut further) = (Moves::default(), Vec::new());
        for person in self.0.chunk_by(|a, b| a.0 == b.0) {
            // Sorted: the first of each address is its earliest row.
            let mut firsts: Vec<u64> = Vec::new();
            for address in person.chunk_by(|a, b| a.1 == b.1) {
                firsts.extend(address.first().map(|(_, _, row)| *row));
                moves.again.extend(address.iter().skip(1).map(|(_, _, row)| *row));
            }
            moves.most = moves.most.max(firsts.len() as u64);
            if firsts.len() > 1 {
                moves.persons += 1;
                firsts.sort_unstable();
                further.extend_from_slice(&firsts[1..]);
            }
        }
        moves.further = Rows::of(further);
        moves.again.sort_unstable();
        moves
    }
}

/// How many different digests there were: exactly up to [`KEPT`], and to about a thousandth beyond.
#[derive(Debug)]
pub(crate) struct Distinct {
    kept: std::collections::HashSet<u64>,
    /// Digests at or above it are not kept.
    limit: u64,
    most: usize,
}

/// Digests that [`Distinct`] keeps at most.
const KEPT: usize = 1 << 20;

impl Default for Distinct {
    fn default() -> Self {
        Self { kept: std::collections::HashSet::new(), limit: u64::MAX, most: KEPT }
    }
}

impl Distinct {
    /// One digest more.
    pub(crate) fn push(&mut self, digest: u64) {
        if digest < self.limit && self.kept.insert(digest) && self.kept.len() > self.most {
            self.limit /= 2;
            let limit = self.limit;
            self.kept.retain(|kept| *kept < limit);
        }
    }

    /// The number of different ones.
    pub(crate) fn count(&self) -> u64 {
        let share = self.limit as f64 / u64::MAX as f64;
        (self.kept.len() as f64 / share).round() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn later_bearers_and_crowds() {
        let of = |digests: &[u64]| {
            let mut repeats = Repeats::default();
            digests.iter().zip(1..).for_each(|(digest, row)| repeats.push(*digest, row));
            repeats
        };
        let mut later = of(&[7, 8, 7, 9, 7, 8]).later_bearers();
        later.sort_unstable();
        assert_eq!(later, [3, 5, 6]);
        let (rows, crowds) = of(&[7, 8, 7, 9, 7, 8]).crowds(2);
        assert_eq!((rows, crowds), (Rows { count: 3, first: vec![1, 3, 5] }, 1));
        assert_eq!(of(&[7, 7]).crowds(2).1, 0);
    }

    #[test]
    fn a_persons_first_address_is_none_too_many() {
        let mut addresses = Addresses::default();
        for (row, (person, address)) in (1..).zip([(1, 50), (2, 10), (1, 40), (1, 50), (1, 30), (2, 10)]) {
            addresses.push(person, address, row);
        }
        let moves = addresses.finish();
        assert_eq!((moves.persons, moves.most), (1, 3));
        assert_eq!(moves.further, Rows { count: 2, first: vec![3, 5] });
        assert_eq!(moves.again, [4, 6]);
        assert_eq!(Addresses::default().finish(), Moves::default());
    }

    #[test]
    fn distinct_is_exact_where_few_and_near_where_many() {
        let hasher = RandomState::new();
        let mut distinct = Distinct { most: 1 << 12, ..Distinct::default() };
        for number in 0..4_000_u64 {
            distinct.push(hasher.hash_one(number));
            distinct.push(hasher.hash_one(number));
        }
        assert_eq!(distinct.count(), 4_000);
        for number in 4_000..100_000_u64 {
            distinct.push(hasher.hash_one(number));
        }
        // Eight standard deviations of what 2,048 kept digests say.
        let count = distinct.count() as f64;
        assert!((count / 1e5 - 1.0).abs() < 8.0 / f64::sqrt(2_048.0), "{count}");
    }
}
