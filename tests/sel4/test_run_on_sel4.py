# SPDX-License-Identifier: BSD-2-Clause
"""`make sel4-run`: the console in a terminal, where all keys are the system's but Ctrl-C. And Ctrl-C
during `make sel4`."""

import os
import select
import socket
import termios

import pytest

import qemu
import boards
import build
import lib
from conftest import BOARD, BOARDS, CONFIG, CONFIGS
from terminal import on_terminal, read_until, wait_for_end

BOOT = lib.ROOT / "platform" / "microkit" / "boot.py"
NEXT_CLIENT = b"\x1cn"
CTRL_Z, CTRL_C = b"\x1a", b"\x03"


@pytest.mark.parametrize("board", BOARDS)
def test_run_on_sel4(lab, board):
    """Whoever types sees who gets it; the ports are there; Ctrl-C ends it all, and the terminal is as
    it was."""
    del lab
    config = CONFIGS[-1]
    why = qemu.missing(boards.find_board(board), config)
    if why is not None:
        pytest.skip(why)
    build.build_system(boards.find_board(board), config, lib.ECHO)  # However long that takes.
    namespace = lib.bench_lab.Namespace()
    namespace.run(["ip", "link", "set", "lo", "up"])
    try:
        with on_terminal([BOOT, "--board", board, "--config", config], namespace) as (master, pid):
            before = termios.tcgetattr(master)
            read_until(master, b"Ctrl-C ends it.")
            read_until(master, b"alice: 10.0.0.10 is up")
            os.write(master, CTRL_Z + NEXT_CLIENT)
            read_until(master, b"input goes to bob")
            with lib.inside(namespace), socket.create_connection(("127.0.0.1", 21236), 20) as stream:
                stream.sendall(b"forwarded")
                assert stream.recv(100) == b"forwarded"
            family = lib.descendants(pid)
            assert family
            os.write(master, CTRL_C)
            assert wait_for_end(master, pid) == 0
            assert termios.tcgetattr(master) == before
            assert lib.wait_until(lambda: not any(map(lib.alive, family)), 20)
    finally:
        namespace.close()


def emulators(family):
    return {pid for pid in family if lib.process_name(pid).startswith("qemu-system")}


def test_ctrl_c_ends_make_sel4(lab):
    """While its first system runs: what make, the tests and they in turn have started is gone."""
    del lab
    why = qemu.missing(boards.find_board(BOARD), CONFIG)
    if why is not None:
        pytest.skip(why)
    command = ["/usr/bin/make", "-C", lib.ROOT, "sel4", "SETUP=true", f"BOARD={BOARD}", f"CONFIG={CONFIG}"]
    said = b""
    with on_terminal(command) as (master, pid):
        while not emulators(family := lib.descendants(pid)):
            if select.select([master], [], [], 0.1)[0]:
                said += os.read(master, 4096)
            assert lib.alive(pid), said
        os.write(master, CTRL_C)
        assert wait_for_end(master, pid) != 0
        assert lib.wait_until(lambda: not any(map(lib.alive, family)), 20)
