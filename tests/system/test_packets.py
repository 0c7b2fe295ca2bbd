# SPDX-License-Identifier: BSD-2-Clause
"""Real packets to the echo system: every service, and every way in which a frame can be wrong."""

import os
import select
import socket
import struct
import threading
import time

import pytest

import lib
import packets
from packets import ETH_IPV4
from services import NAMES, arp_reply, arp_request, is_arp, pattern, tcp_echo

both = pytest.mark.parametrize("name", NAMES)


# ---- ARP ------------------------------------------------------------------------------------------


@both
def test_arp_broadcast(echo, lab, wire, name):
    """Who-has to everybody: the answer, byte for byte, padded to Ethernet's least or not."""
    client = echo.client(name)
    for _ in range(20):
        wire.send(arp_request(lab, client.ip))
        answer = wire.expect(is_arp)
        wanted = arp_reply(lab, client)
        assert answer is not None and answer[:42] == wanted and not any(answer[42:])


@both
def test_arp_unicast(echo, lab, wire, name):
    """Who-has to the client's own address, as Linux sends it to confirm what it knows."""
    client = echo.client(name)
    wire.send(arp_request(lab, client.ip, dst=client.mac))
    answer = wire.expect(is_arp)
    assert answer is not None and answer[:42] == arp_reply(lab, client)


def test_arp_other_addresses(echo, lab, wire):
    """Nobody answers for an address that no client has."""
    for target in ("10.0.0.99", "10.0.0.0", "10.0.0.255", "0.0.0.0", "255.255.255.255", "224.0.0.1",
                   lab.peer_ip):
        wire.send(arp_request(lab, target))
    assert wire.expect(is_arp, 0.3) is None
    echo.check_services()


def test_arp_malformed(echo, lab, wire):
    """Requests that are none: wrong types and sizes, replies, cut short. No answer, no harm."""
    client = echo.clients[0]
    whole = arp_request(lab, client.ip)
    for frame in (arp_request(lab, client.ip, hardware=6), arp_request(lab, client.ip, protocol=0x86dd),
                  arp_request(lab, client.ip, hardware_size=8),
                  arp_request(lab, client.ip, protocol_size=16),
                  arp_request(lab, client.ip, op=2), arp_request(lab, client.ip, op=0),
                  arp_request(lab, client.ip, op=3), whole[:41], whole[:30], whole[:15], whole[:14]):
        for _ in range(20):
            wire.send(frame)
    assert wire.expect(is_arp, 0.3) is None

    def answered():
        wire.send(whole)
        return wire.expect(is_arp, 0.5)

    # Again, if behind all those there was no room for the first one.
    answer = lib.wait_until(answered, 5)
    assert answer is not None and answer[:42] == arp_reply(lab, client)


# ---- ping and UDP ---------------------------------------------------------------------------------


@both
def test_ping_of_every_size(echo, lab, name):
    client = echo.client(name)
    ident = os.getpid() & 0xffff
    with lab.icmp() as sock:
        sock.connect((client.ip, 0))
        for size in range(1473):
            payload = pattern(size, size)
            sock.send(packets.icmp_echo(ident, size, payload))
            wanted = packets.icmp_echo(ident, size, payload, kind=0)
            answer = sock.recv(65536)[20:]
            # The checksum is adjusted, not made anew, and 0 and 0xffff say the same (RFC 1624).
            if answer[2:4] in (b"\0\0", b"\xff\xff"):
                answer = answer[:2] + wanted[2:4] + answer[4:]
                assert wanted[2:4] in (b"\0\0", b"\xff\xff")
            assert answer == wanted, f"{size} bytes: another answer"


@pytest.mark.parametrize("port", lib.UDP_PORTS)
@both
def test_udp_echo_of_every_length(echo, lab, name, port):
    client = echo.client(name)
    with lab.udp() as sock:
        sock.connect((client.ip, port))
        for length in range(1473):
            data = pattern(length, length * 4 + port)
            sock.send(data)
            try:
                assert sock.recv(65536) == data, f"{length} bytes: another content"
            except TimeoutError:
                pytest.fail(f"{length} bytes: no answer")


def test_udp_echo_without_checksum(echo, lab, wire):
    """A UDP checksum of zero says that there is none."""
    client = echo.clients[0]
    data = pattern(100, 1)
    wire.send(packets.ethernet(client.mac, lab.peer_mac, ETH_IPV4, packets.ipv4(
        lab.peer_ip, client.ip, 17, packets.udp(lab.peer_ip, client.ip, 4000, 7, data, check=0))))
    answer = wire.expect(lambda frame: frame[12:14] == b"\x08\x00" and frame[42:142] == data)
    assert answer is not None


def test_answers_have_right_checksums(echo, lab, wire):
    """The peer's kernel would take them without: the veth pair says that they are verified."""
    client = echo.clients[0]
    for length in (0, 1, 2, 17, 100, 1471, 1472):
        data = pattern(length, length)
        wire.send(packets.ethernet(client.mac, lab.peer_mac, ETH_IPV4, packets.ipv4(
            lab.peer_ip, client.ip, 17, packets.udp(lab.peer_ip, client.ip, 4000, 7, data))))
        answer = wire.expect(lambda frame: frame[12:14] == b"\x08\x00" and frame[23] == 17)
        assert answer is not None, f"{length} bytes: no answer"
        ip, transport = answer[14:34], answer[34:34 + 8 + length]
        assert packets.checksum(ip) == 0, "wrong IP checksum"
        assert packets.checksum(packets.pseudo(client.ip, lab.peer_ip, 17, 8 + length) +
                                transport) == 0, "wrong UDP checksum"
        assert transport[8:] == data


def test_two_clients_at_once(echo, lab):
    """Both clients, both ports, many datagrams in flight; each comes back once, to its own."""
    with_socks = [(client, port, lab.udp()) for client in echo.clients for port in lib.UDP_PORTS]
    outstanding = {}
    for index, (client, port, sock) in enumerate(with_socks):
        sock.connect((client.ip, port))
        outstanding[sock] = set()
    sent = got = 0
    end = time.monotonic() + 120 * lib.PATIENCE
    while got < 8000 and time.monotonic() < end:
        for index, (_, _, sock) in enumerate(with_socks):
            while len(outstanding[sock]) < 4 and sent < 8000:
                data = struct.pack("!QQ", index, sent) + pattern(sent % 1400, sent)
                sock.send(data)
                outstanding[sock].add(data)
                sent += 1
        ready, _, _ = select.select([sock for _, _, sock in with_socks], [], [], 6 * lib.PATIENCE)
        assert ready, f"{got} of {sent} came back"
        for sock in ready:
            answer = sock.recv(65536)
            assert answer in outstanding[sock], "a datagram that this socket did not send"
            outstanding[sock].remove(answer)
            got += 1
    for _, _, sock in with_socks:
        sock.close()
    assert got == sent == 8000


@pytest.mark.parametrize("size", [64, 1472])
@both
def test_bytes_copied(echo, name, size):
    """On receive the copier copies each byte once, and nobody else copies any."""
    client = echo.client(name)
    copier = f"{echo.device}_copy_{name}"
    pds = [copier, name] + [f"{echo.device}_{part}" for part in ("driver", "virt_rx", "virt_tx")]
    before = {pd: echo.stats(pd) for pd in pds}
    echo.check_echo(client, count=100, size=size)
    grown = {pd: {what: value - before[pd][what] for what, value in echo.stats(pd).items()}
             for pd in pds}
    assert grown[copier]["rx_packets"] >= 100
    assert grown[copier]["copied_bytes"] == grown[copier]["rx_bytes"] >= 100 * (size + 42)
    assert [grown[pd]["copied_bytes"] for pd in pds if pd != copier] == [0] * 4
    assert grown[name]["rx_bytes"] == grown[copier]["rx_bytes"]


def test_the_host_keeps_the_rest(echo, lab):
    """What is not the system's own goes on to the host: its address on the same interface answers
    ARP and ping while the clients are served."""
    lab.system.run(["ip", "address", "add", "10.0.0.50/24", "dev", lab.system_interface])
    try:
        lab.generator.run(["ping", "-q", "-c", "20", "-i", "0.01", "-W", "1", "10.0.0.50"])
        echo.check_services()
    finally:
        lab.system.run(["ip", "address", "flush", "dev", lab.system_interface])
        lab.generator.run(["ip", "neighbour", "flush", "dev", lab.generator_interface])


@both
def test_discard(echo, lab, name):
    """Port 9 takes everything and says nothing."""
    client = echo.client(name)
    with lab.udp(timeout=0.2) as sock:
        sock.connect((client.ip, lib.DISCARD_PORT))
        for length in (0, 1, 100, 1472):
            sock.send(pattern(length, length))
        with pytest.raises(TimeoutError):
            sock.recv(65536)
    echo.check_echo(client)


# ---- TCP ------------------------------------------------------------------------------------------


def test_tcp_100_megabytes(echo, lab):
    """There and back again, with a checksum."""
    total = 100 * 1000 * 1000
    start = time.monotonic()
    with lab.tcp(echo.clients[0].ip, timeout=60) as sock:
        tcp_echo(sock, total)
    seconds = time.monotonic() - start
    print(f"100 MB each way in {seconds:.1f} s, {total * 8 / seconds / 1e6:.0f} Mb/s each way")
    assert seconds < 60 * lib.PATIENCE


def test_tcp_both_clients_at_once(echo, lab):
    failures = []

    def one(client, seed):
        try:
            with lab_tcp[client.name] as sock:
                tcp_echo(sock, 10 * 1000 * 1000, seed)
        except (AssertionError, OSError) as error:
            failures.append(f"{client.name}: {error}")

    # Namespaces belong to threads: this one knows its way back.
    lab_tcp = {client.name: lab.tcp(client.ip, timeout=60) for client in echo.clients}
    threads = [threading.Thread(target=one, args=(client, seed))
               for seed, client in enumerate(echo.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@both
def test_tcp_half_close(echo, lab, name):
    """What was sent before the end of our half still comes back, and then the other half ends."""
    for length in (0, 1, 1000, 100000):
        with lab.tcp(echo.client(name).ip) as sock:
            tcp_echo(sock, length, length)


def test_tcp_many_connections(echo, lab):
    """One after the other, far more than a client has room for at a time."""
    for i in range(200):
        with lab.tcp(echo.clients[i % len(echo.clients)].ip) as sock:
            tcp_echo(sock, 100 + i, i)


def test_tcp_connections_at_once(echo, lab):
    """Several open connections do not mix up their bytes."""
    socks = [lab.tcp(echo.clients[i % len(echo.clients)].ip) for i in range(8)]
    for round_ in range(10):
        for i, sock in enumerate(socks):
            sock.sendall(pattern(3000, round_ * 100 + i))
        for i, sock in enumerate(socks):
            got = b""
            while len(got) < 3000:
                data = sock.recv(3000 - len(got))
                assert data, "the connection has ended"
                got += data
            assert got == pattern(3000, round_ * 100 + i)
    for sock in socks:
        sock.close()


def test_tcp_reset(echo, lab):
    """Connections that their peer breaks off, with data under way, leave nothing behind."""
    for i in range(20):
        sock = lab.tcp(echo.clients[0].ip)
        sock.sendall(pattern(20000, i))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
    echo.check_services()
    with lab.tcp(echo.clients[0].ip) as sock:
        tcp_echo(sock, 10000)
