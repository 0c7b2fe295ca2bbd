# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform's scheduling: budgets, and turns within a priority."""

import os
import struct
import time

import pytest

import lib
from pds import HELLO, channel, cpu_ns, pd, region


def spinner(name, priority, budget, period):
    map_ = f'<map mr="{name}_figures" vaddr="0x10000000" perms="rw" setvar_vaddr="figures"/>'
    return region(f"{name}_figures") + pd(name, "spin", priority, map_,
                                          more=f'budget="{budget}" period="{period}"')


def figures(system, name):
    fd = next(r["fd"] for r in system.state()["regions"] if r["name"] == f"{name}_figures")
    with open(f"/proc/{system.state()['loader']}/fd/{fd}", "rb") as file:
        return struct.unpack("<4Q", file.read(32))


def shares(system, names, seconds):
    """The share of one CPU that each has in the next seconds."""
    pids = [system.pd(name)["pid"] for name in names]
    began, before = time.monotonic(), [cpu_ns(pid) for pid in pids]
    time.sleep(seconds)
    after, passed = [cpu_ns(pid) for pid in pids], time.monotonic() - began
    return [(a - b) / passed / 1e9 for a, b in zip(after, before)]


def test_budgets_hold(run):
    """Shares within 5 %, of small budgets and of larger ones; none runs on when its budget is up."""
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")
    budgets = {"tenth": (1000, 10000), "fifth": (2000, 10000), "third": (10000, 30000)}
    # Who has the shorter period has the higher priority, or it would miss some of its periods.
    with run("".join(spinner(name, 20 - i, *budget)
                     for i, (name, budget) in enumerate(budgets.items())) + HELLO) as system:
        system.printed("hello", "hello from hello")  # Though it has the lowest priority.
        wrong = None
        for _ in range(20):  # A busy host may take more away than a budget leaves room for.
            wrong = {name: share for name, share in zip(budgets, shares(system, budgets, 1.5))
                     if abs(share / (budgets[name][0] / budgets[name][1]) - 1) >= 0.05}
            if not wrong:
                break
        assert not wrong
    assert system.status == 0


def test_periods_that_are_absurdly_short(run):
    """They are kept several at a time, and do not keep the loader busy instead."""
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")
    with run(spinner("spinner", 10, 1, 2) + HELLO) as system:
        system.printed("hello", "hello from hello")
        for _ in range(20):
            share = shares(system, ["spinner"], 1)[0]
            if 0.3 < share < 0.6:
                break
        else:
            pytest.fail(f"{share}")


def test_the_program_that_measures_budgets(run):  # pylint: disable=unused-argument
    """That it sees shares and stretches; what they are, it is to say on a quiet machine."""
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")
    pairs = ["1000/10000", "2000/8000"]
    for _ in range(20):  # A busy host may hold every stretch up, and then it says that.
        done = lib.command(lib.BUILD / "bench" / "budget", "--seconds", "0.5", *pairs)
        rows = [line.split() for line in done.stdout.splitlines()[2:]]
        assert [row[0] for row in rows] == pairs, done.stdout
        if all(len(row) == 14 for row in rows):
            break
        assert "no whole stretch was seen" in done.stdout
    else:
        pytest.fail(done.stdout)
    assert [row[1] for row in rows] == ["10.00", "25.00"]
    assert all(0 < float(row[2]) <= 100 and int(row[4]) > 0 for row in rows), done.stdout
    done = lib.command(lib.BUILD / "bench" / "budget", "10/5", check=False)
    assert done.returncode == 2 and '"10/5" is not BUDGET/PERIOD' in done.stderr


def test_overrun_is_small(run):
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")
    with run(spinner("spinner", 10, 1000, 5000)) as system:
        fd = next(r["fd"] for r in system.state()["regions"])
        with open(f"/proc/{system.state()['loader']}/fd/{fd}", "r+b") as file:
            file.seek(24)
            file.write(struct.pack("<Q", 1_100_000))  # From here on it counts longer stretches.
        # A stretch is measured by the clock on the wall, which also has what else this machine
        # and its host do: what is to be small is what no busy neighbour explains.
        for _ in range(20):
            _, _, before, _ = figures(system, "spinner")
            at = figures(system, "spinner")[0]
            time.sleep(1)
            stretches, longest, too_long, _ = figures(system, "spinner")
            if too_long - before < (stretches - at) / 10:
                break
        else:
            pytest.fail(f"of {stretches} stretches {too_long} were too long, one {longest} ns")
        assert stretches - at > 170


def test_turns_within_a_priority(run):
    """Slices are the PDs' own: one of 1 ms and one of 3 ms."""
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")
    with run(spinner("short", 10, 1000, 1000) + spinner("long", 10, 3000, 3000)) as system:
        time.sleep(0.1)
        for _ in range(20):
            short, long = shares(system, ("short", "long"), 1)
            if short + long > 0.8 and abs(short / (short + long) - 0.25) < 0.03:
                break
        else:
            pytest.fail(f"{short}, {long}")


def test_priorities_are_real(run):
    """On one core the higher one answers before the lower one's next instruction, every time."""
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities")

    def maps(question, answer):
        return (f'<map mr="question" vaddr="0x10000000" perms="{question}" setvar_vaddr="question"/>'
                f'<map mr="answer" vaddr="0x10010000" perms="{answer}" setvar_vaddr="answer"/>')

    with run(region("question") + region("answer") + pd("below", "below", 10, maps("rw", "r")) +
             pd("above", "above", 11, maps("r", "rw")) + channel("below", 1, "above", 5)) as system:
        if system.state()["scheduling"] != "SCHED_FIFO":
            pytest.skip("real-time priorities are not permitted here")
        system.printed("below", "100000 of 100000 answered at once", 60)
