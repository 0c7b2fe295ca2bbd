# SPDX-License-Identifier: BSD-2-Clause
"""The echo system on real drivers and, as far as they can tell, real cards."""

import os

import pytest

import echo
from conftest import CARDS, card, kernel_driver

SIZES = [1, 22, 64, 512, 1471, 1472]


@pytest.mark.parametrize("index", range(3), ids=[name for name, _ in CARDS[:3]])
def test_echo(guest, index):
    """Packets of all sizes come back whole from both clients; then the card is the kernel's again."""
    interface = guest.run(f"ls -d /sys/bus/pci/devices/{card(index)}/*net* | wc -l; true")
    assert interface
    faults = guest.run("dmesg | grep -c 'DMAR: .DMA'; true")
    system = echo.Running(guest, "/sddf/echo.xml", card(index))
    said = system.log()
    how = "INTx" if CARDS[index][0] == "line" else "MSI-X"
    assert f"interrupts by {how}" in said
    assert f"is taken from the kernel's {kernel_driver(index)}" in said
    wire = guest.wires[index]
    echo.introduce(wire)
    for size in SIZES:
        for client in (echo.ALICE, echo.BOB):
            assert echo.echo(wire, client, os.urandom(size)), f"{size} bytes did not come back"
    # The same again and again: more than the rings have entries.
    for i in range(40):
        assert echo.echo(wire, echo.ALICE, i.to_bytes(4, "big") * 16)
    assert system.state()["devices"][0]["interface"] == card(index)
    system.stop()
    assert "faulted" not in system.log() and "died" not in system.log(), system.log()
    assert guest.run("dmesg | grep -c 'DMAR: .DMA'; true") == faults
    assert guest.run(f"basename $(readlink /sys/bus/pci/devices/{card(index)}/driver)") == \
        kernel_driver(index)


def test_link_goes_and_comes(guest):
    """The cable is pulled and put in again, time after time, with frames on their way."""
    system = echo.Running(guest, "/sddf/echo.xml", card(1))
    wire = guest.wires[1]
    echo.introduce(wire)
    for flap in range(1, 4):
        guest.link("e1000e", False)
        guest.wait_for(f"test $(grep -c 'link is down' {system.base}.log) = {flap}")
        for _ in range(20):
            wire.send(echo.udp(echo.ALICE, 7, bytes(100)))
        guest.link("e1000e", True)
        guest.wait_for(f"test $(grep -c 'link is up' {system.base}.log) = {flap + 1}")
        for client in (echo.ALICE, echo.BOB):
            assert echo.echo(wire, client, os.urandom(700))
    system.stop()
    assert "faulted" not in system.log() and "died" not in system.log(), system.log()


def test_packed_rings(guest):
    """The driver with the packed layout, on a card that has it, and on one that has not."""
    guest.run("sed 's/net_virtio_pci.elf/net_virtio_pci_packed.elf/' "
              "/sddf/platform/linux/boards/linux_vfio.xml >/tmp/packed.xml")
    system = echo.Running(guest, "/sddf/echo.xml", card(2), "--take -b /tmp/packed.xml")
    system.said("virtio-net.*, packed")
    echo.introduce(guest.wires[2])
    for size in SIZES:
        for client in (echo.ALICE, echo.BOB):
            assert echo.echo(guest.wires[2], client, os.urandom(size)), f"{size} bytes did not come back"
    for i in range(300):  # more than once round
        assert echo.echo(guest.wires[2], echo.ALICE, i.to_bytes(4, "big") * 16)
    system.stop()
    assert "faulted" not in system.log() and "died" not in system.log(), system.log()
    system = echo.Running(guest, "/sddf/echo.xml", card(0), "--take -b /tmp/packed.xml")
    system.said("does not offer what this driver needs")
    system.stop()


@pytest.mark.parametrize("kind", ["msi", "intx"])
def test_with_fewer_interrupts(guest, kind):
    """A card with two kinds of interrupts less: the driver has one for everything."""
    board = f"/tmp/{kind}.xml"
    guest.run(f"sed 's/driver=\"net_e1000e.elf\"/& interrupts=\"{kind}\"/' "
              f"/sddf/platform/linux/boards/linux_vfio.xml >{board}")
    system = echo.Running(guest, "/sddf/echo.xml", card(1), f"--take -b {board}")
    system.said("82574L.*one interrupt")
    assert f"interrupts by {'MSI' if kind == 'msi' else 'INTx'}\n" in system.log()
    echo.introduce(guest.wires[1])
    for i in range(40):
        assert echo.echo(guest.wires[1], echo.ALICE, i.to_bytes(4, "big") * 16)
    system.stop()


def test_two_at_once(guest):
    """Two systems, each with a card, on one machine."""
    systems = [echo.Running(guest, "/sddf/echo.xml", card(index)) for index in (0, 1)]
    for index in (0, 1):
        echo.introduce(guest.wires[index])
    for i in range(5):
        for index in (0, 1):
            assert echo.echo(guest.wires[index], echo.BOB, bytes([i, index]) * 30)
    for system in systems:
        system.stop()


def test_only_the_driver_has_the_card(guest):
    """The registers are mapped by the driver alone, and it maps no packet."""
    system = echo.Running(guest, "/sddf/echo.xml", card(0))
    holders = {}
    for pd in system.state()["pds"]:
        for region in pd["maps"]:
            holders.setdefault(region["region"], []).append(pd["name"])
    for name in ("ethernet0_registers", "ethernet0_rings", "ethernet0_config"):
        assert holders[name] == ["ethernet0_driver"]
    assert not any("ethernet0_driver" in who for name, who in holders.items()
                   if name.endswith("_data") or name.endswith("rx_dma"))
    driver = next(pd["pid"] for pd in system.state()["pds"] if pd["name"] == "ethernet0_driver")
    # And nothing of VFIO is left open there: what can be done with it is mapped.
    assert "vfio" not in guest.run(f"ls -l /proc/{driver}/fd")
    system.stop()
