# SPDX-License-Identifier: BSD-2-Clause
"""The echo system started and stopped again and again: SDDF_CYCLES times (20; make soak: 1000)."""

import os
from pathlib import Path

import pytest

import lib

CYCLES = int(os.environ.get("SDDF_CYCLES") or 20)


def slab_objects(name):
    """How many of these the kernel has; None where it does not say."""
    try:
        for line in Path("/proc/slabinfo").read_text().splitlines():
            if line.split()[0] == name:
                return int(line.split()[1])
    except OSError:
        pass
    return None


def memory_kb(kind):
    return next(int(line.split()[1]) for line in Path("/proc/meminfo").read_text().splitlines()
                if line.startswith(kind + ":"))


def test_nothing_is_left_by_many_systems(lab, alone, tmp_path):
    own = len(os.listdir("/proc/self/fd"))
    before = memory = None
    for cycle in range(CYCLES):
        system = lib.System(lab, tmp_path)
        try:
            system.start(60)
            family = set(system.family)
            with lab.udp(30) as sock:  # It has really come up.
                sock.sendto(b"here", (system.clients[0].ip, 7))
                assert sock.recv(2048) == b"here"
            system.stop()
        finally:
            system.end_by_force()
        assert lib.wait_until(lambda: not any(lib.alive(pid) for pid in family), 60)
        assert len(os.listdir("/proc/self/fd")) == own
        links = lab.links(lab.system)
        assert not any("xdp" in link for link in links.values())
        if cycle == 2:  # The first ones fill caches.
            before, memory = slab_objects("net_namespace"), memory_kb("MemAvailable")
    if CYCLES < 4:
        pytest.skip("too few cycles to compare with")
    if before is not None:  # Some may be others': within what a few of theirs are.
        assert lib.wait_until(lambda: slab_objects("net_namespace") < before + CYCLES / 2 + 8, 60)
    # Loosely, as others use the machine too: what a leak of a region a cycle would be many times.
    lost = memory - memory_kb("MemAvailable")
    assert CYCLES < 100 or lost < 100 * CYCLES, f"{lost} kB less after {CYCLES} cycles"
