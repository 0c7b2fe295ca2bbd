# SPDX-License-Identifier: BSD-2-Clause
"""Hostile clients, copiers and drivers next to an honest client: it gets all of its answers, what
the hostile ones make up is refused and counted by their neighbours, and no buffer is lost."""

import re
import shutil
import struct
import time

import pytest

import lib
from services import pattern
from test_floods import drops

ACTS = 30  # of misbehaving, at least, in each test
ANSWERS = 30  # that the honest client has to give meanwhile

VIRT_RX, VIRT_TX = "ethernet0_virt_rx", "ethernet0_virt_tx"
COPIER, DRIVER, CLIENT = "ethernet0_copy_mallory", "ethernet0_driver", "mallory"
ROWS = {"alice": 1, "mallory": 2}  # of the virtualisers' statistics

# By role: description, who is replaced by what, whose statistics' last row takes the orders, and
# the behaviours by their numbers (from 1), each with the refusals that it must lead to.
ROLES = {
    "client": ("hostile_client.xml", {}, CLIENT, {
        "sends a buffer twice": (VIRT_TX, 2, "refused_owner"),
        "sends from others' regions": (VIRT_TX, 2, "refused_address"),
        "sends from anywhere": (VIRT_TX, 2, "refused_address"),
        "sends across a buffer's end": (VIRT_TX, 2, "refused_address"),
        "sends lengths up to 65535": (VIRT_TX, 2, "refused_length"),
        "wants impossible checksums": (VIRT_TX, 2, "refused_flags"),
        "sends in another's name": (VIRT_TX, 2, "refused_mac"),
        "lies by ARP": (VIRT_TX, 2, "refused_arp"),
        "has an index that jumps, sending": (VIRT_TX, 2, "refused_address"),
        "has taken free buffers that are none": None,
        "returns a buffer twice": (COPIER, 0, "refused_owner"),
        "returns buffers from anywhere": (COPIER, 0, "refused_address"),
        "has an index that jumps, returning": (COPIER, 0, "refused_address"),
        "has taken frames that are none": None,
        "writes over headers and marks": None,
        "notifies without end": None,
        "is silent": (COPIER, 0, "drop_no_buffer", "drop_full"),
    }),
    "copier": ("hostile_neighbours.xml", {"net_copy": "hostile_copy"}, COPIER, {
        "returns a buffer twice": (VIRT_RX, 2, "refused_owner"),
        "returns others' buffers": (VIRT_RX, 2, "refused_owner"),
        "returns buffers from anywhere": (VIRT_RX, 2, "refused_address"),
        "has an index that jumps, returning": (VIRT_RX, 2, "refused_address"),
        "has taken frames that are none": None,
        "delivers a buffer several times": (CLIENT, 0, "refused_owner"),
        "delivers from anywhere": (CLIENT, 0, "refused_address"),
        "delivers lengths up to 65535": (CLIENT, 0, "refused_length"),
        "has an index that jumps, delivering": (CLIENT, 0, "refused_address"),
        "has taken free buffers that are none": None,
        "writes over headers and marks": None,
        "notifies without end": None,
        "is silent": None,
    }),
    "driver": ("hostile_neighbours.xml", {"net_linux_xdp": "hostile_driver"}, DRIVER, {
        "receives into a buffer several times": (VIRT_RX, 0, "refused_owner"),
        "receives into buffers to be sent": (VIRT_RX, 0, "refused_address"),
        "receives into anything": (VIRT_RX, 0, "refused_address"),
        "receives lengths up to 65535": (VIRT_RX, 0, "refused_length"),
        "has an index that jumps, receiving": (VIRT_RX, 0, "refused_address"),
        "has taken free buffers that are none": None,
        "returns a buffer several times": (VIRT_TX, 0, "refused_owner"),
        "returns buffers to receive into": (VIRT_TX, 0, "refused_address"),
        "returns buffers from anywhere": (VIRT_TX, 0, "refused_address"),
        "has an index that jumps, returning": (VIRT_TX, 0, "refused_address"),
        "has sent frames that are none": None,
        "writes over headers and marks": None,
        "notifies without end": None,
        "is silent for a while": None,
    }),
}
CASES = [(role, number, what) for role, (_, _, _, behaviours) in ROLES.items()
         for number, what in enumerate(behaviours, 1)]


class Hostile(lib.System):
    """A system with one hostile part, and the test's way of giving it orders."""

    def __init__(self, lab, folder, role):
        description, programs, self.orders, _ = ROLES[role]
        for name, instead in programs.items():  # Whoever is looked for first is found.
            shutil.copy(lib.BUILD / f"platform/linux/{instead}.elf", folder / f"{name}.elf")
        description = lib.ROOT / "tests" / "systems" / description
        super().__init__(lab, folder, description=description,
                         options=["--search-path", folder], clients=lib.clients_of(description))
        self.role = role

    def word(self, number, value=None):
        """Of the last row of its statistics: the order, what it does, how often it has."""
        rows = int(re.search(r"define NET_CLIENTS_MAX (\d+)",
                             (lib.ROOT / "include/sddf/net.h").read_text()).group(1))
        place = 16 + rows * len(lib.STATS) * 8 + number * 8
        names = [region["name"] for region in self.state["regions"]]
        name = f"{self.orders}_stats"
        name = name if name in names else f"{self.device}_{name}"
        with self.memory(name, writable=value is not None) as view:
            if value is not None:
                struct.pack_into("=Q", view, place, value)
            return struct.unpack_from("=Q", view, place)[0]

    def wake(self):
        """A frame for mallory: a wake-up of the driver and of mallory's copier."""
        with self.lab.udp() as sock:
            sock.sendto(pattern(100, 1), (self.client("mallory").ip, 9))

    def until(self, condition):
        """Waits, with wake-ups."""
        def poke():
            self.wake()
            return condition()
        return lib.wait_until(poke, 6, step=0.02)

    def behave(self):
        """It is told to, and has put everything back."""
        time.sleep(0.05)  # What is on its way gets there.
        self.word(0, 0)
        assert self.until(lambda: self.word(1) == 0), f"it does not obey:\n{self.output()}"


@pytest.fixture(scope="module")
def hostile_systems(lab, tmp_path_factory):
    """The system of the role that was asked for last."""
    running = []

    def system_of(role):
        if running and running[0].role != role:
            running.pop().stop()
        if not running:
            system = Hostile(lab, tmp_path_factory.mktemp(role), role)
            running.append(system)
            system.start()
            for client in system.clients if role != "client" else system.clients[:1]:
                system.check_echo(client, count=1)  # Who is who is known from here on.
        return running[0]

    def forget():
        while running:
            running.pop().end_by_force()

    system_of.forget = forget
    try:
        yield system_of
        if running:
            running.pop().stop()
    finally:
        forget()


@pytest.mark.parametrize("role, number, what", CASES, ids=[f"{r} that {w}" for r, _, w in CASES])
def test_hostile(hostile_systems, lab, role, number, what):
    """One behaviour, next to the honest client's work. A hostile driver may lose packets, as all go
    through it; whatever else is hostile, each of the honest one's datagrams is answered."""
    system = hostile_systems(role)
    try:
        misbehave(system, role, number, what)
    except BaseException:
        hostile_systems.forget()
        raise


def misbehave(system, role, number, what):
    alice = system.client("alice")
    refusals = ROLES[role][3][what]
    before = counted(system, refusals)
    harm = drops(system, alice)
    system.check_echo(alice, count=5)
    start = system.word(2)
    system.word(0, number)
    right, end = 0, time.monotonic() + 60
    while right < ANSWERS or system.word(2) < start + ACTS or not enough(system, refusals, before):
        assert time.monotonic() < end, (
            f"{right} answers, {system.word(2) - start} acts, {counted(system, refusals)} refusals "
            f"after {before}:\n{system.output()}")
        for _ in range(4):
            system.wake()
        right += system.check_echo(alice, count=5, **(
            {"least": 0, "patience": 0.3} if role == "driver" else {}))
    system.behave()
    if role == "driver":
        for client in system.clients:
            system.serves_again(client)
    else:
        system.check_echo(alice, count=20)
        assert drops(system, alice) == harm, "the honest client has lost something"
    system.assert_account()
    for pd in system.state["pds"]:
        assert lib.alive(pd["pid"]), f"{pd['name']} has died:\n{system.output()}"


def counted(system, refusals):
    """What the neighbour has refused so far, or had to drop."""
    if refusals is None:
        return 0
    pd, row, *names = refusals
    stats = system.stats(pd, row)
    return sum(stats[name] for name in names)


def enough(system, refusals, before):
    return refusals is None or counted(system, refusals) > before
