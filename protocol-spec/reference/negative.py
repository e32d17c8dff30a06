"""Runs a case of vectors/negative.json: a broken input, handed to a reader in a state of a session of vectors/session.json."""
import functools
import json
from pathlib import Path

import group
import replay
import sealed_set
import session as s
import wire

VECTORS = Path(__file__).resolve().parent.parent / "vectors"
# [FRM-5]
CODES = {
    "version_unsupported": 1, "suite_unsupported": 2, "ruleset_mismatch": 3, "not_sealed": 4, "request_malformed": 5,
    "pairs_over_cap": 6, "tokens_over_cap": 7, "clock_skew": 8, "request_conflict": 9, "epoch_ended": 10,
    "budget_exhausted": 11, "batch_conflict": 12, "batch_malformed": 13, "out_of_turn": 14, "transcript_differs": 15,
    "signature_invalid": 16, "busy": 17, "shutting_down": 18, "internal": 19, "not_authorised": 20, "suspended": 21,
    "ledger_diverged": 22, "policy_changed": 23, "batch_unapproved": 24,
}  # fmt: skip


@functools.cache
def good(number):
    """(session with every batch done, parties, outputs) of a case of session.json."""
    case = json.loads((VECTORS / "session.json").read_text())["cases"][number]
    return replay.run(case["inputs"], [bytes.fromhex(batch["proof"]) for batch in case["outputs"]["batches"]])


def frames(number, name):
    return [bytes.fromhex(frame["bytes"]) for frame in good(number)[2]["frames"] if frame["name"] == name]


def receipt_of(number):
    return good(number)[2]["receipt"].encode()


def opened(number, batches_done):
    """The session with its first so many batches done."""
    done, parties, _ = good(number)
    session = s.Session(parties.verifier_fp, parties.holder_fp, frames(number, "Hello")[0], frames(number, "Welcome")[0])
    session.digests = {index: done.digests[index] for index in range(batches_done)}
    return session


def read(case):
    """Reads what the case has, as its reader would. The states are those of the file's note."""
    number, data = case.get("session", 0), bytes.fromhex(case["bytes"])
    done, parties, _ = good(number)
    i, hello = parties.inputs, frames(number, "Hello")[0]
    match case["state"]:
        case "set":
            sealed_set.read(data)
        case "received set":
            welcome = bytes.fromhex(case["welcome"])
            s.check_set(data, s.check_welcome(welcome, hello, parties.holder_fp, i["hello_unix_ms"]))
        case "hello":
            s.check_hello(data, parties.verifier_fp, parties.offer(), i["welcome_unix_ms"])
        case "welcome":
            s.check_welcome(data, hello, parties.holder_fp, i["hello_unix_ms"])
        case "set request":
            opened(number, 0).check_set_request(data)
        case "set chunk":
            opened(number, 0).check_set_chunk(data, 0)
        case "batch":
            opened(number, 0).check_batch(data)
        case "batch again":
            opened(number, 1).check_batch(data)
        case "evaluated":
            _, blinded, _ = wire.unraw(frames(number, "Batch")[0], wire.BATCH)
            opened(number, 0).check_evaluated(data, 0, wire.points(blinded))
        case "complete early":
            opened(number, 1).check_complete(data)
        case "complete":
            done.check_complete(data)
        case "receipt":
            done.check_receipt(data, i["completed_unix_ms"], i["hello_unix_ms"])
        case "acknowledge":
            done.check_acknowledge(data, receipt_of(number))
        case "closed":
            wire.unframe(data, wire.CLOSED)


HOLDER_READS = {"hello", "set request", "batch", "batch again", "complete early", "complete", "acknowledge"}


def code_of(refused, state):
    """[FRM-6]"""
    if refused.code:
        return refused.code
    if refused.anchor.startswith("STM"):
        return wire.SIGNATURE_INVALID
    if refused.anchor == "FRM-1" and refused.text.startswith("type"):
        return wire.OUT_OF_TURN
    return wire.BATCH_MALFORMED if state.startswith("batch") and refused.anchor == "FRM-3" else wire.REQUEST_MALFORMED


def outcome(case):
    """(anchor, blame, refusal) of what reading the case gives; None where nothing is refused."""
    try:
        read(case)
    except group.Refused as refused:
        by_holder = case["state"] in HOLDER_READS
        blame = refused.blame or ("verifier" if by_holder else "holder")
        code = code_of(refused, case["state"]) if by_holder else None
        return refused.anchor, blame, next((name for name, n in CODES.items() if n == code), None)
    return None


def differences(case):
    got, want = outcome(case), (case["anchor"], case["blame"], case.get("refusal"))
    return [] if got == want else [f"want {want}, got {got}"]
