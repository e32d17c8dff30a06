#!/usr/bin/env python3
"""Reads the vector code of a program made with --release, and lists what could tell secrets: jumps on flags that come of a vector or a mask,
and loads or stores whose addresses lie in a vector.

Usage: jumps.py PROGRAM     (needs objdump; ends with 1 if it finds any)

It looks at every function of the engine that has vector registers of 64 bytes. Jumps that remain are counted: they end loops whose counts are public.
Standard library only.
"""

import re
import subprocess
import sys

# What brings vectors and masks into flags or general registers.
TO_FLAGS = ("kortest", "ktest", "kmov", "vptest", "vtestp", "vmovmskp", "vpmovmskb", "vucomis", "vcomis")
# How far before a jump its flags may be made.
REACH = 4


def functions(program):
    """Each function's name and instructions."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", program], capture_output=True, text=True, check=True).stdout
    name, instructions = None, []
    for line in text.splitlines():
        if head := re.match(r"^[0-9a-f]+ <(.*)>:$", line):
            if name:
                yield name, instructions
            name, instructions = head.group(1), []
        elif body := re.match(r"^\s+[0-9a-f]+:\s+(\S+)\s*(.*)", line):
            instructions.append((body.group(1), body.group(2)))
    if name:
        yield name, instructions


def main():
    looked_at = jumps = found = 0
    for name, instructions in functions(sys.argv[1]):
        if "oblink_oprf" not in name or not any("zmm" in operands for _, operands in instructions):
            continue
        looked_at += 1
        for n, (mnemonic, operands) in enumerate(instructions):
            wrong = "gather" in mnemonic or "scatter" in mnemonic
            if mnemonic.startswith("j") and mnemonic != "jmp":
                jumps += 1
                wrong = any(before.startswith(TO_FLAGS) for before, _ in instructions[max(0, n - REACH) : n])
            if wrong:
                found += 1
                print(f"{name}: {mnemonic} {operands}")
    print(f"{looked_at} functions, {jumps} conditional jumps, {found} on vectors or masks")
    return 1 if found or not looked_at else 0


if __name__ == "__main__":
    sys.exit(main())
