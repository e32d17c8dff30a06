//! Merkle trees of RFC 9162 §2.1 over SHA-256: roots, inclusion and consistency proofs, and what a log needs to be grown and proved
//! without reading it whole (SPEC MRK-1 to MRK-3).
//!
//! Proofs are made from the hashes of *complete subtrees*: level k, index j covers the leaves j·2^k to (j+1)·2^k − 1. Such a hash never
//! changes again once its last leaf is there, so it can be stored with that leaf ([`Accumulator::append`]) and read back ([`Nodes`]).

use sha2::{Digest, Sha256};

#[cfg(test)]
mod tests;

/// A leaf's or a node's SHA-256.
pub type Hash = [u8; 32];

/// What a leaf's hash begins with: no leaf can pass for a node (RFC 9162 §2.1.1).
pub(crate) const LEAF: u8 = 0x00;
const NODE: u8 = 0x01;

/// Hash of a leaf: `SHA-256(0x00 ‖ data)` (SPEC MRK-1; RFC 9162 §2.1.1).
#[must_use]
pub fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([LEAF]).chain_update(data).finalize().into()
}

/// Hash of a node over its two subtrees: `SHA-256(0x01 ‖ left ‖ right)` (SPEC MRK-1; RFC 9162 §2.1.1).
#[must_use]
pub fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([NODE]).chain_update(left).chain_update(right).finalize().into()
}

/// Root of the tree without leaves: SHA-256 of nothing (SPEC MRK-1; RFC 9162 §2.1.1).
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Where the hashes of complete subtrees are read from.
pub trait Nodes {
    /// Why a hash cannot be read.
    type Error;

    /// Hash of the complete subtree over the leaves `index << level` to `((index + 1) << level) - 1`. The functions of this module ask
    /// only for subtrees that lie wholly within the size they were given.
    ///
    /// # Errors
    /// What the source says.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Largest power of two below `n`, for n ≥ 2: where RFC 9162 cuts a tree.
fn split(n: u64) -> u64 {
    1 << (u64::BITS - 1 - (n - 1).leading_zeros())
}

/// The tree over `count` ≥ 1 leaves from `start`, which is a multiple of every power of two in `count`: its complete subtrees, joined from
/// the right.
fn range<N: Nodes + ?Sized>(nodes: &mut N, start: u64, count: u64) -> Result<Hash, N::Error> {
    let mut hash = None;
    // One past the last leaf not yet covered, counted from `start`.
    let mut end = count;
    while end > 0 {
        let level = end.trailing_zeros();
        end -= 1 << level;
        let left = nodes.node(level, (start + end) >> level)?;
        hash = Some(match hash {
            Some(right) => node(&left, &right),
            None => left,
        });
    }
    Ok(hash.unwrap_or_else(empty_root))
}

/// Root of the tree over the first `size` leaves. At most 64 reads (SPEC MRK-1).
///
/// # Errors
/// Those of `nodes`.
pub fn root<N: Nodes + ?Sized>(nodes: &mut N, size: u64) -> Result<Hash, N::Error> {
    range(nodes, 0, size)
}

/// The inclusion path of leaf `index` in the tree over the first `size` leaves, from the leaf upward: [`path_length`] hashes (SPEC MRK-2;
/// RFC 9162 §2.1.3.1). O(log size) reads. Empty, and so refused by [`verify_inclusion`], where `index` is not below `size`.
///
/// # Errors
/// Those of `nodes`.
pub fn inclusion_path<N: Nodes + ?Sized>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let mut path = Vec::new();
    if index >= size {
        return Ok(path);
    }
    let (mut start, mut count) = (0, size);
    while count > 1 {
        let left = split(count);
        if index - start < left {
            path.push(range(nodes, start + left, count - left)?);
            count = left;
        } else {
            path.push(range(nodes, start, left)?);
            start += left;
            count -= left;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree over the first `first` leaves is a prefix of that over the first `second` (SPEC MRK-3; RFC 9162 §2.1.4.1).
/// O(log second) reads. Empty where the sizes are equal or `first` is 0, which need none; and where `first` is above `second`, which
/// [`verify_consistency`] refuses.
///
/// # Errors
/// Those of `nodes`.
pub fn consistency_proof<N: Nodes + ?Sized>(nodes: &mut N, first: u64, second: u64) -> Result<Vec<Hash>, N::Error> {
    let mut proof = Vec::new();
    if first == 0 || first >= second {
        return Ok(proof);
    }
    let (mut start, mut count) = (0, second);
    while first - start < count {
        let left = split(count);
        if first - start <= left {
            proof.push(range(nodes, start + left, count - left)?);
            count = left;
        } else {
            proof.push(range(nodes, start, left)?);
            start += left;
            count -= left;
        }
    }
    // The subtree in which the old tree ends. Where it is the old tree itself, whoever checks has its hash already.
    if start > 0 {
        proof.push(range(nodes, start, count)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Hashes in the inclusion path of leaf `index` of `size` (SPEC MRK-2); 0 where `index` is not below `size`: there is no such leaf.
#[must_use]
pub fn path_length(index: u64, size: u64) -> usize {
    if index >= size {
        return 0;
    }
    // Below the level at which leaf and last leaf meet every subtree has a sibling; above it, those on whose right side the leaf lies.
    let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
    let border = index.checked_shr(inner).unwrap_or(0).count_ones();
    (inner + border) as usize
}

/// Whether `path` proves that the leaf of this hash is at `index` of the tree over `size` leaves with this root (SPEC MRK-2;
/// RFC 9162 §2.1.3.2). Anything impossible is false.
#[must_use]
pub fn verify_inclusion(leaf_hash: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(sibling, &hash);
            // Levels at which the last subtree has no sibling are passed over. `at` is 0 only where `last` is, which ended above.
            let skipped = at.trailing_zeros();
            at >>= skipped;
            last >>= skipped;
        } else {
            hash = node(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `proof` proves that the tree of `first_size` leaves and `first_root` is a prefix of that of `second_size` leaves and
/// `second_root` (SPEC MRK-3; RFC 9162 §2.1.4.2).
///
/// A first tree of no leaves is a prefix of anything: it needs an empty proof, and neither root is looked at. Equal sizes need equal roots
/// and an empty proof. Anything impossible is false.
#[must_use]
pub fn verify_consistency(first_size: u64, first_root: &Hash, second_size: u64, second_root: &Hash, proof: &[Hash]) -> bool {
    if first_size == 0 {
        return proof.is_empty();
    }
    if first_size == second_size {
        return proof.is_empty() && first_root == second_root;
    }
    if first_size > second_size {
        return false;
    }
    // A complete first tree is itself the subtree that the proof begins with, and is left out of it.
    let (start, rest) = if first_size.is_power_of_two() {
        if proof.is_empty() {
            return false;
        }
        (first_root, proof)
    } else {
        match proof.split_first() {
            Some(split) => split,
            None => return false,
        }
    };
    let (mut at, mut last) = (first_size - 1, second_size - 1);
    let skipped = at.trailing_ones();
    at >>= skipped;
    last >>= skipped;
    let (mut first, mut second) = (*start, *start);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            first = node(sibling, &first);
            second = node(sibling, &second);
            let skipped = at.trailing_zeros();
            at >>= skipped;
            last >>= skipped;
        } else {
            second = node(&second, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && first == *first_root && second == *second_root
}

/// A hash was asked that the tree does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the tree has no complete subtree {index} of level {level}")]
pub struct Missing {
    /// Level of the subtree.
    pub level: u32,
    /// Its index at that level.
    pub index: u64,
}

/// A tree in memory: all its complete subtrees, 64 bytes a leaf.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    // levels[k][j]: the complete subtree j of level k.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over these leaf hashes, in order.
    #[must_use]
    pub fn new(leaf_hashes: Vec<Hash>) -> Self {
        let mut levels = Vec::new();
        let mut level = leaf_hashes;
        while !level.is_empty() {
            let above = level.as_chunks::<2>().0.iter().map(|[left, right]| node(left, right)).collect();
            levels.push(level);
            level = above;
        }
        Self { levels }
    }

    /// Number of leaves.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Whether there are no leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// The root (SPEC MRK-1).
    #[must_use]
    pub fn root(&self) -> Hash {
        // A level of odd length ends in a subtree without a sibling: one of those the root joins.
        join(self.levels.iter().filter(|level| level.len() % 2 == 1).filter_map(|level| level.last()))
    }

    /// The inclusion path of a leaf (SPEC MRK-2); `None` where there is no such leaf.
    #[must_use]
    pub fn path(&self, index: u64) -> Option<Vec<Hash>> {
        if index >= self.len() {
            return None;
        }
        inclusion_path(&mut &*self, index, self.len()).ok()
    }
}

/// For proofs of older sizes too: `inclusion_path(&mut &tree, index, size)`.
impl Nodes for &Tree {
    type Error = Missing;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Missing> {
        let found = self.levels.get(level as usize).zip(usize::try_from(index).ok());
        found.and_then(|(level, index)| level.get(index)).copied().ok_or(Missing { level, index })
    }
}

/// The root over complete subtrees, given from the smallest (the last) to the largest.
fn join<'a>(peaks: impl Iterator<Item = &'a Hash>) -> Hash {
    peaks.copied().reduce(|right, left| node(&left, &right)).unwrap_or_else(empty_root)
}

/// A tree that only grows, of which only its largest complete subtrees are kept: at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accumulator {
    size: u64,
    // The subtrees that `size` has bits for, the largest (the first) in front.
    peaks: Vec<Hash>,
}

impl Accumulator {
    /// The tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The tree over the first `size` leaves of `nodes`. At most 64 reads.
    ///
    /// # Errors
    /// Those of `nodes`.
    pub fn from_nodes<N: Nodes + ?Sized>(nodes: &mut N, size: u64) -> Result<Self, N::Error> {
        let mut peaks = Vec::new();
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            // What lies before: the larger subtrees, that is the higher bits.
            peaks.push(nodes.node(level, (size >> level) - 1)?);
        }
        Ok(Self { size, peaks })
    }

    /// Appends a leaf and gives the hashes of the complete subtrees that it completes: level 0, the leaf's own, upward. The subtree of
    /// level k among them has index `(len() >> k) - 1` (SPEC MRK-1).
    pub fn append(&mut self, leaf_hash: Hash) -> Vec<Hash> {
        let mut completed = Vec::with_capacity(self.size.trailing_ones() as usize + 1);
        self.grow(leaf_hash, |hash| completed.push(hash));
        completed
    }

    fn grow(&mut self, leaf_hash: Hash, mut completed: impl FnMut(Hash)) {
        let mut hash = leaf_hash;
        completed(hash);
        for _ in 0..self.size.trailing_ones() {
            // There are as many as `size` has bits, so always one.
            let Some(left) = self.peaks.pop() else { break };
            hash = node(&left, &hash);
            completed(hash);
        }
        self.peaks.push(hash);
        // 2^64 leaves are more than anyone appends one by one.
        self.size = self.size.saturating_add(1);
    }

    /// The root (SPEC MRK-1).
    #[must_use]
    pub fn root(&self) -> Hash {
        join(self.peaks.iter().rev())
    }

    /// Number of leaves.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.size
    }

    /// Whether there are no leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.size == 0
    }
}

/// Appends many leaves where only the root is wanted: without the hashes that [`append`](Accumulator::append) hands out.
impl Extend<Hash> for Accumulator {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaf_hashes: T) {
        for hash in leaf_hashes {
            self.grow(hash, |_| ());
        }
    }
}
