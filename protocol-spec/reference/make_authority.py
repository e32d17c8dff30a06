#!/usr/bin/env python3
"""Makes vectors/authority.json, and in session.json the inputs of the signed session; run it by hand, where there is ssh-keygen.

First run: the inputs. Then `OBLINK_WRITE_VECTORS=1 cargo test -p oblink-store --test session_vector` makes the session's outputs (its
proofs are not this reference's to make). Second run: everything. Keys and signatures that are there and hold are kept."""
import base64
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import group
import ledger
import merkle
import negative
import policy
import replay
import request as r
import session as s
import sshsig
import wire
from hashes import H256, u32

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
FILE, SESSIONS = VECTORS / "authority.json", VECTORS / "session.json"
SIGNED = "a signed session: five pairs in three batches, officials, a policy, a ledger with a past"
NOTE = (
    "What authorises a request and what a holder's ledger proves. **The private keys here are test keys, made for this file and published"
    " with it; they must never sign anything else.** `keys`: officials' keys, as ssh-keygen made them. `policy`: its two files and its digest"
    " (POL-1). `signatures`: armoured files as `ssh-keygen -Y sign` wrote them, over `message` (`request`: the request of the last session"
    " of session.json, whose frames are there), counted for `namespace` among `officials`, of whom `needed` must have signed: either who is"
    " counted, or the code of AUT-2. `commitment`: what that"
    " request commits to (REQ-4, REQ-5), with rows to be opened (AUD-2). `requests`: bytes that are a request of the authorised format, or not."
    " `merkle`: leaf data, the root at every size, paths and consistency proofs (MRK-1 to MRK-3). `receipts`: files with both signatures. `disclosures`: frames after that session, were its request to agree to `agreed` (DIS-2); `code` is what the holder answers."
    " `ledger`: the log of that session's holder (bodies are examples of LED-4; the session's own entries are shortened), leaf hashes, signed"
    " heads, proofs, an extract for the verifier. In every list a case with `refused` must be refused, for that reason."
)
VERIFIER_OFFICIALS = ["ada@verifier", "ben@verifier", "cid@verifier"]
HOLDER_OFFICIALS = ["hal@holder", "ida@holder"]
TYPES = {"ada@verifier": "ed25519", "ben@verifier": "ecdsa", "cid@verifier": "ed25519", "hal@holder": "ed25519", "ida@holder": "ecdsa"}
TYPES |= {"eve@nowhere": "ed25519"}


def keygen(*arguments, data=b""):
    return subprocess.run(["ssh-keygen", *arguments], input=data, check=True, capture_output=True).stdout


def make_key(principal):
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "key"
        keygen("-q", "-t", TYPES[principal], "-N", "", "-C", principal, "-f", str(file))
        public = " ".join(file.with_suffix(".pub").read_text().split()[:2])
        return {"principal": principal, "public": public, "private": file.read_text()}


class Signers:
    """Signs with ssh-keygen; a signature of before that holds is kept."""

    def __init__(self, before):
        self.keys = {key["principal"]: key for key in before.get("keys", [])}
        for principal in TYPES:
            self.keys.setdefault(principal, make_key(principal))
        self.before = [case["signature"] for case in before.get("signatures", [])]
        self.before += before.get("kept", [])

    def sign(self, principal, namespace, message):
        key = sshsig.Key(base64.b64decode(self.keys[principal]["public"].split()[1]))
        for text in self.before:
            try:
                signature = sshsig.Signature(text.encode())
                if signature.key.blob == key.blob and signature.namespace == namespace.encode():
                    signature.verify(message)
                    return text
            except group.Refused:
                pass
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "key"
            file.write_text(self.keys[principal]["private"])
            file.chmod(0o600)
            text = keygen("-Y", "sign", "-q", "-f", str(file), "-n", namespace, data=message).decode()
        self.before.append(text)
        return text

    def allowed(self):
        def line(principal, namespaces):
            return f'{principal} namespaces="{namespaces}" {self.keys[principal]["public"]}\n'

        text = "# Officials of both sides.\n"
        text += "".join(line(p, "request@oblink-1") for p in VERIFIER_OFFICIALS)
        return text + "".join(line(p, "countersign@oblink-1,policy@oblink-1") for p in HOLDER_OFFICIALS)


def toml(verifier_fp):
    listed = lambda names: "[" + ", ".join(f'"{name}"' for name in names) + "]"
    return f"""format = "oblink/policy/1"

[holder]
officials = {listed(HOLDER_OFFICIALS)}
policy_signatures_min = 2
countersignatures_min = 1
user_presence = false

[epoch]
days_max = 90
evaluations_max = 1000000

[[verifiers]]
fingerprint = "{verifier_fp.hex()}"
name = "Department of Examples"
officials = {listed(VERIFIER_OFFICIALS)}
signatures_min = 2
user_presence = false
rulesets = ["us-exact-1"]
pairs_per_request_max = 1000
tokens_per_request_max = 1000
validity_days_max = 31
required_fields = ["agreement"]
required_columns = ["order_date"]
order_age_days_max = 365
addresses_per_person_max = 2
set_age_days_max = 120
disclosure = ["none", "count"]
window = {{ days = 30, requests_max = 4, pairs_max = 4000, tokens_max = 4000 }}
epoch = {{ requests_max = 8, pairs_max = 8000, tokens_max = 8000 }}
"""


def entry(kind, unix_ms, party, **body):
    return {"kind": kind, "unix_ms": unix_ms, "party": party, "body": r.canonical(body).decode()}


def made_up(count, start, party):
    """Entries of no session that is written down here."""
    return [entry(13, start + n, "00" * 32, action="example", detail=str(n), operator="op") for n in range(count)] + [
        entry(8, start + count, party, session="example"),
        *(entry(10, start + count + 1 + n, party, batch=n, session="example") for n in range(8)),
    ]


def inputs_of_sessions(cases, signers):
    """Adds to session.json what the sessions' ledgers are, and the signed session."""
    del cases[2:]
    for case, (past, known) in zip(cases, ((1, 0), (6, 3)), strict=True):
        i = case["inputs"]
        i.pop("ledger", None)
        bare = dict(i, ledger={"entries": [], "before": 0, "known": 0})
        party = replay.Parties(bare).verifier_fp.hex()
        batches = -(-len(i["pairs"]) * i["tokens_per_pair"] // i["batch_tokens"])
        i["ledger"] = {"before": past, "known": known, "entries": made_up(past, i["hello_unix_ms"] - 1000, party)[: past + 1 + batches]}
    shake = lambda label, length: hashlib.shake_256(f"oblink vectors, signed session: {label}".encode()).digest(length)
    i = json.loads(json.dumps(cases[0]["inputs"]))
    for role in ("verifier", "holder"):
        for name in ("identity_secret", "statement_secret"):
            i[role][name] = shake(f"{role} {name}", 32).hex()
    for name, length in (("epoch_seed", 32), ("epoch_id", 16), ("blind_seed", 32), ("verifier_nonce", 32), ("holder_nonce", 32), ("request_id", 16)):
        i[name] = shake(name, length).hex()
    i["batch_tokens"] = 2
    i["proof_randomness"] = [shake(f"proof {n}", 128).hex() for n in range(3)]
    bare = dict(i, ledger={"entries": [], "before": 0, "known": 0})
    bare.pop("authority", None)
    parties = replay.Parties(bare)
    holder, verifier, policy_text, allowed = parties.holder_fp.hex(), parties.verifier_fp.hex(), toml(parties.verifier_fp), signers.allowed()
    day = 86_400_000
    start = i["hello_unix_ms"]
    digest = policy.digest(policy_text, allowed).hex()
    nobody, other = "00" * 32, H256(b"another verifier").hex()
    i["ledger"] = {"before": 8, "known": 5, "entries": [
        entry(20, start - 9 * day, nobody, digest=H256(b"").hex(), rows=0, table="refusals"),
        entry(1, start - 8 * day, nobody, allowed_signers=allowed, digest=digest, operator="op", policy=policy_text, previous="", proposal="", signatures=[], signers=[]),
        entry(4, start - 7 * day, verifier, as_of=i["as_of"], declared_tags=5, ends_unix_ms=start + 83 * day, epoch=i["epoch_id"], evaluations_max=1_000_000,
              input_digest="", public_key=parties.epoch.pk.hex(), records=5, rejected=0, ruleset_digest=i["ruleset_digest"], session_tokens_max=i["session_tokens_max"],
              set_bytes=len(parties.set), set_id=H256(parties.set).hex(), suite=1, tags=5, tau=parties.set[10], tokens_per_pair=1),
        entry(9, start - 5 * day, other, code=20, count=1, detail="the request is not authorised under the holder's policy", reason="signature_short: 1 of 2", refusal=1),
        entry(13, start - 4 * day, nobody, action="verify", detail="", operator="op"),
        entry(2, start - 3 * day, nobody, operator="op", reason="An exercise: \"all off\"", scope="all"),
        entry(3, start - 3 * day + 5, nobody, operator="op", proposal="{}", reason="Over", scope="all", signatures=[], signers=[]),
        entry(10, start - 2 * day, other, batch=0, session="00" * 16),
        entry(8, i["welcome_unix_ms"], verifier, request_id=i["request_id"]),
        *(entry(10, i["welcome_unix_ms"] + 1 + n, verifier, batch=n, request_id=i["request_id"]) for n in range(3)),
        entry(11, i["completed_unix_ms"], verifier, request_id=i["request_id"]),
        entry(12, i["completed_unix_ms"], verifier, request_id=i["request_id"]),
    ]}  # fmt: skip
    people = ["Ann Lee", "Mei Cho", "Daniel \u00d8rsted", "Rosa O'Neil", "Sam Ray"]
    rows = [(2 * n + 1, [["id", f"c-{n}"], ["name", name], ["street", f"{n + 1} Main St"], ["postal_code", "98104"], ["order_date", f"2026-1{n % 3}-0{n + 1}"]])
            for n, name in enumerate(people)]  # fmt: skip
    i["authority"] = {
        "policy": policy_text, "allowed_signers": allowed, "salt_seed": shake("salt_seed", 32).hex(), "rows": rows,
        "manifest": {
            "addresses_per_person_max": 2, "class": "confirm-address", "disclosure": "count", "fields": {"agreement": "MoU 17 \u00a7 4"},
            "holder_name": "Bureau of Records", "left_out": {"incomplete_address": 3, "no_order_date": 1},
            "legal_basis": "Example Act \u00a7 12(3), \"confirmation of addresses\"", "not_after_unix_ms": start + 7 * day,
            "not_before_unix_ms": start - day, "order_date_earliest": 20261001, "order_date_latest": 20261205,
            "purpose": "To confirm addresses of people with a dated order \\ and of nobody else", "required_columns": ["order_date"],
            "verifier_name": "Department of Examples",
        },
        "signatures": [], "countersignatures": [],
    }  # fmt: skip
    data = replay.Parties(i).request
    i["authority"]["signatures"] = [signers.sign(p, "request@oblink-1", data) for p in VERIFIER_OFFICIALS[:2]]
    i["authority"]["countersignatures"] = [signers.sign("ida@holder", "countersign@oblink-1", data)]
    return {"name": SIGNED, "inputs": i}


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def signatures(parties, signers):
    data, out = parties.request, []

    def case(name, namespace, given, want, message=None, officials=VERIFIER_OFFICIALS, needed=1, **more):
        given = given if isinstance(given, list) else [given]
        # The message is the request unless it is another.
        out.append({"name": name, "namespace": namespace, "officials": officials, "needed": needed} | (
            {"counted": want} if isinstance(want, list) else {"refused": want}) | (
            {"message": message.decode()} if message is not None else {}) | {"signatures": given} | more)  # fmt: skip

    sign = signers.sign
    ada, ben = (sign(p, "request@oblink-1", data) for p in VERIFIER_OFFICIALS[:2])
    hal, ida = (sign(p, "countersign@oblink-1", data) for p in HOLDER_OFFICIALS)
    request, countersign, proposal = sshsig.NAMESPACES
    case("an official's, Ed25519", request, ada, ["ada@verifier"])
    case("an official's, ECDSA P-256", request, ben, ["ben@verifier"])
    case("two officials", request, [ada, ben], ["ada@verifier", "ben@verifier"], needed=2)
    case("lines that end in CR LF", request, ada.replace("\n", "\r\n"), ["ada@verifier"])
    case("countersignatures of both types", countersign, [hal, ida], HOLDER_OFFICIALS, officials=HOLDER_OFFICIALS, needed=2)
    text = r.canonical({"format": "oblink/proposal/1", "reason": "an example"})
    hal_p, ida_p = (sign(p, proposal, text) for p in HOLDER_OFFICIALS)
    case("a proposal", proposal, [hal_p, ida_p], HOLDER_OFFICIALS, message=text, officials=HOLDER_OFFICIALS, needed=2)
    edited = data.replace(b"To confirm", b"To collect")
    case("an edited purpose, Ed25519", request, ada, "signature_invalid", message=edited)
    case("an edited purpose, ECDSA P-256", request, ben, "signature_invalid", message=edited)
    case("a line feed after the request", request, ada, "signature_invalid", message=data + b"\n")
    case("one signature short", request, ada, "signature_short", needed=2)
    case("one official twice", request, [ada, ada], "signature_short", needed=2)
    case("none", request, [], "signature_short")
    case("one of three that fails", request, [ada, ben, sign("cid@verifier", request, edited)], "signature_invalid", needed=2)
    case("another namespace of oblink's", request, sign("ada@verifier", countersign, data), "wrong_namespace")
    case("ssh-keygen's own namespace", request, sign("ada@verifier", "file", data), "wrong_namespace")
    case("nobody who is listed", request, sign("eve@nowhere", request, data), "signer_not_listed")
    case("an official of the other side", request, sign("hal@holder", request, data), "signer_not_listed", officials=VERIFIER_OFFICIALS)
    case("a key that is listed for other purposes", proposal, sign("ada@verifier", proposal, text), "signer_not_listed", message=text, officials=VERIFIER_OFFICIALS)
    blob = sshsig.dearmour(ada.encode())
    rearmoured = lambda blob: sshsig.armour(blob).decode()
    eve = sshsig.Key(base64.b64decode(signers.keys["eve@nowhere"]["public"].split()[1])).blob
    case("another key in it", request, rearmoured(blob[:14] + eve + blob[14 + len(eve) :]), "signer_not_listed")
    case("the last byte of the signature", request, rearmoured(flip(blob, len(blob) - 1)), "signature_invalid")
    case("a byte after it", request, rearmoured(blob + b"\0"), "signature_malformed")
    case("version 2", request, rearmoured(blob[:6] + u32(2) + blob[10:]), "signature_malformed")
    case("sha256", request, rearmoured(blob.replace(sshsig.string(b"sha512"), sshsig.string(b"sha256"))), "signature_malformed")
    case("a reserved field that is filled", request, rearmoured(blob.replace(u32(0) + sshsig.string(b"sha512"), u32(1) + b"x" + sshsig.string(b"sha512"))), "signature_malformed")
    case("no line feed at the end", request, ada[:-1], "signature_malformed")
    case("text before the armour", request, "Signed by me\n" + ada, "signature_malformed")
    text_64 = base64.b64encode(blob).decode()
    lines = "".join(text_64[at : at + 64] + "\n" for at in range(0, len(text_64), 64))
    case("lines of 64", request, sshsig.BEGIN.decode() + lines + sshsig.END.decode(), "signature_malformed")
    case("one line in CR LF", request, ada.replace("\n", "\r\n", 1), "signature_malformed")
    s_value = int.from_bytes(blob[-32:], "little") + group.ORDER
    case("a scalar that is not canonical", request, rearmoured(blob[:-32] + s_value.to_bytes(32, "little")), "signature_invalid")
    ecdsa = sshsig.Signature(ben.encode())
    mpints = sshsig._Strings(ecdsa.value)
    first, second = mpints.mpint(), mpints.mpint()
    mpint = lambda x: sshsig.string(x.to_bytes(x.bit_length() // 8 + 1, "big"))

    def ecdsa_blob(value):
        body = b"SSHSIG" + u32(1) + sshsig.string(ecdsa.key.blob) + sshsig.string(request.encode()) + sshsig.string(b"") + sshsig.string(b"sha512")
        return rearmoured(body + sshsig.string(sshsig.string(sshsig.ECDSA) + sshsig.string(value)))

    assert ecdsa_blob(mpint(first) + mpint(second)) == ben
    case("ECDSA with the other s, which is as good", request, ecdsa_blob(mpint(first) + mpint(sshsig.N - second)), ["ben@verifier"])
    case("ECDSA with r and s exchanged", request, ecdsa_blob(mpint(second) + mpint(first)), "signature_invalid")
    case("ECDSA with s of 0", request, ecdsa_blob(mpint(first) + sshsig.string(b"")), "signature_invalid")
    case("ECDSA with a needless zero", request, ecdsa_blob(sshsig.string(b"\0" + mpint(first)[4:]) + mpint(second)), "signature_invalid")
    return out


def commitment(parties):
    i, authority = parties.inputs, parties.inputs["authority"]
    rows = []
    for pair, (row, fields) in enumerate(authority["rows"]):
        salt = r.salt(bytes.fromhex(authority["salt_seed"]), i["request_id"], pair)
        data = r.row_data(salt, pair, row, fields)
        path = merkle.path(parties.row_leaves, pair)
        rows.append({"pair": pair, "row": row, "fields": fields, "salt": salt.hex(), "leaf_data": data.hex(),
                     "leaf": merkle.leaf(data).hex(), "path": [h.hex() for h in path]})  # fmt: skip
    batches = []
    for index, elements in enumerate(parties.blinded()):
        path = merkle.path(parties.blinded_leaves, index)
        digest = s.batch_digest(b"blinded", index, elements)
        batches.append({"index": index, "blinded": [e.hex() for e in elements], "blinded_digest": digest.hex(),
                        "leaf": merkle.leaf(digest).hex(), "path": [h.hex() for h in path]})  # fmt: skip
    request = json.loads(parties.request)
    opened = lambda **changed: {**{k: rows[1][k] for k in ("pair", "row", "fields", "salt", "path")}, **changed}
    value = [[n, "Mei Chu" if n == "name" else v] for n, v in rows[1]["fields"]]
    return {
        "request_id": request["request_id"], "salt_seed": authority["salt_seed"], "blind_seed": i["blind_seed"].hex(),
        "blind_seed_digest": request["blind_seed_digest"], "list_root": request["list_root"], "blinded_root": request["blinded_root"],
        "rows": rows, "batches": batches, "openings": [
            {"name": "row of pair 1"} | opened(),
            {"name": "another value", "refused": "MRK-2"} | opened(fields=value),
            {"name": "a field less", "refused": "MRK-2"} | opened(fields=rows[1]["fields"][:-1]),
            {"name": "another salt", "refused": "MRK-2"} | opened(salt=rows[2]["salt"]),
            {"name": "another row number", "refused": "MRK-2"} | opened(row=4),
            {"name": "another pair number", "refused": "MRK-2"} | opened(pair=2),
            {"name": "a hash of the path", "refused": "MRK-2"} | opened(path=[flip(bytes.fromhex(rows[1]["path"][0]), 0).hex(), *rows[1]["path"][1:]]),
            {"name": "a path of another length", "refused": "MRK-2"} | opened(path=rows[1]["path"][:-1]),
        ],
    }  # fmt: skip


def requests(parties):
    text, out = parties.request.decode(), [{"name": "the request", "bytes": parties.request.decode()}]
    m = json.loads(text)

    def bad(name, changed):
        assert changed != text, name
        out.append({"name": name, "refused": "REQ-3", "bytes": changed})

    def member(name, what, value):
        bad(f"{name}: {what}", r.canonical(m | {name: value}).decode())

    for name in sorted(m):
        if name != "format":
            bad(f"without {name}", r.canonical({k: v for k, v in m.items() if k != name}).decode())
    bad("an unknown member", r.canonical(m | {"zeal": 1}).decode())
    bad("a space", text.replace(",", ", ", 1))
    bad("members in another order", "{" + text[1:].split(",", 1)[1][:-1] + "," + text[1:].split(",", 1)[0] + "}")
    bad("an escape that need not be", text.replace("MoU", "\\u004doU"))
    bad("characters as escapes", json.dumps(m, sort_keys=True, separators=(",", ":")))
    bad("a slash escaped", text.replace("oblink/auth", "oblink\\/auth"))
    bad("a member twice", text.replace('"pairs":5', '"pairs":5,"pairs":5'))
    for name, value in (("a line feed", "a\nb"), ("a tab", "a\tb"), ("a right-to-left override", "a\u202eb"), ("a zero-width space", "a\u200bb"),
                        ("a soft hyphen", "a\u00adb"), ("a tag character", "a\U000e0041b"), ("private use", "a\ue000b"), ("a noncharacter", "a\uffffb"),
                        ("C1", "a\u0085b"), ("an isolate", "a\u2066b"), ("a Hangul filler", "a\u3164b"), ("a blank first", " a"), ("a no-break space last", "a\u00a0"),
                        ("nothing", ""), ("1,025 bytes", "x" * 1025), ("a number", 7)):  # fmt: skip
        member("purpose", name, value)
    member("fields", "a name in upper case", {"Agreement": "x"})
    member("fields", "a name of 65 characters", {"a" * 65: "x"})
    member("fields", "33", {f"f{n}": "x" for n in range(33)})
    member("left_out", "a count of 0", {"no_order_date": 0})
    member("left_out", "65 reasons", {f"r{n}": 1 for n in range(65)})
    member("required_columns", "not sorted", ["order_date", "a"])
    member("required_columns", "one twice", ["order_date", "order_date"])
    member("required_columns", "no order_date, and dates", [])
    member("class", "another", "confirm")
    member("disclosure", "another", "all")
    member("blinded_root", "63 digits", m["blinded_root"][1:])
    member("holder", "upper case", m["holder"].upper())
    member("not_before_unix_ms", "not before not_after", m["not_after_unix_ms"])
    member("not_after_unix_ms", "2^53", 2**53)
    member("order_date_earliest", "no day", 20261131)
    member("order_date_earliest", "29 February of no leap year", 20260229)
    member("order_date_earliest", "after the latest", 20261206)
    member("addresses_per_person_max", "2^32", 2**32)
    member("addresses_per_person_max", "negative", -1)
    member("pairs", "0", 0)
    return out


def trees():
    data = [b"", b"\0", b"\1", b"leaf 3", bytes(64), b"leaf 5", b"leaf 6"]
    leaves = [merkle.leaf(each) for each in data]
    roots = [merkle.root(leaves[:size]) for size in range(len(leaves) + 1)]
    hexes = lambda hashes: [h.hex() for h in hashes]
    paths = [{"index": i, "size": n, "path": hexes(merkle.path(leaves[:n], i))} for n in range(1, 8) for i in range(n)]
    proofs = [{"first": m, "second": n, "proof": hexes(merkle.consistency(leaves[:n], m))} for n in range(8) for m in range(n + 1)]
    good, size = merkle.path(leaves, 2), 7
    refused = lambda kind, name, **more: {"name": name, "refused": kind} | more
    path = lambda name, hashes, index=2, size=7: refused("MRK-2", name, index=index, size=size, path=hexes(hashes))
    paths += [
        path("another index", good, 3), path("another size", good, 2, 6), path("a bit", [flip(good[0], 31), *good[1:]]),
        path("a hash less", good[:-1]), path("a hash more", [*good, bytes(32)]), path("no hash", []), path("the other way round", good[::-1]),
        path("no such leaf", good, 7), path("a node taken for a leaf", good[1:], 1, 4),
    ]  # fmt: skip
    proof = lambda name, m, n, hashes, first=None: refused("MRK-3", name, first=m, second=n, proof=hexes(hashes)) | ({"first_root": first.hex()} if first else {})
    good = merkle.consistency(leaves, 3)
    fork = [merkle.leaf(each) for each in [b"x", *data[1:]]]
    proofs += [
        proof("a bit", 3, 7, [flip(good[0], 0), *good[1:]]), proof("a hash less", 3, 7, good[:-1]), proof("a hash more", 3, 7, [*good, bytes(32)]),
        proof("none", 3, 7, []), proof("back to front", 7, 3, good), proof("a forked log", 3, 7, good, merkle.root(fork[:3])),
        proof("a fork's own proof", 3, 7, merkle.consistency(fork, 3)), proof("of equal sizes, with a hash", 4, 4, [bytes(32)]),
        proof("of equal sizes, another root", 4, 4, [], roots[5]), proof("from nothing, with a hash", 0, 3, [bytes(32)]),
        proof("of a power of two, with the old root in it", 4, 7, [roots[4], *merkle.consistency(leaves, 4)]),
    ]  # fmt: skip
    return {"leaves": [each.hex() for each in data], "roots": hexes(roots), "paths": paths, "consistency": proofs}


def receipts(parties, outputs):
    i, body = parties.inputs, outputs["receipt"]
    HS, VS = i["holder"]["statement_secret"], i["verifier"]["statement_secret"]

    def file(body=body, holder=HS, verifier=VS, **changed):
        members = {
            "body": body, "holder_certificate": parties.holder_certificate.hex(), "holder_signature": s.state(holder, b"receipt", body.encode()).hex(),
            "verifier_certificate": parties.verifier_certificate.hex(), "verifier_signature": s.state(verifier, b"receipt", body.encode()).hex(),
        }  # fmt: skip
        return r.canonical(members | changed).decode()

    other = body.replace(outputs["transcript"], flip(bytes.fromhex(outputs["transcript"]), 0).hex())
    signed = lambda text: s.state(HS, b"receipt", text.encode()).hex()
    return [
        {"name": "the session's", "file": file()},
        {"name": "another transcript, the signatures left", "refused": "STM-2", "file": file(other, holder_signature=signed(body), verifier_signature=s.state(VS, b"receipt", body.encode()).hex())},
        {"name": "another transcript, signed by the holder alone", "refused": "STM-2", "file": file(other, verifier_signature=s.state(VS, b"receipt", body.encode()).hex())},
        {"name": "another ledger", "refused": "STM-2", "file": file(body.replace('"ledger_size":12', '"ledger_size":11'), holder_signature=signed(body))},
        {"name": "unsigned instead of signed", "refused": "STM-2", "file": file(body.replace('"signed"', '"unsigned"'), holder_signature=signed(body))},
        {"name": "signatures exchanged", "refused": "STM-2", "file": file(holder=VS, verifier=HS)},
        {"name": "the verifier's certificate for both", "refused": "STM-1", "file": file(holder_certificate=parties.verifier_certificate.hex())},
        {"name": "not the canonical form, signed", "refused": "END-3", "file": file(body.replace(",", ", ", 1))},
        {"name": "signed by the identities", "refused": "STM-2", "file": file(holder=i["holder"]["identity_secret"], verifier=i["verifier"]["identity_secret"])},
    ]  # fmt: skip


def ledgers(parties):
    i = parties.inputs
    entries, holder_fp, secret = i["ledger"]["entries"], parties.holder_fp, i["holder"]["statement_secret"]
    log, verifier = ledger.Log(entries), parties.verifier_fp.hex()
    size, time = len(entries), i["completed_unix_ms"] + 5

    def head(size, root, time=time, secret=secret, kind=b"head", holder=holder_fp):
        signature = s.state(secret, kind, ledger.head_body(holder, size, root, time))
        return {"size": size, "root": root.hex(), "unix_ms": time, "signature": signature.hex()}

    def bad(name, refused, **head):
        return {"name": name, "refused": refused} | head

    good = head(size, log.root(size))
    heads = [head(n, log.root(n)) for n in (1, 5, 9, 12, size)]
    heads += [
        bad("a bit of the signature", "LED-3", **good | {"signature": flip(bytes.fromhex(good["signature"]), 0).hex()}),
        bad("another size", "LED-3", **good | {"size": size - 1}), bad("another root", "LED-3", **good | {"root": log.root(size - 1).hex()}),
        bad("another time", "LED-3", **good | {"unix_ms": time + 1}), bad("by the identity key", "LED-3", **head(size, log.root(size), secret=i["holder"]["identity_secret"])),
        bad("as a receipt", "LED-3", **head(size, log.root(size), kind=b"receipt")), bad("of another holder", "LED-3", **head(size, log.root(size), holder=parties.verifier_fp)),
    ]  # fmt: skip

    def altered(change):
        copy = json.loads(json.dumps(entries))
        change(copy)
        return copy

    def first_line(entries, root=None):
        leaves = [ledger.entry_leaf(e) for e in entries]
        h = head(len(entries), root or merkle.root(leaves))
        return {"certificate": parties.holder_certificate.hex(), "entries": len(entries), "format": "oblink/ledger-extract/1", "holder": holder_fp.hex(),
                "party": verifier, "root": h["root"], "signature": h["signature"], "unix_ms": time}  # fmt: skip

    line = first_line(entries)
    whole = ledger.extract(entries, verifier, line)
    lines = whole.decode().splitlines(keepends=True)
    text = lambda name, refused, lines: {"name": name, "refused": refused, "text": "".join(lines)}
    of = lambda name, changed, line=line: text(name, "LED-7", ledger.extract(changed, verifier, line).decode().splitlines(keepends=True))
    charge = next(n for n, e in enumerate(entries) if e["kind"] == 10 and e["party"] == verifier)
    hidden = json.loads(lines[charge + 1])
    hidden = {k: v for k, v in hidden.items() if k != "body"} | {"body_digest": H256(hidden["body"].encode()).hex()}
    passed = json.loads(lines[charge + 1]) | {"party": "00" * 32}
    passed = {k: v for k, v in passed.items() if k != "body"} | {"body_digest": hidden["body_digest"]}
    swap = lambda e: e.__setitem__(slice(charge, charge + 2), e[charge : charge + 2][::-1])
    extracts = [
        {"name": "for the verifier", "text": whole.decode()},
        of("a charge edited", altered(lambda e: e[charge].update(body=e[charge]["body"].replace('"batch":0', '"batch":9')))),
        of("a charge deleted", altered(lambda e: e.pop(charge))),
        of("a charge deleted, and the head's size lowered", altered(lambda e: e.pop(charge)), line | {"entries": size - 1}) | {"refused": "STM-2"},
        text("a line missing", "LED-7", lines[: charge + 1] + lines[charge + 2 :]),
        text("a line twice", "LED-7", lines[: charge + 2] + lines[charge + 1 :]),
        of("two charges in another order", altered(swap)),
        of("another time", altered(lambda e: e[charge].update(unix_ms=e[charge]["unix_ms"] + 1))),
        of("another kind", altered(lambda e: e[charge].update(kind=13))),
        of("an entry appended", altered(lambda e: e.append(dict(e[-1])))),
        of("an entry of others edited", altered(lambda e: e[3].update(body="{}"))),
        text("the body of a charge held back", "LED-7", [*lines[: charge + 1], json.dumps(hidden) + "\n", *lines[charge + 2 :]]),
        text("a charge passed off as nobody's", "LED-7", [*lines[: charge + 1], json.dumps(passed) + "\n", *lines[charge + 2 :]]),
        text("cut short", "LED-7", lines[:-1]),
        text("a time that goes back, under a signed head", "LED-7", (lambda e: ledger.extract(e, verifier, first_line(e)))(altered(lambda e: e[charge].update(unix_ms=1))).decode().splitlines(keepends=True)),
        text("a kind that there is not, under a signed head", "LED-7", (lambda e: ledger.extract(e, verifier, first_line(e)))(altered(lambda e: e[1].update(kind=99))).decode().splitlines(keepends=True)),
        text("a head that is not signed", "STM-2", [json.dumps(line | {"unix_ms": time + 1}) + "\n", *lines[1:]]),
        text("another holder's certificate", "STM-1", [json.dumps(line | {"certificate": parties.verifier_certificate.hex()}) + "\n", *lines[1:]]),
    ]  # fmt: skip
    fork = ledger.Log(altered(lambda e: e[3].update(body="{}")))
    hexes = lambda hashes: [h.hex() for h in hashes]
    proof = lambda m, n, hashes, **more: {"first": m, "second": n, "proof": hexes(hashes)} | more
    return {
        "holder": holder_fp.hex(), "certificate": parties.holder_certificate.hex(), "party": verifier,
        "entries": [e | {"leaf": leaf.hex()} for e, leaf in zip(entries, log.leaves)],
        "roots": hexes(log.root(n) for n in range(size + 1)), "heads": heads,
        "inclusion": [{"index": n, "size": size, "path": hexes(merkle.path(log.leaves, n))} for n in range(size)],
        "consistency": [proof(m, n, log.consistency(m, n)) for m, n in ((0, 5), (5, 9), (9, 12), (12, size), (1, size), (8, size), (size, size))] + [
            proof(5, size, fork.consistency(5, size), name="a forked log, its own proof", refused="MRK-3", second_root=fork.root(size).hex()),
            proof(5, size, log.consistency(5, size), name="a forked log, the true proof", refused="MRK-3", second_root=fork.root(size).hex()),
            proof(9, size, log.consistency(9, size)[:-1], name="a proof cut short", refused="MRK-3"),
        ],
        "extracts": extracts,
    }  # fmt: skip


def disclosures(outputs):
    """[DIS-2]: what the verifier of that session could say, and what it could not."""
    session, parties, _ = negative.good(2)
    receipt_digest, out = bytes.fromhex(outputs["receipt_digest"]), []
    tags = sorted(int(tag, 16) for tag, match in zip(outputs["tags"], outputs["matches"]) if match)
    secret = parties.inputs["verifier"]["statement_secret"]

    def case(name, kind, refused=None, code=None, secret=secret, label=b"disclosure", parts=None, edit=lambda fields: None, **changed):
        shown = tags if kind == 2 else []
        fields = dict(session_id=session.id, receipt_digest=receipt_digest, kind=kind, matched=len(tags), tags=len(shown),
                      tags_digest=s.tags_digest(shown)) | changed  # fmt: skip
        fields["signature"] = s.state(secret, label, s.disclosure_body(fields))
        edit(fields)
        sent = [wire.control(wire.DISCLOSURE, **fields)]
        sent += [wire.disclosed_tags(*part) for part in (parts if parts is not None else [(0, shown)] if shown else [])]
        entry = {"name": name, "agreed": ["", "count", "matched_tags"][kind if refused != "agreed" else 3 - kind]}
        entry |= {"refused": "DIS-2" if refused == "agreed" else refused, "code": code} if refused else {}
        out.append(entry | {"frames": [data.hex() for data in sent]})

    assert len(tags) > 1
    case("a count", 1)
    case("the tags", 2)
    case("the tags in two parts", 2, parts=[(0, tags[:1]), (1, tags[1:])])
    case("no match", 2, matched=0, tags=0, tags_digest=s.tags_digest([]), parts=[])
    case("a count where tags were agreed", 1, "agreed", "out_of_turn")
    case("tags where a count was agreed", 2, "agreed", "out_of_turn")
    case("of another session", 1, "DIS-2", "out_of_turn", session_id=bytes(16))
    case("of another receipt", 1, "DIS-2", "request_malformed", receipt_digest=bytes(32))
    case("more than were asked", 1, "DIS-2", "request_malformed", matched=6)
    case("more tags than were asked", 2, "DIS-2", "request_malformed", tags=6)
    case("tags of no match", 2, "DIS-2", "request_malformed", matched=0)
    case("a count edited", 1, "DIS-2", "signature_invalid", edit=lambda fields: fields.update(matched=len(tags) - 1))
    case("signed by the holder", 1, "DIS-2", "signature_invalid", secret=parties.inputs["holder"]["statement_secret"])
    case("signed as a receipt", 1, "DIS-2", "signature_invalid", label=b"receipt")
    case("another tag", 2, "DIS-2", "request_malformed", parts=[(0, [*tags[:-1], tags[-1] + 1])])
    case("a tag less", 2, "DIS-2", "request_malformed", parts=[(0, tags[:-1])])
    case("a tag more", 2, "DIS-2", "request_malformed", parts=[(0, [*tags, tags[-1] + 1])])
    case("parts in another order", 2, "DIS-2", "request_malformed", parts=[(1, tags[1:]), (0, tags[:1])])
    case("a part twice", 2, "DIS-2", "request_malformed", parts=[(0, tags[:1]), (0, tags[:1])])
    case("parts that do not ascend", 2, "DIS-2", "request_malformed", parts=[(0, tags[1:]), (len(tags) - 1, tags[:1])])
    case("tags that do not ascend", 2, "FRM-3", "request_malformed", parts=[(0, tags[::-1])])
    return out


def write(path, value, indent):
    path.write_text(json.dumps(value, indent=indent, ensure_ascii=False) + "\n")


def main():
    before = json.loads(FILE.read_text()) if FILE.exists() else {}
    sessions = json.loads(SESSIONS.read_text())
    signed = [case for case in sessions["cases"] if case["name"] == SIGNED]
    kept = [text for case in before.get("signatures", []) for text in case["signatures"]]
    signers = Signers({"keys": before.get("keys", []), "kept": kept})
    case = inputs_of_sessions(sessions["cases"], signers)
    if signed and signed[0].get("outputs") and signed[0]["inputs"] == json.loads(json.dumps(case["inputs"])):
        case["outputs"] = signed[0]["outputs"]
    sessions["cases"].append(case)
    write(SESSIONS, sessions, 2)
    parties = replay.Parties(json.loads(json.dumps(case["inputs"])))
    authority = parties.inputs["authority"]
    file = {
        "format": "oblink/vectors/authority/1", "note": NOTE, "keys": list(signers.keys.values()),
        "policy": {"policy_toml": authority["policy"], "allowed_signers": authority["allowed_signers"], "digest": parties.policy.digest.hex()},
        "request": parties.request.decode(), "signatures": signatures(parties, signers), "commitment": commitment(parties),
        "requests": requests(parties), "merkle": trees(), "ledger": ledgers(parties),
    }  # fmt: skip
    if "outputs" in case:
        file["receipts"] = receipts(parties, case["outputs"])
        file["disclosures"] = disclosures(case["outputs"])
    else:
        print("the session has no outputs yet: run the Rust test that writes them, then this again", file=sys.stderr)
    write(FILE, file, 1)


if __name__ == "__main__":
    main()
