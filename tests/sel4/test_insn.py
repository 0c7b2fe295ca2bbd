# SPDX-License-Identifier: BSD-2-Clause
"""bench/insn, for so few packets that its figures say little: that it measures, and that every
reply of a system with the smallest hardware rings comes, and is right."""

import re
import subprocess

import pytest

import boards
import lib
import qemu

INSN = lib.ROOT / "build" / "bench" / "insn"


def insn(*words):
    why = qemu.missing(boards.find_board("qemu_virt_aarch64"), "release")
    if why is not None:
        pytest.skip(why)
    return subprocess.run([INSN, "--no-linux", "--quick", *words], check=True, text=True, timeout=3000,
                          stdout=subprocess.PIPE).stdout


@pytest.mark.parametrize("ring", ["0", "1", "8"])
def test_counts_instructions(ring):
    output = insn("--ring", ring)
    rows = re.findall(r"^sDDF on seL4 +(\d+) bytes +(\d+) under way +([\d,]+) instructions$", output,
                      re.M)
    assert [(int(size), int(window)) for size, window, _ in rows] == [
        (size, window) for size in (64, 1472) for window in (256, 512, 1)], output
    assert all(500 < int(busy.replace(",", "")) < 100_000 for _, _, busy in rows), output
