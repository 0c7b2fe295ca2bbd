#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Writes a file's bytes as a C source file: embed.py INPUT OUTPUT SYMBOL."""
import sys


def main():
    source, target, symbol = sys.argv[1:]
    with open(source, "rb") as f:
        data = f.read()
    lines = [", ".join(f"0x{b:02x}" for b in data[i:i + 16]) for i in range(0, len(data), 16)]
    with open(target, "w", encoding="ascii") as f:
        f.write("#include <stddef.h>\n\n")
        # libbpf reads it as an ELF file, so it is aligned like one.
        f.write(f"_Alignas(8) const unsigned char {symbol}[] = {{\n    ")
        f.write(",\n    ".join(lines))
        f.write(f"}};\nconst size_t {symbol}_size = sizeof({symbol});\n")


main()
