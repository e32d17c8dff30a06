"""RFC 9497, suite ristretto255-SHA512, modes OPRF (0, for the RFC's vectors) and VOPRF (1): SPEC §2."""
import group
from group import Refused
from hashes import H512, expand_message_xmd, lp, u16

OPRF, VOPRF = 0, 1


class Suite:
    """The functions of RFC 9497 §3 and §4.1 under one mode's context string. [SUI-1]"""

    def __init__(self, mode=VOPRF):
        self.context = b"OPRFV1-" + bytes([mode]) + b"-ristretto255-SHA512"

    def hash_to_group(self, data):
        return group.from_uniform_bytes(expand_message_xmd(data, b"HashToGroup-" + self.context, 64))

    def hash_to_scalar(self, data, dst=b"HashToScalar-"):
        return int.from_bytes(expand_message_xmd(data, dst + self.context, 64), "little") % group.ORDER

    def derive_key_pair(self, seed, info):
        """§3.2.1."""
        for counter in range(256):
            sk = self.hash_to_scalar(seed + lp(info) + bytes([counter]), b"DeriveKeyPair")
            if sk:
                return sk, group.multiply(sk, group.BASE)
        raise ValueError("DeriveKeyPairError")

    def blind(self, data, blind):
        """§3.3.1, with the blind given."""
        return group.multiply(blind, self.hash_to_group(data))

    def output(self, data, unblinded):
        return H512(lp(data) + lp(group.encode(unblinded)) + b"Finalize")

    def finalize(self, data, blind, evaluated):
        """§3.3.1."""
        return self.output(data, group.multiply(pow(blind, -1, group.ORDER), evaluated))

    def evaluate(self, sk, data):
        return self.output(data, group.multiply(sk, self.hash_to_group(data)))

    # §2.2: one proof for a whole batch.
    def _weights(self, public, blinded, evaluated):
        seed = H512(lp(group.encode(public)) + lp(b"Seed-" + self.context))
        for i, (c, d) in enumerate(zip(blinded, evaluated)):
            yield self.hash_to_scalar(lp(seed) + u16(i) + lp(group.encode(c)) + lp(group.encode(d)) + b"Composite")

    def _challenge(self, *elements):
        return self.hash_to_scalar(b"".join(lp(group.encode(e)) for e in elements) + b"Challenge")

    def composites(self, public, blinded, evaluated):
        m = z = group.IDENTITY
        for weight, c, d in zip(self._weights(public, blinded, evaluated), blinded, evaluated):
            m = group.add(m, group.multiply(weight, c))
            z = group.add(z, group.multiply(weight, d))
        return m, z

    def generate_proof(self, sk, public, blinded, evaluated, r):
        """§2.2.1. The nonce r is given: how a peer makes it is [SUI-3]'s matter, and nobody else can tell."""
        m, _ = self.composites(public, blinded, evaluated)
        z = group.multiply(sk, m)
        c = self._challenge(public, m, z, group.multiply(r, group.BASE), group.multiply(r, m))
        return c, (r - c * sk) % group.ORDER

    def verify_proof(self, public, blinded, evaluated, c, s):
        """§2.2.2. [BAT-5]"""
        m, z = self.composites(public, blinded, evaluated)
        t2 = group.add(group.multiply(s, group.BASE), group.multiply(c, public))
        t3 = group.add(group.multiply(s, m), group.multiply(c, z))
        if self._challenge(public, m, z, t2, t3) != c:
            raise Refused("BAT-5", "proof of the batch is wrong")
