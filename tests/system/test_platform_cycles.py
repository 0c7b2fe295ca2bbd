# SPDX-License-Identifier: BSD-2-Clause
"""The echo system started and stopped again and again: SDDF_CYCLES times (20; make soak: 1000)."""

import contextlib
import os
from pathlib import Path

import pytest

import lib

CYCLES = int(os.environ.get("SDDF_CYCLES") or 20)
WARM = 3  # The first ones fill caches.


def slab_objects(name):
    """How many of these the kernel has; None where it does not say."""
    try:
        for line in Path("/proc/slabinfo").read_text().splitlines():
            if line.split()[0] == name:
                return int(line.split()[1])
    except OSError:
        pass
    return None


class Account:
    """A memory account (cgroup) for the systems alone: what the kernel holds because of them."""

    def __init__(self):
        self.folder = self.file = None
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            places = {"memory": ("/sys/fs/cgroup/memory", "memory.usage_in_bytes"),
                      "": ("/sys/fs/cgroup", "memory.current")}
            if controllers not in places:
                continue
            root, file = places[controllers]
            folder = Path(root + path) / f"sddf-cycles-{os.getpid()}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                if (folder / file).exists():
                    self.folder, self.file = folder, folder / file
                    return
                folder.rmdir()

    def prefix(self):
        """What a command is started with, so that it and its children are charged here."""
        return [] if self.folder is None else \
            ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', str(self.folder)]

    def kb(self):
        return int(self.file.read_text()) // 1024

    def close(self):
        if self.folder is not None:
            assert lib.wait_until(lambda: not (self.folder / "cgroup.procs").read_text(), 10)
            self.folder.rmdir()


@pytest.fixture
def account():
    account = Account()
    yield account
    account.close()


def test_nothing_is_left_by_many_systems(lab, alone, tmp_path, account, capsys):
    own = len(os.listdir("/proc/self/fd"))
    namespaces = memory = None
    for cycle in range(CYCLES):
        system = lib.System(lab, tmp_path, prefix=account.prefix())
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
        if cycle == WARM - 1:
            namespaces = slab_objects("net_namespace")
            memory = account.kb() if account.file else None
    if CYCLES <= WARM:
        pytest.skip("too few cycles to compare with")
    if namespaces is not None:  # Some may be others': within what a few of theirs are.
        assert lib.wait_until(
            lambda: slab_objects("net_namespace") < namespaces + CYCLES / 2 + 8, 60)
    if memory is not None:
        # The kernel frees late, and keeps a name here and there. A page a cycle would be more.
        most = 1024 + CYCLES
        assert lib.wait_until(lambda: account.kb() - memory < most, 60), \
            f"{account.kb() - memory} kB more after {CYCLES} cycles than after {WARM}"
        with capsys.disabled():
            print(f"\n{CYCLES} cycles: {account.kb() - memory} kB more than after {WARM}")
