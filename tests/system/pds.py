# SPDX-License-Identifier: BSD-2-Clause
"""Systems of small programs (tests/platform) for the platform's own tests: descriptions, and runs."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest

import lib

PROGRAMS = lib.BUILD / "platform" / "linux"


def pd(name, program, priority, inside="", stack="0x2000", more=""):
    return (f'<protection_domain name="{name}" priority="{priority}" stack_size="{stack}" {more}>'
            f'<program_image path="test_{program}.elf"/>{inside}</protection_domain>')


def channel(pd_a, id_a, pd_b, id_b, more_a="", more_b=""):
    return (f'<channel><end pd="{pd_a}" id="{id_a}" {more_a}/>'
            f'<end pd="{pd_b}" id="{id_b}" {more_b}/></channel>')


def region(name, size="0x1000"):
    return f'<memory_region name="{name}" size="{size}"/>'


class Running:
    """A system that runs until the block ends; its output and complaints are read afterwards."""

    def __init__(self, folder, description, *options, before=()):
        folder.mkdir(exist_ok=True)
        (folder / "system.xml").write_text(f"<system>{description}</system>")
        self.state_path = folder / "state.json"
        self.out_path, self.err_path = folder / "out", folder / "err"
        with open(self.out_path, "w") as out, open(self.err_path, "w") as err:
            self.process = subprocess.Popen(
                [*before, lib.SDDF, "run", folder / "system.xml", "--search-path", PROGRAMS, "--state",
                 self.state_path, *options], stdin=subprocess.DEVNULL, stdout=out, stderr=err)

    def __enter__(self):
        try:
            assert lib.wait_until(lambda: self.state_path.exists() or
                                  self.process.poll() is not None, 30)
            assert self.process.poll() is None, self.err()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        """Ctrl-C, and what it leaves."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGINT)
        try:
            self.status = self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def out(self):
        return self.out_path.read_text()

    def err(self):
        return self.err_path.read_text()

    def lines(self, name):
        """What the PD printed."""
        return [line.split(" | ", 1)[1] for line in self.out().splitlines()
                if line.startswith(name + " | ")]

    def state(self):
        return json.loads(self.state_path.read_text())

    def pd(self, name):
        return next(pd for pd in self.state()["pds"] if pd["name"] == name)

    def printed(self, name, text, seconds=10):
        assert lib.wait_until(lambda: text in self.lines(name), seconds), self.out() + self.err()

    def complained(self, text, seconds=10):
        assert lib.wait_until(lambda: text in self.err(), seconds), self.out() + self.err()


@pytest.fixture
def run(tmp_path):
    if not lib.SDDF.exists() or not (PROGRAMS / "test_hello.elf").exists():
        pytest.skip(f"{lib.SDDF} or the test programs are not built: make")
    return lambda description, *options: Running(tmp_path / "system", description, *options)


@pytest.fixture
def run_as(run):
    """As another user: a folder that this user may come to and write in."""
    with tempfile.TemporaryDirectory(prefix="test-") as folder:
        os.chmod(folder, 0o777)
        yield lambda before, description, *options: Running(Path(folder), description, *options,
                                                            before=before)


def cpu_ns(pid):
    """Processor time of a process so far."""
    with open(f"/proc/{pid}/schedstat") as file:
        return int(file.read().split()[0])


HELLO = pd("hello", "hello", 1)
PING_PONG = (region("request") + region("response") +
             pd("ping", "ping", 100,
                '<map mr="request" vaddr="0x10000000" perms="rw" setvar_vaddr="request"/>'
                '<map mr="response" vaddr="0x10010000" perms="r" setvar_vaddr="response"/>') +
             pd("pong", "pong", 101,
                '<map mr="request" vaddr="0x20000000" perms="r" setvar_vaddr="request"/>'
                '<map mr="response" vaddr="0x20010000" perms="rw" setvar_vaddr="response"/>') +
             channel("ping", 1, "pong", 2))


def calls(mortal):
    return (pd("caller", "caller", 10) + pd("server", "server", 30) + pd(mortal, "server", 20) +
            channel("caller", 1, "server", 7, 'pp="true"') +
            channel("caller", 2, mortal, 7, 'pp="true"'))


CHILDREN = {  # name: (id, what the parent hears)
    "memory": (1, "memory, 4 words, address 1879048192, execution 0, status 6"),
    "execution": (2, "memory, 4 words, address 1879048192, execution 1, status 20"),
    "stack": (3, "memory, 4 words, address "),
    "call": (4, "system call 39, 19 words, first argument 12"),
    "division": (5, "exception 0, 5 words"),
    "illegal": (61, "exception 6, 5 words"),
}


def child(name, id_, priority=10):
    return pd(name, "child", priority, more=f'id="{id_}"')
