# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: the echo system on seL4, under the names that the packet tests know from Linux."""

import os

import pytest

import qemu
import boards
import build
import lib

BOARD = os.environ.get("BOARD", "qemu_virt_aarch64")
CONFIG = os.environ.get("CONFIG", "debug")

# What a test runs on that is not about one board alone: the one that was asked for, or all.
BOARDS = [BOARD] if "BOARD" in os.environ else list(boards.BOARDS)
CONFIGS = [CONFIG] if "CONFIG" in os.environ else ["debug", "release"]


@pytest.fixture(scope="session")
def lab():
    try:
        boards.check_network()
    except boards.Missing as why:
        pytest.skip(str(why))
    namespace = lib.bench_lab.Namespace()
    try:
        yield qemu.Lab(namespace)
    finally:
        namespace.close()


@pytest.fixture(scope="session")
def boot(lab, tmp_path_factory):
    """Boots the echo system: boot(board, config); everything is stopped at the end. Another
    description has the same clients."""
    systems = []

    def start(name, config, device_options="", machine_options=(), description=lib.ECHO,
              board_file=None):
        board = boards.find_board(name)
        why = qemu.missing(board, config)
        if why is not None:
            pytest.skip(why)
        image = build.build_system(board, config, description, board_file)
        for system in systems:
            system.end_by_force()  # There is one interface.
        systems.append(qemu.System(lab, tmp_path_factory.mktemp("sel4"), board, image,
                                   device_options, machine_options))
        return systems[-1].start()

    yield start
    for system in systems:
        system.end_by_force()


@pytest.fixture(scope="module")
def echo(boot):
    system = boot(BOARD, CONFIG)
    yield system
    system.stop()


@pytest.fixture
def wire(echo, lab):
    wire = lab.wire()
    yield wire
    wire.close()
