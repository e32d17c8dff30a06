#!/usr/bin/env python3
"""Makes vectors/negative.json: broken inputs, the requirement that each breaks, and who is to blame."""
import json

import ed25519
import group
import ledger
import sealed_set
import session as s
import wire
from hashes import H256, u8, u16, u32, u64
from request import canonical
from negative import CODES, VECTORS, differences, frames, good
from tokens import SUITE, tau

NOTE = (
    "Each case is something that a reader must refuse. `state` says where: `set` is a whole sealed set; `received set` is one"
    " that came for the Welcome in `welcome`; all others are one frame, received in a session of session.json (the first, or"
    " the case's `session`, counted from 0) by the holder before anything (`hello`; it allows 10 pairs unsigned, where no policy is in force), after"
    " Welcome (`set request`, `batch`), after the first batch (`batch again`, `complete early`), after every batch"
    " (`complete`), after Receipt (`acknowledge`), or by the verifier after Hello (`welcome`), when the set's first chunk is"
    " due (`set chunk`), after the first Batch (`evaluated`), after Complete (`receipt`), after Acknowledge (`closed`). Clocks"
    " are those of the inputs. `blame` is who broke the rule, or `configuration` where nobody did. `refusal` is the code that"
    " a holder answers; `refusals` has the numbers of all (FRM-5). Byte strings are hexadecimal; frames have their five bytes of header."
)
cases = []


def case(state, anchor, name, data, blame, refusal=None, **more):
    entry = {"name": name, "anchor": anchor, "state": state, "blame": blame}
    if refusal:
        entry["refusal"] = refusal
    cases.append(entry | more | {"bytes": data.hex()})


done, parties, _ = good(0)
i = parties.inputs
VS, HS = i["verifier"]["statement_secret"], i["holder"]["statement_secret"]
IDENTITY, NON_CANONICAL = bytes(32), b"\xff" * 32
NO_POINT = next(bytes([b]) + bytes(31) for b in range(2, 99, 2) if not group.is_element(bytes([b]) + bytes(31)))
SMALL_ORDER = b"\1" + bytes(31)


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def raw_control(kind, **fields):
    """A control frame whose body is made without any check."""
    body = b"".join(wire._put(type_, fields[name]) for name, type_ in wire.SCHEMAS[kind])
    return u32(len(body)) + u8(kind) + body


def reframed(data, body):
    return u32(len(body)) + data[4:5] + body


def unwelcome(state, data, sender, other, limit):
    """What holds for every frame."""
    kind = data[4]
    code = (lambda name: {"refusal": name}) if sender == "verifier" else (lambda name: {})
    case(state, "FRM-1", "a frame of another type", reframed(frames(0, other)[0], frames(0, other)[0][5:]), sender, **code("out_of_turn"))
    case(state, "FRM-1", "a type that there is not", data[:4] + b"\x0d" + data[5:], sender, **code("out_of_turn"))
    case(state, "FRM-1", "a length above the limit", u32(limit + 1) + u8(kind), sender, **code("request_malformed"))


# --- §4.2 ---
FILE = parties.set
HEADER, DIGEST_AT = FILE[:176], 144


def headed(at, value, rest=FILE[176:]):
    """The file with other bytes in its header, and the header's digest set right."""
    head = HEADER[:at] + value + HEADER[at + len(value) : DIGEST_AT]
    return head + H256(head) + rest


def blocked(count, length, first, body):
    """The file with another block, its digest set right."""
    data = u32(count) + u32(length) + first.to_bytes(16, "big") + body
    return HEADER + data + H256(b"oblink/1/block\0" + HEADER[144:176] + u64(0) + data)


def sets():
    def bad(anchor, name, data):
        case("set", anchor, name, data, "holder")

    _, bits, k, declared, tags = (*sealed_set.read_header(FILE)[:4], sealed_set.read(FILE)[3])
    n, length = len(tags), int.from_bytes(FILE[180:184], "big")
    body = FILE[200 : 200 + length]
    bad("SET-4", "no byte", b"")
    bad("SET-4", "a header cut short", FILE[:175])
    bad("SET-4", "another magic", headed(7, b"\2"))
    bad("SET-4", "the header's digest", flip(FILE, 144))
    bad("SET-4", "suite 2", headed(8, u16(2)))
    bad("TAG-3", "τ one more", headed(10, u8(bits + 1)))
    bad("TAG-3", "τ one less", headed(10, u8(bits - 1)))
    bad("TAG-3", "D doubled, τ not", headed(32, u64(2 * declared)))
    bad("TAG-2", "D is 0", headed(32, u64(0)))
    bad("TAG-2", "M is 0", headed(24, u64(0)))
    bad("TAG-2", "D above 2^40", headed(32, u64(2**40 + 1)))
    bad("SET-4", "k one more", headed(11, u8(k + 1)))
    bad("SET-4", "T is 0", headed(12, u16(0)))
    bad("SET-4", "T is 65", headed(12, u16(65)))
    bad("SET-4", "a reserved byte", headed(15, b"\1"))
    bad("SET-4", "B is 4,095", headed(16, u32(4095)))
    bad("SET-4", "no tags", headed(40, u64(0)))
    bad("SET-4", "more tags than declared", headed(40, u64(declared + 1)))
    bad("SET-4", "a byte of the public key's padding", headed(128, b"\1"))
    bad("SET-4", "one tag too few in the block", blocked(n - 1, length, tags[0], body))
    bad("SET-4", "one tag too many in the block", blocked(n + 1, length, tags[0], body))
    bad("SET-4", "an empty block", blocked(0, 0, 0, b""))
    longest = -(-(4095 * (k + 1) + (1 << (n - 1).bit_length())) // 8)
    bad("SET-4", "a body longer than any set has, not there", FILE[:180] + u32(longest + 1) + FILE[184:])
    bad("SET-4", "a body of 4 GiB, not there", FILE[:180] + u32(2**32 - 1) + FILE[184:])
    bad("SET-4", "the block's digest", flip(FILE, len(FILE) - 1))
    bad("SET-4", "a byte of the body, digest left", flip(FILE, 201))
    bad("SET-4", "the header changed, the block's digest left", headed(20, u32(20261101)))
    bad("SET-4", "a body that ends in a tag", blocked(n, length - 1, tags[0], body[:-1]))
    bad("SET-4", "a body of ones", blocked(n, length, tags[0], b"\xff" * length))
    bad("SET-4", "a body with a byte more", blocked(n, length + 1, tags[0], body + b"\0"))
    # The gaps here fill their bytes; with the last gap's quotient one less, a bit is left.
    nearer = tags[:-1] + [tags[-1] - (1 << k)]
    spared = sealed_set.block(HEADER, 0, nearer, k)[24:-32]
    assert sealed_set.read(blocked(n, len(spared), tags[0], spared))[3] == nearer
    bad("SET-4", "a set bit after the last tag", blocked(n, len(spared), tags[0], flip(spared, len(spared) - 1)))
    bad("SET-4", "a first tag of more than τ bits", blocked(n, length, tags[0] | 1 << bits, body))
    bad("SET-4", "tags that reach 2^τ", blocked(n, length, (1 << bits) - 1, body))
    bad("SET-4", "a block cut short", FILE[:-1])
    bad("SET-4", "a file without its block", HEADER)
    bad("SET-4", "a byte after the last block", FILE + b"\0")


def received():
    base = parties.welcome_fields()

    def bad(anchor, name, data=FILE, **changed):
        welcome = wire.control(wire.WELCOME, **(base | changed))
        case("received set", anchor, name, data, "holder", welcome=welcome.hex())

    other = headed(20, u32(20261101), b"")
    other += sealed_set.block(other, 0, sealed_set.read(FILE)[3], FILE[11])
    sealed_set.read(other)
    bad("SET-7", "another set, good in itself", other)
    bad("SET-7", "a byte less than Welcome has", FILE[:-1])
    bad("SET-7", "Welcome has another SetId", set_id=flip(base["set_id"], 0))
    bad("SET-7", "Welcome has another date", as_of=base["as_of"] + 1)
    bad("SET-7", "Welcome has another epoch", epoch_id=flip(base["epoch_id"], 0))
    bad("SET-7", "Welcome has fewer tags", set_tags=base["set_tags"] - 1)
    d, m = 2 * base["declared_tags"], base["session_tokens_max"]
    bad("SET-7", "Welcome declares more tags, τ with them", declared_tags=d, tau=tau(d, m))
    bad("SET-7", "Welcome allows more tokens, τ with them", session_tokens_max=2 * m, tau=tau(base["declared_tags"], 2 * m))
    bad("SET-7", "Welcome has another public key (EPO-4)", public_key=group.encode(group.double(parties.epoch.point)))


# --- §5.2, §5.3, §6.1, §6.2: Hello ---
def hellos():
    base = parties.hello_fields()
    good_frame = wire.control(wire.HELLO, **base)

    def bad(anchor, name, refusal="request_malformed", blame="verifier", session=0, **changed):
        case("hello", anchor, name, raw_control(wire.HELLO, **(base | changed)), blame, refusal)

    unwelcome("hello", good_frame, "verifier", "Batch", 393_216)
    code = {"refusal": "request_malformed"}
    body = good_frame[5:]
    case("hello", "FRM-2", "no byte", reframed(good_frame, b""), "verifier", **code)
    case("hello", "FRM-2", "a byte left over", reframed(good_frame, body + b"\0"), "verifier", **code)
    case("hello", "FRM-2", "a byte short", reframed(good_frame, body[:-1]), "verifier", **code)
    huge = (2**63).to_bytes(8, "little")
    case("hello", "FRM-4", "2^63 signatures", reframed(good_frame, body[:-48] + huge + body[-40:]), "verifier", **code)
    at = 20 + 32 + 8 + 136
    case("hello", "FRM-2", "a request of 2^63 bytes", reframed(good_frame, body[:at] + huge + body[at + 8 :]), "verifier", **code)
    bad("FRM-4", "no version", versions=[])
    bad("FRM-4", "17 versions", versions=list(range(1, 18)))
    bad("FRM-4", "versions that do not ascend", versions=[2, 1])
    bad("FRM-4", "a version twice", versions=[1, 1])
    bad("FRM-4", "no suite", suites=[])
    bad("FRM-4", "17 suites", suites=list(range(1, 18)))
    bad("FRM-4", "65 signatures", signatures=[b""] * 65)
    bad("FRM-4", "a signature of 4,097 bytes", signatures=[bytes(4097)])
    bad("HSK-1", "version 2 only", "version_unsupported", "configuration", versions=[2])
    bad("HSK-1", "suite 2 only", "suite_unsupported", "configuration", suites=[2])
    now = i["welcome_unix_ms"]
    bad("HSK-2", "a clock 300,001 ms behind", "clock_skew", "configuration", clock_unix_ms=now - 300_001)
    bad("HSK-2", "a clock 300,001 ms ahead", "clock_skew", "configuration", clock_unix_ms=now + 300_001)
    bad("HSK-2", "a clock at its end", "clock_skew", "configuration", clock_unix_ms=2**64 - 1)
    for name, changed in certificates(i["verifier"], parties.holder_certificate):
        bad("STM-1", name, "signature_invalid", certificate=changed)
    text = parties.request.decode()
    for name, find, put in [
        ("a space", '"pairs":5', '"pairs": 5'), ("an unknown member", '"pairs":5', '"pairs":5,"purpose":"x"'),
        ("a member missing", '"pairs":5,', ""), ("members in another order", text, "{" + text[18:-1] + "," + text[1:17] + "}"),
        ("a member twice", '"pairs":5', '"pairs":5,"pairs":5'), ("a fraction", '"pairs":5', '"pairs":5.0'),
        ("an exponent", '"pairs":5', '"pairs":5e0'), ("a number as a string", '"pairs":5', '"pairs":"5"'),
        ("a negative number", '"pairs":5', '"pairs":-5'), ("no pairs", '"pairs":5', '"pairs":0'),
        ("2^40 + 1 pairs", '"pairs":5', f'"pairs":{2**40 + 1}'), ("2^64 pairs", '"pairs":5', f'"pairs":{2**64}'),
        ("2^20 + 1 batches", '"pairs":5', f'"pairs":{3 * 2**20 + 1}'),
        ("batches of none", '"batch_tokens":3', '"batch_tokens":0'),
        ("batches of 65,536", '"batch_tokens":3', '"batch_tokens":65536'),
        ("no tokens a pair", '"tokens_per_pair":1', '"tokens_per_pair":0'),
        ("65 tokens a pair", '"tokens_per_pair":1', '"tokens_per_pair":65'),
        ("hex digits in upper case", i["ruleset_digest"].hex(), i["ruleset_digest"].hex().upper()),
        ("a request_id of 31 digits", i["request_id"].hex(), i["request_id"].hex()[1:]),
        ("a ruleset of 65 characters", "us-exact-1", "x" * 65), ("a ruleset without a name", "us-exact-1", ""),
        ("a ruleset with an underscore", "us-exact-1", "us_exact_1"),
        ("an escape that need not be", "us-exact-1", "us\\u002dexact-1"), ("another format", "request/1", "request/2"),
        ("an array", text, "[]"), ("null", text, "null"), ("no byte", text, ""), ("no JSON", text, text[:-1]),
        ("a line end", text, text + "\n"), ("a byte order mark", text, "\ufeff" + text),
    ]:  # fmt: skip
        changed = text.replace(find, put, 1)
        assert changed != text, name
        bad("REQ-1", f"request: {name}", request=changed.encode())
    bad("REQ-1", "request: not UTF-8", request=parties.request[:-2] + b"\xff}")
    other = text.replace(i["ruleset_digest"].hex(), flip(i["ruleset_digest"], 0).hex())
    bad("HSK-3", "another ruleset", "ruleset_mismatch", "configuration", request=other.encode())
    other = text.replace('"tokens_per_pair":1', '"tokens_per_pair":2')
    bad("HSK-3", "two tokens a pair", "ruleset_mismatch", "configuration", request=other.encode())
    bad("HSK-4", "11 pairs unsigned", "pairs_over_cap", request=text.replace('"pairs":5', '"pairs":11').encode())
    bad("HSK-8", "a head of more entries than the log has", "ledger_diverged", head_size=2, head_root=parties.log.root(2))
    _, three, _ = good(1)
    for name, changed in [
        ("another root than the log had", dict(head_root=flip(three.log.root(3), 0))), ("another size than the root is of", dict(head_size=4)),
        ("a head of the largest size", dict(head_size=2**64 - 1)), ("one entry more than there are", dict(head_size=7, head_root=three.log.root(7))),
    ]:  # fmt: skip
        data = wire.control(wire.HELLO, **(three.hello_fields() | changed))
        case("hello", "HSK-8", name, data, "verifier", "ledger_diverged", session=1)
    more = three.request.replace(b'"pairs":3', b'"pairs":4')
    data = wire.control(wire.HELLO, **(three.hello_fields() | {"request": more}))
    case("hello", "TAG-3", "12 tokens where 9 are allowed", data, "configuration", "tokens_over_cap", session=1)


def authority():
    """Hellos of the signed session, under its policy."""
    _, signed, _ = good(2)
    base, inputs = signed.hello_fields(), signed.inputs["authority"]
    ada, ben = base["signatures"]
    others = json.loads((VECTORS / "authority.json").read_text())["signatures"]
    find = lambda name: [text.encode() for text in next(entry["signatures"] for entry in others if entry["name"] == name)]

    def bad(name, anchor="AUT-1", refusal="not_authorised", **changed):
        case("hello", anchor, name, raw_control(wire.HELLO, **(base | changed)), "verifier", refusal, session=2)

    text = signed.request.decode()
    unsigned = {k: v for k, v in json.loads(text).items() if k in json.loads(parties.request)} | {"format": "oblink/request/1"}
    bad("an unsigned request", request=canonical(unsigned), signatures=[])
    bad("an edited purpose", request=text.replace("To confirm", "To collect").encode())
    bad("another blinded_root", request=text.replace(json.loads(text)["blinded_root"], "00" * 32).encode())
    bad("a pair more", request=text.replace('"pairs":5', '"pairs":6').encode())
    bad("valid a day longer", request=text.replace(str(inputs["manifest"]["not_after_unix_ms"]), str(inputs["manifest"]["not_after_unix_ms"] + 86_400_000)).encode())
    bad("valid no longer", request=text.replace(str(inputs["manifest"]["not_after_unix_ms"]), str(signed.inputs["welcome_unix_ms"] - 1)).encode())
    bad("made out to another holder", request=text.replace(signed.holder_fp.hex(), "00" * 32).encode())
    bad("another verifier's", request=text.replace(signed.verifier_fp.hex(), "00" * 32).encode())
    bad("without its agreement", request=text.replace('"agreement"', '"arrangement"').encode())
    bad("a disclosure that the policy does not list", request=text.replace('"count"', '"matched_tags"').encode())
    bad("one signature short", signatures=[ada])
    bad("no signature", signatures=[])
    bad("one official twice", signatures=[ada, ada])
    bad("one of three that fails", signatures=find("one of three that fails"))
    bad("a signature in the countersigning namespace", signatures=[*find("another namespace of oblink's"), ben])
    bad("a signature in ssh-keygen's own namespace", signatures=[*find("ssh-keygen's own namespace"), ben])
    bad("a signature of nobody who is listed", signatures=[*find("nobody who is listed"), ben])
    bad("a signature of the holder's official", signatures=[*find("an official of the other side"), ben])
    bad("a signature that is no armour", signatures=[b"sig", ben])
    bad("a purpose with a right-to-left override", "REQ-3", "request_malformed", request=text.replace("To confirm", "To\u202e confirm").encode())
    bad("a space", "REQ-3", "request_malformed", request=text.replace(",", ", ", 1).encode())
    bad("a member missing", "REQ-3", "request_malformed", request=text.replace('"list_root":"' + json.loads(text)["list_root"] + '",', "").encode())
    bad("a head of another log", "HSK-8", "ledger_diverged", head_root=bytes(32))


def unapproved():
    """[BAT-7]: batches of the signed session, each rightly stated."""
    session, signed, _ = good(2)
    sent = [wire.unbatch(data) for data in frames(2, "Batch")]
    secret, w = signed.inputs["verifier"]["statement_secret"], session.welcome

    def bad(name, elements=None, path=None, refusal="batch_unapproved", anchor="BAT-7", index=0):
        elements, path = elements or sent[index][1], sent[index][3] if path is None else path
        digest = s.batch_digest(b"blinded", index, elements)
        body = s.batch_body(session.id, session.request_digest, w["epoch_id"], w["set_id"], index, digest)
        data = u64(index) + u32(len(elements)) + b"".join([*elements, s.state(secret, b"batch", body), *path])
        case("batch", anchor, name, u32(len(data)) + u8(wire.BATCH) + data, "verifier", refusal, session=2)

    own, others = sent[0][1], sent[1][1]
    bad("another list", [group.encode(group.double(group.decode(e))) for e in own])
    bad("one row replaced", [own[0], others[1]])
    bad("a row twice", [own[0], own[0]])
    bad("the rows in another order", own[::-1])
    bad("another batch's rows", others)
    bad("another batch's rows and path", others, sent[1][3])
    bad("another batch's path", path=sent[1][3])
    bad("the last batch's path, which is shorter", path=sent[2][3])
    bad("no path", path=[])
    bad("a path of a hash less", path=sent[0][3][:-1])
    bad("a path of a hash more", path=[*sent[0][3], bytes(32)])
    bad("a bit of the path", path=[sent[0][3][0], flip(sent[0][3][1], 31)])
    bad("a path the other way round", path=sent[0][3][::-1])
    bad("a path of 21 hashes", path=[bytes(32)] * 21, refusal="batch_malformed", anchor="FRM-3")
    bad("a row more than the last batch has", [*sent[2][1], own[0]], refusal="batch_malformed", anchor="BAT-2", index=2)


def certificates(party, others):
    own = s.certify(party["identity_secret"], party["statement_secret"], party["issued_unix_ms"])
    head = own[:72]
    yield "the other side's certificate", others
    yield "a certificate's time", flip(own, 71)
    yield "a certificate's signature", flip(own, 72)
    label = b"oblink/1/statement-key\0"
    yield "a certificate signed by the statement key", head + ed25519.sign(party["statement_secret"], label + s.H512(head))
    yield "a certificate signed without its hash", head + ed25519.sign(party["identity_secret"], label + head)
    yield "a certificate signed as a receipt", head + s.state(party["identity_secret"], b"receipt", head)
    weak = own[:32] + SMALL_ORDER + own[64:72]
    yield "a statement key of small order", weak + ed25519.sign(party["identity_secret"], label + s.H512(weak))


# --- §6.2: Welcome ---
def welcomes():
    base = parties.welcome_fields()
    good_frame = wire.control(wire.WELCOME, **base)

    def bad(anchor, name, blame="holder", **changed):
        case("welcome", anchor, name, raw_control(wire.WELCOME, **(base | changed)), blame)

    def headed(name, anchor="HSK-8", session=1, secret=None, kind=b"head", holder=None, **changed):
        """With a head that is signed all the same."""
        _, p, _ = good(session)
        fields = p.welcome_fields() | changed
        body = ledger.head_body(holder or p.holder_fp, fields["head_size"], fields["head_root"], fields["head_unix_ms"])
        fields["head_signature"] = s.state(secret or p.inputs["holder"]["statement_secret"], kind, body)
        case("welcome", anchor, name, raw_control(wire.WELCOME, **fields), "holder", **({"session": session} if session else {}))

    bad("LED-3", "a head without a signature", head_signature=bytes(64))
    bad("LED-3", "a bit of the head's signature", head_signature=flip(base["head_signature"], 63))
    bad("LED-3", "another size than the head's", head_size=base["head_size"] + 1)
    bad("LED-3", "another root than the head's", head_root=flip(base["head_root"], 0))
    bad("LED-3", "another time than the head's", head_unix_ms=base["head_unix_ms"] + 1)
    headed("a head of another holder", "LED-3", 0, holder=parties.verifier_fp)
    headed("a head by the identity key", "LED-3", 0, secret=i["holder"]["identity_secret"])
    headed("a head signed as a receipt", "LED-3", 0, kind=b"receipt")
    headed("a head of no entries", "HSK-8", 0, head_size=0, head_root=bytes(32))
    headed("a head 300,001 ms before Welcome", "HSK-8", 0, head_unix_ms=base["clock_unix_ms"] - 300_001)
    headed("a head 300,001 ms after Welcome", "HSK-8", 0, head_unix_ms=base["clock_unix_ms"] + 300_001)
    headed("a proof where nothing was presented", "HSK-8", 0, consistency=[bytes(32)])
    _, known, _ = good(1)
    proof = known.welcome_fields()["consistency"]
    headed("no proof", consistency=[])
    headed("a hash of the proof less", consistency=proof[:-1])
    headed("a hash of the proof more", consistency=[*proof, bytes(32)])
    headed("a bit of the proof", consistency=[flip(proof[0], 0), *proof[1:]])
    headed("another root, signed", head_root=bytes(32))
    headed("a log that is shorter than the known one", head_size=2, head_root=known.log.root(2), consistency=[])
    fork = ledger.Log([dict(known.log.entries[0], body="{}"), *known.log.entries[1:]])
    headed("a forked log with its own proof", head_root=fork.root(7), consistency=fork.consistency(3, 7))
    bad("FRM-4", "a proof of 65 hashes", consistency=[bytes(32)] * 65)
    bad("HSK-7", "authority 1 for an unsigned request", authority=1, policy=bytes([1]) * 32)
    bad("HSK-7", "a policy without authority", policy=bytes([1]) * 32)
    bad("HSK-7", "authority 2", authority=2, policy=bytes([1]) * 32)
    headed("authority 1 without a policy, in a signed session", "HSK-7", 2, policy=bytes(32))
    headed("authority 0 with a policy, in a signed session", "HSK-7", 2, authority=0)

    unwelcome("welcome", good_frame, "holder", "Hello", 4_096)
    case("welcome", "FRM-2", "a byte left over", reframed(good_frame, good_frame[5:] + b"\0"), "holder")
    case("welcome", "FRM-2", "a byte short", reframed(good_frame, good_frame[5:-1]), "holder")
    bad("HSK-7", "version 2", version=2)
    bad("HSK-7", "suite 2", suite=2)
    bad("HSK-2", "a clock 300,001 ms ahead", "configuration", clock_unix_ms=i["hello_unix_ms"] + 300_001)
    for name, changed in certificates(i["holder"], parties.verifier_certificate):
        bad("STM-1", name, certificate=changed)
    bad("HSK-3", "another ruleset", "configuration", ruleset_digest=flip(base["ruleset_digest"], 31))
    bad("HSK-3", "two tokens a pair", "configuration", tokens_per_pair=2)
    bad("HSK-7", "fewer tokens a session than are asked", "configuration", session_tokens_max=4, tau=tau(base["declared_tags"], 4))
    bad("TAG-3", "τ one more", tau=base["tau"] + 1)
    bad("TAG-3", "τ one less", tau=base["tau"] - 1)
    bad("TAG-2", "D is 0", declared_tags=0)
    bad("TAG-2", "D above 2^40", declared_tags=2**64 - 1)
    bad("TAG-2", "M above 2^40", session_tokens_max=2**40 + 1)
    bad("HSK-7", "no tags", set_tags=0)
    bad("HSK-7", "more tags than declared", set_tags=base["declared_tags"] + 1)
    bad("FRM-4", "no batch in flight", batches_in_flight_max=0)
    bad("FRM-4", "65 batches to be sent again", resend=list(range(65)))
    bad("HSK-7", "an authority without a policy", authority=1)
    for name, key in (("the identity", IDENTITY), ("not canonical", NON_CANONICAL), ("no point", NO_POINT)):
        bad("HSK-7", f"a public key that is {name}", public_key=key)
    bad("HSK-7", "a public key of 31 bytes", public_key=base["public_key"][:31])
    bad("FRM-4", "a public key of 33 bytes", public_key=base["public_key"] + b"\0")


# --- the set on its way ---
def transfers():
    w = done.welcome
    ask = lambda **f: wire.control(wire.SET_REQUEST, **({"set_id": w["set_id"], "offset": 0} | f))
    unwelcome("set request", ask(), "verifier", "Hello", 256)
    case("set request", "FRM-2", "a byte left over", reframed(ask(), ask()[5:] + b"\0"), "verifier", "request_malformed")
    case("set request", "SET-8", "another set", ask(set_id=flip(w["set_id"], 0)), "verifier", "out_of_turn")
    case("set request", "SET-8", "beyond the end", ask(offset=w["set_bytes"] + 1), "verifier", "out_of_turn")
    unwelcome("set chunk", wire.set_chunk(0, FILE), "holder", "Hello", 8 + 262_144)
    chunk = u8(wire.SET_CHUNK)
    case("set chunk", "FRM-3", "an offset cut short", u32(7) + chunk + bytes(7), "holder")
    case("set chunk", "FRM-3", "a chunk without bytes", u32(8) + chunk + bytes(8), "holder")
    case("set chunk", "SET-8", "another offset than is due", wire.set_chunk(1, FILE[1:]), "holder")
    case("set chunk", "SET-8", "bytes beyond the end", wire.set_chunk(0, FILE + b"\0"), "holder")


# --- §6.4 ---
def signed_batch(index, elements, kind=b"batch", secret=VS, session=None, set_id=None, path=()):
    digest = s.batch_digest(b"blinded", index, elements)
    w = done.welcome
    body = s.batch_body(session or done.id, done.request_digest, w["epoch_id"], set_id or w["set_id"], index, digest)
    return wire.batch(index, elements, s.state(secret, kind, body), path)


def batches():
    good_frame = frames(0, "Batch")[0]
    index, elements, statement = wire.unraw(good_frame, wire.BATCH)
    assert signed_batch(index, elements) == good_frame

    def bad(anchor, name, data, refusal="batch_malformed", state="batch"):
        case(state, anchor, name, data, "verifier", refusal)

    unwelcome("batch", good_frame, "verifier", "Hello", 12 + 65_535 * 32 + 64 + 20 * 32)
    bad("FRM-3", "no byte", reframed(good_frame, b""))
    bad("FRM-3", "no elements", signed_batch(0, []))
    bad("FRM-3", "a count of one more than there are", good_frame[:13] + u32(4) + good_frame[17:])
    bad("FRM-3", "a count of 2^32 - 1", good_frame[:13] + u32(2**32 - 1) + good_frame[17:])
    bad("FRM-3", "a byte left over", reframed(good_frame, good_frame[5:] + b"\0"))
    bad("BAT-2", "an index that the request has not", signed_batch(2, elements))
    bad("BAT-2", "the last index there is", signed_batch(2**64 - 1, elements))
    bad("BAT-2", "three tokens in the last batch, which has two", signed_batch(1, elements))
    bad("BAT-2", "two tokens in a batch of three", signed_batch(0, elements[:2]))
    bad("STM-3", "a statement's first byte", wire.batch(0, elements, flip(statement, 0)), "signature_invalid")
    bad("STM-3", "elements in another order than was stated", wire.batch(0, [elements[n] for n in (1, 0, 2)], statement), "signature_invalid")
    bad("STM-3", "a statement of kind receipt", signed_batch(0, elements, b"receipt"), "signature_invalid")
    bad("STM-3", "a statement for another session", signed_batch(0, elements, session=bytes(16)), "signature_invalid")
    bad("STM-3", "a statement for another set", signed_batch(0, elements, set_id=bytes(32)), "signature_invalid")
    bad("STM-3", "a statement by the identity key", signed_batch(0, elements, secret=i["verifier"]["identity_secret"]), "signature_invalid")
    malleable = statement[:32] + (int.from_bytes(statement[32:], "little") + group.ORDER).to_bytes(32, "little")
    bad("STM-3", "a statement whose scalar is not canonical", wire.batch(0, elements, malleable), "signature_invalid")
    for name, point in (("the identity", IDENTITY), ("not canonical", NON_CANONICAL), ("no point", NO_POINT)):
        bad("SUI-2", f"an element that is {name}, rightly stated", signed_batch(0, [elements[0], point, elements[2]]))
    bad("BAT-7", "a path in a session without commitments", signed_batch(0, elements, path=[bytes(32)]))
    bad("BAT-3", "another batch under a charged index", signed_batch(0, [elements[n] for n in (1, 0, 2)]), "batch_conflict", "batch again")


def answers():
    good_frame = frames(0, "Evaluated")[0]
    _, elements, proof = wire.unraw(good_frame, wire.EVALUATED)
    _, blinded, _ = wire.unraw(frames(0, "Batch")[0], wire.BATCH)
    blinded = wire.points(blinded)

    def bad(anchor, name, index=0, elements=elements, proof=proof):
        data = wire.frame(wire.EVALUATED, u64(index) + u32(len(elements)) + b"".join(elements) + proof)
        case("evaluated", anchor, name, data, "holder")

    unwelcome("evaluated", good_frame, "holder", "Batch", 12 + 65_535 * 32 + 128)
    case("evaluated", "FRM-3", "a byte left over", reframed(good_frame, good_frame[5:] + b"\0"), "holder")
    case("evaluated", "FRM-3", "a count of one more than there are", good_frame[:13] + u32(4) + good_frame[17:], "holder")
    bad("FRM-3", "no elements", elements=[])
    bad("BAT-4", "another index", index=1)
    bad("BAT-4", "an element less", elements=elements[:2])
    for name, point in (("the identity", IDENTITY), ("not canonical", NON_CANONICAL), ("no point", NO_POINT)):
        bad("SUI-2", f"an element that is {name}", elements=[elements[0], point, elements[2]])
    bad("BAT-5", "elements in another order", elements=[elements[n] for n in (1, 0, 2)])
    bad("BAT-5", "an element replaced by another", elements=[elements[0], elements[0], elements[2]])
    bad("BAT-5", "c", proof=flip(proof, 0))
    bad("BAT-5", "s", proof=flip(proof, 32))
    bad("BAT-6", "c of the binding proof", proof=flip(proof, 64))
    bad("BAT-6", "s of the binding proof", proof=flip(proof, 96))
    bad("BAT-5", "no proofs", proof=bytes(128))
    bad("BAT-5", "the binding proof twice", proof=proof[64:] * 2)
    bad("BAT-6", "RFC 9497's proof twice", proof=proof[:64] * 2)
    case("evaluated", "FRM-3", "no binding proof", reframed(good_frame, good_frame[5:-64]), "holder")
    for name, at in (("c", 0), ("s", 32), ("c of the binding proof", 64), ("s of the binding proof", 96)):
        beyond = (int.from_bytes(proof[at : at + 32], "little") + group.ORDER).to_bytes(32, "little")
        bad("SUI-2", f"{name} that is not canonical", proof=proof[:at] + beyond + proof[at + 32 :])
    # What additive blinding must not let through (UNB-2): an error of the holder's choice, and the best proofs it can make.
    honest = wire.points(elements)
    shifted = [honest[0], group.add(honest[1], group.multiply(5, group.BASE)), honest[2]]
    for name, sent in (("shifted", shifted), ("unshifted", honest)):
        both = SUITE.prove_batch(parties.epoch.sk, parties.epoch.point, blinded, sent, 7, 8)
        bad("BAT-5", f"an element shifted by 5·G, proved over the {name} ones (UNB-2)", elements=wire.encodings(shifted), proof=wire.encode_proof(both))
    key = parties.epoch.sk + 1
    other = [group.multiply(key, point) for point in blinded]
    for name, public in (("proved for that key", group.multiply(key, group.BASE)), ("proved for the epoch's", parties.epoch.point)):
        both = SUITE.prove_batch(key, public, blinded, other, 7, 8)
        bad("BAT-5", f"evaluated under another key, {name} (EPO-4)", elements=wire.encodings(other), proof=wire.encode_proof(both))


# --- §6.6 ---
def ends():
    complete = wire.control(wire.COMPLETE, transcript=done.transcript())
    unwelcome("complete", complete, "verifier", "Hello", 256)
    case("complete", "FRM-2", "a byte short", reframed(complete, complete[5:-1]), "verifier", "request_malformed")
    case("complete early", "END-2", "a batch is missing", complete, "verifier", "out_of_turn")
    case("complete", "END-2", "another transcript", flip(complete, 5), "verifier", "transcript_differs")

    at = i["completed_unix_ms"]
    good_frame = frames(0, "Receipt")[0]
    body, proof = (wire.uncontrol(good_frame, wire.RECEIPT)[name] for name in ("body", "consistency"))
    head = len(parties.log.entries), parties.log.root(len(parties.log.entries))
    assert done.receipt_body(at, *head) == body

    def bad(anchor, name, body=body, secret=HS, kind=b"receipt", blame="holder", proof=proof):
        data = raw_control(wire.RECEIPT, body=body, signature=s.state(secret, kind, body), consistency=proof)
        case("receipt", anchor, name, data, blame)

    unwelcome("receipt", good_frame, "holder", "Hello", 16_384)
    case("receipt", "FRM-2", "a byte left over", reframed(good_frame, good_frame[5:] + b"\0"), "holder")
    bad("FRM-4", "a body of 8,193 bytes", b" " * 8193)
    members = json.loads(body)
    for name, value in members.items():
        if name == "completed_unix_ms":
            continue
        if isinstance(value, int):
            other = value + 1
        elif not value:
            other = "00" * 32
        else:
            other = ("0" if value[0] != "0" else "1") + value[1:]
        bad("END-3", f"another {name}, signed", canonical(members | {name: other}))
    bad("END-3", "a member less, signed", canonical({k: v for k, v in members.items() if k != "as_of"}))
    bad("END-3", "a member more, signed", canonical(members | {"z": 0}))
    bad("END-3", "a space, signed", body.replace(b",", b", ", 1))
    bad("END-3", "no JSON, signed", b"")
    bad("END-3", "a number as a string, signed", canonical(members | {"tokens": str(members["tokens"])}))
    early = i["hello_unix_ms"] - 300_001
    bad("END-3", "a time 300,001 ms before Welcome", done.receipt_body(early, *head), blame="configuration")
    bad("END-3", "a time 300,001 ms ahead", done.receipt_body(at + 300_001, *head), blame="configuration")
    bad("END-3", "no proof that its log continues Welcome's", proof=[])
    bad("END-3", "a hash of the proof more", proof=[*proof, bytes(32)])
    bad("END-3", "a bit of the proof", proof=[flip(proof[0], 31), *proof[1:]])
    bad("END-3", "a ledger of no entries, signed", done.receipt_body(at, 0, bytes(32)), proof=[])
    forked = ledger.Log([dict(parties.log.entries[0], body="{}"), *parties.log.entries[1:]])
    bad("END-3", "a forked log with its own proof, signed", done.receipt_body(at, head[0], forked.root(head[0])), proof=forked.consistency(2, head[0]))
    bad("END-3", "an older head that is not Welcome's past, signed", done.receipt_body(at, 1, forked.root(1)), proof=forked.consistency(1, 2))
    bad("FRM-4", "a proof of 65 hashes", proof=[bytes(32)] * 65)
    bad("STM-2", "signed by the verifier", secret=VS)
    bad("STM-2", "signed by the holder's identity", secret=i["holder"]["identity_secret"])
    bad("STM-2", "signed as a batch", kind=b"batch")
    case("receipt", "STM-2", "the signature", flip(good_frame, 5 + 8 + len(body)), "holder")

    _, signed, _ = good(2)
    theirs = wire.uncontrol(frames(2, "Receipt")[0], wire.RECEIPT)
    members = json.loads(theirs["body"])
    edits = ("another policy", dict(policy="00" * 32)), ("unsigned", dict(authority="unsigned", policy="")), ("no disclosure", dict(disclosure="none"))
    for name, changed in edits:
        text = canonical(members | changed)
        signature = s.state(signed.inputs["holder"]["statement_secret"], b"receipt", text)
        data = wire.control(wire.RECEIPT, body=text, signature=signature, consistency=theirs["consistency"])
        case("receipt", "END-3", f"{name}, signed, in a signed session", data, "holder", session=2)

    acknowledge = frames(0, "Acknowledge")[0]
    unwelcome("acknowledge", acknowledge, "verifier", "Hello", 256)
    case("acknowledge", "FRM-2", "a byte short", reframed(acknowledge, acknowledge[5:-1]), "verifier", "request_malformed")
    case("acknowledge", "STM-2", "the signature", flip(acknowledge, 5), "verifier", "signature_invalid")
    holders = wire.control(wire.ACKNOWLEDGE, signature=s.state(HS, b"receipt", body))
    case("acknowledge", "STM-2", "the holder's own signature", holders, "verifier", "signature_invalid")
    case("closed", "FRM-1", "a frame of another type", frames(0, "Hello")[0], "holder")
    case("closed", "FRM-1", "a body", u32(1) + u8(wire.CLOSED) + b"\0", "holder")


def main():
    for part in (sets, received, hellos, authority, welcomes, transfers, batches, unapproved, answers, ends):
        part()
    for entry in cases:
        for text in differences(entry):
            raise SystemExit(f"{entry['name']}: {text}")
    file = {"format": "oblink/vectors/negative/1", "note": NOTE, "refusals": CODES, "cases": cases}
    (VECTORS / "negative.json").write_text(json.dumps(file, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(cases)} cases")


if __name__ == "__main__":
    main()
