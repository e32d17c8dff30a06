"""RFC 9497, suite ristretto255-SHA512, modes OPRF (0, for the RFC's vectors) and VOPRF (1): SPEC §2."""
import group
from group import Refused
from hashes import H512, expand_message_xmd, lp, u16, u32

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

    def blind_additively(self, data, blind):
        """[BLD-3]: H(data) + blind·G."""
        element = group.add(self.hash_to_group(data), group.multiply(blind, group.BASE))
        if group.encode(element) == bytes(32):
            raise ValueError("the blinded element is the identity")
        return element

    def output(self, data, unblinded):
        return H512(lp(data) + lp(group.encode(unblinded)) + b"Finalize")

    def finalize(self, data, blind, evaluated):
        """§3.3.1."""
        return self.output(data, group.multiply(pow(blind, -1, group.ORDER), evaluated))

    def finalize_additively(self, data, blind, evaluated, public):
        """[UNB-1], for an element of a batch that verify_batch has let pass under `public` [UNB-2]."""
        n = group.add(evaluated, group.negate(group.multiply(blind, public)))
        if group.encode(n) == group.encode(group.IDENTITY):
            raise Refused("UNB-1", "the unblinded element is the identity")
        return self.output(data, n)

    def evaluate(self, sk, data):
        return self.output(data, group.multiply(sk, self.hash_to_group(data)))

    # §2.2: one proof for a whole batch. `weights` is one of the two functions below.
    def rfc_weights(self, public, blinded, evaluated):
        seed = H512(lp(group.encode(public)) + lp(b"Seed-" + self.context))
        for i, (c, d) in enumerate(zip(blinded, evaluated)):
            yield self.hash_to_scalar(lp(seed) + u16(i) + lp(group.encode(c)) + lp(group.encode(d)) + b"Composite")

    def binding_weights(self, public, blinded, evaluated):
        """[BAT-6]: 128 bits of each, a hash of the whole batch."""
        elements = b"".join(map(group.encode, [*blinded, *evaluated]))
        seed = H512(b"oblink/1/bound-weights\0" + group.encode(public) + u32(len(blinded)) + elements)
        for i in range(len(blinded)):
            block = H512(seed + u32(i // 4))
            yield int.from_bytes(block[i % 4 * 16 :][:16], "little")

    def _challenge(self, *elements):
        return self.hash_to_scalar(b"".join(lp(group.encode(e)) for e in elements) + b"Challenge")

    def composites(self, public, blinded, evaluated, weights):
        m = z = group.IDENTITY
        for weight, c, d in zip(weights(public, blinded, evaluated), blinded, evaluated):
            m = group.add(m, group.multiply(weight, c))
            z = group.add(z, group.multiply(weight, d))
        return m, z

    def generate_proof(self, sk, public, blinded, evaluated, r, weights=None):
        """§2.2.1. The nonce r is given: how a peer makes it is [SUI-3]'s matter, and nobody else can tell."""
        m, _ = self.composites(public, blinded, evaluated, weights or self.rfc_weights)
        z = group.multiply(sk, m)
        c = self._challenge(public, m, z, group.multiply(r, group.BASE), group.multiply(r, m))
        return c, (r - c * sk) % group.ORDER

    def verify_proof(self, public, blinded, evaluated, c, s, weights=None, anchor="BAT-5"):
        """§2.2.2. [BAT-5]"""
        m, z = self.composites(public, blinded, evaluated, weights or self.rfc_weights)
        if group.encode(group.IDENTITY) in (group.encode(m), group.encode(z)):
            raise Refused(anchor, "a composite is the identity")
        t2 = group.add(group.multiply(s, group.BASE), group.multiply(c, public))
        t3 = group.add(group.multiply(s, m), group.multiply(c, z))
        if self._challenge(public, m, z, t2, t3) != c:
            raise Refused(anchor, "proof of the batch is wrong")

    def verify_batch(self, public, blinded, evaluated, proof):
        """[BAT-5], [BAT-6]: both proofs of a batch, as four scalars."""
        self.verify_proof(public, blinded, evaluated, *proof[:2])
        self.verify_proof(public, blinded, evaluated, *proof[2:], self.binding_weights, "BAT-6")

    def prove_batch(self, sk, public, blinded, evaluated, r, r_binding):
        """Both proofs, as four scalars."""
        rfc = self.generate_proof(sk, public, blinded, evaluated, r)
        return rfc + self.generate_proof(sk, public, blinded, evaluated, r_binding, self.binding_weights)
