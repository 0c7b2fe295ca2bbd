# SPDX-License-Identifier: BSD-2-Clause
"""Looking inside a running system: sddf top, trace, pcap."""

import contextlib
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import time

import pytest

import lib
from pds import HELLO, PING_PONG, pd, region


def sddf(*words, **kwargs):
    return subprocess.run([str(word) for word in (lib.SDDF, *words)], capture_output=True, text=True,
                          timeout=600, check=False, stdin=subprocess.DEVNULL, **kwargs)


@contextlib.contextmanager
def background(*words):
    """The command while the block runs, and then its Ctrl-C."""
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(
            [str(word) for word in (lib.SDDF, *words)], stdin=subprocess.DEVNULL, stdout=out,
            stderr=subprocess.PIPE, text=True) as process:
        process.printed = lambda: os.fstat(out.fileno()).st_size > 0
        try:
            yield process
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
            process.err = process.communicate(timeout=600)[1]
            out.seek(0)
            process.out = out.read()
        finally:
            process.kill()


def echo_some(lab, client, count, size=64):
    with lab.udp() as sock:
        for i in range(count):
            data = struct.pack("!Q", i) * (size // 8)
            sock.sendto(data, (client.ip, 7))
            assert sock.recv(2048) == data


@pytest.mark.parametrize("command", ["top", "trace", "pcap"])
def test_what_cannot_be_looked_at(command, run, tmp_path):
    """Each mistake has its message."""
    file = tmp_path / "state.json"
    options = ["-o", tmp_path / "out"] if command == "pcap" else []

    def said(text, status=1):
        done = sddf(command, file, *options)
        assert done.returncode == status and text in done.stderr, done.stderr

    said("No such file or directory")
    file.write_text("<system/>")
    said("this is no state file (sddf run --state)")
    file.write_text('{"version": 2}')
    said("this is no state file of a running system")
    file.write_text('{"version": 1, "loader": 4194303, "regions": [], "pds": []}')
    said("the system that wrote it runs no more")
    file.write_text(json.dumps({"version": 1, "loader": os.getpid(), "pds": [],
                                "regions": [{"name": "r", "size": 4096, "fd": 0}]}))
    said("r of the running system is not what this file says")
    assert sddf(command).returncode == 2
    assert "is no option of it" in sddf(command, "--colour", file).stderr
    with run(HELLO) as system:
        state = json.loads(system.state_path.read_text())
        state["pds"][0]["maps"] = [{"region": "nowhere", "vaddr": 0, "size": 1, "perms": "r"}]
        file.write_text(json.dumps(state))
        said("hello maps a region that is not listed")
        if command == "pcap":
            done = sddf(command, system.state_path, *options)
            assert done.returncode == 1 and "no such client of a network" in done.stderr
        if command == "trace":
            done = sddf(command, system.state_path, "--pd", "hallo")
            assert done.returncode == 2 and 'did you mean "hello"?' in done.stderr
    assert system.status == 0


# ---- top ------------------------------------------------------------------------------------------


def tables(text):
    """[{PD: {column: text}}] of what top has printed."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = block.splitlines()
        titles = ["name", "state", "prio", "cpu", "cpu %", "wake/s", "notify/s", "rx/s", "tx/s",
                  "drop/s", "refused/s"]
        rows = [dict(zip(titles, line.split())) for line in lines[2:]]
        found.append({row["name"]: row for row in rows})
    return found


def test_top_counts_what_passes(echo, lab):
    with background("top", "-i", "0.2", "-n", "1000", echo.state_file) as top:
        for _ in range(20):
            echo_some(lab, echo.clients[0], 200)
    out = top.out
    assert out.startswith(f"echo: loader {echo.process.pid}, ")
    found = tables(out)
    assert set(found[0]) == {pd_["name"] for pd_ in echo.state["pds"]}
    first, second = (client.name for client in echo.clients[:2])
    busy = [table for table in found if table[first]["rx/s"] not in ("-", "0")]
    assert busy
    for name in (first, f"{echo.device}_driver", f"{echo.device}_virt_rx", f"{echo.device}_virt_tx",
                 f"{echo.device}_copy_{first}"):
        assert any(int(table[name]["wake/s"]) > 0 and int(table[name]["notify/s"]) > 0 and
                   float(table[name]["cpu %"]) > 0 for table in busy), name
    assert all(table[second]["rx/s"] == "0" for table in found)
    assert all(table["timer0_driver"]["rx/s"] == "-" for table in found)


def test_top_knows_states_and_the_end(run):
    budget = region("figures") + pd("held", "spin", 1, '<map mr="figures" vaddr="0x10000000" '
                                    'setvar_vaddr="figures"/>', more='budget="1000" period="1000000"')
    with run(HELLO + budget + pd("illegal", "faults", 3)) as system:
        system.complained("illegal: fault")

        def states():
            return {name: row["state"] for name, row in
                    tables(sddf("top", "-n", "1", "-i", "0.1", system.state_path).stdout)[0].items()}

        assert lib.wait_until(lambda: states() == {"hello": "sleeps", "held": "held", "illegal": "dead"}, 10)
        with background("top", system.state_path) as top:
            assert lib.wait_until(top.printed, 10)
            system.end()
            assert top.wait(60) == 0
        assert top.out.endswith("the system has ended\n")


def test_top_on_a_terminal_stays_in_place(run):
    with run(HELLO + PING_PONG) as system:
        pid, terminal = pty.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.execv(lib.SDDF, [str(word) for word in (lib.SDDF, "top", "-i", "0.1", system.state_path)])
        said = b""
        while said.count(b"\x1b[H") < 4:
            assert select.select([terminal], [], [], 60)[0], said
            said += os.read(terminal, 4096)
        os.write(terminal, b"\x03")
        with contextlib.suppress(OSError):
            while data := os.read(terminal, 4096):
                said += data
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(terminal)
        assert said.startswith(b"\x1b[?25l") and b"\x1b[?25h" in said[-60:]


# ---- trace ----------------------------------------------------------------------------------------


def test_trace_counts_every_notification(echo, lab):
    """Lines: how often is exact, whatever the looks are apart."""
    client = echo.clients[0]
    echo_some(lab, client, 5)
    with background("trace", echo.state_file) as trace:
        assert lib.wait_until(trace.printed, 10)  # It has begun: the system ticks.
        echo_some(lab, client, 100)
    assert re.search(r"sddf trace: \d+ looks, \d+ us apart, and once \d+ us", trace.err)
    line = re.compile(r" *(\d+\.\d{6})  (\S+) +(wakes|sleeps|notifies (\S+))(?: (\d+) times)?$")
    matches = [line.match(text) for text in trace.out.splitlines()]
    assert all(matches)
    at = [float(match[1]) for match in matches]
    assert at == sorted(at)
    counts = {}
    for match in matches:
        key = match[2], match[3]
        counts[key] = counts.get(key, 0) + int(match[5] or 1)
    copier = f"{echo.device}_copy_{client.name}"
    for who, whom in ((f"{echo.device}_driver", f"{echo.device}_virt_rx"),
                      (f"{echo.device}_virt_rx", copier), (copier, client.name),
                      (client.name, f"{echo.device}_virt_tx"),
                      (f"{echo.device}_virt_tx", f"{echo.device}_driver")):
        # One at a time, each datagram wakes everybody on its way.
        assert counts[who, f"notifies {whom}"] >= 100, (who, whom)
        assert counts[whom, "wakes"] >= 100


def test_trace_for_perfetto(echo, lab, tmp_path):
    """A file of Chrome's trace events, in which nobody wakes who is awake."""
    path = tmp_path / "echo.trace"
    client = echo.clients[0]
    with background("trace", echo.state_file, "-o", path, "--pd", client.name):
        assert lib.wait_until(path.exists, 10)
        echo_some(lab, client, 200)
        time.sleep(0.1)
    events = json.loads(path.read_text())["traceEvents"]
    names = {event["tid"]: event["args"]["name"] for event in events if event["ph"] == "M"}
    assert set(names.values()) == {pd_["name"] for pd_ in echo.state["pds"]}
    times = [event["ts"] for event in events if event["ph"] != "M"]
    assert times == sorted(times)
    assert {names[event["tid"]] for event in events if event["ph"] in "BE"} <= {client.name}
    begun = [event["ph"] for event in events if event["ph"] in "BE"]
    assert all(one != other for one, other in zip(begun, begun[1:]))
    notified = sum(event["args"]["times"] for event in events if event["ph"] == "i" and
                   event["name"] == f"notifies {echo.device}_virt_tx")
    assert notified >= 200


def test_trace_of_names_that_are_not_nice(run, tmp_path):
    """With what JSON has a meaning of its own for."""
    nasty = PING_PONG.replace('"ping"', "'a\"b\\'")
    with run(nasty) as system:
        done = sddf("trace", system.state_path, "-o", tmp_path / "trace", "--seconds", "0.2")
        assert done.returncode == 0
    events = json.loads((tmp_path / "trace").read_text())["traceEvents"]
    assert 'a"b\\' in {event["args"]["name"] for event in events if event["ph"] == "M"}


# ---- pcap -----------------------------------------------------------------------------------------


def blocks(data):
    """[(kind, body)] of a pcapng file; each block's length stands at both of its ends."""
    found, at = [], 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0 and struct.unpack_from("<I", data, at + length - 4)[0] == length
        found.append((kind, data[at + 8:at + length - 4]))
        at += length
    return found


def frames(data):
    """[(interface's name, 1 for in and 2 for out, bytes)]"""
    interfaces, found = [], []
    for kind, body in blocks(data):
        if kind == 1:
            length = struct.unpack_from("<HH", body, 8)[1]
            interfaces.append(body[12:12 + length].decode())
        elif kind == 6:
            interface, _, _, size, whole = struct.unpack_from("<5I", body)
            assert size == whole
            flags = struct.unpack_from("<I", body, 20 + (size + 3) // 4 * 4 + 4)[0]
            found.append((interfaces[interface], flags, body[20:20 + size]))
    return interfaces, found


def test_pcap_has_what_a_client_receives_and_sends(echo, lab, tmp_path):
    path = tmp_path / "echo.pcapng"
    client = echo.clients[0]
    name = f"{echo.device}_{client.name}"
    with background("pcap", echo.state_file, "-o", path) as pcap:
        assert lib.wait_until(lambda: path.exists() and path.stat().st_size > 0, 10)
        with lab.udp() as sock:
            for i in range(30):
                data = bytes([i]) * (i * 40)
                sock.sendto(data, (client.ip, 7))
                assert sock.recv(2048) == data
                # A machine that is too busy to look in time may leave frames out, but not all.
                size = path.stat().st_size
                lib.wait_until(lambda: path.stat().st_size > size, 0.05)
    interfaces, found = frames(path.read_bytes())
    assert set(interfaces) == {name, f"{echo.device}_{echo.clients[1].name}", f"{echo.device}_arp"}
    for direction in (1, 2):
        payloads = [frame[42:] for interface, way, frame in found if interface == name and
                    way == direction and frame[12:14] == b"\x08\x00" and frame[23] == 17]
        expected = [bytes([i]) * (i * 40) for i in range(30)]
        assert payloads and all(payload in expected for payload in payloads)
        assert [expected.index(payload) for payload in payloads] == sorted(map(expected.index, payloads))
    written = int(re.search(r"sddf pcap: (\d+) frames written, \d+ left out", pcap.err)[1])
    assert written == len(found) >= 30
    assert len(lib.command("tcpdump", "-nr", path).stdout.splitlines()) == written


def test_pcap_never_writes_half_of_a_frame(echo, lab, tmp_path):
    """Under a flood most frames are too quick to be read for certain: those that are written are whole."""
    path = tmp_path / "flood.pcapng"
    client = echo.clients[0]
    with lab.udp() as sock, background("pcap", echo.state_file, "-o", path, "--pd", client.name) as pcap:
        assert lib.wait_until(lambda: path.exists() and path.stat().st_size > 0, 10)
        sock.setblocking(False)
        for i in range(60000):
            with contextlib.suppress(BlockingIOError):
                sock.sendto(struct.pack("!Q", i) * 180, (client.ip, 7))
    _, found = frames(path.read_bytes())
    seen = 0
    for _, _, frame in found:
        if frame[12:14] == b"\x08\x00" and frame[23] == 17 and len(frame) == 42 + 1440:
            assert frame[42:50] * 180 == frame[42:]
            seen += 1
    assert re.search(r"\d+ frames written, \d+ left out", pcap.err) and "no frames" not in pcap.err
    assert seen == len(found)


def test_without_privileges(run_as):
    """Whoever started the system may look at it, and nobody else but root."""
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    if os.geteuid() != 0 or subprocess.run([*nobody, lib.SDDF, "--help"], capture_output=True,
                                           check=False).returncode != 0:
        pytest.skip("needs root, and a build that another user may read")
    with run_as(nobody, HELLO, "-b", "linux_tap") as system:
        system.printed("hello", "hello from hello")
        command = [lib.SDDF, "top", "-n", "1", "-i", "0.1", system.state_path]
        for prefix, status in ((nobody, 0), ([], 0), (["setpriv", "--reuid=1234", "--clear-groups"], 1)):
            done = subprocess.run([*prefix, *command], capture_output=True, text=True, check=False,
                                  timeout=60)
            assert done.returncode == status, done.stderr
        assert "it takes the user who started it, or root" in done.stderr
