# SPDX-License-Identifier: BSD-2-Clause
"""Who may map what and hold what, written down once more and by itself: this table is the design's,
not the tool's. complaints() holds a running echo system against it, from outside.
"""

import os
import re
import struct
from pathlib import Path

import lib

# Platform pages above everything that a description may use (platform/linux/abi.h).
PRIVATE = 0x200000000000
BOOT_AT, SYSTEM_AT, SIGNAL_AT, EXIT_AT = (PRIVATE + page * 0x10000 for page in range(4))
CHANNEL_AT, CHANNEL_STEP = PRIVATE + 0x100000, 0x10000
PEER_PAGE, CALL_OUT, CALL_OUT_ANSWER, CALL_IN, CALL_IN_ANSWER = range(0, 0xa000, 0x2000)
STACK_TOP = PRIVATE + 0x40000000
PROGRAM_END = 0x10000000
REGISTERS = ("rx_ring", "tx_ring", "fill_ring", "completion_ring", "layout")


# ---- the table ------------------------------------------------------------------------------------


def regions_table(dev, clients, board="af_xdp"):
    """{PD: {region: rights}} of an echo system with static addresses."""
    driver, virt_rx, virt_tx, arp = (f"{dev}_{part}" for part in ("driver", "virt_rx", "virt_tx",
                                                                  "arp"))
    table = {pd: {} for pd in (driver, virt_rx, virt_tx, arp)}
    table["timer0_driver"] = {}

    def queue(name, producer, consumer, dev=dev):
        table[producer][f"{dev}_{name}_producer"] = "rw"
        table[consumer][f"{dev}_{name}_producer"] = "r"
        table[consumer][f"{dev}_{name}_consumer"] = "rw"
        table[producer][f"{dev}_{name}_consumer"] = "r"

    def rx_pair(who, near_device, near_client):
        queue(f"{who}_rx_free", near_client, near_device)
        queue(f"{who}_rx_active", near_device, near_client)

    def tx_pair(who, near_device, near_client):
        queue(f"{who}_tx_free", near_device, near_client)
        queue(f"{who}_tx_active", near_client, near_device)

    rx_pair("driver", driver, virt_rx)
    tx_pair("driver", driver, virt_tx)
    rx_pair("arp", virt_rx, arp)
    tx_pair("arp", virt_tx, arp)
    table[arp][f"{dev}_arp_tx_data"] = "rw"
    table[virt_tx][f"{dev}_arp_tx_data"] = "r"
    for pd in (virt_rx, arp):
        table[pd][f"{dev}_rx_dma"] = "r"
    for client in clients:
        copier = f"{dev}_copy_{client}"
        table[copier], table[client] = {}, {}
        rx_pair(f"copy_{client}", virt_rx, copier)
        rx_pair(client, copier, client)
        tx_pair(client, virt_tx, client)
        table[copier][f"{dev}_rx_dma"] = "r"
        for pd in (copier, client):
            table[pd][f"{dev}_{client}_rx_data"] = "rw"
        table[client][f"{dev}_{client}_tx_data"] = "rw"
        table[virt_tx][f"{dev}_{client}_tx_data"] = "r"
        table[copier][f"{copier}_stats"] = "rw"
        table[client][f"{dev}_{client}_stats"] = "rw"
    for pd in (driver, virt_rx, virt_tx, arp):
        table[pd][f"{pd}_stats"] = "rw"
    serial_table(table, queue, clients)
    for client in clients:
        table[client]["idle0_count"] = "r"  # The loader writes it.
    if board == "af_xdp":
        table[driver].update({f"{dev}_{name}": "r" if name == "layout" else "rw"
                              for name in REGISTERS})
    else:  # A TAP reaches no memory by itself: its driver copies.
        table[driver][f"{dev}_rx_dma"] = "rw"
        table[driver][f"{dev}_arp_tx_data"] = "r"
        for client in clients:
            table[driver][f"{dev}_{client}_tx_data"] = "r"
    return table


def serial_table(table, queue, clients, dev="serial0"):
    """Adds the serial line's part: bytes lie in the queues, and there is nothing else to share."""
    driver, virt_rx, virt_tx = (f"{dev}_{part}" for part in ("driver", "virt_rx", "virt_tx"))

    def transmit(who, upper, lower):
        queue(f"{who}_tx_active", upper, lower, dev)
        queue(f"{who}_tx_free", lower, upper, dev)

    for pd in (driver, virt_rx, virt_tx):
        table[pd] = {f"{pd}_stats": "rw"}
    transmit("driver", virt_tx, driver)
    transmit("virt_rx", virt_rx, virt_tx)
    queue("driver_rx_active", driver, virt_rx, dev)
    for client in clients:
        transmit(client, client, virt_tx)
        queue(f"{client}_rx_active", virt_rx, client, dev)
        table[client][f"{dev}_{client}_stats"] = "rw"


# Received bytes go one way, and so do their notifications: who only takes rings nobody.
SILENT = {("serial0_virt_rx", "serial0_driver")}


def silent(taker, giver):
    return (taker, giver) in SILENT or giver == "serial0_virt_rx" and not taker.startswith("serial0_")


def neighbours_table(dev, clients):
    """{PD: the PDs that it shares a channel with}, and the pairs (caller, callee) of procedures."""
    pairs = [(f"{dev}_driver", f"{dev}_virt_rx"), (f"{dev}_driver", f"{dev}_virt_tx"),
             (f"{dev}_virt_rx", f"{dev}_arp"), (f"{dev}_virt_tx", f"{dev}_arp")]
    pairs += [("serial0_driver", "serial0_virt_tx"), ("serial0_driver", "serial0_virt_rx"),
              ("serial0_virt_rx", "serial0_virt_tx")]
    calls = []
    for client in clients:
        copier = f"{dev}_copy_{client}"
        pairs += [(f"{dev}_virt_rx", copier), (copier, client), (client, f"{dev}_virt_tx"),
                  (client, "timer0_driver"),
                  (client, "serial0_virt_tx"), (client, "serial0_virt_rx")]
        calls.append((client, "timer0_driver"))
    table = {}
    for one, other in pairs:
        table.setdefault(one, set()).add(other)
        table.setdefault(other, set()).add(one)
    return table, calls


# ---- what is -------------------------------------------------------------------------------------


class Mapping:
    """A line of /proc/PID/maps."""

    def __init__(self, line):
        match = re.match(r"(\w+)-(\w+) (\S+) (\w+) (\S+) (\d+)\s*(.*)", line)
        self.start, self.end = int(match[1], 16), int(match[2], 16)
        self.rights = match[3][:3].replace("-", "")
        self.shared = match[3][3] == "s"
        self.offset, self.inode, self.name = int(match[4], 16), int(match[6]), match[7]
        self.object = (match[5], self.inode)  # Device and inode say which memory it is.

    def __str__(self):
        return f"{self.start:#x}-{self.end:#x} {self.rights} {self.name or 'anonymous'}"


def mappings(pid):
    """All mappings but the page that the kernel shows in every process and that is in none."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return [Mapping(line) for line in lines if not line.endswith("[vsyscall]")]


def descriptors(pid):
    """[(number, what, flags)]; an eventfd is known by its id."""
    found = []
    for entry in sorted(Path(f"/proc/{pid}/fd").iterdir(), key=lambda path: int(path.name)):
        what = os.readlink(entry)
        info = Path(f"/proc/{pid}/fdinfo/{entry.name}").read_text()
        flags = int(re.search(r"flags:\s*(\d+)", info)[1], 8)
        if what == "anon_inode:[eventfd]":
            what = "eventfd " + re.search(r"eventfd-id:\s*(\d+)", info)[1]
        found.append((int(entry.name), what, flags))
    return found


def segments(program):
    """The ELF file's PT_LOAD headers, page by page: {page address: rights}."""
    raw = Path(program).read_bytes()
    offset, = struct.unpack_from("<Q", raw, 32)
    size, count = struct.unpack_from("<HH", raw, 54)
    pages = {}
    for i in range(count):
        kind, flags, _, vaddr, _, _, memory, _ = struct.unpack_from("<IIQQQQQQ", raw,
                                                                    offset + i * size)
        if kind == 1:
            rights = "".join(letter for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if flags & bit)
            for page in range(vaddr & ~4095, vaddr + memory, 4096):
                pages[page] = rights
    return pages


# ---- the comparison ------------------------------------------------------------------------------


def complaints(system, board="af_xdp"):
    """Everything in which the running system differs from the table; [] if nothing does."""
    dev, clients = system.device, [client.name for client in system.clients]
    table = regions_table(dev, clients, board)
    neighbours, calls = neighbours_table(dev, clients)
    found = []
    names = {pd["name"] for pd in system.state["pds"]}
    found += [f"{name}: a PD that nobody asked for" for name in sorted(names - set(table))]
    found += [f"{name}: no such PD" for name in sorted(set(table) - names)]
    pds = [pd for pd in system.state["pds"] if pd["name"] in table]
    signal_pages = {}
    for pd in pds:
        for mapping in mappings(pd["pid"]):
            if mapping.start == SIGNAL_AT:
                signal_pages[mapping.object, mapping.offset] = pd["name"]
    if len(signal_pages) != len(pds):
        found.append("PDs share a signal page")
    call_pages = {}
    for pd in pds:
        found += [f"{pd['name']}: {text}" for text in
                  check_described(system, pd, table[pd["name"]]) + check_program(pd) +
                  check_platform(pd, neighbours[pd["name"]], signal_pages, call_pages)]
    found += check_calls(call_pages, calls)
    found += check_descriptors(system, pds, neighbours, dev, board)
    return found


def check_described(system, pd, wanted):
    """Mappings between the program and the platform's pages: the description's regions."""
    found = []
    left = {(m.start, m.end): m for m in mappings(pd["pid"]) if PROGRAM_END <= m.start < PRIVATE}
    stated = {entry["region"]: entry for entry in pd["maps"]}
    for region in sorted(set(stated) - set(wanted)):
        found.append(f"maps {region}, which it has no right to")
    for region, rights in sorted(wanted.items()):
        if region not in stated:
            found.append(f"does not map {region}")
            continue
        entry = stated[region]
        mapping = left.pop((entry["vaddr"], entry["vaddr"] + entry["size"]), None)
        if mapping is None:
            found.append(f"{region} is not where the state file says")
        elif mapping.rights != rights or not mapping.shared:
            found.append(f"{region} is mapped {mapping.rights}, not {rights}")
        elif not is_region(system, region, mapping):
            found.append(f"at {region}'s place is something else: {mapping}")
    return found + [f"a mapping too many: {mapping}" for mapping in left.values()]


def is_region(system, region, mapping):
    """Is this mapping of the very memory that the loader's descriptor of the region stands for?"""
    fd = system.region(region)["fd"]
    if fd is None or fd < 0:
        # A ring of the device's, the page that says how the rings are laid out, the idle count's.
        kind = region.rsplit("_", 1)[-1]
        return mapping.name.startswith({"layout": "/memfd:layout", "count": "/memfd:idle"}
                                       .get(kind, "socket:"))
    stat = os.stat(f"/proc/{system.state['loader']}/fd/{fd}")
    device = f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}"
    return mapping.object == (device, stat.st_ino) and mapping.offset == 0


def check_program(pd):
    """Below the regions: the program's segments with their own rights, and nothing else."""
    found = []
    program = pd["program"] if os.path.exists(pd["program"]) else \
        lib.BUILD / "platform/linux" / os.path.basename(pd["program"])
    wanted = segments(program)
    for mapping in mappings(pd["pid"]):
        if mapping.start >= PROGRAM_END:
            continue
        for page in range(mapping.start, mapping.end, 4096):
            if wanted.pop(page, None) != mapping.rights:
                found.append(f"{mapping} is not the program's")
                break
    return found + ([f"{len(wanted)} pages of its program are missing"] if wanted else [])


def check_platform(pd, neighbours, signal_pages, call_pages):
    """Above them: the stack, the platform's pages, and for each neighbour the page to read."""
    found, peers = [], []
    single = {BOOT_AT: "r", SYSTEM_AT: "r", SIGNAL_AT: "rw", EXIT_AT: "rx"}
    stack = 0
    for mapping in mappings(pd["pid"]):
        if mapping.start < PRIVATE:
            continue
        channel = mapping.start - CHANNEL_AT
        what = channel % CHANNEL_STEP
        if mapping.start in single:
            if mapping.rights != single.pop(mapping.start):
                found.append(f"{mapping}: wrong rights to a page of the platform's")
        elif mapping.end == STACK_TOP and mapping.rights == "rw":
            stack += 1
        elif not 0 <= channel < 63 * CHANNEL_STEP:
            found.append(f"a mapping too many: {mapping}")
        elif what == PEER_PAGE and mapping.rights == "r":
            peers.append(signal_pages.get((mapping.object, mapping.offset), str(mapping)))
        elif what in (CALL_OUT, CALL_OUT_ANSWER, CALL_IN, CALL_IN_ANSWER) and \
                mapping.rights == ("rw" if what in (CALL_OUT, CALL_IN_ANSWER) else "r"):
            call_pages.setdefault((mapping.object, mapping.offset), []).append((pd["name"], what))
        else:
            found.append(f"a mapping too many: {mapping}")
    found += [f"no page of the platform's at {at:#x}" for at in single]
    if stack != 1:
        found.append(f"{stack} stacks")
    found += [f"reads the signals of {peer}, which is none of its neighbours"
              for peer in sorted(set(peers) - neighbours)]
    found += [f"does not read the signals of {peer}" for peer in sorted(neighbours - set(peers))]
    return found


def check_calls(call_pages, calls):
    """Each procedure has two pages, with one writer and one reader each."""
    wanted = sorted(sorted(page) for caller, callee in calls for page in (
        [(caller, CALL_OUT), (callee, CALL_IN)], [(caller, CALL_OUT_ANSWER), (callee, CALL_IN_ANSWER)]))
    got = sorted(sorted(users) for users in call_pages.values())
    return [] if got == wanted else [f"pages of procedure calls are shared as {got}, not as {wanted}"]


def check_descriptors(system, pds, neighbours, dev, board):
    """Doorbells: one for each PD, held by itself and its neighbours. Besides: the way out for
    debug output, and the device's descriptor in its driver."""
    found, holders = [], {}
    device_kinds = {f"{dev}_driver": r"socket:\[" if board == "af_xdp" else r"/dev/net/tun",
                    "timer0_driver": r"anon_inode:\[timerfd\]",
                    "serial0_driver": r"socket:\["}
    for pd in pds:
        name, outputs, devices = pd["name"], 0, 0
        for number, what, flags in descriptors(pd["pid"]):
            if what.startswith("eventfd"):
                holders.setdefault(what, []).append(name)
            elif what.startswith("pipe:") and flags & os.O_ACCMODE == os.O_WRONLY and outputs == 0:
                outputs = 1
            elif re.match(device_kinds.get(name, "(?!)"), what) and devices == 0:
                devices = 1
            else:
                found.append(f"{name}: a descriptor too many: {number}, {what}")
        if name in device_kinds and devices == 0:
            found.append(f"{name}: no descriptor of its device")
    wanted = sorted(sorted({name, *(peer for peer in neighbours[name] if not silent(peer, name))})
                    for name in (pd["name"] for pd in pds))
    got = sorted(sorted(users) for users in holders.values())
    for users in got:
        if users in wanted:
            wanted.remove(users)
        else:
            found.append(f"a doorbell is held by {', '.join(users)}")
    return found + [f"no doorbell is held by {', '.join(users)}" for users in wanted]
