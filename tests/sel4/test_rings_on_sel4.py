# SPDX-License-Identifier: BSD-2-Clause
"""Hardware rings of one and of eight entries, which the description asks for: packet tests again."""

# pylint: disable=unused-import
import pytest

import qemu  # noqa: F401 (first: it knows where the others are)
import lib
from conftest import BOARD, CONFIG
from services import tcp_echo
from test_packets import (test_answers_have_right_checksums, test_bytes_copied,  # noqa: F401
                          test_tcp_connections_at_once, test_two_clients_at_once,
                          test_udp_echo_of_every_length)


@pytest.fixture(scope="module", params=[1, 8])
def echo(boot, request, tmp_path_factory):
    text = lib.ECHO.read_text().replace("<network ", f'<network ring_size="{request.param}" ')
    description = tmp_path_factory.mktemp("rings") / f"echo_rings_{request.param}.xml"
    description.write_text(text)
    system = boot(BOARD, CONFIG, description=description)
    system.ring = request.param
    yield system
    system.stop()


def test_no_more_is_under_way(echo):
    """The driver has told the device of a ring of this size, and no larger one."""
    queues = echo.monitor.ask("x-query-virtio")
    path = next(device["path"] for device in queues if device["name"] == "virtio-net")
    sizes = [echo.monitor.ask("x-query-virtio-queue-status", path=path, queue=queue)["vring-num"]
             for queue in (0, 1)]
    assert sizes == [echo.ring] * 2


def test_a_megabyte(echo, lab):
    with lab.tcp(echo.clients[0].ip, timeout=60) as sock:
        tcp_echo(sock, 1_000_000)
