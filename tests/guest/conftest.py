# SPDX-License-Identifier: BSD-2-Clause
"""One guest for all tests of a session: its cards are given back after each."""

import shutil
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent / "system"))

import image  # noqa: E402 (the path comes first)
import machine  # noqa: E402

VIRTIO = "virtio-net-pci,disable-legacy=on"
CARDS = [
    ("virtio", f"{VIRTIO},iommu_platform=on,mac=52:54:00:00:00:a0"),
    ("e1000e", "e1000e,mac=52:54:00:00:00:a1"),
    # Without MSI-X, so with a line for its interrupt; and with rings of both kinds.
    ("line", f"{VIRTIO},iommu_platform=on,vectors=0,packed=on,mac=52:54:00:00:00:a2"),
    ("around", f"{VIRTIO},iommu_platform=off,mac=52:54:00:00:00:a3"),  # the IOMMU
]


def pytest_configure(config):
    config.option.durations = 12
    config.option.durations_min = 0.5


def missing():
    if shutil.which("qemu-system-x86_64") is None:
        return "needs qemu-system-x86_64: ./setup.sh --guest installs it"
    if image.kernel() is None:
        return "needs a kernel in build-kernel/: ./setup.sh --guest fetches it"
    return None


@pytest.fixture(scope="session")
def initrd(tmp_path_factory):
    why = missing()
    if why is not None:
        pytest.skip(why)
    return image.build(tmp_path_factory.mktemp("guest") / "initrd")


@pytest.fixture(scope="session")
def shared_guest(initrd):
    guest = machine.Guest(CARDS, initrd)
    yield guest
    guest.close()


@pytest.fixture
def guest(shared_guest):
    yield shared_guest
    if shared_guest.try_run("pidof sddf")[0] == 0:  # A test that failed.
        shared_guest.run("for p in $(pidof sddf); do kill -9 $p; done; true")
        shared_guest.wait_for("! pidof sddf")
        shared_guest.run("sddf run /sddf/echo.xml -b linux_vfio >/dev/null 2>&1; true")
    all_given_back(shared_guest)


def all_given_back(guest):
    """Every card is its kernel driver's, and no record says otherwise."""
    assert drivers(guest) == [kernel_driver(index) for index in range(len(CARDS))]
    assert guest.run("ls /run/sddf-pci 2>/dev/null; true") == ""


def drivers(guest):
    links = " ".join(f"/sys/bus/pci/devices/{card(index)}/driver" for index in range(len(CARDS)))
    return guest.run(f"for link in {links}; do basename $(readlink $link); done").split()


def card(index):
    return f"0000:{1 + index:02x}:00.0"


def kernel_driver(index):
    return "e1000e" if CARDS[index][0] == "e1000e" else "virtio-pci"
