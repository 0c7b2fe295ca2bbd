# SPDX-License-Identifier: BSD-2-Clause
"""The table of `make run`, and what follows from its rows."""

import statistics

from run_measure import FRAME

FOREIGN = 0.15   # a core that was so much busier than the system's own parts had other work to do
LIVELOCK = 0.95  # achieved at twice the saturating load, as a part of the best
TWICE = 1.8      # an overload of less than so many times the best is none
BUSY = 0.9       # a core with more time to spare than that was not saturated


def best(rows):
    """The saturated row with the highest rate."""
    return max(rows, key=lambda row: row['total']['packets_per_second'])


def saturated(rows, key, turn=None):
    """The rows that count: not those whose load the generator could not offer. (The one in closed
    loop always counts: there the system sets the pace.)"""
    return [row for row in rows if row['system'] == key and row['phase'].startswith('saturation')
            and turn in (None, row['turn'])
            and not (row['load']['mode'] == 'open' and row['load']['fell_behind'])]


def ratios(rows, key, reference, cost='per_cpu_second'):
    """Packets per CPU-second of `key` against `reference`, turn by turn."""
    result = []
    for turn in sorted({row['turn'] for row in rows}):
        ours, theirs = saturated(rows, key, turn), saturated(rows, reference, turn)
        if ours and theirs:
            result.append(best(ours)[cost] / best(theirs)[cost])
    return result


def survival(rows, key, cost=None):
    """Achieved at twice the saturating load against the best, both by the interface's own counter:
    turn by turn, without those in which the generator did not offer as much. With cost='cpu_own'
    per processor time that the system was given, where others took some of it."""
    result = []
    for row in rows:
        if row['system'] != key or not row['phase'].startswith('overload'):
            continue
        top = max(saturated(rows, key, row['turn']), key=lambda r: r['interface_rate'])
        if row['total']['sent'] / row['load']['seconds'] >= TWICE * top['interface_rate']:
            kept = row['interface_rate'] / top['interface_rate']
            result.append(kept * top[cost] / row[cost] if cost else kept)
    return result


COLUMNS = (f'{"":<24}{"sent":>9}{"returned":>9}{"lost":>8}{"late":>5}{"wrong":>6}{"dbl":>4}'
           f'{"packets/s":>10}{"Mb/s":>7}  {"RTT mean":>8}{"p50":>8}{"p99":>8}{"max":>8} us'
           f'{"lag p99":>9}{"CPU":>6}{"own":>6}')


def _counts(name, part, tail):
    rtt = part.get('round_trip')
    times = ''.join(f'{rtt[k]:>8.0f}' for k in ('mean', 'p50', 'p99', 'max')) if rtt else ' ' * 32
    return (f'{name:<24}{part["sent"]:>9}{part["returned"]:>9}{part["lost"]:>8}{part["late"]:>5}'
            f'{part["wrong"] + part["unknown"]:>6}{part["doubled"]:>4}'
            f'{part["packets_per_second"]:>10.0f}{part["megabits_per_second"]:>7.0f}  {times}   {tail}')


def foreign(row):
    """What the core did beyond the system's own processes and kernel threads."""
    if row['unattributable'] or 'cpu_counted' in row:
        return 0.0
    return max(0.0, row['cpu'] - row['cpu_own'])


def _row(row, names):
    lines = []
    load = row['load']
    marks = ''.join([' generator fell behind' * load['fell_behind'],
                     f' ({row["stolen"]:.0%} stolen)' * (row['stolen'] > 0.05),
                     f' ({foreign(row):.0%} of the core went elsewhere)'
                     * (foreign(row) > FOREIGN),
                     ' (not saturated: the generator or its window set the pace)'
                     * (row['phase'].startswith('saturation') and row['cpu'] < BUSY
                        and not row['unattributable'])])
    asked = f'{load["rate_asked"] * len(load["targets"]):,.0f}/s' if load['mode'] == 'open' else \
        f'window {load["window"]}'
    lines.append(f'  turn {row["turn"]}, {row["phase"]} ({asked}){marks}')
    for name, target in zip(names, load['targets'] if row['turn'] == 1 else ()):
        tail = f'{target["lag"]["p99"]:>9.0f}'
        lines.append(_counts(f'    {name} {target["name"]}', target, tail))
    cpu = f'{"-":>6}{"-":>6}' if row['unattributable'] else \
        f'{row.get("cpu_counted", row["cpu"]):>6.0%}{row["cpu_own"]:>6.0%}'
    lines.append(_counts('    both', row['total'], f'{"":>9}{cpu}'))
    return lines


def _per_pd(row):
    packets = max(row['total']['returned'], 1)
    lines = [f'  each part while saturated (turn {row["turn"]}, {row["phase"]}):',
             f'    {"":<24}{"CPU":>7}{"us/packet":>11}{"bytes copied/packet: rx":>25}'
             f'{"tx":>8}{"packets/wake-up":>17}']
    for name, share in sorted(row['own'].items()):
        counts = row['statistics'].get(name) or row['statistics'].get(f'ethernet0_{name}')
        tail = ''
        if counts:
            passed = max(counts['rx_packets'], counts['tx_packets'], 1)
            tail = (f'{counts["copied_bytes"] / passed:>25.1f}'
                    f'{counts.get("tx_copied_bytes", 0) / passed:>8.1f}'
                    f'{passed / max(counts["wakeups"], 1):>17.1f}')
        lines.append(f'    {name:<24}{share:>7.1%}'
                     f'{share * row["load"]["seconds"] * 1e6 / packets:>11.2f}{tail}')
    lines.append(f'    {"the core besides":<24}{foreign(row):>7.1%}   (interrupts, and whatever '
                 f'else this machine does; a frame has {FRAME} bytes)')
    return lines


def table(rows, systems, names, setup):
    lines = ['', *setup, '']
    for system in systems:
        mine = [row for row in rows if row['system'] == system.key]
        if not mine:
            continue
        lines += [f'{system.title}: {system.how}', COLUMNS]
        for row in mine:
            lines += _row(row, names)
        top = best(saturated(rows, system.key))
        if top['statistics']:
            lines += _per_pd(top)
        lines.append('')
    return lines + summary(rows, systems)


def _turns(values):
    return 'turns: ' + ', '.join(f'{value:.2f}' for value in values)


def summary(rows, systems):
    lines = [f'{"":<44}{"by the core, less idle":>30}{"by own time":>24}',
             f'{"at saturation, both clients":<34}{"packets/s":>10}{"CPU":>6}{"packets/CPU-s":>15}'
             f'{"ratio":>9}{"packets/CPU-s":>15}{"ratio":>9}   {"at twice the load":>17}']
    for system in systems:
        mine = saturated(rows, system.key)
        if not mine:
            continue
        top = best(mine)
        kept = survival(rows, system.key)
        kept = f'{statistics.median(kept):>17.2f}' if kept else ''
        cost = ''
        for kind in ('per_cpu_second', 'per_own_second'):
            if top['unattributable']:
                cost += f'{"-":>15}{"-":>9}'
                continue
            against = ratios(rows, 'sddf', system.key, kind) if system.key != 'sddf' else []
            ratio = f'{statistics.median(against):.2f}' if against else ''
            each = [best(saturated(rows, system.key, turn))[kind]
                    for turn in sorted({row['turn'] for row in mine})]
            cost += f'{statistics.median(each):>15,.0f}{ratio:>9}'
        cost = (f'{"-":>6}' if top['unattributable'] else f'{top["cpu"]:>6.0%}') + cost
        lines.append(f'{system.title:<34}{top["total"]["packets_per_second"]:>10,.0f}{cost}'
                     f'   {kept}')
    for row in rows:
        if 'cpu_counted' in row:
            plain = [r['cpu'] for r in rows if r['system'] == row['system']
                     and r['phase'] == 'moderate']
            lines.append(f'{row["title"]} at {row["total"]["packets_per_second"]:,.0f}/s: busy by '
                         f'the kernel\'s idle time {statistics.median(plain):.0%}, by a counting '
                         f'loop at idle priority {row["cpu_counted"]:.0%}')
    equal = next((s for s in systems if s.key.startswith('linux') and s.equal), None)
    against = ratios(rows, 'sddf', equal.key) if equal else []
    if against:
        own = ratios(rows, 'sddf', equal.key, 'per_own_second')
        lines += ['', f'ratio: sDDF does {statistics.median(against):.2f} times the packets per '
                  f'CPU-second of {equal.title} (the equal class) by the core\'s busy time ('
                  + _turns(against) + f'), {statistics.median(own):.2f} times by own time ('
                  + _turns(own) + ')']
        crowd = [foreign(row) for key in ('sddf', equal.key) for row in saturated(rows, key)]
        if statistics.median(crowd) > FOREIGN:
            lines.append('others use this core now: own time is the better account')
    kept = survival(rows, 'sddf')
    if kept:
        middle = statistics.median(kept)
        own = survival(rows, 'sddf', 'cpu_own')
        lines.append(f'sDDF at twice the saturating load: {middle:.2f} of its best '
                     f'({_turns(kept)}), {"" if middle >= LIVELOCK else "NOT "}the {LIVELOCK} and '
                     'more of a system without receive livelock; '
                     f'{statistics.median(own):.2f} for the processor time it was given '
                     f'({_turns(own)})')
    elif any(row['system'] == 'sddf' for row in rows):
        lines.append('sDDF at twice the saturating load: no result, the generator could not offer '
                     'that much')
    return lines


def wrong(rows):
    """What no run may show, as sentences."""
    return [f'{row["title"]}, turn {row["turn"]}, {row["phase"]}: {row["total"]["wrong"]} replies '
            f'with wrong content, {row["total"]["unknown"]} to what was never sent'
            for row in rows if row['total']['wrong'] + row['total']['unknown']]
