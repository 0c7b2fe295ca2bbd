# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: the network for the whole session, and systems that are audited after every test."""

import os
import shutil

import pytest

import lib
from pds import run, run_as  # noqa: F401 (fixtures)


def pytest_configure(config):
    config.option.durations = 12
    config.option.durations_min = 0.5


def missing():
    """Why this machine cannot run the tests, or None."""
    if os.geteuid() != 0:
        return "needs root: network namespaces and other processes' memory"
    for tool in ("ip", "ethtool", "sysctl"):
        if shutil.which(tool) is None:
            return f"needs {tool}: ./setup.sh installs it"
    for program in (lib.SDDF, lib.AUDIT):
        if not program.exists():
            return f"{program} is not built: make"
    return None


@pytest.fixture(scope="session")
def lab():
    why = missing()
    if why is not None:
        pytest.skip(why)
    with lib.Lab() as lab:
        yield lab


@pytest.fixture
def wire(lab):
    wire = lab.wire()
    yield wire
    wire.close()


class Keeper:
    """The echo system that tests share. It is started when a test wants it, and makes room when a
    test wants the interface for systems of its own."""

    def __init__(self, lab, folder):
        self.lab, self.folder, self.count, self.system = lab, folder, 0, None

    def running(self):
        if self.system is None:
            self.count += 1
            folder = self.folder / str(self.count)
            folder.mkdir()
            self.system = lib.System(self.lab, folder).start()
        return self.system

    def stop(self):
        system, self.system = self.system, None
        if system is not None:
            try:
                system.stop()
            finally:
                system.end_by_force()


@pytest.fixture(scope="module")
def keeper(lab, tmp_path_factory):
    keeper = Keeper(lab, tmp_path_factory.mktemp("system"))
    yield keeper
    keeper.stop()


@pytest.fixture
def echo(keeper):
    """The module's echo system. After every test each of its buffers is in exactly one place."""
    system = keeper.running()
    yield system
    if system.process.poll() is not None:
        keeper.system = None
        pytest.fail(f"the system has ended:\n{system.output()}")
    try:
        system.assert_account()
    except AssertionError:
        keeper.stop()  # Later tests are not to suffer from this one.
        raise


@pytest.fixture
def alone(keeper):
    """The interface is free for systems of the test's own."""
    keeper.stop()


@pytest.fixture
def fresh(lab, alone, tmp_path):
    """Starts echo systems for one test alone; each is audited and stopped at its end."""
    systems = []

    def start(**kwargs):
        folder = tmp_path / f"system{len(systems)}"
        folder.mkdir()
        systems.append(lib.System(lab, folder, **kwargs))
        return systems[-1].start()

    try:
        yield start
        for system in systems:
            if system.process.poll() is None:
                if system.account is not None:
                    system.assert_account(**system.account)
                system.stop()
    finally:
        for system in systems:
            system.end_by_force()
