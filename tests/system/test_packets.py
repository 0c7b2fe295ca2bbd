# SPDX-License-Identifier: BSD-2-Clause
"""Real packets to the echo system: every service, and every way in which a frame can be wrong."""

import os
import random
import select
import socket
import struct
import threading
import time
import zlib

import pytest

import lib
import packets
from packets import BROADCAST, ETH_ARP, ETH_IPV4

NAMES = [client.name for client in lib.clients_of(lib.ECHO)] if lib.ECHO.exists() else []
ANY_MAC = "00:00:00:00:00:00"
both = pytest.mark.parametrize("name", NAMES)


@pytest.fixture
def wire(lab):
    wire = lab.wire()
    yield wire
    wire.close()


# ---- ARP ------------------------------------------------------------------------------------------


def arp_request(lab, target_ip, dst=BROADCAST, sender_ip=None, **fields):
    return packets.ethernet(dst, lab.peer_mac, ETH_ARP, packets.arp(
        fields.pop("op", 1), lab.peer_mac, sender_ip or lab.peer_ip, ANY_MAC, target_ip, **fields))


def arp_reply(lab, client, target_ip=None):
    return packets.ethernet(lab.peer_mac, client.mac, ETH_ARP, packets.arp(
        2, client.mac, client.ip, lab.peer_mac, target_ip or lab.peer_ip))


def is_arp(frame):
    return frame[12:14] == b"\x08\x06"


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
    wire.send(whole)
    assert wire.expect(is_arp)[:42] == arp_reply(lab, client)


# ---- ping and UDP ---------------------------------------------------------------------------------


def pattern(length, seed):
    """Bytes of which no two places look alike, different for every seed."""
    return random.Random(seed).randbytes(length)


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
            answer = sock.recv(65536)
            assert answer[20:] == wanted, f"{size} bytes: another answer"


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
        ip, datagram = answer[14:34], answer[34:34 + 8 + length]
        assert packets.checksum(ip) == 0, "wrong IP checksum"
        assert packets.checksum(packets.pseudo(client.ip, lab.peer_ip, 17, 8 + length) +
                                datagram) == 0, "wrong UDP checksum"
        assert datagram[8:] == data


def test_two_clients_at_once(echo, lab):
    """Both clients, both ports, many datagrams in flight; each comes back once, to its own."""
    with_socks = [(client, port, lab.udp()) for client in echo.clients for port in lib.UDP_PORTS]
    outstanding = {}
    for index, (client, port, sock) in enumerate(with_socks):
        sock.connect((client.ip, port))
        outstanding[sock] = set()
    sent = got = 0
    end = time.monotonic() + 10
    while got < 8000 and time.monotonic() < end:
        for index, (_, _, sock) in enumerate(with_socks):
            while len(outstanding[sock]) < 4 and sent < 8000:
                data = struct.pack("!QQ", index, sent) + pattern(sent % 1400, sent)
                sock.send(data)
                outstanding[sock].add(data)
                sent += 1
        ready, _, _ = select.select([sock for _, _, sock in with_socks], [], [], 1)
        assert ready, f"{got} of {sent} came back"
        for sock in ready:
            answer = sock.recv(65536)
            assert answer in outstanding[sock], "a datagram that this socket did not send"
            outstanding[sock].remove(answer)
            got += 1
    for _, _, sock in with_socks:
        sock.close()
    assert got == sent == 8000


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


def tcp_echo(sock, total, seed=0, half_close=True):
    """Sends `total` bytes and reads them back; True if length and checksum are those sent."""
    block = pattern((1 << 20) + 1, seed)  # No power of two: a block that slipped would show.
    sums = {"sent": 0, "got": 0}
    errors = []

    def send():
        try:
            left = total
            while left:
                piece = block[:left]
                sock.sendall(piece)
                sums["sent"] = zlib.crc32(piece, sums["sent"])
                left -= len(piece)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError as error:
            errors.append(error)

    sender = threading.Thread(target=send)
    sender.start()
    got = 0
    try:
        while got < total or half_close:
            data = sock.recv(1 << 18)
            if not data:
                break
            sums["got"] = zlib.crc32(data, sums["got"])
            got += len(data)
    except OSError as error:
        errors.append(error)
        sock.close()
    sender.join()
    assert not errors, f"{errors[0]} after {got} of {total} bytes"
    assert got == total
    assert sums["got"] == sums["sent"], "the stream came back with other content"


def test_tcp_100_megabytes(echo, lab):
    """There and back again, with a checksum."""
    total = 100 * 1000 * 1000
    start = time.monotonic()
    with lab.tcp(echo.clients[0].ip, timeout=10) as sock:
        tcp_echo(sock, total)
    seconds = time.monotonic() - start
    print(f"100 MB each way in {seconds:.1f} s, {total * 8 / seconds / 1e6:.0f} Mb/s each way")
    assert seconds < 60


def test_tcp_both_clients_at_once(echo, lab):
    failures = []

    def one(client, seed):
        try:
            with lab_tcp[client.name] as sock:
                tcp_echo(sock, 10 * 1000 * 1000, seed)
        except (AssertionError, OSError) as error:
            failures.append(f"{client.name}: {error}")

    # Namespaces belong to threads: this one knows its way back.
    lab_tcp = {client.name: lab.tcp(client.ip, timeout=10) for client in echo.clients}
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


# ---- addresses that are nobody's ------------------------------------------------------------------


def datagram(lab, client, data, dst=None, src=None, **fields):
    return packets.ethernet(dst or client.mac, src or lab.peer_mac, ETH_IPV4, packets.ipv4(
        lab.peer_ip, fields.pop("ip", client.ip), 17,
        packets.udp(lab.peer_ip, client.ip, 4000, 7, data), **fields))


def is_answer(frame):
    return frame[12:14] == b"\x08\x00"


@pytest.mark.parametrize("mac", ["52:54:00:00:00:77", "02:00:00:00:00:01", ANY_MAC,
                                 "01:00:5e:00:00:01", "33:33:00:00:00:01", "01:80:c2:00:00:0e",
                                 "53:54:00:00:00:01", BROADCAST])
def test_unicast_ip_to_foreign_mac(echo, lab, wire, mac):
    """A datagram for a client's IP address under a MAC address that is not its own is not its own:
    unknown, multicast, or everybody's."""
    for client in echo.clients:
        for i in range(20):
            wire.send(datagram(lab, client, pattern(100, i), dst=mac))
    assert wire.expect(is_answer, 0.2) is None
    echo.check_services()


def test_right_mac_wrong_ip(echo, lab, wire):
    """A client answers for its own IP address and not for its neighbour's."""
    first, second = echo.clients[:2]
    for ip in (second.ip, "10.0.0.99", "10.0.0.255", "127.0.0.1", "224.0.0.1", "0.0.0.0"):
        wire.send(datagram(lab, first, pattern(100, 1), ip=ip))
    assert wire.expect(is_answer, 0.2) is None
    echo.check_services()


def test_broadcast_wakes_nobody(echo, lab, wire):
    """Broadcasts are the ARP component's business: no copier runs because of them."""
    echo.check_services()  # Whoever wants to ask or to say something has done so.
    time.sleep(0.1)
    copiers = [f"{echo.device}_copy_{client.name}" for client in echo.clients]
    before = {name: echo.stats(name) for name in copiers + [c.name for c in echo.clients]}
    for i in range(500):
        wire.send(arp_request(lab, "10.0.0.99"))
        wire.send(arp_request(lab, echo.clients[0].ip))
        wire.send(datagram(lab, echo.clients[0], pattern(100, i), dst=BROADCAST))
        wire.send(datagram(lab, echo.clients[0], pattern(100, i), dst="01:00:5e:00:00:01"))
    answers = sum(is_arp(frame) for frame in wire.frames(0.5))
    assert answers >= 450, f"only {answers} of 500 requests were answered"
    for name, old in before.items():
        new = echo.stats(name)
        assert new["rx_packets"] == old["rx_packets"], f"{name} got packets"
        if name in copiers:
            assert new["wakeups"] == old["wakeups"], f"{name} woke up"


# ---- malformed frames -----------------------------------------------------------------------------


def malformed(lab, client):
    """Frames to the client, each wrong in one way, by name. None of them may be answered."""
    data = pattern(64, 99)
    me, ip = lab.peer_ip, client.ip

    def ether(payload, kind=ETH_IPV4):
        return packets.ethernet(client.mac, lab.peer_mac, kind, payload)

    def udp_ip(payload=None, **fields):
        return ether(packets.ipv4(me, ip, 17, payload or packets.udp(me, ip, 4000, 7, data), **fields))

    whole = udp_ip()
    return {
        "header only": whole[:14],
        "no IP header": whole[:15],
        "half an IP header": whole[:24],
        "IP header only": whole[:34],
        "half a UDP header": whole[:38],
        "cut in the payload": whole[:60],
        "cut by one byte": whole[:-1],
        "IP length 0": udp_ip(length=0),
        "IP length 19": udp_ip(length=19),
        "IP length 20": udp_ip(length=20),
        "IP length beyond the frame": udp_ip(length=len(whole) - 14 + 1),
        "IP length 65535": udp_ip(length=65535),
        "IP version 6": udp_ip(version_ihl=0x65),
        "IP version 0": udp_ip(version_ihl=0x05),
        "IP header length 0": udp_ip(version_ihl=0x40),
        "IP header length 16": udp_ip(version_ihl=0x44),
        "IP header length 60": udp_ip(version_ihl=0x4f),
        "IP checksum": udp_ip(check=0x1234),
        "IP protocol 255": ether(packets.ipv4(me, ip, 255, data)),
        "UDP checksum": udp_ip(packets.udp(me, ip, 4000, 7, data, check=0x1234)),
        "UDP length 0": udp_ip(packets.udp(me, ip, 4000, 7, data, length=0)),
        "UDP length 7": udp_ip(packets.udp(me, ip, 4000, 7, data, length=7)),
        "UDP length too long": udp_ip(packets.udp(me, ip, 4000, 7, data, length=500)),
        "UDP length 65535": udp_ip(packets.udp(me, ip, 4000, 7, data, length=65535)),
        "ICMP checksum": ether(packets.ipv4(me, ip, 1, packets.icmp_echo(1, 1, data, check=0x1234))),
        "ICMP cut short": ether(packets.ipv4(me, ip, 1, b"\x08\x00\x00")),
        "TCP checksum": ether(packets.ipv4(me, ip, 6, packets.tcp(me, ip, 4000, 1236, 2, check=1))),
        "TCP header length 0": ether(packets.ipv4(me, ip, 6, packets.tcp(me, ip, 4000, 1236, 2,
                                                                         offset=0))),
        "TCP header length 60": ether(packets.ipv4(me, ip, 6, packets.tcp(me, ip, 4000, 1236, 2,
                                                                          offset=15))),
        "TCP cut short": ether(packets.ipv4(me, ip, 6, b"\x0f\xa0\x04\xd4\x00")),
        "from a multicast address": ether(packets.ipv4("224.0.0.1", ip, 17,
                                                       packets.udp("224.0.0.1", ip, 4000, 7, data))),
        "from the broadcast address": ether(packets.ipv4(
            "255.255.255.255", ip, 17, packets.udp("255.255.255.255", ip, 4000, 7, data))),
        "unknown type": ether(data, 0x1234),
        "length instead of type": ether(data, len(data)),
        "IPv6": ether(bytes(40), 0x86dd),
        "first fragment": udp_ip(flags_offset=0x2000),
        "later fragment": udp_ip(flags_offset=0x0010),
        "last fragment beyond 64 KiB": udp_ip(flags_offset=0x1fff),
        "fragments that overlap": udp_ip(flags_offset=0x2001),
    }


MALFORMED = list(malformed(type("Lab", (), {"peer_ip": "10.0.0.1", "peer_mac": ANY_MAC}),
                           type("Client", (), {"mac": ANY_MAC, "ip": "10.0.0.10"})))


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed(echo, lab, wire, what):
    """Many of one kind: no answer to any, the service goes on, and no buffer is lost."""
    for client in echo.clients:
        frame = malformed(lab, client)[what]
        for _ in range(60):
            wire.send(frame)
    got = [frame for frame in wire.frames(0.05) if is_answer(frame) and not is_refusal(frame)]
    assert not got, f"answered: {got[0].hex()}"
    for client in echo.clients:
        echo.check_echo(client, count=5)


def is_refusal(frame):
    """ICMP's "unreachable", "time exceeded" or "parameter problem": polite, and no echo."""
    return frame[23] == 1 and len(frame) > 34 and frame[34] in (3, 11, 12)


def test_fragmented_datagram(echo, lab):
    """Larger than a frame: whether it is echoed is the stack's affair, but nothing is lost."""
    client = echo.clients[0]
    with lab.udp(timeout=0.3) as sock:
        for i in range(20):
            data = pattern(5000, i)
            sock.sendto(data, (client.ip, 7))
            try:
                assert sock.recv(65536) == data
            except TimeoutError:
                break
    echo.check_services()


def test_short_and_overlong_frames(echo, lab, wire):
    """From a lone Ethernet header to more than a buffer holds."""
    client = echo.clients[0]
    lab.set_link(lab.generator, "mtu", 3400)
    lab.set_link(lab.system, "mtu", 3400)
    try:
        for length in (14, 15, 33, 41, 42, 59, 60, 1513, 1514, 1515, 1518, 1519, 1600, 1791, 1792,
                       1793, 1800, 2034, 2047, 2048, 2049, 2100, 3000, 3414):
            payload = pattern(max(0, length - 42), length)
            frame = datagram(lab, client, payload)[:length]
            for _ in range(20):
                wire.send(frame)
            answers = [f for f in wire.frames(0.03) if is_answer(f) and not is_refusal(f)]
            if 42 <= length <= 1514:
                assert len(answers) == 20, f"{length} bytes: {len(answers)} of 20 answers"
                assert all(f[42:42 + len(payload)] == payload for f in answers)
            else:
                assert not answers, f"{length} bytes: answered"
            assert echo.audit()[0] == 0, f"after frames of {length} bytes: {echo.audit()[1]}"
    finally:
        lab.set_link(lab.system, "mtu", 1500)
        lab.set_link(lab.generator, "mtu", 1500)
    echo.check_services()


def test_random_frames(echo, lab, wire):
    """Noise under the clients' addresses, and right datagrams with bytes changed at random."""
    chance = random.Random(2)
    for i in range(4000):
        client = echo.clients[i % 2]
        if i % 4 < 2:
            frame = bytearray(datagram(lab, client, pattern(chance.randrange(200), i)))
            for _ in range(chance.randrange(1, 5)):
                frame[chance.randrange(12, len(frame))] = chance.randrange(256)
        else:
            frame = packets.ethernet(client.mac, lab.peer_mac,
                                     chance.choice((ETH_IPV4, ETH_ARP, 0x86dd, 0x8100)),
                                     chance.randbytes(chance.randrange(1500)))
        wire.send(bytes(frame))
    wire.drain()
    echo.check_services()


# ---- floods ---------------------------------------------------------------------------------------


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


# ---- the account itself ---------------------------------------------------------------------------


def queue_regions(system):
    """Queues of the system, by the stem of their regions' names."""
    names = {region["name"] for region in system.state["regions"]}
    return sorted(name.removesuffix("_producer") for name in names
                  if name.endswith("_producer") and
                  name.removesuffix("_producer") + "_consumer" in names)


def full_queues(system):
    """Queues that hold at least two entries at rest: (stem, head, tail)."""
    for stem in queue_regions(system):
        with system.memory(f"{stem}_producer") as producer, \
                system.memory(f"{stem}_consumer") as consumer:
            tail, = struct.unpack_from("=I", producer, 64)
            head, = struct.unpack_from("=I", consumer, 64)
        if tail - head >= 2:
            yield stem, head, tail


def test_a_lost_buffer_is_found(fresh):
    """An entry is taken away behind everybody's back, in each queue that has any: the auditor
    names the buffer. Put back, and all is well again."""
    system = fresh()
    system.assert_account()
    seen = 0
    for stem, head, tail in full_queues(system):
        with system.memory(f"{stem}_producer", writable=True) as producer:
            struct.pack_into("=I", producer, 64, tail - 1)
            status, text = system.audit(wait=0)
            struct.pack_into("=I", producer, 64, tail)
        assert status == 1 and text.startswith("lost: buffer "), f"{stem}:\n{text}"
        assert text.count("lost:") == 1
        seen += 1
    assert seen >= 3
    system.assert_account()


def test_a_doubled_buffer_is_found(fresh):
    """One entry is written over its neighbour: its buffer is there twice, the neighbour's is lost."""
    system = fresh()
    seen = 0
    for stem, head, _ in full_queues(system):
        with system.memory(f"{stem}_producer", writable=True) as producer:
            capacity, = struct.unpack_from("=I", producer, 4)
            slots = [128 + 16 * (index % capacity) for index in (head, head + 1)]
            old = producer[slots[1]:slots[1] + 16]
            producer[slots[1]:slots[1] + 16] = producer[slots[0]:slots[0] + 16]
            status, text = system.audit(wait=0)
            producer[slots[1]:slots[1] + 16] = old
        assert status == 1 and "doubled: buffer " in text and "lost: buffer " in text, \
            f"{stem}:\n{text}"
        seen += 1
    assert seen >= 3


def test_a_stray_entry_is_found(fresh):
    """An address outside its region, and an index that cannot be."""
    system = fresh()
    stem, head, tail = next(full_queues(system))
    with system.memory(f"{stem}_producer", writable=True) as producer:
        capacity, = struct.unpack_from("=I", producer, 4)
        slot = 128 + 16 * (head % capacity)
        old = producer[slot:slot + 8]
        producer[slot:slot + 8] = b"\xff" * 8
        status, text = system.audit(wait=0)
        producer[slot:slot + 8] = old
        assert status == 1 and "stray: " in text
        struct.pack_into("=I", producer, 64, (head + 2 * capacity) & 0xffffffff)
        status, text = system.audit(wait=0)
        struct.pack_into("=I", producer, 64, tail)
        assert status == 1 and "corrupt: " in text
