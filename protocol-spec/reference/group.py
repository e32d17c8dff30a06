"""ristretto255 (RFC 9496) over edwards25519, in plain integers. Slow and not constant time: for vectors only."""

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)


class Refused(Exception):
    """Bytes that a reader must refuse. `anchor` is the requirement of SPEC.md, `blame` who broke it."""

    def __init__(self, anchor, text, blame=None, code=None):
        super().__init__(f"[{anchor}] {text}")
        self.anchor, self.text, self.blame, self.code = anchor, text, blame, code


def is_negative(x):
    return x & 1


def absolute(x):
    return P - x if is_negative(x) else x


def sqrt_ratio_m1(u, v):
    """RFC 9496 §4.2: (was u/v a square, its non-negative root or that of i·u/v)."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    correct, flipped, flipped_i = check == u % P, check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return correct or flipped, absolute(r)


SQRT_AD_MINUS_ONE = 25063068953384623474111414158702152701244531502492656460079210482610430750235
INVSQRT_A_MINUS_D = 54469307008909316920995813868745141605393597292927456921205312896311721017578
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P


# Points are (X, Y, Z, T) with x = X/Z, y = Y/Z, xy = T/Z.
IDENTITY = (0, 1, 1, 0)


def add(p, q):
    """Unified addition on -x² + y² = 1 + dx²y² (RFC 8032 §5.1.4)."""
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def double(p):
    a, b = p[0] * p[0] % P, p[1] * p[1] % P
    h = a + b
    e = h - (p[0] + p[1]) ** 2
    g = a - b
    f = 2 * p[2] * p[2] + g
    return e * f % P, g * h % P, f * g % P, e * h % P


def negate(p):
    return -p[0] % P, p[1], p[2], -p[3] % P


def multiply(scalar, point):
    result = IDENTITY
    for bit in bin(scalar % ORDER)[2:]:
        result = double(result)
        if bit == "1":
            result = add(result, point)
    return result


def equal(p, q):
    """RFC 9496 §4.3.3: equality of ristretto255 elements, not of points."""
    return (p[0] * q[1] - p[1] * q[0]) % P == 0 or (p[1] * q[1] - p[0] * q[0]) % P == 0


def encode(point):
    """RFC 9496 §4.3.2."""
    x0, y0, z0, t0 = point
    u1, u2 = (z0 + y0) * (z0 - y0) % P, x0 * y0 % P
    _, invsqrt = sqrt_ratio_m1(1, u1 * u2 * u2 % P)
    den1, den2 = invsqrt * u1 % P, invsqrt * u2 % P
    z_inv = den1 * den2 * t0 % P
    if is_negative(t0 * z_inv % P):
        x, y, den_inv = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if is_negative(x * z_inv % P):
        y = -y % P
    return absolute(den_inv * (z0 - y) % P).to_bytes(32, "little")


def decode(data):
    """RFC 9496 §4.3.1, and the identity refused: [SUI-2]."""
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= P or is_negative(s):
        raise Refused("SUI-2", "element is not canonical")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-D * u1 * u1 - u2 * u2) % P
    was_square, invsqrt = sqrt_ratio_m1(1, v * u2 * u2 % P)
    den_x = invsqrt * u2 % P
    den_y = invsqrt * den_x * v % P
    x = absolute(2 * s * den_x % P)
    y = u1 * den_y % P
    t = x * y % P
    if not was_square or is_negative(t) or y == 0:
        raise Refused("SUI-2", "element is not canonical")
    if s == 0:
        raise Refused("SUI-2", "element is the identity")
    return x, y, 1, t


def is_element(data):
    try:
        decode(data)
    except Refused:
        return False
    return True


def decode_scalar(data):
    s = int.from_bytes(data, "little")
    if len(data) != 32 or s >= ORDER:
        raise Refused("SUI-2", "scalar is not canonical")
    return s


def encode_scalar(s):
    return s.to_bytes(32, "little")


def _map(t):
    """RFC 9496 §4.3.4, MAP."""
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    was_square, s = sqrt_ratio_m1(u, v)
    if was_square:
        c = P - 1
    else:
        s, c = -absolute(s * t % P) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P


def from_uniform_bytes(data):
    """RFC 9496 §4.3.4: 64 bytes to an element."""
    halves = (int.from_bytes(data[i : i + 32], "little") % 2**255 % P for i in (0, 32))
    return add(*map(_map, halves))


BASE_ENCODED = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
BASE = decode(BASE_ENCODED)
