"""Ed25519 (RFC 8032 §5.1), verification strict as [STM-2] wants it."""
import group
from group import D, ORDER, P, SQRT_M1, Refused
from hashes import H512

_by = 4 * pow(5, -1, P) % P


def _recover_x(y, sign):
    """§5.1.3, steps 2 to 4."""
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    square, x = group.sqrt_ratio_m1(u, v)
    if not square or (x == 0 and sign):
        raise Refused("STM-2", "no point has this encoding")
    return P - x if x & 1 != sign else x


_bx = _recover_x(_by, 0)
BASE = (_bx, _by, 1, _bx * _by % P)


def _encode(p):
    z = pow(p[2], -1, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _decode(data):
    value = int.from_bytes(data, "little")
    y, sign = value % 2**255, value >> 255
    if len(data) != 32 or y >= P:
        raise Refused("STM-2", "point is not canonical")
    x = _recover_x(y, sign)
    return x, y, 1, x * y % P


def _small_order(p):
    for _ in range(3):
        p = group.double(p)
    return p[0] % P == 0 and (p[1] - p[2]) % P == 0


def check_key(public):
    """A public key that may verify something: [STM-2]."""
    point = _decode(public)
    if _small_order(point):
        raise Refused("STM-2", "point of small order")
    return point


def _expand(secret):
    h = H512(secret)
    a = int.from_bytes(h[:32], "little")
    return a & (2**254 - 8) | 2**254, h[32:]


def public_key(secret):
    """§5.1.5. `secret` is the 32-byte seed."""
    return _encode(group.multiply(_expand(secret)[0], BASE))


def _hash(*parts):
    return int.from_bytes(H512(b"".join(parts)), "little") % ORDER


def sign(secret, message):
    """§5.1.6."""
    a, prefix = _expand(secret)
    public = _encode(group.multiply(a, BASE))
    r = _hash(prefix, message)
    point = _encode(group.multiply(r, BASE))
    return point + ((r + _hash(point, public, message) * a) % ORDER).to_bytes(32, "little")


def verify(public, message, signature):
    """§5.1.7 without the cofactor; canonical encodings and no small-order public key or R."""
    if len(signature) != 64:
        raise Refused("STM-2", "signature has a wrong length")
    s = int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        raise Refused("STM-2", "signature's scalar is not canonical")
    a, r = check_key(public), _decode(signature[:32])
    if _small_order(r):
        raise Refused("STM-2", "point of small order")
    k = _hash(signature[:32], public, message)
    # sB - kA = R, compared as encodings.
    if _encode(group.add(group.multiply(s, BASE), group.multiply(k, group.negate(a)))) != signature[:32]:
        raise Refused("STM-2", "signature is wrong")
