# SPDX-License-Identifier: BSD-2-Clause
"""Frames for nobody, and every way in which a frame can be wrong."""

import random
import time

import pytest

import lib
import packets
from packets import BROADCAST, ETH_ARP, ETH_IPV4
from services import ANY_MAC, arp_request, datagram, is_answer, is_arp, is_refusal, pattern


# ---- addresses that are nobody's ------------------------------------------------------------------


@pytest.mark.parametrize("mac", ["52:54:00:00:00:77", "02:00:00:00:00:7f", ANY_MAC,
                                 "01:00:5e:00:00:01", "33:33:00:00:00:01", "01:80:c2:00:00:0e",
                                 "03:00:00:00:00:01", BROADCAST])
def test_unicast_ip_to_foreign_mac(echo, lab, wire, mac):
    """A datagram for a client's IP address under a MAC address that is not its own is not its own:
    unknown, multicast, or everybody's."""
    for client in echo.clients:
        for i in range(20):
            wire.send(datagram(lab, client, pattern(100, i), dst=mac))
    assert wire.expect(is_answer, 0.2) is None
    echo.check_services()


def test_right_mac_wrong_ip(echo, lab, wire):
    """A client answers for its own IP address and not for its neighbour's. (It does answer what is
    addressed to everybody or to a group: lwIP takes that whatever MAC address it came under.)"""
    first, second = echo.clients[:2]
    for ip in (second.ip, "10.0.0.99", "10.0.0.1", "192.168.0.10", "127.0.0.1"):
        wire.send(datagram(lab, first, pattern(100, 1), ip=ip))
    assert wire.expect(is_answer, 0.2) is None
    echo.check_services()


def test_broadcast_wakes_nobody(echo, lab, wire):
    """Broadcasts are the ARP component's business: no copier runs because of them."""
    copiers = [f"{echo.device}_copy_{client.name}" for client in echo.clients]
    with lab.sure_of(echo.clients):
        echo.check_services()  # Whoever wants to ask or to say something has done so.
        time.sleep(0.1)
        before = {name: echo.stats(name) for name in copiers + [c.name for c in echo.clients]}
        for i in range(500):
            wire.send(arp_request(lab, "10.0.0.99"))
            wire.send(datagram(lab, echo.clients[0], pattern(100, i), dst=BROADCAST))
            wire.send(datagram(lab, echo.clients[0], pattern(100, i), dst="01:00:5e:00:00:01"))
            wire.send(arp_request(lab, echo.clients[0].ip))
            # One at a time: an answer that stands for all before it.
            assert wire.expect(is_arp), f"request {i} was not answered"
        after = {name: echo.stats(name) for name in before}
    for name, old in before.items():
        new = after[name]
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


def test_wrong_checksum_is_named(echo, lab, wire):
    """Whoever forgets "ethtool -K PEER tx off" is told so, once per client and not per packet."""
    for client in echo.clients:
        for _ in range(3):
            wire.send(malformed(lab, client)["UDP checksum"])
        echo.check_echo(client, count=1)
    said = [line for line in echo.output().splitlines() if "wrong UDP or TCP checksum" in line]
    names = sorted(line.split()[0].rstrip(":") for line in said)
    assert names == sorted(client.name for client in echo.clients), said


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
            right = 42 <= length <= 1514
            answers = []
            for frame in wire.frames(10.0 * lib.PATIENCE if right else 0.05):
                if is_answer(frame) and not is_refusal(frame):
                    answers.append(frame)
                if len(answers) == 20 and right:
                    break
            if right:
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
    for client in echo.clients:  # Behind so much noise there may be no room for the first one.
        echo.serves_again(client)
    echo.check_services()
