# SPDX-License-Identifier: BSD-2-Clause
"""What happens when parts of the system die, stop, or are in the way of each other."""

import contextlib
import os
import re
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

import lib
from services import NAMES as CLIENTS, pattern, tcp_echo



def pd_names():
    """The PDs of the echo system, as the design names them."""
    dev = "ethernet0"
    names = ["timer0_driver", *(f"{dev}_{part}" for part in ("driver", "virt_rx", "virt_tx", "arp"))]
    return names + [f"{dev}_copy_{name}" for name in CLIENTS] + CLIENTS


# ---- death ----------------------------------------------------------------------------------------


def unharmed(name):
    """The clients whose service does not depend on this PD."""
    return [client for client in CLIENTS
            if name in ("timer0_driver", "ethernet0_arp") or
            any(name in (other, f"ethernet0_copy_{other}") for other in CLIENTS if other != client)]


@pytest.mark.parametrize("name", pd_names())
def test_kill(fresh, lab, name):
    """One PD is killed while both clients are at work: the loader says so, everybody else lives, and
    whoever does not depend on it goes on serving. (The neighbours' addresses are known already, or
    a dead ARP component would be missed.)"""
    system = fresh()
    system.account = {"dead_may_hold": True}
    system.check_services()
    flood = lab.flood(system.client(CLIENTS[0]).ip, port=7, size=100)
    try:
        os.kill(system.pid(name), signal.SIGKILL)
        reported = lib.wait_until(
            lambda: re.search(rf"\b{name}\b.*killed .*signal 9", system.output()), 2)
    finally:
        lab.end_flood(flood)
    assert reported, f"nobody says that {name} was killed:\n{system.output()}"
    time.sleep(0.1)
    for pd in system.state["pds"]:
        if pd["name"] != name:
            assert lib.alive(pd["pid"]), f"{pd['name']} died too:\n{system.output()}"
    assert system.process.poll() is None
    for client in unharmed(name):
        lib.wait_until(lambda: system.check_echo(system.client(client), count=1, least=0), 2)
        for port in lib.UDP_PORTS:
            system.check_echo(system.client(client), count=50, port=port)


def test_dead_copier_takes_its_share_alone(fresh, lab, tmp_path):
    """A copier that could hold every Rx buffer dies, and its client is flooded: all buffers would
    wait for the dead, if nobody kept some for the others."""
    wide = lib.ECHO.read_text().replace('rx_buffers="256"', 'rx_buffers="2048"')
    wide = wide.replace('rx="64"', 'rx="2048"', 1)
    description = tmp_path / "wide.xml"
    description.write_text(wide)
    system = fresh(description=description)
    system.account = {"dead_may_hold": True}
    system.check_services()
    dead, other = (system.client(name) for name in CLIENTS)
    os.kill(system.pid(f"ethernet0_copy_{dead.name}"), signal.SIGKILL)
    time.sleep(0.1)
    offered = lab.offered()
    flood = lab.flood(dead.ip, port=7, size=100)
    enough = lib.wait_until(lambda: lab.offered() > offered + 4 * 2048, 5)
    lab.end_flood(flood)
    assert enough, "that was no flood"
    time.sleep(0.1)
    for port in lib.UDP_PORTS:
        system.check_echo(other, count=300, port=port)


def test_kill_all(fresh):
    """Every PD dies: the loader reports each, and that there is nothing left to run, and ends."""
    system = fresh()
    for pd in system.state["pds"]:
        os.kill(pd["pid"], signal.SIGKILL)
    assert system.process.wait(60) == 1
    for pd in system.state["pds"]:
        assert re.search(rf"\b{pd['name']}\b.*killed", system.output()), system.output()
    system.check_nothing_left()


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_end_by_signal(fresh, lab, by):
    """Ctrl-C and SIGTERM are an orderly end, in the middle of work; so is a terminal that closes."""
    system = fresh()
    flood = lab.flood(system.clients[0].ip, port=7)
    try:
        time.sleep(0.2)
        system.stop(by=by)
    finally:
        lab.end_flood(flood)


def test_end_by_ctrl_c_to_the_group(fresh):
    """A terminal sends SIGINT to the whole foreground group; PDs are not to die before their loader
    has ended them."""
    system = fresh()
    os.killpg(system.process.pid, signal.SIGINT)
    assert system.process.wait(60) == 0
    system.check_nothing_left()
    assert not re.search(r"fault|SIGINT|killed", system.output()), system.output()


def test_impatient_ctrl_c(fresh):
    """More signals while it cleans up do not keep it from doing so. (Behind its last step they may
    have their usual effect.)"""
    for _ in range(5):
        system = fresh()
        while system.process.poll() is None:
            os.killpg(system.process.pid, signal.SIGINT)
            time.sleep(0.0005)
        assert system.process.returncode in (0, -signal.SIGINT)
        system.check_nothing_left()


def test_kill_the_loader(fresh, lab):
    """SIGKILL of the loader takes everything with it; the next system starts as if nothing was."""
    system = fresh()
    os.kill(system.process.pid, signal.SIGKILL)
    system.process.wait()
    gone = lib.wait_until(lambda: not any(lib.alive(pid) for pid in system.family), 2)
    assert gone, "PDs outlive their loader"
    assert lib.wait_until(lambda: "xdp" not in lab.links(lab.system)[lab.system_interface], 2), \
        "the XDP program outlives the loader"
    fresh().check_services()


def test_seconds(lab, alone, tmp_path):
    """--seconds ends the system by itself."""
    system = lib.System(lab, tmp_path, options=["--seconds", "2"])
    start = time.monotonic()
    try:
        system.start()
        system.check_services()
        assert system.process.wait(60) == 0
        assert 1.5 < time.monotonic() - start < 60
        system.check_nothing_left()
    finally:
        system.end_by_force()


@contextlib.contextmanager
def adopting():
    """In the block, processes that lose their parents become children of this one: yields a
    function that names those that live."""
    pr_set_child_subreaper = 36
    before = children()
    lib.libc.prctl(pr_set_child_subreaper, 1, 0, 0, 0)

    def orphans():
        for pid in children() - before:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        return sorted(lib.process_name(pid) for pid in children() - before if lib.alive(pid))

    try:
        yield orphans
    finally:
        lib.libc.prctl(pr_set_child_subreaper, 0, 0, 0, 0)


def children():
    return {int(pid) for tasks in Path("/proc/self/task").glob("*/children")
            for pid in tasks.read_text().split()}


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_end_while_starting(lab, alone, tmp_path, by):
    """The end may come at any moment of the start: nothing is left then either, and an orderly end
    is one."""
    for ms in (1, 3, 6, 10, 15, 20, 30, 40, 60, 80, 100, 130):
        system = lib.System(lab, tmp_path)
        with adopting() as orphans:
            system.spawn()
            time.sleep(ms / 1000)
            system.process.send_signal(by)
            ended = system.process.wait(60)
            system.forget()
            # Before the program has taken over the signal, it dies of it.
            assert ended in ((0, 1, -by) if by == signal.SIGINT else (-by,)), system.output()
            assert lib.wait_until(lambda: not orphans(), 2), f"after {ms} ms: {orphans()} live on"
        if by == signal.SIGINT:
            system.check_nothing_left()
        else:
            system.state_file.unlink(missing_ok=True)
            assert lib.wait_until(
                lambda: "xdp" not in lab.links(lab.system)[lab.system_interface], 2)


def test_two_systems(fresh):
    """Two systems side by side, each on an interface of its own, know nothing of each other."""
    first = fresh()
    with lib.Lab() as other_lab, tempfile.TemporaryDirectory(prefix="test-") as folder:
        second = lib.System(other_lab, folder)
        try:
            second.start()
            for _ in range(3):
                first.check_services()
                second.check_services()
            second.assert_account()
            second.stop()
        finally:
            second.end_by_force()
    first.check_services()


def test_pinned(fresh):
    """taskset decides on which core the whole system runs."""
    last = max(os.sched_getaffinity(0))
    system = fresh(prefix=["taskset", "-c", str(last)])
    for pd in system.state["pds"]:
        assert os.sched_getaffinity(pd["pid"]) == {last}, pd["name"]
        assert pd["cpu"] == last
    system.check_services()


def test_scheduling(fresh):
    """Real-time priorities in the order of the description's, and none with --no-realtime."""
    system = fresh()
    assert system.state["scheduling"] == "SCHED_FIFO"
    pds = sorted(system.state["pds"], key=lambda pd: pd["priority"])
    for pd in pds:
        assert os.sched_getscheduler(pd["pid"]) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO,
                                                                              os.SCHED_RR)
        assert os.sched_getparam(pd["pid"]).sched_priority == pd["rt_priority"]
    for low, high in zip(pds, pds[1:]):
        assert (low["rt_priority"] < high["rt_priority"]) == (low["priority"] < high["priority"])
    system.stop()
    system = fresh(options=["--no-realtime"])
    assert system.state["scheduling"] == "SCHED_OTHER"
    assert {os.sched_getscheduler(pd["pid"]) for pd in system.state["pds"]} == {os.SCHED_OTHER}
    system.check_services()


def test_awake(fresh):
    """With --awake the processors are kept from sleeping by a descriptor; otherwise not."""
    def held(system):
        folder = f"/proc/{system.state['loader']}/fd"
        return any(os.readlink(f"{folder}/{fd}") == "/dev/cpu_dma_latency" for fd in os.listdir(folder))
    if not os.access("/dev/cpu_dma_latency", os.W_OK):
        pytest.skip("this kernel has no /dev/cpu_dma_latency that may be written")
    system = fresh(options=["--awake"])
    assert system.state["awake"] and held(system)
    system.check_services()
    system.stop()
    system = fresh()
    assert not system.state["awake"] and not held(system)


# ---- standing still -------------------------------------------------------------------------------


@contextlib.contextmanager
def stopped(system, *names):
    """These PDs are stopped in the block, and go on after it."""
    pids = [system.pid(name) for name in names]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        assert lib.wait_until(lambda: all(lib.process_state(pid) in "Tt" for pid in pids), 2), \
            "SIGSTOP does not stop a PD"
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize("name", CLIENTS)
def test_client_that_never_takes_its_packets(echo, lab, name):
    """Stopped, and flooded: its neighbour loses nothing. Then it returns."""
    client = echo.client(name)
    other = next(c for c in echo.clients if c is not client)
    with stopped(echo, name):
        flood = lab.flood(client.ip, port=7, size=200)
        time.sleep(0.5)
        lab.end_flood(flood)
        time.sleep(0.1)
        # More than every buffer and queue there is has been sent and nothing was taken.
        for port in lib.UDP_PORTS:
            echo.check_echo(other, count=300, size=1472, port=port)
        with lab.tcp(other.ip, timeout=60) as sock:
            tcp_echo(sock, 1000 * 1000)
    echo.serves_again(client)


@pytest.mark.parametrize("name", [name for name in pd_names() if name not in CLIENTS])
def test_component_that_pauses(echo, lab, name):
    """A component stands still under load for a moment, and everything returns when it does."""
    client = echo.clients[0]
    with stopped(echo, name):
        flood = lab.flood(client.ip, port=7, size=200)
        time.sleep(0.2)
        lab.end_flood(flood)
        for other in unharmed(name):
            if other != client.name:
                echo.check_echo(echo.client(other), count=50)
    for client in echo.clients:
        echo.serves_again(client)


def test_stop_and_go(echo, lab):
    """Client and copier stop and go many times in a stream, which suffers but survives."""
    client = echo.clients[0]
    names = [client.name, f"ethernet0_copy_{client.name}", "ethernet0_virt_tx", "ethernet0_driver"]
    sock = lab.tcp(client.ip, timeout=20)
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            for i in range(40):
                pid = echo.pid(names[i % len(names)])
                os.kill(pid, signal.SIGSTOP)
                time.sleep(0.01)
                os.kill(pid, signal.SIGCONT)
                time.sleep(0.005)
            os._exit(0)
        os._exit(1)
    try:
        with sock:
            tcp_echo(sock, 3000 * 1000)
    finally:
        _, ended = os.waitpid(child, 0)
    assert ended == 0
    echo.serves_again(client)


# ---- the interface --------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["system", "generator"])
def test_interface_down_and_up(echo, lab, side):
    """The link goes away in the middle of traffic, and returns."""
    namespace = getattr(lab, side)
    flood = lab.flood(echo.clients[0].ip, port=7, size=200)
    try:
        for _ in range(3):
            time.sleep(0.05)
            lab.set_link(namespace, "down")
            time.sleep(0.05)
            lab.set_link(namespace, "up")
    finally:
        lab.end_flood(flood)
    assert echo.process.poll() is None
    for client in echo.clients:
        echo.serves_again(client)


# ---- wrong usage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("words, wanted", [
    (["run"], "usage|description"),
    (["run", "/nonexistent.xml", "--netdev", "lo"], "nonexistent.xml"),
    (["run", "ECHO", "--netdev", "nosuch0"], "nosuch0"),
    (["run", "ECHO", "--netdev"], "netdev"),
    (["run", "ECHO", "--nonsense"], "nonsense"),
    (["run", "ECHO", "--netdev", "NETDEV", "-b", "nosuchboard"], "nosuchboard"),
    (["run", "ECHO", "--netdev", "NETDEV", "--seconds", "soon"], "soon|seconds"),
    (["run", "ECHO", "--netdev", "NETDEV", "--state", "/nonexistent/state"], "/nonexistent/state"),
    (["nonsense"], "nonsense"),
])
def test_wrong_usage(lab, alone, words, wanted):
    """Each ends with an exit status that is not 0 and says on standard error what is wrong."""
    words = [{"ECHO": str(lib.ECHO), "NETDEV": lab.system_interface}.get(word, word)
             for word in words]
    process = lab.system.start([str(lib.SDDF), *words], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _, error = process.communicate(timeout=200)
    finally:
        process.kill()
        lab.system.children.remove(process)
    assert process.returncode in (1, 2), f"exit status {process.returncode}"
    lines = error.strip().splitlines()
    assert lines and re.search(wanted, error), f"it does not say what is wrong:\n{error}"
    assert len(lines) <= 30, f"a page of text:\n{error}"
    assert "xdp" not in lab.links(lab.system)[lab.system_interface]


def test_interface_is_taken(fresh, lab, tmp_path):
    """A second system on the same interface is refused, and the first one does not notice."""
    first = fresh()
    second = lib.System(lab, tmp_path)
    second.spawn()
    try:
        status = second.process.wait(60)
    finally:
        second.end_by_force()
    assert status == 1 and lab.system_interface in second.output(), second.output()
    first.check_services()


def test_output_nobody_reads(fresh, lab, tmp_path):
    """The loader's output goes into a pipe that nobody reads, then into one that is closed: no PD
    ever waits for it."""
    reading, writing = os.pipe()
    process = lab.system.start(
        [str(lib.SDDF), "run", str(lib.ECHO), "--netdev", lab.system_interface, "--state",
         str(tmp_path / "state.json"), "--verbose"], stdin=subprocess.DEVNULL, stdout=writing,
        stderr=writing)
    os.close(writing)
    try:
        assert lib.wait_until((tmp_path / "state.json").exists, 10)
        clients = lib.clients_of(lib.ECHO)
        time.sleep(0.5)
        os.close(reading)
        with lab.udp() as sock:
            for i in range(100):
                sock.sendto(pattern(100, i), (clients[0].ip, 7))
                assert sock.recv(2000) == pattern(100, i)
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        lab.system.children.remove(process)
