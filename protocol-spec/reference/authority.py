"""Checks vectors/authority.json: what is good there holds, and every case with `refused` is refused for that reason."""
import base64

import ledger
import merkle
import negative
import policy
import replay
import request as r
import session as s
import sshsig
from group import Refused, encode
from tokens import SUITE


def raw(text):
    return bytes.fromhex(text)


def hashes(texts):
    return [raw(text) for text in texts]


def differences(case, check):
    """`check` raises what the case says under `refused`, by anchor or by code, or nothing."""
    want = case.get("refused")
    try:
        check()
    except Refused as e:
        return [] if want in (e.anchor, e.text) else [f"want {want}, got {e}"]
    return [f"want {want}, nothing was refused"] if want else []


def disclosed(each, session, receipt_digest, kind):
    try:
        s.check_disclosure([raw(data) for data in each["frames"]], session, receipt_digest, kind)
    except Refused as e:
        got = e.anchor, negative.code_of(e, "disclosure")
        want = each.get("refused"), negative.CODES.get(each.get("code"))
        return [] if got == want else [f"want {want}, got {got}"]
    return ["nothing was refused"] if "refused" in each else []


def checks(file, sessions):
    """(name, differences) of each check."""
    case = sessions[-1]
    parties = replay.Parties(case["inputs"])
    inputs, data = case["inputs"]["authority"], file["request"].encode()
    yield "the request is the last session's", [] if data == parties.request == case["outputs"]["request"].encode() else ["another"]
    p = file["policy"]
    same = p["policy_toml"] == inputs["policy"] and p["allowed_signers"] == inputs["allowed_signers"]
    yield "policy", [] if same and policy.digest(p["policy_toml"], p["allowed_signers"]).hex() == p["digest"] else ["digest or texts"]
    yield from signatures(file, data)
    yield from commitment(file["commitment"], parties)
    for each in file["requests"]:
        yield "request: " + each["name"], differences(each, lambda: r.parse(each["bytes"].encode()))
    yield from trees(file["merkle"])
    yield from ledgers(file["ledger"])
    session = negative.good(2)[0]
    for each in file["disclosures"]:
        digest = raw(case["outputs"]["receipt_digest"])
        kind = ["", "count", "matched_tags"].index(each["agreed"])
        yield "disclosure: " + each["name"], disclosed(each, session, digest, kind)
    for each in file["receipts"]:
        yield "receipt: " + each["name"], differences(each, lambda: s.check_receipt_file(each["file"]))


def signatures(file, data):
    signers = sshsig.allowed_signers(file["policy"]["allowed_signers"])
    for key in file["keys"]:
        sshsig.Key(base64.b64decode(key["public"].split()[1]))
    for each in file["signatures"]:

        def check():
            message = each["message"].encode() if "message" in each else data
            given = [text.encode() for text in each["signatures"]]
            counted = sshsig.count(signers, each["officials"], each["namespace"], message, given, each["needed"])
            if counted != each.get("counted", counted):
                raise Refused("", f"counted {counted}")

        yield "signature: " + each["name"], differences(each, check)


def commitment(c, parties):
    request_id = raw(c["request_id"])
    leaves = []
    for row in c["rows"]:
        salt = r.salt(raw(c["salt_seed"]), request_id, row["pair"])
        data = r.row_data(salt, row["pair"], row["row"], row["fields"])
        leaves.append(merkle.leaf(data))
        got = (salt.hex(), data.hex(), leaves[-1].hex())
        yield f"commitment: row of pair {row['pair']}", [] if got == (row["salt"], row["leaf_data"], row["leaf"]) else ["leaf"]
    paths = [[h.hex() for h in merkle.path(leaves, row["pair"])] == row["path"] for row in c["rows"]]
    yield "commitment: list_root", [] if all(paths) and merkle.root(leaves).hex() == c["list_root"] else ["root or a path"]
    yield "commitment: blind_seed_digest", [] if r.blind_seed_digest(request_id, raw(c["blind_seed"])).hex() == c["blind_seed_digest"] else ["differs"]
    # [AUD-2]: each element is H(token) + r·G.
    tokens = iter(enumerate(parties.tokens))
    blinded = []
    for batch in c["batches"]:
        elements = []
        for _ in batch["blinded"]:
            index, token = next(tokens)
            elements.append(encode(SUITE.blind_additively(token, parties.blinder.blind(index, token))))
        blinded.append(s.batch_digest(b"blinded", batch["index"], elements))
        got = [e.hex() for e in elements], blinded[-1].hex(), merkle.leaf(blinded[-1]).hex()
        yield f"commitment: batch {batch['index']}", [] if got == (batch["blinded"], batch["blinded_digest"], batch["leaf"]) else ["differs"]
    leaves = r.blinded_leaves(blinded)
    paths = [[h.hex() for h in merkle.path(leaves, batch["index"])] == batch["path"] for batch in c["batches"]]
    yield "commitment: blinded_root", [] if all(paths) and merkle.root(leaves).hex() == c["blinded_root"] else ["root or a path"]
    for each in c["openings"]:

        def check():
            leaf = merkle.leaf(r.row_data(raw(each["salt"]), each["pair"], each["row"], each["fields"]))
            merkle.check_path(leaf, each["pair"], len(c["rows"]), hashes(each["path"]), raw(c["list_root"]))

        yield "commitment, opened: " + each["name"], differences(each, check)


def proofs(what, t, leaves, inclusion):
    roots = hashes(t["roots"])
    yield what + ": roots", [] if roots == [merkle.root(leaves[:size]) for size in range(len(leaves) + 1)] else ["differ"]
    for each in inclusion:
        path, index, size = hashes(each["path"]), each["index"], each["size"]
        found = differences(each, lambda: merkle.check_path(leaves[min(index, len(leaves) - 1)], index, size, path, roots[size]))
        if "refused" not in each and path != merkle.path(leaves[:size], index):
            found.append("made otherwise here")
        yield f"{what}: path of {index} in {size}{', ' + each['name'] if 'name' in each else ''}", found
    for each in t["consistency"]:
        first, second, proof = each["first"], each["second"], hashes(each["proof"])
        old, new = raw(each.get("first_root", t["roots"][first])), raw(each.get("second_root", t["roots"][second]))
        found = differences(each, lambda: merkle.check_consistency(first, old, second, new, proof))
        if "refused" not in each and proof != merkle.consistency(leaves[:second], first):
            found.append("made otherwise here")
        yield f"{what}: from {first} to {second}{', ' + each['name'] if 'name' in each else ''}", found


def trees(t):
    yield from proofs("merkle", t, [merkle.leaf(raw(data)) for data in t["leaves"]], t["paths"])


def ledgers(t):
    holder_fp, certificate = raw(t["holder"]), raw(t["certificate"])
    leaves = [ledger.entry_leaf(entry) for entry in t["entries"]]
    yield "ledger: leaves", [] if [leaf.hex() for leaf in leaves] == [entry["leaf"] for entry in t["entries"]] else ["differ"]
    yield from proofs("ledger", t, leaves, t["inclusion"])
    check_head = s.check_head(holder_fp)
    for each in t["heads"]:

        def check():
            body = ledger.head_body(holder_fp, each["size"], raw(each["root"]), each["unix_ms"])
            try:
                check_head(certificate, body, raw(each["signature"]))
            except Refused as e:
                raise Refused("LED-3", e.text) from None
            if each["root"] != t["roots"][each["size"]]:
                raise Refused("LED-6", "the root")

        yield f"ledger: head of {each['size']}{', ' + each['name'] if 'name' in each else ''}", differences(each, check)
    for each in t["extracts"]:

        def check():
            head, entries = ledger.check_extract(each["text"].encode(), holder_fp, check_head)
            shown = [entry["seq"] for entry in entries if "body" in entry]
            due = [n for n, entry in enumerate(t["entries"]) if entry["party"] == t["party"]]
            if head["party"] != t["party"] or shown != due:
                raise Refused("", "not the entries that are due")

        yield "ledger, extract: " + each["name"], differences(each, check)
