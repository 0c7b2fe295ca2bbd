# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform: looking into PDs. gdb, strace, Valgrind, AddressSanitizer, core files, lines."""

import os
import re
import shutil
import subprocess

import pytest

import lib
from pds import HELLO, PING_PONG, PROGRAMS, channel, child, pd, region

CARELESS = region("shared") + pd(
    "careless", "careless", 10,
    '<map mr="shared" vaddr="0x10000000" perms="rw" setvar_vaddr="shared"/>')
FAULTY = region("readable") + pd(
    "write_region", "faults", 10,
    '<map mr="readable" vaddr="0x10000000" perms="r" setvar_vaddr="readable"/>')


def needs(tool):
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}: ./setup.sh --debug installs it")


def line_of(program, text):
    """FILE:LINE of the first line of a test program that contains the text."""
    lines = (lib.ROOT / "tests" / "platform" / program).read_text().splitlines()
    return f"{program}:{1 + next(i for i, line in enumerate(lines) if text in line)}"


def test_faults_name_the_source_line(run):
    with run(FAULTY + HELLO) as system:
        line = line_of("faults.c", "*readable = 1")
        system.complained("(test_faults.elf: init+0x", 30)
        assert re.search(r"sddf: write_region: fault: forbidden write .* "
                         rf"\(test_faults\.elf: \w+\+0x[0-9a-f]+, {line}\); the rest", system.err())


def gdb(*commands, more=()):
    done = subprocess.run(["timeout", "-k", "1", "60", "gdb", "-nx", "-q", "-batch",
                           *sum((["-ex", c] for c in commands), []),
                           *map(str, more)], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True)
    return done.stdout + done.stderr


def test_core_files(run, tmp_path):
    """Of a PD without a parent, and of each fault that a parent hears of the last."""
    needs("gdb")
    folder = tmp_path / "cores"
    folder.mkdir()
    with run(FAULTY + HELLO + pd("parent", "parent", 20, child("stack", 3)), "--core",
             folder) as system:
        system.complained("sddf: write_region: core file: gdb ", 30)
        system.printed("parent", "child 3 is stopped", 30)
    assert sorted(os.listdir(folder)) == ["stack.core", "write_region.core"]
    said = gdb("bt", "print microkit_name", "x/1bx 0x10000000",
               more=(PROGRAMS / "test_faults.elf", folder / "write_region.core"))
    assert "SIGSEGV" in said and line_of("faults.c", "*readable = 1") in said, said
    assert '$1 = "write_region"' in said and "in mk_main" in said, said
    assert re.search(r"0x10000000:\s0x00", said), said
    said = gdb("print boots", "bt 2",
               more=(PROGRAMS / "test_child.elf", folder / "stack.core"))
    assert "$1 = 11" in said and "deeper" in said, said


def test_no_core_file_where_none_can_be_written(run, tmp_path):
    system = run(FAULTY, "--core", tmp_path / "nowhere")
    assert system.process.wait(30) == 1
    assert "nowhere: No such file or directory" in system.err()


def test_strace(run):
    """The calls of one PD, with its descriptors' names; it is as confined as ever."""
    with run(PING_PONG + HELLO + pd("system_call", "faults", 10), "--strace", "ping",
             "--strace", "system_call") as system:
        system.complained("sddf: ping: system call write(3 doorbell of pong, 0x2000000000", 30)
        system.complained("8) ...\n", 30)  # It sleeps.
        assert re.search(r"sddf: ping: system call read\(1 own doorbell, 0x\w+, 8\) \.\.\.", system.err())
        system.complained("sddf: system_call: fault: forbidden system call 39 (getpid)", 30)
    assert "sddf: system_call: system call getpid(0, 0, 0, 0, 0, 0) is refused" in system.err()
    assert "sddf: pong: system call" not in system.err()
    assert "sddf: system_call: system call write(2 debug output, " in system.err()
    assert system.status == 0


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def as_nobody(run_as, inside=()):
    """A function that runs systems as another user, or skips where that one may not."""
    for command in (["test", "-r", lib.SDDF], ["unshare", "-Ur", "true"]):
        if os.geteuid() != 0 or subprocess.run([*NOBODY, *command], check=False,
                                               capture_output=True).returncode != 0:
            pytest.skip("another user may not read the build, or may make no user namespaces")
    return lambda description, *options: run_as([*NOBODY, *inside], description, "-b", "linux_tap",
                                                *options)


@pytest.mark.parametrize("user", ["self", "nobody"])
def test_gdb(run, run_as, user):
    """The command that is printed: the PD stands before its first instruction, goes on, and stops
    where it is told to; its neighbours do not wait. All that without privileges, too."""
    needs("gdb")
    prefix = []
    if user == "nobody":
        run, prefix = as_nobody(run_as), NOBODY
    with run(CARELESS + HELLO, "--gdb", "careless") as system:
        system.complained("\n  kill -CONT ", 30)
        assert "CAP_SYS_PTRACE" not in system.err()
        system.printed("hello", "hello from hello", 30)
        pid = system.pd("careless")["pid"]
        assert lib.wait_until(lambda: lib.process_state(pid) in "tT", 10)
        assert not system.lines("careless")
        command = next(line for line in system.err().splitlines() if line.startswith("  gdb "))
        assert command.endswith(f"{PROGRAMS / 'test_careless.elf'} {pid}")
        done = subprocess.run(
            [*prefix, "timeout", "-k", "1", "60", "sh", "-c",
             command.replace("gdb -q", "gdb -nx -q -batch", 1) +
             " -ex bt -ex 'print microkit_name' -ex 'tbreak microkit_dbg_puts' -ex continue"
             " -ex 'print *shared'"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert "Temporary breakpoint 1, init () at " in said, said
        assert '$1 = "careless"' in said and "$2 = 4711" in said, said
        system.printed("careless", "still here", 30)  # gdb has gone, and it goes on.
    assert system.status == 0


def test_what_gdb_lacks(run_as):
    """Without user namespaces nobody but root may attach: it says so, and the rest works."""
    run = as_nobody(run_as, ["unshare", "-Ur", "sh", "-c",
                             "echo 0 > /proc/sys/user/max_user_namespaces && "
                             'exec setpriv --bounding-set -all --inh-caps -all "$@"', "sh"])
    with run(CARELESS + HELLO, "--gdb", "careless", "--strace", "hello") as system:
        system.complained("a debugger needs CAP_SYS_PTRACE: attach it as root", 30)
        system.complained("sddf: hello: system call write(2 debug output", 30)
        os.kill(system.pd("careless")["pid"], 18)  # SIGCONT
        system.printed("careless", "still here", 30)
    assert "namespaces are not permitted here" in system.err()
    assert system.status == 0


@pytest.mark.parametrize("option, text", [
    ("--strace", "careless: system call write(2 debug output"),
    ("--valgrind", "Conditional jump or move depends on uninitialised value(s)"),
    ("--asan", "ERROR: AddressSanitizer: global-buffer-overflow")])
def test_without_privileges(run_as, sanitized, option, text):  # pylint: disable=unused-argument
    """The other ways to look inside, as another user."""
    if option == "--valgrind":
        needs("valgrind")
    with as_nobody(run_as)(CARELESS + HELLO, option, "careless") as system:
        assert lib.wait_until(lambda: text in system.out() + system.err(), 60), \
            system.out() + system.err()
        system.printed("hello", "hello from hello", 30)
    assert system.status == 0


def test_without_a_debugger(run):
    with run(CARELESS + HELLO, "--gdb", "careless") as system:
        system.complained("\n  kill -CONT ", 30)
        os.kill(system.pd("careless")["pid"], 18)  # SIGCONT
        system.printed("careless", "still here", 30)
    assert system.status == 0


def test_it_dies_with_the_loader(run):
    with run(CARELESS + HELLO, "--gdb", "careless") as system:
        system.complained("\n  kill -CONT ", 30)
        pid = system.pd("careless")["pid"]
        system.process.kill()
        assert lib.wait_until(lambda: not lib.alive(pid), 30)


def test_valgrind(run):
    """At the addresses of the description, with what it sets, and beside confined neighbours."""
    needs("valgrind")
    with run(CARELESS + pd("peer", "hello", 10) + PING_PONG + channel("careless", 3, "peer", 3),
             "--valgrind", "careless", "--valgrind", "ping", "--no-realtime") as system:
        system.printed("careless", "still here", 60)
        assert "careless has 4711 at 0x10000000" in system.lines("careless")
        assert lib.wait_until(lambda: system.lines("ping"), 60), system.err()
    said = "\n".join(system.lines("careless"))
    assert "Conditional jump or move depends on uninitialised value(s)" in said
    assert f"decide ({line_of('careless.c', 'if (nobody_set')})" in said
    assert system.lines("ping")[0].startswith("ping: all right")
    assert "warning: careless runs under Valgrind without confinement" in system.err()
    assert system.status == 0


@pytest.fixture(scope="module")
def sanitized():
    """A build of one program with AddressSanitizer; all of them take a minute."""
    target = "platform/linux/asan/test_careless.elf"
    done = subprocess.run(["ninja", "-C", lib.BUILD, target], capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout


def test_asan(run, sanitized):
    with run(CARELESS + HELLO, "--asan", "careless") as system:
        system.complained("sddf: careless: ended with status 99", 60)
        system.printed("hello", "hello from hello")
    said = "\n".join(system.lines("careless"))
    assert "careless has 4711 at 0x10000000" in said
    assert "ERROR: AddressSanitizer: global-buffer-overflow" in said
    assert f"in init ../tests/platform/{line_of('careless.c', '[seventeen] = 1')}" in said
    assert system.status == 0


@pytest.mark.parametrize("options, message", [
    (["--gdb", "nobody"], "--gdb nobody: there is no such protection domain"),
    (["--gdb", "hello", "--strace", "hello"], "--strace hello: it is to be run with --gdb already"),
    (["--asan", "flood"], "there is no such build; \"ninja -C build asan\" makes those"),
])
def test_what_cannot_be(run, options, message):
    description = HELLO + pd("flood", "hostile_bare", 1)
    system = run(description, *options)
    assert system.process.wait(30) == 1
    assert message in system.err()
