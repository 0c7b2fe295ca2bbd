#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""Counts the instructions that components take for a packet, each by itself: the same number every
time, on any machine. A batch costs what waking costs, and then so much for every packet in it.

Valgrind counts (Debian's package of that name). What is not in the count: the kernel, and what
notifications cost; docs/performance.md says what to make of it.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARTS = ('virt_rx', 'copy', 'client', 'virt_tx')
SHARED = ('virt_rx', 'virt_tx')
BATCH = 8
CLIENTS = (1, 2, 4, 8, 16, 28, 60)  # the last is what 62 channels have room for
ROUNDS = (60, 120)  # The difference is rid of what the first rounds cost once.


def collected(program, batch, rounds, clients):
    """Instructions of all wake-ups of so many rounds."""
    done = subprocess.run(['valgrind', '--tool=callgrind', '--callgrind-out-file=/dev/null',
                           '--toggle-collect=part_wake', program, str(batch), str(rounds), str(clients)],
                          capture_output=True, text=True, check=False)
    found = re.search(r'Collected : (\d+)', done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f'parts: {program}: {done.stderr.strip()[-500:]}')
    return int(found.group(1))


def per_wake_up(program, batch, clients=1):
    few, many = (collected(program, batch, rounds, clients) for rounds in ROUNDS)
    return (many - few) / (ROUNDS[1] - ROUNDS[0])


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'))
    option = parser.parse_args()
    if shutil.which('valgrind') is None:
        sys.exit('parts: valgrind is not installed; it is Debian\'s package of that name')
    batches = (1, 8, 32)
    print(f'{"instructions":<12}' + ''.join(f'{f"batch of {b}":>14}' for b in batches)
          + f'{"a packet":>12}{"a wake-up":>12}')
    totals = [0.0] * (len(batches) + 2)
    for part in PARTS:
        cost = [per_wake_up(path(option, part), batch) for batch in batches]
        packet = (cost[-1] - cost[0]) / (batches[-1] - batches[0])
        figures = [c / b for c, b in zip(cost, batches)] + [packet, cost[0] - packet]
        totals = [a + b for a, b in zip(totals, figures)]
        line(part, figures)
    line('all', totals)
    print('\n' + f'{"clients":<12}' + ''.join(f'{c:>14}' for c in CLIENTS))
    for part in SHARED:
        cost = [per_wake_up(path(option, part), BATCH, clients) / BATCH for clients in CLIENTS]
        print(f'{part:<12}' + ''.join(f'{c:>14.1f}' for c in cost))
    print(f'(a packet, in batches of {BATCH} of one client after the other)')


def path(option, part):
    program = os.path.join(option.build, 'bench/parts', f'part_{part}')
    if not os.path.exists(program):
        sys.exit(f'parts: {program} is not built: run make')
    return program


def line(name, figures):
    *batches, packet, wake_up = figures
    print(f'{name:<12}' + ''.join(f'{f:>14.0f}' for f in batches) +
          f'{packet:>12.0f}{wake_up:>12.0f}')


if __name__ == '__main__':
    main()
