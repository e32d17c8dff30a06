"""Merkle trees of RFC 9162 §2.1 over SHA-256, written as that text defines them: SPEC §7.1."""
from group import Refused
from hashes import H256


def leaf(data):
    return H256(b"\0" + data)


def node(left, right):
    return H256(b"\1" + left + right)


def _split(n):
    """The largest power of two below n."""
    return 1 << (n - 1).bit_length() - 1


def root(leaves):
    """Of leaf hashes. [MRK-1]"""
    if len(leaves) < 2:
        return leaves[0] if leaves else H256(b"")
    k = _split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def path(leaves, index):
    """[MRK-2], RFC 9162 §2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = _split(len(leaves))
    if index < k:
        return path(leaves[:k], index) + [root(leaves[k:])]
    return path(leaves[k:], index - k) + [root(leaves[:k])]


def path_length(index, size):
    """[MRK-2]"""
    bits = (index ^ (size - 1)).bit_length()
    return bits + (index >> bits).bit_count()


def check_path(leaf_hash, index, size, path, expected):
    """[MRK-2], RFC 9162 §2.1.3.2."""
    if index >= size or len(path) != path_length(index, size):
        raise Refused("MRK-2", "no such leaf, or a path of another length")
    at, last, hash = index, size - 1, leaf_hash
    for sibling in path:
        if at & 1 or at == last:
            hash = node(sibling, hash)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            hash = node(hash, sibling)
        at, last = at >> 1, last >> 1
    if last or hash != expected:
        raise Refused("MRK-2", "the path does not lead to the root")


def consistency(leaves, first):
    """[MRK-3], RFC 9162 §2.1.4.1: from the first so many leaves to all of them."""

    def subproof(m, leaves, whole):
        if m == len(leaves):
            return [] if whole else [root(leaves)]
        k = _split(len(leaves))
        if m <= k:
            return subproof(m, leaves[:k], whole) + [root(leaves[k:])]
        return subproof(m - k, leaves[k:], False) + [root(leaves[:k])]

    return subproof(first, leaves, True) if 0 < first < len(leaves) else []


def check_consistency(first, first_root, second, second_root, proof):
    """[MRK-3], RFC 9162 §2.1.4.2."""

    def unless(condition):
        if not condition:
            raise Refused("MRK-3", "the later log does not continue the earlier one")

    if first == 0:
        return unless(not proof)
    if first == second:
        return unless(not proof and first_root == second_root)
    unless(first < second and proof)
    proof = list(proof) if first & (first - 1) else [first_root, *proof]
    at, last = first - 1, second - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old = new = proof[0]
    for sibling in proof[1:]:
        unless(last)
        if at & 1 or at == last:
            old, new = node(sibling, old), node(sibling, new)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            new = node(new, sibling)
        at, last = at >> 1, last >> 1
    unless(last == 0 and old == first_root and new == second_root)
