# SPDX-License-Identifier: BSD-2-Clause
"""The experiments: which systems, under which loads, in which order. `sddf bench` runs them.

Each is a function that gets a runner (bench.py) and asks it for sessions, in which one system runs
and is measured under one load after the other. What follows from the rows is verdicts.py's affair.
"""

import os

import run_systems
from run_systems import Failure

SYSTEMS = os.path.join(run_systems.ROOT, 'bench/systems')
WINDOW = 64   # datagrams on their way to each client, closed loop
SAMPLED = 16  # under overload, the replies whose whole content is compared: every 16th
WINDOW_OF_MANY = 8  # the same for each, so that batches are alike; 28 of them fit the Rx buffers
MANY = (1, 28, 8, 16, 4, 2)
TURNS_OF_OTHERS = 1  # systems that only stand by take one turn

FRACTIONS = (0.1, 0.5, 1.0, 0.3, 0.8, 0.05, 0.2, 0.4, 0.6, 0.7, 0.9, 1.25, 1.5)
SWEEP = (0, 2, 1, 0.5, 0.25, 1.5, 0.75, 1.25, 1.75)


class Experiment:
    def __init__(self, name, title, question, shape, run=None, rows_of=None):
        self.name, self.title, self.question, self.shape = name, title, question, shape
        self.run, self.rows_of = run, rows_of or name


def description(name):
    path = os.path.join(SYSTEMS, name + '.xml')
    if not os.path.exists(path):
        raise Failure(f'bench/systems/{name}.xml is not there')
    return path


def some(values, count):
    """The first `count` of values, in order: those that say most stand first."""
    return sorted(values[:max(2, count)])


# ---- loads ----------------------------------------------------------------------------------------


def saturate(session, phase='saturation', x=None, window=WINDOW, options=()):
    """Closed loop: the system sets the pace."""
    return session.measure(phase, '--window', str(window), *options, x=x)


def offer(session, phase, rates, x):
    """Open loop: {client: datagrams/s}. Who carried next to nothing is asked for little, not none."""
    return session.measure(phase, rates={name: max(rate, 10.0) for name, rate in rates.items()}, x=x)


def overload(session, rate, x=2, phase='overload'):
    """Open loop, beyond what the system carries. What counts is the interface's counter."""
    share = max(rate / len(session.names), 10.0)
    return session.measure(phase, '--flood', '--check', str(SAMPLED), x=x, flood=True,
                           rates=dict.fromkeys(session.names, share))


def best(*rows):
    return max(row['interface_pps'] for row in rows)


# ---- E1, E2, E3, E12: one client, against others --------------------------------------------------


def references(r):
    """Everything that answers like the system of E1 and is not it: (system, turns)."""
    fifo = r.fifo
    build, equal = r.build, 'real-time' if fifo else 'normal class'
    made = [(run_systems.LinuxEcho(build, 'linux', f'Linux, {equal}', fifo), r.turns),
            (run_systems.BatchEcho(build, 'linux-batch', f'Linux batched, {equal}', fifo), r.turns)]
    made.append((run_systems.SecondEcho(build, 'linux-second', f'Linux, Perl, {equal}', fifo),
                 TURNS_OF_OTHERS))
    if fifo:
        made.append((run_systems.LinuxEcho(build, 'linux-normal', 'Linux, normal class', False),
                     TURNS_OF_OTHERS if r.quick else r.turns))
    return made + [(run_systems.LinuxEcho(build, 'linux-default', "Linux, kernel's defaults", False,
                                          pinned=False), TURNS_OF_OTHERS)]


def user_space(r):
    bare = run_systems.XdpEcho(r.build, 'bare', 'bare AF_XDP loop', r.fifo)
    return [(bare, r.turns)] + [(run_systems.DpdkEcho(r.build, driver, r.scratch), r.turns)
                                for driver in ('af_xdp', 'af_packet')]


def sddf(r, name, key='sddf', title='sDDF', **how):
    return run_systems.Sddf(r.build, r.scratch, description=description(name), key=key, title=title,
                            realtime=r.fifo, **how)


def awake(r):
    """Both on a core that looks about while it has nothing to do, instead of sleeping."""
    turns = TURNS_OF_OTHERS if r.quick else r.turns
    return [(sddf(r, 'e1', 'sddf-awake', 'sDDF, core kept awake', awake=True), turns),
            (run_systems.AwakeEcho(r.build, 'linux-awake', 'Linux, core kept awake', r.fifo), turns)]


def one_client(r, system, experiment, turn, rates):
    """Saturation, the rates of the sweep, overload: one system's turn."""
    with r.session(experiment, system, turn, run_systems.clients(description('e1'))) as session:
        top = saturate(session)
        if system.key == 'linux-second':
            return top['pps']  # it stands by for one figure only
        if experiment == 'E1':
            if turn == 1 and system.key in ('sddf', 'linux'):
                # Two opinions on how busy the core is.
                half = dict.fromkeys(session.names, 0.2 * (rates or top['pps']))
                session.measure('idle counted', rates=half, x=0.2, counted=True)
            if not r.quick:
                for size in ('64', '512', 'imix'):
                    saturate(session, f'saturation, {size}', options=('--size', size))
            for fraction in some(FRACTIONS, r.points):
                rate = fraction * (rates or top['pps'])
                if fraction > 1:
                    overload(session, rate, x=fraction, phase='request')
                else:
                    offer(session, 'request', dict.fromkeys(session.names, rate), fraction)
        overload(session, 2 * best(top))
    return top['pps']


def e1(r):
    rates = None
    systems = [(sddf(r, 'e1'), r.turns), *references(r), *awake(r)]
    for turn in range(1, r.turns + 1):
        for system, turns in systems:
            if turn <= turns:
                top = one_client(r, system, 'E1', turn, rates)
                rates = rates or top  # everybody is asked for what the first one was


def e12(r):
    for turn in range(1, r.turns + 1):
        for system, _ in [(sddf(r, 'e12'), r.turns), *user_space(r)]:
            one_client(r, system, 'E12', turn, None)


# ---- E4 to E7: two clients ------------------------------------------------------------------------


def e4(r):
    asked = None  # of both systems, in all turns, the same
    for turn in range(1, r.turns + 1):
        for name, title in (('e4', 'whoever signalled'), ('e4_round_robin', 'round robin')):
            clients = run_systems.clients(description(name))
            with r.session('E4', sddf(r, name, name, title), turn, clients) as session:
                top = saturate(session)
                asked = asked or top['pps']
                for fraction in some(FRACTIONS[:11], r.points):
                    rate = fraction * asked / len(clients)
                    offer(session, 'request', dict.fromkeys(clients, rate), fraction)
                overload(session, 2 * best(top))


def limited(r, experiment):
    """A at half of what it reaches alone; B from nothing to twice what it reaches beside A."""
    name = experiment.lower()
    clients = run_systems.clients(description(name))
    first, second = clients
    half = reach = None  # the first turn's, for all
    for turn in range(1, r.turns + 1):
        with r.session(experiment, sddf(r, name), turn, clients, last=second) as session:
            alone = session.measure('A alone', '--window', str(WINDOW), only=[first])
            other = session.measure('B alone', '--window', str(WINDOW), only=[second])
            half = half or alone['pps'] / 2
            offer(session, 'B beside A', {first: half, second: other['pps']}, None)
            reach = reach or r.last(second)['pps']
            for share in some(SWEEP, r.points):
                asked = share * reach
                rates = {first: half} | ({second: asked} if asked else {})
                offer(session, 'request', rates, share)
            if experiment == 'E7':
                # Whatever is asked: here as much as A carries.
                offer(session, 'request', {first: half, second: half}, half / max(reach, 1))


# ---- E8, E9: many clients -------------------------------------------------------------------------


def many(r, experiment, spread):
    """Saturated, and all sizes under the same load: what 0.6 of one client's saturation is."""
    steady = None
    for count in some(MANY, r.points):
        name = f'{experiment.lower()}_{count}'
        try:
            path = description(name)
        except Failure as missing:
            r.impossible(experiment, name, count, str(missing))
            continue
        needed, there = run_systems.cores_needed(path), len(r.allowed) if spread else 1
        if needed > there:
            r.impossible(experiment, name, count, f'it needs {needed} cores, and there are {there}')
            continue
        clients = run_systems.clients(path)
        with r.session(experiment, sddf(r, name, name, f'{count} clients'), 1, clients,
                       spread=spread) as session:
            top = saturate(session, x=count, window=WINDOW_OF_MANY)
            steady = steady or 0.6 * top['pps']
            offer(session, 'request', dict.fromkeys(clients, steady / count), count)


def e8(r):
    many(r, 'E8', False)


def e9(r):
    many(r, 'E9', True)


# ---- E10, E11: what a queue's size, and what a protection domain is worth -------------------------


def e10(r):
    sizes = [1 << i for i in (9, 0, 4, 6, 2, 8, 1, 3, 5, 7)]
    sizes = [512] + [size for size in some(sizes, r.points) if size != 512]
    asked = None
    for size in sizes:
        name = f'e10_{size}'
        clients = run_systems.clients(description(name))
        with r.session('E10', sddf(r, name, name, f'Tx queue of {size}'), 1, clients) as session:
            asked = asked or saturate(session, x=size)['pps']
            rates = dict.fromkeys(clients, asked / len(clients))
            offer(session, 'request', rates, size)


def e11(r):
    pds, scale = (5, 2, 4), None
    for turn in range(1, r.turns + 1):
        for count in pds:
            name = f'e11_{count}'
            clients = run_systems.clients(description(name))
            with r.session('E11', sddf(r, name, name, f'{count} PDs'), turn, clients) as session:
                top = saturate(session, x=count)
                scale = scale or top['pps']
                for part in (0.1, 0.5):
                    rates = dict.fromkeys(clients, part * scale / len(clients))
                    offer(session, f'{part:.0%} of saturation', rates, count)


def generator(r):
    """The generator's own cost: datagrams that turn round where they arrive."""
    system = run_systems.NullEcho(r.build, 'null', 'null echo', False)
    with r.session('generator', system, 1, {'echo': '10.0.0.10'}) as session:
        top = saturate(session)
        offer(session, 'request', {'echo': top['pps'] / 2}, 0.5)
        overload(session, 4 * top['pps'])


# ---- the list -------------------------------------------------------------------------------------

ALL = [
    Experiment('E1', 'One client against Linux',
               'Does the system follow the requested rate, and what does it do beyond?',
               'sDDF follows the request to the wire\'s limit (957 Mb/s); Linux stops following at '
               'about 600 and gets worse beyond.', e1),
    Experiment('E2', 'Processor time and cost per packet', 'As E1: what does a packet cost?',
               'Both rise with the load; sDDF takes .77 of the core at 957 Mb/s, Linux all of it '
               'from 700 on. The cost of a packet falls as batches grow.', rows_of='E1'),
    Experiment('E3', 'Round-trip time', 'As E1: how long does an answer take?',
               'sDDF 450 to 980 µs up to 900 Mb/s, Linux 1050 to 2080 µs.', rows_of='E1'),
    Experiment('E4', 'Two clients, equal',
               'Do two clients with equal queues get equal shares, under either policy?',
               'Both get the same share; the sum reaches the wire\'s limit.', e4),
    Experiment('E5', 'A before B, B\'s receive queue small',
               'B\'s receive queue holds 16, and its parts run after A\'s.',
               'A is unaffected; B levels off at what 16 buffers carry.', lambda r: limited(r, 'E5')),
    Experiment('E6', 'B limited in both directions', 'As E5, and B\'s transmit queue holds 16 too.',
               'B levels off lower; A is unaffected.', lambda r: limited(r, 'E6')),
    Experiment('E7', 'B limited to 100 Mb/s by policy',
               'As E5, with a limit of 100 Mb/s over 1 ms in the Tx virtualiser.',
               'B is flat at 100 Mb/s, whatever is asked; A is unaffected.',
               lambda r: limited(r, 'E7')),
    Experiment('E8', 'Many clients on one core',
               'Equal priorities, an echo with extra work for every packet.',
               'Driver and virtualisers cost the same per packet for 1 client and for 28.', e8),
    Experiment('E9', 'Many clients on several cores',
               'As E8, the clients on cores of their own, round robin.',
               'The sum scales until the core of the shared components is full.', e9),
    Experiment('E10', 'The transmit queue\'s size', 'One client, queues of 1, 2, 4, ... 512.',
               'Throughput rises with the size to the wire\'s limit.', e10),
    Experiment('E11', 'What isolation costs',
               'The same programs as 2 PDs (driver and client), 4 (no copier) and 5.',
               'An extra PD costs little, and less under load: 5 PDs take 1.27 times the cycles of '
               '2 per packet at saturation.', e11),
    Experiment('E12', 'User-space frameworks',
               'The same echo over DPDK and over a bare AF_XDP loop.',
               'An open question in the literature.', e12),
]
BY_NAME = {experiment.name: experiment for experiment in ALL}
