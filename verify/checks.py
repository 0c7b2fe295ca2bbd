# SPDX-License-Identifier: BSD-2-Clause
"""What verify/run and its parts have in common."""

import os
import signal
import subprocess
import threading
from dataclasses import dataclass
from typing import Callable


@dataclass
class Row:
    """One thing that was checked."""

    what: str  # a file, a model, a litmus test
    size: str  # how much there was to check: goals, states, executions
    ok: bool
    note: str = ""  # the bounds; or, of a failure, what to look at
    seconds: float = 0.0  # that its job took, if it is its last


@dataclass
class Job:
    """A check that needs no other's result. The longest begin first: none is left for the end."""

    check: Callable  # returns its rows, or the one that it has
    seconds: float = 1  # about; a guess that is wrong costs time, no more
    slow: str = ""  # what it checks, if that takes minutes: --quick leaves it out, and says so


class Programs:
    """The programs that jobs run: when we are to end, they are, with all that they have started."""

    def __init__(self):
        self.lock = threading.Lock()
        self.running = set()
        self.ended = False

    def run(self, command, timeout=None, **options):
        """As subprocess.run() does it, with what is written as text in stdout."""
        options = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE,
                   "stderr": subprocess.STDOUT, "text": True, "errors": "replace", **options}
        with self.lock:
            if self.ended:
                raise RuntimeError("we are to end")
            program = subprocess.Popen([str(word) for word in command], start_new_session=True,
                                       **options)
            self.running.add(program)
        try:
            output, _ = program.communicate(timeout=timeout)
        finally:
            self.kill(program)
            program.wait()
            with self.lock:
                self.running.discard(program)
        return subprocess.CompletedProcess(command, program.returncode, output)

    @staticmethod
    def kill(program):
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def end(self):
        with self.lock:
            self.ended = True
            for program in self.running:
                self.kill(program)


programs = Programs()
