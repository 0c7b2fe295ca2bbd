# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform in bad surroundings: limits that are too low, memory that is not there, streams
that are closed, terminals, and ends at every moment."""

import contextlib
import os
import re
import signal
import subprocess
import termios
import time
from pathlib import Path

import pytest

import lib
from pds import HELLO, PING_PONG, PROGRAMS, Running, pd, region
from terminal import is_raw, on_terminal, read_until, wait_for_end

CONSOLE = ('<protection_domain name="console" priority="5" stack_size="0x4000">'
           '<program_image path="console.elf"/></protection_domain>'
           '<serial device="serial0"><client pd="console"/></serial>')


def sddf(tmp_path, description, *options, before=(), **streams):
    """Runs the system to its end."""
    (tmp_path / "system.xml").write_text(f"<system>{description}</system>")
    return subprocess.run(
        [*before, lib.SDDF, "run", tmp_path / "system.xml", "--search-path", PROGRAMS, *options],
        text=True, check=False, timeout=300,
        **{"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams})


# ---- limits ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit, message", [
    ("--nofile=16", "this process may have 16 descriptors at a time, and this system takes some 60"),
    ("--nofile=26", "this process may have 26 descriptors"),
    ("--nofile=40", "hello: could not be set up: cannot pass on the descriptors: Too many open files"),
    ("--fsize=0", "cannot make 280 bytes of memory for system: File too large"),
    ("--fsize=4096", "of memory for hello: File too large")])
def test_limits_that_are_too_low_are_named(tmp_path, limit, message):
    done = sddf(tmp_path, HELLO, before=["prlimit", limit])
    assert done.returncode == 1 and message in done.stderr


def test_limits_that_are_low_enough_to_be_lived_with(tmp_path):
    limits = ["nofile=80", "stack=65536", "memlock=0", "sigpending=0", "rtprio=0", "msgqueue=0", "core=0"]
    if os.geteuid() == 0:  # (For others it counts all their processes.)
        limits.append("nproc=1")
    done = sddf(tmp_path, HELLO, "--seconds", "1",
                before=["prlimit", *(f"--{limit}" for limit in limits)])
    assert done.returncode == 0 and "hello | hello from hello" in done.stdout, done.stderr


def test_memory_that_is_not_there_is_missed_before_it_is_touched(tmp_path):
    """More than the machine has; and more than a control group may have, which would be killed."""
    def large(size):
        return region("large", size) + pd("hello", "hello", 1, '<map mr="large" vaddr="0x10000000"/>')

    done = sddf(tmp_path, large("0x40000000000"))
    assert done.returncode == 1
    assert re.search(r"large takes 4194304 MiB of memory, and only \d+ MiB are left", done.stderr)
    with contextlib.ExitStack() as stack:
        for root, limit in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                            ("/sys/fs/cgroup", "memory.max")):
            folder = Path(root) / f"sddf-test-{os.getpid()}"
            with contextlib.suppress(OSError):
                folder.mkdir()
                stack.callback(folder.rmdir)
                (folder / limit).write_text("64M")
                break
        else:
            pytest.skip("needs a control group of its own, with memory")
        done = sddf(tmp_path, large("0x8000000"),
                    before=["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', folder])
        assert done.returncode == 1
        assert re.search(r"large takes 128 MiB of memory, and only \d+ MiB are left to this process's "
                         "control group", done.stderr)


# ---- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"])
def test_streams_that_are_not_there(tmp_path, closed):
    """Nothing else is opened under their numbers, and written to: regions are files, too."""
    flood = pd("flood", "flood", 1) + pd("illegal", "faults", 2)
    state = tmp_path / "state.json"
    (tmp_path / "system.xml").write_text(f'<system>{region("first")}{flood}</system>')
    with subprocess.Popen(["sh", "-c", f'exec "$@" {closed}', "sh", lib.SDDF, "run",
                           tmp_path / "system.xml", "--search-path", PROGRAMS, "--state", state],
                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            assert lib.wait_until(lambda: state.exists() and '"dead"' in state.read_text(), 10)
            streams = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)]
            assert set(streams) <= {"/dev/null", "/dev/full"}
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0


def at_terminal(tmp_path, description, *options):
    """A system at a terminal of its own."""
    (tmp_path / "system.xml").write_text(f"<system>{description}</system>")
    return on_terminal([lib.SDDF, "run", tmp_path / "system.xml", "--search-path", PROGRAMS, *options])


def test_a_terminal_gets_its_mode_back_from_one_that_is_interrupted_early(tmp_path):
    """Ctrl-C while devices are opened, when the terminal's mode has been changed."""
    for delay in range(0, 60, 4):
        with at_terminal(tmp_path, CONSOLE) as (master, pid):
            before = termios.tcgetattr(master)
            if not lib.wait_until(lambda: is_raw(master), 10, step=0.0005):
                pytest.fail("the terminal was never made the system's")
            time.sleep(delay / 1000)
            os.kill(pid, signal.SIGINT)
            assert wait_for_end(master, pid) in (0, 1)
            assert termios.tcgetattr(master) == before


def test_ctrl_z_holds_nothing(tmp_path):
    """Nobody would keep budgets in a system whose loader is stopped."""
    with at_terminal(tmp_path, HELLO + PING_PONG) as (master, pid):
        read_until(master, b"ping: all right")
        os.write(master, b"\x1a")
        read_until(master, b"the system cannot be held; Ctrl-C ends it")
        assert lib.process_state(pid) in "SR"
        os.write(master, b"\x03")
        assert wait_for_end(master, pid) == 0


# ---- ends -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_end_at_every_moment(tmp_path, how):
    """From before its first descriptor to when all run: nobody is left, and nobody hangs."""
    for step in range(30):
        running = Running(tmp_path / "system", HELLO + PING_PONG)
        time.sleep(step * 0.003)
        family = lib.descendants(running.process.pid)
        running.process.send_signal(how)
        status = running.process.wait(60)
        assert status in ((-how,) if how == signal.SIGKILL else (0, 1, -how))
        if status == 1:
            assert running.err().endswith("sddf: interrupted before the system was up\n")
        assert lib.wait_until(lambda: not any(lib.alive(pid) for pid in family), 10)
