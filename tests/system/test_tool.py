# SPDX-License-Identifier: BSD-2-Clause
"""The sddf command from outside: what it prints, what it writes, how it exits."""

import subprocess
import time
import xml.etree.ElementTree as ElementTree

import pytest

import lib

ECHO = lib.ROOT / "examples" / "echo" / "echo.xml"


def sddf(*arguments, cwd=None):
    return subprocess.run([lib.SDDF, *map(str, arguments)], capture_output=True, text=True,
                          timeout=60, cwd=cwd)


def test_check_good():
    result = sddf("check", ECHO)
    assert result.returncode == 0, result.stderr
    assert "12 protection domains" in result.stdout


def test_check_bad(tmp_path):
    bad = tmp_path / "bad.xml"
    bad.write_text("<system>\n  <protection_domian/>\n  <chanel/>\n</system>\n")
    result = sddf("check", bad)
    assert result.returncode == 1
    lines = result.stderr.splitlines()
    assert lines[0].startswith(f"{bad}:2: ") and "protection_domain" in lines[0]
    assert lines[1].startswith(f"{bad}:3: ") and "channel" in lines[1]


def test_check_far_too_many(tmp_path):
    """Neither a message for each, nor a time that grows with their square."""
    path = tmp_path / "many.xml"
    path.write_text("<system>" + "".join(
        f'<protection_domain name="p{i}" priority="1"><program_image path="no.elf"/></protection_domain>'
        for i in range(40_000)) + "</system>")
    begin = time.monotonic()
    done = sddf("check", path)
    assert done.returncode == 1
    assert done.stderr.count("\n") < 5 and "there can be 63" in done.stderr
    assert time.monotonic() - begin < 30


@pytest.mark.parametrize("arguments", [(), ("chek",), ("check",), ("check", "--nothing", ECHO),
                                       ("build", ECHO), ("graph", ECHO, "-o", "x.gif"),
                                       ("run", ECHO), ("run", ECHO, "--seconds", "soon")])
def test_usage(arguments):
    result = sddf(*arguments)
    assert result.returncode == 2
    assert "sddf" in result.stderr


@pytest.mark.parametrize("command", ["check", "build", "run", "graph"])
def test_help(command):
    result = sddf(command, "--help")
    assert result.returncode == 0
    assert f"sddf {command} " in result.stdout and "Example" in result.stdout


@pytest.mark.parametrize("board", ["linux", "linux_tap"])
def test_build_is_plain_and_good(tmp_path, board):
    result = sddf("build", ECHO, "-b", board, "-o", tmp_path / "out")
    assert result.returncode == 0, result.stderr
    plain = tmp_path / "out" / "echo.system"
    root = ElementTree.parse(plain).getroot()
    assert {child.tag for child in root} <= {"memory_region", "protection_domain", "channel",
                                             "io_address_space"}
    for pd in root.iter("protection_domain"):
        assert (tmp_path / "out" / f"{pd.get('name')}.elf").exists()
    result = sddf("check", plain, "-b", board, "--search-path", tmp_path / "out")
    assert result.returncode == 0, result.stderr


def test_graph(tmp_path):
    picture = tmp_path / "echo.svg"
    result = sddf("graph", ECHO, "-o", picture)
    assert result.returncode == 0, result.stderr
    text = picture.read_text()
    ElementTree.fromstring(text)
    for name in ("alice", "bob", "virt_rx", "virt_tx", "copy_alice", "rx_dma", "call"):
        assert name in text


@pytest.mark.parametrize("words, says", [
    (("fuzz/run", "long", "--seconds", "0"), "--seconds 0: at least 1"),
    (("fuzz/run", "smoke", "queue", "--seconds=-5"), "--seconds -5: at least 1"),
    (("fuzz/run", "storm", "queue", "--executions", "0"), "--executions 0: at least 1"),
    (("mutants/run", "--count", "0"), "--count 0: at least 1"),
    (("run", "--jobs", "0"), "--jobs 0: at least 1"),
    (("run", "nonsense"), "there is no part 'nonsense'; the parts are")])
def test_calls_that_check_nothing(words, says):
    """Proofs, fuzzers and mutants that would check nothing are refused before they begin."""
    done = lib.command(lib.ROOT / "verify" / words[0], *words[1:], check=False)
    assert done.returncode == 2 and says in done.stderr
