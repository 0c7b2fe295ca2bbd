# SPDX-License-Identifier: BSD-2-Clause
"""The serial class on seL4: three clients of examples/console at QEMU's UART, which the driver has to
itself in the configurations in which the kernel and the Microkit are silent."""

import os
import re
import subprocess

import pytest

import boards
import build
import lib
import qemu
from conftest import BOARDS, CONFIGS

CONSOLE = lib.ROOT / "examples" / "console" / "console.xml"
ESCAPE = "\x1c"


class Terminal:
    """QEMU with its UART at our pipes."""

    def __init__(self, board, image):
        self.process = subprocess.Popen(
            [*map(str, board.qemu_command(image, "user", serial="stdio")), "-monitor", "none"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=lib.bench_lab.die_with_parent)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.raw = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def text(self):
        self.raw += self.process.stdout.read() or b""
        return re.sub(r"\x1b\[\d*m", "", self.raw.decode(errors="replace"))

    def wait_for(self, *texts, seconds=40):
        lib.wait_until(lambda: all(text in self.text() for text in texts), seconds, step=0.05)
        missing = [text for text in texts if text not in self.text()]
        assert not missing, f"{missing} did not come:\n{self.text()}"

    def type(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("board", BOARDS)
def test_console(board, config):
    """Lines come whole and end as a terminal wants it, keys go to whom they should."""
    board = boards.find_board(board)
    why = qemu.missing(board, config)
    if why is not None:
        pytest.skip(why)
    with Terminal(board, build.build_system(board, config, CONSOLE)) as terminal:
        terminal.wait_for("input goes to alice\r\n", "alice | alice is up: say something\r\n",
                          "bob | bob is up: say something\r\n", "carol | carol is up: say something\r\n")
        terminal.type("hello\r")
        terminal.wait_for('alice | hello\r\nalice | line 1 has 5 characters: "hello"\r\n')
        # More than all FIFOs and queues together hold.
        rounds = 10
        for _ in range(rounds):
            wanted = terminal.text().count("line 20 of 20") + 2
            terminal.type(f"{ESCAPE}2loud\r{ESCAPE}3loud\r")
            lib.wait_until(lambda wanted=wanted: terminal.text().count("line 20 of 20") >= wanted, 20,
                           step=0.02)
        for name in ("bob", "carol"):
            numbers = [int(number) for number in re.findall(
                rf"^{name} \| line +(\d+) of 20, and nobody's words in between\r$", terminal.text(),
                re.M)]
            assert numbers == list(range(1, 21)) * rounds
        terminal.type(f"{ESCAPE}ppartly")
        terminal.wait_for("input goes to bob\r\nbob | partly")
