# SPDX-License-Identifier: BSD-2-Clause
"""One row: a system under one load, with everything that is counted meanwhile."""

import json
import mmap
import os
import select
import socket
import subprocess
import sys
import time

import lab as laboratory
from run_systems import Failure, PORT

PAYLOAD = 1472
FRAME = PAYLOAD + 42


class Progress:
    """One line that is written over on a terminal; elsewhere a line for each step."""

    def __init__(self):
        self.terminal = sys.stderr.isatty()
        self.begin = time.monotonic()

    def step(self, text, end=''):
        seconds = time.monotonic() - self.begin
        if self.terminal:
            print(f'\r{seconds:5.1f} s  {text}\033[K', end=end, file=sys.stderr, flush=True)
        else:
            print(f'{seconds:5.1f} s  {text}', file=sys.stderr, flush=True)

    def tick(self, text):
        if self.terminal:
            self.step(text)

    def done(self):
        if self.terminal:
            print('\r\033[K', end='', file=sys.stderr, flush=True)


class Bench:
    """Where a system is measured: its lab, the cores, the generator."""

    def __init__(self, lab, build, addresses, cpus, progress, spread=None, urgent=None, last=None):
        self.lab, self.progress = lab, progress
        self.load = os.path.join(build, 'bench/load')
        self.idle = os.path.join(build, 'bench/idle')
        self.addresses = list(addresses)
        self.generator_cpu, self.system_cpu = cpus
        self.spread = spread or {self.system_cpu}  # where the system may run
        self.urgent = urgent  # the generator's real-time priority, if it has one
        self.last = last  # the client that comes after all others, if there is one
        self.threads = lab.threaded  # packet work in threads, for whoever does not object
        self.threads_pinned = False
        self.page = self.counter = None

    def begin(self, system, threaded=True):
        """Starts a system and waits for it."""
        # With the null echo the kernel answers ARP.
        linux = system.key.startswith(('linux', 'null'))
        self.lab.set_addresses(self.addresses if linux else ())
        threaded = threaded and self.threads
        if threaded != self.lab.threaded:
            self.lab.set_threaded(threaded)
        system.start(self.lab.system, self.spread, self.addresses)
        # The echo may take a moment to attach; threads appear with it.
        self.threads_pinned = threaded and bool(laboratory.wait_for(lambda: self.pin(system), 0.2))

    def pin(self, system):
        """The kernel's threads on their cores. The system's is of its class, and after all of it, or
        after all that comes before its last client."""
        fifo = None
        if system.scheduling == 'SCHED_FIFO':
            fifo = system.priority(self.last) if self.last else 1
        return self.lab.pin(self.generator_cpu, self.system_cpu, fifo)

    def counted(self):
        """What the idle loop has counted so far; 0 without one."""
        return int.from_bytes(self.page[:8], 'little') if self.page else 0

    def sample(self, system):
        own = system.times()
        for number, thread in enumerate(self.lab.threads.get(self.lab.system_interface, ())):
            own[f'(kernel: NAPI thread {number})'] = laboratory.process_time(thread)
        return {'counted': self.counted(), 'own': own,
                'counting': laboratory.process_time(self.counter) if self.counter else 0,
                'core': laboratory.core_times(self.system_cpu),
                'statistics': system.statistics(),
                'device': self.lab.generator.counters(self.lab.generator_interface)}

    def row(self, system, phase, seconds, *options, targets=None):
        """Runs the generator for `seconds`; returns its JSON with what was counted meanwhile.

        `targets`: as the generator wants them; by default all addresses."""
        targets = targets or [f'{address}:{PORT}' for address in self.addresses]
        mine, its = socket.socketpair()
        name = f'{system.title}: {phase}'
        self.progress.step(name)
        child = self.lab.generator.start(
            [self.load, '--json', '-', '--control', str(its.fileno()), '--quiet', '--patience',
             '10', '--timeout', '0.5', '--seconds', f'{seconds:.3f}', *options, *targets],
            cpu=self.generator_cpu, fifo=self.urgent, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, pass_fds=[its.fileno()])
        its.close()
        try:
            self._await(mine, child, 15, name)
            if self.threads_pinned:
                # It has answered, so it is attached: threads that came with that are here by now.
                self.pin(system)
            before = self.sample(system)
            mine.send(b'.')
            self._await(mine, child, seconds + 10, name)
            after = self.sample(system)
            out, error = child.communicate(timeout=20)
        finally:
            mine.close()
            laboratory.stop(child)
            self.lab.generator.children.remove(child)
        if dead := system.dead():
            raise Failure(f'{name}: died meanwhile: {dead}')
        # 1 is for wrong content, which the table shows; without a result it is another matter.
        try:
            result = json.loads(out)
        except ValueError as bad:
            raise Failure(f'{name}: {error.decode().strip() or "the generator failed"}') from bad
        return self._digest(system, phase, result, before, after)

    def _await(self, control, child, seconds, name):
        end = time.monotonic() + seconds
        while True:
            if select.select([control], [], [], 0.25)[0]:
                if control.recv(16):
                    return
                child.wait()
                raise Failure(f'{name}: {child.stderr.read().decode().strip()}')
            if time.monotonic() > end:
                raise Failure(f'{name}: the generator does not come to an end')
            self.progress.tick(name)

    def _digest(self, system, phase, result, before, after):
        wall = after['core'][0] - before['core'][0]
        stolen = after['core'][2] - before['core'][2]
        idle = min(after['core'][1] - before['core'][1], wall)
        # What the idle loop had, nobody else wanted.
        idle += after['counting'] - before['counting']
        busy = max(wall - idle - stolen, 1e-9) / wall
        device = after['device']['rx_packets'] - before['device']['rx_packets']
        total = {key: sum(target[key] for target in result['targets'])
                 for key in ('sent', 'returned', 'wrong', 'unknown', 'late', 'lost', 'doubled',
                             'reordered', 'packets_per_second', 'megabits_per_second')}
        own = {name: (after['own'].get(name, was) - was) / wall
               for name, was in before['own'].items()}
        statistics = {pd: {column: count - before['statistics'].get(pd, {}).get(column, 0)
                           for column, count in counts.items()}
                      for pd, counts in after['statistics'].items()}
        return {'system': system.key, 'title': system.title, 'phase': phase, 'load': result,
                'total': total, 'cpu': busy, 'stolen': stolen / wall, 'own': own,
                'cpu_own': max(sum(own.values()), 1e-9),
                'interface_rate': device / wall,
                'generator_cores': result['cpu_seconds'] / result['seconds'],
                'per_cpu_second': total['packets_per_second'] / busy,
                'per_own_second': total['packets_per_second'] / max(sum(own.values()), 1e-9),
                'statistics': statistics, 'scheduling': system.scheduling,
                'counted': (after['counted'] - before['counted']) / wall,
                'threads_pinned': self.threads_pinned}

    def cross_check(self, system, seconds, *options, phase='moderate, idle counted',
                    **particulars):
        """A row at moderate load with a second opinion on the core's idle time: a loop that counts
        at idle priority, against what it counts in the same time with the core to itself."""
        fd = os.memfd_create('count')
        os.ftruncate(fd, mmap.PAGESIZE)
        child = self.lab.system.start([self.idle, str(fd)], cpu=self.system_cpu, pass_fds=[fd])
        try:
            with mmap.mmap(fd, mmap.PAGESIZE) as self.page:
                # Others may use the core just now: what counts is what it does when it may run.
                laboratory.wait_for(lambda: laboratory.process_time(child.pid) > 0.05, 2)
                self.counter = child.pid
                empty = self.counted() / max(laboratory.process_time(child.pid), 1e-9)
                row = self.row(system, phase, seconds, *options, **particulars)
        finally:
            self.page = self.counter = None
            laboratory.stop(child)
            self.lab.system.children.remove(child)
            os.close(fd)
        row['cpu_counted'] = max(0.0, 1 - row['counted'] / empty) if empty else 1.0
        return row
