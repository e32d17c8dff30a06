"""The sealed set: SPEC §4.2."""
from group import Refused
from hashes import H256, u8, u16, u32, u64
from tokens import ceil_log2, tau, truncate

MAGIC, BLOCK, HEADER, NE = b"OBLSET\0\1", 4096, 176, 32


class Parameters:
    """What a header states beside the tags."""

    def __init__(self, suite, tokens_per_pair, as_of, session_tokens_max, epoch_id, ruleset_digest, public_key):
        self.suite, self.tokens_per_pair, self.as_of = suite, tokens_per_pair, as_of
        self.session_tokens_max, self.epoch_id = session_tokens_max, epoch_id
        self.ruleset_digest, self.public_key = ruleset_digest, public_key


def rice(bits, tags):
    """[SET-2]"""
    return max(0, bits - ceil_log2(tags))


def write(parameters, prefixes):
    """The file of 128-bit output prefixes (padding tags among them). [SET-1], [SET-3], [SET-6]"""
    p, distinct = parameters, set(prefixes)
    bits = tau(len(distinct), p.session_tokens_max)
    tags = sorted({truncate(prefix, bits) for prefix in distinct})
    k = rice(bits, len(tags))
    header = MAGIC + u16(p.suite) + u8(bits) + u8(k) + u16(p.tokens_per_pair) + u16(0) + u32(BLOCK) + u32(p.as_of)
    header += u64(p.session_tokens_max) + u64(len(distinct)) + u64(len(tags)) + p.epoch_id + p.ruleset_digest
    header += p.public_key + bytes(48 - NE)
    header += H256(header)
    return header + b"".join(
        block(header, b, tags[b * BLOCK : (b + 1) * BLOCK], k) for b in range(-(-len(tags) // BLOCK))
    )


def block(header, b, tags, k):
    """[SET-3]"""
    bits = ""
    for previous, tag in zip(tags, tags[1:]):
        gap = tag - previous - 1
        bits += "1" * (gap >> k) + "0" + (format(gap & (1 << k) - 1, f"0{k}b") if k else "")
    bits += "0" * (-len(bits) % 8)
    body = int(bits or "0", 2).to_bytes(len(bits) // 8, "big")
    data = u32(len(tags)) + u32(len(body)) + tags[0].to_bytes(16, "big") + body
    return data + H256(b"oblink/1/block\0" + header[144:176] + u64(b) + data)


def refuse(text, anchor="SET-4"):
    raise Refused(anchor, text, blame="holder")


def number(data, start, length):
    return int.from_bytes(data[start : start + length], "big")


def read_header(file):
    """Checks [SET-1], [SET-2], [TAG-3] and gives (parameters, τ, k, D, n)."""
    header = file[:HEADER]
    if len(header) < HEADER:
        refuse("the file ends in its header")
    if header[:8] != MAGIC:
        refuse("magic")
    if H256(header[:144]) != header[144:]:
        refuse("header's digest")
    suite, bits, k, per_pair, reserved = (number(header, a, n) for a, n in ((8, 2), (10, 1), (11, 1), (12, 2), (14, 2)))
    size, as_of, most, declared, n = (number(header, a, w) for a, w in ((16, 4), (20, 4), (24, 8), (32, 8), (40, 8)))
    if suite != 1:
        refuse("suite")
    if reserved or any(header[96 + NE : 144]):
        refuse("a reserved or padding byte is set")
    if size != BLOCK:
        refuse("tags a block")
    if bits != tau(declared, most):
        refuse("τ", "TAG-3")
    if not 1 <= n <= declared or not 1 <= per_pair <= 64:
        refuse("counts")
    if k != rice(bits, n):
        refuse("Rice parameter")
    parameters = Parameters(suite, per_pair, as_of, most, header[48:64], header[64:96], header[96:128])
    return parameters, bits, k, declared, n


def read(file):
    """The tags of a whole file, everything of [SET-4] checked; gives (parameters, τ, D, tags)."""
    parameters, bits, k, declared, n = read_header(file)
    digest, at, tags = file[144:176], HEADER, []
    longest = -(-((BLOCK - 1) * (k + 1) + (1 << ceil_log2(n))) // 8)
    for b in range(-(-n // BLOCK)):
        if len(file) < at + 24:
            refuse("the file ends early")
        count, length, first = number(file, at, 4), number(file, at + 4, 4), number(file, at + 8, 16)
        if count != min(BLOCK, n - b * BLOCK):
            refuse("tags in the block")
        if length > longest:
            refuse("length of the block's body")
        end = at + 24 + length
        if len(file) < end + 32:
            refuse("the file ends early")
        if H256(b"oblink/1/block\0" + digest + u64(b) + file[at:end]) != file[end : end + 32]:
            refuse("digest of the block")
        body = file[at + 24 : end]
        if tags and first <= tags[-1]:
            refuse("tags do not increase")
        tags.append(first)
        stream = "".join(format(byte, "08b") for byte in body)
        position = 0
        for _ in range(count - 1):
            zero = stream.find("0", position)
            if zero < 0 or zero + 1 + k > len(stream):
                refuse("the block's body ends early")
            gap = (zero - position << k) + int(stream[zero + 1 : zero + 1 + k] or "0", 2)
            tags.append(tags[-1] + 1 + gap)
            position = zero + 1 + k
        if len(stream) - position >= 8 or "1" in stream[position:]:
            refuse("bits after the block's last tag")
        if tags[-1] >> bits:
            refuse("a tag has more than τ bits")
        at = end + 32
    if at != len(file):
        refuse("bytes after the last block")
    return parameters, bits, declared, tags
