# SPDX-License-Identifier: BSD-2-Clause
"""Figures as published: Cortex-A53 board, 1 Gb/s, one core. Only their shape is to be compared."""

# requested Mb/s: sDDF's CPU (part of a core), round trip (us), cycles per packet;
#                 Linux's CPU, round trip, achieved Mb/s
ONE_CLIENT = {
    10: (.02, 619, 26504, .026, 1548, 10),
    100: (.19, 449, 22015, .216, 1132, 100),
    300: (.40, 465, 15719, .615, 1082, 300),
    500: (.53, 596, 12559, .694, 1053, 500),
    600: (.58, 785, 11385, .926, 1181, 600),
    700: (.64, 975, 10822, .997, 1811, 625),
    900: (.74, 1018, 9711, .997, 2081, 575),
    957: (.77, 1549, 9569, .995, 2583, 568),
}

# Cycles per packet at 957 Mb/s, by the number of protection domains.
ISOLATION = {2: 7529, 4: 8239, 5: 9569}


def achieved():
    return {'sDDF': [(asked, asked) for asked in ONE_CLIENT],
            'Linux': [(asked, row[5]) for asked, row in ONE_CLIENT.items()]}


def cpu():
    return {'sDDF': [(asked, row[0]) for asked, row in ONE_CLIENT.items()],
            'Linux': [(asked, row[3]) for asked, row in ONE_CLIENT.items()]}


def cost():
    return {'sDDF': [(asked, row[2] / 1000) for asked, row in ONE_CLIENT.items()]}


def round_trip():
    return {'sDDF': [(asked, row[1]) for asked, row in ONE_CLIENT.items()],
            'Linux': [(asked, row[4]) for asked, row in ONE_CLIENT.items()]}


def isolation():
    return {'sDDF': [(pds, cycles / 1000) for pds, cycles in ISOLATION.items()]}
