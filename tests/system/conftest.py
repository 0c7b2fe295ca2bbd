# SPDX-License-Identifier: BSD-2-Clause
"""Fixtures: the network for the whole session, and systems that are audited after every test."""

import os
import shutil

import pytest

import lib


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


@pytest.fixture(scope="module")
def shared(lab, tmp_path_factory):
    """One echo system for all tests of a module; use `echo`, which audits it."""
    system = lib.System(lab, tmp_path_factory.mktemp("system")).start()
    try:
        yield system
        system.stop()
    finally:
        system.end_by_force()


@pytest.fixture
def echo(shared):
    """The module's echo system. After every test each of its buffers is in exactly one place."""
    yield shared
    assert shared.process.poll() is None, f"the system has ended:\n{shared.output()}"
    shared.assert_account()


@pytest.fixture
def fresh(lab, tmp_path):
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
