# SPDX-License-Identifier: BSD-2-Clause
"""Lays out the library as the Microkit's SDK has it, so that a Makefile written for that builds here:
build/sdk/board/linux/debug/{include/microkit.h, lib/libmicrokit.a, lib/microkit.ld}.

    sdk.py FOLDER AR HEADER LINKER_SCRIPT STAMP ARCHIVE...
"""

import pathlib
import shutil
import subprocess
import sys

folder, ar, header, script, stamp, *archives = sys.argv[1:]
board = pathlib.Path(folder) / "board" / "linux" / "debug"
for name in ("include", "lib"):
    (board / name).mkdir(parents=True, exist_ok=True)
shutil.copy(header, board / "include" / "microkit.h")
shutil.copy(script, board / "lib" / "microkit.ld")
archive = board / "lib" / "libmicrokit.a"
archive.unlink(missing_ok=True)
# Whole ones of whatever kind (Meson's are thin) into one that stands by itself.
steps = [f"CREATE {archive}", *(f"ADDLIB {other}" for other in archives), "SAVE", "END"]
subprocess.run([ar, "-M"], input="\n".join(steps) + "\n", text=True, check=True)
pathlib.Path(stamp).touch()
