# SPDX-License-Identifier: BSD-2-Clause
"""What goes over the guest's wire: UDP echo requests, a window of them under way, every reply checked
byte by byte; and the answers to its ARP."""

import select
import socket
import struct
import time

import machine

OWN_MAC, OWN_IP = bytes.fromhex("02000000ff01"), socket.inet_aton("10.0.0.1")
GUEST_IP = socket.inet_aton("10.0.0.10")
BROADCAST = b"\xff" * 6
OWN_PORT, ECHO_PORT = 40000, 7
AGAIN_S = 3  # nothing for so long: what is under way is sent again
ANSWER_S = 90  # nothing for so long: there will be nothing any more


def checksum(data):
    total = sum(struct.unpack(f"!{(len(data) + 1) // 2}H", data + b"\0" * (len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def datagram(source, target, ports, payload):
    """An IPv4 packet with a UDP datagram in it, all checksums right."""
    udp = struct.pack("!HHHH", *ports, 8 + len(payload), 0)
    pseudo = source + target + struct.pack("!BBH", 0, 17, len(udp) + len(payload))
    udp = udp[:6] + struct.pack("!H", checksum(pseudo + udp + payload) or 0xFFFF)
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(payload), 0, 0x4000, 64, 17, 0, source, target)
    return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + udp + payload


def arp(operation, to_mac, mac, ip, asked_mac, asked_ip):
    return (to_mac + mac + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, operation) +
            mac + ip + asked_mac + asked_ip)


class StreamWire(machine.Wire):
    """
    A cable that holds as many frames as a stream does, some hundreds. One of datagrams holds ten, and
    a guest that gets ten frames at a time is not saturated.
    """

    def __init__(self, _folder, _name):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1)
        self.socket, self.come, self.gone = None, b"", b""

    def netdev(self, name):
        return f"socket,id={name},connect=127.0.0.1:{self.listener.getsockname()[1]}"

    def connect(self):
        if self.socket is None:
            self.socket, _ = self.listener.accept()
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.setblocking(False)

    def push(self):
        """Writes what waits; true if nothing does any more."""
        while self.gone:
            try:
                self.gone = self.gone[self.socket.send(self.gone):]
            except BlockingIOError:
                return False
        return True

    def send(self, frame):
        """Leaves with the next receive: what is sent together arrives together."""
        self.gone += struct.pack("!I", len(frame)) + frame
        return True

    def receive(self, seconds):
        self.connect()
        end = time.monotonic() + seconds
        while True:
            if len(self.come) >= 4:
                length = struct.unpack("!I", self.come[:4])[0]
                if len(self.come) >= 4 + length:
                    frame, self.come = self.come[4:4 + length], self.come[4 + length:]
                    return frame
            left = end - time.monotonic()
            waits = [self.socket] if not self.push() else []
            if left <= 0 or not any(select.select([self.socket], waits, [], left)):
                return None
            try:
                data = self.socket.recv(1 << 16)
            except BlockingIOError:
                continue
            if not data:
                raise RuntimeError("the guest's machine has ended")
            self.come += data

    def close(self):
        self.listener.close()
        if self.socket is not None:
            self.socket.close()


class Load:
    """UDP echo with `size` bytes of payload and a window, over a wire of tests/guest/machine.py."""

    def __init__(self, wire, mac=None):
        self.wire, self.mac = wire, mac

    def find_guest(self, seconds=120):
        question = arp(1, BROADCAST, OWN_MAC, OWN_IP, bytes(6), GUEST_IP)
        answer = self.wire.ask(question, lambda f: f[12:14] == b"\x08\x06" and f[21] == 2 and
                               f[28:32] == GUEST_IP, seconds)
        if answer is None:
            raise RuntimeError(f"nobody answers for 10.0.0.10 in {seconds} s")
        self.mac = answer[22:28]

    def request(self, number, size):
        payload = struct.pack("!Q", number) + bytes((number + i) & 0xFF for i in range(size - 8))
        return self.mac + OWN_MAC + b"\x08\x00" + datagram(OWN_IP, GUEST_IP, (OWN_PORT, ECHO_PORT),
                                                           payload)

    def next_reply(self, seconds):
        """The next reply to a request; ARP is answered in passing. None: nothing came."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            frame = self.wire.receive(left)
            if frame is None:
                break
            if frame[12:14] == b"\x08\x06":
                if frame[21] == 1 and frame[38:42] == OWN_IP:
                    self.wire.send(arp(2, frame[6:12], OWN_MAC, OWN_IP, frame[22:28], frame[28:32]))
            elif frame[12:14] == b"\x08\x00" and frame[36:38] == struct.pack("!H", OWN_PORT):
                return frame
        return None

    def fill(self, under_way, requests, sent, end):
        """Sends from request `sent` on to `end`, or until the wire takes no more; how far it came."""
        while sent < end and sent % len(requests) not in under_way:
            if not self.wire.send(requests[sent % len(requests)]):
                break
            under_way[sent % len(requests)] = True
            sent += 1
        return sent

    def run(self, size, window, packets):
        """
        Sends so many requests, never more than `window` at a time without their replies, and checks
        each reply. When half of a window has been answered the next half goes out, so that the guest
        has always that many to do. How many had to be sent again because nothing came for AGAIN_S.
        """
        kinds = max(256, 2 * window)  # requests are made in advance, and used again in turn
        requests = [self.request(i, size) for i in range(kinds)]
        under_way, sent, done, again = {}, 0, 0, 0
        end = time.monotonic() + ANSWER_S
        while done < packets:
            if len(under_way) <= window // 2:
                sent = self.fill(under_way, requests, sent, min(packets, done + window))
            reply = self.next_reply(AGAIN_S)
            if reply is None:
                if time.monotonic() > end:
                    raise RuntimeError(f"no reply in {ANSWER_S} s; {len(under_way)} are under way")
                again += len(under_way)
                for number in under_way:
                    self.wire.send(requests[number])
                continue
            end = time.monotonic() + ANSWER_S
            number = struct.unpack("!Q", reply[42:50])[0]
            if number >= kinds or reply[42:42 + size] != requests[number][42:]:
                raise RuntimeError(f"a reply is wrong: {reply[:64].hex()}")
            if under_way.pop(number, False):
                done += 1
            elif again == 0:
                raise RuntimeError(f"reply {number} came twice, or was never asked for")
        return again
