# SPDX-License-Identifier: BSD-2-Clause
"""What follows from the rows of `sddf bench`: each claim, what was measured, and whether it holds."""

import statistics

RATE_KEPT = 0.97     # A is unaffected: its rate within 3 %, nothing lost
LIVELOCK = 0.95      # at overload, as a part of the best
TWICE = 1.8          # an overload of less than so many times the best is none
LIMIT_MBPS = 100
FLAT = 0.03
SHARED = ('_driver', '_virt_rx', '_virt_tx')


class Claim:
    """`measured` is None where no row tells."""

    def __init__(self, text, goal, measured, holds, note=''):
        self.text, self.goal, self.measured, self.note = text, goal, measured, note
        self.holds = holds if measured is not None else None

    def verdict(self):
        return {True: 'holds', False: 'does not hold', None: 'no result'}[self.holds]


def median(values):
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


def good(rows, **want):
    """Rows that are not void and have the wanted columns."""
    return [row for row in rows if not row['void']
            and all(row[column] == value for column, value in want.items())]


def rate(row):
    """What came back. Under overload the generator reads a part of it; the interface counts all."""
    return row['interface_pps'] if 'flood' in row['mode'] else row['pps']


def per_cpu_second(row):
    return row['pps'] / row['cpu'] if row['cpu'] else None


def per_own_second(row):
    return row['pps'] / row['cpu_own'] if row['cpu_own'] else None


def by_turn(rows):
    turns = {}
    for row in rows:
        turns.setdefault(row['turn'], []).append(row)
    return turns


def saturated(rows, system):
    return by_turn(good(rows, system=system, client='all', phase='saturation'))


def ratios(rows, ours, theirs, value=per_cpu_second):
    """Turn by turn; where the other took fewer turns, against its last one."""
    a, b = saturated(rows, ours), saturated(rows, theirs)
    result = []
    for turn in sorted(a):
        other = b.get(turn) or (b[max(b)] if b else None)
        if other:
            x, y = median(map(value, a[turn])), median(map(value, other))
            if x and y:
                result.append(x / y)
    return result


def _note(values, note):
    turns = ', '.join(f'{value:.2f}' for value in values)
    return '; '.join(filter(None, (note, f'turns: {turns}' if len(values) > 1 else '')))


def at_least(text, goal, values, unit='', note=''):
    middle = median(values)
    return Claim(text, f'≥ {goal}{unit}', middle, middle is not None and middle >= goal,
                 _note(values, note))


def at_most(text, goal, values, unit='', note=''):
    middle = median(values)
    return Claim(text, f'≤ {goal}{unit}', middle, middle is not None and middle <= goal,
                 _note(values, note))


def against(rows, text, goal, ours, theirs):
    """Packets per CPU-second by the core's busy time; by own time besides, for busy machines."""
    own = median(ratios(rows, ours, theirs, per_own_second))
    return at_least(f'packets per CPU-second at saturation, against {text}', goal,
                    ratios(rows, ours, theirs),
                    note=f'{own:.2f} by own processor time' if own else '')


def survival(rows, system):
    """Achieved at twice the best against the best, both by the interface's counter, turn by turn."""
    result = []
    tops = saturated(rows, system)
    for row in good(rows, system=system, client='all', phase='overload'):
        if row['turn'] in tops:
            top = max(r['interface_pps'] for r in tops[row['turn']])
            if top and row['sent_pps'] >= TWICE * top:
                result.append(row['interface_pps'] / top)
    return result


def round_trips(rows, ours, theirs):
    """Ratios of mean round trips at the rates that are 10 to 50 % of what both carry."""
    tops = [median([r['pps'] for turn in saturated(rows, s).values() for r in turn])
            for s in (ours, theirs)]
    if None in tops:
        return []
    result = []
    asked = {row['x'] for row in good(rows, system=theirs, client='all', phase='request')
             if 0.09 <= row['asked_pps'] / min(tops) <= 0.55}
    for x in sorted(asked):
        a, b = (median([r['rtt_mean'] for r in good(rows, system=s, client='all', phase='request',
                                                    x=x)]) for s in (ours, theirs))
        if a and b:
            result.append(a / b)
    return result


def e1(rows):
    claims = [against(rows, text, goal, 'sddf', system)
              for system, text, goal in (('linux', 'plain Linux at equal class', 1.5),
                                         ('linux-batch', 'batched Linux at equal class', 1.4),
                                         ('linux-normal', 'plain Linux in the default class', 1.75))]
    claims.append(at_least('at twice the saturating load, of its own best', LIVELOCK,
                           survival(rows, 'sddf')))
    second = median(ratios(rows, 'linux', 'linux-second'))
    claims.append(Claim('the plain Linux echo against another one, Perl\'s (ours is no weak one)',
                        '≥ 0.9', second, second is not None and second >= 0.9))
    return claims


def e2(rows):
    cost = [row['cpu'] * 1e6 / row['pps'] for row in
            good(rows, system='sddf', client='all', phase='saturation') if row['cpu'] and row['pps']]
    low = [row['cpu'] * 1e6 / row['pps'] for row in
           good(rows, system='sddf', client='all', phase='request', x=0.1)
           if row['cpu'] and row['pps']]
    value = median(cost) / median(low) if cost and low else None
    claims = [Claim('cost of a packet at saturation, against that at a tenth of it', '< 1', value,
                    value is not None and value < 1)]
    for row in good(rows, client='all', phase='idle counted'):
        apart = 100 * abs(row['cpu'] - row['cpu_counted'])
        claims.append(Claim(f'{row["title"]}: two accounts of the core\'s busy time differ by',
                            '≤ 10 %', apart, apart <= 10,
                            f'{row["cpu"]:.0%} by the kernel\'s account, '
                            f'{row["cpu_counted"]:.0%} by a loop that counts at idle priority'))
    return claims


def e3(rows):
    return [at_most('mean round trip against Linux at 10 to 50 % load', 1.4,
                    round_trips(rows, 'sddf', 'linux'), note='median over the loads'),
            at_most('the same, of a system whose core polls instead of sleeping (--awake)', 1.0,
                    round_trips(rows, 'sddf-awake', 'linux'), note='median over the loads'),
            at_most('the same, of both on a core that polls', 1.4,
                    round_trips(rows, 'sddf-awake', 'linux-awake'), note='median over the loads')]


def clients_of(rows):
    """The names of A and B: in the order of the description, which is that of the rows."""
    return list(dict.fromkeys(row['client'] for row in rows if row['client'] != 'all'))


def e4(rows):
    claims = []
    for system, title in dict((row['system'], row['title']) for row in rows).items():
        apart = []
        for phase in ('saturation', 'overload'):
            for turn, mine in by_turn(good(rows, system=system, phase=phase)).items():
                shares = [row['pps'] for row in mine if row['client'] != 'all']
                if len(shares) > 1 and phase == 'saturation':
                    apart.append(100 * (max(shares) - min(shares)) / max(max(shares), 1))
        claims.append(at_most(f'{title}: the shares differ at saturation by', 2, apart, ' %'))
    return claims


def requests(rows, client):
    return sorted((row for row in good(rows, phase='request', client=client) if row['asked_pps']),
                  key=lambda row: row['x'])


def unaffected(rows):
    """A: nothing lost and the rate kept, in every row."""
    names = clients_of(rows)
    mine = requests(rows, names[0]) if names else []
    if not mine:
        return [Claim('A: rate kept, and nothing lost', '≥ 0.97, 0', None, None)]
    kept = min(row['pps'] / row['asked_pps'] for row in mine)
    lost = sum(row['lost'] + row['late'] for row in mine)
    silent = sum(row['lost'] + row['late'] for row in mine if row['x'] == 0)
    return [Claim('A: the worst rate against what was asked', f'≥ {RATE_KEPT}', kept,
                  kept >= RATE_KEPT),
            Claim('A: lost and late, of all rows together', '0', lost, lost == 0,
                  f'of {sum(row["sent"] for row in mine):.0f}; {silent:.0f} of them while B was '
                  'silent')]


def plateau(rows):
    """What B gets at most, in Mb/s, and what it gets at the highest request."""
    names = clients_of(rows)
    mine = requests(rows, names[1]) if len(names) > 1 else []
    if not mine:
        return None, None
    last = max(row['asked_pps'] for row in mine)
    return (max(row['mbps'] for row in mine),
            median([row['mbps'] for row in mine if row['asked_pps'] >= 0.99 * last]))


def e5(rows):
    top, last = plateau(rows)
    asked = max([row['asked_mbps'] for row in rows if row['phase'] == 'request'
                 and row['client'] == (clients_of(rows) + [None, None])[1]], default=None)
    value = last / asked if top and asked else None
    return unaffected(rows) + [
        Claim('B: what it gets at the highest request, of that request (it levels off)', '< 0.9',
              value, value is not None and value < 0.9,
              f'{last:.0f} Mb/s of {asked:.0f}' if value else '')]


def e6(rows, e5_rows=()):
    top, _ = plateau(rows)
    other, _ = plateau(list(e5_rows))
    value = top / other if top and other else None
    return e5(rows) + [Claim('B: its best against that of E5 (lower)', '< 1', value,
                             value is not None and value < 1)]


def e7(rows):
    names = clients_of(rows)
    mine = [row for row in requests(rows, names[1]) if row['asked_mbps'] > 1.05 * LIMIT_MBPS] \
        if len(names) > 1 else []
    away = max((abs(row['mbps'] / LIMIT_MBPS - 1) for row in mine), default=None)
    return unaffected(rows) + [
        Claim('B: farthest from 100 Mb/s, of all requests above it', '≤ 3 %',
              None if away is None else 100 * away, away is not None and away <= FLAT)]


def shared_cost(row, pairs):
    """Microseconds a packet of driver and virtualisers."""
    return sum(value for name, value in pairs(row['parts']).items() if name.endswith(SHARED))


def light_generator(rows, pairs):
    """The clients' work is so large that the generator needs little; and how large that is."""
    mine = good(rows, client='all', phase='saturation')
    most = max((row['generator_cores'] for row in mine), default=None)
    work = median([sum(value for name, value in pairs(row['parts']).items()
                       if not name.startswith(('ethernet0', 'timer0', '('))) for row in mine])
    return Claim('what the generator needs of a core', '< 0.1', most,
                 most is not None and most < 0.1,
                 f'work of a packet, its client\'s own time: {work:.0f} µs' if work else '')


def e8(rows, pairs):
    claims = []
    for phase, text in (('saturation', 'saturated, as many on their way to each'),
                        ('request', 'equal load in all')):
        costs = {x: median([shared_cost(row, pairs) for row in
                            good(rows, client='all', phase=phase, x=x)]) for x in (1, 28)}
        value = costs[28] / costs[1] if costs[1] and costs[28] else None
        claims.append(Claim(f'driver and virtualisers per packet, 28 clients against 1: {text}',
                            '≤ 1.1', value, value is not None and value <= 1.1))
    return claims + [light_generator(rows, pairs)]


def e9(rows, pairs):
    sums = {row['x']: row['pps'] for row in good(rows, client='all', phase='saturation')}
    if len(sums) < 2:
        return [Claim('the sum of the most clients against one', '> 1', None, None),
                light_generator(rows, pairs)]
    value = sums[max(sums)] / max(sums[min(sums)], 1)
    return [Claim(f'the sum of {max(sums):.0f} clients against {min(sums):.0f}', '> 1', value,
                  value > 1), light_generator(rows, pairs)]


def e10(rows):
    sums = {row['x']: row['pps'] for row in good(rows, client='all', phase='request')}
    value = sums[max(sums)] / sums[min(sums)] if len(sums) > 1 and sums[min(sums)] else None
    return [Claim('throughput with the longest queue against the shortest', '≥ 1', value,
                  value is not None and value >= 1)]


def e11(rows):
    def cost(row):
        return row['cpu'] * 1e6 / row['pps'] if row['cpu'] and row['pps'] else None
    return [at_most('cost of a packet at saturation, 5 PDs against 2', 1.25,
                    ratios(rows, 'e11_5', 'e11_2', cost))]


def e12(rows):
    return [against(rows, 'a bare AF_XDP loop', 0.7, 'sddf', 'bare')]


def of(name, rows, all_rows, pairs):
    """The claims of one experiment."""
    if name == 'E6':
        return e6(rows, [row for row in all_rows if row['experiment'] == 'E5'])
    if name in ('E8', 'E9'):
        return {'E8': e8, 'E9': e9}[name](rows, pairs)
    return {'E1': e1, 'E2': e2, 'E3': e3, 'E4': e4, 'E5': e5, 'E7': e7, 'E10': e10,
            'E11': e11, 'E12': e12}[name](rows)
