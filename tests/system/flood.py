# SPDX-License-Identifier: BSD-2-Clause
"""Sends UDP datagrams as fast as one process can: flood.py IP PORT SIZE SECONDS.

The kernel cuts large sends into datagrams (UDP segmentation), so that even this outruns an echo.
Datagrams begin with a number of their own, with the top bit set, so that no answer to them is ever
taken for one that a test waits for. Ends after SECONDS or on SIGTERM, and prints how many it sent.
"""

import contextlib
import os
import signal
import socket
import struct
import sys
import time

UDP_SEGMENT = 103


def main():
    ip, port, size, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    running = True

    def stop(*_):
        nonlocal running
        running = False

    signal.signal(signal.SIGTERM, stop)
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # The answers are nobody's.
    sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
    sock.connect((ip, port))
    many = max(1, min(64, 65000 // size))
    data = (struct.pack("!Q", 1 << 63) + os.urandom(size))[:size] * many
    print("ready", flush=True)
    sent, end = 0, time.monotonic() + seconds
    while running and time.monotonic() < end:
        with contextlib.suppress(OSError):  # The link may be down, or nobody may listen.
            sock.send(data)
            sent += many
    print(sent)


main()
