# SPDX-License-Identifier: BSD-2-Clause
"""What `make run` compares: each a system that answers UDP on port 7 of each client's address."""

import json
import os
import re
import shutil
import struct
import subprocess
from xml.etree import ElementTree

import lab as laboratory

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DESCRIPTION = os.path.join(ROOT, 'examples/echo/echo.xml')
PORT = 7
FIFO = 10  # the real-time priority of the references; among themselves they are alone


class Failure(Exception):
    """Something that makes the run worthless; the text says what, and what to do."""


def clients():
    """{name: address} of the clients in the echo system's description."""
    return {client.get('pd'): client.get('ip').split('/')[0]
            for client in ElementTree.parse(DESCRIPTION).iterfind('network/client')}


def stat_names():
    """The columns of a statistics page, from the header that the programs are built with."""
    with open(os.path.join(ROOT, 'include/sddf/net.h'), encoding='utf-8') as file:
        body = re.search(r'#define NET_STAT_NAMES(.*?)\}', file.read(), re.S)
    return re.findall(r'"(\w+)"', body.group(1))


class Sddf:
    """The echo system of examples/echo, started by the sddf command."""
    key, title = 'sddf', 'sDDF'

    def __init__(self, build, scratch, board=None):
        self.tool = os.path.join(build, 'sddf')
        self.state_file = os.path.join(scratch, 'state.json')
        self.log = os.path.join(scratch, 'sddf.log')
        self.board = board
        self.child = self.state = None
        self.names = stat_names()

    def start(self, place, cpu, _addresses):
        """Starts it in the namespace `place`, on its interface; returns when every PD runs."""
        if os.path.exists(self.state_file):
            os.unlink(self.state_file)
        command = [self.tool, 'run', DESCRIPTION, '--netdev', place.interface,
                   '--state', self.state_file] + (['-b', self.board] if self.board else [])
        with open(self.log, 'wb') as log:
            self.child = place.start(command, cpu=cpu, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT)
        if not laboratory.wait_for(self._read_state, 15):
            raise Failure(f'the echo system did not start:\n{self.output()}')

    def _read_state(self):
        if self.child.poll() is not None:
            raise Failure(f'the echo system ended with {self.child.returncode}:\n{self.output()}')
        try:
            with open(self.state_file, encoding='utf-8') as file:
                self.state = json.load(file)
        except (OSError, ValueError):
            return False
        return True

    def output(self):
        with open(self.log, encoding='utf-8', errors='replace') as file:
            return file.read().strip()[-4000:]

    def stop(self):
        if self.child is not None:
            laboratory.stop(self.child)
            self.child = None

    @property
    def device(self):
        return next((d for d in self.state['devices'] if d.get('interface')), {})

    @property
    def scheduling(self):
        return self.state['scheduling']

    def times(self):
        """Processor time per PD so far."""
        times = {pd['name']: laboratory.process_time(pd['pid']) for pd in self.state['pds']
                 if pd['state'] == 'running'}
        return times | {'(sddf run)': laboratory.process_time(self.state['loader'])}

    def dead(self):
        return self.child.poll() is not None or \
            [pd['name'] for pd in self.state['pds']
             if not os.path.exists(f'/proc/{pd["pid"]}/schedstat')]

    def statistics(self):
        """{region: {column: count}} of each statistics page, the first row: the PD as a whole."""
        result = {}
        for region in self.state['regions']:
            if not region['name'].endswith('_stats'):
                continue
            with open(f'/proc/{self.state["loader"]}/fd/{region["fd"]}', 'rb') as file:
                page = file.read(16 + 8 * len(self.names))
            magic, _, _, columns = struct.unpack_from('<4I', page)
            if magic == 0x5354454e and columns == len(self.names):
                counts = struct.unpack_from(f'<{columns}Q', page, 16)
                result[region['name'][:-len('_stats')]] = dict(zip(self.names, counts))
        return result


class _Process:
    """An echo that is one process, or one for each address."""
    device = {}

    def __init__(self, build, key, title, fifo, pinned=True):
        self.build, self.key, self.title = build, key, title
        self.fifo, self.pinned = fifo, pinned
        self.children = []

    @property
    def scheduling(self):
        return 'SCHED_FIFO' if self.fifo else 'SCHED_OTHER'

    def _start(self, place, cpu, commands):
        for command in commands:
            self.children.append(place.start(
                command, cpu=cpu if self.pinned else None, fifo=FIFO if self.fifo else None,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    def stop(self):
        for child in self.children:
            laboratory.stop(child)
        self.children.clear()

    def times(self):
        return {f'{os.path.basename(child.args[0])} {i + 1}': laboratory.process_time(child.pid)
                for i, child in enumerate(self.children)}

    def dead(self):
        return [child.args[0] for child in self.children if child.poll() is not None]

    def statistics(self):
        return {}


class LinuxEcho(_Process):
    """The kernel's stack and bench/echo_linux.c, a process for each address."""

    def start(self, place, cpu, addresses):
        program = os.path.join(self.build, 'bench/echo_linux')
        self._start(place, cpu, [[program, str(PORT), address] for address in addresses])


class XdpEcho(_Process):
    """bench/echo_xdp.c: one AF_XDP loop without any isolation."""

    def start(self, place, cpu, addresses):
        program = os.path.join(self.build, 'bench/echo_xdp')
        self._start(place, cpu, [[program, place.interface, *addresses]])


class TapPlace:
    """Without privilege: a namespace with a TAP interface, whose kernel side is the generator's."""
    threaded, threads = False, {}

    def __init__(self):
        self.system = self.generator = place = laboratory.Namespace()
        place.interface = self.generator_interface = self.system_interface = 'tap0'
        try:
            place.run(['ip', 'link', 'set', 'lo', 'up'])
            place.run(['ip', 'tuntap', 'add', 'tap0', 'mode', 'tap'])
            place.run(['ip', 'link', 'set', 'tap0', 'addrgenmode', 'none'])
            place.run(['ethtool', '-K', 'tap0', 'tx', 'off'], check=False)
            place.run(['ip', 'address', 'add', '10.0.0.1/24', 'dev', 'tap0'])
            place.run(['ip', 'link', 'set', 'tap0', 'up'])
        except BaseException:
            place.close()
            raise

    def set_addresses(self, _addresses):
        """sDDF alone answers here."""

    def set_threaded(self, _on):
        return False

    def pin(self, _generator_cpu, _system_cpu):
        return False

    def close(self):
        self.system.close()


def missing_programs():
    return [p for p in ('ip', 'ethtool') if shutil.which(p) is None]
