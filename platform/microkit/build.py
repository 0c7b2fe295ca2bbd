#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Builds systems for seL4 with an unmodified Microkit SDK.

    MICROKIT_SDK=FOLDER build.py [--board BOARD] [--config CONFIG] [--search-path FOLDER ...] [DESCRIPTION]

The programs go to build-sel4-BOARD-CONFIG/platform/microkit, the system to
build-sel4-BOARD-CONFIG/NAME: its description in plain SDF, a program for each protection domain, and
loader.img. Exit status 2: something is missing, and one line says what."""

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boards

ECHO = boards.ROOT / "examples" / "echo" / "echo.xml"
SDDF_BUILD = Path(os.environ.get("SDDF_BUILD", boards.ROOT / "build"))


def build_programs(folder, target, sdk_board="", clock_hz=0, quiet=True):
    """Cross-compiles every program into `folder`; returns where they are. With no SDK they are
    compiled and linked without the Microkit's own functions."""
    target.check()
    cross = folder / "cross.ini"
    text = target.cross_file()
    output = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT} if quiet else {}
    options = [f"-Dmicrokit_board={sdk_board}", f"-Dclock_hz={clock_hz or target.clock_hz}"]
    if not (folder / "build.ninja").exists() or cross.read_text() != text:
        # What an interrupted setup leaves behind would stand in the way.
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        cross.write_text(text)
        command = ["meson", "setup", str(folder), "--cross-file", str(cross), *options]
    else:
        command = ["meson", "configure", str(folder), *options]
    for words in (command, ["ninja", "-C", str(folder)]):
        done = subprocess.run(words, cwd=boards.ROOT, text=True, errors="replace",
                              stdin=subprocess.DEVNULL, check=False, **output)
        if done.returncode != 0:
            sys.stderr.write(done.stdout or "")
            raise SystemExit(f"build: {' '.join(words)}: exit status {done.returncode}")
    return folder / "platform" / "microkit"


def build_system(board, config, description, board_file=None, search_path=()):
    """Builds a system with its image; returns the image's path. Programs are looked for in the folders
    of search_path first."""
    sdk, sdk_board = boards.find_sdk(board, config)
    sddf = SDDF_BUILD / "sddf"
    if not sddf.exists():
        raise boards.Missing(f"{sddf} is not built: make")
    if not description.is_file():  # Compiling takes minutes; sddf would say so afterwards.
        raise boards.Missing(f"there is no description {description}")
    folder = boards.ROOT / f"build-sel4-{board.name}-{config}"
    programs = build_programs(folder, board.target, sdk_board, board.clock_hz)
    out = folder / description.stem
    folders = [word for place in (*search_path, programs) for word in ("--search-path", place)]
    subprocess.run([sddf, "build", description, "-b",
                    board_file or boards.HERE / "boards" / f"{board.name}.xml", "-o", out, *folders,
                    "--sdk", sdk, "--config", config], check=True, stdout=subprocess.DEVNULL)
    return out / "loader.img"


def parser(usage):
    """Of the command line, which boot.py has too."""
    it = argparse.ArgumentParser(usage=usage)
    it.add_argument("--board", default="qemu_virt_aarch64",
                    help=f"{' or '.join(boards.BOARDS)} (default: %(default)s)")
    it.add_argument("--config", default="debug",
                    help=f"{', '.join(boards.CONFIGS)} (default: %(default)s)")
    it.add_argument("--search-path", action="append", type=Path, default=[], metavar="FOLDER",
                    help="look for programs here first; may be repeated")
    it.add_argument("description", nargs="?", type=Path, default=ECHO,
                    help="default: the echo system")
    return it


def main():
    options = parser(__doc__)
    options.add_argument("--check", action="store_true", help="only say whether there is an SDK")
    options.add_argument("--tests", action="store_true", help="and whether its tests can run")
    arguments = options.parse_args()
    try:
        board = boards.find_board(arguments.board)
        if arguments.check:
            boards.find_sdk(board, arguments.config)
            if arguments.tests:
                boards.check_network()
        else:
            print(build_system(board, arguments.config, arguments.description,
                               search_path=arguments.search_path))
    except boards.Missing as missing:
        print(f"build: {missing}", file=sys.stderr)
        return 2
    except subprocess.CalledProcessError as failed:
        return failed.returncode
    return 0


def run_main(function):
    """Ends this program as the function says; Ctrl-C while something is built is no mistake of ours."""
    try:
        sys.exit(function())
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run_main(main)
