# SPDX-License-Identifier: BSD-2-Clause
"""The Microkit's boards as the build and QEMU want to know them. What devices a board has is in
boards/NAME.xml, for the sddf command."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]

CONFIGS = ("debug", "release", "benchmark")

GET_SDK = ("set MICROKIT_SDK to the folder of a Microkit SDK, 2.0.1 or later: its releases are at "
           "https://github.com/seL4/microkit/releases")


class Missing(Exception):
    """What must be there is not; the text says what, and how to get it."""


@dataclass
class Target:
    """A processor architecture: Debian's cross compiler and C library, and how code is made."""
    arch: str  # meson's name, which is the board files' name too
    triple: str
    compiler_package: str
    picolibc_package: str
    args: list
    clock_hz: int = 0  # only to check that things compile; boards have their own

    @property
    def compiler(self):
        return f"{self.triple}-gcc"

    def _ask(self, option):
        return subprocess.run([self.compiler, *self.args, option], check=True, capture_output=True,
                              text=True).stdout.strip()

    def check(self):
        if shutil.which(self.compiler) is None:
            raise Missing(f"the compiler {self.compiler} is missing: ./setup.sh --sel4 installs it "
                          f"(Debian's package {self.compiler_package})")
        if not (Path("/usr/lib/picolibc") / self.triple / "include" / "string.h").exists():
            raise Missing(f"the C library for {self.arch} is missing: ./setup.sh --sel4 installs it "
                          f"(Debian's package {self.picolibc_package})")

    def cross_file(self):
        """Meson's description of this target."""
        picolibc = Path("/usr/lib/picolibc") / self.triple
        library = picolibc / "lib" / self._ask("-print-multi-directory") / "libc.a"
        words = ", ".join(f"'{arg}'" for arg in self.args)
        own = [self._ask(f"-print-file-name={name}") for name in ("include", "include-fixed")]
        headers = ", ".join(f"'{folder}'" for folder in own if Path(folder).is_dir())
        return (f"[binaries]\nc = '{self.compiler}'\nar = '{self.triple}-gcc-ar'\n"
                f"nm = '{self.triple}-nm'\nstrip = '{self.triple}-strip'\n\n"
                f"[built-in options]\nc_args = [{words}]\nc_link_args = [{words}]\n\n"
                f"[properties]\nneeds_exe_wrapper = true\nskip_sanity_check = true\n"
                f"picolibc_headers = '{picolibc}/include'\npicolibc = '{library}'\n"
                f"compiler_headers = [{headers}]\n\n"
                f"[host_machine]\nsystem = 'none'\ncpu_family = '{self.arch}'\n"
                f"cpu = '{self.arch}'\nendian = 'little'\n")


TARGETS = {
    "aarch64": Target("aarch64", "aarch64-linux-gnu", "gcc-aarch64-linux-gnu",
                      "picolibc-aarch64-linux-gnu",
                      # Unaligned words in normal memory are what packets are made of; a device's
                      # registers are only touched by sddf/device.h, one aligned word at a time. No
                      # vector registers: seL4 switches them lazily, by a fault in each program that
                      # uses them. Atomics inline: the functions that would choose at run time ask a
                      # C library that is not there.
                      ["-mcpu=cortex-a53", "-mgeneral-regs-only", "-mno-outline-atomics"]),
    "riscv64": Target("riscv64", "riscv64-unknown-elf", "gcc-riscv64-unknown-elf",
                      "picolibc-riscv64-unknown-elf",
                      ["-march=rv64gc", "-mabi=lp64d", "-mcmodel=medany", "-mstrict-align"],
                      clock_hz=10_000_000),
}


@dataclass
class Board:
    name: str
    target: Target
    clock_hz: int = 0  # 0: the processor says
    qemu: list = field(default_factory=list)
    qemu_package: str = ""
    image: str = ""  # QEMU's option that loads the image
    network: str = ""  # QEMU's device for ethernet0, without the netdev

    def check_qemu(self):
        if shutil.which(self.qemu[0]) is None:
            raise Missing(f"{self.qemu[0]} is missing: ./setup.sh --sel4 installs it (Debian's "
                          f"package {self.qemu_package})")

    def qemu_command(self, image, netdev, device_options="", serial="mon:stdio"):
        """The command that boots an image; `netdev` without its id; `serial`: where the UART is."""
        return [*self.qemu, "-m", "size=2G", "-nographic", "-serial", serial,
                *(word.format(image) for word in self.image.split(" ")),
                "-global", "virtio-mmio.force-legacy=false",
                "-device", f"{self.network},netdev=ethernet0{device_options}",
                "-netdev", f"{netdev},id=ethernet0"]


BOARDS = {board.name: board for board in (
    Board("qemu_virt_aarch64", TARGETS["aarch64"],
          qemu=["qemu-system-aarch64", "-machine", "virt,virtualization=on", "-cpu", "cortex-a53"],
          qemu_package="qemu-system-arm",
          image="-device loader,file={},addr=0x70000000,cpu-num=0",
          network="virtio-net-device,bus=virtio-mmio-bus.0"),
    Board("qemu_virt_riscv64", TARGETS["riscv64"], clock_hz=10_000_000,
          # The real-time clock, which is this board's timer, goes with the machine: by default it is
          # the host's wall clock, which somebody may set.
          qemu=["qemu-system-riscv64", "-machine", "virt", "-rtc", "clock=vm"],
          qemu_package="qemu-system-misc",
          image="-kernel {}",
          network="virtio-net-device,bus=virtio-mmio-bus.0"),
)}


def find_board(name):
    if name not in BOARDS:
        raise Missing(f"there is no board {name}: BOARD is {' or '.join(BOARDS)}")
    return BOARDS[name]


def check_network():
    """Can the tests have a network of their own for QEMU?"""
    if os.geteuid() != 0:
        raise Missing("the tests make network namespaces, and only root may: sudo -E make sel4")
    if shutil.which("ip") is None:
        raise Missing("ip is missing: ./setup.sh installs it (Debian's package iproute2)")
    if not Path("/dev/net/tun").exists():
        raise Missing("there is no /dev/net/tun, for QEMU's end of the network: modprobe tun")
    tried = subprocess.run(["unshare", "--net", "ip", "tuntap", "add", "dev", "sddf", "mode", "tap"],
                           capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        raise Missing("this machine lets nobody make a network namespace with a TAP interface in it, "
                      f"as the tests do: {tried.stderr.strip()}")


def check_sdk(sdk):
    """Is this an SDK of a release that will do, and can its tool run here?"""
    tool = sdk / "bin" / "microkit"
    if not tool.exists():
        raise Missing(f"MICROKIT_SDK={sdk} is no Microkit SDK, it has no bin/microkit: {GET_SDK}")
    version = sdk / "VERSION"
    text = version.read_text(errors="replace").strip() if version.is_file() else ""
    release = re.match(r"(\d+)\.(\d+)\.(\d+)", text)
    if release is None or tuple(map(int, release.groups())) < (2, 0, 1):
        raise Missing(f"MICROKIT_SDK={sdk} is no release that will do: its VERSION says "
                      f"\"{text[:20]}\"; {GET_SDK}")
    try:
        ran = subprocess.run([tool, "--help"], capture_output=True, check=False).returncode == 0
    except OSError:
        ran = False
    if not ran:
        raise Missing(f"MICROKIT_SDK={sdk} has a tool that does not run on this machine, "
                      f"bin/microkit: {GET_SDK}")


def find_sdk(board, config):
    """The SDK's folder, and in it the board's for this configuration."""
    if config not in CONFIGS:
        raise Missing(f"there is no configuration {config}: CONFIG is {', '.join(CONFIGS)}")
    sdk = os.environ.get("MICROKIT_SDK", "")
    if not sdk:
        raise Missing(f"this takes a Microkit SDK: {GET_SDK}")
    sdk = Path(sdk).resolve()
    check_sdk(sdk)
    folder = sdk / "board" / board.name / config
    if not (folder / "lib" / "libmicrokit.a").exists():
        have = sorted(f"{path.parent.name} {path.name}" for path in sdk.glob("board/*/*")
                      if (path / "lib" / "libmicrokit.a").exists())
        raise Missing(f"MICROKIT_SDK={sdk} has no {config} build of the board {board.name}; it has "
                      f"{', '.join(have) or 'none of any board'}")
    return sdk, folder
