# SPDX-License-Identifier: BSD-2-Clause
"""What is measured and compared: systems that answer UDP on port 7 of each client's address."""

import contextlib
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


def clients(description=DESCRIPTION):
    """{name: address} of the clients in a description."""
    return {client.get('pd'): client.get('ip').split('/')[0]
            for client in ElementTree.parse(description).iterfind('network/client')}


def cores_needed(description):
    """How many processors a description's `cpu` attributes ask for."""
    used = [int(value, 0) for element in ElementTree.parse(description).iter()
            for name, value in element.attrib.items() if name in ('cpu', 'copy_cpu')]
    return 1 + max(used, default=0)


def stat_names():
    """The columns of a statistics page, from the header that the programs are built with."""
    with open(os.path.join(ROOT, 'include/sddf/net.h'), encoding='utf-8') as file:
        body = re.search(r'#define NET_STAT_NAMES(.*?)\}', file.read(), re.S)
    return re.findall(r'"(\w+)"', body.group(1))


class Sddf:
    """A system by its description, examples/echo's or another, started by the sddf command."""

    def __init__(self, build, scratch, board=None, description=DESCRIPTION, key='sddf',
                 title='sDDF', realtime=True, awake=False):
        self.description, self.key, self.title = description, key, title
        self.options = ([] if realtime else ['--no-realtime']) + (['--awake'] if awake else [])
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
        command = [self.tool, 'run', self.description, '--netdev', place.interface,
                   '--state', self.state_file, *self.options] + \
            (['-b', self.board] if self.board else [])
        with open(self.log, 'wb') as log:
            self.child = place.start(command, cpu=cpu, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT)
        if not laboratory.wait_for(self._read_state, 15):
            raise Failure(f'{self.name()} did not start:\n{self.output()}')

    def name(self):
        return os.path.relpath(self.description, ROOT)

    def _read_state(self):
        if self.child.poll() is not None:
            raise Failure(f'{self.name()} ended with {self.child.returncode}:\n{self.output()}')
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

    def priority(self, client):
        """The real-time priority of the first of a client's parts."""
        return max(pd['rt_priority'] for pd in self.state['pds']
                   if pd['name'] == client or pd['name'].endswith('_' + client))

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
    """The kernel's stack and bench/echo_linux.c, or echo_batch.c: a process for each address."""
    program = 'bench/echo_linux'

    def start(self, place, cpu, addresses):
        program = os.path.join(self.build, self.program)
        self._start(place, cpu, [[program, str(PORT), address] for address in addresses])


class AwakeEcho(LinuxEcho):
    """The same, with the processors kept from sleeping as `sddf run --awake` does it."""
    awake = None

    def start(self, place, cpu, addresses):
        with contextlib.suppress(OSError):  # Without, it is an ordinary LinuxEcho, as sDDF's is.
            self.awake = open('/dev/cpu_dma_latency', 'wb', buffering=0)
            self.awake.write(bytes(4))
        super().start(place, cpu, addresses)

    def stop(self):
        super().stop()
        if self.awake is not None:
            self.awake.close()
            self.awake = None


class BatchEcho(LinuxEcho):
    program = 'bench/echo_batch'


class XdpEcho(_Process):
    """bench/echo_xdp.c: one AF_XDP loop without any isolation."""

    def start(self, place, cpu, addresses):
        program = os.path.join(self.build, 'bench/echo_xdp')
        self._start(place, cpu, [[program, place.interface, *addresses]])


class SecondEcho(LinuxEcho):
    """Another's echo for the same stack, to see that ours is not a weak one: Perl's two calls."""
    SCRIPT = ('use Socket; socket(S, PF_INET, SOCK_DGRAM, 0); '
              'bind(S, sockaddr_in($ARGV[0], inet_aton($ARGV[1]))) or die "bind: $!"; '
              'while (1) { $from = recv(S, $data, 65536, 0); send(S, $data, 0, $from); }')

    def start(self, place, cpu, addresses):
        self._start(place, cpu, [['perl', '-e', self.SCRIPT, str(PORT), address]
                                 for address in addresses])


class DpdkEcho(_Process):
    """bench/echo_dpdk.c over one of DPDK's drivers for Linux interfaces. It needs no huge pages."""
    drivers = {'af_xdp': 'net_af_xdp0,iface={},start_queue=0,queue_count=1,force_copy=1',
               'af_packet': 'net_af_packet0,iface={},qpairs=1,blocksz=65536,framesz=2048,'
                            'framecnt=2048'}

    def __init__(self, build, driver, scratch):
        # It never sleeps: in a real-time class it would keep the kernel's thread from running.
        super().__init__(build, f'dpdk-{driver}', f'DPDK, {driver}', False)
        self.driver, self.scratch = driver, scratch

    def start(self, place, cpu, addresses):
        device = self.drivers[self.driver].format(place.interface)
        # What it keeps about itself in files goes to the scratch folder.
        self._start(place, cpu, [[
            'env', f'RUNTIME_DIRECTORY={self.scratch}', os.path.join(self.build, 'bench/echo_dpdk'),
            '--no-huge', '-m', '256', '--no-pci', '--no-shconf', '--no-telemetry', '-l',
            ','.join(map(str, sorted(cpu))),
            '--vdev', device, '--', *addresses]])


class NullEcho(_Process):
    """bench/echo_null.c: datagrams turn round where they arrive. ARP is the kernel's affair."""

    def start(self, place, cpu, _addresses):
        self._start(place, cpu, [[os.path.join(self.build, 'bench/echo_null'), place.interface]])


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

    def pin(self, _generator_cpu, _system_cpu, _system_fifo=None):
        return False

    def close(self):
        self.system.close()


def missing_programs():
    return [p for p in ('ip', 'ethtool') if shutil.which(p) is None]
