# SPDX-License-Identifier: BSD-2-Clause
"""The virtio driver that runs on seL4 is the one that runs here: the same files, but for the transport."""

import hashlib
import json
import subprocess
from pathlib import Path

import pytest

from image import BUILD, ROOT


def files_of(folder, program):
    """The source files that the program is made of in that build folder."""
    output = subprocess.run(["meson", "introspect", folder, "--targets"], capture_output=True, text=True,
                            check=True).stdout
    target = next(target for target in json.loads(output)
                  if Path(target["filename"][0]).name == f"{program}.elf")
    return {Path(name) for group in target["target_sources"] for name in group.get("sources", [])}


def hashes(files):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def sources(folder, program):
    """Name -> hash of each of them, with the headers of the driver's own."""
    files = files_of(folder, program)
    for file in list(files):
        files |= set(file.parent.glob("*.h"))
    return hashes(files)


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


def test_only_the_rings_differ():
    """The driver for packed rings is the one for split ones, but for the rings."""
    split, packed = (hashes(files_of(BUILD, program)) for program in ("net_virtio_pci", "net_virtio_pci_packed"))
    assert set(split) == set(packed)
    assert {name for name in split if split[name] != packed[name]} == {"virtqueue.c"}
