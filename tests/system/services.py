# SPDX-License-Identifier: BSD-2-Clause
"""Questions that the tests put to the echo system, and what makes an answer right."""

import random
import socket
import threading
import zlib

import lib
import packets
from packets import BROADCAST, ETH_ARP, ETH_IPV4

ANY_MAC = "00:00:00:00:00:00"
NAMES = [client.name for client in lib.clients_of(lib.ECHO)] if lib.ECHO.exists() else []


def pattern(length, seed):
    """Bytes of which no two places look alike, different for every seed."""
    return random.Random(seed).randbytes(length)


def arp_request(lab, target_ip, dst=BROADCAST, sender_ip=None, **fields):
    return packets.ethernet(dst, lab.peer_mac, ETH_ARP, packets.arp(
        fields.pop("op", 1), lab.peer_mac, sender_ip or lab.peer_ip, ANY_MAC, target_ip, **fields))


def arp_reply(lab, client, target_ip=None):
    return packets.ethernet(lab.peer_mac, client.mac, ETH_ARP, packets.arp(
        2, client.mac, client.ip, lab.peer_mac, target_ip or lab.peer_ip))


def is_arp(frame):
    return frame[12:14] == b"\x08\x06"


def datagram(lab, client, data, dst=None, src=None, ip=None, **fields):
    """A datagram to the client's UDP echo; addresses and IP's fields can be others."""
    ip = ip or client.ip
    return packets.ethernet(dst or client.mac, src or lab.peer_mac, ETH_IPV4, packets.ipv4(
        lab.peer_ip, ip, 17, packets.udp(lab.peer_ip, ip, 4000, 7, data), **fields))


def is_answer(frame):
    return frame[12:14] == b"\x08\x00"


def is_refusal(frame):
    """ICMP's "unreachable", "time exceeded" or "parameter problem": polite, and no echo."""
    return frame[23] == 1 and len(frame) > 34 and frame[34] in (3, 11, 12)


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
