#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the echo system and a plain Linux echo in turns, and prints one table.

Two network namespaces are joined by a veth pair: on one side the load generator, on the other
first the one system, then the other. Nothing stays behind, however this ends. As root the
interface is driven by AF_XDP; without, in a user namespace, through a TAP interface.
docs/measuring.md says what is measured, how, and why.
"""

import argparse
import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab as laboratory  # noqa: E402
import run_measure  # noqa: E402
import run_systems  # noqa: E402
import run_table  # noqa: E402
from run_systems import Failure  # noqa: E402

MODERATE = 20000   # packets/s in all: a fifth of what the plain Linux echo carries
WINDOW = 64        # per client
SAMPLED = 16       # under overload, the replies whose whole content is compared: every 16th
UNITS = 29         # phases of one run
OVERHEAD = 0.15    # s of every phase that go into starting and draining
TURNS = 3


def options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seconds', type=float, metavar='S',
                        default=os.environ.get('SDDF_RUN_SECONDS') or '10',
                        help='about how long all takes (default: SDDF_RUN_SECONDS, or 10)')
    parser.add_argument('--quick', action='store_true', help='the same as --seconds 3')
    parser.add_argument('--json', metavar='FILE', help='write every row, with all counters')
    parser.add_argument('--bare', action='store_true',
                        help='also a bare AF_XDP loop without isolation: the ceiling')
    parser.add_argument('--references', action='store_true', help='measure all but sDDF')
    parser.add_argument('--tap', action='store_true', help='through a TAP interface, even as root')
    parser.add_argument('--build', metavar='DIR',
                        default=os.environ.get('SDDF_BUILD') or
                        os.path.join(run_systems.ROOT, 'build'),
                        help='the build folder (default: SDDF_BUILD, or build)')
    option = parser.parse_args()
    option.build = os.path.abspath(option.build)
    if option.quick:
        option.seconds = 3
    if not 1 <= option.seconds <= 36000:
        parser.error('--seconds: 1 to 36000')
    return option


def whole_machine():
    """Whether root here is root of the machine, and not of a user namespace."""
    with open('/proc/self/uid_map', encoding='ascii') as file:
        return [line.split() for line in file] == [['0', '0', '4294967295']]


def become_root_of_our_own():
    """Without privilege: once more in a user namespace, where we may have interfaces."""
    if os.geteuid() == 0 and not whole_machine():
        os.environ['SDDF_RUN_INSIDE'] = '1'  # Somebody else has made the namespace.
    if os.environ.get('SDDF_RUN_INSIDE') or os.geteuid() == 0:
        return
    environment = dict(os.environ, SDDF_RUN_INSIDE='1')
    unshare = ['unshare', '--user', '--map-root-user']
    if subprocess.run([*unshare, 'true'], capture_output=True, check=False).returncode != 0:
        raise Failure('this machine gives unprivileged users no user namespaces: run it as '
                      'root, or allow them (sysctl kernel.unprivileged_userns_clone=1)')
    os.execvpe(unshare[0], [*unshare, sys.executable, *sys.argv], environment)


def private_folder():
    """A folder in memory that only this process and its children see: nothing stays behind."""
    path = '/dev/shm'
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(laboratory.CLONE_NEWNS) != 0 or \
       libc.mount(b'none', b'/', None, laboratory.MS_REC_PRIVATE, None) != 0 or \
       libc.mount(b'tmpfs', path.encode(), b'tmpfs', 0, None) != 0:
        raise Failure('no mount namespace of our own: ' + os.strerror(ctypes.get_errno()))
    return path


def cores():
    """(generator's, system's): two different ones if there are two."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1] if len(allowed) > 1 else allowed[0]


def real_time_allowed():
    """Whether this process could give a child SCHED_FIFO."""
    child = os.fork()
    if child == 0:
        try:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


@contextlib.contextmanager
def real_time_unlimited():
    """Lifts the kernel's limit on real-time processes, which by default stops those of a core for
    50 ms in each second that they fill; yields whether there is none now.

    (Documentation/scheduler/sched-rt-group.rst, 2.1.) A process of its own, which is there before
    anything is changed, puts the limit back, also after this one was killed.
    """
    limit = '/proc/sys/kernel/sched_rt_runtime_us'
    try:
        with open(limit, encoding='ascii') as file:
            before = file.read()
        if int(before) < 0:
            yield True
            return
        writer = os.open(limit, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    ended, end = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.setsid()  # Ctrl-C is for the others
        os.close(end)
        os.read(ended, 1)
        os.pwrite(writer, before.encode(), 0)
        os._exit(0)
    os.close(ended)
    try:
        lifted = True
        try:
            os.pwrite(writer, b'-1', 0)
        except OSError:
            lifted = False
        yield lifted
    finally:
        os.close(writer)
        os.close(end)
        os.waitpid(keeper, 0)


class Run:
    def __init__(self, option):
        self.option = option
        self.tap = option.tap or bool(os.environ.get('SDDF_RUN_INSIDE'))
        self.unit = max(0.08, option.seconds / UNITS - OVERHEAD)
        self.progress = run_measure.Progress()
        self.generator_cpu, self.system_cpu = cores()
        self.scratch = private_folder()
        self.rows, self.clients = [], run_systems.clients()
        self.systems = self.make_systems()

    def make_systems(self):
        build = self.option.build
        self.fifo = real_time_allowed()
        systems = []
        if not self.option.references:
            systems.append(run_systems.Sddf(build, self.scratch, 'linux_tap' if self.tap else None))
        if self.fifo:
            systems.append(run_systems.LinuxEcho(build, 'linux-fifo', 'Linux, real-time', True))
        systems.append(run_systems.LinuxEcho(build, 'linux-normal', 'Linux, normal class', False))
        systems.append(run_systems.LinuxEcho(build, 'linux-default', "Linux, kernel's defaults",
                                             False, pinned=False))
        if self.option.bare and not self.tap:
            systems.append(run_systems.XdpEcho(build, 'bare', 'bare AF_XDP loop', self.fifo))
        for system in systems:
            system.how, system.equal = '', False
        return systems

    def describe(self, system, bench):
        """How it ran, for the table; and whether that was what it is to show."""
        pinned = f'CPU {self.system_cpu}' if system.key != 'linux-default' else 'not pinned'
        threads = f'NAPI threads pinned, CPU {self.generator_cpu} and {self.system_cpu}' \
            if bench.threads_pinned else 'NAPI in the sender\'s softirq'
        driven = "the kernel's stack, recvfrom/sendto, a process per client"
        if system.key == 'sddf':
            device = system.device
            driven = device.get('text', 'no device')
            self.driven = driven
            if not self.tap and not device.get('native'):
                raise Failure(f'the interface is not driven by native XDP: {driven}')
            for other in self.systems:
                other.equal = other.key == ('linux-fifo' if system.scheduling == 'SCHED_FIFO'
                                            else 'linux-normal')
        elif system.key == 'bare':
            driven = 'one process, native XDP, copy mode, need-wakeup'
        system.how = f'{driven}; {system.scheduling}, {pinned}; {threads}'

    def measure(self, bench, system, turn):
        """All phases of one system's turn."""
        def row(phase, *options, by=bench.row):
            result = by(system, phase, self.unit, *options) if by == bench.row else \
                by(system, self.unit, *options)
            result['turn'] = turn
            result['unattributable'] = system.key == 'linux-default' or self.tap_charges(system)
            self.rows.append(result)
            return result
        share = len(self.clients)
        bench.begin(system, threaded=system.key != 'linux-default')
        self.describe(system, bench)
        if turn == 1 and system.key != 'linux-default':
            row('moderate', '--rate', str(MODERATE / share))
            if system.key in ('sddf', 'linux-fifo'):
                row('', '--rate', str(MODERATE / share), by=bench.cross_check)
        closed = row('saturation, closed loop', '--window', str(WINDOW))
        rate = closed['total']['packets_per_second'] * 1.15
        opened = row('saturation, open loop', '--rate', str(rate / share))
        twice = 2 * max(r['total']['packets_per_second'] for r in (closed, opened))
        if system.key != 'linux-default':
            row('overload, twice the best', '--flood', '--check', str(SAMPLED), '--rate',
                str(twice / share))

    def tap_charges(self, system):
        """Through TAP the generator's kernel work is done by the system's core; no fair account."""
        return self.tap and system.key == 'sddf'

    def turn(self, system, turn):
        with contextlib.ExitStack() as stack:
            if self.tap and system.key == 'sddf':
                place = run_systems.TapPlace()
            else:
                # Without privilege the kernel's threads could not be pinned: better none.
                place = laboratory.Lab(threaded=not os.environ.get('SDDF_RUN_INSIDE'))
            stack.callback(place.close)
            bench = run_measure.Bench(place, self.option.build, self.clients.values(),
                                      (self.generator_cpu, self.system_cpu), self.progress)
            stack.callback(system.stop)
            self.measure(bench, system, turn)

    def all(self):
        for turn in range(1, TURNS + 1):
            for system in self.systems:
                # The two sides of the ratio take every turn; what only stands by, one.
                if turn == 1 or system.key == 'sddf' or system.equal or \
                   (self.option.references and system.key in ('linux-fifo', 'bare')):
                    self.turn(system, turn)
        self.progress.done()

    def setup_lines(self):
        kernel = os.uname()
        side = 'over a veth pair'
        if self.tap:
            side += ', sDDF\'s through a TAP interface' + ('' if self.option.tap
                                                          else ' for lack of privilege')
        lines = [f'UDP echo {side}, {run_measure.PAYLOAD}-byte payloads, every reply\'s content '
                 f'compared (under overload every {SAMPLED}th); {kernel.sysname} {kernel.release}, '
                 f'{os.cpu_count()} cores',
                 f'generator on CPU {self.generator_cpu}, system on CPU {self.system_cpu}; '
                 'times in microseconds, Mb/s of whole frames, CPU of the system\'s core in all']
        if self.generator_cpu == self.system_cpu:
            lines.append('There is only one core: generator and system share it; read no figure '
                         'as what the system can do.')
        return lines

    def report(self):
        print('\n'.join(run_table.table(self.rows, self.systems, list(self.clients),
                                        self.setup_lines())))
        if self.option.json:
            with open(self.option.json, 'w', encoding='utf-8') as file:
                json.dump({'rows': self.rows, 'systems': [
                    {'key': s.key, 'title': s.title, 'how': s.how, 'equal': s.equal}
                    for s in self.systems]}, file, indent=1)


def main():
    option = options()
    # Both ends unwind the same way; SIGKILL is the kernel's affair (see lab.py).
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        become_root_of_our_own()
        programs = ['bench/load', 'bench/echo_linux'] + ([] if option.references else ['sddf'])
        for program in programs:
            if not os.path.exists(os.path.join(option.build, program)):
                raise Failure(f'{os.path.join(option.build, program)} is not built: run make')
        if missing := run_systems.missing_programs():
            raise Failure(f'not installed: {", ".join(missing)}; run ./setup.sh')
        run = Run(option)
        with real_time_unlimited():
            run.all()
        run.report()
        if bad := run_table.wrong(run.rows):
            raise Failure('\n'.join(bad))
    except KeyboardInterrupt:
        print('\nstopped', file=sys.stderr)
        return 130
    except (Failure, OSError) as error:
        print(f'\nrun: {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
