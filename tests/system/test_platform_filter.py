# SPDX-License-Identifier: BSD-2-Clause
"""Which system calls pass, on which descriptors: the table of docs/linux-platform.md, and no more.

Three looks at it. Every path through a PD's very filter is followed, which covers every number and every
value of every argument (bpf.py). The kernel, asked with that filter, says the same of some twelve
million calls (product.c). And a PD tries all calls for real on what descriptors it has and lacks
(prober.c).
"""

import os
import subprocess

import pytest

import bpf
import lib
import rights
from pds import HELLO, channel, child, pd

READ, WRITE, SENDTO, RECVFROM, CLOCK_GETTIME, PPOLL, TIMERFD_SETTIME = 0, 1, 44, 45, 228, 271, 286
ONE = 0x200000000018  # Of the boot page: the only bytes that may be written to a doorbell.
OWN, DEBUG = 1, 2  # Descriptors that every PD has: its doorbell, and its way to print.

DEVICES = {  # What a driver may do on its device's descriptor; (argument, value) must be so.
    "af_xdp": [(call, ((1, 0), (2, 0), (3, 0x40), (4, 0), (5, 0))) for call in (SENDTO, RECVFROM)],
    "tap": [(READ, ()), (WRITE, ())],
    "terminal": [(READ, ()), (WRITE, ())],
    "timerfd": [(TIMERFD_SETTIME, ((1, 0), (3, 0)))],
}


def needs_root():
    if os.geteuid() != 0:
        pytest.skip("needs root: reads other processes' memory")


def table(pid, device=None):
    """What is documented, for a PD with these descriptors, which are in order: its own doorbell, its
    debug output, others' doorbells, and a device's."""
    kinds = dict((number, what) for number, what, _ in rights.descriptors(pid))
    assert sorted(kinds) == list(range(1, len(kinds) + 1))
    assert kinds[OWN].startswith("eventfd") and kinds[DEBUG].startswith("pipe")
    calls = {(READ, ((0, OWN),)), (WRITE, ((0, DEBUG),))}
    others = {number for number, what in kinds.items() if what.startswith("eventfd")} - {OWN}
    calls |= {(WRITE, ((0, number), (1, ONE), (2, 8))) for number in others}
    left = sorted(set(kinds) - others - {OWN, DEBUG})
    assert len(left) == (device is not None), kinds
    if device is not None:
        calls |= {(number, ((0, left[0]), *more)) for number, more in DEVICES[device]}
        calls.add((PPOLL, ((3, 0),)))
    if "nonstop_tsc" not in open("/proc/cpuinfo").read():
        calls.add((CLOCK_GETTIME, ((0, 1),)))
    return calls


def assert_as_documented(system, devices):
    """Each PD of the running system; `devices` says which has which."""
    for pd_ in system.state()["pds"] if callable(system.state) else system.state["pds"]:
        device = devices.get(pd_["name"])
        assert bpf.allowed(bpf.read(pd_["pid"])) == table(pd_["pid"], device), pd_["name"]


PROBED = (pd("warden", "warden", 120, pd("prober", "prober", 10, '<irq irq="2" id="9"/>',
                                         more='id="50"')) +
          HELLO + channel("prober", 0, "hello", 0))


def test_filters_of_small_systems(run):
    """With and without children, channels in one direction, procedures, an interrupt, the right to
    end the system."""
    needs_root()
    one_way = channel("sender", 4, "receiver", 50, more_b='notify="false"')
    procedure = channel("caller", 1, "server", 7, 'pp="true" notify="false"', 'notify="false"')
    with run(PROBED + pd("sender", "hello", 5) + pd("receiver", "hello", 6) + pd("caller", "hello", 7) +
             pd("server", "hello", 8) + pd("ender", "hello", 9, more='shutdown="true"') + one_way +
             procedure + pd("parent", "parent", 20, child("memory", 1))) as system:
        assert_as_documented(system, {"prober": "timerfd"})
        doorbells = {pd_["name"]: len(rights.descriptors(pd_["pid"])) - 2 for pd_ in system.state()["pds"]}
        assert doorbells == {"warden": 1, "prober": 2, "hello": 1, "sender": 1, "receiver": 0,
                             "caller": 1, "server": 1, "ender": 1, "parent": 1, "memory": 0}


def test_filters_of_the_echo_system(echo):
    assert_as_documented(echo, {f"{echo.device}_driver": "af_xdp", "timer0_driver": "timerfd",
                                "serial0_driver": "terminal"})


def test_filter_of_a_tap_driver(fresh):
    system = fresh(options=["-b", "linux_tap", "--netdev", "sddftap1"], netdev=False)
    assert_as_documented(system, {f"{system.device}_driver": "tap", "timer0_driver": "timerfd",
                                  "serial0_driver": "terminal"})


def test_the_kernel_says_the_same_of_every_number_and_descriptor(echo):
    """1024 numbers from 0 on, from where those of x32 begin and from two places more, on 1024
    descriptors, with three sets of arguments."""
    product = lib.BUILD / "tests" / "product"
    descriptors = [*range(1024), -1, -100, (1 << 32) + 1, (1 << 32) + 2, 1 << 31, 1 - (1 << 63)]
    sets = {"zeroes": [0] * 5, "one": [ONE, 8, 0, 0, 0], "ones": [2**64 - 1] * 5}
    for name in (f"{echo.device}_driver", "timer0_driver"):
        program = bpf.read(echo.pid(name))
        done = subprocess.run([product], input=bpf.packed(program), capture_output=True, check=True,
                              timeout=600)
        *lines, asked = done.stdout.decode().splitlines()
        assert asked == f"asked {3 * (4 * 1024 - 2) * len(descriptors)}"
        expected = {
            f"{set_} {number} {descriptor}"
            for number, arguments in bpf.allowed(program) for set_, values in sets.items()
            for descriptor in descriptors
            if all((descriptor, *values)[index] == value for index, value in arguments)}
        assert len(lines) == len(set(lines)) and set(lines) == expected


def test_what_is_let_through_is_what_the_table_says(run):
    """For real, in a PD. Descriptors: 1 its own doorbell, 2 its debug output, 3 hello's doorbell, 4
    the timer's device; it tries those that it lacks, too."""
    passes = {f"zeroes {READ} 1", f"zeroes {WRITE} 2", f"one {WRITE} 2", f"one {WRITE} 3",
              f"zeroes {PPOLL} 0", f"one {PPOLL} 0", f"zeroes {TIMERFD_SETTIME} 4"}
    with run(PROBED) as system:
        system.printed("prober", "probed", 60)
        fds = [os.readlink(f"/proc/{system.pd('prober')['pid']}/fd/{fd}") for fd in range(1, 5)]
        assert [fd.strip("[]").split(":")[-1].strip("[]0123456789") for fd in fds] == \
            ["eventfd", "", "eventfd", "timerfd"] and "pipe" in fds[1]
    # (What the debug output let through stands in front of the line that says so.)
    assert {line.lstrip("?") for line in system.lines("prober")} == passes | {"probed"}


def test_a_call_that_passes_every_filter_is_refused_all_the_same(run):
    """Linux has an illegal instruction for it, but says which call it was, and so does the loader."""
    with run(HELLO + pd("uretprobe", "faults", 10), "--strace", "uretprobe") as system:
        system.complained("sddf: uretprobe: fault: forbidden system call 335 (")
        system.complained("(0, 0, 0, 0, 0, 0) is refused")
    assert system.status == 0
