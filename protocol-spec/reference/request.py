"""The request in both formats, and what an authorised one commits to: SPEC §6.1."""
import json
import re

import merkle
import wire
from group import Refused
from hashes import H256, HMAC, hkdf_extract, lp, u16, u64

HEX = set("0123456789abcdef")
UNSIGNED = {"batch_tokens", "format", "pairs", "request_id", "ruleset", "ruleset_digest", "tokens_per_pair"}
AUTHORISED = UNSIGNED | {
    "addresses_per_person_max", "blind_seed_digest", "blinded_root", "class", "disclosure", "fields", "holder",
    "holder_name", "left_out", "legal_basis", "list_root", "not_after_unix_ms", "not_before_unix_ms",
    "order_date_earliest", "order_date_latest", "purpose", "required_columns", "verifier", "verifier_name",
}  # fmt: skip
FIELDS = (
    "id", "name", "given_name", "middle_name", "family_name", "suffix", "address", "street", "unit", "city", "state",
    "postal_code", "order_date", "person_id",
)  # fmt: skip

# [REQ-6], as ranges of code points.
REFUSED = [
    (0x0000, 0x001F), (0x007F, 0x009F), (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160),
    (0x17B4, 0x17B5), (0x180B, 0x180F), (0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xE000, 0xF8FF), (0xFDD0, 0xFDEF), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB),
    (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF), (0xF0000, 0x10FFFF),
]  # fmt: skip
BLANKS = {0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000}


def is_text(text):
    """[REQ-6]"""
    if not isinstance(text, str) or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
        return False
    refused = any(first <= ord(c) <= last for c in text for first, last in REFUSED) or any(ord(c) & 0xFFFE == 0xFFFE for c in text)
    return 1 <= len(text.encode()) <= 1024 and not refused and not {ord(text[0]), ord(text[-1])} & BLANKS


def is_name(text):
    """[REQ-6]"""
    return isinstance(text, str) and re.fullmatch("[a-z][a-z0-9_]{0,63}", text, re.ASCII) is not None


def is_date(number):
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = (31, 28 + leap, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= year <= 9999 and 1 <= month <= 12 and 1 <= day <= days[month - 1]


def canonical(members):
    """RFC 8785 for what oblink needs of it: members of ASCII names, integers below 2^53, text without control characters."""
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse(data):
    """The members of a request of either format. [REQ-1], [REQ-3]"""
    anchor = "REQ-1"

    def unless(condition, text):
        if not condition:
            raise Refused(anchor, text, "verifier", wire.REQUEST_MALFORMED)

    def integer(name, least, most):
        unless(type(m[name]) is int and least <= m[name] <= most, name)

    def digits(name, length):
        unless(isinstance(m[name], str) and len(m[name]) == length and set(m[name]) <= HEX, name)

    unless(len(data) <= 65_536, "length")
    try:
        m = json.loads(data)
    except ValueError:
        unless(False, "not JSON")
    unless(isinstance(m, dict), "no object")
    authorised = m.get("format") == "oblink/authorised-request/1"
    if authorised:
        anchor = "REQ-3"
    unless(set(m) == (AUTHORISED if authorised else UNSIGNED), "members")
    for name, most in (("batch_tokens", 65_535), ("pairs", 2**40), ("tokens_per_pair", 64)):
        integer(name, 1, most)
    digits("request_id", 32)
    digits("ruleset_digest", 64)
    ruleset = m["ruleset"]
    unless(isinstance(ruleset, str) and 1 <= len(ruleset) <= 64, "ruleset")
    unless(set(ruleset) <= set("abcdefghijklmnopqrstuvwxyz0123456789-"), "ruleset")
    unless(authorised or m["format"] == "oblink/request/1", "format")
    unless(number_of_batches(m) <= 2**20, "number of batches")
    if authorised:
        integer("addresses_per_person_max", 0, 2**32 - 1)
        for name in ("blind_seed_digest", "blinded_root", "holder", "list_root", "verifier"):
            digits(name, 64)
        unless(m["class"] in ("confirm-address", "find-person"), "class")
        unless(m["disclosure"] in ("none", "count", "matched_tags"), "disclosure")
        for name in ("holder_name", "legal_basis", "purpose", "verifier_name"):
            unless(is_text(m[name]), name)
        unless(isinstance(m["fields"], dict) and len(m["fields"]) <= 32, "fields")
        unless(all(is_name(name) and is_text(value) for name, value in m["fields"].items()), "fields")
        unless(isinstance(m["left_out"], dict) and len(m["left_out"]) <= 64, "left_out")
        unless(all(is_name(name) and type(n) is int and 1 <= n <= 2**40 for name, n in m["left_out"].items()), "left_out")
        integer("not_after_unix_ms", 0, 2**53 - 1)
        integer("not_before_unix_ms", 0, m["not_after_unix_ms"] - 1)
        columns = m["required_columns"]
        unless(isinstance(columns, list) and len(columns) <= 32 and all(map(is_name, columns)), "required_columns")
        unless(columns == sorted(set(columns)), "required_columns")
        for name in ("order_date_earliest", "order_date_latest"):
            integer(name, 0, 2**32 - 1)
            unless(is_date(m[name]) if "order_date" in columns else m[name] == 0, name)
        unless(m["order_date_earliest"] <= m["order_date_latest"], "order_date_latest")
    unless(canonical(m) == data, "not the canonical form")
    return m


def is_authorised(request):
    return request["format"] == "oblink/authorised-request/1"


def batches_of(request):
    """[REQ-2]: (index, first token, count) of each batch."""
    tokens, size = request["pairs"] * request["tokens_per_pair"], request["batch_tokens"]
    return [(b, first, min(size, tokens - first)) for b, first in enumerate(range(0, tokens, size))]


def number_of_batches(request):
    return -(-request["pairs"] * request["tokens_per_pair"] // request["batch_tokens"])


def salt(salt_seed, request_id, pair):
    """[REQ-4]"""
    return HMAC(hkdf_extract(b"oblink/1/salt", salt_seed), b"oblink/1/salt\0" + request_id + u64(pair))[:32]


def row_data(salt, pair, row, fields):
    """[REQ-4]: leaf data; fields are (name, value), in the order of FIELDS."""
    assert [name for name, _ in fields] == [name for name in FIELDS if name in dict(fields)]
    body = b"".join(lp(name.encode()) + lp(value.encode()) for name, value in fields)
    return salt + u64(pair) + u64(row) + u16(len(fields)) + body


def row_leaves(salt_seed, request_id, rows):
    """Leaf hashes of rows given as (data row number, fields). [REQ-4]"""
    return [
        merkle.leaf(row_data(salt(salt_seed, request_id, pair), pair, row, fields)) for pair, (row, fields) in enumerate(rows)
    ]


def blind_seed_digest(request_id, blind_seed):
    """[REQ-5]"""
    return H256(b"oblink/1/blind-seed\0" + request_id + blind_seed)


def blinded_leaves(digests):
    """[REQ-5]"""
    return [merkle.leaf(digest) for digest in digests]
