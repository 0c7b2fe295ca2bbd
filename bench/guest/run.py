#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Instructions per echoed packet, in the guest of tests/guest, all with the same network card and the
same load: the kernel's own driver and sockets, DPDK, and this system.

Instructions are counted by a plugin of QEMU's (count.c), all of the guest's: processes, kernel,
interrupts. A processor that sleeps executes none, so what is counted is what the packets cost, less what
the guest does in that time without packets: it is measured first, and has a column of its own. It is
taken off for all of the time, since the guest sleeps nearly all of it, even at saturation: making and
checking packets takes the host many times as long as turning them round takes the guest. With -icount
one instruction is one nanosecond, which makes the guest's timers, and how packets gather meanwhile, all
but independent of this machine; on a busy one, large packets come in smaller bursts.

A program that polls executes instructions all the time. So those over DPDK count their own, by the
guest's time-stamp counter, which counts instructions too: from a burst with packets to the end of its
transmission, and apart from these what they spend on polls that find nothing. What this system spends
on falling asleep and waking up, where they poll, is part of its figure.

A window's half comes at once, and fits into every ring: that of the kernel's driver has 256 places.
"""

import argparse
import json
import lzma
import mmap
import signal
import struct
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path[:0] = [str(ROOT / "tests" / "guest"), str(HERE)]
sys.dont_write_bytecode = True

import image  # noqa: E402
import machine  # noqa: E402
from wire import Load, StreamWire  # noqa: E402

BUILD = image.BUILD
ADDRESS = "0000:01:00.0"
SIZES = (64, 1472)
IDLE_S = 5


class Counter:
    """The two words in which count.c counts."""

    def __init__(self, folder):
        self.path = Path(folder) / "count"
        self.path.write_bytes(bytes(16))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 16)

    def read(self):
        """In the guest's kernel, and outside of it."""
        return struct.unpack("QQ", self.page[:16])


# ---- who echoes ------------------------------------------------------------------------------------


class Kernel:
    title = "kernel: its driver, sockets"

    def start(self, guest):
        # A socket's share of memory is too small for a window of packets.
        guest.run("echo 16777216 >/proc/sys/net/core/rmem_default")
        guest.run("ip addr add 10.0.0.10/24 dev eth0; ip link set eth0 up")
        guest.run("/bench/echo_linux 7 >/tmp/log 2>&1 &")


class System:
    def __init__(self, title, description):
        self.title, self.description = title, description

    def start(self, guest):
        guest.run(f"/sddf/sddf run /bench/{self.description} -b linux_vfio --pci {ADDRESS} --take "
                  ">/tmp/log 2>&1 &")


class Dpdk:
    def __init__(self, title, program):
        self.title, self.program = title, program

    def start(self, guest):
        device = f"/sys/bus/pci/devices/{ADDRESS}"
        guest.run("mkdir -p /hugepages && mount -t hugetlbfs none /hugepages")
        guest.run(f"echo {ADDRESS} >{device}/driver/unbind; echo vfio-pci >{device}/driver_override; "
                  f"echo {ADDRESS} >/sys/bus/pci/drivers_probe")
        guest.run(f"RUNTIME_DIRECTORY=/tmp /bench/{self.program} -l 0 --no-telemetry --no-shconf "
                  f"--iova-mode=va --huge-dir /hugepages -a {ADDRESS} -- 10.0.0.10 >/tmp/log 2>&1 &")
        guest.wait_for("grep -q ready /tmp/log", 300)
        self.guest = guest

    def spent(self):
        """What it has spent since the last time."""
        self.guest.run(f"killall -USR1 {self.program}")
        lines = []
        while not lines:  # since the last answer was taken
            lines = [line for line in self.guest.run("cat /tmp/log; : >/tmp/log").split("\n")
                     if line.strip("\0").startswith("{")]
        return json.loads(lines[-1].strip("\0"))


SUBJECTS = {
    "kernel": Kernel(),
    "sddf": System("this system: 5 PDs, lwIP", "echo.xml"),
    "dpdk": Dpdk("DPDK: the same lwIP", "dpdk_lwip"),
    "sddf-reflector": System("this system: 2 PDs, reflector", "reflect.xml"),
    "dpdk-reflector": Dpdk("DPDK: reflector", "dpdk_reflect"),
}

# Who is measured by whom, and what was the goal at saturation, by size.
GOALS = (
    ("sddf", "kernel", {64: 0.15, 1472: 0.2}),
    ("sddf", "dpdk", dict.fromkeys(SIZES, 1.5)),
    ("sddf-reflector", "dpdk-reflector", dict.fromkeys(SIZES, 1.5)),
)


def files():
    """What is taken into the guest besides the tests' own: (here, there)."""
    return [(BUILD / "bench" / name, f"bench/{name}")
            for name in ("echo_linux", "dpdk_lwip", "dpdk_reflect")] + [
                (HERE / name, f"bench/{name}") for name in ("echo.xml", "reflect.xml")]


# ---- measuring -------------------------------------------------------------------------------------


def vmlinux(scratch):
    """The kernel unpacked, so that the guest need not do it: half of what it has to do to boot."""
    packed = image.kernel().read_bytes()
    start = (packed[0x1F1] + 1) * 512  # the boot protocol: setup_sects, payload_offset, _length
    offset, length = struct.unpack_from("<II", packed, 0x248)
    payload = packed[start + offset:start + offset + length]
    path = Path(scratch) / "vmlinux"
    path.write_bytes(lzma.LZMADecompressor().decompress(payload))
    return path


def measure_one(subject, load, counter, idle, size, window, packets):
    """One row of the table."""
    load.run(size, window, packets // 10 + window)
    polls = hasattr(subject, "spent")
    if polls:
        subject.spent()
    before, start = counter.read(), time.monotonic()
    again = load.run(size, window, packets)
    seconds = time.monotonic() - start
    spent_in = [after - first for after, first in zip(counter.read(), before)]
    # What it does without any packet has a column of its own.
    busy = max(sum(spent_in) - idle * seconds, 0)
    row = {"size": size, "window": window, "packets": packets, "again": again, "seconds": seconds,
           "busy": busy / packets, "empty": 0, "kernel_share": spent_in[0] / sum(spent_in)}
    if polls:
        spent = subject.spent()
        row["busy"] = spent["busy"] / max(spent["frames"], 1)
        row["empty"] = spent["empty"] / max(spent["frames"], 1)
        row["batch"] = spent["frames"] / max(spent["bursts"], 1)
    return row


def measure(subject, guest, counter, arguments):
    load = Load(guest.wires[0])
    load.find_guest(300)
    load.run(64, 1, 10)
    before, start = counter.read(), time.monotonic()
    time.sleep(IDLE_S)
    idle = (sum(counter.read()) - sum(before)) / (time.monotonic() - start)
    rows = []
    for size in SIZES:
        for window in (1, arguments.window):
            packets = arguments.packets if window > 1 else max(arguments.packets // 10, 100)
            rows.append(measure_one(subject, load, counter, idle, size, window, packets))
            print(f"    {size:>5} B, {window:>4} at a time: {rows[-1]['busy']:>9,.0f} a packet"
                  f"{', some were sent again' if rows[-1]['again'] else ''}", flush=True)
    return rows, idle


def run_one(name, kernel, initrd, scratch, arguments):
    subject = SUBJECTS[name]
    counter = Counter(scratch)
    options = ["-plugin", f"{BUILD / 'bench' / 'count.so'},to={counter.path}"]
    if arguments.icount:
        options += ["-icount", "shift=0"]
        machine.BOOT_S = 900  # counting takes its time
    image.kernel = lambda: kernel
    machine.Wire = StreamWire
    guest = machine.Guest([("card0", arguments.card)], initrd, options=options)
    try:
        subject.start(guest)
        try:
            return measure(subject, guest, counter, arguments)
        except RuntimeError as error:
            log = guest.try_run("cat /tmp/log")[1]
            raise SystemExit(f"guest-bench: {subject.title}: {error}\n{log}")
    finally:
        guest.close()


# ---- telling ---------------------------------------------------------------------------------------


def table(results, window):
    print(f"\n{'instructions per packet':34}" +
          "".join(f"{f'{size} B, {n} at a time':>21}" for size in SIZES for n in (1, window)) +
          f"{'idle, per second':>19}")
    for name, (rows, idle) in results.items():
        print(f"{SUBJECTS[name].title:34}" + "".join(f"{row['busy']:>21,.0f}" for row in rows) +
              f"{idle:>19,.0f}")
        if not any(row["empty"] for row in rows):
            print(f"{'   of which in the kernel':34}" +
                  "".join(f"{row['kernel_share']:>21.0%}" for row in rows))
        else:
            print(f"{'   and on empty polls':34}" +
                  "".join(f"{row['empty']:>21,.0f}" for row in rows))


def verdicts(results, window):
    """Each ratio at saturation, beside what was the goal."""
    pairs = [(name, other, goals) for name, other, goals in GOALS if {name, other} <= set(results)]
    if not pairs:
        return
    print(f"\n{f'ratio, {window} at a time':64}" +
          "".join(f"{f'{size} B':>10}{'goal':>6}" for size in SIZES))
    met = True
    for name, other, goals in pairs:
        line = f"{SUBJECTS[name].title + ' / ' + SUBJECTS[other].title:64}"
        for size in SIZES:
            own, others = (next(row["busy"] for row in results[subject][0]
                                if row["size"] == size and row["window"] == window)
                           for subject in (name, other))
            met &= own <= goals[size] * others
            line += f"{own / others:>10.2f}{goals[size]:>6}"
        print(line)
    print("every goal is met" if met else "not every goal is met")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("subject", nargs="*", help=f"some of {', '.join(SUBJECTS)} (default: all)")
    parser.add_argument("--packets", type=int, default=8000, help="of each measurement")
    parser.add_argument("--window", type=int, default=384, help="requests at a time, at saturation")
    parser.add_argument("--card", default="e1000e", help="QEMU's device")
    parser.add_argument("--no-icount", dest="icount", action="store_false",
                        help="let the guest's clock be the host's: faster, and not so repeatable")
    parser.add_argument("--json", help="write all rows to this file")
    arguments = parser.parse_args()
    for name in arguments.subject:
        if name not in SUBJECTS:
            parser.error(f"there is no {name}; there are {', '.join(SUBJECTS)}")
    if image.kernel() is None:
        raise SystemExit("guest-bench: there is no kernel for the guest: ./setup.sh --guest fetches it")
    results = {}
    with tempfile.TemporaryDirectory(prefix="sddf-guest-bench-") as scratch:
        kernel = vmlinux(scratch)
        initrd = image.build(Path(scratch) / "initrd", files())
        print(f"{arguments.card}, {arguments.packets} packets, {arguments.window} at a time; "
              f"{'-icount' if arguments.icount else 'no -icount'}", flush=True)
        names = arguments.subject or list(SUBJECTS)
        for i, name in enumerate(names, 1):
            start = time.monotonic()
            print(f"{i} of {len(names)}: {SUBJECTS[name].title}", flush=True)
            results[name] = run_one(name, kernel, initrd, scratch, arguments)
            print(f"    in {time.monotonic() - start:.0f} s", flush=True)
    table(results, arguments.window)
    verdicts(results, arguments.window)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(results, indent=1) + "\n")


def interrupted(_number, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupted)
    try:
        main()
    except KeyboardInterrupt:
        # The guest has ended by now, and its files are gone.
        print("\nguest-bench: interrupted", file=sys.stderr)
        sys.exit(130)
