# SPDX-License-Identifier: BSD-2-Clause
"""The virtio driver that runs on seL4 is the one that runs here: the same files, but for the transport."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from image import BUILD, ROOT


def sources(folder, program):
    """Name -> hash of each source file that the program is made of in that build folder, with the
    headers of the driver's own."""
    output = subprocess.run(["meson", "introspect", folder, "--targets"], capture_output=True, text=True,
                            check=True).stdout
    target = next(target for target in json.loads(output)
                  if Path(target["filename"][0]).name == f"{program}.elf")
    files = {Path(name) for group in target["target_sources"] for name in group.get("sources", [])}
    for file in list(files):
        files |= set(file.parent.glob("*.h"))
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def sel4_folders():
    return [folder for pattern in ("build-cross-*", "build-sel4-*") for folder in ROOT.glob(pattern)
            if (folder / "build.ninja").exists()]


@pytest.mark.parametrize("folder", [BUILD, *sel4_folders()], ids=lambda folder: folder.name)
def test_only_the_transport_differs(folder):
    """The folder's driver for virtio-mmio, against the one for PCI of the build for Linux."""
    mmio, pci = sources(folder, "net_virtio"), sources(BUILD, "net_virtio_pci")
    assert set(mmio) - set(pci) == {"mmio.c"}
    assert set(pci) - set(mmio) == {"pci.c"}
    assert {"virtio_net.c", "transport.c", "virtqueue.c", "virtqueue.h", "transport.h", "virtio.h"} <= set(mmio)
    assert {name: mmio[name] for name in set(mmio) & set(pci)} == \
        {name: pci[name] for name in set(mmio) & set(pci)}
