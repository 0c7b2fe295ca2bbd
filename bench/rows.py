# SPDX-License-Identifier: BSD-2-Clause
"""The rows of `sddf bench`: one a measurement and client, and one for all clients together.

They go to rows.csv as they are measured; what the machine was stands above them in lines that begin
with "#". The report is made from that file and from nothing else.
"""

import csv
import io

FOREIGN = 0.15     # a core that was so much busier than the system's own parts had other work to do
FULL = 0.9         # a core with less time than that to spare was what held things up
DELIVERED = 0.99   # of what was asked, for "it followed"
FRAME_HEADERS = 42

TEXTS = ('experiment', 'system', 'title', 'description', 'scheduling', 'phase', 'client', 'payload',
         'mode', 'bottleneck', 'void', 'parts', 'batches', 'drops')
NUMBERS = ('turn', 'x', 'seconds', 'asked_pps', 'asked_mbps', 'sent_pps', 'sent', 'returned', 'lost',
           'late', 'wrong', 'unknown', 'doubled', 'reordered', 'checked', 'refused', 'pps', 'mbps',
           'interface_pps', 'rtt_mean', 'rtt_p50', 'rtt_p99', 'rtt_max', 'corrected_mean',
           'corrected_p99', 'lag_p99', 'generator_cores', 'cpu', 'cpu_own', 'cpu_counted', 'stolen',
           'threads_pinned')
COLUMNS = ('experiment', 'turn', 'system', 'title', 'description', 'scheduling', 'phase', 'client',
           'x', 'payload', 'mode') + tuple(c for c in NUMBERS if c not in ('turn', 'x')) + \
    ('bottleneck', 'void', 'parts', 'batches', 'drops')
COUNTS = ('sent', 'returned', 'lost', 'late', 'wrong', 'unknown', 'doubled', 'reordered', 'checked',
          'refused')
TIMES = ('mean', 'p50', 'p99', 'max')


# ---- from a measurement to rows -------------------------------------------------------------------


def _pairs(values):
    return ';'.join(f'{name}={value:.4g}' for name, value in values.items())


def pairs(text):
    """{name: value} out of a column that has several."""
    return {name: float(value) for name, _, value in
            (part.partition('=') for part in text.split(';') if part)}


def _drops(statistics):
    """Where packets were dropped or refused, and how many."""
    return {f'{pd}:{column}': count for pd, counts in statistics.items()
            for column, count in counts.items()
            if count and column.startswith(('drop_', 'refused_', 'device_errors'))}


def _parts(result):
    """Microseconds of processor time a packet, for every process and kernel thread."""
    packets = max(result['total']['returned'], 1)
    seconds = result['load']['seconds']
    return {name: share * seconds * 1e6 / packets for name, share in sorted(result['own'].items())}


def _batches(result):
    """Packets per wake-up of each protection domain."""
    return {pd: max(c['rx_packets'], c['tx_packets']) / max(c['wakeups'], 1)
            for pd, c in result['statistics'].items() if c['rx_packets'] or c['tx_packets']}


def _bottleneck(result, followed):
    """What held the system up, as far as the counters tell."""
    if result['generator_cores'] >= FULL:
        return "the generator's core"
    if result['cpu'] >= FULL and result['cpu'] - result['cpu_own'] > FOREIGN:
        return "the system's core, which others used too"
    if result['cpu'] >= FULL:
        return "the system's core"
    if followed:
        return 'none: it followed'
    drops = _drops(result['statistics'])
    if drops:
        most = max(drops, key=drops.get)
        return f'a queue: {most.replace(":", " counted ")}'
    return 'the window' if result['load']['mode'] == 'closed' else 'the policy, or a queue\'s size'


def _void(result, flood, lag_limit):
    load, total = result['load'], result['total']
    if total['wrong'] or total['unknown']:
        return f'{total["wrong"] + total["unknown"]} replies with wrong content'
    if load['mode'] != 'open':
        return ''
    asked = sum(target['rate_asked'] for target in load['targets'])
    offered = total['sent'] / load['seconds']
    if offered < 0.98 * asked - 2 / load['seconds']:
        return f'generator fell behind: {offered:.0f} of {asked:.0f}/s'
    if load['lag_p99'] > lag_limit and not flood:
        return f'generator fell behind: lag p99 {load["lag_p99"] / 1e3:.1f} ms'
    return ''


def make(result, about, names, lag_limit):
    """The rows of one measurement: `about` has what the experiment knows, `names` the targets'."""
    load, total = result['load'], result['total']
    flood = about.pop('flood', False)
    asked = sum(target['rate_asked'] for target in load['targets'])
    followed = load['mode'] == 'open' and total['packets_per_second'] >= DELIVERED * asked
    common = {'system': result['system'], 'title': result['title'], 'phase': result['phase'],
              'scheduling': result['scheduling'], 'mode': load['mode'] + ', flood' * flood,
              'seconds': load['seconds'], 'generator_cores': result['generator_cores'],
              'cpu': result['cpu'], 'cpu_own': result['cpu_own'],
              'cpu_counted': result.get('cpu_counted'), 'stolen': result['stolen'],
              'interface_pps': result['interface_rate'], 'lag_p99': load['lag_p99'],
              'threads_pinned': int(result['threads_pinned']),
              'bottleneck': _bottleneck(result, followed),
              'void': _void(result, flood, lag_limit)} | about
    rows = []
    for name, target in zip(names, load['targets']):
        rows.append(common | {'client': name} | _counts(target, load))
    everyone = common | {'client': 'all', 'parts': _pairs(_parts(result)),
                         'batches': _pairs(_batches(result)),
                         'drops': _pairs(_drops(result['statistics']))} | _sum(rows)
    return rows + [everyone]


def _counts(target, load):
    frame = (load['size'] + FRAME_HEADERS) * 8 / 1e6
    row = {count: target[count] for count in COUNTS}
    row |= {'asked_pps': target['rate_asked'], 'asked_mbps': target['rate_asked'] * frame,
            'sent_pps': target['sent'] / load['seconds'],
            'pps': target['packets_per_second'], 'mbps': target['megabits_per_second'],
            'lag_p99': target['lag']['p99'],
            'corrected_mean': target['corrected']['mean'],
            'corrected_p99': target['corrected']['p99']}
    return row | {f'rtt_{time}': target['round_trip'][time] for time in TIMES}


def _sum(rows):
    """Of all clients. Times are weighted by what returned; a sum's p99 is the worst client's."""
    total = {count: sum(row[count] for row in rows) for count in COUNTS +
             ('asked_pps', 'asked_mbps', 'sent_pps', 'pps', 'mbps')}
    weight = max(total['returned'], 1)
    for column in ('rtt_mean', 'rtt_p50', 'corrected_mean'):
        total[column] = sum(row[column] * row['returned'] for row in rows) / weight
    for column in ('rtt_p99', 'rtt_max', 'corrected_p99', 'lag_p99'):
        total[column] = max(row[column] for row in rows)
    return total


def impossible(about, title, why):
    """A row that was not measured, and says why."""
    return {'title': title, 'client': 'all', 'void': why} | about


# ---- the file -------------------------------------------------------------------------------------


def _text(value):
    return '' if value is None else f'{value:.6g}' if isinstance(value, float) else str(value)


def csv_head(about):
    """The lines above the rows."""
    lines = [f'# {key}: {value}\n' for key, value in about.items()]
    return ''.join(lines) + ','.join(COLUMNS) + '\n'


def csv_lines(rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    for row in rows:
        writer.writerow([_text(row.get(column, '')) for column in COLUMNS])
    return out.getvalue()


def read(path):
    """(what the machine was, rows) of a rows.csv. ValueError says what is wrong with it."""
    about, lines = {}, []
    with open(path, encoding='utf-8') as file:
        for line in file:
            if line.startswith('# ') and not lines:
                key, _, value = line[2:].rstrip('\n').partition(': ')
                about[key] = value
            else:
                lines.append(line)
    reader = csv.DictReader(lines)
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ValueError(f'{path} is no rows.csv of sddf bench: its columns are others')
    rows = []
    for number, row in enumerate(reader, 1):
        if None in row or None in row.values():
            raise ValueError(f'{path}: row {number} is not whole')
        try:
            rows.append({column: (float(text) if text else None) if column in NUMBERS else text
                         for column, text in row.items()})
            for column in ('parts', 'batches'):
                pairs(row[column])
        except ValueError as bad:
            raise ValueError(f'{path}: row {number}: {bad}') from bad
        if not row['turn']:
            raise ValueError(f'{path}: row {number} has no turn')
    return about, rows
