# SPDX-License-Identifier: BSD-2-Clause
"""Other machines: one with AMD's IOMMU, which tells reading from writing, and one with none."""

import os

import pytest

import echo
import machine
import packets
from conftest import CARDS, VIRTIO
from test_dma import LENGTH, READ, RX_IO, Attacker

VIRTIO_CARD, E1000E_CARD = "0000:01:00.0", "0000:02:00.0"
FREE_PAGES = "cat /sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
AGAIN_IO = 0x1_0200_0000


def driver(guest, card):
    return guest.run(f"basename $(readlink /sys/bus/pci/devices/{card}/driver)")


def end_what_is_left(guest):
    guest.run("for p in $(pidof sddf); do kill -9 $p; done; true")
    guest.wait_for("! pidof sddf")
    guest.run("sddf run /sddf/echo.xml -b linux_vfio >/dev/null 2>&1; true")


# ---- AMD's IOMMU -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def amd(initrd):
    guest = machine.Guest(CARDS[:2], initrd, iommu="amd")
    yield guest
    guest.close()


@pytest.mark.parametrize("index", range(2), ids=[name for name, _ in CARDS[:2]])
def test_amd_echo(amd, index):
    system = echo.Running(amd, "/sddf/echo.xml", f"0000:0{1 + index}:00.0")
    echo.introduce(amd.wires[index])
    for size in (1, 64, 1472):
        for client in (echo.ALICE, echo.BOB):
            assert echo.echo(amd.wires[index], client, os.urandom(size))
    system.stop()


def test_received_is_not_sent(amd):
    """
    What the card receives into it may not read: a transmit from there is blocked, and the same order
    with a mapping to read by is carried out. (Intel's IOMMU could tell the two apart as well, but
    Linux gives reading with writing there. QEMU's AMD IOMMU blocks, and reports nothing.)
    """
    secret = os.urandom(LENGTH)
    attacker = Attacker(amd)
    attacker.fill("rx", secret)
    attacker.fill("tx", bytes(range(1, 251)))
    attacker.attempt(READ, RX_IO)
    # What is sent in its place is nothing of the memory's; it has been when the next one is.
    leaked = []
    attacker.order(READ, 0x1_0002_0000)
    sent = amd.wires[0].expect(lambda frame: leaked.append(frame) or frame[:250] == bytes(range(1, 251)),
                               machine.ANSWER_S)
    assert sent is not None, "what may be sent is not sent either"
    assert not any(secret[i:i + 8] in frame for frame in leaked for i in range(0, LENGTH - 8, 8))
    assert attacker.content("rx")[:LENGTH] == secret
    attacker.lands("rx", RX_IO)  # and writing there is what the card may do
    attacker.stop()

    attacker = Attacker(amd, f'<iomap mr="rx" iovaddr="{AGAIN_IO:#x}" perms="r"/>')
    attacker.fill("rx", secret)
    attacker.leaves(AGAIN_IO, secret)
    attacker.stop()


# ---- no IOMMU --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def bare_machine(initrd):
    guest = machine.Guest([("virtio", f"{VIRTIO},mac=52:54:00:00:00:b0"),
                           ("e1000e", "e1000e,mac=52:54:00:00:00:b1")], initrd, iommu=None)
    yield guest
    guest.close()


@pytest.fixture
def bare(bare_machine):
    pages = bare_machine.run(FREE_PAGES)
    yield bare_machine
    end_what_is_left(bare_machine)
    assert [driver(bare_machine, card) for card in (VIRTIO_CARD, E1000E_CARD)] == ["virtio-pci", "e1000e"]
    assert bare_machine.run("ls /run/sddf-pci 2>/dev/null; true") == ""
    bare_machine.wait_for(f"test $({FREE_PAGES}) = {pages}")


WARNING = "can read and write all memory of this machine"


def test_refused_unless_asked_for(bare):
    for card in (VIRTIO_CARD, E1000E_CARD):
        status, output = bare.try_run(f"sddf run /sddf/echo.xml --pci {card} --take --seconds 5")
        assert status == 1
        assert "no IOMMU stands between it and memory" in output
        assert "intel_iommu=on" in output
        assert WARNING not in output


@pytest.mark.parametrize("card, kernels", [(VIRTIO_CARD, "virtio-pci"), (E1000E_CARD, "e1000e")],
                         ids=["virtio", "e1000e"])
def test_unsafe_echo(bare, card, kernels):
    """Asked for, it works, and each start says what it means."""
    wire = bare.wires[(VIRTIO_CARD, E1000E_CARD).index(card)]
    for _ in range(2):
        system = echo.Running(bare, "/sddf/echo.xml", card, "--take --unsafe-no-iommu")
        said = system.log()
        assert f"no IOMMU stands between {card} and memory" in said and WARNING in said
        assert f"is taken from the kernel's {kernels}" in said
        assert "NO IOMMU: it can reach all memory; interrupts by INTx" in said
        echo.introduce(wire)
        for size in (1, 64, 1472):
            for client in (echo.ALICE, echo.BOB):
                assert echo.echo(wire, client, os.urandom(size))
        for i in range(40):
            assert echo.echo(wire, echo.ALICE, i.to_bytes(4, "big") * 16)
        # What the card reaches is where the pages really are.
        assert driver(bare, card) == "uio_pci_generic"
        system.stop()
        assert "faulted" not in system.log() and "died" not in system.log(), system.log()
        assert driver(bare, card) == kernels


@pytest.mark.parametrize("who", ["loader", "parent", "both"])
def test_unsafe_killed(bare, who):
    """Whoever dies, the card has stopped reaching memory, and is the kernel's in the end."""
    system = echo.Running(bare, "/sddf/echo.xml", VIRTIO_CARD, "--take --unsafe-no-iommu")
    echo.introduce(bare.wires[0])
    loader = system.state()["loader"]
    victims = {"loader": [loader], "parent": [system.pid], "both": [system.pid, loader]}[who]
    bare.run(f"kill -9 {' '.join(map(str, victims))}")
    bare.wait_for("! pidof sddf")
    if who == "both":
        assert driver(bare, VIRTIO_CARD) == "uio_pci_generic"
        # Bit 2 of the command register: bus master.
        command = bare.run(f"dd if=/sys/bus/pci/devices/{VIRTIO_CARD}/config bs=1 skip=4 count=1 2>&- | "
                           "hexdump -v -e '1/1 \"%02x\"'")
        assert int(command, 16) & 4 == 0, "the card may still reach memory"
        output = bare.try_run("sddf run /sddf/echo.xml -b linux_vfio")[1]
        assert "was killed and left" in output
    bare.wait_for(f"test $(basename $(readlink /sys/bus/pci/devices/{VIRTIO_CARD}/driver)) = virtio-pci")
    # For the kernel it works.
    interface = bare.run(f"find -L /sys/bus/pci/devices/{VIRTIO_CARD}/ -maxdepth 3 -path '*/net/*' | "
                         "head -n 1 | sed 's#.*/##'")
    bare.run(f"ip addr add 10.1.0.2/24 dev {interface} && ip link set {interface} up")
    ask = packets.ethernet(packets.BROADCAST, echo.HOST_MAC, packets.ETH_ARP,
                           packets.arp(1, echo.HOST_MAC, "10.1.0.1", "00:00:00:00:00:00", "10.1.0.2"))
    answer = bare.wires[0].ask(ask, lambda frame: frame[12:14] == b"\x08\x06" and frame[20:22] == b"\0\x02")
    bare.run(f"ip link set {interface} down && ip addr flush dev {interface}")
    assert answer is not None


def test_unsafe_takes_huge_pages(bare):
    pages = bare.run("cat /proc/sys/vm/nr_hugepages")
    bare.run("echo 0 >/proc/sys/vm/nr_hugepages")
    output = bare.try_run(f"sddf run /sddf/echo.xml --pci {VIRTIO_CARD} --take --unsafe-no-iommu")[1]
    assert WARNING in output
    assert "the card needs huge pages, and none are free" in output
    bare.run("echo 2 >/proc/sys/vm/nr_hugepages")
    output = bare.try_run(f"sddf run /sddf/echo.xml --pci {VIRTIO_CARD} --take --unsafe-no-iommu")[1]
    assert "bytes of memory, and with" in output
    bare.run(f"echo {pages} >/proc/sys/vm/nr_hugepages")
    bare.wait_for(f"test $({FREE_PAGES}) = {pages}")


def test_unsafe_is_roots(bare):
    """Nobody special cannot find out where memory is."""
    output = bare.try_run(f"su -s /bin/sh nobody -c '/sddf/sddf run /sddf/echo.xml --pci {VIRTIO_CARD} "
                          "--take --unsafe-no-iommu'")[1]
    assert "root" in output
