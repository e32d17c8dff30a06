"""The holder's policy, and what it authorises: SPEC §8.2 and §8.3. Bounds of the policy's own members are not checked here."""
import datetime
import tomllib

import request as r
import sshsig
import wire
from group import Refused
from hashes import H256, u64

DAY_MS = 86_400_000


def digest(toml, allowed_signers):
    """[POL-1]"""
    toml, allowed_signers = toml.encode(), allowed_signers.encode()
    return H256(b"oblink/1/policy\0" + u64(len(toml)) + toml + u64(len(allowed_signers)) + allowed_signers)


class Policy:
    def __init__(self, toml, allowed_signers):
        self.digest = digest(toml, allowed_signers)
        self.document = tomllib.loads(toml)
        self.signers = sshsig.allowed_signers(allowed_signers)


def _day(number):
    return datetime.date(number // 10_000, number // 100 % 100, number % 100)


def _code(policy, holder, verifier, data, signatures, countersignatures, set_as_of, rulesets, now):
    """The code of [AUT-2], None where the request is authorised. Raises what a signature's reader raises."""
    m = r.parse(data)
    listed = {v["fingerprint"].lower(): v for v in policy.document["verifiers"]}
    v = listed.get(verifier.hex())
    if v is None:
        return "verifier_unknown"
    if not r.is_authorised(m):
        return "unsigned"
    today = datetime.date(1970, 1, 1) + datetime.timedelta(days=now // DAY_MS)
    for code, fails in [
        ("other_holder", lambda: m["holder"] != holder.hex()),
        ("other_verifier", lambda: m["verifier"] != verifier.hex()),
        ("verifier_name", lambda: m["verifier_name"] != v["name"]),
        ("ruleset_not_allowed", lambda: m["ruleset"] not in v["rulesets"]),
        ("class_not_allowed", lambda: m["class"] not in v.get("classes", ["confirm-address"])),
        ("ruleset_mismatch", lambda: rulesets.get(m["ruleset"]) != (m["ruleset_digest"], m["class"], m["tokens_per_pair"])),
        ("not_yet_valid", lambda: now < m["not_before_unix_ms"]),
        ("expired", lambda: now > m["not_after_unix_ms"]),
        ("validity_too_long", lambda: m["not_after_unix_ms"] - m["not_before_unix_ms"] > v["validity_days_max"] * DAY_MS),
        ("pairs_over_cap", lambda: m["pairs"] > v["pairs_per_request_max"]),
        ("tokens_over_cap", lambda: m["pairs"] * m["tokens_per_pair"] > v["tokens_per_request_max"]),
        ("field_missing", lambda: not set(v.get("required_fields", [])) <= set(m["fields"])),
        ("column_not_required", lambda: not set(v.get("required_columns", [])) <= set(m["required_columns"])),
        ("order_date", lambda: v["order_age_days_max"] and (_day(m["order_date_latest"]) - today).days > 1),
        ("order_too_old", lambda: v["order_age_days_max"] and (today - _day(m["order_date_earliest"])).days > v["order_age_days_max"]),
        ("addresses_per_person", lambda: v["addresses_per_person_max"] and not 1 <= m["addresses_per_person_max"] <= v["addresses_per_person_max"]),
        ("disclosure_not_allowed", lambda: m["disclosure"] not in v.get("disclosure", ["none"])),
        ("set_undated", lambda: v["set_age_days_max"] and not set_as_of),
        ("set_too_old", lambda: v["set_age_days_max"] and (today - _day(set_as_of)).days > v["set_age_days_max"]),
    ]:  # fmt: skip
        if fails():
            return code
    h = policy.document["holder"]
    sshsig.count(policy.signers, v["officials"], "request@oblink-1", data, signatures, v["signatures_min"], v["user_presence"])
    sshsig.count(
        policy.signers, h["officials"], "countersign@oblink-1", data, countersignatures, h["countersignatures_min"], h["user_presence"]
    )
    return None


def authorise(*facts):
    """[AUT-1]. What goes out is one word; the code of [AUT-2] is the text of what is raised."""
    try:
        code = _code(*facts)
    except Refused as e:
        if e.anchor not in ("SIG-1", "AUT-1"):
            raise
        code = e.text
    if code:
        raise Refused("AUT-1", code, "verifier", wire.NOT_AUTHORISED)
