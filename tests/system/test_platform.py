# SPDX-License-Identifier: BSD-2-Clause
"""The Linux platform by itself: the Microkit's semantics, faults, children, sizes.

The programs are in tests/platform; no network and no device is needed.
"""

import os
import signal
import time

import pytest

import lib
from pds import CHILDREN, HELLO, PING_PONG, calls, channel, child, cpu_ns, pd, region


# ---- the Microkit's semantics --------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_notifications_carry_content(run, options):
    with run(HELLO + PING_PONG, *options) as system:
        lib.wait_until(lambda: len(system.lines("ping")) > 0, 20)
        system.printed("hello", "hello from hello")
    assert system.lines("ping")[0].startswith("ping: all right")
    assert len(system.lines("ping")) == 1
    assert system.status == 0


ORDER = (pd("sender", "sender", 20) + pd("receiver", "receiver", 10) +
         channel("sender", 0, "receiver", 40) + channel("sender", 1, "receiver", 9) +
         channel("sender", 2, "receiver", 5) + channel("sender", 3, "receiver", 62 - 1) +
         channel("sender", 4, "receiver", 50, more_b='notify="false"'))


def test_coalescing_order_and_deferred_signal(run):
    if os.geteuid() != 0:
        pytest.skip("needs real-time priorities: without them the receiver may run in between")
    with run(ORDER) as system:
        system.printed("sender", "got channel 1")
        time.sleep(0.2)
    printed = system.lines("receiver")
    start = printed.index("init is over") + 1
    # Each channel once, ascending; the first deferred notification was lost to the second one,
    # which was sent after the last channel.
    assert printed[start:] == ["channel 5", "done 5", "channel 9", "done 9", "channel 61", "done 61"]
    assert system.lines("sender") == ["got channel 1"]


def test_a_lost_deferred_signal_is_reported_where_asked_for(run):
    with run(ORDER, "--checked") as system:
        system.printed("sender", "got channel 1")
    lost = [line for line in system.lines("receiver") if "deferred signal lost" in line]
    # Which notifications meet in one wake-up is the scheduler's affair without real time.
    if os.geteuid() == 0:
        assert lost == ["receiver: deferred signal lost: the one on channel 5 was replaced by a "
                        "second one, on channel 9, in the same wake-up"]


def test_missing_channels_are_reported_and_survived(run):
    with run(ORDER) as system:
        system.printed("receiver", "init is over")
    printed = system.lines("receiver")
    for call, number in (("microkit_notify", 17), ("microkit_notify", 1000),
                         ("microkit_irq_ack", 40), ("microkit_deferred_notify", 18),
                         ("microkit_deferred_irq_ack", 19), ("microkit_ppcall", 40),
                         ("microkit_notify", 50)):
        assert any(line.startswith(f"receiver: {call}: ") and f"channel {number} " in line
                   for line in printed), (call, number, printed)
    assert printed.index("survived") == 7


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_a_call_of_one_that_faults(run, options):
    with run(calls("faulty"), *options) as system:
        system.printed("caller", "server still answers")
    assert system.lines("caller") == ["1000 calls answered right", "clamped to 64",
                                      "calling mortal", "gone", "gone", "server still answers"]
    assert "sddf: faulty: fault: illegal instruction" in system.err()


def test_a_call_of_one_that_is_killed(run):
    with run(calls("stuck")) as system:
        system.printed("caller", "calling mortal")
        time.sleep(0.2)
        assert "gone" not in system.lines("caller")
        os.kill(system.pd("stuck")["pid"], signal.SIGKILL)
        system.printed("caller", "server still answers")
        assert lib.wait_until(lambda: system.pd("stuck")["state"] == "dead", 5)
        assert system.pd("caller")["state"] == "running"
    assert system.lines("caller").count("gone") == 2
    assert "sddf: stuck: killed from outside by signal 9 (Killed)" in system.err()
    assert system.status == 0


# ---- faults --------------------------------------------------------------------------------------

FAULTS = {
    "read_unmapped": "read of unmapped address 0x70000000 at instruction 0x",
    "write_unmapped": "write of unmapped address 0x70000000 at instruction 0x",
    "execute_unmapped": "execution of unmapped address 0x70000000 at instruction 0x70000000",
    "write_text": "forbidden write of address 0x",
    "execute_data": "forbidden execution of address 0x",
    "write_region": "forbidden write of address 0x10000000 in region readable, which it has r--",
    "not_canonical": "access to an address that no program can have",
    "illegal": "illegal instruction at instruction 0x",
    "division": "division by zero at instruction 0x",
    "stack": "stack overflow: write of address 0x",
    "breakpoint": "breakpoint at instruction 0x",
    "system_call": "forbidden system call 39 (getpid) at instruction 0x",
    "system_call_32": "forbidden system call 20 (getpid, by the 32-bit entry)",
    "widen": "forbidden system call 10 (mprotect)",
}


def test_faults_are_named_and_harm_nobody_else(run):
    readable = '<map mr="readable" vaddr="0x10000000" perms="r" setvar_vaddr="readable"/>'
    with run(region("readable") + HELLO +
             "".join(pd(name, "faults", 10, readable) for name in FAULTS)) as system:
        assert lib.wait_until(lambda: [pd["state"] for pd in system.state()["pds"]].count("dead") ==
                              len(FAULTS), 10), system.err()
        assert system.pd("hello")["state"] == "running"
    for name, text in FAULTS.items():
        assert f"sddf: {name}: fault: {text}" in system.err()
        assert system.lines(name) == ["going wrong"]
    assert "(test_faults.elf: init+0x" in system.err()
    assert "(test_faults.elf: deeper+0x" in system.err()
    assert system.status == 0


def test_code_in_a_region(run):
    """One may write it and not execute, others execute and not write, and one may do all."""
    def code(perms):
        return f'<map mr="code" vaddr="0x10000000" perms="{perms}" setvar_vaddr="code"/>'

    with run(region("code") + pd("coder", "coder", 10, code("rw")) +
             pd("runner", "coder", 20, code("rx")) + channel("coder", 1, "runner", 0) +
             pd("blind", "coder", 20, code("x")) + channel("coder", 2, "blind", 0) +
             pd("all", "coder", 20, code("rwx")) + channel("coder", 3, "all", 0)) as system:
        system.printed("runner", "4711 was executed", 30)
        system.complained("sddf: blind: fault: forbidden write of address 0x10000000 in region code")
        system.printed("all", "and overwritten")
        system.complained("sddf: runner: fault: forbidden write of address 0x10000000 in region code, "
                          "which it has r-x")
        assert {m["perms"] for p in system.state()["pds"] for m in p["maps"]} >= {"rw", "rx"}
    assert system.lines("runner") == ["4711 was executed"]
    assert system.status == 0


DOORBELLS = {
    "fill": "forbidden system call 1 (write)",
    "steal": "forbidden system call 0 (read)",
    "write_own": "forbidden system call 1 (write)",
    "forge": "forbidden write of address 0x",
}


def test_doorbells_and_words_cannot_be_misused(run):
    with run(HELLO + "".join(pd(name, "doorbell", 10) + channel(name, 0, "hello", i)
                             for i, name in enumerate(DOORBELLS))) as system:
        for name, text in DOORBELLS.items():
            system.complained(f"sddf: {name}: fault: {text}")
    assert "still here" not in system.out()


# ---- children -------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_a_parent_restarts_its_children_ten_times_and_stops_them(run, options):
    children = "".join(child(name, id_) for name, (id_, _) in CHILDREN.items())
    with run(pd("parent", "parent", 20, children + child("emulated", 7)) + HELLO,
             *options) as system:
        for id_, _ in CHILDREN.values():
            system.printed("parent", f"child {id_} is stopped")
        system.printed("emulated", "4711 answered")
        assert {pd["name"]: pd["state"] for pd in system.state()["pds"]}["hello"] == "running"
    heard = system.lines("parent")
    for name, (id_, text) in CHILDREN.items():
        # The data are as the fault left them, each time: also those that were not zero.
        assert system.lines(name) == [f"boot {boot} {16 + boot}" for boot in range(1, 12)], name
        lines = [line for line in heard if line.startswith(f"child {id_}: ")]
        assert len(lines) == 11
        assert all(line.startswith(f"child {id_}: {text}") for line in lines), lines
    assert "parent: microkit_pd_restart: this protection domain has no child 40" in heard
    assert "parent: microkit_pd_stop: this protection domain has no child 63" in heard
    assert "fault" not in system.err()  # It is the parent's to report it, or not.
    assert system.status == 0


def test_a_call_of_a_child_that_faults_and_is_restarted(run):
    with run(pd("parent", "parent", 20, child("server", 5, 19)) + pd("patient", "patient", 10) +
             channel("patient", 1, "server", 5, 'pp="true"')) as system:
        assert lib.wait_until(lambda: len(system.lines("patient")) == 11, 10), system.out()
    assert system.lines("patient") == (["answer", "answer", "gone"] * 4)[:11]
    assert system.lines("server") == [f"boot {boot} {16 + boot}" for boot in range(1, 5)]


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_restart_and_stop_of_a_child_that_runs(run, options):
    with run(pd("parent", "parent", 20, child("busy", 8, 5)) + pd("controller", "patient", 10) +
             channel("controller", 0, "parent", 0) + channel("controller", 1, "parent", 1),
             *options) as system:
        system.printed("controller", "done")
        pid = system.pd("busy")["pid"]
        assert lib.process_state(pid) == "t"
        before = cpu_ns(pid)
        time.sleep(0.2)
        assert cpu_ns(pid) == before
        assert system.lines("parent")[-2:] == ["restarted", "stopped"]
    assert system.status == 0


def test_a_child_whose_parent_died(run):
    """Its own fault is the system's to report then, and what had been stopped is reported too."""
    with run(pd("parent", "parent", 20, child("memory", 1) + child("late", 2)) + HELLO) as system:
        system.printed("parent", "child 1 is stopped")
        os.kill(system.pd("parent")["pid"], signal.SIGKILL)
        system.complained("sddf: memory: had been stopped, and its parent parent")
        assert lib.wait_until(lambda: system.pd("memory")["state"] == "dead", 5)
        assert system.pd("late")["state"] == "running"
    assert system.status == 0


# ---- sizes ---------------------------------------------------------------------------------------


def many(count):
    """A hub with a channel to each of the others, as far as channels go."""
    others = "".join(pd(f"pd{i}", "hello", 10) for i in range(1, count))
    return pd("hub", "hello", 20) + others + "".join(
        channel("hub", i - 1, f"pd{i}", 5) for i in range(1, count))


def test_sixty_three_pds_and_sixty_two_channels(run):
    with run(many(63)) as system:
        for i in range(1, 63):
            system.printed(f"pd{i}", f"hello from pd{i}", 30)
        system.printed("hub", "hello from hub")
        assert [pd["state"] for pd in system.state()["pds"]] == ["running"] * 63
    assert system.status == 0


@pytest.mark.parametrize("description, message", [
    (many(63) + pd("one_more", "hello", 10), "64 protection domains; there can be 63"),
    (many(63) + channel("hub", 62, "pd3", 6), 'id="62" is out of range; it goes from 0 to 61'),
    (many(63) + channel("hub", 61, "pd3", 6), '"hub" has two channels or interrupts with id 61'),
    (pd("hello", "hello", 1, more='cpu="63"'), "hello: cpu 63 was asked for, but this process may use"),
])
def test_more_is_refused(run, description, message):
    system = run(description)
    assert system.process.wait(60) == 1
    assert message in system.err()


def test_a_passive_pd_serves_its_callers(run):
    server = pd("server", "server", 30, more='passive="true"')
    with run(calls("faulty").replace(pd("server", "server", 30), server)) as system:
        system.printed("caller", "server still answers")
    assert system.lines("caller")[0] == "1000 calls answered right"


def test_calls_pass_through_others(run):
    """64 words each way, and a procedure that calls another one before it answers."""
    up = 'pp="true"'
    with run(pd("one", "relay", 10) + pd("two", "relay", 20) + pd("three", "relay", 30) +
             pd("four", "relay", 40) + channel("one", 1, "two", 2, up + ' setvar_id="first"') +
             channel("two", 1, "three", 2, up) +
             channel("three", 1, "four", 2, up, 'setvar_id="last"')) as system:
        system.printed("one", "1000 calls of 64 words through two others", 30)
    assert system.status == 0


def test_looking_about_before_sleep_loses_nothing(run):
    """poll: two PDs on different CPUs, awake most of the time; and one with nobody to wait for."""
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two CPUs")
    both = PING_PONG.replace('name="pong"', 'name="pong" cpu="1" poll="100"', 1)
    with run(both.replace('name="ping"', 'name="ping" poll="100"', 1) +
             pd("hello", "hello", 1, more='poll="100"')) as system:
        assert lib.wait_until(lambda: system.lines("ping"), 60), system.err()
    assert system.lines("ping")[0].startswith("ping: all right")
    assert system.status == 0
