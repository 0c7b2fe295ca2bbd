# SPDX-License-Identifier: BSD-2-Clause
"""Reads a filter of system calls (classic BPF) and says all that it lets through.

Such a program has no loops and looks only at a call's number, architecture and arguments, so it can be
followed along every path: what a path demands of each word is a set of intervals, and the filter lets
through what the paths to ALLOW demand, and nothing else. No number, no descriptor has to be tried.
"""

import struct

NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16  # struct seccomp_data
WORDS = range(0, 64, 4)
X86_64 = 0xc000003e
ALL = ((0, 0xffffffff),)
ALLOW, TRAP = 0x7fff0000, 0x00030000

LOAD, JUMP, RETURN = 0x20, 0x05, 0x06  # BPF_LD|W|ABS, BPF_JMP|JA, BPF_RET|K
EQUAL, GREATER, AT_LEAST = 0x15, 0x25, 0x35  # BPF_JMP|K with JEQ, JGT, JGE


def read(pid):
    """The filter that a process of ours runs under, as the page through which it went has it."""
    at, base, length = 0x200000030000, 512, struct.Struct("=4Q2Q")  # abi.h: struct mk_exit
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(at + base)
        *_, count, address = length.unpack(memory.read(length.size))
        memory.seek(address)
        return [struct.unpack("=HBBI", memory.read(8)) for _ in range(count)]


def packed(program):
    """As the kernel has it."""
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def within(intervals, low, high):
    """What of the intervals lies from low to high."""
    return tuple((max(a, low), min(b, high)) for a, b in intervals if max(a, low) <= min(b, high))


def outside(intervals, low, high):
    return within(intervals, 0, low - 1) + within(intervals, high + 1, 0xffffffff)


def paths(program):
    """(verdict, {word's offset: intervals}) for each path through the program that can be taken."""
    todo = [(0, None, {})]
    while todo:
        at, loaded, demands = todo.pop()
        code, true, false, k = program[at]
        if code == LOAD:
            assert k in WORDS
            todo.append((at + 1, k, demands))
        elif code == JUMP:
            todo.append((at + 1 + k, loaded, demands))
        elif code == RETURN:
            yield k, demands
        else:
            low, high = {EQUAL: (k, k), GREATER: (k + 1, 0xffffffff), AT_LEAST: (k, 0xffffffff)}[code]
            now = demands.get(loaded, ALL)
            for jump, then in ((true, within(now, low, high)), (false, outside(now, low, high))):
                if then:
                    todo.append((at + 1 + jump, loaded, {**demands, loaded: then}))


def only(intervals):
    """The one value that a word may have; None: it may have more."""
    return intervals[0][0] if len(intervals) == 1 and intervals[0][0] == intervals[0][1] else None


def allowed(program):
    """{(number, ((argument, value), ...))}: all that passes, each argument of 64 bits that must have
    one value with that value. Fails where something else is asked for than equality, or where the
    verdict is neither ALLOW nor TRAP."""
    calls = set()
    for verdict, demands in paths(program):
        assert verdict in (ALLOW, TRAP), hex(verdict)
        if verdict == TRAP:
            continue
        assert only(demands[ARCHITECTURE]) == X86_64
        number = only(demands[NUMBER])
        assert number is not None, "a range of calls passes"
        arguments = []
        for index in range(6):
            low, high = (demands.get(ARGUMENTS + 8 * index + half, ALL) for half in (0, 4))
            if only(low) is not None and only(high) is not None:
                arguments.append((index, only(high) << 32 | only(low)))
            else:  # What one path has left over is another one's: it has to be all or nothing.
                assert only(low) is None and only(high) is None, "half an argument is compared"
        calls.add((number, tuple(arguments)))
    return calls
