# SPDX-License-Identifier: BSD-2-Clause
"""A controller of ipbench's, from its description on the wire: what a conversation with the
utilisation target looks like, byte for byte."""

import re
import socket
import struct

PORT = 1237
GREETING = b"100 IPBENCH V1.0\n"
PREPARATION = ((b"HELLO\n", b"200 OK (Ready to go)\n"), (b"LOAD cpu_target_lukem\n", b"200 OK\n"),
               (b'SETUP args::""\n', b"200 OK\n"))
RESULT = re.compile(rb"220 VALID DATA \(Data to follow\)\nContent-length: (\d+)\n(,(\d+),(\d+)\0)")
SECONDS = 60  # No answer may depend on how fast the machine is.


class Controller:
    """One connection to the target."""

    def __init__(self, lab, ip, greeting=GREETING):
        self.socket = lab.tcp(ip, PORT, timeout=SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.unread = b""
        self.expect(greeting)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def expect(self, wanted):
        """The next bytes, all of them; nothing may be glued behind them while nobody asks."""
        while len(self.unread) < len(wanted):
            more = self.socket.recv(4096)
            assert more, f"it has hung up after {self.unread}, and {wanted} was to come"
            self.unread += more
        assert self.unread[:len(wanted)] == wanted, self.unread
        self.unread = self.unread[len(wanted):]

    def line(self):
        """One line, alone."""
        while not self.unread.endswith(b"\n"):
            more = self.socket.recv(4096)
            assert more, f"it has hung up after {self.unread}"
            self.unread += more
        line, self.unread = self.unread, b""
        assert line.count(b"\n") == 1, line
        return line

    def say(self, text, byte_by_byte=False):
        for piece in [text[i:i + 1] for i in range(len(text))] if byte_by_byte else [text]:
            self.socket.sendall(piece)

    def ask(self, text, wanted, **how):
        self.say(text, **how)
        self.expect(wanted)
        assert self.unread == b""

    def prepare(self, until=len(PREPARATION), **how):
        """The first commands of a measurement."""
        for text, answer in PREPARATION[:until]:
            self.ask(text, answer, **how)
        return self

    def silent(self, seconds=0.2):
        self.socket.settimeout(seconds)
        try:
            return self.unread + self.socket.recv(4096) == b""
        except TimeoutError:
            return self.unread == b""
        finally:
            self.socket.settimeout(SECONDS)

    def rest(self):
        """What comes until the target's half of the connection ends."""
        whole, self.unread = self.unread, b""
        while more := self.socket.recv(4096):
            whole += more
        return whole

    def start(self, **how):
        self.say(b"START\n", **how)
        return self

    def stop(self, **how):
        """Ends a measurement: (idle, total)."""
        self.say(b"STOP\n", **how)
        return result(self.rest())

    def quit(self):
        self.say(b"QUIT\n")
        assert self.rest() == b""

    def reset(self):
        """Breaks the connection off, with a reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def result(answer):
    match = RESULT.fullmatch(answer)
    assert match is not None, answer
    assert int(match[1]) == len(match[2])
    idle, total = int(match[3]), int(match[4])
    assert 0 <= idle <= total > 0
    return idle, total
