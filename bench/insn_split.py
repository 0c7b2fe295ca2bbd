# SPDX-License-Identifier: BSD-2-Clause
"""Whose instructions they are that a guest executes: reads what bench/guest/split.c counts."""

import struct
import subprocess

PAGE, PAGES, SAMPLES = 4096, 2048, 12
HEAD, SAMPLE = struct.Struct("=4Q"), struct.Struct("=2I")
SIZE = HEAD.size + SAMPLES * SAMPLE.size
KERNEL = 1 << 39  # seL4's window begins here or above, and PDs' end below


class Program:
    """A program's code, as its ELF file has it."""

    def __init__(self, path):
        self.name = path.stem
        self.bytes = path.read_bytes()
        listing = subprocess.run(["readelf", "-lW", path], capture_output=True, text=True,
                                 check=True).stdout
        self.segments = []
        for line in listing.splitlines():
            words = line.split()
            if words and words[0] == "LOAD" and "E" in "".join(words[6:-1]):
                offset, address, _, size = (int(word, 16) for word in words[1:5])
                self.segments.append((address, offset, size))

    def has(self, address, word):
        """Is this the instruction there?"""
        return any(self.bytes[offset + address - first:][:4] == word
                   for first, offset, size in self.segments if first <= address < first + size)


class Split:
    """The counts of one guest, to be read at any time."""

    def __init__(self, folder, plugin, programs):
        self.path = folder / "split"
        self.path.touch()
        self.options = ["-plugin", f"{plugin},to={self.path}"]
        self.programs = [Program(path) for path in programs]

    def read(self):
        """Instructions so far, by the name of a program, "kernel" or "others"."""
        counts = {}
        data = self.path.read_bytes()
        for number in range(PAGES + 1):
            virtual, _, count, samples = HEAD.unpack_from(data, number * SIZE)
            if count == 0:
                continue
            words = [SAMPLE.unpack_from(data, number * SIZE + HEAD.size + i * SAMPLE.size)
                     for i in range(samples)]
            name = self.owner(virtual, words)
            counts[name] = counts.get(name, 0) + count
        return counts

    def owner(self, virtual, words):
        if virtual >= KERNEL:
            return "kernel"
        owners = [program.name for program in self.programs
                  if all(program.has(virtual + offset, struct.pack("=I", word))
                         for offset, word in words)]
        return owners[0] if len(owners) == 1 else "others"
