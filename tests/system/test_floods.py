# SPDX-License-Identifier: BSD-2-Clause
"""More than anybody could take, for one client: the other one does not notice."""

import time

import pytest

import lib
from services import NAMES, tcp_echo

both = pytest.mark.parametrize("name", NAMES)

@pytest.mark.parametrize("port", [9, 7])
@pytest.mark.parametrize("size", [18, 1472])
@both
def test_flood(echo, lab, name, size, port):
    """One client gets more than anybody could take: the other one's services go on, and its own
    return when it is over."""
    victim = echo.client(name)
    others = [client for client in echo.clients if client is not victim]
    flood = lab.flood(victim.ip, port, size)
    try:
        time.sleep(0.2)
        start, right, rounds = time.monotonic(), 0, 0
        while time.monotonic() < start + 0.8:
            for other in others:
                right += echo.check_echo(other, count=10, least=0, port=7 if rounds % 2 else 1235)
                rounds += 1
    finally:
        sent = lab.end_flood(flood)
    print(f"flood of {sent}; {right} of {rounds * 10} echoes of the other client")
    assert sent > 20000, "that was no flood"
    assert right >= rounds * 10 * 0.9, f"{right} of {rounds * 10} came back"
    lib.wait_until(lambda: echo.check_echo(victim, count=1, least=0), 3)
    echo.check_services()


def test_tcp_during_a_flood(echo, lab):
    """A stream to one client survives a flood of the other."""
    victim, other = echo.clients[:2]
    sock = lab.tcp(other.ip, timeout=20)
    flood = lab.flood(victim.ip)
    try:
        with sock:
            tcp_echo(sock, 1000 * 1000)
    finally:
        lab.end_flood(flood)
    echo.check_services()
