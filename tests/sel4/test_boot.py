# SPDX-License-Identifier: BSD-2-Clause
"""Every board in every configuration boots and serves, whatever its device offers; timers tick."""

import re
import socket
import subprocess

import pytest

import boards
import build
import lib
import boot as forwarding
import qemu
from services import tcp_echo

every_board = pytest.mark.parametrize("board", boards.BOARDS)


@pytest.mark.parametrize("config", boards.CONFIGS)
@every_board
def test_boots_and_serves(boot, lab, board, config):
    system = boot(board, config)
    system.check_services()
    for client in system.clients:
        with lab.tcp(client.ip) as sock:
            tcp_echo(sock, 200_000)
    output = system.output()
    for client in system.clients:  # By the serial class, which speaks in every configuration.
        assert f"{client.name} | {client.name}: {client.ip} is up" in output
    system.stop()


@pytest.mark.parametrize("options", [
    "event_idx=off", "indirect_desc=off", "mrg_rxbuf=off", "csum=off,guest_csum=off",
    "event_idx=off,indirect_desc=off,mrg_rxbuf=off,csum=off,guest_csum=off,host_tso4=off",
    "rx_queue_size=1024,tx_queue_size=256"])
def test_devices_that_offer_less(boot, lab, options):
    system = boot("qemu_virt_aarch64", "release", "," + options)
    system.check_services()
    with lab.tcp(system.clients[0].ip) as sock:
        tcp_echo(sock, 1_000_000)
    system.stop()


class Machine:
    """QEMU with its network in user space; `start` ends when the console has said `wanted`."""

    def __init__(self, folder, board, image, netdev):
        self.log = folder / "log"
        self.command = board.qemu_command(image, netdev, serial=f"file:{self.log}")
        self.command += ["-monitor", "none"]

    def __enter__(self):
        # In a namespace of its own: the forwards are on its loopback interface.
        self.namespace = lib.bench_lab.Namespace()
        self.namespace.run(["ip", "link", "set", "lo", "up"])
        self.process = self.namespace.start(self.command, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def wait_for(self, wanted, seconds=60):
        assert lib.wait_until(lambda: wanted in self.output(), seconds), self.output()

    def output(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.namespace.close()


def image_of(name, config, description):
    board = boards.find_board(name)
    why = qemu.missing(board, config)
    if why is not None:
        pytest.skip(why)
    return board, build.build_system(board, config, description)


def machine(folder, name, description, netdev="user"):
    board, image = image_of(name, "debug", description)
    return Machine(folder, board, image, netdev)


@every_board
def test_serial_speaks_in_release(lab, tmp_path, board):
    """Where the Microkit's debug output is silent, the serial class is not; and it listens."""
    board, image = image_of(board, "release", lib.ROOT / "examples" / "console" / "console.xml")
    line = tmp_path / "line"
    # It waits for the other end of the line: nothing that it says is lost.
    command = board.qemu_command(image, "user", serial=f"unix:{line},server=on,wait=on")
    namespace = lib.bench_lab.Namespace()
    console = socket.socket(socket.AF_UNIX)
    try:
        namespace.start([*command, "-monitor", "none"], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert lib.wait_until(line.exists, 10)
        console.connect(str(line))
        console.settimeout(30)
        read_until(console, *(f"{name} is up: say something".encode()
                              for name in ("alice", "bob", "carol")))
        console.sendall(b"hello\r")
        read_until(console, b'line 1 has 5 characters: "hello"')
    finally:
        console.close()
        namespace.close()


def read_until(console, *wanted):
    got = b""
    while not all(words in got for words in wanted):
        try:
            more = console.recv(4096)
        except TimeoutError:
            more = b""
        assert more, got
        got += more


@every_board
def test_timer(lab, tmp_path, board):
    """Timeouts come, never before their time; how late is the emulator's business."""
    with machine(tmp_path, board, lib.ROOT / "tests" / "platform" / "ticker.xml") as ticker:
        ticker.wait_for("ticker: done")
        output = ticker.output()
    ends = [int(end) for end in re.findall(r"period ended at (\d+) us", output)]
    assert len(ends) == 10
    for count, end in enumerate(ends, 1):
        assert count * 20_000 <= end < count * 20_000 + 200_000
    single = int(re.search(r"single after (\d+) us", output).group(1))
    assert 50_000 <= single < 250_000
    assert "cancelled" not in output


@every_board
def test_dhcp_and_forwarded_ports(lab, tmp_path, board):
    """One client asks QEMU's own server for its address; the other's services are forwarded, as
    sel4-run has them."""
    text = lib.ECHO.read_text().replace('ip="10.0.0.11/24"', 'ip="dhcp"')
    assert "dhcp" in text
    description = tmp_path / "echo_dhcp.xml"
    description.write_text(text)
    netdev, lines = forwarding.user_network(description)
    assert len(lines) == 1
    with machine(tmp_path, board, description, netdev) as echo:
        echo.wait_for("alice: 10.0.0.10 is up")
        echo.wait_for("bob: 10.0.0.15 is up")  # the first that QEMU's server gives out
        with lib.inside(echo.namespace):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stream = socket.create_connection(("127.0.0.1", 11236), 5)
        with sock, stream:
            sock.settimeout(1)
            sock.connect(("127.0.0.1", 10007))
            assert lib.wait_until(lambda: sock.send(b"forwarded") and answers(sock), 10)
            tcp_echo(stream, 100_000)


def answers(sock):
    try:
        return sock.recv(100) == b"forwarded"
    except TimeoutError:
        return False
