"""Hashes and their derivatives: SPEC §1."""
import hashlib
import hmac as _hmac


def H256(data):
    return hashlib.sha256(data).digest()


def H512(data):
    return hashlib.sha512(data).digest()


def HMAC(key, data):
    return _hmac.new(key, data, hashlib.sha512).digest()


def hkdf_extract(salt, ikm):
    """RFC 5869 §2.2 with SHA-512."""
    return HMAC(salt, ikm)


def hkdf_expand(prk, info, length):
    """RFC 5869 §2.3."""
    out, block, i = b"", b"", 1
    while len(out) < length:
        block = HMAC(prk, block + info + bytes([i]))
        out, i = out + block, i + 1
    return out[:length]


def expand_message_xmd(message, dst, length):
    """RFC 9380 §5.3.1 with SHA-512; DSTs here are always shorter than 256 bytes."""
    dst_prime = dst + bytes([len(dst)])
    blocks = -(-length // 64)
    b0 = H512(bytes(128) + message + length.to_bytes(2, "big") + b"\0" + dst_prime)
    out = block = H512(b0 + b"\1" + dst_prime)
    for i in range(2, blocks + 1):
        block = H512(bytes(x ^ y for x, y in zip(b0, block)) + bytes([i]) + dst_prime)
        out += block
    return out[:length]


def u8(x):
    return x.to_bytes(1, "big")


def u16(x):
    return x.to_bytes(2, "big")


def u32(x):
    return x.to_bytes(4, "big")


def u64(x):
    return x.to_bytes(8, "big")


def lp(x):
    """SPEC §1: length as u16, then the bytes."""
    return u16(len(x)) + x
