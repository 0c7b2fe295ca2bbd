# SPDX-License-Identifier: BSD-2-Clause
"""The Microkit's model on Linux, rule by rule, as far as test_platform.py does not have it: what a
program finds when it begins, when its entry points run, interrupts, children that did not fail."""

import os

import pytest

from pds import HELLO, channel, child, pd, region


def test_what_a_program_finds(run):
    """Every kind of setvar; regions and data that begin as zeroes; its whole stack; putc and put8."""
    inside = ('<map mr="r" vaddr="0x12345000" setvar_vaddr="at" setvar_size="size"/>'
              '<setvar symbol="address" region_paddr="r"/>'
              '<irq irq="2" id="61" setvar_id="irq_id"/>' +
              pd("inner", "hello", 1, more='id="33" setvar_id="child_id"'))
    with run(region("r", "0x123000") + pd("vars", "vars", 5, inside, stack="0x10000") + HELLO +
             channel("vars", 17, "hello", 0, 'setvar_id="end_id"')) as system:
        system.printed("vars", "put8 255")
    assert system.lines("vars") == [
        f"at {0x12345000}", f"size {0x123000}", "address 0", "irq 61", "end 17", "child 33", "unset 0",
        "initialized 17", "region sum 0", "data sum 0", "stack 1", "put8 255"]
    assert system.status == 0


@pytest.mark.parametrize("cpu", [0, 1])
def test_cpu(run, cpu):
    """The n-th of those that the loader may use, and no other."""
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) <= cpu:
        pytest.skip("needs two CPUs")
    with run(pd("bound", "hello", 1, more=f'cpu="{cpu}"')) as system:
        system.printed("bound", "hello from bound")
        assert os.sched_getaffinity(system.pd("bound")["pid"]) == {usable[cpu]}


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_no_entry_point_before_init_has_ended(run, options):
    """And what is deferred in a protected procedure is not sent when that returns."""
    with run(pd("slow", "early", 30) + pd("eager", "early", 20) + pd("idle", "early", 10) +
             channel("eager", 1, "slow", 1, 'pp="true"') + channel("eager", 2, "idle", 2),
             *options) as system:
        system.printed("eager", "the deferred notification has come")
        system.printed("slow", "notified after init")
        assert system.lines("slow")[0] == "init is over"
        assert "too early" not in system.out()
        # Without priorities the order is the scheduler's affair.
        assert system.state()["scheduling"] != "SCHED_FIFO" or system.lines("eager") == ["called after its init", "all others are at rest",
                                         "the deferred notification has come"]


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_an_interrupt_is_masked_until_it_is_acknowledged(run, options):
    with run(pd("masked", "masked", 20, '<irq irq="2" id="9"/>') + pd("nudge", "masked", 10) +
             channel("nudge", 1, "masked", 1), *options) as system:
        system.printed("masked", "and it went on")
        assert system.lines("masked") == ["interrupts before the first was acknowledged: 1",
                                          "and it went on"]


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_a_child_that_is_stopped_and_restarted_without_having_failed(run, options):
    """Calls of it end at once meanwhile; notifications wait for it, and are one; its data stay."""
    with run(pd("parent", "parent", 30, pd("obedient", "conductor", 20, more='id="8"')) +
             pd("conductor", "conductor", 10) + channel("conductor", 0, "parent", 0) +
             channel("conductor", 1, "parent", 1) + channel("conductor", 2, "obedient", 2, 'pp="true"'),
             *options) as system:
        system.printed("conductor", "its procedure answers in boot 4")
        system.printed("obedient", "notified 3")
    assert system.lines("conductor") == ["its procedure answers in boot 1"] + [
        line for boot in range(2, 5) for line in ("stopped", "its procedure is gone", "restarted",
                                                  f"its procedure answers in boot {boot}")]
    boots = [line for line in system.lines("obedient") if line.startswith("boot")]
    assert boots == [f"boot {boot}" for boot in range(1, 5)]
    assert len(system.lines("obedient")) == 4 + 3
    assert system.status == 0


def test_children_of_children(run):
    """Each hears of its own; one that is stopped does so when it is restarted."""
    inner = pd("parent", "parent", 20, child("memory", 4, 10), more='id="8"')
    with run(pd("grandparent", "parent", 30, inner) + HELLO) as system:
        system.printed("parent", "child 4 is stopped")
        system.printed("hello", "hello from hello")
    assert not any(line.startswith("child") for line in system.lines("grandparent"))
    assert system.lines("memory") == [f"boot {boot} {16 + boot}" for boot in range(1, 12)]
    assert system.status == 0
