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
from conftest import BOARDS, CONFIGS
from services import tcp_echo

TICKER = lib.ROOT / "tests" / "platform" / "ticker.xml"

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


def test_cache_maintenance(boot, lab, tmp_path):
    """A board that asks for it gets it: the kernel lets the virtualisers do it. (QEMU has no caches
    that could show that it is enough.)"""
    text = (boards.HERE / "boards" / "qemu_virt_aarch64.xml").read_text()
    board_file = tmp_path / "incoherent.xml"
    board_file.write_text(text.replace('coherent="true"', 'coherent="false"'))
    system = boot("qemu_virt_aarch64", "debug", board_file=board_file)
    system.check_services()
    with lab.tcp(system.clients[0].ip, timeout=60) as sock:
        tcp_echo(sock, 1_000_000)
    system.stop()


class Machine:
    """QEMU with its network in user space; `start` ends when the console has said `wanted`."""

    def __init__(self, folder, board, image, netdev, options):
        self.log = folder / "log"
        self.command = board.qemu_command(image, netdev, serial=f"file:{self.log}")
        self.command += ["-monitor", "none", *options]

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


def machine(folder, name, config, description, netdev="user", options=()):
    board, image = image_of(name, config, description)
    return Machine(folder, board, image, netdev, options)


@every_board
def test_timer(lab, tmp_path, board):
    """Timeouts come, never before their time; how late is the emulator's business, and that of
    whatever else the machine does: the next test counts instructions."""
    with machine(tmp_path, board, "debug", TICKER) as ticker:
        ticker.wait_for("ticker: done")
        output = ticker.output()
    ends = [int(end) for end in re.findall(r"period ended at (\d+) us", output)]
    assert len(ends) == 10
    for count, end in enumerate(ends, 1):
        assert count * 20_000 <= end
    assert int(re.search(r"single after (\d+) us", output).group(1)) >= 50_000
    assert "cancelled" not in output


@every_board
def test_timer_to_the_instruction(lab, tmp_path, board):
    """Where an instruction takes a nanosecond and nothing else takes any time, a timeout is as late
    as the way to its client is long, and no deadline drifts."""
    options = ("-icount", "shift=0,sleep=off")
    with machine(tmp_path, board, "debug", TICKER, options=options) as ticker:
        ticker.wait_for("ticker: done")
        output = ticker.output()
    ends = [int(end) for end in re.findall(r"period ended at (\d+) us", output)]
    late = [end - 20_000 * count for count, end in enumerate(ends, 1)]
    late.append(int(re.search(r"single after (\d+) us", output).group(1)) - 50_000)
    print(f"{board}: late by {late} us")
    assert len(late) == 11 and min(late) >= 0 and max(late) < 100


@pytest.mark.parametrize("board", BOARDS)
def test_dhcp_and_forwarded_ports_on_sel4(lab, tmp_path, board):
    """One client asks QEMU's own server for its address; the other's services are forwarded, as
    sel4-run has them."""
    text = lib.ECHO.read_text().replace('ip="10.0.0.11/24"', 'ip="dhcp"')
    assert "dhcp" in text
    description = tmp_path / "echo_dhcp.xml"
    description.write_text(text)
    netdev, lines = forwarding.user_network(description)
    assert len(lines) == 1
    with machine(tmp_path, board, CONFIGS[-1], description, netdev) as echo:
        echo.wait_for("alice: 10.0.0.10 is up")
        echo.wait_for("bob: 10.0.0.15 is up")  # the first that QEMU's server gives out
        with lib.inside(echo.namespace):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            stream = socket.create_connection(("127.0.0.1", 11236), 60)
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
