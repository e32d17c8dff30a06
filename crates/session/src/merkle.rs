//! Merkle trees of RFC 9162 §2.1 over SHA-256: roots, inclusion and consistency proofs, and what a log needs to be grown and proved
//! without reading it whole (SPEC MRK-1 to MRK-3).
//!
//! Proofs are made from the hashes of *complete subtrees*: level k, index j covers the leaves j·2^k to (j+1)·2^k − 1. Such a hash never
//! changes again once its last leaf is there, so it can be stored with that leaf ([`Accumulator::append`]) and read back ([`Nodes`]).

use sha2::{Digest, Sha256};

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
        let mut hash = leaf_hash;
        completed.push(hash);
        for _ in 0..self.size.trailing_ones() {
            // There are as many as `size` has bits, so always one.
            let Some(left) = self.peaks.pop() else { break };
            hash = node(&left, &hash);
            completed.push(hash);
        }
        self.peaks.push(hash);
        // 2^64 leaves are more than anyone appends one by one.
        self.size = self.size.saturating_add(1);
        completed
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

impl Extend<Hash> for Accumulator {
    fn extend<T: IntoIterator<Item = Hash>>(&mut self, leaf_hashes: T) {
        for hash in leaf_hashes {
            self.append(hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH of RFC 9162 §2.1.1, word for word.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = naive_split(leaves.len());
                node(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
            }
        }
    }

    fn naive_split(n: usize) -> usize {
        let mut k = 1;
        while k * 2 < n {
            k *= 2;
        }
        k
    }

    /// PATH of RFC 9162 §2.1.3.1.
    fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let k = naive_split(leaves.len());
        let (mut path, sibling) = if m < k {
            (naive_path(m, &leaves[..k]), naive_root(&leaves[k..]))
        } else {
            (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k]))
        };
        path.push(sibling);
        path
    }

    /// SUBPROOF of RFC 9162 §2.1.4.1.
    fn naive_proof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if m == leaves.len() {
            return if whole { Vec::new() } else { vec![naive_root(leaves)] };
        }
        let k = naive_split(leaves.len());
        let (mut proof, sibling) = if m <= k {
            (naive_proof(m, &leaves[..k], whole), naive_root(&leaves[k..]))
        } else {
            (naive_proof(m - k, &leaves[k..], false), naive_root(&leaves[..k]))
        };
        proof.push(sibling);
        proof
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count as u64).map(|i| leaf(&i.to_be_bytes())).collect()
    }

    /// A source that counts what is read of it and admits only what lies within `size`.
    struct Counted<'a> {
        tree: &'a Tree,
        size: u64,
        reads: u32,
    }

    impl Nodes for Counted<'_> {
        type Error = Missing;
        fn node(&mut self, level: u32, index: u64) -> Result<Hash, Missing> {
            assert!((index + 1) << level <= self.size);
            self.reads += 1;
            let mut tree = self.tree;
            tree.node(level, index)
        }
    }

    // The leaves and values that Certificate Transparency's implementations test themselves with (RFC 6962; RFC 9162 hashes alike).
    const KNOWN_LEAVES: [&str; 8] = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
    const KNOWN_ROOTS: [&str; 9] = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn known() -> Tree {
        Tree::new(KNOWN_LEAVES.iter().map(|data| leaf(&hex::decode(data).unwrap())).collect())
    }

    fn hashes(all: &[Hash]) -> Vec<String> {
        all.iter().map(hex::encode).collect()
    }

    /// MRK-1
    #[test]
    fn known_roots() {
        let tree = known();
        let mut grown = Accumulator::new();
        for (size, want) in KNOWN_ROOTS.iter().enumerate() {
            assert_eq!(hex::encode(root(&mut &tree, size as u64).unwrap()), *want, "size {size}");
            assert_eq!(hex::encode(grown.root()), *want, "size {size}");
            if let Some(data) = KNOWN_LEAVES.get(size) {
                grown.append(leaf(&hex::decode(data).unwrap()));
            }
        }
        assert_eq!(hex::encode(tree.root()), KNOWN_ROOTS[8]);
    }

    /// MRK-2
    #[test]
    fn known_paths() {
        for (index, size, want) in [
            (0, 1, &[][..]),
            (
                0,
                8,
                &[
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                5,
                8,
                &[
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
            (
                1,
                5,
                &[
                    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                ],
            ),
        ] {
            assert_eq!(hashes(&inclusion_path(&mut &known(), index, size).unwrap()), want, "leaf {index} of {size}");
        }
    }

    /// MRK-3
    #[test]
    fn known_consistency_proofs() {
        for (first, second, want) in [
            (1, 1, &[][..]),
            (
                1,
                8,
                &[
                    "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
                ],
            ),
            (
                6,
                8,
                &[
                    "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                ],
            ),
            (
                2,
                5,
                &[
                    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
                ],
            ),
        ] {
            assert_eq!(hashes(&consistency_proof(&mut &known(), first, second).unwrap()), want, "{first} in {second}");
        }
    }

    /// MRK-1
    #[test]
    fn roots_are_those_of_the_rfc_at_every_size() {
        let all = leaves(70);
        let tree = Tree::new(all.clone());
        let mut grown = Accumulator::new();
        for size in 0..=70 {
            let want = naive_root(&all[..size]);
            assert_eq!(root(&mut &tree, size as u64), Ok(want));
            assert_eq!(Tree::new(all[..size].to_vec()).root(), want);
            assert_eq!(grown.root(), want);
            assert_eq!(grown, Accumulator::from_nodes(&mut &tree, size as u64).unwrap());
            if size < 70 {
                let completed = grown.append(all[size]);
                assert_eq!(grown.len(), size as u64 + 1);
                assert_eq!(completed.len() as u32, grown.len().trailing_zeros() + 1);
                for (level, hash) in completed.iter().enumerate() {
                    let index = (grown.len() >> level) as usize - 1;
                    assert_eq!(*hash, naive_root(&all[index << level..(index + 1) << level]));
                }
            }
        }
    }

    /// MRK-2
    #[test]
    fn paths_are_those_of_the_rfc_at_every_index_and_size() {
        let all = leaves(70);
        let tree = Tree::new(all.clone());
        for size in 1..=70 {
            let root = naive_root(&all[..size]);
            for index in 0..size {
                let (i, n) = (index as u64, size as u64);
                let mut nodes = Counted { tree: &tree, size: n, reads: 0 };
                let path = inclusion_path(&mut nodes, i, n).unwrap();
                assert!(nodes.reads <= 14);
                assert_eq!(path, naive_path(index, &all[..size]));
                assert_eq!(path_length(i, n), path.len());
                assert_eq!(Tree::new(all[..size].to_vec()).path(i), Some(path.clone()));
                // It proves this leaf at this index of this size, and nothing else.
                for other in 0..=size {
                    assert_eq!(verify_inclusion(&all[index], other as u64, n, &path, &root), other == index);
                    assert_eq!(verify_inclusion(&all[other % 70], i, n, &path, &root), other % 70 == index);
                }
            }
            assert_eq!(Tree::new(all[..size].to_vec()).path(size as u64), None);
            assert_eq!(inclusion_path(&mut &tree, size as u64, size as u64), Ok(Vec::new()));
            assert_eq!(path_length(size as u64, size as u64), 0);
        }
    }

    /// MRK-3
    #[test]
    fn consistency_proofs_are_those_of_the_rfc_at_every_pair_of_sizes() {
        let all = leaves(70);
        let tree = Tree::new(all.clone());
        let roots: Vec<Hash> = (0..=70).map(|size| naive_root(&all[..size])).collect();
        for second in 0..=70_usize {
            for first in 0..=70_usize {
                let (m, n) = (first as u64, second as u64);
                let mut nodes = Counted { tree: &tree, size: n, reads: 0 };
                let proof = consistency_proof(&mut nodes, m, n).unwrap();
                assert!(nodes.reads <= 14);
                if first == 0 || first > second {
                    assert!(proof.is_empty());
                    assert_eq!(verify_consistency(m, &roots[first], n, &roots[second], &proof), first == 0);
                    continue;
                }
                assert_eq!(proof, naive_proof(first, &all[..second], true));
                assert!(verify_consistency(m, &roots[first], n, &roots[second], &proof));
                assert!(!verify_consistency(m, &[1; 32], n, &roots[second], &proof));
                assert!(!verify_consistency(m, &roots[first], n, &[1; 32], &proof));
                // Between two sizes only.
                for other in (1..=70).filter(|other| *other != first) {
                    assert!(!verify_consistency(other as u64, &roots[other], n, &roots[second], &proof));
                }
            }
        }
    }

    fn spoiled(path: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
        let mut all: Vec<Vec<Hash>> = Vec::new();
        for bit in 0..path.len() * 256 {
            let mut flipped = path.to_vec();
            flipped[bit / 256][bit / 8 % 32] ^= 1 << (bit % 8);
            all.push(flipped);
        }
        for at in 0..=path.len() {
            for more in [[0; 32], path.first().copied().unwrap_or([7; 32])] {
                let mut lengthened = path.to_vec();
                lengthened.insert(at, more);
                all.push(lengthened);
            }
        }
        for at in 0..path.len() {
            let mut shortened = path.to_vec();
            shortened.remove(at);
            all.push(shortened);
        }
        all.into_iter()
    }

    /// MRK-2, MRK-3
    #[test]
    fn a_spoiled_proof_proves_nothing() {
        let all = leaves(23);
        let tree = Tree::new(all.clone());
        for size in [1, 2, 3, 8, 13, 16, 23] {
            let now = root(&mut &tree, size).unwrap();
            for index in [0, 1, size / 2, size - 1].into_iter().filter(|index| *index < size) {
                let path = inclusion_path(&mut &tree, index, size).unwrap();
                let hash = &all[index as usize];
                assert!(verify_inclusion(hash, index, size, &path, &now));
                assert!(spoiled(&path).all(|path| !verify_inclusion(hash, index, size, &path, &now)), "leaf {index} of {size}");
            }
            for first in [1, 2, 3, 4, 7, 8, 12, 13, 16, 23].into_iter().filter(|first| *first <= size) {
                let before = root(&mut &tree, first).unwrap();
                let proof = consistency_proof(&mut &tree, first, size).unwrap();
                assert!(verify_consistency(first, &before, size, &now, &proof));
                assert!(spoiled(&proof).all(|proof| !verify_consistency(first, &before, size, &now, &proof)), "{first} in {size}");
            }
        }
    }

    /// MRK-3
    #[test]
    fn a_tree_without_leaves_is_a_prefix_of_anything() {
        for second in [0, 1, 5, u64::MAX] {
            assert!(verify_consistency(0, &[0; 32], second, &[9; 32], &[]));
            assert!(!verify_consistency(0, &[0; 32], second, &[9; 32], &[[0; 32]]));
        }
    }

    /// A source that has everything.
    struct Everything;

    impl Nodes for Everything {
        type Error = core::convert::Infallible;
        fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
            Ok(leaf(&[level.to_be_bytes().as_slice(), &index.to_be_bytes()].concat()))
        }
    }

    proptest! {
        /// MRK-2, MRK-3: sizes that no tree in memory has. A source that makes up its nodes still has to agree on path lengths.
        #[test]
        fn sizes_up_to_the_largest_are_no_trouble(index: u64, size: u64, other: u64, path in proptest::collection::vec(any::<Hash>(), 0..70)) {
            let made = inclusion_path(&mut Everything, index, size).unwrap();
            prop_assert_eq!(made.len(), path_length(index, size));
            let root = root(&mut Everything, size).unwrap();
            prop_assert_eq!(Accumulator::from_nodes(&mut Everything, size).unwrap().root(), root);
            prop_assert!(!verify_inclusion(&[1; 32], index, size, &path, &root));
            prop_assert_eq!(verify_consistency(size, &root, other, &[1; 32], &path), size == 0 && path.is_empty());
            prop_assert!(consistency_proof(&mut Everything, index.min(size), index.max(size)).unwrap().len() <= 65);
        }

        /// MRK-2, MRK-3
        #[test]
        fn what_is_made_verifies(size in 1..2000_u64, index: u64, first: u64) {
            let tree = Tree::new(leaves(size as usize));
            let (index, first) = (index % size, first % size + 1);
            let path = tree.path(index).unwrap();
            prop_assert_eq!(path.len(), path_length(index, size));
            prop_assert!(verify_inclusion(&leaf(&index.to_be_bytes()), index, size, &path, &tree.root()));
            let before = root(&mut &tree, first).unwrap();
            let proof = consistency_proof(&mut &tree, first, size).unwrap();
            prop_assert!(verify_consistency(first, &before, size, &tree.root(), &proof));
        }
    }

    /// MRK-2
    #[test]
    fn the_largest_sizes() {
        for (index, size) in [(0, u64::MAX), (u64::MAX - 1, u64::MAX), (u64::MAX, u64::MAX), (0, 1 << 63), (1 << 63, (1 << 63) + 1)] {
            let path = inclusion_path(&mut Everything, index, size).unwrap();
            assert_eq!(path.len(), path_length(index, size), "leaf {index} of {size}");
            assert!(!verify_inclusion(&[1; 32], index, size, &path, &[2; 32]));
            assert!(!verify_consistency(index, &[1; 32], size, &[2; 32], &path) || index == 0 && path.is_empty());
        }
    }
}
