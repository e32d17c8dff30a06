#!/usr/bin/env python3
"""Runs the fuzz targets in turn, one process at a time, until each has had its CPU time.

    RUSTC_BOOTSTRAP=1 cargo fuzz build -s none
    python3 fuzz/run.py --bins TARGET_DIR/x86_64-unknown-linux-gnu/release --work DIR [--minutes 10] [--slice 60] [TARGET ...]

What is found and grown goes to DIR (corpora, crashes, logs), the committed corpus is only read. DIR/figures.json adds up over runs:
CPU seconds, executions, coverage edges, inputs. A crash is printed and kept in DIR/crashes; its target goes on.
"""

import argparse
import json
import os
import re
import resource
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
MAX_LEN = {"wire": 4096, "documents": 8192, "sealed_set": 512, "ledger": 4096, "kept": 2048, "verifier": 512, "holder": 512, "rows": 2048,
           "linkage": 512, "interop": 4096}


def run(target, args):
    """One slice of a target: what it used and reached."""
    grown, crashes = args.work / "corpus" / target, args.work / "crashes" / target
    for folder in (grown, crashes, args.work / "logs"):
        folder.mkdir(parents=True, exist_ok=True)
    command = [args.bins / target, grown, HERE / "corpus" / target, f"-max_total_time={args.slice}", f"-max_len={MAX_LEN[target]}",
               "-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={crashes}/"]
    dictionary = HERE / "dictionaries" / f"{target}.dict"
    if dictionary.is_file():
        command.append(f"-dict={dictionary}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    log = subprocess.run([str(part) for part in command], stderr=subprocess.STDOUT, stdout=subprocess.PIPE, check=False,
                         preexec_fn=lambda: os.nice(19))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    text = log.stdout.decode(errors="replace")
    (args.work / "logs" / f"{target}.log").write_text(text)
    if "INITED" not in text and "Test unit written" not in text:
        raise SystemExit(f"{target} does not start:\n{text}")
    covered = re.findall(r"cov: (\d+) ft: (\d+) corp: (\d+)", text)
    executed = re.findall(r"number_of_executed_units: (\d+)", text) or re.findall(r"^#(\d+)", text, re.MULTILINE)
    return {
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1),
        "executions": int(executed[-1]) if executed else 0,
        "edges": int(covered[-1][0]) if covered else 0,
        "features": int(covered[-1][1]) if covered else 0,
        "inputs": int(covered[-1][2]) if covered else 0,
        "crashes": sorted(path.name for path in crashes.iterdir()),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bins", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=10, help="CPU minutes a target")
    parser.add_argument("--slice", type=int, default=60, help="seconds at a time")
    parser.add_argument("targets", nargs="*", default=sorted(MAX_LEN))
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    book = args.work / "figures.json"
    figures = json.loads(book.read_text()) if book.is_file() else {}
    while due := [target for target in args.targets if figures.get(target, {}).get("cpu_s", 0) < 60 * args.minutes]:
        # The one that has had the least.
        target = min(due, key=lambda target: figures.get(target, {}).get("cpu_s", 0))
        found = run(target, args)
        known = figures.get(target, {})
        for name in ("cpu_s", "executions"):
            found[name] = round(found[name] + known.get(name, 0), 1)
        for name in ("edges", "features", "inputs"):
            found[name] = max(found[name], known.get(name, 0))
        figures[target] = found
        book.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
        print(target, found, flush=True)


if __name__ == "__main__":
    main()
