# SPDX-License-Identifier: BSD-2-Clause
"""What can be missing or wrong for a system on seL4: one line says what, with exit status 2, before
anything is built; and what `make sel4-run` leaves behind when it is stopped. No SDK is needed."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import lib

MICROKIT = lib.ROOT / "platform" / "microkit"
sys.path.append(str(MICROKIT))
import boards  # noqa: E402 (the path comes first)
import boot  # noqa: E402
import build  # noqa: E402


def sdk(folder, version="2.0.1", tool="#!/bin/sh\n"):
    """A folder that looks like an SDK, of the debug configuration of one board."""
    library = folder / "board" / "qemu_virt_aarch64" / "debug" / "lib" / "libmicrokit.a"
    library.parent.mkdir(parents=True)
    library.touch()
    if version is not None:
        (folder / "VERSION").write_text(version)
    if tool is not None:
        (folder / "bin").mkdir()
        (folder / "bin" / "microkit").write_text(tool)
        (folder / "bin" / "microkit").chmod(0o755)
    return folder


def said(program, *words, **environment):
    """Its one line, without its name."""
    done = subprocess.run([MICROKIT / f"{program}.py", *words], capture_output=True, text=True,
                          env={**os.environ, **environment}, stdin=subprocess.DEVNULL, check=False)
    lines = done.stderr.splitlines()
    assert done.returncode == 2 and len(lines) == 1 and not done.stdout, done.stderr
    assert lines[0].startswith(f"{program}: ")
    return lines[0][len(program) + 2:]


@pytest.mark.parametrize("program", ["build", "boot"])
def test_no_sdk(program):
    assert "set MICROKIT_SDK to the folder of a Microkit SDK" in said(program, MICROKIT_SDK="")


@pytest.mark.parametrize("wrong, answer", [
    ({"tool": None}, "is no Microkit SDK, it has no bin/microkit"),
    ({"version": None}, 'no release that will do: its VERSION says ""'),
    ({"version": "nonsense\n"}, 'its VERSION says "nonsense"'),
    ({"version": "2.0.0\n"}, 'its VERSION says "2.0.0"'),
    ({"version": "1.4.1\n"}, 'its VERSION says "1.4.1"'),
    ({"tool": "\x7fELF of another machine"}, "a tool that does not run on this machine"),
    ({"tool": "#!/bin/false\n"}, "a tool that does not run on this machine")])
def test_an_sdk_that_is_none(tmp_path, wrong, answer):
    assert answer in said("build", "--check", MICROKIT_SDK=str(sdk(tmp_path, **wrong)))


@pytest.mark.parametrize("version", ["2.0.1\n", "2.3.0", "2.3.0-dev+1234", "10.0.0"])
def test_an_sdk_that_will_do(tmp_path, version):
    done = subprocess.run([MICROKIT / "build.py", "--check"], capture_output=True, text=True, check=False,
                          env={**os.environ, "MICROKIT_SDK": str(sdk(tmp_path, version))})
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words, answer", [
    (["--board", "pdp11"], "there is no board pdp11: BOARD is qemu_virt_aarch64 or qemu_virt_riscv64"),
    (["--config", "fast"], "there is no configuration fast: CONFIG is debug, release, benchmark"),
    (["--config", "release"], "has no release build of the board qemu_virt_aarch64; it has "
                              "qemu_virt_aarch64 debug"),
    (["--board", "qemu_virt_riscv64"], "has no debug build of the board qemu_virt_riscv64; it has "
                                       "qemu_virt_aarch64 debug")])
def test_no_such_board(tmp_path, words, answer):
    assert answer in said("build", "--check", *words, MICROKIT_SDK=str(sdk(tmp_path)))


def test_an_sdk_without_boards(tmp_path):
    (sdk(tmp_path) / "board").rename(tmp_path / "elsewhere")
    assert "it has none of any board" in said("build", "--check", MICROKIT_SDK=str(tmp_path))


def test_nothing_is_built_without_the_command(tmp_path):
    line = said("build", MICROKIT_SDK=str(sdk(tmp_path)), SDDF_BUILD=str(tmp_path))
    assert line == f"{tmp_path}/sddf is not built: make"


@pytest.mark.parametrize("program", ["build", "boot"])
def test_nothing_is_built_without_a_description(tmp_path, program):
    line = said(program, str(tmp_path / "none.xml"), MICROKIT_SDK=str(sdk(tmp_path)))
    assert line == f"there is no description {tmp_path}/none.xml"


def test_programs_of_ones_own(tmp_path, monkeypatch):
    """Their folders come before that of the tree's, in their order."""
    sddf = tmp_path / "sddf"
    sddf.write_text('#!/bin/sh\necho "$@" > "$0.said"\n')
    sddf.chmod(0o755)
    monkeypatch.setattr(build, "SDDF_BUILD", tmp_path)
    monkeypatch.setattr(build, "build_programs", lambda *_: Path("ours"))
    monkeypatch.setattr(boards, "find_sdk", lambda *_: (Path("sdk"), Path("sdk/board")))
    build.build_system(boards.BOARDS["qemu_virt_aarch64"], "debug", lib.ECHO,
                       search_path=[Path("mine"), Path("yours")])
    assert (" --search-path mine --search-path yours --search-path ours --sdk sdk " in
            (tmp_path / "sddf.said").read_text())


@pytest.mark.parametrize("name", boards.BOARDS)
def test_programs_that_are_missing(name, monkeypatch):
    """The compiler, the C library and QEMU, each with its package."""
    board = boards.BOARDS[name]
    monkeypatch.setattr(boards.shutil, "which", lambda _: None)
    with pytest.raises(boards.Missing, match=f"{board.qemu[0]} is missing: .*{board.qemu_package}"):
        board.check_qemu()
    with pytest.raises(boards.Missing, match=f"{board.target.triple}-gcc is missing: .*"
                                             f"{board.target.compiler_package}"):
        board.target.check()
    monkeypatch.setattr(boards.shutil, "which", lambda _: "/usr/bin/it")
    monkeypatch.setattr(boards.Path, "exists", lambda _: False)
    with pytest.raises(boards.Missing, match=f"C library for {board.target.arch} is missing: .*"
                                             f"{board.target.picolibc_package}"):
        board.target.check()


def test_root_without_its_rights(tmp_path):
    """As in many a container."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to give its rights up")
    done = subprocess.run(["setpriv", "--bounding-set", "-sys_admin", MICROKIT / "build.py", "--check",
                           "--tests"], capture_output=True, text=True, check=False,
                          env={**os.environ, "MICROKIT_SDK": str(sdk(tmp_path))})
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "lets nobody make a network namespace with a TAP interface in it" in done.stderr


def description(folder, *addresses):
    """Of a network with clients that have these addresses."""
    clients = "".join(f'<client pd="c{number}" ip="{address}"/>' for number, address in
                      enumerate(addresses, 1))
    (folder / "system.xml").write_text(f'<system><network device="ethernet0">{clients}</network></system>')
    return folder / "system.xml"


def test_the_network_is_the_clients(tmp_path, monkeypatch):
    """QEMU is in their subnet; and whoever is not forwarded is told so."""
    monkeypatch.setattr(boot, "check_port", lambda *_: None)
    options, lines = boot.user_network(description(tmp_path, "192.168.7.10/24", "dhcp"))
    assert options.startswith("user,net=192.168.7.0/24,host=192.168.7.2,hostfwd=udp:127.0.0.1:10007-"
                              "192.168.7.10:7,")
    assert len(lines) == 1
    options, lines = boot.user_network(description(tmp_path, *(f"10.0.0.{i}/24" for i in range(10, 16))))
    assert ":50007-10.0.0.14:7" in options and "10.0.0.15" not in options
    assert lines[5].startswith("c6: 10.0.0.15; its ports are not forwarded")


@pytest.mark.parametrize("addresses, answer", [
    (["10.0.0.10/24", "10.0.1.10/24"], r"one subnet: c2 has 10.0.1.10/24, and c1 has 10.0.0.10/24"),
    (["10.0.0.10/24", "10.0.0.3/24"], r"c2 has 10.0.0.3, which is QEMU's own address")])
def test_a_network_that_cannot_be(tmp_path, addresses, answer):
    with pytest.raises(boards.Missing, match=answer):
        boot.user_network(description(tmp_path, *addresses))


def test_no_root(monkeypatch):
    """`make sel4` without rights is no success of skipped tests."""
    monkeypatch.setattr(boards.os, "geteuid", lambda: 1000)
    with pytest.raises(boards.Missing, match="only root may"):
        boards.check_network()


@pytest.mark.parametrize("kind, port, answer", [
    (socket.SOCK_DGRAM, 20009, r"port 20009 \(UDP\) at 127.0.0.1 is not free"),
    (socket.SOCK_STREAM, 11236, r"port 11236 \(TCP\) at 127.0.0.1 is not free")])
def test_a_port_that_is_taken(kind, port, answer):
    """In a network namespace of its own; and without the other program there is nothing to say."""
    if os.geteuid() != 0:
        pytest.skip("needs root: a network namespace")
    namespace = lib.bench_lab.Namespace()
    try:
        namespace.run(["ip", "link", "set", "lo", "up"])
        with lib.inside(namespace):
            with socket.socket(socket.AF_INET, kind) as taken:
                taken.bind(("127.0.0.1", port))
                with pytest.raises(boards.Missing, match=answer):
                    boot.user_network(lib.ECHO)
            options, lines = boot.user_network(lib.ECHO, [("udp", 7000)])
            assert len(lines) == 2 and "7000" in lines[0]
            assert options.split("hostfwd=")[1:] == ["udp:127.0.0.1:17000-10.0.0.10:7000,",
                                                     "udp:127.0.0.1:27000-10.0.0.11:7000"]
    finally:
        namespace.close()


@pytest.mark.parametrize("text", ["7000", "udp", "udp:", "sctp:7", "udp:-1", "udp:0", "tcp:10000", "udp:7x"])
def test_a_service_that_is_none(text):
    done = subprocess.run([MICROKIT / "boot.py", "--forward", text], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 2
    assert f"{text} is no protocol and port below 10000, as udp:7000 is" in done.stderr


@pytest.mark.parametrize("program", ["build", "boot"])
def test_ctrl_c_while_something_is_built(tmp_path, program):
    """No traceback, and nobody goes on: here the SDK's tool, which is asked first. A terminal sends it to
    all that are in its foreground."""
    folder = sdk(tmp_path, tool="#!/bin/sh\nexec sleep 1000\n")
    with subprocess.Popen([MICROKIT / f"{program}.py"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, start_new_session=True,
                          env={**os.environ, "MICROKIT_SDK": str(folder)}) as process:
        def asked():
            return [pid for pid in lib.descendants(process.pid) if lib.process_name(pid) == "sleep"]

        children = lib.wait_until(asked, 20)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        assert (said, process.returncode) == ("", 130)
        assert children and lib.wait_until(lambda: not any(map(lib.alive, children)), 20)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_nothing_is_left_behind(number):
    """However the program that started QEMU ends: here something that would sleep for long."""
    with subprocess.Popen([sys.executable, "-c", "import sys, boot; sys.exit(boot.run("
                           "['sh', '-c', 'echo $$; exec sleep 1000']))"], cwd=MICROKIT,
                          stdout=subprocess.PIPE, text=True) as parent:
        child = int(parent.stdout.readline())
        os.kill(parent.pid, number)
        parent.wait(20)
        assert lib.wait_until(lambda: not lib.alive(child), 20)
