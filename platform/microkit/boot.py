#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds a system for seL4 and runs it in QEMU, with its serial console in this terminal.

    MICROKIT_SDK=FOLDER boot.py [--board BOARD] [--config CONFIG] [--forward udp:PORT ...] [DESCRIPTION]

The clients' services are forwarded from the loopback interface: port P of the first client is port
10000 + P there, of the second 20000 + P, and so on, for the echo program's ports or those that
--forward names. Ctrl-C ends it; Ctrl-A H shows QEMU's own keys; all others are the system's. Exit
status 2: something is missing, and one line says what."""

import argparse
import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import termios
import xml.etree.ElementTree as ElementTree

import boards
import build

ECHO_PORTS = (("udp", 7), ("udp", 9), ("udp", 1235), ("tcp", 7), ("tcp", 1236), ("tcp", 1237))


def clients(description):
    """(name, address) of those clients that have a fixed one, by their place in the description."""
    network = ElementTree.parse(description).getroot().find("network")
    for place, client in enumerate([] if network is None else network.findall("client"), 1):
        if "/" in client.get("ip", ""):
            yield place, client.get("pd"), client.get("ip").split("/")[0]


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
    options, lines = ["user,net=10.0.0.0/24,host=10.0.0.2"], []
    of_all = ", ".join(f"{protocol.upper()} {port}" for protocol, port in ports)
    for place, name, address in clients(description):
        if place > 5:
            break  # 60000 is beyond what ports there are
        for protocol, port in ports:
            check_port(protocol, place * 10000 + port)
            options.append(f"hostfwd={protocol}:127.0.0.1:{place * 10000 + port}-{address}:{port}")
        lines.append(f"{name}: {address}; its ports are at 127.0.0.1 {place * 10000} higher: {of_all}")
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


def die_with_parent():
    """Called in the child: nobody needs it any more when this program has gone."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def run(command):
    """Runs QEMU until it ends or somebody ends us. Its status."""
    with subprocess.Popen(command, preexec_fn=die_with_parent) as qemu:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: qemu.terminate())
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
        image = build.build_system(board, arguments.config, arguments.description)
        netdev, lines = user_network(arguments.description, arguments.forward or ECHO_PORTS)
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
    sys.exit(main())
