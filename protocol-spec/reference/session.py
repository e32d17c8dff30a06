"""Statements, request, transcript, receipt and what each side refuses: SPEC §5.3 and §6."""
import json

import ed25519
import group
import ledger
import merkle
import policy
import request as r
import sealed_set
import wire
from group import Refused
from hashes import H256, H512, lp, u8, u16, u32, u64
from request import canonical
from tokens import SUITE, tau

SKEW_MS_MAX = 300_000
# The blame where neither broke a rule: the two are configured differently.
CONFIGURATION = "configuration"
SPKI = bytes.fromhex("302a300506032b6570032100")


def fingerprint(identity_pk):
    """[TRN-2], [STM-1]"""
    return H256(SPKI + identity_pk)


# --- §5.3 ---


def certify(identity_secret, statement_secret, issued_unix_ms):
    """[STM-1]"""
    head = ed25519.public_key(identity_secret) + ed25519.public_key(statement_secret) + u64(issued_unix_ms)
    return head + ed25519.sign(identity_secret, b"oblink/1/statement-key\0" + H512(head))


def check_certificate(certificate, peer_fingerprint):
    """The statement key that a certificate gives. [STM-1]"""
    if fingerprint(certificate[:32]) != peer_fingerprint:
        raise Refused("STM-1", "the certificate's identity is not the one that TLS authenticated")
    try:
        ed25519.verify(certificate[:32], b"oblink/1/statement-key\0" + H512(certificate[:72]), certificate[72:])
        ed25519.check_key(certificate[32:64])
    except Refused as e:
        raise Refused("STM-1", "certificate: " + e.text) from None
    return certificate[32:64]


def _statement(kind, body):
    return b"oblink/1/" + kind + b"\0" + H512(body)


def state(secret, kind, body):
    """[STM-2]"""
    return ed25519.sign(secret, _statement(kind, body))


def check_statement(public, kind, body, signature):
    ed25519.verify(public, _statement(kind, body), signature)


# --- digests ---


def session_id(verifier_fp, holder_fp, verifier_nonce, holder_nonce, request_digest):
    """[HSK-6]"""
    parts = verifier_fp + holder_fp + verifier_nonce + holder_nonce + request_digest
    return H256(b"oblink/1/session\0" + parts)[:16]


def batch_digest(label, index, elements):
    """[BAT-1], label `blinded` or `evaluated`."""
    return H256(b"oblink/1/" + label + b"\0" + u64(index) + u32(len(elements)) + b"".join(elements))


def batch_body(session, request_digest, epoch_id, set_id, index, blinded_digest):
    """[STM-3]"""
    return session + request_digest + epoch_id + set_id + u64(index) + blinded_digest


def check_clock(theirs, now, anchor="HSK-2"):
    if abs(theirs - now) > SKEW_MS_MAX:
        raise Refused(anchor, "clocks differ", CONFIGURATION, wire.CLOCK_SKEW)


class Session:
    """What both sides know once Hello and Welcome are checked."""

    def __init__(self, verifier_fp, holder_fp, hello_frame, welcome_frame):
        self.hello = wire.uncontrol(hello_frame, wire.HELLO)
        self.welcome = wire.uncontrol(welcome_frame, wire.WELCOME)
        self.verifier_fp, self.holder_fp = verifier_fp, holder_fp
        self.request = r.parse(self.hello["request"])
        self.request_digest = H256(self.hello["request"])
        self.tokens = self.request["pairs"] * self.request["tokens_per_pair"]
        self.batches = r.batches_of(self.request)
        self.id = session_id(
            verifier_fp, holder_fp, self.hello["nonce"], self.welcome["nonce"], self.request_digest
        )
        self.digests = {}  # index -> (blinded_digest, evaluated_digest)

    def transcript_input(self):
        """[END-1]"""

        def offered(numbers):
            return u16(len(numbers)) + b"".join(map(u16, numbers))

        h, w = self.hello, self.welcome
        out = b"oblink/1/transcript\0" + u16(w["version"]) + u16(w["suite"])
        out += offered(h["versions"]) + offered(h["suites"]) + h["nonce"] + w["nonce"] + self.verifier_fp + self.holder_fp
        out += w["ruleset_digest"] + u8(w["tau"]) + u16(w["tokens_per_pair"]) + w["set_id"] + lp(w["public_key"])
        out += self.request_digest + u64(len(self.batches))
        for index, _, _ in self.batches:
            out += u64(index) + b"".join(self.digests[index])
        return out

    def transcript(self):
        return H512(self.transcript_input())

    def receipt_body(self, completed_unix_ms, size, root, policy=None):
        """[END-3]. `size` and `root` are the log's head; the policy's digest is Welcome's unless it is given."""
        h, w, q = self.hello, self.welcome, self.request
        return canonical({
            "as_of": w["as_of"], "authority": "signed" if w["authority"] else "unsigned", "batches": len(self.batches),
            "completed_unix_ms": completed_unix_ms, "disclosure": q.get("disclosure", "none"),
            "epoch": w["epoch_id"].hex(), "format": "oblink/receipt/1",
            "holder": self.holder_fp.hex(), "holder_statement_key": w["certificate"][32:64].hex(),
            "ledger_root": root.hex(), "ledger_size": size, "pairs": q["pairs"],
            "policy": policy or (w["policy"].hex() if w["authority"] else ""), "public_key": w["public_key"].hex(),
            "request_digest": self.request_digest.hex(),
            "request_id": q["request_id"], "ruleset": q["ruleset"], "ruleset_digest": q["ruleset_digest"],
            "session": self.id.hex(), "set_id": w["set_id"].hex(), "suite": w["suite"], "tau": w["tau"],
            "tokens": self.tokens, "transcript": self.transcript().hex(), "verifier": self.verifier_fp.hex(),
            "verifier_statement_key": h["certificate"][32:64].hex(), "version": w["version"],
        })  # fmt: skip

    def batch_body(self, index, blinded_digest):
        """[STM-3], for this session."""
        w = self.welcome
        return batch_body(self.id, self.request_digest, w["epoch_id"], w["set_id"], index, blinded_digest)

    # --- what the holder refuses ---

    def check_batch(self, data):
        """[BAT-2], [STM-3], [BAT-7]. Gives (index, blinded elements as points)."""
        malformed = dict(blame="verifier", code=wire.BATCH_MALFORMED)
        index, elements, signature, path = wire.unbatch(data)
        if index >= len(self.batches) or self.batches[index][2] != len(elements):
            raise Refused("BAT-2", "index or count", **malformed)
        digest = batch_digest(b"blinded", index, elements)
        body = self.batch_body(index, digest)
        try:
            check_statement(self.hello["certificate"][32:64], b"batch", body, signature)
        except Refused as e:
            raise Refused("STM-3", e.text, "verifier", wire.SIGNATURE_INVALID) from None
        if not r.is_authorised(self.request):
            if path:
                raise Refused("BAT-7", "a path where nothing is committed to", **malformed)
        else:
            try:
                expected = bytes.fromhex(self.request["blinded_root"])
                merkle.check_path(merkle.leaf(digest), index, len(self.batches), path, expected)
            except Refused as e:
                raise Refused("BAT-7", e.text, "verifier", wire.BATCH_UNAPPROVED) from None
        if index in self.digests and self.digests[index][0] != digest:
            raise Refused("BAT-3", "another batch under a charged index", "verifier", wire.BATCH_CONFLICT)
        try:
            return index, wire.points(elements)
        except Refused as e:
            raise Refused(e.anchor, e.text, **malformed) from None

    def check_complete(self, data):
        """[END-2]"""
        theirs = wire.uncontrol(data, wire.COMPLETE)["transcript"]
        if len(self.digests) != len(self.batches):
            raise Refused("END-2", "a batch is missing", "verifier", wire.OUT_OF_TURN)
        if theirs != self.transcript():
            raise Refused("END-2", "transcripts differ", "verifier", wire.TRANSCRIPT_DIFFERS)

    def check_set_request(self, data):
        """[SET-8]"""
        asked = wire.uncontrol(data, wire.SET_REQUEST)
        if asked["set_id"] != self.welcome["set_id"] or asked["offset"] > self.welcome["set_bytes"]:
            raise Refused("SET-8", "not this session's set, or beyond its end", "verifier", wire.OUT_OF_TURN)

    def check_acknowledge(self, data, receipt_body):
        """[END-3]"""
        signature = wire.uncontrol(data, wire.ACKNOWLEDGE)["signature"]
        check_statement(self.hello["certificate"][32:64], b"receipt", receipt_body, signature)

    # --- what the verifier refuses ---

    def check_set_chunk(self, data, offset):
        """[SET-8]. `offset` is the one due."""
        at, part = wire.unset_chunk(data)
        if at != offset or at + len(part) > self.welcome["set_bytes"]:
            raise Refused("SET-8", "not the bytes due", "holder")
        return part

    def check_evaluated(self, data, index, blinded):
        """[BAT-5], [BAT-6], [SUI-2]. `blinded` are points; gives the evaluated elements as points."""
        theirs, elements, proof = wire.unraw(data, wire.EVALUATED)
        if theirs != index or len(elements) != len(blinded):
            raise Refused("BAT-4", "answer to another batch", "holder")
        points = wire.points(elements)
        SUITE.verify_batch(group.decode(self.welcome["public_key"]), blinded, points, wire.unproof(proof))
        return points

    def check_receipt(self, data, now, admitted):
        """[END-3]. `admitted` is the verifier's clock when Welcome came."""
        fields = wire.uncontrol(data, wire.RECEIPT)
        try:
            members = json.loads(fields["body"])
            completed, size, root = members["completed_unix_ms"], members["ledger_size"], bytes.fromhex(members["ledger_root"])
            # [END-4]: one from before this Welcome may be of an earlier policy.
            policy = members["policy"] if self.welcome["authority"] and size < self.welcome["head_size"] else None
            same = type(completed) is type(size) is int and self.receipt_body(completed, size, root, policy) == fields["body"]
        except (ValueError, KeyError, TypeError):
            same = False
        if not same:
            raise Refused("END-3", "a member of the receipt differs", "holder")
        w = self.welcome
        earlier, later = sorted([(w["head_size"], w["head_root"]), (size, root)], key=lambda head: head[0])
        try:
            if size == 0 or len(root) != 32:
                raise Refused("END-3", "no entries")
            merkle.check_consistency(*earlier, *later, fields["consistency"])
        except Refused as e:
            raise Refused("END-3", e.text, "holder") from None
        if completed > now + SKEW_MS_MAX or completed < admitted - SKEW_MS_MAX:
            raise Refused("END-3", "completed in the future or before the session", CONFIGURATION)
        check_statement(self.welcome["certificate"][32:64], b"receipt", fields["body"], fields["signature"])
        return fields["body"]


def check_hello(data, verifier_fp, offer, now):
    """What the holder refuses in a Hello, given the sealed set's header as `offer` (a Welcome's fields, and what it decides by:
    `pilot_pairs_max`, or `rules` under a policy, and its `log`). [HSK-1] to [HSK-4], [AUT-1], [HSK-8]"""
    hello = wire.uncontrol(data, wire.HELLO)
    versions, suites = hello["versions"], hello["suites"]
    if not versions or not suites or versions != sorted(set(versions)):
        raise Refused("FRM-4", "versions or suites", "verifier")
    if 1 not in versions:
        raise Refused("HSK-1", "no common version", CONFIGURATION, wire.VERSION_UNSUPPORTED)
    if 1 not in suites:
        raise Refused("HSK-1", "no common suite", CONFIGURATION, wire.SUITE_UNSUPPORTED)
    check_clock(hello["clock_unix_ms"], now)
    try:
        check_certificate(hello["certificate"], verifier_fp)
    except Refused as e:
        raise Refused(e.anchor, e.text, "verifier", wire.SIGNATURE_INVALID) from None
    request = r.parse(hello["request"])
    if (request["ruleset_digest"], request["tokens_per_pair"]) != (offer["ruleset_digest"].hex(), offer["tokens_per_pair"]):
        raise Refused("HSK-3", "ruleset or tokens a pair", CONFIGURATION, wire.RULESET_MISMATCH)
    if offer.get("rules"):
        house = offer["rules"]
        facts = house["holder"], verifier_fp, hello["request"], hello["signatures"], house["countersignatures"]
        policy.authorise(house["policy"], *facts, offer["as_of"], house["rulesets"], now)
    elif request["pairs"] > offer["pilot_pairs_max"]:
        raise Refused("HSK-4", "pairs", "verifier", wire.PAIRS_OVER_CAP)
    if request["pairs"] * request["tokens_per_pair"] > offer["session_tokens_max"]:
        raise Refused("TAG-3", "tokens", CONFIGURATION, wire.TOKENS_OVER_CAP)
    if offer["log"].diverges(hello["head_size"], hello["head_root"]):
        raise Refused("HSK-8", "the log does not continue the head that the verifier knows", "verifier", wire.LEDGER_DIVERGED)
    return request


def check_welcome(data, hello_frame, holder_fp, now):
    """What the verifier refuses in a Welcome. [HSK-7]"""
    hello, w = wire.uncontrol(hello_frame, wire.HELLO), wire.uncontrol(data, wire.WELCOME)
    request = r.parse(hello["request"])
    if w["version"] not in hello["versions"] or w["suite"] not in hello["suites"]:
        raise Refused("HSK-7", "version or suite not offered", "holder")
    check_clock(w["clock_unix_ms"], now)
    try:
        check_certificate(w["certificate"], holder_fp)
    except Refused as e:
        raise Refused(e.anchor, e.text, "holder") from None
    body = ledger.head_body(holder_fp, w["head_size"], w["head_root"], w["head_unix_ms"])
    try:
        check_statement(w["certificate"][32:64], b"head", body, w["head_signature"])
    except Refused as e:
        raise Refused("LED-3", e.text, "holder") from None
    if abs(w["head_unix_ms"] - w["clock_unix_ms"]) > SKEW_MS_MAX or w["head_size"] == 0:
        raise Refused("HSK-8", "a head of another time, or of no entries", "holder")
    try:
        merkle.check_consistency(hello["head_size"], hello["head_root"], w["head_size"], w["head_root"], w["consistency"])
    except Refused as e:
        raise Refused("HSK-8", e.text, "holder") from None
    if (w["ruleset_digest"].hex(), w["tokens_per_pair"]) != (request["ruleset_digest"], request["tokens_per_pair"]):
        raise Refused("HSK-3", "ruleset or tokens a pair", CONFIGURATION)
    if request["pairs"] * request["tokens_per_pair"] > w["session_tokens_max"]:
        raise Refused("HSK-7", "tokens above session_tokens_max", CONFIGURATION)
    if w["tau"] != tau(w["declared_tags"], w["session_tokens_max"]):
        raise Refused("TAG-3", "τ", "holder")
    if not 1 <= w["set_tags"] <= w["declared_tags"]:
        raise Refused("HSK-7", "counts", "holder")
    if w["batches_in_flight_max"] == 0:
        raise Refused("FRM-4", "batches in flight", "holder")
    signed = w["policy"] != bytes(32)
    if w["authority"] != signed or (signed and not r.is_authorised(request)):
        raise Refused("HSK-7", "authority", "holder")
    try:
        group.decode(w["public_key"])
    except Refused:
        raise Refused("HSK-7", "public key", "holder") from None
    return w


def check_head(holder_fp):
    """For ledger.check_extract: the certificate and the statement of a head."""

    def check(certificate, body, signature):
        ed25519.verify(check_certificate(certificate, holder_fp), _statement(b"head", body), signature)

    return check


def check_receipt_file(text):
    """A receipt with both signatures, as a file. [END-3]"""
    file = json.loads(text)
    body = json.loads(file["body"])
    if body["format"] != "oblink/receipt/1" or canonical(body) != file["body"].encode():
        raise Refused("END-3", "not the canonical form")
    for role in ("holder", "verifier"):
        key = check_certificate(bytes.fromhex(file[role + "_certificate"]), bytes.fromhex(body[role]))
        if key.hex() != body[role + "_statement_key"]:
            raise Refused("END-3", "another statement key")
        check_statement(key, b"receipt", file["body"].encode(), bytes.fromhex(file[role + "_signature"]))
    return body


# --- §9 ---


def tags_digest(tags):
    """[DIS-2]"""
    return H256(b"oblink/1/matched-tags\0" + b"".join(tag.to_bytes(16, "big") for tag in tags))


def disclosure_body(fields):
    """[DIS-2]"""
    return (
        fields["session_id"] + fields["receipt_digest"] + u8(fields["kind"]) + u64(fields["matched"]) + u64(fields["tags"])
        + fields["tags_digest"]
    )  # fmt: skip


def check_disclosure(frames, session, receipt_digest, kind):
    """What the holder refuses in a disclosure of a session that agreed to `kind` (1 or 2). [DIS-2]"""
    malformed = dict(blame="verifier", code=wire.REQUEST_MALFORMED)
    d = wire.uncontrol(frames[0], wire.DISCLOSURE)
    if d["kind"] not in (1, 2) or (d["kind"] == 1 and d["tags"]):
        raise Refused("FRM-4", "kind or tags", **malformed)
    if d["session_id"] != session.id or d["kind"] != kind:
        raise Refused("DIS-2", "not agreed", "verifier", wire.OUT_OF_TURN)
    if d["receipt_digest"] != receipt_digest or d["matched"] > session.request["pairs"] or d["tags"] > session.tokens:
        raise Refused("DIS-2", "another receipt, or more than was asked", **malformed)
    if d["tags"] and not d["matched"]:
        raise Refused("DIS-2", "tags of no match", **malformed)
    try:
        check_statement(session.hello["certificate"][32:64], b"disclosure", disclosure_body(d), d["signature"])
    except Refused as e:
        raise Refused("DIS-2", e.text, "verifier", wire.SIGNATURE_INVALID) from None
    tags = []
    for data in frames[1:]:
        offset, part = wire.undisclosed_tags(data)
        if offset != len(tags) or (tags and tags[-1] >= part[0]):
            raise Refused("DIS-2", "parts", **malformed)
        tags += part
    if len(tags) != d["tags"] or tags_digest(tags) != d["tags_digest"]:
        raise Refused("DIS-2", "not the tags that were stated", **malformed)
    return d["matched"], tags


def check_set(file, welcome):
    """The tags of a file that agrees with Welcome. [SET-7]"""
    if len(file) != welcome["set_bytes"] or H256(file) != welcome["set_id"]:
        raise Refused("SET-7", "SetId", "holder")
    p, bits, declared, tags = sealed_set.read(file)
    header = (p.suite, bits, p.tokens_per_pair, p.session_tokens_max, declared, len(tags), p.as_of, p.epoch_id)
    w = welcome
    stated = (w["suite"], w["tau"], w["tokens_per_pair"], w["session_tokens_max"], w["declared_tags"], w["set_tags"])
    stated += (w["as_of"], w["epoch_id"])
    if header != stated or p.ruleset_digest != w["ruleset_digest"] or p.public_key != w["public_key"]:
        raise Refused("SET-7", "header and Welcome differ", "holder")
    return tags
