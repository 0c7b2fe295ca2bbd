#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the 82574L's interrupt throttle is best set to: instructions and round trips of the echo system in
the guest, by interval and rate.

The load comes from the guest itself, by its kernel over a second card on the same cable: so its pace is
that of the guest's clock, which runs with the instructions (-icount), and so does the throttle. What the
sender costs is in all figures alike; what differs between the rows of a rate is the throttle's doing. The
system has the processor before the sender, which is late itself at the highest rates.
"""

import argparse
import json
import signal
import statistics
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent.parent / "tests" / "guest"), str(HERE)]
sys.dont_write_bytecode = True

import image  # noqa: E402
import machine  # noqa: E402
import run  # noqa: E402

# In units of 256 ns; bench/guest/meson.build has a driver with each.
INTERVALS = (4, 78, 195, 390, 781, 1562)
RATES = (500, 10000, 20000)
SECONDS, TURNS = 0.5, 1


class Hub:
    """Both cards on one cable, of which no end is here."""

    def __init__(self, _folder, _name):
        pass

    def netdev(self, name):
        return f"hubport,id={name},hubid=0"

    def close(self):
        pass


def interrupts_of(guest):
    """For traffic, since the system has the card."""
    return int(guest.run("grep 'vfio-msix.0.' /proc/interrupts").split()[1])


def measure(guest, counter, interval):
    guest.run(f"sed 's/net_e1000e.elf/bench_e1000e_{interval}.elf/' /sddf/platform/linux/boards/linux_vfio.xml "
              ">/tmp/board.xml")
    guest.run(f"/sddf/sddf run /bench/echo.xml -b /tmp/board.xml --pci {run.ADDRESS} --take </dev/null "
              ">/tmp/log 2>&1 & echo $! >/tmp/pid")
    guest.wait_for("ping -c 1 -W 2 10.0.0.10", 600)
    rows = []
    for rate in RATES:
        before, interrupts = sum(counter.read()), interrupts_of(guest)
        guest.run(f"/bench/load --rate {rate} --size 64 --seconds {SECONDS} --quiet --json /tmp/json "
                  "10.0.0.10:7", 1200)
        spent = sum(counter.read()) - before
        result = json.loads(guest.run("cat /tmp/json"))["targets"][0]
        assert result["wrong"] == 0 and result["returned"] > 0, result
        rows.append({"rate": rate, "instructions": spent / result["returned"],
                     "interrupts": (interrupts_of(guest) - interrupts) / result["returned"],
                     "round_trip": result["round_trip"]["p50"]})
    guest.run("kill $(cat /tmp/pid)")
    guest.wait_for("! pidof sddf")
    return rows


def table(turns):
    """The median of the turns; instructions include the sender's."""
    print("\ninterval  " + "".join(f"{f'{rate}/s: instructions, interrupts, us':>48}" for rate in RATES))
    for interval, rows in turns.items():
        cells = [[statistics.median(turn[i][what] for turn in rows)
                  for what in ("instructions", "interrupts", "round_trip")] for i in range(len(RATES))]
        print(f"{interval * 0.256:6.0f} us " + "".join(f"{a:>30,.0f}{b:>10.2f}{c:>8,.0f}" for a, b, c in cells))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--json", help="write all rows to this file")
    arguments = parser.parse_args()
    machine.Wire, machine.BOOT_S = Hub, 900
    with tempfile.TemporaryDirectory(prefix="sddf-moderation-") as scratch:
        kernel = run.vmlinux(scratch)
        image.kernel = lambda: kernel
        counter = run.Counter(scratch)
        initrd = image.build(Path(scratch) / "initrd",
                             run.files() + [(run.BUILD / "bench" / "load", "bench/load")])
        guest = machine.Guest([("card0", "e1000e"), ("card1", "virtio-net-pci,disable-legacy=on,iommu_platform=on")],
                              initrd, options=["-icount", "shift=0", "-plugin",
                                               f"{run.BUILD / 'bench' / 'count.so'},to={counter.path}"])
        try:
            guest.run("cd /sys/bus/pci/devices/0000:02:00.0; i=$(ls -d virtio*/net/* | sed 's#.*/##'); "
                      "ip addr add 10.0.0.1/24 dev $i; ip link set $i up")
            turns = {interval: [] for interval in INTERVALS}
            for _ in range(TURNS):
                for interval in INTERVALS:
                    turns[interval].append(measure(guest, counter, interval))
                    print(".", end="", flush=True)
        finally:
            guest.close()
    table(turns)
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(turns, indent=1) + "\n")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, run.interrupted)
    try:
        main()
    except KeyboardInterrupt:
        print("\nmoderation: interrupted", file=sys.stderr)
        sys.exit(130)
