# SPDX-License-Identifier: BSD-2-Clause
"""ELF files by hand, for programs that no linker would make: each segment as one likes, and code that
says "alive" on its way to print and then waits at its doorbell."""

import struct

R, W, X = 4, 2, 1
LOAD, DYNAMIC, INTERP, TLS, STACK = 1, 2, 3, 7, 0x6474e551
TEXT = 0x200000

ALIVE = (b"\xbf\x02\x00\x00\x00"  # mov $2, %edi: its debug output
         b"\x48\x8d\x35\x27\x00\x00\x00"  # lea text, %rsi
         b"\xba\x06\x00\x00\x00"  # mov $6, %edx
         b"\xb8\x01\x00\x00\x00"  # mov $SYS_write, %eax
         b"\x0f\x05"
         b"\xbf\x01\x00\x00\x00"  # 1: mov $1, %edi: its doorbell
         b"\x48\x8d\x74\x24\xf0"  # lea -16(%rsp), %rsi
         b"\xba\x08\x00\x00\x00"  # mov $8, %edx
         b"\x31\xc0"  # xor %eax, %eax: SYS_read
         b"\x0f\x05"
         b"\xeb\xeb"  # jmp 1b
         b"\x90\x90\x90\x90\x90\x90"
         b"alive\n")


def segment(vaddr=TEXT, content=ALIVE, size=None, flags=R | X, kind=LOAD, file_size=None, offset=None):
    """One program header, and what it is of."""
    return {"vaddr": vaddr, "content": content, "size": len(content) if size is None else size,
            "flags": flags, "kind": kind, "offset": offset,
            "file_size": len(content) if file_size is None else file_size}


def elf(*segments, entry=TEXT, machine=62, kind=2, cut=None, headers=None):
    """The file's bytes. `headers` overrides how many program headers it says it has."""
    count = len(segments)
    data, table = b"", b""
    start = 64 + 56 * count
    for one in segments:
        offset = start + len(data) if one["offset"] is None else one["offset"]
        table += struct.pack("<IIQQQQQQ", one["kind"], one["flags"], offset, one["vaddr"],
                             one["vaddr"], one["file_size"], one["size"], 4096)
        data += one["content"]
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack(
        "<HHIQQQIHHHHHH", kind, machine, 1, entry, 64, 0, 0, 64, 56,
        count if headers is None else headers, 64, 0, 0)
    return (head + table + data)[:cut]
