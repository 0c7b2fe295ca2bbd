# SPDX-License-Identifier: BSD-2-Clause
"""The figures of `sddf bench`: series of points out of the rows, and SVG of them by gnuplot."""

import re
import subprocess

import published
import rows as table
import verdicts
from verdicts import good, rate

COLOURS = ('#1a5fb4', '#c64600', '#26a269', '#813d9c', '#865e3c', '#e5a50a', '#5e5c64', '#a51d2d')
TERMINAL = 'set terminal svg size {},340 dynamic enhanced font "sans-serif,12" background "#ffffff"'


class Figure:
    """`series`: {title: [(x, y), ...]}. With `bars`, x are names."""

    def __init__(self, title, x, y, series, bars=False, log=False, x_log=False):
        self.title, self.x, self.y, self.series = title, x, y, series
        self.bars, self.log, self.x_log = bars, log, x_log

    def empty(self):
        return not any(self.series.values())

    def svg(self, mark, wide=True):
        return draw(self, mark, 620 if wide else 420)


def _escape(text):
    """Names are not to be taken for gnuplot's mark-up."""
    return re.sub(r'([_^@{}~&\\])', r'\\\\\1', text).replace('"', "'")


def draw(figure, mark, width):
    """An <svg> element. `mark` makes its ids its own among others' in one page."""
    series = {title: points for title, points in figure.series.items() if points}
    lines = [TERMINAL.format(width), f'set title "{_escape(figure.title)}"', 'set grid',
             f'set xlabel "{_escape(figure.x)}"', f'set ylabel "{_escape(figure.y)}"',
             'set key outside bottom center horizontal', 'set border 3', 'set tics nomirror',
             'set logscale y' if figure.log else 'set yrange [0:*]',
             'set logscale x 2' if figure.x_log else '']
    plots = []
    for number, (title, points) in enumerate(series.items()):
        lines.append(f'$data{number} << END')
        lines += [f'"{_escape(str(x))}" {y:.6g}' if figure.bars else f'{x:.6g} {y:.6g}'
                  for x, y in points]
        lines.append('END')
        colour = COLOURS[number % len(COLOURS)]
        if figure.bars:
            plots.append(f'$data{number} using 2:xtic(1) with boxes fill solid 0.7 lc rgb "{colour}"'
                         f' title "{_escape(title)}"')
        else:
            plots.append(f'$data{number} using 1:2 with linespoints lw 2 pt {number % 7 + 4} ps 0.7 '
                         f'lc rgb "{colour}" title "{_escape(title)}"')
    if figure.bars:
        lines += ['set style data histogram', 'set boxwidth 0.6', 'set xtics rotate by -20',
                  'unset key' if len(series) < 2 else '']
    lines.append('plot ' + ', '.join(plots))
    done = subprocess.run(['gnuplot'], input='\n'.join(lines) + '\n', capture_output=True,
                          text=True, check=False)
    if done.returncode != 0 or '<svg' not in done.stdout:
        raise OSError(f'gnuplot: {done.stderr.strip()[-500:]}')
    svg = done.stdout[done.stdout.index('<svg'):]
    # gnuplot calls its parts the same in every figure.
    return re.sub(r"(\bid=['\"]|xlink:href=['\"]#|url\(#)", rf'\g<1>{mark}_', svg)


# ---- series ---------------------------------------------------------------------------------------


def _titles(rows):
    return dict.fromkeys(row['title'] for row in rows)


def _medians(rows, x, y):
    """One point for each x: the median of the turns."""
    at = {}
    for row in rows:
        value, place = y(row), x(row)
        if value is not None and place is not None:
            at.setdefault(place, []).append(value)
    return [(place, verdicts.median(values)) for place, values in sorted(at.items())]


def _asked(row):
    """Requested Mb/s. Turns of one request differ by rounding only."""
    return float(f'{row["asked_mbps"]:.4g}') if row['asked_mbps'] else None


def _requests(rows, y, **want):
    return {title: _medians(good(rows, title=title, phase='request', **want), _asked, y)
            for title in _titles(rows)}


def _mbps(row):
    return row['mbps'] * rate(row) / row['pps'] if row['pps'] else 0.0


def _us(row):
    return row['cpu'] * 1e6 / row['pps'] if row['cpu'] and row['pps'] else None


def _limited(rows):
    """A's and B's rates over what was asked for B."""
    names = verdicts.clients_of(rows)
    asked = {(row['turn'], row['x']): _asked(row) for row in rows
             if row['phase'] == 'request' and names[1:] and row['client'] == names[1]}
    return {label: _medians(good(rows, phase='request', client=name),
                            lambda row: asked.get((row['turn'], row['x']), 0.0),
                            lambda row: row['mbps'])
            for label, name in zip((f'A ({names[0]})', f'B ({names[-1]})'), names)} if names else {}


def _bars(rows, y):
    return [(title, verdicts.median(map(y, good(rows, title=title, client='all',
                                                phase='saturation'))) or 0.0)
            for title in _titles(rows)]


def _by_x(rows, phase, y):
    return _medians(good(rows, client='all', phase=phase), lambda row: row['x'], y)


def of(name, rows):
    """(measured figures, published ones) of an experiment."""
    asked, achieved = 'requested Mb/s', 'achieved Mb/s'
    shown = 'published'
    if name == 'E1':
        return ([Figure('Achieved', asked, achieved, _requests(rows, _mbps, client='all'))],
                [Figure(shown, asked, achieved, published.achieved())])
    if name == 'E2':
        return ([Figure("Use of the system's core", asked, 'part of the core',
                        _requests(rows, lambda row: row['cpu'], client='all')),
                 Figure('Cost of a packet', asked, 'µs of the core',
                        _requests(rows, _us, client='all'))],
                [Figure(shown, asked, 'part of the core', published.cpu()),
                 Figure(shown, asked, '1000 cycles a packet', published.cost())])
    if name == 'E3':
        return ([Figure('Mean round trip', asked, 'µs',
                        _requests(rows, lambda row: row['rtt_mean'], client='all', mode='open'),
                        log=True),
                 Figure('99th percentile', asked, 'µs',
                        _requests(rows, lambda row: row['rtt_p99'], client='all', mode='open'),
                        log=True)],
                [Figure(shown, asked, 'µs', published.round_trip(), log=True)])
    if name == 'E4':
        return [Figure(f'Two clients: {title}', asked + ' of each', achieved,
                       {client: _medians(good(rows, title=title, phase='request', client=client),
                                         _asked, _mbps) for client in verdicts.clients_of(rows)})
                for title in _titles(rows)], []
    if name in ('E5', 'E6', 'E7'):
        return [Figure('Both clients', 'requested Mb/s of B', achieved, _limited(rows))], []
    if name == 'E8':
        return [Figure('Driver and virtualisers, a packet', 'clients', 'µs', {
            'equal load': _by_x(rows, 'request', lambda r: verdicts.shared_cost(r, table.pairs)),
            'saturated': _by_x(rows, 'saturation', lambda r: verdicts.shared_cost(r, table.pairs)),
        }), Figure('Sum of all clients', 'clients', achieved, {
            'saturated': _by_x(rows, 'saturation', lambda row: row['mbps'])})], []
    if name == 'E9':
        return [Figure('Sum of all clients', 'clients', achieved, {
            'saturated': _by_x(rows, 'saturation', lambda row: row['mbps'])})], []
    if name == 'E10':
        return [Figure('Throughput', 'transmit queue, entries', achieved,
                       {'achieved': _by_x(rows, 'request', lambda row: row['mbps'])},
                       x_log=True)], []
    if name == 'E11':
        phases = dict.fromkeys(row['phase'] for row in rows)
        return ([Figure('Cost of a packet', 'protection domains', 'µs of the core',
                        {phase: _by_x(rows, phase, _us) for phase in phases})],
                [Figure(shown, 'protection domains', '1000 cycles a packet',
                        published.isolation())])
    return [Figure('Packets per second of the core, at saturation', '', '1000 packets/CPU-s',
                   {'': _bars(rows, lambda r: (verdicts.per_cpu_second(r) or 0) / 1e3)},
                   bars=True)], []
