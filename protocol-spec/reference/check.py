#!/usr/bin/env python3
"""Checks every vector beside SPEC.md with this reference: `python3 protocol-spec/reference/check.py`. Exit 1 on any difference."""
import json
import sys
from pathlib import Path

import authority
import examples
import group
import keyed
import negative
import replay
import sealed_set
from hashes import H256, u64
from voprf import OPRF, VOPRF, Suite

HERE = Path(__file__).resolve().parent
VECTORS = HERE.parent / "vectors"
RFC9497 = HERE.parent.parent / "crates" / "oprf" / "tests" / "vectors" / "rfc9497.json"
failures = 0


def report(file, name, differences):
    global failures
    failures += bool(differences)
    print(f"{'FAIL' if differences else 'ok  '} {file}: {name}{': ' + '; '.join(differences[:5]) if differences else ''}")


def differing(want, got, path=""):
    """Paths at which two JSON values differ."""
    if isinstance(want, dict) and isinstance(got, dict):
        keys = list(want) + [k for k in got if k not in want]
        return [d for k in keys for d in differing(want.get(k), got.get(k), f"{path}.{k}")]
    if isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        return [d for n, (a, b) in enumerate(zip(want, got)) for d in differing(a, b, f"{path}[{n}]")]
    return [] if want == got else [path.lstrip(".")]


def load(path):
    return json.loads(path.read_text())


def rfc9497():
    """RFC 9497, A.1.1 and A.1.2."""
    for mode in load(RFC9497):
        if mode["identifier"] != "ristretto255-SHA512" or mode["mode"] not in (OPRF, VOPRF):
            continue
        suite = Suite(mode["mode"])
        sk, public = suite.derive_key_pair(bytes.fromhex(mode["seed"]), bytes.fromhex(mode["keyInfo"]))
        keys = {"skSm": group.encode_scalar(sk).hex()}
        if "pkSm" in mode:
            keys["pkSm"] = group.encode(public).hex()
        report(RFC9497.name, f"mode {mode['mode']}, keys", differing({k: mode[k] for k in keys}, keys))
        for n, vector in enumerate(mode["vectors"], 1):
            many = {k: [bytes.fromhex(x) for x in v.split(",")] for k, v in vector.items() if isinstance(v, str)}
            blinds = [group.decode_scalar(b) for b in many["Blind"]]
            blinded = [suite.blind(x, b) for x, b in zip(many["Input"], blinds)]
            evaluated = [group.multiply(sk, point) for point in blinded]
            outputs = [suite.finalize(x, b, e) for x, b, e in zip(many["Input"], blinds, evaluated)]
            got = {
                "BlindedElement": ",".join(group.encode(e).hex() for e in blinded),
                "EvaluationElement": ",".join(group.encode(e).hex() for e in evaluated),
                "Output": ",".join(o.hex() for o in outputs),
            }
            if "Proof" in vector:
                r = group.decode_scalar(bytes.fromhex(vector["Proof"]["r"]))
                c, s = suite.generate_proof(sk, public, blinded, evaluated, r)
                suite.verify_proof(public, blinded, evaluated, c, s)
                got["Proof"] = {"proof": (group.encode_scalar(c) + group.encode_scalar(s)).hex()}
                vector = dict(vector, Proof={"proof": vector["Proof"]["proof"]})
            report(RFC9497.name, f"mode {mode['mode']}, vector {n}", differing({k: vector[k] for k in got}, got))


def sealed_sets():
    for case in load(VECTORS / "sealed-set.json")["cases"]:
        stated = {k: bytes.fromhex(v) if isinstance(v, str) else v for k, v in case["parameters"].items()}
        if "generated" in case:
            seeds = (H256(b"oblink sealed set vector\0" + u64(i)) for i in range(case["generated"]))
            prefixes = [int.from_bytes(seed[:16], "big") for seed in seeds]
        else:
            prefixes = [int(prefix, 16) for prefix in case["prefixes"]]
        file = sealed_set.write(sealed_set.Parameters(**stated), prefixes)
        _, bits, declared, tags = sealed_set.read(file)
        got = {
            "tau": bits, "rice": file[11], "declared_tags": declared, "tags": len(tags), "set_bytes": len(file),
            "set_id": H256(file).hex(), "file": file.hex(),
        }  # fmt: skip
        differences = differing({k: case[k] for k in got if k in case}, {k: got[k] for k in got if k in case})
        if sorted({prefix >> 128 - bits for prefix in prefixes}) != tags:
            differences.append("the tags read")
        report("sealed-set.json", case["name"], differences)


def sessions():
    for case in load(VECTORS / "session.json")["cases"]:
        proofs = [bytes.fromhex(batch["proof"]) for batch in case["outputs"]["batches"]]
        try:
            _, _, got = replay.run(case["inputs"], proofs)
            report("session.json", case["name"], differing(case["outputs"], got))
        except group.Refused as e:
            report("session.json", case["name"], [str(e)])


def positives():
    """That the reader of the negative vectors accepts what the sessions really sent."""
    for number in (0, 1, 2):
        outputs = negative.good(number)[2]
        sent = {frame["name"].lower(): frame["bytes"] for frame in reversed(outputs["frames"])}
        sent |= {"set": outputs["set"], "received set": outputs["set"], "set request": sent["setrequest"]}
        sent |= {"set chunk": sent["setchunk"], "batch again": sent["batch"]}
        states = negative.HOLDER_READS - {"complete early"} | {"set", "received set", "welcome", "set chunk", "evaluated", "receipt", "closed"}
        refused = {
            state: negative.outcome({"state": state, "session": number, "bytes": sent[state], "welcome": sent["welcome"]})
            for state in sorted(states)
        }
        report("session.json", f"session {number}, its own frames", [f"{k}: {v}" for k, v in refused.items() if v])


def examples_in_the_text():
    spec = (HERE.parent / "SPEC.md").read_text()
    report("SPEC.md", "appendix A", [] if examples.text() in spec else ["it is not what examples.py prints"])


def authorities():
    for name, differences in authority.checks(load(VECTORS / "authority.json"), load(VECTORS / "session.json")["cases"]):
        report("authority.json", name, differences)


def keyed_rulesets():
    """A line for all rows that hold, and one for each that does not."""
    held = 0
    for name, differences in keyed.checks(load(VECTORS / "us-keyed.json")):
        if differences or name in ("digests", "meet", "apart"):
            report("us-keyed.json", name, differences)
        else:
            held += 1
    report("us-keyed.json", f"{held} rows, tokens of both sides", [])


def negatives():
    for case in load(VECTORS / "negative.json")["cases"]:
        report("negative.json", f"[{case['anchor']}] {case['name']}", negative.differences(case))


def main():
    for check in (rfc9497, sealed_sets, sessions, positives, examples_in_the_text, authorities, keyed_rulesets, negatives):
        check()
    print(f"{failures} of the vectors above differ" if failures else "every vector holds")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
