# SPDX-License-Identifier: BSD-2-Clause
"""The same services over a TAP interface, with privileges and without."""

import os
import subprocess
import tempfile
import time

import pytest

import lib
import packets
import rights
from services import pattern, tcp_echo


def basics(system, lab):
    """Every kind of service, in short: the same for every way of driving an interface."""
    for client in system.clients:
        for port in lib.UDP_PORTS:
            with lab.udp() as sock:
                for length in (*range(0, 1473, 32), 1471, 1472):
                    sock.sendto(pattern(length, length), (client.ip, port))
                    assert sock.recv(2000) == pattern(length, length)
        with lab.icmp() as sock:
            sock.connect((client.ip, 0))
            for size in (0, 1, 56, 1472):
                sock.send(packets.icmp_echo(1, size, pattern(size, size)))
                # The kernel's end of a TAP is in this namespace: the socket sees no requests of its
                # own, only what arrives.
                assert sock.recv(2000)[28:] == pattern(size, size)
        with lab.tcp(client.ip, timeout=60) as sock:
            tcp_echo(sock, 2000 * 1000)
    flood = lab.flood(system.clients[0].ip, port=7)
    try:
        time.sleep(0.3)
    finally:
        lab.end_flood(flood)
    for client in system.clients:
        system.serves_again(client)


def test_tap(lab, tmp_path):
    """The TAP board, as root: services, rights, account, and nothing left."""
    namespace = lib.bench_lab.Namespace()
    try:
        tap = lib.TapLab(namespace)
        system = lib.System(tap, tmp_path, options=["-b", "linux_tap"])
        try:
            system.start()
            tap.give_address()
            assert "TAP" in system.state["devices"][0]["text"]
            basics(system, tap)
            assert rights.complaints(system, board="tap") == []
            system.assert_account()
            system.stop()
        finally:
            system.end_by_force()
    finally:
        namespace.close()


NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def nobody_can():
    """Why an unprivileged user cannot run a system here, or None."""
    for path in (lib.SDDF, lib.ECHO, lib.BUILD / "platform/linux"):
        if subprocess.run([*NOBODY, "test", "-r", path], check=False).returncode != 0:
            return f"another user may not read {path}"
    if subprocess.run([*NOBODY, "unshare", "-Urn", "true"], check=False,
                      capture_output=True).returncode != 0:
        return "unprivileged users may make no user namespaces here"
    if subprocess.run([*NOBODY, "test", "-w", "/dev/net/tun"], check=False).returncode != 0:
        return "unprivileged users may not open /dev/net/tun here"
    return None


@pytest.mark.parametrize("options", [["-b", "linux_tap"], []])
def test_unprivileged(lab, options):
    """Without any privilege, in namespaces of the user's own. No board named: AF_XDP may not be
    used, so a TAP is, and it says so."""
    why = nobody_can()
    if why is not None:
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="test-") as folder:
        os.chmod(folder, 0o777)
        system = lib.System(None, folder, prefix=[*NOBODY, "unshare", "-Urn"],
                            options=["--netdev", lib.TapLab.system_interface, *options], netdev=False)
        namespace = None
        try:
            system.spawn(start=lambda words, **kwargs: subprocess.Popen(words, **kwargs))
            own = os.readlink("/proc/self/ns/net")
            assert lib.wait_until(lambda: lib.process_name(system.process.pid) == "sddf" and
                                  os.readlink(f"/proc/{system.process.pid}/ns/net") != own, 5), \
                system.output()
            namespace = lib.Namespace(system.process.pid)
            tap = system.lab = lib.TapLab(namespace)
            system.wait_up()
            tap.give_address()
            assert "TAP" in system.state["devices"][0]["text"]
            if not options:
                assert "TAP" in system.output(), "it does not say that it is a TAP"
            assert system.state["scheduling"] == "SCHED_OTHER"
            basics(system, tap)
            assert rights.complaints(system, board="tap") == []
            system.assert_account()
            system.stop()
        finally:
            system.end_by_force()
            if namespace is not None:
                namespace.close()
