# SPDX-License-Identifier: BSD-2-Clause
"""The load generator against echoes that are wrong on purpose: a measure must be measured first."""

import json
import socket
import subprocess
import threading
import time

import pytest

import lib

SO_RCVBUFFORCE = 33  # room for all that comes while this machine has no time for us
LOAD = lib.BUILD / "bench" / "load"


class Echo:
    """Answers on loopback through `how(number of the datagram, data)`, a list of what to send."""

    def __init__(self, how):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        self.socket.bind(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.how, self.running = how, True
        self.thread = threading.Thread(target=self.serve)

    def serve(self):
        self.socket.settimeout(0.1)
        while self.running:
            try:
                data, sender = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            number = int.from_bytes(data[:8], "little")
            greeting = number >> 32 == 0xFFFFFFFF
            for answer in [data] if greeting else self.how(number, data):
                self.socket.sendto(answer, sender)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        self.socket.close()


def offer(how, *options, seconds=0.3, code=0):
    with Echo(how) as echo:
        # A timeout for busy machines; a test's own comes after it.
        done = subprocess.run([LOAD, "--json", "-", "--quiet", "--seconds", str(seconds),
                               "--timeout", "5", *options, echo.target], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == code, done
    count = json.loads(done.stdout)["targets"][0]
    fates = sum(count[fate] for fate in ("returned", "wrong", "late", "lost"))
    assert count["sent"] == fates > 0, count
    return count


@pytest.mark.parametrize("size", [8, 9, 16, 17, 1000, 1472])
@pytest.mark.parametrize("mode", [("--window", "8"), ("--rate", "2000")])
def test_good(size, mode):
    count = offer(lambda _, data: [data], *mode, "--size", str(size), seconds=0.1)
    assert count["returned"] == count["sent"] == count["checked"]
    assert count["doubled"] == count["reordered"] == 0
    assert 0 < count["round_trip"]["p50"] <= count["round_trip"]["p99"] <= count["round_trip"]["max"]


@pytest.mark.parametrize("place", [8, 15, 16, 700, 1471])
def test_one_bit(place):
    """One wrong bit anywhere behind the number is seen, and fails the run."""
    def flip(number, data):
        if number % 10 == 3:
            data = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1:]
        return [data]
    count = offer(flip, "--rate", "2000", code=1)
    assert count["wrong"] == (count["sent"] + 6) // 10


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"x",
                                    lambda d: d[:8] + bytes(len(d) - 8)])
def test_other_content(change):
    count = offer(lambda _, data: [change(data)], "--rate", "1000", code=1)
    assert count["wrong"] == count["sent"]


def test_another_number():
    """Another datagram's number with this one's content, be it sent already or not."""
    count = offer(lambda number, data: [bytes([data[0] ^ 1]) + data[1:]], "--rate", "1000", code=1)
    assert count["returned"] == 0 and count["wrong"] > 0 and count["unknown"] > 0


def test_lost():
    count = offer(lambda number, data: [data] * (number % 4 != 0), "--rate", "2000")
    assert count["lost"] == (count["sent"] + 3) // 4


def test_lost_in_closed_loop():
    """A window whose datagrams are all gone opens again after the timeout."""
    count = offer(lambda number, data: [data] * (number > 20), "--window", "8", "--timeout", "0.03")
    assert count["lost"] == 21 and count["returned"] > 100


def test_doubled():
    count = offer(lambda number, data: [data] * 2, "--rate", "1000")
    # The last one's second answer may come after the end.
    assert count["sent"] - 1 <= count["doubled"] <= count["sent"] == count["returned"]


def test_reordered():
    held = []

    def swap(number, data):
        held.append(data)
        return [held.pop(), held.pop()] if len(held) == 2 else []
    count = offer(swap, "--rate", "2000")
    assert abs(count["reordered"] - count["sent"] // 2) <= 1 and count["lost"] <= 1


def test_late():
    first = []

    def hold(number, data):
        if number < 10:
            first.append(data)
            return []
        kept = first[:] if number == 400 else []
        del first[:len(kept)]
        return kept + [data]
    count = offer(hold, "--rate", "2000", "--timeout", "0.05")
    assert count["late"] >= 10 and count["lost"] == 0


def test_stall_shows():
    """A stall of 0.1 s shows in the round trips of all that were due meanwhile."""
    def stall(number, data):
        if number == 200:
            time.sleep(0.1)
        return [data]
    count = offer(stall, "--rate", "2000", seconds=0.5)
    assert count["round_trip"]["max"] > 90_000
    assert count["round_trip"]["p99"] > 50_000


def test_nobody():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        target = f"127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run([LOAD, "--patience", "0.2", target], capture_output=True, text=True,
                              timeout=30, check=False)
    assert done.returncode == 1 and "no answer" in done.stderr


@pytest.mark.parametrize("options", [[], ["10.0.0.1"], ["10.0.0.1:0"], ["-l", "7", "127.0.0.1:9"],
                                     ["-w", "0", "127.0.0.1:9"], ["--what", "127.0.0.1:9"],
                                     ["127.0.0.1:9@0"], ["127.0.0.1:9@x"], ["-T", "0", "127.0.0.1:9"],
                                     ["-l", "64:70", "127.0.0.1:9"], ["127.0.0.1:9"] * 65])
def test_mistakes(options):
    done = subprocess.run([LOAD, *options], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (1, 2) and done.stderr.startswith("load: ") or "load --help" in done.stderr


@pytest.mark.parametrize("by", [2, 15])
def test_interrupted(by):
    """The first Ctrl-C ends it in order: the counts so far are printed."""
    with Echo(lambda _, data: [data]) as echo:
        with subprocess.Popen([LOAD, "--rate", "500", "--seconds", "60", echo.target], text=True,
                              stdout=subprocess.PIPE) as load:
            time.sleep(0.5)
            load.send_signal(by)
            output, _ = load.communicate(timeout=200)
    assert load.returncode == 0 and "returned" in output


def test_mix():
    """Each datagram has the size that its number says, and any other is wrong."""
    sizes = {}

    def note(number, data):
        sizes.setdefault(len(data), set()).add(number)
        return [data]
    count = offer(note, "--rate", "2000", "--size", "64:2,512:1")
    assert set(sizes) == {64, 512} and count["returned"] == count["sent"] == count["checked"]
    assert abs(len(sizes[64]) - 2 * len(sizes[512])) <= 2
    count = offer(lambda _, data: [data + b"x" * 448] if len(data) == 64 else [data],
                  "--rate", "1000", "--size", "64:1,512:1", code=1)
    assert abs(count["wrong"] - count["returned"]) <= 1


def test_own_rates():
    """A target with a rate of its own, next to one in closed loop."""
    with Echo(lambda _, data: [data]) as paced, Echo(lambda _, data: [data]) as closed:
        done = subprocess.run([LOAD, "--json", "-", "--quiet", "--seconds", "0.5", "--window", "2",
                               paced.target + "@200", closed.target],
                              capture_output=True, text=True, timeout=30, check=True)
    first, second = json.loads(done.stdout)["targets"]
    assert 60 <= first["sent"] <= 101 and first["rate_asked"] == 200
    assert second["sent"] == second["returned"] > 0 and second["rate_asked"] == 0


def test_threads():
    """Several threads share one target: as many datagrams as one would send, each its own."""
    count = offer(lambda _, data: [data], "--rate", "1000", "--threads", "3")
    assert 0 < count["sent"] <= 303 and count["returned"] == count["sent"]  # A busy machine: fewer.


def test_coordinated_omission():
    """In closed loop a stall holds the generator up; the corrected round trips have it in full."""
    def stall(number, data):
        if number == 20:
            time.sleep(0.2)
        return [data]
    count = offer(stall, "--window", "1", seconds=0.5)
    assert count["corrected"]["mean"] > 2 * count["round_trip"]["mean"]
    assert count["corrected"]["count"] > count["round_trip"]["count"] == count["returned"]
