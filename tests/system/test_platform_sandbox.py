# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform's sandbox: what PDs cannot do, and what they have."""

import os
import re
import stat
import subprocess
import time
from pathlib import Path

import pytest

import lib
from pds import HELLO, PING_PONG, PROGRAMS, calls, child, pd


# ---- hostile PDs ---------------------------------------------------------------------------------


ATTEMPTS = 101  # tests/platform/hostile.h


def assert_all_refused(output):
    """Each attempt of both was refused and reported once."""
    for number, name in ((1, "hostile"), (2, "hostile_bare")):
        tries = [line for line in output.splitlines() if line.startswith(f"{name} | tries ")]
        refused = [line for line in output.splitlines()
                   if line.startswith(f"warden | refused {number}: ")]
        assert len(tries) == len(set(tries)) == len(refused) == ATTEMPTS
        assert output.count(f"{name} | has overwritten what it can write") == 1
    assert "DONE" not in output and "something else" not in output


def test_hostile_pds_are_refused_everything():
    """The description that people run by hand: it ends by itself, and its exit status is the verdict."""
    run = subprocess.run([lib.SDDF, "run", lib.ROOT / "tests/systems/hostile.xml"],
                         capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert run.returncode == 0, run.stderr
    assert_all_refused(run.stdout)
    assert f"warden | every attempt was refused: {ATTEMPTS} of the one with the library, {ATTEMPTS} " \
        "of the one without; beside them a neighbour had 300,000 right answers" in run.stdout
    assert "hello | hello from hello" in run.stdout and "wrong" not in run.stdout
    assert "fault" not in run.stderr


def test_echo_beside_hostile_pds(lab, tmp_path):
    """The echo system answers, everything and right, from the first attempt to the spinning."""
    hostile = (lib.ROOT / "tests/systems/hostile.xml").read_text()
    hostile = re.search(r"<system>(.*)</system>", hostile, re.S).group(1)
    hostile = hostile.replace(' shutdown="true"', "")
    echo = lib.ECHO.read_text()
    both = tmp_path / "both.xml"
    both.write_text(echo.replace("</system>", hostile + "</system>"))
    system = lib.System(lab, tmp_path, both, options=["--search-path", PROGRAMS])
    system.start()
    try:
        with lab.udp() as sock:
            answered = 0
            until = time.monotonic() + 4
            while time.monotonic() < until or "now spins" not in system.output():
                client = system.clients[answered % len(system.clients)]
                data = bytes((answered + i) & 255 for i in range(answered % 1472))
                sock.sendto(data, (client.ip, 7))
                assert sock.recv(2048) == data
                answered += 1
                assert time.monotonic() < until + 30
        assert answered > 100
        assert_all_refused(system.output())
        system.stop()
    finally:
        system.end_by_force()


def test_a_hostile_parent(run):
    """Orders without end, to whom it likes, of every kind: its children have it hard, nobody else, and
    the loader goes on."""
    cpu = 'cpu="1" ' if len(os.sched_getaffinity(0)) > 1 else ""
    with run(PING_PONG + pd("tyrant", "tyrant", 3, child("busy", 1, 1) + child("memory", 2, 2),
                            more=f'{cpu}budget="5000" period="10000"')) as system:
        assert lib.wait_until(lambda: len(system.lines("tyrant")) >= 50, 30), system.err()
        assert lib.wait_until(lambda: any(line.startswith("ping: all right")
                                          for line in system.lines("ping")), 30)
        assert lib.wait_until(lambda: len(system.lines("memory")) > 3, 30)
    assert len(system.err().splitlines()) < 10, system.err()
    assert system.status == 0


# ---- rights --------------------------------------------------------------------------------------


def test_a_process_has_exactly_what_it_was_given(run):
    if os.geteuid() != 0:
        pytest.skip("needs root: reads other processes' descriptors")
    with run(HELLO + PING_PONG) as system:
        state = system.state()
        ping = system.pd("ping")
        proc = f"/proc/{ping['pid']}"
        maps = {}
        for line in open(f"{proc}/maps"):
            words = line.split()
            if words[-1] != "[vsyscall]":  # The kernel's; not memory of the process.
                maps[int(words[0].split("-")[0], 16)] = (words[1], words[4])
        # Regions: at the right address, with the right rights, the very memory of the loader's.
        for name, vaddr, rights in (("request", 0x10000000, "rw-s"),
                                    ("response", 0x10010000, "r--s")):
            fd = next(r["fd"] for r in state["regions"] if r["name"] == name)
            inode = str(os.stat(f"/proc/{state['loader']}/fd/{fd}").st_ino)
            assert maps.pop(vaddr) == (rights, inode)
        # The image: four segments. Never writable and executable at once.
        image = [maps.pop(at)[0] for at in sorted(maps) if at < 0x10000000]
        assert image == ["r--s", "r-xs", "r--s", "rw-s"]
        # The platform's pages, and nothing else.
        base = 0x200000000000
        assert [(at - base, maps[at][0]) for at in sorted(maps)] == [
            (0x0, "r--s"), (0x10000, "r--s"), (0x20000, "rw-s"), (0x30000, "r-xs"),
            (0x110000, "r--s"), (0x40000000 - 0x2000, "rw-s")]
        kinds = [os.readlink(f"{proc}/fd/{fd}").split(":")[0] + os.readlink(
            f"{proc}/fd/{fd}").partition(":")[2].rstrip("0123456789[]") for fd in
            sorted(map(int, os.listdir(f"{proc}/fd")))]
        assert kinds == ["anon_inode[eventfd", "pipe", "anon_inode[eventfd"]
        status = dict(line.rstrip("\n").split(":\t", 1) for line in open(f"{proc}/status")
                      if ":\t" in line)
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0
        assert status["NoNewPrivs"] == "1" and status["Seccomp"] == "2"
        assert status["Uid"].split() == ["65534"] * 4 and status["Groups"].strip() == ""
        assert os.listdir(f"{proc}/root") == []
        for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            assert os.readlink(f"{proc}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")


def test_nobody_may_read_the_starter(run):
    """So that a PD is at no time dumpable; the kernel takes that from the program's mode."""
    with run(HELLO) as system:
        folder = Path(f"/proc/{system.process.pid}/fd")
        modes = [stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()
                 if os.readlink(entry).startswith("/memfd:") and "starter" in os.readlink(entry)]
        assert modes == [0o111]
        system.printed("hello", "hello from hello")


def test_the_loader_gives_up_its_privileges(run):
    """All but what ends PDs and gives them their turns, and still it does all that it has to."""
    if os.geteuid() != 0:
        pytest.skip("needs root: has privileges to give up")
    with run(pd("memory", "faults", 5) + pd("stack", "faults", 6) + calls("stuck") +
             pd("parent", "parent", 50, child("illegal", 3, 40))) as system:
        system.printed("parent", "child 3 is stopped")
        system.complained("sddf: stack: fault: stack overflow: write of address")
        assert lib.wait_until(lambda: system.pd("stack")["state"] == "dead", 5)
        pid = system.process.pid
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            kept = 1 << 5 | 1 << 23  # CAP_KILL, CAP_SYS_NICE
            assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == kept
            assert int(status["CapInh"], 16) == int(status["CapBnd"], 16) == 0
            assert status["NoNewPrivs"] == "1"
    assert system.status == 0
