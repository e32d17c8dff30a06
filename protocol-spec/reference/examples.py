#!/usr/bin/env python3
"""Prints the body of SPEC.md's appendix A: every layout in bytes, from the first session of session.json. check.py compares."""
import ledger
import request as r
import sealed_set
import session as s
import sshsig
import wire
from hashes import H256, H512
from negative import frames, good

MARK_BEGIN, MARK_END = "<!-- examples.py begins -->", "<!-- examples.py ends -->"


def short(data):
    text = data.hex()
    return text if len(data) <= 12 else f"{text[:12]}…{text[-4:]}"


def cut(data, *parts):
    """Lines of a layout: (bytes, what); the last part may take the rest with -1."""
    lines, at = [], 0
    for length, what in parts:
        end = len(data) if length < 0 else at + length
        lines.append(f"{short(data[at:end]):<26} {what}")
        at = end
    assert at == len(data), (at, len(data))
    return lines


def control(data, kind, notes):
    """Lines of a control frame: its header, then its fields."""
    reader = wire._Reader(data[5:])
    lines = cut(data[:5], (5, f"length {len(data) - 5}, type"))
    for name, type_ in wire.SCHEMAS[kind]:
        start = reader.at
        reader.get(type_)
        lines.append(f"{short(data[5 + start : 5 + reader.at]):<26} {name}{notes.get(name, '')}")
    return lines


def section(title, lines, after=()):
    return [f"**{title}", "", "```text", *lines, "```", "", *after]


def authority():
    """What the third session adds: a signed request, its rows, batches and log."""
    session, parties, _ = good(2)
    i, inputs = parties.inputs, parties.inputs["authority"]
    row, fields = inputs["rows"][1]
    data = r.row_data(r.salt(bytes.fromhex(inputs["salt_seed"]), i["request_id"], 1), 1, row, fields)
    parts = [(32, "salt"), (8, "pair 1"), (8, f"row {row}"), (2, f"n = {len(fields)}")]
    parts += [(2 + len(text.encode()), f'lp("{text}")') for field in fields for text in field]
    out = section("Authorised request** [REQ-3], as it is hashed and signed, in the third session", [parties.request.decode()], [
        f"`request_digest` = `{H256(parties.request).hex()}`", ""])  # fmt: skip
    out += section("Row** [REQ-4], the leaf data of pair 1 there", cut(data, *parts))
    blob = sshsig.dearmour(inputs["signatures"][0].encode())
    out += section(f"Signature** [SIG-1], the first: {len(blob)} bytes, without armour", cut(
        blob, (6, '"SSHSIG"'), (4, "version"), (4 + 51, "str(public key)"), (4 + 16, 'str("request@oblink-1")'), (4, 'str("")'),
        (4 + 6, 'str("sha512")'), (4, "length of the signature"), (4 + 11, 'str("ssh-ed25519")'), (4 + 64, "str(R ‖ S)")))  # fmt: skip
    data = frames(2, "Batch")[0]
    out += section("Batch** [BAT-7], the first there", cut(
        data, (5, "length, type"), (8, "index"), (4, "count"), (32, "element 0"), (32, "element 1"), (64, "statement"), (32, "path, hash 0"), (32, "path, hash 1")))  # fmt: skip
    entry = parties.log.entries[8]
    digest = H256(entry["body"].encode())
    data = ledger.leaf_data(entry["kind"], entry["unix_ms"], bytes.fromhex(entry["party"]), digest)
    out += section("Entry of the log** [LED-1], number 8 there, its leaf data", cut(
        data, (1, "kind request_accepted"), (8, f"unix_ms = {entry['unix_ms']}"), (32, "party: the verifier"), (32, "H256(body)")))  # fmt: skip
    return out


def text():
    session, parties, outputs = good(0)
    frame = lambda name: frames(0, name)[0]
    token, file = parties.tokens[0], parties.set
    out = section(f"Token** [TOK-1], {len(token)} bytes: rule 1 of us-exact-1, fields `ann`, `lee`, `12 main st`, `98104`", cut(
        token, (16, 'lp("oblink/1/token")'), (34, "lp(ruleset_digest)"), (2, "rule"), (1, "fields"), (5, 'lp("ann")'),
        (5, 'lp("lee")'), (12, 'lp("12 main st")'), (7, 'lp("98104")')))  # fmt: skip
    _, dummy_parties, _ = good(1)
    dummy = dummy_parties.tokens[2]
    out += section(f"Dummy** [TOK-2], {len(dummy)} bytes: slot 2 of pair 0 in the second session, T = 3, index 2", cut(
        dummy, (16, 'lp("oblink/1/token")'), (34, "lp(ruleset_digest)"), (2, "rule 0xFFFF"), (1, "fields"), (34, "lp(field)")))  # fmt: skip
    out += section(f"Sealed set, header** [SET-1], 176 bytes of {len(file)}", cut(
        file[:176], (8, "magic"), (2, "suite"), (1, f"τ = {file[10]}"), (1, f"k = {file[11]}"), (2, "T"), (2, "reserved"),
        (4, "B"), (4, "as-of date 20261031"), (8, "M = 2^24"), (8, "D = 5"), (8, "n = 5"), (16, "epoch_id"),
        (32, "ruleset digest"), (32, "public key"), (16, "padding"), (32, "H256 of the 144 bytes before")))  # fmt: skip
    tags = sealed_set.read(file)[3]
    k = file[11]
    gap = tags[1] - tags[0] - 1
    body = file[200:-32]
    bits = f"first gap {gap:#x}: quotient {gap >> k}, then {k} low bits; last gap's quotient {(tags[4] - tags[3] - 1) >> k}"
    out += section(f"Sealed set, block 0** [SET-3]: five tags of τ bits; {bits}", cut(
        file[176:], (4, "c"), (4, f"L = {len(body)}"), (16, "first tag"), (len(body), "body"), (32, "digest of the block")))  # fmt: skip
    certificate = parties.verifier_certificate
    to_sign = b"oblink/1/statement-key\0" + H512(certificate[:72])
    out += section("Certificate** [STM-1], 136 bytes, the verifier's", cut(
        certificate, (32, "identity_pk"), (32, "statement_pk"), (8, "issued_unix_ms = 1799000000000"), (64, "signature, of the next line")
    ) + cut(to_sign, (23, '"oblink/1/statement-key\\0"'), (64, "H512(the 72 bytes before the signature)")))  # fmt: skip
    _, elements, statement, _ = wire.unbatch(frame("Batch"))
    blinded_digest = s.batch_digest(b"blinded", 0, elements)
    x = session.batch_body(0, blinded_digest)
    out += section("Statement of a batch** [STM-2], [STM-3]: x, then what is signed", cut(
        x, (16, "session_id"), (32, "request_digest"), (16, "epoch_id"), (32, "SetId"), (8, "index"), (32, "blinded_digest")
    ) + cut(b"oblink/1/batch\0" + H512(x), (15, '"oblink/1/batch\\0"'), (64, "H512(x)")) + cut(statement, (64, "signature")))  # fmt: skip
    out += section("Request** [REQ-1], as it is hashed", [parties.request.decode()], [f"`request_digest` = `{H256(parties.request).hex()}`", ""])
    out += section("Hello**", control(frame("Hello"), wire.HELLO, {
        "versions": ": one, version 1", "suites": ": one, suite 1", "clock_unix_ms": " = 1800000000000",
        "request": f": {len(parties.request)} bytes", "signatures": ": none", "head_size": ": none known", "head_root": ": zeros"}))  # fmt: skip
    out += section("Welcome**", control(frame("Welcome"), wire.WELCOME, {
        "public_key": ": length 32, then the bytes", "resend": ": none", "policy": ": zeros, unsigned", "head_size": f" = {session.welcome['head_size']}",
        "head_unix_ms": " = 1800000000250", "head_signature": ", of the statement below", "consistency": ": none"}))  # fmt: skip
    w = session.welcome
    head = ledger.head_body(parties.holder_fp, w["head_size"], w["head_root"], w["head_unix_ms"])
    out += section("Head** [LED-3], as it is hashed and signed", [head.decode()])
    out += section("SetRequest**", control(frame("SetRequest"), wire.SET_REQUEST, {}))
    out += section("SetChunk**", cut(frame("SetChunk"), (5, "length, type"), (8, "offset"), (-1, "bytes: the whole file")))
    for name, tail in (("Batch", ((64, "statement"),)), ("Evaluated", ((32, "c"), (32, "s"), (32, "c of the binding proof"), (32, "s of the binding proof")))):
        parts = [(5, "length, type"), (8, "index"), (4, "count")] + [(32, f"element {n}") for n in range(3)]
        out += section(f"{name}**, the first", cut(frame(name), *parts, *tail))
    for name, kind in (("Complete", wire.COMPLETE), ("Receipt", wire.RECEIPT), ("Acknowledge", wire.ACKNOWLEDGE)):
        out += section(f"{name}**", control(frame(name), kind, {"body": ": length, then the JSON below", "consistency": ": from Welcome's head to the receipt's"}))
    ping = wire.control(wire.PING, clock_unix_ms=1_800_000_000_000)
    refusal = wire.control(wire.REFUSAL, code=wire.BUSY, detail="busy")
    pong = wire.control(wire.PONG, clock_unix_ms=1_800_000_000_250)
    others = [("Closed", frame("Closed")), ("Ping, its clock 1800000000000", ping), ("Pong", pong), ('Refusal, busy, detail "busy"', refusal)]
    out += section("Closed, Ping, Pong, Refusal**", [f"{data.hex():<46} {name}" for name, data in others])
    body = wire.uncontrol(frame("Receipt"), wire.RECEIPT)["body"]
    out += section("Receipt's body** [END-3], as it is hashed and signed", [body.decode()], [f"`receipt_digest` = `{H256(body).hex()}`", ""])
    transcript = session.transcript_input()
    entries = [(n, w) for b in (0, 1) for n, w in ((8, f"index {b}"), (32, "blinded_digest"), (32, "evaluated_digest"))]
    out += section(f"Transcript** [END-1], the {len(transcript)} bytes that are hashed", cut(
        transcript, (20, '"oblink/1/transcript\\0"'), (2, "version"), (2, "suite"), (4, "versions offered: one, 1"),
        (4, "suites offered: one, 1"), (32, "verifier nonce"), (32, "holder nonce"), (32, "verifier fingerprint"),
        (32, "holder fingerprint"), (32, "ruleset_digest"), (1, "τ"), (2, "T"), (32, "SetId"), (34, "lp(public key)"),
        (32, "request_digest"), (8, "batches"), *entries), [f"`transcript` = `{short(H512(transcript))}`", ""])  # fmt: skip
    out += authority()
    return "\n".join([MARK_BEGIN, *out, MARK_END])


if __name__ == "__main__":
    print(text())
