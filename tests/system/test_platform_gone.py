# SPDX-License-Identifier: BSD-2-Clause
"""The network interface is deleted while the system runs."""

import re
import time

import pytest

import lib


def wake_ups_per_second(system, pd):
    before, began = system.stats(pd)["wakeups"], time.monotonic()
    time.sleep(1)
    return (system.stats(pd)["wakeups"] - before) / (time.monotonic() - began)


def add(lab, name, board):
    if board == "linux_tap":
        lab.system.run(["ip", "tuntap", "add", name, "mode", "tap"])
    else:
        lab.system.run(["ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p"])
        lab.system.run(["ip", "link", "set", f"{name}p", "up"])
    lab.system.run(["ip", "link", "set", name, "up"])


@pytest.mark.parametrize("board, made_before", [("linux", True), ("linux_tap", True),
                                                ("linux_tap", False)])
def test_interface_gone(lab, tmp_path, board, made_before):
    """The loader says so once and in words, the driver does not spin, everybody lives on, and the end
    is an orderly one. Others' interfaces that go are no concern of its."""
    names = ("gone0", "other0") if made_before else ("other0",)
    for name in names:
        add(lab, name, board)
    system = lib.System(lab, tmp_path, options=["-b", board, "--netdev", "gone0"], netdev=False)
    try:
        system.start(60)
        lab.system.run(["ip", "link", "del", "other0"])
        time.sleep(0.3)
        assert " is gone" not in system.output()
        lab.system.run(["ip", "link", "del", "gone0"])
        said = "sddf: ethernet0: interface gone0 is gone; end the system and start it again when there is one"
        assert lib.wait_until(lambda: said in system.output(), 5), system.output()
        # What retries does so at leisure: 5,000 times in a second at most. A loop would be 100,000.
        assert wake_ups_per_second(system, "ethernet0_driver") < 10000
        for pd in system.state["pds"]:
            assert lib.alive(pd["pid"]), f"{pd['name']} died:\n{system.output()}"
        assert system.process.poll() is None
        system.stop()
        assert system.output().count(" is gone") == 1
        assert not re.search("fault|dead", system.output())
    finally:
        system.end_by_force()
        for name in ("gone0", "other0"):
            lab.system.run(["ip", "link", "del", name], check=False)
