# SPDX-License-Identifier: BSD-2-Clause
"""Every board in every configuration boots and serves; so does a device with short queues."""

import pytest

import boards
from services import tcp_echo


@pytest.mark.parametrize("config", boards.CONFIGS)
@pytest.mark.parametrize("board", boards.BOARDS)
def test_boots_and_serves(boot, lab, board, config):
    system = boot(board, config)
    system.check_services()
    for client in system.clients:
        with lab.tcp(client.ip) as sock:
            tcp_echo(sock, 200_000)
    output = system.output()
    if config == "debug":
        assert "is up" in output
    else:
        assert "is up" not in output, "the Microkit's debug output is silent in this configuration"
    system.stop()
