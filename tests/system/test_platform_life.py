# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform: how systems begin and end, with privileges and without."""

import os
import signal
import subprocess
import time

import pytest

import lib
from pds import HELLO, PING_PONG, PROGRAMS, pd


def test_everybody_dies_with_the_loader(run):
    with run(HELLO + PING_PONG) as system:
        pids = [pd["pid"] for pd in system.state()["pds"]]
        assert all(lib.alive(pid) for pid in pids)
        system.process.kill()
        assert lib.wait_until(lambda: not any(lib.alive(pid) for pid in pids), 5)
        assert system.state_path.exists()
    # All that it left is its state file, which the next one replaces and removes.
    left = set(os.listdir(system.state_path.parent)) - {"system.xml", "out", "err"}
    assert left == {"state.json"}
    with run(HELLO) as system:
        assert lib.wait_until(lambda: system.state_path.exists() and
                              system.state()["loader"] == system.process.pid, 10)
    assert not system.state_path.exists()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_orderly_shutdown(run, how):
    with run(HELLO + PING_PONG) as system:
        pids = [pd["pid"] for pd in system.state()["pds"]]
        system.process.send_signal(how)
        assert system.process.wait(60) == 0
        assert not any(lib.alive(pid) for pid in pids)
        assert not system.state_path.exists()


def test_ends_after_the_time_that_was_asked_for(run):
    begin = time.monotonic()
    with run(HELLO, "--seconds", "1", "--verbose") as system:
        assert system.process.wait(60) == 0
    assert 1 <= time.monotonic() - begin < 4
    assert "sddf: hello: 0." in system.err() and "s of CPU time" in system.err()


def test_a_state_file_replaces_no_other_file(run, tmp_path):
    """Neither somebody's file, nor that of a system that runs; an empty one is as good as none."""
    with run(HELLO) as system:
        description = system.state_path.parent / "system.xml"
        empty = tmp_path / "empty"
        empty.touch()

        def second(state):
            return lib.command(lib.SDDF, "run", description, "--search-path", PROGRAMS, "--state", state,
                               "--seconds", "1", check=False)

        done = second(description)
        assert done.returncode == 1 and "system.xml is there and is no state file" in done.stderr
        assert description.exists()
        done = second(system.state_path)
        assert done.returncode == 1
        assert f"belongs to a system that runs (process {system.process.pid})" in done.stderr
        assert system.pd("hello")["state"] == "running"
        assert second(empty).returncode == 0 and not empty.exists()
    assert system.status == 0


def test_a_state_file_needs_a_folder(tmp_path):
    """It is told before anything of the system has run."""
    description = tmp_path / "system.xml"
    description.write_text(f"<system>{HELLO}</system>")
    done = lib.command(lib.SDDF, "run", description, "--search-path", PROGRAMS, "--state",
                       tmp_path / "missing" / "state.json", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "state.json: its folder cannot be written to: No such file or directory; name" in done.stderr


def test_stop_and_continue(run):
    with run(PING_PONG) as system:
        lib.wait_until(lambda: system.lines("ping"), 10)
        pid = system.pd("pong")["pid"]
        os.kill(pid, signal.SIGSTOP)
        assert lib.wait_until(lambda: lib.process_state(pid) in "tT", 5)
        os.kill(pid, signal.SIGCONT)
        assert lib.wait_until(lambda: lib.process_state(pid) == "S", 5)
        assert system.pd("pong")["state"] == "running"
    assert system.status == 0


def test_the_last_one_ends_the_system(run):
    running = run(pd("illegal", "faults", 10))
    assert running.process.wait(60) == 1
    assert "no protection domain is left" in running.err()


def test_one_that_floods_its_output_starves_nobody(run):
    with run(pd("flood", "flood", 1) + PING_PONG, "--no-realtime") as system:
        assert lib.wait_until(lambda: system.lines("ping"), 20), system.err()
        before = len(system.out())
        time.sleep(1)
        # What comes through is bounded, by pieces of 16 KiB in 50 ms; the rest is dropped.
        assert len(system.out()) - before < 1_000_000
        system.process.send_signal(signal.SIGINT)
        assert system.process.wait(60) == 0
    assert all("a line of sixty-four bytes" in line for line in system.lines("flood")[1:-1])


def test_as_root_without_its_rights(run_as):
    """As in a container whose root may do nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root: gives up its privileges")
    with run_as(["setpriv", "--bounding-set", "-all"], HELLO) as system:
        system.printed("hello", "hello from hello")
    assert "warning: namespaces are not permitted" in system.err()
    assert "warning: there is no user nobody to become" in system.err()
    assert system.status == 0


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def test_in_a_user_namespace_without_nobody(run_as):
    """What unprivileged users have: the full confinement, without a word about its lack."""
    if os.geteuid() != 0 or subprocess.run([*NOBODY, "unshare", "-Urn", lib.SDDF, "--help"],
                                           capture_output=True).returncode != 0:
        pytest.skip("another user may not read the build, or may make no user namespaces")
    with run_as([*NOBODY, "unshare", "-Urn"], HELLO) as system:
        system.printed("hello", "hello from hello")
        pid = system.pd("hello")["pid"]
        for kind in ("user", "mnt", "pid", "net", "ipc", "uts", "cgroup"):
            assert os.readlink(f"/proc/{pid}/ns/{kind}") != \
                os.readlink(f"/proc/{system.process.pid}/ns/{kind}")
    assert "namespaces are not permitted" not in system.err()
    assert "no user nobody" not in system.err()


def test_without_privileges(run, tmp_path):
    """As another user: it runs, and names what is lost."""
    if os.geteuid() != 0:
        pytest.skip("needs root: becomes another user")
    folder = tmp_path / "system"
    folder.mkdir()
    (folder / "system.xml").write_text(f"<system>{HELLO + PING_PONG}</system>")
    # By descriptor, since the other user may not enter the folders.
    paths = (lib.SDDF, folder / "system.xml", PROGRAMS,
             lib.ROOT / "platform/linux/boards/linux_tap.xml")
    tool, description, programs, board = fds = [os.open(path, os.O_RDONLY) for path in paths]
    try:
        done = subprocess.run(
            ["setpriv", "--reuid", "1234", "--regid", "1234", "--clear-groups", "--bounding-set",
             "-all", "--", f"/proc/self/fd/{tool}", "run", f"/proc/self/fd/{description}",
             "--board", f"/proc/self/fd/{board}", "--search-path", f"/proc/self/fd/{programs}",
             "--seconds", "3"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
            pass_fds=fds)
    finally:
        for fd in fds:
            os.close(fd)
    assert done.returncode == 0, done.stderr
    assert "ping | ping: all right" in done.stdout
    assert "warning: real-time priorities are not permitted" in done.stderr
