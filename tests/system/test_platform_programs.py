# SPDX-License-Identifier: BSD-2-Clause
"""Programs that no linker would make: what a PD can be, and what is refused before anything runs."""

import pytest

import lib
from elves import ALIVE, DYNAMIC, INTERP, R, STACK, TEXT, TLS, W, X, elf, segment
from pds import HELLO, region, run  # noqa: F401 (a fixture)

DATA = 0x300000


def data(vaddr=DATA, size=4096, flags=R | W, content=b"", **more):
    return segment(vaddr, content, size, flags, **more)


def pd(name, folder, program, inside=""):
    (folder / f"{name}.elf").write_bytes(program)
    return (f'<protection_domain name="{name}" priority="10"><program_image path="{folder}/{name}.elf"/>'
            f'{inside}</protection_domain>')


RUN = {
    "plain": elf(segment()),
    "large_bss": elf(segment(), data(size=(1 << 24) + 1)),
    "lowest": elf(segment(), data(vaddr=0x10000)),
    "highest": elf(segment(), data(vaddr=0x200000000000 - 4096)),
    "only_executed": elf(segment(flags=X)),
    "no_rights": elf(segment(), data(flags=0)),
    "only_written": elf(segment(), data(flags=W)),
    "executable_stack": elf(segment(), segment(0, b"", kind=STACK, flags=R | W | X)),
    "odd_address": elf(segment(TEXT + 0x123), entry=TEXT + 0x123),
    "empty_segment": elf(segment(), data(size=0)),
    "many_segments": elf(segment(), *(data(vaddr=DATA + i * 0x2000) for i in range(63))),
    "right_below": elf(segment(0x10000000 - 4096), entry=0x10000000 - 4096),
}


def test_programs_that_run(run, tmp_path):  # noqa: F811
    """All of them at a time; and one that runs out of its text into nothing, which harms nobody."""
    map_ = '<map mr="r" vaddr="0x10000000" perms="rw"/>'
    runs_out = pd("runs_out", tmp_path, elf(segment(), entry=TEXT + len(ALIVE) - 1))
    with run(region("r") + "".join(pd(name, tmp_path, program, map_) for name, program in RUN.items()) +
             runs_out + HELLO) as system:
        for name in RUN:
            system.printed(name, "alive", 20)
        system.complained("sddf: runs_out: fault: ")
        assert {pd_["name"] for pd_ in system.state()["pds"] if pd_["state"] == "running"} == \
            {*RUN, "hello"}
    assert system.status == 0


REFUSED = [
    (elf(segment(), data(size=1 << 28)), "its segments take more than 0x10000000 bytes"),
    (elf(segment(), data(size=2**64 - 1)), "a segment at 0x300000 lies outside 0x10000 to 0x200000000000"),
    (elf(segment(), data(vaddr=0x200000000000)), "a segment at 0x200000000000 lies outside"),
    (elf(segment(), data(vaddr=2**64 - 4096)), "a segment at 0xfffffffffffff000 lies outside"),
    (elf(segment(), data(vaddr=0)), "a segment at 0x0 lies outside"),
    (elf(segment(flags=R | W | X)), "has a segment that is both written and executed"),
    (elf(segment(), entry=0x100000), "its entry point 0x100000 is in no executable segment"),
    (elf(segment(), data(), entry=DATA), "its entry point 0x300000 is in no executable segment"),
    (elf(segment(), entry=TEXT + len(ALIVE)), "is in no executable segment"),
    (elf(segment(), segment(DATA, b"/lib/ld.so\0", kind=INTERP, flags=R)), "it is dynamically linked"),
    (elf(segment(), segment(DATA, bytes(16), kind=DYNAMIC, flags=R)), "it is dynamically linked"),
    (elf(segment(), segment(DATA, bytes(16), kind=TLS, flags=R)), "it has thread-local variables"),
    (elf(segment(), data(vaddr=TEXT + 0x800)), "two of its segments share the page at 0x200000"),
    (elf(segment(), segment()), "two of its segments share the page at 0x200000"),
    (elf(segment(), *(data(vaddr=DATA + i * 0x2000) for i in range(64))), "or too many"),
    (elf(segment(size=8)), "a segment goes beyond its end"),
    (elf(segment(offset=1 << 40)), "a segment goes beyond its end"),
    (elf(segment(), cut=140), "it is cut off or corrupt"),
    (elf(segment(), cut=63), "it is no ELF file"),
    (elf(segment(), headers=0), "it has no segments to load"),
    (elf(segment(), headers=65535), "it is cut off or corrupt: its program headers"),
    (elf(segment(kind=STACK)), "it has no segments to load"),
    (elf(segment(), data(vaddr=0x10000000)), '"r" at 0x10000000 overlaps the program'),
    (elf(segment(), data(vaddr=0x10000000 - 4096, size=4097)), '"r" at 0x10000000 overlaps the program'),
    (elf(segment(), kind=3), "it is position-independent"),
    (elf(segment(), kind=1), "it is no linked program"),
    (elf(segment(), kind=4), "it is no linked program"),
    (elf(segment(), machine=183), "is for aarch64, and board linux is x86_64"),
    (elf(segment(), machine=0), "it is for machine 0"),
    (b"#!/bin/sh\nexit 0\n" + bytes(100), "it is no ELF file"),
    (b"", "it is no ELF file"),
]


def test_programs_that_are_refused(tmp_path):
    if not lib.SDDF.exists():
        pytest.skip(f"{lib.SDDF} is not built: make")
    map_ = '<map mr="r" vaddr="0x10000000" perms="rw"/>'
    description = "".join(pd(f"odd{i}", tmp_path, program, map_) + "\n"
                          for i, (program, _) in enumerate(REFUSED))
    (tmp_path / "system.xml").write_text(f"<system>{region('r')}\n{description}</system>")
    done = lib.command(lib.SDDF, "check", tmp_path / "system.xml", "-b", "linux", check=False)
    assert done.returncode == 1
    said = {}
    *lines, last = done.stderr.splitlines()
    assert last == f"{len(REFUSED)} mistakes"
    for line in lines:
        said.setdefault(int(line.split(":")[1]), []).append(line)
    for i, (_, message) in enumerate(REFUSED):
        assert any(message in line for line in said[i + 2]), (i, message, said[i + 2])
