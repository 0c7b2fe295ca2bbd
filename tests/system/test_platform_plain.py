# SPDX-License-Identifier: BSD-2-Clause
"""Programs as others write them: against the Microkit's interface, with a Makefile for its SDK."""

import re
import subprocess

import pytest

import lib
from pds import Running

PLAIN = lib.ROOT / "tests" / "plain"


@pytest.fixture
def programs(tmp_path):
    folder = tmp_path / "programs"
    done = subprocess.run(["make", "-C", PLAIN, f"MICROKIT_SDK={lib.BUILD / 'sdk'}",
                           "MICROKIT_BOARD=linux", "MICROKIT_CONFIG=debug", f"BUILD_DIR={folder}"],
                          capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.parametrize("options", [[], ["--no-realtime"]])
def test_programs_of_the_microkits_kinds(programs, tmp_path, options):
    text = (PLAIN / "plain.system").read_text()
    description = re.search(r"<system>(.*)</system>", text, re.S).group(1)
    with Running(tmp_path / "system", description, "--search-path", programs, *options) as system:
        for name, text in (("hello", "hello, world"), ("client_a", "the sum is right"),
                           ("client_b", "the sum is right"), ("parent", "stopped it")):
            system.printed(name, text, 60)
        assert lib.wait_until(lambda: any("done" in line for line in system.lines("ticker")), 60)
    assert system.lines("crasher") == ["starting"] * 11
    assert system.lines("parent") == ["watching"] + ["restarting"] * 10 + ["stopped it"]
    assert system.status == 0


def test_the_documented_example_is_good(tmp_path):
    """docs/description.md's complete example, as it stands there."""
    text = (lib.ROOT / "docs" / "description.md").read_text()
    example = re.search(r"## A complete example\n.*?```xml\n(.*?)```", text, re.S).group(1)
    (tmp_path / "example.xml").write_text(example)
    done = lib.command(lib.SDDF, "check", tmp_path / "example.xml", check=False)
    assert done.returncode == 0, done.stderr
