# SPDX-License-Identifier: BSD-2-Clause
"""What one protection domain can see and do: looked at from outside, in the running processes."""

import os
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import lib
import rights

MARKER = 32


# ---- privacy --------------------------------------------------------------------------------------


def process_has(pid, needle):
    """Is the byte string anywhere in the process's memory?"""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in rights.mappings(pid):
            if "r" not in mapping.rights or mapping.name.startswith(("[v", "socket:")):
                continue
            memory.seek(mapping.start)
            left, tail = mapping.end - mapping.start, b""
            while left > 0 and (data := memory.read(min(left, 4 << 20))):
                if needle in tail + data:
                    return True
                tail, left = data[-len(needle):], left - len(data)
    return False


@pytest.mark.parametrize("receiver", range(2))
@pytest.mark.parametrize("service", ["udp", "tcp"])
def test_privacy(echo, lab, receiver, service):
    """A packet for one client is never in the other's memory: neither in its regions nor anywhere
    in its process. (It is in the receiver's, so that this test can fail.)"""
    client, other = echo.clients[receiver], echo.clients[1 - receiver]
    marker = os.urandom(MARKER)
    if service == "udp":
        with lab.udp() as sock:
            # The other one has twice the work meanwhile, in shorter packets: it gets every buffer of
            # the device's that had the marker in it, so what is behind its packets must stay there.
            for _ in range(1500):
                sock.sendto(marker * 3, (client.ip, 7))
                assert sock.recv(2000) == marker * 3
                for _ in range(2):
                    sock.sendto(b"other", (other.ip, 7))
                    assert sock.recv(2000) == b"other"
    else:
        with lab.tcp(client.ip) as sock:
            sock.sendall(marker * 3000)
            got = 0
            while got < len(marker) * 3000:
                got += len(sock.recv(1 << 16))
    assert process_has(echo.pid(client.name), marker), "the marker cannot be found at all"
    assert not process_has(echo.pid(other.name), marker), f"{other.name} has {client.name}'s packet"
    for entry in echo.pd(other.name)["maps"]:
        if echo.region(entry["region"])["fd"] < 0:
            continue  # The loader's own page; it is in the process's memory too.
        with echo.memory(entry["region"]) as view:
            assert view.find(marker) < 0, f"{entry['region']} has {client.name}'s packet"
    for pd in echo.state["pds"]:  # Who is neither on the way nor the client has not seen it either.
        if pd["name"] in ("timer0_driver", f"{echo.device}_copy_{other.name}"):
            own = process_has(pd["pid"], marker)
            maps_dma = any(entry["region"].endswith("_rx_dma") for entry in pd["maps"])
            assert not own or maps_dma, f"{pd['name']} has {client.name}'s packet"


# ---- rights ---------------------------------------------------------------------------------------


def test_rights(echo):
    """Every PD's memory map and descriptors are those of the design's table."""
    assert rights.complaints(echo) == []


@pytest.fixture
def built(tmp_path):
    """The echo system as plain SDF, with its programs, ready to be tampered with."""
    folder = tmp_path / "built"
    lib.command(lib.SDDF, "build", lib.ECHO, "-b", "linux", "-o", folder)
    description = next(folder.glob("*.system"))
    return description


def tampered(description, change):
    tree = ElementTree.parse(description)
    change(tree.getroot())
    tree.write(description)
    return description


def pd_element(root, name):
    return next(pd for pd in root.iter("protection_domain") if pd.get("name") == name)


def free_channel(root, pd):
    used = {int(end.get("id")) for end in root.iter("end") if end.get("pd") == pd}
    used |= {int(irq.get("id")) for irq in pd_element(root, pd).iter("irq")}
    return min(set(range(62)) - used)


def test_plain_description_has_the_same_rights(fresh, built):
    """What `sddf build` wrote runs as the description does that it was made of."""
    assert rights.complaints(fresh(description=built)) == []


@pytest.mark.parametrize("perms", ["r", "rw"])
def test_a_mapping_too_many_is_found(fresh, built, perms):
    """One client gets a look into the other's memory, by description."""
    names = [client.name for client in lib.clients_of(lib.ECHO)]

    def change(root):
        target = next(region.get("name") for region in root.iter("memory_region")
                      if region.get("name").endswith(f"_{names[1]}_rx_data"))
        ElementTree.SubElement(pd_element(root, names[0]), "map", mr=target, vaddr="0x7f000000",
                               perms=perms)

    system = fresh(description=tampered(built, change))
    found = rights.complaints(system)
    assert any(f"{names[0]}: maps" in text and f"_{names[1]}_rx_data" in text for text in found), found
    assert any(text.startswith(f"{names[0]}: a mapping too many: 0x7f000000") for text in found), found
    assert len(found) == 2, found


def test_a_wider_right_is_found(fresh, built):
    """A region that is to be read only is mapped rw, by description."""

    def change(root):
        for pd in root.iter("protection_domain"):
            if pd.get("name").endswith("_virt_rx"):
                for entry in pd.iter("map"):
                    if entry.get("mr").endswith("_rx_dma"):
                        entry.set("perms", "rw")

    found = rights.complaints(fresh(description=tampered(built, change)))
    assert len(found) == 1 and "_rx_dma is mapped rw, not r" in found[0], found


def test_a_descriptor_too_many_is_found(fresh, built):
    """A channel between the two clients: a doorbell more for each, and the other's signals."""
    names = [client.name for client in lib.clients_of(lib.ECHO)]

    def change(root):
        channel = ElementTree.SubElement(root, "channel")
        for name in names:
            ElementTree.SubElement(channel, "end", pd=name, id=str(free_channel(root, name)))

    found = rights.complaints(fresh(description=tampered(built, change)))
    assert sum("a doorbell is held by" in text for text in found) == 2, found
    assert sum("which is none of its neighbours" in text for text in found) == 2, found


# ---- the sandbox ----------------------------------------------------------------------------------


def status(pid):
    return dict(line.split(":\t", 1) for line in
                Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)


def test_no_privileges(echo):
    for pd in echo.state["pds"]:
        fields = status(pd["pid"])
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(fields[name], 16) == 0, f"{pd['name']}: {name} is {fields[name]}"
        assert fields["NoNewPrivs"].strip() == "1", pd["name"]
        assert fields["Seccomp"].strip() == "2", f"{pd['name']}: no system-call filter"
        assert fields["Threads"].strip() == "1", pd["name"]
        assert fields["TracerPid"].strip() == str(echo.state["loader"]), pd["name"]


@pytest.mark.parametrize("kind", ["net", "mnt", "ipc", "uts", "pid"])
def test_own_namespaces(echo, kind):
    """Neither this process's namespaces nor the loader's, and, but for what they share among
    themselves, not each other's where data could pass."""
    foreign = {os.readlink(f"/proc/{pid}/ns/{kind}") for pid in ("self", echo.state["loader"])}
    for pd in echo.state["pds"]:
        assert os.readlink(f"/proc/{pd['pid']}/ns/{kind}") not in foreign, pd["name"]


def test_empty_root(echo):
    for pd in echo.state["pds"]:
        assert os.listdir(f"/proc/{pd['pid']}/root") == [], pd["name"]
        assert os.readlink(f"/proc/{pd['pid']}/cwd") == "/", pd["name"]


def test_no_environment(echo):
    """Neither in /proc nor anywhere in its memory, which held the loader's for a moment."""
    for pd in echo.state["pds"]:
        assert Path(f"/proc/{pd['pid']}/environ").read_bytes() == b"", pd["name"]
        assert not process_has(pd["pid"], b"PATH=/"), f"{pd['name']} has an environment"
        assert not process_has(pd["pid"], os.fsencode(str(echo.state_file))), \
            f"{pd['name']} has the loader's arguments"


def test_nothing_is_writable_and_executable(echo):
    for pd in echo.state["pds"]:
        for mapping in rights.mappings(pd["pid"]):
            assert not {"w", "x"} <= set(mapping.rights), f"{pd['name']}: {mapping}"


def test_regions_are_sealed(echo):
    """No size of a region can change under those who map it."""
    for region in echo.state["regions"]:
        if region["fd"] is None or region["fd"] < 0:
            continue
        path = f"/proc/{echo.state['loader']}/fd/{region['fd']}"
        with open(path, "r+b", buffering=0) as file:
            for size in (0, region["size"] + 4096):
                with pytest.raises(PermissionError):
                    os.ftruncate(file.fileno(), size)
