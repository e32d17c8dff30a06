"""Frames and control messages: SPEC §5.2."""
from group import Refused, decode, decode_scalar, encode
from hashes import u8, u32, u64

NE = NS = 32
HELLO, WELCOME, SET_REQUEST, SET_CHUNK, BATCH, EVALUATED, COMPLETE = 1, 2, 3, 4, 5, 6, 7
RECEIPT, ACKNOWLEDGE, CLOSED, PING, PONG, REFUSAL, DISCLOSURE, DISCLOSED_TAGS = 8, 9, 10, 11, 12, 15, 16, 17

# [FRM-1]
BYTES_MAX = {
    HELLO: 393_216, WELCOME: 4_096, SET_REQUEST: 256, SET_CHUNK: 8 + 262_144, BATCH: 12 + 65_535 * NE + 64 + 20 * 32,
    EVALUATED: 12 + 65_535 * NE + 4 * NS, COMPLETE: 256, RECEIPT: 16_384, ACKNOWLEDGE: 256, CLOSED: 0,
    PING: 64, PONG: 64, REFUSAL: 2_048, DISCLOSURE: 256, DISCLOSED_TAGS: 8 + 16_384 * 16,
}  # fmt: skip

# [FRM-5]
(
    VERSION_UNSUPPORTED, SUITE_UNSUPPORTED, RULESET_MISMATCH, NOT_SEALED, REQUEST_MALFORMED, PAIRS_OVER_CAP,
    TOKENS_OVER_CAP, CLOCK_SKEW, REQUEST_CONFLICT, EPOCH_ENDED, BUDGET_EXHAUSTED, BATCH_CONFLICT, BATCH_MALFORMED,
    OUT_OF_TURN, TRANSCRIPT_DIFFERS, SIGNATURE_INVALID, BUSY, SHUTTING_DOWN, INTERNAL, NOT_AUTHORISED, SUSPENDED,
    LEDGER_DIVERGED, POLICY_CHANGED, BATCH_UNAPPROVED,
) = range(1, 25)  # fmt: skip


def frame(kind, body):
    """[FRM-1]"""
    assert len(body) <= BYTES_MAX[kind]
    return u32(len(body)) + u8(kind) + body


def unframe(data, *expected):
    """One whole frame: (type, body). [FRM-1]"""
    if len(data) < 5:
        raise Refused("FRM-1", "frame ends early")
    length, kind = int.from_bytes(data[:4], "big"), data[4]
    if kind not in expected:
        raise Refused("FRM-1", "type not expected here")
    if length > BYTES_MAX[kind]:
        raise Refused("FRM-1", "length above the type's limit")
    if length != len(data) - 5:
        raise Refused("FRM-1", "frame ends early or goes on")
    return kind, data[5:]


# [FRM-2]: bincode. A schema is a list of (name, type): "u8" … "u64", bytes of a fixed length (int), "bytes" (at most so
# many), "string", ("vec", type, at most).
SCHEMAS = {
    # [FRM-4]
    HELLO: [
        ("versions", ("vec", "u16", 16)), ("suites", ("vec", "u16", 16)), ("nonce", 32), ("clock_unix_ms", "u64"),
        ("certificate", 136), ("request", ("bytes", 65_536)), ("signatures", ("vec", ("bytes", 4_096), 64)),
        ("head_size", "u64"), ("head_root", 32),
    ],
    WELCOME: [
        ("version", "u16"), ("suite", "u16"), ("nonce", 32), ("clock_unix_ms", "u64"), ("certificate", 136),
        ("ruleset_digest", 32), ("tau", "u8"), ("tokens_per_pair", "u16"), ("session_tokens_max", "u64"),
        ("declared_tags", "u64"), ("set_tags", "u64"), ("set_bytes", "u64"), ("as_of", "u32"), ("epoch_id", 16),
        ("set_id", 32), ("public_key", ("bytes", NE)), ("batches_in_flight_max", "u16"), ("authority", "u8"),
        ("resend", ("vec", "u64", 64)), ("policy", 32), ("head_size", "u64"), ("head_root", 32), ("head_unix_ms", "u64"),
        ("head_signature", 64), ("consistency", ("vec", 32, 64)),
    ],
    SET_REQUEST: [("set_id", 32), ("offset", "u64")],
    COMPLETE: [("transcript", 64)],
    RECEIPT: [("body", ("bytes", 8_192)), ("signature", 64), ("consistency", ("vec", 32, 64))],
    ACKNOWLEDGE: [("signature", 64)],
    PING: [("clock_unix_ms", "u64")],
    PONG: [("clock_unix_ms", "u64")],
    REFUSAL: [("code", "u16"), ("detail", ("string", 1_024))],
    DISCLOSURE: [
        ("session_id", 16), ("receipt_digest", 32), ("kind", "u8"), ("matched", "u64"), ("tags", "u64"),
        ("tags_digest", 32), ("signature", 64),
    ],
}  # fmt: skip


def _put(kind, value):
    if isinstance(kind, int):
        assert len(value) == kind
        return value
    if isinstance(kind, str):
        return value.to_bytes(int(kind[1:]) // 8, "little")
    if kind[0] == "vec":
        return len(value).to_bytes(8, "little") + b"".join(_put(kind[1], v) for v in value)
    value = value.encode() if kind[0] == "string" else value
    return len(value).to_bytes(8, "little") + value


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, length):
        if length > len(self.data) - self.at:
            raise Refused("FRM-2", "length beyond the body")
        self.at += length
        return self.data[self.at - length : self.at]

    def get(self, kind):
        if isinstance(kind, int):
            return self.take(kind)
        if isinstance(kind, str):
            return int.from_bytes(self.take(int(kind[1:]) // 8), "little")
        length, most = self.get("u64"), kind[-1]
        if kind[0] == "vec":
            if length > most:
                raise Refused("FRM-4", "too many elements")
            return [self.get(kind[1]) for _ in range(length)]
        data = self.take(length)
        if length > most:
            raise Refused("FRM-4", "too long")
        if kind[0] == "string":
            try:
                return data.decode()
            except UnicodeDecodeError:
                raise Refused("FRM-2", "string is not UTF-8") from None
        return data


def control(kind, /, **fields):
    """A control frame."""
    return frame(kind, b"".join(_put(type_, fields[name]) for name, type_ in SCHEMAS[kind]))


def uncontrol(data, kind):
    """The fields of a control frame that must be of one kind."""
    _, body = unframe(data, kind)
    reader = _Reader(body)
    fields = {name: reader.get(type_) for name, type_ in SCHEMAS[kind]}
    if reader.at != len(body):
        raise Refused("FRM-2", "bytes left over")
    return fields


# [FRM-3]: raw bodies. Elements are kept as their encodings.
def batch(index, elements, statement, path=()):
    return frame(BATCH, u64(index) + u32(len(elements)) + b"".join([*elements, statement, *path]))


def evaluated(index, elements, proof):
    return frame(EVALUATED, u64(index) + u32(len(elements)) + b"".join(elements) + encode_proof(proof))


def encode_proof(scalars):
    return b"".join(s.to_bytes(NS, "little") for s in scalars)


def set_chunk(offset, data):
    return frame(SET_CHUNK, u64(offset) + data)


def unraw(data, kind):
    """(index, elements, the bytes at the end) of a Batch or an Evaluated frame."""
    _, body = unframe(data, kind)
    count = int.from_bytes(body[8:12], "big")
    if not 1 <= count <= 65_535:
        raise Refused("FRM-3", "count")
    left = len(body) - 12 - count * NE - (64 if kind == BATCH else 4 * NS)
    if left < 0 or (left % 32 or left > 20 * 32 if kind == BATCH else left):
        raise Refused("FRM-3", "length is not what count demands")
    elements = [body[12 + i * NE : 12 + (i + 1) * NE] for i in range(count)]
    return int.from_bytes(body[:8], "big"), elements, body[12 + count * NE :]


def unbatch(data):
    """(index, elements, statement, path)"""
    index, elements, tail = unraw(data, BATCH)
    return index, elements, tail[:64], [tail[at : at + 32] for at in range(64, len(tail), 32)]


def disclosed_tags(offset, tags):
    return frame(DISCLOSED_TAGS, u64(offset) + b"".join(tag.to_bytes(16, "big") for tag in tags))


def undisclosed_tags(data):
    _, body = unframe(data, DISCLOSED_TAGS)
    tags = [int.from_bytes(body[at : at + 16], "big") for at in range(8, len(body), 16)]
    if len(body) < 24 or (len(body) - 8) % 16 or any(a >= b for a, b in zip(tags, tags[1:])):
        raise Refused("FRM-3", "tags")
    return int.from_bytes(body[:8], "big"), tags


def unset_chunk(data):
    _, body = unframe(data, SET_CHUNK)
    if len(body) <= 8:
        raise Refused("FRM-3", "chunk without bytes")
    return int.from_bytes(body[:8], "big"), body[8:]


def unproof(data):
    return tuple(decode_scalar(data[at : at + NS]) for at in range(0, 4 * NS, NS))


def points(elements):
    return [decode(e) for e in elements]


def encodings(elements):
    return [encode(e) for e in elements]
