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
        let mut extended = Accumulator::new();
        extended.extend(all[..size].iter().copied());
        assert_eq!(grown, extended);
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
