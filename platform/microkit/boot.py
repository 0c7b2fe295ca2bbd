#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds a system for seL4 and runs it in QEMU, with its serial console in this terminal.

    MICROKIT_SDK=FOLDER boot.py [--board BOARD] [--config CONFIG] [DESCRIPTION]

The clients' services are forwarded from the loopback interface: port P of the first client is port
10000 + P there, of the second 20000 + P, and so on. Ctrl-A X ends it; Ctrl-A H shows other keys."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import boards
import build

FORWARDED = (("udp", 7), ("udp", 9), ("udp", 1235), ("tcp", 7), ("tcp", 1236), ("tcp", 1237))


def clients(description):
    """(name, address) of those clients that have a fixed one, by their place in the description."""
    network = ElementTree.parse(description).getroot().find("network")
    for place, client in enumerate([] if network is None else network.findall("client"), 1):
        if "/" in client.get("ip", ""):
            yield place, client.get("pd"), client.get("ip").split("/")[0]


def user_network(description):
    """QEMU's network in user space, with the forwards; and lines that explain them."""
    options, lines = ["user,net=10.0.0.0/24,host=10.0.0.2"], []
    for place, name, address in clients(description):
        if place > 5:
            break  # 60000 is beyond what ports there are
        for protocol, port in FORWARDED:
            options.append(f"hostfwd={protocol}:127.0.0.1:{place * 10000 + port}-{address}:{port}")
        lines.append(f"{name}: {address}, UDP and TCP ports from {place * 10000} on at 127.0.0.1")
    return ",".join(options), lines


def main():
    arguments = build.parse(__doc__)
    try:
        board = boards.find_board(arguments.board)
        board.check_qemu()
        image = build.build_system(board, arguments.config, arguments.description)
    except boards.Missing as missing:
        print(f"boot: {missing}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    netdev, lines = user_network(arguments.description)
    print(*lines, "Ctrl-A X ends it.", sep="\n", flush=True)
    command = board.qemu_command(image, netdev)
    os.execvp(command[0], command)


if __name__ == "__main__":
    sys.exit(main())
