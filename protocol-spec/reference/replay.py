"""A whole session, from the inputs of vectors/session.json alone. Gives what the vector's `outputs` should be.

What is taken from the vector is each batch's two proofs, which no one but the holder can predict ([SUI-3]): both are verified."""
import ed25519
import group
import ledger
import merkle
import policy
import request as r
import sealed_set
import session as s
import wire
from hashes import H256
from tokens import SUITE, Blinder, Epoch, token, truncate


# Rulesets that a holder knows: name to digest, class and T.
RULESETS = {"us-exact-1": ("c6dfefa19e62a6ac9794cd05a4468381267d5e6d05e01a79c5351f6c3e403d09", "confirm-address", 1)}


def unhex(inputs):
    """The inputs with byte strings as bytes; clear text stays."""
    text = {"ruleset", "rule", "fields", "ledger", "authority"}

    def walk(name, value):
        if name in ("ledger", "authority"):
            return value
        if isinstance(value, dict):
            return {k: walk(k, v) for k, v in value.items()}
        if isinstance(value, list):
            return [walk(name, v) for v in value]
        return bytes.fromhex(value) if isinstance(value, str) and name not in text else value

    return walk("", inputs)


def token_of(inputs, slot):
    return token(inputs["ruleset_digest"], slot["rule"], [field.encode() for field in slot["fields"]])


class Parties:
    """Keys, certificates, tokens and the set of a case: what exists before the first frame."""

    def __init__(self, inputs):
        self.inputs = i = unhex(inputs)
        for role in ("verifier", "holder"):
            party = i[role]
            certificate = s.certify(party["identity_secret"], party["statement_secret"], party["issued_unix_ms"])
            setattr(self, role + "_certificate", certificate)
            setattr(self, role + "_fp", s.fingerprint(ed25519.public_key(party["identity_secret"])))
        self.epoch = Epoch(i["epoch_seed"], i["epoch_id"])
        self.blinder = Blinder(i["blind_seed"], i["request_id"])
        # [TOK-3]: slots in a row, pair 0's first.
        self.slots = [slot for pair in i["pairs"] for slot in pair]
        self.tokens = [
            token_of(i, slot) if slot else self.blinder.dummy(i["ruleset_digest"], index)
            for index, slot in enumerate(self.slots)
        ]
        self.prefixes = [self.epoch.prefix(token_of(i, record)) for record in i["records"]]
        self.prefixes += [self.epoch.padding(n) for n in range(i["padding_tags"])]
        parameters = sealed_set.Parameters(
            1, i["tokens_per_pair"], i["as_of"], i["session_tokens_max"], i["epoch_id"], i["ruleset_digest"], self.epoch.pk
        )
        self.set = sealed_set.write(parameters, self.prefixes)
        self.log = ledger.Log(i["ledger"]["entries"])
        self.known = i["ledger"]["known"]
        self.policy = None
        core = {
            "batch_tokens": i["batch_tokens"], "format": "oblink/request/1", "pairs": len(i["pairs"]),
            "request_id": i["request_id"].hex(), "ruleset": i["ruleset"],
            "ruleset_digest": i["ruleset_digest"].hex(), "tokens_per_pair": i["tokens_per_pair"],
        }  # fmt: skip
        if "authority" in i:
            core = self.manifest(core)
            self.policy = policy.Policy(i["authority"]["policy"], i["authority"]["allowed_signers"])
        self.request = r.canonical(core)

    def blinded(self):
        """The blinded elements of every batch: [BLD-3], [REQ-5]."""
        size = self.inputs["batch_tokens"]
        blinded = [SUITE.blind_additively(data, self.blinder.blind(index, data)) for index, data in enumerate(self.tokens)]
        return [wire.encodings(blinded[at : at + size]) for at in range(0, len(blinded), size)]

    def manifest(self, core):
        """[REQ-3]: what is said, and what is committed to."""
        i, authority = self.inputs, self.inputs["authority"]
        self.row_leaves = r.row_leaves(bytes.fromhex(authority["salt_seed"]), i["request_id"], authority["rows"])
        digests = [s.batch_digest(b"blinded", index, batch) for index, batch in enumerate(self.blinded())]
        self.blinded_leaves = r.blinded_leaves(digests)
        return core | authority["manifest"] | {
            "format": "oblink/authorised-request/1",
            "blind_seed_digest": r.blind_seed_digest(i["request_id"], i["blind_seed"]).hex(),
            "blinded_root": merkle.root(self.blinded_leaves).hex(), "holder": self.holder_fp.hex(),
            "list_root": merkle.root(self.row_leaves).hex(), "verifier": self.verifier_fp.hex(),
        }  # fmt: skip

    def path(self, index):
        """[BAT-7]"""
        return merkle.path(self.blinded_leaves, index) if self.policy else []

    def head_size(self, batches):
        """Entries of the log once the session is opened and so many batches are charged: one for each."""
        return self.inputs["ledger"]["before"] + 1 + batches

    def hello_fields(self):
        i = self.inputs
        return dict(
            versions=[1], suites=[1], nonce=i["verifier_nonce"], clock_unix_ms=i["hello_unix_ms"],
            certificate=self.verifier_certificate, request=self.request,
            signatures=[signature.encode() for signature in i.get("authority", {}).get("signatures", [])],
            head_size=self.known, head_root=self.log.root(self.known) if self.known else bytes(32),
        )  # fmt: skip

    def welcome_fields(self):
        i = self.inputs
        p, bits, _, declared, n = sealed_set.read_header(self.set)
        size, time = self.head_size(0), i["welcome_unix_ms"]
        head = ledger.head_body(self.holder_fp, size, self.log.root(size), time)
        return dict(
            version=1, suite=1, nonce=i["holder_nonce"], clock_unix_ms=i["welcome_unix_ms"],
            certificate=self.holder_certificate, ruleset_digest=i["ruleset_digest"], tau=bits,
            tokens_per_pair=i["tokens_per_pair"], session_tokens_max=p.session_tokens_max, declared_tags=declared,
            set_tags=n, set_bytes=len(self.set), as_of=p.as_of, epoch_id=p.epoch_id, set_id=H256(self.set),
            public_key=p.public_key, batches_in_flight_max=8, authority=1 if self.policy else 0,
            resend=[], policy=self.policy.digest if self.policy else bytes(32), head_size=size,
            head_root=self.log.root(size), head_unix_ms=time,
            head_signature=s.state(i["holder"]["statement_secret"], b"head", head),
            consistency=self.log.consistency(self.known, size),
        )  # fmt: skip

    def offer(self):
        """What a holder holds a Hello against."""
        before = ledger.Log(self.log.entries[: self.inputs["ledger"]["before"]])
        rules = self.policy and dict(
            policy=self.policy, holder=self.holder_fp, rulesets=RULESETS,
            countersignatures=[signature.encode() for signature in self.inputs["authority"]["countersignatures"]],
        )  # fmt: skip
        return dict(self.welcome_fields(), pilot_pairs_max=10, rules=rules, log=before)


def run(inputs, proofs):
    """`proofs`: the 128 bytes of each batch."""
    parties = Parties(inputs)
    i, frames = parties.inputs, []

    def sent(by, name, data):
        frames.append({"from": by, "name": name, "bytes": data.hex()})
        return data

    hello = sent("verifier", "Hello", wire.control(wire.HELLO, **parties.hello_fields()))
    s.check_hello(hello, parties.verifier_fp, parties.offer(), i["welcome_unix_ms"])
    welcome = sent("holder", "Welcome", wire.control(wire.WELCOME, **parties.welcome_fields()))
    w = s.check_welcome(welcome, hello, parties.holder_fp, i["hello_unix_ms"])
    session = s.Session(parties.verifier_fp, parties.holder_fp, hello, welcome)

    session.check_set_request(
        sent("verifier", "SetRequest", wire.control(wire.SET_REQUEST, set_id=w["set_id"], offset=0))
    )
    received = b""
    for offset in range(0, len(parties.set), i["set_chunk_bytes"]):
        chunk = wire.set_chunk(offset, parties.set[offset : offset + i["set_chunk_bytes"]])
        received += session.check_set_chunk(sent("holder", "SetChunk", chunk), len(received))
    held = set(s.check_set(received, w))

    blinds, outputs, batches = [], [], []
    for (index, first, count), proof in zip(session.batches, proofs, strict=True):
        # The verifier: §6.3, §6.4.
        tokens = parties.tokens[first : first + count]
        mine = [parties.blinder.blind(first + j, data) for j, data in enumerate(tokens)]
        blinded = wire.encodings(SUITE.blind_additively(data, blind) for data, blind in zip(tokens, mine))
        blinded_digest = s.batch_digest(b"blinded", index, blinded)
        body = session.batch_body(index, blinded_digest)
        statement = s.state(i["verifier"]["statement_secret"], b"batch", body)
        up = sent("verifier", "Batch", wire.batch(index, blinded, statement, parties.path(index)))
        # The holder.
        _, points = session.check_batch(up)
        evaluated = wire.encodings(group.multiply(parties.epoch.sk, point) for point in points)
        evaluated_digest = s.batch_digest(b"evaluated", index, evaluated)
        down = sent("holder", "Evaluated", wire.evaluated(index, evaluated, wire.unproof(proof)))
        # The verifier again: §6.4, §6.5.
        answers = session.check_evaluated(down, index, points)
        public = group.decode(w["public_key"])
        unblinded = [SUITE.finalize_additively(*each, public) for each in zip(tokens, mine, answers)]
        if unblinded != [SUITE.evaluate(parties.epoch.sk, data) for data in tokens]:
            raise group.Refused("UNB-3", "the outputs are not those of the holder's own evaluation")
        outputs += unblinded
        session.digests[index] = (blinded_digest, evaluated_digest)
        blinds += [group.encode_scalar(blind).hex() for blind in mine]
        batches.append({
            "index": index, "blinded": [e.hex() for e in blinded], "blinded_digest": blinded_digest.hex(),
            "statement": statement.hex(), "evaluated": [e.hex() for e in evaluated],
            "evaluated_digest": evaluated_digest.hex(), "proof": proof.hex(),
        })  # fmt: skip
    tags = [truncate(int.from_bytes(output[:16], "big"), w["tau"]) for output in outputs]

    session.check_complete(sent("verifier", "Complete", wire.control(wire.COMPLETE, transcript=session.transcript())))
    size = parties.head_size(len(batches))
    receipt = session.receipt_body(i["completed_unix_ms"], size, parties.log.root(size))
    signature = s.state(i["holder"]["statement_secret"], b"receipt", receipt)
    frame = sent("holder", "Receipt", wire.control(
        wire.RECEIPT, body=receipt, signature=signature, consistency=parties.log.consistency(w["head_size"], size)
    ))
    session.check_receipt(frame, i["completed_unix_ms"], i["hello_unix_ms"])
    signature = s.state(i["verifier"]["statement_secret"], b"receipt", receipt)
    session.check_acknowledge(sent("verifier", "Acknowledge", wire.control(wire.ACKNOWLEDGE, signature=signature)), receipt)
    sent("holder", "Closed", wire.frame(wire.CLOSED, b""))

    # [END-6]
    found = [slot is not None and tag in held for slot, tag in zip(parties.slots, tags)]
    per_pair = i["tokens_per_pair"]
    return session, parties, {
        "verifier_fingerprint": parties.verifier_fp.hex(), "holder_fingerprint": parties.holder_fp.hex(),
        "verifier_certificate": parties.verifier_certificate.hex(),
        "holder_certificate": parties.holder_certificate.hex(), "public_key": parties.epoch.pk.hex(),
        "prefixes": [format(prefix, "032x") for prefix in parties.prefixes], "tau": w["tau"],
        "declared_tags": w["declared_tags"], "set_tags": w["set_tags"], "set_id": w["set_id"].hex(),
        "set": parties.set.hex(), "request": parties.request.decode(), "request_digest": session.request_digest.hex(),
        "session_id": session.id.hex(), "tokens": [data.hex() for data in parties.tokens], "blinds": blinds,
        "batches": batches, "tags": [format(tag, "032x") for tag in tags],
        "transcript": session.transcript().hex(), "receipt": receipt.decode(), "receipt_digest": H256(receipt).hex(),
        "frames": frames, "matches": [any(found[at : at + per_pair]) for at in range(0, len(found), per_pair)],
    }  # fmt: skip
