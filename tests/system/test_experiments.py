# SPDX-License-Identifier: BSD-2-Clause
"""The systems of the experiments: each is good, differs from the others in nothing but what its
experiment is about, and runs. (What they achieve is `sddf bench`'s to measure.)"""

import hashlib
import re
import struct
import time
import xml.etree.ElementTree as ElementTree

import pytest

import lib
from services import arp_reply, arp_request

SYSTEMS = lib.ROOT / "bench" / "systems"
NAMES = sorted(path.stem for path in SYSTEMS.glob("*.xml"))
MANY = (1, 2, 4, 8, 16, 28)


def described(name):
    """{where: {attribute: value}} of every element; where is the path with what tells it apart."""
    found = {}

    def walk(element, path):
        key = next((element.get(a) for a in ("name", "pd", "device", "mr", "path")
                    if element.get(a)), "")
        path = f"{path}/{element.tag}[{key}]"
        assert path not in found
        found[path] = dict(element.attrib)
        for child in element:
            walk(child, path)
    walk(ElementTree.parse(SYSTEMS / f"{name}.xml").getroot(), "")
    return found


def difference(first, second):
    """{(element, attribute): (value in the first, value in the second)}; elements count whole."""
    a, b = described(first), described(second)
    changed = {(path, ""): (path in a, path in b) for path in a.keys() ^ b.keys()}
    for path in a.keys() & b.keys():
        changed |= {(path, name): (a[path].get(name), b[path].get(name))
                    for name in a[path].keys() | b[path].keys()
                    if a[path].get(name) != b[path].get(name)}
    return changed


NETWORK = "/system[]/network[ethernet0]"
ALICE, BOB = (f"{NETWORK}/client[{name}]" for name in ("alice", "bob"))


@pytest.mark.parametrize("name", NAMES)
def test_good(name):
    output = lib.command(lib.SDDF, "check", SYSTEMS / f"{name}.xml").stdout
    assert "is good" in output


def test_all_are_there():
    wanted = ["e1", "e4", "e4_round_robin", "e5", "e6", "e7", "e12"]
    wanted += [f"{e}_{count}" for e in ("e8", "e9") for count in MANY]
    wanted += [f"e10_{1 << i}" for i in range(10)] + [f"e11_{pds}" for pds in (2, 4, 5)]
    assert set(wanted) <= set(NAMES)


def test_two_clients_differ_in_what_their_rows_say():
    assert difference("e4", "e4_round_robin") == {
        (NETWORK, "policy"): ("signalled", "round_robin")}
    assert difference("e5", "e6") == {(BOB, "tx"): ("64", "16")}
    assert difference("e5", "e7") == {(BOB, "limit"): (None, "100Mb/s"),
                                      (BOB, "window"): (None, "1ms")}
    assert difference("e4", "e5").keys() == {
        ("/system[]/protection_domain[alice]", "priority"), (ALICE, "copy_priority"),
        ("/system[]/protection_domain[bob]", "priority"), (BOB, "copy_priority"), (BOB, "rx")}
    assert described("e5")[BOB]["rx"] == "16"


def test_one_runs_before_the_other():
    """driver > virt_tx > virt_rx > copier A > client A > copier B > client B."""
    for name in ("e5", "e6", "e7"):
        d = described(name)
        order = [d[ALICE]["copy_priority"], d["/system[]/protection_domain[alice]"]["priority"],
                 d[BOB]["copy_priority"], d["/system[]/protection_domain[bob]"]["priority"]]
        assert 120 > int(order[0]) > int(order[1]) > int(order[2]) > int(order[3])


def test_one_client_differs_in_what_its_rows_say():
    assert difference("e1", "e12") == {} and difference("e1", "e11_5") == {}
    for i in range(10):
        assert difference("e10_64", f"e10_{1 << i}") == (
            {(ALICE, "tx"): ("64", str(1 << i))} if i != 6 else {})
    assert difference("e11_5", "e11_4") == {(ALICE, "copy"): (None, "false")}
    assert difference("e11_5", "e11_2") == {
        (NETWORK, "shared"): (None, "false"), (NETWORK, "policy"): ("signalled", None),
        (ALICE, "rx"): ("128", None)}


@pytest.mark.parametrize("experiment", ["e8", "e9"])
def test_many_clients_differ_in_their_number(experiment):
    largest = described(f"{experiment}_28")
    for count in MANY:
        d = described(f"{experiment}_{count}")
        assert sum("/client[" in path and "network" in path for path in d) == count
        assert d.items() <= largest.items()
    cores = [client.get("copy_cpu") for path, client in largest.items()
             if "network" in path and "/client[" in path]
    assert len(set(cores)) == (28 if experiment == "e9" else 1)


def code_of(path):
    """A hash of what a program does: its code and constants. (Its data hold the configuration.)"""
    raw = path.read_bytes()
    offset, = struct.unpack_from("<Q", raw, 0x28)
    size, count, names = struct.unpack_from("<3H", raw, 0x3A)
    headers = [struct.unpack_from("<IIQQQQ", raw, offset + i * size) for i in range(count)]
    start = headers[names][4]
    digest = hashlib.sha256()
    found = set()
    for name, _, _, _, at, length in headers:
        name = raw[start + name:raw.index(b"\0", start + name)]
        if name in (b".text", b".rodata"):
            found.add(name)
            digest.update(raw[at:at + length])
    assert b".text" in found
    return digest.hexdigest()


def test_forms_of_isolation_have_the_same_programs(tmp_path):
    """Two, four and five protection domains are the same ELF files, by hash."""
    programs = {}
    for pds in (2, 4, 5):
        folder = tmp_path / str(pds)
        lib.command(lib.SDDF, "build", SYSTEMS / f"e11_{pds}.xml", "-b", "linux", "-o", folder)
        for path in folder.glob("*.elf"):
            programs.setdefault(path.stem, {})[pds] = code_of(path)
    assert all(len(set(hashes.values())) == 1 for hashes in programs.values()), programs
    built = lib.BUILD / "platform" / "linux"
    files = {"alice": "echo", "ethernet0_driver": "net_linux_xdp", "timer0_driver": "timer_linux",
             "ethernet0_virt_rx": "net_virt_rx", "ethernet0_virt_tx": "net_virt_tx",
             "ethernet0_arp": "net_arp", "ethernet0_copy_alice": "net_copy"}
    assert set(programs) == set(files)
    for name, file in files.items():
        assert set(programs[name].values()) == {code_of(built / f"{file}.elf")}
    forms = {name: set(hashes) for name, hashes in programs.items()}
    in_path = {pds: {name for name in forms if pds in forms[name]} - {"timer0_driver",
               "ethernet0_arp"} for pds in (2, 4, 5)}
    assert [len(in_path[pds]) for pds in (2, 4, 5)] == [2, 4, 5]


# ---- they run -------------------------------------------------------------------------------------


class Direct(lib.System):
    """A client at the driver itself: who has which buffer, only the two of them know."""

    device = "ethernet0"

    def assert_account(self, **kwargs):
        assert kwargs == {}


def system_of(lab, folder, path):
    kind = Direct if 'shared="false"' in path.read_text() else lib.System
    return kind(lab, folder, description=path, clients=lib.clients_of(path))


@pytest.mark.parametrize("pds", [2, 4, 5])
def test_forms_of_isolation(lab, wire, alone, tmp_path, pds):
    system = system_of(lab, tmp_path, SYSTEMS / f"e11_{pds}.xml").start()
    try:
        alice, = system.clients
        wire.send(arp_request(lab, alice.ip))
        reply = arp_reply(lab, alice)
        assert wire.expect(lambda frame: frame[:len(reply)] == reply, 1.0 * lib.PATIENCE)
        for size in (8, 512, 1472):
            system.check_echo(alice, count=300, size=size)
        counts = system.stats("alice")
        assert counts["rx_packets"] >= 900 and counts["refused_owner"] == 0
        assert counts["refused_address"] == 0
        copied = system.stats("copy_alice")["copied_bytes"] if pds == 5 else 0
        assert (copied > 900 * 42) == (pds == 5)
        assert len(system.state["pds"]) == {2: 3, 4: 6, 5: 7}[pds]
        system.assert_account()
        system.stop()
    finally:
        system.end_by_force()


def test_many_clients(lab, alone, tmp_path):
    """The largest of all: 61 protection domains."""
    system = system_of(lab, tmp_path, SYSTEMS / "e8_28.xml").start(seconds=60)
    try:
        for client in system.clients:
            system.check_echo(client, count=3)
        assert system.stats("virt_tx", row=28)["tx_packets"] >= 3
        system.assert_account()
        system.stop()
    finally:
        system.end_by_force()


def limited(folder, limit):
    """E7's system, with another limit."""
    text = (SYSTEMS / "e7.xml").read_text()
    path = folder / "limited.xml"
    path.write_text(re.sub(r'limit="\w+/s"', f'limit="{limit}"', text))
    return path


def test_limit(lab, alone, tmp_path):
    """Flooded, B sends on and on, and never more than its limit; A loses nothing."""
    system = system_of(lab, tmp_path, limited(tmp_path, "400kb/s")).start()
    try:
        alice, bob = system.clients

        def sent():
            return system.stats("virt_tx", row=2)["tx_bytes"]
        flood = lab.flood(bob.ip, port=7)
        assert lib.wait_until(lambda: sent() > 3000, 5)
        begin, first = time.monotonic(), sent()
        system.check_echo(alice, count=30)
        assert lib.wait_until(lambda: sent() - first > 50_000, 10)
        elapsed, bytes_ = time.monotonic() - begin, sent() - first
        # In the time that it took, at most a window's worth (50 bytes) and a frame more than its
        # due; the count may be a pass older than the clock, at the start: another of each.
        assert bytes_ <= elapsed * 50_000 + 2 * (50 + 1514)
        lab.end_flood(flood)
        system.check_echo(alice, count=30)
        system.serves_again(bob)
        system.assert_account()
        system.stop()
    finally:
        system.end_by_force()
