# SPDX-License-Identifier: BSD-2-Clause
"""The queue's code under every execution that the C11 memory model allows: see weak.h."""

import os
import re
from pathlib import Path

from checks import Job, Row, programs

TITLE = "the queue under all executions of the C11 memory model (our own checker)"
ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("SDDF_BUILD", ROOT / "build"))

LINE = re.compile(r"(not ok|ok) \d+ - (litmus|queue|order): (.*)")
QUEUE = re.compile(r"(.*): (C11|C\+\+20), (\d+) executions of at most (\d+) events")


def check():
    built = programs.run(["ninja", "-C", BUILD, "verify/weak/weak"])
    if built.returncode != 0:
        return Row("the checker", "nothing", False, built.stdout[-300:])
    counts = {"litmus": [0, 0], "order": [0, 0]}
    failures = {"litmus": [], "order": []}
    rows = []
    weak = programs.run([BUILD / "verify/weak/weak"])
    for line in weak.stdout.splitlines():
        match = LINE.match(line)
        if not match:
            continue
        ok, kind, text = match[1] == "ok", match[2], match[3]
        if kind == "queue":
            name, model, executions, events = QUEUE.match(text).groups()
            rows.append(Row(f"{name}, {model}", f"{executions} executions", ok,
                            f"at most {events} events" if ok else text))
        else:
            counts[kind][not ok] += 1
            failures[kind] += [] if ok else [text]
    for kind, what in (("litmus", "litmus tests with known outcomes"),
                       ("order", "orders of the header, each made weaker")):
        right, wrong = counts[kind]
        rows.append(Row(what, f"{right + wrong} tests", right > 0 and wrong == 0,
                        "; ".join(failures[kind]) or
                        ("two readings of the model" if kind == "litmus" else "each goes wrong")))
    return [*rows, Row("the checker ends", "", weak.returncode == 0,
                       f"exit status {weak.returncode}")]


def jobs():
    return [Job(check, seconds=60)]
