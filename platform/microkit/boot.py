#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds a system for seL4 and runs it in QEMU, with its serial console in this terminal.

    MICROKIT_SDK=FOLDER boot.py [--board BOARD] [--config CONFIG] [--search-path FOLDER ...]
                                [--forward udp:PORT ...] [DESCRIPTION]

The clients' services are forwarded from the loopback interface: port P of the first client is port
10000 + P there, of the second 20000 + P, and so on up to the fifth, for the echo program's ports or
those that --forward names. QEMU's network is the subnet of the first client, and QEMU itself is its
second and third address (10.0.0.2 and 10.0.0.3). Ctrl-C ends it; Ctrl-A H shows QEMU's own keys; all
others are the system's. Exit status 2: something is missing, and one line says what."""

import argparse
import contextlib
import ctypes
import ipaddress
import os
import signal
import socket
import subprocess
import sys
import termios
import xml.etree.ElementTree as ElementTree

import boards
import build

ECHO_PORTS = (("udp", 7), ("udp", 9), ("udp", 1235), ("tcp", 7), ("tcp", 1236), ("tcp", 1237))
FORWARDED = 5  # clients: 60000 is beyond what ports there are


def clients(description):
    """(place in the description, name, address and subnet) of those clients that have a fixed one."""
    network = ElementTree.parse(description).getroot().find("network")
    for place, client in enumerate([] if network is None else network.findall("client"), 1):
        if "/" in client.get("ip", ""):
            yield place, client.get("pd"), ipaddress.ip_interface(client.get("ip"))


def subnet(found):
    """QEMU's network: that of the clients, if they are in one."""
    if not found:
        return ipaddress.ip_network("10.0.0.0/24")
    _, first, interface = found[0]
    for _, name, other in found:
        if other.network != interface.network:
            raise boards.Missing(f"QEMU's network has one subnet: {name} has {other}, and {first} has "
                                 f"{interface}")
        if other.ip in (other.network.network_address + 2, other.network.network_address + 3):
            raise boards.Missing(f"{name} has {other.ip}, which is QEMU's own address in its network: "
                                 "give it another")
    return interface.network


def check_port(protocol, port):
    """Another system that runs here, most likely."""
    kind = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}[protocol]
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(protocol == "tcp"))
        try:
            sock.bind(("127.0.0.1", port))
        except OSError as error:
            raise boards.Missing(f"port {port} ({protocol.upper()}) at 127.0.0.1 is not free "
                                 f"({error.strerror}): \"ss -anp 'sport = {port}'\" shows who has "
                                 "it") from error


def user_network(description, ports=ECHO_PORTS):
    """QEMU's network in user space, with the forwards; and lines that explain them."""
    found = list(clients(description))
    net = subnet(found)
    options, lines = [f"user,net={net},host={net.network_address + 2}"], []
    of_all = ", ".join(f"{protocol.upper()} {port}" for protocol, port in ports)
    for place, name, interface in found:
        if place > FORWARDED:
            lines.append(f"{name}: {interface.ip}; its ports are not forwarded, as it is the "
                         f"description's client {place}, and {FORWARDED} can be")
            continue
        for protocol, port in ports:
            check_port(protocol, place * 10000 + port)
            options.append(f"hostfwd={protocol}:127.0.0.1:{place * 10000 + port}-{interface.ip}:{port}")
        lines.append(f"{name}: {interface.ip}; its ports are at 127.0.0.1 {place * 10000} higher: "
                     f"{of_all}")
    return ",".join(options), lines


@contextlib.contextmanager
def keys():
    """Leaves Ctrl-\\ and Ctrl-Z to the system, as Linux's console does, and gives them back. (QEMU
    does the rest, and gives that back.)"""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    ours = termios.tcgetattr(sys.stdin)
    for key in (termios.VQUIT, termios.VSUSP):
        ours[6][key] = b"\0"  # _POSIX_VDISABLE: no key
    termios.tcsetattr(sys.stdin, termios.TCSADRAIN, ours)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def run(command):
    """Runs QEMU until it ends or somebody ends us. Its status."""
    ends = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    parent = os.getpid()

    def in_child():
        """Nobody needs it any more when this program has gone."""
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(1)  # It has gone already.
        for number in ends:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)

    # Whoever ends us while QEMU begins is heard once it can be ended.
    signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    with subprocess.Popen(command, preexec_fn=in_child) as qemu:
        for number in ends:
            signal.signal(number, lambda *_: qemu.terminate())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
        return qemu.wait()


def service(text):
    """What --forward takes."""
    protocol, _, port = text.partition(":")
    if protocol not in ("udp", "tcp") or not port.isdecimal() or not 0 < int(port) < 10000:
        raise argparse.ArgumentTypeError(f"{text} is no protocol and port below 10000, as udp:7000 is")
    return protocol, int(port)


def main():
    options = build.parser(__doc__)
    options.add_argument("--forward", action="append", type=service, metavar="udp:PORT",
                         help="or tcp:PORT; may be repeated (default: the echo program's ports)")
    arguments = options.parse_args()
    try:
        board = boards.find_board(arguments.board)
        board.check_qemu()
        image = build.build_system(board, arguments.config, arguments.description,
                                   search_path=arguments.search_path)
        ports = dict.fromkeys(arguments.forward or ECHO_PORTS)  # each once
        netdev, lines = user_network(arguments.description, ports)
    except boards.Missing as missing:
        print(f"boot: {missing}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    command = board.qemu_command(image, netdev, serial="chardev:console")
    command += ["-chardev", "stdio,id=console,mux=on,signal=on", "-mon", "chardev=console"]
    print(*lines, "Ctrl-C ends it.", sep="\n", flush=True)
    with keys():
        return run(command)


if __name__ == "__main__":
    build.run_main(main)
