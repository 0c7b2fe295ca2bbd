# SPDX-License-Identifier: BSD-2-Clause
"""The IOMMU at work. A driver gives its card addresses of memory that is none of the card's: another
protection domain's, a dead system's, the kernel's; and its own memory for what it may not do there.
Each attempt is one fault of the IOMMU's, with the card's and the address's name, and touches nothing.
With a mapping in place the very same descriptor does what it says."""

import os
import re
import struct
import time

import pytest

import echo
import machine

from conftest import CARDS, card
from image import HERE

READ, WRITE = 1, 2
RX_IO, TX_IO, HOLE_IO = 0x1_0001_0000, 0x1_0002_0000, 0x1_0010_0000
LENGTH = 256
FAULT = re.compile(r"DMAR: \[DMA (Read|Write) NO_PASID\] Request device \[(\S+)\] fault addr (0x\w+)")


class Attacker:
    """The system of hostile.xml on the first card."""

    def __init__(self, guest, mapping=""):
        self.guest, self.sequence = guest, 0
        text = (HERE / "hostile.xml").read_text().replace("@MAP@", mapping)
        guest.write("/tmp/hostile.xml", " ".join(text.split("\n")))
        self.system = echo.Running(guest, "/tmp/hostile.xml", card(0), "--take -b linux_vfio")
        self.system.said("hostile: ready")
        self.system.said("bystander: here")
        self.state = self.system.state()
        self.receive_leftovers()

    def region(self, name):
        number = next(region["fd"] for region in self.state["regions"] if region["name"] == name)
        return f"/proc/{self.state['loader']}/fd/{number}"

    def pd(self, name):
        return next(pd for pd in self.state["pds"] if pd["name"] == name)

    def fill(self, name, pattern):
        octal = "".join(f"\\{byte:03o}" for byte in pattern)
        self.guest.run(f"printf '{octal}' | dd of={self.region(name)} bs={len(pattern)} conv=notrunc 2>&-")

    def content(self, name, size=4096):
        text = self.guest.run(f"dd if={self.region(name)} bs={size} count=1 2>&- | hexdump -v -e '1/1 \"%02x\"'")
        return bytes.fromhex(text)

    def physical(self, name):
        """Where the bystander's memory really is."""
        bystander = self.pd("bystander")
        vaddr = next(entry["vaddr"] for entry in bystander["maps"] if entry["region"] == name)
        entry = self.guest.run(f"dd if=/proc/{bystander['pid']}/pagemap bs=8 skip={vaddr // 4096} count=1 "
                               "2>&- | hexdump -v -e '1/1 \"%02x\"'")
        number = int.from_bytes(bytes.fromhex(entry), "little") & (1 << 55) - 1
        assert number != 0, "pagemap shows no page numbers"
        return number * 4096

    def order(self, kind, address, length=LENGTH):
        """Has the driver give its card that address."""
        self.sequence += 1
        raw = struct.pack("<IIQI", self.sequence, kind, address, length)
        self.fill("orders", raw)
        done = "".join(f"{byte:02x}" for byte in struct.pack("<I", self.sequence))
        self.guest.wait_for(f"test $(dd if={self.region('orders')} bs=4 skip=5 count=1 2>&- | "
                            f"hexdump -v -e '1/1 \"%02x\"') = {done}")

    def attempt(self, kind, address):
        """The order; and for a write one frame to be sent to the card, that makes it carry it out."""
        self.guest.wires[0].drain()
        self.order(kind, address)
        if kind == READ:
            return None
        sent = frame()
        assert self.guest.wires[0].send(sent)
        return sent

    def receive_leftovers(self):
        """What was sent while the card had nothing to receive into waits in its cable, and the next
        order would get that: until nothing comes by itself."""
        before = None
        while before != self.content("rx"):
            before = self.content("rx")
            self.order(WRITE, RX_IO)
            time.sleep(0.3)

    def lands(self, name, address):
        """A write that succeeds: the frame is in the region, and nothing of it is missing."""
        what = self.attempt(WRITE, address)
        end = time.monotonic() + machine.ANSWER_S
        while self.content(name)[:LENGTH] != what:
            assert time.monotonic() < end, f"no frame came to {name}"
            time.sleep(0.1)

    def leaves(self, address, secret):
        """A read that succeeds: what is there goes out on the wire."""
        self.attempt(READ, address)
        assert self.guest.wires[0].expect(lambda got: got[:LENGTH] == secret, machine.ANSWER_S) is not None, \
            f"nothing left from {address:#x}"

    def stop(self):
        self.system.stop()


class Faults:
    """The IOMMU's faults, as the kernel reports them.

    It reports them by halves: of what it says about faults, it lets ten pass in five seconds, and
    counts three for each (the interrupt, the fault, and the look for a second one). A fourth fault
    in that time happens, and nobody hears of it. So attempts keep a distance."""

    WINDOW_S, IN_WINDOW = 5, 3

    def __init__(self, guest):
        self.guest = guest
        self.before = len(self.all())

    def all(self):
        return FAULT.findall(self.guest.run("dmesg | grep 'DMAR: .DMA'; true"))

    def new(self):
        return self.all()[self.before:]

    def make_room(self):
        """Until the kernel would report one more."""
        while True:
            stamps = re.findall(r"\[ *([0-9.]+)\] DMAR: .DMA",
                                self.guest.run("dmesg | grep 'DMAR: .DMA'; true"))
            up = float(self.guest.run("cut -d ' ' -f 1 /proc/uptime"))
            recent = [float(stamp) for stamp in stamps if float(stamp) > up - self.WINDOW_S - 0.5]
            if len(recent) < self.IN_WINDOW:
                return
            time.sleep(0.2)

    def wait(self, count, seconds=machine.ANSWER_S):
        """Until there are so many new ones; then a while, in which there must not be more."""
        end = time.monotonic() + seconds
        while len(self.new()) < count and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(0.3)
        assert "callbacks suppressed" not in self.guest.run("dmesg | grep dmar_fault; true")
        return self.new()


def frame():
    return (b"\x02\0\0\0\0\x99" + b"\x02\0\0\0\0\xfe" + b"\x88\xb5" + os.urandom(LENGTH - 14))


def kernel_code(guest):
    line = guest.run("grep 'Kernel code' /proc/iomem")
    return int(line.split("-")[0], 16)


@pytest.fixture
def freed(guest):
    """The address of memory that a system had, which has ended."""
    attacker = Attacker(guest)
    address = attacker.physical("victim")
    attacker.stop()
    return address


def nothing_on_the_wire(wire, secrets):
    """Of what the card sent, nothing has a piece of what it must not have read."""
    pieces = [secret[i:i + 8] for secret in secrets for i in range(0, len(secret) - 8, 8)]
    pieces = [piece for piece in pieces if len(set(piece)) > 3]  # Zeros say nothing.
    while (frame := wire.receive(0.3)) is not None:
        for piece in pieces:
            assert piece not in frame, "the card sent what it must not read"


def test_blocked_and_counted(guest, freed):
    other = echo.Running(guest, "/sddf/echo.xml", card(1))
    echo.introduce(guest.wires[1])
    attacker = Attacker(guest)
    secret = os.urandom(LENGTH)
    for name in ("victim", "rx", "tx"):
        attacker.fill(name, secret)
    victim, code = attacker.physical("victim"), kernel_code(guest)
    before = {address: guest.memory(address, 4096) for address in (victim, code, freed)}
    assert before[victim][:LENGTH] == secret
    # And where nobody has anything, in the card's own space; and what it may send, but not write to.
    attempts = [(kind, address) for address in (victim, freed, code, HOLE_IO) for kind in (READ, WRITE)]
    attempts.append((WRITE, TX_IO))
    faults = Faults(guest)
    for count, (kind, address) in enumerate(attempts, 1):
        faults.make_room()
        attacker.attempt(kind, address)
        seen = faults.wait(count)
        assert len(seen) == count, f"attempt {count} ({kind}, {address:#x}): {seen}"
        how, device, where = seen[-1]
        assert (how, device, int(where, 16)) == ("Read" if kind == READ else "Write", card(0)[5:],
                                                 address), seen
        nothing_on_the_wire(guest.wires[0], [before[victim], before[code][:LENGTH],
                                             before[freed][:LENGTH]] if kind == READ else [])
        assert echo.echo(guest.wires[1], echo.ALICE, os.urandom(200)), "the other card's system is gone"
    # Memory, seen from outside the guest. (Of what was freed, others may have made something.)
    assert guest.memory(victim, 4096) == before[victim]
    assert guest.memory(code, 4096) == before[code]
    for name in ("victim", "rx", "tx"):
        assert attacker.content(name)[:LENGTH] == secret
    assert len(faults.new()) == len(attempts)
    # In its own memory, the right way round, the same driver succeeds: it could do it all along.
    attacker.leaves(TX_IO, secret)
    attacker.lands("rx", RX_IO)
    assert len(faults.new()) == len(attempts)
    attacker.stop()
    other.stop()


def test_the_same_with_the_mapping_lands(guest):
    """The address that was blocked, now mapped for the card."""
    attacker = Attacker(guest)
    address = attacker.physical("victim")
    faults = Faults(guest)
    faults.make_room()
    attacker.attempt(READ, address)
    assert len(faults.wait(1)) == 1
    attacker.stop()

    attacker = Attacker(guest, f'<iomap mr="victim" iovaddr="{address:#x}" perms="rw"/>')
    secret = os.urandom(LENGTH)
    attacker.fill("victim", secret)
    attacker.leaves(address, secret)
    attacker.lands("victim", address)
    assert len(faults.wait(1)) == 1
    attacker.stop()


def test_huge_pages_where_the_region_has_them(guest):
    """... for the card and for the processor; what the card reaches is pinned."""
    attacker = Attacker(guest)
    assert "no huge pages are free" not in attacker.system.log()
    bystander = attacker.pd("bystander")
    vaddr = next(entry["vaddr"] for entry in bystander["maps"] if entry["region"] == "large")
    page = guest.run(f"sed -n '/^0*{vaddr:x}-/,/^VmFlags/s/^KernelPageSize: *//p' /proc/{bystander['pid']}/smaps")
    assert page == "2048 kB"
    attacker.stop()


def test_after_the_driver_was_killed(guest):
    """A driver dies while its card has buffers: the card goes on with what it was given, within its
    mappings, until the system ends; then it does nothing any more, though frames still come."""
    attacker = Attacker(guest)
    wire = guest.wires[0]
    secret = os.urandom(LENGTH)
    attacker.fill("victim", secret)
    victim = attacker.physical("victim")
    faults = Faults(guest)
    faults.make_room()
    attacker.order(WRITE, victim)
    guest.run(f"kill -9 {attacker.pd('hostile')['pid']}")
    attacker.system.said("hostile.*killed")
    assert wire.send(frame())
    seen = faults.wait(1)
    assert [(how, int(where, 16)) for how, _, where in seen] == [("Write", victim)], seen
    assert attacker.content("victim")[:LENGTH] == secret
    attacker.stop()

    # With a good address: the kill comes between the order and its frame, the frame after the end.
    attacker = Attacker(guest)
    rx = attacker.physical("rx")
    attacker.order(WRITE, RX_IO)
    guest.run(f"kill -9 {attacker.pd('hostile')['pid']}")
    attacker.stop()
    late = frame()
    for _ in range(20):
        wire.send(late)
        time.sleep(0.02)
    assert late not in guest.memory(rx, 4096)
    assert len(faults.new()) == 1
