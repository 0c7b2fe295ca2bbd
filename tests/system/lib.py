# SPDX-License-Identifier: BSD-2-Clause
"""What the system tests are made of: a network of two namespaces, and a system running in one.

    lab.generator: the tests' sockets, 10.0.0.1/24  --- veth ---  lab.system: sddf run --netdev
"""

import contextlib
import ctypes
import functools
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import packets

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))
import lab as bench_lab  # noqa: E402 (the path comes first)

BUILD = Path(os.environ.get("SDDF_BUILD", ROOT / "build"))
SDDF = BUILD / "sddf"
AUDIT = BUILD / "tests" / "audit"
ECHO = ROOT / "examples" / "echo" / "echo.xml"

UDP_PORTS = (7, 1235)
DISCARD_PORT, TCP_PORT = 9, 1236
libc = ctypes.CDLL(None, use_errno=True)


def command(*words, check=True, **kwargs):
    """Runs a command; its output is in the exception if it fails."""
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, **kwargs)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: exit status {done.returncode}\n"
                             f"{done.stdout}{done.stderr}")
    return done


# A test's waiting times are those of a quiet machine; a busy one gets so many times as long. What
# becomes true costs nobody this time.
PATIENCE = 10


def wait_until(condition, seconds, step=0.01):
    """Waits for condition() to be true, and says whether it became so."""
    end = time.monotonic() + seconds * PATIENCE
    while not (value := condition()):
        if time.monotonic() > end:
            return value
        time.sleep(step)
    return value


def alive(pid):
    """Does the process exist and live? A zombie does not."""
    return process_state(pid) not in ("", "Z", "X")


def process_state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def descendants(pid):
    """The processes below this one."""
    found, todo = set(), [pid]
    while todo:
        parent = todo.pop()
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                new = {int(child) for child in children.read_text().split()} - found
                found |= new
                todo += new
    return found


# ---- the network ----------------------------------------------------------------------------------


@contextlib.contextmanager
def inside(namespace):
    """Sockets made in the block belong to the network namespace."""
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        namespace.enter()
        try:
            yield
        finally:
            if libc.setns(own, bench_lab.CLONE_NEWNET) != 0:
                os._exit(70)  # Every later test would touch the wrong network.
    finally:
        os.close(own)


class Peer:
    """The peer that the tests play: sockets in the namespace `generator`."""

    peer_ip = bench_lab.GENERATOR_ADDRESS

    @functools.cached_property
    def peer_mac(self):
        return self.links(self.generator)[self.generator_interface]["address"]

    def links(self, namespace):
        """The namespace's interfaces, by name, with "xdp" where a program is attached."""
        output = namespace.run(["ip", "-json", "-details", "link", "show"])
        return {link["ifname"]: link for link in json.loads(output)}

    def set_link(self, namespace, *words):
        namespace.run(["ip", "link", "set", namespace.interface, *map(str, words)])

    def wire(self):
        with inside(self.generator):
            return packets.Wire(self.generator_interface)

    def udp(self, timeout=10.0):
        """A UDP socket of the peer's."""
        with inside(self.generator):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        sock.settimeout(timeout)
        return sock

    def tcp(self, ip, port=TCP_PORT, timeout=30.0):
        with inside(self.generator):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.settimeout(timeout)
        try:
            sock.connect((ip, port))
        except OSError:
            sock.close()
            raise
        return sock

    def icmp(self, timeout=10.0):
        with inside(self.generator):
            sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        sock.settimeout(timeout)
        return sock

    @contextlib.contextmanager
    def sure_of(self, clients):
        """In the block the peer does not ask clients whether they still have their addresses, which a
        Linux does some seconds after it has sent them something."""
        for client in clients:
            self.generator.run(["ip", "neighbour", "replace", client.ip, "lladdr", client.mac, "nud",
                                "permanent", "dev", self.generator_interface])
        try:
            yield
        finally:
            for client in clients:
                self.generator.run(["ip", "neighbour", "del", client.ip, "dev",
                                    self.generator_interface])

    def flood(self, ip, port=DISCARD_PORT, size=1472, seconds=60):
        """Starts a process that sends as fast as it can; kill() and wait() end it."""
        script = Path(__file__).with_name("flood.py")
        flood = self.generator.start(
            [sys.executable, *map(str, (script, ip, port, size, seconds))],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        assert flood.stdout.readline() == "ready\n"  # From here on it takes SIGTERM.
        return flood

    def offered(self):
        """How many frames the peer has sent so far."""
        output = self.generator.run(["ip", "-json", "-stats", "link", "show",
                                     self.generator_interface])
        return json.loads(output)[0]["stats64"]["tx"]["packets"]

    def end_flood(self, flood):
        """Ends a flood and returns how many datagrams it has sent."""
        flood.terminate()
        output, _ = flood.communicate(timeout=60)
        self.generator.children.remove(flood)
        return int(output)


class Lab(Peer, bench_lab.Lab):
    """The benchmarks' two namespaces. One lab serves many systems, one after the other."""

    def __init__(self):
        super().__init__()
        self.lasting = {"lo", self.system_interface}


class Namespace(bench_lab.Namespace):
    """The network namespace of a process that is there already."""

    def __init__(self, pid):  # pylint: disable=super-init-not-called (it would make a new one)
        self.holder, self.children = pid, []
        self.fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)

    def close(self):
        os.close(self.fd)


class TapLab(Peer):
    """One namespace in which the system makes a TAP interface; its other end is the kernel's own, so
    the peer sits in the same namespace."""

    generator_interface = system_interface = "sddftap0"

    def __init__(self, namespace):
        self.generator = self.system = namespace
        namespace.interface = self.system_interface
        self.lasting = {"lo"}

    def give_address(self):
        """To be called when the interface is there."""
        self.system.run(["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"], check=False)
        self.system.run(["ip", "address", "add", f"{self.peer_ip}/{bench_lab.PREFIX}", "dev",
                         self.system_interface])


# ---- a description, as the tests read it ----------------------------------------------------------


class Client:
    def __init__(self, element):
        self.name = element.get("pd")
        self.mac = element.get("mac")
        self.ip = (element.get("ip") or "").split("/")[0]


def clients_of(description):
    """The clients of the description's network, in its order."""
    network = ElementTree.parse(description).getroot().find("network")
    return [Client(element) for element in network.findall("client")]


# ---- statistics -----------------------------------------------------------------------------------


def stat_names():
    text = (ROOT / "include/sddf/net.h").read_text()
    table = re.search(r"#define NET_STAT_NAMES\s*(.*?)\}", text, re.S).group(1)
    return re.findall(r'"(\w+)"', table)


STATS = stat_names()


# ---- a running system -----------------------------------------------------------------------------


class System:
    """One run of `sddf run`, from start() to stop()."""

    def __init__(self, lab, folder, description=ECHO, options=(), clients=None, prefix=(),
                 netdev=True):
        self.lab, self.folder = lab, Path(folder)
        self.description, self.options, self.prefix = description, list(options), list(prefix)
        self.netdev = netdev
        self.clients = clients if clients is not None else clients_of(ECHO)
        self.state_file = self.folder / "state.json"
        self.log_file = self.folder / "log"
        self.saved = self.folder / "configurations"
        self.process = self.state = None
        self.family = set()
        self.account = {}  # What the account at the end is taken with; None: there is none.

    # -- start and stop

    def start(self, seconds=20):
        self.spawn()
        return self.wait_up(seconds)

    def wait_up(self, seconds=20):
        up = wait_until(lambda: self.process.poll() is not None or self.is_up(), seconds)
        if not up or self.process.poll() is not None:
            self.end_by_force()
            raise AssertionError(f"the system did not come up:\n{self.output()}")
        self.state = json.loads(self.state_file.read_text())
        self.family = descendants(self.process.pid)
        self.saved.mkdir(exist_ok=True)
        self.assert_account()  # And keeps the configurations, for an account with the dead.
        return self

    def spawn(self, start=None):
        """Starts the process, in the lab's namespace or as start(words, **options) does it."""
        self.state_file.unlink(missing_ok=True)
        words = [*self.prefix, SDDF, "run", self.description]
        if self.netdev:
            words += ["--netdev", self.lab.system_interface]
        words += ["--state", self.state_file, *self.options]
        with open(self.log_file, "wb") as log:
            self.process = (start or self.lab.system.start)(
                [str(word) for word in words], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT)

    def is_up(self):
        text = self.output()
        return self.state_file.exists() and all(
            re.search(rf"\b{client.name}\b.*\bis up\b", text) for client in self.clients)

    def output(self):
        return self.log_file.read_text(errors="replace")

    def stop(self, by=signal.SIGTERM, status=0):
        """Ends the system and checks that it went as it should and left nothing behind."""
        if self.process.poll() is None:
            self.family |= descendants(self.process.pid)
            self.process.send_signal(by)
        try:
            ended = self.process.wait(10 * PATIENCE)
            self.forget()
        except subprocess.TimeoutExpired:
            self.end_by_force()
            raise AssertionError(f"the system does not end after {by.name}:\n{self.output()}")
        assert ended == status, f"exit status {ended}, not {status}:\n{self.output()}"
        self.check_nothing_left()

    def forget(self):
        """The lab need not end what has ended."""
        if self.lab is not None and self.process in self.lab.system.children:
            self.lab.system.children.remove(self.process)

    def end_by_force(self):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.forget()
        for pid in self.family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def check_nothing_left(self):
        def left():
            things = [f"process {pid} ({process_name(pid)})" for pid in self.family if alive(pid)]
            for name, link in self.lab.links(self.lab.system).items():
                if name not in self.lab.lasting:
                    things.append(f"interface {name}")
                if "xdp" in link:
                    things.append(f"XDP program on {name}")
            if self.state_file.exists():
                things.append(f"state file {self.state_file}")
            return things
        wait_until(lambda: not left(), 3)
        assert left() == []

    # -- looking inside

    def pd(self, name):
        return next(pd for pd in self.state["pds"] if pd["name"] == name)

    def pid(self, name):
        return self.pd(name)["pid"]

    def region(self, name):
        return next(region for region in self.state["regions"] if region["name"] == name)

    @property
    def device(self):
        """The network device's name in the system."""
        return next(pd["name"] for pd in self.state["pds"]
                    if pd["name"].endswith("_virt_rx")).removesuffix("_virt_rx")

    @contextlib.contextmanager
    def memory(self, region_name, writable=False):
        """A region's bytes, through the loader's descriptor."""
        region = self.region(region_name)
        mode = os.O_RDWR if writable else os.O_RDONLY
        fd = os.open(f"/proc/{self.state['loader']}/fd/{region['fd']}", mode | os.O_CLOEXEC)
        try:
            view = mmap.mmap(fd, region["size"], mmap.MAP_SHARED,
                             mmap.PROT_READ | (mmap.PROT_WRITE if writable else 0))
        finally:
            os.close(fd)
        try:
            yield view
        finally:
            view.close()

    def stats(self, pd, row=0):
        """A PD's statistics, by name; row 0 is the PD's own, the others its neighbours'."""
        name = f"{pd}_stats"
        if all(region["name"] != name for region in self.state["regions"]):
            name = f"{self.device}_{pd}_stats"
        with self.memory(name) as view:
            _, _, rows, columns = struct.unpack_from("=4I", view, 0)
            assert columns == len(STATS) and row <= rows
            return dict(zip(STATS, struct.unpack_from(f"={columns}Q", view,
                                                      16 + row * columns * 8)))

    def audit(self, wait=3.0 * PATIENCE, dead_may_hold=False):
        """The auditor's account: the exit status and what it printed."""
        words = [AUDIT, "--state", self.state_file, "--saved", self.saved, "--wait",
                 int(wait * 1000)]
        if dead_may_hold:
            words.append("--dead-may-hold")
        done = command(*words, check=False)
        return done.returncode, done.stdout + done.stderr

    def assert_account(self, **kwargs):
        status, text = self.audit(**kwargs)
        assert status == 0, f"the account does not balance:\n{text}"

    # -- services

    def client(self, name):
        return next(client for client in self.clients if client.name == name)

    def check_echo(self, client, count=20, size=512, port=7, least=None, patience=None):
        """`count` datagrams to the client's UDP echo, one at a time; each must come back as it was.
        With `least`, so many are enough; a wrong one is never right."""
        if patience is None:
            patience = 1.0 * PATIENCE if least is None else 0.5
        right = 0
        with self.lab.udp(timeout=patience) as sock:
            sock.connect((client.ip, port))
            for i in range(count):
                data = struct.pack("!Q", i) + os.urandom(size - 8)
                sock.send(data)
                right += receive_echo(sock, data, patience)
                if least is None:
                    assert right == i + 1, f"{client.name}: datagram {i} was not echoed"
        assert right >= (count if least is None else least), \
            f"{client.name}: {right} of {count} datagrams were echoed"
        return right

    def serves_again(self, client):
        """The client's service returns, at once or after what has piled up."""
        assert wait_until(lambda: self.check_echo(client, count=1, least=0), 3), \
            f"{client.name} does not return:\n{self.output()}"
        self.check_echo(client, count=50)

    def check_services(self):
        for client in self.clients:
            for port in UDP_PORTS:
                self.check_echo(client, port=port)


def receive_echo(sock, data, seconds):
    """Waits for this datagram. Late answers to earlier ones (by their number) do not count, but a
    datagram whose number is right and whose content is not is a failure."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            answer = sock.recv(65536)
        except (TimeoutError, ConnectionError):
            return False
        if answer[:8] == data[:8]:
            assert answer == data, "a datagram came back with other content"
            return True
    return False


def process_name(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return "?"
