#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Runs the experiments of the literature and makes a report of them: what `sddf bench` does.

Two network namespaces are joined by a veth pair: on one side the load generator, on the other first
one system, then the next. Rows are written as they are measured; the report is made from them, also
after Ctrl-C. Nothing stays behind, however this ends. docs/measuring.md says what is measured, how,
and why.
"""

import argparse
import contextlib
import json
import os
import platform
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import experiments  # noqa: E402
import lab as laboratory  # noqa: E402
import report  # noqa: E402
import rows as table  # noqa: E402
import run  # noqa: E402
import run_measure  # noqa: E402
import run_systems  # noqa: E402
from run_systems import Failure, PORT  # noqa: E402

QUICK_LATE = 180  # s: --quick that has taken so long already measures the rest once and coarsely
MODERATION = 200  # µs: between two looks at what has arrived, where one client goes before another
LAG_LIMIT = 1.0  # ms: a generator whose send lag has a higher 99th percentile fell behind
PROGRAMS = ('sddf', 'bench/load', 'bench/idle', 'bench/echo_linux', 'bench/echo_batch',
            'bench/echo_xdp', 'bench/echo_dpdk', 'bench/echo_null')


class Parser(argparse.ArgumentParser):
    """Says what is wrong as the other subcommands do; the help is in tool/bench.c."""

    def error(self, message):
        print(f'sddf bench: {message}\n"sddf bench --help" shows how to use it.', file=sys.stderr)
        sys.exit(2)


def options(arguments):
    parser = Parser(prog='sddf bench', add_help=False)
    parser.add_argument('experiments', nargs='*')
    parser.add_argument('-o', '--output')
    parser.add_argument('--quick', action='store_true')
    parser.add_argument('--replay', metavar='ROWS.csv')
    parser.add_argument('--seconds', type=float)
    parser.add_argument('--turns', type=int)
    parser.add_argument('--points', type=int)
    parser.add_argument('--build')
    parser.add_argument('--no-realtime', action='store_true')
    option = parser.parse_args(arguments)
    words = list(arguments)
    if '--build' in words:  # the tool's own word, which nobody has typed
        at = words.index('--build')
        del words[at:at + 2]
    option.words = words
    option.build = os.path.abspath(option.build or os.path.join(run_systems.ROOT, 'build'))
    for name, least, most, quick, full in (('seconds', 0.05, 3600, 0.6, 5), ('turns', 1, 100, 2, 5),
                                           ('points', 2, 100, 5, 13)):
        value = getattr(option, name)
        if value is None:
            setattr(option, name, quick if option.quick else full)
        elif not least <= value <= most:
            parser.error(f'--{name} {value:g}: {least:g} to {most:g}')
    if option.replay and option.experiments:
        parser.error('--replay makes the report of all that is in the file: name no experiments')
    if not option.replay and not option.experiments:
        parser.error('name experiments: all, or some of ' + ' '.join(experiments.BY_NAME))
    option.chosen = choose(parser, option.experiments)
    return option


def choose(parser, names):
    """The experiments to run, in their order; E2 and E3 are E1's rows, seen otherwise."""
    wanted = set()
    for name in names:
        if name.lower() == 'all':
            wanted |= set(experiments.BY_NAME)
        elif name.upper() in experiments.BY_NAME:
            wanted.add(name.upper())
        else:
            parser.error(f'there is no experiment "{name}"; there are '
                         f'{" ".join(experiments.BY_NAME)}, and all')
    return [e for e in experiments.ALL if e.name in wanted]


# ---- measuring ------------------------------------------------------------------------------------


class Session:
    """One system, up and running, to be put under one load after the other."""

    def __init__(self, runner, experiment, system, turn, clients, bench):
        self.runner, self.experiment, self.system = runner, experiment, system
        self.turn, self.names, self.bench = turn, list(clients), bench
        self.clients = clients

    def measure(self, phase, *flags, rates=None, x=None, flood=False, only=None, counted=False):
        """One measurement. Returns its row for all clients; a void one is measured once more.

        `counted`: with a second opinion on the core's idle time."""
        again = 1 if self.runner.quick else 2
        for attempt in range(1, again + 1):
            row = self._measure(phase, flags, rates or {}, x, flood, only, counted)
            if not row['void'] or attempt == again:
                return row

    def _measure(self, phase, flags, rates, x, flood, only, counted):
        names = only or list(rates) or self.names
        targets = [f'{self.clients[name]}:{PORT}' +
                   (f'@{rates[name]:.1f}' if rates.get(name) else '') for name in names]
        runner = self.runner
        flags = ('--lag', str(LAG_LIMIT), *flags)
        if counted:
            result = self.bench.cross_check(self.system, runner.seconds, *flags, phase=phase,
                                            targets=targets)
        else:
            result = self.bench.row(self.system, phase, runner.seconds, *flags, targets=targets)
        size = flags[flags.index('--size') + 1] if '--size' in flags else run_measure.PAYLOAD
        about = {'experiment': self.experiment, 'turn': self.turn, 'x': x, 'flood': flood,
                 'payload': size,
                 'description': runner.relative(getattr(self.system, 'description', ''))}
        if self.system.key == 'linux-default':
            # Its work is spread over all cores, the generator's too: no fair account.
            about |= {'cpu': None, 'cpu_own': None}
        made = table.make(result, about, names, LAG_LIMIT * 1e3)
        runner.keep(made, result)
        return made[-1]


class Runner:
    def __init__(self, option, folder, unlimited):
        self.option, self.folder, self.unlimited = option, folder, unlimited
        self.build, self.quick = option.build, option.quick
        self.seconds, self.turns, self.points = option.seconds, option.turns, option.points
        self.allowed = sorted(os.sched_getaffinity(0))
        self.generator_cpu, self.system_cpu = run.cores()
        self.urgent = run.real_time_allowed()
        self.fifo = self.urgent and not option.no_realtime
        self.progress = run_measure.Progress()
        self.scratch = run.private_folder()
        self.raw, self.problems = [], []
        self.file = open(os.path.join(folder, 'rows.csv'), 'w', encoding='utf-8')
        self.about = self.describe()
        self.file.write(table.csv_head(self.about))
        self.file.flush()

    def describe(self):
        """What was where, for whoever reads the rows later."""
        kernel = os.uname()
        alone = self.generator_cpu == self.system_cpu
        return {
            'date': time.strftime('%Y-%m-%d %H:%M %Z'),
            'command': 'sddf bench ' + ' '.join(self.option.words),
            'experiments': ' '.join(e.name for e in self.option.chosen),
            'machine': f'{processor()}, {os.cpu_count()} cores, {memory()}, '
                       f'{virtual()}',
            'kernel': f'{kernel.sysname} {kernel.release} {kernel.version} {kernel.machine}',
            'pinning': 'THERE IS ONLY ONE CORE: generator and system share it; read no figure as '
                       'what the system can do' if alone else
                       f'generator and its kernel thread on CPU {self.generator_cpu}, system and its '
                       f'kernel thread on CPU {self.system_cpu}',
            'class': 'SCHED_FIFO for sDDF and the references that it is compared with'
                     if self.fifo else 'SCHED_OTHER for all'
                     + ('' if self.option.no_realtime else ': real time is not permitted here'),
            'real time': 'not limited while measuring' if self.unlimited else
                         'limited by kernel.sched_rt_runtime_us: the kernel stops the real-time '
                         'processes of a full core for some milliseconds of each second',
            'generator': 'real-time on its core, behind the kernel\'s thread for its interface'
                         if self.urgent else 'an ordinary process: others may delay it',
            'place': 'veth pair between two namespaces, threaded NAPI with GRO on both ends, '
                     "transmit checksums off on the generator's; in E5 to E7 the system's end is "
                     f'looked at once in {MODERATION} µs, between the two clients\' priorities',
            'rows': f'{self.seconds:g} s each, {self.turns} turns, sweeps of {self.points} points',
        }

    @contextlib.contextmanager
    def session(self, experiment, system, turn, clients, spread=False, last=None):
        """Starts a system in a lab of its own, and ends both. `last`: the client that comes after all
        others, if there is one."""
        cpus, where = (self.generator_cpu, self.system_cpu), None
        if spread:
            # The system has all cores: the shared parts the first, clients (and the generator,
            # which needs little of it) the others.
            cpus, where = (self.allowed[-1], self.allowed[0]), set(self.allowed)
        with contextlib.ExitStack() as stack:
            place = laboratory.Lab()
            stack.callback(place.close)
            bench = run_measure.Bench(place, self.build, clients.values(), cpus, self.progress,
                                      where, urgent=1 if self.urgent else None, last=last)
            if last and not place.set_moderation(MODERATION):
                raise Failure('the interface cannot be told to moderate its looks for frames '
                              '(napi_defer_hard_irqs): Linux 5.8 or later can')
            stack.callback(system.stop)
            self.progress.step(f'{experiment}, turn {turn}: {system.title}')
            bench.begin(system, threaded=system.key != 'linux-default')
            if getattr(system, 'device', None) and not system.device.get('native'):
                raise Failure(f'the interface is not driven by native XDP: {system.device}')
            yield Session(self, experiment, system, turn, clients, bench)

    @staticmethod
    def relative(path):
        return os.path.relpath(path, run_systems.ROOT) if path else ''

    def keep(self, made, result):
        self.file.write(table.csv_lines(made))
        self.file.flush()
        self.raw.append({'rows': made, 'raw': result})

    def last(self, client):
        """The row of the last measurement for one client."""
        return next(row for row in self.raw[-1]['rows'] if row['client'] == client)

    def impossible(self, experiment, name, x, why):
        row = table.impossible({'experiment': experiment, 'system': name, 'turn': 1, 'x': x,
                                'phase': 'saturation',
                                'description': f'bench/systems/{name}.xml'}, f'{x} clients', why)
        self.keep([row], None)

    def all(self):
        """Every campaign that the chosen experiments need, one after the other."""
        done = set()
        experiments.generator(self)
        for experiment in self.option.chosen:
            campaign = experiments.BY_NAME[experiment.rows_of]
            if campaign.name in done:
                continue
            done.add(campaign.name)
            if self.quick and time.monotonic() - self.progress.begin > QUICK_LATE:
                self.turns, self.points = 1, min(self.points, 3)
            try:
                campaign.run(self)
            except Failure as failure:
                # One that cannot be is no reason not to have the others.
                self.problems.append(f'{campaign.name}: {failure}')
                self.progress.done()
                print(f'sddf bench: {campaign.name}: {failure}', file=sys.stderr)
        self.progress.done()

    def close(self):
        self.file.close()
        with open(os.path.join(self.folder, 'rows.json'), 'w', encoding='utf-8') as file:
            json.dump({'about': self.about, 'measurements': self.raw}, file, indent=1)


def processor():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        for line in file:
            if line.startswith('model name'):
                return line.split(':', 1)[1].strip()
    return platform.machine()


def memory():
    return f'{os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30):.1f} GiB'


def virtual():
    with open('/proc/cpuinfo', encoding='utf-8') as file:
        return 'a virtual machine' if ' hypervisor' in file.read() else 'no virtual machine'


# ---- the command ----------------------------------------------------------------------------------


def check(option):
    """What must be there before anything begins."""
    if missing := [p for p in ('gnuplot', 'ip', 'ethtool') if shutil.which(p) is None]:
        raise Failure(f'not installed: {", ".join(missing)}; run ./setup.sh')
    if option.replay:
        return
    if os.geteuid() != 0 or not run.whole_machine():
        raise Failure('it needs root: AF_XDP, real-time classes, network namespaces and pinned '
                      'kernel threads. Without root, "make run" compares through a TAP interface, '
                      'and --replay makes a report of rows that are there')
    for program in PROGRAMS:
        if not os.path.exists(os.path.join(option.build, program)):
            raise Failure(f'{os.path.join(option.build, program)} is not built: run make')


def output_folder(option):
    folder = option.output or (os.path.dirname(os.path.abspath(option.replay)) if option.replay
                               else 'bench-report')
    folder = os.path.abspath(folder)
    if (folder + '/').startswith('/dev/shm/') and not option.replay:
        raise Failure('-o: a run has a /dev/shm of its own; choose another folder')
    os.makedirs(folder, exist_ok=True)
    return folder


def measure(option, folder):
    with run.real_time_unlimited() as unlimited:
        return finish(Runner(option, folder, unlimited))


def finish(runner):
    status = 0
    try:
        runner.all()
    except (KeyboardInterrupt, SystemExit) as end:
        status = 130 if isinstance(end, KeyboardInterrupt) else 143
        print('\nsddf bench: stopped; the report has the rows so far', file=sys.stderr)
    finally:
        # A second Ctrl-C must not cost the rows of hours.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        runner.close()
    return status or (1 if runner.problems else 0)


def main(arguments):
    option = options(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(143))
    try:
        check(option)
        folder, status = output_folder(option), 0
        source = option.replay
        if not source:
            source, status = os.path.join(folder, 'rows.csv'), measure(option, folder)
        wrong = report.make(source, folder)
        print(f'sddf bench: {os.path.join(folder, "index.html")}')
        if wrong:
            print('sddf bench: ' + '\n'.join(wrong), file=sys.stderr)
        return status or (1 if wrong and not option.replay else 0)
    except KeyboardInterrupt:
        print('\nsddf bench: stopped', file=sys.stderr)
        return 130
    except OSError as error:
        where = f'{error.filename}: ' if error.filename else ''
        print(f'sddf bench: {where}{error.strerror or error}', file=sys.stderr)
    except (Failure, ValueError) as error:
        print(f'sddf bench: {error}', file=sys.stderr)
    return 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
