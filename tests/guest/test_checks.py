# SPDX-License-Identifier: BSD-2-Clause
"""What stands in the way of driving a card is said, with what would mend it; and nothing changes."""

import pytest

import echo
from conftest import card, kernel_driver


def refused(guest, options, description="/sddf/echo.xml"):
    status, output = guest.try_run(f"sddf run {description} --seconds 5 {options}")
    assert status in (1, 2), output
    return output


@pytest.mark.parametrize("options, said", [
    ("--pci 0000:01:00.0", "driven by the kernel's virtio-pci; --take takes it"),
    ("--pci 02:00.0", "driven by the kernel's e1000e as eth"),
    ("--pci 0000:09:00.0 --take", "there is no PCI device 0000:09:00.0; of network cards there are "
                                  "0000:01:00.0 (1af4:1041"),
    ("--pci 1af4:1041 --take", "more than one PCI device 1af4:1041; name one by its address"),
    ("--pci eth0 --take", "\"eth0\" names no PCI device"),
    ("--pci 0000:00:1f.2 --take", "board linux_vfio has no card for 0000:00:1f.2 (8086:2922)"),
    ("--pci ethernet7=0000:01:00.0", "has no place for --pci ethernet7=0000:01:00.0"),
    ("-b linux_vfio", "Name it with --pci ethernet0="),
    ("--pci 0000:04:00.0 --take", "it goes around the IOMMU"),
], ids=["taken", "interface", "none", "several", "name", "card", "place", "unnamed", "around"])
def test_refused(guest, options, said):
    assert said in refused(guest, options)


def test_one_holder(guest):
    """Who has a card has it alone."""
    system = echo.Running(guest, "/sddf/echo.xml", card(0))
    assert "another \"sddf run\" has it" in refused(guest, f"--pci {card(0)} --take")
    assert guest.run(f"kill -0 {system.pid} && echo there") == "there"
    system.stop()


def test_permissions(guest):
    """Nobody special is told what to ask root for."""
    guest.run("grep -q nobody /etc/passwd")
    output = guest.try_run(f"su -s /bin/sh nobody -c '/sddf/sddf run /sddf/echo.xml --pci {card(0)} "
                           "--take'")[1]
    assert "takes root" in output


def test_an_iommu_is_not_given_up(guest):
    """Who asks to do without one, where there is one, is confined all the same."""
    system = echo.Running(guest, "/sddf/echo.xml", card(0), "--take --unsafe-no-iommu")
    assert "--unsafe-no-iommu is not needed" in system.log()
    assert "IOMMU group" in system.log()
    system.stop()
    assert "it goes around the IOMMU" in refused(guest, f"--pci {card(3)} --take --unsafe-no-iommu")


def test_wanted_back(guest):
    """Who unbinds the card from outside gets it: the system ends in order, and says why."""
    system = echo.Running(guest, "/sddf/echo.xml", card(0))
    guest.run(f"echo {card(0)} >/sys/bus/pci/drivers/vfio-pci/unbind")
    system.gone()
    assert "is wanted back: the system ends" in system.log()
    guest.wait_for(f"test $(basename $(readlink /sys/bus/pci/devices/{card(0)}/driver)) = "
                   f"{kernel_driver(0)}")
