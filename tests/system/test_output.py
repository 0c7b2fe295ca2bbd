"""The loader and those that it must not trust: readers of its output that stop, PDs that print too
much, and other processes of the user that PDs become.

The programs are in tests/platform; no network and no device is needed.
"""
# SPDX-License-Identifier: BSD-2-Clause
import contextlib
import json
import os
import pty
import re
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import pytest

import lib
from pds import HELLO, PROGRAMS, Running, cpu_ns, pd

pytestmark = pytest.mark.skipif(not (PROGRAMS / "test_flood.elf").exists(),
                                reason="the test programs are not built: make")

FLOOD = pd("flood", "flood", 1) + pd("illegal", "faults", 10)


@contextlib.contextmanager
def into(folder, output, description, *options, before=()):
    """A system that writes everything to the given descriptor, which nobody reads."""
    (folder / "system.xml").write_text(f"<system>{description}</system>")
    state = folder / "state.json"
    process = subprocess.Popen(
        [*before, lib.SDDF, "run", folder / "system.xml", "--search-path", PROGRAMS, "--state", state,
         *options], stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        assert lib.wait_until(state.exists, 20)
        yield process, lambda: {pd["name"]: pd["state"] for pd in json.loads(state.read_text())["pds"]}
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def pipe():
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


@contextlib.contextmanager
def terminal():
    ends = pty.openpty()
    yield ends
    for end in ends:
        os.close(end)


@contextlib.contextmanager
def stream():
    ends = socket.socketpair()
    yield tuple(end.fileno() for end in ends)
    for end in ends:
        end.close()


def fill(fd):
    """Leaves no room for even one byte, as seen by others too, and the flags as they were."""
    flags = os.get_blocking(fd)
    os.set_blocking(fd, False)
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(fd, b"." * size)
    os.set_blocking(fd, flags)


@pytest.mark.parametrize("kind", [pipe, terminal, stream])
@pytest.mark.parametrize("when", ["at once", "later"])
def test_a_reader_that_stops_holds_up_nothing(tmp_path, kind, when):
    """The system is supervised, and Ctrl-C ends it, though not a byte can be written."""
    with kind() as (reader, output), into(tmp_path, output, FLOOD, "--no-realtime") as (process, states):
        if when == "at once":
            fill(output)
        else:
            time.sleep(1)
        assert lib.wait_until(lambda: states()["illegal"] == "dead", 10)
        assert states()["flood"] == "running"
        flood = json.loads((tmp_path / "state.json").read_text())["pds"][0]["pid"]
        os.kill(flood, signal.SIGKILL)  # its end is seen
        assert process.wait(60) == 1


@pytest.mark.parametrize("kind", [pipe, terminal, stream])
def test_ctrl_c_ends_it_though_the_reader_stopped(tmp_path, kind):
    with kind() as (reader, output), into(tmp_path, output, FLOOD, "--no-realtime",
                                          "--verbose") as (process, _):
        fill(output)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert os.get_blocking(output)  # the descriptor is others' as well


def test_a_reader_that_goes_on_misses_no_part_of_a_line(tmp_path):
    """A terminal takes lines in part."""
    with terminal() as (reader, output), into(tmp_path, output, pd("flood", "flood", 1),
                                              "--no-realtime") as (process, _):
        got = b""
        while len(got) < 200_000:
            got += os.read(reader, 700)
            if len(got) % 7 == 0:
                time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        while process.poll() is None:
            os.set_blocking(reader, False)
            with contextlib.suppress(BlockingIOError):
                os.read(reader, 65536)
    lines = got.decode().replace("\r", "").split("\n")[:-1]
    expected = "flood | a line of sixty-four bytes, printed again and again and again ..."
    whole = [line for line in lines if line == expected]
    assert len(lines) - len(whole) < len(lines) / 50, [line for line in lines if line != expected]


def test_one_that_prints_byte_by_byte_pays_for_it_itself(tmp_path):
    """The loader comes before every PD, and is not to be kept busy by the least of them."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs a second CPU, for the PD to go on while the loader runs")
    with Running(tmp_path / "system", pd("drip", "drip", 1), "--no-realtime") as system:
        assert lib.wait_until(lambda: "drip | xxx" in system.out(), 10)
        loader = system.process.pid
        begin, used = time.monotonic(), cpu_ns(loader)
        time.sleep(2)
        share = (cpu_ns(loader) - used) / (time.monotonic() - begin) / 1e9
    assert share < 0.3, share


def test_nobody_may_read_the_starter(tmp_path):
    """So that a PD is at no time dumpable; the kernel takes that from the program's mode."""
    with Running(tmp_path / "system", HELLO) as system:
        folder = Path(f"/proc/{system.process.pid}/fd")
        modes = [stat.S_IMODE(entry.stat().st_mode) for entry in folder.iterdir()
                 if os.readlink(entry).startswith("/memfd:") and "starter" in os.readlink(entry)]
        assert modes == [0o111]
        system.printed("hello", "hello from hello")


def test_who_has_died_is_said_at_the_end(tmp_path):
    with Running(tmp_path / "system", pd("illegal", "faults", 10) + HELLO +
                 pd("late", "hello", 2)) as system:
        system.complained("illegal: fault")
        os.kill(system.pd("late")["pid"], signal.SIGKILL)
        system.complained("late: killed")
    assert system.status == 0
    assert system.err().splitlines()[-1] == "sddf: ended with these protection domains dead: illegal, late"
    with Running(tmp_path / "system", HELLO) as system:
        pass
    assert "protection domains dead" not in system.err()


def test_a_line_without_an_end_is_shown(tmp_path):
    """When its PD sleeps, runs on, or faults: then before the report of that."""
    with Running(tmp_path / "system", "".join(pd(name, "mumbler", 5) for name in ("asleep", "faulty")) +
                 pd("busy", "mumbler", 1), "--no-realtime") as system:
        for name in ("asleep", "faulty", "busy"):
            system.printed(name, "a line without an end")
        system.complained("sddf: faulty: fault: illegal instruction")
    assert len(system.out().splitlines()) == 3
    assert system.status == 0


def test_lines_in_pieces_are_cut_at_most_at_their_ends(tmp_path):
    """More of them than there is room for: what is lost is lost up to a line's end."""
    with Running(tmp_path / "system", pd("torrent", "mumbler", 5)) as system:
        pid = system.pd("torrent")["pid"]
        assert lib.wait_until(lambda: lib.process_state(pid) == "S", 30)
    lines = system.lines("torrent")
    whole = [line for line in lines if re.fullmatch(r"number \d+ ends here", line)]
    assert len(whole) > 100 and all(re.fullmatch(r"number (\d+)?", line)
                                    for line in set(lines) - set(whole)), set(lines) - set(whole)
