#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Measures how well budgets are kept on Linux: one protection domain that never pauses, on one core.

    build/bench/budget [--seconds N] [BUDGET/PERIOD ...]        in microseconds, such as 1000/10000

Share: processor time against the clock, and how far that is from budget/period. Stretch: what the
domain ran between two pauses; overrun: by how much that was more than the budget (often it is less:
what others took of the processor meanwhile is not counted). One that others held up for so long that
its budget may have run into the next one's is counted as held up, and nowhere else. Timer: how much
later than asked for the machine woke the thread that keeps budgets, at most; an overrun of about as
much is the machine's. The goals, for budgets of 1 ms and more: the share within 5 %, no overrun of
100 us or more.

Exit status: 1 if it could not be measured."""

import argparse
import json
import os
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

BUILD = Path(os.environ.get("SDDF_BUILD", "@BUILD@"))
HEADER, LONGEST = 48, 120000  # bench/budget_spin.h
REGION = "0x80000"
PAIRS = ("100/400", "500/2000", "1000/2000", "1000/4000", "1000/10000", "2000/10000", "5000/10000",
         "10000/40000", "95000/100000")
SHARE_GOAL, OVERRUN_GOAL, LEAST = 0.05, 100, 1000

DESCRIPTION = """<system>
  <memory_region name="figures" size="{region}"/>
  <protection_domain name="spinner" priority="10" budget="{budget}" period="{period}" stack_size="0x2000">
    <program_image path="bench_budget_spin.elf"/>
    <map mr="figures" vaddr="0x10000000" perms="rw" setvar_vaddr="figures"/>
  </protection_domain>
</system>"""


class Unmeasured(Exception):
    pass


def wait_until(condition, process, error):
    end = time.monotonic() + 30
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            error.seek(0)
            raise Unmeasured(f"the system does not run:\n{error.read()}")
        time.sleep(0.002)


def used_ns(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


class Figures:
    """The spinner's region, through the loader's descriptor."""

    def __init__(self, state):
        self.file = open(f"/proc/{state['loader']}/fd/{state['regions'][0]['fd']}", "r+b", buffering=0)

    def word(self, at):
        return struct.unpack("=Q", os.pread(self.file.fileno(), 8, at))[0]

    def set(self, at, value):
        os.pwrite(self.file.fileno(), struct.pack("=Q", value), at)

    def histogram(self):
        data = os.pread(self.file.fileno(), 4 * LONGEST, HEADER)
        return {us: n for us, n in enumerate(struct.unpack(f"={LONGEST}I", data)) if n}


def measure(budget, period, seconds, folder):
    """The share; the histogram of stretches (us), the longest of them (us), how many were held up and
    are not among them; how late the machine's timer was (us); what the loader warned of."""
    (folder / "budget.xml").write_text(
        DESCRIPTION.format(budget=budget, period=period, region=REGION))
    state_file = folder / "state.json"
    state_file.unlink(missing_ok=True)
    with open(folder / "said", "w+") as said, subprocess.Popen(
            [BUILD / "sddf", "run", folder / "budget.xml", "--search-path", BUILD / "platform/linux",
             "--verbose", "--state", state_file], stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            text=True) as process:
        try:
            wait_until(state_file.exists, process, said)
            state = json.loads(state_file.read_text())
            pid, figures = state["pds"][0]["pid"], Figures(state)
            figures.set(8, 1)  # The epoch, before the pause that lets it be seen.
            figures.set(0, (period - budget) * 1000 // 2)
            wait_until(lambda: figures.word(16) == 1, process, said)
            began, before = time.monotonic_ns(), used_ns(pid)
            time.sleep(max(seconds, 20 * period / 1e6))
            share = (used_ns(pid) - before) / (time.monotonic_ns() - began)
            result = share, figures.histogram(), figures.word(40) / 1000, \
                figures.word(32)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        said.seek(0)
        text = said.read()
        late = re.search(r"woken late by (\d+) us", text)
        return *result, int(late[1]) if late else 0, \
            [line for line in text.splitlines() if "warning" in line]


def percentile(histogram, part):
    """The longest stretch (us, rounded up) of the shortest `part` of all."""
    left = part * sum(histogram.values())
    for us, count in sorted(histogram.items()):
        left -= count
        if left <= 0:
            return us + 1
    return 0


def row(budget, period, share, histogram, longest, disturbed, late):
    """One line of the table."""
    count = sum(histogram.values())
    wanted = budget / period
    beyond = sum(n for us, n in histogram.items() if us - budget >= OVERRUN_GOAL)
    over = [percentile(histogram, part) - budget for part in (0.5, 0.9, 0.99, 0.999)]
    verdict = "-" if budget < LEAST else \
        "yes" if abs(share / wanted - 1) <= SHARE_GOAL and beyond == 0 else "no"
    return (f"{f'{budget}/{period}':>14} {100 * wanted:7.2f} {100 * share:7.2f} "
            f"{100 * (share / wanted - 1):+7.2f} {count:9} {disturbed:7} " +
            " ".join(f"{us:6.0f}" for us in over) +
            f" {longest - budget:8.1f} {beyond:6} {late:6}  {verdict}")


def pair(text):
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not 0 < int(match[1]) < int(match[2]) or int(match[1]) >= LONGEST:
        raise argparse.ArgumentTypeError(
            f'"{text}" is not BUDGET/PERIOD in microseconds, with a budget below the period and '
            f'below {LONGEST}, such as 1000/10000')
    return int(match[1]), int(match[2])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", nargs="*", metavar="BUDGET/PERIOD", type=pair)
    parser.add_argument("--seconds", type=float, default=2, help="for each pair (2), or 20 periods")
    arguments = parser.parse_args()
    print(f"{'':14} {'share':>7} {'seen':>7} {'off by':>7} {'':9} {'held':>7}  overrun in us"
          f"{'at least':>30}  timer\n"
          f"{'budget/period':>14} {'%':>7} {'%':>7} {'%':>7} {'stretches':>9} {'up':>7} "
          f"{'50 %':>6} {'90 %':>6} {'99 %':>6} {'99.9 %':>6} {'most':>8} {'100':>6} {'late':>6}  goal", flush=True)
    warned = []
    with tempfile.TemporaryDirectory(prefix="budget-") as folder:
        for budget, period in arguments.pairs or map(pair, PAIRS):
            *figures, warnings = measure(budget, period, arguments.seconds, Path(folder))
            if not figures[1]:
                print(f"{f'{budget}/{period}':>14} no whole stretch was seen: give it longer, "
                      "with --seconds")
                continue
            print(row(budget, period, *figures), flush=True)
            warned += [line for line in warnings if line not in warned]
    for line in warned:
        print(line)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Unmeasured as why:
        sys.exit(f"budget: {why}")
    except KeyboardInterrupt:
        sys.exit(130)
