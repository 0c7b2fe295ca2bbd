# SPDX-License-Identifier: BSD-2-Clause
"""Frames by hand: what the tests send, byte for byte, and how they read what comes back."""

import select
import socket
import struct
import time

ETH_ARP, ETH_IPV4 = 0x0806, 0x0800
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{byte:02x}" for byte in raw)


def checksum(data):
    """The Internet checksum (RFC 1071) of the data."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ethernet(dst, src, kind, payload):
    return mac_bytes(dst) + mac_bytes(src) + struct.pack("!H", kind) + payload


def arp(op, sender_mac, sender_ip, target_mac, target_ip, hardware=1, protocol=ETH_IPV4,
        hardware_size=6, protocol_size=4):
    return (struct.pack("!HHBBH", hardware, protocol, hardware_size, protocol_size, op) +
            mac_bytes(sender_mac) + socket.inet_aton(sender_ip) +
            mac_bytes(target_mac) + socket.inet_aton(target_ip))


def ipv4(src, dst, protocol, payload, *, length=None, version_ihl=0x45, flags_offset=0, ttl=64,
         check=None, ident=0, options=b""):
    """An IPv4 packet; what is given by name goes in as it is, right or wrong."""
    length = 20 + len(options) + len(payload) if length is None else length
    header = struct.pack("!BBHHHBBH4s4s", version_ihl, 0, length, ident, flags_offset, ttl, protocol,
                         0, socket.inet_aton(src), socket.inet_aton(dst)) + options
    if check is None:
        check = checksum(header)
    return header[:10] + struct.pack("!H", check) + header[12:] + payload


def pseudo(src, dst, protocol, length):
    return socket.inet_aton(src) + socket.inet_aton(dst) + struct.pack("!BBH", 0, protocol, length)


def udp(src, dst, sport, dport, payload, *, length=None, check=None):
    length = 8 + len(payload) if length is None else length
    header = struct.pack("!HHHH", sport, dport, length, 0)
    if check is None:
        check = checksum(pseudo(src, dst, 17, 8 + len(payload)) + header + payload) or 0xffff
    return header[:6] + struct.pack("!H", check) + payload


def tcp(src, dst, sport, dport, flags, payload=b"", *, seq=1, ack=0, window=65535, offset=5,
        check=None):
    header = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, offset << 4, flags, window, 0, 0)
    if check is None:
        check = checksum(pseudo(src, dst, 6, len(header) + len(payload)) + header + payload)
    return header[:16] + struct.pack("!H", check) + header[18:] + payload


def icmp_echo(ident, sequence, payload, *, kind=8, check=None):
    header = struct.pack("!BBHHH", kind, 0, 0, ident, sequence)
    if check is None:
        check = checksum(header + payload)
    return header[:2] + struct.pack("!H", check) + header[4:] + payload


class Wire:
    """A raw socket on an interface, opened in the current network namespace."""

    def __init__(self, interface):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind((interface, 0))
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()

    def send(self, frame):
        while True:
            try:
                return self.socket.send(frame)
            except (BlockingIOError, OSError) as error:
                if not isinstance(error, BlockingIOError) and error.errno != 105:  # ENOBUFS
                    raise
                select.select([], [self.socket], [], 0.01)

    def drain(self):
        """Forgets what has arrived so far."""
        try:
            while True:
                self.socket.recv(65536)
        except BlockingIOError:
            pass

    def frames(self, seconds):
        """Frames that come from the other side, as they arrive, for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if not select.select([self.socket], [], [], left)[0]:
                return
            try:
                frame, address = self.socket.recvfrom(65536)
            except BlockingIOError:
                continue
            if address[2] != socket.PACKET_OUTGOING:
                yield frame

    def expect(self, wanted, seconds=10.0):
        """The first frame for which wanted(frame) is true, or None. What comes is not waited for; what
        must not come wants a time of its own."""
        return next((frame for frame in self.frames(seconds) if wanted(frame)), None)
