"""Epoch keys, tokens, dummies, blinds and tags: SPEC §3, [EPO-1], [BLD-1]."""
import group
from group import Refused
from hashes import HMAC, hkdf_expand, hkdf_extract, lp, u8, u16, u64
from voprf import Suite

SUITE = Suite()
DUMMY_RULE = 0xFFFF


def token(ruleset_digest, rule, fields):
    """[TOK-1]"""
    data = lp(b"oblink/1/token") + lp(ruleset_digest) + u16(rule) + u8(len(fields)) + b"".join(map(lp, fields))
    assert len(data) <= 1024
    return data


class Epoch:
    """[EPO-1], [SET-5]"""

    def __init__(self, epoch_seed, epoch_id):
        prk = hkdf_extract(b"oblink/1/epoch" + epoch_id, epoch_seed)
        self.key_seed = hkdf_expand(prk, b"oblink/1/epoch/key", 32)
        self.pad_key = hkdf_expand(prk, b"oblink/1/epoch/pad", 32)
        self.sk, self.point = SUITE.derive_key_pair(self.key_seed, b"oblink/1/epoch\0" + epoch_id)
        self.pk = group.encode(self.point)

    def prefix(self, data):
        """The first 128 bits of the PRF's output."""
        return int.from_bytes(SUITE.evaluate(self.sk, data)[:16], "big")

    def padding(self, i):
        return int.from_bytes(HMAC(self.pad_key, u64(i))[:16], "big")


class Blinder:
    """What the verifier makes of its seed: [BLD-1], [TOK-2]."""

    def __init__(self, blind_seed, request_id):
        self.prk, self.request_id = hkdf_extract(b"oblink/1/blind", blind_seed), request_id

    def blind(self, index, data):
        for attempt in range(256):
            wide = hkdf_expand(self.prk, b"oblink/1/blind\0" + self.request_id + u64(index) + u8(attempt) + data, 64)
            scalar = int.from_bytes(wide, "little") % group.ORDER
            if scalar:
                return scalar

    def dummy(self, ruleset_digest, index):
        field = HMAC(self.prk, b"oblink/1/dummy\0" + self.request_id + u64(index))[:32]
        return token(ruleset_digest, DUMMY_RULE, [field])


def ceil_log2(x):
    return (x - 1).bit_length()


def tau(declared_tags, session_tokens_max):
    """[TAG-2]"""
    if not (1 <= declared_tags <= 2**40 and 1 <= session_tokens_max <= 2**40):
        raise Refused("TAG-2", "counts out of bounds", "holder")
    return max(41, 40 + ceil_log2(declared_tags) + ceil_log2(session_tokens_max))


def truncate(prefix, bits):
    """[TAG-1]"""
    return prefix >> (128 - bits)
