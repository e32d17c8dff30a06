"""Signatures of officials and whose keys they are: SPEC §8.1 (OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f, RFC 8032, RFC 5656).

Of the ECDSA curves P-256 alone is here."""
import base64

import ed25519
from group import Refused
from hashes import H256, H512, u32

BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
NAMESPACES = ("request@oblink-1", "countersign@oblink-1", "policy@oblink-1")
ED25519, ECDSA = b"ssh-ed25519", b"ecdsa-sha2-nistp256"
SK_ED25519, SK_ECDSA = b"sk-ssh-ed25519@openssh.com", b"sk-ecdsa-sha2-nistp256@openssh.com"

# --- P-256 (SEC 1, SEC 2) ---
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)  # fmt: skip


def _add(p, q):
    if p is None or q is None:
        return p or q
    if p[0] == q[0]:
        if (p[1] + q[1]) % P == 0:
            return None
        slope = (3 * p[0] * p[0] - 3) * pow(2 * p[1], -1, P)
    else:
        slope = (q[1] - p[1]) * pow(q[0] - p[0], -1, P)
    x = (slope * slope - p[0] - q[0]) % P
    return x, (slope * (p[0] - x) - p[1]) % P


def _multiply(k, p):
    total = None
    while k:
        if k & 1:
            total = _add(total, p)
        p, k = _add(p, p), k >> 1
    return total


def _point(data):
    if len(data) != 65 or data[0] != 4:
        raise Refused("SIG-1", "signature_malformed")
    x, y = int.from_bytes(data[1:33], "big"), int.from_bytes(data[33:], "big")
    if x >= P or y >= P or (y * y - x * x * x + 3 * x - B) % P:
        raise Refused("SIG-1", "signature_malformed")
    return x, y


def _ecdsa(public, value, data):
    """SEC 1 §4.1.4, with SHA-256."""
    strings = _Strings(value)
    r, s = strings.mpint(), strings.mpint()
    strings.end()
    if not (0 < r < N and 0 < s < N):
        raise Refused("SIG-1", "signature_invalid")
    w = pow(s, -1, N)
    e = int.from_bytes(H256(data), "big")
    point = _add(_multiply(e * w % N, G), _multiply(r * w % N, _point(public)))
    if point is None or point[0] % N != r:
        raise Refused("SIG-1", "signature_invalid")


# --- the format ---


class _Strings:
    def __init__(self, data):
        self.data = data

    def take(self, length):
        if length > len(self.data):
            raise Refused("SIG-1", "signature_malformed")
        head, self.data = self.data[:length], self.data[length:]
        return head

    def string(self):
        return self.take(int.from_bytes(self.take(4), "big"))

    def mpint(self):
        """Positive, without a needless zero (RFC 4251 §5)."""
        data = self.string()
        if not data or data[0] & 0x80 or (len(data) > 1 and not data[0] and not data[1] & 0x80):
            raise Refused("SIG-1", "signature_invalid")
        return int.from_bytes(data, "big")

    def end(self):
        if self.data:
            raise Refused("SIG-1", "signature_malformed")


def string(data):
    return u32(len(data)) + data


def armour(blob):
    text = base64.b64encode(blob)
    lines = [text[at : at + 70] + b"\n" for at in range(0, len(text), 70)]
    return BEGIN + b"".join(lines) + END


def dearmour(data):
    if len(data) > 4_096:
        raise Refused("SIG-1", "signature_malformed")
    unix = data
    if b"\r" in data:
        unix = data.replace(b"\r\n", b"\n")
        if b"\r" in unix or unix.replace(b"\n", b"\r\n") != data:
            raise Refused("SIG-1", "signature_malformed")
    try:
        if not (unix.startswith(BEGIN) and unix.endswith(END)):
            raise ValueError
        blob = base64.b64decode(unix[len(BEGIN) : -len(END)].replace(b"\n", b""), validate=True)
    except ValueError:
        raise Refused("SIG-1", "signature_malformed") from None
    if armour(blob) != unix:
        raise Refused("SIG-1", "signature_malformed")
    return blob


class Key:
    """A public key from its blob."""

    def __init__(self, blob):
        self.blob = blob
        strings = _Strings(blob)
        self.type = strings.string()
        if self.type in (ECDSA, SK_ECDSA) and strings.string() != b"nistp256":
            raise Refused("SIG-1", "signature_malformed")
        if self.type not in (ED25519, ECDSA, SK_ED25519, SK_ECDSA):
            raise Refused("SIG-1", "signature_malformed")
        self.public = strings.string()
        if self.type in (ECDSA, SK_ECDSA):
            _point(self.public)
        elif len(self.public) != 32:
            raise Refused("SIG-1", "signature_malformed")
        self.application = strings.string() if self.type in (SK_ED25519, SK_ECDSA) else None
        if self.application is not None and not self.application.startswith(b"ssh:"):
            raise Refused("SIG-1", "signature_malformed")
        strings.end()

    def fingerprint(self):
        return "SHA256:" + base64.b64encode(H256(self.blob)).decode().rstrip("=")


class Signature:
    """An armoured signature taken apart. [SIG-1]"""

    def __init__(self, data):
        strings = _Strings(dearmour(data))
        if strings.take(6) != b"SSHSIG" or strings.take(4) != u32(1):
            raise Refused("SIG-1", "signature_malformed")
        key, namespace, reserved, hash_name, value = (strings.string() for _ in range(5))
        strings.end()
        if reserved or hash_name != b"sha512" or not namespace:
            raise Refused("SIG-1", "signature_malformed")
        self.key, self.namespace = Key(key), namespace
        strings = _Strings(value)
        if strings.string() != self.key.type:
            raise Refused("SIG-1", "signature_malformed")
        self.value = strings.string()
        self.trailer = strings.take(5) if self.key.application is not None else b""
        strings.end()

    def user_present(self):
        """None where the key cannot tell."""
        return bool(self.trailer[0] & 1) if self.trailer else None

    def verify(self, message):
        data = b"SSHSIG" + string(self.namespace) + string(b"") + string(b"sha512") + string(H512(message))
        if self.trailer:
            data = H256(self.key.application) + self.trailer + H256(data)
        if self.key.type in (ECDSA, SK_ECDSA):
            return _ecdsa(self.key.public, self.value, data)
        try:
            ed25519.verify(self.key.public, data, self.value)
        except Refused:
            raise Refused("SIG-1", "signature_invalid") from None


class Signer:
    """A line of allowed signers."""

    def __init__(self, line):
        parts = line.split()
        if len(parts) < 4 or not parts[0].isascii() or set(parts[0]) & set("*?!,\"'\\#"):
            raise Refused("SIG-2", "principal")
        self.principal, options, kind, blob = parts[:4]
        self.options = {}
        for option in options.split('",'):
            name, _, value = option.partition('="')
            if name not in ("namespaces", "valid-after", "valid-before") or name in self.options:
                raise Refused("SIG-2", "an option")
            self.options[name] = value.rstrip('"')
        self.namespaces = self.options.get("namespaces", "").split(",")
        if not set(self.namespaces) <= set(NAMESPACES) or len(set(self.namespaces)) != len(self.namespaces):
            raise Refused("SIG-2", "namespaces")
        self.key = Key(base64.b64decode(blob, validate=True))
        if self.key.type.decode() != kind:
            raise Refused("SIG-2", "type")


def allowed_signers(text):
    """Key blob to signer. [SIG-2] (Times are not read here: no vector has any.)"""
    signers = {}
    for line in text.split("\n"):
        if line.strip(" \t") and not line.lstrip(" \t").startswith("#"):
            signer = Signer(line)
            if signer.key.blob in signers:
                raise Refused("SIG-2", "a key twice")
            signers[signer.key.blob] = signer
    return signers


def count(signers, officials, namespace, message, signatures, needed, user_presence=False):
    """The principals who signed, or the first code of [AUT-2]."""
    if len(signatures) > 64:
        raise Refused("AUT-1", "too_many_signatures")
    found = set()
    for data in signatures:
        signature = Signature(data)
        if signature.namespace != namespace.encode():
            raise Refused("AUT-1", "wrong_namespace")
        signer = signers.get(signature.key.blob)
        if not signer or namespace not in signer.namespaces or signer.principal not in officials:
            raise Refused("AUT-1", "signer_not_listed")
        signature.verify(message)
        if user_presence and not signature.user_present():
            raise Refused("AUT-1", "user_not_present")
        found.add(signer.principal)
    if len(found) < needed:
        raise Refused("AUT-1", "signature_short")
    return sorted(found)
