"""The holder's log, its heads, and extracts of it: SPEC §7.2."""
import json

import merkle
import request as r
from group import Refused
from hashes import H256, u8, u64

KINDS = range(1, 22)


def leaf_data(kind, unix_ms, party, body_digest):
    """[LED-1]"""
    return u8(kind) + u64(unix_ms) + party + body_digest


def entry_leaf(entry):
    """Of an entry as the vectors have it."""
    return merkle.leaf(leaf_data(entry["kind"], entry["unix_ms"], bytes.fromhex(entry["party"]), H256(entry["body"].encode())))


def head_body(holder_fp, size, root, unix_ms):
    """[LED-3]"""
    return r.canonical({"format": "oblink/head/1", "holder": holder_fp.hex(), "root": root.hex(), "size": size, "unix_ms": unix_ms})


class Log:
    """A holder's log: what it shows of itself at any size."""

    def __init__(self, entries):
        self.entries = entries
        self.leaves = [entry_leaf(entry) for entry in entries]

    def root(self, size):
        return merkle.root(self.leaves[:size])

    def consistency(self, first, second):
        return merkle.consistency(self.leaves[:second], first)

    def diverges(self, size, root):
        """Whether a verifier that knows this head must be refused. [HSK-8]"""
        return size > 0 and (size > len(self.leaves) or self.root(size) != root)


def extract(entries, party, head):
    """[LED-7]. `head` is the first line's members. (The logs of the vectors have no epoch that was nobody's.)"""
    lines = [r.canonical(head)]
    for seq, entry in enumerate(entries):
        members = {"kind": entry["kind"], "party": entry["party"], "seq": seq, "unix_ms": entry["unix_ms"]}
        if entry["party"] == party:
            members["body"] = entry["body"]
        else:
            members["body_digest"] = H256(entry["body"].encode()).hex()
        lines.append(r.canonical(members))
    return b"".join(line + b"\n" for line in lines)


def check_extract(data, holder_fp, check_head):
    """[LED-7]. `check_head(certificate, body, signature)` checks the statement. Gives the head and the entries."""

    def unless(condition, text):
        if not condition:
            raise Refused("LED-7", text, "holder")

    try:
        head, *entries = [json.loads(line) for line in data.decode().splitlines()]
        unless(head["format"] == "oblink/ledger-extract/1" and head["holder"] == holder_fp.hex(), "format or holder")
        body = head_body(holder_fp, head["entries"], bytes.fromhex(head["root"]), head["unix_ms"])
        check_head(bytes.fromhex(head["certificate"]), body, bytes.fromhex(head["signature"]))
        unless(len(entries) == head["entries"], "number of entries")
        leaves, time = [], 0
        for seq, entry in enumerate(entries):
            unless(entry["seq"] == seq and entry["unix_ms"] >= time and entry["kind"] in KINDS, "numbers, times or kinds")
            time = entry["unix_ms"]
            unless("body" in entry or entry["party"] != head["party"], "an entry of the party without its body")
            digest = H256(entry["body"].encode()) if "body" in entry else bytes.fromhex(entry["body_digest"])
            leaves.append(merkle.leaf(leaf_data(entry["kind"], time, bytes.fromhex(entry["party"]), digest)))
    except (ValueError, KeyError, TypeError, OverflowError):
        unless(False, "not its format")
    unless(merkle.root(leaves).hex() == head["root"], "the root")
    return head, entries
