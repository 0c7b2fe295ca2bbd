# SPDX-License-Identifier: BSD-2-Clause
"""The echo system in the guest, on one of its cards, and what the other end of the cable says to it."""

import json
import time

import machine
import packets

HOST_MAC, HOST_IP = "02:00:00:00:00:fe", "10.0.0.1"
ALICE = ("02:00:00:00:00:01", "10.0.0.10")
BOB = ("02:00:00:00:00:02", "10.0.0.11")


class Running:
    """`sddf run` in the guest's background."""

    count = 0

    def __init__(self, guest, description, card, options="--take", wait=True):
        Running.count += 1
        self.guest = guest
        self.base = f"/tmp/run{Running.count}"
        self.pid = int(guest.run(f"sddf run {description} --pci {card} {options} --state {self.base}.state "
                                 f"</dev/null >{self.base}.log 2>&1 & echo $!"))
        if wait:
            guest.wait_for(f"test -s {self.base}.state || ! kill -0 {self.pid}")
            assert guest.try_run(f"test -s {self.base}.state")[0] == 0, self.log()

    def log(self):
        return self.guest.run(f"cat {self.base}.log")

    def state(self):
        return json.loads(self.guest.run(f"cat {self.base}.state"))

    def said(self, text, seconds=machine.ANSWER_S):
        self.guest.wait_for(f"grep -q '{text}' {self.base}.log", seconds)

    def stop(self, signal="TERM"):
        self.guest.run(f"kill -{signal} {self.pid}; true")
        self.gone()

    def gone(self):
        self.guest.wait_for(f"! kill -0 {self.pid} 2>/dev/null")


def udp(client, port, payload, source_port=4000):
    datagram = packets.udp(HOST_IP, client[1], source_port, port, payload)
    return packets.ethernet(client[0], HOST_MAC, packets.ETH_IPV4,
                            packets.ipv4(HOST_IP, client[1], 17, datagram))


def is_echo_of(payload, client):
    def wanted(frame):
        return (frame[:6] == packets.mac_bytes(HOST_MAC) and frame[6:12] == packets.mac_bytes(client[0])
                and frame[12:14] == b"\x08\x00" and frame[42:42 + len(payload)] == payload)
    return wanted


def introduce(wire, seconds=machine.ANSWER_S):
    """Until both clients answer for themselves: then they know who we are, too."""
    for mac, ip in (ALICE, BOB):
        ask = packets.ethernet(packets.BROADCAST, HOST_MAC, packets.ETH_ARP,
                               packets.arp(1, HOST_MAC, HOST_IP, "00:00:00:00:00:00", ip))
        answer = wire.ask(ask, lambda frame: frame[12:14] == b"\x08\x06" and
                          frame[20:22] == b"\0\x02" and frame[22:28] == packets.mac_bytes(mac), seconds)
        assert answer is not None, f"nobody answers for {ip}"


def answer_arp(wire, frame):
    """A client asks who we are."""
    if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x01":
        wire.send(packets.ethernet(packets.mac_text(frame[6:12]), HOST_MAC, packets.ETH_ARP,
                                   packets.arp(2, HOST_MAC, HOST_IP, packets.mac_text(frame[22:28]),
                                               packets.socket.inet_ntoa(frame[28:32]))))


def echo(wire, client, payload, seconds=machine.ANSWER_S):
    """True once the payload has come back, whole."""
    wanted = is_echo_of(payload, client)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wire.send(udp(client, 7, payload))
        until = time.monotonic() + 2
        while (left := until - time.monotonic()) > 0:
            frame = wire.receive(left)
            if frame is None:
                break
            if wanted(frame):
                return True
            answer_arp(wire, frame)
    return False
