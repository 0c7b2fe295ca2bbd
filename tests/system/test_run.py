# SPDX-License-Identifier: BSD-2-Clause
"""What a newcomer types first: `make run`, in short."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import lib

RUN = lib.ROOT / "bench" / "run.py"
MARK = f"SDDF_TEST_MARK={os.getpid()}"  # In the environment of all that a run starts.


def everything():
    """What a run might leave behind: interfaces, named namespaces, processes of ours."""
    links = json.loads(lib.command("ip", "-json", "-details", "link", "show").stdout)
    found = {f"interface {link['ifname']} {'xdp' in link}" for link in links}
    found |= {f"namespace {line}" for line in lib.command("ip", "netns").stdout.splitlines()}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if MARK.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                found.add(f"process {pid} ({lib.process_name(pid)})")
    return found


@pytest.fixture
def nothing_left(lab):
    """Needs `lab` for its look at what the machine has."""
    before = everything()
    yield
    lib.wait_until(lambda: not everything() - before, 3)
    assert everything() - before == set()


def start():
    return subprocess.Popen([sys.executable, RUN], cwd=lib.ROOT, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            env={**os.environ, "SDDF_RUN_SECONDS": "3", "SDDF_BUILD": str(lib.BUILD),
                                 **dict([MARK.split("=")])})


def test_run(nothing_left):
    """It ends by itself with exit status 0 and prints the table: both clients, nothing lost, how the
    interface is driven, who is scheduled how, and the ratio to plain Linux."""
    with start() as process:
        output, _ = process.communicate(timeout=200)
    assert process.returncode == 0, output
    for client in lib.clients_of(lib.ECHO):
        assert re.search(rf"^\s*{client.name}\b", output, re.M), output
    for wanted in ("native", "SCHED_", "ratio", "p99", "lost"):
        assert re.search(wanted, output, re.I), f"nothing about {wanted}:\n{output}"


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_run_interrupted(nothing_left, by):
    """Ctrl-C in the middle of it leaves nothing either; nor does a death without any manners."""
    with start() as process:
        lib.wait_until(lambda: lib.descendants(process.pid), 10)
        try:
            process.wait(2)
        except subprocess.TimeoutExpired:
            process.send_signal(by)
        process.communicate(timeout=200)
    assert process.returncode != 0
