#!/usr/bin/env python3
"""Writes ../avx2/product.rs: the product of four lanes, as one block of assembly.

Usage: python3 avx2_product.py [PATH]   (writes PATH, or to standard output)

Why assembly: 50 half products and 10 columns are in flight, and there are 16 registers. A compiler forms all half products first, spills
them, and adds them up from memory, at 1.3 times the time. Here a half product goes into its column at once.

What is computed stands in ../avx2.rs. How it is laid out:

  * A column k has low halves of a_i*b_j, i + j = k, and high halves of column k - 1. Columns 5 to 9 come back 19-fold to 0 to 4.
  * Column 4 comes first, for its high halves belong to column 5. Then columns k and k + 5 side by side, k = 0 to 3: so four columns are
    open at any time (k, k + 1, k + 5, k + 6), and column 4, which waits for the high halves of column 3.
  * As soon as a pair of columns is folded it is carried: the remainder takes the carry of the column before and is stored. Limb 0 waits for
    the carry of column 4.
  * One factor's limbs stay in registers, the other's are operands in memory. Registers come from a free list; a name is reused as soon as
    its value is dead, which costs nothing on processors that rename.

Standard library only.
"""

import sys

# Operands in memory that are the same in all lanes, in the order of `Constants` in the output.
CONSTANTS = ["HIGH", "HIGH_LOW", "MASK", "UNIT", "NINETEEN", "RAISED_0", "RAISED"] + [f"CORRECTION_{k}" for k in range(5)]


class Block:
    """Instructions, and which registers are free."""

    def __init__(self):
        self.lines = []
        self.free = [f"ymm{n}" for n in reversed(range(16))]
        self.columns = {}

    def take(self):
        return self.free.pop()

    def give(self, *registers):
        self.free.extend(registers)

    def emit(self, name, *operands):
        self.lines.append(f"{name} " + ", ".join(operands))

    def load(self, operand):
        register = self.take()
        self.emit("vmovapd", register, operand)
        return register

    def begin(self):
        """Constants that every half product needs."""
        self.high, self.high_low = self.load(constant("HIGH")), self.load(constant("HIGH_LOW"))

    def into(self, column, register):
        """Adds half a product, which may have come first."""
        if column in self.columns:
            self.emit("vpaddq", self.columns[column], self.columns[column], register)
            self.give(register)
        else:
            self.columns[column] = register

    def product(self, column, x, y):
        """Both halves of x*y, x a register, y a register or in memory."""
        high, low = self.take(), self.take()
        self.emit("vmovapd", high, self.high)
        self.emit("vfmadd231pd", high, x, y)
        self.emit("vsubpd", low, self.high_low, high)
        self.emit("vfmadd231pd", low, x, y)
        self.into(column + 1, high)
        self.into(column, low)

    def fold(self, k):
        """Column k, corrected, with 19 times column k + 5."""
        z, x = self.columns.pop(k), self.columns.pop(k + 5)
        twice = self.take()
        self.emit("vpaddq", z, z, constant(f"CORRECTION_{k}"))
        self.emit("vpaddq", twice, x, x)
        self.emit("vpaddq", z, z, x)
        self.emit("vpsllq", x, x, "4")
        self.emit("vpaddq", z, z, twice)
        self.emit("vpaddq", z, z, x)
        self.give(twice, x)
        return z

    def split(self, z):
        """A folded column's remainder, as the bits of a double, and its carry."""
        rest = self.take()
        self.emit("vpand", rest, z, constant("MASK"))
        self.emit("vpsrlq", z, z, "51")
        self.emit("vpor", rest, rest, constant("UNIT"))
        return rest, z

    def store(self, k, rest, carry):
        self.emit("vpaddq", rest, rest, carry)
        self.emit("vsubpd", rest, rest, constant("RAISED" if k else "RAISED_0"))
        self.emit("vmovapd", f"[{{out}} + {32 * k}]", rest)
        self.give(rest, carry)

    def columns_in_order(self, form):
        """Lets `form` make the products of each column, folds and carries in between."""
        form(4)
        carry = None
        for k in range(5):
            if k < 4:
                form(k + 5)
                form(k)
            rest, after = self.split(self.fold(k))
            if k == 0:
                first = rest
            else:
                self.store(k, rest, carry)
            carry = after
        self.emit("vpmuludq", carry, carry, constant("NINETEEN"))
        self.store(0, first, carry)


def constant(name):
    return f"[{{k}} + {32 * CONSTANTS.index(name)}]"


def limb(name, n):
    return f"[{{{name}}} + {32 * n}]"


def mul():
    block = Block()
    block.begin()
    a = [block.load(limb("a", i)) for i in range(5)]

    def form(column):
        for i in range(5):
            if 0 <= column - i < 5:
                block.product(column, a[i], limb("b", column - i))

    block.columns_in_order(form)
    return block.lines


def function(name, doc, terms, arguments, lines):
    text = [f"/// {doc}", "#[inline(never)]", '#[target_feature(enable = "avx2,fma")]']
    text.append(f"pub(super) fn {name}({', '.join(f'{a}: &Fe' for a in arguments)}) -> Fe {{")
    text.append(f"    static K: Constants = Constants::new(super::{terms});")
    text.append("    let mut out = core::mem::MaybeUninit::<Fe>::uninit();")
    text.append("    // SAFETY: reads the arguments and the constants, whose types have the alignment of a register, and writes all of `out`, which is")
    text.append("    // none of them; the registers it uses are named, flags and stack are left alone.")
    text.append("    unsafe {")
    text.append("        core::arch::asm!(")
    text.extend(f'            "{line}",' for line in lines)
    for argument in arguments:
        text.append(f"            {argument} = in(reg) {argument},")
    text.append("            out = in(reg) out.as_mut_ptr(),")
    text.append("            k = in(reg) &K,")
    used = sorted({word.strip(",") for line in lines for word in line.split() if word.startswith("ymm")}, key=lambda r: int(r.strip(",")[3:]))
    text.extend(f'            out("{register}") _,' for register in used)
    text.append("            options(nostack, preserves_flags),")
    text.append("        );")
    text.append("        out.assume_init()")
    text.append("    }")
    text.append("}")
    return "\n".join(text)


def constants():
    text = ["/// Operands that are the same in all lanes.", "#[repr(C, align(32))]", f"struct Constants([[u64; 4]; {len(CONSTANTS)}]);", ""]
    text += ["impl Constants {", "    const fn new(corrections: [u64; 5]) -> Self {", "        Self(["]
    values = {
        "HIGH": "super::HIGH.to_bits()",
        "HIGH_LOW": "(super::HIGH + super::LOW).to_bits()",
        "MASK": "super::LIMB",
        "UNIT": "super::UNIT.to_bits()",
        "NINETEEN": "19",
        "RAISED_0": "super::RAISED_0.to_bits()",
        "RAISED": "super::RAISED.to_bits()",
    }
    for name in CONSTANTS:
        value = values.get(name) or f"corrections[{name[-1]}]"
        text.append(f"            [{value}; 4],")
    text += ["        ])", "    }", "}"]
    return "\n".join(text)


def main():
    parts = [
        "//! The AVX2 backend's product. Written by `lanes/gen/avx2_product.py`; change that.",
        "use super::Fe;",
        constants(),
        function("mul", "The product, tight; `a` may be loose.", "MUL", ["a", "b"], mul()),
    ]
    text = "\n\n".join(parts) + "\n"
    if len(sys.argv) > 1:
        with open(sys.argv[1], "w", encoding="ascii", newline="\n") as file:
            file.write(text)
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
