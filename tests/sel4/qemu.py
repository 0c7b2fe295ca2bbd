# SPDX-License-Identifier: BSD-2-Clause
"""The echo system on seL4 in QEMU, to be used as the system tests use a running `sddf run`.

The peer sits in a network namespace with the other end of QEMU's TAP interface, so raw frames go
both ways as on Linux. Statistics are read from the guest's memory: the Microkit's report says where
their region lies, and QEMU's monitor saves it to a file.
"""

import json
import re
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / "system"), str(ROOT / "platform" / "microkit")]

import boards  # noqa: E402 (the path comes first)
import lib  # noqa: E402
import packets  # noqa: E402

PAGE = 0x1000


class PacedWire(packets.Wire):
    """Frames one by one, as a slow line brings them. In one burst they would all be in the device's
    ring before an emulated processor has run, and what is shared out there is bounded."""

    sent = 0

    def send(self, frame):
        self.sent += 1
        if self.sent % 16 == 0:
            time.sleep(0.002)
        return super().send(frame)


class Lab(lib.TapLab):
    def wire(self):
        with lib.inside(self.generator):
            return PacedWire(self.generator_interface)


class Monitor:
    """QEMU's machine protocol (docs/interop/qmp-spec)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(str(path))
        self.file = self.socket.makefile("rw")
        self.file.readline()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.file.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.file.flush()
        while True:
            answer = json.loads(self.file.readline())
            if "return" in answer:
                return answer["return"]
            assert "error" not in answer, f"{command}: {answer['error']}"

    def close(self):
        self.file.close()
        self.socket.close()


class System(lib.System):
    """One run of a system in QEMU, from start() to stop()."""

    device = "ethernet0"

    def __init__(self, lab, folder, board, image, device_options="", machine_options=()):
        super().__init__(lab, folder)
        self.board, self.image = board, Path(image)
        self.device_options, self.machine_options = device_options, machine_options
        self.monitor = None

    def start(self, seconds=240):
        monitor = self.folder / "monitor"
        command = self.board.qemu_command(
            self.image, f"tap,ifname={self.lab.system_interface},script=no,downscript=no",
            self.device_options, serial=f"file:{self.log_file}")
        command += [*self.machine_options, "-monitor", "none", "-qmp", f"unix:{monitor},server=on,wait=off"]
        self.process = self.lab.system.start(command, stdin=subprocess.DEVNULL,
                                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            assert lib.wait_until(lambda: self.process.poll() is not None or
                                  self.lab.system_interface in self.lab.links(self.lab.system), 20)
            if self.process.poll() is not None:
                raise AssertionError(f"QEMU has ended: {self.process.stderr.read().decode()}")
            self.lab.give_address()
            # Room for the bursts of the tests: QEMU's processor is slower than the sender.
            self.lab.set_link(self.lab.system, "txqueuelen", 8192)
            self.lab.set_link(self.lab.system, "up")
            self.monitor = Monitor(monitor)
            for client in self.clients:
                assert lib.wait_until(lambda c=client: self.check_echo(c, count=1, least=0),
                                      seconds), f"{client.name} does not answer:\n{self.output()}"
        except BaseException:
            self.end_by_force()
            raise
        return self

    def stop(self):
        """Ends QEMU. Whatever the kernel or the monitor PD had to complain about is a failure."""
        output = self.output()
        self.end_by_force()
        for word in ("FAULT", "MON|ERROR", "invalid channel", "does not match"):
            assert word not in output, output

    def end_by_force(self):
        if self.monitor is not None:
            self.monitor.close()
            self.monitor = None
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process is not None:
            self.process.stderr.close()
        self.forget()

    def audit(self, **_):
        """The auditor reads a running system of Linux's; here only services tell."""
        return 0, ""

    def output(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def addresses(self, region):
        """Where the region's pages lie in physical memory, in their order."""
        report = (self.image.parent / "report.txt").read_text()
        found = re.findall(rf"^\s+Page\(\S+ KiB\): MR={re.escape(region)} #(\d+)\s.*"
                           rf"phys_addr=([0-9a-f]+)$", report, re.M)
        assert found, f"the report knows no region {region}"
        return [int(address, 16) for _, address in sorted(found, key=lambda page: int(page[0]))]

    def stats(self, pd, row=0):
        name = f"{pd}_stats" if pd.startswith(self.device) else f"{self.device}_{pd}_stats"
        out = self.folder / "pages"
        memory = b""
        for address in self.addresses(name):
            self.monitor.ask("pmemsave", val=address, size=PAGE, filename=str(out))
            memory += out.read_bytes()
        _, _, rows, columns = struct.unpack_from("=4I", memory, 0)
        assert columns == len(lib.STATS) and row <= rows
        return dict(zip(lib.STATS, struct.unpack_from(f"={columns}Q", memory,
                                                      16 + row * columns * 8)))


def missing(board, config):
    """Why tests on this board cannot run here, or None."""
    try:
        board.target.check()
        boards.find_sdk(board, config)
        board.check_qemu()
    except boards.Missing as why:
        return str(why)
    if not lib.SDDF.exists():
        return f"{lib.SDDF} is not built: make"
    return None
