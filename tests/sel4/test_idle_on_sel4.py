# SPDX-License-Identifier: BSD-2-Clause
"""How busy the system is, as ipbench's utilisation target counts it. One instruction takes one
nanosecond of the guest's time, whatever the host has to do besides."""

import time

import pytest

import qemu  # noqa: F401 (first: it knows where the others are)
from conftest import BOARD, CONFIG
from test_ipbench import connect, idle_share

PERIOD = 10_000_000  # ns between two packets
PACKETS = 20


@pytest.fixture(scope="module")
def echo(boot):
    system = boot(BOARD, CONFIG, machine_options=("-icount", "shift=0,sleep=off"))
    yield system
    system.stop()


def trickle(echo, lab):
    """One packet after the other, with a pause in between: how long each kept the system busy."""
    client = echo.clients[0]
    with connect(lab, client) as controller, lab.udp(timeout=60) as sock:
        sock.connect((client.ip, 7))
        controller.prepare().start()
        for number in range(PACKETS):
            sock.send(b"%064d" % number)
            assert sock.recv(100) == b"%064d" % number
            time.sleep(0.05)
        idle, total = controller.stop()
    return (total - idle) / PACKETS


def test_idle_when_idle(echo, lab):
    """At least 95 % at one packet each 10 ms of the guest's time. How much of that passes in a pause
    of ours, is the host's affair, so what a packet takes, and what 10 ms without any take, are
    measured apart. (Some of the latter counts twice.)"""
    quiet, _ = idle_share(lab, echo.clients[0], 1)
    busy = trickle(echo, lab)
    print(f"{quiet:.1%} idle when left alone; {busy / 1000:.1f} us busy for each packet")
    assert busy + (1 - quiet) * PERIOD <= PERIOD * 0.05


def test_busy_when_busy(echo, lab):
    """With as many packets as the host brings, it is at least twice as busy as when left alone."""
    quiet, _ = idle_share(lab, echo.clients[0], 0.5)
    client = echo.clients[0]
    with connect(lab, client) as controller, lab.udp(timeout=0.2) as sock:
        sock.connect((client.ip, 7))
        controller.prepare().start()
        for _ in range(100):
            for number in range(32):
                sock.send(b"%064d" % number)
            try:
                for _ in range(32):
                    sock.recv(100)
            except TimeoutError:
                pass
        idle, total = controller.stop()
    print(f"{quiet:.1%} idle when left alone, {idle / total:.1%} under load")
    assert 1 - idle / total > 2 * (1 - quiet)
