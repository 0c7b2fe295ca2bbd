# SPDX-License-Identifier: BSD-2-Clause
"""The guest: a q35 machine of QEMU's, interpreted (TCG) so that it is the same everywhere, with an
emulated IOMMU, Intel's or AMD's, between its network cards and its memory, or with none. Each card's wire ends here, in a
socket; commands go to a shell on its second serial port."""

import os
import re
import select
import shlex
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import image

BOOT_S = 300  # seconds: some ten are usual, but a machine may have a lot else to do
ANSWER_S = 180  # likewise, for whatever a command or a card is to do


class Wire:
    """The other end of a card's cable: one frame a datagram."""

    def __init__(self, folder, name):
        self.host = str(folder / f"{name}-host")
        self.card = str(folder / f"{name}-card")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(self.host)
        self.socket.setblocking(False)

    def netdev(self, name):
        return (f"dgram,id={name},local.type=unix,local.path={self.card},"
                f"remote.type=unix,remote.path={self.host}")

    def send(self, frame):
        """False: the card's queue is full."""
        try:
            self.socket.sendto(frame, self.card)
            return True
        except BlockingIOError:
            return False

    def drain(self):
        while self.receive(0) is not None:
            pass

    def receive(self, seconds):
        """The next frame within so long, or None."""
        if not select.select([self.socket], [], [], seconds)[0]:
            return None
        try:
            return self.socket.recv(65536)
        except BlockingIOError:
            return None

    def expect(self, wanted, seconds):
        """The first frame for which wanted(frame) is true, or None."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            frame = self.receive(left)
            if frame is not None and wanted(frame):
                return frame
        return None

    def ask(self, frame, wanted, seconds=30, every=2):
        """Sends the frame again and again until what is wanted comes back."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.send(frame)
            answer = self.expect(wanted, every)
            if answer is not None:
                return answer
        return None

    def close(self):
        self.socket.close()


class CommandFailed(AssertionError):
    pass


class Guest:
    """
    Cards are (name, QEMU's device with its options); the i-th, from 0 on, stands at 0000:0(1+i):00.0.
    The IOMMU is "intel", "amd" or None.
    """

    def __init__(self, cards, initrd, iommu="intel", memory=768, options=()):
        self.folder = Path(tempfile.mkdtemp(prefix="sddf-guest-"))
        self.wires = [Wire(self.folder, name) for name, _ in cards]
        self.log = self.folder / "console"
        self.mark = 0
        self.shell = self.monitor = None
        command = ["qemu-system-x86_64", "-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "1",
                   "-m", str(memory), "-display", "none", "-nodefaults", "-no-reboot",
                   "-kernel", str(image.kernel()), "-initrd", str(initrd),
                   "-append", f"console=ttyS0 panic=-1 mitigations=off nokaslr no_timer_check "
                   f"intel_iommu={'on' if iommu == 'intel' else 'off'}",
                   "-serial", f"file:{self.log}",
                   "-serial", f"unix:{self.folder}/shell,server=on,wait=off",
                   "-monitor", f"unix:{self.folder}/monitor,server=on,wait=off", *options]
        if iommu:
            command += ["-device", f"{iommu}-iommu,intremap=on"]
        devices = [f"{device},netdev={name},bus=port{i},romfile=" for i, (name, device) in enumerate(cards)]
        for i, (name, _) in enumerate(cards):
            # Each behind a port of its own: alone on its bus, it can be reset. (Of a faster port Linux
            # would wait for the link after that, and QEMU's never says that it is up.)
            command += ["-device", f"pcie-root-port,id=port{i},chassis={i},addr={3 + i}.0,x-speed=2_5",
                        "-netdev", self.wires[i].netdev(name)]
            if iommu != "amd":
                command += ["-device", devices[i]]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=open(self.folder / "qemu", "wb"))
        try:
            self.shell = self.connect("shell")
            self.monitor = self.connect("monitor")
            self.expect("ready\n", BOOT_S)
            if iommu == "amd":
                self.plug(devices)
        except BaseException:
            self.close()
            raise

    def plug(self, devices):
        """
        QEMU's AMD IOMMU asks a card for its bus once, when it is made: so not before the buses have
        their numbers.
        """
        for i, device in enumerate(devices):
            self.monitor.sendall(f"device_add {device}\n".encode())
            self.wait_for(f"test -e /sys/bus/pci/devices/0000:{1 + i:02x}:00.0/driver")

    def console(self):
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text + (self.folder / "qemu").read_text(errors="replace")

    def connect(self, name):
        end = time.monotonic() + BOOT_S
        while True:
            end_point = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                end_point.connect(str(self.folder / name))
                return end_point
            except OSError:
                end_point.close()
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"QEMU did not start:\n{self.console()[-2000:]}")
                time.sleep(0.1)

    def read(self, seconds):
        """What the shell has said, if something within so long."""
        try:
            if select.select([self.shell], [], [], seconds)[0]:
                return self.shell.recv(65536).decode(errors="replace").replace("\r", "")
        except ConnectionResetError:
            time.sleep(0.1)  # QEMU has ended: its process will tell
        return ""

    def expect(self, pattern, seconds):
        """Waits until the shell has said something that matches; what it was."""
        end = time.monotonic() + seconds
        text = ""
        while (match := re.match(pattern, text)) is None:
            left = end - time.monotonic()
            if left <= 0 or self.process.poll() is not None:
                raise AssertionError(f"the guest's shell did not say {pattern!r} in {seconds} s, but "
                                     f"{text[-1000:]!r}, and its console\n{self.console()[-3000:]}")
            text += self.read(min(left, 0.5))
        return match

    def try_run(self, command, timeout=ANSWER_S):
        """Runs a line of shell in the guest: its exit status, and what it printed."""
        self.mark += 1
        mark = f"=={self.mark}=="
        assert "\n" not in command, command
        line = f"(eval {shlex.quote(command)}); status=$?; echo; echo {mark} $status\n"
        self.shell.sendall(line.encode())
        text = self.expect(rf"(?s)(.*)\n{mark} (\d+)\n", timeout)
        return int(text[2]), text[1].strip("\n")

    def run(self, command, timeout=ANSWER_S):
        """The same for what has to work: what it printed."""
        status, output = self.try_run(command, timeout)
        if status != 0:
            raise CommandFailed(f"{command!r} in the guest: exit status {status}\n{output}")
        return output

    def wait_for(self, command, seconds=ANSWER_S):
        """Until the command succeeds."""
        end = time.monotonic() + seconds
        while True:
            status, output = self.try_run(command)
            if status == 0:
                return output
            if time.monotonic() > end:
                raise AssertionError(f"{command!r} did not become true in {seconds} s; last it said\n"
                                     f"{output}")
            time.sleep(0.2)

    def memory(self, address, size):
        """The guest's physical memory, seen from outside of it."""
        path = self.folder / "memory"
        path.unlink(missing_ok=True)
        self.monitor.sendall(f"pmemsave {address:#x} {size} \"{path}\"\n".encode())
        end = time.monotonic() + 30
        while not path.exists() or path.stat().st_size < size:
            assert time.monotonic() < end, "QEMU's monitor does not answer"
            time.sleep(0.02)
        return path.read_bytes()

    def link(self, name, up):
        """Puts a card's cable in, or pulls it."""
        self.monitor.sendall(f"set_link {name} {'on' if up else 'off'}\n".encode())

    def write(self, path, text):
        """A text file in the guest."""
        for number, line in enumerate(text.split("\n")):
            self.run(f"printf '%s\\n' {shlex.quote(line)} {'>>' if number else '>'}{path}")

    def close(self):
        self.process.kill()
        self.process.wait()
        for wire in self.wires:
            wire.close()
        for end_point in (self.shell, self.monitor):
            if end_point is not None:
                end_point.close()
        for path in self.folder.iterdir():
            path.unlink()
        os.rmdir(self.folder)
