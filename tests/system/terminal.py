# SPDX-License-Identifier: BSD-2-Clause
"""Programs in the foreground of a terminal of their own."""

import contextlib
import os
import pty
import select
import signal
import termios


@contextlib.contextmanager
def on_terminal(command, namespace=None):
    """The program at a terminal: the master's end, and the process."""
    pid, master = pty.fork()
    if pid == 0:
        with contextlib.suppress(OSError):
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            if namespace is not None:
                namespace.enter()
            os.execv(command[0], [str(word) for word in command])
        os._exit(127)
    try:
        yield master, pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, 0)
        os.close(master)


def is_raw(terminal):
    return not termios.tcgetattr(terminal)[3] & termios.ICANON


def read_until(master, text):
    said = b""
    while text not in said:
        assert select.select([master], [], [], 60)[0], said
        said += os.read(master, 4096)


def wait_for_end(master, pid):
    """The exit status; what is printed meanwhile is read, or the end would wait for that."""
    with contextlib.suppress(OSError):
        while os.read(master, 4096):
            pass
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
