"""Keyed rulesets: RULESETS-keyed.md, sections 2 to 5. Canonical parts come from the vector: rows are not read here."""
import hashlib
import re
import tomllib
from itertools import product
from pathlib import Path

from hashes import H256, lp, u64
from tokens import token

RULESETS = Path(__file__).resolve().parent.parent / "rulesets"

def table(name):
    return [line.split("\t") for line in (RULESETS / "us-2" / name).read_text().splitlines()]


GIVEN_NAMES = {row[0]: row[1].split(" ") for row in table("given_names.tsv")}
LISTED = {row[0] for row in table("listed_given_names.tsv")} | GIVEN_NAMES.keys() | {n for names in GIVEN_NAMES.values() for n in names}
DOUBTFUL = {row[0] for row in table("doubtful_family_names.tsv")}


def edition_digest():
    """C-2"""
    data = b"oblink/1/canonicaliser\0"
    for file in sorted((RULESETS / "us-2").iterdir()):
        for part in (file.name.encode(), file.read_bytes()):
            data += u64(len(part)) + part
    return H256(data)


class Ruleset:
    """K-1 to K-3"""

    def __init__(self, name):
        file = tomllib.loads((RULESETS / f"{name}.toml").read_text())
        self.name, self.kind, self.t = file["name"], file["class"], file["tokens_per_pair"]
        self.crowd_max, self.pair_family = file.get("crowd_max"), file.get("pair_family", "needed")
        self.rules = [Rule(rule) for rule in file["rule"]]
        self.digest = H256(b"oblink/1/keyed-ruleset\0" + edition_digest() + self.canonical_text().encode())

    def canonical_text(self):
        lines = [f"name={self.name}", f"class={self.kind}", f"tokens_per_pair={self.t}", f"crowd_max={self.crowd_max or 0}"]
        lines += [f"pair_family={self.pair_family}"] + [rule.line() for rule in self.rules]
        return "".join(line + "\n" for line in lines)

    def tokens(self, row, side):
        """K-26 to K-30: `side` is verifier, quiet or crowded. None where no rule serves."""
        out = []
        for rule in self.rules:
            if rule.quiet_only and side == "crowded":
                continue
            made = [token(self.digest, rule.number, fields) for fields in rule.fields_of(row, side, self.pair_family)]
            out += made[: rule.pair_values_max if side == "verifier" else 48]
        return out[: self.t] if side == "verifier" else out

    def place(self, written, zip5):
        """K-30"""
        return H256(b"oblink/1/place\0" + bytes([min(len(written), 255)]) + written.encode() + zip5.encode())[:8]


class Rule:
    def __init__(self, file):
        addressed = any(field.split(".")[0] == "street" for field in file["fields"])
        lacks = "street" in file
        self.number, self.fields = file["number"], file["fields"]
        self.words = {
            "middle": file.get("middle", "equal"),
            "suffix": file.get("suffix", "equal"),
            "unit": file.get("unit", "equal" if addressed or lacks else "ignored"),
            "type": file.get("type", "equal" if addressed and not lacks else "ignored"),
        }
        self.one_side, self.one_side_min = file.get("one_side_has", []), file.get("one_side_has_min", 1)
        self.words |= {name: "ignored" for name in self.one_side}
        self.given_unlisted, self.family_lacks, self.street_lacks = "given" in file, "family" in file, lacks
        self.quiet_only, self.pair_values_max = file.get("quiet_only", False), file.get("pair_values_max", 1)

    def line(self):
        """K-2"""
        words = " ".join(f"{name}={word}" for name, word in self.words.items())
        flags = {"given_unlisted": self.given_unlisted, "family_lacks": self.family_lacks}
        flags |= {"street_lacks": self.street_lacks, "quiet_only": self.quiet_only}
        flags = " ".join(f"{name}={'true' if flag else 'false'}" for name, flag in flags.items())
        one_side = f"one_side_has={','.join(self.one_side)}/{self.one_side_min}"
        return f"rule={self.number} fields={','.join(self.fields)} {words} {one_side} {flags} pair_values_max={self.pair_values_max}"

    def fields_of(self, row, side, pair_family):
        """K-27: the fields of every token, label included."""
        if self.street_lacks and side != "verifier" and row["street"]:
            return []
        labels = self.labels(row, side, pair_family)
        values = [values_of(field, row, side) for field in self.fields]
        # The first field's value changes fastest.
        combinations = [tuple(reversed(c)) for c in product(*reversed(values))]
        return [[*(value.encode() for value in c), label.encode()] for label in labels for c in combinations]

    def labels(self, row, side, pair_family):
        """K-20 to K-24, K-34"""
        label = ""
        for part, word in self.words.items():
            value = row[part]
            if word == "present" and not value:
                return []
            if word in ("equal", "present"):
                label += f"{part[0]}={value};"
            elif word == "lacking":
                label += lacking(part[0], value, side)
        if self.one_side:
            count = sum(bool(row[extra]) for extra in self.one_side)
            if 1 <= count < self.one_side_min:
                return []
            label += lacking("x", count, side)
        if self.given_unlisted:
            listed = row["given"] in LISTED
            if side == "verifier":
                return [label + ("g=l;" if listed else "g=u;")]
            return [label + "g=u;"] if listed else [label + "g=l;", label + "g=u;"]
        if not self.family_lacks:
            return [label]
        labels = []
        if side == "verifier" and pair_family == "needed" and not row["family"]:
            return []
        if not row["family"] or len(row["family"]) == 1 or row["family"] in DOUBTFUL:
            labels.append(label + lacking("f", "", side))
        if row["family"] and (side == "verifier" or pair_family != "needed"):
            labels.append(label + lacking("f", row["family"], side))
        return labels


def lacking(name, value, side):
    """K-21"""
    if side == "verifier":
        return f"{name}?h;" if value else f"{name}?v;"
    return f"{name}?v;" if value else f"{name}?h;"


def values_of(field, row, side):
    """K-10 to K-15"""
    part, _, form = field.partition(".")
    if part == "names":
        return names(form, row, side)
    if part == "given" and form == "formal":
        return formal(row["given"], side)
    if part == "given" and form == "joined":
        return [row["given_joined"]]
    if part == "family" and form == "words":
        return row["family_words"]
    if part == "number":
        number = row["number"]
        fuzzy = form == "open1" and row["line"] in ("street", "po box") and number.isdigit() and len(number) >= 3
        return opened(number, len(number) - 1) if fuzzy else in_form(number, "")
    if part == "zip":
        return opened(row["zip"], len(row["zip"])) if form == "open1" else [row["zip"]]
    if part == "street":
        name = row["street"]
        short = len(name) < 3 and re.match("first|last", form)
        whole = row["line"] != "street" or re.search("[0-9]", name) or short
        return [f"{row['before']}/{value}/{row['behind']}" for value in in_form(name, "" if whole else form)]
    return in_form(row[part], form)


def in_form(text, form):
    """K-12"""
    if form in ("sound", "soundex"):
        text, form = (nysiis if form == "sound" else soundex)(text), ""
    if not text or form and len(text) < 3:
        return []
    if form == "less1":
        return list(dict.fromkeys(text[:at] + text[at + 1 :] for at in range(min(len(text), 23)))) + [text]
    if form.startswith("first"):
        return [text[: int(form[5:])]]
    if form.startswith("last"):
        return [text[-int(form[4:]) :]]
    return [text]


def opened(digits, count):
    """K-15"""
    return [digits[:at] + "?" + digits[at + 1 :] for at in range(min(count, 24))]


def formal(given, side):
    """K-13"""
    found = GIVEN_NAMES.get(given, [])
    return found + [given] if side != "verifier" or not found else found


def names(form, row, side):
    """K-14"""
    if not row["family"]:
        return []
    given, family = [row["given"]], row["family"]
    if form == "formal":
        given = formal(row["given"], side)
    elif form == "joined":
        given = [row["given_joined"]]
    elif form == "sound":
        given, family = in_form(row["given"], form), nysiis(family)
    return [" ".join(sorted((name, family))) for name in given]


def nysiis(text):
    """K-16"""
    w = re.sub("[^a-z]", "", text)
    if not w:
        return ""
    for begin, to in (("mac", "mcc"), ("kn", "nn"), ("k", "c"), ("ph", "ff"), ("pf", "ff"), ("sch", "sss")):
        if w.startswith(begin):
            w = to + w[len(begin) :]
            break
    for end, to in (("ee", "y"), ("ie", "y"), ("dt", "d"), ("rt", "d"), ("rd", "d"), ("nt", "d"), ("nd", "d")):
        if w.endswith(end):
            w = w[: -len(end)] + to
            break
    code, at = w[0], 1
    while at < len(w):
        given, taken = nysiis_step(w, at)
        for letter in given:
            letter = "a" if letter in "aeiou" else letter
            if code[-1] != letter:
                code += letter
        at += taken
    if len(code) > 1 and code[-1] == "s":
        code = code[:-1]
    if code.endswith("ay"):
        code = code[:-2] + "y"
    if len(code) > 1 and code[-1] == "a":
        code = code[:-1]
    return code


def nysiis_step(w, at):
    vowel = lambda i: i < len(w) and w[i] in "aeiou"
    for begin, to in (("ev", "af"), ("kn", "nn"), ("sch", "sss"), ("ph", "ff")):
        if w.startswith(begin, at):
            return to, len(begin)
    if vowel(at):
        return "a", 1
    if w[at] in "qzmk":
        return {"q": "g", "z": "s", "m": "n", "k": "c"}[w[at]], 1
    if w[at] == "h" and not (vowel(at - 1) and vowel(at + 1)) or w[at] == "w" and vowel(at - 1):
        return w[at - 1], 1
    return w[at], 1


def soundex(text):
    """K-17"""
    letters = [c for c in text if c.isascii() and c.islower()]
    if not letters:
        return ""
    digit = {c: d for d, cs in enumerate(("", "bfpv", "cgjkqsxz", "dt", "l", "mn", "r")) for c in cs}
    code, last = letters[0], digit.get(letters[0], 0)
    for letter in letters[1:]:
        if letter in "hw":
            continue
        now = digit.get(letter, 0)
        if now and now != last:
            code += str(now)
        last = now
    return (code + "000")[:4]


def checks(file):
    """Name and differences of every row of vectors/us-keyed.json."""
    rulesets = {name: Ruleset(name) for name in file["digests"]}
    got = {name: ruleset.digest.hex() for name, ruleset in rulesets.items()}
    digests = [f"digest of {name}" for name in got if got[name] != file["digests"][name]]
    yield "digests", digests + ["edition"] * (edition_digest().hex() != file["edition_digest"])
    made = {}
    for vector in file["vectors"]:
        row = vector.get("parts", {}) | {"line": vector.get("line"), "family_words": vector.get("family_words")}
        differences = []
        for name, ruleset in rulesets.items():
            for side in ("verifier", "quiet", "crowded"):
                want = vector[name][side]
                differences += [f"{name}, {side}: {d}" for d in compare(vector, ruleset, row, side, want)]
                made[vector["id"], name, side] = [] if "reason" in want else ruleset.tokens(row, side)
        yield f"{vector['id']} ({vector['kind']})", differences
    for kind, wanted in (("meet", True), ("apart", False)):
        wrong = []
        for case in file[kind]:
            pair, record = made[case["pair"], case["ruleset"], "verifier"], made[case["record"], case["ruleset"], "quiet"]
            if bool(set(pair) & set(record)) != wanted:
                wrong.append(f"{case['pair']} and {case['record']}")
        yield kind, wrong


def compare(vector, ruleset, row, side, want):
    if "reason" in want:
        # Why a row cannot be read comes from the vector; that no rule serves it does not.
        if "parts" in vector and not ruleset.tokens(row, side):
            if want["reason"] not in ("incomplete_name" if not row["family"] else "incomplete_address", *READING):
                yield "another reason"
        return
    tokens = ruleset.tokens(row, side)
    if len(tokens) != want["tokens"]:
        yield f"{len(tokens)} tokens"
    if len(set(tokens)) != len(tokens):
        yield "a token twice"
    if hashlib.sha256(b"".join(map(lp, tokens))).hexdigest() != want["sha256"]:
        yield "other tokens"
    if "hex" in want and [t.hex() for t in tokens] != want["hex"]:
        yield "other bytes"


# What reading may refuse for one ruleset or side and not for another.
READING = ("placeholder", "incomplete_address", "empty_address", "ambiguous_address", "incomplete_name")
