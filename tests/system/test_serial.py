# SPDX-License-Identifier: BSD-2-Clause
"""The serial class on Linux: three clients of examples/console share one terminal, which is a pipe, a
pseudo-terminal, or nothing at all."""

import fcntl
import json
import os
import pty
import re
import signal
import subprocess
import termios
import time

import pytest

import conftest
import lib
import rights

CONSOLE = lib.ROOT / "examples" / "console" / "console.xml"
CLIENTS = ("alice", "bob", "carol")
COLOUR = re.compile(r"\x1b\[\d*m")
ESCAPE = "\x1c"


class Console:
    """One run of the console system, with what it prints collected without colours."""

    def __init__(self, folder, options=()):
        self.folder, self.options = folder, list(options)
        self.state_file = folder / "state.json"
        self.process = self.state = self.reader = self.writer = None
        self.raw = b""
        self.family = set()

    def start(self, stdin, stdout, reader, writer, **kwargs):
        """`reader` and `writer` are this end's descriptors."""
        self.reader, self.writer = reader, writer
        os.set_blocking(reader, False)
        self.process = subprocess.Popen(
            [str(lib.SDDF), "run", str(CONSOLE), "-b", "linux", "--state", str(self.state_file),
             *self.options], stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, **kwargs)
        self.wait_for("alice | alice is up", "bob | bob is up", "carol | carol is up")
        assert lib.wait_until(self.state_file.exists, 5)
        self.state = json.loads(self.state_file.read_text())
        self.family = lib.descendants(self.process.pid)
        return self

    def with_pipes(self, stdin=None):
        ours, theirs = (None, stdin) if stdin is not None else os.pipe()[::-1]
        reader, output = os.pipe()
        try:
            return self.start(theirs, output, reader, ours)
        finally:
            os.close(output)
            if stdin is None:
                os.close(theirs)

    def text(self):
        try:
            while chunk := os.read(self.reader, 65536):
                self.raw += chunk
        except (BlockingIOError, OSError):
            pass
        return COLOUR.sub("", self.raw.decode(errors="replace")).replace("\r\n", "\n")

    def wait_for(self, *texts, seconds=10):
        def there():
            return all(text in self.text() for text in texts) or self.process.poll() is not None
        lib.wait_until(there, seconds)
        missing = [text for text in texts if text not in self.text()]
        assert not missing, f"{missing} did not come:\n{self.text()}"

    def type(self, text):
        os.write(self.writer, text.encode())

    def pid(self, name):
        return next(pd["pid"] for pd in self.state["pds"] if pd["name"] == name)

    def region(self, name):
        return next(region for region in self.state["regions"] if region["name"] == name)

    def stop(self, by=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(by)
        assert self.process.wait(60) == 0, self.process.stderr.read()
        assert lib.wait_until(lambda: not any(map(lib.alive, self.family)), 3)
        self.text()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for fd in {self.reader, self.writer} - {None}:
            os.close(fd)
        if self.process is not None:
            self.process.stderr.close()


@pytest.fixture
def console(tmp_path):
    why = conftest.missing()
    if why is not None:
        pytest.skip(why)
    console = Console(tmp_path)
    yield console
    console.close()


# ---- lines ----------------------------------------------------------------------------------------


def test_typing_and_switching(console):
    """What is typed goes to one client, and a line says to whom."""
    console.with_pipes()
    console.wait_for("input goes to alice")
    console.type("hello\r")
    console.wait_for('alice | hello\nalice | line 1 has 5 characters: "hello"')
    console.type(f"{ESCAPE}2over there\r")
    console.wait_for("input goes to bob", 'bob | line 1 has 10 characters: "over there"')
    console.type(f"{ESCAPE}p{ESCAPE}pback\r")
    console.wait_for("input goes to carol", 'carol | line 1 has 4 characters: "back"')
    console.type(f"{ESCAPE}?")
    console.wait_for("input goes to carol; Ctrl-\\ and 1 alice, 2 bob, 3 carol, n next, p previous")
    console.stop()


def test_an_unfinished_line_is_shown_and_gives_way(console):
    console.with_pipes()
    console.type("abc")
    console.wait_for("alice | abc")
    console.type(f"{ESCAPE}2xyz\r")
    console.wait_for("alice | abc\ninput goes to bob\nbob | xyz\n")
    console.type(f"{ESCAPE}1def\r")
    console.wait_for('alice | line 1 has 6 characters: "abcdef"')
    console.stop()


def test_lines_are_whole_when_all_talk_at_once(console):
    """Each client prints hundreds of lines; none is torn, none of a client's is out of order."""
    console.with_pipes()
    rounds = 15
    for _ in range(rounds):
        console.type("".join(f"{ESCAPE}{number}loud\r" for number in (1, 2, 3)))
        time.sleep(0.02)
    wanted = {name: rounds * 20 for name in CLIENTS}

    def counted():
        return {name: console.text().count(f"{name} | line ") for name in CLIENTS}
    lib.wait_until(lambda: counted() == wanted, 10)
    assert counted() == wanted
    for name in CLIENTS:
        numbers = [int(number) for number in
                   re.findall(rf"^{name} \| line +(\d+) of 20, and nobody's words in between$",
                              console.text(), re.M)]
        assert numbers == list(range(1, 21)) * rounds
    console.stop()


def test_an_endless_line_is_cut_and_keeps_nobody_waiting(console):
    console.with_pipes()
    console.type("endless\r" + ESCAPE + "2quick\r")
    console.wait_for('bob | line 1 has 5 characters: "quick"')
    lines = [line for line in console.text().split("\n")
             if re.fullmatch(r"alice \| [a-z]{40,}", line)]
    assert sum(len(line) - len("alice | ") for line in lines) == 3000
    assert max(map(len, lines)) == len("alice | ") + 256
    console.stop()


# ---- what it is connected to ----------------------------------------------------------------------


def test_without_input(console):
    """Nothing to read at all: the system runs and prints."""
    console.with_pipes(stdin=subprocess.DEVNULL)
    console.wait_for("input goes to alice")
    assert console.process.poll() is None
    console.stop()


def test_input_that_ends(console):
    console.with_pipes()
    console.type("last words\r")
    os.close(console.writer)
    console.writer = None
    console.wait_for('alice | line 1 has 10 characters: "last words"')
    time.sleep(0.2)
    assert console.process.poll() is None
    before = lib.Path(f"/proc/{console.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    time.sleep(0.5)
    after = lib.Path(f"/proc/{console.process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    spent = sum(map(int, after)) - sum(map(int, before))
    assert spent < 10, f"the loader spends {spent} of 50 ticks on an input that has ended"
    console.stop()


def open_pty():
    master, slave = pty.openpty()
    mode = termios.tcgetattr(slave)
    assert mode[3] & termios.ICANON and mode[3] & termios.ECHO
    return master, slave, mode


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "Ctrl-C"])
def test_a_terminal_is_raw_while_the_system_runs(console, end):
    """Keys come one by one and without an echo; at the end the terminal is as it was."""
    master, slave, before = open_pty()

    def own_terminal():
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    try:
        console.start(slave, slave, master, os.dup(master), preexec_fn=own_terminal)
        during = termios.tcgetattr(slave)
        assert not during[3] & (termios.ICANON | termios.ECHO)
        console.type("k")
        console.wait_for("alice | k")
        console.type(f"{ESCAPE}2")  # Would be SIGQUIT.
        console.wait_for("input goes to bob")
        if end == "Ctrl-C":
            console.type("\x03")
            console.process.wait(60)
            console.stop()
        else:
            console.stop(by=signal.Signals[end])
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(slave)


def test_another_terminal(console):
    """--console: standard input and output are left alone."""
    master, slave, before = open_pty()
    console.options = ["--console", os.ttyname(slave)]
    try:
        console.start(subprocess.DEVNULL, subprocess.DEVNULL, master, os.dup(master))
        assert not termios.tcgetattr(slave)[3] & termios.ECHO
        console.type("typed there\r")
        console.wait_for('alice | line 1 has 11 characters: "typed there"')
        console.stop()
        assert termios.tcgetattr(slave) == before
    finally:
        os.close(slave)


@pytest.mark.parametrize("path, why", [("/dev/null", "is no terminal"),
                                       ("/nonexistent", "No such file")])
def test_a_console_that_is_none(console, path, why):
    assert console.process is None
    done = lib.command(lib.SDDF, "run", CONSOLE, "-b", "linux", "--console", path, check=False)
    assert done.returncode == 1
    assert f"--console {path}" in done.stderr and why in done.stderr


# ---- robustness and rights ------------------------------------------------------------------------


def test_a_dead_driver_does_not_end_the_system(console):
    console.with_pipes()
    os.kill(console.pid("serial0_driver"), signal.SIGKILL)
    assert lib.wait_until(lambda: not lib.alive(console.pid("serial0_driver")), 3)
    for _ in range(5):
        console.type("is anybody there?\r")
        time.sleep(0.05)
    assert console.process.poll() is None
    for name in CLIENTS:
        assert lib.alive(console.pid(name))
    console.stop()


def test_a_reader_that_is_slow(console):
    """Nobody reads the output for a while: the loader goes on supervising, and ends when told."""
    console.with_pipes()
    for _ in range(100):
        console.type("loud\r")
        time.sleep(0.005)
    assert console.process.poll() is None
    os.kill(console.pid("carol"), signal.SIGKILL)
    assert lib.wait_until(lambda: not lib.alive(console.pid("carol")), 3)
    console.process.send_signal(signal.SIGTERM)
    assert console.process.wait(60) == 0


def regions_table():
    """{PD: {region: rights}}, from the design."""
    driver, virt_rx, virt_tx = (f"serial0_{part}" for part in ("driver", "virt_rx", "virt_tx"))
    table = {pd: {} for pd in (driver, virt_rx, virt_tx, *CLIENTS)}

    def queue(name, producer, consumer):
        table[producer][f"serial0_{name}_producer"] = table[consumer][f"serial0_{name}_consumer"] = "rw"
        table[consumer][f"serial0_{name}_producer"] = table[producer][f"serial0_{name}_consumer"] = "r"

    def transmit(who, upper, lower):
        queue(f"{who}_tx_active", upper, lower)
        queue(f"{who}_tx_free", lower, upper)

    transmit("driver", virt_tx, driver)
    transmit("virt_rx", virt_rx, virt_tx)
    queue("driver_rx_active", driver, virt_rx)
    for client in CLIENTS:
        transmit(client, client, virt_tx)
        queue(f"{client}_rx_active", virt_rx, client)
        table[client][f"serial0_{client}_stats"] = "rw"
    for pd in (driver, virt_rx, virt_tx):
        table[pd][f"{pd}_stats"] = "rw"
    return table


def test_rights(console):
    """Who maps what and holds what; the driver has a socket, and nobody has the terminal."""
    console.with_pipes()
    table = regions_table()
    assert {pd["name"] for pd in console.state["pds"]} == set(table)
    for pd in console.state["pds"]:
        assert rights.check_described(console, pd, table[pd["name"]]) == []
        kinds = [re.sub(r"[\d\[\]:].*", "", what) for _, what, _ in rights.descriptors(pd["pid"])]
        assert kinds.count("socket") == (pd["name"] == "serial0_driver"), kinds
        assert set(kinds) <= {"socket", "eventfd ", "pipe"}, kinds
        assert kinds.count("pipe") == 1, kinds  # The way out for debug output.
        pipe = next(what for _, what, _ in rights.descriptors(pd["pid"]) if what.startswith("pipe"))
        assert pipe not in {os.readlink(f"/proc/{console.process.pid}/fd/{fd}") for fd in (0, 1)}
    console.stop()
