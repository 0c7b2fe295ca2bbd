# SPDX-License-Identifier: BSD-2-Clause
"""More than anybody could take, for one client: the other one does not notice."""

import time

import pytest

import lib
from services import NAMES, tcp_echo

both = pytest.mark.parametrize("name", NAMES)
FLOOD = 20000  # Packets, of which all queues together hold a small part.


@pytest.mark.parametrize("port", [9, 7])
@pytest.mark.parametrize("size", [18, 1472])
@both
def test_flood(echo, lab, name, size, port):
    """One client gets more than anybody could take: the other one's services go on, every packet of
    its own that arrives is answered, and the victim's services return when it is over. (What the
    wire itself drops, a queue of the kernel's in front of the system, can be anybody's.)"""
    victim = echo.client(name)
    other = next(client for client in echo.clients if client is not victim)
    echo.check_services()  # The kernel's questions for addresses are not to get lost on the wire.
    before, came, went = drops(echo, other), *traffic(echo, other)
    offered = lab.offered()
    flood = lab.flood(victim.ip, port, size)
    try:
        start, right, asked = time.monotonic(), 0, 0
        while time.monotonic() < start + 0.8 or (
                (right < 10 or lab.offered() < offered + FLOOD) and
                time.monotonic() < start + 60):
            right += echo.check_echo(other, count=5, least=0, port=lib.UDP_PORTS[asked % 2],
                                     patience=0.2)
            asked += 5
    finally:
        sent = lab.end_flood(flood)
    print(f"flood of {sent}; {right} of {asked} echoes of the other client")
    assert sent > FLOOD, "that was no flood"
    assert right >= 10, f"{right} of {asked} came back"
    assert drops(echo, other) == before
    came, went = (now - then for now, then in zip(traffic(echo, other), (came, went)))
    # Questions of its own, and the answers to them, are the rest.
    assert right <= went and abs(came - went) <= 5, f"{came} came, {went} went, {right} were right"
    lib.wait_until(lambda: echo.check_echo(victim, count=1, least=0), 3)
    echo.check_services()


def traffic(system, client):
    """Packets to and from this client, as the virtualisers count them."""
    number = system.clients.index(client) + 1
    return (system.stats(f"{system.device}_virt_rx", number)["rx_packets"],
            system.stats(f"{system.device}_virt_tx", number)["tx_packets"])


def drops(system, client):
    """All that the components have dropped or refused of this client's packets."""
    number = system.clients.index(client) + 1
    rows = {f"{part} {row}": system.stats(f"{system.device}_{part}", row)
            for part, row in (("virt_rx", number), ("virt_tx", number), (f"copy_{client.name}", 0))}
    rows["client 0"] = system.stats(client.name)
    return {f"{where} {name}": value for where, row in rows.items() for name, value in row.items()
            if name.startswith(("drop", "refused"))}


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
