# SPDX-License-Identifier: BSD-2-Clause
"""What the guest boots: a Debian kernel out of its package (setup.sh --guest puts it into
build-kernel/) and an initramfs with busybox, the kernel's modules that it takes, and this project's
own programs."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
BUILD = Path(os.environ.get("SDDF_BUILD", ROOT / "build"))
KERNEL = ROOT / "build-kernel"
HERE = Path(__file__).resolve().parent

# In the order in which they need each other.
MODULES = ["virtio_ring", "virtio", "virtio_pci_legacy_dev", "virtio_pci_modern_dev", "virtio_pci",
           "failover", "net_failover", "virtio_net", "e1000e", "irqbypass", "vfio",
           "vfio_iommu_type1", "vfio_virqfd", "vfio-pci-core", "vfio-pci", "uio", "uio_pci_generic"]

PAGE = 4


def kernel():
    """The kernel's image, or None if it has not been fetched."""
    return next(iter(sorted(KERNEL.glob("boot/vmlinuz-*"))), None)


def module(name):
    return next(KERNEL.glob(f"lib/modules/*/kernel/**/{name}.ko"))


def libraries(program):
    """What a dynamically linked program takes besides itself."""
    output = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", output)]


def entry(name, mode, content=b"", number=0):
    """One member of a cpio archive in the "newc" format."""
    raw = name.encode() + b"\0"
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + raw
    return header + bytes(-len(header) % PAGE) + content + bytes(-len(content) % PAGE)


class Archive:
    def __init__(self):
        self.members = {}

    def folder(self, path):
        path = str(path).strip("/")
        if path and path not in self.members:
            self.folder(os.path.dirname(path))
            self.members[path] = (0o040755, b"")

    def file(self, path, content, executable=False):
        self.folder(os.path.dirname(str(path)))
        self.members[str(path).strip("/")] = (0o100755 if executable else 0o100644, content)

    def copy(self, source, path=None):
        """A file of this machine's; with the libraries that it needs, if it is a program."""
        source = Path(source)
        executable = os.access(source, os.X_OK)
        self.file(path or source, source.read_bytes(), executable)
        if executable:
            for library in libraries(source):
                if str(library).strip("/") not in self.members:
                    self.file(library, library.read_bytes(), True)

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, content)) in enumerate(self.members.items(), 1):
                out.write(entry(name, mode, content, number))
            out.write(entry("TRAILER!!!", 0))


def build(path, extra=()):
    """Writes the initramfs. `extra`: (file here, path there) of what else it is to have."""
    archive = Archive()
    for folder in ("proc", "sys", "dev", "run", "tmp", "bin", "sbin"):
        archive.folder(folder)
    archive.file("bin/busybox", Path("/bin/busybox").read_bytes(), True)
    archive.file("init", (HERE / "init.sh").read_bytes(), True)
    for name in MODULES:
        archive.file(f"modules/{name}.ko", module(name).read_bytes())
    archive.file("modules/order", "".join(f"{name}\n" for name in MODULES).encode())
    archive.file("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.copy(BUILD / "sddf", "sddf/sddf")
    for program in (BUILD / "platform" / "linux").glob("*.elf"):
        archive.copy(program, f"sddf/platform/linux/{program.name}")
    for board in (BUILD / "platform" / "linux" / "boards").glob("*.xml"):
        archive.copy(board, f"sddf/platform/linux/boards/{board.name}")
    archive.copy(ROOT / "examples" / "echo" / "echo.xml", "sddf/echo.xml")
    for source, target in extra:
        archive.copy(source, target)
    archive.write(path)
    return path
