# SPDX-License-Identifier: BSD-2-Clause
"""Everything that seL4 is to run, without a Microkit SDK: every program is cross-compiled with the
same flags against our own microkit.h and linked with the Microkit's functions left out; then the
programs and what `sddf build` makes of them are looked into."""

import itertools
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

import lib

sys.path.append(str(lib.ROOT / "platform" / "microkit"))
import boards  # noqa: E402 (the path comes first)
import build  # noqa: E402

# What the C library would only need with an operating system below it.
LEAKS = {"malloc", "free", "calloc", "realloc", "sbrk", "_sbrk", "stdin", "stdout", "stderr", "errno",
         "exit", "_exit", "abort", "atexit", "write", "read", "open", "close", "environ", "main",
         "__stack_chk_fail", "__libc_init_array"}
CODE_MAX = 24 << 10  # bytes of a component's or driver's code: small enough to be understood

# The Microkit 2.0.1's description format, from its manual.
PLAIN = {
    "system": set(), "memory_region": {"name", "size", "page_size", "phys_addr"},
    "protection_domain": {"name", "priority", "budget", "period", "passive", "stack_size", "smc",
                          "id"},
    "program_image": {"path"}, "setvar": {"symbol", "region_paddr"}, "channel": set(),
    "map": {"mr", "vaddr", "perms", "cached", "setvar_vaddr", "setvar_size"},
    "irq": {"irq", "id", "trigger"}, "end": {"pd", "id", "pp", "notify"},
}


class Cross:
    """The programs for one architecture."""

    def __init__(self, target):
        self.target = target
        folder = build.build_programs(boards.ROOT / f"build-cross-{target.arch}", target)
        self.folder, self.programs = folder, sorted(folder.glob("*.elf"))
        self.timer = {"aarch64": "timer_arm.elf", "riscv64": "timer_goldfish.elf"}[target.arch]

    def tool(self, name, *words):
        return lib.command(f"{self.target.triple}-{name}", *words).stdout

    def symbols(self, program):
        """{name: kind} as nm has it, of those that are not a file's own: U is undefined."""
        lines = self.tool("nm", "--extern-only", program).splitlines()
        return {words[-1]: words[-2] for words in map(str.split, lines)}

    def segments(self, program):
        """(type, address, size in memory, rights) of each."""
        found = re.findall(r"^\s+(\w+)\s+0x\w+ (0x\w+) 0x\w+ 0x\w+ (0x\w+) ([RWE ]{3})",
                           self.tool("readelf", "-lW", program), re.M)
        return [(kind, int(address, 16), int(size, 16), rights.replace(" ", ""))
                for kind, address, size, rights in found]


@pytest.fixture(scope="module", params=boards.TARGETS)
def cross(request):
    try:
        boards.TARGETS[request.param].check()
    except boards.Missing as why:
        pytest.skip(str(why))
    cross = Cross(boards.TARGETS[request.param])
    assert len(cross.programs) >= 8
    return cross


def test_all_sources_are_compiled():
    """Of every component, driver and example, for one of the architectures at least; but what is
    Linux's own."""
    try:
        programs = [Cross(target).folder for target in boards.TARGETS.values()]
    except boards.Missing as why:
        pytest.skip(str(why))
    compiled = {(folder.parents[1] / entry["file"]).resolve() for folder in programs
                for entry in json.loads((folder.parents[1] / "compile_commands.json").read_text())}
    left_out = {str(source.relative_to(lib.ROOT))
                for folder in ("network", "timer", "serial", "drivers", "examples")
                for source in (lib.ROOT / folder).rglob("*.c")
                if source not in compiled and not source.parent.name.startswith("linux")}
    assert not left_out


def interface():
    """What microkit.h declares."""
    text = (lib.ROOT / "platform/linux/include/microkit.h").read_text()
    return set(re.findall(r"\b(\w+)\(", text)) | {"microkit_name"}


def test_only_the_microkit_is_undefined(cross):
    wrong = {program.name: left for program in cross.programs
             if (left := {name for name, kind in cross.symbols(program).items() if kind == "U"}
                 - interface())}
    assert not wrong, wrong


def test_no_library_leaks(cross):
    """Nothing of the C library's own state, no thread-local storage, nothing to relocate."""
    for program in cross.programs:
        assert not (leaks := LEAKS & set(cross.symbols(program))), f"{program.name}: {leaks}"
        assert "There are no relocations" in cross.tool("readelf", "-rW", program)
        assert "Type:                              EXEC" in cross.tool("readelf", "-hW", program)


def test_segments(cross):
    """No page is both written and executed, and all lie below what expansion gives out."""
    for program in cross.programs:
        for kind, address, size, rights in cross.segments(program):
            assert kind in ("LOAD", "GNU_STACK", "RISCV_ATTRIBUT", "NOTE"), (program.name, kind)
            assert not {"W", "E"} <= set(rights), (program.name, kind)
            if kind == "LOAD" and size != 0:
                assert 0x10000 <= address and address + size <= 0x10000000


def test_sizes(cross):
    """A report of all, and components stay small."""
    lines = [line.split() for line in cross.tool("size", *cross.programs).splitlines()[1:]]
    for text, data, bss, *_, path in lines:
        name = path.rsplit("/", 1)[-1]
        print(f"{cross.target.arch:8} {name:24} code {text:>7}  data {data:>6}  zeroed {bss:>8}")
        assert "lwip" in cross.tool("nm", path) or int(text) <= CODE_MAX, f"{name}: {text} bytes"


@pytest.mark.parametrize("name", ["memcpy", "memset", "memmove"])
def test_memory_functions_do_not_call_themselves(cross, name):
    """As they would if the compiler made a call of what they are made of."""
    for path in cross.programs:
        code = cross.tool("objdump", "-d", f"--disassemble={name}", path)
        assert f"<{name}>:" not in code or not re.search(rf"\s[0-9a-f]+ <{name}>$", code, re.M), path


def test_no_code_that_a_platform_chooses():
    """What a platform differs in stands behind a header, or in a driver of its own."""
    choice = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\b(__linux__|__unix__|\w*MICROKIT\w*|"
                        r"CONFIG_\w+|__aarch64__|__riscv\w*|__x86_64__)", re.M)
    for folder in ("network", "timer", "serial", "drivers", "examples"):
        for source in itertools.chain((lib.ROOT / folder).rglob("*.c"),
                                      (lib.ROOT / folder).rglob("*.h")):
            assert not choice.search(source.read_text()), source


# ---- boards ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("before, after, answer", [
    ('platform="microkit"', 'platform="vax"', 'platform="vax" is neither "linux" nor "microkit"'),
    ('coherent="true"', '', '"coherent"'),
    ('<dma phys_addr="0x80000000"', '<dma phys_addr="0x80000800"', "are multiples of 0x1000"),
    ("<dma", '<dma phys_addr="0x0" size="0x1000" coherent="true"/><dma',
     "a second <dma>; a board has one"),
    ('<dma phys_addr="0x80000000" size="0x10000000" coherent="true"/>', "",
     "a region has a phys_addr, or is memory of a board with <dma>"),
    ('size="0x10000000"', 'size="0x80000"', "reach 0x80000 bytes of memory, and with"),
])
def test_mistakes_in_a_board(cross, tmp_path, before, after, answer):
    text = (boards.HERE / "boards" / "qemu_virt_aarch64.xml").read_text()
    assert before in text
    board = tmp_path / "board.xml"
    board.write_text(text.replace(before, after).replace("aarch64\"", cross.target.arch + '"')
                     .replace("timer_arm.elf", cross.timer))
    done = subprocess.run([lib.SDDF, "build", lib.ECHO, "-b", board, "-o", tmp_path / "out",
                           "--search-path", cross.folder], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and answer in done.stderr, done.stderr


def test_a_device_that_does_not_see_the_caches(cross, tmp_path):
    """The virtualisers are told, and its rings are mapped uncached; packets stay cached."""
    name = f"qemu_virt_{cross.target.arch}"
    board = tmp_path / "board.xml"
    board.write_text((boards.HERE / "boards" / f"{name}.xml").read_text()
                     .replace('coherent="true"', 'coherent="false"'))
    done = subprocess.run([lib.SDDF, "build", lib.ECHO, "-b", board, "-o", tmp_path / "out",
                           "--search-path", cross.folder], capture_output=True, text=True, check=False)
    if cross.target.arch != "aarch64":
        assert done.returncode == 1 and "caches are maintained on aarch64 alone" in done.stderr
        return
    assert done.returncode == 0, done.stderr
    uncached = {entry.get("mr") for entry in ElementTree.parse(tmp_path / "out" / "echo.system").iter("map")
                if entry.get("cached") == "false"}
    assert uncached == {"ethernet0_registers", "ethernet0_rings", "serial0_registers"}
    code = cross.tool("objdump", "-d", tmp_path / "out" / "ethernet0_virt_rx.elf")
    assert re.search(r"\bdc\s+civac", code) and re.search(r"\bdsb\s+sy", code)


@pytest.mark.parametrize("before, after, answer", [
    ('<network device="ethernet0"', '<network device="ethernet0" shared="false"',
     'the virtualisers see to that; remove shared="false"'),
    ('<client pd="alice" mac=', '<client pd="alice" copy="false" mac=',
     'nobody may write where they do; remove copy="false"'),
])
def test_a_network_without_parts_needs_a_device_that_sees_the_caches(tmp_path, before, after, answer):
    """Caches are maintained by virtualisers, and nobody else writes where the device does."""
    text = lib.ECHO.read_text()
    assert before in text
    description = tmp_path / "system.xml"
    description.write_text(text.replace(before, after))
    board = tmp_path / "board.xml"
    for coherent in ("true", "false"):
        board.write_text((boards.HERE / "boards" / "qemu_virt_aarch64.xml").read_text()
                         .replace('coherent="true"', f'coherent="{coherent}"'))
        done = subprocess.run([lib.SDDF, "check", description, "-b", board], capture_output=True,
                              text=True, check=False)
        line = 'on the board "qemu_virt_aarch64" devices do not see what the caches hold, '
        assert (line in done.stderr and answer in done.stderr) == (coherent == "false"), done.stderr


def test_run_is_for_linux():
    done = subprocess.run([lib.SDDF, "run", lib.ECHO, "-b", "qemu_virt_aarch64"], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 2 and "is one of the Microkit's" in done.stderr


# ---- what sddf build makes of them ----------------------------------------------------------------


@pytest.fixture(scope="module")
def built(cross, tmp_path_factory):
    folder = tmp_path_factory.mktemp(cross.target.arch)
    lib.command(lib.SDDF, "build", lib.ECHO, "-b", f"qemu_virt_{cross.target.arch}", "-o", folder,
                "--search-path", cross.folder)
    return cross, folder, ElementTree.parse(folder / "echo.system").getroot()


def number(text):
    return int(text, 0)


def test_description_is_plain(built):
    """No element and no attribute that the Microkit 2.0.1 does not know."""
    for element in built[2].iter():
        assert element.tag in PLAIN, element.tag
        assert not (extra := set(element.keys()) - PLAIN[element.tag]), (element.tag, extra)


def test_ids_are_unique(built):
    ids = [(end.get("pd"), number(end.get("id"))) for end in built[2].iter("end")]
    for pd in built[2].iter("protection_domain"):
        ids += [(pd.get("name"), number(irq.get("id"))) for irq in pd.iter("irq")]
    assert len(set(ids)) == len(ids) and all(0 <= number < 62 for _, number in ids)


def test_maps_do_not_overlap(built):
    """Neither each other nor the program; and each is of a region that is there."""
    cross, folder, root = built
    sizes = {region.get("name"): number(region.get("size")) for region in root.iter("memory_region")}
    for pd in root.iter("protection_domain"):
        program = folder / pd.find("program_image").get("path")
        taken = [(address, address + size) for kind, address, size, _ in cross.segments(program)
                 if kind == "LOAD"]
        taken += [(number(entry.get("vaddr")), number(entry.get("vaddr")) + sizes[entry.get("mr")])
                  for entry in pd.iter("map")]
        taken.sort()
        for before, after in itertools.pairwise(taken):
            assert before[1] <= after[0], (pd.get("name"), before, after)


def test_physical_memory(built):
    """What devices reach lies in the board's window; nothing lies in two places; registers are
    mapped uncached and by their driver only."""
    cross, _, root = built
    board = ElementTree.parse(boards.HERE / "boards" / f"qemu_virt_{cross.target.arch}.xml").getroot()
    start = number(board.find("dma").get("phys_addr"))
    end = start + number(board.find("dma").get("size"))
    registers = {number(region.get("phys_addr")) for region in board.iter("region")
                 if region.get("phys_addr")}
    last = 0
    fixed = [(number(region.get("phys_addr")), number(region.get("size")), region.get("name"))
             for region in root.iter("memory_region") if region.get("phys_addr")]
    assert any(name.endswith("_rx_dma") for *_, name in fixed)
    for phys, size, name in sorted(fixed):
        assert phys >= last, name
        last = phys + size
        maps = [(pd.get("name"), entry) for pd in root.iter("protection_domain")
                for entry in pd.iter("map") if entry.get("mr") == name]
        if phys in registers:
            assert [pd for pd, _ in maps] == [name.split("_")[0] + "_driver"]
            assert maps[0][1].get("cached") == "false"
        else:
            assert start <= phys and last <= end, name
            assert all(entry.get("cached") is None for _, entry in maps)


def test_the_driver_has_no_packet_data(built):
    _, _, root = built
    driver = next(pd for pd in root.iter("protection_domain")
                  if pd.get("name") == "ethernet0_driver")
    names = {entry.get("mr") for entry in driver.iter("map")}
    assert not {name for name in names if name.endswith(("_dma", "_data"))}


def test_programs_are_configured(built):
    """Each protection domain's own program has its configurations written into it."""
    cross, folder, root = built
    for pd in root.iter("protection_domain"):
        program = folder / pd.find("program_image").get("path")
        symbols = cross.symbols(program)
        configs = [name for name in symbols if re.fullmatch(r"sddf_\w+_config", name)]
        assert configs
        for config in configs:
            words = cross.tool("nm", "-S", program)
            address = int(re.search(rf"^(\w+) \w+ \w {config}$", words, re.M).group(1), 16)
            assert bytes_at(cross, program, address, 4) == b"SDDF", (program, config)


def bytes_at(cross, program, address, count):
    for offset, vaddr, size in re.findall(r"^\s+LOAD\s+(0x\w+) (0x\w+) 0x\w+ (0x\w+)",
                                          cross.tool("readelf", "-lW", program), re.M):
        into = address - int(vaddr, 16)
        if 0 <= into < int(size, 16):
            return program.read_bytes()[int(offset, 16) + into:][:count]
    return None


@pytest.mark.parametrize("version, answer", [
    (None, "is {0} a Microkit SDK?"), ("nonsense", "is {0} a Microkit SDK?"),
    ("2.0.0", "{0} is the Microkit 2.0.0, and 2.0.1 is the oldest that will do"),
    ("2.0.1", "the SDK has no board qemu_virt_{1} with the configuration debug")])
def test_an_sdk_that_will_not_do(cross, tmp_path, version, answer):
    """One line that says what is wrong, status 1, and nothing is written."""
    if version is not None:
        (tmp_path / "VERSION").write_text(f"{version}\n")
    done = subprocess.run([lib.SDDF, "build", lib.ECHO, "-b", f"qemu_virt_{cross.target.arch}", "-o",
                           tmp_path / "out", "--search-path", cross.folder, "--sdk", tmp_path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and len(done.stderr.splitlines()) == 1
    assert answer.format(tmp_path, cross.target.arch) in done.stderr
    assert not (tmp_path / "out").exists()


def test_no_sdk_for_linux(tmp_path):
    done = subprocess.run([lib.SDDF, "build", lib.ECHO, "-o", tmp_path / "out", "--sdk", tmp_path],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "not one of the Microkit's" in done.stderr


def fake_sdk(folder, version, arch):
    """An SDK whose tool takes everything."""
    (folder / "board" / f"qemu_virt_{arch}" / "release").mkdir(parents=True)
    (folder / "bin").mkdir()
    (folder / "VERSION").write_text(f"{version}\n")
    tool = folder / "bin" / "microkit"
    tool.write_text(f"#!/bin/sh\necho \"$@\" > {folder}/words\n")
    tool.chmod(0o755)
    return folder


@pytest.mark.parametrize("version, taken", [("2.0.1", False), ("2.1.0", True), ("2.3.0", True),
                                            ("2.3.0-dev", True), ("10.0.0", True)])
def test_what_a_release_knows(cross, tmp_path, version, taken):
    """A second processor is written for a release that has them, and refused for one without."""
    sdk = fake_sdk(tmp_path, version, cross.target.arch)
    text = lib.ECHO.read_text().replace('name="bob"', 'name="bob" cpu="1"')
    description = tmp_path / "two.xml"
    description.write_text(text)
    out = tmp_path / "out"
    done = subprocess.run([lib.SDDF, "build", description, "-b", f"qemu_virt_{cross.target.arch}",
                           "-o", out, "--search-path", cross.folder, "--sdk", sdk, "--config",
                           "release"], capture_output=True, text=True, check=False)
    if taken:
        assert done.returncode == 0, done.stderr
        bob = next(pd for pd in ElementTree.parse(out / "two.system").iter("protection_domain")
                   if pd.get("name") == "bob")
        assert bob.get("cpu") == "1"
        assert (tmp_path / "words").read_text().split() == [
            f"{out}/two.system", "--search-path", str(out), "--board",
            f"qemu_virt_{cross.target.arch}", "--config", "release", "-o", f"{out}/loader.img", "-r",
            f"{out}/report.txt"]
    else:
        assert done.returncode == 1 and "bob is to run on cpu 1" in done.stderr


# What 2.3.0's manual has besides, of what can be in a system of ours.
LATER = {"protection_domain": {"cpu", "setvar_id"}, "irq": {"setvar_id"}, "end": {"setvar_id"}}


@pytest.mark.parametrize("version", ["2.0.1", "2.1.0", "2.2.0", "2.3.0"])
def test_description_for_each_release(cross, tmp_path, version):
    """No words but those that the release's tool knows; and with them all that was said."""
    sdk = fake_sdk(tmp_path, version, cross.target.arch)
    description = tmp_path / "all.xml"
    description.write_text(lib.ECHO.read_text().replace('<network ', """
        <protection_domain name="parent" priority="9"><program_image path="console.elf"/>
            <protection_domain name="child" id="3" setvar_id="words" priority="8">
                <program_image path="console.elf"/></protection_domain>
        </protection_domain>
        <channel><end pd="parent" id="0" setvar_id="client"/><end pd="child" id="5"/></channel>
        <network """))
    out = tmp_path / "out"
    done = subprocess.run([lib.SDDF, "build", description, "-b", f"qemu_virt_{cross.target.arch}",
                           "-o", out, "--search-path", cross.folder, "--sdk", sdk, "--config",
                           "release"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    later = LATER if version != "2.0.1" else {}
    root = ElementTree.parse(out / "all.system").getroot()
    for element in root.iter():
        known = PLAIN[element.tag] | later.get(element.tag, set())
        assert not (extra := set(element.keys()) - known), (element.tag, extra)
    child = next(pd for pd in root.iter("protection_domain") if pd.get("name") == "child")
    assert child.get("setvar_id") == (None if version == "2.0.1" else "words")
    for pd in root.iter("protection_domain"):  # Its default is not the same in all of them.
        assert number(pd.get("stack_size")) > 0


# What is the Microkit's alone, by the release that it came with.
KEPT = {
    "2.0.1": {"attributes": 'smc="true"', "inside": '<virtual_machine name="guest"><vcpu id="0"/>'
                                                    '<map mr="data" vaddr="0x40000000"/></virtual_machine>'},
    "2.2.0": {"region": 'prefill_path="a &amp; b"', "map": 'setvar_prefill_size="note_size"'},
    "2.3.0": {"attributes": 'fpu="false" domain="only"', "inside": '<cspace><cap_tcb slot="1" pd="p"/></cspace>',
              "all": '<domains><domain name="only"/><domain_schedule>'
                     '<schedule_entry domain="only" duration="1000 us"/></domain_schedule></domains>'},
}


def with_kept(*versions):
    """A plain description with what these releases brought."""
    parts = {part: " ".join(KEPT[version].get(part, "") for version in versions)
             for part in ("all", "region", "map", "attributes", "inside")}
    return """<system><memory_region name="data" size="0x200000" page_size="0x1000" {region}/>
        <protection_domain name="p" priority="9" {attributes}><program_image path="test_hello.elf"/>
            <map mr="data" vaddr="0x10000000" {map}/>{inside}</protection_domain>
        {all}</system>""".format(**parts)


def build_for(cross, folder, text, version=None, name="qemu_virt"):
    """What `sddf build` says of a description, and what it has written."""
    (folder / "a & b").write_text("a note")
    (folder / "x.xml").write_text(text)
    sdk = []
    if version is not None:
        sdk = ["--sdk", fake_sdk(folder, version, cross.target.arch), "--config", "release"]
    done = subprocess.run([lib.SDDF, "build", "x.xml", "-b", f"{name}_{cross.target.arch}", "-o", "out",
                           "--search-path", cross.folder, *sdk], capture_output=True, text=True,
                          check=False, cwd=folder)
    written = folder / "out" / "x.system"
    return done.stderr, ElementTree.parse(written).getroot() if done.returncode == 0 else None


def same(a, b):
    """The same element, whatever is between its parts."""
    return (a.tag, a.attrib, len(a)) == (b.tag, b.attrib, len(b)) and all(map(same, a, b))


@pytest.mark.parametrize("version", [None, "2.0.1", "2.1.0", "2.2.0", "2.3.0"])
@pytest.mark.parametrize("came", KEPT)
def test_what_is_the_microkits_alone(cross, tmp_path, came, version):
    """Is written as it stands for a release that knows it, and refused for one that does not."""
    text = with_kept(came)
    said, written = build_for(cross, tmp_path, text, version)
    if (version or "2.0.1") < came:
        assert f"came with the Microkit {came}" in said and "x.xml:" in said
        return
    assert said == ""
    given = ElementTree.fromstring(text)
    given.find("memory_region").attrib.update(
        {"prefill_path": str(tmp_path / "a & b")} if came == "2.2.0" else {})
    for path in ("memory_region", "protection_domain", "protection_domain/map"):
        wanted, ours = given.find(path).attrib, written.find(path).attrib
        assert {name: ours.get(name) for name in wanted} == wanted
    for path in ("protection_domain/virtual_machine", "protection_domain/cspace", "domains"):
        wanted, ours = given.find(path), written.find(path)
        assert (ours is None) if wanted is None else same(wanted, ours)
    # The Microkit 2.3.0 wants domains before anybody who is in one.
    assert came != "2.3.0" or written[0].tag == "domains"


def test_all_of_it_together(cross, tmp_path):
    said, written = build_for(cross, tmp_path, with_kept(*KEPT), "2.3.0")
    assert said == "" and {"domains", "virtual_machine", "cspace"} <= {one.tag for one in written.iter()}


@pytest.mark.parametrize("before, after, answer", [
    ('fpu="false" domain="only"', "", '"p" is in no domain, and with <domains> (line '),
    ("<domains>", '<timer device="timer0"><client pd="p"/></timer><domains>',
     '"timer0_driver" is in no domain, and with <domains>'),
    ("a &amp; b", "elsewhere", 'the file of "prefill_path" is not there')])
def test_mistakes_in_what_is_the_microkits_alone(cross, tmp_path, before, after, answer):
    text = with_kept("2.2.0", "2.3.0").replace("test_hello.elf", "test_ticker.elf")
    assert text.count(before) == 1
    said, written = build_for(cross, tmp_path, text.replace(before, after), "2.3.0")
    assert answer in said and written is None


@pytest.mark.parametrize("version", [None, "2.0.1", "2.3.0"])
def test_no_io_address_spaces(cross, tmp_path, version):
    """What no release has words for on these boards is not left out in silence."""
    description = tmp_path / "io.xml"
    description.write_text(
        '<system><memory_region name="data" size="0x1000"/>'
        '<protection_domain name="one" priority="1"><program_image path="test_hello.elf"/>'
        '</protection_domain><io_address_space name="ethernet0"><iomap mr="data" iovaddr="0x0"/>'
        '</io_address_space></system>')
    sdk = []
    if version is not None:
        sdk = ["--sdk", fake_sdk(tmp_path, version, cross.target.arch), "--config", "release"]
    done = subprocess.run([lib.SDDF, "build", description, "-b", f"qemu_virt_{cross.target.arch}",
                           "-o", tmp_path / "out", "--search-path", cross.folder, *sdk],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    assert "device ethernet0 has an IO address space" in done.stderr, done.stderr
