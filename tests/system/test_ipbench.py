# SPDX-License-Identifier: BSD-2-Clause
"""ipbench's utilisation target on port 1237, by a controller of our own."""

import socket
import time

import pytest

import ipbench
import lib
from ipbench import GREETING, PREPARATION, Controller
from services import NAMES

both = pytest.mark.parametrize("name", NAMES)
BAD = b"400 bad command"
HELP = b"200 HELLO LOAD SETUP START STOP STATUS HELP QUIT\n"
STATES = (b"CONNECTED", b"READY", b"LOADED", b"SET UP", b"RUNNING")


def connect(lab, client):
    """To be greeted, once the controllers before are gone: how soon that is, is not ours to say."""
    found = []

    def served():
        controller = Controller(lab, client.ip, greeting=b"")
        if controller.socket.recv(1, socket.MSG_PEEK) == b"1":
            controller.expect(GREETING)
            found.append(controller)
            return True
        controller.socket.close()
        return False

    assert lib.wait_until(served, 60, step=0.05), "nobody is served any more"
    return found[0]


def in_state(lab, client, state):
    """A controller whose conversation has come so far."""
    controller = connect(lab, client).prepare(min(state, len(PREPARATION)))
    return controller.start() if STATES[state] == b"RUNNING" else controller


@both
def test_conversation(echo, lab, name):
    """As an ipbench controller holds it."""
    with connect(lab, echo.client(name)) as controller:
        controller.prepare().start()
        assert controller.silent(0.5)
        controller.stop()  # And nothing but the result, and then the end.
        controller.say(b"QUIT\n")


@both
def test_byte_by_byte(echo, lab, name):
    """Every byte in a segment of its own."""
    with connect(lab, echo.client(name)) as controller:
        controller.prepare(byte_by_byte=True).start(byte_by_byte=True)
        controller.stop(byte_by_byte=True)


def test_several_in_one_segment(echo, lab):
    """Each gets its reply, in their order."""
    with connect(lab, echo.clients[0]) as controller:
        text = b"".join(command for command, _ in PREPARATION)
        controller.ask(text + b"START\n", b"".join(answer for _, answer in PREPARATION))
        controller.stop()
    with connect(lab, echo.clients[0]) as controller:
        controller.say(text + b"START\nSTOP\nQUIT\n")
        controller.expect(b"".join(answer for _, answer in PREPARATION))
        ipbench.result(controller.rest())
    with connect(lab, echo.clients[0]) as controller:  # Cut where no line ends.
        controller.say(b"HEL")
        controller.ask(b"LO\nLOAD cpu_tar", PREPARATION[0][1])
        controller.ask(b'get_lukem\nSETUP args::""\nSTA', PREPARATION[1][1] + PREPARATION[2][1])
        controller.say(b"RT\n")
        controller.stop()


def test_line_ends(echo, lab):
    """A carriage return before the end of the line is no part of it."""
    with connect(lab, echo.clients[0]) as controller:
        for command, answer in PREPARATION:
            controller.ask(command.replace(b"\n", b"\r\n"), answer)
        controller.say(b"START\r\n")
        controller.stop()


@pytest.mark.parametrize("state", range(len(STATES)))
def test_wrong_commands(echo, lab, state):
    """One reply each, and the conversation goes on where it was."""
    with in_state(lab, echo.clients[0], state) as controller:
        for wrong in (b"\n", b"hello\n", b"HELLOO\n", b"NONSENSE\n", b"STOP now\n", b"\0\n", b"STATUS\0\n",
                      b"\xff\xfe\n", b"x" * 127 + b"\n", b"x" * 128 + b"\n", b"x" * 10000 + b"\n",
                      b"STATUS " + b"x" * 200 + b"\n"):
            controller.say(wrong)
            assert controller.line().startswith(BAD)
        controller.ask(b"STATUS\n", b"200 " + STATES[state] + b"\n")


@pytest.mark.parametrize("state", range(len(STATES)))
def test_help_and_status(echo, lab, state):
    """Are answered in every state."""
    with in_state(lab, echo.clients[0], state) as controller:
        for _ in range(3):
            controller.ask(b"STATUS\n", b"200 " + STATES[state] + b"\n")
            controller.ask(b"HELP\n", HELP)
        if STATES[state] == b"RUNNING":
            controller.stop()


def test_out_of_order(echo, lab):
    with connect(lab, echo.clients[0]) as controller:
        for command in (b"LOAD cpu_target_lukem\n", b'SETUP args::""\n', b"START\n"):
            controller.ask(command, BAD + b" (not now)\n")
        controller.prepare(1)
        controller.ask(b"LOAD\n", BAD + b" (argument)\n")
        controller.ask(b"LOAD latency\n", b"451 there is only cpu_target_lukem\n")
        controller.ask(b"START\n", BAD + b" (not now)\n")
        controller.prepare().start()
        for command in (b"START\n", b"HELLO\n", b"LOAD cpu_target_lukem\n", b'SETUP args::""\n'):
            controller.ask(command, b"421 already running\n")
        controller.stop()
    with connect(lab, echo.clients[0]) as controller:  # Nothing was measured.
        controller.say(b"STOP\n")
        assert controller.rest() == b"222 NO DATA\n"


@both
def test_two_controllers(echo, lab, name):
    """The second is told so, and the first goes on; then it is another's turn."""
    client = echo.client(name)
    for state in range(len(STATES)):
        with in_state(lab, client, state) as first:
            for _ in range(6):
                with Controller(lab, client.ip, b"421 already running\n") as second:
                    assert second.rest() == b""
            first.ask(b"STATUS\n", b"200 " + STATES[state] + b"\n")
    others = [other for other in echo.clients if other is not client]
    with in_state(lab, client, 4), in_state(lab, others[0], 4) as other:
        other.stop()  # The clients know nothing of each other.


@pytest.mark.parametrize("state", range(len(STATES)))
def test_hanging_up(echo, lab, state):
    """In every state, by FIN, by reset and by QUIT; in the middle of a line too. The next one is
    served."""
    client = echo.clients[0]
    for part in (b"", b"STA", b"x" * 500):
        for how in ("fin", "reset", "quit"):
            controller = in_state(lab, client, state)
            if how == "quit":
                if part:
                    controller.say(part + b"\n")
                    assert controller.line().startswith(BAD)
                controller.quit()
                controller.socket.close()
            else:
                controller.say(part)
                controller.socket.close() if how == "fin" else controller.reset()
    with connect(lab, client) as controller:
        controller.prepare().start().stop()
    echo.check_services()


def test_half_closed(echo, lab):
    """Who says all at once and ends its half still gets every answer."""
    with connect(lab, echo.clients[0]) as controller:
        controller.say(b"".join(command for command, _ in PREPARATION) + b"START\nSTOP\n")
        controller.socket.shutdown(socket.SHUT_WR)
        controller.expect(b"".join(answer for _, answer in PREPARATION))
        ipbench.result(controller.rest())


def test_many_questions(echo, lab):
    """More than there is room for replies, by somebody who reads none of them until the end."""
    count = 3000
    with connect(lab, echo.clients[0]) as controller:
        controller.socket.setblocking(False)
        left, answers = b"HELP\n" * count, b""
        end = time.monotonic() + 60 * lib.PATIENCE
        while left and time.monotonic() < end:
            try:
                left = left[controller.socket.send(left[:4096]):]
            except BlockingIOError:
                try:
                    answers += controller.socket.recv(1 << 16)
                except BlockingIOError:
                    time.sleep(0.01)
        controller.socket.settimeout(ipbench.SECONDS)
        while len(answers) < len(HELP) * count:
            answers += controller.socket.recv(1 << 16)
        assert answers == HELP * count


def idle_share(lab, client, seconds=1.5):
    """As the target measures it, and how long that was."""
    with connect(lab, client) as controller:
        # START has no reply; once the next question has one, the count has begun.
        controller.prepare().start().ask(b"STATUS\n", b"200 RUNNING\n")
        time.sleep(seconds)
        idle, total = controller.stop()
        return idle / total, total / 1e9


@both
def test_total(echo, lab, name):
    """The count goes on with time, which is in nanoseconds."""
    _, seconds = idle_share(lab, echo.client(name), 2)
    assert seconds >= 1.9  # How much more, is the machine's business.


def test_agrees_with_the_kernel(echo, lab):
    """On Linux it is the kernel's own account, taken at other moments."""
    cpu = echo.pd("alice")["cpu"]

    def agree(flooded):
        flood = lab.flood(echo.clients[0].ip) if flooded else None
        try:
            begin = lib.bench_lab.core_times(cpu)
            share, _ = idle_share(lab, echo.clients[0])
            end = lib.bench_lab.core_times(cpu)
        finally:
            if flood is not None:
                lab.end_flood(flood)
        kernel = (end[1] - begin[1]) / (end[0] - begin[0])
        print(f"idle: {share:.1%}, by the kernel's account {kernel:.1%}")
        return abs(share - kernel) < 0.15

    for flooded in (False, True):
        assert any(agree(flooded) for _ in range(8))
