# SPDX-License-Identifier: BSD-2-Clause
"""Makes the report of `sddf bench` from its rows.csv and from nothing else: one page that needs no
other file. The same rows make the same page, byte for byte."""

import html
import os

import experiments
import figures
import rows as table
import verdicts

STYLE = '''
body { font: 15px/1.5 sans-serif; color: #222; max-width: 1120px; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.6em } h2 { margin-top: 2.5em; border-bottom: 2px solid #1a5fb4 }
table { border-collapse: collapse; margin: .8em 0; font-size: .87em }
th, td { padding: .2em .6em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }
th { background: #f3f3f3 } td.t, th.t { text-align: left } td.w { white-space: normal }
.row { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start }
.row > figure { margin: 0 } .row svg { max-width: 100%; height: auto }
.void { background: #fbe3e4; color: #8a1f11 } .yes { color: #1b7340; font-weight: bold }
.no { color: #a51d2d; font-weight: bold } .none { color: #777 }
.shape { background: #f6f5f4; padding: .5em 1em; border-left: 4px solid #9a9996 }
nav a { margin-right: .8em } details { margin: .6em 0 } dt { font-weight: bold } dd { margin-left: 1em }
'''

# (heading, column or function, how to write it)
SHOWN = (
    ('system', 'title', 't'), ('turn', 'turn', '.0f'), ('load', 'phase', 't'),
    ('client', 'client', 't'), ('payload', 'payload', 't'), ('x', 'x', '.3g'),
    ('asked Mb/s', 'asked_mbps', '.1f'),
    ('Mb/s', 'mbps', '.1f'), ('packets/s', 'pps', '.0f'), ('interface/s', 'interface_pps', '.0f'),
    ('sent', 'sent', '.0f'), ('lost', 'lost', '.0f'), ('late', 'late', '.0f'),
    ('dbl', 'doubled', '.0f'), ('reord', 'reordered', '.0f'), ('wrong', None, '.0f'),
    ('RTT mean', 'rtt_mean', '.1f'), ('p50', 'rtt_p50', '.1f'), ('p99', 'rtt_p99', '.1f'),
    ('max', 'rtt_max', '.0f'), ('corrected mean', 'corrected_mean', '.1f'),
    ('lag p99', 'lag_p99', '.1f'), ('CPU', 'cpu', '.0%'), ('own', 'cpu_own', '.0%'),
    ('counted', 'cpu_counted', '.0%'),
    ('generator', 'generator_cores', '.0%'), ('stolen', 'stolen', '.0%'),
    ('bottleneck', 'bottleneck', 't'), ('void', 'void', 't'))


def escape(value):
    return html.escape(str(value))


def number(value, how):
    if value is None or value == '':
        return ''
    return format(value, how)


def cells(row):
    out = []
    for _, column, how in SHOWN:
        value = row[column] if column else \
            (None if row['wrong'] is None else row['wrong'] + row['unknown'])
        out.append(f'<td class="t">{escape(value)}</td>' if how == 't'
                   else f'<td>{number(value, how)}</td>')
    return ''.join(out)


def raw_table(rows):
    head = ''.join(f'<th class="t">{h}</th>' if how == 't' else f'<th>{h}</th>'
                   for h, _, how in SHOWN)
    body = '\n'.join(f'<tr class="void">{cells(row)}</tr>' if row['void'] else
                     f'<tr>{cells(row)}</tr>' for row in rows)
    return (f'<details><summary>All {len(rows)} rows (times in µs)</summary>'
            f'<table><tr>{head}</tr>\n{body}</table></details>')


def claims_table(claims):
    mark = {True: 'yes', False: 'no', None: 'none'}
    lines = []
    for claim in claims:
        value = '' if claim.measured is None else f'{claim.measured:.3g}'
        lines.append(f'<tr><td class="t">{escape(claim.text)}</td><td class="t">'
                     f'{escape(claim.goal)}</td><td>{value}</td><td class="t {mark[claim.holds]}">'
                     f'{claim.verdict()}</td><td class="t w">{escape(claim.note)}</td></tr>')
    return ('<table><tr><th class="t">claim</th><th class="t">goal</th><th>measured</th>'
            '<th class="t">verdict</th><th></th></tr>\n' + '\n'.join(lines) + '</table>')


def voids(rows):
    bad = [row for row in rows if row['void'] and row['client'] == 'all']
    if not bad:
        return ''
    lines = ''.join(f'<li>{escape(row["title"])}, {escape(row["phase"])}, x = '
                    f'{number(row["x"], ".3g") or "none"}, turn {row["turn"]:.0f}: '
                    f'{escape(row["void"])}</li>' for row in bad)
    return (f'<details open class="void"><summary>{len(bad)} measurements do not count</summary>'
            f'<ul>{lines}</ul></details>')


def parts_table(rows):
    """Microseconds a packet, for each part of each system, at saturation."""
    out = []
    for title in dict.fromkeys(row['title'] for row in rows):
        mine = verdicts.good(rows, title=title, client='all', phase='saturation', payload='1472')
        if not mine or not mine[-1]['parts']:
            continue
        row = mine[-1]
        batches = table.pairs(row['batches'])
        parts = table.pairs(row['parts'])
        lines = ''.join(
            f'<tr><td class="t">{escape(name)}</td><td>{value:.2f}</td><td>'
            f'{number(batches.get(name, batches.get("ethernet0_" + name)), ".1f")}</td></tr>'
            for name, value in parts.items())
        besides = '' if row['cpu'] is None else \
            f'<tr><td class="t">the core besides (interrupts, others)</td><td>' \
            f'{max(0, row["cpu"] - row["cpu_own"]) * 1e6 / max(row["pps"], 1):.2f}</td><td></td></tr>'
        drops = f'<p>Dropped or refused: {escape(row["drops"])}</p>' if row['drops'] else ''
        out.append(f'<details><summary>{escape(title)}: what each part costs at saturation'
                   f'</summary><table><tr><th class="t">part</th><th>µs a packet</th>'
                   f'<th>packets a wake-up</th></tr>{lines}{besides}</table>{drops}</details>')
    return ''.join(out)


def bottlenecks(rows):
    """What held each system up when it was saturated."""
    seen = {}
    for row in verdicts.good(rows, client='all'):
        if row['phase'] in ('saturation', 'overload', 'B alone'):
            seen.setdefault((row['title'], row['phase']), row['bottleneck'])
    if not seen:
        return ''
    lines = ''.join(f'<li>{escape(title)}, {escape(phase)}: {escape(what)}</li>'
                    for (title, phase), what in seen.items())
    return f'<details><summary>What was the bottleneck</summary><ul>{lines}</ul></details>'


def figures_of(name, rows):
    measured, published = figures.of(name, rows)
    drawn = [f'<figure>{figure.svg(f"{name}m{i}")}</figure>'
             for i, figure in enumerate(measured) if not figure.empty()]
    drawn += [f'<figure>{figure.svg(f"{name}p{i}", wide=False)}</figure>'
              for i, figure in enumerate(published)]
    return f'<div class="row">{"".join(drawn)}</div>'


def descriptions(rows):
    named = dict.fromkeys(row['description'] for row in rows if row['description'])
    return f'<p>Systems: {", ".join(f"<code>{escape(n)}</code>" for n in named)}</p>' \
        if named else ''


def section(experiment, rows, all_rows):
    parts = [f'<h2 id="{experiment.name}">{experiment.name}: {escape(experiment.title)}</h2>',
             f'<p>{escape(experiment.question)}</p>',
             f'<p class="shape">Published: {escape(experiment.shape)}</p>']
    if not rows:
        return ''.join(parts) + '<p class="void">There are no rows of it.</p>'
    claims = verdicts.of(experiment.name, rows, all_rows, table.pairs)
    parts += [claims_table(claims), voids(rows), figures_of(experiment.name, rows)]
    if experiment.name != experiment.rows_of:
        return '\n'.join(parts) + f'<p>The rows are those of {experiment.rows_of}.</p>'
    return '\n'.join(parts + [descriptions(rows), bottlenecks(rows), parts_table(rows),
                              raw_table(rows)])


def generator_section(rows):
    if not rows:
        return ''
    tops = [row for row in rows if row['client'] == 'all']
    lines = ''.join(
        f'<tr><td class="t">{escape(row["phase"])}</td><td>{number(row["sent_pps"], ".0f")}</td>'
        f'<td>{number(row["pps"], ".0f")}</td><td>{number(row["generator_cores"], ".0%")}</td><td>'
        f'{number(row["generator_cores"] * 1e6 / max(row["sent_pps"], 1), ".2f")}</td><td>'
        f'{number(row["lag_p99"], ".1f")}</td><td class="t">{escape(row["void"])}</td></tr>'
        for row in tops if row['sent_pps'] is not None)
    return ('<h2 id="generator">The load generator\'s own cost</h2><p>Against an echo that turns '
            'datagrams round where they arrive (an XDP program). The kernel\'s thread that takes '
            'its replies in comes on top, on the same core.</p><table><tr><th class="t">load</th>'
            '<th>sent/s</th><th>returned/s</th><th>of a core</th><th>µs a datagram</th>'
            f'<th>lag p99 µs</th><th class="t">void</th></tr>{lines}</table>')


def head(about):
    facts = ''.join(f'<dt>{escape(key)}</dt><dd>{escape(value)}</dd>'
                    for key, value in about.items())
    return ('<p>Absolute figures belong to the machine that made them; what carries over is the '
            'shape, and the ratio between systems that took turns in this run. Rows that do not '
            f'count are marked and enter no figure and no claim.</p><dl>{facts}</dl>')


def chosen(about, all_rows):
    """The experiments that the page is to show, in their order."""
    names = set(about.get('experiments', '').split()) | {row['experiment'] for row in all_rows}
    return [e for e in experiments.ALL if e.name in names]


def summary(shown, all_rows):
    lines = []
    for experiment in shown:
        mine = [row for row in all_rows if row['experiment'] == experiment.rows_of]
        claims = verdicts.of(experiment.name, mine, all_rows, table.pairs) if mine else []
        counts = {v: sum(claim.holds is v for claim in claims) for v in (True, False, None)}
        lines.append(f'<tr><td class="t"><a href="#{experiment.name}">{experiment.name}</a></td>'
                     f'<td class="t">{escape(experiment.title)}</td><td class="yes">{counts[True]}'
                     f'</td><td class="no">{counts[False]}</td><td class="none">{counts[None]}</td>'
                     '</tr>')
    return ('<table><tr><th class="t"></th><th class="t">experiment</th><th>claims hold</th>'
            '<th>do not</th><th>no result</th></tr>' + ''.join(lines) + '</table>')


def page(about, all_rows):
    shown = chosen(about, all_rows)
    links = ''.join(f'<a href="#{e.name}">{e.name}</a>' for e in shown)
    body = [f'<h1>sDDF: the experiments</h1><nav>{links}</nav>', head(about),
            summary(shown, all_rows)]
    for experiment in shown:
        mine = [row for row in all_rows if row['experiment'] == experiment.rows_of]
        body.append(section(experiment, mine, all_rows))
    body.append(generator_section([r for r in all_rows if r['experiment'] == 'generator']))
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>sDDF bench</title>'
            f'<style>{STYLE}</style></head>\n<body>\n' + '\n'.join(body) + '\n</body></html>\n')


def make(source, folder):
    """Writes index.html. Returns what no run may show, as sentences."""
    about, all_rows = table.read(source)
    text = page(about, all_rows)
    path = os.path.join(folder, 'index.html')
    with open(path + '.new', 'w', encoding='utf-8') as file:
        file.write(text)
    os.replace(path + '.new', path)
    return [f'{row["title"]}, {row["phase"]}, turn {row["turn"]:.0f}: {row["void"]}'
            for row in all_rows if 'wrong content' in row['void'] and row['client'] == 'all']
